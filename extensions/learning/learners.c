#define _DEFAULT_SOURCE /* syscall */
#include <string.h>

#include "../kernels/processor.h"
#include "stack.h"

enum { MOST_LEARNERS = 4, AVX512_BF16 = 5, AMX_BF16 = 22 };

static int available(const learner_t *table[MOST_LEARNERS])
{
    int count = 0;
    table[count++] = &learner_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (has_avx2())
        table[count++] = &learner_avx2;
    if (has_avx512()) {
        table[count++] = &learner_avx512;
#if defined(__linux__)
        if (has_leaf_7_eax(1, AVX512_BF16) && has_leaf_7_edx(AMX_BF16) && may_use_tiles())
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
