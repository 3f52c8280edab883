#define _GNU_SOURCE
#include "stream.h"

#include <math.h>
#include <stdbool.h>

#include "denormals.h"
#include "jack_cycle.h"
#include "governor.h"
#include "realtime.h"
#include "ring.h"
#include "timeline.h"

enum {
    CHUNK_FRAMES_MIN = 32,
    CHUNKS_PER_S = 500, /* rendered at a time: how finely commands for now are told apart */
    SLICE_FRAMES = 1024, /* of a callback, handled at a time */
    HOST_BLOCK_MAX = 16384,
    HOST_UNDERFLOW = 4, /* paOutputUnderflow */
};

/* Waiting for the first full ring; then playing, or starving; closed after stream_fade_out. */
typedef enum { WAITING, PLAYING, STARVING, CLOSED } phase_t;

typedef union {
    unsigned int bits;
    float value;
} float_bits_t;

struct stream_t {
    stream_options_t options;
    ring_t ring, recording;
    doorbell_t room; /* rung whenever the callback has made room in the ring */
    atomic_bool running, closing, silent, clock_ended;
    atomic_llong target_frames;

    /* The callback's own. */
    phase_t phase;
    float last; /* the sample sent last */
    float tail_level; /* where the fade to silence started */
    int tail_left; /* frames until it ends */
    int rise_left; /* frames until the fade in ends */
    float slice[SLICE_FRAMES];

    /* Written by the callback. */
    atomic_llong host_block_frames; /* the largest block asked for */
    atomic_llong callbacks, frames, underflows, starved_frames, lowest_fill_frames, record_dropped_frames;
    atomic_llong last_callback_ns, callback_times[STREAM_TIME_BUCKETS];
    timeline_t timeline;
    atomic_uint peak_bits; /* of a float that is not negative: such bits sort like the numbers */

    /* Written by the producer. */
    char before_producer[RING_CACHE_LINE];
    atomic_llong busy_ns, chunks[STREAM_TIME_BUCKETS], producer_tid;
    atomic_int priority, limit;
    _Atomic double load;
    atomic_llong limited;
    governor_t governor;
    float *chunk; /* (chunk_frames,) */
    int chunk_frames;

    char before_any[RING_CACHE_LINE];
    atomic_llong fresh_lowest_fill_frames; /* -1: taken */
    int memory_locked;
};

/* Each counter has one writer, so a load and a store do; readers see whole values. */
static int64_t get(const atomic_llong *counter) {
    return atomic_load_explicit((atomic_llong *)counter, memory_order_relaxed);
}
static void set(atomic_llong *counter, int64_t value) { atomic_store_explicit(counter, value, memory_order_relaxed); }
static void add(atomic_llong *counter, int64_t amount) { set(counter, get(counter) + amount); }

static int64_t at_most(int64_t value, int64_t limit) { return value < limit ? value : limit; }
static int64_t at_least(int64_t value, int64_t limit) { return value > limit ? value : limit; }

static int ring_lock(const ring_t *ring) { return memory_lock(ring->data, ring->capacity * sizeof(float)); }

stream_t *stream_create(const stream_options_t *options) {
    stream_t *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->options = *options;
    stream->chunk_frames = (int)at_least(options->sample_rate / CHUNKS_PER_S, CHUNK_FRAMES_MIN);
    stream->chunk = calloc(stream->chunk_frames, sizeof(float));
    int good = doorbell_init(&stream->room);
    good &= ring_init(&stream->ring, at_least(options->target_frames, 2 * HOST_BLOCK_MAX));
    good &= ring_init(&stream->recording, options->record_frames);
    if (!good || !stream->chunk) {
        stream_destroy(stream);
        return NULL;
    }
    stream->memory_locked = memory_lock(stream, sizeof *stream) && ring_lock(&stream->ring)
        && ring_lock(&stream->recording) && memory_lock(stream->chunk, stream->chunk_frames * sizeof(float));
    atomic_init(&stream->running, true);
    atomic_init(&stream->priority, -1);
    set(&stream->target_frames, options->target_frames);
    set(&stream->lowest_fill_frames, -1);
    set(&stream->fresh_lowest_fill_frames, -1);
    return stream;
}

