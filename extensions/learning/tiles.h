/* Items in bfloat16, products by matrix tiles (AMX), gates saved in half precision. */

#ifndef RTWAVE_LEARNING_TILES_H
#define RTWAVE_LEARNING_TILES_H

#include <string.h>

#include "../kernels/vectors.h"
#include "stack.h"

enum { TILE_ITEMS = 512 }; /* 16 lines of 64 bytes */

/* The tile registers: a square of sums, two of left operands above and below, two of right ones side by side. */
#define UPPER_LEFT 0
#define UPPER_RIGHT 1
#define LOWER_LEFT 2
#define LOWER_RIGHT 3
#define UPPER 4
#define LOWER 5
#define LEFT 6
#define RIGHT 7

typedef struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes_t;

static const tile_shapes_t whole_tiles = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

/* The intrinsics do not say that they read and write memory. */
#define MEMORY_IS_READ __asm__ volatile("" ::: "memory")

typedef uint16_t item_t;
typedef uint16_t saved_t;

static INLINE vec widen(const item_t *from)
{
    return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_load_si256((const __m256i *)from)), 16);
}

static INLINE void narrow(item_t *to, vec left, vec right)
{
    _mm512_store_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)right, (__m512)left));
}

static INLINE vec recall(const saved_t *from)
{
    return (vec)_mm512_cvtph_ps(_mm256_load_si256((const __m256i *)from));
}

