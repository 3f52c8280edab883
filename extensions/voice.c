#include "voice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conditioning.h"
#include "kernels/kernels.h"
#include "philox.h"

#define ONSET_S 0.1          /* a voice's level is judged no earlier in its envelope than here */
#define END_FADE_S 0.02
#define FAULT_FADE_S 0.005
#define POWER_WINDOW_S 0.02
#define SAMPLE_LIMIT 4.0f    /* no trained network comes near */
#define POWER_LIMIT 1.0f     /* louder than a full-scale square wave for a whole window: an instability, not a sound */
#define VIBRATO_HZ 5.5
#define NEPER_DB 8.685889638

bool voice_create(voice_t *voice, const setting_t *setting, int number)
{
    const int partials = setting->network->config.partials;
    memset(voice, 0, sizeof *voice);
    voice->curve_db = calloc(setting->instrument.ages, sizeof(float));
    voice->phases = calloc(partials + 1, sizeof(double));
    voice->turns = calloc(partials + 1, sizeof(double));
    bool good = voice->curve_db && voice->phases && voice->turns;
    return good && wavenet_state_create(setting->network, &voice->state, number);
}

void voice_destroy(voice_t *voice)
{
    wavenet_state_destroy(&voice->state);
    free(voice->curve_db);
    free(voice->phases);
    free(voice->turns);
}

/* The place of `value` in a rising table: index of the lower neighbour, and how far on to the next (0 beyond the ends). */
static int locate(const float *table, int count, float value, float *share)
{
    *share = 0.0f;
    if (value <= table[0])
        return 0;
    if (value >= table[count - 1])
        return count - 1;
    int i = 0;
    while (table[i + 1] <= value)
        i++;
    *share = (value - table[i]) / (table[i + 1] - table[i]);
    return i;
}

static void pick_curve(voice_t *voice, const instrument_t *instrument)
{
    const int ages = instrument->ages, velocities = instrument->velocities;
    float key_share, velocity_share;
    int key = locate(instrument->envelope_keys, instrument->keys, (float)voice->key, &key_share);
    int velocity = locate(instrument->envelope_velocities, velocities, (float)voice->velocity, &velocity_share);
    int next_key = key_share > 0.0f ? key + 1 : key, next_velocity = velocity_share > 0.0f ? velocity + 1 : velocity;
    const float *table = instrument->envelope_db;
    for (int i = 0; i < ages; i++) {
        float low = table[(key * velocities + velocity) * ages + i];
        float low_next = table[(key * velocities + next_velocity) * ages + i];
        float high = table[(next_key * velocities + velocity) * ages + i];
        float high_next = table[(next_key * velocities + next_velocity) * ages + i];
        low += velocity_share * (low_next - low);
        high += velocity_share * (high_next - high);
        voice->curve_db[i] = low + key_share * (high - low);
    }
}

/* The held note's level at an age: linear between the grid's ages, its last slope beyond them, but never rising there. */
static double envelope_db(const voice_t *voice, const instrument_t *instrument, double age_s)
{
    const float *ages_s = instrument->envelope_ages_s, *curve = voice->curve_db;
    const int last = instrument->ages - 1;
    if (last == 0)
        return curve[0];
    float age = (float)age_s, share;
    if (age >= ages_s[last]) {
        double slope = ((double)curve[last] - curve[last - 1]) / ((double)ages_s[last] - ages_s[last - 1]);
        return curve[last] + fmin(slope, 0.0) * (age_s - ages_s[last]);
    }
    int i = locate(ages_s, instrument->ages, age, &share);
    return curve[i] + share * (curve[i + 1] - curve[i]);
}

/* What the damper takes from the voice, dB a sample. */
static double damping_db(const voice_t *voice, const setting_t *setting)
{
    double release_s = setting->instrument.release_s[voice->key];
    if (voice->released < 0 || release_s <= 0.0)
        return 0.0;
    return NEPER_DB / (release_s * setting->controls[CONTROL_RELEASE] * setting->network->config.sample_rate);
}

static double seconds(const setting_t *setting, int64_t samples)
{
    return (double)samples / setting->network->config.sample_rate;
}

/* `ahead` samples into this control period. */
static double loudness_db(const voice_t *voice, const setting_t *setting, int ahead)
{
    double held_db = envelope_db(voice, &setting->instrument, seconds(setting, voice->age + ahead));
    double damped_db = voice->damped_db + ahead * voice->damping_db;
    bool expressive = setting->hears_loudness || setting->network->config.levelled;
    double expression = expressive ? 20.0 * log10(fmax(setting->controls[CONTROL_EXPRESSION], 1e-6)) : 0.0;
    return fmax(held_db - damped_db + expression, LOUDNESS_FLOOR_DB);
}

