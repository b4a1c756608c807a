/* How versions of a row become one, what a reader sees of it, and what compaction may forget of it.
 *
 * A row is written in pieces that never look at each other; the newest value of each cell wins, by
 * timestamp, as in Cassandra. The store merges versions whenever it meets them: on reads, flushes
 * and compactions, in any grouping. So everything that row_merge does must be commutative,
 * associative and idempotent. Every tie therefore has a rule that looks only at the two versions,
 * never at the time or at which came first.
 *
 * The rules are Cassandra's (release 5.0: Cells.reconcile, Rows.merge, LivenessInfo.supersedes,
 * DeletionTime.supersedes): tests/vectors/row_merge.txt records what its own classes do, and
 * merge_test.c compares. merge_test.c also tries the three laws on random rows.
 *
 * Nothing here reads a clock: `now` comes from the caller, and only where something is hidden or
 * purged. What is passed in is sorted by (column id, path), each cell once; decoding has checked
 * that. */
#include "row/merge.h"

#include "base/debug.h"
#include "row/counter.h"

#include <assert.h>
#include <stdlib.h>

/* The order of cells in a row and in a stored fragment. A simple column's cell has no path, and
 * sorts as one with an empty path. */
int cell_compare(const struct cell *a, const struct cell *b)
{
    if (a->column_id != b->column_id)
        return a->column_id < b->column_id ? -1 : 1;
    return bytes_compare(a->path, b->path);
}

/* A binary search: a list or a map may have 100 000 cells. */
uint32_t row_find_cell(const struct row *row, const struct cell *asked)
{
    uint32_t low = 0, high = row->cell_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (cell_compare(&row->cells[middle], asked) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low == high && low <= row->cell_count);
    return low;
}

/* A cell without a path stands before all others of its column, so looking for it finds the column's
 * first. */
uint32_t row_find_column(const struct row *row, uint32_t column_id)
{
    return row_find_cell(row, &(struct cell){ .column_id = column_id });
}

/* Of two deletions the later one covers all that the earlier one covers. Of one timestamp the one
 * that was made later stays longer (gc_grace counts from when it was made). TIMESTAMP_NONE is no
 * deletion: it supersedes nothing, whatever its other field says. */
bool deletion_supersedes(struct deletion a, struct deletion b)
{
    return a.timestamp_us != b.timestamp_us ? a.timestamp_us > b.timestamp_us
                                            : a.deleted_s > b.deleted_s && a.timestamp_us != TIMESTAMP_NONE;
}

/* Of two row markers one stays. On a timestamp tie the one that expires wins, as in Cassandra, where
 * this is the same rule as for cells: what can die beats what cannot. Of two that expire the later
 * one stays. */
bool liveness_supersedes(struct liveness a, struct liveness b)
{
    if (a.timestamp_us != b.timestamp_us)
        return a.timestamp_us > b.timestamp_us;
    if (!a.ttl_s != !b.ttl_s)
        return a.ttl_s != 0;
    if (a.expires_s != b.expires_s)
        return a.expires_s > b.expires_s;
    /* No client sees a marker's TTL: the choice only must not depend on the order of the two. */
    return a.ttl_s < b.ttl_s; /* nobody sees it; it only must not depend on the order */
}

/* What is a tombstone or will become one. Cassandra treats the two alike in ties: see
 * cell_reconcile. */
static bool can_die(const struct cell *cell)
{
    return cell->kind == CELL_EXPIRING || cell->kind == CELL_TOMBSTONE;
}

/* Which of two versions of one cell stays. What must hold: both are of one column and one path.
 * Counters are merged by merge_cell, since of them neither is thrown away. */
