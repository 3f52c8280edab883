/* The voices of an ensemble, rendered by a device: told a chunk ahead what they hear, finished when it is drawn.

   Telling and finishing go voice by voice, spread over the ensemble's threads; the device is asked in between. A device
   that has failed is asked no more: its voices are cut, softly, and those struck later say nothing. */

#ifndef RTWAVE_ENSEMBLE_DEVICE_H
#define RTWAVE_ENSEMBLE_DEVICE_H

#include <stdatomic.h>

#include "device.h"
#include "voice.h"

struct ensemble;

typedef struct {
    device_t *device;        /* NULL: the voices step themselves */
    _Atomic bool failed;     /* for good */
    bool telling;            /* what the threads are at: else finishing */
    device_chunk_t chunk;    /* as it is told; points into what follows */
    int32_t *slots;          /* (slots) */
    int *first;              /* (slots + 1): where the tellings of each active voice begin */
    device_told_t *tellings; /* (slots x DEVICE_TELLINGS), as are those below */
    period_t *periods;       /* what they change in how the voice sounds */
    float *conditioning, *phasors, *rotation;
    float *drawn;            /* (slots, DEVICE_FRAMES): NaN but for what is drawn and not yet finished */
    char *memory;            /* one block holds all of the above */
} rendering_t;

/* Fills zeroed memory; false when memory is out. */
bool rendering_create(rendering_t *rendering, device_t *device, const setting_t *setting, int slots);
void rendering_destroy(rendering_t *rendering);

/* Frames of a chunk, at most: no voice is told more than DEVICE_TELLINGS times in it. */
int rendering_longest(const setting_t *setting);

/* A chunk of the ensemble's active voices: `sound`, as if they had stepped themselves. */
void ensemble_render_on_device(struct ensemble *ensemble);

/* One share of that; any thread. */
void ensemble_device_share(void *ensemble, int share);

#endif
