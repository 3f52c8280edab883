/* One launch of the kernel, and the wait for its answer: a word in memory that host and GPU share, into which the
   kernel writes the number of its launch once all samples are written. */

#ifndef RTWAVE_CUDA_LAUNCH_H
#define RTWAVE_CUDA_LAUNCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "kernel.h"

typedef struct {
    const driver_t *driver;
    CUfunction function;
    CUstream stream;
    int blocks, threads, cluster; /* blocks in a cluster, or 1: a cooperative grid */
    size_t shared_bytes;          /* of a block */
    _Atomic uint32_t *done;       /* number of the launch that was answered last */
    uint32_t sequence;            /* number of the latest */
    bool in_flight;               /* launched, and neither answered nor known to have ended */
    int64_t frame_ns;             /* what a frame takes, of late */
    _Atomic uint64_t chunks, slept; /* answered; of these, waited for longer than it was worth spinning */
    _Atomic int64_t longest_ns;     /* from before a launch to its answer */
    char trouble[DRIVER_WORDS];     /* why something failed */
} launcher_t;

/* Whether the driver did as it was told; if not, `trouble` says what `function` answered. */
bool launcher_good(launcher_t *launcher, const char *function, CUresult result);

/* Whether the GPU can ever hold one cluster: where it cannot, launches are refused in many words. */
bool launcher_fits(launcher_t *launcher);

/* Launch with `parameter`, whose sequence is filled in, and wait, spinning for as long as a chunk usually takes, then
   looking every 50 us. False, with the reason in `trouble`, after an error or 2 s without an answer. */
bool launcher_run(launcher_t *launcher, wavenet_launch_t *parameter);

#endif
