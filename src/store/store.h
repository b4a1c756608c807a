/* store/store.h: one shard's ordered key space, as an interface with several bodies.
 *
 * A store holds two families of keys (data, journal) in memcmp order. All families of a store commit
 * together: a batch is there whole or not at all, also after a crash. Bodies: store/memory (reference,
 * forgets everything), store/rocksdb.
 *
 *     batch -> ops->write -> synced, then visible          (the shard's owner thread alone)
 *     ops->get, ops->scan  -> values merged by semantics   (any thread, at any time)
 *
 * Shapes:  keys and values are any bytes; a key has 1 to STORE_KEY_BYTES_MAX bytes. Keys of the data family
 *          shorter than 16 bytes are allowed, but have no filter of their prefix.
 * Owns:    the store copies what it is given. What it hands out (values, keys of a scan) is borrowed as said at each.
 * Errors:  ERR_NOT_FOUND; ERR_WOULD_WAIT (may_wait false only); ERR_CORRUPT: bytes failed their check;
 *          ERR_IO, ERR_NO_SPACE. After a write failed with ERR_IO or ERR_NO_SPACE its outcome is unknown and
 *          the store refuses further writes with the same status (ops->health) while reads go on, until
 *          ops->resume succeeds.
 * Thread:  one writer: write, remove_files, resume and close are called by one thread at a time. get, scan,
 *          snapshot, updates_since, updates_forget, properties, health, flush, compact, stop_compactions,
 *          checkpoint: any thread. A scan, value or snapshot is used by one thread at a time.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STORE_KEY_BYTES_MAX = 256 * 1024, STORE_PREFIX_BYTES = 16 };

enum store_family { STORE_DATA, STORE_JOURNAL };
enum { STORE_FAMILY_COUNT = 2 };

/* ---- what keys and values mean: given by row/ ---- */

/* What a compaction knows when it meets a value. */
struct store_purge {
    enum store_family family;
    bool whole; /* the value is all there is of this key at the last level; false: purge nothing of it */
    /* What has a timestamp below this covers nothing outside this compaction; INT64_MIN: unknown. */
    int64_t purge_before_us;
    int64_t now_us; /* wall clock, for gc_grace and retention */
};
enum store_verdict { STORE_KEEP, STORE_REMOVE, STORE_CHANGE };

/* Merging is associative; it only folds and never fails: what can't be decoded is kept. Callbacks run on any
 * thread, also several at once, and must not call the store. */
struct store_semantics {
    void *context;
    /* Appends to *result the value of `operands` (oldest first) on top of `existing` (data NULL: there is
     * none). One operand on top of nothing is its own value, and a body need not ask. */
    void (*merge)(void *context, struct bytes key, struct bytes existing, const struct bytes *operands,
                  size_t operand_count, struct buffer *result);
    /* The same without knowing what lies below: the result is an operand again. NULL: merge with no existing value. */
    void (*merge_partial)(void *context, struct bytes key, const struct bytes *operands, size_t operand_count,
                          struct buffer *result);
    /* STORE_CHANGE: the new value was appended to *changed. NULL: keep everything. */
    enum store_verdict (*filter)(void *context, const struct store_purge *purge, struct bytes key, struct bytes value,
                                 struct buffer *changed);
    /* The smallest write timestamp in a value or operand; INT64_MIN if it can't be told; INT64_MAX if it has
     * none. NULL: unknown. */
    int64_t (*min_timestamp_us)(void *context, enum store_family family, struct bytes key, struct bytes value);
};

/* ---- a batch: what one write brings; the same for all bodies (store/batch.c) ---- */

enum store_op_kind { STORE_PUT, STORE_MERGE, STORE_DELETE, STORE_DELETE_RANGE, STORE_LOG_DATA };

