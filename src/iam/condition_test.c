/* Each operator with each form of a key: one that fits, one that does not, absent, without values, several, unreadable, unknown; plain, in
 * sets, IfExists. */
#include "iam/bed.h"

struct trial {
    const char *condition; /* what stands in Condition, with ' for " */
    const char *values;    /* of "t:key", with commas; "-": absent; "0": there without values; "?": unknown */
    enum truth right;
};

static struct arena *arena;

/* A policy with this condition. */
static struct policy *policy_of(const char *condition)
{
    char *text =
        arena_printf(arena,
                     "{'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': '*', 'Resource': '*',"
                     " 'Condition': {%s}}}",
                     condition);

    for (char *at = text; *at; at++)
        if (*at == '\'')
            *at = '"';
        else if (*at == '`')
            *at = '\'';
    return bed_policy(POLICY_IDENTITY, bytes_of_string(text));
}

static enum truth holds(const struct trial *trial)
{
    struct bed_context context = { .arena = arena };
    static struct evaluation evaluation;
    struct policy *policy = policy_of(trial->condition);
    enum truth truth = TRUTH_TRUE;

    if (strcmp(trial->values, "?") == 0)
        context.unknown = BYTES_LITERAL("t:key");
    else if (strcmp(trial->values, "-") != 0)
        bed_put(&context, "T:Key", strcmp(trial->values, "0") == 0 ? NULL : trial->values);
    bed_put(&context, "t:one", "o*e");
    bed_put(&context, "t:several", "a,b");
    evaluation.ask = bed_ask;
    evaluation.context = &context;
    for (uint32_t i = 0; i < policy->test_count; i++)
        truth = truth_and(truth, condition_holds(&evaluation, policy, &policy->tests[i]));
    policy_unref(policy);
    return truth;
}

static void check(const struct trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum truth truth = holds(&trials[i]);

        if (truth != trials[i].right)
            fail_msg("%s with %s: %d", trials[i].condition, trials[i].values, truth);
        arena_reset(arena);
    }
}

#define NO      TRUTH_FALSE
#define UNKNOWN TRUTH_UNKNOWN
#define YES     TRUTH_TRUE

static void test_strings(void **state)
{
    static const struct trial trials[] = {
        { "'StringEquals': {'t:key': 'a'}", "a", YES },
        { "'StringEquals': {'t:key': 'a'}", "A", NO },
        { "'StringEquals': {'t:key': ['b', 'a']}", "a", YES },
        { "'StringEquals': {'t:key': ['b', 'c']}", "a", NO },
        { "'StringEquals': {'t:key': 'a*'}", "ab", NO },
        { "'StringEquals': {'t:key': 'a*'}", "a*", YES },
        { "'StringEquals': {'t:key': ''}", "", YES },
        { "'StringEquals': {'t:key': 12}", "12", YES },
        { "'StringEquals': {'t:key': true}", "true", YES },
        { "'StringNotEquals': {'t:key': 'a'}", "a", NO },
        { "'StringNotEquals': {'t:key': 'a'}", "b", YES },
        { "'StringNotEquals': {'t:key': ['a', 'b']}", "b", NO }, /* none of them may fit */
        { "'StringNotEquals': {'t:key': ['a', 'b']}", "c", YES },
        { "'StringEqualsIgnoreCase': {'t:key': 'aB\u00c4\u00e9'}", "Ab\xc3\xa4\xc3\x89", YES },
        { "'StringEqualsIgnoreCase': {'t:key': '\u00d7'}", "\xc3\xb7", NO }, /* no letters */
        { "'StringEqualsIgnoreCase': {'t:key': '[@'}", "{`", NO },
        { "'StringNotEqualsIgnoreCase': {'t:key': 'a'}", "A", NO },
        { "'StringLike': {'t:key': 'a*c?'}", "abccd", YES },
        { "'StringLike': {'t:key': 'a*c?'}", "ABCCD", NO },
        { "'StringNotLike': {'t:key': 'a*'}", "ab", NO },
        { "'StringNotLike': {'t:key': 'a*'}", "b", YES },
    };

    check(trials, ARRAY_SIZE(trials));
}

