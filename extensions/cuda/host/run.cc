/* The kernel, compiled for one network, on the model of a GPU: what tests and the stand-in for a driver call. */

#include "../wavenet.cu"

/* How many __syncthreads the source has for this network. */
extern "C" const int wavenet_barriers = __COUNTER__ - FIRST_BARRIER;

static void call(const void *parameter)
{
    wavenet_render(*(const wavenet_launch_t *)parameter);
}

/* False when the threads wait for what never comes. */
extern "C" bool wavenet_run(const wavenet_launch_t *launch, int blocks, int threads, int cluster, size_t shared_bytes,
                            uint64_t order, int skipped_barrier)
{
    return gpu::run({call, launch, blocks, threads, cluster, shared_bytes, order, skipped_barrier});
}
