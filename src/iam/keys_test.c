/* The keys that this server has values for, in any case, and what is said of others. */
#include "iam/bed.h"

#include "iam/keys.h"

static const char *rest_of(const char *name)
{
    static char text[64];
    struct bytes rest;

    if (!iam_key_find(bytes_of_string(name), &rest))
        return NULL;
    snprintf(text, sizeof(text), "%.*s", BYTES(rest));
    return text;
}

static void test_find(void **state)
{
    struct bytes rest;

    assert_string_equal(rest_of("aws:username"), "");
    assert_string_equal(rest_of("AWS:UserName"), "");
    assert_string_equal(rest_of("aws:resourcetag/Cost:Center/x"), "Cost:Center/x");
    assert_string_equal(rest_of("kms:EncryptionContext:aws:cassandra:keyspace"), "aws:cassandra:keyspace");
    assert_null(rest_of("aws:ResourceTag/")); /* of no tag */
    assert_null(rest_of("aws:usernames"));
    assert_null(rest_of("aws:user"));
    assert_null(rest_of(""));
    assert_true(iam_key_find(BYTES_LITERAL("aws:SourceIp"), &rest)->type == KEY_ADDRESS);
    assert_true(iam_key_find(BYTES_LITERAL("aws:TagKeys"), &rest)->has_several);
}

/* What a policy asks for, and the trouble with it. */
static void test_trouble(void **state)
{
    static const struct {
        const char *name;
        uint32_t statement;
        bool wants_one;
        const char *trouble; /* how it begins */
    } right[] = {
        { "aws:username", 0, true, NULL },
        { "aws:TagKeys", 0, false, NULL },
        { "AWS:tagkeys", 1, true, "has several values" },
        { "aws:PrincipalTag/team", 1, true, NULL },
        { "aws:PrincipalOrgID", 1, true, "is a condition key that has no value here" },
        { "aws:SourceVpc", 1, false, NULL },
        { "aws:TagKeys", 1, true, "has several values" },
    };
    struct policy *policy = bed_policy(
        POLICY_IDENTITY,
        BYTES_LITERAL(
            "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"*\","
            " \"Resource\": \"arn:aws:cassandra:*:*:/keyspace/${aws:username}\","
            " \"Condition\": {\"ForAllValues:StringLike\": {\"aws:TagKeys\": \"a\"}}},"
            "{\"Effect\": \"Deny\", \"Action\": \"*\", \"Resource\": \"*\", \"Condition\":"
            " {\"StringEquals\": {\"AWS:tagkeys\": \"${aws:PrincipalTag/team, 'x'}\", \"aws:PrincipalOrgID\": \"o-1\"},"
            " \"Null\": {\"aws:SourceVpc\": \"true\"}, \"StringLike\": {\"aws:TagKeys\": \"x\"}}}]}"));

    assert_int_equal(policy_key_count(policy), ARRAY_SIZE(right));
    for (uint32_t i = 0; i < ARRAY_SIZE(right); i++) {
        struct policy_key key = policy_key_at(policy, i);
        const char *trouble = iam_key_trouble(&key);

        if (!bytes_is(key.name, right[i].name) || key.statement != right[i].statement ||
            key.wants_one != right[i].wants_one || !trouble != !right[i].trouble ||
            (trouble && strncmp(trouble, right[i].trouble, strlen(right[i].trouble)) != 0))
            fail_msg("%u: %.*s, statement %u: %s", i, BYTES(key.name), key.statement, trouble ? trouble : "no trouble");
    }
    policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_trouble) };

    return cmocka_run_group_tests_name("iam/keys", tests, NULL, NULL);
}
