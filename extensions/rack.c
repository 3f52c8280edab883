#define _GNU_SOURCE
#include "rack.h"

#include <math.h>
#include <stdatomic.h>

#include "denormals.h"
#include "memory.h"
#include "queue.h"
#include "realtime.h"
#include "resampler.h"

enum {
    CHUNK_FRAMES = 256, /* at most, of the rack's frames and of an engine's */
    ORDERS = 2 * RACK_PLACES, /* each place is joined and left once before it is free again */
};

#define FADE_S 0.005

typedef struct {
    engine_t *engine; /* NULL: the place is free */
    resampler_t *resampler;
    int voices;
    int fade_left; /* frames; -1 while it plays on */
    _Atomic int64_t heard;
} rack_place_t;

typedef struct {
    bool joins; /* else it leaves */
    int place;
    int64_t frame;
} order_t;

struct rack {
    int sample_rate, fade_frames;
    bool memory_locked;
    rack_place_t places[RACK_PLACES];
    queue_t orders, notices;
    _Atomic int64_t frame;
    /* The renderer's own. */
    order_t waiting[ORDERS]; /* in order of arrival */
    int waiting_count;
    int playing[RACK_PLACES]; /* places in order of joining: so they are summed */
    int playing_count;
    int64_t now;
    float chunk[CHUNK_FRAMES], model_chunk[CHUNK_FRAMES];
};

static int at_most(int64_t value, int limit) { return value < limit ? (int)value : limit; }
static int at_least(int value, int limit) { return value > limit ? value : limit; }

/* ---- from the thread that joins and lets leave ---- */

rack_t *rack_create(int sample_rate) {
    rack_t *rack = memory_allocate(sizeof *rack);
    if (!rack)
        return NULL;
    rack->sample_rate = sample_rate;
    rack->fade_frames = at_least((int)(FADE_S * sample_rate), 1);
    rack->memory_locked = memory_lock(rack, sizeof *rack);
    if (!queue_create(&rack->orders, sizeof(order_t), ORDERS)
        || !queue_create(&rack->notices, sizeof(rack_notice_t), 2 * ORDERS)) {
        rack_destroy(rack);
        return NULL;
    }
    return rack;
}

void rack_destroy(rack_t *rack) {
    if (!rack)
        return;
    for (int i = 0; i < RACK_PLACES; i++)
        resampler_destroy(rack->places[i].resampler);
    queue_destroy(&rack->orders);
    queue_destroy(&rack->notices);
    memory_free(rack);
}

bool rack_memory_locked(const rack_t *rack) { return rack->memory_locked; }

int rack_join(rack_t *rack, engine_t *engine, int voices, int64_t frame) {
    int free_place = 0;
    while (free_place < RACK_PLACES && rack->places[free_place].engine)
        free_place++;
    if (free_place == RACK_PLACES)
        return -1;
    rack_place_t *place = &rack->places[free_place];
    place->resampler = resampler_create(engine_sample_rate(engine), rack->sample_rate);
    if (!place->resampler)
        return -2;
    rack->memory_locked &= resampler_lock(place->resampler);
    place->engine = engine;
    place->voices = voices;
    place->fade_left = -1;
    atomic_store(&place->heard, INT64_MAX); /* until it joins */
    order_t order = {.joins = true, .place = free_place, .frame = frame};
    queue_push(&rack->orders, &order, 1);
    return free_place;
}

void rack_leave(rack_t *rack, int place, int64_t frame) {
    order_t order = {.joins = false, .place = place, .frame = frame};
    queue_push(&rack->orders, &order, 1);
}

bool rack_take_notice(rack_t *rack, rack_notice_t *notice) {
    if (!queue_pop(&rack->notices, notice))
        return false;
    if (notice->what == RACK_LEFT) {
        rack_place_t *place = &rack->places[notice->place];
        resampler_destroy(place->resampler);
        place->resampler = NULL;
        place->engine = NULL;
    }
    return true;
}

int64_t rack_frame(const rack_t *rack) { return atomic_load_explicit(&rack->frame, memory_order_acquire); }

int64_t rack_heard(const rack_t *rack, int place) {
    return atomic_load_explicit(&rack->places[place].heard, memory_order_relaxed);
}

/* ---- rendering ---- */

static void notify(rack_t *rack, int what, int place) {
    rack_notice_t notice = {what, place, rack->now};
    queue_push(&rack->notices, &notice, 1); /* never full: a place tells two, and is only then used again */
}

static void obey(rack_t *rack, const order_t *order) {
    rack_place_t *place = &rack->places[order->place];
    if (order->joins) {
        rack->playing[rack->playing_count++] = order->place;
        atomic_store_explicit(&place->heard, rack->now, memory_order_relaxed);
        notify(rack, RACK_JOINED, order->place);
    } else {
        place->fade_left = rack->fade_frames;
    }
}