const struct cell *cell_reconcile(const struct cell *a, const struct cell *b)
{
    int order;

    assert(a->column_id == b->column_id);
    if (a->timestamp_us != b->timestamp_us)
        return a->timestamp_us > b->timestamp_us ? a : b;
    /* A tie. A tombstone beats a value, and so does a value that expires: the result must be the
     * same whether the two meet before or after it has expired. */
    if (can_die(a) != can_die(b))
        return can_die(a) ? a : b;
    if (can_die(a)) {
        if (a->kind != b->kind)
            return a->kind == CELL_TOMBSTONE ? a : b;
        if (a->local_s != b->local_s)
            return a->local_s > b->local_s ? a : b;
        if (a->ttl_s != b->ttl_s) /* the shorter life was begun later */
            return a->ttl_s < b->ttl_s ? a : b;
    }
    /* Two live values of one timestamp: the larger bytes win, as in Cassandra. Nothing better is
     * known. */
    order = bytes_compare(a->value, b->value);
    if (order)
        return order > 0 ? a : b;
    /* The same element may have been written in two forms (1.0 and 1.00): one is kept, and one that
     * is there beats one that is missing. */
    order = bytes_compare(a->path_value, b->path_value);
    return order > 0 || (order == 0 && (!bytes_is_null(a->path_value) || bytes_is_null(b->path_value))) ? a : b;
}

static int compare_cells(const void *a, const void *b)
{
    return cell_compare(a, b);
}

/* Brings the cells of a statement, or of several fragments, in order. Two writes of one statement to
 * one cell have one timestamp; they merge as two versions do, so the order in which a statement
 * names them is nothing. */
uint32_t cells_sort(struct cell *cells, uint32_t count)
{
    uint32_t kept = 0;

    assert(cells || !count);
    if (count) /* none may be nowhere */
        qsort(cells, count, sizeof(*cells), compare_cells);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && cell_compare(&cells[kept - 1], &cells[i]) == 0)
            cells[kept - 1] = *cell_reconcile(&cells[kept - 1], &cells[i]);
        else
            cells[kept++] = cells[i];
    }
    assert(kept <= count);
    return kept;
}

/* One cell of two versions of it. Counters add up over their origins, and everything else is
 * last-write-wins. */
static struct cell merge_cell(struct arena *arena, const struct cell *a, const struct cell *b)
{
    struct cell merged;

    debug_assert(a->column_id == b->column_id && a->kind <= CELL_COUNTER && b->kind <= CELL_COUNTER);
    if (a->kind == CELL_COUNTER && b->kind == CELL_COUNTER) {
        merged = *a;
        if (b->timestamp_us > merged.timestamp_us)
            merged.timestamp_us = b->timestamp_us;
        merged.value = counter_merge(arena, a->value, b->value);
        return merged;
    }
    /* A counter's tombstone wins whatever the timestamps, as in Cassandra: a deleted counter does not come back. */
    if (a->kind == CELL_COUNTER && b->kind == CELL_TOMBSTONE)
        return *b;
    if (b->kind == CELL_COUNTER && a->kind == CELL_TOMBSTONE)
        return *a;
    return *cell_reconcile(a, b);
}

/* The deletion of a whole collection. Rows have few of them: a search by halves would cost more than
 * it saves. */
static struct deletion complex_deletion_of(const struct row *row, uint32_t column_id)
{
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (row->complexes[i].column_id == column_id)
            return row->complexes[i].deletion;
    return DELETION_NONE;
}

/* A deletion covers what was written up to its own timestamp, that one included: a delete and a
 * write of one timestamp leave nothing. */
static bool covers(struct deletion deletion, int64_t timestamp_us)
{
    return deletion.timestamp_us != TIMESTAMP_NONE && timestamp_us <= deletion.timestamp_us;
}

/* A merge of two sorted lists of deletions of collections. `into` gets an array of its own, never
 * that of `from`, because row_drop_covered and row_purge change it in place. */
