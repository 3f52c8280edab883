/* The network: weights packed for vector units (constant), and the state of one running copy (what moves).

   R, S, H: residual, skip and head channels; K: partials; C: conditioning channels. Channel counts are padded to
   LANES in memory; padding is zero everywhere and stays zero. The arithmetic is that of rtwave/wavenet/reference.py. */

#ifndef RTWAVE_WAVENET_H
#define RTWAVE_WAVENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matrix.h"

enum {
    MAX_LAYERS = 256,
    MAX_TAPS = 3,      /* kernel size */
    BATCH = 8,         /* voices, or samples, that share one pass over the weights */
    AHEAD = BATCH,     /* samples whose past taps and excitation are computed together */
    MAX_PARTIALS = 256,
};

/* Bounds of rtwave/wavenet/config.py and features.py. */
#define WEIGHT 8.0f
#define LOG_LARGEST_PARTIAL -1.0f /* log2 of an amplitude */
#define LOG_SCALE_MIN -9.5f
#define LOG_SCALE_MAX 1.0f

typedef struct {
    int sample_rate;
    bool gaussian; /* else mu-law classes */
    int quantization_channels;
    float pre_emphasis;
    bool levelled; /* works at STEADY_DB; the voice multiplies its loudness back in */
    int layers, kernel_size;
    int dilations[MAX_LAYERS];
    int residual_channels, skip_channels, head_channels;
    int partials; /* 0: no excitation */
    bool weighted; /* each partial is as strong as the instrument's */
    int control_period;
    int conditioning_channels;
    int features[16], feature_count; /* feature_t in the config's order */
    int outputs;
} wavenet_config_t;

/* The canonical tensors of rtwave/wavenet/weights.py, C order; NULL where the config has none. */
typedef struct {
    const float *input_weight, *input_bias; /* (R), (R); mu-law: (Q, R), NULL */
    const float *excitation_weight;         /* (R, 2K) */
    const float *gate_weight[MAX_LAYERS];   /* (2R, R, kernel_size) */
    const float *gate_bias[MAX_LAYERS];     /* (2R) */
    const float *conditioning_weight[MAX_LAYERS]; /* (2R, C) */
    const float *residual_weight[MAX_LAYERS];     /* (R, R); NULL at the last layer */
    const float *residual_bias[MAX_LAYERS];       /* (R); NULL at the last layer */
    const float *skip_weight[MAX_LAYERS];         /* (S, R) */
    const float *class_values;                    /* (Q): sample of each mu-law class; NULL for a Gaussian output */
    const float *head_hidden_weight, *head_hidden_bias; /* (H, S), (H) */
    const float *head_output_weight, *head_output_bias; /* (outputs, H), (outputs) */
    const float *activation_steps; /* (layers + 2): of h at each layer, the skips, the hidden units; int8 alone */
} wavenet_tensors_t;

typedef struct {
    matrix_t past[MAX_TAPS - 1]; /* (2 Rp) x R, oldest tap first: filter rows, then gate rows */
    matrix_t gate;               /* (2 Rp) x R: the present tap */
    matrix_t mix;                /* (Rp + Sp) x R: residual rows, then skip rows; the last layer has skip rows alone */
    int mix_first;               /* where its rows go in `stream`: 0, or Rp at the last layer */
    float *residual_bias;        /* (Rp) */
    float activation_scale;      /* int8: 1 / step of h here */
    int dilation;
    bool looks_ahead; /* computes what its past taps give AHEAD samples at once */
    size_t ring;  /* where its ring starts in a state's rings, in bytes */
    size_t ahead; /* where its rows start in a state's `ahead`, in floats */
} layer_t;

struct kernels;

typedef struct wavenet {
    wavenet_config_t config;
    precision_t precision;
    const struct kernels *kernels;
    int residual_padded, skip_padded, head_padded, outputs_padded, partials_padded; /* Rp, Sp, Hp, Op, Kp */
    float *input_weight, *input_bias; /* (Rp); mu-law: (Q, Rp), zero */
    matrix_t excitation;              /* Rp x 2 Kp: sines, then cosines */
    matrix_t conditioning;            /* (layers, 2 Rp) x C */
    float *gate_biases;               /* (layers, 2 Rp) */
    layer_t layers[MAX_LAYERS];
    matrix_t hidden, output;
    float *skip_bias, *hidden_bias, *output_bias; /* the first is zero but for int8 */
    float skip_scale, hidden_scale; /* int8: 1 / step */
    float *class_values;            /* (Q) */
    float *zeros;                   /* (2 Rp) */
    int row_bytes;                  /* of h as the products take it */
    size_t ring_bytes, ahead_floats;
    char *memory; /* one block holds all of the above */
    size_t weight_bytes, multiplies; /* of one step of one voice */
} wavenet_t;

/* Where a layer stands in its ring, and in the rows computed ahead. */
typedef struct {
    int position;       /* oldest row of the ring */
    int ready, next;    /* rows of `ahead` still to be used, and the first of them */
} place_t;

/* One running copy of the network. Working vectors keep their place so that a step allocates nothing.
   "Activations" are float32, or for int8 pairs of bytes as `activate` in kernels/product.h packs them. */
typedef struct {
    char *rings;     /* every layer's (kernel_size - 1) * dilation past inputs, rows of Rp activations */
    place_t *places; /* (layers) */
    float *ahead;    /* (layers that look ahead, AHEAD, 2 Rp): what past taps will give */
    float *past;     /* (2 Rp): the same for a layer that cannot look ahead */
    float *conditioning; /* (C), padded with zeros: c of this control period */
    float *biases;   /* (layers, 2 Rp): V c + b */
    float *stream;   /* (Rp + Sp): h, then the sum of skips */
    float *gate;     /* (2 Rp) */
    char *gated;     /* (Rp) activations: y */
    float *hidden;   /* (Hp) */
    char *skip_activations, *hidden_activations; /* (Sp), (Hp) activations */
    float *out;      /* (Op): mean and log scale, or logits */
    float *phasors;  /* (2 Kp): excitation of the next sample, sines and cosines, zero where masked */
    float *rotation; /* (2 Kp): one sample's turn, sines and cosines */
    float *excited;  /* (AHEAD, Rp): what the excitation gives the samples to come */
    int excited_ready, excited_next;
    float sample;    /* s[t-1]: what a Gaussian network hears */
    int class_index; /* class[t-1]: what a mu-law network hears */
    char *memory;
} wavenet_state_t;

/* NULL when memory is out. `kernels` as kernels_find gives them. */
wavenet_t *wavenet_create(const wavenet_config_t *config, const wavenet_tensors_t *tensors, precision_t precision,
                          const struct kernels *kernels);
void wavenet_destroy(wavenet_t *network);

/* False when memory is out. Starts silent, with zero rings and zero conditioning. States that are stepped together have
   different numbers: they begin at different places in the cache, or their vectors would crowd each other out. */
bool wavenet_state_create(const wavenet_t *network, wavenet_state_t *state, int number);

/* Only what a voice is told: conditioning, phasors and rotation. False when memory is out. */
bool wavenet_state_create_told(const wavenet_t *network, wavenet_state_t *state);

void wavenet_state_destroy(wavenet_state_t *state);
void wavenet_state_reset(const wavenet_t *network, wavenet_state_t *state);

/* Rings and what was last heard; conditioning and excitation stay the receiver's own. */
void wavenet_state_copy(const wavenet_t *network, wavenet_state_t *to, const wavenet_state_t *from);

/* Let the network hear silence for its receptive field, with zero conditioning and excitation. */
void wavenet_prime(const wavenet_t *network, wavenet_state_t *state);

#endif
