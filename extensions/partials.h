/* The partials of a voice, and the modes that ring with them: phases, frequencies and, where the excitation is weighted,
   how strong each of them is. */

#ifndef RTWAVE_PARTIALS_H
#define RTWAVE_PARTIALS_H

#include <stdbool.h>

#include "timbre.h"
#include "wavenet.h"

typedef struct {
    double *phases, *turns;  /* (K): in turns, and turns a sample, of this control period */
    double f0, stiffness;    /* what `turns` were computed from */
    float *heard;            /* (K): 1, or 0 for what lies too near half the sample rate */
    int audible;             /* beyond as many, nothing is heard */
    const float *modes_hz;   /* (K): the instrument's, of this key; 0 for partials */
    float *levels, *steps;   /* (K): log2 of amplitudes when this period began, and what they gain a sample */
    float *goals;            /* (K): where they belong when it ends */
    float *turning;          /* (2 Kp): one sample's turn at steady level, sines and cosines */
    char *memory;            /* one block holds all of the above */
} partials_t;

/* What the levels of a note's partials hang on at a moment. */
typedef struct {
    timbre_t timbre;
    int key, velocity;
    double age_s;
    double own_db; /* added to the table's */
} strength_t;

/* False when memory is out. */
bool partials_create(partials_t *partials, const wavenet_t *network);
void partials_destroy(partials_t *partials);

/* At note-on, with the phases of the timbre nearest to where the note begins. */
void partials_start(partials_t *partials, const instrument_t *instrument, const wavenet_config_t *config,
                    timbre_t timbre, int key);

/* Phases have gone on by `elapsed` samples at the last period's frequencies; from here on, at these. Sets the phasors of
   `state` and how they rotate. */
void partials_turn(partials_t *partials, const wavenet_t *network, wavenet_state_t *state, int elapsed, double f0,
                   double stiffness);

/* After partials_turn, where the excitation is weighted: each partial ramps, linearly in dB, from wherever its level is
   to where it belongs when this period ends; `now` counts at the note's first sample. */
void partials_weigh(partials_t *partials, const instrument_t *instrument, const wavenet_t *network,
                    wavenet_state_t *state, int elapsed, const strength_t *now, const strength_t *then);

#endif
