/* Sums and averages, for aggregates over rows and for collection_sum and collection_avg.
 * Cassandra's rules to the letter: whole numbers wrap, an average of them is added as wide as
 * it takes and then cut; floats are added as doubles with Kahan's compensation, because
 * Cassandra does and the last digits differ without; an average of decimals is moved by each
 * value. Source: org.apache.cassandra.cql3.functions.AggregateFcts, release 5.0. */
#include "plan/number_sum.h"

#include <assert.h>
#include <math.h>

static bool is_real(enum type_kind kind)
{
    return kind == TYPE_FLOAT || kind == TYPE_DOUBLE;
}

/* The kind of number that is added up; the result is converted back at the end. */
static enum type_kind total_kind(const struct number_sum *sum)
{
    if (is_real(sum->kind))
        return TYPE_DOUBLE;
    return sum->is_average && sum->kind != TYPE_DECIMAL ? TYPE_VARINT : sum->kind;
}

/* A counter is added as a bigint. */
void number_sum_init(struct number_sum *sum, enum type_kind kind, bool is_average)
{
    *sum = (struct number_sum){ .kind = kind == TYPE_COUNTER ? TYPE_BIGINT : kind, .is_average = is_average };
    assert(number_kind_is_numeric(kind));
    number_init(&sum->total);
    number_init(&sum->one);
    number_sum_reset(sum);
}

void number_sum_fini(struct number_sum *sum)
{
    number_fini(&sum->total);
    number_fini(&sum->one);
}

/* Begins anew with the numbers that are there: their memory is kept. */
void number_sum_reset(struct number_sum *sum)
{
    sum->count = 0;
    sum->is_wide = false;
    sum->compensation = sum->plain = 0;
    sum->total.kind = total_kind(sum);
    sum->total.integer = 0;
    sum->total.real = 0;
    sum->total.scale = 0;
    mpz_set_ui(sum->total.big, 0);
}

/* Adds in decimals, after doubles have overflowed. */
static enum status add_wide(struct number_sum *sum, struct error *err)
{
    enum status status = number_convert(&sum->one, TYPE_DECIMAL, err);

    return status ? status : number_operate(&sum->total, '+', &sum->one, err);
}

/* Kahan's sum: the compensation is what the last addition lost. Cassandra's average that
 * becomes infinite although its values are not goes on in decimals from the sum before. */
static enum status add_real(struct number_sum *sum, struct error *err)
{
    double value = sum->one.real, before = sum->total.real;
    double corrected = value - sum->compensation, next = before + corrected;

    assert(sum->one.kind == TYPE_DOUBLE);
    if (sum->is_wide)
        return add_wide(sum, err);
    sum->plain += value;
    sum->compensation = (next - before) - corrected;
    sum->total.real = next;
    if (!sum->is_average || !isinf(next) || isinf(value))
        return OK;
    sum->is_wide = true;
    sum->total.real = before;
    enum status status = number_convert(&sum->total, TYPE_DECIMAL, err);
    return status ? status : add_wide(sum, err);
}

/* average += (value - average) / count; the quotient has the scale of what is divided, so
 * early digits are lost, as in Cassandra. */
static enum status move_average(struct number_sum *sum, struct error *err)
{
    enum status status = number_operate(&sum->one, '-', &sum->total, err);

    if (status)
        return status;
    number_divide_in_place(&sum->one, sum->count);
    return number_operate(&sum->total, '+', &sum->one, err);
}

/* What is added may be brought to the scale of the sum, and the sum to its own. */
uint64_t number_sum_work(const struct number_sum *sum, struct bytes value)
{
    return WORK_CALL + number_work(&sum->total) + work_of_value(type_native(sum->kind), value);
}

/* Adds one value: neither null nor empty. */
enum status number_sum_add(struct number_sum *sum, struct bytes value, struct error *err)
{
    assert(value.size);
    sum->count++;
    number_read(&sum->one, sum->kind, value);
    if (is_real(sum->kind)) {
        sum->one.kind = TYPE_DOUBLE;
        return add_real(sum, err);
    }
    if (sum->kind == TYPE_DECIMAL && sum->is_average)
        return move_average(sum, err);
    enum status status = number_convert(&sum->one, sum->total.kind, err);
    return status ? status : number_operate(&sum->total, '+', &sum->one, err);
}

/* The compensation is added at the end. NaN may come of infinities meeting in it: then the
 * plain sum tells what it is. */
static double real_result(const struct number_sum *sum)
{
    double count = sum->is_average && sum->count ? (double)sum->count : 1;
    double result = (sum->total.real + sum->compensation) / count;

    return isnan(result) && isinf(sum->plain) ? sum->plain / count : result;
}

/* Divides, if it is an average, and converts to the type of the values. The sum cannot go on
 * afterwards. */
enum status number_sum_result(struct number_sum *sum, struct buffer *out, struct error *err)
{
    enum status status;

    if (sum->total.kind == TYPE_DOUBLE)
        sum->total.real = real_result(sum);
    else if (sum->is_average && sum->count && (sum->is_wide || sum->total.kind == TYPE_VARINT))
        number_divide_in_place(&sum->total, sum->count);
    assert(!sum->is_average || sum->count || mpz_sgn(sum->total.big) == 0);
    status = number_convert(&sum->total, sum->kind, err);
    if (!status)
        number_write(out, &sum->total);
    return status;
}
