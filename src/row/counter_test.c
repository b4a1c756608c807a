/* Counter shards by the rules of Cassandra's CounterContext: sums, the newest shard of each origin, the laws of merging on random
 * shards, and what a value that is no row of shards does.
 */
#include "row/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct bytes shard(struct arena *arena, uint8_t origin, int64_t clock, int64_t count)
{
    uint8_t *at = arena_zalloc(arena, COUNTER_SHARD_BYTES);

    at[15] = origin;
    store_be64(at + 16, (uint64_t)clock);
    store_be64(at + 24, (uint64_t)count);
    return bytes_of(at, COUNTER_SHARD_BYTES);
}

static void totals_are_sums_that_wrap(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct bytes value = counter_merge(arena, shard(arena, 1, 5, 7), shard(arena, 2, 1, -10));

    assert_int_equal(counter_total(bytes_of("", 0)), 0);
    assert_int_equal(counter_total(value), -3);
    value = counter_merge(arena, shard(arena, 1, 5, INT64_MAX), shard(arena, 2, 1, 1));
    assert_true(counter_total(value) == INT64_MIN);
    assert_int_equal(counter_total(bytes_of(value.data, 40)), counter_total(bytes_of(value.data, 32)));
}

static void the_higher_clock_stays_then_the_higher_count(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);

    assert_int_equal(counter_total(counter_merge(arena, shard(arena, 1, 5, 7), shard(arena, 1, 6, 2))), 2);
    assert_int_equal(counter_total(counter_merge(arena, shard(arena, 1, 6, -7), shard(arena, 1, 6, 2))), 2);
    assert_int_equal(counter_total(counter_merge(arena, shard(arena, 1, -1, 7), shard(arena, 1, 0, 2))), 2);
}

static void adding_is_absolute(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    uint8_t other[COUNTER_ORIGIN_BYTES] = { 9 };
    struct bytes first = counter_add(arena, bytes_of("", 0), COUNTER_ORIGIN, 100, 5),
                 second = counter_add(arena, first, COUNTER_ORIGIN, 50, -7), third;

    assert_int_equal(counter_total(first), 5);
    assert_int_equal(counter_total(second), -2);
    assert_int_equal(load_be64(second.data + 16), 101); /* above what it was, though time stood still */
    assert_int_equal(counter_total(counter_merge(arena, second, first)), -2); /* seen again: counted once */
    third = counter_add(arena, second, other, 60, 40);
    assert_int_equal(third.size, 2 * COUNTER_SHARD_BYTES);
    assert_int_equal(counter_total(third), 38);
}

static struct bytes random_value(struct arena *arena, unsigned *seed)
{
    struct bytes value = bytes_of("", 0);

    if (rand_r(seed) % 16 == 0)
        return bytes_of("damaged", (size_t)(1 + rand_r(seed) % 7));
    for (int i = rand_r(seed) % 5; i > 0; i--)
        value = counter_merge(arena, value,
                              shard(arena, (uint8_t)(rand_r(seed) % 4), rand_r(seed) % 4 - 1, rand_r(seed) % 5 - 2));
    return value;
}

static bool is_whole(struct bytes value)
{
    return value.size % COUNTER_SHARD_BYTES == 0;
}

static void merging_is_a_join(void **state)
{
    unsigned seed = 20261123;

    for (int round = 0; round < 20000; round++) {
        struct arena *arena CLEANUP(arena_free) = arena_new(4096);
        struct bytes a = random_value(arena, &seed), b = random_value(arena, &seed), c = random_value(arena, &seed);

        assert_true(bytes_equal(counter_merge(arena, a, b), counter_merge(arena, b, a)));
        assert_true(bytes_equal(counter_merge(arena, a, a), a));
        if (is_whole(a) && is_whole(b) && is_whole(c))
            assert_true(bytes_equal(counter_merge(arena, counter_merge(arena, a, b), c),
                                    counter_merge(arena, a, counter_merge(arena, b, c))));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_sums_that_wrap),
        cmocka_unit_test(the_higher_clock_stays_then_the_higher_count),
        cmocka_unit_test(adding_is_absolute),
        cmocka_unit_test(merging_is_a_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
