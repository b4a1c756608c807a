/* row/merge.h: last-write-wins reconciliation of versions of a row, and what readers and compaction leave out.
 *
 * Merging is commutative, associative and idempotent; it knows no schema, clock or key.
 *
 * Shapes:  cells sorted by (column id, path); timestamps in microseconds since 1970.
 * Owns:    nothing; results borrow from the inputs and live as long as the arena.
 * Errors:  none; unsorted input is a programmer error.
 * Thread:  pure; call from anywhere.
 * Source:  org.apache.cassandra.db.rows.{Cells,Rows,Row}, db.{LivenessInfo,DeletionTime}, release 5.0.
 */
#ifndef ROW_MERGE_H
#define ROW_MERGE_H

#include "row/row.h"

/* By column id, then path. */
int cell_compare(const struct cell *a, const struct cell *b);
/* The first cell that does not stand before the one asked for; that is of this column, or one behind it. */
uint32_t row_find_cell(const struct row *row, const struct cell *asked);
uint32_t row_find_column(const struct row *row, uint32_t column_id);
/* Which of two versions of one cell stays: the first argument if they are the same. Not for counters. */
const struct cell *cell_reconcile(const struct cell *a, const struct cell *b);
/* In order, and each cell once: two writes to one cell of one statement have one timestamp, and merge as such
 * do. Returns how many. */
uint32_t cells_sort(struct cell *cells, uint32_t count);
bool deletion_supersedes(struct deletion a, struct deletion b);
bool liveness_supersedes(struct liveness a, struct liveness b);

/* *into becomes into + from. */
void row_merge(struct arena *arena, struct row *into, const struct row *from);
/* Forgets what the row's own deletions cover, in place. Merging does it. */
void row_drop_covered(struct row *row);

/* What a reader sees at now_s under a deletion of its partition or range: deleted and expired things go, in
 * place. False: nothing lives. */
bool row_hide(struct row *row, struct deletion cover, int64_t now_s);

/* How many tombstones a reader passes in a row, as Cassandra counts them: dead cells, or else a dead row; not
 * what a deletion covers, nor what may be purged (dead before gc_before_s). Before row_hide. */
uint32_t row_count_dead(const struct row *row, struct deletion cover, int64_t now_s, int64_t gc_before_s);
/* Forgets for good, in place, what a deletion of its partition or range covers. True: something changed. */
bool row_sweep(struct row *row, struct deletion cover);

struct purge {
    int64_t expired_s;       /* what has expired by then is dead */
    int64_t gc_before_s;     /* now - gc_grace: tombstones made before it may go ... */
    int64_t purge_before_us; /* ... if their timestamp is below this: nothing older lies elsewhere */
};
/* What compaction may forget, in place; expired cells become tombstones first. True: something changed.
 * keep_deletion: a partition's record, whose deletion (and range tombstones) cover what compaction cannot
 * see. */
bool row_purge(struct row *row, const struct purge *purge, bool keep_deletion);
bool row_is_empty(const struct row *row);

#endif
