/* Zeroed memory on cache-line boundaries. */

#ifndef RTWAVE_MEMORY_H
#define RTWAVE_MEMORY_H

#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <malloc.h>
#endif

/* NULL when memory is out; given back by memory_free. */
static inline void *memory_allocate(size_t bytes)
{
    bytes = (bytes + 63) / 64 * 64;
#if defined(_WIN32)
    void *block = _aligned_malloc(bytes, 64);
#else
    void *block = aligned_alloc(64, bytes);
#endif
    if (block)
        memset(block, 0, bytes);
    return block;
}

static inline void memory_free(void *block)
{
#if defined(_WIN32)
    _aligned_free(block);
#else
    free(block);
#endif
}

#endif
