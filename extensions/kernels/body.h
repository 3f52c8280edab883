/* One step of the network in vector arithmetic, included once per instruction set.

   The includer defines WIDTH (lanes in a vector), ACCUMULATORS (vectors of sums kept in registers at once; enough
   independent ones hide the latency of multiply-add), FASTEST (precisions, fastest first), KERNELS and KERNELS_NAME; and
   TILES as 1 where there are matrix tiles. */

#include "draw.h"
#include "limits.h"
#include "product.h"
#include "weigh.h"
#if TILES
#include "tiles.h"
#endif

static INLINE void product(const matrix_t *matrix, const operand_t *operands, int count)
{
    switch (matrix->precision) {
    case BFLOAT16: product_bfloat16(matrix, operands, count); break;
    case INT8:
#if TILES
        if (count * matrix->line_count >= TILED_FROM && count > 2) {
            product_tiles(matrix, operands, count);
            break;
        }
#endif
        product_int8(matrix, operands, count);
        break;
    default: product_float32(matrix, operands, count);
    }
}

static INLINE void enter(const wavenet_t *network, wavenet_state_t *state)
{
    const int padded = network->residual_padded;
    const float *row = network->input_weight + (network->config.gaussian ? 0 : (size_t)state->class_index * padded);
    const float scale = network->config.gaussian ? state->sample : 1.0f;
    const float *excited = network->zeros;
    if (network->config.partials) {
        excited = state->excited + state->excited_next++ * padded;
        state->excited_ready--;
    }
    for (int i = 0; i < padded; i += WIDTH)
        store(state->stream + i, load(row + i) * scale + load(network->input_bias + i) + load(excited + i));
    memcpy(state->stream + padded, network->skip_bias, sizeof(float) * network->skip_padded);
}

/* What a past tap (0 the oldest) reads at a position in a layer's ring. */
static INLINE char *ring_row(const wavenet_t *network, const layer_t *layer, const wavenet_state_t *state,
                             int position, int tap)
{
    const int length = (network->config.kernel_size - 1) * layer->dilation;
    const int slot = position + tap * layer->dilation;
    return state->rings + layer->ring + (size_t)(slot < length ? slot : slot - length) * network->row_bytes;
}

/* What the past taps give operands that stand at `positions` in their rings: the sum over taps of W h. The numbers are
   the same whether the operands are voices or samples of one voice. */
static INLINE void past_product(const wavenet_t *network, const layer_t *layer, const wavenet_state_t *const *states,
                                const int *positions, float *const *out, int count)
{
    operand_t operands[BATCH];
    for (int tap = 0; tap < network->config.kernel_size - 1; tap++) {
        for (int n = 0; n < count; n++)
            operands[n] = (operand_t){out[n], tap ? out[n] : network->zeros,
                                      ring_row(network, layer, states[n], positions[n], tap)};
        product(&layer->past[tap], operands, count);
    }
}

/* Compute as many rows ahead as the ring holds in one piece, up to the next whole AHEAD: layers whose positions differ
   do this at different samples, so that steps take equally long. */
static INLINE void look_ahead(const wavenet_t *network, const layer_t *layer, wavenet_state_t *state, place_t *place)
{
    const wavenet_state_t *states[AHEAD];
    int positions[AHEAD];
    float *out[AHEAD];
    const int to_wrap = layer->dilation - place->position % layer->dilation;
    const int to_whole = AHEAD - place->position % AHEAD;
    place->ready = to_wrap < to_whole ? to_wrap : to_whole;
    place->next = 0;
    for (int i = 0; i < place->ready; i++) {
        states[i] = state;
        positions[i] = place->position + i;
        out[i] = state->ahead + layer->ahead + (size_t)i * 2 * network->residual_padded;
    }
    past_product(network, layer, states, positions, out, place->ready);
}

/* Point `past` of every voice at what the past taps give this sample. */
static INLINE void look_back(const wavenet_t *network, int index, wavenet_state_t *const *states, float **past,
                             int count)
{
    const layer_t *layer = &network->layers[index];
    int positions[BATCH];
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        place_t *place = &state->places[index];
        positions[n] = place->position;
        past[n] = state->past;
        if (!layer->looks_ahead)
            continue;
        if (!place->ready)
            look_ahead(network, layer, state, place);
        place->ready--;
        past[n] = state->ahead + layer->ahead + (size_t)place->next++ * 2 * network->residual_padded;
    }
    if (!layer->looks_ahead)
        past_product(network, layer, (const wavenet_state_t *const *)states, positions, past, count);
}

