/* Threads that help one other with its work, a job at a time.

   A job is a number of shares that do not depend on one another; whoever is free takes the next, the caller among
   them, and a caller whose helpers are late does all of it alone. Between jobs a helper spins for a moment, then sleeps.
   Handing over allocates nothing and takes no lock; a system call is made only to wake a sleeper. */

#ifndef RTWAVE_WORKERS_H
#define RTWAVE_WORKERS_H

typedef struct workers workers_t;

/* One share of a job, 0..shares - 1: called by any of the threads, denormals flushed. */
typedef void (*work_t)(void *context, int share);

/* `threads` with the caller's own; at most `shares` to a job. NULL when memory is out or no thread can be had. */
workers_t *workers_create(int threads, int shares, work_t work, void *context);

/* Between jobs. In a forked process, where there are no helpers any more, it only gives the memory back. */
void workers_destroy(workers_t *workers);

/* Do all shares of a job; one thread at a time. Helpers it wakes take on its priority. */
void workers_run(workers_t *workers, int shares);

#endif