struct store_op {
    enum store_op_kind kind;
    enum store_family family; /* LOG_DATA: says nothing */
    struct bytes key;         /* DELETE_RANGE: first key. LOG_DATA: empty */
    struct bytes value;       /* DELETE_RANGE: end key, exclusive. LOG_DATA: the bytes */
};

struct store_batch;
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *batch);
/* Forgets all, keeps the memory for the next turn. */
void store_batch_clear(struct store_batch *batch);
void store_batch_put(struct store_batch *batch, enum store_family family, struct bytes key, struct bytes value);
void store_batch_merge(struct store_batch *batch, enum store_family family, struct bytes key, struct bytes operand);
void store_batch_delete(struct store_batch *batch, enum store_family family, struct bytes key);
/* By order of writing, not by timestamp: for DROP and TRUNCATE, never for a CQL DELETE. */
void store_batch_delete_range(struct store_batch *batch, enum store_family family, struct bytes first,
                              struct bytes end);
/* Bytes that only the log keeps: no read sees them, updates_since gives them back where they stood among the
 * operations. A batch of nothing else is refused (ERR_INVALID). */
void store_batch_log_data(struct store_batch *batch, struct bytes data);
/* Any of the above. */
void store_batch_add(struct store_batch *batch, const struct store_op *op);
size_t store_batch_count(const struct store_batch *batch); /* log data count */
size_t store_batch_bytes(const struct store_batch *batch);
/* Borrowed until the batch is changed. */
struct store_op store_batch_at(const struct store_batch *batch, size_t index);
/* Takes back everything added since the batch had `count` operations. */
void store_batch_truncate(struct store_batch *batch, size_t count);
/* Whether an operation touches a key that begins with `prefix` (a delete_range: touches it at all). */
bool store_batch_touches(const struct store_batch *batch, enum store_family family, struct bytes prefix);

/* ---- options ---- */

struct clock;       /* base/clock.h */
struct keys;        /* keys/keys.h */
struct file_system; /* store/files/files.h */

enum store_log_level { STORE_LOG_WARN, STORE_LOG_ERROR };

/* What all stores of a process share. Zero means the default. */
struct store_environment_options {
    uint64_t cache_bytes;        /* blocks read from disk. Default 64 MiB; grows as it fills */
    uint64_t write_buffer_bytes; /* all memory for writes not yet flushed, over all stores. Default 256 MiB */
    uint32_t background_threads; /* for flush and compaction. Default 2 */
    struct keys *keys;           /* borrowed; encrypts every file. NULL only with test_plain */
    struct file_system *files;   /* borrowed; NULL: the machine's */
    /* Never carries a key, name or value of a user. NULL: silent. Any thread. */
    void (*log)(void *context, enum store_log_level level, const char *message);
    void *log_context;
    const struct clock *clock; /* borrowed; its real time is store_purge's. Always given */
    bool test_plain;           /* tests only: neither encrypted nor compressed */
    bool test_no_sync;         /* tests only: never sync, so that a crash test can show that it notices */
};

struct store_options {
    const char *path;                        /* a directory of its own; made if missing */
    void *environment;                       /* from ops->environment_open of the same body */
    const struct store_semantics *semantics; /* borrowed as long as the store is open */
    uint64_t write_buffer_bytes;             /* one buffer of the data family; two may exist. Default 32 MiB */
    uint64_t periodic_compaction_s;          /* files at rest are visited after this. Default 7 days */
    uint64_t target_file_bytes;              /* default 64 MiB */
    uint64_t log_bytes_max; /* finished logs kept for updates_since may have as many. Default: none is kept */
    bool read_only;         /* it must be there, nothing of it changes, and writes are refused */
};

/* ---- reading ---- */

struct store;
struct store_snapshot;

/* A value got from a store: pinned where it lies if possible. Always release it, found or not; zero-initialise it. */
struct store_value {
    struct bytes bytes;                                     /* borrowed until released */
    void (*release)(struct store_value *value);             /* NULL: nothing to release */
    unsigned char opaque[192] __attribute__((aligned(16))); /* the body's */
};
static inline void store_value_release(struct store_value *value)
{
    if (value->release)
        value->release(value);
    value->release = NULL;
}

