#include "wavenet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "memory.h"

/* What a product by whole tiles may read beyond the last matrix. */
enum { OVERRUN_BYTES = 16 * PANELS * LINE_BYTES };

#define NO_CLASS -INFINITY /* logit of what is only padding */

/* What every step of every voice reads comes first, in the order in which it is read. */
static void lay_out(wavenet_t *network, arena_t *arena)
{
    const wavenet_config_t *config = &network->config;
    const precision_t precision = network->precision;
    const int residual = network->residual_padded, skip = network->skip_padded, last = config->layers - 1;
    const int rows_in = config->gaussian ? 1 : config->quantization_channels;

    for (int i = 0; i < config->layers; i++) {
        layer_t *layer = &network->layers[i];
        layer->gate = matrix_take(arena, precision, 2 * residual, config->residual_channels);
        layer->mix_first = i < last ? 0 : residual;
        layer->mix = matrix_take(arena, precision, residual - layer->mix_first + skip, config->residual_channels);
        layer->residual_bias = arena_take_floats(arena, residual);
    }
    network->skip_bias = arena_take_floats(arena, skip);
    network->hidden = matrix_take(arena, precision, network->head_padded, config->skip_channels);
    network->hidden_bias = arena_take_floats(arena, network->head_padded);
    network->output = matrix_take(arena, config->gaussian ? FLOAT32 : precision, network->outputs_padded,
                                  config->head_channels);
    network->output_bias = arena_take_floats(arena, network->outputs_padded);
    network->input_weight = arena_take_floats(arena, (size_t)rows_in * residual);
    network->input_bias = arena_take_floats(arena, residual);
    for (int i = 0; i < config->layers; i++)
        for (int tap = 0; tap < config->kernel_size - 1; tap++)
            network->layers[i].past[tap] = matrix_take(arena, precision, 2 * residual, config->residual_channels);
    network->excitation = matrix_take(arena, FLOAT32, residual, 2 * network->partials_padded);
    network->conditioning = matrix_take(arena, FLOAT32, config->layers * 2 * residual, config->conditioning_channels);
    network->gate_biases = arena_take_floats(arena, (size_t)config->layers * 2 * residual);
    network->class_values = arena_take_floats(arena, config->gaussian ? 0 : config->quantization_channels);
    network->zeros = arena_take_floats(arena, 2 * residual);
}

static float step_of(const wavenet_tensors_t *tensors, int place)
{
    return tensors->activation_steps ? tensors->activation_steps[place] : 1.0f;
}

static void pack_layer(wavenet_t *network, const wavenet_tensors_t *tensors, int index)
{
    const wavenet_config_t *config = &network->config;
    layer_t *layer = &network->layers[index];
    const int r = config->residual_channels, taps = config->kernel_size, c = config->conditioning_channels;
    const float step = step_of(tensors, index), gated_step = 1.0f / ACTIVATION_MAX;
    layer->activation_scale = 1.0f / step;
    for (int half = 0; half < 2; half++) {
        const int first = half * network->residual_padded, row = index * 2 * network->residual_padded + first;
        const float *weight = tensors->gate_weight[index] + (size_t)half * r * r * taps;
        float *bias = network->gate_biases + row;
        memcpy(bias, tensors->gate_bias[index] + half * r, sizeof(float) * r);
        for (int tap = 0; tap < taps; tap++)
            matrix_fill(tap < taps - 1 ? &layer->past[tap] : &layer->gate, first, weight + tap, r, r, r * taps, taps,
                        step, bias);
        if (c)
            matrix_fill(&network->conditioning, row, tensors->conditioning_weight[index] + half * r * c, r, c, c, 1,
                        1.0f, bias);
    }
    if (tensors->residual_weight[index]) {
        memcpy(layer->residual_bias, tensors->residual_bias[index], sizeof(float) * r);
        matrix_fill(&layer->mix, 0, tensors->residual_weight[index], r, r, r, 1, gated_step, layer->residual_bias);
    }
    matrix_fill(&layer->mix, network->residual_padded - layer->mix_first, tensors->skip_weight[index],
                config->skip_channels, r, r, 1, gated_step, network->skip_bias);
}

