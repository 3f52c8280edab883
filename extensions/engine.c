#include "engine.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "denormals.h"
#include "conditioning.h"
#include "ensemble.h"
#include "kernels/kernels.h"
#include "memory.h"
#include "queue.h"
#include "schedule.h"

enum { SPARE_VOICES = 4 };

#define STEAL_FADE_S 0.005
#define STRIKE_FADE_S 0.03
#define GAIN_SMOOTHING_S 0.005
#define RESIDUE_DECAY_S 0.002
#define RESIDUE_FLOOR 1e-6f
#define KNEE 0.8f
#define LOWEST_HZ 10.0 /* below the lowest key, what a voice plays is an offset and no sound */

struct engine {
    queue_t commands, echoes;
    setting_t setting;
    control_range_t ranges[CONTROLS];
    wavenet_state_t primed; /* has heard silence: what every note starts from */
    ensemble_t ensemble;    /* slots for those fading away, too */
    int polyphony;          /* notes at once */
    schedule_t schedule;
    float gain, gain_smoothing;
    float residue, residue_decay; /* where voices stood that lost their slot in mid-fade: it dies away, or it would click */
    float *tables; /* the instrument's, copied */
    int64_t now;   /* the renderer's own frame */
    _Atomic int64_t frame, stolen_voices, dropped_commands, dropped_echoes, notes;
    _Atomic int active_voices;
};