static note_state_t note_state(const voice_t *voice, const setting_t *setting)
{
    const float *controls = setting->controls;
    note_state_t state = {.velocity = voice->velocity};
    state.age_s = seconds(setting, voice->age);
    state.release_age_s = voice->released >= 0 ? seconds(setting, voice->age - voice->released) : -1.0;
    state.note = voice->key + controls[CONTROL_BEND] + 12.0 * log2(controls[CONTROL_TUNE] / 440.0)
               + controls[CONTROL_VIBRATO] * sin(2.0 * PI * VIBRATO_HZ * state.age_s);
    state.loudness_db = loudness_db(voice, setting, 0);
    for (int i = 0; i < KNOBS; i++)
        state.knobs[i] = controls[CONTROL_KNOB1 + i];
    return state;
}

/* Frequencies of the partials; those too near half the sample rate are left out. */
static void tune(voice_t *voice, const setting_t *setting, double f0, double stiffness)
{
    const wavenet_t *network = setting->network;
    const double sample_rate = network->config.sample_rate;
    float *rotation = voice->state.rotation;
    voice->f0 = f0;
    voice->stiffness = stiffness;
    voice->audible = 0;
    for (int k = 0; k < network->config.partials; k++) {
        double frequency = features_partial_frequency(f0, stiffness, k + 1);
        voice->turns[k] = frequency / sample_rate;
        voice->audible += frequency <= NYQUIST_SHARE * sample_rate;
    }
    network->kernels->phasors(voice->turns, rotation, rotation + network->partials_padded, network->config.partials);
}

/* Phases have gone on by `elapsed` samples at the last period's frequencies; from here on, at these. */
static void set_phasors(voice_t *voice, const setting_t *setting, double note)
{
    const wavenet_t *network = setting->network;
    const int partials = network->config.partials;
    float *sines = voice->state.phasors, *cosines = sines + network->partials_padded;
    double f0 = features_note_frequency(note, setting->instrument.cents);
    double stiffness = features_between_keys(setting->instrument.stiffness, note);
    for (int k = 0; k < partials; k++) {
        double phase = voice->phases[k] + voice->elapsed * voice->turns[k];
        voice->phases[k] = phase - floor(phase);
    }
    if (f0 != voice->f0 || stiffness != voice->stiffness)
        tune(voice, setting, f0, stiffness);
    network->kernels->phasors(voice->phases, sines, cosines, voice->audible);
    for (int k = voice->audible; k < partials; k++)
        sines[k] = cosines[k] = 0.0f;
}

/* Ramp, linearly in dB, from wherever the level is to where it belongs when this period ends. */
static void set_level(voice_t *voice, const setting_t *setting)
{
    const wavenet_config_t *config = &setting->network->config;
    if (!config->levelled)
        return;
    if (voice->age == 0)
        voice->level = (float)features_level(loudness_db(voice, setting, 0));
    double end = features_level(loudness_db(voice, setting, config->control_period));
    voice->level_step = (float)pow(end / voice->level, 1.0 / config->control_period);
}

/* Where the voice stands when another needs its place, and whether it has ended. */
static void judge(voice_t *voice, const setting_t *setting)
{
    double age_s = fmax(seconds(setting, voice->age), ONSET_S);
    voice->standing_db = (float)(envelope_db(voice, &setting->instrument, age_s) - voice->damped_db);
    if (voice_sounds(voice) && voice->standing_db <= LOUDNESS_FLOOR_DB)
        voice_fade(voice, setting, END_FADE_S);
}

static void begin_period(voice_t *voice, const setting_t *setting)
{
    const wavenet_config_t *config = &setting->network->config;
    voice->damped_db += voice->elapsed * voice->damping_db;
    voice->damping_db = damping_db(voice, setting);
    note_state_t state = note_state(voice, setting);
    features_conditioning(config->features, config->feature_count, &state, voice->state.conditioning);
    set_phasors(voice, setting, state.note);
    set_level(voice, setting);
    judge(voice, setting);
    voice->state.excited_ready = 0;
    voice->countdown = config->control_period;
    voice->elapsed = 0;
}

void voice_start(voice_t *voice, const setting_t *setting, const wavenet_state_t *primed, int key, int velocity,
                 uint64_t ordinal)
{
    const int partials = setting->network->config.partials;
    wavenet_state_copy(setting->network, &voice->state, primed);
    voice->phase = VOICE_HELD;
    voice->key = key;
    voice->velocity = velocity;
    voice->ordinal = ordinal;
    voice->age = voice->elapsed = voice->countdown = 0;
    voice->released = -1;
    voice->damped_db = voice->damping_db = 0.0;
    voice->fade = 1.0f;
    voice->fade_step = voice->sample = voice->centred = voice->heard = voice->power = 0.0f;
    voice->level = voice->level_step = 1.0f;
    for (int k = 0; k < partials; k++) {
        voice->phases[k] = setting->instrument.onset_phases[key * partials + k] / (2.0 * PI);
        voice->turns[k] = 0.0;
    }
    voice->f0 = 0.0;
    voice->noise_from = INT64_MIN;
    pick_curve(voice, &setting->instrument);
    voice->standing_db = (float)envelope_db(voice, &setting->instrument, ONSET_S);
}

