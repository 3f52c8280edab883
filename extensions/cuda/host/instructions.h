/* instructions.h for a processor: CUDA's words, on the model of a GPU in gpu.h. */

#ifndef RTWAVE_CUDA_HOST_INSTRUCTIONS_H
#define RTWAVE_CUDA_HOST_INSTRUCTIONS_H

#include <math.h>
#include <string.h>

#include "gpu.h"

#define DEVICE static inline
#define TABLE static
#define UNROLL
#define UNROLL_EIGHT
#define __global__
#define __grid_constant__
#define __launch_bounds__(...)

#define threadIdx gpu::thread_index
#define blockIdx gpu::block_index
#define gridDim gpu::grid_size
#define shared_memory gpu::shared
#define __expf expf

/* Each place in the source has its number. */
#define __syncthreads() gpu::block_barrier(__COUNTER__ - FIRST_BARRIER)
enum { FIRST_BARRIER = __COUNTER__ + 1 };

/* --- vectors --------------------------------------------------------------------------------------------------- */

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

DEVICE float2 make_float2(float x, float y)
{
    return {x, y};
}

DEVICE float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

DEVICE uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}

DEVICE uint2 make_uint2(unsigned x, unsigned y)
{
    return {x, y};
}

/* --- functions of CUDA ----------------------------------------------------------------------------------------- */

DEVICE float __fdividef(float a, float b)
{
    return a / b;
}

DEVICE float cospif(float x)
{
    return (float)cos(3.14159265358979323846 * x);
}

DEVICE int __ffs(unsigned bits)
{
    return __builtin_ffs((int)bits);
}

DEVICE int __clz(unsigned bits)
{
    return bits ? __builtin_clz(bits) : 32;
}

DEVICE void __threadfence()
{
}

DEVICE void __threadfence_system()
{
}

DEVICE unsigned atomicAdd(unsigned *counter, unsigned more)
{
    const unsigned before = *counter;
    *counter += more;
    gpu::changed();
    return before;
}

/* --- a warp together ------------------------------------------------------------------------------------------- */

DEVICE void __syncwarp()
{
    gpu::exchange("", 0);
}

template <class T> DEVICE T from_lane(T mine, unsigned lane)
{
    T its;
    memcpy(&its, gpu::exchange(&mine, sizeof mine)[lane], sizeof its);
    return its;
}

template <class T> DEVICE T __shfl_sync(unsigned, T mine, int lane)
{
    return from_lane(mine, lane);
}

template <class T> DEVICE T __shfl_xor_sync(unsigned, T mine, int apart)
{
    return from_lane(mine, threadIdx.x % 32 ^ apart);
}

template <class T> DEVICE T __shfl_up_sync(unsigned, T mine, int apart, int width = 32)
{
    const int lane = threadIdx.x % 32;
    return from_lane(mine, lane % width >= apart ? lane - apart : lane);
}

DEVICE unsigned __ballot_sync(unsigned, int vote)
{
    const unsigned char (*votes)[64] = gpu::exchange(&vote, sizeof vote);
    unsigned all = 0;
    for (int lane = 0; lane < 32; lane++) {
        memcpy(&vote, votes[lane], sizeof vote);
        all |= (vote != 0 ? 1u : 0u) << lane;
    }
    return all;
}

/* --- 16-bit numbers -------------------------------------------------------------------------------------------- */

DEVICE float from_bits(unsigned bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

DEVICE unsigned to_bits(float x)
{
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#if PRECISION == FLOAT16
DEVICE float widened(unsigned half)
{
    const unsigned sign = (half & 0x8000u) << 16, size = half & 0x7fffu;
    if (size >= 0x7c00u)
        return from_bits(sign | 0x7f800000u | (size & 0x3ffu) << 13);
    const float x = (float)(size & 0x3ffu) * 0x1p-24f;
    return from_bits(sign | to_bits(size < 0x400u ? x : from_bits((size << 13) + (112u << 23))));
}

DEVICE unsigned narrowed(float x)
{
    const unsigned sign = to_bits(x) >> 16 & 0x8000u;
    const float size = fabsf(x);
    if (!(size < 65520.0f))
        return sign | (size == size ? 0x7c00u : 0x7e00u);
    if (size < 0x1p-14f)
        return sign | (unsigned)lrintf(size * 0x1p24f);
    const unsigned bits = to_bits(size) - (112u << 23);
    return sign | (bits + 0xfffu + (bits >> 13 & 1u)) >> 13;
}
#else
DEVICE float widened(unsigned half)
{
    return from_bits(half << 16);
}

DEVICE unsigned narrowed(float x)
{
    const unsigned bits = to_bits(x);
    return x != x ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
#endif

DEVICE unsigned packed(float first, float second)
{
    return narrowed(first) | narrowed(second) << 16;
}

/* --- what instructions.h has ----------------------------------------------------------------------------------- */

DEVICE void multiply_add(float (&sums)[4], uint4 a, uint2 b)
{
    struct {
        unsigned a[4], b[2];
    } mine = {{a.x, a.y, a.z, a.w}, {b.x, b.y}}, its;
    const unsigned char (*lanes)[64] = gpu::exchange(&mine, sizeof mine);
    const int lane = threadIdx.x % 32, row = lane / 4, column = lane % 4 * 2;
    for (int k = 0; k < 16; k++) { /* as the registers of m16n8k16 hold it */
        const int quad = k % 8 / 2, shift = k % 2 * 16, later = k / 8;
        memcpy(&its, lanes[row * 4 + quad], sizeof its);
        const float upper = widened(its.a[2 * later] >> shift & 0xffffu);
        const float lower = widened(its.a[2 * later + 1] >> shift & 0xffffu);
        for (int j = 0; j < 2; j++) {
            memcpy(&its, lanes[(column + j) * 4 + quad], sizeof its);
            const float x = widened(its.b[later] >> shift & 0xffffu);
            sums[j] += upper * x;
            sums[2 + j] += lower * x;
        }
    }
}

DEVICE unsigned read_acquire(const unsigned *counter)
{
    return *(const volatile unsigned *)counter;
}

DEVICE void write_release(unsigned *word, unsigned value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

DEVICE void pause_briefly()
{
    gpu::wait_for_change();
}

#if CLUSTERED
typedef unsigned char *remote_t;

DEVICE remote_t remote_address(const void *pointer, int block)
{
    return gpu::remote(pointer, block);
}

DEVICE void cluster_barrier()
{
    gpu::cluster_barrier();
}

DEVICE void barrier_make(void *barrier, int arrivals)
{
    gpu::barrier_make(barrier, arrivals);
}

DEVICE void barriers_made()
{
}

DEVICE void barrier_expect(void *barrier, int bytes)
{
    gpu::barrier_expect(barrier, bytes);
}

DEVICE void barrier_arrive(remote_t barrier)
{
    gpu::barrier_arrive(barrier);
}

DEVICE void barrier_wait(void *barrier, int parity)
{
    while (!gpu::barrier_ended(barrier, parity))
        gpu::wait_for_change();
}

template <class T> DEVICE void write_async(remote_t address, T value, remote_t barrier)
{
    gpu::write_later(address, &value, sizeof value, barrier);
}
#endif

#endif
