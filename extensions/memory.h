/* Zeroed memory on cache-line boundaries, which can be kept out of swap. */

#ifndef RTWAVE_MEMORY_H
#define RTWAVE_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <malloc.h>
#include <windows.h>
#else
#include <sys/mman.h>
#endif

enum { MEMORY_LINE = 64 }; /* the one before a block holds its size */

/* NULL when memory is out; given back by memory_free. */
static inline void *memory_allocate(size_t bytes)
{
    bytes = (bytes + MEMORY_LINE - 1) / MEMORY_LINE * MEMORY_LINE + MEMORY_LINE;
#if defined(_WIN32)
    char *line = _aligned_malloc(bytes, MEMORY_LINE);
#else
    char *line = aligned_alloc(MEMORY_LINE, bytes);
#endif
    if (!line)
        return NULL;
    memset(line, 0, bytes);
    memcpy(line, &bytes, sizeof bytes);
    return line + MEMORY_LINE;
}

/* False where the system refuses. It stays locked until it is given back. */
static inline bool memory_lock_block(const void *block)
{
    const char *line = (const char *)block - MEMORY_LINE;
    size_t bytes;
    memcpy(&bytes, line, sizeof bytes);
#if defined(_WIN32)
    return VirtualLock((void *)line, bytes) != 0;
#else
    return mlock(line, bytes) == 0;
#endif
}

static inline void memory_free(void *block)
{
    if (!block)
        return;
    char *line = (char *)block - MEMORY_LINE;
#if defined(_WIN32)
    _aligned_free(line);
#else
    free(line);
#endif
}

#endif
