/* The catalog on disk: what was answered is there after closing, reopening and kill -9 at any moment, whole; ids are not reused; removed rows
 * are gone; a newer format is refused. And the schema in force: views, listeners, the system tables' rows. On store/rocksdb, with store/memory where
 * nothing is reopened.
 */
#include "catalog/bed.h"
#include "catalog/definitions.h"
#include "catalog/format.h"
#include "catalog/loading.h"
#include "catalog/rows.h"
#include "schema/build.h"
#include "schema/codec.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void definitions_outlive_a_restart(void **state)
{
    struct buffer before = { 0 }, after = { 0 };
    uint8_t host_id[16], version[16];
    struct schema *schema;
    struct table_def *def;
    uint64_t id, next;

    open_all(&store_rocksdb_ops);
    run(CREATE_K);
    run("CREATE TYPE ty (a int, b frozen<list<text>>)");
    run("CREATE TABLE gone (a int PRIMARY KEY)");
    run("CREATE TABLE t (a int, b text, c frozen<ty>, d map<int, frozen<ty>>, PRIMARY KEY (a, b)) WITH comment = 'here'");
    run("ALTER TABLE t ADD e int");
    run("ALTER TABLE t DROP e");
    run("DROP TABLE gone");
    run("CREATE TYPE before (f frozen<ty>)");
    run("CREATE TYPE zz (y int)");
    run("ALTER TYPE before ADD g frozen<zz>");
    run("ALTER TYPE ty ADD h frozen<zz>"); /* both stand behind zz now, and `before` behind ty */
    run("CREATE TYPE no_more (a int)");
    run("DROP TYPE no_more");
    run("ALTER KEYSPACE system_auth WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}");
    run("CREATE KEYSPACE other WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3} AND durable_writes = false");
    run("DROP KEYSPACE other");
    memcpy(host_id, catalog_host_id(catalog), 16);
    schema = catalog_ref_schema(catalog, catalog_account_default(catalog));
    memcpy(version, schema_version_uuid(schema), 16);
    schema_unref(schema);
    def = table("t");
    id = def->id;
    schema_encode_table(&before, def);
    table_def_unref(def);
    close_all();

    open_all(&store_rocksdb_ops);
    assert_memory_equal(catalog_host_id(catalog), host_id, 16);
    schema = catalog_ref_schema(catalog, catalog_account_default(catalog));
    assert_memory_equal(schema_version_uuid(schema), version, 16);
    assert_null(schema_keyspace(schema, BYTES_LITERAL("other")));
    assert_true(bytes_equal(schema_keyspace(schema, BYTES_LITERAL("system_auth"))->replication.options[1].value,
                            BYTES_LITERAL("3")));
    assert_int_equal(schema_keyspace(schema, BYTES_LITERAL("system_auth"))->table_count, 8);
    assert_int_equal(schema_keyspace(schema, BYTES_LITERAL("k"))->tags.count, 1);
    assert_int_equal(schema_keyspace(schema, BYTES_LITERAL("k"))->type_count, 3);
    assert_int_equal(schema_type(schema, BYTES_LITERAL("k"), BYTES_LITERAL("before"))->params[0]->param_count, 3);
    schema_unref(schema);
    assert_null(table("gone"));
    def = table("t");
    schema_encode_table(&after, def);
    assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
    table_def_unref(def);
    run("CREATE TABLE next (a int PRIMARY KEY)");
    def = table("next");
    next = def->id;
    assert_true(next > id);
    table_def_unref(def);
    run("DROP TABLE next");
    close_all();

    open_all(&store_rocksdb_ops);
    run("CREATE TABLE next (a int PRIMARY KEY)");
    def = table("next");
    assert_true(def->id > next);
    table_def_unref(def);
    close_all();
    buffer_fini(&before);
    buffer_fini(&after);
}

