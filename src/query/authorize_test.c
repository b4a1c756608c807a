/* Every statement of the table with every permission: each is allowed with exactly what it needs, and denied without each of that, with all
 * else granted. Then what the table does not say: conditions, batches, prepared statements that were allowed before, system tables,
 * roles of roles, what was dropped. Each statement goes the client's way, through query_run. */
#include "query/statement.h"

#include "auth/auth.h"
#include "auth/password.h"
#include "query/bed.h"
#include "schema/ddl.h"

#include <sched.h>
#include <string.h>

static struct auth *auth;
static struct auth_account *account;
static struct auth_login *login; /* as `user` */
static struct arena *arena;
static struct query_request request;
static struct buffer out;

/* ---- asking ---- */

static enum status ask(struct query_context *context, const struct native_request *message)
{
    arena_reset(arena);
    buffer_reset(&out);
    request = (struct query_request){
        .session = &session, .arena = arena, .message = message, .now_us = clock_realtime_us(&clock_system)
    };
    assert_int_not_equal(query_run(context, &request, &out), QUERY_PENDING);
    return request.error.status;
}

static enum status ask_text(const char *text)
{
    struct native_request message = { .header = { .opcode = NATIVE_QUERY },
                                      .parameters = { .consistency = CONSISTENCY_ONE } };

    message.query.statement = bytes_of_string(text);
    return ask(worker, &message);
}

/* As nobody in particular: what the test needs. */
static void run(const char *text)
{
    struct auth_login *kept = session.login;

    session.login = NULL;
    if (ask_text(text))
        fail_msg("%s: %s", text, request.error.message);
    session.login = kept;
}

/* ---- grants, straight into the tables ---- */

static void change(const char *role, enum resource_kind kind, const char *keyspace, const char *name,
                   uint32_t permissions, bool is_granted)
{
    struct resource resource = { kind, keyspace ? bytes_of_string(keyspace) : bytes_of(NULL, 0),
                                 name ? bytes_of_string(name) : bytes_of(NULL, 0) };
    struct auth_change turn;
    struct error err;

    must(auth_change_begin(account, &turn, &err), &err);
    must(auth_write_grant(&turn, bytes_of_string(role), &resource, permissions, is_granted, &err), &err);
    must(auth_change_end(&turn, &err), &err);
}

static void make_role(const char *name, bool is_superuser, bool can_login)
{
    struct auth_role_values values = { true, is_superuser, true, can_login, { NULL, 0 } };
    struct auth_change turn;
    struct error err;

    must(auth_change_begin(account, &turn, &err), &err);
    must(auth_write_role(&turn, bytes_of_string(name), &values, !roles_find(turn.roles, bytes_of_string(name)), &err),
         &err);
    must(auth_change_end(&turn, &err), &err);
}

static void member(const char *role, const char *of, bool is_granted)
{
    struct auth_change turn;
    struct error err;

    must(auth_change_begin(account, &turn, &err), &err);
    must(auth_write_member(&turn, bytes_of_string(of), bytes_of_string(role), is_granted, &err), &err);
    must(auth_change_end(&turn, &err), &err);
}

