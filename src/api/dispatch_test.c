/* Requests as official clients send them, and what could be taken for two: each has one service, operation and protocol, or is no request
 * for an API at all. */
#include "api/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { HEADERS = 3 };

static const char *const models[] = {
    ("service keyspaces\nid KeyspacesService\nsigning cassandra\nversion 2022-02-10\nprotocols json-1.0 cbor\n"
     "operation CreateKeyspace ->\noperation TagResource ->\n"),
    ("service tagging\nid Tagging_2017\nsigning tagging\nversion 2017-01-26\nprotocols json-1.1 cbor\noperation TagResource ->\n"),
    ("service trail\nid com.amazonaws.v1.Trail_2013\nsigning trail\nversion 2013-11-01\nprotocols json-1.1\noperation Look ->\n"),
    ("service sts\nid S\nsigning sts\nversion 2011-06-15\nprotocols query\noperation GetCallerIdentity ->\n"),
    ("service iam\nid I\nsigning iam\nversion 2010-05-08\nprotocols query\noperation TagResource ->\noperation Twice ->\n"),
    ("service sns\nid N\nsigning sns\nversion 2010-03-31\nprotocols query\noperation TagResource ->\n"),
    ("service one\nid A\nsigning one\nversion 2000-01-01\nprotocols query\noperation Twice ->\n"),
    ("service two\nid B\nsigning two\nversion 2000-01-01\nprotocols query\noperation Twice ->\n"),
};

enum { MODELS = ARRAY_SIZE(models) };

static struct arena *arena;
static struct model_service *parsed[MODELS];
static struct dispatch_services services = { (const struct model_service *const *)parsed, MODELS };

struct trial {
    const char *method, *target;
    const char *headers[HEADERS][2];
    const char *body, *scope;
    const char *service, *operation; /* NULL: none of ours */
    enum model_protocol protocol;
    const char *name; /* as it is counted, if it is none of ours */
};

#define JSON_TYPE "application/x-amz-json-1.0"
#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define FORM                      \
    {                             \
        "Content-Type", FORM_TYPE \
    }
#define CBOR                             \
    {                                    \
        "smithy-protocol", "rpc-v2-cbor" \
    }
#define IDENTITY "Action=GetCallerIdentity&Version=2011-06-15"

static int set_up(void **state)
{
    struct error err = { 0 };

    arena = arena_new(65536);
    for (size_t i = 0; i < MODELS; i++)
        if (model_parse(arena, bytes_of_string(models[i]), &parsed[i], &err))
            fail_msg("%s", err.message);
    return 0;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < MODELS; i++)
        model_release(parsed[i]);
    arena_free(arena);
    return 0;
}

static bool dispatch(const struct trial *trial, struct dispatch *result)
{
    struct bytes_pair *headers = arena_new_array(arena, struct bytes_pair, HEADERS);
    struct http_request request = { .method = bytes_of_string(trial->method), .headers = headers, .arena = arena };

    for (size_t i = 0; i < HEADERS && trial->headers[i][0]; i++)
        headers[request.header_count++] =
            (struct bytes_pair){ bytes_of_string(trial->headers[i][0]), bytes_of_string(trial->headers[i][1]) };
    assert_int_equal(http_request_parse_target(&request, bytes_of_string(trial->target), 16), 0);
    return dispatch_request(&services, &request, bytes_of_string(trial->body ? trial->body : ""),
                            trial->scope ? bytes_of_string(trial->scope) : bytes_of(NULL, 0), result);
}

static void run(const struct trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct trial *trial = &trials[i];
        struct dispatch to;

        if (!dispatch(trial, &to))
            fail_msg("trial %zu is no request for an API", i);
        if (to.protocol != trial->protocol)
            fail_msg("trial %zu: protocol %d", i, to.protocol);
        if ((to.service == NULL) != (trial->service == NULL) || (to.operation == NULL) != (trial->operation == NULL))
            fail_msg("trial %zu: service %s, operation %s", i, to.service ? to.service->name : "none",
                     to.operation ? to.operation->name : "none");
        if (trial->service)
            assert_string_equal(to.service->name, trial->service);
        if (trial->operation)
            assert_string_equal(to.operation->name, trial->operation);
        if (trial->name)
            assert_string_equal(arena_printf(arena, "%.*s.%.*s", BYTES(to.service_name), BYTES(to.operation_name)),
                                trial->name);
    }
}

