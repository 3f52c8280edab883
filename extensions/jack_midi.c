#define _GNU_SOURCE
#include "jack_midi.h"

#include "jack_cycle.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 16384, NO_START_SERVER = 1, IS_INPUT = 1, IS_OUTPUT = 2 };

static const char MIDI_TYPE[] = "8 bit raw midi";

/* jack/types.h and jack/midiport.h, as far as they are needed */
typedef struct jack_client jack_client_t;
typedef struct jack_port jack_port_t;
typedef struct {
    uint32_t time; /* frames from the start of the period */
    size_t size;
    unsigned char *buffer;
} jack_event_t;

/* What is used of libjack, in the order of NAMES. */
typedef struct {
    jack_client_t *(*client_open)(const char *, int, int *, ...);
    int (*client_close)(jack_client_t *);
    int (*activate)(jack_client_t *);
    int (*set_process_callback)(jack_client_t *, int (*)(uint32_t, void *), void *);
    void (*on_shutdown)(jack_client_t *, void (*)(void *), void *);
    const char **(*get_ports)(jack_client_t *, const char *, const char *, unsigned long);
    void (*free)(void *);
    jack_port_t *(*port_register)(jack_client_t *, const char *, const char *, unsigned long, unsigned long);
    const char *(*port_name)(const jack_port_t *);
    int (*port_connected_to)(const jack_port_t *, const char *);
    int (*connect)(jack_client_t *, const char *, const char *);
    int (*disconnect)(jack_client_t *, const char *, const char *);
    void *(*port_get_buffer)(jack_port_t *, uint32_t);
    uint32_t (*midi_get_event_count)(void *);
    int (*midi_event_get)(jack_event_t *, void *, uint32_t);
    jack_get_cycle_times_t get_cycle_times;
    jack_get_time_t get_time;
    void (*set_error_function)(void (*)(const char *));
    void (*set_info_function)(void (*)(const char *));
} libjack_t;

static const char *const NAMES[] = {
    "jack_client_open", "jack_client_close", "jack_activate", "jack_set_process_callback", "jack_on_shutdown",
    "jack_get_ports", "jack_free", "jack_port_register", "jack_port_name", "jack_port_connected_to", "jack_connect",
    "jack_disconnect", "jack_port_get_buffer", "jack_midi_get_event_count", "jack_midi_event_get",
    "jack_get_cycle_times", "jack_get_time", "jack_set_error_function", "jack_set_info_function",
};
_Static_assert(sizeof NAMES / sizeof *NAMES == sizeof(libjack_t) / sizeof(void *), "a name for each function");

struct jack_midi {
    libjack_t jack;
    jack_client_t *client;
    atomic_int gone;
    jack_port_t *ports[JACK_MIDI_PORTS];
    atomic_int port_count; /* ports below it are there for good */
    int bell; /* an eventfd, rung for each period that brings events: its wait knows no wall clock, which may be set */
    jack_midi_event_t events[EVENTS];
    atomic_uint written, read; /* events ever */
};

static void say_nothing(const char *words) {
    (void)words;
}

static void shut_down(void *state) {
    jack_midi_t *midi = state;
    atomic_store(&midi->gone, 1);
    eventfd_write(midi->bell, 1);
}

static int push(jack_midi_t *midi, int port, int64_t time_ns, const jack_event_t *event) {
    unsigned written = atomic_load_explicit(&midi->written, memory_order_relaxed);
    unsigned room = EVENTS - (written - atomic_load_explicit(&midi->read, memory_order_acquire));
    unsigned pieces = (unsigned)((event->size + JACK_MIDI_BYTES - 1) / JACK_MIDI_BYTES);
    if (pieces > room)
        return 0;
    for (unsigned i = 0; i < pieces; i++) {
        size_t start = (size_t)i * JACK_MIDI_BYTES, left = event->size - start;
        jack_midi_event_t *piece = &midi->events[(written + i) % EVENTS];
        piece->time_ns = time_ns;
        piece->port = (uint8_t)port;
        piece->size = (uint8_t)(left < JACK_MIDI_BYTES ? left : JACK_MIDI_BYTES);
        memcpy(piece->bytes, event->buffer + start, piece->size);
    }
    atomic_store_explicit(&midi->written, written + pieces, memory_order_release);
    return 1;
}

