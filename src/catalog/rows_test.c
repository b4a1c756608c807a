/* Rows of our own: what was put under a name is got under it, of every kind and in every place of a row; they expire, are deleted and
 * replaced as a client's would; many are read page by page; what the definition doesn't fit is said. On store/memory.
 */
#include "base/clock.h"
#include "catalog/rows.h"

#include "schema/build.h"
#include "store/memory/memory.h"
#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static struct table_def *def;
static void *environment;
static struct table_space *space;
static struct table_port *port;
static int64_t clock_us = INT64_C(1700000000000000);

static int64_t now_us(const struct clock *clock)
{
    return clock_us;
}

static struct clock test_clock; /* the machine's, but for real time */

static int64_t now_s(void)
{
    return clock_us / 1000000;
}

static struct table_def *table_by_id(void *context, uint64_t id)
{
    return id == def->id ? table_def_ref(def) : NULL;
}

/* The names stand in another order than the columns: nothing goes by places. */
static struct table_def *make_table(void)
{
    struct table_def *made = table_def_new(BYTES_LITERAL("system"), BYTES_LITERAL("ours"));
    const struct type *text = type_native(TYPE_TEXT), *number = type_native(TYPE_BIGINT);

    made->id = 77;
    made->columns = arena_new_array(made->arena, struct column_def, 9);
    table_def_add_column(made, COLUMN_REGULAR, 0, BYTES_LITERAL("z_map"),
                         type_map(made->arena, text, type_native(TYPE_INT), false), false);
    table_def_add_column(made, COLUMN_PARTITION_KEY, 0, BYTES_LITERAL("p_text"), text, false);
    table_def_add_column(made, COLUMN_PARTITION_KEY, 1, BYTES_LITERAL("p_int"), type_native(TYPE_INT), false);
    table_def_add_column(made, COLUMN_CLUSTERING, 0, BYTES_LITERAL("c_down"), number, true);
    table_def_add_column(made, COLUMN_CLUSTERING, 1, BYTES_LITERAL("c_text"), text, false);
    table_def_add_column(made, COLUMN_REGULAR, 0, BYTES_LITERAL("flag"), type_native(TYPE_BOOLEAN), false);
    table_def_add_column(made, COLUMN_REGULAR, 0, BYTES_LITERAL("at"), type_native(TYPE_TIMESTAMP), false);
    table_def_add_column(made, COLUMN_REGULAR, 0, BYTES_LITERAL("id"), type_native(TYPE_UUID), false);
    table_def_add_column(made, COLUMN_REGULAR, 0, BYTES_LITERAL("bytes"), type_native(TYPE_BLOB), false);
    table_def_finish(made);
    return made;
}

static int setup(void **state)
{
    struct table_space_options options = {
        .shard_count = 1, .store = &store_memory_ops, .table_by_id = table_by_id, .clock = &test_clock
    };
    struct store_environment_options environment_options = { .clock = &test_clock };
    struct error err;

    def = make_table();
    if (store_memory_ops.environment_open(&environment_options, &environment, &err))
        return -1;
    options.store_environment = environment;
    if (table_space_open(&options, &space, &err))
        return -1;
    port = table_port_open(space);
    return 0;
}

static int teardown(void **state)
{
    table_port_close(port);
    table_space_close(space);
    store_memory_ops.environment_close(environment);
    table_def_unref(def);
    return 0;
}

static void begin(struct rows *rows, struct arena *arena, int32_t ttl_s)
{
    rows_begin(rows, def, arena, now_s(), ttl_s);
    rows_put_number(rows, "p_int", -5);
    rows_put(rows, "p_text", BYTES_LITERAL("p"));
}

static void add(struct rows *rows, int64_t down, const char *text)
{
    rows_add(rows);
    rows_put(rows, "c_text", bytes_of_string(text));
    rows_put_number(rows, "c_down", down);
}

static void save(struct rows *rows)
{
    struct error err;

    if (rows_save(rows, port, &err))
        fail_msg("%s", err.message);
}

