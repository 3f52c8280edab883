/* The rack: engines side by side, each brought to the device's rate, summed. One takes over from another at an exact
   frame, and the older one rings out.

   Threads: one renders (rack_render, rack_limit and what it asks of voices); one at a time joins, lets leave and takes
   notices; these may be two different threads. The renderer neither allocates nor locks. */
#ifndef RTWAVE_RACK_H
#define RTWAVE_RACK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

enum {
    RACK_PLACES = 8, /* for engines: those that play, those that fade out, those still to come */
    RACK_JOINED = 1,
    RACK_LEFT = 2,
};

typedef struct rack rack_t;

typedef struct {
    int32_t what, place; /* RACK_JOINED or RACK_LEFT */
    int64_t frame;       /* of the rack */
} rack_notice_t;

rack_t *rack_create(int sample_rate); /* Hz; NULL when memory is out */
void rack_destroy(rack_t *rack);      /* does not touch the engines */
bool rack_memory_locked(const rack_t *rack);

/* Let `engine`, of `voices`, begin at `frame`, or with the next chunk when that is past. Its place, 0..RACK_PLACES - 1;
   -1 when none is free, -2 when memory is out. Borrows the engine until it has left and that notice was taken. */
int rack_join(rack_t *rack, engine_t *engine, int voices, int64_t frame);

/* Fade out and leave, from `frame` on. Once for each place. */
void rack_leave(rack_t *rack, int place, int64_t frame);

/* Oldest first; false when there is none. The place of one that left is free again. */
bool rack_take_notice(rack_t *rack, rack_notice_t *notice);

/* Any thread: the frame rendered next, and the last at which an engine was heard (its joining, before it was). */
int64_t rack_frame(const rack_t *rack);
int64_t rack_heard(const rack_t *rack, int place);

/* Renderer: the next `frames` mono samples within -1..1. A stream's source: `rack` is a rack_t. */
void rack_render(void *rack, float *out, int frames);

/* Renderer: notes that sound in all engines; the most that could. */
int rack_voices(void *rack);
int rack_polyphony(void *rack);

/* Renderer: let no more than `voices` sound in all: the older engines give theirs up first, but for one each. */
void rack_limit(void *rack, int voices);

#endif
