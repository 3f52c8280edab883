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

#define WEIGHTS(line, i) load((line) + (i) % vectors * sizeof(vec))
#define ROW(vector, i) ((vector) + block.row + (i) % vectors * WIDTH)

/* One element of x in every lane; kept in a register where several vectors of weights meet it. */
static INLINE vec element(const char *activations, const int vectors)
{
    vec x = splat(*(const float *)activations);
    if (vectors > 1)
        IN_REGISTER(x);
    return x;
}

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
        UNROLL for (int n = 0; n < count; n++) {
            const char *x = (const char *)operands[n].x + at;
            const vec first = element(x, vectors), second = element(x + sizeof(float), vectors);
            UNROLL for (int i = 0; i < vectors; i++) {
                even[n * vectors + i] += WEIGHTS(line, i) * first;
                odd[n * vectors + i] += WEIGHTS(line + block.stride, i) * second;
            }
        }
    }
    UNROLL for (int i = 0; i < count * vectors; i++)
        store(ROW(operands[i / vectors].out, i), even[i] + odd[i]);
}

/* A lane holds the weights of an even column (low half) and of an odd one, whose float32 it is as it stands: packing has
   allowed for what the even one adds below. */
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
            high[i] = WEIGHTS(line, i);
            IN_REGISTER(high[i]);
            low[i] = (vec)((ivec)high[i] << 16);
        }
        UNROLL for (int n = 0; n < count; n++) {
            const char *x = (const char *)operands[n].x + at;
            const vec first = element(x, vectors), second = element(x + sizeof(float), vectors);
            UNROLL for (int i = 0; i < vectors; i++) {
                even[n * vectors + i] += low[i] * first;
                odd[n * vectors + i] += high[i] * second;
            }
        }
    }
    UNROLL for (int i = 0; i < count * vectors; i++)
        store(ROW(operands[i / vectors].out, i), even[i] + odd[i]);
}

static INLINE ivec four_bytes(const char *p)
{
    int32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    ivec x = splat_int(bytes);
    IN_REGISTER(x);
    return x;
}

/* The planes' sums as one; in float32, for 1100 columns could pass 32 bits. */
static INLINE vec join(ivec upper, ivec lower)
{
    return __builtin_convertvector(upper, vec) * (float)(1 << PLANE_BITS) + __builtin_convertvector(lower, vec);
}

/* The sums are exact, so few of them may be split between even and odd lines to keep the multipliers busy. */
static INLINE void rows_int8(const block_t block, const float *scale, const operand_t *operands, const int vectors,
                             const int count)
{
    const int sums = count * vectors, ways = 4 * sums <= ACCUMULATORS ? 2 : 1;
    ivec upper[2 * TOGETHER * PANELS], lower[2 * TOGETHER * PANELS];
    UNROLL for (int i = 0; i < ways * sums; i++)
        upper[i] = lower[i] = splat_int(0);
    const char *line = block.lines;
    const long end = block.count * 2 * 4L;
    for (long at = 0; at < end; at += 2 * 2 * 4) {
        UNROLL for (int half = 0; half < 2; half++, line += block.stride) {
            const int set = half % ways * sums;
            ivec weights[PANELS];
            UNROLL for (int i = 0; i < vectors; i++) {
                weights[i] = (ivec)WEIGHTS(line, i);
                IN_REGISTER(weights[i]);
            }
            UNROLL for (int n = 0; n < count; n++) {
                const char *x = (const char *)operands[n].x + at + half * 2 * 4;
                const ivec first = four_bytes(x), second = four_bytes(x + 4);
                UNROLL for (int i = n * vectors; i < (n + 1) * vectors; i++) {
                    upper[set + i] = dot(upper[set + i], first, weights[i % vectors]);
                    lower[set + i] = dot(lower[set + i], second, weights[i % vectors]);
                }
            }
        }
    }
    UNROLL for (int i = 0; i < sums; i++) {
        if (ways == 2) {
            upper[i] += upper[sums + i];
            lower[i] += lower[sums + i];
        }
        store(ROW(operands[i / vectors].out, i),
              load(ROW(operands[i / vectors].init, i)) + join(upper[i], lower[i]) * load(ROW(scale, i)));
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
    const int vectors = most >= 8 && total >= 8 ? 8 : most >= 4 && total >= 4 ? 4 : most >= 2 && total >= 2 ? 2 : 1;
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

/* As many groups of `panels` panels as are left; returns where the next begins. */
static INLINE int groups(const matrix_t *matrix, precision_t precision, int panel, const int panels,
                         const operand_t *operands, int count)
{
    const size_t panel_bytes = (size_t)matrix->line_count * LINE_BYTES;
    for (; panel + panels <= matrix->panels; panel += panels)
        group_rows(matrix, precision, matrix->lines + panel * panel_bytes, panel * LANES, panels, operands, count);
    return panel;
}

static INLINE void product_in(precision_t precision, const matrix_t *matrix, const operand_t *operands, int count)
{
    int panel = groups(matrix, precision, 0, PANELS, operands, count);
    panel = groups(matrix, precision, panel, PANELS / 2, operands, count);
    panel = groups(matrix, precision, panel, PANELS / 4, operands, count);
    groups(matrix, precision, panel, PANELS / 8, operands, count);
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
