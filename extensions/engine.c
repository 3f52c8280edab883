#include "engine.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "denormals.h"
#include "conditioning.h"
#include "ensemble.h"
#include "instrument.h"
#include "kernels/kernels.h"
#include "memory.h"
#include "queue.h"
#include "schedule.h"

#define FADE_S 0.005 /* of a voice that another takes the place of, or that is silenced */
#define LIMIT_FADE_S 0.002 /* soft enough among others, and short: a voice costs all it ever did until it is over */
#define CORNER_HZ 1000.0
#define RESIDUE_DECAY_S 0.002
#define RESIDUE_FLOOR 1e-6f
#define KNEE 0.8f
#define LOWEST_HZ 10.0 /* below the lowest key, what a voice plays is an offset and no sound */

struct engine {
    queue_t commands, echoes;
    setting_t setting;
    control_range_t ranges[CONTROLS];
    wavenet_state_t primed; /* has heard silence: what every note starts from that no device renders */
    ensemble_t ensemble;    /* slots for those fading away, too */
    bool memory_locked;
    int polyphony;          /* notes at once, if nothing limits them further */
    schedule_t schedule;
    float residue, residue_decay; /* where voices stood that lost their slot in mid-fade: it dies away, or it would click */
    float *tables; /* the instrument's, copied */
    int64_t now;   /* the renderer's own frame */
    _Atomic int64_t frame, stolen_voices, dropped_commands, dropped_echoes, notes;
    int64_t timed;                 /* commands pushed that have a frame of their own; the pusher's */
    _Atomic int64_t timed_applied; /* and how many of them have been applied */
    _Atomic int active_voices, limit;
};

