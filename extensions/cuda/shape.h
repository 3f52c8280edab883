/* The sizes of the network and where everything lies, of which cuda_plan.py gives the macros, and who is who in a block.

   Given: LAYERS, STAGES, PER_STAGE (layers in a block), CHANNELS (R), RESIDUAL, SKIP, HEAD, OUTPUTS_PADDED, EXCITATION
   (R, S, H, outputs, 2K, whole fragments of 16), OUTPUTS, CONDITIONING (C), PARTIALS (K), TAPS (past ones), GAUSSIAN,
   SILENT_CLASS, DILATIONS, RING_ROWS (powers of two), PRECISION, WARPS, COLUMNS (eights of voices in a tile), SLOTS,
   PIPES, CLUSTERED, TILES (of a pipeline, power of two), DEPTH (messages that a block has room for); X_IN, where the
   matrix X is; W_X, S_X, G_X, B_X: byte offsets in the weights, in shared memory, in the state, in a block's inbox. */

#ifndef RTWAVE_CUDA_SHAPE_H
#define RTWAVE_CUDA_SHAPE_H

#define FLOAT32 0
#define BFLOAT16 1
#define FLOAT16 2

#define GLOBAL_MEMORY 0
#define SHARED_MEMORY 1
#define REGISTERS 2

#include "kernel.h"

#ifdef __CUDACC__
#include "instructions.h"
#else
#include "host/instructions.h"
#endif

#define WARPS_POWER (WARPS >= 8 ? 8 : WARPS >= 4 ? 4 : WARPS >= 2 ? 2 : 1)
#define SHARE(tiles) (((tiles) + WARPS - 1) / WARPS) /* of so many tiles, a warp's */
#define OWNERS(tiles) ((tiles) < WARPS ? (tiles) : WARPS) /* warps that have one */

enum {
    THREADS = 32 * WARPS,
    THREADS_POWER = 32 * WARPS_POWER, /* the largest power of two within */
    VOICES = 8 * COLUMNS,
    HEAD_STAGE = STAGES,
    GATE_TILES = RESIDUAL / 8, /* eight channels' filters, and their gates */
    RESIDUAL_TILES = RESIDUAL / 16,
    SKIP_TILES = SKIP / 16,
    HEAD_TILES = HEAD / 16,
    OUTPUT_TILES = OUTPUTS_PADDED / 16,
    EXCITATION_STEPS = EXCITATION / 16,
    BYTES_EACH = PRECISION == FLOAT32 ? 4 : 2,
    LOGITS = OUTPUTS_PADDED + 4, /* floats in a voice's row of logits */
};

TABLE const int dilations[LAYERS] = DILATIONS;
TABLE const int ring_rows[LAYERS] = RING_ROWS;
TABLE const int64_t rings[LAYERS] = G_RINGS;

/* Where a slot stands in its note and in the chunk, as each block keeps it for itself. */
typedef struct {
    int64_t heard; /* samples since the note began */
    int32_t first; /* telling of the chunk */
    unsigned char tellings, next; /* how many, and which of them comes next */
    unsigned char starts;         /* of the first: a note begins, and how */
    unsigned char from_zero;      /* it began with zeros in the past, not with silence */
    uint64_t frames;              /* when each is due, a byte a telling, the first one lowest */
} track_t;

/* What the head knows of the note in a slot. */
typedef struct {
    int64_t age; /* of the sample to be drawn next */
    uint64_t ordinal;
    float temperature;
    int32_t unused;
} note_t;

/* A voice of the tile at hand; in shared memory. */
typedef struct {
    int64_t heard;
    int32_t slot; /* -1: there is none */
    int32_t told; /* the telling of this frame, or -1 */
    int32_t from_zero;
    float sample;      /* what enters the network, unless it comes from the head */
    float temperature; /* the head's */
    float variate;     /* the head's: normal, or uniform */
} voice_t;

struct block_t {
    int stage, pipe, tiles;
    int first, layers; /* its layers: the first one's number, and how many */
    int warp, lane;
    int group, quad; /* of the lane, in a fragment */
    const unsigned char *weights; /* of this stage, or the head */
    unsigned char *state;
};

DEVICE block_t this_block(const wavenet_launch_t &launch)
{
    block_t block;
    block.stage = blockIdx.x % (STAGES + 1);
    block.pipe = blockIdx.x / (STAGES + 1);
    const int tiles = (launch.active + VOICES - 1) / VOICES; /* dealt round */
    block.tiles = launch.frames > 0 && tiles > block.pipe ? (tiles - block.pipe + PIPES - 1) / PIPES : 0;
    block.first = block.stage * PER_STAGE;
    block.layers = LAYERS - block.first < PER_STAGE ? LAYERS - block.first : PER_STAGE;
    block.warp = threadIdx.x / 32;
    block.lane = threadIdx.x % 32;
    block.group = block.lane / 4;
    block.quad = block.lane % 4;
    block.weights = launch.weights + (block.stage == HEAD_STAGE ? W_HEAD : (int64_t)block.stage * W_STAGE);
    block.state = launch.state;
    return block;
}

DEVICE voice_t *tile_voices()
{
    return (voice_t *)(shared_memory + S_VOICES);
}

template <class T> DEVICE T *at(unsigned char *memory, int64_t offset)
{
    return (T *)(memory + offset);
}

template <class T> DEVICE const T *at(const unsigned char *memory, int64_t offset)
{
    return (const T *)(memory + offset);
}

#endif
