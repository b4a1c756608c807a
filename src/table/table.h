/* table/table.h: tables' partitions: read slices, apply fragments, compare and set, add to counters.
 *
 * A *space* holds all shards of this process. Each shard is a store and an owner thread, which alone writes to it. Each
 * loop has a *port* to the space: it reads any shard directly (table_read) and hands writes to owners as flat
 * commands (table_submit), woken once a turn (table_port_flush), answered through its eventfd (table_port_reap).
 *
 * A command is flat bytes with table id and schema version: no pointers, so it could go to another process. A command
 * that names a dropped table is refused with ERR_STALE.
 *
 * Owns:    a request's memory is its caller's until `done` was called.
 * Errors:  ERR_OVERLOADED: ring full, nothing was done. ERR_WRITE_TIMEOUT: a sync failed, the outcome is unknown.
 *          ERR_WRITE_FAILURE: the shard refuses writes (full disk, failed sync), nothing was done. ERR_WOULD_WAIT: the
 *          read must be run again by who may wait. ERR_READ_FAILURE, ERR_CORRUPT.
 * Thread:  a port belongs to one thread (loop or worker); the space to any.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/arena.h"
#include "base/error.h"
#include "row/place.h"
#include "row/row.h"
#include "row/slice.h"
#include "schema/schema.h"

struct table_space;
struct table_port;
struct clock; /* base/clock.h */
struct store_ops;
struct file_system;

/* ---- reading ---- */

/* What holds one state of a shard from one read to the next, so that a partition that is read by several commands is seen in one
 * state: each read leaves here the state of the last shard that it looked at, and a read of the same shard looks at that one. All
 * zero: none. The port's thread's; released before the space is closed, and soon: the shard can't be resumed meanwhile. */
struct table_view {
    struct shard *shard;
    struct store_snapshot *snapshot; /* owned */
};

void table_view_release(struct table_view *view);

struct read_command {
    uint64_t table_id;
    uint64_t schema_version; /* of the table_def it was planned with */
    /* Either one partition (partition_key.data not NULL) ... */
    struct bytes partition_key; /* serialized */
    int64_t token;              /* of the partition; or with a range the first token, inclusive ... */
    /* ... or all partitions of a token range, starting after (or at) a partition: */
    int64_t token_last; /* inclusive */
    /* Scan: begin with this partition of `token` (serialized); NULL data: from the token's first. */
    struct bytes after_partition;
    bool after_partition_inclusive; /* true: resume inside it, after after_clustering; false: with the next partition */
    /* Resuming inside the first partition: rows strictly after this encoded clustering (before it, if
     * reversed). NULL: no. */
    struct bytes after_clustering;
    bool after_static;          /* resuming: the static row was already delivered; it comes again only with rows */
    const struct slice *slices; /* in clustering order, disjoint. NULL with slice_count 0: everything */
    uint32_t slice_count;
    /* Every slice is one whole clustering (start = end, inclusive): looked up, not scanned. There is one. */
    bool slices_are_rows;
    const struct table_def *virtual_def; /* the table's definition if it is computed (def->virtual_table); else NULL */
    const void *viewer;                  /* borrowed, of a computed table: who asks, for who has its rows */
    /* Its definition: cells of dropped columns are left out. NULL: a table that never loses columns. */
    const struct table_def *def;
    struct table_view *view; /* borrowed. NULL: the newest state */
    bool reversed;
    bool rows_wanted; /* false: partition and static rows only (SELECT DISTINCT; static columns only) */
    bool static_wanted;
    uint32_t row_limit; /* live rows over all; a partition with only a static row counts one. 0: nothing */
    uint32_t row_limit_per_partition; /* 0: no limit */
    uint32_t byte_limit;              /* stop after this many bytes of values (at a row's end). 0: no limit */
    uint32_t tombstone_limit;         /* more fail the read: ERR_READ_FAILURE, and result->work tells. 0: no limit */
    int64_t now_s;                    /* for TTL */
};

struct read_row {
    struct bytes clustering; /* encoded */
    const struct row *row;   /* live cells only: expired and deleted ones are hidden; liveness kept if live */
};

struct read_partition {
    struct bytes partition_key; /* serialized */
    int64_t token;
    const struct row *static_row; /* NULL: no live static cell, or not wanted */
    struct read_row *rows;
    uint32_t row_count;
};

/* What was done, for metering. */
struct work_done {
    uint32_t rows_read;
    uint32_t tombstones_read; /* dead cells and rows, ends of range tombstones; not what may be purged */
    uint64_t bytes_read;
    int64_t last_token; /* of the last partition looked at */
};