static void test_json(void **state)
{
    static const struct trial trials[] = {
        { "POST",
          "/",
          { { "Content-Type", JSON_TYPE }, { "X-Amz-Target", "KeyspacesService.CreateKeyspace" } },
          "{}",
          "cassandra",
          "keyspaces",
          "CreateKeyspace",
          PROTOCOL_JSON_1_0,
          NULL },
        { "POST",
          "/proxy/",
          { { "Content-Type", "application/x-amz-json-1.1" }, { "x-amz-target", "Tagging_2017.TagResource" } },
          "{}",
          "tagging",
          "tagging",
          "TagResource",
          PROTOCOL_JSON_1_1,
          NULL },
        /* Dots in the id; a content type with a parameter, another version than the usual, none, another's. */
        { "POST",
          "/",
          { { "X-Amz-Target", "com.amazonaws.v1.Trail_2013.Look" } },
          "",
          "trail",
          "trail",
          "Look",
          PROTOCOL_JSON_1_1,
          NULL },
        { "POST",
          "/",
          { { "Content-Type", "Application/X-Amz-Json-1.0 ; charset=utf-8" },
            { "X-Amz-Target", "Tagging_2017.TagResource" } },
          "",
          NULL,
          "tagging",
          "TagResource",
          PROTOCOL_JSON_1_0,
          NULL },
        { "POST",
          "/",
          { { "Content-Type", "text/plain" }, { "X-Amz-Target", "Tagging_2017.TagResource" } },
          "",
          NULL,
          "tagging",
          "TagResource",
          PROTOCOL_JSON_1_1,
          NULL },
        { "POST",
          "/",
          { { "Content-Type", "text/plain" }, { "X-Amz-Target", "KeyspacesService.TagResource" } },
          "",
          NULL,
          "keyspaces",
          "TagResource",
          PROTOCOL_JSON_1_0,
          NULL },
        /* Not known: the operation, the service, a part of an id, another case, a service of another protocol. */
        { "POST",
          "/",
          { { "X-Amz-Target", "KeyspacesService.Nothing" } },
          "",
          NULL,
          "keyspaces",
          NULL,
          PROTOCOL_JSON_1_0,
          "KeyspacesService.Nothing" },
        { "POST",
          "/",
          { { "X-Amz-Target", "DynamoDB_20120810.ListTables" } },
          "",
          "dynamodb",
          NULL,
          NULL,
          PROTOCOL_JSON_1_0,
          "DynamoDB_20120810.ListTables" },
        { "POST",
          "/",
          { { "X-Amz-Target", "Trail_2013.Look" } },
          "",
          NULL,
          NULL,
          NULL,
          PROTOCOL_JSON_1_0,
          "Trail_2013.Look" },
        { "POST",
          "/",
          { { "X-Amz-Target", "keyspacesservice.CreateKeyspace" } },
          "",
          NULL,
          NULL,
          NULL,
          PROTOCOL_JSON_1_0,
          NULL },
        { "POST", "/", { { "X-Amz-Target", "S.GetCallerIdentity" } }, "", NULL, NULL, NULL, PROTOCOL_JSON_1_0, NULL },
        { "POST",
          "/",
          { { "X-Amz-Target", "CreateKeyspace" } },
          "",
          NULL,
          NULL,
          NULL,
          PROTOCOL_JSON_1_0,
          ".CreateKeyspace" },
        { "POST", "/", { { "X-Amz-Target", "" } }, "", NULL, NULL, NULL, PROTOCOL_JSON_1_0, "." },
        { "GET",
          "/",
          { { "X-Amz-Target", "KeyspacesService.CreateKeyspace" } },
          "",
          NULL,
          NULL,
          NULL,
          PROTOCOL_JSON_1_0,
          NULL },
    };

    run(trials, ARRAY_SIZE(trials));
}

