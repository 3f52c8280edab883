/* What this processor has, and whether a process may use it. */

#ifndef RTWAVE_PROCESSOR_H
#define RTWAVE_PROCESSOR_H

#include <stdbool.h>

#if defined(__x86_64__)
#include <cpuid.h>

static inline bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static inline bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* Features without a name in __builtin_cpu_supports before GCC 13: a bit of a register of leaf 7. */
static inline bool has_leaf_7_eax(int sub_leaf, int bit)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, sub_leaf, &a, &b, &c, &d) && (a >> bit & 1);
}

static inline bool has_leaf_7_edx(int bit)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> bit & 1);
}

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's leave, once for the process; needs _DEFAULT_SOURCE. */
static inline bool may_use_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, AMX_TILE = 24 };
    return has_leaf_7_edx(AMX_TILE) && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif
#endif

#endif
