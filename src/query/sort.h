/* query/sort.h: the rows of a SELECT in another order than they are read in: ORDER BY with IN on the partition key.
 *
 * Shapes:  a row is its results and behind them what it is sorted by, sorter_width() values; of equal rows the earlier stays first.
 * Owns:    copies of the rows that are kept, as many as LIMIT asks for, in the arena it was given.
 * Errors:  ERR_INVALID when more than SORTED_ROWS_MAX would have to be kept.
 * Thread:  one at a time.
 */
#ifndef QUERY_SORT_H
#define QUERY_SORT_H

#include "plan/plan.h"

enum { SORTED_ROWS_MAX = 100000 };

struct sorted_row {
    struct bytes *values; /* with their bytes behind them */
    size_t capacity;
    uint64_t number; /* as it was met */
};

struct sorter {
    const struct select_plan *select;
    struct arena *arena;
    struct sorted_row *rows; /* once there are `max` of them a heap: the last one stands first */
    uint32_t count, capacity, max;
    uint64_t met;
};

static inline uint32_t sorter_width(const struct select_plan *select)
{
    return select->result_count + select->sort_count;
}

/* max: of LIMIT; UINT32_MAX: none. */
void sorter_init(struct sorter *sorter, const struct select_plan *select, struct arena *arena, uint32_t max);
enum status sorter_add(struct sorter *sorter, const struct bytes *row, struct error *err);
/* From here on `rows` are in order. */
void sorter_finish(struct sorter *sorter);

#endif
