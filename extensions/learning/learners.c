#define _DEFAULT_SOURCE /* syscall */
#include <string.h>

#include "stack.h"

enum { MOST_LEARNERS = 4 };

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* bfloat16 conversions (leaf 7, sub-leaf 1, EAX bit 5), tiles and their bfloat16 products (leaf 7, EDX bits 24 and 22),
   and the kernel's leave, once for the process. */
static bool has_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1)
        && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 24 & 1) && (d >> 22 & 1)
        && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

static int available(const learner_t *table[MOST_LEARNERS])
{
    int count = 0;
    table[count++] = &learner_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        table[count++] = &learner_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl")) {
        table[count++] = &learner_avx512;
#if defined(__linux__)
        if (has_tiles())
            table[count++] = &learner_avx512_amx;
#endif
    }
#endif
    return count;
}

const learner_t *learner_find(const char *name)
{
    const learner_t *table[MOST_LEARNERS];
    int count = available(table);
    for (int i = 0; i < count; i++)
        if (!strcmp(name, table[i]->name))
            return table[i];
    return NULL;
}

const char *learner_name(int index)
{
    const learner_t *table[MOST_LEARNERS];
    return index < available(table) ? table[index]->name : NULL;
}
