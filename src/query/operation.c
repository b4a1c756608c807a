/* Operations of INSERT, UPDATE and DELETE (SET v = ..., v = v + [...], DELETE m['k']) become
 * cells with the paths that row/ merges by. What an operation must know of the row, places in
 * a list or the old value of a sum, is asked: such a cell has an asked path (row/place.h),
 * and its owner finds the real one. Source: org.apache.cassandra.cql3.Operation and
 * cql3.terms, release 5.0. */
#include "query/operation.h"

#include "base/debug.h"
#include "row/counter.h"
#include "row/merge.h"
#include "row/place.h"
#include "types/calendar.h"

#include <assert.h>

/* A cell of the column, last in the list; the caller fills in what it is. */
static struct cell *add_cell(struct cell_list *list, const struct column_def *column)
{
    list->cells = arena_room(list->arena, list->cells, list->count, &list->capacity, 16, sizeof(*list->cells));
    assert(list->count < list->capacity);
    struct cell *cell = &list->cells[list->count++];
    *cell = (struct cell){ .column_id = column->id, .local_s = TIME_NONE };
    return cell;
}

/* The cell of a column that has only one. Operations come in the order of their columns, so a
 * second operation on the column finds it at the end; the later value replaces the earlier. */
static struct cell *only_cell(struct cell_list *list, const struct column_def *column)
{
    struct cell *last = list->count ? &list->cells[list->count - 1] : NULL;

    return last && last->column_id == column->id ? last : add_cell(list, column);
}

/* The deletion of a whole collection. TIMESTAMP_NONE is one before the least timestamp:
 * nothing can be as old as what it would cover, so there is no such deletion. */
static void add_complex(struct cell_list *list, const struct column_def *column, int64_t timestamp_us, int64_t now_s)
{
    if (timestamp_us == TIMESTAMP_NONE)
        return;
    if (list->complex_count && list->complexes[list->complex_count - 1].column_id == column->id)
        return; /* said twice */
    list->complexes = arena_room(list->arena, list->complexes, list->complex_count, &list->complex_capacity, 4,
                                 sizeof(*list->complexes));
    list->complexes[list->complex_count++] = (struct complex_deletion){ column->id, { timestamp_us, now_s } };
}

/* A cell with a value, which expires if the statement has a TTL. */
static void fill_live(struct cell *cell, const struct stamp *stamp, struct bytes value)
{
    debug_assert(!bytes_is_null(value) && stamp->ttl_s >= 0);
    cell->timestamp_us = stamp->timestamp_us;
    cell->value = value;
    if (stamp->ttl_s) {
        cell->kind = CELL_EXPIRING;
        cell->ttl_s = stamp->ttl_s;
        cell->local_s = stamp->expires_s;
    } else {
        cell->kind = CELL_LIVE;
    }
}

static void fill_tombstone(struct cell *cell, const struct stamp *stamp)
{
    cell->kind = CELL_TOMBSTONE;
    cell->timestamp_us = stamp->timestamp_us;
    cell->local_s = stamp->now_s;
}

/* Null in CQL deletes. */
static void fill(struct cell *cell, const struct stamp *stamp, struct bytes value)
{
    if (bytes_is_null(value))
        fill_tombstone(cell, stamp);
    else
        fill_live(cell, stamp, value);
}

/* The path of an element of a set, or of a map's key: its bytes in memcmp order. Where
 * different values have one path (1.0 and 1.00), the value is kept as it was written, because
 * reading shows it. */
static void set_path(struct cell_list *list, struct cell *cell, const struct type *type, struct bytes element)
{
    assert(!bytes_is_null(element));
    buffer_reset(list->scratch);
    value_encode_key(list->scratch, type, element, false);
    cell->path = arena_copy(list->arena, buffer_bytes(list->scratch));
    if (!value_key_is_injective(type))
        cell->path_value = element;
    list->sorted = false;
}

/* The path of a list's element: a time uuid with its bytes in order of time: version and
 * ticks, then clock sequence and node. So a list is read in the order in which it was
 * appended to. */
static void write_list_path(uint8_t *at, uint64_t ticks, uint64_t node)
{
    assert(ticks < UINT64_C(1) << 60);
    store_be64(at, (UINT64_C(1) << 60) | ticks);
    store_be64(at + 8, node);
}

