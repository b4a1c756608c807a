/* Accounts: the same names in each, and none sees another's; system tables of one's own; one counter of versions; what is saved, refused, and
 * left by kill -9 at each write; limits. On store/rocksdb, with store/memory where nothing is reopened.
 */
#include "catalog/account.h"
#include "catalog/bed.h"
#include "catalog/doubtful.h"
#include "catalog/state.h"
#include "schema/codec.h"

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

#define ALICE "111122223333"
#define BOB   "444455556666"

/* All that follows is of this account; NULL: the default one. */
static void as(const char *digits)
{
    bed_digits = digits;
}

static uint64_t id_of(const char *name)
{
    struct table_def *def = table(name);
    uint64_t id = def ? def->id : 0;

    table_def_unref(def);
    return id;
}

static uint64_t system_id(const char *keyspace, const char *name)
{
    struct schema *schema = catalog_ref_schema(catalog, bed_account());
    uint64_t id = schema_table(schema, bytes_of_string(keyspace), bytes_of_string(name))->id;

    schema_unref(schema);
    return id;
}

/* The account's schema as clients see its version. */
static struct bytes uuid_now(uint8_t uuid[16])
{
    struct schema *schema = catalog_ref_schema(catalog, bed_account());

    memcpy(uuid, schema_version_uuid(schema), 16);
    schema_unref(schema);
    return bytes_of(uuid, 16);
}

/* Is a table found by its id alone, as owners ask? With so many columns. */
static uint32_t columns_by_id(uint64_t id)
{
    struct table_def *def = catalog_table_by_id(catalog, id);
    uint32_t count = def ? def->column_count : 0;

    assert_true(!def || def->id == id);
    table_def_unref(def);
    return count;
}

static const char *const all[] = { NULL, ALICE, BOB };

static void the_same_names_are_different_tables(void **state)
{
    uint64_t ids[3];
    char text[200];

    open_all(&store_rocksdb_ops);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        assert_int_equal(id_of("t"), 0);
        run(CREATE_K);
        run("CREATE TYPE ty (a int)");
        snprintf(text, sizeof(text), "CREATE TABLE t (a int PRIMARY KEY, b frozen<ty>%s)",
                 i == 0   ? ""
                 : i == 1 ? ", c int"
                          : ", c int, d int");
        run(text);
        ids[i] = id_of("t");
        insert(ids[i], (int32_t)i);
    }
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
            as(all[i]);
            assert_int_equal(id_of("t"), ids[i]);
            assert_int_equal(columns_by_id(ids[i]), 2 + i);
            assert_int_equal(count_rows(ids[i]), 1);
            for (uint32_t j = 0; j < i; j++)
                assert_int_not_equal(ids[i], ids[j]);
        }
        close_all();
        open_all(&store_rocksdb_ops);
    }
    as(ALICE);
    run("DROP KEYSPACE k");
    assert_int_equal(id_of("t"), 0);
    assert_int_equal(columns_by_id(ids[1]), 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i += 2) {
        as(all[i]);
        assert_int_equal(id_of("t"), ids[i]);
        assert_int_equal(columns_by_id(ids[i]), 2 + i);
    }
    close_all();
    open_all(&store_rocksdb_ops);
    as(ALICE);
    assert_int_equal(id_of("t"), 0);
    as(BOB);
    assert_int_equal(id_of("t"), ids[2]);
    close_all();
}

