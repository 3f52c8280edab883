/* One step of the network in vector arithmetic, included once per instruction set.

   The includer defines WIDTH (floats in a vector), ACCUMULATORS (vectors of sums kept in registers at once; enough
   independent ones hide the latency of multiply-add), KERNELS and KERNELS_NAME. Vectors are those of GCC and Clang.

   Every sum runs over even and odd columns apart and joins them at the end, whatever the number of voices, so a
   voice's result does not depend on its company. */

#include "kernels.h"

#include <string.h>

typedef float vec __attribute__((vector_size(4 * WIDTH), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * WIDTH), may_alias));

#define INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* What one voice brings to a product: out = init + bias + matrix times the segments of x. */
typedef struct {
    float *out;
    const float *init, *bias;
    const float *x[MAX_TAPS];
} operand_t;

static INLINE vec load(const float *p)
{
    return *(const vec *)p;
}

static INLINE void store(float *p, vec value)
{
    *(vec *)p = value;
}

static INLINE vec splat(float value)
{
    return value - (vec){0};
}

static INLINE vec select(ivec mask, vec yes, vec no)
{
    return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask));
}

/* NaN passes through both, so that a broken network shows. */
static INLINE vec clamp(vec x, float low, float high)
{
    x = select(x < splat(low), splat(low), x);
    return select(x > splat(high), splat(high), x);
}

static INLINE vec relu(vec x)
{
    return select(x < splat(0.0f), splat(0.0f), x);
}

/* e^x for |x| <= 30, relative error about 2e-6 at the ends, 2e-7 near 0: 2^n times a Taylor polynomial of 2^r. */
static INLINE vec exponential(vec x)
{
    const vec round = splat(12582912.0f); /* 1.5 * 2^23: adding it leaves the nearest whole number in the low bits */
    vec t = x * 1.44269504f;
    vec whole = t + round;
    vec r = t - (whole - round);
    vec p = 1.54035304e-4f * r + 1.33335581e-3f;
    p = p * r + 9.61812911e-3f;
    p = p * r + 5.55041087e-2f;
    p = p * r + 2.40226507e-1f;
    p = p * r + 6.93147181e-1f;
    p = p * r + 1.0f;
    return (vec)((ivec)p + ((ivec)whole << 23));
}

/* tanh(f) sigmoid(g) with one division; absolute error below 1e-6. */
static INLINE vec gated(vec f, vec g)
{
    vec e = exponential(clamp(2.0f * f, -18.0f, 18.0f));
    vec n = exponential(clamp(-g, -30.0f, 30.0f));
    return (e - 1.0f) / ((e + 1.0f) * (n + 1.0f));
}

/* `vectors` vectors of rows from row `first`, for `count` voices; both are constants where this is inlined. */
static INLINE void rows(const matrix_t *matrix, int first, const operand_t *operands, const int vectors,
                        const int count)
{
    const size_t panel = (size_t)matrix->columns * matrix->segments * LANES;
    const float *weights = matrix->weights + first / LANES * panel + first % LANES;
    vec even[ACCUMULATORS / 2], odd[ACCUMULATORS / 2];
    UNROLL for (int i = 0; i < count * vectors; i++) {
        even[i] = load(operands[i / vectors].init + first + (i % vectors) * WIDTH);
        odd[i] = load(operands[i / vectors].bias + first + (i % vectors) * WIDTH);
    }
    for (int segment = 0; segment < matrix->segments; segment++) {
        for (int column = 0; column < matrix->columns; column += 2) {
            UNROLL for (int i = 0; i < count * vectors; i++) {
                const int row = i % vectors * WIDTH;
                const float *x = operands[i / vectors].x[segment] + column;
                const float *w = weights + row / LANES * panel + row % LANES;
                even[i] += load(w) * x[0];
                odd[i] += load(w + LANES) * x[1];
            }
            weights += 2 * LANES;
        }
    }
    UNROLL for (int i = 0; i < count * vectors; i++)
        store(operands[i / vectors].out + first + (i % vectors) * WIDTH, even[i] + odd[i]);
}

/* Every row, in as few blocks as the registers allow. */
static INLINE void product(const matrix_t *matrix, const operand_t *operands, const int count)
{
    const int most = ACCUMULATORS / 2 / count;
    int row = 0;
    if (most >= 4)
        for (; row + 4 * WIDTH <= matrix->rows; row += 4 * WIDTH)
            rows(matrix, row, operands, 4, count);
    if (most >= 2)
        for (; row + 2 * WIDTH <= matrix->rows; row += 2 * WIDTH)
            rows(matrix, row, operands, 2, count);
    for (; row < matrix->rows; row += WIDTH)
        rows(matrix, row, operands, 1, count);
}

