#define _DEFAULT_SOURCE
#include "launch.h"

#include <stdio.h>
#include <string.h>

#include "realtime.h"

enum {
    SPIN_NS = 100000, /* beyond what a chunk usually takes: jitter of the bus, and of the GPU's clock */
    SLEEP_NS = 50000, /* between two looks, once it is late */
};

static const int64_t PATIENCE_NS = 2000000000;

bool launcher_good(launcher_t *launcher, const char *function, CUresult result)
{
    if (result != CUDA_SUCCESS)
        driver_explain(launcher->driver, function, result, launcher->trouble);
    return result == CUDA_SUCCESS;
}

static CUlaunchConfig grid(const launcher_t *launcher, CUlaunchAttribute *attribute)
{
    memset(attribute, 0, sizeof *attribute);
    if (launcher->cluster > 1) {
        attribute->id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
        attribute->value.clusterDim.x = (unsigned)launcher->cluster;
        attribute->value.clusterDim.y = attribute->value.clusterDim.z = 1;
    } else {
        attribute->id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
        attribute->value.cooperative = 1;
    }
    return (CUlaunchConfig){
        .gridDimX = (unsigned)launcher->blocks,
        .gridDimY = 1,
        .gridDimZ = 1,
        .blockDimX = (unsigned)launcher->threads,
        .blockDimY = 1,
        .blockDimZ = 1,
        .sharedMemBytes = (unsigned)launcher->shared_bytes,
        .hStream = launcher->stream,
        .attrs = attribute,
        .numAttrs = 1,
    };
}

bool launcher_fits(launcher_t *launcher)
{
    if (launcher->cluster == 1)
        return true; /* a cooperative launch says so itself */
    CUlaunchAttribute attribute;
    CUlaunchConfig config = grid(launcher, &attribute);
    int clusters = 0;
    CUresult result = launcher->driver->clusters_at_once(&clusters, launcher->function, &config);
    if (!launcher_good(launcher, "cuOccupancyMaxActiveClusters", result))
        return false;
    if (!clusters)
        snprintf(launcher->trouble, DRIVER_WORDS,
                 "%d blocks in a cluster, each of %d threads and %zu KiB of shared memory, do not fit this GPU",
                 launcher->cluster, launcher->threads, launcher->shared_bytes >> 10);
    return clusters > 0;
}

static bool launch(launcher_t *launcher, wavenet_launch_t *parameter)
{
    CUlaunchAttribute attribute;
    CUlaunchConfig config = grid(launcher, &attribute);
    parameter->sequence = ++launcher->sequence;
    void *parameters[] = {parameter};
    CUresult result = launcher->driver->launch(&config, launcher->function, parameters, NULL);
    launcher->in_flight = launcher_good(launcher, "cuLaunchKernelEx", result);
#if defined(_WIN32)
    launcher->driver->stream_query(launcher->stream); /* there a launch may be put off until somebody asks for it */
#endif
    return launcher->in_flight;
}

static bool answered(const launcher_t *launcher)
{
    return atomic_load_explicit(launcher->done, memory_order_acquire) == launcher->sequence;
}

/* Whether an answer can still come: a kernel that has ended has given it, or never will. */
static bool runs(launcher_t *launcher)
{
    CUresult result = launcher->driver->stream_query(launcher->stream);
    if (result == CUDA_ERROR_NOT_READY || answered(launcher))
        return true;
    launcher->in_flight = false;
    if (launcher_good(launcher, "the kernel", result))
        snprintf(launcher->trouble, DRIVER_WORDS, "the kernel ended without an answer");
    return false;
}

/* Whether the answer came in time. */
static bool spin(const launcher_t *launcher, int64_t until_ns)
{
    while (!answered(launcher)) {
        if (clock_now_ns() >= until_ns)
            return false;
        cpu_pause();
    }
    return true;
}

static bool look_now_and_then(launcher_t *launcher, int64_t until_ns)
{
    while (!answered(launcher)) {
        if (!runs(launcher))
            return false;
        const int64_t now_ns = clock_now_ns();
        if (now_ns > until_ns) {
            snprintf(launcher->trouble, DRIVER_WORDS, "the kernel has not answered for 2 s");
            return false;
        }
        clock_sleep_until(now_ns + SLEEP_NS);
    }
    return true;
}

/* A launch without frames is none that anybody waits for. */
static void count(launcher_t *launcher, int frames, int64_t took_ns, bool slept)
{
    if (!frames)
        return;
    launcher->frame_ns += (took_ns / frames - launcher->frame_ns) / 4;
    if (took_ns > atomic_load_explicit(&launcher->longest_ns, memory_order_relaxed))
        atomic_store_explicit(&launcher->longest_ns, took_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&launcher->chunks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&launcher->slept, slept, memory_order_relaxed);
}

bool launcher_run(launcher_t *launcher, wavenet_launch_t *parameter)
{
    const int64_t started_ns = clock_now_ns();
    if (!launch(launcher, parameter))
        return false;
    const int64_t spin_until_ns = started_ns + launcher->frame_ns * parameter->frames + SPIN_NS;
    const bool prompt = spin(launcher, spin_until_ns);
    if (!prompt && !look_now_and_then(launcher, clock_now_ns() + PATIENCE_NS))
        return false;
    launcher->in_flight = false;
    count(launcher, parameter->frames, clock_now_ns() - started_ns, !prompt);
    return true;
}
