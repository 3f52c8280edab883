/* Preloaded: aborts when a watched thread allocates, locks or writes. test_realtime.py builds and loads it.
   The thread that runs `check_render` stays watched, so the whole producer loop is, and so are the helpers, threads
   that start while `check_helpers` is on; `check_callback` only inside. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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
static enum { NOTHING, MALLOC, FREE, LOCK, WRITE, HELPER_MALLOC } planted;
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
}

void check_render(void *state, float *output, int frames) {
    static int calls;
    watched = 1;
    if (++calls % 200 == 0)
        usleep(20000); /* late now and then: starvation is watched too */
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
