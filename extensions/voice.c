#include "voice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conditioning.h"
#include "envelope.h"
#include "kernels/kernels.h"
#include "memory.h"
#include "sampling.h"

#define ONSET_S 0.1          /* a voice's level is judged no earlier in its envelope than here */
#define END_FADE_S 0.02
#define FAULT_FADE_S 0.005
#define POWER_WINDOW_S 0.02
#define SAMPLE_LIMIT 4.0f    /* no trained network comes near */
#define POWER_LIMIT 1.0f     /* louder than a full-scale square wave for a whole window: an instability, not a sound */
#define VIBRATO_HZ 5.5
#define NEPER_DB 8.685889638
#define TILT_DB 15.0f        /* that timbre at either end gives or takes above CORNER_HZ */
#define SETTLED 1e-6f        /* what is left of a step in gain when it is over */

bool voice_create(voice_t *voice, const setting_t *setting, int number)
{
    const int partials = setting->network->config.partials;
    memset(voice, 0, sizeof *voice);
    voice->curve_db = memory_allocate(sizeof(float) * setting->instrument.ages);
    voice->phases = memory_allocate(sizeof(double) * (partials + 1));
    voice->turns = memory_allocate(sizeof(double) * (partials + 1));
    bool good = voice->curve_db && voice->phases && voice->turns;
    return good && wavenet_state_create(setting->network, &voice->state, number);
}

void voice_destroy(voice_t *voice)
{
    wavenet_state_destroy(&voice->state);
    memory_free(voice->curve_db);
    memory_free(voice->phases);
    memory_free(voice->turns);
}

bool voice_lock_memory(const voice_t *voice)
{
    return memory_lock_block(voice->curve_db) & memory_lock_block(voice->phases) & memory_lock_block(voice->turns)
         & memory_lock_block(voice->state.memory);
}

static double seconds(const setting_t *setting, double samples)
{
    return samples / setting->network->config.sample_rate;
}

static float clip(float value)
{
    return fminf(fmaxf(value, 0.0f), 1.0f);
}

/* --- controls as this voice hears them ---------------------------------------------------------------------------- */

/* `ahead` samples from now. What was set before the note began, the note knows from its first sample on; where it was
   ahead of the others then, what it is ahead by dies away as their glide does. */
static float control(const voice_t *voice, const setting_t *setting, control_t id, int ahead)
{
    const glide_t *glide = &setting->controls[id];
    const int64_t frame = voice->born + voice->age + ahead;
    if (glide->set_at <= voice->born)
        return glide->target;
    return glide_at(glide, frame, setting->glide_frames)
         + voice->lead[id] * glide_left(frame - voice->born, setting->glide_frames);
}

static void take_lead(voice_t *voice, const setting_t *setting)
{
    for (int id = 0; id < CONTROLS; id++) {
        const glide_t *glide = &setting->controls[id];
        voice->lead[id] = glide->target - glide_at(glide, voice->born, setting->glide_frames);
    }
}

static float own_control(const voice_t *voice, const setting_t *setting, note_control_t id)
{
    return glide_at(&voice->own[id], voice->born + voice->age, setting->glide_frames);
}

void voice_control(voice_t *voice, const setting_t *setting, note_control_t id, float value)
{
    if (voice->age == 0)
        voice->own[id] = glide_settled(value);
    else
        glide_set(&voice->own[id], value, voice->born + voice->age, setting->glide_frames);
}

/* --- a control period --------------------------------------------------------------------------------------------- */

/* What the damper takes from the voice, dB a sample. */
static double damping_db(const voice_t *voice, const setting_t *setting)
{
    double release_s = setting->instrument.release_s[voice->key];
    if (release_s <= 0.0)
        return 0.0;
    release_s *= control(voice, setting, CONTROL_RELEASE, 0);
    return voice->damping * NEPER_DB / (release_s * setting->network->config.sample_rate);
}