static void test_cbor(void **state)
{
    static const struct trial trials[] = {
        { "POST",
          "/service/KeyspacesService/operation/CreateKeyspace",
          { CBOR },
          "\xa0",
          "cassandra",
          "keyspaces",
          "CreateKeyspace",
          PROTOCOL_CBOR,
          NULL },
        { "POST",
          "/a/b/service/Tagging_2017/operation/TagResource",
          { CBOR },
          "",
          NULL,
          "tagging",
          "TagResource",
          PROTOCOL_CBOR,
          NULL },
        /* By its path alone; in its normal form; a header of another protocol. */
        { "POST",
          "/service/KeyspacesService/operation/TagResource",
          { { "smithy-protocol", "rpc-v2-json" } },
          "",
          NULL,
          "keyspaces",
          "TagResource",
          PROTOCOL_CBOR,
          NULL },
        { "POST",
          "//service/./KeyspacesService/x/../operation/TagResource",
          { { NULL } },
          "",
          NULL,
          "keyspaces",
          "TagResource",
          PROTOCOL_CBOR,
          NULL },
        /* Not known: a service without CBOR, no path, no POST. */
        { "POST",
          "/service/com.amazonaws.v1.Trail_2013/operation/Look",
          { CBOR },
          "",
          NULL,
          NULL,
          NULL,
          PROTOCOL_CBOR,
          NULL },
        { "POST", "/", { CBOR }, "", NULL, NULL, NULL, PROTOCOL_CBOR, "cbor.POST" },
        { "POST", "/operation/CreateKeyspace", { CBOR }, "", NULL, NULL, NULL, PROTOCOL_CBOR, "cbor.POST" },
        { "GET",
          "/service/KeyspacesService/operation/CreateKeyspace",
          { CBOR },
          "",
          NULL,
          NULL,
          NULL,
          PROTOCOL_CBOR,
          NULL },
    };

    run(trials, ARRAY_SIZE(trials));
}

static void test_query(void **state)
{
    static const struct trial trials[] = {
        { "POST", "/", { FORM }, IDENTITY, "sts", "sts", "GetCallerIdentity", PROTOCOL_QUERY, NULL },
        { "GET", "/?" IDENTITY, { { NULL } }, "", "sts", "sts", "GetCallerIdentity", PROTOCOL_QUERY, NULL },
        { "HEAD", "/?" IDENTITY, { { NULL } }, "", "sts", "sts", "GetCallerIdentity", PROTOCOL_QUERY, NULL },
        /* Unsigned: by the version; one that two services have is a guess. */
        { "POST", "/", { FORM }, IDENTITY, NULL, "sts", "GetCallerIdentity", PROTOCOL_QUERY, NULL },
        { "POST",
          "/",
          { FORM },
          "Action=TagResource&Version=2010-03-31",
          NULL,
          "sns",
          "TagResource",
          PROTOCOL_QUERY,
          NULL },
        { "POST",
          "/",
          { FORM },
          "Action=Twice&Version=2000-01-01",
          NULL,
          NULL,
          NULL,
          PROTOCOL_QUERY,
          "2000-01-01.Twice" },
        { "POST", "/", { FORM }, "Action=Twice&Version=2000-01-01", "two", "two", "Twice", PROTOCOL_QUERY, NULL },
        /* Never by the action alone. */
        { "POST",
          "/",
          { FORM },
          "Action=GetCallerIdentity",
          NULL,
          NULL,
          NULL,
          PROTOCOL_QUERY,
          "query.GetCallerIdentity" },
        { "POST",
          "/",
          { FORM },
          "Action=TagResource&Version=2010-05-08",
          "iam",
          "iam",
          "TagResource",
          PROTOCOL_QUERY,
          NULL },
        /* Signed for one service with another's version, for none of ours, for one that speaks otherwise. */
        { "POST", "/", { FORM }, IDENTITY, "iam", "iam", NULL, PROTOCOL_QUERY, "iam.GetCallerIdentity" },
        { "POST", "/", { FORM }, "Action=TagResource&Version=2010-03-31", "iam", "iam", NULL, PROTOCOL_QUERY, NULL },
        { "POST", "/", { FORM }, "Action=GetCallerIdentity", "sts", "sts", NULL, PROTOCOL_QUERY, NULL },
        { "POST", "/", { FORM }, IDENTITY, "ec2", NULL, NULL, PROTOCOL_QUERY, "ec2.GetCallerIdentity" },
        { "POST", "/", { FORM }, IDENTITY, "cassandra", NULL, NULL, PROTOCOL_QUERY, NULL },
        { "PUT", "/?" IDENTITY, { { NULL } }, "", "sts", "sts", NULL, PROTOCOL_QUERY, NULL },
        /* Both a form and a query string: the form's, if it has an action. */
        { "POST",
          "/?" IDENTITY,
          { FORM },
          "Action=TagResource&Version=2010-05-08",
          NULL,
          "iam",
          "TagResource",
          PROTOCOL_QUERY,
          NULL },
        { "POST", "/?" IDENTITY, { FORM }, "a=b", NULL, "sts", "GetCallerIdentity", PROTOCOL_QUERY, NULL },
        { "POST", "/", { FORM }, "Action=&Version=2011-06-15", NULL, "sts", NULL, PROTOCOL_QUERY, "2011-06-15." },
    };

    run(trials, ARRAY_SIZE(trials));
}