static int setup(void **state)
{
    struct auth_options options;
    struct error err;

    bed_open(&store_memory_ops, 1, (struct query_options){ 0 });
    arena = arena_new(1 << 16);
    run("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    run("CREATE TABLE k.t (k int PRIMARY KEY, v int)");
    run("CREATE TABLE k.other (k int PRIMARY KEY, v int)");
    run("CREATE TYPE k.y (a int)");
    options = (struct auth_options){ catalog, space, &clock_system };
    must(auth_open(&options, &auth, &err), &err);
    must(auth_account(auth, catalog_account_default(catalog), &account, &err), &err);
    make_role("user", false, true);
    make_role("r", false, false);
    login = auth_login_new(account, BYTES_LITERAL("user"), bytes_of("\177\0\0\1", 4));
    session.login = login;
    return 0;
}

static int teardown(void **state)
{
    auth_login_free(login);
    session.login = NULL;
    query_context_free(worker);
    query_context_free(loop);
    query_engine_free(engine);
    auth_close(auth);
    catalog_close(catalog);
    table_space_close(space);
    catalog_free(catalog);
    bed_store->environment_close(environment);
    buffer_fini(&out);
    arena_free(arena);
    return 0;
}

/* ---- the table ---- */

/* A text for each kind, that changes nothing or fails after it was allowed, so that it can be asked again and again. What it names is
 * what the permission is granted on. Where the table's need is not all there is to it, `more` is needed on the same. */
static const struct sample {
    enum statement_kind kind;
    const char *text;
    const char *keyspace, *name;
    uint32_t more;
} samples[] = {
    { STATEMENT_SELECT, "SELECT * FROM k.t", "k", "t" },
    { STATEMENT_INSERT, "INSERT INTO k.t (k, v) VALUES (1, 1)", "k", "t" },
    { STATEMENT_UPDATE, "UPDATE k.t SET v = 1 WHERE k = 1", "k", "t" },
    { STATEMENT_DELETE, "DELETE FROM k.t WHERE k = 1", "k", "t" },
    { STATEMENT_TRUNCATE, "TRUNCATE k.t", "k", "t" },
    { STATEMENT_CREATE_KEYSPACE,
      "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", NULL,
      NULL },
    { STATEMENT_ALTER_KEYSPACE, "ALTER KEYSPACE k WITH durable_writes = true", "k", NULL },
    { STATEMENT_DROP_KEYSPACE, "DROP KEYSPACE IF EXISTS none", "none", NULL },
    { STATEMENT_CREATE_TABLE, "CREATE TABLE IF NOT EXISTS k.t (k int PRIMARY KEY)", "k", NULL },
    { STATEMENT_ALTER_TABLE, "ALTER TABLE k.t WITH comment = ''", "k", "t" },
    { STATEMENT_DROP_TABLE, "DROP TABLE IF EXISTS k.none", "k", "none" },
    { STATEMENT_RESTORE_TABLE, "RESTORE TABLE k.none FROM TABLE k.t", "k", NULL },
    { STATEMENT_CREATE_TYPE, "CREATE TYPE IF NOT EXISTS k.y (a int)", "k", NULL },
    { STATEMENT_ALTER_TYPE, "ALTER TYPE k.y ADD IF NOT EXISTS a int", "k", NULL },
    { STATEMENT_DROP_TYPE, "DROP TYPE IF EXISTS k.none", "k", NULL },
    { STATEMENT_CREATE_INDEX, "CREATE INDEX ON k.t (v)", "k", "t" },
    { STATEMENT_CREATE_VIEW, "CREATE MATERIALIZED VIEW k.w AS SELECT k FROM k.t WHERE k IS NOT NULL PRIMARY KEY (k)",
      "k", "t" },
    { STATEMENT_ALTER_VIEW, "ALTER MATERIALIZED VIEW k.t WITH comment = ''", "k", "t" },
    { STATEMENT_CREATE_FUNCTION,
      "CREATE FUNCTION k.f (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return a;'", "k", NULL },
    { STATEMENT_CREATE_AGGREGATE, "CREATE AGGREGATE k.a (int) SFUNC f STYPE int", "k", NULL },
    { STATEMENT_CREATE_ROLE, "CREATE ROLE IF NOT EXISTS r", NULL, NULL },
    { STATEMENT_ALTER_ROLE, "ALTER ROLE r WITH LOGIN = false", NULL, "r" },
    { STATEMENT_DROP_ROLE, "DROP ROLE IF EXISTS none", NULL, "none" },
    { STATEMENT_GRANT_ROLE, "GRANT none TO r", NULL, "none" },
    { STATEMENT_REVOKE_ROLE, "REVOKE none FROM r", NULL, "none" },
    { STATEMENT_GRANT_PERMISSIONS, "GRANT SELECT ON k.t TO none", "k", "t", PERMISSION_SELECT },
    { STATEMENT_REVOKE_PERMISSIONS, "REVOKE MODIFY ON k.t FROM none", "k", "t", PERMISSION_MODIFY },
    { STATEMENT_LIST_PERMISSIONS, "LIST SELECT OF r", NULL, "r" },
    { STATEMENT_ADD_IDENTITY, "ADD IDENTITY 'i' TO ROLE 'none'", NULL, NULL },
    { STATEMENT_DROP_IDENTITY, "DROP IDENTITY IF EXISTS 'none'", NULL, NULL },
};

static bool is_allowed(const struct sample *sample)
{
    enum status status = ask_text(sample->text);

    if (status == ERR_SYNTAX)
        fail_msg("%s: %s", sample->text, request.error.message);
    return status != ERR_UNAUTHORIZED;
}

static enum resource_kind kind_of(const struct sample *sample)
{
    const struct need *need = &statement_of(sample->kind)->need;

    return need->kind == NEED_ON_WRITTEN ? RESOURCE_TABLE : need->resource;
}

/* With what it needs it is allowed; without any one of that it is denied, whatever else there is on the same. */
static void each_needs_what_the_table_says(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        const struct sample *sample = &samples[i];
        enum resource_kind kind = kind_of(sample);
        uint32_t needs = statement_of(sample->kind)->need.permissions | sample->more;
        uint32_t all = resource_permissions(kind);

        assert_true(statement_of(sample->kind)->need.kind == NEED_PERMISSION ||
                    statement_of(sample->kind)->need.kind == NEED_ON_WRITTEN);
        if (is_allowed(sample))
            fail_msg("%s: allowed with nothing", sample->text);
        change("user", kind, sample->keyspace, sample->name, needs, true);
        if (!is_allowed(sample))
            fail_msg("%s: denied with what it needs: %s", sample->text, request.error.message);
        change("user", kind, sample->keyspace, sample->name, all & ~needs, true);
        for (uint32_t number = 0; number < PERMISSION_COUNT; number++) {
            uint32_t one = UINT32_C(1) << number;

            if (!(needs & one))
                continue;
            change("user", kind, sample->keyspace, sample->name, one, false);
            if (is_allowed(sample))
                fail_msg("%s: allowed without %s", sample->text, permission_name(number));
            change("user", kind, sample->keyspace, sample->name, one, true);
        }
        change("user", kind, sample->keyspace, sample->name, all | needs, false);
        if (is_allowed(sample))
            fail_msg("%s: still allowed", sample->text);
    }
}

