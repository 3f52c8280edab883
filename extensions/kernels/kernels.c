#define _DEFAULT_SOURCE /* syscall */
#include "kernels.h"

#include <string.h>

#include "processor.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

enum { MOST = 7, AVX_VNNI = 4, AMX_INT8 = 25 };

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

/* Slowest first. */
static int available(const kernels_t *table[MOST])
{
    int count = 0;
    table[count++] = &kernels_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (has_avx2()) {
        table[count++] = &kernels_avx2;
        if (has_leaf_7_eax(1, AVX_VNNI))
            table[count++] = &kernels_avx2_vnni;
    }
    if (has_avx512()) {
        table[count++] = &kernels_avx512;
        if (__builtin_cpu_supports("avx512vnni")) {
            table[count++] = &kernels_avx512_vnni;
#if defined(__linux__)
            if (has_leaf_7_edx(AMX_INT8) && may_use_tiles())
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
