/* table/shard.h: inside table/: a shard, its owner thread, and the rings between it and the ports.
 *
 * Thread:  a ring has one producer and one consumer; what each side may touch is said at the fields.
 */
#ifndef TABLE_SHARD_H
#define TABLE_SHARD_H

#include "base/hash.h"
#include "row/key.h"
#include "row/merge.h"
#include "store/store.h"
#include "table/batch_log.h"
#include "table/command.h"
#include "table/layout.h"
#include "table/range.h"
#include "table/row_cache.h"
#include "table/sweep.h"

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

/* Of a flow, or some that share it: what is with the owner, and what waits in the port until some of that is answered. */
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

/* What the sweeper did since the start: the owner's counters, read by any thread. */
struct swept {
    _Atomic uint64_t steps, rows_deleted, rows_shrunk, tombstones, entries_dropped;
    _Atomic uint32_t blocked;   /* in the last round */
    _Atomic int64_t next_due_s; /* after the last round; 0: the due list was empty */
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
    _Atomic bool refuses;   /* a write failed and the store is not writable again yet */
    pthread_t resumer;      /* makes it writable again, while the owner refuses writes and never touches the store's */
    bool resumer_runs;      /* the owner's */
    _Atomic bool resumed;   /* the resumer's last word */
    struct hot_keys *hot;   /* owned; the owner's: recently written keys, see hot.c */
    struct kept_rows *kept; /* owned; the owner's: rows it looked into lately */
    struct range_known *known; /* owned; the owner's: ranges of partitions it changed lately */
    struct versions versions;
    struct sweep sweep; /* the owner's */
    struct swept swept;
    struct warmers *warmers; /* owned */
    int64_t clock_bound_us;  /* the owner's: server timestamps up to here are promised to be passed after a restart */
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

/* Owners stand still, see still.c. */
struct still {
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
    struct still still;
    _Atomic uint64_t unreadable; /* reads that met a row that can't be read */
    _Atomic bool sweeps;         /* owners sweep when they find the time: every table's definition is known */
};

static inline int64_t monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
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

/* semantics.c: row/'s meaning of values as the engine's callbacks; the context is the space. */
struct store_semantics space_semantics(struct table_space *space);

/* port.c */
/* As table_port_open. NULL: more are open than the space was made for, or no descriptor is left. */
struct table_port *port_open(struct table_space *space);
enum status port_submit_to(struct table_port *port, uint32_t shard, struct table_request *request, struct error *err);
/* The command to every shard; waits. *any_applied: one of them said so. */
enum status port_everywhere(struct table_port *port, struct bytes command, bool *any_applied, struct error *err);

/* owner.c */
enum status shard_start(struct shard *shard, struct error *err);
void shard_stop(struct shard *shard);

/* Has it look at what it should do besides requests. */
void shard_wake(struct shard *shard);

/* still.c */
void still_init(struct still *still);
void still_fini(struct still *still);
/* The owner's, between two turns: returns when it may go on. */
void still_stand(struct shard *shard);

/* hot.c: folds a key that was just written many times, so that its reads don't merge a long chain. */
enum { HOT_WRITES = 8 };
struct hot_keys *hot_keys_new(void);
void hot_keys_free(struct hot_keys *hot);
/* Adds the fragment to the batch: a merge, or, when enough was written since, a put of all there is. */
void hot_add(struct shard *shard, struct store_batch *batch, struct bytes key, struct bytes fragment, int64_t now_us);

/* kept.c: large rows that were looked into lately, as they live behind the batch under way. The owner's: what it takes back, or
 * writes in another way than by hot_add, it makes them forget. Bounded. */
struct kept_row_view {
    const struct row *live; /* NULL: it does not exist */
    int64_t newest_us;      /* of all timestamps in it, of dead cells too */
    int64_t range_us;       /* of the range tombstone that covers it; TIMESTAMP_NONE: there is none */
};
enum { KEPT_CELLS_MIN = 256 }; /* of fewer a row is not kept */
struct kept_rows *kept_rows_new(void);
void kept_rows_free(struct kept_rows *kept);
bool kept_rows_are_none(const struct kept_rows *kept);
/* Borrowed until the next write or keep. NULL: it is not kept. */
const struct kept_row_view *kept_rows_find(struct kept_rows *kept, struct bytes key, uint64_t schema_version);
/* Copies the row, if it is worth it and nothing of it expires. record: the key of its partition's record; floor_us: the newest timestamp of
 * what deletes anything in it. */
void kept_rows_keep(struct kept_rows *kept, struct bytes key, struct bytes record, uint64_t schema_version,
                    const struct kept_row_view *view, int64_t floor_us);
/* A stamped fragment was added to the batch. hash: hash_seeded(0, key). */
void kept_rows_wrote(struct kept_rows *kept, uint64_t hash, struct bytes key, struct bytes fragment);
void kept_rows_forget(struct kept_rows *kept);
void kept_rows_forget_row(struct kept_rows *kept, struct bytes key);
void kept_rows_forget_partition(struct kept_rows *kept, struct bytes record);

/* warm.c: threads that read what commands of the shard need, so that its owner doesn't wait for the disk. They are started when there
 * is work for them. */
enum { WARMERS_MAX = 4 };
struct warming { /* a command that a warmer has, or had */
    struct warming *next;
    struct table_request *request;
    uint32_t port;
};
struct warmers *warmers_new(struct shard *shard);
/* No command is under way; waits for the threads. */
void warmers_free(struct warmers *warmers);
/* The owner's: hands a command over that was answered ERR_WOULD_WAIT. It comes back in any case. */
void warm_begin(struct shard *shard, struct table_request *request, uint32_t port);
/* The owner's: what came back, oldest first; they are freed by free. NULL: nothing. */
struct warming *warm_take(struct shard *shard);
/* Something came back. */
bool warm_is_done(const struct shard *shard);
/* How many commands were handed over. Any thread. */
uint64_t warm_count(const struct shard *shard);

/* cas.c: how a command looks at the rows of its partition: through what the turn has written before it. Lives no longer than the command. */
struct cas_look {
    struct shard *shard;
    const struct store_batch *batch;
    struct range_overlay *overlay;
    struct range_known *known; /* the owner's; NULL: a warmer looks */
    struct kept_rows *kept;    /* the same */
    const struct command_header *header;
    const struct table_def *def; /* cas_decide and cas_find_places want it */
    struct arena *arena;         /* what is seen lies there */
    struct row record;           /* of the partition; cas.c's */
    struct error *err;
};

/* Decides; on success adds nothing yet. *applied says whether the conditions hold; *newest_us is the newest timestamp read. When they
 * don't hold, *result gets what was seen. The reader stands after the fragments. */
enum status cas_decide(struct cas_look *look, struct command_reader *reader, bool *applied, int64_t *newest_us,
                       struct buffer *result);

/* The row (KEY_ROW) or partition record (KEY_PARTITION) as it is stored, nothing hidden, and the newest deletion that covers it from
 * outside; through the batch. Absent: empty. */
enum status cas_read_row(struct cas_look *look, uint8_t kind, struct bytes clustering, struct row *row,
                         struct deletion *cover);

/* For who warms: what the owner will read for a partition's first live row, of one of the two kinds that ask for it. */
enum status cas_read_first_row(struct cas_look *look, enum cas_kind kind);

/* The command's fragments, unstamped, into `fragments`, with the paths that operations on lists find in the rows as they were before the
 * command; those that became empty are left out and not counted. The reader stands at the first. */
enum status cas_find_places(struct cas_look *look, struct command_reader *reader, struct buffer *fragments,
                            uint32_t *count);

/* add.c: the rows of counters that a turn has added to: read once, added to in memory, written once. */
struct counting;
struct counting *counting_new(void);
void counting_free(struct counting *counting);
/* Reads the row of `key`, if it is not here yet; the look's arena becomes the counting's. There is room. */
enum status counting_load(struct counting *counting, struct cas_look *look, struct bytes key,
                          const struct command_fragment *fragment);
/* Adds a stamped fragment's numbers to a row that was loaded; they are copied. clock_us: above all that were given before. */
void counting_add(struct counting *counting, struct bytes key, const struct row *asked, int64_t clock_us);
/* For so many rows more. */
bool counting_has_room(const struct counting *counting, uint32_t row_count);
/* Puts what was added into the batch and forgets it: before the turn is written, and before any command that may look. */
void counting_emit(struct counting *counting, struct store_batch *batch);
/* Forgets it without. */
void counting_forget(struct counting *counting);

/* Leaves out, in place, the cells of columns that the table no longer has. Before row_hide: they keep no row alive. NULL: none. */
void drop_lost_cells(const struct table_def *def, struct row *row);

/* virtual.c */
enum status virtual_read(const struct table_def *def, const struct read_command *command, struct arena *arena,
                         struct read_result *result, struct error *err);

/* collect.c: rows of partitions into a read_result, under the command's limits. */
struct collector {
    const struct read_command *command;
    struct arena *arena;
    struct read_partition *partitions;
    uint32_t partition_count, partition_capacity;
    struct read_row *rows; /* of the partition at hand */
    uint32_t row_count, row_capacity;
    struct bytes partition_key;
    int64_t token;
    const struct row *static_row;
    bool static_stands; /* alone, without rows, for its partition: it was not delivered before */
    bool any_row;       /* a live row was met though rows are not wanted */
    uint32_t rows_left; /* of row_limit */
    uint64_t bytes;
    bool stopped; /* a limit was reached */
    struct work_done work;
};
void collector_init(struct collector *collector, const struct read_command *command, struct arena *arena);
/* static_stands: with no live row the partition is given for its static row. */
void collector_begin(struct collector *collector, int64_t token, struct bytes partition_key,
                     const struct row *static_row, bool static_stands);
/* True: give me no more rows of this partition. */
bool collector_add(struct collector *collector, struct bytes clustering, const struct row *row);
void collector_end(struct collector *collector);
void collector_finish(struct collector *collector, struct read_result *result);
bool slices_contain(const struct read_command *command, struct bytes clustering);

#endif
