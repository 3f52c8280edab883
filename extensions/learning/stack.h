/* The network of rtwave/wavenet/network.py over whole segments, forward and backward, for training on processors.

   Segments are channels last: one row a sample. A segment is computed by one thread, a tile of TILE samples at a time:
   all layers of a tile before the next, so that a layer finds its inputs in the cache; backward from the last tile to
   the first. Each segment has gradients of its own, added up in the order of segments: the result is the same, bit for
   bit, whatever the number of threads.

   R, S, H, O, E, C: residual, skip, head, output, excitation and conditioning channels; widths in memory are padded to
   STRIP, with zeros that stay zero. An `item` is a number as it enters products: float, or bfloat16. */

#ifndef RTWAVE_STACK_H
#define RTWAVE_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../workers.h"

enum {
    STRIP = 32,  /* rows a product makes at once; widths are padded to it */
    TILE = 256,  /* samples that pass all layers together */
    MOST_LAYERS = 256,
    MOST_TAPS = 3,
};

typedef struct {
    int layers, kernel_size;
    int residual, skip, head, outputs;
    int excitation, conditioning, classes;  /* 0: none; classes 0: the input is a scalar */
    int dilations[MOST_LAYERS];
} shape_t;

/* What a batch is computed from, and where its outputs go. All C order. */
typedef struct {
    int segments, length, periods;  /* periods divide length evenly */
    const float *scalars;           /* (segments, length), or NULL */
    const int64_t *classes;         /* (segments, length), or NULL */
    const float *conditioning;      /* (segments, periods, C), or NULL */
    const float *excitation;        /* (segments, length, E), or NULL */
    float *outputs;                 /* (segments, length, O); not read backward */
    const float *d_outputs;         /* (segments, length, O); not read forward */
} batch_t;

/* One product's weights and where their gradient goes. torch has them as (columns, depth, taps); here they stand ready
   for products with them (depth to columns) and with their transpose. The gate's columns are two halves, each padded. */
typedef struct {
    int parameter, taps, tap;
    int depth, columns, halves;              /* columns of one half */
    int depth_padded, columns_padded;        /* columns of all halves */
    size_t ahead, back;                      /* in items */
    size_t gradient;                         /* in floats; (depth, columns) */
    bool upright;                            /* then the gradient is (columns, depth), as torch's */
} matrix_t;

/* A parameter that is not multiplied: biases, the input's weights, each of its parts padded by itself. */
typedef struct {
    int parameter, parts, count, padded;     /* parameter -1: stays zero */
    size_t value, gradient;                  /* in floats */
} vector_t;

typedef struct {
    matrix_t taps[MOST_TAPS], conditioning, residual, skip;  /* depth R or C, columns two halves of R, R, or S */
    vector_t gate_bias, residual_bias;
    int reach;                                               /* samples from the oldest tap to the newest */
} layer_t;

/* One segment's memory between forward and backward. */
typedef struct {
    void *stream[MOST_LAYERS]; /* items (reach + rows, R) that enter a layer; the rows of before the beginning are zero */
    void *gates[MOST_LAYERS];  /* saved (rows, 2 R): tanh, sigmoid */
    void *skipped, *hidden;    /* items (rows, S) and (rows, H) after relu */
    float *biases;             /* (periods, layers, 2 R): V c + b; backward, their gradient */
    float *gradients;          /* as matrices and vectors say */
} segment_t;

/* One thread's. */
typedef struct {
    float *stream;      /* (TILE, R): forward the residual stream, backward its gradient */
    float *sums;        /* (STRIP, widest): what a product gives */
    void *inputs;       /* items (TILE, E or C, whichever is wider) */
    void *gated;        /* items (layers, TILE, R) */
    void *d_outputs, *d_hidden, *d_skip, *d_stream; /* items (TILE, ...) */
    void *d_gates[MOST_LAYERS];                     /* items (TILE + reach, 2 R): this tile and what follows */
    void *turned_skip, *turned, *paired;            /* operands of outer products */
} scratch_t;

typedef struct stack stack_t;

/* The arithmetic, once per instruction set: body.h compiled with that set's flags. */
typedef struct {
    const char *name;
    size_t item_bytes, saved_bytes;
    void (*pack)(void *items, const matrix_t *matrix, const float *weights);
    void (*forward)(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index);
    void (*backward)(const stack_t *stack, const segment_t *segment, const scratch_t *scratch, int index);
} learner_t;

extern const learner_t learner_portable, learner_avx2, learner_avx512, learner_avx512_amx;

struct stack {
    shape_t shape;
    const learner_t *learner;
    int residual, skip, head, outputs, excitation, conditioning; /* padded */
    layer_t layers[MOST_LAYERS];
    matrix_t excite, to_hidden, to_output;
    vector_t input_weight, input_bias, hidden_bias, output_bias;
    size_t items, values, gradients; /* in all */
    int parameters;

    void *weights;   /* items */
    float *vectors;

    batch_t batch;
    int capacity, rows;                    /* segments there is memory for; their length, padded to STRIP */
    int periods_padded;
    segment_t *segments;
    int threads;
    scratch_t *scratch;                    /* (threads) */

    workers_t *workers;
    void (*task)(stack_t *stack, scratch_t *scratch, int index);
    int tasks;
    _Atomic int next;
    const float *const *sources;           /* the parameters, while they are packed */
    float *const *targets;                 /* their gradients, while they are gathered */
};

/* NULL when memory or threads are out. The learner is one of learner_find's. */
stack_t *stack_create(const shape_t *shape, const learner_t *learner, int threads);
void stack_destroy(stack_t *stack);

/* How many numbers the i-th parameter has; 0 past the last. Their order is that of torch's named_parameters(). */
size_t stack_parameter(const stack_t *stack, int index);

/* Outputs of a batch with these parameters. False when memory is out. Keeps what backward needs. */
bool stack_forward(stack_t *stack, const batch_t *batch, const float *const *parameters);

/* Gradients of the batch that went forward last. */
void stack_backward(stack_t *stack, const batch_t *batch, float *const *gradients);

/* The learner of that name if this machine can run it, else NULL. */
const learner_t *learner_find(const char *name);

/* The i-th name this machine can run, slowest first; NULL past the last. The last ones compute in bfloat16. */
const char *learner_name(int index);

#endif
