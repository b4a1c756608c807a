/* table/sweep.h: inside table/: the due list and the sweeper.
 *
 * Compaction never drops the deletion of a partition or a range tombstone: it cannot see what they cover. The sweeper does, as steps of
 * the owner: it deletes what a tombstone covers and shrinks the tombstone by as much in the same batch, once gc_grace_seconds of
 * its table, as they are then, have passed. It finds tombstones by the *due list*, written in their batch:
 *
 *     0 (8) | "due" 00 (4) | table id (8) | second it was made (8, sign flipped) | the tombstone's key from its token on
 *     value: 01 (1), the version of this entry
 *
 * In order of table, then of age: an ALTER of gc_grace_seconds needs no rewriting, and a table whose oldest entry is not due yet costs one
 * seek. A range's segment and its entry come and go together; a partition's deletion leaves entries behind when a newer one replaces it,
 * which are dropped when they are met.
 *
 * A partition's deletion becomes a segment over all of it, at most SWEEP_SEGMENTS of the present ones a step, then its record loses it;
 * a segment is swept from its lower place, at most SWEEP_ROWS rows or SWEEP_US a step. What is swept is no longer under the tombstone: the
 * owner is the only writer and sees all there is, in memory and in files, so nothing it covered can come back. A write with an
 * older timestamp that comes later stands, as after Cassandra's purge; one that came before and was hidden stays hidden and goes.
 * Nothing here needs a sync: a step that is lost is done again.
 *
 * Thread:  the owner's; progress is read by any.
 */
#ifndef TABLE_SWEEP_H
#define TABLE_SWEEP_H

#include "store/store.h"

enum { DUE_KEY_BYTES = 20 }; /* by which an entry's key is longer than its tombstone's */

/* In the batch of the tombstone. */
void due_add(struct store_batch *batch, struct bytes tombstone_key, int64_t deleted_s);
void due_forget(struct store_batch *batch, struct bytes tombstone_key, int64_t deleted_s);
/* All of dropped tables: those from the first id on, before the second. */
void due_forget_tables(struct store_batch *batch, uint64_t table_id, uint64_t end_id);

/* Whether a record of the shard's own is an entry of the due list, and at which position (table/layout.h) its tombstone is. */
bool due_position(struct bytes key, uint64_t *position);

struct sweep {
    struct buffer at;      /* where in the due list the round goes on: after this key, or at it */
    struct buffer laying;  /* the entry of the partition deletion that is being laid over its segments ... */
    struct buffer laid_to; /* ... up to this place */
    int64_t laid_us;       /* ... with this timestamp */
    int64_t next_us;       /* monotonic: when the owner looks again; INT64_MAX: the list is empty */
    int64_t earliest_s;    /* of the round: when the next entry will be due; INT64_MAX: none */
    uint32_t blocked;      /* of the round: entries over rows that can't be read */
};
void sweep_fini(struct sweep *sweep);

struct shard;
struct sweep_step {
    struct shard *shard;
    struct store_batch *batch; /* empty; gets what the step does */
    struct arena *arena;
    struct table_def *(*definition)(void *context, uint64_t table_id); /* borrowed; NULL: dropped */
    void *context;
    bool from_start; /* begin a round */
    bool more;       /* out: the round is not over */
};
/* One bounded step. The batch is the caller's to write. */
enum status sweep_run(struct sweep_step *step, struct error *err);

#endif
