/* plan/work.h: how much a statement has computed with, so that who has others to serve can hand it to who has not.
 *
 * Shapes:  a unit is about a nanosecond, and rather more than it takes: a byte that is looked at, a call's own WORK_CALL.
 * Errors:  ERR_WOULD_WAIT without words: it is more than there may be here. Nothing is done that would have to be taken back: the statement is
 *          run again, whole, by a worker, for whom there is no bound.
 * Thread:  of one execution.
 */
#ifndef PLAN_WORK_H
#define PLAN_WORK_H

#include "base/error.h"
#include "types/value.h"

#define WORK_UNBOUNDED UINT64_MAX

enum { WORK_CALL = 128 /* of whatever is evaluated, without its values */ };

struct work {
    uint64_t done, max;
};

static inline bool work_is_over(const struct work *work)
{
    return work->done > work->max;
}

static inline enum status work_add(struct work *work, uint64_t units)
{
    work->done += units;
    return work_is_over(work) ? ERR_WOULD_WAIT : OK;
}

/* What it takes to compute with a value once, or to compare or print it. Numbers of any length take more for each byte the longer they are,
 * and a decimal's scale may become digits. Null: nothing. */
uint64_t work_of_value(const struct type *type, struct bytes value);
/* The same of a varint or, with a scale, of a decimal. */
uint64_t work_of_number(size_t bytes, int64_t scale);

#endif
