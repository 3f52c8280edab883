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
    const size_t cells = (size_t)from->keys * from->velocities * from->ages, phases = (size_t)KEYS * partials;
    const size_t ends = (size_t)from->keys + from->velocities + from->ages;
    float *tables = memory_allocate(sizeof(float) * (ends + cells + 4 * KEYS + phases)), *place = tables;
    if (!place)
        return NULL;
    *to = *from;
    to->envelope_keys = instrument_keep(&place, from->envelope_keys, from->keys);
    to->envelope_velocities = instrument_keep(&place, from->envelope_velocities, from->velocities);
    to->envelope_ages_s = instrument_keep(&place, from->envelope_ages_s, from->ages);
    to->envelope_db = instrument_keep(&place, from->envelope_db, cells);
    to->cents = instrument_keep(&place, from->cents, KEYS);
    to->stiffness = instrument_keep(&place, from->stiffness, KEYS);
    to->release_s = instrument_keep(&place, from->release_s, KEYS);
    to->temperature = instrument_keep(&place, from->temperature, KEYS);
    to->onset_phases = instrument_keep(&place, from->onset_phases, phases);
    return tables;
}

#endif