struct store_read_options {
    const struct store_snapshot *snapshot; /* NULL: the newest synced state */
    bool may_wait;                         /* false: ERR_WOULD_WAIT instead of waiting for the disk */
};

struct store_scan_options {
    enum store_family family;
    struct bytes lower; /* inclusive; size 0: from the first key. Borrowed while the scan is open */
    struct bytes upper; /* exclusive; size 0: to the last key. Borrowed while the scan is open */
    const struct store_snapshot *snapshot;
    bool may_wait; /* false: neither for the disk, nor while it passes by many keys that were deleted */
    bool bulk;     /* reads much and once: read ahead, leave the cache alone */
};

/* An open scan. Read key and value while valid; both are borrowed until the next move. Moves return OK also at the end
 * (valid false); after an error the scan is invalid and may only be seeked or closed. */
struct store_scan {
    const struct store_ops *ops;
    bool valid;
    struct bytes key;
    struct bytes value;
};

/* ---- the log, read back: what a journal is made of ----
 *
 * Every batch is in the store's log before it is seen. A reader of updates goes through the log from a position:
 *
 *     ops->updates_since(from) -> updates_next -> a batch ... -> at the live end: valid false, OK
 *                              -> later updates_next again -> ...
 *
 * Gives:      each batch at or behind the position that became visible, once, in the order of commits; its
 *             operations and its log data in the order in which they were added. Not there: empty batches,
 *             what a load brought, what compactions did.
 * Positions:  numbers of ops->sequence. A batch has those from `sequence` up to `next`, exclusive. A reader
 *             may begin at a `next`, at ops->sequence + 1 (what is written from now on), at 1 (the first
 *             batch ever) or at 0 (the oldest that is there). No batch may have the number itself: then the
 *             next one is given, and nothing was missed. ERR_INVALID: inside a batch.
 * Gone:       ERR_NOT_FOUND: a batch at or behind the position is not in the log any more (told to go, or
 *             past the bound, or it was never kept). Nothing is ever passed over: what is damaged or lacks in
 *             the middle is ERR_CORRUPT.
 * Crash:      what was acknowledged as durable is there. A batch written with durable false can be read at
 *             once, and be gone after a crash of the machine; later batches may have its numbers then. Who
 *             remembers a position over a crash writes it into this store, durably: by that all before it is
 *             durable, too.
 * Failure:    while the store refuses writes what is visible can be read. After resume, or when it was opened
 *             again, the batch of unknown outcome is in the log if it is in the store.
 * Kept:       what was not yet flushed is always there. Logs that are finished (flushed) are kept with
 *             store_options.log_bytes_max, also over a restart, until updates_forget says that they may go.
 *             Past log_bytes_max bytes of them the oldest go all the same, and so they do where the disk is
 *             full and the store is to be resumed: that is said to the environment's log and counted in
 *             store_properties.logs_lost. (The bound is looked at when a log was finished: one more may be
 *             there.) A checkpoint has only what was not yet flushed.
 * Owns:       a reader belongs to who opened it, and is closed before the store. It survives resume. Neither
 *             it nor what it gives holds anything of the store between two calls, at the live end or not.
 * Thread:     one per reader, which waits for the disk: never a loop. After an error it may only be closed.
 */
struct store_updates {
    const struct store_ops *ops;
    bool valid;
    uint64_t sequence, next;         /* of the batch: its first number, and where reading goes on */
    const struct store_batch *batch; /* borrowed until the next move */
};

/* A load under way: see load_open. */
struct store_load;

