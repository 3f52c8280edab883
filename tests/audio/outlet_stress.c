/* A device that calls all the time while the gate opens and closes on streams that come and go: built with
   -fsanitize=thread by test_outlet.py. With PLANTED_RACE a stream is touched before the gate is shut. */
#define _GNU_SOURCE
#include "outlet.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { STREAMS = 2000, CHANNELS = 2, FRAMES = 8 };

typedef struct {
    long calls;
} stream_t;

static atomic_bool ended;
static atomic_long heard;
static float buffers[CHANNELS][FRAMES];

static void *get_buffer(void *port, uint32_t frames) {
    (void)frames;
    return port;
}

static uint64_t get_time(void) { return 0; }

static int get_cycle_times(const void *client, uint32_t *frame, uint64_t *start_us, uint64_t *next_us,
                           float *period_us) {
    (void)client, (void)frame, (void)start_us, (void)next_us, (void)period_us;
    return 0;
}

static int play(const void *input, void *output, unsigned long frames, const void *time_info, unsigned long status,
                void *user_data) {
    (void)input, (void)time_info, (void)status;
    ((stream_t *)user_data)->calls++;
    atomic_fetch_add(&heard, 1);
    for (unsigned long i = 0; i < frames * CHANNELS; i++)
        ((float *)output)[i] = 1.0f;
    return 0;
}

static void *run_device(void *outlet) {
    float interleaved[FRAMES * CHANNELS];
    while (!atomic_load(&ended)) {
        outlet_portaudio(NULL, interleaved, FRAMES, NULL, 0, outlet);
        outlet_jack_process(FRAMES, outlet);
    }
    return NULL;
}

int main(void) {
    outlet_t *outlet = outlet_create(CHANNELS);
    pthread_t device;
    long calls = 0;
    if (!outlet || pthread_create(&device, NULL, run_device, outlet))
        return 2;
    outlet_jack_t jack = {NULL, get_buffer, get_cycle_times, get_time};
    outlet_set_jack(outlet, &jack, (void *[]){buffers[0], buffers[1]});
    for (int i = 0; i < STREAMS; i++) {
        stream_t *stream = calloc(1, sizeof *stream);
        long before = atomic_load(&heard);
        outlet_admit(outlet, play, stream);
        while (i % 2 && atomic_load(&heard) == before) {
        }
#ifdef PLANTED_RACE
        stream->calls++;
#endif
        outlet_shut(outlet);
        calls += stream->calls;
        free(stream);
    }
    atomic_store(&ended, true);
    pthread_join(device, NULL);
    outlet_destroy(outlet);
    return calls == atomic_load(&heard) ? 0 : 1;
}