static void pack(wavenet_t *network, const wavenet_tensors_t *tensors)
{
    const wavenet_config_t *config = &network->config;
    const int r = config->residual_channels, s = config->skip_channels, h = config->head_channels;
    const int rows_in = config->gaussian ? 1 : config->quantization_channels, k = config->partials;
    const float skip_step = step_of(tensors, config->layers), hidden_step = step_of(tensors, config->layers + 1);
    network->skip_scale = 1.0f / skip_step;
    network->hidden_scale = 1.0f / hidden_step;
    for (int row = 0; row < rows_in; row++)
        memcpy(network->input_weight + (size_t)row * network->residual_padded,
               tensors->input_weight + (size_t)row * r, sizeof(float) * r);
    if (tensors->input_bias)
        memcpy(network->input_bias, tensors->input_bias, sizeof(float) * r);
    if (tensors->class_values)
        memcpy(network->class_values, tensors->class_values, sizeof(float) * rows_in);
    for (int row = 0; row < (k ? r : 0); row++)
        for (int i = 0; i < 2 * k; i++) {
            int column = i < k ? i : network->partials_padded + i - k;
            matrix_set(&network->excitation, row, column, tensors->excitation_weight[row * 2 * k + i]);
        }
    for (int i = 0; i < config->layers; i++)
        pack_layer(network, tensors, i);
    memcpy(network->hidden_bias, tensors->head_hidden_bias, sizeof(float) * h);
    matrix_fill(&network->hidden, 0, tensors->head_hidden_weight, h, s, s, 1, skip_step, network->hidden_bias);
    memcpy(network->output_bias, tensors->head_output_bias, sizeof(float) * config->outputs);
    for (int i = config->outputs; i < network->outputs_padded; i++)
        network->output_bias[i] = NO_CLASS;
    matrix_fill(&network->output, 0, tensors->head_output_weight, config->outputs, h, h, 1, hidden_step,
                network->output_bias);
}

/* The plain schedule: every weight once a step, the conditioning once a control period. */
static void count_work(wavenet_t *network)
{
    const wavenet_config_t *config = &network->config;
    size_t r = config->residual_channels, s = config->skip_channels, h = config->head_channels;
    network->weight_bytes = matrix_bytes(&network->hidden) + matrix_bytes(&network->output)
                          + matrix_bytes(&network->excitation);
    network->multiplies = h * s + config->outputs * h + 2 * r * config->partials;
    for (int i = 0; i < config->layers; i++) {
        const layer_t *layer = &network->layers[i];
        network->weight_bytes += matrix_bytes(&layer->gate) + matrix_bytes(&layer->mix);
        for (int tap = 0; tap < config->kernel_size - 1; tap++)
            network->weight_bytes += matrix_bytes(&layer->past[tap]);
        network->multiplies += 2 * r * r * config->kernel_size + (i < config->layers - 1 ? r * r : 0) + s * r;
    }
}

/* Where each layer's rings and rows ahead lie in a state. */
static void place_layers(wavenet_t *network)
{
    const wavenet_config_t *config = &network->config;
    network->row_bytes = network->residual_padded * (network->precision == INT8 ? 2 : (int)sizeof(float));
    for (int i = 0; i < config->layers; i++) {
        layer_t *layer = &network->layers[i];
        layer->dilation = config->dilations[i];
        layer->ring = network->ring_bytes;
        layer->ahead = network->ahead_floats;
        network->ring_bytes += (size_t)(config->kernel_size - 1) * layer->dilation * network->row_bytes;
        layer->looks_ahead = network->precision != INT8 && layer->dilation >= AHEAD; /* int8: see kernels/README.md */
        if (layer->looks_ahead)
            network->ahead_floats += (size_t)AHEAD * 2 * network->residual_padded;
    }
}

wavenet_t *wavenet_create(const wavenet_config_t *config, const wavenet_tensors_t *tensors, precision_t precision,
                          const struct kernels *kernels)
{
    wavenet_t *network = memory_allocate(sizeof *network);
    if (!network)
        return NULL;
    network->config = *config;
    network->precision = precision;
    network->kernels = kernels;
    network->residual_padded = padded(config->residual_channels);
    network->skip_padded = padded(config->skip_channels);
    network->head_padded = padded(config->head_channels);
    network->outputs_padded = padded(config->outputs);
    network->partials_padded = padded(config->partials);
    place_layers(network);
    arena_t arena = {0};
    lay_out(network, &arena);
    arena.block = memory_allocate(arena.used + OVERRUN_BYTES);
    if (!arena.block) {
        memory_free(network);
        return NULL;
    }
    network->memory = arena.block;
    arena.used = 0;
    lay_out(network, &arena);
    pack(network, tensors);
    count_work(network);
    return network;
}

void wavenet_destroy(wavenet_t *network)
{
    if (network)
        memory_free(network->memory);
    memory_free(network);
}