void stream_destroy(stream_t *stream) {
    ring_free(&stream->ring);
    ring_free(&stream->recording);
    free(stream->chunk);
    doorbell_destroy(&stream->room);
    free(stream);
}

/* ---- producer ---- */

static int64_t fill_target(const stream_t *stream) {
    return at_least(get(&stream->target_frames), 2 * get(&stream->host_block_frames));
}

static void note_time(atomic_llong histogram[STREAM_TIME_BUCKETS], int64_t spent_ns) {
    int bucket = (int)(4.0 * log2((double)at_least(spent_ns, 1)));
    add(&histogram[bucket < STREAM_TIME_BUCKETS ? bucket : STREAM_TIME_BUCKETS - 1], 1);
}

/* Keep rendering within real time, where the source has voices to give up. */
static void govern(stream_t *stream, int64_t spent_ns, int frames) {
    const stream_source_t *source = &stream->options.source;
    governor_chunk_t chunk = {
        .spent_ns = spent_ns,
        .audio_ns = frames * INT64_C(1000000000) / stream->options.sample_rate,
        .fill = (int64_t)ring_fill(&stream->ring),
        .target = fill_target(stream),
        .voices = source->voices ? source->voices(source->state) : 0,
        .polyphony = source->voices ? source->polyphony(source->state) : 0,
    };
    int before = stream->governor.allowed, allowed = governor_step(&stream->governor, &chunk);
    if (before || stream->governor.allowed)
        source->limit(source->state, allowed);
    atomic_store_explicit(&stream->load, stream->governor.load, memory_order_relaxed);
    atomic_store_explicit(&stream->limit, stream->governor.allowed, memory_order_relaxed);
    set(&stream->limited, stream->governor.actions);
}

static void render_chunk(stream_t *stream, int frames) {
    const stream_source_t *source = &stream->options.source;
    int64_t start_ns = clock_now_ns();
    source->render(source->state, stream->chunk, frames);
    int64_t spent_ns = clock_now_ns() - start_ns;
    ring_write(&stream->ring, stream->chunk, frames);
    add(&stream->busy_ns, spent_ns);
    note_time(stream->chunks, spent_ns);
    govern(stream, spent_ns, frames);
}

void stream_produce(stream_t *stream) {
    set(&stream->producer_tid, thread_id());
    atomic_store(&stream->priority, thread_raise_priority());
    denormals_t before = denormals_flush();
    while (atomic_load(&stream->running)) {
        int64_t target = fill_target(stream), fill = (int64_t)ring_fill(&stream->ring), wanted = target - fill;
        bool short_of_time = stream->governor.struck || fill < target / 2; /* what is done counts at once */
        int most = short_of_time ? CHUNK_FRAMES_MIN : stream->chunk_frames;
        if (wanted > 0)
            render_chunk(stream, (int)at_most(wanted, most));
        else
            doorbell_wait(&stream->room);
    }
    denormals_restore(before);
}

/* ---- callback ---- */

static void start_tail(stream_t *stream) {
    stream->tail_level = stream->last;
    stream->tail_left = STREAM_FADE_FRAMES;
    stream->rise_left = 0;
}

/* Take up to `frames` from the ring into the slice; returns how many sound.
   After starving, what is rendered late is played late: live commands apply to the next frame rendered, so the ring's
   target fill remains their delay. Half of it must be there to go on, or every block of an overload would break off. */
static int take(stream_t *stream, int frames) {
    int64_t fill = (int64_t)ring_fill(&stream->ring), target = fill_target(stream);
    if (atomic_load_explicit(&stream->closing, memory_order_relaxed) && stream->phase != CLOSED) {
        if (stream->phase == PLAYING)
            start_tail(stream);
        stream->phase = CLOSED;
    }
    if (stream->phase == WAITING && fill >= target) {
        stream->phase = PLAYING;
    } else if (stream->phase == STARVING && fill >= target / 2) {
        stream->phase = PLAYING;
        stream->rise_left = STREAM_FADE_FRAMES;
    }
    int taken = stream->phase == PLAYING ? (int)ring_read(&stream->ring, stream->slice, frames) : 0;
    if (stream->phase == PLAYING || stream->phase == STARVING)
        add(&stream->starved_frames, frames - taken);
    return taken;
}

