/* The head of the network: out = W_2 relu(W_1 relu(skip) + b_1) + b_2, and the draw. */

#ifndef RTWAVE_CUDA_HEAD_H
#define RTWAVE_CUDA_HEAD_H

#include "hops.h"
#include "tellings.h"

enum {
    HIDDEN_STEPS = SKIP / 16,
    OUTPUT_STEPS = HEAD / 16,
    HIDDEN_SHARE = SHARE(HEAD_TILES),
    OUTPUT_SHARE = SHARE(OUTPUT_TILES),
};

#if HIDDEN_IN == REGISTERS
typedef fragment_t hidden_t[HIDDEN_SHARE][HIDDEN_STEPS];
#else
typedef const unsigned char *hidden_t;
#endif

DEVICE void hold_hidden(const block_t &block, hidden_t &hidden)
{
#if HIDDEN_IN == REGISTERS
    UNROLL
    for (int i = 0; i < HIDDEN_SHARE; i++)
        if (block.warp + i * WARPS < HEAD_TILES)
            UNROLL
            for (int k = 0; k < HIDDEN_STEPS; k++)
                hidden[i][k] = load_fragment(
                    block, block.weights + W_HIDDEN + ((block.warp + i * WARPS) * HIDDEN_STEPS + k) * FRAGMENT_BYTES);
#else
    hidden = matrix(block, HIDDEN_IN, S_HIDDEN, W_HIDDEN);
#endif
}

/* The skips of all layers, as the hidden layer reads them. */
DEVICE void receive_skips(const block_t &block, int message)
{
    if (block.warp >= SKIP_TILES)
        return;
    hop_wait<skip_channel>(block, message);
    UNROLL
    for (int i = 0; i < SHARE(SKIP_TILES); i++) {
        const int tile = block.warp + i * WARPS;
        if (tile >= SKIP_TILES)
            continue;
        sums_t sums;
        hop_read_tile<skip_channel>(block, message, tile, sums);
        rectify(sums);
        put_tile(block, shared_memory + S_SKIP_ROWS, SKIP_ROW, tile, sums);
    }
    hop_taken<skip_channel>(block, STAGES - 1, message);
}

/* A tile of the hidden layer, for the product or, of a Gaussian, in float32. */
DEVICE void put_hidden(const block_t &block, int tile, const sums_t &sums)
{
#if GAUSSIAN
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int j = 0; j < 2; j++)
            *(float2 *)(shared_memory + S_HIDDEN_ROWS + (8 * n + 2 * block.quad + j) * HIDDEN_ROW
                        + 4 * (16 * tile + 2 * block.group)) = make_float2(sums.at[n][j], sums.at[n][2 + j]);
#else
    put_tile(block, shared_memory + S_HIDDEN_ROWS, HIDDEN_ROW, tile, sums);
#endif
}

DEVICE void run_hidden(const block_t &block, const hidden_t &hidden)
{
    const float2 *biases = at<float2>(shared_memory, S_HIDDEN_BIAS);
    UNROLL
    for (int i = 0; i < HIDDEN_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        if (tile >= HEAD_TILES)
            continue;
        sums_t sums;
        clear(sums);
#if HIDDEN_IN == REGISTERS
        multiply<HIDDEN_STEPS>(block, sums, hidden[i], shared_memory + S_SKIP_ROWS, SKIP_ROW);
#else
        multiply<HIDDEN_STEPS>(block, sums, hidden + tile * HIDDEN_STEPS * FRAGMENT_BYTES, shared_memory + S_SKIP_ROWS,
                               SKIP_ROW);
#endif
        add_rows(sums, biases[8 * tile + block.group]);
        rectify(sums);
        put_hidden(block, tile, sums);
    }
}

/* The outputs of a voice. */
DEVICE float *logits_of(int voice)
{
    return at<float>(shared_memory, S_LOGITS) + voice * LOGITS;
}