struct store_properties {
    uint64_t disk_bytes; /* sorted files and log of this store */
    uint64_t log_bytes;  /* written since the last flush */
    uint64_t memtable_bytes;
    uint64_t file_count;
    uint64_t level0_file_count;
    uint64_t pending_compaction_bytes;
    uint64_t key_count_estimate;
    uint64_t kept_log_bytes; /* of finished logs, for updates_since; part of disk_bytes */
    uint64_t logs_lost;      /* finished logs that went, since the store was opened, though nobody had told them to */
};

/* Of all stores of an environment: how reads were answered that no memory of ours could, since the start; and
 * that memory. */
struct store_counts {
    uint64_t reads_at_once; /* of who may not wait: the system had the bytes in memory */
    uint64_t reads_refused; /* of who may not wait: ERR_WOULD_WAIT */
    uint64_t reads_waiting; /* of who may wait: requests at workers, owners, flush and compaction */
    uint64_t read_bytes;
    uint64_t cache_bytes, cache_bytes_max;
    /* Of these, what cannot make room: filters and indexes of open files, values being read. */
    uint64_t cache_pinned_bytes;
};

/* Who hears of what a check of a store at rest finds. */
struct store_check {
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    /* file: a name in the store's directory, "" for the store as a whole. Neither says anything of a user's. */
    void (*damaged)(void *context, const char *file, const char *what);
    /* Everything it holds, in order, family by family. */
    void (*value)(void *context, enum store_family family, struct bytes key, struct bytes value);
    void *context;
};

/* A body fills all of them, but for check. */
struct store_ops {
    const char *name;

    enum status (*environment_open)(const struct store_environment_options *options, void **environment,
                                    struct error *err);
    void (*environment_close)(void *environment);                               /* after all its stores */
    void (*environment_counts)(void *environment, struct store_counts *counts); /* any thread */

    /* ERR_CORRUPT: the files fail their checks; ERR_CONFIG: the wrong key; ERR_IO: also when another process
     * has it open. */
    enum status (*open)(const struct store_options *options, struct store **store, struct error *err);
    void (*close)(struct store *store); /* all scans, values and snapshots are released */

    /* Atomic; returns when synced (durable) and visible. durable false: not synced, may be lost by a crash of
     * the machine, not of the process; a batch is as durable as its most durable part. The batch is
     * unchanged. */
    enum status (*write)(struct store *store, const struct store_batch *batch, bool durable, struct error *err);

    enum status (*get)(struct store *store, enum store_family family, struct bytes key,
                       const struct store_read_options *options, struct store_value *value, struct error *err);

    /* The scan stands nowhere until it is seeked. */
    enum status (*scan_open)(struct store *store, const struct store_scan_options *options, struct store_scan **scan,
                             struct error *err);
    enum status (*scan_first)(struct store_scan *scan, struct error *err);
    enum status (*scan_last)(struct store_scan *scan, struct error *err);
    /* The first key >= key; seek_back: the last key <= key. Within the bounds. */
    enum status (*scan_seek)(struct store_scan *scan, struct bytes key, struct error *err);
    enum status (*scan_seek_back)(struct store_scan *scan, struct bytes key, struct error *err);
    enum status (*scan_next)(struct store_scan *scan, struct error *err);
    enum status (*scan_prev)(struct store_scan *scan, struct error *err);
    void (*scan_close)(struct store_scan *scan);

    /* may_wait false: ERR_WOULD_WAIT while the store is being reopened. */
    enum status (*snapshot)(struct store *store, bool may_wait, struct store_snapshot **snapshot, struct error *err);
    void (*snapshot_release)(struct store *store, struct store_snapshot *snapshot);
    /* Another number after each batch that became visible; 0: can't tell now. Equal before the first and
     * after the last of several reads, it says that they saw one state, as under a snapshot but without its
     * lock. A scan sees the state of its opening. */
    uint64_t (*sequence)(struct store *store);

