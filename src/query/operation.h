/* query/operation.h: what INSERT, UPDATE and DELETE say of columns becomes cells of a fragment.
 *
 * Shapes:  cells come out sorted by column and path, each once: two writes to one cell merge as any of one timestamp do.
 * Owns:    the request's arena; values are borrowed from the binds and the plan.
 * Errors:  ERR_INVALID with Cassandra's words.
 *
 * List operations by index, and removal of list elements by value, look at a row that was read before: they write by the
 * paths they find there, as Cassandra does. Between reading and writing another write may change the list; the later one
 * stands by timestamp.
 */
#ifndef QUERY_OPERATION_H
#define QUERY_OPERATION_H

#include "query/execute.h"

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

/* The cells of a statement's columns of one kind. row: the live cells that operations by index look at; NULL: none. */
enum status operations_make_cells(struct execution *execution, const struct modify_plan *modify, enum column_kind kind,
                                  const struct stamp *stamp, const struct row *row, struct cell_list *list);

/* A column's run of cells; a NULL row has none. */
const struct cell *row_cells_of(const struct row *row, uint32_t column_id, uint32_t *count);

#endif
