#include "segments.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* One body for every x86 there is, chosen when the module is loaded; elsewhere the compiler's own target. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define PER_INSTRUCTION_SET __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define PER_INSTRUCTION_SET
#endif

#define INLINE static inline __attribute__((always_inline))
#define PI 3.14159265358979323846
#define TURN 4294967296.0 /* phases are counted in 2^-32 of a turn: they wrap as integers do */
#define PER_TURN (0.5 / PI)
#define QUARTER 0x40000000u

enum {
    RUN = 128, /* samples after which phases are set anew from double precision: 1e-7 rad of drift */
    AHEAD = 8, /* of which every so many have their sines worked out, and the others are turned on from there */
};

/* --- resampling --------------------------------------------------------------------------------------------------- */

void segments_sinc(sinc_t *sinc)
{
    for (int row = 0; row <= SINC_ROWS; row++) {
        double taps[SINC_TAPS], sum = 0.0;
        for (int tap = 0; tap < SINC_TAPS; tap++) {
            double x = tap - (SINC_TAPS / 2 - 1) - (double)row / SINC_ROWS;
            double window = cos(PI * x / (SINC_TAPS + 2));
            double angle = 0.96 * PI * x;
            taps[tap] = (x == 0.0 ? 1.0 : sin(angle) / angle) * window * window;
            sum += taps[tap];
        }
        for (int tap = 0; tap < SINC_TAPS; tap++)
            sinc->taps[row][tap] = (float)(taps[tap] / sum);
    }
}

typedef float four_t __attribute__((vector_size(16), aligned(4), may_alias));

