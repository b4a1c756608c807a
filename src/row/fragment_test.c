/* Fragments: what is encoded comes back; golden bytes hold the format; stamping touches nothing else; damage is told, never followed;
 * the summary says what decoding would; and the price: eight text columns cost few bytes beside their text.
 */
#include "row/row_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool same_extras(const struct row *a, const struct row *b)
{
    if (a->has_range_tombstones != b->has_range_tombstones ||
        !bytes_equal(a->written_clustering, b->written_clustering) ||
        bytes_is_null(a->written_clustering) != bytes_is_null(b->written_clustering))
        return false;
    for (uint32_t i = 0; i < a->cell_count; i++)
        if (!bytes_equal(a->cells[i].path_value, b->cells[i].path_value) ||
            bytes_is_null(a->cells[i].path_value) != bytes_is_null(b->cells[i].path_value))
            return false;
    return true;
}

static void rows_come_back(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 20);
    struct dice dice = { 3 };

    for (int i = 0; i < 20000; i++) {
        struct row row = roll_row(&dice, arena), back;
        struct bytes fragment = encode(arena, &row);
        struct fragment_summary summary;
        struct error err;

        assert_int_equal(fragment_decode(arena, fragment, &back, &err), OK);
        assert_string_equal(row_text(arena, &back), row_text(arena, &row));
        assert_true(same_extras(&row, &back));
        assert_true(fragment_summarize(fragment, &summary));
        assert_int_equal(summary.min_timestamp_us, row_min_timestamp_us(&row));
        if (!summary.can_shrink) {
            struct purge purge = { INT64_MAX, INT64_MAX, INT64_MAX };

            assert_false(row_purge(&back, &purge, false));
        }
        arena_reset(arena);
    }
}

/* The format is laid down: these bytes must be read for ever. */
static void the_format_is_laid_down(void **state)
{
    static const struct {
        const char *row;
        const char *bytes;
    } golden[] = {
        { "-", "01"
               "00"
               "0000000000000000"
               "00" },
        { "L/1000/0/0 C/3/./1000/6162", "01"
                                        "02"
                                        "00000000000003e8"
                                        "00"
                                        "01"
                                        "03"
                                        "00"
                                        "02"
                                        "6162" },
        { "L/1000/60/1060 E/3/./1000/60/1060/61", "01"
                                                  "0a"
                                                  "00000000000003e8"
                                                  "3c"
                                                  "c810"
                                                  "02"
                                                  "01"
                                                  "03"
                                                  "01"
                                                  "01"
                                                  "61" },
        { "D/5/7 T/3/./6/8", "01"
                             "04"
                             "0000000000000006"
                             "01"
                             "0e"
                             "01"
                             "03"
                             "02"
                             "10" },
        { "X/5/4/9 C/5/00/5/61 C/300/./5/", "01"
                                            "40"
                                            "0000000000000005"
                                            "01"
                                            "05"
                                            "01"
                                            "12"
                                            "02"
                                            "05"
                                            "10"
                                            "01"
                                            "00"
                                            "01"
                                            "61"
                                            "ac02"
                                            "00"
                                            "00" },
        { "L/5/0/0 C/3/./7/", "01"
                              "02"
                              "0000000000000005"
                              "00"
                              "01"
                              "03"
                              "04"
                              "04"
                              "00" },
        { "C/3/./-9223372036854775805/ C/4/./9223372036854775807/", "01"
                                                                    "00"
                                                                    "8000000000000003"
                                                                    "02"
                                                                    "03"
                                                                    "00"
                                                                    "00"
                                                                    "04"
                                                                    "04"
                                                                    "07"
                                                                    "00" },
    };
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
        struct row row = parse_row(arena, golden[i].row), back;
        struct buffer hex CLEANUP(buffer_fini) = { 0 };

        print_hex(&hex, encode(arena, &row));
        buffer_append_u8(&hex, 0);
        assert_string_equal((char *)hex.data, golden[i].bytes);
        assert_int_equal(fragment_decode(arena, parse_hex(arena, golden[i].bytes), &back, &err), OK);
        assert_string_equal(row_text(arena, &back), golden[i].row);
    }
}

