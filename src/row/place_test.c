/* Operations on lists as tests/cql/lists.expected has them of Cassandra, but of one row in memory: which cells come of them, and that
 * nobody's bytes are believed.
 */
#include "row/place.h"

#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { COLUMN_L = 3 };

static struct arena *arena;
static struct column_def column;
static struct table_def def;
static uint32_t index_by_id[COLUMN_L + 1] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, 0 };

static int begin(void **state)
{
    arena = arena_new(4096);
    column = (struct column_def){ .id = COLUMN_L,
                                  .kind = COLUMN_REGULAR,
                                  .multicell = true,
                                  .type = type_list(arena, type_native(TYPE_INT), false) };
    def = (struct table_def){
        .columns = &column, .column_count = 1, .index_by_id = index_by_id, .column_id_next = COLUMN_L + 1
    };
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

static struct bytes number(int32_t n)
{
    uint8_t *at = arena_alloc(arena, 4);

    store_be32(at, (uint32_t)n);
    return bytes_of(at, 4);
}

/* A path that only says where it stands. */
static struct bytes path(uint8_t place)
{
    uint8_t *at = arena_alloc(arena, 16);

    memset(at, 0, 16);
    at[0] = place;
    return bytes_of(at, 16);
}

static struct cell element(uint8_t place, int32_t value, int64_t timestamp_us)
{
    return (struct cell){ .column_id = COLUMN_L,
                          .timestamp_us = timestamp_us,
                          .local_s = TIME_NONE,
                          .path = path(place),
                          .value = number(value) };
}

static struct cell asked(uint32_t order, enum place_kind kind, struct bytes tail, int32_t value)
{
    bool dead = kind == PLACE_DELETE || kind == PLACE_DISCARD;

    return (struct cell){ .column_id = COLUMN_L,
                          .kind = dead ? CELL_TOMBSTONE : CELL_LIVE,
                          .timestamp_us = TIMESTAMP_SERVER,
                          .local_s = dead ? 1000 : TIME_NONE,
                          .path = place_path(arena, order, kind, tail),
                          .value = dead ? (struct bytes){ 0 } : number(value) };
}

/* What comes of operations on [10, 20, 30, 20] at the places 1..4, as "place=value" and "place-" for tombstones. */
static const char *find(struct cell *cells, uint32_t count, enum status expected)
{
    struct cell list[] = { element(1, 10, 5), element(2, 20, 5), element(3, 30, 5), element(4, 20, 5) };
    struct row live = { .cells = list, .cell_count = 4 }, row = { .cells = cells, .cell_count = count };
    static char text[400];
    struct error err = { 0 };
    size_t at = 0;

    assert_int_equal(place_find(arena, &def, &row, &live, NULL, &err), expected);
    if (expected)
        return strcpy(text, err.message);
    text[0] = 0;
    for (uint32_t i = 0; i < row.cell_count; i++)
        at += (size_t)(row.cells[i].kind == CELL_TOMBSTONE
                           ? snprintf(text + at, sizeof(text) - at, "%u- ", row.cells[i].path.data[0])
                           : snprintf(text + at, sizeof(text) - at, "%u=%u ", row.cells[i].path.data[0],
                                      load_be32(row.cells[i].value.data)));
    return text;
}

static void indexes_find_paths(void **state)
{
    struct cell set = asked(0, PLACE_SET, number(2), 31), delete = asked(0, PLACE_DELETE, number(3), 0);

    assert_string_equal(find(&set, 1, OK), "3=31 ");
    assert_string_equal(find(&delete, 1, OK), "4- ");
}

static void values_find_paths(void **state)
{
    struct cell discard = asked(0, PLACE_DISCARD, bytes_of("", 0), 0);
    struct buffer packed = { 0 };
    struct bytes unwanted[] = { number(20), number(99) };

    value_pack(&packed, column.type, unwanted, 2);
    discard.path_value = buffer_bytes(&packed);
    assert_string_equal(find(&discard, 1, OK), "2- 4- ");
    buffer_fini(&packed);
}

/* Cassandra: DELETE l[0], l[1] takes the first and the third; l = l + [..], l[4] = x finds what was appended. */
static void operations_see_those_before_them(void **state)
{
    struct cell both[] = { asked(0, PLACE_DELETE, number(0), 0), asked(1, PLACE_DELETE, number(1), 0) };
    struct cell append[] = { asked(0, PLACE_PATH, path(9), 50), asked(1, PLACE_SET, number(4), 51) };

    assert_string_equal(find(both, 2, OK), "1- 3- ");
    assert_string_equal(find(append, 2, OK), "9=51 ");
}

static void what_does_not_fit_is_refused(void **state)
{
    struct cell past = asked(0, PLACE_SET, number(4), 1), before = asked(0, PLACE_DELETE, number(-1), 0),
                null = asked(0, PLACE_SET, bytes_of("", 0), 1), odd = asked(0, PLACE_SET, bytes_of("abc", 3), 1);
    struct cell gone = past, many[PLACES_MAX + 1];

    assert_string_equal(find(&past, 1, ERR_INVALID), "List index 4 out of bound, list has size 4");
    assert_string_equal(find(&before, 1, ERR_INVALID), "List index -1 out of bound, list has size 4");
    assert_string_equal(find(&null, 1, ERR_INVALID), "Invalid null value for list index");
    find(&odd, 1, ERR_CORRUPT);
    gone.column_id = COLUMN_L + 1;
    find(&gone, 1, ERR_STALE);
    for (uint32_t i = 0; i <= PLACES_MAX; i++)
        many[i] = asked(i, PLACE_SET, number(0), (int32_t)i);
    find(many, PLACES_MAX + 1, ERR_INVALID);
    find(many, PLACES_MAX, OK);
}

static enum status add_numbers(struct arena *to, const struct type *type, struct bytes left, struct bytes right,
                               struct bytes *sum, struct error *err)
{
    assert_int_equal(type->kind, TYPE_INT);
    uint8_t *at = arena_alloc(to, 4);

    store_be32(at, load_be32(left.data) + load_be32(right.data));
    *sum = bytes_of(at, 4);
    return OK;
}

/* What comes of "+ 3, + 4" on a column that holds this, or nothing. */
static int64_t add_to(const struct cell *there, place_sum sum, enum status expected)
{
    struct cell cells[] = { asked(0, PLACE_SUM, bytes_of("", 0), 3), asked(1, PLACE_SUM, bytes_of("", 0), 4) };
    struct row live = { .cells = (struct cell *)there, .cell_count = 1 }, row = { .cells = cells, .cell_count = 2 };
    struct error err;

    column.multicell = false;
    column.type = type_native(TYPE_INT);
    assert_int_equal(place_find(arena, &def, &row, there ? &live : NULL, sum, &err), expected);
    if (expected || !row.cell_count)
        return INT64_MIN;
    assert_int_equal(row.cell_count, 1);
    assert_int_equal(row.cells[0].kind, CELL_LIVE);
    assert_int_equal(row.cells[0].path.size, 0);
    return (int32_t)load_be32(row.cells[0].value.data);
}

static void values_are_added_to(void **state)
{
    struct cell there = { .column_id = COLUMN_L, .timestamp_us = 5, .local_s = TIME_NONE, .value = number(10) };

    assert_int_equal(add_to(&there, add_numbers, OK), 17);
    assert_int_equal(add_to(NULL, add_numbers, OK), INT64_MIN); /* nothing is added to null */
    add_to(&there, NULL, ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(indexes_find_paths, begin, end),
        cmocka_unit_test_setup_teardown(values_find_paths, begin, end),
        cmocka_unit_test_setup_teardown(operations_see_those_before_them, begin, end),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(values_are_added_to, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