/* Rows of an account's dropped tables go, and nobody else's. */
static void drop_and_truncate_remove_an_accounts_rows(void **state)
{
    uint64_t ids[3], traces;
    struct error err;

    open_all(&store_rocksdb_ops);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        run(CREATE_K);
        run("CREATE TABLE t (a int PRIMARY KEY)");
        ids[i] = id_of("t");
        for (int32_t j = 0; j < 5; j++)
            insert(ids[i], j);
    }
    as(ALICE);
    must(catalog_truncate(catalog, bed_account(), port, BYTES_LITERAL("k"), BYTES_LITERAL("t"), &err), &err);
    assert_true(id_of("t") > ids[2]);
    traces = system_id("system_traces", "sessions");
    assert_true(traces >= ACCOUNT_TABLE_IDS_FROM);
    insert(traces, 1);
    must(
        catalog_truncate(catalog, bed_account(), port, BYTES_LITERAL("system_traces"), BYTES_LITERAL("sessions"), &err),
        &err);
    assert_true(system_id("system_traces", "sessions") < ACCOUNT_TABLE_IDS_FROM);
    assert_int_equal(columns_by_id(traces), 0);
    assert_true(columns_by_id(system_id("system_traces", "sessions")) > 0);
    as(BOB);
    run("DROP TABLE t");
    must(catalog_end_jobs(catalog, &err), &err);
    assert_int_equal(count_rows(ids[0]), 5);
    assert_int_equal(count_rows(ids[1]), 0);
    assert_int_equal(count_rows(ids[2]), 0);
    assert_int_equal(count_rows(traces), 0);
    close_all();
    open_all(&store_rocksdb_ops);
    as(ALICE);
    assert_true(system_id("system_traces", "sessions") < ACCOUNT_TABLE_IDS_FROM);
    assert_true(system_id("system_traces", "events") >= ACCOUNT_TABLE_IDS_FROM);
    assert_int_equal(columns_by_id(traces), 0);
    as(NULL);
    assert_int_equal(id_of("t"), ids[0]);
    close_all();
}

/* Every stored system table has an id of the account's own, which follows from its name: known before anybody names the account, and the same
 * at each start though nothing was written. What is computed is shared. */
static void system_tables_are_ones_own(void **state)
{
    static const char *const keyspaces[] = { "system_auth", "system_distributed", "system_traces" };
    uint8_t before[16], after[16];
    uint64_t id;
    uint32_t count = 0;

    open_all(&store_rocksdb_ops);
    as(ALICE);
    id = system_id("system_traces", "sessions");
    uuid_now(before);
    as(BOB);
    assert_int_not_equal(id, system_id("system_traces", "sessions"));
    for (uint32_t i = 0; i < ARRAY_SIZE(keyspaces); i++) {
        struct schema *schema = catalog_ref_schema(catalog, bed_account());
        const struct keyspace_def *keyspace = schema_keyspace(schema, bytes_of_string(keyspaces[i]));

        for (uint32_t j = 0; j < keyspace->table_count; j++, count++) {
            const struct table_def *def = keyspace->tables[j];

            assert_int_equal(def->id >> 22, (ACCOUNT_TABLE_IDS_FROM >> 22) + UINT64_C(444455556666));
            assert_int_equal(columns_by_id(def->id), def->column_count);
        }
        schema_unref(schema);
    }
    assert_int_equal(count, 14);
    close_all();
    open_all(&store_rocksdb_ops);
    assert_null(catalog_find_account(catalog, BYTES_LITERAL(ALICE)));
    assert_true(columns_by_id(id) > 0);
    assert_int_equal(columns_by_id(id + 1), 0);
    assert_int_equal(columns_by_id(id | UINT64_C(7) << 59), 0); /* more than 12 digits */
    as(ALICE);
    assert_int_equal(system_id("system_traces", "sessions"), id);
    assert_int_equal(system_id("system", "local"), (as(NULL), system_id("system", "local")));
    as(ALICE);
    assert_true(bytes_equal(uuid_now(after), bytes_of(before, 16)));
    close_all();
}

/* What a client may change of them is the account's. */
static void system_keyspaces_change_in_one_account(void **state)
{
    open_all(&store_rocksdb_ops);
    as(ALICE);
    run("ALTER KEYSPACE system_auth WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}");
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
            const struct keyspace_def *keyspace;
            struct schema *schema;

            as(all[i]);
            schema = catalog_ref_schema(catalog, bed_account());
            keyspace = schema_keyspace(schema, BYTES_LITERAL("system_auth"));
            assert_string_equal(arena_string(keyspace->arena, keyspace->replication.options[1].value),
                                i == 1 ? "3" : "1");
            assert_int_equal(keyspace->tables[0]->id >= ACCOUNT_TABLE_IDS_FROM, i > 0);
            schema_unref(schema);
        }
        close_all();
        open_all(&store_rocksdb_ops);
    }
    close_all();
}

