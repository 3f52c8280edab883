#include "voice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "kernels/kernels.h"
#include "memory.h"
#include "period.h"
#include "sampling.h"

#define END_FADE_S 0.02
#define FAULT_FADE_S 0.005
#define POWER_WINDOW_S 0.02
#define SAMPLE_LIMIT 4.0f    /* no trained network comes near */
#define POWER_LIMIT 1.0f     /* louder than a full-scale square wave for a whole window: an instability, not a sound */
#define SETTLED 1e-6f        /* what is left of a step in gain when it is over */

bool voice_create(voice_t *voice, const setting_t *setting, int number, bool steps)
{
    memset(voice, 0, sizeof *voice);
    voice->curve_db = memory_allocate(sizeof(float) * setting->instrument.timbres * setting->instrument.ages);
    return voice->curve_db && partials_create(&voice->partials, setting->network)
        && (steps ? wavenet_state_create(setting->network, &voice->state, number)
                  : wavenet_state_create_told(setting->network, &voice->state));
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

void voice_control(voice_t *voice, const setting_t *setting, note_control_t id, float value)
{
    if (voice->age == 0)
        voice->own[id] = glide_settled(value);
    else
        glide_set(&voice->own[id], value, voice->born + voice->age, setting->glide_frames);
}

void voice_start(voice_t *voice, const setting_t *setting, const wavenet_state_t *primed, voice_note_t note)
{
    const instrument_t *instrument = &setting->instrument;
    if (primed)
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
    period_foresee(voice, setting);
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

void voice_enter(voice_t *voice, const setting_t *setting, const period_t *period)
{
    const wavenet_config_t *config = &setting->network->config;
    if (config->levelled) { /* ramp, linearly in dB, from wherever the level is to where it belongs */
        if (voice->age == 0)
            voice->level = period->level;
        voice->level_step = (float)pow(period->level_end / voice->level, 1.0 / config->control_period);
    }
    voice->boost = period->boost;
    voice->tilt = period->tilt;
    if (voice->age == 0) {
        voice->gain = setting->gain * voice->boost;
        voice->shelf = voice->tilt;
    }
    if (period->ends && voice_sounds(voice))
        voice_fade(voice, setting, END_FADE_S);
}

void voices_prepare(voice_t *const *voices, const setting_t *setting, int count)
{
    const wavenet_t *network = setting->network;
    wavenet_state_t *beginning[BATCH];
    int beginners = 0;
    for (int n = 0; n < count; n++)
        if (voices[n]->countdown == 0) {
            const period_t period = period_begin(voices[n], setting);
            voice_enter(voices[n], setting, &period);
            voices[n]->state.excited_ready = 0;
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

/* From s[t] to what is heard. */
static inline float say(voice_t *voice, const setting_t *setting, float drawn, bool *fault)
{
    const wavenet_config_t *config = &setting->network->config;
    if (voice->phase != VOICE_FAULTED) {
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

float voice_finish(voice_t *voice, const setting_t *setting, bool *fault)
{
    return say(voice, setting, voice->phase == VOICE_FAULTED ? 0.0f : draw(voice, setting), fault);
}

float voice_finish_drawn(voice_t *voice, const setting_t *setting, float drawn, bool *fault)
{
    return say(voice, setting, drawn_sample(setting->network, drawn), fault);
}