/* Shape the first `taken` samples of the slice, and fill it to `frames`, so that no edge clicks. */
static void fade(stream_t *stream, int taken, int frames) {
    float *slice = stream->slice;
    for (int i = 0; i < frames; i++) {
        if (i >= taken) {
            if (stream->phase == PLAYING) {
                stream->phase = STARVING;
                start_tail(stream);
            }
            slice[i] = 0.0f;
        } else if (stream->rise_left > 0) {
            slice[i] *= 1.0f - (float)stream->rise_left-- / (STREAM_FADE_FRAMES + 1);
        }
        if (stream->tail_left > 0)
            slice[i] += stream->tail_level * (float)--stream->tail_left / STREAM_FADE_FRAMES;
        stream->last = slice[i];
    }
}

static void record(stream_t *stream, int frames) {
    if (stream->options.record_frames) {
        size_t kept = ring_write(&stream->recording, stream->slice, frames);
        add(&stream->record_dropped_frames, frames - (int64_t)kept);
    }
}

static void meter(stream_t *stream, int frames) {
    float_bits_t peak = {.bits = atomic_load_explicit(&stream->peak_bits, memory_order_relaxed)};
    for (int i = 0; i < frames; i++)
        peak.value = fmaxf(peak.value, fabsf(stream->slice[i]));
    atomic_store_explicit(&stream->peak_bits, peak.bits, memory_order_relaxed);
}

static void play_slice(stream_t *stream, float *output, int frames) {
    int taken = take(stream, frames);
    int sent = stream->phase == WAITING ? 0 : stream->phase == CLOSED ? stream->tail_left : frames;
    sent = (int)at_most(sent, frames);
    fade(stream, taken, frames);
    record(stream, sent);
    meter(stream, sent);
    add(&stream->frames, sent);
    for (int i = 0; i < frames; i++)
        for (int channel = 0; channel < stream->options.channels; channel++)
            *output++ = stream->slice[i];
    if (stream->phase == CLOSED && stream->tail_left == 0)
        atomic_store(&stream->silent, true);
}

/* When music plays: how full the ring is as the callback comes. */
static void note_fill(stream_t *stream) {
    if (stream->phase != PLAYING)
        return;
    int64_t fill = (int64_t)ring_fill(&stream->ring), lowest = get(&stream->lowest_fill_frames);
    set(&stream->lowest_fill_frames, lowest < 0 ? fill : at_most(fill, lowest));
    long long fresh = get(&stream->fresh_lowest_fill_frames);
    long long lower = fresh < 0 ? fill : at_most(fill, fresh);
    if (!atomic_compare_exchange_strong(&stream->fresh_lowest_fill_frames, &fresh, lower))
        set(&stream->fresh_lowest_fill_frames, fill); /* it was taken just now */
}

int rtwave_stream_callback(const void *input, void *output, unsigned long frames, const void *time_info,
                           unsigned long status, void *user_data) {
    (void)input;
    stream_t *stream = user_data;
    const jack_cycle_t *cycle = time_info;
    int64_t start_ns = clock_now_ns();
    denormals_t before = denormals_flush();
    set(&stream->last_callback_ns, start_ns);
    add(&stream->callbacks, 1);
    add(&stream->underflows, (status & HOST_UNDERFLOW) != 0);
    int64_t block = at_least(get(&stream->host_block_frames), (int64_t)frames);
    set(&stream->host_block_frames, at_most(block, HOST_BLOCK_MAX));
    note_fill(stream);
    int64_t position = (int64_t)ring_taken(&stream->ring);
    if (cycle)
        timeline_set(&stream->timeline, cycle->start_ns, position, cycle->frame_ns);
    else if (frames)
        timeline_mark(&stream->timeline, start_ns, position, (int64_t)frames, stream->options.sample_rate);
    float *target = output;
    for (unsigned long done = 0; done < frames;) {
        int slice = (int)at_most((int64_t)(frames - done), SLICE_FRAMES);
        play_slice(stream, target, slice);
        target += (size_t)slice * stream->options.channels;
        done += slice;
    }
    doorbell_ring(&stream->room);
    denormals_restore(before);
    note_time(stream->callback_times, clock_now_ns() - start_ns);
    return 0; /* paContinue */
}

