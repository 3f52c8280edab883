#include "ensemble.h"

#include <string.h>

#include "kernels/kernels.h"
#include "memory.h"

/* As equal as can be, larger ones first. */
int ensemble_group(const ensemble_t *ensemble, int group)
{
    return (group * ensemble->active_count + ensemble->groups - 1) / ensemble->groups;
}

static float *sound_of(const ensemble_t *ensemble, const voice_t *voice)
{
    return ensemble->sound + (voice - ensemble->voices) * ensemble->longest;
}

/* The chunk's frames of one group; any thread. */
static void render_group(void *context, int group)
{
    ensemble_t *ensemble = context;
    const setting_t *setting = ensemble->setting;
    voice_t **voices = ensemble->active + ensemble_group(ensemble, group);
    const int count = ensemble_group(ensemble, group + 1) - ensemble_group(ensemble, group);
    for (int frame = 0; frame < ensemble->frames; frame++) {
        voice_t *stepping[BATCH];
        wavenet_state_t *states[BATCH];
        int running = 0;
        for (int n = 0; n < count; n++)
            if (voices[n]->phase != VOICE_IDLE && voices[n]->phase != VOICE_FAULTED) {
                states[running] = &voices[n]->state;
                stepping[running++] = voices[n];
            }
        if (running) {
            voices_prepare(stepping, setting, running);
            setting->network->kernels->step(setting->network, states, running);
        }
        for (int n = 0; n < count; n++) {
            bool fault = false, idle = voices[n]->phase == VOICE_IDLE;
            sound_of(ensemble, voices[n])[frame] = idle ? 0.0f : voice_finish(voices[n], setting, &fault);
            if (fault)
                atomic_fetch_add_explicit(&ensemble->faults, 1, memory_order_relaxed);
        }
    }
}

/* The active voices, and into how many groups they go: the fewest of at most BATCH that leave no thread without one. */
static void deal(ensemble_t *ensemble)
{
    const int threads = ensemble->threads;
    int count = 0;
    for (int slot = 0; slot < ensemble->slots; slot++)
        if (ensemble->voices[slot].phase != VOICE_IDLE)
            ensemble->active[count++] = &ensemble->voices[slot];
    int fewest = (count + BATCH - 1) / BATCH;
    ensemble->active_count = count;
    ensemble->groups = count < threads ? count : (fewest + threads - 1) / threads * threads;
}

void ensemble_render(ensemble_t *ensemble, float *out, int frames)
{
    deal(ensemble);
    ensemble->frames = frames;
    if (ensemble->rendering.device)
        ensemble_render_on_device(ensemble);
    else
        workers_run(ensemble->workers, ensemble->groups);
    memset(out, 0, sizeof(float) * frames);
    for (int n = 0; n < ensemble->active_count; n++) {
        const float *sound = sound_of(ensemble, ensemble->active[n]);
        for (int i = 0; i < frames; i++)
            out[i] += sound[i];
    }
}

void ensemble_copy_sounds(const ensemble_t *ensemble, float *rows, size_t stride)
{
    for (int n = 0; n < ensemble->active_count; n++) {
        const voice_t *voice = ensemble->active[n];
        memcpy(rows + (voice - ensemble->voices) * stride, sound_of(ensemble, voice), sizeof(float) * ensemble->frames);
    }
}

int ensemble_sounding(const ensemble_t *ensemble)
{
    int count = 0;
    for (int i = 0; i < ensemble->slots; i++)
        count += voice_sounds(&ensemble->voices[i]);
    return count;
}

voice_t *ensemble_least_missed(const ensemble_t *ensemble)
{
    voice_t *least = NULL;
    for (int i = 0; i < ensemble->slots; i++) {
        voice_t *voice = &ensemble->voices[i];
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

bool ensemble_create(ensemble_t *ensemble, const setting_t *setting, int slots, int threads, device_t *device)
{
    ensemble->setting = setting;
    ensemble->threads = threads;
    ensemble->longest = device ? rendering_longest(setting) : CHUNK_FRAMES;
    ensemble->voices = memory_allocate(sizeof(voice_t) * slots);
    ensemble->active = memory_allocate(sizeof(voice_t *) * slots);
    ensemble->sound = memory_allocate(sizeof(float) * ensemble->longest * slots);
    if (!ensemble->voices || !ensemble->active || !ensemble->sound)
        return false;
    while (ensemble->slots < slots) {
        const int number = ensemble->slots++;
        if (!voice_create(&ensemble->voices[number], setting, number, !device))
            return false;
    }
    if (device && !rendering_create(&ensemble->rendering, device, setting, slots))
        return false;
    ensemble->workers = workers_create(threads, slots, device ? ensemble_device_share : render_group, ensemble);
    return ensemble->workers != NULL;
}

void ensemble_destroy(ensemble_t *ensemble)
{
    workers_destroy(ensemble->workers);
    for (int i = 0; i < ensemble->slots; i++)
        voice_destroy(&ensemble->voices[i]);
    rendering_destroy(&ensemble->rendering);
    memory_free(ensemble->voices);
    memory_free(ensemble->sound);
    memory_free(ensemble->active);
}

bool ensemble_lock_memory(const ensemble_t *ensemble)
{
    bool locked = memory_lock_block(ensemble->voices) & memory_lock_block(ensemble->sound)
                & memory_lock_block(ensemble->active);
    if (ensemble->rendering.memory)
        locked &= memory_lock_block(ensemble->rendering.memory);
    for (int i = 0; i < ensemble->slots; i++)
        locked &= voice_lock_memory(&ensemble->voices[i]);
    return locked;
}
