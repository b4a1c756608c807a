#include "row/place.h"

#include "base/bytes.h"
#include "row/merge.h"
#include "types/value.h"

#include <stdlib.h>

struct bytes place_path(struct arena *arena, uint32_t number, enum place_kind kind, struct bytes tail)
{
    uint8_t *at = arena_alloc(arena, PLACE_HEAD_BYTES + tail.size);

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
    struct cell *list; /* by path: what it holds now, live; timestamps as numbers */
    uint32_t count, capacity;
    struct cell *added; /* by this statement since it was last looked at */
    uint32_t added_count, added_capacity;
    struct cell *out;
    uint32_t out_count, out_capacity;
    uint32_t places;
};

/* The owner's time is later than all it has given: in comparisons it is the last there is. */
static int64_t as_number(int64_t timestamp_us)
{
    if (!timestamp_is_server(timestamp_us))
        return timestamp_us;
    return timestamp_us == TIMESTAMP_SERVER ? INT64_MAX : INT64_MAX - 1;
}

static void give(struct finding *finding, const struct cell *asked, struct bytes path)
{
    struct cell *out;

    finding->out =
        arena_room(finding->arena, finding->out, finding->out_count, &finding->out_capacity, 16, sizeof(*out));
    out = &finding->out[finding->out_count++];
    *out = *asked;
    out->path = path;
    out->path_value = (struct bytes){ 0 };
}

static void add(struct finding *finding, const struct cell *asked, struct bytes path)
{
    struct cell *added;

    finding->added =
        arena_room(finding->arena, finding->added, finding->added_count, &finding->added_capacity, 16, sizeof(*added));
    added = &finding->added[finding->added_count++];
    *added = *asked;
    added->path = path;
    added->timestamp_us = as_number(asked->timestamp_us);
}

/* What was added takes its place in the list; dead elements go. */
static void settle(struct finding *finding)
{
    uint32_t a = 0, b = 0, count = 0;
    struct cell *merged;

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
    finding->list = merged;
    finding->count = count;
    finding->added_count = 0;
}

/* An element's cell is replaced where it stands. */
static void put(struct finding *finding, const struct cell *asked, uint32_t at)
{
    struct cell cell = *asked;

    cell.path = finding->list[at].path;
    cell.timestamp_us = as_number(asked->timestamp_us);
    cell = *cell_reconcile(&finding->list[at], &cell);
    give(finding, asked, cell.path);
    if (cell.kind != CELL_TOMBSTONE) {
        finding->list[at] = cell;
        return;
    }
    finding->count--;
    memmove(finding->list + at, finding->list + at + 1, sizeof(*finding->list) * (finding->count - at));
}

static enum status find_index(struct finding *finding, const struct cell *asked, enum place_kind kind)
{
    int32_t at;

    if (asked->path.size == PLACE_HEAD_BYTES)
        return error_set(finding->err, ERR_INVALID, "Invalid null value for list index");
    at = (int32_t)load_be32(asked->path.data + PLACE_HEAD_BYTES);
    settle(finding);
    if (finding->count == 0)
        return error_set(finding->err, ERR_INVALID,
                         kind == PLACE_SET ? "Attempted to set an element on a list which is null"
                                           : "Attempted to delete an element from a list which is null");
    if (at < 0 || (uint32_t)at >= finding->count)
        return error_set(finding->err, ERR_INVALID, "List index %d out of bound, list has size %u", at, finding->count);
    put(finding, asked, (uint32_t)at);
    return OK;
}

