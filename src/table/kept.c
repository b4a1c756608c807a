/* Large rows that an owner looked into lately, for a place in a list or a condition, as they live,
 * behind the batch under way.
 *
 * l[i] = x on a list of 100 000 elements would otherwise read and take apart the whole row for one
 * path, each time. A row that is kept is held as living cells only. Each write of the row is told
 * here and changes what it changes. What cannot be told from living cells alone (deletions, expiry,
 * timestamps as old as what was deleted) makes the row be forgotten, and the next look reads it
 * again. So forgetting is always right, and only keeping must be proven: each function below that
 * returns false says "forget". */
#include "table/kept.h"

#include "base/hash.h"
#include "base/memory.h"
#include "row/fragment.h"
#include "row/merge.h"

#include <assert.h>

enum { KEPT_ROWS = 4, KEPT_BYTES_MAX = 32 << 20 };

struct kept_row {
    struct buffer key, record; /* owned: of the row, and of its partition's record; size 0: this place is free */
    uint64_t key_hash, record_hash;
    uint64_t schema_version;
    struct kept_row_view view; /* of `row` */
    struct row row;            /* its cells are owned */
    uint32_t capacity;         /* of them */
    struct arena *bytes;       /* owned: what they point to */
    size_t size;               /* of the row, as it was packed last */
    size_t written;            /* since, over and beside it */
    int64_t floor_us;          /* what is not newer may be dead for something that is not known here */
    uint64_t used;             /* when, by the number of uses */
};

struct kept_rows {
    struct kept_row rows[KEPT_ROWS];
    uint32_t count;
    size_t size;
    uint64_t uses;
    struct arena *scratch; /* owned */
};

struct kept_rows *kept_rows_new(void)
{
    struct kept_rows *kept = xcalloc(1, sizeof(*kept));

    kept->scratch = arena_new(4096);
    return kept;
}

/* Gives a place back, if a row is in it. */
static void forget(struct kept_rows *kept, struct kept_row *entry)
{
    if (!entry->bytes)
        return;
    assert(kept->count && kept->size >= entry->size);
    kept->count--;
    kept->size -= entry->size;
    free(entry->row.cells);
    arena_free(entry->bytes);
    buffer_fini(&entry->key);
    buffer_fini(&entry->record);
    *entry = (struct kept_row){ 0 };
}

void kept_rows_forget(struct kept_rows *kept)
{
    for (uint32_t i = 0; i < KEPT_ROWS; i++)
        forget(kept, &kept->rows[i]);
}

void kept_rows_free(struct kept_rows *kept)
{
    if (!kept)
        return;
    kept_rows_forget(kept);
    arena_free(kept->scratch);
    free(kept);
}

bool kept_rows_are_none(const struct kept_rows *kept)
{
    return !kept->count;
}

/* A row that was kept under another definition of its table is not good: columns may have been
 * dropped. */
const struct kept_row_view *kept_rows_find(struct kept_rows *kept, struct bytes key, uint64_t schema_version)
{
    for (uint32_t i = 0; i < KEPT_ROWS && kept->count; i++) {
        struct kept_row *entry = &kept->rows[i];

        if (!entry->bytes || !bytes_equal(buffer_bytes(&entry->key), key))
            continue;
        if (entry->schema_version != schema_version)
            break;
        entry->used = ++kept->uses;
        entry->view.live =
            entry->row.cell_count || entry->row.liveness.timestamp_us != TIMESTAMP_NONE ? &entry->row : NULL;
        return &entry->view;
    }
    return NULL;
}

/* The row that was used least lately goes, and more of them while all would be too large. A free
 * place counts as never used, so it is taken first. */
static struct kept_row *make_room(struct kept_rows *kept, size_t size)
{
    struct kept_row *oldest;

    do {
        oldest = &kept->rows[0];
        for (uint32_t i = 1; i < KEPT_ROWS; i++)
            if (kept->rows[i].used < oldest->used)
                oldest = &kept->rows[i];
        if (oldest->bytes && kept->size + size > KEPT_BYTES_MAX) {
            forget(kept, oldest);
            oldest->used = 0;
        }
    } while (kept->size + size > KEPT_BYTES_MAX && kept->count);
    forget(kept, oldest);
    assert(!oldest->bytes && kept->count < KEPT_ROWS);
    return oldest;
}

