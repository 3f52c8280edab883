/* tanh and sigmoid in vectors, and their derivatives. Beside items (float or bfloat16) a few bits matter, or do not. */

#ifndef RTWAVE_GATES_H
#define RTWAVE_GATES_H

#include "../kernels/vectors.h"

#if ROUGH

/* 2^x: 2^n times a polynomial for 2^r, 0 <= r < 1, that has no step where n has one; relative error 1e-4, where bfloat16
   rounds to 4e-3 anyway. Beyond all bounds it is 0 or infinite. */
static INLINE vec power_of_two(vec x)
{
    const vec r = (vec)_mm512_reduce_ps((__m512)x, 1); /* x less the whole number below */
    vec p = 0.0782679702f * r + 0.226307682f;
    p = p * r + 0.695424348f;
    p = p * r + 1.0f;
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)x);
}

/* 1 / x for x >= 1, even infinite. */
static INLINE vec inverse(vec x)
{
    return (vec)_mm512_rcp14_ps((__m512)x);
}

#else

/* 2^x for |x| <= 60: 2^n times a polynomial for 2^r, |r| <= 1/2, of least largest relative error: 9e-8. */
static INLINE vec power_of_two(vec x)
{
    x = clamp(x, -60.0f, 60.0f);
    const vec round = splat(12582912.0f); /* 1.5 * 2^23: adding it leaves the nearest whole number in the low bits */
    const vec whole = x + round;
    const vec r = x - (whole - round);
    vec p = 1.32647288e-3f * r + 9.67151318e-3f;
    p = p * r + 5.55073374e-2f;
    p = p * r + 2.40222421e-1f;
    p = p * r + 6.93146978e-1f;
    p = p * r + 1.0f;
    return (vec)((ivec)p + ((ivec)whole << 23));
}

static INLINE vec inverse(vec x)
{
    return reciprocal(x);
}

#endif

typedef struct {
    vec tanh, sigmoid; /* absolute errors below 1e-6; 1e-4 beside bfloat16 */
} gates_t;

static INLINE gates_t gates(vec f, vec g)
{
    const vec e = power_of_two(at_most(-2.88539008f * f, 60.0f)); /* infinity over infinity is no number */
    const vec n = power_of_two(-1.44269504f * g);
    return (gates_t){(1.0f - e) * inverse(1.0f + e), inverse(1.0f + n)};
}

/* What comes back to f and g from what came back to y = tanh(f) sigmoid(g). */
static INLINE gates_t gates_back(gates_t at, vec d_y)
{
    const vec through = d_y * at.sigmoid;
    return (gates_t){through - through * at.tanh * at.tanh, through * at.tanh * (1.0f - at.sigmoid)};
}

#endif