static void truncate_and_drop_remove_rows(void **state)
{
    struct error err;
    struct table_def *def, *after;
    uint64_t version;

    open_all(&store_rocksdb_ops);
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    def = table("t");
    for (int32_t i = 0; i < 20; i++)
        insert(def->id, i);
    assert_int_equal(count_rows(def->id), 20);
    version = catalog_version(catalog);
    must(
        catalog_truncate(catalog, catalog_account_default(catalog), port, BYTES_LITERAL("k"), BYTES_LITERAL("t"), &err),
        &err);
    after = table("t");
    assert_true(after->id > def->id);
    assert_memory_equal(after->uuid, def->uuid, 16);
    assert_true(catalog_version(catalog) > version);
    must(catalog_end_jobs(catalog, &err), &err);
    assert_int_equal(count_rows(def->id), 0);
    assert_int_equal(count_rows(after->id), 0);
    insert(after->id, 1);
    run("DROP TABLE t");
    must(catalog_end_jobs(catalog, &err), &err);
    assert_int_equal(count_rows(after->id), 0);
    assert_null(catalog_table_by_id(catalog, after->id));
    table_def_unref(def);
    table_def_unref(after);
    assert_int_equal(
        catalog_truncate(catalog, catalog_account_default(catalog), port, BYTES_LITERAL("k"), BYTES_LITERAL("t"), &err),
        ERR_INVALID);
    assert_int_equal(catalog_truncate(catalog, catalog_account_default(catalog), port, BYTES_LITERAL("system"),
                                      BYTES_LITERAL("local"), &err),
                     ERR_UNAUTHORIZED);
    close_all();
}

static struct store_ops counting_ops;
static atomic_int write_count;

static enum status counted_write(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    atomic_fetch_add(&write_count, 1);
    return store_rocksdb_ops.write(store, batch, durable, err);
}

/* One write is the answer, and however many tables it was, one for each shard and one more give their space back, behind it. A table whose
 * id is between theirs stays whole. Interrupted, it goes on at the next start. */
static void a_keyspace_of_many_tables_is_dropped_at_once(void **state)
{
    enum { TABLES = 60 };
    uint64_t ids[TABLES], other;
    struct table_def *def;
    struct error err;
    char text[100];

    counting_ops = store_rocksdb_ops;
    counting_ops.write = counted_write;
    open_all(&counting_ops);
    run(CREATE_K);
    run("CREATE KEYSPACE o WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    for (int i = 0; i < TABLES; i++) {
        if (i == TABLES / 2)
            run("CREATE TABLE o.t (a int PRIMARY KEY)");
        snprintf(text, sizeof(text), "CREATE TABLE t%d (a int PRIMARY KEY)", i);
        run(text);
        snprintf(text, sizeof(text), "t%d", i);
        def = table(text);
        ids[i] = def->id;
        insert(def->id, i);
        table_def_unref(def);
    }
    other = ids[TABLES / 2] - 1;
    insert(other, 1);
    atomic_store(&write_count, 0);
    run("DROP KEYSPACE k");
    must(catalog_end_jobs(catalog, &err), &err);
    assert_in_range(atomic_load(&write_count), 1, 2 + (int)table_space_shard_count(space));
    for (int i = 0; i < TABLES; i++)
        assert_int_equal(count_rows(ids[i]), 0);
    assert_int_equal(count_rows(other), 1);
    run("DROP KEYSPACE o");
    close_all();
    open_all(&counting_ops);
    must(catalog_end_jobs(catalog, &err), &err);
    assert_int_equal(count_rows(other), 0);
    close_all();
}

static void a_newer_format_is_refused(void **state)
{
    char path[100];
    struct error err;
    FILE *file;

    assert_int_equal(format_check(directory, &err), OK);
    assert_int_equal(format_check(directory, &err), OK);
    snprintf(path, sizeof(path), "%s/FORMAT", directory);
    file = fopen(path, "w");
    fprintf(file, "helenus data format %d\n", DATA_FORMAT + 1);
    fclose(file);
    assert_int_equal(format_check(directory, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "newer"));
    file = fopen(path, "w");
    fclose(file);
    assert_int_equal(format_check(directory, &err), ERR_CORRUPT);
    /* Lost: it is not made anew where shards are, whatever their format is. */
    assert_int_equal(unlink(path), 0);
    assert_false(format_holds_data(directory));
    assert_int_equal(format_check(directory, &err), OK);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/shard-0000", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(format_holds_data(directory));
    assert_int_equal(format_check(directory, &err), ERR_CORRUPT);
    snprintf(path, sizeof(path), "%s/FORMAT", directory);
    assert_int_equal(access(path, F_OK), -1);
}

