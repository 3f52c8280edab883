/* MIDI inputs of a JACK client: each event with the moment it arrived, exact to the frame.
 *
 * libjack is loaded while the program runs, for most machines do without it. JACK's real-time thread writes, one thread
 * of the program reads and waits, and all else belongs to a third. */
#ifndef RTWAVE_JACK_MIDI_H
#define RTWAVE_JACK_MIDI_H

#include <stdint.h>

enum { JACK_MIDI_PORTS = 16, JACK_MIDI_BYTES = 6 };

/* Up to JACK_MIDI_BYTES bytes of a message; a longer one comes in several pieces. */
typedef struct {
    int64_t time_ns; /* of the monotonic clock; as much as a period ahead of now */
    uint8_t port, size;
    uint8_t bytes[JACK_MIDI_BYTES];
} jack_midi_event_t;

typedef struct jack_midi jack_midi_t;

/* The file that libjack is loaded from, or NULL where there is none. */
const char *jack_midi_library(void);

/* A running client of the default server, with libjack from the file `library`; NULL where no server answers. */
jack_midi_t *jack_midi_open(const char *library, const char *name);

/* End the client. After it there is only reading, waiting and jack_midi_free. */
void jack_midi_close(jack_midi_t *midi);
void jack_midi_free(jack_midi_t *midi);

/* 0 once the server has gone. */
int jack_midi_alive(const jack_midi_t *midi);

/* Names of every port that sends MIDI, NULL at the end, or NULL for none; freed by jack_midi_free_names. */
const char **jack_midi_sources(jack_midi_t *midi);
void jack_midi_free_names(jack_midi_t *midi, const char **names);

/* The number of a new input port, or -1 where there are JACK_MIDI_PORTS or JACK refuses. */
int jack_midi_add_port(jack_midi_t *midi, const char *name);
int jack_midi_connect(jack_midi_t *midi, int port, const char *source);
int jack_midi_disconnect(jack_midi_t *midi, int port, const char *source);
int jack_midi_connected(const jack_midi_t *midi, int port, const char *source);

/* Whether events wait; until there are some or `timeout_ns` have passed. */
int jack_midi_wait(jack_midi_t *midi, int64_t timeout_ns);

/* The oldest event that waits; 0 when none does. */
int jack_midi_read(jack_midi_t *midi, jack_midi_event_t *event);

#endif
