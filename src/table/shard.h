/* table/shard.h: inside table/: what a space, its shards and ports consist of, and the rings between owners
 * and ports. It knows none of the files that work on them.
 *
 * Thread:  a ring has one producer and one consumer; what each side may touch is said at the fields.
 */
#ifndef TABLE_SHARD_H
#define TABLE_SHARD_H

#include "base/clock.h"
#include "base/buffer.h"
#include "store/store.h"
#include "table/layout.h"
#include "table/row_cache.h"
#include "table/table.h"

#include <pthread.h>
#include <time.h>

enum { RING_SLOTS = 4096 };

struct ring {
    struct table_request *slots[RING_SLOTS];
    _Alignas(64) _Atomic uint32_t head; /* the consumer's */
    _Alignas(64) _Atomic uint32_t tail; /* the producer's */
};

static inline uint32_t ring_count(struct ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_acquire) -
           atomic_load_explicit(&ring->head, memory_order_acquire);
}

static inline bool ring_push(struct ring *ring, struct table_request *request)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING_SLOTS)
        return false;
    ring->slots[tail % RING_SLOTS] = request;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

static inline struct table_request *ring_pop(struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    struct table_request *request;

    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
        return NULL;
    request = ring->slots[head % RING_SLOTS];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return request;
}

/* Of a flow, or some that share it: what is with the owner, and what waits in the port until some of that is
 * answered. */
enum { LINES = 64 };
struct line {
    struct table_request *first, *last; /* first NULL: none waits */
    uint32_t sent;
};

/* The two rings between one port and one shard. */
struct channel {
    struct ring to_owner;
    struct ring to_port;
    uint32_t pending;         /* the port's: submitted and not yet reaped; at most RING_SLOTS, so no ring overflows */
    struct line lines[LINES]; /* the port's */
};

/* Where the sweeper is (sweep.h): the owner's. */
struct sweep {
    struct buffer at;      /* where in the due list the round goes on: after this key, or at it */
    struct buffer laying;  /* the entry of the partition deletion that is being laid over its segments ... */
    struct buffer laid_to; /* ... up to this place */
    int64_t laid_us;       /* ... with this timestamp */
    int64_t next_us;       /* monotonic: when the owner looks again; INT64_MAX: the list is empty */
    int64_t earliest_s;    /* of the round: when the next entry will be due; INT64_MAX: none */
    uint32_t blocked;      /* of the round: entries that could not be swept ... */
    uint32_t failed;       /* ... of these, not for a row that can't be read, but for what they are */
    uint32_t told;         /* the most of these of a round that the log tells of */
    struct sweep_counts {
        uint32_t rows_deleted, rows_shrunk, tombstones, entries_dropped;
    } counts; /* of the step, which is not written yet */
};

/* What the sweeper did since the start: the owner's counters, read by any thread. */
struct swept {
    _Atomic uint64_t steps, rows_deleted, rows_shrunk, tombstones, entries_dropped;
    _Atomic uint32_t blocked, failed; /* in the last round */
    _Atomic int64_t next_due_s;       /* after the last round; 0: the due list was empty */
};

struct shard {
    struct table_space *space;
    uint32_t index;
    const struct store_ops *ops;
    struct store *store; /* owned */
    pthread_t owner;
    bool owner_runs;
    _Atomic uint32_t sleeps; /* futex: 1 while the owner waits for work. Changed by exchanges only, see owner.c */
    _Atomic uint64_t epoch;  /* odd: the owner may be looking at ports; changes each time it has let go of them */
    _Atomic uint32_t window; /* how many requests of one flow may be with the owner: from 1 to RING_SLOTS */
    _Atomic bool stops;
    _Atomic bool refuses; /* a write failed and the store is not writable again yet */
    pthread_t resumer;    /* makes it writable again, while the owner refuses writes and never touches the store's */
    bool resumer_runs;    /* the owner's */
    _Atomic bool resumed; /* the resumer's last word */
    struct fold_hot *fold_hot; /* owned; the owner's: recently written keys, see fold_hot.c */
    struct kept_rows *kept;    /* owned; the owner's: rows it looked into lately */
    struct range_known *known; /* owned; the owner's: ranges of partitions it changed lately */
    struct versions versions;
    struct sweep sweep; /* the owner's */
    struct swept swept;
    struct prefetchers *prefetchers; /* owned */
    int64_t clock_bound_us; /* the owner's: server timestamps up to here are promised to be passed after a restart */
};

enum { LARGE_KEYS = 64, LARGE_KEY_USES = 100 };
struct large_key {
    uint64_t hash;
    uint32_t uses; /* for which it is still taken for large */
};

struct table_port {
    struct table_space *space;
    uint32_t index;
    int event_fd;
    uint32_t pending;
    struct channel *_Atomic *channels; /* [shard]; made at the first use, seen by the owner */
    bool *touched;                     /* [shard]: submitted to since the last flush */
    bool any_touched;
    uint32_t waited;        /* 1 + the shard of the latest read that would have waited; 0: none since it was asked */
    struct row_cache *rows; /* owned; NULL: none */
    struct large_key large[LARGE_KEYS]; /* rows that are not for a loop, by their keys' hashes */
    _Atomic uint64_t rows_found, rows_missed;
};

/* Owners stand still, see checkpoint.c. */
struct checkpoint {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    _Atomic bool wanted;
    uint32_t standing; /* owners, under the lock */
};

struct table_space {
    struct table_space_options options;
    void *environment;
    struct store_semantics semantics;
    uint32_t shard_count;
    uint32_t generation;               /* of the shards' directories: layout.h */
    struct shard *shards;              /* owned */
    struct table_port *_Atomic *ports; /* owned: [options.port_count_max] */
    _Atomic uint32_t ports_end;        /* no port was ever at or behind this place */
    pthread_mutex_t ports_lock;
    _Atomic int64_t clock_us; /* the newest server timestamp given */
    _Atomic uint32_t batches; /* futex: batch_log.c's */
    pthread_t finisher;
    bool finisher_runs;
    struct checkpoint checkpoint;
    _Atomic uint64_t unreadable; /* reads that met a row that can't be read */
    _Atomic bool sweeps;         /* owners sweep when they find the time: every table's definition is known */
};

static inline int64_t space_monotonic_us(const struct table_space *space)
{
    return clock_monotonic_us(space->options.clock);
}

static inline int64_t space_realtime_us(const struct table_space *space)
{
    return clock_realtime_us(space->options.clock);
}

static inline uint32_t shard_of_token(const struct table_space *space, int64_t token)
{
    return shard_of_position(space->shard_count, (uint64_t)token ^ (UINT64_C(1) << 63));
}

/* Of the shard's own records (table id 0), the one with the clock's bound. */
enum { CLOCK_KEY_BYTES = 16, CLOCK_BOUND_BYTES = 8 };
static inline struct bytes shard_clock_key(uint8_t key[CLOCK_KEY_BYTES])
{
    memset(key, 0, CLOCK_KEY_BYTES);
    memcpy(key + 8, "clock", 5);
    return bytes_of(key, CLOCK_KEY_BYTES);
}

/* A server timestamp: at least the wall clock, above every one given before and above at_least_us. */
int64_t space_stamp_us(struct table_space *space, int64_t at_least_us);

/* Has the owner look at what it should do besides requests. */
void shard_wake(struct shard *shard);

#endif
