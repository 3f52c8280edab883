/* Preloaded: aborts when a watched thread allocates, locks, or calls the system for anything but its semaphore.
   test_realtime.py builds and loads it.
   The thread that runs `check_render` stays watched, so the whole producer loop is, and so are the helpers, threads
   that start while `check_helpers` is on; `check_callback` only inside. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef void (*render_t)(void *, float *, int);
typedef int (*callback_t)(const void *, void *, unsigned long, const void *, unsigned long, void *);

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static __thread int watched __attribute__((tls_model("initial-exec")));
static __thread int helping __attribute__((tls_model("initial-exec")));
static atomic_int armed, starting_helpers;
static render_t real_render;
static callback_t real_callback;
static int (*real_lock)(pthread_mutex_t *);
static int (*real_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_wait)(sem_t *);
static ssize_t (*real_write)(int, const void *, size_t);
static enum { NOTHING, MALLOC, FREE, LOCK, WRITE, HELPER_MALLOC, OPEN, MMAP, SLEEP, PRINT } planted;
static void *leftover;

__attribute__((constructor)) static void find_real_ones(void) {
    real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    real_create = dlsym(RTLD_NEXT, "pthread_create");
    real_wait = dlsym(RTLD_NEXT, "sem_wait");
    real_write = dlsym(RTLD_NEXT, "write");
}

static void forbid(const char *name) {
    if (!watched || !atomic_load(&armed))
        return;
    watched = 0;
    syscall(SYS_write, 2, "not real-time safe: ", 20);
    syscall(SYS_write, 2, name, strlen(name));
    abort();
}

void *malloc(size_t size) { forbid("malloc"); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { forbid("calloc"); return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { forbid("realloc"); return __libc_realloc(old, size); }
void free(void *old) { forbid("free"); __libc_free(old); }
int pthread_mutex_lock(pthread_mutex_t *mutex) { forbid("pthread_mutex_lock"); return real_lock(mutex); }
ssize_t write(int file, const void *bytes, size_t size) { forbid("write"); return real_write(file, bytes, size); }

#define FORBIDDEN(result, name, parameters, arguments) \
    result name parameters { \
        static result(*real) parameters; \
        forbid(#name); \
        if (!real) \
            real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
        return real arguments; \
    }

FORBIDDEN(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
FORBIDDEN(int, posix_memalign, (void **block, size_t alignment, size_t size), (block, alignment, size))
FORBIDDEN(void *, mmap, (void *at, size_t size, int right, int flags, int file, off_t from),
          (at, size, right, flags, file, from))
FORBIDDEN(int, munmap, (void *at, size_t size), (at, size))
FORBIDDEN(int, madvise, (void *at, size_t size, int advice), (at, size, advice))
FORBIDDEN(int, mlock, (const void *at, size_t size), (at, size))
FORBIDDEN(ssize_t, read, (int file, void *bytes, size_t size), (file, bytes, size))
FORBIDDEN(int, close, (int file), (file))
FORBIDDEN(FILE *, fopen, (const char *path, const char *mode), (path, mode))
FORBIDDEN(size_t, fwrite, (const void *bytes, size_t size, size_t count, FILE *file), (bytes, size, count, file))
FORBIDDEN(int, puts, (const char *words), (words))
FORBIDDEN(int, vfprintf, (FILE *file, const char *format, va_list values), (file, format, values))
FORBIDDEN(int, poll, (struct pollfd *files, nfds_t count, int limit_ms), (files, count, limit_ms))
FORBIDDEN(int, nanosleep, (const struct timespec *wanted, struct timespec *left), (wanted, left))
FORBIDDEN(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left),
          (clock, flags, wanted, left))
FORBIDDEN(int, sched_yield, (void), ())
FORBIDDEN(int, pthread_join, (pthread_t thread, void **result), (thread, result))

int open(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list mode;
    forbid("open");
    va_start(mode, flags);
    int file = real(path, flags, va_arg(mode, int));
    va_end(mode);
    return file;
}

int printf(const char *format, ...) {
    va_list values;
    forbid("printf");
    va_start(values, format);
    int count = vfprintf(stdout, format, values);
    va_end(values);
    return count;
}

typedef struct {
    void *(*body)(void *);
    void *argument;
} helper_t;

static void *run_helper(void *argument) {
    helper_t helper = *(helper_t *)argument;
    free(argument);
    watched = helping = 1;
    return helper.body(helper.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *options, void *(*body)(void *), void *argument) {
    if (!atomic_load(&starting_helpers))
        return real_create(thread, options, body, argument);
    helper_t *helper = malloc(sizeof *helper);
    *helper = (helper_t){body, argument};
    return real_create(thread, options, run_helper, helper);
}

/* A helper comes here between jobs. */
int sem_wait(sem_t *semaphore) {
    int result = real_wait(semaphore);
    if (helping && planted == HELPER_MALLOC && atomic_load(&armed))
        leftover = malloc(16);
    return result;
}

void check_helpers(int on) { atomic_store(&starting_helpers, on); }
void check_set(render_t render, callback_t callback) {
    real_render = render, real_callback = callback;
    leftover = malloc(16);
}
void check_arm(int on) { atomic_store(&armed, on); }
void check_plant(int fault) { planted = fault; }

static void commit_planted_fault(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    if (planted == MALLOC)
        leftover = malloc(16);
    else if (planted == FREE)
        free(leftover);
    else if (planted == LOCK)
        pthread_mutex_lock(&mutex);
    else if (planted == WRITE && write(2, "", 0))
        abort();
    else if (planted == OPEN)
        close(open("/dev/null", 0));
    else if (planted == MMAP)
        leftover = mmap(NULL, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else if (planted == SLEEP)
        nanosleep(&(struct timespec){0, 1}, NULL);
    else if (planted == PRINT)
        printf("%d\n", planted);
}

void check_render(void *state, float *output, int frames) {
    static int calls;
    watched = 1;
    if (++calls % 200 < 4)
        usleep(20000); /* late now and then: starvation is watched too, and the governor */
    if (atomic_load(&armed))
        commit_planted_fault();
    real_render(state, output, frames);
}

int check_callback(const void *input, void *output, unsigned long frames, const void *time_info, unsigned long status,
                   void *stream) {
    watched = 1;
    int result = real_callback(input, output, frames, time_info, status, stream);
    watched = 0;
    return result;
}
