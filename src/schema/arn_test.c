/* Names of resources: what is printed is read back, in each partition; what is anything else is refused, also cut anywhere and with any byte
 * changed to one that a name cannot have. */
#include "schema/arn.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct arn_owner owner_of(const char *region)
{
    return (struct arn_owner){ .account = BYTES_LITERAL("111122223333"), .region = bytes_of_string(region) };
}

static void prints_and_reads(void **state)
{
    static const char *const cases[][3] = {
        { "us-east-1", NULL, "arn:aws:cassandra:us-east-1:111122223333:/keyspace/Ks_1/" },
        { "us-east-1", "T_2", "arn:aws:cassandra:us-east-1:111122223333:/keyspace/Ks_1/table/T_2" },
        { "cn-north-1", "t", "arn:aws-cn:cassandra:cn-north-1:111122223333:/keyspace/Ks_1/table/t" },
        { "us-gov-west-1", NULL, "arn:aws-us-gov:cassandra:us-gov-west-1:111122223333:/keyspace/Ks_1/" },
    };
    struct arena *arena = arena_new(4096);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arn_owner owner = owner_of(cases[i][0]), other = owner_of("eu-north-1");
        struct bytes table = cases[i][1] ? bytes_of_string(cases[i][1]) : bytes_of(NULL, 0);
        struct bytes text = arn_print(arena, &owner, BYTES_LITERAL("Ks_1"), table);
        struct arn arn;

        assert_string_equal(arena_string(arena, text), cases[i][2]);
        assert_true(arn_parse(text, &arn));
        assert_true(bytes_equal(arn.keyspace, BYTES_LITERAL("Ks_1")) && bytes_equal(arn.table, table));
        assert_null(arn.stream.data);
        assert_true(arn_is_of(&arn, &owner));
        assert_false(arn_is_of(&arn, &other));
        other = owner;
        other.account = BYTES_LITERAL("111122223334");
        assert_false(arn_is_of(&arn, &other));
    }
    arena_free(arena);
}

static void reads_streams_and_a_keyspace_without_its_slash(void **state)
{
    struct arn arn;

    assert_true(arn_parse(BYTES_LITERAL("arn:aws:cassandra:r:111122223333:/keyspace/k"), &arn));
    assert_true(bytes_is(arn.keyspace, "k") && !arn.table.data);
    assert_true(arn_parse(
        BYTES_LITERAL("arn:aws:cassandra:r:111122223333:/keyspace/k/table/t/stream/2025-05-06T17:17:39.800"), &arn));
    assert_true(bytes_is(arn.table, "t") && bytes_is(arn.stream, "2025-05-06T17:17:39.800"));
}

static void refuses_the_rest(void **state)
{
    static const char *const bad[] = {
        "",
        "arn:",
        "arn:aws:cassandra:r:111122223333:",
        "arn:aws:cassandra:r:111122223333:/keyspace/",
        "arn:aws:cassandra:r:111122223333:/keyspace//table/t",
        "arn:aws:cassandra:r:111122223333:/keyspace/k//",
        "arn:aws:cassandra:r:111122223333:/keyspace/k/table",
        "arn:aws:cassandra:r:111122223333:/keyspace/k/table/",
        "arn:aws:cassandra:r:111122223333:/keyspace/k/table/t/",
        "arn:aws:cassandra:r:111122223333:/keyspace/k/table/t/stream/",
        "arn:aws:cassandra:r:111122223333:/keyspace/k/type/t",
        "arn:aws:cassandra:r:111122223333:keyspace/k/",
        "arn:aws:cassandra:r:11112222333:/keyspace/k/",
        "arn:aws:cassandra:r:11112222333x:/keyspace/k/",
        "arn:aws:cassandra::111122223333:/keyspace/k/",
        "arn:aws:dynamodb:r:111122223333:/keyspace/k/",
        "arn:aws-cn:cassandra:r:111122223333:/keyspace/k/",
        "arn:aws:cassandra:cn-north-1:111122223333:/keyspace/k/",
    };
    struct arn arn;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (arn_parse(bytes_of_string(bad[i]), &arn))
            fail_msg("%s", bad[i]);
}

static void refuses_what_was_changed(void **state)
{
    char text[] = "arn:aws:cassandra:us-east-1:111122223333:/keyspace/ks/table/t";
    struct arn arn;

    for (size_t i = 0; text[i]; i++) {
        char was = text[i];

        /* In a region any byte may stand: whose it is is for arn_is_of. */
        text[i] = '\n';
        assert_int_equal(arn_parse(bytes_of_string(text), &arn),
                         i >= strlen("arn:aws:cassandra:") && i < strlen("arn:aws:cassandra:us-east-1"));
        text[i] = was;
    }
    assert_true(arn_parse(bytes_of_string(text), &arn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_and_reads),
        cmocka_unit_test(reads_streams_and_a_keyspace_without_its_slash),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(refuses_what_was_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