/* The serialized key of the partition above: each component with its size, and an end. */
#define KEY BYTES_LITERAL("\0\1p\0\0\4\377\377\377\373\0")

struct found {
    int count;
    int64_t downs[4];
    int64_t sum;
    enum status stop_with;
};

static enum status count_row(void *context, const struct rows_view *view, struct error *err)
{
    struct found *found = context;

    if (found->count < 4)
        found->downs[found->count] = rows_get_number(view, "c_down");
    found->count++;
    found->sum += rows_get_number(view, "c_down");
    return found->stop_with ? error_set(err, found->stop_with, "enough") : OK;
}

static struct found read_all(void)
{
    struct found found = { 0 };
    struct error err;

    if (rows_read(port, def, KEY, now_s(), count_row, &found, &err))
        fail_msg("%s", err.message);
    return found;
}

static enum status check_values(void *context, const struct rows_view *view, struct error *err)
{
    bool is_full = rows_get_number(view, "c_down") == INT64_MAX;
    uint8_t two[4] = { 0, 0, 0, 2 };

    ++*(int *)context;
    assert_int_equal(bytes_is_null(rows_get(view, "bytes")), !is_full);
    assert_int_equal(bytes_is_null(rows_get_entry(view, "z_map", BYTES_LITERAL("b"))), !is_full);
    if (!is_full) {
        assert_true(bytes_equal(rows_get(view, "c_text"), BYTES_LITERAL("")));
        assert_false(bytes_is_null(rows_get(view, "c_text")));
        assert_int_equal(rows_get_number(view, "c_down"), INT64_MIN);
        assert_int_equal(rows_get_number(view, "at"), 0);
        return OK;
    }
    assert_int_equal(rows_get_number(view, "flag"), 1);
    assert_int_equal(rows_get_number(view, "at"), -1);
    assert_int_equal(rows_get(view, "id").size, 16);
    assert_int_equal(rows_get(view, "bytes").size, 0);
    assert_true(bytes_equal(rows_get_entry(view, "z_map", BYTES_LITERAL("b")), bytes_of(two, 4)));
    assert_true(bytes_is_null(rows_get_entry(view, "z_map", BYTES_LITERAL("c"))));
    return OK;
}

static void what_is_put_is_got(void **state)
{
    struct arena *arena = arena_new(1024);
    uint8_t id[16] = { 1 }, one[4] = { 0, 0, 0, 1 }, two[4] = { 0, 0, 0, 2 };
    struct rows rows;
    struct error err;
    int count = 0;

    begin(&rows, arena, TTL_NONE);
    add(&rows, INT64_MIN, "");
    add(&rows, INT64_MAX, "x");
    rows_put_entry(&rows, "z_map", BYTES_LITERAL("b"), bytes_of(two, 4));
    rows_put(&rows, "bytes", BYTES_LITERAL(""));
    rows_put_number(&rows, "flag", true);
    rows_put_entry(&rows, "z_map", BYTES_LITERAL("a"), bytes_of(one, 4));
    rows_put(&rows, "id", bytes_of(id, 16));
    rows_put_number(&rows, "at", -1);
    save(&rows);
    assert_int_equal(rows_read(port, def, KEY, now_s(), check_values, &count, &err), OK);
    assert_int_equal(count, 2);
    assert_int_equal(read_all().downs[0], INT64_MAX); /* descending */
    assert_int_equal(read_all().downs[1], INT64_MIN);
    arena_free(arena);
}

static void rows_are_replaced_and_deleted(void **state)
{
    struct arena *arena = arena_new(1024);
    struct rows rows;

    begin(&rows, arena, TTL_NONE);
    add(&rows, 1, "a");
    add(&rows, 2, "a");
    rows_put_number(&rows, "at", 1);
    save(&rows);
    assert_int_equal(read_all().count, 2);
    clock_us += 10;
    begin(&rows, arena, TTL_NONE);
    add(&rows, 2, "a");
    rows_delete(&rows);
    add(&rows, 3, "a");
    save(&rows);
    assert_int_equal(read_all().count, 2);
    assert_int_equal(read_all().downs[0], 3);
    assert_int_equal(read_all().downs[1], 1);
    arena_free(arena);
}

