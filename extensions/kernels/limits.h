/* What this machine can do at most, measured by the benchmark beside what the engine does. */

#ifndef RTWAVE_LIMITS_H
#define RTWAVE_LIMITS_H

#include "kernels.h"
#include "vectors.h"

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

/* The compiler must take `x` for changed, or it would do the loop's work once. */
#define OPAQUE(x) __asm__ volatile("" : "+m"(x))

static double multiply(precision_t precision, long rounds)
{
    volatile float sink;
    float factor = 1.0f;
    int32_t bytes = 0x01010101;
    vec sums[12] = {0};
    ivec whole[12] = {0};
    OPAQUE(factor);
    OPAQUE(bytes);
    const vec weights = splat(factor);
    const ivec whole_weights = splat_int(bytes);
    for (long round = 0; round < rounds; round++) {
        if (precision == INT8)
            UNROLL for (int i = 0; i < 12; i++)
                whole[i] = dot(whole[i], (ivec)weights, whole_weights);
        else
            UNROLL for (int i = 0; i < 12; i++)
                sums[i] += weights * weights;
    }
    for (int i = 0; i < 12; i++)
        sink = sums[i][0] + (float)whole[i][0];
    (void)sink;
    return 12.0 * WIDTH * (precision == INT8 ? 4.0 / 2.0 : 1.0); /* a weight meets two planes */
}

#endif
