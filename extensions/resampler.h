/* Model rate to device rate: a streaming polyphase windowed-sinc filter with under 1 ms of delay. */
#ifndef RTWAVE_RESAMPLER_H
#define RTWAVE_RESAMPLER_H

typedef struct resampler_t resampler_t;

enum { RESAMPLER_CAPACITY = 4096 }; /* input frames that can wait to be read */

/* Rates in Hz, any ratio; equal rates pass every sample through untouched. NULL when memory is short. */
resampler_t *resampler_create(int model_rate, int device_rate);
void resampler_destroy(resampler_t *resampler);

int resampler_lock(const resampler_t *resampler); /* keep it out of swap; 0 where the system refuses */

/* Output lags by this much, in seconds: 0 when the rates are equal. */
double resampler_delay_s(const resampler_t *resampler);

/* Input frames still to be fed before `frames` output frames can be read. */
long long resampler_needed(const resampler_t *resampler, long long frames);

/* Feed up to `frames`, as far as the capacity goes; returns how many were taken. Allocates nothing. */
int resampler_feed(resampler_t *resampler, const float *input, int frames);

/* Read up to `frames` output frames, as far as the input goes; returns how many. Allocates nothing.
   Each output is one dot product in a fixed order, so chunking cannot change a bit of it. */
int resampler_read(resampler_t *resampler, float *output, int frames);

#endif
