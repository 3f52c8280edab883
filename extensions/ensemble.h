/* The voices of an engine, rendered together a chunk of frames at a time, by one thread or several.

   Weights read once serve a whole group, so voices are dealt into as few groups as occupy every thread. A voice's
   samples depend neither on its company nor on its thread, and they are summed in the order of the slots, so none of
   this changes a bit of the sound. */

#ifndef RTWAVE_ENSEMBLE_H
#define RTWAVE_ENSEMBLE_H

#include <stdatomic.h>

#include "ensemble_device.h"
#include "voice.h"
#include "workers.h"

enum { CHUNK_FRAMES = 32 }; /* rendered between two meetings of the threads, at most; a device's chunks are longer */

typedef struct ensemble {
    const setting_t *setting;
    voice_t *voices; /* (slots) */
    int slots, threads, longest; /* longest: frames of a chunk, at most */
    voice_t **active; /* (slots): those not idle when the chunk began, in the order of their slots */
    int active_count, groups, frames; /* of the chunk */
    float *sound;                     /* (slots x longest): what each voice says in the chunk */
    workers_t *workers;
    _Atomic int64_t faults; /* voices cut */
    rendering_t rendering;  /* by a device; where there is none the voices step themselves */
} ensemble_t;

/* Fills zeroed memory; false when memory is out or a thread cannot be had. Borrows `setting`, which must not change
   while a chunk is rendered, and `device`, which renders the voices unless it is NULL. */
bool ensemble_create(ensemble_t *ensemble, const setting_t *setting, int slots, int threads, device_t *device);
void ensemble_destroy(ensemble_t *ensemble);

/* False where the system refuses. */
bool ensemble_lock_memory(const ensemble_t *ensemble);

/* Renderer: the sum of all voices over the next 1..longest frames. */
void ensemble_render(ensemble_t *ensemble, float *out, int frames);

/* Renderer: what each voice said in the chunk just rendered, to row `slot` of rows that are `stride` apart; rows of those
   that were idle stay as they are. */
void ensemble_copy_sounds(const ensemble_t *ensemble, float *rows, size_t stride);

/* Any thread: where a group of the active voices starts, and the one before it ends. */
int ensemble_group(const ensemble_t *ensemble, int group);

/* Renderer: notes that count, and which of them will be missed least (released before held, then quiet, then old; NULL
   when there is none). */
int ensemble_sounding(const ensemble_t *ensemble);
voice_t *ensemble_least_missed(const ensemble_t *ensemble);

#endif
