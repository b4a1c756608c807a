/* What stored values mean, as callbacks of the engine: how versions fold into one, and what
 * compaction may drop.
 *
 * The engine calls these on its own threads, in any grouping, and has no way to handle an error. So
 * merging never fails: what cannot be decoded is carried along as it is, in a list beside the folded
 * rest. A later version may read it, a DELETE heals it, `helenus check` tells of it. It is never
 * dropped silently.
 *
 * The outcome must not depend on the grouping, byte for byte: folded rows are encoded anew,
 * unreadable fragments are kept sorted and each once. merge_test.c tries this on random values.
 *
 * A row that is written often would be gone through once for every small write (a list of 100 000
 * elements and appends to it). Small operands are therefore gathered first, and merged into a large
 * row together. */
#include "row/semantics.h"

#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { ARENA_BYTES = 16 << 10 };

/* The callbacks run for every value that is read in several versions and every one that is
 * compacted. Making an arena for each would cost more than the merge, so each thread keeps one. */
static _Thread_local struct arena *thread_arena; /* owned; freed when the thread ends */
static pthread_key_t thread_arena_key;
static pthread_once_t thread_arena_once = PTHREAD_ONCE_INIT;

static void free_thread_arena(void *arena)
{
    arena_free(arena);
}

/* The only use of the key is that an engine's thread frees its arena when it ends. */
static void make_key(void)
{
    if (pthread_key_create(&thread_arena_key, free_thread_arena))
        abort(); /* out of memory */
}

/* An empty arena, good until this thread's next callback: callbacks do not nest. */
static struct arena *scratch_arena(void)
{
    if (thread_arena) {
        arena_reset(thread_arena);
        return thread_arena;
    }
    pthread_once(&thread_arena_once, make_key);
    thread_arena = arena_new(ARENA_BYTES);
    if (pthread_setspecific(thread_arena_key, thread_arena))
        abort();
    return thread_arena;
}

/* A fragment as an element of a list: its size, and it. Values reach 4 GiB nowhere: commands are
 * limited far below. */
static void append_listed(struct buffer *result, struct bytes fragment)
{
    assert(fragment.size <= UINT32_MAX);
    buffer_append_be32(result, (uint32_t)fragment.size);
    buffer_append_bytes(result, fragment);
}

/* A row of more cells than this is not gone through again for every operand: theirs are gathered first. */
enum { SMALL_ROW_CELLS = 64, GATHERED_MIN = 1024 };

/* A merge at work. row and gathered together are what was folded so far; settle brings them
 * together. */
struct folding {
    struct arena *arena;
    struct row row;
    bool any;            /* row holds something */
    struct row gathered; /* what came since: all but its cells, which lie in the order they came */
    bool any_gathered;
    struct buffer cells;  /* owned: they */
    struct buffer unread; /* owned: what can't be decoded, as list elements, sorted and without repetition */
};

/* Keeps an unreadable fragment in byte order with the others, each once, so that the outcome does
 * not depend on the order of merging. The list is copied for each: unreadable fragments are few. */
static void keep_unread(struct folding *f, struct bytes fragment)
{
    struct buffer sorted = { 0 };
    const uint8_t *at = f->unread.data, *end = f->unread.size ? at + f->unread.size : at;
    bool placed = false;

    while (at < end) {
        struct bytes other = bytes_of(at + 4, load_be32(at));
        int order = placed ? -1 : bytes_compare(other, fragment);

        if (order == 0)
            placed = true;
        if (order > 0) {
            append_listed(&sorted, fragment);
            placed = true;
        }
        append_listed(&sorted, other);
        at += 4 + other.size;
    }
    assert(at == end);
    if (!placed)
        append_listed(&sorted, fragment);
    buffer_fini(&f->unread);
    f->unread = sorted;
}

/* Cells are gathered as they lie in memory, in a buffer. */
static uint32_t gathered_count(const struct folding *f)
{
    assert(f->cells.size % sizeof(struct cell) == 0);
    return (uint32_t)(f->cells.size / sizeof(struct cell));
}