static void merge_complexes(struct arena *arena, struct row *into, const struct row *from)
{
    struct complex_deletion *out;
    uint32_t a = 0, b = 0, count = 0;

    if (!from->complex_count)
        return;
    if (!into->complex_count) {
        into->complexes = arena_alloc(arena, sizeof(*out) * from->complex_count);
        memcpy(into->complexes, from->complexes, sizeof(*out) * from->complex_count);
        into->complex_count = from->complex_count;
        return;
    }
    out = arena_alloc(arena, sizeof(*out) * (into->complex_count + from->complex_count));
    while (a < into->complex_count || b < from->complex_count) {
        if (b == from->complex_count ||
            (a < into->complex_count && into->complexes[a].column_id < from->complexes[b].column_id)) {
            out[count++] = into->complexes[a++];
        } else if (a == into->complex_count || from->complexes[b].column_id < into->complexes[a].column_id) {
            out[count++] = from->complexes[b++];
        } else {
            out[count++] = deletion_supersedes(from->complexes[b].deletion, into->complexes[a].deletion)
                               ? from->complexes[b]
                               : into->complexes[a];
            a++;
            b++;
        }
    }
    assert(a == into->complex_count && b == from->complex_count);
    assert(count >= a && count >= b);
    into->complexes = out;
    into->complex_count = count;
}

/* A merge of two sorted lists of cells. One pass, whatever their sizes: a small write to a large row
 * costs the large row. row/semantics.c gathers small writes first for that reason. */
static void merge_cells(struct arena *arena, struct row *into, const struct row *from)
{
    struct cell *out;
    uint32_t a = 0, b = 0, count = 0;

    if (!from->cell_count)
        return;
    if (!into->cell_count) {
        /* Copied, since hiding and purging work in place. */
        into->cells = arena_alloc(arena, sizeof(*out) * from->cell_count);
        memcpy(into->cells, from->cells, sizeof(*out) * from->cell_count);
        into->cell_count = from->cell_count;
        return;
    }
    out = arena_alloc(arena, sizeof(*out) * (into->cell_count + from->cell_count));
    while (a < into->cell_count || b < from->cell_count) {
        int order = a == into->cell_count   ? 1
                    : b == from->cell_count ? -1
                                            : cell_compare(&into->cells[a], &from->cells[b]);

        if (order < 0)
            out[count++] = into->cells[a++];
        else if (order > 0)
            out[count++] = from->cells[b++];
        else
            out[count++] = merge_cell(arena, &into->cells[a++], &from->cells[b++]);
    }
    assert(a == into->cell_count && b == from->cell_count);
    assert(count >= a && count >= b);
    into->cells = out;
    into->cell_count = count;
}

/* Drops what the row's own deletions cover: the deletions say it all. A deletion stays even when it
 * covers nothing here, because another version of the row, elsewhere in the store, may hold what it
 * covers. */
void row_drop_covered(struct row *row)
{
    uint32_t count = 0;

    if (row->deletion.timestamp_us == TIMESTAMP_NONE && !row->complex_count)
        return;
    if (covers(row->deletion, row->liveness.timestamp_us))
        row->liveness = LIVENESS_NONE;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];

        if (!covers(row->deletion, cell->timestamp_us) &&
            !covers(complex_deletion_of(row, cell->column_id), cell->timestamp_us))
            row->cells[count++] = *cell;
    }
    debug_assert(count <= row->cell_count);
    row->cell_count = count;
    count = 0;
    /* A collection's deletion that is not newer than the row's covers nothing that the row's does
     * not. */
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (deletion_supersedes(row->complexes[i].deletion, row->deletion))
            row->complexes[count++] = row->complexes[i];
    row->complex_count = count;
}

/* What a caller may rely on: `from` is only read; what `into` points at afterwards is in the arena
 * or borrowed from both rows. The last step is part of the law: without it the result would depend
 * on whether a cell met its deletion before or after another version of itself. */
void row_merge(struct arena *arena, struct row *into, const struct row *from)
{
    assert(into != from);
    if (liveness_supersedes(from->liveness, into->liveness))
        into->liveness = from->liveness;
    if (deletion_supersedes(from->deletion, into->deletion))
        into->deletion = from->deletion;
    into->has_range_tombstones |= from->has_range_tombstones;
    /* Any written form of the clustering stands for the row; the larger one, so that the order does not matter. */
    if (bytes_is_null(into->written_clustering) ||
        (!bytes_is_null(from->written_clustering) &&
         bytes_compare(from->written_clustering, into->written_clustering) > 0))
        into->written_clustering = from->written_clustering;
    merge_complexes(arena, into, from);
    merge_cells(arena, into, from);
    row_drop_covered(into);
}

