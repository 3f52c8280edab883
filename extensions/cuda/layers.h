/* A block of layers: arXiv 1609.03499, layer by layer, for one tile of voices after another.

   Only what needs the present sample is done while it is waited for: the present tap, the gate, the residual sum. Past
   taps, biases and excitation are summed up before it comes, skips are added up once it has gone on. */

#ifndef RTWAVE_CUDA_LAYERS_H
#define RTWAVE_CUDA_LAYERS_H

#include "conditioning.h"
#include "hops.h"
#include "rings.h"

enum {
    STEPS = RESIDUAL / 16,
    GATE_TILE_BYTES = STEPS * FRAGMENT_BYTES,
    GATE_SHARE = SHARE(GATE_TILES),
    RESIDUAL_SHARE = SHARE(RESIDUAL_TILES),
    SKIP_SHARE = SHARE(SKIP_TILES),
};

/* What a thread holds through a frame: with the weights of present taps, for as long as the kernel runs. */
struct held_t {
#if PRESENT_IN == REGISTERS
    fragment_t present[PER_STAGE][GATE_SHARE][STEPS];
#endif
#if GAUSSIAN
    float2 input[RESIDUAL_SHARE]; /* w of the first stage */
#endif
    sums_t gates[PER_STAGE][GATE_SHARE]; /* all that the present sample adds to */
    sums_t stream[RESIDUAL_SHARE];       /* h, of which a lane has the same rows in every layer */
};

DEVICE unsigned char *gated_rows(int index)
{
    return shared_memory + S_GATED_ROWS + index * VOICES * RESIDUAL_ROW;
}

/* y = tanh(f) sigmoid(g) = (1 - a) / ((1 + a) (1 + b)), a = e^-2f, b = e^-g. NaN stays. */
DEVICE float gated(float f, float g)
{
    const float a = __expf(-2.0f * (f < -15.0f ? -15.0f : f)), b = __expf(g < -30.0f ? 30.0f : -g);
    return __fdividef(1.0f - a, (1.0f + a) * (1.0f + b));
}

/* The pair of channels that a lane has in the i-th of its warp's tiles. */
DEVICE int pair_of(const block_t &block, int i)
{
    return 8 * (block.warp + i * WARPS) + block.group;
}

DEVICE void hold_weights(const block_t &block, const wavenet_launch_t &launch, held_t &held)
{
#if GAUSSIAN
    UNROLL
    for (int i = 0; i < RESIDUAL_SHARE; i++)
        if (block.warp + i * WARPS < RESIDUAL_TILES)
            held.input[i] = at<float2>(launch.weights, W_INPUT)[pair_of(block, i)];
#endif
#if PRESENT_IN == REGISTERS
    UNROLL
    for (int l = 0; l < PER_STAGE; l++)
        UNROLL
        for (int i = 0; i < GATE_SHARE; i++) {
            const int tile = block.warp + i * WARPS;
            if (tile < GATE_TILES)
                UNROLL
                for (int k = 0; k < STEPS; k++)
                    held.present[l][i][k] = load_fragment(
                        block, block.weights + W_PRESENT + ((l * GATE_TILES + tile) * STEPS + k) * FRAGMENT_BYTES);
        }
#endif
}

/* Biases and past taps. */
DEVICE void sum_past(const block_t &block, held_t &held)
{
    const unsigned char *weights = matrix(block, PAST_IN, S_PAST, W_PAST);
    UNROLL
    for (int l = 0; l < PER_STAGE; l++)
        UNROLL
        for (int i = 0; i < GATE_SHARE; i++) {
            const int tile = block.warp + i * WARPS;
            if (l >= block.layers || tile >= GATE_TILES)
                continue;
            sums_t &sums = held.gates[l][i];
            read_biases(block, block.first + l, tile, sums);
            for (int tap = 0; tap < TAPS; tap++)
                multiply<STEPS>(block, sums, weights + ((l * GATE_TILES + tile) * TAPS + tap) * GATE_TILE_BYTES,
                                past_rows(l, tap), RESIDUAL_ROW);
        }
}

/* All that can be done before the present sample is there; ends with a barrier. */
DEVICE void prepare(const block_t &block, const wavenet_launch_t &launch, int tile, int frame)
{
    if (threadIdx.x < VOICES)
        begin_voice(block, launch, tile, frame);
    __syncthreads();
    look_back(block, launch);
    hear_conditioning(launch);
    if (threadIdx.x < VOICES)
        list_told();
#if PARTIALS
    if (block.stage == 0)
        excite(block, launch);
#endif
    __syncthreads();
    if (told_voices()[0]) {
        condition(block);
        __syncthreads();
    }
}

