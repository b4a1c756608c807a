/* Executing INSERT, UPDATE, DELETE and BATCH: values become fragments, fragments become one command per partition.
 *
 * List operations by index, and removal of list elements by value, read the row here first and then write by the paths they
 * found, as Cassandra does: between the two another write may change the list, and the later one stands by timestamp. */
#include "query/execute.h"

#include "row/key.h"

#include <poll.h>
#include <stdlib.h>

enum { FRAGMENTS_MAX = 1 << 20, BATCH_PARTITIONS_MAX = 65535, PARTS_HASHED = 16 };
#define EXPIRES_MAX_S    INT64_C(2147483646) /* as Cassandra 5.0 with its default storage compatibility mode */
#define UUID_EPOCH_TICKS INT64_C(0x01b21dd213814000)

/* What all cells of one statement share. */
struct stamp {
    int64_t timestamp_us;
    int64_t before_us; /* the deletion that an overwritten collection carries */
    int32_t ttl_s;
    int64_t expires_s;
    int64_t now_s;
};

struct cell_list {
    struct arena *arena;
    struct buffer *scratch;
    struct cell *cells;
    uint32_t count, capacity;
    struct complex_deletion *complexes;
    uint32_t complex_count, complex_capacity;
    bool sorted;
};

struct write_part {
    const struct table_def *table;
    struct bytes key;
    int64_t token;
    struct table_fragment *fragments;
    uint32_t count, capacity;
};

struct write_set {
    struct arena *arena;
    struct write_part *parts;
    uint32_t *slots; /* open addressing by token, once there are many: index + 1 */
    uint32_t slot_count;
    uint32_t count, capacity;
    uint32_t fragment_count;
};

/* ---- cells ---- */

static struct cell *add_cell(struct cell_list *list, const struct column_def *column)
{
    list->cells = arena_room(list->arena, list->cells, list->count, &list->capacity, 16, sizeof(*list->cells));
    struct cell *cell = &list->cells[list->count++];
    *cell = (struct cell){ .column_id = column->id, .local_s = TIME_NONE };
    return cell;
}

static void add_complex(struct cell_list *list, const struct column_def *column, int64_t timestamp_us, int64_t now_s)
{
    list->complexes = arena_room(list->arena, list->complexes, list->complex_count, &list->complex_capacity, 4,
                                 sizeof(*list->complexes));
    list->complexes[list->complex_count++] = (struct complex_deletion){ column->id, { timestamp_us, now_s } };
}

