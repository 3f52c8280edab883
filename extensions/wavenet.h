/* The network: weights packed for vector units (constant), and the state of one running copy (what moves).

   R, S, H: residual, skip and head channels; K: partials; C: conditioning channels. Channel counts are padded to
   LANES in memory; padding is zero everywhere and stays zero. The arithmetic is that of rtwave/wavenet/reference.py. */

#ifndef RTWAVE_WAVENET_H
#define RTWAVE_WAVENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LANES = 16,        /* rows are padded to this, the widest vector there is */
    MAX_LAYERS = 256,
    MAX_TAPS = 3,      /* kernel size */
    BATCH = 4,         /* voices that share one pass over the weights */
};

/* Bounds of rtwave/wavenet/config.py and features.py. */
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
} wavenet_tensors_t;

/* A matrix in panels of LANES rows; within a panel column follows column, each a run of LANES weights. */
typedef struct {
    float *weights;
    int rows;     /* padded to LANES */
    int columns;  /* of one segment of the input, padded to an even count */
    int segments; /* pieces of the input vector that lie apart in memory */
} matrix_t;

typedef struct {
    matrix_t gate;         /* (2 Rp) x (kernel_size segments of R): filter rows, then gate rows */
    matrix_t conditioning; /* (2 Rp) x C */
    matrix_t mix;          /* (Rp + Sp) x R: residual rows, then skip rows; the last layer has skip rows alone */
    float *gate_bias;      /* (2 Rp) */
    float *mix_bias;       /* (rows of mix), zero on skip rows */
    int mix_first;         /* where its rows go in `stream`: 0, or Rp at the last layer */
    int dilation;
    size_t ring;           /* where its ring starts in a state's rings, in floats */
} layer_t;

struct kernels;

typedef struct wavenet {
    wavenet_config_t config;
    const struct kernels *kernels;
    int residual_padded, skip_padded, head_padded, outputs_padded, partials_padded; /* Rp, Sp, Hp, Op, Kp */
    float *input_weight, *input_bias; /* (Rp); mu-law: (Q, Rp), zero */
    matrix_t excitation;              /* Rp x 2 segments of K: sines, cosines */
    layer_t layers[MAX_LAYERS];
    matrix_t hidden, output;
    float *hidden_bias, *output_bias;
    float *class_values; /* (Q) */
    float *zeros;        /* as long as the longest vector */
    size_t ring_floats;
    float *memory; /* one block holds all of the above */
    size_t memory_floats;
} wavenet_t;

/* One running copy of the network. Working vectors keep their place so that a step allocates nothing. */
typedef struct {
    float *rings;    /* every layer's (kernel_size - 1) * dilation past inputs, rows of Rp */
    float *biases;   /* (layers, 2 Rp): V c + b of this control period */
    float *stream;   /* (Rp + Sp): h, then the sum of skips */
    float *gate;     /* (2 Rp) */
    float *gated;    /* (Rp) */
    float *hidden;   /* (Hp) */
    float *out;      /* (Op): mean and log scale, or logits */
    float *sines, *cosines;               /* (Kp): excitation of the sample predicted, zero where masked */
    float *sine_rotation, *cosine_rotation; /* (Kp): one sample's turn */
    int *positions;  /* (layers): oldest row of each ring */
    float sample;    /* s[t-1]: what a Gaussian network hears */
    int class_index; /* class[t-1]: what a mu-law network hears */
    float *memory;
} wavenet_state_t;

/* NULL when memory is out. `kernels` as kernels_find gives them. */
wavenet_t *wavenet_create(const wavenet_config_t *config, const wavenet_tensors_t *tensors,
                          const struct kernels *kernels);
void wavenet_destroy(wavenet_t *network);

/* False when memory is out. Starts silent, with zero rings and zero conditioning. */
bool wavenet_state_create(const wavenet_t *network, wavenet_state_t *state);
void wavenet_state_destroy(wavenet_state_t *state);
void wavenet_state_reset(const wavenet_t *network, wavenet_state_t *state);
void wavenet_state_copy(const wavenet_t *network, wavenet_state_t *to, const wavenet_state_t *from);

/* Let the network hear silence for its receptive field, with zero conditioning and excitation. */
void wavenet_prime(const wavenet_t *network, wavenet_state_t *state);

#endif
