/* Executing SELECT: partitions and slices are read in chunks; rows are filtered, grouped, and written to the reply.
 *
 * A page ends by rows or by bytes; where it ended goes to the client as a paging state. What is not paged is bounded, with an error.
 * The first chunk lies in the request's arena; later ones in an arena that is emptied for each, so that a scan of any length takes
 * the memory of one chunk. On a loop a scan that needs many chunks is handed to a worker. */
#include "query/read.h"

#include "query/aggregate.h"
#include "query/assemble.h"
#include "query/paging.h"
#include "query/sort.h"
#include "query/trace.h"
#include "row/counter.h"
#include "types/text.h"

#include <assert.h>
#include <stdlib.h>

enum {
    CHUNK_ROWS = 5000,
    CHUNK_BYTES = 4 << 20,
    LOOP_CHUNKS_MAX = 8,
    LOOP_ROWS_MAX = 1000, /* a request that meets more goes to a worker: others wait meanwhile */
    LOOP_BYTES = 1 << 20,
    LOOP_KEYS_MAX = 256, /* that INs name */
    PAGE_ROWS_DEFAULT = 1000000,
    PAGE_BYTES_DEFAULT = 64 << 20,
    PAGE_BYTES_SOFT = 8 << 20, /* a paged reply ends past this many bytes */
};

struct value_list {
    struct bytes *values; /* sorted, each once */
    uint32_t count;
};

struct reader {
    struct execution *execution;
    const struct table_def *table;
    const struct select_plan *select;
    struct bytes *slots;
    const struct cell **cells;
    uint32_t *cell_counts;
    struct row_view view;
    size_t *offsets;           /* into scratch, while a row is put together */
    struct arena *chunk;       /* what lives as long as the rows just read */
    struct arena *owned_chunk; /* owned; NULL until a second chunk is read */
    /* Filters' operands, evaluated once. */
    struct bytes *filter_values;
    struct bytes *filter_keys;
    struct value_list *filter_lists;
    /* Where reading stands: the partition, and its last row that was given. The context's. */
    struct buffer *key, *clustering;
    bool has_clustering;
    bool in_partition; /* key is set and the partition may go on */
    bool rows_met;     /* in it: if nothing more comes, it was not a static row alone */
    bool distinct_met; /* in it, for DISTINCT beside aggregates */
    struct buffer
        *next_clustering; /* of the last row that was looked at: the next chunk begins behind it; the context's */
    /* What may still be given: rows; groups when there are any. */
    uint32_t remaining, left_in_partition, per_partition, page_left;
    bool is_paged, page_full, full_of_bytes;
    uint32_t rows_max; /* LIMIT, for each page */
    size_t bytes_at;   /* out->size where rows begin */
    struct native_rows rows;
    /* What was met, over all chunks. */
    uint64_t tombstones, rows_read;
    int64_t last_token;
    /* Groups. */
    struct accumulator *accumulators; /* owned */
    bool group_open;
    struct arena *group_arena; /* owned */
    struct bytes *group_slots, *group_keys;
    const struct cell **group_cells;
    uint32_t *group_cell_counts;
    struct bytes group_function_value;
    struct sorter sorter;
};

/* ---- putting a row together ---- */

static void fill_cells(struct reader *reader, const struct row *row, bool is_static)
{
    const struct select_plan *select = reader->select;
    struct buffer *scratch = &reader->execution->context->scratch;
    uint32_t at = 0, count = row ? row->cell_count : 0;

    for (uint32_t i = 0; i < select->cell_slot_count; i++) {
        uint32_t slot = select->slot_of_id_index[i], first, end;
        const struct column_def *column = select->slots[slot];

        if ((column->kind == COLUMN_STATIC) != is_static)
            continue;
        while (at < count && row->cells[at].column_id < column->id)
            at++;
        for (first = at, end = at; end < count && row->cells[end].column_id == column->id; end++)
            ;
        at = end;
        reader->offsets[slot] = SIZE_MAX;
        reader->slots[slot] = bytes_of(NULL, 0);
        reader->cells[slot] = first < end ? &row->cells[first] : NULL;
        reader->cell_counts[slot] = end - first;
        if (first == end)
            continue;
        if (row->cells[first].kind == CELL_COUNTER) {
            reader->offsets[slot] = scratch->size;
            reader->slots[slot].size = 8;
            buffer_append_be64(scratch, (uint64_t)counter_total(row->cells[first].value));
        } else if (!column->multicell) {
            reader->slots[slot] = row->cells[first].value;
        } else {
            size_t offset = scratch->size;

            if (assemble_collection(scratch, column->type, &row->cells[first], end - first)) {
                reader->offsets[slot] = offset;
                reader->slots[slot].size = scratch->size - offset;
            }
        }
    }
}

/* Now that the scratch no longer moves. */
static void resolve_offsets(struct reader *reader, uint32_t first, uint32_t end)
{
    const struct buffer *scratch = &reader->execution->context->scratch;

    for (uint32_t i = first; i < end; i++)
        if (reader->offsets[i] != SIZE_MAX)
            reader->slots[i].data = scratch->data ? scratch->data + reader->offsets[i] : (const uint8_t *)"";
}

static void fill_partition(struct reader *reader, const struct read_partition *partition)
{
    const struct select_plan *select = reader->select;
    const struct table_def *table = reader->table;
    struct buffer *scratch = &reader->execution->context->scratch;
    struct bytes key = partition->partition_key;
    size_t at = 0;

    if (select->partition_slots == 1) {
        reader->slots[0] = key;
    } else {
        for (uint32_t i = 0; i < select->partition_slots && at + 3 <= key.size; i++) {
            uint16_t size = load_be16(key.data + at);

            reader->slots[i] = bytes_of(key.data + at + 2, size);
            at += 3 + (size_t)size;
        }
    }
    if (!table->static_count)
        return;
    buffer_reset(scratch);
    fill_cells(reader, partition->static_row, true);
    resolve_offsets(reader, select->partition_slots + select->clustering_slots, select->slot_count);
    for (uint32_t i = select->partition_slots + select->clustering_slots; i < select->slot_count; i++)
        if (select->slots[i]->kind == COLUMN_STATIC && reader->offsets[i] != SIZE_MAX) {
            reader->slots[i] = arena_copy(reader->chunk, reader->slots[i]); /* rows reuse the scratch */
            reader->offsets[i] = SIZE_MAX;
        }
}

