/* query/result.h: the rows of a SELECT's reply: evaluated, sorted if it asks for that, written as values or as JSON.
 *
 * Owns:    nothing; rows stand in the execution's `out`, those to be sorted in the request's arena.
 * Errors:  ERR_INVALID when what is not paged is too much, and those of evaluation.
 */
#ifndef QUERY_RESULT_H
#define QUERY_RESULT_H

#include "query/execute.h"
#include "query/sort.h"

struct result {
    struct execution *execution;
    const struct select_plan *select;
    struct native_rows rows;
    struct sorter sorter;
    size_t body_at, rows_at; /* where the body begins in `out`, and its rows */
    uint32_t rows_max;       /* LIMIT, for each page: that of another statement's state may be wider */
    uint32_t rows_bound;     /* of what is not paged: past these, and past these bytes, it is an error */
    uint64_t bytes_bound;
};

void result_begin(struct result *result, struct execution *execution, const struct select_plan *select,
                  uint32_t rows_max);
/* All were given. */
enum status result_finish(struct result *result);
/* The page is not the last: before the rows are ended. */
void result_put_state(struct result *result, struct bytes paging_state);

/* Of the rows written. */
static inline size_t result_bytes(const struct result *result)
{
    return result->execution->out->size - result->rows_at;
}

enum status result_too_large(const struct result *result);
static inline enum status result_check(const struct result *result, size_t bytes)
{
    bool fits = result->rows.row_count <= result->rows_bound && bytes <= result->bytes_bound;

    return __builtin_expect(fits, 1) ? OK : result_too_large(result);
}

/* One row may say a large value thousands of times. */
static inline enum status result_write_value(struct result *result, struct bytes value)
{
    enum { LARGE_BYTES = 4096 };

    native_rows_value(&result->rows, value);
    return value.size < LARGE_BYTES ? OK : result_check(result, result_bytes(result));
}

/* A row, or a group: the execution's eval sees the same, of which the slots are. What it makes lies in the arena until the next one. */
enum status result_give_evaluated(struct result *result, const struct bytes *slots, struct arena *arena);
static inline enum status result_give(struct result *result, const struct bytes *slots, struct arena *arena)
{
    const struct select_plan *select = result->select;
    enum status status = OK;

    if (!select->is_plain)
        return result_give_evaluated(result, slots, arena);
    for (uint32_t i = 0; i < select->result_count && !status; i++)
        status = result_write_value(result, slots[select->results[i]->index]);
    native_rows_end_row(&result->rows);
    return status ? status : result_check(result, result_bytes(result));
}

#endif