static INLINE void save(saved_t *to, vec left, vec right)
{
    const __m256i low = _mm512_cvtps_ph((__m512)left, _MM_FROUND_TO_NEAREST_INT);
    const __m256i high = _mm512_cvtps_ph((__m512)right, _MM_FROUND_TO_NEAREST_INT);
    _mm512_stream_si512((__m512i *)to, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
}

/* Rounded to the nearest, half to even; NaN stays NaN. */
static INLINE item_t item_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7fc0 : (item_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static INLINE void begin(void) { _tile_loadconfig(&whole_tiles); }
/* What went past the cache is seen by others after this. */
static INLINE void end(void)
{
    _tile_release();
    _mm_sfence();
}

typedef struct {
    const item_t *rows;
    size_t row_stride;
    const item_t *weights;
    int depth;
} operand_t;

/* Two columns of tiles after the other; in each, 32 of depth after the other; in each of these the left and the right
   tile, whose lines hold two of depth for each of 16 columns. */
static INLINE size_t place(int depth, int column, int depths, int columns)
{
    (void)columns;
    const size_t pair = (size_t)(column / 32) * (depths / 32) + depth / 32;
    return (pair * 2 + column % 32 / 16) * TILE_ITEMS + depth % 32 / 2 * 32 + column % 16 * 2 + depth % 2;
}

#define LOAD_SUMS(at, stride)                                                                                         \
    do {                                                                                                              \
        _tile_loadd(UPPER_LEFT, at, (stride) * 4);                                                                    \
        _tile_loadd(UPPER_RIGHT, (at) + 16, (stride) * 4);                                                            \
        _tile_loadd(LOWER_LEFT, (at) + 16 * (stride), (stride) * 4);                                                  \
        _tile_loadd(LOWER_RIGHT, (at) + 16 * (stride) + 16, (stride) * 4);                                            \
    } while (0)
#define ZERO_SUMS()                                                                                                   \
    do {                                                                                                              \
        _tile_zero(UPPER_LEFT);                                                                                       \
        _tile_zero(UPPER_RIGHT);                                                                                      \
        _tile_zero(LOWER_LEFT);                                                                                       \
        _tile_zero(LOWER_RIGHT);                                                                                      \
    } while (0)
#define STORE_SUMS(at, stride)                                                                                        \
    do {                                                                                                              \
        _tile_stored(UPPER_LEFT, at, (stride) * 4);                                                                   \
        _tile_stored(UPPER_RIGHT, (at) + 16, (stride) * 4);                                                           \
        _tile_stored(LOWER_LEFT, (at) + 16 * (stride), (stride) * 4);                                                 \
        _tile_stored(LOWER_RIGHT, (at) + 16 * (stride) + 16, (stride) * 4);                                           \
    } while (0)
#define MEET()                                                                                                        \
    do {                                                                                                              \
        _tile_dpbf16ps(UPPER_LEFT, UPPER, LEFT);                                                                      \
        _tile_dpbf16ps(UPPER_RIGHT, UPPER, RIGHT);                                                                    \
        _tile_dpbf16ps(LOWER_LEFT, LOWER, LEFT);                                                                      \
        _tile_dpbf16ps(LOWER_RIGHT, LOWER, RIGHT);                                                                    \
    } while (0)

static void product(float *out, size_t stride, int columns, bool add, const operand_t *operands, int count)
{
    MEMORY_IS_READ;
    for (int column = 0; column < columns; column += 32) {
        if (add)
            LOAD_SUMS(out + column, stride);
        else
            ZERO_SUMS();
        for (int i = 0; i < count; i++) {
            const size_t row_stride = operands[i].row_stride;
            const item_t *rows = operands[i].rows;
            const item_t *weights = operands[i].weights + place(0, column, operands[i].depth, columns);
            for (int k = 0; k < operands[i].depth; k += 32, rows += 32, weights += 2 * TILE_ITEMS) {
                _tile_loadd(UPPER, rows, row_stride * 2);
                _tile_loadd(LOWER, rows + 16 * row_stride, row_stride * 2);
                _tile_loadd(LEFT, weights, 64);
                _tile_loadd(RIGHT, weights + TILE_ITEMS, 64);
                MEET();
            }
        }
        STORE_SUMS(out + column, stride);
    }
    MEMORY_IS_READ;
}

typedef struct {
    const item_t *at;
} outer_t;

/* Lines become columns: 16 x 16 groups of four bytes. */
static INLINE void transpose(__m512i r[16])
{
    __m512i t[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
        r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
    }
}

/* 32 rows of 32 channels to lines of one channel each, all 32 rows in it. */
static INLINE void turn_square(item_t *to, const item_t *rows, size_t stride)
{
    UNROLL for (int half = 0; half < 2; half++) {
        __m512i r[16]; /* two rows by 16 channels: 0-3, 8-11, 16-19, 24-27, or those between */
        UNROLL for (int i = 0; i < 16; i++) {
            const __m512i even = _mm512_loadu_si512(rows + 2 * i * stride);
            const __m512i odd = _mm512_loadu_si512(rows + (2 * i + 1) * stride);
            r[i] = half ? _mm512_unpackhi_epi16(even, odd) : _mm512_unpacklo_epi16(even, odd);
        }
        transpose(r);
        UNROLL for (int i = 0; i < 16; i++)
            _mm512_store_si512(to + (i / 4 * 8 + half * 4 + i % 4) * 32, r[i]);
    }
}

/* Rows as the left operand of an outer product: their channels become lines. */
static outer_t turn(item_t *scratch, const item_t *rows, size_t stride, int width, int count)
{
    for (int row = 0; row < count; row += 32)
        for (int i = 0; i < width; i += 32)
            turn_square(scratch + (size_t)row * width + i * 32, rows + row * stride + i, stride);
    return (outer_t){scratch};
}

/* Rows as the right operand: two of them to a line. */
static outer_t pair(item_t *scratch, const item_t *rows, size_t stride, int width, int count)
{
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    for (int row = 0; row < count; row += 2) {
        item_t *line = scratch + (size_t)row / 32 * 32 * width + row % 32 * 16;
        for (int i = 0; i < width; i += 32, line += 2 * TILE_ITEMS) {
            const __m512i even = _mm512_loadu_si512(rows + row * stride + i);
            const __m512i odd = _mm512_loadu_si512(rows + (row + 1) * stride + i);
            const __m512i low = _mm512_unpacklo_epi16(even, odd), high = _mm512_unpackhi_epi16(even, odd);
            _mm512_store_si512(line, _mm512_permutex2var_epi64(low, first, high));
            _mm512_store_si512(line + TILE_ITEMS, _mm512_permutex2var_epi64(low, second, high));
        }
    }
    return (outer_t){scratch};
}

static void outer(float *sums, outer_t left, int lefts, outer_t right, int rights, int count)
{
    MEMORY_IS_READ;
    for (int i = 0; i < lefts; i += 32)
        for (int j = 0; j < rights; j += 32) {
            float *at = sums + (size_t)i * rights + j;
            LOAD_SUMS(at, rights);
            for (int row = 0; row < count; row += 32) {
                const item_t *lines = left.at + (size_t)row * lefts + i * 32;
                const item_t *pairs = right.at + (size_t)row * rights + j * 32;
                _tile_loadd(UPPER, lines, 64);
                _tile_loadd(LOWER, lines + TILE_ITEMS, 64);
                _tile_loadd(LEFT, pairs, 64);
                _tile_loadd(RIGHT, pairs + TILE_ITEMS, 64);
                MEET();
            }
            STORE_SUMS(at, rights);
        }
    MEMORY_IS_READ;
}

#endif
