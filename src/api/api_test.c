/* From a request's bytes to its answer's, by services of our own: every protocol, the caller, faults of each step, what comes from web pages,
 * compressed bodies, what is not known. */
#include "api/api.h"
#include "api/unknown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>
#include <cmocka.h>

enum { HEADERS = 8 };

#define MEMBERS                                                                                                                  \
    "namespace com.example\nstring Name 1..3\nstructure In name!:Name\nstructure Out said:String account:String region:String\n" \
    "error Gone 404 code NoSuchThing message:String where:String\noperation Echo In -> Out ! Gone\noperation Drop ->\n"          \
    "operation Later ->\n"

static bool echo(struct api_call *call)
{
    if (bytes_equal(tree_string(call->input, "name"), BYTES_LITERAL("no"))) {
        api_fail(call, "Gone", "It is %s", "gone");
        api_fail_detail(call, "where", BYTES_LITERAL("there"));
        return false;
    }
    tree_set_string(call->arena, call->output, "said", tree_string(call->input, "name"));
    tree_set_string(call->arena, call->output, "account", call->caller.account);
    tree_set_string(call->arena, call->output, "region", call->caller.region);
    return true;
}

static bool drop(struct api_call *call)
{
    ++*(int *)call->context;
    return call->output == NULL;
}

static const struct api_handler handlers[] = { { "Echo", echo, false }, { "Drop", drop, true } };
static int drops;
static const struct api_service services[] = {
    { "service json\nid J\nsigning jay\nversion 1\nprotocols json-1.1 cbor\nquery-compatible\n" MEMBERS, handlers, 2 },
    { "service form\nid F\nsigning eff\nversion 2000-01-01\nxmlns urn:f\nprotocols query\n" MEMBERS, handlers, 2 },
    { "service plain\nid P\nsigning pee\nversion 1\nprotocols json-1.0\n" MEMBERS, handlers, 2 },
};

static struct arena *arena;
static struct api *api;
static struct http_request request;
static struct http_response response;
static struct bytes_pair headers[HEADERS];

static void same_id(void *to, size_t size)
{
    memset(to, 0xab, size);
}

#define ID "abababab-abab-4bab-abab-abababababab"

static int set_up(void **state)
{
    struct api_options options = {
        .services = services, .service_count = ARRAY_SIZE(services), .random = same_id, .context = &drops
    };
    struct error err;

    drops = 0;
    arena = arena_new(65536);
    if (api_open(&options, &api, &err))
        fail_msg("%s", err.message);
    return 0;
}

static int tear_down(void **state)
{
    buffer_fini(&response.body);
    api_close(api);
    arena_free(arena);
    return 0;
}

/* ---- making requests ---- */

static void begin(const char *method, const char *target, struct bytes body)
{
    buffer_fini(&response.body);
    response = (struct http_response){ .arena = arena };
    request =
        (struct http_request){ .method = bytes_of_string(method), .headers = headers, .body = body, .arena = arena };
    assert_int_equal(http_request_parse_target(&request, bytes_of_string(target), 32), 0);
}

static void add(const char *name, const char *value)
{
    assert_true(request.header_count < HEADERS);
    headers[request.header_count++] = (struct bytes_pair){ bytes_of_string(name), bytes_of_string(value) };
}

static void sign(const char *key, const char *service)
{
    add("Host", "h");
    add("X-Amz-Date", "20260102T030405Z");
    add("Authorization",
        arena_printf(
            arena,
            "AWS4-HMAC-SHA256 Credential=%s/20260102/eu-north-1/%s/aws4_request, SignedHeaders=host;x-amz-date%s, "
            "Signature=720f50ae06f705439bba63ba66f7afe32b2ff9b0232fde9cf70914c963b72ca4",
            key, service, strcmp(service, "jay") && strcmp(service, "pee") ? "" : ";x-amz-target"));
}

static void begin_json(const char *target, const char *body)
{
    begin("POST", "/", bytes_of_string(body));
    add("Content-Type", "application/x-amz-json-1.1");
    add("X-Amz-Target", target);
}

static void begin_form(const char *body)
{
    begin("POST", "/", bytes_of_string(body));
    add("Content-Type", "application/x-www-form-urlencoded");
}

/* ---- looking at answers ---- */

