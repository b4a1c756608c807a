/* table/sweep.h: inside table/: the sweeper.
 *
 * Compaction never drops the deletion of a partition or a range tombstone: it cannot see what they cover. The
 * sweeper does, as steps of the owner: it deletes what a tombstone covers and shrinks the tombstone by as
 * much in the same batch, once gc_grace_seconds of its table, as they are then, have passed. It finds
 * tombstones by the due list (due.h).
 *
 * What can't be done for one tombstone (it or a row under it is damaged, or a key would be too long) passes it over
 * until the next round, and is counted; only an error of the store ends a step.
 *
 * A partition's deletion becomes a segment over all of it, at most SWEEP_SEGMENTS of the present ones a step,
 * then its record loses it; a segment is swept from its lower place, at most SWEEP_ROWS rows or SWEEP_US a
 * step. What is swept is no longer under the tombstone: the owner is the only writer and sees all there is,
 * in memory and in files, so nothing it covered can come back. A write with an older timestamp that comes
 * later stands, as after Cassandra's purge; one that came before and was hidden stays hidden and goes.
 * Nothing here needs a sync: a step that is lost is done again.
 *
 * Thread:  the owner's; progress is read by any.
 */
#ifndef TABLE_SWEEP_H
#define TABLE_SWEEP_H

#include "base/error.h"

#include <stdbool.h>

struct shard;
struct sweep;
struct turn;
void sweep_fini(struct sweep *sweep);

/* One bounded step, in a batch of its own: empty before, and the caller's to write. from_start: begin a
 * round. *more: it is not over. */
enum status sweep_run(struct turn *turn, bool from_start, bool *more, struct error *err);
/* After each step. written: its batch is in the store, so what it did counts. Otherwise the round begins anew, and so does
 * what takes several steps. */
void sweep_end(struct shard *shard, bool written);

#endif