/* Sorted first: a client chooses how long both lists are. */
static void find_values(struct finding *finding, const struct cell *asked)
{
    const struct type *element_type = finding->type->params[0];
    struct bytes packed = asked->path_value, element, *unwanted;
    uint32_t max = packed.size >= 4 ? load_be32(packed.data) : 0, count = 0, kept = 0;
    struct value_iterator iterator;

    settle(finding);
    if (max > packed.size / 4)
        max = (uint32_t)(packed.size / 4);
    unwanted = arena_alloc(finding->arena, sizeof(*unwanted) * ((size_t)max + 1));
    if (max)
        value_iterator_init(&iterator, finding->type, packed);
    while (count < max && value_iterator_next(&iterator, &element))
        unwanted[count++] = element;
    count = value_sort(element_type, unwanted, count);
    for (uint32_t i = 0; i < finding->count; i++) {
        struct cell *cell = &finding->list[i];

        if (value_find(element_type, unwanted, count, cell->value)) {
            give(finding, asked, cell->path);
            if (as_number(asked->timestamp_us) >= cell->timestamp_us)
                continue;
        }
        finding->list[kept++] = *cell;
    }
    finding->count = kept;
}

static enum status find_one(struct finding *finding, const struct cell *asked)
{
    enum place_kind kind = asked->path.size >= PLACE_HEAD_BYTES ? (enum place_kind)asked->path.data[4] : 0;
    size_t tail = asked->path.size - PLACE_HEAD_BYTES;

    if (kind != PLACE_PATH && ++finding->places > PLACES_MAX)
        return error_set(finding->err, ERR_INVALID, "A statement may not look at more than %d places of a row's lists",
                         PLACES_MAX);
    switch (kind) {
    case PLACE_PATH: {
        struct bytes path = bytes_of(asked->path.data + PLACE_HEAD_BYTES, tail);

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
    }
    return error_set(finding->err, ERR_CORRUPT, "an operation on a list that nobody asks");
}

/* The list as it is, but what the statement deletes of it as a whole. */
static void begin_list(struct finding *finding, const struct row *asked, const struct row *live, uint32_t column_id)
{
    int64_t deleted_us = TIMESTAMP_NONE;
    uint32_t first = 0, count = 0;

    finding->list = NULL;
    finding->count = finding->added_count = 0;
    for (uint32_t i = 0; i < asked->complex_count; i++)
        if (asked->complexes[i].column_id == column_id)
            deleted_us = as_number(asked->complexes[i].deletion.timestamp_us);
    while (live && first < live->cell_count && live->cells[first].column_id != column_id)
        first++;
    while (live && first + count < live->cell_count && live->cells[first + count].column_id == column_id)
        count++;
    finding->list = arena_alloc(finding->arena, sizeof(*finding->list) * ((size_t)count + 1));
    for (uint32_t i = 0; i < count; i++)
        if (live->cells[first + i].timestamp_us > deleted_us)
            finding->list[finding->count++] = live->cells[first + i];
}

static bool is_asked(const struct cell *cell, const struct column_def *column)
{
    enum { LIST_PATH_BYTES = 16 };

    return column->multicell && column->type->kind == TYPE_LIST && cell->path.size != LIST_PATH_BYTES;
}

enum status place_find(struct arena *arena, const struct table_def *def, struct row *asked, const struct row *live,
                       struct error *err)
{
    struct finding finding = { .arena = arena, .def = def, .err = err };
    const struct column_def *column = NULL;
    bool began = false;

    for (uint32_t i = 0; i < asked->cell_count; i++) {
        const struct cell *cell = &asked->cells[i];

        if (i == 0 || cell->column_id != asked->cells[i - 1].column_id) {
            column = table_def_column_by_id(def, cell->column_id);
            began = false;
            if (!column)
                return error_set(err, ERR_STALE, "a column of an operation was dropped");
        }
        if (!is_asked(cell, column)) {
            give(&finding, cell, cell->path);
            finding.out[finding.out_count - 1].path_value = cell->path_value;
            continue;
        }
        if (!began) {
            begin_list(&finding, asked, live, column->id);
            finding.type = column->type;
            began = true;
        }
        enum status status = find_one(&finding, cell);
        if (status)
            return status;
    }
    asked->cells = finding.out;
    asked->cell_count = cells_sort(finding.out, finding.out_count);
    return OK;
}
