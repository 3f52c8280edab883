/* Weights made ready, and rows on their way between floats and items. */

#ifndef RTWAVE_ROWS_H
#define RTWAVE_ROWS_H

#include <string.h>

#if TILES
#include "tiles.h"
#else
#include "floats.h"
#endif

static INLINE int at_most_int(int a, int b)
{
    return a < b ? a : b;
}

/* --- weights ---------------------------------------------------------------------------------------------------- */

static void pack(void *items, const matrix_t *matrix, const float *weights)
{
    item_t *ahead = (item_t *)items + matrix->ahead, *back = (item_t *)items + matrix->back;
    const int padded = matrix->columns_padded / matrix->halves;
    for (int half = 0; half < matrix->halves; half++)
        for (int i = 0; i < matrix->columns; i++)
            for (int k = 0; k < matrix->depth; k++) {
                const size_t row = (size_t)half * matrix->columns + i;
                const item_t weight = item_of(weights[(row * matrix->depth + k) * matrix->taps + matrix->tap]);
                const int column = half * padded + i;
                ahead[place(k, column, matrix->depth_padded, matrix->columns_padded)] = weight;
                back[place(column, k, matrix->columns_padded, matrix->depth_padded)] = weight;
            }
}

static INLINE operand_t ahead(const stack_t *stack, const matrix_t *matrix, const item_t *rows, size_t stride)
{
    return (operand_t){rows, stride, (const item_t *)stack->weights + matrix->ahead, matrix->depth_padded};
}

static INLINE operand_t back(const stack_t *stack, const matrix_t *matrix, const item_t *rows, size_t stride)
{
    return (operand_t){rows, stride, (const item_t *)stack->weights + matrix->back, matrix->columns_padded};
}

static INLINE const float *value(const stack_t *stack, const vector_t *vector)
{
    return stack->vectors + vector->value;
}

/* --- rows ------------------------------------------------------------------------------------------------------- */

/* Lines on their way before they are needed: whoever reads or writes a segment's memory finds it far away. */
static INLINE void fetch(const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)from + i, 1);
}

/* `count` rows of floats, anywhere in memory, to items; `rows` in all, zeros beyond. */
static INLINE void narrow_rows(item_t *to, int padded, const float *from, int width, int count, int rows)
{
    for (int row = 0; row < rows; row++, to += padded, from += width)
        for (int i = 0; i < padded; i += 2 * WIDTH) {
            const int left = row < count ? width - i : 0;
            vec pair[2] = {{0}};
            if (left >= 2 * WIDTH)
                memcpy(pair, from + i, sizeof pair);
            else
                for (int k = 0; k < left; k++)
                    pair[k / WIDTH][k % WIDTH] = from[i + k];
            narrow(to + i, pair[0], pair[1]);
        }
}

/* sums += the rows' sum. */
static INLINE void add_rows(float *sums, const float *rows, size_t stride, int width, int count)
{
    for (int i = 0; i < width; i += WIDTH) {
        vec sum = load(sums + i);
        for (int row = 0; row < count; row++)
            sum += load(rows + row * stride + i);
        store(sums + i, sum);
    }
}

/* A strip plus bias, below zero nothing, to items. */
static INLINE void rectify(item_t *to, const float *sums, const float *bias, int width)
{
    for (int row = 0; row < STRIP; row++, to += width, sums += width)
        for (int i = 0; i < width; i += 2 * WIDTH) {
            vec left = load(sums + i), right = load(sums + i + WIDTH);
            if (bias) {
                left += load(bias + i);
                right += load(bias + i + WIDTH);
            }
            narrow(to + i, relu(left), relu(right));
        }
}

/* What comes back through that: nothing where nothing went forward. Its sum over rows is added to d_bias. */
static INLINE void rectify_back(item_t *to, const float *d_sums, const item_t *out, float *d_bias, int width)
{
    for (int i = 0; i < width; i += 2 * WIDTH) {
        vec totals[2] = {{0}};
        for (int row = 0; row < STRIP; row++) {
            const int at = row * width + i;
            vec d[2];
            UNROLL for (int k = 0; k < 2; k++) {
                d[k] = choose(widen(out + at + k * WIDTH) > splat(0.0f), load(d_sums + at + k * WIDTH), splat(0.0f));
                totals[k] += d[k];
            }
            narrow(to + at, d[0], d[1]);
        }
        if (d_bias)
            UNROLL for (int k = 0; k < 2; k++)
                store(d_bias + i + k * WIDTH, load(d_bias + i + k * WIDTH) + totals[k]);
    }
}

#endif
