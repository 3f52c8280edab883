#include "wavenet.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "memory.h"

static int padded(int count)
{
    return (count + LANES - 1) / LANES * LANES;
}

static int even(int count)
{
    return (count + 1) / 2 * 2;
}

/* Hands out pieces of one aligned block. With no block yet it only counts, so that one walk sizes and one walk fills. */
typedef struct {
    float *block;
    size_t used;
} arena_t;

static float *arena_take(arena_t *arena, size_t floats)
{
    float *piece = arena->block ? arena->block + arena->used : NULL;
    arena->used += (floats + LANES - 1) / LANES * LANES;
    return piece;
}

static matrix_t matrix_take(arena_t *arena, int rows, int columns, int segments)
{
    matrix_t matrix = {NULL, rows, even(columns), segments};
    matrix.weights = arena_take(arena, (size_t)rows * matrix.columns * segments);
    return matrix;
}

/* Where a weight lies. `column` counts over all segments. */
static float *matrix_at(const matrix_t *matrix, int row, int column)
{
    size_t panel = (size_t)matrix->columns * matrix->segments * LANES;
    return matrix->weights + row / LANES * panel + (size_t)column * LANES + row % LANES;
}

/* Copy `rows` rows of a C-order tensor: weight (row, column) of a segment is source[row * stride + column * step]. */
static void matrix_fill(const matrix_t *matrix, int first_row, int segment, const float *source, int rows,
                        int columns, int stride, int step)
{
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            *matrix_at(matrix, first_row + row, segment * matrix->columns + column)
                = source[(size_t)row * stride + (size_t)column * step];
}

static void lay_out(wavenet_t *network, arena_t *arena)
{
    const wavenet_config_t *config = &network->config;
    const int residual = network->residual_padded, skip = network->skip_padded;
    const int rows_in = config->gaussian ? 1 : config->quantization_channels;

    network->input_weight = arena_take(arena, (size_t)rows_in * residual);
    network->input_bias = arena_take(arena, residual);
    network->excitation = matrix_take(arena, residual, config->partials, 2);
    for (int i = 0; i < config->layers; i++) {
        layer_t *layer = &network->layers[i];
        bool last = i == config->layers - 1;
        layer->dilation = config->dilations[i];
        layer->mix_first = last ? residual : 0;
        layer->gate = matrix_take(arena, 2 * residual, config->residual_channels, config->kernel_size);
        layer->mix = matrix_take(arena, (last ? 0 : residual) + skip, config->residual_channels, 1);
        layer->gate_bias = arena_take(arena, 2 * residual);
        layer->mix_bias = arena_take(arena, layer->mix.rows);
    }
    network->hidden = matrix_take(arena, network->head_padded, config->skip_channels, 1);
    network->hidden_bias = arena_take(arena, network->head_padded);
    network->output = matrix_take(arena, network->outputs_padded, config->head_channels, 1);
    network->output_bias = arena_take(arena, network->outputs_padded);
    /* Read once a control period: kept apart from what every step reads. */
    for (int i = 0; i < config->layers; i++)
        network->layers[i].conditioning = matrix_take(arena, 2 * residual, config->conditioning_channels, 1);
    network->class_values = arena_take(arena, config->gaussian ? 0 : config->quantization_channels);
    int longest = 2 * residual > residual + skip ? 2 * residual : residual + skip;
    longest = longest > network->head_padded ? longest : network->head_padded;
    network->zeros = arena_take(arena, longest > network->outputs_padded ? longest : network->outputs_padded);
}

static void pack_layer(const wavenet_t *network, const wavenet_tensors_t *tensors, int index)
{
    const wavenet_config_t *config = &network->config;
    const layer_t *layer = &network->layers[index];
    const int r = config->residual_channels, taps = config->kernel_size, c = config->conditioning_channels;
    for (int half = 0; half < 2; half++) {
        int first = half * network->residual_padded;
        for (int tap = 0; tap < taps; tap++)
            matrix_fill(&layer->gate, first, tap, tensors->gate_weight[index] + (size_t)half * r * r * taps + tap, r, r,
                        r * taps, taps);
        memcpy(layer->gate_bias + first, tensors->gate_bias[index] + half * r, sizeof(float) * r);
        if (c)
            matrix_fill(&layer->conditioning, first, 0, tensors->conditioning_weight[index] + half * r * c, r, c, c, 1);
    }
    if (tensors->residual_weight[index]) {
        matrix_fill(&layer->mix, 0, 0, tensors->residual_weight[index], r, r, r, 1);
        memcpy(layer->mix_bias, tensors->residual_bias[index], sizeof(float) * r);
    }
    matrix_fill(&layer->mix, network->residual_padded - layer->mix_first, 0, tensors->skip_weight[index],
                config->skip_channels, r, r, 1);
}

