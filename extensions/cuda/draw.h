/* From what the network says of the next sample to the sample, as extensions/sampling.h and kernels/draw.h do it. */

#ifndef RTWAVE_CUDA_DRAW_H
#define RTWAVE_CUDA_DRAW_H

#include "shape.h"

#define BELOW_ONE 0x1.fffffep-1f /* the float before 1 */
#define ALL_LANES 0xffffffffu
#define MINUS_INFINITY from_bits(0xff800000u) /* without headers there is no other word for it */
#define NOT_A_NUMBER from_bits(0x7fc00000u)

enum { LANES = 16 }; /* classes so far apart are summed first */

/* Two words of Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
DEVICE uint2 philox(uint64_t key, uint64_t low, uint64_t high)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)low, c1 = (uint32_t)(low >> 32), c2 = (uint32_t)high, c3 = (uint32_t)(high >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return make_uint2(c0, c1);
}

/* Of 24 bits each, by Box and Muller. */
DEVICE float normal(uint64_t key, uint64_t low, uint64_t high)
{
    const uint2 words = philox(key, low, high);
    const float u = ((float)(words.x >> 8) + 0.5f) * 0x1p-24f, v = ((float)(words.y >> 8) + 0.5f) * 0x1p-24f;
    return sqrtf(-2.0f * logf(u)) * cospif(2.0f * v);
}

/* 0 < u <= 1. */
DEVICE float uniform(uint64_t key, uint64_t low, uint64_t high)
{
    return (float)((philox(key, low, high).x + 0.5) * (1.0 / 4294967296.0));
}

/* e^x for x <= 0; what is below e^-30 counts for nothing. NaN stays. */
DEVICE float share(float x)
{
    return x < -30.0f ? 0.0f : expf(x);
}

DEVICE float largest_of_warp(float x)
{
    UNROLL
    for (int apart = 16; apart > 0; apart /= 2)
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, apart));
    return x;
}

/* Sum over this lane and those before it, in rows of WIDTH lanes. */
template <int WIDTH> DEVICE float sum_up_to(float x, int lane)
{
    UNROLL
    for (int apart = 1; apart < WIDTH; apart *= 2) {
        const float before = __shfl_up_sync(ALL_LANES, x, apart, WIDTH);
        x += lane % WIDTH >= apart ? before : 0.0f;
    }
    return x;
}

/* A warp: the class of softmax(logits / temperature) at which the sum over the classes, lane by lane of LANES, passes
   `uniform` of the whole; -1 when the largest logit is not finite, or one is NaN. */
DEVICE int draw_softmax(const float *logits, float temperature, float uniform, int lane)
{
    enum { ROWS = (OUTPUTS + LANES - 1) / LANES };
    const float scale = 1.0f / temperature;
    float top = MINUS_INFINITY;
    for (int i = lane; i < OUTPUTS; i += 32)
        top = fmaxf(top, logits[i]);
    top = largest_of_warp(top);
    float sum = 0.0f; /* of every other row of this lane's classes */
    for (int i = lane; i < OUTPUTS; i += 32)
        sum += share((logits[i] - top) * scale);
    sum += __shfl_xor_sync(ALL_LANES, sum, LANES);
    const float up_to = sum_up_to<LANES>(sum, lane), total = __shfl_sync(ALL_LANES, up_to, LANES - 1);
    const float threshold = total * (uniform < BELOW_ONE ? uniform : BELOW_ONE);
    const unsigned passing = __ballot_sync(ALL_LANES, up_to > threshold) & 0x7fff;
    const int column = passing ? __ffs(passing) - 1 : LANES - 1;
    float reached = __shfl_sync(ALL_LANES, up_to, column > 0 ? column - 1 : 0);
    reached = column > 0 ? reached : 0.0f;
    int drawn = column;
    bool found = false;
    for (int first = 0; first < ROWS && !found; first += 32) {
        const int i = (first + lane) * LANES + column;
        const float part = i < OUTPUTS ? share((logits[i] - top) * scale) : 0.0f;
        const float here = reached + sum_up_to<32>(part, lane);
        const unsigned likely = __ballot_sync(ALL_LANES, part > 0.0f);
        const unsigned beyond = __ballot_sync(ALL_LANES, here > threshold) & likely;
        found = beyond != 0;
        if (found)
            drawn = (first + __ffs(beyond) - 1) * LANES + column;
        else if (likely)
            drawn = (first + 31 - __clz(likely)) * LANES + column;
        reached = __shfl_sync(ALL_LANES, here, 31);
    }
    return total - total == 0.0f ? drawn : -1;
}

/* A warp: the likeliest class, the first of several; -1 when a logit is not finite. */
DEVICE int draw_likeliest(const float *logits, int lane)
{
    float top = MINUS_INFINITY;
    int best = OUTPUTS, finite = 1;
    for (int i = lane; i < OUTPUTS; i += 32) {
        finite &= logits[i] - logits[i] == 0.0f;
        if (logits[i] > top) {
            top = logits[i];
            best = i;
        }
    }
    UNROLL
    for (int apart = 16; apart > 0; apart /= 2) {
        const float other = __shfl_xor_sync(ALL_LANES, top, apart);
        const int its = __shfl_xor_sync(ALL_LANES, best, apart);
        if (other > top || (other == top && its < best)) {
            top = other;
            best = its;
        }
    }
    return __ballot_sync(ALL_LANES, finite) == ALL_LANES ? best : -1;
}

DEVICE float draw_class(const float *logits, const voice_t *voice, int lane)
{
    const int drawn = voice->temperature > 0.0f ? draw_softmax(logits, voice->temperature, voice->variate, lane)
                                                : draw_likeliest(logits, lane);
    return drawn < 0 ? NOT_A_NUMBER : (float)drawn;
}

/* N(mean, (T scale)^2). */
DEVICE float draw_gaussian(float mean, float log_scale, const voice_t *voice)
{
    const float bounded = fminf(fmaxf(log_scale, LOG_SCALE_MIN), LOG_SCALE_MAX);
    return voice->temperature > 0.0f ? mean + voice->temperature * expf(bounded) * voice->variate : mean;
}

#endif
