/* Reads of computed tables (system_views and the like): all rows are asked for, keyed and sorted as
 * stored ones would be, then go the way of any row.
 *
 * Whoever has the rows registers a function that emits them; nothing of them is stored. A table that
 * is large may ask `wants` before it makes a row. Everything else (slices, pages, LIMIT, reversed
 * order) is the collector's, as for stored tables, so that no statement works on one sort and not on
 * the other. */
#include "table/virtual.h"

#include "table/collect.h"
#include "table/shard.h"

#include "types/value.h"

#include <assert.h>

enum { VIRTUAL_ROWS_MAX = 1000000 };

/* As a stored row would stand: partition, clustering, cells. */
struct virtual_row {
    int64_t token;
    struct bytes partition_key;
    struct bytes clustering;
    struct row *row;
    struct row *static_row;
};

struct gathering {
    struct virtual_emit emit;
    const struct read_command *command;
    const struct table_def *def;
    struct arena *arena;
    struct virtual_row *rows;
    uint32_t count, capacity;
    bool overflowed;
};

/* A collection stored cell by cell comes packed, as any value, and is taken apart into the cells
 * that a stored one would have: readers know no other form. */
static uint32_t unpack(struct gathering *g, const struct column_def *column, struct bytes value, struct cell *cells)
{
    struct value_iterator iterator;
    struct bytes element;
    uint32_t count = 0;

    value_iterator_init(&iterator, column->type, value);
    while (value_iterator_next(&iterator, &element)) {
        struct cell *cell = &cells[count];
        struct buffer path CLEANUP(buffer_fini) = { 0 };

        *cell =
            (struct cell){ .column_id = column->id, .kind = CELL_LIVE, .local_s = TIME_NONE, .value = bytes_of("", 0) };
        switch (column->type->kind) {
        case TYPE_SET:
        case TYPE_MAP: value_encode_key(&path, column->type->params[0], element, false); break;
        case TYPE_UDT: buffer_append_be16(&path, (uint16_t)count); break;
        default:
            buffer_append_be64(&path, 0);
            buffer_append_be64(&path, count);
            break;
        }
        cell->path = arena_copy(g->arena, buffer_bytes(&path));
        if (column->type->kind == TYPE_MAP && !value_iterator_next(&iterator, &element))
            break;
        if (column->type->kind != TYPE_SET)
            cell->value = element;
        else if (!value_key_is_injective(column->type->params[0]))
            cell->path_value = element;
        count++;
    }
    return count;
}

/* At most so many cells a value becomes: memory for them is taken before. */
static uint32_t cells_of(const struct column_def *column, struct bytes value)
{
    if (bytes_is_null(value))
        return 0;
    if (!column->multicell)
        return 1;
    return column->type->kind == TYPE_UDT ? column->type->param_count : value.size >= 4 ? load_be32(value.data) : 0;
}

/* A row of some of the columns: the static ones or the regular ones. Values are copied, since they
 * are the emitter's. */
static struct row *make_row(struct gathering *g, const struct bytes *values, uint32_t first, uint32_t count)
{
    struct row *row = arena_new_struct(g->arena, struct row);
    uint32_t cells = 0;

    *row = ROW_EMPTY;
    for (uint32_t i = first; i < first + count; i++)
        cells += cells_of(&g->def->columns[i], values[i]);
    row->cells = arena_new_array(g->arena, struct cell, cells + 1);
    for (uint32_t i = first; i < first + count; i++) {
        const struct column_def *column = &g->def->columns[i];
        struct bytes value = bytes_is_null(values[i]) ? values[i] : arena_copy(g->arena, values[i]);

        if (bytes_is_null(value))
            continue;
        if (column->multicell)
            row->cell_count += unpack(g, column, value, &row->cells[row->cell_count]);
        else
            row->cells[row->cell_count++] =
                (struct cell){ .column_id = column->id, .kind = CELL_LIVE, .local_s = TIME_NONE, .value = value };
    }
    assert(row->cell_count <= cells);
    return row;
}

