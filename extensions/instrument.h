/* The instrument's tables, copied into one block of memory. */

#ifndef RTWAVE_INSTRUMENT_H
#define RTWAVE_INSTRUMENT_H

#include "engine.h"
#include "memory.h"

static inline const float *instrument_keep(float **place, const float *table, size_t count)
{
    float *kept = *place;
    memcpy(kept, table, sizeof(float) * count);
    *place += count;
    return kept;
}

/* Returns the memory in which the tables of `to` lie, for the caller to free; NULL when there is none. */
static inline float *instrument_copy(instrument_t *to, const instrument_t *from, int partials)
{
    const size_t cells = (size_t)from->timbres * from->keys * from->velocities * from->ages;
    const size_t by_key = (size_t)from->timbres * KEYS, phases = by_key * partials;
    const size_t ends = (size_t)from->keys + from->velocities + from->ages;
    const partial_axes_t *axes = &from->partial_axes;
    const size_t partial_ends = (size_t)axes->key_count + axes->velocity_count + axes->age_count;
    const size_t partial_rows = (size_t)from->timbres * axes->key_count * axes->velocity_count * axes->age_count;
    const size_t partial_cells = partial_rows * partials;
    const size_t by_velocity = by_key * from->velocities;
    float *tables = memory_allocate(sizeof(float) * (ends + cells + 4 * by_key + by_velocity + 2 * KEYS + 2 * phases
                                                    + partial_ends + partial_cells)), *place = tables;
    if (!place)
        return NULL;
    *to = *from;
    to->envelope_keys = instrument_keep(&place, from->envelope_keys, from->keys);
    to->envelope_velocities = instrument_keep(&place, from->envelope_velocities, from->velocities);
    to->envelope_ages_s = instrument_keep(&place, from->envelope_ages_s, from->ages);
    to->envelope_db = instrument_keep(&place, from->envelope_db, cells);
    to->cents = instrument_keep(&place, from->cents, by_key);
    to->stiffness = instrument_keep(&place, from->stiffness, by_key);
    to->release_s = instrument_keep(&place, from->release_s, by_key);
    to->temperature = instrument_keep(&place, from->temperature, by_velocity);
    to->onset_temperature = instrument_keep(&place, from->onset_temperature, by_key);
    to->timbre = instrument_keep(&place, from->timbre, KEYS);
    to->longest_age_s = instrument_keep(&place, from->longest_age_s, KEYS);
    to->onset_phases = instrument_keep(&place, from->onset_phases, phases);
    to->modes_hz = instrument_keep(&place, from->modes_hz, phases);
    if (partial_cells) {
        to->partial_axes.keys = instrument_keep(&place, axes->keys, axes->key_count);
        to->partial_axes.velocities = instrument_keep(&place, axes->velocities, axes->velocity_count);
        to->partial_axes.ages_s = instrument_keep(&place, axes->ages_s, axes->age_count);
        to->partial_db = instrument_keep(&place, from->partial_db, partial_cells);
    }
    return tables;
}

#endif