/* A later time than all that this context has given out: two appends of one statement keep
 * their order. */
static void set_append_path(struct execution *execution, struct cell_list *list, struct cell *cell)
{
    struct uuid_source *uuids = &execution->context->uuids;
    uint8_t uuid[16], *at = arena_alloc(list->arena, 16);

    assert(execution->eval.functions.now_us >= 0);
    uuid_make_time(uuids, execution->eval.functions.now_us, uuid);
    write_list_path(at, uuids->last_ticks, uuids->node);
    cell->path = bytes_of(at, 16);
}

/* A prepended element must come before all others, also before those prepended earlier. As in
 * Cassandra it takes a time that is mirrored at 2010-01-01: the later the statement, the
 * smaller the time. The context's last one keeps two prepends of one microsecond apart. */
static void set_prepend_path(struct execution *execution, struct cell_list *list, struct cell *cell)
{
    const int64_t mirror = INT64_C(12623040000000000) + UUID_EPOCH_TICKS;
    uint64_t now = (uint64_t)(execution->eval.functions.now_us * 10 + UUID_EPOCH_TICKS);
    uint64_t ticks = (uint64_t)(2 * mirror) - now;
    uint64_t *last = &execution->context->last_prepend_ticks;
    uint8_t *at = arena_alloc(list->arena, 16);

    if (*last && ticks >= *last)
        ticks = *last - 1;
    *last = ticks;
    write_list_path(at, ticks, execution->context->uuids.node);
    cell->path = bytes_of(at, 16);
    list->sorted = false;
}

/* Adds a cell for each element of a collection, or for each field of a UDT that is not null.
 * Those of a list are appended. */
static void add_elements(struct execution *execution, struct cell_list *list, const struct column_def *column,
                         const struct stamp *stamp, struct bytes value)
{
    const struct type *type = column->type;
    struct value_iterator iterator;
    struct bytes element, mapped;

    assert(column->multicell);
    if (value.size == 0)
        return;
    assert(type_is_collection(type) || type->kind == TYPE_UDT);
    value_iterator_init(&iterator, type, value);
    for (uint16_t i = 0; value_iterator_next(&iterator, &element); i++) {
        struct cell *cell;

        switch (type->kind) {
        case TYPE_LIST:
            cell = add_cell(list, column);
            fill_live(cell, stamp, element);
            set_append_path(execution, list, cell);
            break;
        case TYPE_SET:
            cell = add_cell(list, column);
            fill_live(cell, stamp, bytes_of("", 0));
            set_path(list, cell, type->params[0], element);
            break;
        case TYPE_MAP:
            if (!value_iterator_next(&iterator, &mapped))
                return;
            cell = add_cell(list, column);
            fill_live(cell, stamp, mapped);
            set_path(list, cell, type->params[0], element);
            break;
        default: { /* udt */
            if (bytes_is_null(element))
                break;
            uint8_t *path = arena_alloc(list->arena, 2);
            store_be16(path, i);
            cell = add_cell(list, column);
            fill_live(cell, stamp, element);
            cell->path = bytes_of(path, 2);
            break;
        }
        }
    }
}

/* v = [1, 2] + v: the elements come before all others and keep their own order. */
static void prepend_elements(struct execution *execution, struct cell_list *list, const struct column_def *column,
                             const struct stamp *stamp, struct bytes value)
{
    uint32_t count = value.size >= 4 ? load_be32(value.data) : 0, kept = 0;
    struct bytes *elements = arena_alloc(list->arena, sizeof(*elements) * ((size_t)count + 1)), element;
    struct value_iterator iterator;

    assert(column->type->kind == TYPE_LIST && column->multicell);
    value_iterator_init(&iterator, column->type, value);
    while (kept < count && value_iterator_next(&iterator, &element))
        elements[kept++] = element;
    while (kept--) { /* the last first: each next one stands before it */
        struct cell *cell = add_cell(list, column);

        fill_live(cell, stamp, elements[kept]);
        set_prepend_path(execution, list, cell);
    }
}

/* v = v - {...}: a tombstone for each element that goes. Whether it is there need not be
 * known. */