static const char *header(const char *name)
{
    for (uint32_t i = 0; i < response.header_count; i++)
        if (bytes_equal(response.headers[i].name, bytes_of_string(name)))
            return arena_string(arena, response.headers[i].value);
    return "none";
}

static void assert_answer(unsigned status, const char *type, const char *body)
{
    struct bytes written;

    assert_true(api_handle(api, &request, &response));
    written = buffer_bytes(&response.body);
    if (response.status != status || strcmp(arena_string(arena, written), body))
        fail_msg("%u %s", response.status, arena_string(arena, written));
    assert_string_equal(header("Content-Type"), type);
    assert_string_equal(header("x-amzn-RequestId"), ID);
    assert_false(response.is_broken);
}

#define JSON_TYPE             "application/x-amz-json-1.1"
#define COMMON(name, message) "{\"__type\":\"com.amazon.coral.service#" name "\",\"message\":\"" message "\"}"
#define ERROR(code, message)                                                                              \
    "<Error><Type>Sender</Type><Code>" code "</Code><Message>" message "</Message></Error><RequestId>" ID \
    "</RequestId></ErrorResponse>"
#define SAID(account) "{\"said\":\"abc\",\"account\":\"" account "\",\"region\":\"eu-north-1\"}"

static void test_json(void **state)
{
    begin_json("J.Echo", "{\"name\":\"abc\"}");
    sign("AKIDEXAMPLE", "jay");
    assert_answer(200, JSON_TYPE, SAID("000000000000"));
    begin_json("J.Drop", "");
    sign("AKIDEXAMPLE", "jay");
    assert_answer(200, JSON_TYPE, "{}");
    begin_json("J.Echo", "{\"name\":\"no\"}");
    sign("AKIDEXAMPLE", "jay");
    assert_answer(404, JSON_TYPE, "{\"__type\":\"com.example#Gone\",\"message\":\"It is gone\",\"where\":\"there\"}");
    assert_string_equal(header("x-amzn-query-error"), "none");
    /* Its own version, whatever another service's is. */
    begin("POST", "/", BYTES_LITERAL("{\"name\":\"abc\"}"));
    add("X-Amz-Target", "P.Echo");
    sign("AKIDEXAMPLE", "pee");
    assert_answer(200, "application/x-amz-json-1.0", SAID("000000000000"));
}

static void test_wrong_input(void **state)
{
    begin_json("J.Echo", "{\"name\":\"abcd\"}");
    sign("K", "jay");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(arena_string(arena, buffer_bytes(&response.body)), "ValidationException"));
    begin_json("J.Echo", "{\"name\":");
    sign("K", "jay");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(arena_string(arena, buffer_bytes(&response.body)), "SerializationException"));
    begin_form("Action=Echo&Version=2000-01-01");
    sign("K", "eff");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(arena_string(arena, buffer_bytes(&response.body)), "<Code>ValidationError</Code>"));
}

static void test_accounts(void **state)
{
    static const char *const cases[][2] = {
        { "123456789012", "123456789012" }, { "12345678901", "000000000000" },  { "1234567890123", "000000000000" },
        { "12345678901x", "000000000000" }, { "AKIDEXAMPLE1", "000000000000" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin_json("J.Echo", "{\"name\":\"abc\"}");
        sign(cases[i][0], "jay");
        assert_true(api_handle(api, &request, &response));
        assert_int_equal(response.status, 200);
        assert_non_null(strstr(arena_string(arena, buffer_bytes(&response.body)), cases[i][1]));
    }
}

/* Browsers say by which page's wish a request comes, and forms need no leave. */
static void test_web_pages(void **state)
{
    static const char *const sites[] = { "cross-site", "same-site", "same-origin" };
    static const char *const own[][2] = { { "Origin", "http://h" }, /* the host that is asked */
                                          { "Origin", "HTTPS://H" },
                                          { "Sec-Fetch-Site", "same-origin" },
                                          { "Origin", "http://hh" } };

    begin_form("Action=Drop&Version=2000-01-01");
    add("Origin", "null");
    sign("K", "eff");
    assert_answer(403, "text/xml",
                  "<ErrorResponse xmlns=\"urn:f\">" ERROR(
                      "AccessDenied", "The request has an Origin: web pages may not ask for what changes something"));
    begin_json("J.Drop", "{}");
    add("Origin", "http://127.0.0.1:9080");
    sign("K", "jay");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 403);
    for (size_t i = 0; i < ARRAY_SIZE(sites); i++) {
        begin("GET", "/?Action=Drop&Version=2000-01-01", BYTES_LITERAL(""));
        add("Sec-Fetch-Site", sites[i]);
        sign("K", "eff");
        assert_true(api_handle(api, &request, &response));
        assert_int_equal(response.status, 403);
    }
    assert_int_equal(drops, 0);
    begin("GET", "/?Action=Drop&Version=2000-01-01", BYTES_LITERAL(""));
    add("Sec-Fetch-Site", "none");
    sign("K", "eff");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 200);
    assert_int_equal(drops, 1);
    /* What changes nothing may be asked; the page is not shown the answer, unless it is of the address that it asks. */
    begin_json("J.Echo", "{\"name\":\"abc\"}");
    add("Origin", "https://example.com");
    sign("K", "jay");
    assert_answer(200, JSON_TYPE, SAID("000000000000"));
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        begin_json("J.Echo", "{\"name\":\"abc\"}");
        add(own[i][0], own[i][1]);
        sign("K", "jay");
        assert_true(api_handle(api, &request, &response));
        assert_int_equal(response.status, i < ARRAY_SIZE(own) - 1 ? 403 : 200);
    }
}

