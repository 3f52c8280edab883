/* A model of a GPU on which the kernel's source runs on a processor, for tests: every thread of the grid is a fibre, and
   which of them goes on is drawn by lot wherever a real one could have waited. So what lacks a barrier comes out wrong,
   and what waits for nothing that comes is found to. Shared memory begins as NaN, and no byte lies behind it. */

#ifndef RTWAVE_CUDA_HOST_GPU_H
#define RTWAVE_CUDA_HOST_GPU_H

#include <stddef.h>
#include <stdint.h>

namespace gpu {

struct dimensions {
    unsigned x, y, z;
};

struct launch_t {
    void (*kernel)(const void *parameter);
    const void *parameter;
    int blocks, threads, cluster; /* blocks in a cluster, or 1 */
    size_t shared_bytes;
    uint64_t order;      /* seed of the lots */
    int skipped_barrier; /* number of the __syncthreads in the source that is left out, or -1 */
};

/* The fibre that runs: its place in the grid, and its block's shared memory. */
extern dimensions thread_index, block_index, grid_size;
extern unsigned char *shared;

/* Runs all blocks to the end; false when none can go on. One launch at a time. */
bool run(const launch_t &launch);

/* What follows is called by fibres. */

void block_barrier(int number);
void cluster_barrier();

/* Leave `bytes` for the other lanes of the warp and wait for all of theirs: (32 lanes, 64 bytes). What is returned stays
   until this lane's next call. */
const unsigned char (*exchange(const void *mine, size_t bytes))[64];

/* Another fibre's turn: `counter` stood lower than it must. */
void wait_for_change();

/* Some memory that others wait for has changed. */
void changed();

/* The same place in the shared memory of another block of the cluster. */
unsigned char *remote(const void *pointer, int block);

/* Barriers in shared memory that count arrivals and bytes. */
void barrier_make(void *barrier, int arrivals);
void barrier_expect(void *barrier, int bytes);
void barrier_arrive(void *barrier);
bool barrier_ended(const void *barrier, int parity);

/* A write that arrives some time later, and then counts at a barrier. */
void write_later(void *address, const void *value, size_t bytes, void *barrier);

}

#endif
