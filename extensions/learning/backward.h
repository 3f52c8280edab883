/* A segment backward, from the last tile to the first: head, layers, input, and conditioning in the end. */

#ifndef RTWAVE_BACKWARD_H
#define RTWAVE_BACKWARD_H

#include "forward.h" /* where everything lies */

/* From the gradient of the outputs to that of the skips' sum, in d_skip, and as a left operand in turned_skip. */
static INLINE void head_back(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index,
                             int from, int count)
{
    const int S = stack->skip, H = stack->head, O = stack->outputs, outputs = stack->shape.outputs;
    const int real = at_most_int(stack->batch.length - from, count);
    const float *d_outputs = stack->batch.d_outputs + ((size_t)index * stack->batch.length + from) * outputs;
    const item_t *skipped = (item_t *)segment->skipped + (size_t)from * S;
    const item_t *hidden = (item_t *)segment->hidden + (size_t)from * H;
    item_t *d_out = scratch->d_outputs, *d_hidden = scratch->d_hidden, *d_skip = scratch->d_skip;
    float *gradients = segment->gradients;
    for (int row = 0; row < real; row++)
        for (int i = 0; i < outputs; i++)
            gradients[stack->output_bias.gradient + i] += d_outputs[row * outputs + i];
    narrow_rows(d_out, O, d_outputs, outputs, real, count);
    for (int row = 0; row < count; row += STRIP) {
        operand_t operand = back(stack, &stack->to_output, d_out + row * O, O);
        product(scratch->sums, H, H, false, &operand, 1);
        rectify_back(d_hidden + row * H, scratch->sums, hidden + row * H, gradients + stack->hidden_bias.gradient, H);
        operand = back(stack, &stack->to_hidden, d_hidden + row * H, H);
        product(scratch->sums, S, S, false, &operand, 1);
        rectify_back(d_skip + row * S, scratch->sums, skipped + row * S, NULL, S);
    }
    outer(gradients + stack->to_output.gradient, turn(scratch->turned, hidden, H, H, count), H,
          pair(scratch->paired, d_out, O, O, count), O, count);
    outer(gradients + stack->to_hidden.gradient, turn(scratch->turned, skipped, S, S, count), S,
          pair(scratch->paired, d_hidden, H, H, count), H, count);
}

static INLINE void gates_strip_back(const stack_t *stack, const segment_t *segment, int l, const float *d_gated,
                                    item_t *d_gates, item_t *gated, int from)
{
    const int R = stack->residual;
    const saved_t *saved = gates_row(stack, segment, l, from);
    for (run_t run = run_at(stack, segment, l, from, 0); run.begin < STRIP;
         run = run_at(stack, segment, l, from, run.end))
        for (int i = 0; i < R; i += 2 * WIDTH) {
            vec sums[4] = {{0}};
            for (int row = run.begin; row < run.end; row++) {
                const int at = row * 2 * R + i;
                gates_t y[2], d[2];
                UNROLL for (int k = 0; k < 2; k++) {
                    y[k] = (gates_t){recall(saved + at + k * WIDTH), recall(saved + at + R + k * WIDTH)};
                    d[k] = gates_back(y[k], load(d_gated + row * R + i + k * WIDTH));
                    sums[k] += d[k].tanh;
                    sums[2 + k] += d[k].sigmoid;
                }
                narrow(d_gates + at, d[0].tanh, d[1].tanh);
                narrow(d_gates + at + R, d[0].sigmoid, d[1].sigmoid);
                narrow(gated + row * R + i, y[0].tanh * y[0].sigmoid, y[1].tanh * y[1].sigmoid);
            }
            UNROLL for (int k = 0; k < 4; k++) {
                float *bias = run.biases + k / 2 * R + i + k % 2 * WIDTH;
                store(bias, load(bias) + sums[k]);
            }
        }
}

/* scratch->stream holds the gradient of what left the layer, then of what entered it. */
static INLINE void layer_back(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int l, int from,
                              int count, outer_t turned_skip)
{
    const layer_t *layer = &stack->layers[l];
    const bool last = l == stack->shape.layers - 1;
    const int R = stack->residual, S = stack->skip, kernel = stack->shape.kernel_size;
    item_t *d_gates = scratch->d_gates[l], *gated = scratch->gated, *d_stream = scratch->d_stream;
    float *gradients = segment->gradients;
    memmove(d_gates + (size_t)count * 2 * R, d_gates, sizeof(item_t) * layer->reach * 2 * R);
    for (int row = 0; row < count; row += STRIP) {
        const operand_t operands[] = {back(stack, &layer->skip, (item_t *)scratch->d_skip + row * S, S),
                                      back(stack, &layer->residual, d_stream + row * R, R)};
        const int next = row + STRIP < count ? from + row + STRIP : from - TILE;
        if (next >= 0)
            fetch_layer(stack, segment, l, next);
        product(scratch->sums, R, R, false, operands, last ? 1 : 2);
        gates_strip_back(stack, segment, l, scratch->sums, d_gates + (size_t)row * 2 * R, gated + row * R, from + row);
    }
    const outer_t paired = pair(scratch->paired, gated, R, R, count);
    outer(gradients + layer->skip.gradient, turned_skip, S, paired, R, count);
    if (!last) {
        add_rows(gradients + layer->residual_bias.gradient, scratch->stream, R, R, count);
        outer(gradients + layer->residual.gradient, turn(scratch->turned, d_stream, R, R, count), R, paired, R, count);
    }
    const outer_t paired_gates = pair(scratch->paired, d_gates, 2 * R, 2 * R, count);
    for (int tap = 0; tap < kernel; tap++)
        outer(gradients + layer->taps[tap].gradient,
              turn(scratch->turned, stream_row(stack, segment, l, from - delay(stack, l, tap)), R, R, count), R,
              paired_gates, 2 * R, count);
    for (int row = 0; row < count; row += STRIP) {
        operand_t taps[MOST_TAPS];
        for (int tap = 0; tap < kernel; tap++)
            taps[tap] = back(stack, &layer->taps[tap], d_gates + (size_t)(row + delay(stack, l, tap)) * 2 * R, 2 * R);
        product(scratch->stream + row * R, R, R, true, taps, kernel);
        for (int i = row * R; i < (row + STRIP) * R; i += 2 * WIDTH)
            narrow(d_stream + i, load(scratch->stream + i), load(scratch->stream + i + WIDTH));
    }
}

