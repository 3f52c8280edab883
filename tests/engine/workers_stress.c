/* Jobs of every size, one after another, each share done just once: built with -fsanitize=thread by test_workers.py.
   Now and then a share is so long that the caller sleeps, or the caller so late that the helpers do. Prints how many
   shares the helpers took. With PLANTED_RACE shares also write what they have in common: the sanitizer must see it. */
#define _GNU_SOURCE
#include "workers.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { JOBS = 10000, MOST = 9, THREADS = 4 };

/* Plain numbers: only the hand-over keeps them whole. */
static int job, times_done[MOST], taken_by_helper[MOST];
static pthread_t caller;
#ifdef PLANTED_RACE
static int shared;
#endif

static void work(void *context, int share) {
    (void)context;
    const int helping = !pthread_equal(pthread_self(), caller);
    times_done[share]++;
    taken_by_helper[share] += helping;
    for (volatile int i = 0; i < (helping && (job + share) % 50 == 0 ? 500000 : 5000); i++) {
    }
#ifdef PLANTED_RACE
    shared++;
#endif
}

int main(void) {
    caller = pthread_self();
    workers_t *workers = workers_create(THREADS, MOST, work, NULL);
    if (!workers)
        return 2;
    for (job = 1; job <= JOBS; job++) {
        int shares = job % (MOST + 1);
        workers_run(workers, shares);
        for (int share = 0; share < shares; share++) {
            if (times_done[share] != 1) {
                fprintf(stderr, "share %d of job %d was done %d times\n", share, job, times_done[share]);
                return 1;
            }
            times_done[share] = 0;
        }
        if (job % 50 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    workers_destroy(workers);
    int taken = 0;
    for (int share = 0; share < MOST; share++)
        taken += taken_by_helper[share];
    printf("%d\n", taken);
    return 0;
}