static void count_up(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* --- construction ------------------------------------------------------------------------------------------- */

static const float *keep(float **place, const float *table, size_t count)
{
    float *kept = *place;
    memcpy(kept, table, sizeof(float) * count);
    *place += count;
    return kept;
}

static bool copy_instrument(engine_t *engine, const instrument_t *from, int partials)
{
    const size_t cells = (size_t)from->keys * from->velocities * from->ages, phases = (size_t)KEYS * partials;
    float *place = malloc(sizeof(float) * (from->keys + from->velocities + from->ages + cells + 4 * KEYS + phases));
    instrument_t *to = &engine->setting.instrument;
    engine->tables = place;
    if (!place)
        return false;
    *to = *from;
    to->envelope_keys = keep(&place, from->envelope_keys, from->keys);
    to->envelope_velocities = keep(&place, from->envelope_velocities, from->velocities);
    to->envelope_ages_s = keep(&place, from->envelope_ages_s, from->ages);
    to->envelope_db = keep(&place, from->envelope_db, cells);
    to->cents = keep(&place, from->cents, KEYS);
    to->stiffness = keep(&place, from->stiffness, KEYS);
    to->release_s = keep(&place, from->release_s, KEYS);
    to->temperature = keep(&place, from->temperature, KEYS);
    to->onset_phases = keep(&place, from->onset_phases, phases);
    return true;
}

static bool create_voices(engine_t *engine, int voices, int threads)
{
    const setting_t *setting = &engine->setting;
    engine->polyphony = voices;
    if (!wavenet_state_create(setting->network, &engine->primed, 0)
        || !ensemble_create(&engine->ensemble, setting, voices + SPARE_VOICES, threads))
        return false;
    denormals_t mode = denormals_flush();
    wavenet_prime(setting->network, &engine->primed);
    denormals_restore(mode);
    return true;
}

static float target_gain(const engine_t *engine)
{
    const float *controls = engine->setting.controls;
    float expression = controls[CONTROL_EXPRESSION];
    if (engine->setting.network->config.levelled) /* it is part of each voice's level */
        expression = 1.0f;
    else if (engine->setting.hears_loudness) /* the network plays softly itself; only near zero must it be made silent */
        expression = fminf(1.0f, 10.0f * expression);
    return powf(10.0f, controls[CONTROL_GAIN_DB] / 20.0f) * controls[CONTROL_VOLUME] * expression;
}

engine_t *engine_create(const wavenet_t *network, const instrument_t *instrument,
                        const control_range_t controls[CONTROLS], int voices, int threads, uint64_t seed)
{
    engine_t *engine = memory_allocate(sizeof *engine);
    if (!engine)
        return NULL;
    setting_t *setting = &engine->setting;
    setting->network = network;
    setting->seed = seed;
    setting->centring = (float)exp(-2.0 * PI * LOWEST_HZ / network->config.sample_rate);
    for (int i = 0; i < network->config.feature_count; i++)
        setting->hears_loudness |= network->config.features[i] == FEATURE_LOUDNESS;
    memcpy(engine->ranges, controls, sizeof engine->ranges);
    for (int i = 0; i < CONTROLS; i++)
        setting->controls[i] = controls[i].value;
    engine->gain = target_gain(engine);
    engine->gain_smoothing = 1.0f - expf(-1.0f / (float)(GAIN_SMOOTHING_S * network->config.sample_rate));
    engine->residue_decay = expf(-1.0f / (float)(RESIDUE_DECAY_S * network->config.sample_rate));
    if (!queue_create(&engine->commands, sizeof(command_t), QUEUE_CAPACITY)
        || !queue_create(&engine->echoes, sizeof(echo_t), QUEUE_CAPACITY)
        || !copy_instrument(engine, instrument, network->config.partials)
        || !create_voices(engine, voices, threads)) {
        engine_destroy(engine);
        return NULL;
    }
    return engine;
}

void engine_destroy(engine_t *engine)
{
    if (!engine)
        return;
    ensemble_destroy(&engine->ensemble);
    wavenet_state_destroy(&engine->primed);
    free(engine->tables);
    queue_destroy(&engine->commands);
    queue_destroy(&engine->echoes);
    memory_free(engine);
}

/* --- commands ----------------------------------------------------------------------------------------------- */

/* The sounding voice that will be missed least: released before held, then quiet, then old. */
static voice_t *least_missed(engine_t *engine)
{
    voice_t *least = NULL;
    for (int i = 0; i < engine->ensemble.slots; i++) {
        voice_t *voice = &engine->ensemble.voices[i];
        if (!voice_sounds(voice))
            continue;
        if (!least)
            least = voice;
        else if (voice->phase != least->phase)
            least = voice->phase == VOICE_RELEASED ? voice : least;
        else if (voice->standing_db != least->standing_db)
            least = voice->standing_db < least->standing_db ? voice : least;
        else if (voice->ordinal < least->ordinal)
            least = voice;
    }
    return least;
}

static int sounding(const engine_t *engine)
{
    int count = 0;
    for (int i = 0; i < engine->ensemble.slots; i++)
        count += voice_sounds(&engine->ensemble.voices[i]);
    return count;
}

/* A slot to play in: an idle one, else that of the voice nearest to the end of its fade, which leaves its residue. */
static voice_t *free_slot(engine_t *engine)
{
    voice_t *nearest = NULL;
    for (int i = 0; i < engine->ensemble.slots; i++) {
        voice_t *voice = &engine->ensemble.voices[i];
        if (voice->phase == VOICE_IDLE)
            return voice;
        if (!voice_sounds(voice)
            && (!nearest || voice->fade * nearest->fade_step < nearest->fade * voice->fade_step))
            nearest = voice;
    }
    engine->residue += nearest->heard * nearest->fade;
    return nearest;
}

static void note_on(engine_t *engine, int note, int velocity)
{
    const setting_t *setting = &engine->setting;
    for (int i = 0; i < engine->ensemble.slots; i++)
        if (voice_sounds(&engine->ensemble.voices[i]) && engine->ensemble.voices[i].key == note) {
            voice_release(&engine->ensemble.voices[i]);
            voice_fade(&engine->ensemble.voices[i], setting, STRIKE_FADE_S);
        }
    if (sounding(engine) >= engine->polyphony) {
        voice_fade(least_missed(engine), setting, STEAL_FADE_S);
        count_up(&engine->stolen_voices, 1);
    }
    uint64_t ordinal = (uint64_t)atomic_load_explicit(&engine->notes, memory_order_relaxed);
    count_up(&engine->notes, 1);
    voice_start(free_slot(engine), setting, &engine->primed, note, velocity, ordinal);
}

static void note_off(engine_t *engine, int note)
{
    for (int i = 0; i < engine->ensemble.slots; i++)
        if (note < 0 || engine->ensemble.voices[i].key == note)
            voice_release(&engine->ensemble.voices[i]);
}

static void set_control(engine_t *engine, int id, float value)
{
    const control_range_t *range = &engine->ranges[id];
    if (value != value)
        return;
    engine->setting.controls[id] = fminf(fmaxf(value, range->low), range->high);
    if (id == CONTROL_TEMPERATURE || id == CONTROL_GAIN_DB || id == CONTROL_VOLUME)
        return;
    for (int i = 0; i < engine->ensemble.slots; i++)
        voice_touch(&engine->ensemble.voices[i]);
}

static int clamp_to(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static void apply(engine_t *engine, const command_t *command)
{
    switch (command->type) {
    case COMMAND_NOTE_ON:
        note_on(engine, clamp_to(command->note, 0, KEYS - 1), clamp_to(command->velocity, 1, 127));
        break;
    case COMMAND_NOTE_OFF: note_off(engine, clamp_to(command->note, 0, KEYS - 1)); break;
    case COMMAND_CONTROL:
        if (command->id >= 0 && command->id < CONTROLS)
            set_control(engine, command->id, command->value);
        break;
    case COMMAND_ALL_NOTES_OFF: note_off(engine, -1); break;
    case COMMAND_ALL_SOUND_OFF:
        for (int i = 0; i < engine->ensemble.slots; i++)
            voice_fade(&engine->ensemble.voices[i], &engine->setting, STEAL_FADE_S);
        break;
    }
    echo_t echo = {command->tag, engine->now};
    if (command->tag && !queue_push(&engine->echoes, &echo, 1))
        count_up(&engine->dropped_echoes, 1);
}

/* Move what was pushed into the schedule; what was meant for now or earlier comes at this frame, in its order. */
static void collect(engine_t *engine)
{
    command_t command;
    while (!schedule_full(&engine->schedule) && queue_pop(&engine->commands, &command)) {
        if (command.at < engine->now)
            command.at = engine->now;
        schedule_add(&engine->schedule, &command);
    }
}

bool engine_push(engine_t *engine, const command_t *commands, int count)
{
    bool pushed = queue_push(&engine->commands, commands, count);
    if (!pushed)
        count_up(&engine->dropped_commands, count);
    return pushed;
}

bool engine_take_echo(engine_t *engine, echo_t *echo)
{
    return queue_pop(&engine->echoes, echo);
}

/* --- rendering ---------------------------------------------------------------------------------------------- */

/* Linear to KNEE, then bent so that full scale is never passed. */
static float soft_knee(float x)
{
    float size = fabsf(x);
    return size <= KNEE ? x : copysignf(KNEE + (1.0f - KNEE) * tanhf((size - KNEE) / (1.0f - KNEE)), x);
}

/* From the voices' sum to what is heard. */
static void finish(engine_t *engine, float target, float *out, int frames)
{
    for (int i = 0; i < frames; i++) {
        float residue = engine->residue * engine->residue_decay;
        engine->residue = fabsf(residue) > RESIDUE_FLOOR ? residue : 0.0f;
        engine->gain += engine->gain_smoothing * (target - engine->gain);
        out[i] = soft_knee(engine->gain * (out[i] + engine->residue));
    }
}

/* Frames until the next command. */
static int chunk_frames(const engine_t *engine, int frames)
{
    int64_t quiet = schedule_next(&engine->schedule) - engine->now;
    int most = frames < CHUNK_FRAMES ? frames : CHUNK_FRAMES;
    return quiet < most ? (int)quiet : most;
}

void engine_render(engine_t *engine, float *out, int frames)
{
    denormals_t mode = denormals_flush();
    command_t command;
    collect(engine);
    float target = target_gain(engine);
    for (int done = 0, chunk; done < frames; done += chunk) {
        while (schedule_take(&engine->schedule, engine->now, &command)) {
            apply(engine, &command);
            collect(engine); /* a full schedule has room again */
            target = target_gain(engine);
        }
        chunk = chunk_frames(engine, frames - done);
        ensemble_render(&engine->ensemble, out + done, chunk);
        finish(engine, target, out + done, chunk);
        engine->now += chunk;
    }
    atomic_store_explicit(&engine->active_voices, sounding(engine), memory_order_relaxed);
    atomic_store_explicit(&engine->frame, engine->now, memory_order_release);
    denormals_restore(mode);
}

/* --- what any thread may ask ----------------------------------------------------------------------------------- */

int engine_sample_rate(const engine_t *engine)
{
    return engine->setting.network->config.sample_rate;
}

int64_t engine_frame(const engine_t *engine)
{
    return atomic_load_explicit(&engine->frame, memory_order_acquire);
}

int engine_active_voices(const engine_t *engine)
{
    return atomic_load_explicit(&engine->active_voices, memory_order_relaxed);
}

engine_counters_t engine_counters(const engine_t *engine)
{
    return (engine_counters_t){
        .faults = atomic_load_explicit(&engine->ensemble.faults, memory_order_relaxed),
        .stolen_voices = atomic_load_explicit(&engine->stolen_voices, memory_order_relaxed),
        .dropped_commands = atomic_load_explicit(&engine->dropped_commands, memory_order_relaxed),
        .dropped_echoes = atomic_load_explicit(&engine->dropped_echoes, memory_order_relaxed),
        .notes = atomic_load_explicit(&engine->notes, memory_order_relaxed),
    };
}
