/* A control on its way to where it was set: one pole, in closed form, so that it is the same at whatever frames it is
   asked for, and in the end exactly its target. */

#ifndef RTWAVE_GLIDE_H
#define RTWAVE_GLIDE_H

#include <math.h>
#include <stdint.h>

#define GLIDE_S 0.005       /* time constant */
#define GLIDE_SETTLED 16.0f /* time constants after which nothing is left of the way: 1e-7 of it */

typedef struct {
    float from, target;
    int64_t set_at; /* frame */
} glide_t;

/* The share of the way that is left so many frames after it began; `frames` are those of the time constant. */
static inline float glide_left(int64_t since, float frames)
{
    return (float)since < GLIDE_SETTLED * frames ? expf(-(float)since / frames) : 0.0f;
}

static inline float glide_at(const glide_t *glide, int64_t frame, float frames)
{
    return glide->target + (glide->from - glide->target) * glide_left(frame - glide->set_at, frames);
}

static inline void glide_set(glide_t *glide, float value, int64_t frame, float frames)
{
    if (value != glide->target)
        *glide = (glide_t){glide_at(glide, frame, frames), value, frame};
}

/* No way to go. */
static inline glide_t glide_settled(float value)
{
    return (glide_t){value, value, 0};
}

#endif