    /* A reader of the log, which stands before its first batch: see struct store_updates. */
    enum status (*updates_since)(struct store *store, uint64_t from, struct store_updates **updates, struct error *err);
    enum status (*updates_next)(struct store_updates *updates, struct error *err);
    void (*updates_close)(struct store_updates *updates);
    /* Finished logs that have only batches below `before` may go, and do. UINT64_MAX: all of them, and from
     * now on each as soon as it is finished, until another number is told or the store is opened again. Any
     * thread that may wait. */
    enum status (*updates_forget)(struct store *store, uint64_t before, struct error *err);

    /* Everything written so far reaches sorted files. Waits. */
    enum status (*flush)(struct store *store, struct error *err);
    /* Compacts [first, end) to the last level, running the filter on every value; size 0: no bound. Waits. */
    enum status (*compact)(struct store *store, enum store_family family, struct bytes first, struct bytes end,
                           struct error *err);
    /* From now on (stop) compactions that were asked for end with ERR_CLOSED, also those at work. */
    void (*stop_compactions)(struct store *store, bool stop);
    /* Makes `path`, which is not there, a store of its own with all that was written when it was called; the
     * writer stands still meanwhile. Files that change no more are shared: a hard link. Synced when it
     * returns; after an error or a crash `path`, or `path`.tmp, may be there in part. NULL: a body that keeps
     * nothing. */
    enum status (*checkpoint)(struct store *store, const char *path, struct error *err);
    /* Gives back files that lie wholly in [first, end). For DROP, after the delete_range was written.
     * Snapshots may lose rows. */
    enum status (*remove_files)(struct store *store, enum store_family family, struct bytes first, struct bytes end,
                                struct error *err);

    void (*properties)(struct store *store, struct store_properties *properties);
    /* OK, or why writes are refused: ERR_IO, ERR_NO_SPACE, ERR_CORRUPT. */
    enum status (*health)(struct store *store);
    /* After a failed write: makes the store writable again in place, reopening it if it must; what was
     * acknowledged is there, what was not is there whole or not at all. Readers in between wait, or get
     * ERR_WOULD_WAIT. Waits for open scans, values and snapshots 0.1 s, twice as long at each further try, at
     * most 10 s: ERR_OVERLOADED, try again. ERR_NO_SPACE: still full, reads go on. */
    enum status (*resume)(struct store *store, struct error *err);

    /* Reads all of a store that nobody has open and changes nothing: every file, every checksum, every value.
     * OK: all of it was looked at, and what is damaged was told. Otherwise it could not be: ERR_CONFIG, the
     * wrong key; ERR_NOT_FOUND, there is no store. NULL: a body that keeps nothing. */
    enum status (*check)(const struct store_options *options, const struct store_check *check, struct error *err);

    /* Puts keys, each greater than the one before, straight into sorted files: for who makes a copy. The
     * store holds no key between the first and the last of them. Nothing is seen, or there after a crash,
     * before load_end, which syncs it all. Each of the two frees the load. The writer's, as write. NULL: a
     * body that keeps nothing. */
    enum status (*load_open)(struct store *store, enum store_family family, struct store_load **load,
                             struct error *err);
    enum status (*load_put)(struct store_load *load, struct bytes key, struct bytes value, struct error *err);
    enum status (*load_end)(struct store_load *load, struct error *err);
    void (*load_abandon)(struct store_load *load);
};

/* ---- for all bodies ---- */

static inline void store_scan_close(struct store_scan *scan)
{
    if (scan)
        scan->ops->scan_close(scan);
}

static inline void store_updates_close(struct store_updates *updates)
{
    if (updates)
        updates->ops->updates_close(updates);
}

/* What get would answer if the batch had been written. *found false: neither has it. Appends the value to *result. */
enum status store_get_through(const struct store_ops *ops, struct store *store, const struct store_semantics *semantics,
                              const struct store_batch *batch, enum store_family family, struct bytes key,
                              const struct store_read_options *options, struct buffer *result, bool *found,
                              struct error *err);

#ifdef __cplusplus
}
#endif

#endif
