#include "ensemble_device.h"

#include <math.h>
#include <string.h>

#include "arena.h"
#include "ensemble.h"
#include "memory.h"
#include "period.h"

static void lay_out(rendering_t *rendering, const wavenet_config_t *config, int slots, arena_t *arena)
{
    const size_t told = (size_t)slots * DEVICE_TELLINGS, phasors = told * 2 * config->partials;
    rendering->slots = arena_take(arena, sizeof(int32_t) * slots);
    rendering->first = arena_take(arena, sizeof(int) * (slots + 1));
    rendering->tellings = arena_take(arena, sizeof(device_told_t) * told);
    rendering->periods = arena_take(arena, sizeof(period_t) * told);
    rendering->conditioning = arena_take_floats(arena, told * config->conditioning_channels);
    rendering->phasors = arena_take_floats(arena, phasors);
    rendering->rotation = arena_take_floats(arena, phasors);
    rendering->drawn = arena_take_floats(arena, (size_t)slots * DEVICE_FRAMES);
}

static void forget(float *drawn, size_t frames)
{
    for (size_t i = 0; i < frames; i++)
        drawn[i] = NAN;
}

bool rendering_create(rendering_t *rendering, device_t *device, const setting_t *setting, int slots)
{
    const wavenet_config_t *config = &setting->network->config;
    arena_t arena = {0};
    lay_out(rendering, config, slots, &arena);
    rendering->memory = arena.block = memory_allocate(arena.used);
    if (!rendering->memory)
        return false;
    arena.used = 0;
    lay_out(rendering, config, slots, &arena);
    forget(rendering->drawn, (size_t)slots * DEVICE_FRAMES);
    rendering->device = device;
    rendering->chunk = (device_chunk_t){
        .seed = setting->seed,
        .slots = rendering->slots,
        .tellings = rendering->tellings,
        .conditioning = rendering->conditioning,
        .phasors = rendering->phasors,
        .rotation = rendering->rotation,
        .drawn = rendering->drawn,
    };
    return true;
}

void rendering_destroy(rendering_t *rendering)
{
    memory_free(rendering->memory);
}

int rendering_longest(const setting_t *setting)
{
    const int told = DEVICE_TELLINGS * setting->network->config.control_period;
    return told < DEVICE_FRAMES ? told : DEVICE_FRAMES;
}

/* --- telling -------------------------------------------------------------------------------------------------- */

/* How many periods of a voice begin within so many frames. */
static int tellings(const voice_t *voice, int period, int frames)
{
    return voice->countdown < frames ? 1 + (frames - 1 - voice->countdown) / period : 0;
}

/* Who is to be rendered, and where what each of them is told will stand. */
static void call_up(ensemble_t *ensemble)
{
    rendering_t *rendering = &ensemble->rendering;
    device_chunk_t *chunk = &rendering->chunk;
    const int period = ensemble->setting->network->config.control_period;
    chunk->frames = ensemble->frames;
    chunk->active = chunk->told = 0;
    for (int n = 0; n < ensemble->active_count; n++) {
        const voice_t *voice = ensemble->active[n];
        rendering->first[n] = chunk->told;
        if (voice->phase == VOICE_FAULTED)
            continue;
        rendering->slots[chunk->active++] = (int32_t)(voice - ensemble->voices);
        chunk->told += tellings(voice, period, ensemble->frames);
    }
    rendering->first[ensemble->active_count] = chunk->told;
}

