/* Items, saved gates and products in float32. */

#ifndef RTWAVE_FLOATS_H
#define RTWAVE_FLOATS_H

#include "../kernels/vectors.h"
#include "stack.h"

typedef float item_t;
typedef float saved_t;

static INLINE vec widen(const item_t *from) { return load(from); }
static INLINE vec recall(const saved_t *from) { return load(from); }

static INLINE void narrow(item_t *to, vec left, vec right)
{
    store(to, left);
    store(to + WIDTH, right);
}

static INLINE void save(saved_t *to, vec left, vec right)
{
    narrow(to, left, right);
}

static INLINE item_t item_of(float value) { return value; }
static INLINE void begin(void) {}
static INLINE void end(void) {}

/* Rows of items that enter a product, and the weights they meet, (depth, columns). */
typedef struct {
    const item_t *rows;
    size_t row_stride;
    const item_t *weights;
    int depth;
} operand_t;

/* Where an item of packed weights stands. */
static INLINE size_t place(int depth, int column, int depths, int columns)
{
    (void)depths;
    return (size_t)depth * columns + column;
}

typedef struct {
    const item_t *at;
    size_t stride;
} outer_t;

/* Rows as the left and the right operand of an outer product: they serve as they are. */
static INLINE outer_t turn(item_t *scratch, const item_t *rows, size_t stride, int width, int count)
{
    (void)scratch, (void)width, (void)count;
    return (outer_t){rows, stride};
}

static INLINE outer_t pair(item_t *scratch, const item_t *rows, size_t stride, int width, int count)
{
    return turn(scratch, rows, stride, width, count);
}

/* BLOCK rows by two vectors of columns: sums + x w, with x[row][k] at x + row * xr + k * xk and w's rows at stride wk. */
static INLINE void accumulate(vec sums[BLOCK][2], const float *x, size_t xr, size_t xk, const float *w, size_t wk,
                              int depth)
{
    for (int k = 0; k < depth; k++, x += xk, w += wk) {
        vec left = load(w), right = load(w + WIDTH);
        IN_REGISTER(left);
        IN_REGISTER(right);
        UNROLL for (int row = 0; row < BLOCK; row++) {
            const vec value = splat(x[row * xr]);
            sums[row][0] += value * left;
            sums[row][1] += value * right;
        }
    }
}

static INLINE void take_sums(vec sums[BLOCK][2], const float *from, size_t stride, bool add)
{
    UNROLL for (int row = 0; row < BLOCK; row++)
        UNROLL for (int side = 0; side < 2; side++)
            sums[row][side] = add ? load(from + row * stride + side * WIDTH) : splat(0.0f);
}

static INLINE void leave_sums(vec sums[BLOCK][2], float *to, size_t stride)
{
    UNROLL for (int row = 0; row < BLOCK; row++)
        UNROLL for (int side = 0; side < 2; side++)
            store(to + row * stride + side * WIDTH, sums[row][side]);
}

/* STRIP rows of `out`: the sum over operands of rows times weights, `add`ed to what is there. */
static void product(float *out, size_t stride, int columns, bool add, const operand_t *operands, int count)
{
    for (int column = 0; column < columns; column += 2 * WIDTH)
        for (int row = 0; row < STRIP; row += BLOCK) {
            vec sums[BLOCK][2];
            take_sums(sums, out + row * stride + column, stride, add);
            for (int i = 0; i < count; i++)
                accumulate(sums, operands[i].rows + row * operands[i].row_stride, operands[i].row_stride, 1,
                           operands[i].weights + column, columns, operands[i].depth);
            leave_sums(sums, out + row * stride + column, stride);
        }
}

/* sums (lefts, rights) += left^T right over `count` rows. */
static void outer(float *sums, outer_t left, int lefts, outer_t right, int rights, int count)
{
    for (int row = 0; row < lefts; row += BLOCK)
        for (int column = 0; column < rights; column += 2 * WIDTH) {
            vec block[BLOCK][2];
            take_sums(block, sums + (size_t)row * rights + column, rights, true);
            accumulate(block, left.at + row, 1, left.stride, right.at + column, right.stride, count);
            leave_sums(block, sums + (size_t)row * rights + column, rights);
        }
}

#endif