/* What enters the network besides the sample. */
DEVICE void sum_entry(const block_t &block, const wavenet_launch_t &launch, held_t &held)
{
    const float *biases = at<float>(launch.weights, W_INPUT_BIAS);
    UNROLL
    for (int i = 0; i < RESIDUAL_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        if (tile >= RESIDUAL_TILES)
            continue;
        clear(held.stream[i]);
#if PARTIALS
        multiply<EXCITATION_STEPS>(block, held.stream[i],
                                   launch.weights + W_EXCITATION + tile * EXCITATION_STEPS * FRAGMENT_BYTES,
                                   shared_memory + S_EXCITATION, EXCITATION_ROW);
#endif
        add_rows(held.stream[i], ((const float2 *)biases)[pair_of(block, i)]);
    }
}

/* Of the i-th tile's pair of channels: w x, or the row of a class. */
DEVICE float2 entering(const block_t &block, const wavenet_launch_t &launch, const held_t &held, int i, float sample)
{
#if GAUSSIAN
    return make_float2(held.input[i].x * sample, held.input[i].y * sample);
#else
    const int row = sample >= 0.0f && sample < OUTPUTS ? (int)sample : SILENT_CLASS; /* NaN: whatever it says is cut */
    return at<float2>(launch.weights, W_INPUT)[row * (RESIDUAL / 2) + pair_of(block, i)];
#endif
}

DEVICE void enter(const block_t &block, const wavenet_launch_t &launch, held_t &held, int frame, int message)
{
    if (block.warp >= RESIDUAL_TILES)
        return;
    if (frame > 0)
        hop_wait<sample_channel>(block, message - block.tiles);
    const bool sent = frame > 0 && !launch.forced;
    const float *samples = at<float>(hop_data<sample_channel>(block, message - (frame > 0 ? block.tiles : 0)), 0);
    UNROLL
    for (int n = 0; n < COLUMNS; n++)
        UNROLL
        for (int j = 0; j < 2; j++) {
            const int voice = 8 * n + 2 * block.quad + j;
            const float sample = sent ? samples[voice] : tile_voices()[voice].sample;
            UNROLL
            for (int i = 0; i < RESIDUAL_SHARE; i++) {
                if (block.warp + i * WARPS >= RESIDUAL_TILES)
                    continue;
                const float2 both = entering(block, launch, held, i, sample);
                held.stream[i].at[n][j] += both.x;
                held.stream[i].at[n][2 + j] += both.y;
            }
        }
}

/* h from the block before. */
DEVICE void receive(const block_t &block, held_t &held, int message)
{
    if (block.warp >= RESIDUAL_TILES)
        return;
    hop_wait<stream_channel>(block, message);
    UNROLL
    for (int i = 0; i < RESIDUAL_SHARE; i++)
        if (block.warp + i * WARPS < RESIDUAL_TILES)
            hop_read_tile<stream_channel>(block, message, block.warp + i * WARPS, held.stream[i]);
    hop_taken<stream_channel>(block, block.stage - 1, message);
}

/* h as layer l of this block reads it. */
DEVICE void put_stream(const block_t &block, const held_t &held, int l)
{
    UNROLL
    for (int i = 0; i < RESIDUAL_SHARE; i++)
        if (block.warp + i * WARPS < RESIDUAL_TILES)
            put_tile(block, input_rows(l), RESIDUAL_ROW, block.warp + i * WARPS, held.stream[i]);
}

DEVICE void send_stream(const block_t &block, const held_t &held, int message)
{
    if (block.warp >= RESIDUAL_TILES)
        return;
    hop_room<stream_channel>(block, message);
    UNROLL
    for (int i = 0; i < RESIDUAL_SHARE; i++)
        if (block.warp + i * WARPS < RESIDUAL_TILES)
            hop_send_tile<stream_channel>(block, block.stage + 1, message, block.warp + i * WARPS, held.stream[i]);
    hop_sent<stream_channel>(block, block.stage + 1, message);
}