static INLINE void enter(const wavenet_t *network, wavenet_state_t *state)
{
    const int padded = network->residual_padded;
    const float *row = network->input_weight + (network->config.gaussian ? 0 : (size_t)state->class_index * padded);
    const float scale = network->config.gaussian ? state->sample : 1.0f;
    for (int i = 0; i < padded; i += WIDTH)
        store(state->stream + i, load(row + i) * scale + load(network->input_bias + i));
    memset(state->stream + padded, 0, sizeof(float) * network->skip_padded);
}

/* Where the layer's past inputs lie in its ring, oldest first; the present one will take the oldest's place. */
static INLINE void look_back(const wavenet_t *network, const layer_t *layer, wavenet_state_t *state, int *position,
                             float *taps[MAX_TAPS])
{
    const int padded = network->residual_padded, past = network->config.kernel_size - 1;
    const int length = past * layer->dilation;
    for (int j = 0; j < past; j++) {
        int slot = *position + j * layer->dilation;
        taps[j] = state->rings + layer->ring + (size_t)(slot < length ? slot : slot - length) * padded;
    }
    *position = *position + 1 < length ? *position + 1 : 0;
}

static INLINE void run_layer(const wavenet_t *network, int index, wavenet_state_t *const *states, const int count)
{
    const layer_t *layer = &network->layers[index];
    const int padded = network->residual_padded, past = network->config.kernel_size - 1;
    operand_t operands[BATCH];
    float *taps[BATCH][MAX_TAPS];
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        look_back(network, layer, state, &state->positions[index], taps[n]);
        operands[n] = (operand_t){state->gate, network->zeros, state->biases + (size_t)index * 2 * padded, {0}};
        for (int j = 0; j < past; j++)
            operands[n].x[j] = taps[n][j];
        operands[n].x[past] = state->stream;
    }
    product(&layer->gate, operands, count);
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        for (int i = 0; i < padded; i += WIDTH) {
            store(taps[n][0] + i, load(state->stream + i));
            store(state->gated + i, gated(load(state->gate + i), load(state->gate + padded + i)));
        }
        float *out = state->stream + layer->mix_first;
        operands[n] = (operand_t){out, out, layer->mix_bias, {state->gated}};
    }
    product(&layer->mix, operands, count);
}

static INLINE void run_head(const wavenet_t *network, wavenet_state_t *const *states, const int count)
{
    operand_t operands[BATCH];
    for (int n = 0; n < count; n++) {
        float *skip = states[n]->stream + network->residual_padded;
        for (int i = 0; i < network->skip_padded; i += WIDTH)
            store(skip + i, relu(load(skip + i)));
        operands[n] = (operand_t){states[n]->hidden, network->zeros, network->hidden_bias, {skip}};
    }
    product(&network->hidden, operands, count);
    for (int n = 0; n < count; n++) {
        float *hidden = states[n]->hidden;
        for (int i = 0; i < network->head_padded; i += WIDTH)
            store(hidden + i, relu(load(hidden + i)));
        operands[n] = (operand_t){states[n]->out, network->zeros, network->output_bias, {hidden}};
    }
    product(&network->output, operands, count);
}

static INLINE void step_voices(const wavenet_t *network, wavenet_state_t *const *states, const int count)
{
    operand_t operands[BATCH];
    for (int n = 0; n < count; n++) {
        wavenet_state_t *state = states[n];
        enter(network, state);
        operands[n] = (operand_t){state->stream, state->stream, network->zeros, {state->sines, state->cosines}};
    }
    if (network->config.partials)
        product(&network->excitation, operands, count);
    for (int layer = 0; layer < network->config.layers; layer++)
        run_layer(network, layer, states, count);
    run_head(network, states, count);
}

static void step(const wavenet_t *network, wavenet_state_t *const *states, int count)
{
    switch (count) {
    case 4: step_voices(network, states, 4); break;
    case 3: step_voices(network, states, 3); break;
    case 2: step_voices(network, states, 2); break;
    default: step_voices(network, states, 1); break;
    }
}

static void condition(const wavenet_t *network, wavenet_state_t *state, const float *conditioning)
{
    for (int i = 0; i < network->config.layers; i++) {
        const layer_t *layer = &network->layers[i];
        float *out = state->biases + (size_t)i * 2 * network->residual_padded;
        operand_t operand = {out, network->zeros, layer->gate_bias, {conditioning}};
        product(&layer->conditioning, &operand, 1);
    }
}

static void rotate(const wavenet_t *network, wavenet_state_t *state)
{
    for (int i = 0; i < network->partials_padded; i += WIDTH) {
        vec s = load(state->sines + i), c = load(state->cosines + i);
        vec turn_s = load(state->sine_rotation + i), turn_c = load(state->cosine_rotation + i);
        store(state->sines + i, s * turn_c + c * turn_s);
        store(state->cosines + i, c * turn_c - s * turn_s);
    }
}

const kernels_t KERNELS = {KERNELS_NAME, condition, step, rotate};
