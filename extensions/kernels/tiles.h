/* int8 products by matrix tiles (AMX): sixteen rows of weights meet up to eight operands, both planes of each, in one
   instruction. The sums are the integers of `rows_int8`, so the results are the same bits. */

#ifndef RTWAVE_TILES_H
#define RTWAVE_TILES_H

#include "product.h"

enum {
    TILE_LINES = 16,   /* lines of weights in a full tile, and so columns / 4 */
    TILE_BYTES = 1024,
    TILED_FROM = 40,   /* operands times lines; less is faster by vectors */
    MOST_TILES = 64,   /* 4096 columns */
};

/* The tile registers, as `tile_shapes` lays them out: four of sums, then weights and activations, full and half. */
#define SUMS_0 0
#define SUMS_1 1
#define SUMS_2 2
#define SUMS_3 3
#define FULL_WEIGHTS 4
#define FULL_ACTIVATIONS 5
#define HALF_WEIGHTS 6
#define HALF_ACTIVATIONS 7

typedef struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes_t;

static const tile_shapes_t tile_shapes = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 32},
    .rows = {16, 16, 16, 16, 16, 16, 8, 16},
};

/* Upper planes of all operands as the rows of a tile, then the lower planes; zeros beyond the last line, where the
   weights are those of something else. */
static INLINE void gather_tiles(char *tiles, const operand_t *operands, int count, int lines)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    for (int line = 0; line < lines; line += TILE_LINES, tiles += TILE_BYTES) {
        const int left = 2 * (lines - line); /* groups of four bytes */
        const __mmask16 first = (__mmask16)(left >= 16 ? 0xffff : (1u << left) - 1);
        const __mmask16 second = (__mmask16)(left >= 32 ? 0xffff : left > 16 ? (1u << (left - 16)) - 1 : 0);
        for (int n = 0; n < count; n++) {
            const char *x = (const char *)operands[n].x + 8 * line;
            const __m512i low = _mm512_maskz_loadu_epi32(first, x), high = _mm512_maskz_loadu_epi32(second, x + 64);
            _mm512_store_si512(tiles + n * 64, _mm512_permutex2var_epi32(low, even, high));
            _mm512_store_si512(tiles + (BATCH + n) * 64, _mm512_permutex2var_epi32(low, odd, high));
        }
    }
}

/* Sums of 1, 2 or 4 panels that lie side by side, a tile each. */
static INLINE void tile_panels(const char *lines, size_t stride, int line_count, const char *tiles, char *sums,
                               const int panels)
{
    _tile_zero(SUMS_0);
    if (panels > 1)
        _tile_zero(SUMS_1);
    if (panels > 2) {
        _tile_zero(SUMS_2);
        _tile_zero(SUMS_3);
    }
#define MEET(sum, panel, weights, activations)                                                                        \
    _tile_loadd(weights, lines + (panel) * LINE_BYTES, stride);                                                       \
    _tile_dpbusd(sum, activations, weights);
#define MEET_ALL(weights, activations)                                                                                \
    _tile_loadd(activations, tiles, 64);                                                                              \
    MEET(SUMS_0, 0, weights, activations)                                                                             \
    if (panels > 1) {                                                                                                 \
        MEET(SUMS_1, 1, weights, activations)                                                                         \
    }                                                                                                                 \
    if (panels > 2) {                                                                                                 \
        MEET(SUMS_2, 2, weights, activations)                                                                         \
        MEET(SUMS_3, 3, weights, activations)                                                                         \
    }
    int left = line_count;
    for (; left > TILE_LINES / 2; left -= TILE_LINES, lines += TILE_LINES * stride, tiles += TILE_BYTES) {
        MEET_ALL(FULL_WEIGHTS, FULL_ACTIVATIONS)
    }
    if (left > 0) {
        MEET_ALL(HALF_WEIGHTS, HALF_ACTIVATIONS)
    }
#undef MEET_ALL
#undef MEET
    _tile_stored(SUMS_0, sums, 64);
    if (panels > 1)
        _tile_stored(SUMS_1, sums + TILE_BYTES, 64);
    if (panels > 2) {
        _tile_stored(SUMS_2, sums + 2 * TILE_BYTES, 64);
        _tile_stored(SUMS_3, sums + 3 * TILE_BYTES, 64);
    }
}

static INLINE void tile_rows(const matrix_t *matrix, int panel, int offset, const int together, const int panels,
                             const char *tiles, const operand_t *operands, int count)
{
    _Alignas(LINE_BYTES) char sums[4 * TILE_BYTES];
    const char *lines = matrix->lines + ((size_t)panel * matrix->line_count + offset) * LINE_BYTES;
    tile_panels(lines, (size_t)together * LINE_BYTES, matrix->line_count, tiles, sums, panels);
    UNROLL for (int i = 0; i < panels; i++) {
        const int row = (panel + offset + i) * LANES;
        const vec scale = load(matrix->scale + row);
        for (int n = 0; n < count; n++) {
            const ivec upper = (ivec)load(sums + i * TILE_BYTES + n * 64);
            const ivec lower = (ivec)load(sums + i * TILE_BYTES + (BATCH + n) * 64);
            store(operands[n].out + row, load(operands[n].init + row) + join(upper, lower) * scale);
        }
    }
}

static void product_tiles(const matrix_t *matrix, const operand_t *operands, int count)
{
    _Alignas(LINE_BYTES) char tiles[MOST_TILES * TILE_BYTES];
    int panel = 0;
    gather_tiles(tiles, operands, count, matrix->line_count);
    for (; panel + 8 <= matrix->panels; panel += 8)
        for (int offset = 0; offset < 8; offset += 4)
            tile_rows(matrix, panel, offset, 8, 4, tiles, operands, count);
    if (panel + 4 <= matrix->panels) {
        tile_rows(matrix, panel, 0, 4, 4, tiles, operands, count);
        panel += 4;
    }
    if (panel + 2 <= matrix->panels) {
        tile_rows(matrix, panel, 0, 2, 2, tiles, operands, count);
        panel += 2;
    }
    if (panel < matrix->panels)
        tile_rows(matrix, panel, 0, 1, 1, tiles, operands, count);
}

#endif