/* One mark decides, in the order of dispatch.h. */
static void test_ambiguous(void **state)
{
    static const struct trial trials[] = {
        { "POST",
          "/?" IDENTITY,
          { FORM, { "X-Amz-Target", "KeyspacesService.TagResource" } },
          IDENTITY,
          "sts",
          "keyspaces",
          "TagResource",
          PROTOCOL_JSON_1_0,
          NULL },
        { "POST",
          "/",
          { FORM, { "X-Amz-Target", "Nobody.TagResource" } },
          IDENTITY,
          "sts",
          NULL,
          NULL,
          PROTOCOL_JSON_1_0,
          NULL },
        { "POST",
          "/service/Tagging_2017/operation/TagResource",
          { CBOR, { "X-Amz-Target", "KeyspacesService.TagResource" }, FORM },
          IDENTITY,
          "sts",
          "tagging",
          "TagResource",
          PROTOCOL_CBOR,
          NULL },
    };

    run(trials, ARRAY_SIZE(trials));
}

static void test_others(void **state)
{
    static const struct trial trials[] = {
        { "GET", "/2015-03-31/functions/", { { NULL } }, "", "lambda", NULL, NULL, PROTOCOL_REST_JSON, "lambda.GET" },
        { "GET", "/", { { NULL } }, "", "s3", NULL, NULL, PROTOCOL_QUERY, "s3.GET" },
        { "POST", "/", { { "Content-Type", "text/plain" } }, IDENTITY, "sts", "sts", NULL, PROTOCOL_QUERY, "sts.POST" },
        { "POST", "/", { { NULL } }, "{}", "tagging", "tagging", NULL, PROTOCOL_JSON_1_1, "tagging.POST" },
    };
    static const struct trial none[] = {
        { "GET", "/", { { NULL } } },
        { "POST", "/", { { "Content-Type", "application/json" } }, "{}" },
        { "POST", "/", { FORM }, "a=b&action=x" },
        { "POST", "/", { { "Content-Type", "text/plain" } }, IDENTITY },
        { "GET", "/service/KeyspacesService/operation/", { { NULL } } },
        { "GET", "/services/KeyspacesService/operation/TagResource", { { NULL } } },
        { "GET", "/service/KeyspacesService/operations/TagResource", { { NULL } } },
        { "POST", "/", { { "Content-Type", "application/x-www-form-urlencodedx" } }, IDENTITY },
    };
    struct dispatch to;

    run(trials, ARRAY_SIZE(trials));
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        if (dispatch(&none[i], &to))
            fail_msg("%zu is taken for a request for an API", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),      cmocka_unit_test(test_cbor),   cmocka_unit_test(test_query),
        cmocka_unit_test(test_ambiguous), cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
