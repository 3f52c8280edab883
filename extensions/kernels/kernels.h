/* The arithmetic that costs time, once per instruction set: body.h compiled with that set's flags. */

#ifndef RTWAVE_KERNELS_H
#define RTWAVE_KERNELS_H

#include "../wavenet.h"

enum { DRAWS = 16 }; /* random numbers made at a time */

typedef struct kernels {
    const char *name;

    /* Precisions in order of speed, fastest first. */
    precision_t fastest[PRECISIONS];

    /* V c + b of every layer, for 1..BATCH voices. */
    void (*condition)(const wavenet_t *network, wavenet_state_t *const *states, int count);

    /* What the excitation gives the next 1..AHEAD samples; turns the phasors on by as many. */
    void (*excite)(const wavenet_t *network, wavenet_state_t *state, int samples);

    /* One sample of 1..BATCH voices: reads sample or class_index and the next excited row; writes out.
       A voice's numbers are the same, bit for bit, whoever shares its batch. */
    void (*step)(const wavenet_t *network, wavenet_state_t *const *states, int count);

    /* A class drawn from softmax(logits * scale) by a number within 0..1, or -1 when a logit is NaN, or the largest
       infinite; logits are padded to LANES with minus infinity. */
    int (*draw)(const float *logits, int classes, float scale, float uniform);

    /* Standard normal variates of the counters (from, high) to (from + DRAWS - 1, high). */
    void (*normals)(uint64_t key, uint64_t from, uint64_t high, float *out);

    /* Sines and cosines of `count` angles in turns. */
    void (*phasors)(const double *turns, float *sines, float *cosines, int count);

    /* `offset` and each of `corners` rows times its share: `out` (count). */
    void (*mix)(const float *const *rows, const float *shares, int corners, float offset, float *out, int count);

    /* Makes phasors `phasors` (sines and cosines, `padded` apart) as strong as `levels` (log2) and as pre-emphasis
       would have them, and lets them grow to `goals` within `period` samples: writes the levels, bounded, what they
       gain a sample, and to `rotation` the turn that does it, `turning` being the one at steady level. */
    void (*weigh)(float *levels, const float *goals, float *steps, int period, float pre_emphasis,
                  const float *turning, float *phasors, float *rotation, int count, int padded);

    /* Limits of this machine, for the benchmark: read so many bytes (whole lines; 64-byte aligned) once as fast as can
       be; do `rounds` rounds of multiply-adds between registers and return how many multiply-adds a round has. */
    float (*stream)(const char *memory, size_t bytes);
    double (*multiply)(precision_t precision, long rounds);
} kernels_t;

extern const kernels_t kernels_portable, kernels_avx2, kernels_avx2_vnni, kernels_avx512, kernels_avx512_vnni,
    kernels_avx512_amx, kernels_neon, kernels_neon_dotprod;

/* The kernels of that name if this machine can run them, else NULL; "auto": the best it can run. */
const kernels_t *kernels_find(const char *name);

/* The i-th name this machine can run, slowest first; NULL past the last. */
const char *kernels_name(int i);

#endif