DEVICE void gate(const block_t &block, held_t &held, int l)
{
    UNROLL
    for (int i = 0; i < GATE_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        if (tile >= GATE_TILES)
            continue;
        sums_t &sums = held.gates[l][i];
#if PRESENT_IN == REGISTERS
        multiply<STEPS>(block, sums, held.present[l][i], input_rows(l), RESIDUAL_ROW);
#else
        multiply<STEPS>(block, sums,
                        matrix(block, PRESENT_IN, S_PRESENT, W_PRESENT) + (l * GATE_TILES + tile) * GATE_TILE_BYTES,
                        input_rows(l), RESIDUAL_ROW);
#endif
        UNROLL
        for (int n = 0; n < COLUMNS; n++)
            UNROLL
            for (int j = 0; j < 2; j++)
                put(gated_rows(l) + (8 * n + 2 * block.quad + j) * RESIDUAL_ROW, 8 * tile + block.group,
                    gated(sums.at[n][j], sums.at[n][2 + j]));
    }
}

/* h' = h + W y + b */
DEVICE void mix(const block_t &block, held_t &held, int l)
{
    const unsigned char *weights = matrix(block, RESIDUAL_IN, S_RESIDUAL, W_RESIDUAL);
    const float2 *biases = at<float2>(shared_memory, S_RESIDUAL_BIAS);
    UNROLL
    for (int i = 0; i < RESIDUAL_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        if (tile >= RESIDUAL_TILES)
            continue;
        add_rows(held.stream[i], biases[(l * RESIDUAL_TILES + tile) * 8 + block.group]);
        multiply<STEPS>(block, held.stream[i], weights + (l * RESIDUAL_TILES + tile) * GATE_TILE_BYTES, gated_rows(l),
                        RESIDUAL_ROW);
    }
}

/* skip += W y of all layers here. */
DEVICE void add_skips(const block_t &block, int message)
{
    const unsigned char *weights = matrix(block, SKIP_IN, S_SKIP, W_SKIP);
    sums_t sums[SKIP_SHARE];
    UNROLL
    for (int i = 0; i < SKIP_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        clear(sums[i]);
        if (tile < SKIP_TILES)
            for (int l = 0; l < block.layers; l++)
                multiply<STEPS>(block, sums[i], weights + (l * SKIP_TILES + tile) * GATE_TILE_BYTES, gated_rows(l),
                                RESIDUAL_ROW);
    }
    if (block.warp >= SKIP_TILES)
        return;
    if (block.stage > 0)
        hop_wait<skip_channel>(block, message);
    UNROLL
    for (int i = 0; i < SKIP_SHARE; i++) {
        const int tile = block.warp + i * WARPS;
        if (block.stage > 0 && tile < SKIP_TILES) {
            sums_t before;
            hop_read_tile<skip_channel>(block, message, tile, before);
            add(sums[i], before);
        }
    }
    if (block.stage > 0)
        hop_taken<skip_channel>(block, block.stage - 1, message);
    hop_room<skip_channel>(block, message);
    UNROLL
    for (int i = 0; i < SKIP_SHARE; i++)
        if (block.warp + i * WARPS < SKIP_TILES)
            hop_send_tile<skip_channel>(block, block.stage + 1, message, block.warp + i * WARPS, sums[i]);
    hop_sent<skip_channel>(block, block.stage + 1, message);
}

/* From the sample, or h, to h of the block that follows. */
DEVICE void pass_through(const block_t &block, held_t &held, int message)
{
    put_stream(block, held, 0);
    __syncthreads();
    UNROLL
    for (int l = 0; l < PER_STAGE; l++) {
        if (l >= block.layers)
            continue;
        gate(block, held, l);
        __syncthreads();
        if (l + 1 < block.layers) {
            mix(block, held, l);
            put_stream(block, held, l + 1);
            __syncthreads();
        } else if (block.stage + 1 < STAGES) {
            mix(block, held, l);
            send_stream(block, held, message);
        }
    }
}

DEVICE void run_layers(const block_t &block, const wavenet_launch_t &launch)
{
    held_t held;
    hold_weights(block, launch, held);
    for (int frame = 0, message = 0; frame < launch.frames; frame++)
        for (int tile = 0; tile < block.tiles; tile++, message++) {
            prepare(block, launch, tile, frame);
            sum_past(block, held);
            if (block.stage == 0) {
                sum_entry(block, launch, held);
                enter(block, launch, held, frame, message);
            } else {
                receive(block, held, message);
            }
            pass_through(block, held, message);
            add_skips(block, message);
            remember(block);
            __syncthreads();
        }
}

#endif
