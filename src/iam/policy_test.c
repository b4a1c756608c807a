/* Documents: what is refused, in which words and where; what is taken; places of statements; limits, each reached;
 * a policy is shared by threads. */
#include "iam/bed.h"

#include <pthread.h>

#define ALLOW   "\"Effect\":\"Allow\""
#define ACTION  "\"Action\":\"cassandra:Select\""
#define RES     "\"Resource\":\"*\""
#define VERSION "\"Version\":\"2012-10-17\","

enum { THREADS = 4, REFERENCES = 10000 };

static struct error err;
static struct arena *arena;

/* ' for ", to be read more easily. */
static struct bytes quoted(const char *text)
{
    char *copy = arena_string(arena, bytes_of_string(text));

    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return bytes_of_string(copy);
}

static enum status parse(enum policy_kind kind, struct bytes text)
{
    struct policy *policy = NULL;
    enum status status = policy_parse(text, kind, &policy, &err);

    assert_true(!status == (policy != NULL));
    policy_unref(policy);
    return status;
}

struct refusal {
    enum policy_kind kind;
    const char *text, *words; /* what the message begins with */
};

static void test_refused(void **state)
{
    static const struct refusal refusals[] = {
        { POLICY_IDENTITY, "", "This policy contains invalid Json" },
        { POLICY_IDENTITY, "{", "This policy contains invalid Json" },
        { POLICY_IDENTITY, "{'a': 1,}", "This policy contains invalid Json" },
        { POLICY_IDENTITY, "[]", "Syntax errors in policy. A policy must be an object (line 1, column 1)" },
        { POLICY_IDENTITY, "{}", "Syntax errors in policy. There is no Statement" },
        { POLICY_IDENTITY, "{'Statement': []}", "Syntax errors in policy. There is no statement" },
        { POLICY_IDENTITY, "{'Statement': null}", "Syntax errors in policy. A statement must be an object" },
        { POLICY_IDENTITY, "{\n 'Statements': []}",
          "Syntax errors in policy. Unknown element \"Statements\" (line 2, column 2)" },
        { POLICY_IDENTITY, "{'statement': []}", "Syntax errors in policy. Unknown element \"statement\"" },
        { POLICY_IDENTITY, "{'Version': '2012-10-18', 'Statement': []}",
          "Syntax errors in policy. Version is \"2012-10-17\"" },
        { POLICY_IDENTITY, "{'Version': 2012, 'Statement': []}", "Syntax errors in policy. Version must be a string" },
        { POLICY_IDENTITY, "{'Version': '2012-10-17', 'Version': '2012-10-17', 'Statement': []}",
          "Syntax errors in policy. Version comes twice" },
        { POLICY_IDENTITY, "{'Id': 5, 'Statement': []}", "Syntax errors in policy. Id must be a string" },
    };
    static const struct refusal statements[] = {
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Effekt': ''",
          "Syntax errors in policy. Unknown element \"Effekt\"" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'",
          "Syntax errors in policy. Effect comes twice" },
        { POLICY_IDENTITY, "'Action': '*', 'Resource': '*'", "Syntax errors in policy. A statement has no Effect" },
        { POLICY_IDENTITY, "'Effect': 'allow', 'Action': '*', 'Resource': '*'",
          "The policy failed legacy parsing: Effect is \"Allow\" or \"Deny\"" },
        { POLICY_IDENTITY, "'Effect': ['Allow'], 'Action': '*', 'Resource': '*'",
          "Syntax errors in policy. Effect must be a string" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Resource': '*'", "Policy statement must contain actions." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': [], 'Resource': '*'",
          "Policy statement must contain actions." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*'", "Policy statement must contain resources." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'NotResource': []",
          "Policy statement must contain resources." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'NotAction': '*', 'Resource': '*'",
          "Syntax errors in policy. Action and NotAction stand in one statement" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'NotResource': '*'",
          "Syntax errors in policy. Resource and NotResource stand in one statement" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': 'Select', 'Resource': '*'",
          "Actions/Conditions must be prefaced by a vendor" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '', 'Resource': '*'",
          "Actions/Conditions must be prefaced by a vendor" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': 'a:b:c', 'Resource': '*'",
          "Actions/Condition can contain only one colon." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': 'a b:c', 'Resource': '*'", "Vendor a b is not valid" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': 'cass*:c', 'Resource': '*'", "Vendor cass* is not valid" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': ['a:b', 5], 'Resource': '*'",
          "Syntax errors in policy. Action must be a string" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': [['a:b']], 'Resource': '*'",
          "Syntax errors in policy. Action must be a string" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': 'a:\\u0000b', 'Resource': '*'",
          "Syntax errors in policy. A control character" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'keyspace'",
          "Resource keyspace must be in ARN format or \"*\"." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': ''", "Resource  must be in ARN format" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': ['*', null]",
          "Syntax errors in policy. Resource must be a string" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:oops:cassandra:r:1:x'",
          "Partition \"oops\" is not valid" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:*'",
          "Resource vendor must be fully qualified" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:cass*:r:1:x'",
          "Resource vendor must be fully qualified" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws::r:1:x'",
          "The policy failed legacy parsing" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3::x'",
          "The policy failed legacy parsing" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:sqs:r:${aws:userid}:x'",
          "Resource arn:aws:sqs:r:${aws:userid}:x has a variable before its fifth colon." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:sqs:r:1:${aws:userid'",
          "Syntax errors in policy. In \"arn" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:iam:r:123456789012:user/x'",
          "IAM resource arn:aws:iam:r:" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:iam::123456789012:users/x'",
          "IAM resource path must either be" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Principal': '*'",
          "Policy document should not specify a principal." },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Sid': 'a b'",
          "Statement IDs (SID) must be alpha-numeric" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Sid': 5",
          "Syntax errors in policy. Sid must be a string" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': []",
          "Syntax errors in policy. Condition must be an object" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Is': {}}",
          "Syntax errors in policy. Unknown condition operator \"Is\"" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': 5}",
          "Syntax errors in policy. What a condition operator is for must be an object" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'key': true}}",
          "Actions/Conditions must be prefaced by a vendor" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'a:b': []}}",
          "Syntax errors in policy. A key of Bool has no values" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'a:b': null}}",
          "Syntax errors in policy. A value of Bool must be" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'a:b': {'c': 1}}}",
          "Syntax errors in policy. A value of Bool must be" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'a:b': 'yes'}}",
          "Syntax errors in policy. Bool is \"true\" or \"false\", not \"yes\"" },
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Null': {'a:b': 'yes'}}",
          "Syntax errors in policy. Null is \"true\" or \"false\", not \"yes\"" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'a:b': true, 'A:B': false}}",
          "Syntax errors in policy. A:B comes twice in Bool" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'a:b': true}, 'Bool': {'a:c': true}}",
          "Syntax errors in policy. Bool comes twice" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'NumericEquals': {'a:b': 'x'}}",
          "Syntax errors in policy. \"x\" of NumericEquals is no number" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'DateEquals': {'a:b': 'x'}}",
          "The policy failed legacy parsing: \"x\" of DateEquals is no date" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'IpAddress': {'a:b': '1.2.3.4/33'}}",
          "Syntax errors in policy. \"1.2.3.4/33\" of IpAddress is no address" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'BinaryEquals': {'a:b': 'QUJ'}}",
          "Syntax errors in policy. \"QUJ\" of BinaryEquals is not base64" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': {'ArnLike': {'a:b': 'arn:aws:s3:*'}}",
          "Syntax errors in policy. \"arn:aws:s3:*\" of ArnLike is no ARN" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole'", "Missing required field Principal" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {}",
          "Missing required field Principal" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'AWS': []}",
          "Missing required field Principal" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': '*', 'Resource': '*'",
          "Has prohibited field Resource" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': '*', 'Principal': '*'",
          "AssumeRole policy may only specify STS AssumeRole actions." },
        { POLICY_TRUST, "'Effect': 'Allow', 'NotAction': 'sts:AssumeRole', 'Principal': '*'",
          "AssumeRole policy may only specify" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'iam:GetUser', 'Principal': '*'",
          "AssumeRole policy may only specify" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'NotPrincipal': '*'",
          "NotPrincipal may only be used with" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': 'me'",
          "Invalid principal in policy: \"me\"" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': ['*']",
          "Syntax errors in policy. Principal must be an object" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Users': '*'}",
          "Syntax errors in policy. Unknown element \"Users\"" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'AWS': '12345678901'}",
          "Invalid principal in policy: \"AWS\":\"12345678901\"" },
        { POLICY_TRUST,
          "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'AWS': 'arn:aws:iam::123456789012:user/*'}",
          "Invalid principal in policy: \"AWS\":\"arn:" },
        { POLICY_TRUST,
          "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'AWS': 'arn:aws:iam::123456789012:group/g'}",
          "Invalid principal in policy: \"AWS\":\"arn:" },
        { POLICY_TRUST,
          "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'AWS': 'arn:aws:iam::123456789012:user/'}",
          "Invalid principal in policy: \"AWS\":\"arn:" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Service': 'ec2'}",
          "Invalid principal in policy: \"SERVICE\":\"ec2\"" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Service': '*'}",
          "Invalid principal in policy: \"SERVICE\":\"*\"" },
        { POLICY_TRUST, "'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Federated': '*'}",
          "Invalid principal in policy: \"FEDERATED\":\"*\"" },
        { POLICY_RESOURCE, "'Effect': 'Allow', 'Action': 'a:b', 'Principal': '*', 'Resource': []",
          "Policy statement must contain resources." },
        { POLICY_RESOURCE, "'Effect': 'Allow', 'Action': 'a:b', 'Resource': '*'", "Missing required field Principal" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(refusals) + ARRAY_SIZE(statements); i++) {
        const struct refusal *refusal = i < ARRAY_SIZE(refusals) ? &refusals[i] : &statements[i - ARRAY_SIZE(refusals)];
        const char *text = i < ARRAY_SIZE(refusals)
                               ? refusal->text
                               : arena_printf(arena, "{'Version': '2012-10-17', 'Statement': [{%s}]}", refusal->text);

        if (parse(refusal->kind, quoted(text)) != ERR_INVALID ||
            strncmp(err.message, refusal->words, strlen(refusal->words)) != 0)
            fail_msg("%s\n%s", text, err.message);
    }
}