void stream_clock(stream_t *stream, int block_frames) {
    float *output = calloc((size_t)block_frames * stream->options.channels, sizeof(float));
    int64_t rate = stream->options.sample_rate, block_ns = block_frames * INT64_C(1000000000) / rate;
    thread_raise_priority();
    set(&stream->host_block_frames, 0); /* of the device that was there before */
    int64_t start_ns = clock_now_ns();
    for (int64_t frame = 0; output && atomic_load(&stream->running) && !atomic_load(&stream->clock_ended);
         frame += block_frames) {
        /* Whole seconds apart, so that hours neither overflow nor drift. */
        int64_t due_ns = start_ns + frame / rate * 1000000000 + frame % rate * 1000000000 / rate;
        clock_sleep_until(due_ns);
        int64_t late_ns = clock_now_ns() - due_ns;
        bool missed = late_ns > block_ns; /* as a sound card would: mark it and go on from here */
        if (missed)
            start_ns += late_ns;
        rtwave_stream_callback(NULL, output, block_frames, NULL, missed ? HOST_UNDERFLOW : 0, stream);
    }
    set(&stream->host_block_frames, 0);
    atomic_store(&stream->clock_ended, false);
    free(output);
}

/* ---- from any thread ---- */

void stream_fade_out(stream_t *stream) { atomic_store(&stream->closing, true); }
int stream_is_silent(const stream_t *stream) { return atomic_load((atomic_bool *)&stream->silent); }

void stream_stop(stream_t *stream) {
    atomic_store(&stream->running, false);
    doorbell_ring(&stream->room);
}

void stream_end_clock(stream_t *stream) { atomic_store(&stream->clock_ended, true); }

void stream_set_target(stream_t *stream, int frames) {
    set(&stream->target_frames, at_most(at_least(frames, 1), (int64_t)stream->ring.capacity));
    doorbell_ring(&stream->room);
}

int64_t stream_take_lowest_fill(stream_t *stream) { return atomic_exchange(&stream->fresh_lowest_fill_frames, -1); }

double stream_frame_at(stream_t *stream, int64_t time_ns) {
    double frame, rendered = (double)ring_given(&stream->ring);
    if (!timeline_frame_at(&stream->timeline, time_ns, &frame))
        frame = rendered;
    return (double)stream->options.first_frame + fmin(frame, rendered);
}

size_t stream_take_recording(stream_t *stream, float *output, size_t frames) {
    return ring_read(&stream->recording, output, frames);
}

float stream_take_peak(stream_t *stream) {
    float_bits_t peak = {.bits = atomic_exchange(&stream->peak_bits, 0)};
    return peak.value;
}

void stream_counters(const stream_t *stream, stream_counters_t *counters) {
    *counters = (stream_counters_t){
        .callbacks = get(&stream->callbacks),
        .frames = get(&stream->frames),
        .underflows = get(&stream->underflows),
        .starved_frames = get(&stream->starved_frames),
        .lowest_fill_frames = get(&stream->lowest_fill_frames),
        .target_frames = fill_target(stream),
        .record_dropped_frames = get(&stream->record_dropped_frames),
        .busy_ns = get(&stream->busy_ns),
        .last_callback_ns = get(&stream->last_callback_ns),
        .now_ns = clock_now_ns(),
        .load = atomic_load((_Atomic double *)&stream->load),
        .limit = atomic_load((atomic_int *)&stream->limit),
        .limited = get(&stream->limited),
        .producer_tid = get(&stream->producer_tid),
        .priority = atomic_load((atomic_int *)&stream->priority),
        .memory_locked = stream->memory_locked,
    };
    for (int i = 0; i < STREAM_TIME_BUCKETS; i++) {
        counters->chunks[i] = get(&stream->chunks[i]);
        counters->callback_times[i] = get(&stream->callback_times[i]);
    }
}
