/* The arithmetic that costs time, once per instruction set: body.h compiled with that set's flags. */

#ifndef RTWAVE_KERNELS_H
#define RTWAVE_KERNELS_H

#include "../wavenet.h"

typedef struct kernels {
    const char *name;

    /* V c + b of every layer; c (C), padded with zeros to an even count. */
    void (*condition)(const wavenet_t *network, wavenet_state_t *state, const float *conditioning);

    /* One sample of 1..BATCH voices: reads sample or class_index, sines and cosines; writes out.
       A voice's numbers are the same, bit for bit, whoever shares its batch. */
    void (*step)(const wavenet_t *network, wavenet_state_t *const *states, int count);

    /* Turn every phasor by one sample. */
    void (*rotate)(const wavenet_t *network, wavenet_state_t *state);
} kernels_t;

extern const kernels_t kernels_portable, kernels_avx2, kernels_avx512, kernels_neon;

/* The kernels of that name if this machine can run them, else NULL; "auto": the best it can run. */
const kernels_t *kernels_find(const char *name);

/* The i-th name this machine can run, slowest first; NULL past the last. */
const char *kernels_name(int i);

#endif
