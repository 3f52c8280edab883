/* What renders voices in the engine's stead, a chunk of frames at a time: a GPU, or plain arithmetic to judge it by.

   The engine keeps commands, notes, envelopes, fades and the mix. For each chunk it tells a device ahead what every
   voice hears, lets it draw the samples, and finishes what came back.

   One frame is that of kernels/body.h and sampling.h, to float tolerance. The excitation of a frame is the told phasors
   turned by `rotation` as often as frames have passed since they were told; the normal variate of a sample (of a mu-law
   network: the uniform one, from word 0) is that of Philox with key `seed`, the sample's age as low and the note's
   ordinal as high counter. */

#ifndef RTWAVE_DEVICE_H
#define RTWAVE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DEVICE_FRAMES = 256, /* longest chunk */
    DEVICE_TELLINGS = 8, /* of one voice in a chunk, at most */
};

enum {
    GOES_ON,
    STARTS_SILENT, /* as if it had heard silence for ever, see rtwave/engine/silence.py */
    STARTS_ZERO,   /* from zero rings: teacher forcing */
};

/* What a voice hears from one frame of the chunk on, until it is told anew. */
typedef struct {
    int32_t slot, frame; /* frame: within the chunk */
    int32_t starts;      /* 1 or 2: a note begins (frame is 0), which has heard nothing but silence, or zeros */
    float temperature;   /* 0: the mean, or the likeliest class */
    int64_t age;         /* samples since note-on, at that frame: the low counter of its random stream */
    uint64_t ordinal;    /* the high counter */
} device_told_t;

typedef struct {
    int32_t frames, active, told;     /* counts; told: at most DEVICE_TELLINGS times the slots */
    uint64_t seed;
    const int32_t *slots;             /* (active): voices to be rendered, ascending */
    const device_told_t *tellings;    /* (told), by slot, then frame; a voice that is not told goes on as before */
    const float *conditioning;        /* (told, C) */
    const float *phasors, *rotation;  /* (told, 2K): sines, then cosines: of the first sample; one sample's turn, growth
                                         included */
    const float *forced;              /* NULL, or (slots of the engine, DEVICE_FRAMES): what is heard in the place of what
                                         was drawn before the frame: samples, or classes */
    float *outputs;                   /* NULL, or (slots, DEVICE_FRAMES, outputs) */
    float *drawn;                     /* (slots, DEVICE_FRAMES): s[t], or the class's number; NaN where a logit is not
                                         finite */
} device_chunk_t;

typedef struct device {
    /* Renderer's thread. False: it failed for good, and everything is silent from here on. */
    bool (*render)(struct device *device, const device_chunk_t *chunk);
    void *context;
} device_t;

#endif
