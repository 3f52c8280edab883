/* The stream: a producer keeps a ring of samples filled, a callback empties it into the sound card.

   Threads: stream_produce runs in one of its own, rtwave_stream_callback in the audio server's (or stream_clock's),
   stream_take_recording in the recorder's; everything else may be called from any thread.
   Nothing is allocated, locked or logged once stream_create has returned. */
#ifndef RTWAVE_STREAM_H
#define RTWAVE_STREAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    STREAM_FADE_FRAMES = 32, /* of a starving stream, out and in again */
    STREAM_TIME_BUCKETS = 128, /* of histograms of times, four to the octave, from 1 ns */
};

typedef struct stream_t stream_t;

/* Where samples come from: what rack.h has. Only the producer calls these. */
typedef struct {
    void (*render)(void *state, float *output, int frames); /* the next, at the device's rate */
    void *state;
    int (*voices)(void *state); /* that sound; NULL: nothing to govern */
    int (*polyphony)(void *state); /* how many could sound */
    void (*limit)(void *state, int voices); /* let no more than so many sound */
} stream_source_t;

typedef struct {
    stream_source_t source;
    int64_t first_frame; /* of the source: the one that it renders next */
    int sample_rate; /* Hz */
    int channels; /* of the device: each gets the same samples */
    int target_frames; /* ring fill to keep, at first; never less than two of the host's blocks */
    int record_frames; /* room for what a recorder has not taken yet; 0: no recording */
} stream_options_t;

typedef struct {
    int64_t callbacks;
    int64_t frames; /* sent since the music began */
    int64_t underflows; /* callbacks that the host marked as late */
    int64_t starved_frames; /* sent as silence because the producer was late */
    int64_t lowest_fill_frames; /* of the ring when a callback came; -1 before the first */
    int64_t target_frames;
    int64_t record_dropped_frames; /* that the recorder took too late */
    int64_t busy_ns; /* spent rendering */
    int64_t last_callback_ns; /* on the monotonic clock; 0 before the first */
    int64_t now_ns; /* on the same clock */
    int64_t chunks[STREAM_TIME_BUCKETS]; /* by the time it took to render them */
    int64_t callback_times[STREAM_TIME_BUCKETS];
    double load; /* time spent rendering, of real time, over the last tenth of a second */
    int limit; /* voices that the governor allows; 0: as many as there are */
    int64_t limited; /* times it has lowered that */
    int64_t producer_tid; /* the system's number of the producer's thread; 0: not known */
    int priority; /* PRIORITY_... of realtime.h; -1 before the producer has started */
    int memory_locked; /* the stream and its rings, all of them */
} stream_counters_t;

stream_t *stream_create(const stream_options_t *options); /* NULL when memory is short */
void stream_destroy(stream_t *stream); /* only once producer and callback have ended */

/* Keep the ring filled until stream_stop. */
void stream_produce(stream_t *stream);

/* Drive the callback by the clock, `block_frames` at a time, until stream_end_clock or stream_stop: a sound card that
   nobody hears. The one who ended it waits for its return before another may call back. */
void stream_clock(stream_t *stream, int block_frames);
void stream_end_clock(stream_t *stream); /* which runs, or is just starting */

/* A PaStreamCallback; `user_data` is the stream, `time_info` NULL or a jack_cycle_t, which is believed to the frame. */
int rtwave_stream_callback(const void *input, void *output, unsigned long frames, const void *time_info,
                           unsigned long status, void *user_data);

void stream_fade_out(stream_t *stream); /* send silence from the next callback on, without a click */
int stream_is_silent(const stream_t *stream); /* whether that fade is over */
void stream_stop(stream_t *stream); /* ends stream_produce and stream_clock */

void stream_set_target(stream_t *stream, int frames); /* ring fill to keep from now on */

/* Lowest ring fill that a callback has met since this was last asked; -1: none came. */
int64_t stream_take_lowest_fill(stream_t *stream);

/* The source's frame, whole and part, that leaves for the device at a moment of the monotonic clock: never beyond what
   is rendered. What starvation held back leaves late, and later frames with it. */
double stream_frame_at(stream_t *stream, int64_t time_ns);

/* Up to `frames` of the samples that were sent; returns how many there were. */
size_t stream_take_recording(stream_t *stream, float *output, size_t frames);

void stream_counters(const stream_t *stream, stream_counters_t *counters);
float stream_take_peak(stream_t *stream); /* of the samples sent since it was last asked for */

#endif
