/* Matrices times vectors: the weights are read once for all the operands of a product, which may be voices, or samples
   of one voice.

   Every sum runs in two accumulators (even and odd columns; upper and lower plane) that are joined at the end,
   whatever the number of operands, so that a result does not depend on its company. */

#ifndef RTWAVE_PRODUCT_H
#define RTWAVE_PRODUCT_H

#include <string.h>

#include "kernels.h"
#include "vectors.h"

enum { TOGETHER = 4 }; /* operands whose sums share the registers */

/* out = init + matrix times x. */
typedef struct {
    float *out;
    const float *init;
    const void *x; /* activations */
} operand_t;

/* `vectors` vectors of rows whose weights lie side by side in each line. */
typedef struct {
    const char *lines;
    size_t stride; /* bytes from line to line */
    int count;     /* lines */
    int row;       /* the first */
} block_t;

#define ACTIVATIONS(i) ((const char *)operands[(i) / vectors].x)
#define WEIGHTS(line, i) load((line) + (i) % vectors * sizeof(vec))
#define ROW(vector, i) ((vector) + block.row + (i) % vectors * WIDTH)

static INLINE void rows_float32(const block_t block, const operand_t *operands, const int vectors, const int count)
{
    vec even[TOGETHER * PANELS], odd[TOGETHER * PANELS];
    UNROLL for (int i = 0; i < count * vectors; i++) {
        even[i] = load(ROW(operands[i / vectors].init, i));
        odd[i] = splat(0.0f);
    }
    const char *line = block.lines;
    const long end = block.count * (long)sizeof(float);
    for (long at = 0; at < end; at += 2 * sizeof(float), line += 2 * block.stride) {
        UNROLL for (int i = 0; i < count * vectors; i++) {
            const float *x = (const float *)(ACTIVATIONS(i) + at);
            even[i] += WEIGHTS(line, i) * x[0];
            odd[i] += WEIGHTS(line + block.stride, i) * x[1];
        }
    }
    UNROLL for (int i = 0; i < count * vectors; i++)
        store(ROW(operands[i / vectors].out, i), even[i] + odd[i]);
}

/* A lane holds the weights of an even column (low half) and an odd one: each is a float32 without its lower half. */
static INLINE void rows_bfloat16(const block_t block, const operand_t *operands, const int vectors, const int count)
{
    vec even[TOGETHER * PANELS], odd[TOGETHER * PANELS];
    UNROLL for (int i = 0; i < count * vectors; i++) {
        even[i] = load(ROW(operands[i / vectors].init, i));
        odd[i] = splat(0.0f);
    }
    const char *line = block.lines;
    const long end = block.count * 2 * (long)sizeof(float);
    for (long at = 0; at < end; at += 2 * sizeof(float), line += block.stride) {
        vec low[PANELS], high[PANELS];
        UNROLL for (int i = 0; i < vectors; i++) {
            ivec pairs = (ivec)WEIGHTS(line, i);
            low[i] = (vec)(pairs << 16);
            high[i] = (vec)(pairs & (int32_t)0xffff0000);
        }
        UNROLL for (int i = 0; i < count * vectors; i++) {
            const float *x = (const float *)(ACTIVATIONS(i) + at);
            even[i] += low[i % vectors] * x[0];
            odd[i] += high[i % vectors] * x[1];
        }
    }
    UNROLL for (int i = 0; i < count * vectors; i++)
        store(ROW(operands[i / vectors].out, i), even[i] + odd[i]);
}

static INLINE ivec four_bytes(const char *p)
{
    int32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return splat_int(bytes);
}

static INLINE void rows_int8(const block_t block, const float *scale, const operand_t *operands, const int vectors,
                             const int count)
{
    ivec upper[TOGETHER * PANELS], lower[TOGETHER * PANELS];
    UNROLL for (int i = 0; i < count * vectors; i++)
        upper[i] = lower[i] = splat_int(0);
    const char *line = block.lines;
    const long end = block.count * 2 * 4L;
    for (long at = 0; at < end; at += 2 * 4, line += block.stride) {
        ivec weights[PANELS];
        UNROLL for (int i = 0; i < vectors; i++) {
            weights[i] = (ivec)WEIGHTS(line, i);
            IN_REGISTER(weights[i]);
        }
        UNROLL for (int i = 0; i < count * vectors; i++) {
            const char *x = ACTIVATIONS(i) + at;
            upper[i] = dot(upper[i], four_bytes(x), weights[i % vectors]);
            lower[i] = dot(lower[i], four_bytes(x + 4), weights[i % vectors]);
        }
    }
    UNROLL for (int i = 0; i < count * vectors; i++) {
        vec sum = __builtin_convertvector((upper[i] << PLANE_BITS) + lower[i], vec);
        store(ROW(operands[i / vectors].out, i),
              load(ROW(operands[i / vectors].init, i)) + sum * load(ROW(scale, i)));
    }
}

