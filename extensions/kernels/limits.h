/* What this machine can do at most, measured by the benchmark beside what the engine does. */

#ifndef RTWAVE_LIMITS_H
#define RTWAVE_LIMITS_H

#include "kernels.h"
#include "vectors.h"
#if TILES
#include "tiles.h"
#endif

enum { STREAMS = 8 };

static float stream(const char *memory, size_t bytes)
{
    vec sums[STREAMS] = {0};
    float total = 0.0f;
    const size_t stride = STREAMS * sizeof(vec);
    for (size_t at = 0; at + stride <= bytes; at += stride)
        UNROLL for (int i = 0; i < STREAMS; i++)
            sums[i] += load(memory + at + i * sizeof(vec));
    for (int i = 0; i < STREAMS; i++)
        total += sums[i][0];
    return total;
}

#if TILES
static double multiply_tiles(long rounds)
{
    _tile_loadconfig(&tile_shapes);
    _tile_zero(FULL_WEIGHTS);
    _tile_zero(FULL_ACTIVATIONS);
    for (long round = 0; round < rounds; round++) {
        _tile_dpbusd(SUMS_0, FULL_ACTIVATIONS, FULL_WEIGHTS);
        _tile_dpbusd(SUMS_1, FULL_ACTIVATIONS, FULL_WEIGHTS);
        _tile_dpbusd(SUMS_2, FULL_ACTIVATIONS, FULL_WEIGHTS);
        _tile_dpbusd(SUMS_3, FULL_ACTIVATIONS, FULL_WEIGHTS);
    }
    _tile_release();
    return 4.0 * LANES * BATCH * 4 * TILE_LINES; /* rows, operands, columns */
}
#endif

/* The compiler must take the weights for changed each time, or it would multiply once and only add in the loop. */
static double multiply(precision_t precision, long rounds)
{
#if TILES
    if (precision == INT8)
        return multiply_tiles(rounds);
#endif
    volatile float sink;
    vec weights = splat(1.0f), sums[12] = {0};
    ivec whole_weights = splat_int(0x01010101), whole[12] = {0};
    for (long round = 0; round < rounds; round++) {
        if (precision == INT8)
            UNROLL for (int i = 0; i < 12; i++) {
                IN_REGISTER(whole_weights);
                whole[i] = dot(whole[i], whole_weights, whole_weights);
            }
        else
            UNROLL for (int i = 0; i < 12; i++) {
                IN_REGISTER(weights);
                sums[i] += weights * weights;
            }
    }
    for (int i = 0; i < 12; i++)
        sink = sums[i][0] + (float)whole[i][0];
    (void)sink;
    return 12.0 * WIDTH * (precision == INT8 ? 4.0 / 2.0 : 1.0); /* a weight meets two planes */
}

#endif