static void tombstone_elements(struct cell_list *list, const struct column_def *column, const struct stamp *stamp,
                               const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes element;

    assert(column->multicell && column->type->kind != TYPE_LIST);
    if (value.size == 0)
        return;
    value_iterator_init(&iterator, type, value);
    while (value_iterator_next(&iterator, &element)) {
        struct cell *cell = add_cell(list, column);

        fill_tombstone(cell, stamp);
        set_path(list, cell, column->type->params[0], element);
    }
}

/* ---- operations that look at a list first: its owner does ---- */

/* Cells are sorted by column id, so those of a column stand together. */
const struct cell *row_cells_of(const struct row *row, uint32_t column_id, uint32_t *count)
{
    uint32_t first = 0;

    *count = 0;
    if (!row)
        return NULL;
    while (first < row->cell_count && row->cells[first].column_id != column_id)
        first++;
    while (first + *count < row->cell_count && row->cells[first + *count].column_id == column_id)
        ++*count;
    return row->cells + first;
}

/* Turns the cell's path into a question to whoever looks at the row. The number says which
 * operation of the statement asks, because operations see what those before them do. */
static void ask(struct cell_list *list, struct cell *cell, enum place_kind kind, struct bytes tail)
{
    cell->path = place_path(list->arena, list->number, kind, tail);
    list->has_places = true;
    list->sorted = false;
}

/* v[i] = x and DELETE v[i]. An index that is null or of a wrong size is asked as it is: the
 * owner says the error, as it says one of an index beyond the end, so that both have
 * Cassandra's order. */
static enum status index_operation(struct execution *execution, struct cell_list *list,
                                   const struct operation *operation, const struct stamp *stamp)
{
    struct error *err = execution->err;
    struct bytes index, value = { NULL, 0 };
    bool set = operation->kind == OPERATION_SET_INDEX;
    enum status status = expr_evaluate(operation->key, &execution->eval, &index, err);

    assert(operation->column->type->kind == TYPE_LIST);
    if (!status && set)
        status = expr_evaluate(operation->value, &execution->eval, &value, err);
    if (status)
        return status;
    if (native_is_unset(index))
        return set ? error_set(err, ERR_INVALID, "Invalid unset value for list index") : OK;
    if (native_is_unset(value))
        return OK;
    struct cell *cell = add_cell(list, operation->column);
    if (set)
        fill(cell, stamp, value);
    else
        fill_tombstone(cell, stamp);
    ask(list, cell, set ? PLACE_SET : PLACE_DELETE, index.size == 4 ? index : bytes_of("", 0));
    return OK;
}

/* v = v - [x]: all elements equal to x go. Which these are only the owner can see. */
static void discard_operation(struct cell_list *list, const struct operation *operation, const struct stamp *stamp,
                              struct bytes value)
{
    struct cell *cell = add_cell(list, operation->column);

    fill_tombstone(cell, stamp);
    cell->path_value = value;
    assert(operation->kind == OPERATION_REMOVE && operation->column->type->kind == TYPE_LIST);
    ask(list, cell, PLACE_DISCARD, bytes_of("", 0));
}

/* DELETE m[k], DELETE s[e]. The words of the errors, and that an unset set element is
 * ignored, are Cassandra's. */
static enum status delete_element(struct execution *execution, struct cell_list *list,
                                  const struct operation *operation, const struct stamp *stamp)
{
    const struct column_def *column = operation->column;
    struct bytes key;
    enum status status = expr_evaluate(operation->key, &execution->eval, &key, execution->err);
    bool map = column->type->kind == TYPE_MAP;

    assert(map || column->type->kind == TYPE_SET);
    if (status)
        return status;
    if (native_is_unset(key))
        return map ? error_set(execution->err, ERR_INVALID, "Invalid unset map key") : OK;
    if (bytes_is_null(key))
        return error_set(execution->err, ERR_INVALID, map ? "Invalid null map key" : "Invalid null set element");
    struct cell *cell = add_cell(list, column);
    fill_tombstone(cell, stamp);
    set_path(list, cell, column->type->params[0], key);
    return OK;
}

