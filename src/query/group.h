/* query/group.h: the groups of a SELECT: those of GROUP BY, or the one of all rows that aggregates make.
 *
 *     groups_open -> groups_add, for each of its rows -> groups_show -> groups_close
 *
 * Owns:    its arena, which holds the first row of the open group, and its accumulators: _init .. _fini. What is shown lives until the
 *          next group is opened.
 * Errors:  of arithmetic.
 */
#ifndef QUERY_GROUP_H
#define QUERY_GROUP_H

#include "query/aggregate.h"

struct groups {
    const struct select_plan *select;
    struct accumulator *accumulators; /* owned */
    struct arena *arena;              /* owned */
    bool is_open;
    struct bytes *slots, *keys; /* of its first row; of what it is grouped by */
    const struct cell **cells;
    uint32_t *cell_counts;
    struct bytes function_value; /* of the last column it is grouped by */
};

void groups_init(struct groups *groups, const struct select_plan *select);
void groups_fini(struct groups *groups);
/* The first row of a group is what selectors outside of aggregates see. */
void groups_open(struct groups *groups, const struct row_view *row, struct bytes function_value);
/* Is there an open group that this row belongs to? */
bool groups_hold(const struct groups *groups, const struct bytes *slots, struct bytes function_value);
/* The row that `eval` sees. */
enum status groups_add(struct groups *groups, struct eval *eval, struct error *err);
/* The open group as a row. */
enum status groups_show(struct groups *groups, struct row_view *view, struct error *err);
void groups_close(struct groups *groups);

#endif
