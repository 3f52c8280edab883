/* Pieces of one block of memory, each on a cache line. */

#ifndef RTWAVE_ARENA_H
#define RTWAVE_ARENA_H

#include <stddef.h>

enum { ARENA_ALIGNMENT = 64 };

/* With no block yet it only counts, so that one walk sizes and one walk fills. */
typedef struct {
    char *block;
    size_t used;
} arena_t;

static inline void *arena_take(arena_t *arena, size_t bytes)
{
    char *piece = arena->block ? arena->block + arena->used : NULL;
    arena->used += (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    return piece;
}

static inline float *arena_take_floats(arena_t *arena, size_t floats)
{
    return arena_take(arena, floats * sizeof(float));
}

#endif