static void count_up(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* --- construction ------------------------------------------------------------------------------------------- */

static bool create_voices(engine_t *engine, int voices, int threads, device_t *device)
{
    const setting_t *setting = &engine->setting;
    engine->polyphony = voices;
    atomic_init(&engine->limit, voices);
    if (!ensemble_create(&engine->ensemble, setting, voices + SPARE_VOICES, threads, device))
        return false;
    if (device)
        return true;
    if (!wavenet_state_create(setting->network, &engine->primed, 0))
        return false;
    denormals_t mode = denormals_flush();
    wavenet_prime(setting->network, &engine->primed);
    denormals_restore(mode);
    return true;
}

static float target_gain(const engine_t *engine)
{
    const glide_t *controls = engine->setting.controls;
    float expression = controls[CONTROL_EXPRESSION].target;
    if (engine->setting.network->config.levelled) /* it is part of each voice's level */
        expression = 1.0f;
    else if (engine->setting.hears_loudness) /* the network plays softly itself; only near zero must it be made silent */
        expression = fminf(1.0f, 10.0f * expression);
    return powf(10.0f, controls[CONTROL_GAIN_DB].target / 20.0f) * controls[CONTROL_VOLUME].target * expression;
}

/* All that rendering touches, the helpers' own affairs apart. */
static bool lock_memory(const engine_t *engine)
{
    const wavenet_t *network = engine->setting.network;
    const void *blocks[] = {engine, engine->tables, engine->commands.slots, engine->echoes.slots, network,
                            network->memory};
    bool locked = ensemble_lock_memory(&engine->ensemble);
    if (engine->primed.memory)
        locked &= memory_lock_block(engine->primed.memory);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        locked &= memory_lock_block(blocks[i]);
    return locked;
}

static void set_rate(setting_t *setting, int sample_rate)
{
    setting->glide_frames = (float)(GLIDE_S * sample_rate);
    setting->smoothing = 1.0f - expf(-1.0f / setting->glide_frames);
    setting->centring = (float)exp(-2.0 * PI * LOWEST_HZ / sample_rate);
    setting->corner = (float)(1.0 - exp(-2.0 * PI * CORNER_HZ / sample_rate));
}

engine_t *engine_create(const wavenet_t *network, const instrument_t *instrument,
                        const control_range_t controls[CONTROLS], int voices, int threads, uint64_t seed,
                        device_t *device)
{
    engine_t *engine = memory_allocate(sizeof *engine);
    if (!engine)
        return NULL;
    setting_t *setting = &engine->setting;
    setting->network = network;
    setting->seed = seed;
    set_rate(setting, network->config.sample_rate);
    for (int i = 0; i < network->config.feature_count; i++)
        setting->hears_loudness |= network->config.features[i] == FEATURE_LOUDNESS;
    memcpy(engine->ranges, controls, sizeof engine->ranges);
    for (int i = 0; i < CONTROLS; i++)
        setting->controls[i] = glide_settled(controls[i].value);
    setting->gain = target_gain(engine);
    engine->residue_decay = expf(-1.0f / (float)(RESIDUE_DECAY_S * network->config.sample_rate));
    if (!queue_create(&engine->commands, sizeof(command_t), QUEUE_CAPACITY)
        || !queue_create(&engine->echoes, sizeof(echo_t), QUEUE_CAPACITY)
        || !(engine->tables = instrument_copy(&setting->instrument, instrument, network->config.partials))
        || !create_voices(engine, voices, threads, device)) {
        engine_destroy(engine);
        return NULL;
    }
    engine->memory_locked = lock_memory(engine);
    return engine;
}

void engine_destroy(engine_t *engine)
{
    if (!engine)
        return;
    ensemble_destroy(&engine->ensemble);
    wavenet_state_destroy(&engine->primed);
    memory_free(engine->tables);
    queue_destroy(&engine->commands);
    queue_destroy(&engine->echoes);
    memory_free(engine);
}

/* --- commands ----------------------------------------------------------------------------------------------- */

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

/* Let the least missed go until no more than `most` sound. */
static void shed(engine_t *engine, int most, double fade_s)
{
    for (int surplus = ensemble_sounding(&engine->ensemble) - most; surplus > 0; surplus--) {
        voice_fade(ensemble_least_missed(&engine->ensemble), &engine->setting, fade_s);
        count_up(&engine->stolen_voices, 1);
    }
}

/* Whether a voice sounds for this key; any note of the channel if `note` is -1. */
static bool plays(const voice_t *voice, int channel, int note)
{
    return voice_sounds(voice) && voice->channel == channel && (note < 0 || voice->key == note);
}

/* `stream`: counted from 1; 0: that of the note's place in the performance. */
static void note_on(engine_t *engine, int channel, int note, int velocity, int stream)
{
    const setting_t *setting = &engine->setting;
    for (int i = 0; i < engine->ensemble.slots; i++)
        if (plays(&engine->ensemble.voices[i], channel, note)) {
            voice_release(&engine->ensemble.voices[i]);
            voice_fade(&engine->ensemble.voices[i], setting, FADE_S);
        }
    shed(engine, engine_limit_now(engine) - 1, FADE_S);
    voice_t *voice = free_slot(engine);
    const int64_t notes = atomic_load_explicit(&engine->notes, memory_order_relaxed);
    const uint64_t ordinal = (uint64_t)(stream > 0 ? stream - 1 : notes);
    count_up(&engine->notes, 1);
    const wavenet_state_t *primed = engine->ensemble.rendering.device ? NULL : &engine->primed;
    voice_start(voice, setting, primed, (voice_note_t){channel, note, velocity, engine->now, ordinal});
}

static void note_off(engine_t *engine, int channel, int note)
{
    for (int i = 0; i < engine->ensemble.slots; i++)
        if (plays(&engine->ensemble.voices[i], channel, note))
            voice_release(&engine->ensemble.voices[i]);
}

static void set_control(engine_t *engine, int id, float value)
{
    setting_t *setting = &engine->setting;
    const control_range_t *range = &engine->ranges[id];
    if (value != value)
        return;
    glide_set(&setting->controls[id], fminf(fmaxf(value, range->low), range->high), engine->now, setting->glide_frames);
    setting->gain = target_gain(engine);
}

static void set_note_control(engine_t *engine, const command_t *command)
{
    if (command->id < 0 || command->id >= NOTE_CONTROLS || !isfinite(command->value))
        return;
    for (int i = 0; i < engine->ensemble.slots; i++)
        if (plays(&engine->ensemble.voices[i], command->channel, command->note))
            voice_control(&engine->ensemble.voices[i], &engine->setting, command->id, command->value);
}

static int clamp_to(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static void set_limit(engine_t *engine, int voices)
{
    const int limit = clamp_to(voices, 1, engine->polyphony);
    atomic_store_explicit(&engine->limit, limit, memory_order_relaxed);
    shed(engine, limit, LIMIT_FADE_S);
}

static void tell(engine_t *engine, uint32_t tag)
{
    const echo_t echo = {tag, engine->now};
    if (!queue_push(&engine->echoes, &echo, 1))
        count_up(&engine->dropped_echoes, 1);
}

static void apply(engine_t *engine, const command_t *command)
{
    const ensemble_t *ensemble = &engine->ensemble;
    const int note = clamp_to(command->note, 0, KEYS - 1);
    switch (command->type) {
    case COMMAND_NOTE_ON:
        note_on(engine, command->channel, note, clamp_to(command->velocity, 1, 127), command->id);
        break;
    case COMMAND_NOTE_OFF: note_off(engine, command->channel, note); break;
    case COMMAND_CONTROL:
        if (command->id >= 0 && command->id < CONTROLS)
            set_control(engine, command->id, command->value);
        break;
    case COMMAND_NOTE_CONTROL: set_note_control(engine, command); break;
    case COMMAND_ALL_NOTES_OFF:
        for (int i = 0; i < ensemble->slots; i++)
            voice_release(&ensemble->voices[i]);
        break;
    case COMMAND_ALL_SOUND_OFF:
        for (int i = 0; i < ensemble->slots; i++)
            voice_fade(&ensemble->voices[i], &engine->setting, FADE_S);
        break;
    case COMMAND_LIMIT: set_limit(engine, (int)command->value); break;
    }
    count_up(&engine->timed_applied, command->at >= 0);
    if (command->tag)
        tell(engine, command->tag);
}

void engine_limit(engine_t *engine, int voices)
{
    const int before = engine_limit_now(engine);
    set_limit(engine, voices);
    if (engine_limit_now(engine) != before)
        tell(engine, LIMIT_TAG | (uint32_t)engine_limit_now(engine));
}

/* Move what was pushed into the schedule; what was meant for now or earlier comes at this frame, in its order. */
static void collect(engine_t *engine)
{
    command_t command;
    while (!schedule_full(&engine->schedule) && queue_pop(&engine->commands, &command))
        schedule_add(&engine->schedule, &command, engine->now);
}

bool engine_push(engine_t *engine, const command_t *commands, int count)
{
    int64_t timed = engine->timed;
    for (int i = 0; i < count; i++)
        timed += commands[i].at >= 0;
    bool fits = timed - atomic_load_explicit(&engine->timed_applied, memory_order_relaxed) <= SCHEDULE_TIMED;
    if (!fits || !queue_push(&engine->commands, commands, count)) {
        count_up(&engine->dropped_commands, count);
        return false;
    }
    engine->timed = timed;
    return true;
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
static void finish(engine_t *engine, float *out, int frames)
{
    for (int i = 0; i < frames; i++) {
        float residue = engine->residue * engine->residue_decay;
        engine->residue = fabsf(residue) > RESIDUE_FLOOR ? residue : 0.0f;
        out[i] = soft_knee(out[i] + engine->residue);
    }
}

/* Frames until the next command. */
static int chunk_frames(const engine_t *engine, int frames)
{
    int64_t quiet = schedule_next(&engine->schedule) - engine->now;
    int most = frames < engine->ensemble.longest ? frames : engine->ensemble.longest;
    return quiet < most ? (int)quiet : most;
}

/* `rows` as in engine_render_voices, or NULL. */
static void render(engine_t *engine, float *out, float *rows, size_t stride, int frames)
{
    denormals_t mode = denormals_flush();
    command_t command;
    collect(engine);
    for (int done = 0, chunk; done < frames; done += chunk) {
        while (schedule_take(&engine->schedule, engine->now, &command)) {
            apply(engine, &command);
            collect(engine); /* a full schedule has room again */
        }
        chunk = chunk_frames(engine, frames - done);
        ensemble_render(&engine->ensemble, out + done, chunk);
        if (rows)
            ensemble_copy_sounds(&engine->ensemble, rows + done, stride);
        finish(engine, out + done, chunk);
        engine->now += chunk;
    }
    atomic_store_explicit(&engine->active_voices, ensemble_sounding(&engine->ensemble), memory_order_relaxed);
    atomic_store_explicit(&engine->frame, engine->now, memory_order_release);
    denormals_restore(mode);
}

void engine_render(engine_t *engine, float *out, int frames)
{
    render(engine, out, NULL, 0, frames);
}

void engine_render_voices(engine_t *engine, float *out, float *rows, size_t stride, int frames)
{
    for (int slot = 0; slot < engine->ensemble.slots; slot++)
        memset(rows + slot * stride, 0, sizeof(float) * frames);
    render(engine, out, rows, stride, frames);
    for (int slot = 0; slot < engine->ensemble.slots; slot++)
        for (int i = 0; i < frames; i++)
            rows[slot * stride + i] = soft_knee(rows[slot * stride + i]);
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

bool engine_memory_locked(const engine_t *engine)
{
    return engine->memory_locked;
}

int engine_limit_now(const engine_t *engine)
{
    return atomic_load_explicit(&engine->limit, memory_order_relaxed);
}

bool engine_failed(const engine_t *engine)
{
    return atomic_load_explicit(&engine->ensemble.rendering.failed, memory_order_relaxed);
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