/* What expires is dead from the second in which it expires, as in Cassandra. */
static bool is_live(const struct cell *cell, int64_t now_s)
{
    return cell->kind != CELL_TOMBSTONE && (cell->kind != CELL_EXPIRING || cell->local_s > now_s);
}

/* Turns a row as it is stored into what a client may see. All deletions are applied and forgotten,
 * so that who assembles the result needs to know only cells and the row marker. A row lives if it
 * has a marker or at least one live cell: this is why an UPDATE that sets all columns to null leaves
 * no row, and an INSERT does. */
bool row_hide(struct row *row, struct deletion cover, int64_t now_s)
{
    struct deletion deletion = deletion_supersedes(row->deletion, cover) ? row->deletion : cover;
    uint32_t count = 0;

    if (covers(deletion, row->liveness.timestamp_us) || (row->liveness.ttl_s && row->liveness.expires_s <= now_s))
        row->liveness = LIVENESS_NONE;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];

        if (!is_live(cell, now_s) || covers(deletion, cell->timestamp_us) ||
            (row->complex_count && covers(complex_deletion_of(row, cell->column_id), cell->timestamp_us)))
            continue;
        /* Most rows lose nothing: then nothing is copied. */
        if (count != i)
            row->cells[count] = *cell;
        count++;
    }
    debug_assert(count <= row->cell_count);
    row->cell_count = count;
    row->complex_count = 0;
    row->deletion = DELETION_NONE;
    return count || row->liveness.timestamp_us != TIMESTAMP_NONE;
}

/* For tombstone_warn_threshold and tombstone_failure_threshold. The rules are those of Cassandra's
 * ReadCommand.withMetricsRecording and of the purger that runs before it: what is old enough to be
 * purged is not counted, though it may still lie in the store. */
uint32_t row_count_dead(const struct row *row, struct deletion cover, int64_t now_s, int64_t gc_before_s)
{
    struct deletion deletion = deletion_supersedes(row->deletion, cover) ? row->deletion : cover;
    bool any_live = false,
         any_deletion = deletion_supersedes(row->deletion, cover) && row->deletion.deleted_s >= gc_before_s;
    uint32_t dead = 0;

    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        /* A cell that has expired counts as a tombstone made when it was written: gc_grace counts
         * from there. */
        int64_t died_s = cell->kind == CELL_EXPIRING ? cell->local_s - cell->ttl_s : cell->local_s;

        if (covers(deletion, cell->timestamp_us) ||
            (row->complex_count && covers(complex_deletion_of(row, cell->column_id), cell->timestamp_us)))
            continue;
        if (is_live(cell, now_s))
            any_live = true;
        else if (died_s >= gc_before_s)
            dead++;
    }
    assert(dead <= row->cell_count);
    /* A dead row counts once, and only if nothing in it was counted. */
    if (dead || any_live)
        return dead;
    if (row->liveness.timestamp_us != TIMESTAMP_NONE && !covers(deletion, row->liveness.timestamp_us)) {
        if (!row->liveness.ttl_s || row->liveness.expires_s > now_s)
            return 0;
        any_deletion |= row->liveness.expires_s >= gc_before_s;
    }
    for (uint32_t i = 0; i < row->complex_count; i++)
        any_deletion |= deletion_supersedes(row->complexes[i].deletion, deletion) &&
                        row->complexes[i].deletion.deleted_s >= gc_before_s;
    return any_deletion;
}

/* The sweeper's part (table/sweep.c): what a deletion of the partition or of a range covers goes for
 * good. Only after that may the deletion itself go. Unlike row_hide it keeps everything else, also
 * what is dead. */
