/* Rows of our own in stored system tables; see rows.h. Names are looked up in the definition at
 * each put: whoever writes such rows does it seldom (definitions, traces), and a table that gets
 * another column, or another order of them, needs no change here.
 *
 * It builds the same commands and fragments as a client's INSERT does, so that our rows are stored,
 * read and expire as all others. */
#include "catalog/rows.h"

#include "row/key.h"
#include "types/value.h"

#include <assert.h>
#include <stdlib.h>

enum { READ_ROWS = 1000, READ_BYTES = 4 << 20 };

static const struct column_def *column_of(const struct table_def *def, const char *name)
{
    const struct column_def *column = table_def_column(def, bytes_of_string(name));

    assert(column); /* our own name for a column of our own table */
    return column;
}

/* Only the size is looked at. A whole check would cost what the value costs, and the size is what a
 * wrong column would most often have wrong. */
static bool has_size(const struct type *type, struct bytes value)
{
    uint32_t fixed = type_fixed_bytes(type);

    return !fixed || value.size == fixed || value.size == 0;
}

/* ---- writing ---- */

/* Counters and computed tables have no rows that could be put. */
void rows_begin(struct rows *rows, const struct table_def *def, struct arena *arena, int64_t now_s, int32_t ttl_s)
{
    assert(!def->virtual_table && !def->is_counter);
    assert(def->partition_key_count <= ROWS_KEY_COLUMNS_MAX && def->clustering_count <= ROWS_KEY_COLUMNS_MAX);
    assert(ttl_s >= TTL_NONE && ttl_s <= TTL_SECONDS_MAX);
    *rows = (struct rows){ .arena = arena, .def = def, .now_s = now_s, .ttl_s = ttl_s };
}

/* Cells of a row are sorted by column and path, which merging relies on. */
static int compare_cells(const void *left, const void *right)
{
    /* By column, then by path, as a row has them. */
    const struct cell *a = left, *b = right;

    if (a->column_id != b->column_id)
        return a->column_id < b->column_id ? -1 : 1;
    return bytes_compare(a->path, b->path);
}

static void sort_cells(struct cell *cells, uint32_t count)
{
    if (count)
        qsort(cells, count, sizeof(*cells), compare_cells);
    for (uint32_t i = 1; i < count; i++)
        assert(compare_cells(&cells[i - 1], &cells[i]) < 0); /* nothing was put twice */
}

/* A row is complete when the next one begins or the command is made: only then are all its
 * clustering columns known. */
static void end_row(struct rows *rows)
{
    struct table_fragment *fragment;
    struct buffer clustering = { 0 };

    if (!rows->is_open)
        return;
    fragment = &rows->fragments[rows->count - 1];
    for (uint32_t i = 0; i < rows->def->clustering_count; i++) {
        const struct column_def *column = &rows->def->columns[rows->def->partition_key_count + i];

        /* Keys that do not give back the value's bytes would need them beside the key, which rows
         * of our own do not have. */
        assert(!bytes_is_null(rows->clustering[i])); /* a row has all its clustering columns */
        assert(value_key_is_injective(column->type));
        value_encode_key(&clustering, column->type, rows->clustering[i], column->descending);
    }
    fragment->clustering = arena_copy(rows->arena, buffer_bytes(&clustering));
    buffer_fini(&clustering);
    sort_cells(rows->cells, rows->cell_count);
    fragment->row.cells = rows->cells;
    fragment->row.cell_count = rows->cell_count;
    rows->is_open = false;
}

/* The row is live by itself, also without a cell, as after an INSERT. Its owner gives the
 * timestamps. */
void rows_add(struct rows *rows)
{
    struct table_fragment *fragment;

    end_row(rows);
    for (uint32_t i = 0; i < rows->def->partition_key_count; i++)
        assert(!bytes_is_null(rows->key[i])); /* which partition's? */
    rows->fragments = arena_room(rows->arena, rows->fragments, rows->count, &rows->capacity, 16, sizeof(*fragment));
    fragment = &rows->fragments[rows->count++];
    *fragment = (struct table_fragment){ .kind = KEY_ROW, .row = ROW_EMPTY };
    /* The owner's time: rows of one command have the same, later than what is there. */
    fragment->row.liveness = (struct liveness){ TIMESTAMP_SERVER, rows->ttl_s,
                                                rows->ttl_s == TTL_NONE ? TIME_NONE : rows->now_s + rows->ttl_s };
    for (uint32_t i = 0; i < ROWS_KEY_COLUMNS_MAX; i++)
        rows->clustering[i] = bytes_of(NULL, 0);
    rows->cells = NULL;
    rows->cell_count = rows->cell_capacity = 0;
    rows->is_open = true;
}