/* Kinds and encodings that we don't know, and what stands where it can't be: nothing is served without it. */
static void definitions_that_cannot_be_read_are_refused(void **state)
{
    static const struct {
        int32_t kind;
        const char *scope, *name, *value, *said;
    } cases[] = {
        { 90, "k", "x", "\1", "kind 90" },
        { 30, "k", "x", "\2", "newer version" },
        { 20, "k", "x", "\3", "newer version" },
        { 10, "", "x", "\3", "newer version" },
        { 30, "none", "t", "\1", "without its keyspace" },
        { 30, "k", "t", "\1", "damaged" },
        { 20, "k", "x", "\1", "damaged" },
        { 20, "k", "x", "\2", "damaged" },
    };
    struct error err;

    open_all(&store_rocksdb_ops);
    run(CREATE_K);
    close_all();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        open_all(&store_rocksdb_ops);
        bed_put_definition(cases[i].kind, cases[i].scope, cases[i].name, bytes_of_string(cases[i].value));
        close_all();
        assert_int_equal(try_open(&store_rocksdb_ops, &err), ERR_CORRUPT);
        if (!strstr(err.message, cases[i].said))
            fail_msg("%s", err.message);
        open_below(&store_rocksdb_ops);
        port = table_port_open(space);
        bed_put_definition(cases[i].kind, cases[i].scope, cases[i].name, BYTES_LITERAL(""));
        table_port_close(port);
        close_below();
    }
    open_all(&store_rocksdb_ops);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    close_all();
}

struct heard {
    struct catalog_listener listener;
    int count;
    enum ddl_action action;
};

static void hear(struct catalog_listener *listener, struct catalog_account *account, const struct ddl_change *change)
{
    struct heard *heard = CONTAINER_OF(listener, struct heard, listener);
    struct table_def *def = table("t");

    heard->count++;
    heard->action = change->action;
    assert_int_equal(def != NULL,
                     change->action != DDL_DROPPED && change->target == DDL_TABLE); /* it is in force already */
    table_def_unref(def);
}

static void views_and_listeners_follow(void **state)
{
    struct heard heard = { .listener = { .changed = hear } };
    struct catalog_view view = { 0 };
    const struct schema *schema;
    struct ddl_change change;
    struct arena *arena = arena_new(4096);
    struct error err;

    open_all(&store_memory_ops);
    catalog_listen(catalog, &heard.listener);
    schema = catalog_view_schema(catalog, &view, catalog_account_default(catalog));
    assert_ptr_equal(catalog_view_schema(catalog, &view, catalog_account_default(catalog)), schema);
    run(CREATE_K);
    assert_int_equal(heard.count, 1);
    schema = catalog_view_schema(catalog, &view, catalog_account_default(catalog));
    assert_non_null(schema_keyspace(schema, BYTES_LITERAL("k")));
    assert_int_equal(schema_version_number(schema), catalog_version(catalog));
    run("CREATE TABLE t (a int PRIMARY KEY)");
    run("CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)");
    assert_int_equal(heard.count, 2);
    run("ALTER TABLE t ADD b int");
    assert_int_equal(heard.action, DDL_UPDATED);
    must(
        catalog_truncate(catalog, catalog_account_default(catalog), port, BYTES_LITERAL("k"), BYTES_LITERAL("t"), &err),
        &err);
    assert_int_equal(heard.count, 3);
    run("DROP TABLE t");
    assert_int_equal(heard.count, 4);
    assert_int_equal(try_run("DROP TABLE t", &change, arena, &err), ERR_INVALID);
    assert_int_equal(heard.count, 4);
    catalog_unlisten(catalog, &heard.listener);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    assert_int_equal(heard.count, 4);
    catalog_view_fini(&view);
    arena_free(arena);
    close_all();
}

static void one_row(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct bytes values[3] = { BYTES_LITERAL("k"), BYTES_LITERAL("v"), { 0 } };

    emit->row(emit, values);
}