/* All of the row goes, also one that has only its key. */
static void rows_expire(void **state)
{
    struct arena *arena = arena_new(1024);
    struct rows rows;

    begin(&rows, arena, 60);
    add(&rows, 1, "a");
    add(&rows, 2, "a");
    rows_put_number(&rows, "at", 1);
    save(&rows);
    clock_us += INT64_C(59000000);
    assert_int_equal(read_all().count, 2);
    clock_us += INT64_C(1000000);
    assert_int_equal(read_all().count, 0);
    arena_free(arena);
}

static void many_rows_are_read_page_by_page(void **state)
{
    struct found found = { .stop_with = ERR_CLOSED };
    struct arena *arena = arena_new(1024);
    struct rows rows;
    struct error err;

    begin(&rows, arena, TTL_NONE);
    for (int i = 0; i < 2500; i++)
        add(&rows, i, "a");
    save(&rows);
    assert_int_equal(read_all().count, 2500);
    assert_int_equal(read_all().sum, 2500 * 2499 / 2);
    assert_int_equal(rows_read(port, def, KEY, now_s(), count_row, &found, &err), ERR_CLOSED);
    assert_int_equal(found.count, 1);
    arena_free(arena);
}

/* Rows come while the first ones are looked at, behind them and before. */
static enum status add_meanwhile(void *context, const struct rows_view *view, struct error *err)
{
    struct arena *arena = arena_new(1024);
    struct rows rows;

    if (!(*(int *)context)++) {
        begin(&rows, arena, TTL_NONE);
        for (int i = -5; i < 3000; i++)
            add(&rows, i, "b");
        save(&rows);
    }
    arena_free(arena);
    return OK;
}

static void rows_are_read_as_at_one_moment(void **state)
{
    struct arena *arena = arena_new(1024);
    struct rows rows;
    struct error err;
    int count = 0;

    begin(&rows, arena, TTL_NONE);
    for (int i = 0; i < 2500; i++)
        add(&rows, i, "a");
    save(&rows);
    assert_int_equal(rows_read(port, def, KEY, now_s(), add_meanwhile, &count, &err), OK);
    assert_int_equal(count, 2500);
    assert_int_equal(read_all().count, 3005 + 2500);
    arena_free(arena);
}

static void what_is_damaged_is_said(void **state)
{
    struct arena *arena = arena_new(1024);
    struct cell cell = { .column_id = table_def_column(def, BYTES_LITERAL("at"))->id,
                         .timestamp_us = 1,
                         .local_s = TIME_NONE,
                         .value = BYTES_LITERAL("123") };
    struct row row = ROW_EMPTY;
    struct buffer clustering = { 0 };
    struct rows_view view;
    struct error err;

    value_encode_key(&clustering, type_native(TYPE_BIGINT), BYTES_LITERAL("12345678"), true);
    assert_int_equal(rows_view(&view, def, buffer_bytes(&clustering), &row, arena, &err), ERR_CORRUPT);
    value_encode_key(&clustering, type_native(TYPE_TEXT), BYTES_LITERAL("t"), false);
    assert_int_equal(rows_view(&view, def, buffer_bytes(&clustering), &row, arena, &err), OK);
    row.cells = &cell;
    row.cell_count = 1;
    assert_int_equal(rows_view(&view, def, buffer_bytes(&clustering), &row, arena, &err), ERR_CORRUPT);
    cell.column_id = 1000; /* a column that was dropped: nobody looks at it */
    assert_int_equal(rows_view(&view, def, buffer_bytes(&clustering), &row, arena, &err), OK);
    buffer_fini(&clustering);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_is_got, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_replaced_and_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_expire, setup, teardown),
        cmocka_unit_test_setup_teardown(many_rows_are_read_page_by_page, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_read_as_at_one_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_said, setup, teardown),
    };

    test_clock = clock_system;
    test_clock.realtime_us = now_us;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
