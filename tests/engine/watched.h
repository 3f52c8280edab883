/* Counts calls of what real-time code must not call. Linked with --wrap for every function below. */

#ifndef RTWAVE_WATCHED_H
#define RTWAVE_WATCHED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int watching, calls; /* they are counted while `watching` is 1 */

#define WATCH(result, name, parameters, arguments)      \
    result __real_##name parameters;                    \
    result __wrap_##name parameters                     \
    {                                                   \
        calls += watching;                              \
        return __real_##name arguments;                 \
    }

WATCH(void *, malloc, (size_t size), (size))
WATCH(void *, calloc, (size_t count, size_t size), (count, size))
WATCH(void *, realloc, (void *block, size_t size), (block, size))
WATCH(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
WATCH(void, free, (void *block), (block))
WATCH(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))

#endif
