/* What a launch of the kernel is told: the one parameter of wavenet_render, by value. For C and CUDA.

   Pointers are the GPU's; what they point to has the layouts of device.h. */

#ifndef RTWAVE_CUDA_KERNEL_H
#define RTWAVE_CUDA_KERNEL_H

#ifdef __CUDACC_RTC__ /* it has no headers */
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif

enum {
    WAVENET_FRAMES = 256, /* longest chunk: the length of a row of `forced`, `outputs` and `drawn` */
    WAVENET_TELLINGS = 8, /* of one voice in a chunk, at most */
};

/* As device_told_t. */
typedef struct {
    int32_t slot, frame;
    int32_t starts; /* 1: a note that has heard nothing but silence; 2: from zero rings; frame is 0 */
    float temperature;
    int64_t age;
    uint64_t ordinal;
} wavenet_told_t;

typedef struct {
    const unsigned char *weights;     /* as cuda_plan.pack gives them, 256-byte aligned */
    unsigned char *state;             /* of all voices, 256-byte aligned; all zero before the first launch */
    const float *silence;             /* (layers, R): what silence leaves in each layer's past */
    const int32_t *slots;             /* (active), ascending */
    const wavenet_told_t *tellings;   /* (told), by slot, then frame */
    const float *conditioning;        /* (told, C) */
    const float *phasors, *rotation;  /* (told, 2K) */
    const float *forced;              /* NULL, or (slots of the plan, WAVENET_FRAMES) */
    float *outputs;                   /* NULL, or (slots of the plan, WAVENET_FRAMES, outputs) */
    float *drawn;                     /* (slots of the plan, WAVENET_FRAMES) */
    uint32_t *done;                   /* `sequence` goes here once all is written */
    uint64_t seed;
    int32_t frames, active, told;
    uint32_t sequence;
} wavenet_launch_t;

#endif
