/* A segment forward: conditioning, layers, head, a tile of samples at a time. */

#ifndef RTWAVE_FORWARD_H
#define RTWAVE_FORWARD_H

#include "gates.h"
#include "rows.h"

/* --- conditioning ----------------------------------------------------------------------------------------------- */

/* V c + b of every period and layer. */
static void condition(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index)
{
    const batch_t *batch = &stack->batch;
    const int layers = stack->shape.layers, channels = stack->shape.conditioning, R2 = 2 * stack->residual;
    for (int period = 0; period < stack->periods_padded; period += STRIP) {
        const int count = at_most_int(batch->periods - period, STRIP);
        if (channels)
            narrow_rows(scratch->inputs, stack->conditioning,
                        batch->conditioning + ((size_t)index * batch->periods + period) * channels, channels, count,
                        STRIP);
        for (int l = 0; l < layers; l++) {
            const layer_t *layer = &stack->layers[l];
            float *rows = segment->biases + ((size_t)period * layers + l) * R2;
            const operand_t operand = ahead(stack, &layer->conditioning, scratch->inputs, stack->conditioning);
            product(rows, (size_t)layers * R2, R2, false, &operand, channels ? 1 : 0);
            for (int row = 0; row < count; row++, rows += (size_t)layers * R2)
                for (int i = 0; i < R2; i += WIDTH)
                    store(rows + i, load(rows + i) + load(value(stack, &layer->gate_bias) + i));
        }
    }
}

/* Rows of a strip that lie in one period, and that period's biases of layer l. */
typedef struct {
    int begin, end;
    float *biases;
} run_t;

/* The run that begins at a row of the strip at `from`; it ends with the strip at the latest. */
static INLINE run_t run_at(const stack_t *stack, const segment_t *segment, int l, int from, int begin)
{
    const int length = stack->batch.length / stack->batch.periods;
    const int period = at_most_int((from + begin) / length, stack->batch.periods - 1);
    const bool last = period == stack->batch.periods - 1;
    return (run_t){begin, last ? STRIP : at_most_int((period + 1) * length - from, STRIP),
                   segment->biases + ((size_t)period * stack->shape.layers + l) * 2 * stack->residual};
}

/* --- the layers ------------------------------------------------------------------------------------------------- */

static INLINE item_t *stream_row(const stack_t *stack, const segment_t *segment, int l, int row)
{
    return (item_t *)segment->stream[l] + (size_t)(stack->layers[l].reach + row) * stack->residual;
}

static INLINE saved_t *gates_row(const stack_t *stack, const segment_t *segment, int l, int row)
{
    return (saved_t *)segment->gates[l] + (size_t)row * 2 * stack->residual;
}

/* A strip of what layer l keeps for the way back. */
static INLINE void fetch_layer(const stack_t *stack, const segment_t *segment, int l, int from)
{
    fetch(gates_row(stack, segment, l, from), sizeof(saved_t) * STRIP * 2 * stack->residual);
    fetch(stream_row(stack, segment, l, from), sizeof(item_t) * STRIP * stack->residual);
}

static INLINE int delay(const stack_t *stack, int l, int tap)
{
    return stack->shape.dilations[l] * (stack->shape.kernel_size - 1 - tap);
}

/* A strip of the residual stream plus bias, as the items that enter layer l. */
static INLINE void enter_layer(const stack_t *stack, const segment_t *segment, int l, float *stream, const float *bias,
                               int from)
{
    item_t *items = stream_row(stack, segment, l, from);
    const int R = stack->residual;
    for (int row = 0; row < STRIP; row++)
        for (int i = 0; i < R; i += 2 * WIDTH) {
            const vec left = load(stream + row * R + i) + load(bias + i);
            const vec right = load(stream + row * R + i + WIDTH) + load(bias + i + WIDTH);
            store(stream + row * R + i, left);
            store(stream + row * R + i + WIDTH, right);
            narrow(items + row * R + i, left, right);
        }
}

static INLINE void enter(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index, int from,
                         float *stream)
{
    const batch_t *batch = &stack->batch;
    const int R = stack->residual, channels = stack->shape.excitation;
    const int count = at_most_int(batch->length - from, STRIP);
    const float *weight = value(stack, &stack->input_weight);
    const size_t first = (size_t)index * batch->length + from;
    if (channels)
        narrow_rows(scratch->inputs, stack->excitation, batch->excitation + first * channels, channels, count, STRIP);
    const operand_t operand = ahead(stack, &stack->excite, scratch->inputs, stack->excitation);
    product(stream, R, R, false, &operand, channels ? 1 : 0);
    for (int row = 0; row < count; row++) {
        const float *of = stack->shape.classes ? weight + batch->classes[first + row] * R : weight;
        const float scale = stack->shape.classes ? 1.0f : batch->scalars[first + row];
        for (int i = 0; i < R; i += WIDTH)
            store(stream + row * R + i, load(stream + row * R + i) + load(of + i) * scale);
    }
    enter_layer(stack, segment, 0, stream, value(stack, &stack->input_bias), from);
}

