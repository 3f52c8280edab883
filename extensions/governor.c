#include "governor.h"

#include <math.h>

#define LOAD_TIME_S 0.1
#define LOAD_MOST 4.0      /* a chunk held up for long counts no more than this in the average */
#define LOAD_LEFT 0.85     /* of real time, after shedding */
#define LOAD_WITH_ONE 0.92 /* at most, with one voice more, to let it in */
#define LOAD_STRUCK 1.25   /* so much, right after a chord, that there is no time to wait */
#define LOAD_EASY 0.7      /* below this there is no doubt */
#define FADE_S 0.005       /* a shed voice's own, and a chunk */
#define PATIENCE_S 0.5
#define PATIENCE_EASY_S 0.1
#define PATIENCE_MOST_S 16.0
#define TRIAL_S 2.0       /* overload so soon after a voice came back: it was that voice */
#define FORGETTING_S 60.0 /* what a voice cost counts for so long while so many are not heard */

static double smoothing(double elapsed_s, double time_s) { return fmin(elapsed_s / time_s, 1.0); }

/* What to bring down to LOAD_LEFT now; 0: nothing. */
static double overload(const governor_t *governor, const governor_chunk_t *chunk, double load) {
    double fullness = (double)chunk->fill / (double)chunk->target, lasting = fmin(load, governor->chunk_load);
    if (chunk->voices <= 1 || governor->settling_s > 0.0)
        return 0.0;
    if (fullness < 0.75 && lasting > 1.0)
        return lasting;
    if (fullness < 0.9 && lasting > LOAD_STRUCK && governor->struck)
        return lasting;
    if (fullness < 0.5 && governor->load > 1.0)
        return governor->load;
    return 0.0;
}

static void shed(governor_t *governor, int voices, double load) {
    int affordable = (int)(voices * LOAD_LEFT / load);
    affordable = affordable < voices ? affordable : voices - 1;
    affordable = affordable > 1 ? affordable : 1;
    bool failed = governor->raised && governor->calm_s < TRIAL_S;
    governor->patience_s = failed ? fmin(2.0 * governor->patience_s, PATIENCE_MOST_S) : PATIENCE_S;
    governor->allowed = affordable;
    governor->raised = false;
    governor->cost = load / voices;
    governor->load = fmin(governor->load, governor->cost * affordable);
    governor->settling_s = FADE_S;
    governor->calm_s = 0.0;
    governor->actions++;
}

/* With all voices sounding that may, a voice costs what it does now; with fewer, surely no more than that. */
static void learn_cost(governor_t *governor, int voices, double load, double audio_s) {
    double each = fmin(load, LOAD_MOST) / (voices > 1 ? voices : 1);
    if (voices > 0 && governor->settling_s <= 0.0 && (voices >= governor->allowed || each < governor->cost))
        governor->cost += smoothing(audio_s, LOAD_TIME_S) * (each - governor->cost);
    else
        governor->cost -= smoothing(audio_s, FORGETTING_S) * governor->cost;
}

static void recover(governor_t *governor, int polyphony, double audio_s) {
    governor->calm_s += audio_s;
    double with_one = governor->cost * (governor->allowed + 1);
    double patience_s = with_one < LOAD_EASY ? PATIENCE_EASY_S : governor->patience_s;
    if (governor->calm_s < patience_s || with_one > LOAD_WITH_ONE || governor->load > LOAD_WITH_ONE)
        return;
    governor->allowed++;
    governor->raised = true;
    governor->calm_s = 0.0;
    if (governor->allowed >= polyphony)
        governor->allowed = 0;
}

int governor_step(governor_t *governor, const governor_chunk_t *chunk) {
    double audio_s = (double)chunk->audio_ns * 1e-9, load = (double)chunk->spent_ns / (double)chunk->audio_ns;
    governor->load += smoothing(audio_s, LOAD_TIME_S) * (fmin(load, LOAD_MOST) - governor->load);
    governor->settling_s = fmax(governor->settling_s - audio_s, 0.0);
    double too_much = overload(governor, chunk, load);
    if (too_much > 0.0) {
        shed(governor, chunk->voices, too_much);
    } else if (governor->allowed) {
        learn_cost(governor, chunk->voices, load, audio_s);
        recover(governor, chunk->polyphony, audio_s);
    }
    governor->struck = chunk->voices > governor->voices;
    governor->chunk_load = load;
    governor->voices = chunk->voices;
    return governor->allowed ? governor->allowed : chunk->polyphony;
}
