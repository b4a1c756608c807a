#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_realtime_us(const struct clock *self)
{
    return read_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(const struct clock *self)
{
    return read_us(CLOCK_MONOTONIC);
}

const struct clock clock_system = { system_realtime_us, system_monotonic_us, NULL };

int64_t clock_now_us(void *clock)
{
    return clock_realtime_us(clock);
}