/* `ahead` samples into this control period. */
static double loudness_db(const voice_t *voice, const setting_t *setting, int ahead)
{
    double held_db = envelope_db(&setting->instrument, voice->curve_db, seconds(setting, (double)(voice->age + ahead)));
    double damped_db = voice->damped_db + ahead * voice->damping_db;
    bool expressive = setting->hears_loudness || setting->network->config.levelled;
    double expression = expressive ? 20.0 * log10(fmax(control(voice, setting, CONTROL_EXPRESSION, ahead), 1e-6)) : 0.0;
    return fmax(held_db - damped_db + expression, LOUDNESS_FLOOR_DB);
}

static note_state_t note_state(const voice_t *voice, const setting_t *setting)
{
    const float pressure = clip(own_control(voice, setting, NOTE_PRESSURE));
    const float pressure_db = pressure * control(voice, setting, CONTROL_PRESSURE_GAIN_DB, 0);
    const double vibrato = control(voice, setting, CONTROL_VIBRATO, 0)
                         + pressure * control(voice, setting, CONTROL_PRESSURE_VIBRATO, 0);
    const bool damped = voice->damping > 0.0 || voice->damped_samples > 0.0;
    note_state_t state = {.velocity = voice->velocity};
    state.age_s = seconds(setting, (double)voice->age);
    state.release_age_s = damped ? seconds(setting, voice->damped_samples) : -1.0;
    state.note = voice->key + control(voice, setting, CONTROL_BEND, 0) + own_control(voice, setting, NOTE_BEND)
               + 12.0 * log2(control(voice, setting, CONTROL_TUNE, 0) / 440.0)
               + vibrato * sin(2.0 * PI * VIBRATO_HZ * state.age_s);
    state.loudness_db = loudness_db(voice, setting, 0) + pressure_db;
    for (int i = 0; i < KNOBS; i++)
        state.knobs[i] = control(voice, setting, CONTROL_KNOB1 + i, 0);
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

/* Draw, gain and filter of this period; the last two are approached sample by sample. */
static void set_tone(voice_t *voice, const setting_t *setting)
{
    const float timbre = clip(control(voice, setting, CONTROL_TIMBRE, 0) + own_control(voice, setting, NOTE_TIMBRE));
    const float pressure = clip(own_control(voice, setting, NOTE_PRESSURE));
    const float pressure_db = pressure * control(voice, setting, CONTROL_PRESSURE_GAIN_DB, 0);
    const bool plays_louder = setting->hears_loudness && !setting->network->config.levelled;
    voice->temperature = fmaxf(control(voice, setting, CONTROL_TEMPERATURE, 0)
                               + setting->instrument.temperature[voice->key], 0.0f);
    voice->boost = plays_louder || pressure_db == 0.0f ? 1.0f : powf(10.0f, pressure_db / 20.0f);
    voice->tilt = timbre == 0.5f ? 0.0f : powf(10.0f, (2.0f * timbre - 1.0f) * TILT_DB / 20.0f) - 1.0f;
    if (voice->age == 0) {
        voice->gain = setting->gain * voice->boost;
        voice->shelf = voice->tilt;
    }
}

/* Where the voice stands when another needs its place, and whether it has ended. */
static void judge(voice_t *voice, const setting_t *setting)
{
    double age_s = fmax(seconds(setting, (double)voice->age), ONSET_S);
    voice->standing_db = (float)(envelope_db(&setting->instrument, voice->curve_db, age_s) - voice->damped_db);
    if (voice_sounds(voice) && voice->standing_db <= LOUDNESS_FLOOR_DB)
        voice_fade(voice, setting, END_FADE_S);
}

static void begin_period(voice_t *voice, const setting_t *setting)
{
    const wavenet_config_t *config = &setting->network->config;
    if (voice->age == 0)
        take_lead(voice, setting);
    voice->damped_samples += voice->elapsed * voice->damping;
    voice->damped_db += voice->elapsed * voice->damping_db;
    voice->damping = voice->released ? clip(control(voice, setting, CONTROL_DAMPER, 0)) : 0.0;
    voice->damping_db = damping_db(voice, setting);
    note_state_t state = note_state(voice, setting);
    features_conditioning(config->features, config->feature_count, &state, voice->state.conditioning);
    set_phasors(voice, setting, state.note);
    set_level(voice, setting);
    set_tone(voice, setting);
    judge(voice, setting);
    voice->state.excited_ready = 0;
    voice->countdown = config->control_period;
    voice->elapsed = 0;
}

void voice_start(voice_t *voice, const setting_t *setting, const wavenet_state_t *primed, voice_note_t note)
{
    const int partials = setting->network->config.partials;
    wavenet_state_copy(setting->network, &voice->state, primed);
    voice->phase = VOICE_HELD;
    voice->channel = note.channel;
    voice->key = note.key;
    voice->velocity = note.velocity;
    voice->born = note.frame;
    voice->ordinal = note.ordinal;
    for (int id = 0; id < NOTE_CONTROLS; id++)
        voice->own[id] = glide_settled(0.0f);
    voice->age = voice->elapsed = voice->countdown = 0;
    voice->released = false;
    voice->damped_samples = voice->damping = voice->damped_db = voice->damping_db = 0.0;
    voice->fade = 1.0f;
    voice->fade_step = voice->sample = voice->centred = voice->low = voice->heard = voice->power = 0.0f;
    voice->level = voice->level_step = 1.0f;
    for (int k = 0; k < partials; k++) {
        voice->phases[k] = setting->instrument.onset_phases[note.key * partials + k] / (2.0 * PI);
        voice->turns[k] = 0.0;
    }
    voice->f0 = 0.0;
    voice->noise_from = INT64_MIN;
    envelope_pick(&setting->instrument, note.key, note.velocity, voice->curve_db);
    voice->standing_db = (float)envelope_db(&setting->instrument, voice->curve_db, ONSET_S);
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
    voice->released = true;
    voice->countdown = 0; /* a control period begins, so that the damper falls at this very sample */
}

/* A fade already under way is only ever hastened. */
void voice_fade(voice_t *voice, const setting_t *setting, double fade_s)
{
    float step = voice->fade / (float)(fade_s * setting->network->config.sample_rate);
    if (voice->phase == VOICE_IDLE)
        return;
    if (voice->phase != VOICE_FAULTED)
        voice->phase = voice->age > 0 ? VOICE_FADING : VOICE_IDLE;
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

static float cut(voice_t *voice, const setting_t *setting, bool *fault)
{
    *fault = true;
    voice->phase = VOICE_FAULTED;
    voice->fade_step = 0.0f;
    voice_fade(voice, setting, FAULT_FADE_S);
    return voice->heard * voice->fade;
}

static float approach(float value, float target, float share)
{
    const float left = target - value, next = value + share * left;
    return fabsf(left) > SETTLED && next != value ? next : target;
}

/* From the sound of the note itself to what the player's gain, pressure and timbre make of it: what is above
   CORNER_HZ grows by the shelf, which at neutral is 0, and then the filter is not there. */
static float colour(voice_t *voice, const setting_t *setting, float sound)
{
    voice->gain = approach(voice->gain, setting->gain * voice->boost, setting->smoothing);
    if (voice->shelf == 0.0f && voice->tilt == 0.0f) {
        voice->low = sound;
        return voice->gain * sound;
    }
    voice->shelf = approach(voice->shelf, voice->tilt, setting->smoothing);
    voice->low += setting->corner * (sound - voice->low);
    return voice->gain * (sound + voice->shelf * (sound - voice->low));
}

float voice_finish(voice_t *voice, const setting_t *setting, bool *fault)
{
    const wavenet_config_t *config = &setting->network->config;
    if (voice->phase != VOICE_FAULTED) {
        float drawn = draw(voice, setting);
        float sample = drawn + config->pre_emphasis * voice->sample;
        float centred = config->pre_emphasis > 0.0f
                            ? sample - voice->sample + setting->centring * voice->centred
                            : sample;
        float sound = centred * voice->level;
        float share = 1.0f / (float)(POWER_WINDOW_S * config->sample_rate);
        float power = voice->power + share * (sound * sound - voice->power);
        if (!(fabsf(drawn) <= SAMPLE_LIMIT && fabsf(sample) <= SAMPLE_LIMIT && power <= POWER_LIMIT))
            return cut(voice, setting, fault);
        voice->sample = sample;
        voice->centred = centred;
        voice->heard = colour(voice, setting, sound);
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
