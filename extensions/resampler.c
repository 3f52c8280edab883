#define _GNU_SOURCE
/* Kaiser-windowed sinc, polyphase: see J. O. Smith, "Digital Audio Resampling Home Page" (CCRMA). */
#include "resampler.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "denormals.h"
#include "realtime.h"

#define PI 3.14159265358979323846

static const double DELAY_LIMIT_S = 0.00095;
static const double KAISER_BETA = 8.0; /* stop band near -80 dB */
enum { HALF_WIDTH_MIN = 4, HALF_WIDTH_MAX = 48 }; /* taps on either side of the centre */

/* Output m stands at input position m * down / up = base + phase / up, and sees the inputs up to `base`. */
struct resampler_t {
    int model_rate;
    int up, down; /* device_rate / model_rate, reduced */
    int taps; /* of each phase; 0 when the rates are equal */
    float *filter; /* (up, taps): taps from the oldest input to the newest */
    float *input; /* (taps + RESAMPLER_CAPACITY,): what `base` can still see, then what waits */
    int held; /* frames in `input` */
    int base; /* index in `input` of the newest frame that the next output sees */
    int phase; /* 0 .. up - 1 */
};

static int greatest_common_divisor(int a, int b) { return b ? greatest_common_divisor(b, a % b) : a; }

static double bessel_i0(double x) {
    double term = 1.0, sum = 1.0;
    for (int k = 1; term > 1e-17 * sum; k++) {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

static double windowed_sinc(double position, double cutoff, int half_width) {
    double edge = position / half_width, angle = PI * cutoff * position;
    if (edge <= -1.0 || edge >= 1.0)
        return 0.0;
    double window = bessel_i0(KAISER_BETA * sqrt(1.0 - edge * edge)) / bessel_i0(KAISER_BETA);
    return (angle == 0.0 ? 1.0 : sin(angle) / angle) * window;
}

static void design(resampler_t *resampler, int half_width) {
    double cutoff = resampler->up < resampler->down ? (double)resampler->up / resampler->down : 1.0;
    double scratch[2 * HALF_WIDTH_MAX];
    for (int phase = 0; phase < resampler->up; phase++) {
        double sum = 0.0;
        for (int tap = 0; tap < resampler->taps; tap++) {
            double age = resampler->taps - 1 - tap + (double)phase / resampler->up;
            sum += scratch[tap] = windowed_sinc(age - half_width, cutoff, half_width);
        }
        /* Every phase has gain 1 at 0 Hz, or a steady level would hum at the model rate. */
        for (int tap = 0; tap < resampler->taps; tap++)
            resampler->filter[(size_t)phase * resampler->taps + tap] = (float)(scratch[tap] / sum);
    }
}

resampler_t *resampler_create(int model_rate, int device_rate) {
    resampler_t *resampler = calloc(1, sizeof *resampler);
    if (!resampler)
        return NULL;
    int divisor = greatest_common_divisor(model_rate, device_rate);
    int half_width = (int)(DELAY_LIMIT_S * model_rate);
    if (half_width < HALF_WIDTH_MIN)
        half_width = HALF_WIDTH_MIN;
    if (half_width > HALF_WIDTH_MAX)
        half_width = HALF_WIDTH_MAX;
    resampler->model_rate = model_rate;
    resampler->up = device_rate / divisor;
    resampler->down = model_rate / divisor;
    resampler->taps = model_rate == device_rate ? 0 : 2 * half_width;
    resampler->filter = malloc(sizeof(float) * ((size_t)resampler->up * resampler->taps + 1));
    resampler->input = calloc(resampler->taps + RESAMPLER_CAPACITY, sizeof(float));
    if (!resampler->filter || !resampler->input) {
        resampler_destroy(resampler);
        return NULL;
    }
    if (resampler->taps) {
        design(resampler, half_width);
        resampler->held = resampler->base = resampler->taps - 1;
    }
    return resampler;
}

void resampler_destroy(resampler_t *resampler) {
    if (!resampler)
        return;
    free(resampler->filter);
    free(resampler->input);
    free(resampler);
}

int resampler_lock(const resampler_t *resampler) {
    size_t filter = sizeof(float) * ((size_t)resampler->up * resampler->taps + 1);
    return memory_lock(resampler, sizeof *resampler) && memory_lock(resampler->filter, filter)
        && memory_lock(resampler->input, sizeof(float) * (resampler->taps + RESAMPLER_CAPACITY));
}

double resampler_delay_s(const resampler_t *resampler) { return 0.5 * resampler->taps / resampler->model_rate; }

long long resampler_needed(const resampler_t *resampler, long long frames) {
    if (frames <= 0)
        return 0;
    long long newest = resampler->base + (resampler->phase + (frames - 1) * resampler->down) / resampler->up;
    return newest < resampler->held ? 0 : newest + 1 - resampler->held;
}

/* Drop the inputs that no output will see again. */
static void forget(resampler_t *resampler) {
    int history = resampler->taps ? resampler->taps - 1 : 0;
    int old = resampler->base - history < resampler->held ? resampler->base - history : resampler->held;
    memmove(resampler->input, resampler->input + old, (resampler->held - old) * sizeof(float));
    resampler->held -= old;
    resampler->base -= old;
}

int resampler_feed(resampler_t *resampler, const float *input, int frames) {
    forget(resampler);
    int room = resampler->taps + RESAMPLER_CAPACITY - resampler->held;
    int count = frames < room ? frames : room;
    memcpy(resampler->input + resampler->held, input, count * sizeof(float));
    resampler->held += count;
    return count;
}

int resampler_read(resampler_t *resampler, float *output, int frames) {
    int count = 0;
    denormals_t before = denormals_flush();
    for (; count < frames && resampler->base < resampler->held; count++) {
        const float *newest = resampler->input + resampler->base;
        if (resampler->taps) {
            const float *filter = resampler->filter + (size_t)resampler->phase * resampler->taps;
            const float *oldest = newest - (resampler->taps - 1);
            float even = 0.0f, odd = 0.0f;
            for (int tap = 0; tap < resampler->taps; tap += 2) {
                even += filter[tap] * oldest[tap];
                odd += filter[tap + 1] * oldest[tap + 1];
            }
            output[count] = fminf(fmaxf(even + odd, -1.0f), 1.0f); /* between samples a wave may pass full scale */
        } else {
            output[count] = *newest;
        }
        resampler->phase += resampler->down;
        resampler->base += resampler->phase / resampler->up;
        resampler->phase %= resampler->up;
    }
    denormals_restore(before);
    return count;
}