/* Begin a period of the voice, at this frame of the chunk. */
static void tell(ensemble_t *ensemble, voice_t *voice, int frame, int telling)
{
    rendering_t *rendering = &ensemble->rendering;
    const wavenet_t *network = ensemble->setting->network;
    const wavenet_state_t *state = &voice->state;
    const size_t channels = network->config.conditioning_channels, partials = network->config.partials;
    const size_t bytes = sizeof(float) * partials, padded = network->partials_padded;
    float *phasors = rendering->phasors + 2 * partials * telling, *rotation = rendering->rotation + 2 * partials * telling;
    rendering->periods[telling] = period_begin(voice, ensemble->setting);
    rendering->tellings[telling] = (device_told_t){
        .slot = (int32_t)(voice - ensemble->voices),
        .frame = frame,
        .starts = voice->age == 0 ? STARTS_SILENT : GOES_ON,
        .temperature = voice->temperature,
        .age = voice->age,
        .ordinal = voice->ordinal,
    };
    memcpy(rendering->conditioning + channels * telling, state->conditioning, sizeof(float) * channels);
    memcpy(phasors, state->phasors, bytes);
    memcpy(phasors + partials, state->phasors + padded, bytes);
    memcpy(rotation, state->rotation, bytes);
    memcpy(rotation + partials, state->rotation + padded, bytes);
}

/* What the n-th active voice hears in the chunk; its age is put back to that of the next sample to be finished. */
static void tell_ahead(ensemble_t *ensemble, int n)
{
    const int *first = ensemble->rendering.first;
    voice_t *voice = ensemble->active[n];
    const int64_t age = voice->age;
    if (voice->phase == VOICE_FAULTED)
        return;
    for (int frame = 0, telling = first[n], run; frame < ensemble->frames; frame += run) {
        if (voice->countdown == 0)
            tell(ensemble, voice, frame, telling++);
        run = ensemble->frames - frame;
        run = voice->countdown < run ? voice->countdown : run;
        voice->countdown -= run;
        voice->elapsed += run;
        voice->age += run;
    }
    voice->age = age;
}

/* --- finishing ------------------------------------------------------------------------------------------------ */

static void finish(ensemble_t *ensemble, int n)
{
    rendering_t *rendering = &ensemble->rendering;
    voice_t *voice = ensemble->active[n];
    const ptrdiff_t slot = voice - ensemble->voices;
    float *drawn = rendering->drawn + slot * DEVICE_FRAMES, *sound = ensemble->sound + slot * ensemble->longest;
    const bool failed = atomic_load_explicit(&rendering->failed, memory_order_relaxed); /* told apart from a fault */
    int telling = rendering->first[n];
    for (int frame = 0; frame < ensemble->frames; frame++) {
        bool fault = false;
        const bool begins = telling < rendering->first[n + 1] && rendering->tellings[telling].frame == frame;
        if (begins && voice->phase != VOICE_FAULTED)
            voice_enter(voice, ensemble->setting, &rendering->periods[telling++]);
        const bool idle = voice->phase == VOICE_IDLE;
        sound[frame] = idle ? 0.0f : voice_finish_drawn(voice, ensemble->setting, drawn[frame], &fault);
        if (fault && !failed)
            atomic_fetch_add_explicit(&ensemble->faults, 1, memory_order_relaxed);
    }
    forget(drawn, ensemble->frames);
}

/* --- a chunk -------------------------------------------------------------------------------------------------- */

void ensemble_device_share(void *context, int share)
{
    ensemble_t *ensemble = context;
    const int end = ensemble_group(ensemble, share + 1);
    for (int n = ensemble_group(ensemble, share); n < end; n++) {
        if (ensemble->rendering.telling)
            tell_ahead(ensemble, n);
        else
            finish(ensemble, n);
    }
}

static void fail(ensemble_t *ensemble)
{
    rendering_t *rendering = &ensemble->rendering;
    atomic_store_explicit(&rendering->failed, true, memory_order_relaxed);
    for (int n = 0; n < rendering->chunk.active; n++) /* what it has written may be anything */
        forget(rendering->drawn + (size_t)rendering->slots[n] * DEVICE_FRAMES, ensemble->frames);
}

void ensemble_render_on_device(ensemble_t *ensemble)
{
    rendering_t *rendering = &ensemble->rendering;
    call_up(ensemble);
    rendering->telling = true;
    workers_run(ensemble->workers, ensemble->groups);
    const bool asked = rendering->chunk.active > 0 && !atomic_load_explicit(&rendering->failed, memory_order_relaxed);
    if (asked && !rendering->device->render(rendering->device, &rendering->chunk))
        fail(ensemble);
    rendering->telling = false;
    workers_run(ensemble->workers, ensemble->groups);
}
