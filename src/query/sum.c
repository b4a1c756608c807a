/* Sums that owners make of what they find and what a request brings: `SET v += 1` under a
 * condition, where the old value is only known to the owner. The owner calls query_sum
 * through a pointer (table/ knows no arithmetic of types), on its own thread, so there are
 * limits on what may come out. */
#include "query/sum.h"

#include "plan/expr.h"
#include "plan/number.h"

#include <assert.h>

enum { TEXT_SUM_BYTES_MAX = 16 << 20 /* as much as Cassandra takes in one write */ };

/* Numbers of any kind go through plan/number.c, so that overflow and precision are the same
 * as in an expression of a SELECT. */
static enum status sum_numbers(struct arena *arena, enum type_kind kind, struct bytes left, struct bytes right,
                               struct bytes *sum, struct error *err)
{
    struct number number, other;
    struct buffer out = { 0 };

    assert(left.size);
    number_init(&number);
    number_init(&other);
    number_read(&number, kind, left);
    number_read(&other, kind, right);
    enum status status = number_operate(&number, '+', &other, err);
    if (!status) {
        number_write(&out, &number);
        *sum = buffer_to_arena(arena, &out);
    }
    number_fini(&number);
    number_fini(&other);
    return status;
}

enum status query_sum(struct arena *arena, const struct type *type, struct bytes left, struct bytes right,
                      struct bytes *sum, struct error *err)
{
    /* Texts are joined, everything else is added. An empty value, which most types allow,
     * stays empty. */
    if (type->kind != TYPE_TEXT && type->kind != TYPE_ASCII) {
        *sum = left; /* what is empty stays so */
        return left.size ? sum_numbers(arena, type->kind, left, right, sum, err) : OK;
    }
    if (left.size + right.size > TEXT_SUM_BYTES_MAX)
        return error_set(err, ERR_INVALID, "The text is too long");
    uint8_t *at = arena_alloc(arena, left.size + right.size + 1);
    memcpy(at, left.data, left.size);
    memcpy(at + left.size, right.data, right.size);
    *sum = bytes_of(at, left.size + right.size);
    return OK;
}
