/* Messages from block to block of a pipeline: sums of a tile of voices, each lane's four floats as they are.

   In a cluster they are written into the next block's shared memory, and a barrier there counts their bytes; in a grid
   they go through global memory, and counters say how many warps have written. Message m lies in place m % DEPTH of
   the receiver's inbox. A pipeline of no more tiles than that needs nobody to say that a place is free: the sample that
   sets off the next message came of the last one. With more tiles, receivers give places back. */

#ifndef RTWAVE_CUDA_HOPS_H
#define RTWAVE_CUDA_HOPS_H

#include "matrices.h"

#define TILE_BYTES (COLUMNS * 32 * 16)

/* FULL, EMPTY: number of the first barrier, or counter; EMPTY is the sender's. */
struct stream_channel {
    enum {
        BYTES = RESIDUAL_TILES * TILE_BYTES, PLACES = DEPTH, DATA = B_STREAM, FULL = 0, EMPTY = DEPTH,
        SENDERS = OWNERS(RESIDUAL_TILES), TAKERS = OWNERS(RESIDUAL_TILES),
    };
};

struct skip_channel {
    enum {
        BYTES = SKIP_TILES * TILE_BYTES, PLACES = DEPTH, DATA = B_SKIPS, FULL = 2 * DEPTH, EMPTY = 3 * DEPTH,
        SENDERS = OWNERS(SKIP_TILES), TAKERS = OWNERS(SKIP_TILES),
    };
};

struct sample_channel { /* head to first stage, a float a voice; every tile has its place */
    enum { BYTES = VOICES * 4, PLACES = TILES, DATA = B_SAMPLES, FULL = 4 * DEPTH, SENDERS = OWNERS(VOICES) };
};

enum { COUNTERS = 4 * DEPTH + TILES };

#if CLUSTERED

DEVICE unsigned char *hop_barrier(int number)
{
    return shared_memory + S_BARRIERS + 8 * number;
}

template <class C> DEVICE const unsigned char *hop_data(const block_t &, int message)
{
    return shared_memory + S_INBOX + C::DATA + message % C::PLACES * C::BYTES;
}

template <class C> DEVICE void hop_open_full()
{
    for (int i = 0; i < C::PLACES; i++) {
        barrier_make(hop_barrier(C::FULL + i), 1);
        barrier_expect(hop_barrier(C::FULL + i), C::BYTES);
    }
}

template <class C> DEVICE void hop_open_empty()
{
    for (int i = 0; i < C::PLACES; i++)
        barrier_make(hop_barrier(C::EMPTY + i), C::TAKERS);
}

/* All threads, before the first message. */
DEVICE void hops_open()
{
    if (threadIdx.x == 0) {
        hop_open_full<stream_channel>();
        hop_open_full<skip_channel>();
        hop_open_full<sample_channel>();
        hop_open_empty<stream_channel>();
        hop_open_empty<skip_channel>();
        barriers_made();
    }
    cluster_barrier();
}

/* All threads, after the last: nobody leaves while others write here. */
DEVICE void hops_close()
{
    cluster_barrier();
}

template <class C, class T>
DEVICE void hop_send(const block_t &, int to, int message, int index, T value)
{
    const int place = message % C::PLACES;
    write_async(remote_address(shared_memory + S_INBOX + C::DATA + place * C::BYTES + index * sizeof value, to), value,
                remote_address(hop_barrier(C::FULL + place), to));
}

/* A warp, when it has sent all that it has to send of a message. */
template <class C> DEVICE void hop_sent(const block_t &, int, int)
{
}

/* A warp, or several of them: until the message is there. The block's first thread must be among them. */
template <class C> DEVICE void hop_wait(const block_t &, int message)
{
    unsigned char *barrier = hop_barrier(C::FULL + message % C::PLACES);
    barrier_wait(barrier, message / C::PLACES & 1);
    if (threadIdx.x == 0)
        barrier_expect(barrier, C::BYTES); /* of the next one here */
}

