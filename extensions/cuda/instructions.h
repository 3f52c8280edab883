/* Instructions that CUDA C++ has no names for, each by what it does. host/instructions.h has the same for a processor. */

#ifndef RTWAVE_CUDA_INSTRUCTIONS_H
#define RTWAVE_CUDA_INSTRUCTIONS_H

#define DEVICE __device__ __forceinline__
#define TABLE __constant__
#define UNROLL _Pragma("unroll")
#define UNROLL_EIGHT _Pragma("unroll 8")

extern __shared__ __align__(128) unsigned char shared_memory[];

typedef unsigned int remote_t; /* an address in the shared memory of a block of the cluster */

DEVICE unsigned shared_address(const void *pointer)
{
    return (unsigned)__cvta_generic_to_shared(pointer);
}

DEVICE float from_bits(unsigned bits)
{
    return __uint_as_float(bits);
}

/* Two floats as 16-bit numbers, the first one in the lower half. */
DEVICE unsigned packed(float first, float second)
{
    unsigned both;
#if PRECISION == FLOAT16
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
#else
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
#endif
    return both;
}

/* sums (16 x 8, four a lane) += a (16 x 16) b (16 x 8): mma.m16n8k16. */
DEVICE void multiply_add(float (&sums)[4], uint4 a, uint2 b)
{
#if PRECISION == FLOAT16
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
#endif
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
}

/* What other blocks of the grid have counted, and with it all they wrote before. */
DEVICE unsigned read_acquire(const unsigned *counter)
{
    unsigned value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
    return value;
}

/* Between two looks at a counter: to look again takes long enough. */
DEVICE void pause_briefly()
{
}

/* A number that the host looks at, after all that was written before. */
DEVICE void write_release(unsigned *word, unsigned value)
{
    asm volatile("st.release.sys.global.u32 [%0], %1;" : : "l"(word), "r"(value) : "memory");
}

#if CLUSTERED
DEVICE remote_t remote_address(const void *pointer, int block)
{
    remote_t remote;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(shared_address(pointer)), "r"(block));
    return remote;
}

DEVICE void cluster_barrier()
{
    asm volatile("barrier.cluster.arrive.release;\n barrier.cluster.wait.acquire;" : : : "memory");
}

/* Arrivals a phase; made known to the cluster by barriers_made. */
DEVICE void barrier_make(void *barrier, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" : : "r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

DEVICE void barriers_made()
{
    asm volatile("fence.mbarrier_init.release.cluster;" : : : "memory");
}

/* Arrive, and let the phase end only when so many bytes have come. */
DEVICE void barrier_expect(void *barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                 : : "r"(shared_address(barrier)), "r"(bytes) : "memory");
}

DEVICE void barrier_arrive(remote_t barrier)
{
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" : : "r"(barrier) : "memory");
}

/* Wait until the phase of this parity has ended. What came by write_async lies in this block's own shared memory, so
   that an acquire for the block does; one for the cluster would empty the L1 cache each time. */
DEVICE void barrier_wait(void *barrier, int parity)
{
    asm volatile("{\n .reg .pred ended;\n"
                 "again:\n mbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n"
                 "@!ended bra again;\n}"
                 : : "r"(shared_address(barrier)), "r"(parity) : "memory");
}

/* Write without waiting; the barrier counts the bytes once they are there. */
DEVICE void write_async(remote_t address, float4 value, remote_t barrier)
{
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1,%2,%3,%4}, [%5];"
                 : : "r"(address), "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w), "r"(barrier) : "memory");
}

DEVICE void write_async(remote_t address, float value, remote_t barrier)
{
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.f32 [%0], %1, [%2];"
                 : : "r"(address), "f"(value), "r"(barrier) : "memory");
}
#endif

#endif