/* v[k] = x of a map. The order of the checks is Cassandra's: the key's before the value's. */
static enum status set_key(struct execution *execution, struct cell_list *list, const struct operation *operation,
                           const struct stamp *stamp, struct bytes value)
{
    struct bytes key;
    enum status status = expr_evaluate(operation->key, &execution->eval, &key, execution->err);

    if (status)
        return status;
    if (bytes_is_null(key))
        return error_set(execution->err, ERR_INVALID, "Invalid null map key");
    if (native_is_unset(key))
        return error_set(execution->err, ERR_INVALID, "Invalid unset map key");
    if (native_is_unset(value))
        return OK;
    struct cell *cell = add_cell(list, operation->column);
    fill(cell, stamp, value);
    set_path(list, cell, operation->column->type->params[0], key);
    return OK;
}

/* v = v + 1 of a counter: what the owner is asked to add. Two operations on one counter in a
 * statement become one cell with their sum. */
static enum status count(struct execution *execution, struct cell_list *list, const struct operation *operation,
                         const struct stamp *stamp, struct bytes value)
{
    bool down = operation->kind == OPERATION_COUNT_DOWN;
    struct cell *cell = list->count ? &list->cells[list->count - 1] : NULL;
    uint64_t delta;

    assert(operation->column->type->kind == TYPE_COUNTER);
    if (value.size != COUNTER_DELTA_BYTES)
        return error_set(execution->err, ERR_INVALID, "Invalid null value for counter increment");
    delta = load_be64(value.data);
    if (down && (int64_t)delta == INT64_MIN)
        return error_set(execution->err, ERR_INVALID,
                         "The negation of %lld overflows supported counter precision (signed 8 bytes integer)",
                         (long long)INT64_MIN);
    if (down)
        delta = -delta;
    if (cell && cell->column_id == operation->column->id) {
        delta += load_be64(cell->value.data);
    } else {
        cell = add_cell(list, operation->column);
        cell->kind = CELL_COUNTER;
        cell->timestamp_us = stamp->timestamp_us;
    }
    uint8_t *sum = arena_alloc(list->arena, COUNTER_DELTA_BYTES);
    store_be64(sum, delta);
    cell->value = bytes_of(sum, COUNTER_DELTA_BYTES);
    return OK;
}

/* v += 1 of a number or text under a condition: the owner adds. Cassandra meets a null here
 * with a NullPointerException; we say what is wrong. */
static enum status sum_operation(struct execution *execution, struct cell_list *list, const struct operation *operation,
                                 const struct stamp *stamp, struct bytes value)
{
    const struct column_def *column = operation->column;

    if (bytes_is_null(value_of_in(column->type, value)))
        return error_set(execution->err, ERR_INVALID, "Invalid null value for addition to column %.*s",
                         BYTES(column->name));
    struct cell *cell = add_cell(list, column);
    fill_live(cell, stamp, value);
    ask(list, cell, PLACE_SUM, bytes_of("", 0));
    return OK;
}

/* v.f = x and DELETE v.f of a UDT that is not frozen: the cell's path is the field's number in two
 * bytes, as in Cassandra. Fields may be named in any order, but cells lie in that of their paths,
 * so the list must be sorted. */
static void set_field(struct cell_list *list, const struct operation *operation, const struct stamp *stamp,
                      struct bytes value)
{
    struct cell *cell = add_cell(list, operation->column);
    uint8_t *path = arena_alloc(list->arena, 2);

    store_be16(path, (uint16_t)operation->field);
    cell->path = bytes_of(path, 2);
    fill(cell, stamp, operation->kind == OPERATION_SET_FIELD ? value : bytes_of(NULL, 0));
    list->sorted = false;
}

/* v = v - x. A list must be looked at to know which elements are x, so its owner does; elements of
 * sets and keys of maps are paths, which get tombstones unseen. */
static void remove_elements(struct cell_list *list, const struct operation *operation, const struct stamp *stamp,
                            struct bytes value)
{
    if (operation->column->type->kind == TYPE_LIST)
        discard_operation(list, operation, stamp, value);
    else
        tombstone_elements(list, operation->column, stamp, operation->value->type, value);
}

/* The cells of one operation. An unset value leaves the column as it is, except in v[k] = x,
 * where the key is checked first. */