INLINE float wave_at(const sinc_t *sinc, const float *samples, double share)
{
    double place = share * SINC_ROWS;
    int row = place < SINC_ROWS ? (int)place : SINC_ROWS - 1; /* a hair below a whole position, share rounds to 1 */
    const float between = (float)(place - row), *low = sinc->taps[row], *high = sinc->taps[row + 1];
    four_t sum = {0.0f};
    for (int tap = 0; tap < SINC_TAPS; tap += 4) {
        four_t from = *(const four_t *)(low + tap), to = *(const four_t *)(high + tap);
        sum += (from + between * (to - from)) * *(const four_t *)(samples + tap);
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

PER_INSTRUCTION_SET
void segments_resample(const sinc_t *sinc, const float *samples, ptrdiff_t count, const double *positions, float *out,
                       ptrdiff_t length)
{
    for (ptrdiff_t i = 0; i < length; i++) {
        double position = positions[i], whole = floor(position);
        ptrdiff_t left = (ptrdiff_t)whole - (SINC_TAPS / 2 - 1);
        if (position == whole) {
            out[i] = position >= 0.0 && position < (double)count ? samples[(ptrdiff_t)whole] : 0.0f;
        } else if (left >= 0 && left + SINC_TAPS <= count) {
            out[i] = wave_at(sinc, samples + left, position - whole);
        } else {
            float near[SINC_TAPS] = {0.0f};
            for (ptrdiff_t tap = 0; tap < SINC_TAPS; tap++)
                if (left + tap >= 0 && left + tap < count)
                    near[tap] = samples[left + tap];
            out[i] = wave_at(sinc, near, position - whole);
        }
    }
}

/* --- excitation --------------------------------------------------------------------------------------------------- */

/* The sine of a phase, absolute error below 2e-7: folded to a quarter turn either side of 0, then odd to degree 9. */
INLINE float sine(uint32_t phase)
{
    int32_t folded = (int32_t)(phase ^ (phase << 1)) < 0 ? (int32_t)(2 * QUARTER - phase) : (int32_t)phase;
    float x = (float)folded * (float)(2.0 * PI / TURN), y = x * x;
    float p = 2.60005472e-6f * y - 1.98066152e-4f; /* least largest error */
    p = p * y + 8.33301729e-3f;
    p = p * y - 1.66666571e-1f;
    return x + x * y * p;
}

INLINE uint32_t counted(double turns)
{
    return (uint32_t)(int64_t)((turns - floor(turns)) * TURN + 0.5);
}

PER_INSTRUCTION_SET
static void set_phases(const float *here, const float *next, const double *turns, int audible, double at, double past,
                       double pace, uint32_t *restrict phases, uint32_t *restrict steps)
{
    for (int k = 0; k < audible; k++) {
        double from = here[k] * PER_TURN, change = (next[k] - (double)here[k]) * PER_TURN;
        phases[k] = counted(turns[k] * at + from + past * change);
        steps[k] = counted(turns[k] + pace * change);
    }
}

typedef struct {
    float sines[MAX_PARTIALS_DRAWN], cosines[MAX_PARTIALS_DRAWN];
} row_t;

INLINE void row_at(row_t *restrict row, const uint32_t *restrict phases, uint32_t times, int audible)
{
    for (int k = 0; k < audible; k++) {
        row->sines[k] = sine(times * phases[k]);
        row->cosines[k] = sine(times * phases[k] + QUARTER);
    }
}

PER_INSTRUCTION_SET
static void turn_on(uint32_t *restrict phases, const uint32_t *restrict steps, int audible, int partials, int samples,
                    float *restrict out)
{
    row_t turns[AHEAD], here;
    for (int ahead = 0; ahead < AHEAD; ahead++)
        row_at(&turns[ahead], steps, ahead, audible);
    for (int t = 0; t < samples; t++) {
        const row_t *restrict turn = &turns[t % AHEAD];
        float *restrict sines = out + (ptrdiff_t)t * 2 * partials, *restrict cosines = sines + partials;
        if (t % AHEAD == 0) {
            row_at(&here, phases, 1, audible);
            for (int k = 0; k < audible; k++)
                phases[k] += AHEAD * steps[k];
        }
        for (int k = 0; k < audible; k++) {
            sines[k] = here.sines[k] * turn->cosines[k] + here.cosines[k] * turn->sines[k];
            cosines[k] = here.cosines[k] * turn->cosines[k] - here.sines[k] * turn->sines[k];
        }
        for (int k = audible; k < partials; k++)
            sines[k] = cosines[k] = 0.0f;
    }
}

/* Linear between the factors of a frame and of the next; `past` is where the first sample stands between them. */
PER_INSTRUCTION_SET
static void weigh(const weights_t *weights, ptrdiff_t frame, double past, double pace, int audible, int partials, int samples,
                  float *restrict out)
{
    float real[MAX_PARTIALS_DRAWN], imaginary[MAX_PARTIALS_DRAWN];
    float real_step[MAX_PARTIALS_DRAWN], imaginary_step[MAX_PARTIALS_DRAWN];
    ptrdiff_t last = weights->frames - 1, at = frame - weights->first;
    at = at < 0 ? 0 : at < last ? at : last;
    const float *here = weights->values + at * 2 * audible, *next = at < last ? here + 2 * audible : here;
    for (int k = 0; k < audible; k++) {
        float along = next[2 * k] - here[2 * k], across = next[2 * k + 1] - here[2 * k + 1];
        real[k] = here[2 * k] + (float)past * along;
        imaginary[k] = here[2 * k + 1] + (float)past * across;
        real_step[k] = (float)pace * along;
        imaginary_step[k] = (float)pace * across;
    }
    for (int t = 0; t < samples; t++) {
        float *restrict sines = out + (ptrdiff_t)t * 2 * partials, *restrict cosines = sines + partials;
        for (int k = 0; k < audible; k++) {
            float sine = sines[k], cosine = cosines[k];
            float re = real[k] + (float)t * real_step[k], im = imaginary[k] + (float)t * imaginary_step[k];
            sines[k] = sine * re + cosine * im;
            cosines[k] = cosine * re - sine * im;
        }
    }
}

void segments_excite(const float *deviations, ptrdiff_t frames, ptrdiff_t columns, const double *turns, int audible,
                     int partials, double pace, ptrdiff_t start, float *out, ptrdiff_t length,
                     const weights_t *weights)
{
    uint32_t phases[MAX_PARTIALS_DRAWN], steps[MAX_PARTIALS_DRAWN];
    ptrdiff_t t = start < 0 ? (start + length < 0 ? length : -start) : 0;
    memset(out, 0, sizeof(float) * 2 * (size_t)partials * (size_t)t);
    while (t < length) {
        double at = (double)(start + t), place = at * pace;
        bool last = place >= (double)(frames - 1);
        ptrdiff_t frame = last ? frames - 1 : (ptrdiff_t)place;
        const float *here = deviations + frame * columns, *next = last ? here : here + columns;
        double left = last ? RUN : ceil(((double)(frame + 1) - place) / pace);
        int run = (int)fmin(fmin(fmax(left, 1.0), RUN), (double)(length - t));
        set_phases(here, next, turns, audible, at, place - (double)frame, pace, phases, steps);
        turn_on(phases, steps, audible, partials, run, out + t * 2 * partials);
        if (weights)
            weigh(weights, frame, place - (double)frame, pace, audible, partials, run, out + t * 2 * partials);
        t += run;
    }
}

/* --- level -------------------------------------------------------------------------------------------------------- */

PER_INSTRUCTION_SET
void segments_level(const float *signal, ptrdiff_t length, ptrdiff_t window, float *out)
{
    double power = 0.0;
    for (ptrdiff_t i = 0; i < length; i++) {
        double gone = i < window ? 0.0 : signal[i - window];
        power += (double)signal[i] * signal[i] - gone * gone;
        out[i] = (float)power;
    }
    for (ptrdiff_t i = 0; i < length; i++)
        out[i] = sqrtf((out[i] > 0.0f ? out[i] : 0.0f) / (float)window);
}
