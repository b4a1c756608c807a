/* base/clock.h: what time it is. A clock is passed in, so that a test can bring its own.
 *
 * Shapes:  microseconds. Real time counts since 1970 and may jump; monotonic time has no zero and never runs backwards.
 * Thread:  clock_system: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*realtime_us)(const struct clock *self);
    int64_t (*monotonic_us)(const struct clock *self);
    void *context; /* the body's own */
};

extern const struct clock clock_system;

static inline int64_t clock_realtime_us(const struct clock *clock)
{
    return clock->realtime_us(clock);
}

/* The same for who takes a function and its context: clock is a struct clock. */
int64_t clock_now_us(void *clock);

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock);
}

#endif
