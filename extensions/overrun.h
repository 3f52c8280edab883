/* A thread whose real-time priority ends when it holds a core for too long: what RealtimeKit asks of a process, which
   the system would otherwise kill. Linux only; elsewhere nothing. */
#ifndef RTWAVE_OVERRUN_H
#define RTWAVE_OVERRUN_H

/* Let the system's `thread` number fall back to normal priority once it has run for `soft_us` in real time without
   sleeping; at `hard_us` the system would end the process. Returns 0 where the system refuses. One thread at a time. */
int overrun_guard(int thread, int soft_us, int hard_us);

#endif
