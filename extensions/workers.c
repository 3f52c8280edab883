#define _GNU_SOURCE
#include "workers.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "denormals.h"
#include "memory.h"
#include "realtime.h"

enum {
    SPIN_NS = 50000, /* longer than from one chunk to the next, far shorter than a sound card's block */
    SHARE_BITS = 16, /* of a job's word; above them is its number */
};

#define ENDING UINT64_MAX
#define WAITING ((uint32_t)1 << 31)

typedef struct {
    alignas(64) atomic_bool asleep; /* or about to be; if the caller clears it, it rings, and the helper waits for that */
    int priority;                   /* to wake up with */
    int index;                      /* among all threads; the caller's is 0 */
    doorbell_t bell;
    thread_t thread;
    workers_t *workers;
} helper_t;

struct workers {
    alignas(64) _Atomic uint64_t job;  /* the latest: its number, then its count of shares; or ENDING */
    alignas(64) _Atomic uint32_t left; /* shares not yet done, and WAITING once the caller sleeps */
    alignas(64) work_t work;
    void *context;
    doorbell_t done; /* rung when the last share is done, if the caller sleeps */
    int threads, started; /* the caller's with them; helpers alone */
    int64_t process;      /* in which they started */
    helper_t *helpers;       /* (threads - 1) */
    _Atomic uint64_t *taken; /* (shares): the last job in which somebody took it */
};

/* A little patience; false once it is used up. */
static bool spin(int64_t until_ns)
{
    for (int i = 0; i < 8; i++)
        cpu_pause();
    return clock_now_ns() < until_ns;
}

/* Take shares of a job until all are taken, beginning with this thread's own, whose data are in its cache.
   Who comes late to a job that is over finds every share taken, by this job or by a later one. */
static void take_shares(workers_t *workers, uint64_t job, int index)
{
    const uint64_t number = job >> SHARE_BITS;
    const int shares = (int)(job & (((uint64_t)1 << SHARE_BITS) - 1));
    const int parties = shares < workers->threads ? shares : workers->threads;
    const int first = index % parties * shares / parties;
    for (int i = 0; i < shares; i++) {
        int share = (first + i) % shares;
        uint64_t last = atomic_load_explicit(&workers->taken[share], memory_order_relaxed);
        if (last >= number || !atomic_compare_exchange_strong(&workers->taken[share], &last, number))
            continue;
        workers->work(workers->context, share);
        if (atomic_fetch_sub(&workers->left, 1) == (WAITING | 1))
            doorbell_ring(&workers->done);
    }
}

/* --- helpers ------------------------------------------------------------------------------------------------- */

static void sleep_until_rung(helper_t *helper)
{
    doorbell_wait(&helper->bell);
    if (thread_priority() != helper->priority)
        thread_set_priority(helper->priority);
}

static uint64_t next_job(helper_t *helper, uint64_t last)
{
    workers_t *workers = helper->workers;
    const int64_t until_ns = clock_now_ns() + SPIN_NS;
    uint64_t job;
    do {
        job = atomic_load_explicit(&workers->job, memory_order_acquire);
        if (job != last)
            return job;
    } while (spin(until_ns));
    atomic_store(&helper->asleep, true);
    /* Whoever gave out a job meanwhile may have seen that, and then rings, or not. */
    if (atomic_load(&workers->job) == last || !atomic_exchange(&helper->asleep, false))
        sleep_until_rung(helper);
    return atomic_load(&workers->job);
}

static THREAD_BODY(help, argument)
{
    helper_t *helper = argument;
    denormals_flush();
    for (uint64_t job = 0; (job = next_job(helper, job)) != ENDING;)
        take_shares(helper->workers, job, helper->index);
    return 0;
}

/* --- the caller ------------------------------------------------------------------------------------------------ */

/* Give out a job, and wake as many helpers as it can use. */
static void publish(workers_t *workers, uint64_t job, int helpers)
{
    atomic_store(&workers->job, job);
    for (int i = 0; i < helpers; i++) {
        helper_t *helper = &workers->helpers[i];
        if (atomic_load(&helper->asleep) && atomic_exchange(&helper->asleep, false)) {
            helper->priority = thread_priority();
            doorbell_ring(&helper->bell);
        }
    }
}

static void wait_for_the_others(workers_t *workers)
{
    const int64_t until_ns = clock_now_ns() + SPIN_NS;
    do {
        if (atomic_load(&workers->left) == 0)
            return;
    } while (spin(until_ns));
    if (atomic_fetch_or(&workers->left, WAITING) != 0)
        doorbell_wait(&workers->done);
}

void workers_run(workers_t *workers, int shares)
{
    const int parties = shares < workers->threads ? shares : workers->threads;
    if (parties < 2) {
        for (int share = 0; share < shares; share++)
            workers->work(workers->context, share);
        return;
    }
    uint64_t number = (atomic_load_explicit(&workers->job, memory_order_relaxed) >> SHARE_BITS) + 1;
    uint64_t job = number << SHARE_BITS | (uint64_t)shares;
    atomic_store(&workers->left, (uint32_t)shares);
    publish(workers, job, parties - 1);
    take_shares(workers, job, 0);
    wait_for_the_others(workers);
}

workers_t *workers_create(int threads, int shares, work_t work, void *context)
{
    workers_t *workers = memory_allocate(sizeof *workers);
    if (!workers)
        return NULL;
    workers->work = work;
    workers->context = context;
    workers->threads = threads;
    workers->process = process_id();
    workers->helpers = memory_allocate(sizeof(helper_t) * threads);
    workers->taken = memory_allocate(sizeof(*workers->taken) * shares);
    bool good = workers->helpers && workers->taken && doorbell_init(&workers->done);
    while (good && workers->started < threads - 1) {
        helper_t *helper = &workers->helpers[workers->started];
        helper->workers = workers;
        helper->index = workers->started + 1;
        good = doorbell_init(&helper->bell) && thread_start(&helper->thread, help, helper);
        workers->started += good;
    }
    if (good)
        return workers;
    workers_destroy(workers);
    return NULL;
}

void workers_destroy(workers_t *workers)
{
    if (!workers)
        return;
    if (workers->process == process_id()) {
        publish(workers, ENDING, workers->started);
        for (int i = 0; i < workers->started; i++) {
            thread_join(workers->helpers[i].thread);
            doorbell_destroy(&workers->helpers[i].bell);
        }
        doorbell_destroy(&workers->done);
    }
    memory_free(workers->helpers);
    memory_free(workers->taken);
    memory_free(workers);
}
