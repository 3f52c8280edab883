/* What a GPU can do at best, for tools/race_cuda.py: bytes and multiply-adds a second, and how long it takes until one
   block knows what another has done. Every kernel does one thing `rounds` times; the host takes the time.

   No header is included, so that NVRTC needs none. Clusters are there from compute capability 9.0 on. */

enum { CHAINS = 8 }; /* independent sums a thread: more than the multiply-add's latency hides */

/* --- bytes and multiply-adds ----------------------------------------------------------------------------------- */

/* Grid-stride copy of `count` (16 bytes each): each round reads and writes all of them. */
extern "C" __global__ void copy(const uint4 *__restrict__ from, uint4 *to, unsigned count, int rounds)
{
    const unsigned step = gridDim.x * blockDim.x;
    for (int round = 0; round < rounds; round++)
        for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
            uint4 moved;
            asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" /* past L1, as what another block wrote */
                         : "=r"(moved.x), "=r"(moved.y), "=r"(moved.z), "=r"(moved.w)
                         : "l"(from + i));
            to[i] = moved;
        }
}

/* rounds x CHAINS multiply-adds in float32 a thread. */
extern "C" __global__ void multiply_adds(float *out, float factor, int rounds)
{
    float sums[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        sums[i] = (float)(threadIdx.x + i);
    for (int round = 0; round < rounds; round++)
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            sums[i] = fmaf(sums[i], factor, 1.0f);
    float total = 0.0f;
    for (int i = 0; i < CHAINS; i++)
        total += sums[i];
    if (total == 0.5f) /* never: but what is not used is not computed */
        *out = total;
}

/* rounds x CHAINS products m16n8k16 (2048 multiply-adds) in float16 with float32 sums a warp. */
extern "C" __global__ void tensor_multiply_adds(float *out, int rounds)
{
    float sums[CHAINS][4] = {};
    const unsigned one = 0x3c003c00u, a = one + threadIdx.x, b = one - threadIdx.x;
    for (int round = 0; round < rounds; round++)
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                         "{%0, %1, %2, %3}, {%4, %5, %4, %5}, {%5, %4}, {%0, %1, %2, %3};"
                         : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])
                         : "r"(a), "r"(b));
    float total = 0.0f;
    for (int i = 0; i < CHAINS; i++)
        total += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
    if (total == 0.5f)
        *out = total;
}

/* --- barriers and hops ----------------------------------------------------------------------------------------- */

__device__ static unsigned load_acquire(const unsigned *at)
{
    unsigned value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
    return value;
}

__device__ static void store_release(unsigned *at, unsigned value)
{
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
}

/* All blocks of the grid, which must be resident at once, wait for each other. arrived: 0 at the start. */
extern "C" __global__ void grid_barriers(unsigned *arrived, int rounds)
{
    for (int round = 1; round <= rounds; round++) {
        __syncthreads();
        if (threadIdx.x == 0) {
            asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(arrived) : "memory");
            while (load_acquire(arrived) < (unsigned)round * gridDim.x)
                ;
        }
        __syncthreads();
    }
}

/* Two blocks of the grid call to each other and back, through global memory: 2 hops a round. flags: two, 128 bytes
   apart, 0 at the start. */
extern "C" __global__ void grid_hops(unsigned *flags, int rounds)
{
    unsigned *mine = flags + 32 * blockIdx.x, *other = flags + 32 * (1 - blockIdx.x);
    for (unsigned round = 1; round <= (unsigned)rounds; round++) {
        if (blockIdx.x == 0)
            store_release(other, round);
        while (load_acquire(mine) < round)
            ;
        if (blockIdx.x == 1)
            store_release(other, round);
    }
}

#if __CUDA_ARCH__ >= 900

__device__ static void cluster_barrier()
{
    asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

/* All blocks of a cluster wait for each other. */
extern "C" __global__ void cluster_barriers(int rounds)
{
    for (int round = 0; round < rounds; round++)
        cluster_barrier();
}

/* Two blocks of a cluster call to each other and back, through each other's shared memory: 2 hops a round. */
extern "C" __global__ void cluster_hops(int rounds)
{
    __shared__ unsigned flag;
    unsigned rank, other;
    const unsigned mine = (unsigned)__cvta_generic_to_shared(&flag);
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(other) : "r"(mine), "r"(1 - rank));
    flag = 0;
    cluster_barrier();
    for (unsigned round = 1, heard; round <= (unsigned)rounds; round++) {
        if (rank == 0)
            asm volatile("st.release.cluster.shared::cluster.u32 [%0], %1;" ::"r"(other), "r"(round) : "memory");
        do
            asm volatile("ld.acquire.cluster.shared::cta.u32 %0, [%1];" : "=r"(heard) : "r"(mine) : "memory");
        while (heard < round);
        if (rank == 1)
            asm volatile("st.release.cluster.shared::cluster.u32 [%0], %1;" ::"r"(other), "r"(round) : "memory");
    }
    cluster_barrier(); /* neither leaves while the other may still write to it */
}

#endif
