/* A bounded single-producer single-consumer queue of fixed-size records, lock-free (C11 atomics).

   One thread pushes, one thread pops; neither ever waits. A batch becomes visible by one release store, so the
   consumer sees all of it or nothing. Cursors count up for ever and lie on cache lines of their own. */

#ifndef RTWAVE_QUEUE_H
#define RTWAVE_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "memory.h"

typedef struct {
    alignas(64) _Atomic uint64_t written; /* producer's cursor */
    alignas(64) _Atomic uint64_t read;    /* consumer's cursor */
    alignas(64) unsigned char *slots;
    size_t size;       /* bytes of a record */
    uint64_t capacity; /* records, a power of two */
} queue_t;

/* False when memory is out. `capacity` must be a power of two. */
static inline bool queue_create(queue_t *queue, size_t size, uint64_t capacity)
{
    atomic_init(&queue->written, 0);
    atomic_init(&queue->read, 0);
    queue->size = size;
    queue->capacity = capacity;
    queue->slots = memory_allocate(size * capacity);
    return queue->slots != NULL;
}

static inline void queue_destroy(queue_t *queue)
{
    memory_free(queue->slots);
}

/* Producer: append `count` records as one batch; false, and nothing appended, when they do not all fit. */
static inline bool queue_push(queue_t *queue, const void *records, uint64_t count)
{
    uint64_t written = atomic_load_explicit(&queue->written, memory_order_relaxed);
    uint64_t read = atomic_load_explicit(&queue->read, memory_order_acquire);
    if (count > queue->capacity - (written - read))
        return false;
    for (uint64_t i = 0; i < count; i++)
        memcpy(queue->slots + ((written + i) & (queue->capacity - 1)) * queue->size,
               (const unsigned char *)records + i * queue->size, queue->size);
    atomic_store_explicit(&queue->written, written + count, memory_order_release);
    return true;
}

/* Consumer: take the oldest record; false when there is none. */
static inline bool queue_pop(queue_t *queue, void *record)
{
    uint64_t read = atomic_load_explicit(&queue->read, memory_order_relaxed);
    if (read == atomic_load_explicit(&queue->written, memory_order_acquire))
        return false;
    memcpy(record, queue->slots + (read & (queue->capacity - 1)) * queue->size, queue->size);
    atomic_store_explicit(&queue->read, read + 1, memory_order_release);
    return true;
}

#endif
