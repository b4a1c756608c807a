/* Gives operations on lists that must look first the paths of the elements they mean: l[i] = v,
 * DELETE l[i], l = l - [..]. Also v = v + 1, which must look at a value.
 *
 * A list's element is stored under a path that nobody knows but the row: a timeuuid. The statement
 * names an index or a value instead, so whoever has the row at hand translates. Cassandra does this
 * with a read before the write; here the owner does it, as the only writer, so nobody can change the
 * list in between.
 *
 * The operations of one statement see each other, as in Cassandra (Lists.java with
 * getPrefetchedRow): after DELETE l[0] the next operation counts without that element. So the list
 * is carried along in memory while the statement's operations go through it. Each change is applied
 * only when the next operation looks: most statements have one operation, and copy no list.
 *
 * All that is asked comes from a client. What it can get wrong is ERR_INVALID in Cassandra's words;
 * what only a damaged command can hold is ERR_CORRUPT. */
#include "row/place.h"

#include "base/bytes.h"
#include "row/merge.h"
#include "types/value.h"

#include <assert.h>
#include <stdlib.h>

/* Builds the asked path that row/place.h draws. The number in front keeps the operations of a
 * statement in their order when the cells are sorted by path. */
struct bytes place_path(struct arena *arena, uint32_t number, enum place_kind kind, struct bytes tail)
{
    uint8_t *at = arena_alloc(arena, PLACE_HEAD_BYTES + tail.size);

    assert(kind >= PLACE_PATH && kind <= PLACE_SUM && (tail.data || !tail.size));
    store_be32(at, number);
    at[4] = (uint8_t)kind;
    if (tail.size)
        memcpy(at + PLACE_HEAD_BYTES, tail.data, tail.size);
    return bytes_of(at, PLACE_HEAD_BYTES + tail.size);
}

/* One list while the operations of a statement go through it. */
struct finding {
    struct arena *arena;
    const struct table_def *def;
    struct error *err;
    const struct type *type;
    /* By path: what it holds now, live; timestamps as numbers. The row's, until it is changed. */
    const struct cell *list;
    uint32_t count;
    struct cell *own; /* `list`, once it was changed */
    bool has_put;     /* the last operation replaced an element, which is done when another looks */
    struct cell put;
    uint32_t put_at;
    struct cell *added; /* by this statement since it was last looked at */
    uint32_t added_count, added_capacity;
    struct cell *out;
    uint32_t out_count, out_capacity;
    uint32_t places;
};

/* A cell that waits for the owner's time is compared with cells that have one. The owner's time is
 * later than all it has given, so it counts as the latest there is, and the time just before it as
 * the one before. */
static int64_t as_number(int64_t timestamp_us)
{
    if (!timestamp_is_server(timestamp_us))
        return timestamp_us;
    return timestamp_us == TIMESTAMP_SERVER ? INT64_MAX : INT64_MAX - 1;
}

/* Adds a cell to the result: the asked one, with the path that was found for it. The result's cells
 * are sorted at the end, when all have paths of elements. */
static void give(struct finding *finding, const struct cell *asked, struct bytes path)
{
    struct cell *out;

    finding->out =
        arena_room(finding->arena, finding->out, finding->out_count, &finding->out_capacity, 16, sizeof(*out));
    assert(finding->out_count < finding->out_capacity);
    out = &finding->out[finding->out_count++];
    *out = *asked;
    out->path = path;
    out->path_value = (struct bytes){ 0 };
}

/* Notes a cell that this statement itself writes to the list, for the operations behind it. */
static void add(struct finding *finding, const struct cell *asked, struct bytes path)
{
    struct cell *added;

    finding->added =
        arena_room(finding->arena, finding->added, finding->added_count, &finding->added_capacity, 16, sizeof(*added));
    assert(finding->added_count < finding->added_capacity);
    added = &finding->added[finding->added_count++];
    *added = *asked;
    added->path = path;
    added->timestamp_us = as_number(asked->timestamp_us);
}

