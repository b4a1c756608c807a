/* The aggregates count, min, max, sum and avg: what is kept of the rows so far, and what
 * comes out. Nulls are left out of all but count(*). The arithmetic of sums and averages is
 * plan/number_sum.c's. Source: org.apache.cassandra.cql3.functions.AggregateFcts, release
 * 5.0. */
#include "query/aggregate.h"

#include <assert.h>

static bool is_total(const struct select_aggregate *aggregate)
{
    return aggregate->kind == AGGREGATE_SUM || aggregate->kind == AGGREGATE_AVG;
}

/* The plan has chosen an aggregate that takes the argument's type. */
void accumulator_init(struct accumulator *accumulator, const struct select_aggregate *aggregate)
{
    *accumulator = (struct accumulator){ .aggregate = aggregate };
    assert(aggregate->kind != AGGREGATE_NONE && (aggregate->argument || aggregate->kind == AGGREGATE_COUNT_ROWS));
    if (is_total(aggregate))
        number_sum_init(&accumulator->sum, aggregate->argument->type->kind, aggregate->kind == AGGREGATE_AVG);
}

void accumulator_fini(struct accumulator *accumulator)
{
    if (is_total(accumulator->aggregate))
        number_sum_fini(&accumulator->sum);
    buffer_fini(&accumulator->value);
}

/* For the next group: buffers keep their size. */
void accumulator_reset(struct accumulator *accumulator)
{
    accumulator->count = 0;
    accumulator->has_value = false;
    if (is_total(accumulator->aggregate))
        number_sum_reset(&accumulator->sum);
}

static void keep_value(struct accumulator *accumulator, struct bytes value)
{
    buffer_reset(&accumulator->value);
    buffer_append_bytes(&accumulator->value, value);
    accumulator->has_value = true;
}

/* An empty buffer has no memory, but an empty value is not null. */
static struct bytes kept_value(const struct accumulator *accumulator)
{
    return accumulator->value.data ? buffer_bytes(&accumulator->value) : bytes_of("", 0);
}

uint64_t accumulator_work(const struct accumulator *accumulator, struct bytes value)
{
    const struct select_aggregate *aggregate = accumulator->aggregate;
    const struct type *type = aggregate->argument ? aggregate->argument->type : NULL;

    switch (aggregate->kind) {
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: return work_of_value(type, value) + work_of_value(type, kept_value(accumulator));
    case AGGREGATE_SUM:
    case AGGREGATE_AVG: return value.size ? number_sum_work(&accumulator->sum, value) : 0;
    default: return 0;
    }
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
    /* An empty value, which numbers may have, is left out of a sum, as a null is. */
    case AGGREGATE_SUM:
    case AGGREGATE_AVG: return value.size ? number_sum_add(&accumulator->sum, value, err) : OK;
    default: accumulator->count++; return OK;
    }
}

/* min and max of no value are null; sum, avg and count of none are 0. */
enum status accumulator_result(struct accumulator *accumulator, struct bytes *result, struct error *err)
{
    const struct select_aggregate *aggregate = accumulator->aggregate;
    enum status status;

    switch (aggregate->kind) {
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: *result = accumulator->has_value ? kept_value(accumulator) : bytes_of(NULL, 0); return OK;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        buffer_reset(&accumulator->value);
        status = number_sum_result(&accumulator->sum, &accumulator->value, err);
        if (status)
            return status;
        *result = kept_value(accumulator);
        return OK;
    default:
        buffer_reset(&accumulator->value);
        buffer_append_be64(&accumulator->value, accumulator->count);
        *result = kept_value(accumulator);
        return OK;
    }
}
