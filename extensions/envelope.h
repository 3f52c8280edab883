/* How loud a held note is at an age: the instrument's table, at one key and velocity. */

#ifndef RTWAVE_ENVELOPE_H
#define RTWAVE_ENVELOPE_H

#include <math.h>

#include "engine.h"

/* The place of `value` in a rising table: index of the lower neighbour, and how far on to the next (0 beyond the ends). */
static inline int envelope_locate(const float *table, int count, float value, float *share)
{
    *share = 0.0f;
    if (value <= table[0])
        return 0;
    if (value >= table[count - 1])
        return count - 1;
    int i = 0;
    while (table[i + 1] <= value)
        i++;
    *share = (value - table[i]) / (table[i + 1] - table[i]);
    return i;
}

/* Writes curve_db (G): the table of one timbre, between its keys and velocities. */
static inline void envelope_pick(const instrument_t *instrument, int timbre, int note, int played, float *curve_db)
{
    const int ages = instrument->ages, velocities = instrument->velocities;
    float key_share, velocity_share;
    int key = envelope_locate(instrument->envelope_keys, instrument->keys, (float)note, &key_share);
    int velocity = envelope_locate(instrument->envelope_velocities, velocities, (float)played, &velocity_share);
    int next_key = key_share > 0.0f ? key + 1 : key, next_velocity = velocity_share > 0.0f ? velocity + 1 : velocity;
    const float *table = instrument->envelope_db + (size_t)timbre * instrument->keys * velocities * ages;
    for (int i = 0; i < ages; i++) {
        float low = table[(key * velocities + velocity) * ages + i];
        float low_next = table[(key * velocities + next_velocity) * ages + i];
        float high = table[(next_key * velocities + velocity) * ages + i];
        float high_next = table[(next_key * velocities + next_velocity) * ages + i];
        low += velocity_share * (low_next - low);
        high += velocity_share * (high_next - high);
        curve_db[i] = low + key_share * (high - low);
    }
}

/* Level at an age: linear between the grid's ages, its last slope beyond them, but never rising there. */
static inline double envelope_db(const instrument_t *instrument, const float *curve, double age_s)
{
    const float *ages_s = instrument->envelope_ages_s;
    const int last = instrument->ages - 1;
    if (last == 0)
        return curve[0];
    float age = (float)age_s, share;
    if (age >= ages_s[last]) {
        double slope = ((double)curve[last] - curve[last - 1]) / ((double)ages_s[last] - ages_s[last - 1]);
        return curve[last] + fmin(slope, 0.0) * (age_s - ages_s[last]);
    }
    int i = envelope_locate(ages_s, instrument->ages, age, &share);
    return curve[i] + share * (curve[i + 1] - curve[i]);
}

#endif
