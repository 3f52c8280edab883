/* When each frame leaves: a delay-locked loop over callback times, so that their jitter reaches nobody.
   F. Adriaensen, "Using a DLL to filter time" (Linux Audio Conference, 2005). */
#ifndef RTWAVE_TIMELINE_H
#define RTWAVE_TIMELINE_H

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_BANDWIDTH_HZ 1.0
#define TIMELINE_FIRST_BANDWIDTH_HZ 8.0 /* the first callback may have been a late one */
#define TIMELINE_LOST_NS 50e6 /* further off, the device stood still: begin anew */
#define TIMELINE_ASTRAY_BLOCKS 0.4
/* So many in a row so far off, to one side: the device lost time, and goes on. Of several at once only one counts: a
   device that was held up catches up like this, and one with larger blocks than it was asked for always calls so. */
enum { TIMELINE_ASTRAY_CALLBACKS = 4 };

/* One thread marks, any thread asks. Readers see three values that belong together, by `sequence`: odd while written. */
typedef struct {
    double due_ns, frame_ns, bandwidth_hz; /* the marking thread's own: of the next callback; of one frame */
    double called_ns; /* when the last callback came */
    double astray_ns; /* the least that the callbacks of a row are off */
    int astray;
    bool locked;
    atomic_uint sequence;
    _Atomic double time_ns, position, frames_per_ns; /* frame `position` leaves at `time_ns`; 0 frames: not known yet */
} timeline_t;

static inline void timeline_publish(timeline_t *timeline, double time_ns, double position) {
    unsigned sequence = atomic_load_explicit(&timeline->sequence, memory_order_relaxed);
    atomic_store_explicit(&timeline->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&timeline->time_ns, time_ns, memory_order_relaxed);
    atomic_store_explicit(&timeline->position, position, memory_order_relaxed);
    atomic_store_explicit(&timeline->frames_per_ns, 1.0 / timeline->frame_ns, memory_order_relaxed);
    atomic_store_explicit(&timeline->sequence, sequence + 2, memory_order_release);
}

/* Time that the device has lost (or found), once it is sure that this is not jitter; else 0. */
static inline double timeline_step_ns(timeline_t *timeline, double late_ns, double since_ns, double block_ns) {
    if (fabs(late_ns) < TIMELINE_ASTRAY_BLOCKS * block_ns) {
        timeline->astray = 0;
        return 0.0;
    }
    if ((late_ns > 0.0) != (timeline->astray_ns > 0.0))
        timeline->astray = 0;
    if (timeline->astray == 0 || fabs(late_ns) < fabs(timeline->astray_ns))
        timeline->astray_ns = late_ns;
    if (since_ns < 0.5 * block_ns || ++timeline->astray < TIMELINE_ASTRAY_CALLBACKS)
        return 0.0;
    timeline->astray = 0;
    return timeline->astray_ns;
}

/* A callback that came at `now_ns` sends `frames` from `position` on, nominally at `rate` Hz. */
static inline void timeline_mark(timeline_t *timeline, int64_t now_ns, int64_t position, int64_t frames, int rate) {
    double late_ns = (double)now_ns - timeline->due_ns, block_ns = frames * 1e9 / rate;
    if (!timeline->locked || fabs(late_ns) > fmax(TIMELINE_LOST_NS, 4.0 * block_ns)) {
        timeline->locked = true;
        timeline->bandwidth_hz = TIMELINE_FIRST_BANDWIDTH_HZ;
        timeline->due_ns = (double)now_ns;
        timeline->frame_ns = 1e9 / rate;
        late_ns = 0.0;
    }
    double step_ns = timeline_step_ns(timeline, late_ns, (double)now_ns - timeline->called_ns, block_ns);
    timeline->called_ns = (double)now_ns;
    timeline->due_ns += step_ns;
    late_ns -= step_ns;
    double omega = fmin(6.283185307179586 * timeline->bandwidth_hz * block_ns * 1e-9, 0.5);
    timeline_publish(timeline, timeline->due_ns, (double)position);
    timeline->due_ns += 1.4142135623730951 * omega * late_ns + frames * timeline->frame_ns;
    timeline->frame_ns += omega * omega * late_ns / frames;
    timeline->bandwidth_hz += (TIMELINE_BANDWIDTH_HZ - timeline->bandwidth_hz) * omega / 4.0;
}

/* The same where the device itself tells when the block starts, without jitter, and how long a frame takes. */
static inline void timeline_set(timeline_t *timeline, int64_t start_ns, int64_t position, double frame_ns) {
    timeline->frame_ns = frame_ns;
    timeline->locked = false;
    timeline_publish(timeline, (double)start_ns, (double)position);
}

/* The frame that leaves at `time_ns`; false before the first callback. */
static inline bool timeline_frame_at(timeline_t *timeline, int64_t time_ns, double *frame) {
    unsigned before, after;
    double known_ns, position, frames_per_ns;
    do {
        before = atomic_load_explicit(&timeline->sequence, memory_order_acquire);
        known_ns = atomic_load_explicit(&timeline->time_ns, memory_order_relaxed);
        position = atomic_load_explicit(&timeline->position, memory_order_relaxed);
        frames_per_ns = atomic_load_explicit(&timeline->frames_per_ns, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&timeline->sequence, memory_order_relaxed);
    } while (before % 2 || before != after);
    *frame = position + ((double)time_ns - known_ns) * frames_per_ns;
    return before != 0;
}

#endif