/* A warp that has read its part of a message from block `from`. */
template <class C> DEVICE void hop_taken(const block_t &block, int from, int message)
{
    if (block.tiles > C::PLACES) {
        __syncwarp();
        if (block.lane == 0)
            barrier_arrive(remote_address(hop_barrier(C::EMPTY + message % C::PLACES), from));
    }
}

/* A warp: until it may send a message. */
template <class C> DEVICE void hop_room(const block_t &block, int message)
{
    if (block.tiles > C::PLACES && message >= C::PLACES)
        barrier_wait(hop_barrier(C::EMPTY + message % C::PLACES), (message / C::PLACES - 1) & 1);
}

#else

DEVICE unsigned char *hop_inbox(const block_t &block, int stage)
{
    return block.state + G_INBOXES + (int64_t)(block.pipe * (STAGES + 1) + stage) * B_ALL;
}

DEVICE unsigned *hop_counter(const block_t &block, int stage, int number)
{
    return at<unsigned>(block.state, G_COUNTERS) + (block.pipe * (STAGES + 1) + stage) * COUNTERS + number;
}

DEVICE void hop_count(const block_t &block, unsigned *counter)
{
    __syncwarp();
    if (block.lane == 0) {
        __threadfence();
        atomicAdd(counter, 1u);
    }
}

DEVICE void hop_wait_for(const block_t &block, const unsigned *counter, unsigned count)
{
    if (block.lane == 0)
        while (read_acquire(counter) < count)
            pause_briefly();
    __syncwarp();
}

template <class C> DEVICE const unsigned char *hop_data(const block_t &block, int message)
{
    return hop_inbox(block, block.stage) + C::DATA + message % C::PLACES * C::BYTES;
}

DEVICE void hops_open()
{
}

DEVICE void hops_close()
{
}

template <class C, class T>
DEVICE void hop_send(const block_t &block, int to, int message, int index, T value)
{
    at<T>(hop_inbox(block, to), C::DATA + message % C::PLACES * C::BYTES)[index] = value;
}

template <class C> DEVICE void hop_sent(const block_t &block, int to, int message)
{
    hop_count(block, hop_counter(block, to, C::FULL + message % C::PLACES));
}

template <class C> DEVICE void hop_wait(const block_t &block, int message)
{
    hop_wait_for(block, hop_counter(block, block.stage, C::FULL + message % C::PLACES),
                 (message / C::PLACES + 1) * C::SENDERS);
}

template <class C> DEVICE void hop_taken(const block_t &block, int from, int message)
{
    if (block.tiles > C::PLACES)
        hop_count(block, hop_counter(block, from, C::EMPTY + message % C::PLACES));
}

template <class C> DEVICE void hop_room(const block_t &block, int message)
{
    if (block.tiles > C::PLACES && message >= C::PLACES)
        hop_wait_for(block, hop_counter(block, block.stage, C::EMPTY + message % C::PLACES),
                     message / C::PLACES * C::TAKERS);
}

#endif

/* A tile's sums, to the same warp and lane of another block. */
template <class C> DEVICE void hop_send_tile(const block_t &block, int to, int message, int tile, const sums_t &sums)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        hop_send<C>(block, to, message, (tile * COLUMNS + n) * 32 + block.lane,
                    make_float4(sums.at[n][0], sums.at[n][1], sums.at[n][2], sums.at[n][3]));
}

template <class C> DEVICE void hop_read_tile(const block_t &block, int message, int tile, sums_t &sums)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++) {
        const float4 four = at<float4>(hop_data<C>(block, message), 0)[(tile * COLUMNS + n) * 32 + block.lane];
        sums.at[n][0] = four.x;
        sums.at[n][1] = four.y;
        sums.at[n][2] = four.z;
        sums.at[n][3] = four.w;
    }
}

#endif
