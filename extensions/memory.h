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

enum {
    MEMORY_LINE = 64, /* the one before a block holds its size */
    MEMORY_LARGE_PAGE = 2 << 20,
};

static inline void *memory_allocate_on(size_t boundary, size_t bytes)
{
    bytes = (bytes + MEMORY_LINE + boundary - 1) / boundary * boundary;
#if defined(_WIN32)
    char *line = _aligned_malloc(bytes, boundary);
#else
    char *line = aligned_alloc(boundary, bytes);
#endif
    if (!line)
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (boundary == MEMORY_LARGE_PAGE)
        madvise(line, bytes, MADV_HUGEPAGE); /* before the first touch; if refused, it is slower, no more */
#endif
    memset(line, 0, bytes);
    memcpy(line, &bytes, sizeof bytes);
    return line + MEMORY_LINE;
}

/* NULL when memory is out; given back by memory_free. */
static inline void *memory_allocate(size_t bytes)
{
    return memory_allocate_on(MEMORY_LINE, bytes);
}

/* The same for megabytes that are walked through: in large pages where the system has them (Linux, if the includer asks
   for _DEFAULT_SOURCE), for then the way to a page is not looked up again and again. */
static inline void *memory_allocate_large(size_t bytes)
{
    return memory_allocate_on(MEMORY_LARGE_PAGE, bytes);
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