static void test_numbers_and_dates(void **state)
{
    static const struct trial trials[] = {
        { "'NumericEquals': {'t:key': '10'}", "10.0", YES },
        { "'NumericEquals': {'t:key': 10}", "11", NO },
        { "'NumericNotEquals': {'t:key': '10'}", "10.00", NO },
        { "'NumericNotEquals': {'t:key': '10'}", "11", YES },
        { "'NumericLessThan': {'t:key': '10'}", "9", YES },
        { "'NumericLessThan': {'t:key': '10'}", "10", NO },
        { "'NumericLessThanEquals': {'t:key': '10'}", "10", YES },
        { "'NumericLessThanEquals': {'t:key': '10'}", "10.1", NO },
        { "'NumericGreaterThan': {'t:key': '10'}", "10", NO },
        { "'NumericGreaterThan': {'t:key': '10'}", "11", YES },
        { "'NumericGreaterThanEquals': {'t:key': '10'}", "10", YES },
        { "'NumericGreaterThanEquals': {'t:key': ['10', '5']}", "6", YES },
        { "'NumericEquals': {'t:key': '10'}", "ten", UNKNOWN },
        { "'NumericNotEquals': {'t:key': '10'}", "ten", UNKNOWN },
        { "'DateEquals': {'t:key': '2026-01-02T00:00:00Z'}", "2026-01-02", YES },
        { "'DateNotEquals': {'t:key': '2026-01-02T00:00:00Z'}", "2026-01-02", NO },
        { "'DateLessThan': {'t:key': '2026-01-02T00:00:00Z'}", "2026-01-01T23:59:59Z", YES },
        { "'DateLessThan': {'t:key': '2026-01-02T00:00:00Z'}", "2026-01-02T00:00:00Z", NO },
        { "'DateLessThanEquals': {'t:key': '1767323045'}", "2026-01-02T03:04:05Z", YES },
        { "'DateGreaterThan': {'t:key': 1767323044}", "2026-01-02T03:04:05Z", YES },
        { "'DateGreaterThanEquals': {'t:key': '1767323046'}", "2026-01-02T03:04:05Z", NO },
        { "'DateGreaterThan': {'t:key': '2026-01-02'}", "tomorrow", UNKNOWN },
    };

    check(trials, ARRAY_SIZE(trials));
}

static void test_others(void **state)
{
    static const struct trial trials[] = {
        { "'Bool': {'t:key': 'true'}", "true", YES },
        { "'Bool': {'t:key': true}", "True", YES },
        { "'Bool': {'t:key': 'false'}", "true", NO },
        { "'Bool': {'t:key': ['false', 'true']}", "true", YES },
        { "'Bool': {'t:key': 'true'}", "yes", UNKNOWN },
        { "'BinaryEquals': {'t:key': 'QUJD'}", "ABC", YES },
        { "'BinaryEquals': {'t:key': 'QUJD'}", "QUJD", NO },
        { "'IpAddress': {'t:key': '203.0.113.0/24'}", "203.0.113.9", YES },
        { "'IpAddress': {'t:key': '203.0.113.0/24'}", "203.0.114.9", NO },
        { "'IpAddress': {'t:key': ['203.0.113.0/24', '2001:db8::/32']}", "2001:db8::9", YES },
        { "'NotIpAddress': {'t:key': ['203.0.113.0/24', '10.0.0.0/8']}", "10.1.1.1", NO },
        { "'NotIpAddress': {'t:key': ['203.0.113.0/24', '10.0.0.0/8']}", "11.1.1.1", YES },
        { "'NotIpAddress': {'t:key': '10.0.0.0/8'}", "nowhere", UNKNOWN },
        { "'ArnEquals': {'t:key': 'arn:aws:sns:*:1:t'}", "arn:aws:sns:r:1:t", YES },
        { "'ArnLike': {'t:key': 'arn:aws:sns:*:1:t'}", "arn:aws:sns:r:2:1:t", NO },
        { "'ArnNotEquals': {'t:key': 'arn:aws:sns:*:1:t'}", "arn:aws:sns:r:1:t", NO },
        { "'ArnNotLike': {'t:key': 'arn:aws:sns:*:1:t'}", "arn:aws:sns:r:1:u", YES },
        { "'ArnLike': {'t:key': '*'}", "arn:aws:sns:r:1:u", YES },
        { "'ArnLike': {'t:key': 'arn:aws:sns:*:*:*'}", "no ARN", NO },
        { "'ArnNotLike': {'t:key': 'arn:aws:sns:*:*:*'}", "no ARN", YES },
        { "'Null': {'t:key': 'true'}", "-", YES },
        { "'Null': {'t:key': 'true'}", "0", YES },
        { "'Null': {'t:key': 'true'}", "a", NO },
        { "'Null': {'t:key': 'true'}", "a,b", NO },
        { "'Null': {'t:key': false}", "-", NO },
        { "'Null': {'t:key': false}", "", YES },
        { "'Null': {'t:key': ['true', 'false']}", "a", YES },
        { "'Null': {'t:key': 'true'}", "?", UNKNOWN },
    };

    check(trials, ARRAY_SIZE(trials));
}

