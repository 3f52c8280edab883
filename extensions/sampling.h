/* From what the network says of the next sample to the sample: a draw from the voice's own random stream. */

#ifndef RTWAVE_SAMPLING_H
#define RTWAVE_SAMPLING_H

#include <math.h>

#include "philox.h"
#include "voice.h"

/* The normal variate of this sample: made for DRAWS samples at a time, whatever the sample at which one is first needed. */
static inline float draw_noise(voice_t *voice, const setting_t *setting)
{
    const int64_t shift = (int64_t)(voice->ordinal % DRAWS); /* voices struck together do this at different samples */
    const int64_t from = (voice->age + shift) / DRAWS * DRAWS - shift;
    if (voice->noise_from != from) {
        setting->network->kernels->normals(setting->seed, (uint64_t)from, voice->ordinal, voice->noise);
        voice->noise_from = from;
    }
    return voice->noise[voice->age - from];
}

/* s[t] ~ N(mean, (T scale)^2). */
static inline float draw_gaussian(voice_t *voice, const setting_t *setting)
{
    const float temperature = voice->temperature;
    float sample = voice->state.out[0];
    if (temperature > 0.0f) {
        float log_scale = fminf(fmaxf(voice->state.out[1], LOG_SCALE_MIN), LOG_SCALE_MAX);
        sample += temperature * expf(log_scale) * draw_noise(voice, setting);
    }
    voice->state.sample = sample;
    return sample;
}

/* A class of softmax(logits / T); the likeliest at T = 0. NaN when a logit is not finite. */
static inline float draw_class(voice_t *voice, const setting_t *setting)
{
    const float temperature = voice->temperature;
    const wavenet_t *network = setting->network;
    const float *logits = voice->state.out;
    const int classes = network->config.quantization_channels;
    int drawn = 0;
    if (temperature > 0.0f) {
        philox_t random = philox(setting->seed, (uint64_t)voice->age, voice->ordinal);
        drawn = network->kernels->draw(logits, classes, 1.0f / temperature, (float)philox_uniform(random.words[0]));
        if (drawn < 0)
            return NAN;
    } else {
        for (int i = 0; i < classes; i++) {
            if (!isfinite(logits[i]))
                return NAN;
            if (logits[i] > logits[drawn])
                drawn = i;
        }
    }
    voice->state.class_index = drawn;
    return network->class_values[drawn];
}

/* What a device drew, as a sample: NaN where it drew nothing that can be one. */
static inline float drawn_sample(const wavenet_t *network, float drawn)
{
    if (network->config.gaussian)
        return drawn;
    const bool is_class = drawn >= 0.0f && drawn < (float)network->config.quantization_channels;
    return is_class ? network->class_values[(int)drawn] : NAN;
}

/* NaN when the network left all bounds. */
static inline float draw(voice_t *voice, const setting_t *setting)
{
    return setting->network->config.gaussian ? draw_gaussian(voice, setting) : draw_class(voice, setting);
}

#endif
