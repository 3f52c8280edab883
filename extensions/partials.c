#include "partials.h"

#include <math.h>

#include "arena.h"
#include "envelope.h"
#include "kernels/kernels.h"
#include "memory.h"

#define OCTAVES_PER_DB 0.16609640f /* log2(10) / 20 */

enum { MAX_CORNERS = 16 }; /* two timbres, keys, velocities and ages */

static void lay_out(partials_t *partials, const wavenet_t *network, arena_t *arena)
{
    const size_t count = network->config.partials, weighted = network->config.weighted ? count : 0;
    partials->phases = arena_take(arena, sizeof(double) * count);
    partials->turns = arena_take(arena, sizeof(double) * count);
    partials->heard = arena_take_floats(arena, count);
    partials->levels = arena_take_floats(arena, weighted);
    partials->steps = arena_take_floats(arena, weighted);
    partials->goals = arena_take_floats(arena, weighted);
    partials->turning = arena_take_floats(arena, weighted ? 2 * network->partials_padded : 0);
}

bool partials_create(partials_t *partials, const wavenet_t *network)
{
    arena_t arena = {0};
    lay_out(partials, network, &arena);
    partials->memory = arena.block = memory_allocate(arena.used);
    arena.used = 0;
    lay_out(partials, network, &arena);
    return partials->memory;
}

void partials_destroy(partials_t *partials)
{
    memory_free(partials->memory);
}

void partials_start(partials_t *partials, const instrument_t *instrument, const wavenet_config_t *config,
                    timbre_t timbre, int key)
{
    const int nearest = timbre.low + (timbre.share >= 0.5);
    const size_t place = (size_t)(nearest * KEYS + key) * config->partials;
    const float *phases = instrument->onset_phases + place;
    partials->modes_hz = instrument->modes_hz + place;
    for (int k = 0; k < config->partials; k++) {
        partials->phases[k] = phases[k] / (2.0 * PI);
        partials->turns[k] = 0.0;
    }
    partials->f0 = 0.0;
}

/* Those too near half the sample rate are left out. */
static void tune(partials_t *partials, const wavenet_t *network, float *turning, double f0, double stiffness)
{
    const double sample_rate = network->config.sample_rate;
    partials->f0 = f0;
    partials->stiffness = stiffness;
    partials->audible = 0;
    for (int k = 0; k < network->config.partials; k++) {
        const double mode_hz = partials->modes_hz[k];
        const double frequency = mode_hz > 0.0 ? mode_hz : features_partial_frequency(f0, stiffness, k + 1);
        const bool heard = frequency <= NYQUIST_SHARE * sample_rate;
        partials->turns[k] = frequency / sample_rate;
        partials->heard[k] = heard ? 1.0f : 0.0f;
        if (heard)
            partials->audible = k + 1;
    }
    network->kernels->phasors(partials->turns, turning, turning + network->partials_padded, network->config.partials);
}

void partials_turn(partials_t *partials, const wavenet_t *network, wavenet_state_t *state, int elapsed, double f0,
                   double stiffness)
{
    const int count = network->config.partials;
    float *sines = state->phasors, *cosines = sines + network->partials_padded;
    for (int k = 0; k < count; k++) {
        double phase = partials->phases[k] + elapsed * partials->turns[k];
        partials->phases[k] = phase - floor(phase);
    }
    if (f0 != partials->f0 || stiffness != partials->stiffness)
        tune(partials, network, network->config.weighted ? partials->turning : state->rotation, f0, stiffness);
    network->kernels->phasors(partials->phases, sines, cosines, partials->audible);
    for (int k = 0; k < partials->audible; k++) {
        sines[k] *= partials->heard[k];
        cosines[k] *= partials->heard[k];
    }
    for (int k = partials->audible; k < count; k++)
        sines[k] = cosines[k] = 0.0f;
}

/* What stands on either side of a value in an axis of the table, and what share of it each has; returns 1 or 2. */
static int neighbours(const float *axis, int count, double value, int *places, float *shares)
{
    float share;
    places[0] = envelope_locate(axis, count, (float)value, &share);
    places[1] = places[0] + 1;
    shares[0] = 1.0f - share;
    shares[1] = share;
    return share > 0.0f ? 2 : 1;
}

/* Writes `levels` (K): the table between timbres, keys, velocities and ages, which are constant beyond its ends. */
static void look_up(const instrument_t *instrument, const wavenet_t *network, const strength_t *at, float *levels)
{
    const partial_axes_t *axes = &instrument->partial_axes;
    const int timbres[2] = {at->timbre.low, at->timbre.low + 1}, partials = network->config.partials;
    const float timbre_shares[2] = {(float)(1.0 - at->timbre.share), (float)at->timbre.share};
    const float *rows[MAX_CORNERS];
    float shares[MAX_CORNERS], key_shares[2], velocity_shares[2], age_shares[2];
    int keys[2], velocities[2], ages[2], corners = 0;
    const int near_timbres = at->timbre.share > 0.0 ? 2 : 1;
    const int near_keys = neighbours(axes->keys, axes->key_count, at->key, keys, key_shares);
    const int near_velocities = neighbours(axes->velocities, axes->velocity_count, at->velocity, velocities,
                                           velocity_shares);
    const int near_ages = neighbours(axes->ages_s, axes->age_count, at->age_s, ages, age_shares);
    for (int i = 0; i < near_timbres; i++)
        for (int n = 0; n < near_keys; n++)
            for (int m = 0; m < near_velocities; m++)
                for (int g = 0; g < near_ages; g++) {
                    size_t row = (size_t)timbres[i] * axes->key_count + keys[n];
                    row = (row * axes->velocity_count + velocities[m]) * axes->age_count + ages[g];
                    rows[corners] = instrument->partial_db + row * partials;
                    shares[corners++] = timbre_shares[i] * key_shares[n] * velocity_shares[m] * age_shares[g]
                                      * OCTAVES_PER_DB;
                }
    network->kernels->mix(rows, shares, corners, (float)at->own_db * OCTAVES_PER_DB, levels, partials);
}

void partials_weigh(partials_t *partials, const instrument_t *instrument, const wavenet_t *network,
                    wavenet_state_t *state, int elapsed, const strength_t *now, const strength_t *then)
{
    const wavenet_config_t *config = &network->config;
    if (now->age_s > 0.0)
        for (int k = 0; k < config->partials; k++)
            partials->levels[k] += elapsed * partials->steps[k];
    else
        look_up(instrument, network, now, partials->levels);
    look_up(instrument, network, then, partials->goals);
    network->kernels->weigh(partials->levels, partials->goals, partials->steps, config->control_period,
                            config->pre_emphasis, partials->turning, state->phasors, state->rotation, config->partials,
                            network->partials_padded);
}