/* The table in condition.h. */
static void test_keys(void **state)
{
    static const struct trial trials[] = {
        { "'StringEquals': {'t:key': 'a'}", "-", NO },
        { "'StringEquals': {'t:key': 'a'}", "0", NO },
        { "'StringEquals': {'t:key': 'a'}", "a,a", UNKNOWN },
        { "'StringEquals': {'t:key': 'a'}", "?", UNKNOWN },
        { "'StringNotEquals': {'t:key': 'a'}", "-", YES },
        { "'StringNotEquals': {'t:key': 'a'}", "b,c", UNKNOWN },
        { "'NumericNotEquals': {'t:key': '1'}", "-", YES },
        { "'NotIpAddress': {'t:key': '10.0.0.0/8'}", "-", YES },
        { "'NumericLessThan': {'t:key': '1'}", "-", NO },
        { "'StringEqualsIfExists': {'t:key': 'a'}", "-", YES },
        { "'StringEqualsIfExists': {'t:key': 'a'}", "0", YES },
        { "'StringEqualsIfExists': {'t:key': 'a'}", "b", NO },
        { "'StringEqualsIfExists': {'t:key': 'a'}", "a", YES },
        { "'StringEqualsIfExists': {'t:key': 'a'}", "?", UNKNOWN },
        { "'StringNotEqualsIfExists': {'t:key': 'a'}", "-", YES },
        { "'StringNotEqualsIfExists': {'t:key': 'a'}", "a", NO },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "a,b", YES },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "b", YES },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "a,c", NO },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "-", YES },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "0", YES },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "", YES },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "a,", NO },
        { "'ForAllValues:StringEquals': {'t:key': ['a', 'b']}", "?", UNKNOWN },
        { "'ForAllValues:StringNotEquals': {'t:key': ['a', 'b']}", "c,d", YES },
        { "'ForAllValues:StringNotEquals': {'t:key': ['a', 'b']}", "c,a", NO },
        { "'ForAllValues:StringNotEquals': {'t:key': ['a', 'b']}", "-", YES },
        { "'ForAnyValue:StringEquals': {'t:key': ['a', 'b']}", "c,b", YES },
        { "'ForAnyValue:StringEquals': {'t:key': ['a', 'b']}", "c,d", NO },
        { "'ForAnyValue:StringEquals': {'t:key': ['a', 'b']}", "-", NO },
        { "'ForAnyValue:StringEquals': {'t:key': ['a', '']}", "", NO },
        { "'ForAnyValue:StringNotEquals': {'t:key': ['a', 'b']}", "a,c", YES },
        { "'ForAnyValue:StringNotEquals': {'t:key': ['a', 'b']}", "a,b", NO },
        { "'ForAnyValue:StringNotEquals': {'t:key': ['a', 'b']}", "-", NO },
        { "'ForAnyValue:StringEqualsIfExists': {'t:key': 'a'}", "-", YES },
        { "'ForAnyValue:StringEqualsIfExists': {'t:key': 'a'}", "b", NO },
        { "'ForAllValues:NumericLessThan': {'t:key': '5'}", "1,2", YES },
        { "'ForAllValues:NumericLessThan': {'t:key': '5'}", "1,x", UNKNOWN },
        { "'ForAllValues:NumericLessThan': {'t:key': '5'}", "9,x", NO },
        { "'ForAnyValue:NumericLessThan': {'t:key': '5'}", "1,x", YES },
        { "'ForAnyValue:NumericLessThan': {'t:key': '5'}", "9,x", UNKNOWN },
        /* All operators and all keys. */
        { "'StringLike': {'t:key': 'a*', 'T:ONE': 'o*'}", "ab", YES },
        { "'StringLike': {'t:key': 'a*', 't:one': 'x*'}", "ab", NO },
        { "'StringLike': {'t:key': 'a*'}, 'StringEquals': {'t:one': 'x'}", "ab", NO },
        { "'StringLike': {}", "-", YES },
        { "", "-", YES },
    };

    check(trials, ARRAY_SIZE(trials));
}

