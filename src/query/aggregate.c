/* Aggregates. Source: org.apache.cassandra.cql3.functions.AggregateFcts, release 5.0. */
#include "query/aggregate.h"

static bool is_real(enum type_kind kind)
{
    return kind == TYPE_FLOAT || kind == TYPE_DOUBLE;
}

/* Sums keep their argument's width and wrap; averages of integers are computed as wide as it takes. */
static enum type_kind sum_kind(const struct select_aggregate *aggregate)
{
    enum type_kind kind = aggregate->type->kind;

    if (is_real(kind))
        return TYPE_DOUBLE;
    if (aggregate->kind == AGGREGATE_AVG && kind != TYPE_DECIMAL)
        return TYPE_VARINT;
    return kind;
}

void accumulator_init(struct accumulator *accumulator, const struct select_aggregate *aggregate)
{
    *accumulator = (struct accumulator){ .aggregate = aggregate };
    number_init(&accumulator->sum);
    number_init(&accumulator->one);
    accumulator_reset(accumulator);
}

void accumulator_fini(struct accumulator *accumulator)
{
    number_fini(&accumulator->sum);
    number_fini(&accumulator->one);
    buffer_fini(&accumulator->value);
}

void accumulator_reset(struct accumulator *accumulator)
{
    accumulator->count = 0;
    accumulator->has_value = false;
    accumulator->compensation = 0;
    accumulator->sum.kind = sum_kind(accumulator->aggregate);
    accumulator->sum.integer = 0;
    accumulator->sum.real = 0;
    accumulator->sum.scale = 0;
    mpz_set_ui(accumulator->sum.big, 0);
}

static void keep_value(struct accumulator *accumulator, struct bytes value)
{
    buffer_reset(&accumulator->value);
    buffer_append_bytes(&accumulator->value, value);
    accumulator->has_value = true;
}

static struct bytes kept_value(const struct accumulator *accumulator)
{
    return accumulator->value.data ? buffer_bytes(&accumulator->value) : bytes_of("", 0);
}

static enum status add_number(struct accumulator *accumulator, struct bytes value, struct error *err)
{
    enum type_kind wide = accumulator->sum.kind;

    number_read(&accumulator->one, accumulator->aggregate->argument->type->kind, value);
    enum status status = number_convert(&accumulator->one, wide, err);
    if (status)
        return status;
    if (wide != TYPE_DOUBLE)
        return number_operate(&accumulator->sum, '+', &accumulator->one, err);
    double corrected = accumulator->one.real - accumulator->compensation;
    double next = accumulator->sum.real + corrected;
    accumulator->compensation = (next - accumulator->sum.real) - corrected;
    if (accumulator->compensation != accumulator->compensation)
        accumulator->compensation = 0; /* infinities */
    accumulator->sum.real = next;
    return OK;
}

enum status accumulator_add(struct accumulator *accumulator, struct bytes value, struct error *err)
{
    const struct select_aggregate *aggregate = accumulator->aggregate;

    if (aggregate->kind == AGGREGATE_COUNT_ROWS) {
        accumulator->count++;
        return OK;
    }
    if (bytes_is_null(value))
        return OK;
    switch (aggregate->kind) {
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: {
        const struct type *type = aggregate->argument->type;
        int order = accumulator->has_value ? value_compare(type, value, kept_value(accumulator)) : 0;

        if (!accumulator->has_value || (aggregate->kind == AGGREGATE_MIN ? order < 0 : order > 0))
            keep_value(accumulator, value);
        return OK;
    }
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (value.size == 0)
            return OK;
        accumulator->count++;
        return add_number(accumulator, value, err);
    default: accumulator->count++; return OK;
    }
}

enum status accumulator_result(struct accumulator *accumulator, struct bytes *result, struct error *err)
{
    const struct select_aggregate *aggregate = accumulator->aggregate;
    enum status status;

    switch (aggregate->kind) {
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: *result = accumulator->has_value ? kept_value(accumulator) : bytes_of(NULL, 0); return OK;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (aggregate->kind == AGGREGATE_AVG)
            number_average(&accumulator->sum, accumulator->count);
        status = number_convert(&accumulator->sum, aggregate->type->kind, err);
        if (status)
            return status;
        buffer_reset(&accumulator->value);
        number_write(&accumulator->value, &accumulator->sum);
        *result = kept_value(accumulator);
        return OK;
    default:
        buffer_reset(&accumulator->value);
        buffer_append_be64(&accumulator->value, accumulator->count);
        *result = kept_value(accumulator);
        return OK;
    }
}