struct read_result {
    struct read_partition *partitions; /* in token order; all in the request's arena */
    uint32_t partition_count;
    bool has_more; /* stopped by a limit before the end */
    struct work_done work;
};

/* A read as flat bytes, without the definitions, the viewer and the view: who decodes it looks them up by table id. A debug build
 * (HELENUS_DEBUG) sends every table_read through both. The decoded command borrows its bytes; slices are in
 * the arena. ERR_CORRUPT for what does not fit. */
void table_encode_read(struct buffer *out, const struct read_command *command);
enum status table_decode_read(struct arena *arena, struct bytes bytes, struct read_command *command, struct error *err);

/* may_wait false: ERR_WOULD_WAIT instead of touching the disk. Partitions that have neither rows nor a static
 * row are left out. */
enum status table_read(struct table_port *port, const struct read_command *command, bool may_wait, struct arena *arena,
                       struct read_result *result, struct error *err);

/* ---- writing ---- */

/* Builds a flat command in a buffer. One command touches one partition, but a group. */
struct table_fragment {
    uint8_t kind;                /* enum key_kind */
    struct bytes clustering;     /* encoded; KEY_PARTITION: empty */
    struct bytes clustering_end; /* KEY_RANGE: the end bound; with flags in range_* */
    bool start_inclusive, end_inclusive;
    bool has_places; /* cells of lists are asked (row/place.h): the owner looks before it writes any of the command */
    struct row row;  /* timestamps may be TIMESTAMP_SERVER */
};

struct apply_command {
    uint64_t table_id;
    uint64_t schema_version;
    int64_t token;
    struct bytes partition_key; /* serialized */
    const struct table_fragment *fragments;
    uint32_t fragment_count;
    int64_t now_s;
    bool durable; /* false: keyspace with DURABLE_WRITES = false */
};

void table_encode_apply(struct buffer *out, const struct apply_command *command);
/* Partitions of one shard in one command: all of it is applied, in one write and with one timestamp, or
 * nothing. The buffer is empty at the first; every token is of the shard that the request is routed to. */
void table_group_add(struct buffer *group, const struct apply_command *command);
/* A logged batch over several shards has a group for each. The first, complete, is made to remember the
 * others; when it was written, each of the others is told the timestamp that it got (table_request's), and is
 * sent. Whatever happens then, they will be written: batch_log.h. When all are, the batch is forgotten; when
 * one fails, it is said to be unfinished. */
void table_group_remember(struct buffer *group, const struct bytes *others, uint32_t count);
void table_group_set_batch(struct buffer *group, int64_t timestamp_us);
/* One of several groups that are nothing together: partitions of a table that is gone when the owner looks
 * are left out, as if they had been written just before it went. Others refuse the whole group then
 * (ERR_STALE). */
void table_group_loosen(struct buffer *group);
/* tokens: one of each shard's, the first one's first. Goes on by itself; the port may be closed when nothing
 * of it is pending. */
void table_batch_forget(struct table_port *port, int64_t timestamp_us, const int64_t *tokens, uint32_t count);
void table_batch_is_unfinished(struct table_port *port);
/* Tells the space's `reached`. */
void table_batch_reached(struct table_port *port, const char *step);
/* For tables of counters: the same as apply, where cells of kind CELL_COUNTER carry the number to add (8
 * bytes). The owner reads what there is, adds, and writes the sums; other cells and deletions are written as
 * they are, in the order of the fragments. */
void table_encode_add(struct buffer *out, const struct apply_command *command);
/* Into a group, of nothing else. */
void table_group_add_numbers(struct buffer *group, const struct apply_command *command);

/* Conditions of a compare-and-set on one row (clustering) or the static row. */
enum condition_op {
    CONDITION_EQ,
    CONDITION_NE,
    CONDITION_LT,
    CONDITION_LE,
    CONDITION_GT,
    CONDITION_GE,
    CONDITION_IN,
    CONDITION_CONTAINS,
    CONDITION_CONTAINS_KEY,
    CONDITION_UNSET /* a client left its value unset: whoever looks at it refuses the command */
};
struct condition {
    uint32_t column_id;
    struct bytes path; /* element of a collection or field; NULL data: the whole column */
    enum condition_op op;
    const struct bytes *values; /* wire bytes; NULL data: null */
    uint32_t value_count;
};
/* CAS_FIRST_ROW and CAS_FIRST_MARKED_ROW hold always, and stand behind all others: if one of them did not
 * hold, they bring the partition's first live row, the latter the first one that an INSERT made. */