static void test_taken(void **state)
{
    static const struct {
        enum policy_kind kind;
        const char *statement;
    } taken[] = {
        { POLICY_IDENTITY, "'Effect': 'Allow', 'Action': '*', 'Resource': '*'" },
        { POLICY_IDENTITY,
          "'Effect': 'Deny', 'NotAction': ['*:*', 'IAM:get?ser'], 'NotResource': ['arn:aws:cassandra:*', 'arn:aws:s3:::b/*']" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': 'iam:*', 'Resource': ['arn:aws:iam::*:user/${aws:username}', 'arn:aws:iam::123456789012:*']" },
        { POLICY_IDENTITY, "'Sid': '', 'Effect': 'Allow', 'Action': 'a-b.c:d', 'Resource': '*', 'Condition': {}" },
        { POLICY_IDENTITY,
          "'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:cassandra:r:1:x/${aws:PrincipalTag/\\u4e2d, 'none'}'" },
        { POLICY_TRUST,
          "'Effect': 'Allow', 'Action': ['sts:AssumeRole', 'STS:TagSession'], 'Principal': {'AWS': ['*', '123456789012',"
          " 'arn:aws:iam::123456789012:root', 'arn:aws:iam::123456789012:role/p/r', 'AIDACKCEVSQ6C2EXAMPLE',"
          " 'arn:aws:sts::123456789012:assumed-role/r/s', 'arn:aws:sts::123456789012:federated-user/f'],"
          " 'Service': 'replication.cassandra.amazonaws.com', 'Federated': ['accounts.google.com',"
          " 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com']}" },
        { POLICY_TRUST,
          "'Effect': 'Deny', 'Action': 'sts:*', 'NotPrincipal': {'AWS': 'arn:aws-cn:iam::123456789012:user/u'}" },
        { POLICY_RESOURCE, "'Sid': 'any words', 'Effect': 'Allow', 'Action': 'kms:*', 'Principal': '*'" },
        { POLICY_RESOURCE, "'Effect': 'Allow', 'Action': '*', 'Principal': {'AWS': '*'}, 'Resource': '*'" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        char *text = arena_printf(arena, "{'Version': '2012-10-17', 'Id': 'x', 'Statement': {%s}}", taken[i].statement);
        struct bytes json = quoted(text);
        char *none = memmem(json.data, json.size, "\"none\"", 6);

        if (none)
            none[0] = none[5] = '\'';
        if (parse(taken[i].kind, json))
            fail_msg("%s\n%s", text, err.message);
    }
    /* Without a Version nothing is a variable, so what looks like a broken one is a text. */
    assert_int_equal(parse(POLICY_IDENTITY,
                           quoted("{'Statement': {'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::${x'}}")),
                     OK);
    assert_int_equal(parse(POLICY_IDENTITY,
                           quoted("{'Statement': {'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::${x'},"
                                  " 'Version': '2012-10-17'}")),
                     ERR_INVALID);
    assert_int_equal(
        parse(POLICY_IDENTITY, quoted("{'Statement': [{'Sid': 'a', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'},"
                                      " {'Sid': 'a', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]}")),
        ERR_INVALID);
    assert_memory_equal(err.message, "Statement IDs (SID) in a single policy must be unique.", 54);
}

/* A long name is quoted as far as it tells which it is, and a message never cuts a character. */
static void test_long_words(void **state)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    buffer_append_string(&text, "{\"");
    for (int i = 0; i < 3000; i++)
        buffer_append_string(&text, "\xc3\xa9");
    buffer_append_string(&text, "\":1}");
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&text)), ERR_INVALID);
    assert_in_range(strlen(err.message), 200, 300);
    assert_non_null(strstr(err.message, "\xc3\xa9\" (line 1, column 2)"));
}