static void stamping_gives_the_commit_its_time(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct cell cells[2] = { { .column_id = 3,
                               .kind = CELL_LIVE,
                               .timestamp_us = TIMESTAMP_SERVER,
                               .local_s = TIME_NONE,
                               .value = BYTES_LITERAL("x") },
                             { .column_id = 5,
                               .kind = CELL_LIVE,
                               .timestamp_us = TIMESTAMP_SERVER,
                               .local_s = TIME_NONE,
                               .path = BYTES_LITERAL("p") } };
    struct complex_deletion complex = { 5, { TIMESTAMP_SERVER_BEFORE, 8 } };
    struct row row = ROW_EMPTY, back;
    struct bytes fragment;
    struct error err;

    row.liveness.timestamp_us = TIMESTAMP_SERVER;
    row.cells = cells;
    row.cell_count = 2;
    row.complexes = &complex;
    row.complex_count = 1;
    fragment = encode(arena, &row);
    assert_false(fragment_is_stamped(fragment));
    assert_int_equal(row_decode(arena, fragment, &back, &err), ERR_CORRUPT); /* never stored so */
    fragment_stamp((uint8_t *)fragment.data, fragment.size, 1000);
    assert_int_equal(row_decode(arena, fragment, &back, &err), OK);
    assert_string_equal(row_text(arena, &back), "L/1000/0/0 X/5/999/8 C/3/./1000/78 C/5/70/1000/");
    fragment_stamp((uint8_t *)fragment.data, fragment.size, 2000); /* only once */
    assert_int_equal(row_decode(arena, fragment, &back, &err), OK);
    assert_int_equal(back.liveness.timestamp_us, 1000);
    /* A collection overwritten alone: its deletion is the only thing there. */
    row = ROW_EMPTY;
    row.complexes = &complex;
    row.complex_count = 1;
    fragment = encode(arena, &row);
    fragment_stamp((uint8_t *)fragment.data, fragment.size, 1000);
    assert_int_equal(row_decode(arena, fragment, &back, &err), OK);
    assert_string_equal(row_text(arena, &back), "X/5/999/8");
}

/* What earlier versions acknowledged and then refused to read. */
static void what_was_written_once_is_understood(void **state)
{
    static const struct {
        const char *bytes, *row; /* row NULL: damage, nobody wrote it */
    } cases[] = {
        /* UPDATE t USING TIMESTAMP -9223372036854775807 SET l = ['x'], and SET l = []: the deletion before it is none */
        { "01408000000000000001010501100105100170"
          "0178",
          "C/5/70/-9223372036854775807/78" },
        { "0140800000000000000001050010"
          "00",
          "-" },
        { "014080000000000000000205001006001000", "-" },
        /* DELETE v, v; DELETE l, l; DELETE v, l, l, v, w */
        { "010000000000000003e802030210030210", "T/3/./1000/8" },
        { "014000000000000003e80205001005001000", "X/5/1000/8" },
        { "014000000000000003e8020500100500100303021003021004"
          "0210",
          "X/5/1000/8 T/3/./1000/8 T/4/./1000/8" },
        /* none for a row or a cell; live cells twice; out of order; the owner's time without its flag */
        { "010480000000000000000010"
          "00",
          NULL },
        { "0100800000000000000001030001"
          "78",
          NULL },
        { "010000000000000003e802030001780300"
          "0178",
          NULL },
        { "010000000000000003e802040210030210", NULL },
        { "014000000000000003e80206001005001000", NULL },
        { "0100"
          "8048656c656e7573"
          "01030001"
          "78",
          NULL },
    };
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes bytes = parse_hex(arena, cases[i].bytes);
        struct fragment_summary summary;
        struct row row;
        struct error err;
        enum status status = fragment_decode(arena, bytes, &row, &err);

        assert_int_equal(status, cases[i].row ? OK : ERR_CORRUPT);
        if (status)
            continue;
        assert_string_equal(row_text(arena, &row), cases[i].row);
        assert_true(fragment_summarize(bytes, &summary) && summary.min_timestamp_us != INT64_MIN);
        assert_int_equal(fragment_decode(arena, encode(arena, &row), &row, &err), OK);
        assert_string_equal(row_text(arena, &row), cases[i].row);
    }
}

static void damage_is_told(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(1 << 16);
    struct dice dice = { 5 };

    for (int i = 0; i < 300; i++) {
        struct row row = roll_row(&dice, arena), back;
        struct bytes fragment = encode(arena, &row);
        struct fragment_summary summary;
        struct error err;

        for (size_t size = fragment.size - 1; size > 0 && fragment.size < 200; size--) {
            struct arena *scratch CLEANUP(arena_free) = arena_new(4096);
            uint8_t *exact = xmalloc(size); /* so that the sanitizer sees a read past the end */

            memcpy(exact, fragment.data, size);
            assert_int_equal(fragment_decode(scratch, bytes_of(exact, size), &back, &err), ERR_CORRUPT);
            assert_false(fragment_summarize(bytes_of(exact, size), &summary));
            free(exact);
        }
        arena_reset(arena);
    }
}

static void fragments_are_small(void **state)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct row row = ROW_EMPTY;

    row.cells = arena_new_array(arena, struct cell, 8);
    row.cell_count = 8;
    row.liveness = (struct liveness){ 1700000000000000, TTL_NONE, TIME_NONE };
    for (uint32_t i = 0; i < 8; i++)
        row.cells[i] = (struct cell){ .column_id = i,
                                      .kind = CELL_LIVE,
                                      .timestamp_us = 1700000000000000,
                                      .local_s = TIME_NONE,
                                      .value = BYTES_LITERAL("sixteen letters!") };
    assert_int_equal(encode(arena, &row).size, 8 * 16 + 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(the_format_is_laid_down),
        cmocka_unit_test(stamping_gives_the_commit_its_time),
        cmocka_unit_test(what_was_written_once_is_understood),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(fragments_are_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