/* The numbers are Cassandra 5.0.5's: 48 tables in five keyspaces, 46 virtual ones in two; and Keyspaces': eleven more in two more. */
static void system_tables_have_their_rows(void **state)
{
    const struct virtual_table body = { .rows = one_row };
    struct error err;

    open_all(&store_memory_ops);
    catalog_close(catalog);
    must(catalog_register(catalog, "CREATE TABLE system_views.settings (name text PRIMARY KEY, value text)", &body,
                          &err),
         &err);
    must(catalog_register(catalog, "CREATE TABLE system_views.ours (name text PRIMARY KEY, value text)", &body, &err),
         &err);
    /* Its name has the same number as system.prepared_statements. */
    assert_int_equal(
        catalog_register(catalog, "CREATE TABLE system_views.t8130838 (name text PRIMARY KEY)", &body, &err),
        ERR_CONFIG);
    assert_string_equal(err.message, "the system tables prepared_statements and t8130838 have the same id");
    assert_int_equal(bed_computed_rows("system", "local"), 1);
    assert_int_equal(bed_computed_rows("system", "peers"), 0);
    assert_int_equal(bed_computed_rows("system", "peers_v2"), 0);
    assert_int_equal(bed_computed_rows("system_schema", "keyspaces"), 5 + 2);
    assert_int_equal(bed_computed_rows("system_schema", "tables"), 48 + 11);
    assert_int_equal(bed_computed_rows("system_schema_mcs", "tags"), 48 + 11 + 5 + 2);
    assert_int_equal(bed_computed_rows("system_virtual_schema", "keyspaces"), 2);
    assert_int_equal(bed_computed_rows("system_virtual_schema", "tables"), 47);
    assert_int_equal(bed_computed_rows("system_views", "settings"), 1);
    assert_int_equal(bed_computed_rows("system_views", "ours"), 1);
    must(catalog_open(catalog, space, &err), &err);
    run(CREATE_K);
    run("CREATE TYPE ty (a int)");
    run("CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b))");
    run("ALTER TABLE t DROP c");
    assert_int_equal(bed_computed_rows("system_schema", "keyspaces"), 6 + 2);
    assert_int_equal(bed_computed_rows("system_schema", "tables"), 49 + 11);
    assert_int_equal(bed_computed_rows("system_schema", "types"), 1);
    assert_int_equal(bed_computed_rows("system_schema", "dropped_columns"), 1);
    assert_int_equal(bed_computed_rows("system_schema_mcs", "keyspaces"), 6 + 2);
    assert_int_equal(bed_computed_rows("system_schema_mcs", "tables"), 49 + 11);
    assert_int_equal(bed_computed_rows("system_schema_mcs", "columns"), bed_computed_rows("system_schema", "columns"));
    assert_int_equal(bed_computed_rows("system_schema_mcs", "types"), 1);
    assert_int_equal(bed_computed_rows("system_schema_mcs", "tables_history"),
                     1); /* of others nobody knows when they were made */
    assert_int_equal(bed_computed_rows("system_multiregion_info", "tables"), 0);
    close_all();
}

/* A row of each stored table, two where kinds of ranges are told; and what its keys say. They take the disk: not for who may not wait. */
static void estimates_are_told_of_stored_tables(void **state)
{
    struct read_command command = { .partition_key = BYTES_LITERAL("k"),
                                    .token = token_of_partition_key(BYTES_LITERAL("k")),
                                    .rows_wanted = true,
                                    .row_limit = 100 };
    struct arena *arena = arena_new(4096);
    struct schema *schema;
    struct table_def *def;
    struct read_result result;
    const struct row *row;
    struct error err;

    (void)state;
    open_all(&store_rocksdb_ops);
    assert_int_equal(bed_computed_rows("system", "table_estimates"), 2 * bed_computed_rows("system", "size_estimates"));
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    def = table("t");
    for (int32_t i = 0; i < 20; i++)
        insert(def->id, i);
    table_def_unref(def);
    schema = catalog_ref_schema(catalog, catalog_account_default(catalog));
    command.virtual_def = schema_table(schema, BYTES_LITERAL("system"), BYTES_LITERAL("size_estimates"));
    command.viewer = catalog_account_default(catalog);
    assert_int_equal(table_read(port, &command, false, arena, &result, &err), ERR_WOULD_WAIT);
    must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.partition_count, 1);
    assert_int_equal(result.partitions[0].row_count, 1);
    row = result.partitions[0].rows[0].row;
    assert_int_equal(row->cell_count, 2); /* mean_partition_size, partitions_count */
    assert_in_range(load_be64(row->cells[0].value.data), 20, 100);
    assert_int_equal(load_be64(row->cells[1].value.data), 20);
    schema_unref(schema);
    arena_free(arena);
    close_all();
}

