#define _GNU_SOURCE
#include "outlet.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "realtime.h"

enum { CONTINUE = 0, LATE = 4 }; /* paContinue, paOutputUnderflow */

struct outlet_t {
    int channels;
    outlet_callback_t callback;
    void *stream;
    atomic_bool admitted, inside; /* sequentially consistent: one of gate and caller sees the other */
    atomic_bool late, down;
    atomic_bool has_jack; /* and its ports */
    outlet_jack_t jack;
    void *ports[OUTLET_CHANNELS_MAX];
    float *interleaved; /* (OUTLET_FRAMES_MAX, channels) */
};

outlet_t *outlet_create(int channels) {
    outlet_t *outlet = calloc(1, sizeof *outlet);
    if (!outlet)
        return NULL;
    outlet->channels = channels;
    outlet->interleaved = calloc((size_t)OUTLET_FRAMES_MAX * channels, sizeof(float));
    if (!outlet->interleaved) {
        free(outlet);
        return NULL;
    }
    /* Where that is refused, the stream's own rings are refused too, and the stream says so. */
    memory_lock(outlet, sizeof *outlet);
    memory_lock(outlet->interleaved, (size_t)OUTLET_FRAMES_MAX * channels * sizeof(float));
    return outlet;
}

void outlet_destroy(outlet_t *outlet) {
    free(outlet->interleaved);
    free(outlet);
}

void outlet_admit(outlet_t *outlet, outlet_callback_t callback, void *stream) {
    outlet->callback = callback;
    outlet->stream = stream;
    atomic_store(&outlet->admitted, true);
}

void outlet_shut(outlet_t *outlet) {
    atomic_store(&outlet->admitted, false);
    while (atomic_load(&outlet->inside))
        clock_sleep_until(clock_now_ns() + 100000);
}

static void fill(outlet_t *outlet, float *output, unsigned long frames, const jack_cycle_t *cycle,
                 unsigned long status) {
    atomic_store(&outlet->inside, true);
    if (atomic_load(&outlet->admitted))
        outlet->callback(NULL, output, frames, cycle, status, outlet->stream);
    else
        memset(output, 0, frames * outlet->channels * sizeof(float));
    atomic_store(&outlet->inside, false);
}

int outlet_portaudio(const void *input, void *output, unsigned long frames, const void *time_info, unsigned long status,
                     void *user_data) {
    (void)input, (void)time_info;
    fill(user_data, output, frames, NULL, status);
    return CONTINUE;
}

void outlet_set_jack(outlet_t *outlet, const outlet_jack_t *jack, void *const *ports) {
    outlet->jack = *jack;
    memcpy(outlet->ports, ports, outlet->channels * sizeof *ports);
    atomic_store(&outlet->has_jack, true);
}

int outlet_jack_process(uint32_t frames, void *argument) {
    outlet_t *outlet = argument;
    const outlet_jack_t *jack = &outlet->jack;
    if (!atomic_load(&outlet->has_jack))
        return 0;
    uint32_t kept = frames < OUTLET_FRAMES_MAX ? frames : OUTLET_FRAMES_MAX;
    jack_cycle_t cycle = jack_cycle(jack->client, jack->get_cycle_times, jack->get_time, frames);
    fill(outlet, outlet->interleaved, kept, &cycle, atomic_exchange(&outlet->late, false) ? LATE : 0);
    for (int channel = 0; channel < outlet->channels; channel++) {
        float *output = jack->get_buffer(outlet->ports[channel], frames);
        for (uint32_t i = 0; i < kept; i++)
            output[i] = outlet->interleaved[(size_t)i * outlet->channels + channel];
        memset(output + kept, 0, (frames - kept) * sizeof *output);
    }
    return 0;
}

int outlet_jack_late(void *argument) {
    atomic_store(&((outlet_t *)argument)->late, true);
    return 0;
}

void outlet_jack_down(void *argument) { atomic_store(&((outlet_t *)argument)->down, true); }

int outlet_is_down(const outlet_t *outlet) { return atomic_load((atomic_bool *)&outlet->down); }

void outlet_jack_hush(const char *message) { (void)message; }
