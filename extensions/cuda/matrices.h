/* Products of a matrix with the vectors of a tile of voices.

   A matrix is cut into tiles of 16 rows, a tile into fragments of 16 columns; a warp takes a tile. The vectors stand
   one row a voice in shared memory, in the numbers of PRECISION; sums are float32. A lane holds the sums of two rows,
   `group` and `group` + 8 of the tile, for the voices 2 `quad` and the next of every eight.

   The order of rows is the packer's to choose: in "pairs" the two rows of a lane are channels that follow each other, so
   that it writes them as one word; in gates they are a channel's filter and its gate. So is that of columns: a lane
   reads four channels that follow each other. */

#ifndef RTWAVE_CUDA_MATRICES_H
#define RTWAVE_CUDA_MATRICES_H

#include "shape.h"

enum {
    FRAGMENT_BYTES = 256 * BYTES_EACH,
    STEP_BYTES = 16 * BYTES_EACH, /* of a voice's row, that meet a fragment */
    CHAINS = COLUMNS == 1 ? 4 : COLUMNS == 2 ? 2 : 1, /* sums apart, so that products do not wait for each other */
};

struct sums_t {
    float at[COLUMNS][4]; /* rows group, group, group + 8, group + 8; voices 2 quad, 2 quad + 1, the same again */
};

DEVICE void clear(sums_t &sums)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int i = 0; i < 4; i++)
            sums.at[n][i] = 0.0f;
}

DEVICE void add(sums_t &sums, const sums_t &others)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int i = 0; i < 4; i++)
            sums.at[n][i] += others.at[n][i];
}

DEVICE void split(const sums_t &sums, sums_t (&parts)[CHAINS])
{
    parts[0] = sums;
    UNROLL
    for (int i = 1; i < CHAINS; i++)
        clear(parts[i]);
}

DEVICE void join(sums_t (&parts)[CHAINS], sums_t &sums)
{
    UNROLL
    for (int apart = CHAINS / 2; apart > 0; apart /= 2)
        UNROLL
        for (int i = 0; i < apart; i++)
            add(parts[i], parts[i + apart]);
    sums = parts[0];
}

/* To each row of a tile its own number. */
DEVICE void add_rows(sums_t &sums, float2 rows)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++) {
        sums.at[n][0] += rows.x;
        sums.at[n][1] += rows.x;
        sums.at[n][2] += rows.y;
        sums.at[n][3] += rows.y;
    }
}

DEVICE void rectify(sums_t &sums)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int i = 0; i < 4; i++)
            sums.at[n][i] = sums.at[n][i] < 0.0f ? 0.0f : sums.at[n][i]; /* NaN stays */
}

#if PRECISION == FLOAT32
DEVICE float dot(float4 a, float4 b, float sum)
{
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

DEVICE void multiply_fragment(const block_t &block, sums_t &sums, const unsigned char *fragment,
                              const unsigned char *rows, int row_bytes)
{
    const float4 *weights = (const float4 *)fragment; /* (4 columns at a time, rows) */
    UNROLL
    for (int i = 0; i < 4; i++) {
        const float4 upper = weights[16 * i + block.group], lower = weights[16 * i + 8 + block.group];
        UNROLL
        for (int n = 0; n < COLUMNS; n++)
            UNROLL
            for (int j = 0; j < 2; j++) {
                const float4 x = *(const float4 *)(rows + (8 * n + 2 * block.quad + j) * row_bytes + 16 * i);
                sums.at[n][j] = dot(upper, x, sums.at[n][j]);
                sums.at[n][2 + j] = dot(lower, x, sums.at[n][2 + j]);
            }
    }
}

DEVICE void put(unsigned char *row, int channel, float x)
{
    ((float *)row)[channel] = x;
}

DEVICE void put_pair(unsigned char *row, int channel, float first, float second)
{
    *(float2 *)(row + 4 * channel) = make_float2(first, second);
}
#else
typedef uint4 fragment_t; /* a lane's part of it */

DEVICE fragment_t load_fragment(const block_t &block, const unsigned char *fragment)
{
    return ((const uint4 *)fragment)[block.lane];
}

DEVICE void multiply_held(const block_t &block, sums_t &sums, fragment_t fragment, const unsigned char *rows,
                          int row_bytes)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        multiply_add(sums.at[n], fragment,
                     *(const uint2 *)(rows + (8 * n + block.group) * row_bytes + 8 * block.quad));
}

DEVICE void multiply_fragment(const block_t &block, sums_t &sums, const unsigned char *fragment,
                              const unsigned char *rows, int row_bytes)
{
    multiply_held(block, sums, load_fragment(block, fragment), rows, row_bytes);
}

/* Fragments in registers. */
template <int STEPS>
DEVICE void multiply(const block_t &block, sums_t &sums, const fragment_t (&fragments)[STEPS],
                     const unsigned char *rows, int row_bytes)
{
    sums_t parts[CHAINS];
    split(sums, parts);
    UNROLL
    for (int i = 0; i < STEPS; i++)
        multiply_held(block, parts[i % CHAINS], fragments[i], rows + i * STEP_BYTES, row_bytes);
    join(parts, sums);
}

DEVICE void put(unsigned char *row, int channel, float x)
{
    ((unsigned short *)row)[channel] = (unsigned short)packed(x, 0.0f);
}

DEVICE void put_pair(unsigned char *row, int channel, float first, float second)
{
    *(unsigned *)(row + 2 * channel) = packed(first, second);
}
#endif

/* sums += a tile times the vectors; `tile` points at its first fragment. */
template <int STEPS>
DEVICE void multiply(const block_t &block, sums_t &sums, const unsigned char *tile, const unsigned char *rows,
                     int row_bytes)
{
    sums_t parts[CHAINS];
    split(sums, parts);
    UNROLL
    for (int i = 0; i < STEPS; i++)
        multiply_fragment(block, parts[i % CHAINS], tile + i * FRAGMENT_BYTES, rows + i * STEP_BYTES, row_bytes);
    join(parts, sums);
}

/* The sums of a tile in pairs, as part of the vectors that the next product reads. */
DEVICE void put_tile(const block_t &block, unsigned char *rows, int row_bytes, int tile, const sums_t &sums)
{
    const int channel = 16 * tile + 2 * block.group;
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int j = 0; j < 2; j++)
            put_pair(rows + (8 * n + 2 * block.quad + j) * row_bytes, channel, sums.at[n][j], sums.at[n][2 + j]);
}

/* Where a matrix lies that is in shared or in global memory. */
DEVICE const unsigned char *matrix(const block_t &block, int place, int shared_offset, int offset)
{
    return place == SHARED_MEMORY ? shared_memory + shared_offset : block.weights + offset;
}

#endif
