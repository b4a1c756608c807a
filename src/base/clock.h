/* base/clock.h: what time it is, and waiting for a time. A clock is passed down, so that a test can bring its own; nobody asks the machine.
 *
 * Shapes:  microseconds. Real time counts since 1970 and may jump; monotonic time has no zero and never runs backwards. What must not
 *          jump is measured and waited for in monotonic time; what rows and operators see is real time.
 * Thread:  any, of all clocks here.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
typedef uint32_t clock_word; /* nothing in C++ waits for one */
#else
typedef _Atomic uint32_t clock_word;
#endif

struct clock {
    int64_t (*realtime_us)(const struct clock *self);
    int64_t (*monotonic_us)(const struct clock *self);
    /* As pthread_cond_wait, which may return for no reason, but not beyond until_us (monotonic). False: it is that late. */
    bool (*wait)(const struct clock *self, pthread_cond_t *changed, pthread_mutex_t *lock, int64_t until_us);
    /* The same for a futex of this process: while *word is value, at most until then; CLOCK_FOR_EVER: for as long as it takes. */
    void (*wait_word)(const struct clock *self, clock_word *word, uint32_t value, int64_t until_us);
};
#define CLOCK_FOR_EVER INT64_MAX

/* The machine's. */
extern const struct clock clock_system;

#ifndef __cplusplus
/* The machine's, with real time moved ahead as far as it was told: what time brings can be seen without waiting for it. */
struct clock_ahead {
    struct clock base; /* first */
    _Atomic int64_t ahead_us;
};
void clock_ahead_init(struct clock_ahead *clock);
/* Adds to how far it is ahead; by_us is not negative. False: too far, nothing was done. */
bool clock_ahead_advance(struct clock_ahead *clock, int64_t by_us);
#endif

static inline int64_t clock_realtime_us(const struct clock *clock)
{
    return clock->realtime_us(clock);
}

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock);
}

static inline bool clock_wait(const struct clock *clock, pthread_cond_t *changed, pthread_mutex_t *lock,
                              int64_t until_us)
{
    return clock->wait(clock, changed, lock, until_us);
}

static inline void clock_wait_word(const struct clock *clock, clock_word *word, uint32_t value, int64_t until_us)
{
    clock->wait_word(clock, word, value, until_us);
}

/* What this thread has had of the processors: no clock's, but the machine's. */
int64_t clock_thread_cpu_ns(void);

#ifdef __cplusplus
}
#endif

#endif