static INLINE void enter_back(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index,
                              int from, int count)
{
    const batch_t *batch = &stack->batch;
    const int R = stack->residual, channels = stack->shape.excitation, padded = stack->excitation;
    const int real = at_most_int(batch->length - from, count);
    const size_t first = (size_t)index * batch->length + from;
    float *d_weight = segment->gradients + stack->input_weight.gradient;
    if (channels) {
        narrow_rows(scratch->inputs, padded, batch->excitation + first * channels, channels, real, count);
        outer(segment->gradients + stack->excite.gradient, turn(scratch->turned, scratch->inputs, padded, padded, count),
              padded, pair(scratch->paired, scratch->d_stream, R, R, count), R, count);
    }
    add_rows(segment->gradients + stack->input_bias.gradient, scratch->stream, R, R, count);
    for (int row = 0; row < real; row++) {
        float *to = stack->shape.classes ? d_weight + batch->classes[first + row] * R : d_weight;
        const float scale = stack->shape.classes ? 1.0f : batch->scalars[first + row];
        for (int i = 0; i < R; i += WIDTH)
            store(to + i, load(to + i) + load(scratch->stream + row * R + i) * scale);
    }
}

static void condition_back(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index)
{
    const batch_t *batch = &stack->batch;
    const int layers = stack->shape.layers, channels = stack->shape.conditioning, R2 = 2 * stack->residual;
    for (int period = 0; period < stack->periods_padded; period += STRIP) {
        const int count = at_most_int(batch->periods - period, STRIP);
        outer_t conditions = {0};
        if (channels) {
            narrow_rows(scratch->inputs, stack->conditioning,
                        batch->conditioning + ((size_t)index * batch->periods + period) * channels, channels, count,
                        STRIP);
            conditions = turn(scratch->turned, scratch->inputs, stack->conditioning, stack->conditioning, STRIP);
        }
        for (int l = 0; l < layers; l++) {
            const layer_t *layer = &stack->layers[l];
            const float *rows = segment->biases + ((size_t)period * layers + l) * R2;
            add_rows(segment->gradients + layer->gate_bias.gradient, rows, (size_t)layers * R2, R2, count);
            if (!channels)
                continue;
            item_t *items = scratch->d_gates[l];
            for (int row = 0; row < STRIP; row++)
                for (int i = 0; i < R2; i += 2 * WIDTH) {
                    const float *from = rows + (size_t)row * layers * R2 + i;
                    narrow(items + row * R2 + i, load(from), load(from + WIDTH));
                }
            outer(segment->gradients + layer->conditioning.gradient, conditions, stack->conditioning,
                  pair(scratch->paired, items, R2, R2, STRIP), R2, STRIP);
        }
    }
}

static void backward(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index)
{
    const int layers = stack->shape.layers, R = stack->residual;
    begin();
    memset(segment->gradients, 0, sizeof(float) * stack->gradients);
    memset(segment->biases, 0, sizeof(float) * stack->periods_padded * layers * 2 * R);
    for (int l = 0; l < layers; l++)
        memset(scratch->d_gates[l], 0, sizeof(item_t) * stack->layers[l].reach * 2 * R);
    for (int from = (stack->rows - 1) / TILE * TILE; from >= 0; from -= TILE) {
        const int count = at_most_int(stack->rows - from, TILE);
        head_back(stack, segment, scratch, index, from, count);
        const outer_t turned_skip =
            turn(scratch->turned_skip, scratch->d_skip, stack->skip, stack->skip, count);
        memset(scratch->stream, 0, sizeof(float) * count * R);
        for (int l = layers - 1; l >= 0; l--)
            layer_back(stack, segment, scratch, l, from, count, turned_skip);
        enter_back(stack, segment, scratch, index, from, count);
    }
    condition_back(stack, segment, scratch, index);
    end();
}

#endif
