/* Matrices packed for vector units, in three precisions; rtwave/wavenet/precision.py says what each means. */

#ifndef RTWAVE_MATRIX_H
#define RTWAVE_MATRIX_H

#include <stddef.h>

#include "arena.h"

enum {
    LANES = 16,      /* rows are padded to this, the widest vector there is */
    PANELS = 8,      /* panels of LANES rows whose weights lie interleaved: what one pass over the columns can take */
    LINE_BYTES = 64, /* LANES rows of one column (float32), two (bfloat16) or four (int8) */
};

typedef enum { FLOAT32, BFLOAT16, INT8, PRECISIONS } precision_t;

/* Activations that meet int8 weights: 14 bits above -ACTIVATION_ZERO, in two planes of 7 bits. What that zero adds to
   a product is constant, and taken out of the bias that follows it. */
enum { ACTIVATION_ZERO = 8192, ACTIVATION_MAX = 8191, PLANE_BITS = 7 };

/* A matrix in lines of LANES rows; PANELS panels lie interleaved, so that a product reads one linear stream. */
typedef struct {
    precision_t precision;
    char *lines;
    int panels;      /* rows / LANES */
    int line_count;  /* lines of one panel: columns / 1, 2 or 4, padded to an even count */
    float *scale;    /* int8: (rows), from integer sum to value */
} matrix_t;

static inline int padded(int count)
{
    return (count + LANES - 1) / LANES * LANES;
}

/* Room for a matrix; `rows` is padded to LANES already. */
matrix_t matrix_take(arena_t *arena, precision_t precision, int rows, int columns);

/* Bytes that a product reads. */
size_t matrix_bytes(const matrix_t *matrix);

/* Pack a tensor in C order into rows from `first_row` on: weight (row, column) is source[row * stride + column * step].
   int8: `activation_step` is that of the vector it will meet, and `bias`, of the first row, loses what that vector's
   zero adds to each sum. */
void matrix_fill(const matrix_t *matrix, int first_row, const float *source, int rows, int columns, int stride,
                 int step, float activation_step, float *bias);

/* Set one weight of a float32 matrix. */
void matrix_set(const matrix_t *matrix, int row, int column, float weight);

#endif
