/* Pieces of one block of memory, each on a cache line. */

#ifndef RTWAVE_ARENA_H
#define RTWAVE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define ARENA_FENCE 64
#else
#define ARENA_FENCE 0
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

enum { ARENA_ALIGNMENT = 64 };

/* With no block yet it only counts, so that one walk sizes and one walk fills. Where it is fenced, a build that watches
   every access finds those between two pieces: in blocks whose pieces nobody reads past on purpose. */
typedef struct {
    char *block;
    size_t used;
    bool fenced;
} arena_t;

static inline void *arena_take(arena_t *arena, size_t bytes)
{
    char *piece = arena->block ? arena->block + arena->used : NULL;
    arena->used += (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (arena->fenced) {
        if (piece)
            ASAN_POISON_MEMORY_REGION(arena->block + arena->used, ARENA_FENCE);
        arena->used += ARENA_FENCE;
    }
    return piece;
}

static inline float *arena_take_floats(arena_t *arena, size_t floats)
{
    return arena_take(arena, floats * sizeof(float));
}

#endif