/* The list is the row's own array until something in it changes: a reader may hold that row, and
 * kept rows (table/kept.c) are used again. The one cell of room more lets an empty list be copied
 * too. */
static struct cell *own_list(struct finding *finding)
{
    if (finding->list == finding->own)
        return finding->own;
    finding->own = arena_alloc(finding->arena, sizeof(*finding->own) * ((size_t)finding->count + 1));
    if (finding->count)
        memcpy(finding->own, finding->list, sizeof(*finding->own) * finding->count);
    finding->list = finding->own;
    return finding->own;
}

/* Does what the last l[i] = v or DELETE l[i] asked for. */
static void settle_put(struct finding *finding)
{
    struct cell *list = own_list(finding);
    uint32_t at = finding->put_at;

    assert(finding->has_put && at < finding->count);
    finding->has_put = false;
    if (finding->put.kind != CELL_TOMBSTONE) {
        list[at] = finding->put;
        return;
    }
    finding->count--;
    memmove(list + at, list + at + 1, sizeof(*list) * (finding->count - at));
}

/* Brings the list up to date before an operation looks at it: what was replaced and what was added takes
 * its place, and dead elements go. A merge of two sorted lists, once for each time that somebody looks. */
static void settle(struct finding *finding)
{
    uint32_t a = 0, b = 0, count = 0;
    struct cell *merged;

    if (finding->has_put)
        settle_put(finding);
    if (!finding->added_count)
        return;
    finding->added_count = cells_sort(finding->added, finding->added_count);
    merged = arena_alloc(finding->arena, sizeof(*merged) * ((size_t)finding->count + finding->added_count));
    while (a < finding->count || b < finding->added_count) {
        int order = a == finding->count         ? 1
                    : b == finding->added_count ? -1
                                                : cell_compare(&finding->list[a], &finding->added[b]);
        const struct cell *cell = order < 0   ? &finding->list[a++]
                                  : order > 0 ? &finding->added[b++]
                                              : cell_reconcile(&finding->list[a++], &finding->added[b++]);

        if (cell->kind != CELL_TOMBSTONE)
            merged[count++] = *cell;
    }
    assert(a == finding->count && b == finding->added_count && count <= a + b);
    finding->list = finding->own = merged;
    finding->count = count;
    finding->added_count = 0;
}

/* Replaces an element's cell where it stands: its path stays, so the list keeps its order. The old
 * cell may win, if its timestamp is higher than the statement's: then the statement changes nothing
 * that it sees later. */
static void put(struct finding *finding, const struct cell *asked, uint32_t at)
{
    struct cell cell = *asked;

    assert(at < finding->count && !finding->has_put && !finding->added_count);
    cell.path = finding->list[at].path;
    cell.timestamp_us = as_number(asked->timestamp_us);
    finding->put = *cell_reconcile(&finding->list[at], &cell);
    finding->put_at = at;
    finding->has_put = true;
    give(finding, asked, cell.path);
}

/* l[i] = v and DELETE l[i]: the index counts the live elements, from 0. The errors' words are
 * Cassandra's. */
static enum status find_index(struct finding *finding, const struct cell *asked, enum place_kind kind)
{
    int32_t at;

    if (asked->path.size == PLACE_HEAD_BYTES)
        return error_set(finding->err, ERR_INVALID, "Invalid null value for list index");
    at = (int32_t)load_be32(asked->path.data + PLACE_HEAD_BYTES);
    settle(finding);
    assert(!finding->has_put && !finding->added_count);
    if (finding->count == 0)
        return error_set(finding->err, ERR_INVALID,
                         kind == PLACE_SET ? "Attempted to set an element on a list which is null"
                                           : "Attempted to delete an element from a list which is null");
    if (at < 0 || (uint32_t)at >= finding->count)
        return error_set(finding->err, ERR_INVALID, "List index %d out of bound, list has size %u", at, finding->count);
    put(finding, asked, (uint32_t)at);
    return OK;
}