static void versions_are_counted_over_all(void **state)
{
    struct catalog_view view = { 0 };
    uint8_t uuid[16], other[16];
    struct catalog_account *alice, *bob;
    const struct schema *schema;
    uint64_t version;
    struct error err;

    open_all(&store_memory_ops);
    as(ALICE);
    alice = bed_account();
    as(BOB);
    bob = bed_account();
    uuid_now(uuid);
    version = catalog_version(catalog);
    schema = catalog_view_schema(catalog, &view, bob);
    assert_ptr_equal(catalog_view_schema(catalog, &view, bob), schema);
    assert_ptr_not_equal(catalog_view_schema(catalog, &view, alice), schema);
    as(ALICE);
    run(CREATE_K);
    assert_int_equal(catalog_version(catalog), version + 1);
    assert_int_equal(schema_version_number(catalog_view_schema(catalog, &view, alice)), version + 1);
    assert_ptr_equal(catalog_view_schema(catalog, &view, bob), schema); /* nothing changed there */
    as(BOB);
    assert_true(bytes_equal(uuid_now(other), bytes_of(uuid, 16)));
    run(CREATE_K);
    assert_int_equal(catalog_version(catalog), version + 2);
    assert_int_equal(schema_version_number(catalog_view_schema(catalog, &view, bob)), version + 2);
    assert_int_equal(schema_version_number(catalog_view_schema(catalog, &view, alice)), version + 1);
    assert_false(bytes_equal(uuid_now(other), bytes_of(uuid, 16)));
    as(NULL);
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    assert_int_equal(schema_version_number(catalog_view_schema(catalog, &view, catalog_account_default(catalog))),
                     version + 4);
    must(
        catalog_truncate(catalog, catalog_account_default(catalog), port, BYTES_LITERAL("k"), BYTES_LITERAL("t"), &err),
        &err);
    assert_int_equal(catalog_version(catalog), version + 5);
    assert_int_equal(id_of("t") == 0, false);
    catalog_view_fini(&view);
    close_all();
}

/* A view lets go of what was dropped as soon as it is used again, for whichever account. */
static void views_keep_nothing_old(void **state)
{
    struct catalog_view view = { 0 };
    struct table_def *def;

    open_all(&store_memory_ops);
    as(ALICE);
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    def = table("t");
    catalog_view_schema(catalog, &view, bed_account());
    run("DROP TABLE t");
    assert_true(def->refs > 1);
    as(BOB);
    catalog_view_schema(catalog, &view, bed_account());
    assert_int_equal(def->refs, 1);
    table_def_unref(def);
    catalog_view_fini(&view);
    close_all();
}

struct heard {
    struct catalog_listener listener;
    char text[200];
};

static void hear(struct catalog_listener *listener, struct catalog_account *account, const struct ddl_change *change)
{
    struct heard *heard = CONTAINER_OF(listener, struct heard, listener);
    size_t at = strlen(heard->text);

    snprintf(heard->text + at, sizeof(heard->text) - at, "%.*s %.*s;", BYTES(catalog_account_name(account)),
             BYTES(change->keyspace));
}

static void listeners_hear_whose_change_it_is(void **state)
{
    struct heard heard = { .listener = { .changed = hear } };

    open_all(&store_memory_ops);
    catalog_listen(catalog, &heard.listener);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        run(CREATE_K);
    }
    catalog_unlisten(catalog, &heard.listener);
    assert_string_equal(heard.text, "000000000000 k;" ALICE " k;" BOB " k;");
    close_all();
}

static void computed_tables_show_ones_own(void **state)
{
    open_all(&store_rocksdb_ops);
    as(ALICE);
    run(CREATE_K);
    run("CREATE TYPE ty (a int)");
    run("CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b))");
    run("ALTER TABLE t DROP c");
    insert(id_of("t"), 1);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        uint32_t own = i == 1;

        as(all[i]);
        assert_int_equal(bed_computed_rows("system_schema", "keyspaces"), 7 + own);
        assert_int_equal(bed_computed_rows("system_schema", "tables"), 59 + own);
        assert_int_equal(bed_computed_rows("system_schema", "types"), own);
        assert_int_equal(bed_computed_rows("system_schema_mcs", "tables"), 59 + own);
        assert_int_equal(bed_computed_rows("system_schema_mcs", "tags"), 7 + 59 + 2 * own);
        assert_int_equal(bed_computed_rows("system_schema", "dropped_columns"), own);
        assert_int_equal(bed_computed_rows("system", "size_estimates"), 14 + own);
        assert_int_equal(bed_computed_rows("system", "local"), 1);
        assert_int_equal(bed_computed_rows("system_virtual_schema", "keyspaces"), 2);
    }
    close_all();
}

/* ---- limits ---- */

