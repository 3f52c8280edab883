/* Levels of partials: plain loops that the compiler turns into vectors. */

#ifndef RTWAVE_WEIGH_H
#define RTWAVE_WEIGH_H

#include <string.h>

#include "kernels.h"
#include "vectors.h"

#define LOG_MUTED -16.6096405f /* -100 dB: of what is no stronger, nothing is left */

static void mix(const float *const *rows, const float *shares, int corners, float offset, float *restrict out, int count)
{
    for (int k = 0; k < count; k++)
        out[k] = offset;
    for (int i = 0; i < corners; i++) {
        const float *row = rows[i], share = shares[i];
        for (int k = 0; k < count; k++)
            out[k] += share * row[k];
    }
}

/* 2^x for |x| <= 100, relative error below 2e-7, and none of it near 0 (Taylor). */
static INLINE float power_of_two(float x)
{
    const float whole = (x + 12582912.0f) - 12582912.0f, r = x - whole;
    float p = 1.54035304e-4f * r + 1.33335581e-3f;
    p = p * r + 9.61812911e-3f;
    p = p * r + 5.55041087e-2f;
    p = p * r + 2.40226507e-1f;
    p = p * r + 6.93147181e-1f;
    p = p * r + 1.0f;
    const int32_t bits = ((int32_t)whole + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static INLINE float bounded(float level)
{
    level = level > LOG_MUTED ? level : LOG_MUTED;
    return level < LOG_LARGEST_PARTIAL ? level : LOG_LARGEST_PARTIAL;
}

static void weigh(float *restrict levels, const float *restrict goals, float *restrict steps, int period,
                  float pre_emphasis, const float *restrict turning, float *restrict phasors,
                  float *restrict rotation, int count, int padded)
{
    const float each = 1.0f / (float)period;
    for (int k = 0; k < count; k++) {
        const float from = bounded(levels[k]), to = bounded(goals[k]), step = (to - from) * each;
        const float growth = power_of_two(step);
        const float strength = from > LOG_MUTED || to > LOG_MUTED ? WEIGHT * power_of_two(from) : 0.0f;
        const float turn_s = turning[k], turn_c = turning[padded + k], s = phasors[k], c = phasors[padded + k];
        const float real = strength * (1.0f - pre_emphasis * turn_c), imaginary = strength * pre_emphasis * turn_s;
        phasors[k] = s * real + c * imaginary;
        phasors[padded + k] = c * real - s * imaginary;
        rotation[k] = growth * turn_s;
        rotation[padded + k] = growth * turn_c;
        levels[k] = from;
        steps[k] = step;
    }
}

#endif