/* The cells alone make it a row: when the last of them is deleted, or expires, the row is gone. So an
 * UPDATE of a row that is not there and gives it nothing leaves nothing, as with a client's. */
void rows_update(struct rows *rows)
{
    rows_add(rows);
    rows->fragments[rows->count - 1].row.liveness = LIVENESS_NONE;
}

/* A deletion of the row, with nothing beside it. */
void rows_delete(struct rows *rows)
{
    struct row *row = &rows->fragments[rows->count - 1].row;

    assert(rows->is_open && !rows->cell_count);
    row->liveness = LIVENESS_NONE;
    row->deletion = (struct deletion){ TIMESTAMP_SERVER, rows->now_s };
}

/* As a client's cell: it expires when the row does. */
static struct cell *add_cell(struct rows *rows, const struct column_def *column, struct bytes value)
{
    const struct row *row;
    struct cell *cell;

    assert(rows->is_open && column->kind == COLUMN_REGULAR);
    /* A deleted row takes no cells: they would bring it back. */
    row = &rows->fragments[rows->count - 1].row;
    assert(row->deletion.timestamp_us == TIMESTAMP_NONE);
    rows->cells = arena_room(rows->arena, rows->cells, rows->cell_count, &rows->cell_capacity, 8, sizeof(*cell));
    cell = &rows->cells[rows->cell_count++];
    *cell = (struct cell){ .column_id = column->id,
                           .kind = rows->ttl_s == TTL_NONE ? CELL_LIVE : CELL_EXPIRING,
                           .timestamp_us = TIMESTAMP_SERVER,
                           .ttl_s = rows->ttl_s,
                           .local_s = rows->ttl_s == TTL_NONE ? TIME_NONE : rows->now_s + rows->ttl_s,
                           .value = arena_copy(rows->arena, value) };
    return cell;
}

/* The value is copied, so the caller's buffer may go. */
void rows_put(struct rows *rows, const char *name, struct bytes value)
{
    const struct column_def *column = column_of(rows->def, name);

    assert(!bytes_is_null(value) && !column->multicell && has_size(column->type, value));
    switch (column->kind) {
    case COLUMN_PARTITION_KEY:
        /* Rows of one partition: its key cannot change once there is a row. */
        assert(!rows->count); /* rows of one partition */
        rows->key[column->position] = arena_copy(rows->arena, value);
        return;
    case COLUMN_CLUSTERING:
        assert(rows->is_open);
        rows->clustering[column->position] = arena_copy(rows->arena, value);
        return;
    case COLUMN_STATIC:
    case COLUMN_REGULAR: add_cell(rows, column, value); return;
    }
}

/* Big-endian, and cut to the bytes that the type has; that nothing is lost is asserted. */
void rows_put_number(struct rows *rows, const char *name, int64_t value)
{
    uint32_t size = type_fixed_bytes(column_of(rows->def, name)->type);
    uint8_t bytes[8];

    assert(size == 1 || size == 2 || size == 4 || size == 8);
    assert(size == 8 || (value >= -(INT64_C(1) << (8 * size - 1)) && value < INT64_C(1) << (8 * size - 1)));
    store_be64(bytes, (uint64_t)value);
    rows_put(rows, name, bytes_of(bytes + 8 - size, size));
}