static void accounts_have_a_limit(void **state)
{
    struct catalog_account *account, *first, *found;
    struct mallinfo2 before, after;
    char digits[ACCOUNT_DIGITS + 1];
    struct error err;

    open_all(&store_memory_ops);
    assert_int_equal(catalog_account(catalog, BYTES_LITERAL("11112222333"), &account, &err), ERR_INVALID);
    assert_string_equal(err.message, "An account is 12 digits");
    assert_int_equal(catalog_account(catalog, BYTES_LITERAL("11112222333x"), &account, &err), ERR_INVALID);
    assert_int_equal(catalog_account(catalog, BYTES_LITERAL("-11122223333"), &account, &err), ERR_INVALID);
    assert_int_equal(catalog_account(catalog, bytes_of(NULL, 0), &account, &err), ERR_INVALID);
    must(catalog_account(catalog, BYTES_LITERAL("000000000000"), &account, &err), &err);
    assert_ptr_equal(account, catalog_account_default(catalog));
    must(catalog_account(catalog, BYTES_LITERAL("999999999999"), &first, &err), &err);
    assert_true(bytes_equal(catalog_account_name(first), BYTES_LITERAL("999999999999")));
    before = mallinfo2();
    for (uint32_t i = 2; i < CATALOG_ACCOUNTS_MAX; i++) {
        snprintf(digits, sizeof(digits), "%012u", i * 7);
        must(catalog_account(catalog, bytes_of_string(digits), &account, &err), &err);
    }
    after = mallinfo2();
    if (after.uordblks) /* the sanitizers' heap does not say */
        assert_in_range((after.uordblks - before.uordblks) / (CATALOG_ACCOUNTS_MAX - 2), 100, 20 << 10);
    assert_int_equal(catalog_account(catalog, BYTES_LITERAL(ALICE), &account, &err), ERR_OVERLOADED);
    assert_string_equal(err.message, "This server has 4096 accounts, and can't have more");
    assert_null(catalog_find_account(catalog, BYTES_LITERAL(ALICE)));
    must(catalog_account(catalog, BYTES_LITERAL("999999999999"), &found, &err), &err);
    assert_ptr_equal(found, first);
    as("000000000700");
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    assert_int_equal(columns_by_id(id_of("t")), 1);
    close_all();
}

enum { TABLES = 60 };

/* Owners ask by id alone, whatever was made, dropped and truncated in whichever account. */
static void tables_are_found_by_id_alone(void **state)
{
    static uint64_t ids[ARRAY_SIZE(all)][TABLES];
    char text[100], name[20];
    struct error err;

    memset(ids, 0, sizeof(ids));
    open_all(&store_memory_ops);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        run(CREATE_K);
    }
    srand(7);
    for (uint32_t n = 0; n < 400; n++) {
        uint32_t i = (uint32_t)rand() % ARRAY_SIZE(all), j = (uint32_t)rand() % TABLES;
        uint64_t before = ids[i][j];

        as(all[i]);
        snprintf(name, sizeof(name), "t%u", j);
        if (before && rand() % 2) {
            must(catalog_truncate(catalog, bed_account(), port, BYTES_LITERAL("k"), bytes_of_string(name), &err), &err);
        } else {
            snprintf(text, sizeof(text), before ? "DROP TABLE %s" : "CREATE TABLE %s (a int PRIMARY KEY)", name);
            run(text);
        }
        ids[i][j] = id_of(name);
        assert_int_equal(columns_by_id(before), 0);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++)
        for (uint32_t j = 0; j < TABLES; j++)
            assert_int_equal(columns_by_id(ids[i][j]), ids[i][j] != 0);
    assert_int_equal(columns_by_id(0), 0);
    as(ALICE);
    run("DROP KEYSPACE k");
    for (uint32_t j = 0; j < TABLES; j++)
        assert_int_equal(columns_by_id(ids[1][j]), 0);
    as(BOB);
    run("DROP KEYSPACE k");
    assert_int_equal(catalog->owners.count, 0);
    close_all();
}

/* ---- on the disk ---- */

