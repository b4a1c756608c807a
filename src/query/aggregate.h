/* query/aggregate.h: count, min, max, sum and avg over rows.
 *
 * Owns:    an accumulator owns its numbers and its buffer: _init .. _fini.
 * Errors:  ERR_FUNCTION_FAILURE, ERR_INVALID of arithmetic.
 * Thread:  one at a time.
 */
#ifndef QUERY_AGGREGATE_H
#define QUERY_AGGREGATE_H

#include "plan/number_sum.h"
#include "plan/plan.h"

struct accumulator {
    const struct select_aggregate *aggregate;
    uint64_t count;
    bool has_value;
    struct buffer value;   /* min, max: the best so far; results are written here too */
    struct number_sum sum; /* sum, avg */
};

void accumulator_init(struct accumulator *accumulator, const struct select_aggregate *aggregate);
void accumulator_fini(struct accumulator *accumulator);
void accumulator_reset(struct accumulator *accumulator);
/* What adding this value takes (plan/work.h). */
uint64_t accumulator_work(const struct accumulator *accumulator, struct bytes value);
/* value: of the argument; ignored by count(*). */
enum status accumulator_add(struct accumulator *accumulator, struct bytes value, struct error *err);
/* Lies in the accumulator until its next call. */
enum status accumulator_result(struct accumulator *accumulator, struct bytes *result, struct error *err);

#endif