static void test_regions(void **state)
{
    static const char *const bad[] = {
        "EU-NORTH-1", "a:b", "eu north", "", "eu-north-1-eu-north-1-eu-north-1-", "\xff"
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        begin_json("J.Echo", "{\"name\":\"abc\"}");
        sign("K", "jay");
        headers[request.header_count - 1].value =
            bytes_of_string(arena_printf(arena,
                                         "AWS4-HMAC-SHA256 Credential=K/20260102/%s/jay/aws4_request, "
                                         "SignedHeaders=host;x-amz-date;x-amz-target, "
                                         "Signature=720f50ae06f705439bba63ba66f7afe32b2ff9b0232fde9cf70914c963b72ca4",
                                         bad[i]));
        assert_true(api_handle(api, &request, &response));
        assert_int_equal(response.status, 400);
    }
}

static void test_cbor(void **state)
{
    begin("POST", "/service/J/operation/Echo", BYTES_LITERAL("\xa1\x64name\x62no"));
    add("smithy-protocol", "rpc-v2-cbor");
    add("Content-Type", "application/cbor");
    add("x-amzn-query-mode", "true");
    sign("K", "jay");
    /* There is no target to be signed. */
    headers[request.header_count - 1].value =
        bytes_of_string("AWS4-HMAC-SHA256 Credential=K/20260102/r/jay/aws4_request, SignedHeaders=host;x-amz-date, "
                        "Signature=720f50ae06f705439bba63ba66f7afe32b2ff9b0232fde9cf70914c963b72ca4");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 404);
    assert_string_equal(header("Content-Type"), "application/cbor");
    assert_string_equal(header("smithy-protocol"), "rpc-v2-cbor");
    assert_string_equal(header("x-amzn-query-error"), "NoSuchThing;Sender");
    /* The path alone is not enough for a body that any page could send. */
    headers[1].value = BYTES_LITERAL("text/plain");
    buffer_reset(&response.body);
    response = (struct http_response){ .arena = arena, .body = response.body };
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 415);
    begin("POST", "/service/Nobody/operation/Echo", BYTES_LITERAL("\xa0"));
    add("smithy-protocol", "rpc-v2-cbor");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_non_null(memmem(response.body.data, response.body.size, "#UnknownOperationException", 26));
}

