/* What a segment to learn from is made of, fast enough that drawing it costs a trainer nothing: resampled sound, the
   excitation, the running level. rtwave/training/segments.py says what it is for. Pure functions, no allocation. */

#ifndef RTWAVE_SEGMENTS_H
#define RTWAVE_SEGMENTS_H

#include <stddef.h>

enum {
    SINC_TAPS = 16,
    SINC_ROWS = 256,     /* to a sample; between them linear: 94 dB below a wave at half the rate */
    MAX_PARTIALS_DRAWN = 256,
};

typedef struct {
    float taps[SINC_ROWS + 1][SINC_TAPS];
} sinc_t;

/* A sinc cut off at 0.96 of half the rate, under a raised cosine, each row of sum 1. */
void segments_sinc(sinc_t *sinc);

/* out[i] = the band-limited wave through `samples` (count) at positions[i]; it is 0 beyond both ends. At a whole position
   that is the sample itself, unfiltered. */
void segments_resample(const sinc_t *sinc, const float *samples, ptrdiff_t count, const double *positions, float *out,
                       ptrdiff_t length);

/* Factors of the partials, (frames, audible) pairs of real and imaginary part, from frame `first` of the deviations on. */
typedef struct {
    const float *values;
    ptrdiff_t first, frames;
} weights_t;

/* e (length, 2 * partials), sines then cosines, at sample `start` and on. Partial k turns by turns[k] a sample, rising
   with k, and deviates by deviations[frame * columns + k] radians, linear between frames, `pace` frames a sample, and
   constant beyond the last. 0 before sample 0, and for partials from `audible` on. Each is multiplied by its weights,
   linear between frames, where there are any. */
void segments_excite(const float *deviations, ptrdiff_t frames, ptrdiff_t columns, const double *turns, int audible,
                     int partials, double pace, ptrdiff_t start, float *out, ptrdiff_t length,
                     const weights_t *weights);

/* out[i] = root of the mean square of the `window` samples up to and with signal[i]; what came before is 0. */
void segments_level(const float *signal, ptrdiff_t length, ptrdiff_t window, float *out);

#endif