/* Of an older server, whose kinds begin with 10, the first of these rows is one of an unknown kind. */
static void rows_that_cannot_be_are_refused(void **state)
{
    struct buffer keyspace = { 0 }, other = { 0 };
    const struct bytes account = BYTES_LITERAL("\1................"), none = { 0 };
    const struct {
        int32_t kind;
        const char *scope, *name;
        struct bytes value;
        const char *said;
    } cases[] = {
        { 5, "", "123", account, "an account that is none" },
        { 5, "", "000000000000", account, "an account that is none" },
        { 5, "", BOB, BYTES_LITERAL("\2................"), "newer version" },
        { 5, "", BOB, BYTES_LITERAL("\1..............."), "damaged" },
        { 10, BOB, "k", buffer_bytes(&keyspace), "without its account" },
        { 10, ALICE, "j", buffer_bytes(&keyspace), "under another's name" },
        { 30, BOB "/k", "t", BYTES_LITERAL("\1"), "without its keyspace" },
        { 30, ALICE "/none", "t", BYTES_LITERAL("\1"), "without its keyspace" },
        { 30, "/k", "t", BYTES_LITERAL("\1"), "without its keyspace" },
        { 30, "000000000000/k", "t", BYTES_LITERAL("\1"), "without its keyspace" },
        { 30, ALICE "/k", "s", buffer_bytes(&other), "under another's name" },
        { 30, "k", "t", buffer_bytes(&other), "two tables of one id" },
    };
    struct schema *schema;
    struct table_def *def;
    struct error err;

    open_all(&store_rocksdb_ops);
    as(NULL);
    run(CREATE_K);
    as(ALICE);
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    schema = catalog_ref_schema(catalog, bed_account());
    schema_encode_keyspace(&keyspace, schema_keyspace(schema, BYTES_LITERAL("k")));
    schema_unref(schema);
    def = table("t");
    schema_encode_table(&other, def);
    table_def_unref(def);
    close_all();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        /* What the buffers have grown to by now. */
        struct bytes value = cases[i].value.data   ? cases[i].value
                             : cases[i].kind == 10 ? buffer_bytes(&keyspace)
                                                   : buffer_bytes(&other);

        open_all(&store_rocksdb_ops);
        bed_put_definition(cases[i].kind, cases[i].scope, cases[i].name, value);
        close_all();
        if (try_open(&store_rocksdb_ops, &err) != ERR_CORRUPT)
            fail_msg("case %zu was taken", i);
        if (!strstr(err.message, cases[i].said))
            fail_msg("%s", err.message);
        open_below(&store_rocksdb_ops);
        port = table_port_open(space);
        bed_put_definition(cases[i].kind, cases[i].scope, cases[i].name, none);
        table_port_close(port);
        close_below();
    }
    open_all(&store_rocksdb_ops);
    as(ALICE);
    assert_true(id_of("t") > 0);
    close_all();
    buffer_fini(&keyspace);
    buffer_fini(&other);
}

/* The rows of the definitions as `helenus check` hands them over. */
static struct catalog_check *check_all(void)
{
    struct catalog_check *check = catalog_check_new(catalog);
    struct read_command command = { .table_id = CATALOG_TABLE_ID,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .rows_wanted = true,
                                    .row_limit = 1000,
                                    .now_s = clock_realtime_us(&clock_system) / 1000000 };
    struct arena *arena = arena_new(4096);
    struct read_result result;
    struct error err;

    must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.partition_count, 1);
    for (uint32_t i = 0; i < result.partitions[0].row_count; i++)
        must(catalog_check_row(check, CATALOG_TABLE_ID, result.partitions[0].rows[i].clustering,
                               result.partitions[0].rows[i].row, &err),
             &err);
    arena_free(arena);
    return check;
}

static void a_check_knows_whose_a_table_is(void **state)
{
    struct catalog_check *check;
    struct bytes account;
    uint64_t ids[3];
    struct error err;

    open_all(&store_rocksdb_ops);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        run(CREATE_K);
        run("CREATE TABLE t (a int PRIMARY KEY)");
        ids[i] = id_of("t");
    }
    check = check_all();
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        assert_int_equal(catalog_check_table(check, ids[i], &account)->id, ids[i]);
        assert_true(bytes_equal(account, bytes_of_string(all[i] ? all[i] : "")));
    }
    assert_null(catalog_check_table(check, ids[2] + 100, &account));
    must(catalog_check_end(check, &err), &err);
    close_all();
}

