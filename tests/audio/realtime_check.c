/* Preloaded: aborts when a watched thread allocates, locks or writes. test_realtime.py builds and loads it.
   The thread that runs `check_render` stays watched, so the whole producer loop is; `check_callback` only inside. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
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
static atomic_int armed;
static render_t real_render;
static callback_t real_callback;
static int (*real_lock)(pthread_mutex_t *);
static ssize_t (*real_write)(int, const void *, size_t);
static enum { NOTHING, MALLOC, FREE, LOCK, WRITE } planted;
static void *leftover;

__attribute__((constructor)) static void find_real_ones(void) {
    real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
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
