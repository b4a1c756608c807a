/* Counter shards against what Cassandra 5.0.5's own classes do (tests/vectors/counters.txt, recorded by CounterVectors.java): sums,
 * merging, counting, cells and tombstones; then the laws of merging on random shards, and what a value that is no row of shards does.
 */
#include "row/counter.h"
#include "row/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- Cassandra's answers ---- */

static struct bytes from_hex(struct arena *arena, const char *text)
{
    size_t size = strcmp(text, "-") ? strlen(text) / 2 : 0;
    uint8_t *bytes = arena_alloc(arena, size + 1);
    unsigned byte;

    for (size_t i = 0; i < size; i++) {
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return bytes_of(bytes, size);
}

/* C/timestamp/shards, T/timestamp/made-at */
static struct cell from_text(struct arena *arena, const char *text)
{
    const char *last = strrchr(text, '/') + 1;
    struct cell cell = { .column_id = 3, .timestamp_us = atoll(text + 2), .local_s = TIME_NONE };

    cell.kind = text[0] == 'T' ? CELL_TOMBSTONE : CELL_COUNTER;
    if (cell.kind == CELL_TOMBSTONE)
        cell.local_s = atoll(last);
    else
        cell.value = from_hex(arena, last);
    return cell;
}

static void check_cells(struct arena *arena, struct cell a, struct cell b, const struct cell *kept)
{
    struct row into = ROW_EMPTY, from = ROW_EMPTY;

    into.cells = &a;
    from.cells = &b;
    into.cell_count = from.cell_count = 1;
    row_merge(arena, &into, &from);
    assert_int_equal(into.cell_count, 1);
    assert_int_equal(into.cells[0].kind, kept->kind);
    assert_int_equal(into.cells[0].timestamp_us, kept->timestamp_us);
    assert_int_equal(into.cells[0].local_s, kept->local_s);
    assert_true(kept->kind == CELL_TOMBSTONE || bytes_equal(into.cells[0].value, kept->value));
}

static void check_fact(struct arena *arena, char *const fields[6])
{
    struct bytes a, b;
    struct cell left, right, kept;

    switch (fields[0][0]) {
    case 'T': assert_true(counter_total(from_hex(arena, fields[1])) == strtoll(fields[2], NULL, 10)); return;
    case 'M':
        a = from_hex(arena, fields[1]);
        b = from_hex(arena, fields[2]);
        assert_true(bytes_equal(counter_merge(arena, a, b), from_hex(arena, fields[3])));
        assert_true(bytes_equal(counter_merge(arena, b, a), from_hex(arena, fields[3])));
        return;
    case 'A':
        a = counter_add(arena, from_hex(arena, fields[1]), from_hex(arena, fields[2]).data, atoll(fields[3]),
                        strtoll(fields[4], NULL, 10));
        assert_true(bytes_equal(a, from_hex(arena, fields[5])));
        return;
    case 'C':
        left = from_text(arena, fields[1]);
        right = from_text(arena, fields[2]);
        kept = from_text(arena, fields[3]);
        check_cells(arena, left, right, &kept);
        check_cells(arena, right, left, &kept);
        return;
    default: fail_msg("what is %s", fields[0]);
    }
}

static void the_same_as_cassandra(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 16);
    FILE *file = fopen("tests/vectors/counters.txt", "r");
    uint32_t facts['T' + 1] = { 0 };
    char line[4096];

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *fields[6] = { 0 }, *rest = line;

        line[strcspn(line, "\n")] = 0;
        for (uint32_t i = 0; i < ARRAY_SIZE(fields) && rest; i++)
            fields[i] = strsep(&rest, "\t");
        check_fact(arena, fields);
        facts[(uint8_t)line[0]]++;
        arena_reset(arena);
    }
    fclose(file);
    assert_true(facts['T'] >= 100 && facts['M'] >= 300 && facts['A'] >= 200 && facts['C'] >= 200);
}

/* ---- by hand ---- */

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
        cmocka_unit_test(the_same_as_cassandra),
        cmocka_unit_test(totals_are_sums_that_wrap),
        cmocka_unit_test(the_higher_clock_stays_then_the_higher_count),
        cmocka_unit_test(adding_is_absolute),
        cmocka_unit_test(merging_is_a_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
