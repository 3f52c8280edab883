#include "wavenet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "memory.h"

enum {
    WEIGHT_MAX = 127,
    OVERRUN_BYTES = 16 * PANELS * LINE_BYTES, /* what a product by whole tiles may read beyond the last matrix */
};

#define NO_CLASS -1e30f /* logit of what is only padding */

static int padded(int count)
{
    return (count + LANES - 1) / LANES * LANES;
}

/* Hands out pieces of one aligned block. With no block yet it only counts, so that one walk sizes and one walk fills. */
typedef struct {
    char *block;
    size_t used;
} arena_t;

static void *arena_take(arena_t *arena, size_t bytes)
{
    char *piece = arena->block ? arena->block + arena->used : NULL;
    arena->used += (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return piece;
}

static float *take_floats(arena_t *arena, size_t floats)
{
    return arena_take(arena, floats * sizeof(float));
}

/* --- matrices ------------------------------------------------------------------------------------------------- */

static int line_columns(precision_t precision)
{
    return precision == INT8 ? 4 : precision == BFLOAT16 ? 2 : 1;
}

static size_t matrix_bytes(const matrix_t *matrix)
{
    return (size_t)matrix->panels * matrix->line_count * LINE_BYTES;
}

/* `rows` is padded to LANES already. */
static matrix_t matrix_take(arena_t *arena, precision_t precision, int rows, int columns)
{
    const int pair = 2 * line_columns(precision);
    matrix_t matrix = {.precision = precision, .panels = rows / LANES, .line_count = (columns + pair - 1) / pair * 2};
    matrix.lines = arena_take(arena, matrix_bytes(&matrix));
    matrix.scale = take_floats(arena, precision == INT8 ? rows : 0);
    return matrix;
}

/* Where the weight of a row and column lies. Panels lie interleaved line by line in groups of PANELS, and what is left
   in groups of half as many, and half again. */
static char *matrix_at(const matrix_t *matrix, int row, int column)
{
    const int panel = row / LANES, count = matrix->line_count, each = line_columns(matrix->precision);
    int first = 0, together = PANELS;
    while (panel >= first + together || first + together > matrix->panels)
        if (first + together <= matrix->panels)
            first += together;
        else
            together /= 2;
    size_t line = (size_t)first * count + (size_t)(column / each) * together + panel - first;
    return matrix->lines + line * LINE_BYTES + row % LANES * 4 + column % each * (4 / each);
}

/* The upper half of the float32 nearest to `value` among those whose lower half is `below`. */
static uint16_t to_bfloat16(float value, uint16_t below)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, size = (bits & 0x7fffffff) + 0x8000;
    const uint32_t upper = size > below ? (size - below) >> 16 : 0;
    return (uint16_t)(sign | (upper < 0x7f7f ? upper : 0x7f7f)); /* the largest that is finite */
}

/* Weight (row, column) is source[column * step]; `bias` loses what the activations' zero adds to the row. */
static void fill_row(const matrix_t *matrix, int row, const float *source, int columns, int step, float activation_step,
                     float *bias)
{
    float most = 0.0f;
    int32_t total = 0;
    uint16_t rounded = 0;
    for (int column = 0; column < columns; column++)
        most = fmaxf(most, fabsf(source[(size_t)column * step]));
    for (int column = 0; column < columns; column++) {
        float weight = source[(size_t)column * step];
        char *place = matrix_at(matrix, row, column);
        if (matrix->precision == FLOAT32) {
            memcpy(place, &weight, sizeof weight);
        } else if (matrix->precision == BFLOAT16) {
            rounded = to_bfloat16(weight, column % 2 ? rounded : 0);
            memcpy(place, &rounded, sizeof rounded);
        } else {
            int8_t level = most > 0.0f ? (int8_t)lrintf(weight / (most / WEIGHT_MAX)) : 0;
            memcpy(place, &level, sizeof level);
            total += level;
        }
    }
    if (matrix->precision == INT8) {
        matrix->scale[row] = most / WEIGHT_MAX * activation_step;
        *bias -= matrix->scale[row] * (float)ACTIVATION_ZERO * (float)total;
    }
}

/* Copy `rows` rows of a C-order tensor: weight (row, column) is source[row * stride + column * step]; `bias` is that of
   the first row. */
static void matrix_fill(const matrix_t *matrix, int first_row, const float *source, int rows, int columns, int stride,
                        int step, float activation_step, float *bias)
{
    for (int row = 0; row < rows; row++)
        fill_row(matrix, first_row + row, source + (size_t)row * stride, columns, step, activation_step, bias + row);
}

/* --- the network ------------------------------------------------------------------------------------------------ */

/* What every step of every voice reads comes first, in the order in which it is read; a layer's skips are added
   while the next layer's gates are busy. */
