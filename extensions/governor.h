/* The governor: how many voices may sound, from how long chunks take to render. A pure state machine, of one thread.

   It sheds when rendering is slower than the music and the ring is being eaten: two chunks in a row, or a longer while
   on average; one preempted chunk alone is left to the ring. What stays can be rendered with a margin. Voices come back
   one by one when there is room for them, and more slowly where that failed. */
#ifndef RTWAVE_GOVERNOR_H
#define RTWAVE_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t spent_ns, audio_ns; /* rendering this chunk, and its length */
    int64_t fill, target;       /* frames in the ring, this chunk included; what is to be kept there */
    int voices, polyphony;      /* that sound now; that could */
} governor_chunk_t;

/* All zero at first. */
typedef struct {
    int allowed;         /* 0: no limit */
    int voices;          /* at the end of the chunk before */
    bool struck;         /* notes began in it: let the next be a short one, that tells what they cost */
    double chunk_load;   /* of that chunk: time to render it in its own length */
    double load;         /* the same, over a tenth of a second */
    double cost;         /* load of one voice; known while there is a limit */
    double settling_s;   /* until what was shed has faded */
    double calm_s;       /* since the limit was moved */
    bool raised;         /* it was moved up then */
    double patience_s;   /* calm before one more voice is tried */
    int64_t actions;     /* times the limit was lowered */
} governor_t;

/* Takes in one chunk; how many voices may sound in the next: `polyphony` when there is no limit. */
int governor_step(governor_t *governor, const governor_chunk_t *chunk);

#endif
