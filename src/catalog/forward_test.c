/* A directory of format 2 is brought forward: nothing of it is lost, and after a crash at each step it is whole, of the one format or the other,
 * also if an older server has changed it meanwhile. Its definitions are those that a server of format 2 wrote
 * (testdata/format2.rows: keyspace/table, value in hex).
 */
#include "catalog/bed.h"
#include "catalog/format.h"
#include "catalog/forward.h"
#include "catalog/rows.h"
#include "schema/build.h"
#include "schema/codec.h"

#include <signal.h>
#include <sys/wait.h>

#define ROWS_FILE "src/catalog/testdata/format2.rows"

enum { REMOVED = 0x40000001, OLD_TABLE = 1 };

static struct table_def *old_table;
static const char *const steps[] = { "forward-emptied", "forward-written", "forward-complete", "forward-named" };
static const char *dies_at;

static struct table_def *old_table_by_id(void *context, uint64_t id)
{
    return table_def_ref(old_table);
}

/* ---- a server of format 2 ---- */

static void open_old(void)
{
    struct table_space_options options = {
        .directory = directory, .store = &store_rocksdb_ops, .table_by_id = old_table_by_id, .clock = &clock_system
    };
    struct store_environment_options environment_options = { .clock = &clock_system };
    struct error err;

    engine = &store_rocksdb_ops;
    old_table = forward_old_table();
    must(keys_open_directory(directory, true, &keys, &err), &err);
    environment_options.keys = keys;
    must(engine->environment_open(&environment_options, &environment, &err), &err);
    options.store_environment = environment;
    must(table_space_open(&options, &space, &err), &err);
    port = table_port_open(space);
}

static void close_old(void)
{
    table_port_close(port);
    table_space_close(space);
    engine->environment_close(environment);
    keys_close(keys);
    keys = NULL;
    table_def_unref(old_table);
}

static void write_format(unsigned number)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof(path), "%s/FORMAT", directory);
    file = fopen(path, "w");
    fprintf(file, "helenus data format %u\n", number);
    fclose(file);
}

static unsigned read_format(void)
{
    uint32_t number;
    struct error err;

    must(format_find(directory, &number, &err), &err);
    return number;
}

static void begin_old(struct rows *rows)
{
    rows_begin(rows, old_table, arena_new(4096), clock_realtime_us(&clock_system) / 1000000, TTL_NONE);
    rows_put(rows, "key", BYTES_LITERAL("catalog"));
}

static void add_old(struct rows *rows, const char *keyspace, const char *name)
{
    rows_add(rows);
    rows_put(rows, "keyspace_name", bytes_of_string(keyspace));
    rows_put(rows, "table_name", bytes_of_string(name));
}

static void save_old(struct rows *rows)
{
    struct error err;

    must(rows_save(rows, port, &err), &err);
    arena_free(rows->arena);
}

/* A table whose rows were to be removed when it stopped. */
static void append_removal(struct buffer *meta)
{
    store_be32(meta->data + meta->size - 4, 1);
    buffer_append_be64(meta, REMOVED);
}

static void make_old_directory(void)
{
    static char line[65536], hex[65536];
    FILE *file = fopen(ROWS_FILE, "r");
    struct buffer value = { 0 };
    struct rows rows;

    write_format(2);
    open_old();
    insert(REMOVED, 1);
    begin_old(&rows);
    while (fgets(line, sizeof(line), file)) {
        char *slash = strchr(line, '/'), *space_at = strchr(slash, ' ');
        unsigned byte;

        *slash = *space_at = '\0';
        assert_int_equal(sscanf(space_at + 1, "%65535s", hex), 1);
        buffer_reset(&value);
        for (size_t i = 0; hex[i]; i += 2) {
            assert_int_equal(sscanf(hex + i, "%2x", &byte), 1);
            buffer_append_u8(&value, (uint8_t)byte);
        }
        if (!*line)
            append_removal(&value);
        add_old(&rows, line, slash + 1);
        rows_put(&rows, "value", buffer_bytes(&value));
    }
    fclose(file);
    buffer_fini(&value);
    save_old(&rows);
    close_old();
}

/* ---- what must be there afterwards ---- */

static void check_types(void)
{
    struct schema *schema = catalog_ref_schema(catalog, catalog_account_default(catalog));
    const struct type *type = schema_type(schema, BYTES_LITERAL("k"), BYTES_LITERAL("a"));
    const struct keyspace_def *auth = schema_keyspace(schema, BYTES_LITERAL("system_auth"));
    const struct keyspace_def *other = schema_keyspace(schema, BYTES_LITERAL("Other"));
    struct buffer text = { 0 };

    assert_int_equal(type->param_count, 2);
    type_print(&text, type->params[1], false);
    assert_true(bytes_equal(buffer_bytes(&text), BYTES_LITERAL("frozen<map<text, frozen<z>>>")));
    assert_int_equal(schema_type(schema, BYTES_LITERAL("k"), BYTES_LITERAL("z"))->param_count, 2);
    assert_true(bytes_equal(auth->replication.options[1].value, BYTES_LITERAL("3")));
    assert_int_equal(auth->table_count, 8);
    assert_false(other->durable_writes);
    assert_true(other->tables[0]->is_counter);
    assert_int_equal(schema_version_number(schema), 0x74);
    buffer_fini(&text);
    schema_unref(schema);
}

