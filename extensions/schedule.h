/* Commands waiting for their frame: a binary heap in fixed memory, earliest first, equal frames in order of arrival. */

#ifndef RTWAVE_SCHEDULE_H
#define RTWAVE_SCHEDULE_H

#include "engine.h"

/* Room for those that have a frame of their own, and beyond it for as many without, which never wait. */
enum { SCHEDULE_TIMED = 2 * QUEUE_CAPACITY, SCHEDULE_CAPACITY = SCHEDULE_TIMED + QUEUE_CAPACITY };

typedef struct {
    command_t command;
    int64_t frame; /* where it comes */
    uint64_t order;
} scheduled_t;

typedef struct {
    scheduled_t slots[SCHEDULE_CAPACITY];
    int count;
    uint64_t arrivals;
} schedule_t;

static inline bool schedule_before(const scheduled_t *a, const scheduled_t *b)
{
    return a->frame != b->frame ? a->frame < b->frame : a->order < b->order;
}

static inline bool schedule_full(const schedule_t *schedule)
{
    return schedule->count == SCHEDULE_CAPACITY;
}

/* The schedule must not be full. A command for now, or for a frame before, comes at frame `now`. */
static inline void schedule_add(schedule_t *schedule, const command_t *command, int64_t now)
{
    scheduled_t added = {*command, command->at > now ? command->at : now, schedule->arrivals++};
    int hole = schedule->count++;
    for (; hole > 0 && schedule_before(&added, &schedule->slots[(hole - 1) / 2]); hole = (hole - 1) / 2)
        schedule->slots[hole] = schedule->slots[(hole - 1) / 2];
    schedule->slots[hole] = added;
}

/* The earliest command's frame; INT64_MAX when there is none. */
static inline int64_t schedule_next(const schedule_t *schedule)
{
    return schedule->count ? schedule->slots[0].frame : INT64_MAX;
}

/* Take the earliest command if its frame has come. */
static inline bool schedule_take(schedule_t *schedule, int64_t frame, command_t *command)
{
    if (schedule_next(schedule) > frame)
        return false;
    *command = schedule->slots[0].command;
    scheduled_t last = schedule->slots[--schedule->count];
    int hole = 0;
    for (int child = 1; child < schedule->count; child = 2 * hole + 1) {
        if (child + 1 < schedule->count && schedule_before(&schedule->slots[child + 1], &schedule->slots[child]))
            child++;
        if (!schedule_before(&schedule->slots[child], &last))
            break;
        schedule->slots[hole] = schedule->slots[child];
        hole = child;
    }
    schedule->slots[hole] = last;
    return true;
}

#endif
