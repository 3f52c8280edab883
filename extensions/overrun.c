#define _GNU_SOURCE
#include "overrun.h"

#if defined(__linux__)

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

static atomic_int guarded;

static void let_go(int signal) {
    (void)signal;
    int before = errno;
    struct sched_param normal = {0};
    /* RealtimeKit sets this flag, and only the privileged may clear it. */
    sched_setscheduler(atomic_load(&guarded), SCHED_OTHER | SCHED_RESET_ON_FORK, &normal);
    errno = before;
}

static rlim_t at_most(rlim_t value, rlim_t limit) { return limit == RLIM_INFINITY || value < limit ? value : limit; }

int overrun_guard(int thread, int soft_us, int hard_us) {
    struct rlimit limits;
    struct sigaction action = {.sa_handler = let_go, .sa_flags = SA_RESTART};
    atomic_store(&guarded, thread);
    if (getrlimit(RLIMIT_RTTIME, &limits) != 0 || sigaction(SIGXCPU, &action, NULL) != 0)
        return 0;
    limits.rlim_max = at_most((rlim_t)hard_us, limits.rlim_max);
    limits.rlim_cur = at_most((rlim_t)soft_us, limits.rlim_cur);
    return setrlimit(RLIMIT_RTTIME, &limits) == 0;
}

#else

int overrun_guard(int thread, int soft_us, int hard_us) {
    (void)thread, (void)soft_us, (void)hard_us;
    return 0;
}

#endif
