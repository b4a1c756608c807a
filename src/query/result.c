/* Rows of a reply: evaluated, kept to be sorted, or written as they come. The bytes go
 * straight into the connection's output, so a row is written once. What a client does not
 * page is bounded in rows and bytes, with an error. The bound is looked at also within a row,
 * for one row may say a large value thousands of times (SELECT v, v, v ...). */
#include "query/result.h"

#include <assert.h>

enum { PAGE_ROWS_DEFAULT = 1000000, PAGE_BYTES_DEFAULT = 64 << 20 };

/* An unpaged result that passes the bound is an error rather than cut: the client could not
 * tell. */
enum status result_too_large(const struct result *result)
{
    return error_set(result->execution->err, ERR_INVALID, "The result is larger than %u rows or %llu bytes: page it",
                     result->rows_bound, (unsigned long long)result->bytes_bound);
}

/* SELECT JSON: the row is one text column, and its members have the names that the plan made. */
static enum status write_json_row(struct result *result, const struct bytes *values)
{
    const struct select_plan *select = result->select;
    struct buffer text = { 0 };
    uint64_t work = 0;
    enum status status;

    buffer_append_string(&text, "{");
    assert(select->is_json && select->json_names);
    for (uint32_t i = 0; i < select->result_count; i++) {
        if (i)
            buffer_append_string(&text, ", ");
        buffer_append_bytes(&text, select->json_names[i]);
        if (bytes_is_null(values[i]))
            buffer_append_string(&text, "null");
        else
            value_print_json(&text, select->results[i]->type, values[i]);
        work += work_of_value(select->results[i]->type, values[i]);
    }
    buffer_append_string(&text, "}");
    native_rows_value(&result->rows, buffer_bytes(&text));
    status = work_add(&result->execution->work, work + text.size);
    buffer_fini(&text);
    return status;
}

static enum status write_row(struct result *result, const struct bytes *values)
{
    enum status status = OK;

    assert(result->rows_max);
    /* More come only if a paging state of another statement brought a wider limit than ours. */
    if (result->rows.row_count >= result->rows_max)
        return OK;
    if (result->select->is_json)
        status = write_json_row(result, values);
    else
        for (uint32_t i = 0; i < result->select->result_count && !status; i++)
            status = result_write_value(result, values[i]);
    native_rows_end_row(&result->rows);
    return status ? status : result_check(result, result_bytes(result));
}

/* Keeps a row until all are there. What it is sorted by stands behind its results; a column
 * of ORDER BY need not be among them. */
static enum status keep_sorted(struct result *result, const struct bytes *slots, const struct bytes *values,
                               struct arena *chunk)
{
    const struct select_plan *select = result->select;
    struct bytes *row = arena_alloc(chunk, sizeof(*row) * sorter_width(select));

    assert(select->sort_count && !select->is_plain);
    memcpy(row, values, sizeof(*row) * select->result_count);
    for (uint32_t i = 0; i < select->sort_count; i++)
        row[select->result_count + i] = slots[select->sort[i].slot];
    return sorter_add(&result->sorter, row, result->execution->err);
}

/* The values of a row's selectors. They are checked against the bound before they are
 * written. */
static enum status evaluate_results(struct result *result, struct bytes *values)
{
    const struct select_plan *select = result->select;
    struct eval *eval = &result->execution->eval;
    size_t bytes = 0;

    for (uint32_t i = 0; i < select->result_count; i++) {
        enum status status = expr_evaluate(select->results[i], eval, &values[i], result->execution->err);

        if (status)
            return status;
        if (native_is_unset(values[i]))
            values[i] = bytes_of(NULL, 0);
        bytes += values[i].size;
        status = result_check(result, bytes);
        if (status)
            return status;
    }
    return OK;
}

/* The way for rows that are not plain columns: functions, JSON, or to be sorted. */
enum status result_give_evaluated(struct result *result, const struct bytes *slots, struct arena *arena)
{
    const struct select_plan *select = result->select;
    struct bytes *values = arena_alloc(arena, sizeof(*values) * (select->result_count + 1));
    enum status status = evaluate_results(result, values);

    if (status)
        return status;
    return select->sort_count ? keep_sorted(result, slots, values, arena) : write_row(result, values);
}

/* Writes the sorted rows; others have been written when they were given. */
enum status result_finish(struct result *result)
{
    enum status status = OK;

    if (!result->select->sort_count)
        return OK;
    sorter_finish(&result->sorter);
    for (uint32_t i = 0; i < result->sorter.count && !status; i++)
        status = write_row(result, result->sorter.rows[i].values);
    return status;
}

/* Notes where the body begins and where its rows begin: result_put_state goes back there. */
void result_begin(struct result *result, struct execution *execution, const struct select_plan *select,
                  uint32_t rows_max)
{
    const struct query_engine *engine = execution->context->engine;

    result->execution = execution;
    result->select = select;
    result->rows_max = rows_max;
    result->rows_bound = engine->page_rows_max ? engine->page_rows_max : PAGE_ROWS_DEFAULT;
    result->bytes_bound = engine->page_bytes_max ? engine->page_bytes_max : PAGE_BYTES_DEFAULT;
    result->body_at = execution->out->size;
    sorter_init(&result->sorter, select, execution->request->arena, rows_max);
    execution_begin_rows(execution, &result->rows, NULL, 0, bytes_of(NULL, 0));
    result->rows_at = execution->out->size;
}

/* The paging state stands before the rows in the reply, but is known only after the last of
 * them. So the rows are copied aside, the head is written again with the state, and the rows
 * follow. A reply is at most a page, so the copy is small beside making the rows. */
void result_put_state(struct result *result, struct bytes paging_state)
{
    struct execution *execution = result->execution;
    struct buffer *out = execution->out;
    struct bytes rows =
        arena_copy(execution->request->arena, bytes_of(out->data + result->rows_at, result_bytes(result)));
    uint32_t count = result->rows.row_count;

    assert(out->size >= result->rows_at && result->rows_at > result->body_at);
    out->size = result->body_at;
    execution_begin_rows(execution, &result->rows, NULL, 0, paging_state);
    buffer_append_bytes(out, rows);
    result->rows.row_count = count;
}