enum cas_kind { CAS_IF_NOT_EXISTS, CAS_IF_EXISTS, CAS_IF_CONDITIONS, CAS_FIRST_ROW, CAS_FIRST_MARKED_ROW };
static inline bool cas_is_first_row(enum cas_kind kind)
{
    return kind == CAS_FIRST_ROW || kind == CAS_FIRST_MARKED_ROW;
}
struct cas_part { /* one row that is looked at */
    struct bytes clustering;
    bool is_static;
    enum cas_kind kind;
    const struct condition *conditions;
    uint32_t condition_count;
};
struct cas_command {
    const struct cas_part *parts; /* all must hold */
    uint32_t part_count;
    struct apply_command update; /* applied if they do */
};
void table_encode_cas(struct buffer *out, const struct cas_command *command);

/* What an owner tells of a write to who asks. Monotonic microseconds. */
struct commit_report {
    int64_t taken_us;   /* the owner took the command out of its ring */
    int64_t began_us;   /* it has decided all of its turn, and begins to write */
    int64_t written_us; /* the batch is in the log, and synced if durable */
    uint64_t batch_bytes;
    uint32_t command_count; /* of the turn: they share the write */
    uint32_t shard;
    bool durable;
};

struct table_request {
    struct table_request *next; /* the port's */
    struct bytes command;       /* flat bytes; must live until done, and stay as they are */
    int64_t token;              /* routes it */
    uint32_t flow;              /* whose: a flow has only so much with an owner at once */
    void (*done)(
        struct table_request *request); /* on the port's thread, from table_port_reap (never from table_submit) */
    enum status status;
    struct error *error;  /* filled when status is not OK; caller's */
    int64_t timestamp_us; /* out: what the owner stamped */
    bool applied;         /* out, cas */
    struct arena *arena;  /* cas: where current is put (by reap, on the port's thread) */
    struct bytes result;  /* out, cas not applied: flat: see table_decode_cas_result. Freed after done returns */
    struct commit_report *report; /* out; NULL: not wanted, and then it costs nothing */
};

/* The shard that a token's requests go to. */
uint32_t table_shard_of(const struct table_port *port, int64_t token);
/* Whether the shard of a token would take a request now. Its done has made room for one. */
bool table_has_room(const struct table_port *port, int64_t token);
/* Queues it; the owner is woken by table_port_flush. ERR_OVERLOADED when the ring is full: done will not be called. */
enum status table_submit(struct table_port *port, struct table_request *request, struct error *err);
/* What a refused cas saw, one per part. */
struct cas_seen {
    const struct row *row;   /* live cells only; NULL: the row does not exist */
    struct bytes clustering; /* encoded; of a first row, else empty. Borrowed from the result */
};
enum status table_decode_cas_result(struct arena *arena, struct bytes result, struct cas_seen *seen,
                                    uint32_t part_count, struct error *err);

/* Submits and waits: start-up, DDL, workers. Not on a loop. */
enum status table_apply_wait(struct table_port *port, struct bytes command, int64_t token, struct error *err);

/* ---- the port of a thread ---- */
/* Aborts where more are open than the space was made for, or no descriptor is left: who starts threads sees
 * to it before. */
struct table_port *table_port_open(struct table_space *space);
/* Rows that this port looks up by their whole keys are kept, in at most so many bytes (under 1 MiB: none),
 * until they are written to. */
void table_port_keep_rows(struct table_port *port, uint64_t bytes_max);
void table_port_close(struct table_port *port);   /* all requests must be done */
int table_port_fd(const struct table_port *port); /* readable: call table_port_reap */
/* Once a turn, behind table_port_reap: what was answered may have let something go on that waited in the port. */
void table_port_flush(struct table_port *port);
void table_port_reap(struct table_port *port);
uint32_t table_port_pending(const struct table_port *port);
/* 1 + the shard of the latest read answered ERR_WOULD_WAIT, 0 if there was none since it was asked: whoever
 * runs it again may wait for that one. */
uint32_t table_port_waited(struct table_port *port);

/* ---- the space ---- */
struct table_space_options {
    const char *directory;         /* shard directories are made in it; NULL with the memory store */
    uint32_t shard_count;          /* must equal what the directory was made with, 0: as it is, or the default */
    struct file_system *files;     /* where the directory is. Borrowed; NULL: the machine's */
    const struct store_ops *store; /* which engine */
    void *store_environment;       /* shared cache, pools, encryption: from the engine's open_environment */
    /* The definitions now in force: a reference, or what it returns is borrowed for the call. By table id;
     * NULL: dropped. */
    struct table_def *(*table_by_id)(void *context, uint64_t table_id); /* returns a new reference */
    void *context;
    const struct clock *clock; /* borrowed; always given to who opens a space */
    place_sum sum;             /* what an owner adds with (row/place.h); NULL: nobody asks for it */
    uint32_t port_count_max;   /* ports open at once, but for the few of the space itself; 0: 64 */
    uint32_t batch_retry_ms;   /* unfinished batches are tried again after this; 0: 10 s */
    /* For tests, which end the process there: each step of a batch that is remembered (batch_log.h). NULL:
     * not wanted. Any thread */
    void (*reached)(void *context, const char *step);
};
enum status table_space_open(const struct table_space_options *options, struct table_space **result, struct error *err);
void table_space_close(struct table_space *space);
uint32_t table_space_shard_count(const struct table_space *space);
/* What it was opened with. */
const struct clock *table_space_clock(const struct table_space *space);

