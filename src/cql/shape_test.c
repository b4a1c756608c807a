/* Shapes: nothing that a client chose is in them, whatever it wrote; and what is like stays like. That the words shown can never be
 * names is what Cassandra's own parser said (tests/vectors/cql_keywords.txt). */
#include "cql/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

struct shaped {
    char shape[4096], masked[4096];
};

static struct shaped shape_of(const char *text)
{
    struct arena *arena = arena_new(4096);
    struct buffer shape = { 0 }, masked = { 0 };
    struct shaped out = { 0 };

    cql_shape(arena, bytes_of(text, strlen(text)), &shape, &masked);
    assert_true(shape.size <= SHAPE_BYTES_MAX && masked.size < sizeof(out.masked));
    if (shape.size)
        memcpy(out.shape, shape.data, shape.size);
    if (masked.size)
        memcpy(out.masked, masked.data, masked.size);
    buffer_fini(&shape);
    buffer_fini(&masked);
    arena_free(arena);
    return out;
}

static void statements_lose_names_and_values(void **state)
{
    static const struct {
        const char *text, *shape, *masked;
    } cases[] = {
        { "SELECT * FROM shop.orders WHERE customer = 'ada' AND day > 3", "SELECT * FROM _ . _ WHERE _ = ? AND _ > ?",
          "select * from shop . orders where customer = ? and day > ?" },
        { "insert into T (\"Key\", type) values (0xCAFE, 5b6962dd-3f90-4c93-8f61-eabfa4a803e2) using ttl 60",
          "INSERT INTO _ ( _ , _ ) _ ( ? ) USING _ ?", "insert into t ( \"Key\" , type ) values ( ? ) using ttl ?" },
        { "SELECT a FROM t WHERE k IN (1, 2,3)", "SELECT _ FROM _ WHERE _ IN ( ? )",
          "select a from t where k in ( ? )" },
        { "SELECT a FROM t WHERE k IN (?)", "SELECT _ FROM _ WHERE _ IN ( ? )", "select a from t where k in ( ? )" },
        { "UPDATE t SET a = -1.5e3, b = 1h30m, c = $$it's$$ WHERE k = -7",
          "UPDATE _ SET _ = ? , _ = ? , _ = ? WHERE _ = ?", "update t set a = ? , b = ? , c = ? where k = ?" },
        { "UPDATE t SET a -= 1 WHERE \"a-b\" = :secret -- 'note'\n", "UPDATE _ SET _ -= ? WHERE _ = : _", NULL },
        { "SELECT a FROM t WHERE k = 'open", "SELECT _ FROM _ WHERE _ =", "select a from t where k =" },
        { "SELECT a /* secret */ FROM t", "SELECT _ FROM _", "select a from t" },
        { "", "", "" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct shaped got = shape_of(cases[i].text);

        assert_string_equal(got.shape, cases[i].shape);
        if (cases[i].masked)
            assert_string_equal(got.masked, cases[i].masked);
    }
}

static void long_statements_are_cut(void **state)
{
    char text[4000] = "SELECT a";
    struct shaped got;

    for (unsigned i = 0; i < 900; i++)
        strcat(text, ",b");
    got = shape_of(text);
    assert_int_equal(strlen(got.shape), SHAPE_BYTES_MAX);
    assert_string_equal(got.shape + SHAPE_BYTES_MAX - 3, "...");
}

/* Whatever may stand for a name in any statement is not shown. */
static void no_word_that_can_be_a_name_is_shown(void **state)
{
    FILE *file = fopen("tests/vectors/cql_keywords.txt", "r");
    char line[8192];
    unsigned count = 0, shown = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *tab = strchr(line, '\t');

        if (line[0] == '#' || !tab)
            continue;
        for (char *word = strtok(tab + 1, " \n"); word; word = strtok(NULL, " \n")) {
            struct shaped got = shape_of(word);

            if (tab != line)
                assert_true(strcmp(got.shape, "_") == 0);
            else
                shown += strcasecmp(got.shape, word) == 0;
            count++;
        }
    }
    fclose(file);
    assert_true(count > 1000 && shown > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_lose_names_and_values),
        cmocka_unit_test(long_statements_are_cut),
        cmocka_unit_test(no_word_that_can_be_a_name_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