static void test_variables(void **state)
{
    static const struct trial trials[] = {
        { "'StringEquals': {'t:key': 'x${t:one}'}", "xo*e", YES },
        { "'StringLike': {'t:key': '?${t:one}*'}", "xo*e!", YES },
        { "'StringLike': {'t:key': '${t:one}'}", "oxe", NO },
        { "'StringEqualsIgnoreCase': {'t:key': '${T:ONE}'}", "O*E", YES },
        { "'StringEquals': {'t:key': '${t:none}'}", "", NO },
        { "'StringNotEquals': {'t:key': '${t:none}'}", "", YES },
        { "'StringEquals': {'t:key': ['${t:none}', 'a']}", "a", YES },
        { "'StringEquals': {'t:key': '${t:none, `b`}'}", "b", YES },
        { "'StringEquals': {'t:key': '${t:several}'}", "a", UNKNOWN },
        { "'StringNotEquals': {'t:key': '${t:several}'}", "a", UNKNOWN },
        { "'StringEquals': {'t:key': ['${t:several}', 'a']}", "a", YES },
        { "'ArnEquals': {'t:key': 'arn:aws:iam::1:user/${t:one}'}", "arn:aws:iam::1:user/o*e", YES },
        { "'ArnEquals': {'t:key': '${t:key}'}", "arn:aws:iam::1:user/a", YES },
        { "'Bool': {'t:key': '${t:key}'}", "false", YES },
        { "'Bool': {'t:key': '${t:one}'}", "false", NO },
        { "'StringLike': {'t:key': '${*}'}", "a", NO },
        { "'StringEquals': {'t:key': '${$}{*}'}", "${*}", YES },
    };

    check(trials, ARRAY_SIZE(trials));
}

static void test_limits(void **state)
{
    struct bed_context context = { .arena = arena };
    static struct evaluation evaluation;
    static uint8_t text[IAM_TEXT_MAX + 1];
    struct bytes values[IAM_VALUES_MAX + 1];
    struct policy *policy = policy_of("'ForAllValues:StringLike': {'t:key': 'a*'}");
    struct iam_entry *entry = &context.items[0];

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        values[i] = bytes_of(text, 2);
    bed_put(&context, "t:key", "");
    evaluation.ask = bed_ask;
    evaluation.context = &context;
    entry->values = (struct iam_values){ values, IAM_VALUES_MAX };
    assert_int_equal(condition_holds(&evaluation, policy, policy->tests), TRUTH_TRUE);
    entry->values.count++;
    assert_int_equal(condition_holds(&evaluation, policy, policy->tests), TRUTH_UNKNOWN);
    for (size_t i = 0; i < IAM_VALUES_BYTES_MAX / IAM_TEXT_MAX; i++)
        values[i] = bytes_of(text, IAM_TEXT_MAX);
    entry->values.count = IAM_VALUES_BYTES_MAX / IAM_TEXT_MAX;
    assert_int_equal(condition_holds(&evaluation, policy, policy->tests), TRUTH_TRUE);
    entry->values.count++;
    assert_int_equal(condition_holds(&evaluation, policy, policy->tests), TRUTH_UNKNOWN);
    entry->values.count = 1;
    assert_int_equal(condition_holds(&evaluation, policy, policy->tests), TRUTH_TRUE);
    values[0].size++;
    assert_int_equal(condition_holds(&evaluation, policy, policy->tests), TRUTH_UNKNOWN);
    policy_unref(policy);
}

static void test_names(void **state)
{
    static const char *const wrong[] = { "",
                                         "stringEquals",
                                         "StringEqual",
                                         "IfExists",
                                         "NullIfExists",
                                         "StringEqualsIfExistsIfExists",
                                         "ForAllValues:",
                                         "ForAllValues:Null",
                                         "ForAnyValue:Null",
                                         "ForSomeValues:StringEquals",
                                         "StringEquals ",
                                         "BinaryLike",
                                         "BoolNot" };
    const struct condition_operator *op;
    enum condition_set set;
    bool if_exists;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (condition_operator_find(bytes_of_string(wrong[i]), &op, &set, &if_exists))
            fail_msg("%s is an operator", wrong[i]);
    assert_true(condition_operator_find(BYTES_LITERAL("ForAnyValue:ArnNotLikeIfExists"), &op, &set, &if_exists));
    assert_true(set == SET_FOR_ANY_VALUE && if_exists && op->is_negated && op->comparison == COMPARE_ARN);
}

static int set_up(void **state)
{
    arena = arena_new(4096);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings), cmocka_unit_test(test_numbers_and_dates), cmocka_unit_test(test_others),
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_variables),         cmocka_unit_test(test_limits),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("iam/condition", tests, set_up, tear_down);
}