static void test_query(void **state)
{
    begin_form("Action=Echo&Version=2000-01-01&name=abc");
    sign("K", "eff");
    assert_answer(200, "text/xml",
                  "<EchoResponse xmlns=\"urn:f\"><EchoResult><said>abc</said><account>000000000000</account>"
                  "<region>eu-north-1</region></EchoResult><ResponseMetadata><RequestId>" ID
                  "</RequestId></ResponseMetadata></EchoResponse>");
    begin_form("Action=Drop&Version=2000-01-01");
    sign("K", "eff");
    assert_answer(200, "text/xml",
                  "<DropResponse xmlns=\"urn:f\"><ResponseMetadata><RequestId>" ID
                  "</RequestId></ResponseMetadata></DropResponse>");
    begin_form("Action=Echo&Version=2000-01-01&name=no");
    sign("K", "eff");
    assert_answer(
        404, "text/xml",
        "<ErrorResponse xmlns=\"urn:f\"><Error><Type>Sender</Type><Code>NoSuchThing</Code><Message>It is gone</Message><where>there"
        "</where></Error><RequestId>" ID "</RequestId></ErrorResponse>");
    begin("GET", "/?Action=Drop&Version=2000-01-01", BYTES_LITERAL(""));
    sign("K", "eff");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 200);
}

static void test_signatures(void **state)
{
    begin_json("J.Drop", "{}");
    assert_answer(403, JSON_TYPE,
                  COMMON("MissingAuthenticationTokenException", "Request is missing Authentication Token"));
    begin_form("Action=Drop&Version=2000-01-01");
    assert_answer(403, "text/xml",
                  "<ErrorResponse xmlns=\"urn:f\">" ERROR("MissingAuthenticationToken",
                                                          "Request is missing Authentication Token"));
    begin_json("J.Drop", "{}");
    add("Authorization", "AWS4-HMAC-SHA256 nothing");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(arena_string(arena, buffer_bytes(&response.body)), "#IncompleteSignatureException"));
    begin_form("Action=Drop&Version=2000-01-01");
    add("Authorization", "AWS4-HMAC-SHA256 nothing");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(arena_string(arena, buffer_bytes(&response.body)), "<Code>IncompleteSignature</Code>"));
    /* Signed for another service than the target's. */
    begin_json("J.Drop", "{}");
    sign("K", "pee");
    assert_answer(400, JSON_TYPE,
                  COMMON("InvalidSignatureException", "Credential should be scoped to correct service: 'jay'. "));
    begin_form("Action=Drop&Version=2000-01-01");
    sign("K", "eff/x");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
}

static void test_unknown(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };

    begin_json("J.Later", "{}");
    assert_answer(400, JSON_TYPE, COMMON("UnknownOperationException", "Operation Later of J is not served here"));
    begin_json("Nobody.Knows", "{}");
    assert_answer(400, JSON_TYPE, COMMON("UnknownOperationException", "Operation Knows of Nobody is not served here"));
    begin_json("Nobody.\"\n\x80", "");
    assert_answer(400, JSON_TYPE, COMMON("UnknownOperationException", "Operation \\\"?? of Nobody is not served here"));
    begin_form("Action=Later&Version=2000-01-01");
    assert_answer(400, "text/xml",
                  "<ErrorResponse xmlns=\"urn:f\">" ERROR("InvalidAction",
                                                          "Could not find operation Later for version 2000-01-01"));
    begin_form("Action=Echo");
    assert_answer(
        400, "text/xml",
        "<ErrorResponse>" ERROR("InvalidAction", "Could not find operation Echo for version NO_VERSION_SPECIFIED"));
    begin("GET", "/2015-03-31/functions", BYTES_LITERAL(""));
    sign("K", "lambda");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 400);
    assert_string_equal(header("x-amzn-errortype"), "UnknownOperationException");
    begin("GET", "/", BYTES_LITERAL(""));
    assert_false(api_handle(api, &request, &response));
    assert_int_equal(response.header_count + response.status + response.body.size, 0);
    api_print_metrics(api, &out);
    assert_string_equal(arena_string(arena, buffer_bytes(&out)),
                        "# HELP helenus_api_unknown_total Requests for operations of AWS that are not served.\n"
                        "# TYPE helenus_api_unknown_total counter\n"
                        "helenus_api_unknown_total{name=\"json.Later\"} 1\n"
                        "helenus_api_unknown_total{name=\"Nobody.Knows\"} 1\n"
                        "helenus_api_unknown_total{name=\"form.Later\"} 1\n"
                        "helenus_api_unknown_total{name=\"query.Echo\"} 1\n"
                        "helenus_api_unknown_total{name=\"lambda.GET\"} 1\n"
                        "helenus_api_unknown_total{name=\"other\"} 1\n");
}

