/* Random draws and phasors: plain loops that the compiler turns into vectors. */

#ifndef RTWAVE_DRAW_H
#define RTWAVE_DRAW_H

#include <string.h>

#include "kernels.h"
#include "vectors.h"

#define BELOW_ONE 0x1.fffffep-1f /* the float before 1 */

/* sin and cos of pi x for |x| <= 1/2, absolute error below 1e-6 (Taylor). */

static INLINE float sine_pi(float x)
{
    const float y = x * x;
    float p = -0.00737043094f * y + 0.0821458866f;
    p = p * y - 0.599264529f;
    p = p * y + 2.55016404f;
    p = p * y - 5.16771278f;
    return (p * y + 3.14159265f) * x;
}

static INLINE float cosine_pi(float x)
{
    const float y = x * x;
    float p = 0.00192957430f * y - 0.0258068913f;
    p = p * y + 0.235330630f;
    p = p * y - 1.33526277f;
    p = p * y + 4.05871213f;
    p = p * y - 4.93480220f;
    return p * y + 1.0f;
}

/* sin and cos of `count` angles in turns. */
static void phasors(const double *turns, float *sines, float *cosines, int count)
{
    const double round = 6755399441055744.0; /* 1.5 * 2^52 */
    for (int i = 0; i < count; i++) {
        float x = (float)(turns[i] - ((turns[i] + round) - round));
        float s = sine_pi(x), c = cosine_pi(x);
        sines[i] = 2.0f * s * c;
        cosines[i] = 1.0f - 2.0f * s * s;
    }
}

/* Natural logarithm of a positive normal number, relative error about 1e-6. */
static INLINE float logarithm(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t exponent = (bits - 0x3f3504f3) >> 23; /* mantissa in sqrt(1/2)..sqrt(2) */
    bits -= exponent * (1 << 23); /* it may be negative, which C does not shift to the left */
    float mantissa;
    memcpy(&mantissa, &bits, sizeof mantissa);
    const float t = (mantissa - 1.0f) / (mantissa + 1.0f), y = t * t; /* 2 artanh(t) */
    float p = 0.222222222f * y + 0.285714286f;
    p = p * y + 0.4f;
    p = p * y + 0.666666667f;
    return (float)exponent * 0.693147181f + t * (p * y + 2.0f);
}

/* Standard normal variates of the counters (from, high) to (from + DRAWS - 1, high): Philox4x32-10 as in philox.h, the
   upper 24 bits of two words, Box and Muller. */
static void normals(uint64_t key, uint64_t from, uint64_t high, float *out)
{
    uint32_t c0[DRAWS], c1[DRAWS], c2[DRAWS], c3[DRAWS];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < DRAWS; i++) {
        c0[i] = (uint32_t)(from + i);
        c1[i] = (uint32_t)((from + i) >> 32);
        c2[i] = (uint32_t)high;
        c3[i] = (uint32_t)(high >> 32);
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < DRAWS; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)b;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)a;
        }
    for (int i = 0; i < DRAWS; i++) {
        const float u = ((float)(int32_t)(c0[i] >> 8) + 0.5f) * 0x1p-24f, v = ((float)(int32_t)(c1[i] >> 8) + 0.5f) * 0x1p-24f;
        const float s = sine_pi(v - 0.5f); /* cos 2 pi v = 2 sin^2 pi (v - 1/2) - 1 */
        out[i] = __builtin_sqrtf(-2.0f * logarithm(u)) * (2.0f * s * s - 1.0f);
    }
}

static INLINE float largest_lane(vec x)
{
    float most = x[0];
    for (int i = 1; i < WIDTH; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

/* e^x for x <= 0; what is below e^-30 counts for nothing. */
static INLINE vec share(vec x)
{
    return choose(x < splat(-30.0f), splat(0.0f), exponential(clamp(x, -30.0f, 30.0f)));
}

/* A class of softmax(logits * scale): that at which the sum over the classes passes `uniform` of the whole. The sum runs
   lane by lane, LANES classes apart, which needs no sums across vectors. -1 when the largest logit is not
   finite, or one is NaN. logits (classes padded to LANES), padding minus infinity. */
static int draw(const float *logits, int classes, float scale, float uniform)
{
    const int padded = (classes + LANES - 1) / LANES * LANES;
    _Alignas(LINE_BYTES) float sums[LANES] = {0}, shares[WIDTH];
    vec most = load(logits);
    for (int i = WIDTH; i < padded; i += WIDTH)
        most = choose(load(logits + i) > most, load(logits + i), most);
    const float top = largest_lane(most);
    for (int i = 0; i < padded; i += LANES)
        for (int j = 0; j < LANES; j += WIDTH)
            store(sums + j, load(sums + j) + share((load(logits + i + j) - top) * scale));
    float total = 0.0f;
    for (int j = 0; j < LANES; j++)
        total += sums[j];
    if (!(total - total == 0.0f))
        return -1;
    /* Below the whole even where `uniform` was rounded up to 1, so that some lane passes it. */
    const float threshold = total * (uniform < BELOW_ONE ? uniform : BELOW_ONE);
    float sum = 0.0f, part = 0.0f; /* `part` grows to sums[lane], bit for bit, and so passes the threshold where that did */
    int lane = 0, drawn = 0;
    while (lane < LANES - 1 && sum + sums[lane] <= threshold)
        sum += sums[lane++];
    for (int i = lane; i < classes && sum + part <= threshold; i += LANES) {
        store(shares, share((load(logits + i / WIDTH * WIDTH) - top) * scale));
        part += shares[i % WIDTH];
        drawn = shares[i % WIDTH] > 0.0f ? i : drawn;
    }
    return drawn;
}

#endif