/* The child's life: changes without end, each one told through the pipe before it begins and when it was answered. */
static void change_for_ever(int out, unsigned round)
{
    char text[200];

    open_all(&store_rocksdb_ops);
    for (unsigned i = 0;; i++) {
        char mark[2] = { 'b', 'e' };

        snprintf(text, sizeof(text),
                 i % 3 == 0   ? "CREATE TABLE r%u_%u (a int PRIMARY KEY, b text)"
                 : i % 3 == 1 ? "ALTER TABLE r%u_%u ADD c int"
                              : "DROP TABLE r%u_%u",
                 round, i / 3);
        if (write(out, mark, 1) != 1)
            _exit(1);
        run(text);
        if (write(out, mark + 1, 1) != 1)
            _exit(1);
    }
}

/* How far the definitions of a round are: the number of changes that happened. */
static void check_round(unsigned round, unsigned begun, unsigned ended)
{
    unsigned last = (ended ? ended - 1 : 0) / 3;
    char name[40];

    for (unsigned i = 0; i <= begun / 3 + 1; i++) {
        struct table_def *def;
        unsigned least = ended > i * 3 ? ended - i * 3 : 0, most = begun > i * 3 ? begun - i * 3 : 0;

        snprintf(name, sizeof(name), "r%u_%u", round, i);
        def = table(name);
        least = least > 3 ? 3 : least;
        most = most > 3 ? 3 : most;
        if (!def)
            assert_true(least == 0 || most == 3);
        else if (def->column_count == 2)
            assert_true(least <= 1 && most >= 1);
        else
            assert_true(def->column_count == 3 && least <= 2 && most >= 2);
        table_def_unref(def);
    }
    assert_true(last <= begun);
}

static void kill_loses_nothing_and_leaves_no_halves(void **state)
{
    unsigned total = 0;

    open_all(&store_rocksdb_ops);
    run(CREATE_K);
    close_all();
    for (unsigned round = 0; round < 12; round++) {
        unsigned begun = 0, ended = 0;
        char marks[256];
        ssize_t size;
        int pipes[2], status;
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            close(pipes[0]);
            change_for_ever(pipes[1], round);
        }
        close(pipes[1]);
        while (ended < 10 + round * 7 && (size = read(pipes[0], marks, sizeof(marks))) > 0)
            for (ssize_t i = 0; i < size; i++)
                marks[i] == 'b' ? begun++ : ended++;
        usleep(round * 137 % 1000);
        kill(child, SIGKILL);
        while ((size = read(pipes[0], marks, sizeof(marks))) > 0)
            for (ssize_t i = 0; i < size; i++)
                marks[i] == 'b' ? begun++ : ended++;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        close(pipes[0]);
        open_all(&store_rocksdb_ops);
        check_round(round, begun, ended);
        close_all();
        total += ended;
    }
    assert_true(total > 100);
}

/* How definitions with one keyspace of this name are taken. */
static enum status load_keyspace(const char *name, struct error *err)
{
    struct option_map none = { 0 };
    struct keyspace_def *def = keyspace_def_new(bytes_of_string(name), &none, true);
    struct buffer encoded = { 0 };
    struct loading l;
    enum status status;

    loading_init(&l);
    schema_encode_keyspace(&encoded, def);
    must(loading_add_keyspace(&l, BYTES_LITERAL(""), def->name, buffer_bytes(&encoded), err), err);
    l.has_meta = true;
    status = loading_end(&l, err);
    loading_fini(&l);
    buffer_fini(&encoded);
    keyspace_def_unref(def);
    return status;
}

/* The program may get a system keyspace whose name a client's has by then. */
static void a_keyspace_that_would_be_hidden_is_refused(void **state)
{
    struct error err;

    assert_int_equal(load_keyspace("k", &err), OK);
    assert_int_equal(load_keyspace("system_auth", &err), OK); /* altered, so it is there */
    assert_int_equal(load_keyspace("system_schema_mcs", &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "system_schema_mcs"));
    assert_int_equal(load_keyspace("system_views", &err), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_keyspace_that_would_be_hidden_is_refused),
        cmocka_unit_test_setup_teardown(definitions_outlive_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(truncate_and_drop_remove_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_keyspace_of_many_tables_is_dropped_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_format_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(definitions_that_cannot_be_read_are_refused, setup, teardown),
        cmocka_unit_test(views_and_listeners_follow),
        cmocka_unit_test_setup_teardown(estimates_are_told_of_stored_tables, setup, teardown),
        cmocka_unit_test(system_tables_have_their_rows),
        cmocka_unit_test_setup_teardown(kill_loses_nothing_and_leaves_no_halves, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
