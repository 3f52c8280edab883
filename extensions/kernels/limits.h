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

/* The compiler must take the weights for changed each time, or it would multiply once and only add in the loop. */
static double multiply(precision_t precision, long rounds)
{
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
