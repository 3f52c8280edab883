#include "kernels.h"

#include <string.h>

static int available(const kernels_t *table[4])
{
    int count = 0;
    table[count++] = &kernels_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        table[count++] = &kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        table[count++] = &kernels_avx512;
#elif defined(__aarch64__)
    table[count++] = &kernels_neon;
#endif
    return count;
}

const kernels_t *kernels_find(const char *name)
{
    const kernels_t *table[4];
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
    const kernels_t *table[4];
    return i < available(table) ? table[i]->name : NULL;
}
