/* The outlet: the gate through which an output device calls a stream. Once it is shut the device gets silence and
   never touches the stream again, however late it calls and whether or not it can still be closed.

   Threads: outlet_portaudio and outlet_jack run in the device's thread and neither allocate, lock nor log; the rest
   belongs to one thread at a time. An outlet must outlive its device. */
#ifndef RTWAVE_OUTLET_H
#define RTWAVE_OUTLET_H

#include <stdint.h>

#include "jack_cycle.h"

enum {
    OUTLET_CHANNELS_MAX = 64,
    OUTLET_FRAMES_MAX = 8192, /* of a JACK period: the largest there is */
};

/* A PaStreamCallback; `time_info` is NULL, or a jack_cycle_t. */
typedef int (*outlet_callback_t)(const void *input, void *output, unsigned long frames, const void *time_info,
                                 unsigned long status, void *user_data);

/* What is used of JACK in its own thread. */
typedef struct {
    void *client;
    void *(*get_buffer)(void *port, uint32_t frames); /* jack_port_get_buffer */
    jack_get_cycle_times_t get_cycle_times;
    jack_get_time_t get_time;
} outlet_jack_t;

typedef struct outlet_t outlet_t;

outlet_t *outlet_create(int channels); /* shut; NULL when memory is short */
void outlet_destroy(outlet_t *outlet);

/* Let the device call `callback` with `stream`, which writes interleaved samples of the outlet's channels. */
void outlet_admit(outlet_t *outlet, outlet_callback_t callback, void *stream);

/* Keep the device out; on return it is not in the callback any more. */
void outlet_shut(outlet_t *outlet);

/* What PortAudio calls, with the outlet as its user data: a PaStreamCallback. */
int outlet_portaudio(const void *input, void *output, unsigned long frames, const void *time_info, unsigned long status,
                     void *user_data);

/* What JACK calls, with the outlet as its argument: process, xrun, shutdown. `ports` has one for each channel. */
void outlet_set_jack(outlet_t *outlet, const outlet_jack_t *jack, void *const *ports);
int outlet_jack_process(uint32_t frames, void *argument);
int outlet_jack_late(void *argument);
void outlet_jack_down(void *argument);
int outlet_is_down(const outlet_t *outlet); /* whether the server has said goodbye */

/* What JACK says to nobody: it would write its errors to stderr. */
void outlet_jack_hush(const char *message);

#endif
