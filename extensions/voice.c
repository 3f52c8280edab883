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
#define ATTACK_S 0.06        /* time constant with which the attack's own temperature falls */
#define ATTACK_FROM 0.1f     /* what the control of temperature has to be for all of it; at 0 there is none */

bool voice_create(voice_t *voice, const setting_t *setting, int number)
{
    memset(voice, 0, sizeof *voice);
    voice->curve_db = memory_allocate(sizeof(float) * setting->instrument.timbres * setting->instrument.ages);
    return voice->curve_db && partials_create(&voice->partials, setting->network)
        && wavenet_state_create(setting->network, &voice->state, number);
}

void voice_destroy(voice_t *voice)
{
    wavenet_state_destroy(&voice->state);
    memory_free(voice->curve_db);
    partials_destroy(&voice->partials);
}

bool voice_lock_memory(const voice_t *voice)
{
    return memory_lock_block(voice->curve_db) & memory_lock_block(voice->partials.memory)
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

static float own_control(const voice_t *voice, const setting_t *setting, note_control_t id, int ahead)
{
    return glide_at(&voice->own[id], voice->born + voice->age + ahead, setting->glide_frames);
}

/* Of the control and the note's own, together. */
static float timbre_control(const voice_t *voice, const setting_t *setting, int ahead)
{
    return clip(control(voice, setting, CONTROL_TIMBRE, ahead) + own_control(voice, setting, NOTE_TIMBRE, ahead));
}

static timbre_t timbre_ahead(const voice_t *voice, const setting_t *setting, int ahead)
{
    return timbre_at(&setting->instrument, voice->key, timbre_control(voice, setting, ahead));
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
    double release_s = timbre_release_s(setting->instrument.release_s, voice->timbre, voice->key);
    if (release_s <= 0.0)
        return 0.0;
    release_s *= control(voice, setting, CONTROL_RELEASE, 0);
    return voice->damping * NEPER_DB / (release_s * setting->network->config.sample_rate);
}

/* The envelope between two timbres. */
static double held_db(const voice_t *voice, const setting_t *setting, timbre_t at, double age_s)
{
    const instrument_t *instrument = &setting->instrument;
    const float *curve = voice->curve_db + at.low * instrument->ages;
    double low = envelope_db(instrument, curve, age_s);
    return at.share > 0.0 ? timbre_mix(at, low, envelope_db(instrument, curve + instrument->ages, age_s)) : low;
}

/* `ahead` samples into this control period. */
static double loudness_db(const voice_t *voice, const setting_t *setting, int ahead)
{
    timbre_t at = timbre_ahead(voice, setting, ahead);
    double undamped_db = held_db(voice, setting, at, seconds(setting, (double)(voice->age + ahead)));
    double damped_db = voice->damped_db + ahead * voice->damping_db;
    bool expressive = setting->hears_loudness || setting->network->config.levelled;
    double expression = expressive ? 20.0 * log10(fmax(control(voice, setting, CONTROL_EXPRESSION, ahead), 1e-6)) : 0.0;
    return fmax(undamped_db - damped_db + expression, LOUDNESS_FLOOR_DB);
}

static note_state_t note_state(const voice_t *voice, const setting_t *setting)
{
    const float pressure = clip(own_control(voice, setting, NOTE_PRESSURE, 0));
    const double longest_age_s = setting->instrument.longest_age_s[voice->key];
    const float pressure_db = pressure * control(voice, setting, CONTROL_PRESSURE_GAIN_DB, 0);
    const double vibrato = control(voice, setting, CONTROL_VIBRATO, 0)
                         + pressure * control(voice, setting, CONTROL_PRESSURE_VIBRATO, 0);
    const bool damped = voice->damping > 0.0 || voice->damped_samples > 0.0;
    note_state_t state = {.velocity = voice->velocity};
    state.age_s = seconds(setting, (double)voice->age);
    state.release_age_s = damped ? seconds(setting, voice->damped_samples) : -1.0;
    state.note = voice->key + control(voice, setting, CONTROL_BEND, 0) + own_control(voice, setting, NOTE_BEND, 0)
               + 12.0 * log2(control(voice, setting, CONTROL_TUNE, 0) / 440.0)
               + vibrato * sin(2.0 * PI * VIBRATO_HZ * state.age_s);
    state.loudness_db = loudness_db(voice, setting, 0) + pressure_db;
    for (int i = 0; i < KNOBS; i++)
        state.knobs[i] = control(voice, setting, CONTROL_KNOB1 + i, 0);
    state.timbre = voice->timbre.position;
    if (longest_age_s > 0.0) /* of what is older, the network has heard nothing */
        state.age_s = fmin(state.age_s, longest_age_s);
    return state;
}

/* Of a network that is not levelled, the partials are as loud as the note. */
static strength_t strength(const voice_t *voice, const setting_t *setting, int ahead)
{
    return (strength_t){
        .timbre = timbre_ahead(voice, setting, ahead),
        .key = voice->key,
        .velocity = voice->velocity,
        .age_s = seconds(setting, (double)(voice->age + ahead)),
        .own_db = setting->network->config.levelled ? 0.0 : loudness_db(voice, setting, ahead) - STEADY_DB,
    };
}

static void set_partials(voice_t *voice, const setting_t *setting, double note)
{
    const wavenet_t *network = setting->network;
    const instrument_t *instrument = &setting->instrument;
    double f0 = features_note_frequency(note, timbre_value(instrument->cents, voice->timbre, note));
    double stiffness = timbre_value(instrument->stiffness, voice->timbre, note);
    partials_turn(&voice->partials, network, &voice->state, voice->elapsed, f0, stiffness);
    if (!network->config.weighted)
        return;
    const strength_t now = strength(voice, setting, 0), then = strength(voice, setting, network->config.control_period);
    partials_weigh(&voice->partials, instrument, network, &voice->state, voice->elapsed, &now, &then);
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

/* The player's, the key's, and the attack's, which dies away: a hammer's noise, but not the hiss of a steady tone. */
static float temperature(const voice_t *voice, const setting_t *setting)
{
    const instrument_t *instrument = &setting->instrument;
    const float asked = control(voice, setting, CONTROL_TEMPERATURE, 0);
    const float steady = asked + (float)timbre_value(instrument->temperature, voice->timbre, voice->key);
    const double attack = timbre_value(instrument->onset_temperature, voice->timbre, voice->key);
    if (attack == 0.0)
        return fmaxf(steady, 0.0f);
    const double left = attack * exp(-seconds(setting, (double)voice->age) / ATTACK_S);
    return fmaxf(steady + (float)left * fminf(asked / ATTACK_FROM, 1.0f), 0.0f);
}

/* Draw, gain and filter of this period; the last two are approached sample by sample. */
static void set_tone(voice_t *voice, const setting_t *setting)
{
    const bool shelved = setting->instrument.timbres == 1; /* else the control moves between timbres */
    const float timbre = shelved ? timbre_control(voice, setting, 0) : 0.5f;
    const float pressure = clip(own_control(voice, setting, NOTE_PRESSURE, 0));
    const float pressure_db = pressure * control(voice, setting, CONTROL_PRESSURE_GAIN_DB, 0);
    const bool plays_louder = setting->hears_loudness && !setting->network->config.levelled;
    voice->temperature = temperature(voice, setting);
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
    voice->standing_db = (float)(held_db(voice, setting, voice->timbre, age_s) - voice->damped_db);
    if (voice_sounds(voice) && voice->standing_db <= LOUDNESS_FLOOR_DB)
        voice_fade(voice, setting, END_FADE_S);
}

static void begin_period(voice_t *voice, const setting_t *setting)
{
    const wavenet_config_t *config = &setting->network->config;
    voice->timbre = timbre_ahead(voice, setting, 0);
    if (voice->age == 0) {
        take_lead(voice, setting);
        partials_start(&voice->partials, &setting->instrument, config, voice->timbre, voice->key);
    }
    voice->damped_samples += voice->elapsed * voice->damping;
    voice->damped_db += voice->elapsed * voice->damping_db;
    voice->damping = voice->released ? clip(control(voice, setting, CONTROL_DAMPER, 0)) : 0.0;
    voice->damping_db = damping_db(voice, setting);
    note_state_t state = note_state(voice, setting);
    features_conditioning(config->features, config->feature_count, &state, voice->state.conditioning);
    set_partials(voice, setting, state.note);
    set_level(voice, setting);
    set_tone(voice, setting);
    judge(voice, setting);
    voice->state.excited_ready = 0;
    voice->countdown = config->control_period;
    voice->elapsed = 0;
}

void voice_start(voice_t *voice, const setting_t *setting, const wavenet_state_t *primed, voice_note_t note)
{
    const instrument_t *instrument = &setting->instrument;
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
    voice->noise_from = INT64_MIN;
    for (int i = 0; i < instrument->timbres; i++)
        envelope_pick(instrument, i, note.key, note.velocity, voice->curve_db + i * instrument->ages);
    voice->timbre = timbre_ahead(voice, setting, 0);
    voice->standing_db = (float)held_db(voice, setting, voice->timbre, ONSET_S);
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