/* h takes the place of the oldest row in the ring; that row is what the present tap reads. */
static INLINE char *remember(const wavenet_t *network, int index, wavenet_state_t *state)
{
    const layer_t *layer = &network->layers[index];
    const int padded = network->residual_padded, length = (network->config.kernel_size - 1) * layer->dilation;
    place_t *place = &state->places[index];
    char *row = ring_row(network, layer, state, place->position, 0);
    for (int i = 0; i < padded; i += WIDTH)
        activate(row, i, load(state->stream + i), network->precision, layer->activation_scale);
    place->position = place->position + 1 < length ? place->position + 1 : 0;
    return row;
}

static INLINE void run_layer(const wavenet_t *network, int index, wavenet_state_t *const *states, int count)
{
    const layer_t *layer = &network->layers[index];
    const int padded = network->residual_padded;
    float *past[BATCH];
    operand_t operands[BATCH];
    look_back(network, index, states, past, count);
    for (int n = 0; n < count; n++)
        operands[n] = (operand_t){states[n]->gate, past[n], remember(network, index, states[n])};
    product(&layer->gate, operands, count);
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        const float *bias = state->biases + (size_t)index * 2 * padded;
        for (int i = 0; i < padded; i += WIDTH) {
            vec f = load(state->gate + i) + load(bias + i);
            vec g = load(state->gate + padded + i) + load(bias + padded + i);
            activate(state->gated, i, gated(f, g), network->precision, (float)ACTIVATION_MAX);
            store(state->stream + i, load(state->stream + i) + load(layer->residual_bias + i));
        }
        float *out = state->stream + layer->mix_first;
        operands[n] = (operand_t){out, out, state->gated};
    }
    product(&layer->mix, operands, count);
}

static INLINE void run_head(const wavenet_t *network, wavenet_state_t *const *states, int count)
{
    operand_t operands[BATCH];
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        const float *skips = state->stream + network->residual_padded;
        for (int i = 0; i < network->skip_padded; i += WIDTH)
            activate(state->skip_activations, i, relu(load(skips + i)), network->hidden.precision,
                     network->skip_scale);
        operands[n] = (operand_t){state->hidden, network->hidden_bias, state->skip_activations};
    }
    product(&network->hidden, operands, count);
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        for (int i = 0; i < network->head_padded; i += WIDTH)
            activate(state->hidden_activations, i, relu(load(state->hidden + i)), network->output.precision,
                     network->hidden_scale);
        operands[n] = (operand_t){state->out, network->output_bias, state->hidden_activations};
    }
    product(&network->output, operands, count);
}

static void step(const wavenet_t *network, wavenet_state_t *const *states, int count)
{
    if (count < 1)
        __builtin_unreachable();
#if TILES
    const bool tiled = network->precision == INT8;
    if (tiled)
        _tile_loadconfig(&tile_shapes);
#endif
    for (int n = 0; n < count; n++)
        enter(network, states[n]);
    for (int layer = 0; layer < network->config.layers; layer++)
        run_layer(network, layer, states, count);
    run_head(network, states, count);
#if TILES
    if (tiled)
        _tile_release();
#endif
}

static void condition(const wavenet_t *network, wavenet_state_t *const *states, int count)
{
    operand_t operands[BATCH];
    for (int n = 0; n < count; n++)
        operands[n] = (operand_t){states[n]->biases, network->gate_biases, states[n]->conditioning};
    product(&network->conditioning, operands, count);
}

static INLINE void rotate(const wavenet_t *network, wavenet_state_t *state)
{
    const int padded = network->partials_padded;
    for (int i = 0; i < padded; i += WIDTH) {
        vec s = load(state->phasors + i), c = load(state->phasors + padded + i);
        vec turn_s = load(state->rotation + i), turn_c = load(state->rotation + padded + i);
        store(state->phasors + i, s * turn_c + c * turn_s);
        store(state->phasors + padded + i, c * turn_c - s * turn_s);
    }
}

static void excite(const wavenet_t *network, wavenet_state_t *state, int samples)
{
    _Alignas(LINE_BYTES) float phasors[AHEAD][2 * MAX_PARTIALS];
    operand_t operands[AHEAD];
    for (int i = 0; i < samples; i++) {
        memcpy(phasors[i], state->phasors, sizeof(float) * 2 * network->partials_padded);
        rotate(network, state);
        float *out = state->excited + (size_t)i * network->residual_padded;
        operands[i] = (operand_t){out, network->zeros, phasors[i]};
    }
    product(&network->excitation, operands, samples);
    state->excited_ready = samples;
    state->excited_next = 0;
}

const kernels_t KERNELS = {KERNELS_NAME, FASTEST, condition, excite, step, draw, normals, phasors, mix, weigh,
                           stream, multiply};
