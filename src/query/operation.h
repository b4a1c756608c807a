/* query/operation.h: what INSERT, UPDATE and DELETE say of columns becomes cells of a fragment.
 *
 * Shapes:  cells come out sorted by column and path, each once: two writes to one cell merge as any of one timestamp do.
 * Owns:    the request's arena; values are borrowed from the binds and the plan.
 * Errors:  ERR_INVALID with Cassandra's words.
 *
 * Operations on lists by index, and removal of list elements by value, come out as asked cells (row/place.h): who looks at the list
 * gives them their paths.
 */
#ifndef QUERY_OPERATION_H
#define QUERY_OPERATION_H

#include "query/execute.h"

/* What all cells of one statement share. */
struct stamp {
    int64_t timestamp_us;
    int64_t before_us;   /* the deletion that an overwritten collection carries */
    int64_t deletion_us; /* other deletions than of cells */
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
    bool has_places; /* some are asked */
    uint32_t number; /* of the operation at hand */
};

/* The cells of a statement's columns of one kind. */
enum status operations_make_cells(struct execution *execution, const struct modify_plan *modify, enum column_kind kind,
                                  const struct stamp *stamp, struct cell_list *list);

/* A column's run of cells; a NULL row has none. */
const struct cell *row_cells_of(const struct row *row, uint32_t column_id, uint32_t *count);

#endif