static void fill_live(struct cell *cell, const struct stamp *stamp, struct bytes value)
{
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

static void fill(struct cell *cell, const struct stamp *stamp, struct bytes value)
{
    if (bytes_is_null(value))
        fill_tombstone(cell, stamp);
    else
        fill_live(cell, stamp, value);
}

static void set_path(struct cell_list *list, struct cell *cell, const struct type *type, struct bytes element)
{
    buffer_reset(list->scratch);
    value_encode_key(list->scratch, type, element, false);
    cell->path = arena_copy(list->arena, buffer_bytes(list->scratch));
    if (!value_key_is_injective(type))
        cell->path_value = element;
    list->sorted = false;
}

/* A list's path: a time uuid whose bytes are in order of time: version and ticks, then clock sequence and node. */
static void write_list_path(uint8_t *at, uint64_t ticks, uint64_t node)
{
    store_be64(at, (UINT64_C(1) << 60) | ticks);
    store_be64(at + 8, node);
}

static void set_append_path(struct execution *execution, struct cell_list *list, struct cell *cell)
{
    struct uuid_source *uuids = &execution->context->uuids;
    uint8_t uuid[16], *at = arena_alloc(list->arena, 16);

    uuid_make_time(uuids, execution->eval.functions.now_us, uuid);
    write_list_path(at, uuids->last_ticks, uuids->node);
    cell->path = bytes_of(at, 16);
}

/* Prepended elements take times mirrored at 2010-01-01, ever smaller, as Cassandra's do. */
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

/* Cells of a collection or udt value; appended ones for a list. */
static void add_elements(struct execution *execution, struct cell_list *list, const struct column_def *column,
                         const struct stamp *stamp, struct bytes value)
{
    const struct type *type = column->type;
    struct value_iterator iterator;
    struct bytes element, mapped;

    if (value.size == 0)
        return;
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

static void prepend_elements(struct execution *execution, struct cell_list *list, const struct column_def *column,
                             const struct stamp *stamp, struct bytes value)
{
    uint32_t count = value.size >= 4 ? load_be32(value.data) : 0, kept = 0;
    struct bytes *elements = arena_alloc(list->arena, sizeof(*elements) * ((size_t)count + 1)), element;
    struct value_iterator iterator;

    value_iterator_init(&iterator, column->type, value);
    while (kept < count && value_iterator_next(&iterator, &element))
        elements[kept++] = element;
    while (kept--) { /* the last first: each next one stands before it */
        struct cell *cell = add_cell(list, column);

        fill_live(cell, stamp, elements[kept]);
        set_prepend_path(execution, list, cell);
    }
}

static void tombstone_elements(struct cell_list *list, const struct column_def *column, const struct stamp *stamp,
                               const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes element;

    if (value.size == 0)
        return;
    value_iterator_init(&iterator, type, value);
    while (value_iterator_next(&iterator, &element)) {
        struct cell *cell = add_cell(list, column);

        fill_tombstone(cell, stamp);
        set_path(list, cell, column->type->params[0], element);
    }
}

/* ---- operations that read first ---- */

static const struct cell *cells_of(const struct row *row, uint32_t column_id, uint32_t *count)
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

static enum status index_operation(struct execution *execution, struct cell_list *list,
                                   const struct operation *operation, const struct stamp *stamp, const struct row *row)
{
    struct error *err = execution->err;
    struct bytes index, value = { NULL, 0 };
    uint32_t count;
    const struct cell *cells = cells_of(row, operation->column->id, &count);
    bool set = operation->kind == OPERATION_SET_INDEX;
    enum status status = expr_evaluate(operation->key, &execution->eval, &index, err);

    if (!status && set)
        status = expr_evaluate(operation->value, &execution->eval, &value, err);
    if (status)
        return status;
    if (native_is_unset(index))
        return set ? error_set(err, ERR_INVALID, "Invalid unset value for list index") : OK;
    if (bytes_is_null(index) || index.size != 4)
        return error_set(err, ERR_INVALID, "Invalid null value for list index");
    if (native_is_unset(value))
        return OK;
    int32_t at = (int32_t)load_be32(index.data);
    if (count == 0)
        return error_set(err, ERR_INVALID,
                         set ? "Attempted to set an element on a list which is null"
                             : "Attempted to delete an element from a list which is null");
    if (at < 0 || (uint32_t)at >= count)
        return error_set(err, ERR_INVALID, "List index %d out of bound, list has size %u", at, count);
    struct cell *cell = add_cell(list, operation->column);
    cell->path = cells[at].path;
    if (set)
        fill(cell, stamp, value);
    else
        fill_tombstone(cell, stamp);
    list->sorted = false;
    return OK;
}

static void discard_operation(struct cell_list *list, const struct operation *operation, const struct stamp *stamp,
                              const struct row *row, struct bytes value)
{
    uint32_t count;
    const struct cell *cells = cells_of(row, operation->column->id, &count);
    const struct type *element_type = operation->column->type->params[0];

    for (uint32_t i = 0; i < count; i++) {
        struct value_iterator iterator;
        struct bytes element;

        value_iterator_init(&iterator, operation->column->type, value);
        while (value_iterator_next(&iterator, &element)) {
            if (value_compare(element_type, element, cells[i].value) != 0)
                continue;
            struct cell *cell = add_cell(list, operation->column);

            cell->path = cells[i].path;
            fill_tombstone(cell, stamp);
            break;
        }
    }
}

static enum status delete_element(struct execution *execution, struct cell_list *list,
                                  const struct operation *operation, const struct stamp *stamp)
{
    const struct column_def *column = operation->column;
    struct bytes key;
    enum status status = expr_evaluate(operation->key, &execution->eval, &key, execution->err);
    bool map = column->type->kind == TYPE_MAP;

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

static enum status apply_operation(struct execution *execution, struct cell_list *list,
                                   const struct operation *operation, const struct stamp *stamp, const struct row *row)
{
    const struct column_def *column = operation->column;
    struct bytes value = { NULL, 0 };
    enum status status = OK;

    if (operation->kind == OPERATION_SET_INDEX || operation->kind == OPERATION_DELETE_INDEX)
        return index_operation(execution, list, operation, stamp, row);
    if (operation->value) {
        status = expr_evaluate(operation->value, &execution->eval, &value, execution->err);
        if (status)
            return status;
        if (native_is_unset(value) && operation->kind != OPERATION_SET_KEY)
            return OK;
    }
    switch (operation->kind) {
    case OPERATION_SET: fill(add_cell(list, column), stamp, value); break;
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
        if (bytes_is_null(value))
            break;
        if (column->type->kind == TYPE_LIST)
            discard_operation(list, operation, stamp, row, value);
        else
            tombstone_elements(list, column, stamp, operation->value->type, value);
        break;
    case OPERATION_SET_KEY: return set_key(execution, list, operation, stamp, value);
    case OPERATION_SET_FIELD:
    case OPERATION_DELETE_FIELD: {
        struct cell *cell = add_cell(list, column);
        uint8_t *path = arena_alloc(list->arena, 2);

        store_be16(path, (uint16_t)operation->field);
        cell->path = bytes_of(path, 2);
        fill(cell, stamp, operation->kind == OPERATION_SET_FIELD ? value : bytes_of(NULL, 0));
        list->sorted = false;
        break;
    }
    case OPERATION_DELETE:
        if (column->multicell)
            add_complex(list, column, stamp->timestamp_us, stamp->now_s);
        else
            fill_tombstone(add_cell(list, column), stamp);
        break;
    case OPERATION_DELETE_ELEMENT: return delete_element(execution, list, operation, stamp);
    case OPERATION_SET_INDEX:
    case OPERATION_DELETE_INDEX: break;
    }
    return OK;
}

static int compare_cells(const void *a, const void *b)
{
    const struct cell *left = a, *right = b;

    if (left->column_id != right->column_id)
        return left->column_id > right->column_id ? 1 : -1;
    return bytes_compare(left->path, right->path);
}

/* In order, and each cell once: of two writes to one cell the later stands. */
static void sort_cells(struct cell_list *list)
{
    uint32_t kept = 0;

    if (list->sorted)
        return;
    qsort(list->cells, list->count, sizeof(*list->cells), compare_cells);
    for (uint32_t i = 0; i < list->count; i++) {
        if (kept && compare_cells(&list->cells[kept - 1], &list->cells[i]) == 0)
            list->cells[kept - 1] = list->cells[i];
        else
            list->cells[kept++] = list->cells[i];
    }
    list->count = kept;
    list->sorted = true;
}

static enum status make_cells(struct execution *execution, const struct modify_plan *modify, enum column_kind kind,
                              const struct stamp *stamp, const struct row *row, struct cell_list *list)
{
    *list = (struct cell_list){ .arena = execution->eval.arena, .scratch = execution->eval.scratch, .sorted = true };
    if (modify->operation_count) {
        list->capacity = modify->operation_count;
        list->cells = arena_alloc(list->arena, sizeof(*list->cells) * list->capacity);
    }
    for (uint32_t i = 0; i < modify->operation_count; i++) {
        if (modify->operations[i].column->kind != kind)
            continue;
        enum status status = apply_operation(execution, list, &modify->operations[i], stamp, row);
        if (status)
            return status;
    }
    sort_cells(list);
    return OK;
}

/* ---- the set of commands ---- */

static uint32_t slot_for(const struct write_set *set, const struct table_def *table, struct bytes key, int64_t token)
{
    uint32_t at = (uint32_t)((uint64_t)token * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (set->slot_count - 1);

    while (set->slots[at]) {
        const struct write_part *part = &set->parts[set->slots[at] - 1];

        if (part->table == table && bytes_equal(part->key, key))
            break;
        at = (at + 1) & (set->slot_count - 1);
    }
    return at;
}

static void hash_parts(struct write_set *set)
{
    set->slot_count = 64;
    while (set->slot_count < set->count * 4)
        set->slot_count *= 2;
    set->slots = arena_new_array(set->arena, uint32_t, set->slot_count);
    for (uint32_t i = 0; i < set->count; i++)
        set->slots[slot_for(set, set->parts[i].table, set->parts[i].key, set->parts[i].token)] = i + 1;
}

static struct write_part *find_part(struct write_set *set, const struct table_def *table, struct bytes key)
{
    if (set->count >= PARTS_HASHED) {
        if (set->slot_count < set->count * 2)
            hash_parts(set);
        uint32_t at = slot_for(set, table, key, token_of_partition_key(key));
        return set->slots[at] ? &set->parts[set->slots[at] - 1] : NULL;
    }
    for (uint32_t i = 0; i < set->count; i++)
        if (set->parts[i].table == table && bytes_equal(set->parts[i].key, key))
            return &set->parts[i];
    return NULL;
}

static struct write_part *add_part(struct write_set *set, const struct table_def *table, struct bytes key)
{
    set->parts = arena_room(set->arena, set->parts, set->count, &set->capacity, 2, sizeof(*set->parts));
    struct write_part *part = &set->parts[set->count++];
    *part = (struct write_part){ .table = table, .key = key, .token = token_of_partition_key(key) };
    if (set->slot_count)
        set->slots[slot_for(set, table, key, part->token)] = set->count;
    return part;
}

static struct table_fragment *add_fragment(struct write_set *set, struct write_part *part)
{
    part->fragments =
        arena_room(set->arena, part->fragments, part->count, &part->capacity, 2, sizeof(*part->fragments));
    struct table_fragment *fragment = &part->fragments[part->count++];
    *fragment = (struct table_fragment){ .row = ROW_EMPTY };
    set->fragment_count++;
    return fragment;
}

static void put_cells(struct table_fragment *fragment, const struct cell_list *list)
{
    fragment->row.cells = list->cells;
    fragment->row.cell_count = list->count;
    fragment->row.complexes = list->complexes;
    fragment->row.complex_count = list->complex_count;
}

/* ---- one statement ---- */

static enum status make_stamp(struct execution *execution, const struct modify_plan *modify,
                              const struct table_def *table, const int64_t *batch_timestamp_us, struct stamp *stamp)
{
    struct error *err = execution->err;
    struct bytes value;
    enum status status;

    *stamp = (struct stamp){ .timestamp_us = TIMESTAMP_SERVER,
                             .before_us = TIMESTAMP_SERVER_BEFORE,
                             .now_s = execution->eval.now_s,
                             .expires_s = TIME_NONE };
    bool given = execution->parameters->has_timestamp;
    if (given)
        stamp->timestamp_us = execution->parameters->timestamp_us;
    if (batch_timestamp_us) {
        stamp->timestamp_us = *batch_timestamp_us;
        given = true;
    }
    if (modify->timestamp) {
        status = expr_evaluate(modify->timestamp, &execution->eval, &value, err);
        if (status)
            return status;
        if (bytes_is_null(value))
            return error_set(err, ERR_INVALID, "Invalid null value of timestamp");
        if (!native_is_unset(value)) {
            if (value.size != 8)
                return error_set(err, ERR_INVALID, "Invalid timestamp value: 0x");
            stamp->timestamp_us = (int64_t)load_be64(value.data);
            given = true;
        }
    }
    if (given) {
        if (stamp->timestamp_us == INT64_MIN)
            return error_set(err, ERR_INVALID,
                             "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]");
        stamp->before_us = stamp->timestamp_us - 1;
        if (timestamp_is_server(stamp->timestamp_us) || timestamp_is_server(stamp->before_us))
            return error_set(err, ERR_INVALID, "Timestamp %lld is reserved", (long long)stamp->timestamp_us);
    }
    int64_t ttl = table->params.default_time_to_live_s;
    if (modify->ttl) {
        status = expr_evaluate(modify->ttl, &execution->eval, &value, err);
        if (status)
            return status;
        if (bytes_is_null(value)) {
            ttl = 0;
        } else if (!native_is_unset(value)) {
            if (value.size != 4)
                return error_set(err, ERR_INVALID, "Invalid TTL value: 0x");
            ttl = (int32_t)load_be32(value.data);
            if (ttl < 0)
                return error_set(err, ERR_INVALID, "A TTL must be greater or equal to 0, but was %d", (int)ttl);
            if (ttl > TTL_SECONDS_MAX)
                return error_set(err, ERR_INVALID, "ttl is too large. requested (%d) maximum (%d)", (int)ttl,
                                 (int)TTL_SECONDS_MAX);
        }
    }
    stamp->ttl_s = (int32_t)ttl;
    if (ttl)
        stamp->expires_s = stamp->now_s + ttl;
    if (ttl && stamp->expires_s > EXPIRES_MAX_S)
        return error_set(
            err, ERR_INVALID,
            "Request on table %.*s.%.*s with ttl of %d seconds exceeds maximum supported expiration date of 2038-01-19T03:14:06+00:00. In order to avoid this use a lower TTL, change the expiration date overflow policy or upgrade to a version where this limitation is fixed. See CASSANDRA-14092 and CASSANDRA-14227 for more details.",
            BYTES(table->keyspace), BYTES(table->name), (int)ttl);
    return OK;
}

/* The live cells that operations by index look at. */
static enum status read_row_first(struct execution *execution, const struct table_def *table, struct bytes key,
                                  struct bytes clustering, bool is_static, const struct row **row)
{
    struct slice slice = { clustering, clustering, true, true };
    struct read_command command = {
        .table_id = table->id,
        .schema_version = table->version,
        .def = table,
        .partition_key = key,
        .token = token_of_partition_key(key),
        .slices = &slice,
        .slice_count = !is_static,
        .slices_are_rows = true,
        .rows_wanted = !is_static,
        .static_wanted = is_static,
        .row_limit = 1,
        .row_limit_per_partition = 1,
        .byte_limit = UINT32_MAX,
        .now_s = execution->eval.now_s,
    };
    struct read_result result;
    enum status status = execution_read(execution, &command, &result);

    *row = NULL;
    if (status || !result.partition_count)
        return status;
    if (is_static)
        *row = result.partitions[0].static_row;
    else if (result.partitions[0].row_count)
        *row = result.partitions[0].rows[0].row;
    return OK;
}

static enum status add_static(struct execution *execution, const struct modify_plan *modify,
                              const struct table_def *table, const struct stamp *stamp, struct write_set *set,
                              struct write_part *part)
{
    const struct row *row = NULL;
    struct cell_list cells;
    enum status status = OK;

    if (modify->reads_first)
        status = read_row_first(execution, table, part->key, bytes_of("", 0), true, &row);
    if (!status)
        status = make_cells(execution, modify, COLUMN_STATIC, stamp, row, &cells);
    if (status || (!cells.count && !cells.complex_count))
        return status;
    struct table_fragment *fragment = add_fragment(set, part);
    fragment->kind = KEY_PARTITION;
    put_cells(fragment, &cells);
    return OK;
}

static enum status add_row(struct execution *execution, const struct modify_plan *modify, const struct table_def *table,
                           const struct stamp *stamp, const struct clustering_value *clustering,
                           struct cell_list *shared, struct write_set *set, struct write_part *part)
{
    const struct row *row = NULL;
    struct cell_list own, *cells = shared;
    enum status status = OK;

    if (modify->reads_first) {
        status = read_row_first(execution, table, part->key, clustering->encoded, false, &row);
        if (!status)
            status = make_cells(execution, modify, COLUMN_REGULAR, stamp, row, &own);
        if (status)
            return status;
        cells = &own;
    }
    bool deletes_row = modify->kind == MODIFY_DELETE && !modify->operation_count;
    if (!cells->count && !cells->complex_count && modify->kind != MODIFY_INSERT && !deletes_row)
        return OK;
    struct table_fragment *fragment = add_fragment(set, part);
    fragment->kind = KEY_ROW;
    fragment->clustering = clustering->encoded;
    fragment->row.written_clustering = clustering->written;
    put_cells(fragment, cells);
    if (modify->kind == MODIFY_INSERT)
        fragment->row.liveness = (struct liveness){ stamp->timestamp_us, stamp->ttl_s, stamp->expires_s };
    if (deletes_row)
        fragment->row.deletion = (struct deletion){ stamp->timestamp_us, stamp->now_s };
    return OK;
}

static enum status add_partition(struct execution *execution, const struct modify_plan *modify,
                                 const struct table_def *table, const struct stamp *stamp,
                                 const struct clustering_value *rows, uint32_t row_count, const struct slice *slices,
                                 uint32_t slice_count, struct cell_list *cells, struct bytes key, struct write_set *set)
{
    struct write_part *part = find_part(set, table, key);
    enum status status = OK;

    if (!part)
        part = add_part(set, table, key);
    if (modify->deletes_partitions) {
        struct table_fragment *fragment = add_fragment(set, part);

        fragment->kind = KEY_PARTITION;
        fragment->row.deletion = (struct deletion){ stamp->timestamp_us, stamp->now_s };
        return OK;
    }
    for (uint32_t i = 0; i < slice_count; i++) {
        struct table_fragment *fragment = add_fragment(set, part);

        fragment->kind = KEY_RANGE;
        fragment->clustering = slices[i].start;
        fragment->clustering_end = slices[i].end;
        fragment->start_inclusive = slices[i].start_inclusive;
        fragment->end_inclusive = slices[i].end_inclusive;
        fragment->row.deletion = (struct deletion){ stamp->timestamp_us, stamp->now_s };
    }
    if (modify->touches_static)
        status = add_static(execution, modify, table, stamp, set, part);
    for (uint32_t i = 0; i < row_count && !status; i++)
        status = add_row(execution, modify, table, stamp, &rows[i], cells, set, part);
    return status;
}

/* Adds what one statement writes. */
static enum status collect(struct execution *execution, const struct plan *plan, const int64_t *batch_timestamp_us,
                           struct write_set *set)
{
    const struct modify_plan *modify = plan->modify;
    const struct table_def *table = plan->table;
    struct error *err = execution->err;
    struct eval *eval = &execution->eval;
    struct clustering_value none = { bytes_of("", 0), { NULL, 0 } }, *rows = &none;
    uint32_t row_count = 1, slice_count = 0;
    struct slice *slices = NULL;
    struct partition_list keys;
    struct stamp stamp;
    struct cell_list cells = { 0 };
    enum status status;

    if (modify->json) {
        struct bytes *binds = arena_alloc(eval->arena, sizeof(*binds) * (eval->bind_count + table->column_count)), text;

        if (eval->bind_count)
            memcpy(binds, eval->binds, sizeof(*binds) * eval->bind_count);
        status = expr_evaluate(modify->json, eval, &text, err);
        if (!status)
            status = json_bind(table, text, modify->json_default_unset, eval->arena, binds + eval->bind_count, err);
        if (status)
            return status;
        eval->binds = binds;
    }
    status = make_stamp(execution, modify, table, batch_timestamp_us, &stamp);
    if (!status)
        status = where_partitions(&modify->where, table, eval, &keys, err);
    if (status)
        return status;
    if (modify->deletes_ranges) {
        bool nothing;

        row_count = 0;
        status = where_slices(&modify->where, table, eval, &slices, &slice_count, &nothing, err);
    } else if (!modify->touches_rows) {
        row_count = 0;
    } else if (table->clustering_count && !modify->deletes_partitions) {
        status = where_rows(&modify->where, table, eval, &rows, &row_count, err);
    }
    if (status)
        return status;
    if ((uint64_t)keys.count * (row_count + slice_count + 1) > FRAGMENTS_MAX)
        return error_set(err, ERR_INVALID, "The statement writes too many rows");
    if (row_count && !modify->reads_first) {
        status = make_cells(execution, modify, COLUMN_REGULAR, &stamp, NULL, &cells);
        for (uint32_t i = 0; i < cells.count && !status; i++)
            if (cells.cells[i].value.size > VALUE_BYTES_MAX)
                status = error_set(err, ERR_INVALID, "A value is too large");
        if (status)
            return status;
    }
    for (uint32_t i = 0; i < keys.count && !status; i++)
        status = add_partition(execution, modify, table, &stamp, rows, row_count, slices, slice_count, &cells,
                               keys.keys[i], set);
    return status;
}

/* ---- conditions ---- */

static enum status condition_values(struct execution *execution, const struct plan_condition *from,
                                    struct condition *to)
{
    struct eval *eval = &execution->eval;
    struct error *err = execution->err;
    struct bytes *values;
    enum status status = OK;

    if (from->op == CONDITION_IN && from->value) {
        struct value_iterator iterator;
        struct bytes list, element;

        status = expr_evaluate(from->value, eval, &list, err);
        if (status)
            return status;
        if (native_is_unset(list))
            return error_set(err, ERR_INVALID, "Invalid 'unset' value in condition");
        if (bytes_is_null(list))
            return error_set(err, ERR_INVALID, "Invalid null list in IN condition");
        uint32_t count = list.size >= 4 ? load_be32(list.data) : 0, kept = 0;
        values = arena_alloc(eval->arena, sizeof(*values) * ((size_t)count + 1));
        value_iterator_init(&iterator, from->value->type, list);
        while (kept < count && value_iterator_next(&iterator, &element))
            values[kept++] = element;
        to->value_count = kept;
    } else {
        uint32_t count = from->value ? 1 : from->value_count;

        values = arena_alloc(eval->arena, sizeof(*values) * ((size_t)count + 1));
        for (uint32_t i = 0; i < count && !status; i++) {
            status = expr_evaluate(from->value ? from->value : from->values[i], eval, &values[i], err);
            if (!status && native_is_unset(values[i]))
                status = error_set(err, ERR_INVALID, "Invalid 'unset' value in condition");
            bool orders = from->op != CONDITION_EQ && from->op != CONDITION_NE && from->op != CONDITION_IN;
            if (!status && bytes_is_null(values[i]) && orders) {
                static const char *const names[] = {
                    "=", "!=", "<", "<=", ">", ">=", "IN", "CONTAINS", "CONTAINS KEY"
                };

                status =
                    error_set(err, ERR_INVALID, "Invalid comparison with null for operator \"%s\"", names[from->op]);
            }
        }
        to->value_count = count;
    }
    to->values = values;
    return status;
}

static enum status make_condition(struct execution *execution, const struct plan_condition *from, struct condition *to)
{
    struct eval *eval = &execution->eval;

    *to = (struct condition){ .column_id = from->column->id, .op = from->op };
    if (from->field >= 0) {
        uint8_t *path = arena_alloc(eval->arena, 2);

        store_be16(path, (uint16_t)from->field);
        to->path = bytes_of(path, 2);
    } else if (from->element) {
        struct buffer path = { 0 };
        struct bytes element;
        enum status status = expr_evaluate(from->element, eval, &element, execution->err);

        if (status)
            return status;
        bool list = from->column->type->kind == TYPE_LIST;
        if (bytes_is_null(element) || native_is_unset(element) || (list && element.size != 4))
            return error_set(execution->err, ERR_INVALID, "Invalid null value for %s element access",
                             list ? "list" : "map");
        if (list) { /* the owner counts to it: the path is its place */
            if ((int32_t)load_be32(element.data) < 0)
                return error_set(execution->err, ERR_INVALID, "Invalid negative list index %d",
                                 (int32_t)load_be32(element.data));
            to->path = element;
            return condition_values(execution, from, to);
        }
        value_encode_key(&path, from->column->type->params[0], element, false);
        to->path = buffer_to_arena(eval->arena, &path);
    }
    return condition_values(execution, from, to);
}

static bool plan_is_conditional(const struct modify_plan *modify)
{
    return modify->if_exists || modify->if_not_exists || modify->condition_count;
}

/* What a conditional statement, or the conditional ones of a batch, look at. */
struct cas_set {
    struct cas_part *parts;
    uint32_t count;
    const struct column_def **columns; /* that conditions name */
    uint32_t column_count;
    bool whole_rows; /* IF EXISTS, IF NOT EXISTS: a refusal shows every column */
    bool is_batch;
    bool wants_static; /* a statement writes static columns: then a refusal shows them */
};

static enum status add_cas(struct execution *execution, const struct plan *plan, struct cas_set *cas)
{
    const struct modify_plan *modify = plan->modify;
    const struct table_def *table = plan->table;
    struct arena *arena = execution->request->arena;
    struct bytes clustering = bytes_of("", 0);
    enum status status = OK;

    if (table->clustering_count && modify->where.clustering_is_complete) {
        struct clustering_value *rows;
        uint32_t row_count;

        status = where_rows(&modify->where, table, &execution->eval, &rows, &row_count, execution->err);
        if (status)
            return status;
        if (row_count != 1)
            return error_set(execution->err, ERR_INVALID, "A conditional statement must name one row");
        clustering = rows[0].encoded;
    }
    if (modify->if_exists || modify->if_not_exists) {
        cas->whole_rows = true;
        cas->parts[cas->count++] = (struct cas_part){
            .clustering = clustering,
            .is_static = table->clustering_count && !modify->where.clustering_is_complete,
            .kind = modify->if_exists ? CAS_IF_EXISTS : CAS_IF_NOT_EXISTS,
        };
        return OK;
    }
    for (int is_static = 0; is_static < 2; is_static++) {
        struct condition *conditions = arena_new_array(arena, struct condition, modify->condition_count);
        uint32_t kept = 0;

        for (uint32_t i = 0; i < modify->condition_count && !status; i++)
            if ((modify->conditions[i].column->kind == COLUMN_STATIC) == is_static)
                status = make_condition(execution, &modify->conditions[i], &conditions[kept++]);
        if (status)
            return status;
        if (kept)
            cas->parts[cas->count++] = (struct cas_part){
                .clustering = is_static ? bytes_of("", 0) : clustering,
                .is_static = is_static,
                .kind = CAS_IF_CONDITIONS,
                .conditions = conditions,
                .condition_count = kept,
            };
    }
    for (uint32_t i = 0; i < modify->condition_count; i++) {
        bool known = false;

        for (uint32_t k = 0; k < cas->column_count; k++)
            known |= cas->columns[k] == modify->conditions[i].column;
        if (!known)
            cas->columns[cas->column_count++] = modify->conditions[i].column;
    }
    return OK;
}

static void init_cas(struct execution *execution, const struct table_def *table, uint32_t statements,
                     struct cas_set *cas)
{
    *cas = (struct cas_set){
        .parts = arena_new_array(execution->request->arena, struct cas_part, (size_t)statements * 2 + 1),
        .columns = arena_new_array(execution->request->arena, const struct column_def *, table->column_count + 1),
    };
}

/* A part that always holds brings what a refusal shows of static columns. */
static void add_cas_static(const struct table_def *table, struct cas_set *cas)
{
    if (cas->whole_rows && cas->wants_static)
        cas->parts[cas->count++] =
            (struct cas_part){ .clustering = bytes_of("", 0), .is_static = true, .kind = CAS_IF_CONDITIONS };
}

/* ---- sending ---- */

struct pending_part {
    struct table_request request;
    struct pending *pending;
    struct pooled_buffer *buffer;
    struct error error;
};

struct pending {
    struct query_request *request;
    struct query_context *context;
    struct table_def *table; /* owned reference; conditional only */
    uint32_t left;
    uint32_t part_count;
    bool submitting;
    bool is_cas;
    bool applied;
    const struct row **current; /* cas not applied: per cas part */
    struct cas_set cas;         /* columns are the table's */
    struct bytes key;           /* of the partition */
    struct pending_part parts[];
};

static struct pooled_buffer *buffer_take(struct query_context *context)
{
    struct pooled_buffer *pooled = context->buffers;

    if (!pooled)
        return xcalloc(1, sizeof(*pooled));
    context->buffers = pooled->next;
    buffer_reset(&pooled->buffer);
    return pooled;
}

static void buffer_give(struct query_context *context, struct pooled_buffer *pooled)
{
    if (pooled->buffer.capacity > 1 << 20)
        buffer_fini(&pooled->buffer); /* a big one is not kept */
    pooled->next = context->buffers;
    context->buffers = pooled;
}

static void part_done(struct table_request *table_request)
{
    struct pending_part *part = CONTAINER_OF(table_request, struct pending_part, request);
    struct pending *pending = part->pending;
    struct query_request *request = pending->request;

    if (table_request->status && request->error.status == OK)
        request->error = part->error;
    if (table_request->status && request->error.status == OK)
        error_set(&request->error, table_request->status, "The write failed");
    if (pending->is_cas && table_request->status == OK) {
        pending->applied = table_request->applied;
        if (!pending->applied) {
            struct error err;

            pending->current = arena_new_array(request->arena, const struct row *, pending->cas.count);
            if (table_decode_cas_result(request->arena, table_request->result, pending->current, pending->cas.count,
                                        &err))
                request->error = err;
        }
    }
    buffer_give(pending->context, part->buffer);
    part->buffer = NULL;
    pending->left--;
    if (pending->left == 0 && !pending->submitting && !pending->context->may_wait)
        request->done(request);
}

static void wait_for_parts(struct query_context *context, struct pending *pending)
{
    table_port_flush(context->port);
    while (pending->left) {
        struct pollfd fd = { .fd = table_port_fd(context->port), .events = POLLIN };

        poll(&fd, 1, 1000);
        table_port_reap(context->port);
        table_port_flush(context->port);
    }
}

/* cas NULL: unconditional. */
static enum query_result submit(struct execution *execution, struct write_set *set, const struct cas_set *cas)
{
    struct query_context *context = execution->context;
    struct query_request *request = execution->request;
    struct arena *arena = request->arena;
    struct pending *pending = arena_zalloc(arena, sizeof(*pending) + sizeof(pending->parts[0]) * set->count);

    *pending = (struct pending){
        .request = request,
        .context = context,
        .part_count = set->count,
        .submitting = true,
        .is_cas = cas != NULL,
    };
    if (cas) {
        pending->cas = *cas;
        pending->table = table_def_ref(execution->plan->table);
        pending->key = set->count ? set->parts[0].key : bytes_of(NULL, 0);
    }
    request->state = pending;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct write_part *from = &set->parts[i];
        struct pending_part *part = &pending->parts[i];
        struct apply_command apply = {
            .table_id = from->table->id,
            .schema_version = from->table->version,
            .token = from->token,
            .partition_key = from->key,
            .fragments = from->fragments,
            .fragment_count = from->count,
            .now_s = execution->eval.now_s,
            .durable = from->table->durable_writes,
        };

        if (!from->count && !cas)
            continue;
        part->pending = pending;
        part->buffer = buffer_take(context);
        if (cas)
            table_encode_cas(&part->buffer->buffer, &(struct cas_command){ cas->parts, cas->count, apply });
        else
            table_encode_apply(&part->buffer->buffer, &apply);
        part->request = (struct table_request){
            .command = buffer_bytes(&part->buffer->buffer),
            .token = from->token,
            .done = part_done,
            .error = &part->error,
            .arena = arena,
        };
        pending->left++;
        enum status status = table_submit(context->port, &part->request, &part->error);
        if (status) {
            pending->left--;
            buffer_give(context, part->buffer);
            request->error = part->error;
            break;
        }
    }
    pending->submitting = false;
    if (context->may_wait)
        wait_for_parts(context, pending);
    if (pending->left == 0) {
        query_finish(context, request, execution->out);
        return QUERY_DONE;
    }
    return QUERY_PENDING;
}

/* ---- answers ---- */

struct cas_answer {
    const struct pending *pending;
    const struct table_def *table;
    const struct column_def **shown;
    uint32_t count;
};

static struct bytes key_component(const struct pending *pending, const struct table_def *table, uint32_t position)
{
    size_t at = 0;

    if (table->partition_key_count == 1)
        return pending->key;
    for (uint32_t k = 0; k < position; k++)
        at += 3 + (size_t)load_be16(pending->key.data + at);
    return bytes_of(pending->key.data + at + 2, load_be16(pending->key.data + at));
}

static struct bytes clustering_component(const struct table_def *table, const struct cas_part *part, uint32_t position,
                                         struct buffer *scratch)
{
    struct bytes rest = part->clustering;
    struct error err;

    if (part->is_static)
        return bytes_of(NULL, 0);
    for (uint32_t k = 0; k <= position; k++) {
        const struct column_def *component = &table->columns[table->partition_key_count + k];

        buffer_reset(scratch);
        if (value_decode_key(&rest, component->type, component->descending, scratch, &err))
            return bytes_of(NULL, 0);
    }
    return scratch->data ? buffer_bytes(scratch) : bytes_of("", 0);
}

/* One row that a refused condition saw, with what any part says of its static columns. */
static void write_seen_row(struct native_rows *rows, const struct cas_answer *answer, uint32_t part)
{
    const struct pending *pending = answer->pending;
    uint8_t flag = 0;

    native_rows_value(rows, bytes_of(&flag, 1));
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct column_def *column = answer->shown[i];
        struct bytes value = { NULL, 0 };
        struct buffer scratch = { 0 };
        uint32_t cell_count = 0;
        const struct cell *cells = NULL;

        if (column->kind == COLUMN_PARTITION_KEY) {
            value = key_component(pending, answer->table, column->position);
        } else if (column->kind == COLUMN_CLUSTERING) {
            value = clustering_component(answer->table, &pending->cas.parts[part], column->position, &scratch);
        } else if (column->kind == COLUMN_STATIC) {
            for (uint32_t p = 0; p < pending->cas.count && !cell_count; p++)
                if (pending->cas.parts[p].is_static)
                    cells = cells_of(pending->current[p], column->id, &cell_count);
        } else {
            cells = cells_of(pending->current[part], column->id, &cell_count);
        }
        if (cell_count && !column->multicell)
            value = cells[0].value;
        else if (cell_count && assemble_collection(&scratch, column->type, cells, cell_count))
            value = buffer_bytes(&scratch);
        native_rows_value(rows, value);
        buffer_fini(&scratch);
    }
    native_rows_end_row(rows);
}

/* Parts whose row is shown: those that name a row which exists, each row once; the static one if there is no other. */
static uint32_t parts_to_show(const struct pending *pending, uint32_t *list)
{
    const struct cas_set *cas = &pending->cas;
    uint32_t count = 0;
    bool any_row_part = false;

    for (uint32_t i = 0; i < cas->count; i++) {
        bool known = false;

        any_row_part |= !cas->parts[i].is_static;
        if (cas->parts[i].is_static || !pending->current[i])
            continue;
        for (uint32_t k = 0; k < count; k++)
            known |= bytes_equal(cas->parts[list[k]].clustering, cas->parts[i].clustering);
        if (!known)
            list[count++] = i;
    }
    for (uint32_t i = 0; i < cas->count && !count; i++)
        if (cas->parts[i].is_static && pending->current[i] && (!any_row_part || cas->parts[i].condition_count))
            list[count++] = i;
    return count;
}

static void encode_cas_result(struct query_request *request, const struct pending *pending, struct buffer *out)
{
    const struct table_def *table = pending->table;
    const struct cas_set *cas = &pending->cas;
    struct native_column *columns = arena_new_array(request->arena, struct native_column, table->column_count + 1);
    uint32_t *list = arena_new_array(request->arena, uint32_t, cas->count + 1), row_count = 0;
    struct cas_answer answer = { pending, table,
                                 arena_new_array(request->arena, const struct column_def *, table->column_count + 1),
                                 0 };
    struct native_metadata metadata;
    struct native_rows rows;
    uint8_t flag = pending->applied;

    if (pending->current)
        row_count = parts_to_show(pending, list);
    for (uint32_t i = 0; row_count && i < table->column_count; i++) {
        const struct column_def *column = &table->columns[i];
        bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING,
             wanted = cas->whole_rows || (cas->is_batch && is_key);

        if (wanted)
            answer.shown[answer.count++] = column;
    }
    for (int is_static = 0; row_count && !cas->whole_rows && is_static < 2;
         is_static++) /* regular ones first, as Cassandra */
        for (uint32_t i = 0; i < cas->column_count; i++)
            if ((cas->columns[i]->kind == COLUMN_STATIC) == is_static)
                answer.shown[answer.count++] = cas->columns[i];
    columns[0] =
        (struct native_column){ table->keyspace, table->name, BYTES_LITERAL("[applied]"), type_native(TYPE_BOOLEAN) };
    for (uint32_t i = 0; i < answer.count; i++)
        columns[i + 1] =
            (struct native_column){ table->keyspace, table->name, answer.shown[i]->name, answer.shown[i]->type };
    native_metadata_build(&metadata, request->arena, request->session->protocol_version, columns, answer.count + 1);
    native_rows_begin(&rows, out, request->session->protocol_version, &metadata, false, bytes_of(NULL, 0));
    if (!row_count) {
        native_rows_value(&rows, bytes_of(&flag, 1));
        native_rows_end_row(&rows);
    }
    for (uint32_t i = 0; i < row_count; i++)
        write_seen_row(&rows, &answer, list[i]);
    native_rows_end(&rows);
}

void execute_modify_finish(struct query_context *context, struct query_request *request, struct buffer *out)
{
    struct pending *pending = request->state;

    if (request->error.status == OK) {
        if (pending->is_cas)
            encode_cas_result(request, pending, out);
        else
            native_encode_result_void(out);
    }
    if (pending->table)
        table_def_unref(pending->table);
    pending->table = NULL;
}

static enum status check_write_consistency(struct execution *execution, bool conditional)
{
    const struct native_parameters *parameters = execution->parameters;

    if (consistency_is_serial(parameters->consistency))
        return error_set(execution->err, ERR_INVALID, "You must use conditional updates for serializable writes");
    if (conditional && !consistency_is_serial(parameters->serial_consistency))
        return error_set(execution->err, ERR_INVALID,
                         "Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL");
    return OK;
}

enum query_result execute_modify(struct execution *execution)
{
    struct write_set set = { .arena = execution->request->arena };
    const struct plan *plan = execution->plan;
    bool conditional = plan_is_conditional(plan->modify);
    struct cas_set cas;
    enum status status = check_write_consistency(execution, conditional);

    if (!status)
        status = collect(execution, plan, NULL, &set);
    if (!status && conditional) {
        init_cas(execution, plan->table, 1, &cas);
        cas.wants_static = plan->modify->touches_static;
        status = add_cas(execution, plan, &cas);
        add_cas_static(plan->table, &cas);
    }
    if (status)
        return execution_failed(execution, status);
    return submit(execution, &set, conditional ? &cas : NULL);
}

static void warn_of_partitions(struct execution *execution, const struct write_set *set)
{
    struct buffer names = { 0 };
    uint32_t tables = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        bool known = false;

        for (uint32_t k = 0; k < i && !known; k++)
            known = set->parts[k].table == set->parts[i].table;
        if (!known)
            buffer_printf(&names, "%s%.*s.%.*s", tables++ ? ", " : "", BYTES(set->parts[i].table->keyspace),
                          BYTES(set->parts[i].table->name));
    }
    execution_warn(
        execution->request,
        "Unlogged batch covering %u partitions detected against table%s [%.*s]. You should use a logged batch for atomicity, or asynchronous writes for performance.",
        set->count, tables == 1 ? "" : "s", BYTES(buffer_bytes(&names)));
    buffer_fini(&names);
}

enum query_result execute_batch(struct execution *execution, const struct plan *const *plans, const struct eval *evals,
                                uint32_t count, enum batch_kind kind, const int64_t *timestamp_us)
{
    struct write_set set = { .arena = execution->request->arena };
    bool conditional = false;
    struct cas_set cas;
    enum status status;

    for (uint32_t i = 0; i < count; i++)
        conditional |= plan_is_conditional(plans[i]->modify);
    status = check_write_consistency(execution, conditional);
    if (conditional) {
        init_cas(execution, plans[0]->table, count, &cas);
        cas.is_batch = true;
    }
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct modify_plan *modify = plans[i]->modify;

        execution->plan = plans[i];
        execution->eval = evals[i];
        if (conditional)
            cas.wants_static |= modify->touches_static;
        if (conditional && timestamp_us)
            status = error_set(execution->err, ERR_INVALID, "Cannot provide custom timestamp for conditional BATCH");
        else if (conditional && plans[i]->table != plans[0]->table)
            status = error_set(execution->err, ERR_INVALID, "Batch with conditions cannot span multiple tables");
        else if (timestamp_us && modify->timestamp)
            status = error_set(execution->err, ERR_INVALID,
                               "Timestamp must be set either on BATCH or individual statements");
        else
            status = collect(execution, plans[i], timestamp_us, &set);
        if (!status && conditional && set.count > 1)
            status = error_set(execution->err, ERR_INVALID, "Batch with conditions cannot span multiple partitions");
        if (!status && set.count > BATCH_PARTITIONS_MAX)
            status = error_set(execution->err, ERR_INVALID, "Batch too large");
        if (!status && plan_is_conditional(modify))
            status = add_cas(execution, plans[i], &cas);
    }
    if (status)
        return execution_failed(execution, status);
    if (conditional)
        add_cas_static(plans[0]->table, &cas);
    if (kind == BATCH_UNLOGGED && set.count > 10)
        warn_of_partitions(execution, &set);
    return submit(execution, &set, conditional ? &cas : NULL);
}
