/* Conditioning, excitation and level of a note: rtwave/wavenet/features.py in C, formula by formula (double, then float). */

#ifndef RTWAVE_CONDITIONING_H
#define RTWAVE_CONDITIONING_H

#include <math.h>

#define LOUDNESS_FLOOR_DB -90.0
#define STEADY_DB -20.0
#define NYQUIST_SHARE 0.47
#define PI 3.14159265358979323846

/* In the order of FEATURE_SIZES in rtwave/wavenet/config.py. */
typedef enum {
    FEATURE_PITCH,
    FEATURE_VELOCITY,
    FEATURE_LOUDNESS,
    FEATURE_GATE,
    FEATURE_AGE,
    FEATURE_RELEASE_AGE,
    FEATURE_KNOB1,
    FEATURE_KNOB2,
    FEATURE_KNOB3,
    FEATURE_KNOB4,
    FEATURE_TIMBRE,
    FEATURE_PITCH_FINE,
    FEATURE_AGE_FINE,
    FEATURES,
} feature_t;

enum { TIMBRES = 16, MAX_CONDITIONING = 72 }; /* all features together are 71 */

typedef struct {
    double note, velocity, loudness_db, age_s, release_age_s;
    double knobs[4];
    double timbre; /* place among the timbres, 0..TIMBRES - 1 */
} note_state_t;

static inline float *features_pitch(double note, int waves, float *out)
{
    for (int j = 1; j <= waves; j++) {
        double angle = j * PI * (note - 66.0) / 60.0;
        *out++ = (float)sin(angle);
        *out++ = (float)cos(angle);
    }
    return out;
}

static inline float *features_ages(double age_s, const double *taus_s, int taus, float *out)
{
    double since = age_s > 0.0 ? age_s : 0.0, on = age_s >= 0.0 ? 1.0 : 0.0;
    for (int i = 0; i < taus; i++)
        *out++ = (float)(on * exp(-since / taus_s[i]));
    *out++ = (float)(on * log1p(10.0 * since));
    return out;
}

static inline float *features_one(int feature, const note_state_t *state, float *out)
{
    static const double taus_s[] = {0.02, 0.1, 0.5}, fine_taus_s[] = {0.005, 0.02, 0.06, 0.2, 0.6, 2.0, 6.0};
    switch (feature) {
    case FEATURE_PITCH: return features_pitch(state->note, 4, out);
    case FEATURE_VELOCITY: *out++ = (float)(state->velocity / 127.0); return out;
    case FEATURE_LOUDNESS: *out++ = (float)fmin(fmax((state->loudness_db - LOUDNESS_FLOOR_DB) / 30.0, 0.0), 4.0); return out;
    case FEATURE_GATE: *out++ = state->release_age_s < 0.0 ? 1.0f : 0.0f; return out;
    case FEATURE_AGE: return features_ages(state->age_s, taus_s, 3, out);
    case FEATURE_RELEASE_AGE: return features_ages(state->release_age_s, taus_s, 3, out);
    case FEATURE_TIMBRE:
        for (int place = 0; place < TIMBRES; place++)
            *out++ = (float)fmax(0.0, 1.0 - fabs(state->timbre - place));
        return out;
    case FEATURE_PITCH_FINE: return features_pitch(state->note, 12, out);
    case FEATURE_AGE_FINE: return features_ages(state->age_s, fine_taus_s, 7, out);
    default: *out++ = (float)state->knobs[feature - FEATURE_KNOB1]; return out;
    }
}

/* Writes c and returns its length; all zero before the note (age_s < 0). */
static inline int features_conditioning(const int *features, int count, const note_state_t *state, float *out)
{
    float *end = out;
    for (int i = 0; i < count; i++)
        end = features_one(features[i], state, end);
    if (state->age_s < 0.0)
        for (float *p = out; p < end; p++)
            *p = 0.0f;
    return (int)(end - out);
}

/* Factor from a levelled network's steady output to sound of this loudness. */
static inline double features_level(double loudness_db)
{
    return pow(10.0, (fmax(loudness_db, LOUDNESS_FLOOR_DB) - STEADY_DB) / 20.0);
}

/* Linear between the 128 keys, constant beyond them. */
static inline double features_between_keys(const float *table, double note)
{
    if (!(note > 0.0))
        return table[0];
    if (note >= 127.0)
        return table[127];
    int key = (int)note;
    return table[key] + (note - key) * ((double)table[key + 1] - table[key]);
}

/* `cents`: the stretch at this very note. */
static inline double features_note_frequency(double note, double cents)
{
    return 440.0 * pow(2.0, (note - 69.0 + cents / 100.0) / 12.0);
}

/* f_k of a stiff string whose first partial is exactly f0; k from 1. */
static inline double features_partial_frequency(double f0, double stiffness, int k)
{
    return k * f0 * sqrt((1.0 + stiffness * k * k) / (1.0 + stiffness));
}

#endif
