/* Merging, hiding and purging against what Cassandra 5.0.5's own classes do (tests/vectors/row_merge.txt, recorded by
 * RowVectors.java), both in memory and through stored bytes; and on random rows: merging is commutative, associative, idempotent,
 * byte for byte, also with fragments in the middle that nobody can read.
 */
#include "row/row_bed.h"

#include <setjmp.h>
#include <sys/resource.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROUNDS = 20000 };

static struct row decode(struct arena *arena, struct bytes value)
{
    struct row row;
    struct error err;

    assert_int_equal(row_decode(arena, value, &row, &err), OK);
    return row;
}

static struct bytes merge_values(struct arena *arena, struct bytes existing, const struct bytes *operands, size_t count)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };

    row_semantics_merge(existing, operands, count, &out);
    return arena_copy(arena, buffer_bytes(&out));
}

static struct bytes merge_two(struct arena *arena, struct bytes a, struct bytes b)
{
    return merge_values(arena, a, &b, 1);
}

/* ---- Cassandra's answers ---- */

static void check_reconcile(struct arena *arena, char **fields)
{
    struct row a = parse_row(arena, fields[1]), b = parse_row(arena, fields[2]), kept = ROW_EMPTY;
    struct cell copy;

    kept.cells = &copy;
    kept.cell_count = 1;
    copy = *cell_reconcile(&a.cells[0], &b.cells[0]);
    assert_string_equal(row_text(arena, &kept), fields[3]);
    copy = *cell_reconcile(&b.cells[0], &a.cells[0]);
    assert_string_equal(row_text(arena, &kept), fields[3]);
}

static void check_merge(struct arena *arena, char **fields, uint32_t count)
{
    struct bytes operands[8], merged;
    struct row row = parse_row(arena, fields[2]), stored;

    for (uint32_t i = 2; i < count; i++) {
        struct row from = parse_row(arena, fields[i]);

        row_merge(arena, &row, &from);
        operands[i - 2] = encode(arena, &from);
    }
    assert_string_equal(row_text(arena, &row), fields[1]);
    merged = merge_values(arena, (struct bytes){ 0 }, operands, count - 2);
    stored = decode(arena, merged);
    assert_string_equal(row_text(arena, &stored), fields[1]);
    merged = merge_values(arena, operands[0], operands + 1, count - 3);
    stored = decode(arena, merged);
    assert_string_equal(row_text(arena, &stored), fields[1]);
}

static void check_hide(struct arena *arena, char **fields)
{
    struct row row = parse_row(arena, fields[3]);
    struct deletion cover = DELETION_NONE;
    bool lives;

    if (fields[2][0] != '-' || fields[2][1]) {
        cover.timestamp_us = atoll(fields[2]);
        cover.deleted_s = atoll(strchr(fields[2], '/') + 1);
    }
    lives = row_hide(&row, cover, atoll(fields[1]));
    assert_string_equal(row_text(arena, &row), fields[4]);
    assert_int_equal(lives, strcmp(fields[4], "-") != 0);
}

static void check_purge(struct arena *arena, char **fields)
{
    struct purge purge = { atoll(fields[1]), atoll(fields[2]), atoll(fields[3]) };
    struct row row = parse_row(arena, fields[4]);
    bool changed = row_purge(&row, &purge, false);

    assert_string_equal(row_text(arena, &row), fields[5]);
    assert_int_equal(changed, strcmp(fields[4], fields[5]) != 0);
    assert_int_equal(row_is_empty(&row), strcmp(fields[5], "-") == 0);
}

static void the_same_as_cassandra(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 16);
    FILE *file = fopen("tests/vectors/row_merge.txt", "r");
    uint32_t lines = 0;
    char line[8192];

    assert_non_null(file);
    for (; fgets(line, sizeof(line), file); lines++) {
        char *fields[10] = { 0 };
        uint32_t count;

        line[strcspn(line, "\n")] = 0;
        count = split(line, '\t', fields, ARRAY_SIZE(fields));
        switch (line[0]) {
        case 'R': check_reconcile(arena, fields); break;
        case 'M': check_merge(arena, fields, count); break;
        case 'H': check_hide(arena, fields); break;
        case 'P': check_purge(arena, fields); break;
        default: fail_msg("line %u", lines);
        }
        arena_reset(arena);
    }
    fclose(file);
    assert_true(lines > 2000);
}

/* ---- laws ---- */

/* One in eight is of a version of the future, one in 16 damaged. */
static struct bytes roll_fragment(struct dice *dice, struct arena *arena)
{
    struct row row = roll_row(dice, arena);
    struct bytes fragment = encode(arena, &row);