/* What was gathered becomes part of the row. Sorting makes one cell of several versions of it, so
 * the cells that were gathered must not be counters, of which none may be thrown away: see
 * is_to_gather. */
static void settle(struct folding *f)
{
    if (!f->any_gathered)
        return;
    assert(f->any && !f->gathered.cell_count);
    f->gathered.cells = (struct cell *)f->cells.data;
    f->gathered.cell_count = cells_sort(f->gathered.cells, gathered_count(f));
    row_merge(f->arena, &f->row, &f->gathered);
    f->gathered = ROW_EMPTY;
    f->any_gathered = false;
    buffer_reset(&f->cells);
}

/* Puts a small row aside instead of merging it. Its head is merged at once, its cells are only
 * appended. As many cells are gathered as the row has before they are merged: so each cell of the
 * row is met a few times only, however many operands there are. */
static void gather(struct folding *f, const struct row *row)
{
    struct row head = *row;

    assert(f->any && f->row.cell_count > SMALL_ROW_CELLS);
    head.cell_count = 0;
    row_merge(f->arena, &f->gathered, &head);
    f->any_gathered = true;
    buffer_append(&f->cells, row->cells, sizeof(*row->cells) * row->cell_count);
    if (gathered_count(f) >= GATHERED_MIN && gathered_count(f) >= f->row.cell_count)
        settle(f);
}

/* Whether gathering is worth it and allowed: the row is large, the operand smaller, and neither of
 * counters, whose cells add up instead of replacing each other. */
static bool is_to_gather(const struct folding *f, const struct row *row)
{
    return f->row.cell_count > SMALL_ROW_CELLS && row->cell_count < f->row.cell_count &&
           f->row.cells[0].kind != CELL_COUNTER && !(row->cell_count && row->cells[0].kind == CELL_COUNTER);
}

/* One fragment into what was folded so far. The first one becomes the row: it is fresh from
 * decoding, and its arrays are ours to change. */
static void fold_fragment(struct folding *f, struct bytes fragment)
{
    struct error ignored;
    struct row row;

    if (!fragment_is_stamped(fragment) || fragment_decode(f->arena, fragment, &row, &ignored)) {
        keep_unread(f, fragment);
        return;
    }
    if (!f->any) {
        f->row = row;
    } else if (is_to_gather(f, &row)) {
        gather(f, &row);
    } else {
        settle(f);
        row_merge(f->arena, &f->row, &row);
    }
    f->any = true;
}

/* A value is a fragment, or a list of them if an earlier merge met one that it could not read. */
static void fold_value(struct folding *f, struct bytes value)
{
    const uint8_t *at, *end;

    if (!value.size || value.data[0] != FRAGMENT_LIST) {
        fold_fragment(f, value);
        return;
    }
    at = value.data + 1;
    end = value.data + value.size;
    while (end - at >= 4 && load_be32(at) <= (size_t)(end - at - 4)) {
        fold_fragment(f, bytes_of(at + 4, load_be32(at)));
        at += 4 + load_be32(at);
    }
    assert(at <= end);
    if (at != end)
        fold_fragment(f, bytes_of(at, (size_t)(end - at))); /* damaged: kept for whoever can read it */
}

/* What a deletion of the row covers is gone, read or not. This is how a DELETE heals a row that
 * cannot be read. */
static void drop_covered_unread(struct folding *f)
{
    const uint8_t *at = f->unread.data, *end = f->unread.size ? at + f->unread.size : at;
    struct buffer left = { 0 };

    if (f->row.deletion.timestamp_us == TIMESTAMP_NONE)
        return;
    for (; at < end; at += 4 + load_be32(at)) {
        struct bytes fragment = bytes_of(at + 4, load_be32(at));

        if (!fragment_is_covered(fragment, f->row.deletion))
            append_listed(&left, fragment);
    }
    assert(at == end && left.size <= f->unread.size);
    buffer_fini(&f->unread);
    f->unread = left;
}

