/* JACK's thread and the one that reads, every byte in order: built with -fsanitize=thread by test_jack_midi.py.
   With PLANTED_RACE the reader looks where the writer may be, and the sanitizer must see it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* The wall clock as it was before somebody set it back by a day: nobody who waits may go by it. */
static int clock_ahead(clockid_t clock, struct timespec *now) {
    int problem = clock_gettime(clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? 24 * 60 * 60 : 0;
    return problem;
}
#define clock_gettime clock_ahead
#include "jack_midi.c"

enum { MESSAGES = 1 << 18, MESSAGES_MAX = 3, BYTES_MAX = 20 };

static jack_midi_t midi;
static unsigned sent; /* messages; the writer's */
static unsigned char message[BYTES_MAX];

/* Message n has so many bytes, each of them n. */
static unsigned size_of(unsigned number) { return 1 + number % BYTES_MAX; }

static uint64_t get_time(void) { return 1000; }

static int get_cycle_times(const jack_client_t *client, uint32_t *frames, uint64_t *now, uint64_t *next, float *period) {
    (void)client;
    *frames = 0, *now = 1000, *next = 2000, *period = 1000.0f;
    return 0;
}

static void *get_buffer(jack_port_t *port, uint32_t frames) {
    (void)port, (void)frames;
    return message;
}

static uint32_t get_event_count(void *buffer) {
    (void)buffer;
    unsigned waiting = atomic_load(&midi.written) - atomic_load(&midi.read);
    if (waiting > EVENTS - MESSAGES_MAX * BYTES_MAX) /* what finds no room would be lost */
        return 0;
    unsigned left = MESSAGES - sent, count = 1 + sent % MESSAGES_MAX;
    return left < count ? left : count;
}

static int get_event(jack_event_t *event, void *buffer, uint32_t index) {
    (void)index;
    *event = (jack_event_t){.time = 0, .size = size_of(sent), .buffer = buffer};
    memset(message, (int)(sent++ % 251), sizeof message);
    return 0;
}

static void *run_jack(void *unused) {
    (void)unused;
    while (sent < MESSAGES)
        process(64, &midi);
    return NULL;
}

int main(void) {
    pthread_t jack;
    midi.jack = (libjack_t){.get_time = get_time,
                            .get_cycle_times = get_cycle_times,
                            .port_get_buffer = get_buffer,
                            .midi_get_event_count = get_event_count,
                            .midi_event_get = get_event};
    atomic_store(&midi.port_count, 1);
    midi.bell = eventfd(0, EFD_NONBLOCK);
    if (midi.bell < 0 || jack_midi_wait(&midi, 1000000) || pthread_create(&jack, NULL, run_jack, NULL))
        return 2;
    for (unsigned received = 0, bytes = 0; received < MESSAGES;) {
        jack_midi_event_t event;
#ifdef PLANTED_RACE
        event = midi.events[received % EVENTS];
#endif
        if (!jack_midi_read(&midi, &event)) {
            jack_midi_wait(&midi, 1000000);
            continue;
        }
        for (unsigned i = 0; i < event.size; i++)
            if (event.bytes[i] != received % 251) {
                fprintf(stderr, "byte %u of message %u came as %d\n", bytes + i, received, event.bytes[i]);
                return 1;
            }
        bytes += event.size;
        if (bytes == size_of(received)) {
            received++;
            bytes = 0;
        }
    }
    pthread_join(jack, NULL);
    return 0;
}