/* What lies above counts too, of the same kind and no other. */
static void what_is_above_counts(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        const struct sample *sample = &samples[i];
        uint32_t needs = statement_of(sample->kind)->need.permissions | sample->more;
        struct resource above = { kind_of(sample),
                                  sample->keyspace ? bytes_of_string(sample->keyspace) : bytes_of(NULL, 0),
                                  sample->name ? bytes_of_string(sample->name) : bytes_of(NULL, 0) };

        while (resource_up(&above)) {
            change("user", above.kind, bytes_is_null(above.keyspace) ? NULL : sample->keyspace, NULL, needs, true);
            if (!is_allowed(sample))
                fail_msg("%s: denied with a permission above: %s", sample->text, request.error.message);
            change("user", above.kind, bytes_is_null(above.keyspace) ? NULL : sample->keyspace, NULL, needs, false);
        }
        if (is_allowed(sample))
            fail_msg("%s: still allowed", sample->text);
    }
}

/* Each kind of the table is asked above, or is one of these. */
static void each_kind_is_asked(void **state)
{
    for (int kind = 0; kind < STATEMENT_KINDS; kind++) {
        const struct need *need = &statements[kind].need;
        bool is_asked = need->kind == NEED_LOGIN || need->kind == NEED_OF_PARTS || need->kind == NEED_SUPERUSER ||
                        kind == STATEMENT_DROP_INDEX || kind == STATEMENT_DROP_VIEW ||
                        kind == STATEMENT_DROP_FUNCTION || kind == STATEMENT_DROP_AGGREGATE ||
                        kind == STATEMENT_LIST_ROLES;

        for (size_t i = 0; i < ARRAY_SIZE(samples) && !is_asked; i++)
            is_asked = samples[i].kind == (enum statement_kind)kind;
        if (!is_asked)
            fail_msg("%s is not asked", statements[kind].name);
    }
}

/* ---- what the table does not say ---- */

static void denied(const char *text)
{
    if (ask_text(text) != ERR_UNAUTHORIZED)
        fail_msg("%s: not denied (%s)", text, request.error.status ? request.error.message : "done");
}

static void allowed(const char *text)
{
    if (ask_text(text) == ERR_UNAUTHORIZED)
        fail_msg("%s: %s", text, request.error.message);
}

static void a_condition_reads(void **state)
{
    static const char *const texts[] = { "INSERT INTO k.t (k, v) VALUES (1, 1) IF NOT EXISTS",
                                         "UPDATE k.t SET v = 1 WHERE k = 1 IF v = 1",
                                         "DELETE FROM k.t WHERE k = 1 IF EXISTS" };

    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_MODIFY, true);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        denied(texts[i]);
    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT, true);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        allowed(texts[i]);
    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT | PERMISSION_MODIFY, false);
}