static void test_characters(void **state)
{
    assert_int_equal(
        parse(POLICY_IDENTITY,
              quoted("{'Id': '\xc3\xbf',\n 'Statement': {'Effect': 'Allow', 'Action': '*', 'Resource': '*'}}")),
        OK);
    assert_int_equal(
        parse(
            POLICY_IDENTITY,
            quoted(
                "{'Id': '\xc3\xbf',\n 'Statement': {'Sid': '\xc4\x80', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'}}")),
        ERR_INVALID);
    assert_string_equal(err.message,
                        "Syntax errors in policy. A policy has no characters past U+00FF (line 2, column 24)");
    assert_int_equal(parse(POLICY_IDENTITY, quoted("{'Id': '\xff'}")), ERR_INVALID);
}

/* ---- places ---- */

static void check_places(const char *text, const uint32_t (*places)[4], size_t count)
{
    CLEANUP(policy_unref) struct policy *policy = bed_policy(POLICY_IDENTITY, bytes_of_string(text));

    assert_int_equal(policy_statement_count(policy), count);
    for (uint32_t i = 0; i < count; i++) {
        struct policy_statement_view view = policy_statement_at(policy, i);

        if (view.start.line != places[i][0] || view.start.column != places[i][1] || view.end.line != places[i][2] ||
            view.end.column != places[i][3])
            fail_msg("%s\n%u: %u.%u to %u.%u", text, i, view.start.line, view.start.column, view.end.line,
                     view.end.column);
    }
}

