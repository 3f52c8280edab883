/* What voices are told within a chunk: found once when it begins, looked at before every frame. Each block follows the
   tellings by itself, so that none waits for another's word. */

#ifndef RTWAVE_CUDA_TELLINGS_H
#define RTWAVE_CUDA_TELLINGS_H

#include "draw.h"
#include "shape.h"

enum { STARTS_ZERO = 2 }; /* as device.h has it */

DEVICE track_t *track_of(const block_t &block, int slot)
{
    return at<track_t>(block.state, G_TRACKS) + (int64_t)block.stage * SLOTS + slot;
}

DEVICE int *tile_slots(int tile)
{
    return at<int>(shared_memory, S_SLOTS) + tile * VOICES;
}

/* The host's memory is far: what is read of it at once costs one wait, a search step by step one a step. So first every
   thread reads the slot of one telling, as far apart as there are threads for. */

static_assert(S_ROWS_BYTES >= THREADS * (int)sizeof(int), "probes have room");

DEVICE int *probes()
{
    return at<int>(shared_memory, S_ROWS); /* that nobody uses yet */
}

DEVICE int probed(const wavenet_launch_t &launch, int probe)
{
    return (int)((int64_t)launch.told * probe / THREADS);
}

DEVICE int first_telling(const wavenet_launch_t &launch, int slot)
{
    int below = 0; /* probes of lesser slots */
    for (int step = THREADS_POWER; step > 0; step /= 2)
        if (below + step <= THREADS && probes()[below + step - 1] < slot)
            below += step;
    int low = below > 0 ? probed(launch, below - 1) + 1 : 0, high = below < THREADS ? probed(launch, below) : launch.told;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (launch.tellings[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Notes down when a slot is told: the host's memory is far, so that nothing of it is read in search of a telling later. */
DEVICE void follow(const wavenet_launch_t &launch, track_t &track, int slot)
{
    track.first = launch.told ? first_telling(launch, slot) : 0;
    track.tellings = track.next = track.starts = 0;
    track.frames = 0;
    UNROLL
    for (int i = 0; i < WAVENET_TELLINGS; i++) {
        const int index = track.first + i;
        if (index >= launch.told || launch.tellings[index].slot != slot)
            continue;
        track.tellings = (unsigned char)(i + 1);
        track.frames |= (uint64_t)launch.tellings[index].frame << 8 * i;
        if (i == 0)
            track.starts = (unsigned char)launch.tellings[index].starts;
    }
}

/* All threads, when a chunk begins, with a barrier at its end: which slots are in this pipeline's tiles, and what each is told first. */
DEVICE void find_tellings(const block_t &block, const wavenet_launch_t &launch)
{
    if (launch.told)
        probes()[threadIdx.x] = launch.tellings[probed(launch, threadIdx.x)].slot;
    __syncthreads();
    for (int i = threadIdx.x; i < block.tiles * VOICES; i += THREADS) {
        const int index = (block.pipe + i / VOICES * PIPES) * VOICES + i % VOICES;
        const int slot = index < launch.active ? launch.slots[index] : -1;
        tile_slots(0)[i] = slot;
        if (slot < 0)
            continue;
        track_t track = *track_of(block, slot);
        follow(launch, track, slot);
        *track_of(block, slot) = track;
    }
    __syncthreads();
}

/* The head's part: by what the next sample is drawn. */
DEVICE void begin_note(const block_t &block, const wavenet_launch_t &launch, voice_t *voice)
{
    note_t *kept = at<note_t>(block.state, G_NOTES) + voice->slot;
    note_t note = *kept;
    if (voice->told >= 0) {
        const wavenet_told_t told = launch.tellings[voice->told];
        note.age = told.age;
        note.ordinal = told.ordinal;
        note.temperature = told.temperature;
    }
    voice->temperature = note.temperature;
    voice->variate = GAUSSIAN ? normal(launch.seed, note.age, note.ordinal) : uniform(launch.seed, note.age, note.ordinal);
    note.age++;
    *kept = note;
}

/* The first stage's part: the sample that enters, where the head has not sent it in this chunk. */
DEVICE void begin_sample(const block_t &block, const wavenet_launch_t &launch, voice_t *voice, int frame, bool starts)
{
    if (launch.forced)
        voice->sample = launch.forced[(int64_t)voice->slot * WAVENET_FRAMES + frame];
    else if (starts)
        voice->sample = GAUSSIAN ? 0.0f : (float)SILENT_CLASS;
    else if (frame == 0)
        voice->sample = at<float>(block.state, G_SAMPLES)[voice->slot];
}

/* Threads 0 … VOICES - 1, each for one voice of a tile, before a frame. */
DEVICE void begin_voice(const block_t &block, const wavenet_launch_t &launch, int tile, int frame)
{
    voice_t *voice = tile_voices() + threadIdx.x;
    voice_t next = {0, tile_slots(tile)[threadIdx.x], -1, 1, 0.0f, 0.0f, 0.0f};
    *voice = next;
    if (next.slot < 0)
        return;
    track_t track = *track_of(block, next.slot);
    bool starts = false;
    if (track.next < track.tellings && (int)(track.frames >> 8 * track.next & 0xff) == frame) {
        voice->told = track.first + track.next;
        starts = track.next++ == 0 && track.starts;
    }
    if (starts) {
        track.heard = 0;
        track.from_zero = track.starts == STARTS_ZERO;
    }
    voice->heard = track.heard++;
    voice->from_zero = track.from_zero;
    *track_of(block, next.slot) = track;
    if (block.stage == 0)
        begin_sample(block, launch, voice, frame, starts);
    if (block.stage == HEAD_STAGE)
        begin_note(block, launch, voice);
}

#endif