static void a_batch_needs_what_its_parts_need(void **state)
{
    static const char text[] =
        "BEGIN BATCH INSERT INTO k.t (k, v) VALUES (1, 1); INSERT INTO k.other (k, v) VALUES (1, 1); "
        "APPLY BATCH";
    struct native_batch_entry entries[2] = { { .statement = BYTES_LITERAL("INSERT INTO k.t (k, v) VALUES (1, 1)") },
                                             { .statement =
                                                   BYTES_LITERAL("INSERT INTO k.other (k, v) VALUES (1, 1)") } };
    struct native_request batch = { .header = { .opcode = NATIVE_BATCH },
                                    .parameters = { .consistency = CONSISTENCY_ONE },
                                    .batch = { .kind = NATIVE_BATCH_LOGGED, .entries = entries, .entry_count = 2 } };

    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_MODIFY, true);
    denied(text);
    assert_int_equal(ask(worker, &batch), ERR_UNAUTHORIZED);
    change("user", RESOURCE_TABLE, "k", "other", PERMISSION_MODIFY, true);
    allowed(text);
    assert_int_equal(ask(worker, &batch), OK);
    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_MODIFY, false);
    denied(text);
    assert_int_equal(ask(worker, &batch), ERR_UNAUTHORIZED);
    change("user", RESOURCE_TABLE, "k", "other", PERMISSION_MODIFY, false);
}

/* The id that PREPARE gave, and EXECUTE of it on a loop, which remembers. */
static enum status execute(const uint8_t id[16])
{
    struct native_request message = { .header = { .opcode = NATIVE_EXECUTE },
                                      .parameters = { .consistency = CONSISTENCY_ONE } };

    message.execute.id = bytes_of(id, 16);
    return ask(loop, &message);
}

static void prepare(const char *text, uint8_t id[16])
{
    struct native_request message = { .header = { .opcode = NATIVE_PREPARE } };

    message.prepare.statement = bytes_of_string(text);
    assert_int_equal(ask(worker, &message), OK);
    prepared_id(bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of_string(text), id);
}

static uint32_t remembered(void)
{
    uint64_t epoch = atomic_load(login->epoch);
    uint32_t count = 0;

    for (uint32_t i = 0; i < AUTH_LOGIN_SLOTS; i++)
        count += login->slots[i].plan && login->slots[i].epoch == epoch;
    return count;
}

/* Anybody may prepare, as in Cassandra; only who may executes; and what was allowed once is denied as soon as it is revoked. */
static void a_prepared_statement_is_asked_again_when_something_changes(void **state)
{
    uint8_t id[16], of_other[16];

    prepare("SELECT * FROM k.t", id);
    prepare("SELECT * FROM k.other", of_other);
    assert_int_equal(execute(id), ERR_UNAUTHORIZED);
    assert_int_equal(remembered(), 0);
    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT, true);
    assert_int_equal(execute(id), OK);
    assert_int_equal(remembered(), 1);
    assert_int_equal(execute(id), OK);
    /* Another plan is another decision, also one that would be remembered in the same place. */
    assert_int_equal(execute(of_other), ERR_UNAUTHORIZED);
    for (int i = 0; i < AUTH_LOGIN_SLOTS; i++) {
        char text[64];

        snprintf(text, sizeof(text), "SELECT * FROM k.other WHERE k = %d", i);
        prepare(text, of_other);
        assert_int_equal(execute(of_other), ERR_UNAUTHORIZED);
    }
    assert_int_equal(remembered(), 1);
    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT, false);
    assert_int_equal(remembered(), 0);
    assert_int_equal(execute(id), ERR_UNAUTHORIZED);
}

/* A superuser's own INSERT into the tables is a grant as well; it is seen behind its answer. */
static void rows_written_by_hand_count(void **state)
{
    uint8_t id[16];
    uint64_t before = atomic_load(login->epoch);

    prepare("SELECT * FROM k.t", id);
    make_role("chief", true, true);
    struct auth_login *chief = auth_login_new(account, BYTES_LITERAL("chief"), bytes_of("\177\0\0\1", 4));

    session.login = chief;
    before = atomic_load(login->epoch);
    assert_int_equal(ask_text("INSERT INTO system_auth.role_permissions (role, resource, permissions) VALUES ('user', "
                              "'data/k/t', {'SELECT'})"),
                     OK);
    while (atomic_load(login->epoch) == before)
        sched_yield();
    session.login = login;
    assert_int_equal(execute(id), OK);
    session.login = chief;
    before = atomic_load(login->epoch);
    assert_int_equal(ask_text("TRUNCATE system_auth.role_permissions"), OK);
    while (atomic_load(login->epoch) == before)
        sched_yield();
    session.login = login;
    assert_int_equal(execute(id), ERR_UNAUTHORIZED);
    auth_login_free(chief);
}