/* The first names are kept, later ones and long ones are counted together. */
static void test_unknown_bound(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct unknown unknown;
    char *name = arena_printf(arena, "%0*d", UNKNOWN_NAME_MAX - 2, 0);

    unknown_init(&unknown);
    unknown_count(&unknown, BYTES_LITERAL("s"), bytes_of_string(name));
    assert_int_equal(unknown.names[0].count, 1);
    unknown_count(&unknown, BYTES_LITERAL("ss"), bytes_of_string(name));
    assert_int_equal(unknown.other, 1);
    for (int i = 0; i < 2 * UNKNOWN_NAMES_MAX; i++)
        unknown_count(&unknown, BYTES_LITERAL("s"), bytes_of_string(arena_printf(arena, "o%d", i)));
    assert_int_equal(unknown.count, UNKNOWN_NAMES_MAX);
    assert_int_equal(unknown.other, 1 + 2 * UNKNOWN_NAMES_MAX - (UNKNOWN_NAMES_MAX - 1));
    unknown_count(&unknown, BYTES_LITERAL("s"), BYTES_LITERAL("o0"));
    assert_int_equal(unknown.names[1].count, 2);
    unknown_print(&unknown, &out);
    assert_true(out.size < UNKNOWN_NAMES_MAX * (UNKNOWN_NAME_MAX + 64));
    unknown_fini(&unknown);
}

/* ---- compressed bodies ---- */

static struct bytes gzip(struct bytes text)
{
    z_stream stream = { .next_in = (Bytef *)text.data, .avail_in = (uInt)text.size };
    uint8_t *to = arena_alloc(arena, text.size + 128);

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = to;
    stream.avail_out = (uInt)text.size + 128;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return bytes_of(to, stream.total_out);
}

/* The message of what is answered to Echo with this body. */
static const char *answer_to(const char *encoding, struct bytes body)
{
    begin_json("J.Echo", "");
    request.body = body;
    add("Content-Encoding", encoding);
    sign("K", "jay");
    assert_true(api_handle(api, &request, &response));
    return arena_string(arena, buffer_bytes(&response.body));
}

static void test_encodings(void **state)
{
    struct bytes text = BYTES_LITERAL("{\"name\":\"abc\"}"), small = gzip(text);
    struct bytes longer = bytes_of(arena_zalloc(arena, small.size + 1), small.size + 1);
    char *most = arena_alloc(arena, API_BODY_MAX + 1);

    memcpy((uint8_t *)longer.data, small.data, small.size);
    assert_string_equal(answer_to("gzip", small), SAID("000000000000"));
    assert_string_equal(answer_to("GZIP", small), SAID("000000000000"));
    assert_string_equal(answer_to("identity", text), SAID("000000000000"));
    for (size_t cut = 0; cut < small.size; cut++) {
        assert_non_null(strstr(answer_to("gzip", bytes_of(small.data, cut)), "not what its Content-Encoding says"));
        assert_int_equal(response.status, 400);
    }
    assert_non_null(strstr(answer_to("gzip", longer), "not what its Content-Encoding says"));
    assert_non_null(strstr(answer_to("br", text), "gzip or none"));
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(answer_to("gzip, gzip", small), "gzip or none"));
    /* Blanks are a part of JSON: as many as there may be, and one more. */
    memset(most, ' ', API_BODY_MAX + 1);
    memcpy(most, text.data, text.size);
    assert_string_equal(answer_to("gzip", gzip(bytes_of(most, API_BODY_MAX))), SAID("000000000000"));
    assert_non_null(strstr(answer_to("gzip", gzip(bytes_of(most, API_BODY_MAX + 1))), "too large"));
    /* A form is found in what is inflated. */
    begin_form("");
    request.body = gzip(BYTES_LITERAL("Action=Drop&Version=2000-01-01"));
    add("Content-Encoding", "gzip");
    sign("K", "eff");
    assert_true(api_handle(api, &request, &response));
    assert_int_equal(response.status, 200);
}

static void test_wrong_model(void **state)
{
    const struct api_service wrong[] = { services[0], { "nonsense\n", NULL, 0 } };
    struct api_options options = { .services = wrong, .service_count = 2, .random = same_id };
    struct api *none;
    struct error err;

    assert_int_equal(api_open(&options, &none, &err), ERR_INVALID);
    api_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_web_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_regions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cbor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_query, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signatures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_encodings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_model, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