static void check_forward(bool is_gone_dropped)
{
    static const uint8_t host_id[4] = { 0x65, 0x52, 0x0e, 0xea };
    struct table_def *def = table("t");
    struct error err;

    assert_memory_equal(catalog_host_id(catalog), host_id, sizeof(host_id));
    assert_int_equal(def->id, 0x40000003);
    assert_int_equal(def->column_count, 4);
    assert_int_equal(def->dropped_count, 1);
    assert_true(bytes_equal(def->params.comment, BYTES_LITERAL("here")));
    table_def_unref(def);
    def = table("gone");
    assert_int_equal(def == NULL, is_gone_dropped);
    if (def)
        assert_int_equal(def->id, 0x4000000a);
    table_def_unref(def);
    check_types();
    must(catalog_end_jobs(catalog, &err), &err);
    assert_int_equal(count_rows(REMOVED), 0);
    assert_int_equal(count_rows(OLD_TABLE), 0);
    assert_int_equal(read_format(), DATA_FORMAT);
}

static void nothing_is_lost(void **state)
{
    struct table_def *def;

    make_old_directory();
    open_all(&store_rocksdb_ops);
    check_forward(false);
    run("CREATE TABLE fresh (a int PRIMARY KEY, b frozen<a>)");
    run("ALTER TYPE z ADD more int");
    run("DROP TABLE gone");
    close_all();
    open_all(&store_rocksdb_ops);
    def = table("fresh");
    assert_int_equal(def->id, 0x4000000e); /* the job that removes the old table has the one before */
    assert_int_equal(def->columns[1].type->params[0]->param_count, 3);
    table_def_unref(def);
    assert_null(table("gone"));
    assert_null(catalog_table_by_id(catalog, OLD_TABLE));
    close_all();
}

static void die(void *context, const char *step)
{
    if (strcmp(step, dies_at) == 0)
        raise(SIGKILL);
}

static void die_at(const char *step)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        dies_at = step;
        bed_reached = die;
        open_all(&store_rocksdb_ops);
        _exit(1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

/* Also one crash after another. */
static void a_crash_at_each_step_leaves_it_whole(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        setup(state);
        make_old_directory();
        for (size_t j = 0; j <= i; j++) {
            die_at(steps[j]);
            assert_int_equal(read_format(), j == ARRAY_SIZE(steps) - 1 ? DATA_FORMAT : 2);
        }
        open_all(&store_rocksdb_ops);
        check_forward(false);
        close_all();
        teardown(state);
    }
}

/* Until FORMAT is written an older server may start: what it changes counts, not what was written before. */
static void what_an_older_server_did_meanwhile_counts(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(steps) - 1; i++) {
        struct rows rows;

        setup(state);
        make_old_directory();
        die_at(steps[i]);
        open_old();
        begin_old(&rows);
        add_old(&rows, "k", "gone");
        rows_delete(&rows);
        save_old(&rows);
        close_old();
        open_all(&store_rocksdb_ops);
        check_forward(true);
        close_all();
        open_all(&store_rocksdb_ops);
        assert_null(table("gone"));
        close_all();
        teardown(state);
    }
}

static void what_is_damaged_stays_as_it_is(void **state)
{
    struct rows rows;
    struct error err;

    make_old_directory();
    open_old();
    begin_old(&rows);
    add_old(&rows, "k", "bad");
    rows_put(&rows, "value", BYTES_LITERAL("\1nothing"));
    save_old(&rows);
    close_old();
    assert_int_equal(try_open(&store_rocksdb_ops, &err), ERR_CORRUPT);
    assert_int_equal(read_format(), 2);
    open_old();
    begin_old(&rows);
    add_old(&rows, "k", "bad");
    rows_delete(&rows);
    save_old(&rows);
    close_old();
    open_all(&store_rocksdb_ops);
    check_forward(false);
    close_all();
}

/* Its very first start was interrupted: there is nothing to bring forward. */
static void an_empty_one_becomes_new(void **state)
{
    write_format(2);
    open_old();
    close_old();
    open_all(&store_rocksdb_ops);
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    close_all();
    assert_int_equal(read_format(), DATA_FORMAT);
    open_all(&store_rocksdb_ops);
    table_def_unref(table("t"));
    close_all();
}

/* More than fits one command. */
static void many_definitions_are_written_in_parts(void **state)
{
    enum { TABLES = 6000 };
    struct table_def *def, *copy;
    struct buffer value = { 0 };
    struct rows rows;

    make_old_directory();
    open_all(&store_rocksdb_ops); /* only to have a definition */
    def = table("t");
    close_all();
    teardown(state);
    setup(state);
    make_old_directory();
    open_old();
    begin_old(&rows);
    for (uint32_t i = 0; i < TABLES; i++) {
        char name[20];

        snprintf(name, sizeof(name), "u%u", i);
        copy = table_def_clone(def, 0, 0);
        copy->name = bytes_of_string(name);
        copy->id = 0x41000000 + i;
        table_def_finish(copy);
        buffer_reset(&value);
        schema_encode_table(&value, copy);
        add_old(&rows, "k", name);
        rows_put(&rows, "value", buffer_bytes(&value));
        copy->name = bytes_of_string("");
        table_def_unref(copy);
    }
    save_old(&rows);
    close_old();
    buffer_fini(&value);
    table_def_unref(def);
    open_all(&store_rocksdb_ops);
    check_forward(false);
    def = table("u5999");
    assert_int_equal(def->id, 0x41000000 + 5999);
    table_def_unref(def);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost, setup, teardown),
        cmocka_unit_test(a_crash_at_each_step_leaves_it_whole),
        cmocka_unit_test(what_an_older_server_did_meanwhile_counts),
        cmocka_unit_test_setup_teardown(what_is_damaged_stays_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_one_becomes_new, setup, teardown),
        cmocka_unit_test_setup_teardown(many_definitions_are_written_in_parts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