/* The first is the example of `aws iam simulate-custom-policy`, the third has the shape of AmazonS3ReadOnlyAccess in the examples of
 * SimulatePrincipalPolicy: both with the places that AWS tells. */
static void test_places(void **state)
{
    check_places("{" VERSION "\"Statement\":{" ALLOW ",\"Action\":\"dynamodb:*\"," RES
                 ",\"Condition\":{\"DateGreaterThan\":{\"aws:CurrentTime\":\"2018-08-16T12:00:00Z\"}}}}",
                 (const uint32_t[][4]){ { 1, 38, 1, 167 } }, 1);
    check_places("{\n  \"Version\":\"2012-10-17\",\n  \"Statement\":{\n    " ALLOW ",\n    " ACTION ",\n    " RES
                 "\n  }\n}",
                 (const uint32_t[][4]){ { 3, 16, 7, 4 } }, 1);
    check_places("{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      " ALLOW
                 ",\n      \"Action\": [\n        \"s3:Get*\",\n"
                 "        \"s3:List*\"\n      ],\n      " RES "\n    }\n  ]\n}",
                 (const uint32_t[][4]){ { 3, 17, 11, 6 } }, 1);
    check_places("{\"Statement\":[{" ALLOW "," ACTION "," RES "} ,\r\n\r{" ALLOW "," ACTION "," RES "}]}",
                 (const uint32_t[][4]){ { 1, 15, 1, 76 }, { 1, 76, 3, 62 } }, 2);
    check_places("{\"Id\":\"\xc3\xa9\xc3\xa9\",\"Statement\":{" ALLOW "," ACTION "," RES "}}",
                 (const uint32_t[][4]){ { 1, 25, 1, 85 } }, 1);
}

