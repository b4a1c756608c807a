/* Every kind of statement has its row in the table, and what the row says of it holds together: it is asked for by kind, by a text of each
 * kind, and by what it needs of an identity. */
#include "query/statement.h"

#include "cql/parse.h"
#include "plan/modify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void each_kind_has_its_row(void **state)
{
    for (int kind = 0; kind < STATEMENT_KINDS; kind++) {
        const struct statement *statement = statement_of((enum statement_kind)kind);

        assert_int_equal(statement->kind, kind);
        assert_non_null(statement->name);
        for (int other = 0; other < kind; other++)
            assert_string_not_equal(statement->name, statements[other].name);
        assert_true(statement->run || (!statement->plan && !statement->runs_on_loop && !statement->is_write));
        assert_true(!statement->takes_values || (statement->plan && statement->run && statement->runs_on_loop));
    }
}

static void each_needs_something_of_an_identity(void **state)
{
    for (int kind = 0; kind < STATEMENT_KINDS; kind++) {
        const struct statement *statement = &statements[kind];
        const struct need *need = &statement->need;
        bool asks = need->kind == NEED_PERMISSION || need->kind == NEED_ON_WRITTEN;

        assert_int_not_equal(need->kind, NEED_UNKNOWN);
        assert_int_equal(need->permissions != 0, asks);
        assert_int_equal(need->resource != RESOURCE_NONE, need->kind == NEED_PERMISSION);
        assert_int_equal(need->permissions & ~PERMISSION_ALL, 0);
        if (statement->is_write)
            assert_true(need->kind == NEED_OF_PARTS || (need->permissions & PERMISSION_MODIFY));
        else
            assert_false(need->permissions & PERMISSION_MODIFY);
        assert_int_equal(need->with_conditions,
                         statement->is_write && statement->plan == plan_modify ? PERMISSION_SELECT : 0);
    }
}

static void a_text_finds_its_row(void **state)
{
    static const struct {
        const char *text, *name;
        bool runs, runs_on_loop, is_write;
        uint32_t permissions;
        enum resource_kind resource;
    } cases[] = {
        { "SELECT * FROM t", "SELECT", true, true, false, PERMISSION_SELECT, RESOURCE_TABLE },
        { "INSERT INTO t (k) VALUES (1)", "INSERT", true, true, true, PERMISSION_MODIFY, RESOURCE_TABLE },
        { "INSERT INTO t JSON '{}'", "INSERT", true, true, true, PERMISSION_MODIFY, RESOURCE_TABLE },
        { "UPDATE t SET v = 1 WHERE k = 1", "UPDATE", true, true, true, PERMISSION_MODIFY, RESOURCE_TABLE },
        { "DELETE FROM t WHERE k = 1", "DELETE", true, true, true, PERMISSION_MODIFY, RESOURCE_TABLE },
        { "BEGIN BATCH APPLY BATCH", "BATCH", true, true, true, 0, RESOURCE_NONE },
        { "USE k", "USE", true, true, false, 0, RESOURCE_NONE },
        { "TRUNCATE t", "TRUNCATE", true, false, true, PERMISSION_MODIFY, RESOURCE_TABLE },
        { "DROP KEYSPACE k", "DROP KEYSPACE", true, false, false, PERMISSION_DROP, RESOURCE_KEYSPACE },
        { "CREATE TABLE t (k int PRIMARY KEY)", "CREATE TABLE", true, false, false, PERMISSION_CREATE,
          RESOURCE_ALL_TABLES },
        { "ALTER TABLE t ADD v int", "ALTER TABLE", true, false, false, PERMISSION_ALTER, RESOURCE_TABLE },
        { "CREATE INDEX ON t (v)", "CREATE INDEX", false, false, false, PERMISSION_ALTER, RESOURCE_TABLE },
        { "CREATE ROLE r", "CREATE ROLE", true, false, false, PERMISSION_CREATE, RESOURCE_ALL_ROLES },
        { "GRANT SELECT ON t TO r", "GRANT", true, false, false, PERMISSION_AUTHORIZE, RESOURCE_NONE },
        { "DESCRIBE TABLES", "DESCRIBE", true, true, false, 0, RESOURCE_NONE },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena *arena = arena_new(1024);
        struct cql_statement *parsed;
        struct error err;

        assert_int_equal(cql_parse(arena, bytes_of_string(cases[i].text), &parsed, &err), OK);
        const struct statement *statement = statement_of(parsed->kind);
        assert_string_equal(statement->name, cases[i].name);
        assert_int_equal(statement->run != NULL, cases[i].runs);
        assert_int_equal(statement->runs_on_loop, cases[i].runs_on_loop);
        assert_int_equal(statement->is_write, cases[i].is_write);
        assert_int_equal(statement->need.permissions, cases[i].permissions);
        assert_int_equal(statement->need.resource, cases[i].resource);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_row),
        cmocka_unit_test(each_needs_something_of_an_identity),
        cmocka_unit_test(a_text_finds_its_row),
    };

    return cmocka_run_group_tests_name("query/statement", tests, NULL, NULL);
}