/* The partition key as Cassandra serializes it: one component raw, several each as size (2), bytes,
 * 00. */
static struct bytes partition_key_of(struct gathering *g, const struct bytes *values)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };

    if (g->def->partition_key_count == 1)
        return arena_copy(g->arena, values[0]);
    assert(g->def->partition_key_count > 1);
    for (uint32_t i = 0; i < g->def->partition_key_count; i++) {
        buffer_append_be16(&out, (uint16_t)values[i].size);
        buffer_append_bytes(&out, values[i]);
        buffer_append_u8(&out, 0);
    }
    return arena_copy(g->arena, buffer_bytes(&out));
}

/* One row from the emitter. The row marker has timestamp 0: the row lives, and nothing deletes it. */
static void take(struct virtual_emit *emit, const struct bytes *values)
{
    struct gathering *g = CONTAINER_OF(emit, struct gathering, emit);
    const struct table_def *def = g->def;
    uint32_t first_clustering = def->partition_key_count, first_static = first_clustering + def->clustering_count;
    uint32_t first_regular = first_static + def->static_count;
    struct buffer clustering CLEANUP(buffer_fini) = { 0 };
    struct virtual_row *row;

    if (g->count == VIRTUAL_ROWS_MAX) {
        g->overflowed = true;
        return;
    }
    g->rows = arena_room(g->arena, g->rows, g->count, &g->capacity, 64, sizeof(*g->rows));
    assert(g->count < g->capacity);
    row = &g->rows[g->count++];
    row->partition_key = partition_key_of(g, values);
    row->token = token_of_partition_key(row->partition_key);
    for (uint32_t i = 0; i < def->clustering_count; i++)
        value_encode_key(&clustering, def->columns[first_clustering + i].type, values[first_clustering + i],
                         def->columns[first_clustering + i].descending);
    row->clustering = arena_copy(g->arena, buffer_bytes(&clustering));
    row->static_row = def->static_count ? make_row(g, values, first_static, def->static_count) : NULL;
    row->row = make_row(g, values, first_regular, def->regular_count);
    row->row->liveness = (struct liveness){ 0, TTL_NONE, TIME_NONE };
}

/* The order of stored rows: token, partition key, clustering. */
static int compare_rows(const void *a, const void *b)
{
    const struct virtual_row *x = a, *y = b;
    int order = (x->token > y->token) - (x->token < y->token);

    if (!order)
        order = bytes_compare(x->partition_key, y->partition_key);
    return order ? order : bytes_compare(x->clustering, y->clustering);
}

static bool same_partition(const struct virtual_row *a, const struct virtual_row *b)
{
    return a->token == b->token && bytes_equal(a->partition_key, b->partition_key);
}

/* Where a row's partition lies to what the command asks for. -1: before where it begins; 1: after
 * its end. */
static int place(const struct read_command *command, const struct virtual_row *row)
{
    if (!bytes_is_null(command->partition_key)) {
        if (row->token != command->token)
            return row->token < command->token ? -1 : 1;
        return bytes_compare(row->partition_key, command->partition_key);
    }
    if (row->token < command->token)
        return -1;
    if (row->token > command->token_last)
        return 1;
    if (!bytes_is_null(command->after_partition) && row->token == command->token) {
        int order = bytes_compare(row->partition_key, command->after_partition);

        return order < 0 || (order == 0 && !command->after_partition_inclusive) ? -1 : 0;
    }
    return 0;
}

/* Whether a slice holds clusterings that begin with the prefix. Inclusive or not is not looked at:
 * too much may be said to be wanted, since each row is judged again later. */
static bool slice_meets(const struct slice *slice, struct bytes prefix)
{
    size_t start = slice->start.size < prefix.size ? slice->start.size : prefix.size;
    size_t end = slice->end.size < prefix.size ? slice->end.size : prefix.size;

    return (!start || memcmp(slice->start.data, prefix.data, start) <= 0) &&
           (!end || memcmp(slice->end.data, prefix.data, end) >= 0);
}

