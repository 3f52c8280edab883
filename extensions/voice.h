/* One note being played: a running copy of the network, and what it is told at each control period. */

#ifndef RTWAVE_VOICE_H
#define RTWAVE_VOICE_H

#include <stdalign.h>

#include "engine.h"
#include "kernels/kernels.h"

/* What all voices share; the engine owns it. */
typedef struct {
    const wavenet_t *network;
    instrument_t instrument;
    float controls[CONTROLS];
    uint64_t seed;
    float centring;      /* pole of the DC blocker */
    bool hears_loudness; /* the network has a loudness feature, so expression goes there */
} setting_t;

typedef enum {
    VOICE_IDLE,
    VOICE_HELD,
    VOICE_RELEASED,
    VOICE_FADING,  /* still running, on its way out */
    VOICE_FAULTED, /* its network left all bounds: the last sample fades, nothing runs */
} voice_phase_t;

typedef struct {
    alignas(64) voice_phase_t phase; /* no cache line is shared with a neighbour, who may play on another core */
    int key, velocity;
    uint64_t ordinal;        /* which note of the performance this is: its random stream */
    int64_t age, released;   /* samples since note-on; `age` at note-off, or -1 */
    int countdown, elapsed;  /* samples left in this control period, and gone by */
    double damped_db;        /* what the damper had taken when this period began */
    double damping_db;       /* and what it takes each sample of it */
    float standing_db;       /* what stealing and ending go by: the envelope past its onset, less the release */
    float fade, fade_step;   /* gain of a fading voice, and what it loses a sample */
    float sample;            /* x[t-1], de-emphasised, at the network's own level */
    float centred;           /* the same without its mean, which de-emphasis would magnify into a thump */
    float level, level_step; /* from there to the sound's level; the factor by which it grows each sample */
    float heard;             /* the last sample sent */
    float power;             /* mean square of the last milliseconds */
    float *curve_db;         /* (G): the envelope at this key and velocity */
    double *phases, *turns;  /* (K): of the partials, in turns, and turns a sample, of this control period */
    double f0, stiffness;    /* what `turns` were computed from */
    int audible;             /* partials below half the sample rate */
    float noise[DRAWS];      /* normal variates of the samples from `noise_from` on */
    int64_t noise_from;
    wavenet_state_t state;
} voice_t;

/* False when memory is out. */
bool voice_create(voice_t *voice, const setting_t *setting, int number);
void voice_destroy(voice_t *voice);

void voice_start(voice_t *voice, const setting_t *setting, const wavenet_state_t *primed, int key, int velocity,
                 uint64_t ordinal);
void voice_release(voice_t *voice);
void voice_fade(voice_t *voice, const setting_t *setting, double fade_s);

/* A control that this voice hears has changed: its control period starts anew at the next sample. */
void voice_touch(voice_t *voice);

/* Held or released: a note that counts. */
bool voice_sounds(const voice_t *voice);

/* Before a step of 1..BATCH voices: conditioning at the start of a period, excitation of the samples to come. */
void voices_prepare(voice_t *const *voices, const setting_t *setting, int count);

/* After a step (a faulted voice: without one): draw the sample and return it; true in `fault` when it had to be cut. */
float voice_finish(voice_t *voice, const setting_t *setting, bool *fault);

#endif
