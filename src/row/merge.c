#include "row/merge.h"

#include "row/counter.h"

#include <assert.h>
#include <stdlib.h>

int cell_compare(const struct cell *a, const struct cell *b)
{
    if (a->column_id != b->column_id)
        return a->column_id < b->column_id ? -1 : 1;
    return bytes_compare(a->path, b->path);
}

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
    return low;
}

uint32_t row_find_column(const struct row *row, uint32_t column_id)
{
    return row_find_cell(row, &(struct cell){ .column_id = column_id });
}

bool deletion_supersedes(struct deletion a, struct deletion b)
{
    return a.timestamp_us != b.timestamp_us ? a.timestamp_us > b.timestamp_us
                                            : a.deleted_s > b.deleted_s && a.timestamp_us != TIMESTAMP_NONE;
}

/* On a timestamp tie what expires wins, and of two that expire the later one. */
bool liveness_supersedes(struct liveness a, struct liveness b)
{
    if (a.timestamp_us != b.timestamp_us)
        return a.timestamp_us > b.timestamp_us;
    if (!a.ttl_s != !b.ttl_s)
        return a.ttl_s != 0;
    if (a.expires_s != b.expires_s)
        return a.expires_s > b.expires_s;
    return a.ttl_s < b.ttl_s; /* nobody sees it; it only must not depend on the order */
}

static bool can_die(const struct cell *cell)
{
    return cell->kind == CELL_EXPIRING || cell->kind == CELL_TOMBSTONE;
}

const struct cell *cell_reconcile(const struct cell *a, const struct cell *b)
{
    int order;

    if (a->timestamp_us != b->timestamp_us)
        return a->timestamp_us > b->timestamp_us ? a : b;
    /* A tie. Tombstones beat values, and so does what will become one, so that the outcome does not depend on when it is asked. */
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
    order = bytes_compare(a->value, b->value);
    if (order)
        return order > 0 ? a : b;
    order = bytes_compare(a->path_value, b->path_value);
    return order > 0 || (order == 0 && (!bytes_is_null(a->path_value) || bytes_is_null(b->path_value))) ? a : b;
}

static int compare_cells(const void *a, const void *b)
{
    return cell_compare(a, b);
}

uint32_t cells_sort(struct cell *cells, uint32_t count)
{
    uint32_t kept = 0;

    if (count) /* none may be nowhere */
        qsort(cells, count, sizeof(*cells), compare_cells);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && cell_compare(&cells[kept - 1], &cells[i]) == 0)
            cells[kept - 1] = *cell_reconcile(&cells[kept - 1], &cells[i]);
        else
            cells[kept++] = cells[i];
    }
    return kept;
}

static struct cell merge_cell(struct arena *arena, const struct cell *a, const struct cell *b)
{
    struct cell merged;

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

static struct deletion complex_deletion_of(const struct row *row, uint32_t column_id)
{
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (row->complexes[i].column_id == column_id)
            return row->complexes[i].deletion;
    return DELETION_NONE;
}

static bool covers(struct deletion deletion, int64_t timestamp_us)
{
    return deletion.timestamp_us != TIMESTAMP_NONE && timestamp_us <= deletion.timestamp_us;
}

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
    into->complexes = out;
    into->complex_count = count;
}

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
    into->cells = out;
    into->cell_count = count;
}

/* Drops what the row's own deletions cover: the deletions say it all. A deletion stays even when it covers nothing here. */
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
    row->cell_count = count;
    count = 0;
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (deletion_supersedes(row->complexes[i].deletion, row->deletion))
            row->complexes[count++] = row->complexes[i];
    row->complex_count = count;
}

void row_merge(struct arena *arena, struct row *into, const struct row *from)
{
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

static bool is_live(const struct cell *cell, int64_t now_s)
{
    return cell->kind != CELL_TOMBSTONE && (cell->kind != CELL_EXPIRING || cell->local_s > now_s);
}

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
        if (count != i)
            row->cells[count] = *cell;
        count++;
    }
    row->cell_count = count;
    row->complex_count = 0;
    row->deletion = DELETION_NONE;
    return count || row->liveness.timestamp_us != TIMESTAMP_NONE;
}

uint32_t row_count_dead(const struct row *row, struct deletion cover, int64_t now_s, int64_t gc_before_s)
{
    struct deletion deletion = deletion_supersedes(row->deletion, cover) ? row->deletion : cover;
    bool any_live = false,
         any_deletion = deletion_supersedes(row->deletion, cover) && row->deletion.deleted_s >= gc_before_s;
    uint32_t dead = 0;

    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        int64_t died_s = cell->kind == CELL_EXPIRING ? cell->local_s - cell->ttl_s : cell->local_s;

        if (covers(deletion, cell->timestamp_us) ||
            (row->complex_count && covers(complex_deletion_of(row, cell->column_id), cell->timestamp_us)))
            continue;
        if (is_live(cell, now_s))
            any_live = true;
        else if (died_s >= gc_before_s)
            dead++;
    }
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
    changed |= cells != row->cell_count || complexes != row->complex_count;
    row->cell_count = cells;
    row->complex_count = complexes;
    return changed;
}

static bool may_go(const struct purge *purge, int64_t timestamp_us, int64_t local_s)
{
    return local_s < purge->gc_before_s && timestamp_us < purge->purge_before_us;
}

static bool purge_cells(struct row *row, const struct purge *purge)
{
    uint32_t count = 0;
    bool changed = false;

    for (uint32_t i = 0; i < row->cell_count; i++) {
        struct cell cell = row->cells[i];

        if (cell.kind == CELL_EXPIRING && cell.local_s <= purge->now_s) {
            /* Expired: a tombstone made when the cell was written. */
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
    row->cell_count = count;
    return changed;
}

bool row_purge(struct row *row, const struct purge *purge, bool keep_deletion)
{
    uint32_t count = 0;
    bool changed;

    row_drop_covered(row); /* first: a deletion must not go before what it covers */
    changed = purge_cells(row, purge);

    if (row->liveness.ttl_s && row->liveness.expires_s <= purge->now_s &&
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