struct store_properties;
/* For metrics. Any thread. */
void table_space_properties(struct table_space *space, uint32_t shard, struct store_properties *properties,
                            bool *refuses_writes);

/* Partitions of a table, and the mean of their bytes as they are stored: counted where there are few, else
 * from a sample of each shard, and then right to some percent. Waits for the disk. Any thread. */
struct table_estimate {
    uint64_t partition_count, partition_bytes_mean;
};
enum status table_space_estimate(struct table_space *space, uint64_t table_id, struct table_estimate *estimate,
                                 struct error *err);

/* Values that were looked up, over all ports that are open: found among those kept, or asked of the store.
 * Any thread. */
struct row_cache_use {
    uint64_t found, missed;
};
void table_space_row_cache(struct table_space *space, struct row_cache_use *use);

/* A write of the shard failed, and it takes none until it could be resumed. Any thread. */
bool table_space_refuses_writes(struct table_space *space, uint32_t shard);

/* Reads that met a row that can't be read, since the start. Any thread. */
uint64_t table_space_unreadable(struct table_space *space);

/* Writes of the shard whose reads had to wait for the disk, since the start. Any thread. */
uint64_t table_space_cold_writes(struct table_space *space, uint32_t shard);

/* Removes the rows of dropped or truncated tables from every shard: one write in each, whole or not at all;
 * redone by who remembers it after a crash. Sorts the ids. Waits. */
enum status table_remove_all(struct table_port *port, uint64_t *table_ids, uint32_t count, struct error *err);
/* For operators and tests: what memory holds to sorted files, and these into as few as can be. Owners go on;
 * whoever calls waits. */
enum status table_flush(struct table_space *space, struct error *err);
enum status table_compact(struct table_space *space, struct error *err);
enum status table_flush_shard(struct table_space *space, uint32_t shard, struct error *err);
/* table_id 0: every table. ERR_CLOSED: table_stop_compactions was called. */
enum status table_compact_shard(struct table_space *space, uint32_t shard, uint64_t table_id, struct error *err);
void table_stop_compactions(struct table_space *space);

/* A copy of every shard in `directory`, which is there, of one moment: owners stand still between two turns,
 * all of them together, until the last shard is done. So the copy is what a kill -9 at that moment would have
 * left, and whatever a start makes of that (logged batches whole or not at all, interrupted drops ended) it
 * makes of the copy. Small if everything was flushed just before: the log is copied, sorted files are hard
 * links. *stood_us: how long writes waited. ERR_OVERLOADED: an owner did not come to a stop, or another copy
 * is being made. */
enum status table_checkpoint(struct table_space *space, const char *directory, int64_t *stood_us, struct error *err);

/* Finishes the batches that a crash or a full disk left, before anybody reads; every table's definition can
 * be asked for. What can't be finished now (a full disk) is tried again later, by a thread that this starts.
 * An error: the thread can't be started. */
enum status table_space_finish_batches(struct table_space *space, struct error *err);

/* Deletes what partition deletions and range tombstones past gc_grace_seconds cover, and them. Once started,
 * owners do it by themselves in small steps when they find the time: call it when every table's definition
 * can be asked for, since what stands in the due list for an unknown table is dropped. table_sweep: now and
 * to the end, for operators and tests. Waits. */
void table_space_start_sweeping(struct table_space *space);
enum status table_sweep(struct table_space *space, struct error *err);
struct sweep_progress { /* since the start */
    uint64_t steps;
    uint64_t rows_deleted, rows_shrunk; /* all of them was covered, or some */
    uint64_t tombstones;                /* purged */
    uint64_t entries_dropped;           /* of the due list: dropped tables, deletions replaced by newer ones */
    uint32_t blocked;                   /* tombstones that could not be swept, in the last round ... */
    uint32_t failed;                    /* ... of these, damaged ones and such as need too long a key; over the
                                         * others are rows that can't be read */
    int64_t next_due_s;                 /* after the last round; 0: nothing waits */
};
/* Any thread. */
void table_space_sweep_progress(struct table_space *space, uint32_t shard, struct sweep_progress *progress);