/* A cell's bytes are the command's or the store's: they move to the row's own memory. */
static void copy_bytes(struct kept_row *entry, struct cell *cell)
{
    if (!bytes_is_null(cell->path))
        cell->path = arena_copy(entry->bytes, cell->path);
    if (!bytes_is_null(cell->path_value))
        cell->path_value = arena_copy(entry->bytes, cell->path_value);
    if (!bytes_is_null(cell->value))
        cell->value = arena_copy(entry->bytes, cell->value);
}

/* Without the cell itself, which lies in the row's array. */
static size_t cell_bytes(const struct cell *cell)
{
    return cell->path.size + cell->path_value.size + cell->value.size;
}

/* What a row takes: cells and all their bytes. */
static size_t row_size(const struct row *row)
{
    size_t size = sizeof(struct cell) * row->cell_count;

    for (uint32_t i = 0; i < row->cell_count; i++)
        size += cell_bytes(&row->cells[i]);
    return size;
}

/* Only rows of plain living cells are kept: what expires would change by itself. */
void kept_rows_keep(struct kept_rows *kept, struct bytes key, struct bytes record, uint64_t schema_version,
                    const struct kept_row_view *view, int64_t floor_us)
{
    const struct row *live = view->live;
    size_t size = row_size(live);
    struct kept_row *entry;

    assert(key.size && record.size);
    for (uint32_t i = 0; i < live->cell_count; i++)
        if (live->cells[i].kind != CELL_LIVE)
            return;
    if (live->cell_count < KEPT_CELLS_MIN || size > KEPT_BYTES_MAX / 2 || live->liveness.ttl_s)
        return;
    assert(size && live->cells);
    kept_rows_forget_row(kept, key);
    entry = make_room(kept, size);
    *entry = (struct kept_row){ .key_hash = hash_seeded(0, key),
                                .record_hash = hash_seeded(0, record),
                                .schema_version = schema_version,
                                .view = *view,
                                .row = *live,
                                .capacity = live->cell_count + live->cell_count / 8,
                                .bytes = arena_new(1 << 16),
                                .size = size,
                                .floor_us = floor_us,
                                .used = ++kept->uses };
    buffer_append_bytes(&entry->key, key);
    buffer_append_bytes(&entry->record, record);
    if (!bytes_is_null(live->written_clustering))
        entry->row.written_clustering = arena_copy(entry->bytes, live->written_clustering);
    entry->row.cells = xmalloc(sizeof(struct cell) * entry->capacity);
    entry->row.cell_count = live->cell_count;
    for (uint32_t i = 0; i < live->cell_count; i++) {
        entry->row.cells[i] = live->cells[i];
        copy_bytes(entry, &entry->row.cells[i]);
    }
    kept->count++;
    kept->size += size;
    assert(kept->count <= KEPT_ROWS && kept->size <= KEPT_BYTES_MAX);
}

void kept_rows_forget_row(struct kept_rows *kept, struct bytes key)
{
    for (uint32_t i = 0; i < KEPT_ROWS; i++)
        if (kept->rows[i].bytes && bytes_equal(buffer_bytes(&kept->rows[i].key), key))
            forget(kept, &kept->rows[i]);
}

void kept_rows_forget_partition(struct kept_rows *kept, struct bytes record)
{
    for (uint32_t i = 0; i < KEPT_ROWS; i++)
        if (kept->rows[i].bytes && bytes_equal(buffer_bytes(&kept->rows[i].record), record))
            forget(kept, &kept->rows[i]);
}

/* ---- a write ---- */

/* Moves what stands behind it: cheap beside reading the row and taking it apart. The bytes of the
 * cell must be the row's already. */
static void insert_cell(struct kept_row *entry, uint32_t at, const struct cell *cell)
{
    struct row *row = &entry->row;

    assert(at <= row->cell_count && row->cell_count <= entry->capacity);
    if (row->cell_count == entry->capacity) {
        entry->capacity += entry->capacity / 2;
        row->cells = xrealloc(row->cells, sizeof(*row->cells) * entry->capacity);
    }
    memmove(&row->cells[at + 1], &row->cells[at], sizeof(*row->cells) * (row->cell_count - at));
    row->cells[at] = *cell;
    row->cell_count++;
}

static void remove_cell(struct kept_row *entry, uint32_t at)
{
    struct row *row = &entry->row;

    assert(at < row->cell_count);
    row->cell_count--;
    memmove(&row->cells[at], &row->cells[at + 1], sizeof(*row->cells) * (row->cell_count - at));
}

/* Replaced values stay in the row's memory until as much was written as the row was large. Then what
 * still stands moves to new memory. False: the row has become too small to be kept, or too large. */