static enum status fill_row(struct reader *reader, const struct read_row *row, struct error *err)
{
    const struct select_plan *select = reader->select;
    struct buffer *scratch = &reader->execution->context->scratch;
    uint32_t first = select->partition_slots, end = first + select->clustering_slots;

    buffer_reset(scratch);
    if (!row) {
        for (uint32_t i = first; i < end; i++) {
            reader->slots[i] = bytes_of(NULL, 0);
            reader->offsets[i] = SIZE_MAX;
        }
    } else if (!bytes_is_null(row->row->written_clustering)) {
        struct bytes written = row->row->written_clustering;

        for (uint32_t i = first; i < end && written.size >= 4; i++) {
            uint32_t size = load_be32(written.data);

            if (size > written.size - 4)
                return error_set(err, ERR_CORRUPT, "A row's clustering is cut");
            reader->slots[i] = bytes_of(written.data + 4, size);
            reader->offsets[i] = SIZE_MAX;
            written = bytes_of(written.data + 4 + size, written.size - 4 - size);
        }
    } else {
        struct bytes rest = row->clustering;

        for (uint32_t i = first; i < end; i++) {
            const struct column_def *column = select->slots[i];
            size_t offset = scratch->size;
            enum status status = value_decode_key(&rest, column->type, column->descending, scratch, err);

            if (status)
                return status;
            reader->offsets[i] = offset;
            reader->slots[i].size = scratch->size - offset;
        }
    }
    fill_cells(reader, row ? row->row : NULL, false);
    resolve_offsets(reader, first, end);
    for (uint32_t i = end; i < select->slot_count; i++)
        if (select->slots[i]->kind == COLUMN_REGULAR)
            resolve_offsets(reader, i, i + 1);
    return OK;
}

/* ---- filters ---- */

static enum status filter_operand(const struct expr *expr, struct eval *eval, const struct column_def *column,
                                  struct bytes *value, struct error *err)
{
    enum status status = expr_evaluate(expr, eval, value, err);

    if (status)
        return status;
    bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING;
    if (native_is_unset(*value))
        return error_set(err, ERR_INVALID, "%s unset value for column %.*s", is_key ? "Invalid" : "Unsupported",
                         BYTES(column->name));
    if (bytes_is_null(*value))
        return error_set(err, ERR_INVALID,
                         is_key ? "Invalid null value in condition for column %.*s"
                                : "Unsupported null value for column %.*s",
                         BYTES(column->name));
    return OK;
}

/* The values of IN in order: they are looked up for every row. */
static enum status filter_list(const struct filter *filter, struct eval *eval, struct value_list *list,
                               struct error *err)
{
    uint32_t room = filter->value_count, count = 0;
    struct value_iterator iterator;
    struct bytes marker = { 0 };
    enum status status = OK;

    if (filter->value) {
        status = filter_operand(filter->value, eval, filter->column, &marker, err);
        if (status)
            return status;
        room = marker.size >= 4 ? load_be32(marker.data) : 0;
    }
    list->values = arena_alloc(eval->arena, sizeof(*list->values) * ((size_t)room + 1));
    if (filter->value) {
        value_iterator_init(&iterator, filter->value->type, marker);
        while (count < room && value_iterator_next(&iterator, &list->values[count])) {
            list->values[count] = value_of_in(filter->column->type, list->values[count]);
            count += !bytes_is_null(list->values[count]); /* what is null equals nothing */
        }
    }
    for (; !filter->value && count < room && !status; count++)
        status = filter_operand(filter->values[count], eval, filter->column, &list->values[count], err);
    if (!status)
        list->count = value_sort(filter->column->type, list->values, count);
    return status;
}

static enum status prepare_filters(struct reader *reader, struct error *err)
{
    const struct where *where = &reader->select->where;
    struct eval *eval = &reader->execution->eval;
    enum status status = OK;

    if (!where->filter_count)
        return OK;
    reader->filter_values = arena_new_array(eval->arena, struct bytes, where->filter_count);
    reader->filter_keys = arena_new_array(eval->arena, struct bytes, where->filter_count);
    reader->filter_lists = arena_new_array(eval->arena, struct value_list, where->filter_count);
    for (uint32_t i = 0; i < where->filter_count && !status; i++) {
        const struct filter *filter = &where->filters[i];

        if (filter->key)
            status = filter_operand(filter->key, eval, filter->column, &reader->filter_keys[i], err);
        if (!status && filter->op == OPERATOR_IN)
            status = filter_list(filter, eval, &reader->filter_lists[i], err);
        else if (!status)
            status = filter_operand(filter->value, eval, filter->column, &reader->filter_values[i], err);
    }
    return status;
}

static bool order_satisfies(enum cql_operator op, int order)
{
    switch (op) {
    case OPERATOR_EQ: return order == 0;
    case OPERATOR_LT: return order < 0;
    case OPERATOR_LE: return order <= 0;
    case OPERATOR_GT: return order > 0;
    case OPERATOR_GE: return order >= 0;
    default: return false;
    }
}

/* Does the collection hold the wanted element, key, or entry? */
static bool collection_holds(const struct filter *filter, struct bytes collection, struct bytes wanted,
                             struct bytes wanted_key)
{
    const struct type *type = filter->column->type;
    struct value_iterator iterator;
    struct bytes element, value;

