/* Two threads, one ring, every number in order: built with -fsanitize=thread by test_ring.py.
   With PLANTED_RACE the writer also writes where the reader may be, and the sanitizer must see it. */
#define _GNU_SOURCE
#include "ring.h"

#include <pthread.h>
#include <stdio.h>

enum { NUMBERS = 1 << 20 };

static ring_t ring;

static void *write_numbers(void *unused) {
    (void)unused;
    float block[61];
    for (size_t sent = 0, size = 1; sent < NUMBERS; size = size % 61 + 1) {
        size_t count = size < NUMBERS - sent ? size : NUMBERS - sent;
        for (size_t i = 0; i < count; i++)
            block[i] = (float)(sent + i);
#ifdef PLANTED_RACE
        ring.data[sent % ring.capacity] = block[0];
#endif
        sent += ring_write(&ring, block, count);
    }
    return NULL;
}

int main(void) {
    pthread_t writer;
    float block[47];
    if (!ring_init(&ring, 256) || pthread_create(&writer, NULL, write_numbers, NULL))
        return 2;
    for (size_t received = 0, size = 1; received < NUMBERS; size = size % 47 + 1) {
        size_t count = ring_read(&ring, block, size);
        for (size_t i = 0; i < count; i++)
            if (block[i] != (float)(received + i)) {
                fprintf(stderr, "number %zu came as %f\n", received + i, block[i]);
                return 1;
            }
        received += count;
    }
    pthread_join(writer, NULL);
    ring_free(&ring);
    return 0;
}