/* ---- a space at rest ---- */

struct key_parts; /* row/key.h */
struct table_check {
    void (*progress)(void *context, uint32_t shard, uint32_t shard_count, uint64_t done, uint64_t total);
    /* where: a path below the directory. Neither tells a name, key or value of a user. */
    void (*damaged)(void *context, const char *where, const char *what);
    /* Each row that decodes, and each partition's own record, in order; tombstones are not hidden. NULL: not
     * wanted. What it returns is told as damage. */
    enum status (*row)(void *context, const struct key_parts *key, const struct row *row, struct error *err);
    void *context;
};
struct table_checked {
    uint32_t shard_count;
    uint32_t stray_count; /* directories that a reshard left: no damage, the next start removes them */
    uint64_t value_count;
    uint64_t bad_value_count;    /* values that do not decode; told of the first of them */
    uint64_t other_damage_count; /* all else that was told */
};
/* Looks at all of a directory that nobody has open, and changes nothing: files, checksums, keys, fragments.
 * OK: it was looked at, and what is damaged was told. options: directory, files, store and store_environment. */
enum status table_space_check(const struct table_space_options *options, const struct table_check *check,
                              struct table_checked *sum, struct error *err);

struct table_taken {
    uint32_t shard;
    uint64_t table_id; /* 0: its key could not be read */
    int64_t token;
    int kind;                /* enum key_kind: what it is of */
    uint32_t fragment_count; /* how many of its fragments could not be read */
    bool rest;               /* others of them could: what they say stays */
    uint64_t bytes;
    const char *why;
};
struct table_repair {
    void (*taken)(void *context, const struct table_taken *taken); /* after it is on the disk */
    void *context;
};
struct table_repaired {
    uint64_t value_count, taken_count;
};
/* Takes out of a directory that nobody has open each value that can't be read, and keeps it aside in the same
 * store (repair.h); the rest of the value stays. Files and checksums are not its matter. options: directory,
 * files, store, store_environment and clock. Any error or crash leaves what was done; run it again. */
enum status table_space_repair(const struct table_space_options *options, const struct table_repair *repair,
                               struct table_repaired *sum, struct error *err);

enum { TABLE_SHARDS_MAX = 1024 };
struct table_reshard {
    uint32_t shard_count;                                                              /* to be */
    void (*progress)(void *context, const char *phase, uint64_t done, uint64_t total); /* of values */
    void (*reached)(void *context, const char *step); /* for tests, which end it there. NULL: not wanted */
    void *context;
};
struct table_resharded {
    uint32_t shard_count_before;
    uint64_t value_count;
    uint64_t bytes_before, bytes_after; /* on the disk */
    bool old_left;                      /* the old shards could not be removed: the next start tries again */
};
/* Writes a directory that nobody has open anew with another number of shards: beside the old ones, read again
 * and compared, and then one rename makes it so. Any error or crash before leaves the old ones as they were.
 * Everything was flushed before: it is not the log's place to hold what is copied. options: directory, files,
 * store, store_environment; an engine that loads. ERR_NO_SPACE: there is not enough of it. ERR_CORRUPT:
 * something that can't be read, or a record that this version does not know. */
enum status table_space_reshard(const struct table_space_options *options, const struct table_reshard *reshard,
                                struct table_resharded *sum, struct error *err);
/* How many shards a directory has that nobody has open; 0: it is new. options: directory, files. */
enum status table_space_read_shard_count(const struct table_space_options *options, uint32_t *count, struct error *err);

/* ---- computed tables ---- */
/* Emits all rows of a virtual table; the space sorts and slices them. Values are wire bytes in SELECT *
 * column order; NULL: null. */
struct virtual_emit {
    void (*row)(struct virtual_emit *emit, const struct bytes *values);
    /* Spares work: might one ask for rows that begin with these values (the partition key's, then the first
     * clustering column's)? NULL: for all. */
    bool (*wants)(struct virtual_emit *emit, const struct bytes *values, uint32_t count);
    const void *viewer; /* the command's: what they may see is for the rows' maker to know */
};
static inline bool virtual_wants(struct virtual_emit *emit, const struct bytes *values, uint32_t count)
{
    return !emit->wants || emit->wants(emit, values, count);
}
struct virtual_table {
    void (*rows)(const struct virtual_table *self, struct virtual_emit *emit);
    void *context;
    bool waits; /* its rows come from the disk: ERR_WOULD_WAIT for who may not */
};

#endif