/* JACK's real-time thread. */
static int process(uint32_t frames, void *state) {
    jack_midi_t *midi = state;
    const libjack_t *jack = &midi->jack;
    jack_cycle_t cycle = jack_cycle(midi->client, jack->get_cycle_times, jack->get_time, frames);
    int came = 0, port_count = atomic_load_explicit(&midi->port_count, memory_order_acquire);
    for (int port = 0; port < port_count; port++) {
        void *buffer = jack->port_get_buffer(midi->ports[port], frames);
        uint32_t count = jack->midi_get_event_count(buffer);
        jack_event_t event;
        for (uint32_t i = 0; i < count; i++)
            if (!jack->midi_event_get(&event, buffer, i))
                came |= push(midi, port, cycle.start_ns + (int64_t)(event.time * cycle.frame_ns), &event);
    }
    if (came)
        eventfd_write(midi->bell, 1);
    return 0;
}

const char *jack_midi_library(void) {
    void *library = dlopen("libjack.so.0", RTLD_LAZY | RTLD_LOCAL);
    void *function = library ? dlsym(library, "jack_client_open") : NULL;
    Dl_info found;
    return function && dladdr(function, &found) ? found.dli_fname : NULL;
}

/* The library stays loaded: a client's threads may still be on their way out. */
static int load(libjack_t *jack, const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof NAMES / sizeof *NAMES; i++) {
        void *function = dlsym(library, NAMES[i]);
        if (!function)
            return 0;
        memcpy((char *)jack + i * sizeof function, &function, sizeof function);
    }
    return library != NULL;
}

jack_midi_t *jack_midi_open(const char *library, const char *name) {
    jack_midi_t *midi = calloc(1, sizeof *midi);
    if (!midi)
        return NULL;
    midi->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Pages exist once they are written: here, and not in JACK's thread. */
    for (size_t i = 0; i < EVENTS; i++)
        *(volatile uint8_t *)&midi->events[i].port = 0;
    memory_lock(midi, sizeof *midi);
    if (midi->bell >= 0 && load(&midi->jack, library)) {
        midi->jack.set_error_function(say_nothing);
        midi->jack.set_info_function(say_nothing);
        midi->client = midi->jack.client_open(name, NO_START_SERVER, NULL);
    }
    if (midi->client) {
        midi->jack.on_shutdown(midi->client, shut_down, midi);
        midi->jack.set_process_callback(midi->client, process, midi);
        if (!midi->jack.activate(midi->client))
            return midi;
    }
    jack_midi_close(midi);
    jack_midi_free(midi);
    return NULL;
}

void jack_midi_close(jack_midi_t *midi) {
    if (midi->client)
        midi->jack.client_close(midi->client);
    midi->client = NULL;
}

void jack_midi_free(jack_midi_t *midi) {
    if (midi->bell >= 0)
        close(midi->bell);
    free(midi);
}

int jack_midi_alive(const jack_midi_t *midi) {
    return !atomic_load(&midi->gone);
}

const char **jack_midi_sources(jack_midi_t *midi) {
    return midi->jack.get_ports(midi->client, NULL, MIDI_TYPE, IS_OUTPUT);
}

void jack_midi_free_names(jack_midi_t *midi, const char **names) {
    midi->jack.free(names);
}

int jack_midi_add_port(jack_midi_t *midi, const char *name) {
    int port = atomic_load(&midi->port_count);
    if (port == JACK_MIDI_PORTS)
        return -1;
    midi->ports[port] = midi->jack.port_register(midi->client, name, MIDI_TYPE, IS_INPUT, 0);
    if (!midi->ports[port])
        return -1;
    atomic_store_explicit(&midi->port_count, port + 1, memory_order_release);
    return port;
}

int jack_midi_connect(jack_midi_t *midi, int port, const char *source) {
    int problem = midi->jack.connect(midi->client, source, midi->jack.port_name(midi->ports[port]));
    return !problem || problem == EEXIST;
}

int jack_midi_disconnect(jack_midi_t *midi, int port, const char *source) {
    return !midi->jack.disconnect(midi->client, source, midi->jack.port_name(midi->ports[port]));
}

int jack_midi_connected(const jack_midi_t *midi, int port, const char *source) {
    return midi->jack.port_connected_to(midi->ports[port], source);
}

int jack_midi_wait(jack_midi_t *midi, int64_t timeout_ns) {
    struct pollfd bell = {.fd = midi->bell, .events = POLLIN};
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    eventfd_t rung;
    return ppoll(&bell, 1, &timeout, NULL) > 0 && eventfd_read(midi->bell, &rung) == 0;
}

int jack_midi_read(jack_midi_t *midi, jack_midi_event_t *event) {
    unsigned read = atomic_load_explicit(&midi->read, memory_order_relaxed);
    if (read == atomic_load_explicit(&midi->written, memory_order_acquire))
        return 0;
    *event = midi->events[read % EVENTS];
    atomic_store_explicit(&midi->read, read + 1, memory_order_release);
    return 1;
}