/* l = l - [..]: each element of an unwanted value gets a tombstone. Values are compared by their
 * bytes, as in Cassandra: 1.0 is not 1.00. The unwanted are sorted first and then found by halves,
 * since a client chooses how long both lists are, and comparing each with each would hold the shard
 * for seconds. */
static void find_values(struct finding *finding, const struct cell *asked)
{
    const struct type *bytes_type = type_native(TYPE_BLOB);
    struct bytes packed = asked->path_value, element, *unwanted;
    uint32_t max = packed.size >= 4 ? load_be32(packed.data) : 0, count = 0, kept = 0;
    struct value_iterator iterator;
    struct cell *list;

    /* The count in front of a packed list comes from a client: each element takes at least four
     * bytes, so more than the size allows are not there, and no memory is taken for them. */
    settle(finding);
    if (max > packed.size / 4)
        max = (uint32_t)(packed.size / 4);
    unwanted = arena_alloc(finding->arena, sizeof(*unwanted) * ((size_t)max + 1));
    if (max)
        value_iterator_init(&iterator, finding->type, packed);
    while (count < max && value_iterator_next(&iterator, &element))
        unwanted[count++] = element;
    count = value_sort(bytes_type, unwanted, count);
    assert(count <= max);
    list = own_list(finding);
    for (uint32_t i = 0; i < finding->count; i++) {
        const struct cell *cell = &list[i];

        if (value_find(bytes_type, unwanted, count, cell->value)) {
            give(finding, asked, cell->path);
            /* An element that is newer than this deletion stays, though the tombstone is written:
             * merging decides so too. */
            if (as_number(asked->timestamp_us) >= cell->timestamp_us)
                continue;
        }
        list[kept++] = *cell;
    }
    assert(kept <= finding->count);
    finding->count = kept;
}

/* One operation on a list. The number of operations that look is limited: each costs a pass through
 * the list. */
static enum status find_one(struct finding *finding, const struct cell *asked)
{
    enum place_kind kind = asked->path.size >= PLACE_HEAD_BYTES ? (enum place_kind)asked->path.data[4] : 0;
    size_t tail = asked->path.size - PLACE_HEAD_BYTES;

    if (kind != PLACE_PATH && ++finding->places > PLACES_MAX)
        return error_set(finding->err, ERR_INVALID, "A statement may not look at more than %d places of a row's lists",
                         PLACES_MAX);
    assert(kind == PLACE_PATH || finding->places > 0);
    switch (kind) {
    case PLACE_PATH: {
        struct bytes path = bytes_of(asked->path.data + PLACE_HEAD_BYTES, tail);

        /* An element that the statement appends or prepends: it brings its path, and only has to be
         * seen by those behind. */
        give(finding, asked, path);
        add(finding, asked, path);
        return OK;
    }
    case PLACE_SET:
    case PLACE_DELETE:
        if (tail == 4 || tail == 0)
            return find_index(finding, asked, kind);
        break;
    case PLACE_DISCARD:
        if (tail == 0 && asked->kind == CELL_TOMBSTONE) {
            find_values(finding, asked);
            return OK;
        }
        break;
    case PLACE_SUM: break;
    }
    return error_set(finding->err, ERR_CORRUPT, "an operation on a list that nobody asks");
}

/* The list as the first operation of the statement sees it: as it is stored, without what the
 * statement itself deletes of it as a whole (l = [..] deletes before it writes). */
