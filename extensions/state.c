#include <string.h>

#include "arena.h"
#include "kernels/kernels.h"
#include "memory.h"
#include "wavenet.h"

enum { STAGGER_BYTES = 9 * 64 }; /* an eighth of a page, and a line */

static void lay_out_told(const wavenet_t *network, wavenet_state_t *state, arena_t *arena)
{
    state->phasors = arena_take_floats(arena, 2 * network->partials_padded);
    state->rotation = arena_take_floats(arena, 2 * network->partials_padded);
    state->conditioning = arena_take_floats(arena, padded(network->config.conditioning_channels));
}

static void lay_out_state(const wavenet_t *network, wavenet_state_t *state, arena_t *arena)
{
    const size_t residual = network->residual_padded;
    const size_t skip = network->skip_padded, head = network->head_padded;
    state->stream = arena_take_floats(arena, residual + skip);
    state->gate = arena_take_floats(arena, 2 * residual);
    state->past = arena_take_floats(arena, 2 * residual);
    state->gated = arena_take(arena, network->row_bytes);
    state->hidden = arena_take_floats(arena, head);
    state->skip_activations = arena_take(arena, skip * sizeof(float));
    state->hidden_activations = arena_take(arena, head * sizeof(float));
    state->out = arena_take_floats(arena, network->outputs_padded);
    lay_out_told(network, state, arena);
    state->excited = arena_take_floats(arena, network->config.partials ? AHEAD * residual : 0);
    state->places = arena_take(arena, network->config.layers * sizeof(place_t));
    state->biases = arena_take_floats(arena, network->config.layers * 2 * residual);
    state->ahead = arena_take_floats(arena, network->ahead_floats);
    state->rings = arena_take(arena, network->ring_bytes);
}

bool wavenet_state_create(const wavenet_t *network, wavenet_state_t *state, int number)
{
    const size_t start = (size_t)(number % BATCH) * STAGGER_BYTES;
    arena_t arena = {.used = start};
    lay_out_state(network, state, &arena);
    arena.block = memory_allocate(arena.used);
    state->memory = arena.block;
    if (!state->memory)
        return false;
    arena.used = start;
    lay_out_state(network, state, &arena);
    wavenet_state_reset(network, state);
    return true;
}

bool wavenet_state_create_told(const wavenet_t *network, wavenet_state_t *state)
{
    arena_t arena = {0};
    lay_out_told(network, state, &arena);
    state->memory = arena.block = memory_allocate(arena.used);
    arena.used = 0;
    lay_out_told(network, state, &arena);
    return state->memory;
}

void wavenet_state_destroy(wavenet_state_t *state)
{
    memory_free(state->memory);
    state->memory = NULL;
}

static void clear_rings(const wavenet_t *network, wavenet_state_t *state)
{
    memset(state->rings, 0, network->ring_bytes);
    if (network->precision == INT8)
        for (size_t row = 0; row < network->ring_bytes; row += network->row_bytes)
            for (int i = 0; i < network->residual_padded; i += 4)
                memset(state->rings + row + 2 * i, ACTIVATION_ZERO >> PLANE_BITS, 4);
}

void wavenet_state_reset(const wavenet_t *network, wavenet_state_t *state)
{
    const int layers = network->config.layers;
    clear_rings(network, state);
    for (int i = 0; i < layers; i++) /* positions differ so that not all layers look ahead at the same sample */
        state->places[i] = (place_t){i % network->layers[i].dilation, 0, 0};
    memset(state->phasors, 0, sizeof(float) * 2 * network->partials_padded);
    memset(state->excited, 0, sizeof(float) * AHEAD * network->residual_padded * (network->partials_padded > 0));
    memcpy(state->biases, network->gate_biases, sizeof(float) * layers * 2 * network->residual_padded);
    state->excited_ready = state->excited_next = 0;
    state->sample = 0.0f;
    state->class_index = network->config.quantization_channels / 2;
}

void wavenet_state_copy(const wavenet_t *network, wavenet_state_t *to, const wavenet_state_t *from)
{
    memcpy(to->rings, from->rings, network->ring_bytes);
    for (int i = 0; i < network->config.layers; i++)
        to->places[i] = (place_t){from->places[i].position, 0, 0};
    to->excited_ready = 0;
    to->sample = from->sample;
    to->class_index = from->class_index;
}

void wavenet_prime(const wavenet_t *network, wavenet_state_t *state)
{
    long field = 1;
    for (int i = 0; i < network->config.layers; i++)
        field += (long)(network->config.kernel_size - 1) * network->config.dilations[i];
    wavenet_state_reset(network, state);
    for (long i = 0; i < field; i++) {
        state->excited_ready = 1; /* no excitation: the first row is zero */
        state->excited_next = 0;
        network->kernels->step(network, &state, 1);
    }
}