bool row_sweep(struct row *row, struct deletion cover)
{
    uint32_t cells = 0, complexes = 0;
    bool changed = false;

    if (row->liveness.timestamp_us != TIMESTAMP_NONE && covers(cover, row->liveness.timestamp_us)) {
        row->liveness = LIVENESS_NONE;
        changed = true;
    }
    if (row->deletion.timestamp_us != TIMESTAMP_NONE && covers(cover, row->deletion.timestamp_us)) {
        row->deletion = DELETION_NONE;
        changed = true;
    }
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (!covers(cover, row->cells[i].timestamp_us))
            row->cells[cells++] = row->cells[i];
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (!covers(cover, row->complexes[i].deletion.timestamp_us))
            row->complexes[complexes++] = row->complexes[i];
    assert(cells <= row->cell_count && complexes <= row->complex_count);
    changed |= cells != row->cell_count || complexes != row->complex_count;
    row->cell_count = cells;
    row->complex_count = complexes;
    return changed;
}

/* A tombstone may be forgotten when two things hold. gc_grace is over: until then a write with an
 * older timestamp may still come, and must stay hidden. And nothing older lies elsewhere in the
 * store, which would otherwise be seen again: purge_before_us is the engine's promise about that. */
static bool may_go(const struct purge *purge, int64_t timestamp_us, int64_t local_s)
{
    assert(timestamp_us != TIMESTAMP_NONE);
    return local_s < purge->gc_before_s && timestamp_us < purge->purge_before_us;
}

/* Cells that have expired become tombstones first and may go as such. A cell that has expired is not
 * simply dropped: it still covers older versions of itself that lie elsewhere. */
static bool purge_cells(struct row *row, const struct purge *purge)
{
    uint32_t count = 0;
    bool changed = false;

    for (uint32_t i = 0; i < row->cell_count; i++) {
        struct cell cell = row->cells[i];

        if (cell.kind == CELL_EXPIRING && cell.local_s <= purge->expired_s) {
            /* The tombstone counts as made when the cell was written, as in Cassandra (Cell.purge):
             * a TTL longer than gc_grace then needs no gc_grace on top. The value goes now; only its
             * absence matters. */
            cell.kind = CELL_TOMBSTONE;
            cell.local_s -= cell.ttl_s;
            cell.ttl_s = TTL_NONE;
            cell.value = (struct bytes){ 0 };
            changed = true;
        }
        if (cell.kind == CELL_TOMBSTONE && may_go(purge, cell.timestamp_us, cell.local_s)) {
            changed = true;
            continue;
        }
        row->cells[count++] = cell;
    }
    debug_assert(count <= row->cell_count);
    row->cell_count = count;
    return changed;
}

/* What compaction, which sees all versions of a row, may forget. A partition's own record keeps its
 * deletion (keep_deletion): what that covers are other keys, which compaction does not see together
 * with it. The sweeper takes those away. */
bool row_purge(struct row *row, const struct purge *purge, bool keep_deletion)
{
    uint32_t count = 0;
    bool changed;

    row_drop_covered(row); /* first: a deletion must not go before what it covers */
    changed = purge_cells(row, purge);

    if (row->liveness.ttl_s && row->liveness.expires_s <= purge->expired_s &&
        may_go(purge, row->liveness.timestamp_us, row->liveness.expires_s)) {
        row->liveness = LIVENESS_NONE;
        changed = true;
    }
    if (!keep_deletion && row->deletion.timestamp_us != TIMESTAMP_NONE &&
        may_go(purge, row->deletion.timestamp_us, row->deletion.deleted_s)) {
        row->deletion = DELETION_NONE;
        changed = true;
    }
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (!may_go(purge, row->complexes[i].deletion.timestamp_us, row->complexes[i].deletion.deleted_s))
            row->complexes[count++] = row->complexes[i];
    changed |= count != row->complex_count;
    row->complex_count = count;
    return changed;
}

bool row_is_empty(const struct row *row)
{
    return row->liveness.timestamp_us == TIMESTAMP_NONE && row->deletion.timestamp_us == TIMESTAMP_NONE &&
           !row->cell_count && !row->complex_count && !row->has_range_tombstones;
}
