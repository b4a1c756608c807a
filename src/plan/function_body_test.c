/* floor() of times against a walk from one interval to the next, which is how Cassandra says what it is; and sums of times and durations at
 * the ends of what a timestamp holds. The steps of the walk are sums that function_body.c makes too. */
#include "plan/function_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS_FAR (INT64_C(1) << 52)

static struct arena *arena;
static struct error err;

static int setup(void **state)
{
    arena = arena_new(4096);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static struct bytes of_ms(int64_t ms)
{
    uint8_t *at = arena_alloc(arena, 8);

    store_be64(at, (uint64_t)ms);
    return bytes_of(at, 8);
}

static struct bytes of_duration(int64_t months, int64_t days, int64_t ms)
{
    struct buffer out = { 0 };
    char text[64];

    snprintf(text, sizeof(text), "%lldmo%lldd%lldms", (long long)months, (long long)days, (long long)ms);
    assert_int_equal(value_parse(type_native(TYPE_DURATION), LITERAL_DURATION, bytes_of_string(text), &out, &err), OK);
    struct bytes result = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return result;
}

/* A body is called as function_call does it; its types are those of its arguments. */
static enum status call(function_body body, enum type_kind kind, char op, const struct bytes *args, uint32_t count,
                        struct bytes *result)
{
    const struct type *types[] = { type_native(kind), type_native(TYPE_DURATION), type_native(kind) };
    struct work work = { .max = WORK_UNBOUNDED };
    struct function function = { .arg_types = types, .arg_count = count, .body = body, .data = op };
    struct function_context context = { .arena = arena, .work = &work };

    function.return_type = types[0];
    return function_call(&function, &context, args, result, &err);
}

static int64_t floor_of(int64_t ms, struct bytes duration, int64_t start)
{
    struct bytes args[] = { of_ms(ms), duration, of_ms(start) }, result;

    assert_int_equal(call(body_floor_timestamp, TYPE_TIMESTAMP, 0, args, 3, &result), OK);
    return (int64_t)load_be64(result.data);
}

static int64_t after(int64_t start, int64_t months, int64_t days, int64_t ms, int64_t times)
{
    struct bytes args[] = { of_ms(start), of_duration(months * times, days * times, ms * times) }, result;

    assert_int_equal(call(body_add_duration, TYPE_TIMESTAMP, '+', args, 2, &result), OK);
    return (int64_t)load_be64(result.data);
}

static int64_t random_below(int64_t limit)
{
    return (int64_t)(((uint64_t)random() << 31 | (uint64_t)random()) % (uint64_t)limit);
}

/* One by one from what 31 days for each month give. */
static int64_t walk(int64_t ms, int64_t months, int64_t days, int64_t rest, int64_t start)
{
    int64_t times = (ms - start) / ((months * 31 + days) * 86400000 + rest), next;
    int64_t last = after(start, months, days, rest, times);

    while ((next = after(start, months, days, rest, ++times)) <= ms) {
        last = next;
        arena_reset(arena);
    }
    return last;
}

static void floors_are_those_of_a_walk(void **state)
{
    for (int i = 0; i < 1500; i++) {
        /* From a few days to 70000 years, which a sum of a time and a duration reaches; months from one on. */
        int64_t span = INT64_C(1) << (28 + i % 24), months = 1 + (i % 3 ? random_below(40) : 0);
        int64_t days = i % 2 ? random_below(60) : 0,
                rest = i % 24 < 14 ? random_below(200000000) : 0; /* nanoseconds overflow beyond */
        int64_t start = random_below(span) - span / 2, ms = start + random_below(span);

        if (i % 7 == 0) /* the first of a month, or right before it */
            ms = after(start, months, days, rest, 1 + random_below(50)) - i % 2;
        if (ms > MS_FAR || ms < start)
            ms = start;
        int64_t expected = walk(ms, months, days, rest, start);

        if (floor_of(ms, of_duration(months, days, rest), start) != expected)
            fail_msg("floor(%lld, %lldmo%lldd%lldms, %lld) is not %lld", (long long)ms, (long long)months,
                     (long long)days, (long long)rest, (long long)start, (long long)expected);
        arena_reset(arena);
    }
}

/* The ends of what is computed with: a far time takes no more steps than a near one. */
static void floors_reach_as_far_as_times_do(void **state)
{
    struct bytes month = of_duration(1, 0, 0), args[] = { of_ms(MS_FAR + 1), month, of_ms(0) }, result;

    assert_int_equal(call(body_floor_timestamp, TYPE_TIMESTAMP, 0, args, 3, &result), ERR_INVALID);
    assert_int_equal(floor_of(0, month, 0), 0);
    assert_int_equal(floor_of(INT64_C(31) * 86400000, month, 0), INT64_C(31) * 86400000);
    assert_int_equal(floor_of(INT64_C(31) * 86400000 - 1, month, 0), 0);
    assert_int_equal(walk(MS_FAR, 1, 0, 0, MS_FAR / 2), floor_of(MS_FAR, of_duration(1, 0, 0), MS_FAR / 2));
    assert_int_equal(walk(0, 1, 0, 0, -MS_FAR / 2), floor_of(0, of_duration(1, 0, 0), -MS_FAR / 2));
}

static void sum_fails(enum type_kind kind, char op, struct bytes time, const char *words)
{
    struct bytes args[] = { time, of_duration(0, 1, 0) }, result;

    assert_int_equal(call(body_add_duration, kind, op, args, 2, &result), ERR_FUNCTION_FAILURE);
    assert_string_equal(err.message, words);
}

static void sums_out_of_range_are_refused(void **state)
{
    uint8_t first_day[4] = { 0 };

    sum_fails(TYPE_TIMESTAMP, '+', of_ms(INT64_MIN), "the operation 'timestamp + duration' failed: out of range");
    sum_fails(TYPE_TIMESTAMP, '-', of_ms(INT64_MIN + 1), "the operation 'timestamp - duration' failed: out of range");
    sum_fails(TYPE_TIMESTAMP, '+', of_ms(INT64_MAX), "the operation 'timestamp + duration' failed: out of range");
    sum_fails(TYPE_TIMESTAMP, '+', of_ms(-MS_FAR - 1), "the operation 'timestamp + duration' failed: out of range");
    sum_fails(TYPE_DATE, '-', bytes_of(first_day, 4), "the operation 'date - duration' failed: out of range");
    assert_int_equal(after(-MS_FAR, 0, 1, 0, 1), -MS_FAR + 86400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(floors_are_those_of_a_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(floors_reach_as_far_as_times_do, setup, teardown),
        cmocka_unit_test_setup_teardown(sums_out_of_range_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests_name("plan/function_body", tests, NULL, NULL);
}