static void pack(const wavenet_t *network, const wavenet_tensors_t *tensors)
{
    const wavenet_config_t *config = &network->config;
    const int r = config->residual_channels, s = config->skip_channels, h = config->head_channels;
    const int rows_in = config->gaussian ? 1 : config->quantization_channels, k = config->partials;
    for (int row = 0; row < rows_in; row++)
        memcpy(network->input_weight + (size_t)row * network->residual_padded,
               tensors->input_weight + (size_t)row * r, sizeof(float) * r);
    if (tensors->input_bias)
        memcpy(network->input_bias, tensors->input_bias, sizeof(float) * r);
    if (tensors->class_values)
        memcpy(network->class_values, tensors->class_values, sizeof(float) * rows_in);
    for (int half = 0; half < (k ? 2 : 0); half++)
        matrix_fill(&network->excitation, 0, half, tensors->excitation_weight + half * k, r, k, 2 * k, 1);
    for (int i = 0; i < config->layers; i++)
        pack_layer(network, tensors, i);
    matrix_fill(&network->hidden, 0, 0, tensors->head_hidden_weight, h, s, s, 1);
    memcpy(network->hidden_bias, tensors->head_hidden_bias, sizeof(float) * h);
    matrix_fill(&network->output, 0, 0, tensors->head_output_weight, config->outputs, h, h, 1);
    memcpy(network->output_bias, tensors->head_output_bias, sizeof(float) * config->outputs);
}

wavenet_t *wavenet_create(const wavenet_config_t *config, const wavenet_tensors_t *tensors,
                          const struct kernels *kernels)
{
    wavenet_t *network = calloc(1, sizeof *network);
    if (!network)
        return NULL;
    network->config = *config;
    network->kernels = kernels;
    network->residual_padded = padded(config->residual_channels);
    network->skip_padded = padded(config->skip_channels);
    network->head_padded = padded(config->head_channels);
    network->outputs_padded = padded(config->outputs);
    network->partials_padded = padded(config->partials);
    for (int i = 0; i < config->layers; i++) {
        network->layers[i].ring = network->ring_floats;
        network->ring_floats += (size_t)(config->kernel_size - 1) * config->dilations[i] * network->residual_padded;
    }
    arena_t arena = {0};
    lay_out(network, &arena);
    arena.block = memory_allocate(arena.used * sizeof(float));
    if (!arena.block) {
        free(network);
        return NULL;
    }
    network->memory = arena.block;
    network->memory_floats = arena.used;
    arena.used = 0;
    lay_out(network, &arena);
    pack(network, tensors);
    return network;
}

void wavenet_destroy(wavenet_t *network)
{
    if (network)
        memory_free(network->memory);
    free(network);
}

static void lay_out_state(const wavenet_t *network, wavenet_state_t *state, arena_t *arena)
{
    const size_t residual = network->residual_padded;
    state->rings = arena_take(arena, network->ring_floats);
    state->biases = arena_take(arena, network->config.layers * 2 * residual);
    state->stream = arena_take(arena, residual + network->skip_padded);
    state->gate = arena_take(arena, 2 * residual);
    state->gated = arena_take(arena, residual);
    state->hidden = arena_take(arena, network->head_padded);
    state->out = arena_take(arena, network->outputs_padded);
    state->sines = arena_take(arena, network->partials_padded);
    state->cosines = arena_take(arena, network->partials_padded);
    state->sine_rotation = arena_take(arena, network->partials_padded);
    state->cosine_rotation = arena_take(arena, network->partials_padded);
}

bool wavenet_state_create(const wavenet_t *network, wavenet_state_t *state)
{
    arena_t arena = {0};
    lay_out_state(network, state, &arena);
    arena.block = memory_allocate(arena.used * sizeof(float));
    state->memory = arena.block;
    state->positions = malloc(sizeof(int) * network->config.layers);
    if (!state->memory || !state->positions) {
        wavenet_state_destroy(state);
        return false;
    }
    arena.used = 0;
    lay_out_state(network, state, &arena);
    wavenet_state_reset(network, state);
    return true;
}

void wavenet_state_destroy(wavenet_state_t *state)
{
    memory_free(state->memory);
    free(state->positions);
    state->memory = NULL;
    state->positions = NULL;
}

void wavenet_state_reset(const wavenet_t *network, wavenet_state_t *state)
{
    const size_t bias_bytes = sizeof(float) * 2 * network->residual_padded;
    memset(state->rings, 0, sizeof(float) * network->ring_floats);
    memset(state->positions, 0, sizeof(int) * network->config.layers);
    memset(state->sines, 0, sizeof(float) * network->partials_padded);
    memset(state->cosines, 0, sizeof(float) * network->partials_padded);
    for (int i = 0; i < network->config.layers; i++)
        memcpy(state->biases + (size_t)i * 2 * network->residual_padded, network->layers[i].gate_bias, bias_bytes);
    state->sample = 0.0f;
    state->class_index = network->config.quantization_channels / 2;
}

void wavenet_state_copy(const wavenet_t *network, wavenet_state_t *to, const wavenet_state_t *from)
{
    memcpy(to->rings, from->rings, sizeof(float) * network->ring_floats);
    memcpy(to->positions, from->positions, sizeof(int) * network->config.layers);
    to->sample = from->sample;
    to->class_index = from->class_index;
}

void wavenet_prime(const wavenet_t *network, wavenet_state_t *state)
{
    long field = 1;
    for (int i = 0; i < network->config.layers; i++)
        field += (long)(network->config.kernel_size - 1) * network->config.dilations[i];
    wavenet_state_reset(network, state);
    for (long i = 0; i < field; i++)
        network->kernels->step(network, &state, 1);
}
