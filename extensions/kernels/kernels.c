#define _DEFAULT_SOURCE /* syscall */
#include "kernels.h"

#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

enum { MOST = 7 };

#if defined(__aarch64__)
static bool has_dot_product(void)
{
#if defined(__APPLE__)
    return true; /* every processor of theirs that runs macOS */
#elif defined(__linux__)
    return getauxval(AT_HWCAP) & (1UL << 20); /* HWCAP_ASIMDDP */
#else
    return false;
#endif
}
#endif

#if defined(__x86_64__)
#include <cpuid.h>

/* AVX-VNNI has no name in __builtin_cpu_supports before GCC 13: leaf 7, sub-leaf 1, EAX bit 4. */
static bool has_avx_vnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4));
}
#endif

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

/* Tiles need a processor that has them (leaf 7, EDX bits 24 and 25) and the kernel's leave, once for the process. */
static bool has_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 3) == 3
        && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

/* Slowest first. */
static int available(const kernels_t *table[MOST])
{
    int count = 0;
    table[count++] = &kernels_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        table[count++] = &kernels_avx2;
        if (has_avx_vnni())
            table[count++] = &kernels_avx2_vnni;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        table[count++] = &kernels_avx512;
        if (__builtin_cpu_supports("avx512vnni")) {
            table[count++] = &kernels_avx512_vnni;
#if defined(__linux__)
            if (has_amx())
                table[count++] = &kernels_avx512_amx;
#endif
        }
    }
#elif defined(__aarch64__)
    table[count++] = &kernels_neon;
    if (has_dot_product())
        table[count++] = &kernels_neon_dotprod;
#endif
    return count;
}

const kernels_t *kernels_find(const char *name)
{
    const kernels_t *table[MOST];
    int count = available(table);
    if (!strcmp(name, "auto"))
        return table[count - 1];
    for (int i = 0; i < count; i++)
        if (!strcmp(name, table[i]->name))
            return table[i];
    return NULL;
}

const char *kernels_name(int i)
{
    const kernels_t *table[MOST];
    return i < available(table) ? table[i]->name : NULL;
}
