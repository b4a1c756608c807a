/* Sums that owners make of what they find and what a request brings; see sum.h. */
#include "query/sum.h"

#include "plan/expr.h"
#include "plan/number.h"

enum { TEXT_SUM_BYTES_MAX = 16 << 20 /* as much as Cassandra takes in one write */ };

static enum status sum_numbers(struct arena *arena, enum type_kind kind, struct bytes left, struct bytes right,
                               struct bytes *sum, struct error *err)
{
    struct number number, other;
    struct buffer out = { 0 };

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
