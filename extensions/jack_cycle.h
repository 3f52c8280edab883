/* When a JACK period starts, on the monotonic clock. JACK smooths these moments, and every client reads the same ones: an
   event of one client and the sound of another are told apart to the frame, whatever each was late. */
#ifndef RTWAVE_JACK_CYCLE_H
#define RTWAVE_JACK_CYCLE_H

#include <stdint.h>

#include "realtime.h"

enum { JACK_LATEST_US = 100000 };

typedef int (*jack_get_cycle_times_t)(const void *client, uint32_t *frame, uint64_t *start_us, uint64_t *next_us,
                                      float *period_us);
typedef uint64_t (*jack_get_time_t)(void);

typedef struct {
    int64_t start_ns;
    double frame_ns; /* of one frame, by JACK's clock */
} jack_cycle_t;

/* Of the period that a process callback has been called for. */
static inline jack_cycle_t jack_cycle(const void *client, jack_get_cycle_times_t get_cycle_times,
                                      jack_get_time_t get_time, uint32_t frames) {
    int64_t now_ns = clock_now_ns();
    uint64_t now_us = get_time(), start_us = now_us, next_us = now_us;
    uint32_t frame;
    float period_us;
    get_cycle_times(client, &frame, &start_us, &next_us, &period_us);
    int64_t late_us = (int64_t)now_us - (int64_t)start_us;
    if (late_us < -JACK_LATEST_US || late_us > JACK_LATEST_US) /* JACK has lost its way */
        late_us = 0;
    return (jack_cycle_t){now_ns - late_us * 1000, 1000.0 * (double)((int64_t)next_us - (int64_t)start_us) / frames};
}

#endif