/* The entry's key becomes the cell's path, encoded so that paths sort as keys do. */
void rows_put_entry(struct rows *rows, const char *name, struct bytes key, struct bytes value)
{
    const struct column_def *column = column_of(rows->def, name);
    struct buffer path = { 0 };

    assert(column->type->kind == TYPE_MAP && column->multicell);
    assert(has_size(column->type->params[0], key) && value_key_is_injective(column->type->params[0]));
    assert(has_size(column->type->params[1], value));
    /* Ordered by value, so that a reader finds the entry by its key. */
    value_encode_key(&path, column->type->params[0], key, false);
    add_cell(rows, column, value)->path = arena_copy(rows->arena, buffer_bytes(&path));
    buffer_fini(&path);
}

/* The element is the cell's path, and nothing its value: as CQL's sets are stored, so that a client's
 * UPDATE and ours are of the same cells. What can be put so has keys that give its bytes back. */
static struct cell *add_element(struct rows *rows, const char *name, struct bytes element)
{
    const struct column_def *column = column_of(rows->def, name);
    struct buffer path = { 0 };
    struct cell *cell;

    assert(column->type->kind == TYPE_SET && column->multicell);
    assert(has_size(column->type->params[0], element) && value_key_is_injective(column->type->params[0]));
    value_encode_key(&path, column->type->params[0], element, false);
    cell = add_cell(rows, column, bytes_of("", 0));
    cell->path = arena_copy(rows->arena, buffer_bytes(&path));
    buffer_fini(&path);
    return cell;
}

void rows_put_element(struct rows *rows, const char *name, struct bytes element)
{
    add_element(rows, name, element);
}

/* It need not have been in the set. The tombstone is later than whatever was there, as its owner
 * stamps it; what others add at the same time stays, as each element is a cell of its own. */
void rows_remove_element(struct rows *rows, const char *name, struct bytes element)
{
    struct cell *cell = add_element(rows, name, element);

    cell->kind = CELL_TOMBSTONE;
    cell->ttl_s = TTL_NONE;
    cell->local_s = rows->now_s;
    cell->value = bytes_of(NULL, 0);
}

/* The serialized partition key: one value as it is, several each with its size and an end. */
static struct bytes partition_key(const struct rows *rows)
{
    struct buffer key = { 0 };
    struct bytes copy;

    /* As Cassandra lays partition keys out, so that tokens are the same for drivers. */
    if (rows->def->partition_key_count == 1)
        return rows->key[0];
    for (uint32_t i = 0; i < rows->def->partition_key_count; i++) {
        assert(rows->key[i].size <= UINT16_MAX);
        buffer_append_be16(&key, (uint16_t)rows->key[i].size);
        buffer_append_bytes(&key, rows->key[i]);
        buffer_append_u8(&key, 0);
    }
    copy = arena_copy(rows->arena, buffer_bytes(&key));
    buffer_fini(&key);
    return copy;
}

/* All rows in one command: they happen together or not at all. */
int64_t rows_encode(struct rows *rows, struct buffer *command)
{
    struct apply_command apply = { .table_id = rows->def->id,
                                   .schema_version = rows->def->version,
                                   .now_s = rows->now_s,
                                   .durable = rows->def->durable_writes };

    end_row(rows);
    assert(rows->count);
    apply.partition_key = partition_key(rows);
    apply.token = token_of_partition_key(apply.partition_key);
    apply.fragments = rows->fragments;
    apply.fragment_count = rows->count;
    table_encode_apply(command, &apply);
    return apply.token;
}

/* Waits for the disk: never on a loop. */
enum status rows_save(struct rows *rows, struct table_port *port, struct error *err)
{
    struct buffer command = { 0 };
    int64_t token = rows_encode(rows, &command);
    enum status status = table_apply_wait(port, buffer_bytes(&command), token, err);

    buffer_fini(&command);
    return status;
}

/* ---- reading ---- */

/* The columns' sizes are checked here once, so that who reads them by name need not. What is there
 * may be damaged, or of a version that had another type. */