    if (roll(dice, 8) == 0)
        *(uint8_t *)fragment.data = 0x02;
    else if (roll(dice, 16) == 0)
        fragment.size = roll(dice, (uint32_t)fragment.size);
    return fragment;
}

static void assert_same(struct bytes a, struct bytes b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

static void merging_is_a_join(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 20);
    struct dice dice = { 7 };

    for (int i = 0; i < ROUNDS; i++) {
        struct bytes a = roll_fragment(&dice, arena), b = roll_fragment(&dice, arena), c = roll_fragment(&dice, arena);
        struct bytes ab = merge_two(arena, a, b), bc = merge_two(arena, b, c), all = merge_two(arena, ab, c);
        struct bytes three[3] = { a, b, c };

        assert_same(ab, merge_two(arena, b, a));
        assert_same(all, merge_two(arena, a, bc));
        assert_same(all, merge_two(arena, bc, a));
        assert_same(all, merge_values(arena, (struct bytes){ 0 }, three, 3));
        assert_same(all, merge_two(arena, all, all));
        assert_same(all, merge_two(arena, all, b));
        assert_same(ab, merge_two(arena, ab, ab));
        assert_same(merge_two(arena, a, a), merge_two(arena, merge_two(arena, a, a), a));
        arena_reset(arena);
    }
}

/* What readers see does not depend on whether compaction has purged meanwhile. */
static void purging_is_not_seen(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 20);
    struct dice dice = { 11 };

    for (int i = 0; i < ROUNDS; i++) {
        struct row a = roll_row(&dice, arena), b = roll_row(&dice, arena), purged;
        struct purge purge = { roll_time(&dice), 0, INT64_MAX };
        struct bytes merged;

        purge.gc_before_s = purge.expired_s - roll(&dice, 3);
        merged = merge_two(arena, encode(arena, &a), encode(arena, &b));
        a = decode(arena, merged);
        purged = decode(arena, merged);
        row_purge(&purged, &purge, false);
        if (!row_is_empty(&purged))
            purged = decode(arena, encode(arena, &purged));
        row_hide(&a, DELETION_NONE, purge.expired_s);
        row_hide(&purged, DELETION_NONE, purge.expired_s);
        assert_string_equal(row_text(arena, &purged), row_text(arena, &a));
        arena_reset(arena);
    }
}

/* A fragment that deletes and writes at once: the deletion may go only together with what it covers. */
static void a_purged_deletion_takes_along_what_it_covers(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct row row = parse_row(arena, "L/5/0/0 D/5/100 C/3/./4/61 C/4/./6/62");
    struct purge purge = { 1000, 900, INT64_MAX };

    assert_true(row_purge(&row, &purge, false));
    assert_string_equal(row_text(arena, &row), "C/4/./6/62");
    row = parse_row(arena, "D/5/100 C/3/./4/61 C/4/./6/62");
    row_purge(&row, &purge, true);
    assert_int_equal(row.deletion.timestamp_us, 5); /* a partition's stays */
}

static struct cell counter_cell(struct arena *arena, const char *shards)
{
    struct cell cell = { .column_id = 3, .kind = CELL_COUNTER, .timestamp_us = 1, .local_s = TIME_NONE };
    uint8_t *at = arena_alloc(arena, 32 * strlen(shards) / 3 + 1);
    size_t size = 0;

    for (; *shards; shards += 3, size += 32) { /* origin, clock, count: one digit each */
        memset(at + size, 0, 32);
        at[size + 15] = (uint8_t)shards[0];
        at[size + 23] = (uint8_t)shards[1];
        at[size + 31] = (uint8_t)shards[2];
    }
    cell.value = bytes_of(at, size);
    return cell;
}

static void counters_keep_the_newest_of_each_origin(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct cell cells[] = { counter_cell(arena, "a11b25"), counter_cell(arena, "a32b19c11"),
                            counter_cell(arena, "a32b25c11") };
    struct row a = ROW_EMPTY, b = ROW_EMPTY;
    struct bytes x, y;

    a.cells = &cells[0];
    b.cells = &cells[1];
    a.cell_count = b.cell_count = 1;
    x = merge_two(arena, encode(arena, &a), encode(arena, &b));
    y = merge_two(arena, encode(arena, &b), encode(arena, &a));
    assert_same(x, y);
    a = decode(arena, x);
    assert_same(a.cells[0].value, cells[2].value);
}

