/* Philox4x32-10, a counter-based generator: the output is a pure function of key and counter.
   Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */

#ifndef RTWAVE_PHILOX_H
#define RTWAVE_PHILOX_H

#include <stdint.h>

typedef struct {
    uint32_t words[4];
} philox_t;

static inline philox_t philox(uint64_t key, uint64_t low, uint64_t high)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)low, c1 = (uint32_t)(low >> 32), c2 = (uint32_t)high, c3 = (uint32_t)(high >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (philox_t){{c0, c1, c2, c3}};
}

/* 0 < u < 1. */
static inline double philox_uniform(uint32_t word)
{
    return (word + 0.5) * (1.0 / 4294967296.0);
}

#endif
