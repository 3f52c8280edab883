/* One note being played: a running copy of the network, and what it is told at each control period. */

#ifndef RTWAVE_VOICE_H
#define RTWAVE_VOICE_H

#include <stdalign.h>

#include "engine.h"
#include "glide.h"
#include "kernels/kernels.h"
#include "partials.h"
#include "timbre.h"

/* What all voices share; the engine owns it. */
typedef struct {
    const wavenet_t *network;
    instrument_t instrument;
    glide_t controls[CONTROLS];
    float glide_frames;  /* their time constant */
    float gain;          /* where the player's gain, volume and expression put it */
    float smoothing;     /* the share of the way there that a voice's gain goes each sample */
    uint64_t seed;
    float centring;      /* pole of the DC blocker */
    float corner;        /* of the timbre filter: share of the way that its low-pass goes each sample */
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
    int channel, key, velocity;
    int64_t born;            /* the engine's frame at note-on */
    uint64_t ordinal;        /* which note of the performance this is, or is to draw like: its random stream */
    glide_t own[NOTE_CONTROLS];
    float lead[CONTROLS];    /* by what the controls were ahead of their glide when the note began */
    int64_t age;             /* samples since note-on */
    bool released;
    int countdown, elapsed;  /* samples left in this control period, and gone by */
    double damped_samples;   /* under the damper when this period began; fewer than passed if it fell but lightly */
    double damping;          /* and its force in this period, 0..1 */
    double damped_db;        /* what the damper had taken when this period began */
    double damping_db;       /* and what it takes each sample of it */
    float standing_db;       /* what stealing and ending go by: the envelope past its onset, less the release */
    float fade, fade_step;   /* gain of a fading voice, and what it loses a sample */
    float sample;            /* x[t-1], de-emphasised, at the network's own level */
    float centred;           /* the same without its mean, which de-emphasis would magnify into a thump */
    float level, level_step; /* from there to the sound's level; the factor by which it grows each sample */
    float temperature;
    float gain, boost;       /* gain on its way to the player's times `boost`, which pressure gives */
    float shelf, tilt;       /* what the timbre filter adds above its corner, on its way to `tilt` */
    float low;               /* what it finds below */
    float heard;             /* the last sample sent */
    float power;             /* mean square of the last milliseconds */
    timbre_t timbre;         /* where it stood when this period began */
    float *curve_db;         /* (I, G): the envelope at this key and velocity, of each timbre */
    partials_t partials;
    float noise[DRAWS];      /* normal variates of the samples from `noise_from` on */
    int64_t noise_from;
    wavenet_state_t state;
} voice_t;

/* What a control period sets in how the voice sounds; what its network hears stands in the voice. */
typedef struct {
    float level;       /* of a levelled network: the level at note-on */
    double level_end;  /* and where it belongs when the period ends */
    float boost, tilt; /* see voice_t */
    bool ends;         /* the note has died away */
} period_t;

/* `steps`: it runs the network itself, and needs rings; else a device does. False when memory is out. */
bool voice_create(voice_t *voice, const setting_t *setting, int number, bool steps);
void voice_destroy(voice_t *voice);
bool voice_lock_memory(const voice_t *voice); /* false where the system refuses */

/* What a note-on says, and what the engine knows of it. */
typedef struct {
    int channel, key, velocity;
    int64_t frame;
    uint64_t ordinal;
} voice_note_t;

/* `primed`: what its network has heard before; NULL where a device runs it. */
void voice_start(voice_t *voice, const setting_t *setting, const wavenet_state_t *primed, voice_note_t note);
void voice_release(voice_t *voice);

/* One of the note's own controls: at its first sample at once, later gliding there. */
void voice_control(voice_t *voice, const setting_t *setting, note_control_t id, float value);

/* Ends the note within so many seconds, or at once if nothing of it has been heard yet. */
void voice_fade(voice_t *voice, const setting_t *setting, double fade_s);

/* Held or released: a note that counts. */
bool voice_sounds(const voice_t *voice);

/* At the first sample of a period, when those before it are finished. */
void voice_enter(voice_t *voice, const setting_t *setting, const period_t *period);

/* Before a step of 1..BATCH voices: conditioning at the start of a period, excitation of the samples to come. */
void voices_prepare(voice_t *const *voices, const setting_t *setting, int count);

/* After a step (a faulted voice: without one): draw the sample and return it; true in `fault` when it had to be cut. */
float voice_finish(voice_t *voice, const setting_t *setting, bool *fault);

/* The same with what a device drew, as device.h has it. */
float voice_finish_drawn(voice_t *voice, const setting_t *setting, float drawn, bool *fault);

#endif