/* ---- limits ---- */

static void repeat(struct buffer *out, const char *text, size_t count, const char *between)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? between : "");
        buffer_append_string(out, text);
    }
}

static void check_limit(const char *before, const char *text, size_t max, const char *between, const char *after,
                        const char *words)
{
    for (size_t more = 0; more < 2; more++) {
        CLEANUP(buffer_fini) struct buffer out = { 0 };
        struct policy *policy = NULL;

        buffer_append_string(&out, before);
        repeat(&out, text, max + more, between);
        buffer_append_string(&out, after);
        assert_true(more || out.size <= POLICY_TEXT_MAX);
        if (more) {
            assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&out)), ERR_LIMIT);
            assert_non_null(strstr(err.message, words));
            continue;
        }
        policy = bed_policy(POLICY_IDENTITY, buffer_bytes(&out));
        assert_in_range(policy_bytes(policy), 1000, 1 << 20);
        policy_unref(policy);
    }
}

/* So many keys in a condition. */
static void write_keys(struct buffer *out, unsigned count)
{
    buffer_append_string(out, "{\"Statement\":{" ALLOW "," ACTION "," RES ",\"Condition\":{\"Null\":{");
    for (unsigned i = 0; i < count; i++)
        buffer_printf(out, "%s\"a:%u\":\"true\"", i ? "," : "", i);
    buffer_append_string(out, "}}}}");
}

static void test_limits(void **state)
{
    CLEANUP(buffer_fini) struct buffer keys = { 0 }, more = { 0 }, deep = { 0 }, whole = { 0 };
    size_t size;

    check_limit("{\"Statement\":[", "{" ALLOW ",\"Action\":\"*\"," RES "}", POLICY_STATEMENTS_MAX, ",", "]}",
                "statements");
    check_limit("{\"Statement\":{" RES ",\"Action\":[", "\"*\"", POLICY_VALUES_MAX - 1, ",", "],\"Effect\":\"Deny\"}}",
                "values");
    write_keys(&keys, POLICY_TESTS_MAX);
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&keys)), OK);
    write_keys(&more, POLICY_TESTS_MAX + 1);
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&more)), ERR_LIMIT);
    repeat(&deep, "{\"Statement\":", 10000, "");
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&deep)), ERR_INVALID);
    buffer_append_string(&whole, "{\"Statement\":{" ALLOW "," ACTION "," RES "}}");
    size = whole.size;
    memset(buffer_extend(&whole, POLICY_TEXT_MAX - size), ' ', POLICY_TEXT_MAX - size);
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&whole)), OK);
    buffer_append_string(&whole, " ");
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&whole)), ERR_LIMIT);
}

/* Each is a text and a key too. */
static void test_variables(void **state)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    struct policy *policy;

    buffer_append_string(&text, "{" VERSION "\"Statement\":{" ALLOW "," ACTION ",\"Resource\":\"arn:aws:s3:::");
    repeat(&text, "${a:b}", POLICY_VARIABLES_MAX, "");
    buffer_append_string(&text, "\"}}");
    policy = bed_policy(POLICY_IDENTITY, buffer_bytes(&text));
    assert_int_equal(policy_key_count(policy), POLICY_VARIABLES_MAX);
    assert_in_range(policy_bytes(policy), POLICY_VARIABLES_MAX * 5, 1 << 20);
    policy_unref(policy);
    text.size -= 3;
    buffer_append_string(&text, "${a:b}\"}}");
    assert_int_equal(parse(POLICY_IDENTITY, buffer_bytes(&text)), ERR_LIMIT);
    assert_non_null(strstr(err.message, "variables"));
}

/* ---- sharing ---- */

static void *use(void *from)
{
    struct policy *policy = from;

    for (int i = 0; i < REFERENCES; i++)
        policy_unref(policy_ref(policy));
    policy_unref(policy);
    return NULL;
}

static void test_threads(void **state)
{
    struct policy *policy =
        bed_policy(POLICY_IDENTITY, BYTES_LITERAL("{\"Statement\":{" ALLOW "," ACTION "," RES "}}"));
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, policy_ref(policy)), 0);
    policy_unref(policy);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    policy_unref(NULL);
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
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_taken),   cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_characters), cmocka_unit_test(test_places),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_variables),  cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("iam/policy", tests, set_up, tear_down);
}