/* The definitions' rows: nothing is written for who only looks. */
static uint32_t definition_rows(void)
{
    struct table_def *def = catalog_table_by_id(catalog, CATALOG_TABLE_ID);
    struct read_command command = { .table_id = CATALOG_TABLE_ID,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .rows_wanted = true,
                                    .row_limit = 1000,
                                    .def = def,
                                    .now_s = clock_realtime_us(&clock_system) / 1000000 };
    struct arena *arena = arena_new(4096);
    struct read_result result;
    struct error err;
    uint32_t count;

    must(table_read(port, &command, true, arena, &result, &err), &err);
    count = result.partitions[0].row_count;
    arena_free(arena);
    table_def_unref(def);
    return count;
}

static void who_only_looks_leaves_nothing(void **state)
{
    struct ddl_change change;
    struct arena *arena = arena_new(1024);
    struct error err;

    open_all(&store_rocksdb_ops);
    assert_int_equal(definition_rows(), 1);
    as(ALICE);
    assert_int_equal(id_of("t"), 0);
    must(try_run("DROP KEYSPACE IF EXISTS k", &change, arena, &err), &err);
    assert_int_not_equal(try_run("DROP KEYSPACE k", &change, arena, &err), OK);
    assert_string_equal(err.message, "Keyspace 'k' doesn't exist");
    assert_int_equal(definition_rows(), 1);
    run(CREATE_K);
    assert_int_equal(definition_rows(), 3); /* meta, account, keyspace */
    close_all();
    arena_free(arena);
}

/* Who has dropped all that he made takes no place from others after the next start; what is left is an account's as ever. */
static void who_has_dropped_all_is_forgotten(void **state)
{
    uint8_t before[16], after[16];

    open_all(&store_rocksdb_ops);
    for (uint32_t i = 1; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        uuid_now(before); /* BOB's, of one who has nothing */
        run(CREATE_K);
        run("CREATE TABLE t (a int PRIMARY KEY)");
        run(i == 1 ? "DROP TABLE t" : "DROP KEYSPACE k");
    }
    close_all();
    open_all(&store_rocksdb_ops);
    assert_non_null(catalog_find_account(catalog, BYTES_LITERAL(ALICE)));
    assert_null(catalog_find_account(catalog, BYTES_LITERAL(BOB)));
    assert_memory_equal(uuid_now(after).data, before, 16);
    run(CREATE_K);
    run("CREATE TABLE t (a int PRIMARY KEY)");
    close_all();
    open_all(&store_rocksdb_ops);
    assert_int_equal(columns_by_id(id_of("t")), 1);
    close_all();
}

/* ---- kill -9 ---- */

static struct store_ops hooked_ops;
static _Atomic int writes_left; /* the last one of them kills; 0: nobody counts */
static _Atomic bool kills_after;

static enum status hooked_write(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    bool is_last = atomic_load(&writes_left) > 0 && atomic_fetch_sub(&writes_left, 1) == 1;
    enum status status;

    if (is_last && !atomic_load(&kills_after))
        raise(SIGKILL);
    status = store_rocksdb_ops.write(store, batch, durable, err);
    if (is_last)
        raise(SIGKILL);
    return status;
}

/* How many of the changes have happened: each is whole, or not there. */
static uint32_t changes_done(void)
{
    struct catalog_account *account = catalog_find_account(catalog, BYTES_LITERAL(ALICE));
    struct schema *schema = account ? catalog_ref_schema(catalog, account) : NULL;
    const struct keyspace_def *k = schema ? schema_keyspace(schema, BYTES_LITERAL("k")) : NULL;
    struct table_def *t = k ? schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t")) : NULL;
    /* Of one who has dropped all there is no account, but a row beside the default account's: meta, keyspace, type, table. */
    uint32_t done = !account               ? (definition_rows() > 4 ? 5 : 0)
                    : !k                   ? 5
                    : !k->type_count       ? 1
                    : !t                   ? 2
                    : t->column_count == 2 ? 3
                                           : 4;

    /* An account is there by its first change, and not before. */
    assert_true(!account || k || done == 5);
    schema_unref(schema);
    return done;
}

static const char *const changes[] = { CREATE_K, "CREATE TYPE ty (a int)",
                                       "CREATE TABLE t (a int PRIMARY KEY, b frozen<ty>)", "ALTER TABLE t ADD c int",
                                       "DROP KEYSPACE k" };

