/* A WaveNet that plays on a GPU: one launch renders a chunk of frames of all voices, sample by sample, without a word
   from the host in between.

   Blocks stand in pipelines. Each block of a pipeline keeps its layers' weights where it can reach them fast and passes
   h on; the last one has the head, draws, and sends the sample back to the first: so a frame goes round. A tile of
   voices is one message; where a pipeline has several tiles, its blocks work on different ones at once.

   README.md beside this has what each part should cost. */

#include "head.h"
#include "layers.h"

DEVICE void copy_in(int shared_offset, const unsigned char *from, int bytes)
{
    uint4 *to = at<uint4>(shared_memory, shared_offset);
    for (int i = threadIdx.x; i < bytes / 16; i += THREADS)
        to[i] = ((const uint4 *)from)[i];
}

/* Weights that this block keeps; zeros in all rows, of which padding is never written. */
DEVICE void fill_shared(const block_t &block)
{
    uint4 *rows = at<uint4>(shared_memory, S_ROWS);
    const uint4 zero = {0, 0, 0, 0};
    for (int i = threadIdx.x; i < S_ROWS_BYTES / 16; i += THREADS)
        rows[i] = zero;
    if (block.stage == HEAD_STAGE) {
        copy_in(S_HIDDEN_BIAS, block.weights + W_HIDDEN_BIAS, HEAD * 4);
        copy_in(S_OUTPUT_BIAS, block.weights + W_OUTPUT_BIAS, OUTPUTS_PADDED * 4);
        if (HIDDEN_IN == SHARED_MEMORY)
            copy_in(S_HIDDEN, block.weights + W_HIDDEN, HIDDEN_BYTES);
        if (OUTPUT_IN == SHARED_MEMORY)
            copy_in(S_OUTPUT, block.weights + W_OUTPUT, OUTPUT_BYTES);
        return;
    }
    copy_in(S_RESIDUAL_BIAS, block.weights + W_RESIDUAL_BIAS, PER_STAGE * RESIDUAL * 4);
    if (RESIDUAL_IN == SHARED_MEMORY)
        copy_in(S_RESIDUAL, block.weights + W_RESIDUAL, RESIDUAL_BYTES);
    if (PRESENT_IN == SHARED_MEMORY)
        copy_in(S_PRESENT, block.weights + W_PRESENT, PRESENT_BYTES);
    if (PAST_IN == SHARED_MEMORY)
        copy_in(S_PAST, block.weights + W_PAST, PAST_BYTES);
    if (SKIP_IN == SHARED_MEMORY)
        copy_in(S_SKIP, block.weights + W_SKIP, SKIP_BYTES);
}

/* The block that ends last clears the counters for the next launch, and tells the host. */
DEVICE void finish(const block_t &block, const wavenet_launch_t &launch)
{
    int *is_last = at<int>(shared_memory, S_SLOTS);
    unsigned *ended = at<unsigned>(block.state, G_ENDED);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence_system();
        *is_last = atomicAdd(ended, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!*is_last)
        return;
#if !CLUSTERED
    unsigned *counters = at<unsigned>(block.state, G_COUNTERS);
    for (int i = threadIdx.x; i < PIPES * (STAGES + 1) * COUNTERS; i += THREADS)
        counters[i] = 0;
#endif
    if (threadIdx.x == 0) {
        *ended = 0;
        __threadfence_system();
        write_release(launch.done, launch.sequence);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) wavenet_render(const __grid_constant__ wavenet_launch_t launch)
{
    const block_t block = this_block(launch);
    find_tellings(block, launch);
    fill_shared(block);
    hops_open();
    __syncthreads();
    if (block.stage == HEAD_STAGE)
        run_head(block, launch);
    else
        run_layers(block, launch);
    hops_close();
    finish(block, launch);
}