/* Obey the orders whose frame has come; the next one's frame. */
static int64_t obey_orders(rack_t *rack) {
    while (rack->waiting_count < ORDERS && queue_pop(&rack->orders, &rack->waiting[rack->waiting_count]))
        rack->waiting_count++;
    int64_t next = INT64_MAX;
    int kept = 0;
    for (int i = 0; i < rack->waiting_count; i++) {
        order_t order = rack->waiting[i];
        if (order.frame <= rack->now) {
            obey(rack, &order);
        } else {
            next = order.frame < next ? order.frame : next;
            rack->waiting[kept++] = order;
        }
    }
    rack->waiting_count = kept;
    return next;
}

static void render_engine(rack_t *rack, rack_place_t *place, float *out, int frames) {
    if (engine_sample_rate(place->engine) == rack->sample_rate) {
        engine_render(place->engine, out, frames);
        return;
    }
    for (long long needed; (needed = resampler_needed(place->resampler, frames)) > 0;) {
        int count = at_most(needed, CHUNK_FRAMES);
        engine_render(place->engine, rack->model_chunk, count);
        resampler_feed(place->resampler, rack->model_chunk, count);
    }
    resampler_read(place->resampler, out, frames);
}

static void render_place(rack_t *rack, rack_place_t *place, float *out, int frames) {
    render_engine(rack, place, out, frames);
    bool heard = false;
    for (int i = 0; i < frames; i++)
        heard |= out[i] != 0.0f;
    if (heard)
        atomic_store_explicit(&place->heard, rack->now + frames, memory_order_relaxed);
    if (place->fade_left < 0)
        return;
    for (int i = 0; i < frames; i++) {
        place->fade_left = at_least(place->fade_left - 1, 0);
        out[i] *= (float)place->fade_left / (float)rack->fade_frames;
    }
}

static void remove_faded(rack_t *rack) {
    int kept = 0;
    for (int i = 0; i < rack->playing_count; i++) {
        int place = rack->playing[i];
        if (rack->places[place].fade_left == 0)
            notify(rack, RACK_LEFT, place);
        else
            rack->playing[kept++] = place;
    }
    rack->playing_count = kept;
}

static void render_chunk(rack_t *rack, float *out, int frames) {
    if (rack->playing_count == 0)
        memset(out, 0, frames * sizeof *out);
    for (int i = 0; i < rack->playing_count; i++) {
        render_place(rack, &rack->places[rack->playing[i]], i ? rack->chunk : out, frames);
        for (int k = 0; i && k < frames; k++)
            out[k] += rack->chunk[k];
    }
    for (int k = 0; rack->playing_count > 1 && k < frames; k++)
        out[k] = fminf(fmaxf(out[k], -1.0f), 1.0f);
}

void rack_render(void *state, float *out, int frames) {
    rack_t *rack = state;
    denormals_t before = denormals_flush();
    for (int done = 0, chunk; done < frames; done += chunk) {
        int64_t quiet = obey_orders(rack) - rack->now;
        chunk = at_most(quiet, at_most(frames - done, CHUNK_FRAMES));
        render_chunk(rack, out + done, chunk);
        rack->now += chunk;
        remove_faded(rack);
    }
    atomic_store_explicit(&rack->frame, rack->now, memory_order_release);
    denormals_restore(before);
}

/* ---- voices ---- */

static rack_place_t *playing_place(rack_t *rack, int i) { return &rack->places[rack->playing[i]]; }

int rack_voices(void *state) {
    rack_t *rack = state;
    int voices = 0;
    for (int i = 0; i < rack->playing_count; i++)
        voices += engine_active_voices(playing_place(rack, i)->engine);
    return voices;
}

int rack_polyphony(void *state) {
    rack_t *rack = state;
    int voices = 0;
    for (int i = 0; i < rack->playing_count; i++) {
        rack_place_t *place = playing_place(rack, i);
        bool newest = i == rack->playing_count - 1;
        voices += newest ? place->voices : engine_active_voices(place->engine); /* only the newest starts notes */
    }
    return voices;
}

static void limit_engine(engine_t *engine, int voices) {
    if (voices != engine_limit_now(engine))
        engine_limit(engine, voices);
}

void rack_limit(void *state, int voices) {
    rack_t *rack = state;
    int excess = at_least(rack_voices(rack) - voices, 0), left = voices;
    for (int i = 0; i < rack->playing_count; i++) {
        rack_place_t *place = playing_place(rack, i);
        if (i == rack->playing_count - 1) {
            limit_engine(place->engine, at_most(at_least(left, 1), place->voices));
        } else {
            int active = engine_active_voices(place->engine), kept = at_most(active, at_least(active - excess, 1));
            if (kept < active)
                limit_engine(place->engine, kept);
            excess -= active - kept;
            left -= kept;
        }
    }
}