static enum status apply_operation(struct execution *execution, struct cell_list *list,
                                   const struct operation *operation, const struct stamp *stamp)
{
    const struct column_def *column = operation->column;
    struct bytes value = { NULL, 0 };
    enum status status = OK;

    assert(column && column->kind != COLUMN_PARTITION_KEY && column->kind != COLUMN_CLUSTERING);
    if (operation->kind == OPERATION_SET_INDEX || operation->kind == OPERATION_DELETE_INDEX)
        return index_operation(execution, list, operation, stamp);
    if (operation->value) {
        status = expr_evaluate(operation->value, &execution->eval, &value, execution->err);
        if (status)
            return status;
        if (native_is_unset(value) && operation->kind != OPERATION_SET_KEY)
            return OK;
    }
    switch (operation->kind) {
    case OPERATION_SET: fill(only_cell(list, column), stamp, value); break;
    /* A collection that is set as a whole: what it had is deleted just before the new
     * elements. */
    case OPERATION_SET_COMPLEX:
        add_complex(list, column, stamp->before_us, stamp->now_s);
        if (!bytes_is_null(value))
            add_elements(execution, list, column, stamp, value);
        break;
    case OPERATION_ADD:
        if (!bytes_is_null(value))
            add_elements(execution, list, column, stamp, value);
        break;
    case OPERATION_PREPEND:
        if (!bytes_is_null(value))
            prepend_elements(execution, list, column, stamp, value);
        break;
    case OPERATION_REMOVE:
        if (!bytes_is_null(value))
            remove_elements(list, operation, stamp, value);
        break;
    case OPERATION_SET_KEY: return set_key(execution, list, operation, stamp, value);
    case OPERATION_SET_FIELD:
    case OPERATION_DELETE_FIELD: set_field(list, operation, stamp, value); break;
    case OPERATION_SUM: return sum_operation(execution, list, operation, stamp, value);
    case OPERATION_COUNT:
    case OPERATION_COUNT_DOWN: return count(execution, list, operation, stamp, value);
    case OPERATION_DELETE:
        if (column->multicell)
            add_complex(list, column, stamp->deletion_us, stamp->now_s);
        else
            fill_tombstone(only_cell(list, column), stamp);
        break;
    case OPERATION_DELETE_ELEMENT: return delete_element(execution, list, operation, stamp);
    case OPERATION_SET_INDEX:
    case OPERATION_DELETE_INDEX: break;
    }
    return OK;
}

/* Whether the operation depends on what is in the row. */
static bool looks_first(const struct operation *operation)
{
    switch (operation->kind) {
    case OPERATION_REMOVE: return operation->column->type->kind == TYPE_LIST;
    case OPERATION_SUM:
    case OPERATION_SET_INDEX:
    case OPERATION_DELETE_INDEX: return true;
    default: return false;
    }
}

/* Whether one of a column's operations looks at its list. Then all of them are asked, in
 * their order, so that each sees what those before it did. The column's operations begin at
 * `first`. */
static bool column_is_asked(const struct modify_plan *modify, uint32_t first)
{
    const struct column_def *column = modify->operations[first].column;

    for (uint32_t i = first; i < modify->operation_count && modify->operations[i].column == column; i++)
        if (looks_first(&modify->operations[i]))
            return true;
    return false;
}

/* Runs over the operations of columns of one kind. Cells are sorted at the end only if an
 * operation said that its cells may not be in order. */
enum status operations_make_cells(struct execution *execution, const struct modify_plan *modify, enum column_kind kind,
                                  const struct stamp *stamp, struct cell_list *list)
{
    bool asked = false;

    *list = (struct cell_list){ .arena = execution->eval.arena, .scratch = execution->eval.scratch, .sorted = true };
    assert(kind == COLUMN_REGULAR || kind == COLUMN_STATIC);
    if (modify->operation_count) {
        list->capacity = modify->operation_count;
        list->cells = arena_alloc(list->arena, sizeof(*list->cells) * list->capacity);
    }
    for (uint32_t i = 0; i < modify->operation_count; i++) {
        const struct operation *operation = &modify->operations[i];
        uint32_t before = list->count;

        if (operation->column->kind != kind)
            continue;
        if (modify->reads_first && (i == 0 || operation->column != modify->operations[i - 1].column))
            asked = column_is_asked(modify, i);
        list->number = i;
        enum status status = apply_operation(execution, list, operation, stamp);
        if (status)
            return status;
        for (; asked && !looks_first(operation) && before < list->count; before++)
            ask(list, &list->cells[before], PLACE_PATH, list->cells[before].path);
    }
    if (!list->sorted)
        list->count = cells_sort(list->cells, list->count);
    list->sorted = true;
    return OK;
}