/* For emitters whose rows cost something: whether a row with these first values could be wanted. */
static bool wants(struct virtual_emit *emit, const struct bytes *values, uint32_t count)
{
    struct gathering *g = CONTAINER_OF(emit, struct gathering, emit);
    const struct read_command *command = g->command;
    struct buffer prefix CLEANUP(buffer_fini) = { 0 };
    struct virtual_row row = { .partition_key = values[0] };
    const struct column_def *column = &g->def->columns[1];
    bool meets = false;

    if (g->def->partition_key_count != 1)
        return true;
    assert(count > 0);
    row.token = token_of_partition_key(values[0]);
    if (place(command, &row) != 0)
        return false;
    if (count < 2 || !g->def->clustering_count || !command->slice_count)
        return true;
    value_encode_key(&prefix, column->type, values[1], column->descending);
    for (uint32_t i = 0; i < command->slice_count && !meets; i++)
        meets = slice_meets(&command->slices[i], buffer_bytes(&prefix));
    return meets;
}

/* Whether a row lies behind where the last page ended. A page may end in the midst of a
 * partition, also in that of a scan: only the rows of this one partition are held against the
 * clustering. */
static bool is_past(const struct read_command *command, const struct virtual_row *row)
{
    int order;

    if (bytes_is_null(command->after_clustering))
        return true;
    if (bytes_is_null(command->partition_key) &&
        (row->token != command->token || !bytes_equal(row->partition_key, command->after_partition)))
        return true;
    order = bytes_compare(row->clustering, command->after_clustering);
    return command->reversed ? order < 0 : order > 0;
}

/* The rows of one partition, in the order that was asked for. */
static void read_virtual_partition(struct collector *c, const struct virtual_row *rows, uint32_t count)
{
    const struct read_command *command = c->command;
    bool resumed = !bytes_is_null(command->partition_key) ||
                   (!bytes_is_null(command->after_partition) && rows[0].token == command->token &&
                    bytes_equal(rows[0].partition_key, command->after_partition));

    assert(count && rows[0].row);
    collector_begin(c, rows[0].token, rows[0].partition_key, rows[0].static_row, !(resumed && command->after_static));
    for (uint32_t i = 0; i < count; i++) {
        const struct virtual_row *row = &rows[c->command->reversed ? count - 1 - i : i];

        if (is_past(c->command, row) && slices_contain(c->command, row->clustering) &&
            collector_add(c, row->clustering, row->row))
            break;
    }
    collector_end(c);
}

/* The emitter is called once and gives a state of its own: a page later may see others. All rows
 * are made and sorted for each page, so these tables are bounded (VIRTUAL_ROWS_MAX) and an
 * emitter whose rows are dear asks `wants` first. */
enum status virtual_read(const struct table_def *def, const struct read_command *command, struct arena *arena,
                         struct read_result *result, struct error *err)
{
    struct gathering g = { .emit = { take, wants, command->viewer }, .command = command, .def = def, .arena = arena };
    struct collector collector;

    assert(def->virtual_table && def->partition_key_count);
    def->virtual_table->rows(def->virtual_table, &g.emit);
    if (g.overflowed)
        return error_set(err, ERR_READ_FAILURE, "more than %d rows in a computed table", VIRTUAL_ROWS_MAX);
    if (g.count)
        qsort(g.rows, g.count, sizeof(*g.rows), compare_rows);
    collector_init(&collector, command, arena);
    for (uint32_t i = 0, end; i < g.count && !collector.stopped; i = end) {
        for (end = i + 1; end < g.count && same_partition(&g.rows[i], &g.rows[end]); end++)
            ;
        if (place(command, &g.rows[i]) == 0)
            read_virtual_partition(&collector, &g.rows[i], end - i);
    }
    collector_finish(&collector, result);
    return OK;
}