enum status rows_view(struct rows_view *view, const struct table_def *def, struct bytes clustering,
                      const struct row *row, struct arena *arena, struct error *err)
{
    struct buffer value = { 0 };
    enum status status = OK;

    assert(def->clustering_count <= ROWS_KEY_COLUMNS_MAX);
    *view = (struct rows_view){ .def = def, .row = row };
    /* The clustering's columns one after another, each of which knows where it ends. */
    for (uint32_t i = 0; i < def->clustering_count && !status; i++) {
        const struct column_def *column = &def->columns[def->partition_key_count + i];

        buffer_reset(&value);
        status = value_decode_key(&clustering, column->type, column->descending, &value, err);
        if (!status)
            view->clustering[i] = arena_copy(arena, buffer_bytes(&value));
    }
    buffer_fini(&value);
    for (uint32_t i = 0; i < row->cell_count && !status; i++) {
        const struct column_def *column = table_def_column_by_id(def, row->cells[i].column_id);

        if (column && !column->multicell && !has_size(column->type, row->cells[i].value))
            status = error_set(err, ERR_CORRUPT, "a value of %.*s.%.*s has the wrong size", BYTES(def->keyspace),
                               BYTES(def->name));
    }
    return status;
}

/* A deleted value is none. */
static struct bytes find_cell(const struct row *row, uint32_t column_id, struct bytes path)
{
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];

        /* A cell without a path for a plain column; for a map's entry its key. */
        if (cell->column_id == column_id && bytes_compare(cell->path, path) == 0 && cell->kind != CELL_TOMBSTONE)
            return cell->value;
    }
    return bytes_of(NULL, 0);
}

struct bytes rows_get(const struct rows_view *view, const char *name)
{
    const struct column_def *column = column_of(view->def, name);

    assert(view->row);
    assert(column->kind != COLUMN_PARTITION_KEY && !column->multicell); /* who reads a partition knows its key */
    if (column->kind == COLUMN_CLUSTERING)
        return view->clustering[column->position];
    return find_cell(view->row, column->id, bytes_of(NULL, 0));
}

/* Sign and all, whatever size the type has: shifted to the top and back. */
int64_t rows_get_number(const struct rows_view *view, const char *name)
{
    struct bytes value = rows_get(view, name);
    uint64_t bits = 0;

    assert(value.size <= 8); /* rows_view saw to it, and the column is a number */
    for (size_t i = 0; i < value.size; i++)
        bits = bits << 8 | value.data[i];
    return value.size ? (int64_t)(bits << (64 - 8 * value.size)) >> (64 - 8 * value.size) : 0;
}

struct bytes rows_get_entry(const struct rows_view *view, const char *name, struct bytes key)
{
    const struct column_def *column = column_of(view->def, name);
    struct buffer path = { 0 };
    struct bytes value;

    assert(column->type->kind == TYPE_MAP && column->multicell);
    value_encode_key(&path, column->type->params[0], key, false);
    value = find_cell(view->row, column->id, buffer_bytes(&path));
    buffer_fini(&path);
    return value;
}

/* In pages, so that a partition of any size is read with bounded memory. The next page begins
 * behind the last row's clustering. */
enum status rows_read(struct table_port *port, const struct table_def *def, struct bytes key, int64_t now_s,
                      enum status (*row)(void *context, const struct rows_view *view, struct error *err), void *context,
                      struct error *err)
{
    struct table_view held = { 0 };
    struct read_command command = { .table_id = def->id,
                                    .schema_version = def->version,
                                    .partition_key = key,
                                    .token = token_of_partition_key(key),
                                    .view = &held,
                                    .rows_wanted = true,
                                    .row_limit = READ_ROWS,
                                    .byte_limit = READ_BYTES,
                                    .now_s = now_s };
    struct arena *arena = arena_new(1 << 16);
    struct buffer after = { 0 };
    struct read_result result;
    enum status status;

    do {
        arena_reset(arena);
        /* Behind the last row that was given. */
        command.after_clustering = after.size ? buffer_bytes(&after) : bytes_of(NULL, 0);
        status = table_read(port, &command, true, arena, &result, err);
        assert(status || result.partition_count <= 1);
        for (uint32_t i = 0; !status && result.partition_count && i < result.partitions[0].row_count; i++) {
            const struct read_row *found = &result.partitions[0].rows[i];
            struct rows_view view;

            status = rows_view(&view, def, found->clustering, found->row, arena, err);
            if (!status)
                status = row(context, &view, err);
            buffer_reset(&after);
            buffer_append_bytes(&after, found->clustering);
        }
    } while (!status && result.has_more);
    table_view_release(&held);
    buffer_fini(&after);
    arena_free(arena);
    return status;
}

