#include "matrix.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { WEIGHT_MAX = 127 };

static int line_columns(precision_t precision)
{
    return precision == INT8 ? 4 : precision == BFLOAT16 ? 2 : 1;
}

size_t matrix_bytes(const matrix_t *matrix)
{
    return (size_t)matrix->panels * matrix->line_count * LINE_BYTES;
}

matrix_t matrix_take(arena_t *arena, precision_t precision, int rows, int columns)
{
    const int pair = 2 * line_columns(precision);
    matrix_t matrix = {.precision = precision, .panels = rows / LANES, .line_count = (columns + pair - 1) / pair * 2};
    matrix.lines = arena_take(arena, matrix_bytes(&matrix));
    matrix.scale = arena_take_floats(arena, precision == INT8 ? rows : 0);
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

/* Whole numbers of the row's own step; what the activations' zero adds to the row's sum is taken out of its bias. */
static void fill_int8_row(const matrix_t *matrix, int row, const float *source, int columns, int step,
                          float activation_step, float *bias)
{
    float most = 0.0f;
    int32_t total = 0;
    for (int column = 0; column < columns; column++)
        most = fmaxf(most, fabsf(source[(size_t)column * step]));
    const float weight_step = most / WEIGHT_MAX;
    for (int column = 0; column < columns && weight_step > 0.0f; column++) {
        int8_t level = (int8_t)lrintf(source[(size_t)column * step] / weight_step);
        memcpy(matrix_at(matrix, row, column), &level, sizeof level);
        total += level;
    }
    matrix->scale[row] = weight_step * activation_step;
    *bias -= matrix->scale[row] * (float)ACTIVATION_ZERO * (float)total;
}

static void fill_bfloat16_row(const matrix_t *matrix, int row, const float *source, int columns, int step)
{
    uint16_t rounded = 0;
    for (int column = 0; column < columns; column++) {
        rounded = to_bfloat16(source[(size_t)column * step], column % 2 ? rounded : 0);
        memcpy(matrix_at(matrix, row, column), &rounded, sizeof rounded);
    }
}

void matrix_set(const matrix_t *matrix, int row, int column, float weight)
{
    memcpy(matrix_at(matrix, row, column), &weight, sizeof weight);
}

void matrix_fill(const matrix_t *matrix, int first_row, const float *source, int rows, int columns, int stride,
                 int step, float activation_step, float *bias)
{
    for (int i = 0; i < rows; i++) {
        const float *weights = source + (size_t)i * stride;
        const int row = first_row + i;
        if (matrix->precision == INT8)
            fill_int8_row(matrix, row, weights, columns, step, activation_step, bias + i);
        else if (matrix->precision == BFLOAT16)
            fill_bfloat16_row(matrix, row, weights, columns, step);
        else
            for (int column = 0; column < columns; column++)
                matrix_set(matrix, row, column, weights[(size_t)column * step]);
    }
}