static void roles_of_roles_count(void **state)
{
    make_role("middle", false, false);
    make_role("top", false, false);
    change("top", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT, true);
    member("user", "middle", true);
    denied("SELECT * FROM k.t");
    member("middle", "top", true);
    allowed("SELECT * FROM k.t");
    make_role("top", true, false);
    allowed("DROP TABLE IF EXISTS k.none"); /* superuser by way of two others */
    make_role("top", false, false);
    denied("DROP TABLE IF EXISTS k.none");
    member("middle", "top", false);
    denied("SELECT * FROM k.t");
}

static void system_tables_have_rules_of_their_own(void **state)
{
    denied("SELECT * FROM system_auth.roles");
    change("user", RESOURCE_ALL_KEYSPACES, NULL, NULL, PERMISSION_ALL & ~(PERMISSION_DESCRIBE | PERMISSION_EXECUTE),
           true);
    allowed("SELECT * FROM k.t");
    allowed("SELECT * FROM system.local");
    denied("SELECT * FROM system_auth.role_permissions");
    denied("INSERT INTO system_auth.roles (role, is_superuser) VALUES ('user', true)");
    denied("TRUNCATE system_auth.roles");
    denied("DROP KEYSPACE system_auth");
    denied("DROP KEYSPACE system");
    denied("SELECT * FROM system_distributed.repair_history");
    change("user", RESOURCE_ALL_KEYSPACES, NULL, NULL, PERMISSION_ALL, false);
    change("user", RESOURCE_KEYSPACE, "system_auth", NULL, PERMISSION_SELECT | PERMISSION_MODIFY, true);
    allowed("SELECT * FROM system_auth.role_permissions");
    denied("SELECT * FROM system_auth.roles"); /* hashes, whatever was granted */
    denied("UPDATE system_auth.roles SET is_superuser = true WHERE role = 'user' IF EXISTS");
    change("user", RESOURCE_KEYSPACE, "system_auth", NULL, PERMISSION_SELECT | PERMISSION_MODIFY, false);
}

/* In the middle of its session. */
static void who_may_not_log_in_may_nothing(void **state)
{
    uint8_t id[16];

    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT, true);
    prepare("SELECT * FROM k.t", id);
    assert_int_equal(execute(id), OK);
    make_role("user", false, false);
    assert_int_equal(execute(id), ERR_UNAUTHORIZED);
    denied("SELECT * FROM k.t");
    denied("USE k");
    denied("DESCRIBE KEYSPACES");
    denied("LIST ROLES");
    make_role("user", false, true);
    assert_int_equal(execute(id), OK);
    change("user", RESOURCE_TABLE, "k", "t", PERMISSION_SELECT, false);
}

static void what_is_dropped_takes_its_grants_along(void **state)
{
    run("CREATE TABLE k.gone (k int PRIMARY KEY)");
    change("user", RESOURCE_TABLE, "k", "gone", PERMISSION_SELECT, true);
    allowed("SELECT * FROM k.gone");
    run("DROP TABLE k.gone");
    run("CREATE TABLE k.gone (k int PRIMARY KEY)");
    denied("SELECT * FROM k.gone");
    run("CREATE KEYSPACE l WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    run("CREATE TABLE l.t (k int PRIMARY KEY)");
    change("user", RESOURCE_KEYSPACE, "l", NULL, PERMISSION_SELECT, true);
    change("user", RESOURCE_TABLE, "l", "t", PERMISSION_MODIFY, true);
    allowed("SELECT * FROM l.t");
    run("DROP KEYSPACE l");
    run("CREATE KEYSPACE l WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    run("CREATE TABLE l.t (k int PRIMARY KEY)");
    denied("SELECT * FROM l.t");
    denied("INSERT INTO l.t (k) VALUES (1)");
    run("DROP TABLE k.gone");
    run("DROP KEYSPACE l");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_asked),
        cmocka_unit_test(each_needs_what_the_table_says),
        cmocka_unit_test(what_is_above_counts),
        cmocka_unit_test(a_condition_reads),
        cmocka_unit_test(a_batch_needs_what_its_parts_need),
        cmocka_unit_test(a_prepared_statement_is_asked_again_when_something_changes),
        cmocka_unit_test(rows_written_by_hand_count),
        cmocka_unit_test(roles_of_roles_count),
        cmocka_unit_test(system_tables_have_rules_of_their_own),
        cmocka_unit_test(who_may_not_log_in_may_nothing),
        cmocka_unit_test(what_is_dropped_takes_its_grants_along),
    };

    return cmocka_run_group_tests_name("query/authorize", tests, setup, teardown);
}