static void lay_out(wavenet_t *network, arena_t *arena)
{
    const wavenet_config_t *config = &network->config;
    const precision_t precision = network->precision;
    const int residual = network->residual_padded, skip = network->skip_padded, last = config->layers - 1;
    const int rows_in = config->gaussian ? 1 : config->quantization_channels;

    for (int i = 0; i < config->layers; i++) {
        layer_t *layer = &network->layers[i];
        layer->gate = matrix_take(arena, precision, 2 * residual, config->residual_channels);
        if (i > 0)
            network->layers[i - 1].skip = matrix_take(arena, precision, skip, config->residual_channels);
        layer->residual = matrix_take(arena, precision, i < last ? residual : 0, config->residual_channels);
        layer->residual_bias = take_floats(arena, residual);
    }
    network->layers[last].skip = matrix_take(arena, precision, skip, config->residual_channels);
    network->skip_bias = take_floats(arena, skip);
    network->hidden = matrix_take(arena, precision, network->head_padded, config->skip_channels);
    network->hidden_bias = take_floats(arena, network->head_padded);
    network->output = matrix_take(arena, config->gaussian ? FLOAT32 : precision, network->outputs_padded,
                                  config->head_channels);
    network->output_bias = take_floats(arena, network->outputs_padded);
    network->input_weight = take_floats(arena, (size_t)rows_in * residual);
    network->input_bias = take_floats(arena, residual);
    for (int i = 0; i < config->layers; i++)
        for (int tap = 0; tap < config->kernel_size - 1; tap++)
            network->layers[i].past[tap] = matrix_take(arena, precision, 2 * residual, config->residual_channels);
    network->excitation = matrix_take(arena, FLOAT32, residual, 2 * network->partials_padded);
    network->conditioning = matrix_take(arena, FLOAT32, config->layers * 2 * residual, config->conditioning_channels);
    network->gate_biases = take_floats(arena, (size_t)config->layers * 2 * residual);
    network->class_values = take_floats(arena, config->gaussian ? 0 : config->quantization_channels);
    size_t longest = (size_t)config->layers * 2 * residual;
    const int others[] = {skip, network->head_padded, network->outputs_padded};
    for (int i = 0; i < 3; i++)
        longest = longest > (size_t)others[i] ? longest : (size_t)others[i];
    network->zeros = take_floats(arena, longest);
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
        matrix_fill(&layer->residual, 0, tensors->residual_weight[index], r, r, r, 1, gated_step, layer->residual_bias);
    }
    matrix_fill(&layer->skip, 0, tensors->skip_weight[index], config->skip_channels, r, r, 1, gated_step,
                network->skip_bias);
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
            memcpy(matrix_at(&network->excitation, row, column), tensors->excitation_weight + row * 2 * k + i,
                   sizeof(float));
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
        network->weight_bytes += matrix_bytes(&layer->gate) + matrix_bytes(&layer->residual) + matrix_bytes(&layer->skip);
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
    wavenet_t *network = calloc(1, sizeof *network);
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
        free(network);
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
    free(network);
}

/* --- a state ---------------------------------------------------------------------------------------------------- */

static void lay_out_state(const wavenet_t *network, wavenet_state_t *state, arena_t *arena)
{
    const size_t residual = network->residual_padded, partials = network->partials_padded;
    const size_t skip = network->skip_padded, head = network->head_padded;
    state->stream = take_floats(arena, residual);
    state->skips = take_floats(arena, skip);
    state->gate = take_floats(arena, 2 * residual);
    state->past = take_floats(arena, 2 * residual);
    for (int i = 0; i < 2; i++)
        state->gated[i] = arena_take(arena, network->row_bytes);
    state->hidden = take_floats(arena, head);
    state->skip_activations = arena_take(arena, skip * sizeof(float));
    state->hidden_activations = arena_take(arena, head * sizeof(float));
    state->out = take_floats(arena, network->outputs_padded);
    state->phasors = take_floats(arena, 2 * partials);
    state->rotation = take_floats(arena, 2 * partials);
    state->excited = take_floats(arena, partials ? AHEAD * residual : 0);
    state->places = arena_take(arena, network->config.layers * sizeof(place_t));
    state->biases = take_floats(arena, network->config.layers * 2 * residual);
    state->ahead = take_floats(arena, network->ahead_floats);
    state->rings = arena_take(arena, network->ring_bytes);
}

bool wavenet_state_create(const wavenet_t *network, wavenet_state_t *state)
{
    arena_t arena = {0};
    lay_out_state(network, state, &arena);
    arena.block = memory_allocate(arena.used);
    state->memory = arena.block;
    if (!state->memory)
        return false;
    arena.used = 0;
    lay_out_state(network, state, &arena);
    wavenet_state_reset(network, state);
    return true;
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
