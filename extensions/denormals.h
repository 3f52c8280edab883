/* Denormals flushed to zero in the calling thread, where its processor can: they cost a hundred times the rest. */
#ifndef RTWAVE_DENORMALS_H
#define RTWAVE_DENORMALS_H

#include <stdint.h>

/* `denormals_flush` returns what `denormals_restore` takes. */

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>

typedef unsigned int denormals_t;

static inline denormals_t denormals_flush(void) {
    denormals_t before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
}
static inline void denormals_restore(denormals_t before) { _mm_setcsr(before); }
#elif defined(__aarch64__)
typedef uint64_t denormals_t;
static inline denormals_t denormals_flush(void) {
    denormals_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | ((uint64_t)1 << 24)));
    return before;
}
static inline void denormals_restore(denormals_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
typedef int denormals_t;
static inline denormals_t denormals_flush(void) { return 0; }
static inline void denormals_restore(denormals_t before) { (void)before; }
#endif

#endif
