/* Vectors of WIDTH lanes, as GCC and Clang have them, and the few operations that differ by instruction set. */

#ifndef RTWAVE_VECTORS_H
#define RTWAVE_VECTORS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float vec __attribute__((vector_size(4 * WIDTH), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * WIDTH), may_alias));
typedef int16_t svec __attribute__((vector_size(4 * WIDTH), may_alias));
typedef uint16_t shorts_t __attribute__((vector_size(2 * WIDTH), may_alias));
typedef uint8_t bytes_t __attribute__((vector_size(2 * WIDTH), may_alias));

#define FOUR_AND_FOUR(at) at, at + 2, at + 4, at + 6, at + 1, at + 3, at + 5, at + 7
#if WIDTH == 16
#define GROUPED FOUR_AND_FOUR(0), FOUR_AND_FOUR(8), FOUR_AND_FOUR(16), FOUR_AND_FOUR(24)
#elif WIDTH == 8
#define GROUPED FOUR_AND_FOUR(0), FOUR_AND_FOUR(8)
#else
#define GROUPED FOUR_AND_FOUR(0)
#endif

#define INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* Keep a loaded vector: GCC would read it from memory again for each use, at the price of a load each. */
#if defined(__x86_64__)
#define IN_REGISTER(vector) __asm__("" : "+v"(vector))
#elif defined(__aarch64__)
#define IN_REGISTER(vector) __asm__("" : "+w"(vector))
#else
#define IN_REGISTER(vector) ((void)0)
#endif

static INLINE vec load(const void *p)
{
    return *(const vec *)p;
}

static INLINE void store(void *p, vec value)
{
    *(vec *)p = value;
}

static INLINE vec splat(float value)
{
    return value - (vec){0};
}

static INLINE ivec splat_int(int32_t value)
{
    return value - (ivec){0};
}

static INLINE vec choose(ivec mask, vec yes, vec no)
{
    return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask));
}

/* NaN passes through these, so that a broken network shows (but in int8, where it becomes a number). */

static INLINE vec at_least(vec x, float low)
{
#if defined(__AVX512F__) && WIDTH == 16
    return (vec)_mm512_max_ps((__m512)splat(low), (__m512)x);
#elif defined(__AVX2__) && WIDTH == 8
    return (vec)_mm256_max_ps((__m256)splat(low), (__m256)x);
#else
    return choose(x < splat(low), splat(low), x);
#endif
}

static INLINE vec at_most(vec x, float high)
{
#if defined(__AVX512F__) && WIDTH == 16
    return (vec)_mm512_min_ps((__m512)splat(high), (__m512)x);
#elif defined(__AVX2__) && WIDTH == 8
    return (vec)_mm256_min_ps((__m256)splat(high), (__m256)x);
#else
    return choose(x > splat(high), splat(high), x);
#endif
}

static INLINE vec clamp(vec x, float low, float high)
{
    return at_most(at_least(x, low), high);
}

static INLINE vec relu(vec x)
{
    return at_least(x, 0.0f);
}

/* 1 / x for x >= 1, relative error below 1e-6: an estimate and a Newton step where there is one, for a division
   would hold up everything behind it. */
static INLINE vec reciprocal(vec x)
{
#if defined(__AVX512F__) && WIDTH == 16
    vec y = (vec)_mm512_rcp14_ps((__m512)x);
    return y * (2.0f - x * y);
#elif defined(__AVX2__) && WIDTH == 8
    vec y = (vec)_mm256_rcp_ps((__m256)x);
    return y * (2.0f - x * y);
#else
    return 1.0f / x;
#endif
}

/* In each lane: sum + the products of four bytes, 0..127, with four weights, -127..127. Exact: two such products
   fit 16 bits. */
static INLINE ivec dot(ivec sum, ivec bytes, ivec weights)
{
#if defined(__AVX512VNNI__) && WIDTH == 16
    return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)bytes, (__m512i)weights);
#elif defined(__AVX512BW__) && WIDTH == 16
    __m512i pairs = _mm512_maddubs_epi16((__m512i)bytes, (__m512i)weights);
    return sum + (ivec)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
#elif defined(__AVXVNNI__) && WIDTH == 8
    return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)bytes, (__m256i)weights);
#elif defined(__AVX2__) && WIDTH == 8
    __m256i pairs = _mm256_maddubs_epi16((__m256i)bytes, (__m256i)weights);
    return sum + (ivec)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__ARM_FEATURE_DOTPROD) && WIDTH == 4
    return (ivec)vdotq_s32((int32x4_t)sum, (int8x16_t)bytes, (int8x16_t)weights);
#else
    svec b = (svec)bytes, w = (svec)weights;
    svec pairs = (b & 0xff) * ((w << 8) >> 8) + (b >> 8) * (w >> 8);
    return sum + (((ivec)pairs << 16) >> 16) + ((ivec)pairs >> 16);
#endif
}

/* e^x for |x| <= 30, relative error below 3e-6: 2^n times a polynomial for 2^r. */
static INLINE vec exponential(vec x)
{
    const vec round = splat(12582912.0f); /* 1.5 * 2^23: adding it leaves the nearest whole number in the low bits */
    vec t = x * 1.44269504f;
    vec whole = t + round;
    vec r = t - (whole - round);
    vec p = 9.58283008e-3f * r + 5.59063996e-2f; /* least largest error with p(0) = 1 */
    p = p * r + 2.40240989e-1f;
    p = p * r + 6.93124196e-1f;
    p = p * r + 1.0f;
    return (vec)((ivec)p + ((ivec)whole << 23));
}

/* tanh(f) sigmoid(g) with one reciprocal; absolute error below 1e-5. */
static INLINE vec gated(vec f, vec g)
{
    vec e = exponential(clamp(2.0f * f, -18.0f, 18.0f));
    vec n = exponential(clamp(-g, -30.0f, 30.0f));
    return (e - 1.0f) * reciprocal((e + 1.0f) * (n + 1.0f));
}

#endif