static INLINE void rows(const matrix_t *matrix, precision_t precision, const block_t block, const operand_t *operands,
                        const int vectors, const int count)
{
    if (precision == FLOAT32)
        rows_float32(block, operands, vectors, count);
    else if (precision == BFLOAT16)
        rows_bfloat16(block, operands, vectors, count);
    else
        rows_int8(block, matrix->scale, operands, vectors, count);
}

/* The rows of `panels` interleaved panels, as many vectors at a time as the registers allow. */
static INLINE void panel_rows(const matrix_t *matrix, precision_t precision, const char *lines, int row,
                              const int panels, const operand_t *operands, const int count)
{
    const int most = ACCUMULATORS / 2 / count, total = panels * (LANES / WIDTH);
    const int vectors = most >= 4 && total >= 4 ? 4 : most >= 2 && total >= 2 ? 2 : 1;
    block_t block = {lines, (size_t)panels * LINE_BYTES, matrix->line_count, row};
    int done = 0;
    for (; done + vectors <= total; done += vectors) {
        rows(matrix, precision, block, operands, vectors, count);
        block.lines += vectors * sizeof(vec);
        block.row += vectors * WIDTH;
    }
    for (; done < total; done++) {
        rows(matrix, precision, block, operands, 1, count);
        block.lines += sizeof(vec);
        block.row += WIDTH;
    }
}

/* The same for any number of operands, TOGETHER at a time: what the first ones read is near when the next ones come. */
static INLINE void group_rows(const matrix_t *matrix, precision_t precision, const char *lines, int row,
                              const int panels, const operand_t *operands, int count)
{
    for (; count >= TOGETHER; count -= TOGETHER, operands += TOGETHER)
        panel_rows(matrix, precision, lines, row, panels, operands, TOGETHER);
    switch (count) {
    case 1: panel_rows(matrix, precision, lines, row, panels, operands, 1); break;
    case 2: panel_rows(matrix, precision, lines, row, panels, operands, 2); break;
    case 3: panel_rows(matrix, precision, lines, row, panels, operands, 3); break;
    }
}

static INLINE void product_in(precision_t precision, const matrix_t *matrix, const operand_t *operands, int count)
{
    const size_t panel_bytes = (size_t)matrix->line_count * LINE_BYTES;
    const char *lines = matrix->lines;
    int panel = 0;
    for (; panel + PANELS <= matrix->panels; panel += PANELS, lines += PANELS * panel_bytes)
        group_rows(matrix, precision, lines, panel * LANES, PANELS, operands, count);
    switch (matrix->panels - panel) {
    case 1: group_rows(matrix, precision, lines, panel * LANES, 1, operands, count); break;
    case 2: group_rows(matrix, precision, lines, panel * LANES, 2, operands, count); break;
    case 3: group_rows(matrix, precision, lines, panel * LANES, 3, operands, count); break;
    }
}

static void product_float32(const matrix_t *matrix, const operand_t *operands, int count)
{
    product_in(FLOAT32, matrix, operands, count);
}

static void product_bfloat16(const matrix_t *matrix, const operand_t *operands, int count)
{
    product_in(BFLOAT16, matrix, operands, count);
}

static void product_int8(const matrix_t *matrix, const operand_t *operands, int count)
{
    product_in(INT8, matrix, operands, count);
}

static INLINE void product(const matrix_t *matrix, const operand_t *operands, int count)
{
    switch (matrix->precision) {
    case BFLOAT16: product_bfloat16(matrix, operands, count); break;
    case INT8: product_int8(matrix, operands, count); break;
    default: product_float32(matrix, operands, count);
    }
}

/* Upper and lower byte by byte, to four upper ones and four lower ones. */
static INLINE bytes_t regroup(shorts_t pairs)
{
#if defined(__clang__)
    return __builtin_shufflevector((bytes_t)pairs, (bytes_t)pairs, GROUPED);
#else
    return __builtin_shuffle((bytes_t)pairs, (bytes_t){GROUPED});
#endif
}

/* x from element `i` on as the products take it: float32; for int8, 14 bits in steps of 1 / scale above
   -ACTIVATION_ZERO, four columns' upper 7 bits, then their lower. */
static INLINE void activate(char *out, int i, vec x, precision_t precision, float scale)
{
    if (precision != INT8) {
        store((float *)out + i, x);
        return;
    }
    vec level = clamp(x * scale + (float)ACTIVATION_ZERO, 0.0f, (float)(ACTIVATION_ZERO + ACTIVATION_MAX));
    ivec bits = (ivec)(level + 12582912.0f) & 0x3fff; /* the nearest whole number, as in exponential() */
    ivec pairs = bits >> PLANE_BITS | (bits & ((1 << PLANE_BITS) - 1)) << 8;
    *(bytes_t *)(out + 2 * i) = regroup(__builtin_convertvector(pairs, shorts_t));
}

#endif