/* Whatever the timestamps: Cells.resolveCounter, CASSANDRA-7346. */
static void a_deleted_counter_stays_deleted(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct cell counter = counter_cell(arena, "a11"),
                tombstone = { .column_id = 3, .kind = CELL_TOMBSTONE, .local_s = 9 };

    for (int older = 0; older < 3; older++) {
        struct row a = ROW_EMPTY, b = ROW_EMPTY, merged;

        tombstone.timestamp_us = older;
        a.cells = &counter;
        b.cells = &tombstone;
        a.cell_count = b.cell_count = 1;
        merged = decode(arena, merge_two(arena, encode(arena, &a), encode(arena, &b)));
        assert_int_equal(merged.cells[0].kind, CELL_TOMBSTONE);
        merged = decode(arena, merge_two(arena, encode(arena, &b), encode(arena, &a)));
        assert_int_equal(merged.cells[0].kind, CELL_TOMBSTONE);
    }
}

/* A deletion between the two would else take away what was counted behind it. */
static void a_counter_is_as_new_as_its_newest_version(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);

    for (int way = 0; way < 2; way++) {
        struct cell first = counter_cell(arena, "a11"), second = counter_cell(arena, "a22");
        struct row a = ROW_EMPTY, b = ROW_EMPTY, merged;

        first.timestamp_us = way ? 7 : 5;
        second.timestamp_us = way ? 5 : 7;
        a.cells = &first;
        b.cells = &second;
        a.cell_count = b.cell_count = 1;
        merged = decode(arena, merge_two(arena, encode(arena, &a), encode(arena, &b)));
        assert_int_equal(merged.cells[0].timestamp_us, 7);
    }
}

/* ---- large rows ---- */

static struct row elements(struct dice *dice, struct arena *arena, uint32_t first, uint32_t count)
{
    struct row row = ROW_EMPTY;

    row.cells = arena_new_array(arena, struct cell, count);
    row.cell_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *path = arena_alloc(arena, 4);

        store_be32(path, first + i);
        row.cells[i] = roll_cell(dice, arena, 5, bytes_of(path, 4));
        row.cells[i].path_value = (struct bytes){ 0 };
        if (row.cells[i].value.size > 4)
            row.cells[i].value.size = 4;
    }
    return row;
}

static void many_operands_are_the_same_as_one_after_the_other(void **state)
{
    enum { CELLS = 200, OPERANDS = 1500, SOME = 200 };
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 20);
    struct dice dice = { 11 };

    for (int round = 0; round < 4; round++) {
        uint32_t count = round % 2 ? SOME : OPERANDS;
        struct row row = elements(&dice, arena, 0, CELLS);
        struct bytes existing = encode(arena, &row), one_by_one = existing;
        struct bytes *operands = arena_new_array(arena, struct bytes, count);

        for (uint32_t i = 0; i < count; i++) {
            if (roll(&dice, count / 8) == 0) {
                operands[i] = roll_fragment(&dice, arena);
            } else {
                row = elements(&dice, arena, roll(&dice, CELLS + CELLS / 2), 1 + roll(&dice, 3));
                operands[i] = encode(arena, &row);
            }
            one_by_one = merge_two(arena, one_by_one, operands[i]);
        }
        assert_same(merge_values(arena, existing, operands, count), one_by_one);
        assert_same(merge_values(arena, operands[0], operands + 1, count - 1),
                    merge_values(arena, (struct bytes){ 0 }, operands, count));
        arena_reset(arena);
    }
}

static long peak_kb(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* A row that is gone through for each operand is there as often while they are merged. */
static void a_large_row_is_not_gone_through_for_every_operand(void **state)
{
    enum { CELLS = 10000, OPERANDS = 2000, MERGED_KB = 200 << 10 };
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 20);
    struct dice dice = { 12 };
    struct row row = elements(&dice, arena, 0, CELLS);
    struct bytes existing = encode(arena, &row), operands[OPERANDS];
    long before_kb;

    for (uint32_t i = 0; i < OPERANDS; i++) {
        row = elements(&dice, arena, roll(&dice, CELLS), 1);
        operands[i] = encode(arena, &row);
    }
    before_kb = peak_kb();
    merge_values(arena, existing, operands, OPERANDS);
    assert_in_range(peak_kb() - before_kb, 0, MERGED_KB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_as_cassandra),
        cmocka_unit_test(merging_is_a_join),
        cmocka_unit_test(purging_is_not_seen),
        cmocka_unit_test(a_purged_deletion_takes_along_what_it_covers),
        cmocka_unit_test(counters_keep_the_newest_of_each_origin),
        cmocka_unit_test(a_deleted_counter_stays_deleted),
        cmocka_unit_test(a_counter_is_as_new_as_its_newest_version),
        cmocka_unit_test(many_operands_are_the_same_as_one_after_the_other),
        cmocka_unit_test(a_large_row_is_not_gone_through_for_every_operand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
