/* What all that works on a shard shares: the clock of its space, and waking its owner. */
#include "table/shard.h"

#include <assert.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One clock for all shards: no two stamps of a process are the same, so a stamp can name a batch
 * (batch_log.h). It is never below the wall clock, and goes ahead of it when more stamps are asked
 * for than microseconds pass. */
int64_t space_stamp_us(struct table_space *space, int64_t at_least_us)
{
    int64_t last = atomic_load_explicit(&space->clock_us, memory_order_relaxed), next;

    do {
        next = space_realtime_us(space);
        if (next <= last)
            next = last + 1;
        if (next <= at_least_us)
            next = at_least_us + 1;
    } while (!atomic_compare_exchange_weak_explicit(&space->clock_us, &last, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    assert(next > last && next > at_least_us);
    return next;
}

/* For who pushes no request but wants the owner to look round. The exchange pairs with the owner's:
 * see sleep_until_work. */
void shard_wake(struct shard *shard)
{
    atomic_exchange(&shard->sleeps, 0);
    syscall(SYS_futex, &shard->sleeps, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
