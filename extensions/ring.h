/* A lock-free ring of floats between one writing and one reading thread. Wait-free on both sides. */
#ifndef RTWAVE_RING_H
#define RTWAVE_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { RING_CACHE_LINE = 128 }; /* two lines of 64: neighbours are prefetched in pairs */

/* The cursors count frames ever written and read; each has cache lines of its own, for only one thread writes it. */
typedef struct {
    float *data; /* (capacity,) */
    size_t capacity; /* a power of two */
    char before_written[RING_CACHE_LINE];
    atomic_size_t written;
    char before_read[RING_CACHE_LINE - sizeof(atomic_size_t)];
    atomic_size_t read;
    char after_read[RING_CACHE_LINE - sizeof(atomic_size_t)];
} ring_t;

/* Room for `frames` or more; 0 when memory is short. */
static inline int ring_init(ring_t *ring, size_t frames) {
    ring->capacity = 1;
    while (ring->capacity < frames)
        ring->capacity *= 2;
    ring->data = malloc(ring->capacity * sizeof(float));
    /* Pages exist once they are written: here, and not in an audio callback. Volatile, or this would become calloc. */
    volatile float *data = ring->data;
    for (size_t i = 0; data && i < ring->capacity; i++)
        data[i] = 0.0f;
    atomic_init(&ring->written, 0);
    atomic_init(&ring->read, 0);
    return ring->data != NULL;
}

static inline void ring_free(ring_t *ring) {
    free(ring->data);
    ring->data = NULL;
}

/* Frames that wait to be read. A reader may find more by the time it reads, a writer less by the time it writes. */
static inline size_t ring_fill(const ring_t *ring) {
    size_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    return atomic_load_explicit(&ring->written, memory_order_acquire) - read;
}

/* Frames ever written, and ever read. */
static inline size_t ring_given(const ring_t *ring) { return atomic_load_explicit(&ring->written, memory_order_acquire); }
static inline size_t ring_taken(const ring_t *ring) { return atomic_load_explicit(&ring->read, memory_order_acquire); }

/* Writer: append up to `frames`; returns how many found room. */
static inline size_t ring_write(ring_t *ring, const float *source, size_t frames) {
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    size_t room = ring->capacity - (written - atomic_load_explicit(&ring->read, memory_order_acquire));
    size_t count = frames < room ? frames : room;
    size_t start = written & (ring->capacity - 1);
    size_t first = count < ring->capacity - start ? count : ring->capacity - start;
    memcpy(ring->data + start, source, first * sizeof(float));
    memcpy(ring->data, source + first, (count - first) * sizeof(float));
    atomic_store_explicit(&ring->written, written + count, memory_order_release);
    return count;
}

/* Reader: take up to `frames`; returns how many there were. */
static inline size_t ring_read(ring_t *ring, float *target, size_t frames) {
    size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    size_t fill = atomic_load_explicit(&ring->written, memory_order_acquire) - read;
    size_t count = frames < fill ? frames : fill;
    size_t start = read & (ring->capacity - 1);
    size_t first = count < ring->capacity - start ? count : ring->capacity - start;
    memcpy(target, ring->data + start, first * sizeof(float));
    memcpy(target + first, ring->data, (count - first) * sizeof(float));
    atomic_store_explicit(&ring->read, read + count, memory_order_release);
    return count;
}

#endif
