/* The machine's time, and the machine's with real time moved ahead: the one place that asks the
 * kernel.
 *
 * Whoever needs a time is handed a clock, so that tests bring their own and `helenus clock
 * --advance` can show what time brings. Monotonic time is for deadlines and measuring, as it never
 * jumps; real time is for timestamps and TTLs, which other machines see too. */
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { US = 1000000 };
/* Ahead of 1970 by more, a time in nanoseconds would not fit: CQL's time and date functions know some of them. */
#define AHEAD_MAX_US (INT64_C(200) * 365 * 86400 * US)

/* Answered by the kernel's shared page without a system call, for both clocks that are asked for
 * here. */
static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * US + now.tv_nsec / 1000;
}

static int64_t system_realtime_us(const struct clock *self)
{
    return read_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(const struct clock *self)
{
    return read_us(CLOCK_MONOTONIC);
}

/* pthread_cond_timedwait would measure the deadline in real time, which may jump: a waiter could
 * then oversleep by hours. */
static bool system_wait(const struct clock *self, pthread_cond_t *changed, pthread_mutex_t *lock, int64_t until_us)
{
    struct timespec until = { until_us / US, until_us % US * 1000 };
    int failed;

    assert(until_us >= 0);
    failed = pthread_cond_clockwait(changed, lock, CLOCK_MONOTONIC, &until);
    /* Anything but these two would be our own mistake: a condition or a lock that isn't one. */
    assert(!failed || failed == ETIMEDOUT);
    return !failed;
}

/* The kernel compares the word with the value and goes to sleep in one step: a change between the
 * caller's look at it and this call is not missed. It may also wake without a change; who waits
 * looks again. */
static void system_wait_word(const struct clock *self, clock_word *word, uint32_t value, int64_t until_us)
{
    struct timespec until = { until_us / US, until_us % US * 1000 };

    assert(until_us >= 0);
    /* WAIT_BITSET takes a time of the monotonic clock, WAIT how long from now. */
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, until_us == CLOCK_FOR_EVER ? NULL : &until, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

const struct clock clock_system = { system_realtime_us, system_monotonic_us, system_wait, system_wait_word };

/* Of the calling thread: what a request has cost, apart from how long it waited. */
int64_t clock_thread_cpu_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (int64_t)spent.tv_sec * 1000 * US + spent.tv_nsec;
}

/* ---- ahead ---- */

/* Relaxed: the count is one number that orders nothing else. */
static int64_t ahead_realtime_us(const struct clock *self)
{
    return read_us(CLOCK_REALTIME) +
           atomic_load_explicit(&((struct clock_ahead *)self)->ahead_us, memory_order_relaxed);
}

/* Only real time is moved. Monotonic time stays the machine's, so that no deadline passes because
 * someone advanced the clock. */
void clock_ahead_init(struct clock_ahead *clock)
{
    clock->base = (struct clock){ ahead_realtime_us, system_monotonic_us, system_wait, system_wait_word };
    atomic_init(&clock->ahead_us, 0);
}

/* Never back: row timestamps and time UUIDs would come twice. The loop is for two operators who
 * advance at once: both steps must count. */
bool clock_ahead_advance(struct clock_ahead *clock, int64_t by_us)
{
    int64_t before = atomic_load(&clock->ahead_us);

    assert(by_us >= 0);
    do {
        assert(before >= 0 && before <= AHEAD_MAX_US);
        if (by_us > AHEAD_MAX_US - before)
            return false;
    } while (!atomic_compare_exchange_strong(&clock->ahead_us, &before, before + by_us));
    return true;
}