static void begin_list(struct finding *finding, const struct row *asked, const struct row *live, uint32_t column_id)
{
    int64_t deleted_us = TIMESTAMP_NONE;
    uint32_t first = live ? row_find_column(live, column_id) : 0, count = 0;
    struct cell *list;

    assert(!live || live->cells || !live->cell_count);
    finding->list = live ? live->cells + first : NULL;
    finding->count = live ? row_find_column(live, column_id + 1) - first : 0;
    finding->own = NULL;
    finding->added_count = 0;
    finding->has_put = false;
    assert(!live || first + finding->count <= live->cell_count);
    for (uint32_t i = 0; i < asked->complex_count; i++)
        if (asked->complexes[i].column_id == column_id)
            deleted_us = as_number(asked->complexes[i].deletion.timestamp_us);
    if (deleted_us == TIMESTAMP_NONE)
        return;
    /* Only now is the row's array copied: without a deletion it is read where it lies. */
    list = own_list(finding);
    for (uint32_t i = 0; i < finding->count; i++)
        if (list[i].timestamp_us > deleted_us)
            list[count++] = list[i];
    finding->count = count;
}

/* v = v + x: the sum of what is there and what is asked. Of several operations on one column each
 * sees what those before it did, so the result of the last one is carried on in the cell that was
 * given last. Nothing is added to null: no cell is written then, and the column stays null, as in
 * Cassandra. */
static enum status find_sum(struct finding *finding, const struct cell *asked, const struct row *live, place_sum sum)
{
    struct cell *out = finding->out_count ? &finding->out[finding->out_count - 1] : NULL;
    struct bytes current = { 0 }, result;
    bool again = out && out->column_id == asked->column_id;
    enum status status;

    if (asked->path.size != PLACE_HEAD_BYTES || asked->path.data[4] != PLACE_SUM || !sum)
        return error_set(finding->err, ERR_CORRUPT, "an operation on a value that nobody asks");
    for (uint32_t i = 0; live && i < live->cell_count; i++)
        if (live->cells[i].column_id == asked->column_id)
            current = live->cells[i].value;
    if (again)
        current = out->value;
    if (bytes_is_null(current))
        return OK;
    status = sum(finding->arena, finding->type, current, asked->value, &result, finding->err);
    if (status)
        return status;
    if (!again)
        give(finding, asked, (struct bytes){ 0 });
    assert(finding->out_count > 0 && finding->out[finding->out_count - 1].column_id == asked->column_id);
    finding->out[finding->out_count - 1].value = result;
    return OK;
}

/* Whether a cell of a list has an asked path: a path of an element has exactly 16 bytes, an asked
 * one never has. */
static bool is_asked(const struct cell *cell, const struct column_def *column)
{
    enum { LIST_PATH_BYTES = 16 };

    return column->multicell && column->type->kind == TYPE_LIST && cell->path.size != LIST_PATH_BYTES;
}

/* What must hold: the cells of `asked` are sorted, so those of one column are neighbours and its
 * operations stand in their order. Nothing is written, and `live` is only read: the command may run
 * again from the beginning. */
enum status place_find(struct arena *arena, const struct table_def *def, struct row *asked, const struct row *live,
                       place_sum sum, struct error *err)
{
    struct finding finding = { .arena = arena, .def = def, .err = err };
    const struct column_def *column = NULL;
    bool began = false;

    for (uint32_t i = 0; i < asked->cell_count; i++) {
        const struct cell *cell = &asked->cells[i];
        enum status status;

        assert(i == 0 || asked->cells[i - 1].column_id <= asked->cells[i].column_id);
        if (i == 0 || cell->column_id != asked->cells[i - 1].column_id) {
            column = table_def_column_by_id(def, cell->column_id);
            began = false;
            if (!column)
                return error_set(err, ERR_STALE, "a column of an operation was dropped");
        }
        finding.type = column->type;
        if (!column->multicell && cell->path.size) {
            status = find_sum(&finding, cell, live, sum);
            if (status)
                return status;
            continue;
        }
        if (!is_asked(cell, column)) {
            give(&finding, cell, cell->path);
            finding.out[finding.out_count - 1].path_value = cell->path_value;
            continue;
        }
        if (!began) {
            begin_list(&finding, asked, live, column->id);
            began = true;
        }
        status = find_one(&finding, cell);
        if (status)
            return status;
    }
    assert(finding.out || !finding.out_count);
    asked->cells = finding.out;
    asked->cell_count = cells_sort(finding.out, finding.out_count);
    return OK;
}