/* A single operand on nothing is returned as it came: this is by far the most usual call (a flush of
 * a row that was written once). Otherwise all is folded, and the outcome encoded; it is a list only
 * if something could not be read. */
void row_semantics_merge(struct bytes existing, const struct bytes *operands, size_t operand_count,
                         struct buffer *result)
{
    struct folding f = { .row = ROW_EMPTY, .gathered = ROW_EMPTY };

    if (bytes_is_null(existing) && operand_count == 1) {
        buffer_append_bytes(result, operands[0]);
        return;
    }
    assert(operand_count > 0 || !bytes_is_null(existing));
    f.arena = scratch_arena();
    if (!bytes_is_null(existing))
        fold_value(&f, existing);
    for (size_t i = 0; i < operand_count; i++)
        fold_value(&f, operands[i]);
    settle(&f);
    row_drop_covered(&f.row); /* also when only one could be read */
    if (f.unread.size)
        drop_covered_unread(&f);
    if (!f.unread.size) {
        fragment_encode(result, &f.row);
    } else {
        buffer_append_u8(result, FRAGMENT_LIST);
        if (f.any) {
            size_t at = result->size;

            /* The size is not known yet; it is written behind the encoding. */
            buffer_append_be32(result, 0);
            fragment_encode(result, &f.row);
            store_be32(result->data + at, (uint32_t)(result->size - at - 4));
        }
        buffer_append_bytes(result, buffer_bytes(&f.unread));
    }
    assert(result->size > 0 && !f.any_gathered);
    buffer_fini(&f.cells);
    buffer_fini(&f.unread);
}

/* What compaction does with a value of which it sees all versions. A request looks at what expires by
 * the time when it began, compaction by its own: so it takes nothing that a request of the last
 * minute may still see, which would find some rows of a partition as they were and others as they
 * are now. What cannot be read, and lists, stay as they are. Range tombstones stay too: what they cover are other keys, so only the sweeper
 * may take them (table/sweep.c). */
enum row_verdict row_semantics_filter(struct bytes key, struct bytes value, int64_t now_us, int64_t purge_before_us,
                                      int32_t gc_grace_s, struct buffer *changed)
{
    int64_t now_s = now_us / 1000000;
    struct purge purge = { now_s - PURGE_AFTER_S, now_s - gc_grace_s, purge_before_us };
    struct arena *arena = scratch_arena();
    struct buffer scratch CLEANUP(buffer_fini) = { 0 };
    struct key_parts parts;
    struct error ignored;
    struct row row;

    assert(gc_grace_s >= 0);
    if (key_decode(key, &scratch, &parts, &ignored) || parts.kind == KEY_RANGE)
        return ROW_KEEP;
    if (!value.size || value.data[0] == FRAGMENT_LIST || fragment_decode(arena, value, &row, &ignored))
        return ROW_KEEP;
    if (!row_purge(&row, &purge, parts.kind == KEY_PARTITION) && !row_is_empty(&row))
        return ROW_KEEP;
    if (row_is_empty(&row))
        return ROW_REMOVE;
    fragment_encode(changed, &row);
    return ROW_CHANGE;
}

/* Most values hold nothing that expires or is deleted. This says so without decoding them, and the
 * filter goes on. */
bool row_semantics_can_shrink(struct bytes value)
{
    struct fragment_summary summary;

    return value.size && value.data[0] != FRAGMENT_LIST && fragment_summarize(value, &summary) && summary.can_shrink;
}

/* How old the oldest thing in a value is. The engine keeps the least of a file, and a tombstone may
 * go only when all other files are newer. INT64_MIN, "as old as can be", holds everything back: it
 * is the safe answer. */
int64_t row_semantics_min_timestamp_us(struct bytes value)
{
    struct fragment_summary summary;

    /* A list holds what could not be read: nothing is promised about it. */
    if (!value.size || value.data[0] == FRAGMENT_LIST || !fragment_summarize(value, &summary))
        return INT64_MIN;
    return summary.min_timestamp_us;
}
