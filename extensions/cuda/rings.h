/* Ring caches: each layer's past inputs, in global memory, one ring a slot. A row older than the note is not looked up:
   it is what silence left there, or zero. So a note that starts costs nothing. */

#ifndef RTWAVE_CUDA_RINGS_H
#define RTWAVE_CUDA_RINGS_H

#include "matrices.h"

enum { CHUNK = 16 / BYTES_EACH, CHUNKS = RESIDUAL / CHUNK }; /* 16 bytes: so many channels; so many a row */

DEVICE uint4 *ring_row(const block_t &block, int layer, int slot, int64_t time)
{
    const int64_t row = (int64_t)slot * ring_rows[layer] + (time & (ring_rows[layer] - 1));
    return at<uint4>(block.state, rings[layer]) + row * CHUNKS;
}

DEVICE uint4 silent_chunk(const float *silence, int chunk)
{
    union {
        uint4 all;
        unsigned char bytes[16];
    } row;
    UNROLL
    for (int i = 0; i < CHUNK; i += 2) {
        const int channel = chunk * CHUNK + i;
        put_pair(row.bytes, i, channel < CHANNELS ? silence[channel] : 0.0f,
                 channel + 1 < CHANNELS ? silence[channel + 1] : 0.0f);
    }
    return row.all;
}

/* The rows that past taps of layer `index` of this block meet: (TAPS, VOICES). */
DEVICE unsigned char *past_rows(int index, int tap)
{
    return shared_memory + S_PAST_ROWS + (index * TAPS + tap) * VOICES * RESIDUAL_ROW;
}

/* And its inputs (VOICES), kept until they are in the ring. */
DEVICE unsigned char *input_rows(int index)
{
    return shared_memory + S_INPUT_ROWS + index * VOICES * RESIDUAL_ROW;
}

/* All threads: fetch the past of a tile. Several reads are sent off before one is waited for. */
DEVICE void look_back(const block_t &block, const wavenet_launch_t &launch)
{
    enum { TOGETHER = 4 };
    const int count = block.layers * TAPS * VOICES * CHUNKS;
    for (int first = threadIdx.x; first < count; first += TOGETHER * THREADS) {
        uint4 rows[TOGETHER];
        UNROLL
        for (int n = 0; n < TOGETHER; n++) {
            const int i = first + n * THREADS, tap = i / (CHUNKS * VOICES) % TAPS;
            const int layer = block.first + i / (CHUNKS * VOICES * TAPS);
            const voice_t *voice = tile_voices() + i / CHUNKS % VOICES;
            const int64_t time = i < count ? voice->heard - (int64_t)(TAPS - tap) * dilations[layer] : -1;
            rows[n] = make_uint4(0, 0, 0, 0);
            if (i < count && voice->slot >= 0 && time >= 0)
                rows[n] = ring_row(block, layer, voice->slot, time)[i % CHUNKS];
            else if (i < count && voice->slot >= 0 && !voice->from_zero)
                rows[n] = silent_chunk(launch.silence + layer * CHANNELS, i % CHUNKS);
        }
        UNROLL
        for (int n = 0; n < TOGETHER; n++) {
            const int i = first + n * THREADS, row = i / CHUNKS; /* (layers, TAPS, VOICES) */
            if (i < count)
                ((uint4 *)(past_rows(0, 0) + row * RESIDUAL_ROW))[i % CHUNKS] = rows[n];
        }
    }
}

/* All threads: what entered the layers joins their past. */
DEVICE void remember(const block_t &block)
{
    for (int i = threadIdx.x; i < block.layers * VOICES * CHUNKS; i += THREADS) {
        const int chunk = i % CHUNKS, number = i / CHUNKS % VOICES, index = i / (CHUNKS * VOICES);
        const voice_t *voice = tile_voices() + number;
        if (voice->slot >= 0)
            ring_row(block, block.first + index, voice->slot, voice->heard)[chunk] =
                ((const uint4 *)(input_rows(index) + number * RESIDUAL_ROW))[chunk];
    }
}

#endif