/* The next page begins behind the last row of the last partition, which may have more. */
static enum status scan_page(struct table_port *port, struct read_command *command, const struct table_def *def,
                             struct arena *arena, struct buffer *partition, struct buffer *clustering, bool *has_more,
                             enum status (*row)(void *, struct bytes, const struct rows_view *, struct error *),
                             void *context, struct error *err)
{
    struct read_result result;
    enum status status = table_read(port, command, true, arena, &result, err);

    for (uint32_t i = 0; !status && i < result.partition_count; i++) {
        const struct read_partition *found = &result.partitions[i];

        for (uint32_t j = 0; !status && j < found->row_count; j++) {
            struct rows_view view;

            status = rows_view(&view, def, found->rows[j].clustering, found->rows[j].row, arena, err);
            if (!status)
                status = row(context, found->partition_key, &view, err);
        }
        buffer_reset(partition);
        buffer_append_bytes(partition, found->partition_key);
        buffer_reset(clustering);
        if (found->row_count)
            buffer_append_bytes(clustering, found->rows[found->row_count - 1].clustering);
        command->token = found->token;
    }
    *has_more = !status && result.has_more && result.partition_count;
    return status;
}

/* As rows_read, over all partitions in the order of their tokens, so with bounded memory, too. Rows
 * that are written meanwhile may be seen or not. */
enum status rows_scan(struct table_port *port, const struct table_def *def, int64_t now_s,
                      enum status (*row)(void *context, struct bytes key, const struct rows_view *view,
                                         struct error *err),
                      void *context, struct error *err)
{
    struct read_command command = { .table_id = def->id,
                                    .schema_version = def->version,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .rows_wanted = true,
                                    .row_limit = READ_ROWS,
                                    .byte_limit = READ_BYTES,
                                    .now_s = now_s };
    struct arena *arena = arena_new(1 << 16);
    struct buffer partition = { 0 }, clustering = { 0 };
    enum status status;
    bool has_more;

    do {
        arena_reset(arena);
        status = scan_page(port, &command, def, arena, &partition, &clustering, &has_more, row, context, err);
        command.after_partition = buffer_bytes(&partition);
        /* A row without clustering columns is all there is of its partition. */
        command.after_partition_inclusive = clustering.size > 0;
        command.after_clustering = clustering.size ? buffer_bytes(&clustering) : bytes_of(NULL, 0);
    } while (has_more);
    buffer_fini(&partition);
    buffer_fini(&clustering);
    arena_free(arena);
    return status;
}

/* Of the row as it was read: nothing more is looked up. The paths of its cells, decoded; their values are empty. What is deleted is none of them, and what
 * has expired was hidden by who read the row. */
enum status rows_elements(const struct rows_view *view, const char *name,
                          void (*element)(void *context, struct bytes element), void *context, struct error *err)
{
    const struct column_def *column = column_of(view->def, name);
    struct buffer value = { 0 };
    enum status status = OK;

    assert(column->type->kind == TYPE_SET && column->multicell);
    for (uint32_t i = 0; i < view->row->cell_count && !status; i++) {
        const struct cell *cell = &view->row->cells[i];
        struct bytes path = cell->path;

        if (cell->column_id != column->id || cell->kind == CELL_TOMBSTONE)
            continue;
        buffer_reset(&value);
        status = value_decode_key(&path, column->type->params[0], false, &value, err);
        if (!status)
            element(context, buffer_bytes(&value));
    }
    buffer_fini(&value);
    return status;
}

/* Both the row's own life and its cells' are looked at: an INSERT with a TTL has one, an UPDATE
 * only cells. */
int64_t rows_expire_s(const struct rows_view *view)
{
    int64_t first = INT64_MAX;

    for (uint32_t i = 0; i < view->row->cell_count; i++) {
        const struct cell *cell = &view->row->cells[i];

        if (cell->kind == CELL_EXPIRING && cell->local_s < first)
            first = cell->local_s;
    }
    if (view->row->liveness.ttl_s != TTL_NONE && view->row->liveness.expires_s < first)
        first = view->row->liveness.expires_s;
    return first;
}