static bool pack(struct kept_rows *kept, struct kept_row *entry)
{
    size_t size = row_size(&entry->row);
    struct arena *old = entry->bytes;

    if (entry->row.cell_count < KEPT_CELLS_MIN || size > KEPT_BYTES_MAX / 2 ||
        kept->size - entry->size + size > KEPT_BYTES_MAX)
        return false;
    assert(kept->size >= entry->size);
    kept->size += size - entry->size;
    entry->size = size;
    entry->written = 0;
    entry->bytes = arena_new(1 << 16);
    if (!bytes_is_null(entry->row.written_clustering))
        entry->row.written_clustering = arena_copy(entry->bytes, entry->row.written_clustering);
    for (uint32_t i = 0; i < entry->row.cell_count; i++)
        copy_bytes(entry, &entry->row.cells[i]);
    arena_free(old);
    return true;
}

/* What a written cell does to the row. False: it cannot be told. That is so for a cell that is not
 * newer than something that was deleted here: whether it lives depends on a tombstone that is not
 * kept. */
static bool write_cell(struct kept_row *entry, const struct cell *written)
{
    uint32_t at = row_find_cell(&entry->row, written);
    bool found = at < entry->row.cell_count && cell_compare(&entry->row.cells[at], written) == 0;
    struct cell cell = *written;

    if (written->timestamp_us > entry->view.newest_us)
        entry->view.newest_us = written->timestamp_us;
    if (written->kind == CELL_TOMBSTONE) {
        if (found && cell_reconcile(&entry->row.cells[at], written) == written)
            remove_cell(entry, at);
        if (written->timestamp_us > entry->floor_us)
            entry->floor_us = written->timestamp_us;
        return true;
    }
    if (written->kind != CELL_LIVE)
        return false;
    if (found && cell_reconcile(&entry->row.cells[at], written) != written)
        return true;
    if (!found && written->timestamp_us <= entry->floor_us)
        return false;
    assert(found || at == 0 || cell_compare(&entry->row.cells[at - 1], written) < 0); /* they stay in order */
    entry->written += sizeof(cell) + cell_bytes(&cell);
    copy_bytes(entry, &cell);
    if (found)
        entry->row.cells[at] = cell;
    else
        insert_cell(entry, at, &cell);
    return true;
}

/* The marker that an INSERT leaves, and the clustering as it was written. Both decide whether the
 * row lives, and how it is shown. False: it cannot be told. */
static bool write_marks(struct kept_row *entry, const struct row *written)
{
    struct liveness liveness = written->liveness;

    if (!bytes_is_null(written->written_clustering) &&
        !bytes_equal(written->written_clustering, entry->row.written_clustering))
        return false;
    if (liveness.timestamp_us == TIMESTAMP_NONE)
        return true;
    if (liveness.ttl_s || liveness.timestamp_us <= entry->floor_us)
        return false;
    if (liveness.timestamp_us > entry->view.newest_us)
        entry->view.newest_us = liveness.timestamp_us;
    if (liveness_supersedes(liveness, entry->row.liveness))
        entry->row.liveness = liveness;
    return true;
}

/* A fragment with a deletion of the row or of a collection makes it be forgotten. Half of a
 * fragment may have been applied when it returns false: the row is forgotten then, so nobody sees
 * it. */
static bool write_fragment(struct kept_rows *kept, struct kept_row *entry, struct bytes fragment)
{
    struct error ignored;
    struct row row;

    arena_reset(kept->scratch);
    if (row_decode(kept->scratch, fragment, &row, &ignored) || row.deletion.timestamp_us != TIMESTAMP_NONE ||
        row.complex_count || !write_marks(entry, &row))
        return false;
    for (uint32_t i = 0; i < row.cell_count; i++)
        if (!write_cell(entry, &row.cells[i]))
            return false;
    return entry->written <= entry->size || pack(kept, entry);
}

/* Called for each fragment that goes into the batch, so it compares hashes first. A deletion of the
 * partition concerns all rows of it. */
void kept_rows_wrote(struct kept_rows *kept, uint64_t hash, struct bytes key, struct bytes fragment)
{
    for (uint32_t i = 0; i < KEPT_ROWS && kept->count; i++) {
        struct kept_row *entry = &kept->rows[i];

        if (!entry->bytes)
            continue;
        if (entry->key_hash == hash && bytes_equal(buffer_bytes(&entry->key), key)) {
            if (!write_fragment(kept, entry, fragment))
                forget(kept, entry);
        } else if (entry->record_hash == hash && fragment.data[1] & FRAGMENT_DELETION &&
                   bytes_equal(buffer_bytes(&entry->record), key)) {
            forget(kept, entry);
        }
    }
}