/* Before and after each write that an account's changes make, its first one among them; the default account has the same names, and keeps them. */
static void killed_at_any_write_a_change_is_whole(void **state)
{
    hooked_ops = store_rocksdb_ops;
    hooked_ops.write = hooked_write;
    for (uint32_t n = 0; n < 2 * ARRAY_SIZE(changes); n++) {
        uint64_t id;
        int status;
        pid_t child;

        setup(state);
        open_all(&hooked_ops);
        as(NULL);
        for (uint32_t i = 0; i < 4; i++)
            run(changes[i]);
        id = id_of("t");
        close_all();
        child = fork();
        if (child == 0) {
            open_all(&hooked_ops);
            as(ALICE);
            for (uint32_t i = 0; i < ARRAY_SIZE(changes); i++) {
                if (i == n / 2) {
                    atomic_store(&kills_after, n % 2);
                    atomic_store(&writes_left, 1);
                }
                run(changes[i]);
            }
            _exit(1);
        }
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        open_all(&hooked_ops);
        assert_int_equal(changes_done(), n / 2 + n % 2);
        as(NULL);
        assert_int_equal(id_of("t"), id);
        as(ALICE);
        if (changes_done() == 0)
            run(CREATE_K);
        close_all();
        teardown(state);
    }
    setup(state);
}

/* ---- a write whose outcome is not known ---- */

/* The change of an account that failed without an outcome, its first or a later one: another account's change reads again what became of it,
 * and everybody sees it then. */
static void in_doubt_all_accounts_are_read_again(void **state)
{
    struct arena *arena = arena_new(1024);

    for (uint32_t n = 0; n < 4; n++) {
        bool is_first = n / 2 == 0;
        struct catalog_view view = { 0 };
        const struct schema *schema;
        struct ddl_change change;
        struct error err;
        uint64_t id = 0;

        open_all(doubtful_store());
        atomic_store(&doubtful_loses, n % 2 == 0);
        as(ALICE);
        if (!is_first) {
            run(CREATE_K);
            run("CREATE TABLE t (a int PRIMARY KEY)");
            id = id_of("t");
        }
        catalog_view_schema(catalog, &view, bed_account());
        atomic_store(&doubtful_fails_next, true);
        assert_int_equal(try_run(is_first ? CREATE_K : "CREATE TABLE u (a int PRIMARY KEY)", &change, arena, &err),
                         ERR_WRITE_TIMEOUT);
        for (uint32_t i = 0; i < table_space_shard_count(space); i++)
            for (int ms = 0; table_space_refuses_writes(space, i) && ms < 20000; ms++)
                usleep(1000);
        as(BOB);
        run(CREATE_K);
        as(ALICE);
        schema = catalog_view_schema(catalog, &view, bed_account());
        assert_int_equal((is_first ? schema_keyspace(schema, BYTES_LITERAL("k")) != NULL : id_of("u") != 0), n % 2);
        assert_int_equal(id_of("t"), id);
        assert_int_equal(columns_by_id(id), id != 0);
        as(BOB);
        run("CREATE TABLE t (a int PRIMARY KEY)");
        assert_int_not_equal(id_of("t"), id);
        catalog_view_fini(&view);
        close_all();
    }
    arena_free(arena);
}

static int setup_account(void **state)
{
    as(NULL);
    return setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_names_are_different_tables, setup_account, teardown),
        cmocka_unit_test_setup_teardown(drop_and_truncate_remove_an_accounts_rows, setup_account, teardown),
        cmocka_unit_test_setup_teardown(system_tables_are_ones_own, setup_account, teardown),
        cmocka_unit_test_setup_teardown(system_keyspaces_change_in_one_account, setup_account, teardown),
        cmocka_unit_test(versions_are_counted_over_all),
        cmocka_unit_test(views_keep_nothing_old),
        cmocka_unit_test(listeners_hear_whose_change_it_is),
        cmocka_unit_test_setup_teardown(computed_tables_show_ones_own, setup_account, teardown),
        cmocka_unit_test(accounts_have_a_limit),
        cmocka_unit_test(tables_are_found_by_id_alone),
        cmocka_unit_test_setup_teardown(rows_that_cannot_be_are_refused, setup_account, teardown),
        cmocka_unit_test_setup_teardown(a_check_knows_whose_a_table_is, setup_account, teardown),
        cmocka_unit_test_setup_teardown(who_only_looks_leaves_nothing, setup_account, teardown),
        cmocka_unit_test_setup_teardown(who_has_dropped_all_is_forgotten, setup_account, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_write_a_change_is_whole, setup_account, teardown),
        cmocka_unit_test_setup_teardown(in_doubt_all_accounts_are_read_again, setup_account, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