static INLINE void run_gates(const stack_t *stack, const segment_t *segment, int l, const float *sums, item_t *gated,
                             int from)
{
    const int R = stack->residual;
    saved_t *saved = gates_row(stack, segment, l, from);
    for (run_t run = run_at(stack, segment, l, from, 0); run.begin < STRIP;
         run = run_at(stack, segment, l, from, run.end))
        for (int i = 0; i < R; i += 2 * WIDTH)
            for (int row = run.begin; row < run.end; row++) {
                const int at = row * 2 * R + i;
                gates_t y[2];
                UNROLL for (int k = 0; k < 2 * WIDTH; k += WIDTH)
                    y[k / WIDTH] = gates(load(sums + at + k) + load(run.biases + i + k),
                                         load(sums + at + R + k) + load(run.biases + R + i + k));
                save(saved + at, y[0].tanh, y[1].tanh);
                save(saved + at + R, y[0].sigmoid, y[1].sigmoid);
                narrow(gated + row * R + i, y[0].tanh * y[0].sigmoid, y[1].tanh * y[1].sigmoid);
            }
}

static INLINE void run_layer(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int l, int from,
                             int count)
{
    const layer_t *layer = &stack->layers[l];
    const int R = stack->residual;
    for (int row = 0; row < count; row += STRIP) {
        item_t *gated = (item_t *)scratch->gated + ((size_t)l * TILE + row) * R;
        float *stream = scratch->stream + row * R;
        operand_t taps[MOST_TAPS];
        if (from + row + STRIP < stack->rows)
            fetch(stream_row(stack, segment, l, from + row + STRIP), sizeof(item_t) * STRIP * stack->residual);
        for (int tap = 0; tap < stack->shape.kernel_size; tap++)
            taps[tap] = ahead(stack, &layer->taps[tap],
                              stream_row(stack, segment, l, from + row - delay(stack, l, tap)), R);
        product(scratch->sums, 2 * R, 2 * R, false, taps, stack->shape.kernel_size);
        run_gates(stack, segment, l, scratch->sums, gated, from + row);
        if (l == stack->shape.layers - 1)
            continue;
        const operand_t residual = ahead(stack, &layer->residual, gated, R);
        product(stream, R, R, true, &residual, 1);
        enter_layer(stack, segment, l + 1, stream, value(stack, &layer->residual_bias), from + row);
    }
}

static INLINE void run_head(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index,
                            int from, int row)
{
    const int S = stack->skip, H = stack->head, O = stack->outputs, at = from + row;
    item_t *skipped = (item_t *)segment->skipped + (size_t)at * S;
    item_t *hidden = (item_t *)segment->hidden + (size_t)at * H;
    operand_t operands[MOST_LAYERS];
    for (int l = 0; l < stack->shape.layers; l++)
        operands[l] = ahead(stack, &stack->layers[l].skip,
                            (item_t *)scratch->gated + ((size_t)l * TILE + row) * stack->residual, stack->residual);
    product(scratch->sums, S, S, false, operands, stack->shape.layers);
    rectify(skipped, scratch->sums, NULL, S);
    operands[0] = ahead(stack, &stack->to_hidden, skipped, S);
    product(scratch->sums, H, H, false, operands, 1);
    rectify(hidden, scratch->sums, value(stack, &stack->hidden_bias), H);
    operands[0] = ahead(stack, &stack->to_output, hidden, H);
    product(scratch->sums, O, O, false, operands, 1);
    const float *bias = value(stack, &stack->output_bias);
    for (int i = 0; i < at_most_int(stack->batch.length - at, STRIP); i++) {
        float *out = stack->batch.outputs + ((size_t)index * stack->batch.length + at + i) * stack->shape.outputs;
        for (int k = 0; k < stack->shape.outputs; k++)
            out[k] = scratch->sums[i * O + k] + bias[k];
    }
}

static void forward(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index)
{
    begin();
    condition(stack, segment, scratch, index);
    for (int from = 0; from < stack->rows; from += TILE) {
        const int count = at_most_int(stack->rows - from, TILE);
        for (int row = 0; row < count; row += STRIP)
            enter(stack, segment, scratch, index, from + row, scratch->stream + row * stack->residual);
        for (int l = 0; l < stack->shape.layers; l++)
            run_layer(stack, segment, scratch, l, from, count);
        for (int row = 0; row < count; row += STRIP)
            run_head(stack, segment, scratch, index, from, row);
    }
    end();
}

#endif