    if (collection.size == 0)
        return false;
    value_iterator_init(&iterator, type, collection);
    while (value_iterator_next(&iterator, &element)) {
        value = element;
        if (type->kind == TYPE_MAP && !value_iterator_next(&iterator, &value))
            return false;
        if (filter->key) {
            if (value_compare(type->params[0], element, wanted_key) == 0 &&
                value_compare(type->params[1], value, wanted) == 0)
                return true;
        } else if (filter->op == OPERATOR_CONTAINS_KEY) {
            if (value_compare(type->params[0], element, wanted) == 0)
                return true;
        } else if (value_compare(type->kind == TYPE_MAP ? type->params[1] : type->params[0], value, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static bool passes_filters(const struct reader *reader)
{
    const struct where *where = &reader->select->where;

    for (uint32_t i = 0; i < where->filter_count; i++) {
        const struct filter *filter = &where->filters[i];
        struct bytes value = reader->slots[filter->slot], wanted = reader->filter_values[i];
        bool fits;

        if (bytes_is_null(value))
            return false;
        if (filter->key || filter->op == OPERATOR_CONTAINS || filter->op == OPERATOR_CONTAINS_KEY)
            fits = collection_holds(filter, value, wanted, reader->filter_keys[i]);
        else if (filter->op == OPERATOR_IN)
            fits =
                value_find(filter->column->type, reader->filter_lists[i].values, reader->filter_lists[i].count, value);
        else
            fits = order_satisfies(filter->op, value_compare(filter->column->type, value, wanted));
        if (!fits)
            return false;
    }
    return true;
}

static bool has_row_restrictions(const struct where *where)
{
    if (where->has_clustering)
        return true;
    for (uint32_t i = 0; i < where->filter_count; i++)
        if (where->filters[i].column->kind == COLUMN_REGULAR || where->filters[i].column->kind == COLUMN_CLUSTERING)
            return true;
    return false;
}

/* ---- giving rows ---- */

static enum status check_unpaged_bytes(const struct reader *reader, size_t bytes)
{
    const struct query_engine *engine = reader->execution->context->engine;
    uint64_t bytes_max = engine->page_bytes_max ? engine->page_bytes_max : PAGE_BYTES_DEFAULT;
    uint32_t rows_max = engine->page_rows_max ? engine->page_rows_max : PAGE_ROWS_DEFAULT;

    if (reader->rows.row_count > rows_max || bytes > bytes_max)
        return error_set(reader->execution->err, ERR_INVALID,
                         "The result is larger than %u rows or %llu bytes: page it", rows_max,
                         (unsigned long long)bytes_max);
    return OK;
}

static enum status check_unpaged(const struct reader *reader)
{
    return check_unpaged_bytes(reader, reader->execution->out->size - reader->bytes_at);
}

static enum status write_json_row(struct reader *reader, const struct bytes *values)
{
    const struct select_plan *select = reader->select;
    struct buffer text = { 0 };

    buffer_append_string(&text, "{");
    for (uint32_t i = 0; i < select->result_count; i++) {
        if (i)
            buffer_append_string(&text, ", ");
        buffer_append_bytes(&text, select->json_names[i]);
        if (bytes_is_null(values[i]))
            buffer_append_string(&text, "null");
        else
            value_print_json(&text, select->results[i]->type, values[i]);
    }
    buffer_append_string(&text, "}");
    native_rows_value(&reader->rows, buffer_bytes(&text));
    buffer_fini(&text);
    return OK;
}

/* One row may say a large value thousands of times. */
static enum status write_value(struct reader *reader, struct bytes value)
{
    enum { LARGE_BYTES = 4096 };

    native_rows_value(&reader->rows, value);
    return value.size < LARGE_BYTES ? OK : check_unpaged(reader);
}

static enum status write_row(struct reader *reader, const struct bytes *values)
{
    enum status status = OK;

    if (reader->rows.row_count >= reader->rows_max)
        return OK; /* the limit that a state of another statement brought was wider */
    if (reader->select->is_json)
        write_json_row(reader, values);
    else
        for (uint32_t i = 0; i < reader->select->result_count && !status; i++)
            status = write_value(reader, values[i]);
    native_rows_end_row(&reader->rows);
    return status ? status : check_unpaged(reader);
}

static enum status keep_sorted(struct reader *reader, const struct bytes *slots, const struct bytes *values)
{
    const struct select_plan *select = reader->select;
    struct bytes *row = arena_alloc(reader->chunk, sizeof(*row) * sorter_width(select));

    memcpy(row, values, sizeof(*row) * select->result_count);
    for (uint32_t i = 0; i < select->sort_count; i++)
        row[select->result_count + i] = slots[select->sort[i].slot];
    return sorter_add(&reader->sorter, row, reader->execution->err);
}

static enum status evaluate_results(struct reader *reader, struct bytes *values)
{
    const struct select_plan *select = reader->select;
    struct eval *eval = &reader->execution->eval;
    size_t bytes = 0;

    for (uint32_t i = 0; i < select->result_count; i++) {
        enum status status = expr_evaluate(select->results[i], eval, &values[i], reader->execution->err);

        if (status)
            return status;
        if (native_is_unset(values[i]))
            values[i] = bytes_of(NULL, 0);
        bytes += values[i].size;
        status = check_unpaged_bytes(reader, bytes);
        if (status)
            return status;
    }
    return OK;
}

static enum status give_row(struct reader *reader)
{
    const struct select_plan *select = reader->select;

    if (select->is_plain) {
        enum status status = OK;

        for (uint32_t i = 0; i < select->result_count && !status; i++)
            status = write_value(reader, reader->slots[select->results[i]->index]);
        native_rows_end_row(&reader->rows);
        return status ? status : check_unpaged(reader);
    }
    struct bytes *values = arena_alloc(reader->chunk, sizeof(*values) * (select->result_count + 1));
    enum status status = evaluate_results(reader, values);
    if (status)
        return status;
    return select->sort_count ? keep_sorted(reader, reader->slots, values) : write_row(reader, values);
}

static void count_down(uint32_t *limit)
{
    if (*limit != PAGING_NO_LIMIT && *limit)
        --*limit;
}

/* A row, or a group that is closed. */
static void count_given(struct reader *reader)
{
    count_down(&reader->remaining);
    count_down(&reader->left_in_partition);
    if (!reader->is_paged)
        return;
    if (reader->page_left)
        reader->page_left--;
    reader->full_of_bytes = reader->execution->out->size - reader->bytes_at > PAGE_BYTES_SOFT;
    reader->page_full = !reader->page_left || reader->full_of_bytes;
}

static bool is_full(const struct reader *reader)
{
    return reader->page_full || reader->remaining == 0;
}

/* ---- groups ---- */

static enum status close_group(struct reader *reader)
{
    const struct select_plan *select = reader->select;
    struct eval *eval = &reader->execution->eval;
    struct bytes *results = arena_new_array(reader->group_arena, struct bytes, select->aggregate_count + 1);
    struct bytes *values = arena_new_array(reader->group_arena, struct bytes, select->result_count + 1);
    struct row_view view = reader->view, *kept = (struct row_view *)eval->row;
    enum status status = OK;

    for (uint32_t i = 0; i < select->aggregate_count && !status; i++)
        status = accumulator_result(&reader->accumulators[i], &results[i], reader->execution->err);
    if (status)
        return status;
    view.slots = reader->group_slots;
    view.cells = (const struct cell *const *)reader->group_cells;
    view.cell_counts = reader->group_cell_counts;
    view.aggregates = results;
    eval->row = &view;
    status = evaluate_results(reader, values);
    eval->row = kept;
    if (!status)
        status = select->sort_count ? keep_sorted(reader, reader->group_slots, values) : write_row(reader, values);
    for (uint32_t i = 0; i < select->aggregate_count; i++)
        accumulator_reset(&reader->accumulators[i]);
    reader->group_open = false;
    if (select->group_count)
        count_given(reader);
    return status;
}

/* Groups of GROUP BY lie within a partition. */
static enum status close_groups_of_partition(struct reader *reader)
{
    return reader->group_open && reader->select->group_count ? close_group(reader) : OK;
}

/* The first row of a group is what selectors outside of aggregates see. */
static void open_group(struct reader *reader)
{
    const struct select_plan *select = reader->select;
    struct arena *arena = reader->group_arena;

    arena_reset(arena);
    reader->group_slots = arena_new_array(arena, struct bytes, select->slot_count + 1);
    reader->group_cells = arena_new_array(arena, const struct cell *, select->slot_count + 1);
    reader->group_cell_counts = arena_new_array(arena, uint32_t, select->slot_count + 1);
    reader->group_keys = arena_new_array(arena, struct bytes, select->group_count + 1);
    for (uint32_t i = 0; i < select->slot_count; i++) {
        if (!bytes_is_null(reader->slots[i]))
            reader->group_slots[i] = arena_copy(arena, reader->slots[i]);
        if (select->wants_cells && reader->cells[i]) {
            struct cell *cells = arena_alloc(arena, sizeof(*cells) * reader->cell_counts[i]);

            memcpy(cells, reader->cells[i], sizeof(*cells) * reader->cell_counts[i]);
            for (uint32_t k = 0; k < reader->cell_counts[i]; k++)
                if (!bytes_is_null(cells[k].path))
                    cells[k].path = arena_copy(arena, cells[k].path);
            reader->group_cells[i] = cells;
            reader->group_cell_counts[i] = reader->cell_counts[i];
        }
    }
    for (uint32_t i = 0; i < select->group_count; i++)
        reader->group_keys[i] = reader->group_slots[i];
    reader->group_open = true;
}

static bool same_group(const struct reader *reader, struct bytes function_value)
{
    const struct select_plan *select = reader->select;
    uint32_t plain = select->group_count - (select->group_function ? 1 : 0);

    if (!reader->group_open)
        return false;
    for (uint32_t i = 0; i < plain; i++)
        if (bytes_is_null(reader->group_keys[i]) != bytes_is_null(reader->slots[i]) ||
            !bytes_equal(reader->group_keys[i], reader->slots[i]))
            return false;
    if (!select->group_function)
        return true;
    return bytes_is_null(function_value) == bytes_is_null(reader->group_function_value) &&
           bytes_equal(function_value, reader->group_function_value);
}

static enum status group_row(struct reader *reader, bool *taken, bool *stopped)
{
    const struct select_plan *select = reader->select;
    struct eval *eval = &reader->execution->eval;
    struct error *err = reader->execution->err;
    struct bytes function_value = { NULL, 0 };
    enum status status = OK;

    if (select->group_count) {
        if (select->group_function)
            status = expr_evaluate(select->group_function, eval, &function_value, err);
        if (status)
            return status;
        if (!same_group(reader, function_value)) {
            if (reader->group_open) {
                status = close_group(reader);
                if (status)
                    return status;
                if (is_full(reader)) {
                    *stopped = true; /* this row belongs to the next page */
                    return OK;
                }
                if (!reader->left_in_partition)
                    return OK; /* PER PARTITION LIMIT counts groups */
            }
            open_group(reader);
            reader->group_function_value =
                bytes_is_null(function_value) ? function_value : arena_copy(reader->group_arena, function_value);
        }
    } else if (!reader->group_open) {
        open_group(reader);
    }
    *taken = true;
    if (select->distinct && reader->distinct_met)
        return OK;
    reader->distinct_met = true;
    if (!select->group_count) { /* a state of another statement may bring limits */
        count_down(&reader->remaining);
        count_down(&reader->left_in_partition);
        *stopped = reader->remaining == 0;
    }
    for (uint32_t i = 0; i < select->aggregate_count && !status; i++) {
        struct bytes value = { NULL, 0 };

        if (select->aggregates[i].argument)
            status = expr_evaluate(select->aggregates[i].argument, eval, &value, err);
        if (!status && native_is_unset(value))
            value = bytes_of(NULL, 0);
        if (!status)
            status = accumulator_add(&reader->accumulators[i], value, err);
    }
    return status;
}

/* ---- reading ---- */

static void remember(struct reader *reader, struct bytes clustering)
{
    reader->has_clustering = !bytes_is_null(clustering);
    buffer_reset(reader->clustering);
    buffer_append_bytes(reader->clustering, clustering);
    if (reader->has_clustering && !reader->clustering->data)
        buffer_reserve(reader->clustering, 1);
    if (!reader->table->clustering_count)
        reader->left_in_partition = 0; /* it has no other row */
}

/* One row, or a static row alone. *taken: it was given or is part of a group. *stopped: nothing more may be given on this page. */
static enum status take_row(struct reader *reader, bool *taken, bool *stopped)
{
    enum status status;

    *taken = false;
    if (!reader->left_in_partition || !passes_filters(reader))
        return OK;
    if (reader->select->is_aggregate)
        return group_row(reader, taken, stopped);
    status = give_row(reader);
    if (status)
        return status;
    *taken = true;
    count_given(reader);
    *stopped = is_full(reader);
    return OK;
}

static void begin_partition(struct reader *reader, struct bytes key)
{
    buffer_reset(reader->key);
    buffer_append_bytes(reader->key, key);
    reader->left_in_partition = reader->per_partition;
    reader->rows_met = reader->distinct_met = false;
    reader->has_clustering = false;
    reader->in_partition = true;
}

static enum status take_static_row(struct reader *reader, bool *stopped)
{
    bool taken;
    enum status status = fill_row(reader, NULL, reader->execution->err);

    if (!status)
        status = take_row(reader, &taken, stopped);
    if (!status)
        status = close_groups_of_partition(reader);
    if (status)
        return status;
    *stopped |= is_full(reader);
    reader->left_in_partition = 0; /* there is nothing more in it */
    return OK;
}

static enum status take_partition(struct reader *reader, const struct read_partition *partition, bool *stopped)
{
    enum status status = OK;

    if (!reader->in_partition || !bytes_equal(buffer_bytes(reader->key), partition->partition_key)) {
        status = close_groups_of_partition(reader);
        if (!status && is_full(reader))
            *stopped = true; /* this partition belongs to the next page */
        if (status || *stopped)
            return status;
        begin_partition(reader, partition->partition_key);
    }
    fill_partition(reader, partition);
    if (!partition->row_count && partition->static_row && !reader->rows_met &&
        !has_row_restrictions(&reader->select->where))
        return take_static_row(reader, stopped);
    const struct read_row *last = NULL;
    for (uint32_t i = 0; i < partition->row_count && !*stopped; i++) {
        bool taken;

        reader->rows_met = true;
        status = fill_row(reader, &partition->rows[i], reader->execution->err);
        if (!status)
            status = take_row(reader, &taken, stopped);
        if (status)
            return status;
        if (taken)
            last = &partition->rows[i];
    }
    if (last)
        remember(reader, last->clustering);
    return OK;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What is left of it: a page may take several commands. */
static uint32_t tombstone_limit(const struct reader *reader)
{
    uint64_t limit = atomic_load_explicit(&reader->execution->context->engine->tombstone_fail, memory_order_relaxed);

    if (limit)
        limit = limit > reader->tombstones ? limit - reader->tombstones : 1;
    return limit < UINT32_MAX ? (uint32_t)limit : 0;
}

static void warn_of_tombstones(const struct reader *reader)
{
    struct execution *execution = reader->execution;

    if (!is_past_threshold(&execution->context->engine->tombstone_warn, reader->tombstones))
        return;
    execution_warn(
        execution->request,
        "Read %llu live rows and %llu tombstone cells for query %.*s; token %lld (see tombstone_warn_threshold)",
        (unsigned long long)reader->rows_read, (unsigned long long)reader->tombstones,
        BYTES(text_cut(execution->statement_text, STATEMENT_SHOWN_BYTES)), (long long)reader->last_token);
}

/* Said as Cassandra says it of its one replica. */
static void tell_too_many_tombstones(struct reader *reader, const struct read_result *result)
{
    struct query_request *request = reader->execution->request;

    reader->tombstones += result->work.tombstones_read;
    reader->last_token = result->work.last_token;
    warn_of_tombstones(reader);
    request->detail.failure_reason = NATIVE_FAILURE_TOO_MANY_TOMBSTONES;
    error_set(reader->execution->err, ERR_READ_FAILURE,
              "Operation failed - received 0 responses and 1 failures: READ_TOO_MANY_TOMBSTONES from /127.0.0.1:7000");
}

static void set_limits(const struct reader *reader, struct read_command *command)
{
    const struct where *where = &reader->select->where;
    bool counts_rows = !reader->select->is_aggregate && !where->filter_count;
    uint32_t per_partition = reader->per_partition;

    bool may_wait = reader->execution->context->may_wait;

    command->row_limit = may_wait ? CHUNK_ROWS : LOOP_ROWS_MAX - (uint32_t)reader->rows_read;
    command->row_limit_per_partition = UINT32_MAX;
    command->byte_limit = may_wait ? CHUNK_BYTES : LOOP_BYTES;
    command->tombstone_limit = tombstone_limit(reader);
    if (counts_rows) {
        command->row_limit = least(command->row_limit, reader->remaining);
        if (reader->is_paged)
            command->row_limit = least(command->row_limit, reader->page_left);
        if (reader->in_partition && reader->left_in_partition > per_partition)
            per_partition = reader->left_in_partition; /* of the first one; take_row counts */
        if (per_partition != PAGING_NO_LIMIT)
            command->row_limit_per_partition = per_partition;
    }
}

/* For the warning, and for who traces. */
static void count_work(struct reader *reader, const struct read_command *command, const struct read_result *result)
{
    struct trace *trace = reader->execution->request->trace;

    reader->tombstones += result->work.tombstones_read;
    reader->rows_read += result->work.rows_read;
    reader->last_token = result->work.last_token;
    if (__builtin_expect(!trace, 1))
        return;
    if (bytes_is_null(command->partition_key))
        trace_event(trace, "Scanned tokens from %lld to %lld: %u partitions of %.*s", (long long)command->token,
                    (long long)command->token_last, result->partition_count, BYTES(reader->table->name));
    else
        trace_event(trace, "Executed single-partition query on %.*s, token %lld", BYTES(reader->table->name),
                    (long long)command->token);
    trace_event(trace, "Read %u live rows and %u tombstone cells, %llu bytes", result->work.rows_read,
                result->work.tombstones_read, (unsigned long long)result->work.bytes_read);
}

/* Makes the command go on behind the last row that was looked at. False: there is nothing more in its one partition. */
static bool go_on(struct reader *reader, struct read_command *command, const struct read_partition *last)
{
    bool enters = reader->left_in_partition && last->row_count;

    if (enters) {
        struct bytes clustering = last->rows[last->row_count - 1].clustering;

        buffer_reset(reader->next_clustering);
        buffer_reserve(reader->next_clustering, clustering.size + 1);
        buffer_append_bytes(reader->next_clustering, clustering);
    }
    command->after_clustering = enters ? buffer_bytes(reader->next_clustering) : bytes_of(NULL, 0);
    if (!bytes_is_null(command->partition_key))
        return enters;
    command->token = token_of_partition_key(buffer_bytes(reader->key));
    command->after_partition = buffer_bytes(reader->key);
    command->after_partition_inclusive = enters;
    return true;
}

/* Reads from one command's beginning, or from where reading stands, to its end or until the page is full. */
static enum status read_all(struct reader *reader, struct read_command *command, uint32_t *chunks, bool *stopped)
{
    struct execution *execution = reader->execution;
    struct read_result result;

    do {
        if ((++*chunks > LOOP_CHUNKS_MAX || reader->rows_read >= LOOP_ROWS_MAX) && !execution->context->may_wait)
            return ERR_WOULD_WAIT;
        if (*chunks == 2) {
            reader->owned_chunk = arena_new(1 << 16);
            reader->chunk = reader->owned_chunk;
        } else if (*chunks > 2) {
            arena_reset(reader->chunk);
        }
        execution->eval.arena = execution->eval.functions.arena = reader->chunk;
        set_limits(reader, command);
        enum status status = table_read(execution->context->port, command, execution->context->may_wait, reader->chunk,
                                        &result, execution->err);
        if (!status)
            count_work(reader, command, &result);
        else if (status == ERR_READ_FAILURE && command->tombstone_limit &&
                 result.work.tombstones_read > command->tombstone_limit)
            tell_too_many_tombstones(reader, &result);
        for (uint32_t i = 0; i < result.partition_count && !status && !*stopped; i++)
            status = take_partition(reader, &result.partitions[i], stopped);
        if (status)
            return status;
    } while (result.has_more && !*stopped && result.partition_count &&
             go_on(reader, command, &result.partitions[result.partition_count - 1]));
    return OK;
}

static enum status read_partitions(struct reader *reader, const struct partition_list *keys, uint32_t first_key,
                                   struct read_command *command, bool *stopped)
{
    struct execution *execution = reader->execution;
    int64_t first = INT64_MIN, last = INT64_MAX;
    uint32_t chunks = 0;
    enum status status = OK;

    if (reader->select->where.access.tokens.is_restricted) {
        bool nothing;

        status =
            access_tokens(&reader->select->where.access, &execution->eval, &first, &last, &nothing, execution->err);
        if (status || nothing)
            return status;
    }
    for (uint32_t i = first_key; i < keys->count && !*stopped && !status; i++) {
        command->partition_key = keys->keys[i];
        command->token = token_of_partition_key(keys->keys[i]);
        if (command->token < first || command->token > last)
            continue;
        if (!reader->in_partition || !bytes_equal(buffer_bytes(reader->key), keys->keys[i]))
            begin_partition(reader, keys->keys[i]);
        command->after_clustering = reader->has_clustering ? buffer_bytes(reader->clustering) : bytes_of(NULL, 0);
        status = read_all(reader, command, &chunks, stopped);
        if (!status && !*stopped)
            status = close_groups_of_partition(reader);
        *stopped |= is_full(reader);
    }
    return status;
}

static enum status read_range(struct reader *reader, struct read_command *command, bool *stopped)
{
    struct execution *execution = reader->execution;
    uint32_t chunks = 0;
    bool nothing;
    enum status status = access_tokens(&reader->select->where.access, &execution->eval, &command->token,
                                       &command->token_last, &nothing, execution->err);

    if (status || nothing)
        return status;
    if (reader->in_partition) {
        int64_t token = token_of_partition_key(buffer_bytes(reader->key));

        if (token > command->token_last)
            return OK;
        if (token >= command->token) {
            command->token = token;
            command->after_partition = buffer_bytes(reader->key);
            command->after_partition_inclusive = reader->has_clustering && reader->left_in_partition;
            if (command->after_partition_inclusive)
                command->after_clustering = buffer_bytes(reader->clustering);
        }
    }
    status = read_all(reader, command, &chunks, stopped);
    if (!status && !*stopped)
        status = close_groups_of_partition(reader);
    return status;
}

/* ---- where a page began and ended ---- */

/* Of several partitions, which to begin with; as many as there are: with none of them. One partition alone is not looked for. */
static uint32_t resume(struct reader *reader, const struct paging_state *state, const struct partition_list *keys)
{
    uint32_t i = 0;

    reader->remaining = state->remaining;
    if (keys && keys->count != 1)
        while (i < keys->count && !bytes_equal(keys->keys[i], state->partition_key))
            i++;
    if (keys && i == keys->count)
        return i;
    begin_partition(reader, keys ? keys->keys[i] : state->partition_key);
    if (keys && bytes_is_null(state->clustering) && state->left_in_partition)
        return i;
    reader->left_in_partition = least(state->left_in_partition, reader->select->distinct ? 1 : reader->per_partition);
    if (!bytes_is_null(state->clustering)) {
        reader->rows_met = true;
        remember(reader, state->clustering);
    }
    return i;
}

/* Whether to say that there is more, and where, as Cassandra's pagers do: a page that is full has a next one, which may turn out to be
 * empty, unless LIMIT is reached or the partition cannot have another row. */
static bool has_more(const struct reader *reader, const struct partition_list *keys, struct paging_state *state)
{
    bool is_one = keys && keys->count == 1;

    if (!reader->page_full || !reader->remaining)
        return false;
    *state = (struct paging_state){
        .partition_key = is_one ? bytes_of(NULL, 0) : buffer_bytes(reader->key),
        .clustering = reader->has_clustering ? buffer_bytes(reader->clustering) : bytes_of(NULL, 0),
        .remaining = reader->remaining,
        .left_in_partition = reader->left_in_partition,
        .full_of_bytes = reader->full_of_bytes,
    };
    if (!keys || reader->left_in_partition)
        return true;
    for (uint32_t i = 0; i + 1 < keys->count; i++)
        if (bytes_equal(keys->keys[i], buffer_bytes(reader->key))) {
            state->partition_key = keys->keys[i + 1];
            state->clustering = bytes_of(NULL, 0);
            state->left_in_partition = reader->per_partition;
            return true;
        }
    return false;
}

/* ---- limits ---- */

static enum status read_limit(struct execution *execution, const struct expr *expr, uint32_t *limit)
{
    struct bytes value;
    enum status status;

    *limit = PAGING_NO_LIMIT;
    if (!expr)
        return OK;
    status = expr_evaluate(expr, &execution->eval, &value, execution->err);
    if (status || native_is_unset(value))
        return status;
    if (bytes_is_null(value))
        return error_set(execution->err, ERR_INVALID, "Invalid null value of limit");
    if (value.size != 4)
        return error_set(execution->err, ERR_INVALID, "Invalid limit value");
    int32_t number = (int32_t)load_be32(value.data);
    if (number <= 0)
        return error_set(execution->err, ERR_INVALID, "LIMIT must be strictly positive");
    *limit = (uint32_t)number;
    return OK;
}

static enum status finish_rows(struct reader *reader)
{
    const struct select_plan *select = reader->select;
    enum status status = OK;

    if (select->is_aggregate && !select->group_count) {
        if (!reader->group_open) {
            memset(reader->slots, 0, sizeof(*reader->slots) * select->slot_count);
            open_group(reader);
        }
        status = close_group(reader);
    }
    if (status || !select->sort_count)
        return status;
    sorter_finish(&reader->sorter);
    for (uint32_t i = 0; i < reader->sorter.count && !status; i++)
        status = write_row(reader, reader->sorter.rows[i].values);
    return status;
}

/* The page is not the last: its state goes before the rows, which stand already. */
static void put_paging_state(struct reader *reader, const struct paging_scope *scope, const struct paging_state *state)
{
    struct execution *execution = reader->execution;
    struct arena *arena = execution->request->arena;
    struct buffer *out = execution->out;
    uint32_t count = reader->rows.row_count;
    struct bytes rows = arena_copy(arena, bytes_of(out->data + reader->bytes_at, out->size - reader->bytes_at));
    struct bytes encoded = paging_encode(arena, scope, state);

    out->size = reader->rows.count_at; /* set to the start of the body below */
    execution_begin_rows(execution, &reader->rows, NULL, 0, encoded);
    buffer_append_bytes(out, rows);
    reader->rows.row_count = count;
}

static void reader_fini(struct reader *reader)
{
    for (uint32_t i = 0; reader->accumulators && i < reader->select->aggregate_count; i++)
        accumulator_fini(&reader->accumulators[i]);
    free(reader->accumulators);
    if (reader->group_arena)
        arena_free(reader->group_arena);
    if (reader->owned_chunk)
        arena_free(reader->owned_chunk);
}

/* What is sorted afterwards has no pages. As in Cassandra that is no matter where no read is made: not of an aggregate, which always
 * makes one, nor where an empty IN leaves rows of partitions unnamed. named: NULL: not looked up, since no slice holds anything. */
static enum status check_sorted_pages(struct reader *reader, bool nothing, const struct partition_list *named,
                                      uint32_t page_size)
{
    struct execution *execution = reader->execution;
    const struct where *where = &reader->select->where;
    struct partition_list keys = { 0 };

    if (!reader->select->sort_count || !page_size)
        return OK;
    assert(where->access.kind != ACCESS_RANGE); /* rows of one partition, and of a range of tokens, come in order */
    if (nothing && !reader->select->is_aggregate) {
        bool is_slice = where->access.clustering_count &&
                        where->access.clustering[where->access.clustering_count - 1].kind == PART_SLICE;

        if (named || is_slice)
            return OK;
        enum status status = access_partitions(&where->access, reader->table, &execution->eval, &keys, execution->err);
        if (status || !keys.count)
            return status;
    }
    return error_set(
        execution->err, ERR_INVALID,
        "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the ORDER BY or the IN and sort client side, or disable paging for this query");
}

static enum status read_with(struct reader *reader)
{
    struct execution *execution = reader->execution;
    const struct select_plan *select = reader->select;
    const struct table_def *table = reader->table;
    const struct native_parameters *parameters = execution->parameters;
    struct buffer *out = execution->out;
    size_t body_at = out->size;
    struct paging_scope scope = {
        .keys = execution->context->engine->keys,
        .key = bytes_of(execution->context->engine->mac_key, MAC_KEY_BYTES),
        .table = bytes_of(table->uuid, sizeof(table->uuid)),
    };
    struct paging_state state;
    struct partition_list keys, *named = NULL;
    bool has_state = parameters->paging_state.size > 0, stopped = false, nothing = false;
    uint32_t limit, page_size = parameters->page_size > 0 ? (uint32_t)parameters->page_size : 0, first_key = 0;
    enum status status = read_limit(execution, select->per_partition_limit, &reader->per_partition);

    if (!status)
        status = read_limit(execution, select->limit, &limit);
    if (!status)
        status = prepare_filters(reader, execution->err);
    if (status)
        return status;
    if (has_state) {
        status = paging_decode(parameters->paging_state, &scope, &state, execution->err);
        if (status) {
            execution->request->warning_count = 0; /* what breaks the protocol is not looked at further */
            return status;
        }
        /* What is not paged begins anew, as in Cassandra. */
        has_state = select->is_aggregate || state.full_of_bytes || (page_size && limit > page_size);
    }
    bool limits_rows = !select->sort_count && !(select->is_aggregate && !select->group_count);
    reader->remaining = limits_rows ? limit : PAGING_NO_LIMIT;
    reader->rows_max = limit;
    sorter_init(&reader->sorter, select, execution->request->arena, limit);
    if (select->distinct && !select->is_aggregate)
        reader->per_partition = 1;
    reader->left_in_partition = reader->per_partition;
    reader->is_paged = page_size && !(select->is_aggregate && (!select->group_count || select->distinct));
    reader->page_left = reader->is_paged ? page_size : 0;
    if (select->is_aggregate) {
        reader->group_arena = arena_new(4096);
        reader->accumulators = xcalloc(select->aggregate_count + 1, sizeof(*reader->accumulators));
        for (uint32_t i = 0; i < select->aggregate_count; i++)
            accumulator_init(&reader->accumulators[i], &select->aggregates[i]);
    }

    struct read_command command = {
        .table_id = table->id,
        .schema_version = table->version,
        .def = table,
        .virtual_def = table->virtual_table ? table : NULL,
        .reversed = select->reversed,
        .rows_wanted = select->rows_wanted,
        .static_wanted = select->static_wanted,
        .now_s = execution->eval.now_s,
    };
    struct slice *slices;
    status = access_slices(&select->where.access, table, &execution->eval, &slices, &command.slice_count, &nothing,
                           execution->err);
    if (status)
        return status;
    command.slices = slices;
    if (select->where.access.kind != ACCESS_RANGE && select->where.access.clustering_is_complete) {
        static const struct slice only = { { (const uint8_t *)"", 0 }, { (const uint8_t *)"", 0 }, true, true };

        command.slices_are_rows = true;
        if (!table->clustering_count) {
            command.slices = &only;
            command.slice_count = 1;
        }
    }
    if (!nothing && select->where.access.kind != ACCESS_RANGE) {
        status = access_partitions(&select->where.access, table, &execution->eval, &keys, execution->err);
        if (!status && keys.count > 1 && consistency_is_serial(parameters->consistency))
            status = error_set(execution->err, ERR_INVALID,
                               "SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time");
        if (status)
            return status;
        named = &keys;
        nothing = !keys.count;
    }
    status = check_sorted_pages(reader, nothing, named, page_size);
    if (status)
        return status;
    if (!nothing && has_state && !named && bytes_is_null(state.partition_key))
        return paging_refuse(execution->err);
    if (!nothing && has_state)
        first_key = resume(reader, &state, named);
    execution_begin_rows(execution, &reader->rows, NULL, 0, bytes_of(NULL, 0));
    reader->bytes_at = out->size;
    execution->eval.row = &reader->view;
    if (!nothing && reader->remaining)
        status = named ? read_partitions(reader, named, first_key, &command, &stopped)
                       : read_range(reader, &command, &stopped);
    if (!status)
        status = finish_rows(reader);
    if (status)
        return status;
    warn_of_tombstones(reader);
    TRACE(execution->request->trace, "Answering %u rows", reader->rows.row_count);
    if (has_more(reader, named, &state)) {
        reader->rows.count_at = body_at;
        put_paging_state(reader, &scope, &state);
    }
    native_rows_end(&reader->rows);
    return OK;
}

static enum status check_read_consistency(struct execution *execution)
{
    if (execution->parameters->consistency == CONSISTENCY_ANY)
        return error_set(execution->err, ERR_INVALID, "ANY ConsistencyLevel is only supported for writes");
    return OK;
}

/* Told before anything is done that would be done again. */
static enum status check_length(struct execution *execution)
{
    const struct plan *plan = execution->plan;

    if (execution->context->may_wait ||
        !access_is_long(&plan->select->where.access, plan->table, &execution->eval, LOOP_KEYS_MAX))
        return OK;
    return ERR_WOULD_WAIT;
}

enum query_result execute_select(struct execution *execution)
{
    const struct select_plan *select = execution->plan->select;
    struct arena *arena = execution->request->arena;
    size_t body_at = execution->out->size;
    struct reader reader = {
        .execution = execution,
        .table = execution->plan->table,
        .select = select,
        .slots = arena_new_array(arena, struct bytes, select->slot_count + 1),
        .cells = arena_new_array(arena, const struct cell *, select->slot_count + 1),
        .cell_counts = arena_new_array(arena, uint32_t, select->slot_count + 1),
        .offsets = arena_alloc(arena, sizeof(size_t) * (select->slot_count + 1)),
        .chunk = arena,
        .key = &execution->context->last_key,
        .clustering = &execution->context->last_clustering,
        .next_clustering = &execution->context->next_clustering,
    };
    enum status status = check_read_consistency(execution);

    buffer_reset(reader.key);
    buffer_reset(reader.clustering);
    memset(reader.offsets, 0xff, sizeof(size_t) * (select->slot_count + 1));
    reader.view = (struct row_view){
        .slots = reader.slots,
        .cells = reader.cells,
        .cell_counts = reader.cell_counts,
        .columns = select->slots,
    };
    if (!status)
        status = check_length(execution);
    if (!status)
        status = read_with(&reader);
    reader_fini(&reader);
    if (status) {
        execution->out->size = body_at;
        return execution_failed(execution, status);
    }
    return QUERY_DONE;
}
