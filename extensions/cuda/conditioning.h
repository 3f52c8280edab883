/* What a layer adds to its gates besides its own sums, V c + b, made anew for a voice that is told; and excitation. */

#ifndef RTWAVE_CUDA_CONDITIONING_H
#define RTWAVE_CUDA_CONDITIONING_H

#include "matrices.h"
#include "tellings.h"

/* (2 RESIDUAL): of every eight channels' gates, filter and gate of one channel side by side. */
DEVICE float *gate_biases(const block_t &block, int slot, int layer)
{
    return at<float>(block.state, G_BIASES) + ((int64_t)slot * LAYERS + layer) * 2 * RESIDUAL;
}

DEVICE float *heard_conditioning()
{
    return at<float>(shared_memory, S_CONDITIONING);
}

/* The voices of the tile that are told something at this frame: their count, then their numbers. */
DEVICE int *told_voices()
{
    return at<int>(shared_memory, S_TOLD);
}

/* Threads 0 … VOICES - 1, once their voices have begun. */
DEVICE void list_told()
{
    int before = 0;
    for (unsigned i = 0; i < threadIdx.x; i++)
        before += tile_voices()[i].told >= 0;
    const bool told = tile_voices()[threadIdx.x].told >= 0;
    if (told)
        told_voices()[1 + before] = (int)threadIdx.x;
    if (threadIdx.x == VOICES - 1)
        told_voices()[0] = before + told;
}

/* All threads: fetch what the voices of the tile are told. */
DEVICE void hear_conditioning(const wavenet_launch_t &launch)
{
#if CONDITIONING
    for (int i = threadIdx.x; i < VOICES * CONDITIONING; i += THREADS) {
        const int told = tile_voices()[i / CONDITIONING].told;
        if (told >= 0)
            heard_conditioning()[i] = launch.conditioning[(int64_t)told * CONDITIONING + i % CONDITIONING];
    }
#endif
}

enum { CONDITIONED = 4 }; /* voices, by one reading of the weights */

/* All threads: V c + b of the voices from number `first` on of those that are told; two rows a thread, so that many
   reads are under way at once. */
DEVICE void condition_some(const block_t &block, int first)
{
    enum { ROWS = 2 * RESIDUAL };
    const float *weights = at<float>(block.weights, W_CONDITIONING); /* (layers, C, ROWS) */
    const float2 *biases = at<float2>(block.weights, W_GATE_BIAS);
    int voices[CONDITIONED];
    UNROLL
    for (int n = 0; n < CONDITIONED; n++)
        voices[n] = told_voices()[first + n < told_voices()[0] ? 1 + first + n : 1 + first]; /* or the first again */
    for (int i = threadIdx.x; i < block.layers * ROWS / 2; i += THREADS) {
        const float2 *column = (const float2 *)(weights + i / (ROWS / 2) * (CONDITIONING * ROWS)) + i % (ROWS / 2);
        float2 sums[CONDITIONED];
        UNROLL
        for (int n = 0; n < CONDITIONED; n++)
            sums[n] = biases[i];
        UNROLL_EIGHT
        for (int j = 0; j < CONDITIONING; j++) {
            const float2 weight = column[j * (ROWS / 2)];
            UNROLL
            for (int n = 0; n < CONDITIONED; n++) {
                const float c = heard_conditioning()[voices[n] * CONDITIONING + j];
                sums[n].x = fmaf(weight.x, c, sums[n].x);
                sums[n].y = fmaf(weight.y, c, sums[n].y);
            }
        }
        UNROLL
        for (int n = 0; n < CONDITIONED; n++)
            ((float2 *)gate_biases(block, tile_voices()[voices[n]].slot, block.first))[i] = sums[n];
    }
}

/* All threads, a barrier after they were heard; then another barrier. */
DEVICE void condition(const block_t &block)
{
    for (int first = 0; first < told_voices()[0]; first += CONDITIONED)
        condition_some(block, first);
}

/* V c + b of a tile of gates. */
DEVICE void read_biases(const block_t &block, int layer, int tile, sums_t &sums)
{
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int j = 0; j < 2; j++) {
            const int slot = tile_voices()[8 * n + 2 * block.quad + j].slot;
            const float2 zero = {0.0f, 0.0f};
            const float2 both =
                slot < 0 ? zero : ((const float2 *)gate_biases(block, slot, layer))[8 * tile + block.group];
            sums.at[n][j] = both.x;
            sums.at[n][2 + j] = both.y;
        }
}

#if PARTIALS
/* All threads of the first stage: the phasors of this frame, for the product to come, and one turn on. What several
   partials need is read before any is written, so that one wait does for all. */
DEVICE void excite(const block_t &block, const wavenet_launch_t &launch)
{
    enum { TOGETHER = 3 };
    float *all = at<float>(block.state, G_PHASORS); /* (SLOTS, 4 PARTIALS): phasors, and how they turn */
    for (int first = threadIdx.x; first < VOICES * PARTIALS; first += TOGETHER * THREADS) {
        int kept[TOGETHER];
        float sine[TOGETHER], cosine[TOGETHER], turn_sine[TOGETHER], turn_cosine[TOGETHER];
        UNROLL
        for (int n = 0; n < TOGETHER; n++) {
            const int i = first + n * THREADS, number = i / PARTIALS, k = i % PARTIALS;
            const int slot = i < VOICES * PARTIALS ? tile_voices()[number].slot : -1;
            kept[n] = slot < 0 ? -1 : slot * 4 * PARTIALS + k;
            if (kept[n] < 0)
                continue;
            const int told = tile_voices()[number].told;
            const float *phasors = told < 0 ? all + kept[n] : launch.phasors + (int64_t)told * 2 * PARTIALS + k;
            const float *turns =
                told < 0 ? all + kept[n] + 2 * PARTIALS : launch.rotation + (int64_t)told * 2 * PARTIALS + k;
            sine[n] = phasors[0];
            cosine[n] = phasors[PARTIALS];
            turn_sine[n] = turns[0];
            turn_cosine[n] = turns[PARTIALS];
        }
        UNROLL
        for (int n = 0; n < TOGETHER; n++) {
            if (kept[n] < 0)
                continue;
            const int i = first + n * THREADS;
            unsigned char *row = shared_memory + S_EXCITATION + i / PARTIALS * EXCITATION_ROW;
            put(row, i % PARTIALS, sine[n]);
            put(row, PARTIALS + i % PARTIALS, cosine[n]);
            float *to = all + kept[n];
            to[0] = sine[n] * turn_cosine[n] + cosine[n] * turn_sine[n];
            to[PARTIALS] = cosine[n] * turn_cosine[n] - sine[n] * turn_sine[n];
            to[2 * PARTIALS] = turn_sine[n];
            to[3 * PARTIALS] = turn_cosine[n];
        }
    }
}
#endif

#endif
