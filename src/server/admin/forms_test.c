/* Rows whose keys, clustering, frozen values and elements are in the form that is looked for now, and in others. */
#include "server/admin/forms.h"

#include "schema/build.h"
#include "schema/options.h"
#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SORTED   BYTES_LITERAL("\0\0\0\2\0\0\0\1\1\0\0\0\1\2")
#define UNSORTED BYTES_LITERAL("\0\0\0\2\0\0\0\1\2\0\0\0\1\1")

static struct table_def *table;
static struct buffer scratch;

/* (k, n) partition, c clustering DESC, f frozen, m map<frozen<set>, frozen<set>>, i int */
static int setup(void **state)
{
    struct arena *arena = arena_new(1024);
    const struct type *tiny = type_native(TYPE_TINYINT), *set = type_set(arena, tiny, true);

    table = table_def_new(BYTES_LITERAL("ks"), BYTES_LITERAL("t"));
    table->columns = arena_new_array(table->arena, struct column_def, 6);
    table_def_add_column(table, COLUMN_PARTITION_KEY, 0, BYTES_LITERAL("k"), set, false);
    table_def_add_column(table, COLUMN_PARTITION_KEY, 1, BYTES_LITERAL("n"), tiny, false);
    table_def_add_column(table, COLUMN_CLUSTERING, 0, BYTES_LITERAL("c"), set, true)->descending = true;
    table_def_add_column(table, COLUMN_REGULAR, 0, BYTES_LITERAL("f"), set, false);
    table_def_add_column(table, COLUMN_REGULAR, 0, BYTES_LITERAL("i"), tiny, false);
    table_def_add_column(table, COLUMN_REGULAR, 0, BYTES_LITERAL("m"), type_map(arena, set, set, false), false);
    options_default_table(table->arena, &table->params);
    table_def_finish(table);
    arena_free(arena);
    return 0;
}

static int teardown(void **state)
{
    table_def_unref(table);
    buffer_fini(&scratch);
    return 0;
}

static bool differs(struct bytes key, struct bytes clustering, const struct cell *cell)
{
    struct buffer partition = { 0 }, encoded = { 0 };
    struct row row = ROW_EMPTY;

    buffer_append_be16(&partition, (uint16_t)key.size);
    buffer_append_bytes(&partition, key);
    buffer_append(&partition, "\0\0\1\7\0", 5);
    value_encode_key(&encoded, table->columns[2].type, clustering, true);
    row.cells = (struct cell *)cell;
    row.cell_count = cell != NULL;
    struct key_parts parts = { .partition_key = buffer_bytes(&partition),
                               .kind = KEY_ROW,
                               .clustering = buffer_bytes(&encoded) };
    bool result = forms_differ(table, &parts, &row, &scratch);
    buffer_fini(&partition);
    buffer_fini(&encoded);
    return result;
}

static uint32_t id_of(const char *name)
{
    return table_def_column(table, bytes_of_string(name))->id;
}

static void other_forms_are_seen(void **state)
{
    struct cell cell = { .kind = CELL_LIVE, .column_id = id_of("f"), .value = SORTED };
    struct buffer path = { 0 };

    assert_true(forms_concern(table));
    assert_false(differs(SORTED, SORTED, NULL));
    assert_true(differs(UNSORTED, SORTED, NULL));
    assert_true(differs(SORTED, UNSORTED, NULL));
    assert_false(differs(SORTED, SORTED, &cell));
    cell.value = UNSORTED;
    assert_true(differs(SORTED, SORTED, &cell));
    cell.kind = CELL_TOMBSTONE;
    assert_false(differs(SORTED, SORTED, &cell));

    cell = (struct cell){ .kind = CELL_LIVE, .column_id = id_of("m"), .value = SORTED };
    value_encode_key(&path, table->columns[2].type, SORTED, false);
    cell.path = buffer_bytes(&path);
    assert_false(differs(SORTED, SORTED, &cell));
    cell.value = UNSORTED;
    assert_true(differs(SORTED, SORTED, &cell));
    cell.value = SORTED;
    buffer_reset(&path);
    value_encode_key(&path, table->columns[2].type, UNSORTED, false);
    cell.path = buffer_bytes(&path);
    assert_true(differs(SORTED, SORTED, &cell));

    cell = (struct cell){ .kind = CELL_LIVE, .column_id = id_of("i"), .value = BYTES_LITERAL("\1") };
    assert_false(differs(SORTED, SORTED, &cell));
    cell.column_id = 1000; /* dropped */
    assert_false(differs(SORTED, SORTED, &cell));
    buffer_fini(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(other_forms_are_seen) };

    return cmocka_run_group_tests_name("server/admin/forms", tests, setup, teardown);
}
