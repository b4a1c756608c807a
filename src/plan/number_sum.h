/* plan/number_sum.h: the sum or the average of many numbers, for aggregates and collection functions.
 *
 * Shapes:  whole numbers wrap in sums, in averages they are added as wide as it takes; floats are added as doubles, with Kahan's
 *          compensation as Cassandra applies it; an average of doubles whose sum overflows goes on in decimals. An average of decimals is
 *          moved with each of them, at the scale that it has.
 * Owns:    its numbers: _init .. _fini.
 * Errors:  ERR_SERVER with Java's words (NaN where decimals are added), ERR_INVALID of arithmetic.
 * Thread:  one at a time.
 */
#ifndef PLAN_NUMBER_SUM_H
#define PLAN_NUMBER_SUM_H

#include "plan/number.h"
#include "plan/work.h"

struct number_sum {
    enum type_kind kind; /* of what is added, and of the result */
    bool is_average;
    bool is_wide;        /* doubles that go on in decimals, in `total` */
    uint64_t count;      /* of what was added */
    struct number total; /* average of decimals: the average so far */
    struct number one;
    double compensation; /* Kahan's */
    double plain;        /* added without it: how infinities come out */
};

void number_sum_init(struct number_sum *sum, enum type_kind kind, bool is_average);
void number_sum_fini(struct number_sum *sum);
void number_sum_reset(struct number_sum *sum);
/* What adding this value takes (plan/work.h): a sum may have become long by others. */
uint64_t number_sum_work(const struct number_sum *sum, struct bytes value);
/* value: neither null nor empty. */
enum status number_sum_add(struct number_sum *sum, struct bytes value, struct error *err);
/* Appends the result's bytes; of none it is zero. */
enum status number_sum_result(struct number_sum *sum, struct buffer *out, struct error *err);

#endif
