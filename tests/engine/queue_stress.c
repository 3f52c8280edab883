/* Two threads, one queue, batches of every size, every record whole and in order: built with -fsanitize=thread by
   test_queue_stress.py. The queue is full and empty over and over. With PLANTED_RACE the producer also writes where the
   consumer may be, and the sanitizer must see it. */
#define _GNU_SOURCE
#include "queue.h"

#include <pthread.h>
#include <stdio.h>

enum { RECORDS = 1 << 17, CAPACITY = 64, MOST = 40 };

/* A torn one shows. */
typedef struct {
    uint64_t number, twice;
    uint32_t low;
} record_t;

static queue_t queue;

static void *push_records(void *unused) {
    (void)unused;
    record_t batch[MOST];
    for (uint64_t sent = 0, size = 1; sent < RECORDS; size = size % MOST + 1) {
        uint64_t count = size < RECORDS - sent ? size : RECORDS - sent;
        for (uint64_t i = 0; i < count; i++)
            batch[i] = (record_t){sent + i, 2 * (sent + i), (uint32_t)(sent + i)};
#ifdef PLANTED_RACE
        ((record_t *)queue.slots)[sent % CAPACITY].number = batch[0].number;
#endif
        while (!queue_push(&queue, batch, count)) {
        }
        sent += count;
    }
    return NULL;
}

int main(void) {
    pthread_t producer;
    record_t record;
    if (!queue_create(&queue, sizeof record, CAPACITY) || pthread_create(&producer, NULL, push_records, NULL))
        return 2;
    for (uint64_t received = 0; received < RECORDS;) {
        if (!queue_pop(&queue, &record))
            continue;
        if (record.number != received || record.twice != 2 * received || record.low != (uint32_t)received) {
            fprintf(stderr, "record %llu came as %llu\n", (unsigned long long)received, (unsigned long long)record.number);
            return 1;
        }
        received++;
    }
    pthread_join(producer, NULL);
    queue_destroy(&queue);
    return 0;
}
