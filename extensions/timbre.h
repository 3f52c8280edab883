/* Where a note stands among its instrument's timbres, and what the tables say there. */

#ifndef RTWAVE_TIMBRE_H
#define RTWAVE_TIMBRE_H

#include "conditioning.h"
#include "engine.h"

/* Between timbre `low` and the next, `share` of the way; on a timbre the next is not looked at. */
typedef struct {
    double position; /* what the network is told */
    int low;
    double share;
} timbre_t;

/* Several timbres: as far among them as the control, 0..1. One: a key's own place, of which only the network knows. */
static inline timbre_t timbre_at(const instrument_t *instrument, int key, float control)
{
    if (instrument->timbres == 1)
        return (timbre_t){instrument->timbre[key], 0, 0.0};
    double position = (double)control * (instrument->timbres - 1);
    int low = (int)position;
    return (timbre_t){position, low, position - low};
}

static inline double timbre_mix(timbre_t at, double low, double high)
{
    return low + at.share * (high - low);
}

/* Of a table (I, 128), at a key or between two. */
static inline double timbre_value(const float *table, timbre_t at, double note)
{
    const float *row = table + at.low * KEYS;
    double low = features_between_keys(row, note);
    return at.share > 0.0 ? timbre_mix(at, low, features_between_keys(row + KEYS, note)) : low;
}

/* Time constant of the damper, 0 where there is none: between timbres, its force and not its time is in between. */
static inline double timbre_release_s(const float *table, timbre_t at, int key)
{
    double low = table[at.low * KEYS + key];
    if (!(at.share > 0.0))
        return low;
    double high = table[(at.low + 1) * KEYS + key];
    double force = timbre_mix(at, low > 0.0 ? 1.0 / low : 0.0, high > 0.0 ? 1.0 / high : 0.0);
    return force > 0.0 ? 1.0 / force : 0.0;
}

#endif
