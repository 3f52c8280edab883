/* What differs from one system to the next: clock, semaphore, threads and their priority, memory locks. */
#ifndef RTWAVE_REALTIME_H
#define RTWAVE_REALTIME_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#endif
#if defined(__APPLE__)
#include <dispatch/dispatch.h>
#include <pthread/qos.h>
#elif defined(__linux__)
#include <semaphore.h>
#include <sys/syscall.h>
#endif

/* Clock: monotonic nanoseconds, a sleep until such a moment, and a breath for who looks at a word again and again. */

static inline void cpu_pause(void) {
#if defined(__i386__) || defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#if defined(_WIN32)

static inline int64_t clock_now_ns(void) {
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)per_second.QuadPart);
}

static inline void clock_sleep_until(int64_t moment_ns) {
    int64_t left_ms = (moment_ns - clock_now_ns()) / 1000000;
    if (left_ms > 0)
        Sleep((DWORD)left_ms);
}

#else

static inline int64_t clock_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void clock_sleep_until(int64_t moment_ns) {
#if defined(__linux__)
    struct timespec moment = {.tv_sec = moment_ns / 1000000000, .tv_nsec = moment_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL) == EINTR) {
    }
#else
    int64_t left_ns = moment_ns - clock_now_ns();
    if (left_ns > 0) {
        struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
        nanosleep(&left, NULL);
    }
#endif
}

#endif

/* Semaphore: `doorbell_ring` neither blocks nor allocates, so an audio callback may call it. */

#if defined(_WIN32)
typedef HANDLE doorbell_t;
static inline int doorbell_init(doorbell_t *bell) { return (*bell = CreateSemaphoreA(NULL, 0, 1, NULL)) != NULL; }
static inline void doorbell_destroy(doorbell_t *bell) { CloseHandle(*bell); }
static inline void doorbell_ring(doorbell_t *bell) { ReleaseSemaphore(*bell, 1, NULL); }
static inline void doorbell_wait(doorbell_t *bell) { WaitForSingleObject(*bell, INFINITE); }
#elif defined(__APPLE__)
typedef dispatch_semaphore_t doorbell_t;
static inline int doorbell_init(doorbell_t *bell) { return (*bell = dispatch_semaphore_create(0)) != NULL; }
static inline void doorbell_destroy(doorbell_t *bell) { dispatch_release(*bell); }
static inline void doorbell_ring(doorbell_t *bell) { dispatch_semaphore_signal(*bell); }
static inline void doorbell_wait(doorbell_t *bell) { dispatch_semaphore_wait(*bell, DISPATCH_TIME_FOREVER); }
#else
typedef sem_t doorbell_t;
static inline int doorbell_init(doorbell_t *bell) { return sem_init(bell, 0, 0) == 0; }
static inline void doorbell_destroy(doorbell_t *bell) { sem_destroy(bell); }
static inline void doorbell_ring(doorbell_t *bell) { sem_post(bell); }
static inline void doorbell_wait(doorbell_t *bell) {
    while (sem_wait(bell) != 0 && errno == EINTR) {
    }
}
#endif

/* Threads, whose bodies are written THREAD_BODY(name, argument) and return 0; and processes, for a fork has no threads. */

#if defined(_WIN32)
#define THREAD_BODY(name, argument) DWORD WINAPI name(void *argument)
typedef HANDLE thread_t;
static inline int thread_start(thread_t *thread, LPTHREAD_START_ROUTINE body, void *argument) {
    return (*thread = CreateThread(NULL, 0, body, argument, 0, NULL)) != NULL;
}
static inline void thread_join(thread_t thread) {
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
static inline int64_t process_id(void) { return GetCurrentProcessId(); }
#else
#define THREAD_BODY(name, argument) void *name(void *argument)
typedef pthread_t thread_t;
static inline int thread_start(thread_t *thread, void *(*body)(void *), void *argument) {
    return pthread_create(thread, NULL, body, argument) == 0;
}
static inline void thread_join(thread_t thread) { pthread_join(thread, NULL); }
static inline int64_t process_id(void) { return getpid(); }
#endif

/* The system's number of the calling thread, by which others may raise its priority; 0 where there is none. */

static inline int64_t thread_id(void) {
#if defined(__linux__)
    return syscall(SYS_gettid);
#else
    return 0;
#endif
}

/* Priority of the calling thread: the first of these that the system grants. */

enum { PRIORITY_NORMAL, PRIORITY_RAISED, PRIORITY_REALTIME };

static inline int thread_raise_priority(void) {
#if defined(_WIN32)
    return SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_TIME_CRITICAL) ? PRIORITY_REALTIME : PRIORITY_NORMAL;
#else
    /* Below the audio server's own threads (JACK: 65 and up), above everything that can wait. */
    int highest = sched_get_priority_max(SCHED_FIFO);
    struct sched_param realtime = {.sched_priority = highest < 50 ? highest : 50};
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &realtime) == 0)
        return PRIORITY_REALTIME;
#if defined(__linux__)
    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -11) == 0)
        return PRIORITY_RAISED;
#elif defined(__APPLE__)
    if (pthread_set_qos_class_self_np(QOS_CLASS_USER_INTERACTIVE, 0) == 0)
        return PRIORITY_RAISED;
#endif
    return PRIORITY_NORMAL;
#endif
}

/* Priority of the calling thread as one number, for another to take on: of a real-time policy, or below 256. */

static inline int thread_priority(void) {
#if defined(_WIN32)
    return GetThreadPriority(GetCurrentThread());
#else
    struct sched_param realtime;
    int policy;
    if (pthread_getschedparam(pthread_self(), &policy, &realtime) == 0 && (policy == SCHED_FIFO || policy == SCHED_RR))
        return policy * 256 + realtime.sched_priority;
#if defined(__APPLE__)
    return qos_class_self();
#else
    return getpriority(PRIO_PROCESS, 0); /* of the thread alone on Linux */
#endif
#endif
}

static inline void thread_set_priority(int priority) {
#if defined(_WIN32)
    SetThreadPriority(GetCurrentThread(), priority);
#else
    struct sched_param param = {.sched_priority = priority < 256 ? 0 : priority % 256};
    if (priority >= 256) {
        pthread_setschedparam(pthread_self(), priority / 256, &param);
        return;
    }
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &param);
#if defined(__APPLE__)
    pthread_set_qos_class_self_np((qos_class_t)priority, 0);
#else
    setpriority(PRIO_PROCESS, 0, priority);
#endif
#endif
}

/* Keep memory out of swap; 0 where the system refuses. */

static inline int memory_lock(const void *address, size_t size) {
#if defined(_WIN32)
    return VirtualLock((void *)address, size) != 0;
#else
    return mlock(address, size) == 0;
#endif
}

#endif
