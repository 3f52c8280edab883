/* A GPU that renders voices: the device of device.h over the CUDA driver, one launch of the kernel for each chunk.

   What a chunk holds lies in memory that host and GPU share, so that rendering copies, launches and looks for the
   answer. It allocates nothing; only for every sample's outputs (teacher forcing, which no producer does) room is made
   when they are first asked for. */

#ifndef RTWAVE_CUDA_GPU_H
#define RTWAVE_CUDA_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "driver.h"

typedef struct {
    int ordinal;                                  /* which GPU */
    int slots, conditioning, excitation, outputs; /* voices; C; 2K; rows of the last layer */
    int blocks, threads, cluster;                 /* of a launch; blocks in a cluster, or 1: a cooperative grid */
    size_t shared_bytes, state_bytes;             /* of a block; of all voices */
} gpu_plan_t;

/* What is loaded once. */
typedef struct {
    const void *code;     /* a cubin */
    const void *weights;  /* packed */
    const float *silence; /* (layers, R): what silence leaves in each layer's past */
    size_t weight_bytes, silence_bytes;
} gpu_load_t;

typedef struct {
    uint64_t chunks;    /* rendered */
    uint64_t slept;     /* of these, waited for longer than it was worth spinning */
    int64_t longest_ns; /* from before a launch to its answer */
} gpu_counters_t;

typedef struct gpu gpu_t;

/* Loads everything and launches once, with no voice, to see that the kernel answers. NULL, with the reason in `words`
   (DRIVER_WORDS). */
gpu_t *gpu_open(const driver_t *driver, const gpu_plan_t *plan, const gpu_load_t *load, char *words);

/* No thread may be rendering. What a kernel that never answered may still write is not given back. */
void gpu_close(gpu_t *gpu);

/* Valid until gpu_close. */
device_t *gpu_device(gpu_t *gpu);

/* Any thread. */
gpu_counters_t gpu_counters(gpu_t *gpu);

/* Any thread: why it failed for good, "" while it has not. */
const char *gpu_trouble(gpu_t *gpu);

#endif
