#include "period.h"

#include <math.h>

#include "conditioning.h"
#include "envelope.h"

#define ONSET_S 0.1          /* a voice's level is judged no earlier in its envelope than here */
#define VIBRATO_HZ 5.5
#define NEPER_DB 8.685889638
#define TILT_DB 15.0f        /* that timbre at either end gives or takes above CORNER_HZ */
#define ATTACK_S 0.06        /* time constant with which the attack's own temperature falls */
#define ATTACK_FROM 0.1f     /* what the control of temperature has to be for all of it; at 0 there is none */

static double seconds(const setting_t *setting, double samples)
{
    return samples / setting->network->config.sample_rate;
}

static float clip(float value)
{
    return fminf(fmaxf(value, 0.0f), 1.0f);
}

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

static void find_level(const voice_t *voice, const setting_t *setting, period_t *period)
{
    const wavenet_config_t *config = &setting->network->config;
    if (!config->levelled)
        return;
    if (voice->age == 0)
        period->level = (float)features_level(loudness_db(voice, setting, 0));
    period->level_end = features_level(loudness_db(voice, setting, config->control_period));
}

/* Of a row of the table of temperatures, at a velocity. */
static double temperature_of(const instrument_t *instrument, const float *row, int velocity)
{
    float share;
    const int low = envelope_locate(instrument->envelope_velocities, instrument->velocities, (float)velocity, &share);
    return share > 0.0f ? row[low] + share * (row[low + 1] - row[low]) : row[low];
}

/* At the voice's key, velocity and timbre. */
static double own_temperature(const voice_t *voice, const instrument_t *instrument)
{
    const timbre_t at = voice->timbre;
    const float *row = instrument->temperature + ((size_t)at.low * KEYS + voice->key) * instrument->velocities;
    const double low = temperature_of(instrument, row, voice->velocity);
    if (!(at.share > 0.0))
        return low;
    return timbre_mix(at, low, temperature_of(instrument, row + KEYS * instrument->velocities, voice->velocity));
}

/* The player's, the note's, and the attack's, which dies away: a hammer's noise, but not the hiss of a steady tone. */
static float temperature(const voice_t *voice, const setting_t *setting)
{
    const instrument_t *instrument = &setting->instrument;
    const float asked = control(voice, setting, CONTROL_TEMPERATURE, 0);
    const float steady = asked + (float)own_temperature(voice, instrument);
    const double attack = timbre_value(instrument->onset_temperature, voice->timbre, voice->key);
    if (attack == 0.0)
        return fmaxf(steady, 0.0f);
    const double left = attack * exp(-seconds(setting, (double)voice->age) / ATTACK_S);
    return fmaxf(steady + (float)left * fminf(asked / ATTACK_FROM, 1.0f), 0.0f);
}

/* Gain and filter; both are approached sample by sample. */
static void find_tone(const voice_t *voice, const setting_t *setting, period_t *period)
{
    const bool shelved = setting->instrument.timbres == 1; /* else the control moves between timbres */
    const float timbre = shelved ? timbre_control(voice, setting, 0) : 0.5f;
    const float pressure = clip(own_control(voice, setting, NOTE_PRESSURE, 0));
    const float pressure_db = pressure * control(voice, setting, CONTROL_PRESSURE_GAIN_DB, 0);
    const bool plays_louder = setting->hears_loudness && !setting->network->config.levelled;
    period->boost = plays_louder || pressure_db == 0.0f ? 1.0f : powf(10.0f, pressure_db / 20.0f);
    period->tilt = timbre == 0.5f ? 0.0f : powf(10.0f, (2.0f * timbre - 1.0f) * TILT_DB / 20.0f) - 1.0f;
}

/* Where the voice stands when another needs its place. */
static float standing_db(const voice_t *voice, const setting_t *setting)
{
    double age_s = fmax(seconds(setting, (double)voice->age), ONSET_S);
    return (float)(held_db(voice, setting, voice->timbre, age_s) - voice->damped_db);
}

void period_foresee(voice_t *voice, const setting_t *setting)
{
    voice->timbre = timbre_ahead(voice, setting, 0);
    voice->standing_db = standing_db(voice, setting);
}

period_t period_begin(voice_t *voice, const setting_t *setting)
{
    const wavenet_config_t *config = &setting->network->config;
    period_t period = {0};
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
    voice->temperature = temperature(voice, setting);
    find_level(voice, setting, &period);
    find_tone(voice, setting, &period);
    voice->standing_db = standing_db(voice, setting);
    period.ends = voice->standing_db <= LOUDNESS_FLOOR_DB;
    voice->countdown = config->control_period;
    voice->elapsed = 0;
    return period;
}
