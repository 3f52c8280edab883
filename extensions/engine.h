/* The engine: voices of one network, a command queue in, samples out.

   Threads: one renders (engine_render), one at a time pushes, one at a time takes echoes; they may be three different
   threads. Helpers that the engine starts share the voices with the one that renders, a chunk of frames at a time.
   Everything is allocated by engine_create; engine_render allocates nothing and locks nothing, and calls the system
   only to wake a helper that sleeps. What a device does in it is the device's own affair. */

#ifndef RTWAVE_ENGINE_H
#define RTWAVE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "wavenet.h"

enum {
    QUEUE_CAPACITY = 4096,
    KEYS = 128,
    KNOBS = 4,
    SPARE_VOICES = 4, /* slots beyond the voices: for those fading away */
};

#define LIMIT_TAG (UINT32_C(1) << 31) /* echoes of engine_limit: this and the voices; a command's own tag is smaller */

typedef enum {
    COMMAND_NOTE_ON,
    COMMAND_NOTE_OFF,
    COMMAND_CONTROL,
    COMMAND_ALL_NOTES_OFF,
    COMMAND_ALL_SOUND_OFF,
    COMMAND_NOTE_CONTROL,
    COMMAND_LIMIT,
} command_type_t;

/* In the order of rtwave/engine/controls.py, which documents units and ranges. */
typedef enum {
    CONTROL_TEMPERATURE,
    CONTROL_GAIN_DB,
    CONTROL_VOLUME,
    CONTROL_EXPRESSION,
    CONTROL_BEND,
    CONTROL_TUNE,
    CONTROL_VIBRATO,
    CONTROL_RELEASE,
    CONTROL_TIMBRE,
    CONTROL_DAMPER,
    CONTROL_PRESSURE_VIBRATO,
    CONTROL_PRESSURE_GAIN_DB,
    CONTROL_KNOB1,
    CONTROL_KNOB2,
    CONTROL_KNOB3,
    CONTROL_KNOB4,
    CONTROLS,
} control_t;

typedef enum { NOTE_BEND, NOTE_PRESSURE, NOTE_TIMBRE, NOTE_CONTROLS } note_control_t;

typedef struct {
    float low, high, value;
} control_range_t;

typedef struct {
    int64_t at;   /* model frame, or -1 (or any frame already rendered) for the next one */
    uint32_t tag; /* not 0: echoed with the frame at which the command was applied */
    int32_t type; /* command_type_t */
    int32_t channel; /* 0..15; the same note of another channel is another key */
    int32_t note;    /* 0..127; -1 in a note control: all of the channel */
    int32_t velocity;
    int32_t id;  /* control_t or note_control_t; of a note-on its random stream, counted from 1, or 0: the next */
    float value; /* of a control; the voices of a limit */
} command_t;

typedef struct {
    uint32_t tag;
    int64_t frame;
} echo_t;

/* Of the table that says how strong each partial is; counts are 0 where there is none. */
typedef struct {
    int key_count, velocity_count, age_count;  /* N2, M2, G2 */
    const float *keys, *velocities, *ages_s;
} partial_axes_t;

/* Tables of rtwave/wavenet/instrument.py; the engine copies them. */
typedef struct {
    int timbres;                                            /* I: 1 where the tables have no such axis */
    int keys, velocities, ages;                             /* N, M, G */
    const float *envelope_keys;                             /* (N) */
    const float *envelope_velocities;                       /* (M) */
    const float *envelope_ages_s;                           /* (G) */
    const float *envelope_db;                               /* (I, N, M, G) */
    const float *cents, *stiffness, *release_s;             /* (I, 128) */
    const float *onset_phases;                              /* (I, 128, K) */
    const float *modes_hz;                                  /* (I, 128, K): 0 where the place is a partial's */
    const float *temperature;                               /* (I, 128, M) */
    const float *onset_temperature;                         /* (I, 128) */
    const float *timbre, *longest_age_s;                    /* (128) */
    partial_axes_t partial_axes;
    const float *partial_db;                                /* (I, N2, M2, G2, K) */
} instrument_t;

typedef struct {
    int64_t faults;           /* voices cut because the network left all bounds */
    int64_t stolen_voices;    /* notes faded out to make room */
    int64_t dropped_commands; /* pushed into a full queue */
    int64_t dropped_echoes;   /* echoes nobody drained in time */
    int64_t notes;            /* note-ons applied */
} engine_counters_t;

typedef struct engine engine_t;

/* NULL when memory is out or a thread cannot be had. Borrows `network` and `device` for its lifetime; copies all else.
   `threads`: that share the rendering, the renderer among them; their number does not change a bit of the output.
   `device`: of at least voices + SPARE_VOICES slots, renders the voices; NULL: the network's kernels do. */
engine_t *engine_create(const wavenet_t *network, const instrument_t *instrument,
                        const control_range_t controls[CONTROLS], int voices, int threads, uint64_t seed,
                        device_t *device);
void engine_destroy(engine_t *engine);

/* Renderer: the next `frames` samples at the model's rate, mono, within -1..1. */
void engine_render(engine_t *engine, float *out, int frames);

/* The same, and what each voice says by itself, bent to full scale as if it were alone: voices + SPARE_VOICES rows,
   `stride` apart, a voice in the row of its slot, zeros where it is silent. A slot is the lowest that is free. */
void engine_render_voices(engine_t *engine, float *out, float *rows, size_t stride, int frames);

/* Renderer, between two renderings: no more than so many notes (1..voices) from the next frame on. Those that will be
   missed least fade at once. A change is echoed as LIMIT_TAG | voices, so that it can be done again as a command. */
void engine_limit(engine_t *engine, int voices);

/* Pusher: all of the commands or none (false, and counted, when the queue is full). However many wait for a frame of
   their own, those for now do not wait behind them. */
bool engine_push(engine_t *engine, const command_t *commands, int count);

/* Taker: the next echo, oldest first; false when there is none. */
bool engine_take_echo(engine_t *engine, echo_t *echo);

/* Any thread. */
int engine_sample_rate(const engine_t *engine);
bool engine_memory_locked(const engine_t *engine); /* nothing that rendering needs can be swapped out */
int64_t engine_frame(const engine_t *engine); /* the next frame to be rendered */
int engine_active_voices(const engine_t *engine); /* sounding notes, without those fading away; 0..voices */
int engine_limit_now(const engine_t *engine);     /* 1..voices */
bool engine_failed(const engine_t *engine); /* its device has: everything is silent from there on */
engine_counters_t engine_counters(const engine_t *engine);

#endif