#if GAUSSIAN
/* Two rows, in float32: a warp takes a voice. */
DEVICE void run_output(const block_t &block)
{
    const float *weights = (const float *)matrix(block, OUTPUT_IN, S_OUTPUT, W_OUTPUT); /* (HEAD, 2) */
    const float *biases = at<float>(shared_memory, S_OUTPUT_BIAS);
    for (int voice = block.warp; voice < VOICES; voice += WARPS) {
        const float *hidden = (const float *)(shared_memory + S_HIDDEN_ROWS + voice * HIDDEN_ROW);
        float mean = 0.0f, log_scale = 0.0f;
        UNROLL
        for (int i = block.lane; i < HEAD; i += 32) {
            const float2 both = ((const float2 *)weights)[i];
            mean = fmaf(both.x, hidden[i], mean);
            log_scale = fmaf(both.y, hidden[i], log_scale);
        }
        UNROLL
        for (int apart = 16; apart > 0; apart /= 2) {
            mean += __shfl_xor_sync(ALL_LANES, mean, apart);
            log_scale += __shfl_xor_sync(ALL_LANES, log_scale, apart);
        }
        if (block.lane == 0) {
            logits_of(voice)[0] = mean + biases[0];
            logits_of(voice)[1] = log_scale + biases[1];
        }
    }
    __syncwarp(); /* the warp that draws is the one that wrote */
}
#else
DEVICE void run_output(const block_t &block)
{
    const unsigned char *weights = matrix(block, OUTPUT_IN, S_OUTPUT, W_OUTPUT);
    const float2 *biases = at<float2>(shared_memory, S_OUTPUT_BIAS);
    UNROLL
    for (int i = 0; i < OUTPUT_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        if (tile >= OUTPUT_TILES)
            continue;
        sums_t sums;
        clear(sums);
        multiply<OUTPUT_STEPS>(block, sums, weights + tile * OUTPUT_STEPS * FRAGMENT_BYTES,
                               shared_memory + S_HIDDEN_ROWS, HIDDEN_ROW);
        add_rows(sums, biases[8 * tile + block.group]);
        UNROLL
        for (int n = 0; n < COLUMNS; n++)
            UNROLL
            for (int j = 0; j < 2; j++)
                ((float2 *)logits_of(8 * n + 2 * block.quad + j))[8 * tile + block.group] =
                    make_float2(sums.at[n][j], sums.at[n][2 + j]);
    }
    __syncthreads();
}
#endif

/* A warp takes a voice: draws, sends the sample to the first stage, tells the host. */
DEVICE void draw_voices(const block_t &block, const wavenet_launch_t &launch, int frame, int message)
{
    const bool last = frame + 1 == launch.frames;
    for (int number = block.warp; number < VOICES; number += WARPS) {
        const voice_t *voice = tile_voices() + number;
        float sample = 0.0f;
        if (voice->slot >= 0)
            sample = GAUSSIAN ? draw_gaussian(logits_of(number)[0], logits_of(number)[1], voice)
                              : draw_class(logits_of(number), voice, block.lane);
        if (block.lane == 0 && !last)
            hop_send<sample_channel>(block, 0, message, number, sample);
        if (block.lane == 0 && voice->slot >= 0) {
            launch.drawn[(int64_t)voice->slot * WAVENET_FRAMES + frame] = sample;
            if (last)
                at<float>(block.state, G_SAMPLES)[voice->slot] = sample;
        }
    }
    if (block.warp < VOICES && !last)
        hop_sent<sample_channel>(block, 0, message);
}

/* Every output of every voice, for who asked for them. */
DEVICE void tell_outputs(const block_t &block, const wavenet_launch_t &launch, int frame)
{
    for (int number = block.warp; number < VOICES; number += WARPS) {
        const int slot = tile_voices()[number].slot;
        if (slot >= 0)
            for (int i = block.lane; i < OUTPUTS; i += 32)
                launch.outputs[((int64_t)slot * WAVENET_FRAMES + frame) * OUTPUTS + i] = logits_of(number)[i];
    }
}

DEVICE void run_head(const block_t &block, const wavenet_launch_t &launch)
{
    hidden_t hidden;
    hold_hidden(block, hidden);
    for (int frame = 0, message = 0; frame < launch.frames; frame++)
        for (int tile = 0; tile < block.tiles; tile++, message++) {
            if (threadIdx.x < VOICES)
                begin_voice(block, launch, tile, frame);
            receive_skips(block, message);
            __syncthreads();
            run_hidden(block, hidden);
            __syncthreads();
            run_output(block);
            draw_voices(block, launch, frame, message);
            if (launch.outputs)
                tell_outputs(block, launch, frame);
            __syncthreads();
        }
}

#endif