bool voice_sounds(const voice_t *voice)
{
    return voice->phase == VOICE_HELD || voice->phase == VOICE_RELEASED;
}

void voice_release(voice_t *voice)
{
    if (voice->phase != VOICE_HELD)
        return;
    voice->phase = VOICE_RELEASED;
    voice->released = voice->age;
    voice_touch(voice);
}

void voice_touch(voice_t *voice)
{
    voice->countdown = 0;
}

/* A fade already under way is only ever hastened. */
void voice_fade(voice_t *voice, const setting_t *setting, double fade_s)
{
    float step = voice->fade / (float)(fade_s * setting->network->config.sample_rate);
    if (voice->phase == VOICE_IDLE)
        return;
    if (voice->phase != VOICE_FAULTED)
        voice->phase = VOICE_FADING;
    if (step > voice->fade_step)
        voice->fade_step = step;
}

void voices_prepare(voice_t *const *voices, const setting_t *setting, int count)
{
    const wavenet_t *network = setting->network;
    wavenet_state_t *beginning[BATCH];
    int beginners = 0;
    for (int n = 0; n < count; n++)
        if (voices[n]->countdown == 0) {
            begin_period(voices[n], setting);
            beginning[beginners++] = &voices[n]->state;
        }
    if (beginners)
        network->kernels->condition(network, beginning, beginners);
    for (int n = 0; n < count; n++) {
        voice_t *voice = voices[n];
        if (network->config.partials && voice->state.excited_ready == 0) {
            /* Fewer at first, so that voices in step with each other do not do this at the same samples. */
            const int most = voice->elapsed == 0 ? 1 + n : AHEAD;
            network->kernels->excite(network, &voice->state, voice->countdown < most ? voice->countdown : most);
        }
        voice->countdown--;
        voice->elapsed++;
    }
}

/* The normal variate of this sample: made for DRAWS samples at a time, whatever the sample at which one is first needed. */
static float noise(voice_t *voice, const setting_t *setting)
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
static float draw_gaussian(voice_t *voice, const setting_t *setting, float temperature)
{
    float sample = voice->state.out[0];
    if (temperature > 0.0f) {
        float log_scale = fminf(fmaxf(voice->state.out[1], LOG_SCALE_MIN), LOG_SCALE_MAX);
        sample += temperature * expf(log_scale) * noise(voice, setting);
    }
    voice->state.sample = sample;
    return sample;
}

/* A class of softmax(logits / T); the likeliest at T = 0. NaN when a logit is not finite. */
static float draw_class(voice_t *voice, const setting_t *setting, float temperature)
{
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

static float cut(voice_t *voice, const setting_t *setting, bool *fault)
{
    *fault = true;
    voice->phase = VOICE_FAULTED;
    voice->fade_step = 0.0f;
    voice_fade(voice, setting, FAULT_FADE_S);
    return voice->heard * voice->fade;
}

float voice_finish(voice_t *voice, const setting_t *setting, bool *fault)
{
    const wavenet_config_t *config = &setting->network->config;
    if (voice->phase != VOICE_FAULTED) {
        float temperature = fmaxf(setting->controls[CONTROL_TEMPERATURE] + setting->instrument.temperature[voice->key], 0.0f);
        float drawn = config->gaussian ? draw_gaussian(voice, setting, temperature)
                                       : draw_class(voice, setting, temperature);
        float sample = drawn + config->pre_emphasis * voice->sample;
        float centred = config->pre_emphasis > 0.0f
                            ? sample - voice->sample + setting->centring * voice->centred
                            : sample;
        float heard = centred * voice->level;
        float share = 1.0f / (float)(POWER_WINDOW_S * config->sample_rate);
        float power = voice->power + share * (heard * heard - voice->power);
        if (!(fabsf(drawn) <= SAMPLE_LIMIT && fabsf(sample) <= SAMPLE_LIMIT && power <= POWER_LIMIT))
            return cut(voice, setting, fault);
        voice->sample = sample;
        voice->centred = centred;
        voice->heard = heard;
        voice->power = power;
        voice->level *= voice->level_step;
        voice->age++;
    }
    float faded = voice->heard * voice->fade;
    voice->fade -= voice->fade_step;
    if (voice->fade < 0.5f * voice->fade_step)
        voice->phase = VOICE_IDLE;
    return faded;
}
