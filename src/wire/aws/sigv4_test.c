/* What botocore and AWS's test suite sign is verified, and with any byte of it changed it is not; what is missing, comes twice, is not
 * signed, old, early or for another service is refused, in words. The whole suites: tests/api/sigv4.py. */
#include "wire/aws/percent.h"
#include "wire/aws/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define KEY_ID "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define DATE   "20260102T030405Z"

enum { HEADERS = 12, NOW_S = 1767323045 };

struct trial {
    struct arena *arena;
    const char *method, *target, *body, *service;
    const char *headers[HEADERS][2];
    int64_t now_s;
    struct sigv4 sigv4;
};

static int set_up(void **state)
{
    *state = arena_new(65536);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static const char *authorization_of(struct arena *arena, const char *service, const char *names, const char *signature)
{
    return arena_printf(arena,
                        "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20260102/us-east-1/%s/aws4_request, SignedHeaders=%s, "
                        "Signature=%s",
                        service, names, signature);
}

/* CreateKeyspace as boto3 sends it. */
static struct trial json_trial(struct arena *arena)
{
    return (struct trial){
        .arena = arena,
        .method = "POST",
        .target = "/",
        .body = "{\"keyspaceName\": \"ks\"}",
        .service = "cassandra",
        .now_s = NOW_S,
        .headers = { { "Host", "127.0.0.1:9000" },
                     { "Content-Type", "application/x-amz-json-1.0" },
                     { "X-Amz-Target", "KeyspacesService.CreateKeyspace" },
                     { "X-Amz-Date", DATE },
                     { "X-Amz-Security-Token", "TOKEN" },
                     { "Authorization",
                       authorization_of(arena, "cassandra",
                                        "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
                                        "720f50ae06f705439bba63ba66f7afe32b2ff9b0232fde9cf70914c963b72ca4") } },
    };
}

/* A function's tags: an ARN in the path. */
static struct trial path_trial(struct arena *arena)
{
    return (struct trial){
        .arena = arena,
        .method = "GET",
        .target = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Af",
        .body = "",
        .service = "lambda",
        .now_s = NOW_S,
        .headers = { { "Host", "127.0.0.1:9000" },
                     { "X-Amz-Date", DATE },
                     { "X-Amz-Security-Token", "TOKEN" },
                     { "Authorization",
                       authorization_of(arena, "lambda", "host;x-amz-date;x-amz-security-token",
                                        "db0cd07233fd1a624ca415729d80e00b1e6da0fadf8a053f025784bbf51bd732") } },
    };
}

static struct trial s3_trial(struct arena *arena)
{
    return (struct trial){
        .arena = arena,
        .method = "GET",
        .target = "/bkt/a%20b//c?prefix=x%20y&list-type=2",
        .body = "",
        .service = "s3",
        .now_s = NOW_S,
        .headers = { { "Host", "127.0.0.1:9000" },
                     { "X-Amz-Date", DATE },
                     { "X-Amz-Security-Token", "TOKEN" },
                     { "X-Amz-Content-SHA256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
                     { "Authorization",
                       authorization_of(arena, "s3", "host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
                                        "8295681ebb42235fa6d6029f9dddf9382487835e0d9a20726166984c35b88445") } },
    };
}

/* The suite's get-vanilla-with-session-token, in its query. */
#define QUERY_TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
#define QUERY_BEGIN \
    "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request"
#define QUERY_REST                                                                                               \
    "&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Security-Token=" QUERY_TOKEN \
    "&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c"
enum { QUERY_S = 1440938160 };

static struct trial query_trial(struct arena *arena)
{
    return (struct trial){
        .arena = arena,
        .method = "GET",
        .target = QUERY_BEGIN QUERY_REST,
        .body = "",
        .service = "service",
        .now_s = QUERY_S,
        .headers = { { "Host", "example.amazonaws.com" } },
    };
}

static enum sigv4_result run(struct trial *trial)
{
    struct bytes_pair headers[HEADERS];
    struct sigv4_request request = { bytes_of_string(trial->method), bytes_of_string(trial->target), headers, 0,
                                     bytes_of_string(trial->body) };
    uint8_t key[SIGV4_KEY_BYTES];

    for (int i = 0; i < HEADERS; i++)
        if (trial->headers[i][0])
            headers[request.header_count++] =
                (struct bytes_pair){ bytes_of_string(trial->headers[i][0]), bytes_of_string(trial->headers[i][1]) };

    enum sigv4_result result = sigv4_parse(trial->arena, &request, &trial->sigv4);

    if (result != SIGV4_OK)
        return result;
    sigv4_key(bytes_of_string(SECRET), trial->sigv4.date, trial->sigv4.region, trial->sigv4.service, key);
    result = sigv4_verify(trial->arena, &request, &trial->sigv4, key, trial->service, trial->now_s);
    /* Whoever has another key cannot have signed it. */
    key[0] ^= 1;
    assert_int_not_equal(sigv4_verify(trial->arena, &request, &trial->sigv4, key, trial->service, trial->now_s),
                         SIGV4_OK);
    return result;
}

static void expect(struct trial trial, enum sigv4_result result, const char *words)
{
    enum sigv4_result found = run(&trial);

    if (found != result || !strstr(trial.sigv4.message, words))
        print_error("%d, not %d: '%s', not '%s'\n", (int)found, (int)result, trial.sigv4.message, words);
    assert_int_equal(found, result);
    assert_non_null(strstr(trial.sigv4.message, words));
}

/* Sets a header that the trial has or has not; NULL: takes it away. */
static struct trial with(struct trial trial, const char *name, const char *value)
{
    int i = 0;

    while (trial.headers[i][0] && strcmp(trial.headers[i][0], name) != 0)
        i++;
    assert_true(i < HEADERS - 1);
    trial.headers[i][0] = value ? name : NULL;
    trial.headers[i][1] = value;
    if (!value)
        for (; i < HEADERS - 1; i++)
            memcpy(trial.headers[i], trial.headers[i + 1], sizeof(trial.headers[i]));
    return trial;
}

static struct trial with_one_more(struct trial trial, const char *name, const char *value)
{
    int i = 0;

    while (trial.headers[i][0])
        i++;
    assert_true(i < HEADERS);
    trial.headers[i][0] = name;
    trial.headers[i][1] = value;
    return trial;
}

static void known_signatures_are_verified(void **state)
{
    struct trial trial = json_trial(*state);

    expect(trial, SIGV4_OK, "");
    expect(path_trial(*state), SIGV4_OK, "");
    expect(s3_trial(*state), SIGV4_OK, "");
    expect(query_trial(*state), SIGV4_OK, "");

    assert_int_equal(run(&trial), SIGV4_OK);
    assert_true(bytes_equal(trial.sigv4.access_key, BYTES_LITERAL(KEY_ID)));
    assert_true(bytes_equal(trial.sigv4.region, BYTES_LITERAL("us-east-1")));
    assert_true(bytes_equal(trial.sigv4.session_token, BYTES_LITERAL("TOKEN")));
    assert_false(trial.sigv4.is_query || trial.sigv4.is_payload_unsigned);
    trial = query_trial(*state);
    assert_int_equal(run(&trial), SIGV4_OK);
    assert_true(bytes_equal(trial.sigv4.session_token, BYTES_LITERAL(QUERY_TOKEN)));
    assert_true(trial.sigv4.is_query);
}

/* Each byte of a text of the trial changed, and one more: the signature, or else who it is, is another. */
static void expect_each_byte_counts(struct trial *trial, const char **text)
{
    const char *as_it_was = *text;
    size_t size = strlen(as_it_was);

    for (size_t i = 0; i <= size; i++) {
        char *changed = arena_printf(trial->arena, "%s%s", as_it_was, i == size ? "x" : "");

        changed[i] = changed[i] == 'q' ? 'r' : 'q';
        *text = changed;
        if (run(trial) == SIGV4_OK)
            assert_false(bytes_equal(trial->sigv4.access_key, BYTES_LITERAL(KEY_ID)));
    }
    *text = as_it_was;
    assert_int_equal(run(trial), SIGV4_OK);
}

static void every_byte_that_is_signed_counts(void **state)
{
    struct trial trials[] = { json_trial(*state), path_trial(*state), s3_trial(*state), query_trial(*state) };

    for (size_t t = 0; t < ARRAY_SIZE(trials); t++) {
        struct trial *trial = &trials[t];

        expect_each_byte_counts(trial, &trial->method);
        expect_each_byte_counts(trial, &trial->target);
        expect_each_byte_counts(trial, &trial->body);
        for (int i = 0; trial->headers[i][0]; i++) {
            expect_each_byte_counts(trial, &trial->headers[i][0]);
            expect_each_byte_counts(trial, &trial->headers[i][1]);
        }
    }
}

static void time_counts_both_ways(void **state)
{
    struct trial trial = json_trial(*state);

    trial.now_s = NOW_S + SIGV4_SKEW_S;
    expect(trial, SIGV4_OK, "");
    trial.now_s = NOW_S + SIGV4_SKEW_S + 1;
    expect(trial, SIGV4_EXPIRED,
           "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T031906Z - 15 min.)");
    trial.now_s = NOW_S - SIGV4_SKEW_S;
    expect(trial, SIGV4_OK, "");
    trial.now_s = NOW_S - SIGV4_SKEW_S - 1;
    expect(
        trial, SIGV4_NOT_YET,
        "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T024904Z + 15 min.)");

    trial = query_trial(*state);
    trial.now_s = QUERY_S + 3600;
    expect(trial, SIGV4_OK, "");
    trial.now_s = QUERY_S + 3601;
    expect(trial, SIGV4_EXPIRED, "(20150830T133601Z - 3600 s.)");
    trial.now_s = QUERY_S - SIGV4_SKEW_S - 1;
    expect(trial, SIGV4_NOT_YET, "Signature not yet current");
}

static void the_scope_counts(void **state)
{
    struct trial trial = json_trial(*state);

    trial.service = "monitoring";
    expect(trial, SIGV4_SCOPE, "Credential should be scoped to correct service: 'monitoring'.");
    /* The service is checked before the time. */
    trial.now_s = 0;
    expect(trial, SIGV4_SCOPE, "Credential should be scoped to correct service");
    expect(with(json_trial(*state), "X-Amz-Date", "20260103T030405Z"), SIGV4_SCOPE, "'20260102' != '20260103'");
    expect(with(json_trial(*state), "Authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260102/r/s/aws5_request, SignedHeaders=host, Signature=00"),
           SIGV4_SCOPE, "'aws4_request', not 'aws5_request'");
    expect(with(json_trial(*state), "Authorization",
                "AWS4-HMAC-SHA256 Credential=a/2026-1-2/r/s/aws4_request, SignedHeaders=host, Signature=00"),
           SIGV4_SCOPE, "YYYYMMDD");
    expect(with(json_trial(*state), "Authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260102/s/aws4_request, SignedHeaders=host, Signature=00"),
           SIGV4_INCOMPLETE, "exactly 5 slash-delimited elements");
}

static void what_is_not_signed_is_refused(void **state)
{
    struct trial trial = path_trial(*state);

    expect(with_one_more(trial, "X-Amz-Target", "KeyspacesService.DropTable"), SIGV4_INCOMPLETE,
           "'x-amz-target' is in the request but not among SignedHeaders");
    expect(with_one_more(trial, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), SIGV4_INCOMPLETE, "x-amz-content-sha256");
    expect(with_one_more(trial, "X-Amz-User-Agent", "a browser"), SIGV4_OK, "");
    expect(with_one_more(trial, "User-Agent", "a browser"), SIGV4_OK, "");
    expect(with_one_more(query_trial(*state), "X-Amz-Date", DATE), SIGV4_INCOMPLETE, "x-amz-date");
    expect(with_one_more(query_trial(*state), "X-Amz-Security-Token", "T"), SIGV4_INCOMPLETE, "x-amz-security-token");
    expect(with(trial, "Host", NULL), SIGV4_INCOMPLETE, "'host' is among SignedHeaders but not in the request");
    trial = with(trial, "Authorization", authorization_of(*state, "lambda", "x-amz-date;x-amz-security-token", "00"));
    trial.headers[3][1] = authorization_of(*state, "lambda", "x-amz-date;x-amz-security-token",
                                           "db0cd07233fd1a624ca415729d80e00b1e6da0fadf8a053f025784bbf51bd732");
    expect(trial, SIGV4_INCOMPLETE, "'Host' or ':authority' must be a 'SignedHeader'");
}

static void signed_headers_have_one_form(void **state)
{
    static const char *const wrong[] = { "x-amz-date;host",  "Host;x-amz-date", "host;host;x-amz-date",
                                         "host;;x-amz-date", ";host",           "",
                                         "host x-amz-date" };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct trial trial = with(json_trial(*state), "Authorization",
                                  authorization_of(*state, "cassandra", wrong[i],
                                                   "720f50ae06f705439bba63ba66f7afe32b2ff9b0232fde9cf70914c963b72ca4"));

        expect(trial, SIGV4_INCOMPLETE, "");
    }
}

static void what_comes_twice_is_refused(void **state)
{
    static const char *const once[] = { "Authorization", "X-Amz-Date", "x-amz-security-token" };
    struct trial trial = query_trial(*state);

    for (size_t i = 0; i < ARRAY_SIZE(once); i++)
        expect(with_one_more(json_trial(*state), once[i], "x"), SIGV4_INCOMPLETE, "comes more than once");
    expect(with(json_trial(*state), "Authorization", "AWS4-HMAC-SHA256 Signature=1, Signature=1"), SIGV4_INCOMPLETE,
           "'Signature' more than once");
    trial.target = QUERY_BEGIN QUERY_REST "&X-Amz-Expires=3600";
    expect(trial, SIGV4_INCOMPLETE, "'X-Amz-Expires' must come once");
    trial.target = QUERY_BEGIN QUERY_REST "&X-Amz-Sig%6eature=00";
    expect(trial, SIGV4_INCOMPLETE, "'X-Amz-Signature' must come once");
    trial.target = QUERY_BEGIN QUERY_REST "&x-amz-signature=00";
    expect(trial, SIGV4_INCOMPLETE, "'X-Amz-Signature' must come once, and so written");
    expect(with_one_more(query_trial(*state), "Authorization", "AWS4-HMAC-SHA256 Signature=1"), SIGV4_INCOMPLETE,
           "either in its Authorization header or in its query");
}

static void what_is_missing_is_told(void **state)
{
    struct trial trial = json_trial(*state);

    expect(with(with(trial, "Authorization", NULL), "X-Amz-Date", NULL), SIGV4_NONE, "");
    expect(with(trial, "Authorization", "AWS4-HMAC-SHA256"), SIGV4_INCOMPLETE, "requires 'Credential' parameter");
    expect(with(trial, "Authorization", "AWS4-HMAC-SHA256 Credential=a,Signature=b"), SIGV4_INCOMPLETE,
           "requires 'SignedHeaders' parameter");
    expect(with(trial, "Authorization", "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b"), SIGV4_INCOMPLETE,
           "requires 'Signature' parameter");
    expect(with(trial, "Authorization", "AWS4-HMAC-SHA256 Credentials=a"), SIGV4_INCOMPLETE, "'Credentials' is not");
    expect(with(trial, "X-Amz-Date", NULL), SIGV4_INCOMPLETE, "either a 'X-Amz-Date' or a 'Date' header");
    expect(with(trial, "X-Amz-Date", "2026-01-02"), SIGV4_INCOMPLETE, "Got '2026-01-02'");
    expect(with(trial, "Authorization", authorization_of(*state, "cassandra", "host", "ABCD")), SIGV4_INCOMPLETE,
           "hexadecimal digits");
    trial = query_trial(*state);
    trial.target = QUERY_BEGIN "&X-Amz-Signature=00";
    expect(trial, SIGV4_INCOMPLETE, "must include 'X-Amz-SignedHeaders'");
    trial.target = "/?X-Amz-Signature=00";
    expect(trial, SIGV4_INCOMPLETE, "must include 'X-Amz-Credential'");
}

static void expiries_are_bounded(void **state)
{
    static const char *const wrong[] = { "0", "604801", "-1", "", "1e3", "99999999999999999999999999" };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct trial trial = query_trial(*state);

        trial.target = arena_printf(
            *state, "%s&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=%s&X-Amz-Signature=%s",
            QUERY_BEGIN, wrong[i], QUERY_TOKEN);
        expect(trial, SIGV4_INCOMPLETE, "X-Amz-Expires must be a number of seconds, 1 to 604800");
    }
}

static void other_algorithms_are_told(void **state)
{
    struct trial trial = json_trial(*state);

    expect(with(trial, "Authorization", "AWS4-ECDSA-P256-SHA256 Credential=a/b"), SIGV4_UNSUPPORTED, "SigV4A");
    expect(with(trial, "Authorization", "Bearer abc"), SIGV4_UNSUPPORTED, "Unsupported AWS 'algorithm': 'Bearer'");
    expect(with(trial, "Authorization", "\001\xff"), SIGV4_UNSUPPORTED,
           "'?"
           "?'");
    trial = query_trial(*state);
    trial.target = "/?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1"
                   "&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    expect(trial, SIGV4_UNSUPPORTED, "SigV4A");
}

/* A signature of our own, for what no suite has: the trial's headers, all of them, are signed for its service. */
static struct trial sign(struct trial trial, const char *names)
{
    CLEANUP(buffer_fini) struct buffer canonical = { 0 }, to_sign = { 0 };
    static const char none[] = "0000000000000000000000000000000000000000000000000000000000000000";
    struct bytes_pair headers[HEADERS];
    struct sigv4_request request = { bytes_of_string(trial.method), bytes_of_string(trial.target), headers, 0,
                                     bytes_of_string(trial.body) };
    char hex[65];
    int last = 0;

    trial = with(trial, "Authorization", authorization_of(trial.arena, trial.service, names, none));
    for (int i = 0; trial.headers[i][0]; i++) {
        headers[request.header_count++] =
            (struct bytes_pair){ bytes_of_string(trial.headers[i][0]), bytes_of_string(trial.headers[i][1]) };
        last = i;
    }
    if (sigv4_parse(trial.arena, &request, &trial.sigv4) != SIGV4_OK)
        return trial;

    uint8_t key[SIGV4_KEY_BYTES], mac[SIGV4_KEY_BYTES];
    unsigned size = sizeof(mac);

    sigv4_canonical(trial.arena, &request, &trial.sigv4, &canonical, &to_sign);
    sigv4_key(bytes_of_string(SECRET), trial.sigv4.date, trial.sigv4.region, trial.sigv4.service, key);
    assert_non_null(HMAC(EVP_sha256(), key, sizeof(key), to_sign.data, to_sign.size, mac, &size));
    for (int i = 0; i < SIGV4_KEY_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    trial.headers[last][1] = authorization_of(trial.arena, trial.service, names, hex);
    return trial;
}

static void payloads_are_signed(void **state)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct trial trial = with(json_trial(*state), "X-Amz-Security-Token", NULL);
    const char *names = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target";

    /* A hash that is signed but not the body's. */
    trial = with(with(trial, "Authorization", NULL), "x-amz-content-sha256", empty);
    expect(sign(trial, names), SIGV4_MISMATCH, "'x-amz-content-sha256' header does not match what was computed");
    trial.body = "";
    expect(sign(trial, names), SIGV4_OK, "");
    trial = with(trial, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    expect(sign(trial, names), SIGV4_UNSUPPORTED, "UNSIGNED-PAYLOAD is only for s3");
    trial.service = "s3";
    trial.body = "any";
    expect(sign(trial, names), SIGV4_OK, "");
    expect(sign(with(trial, "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), names), SIGV4_UNSUPPORTED,
           "signed chunks");
    expect(sign(with(trial, "x-amz-content-sha256", "none"), names), SIGV4_INCOMPLETE, "is no SHA-256: 'none'");
}

static void a_date_header_will_do(void **state)
{
    static const char *const dates[] = { "Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:04:05 -0000", DATE };
    struct trial trial = json_trial(*state);

    trial = with(with(with(trial, "X-Amz-Security-Token", NULL), "X-Amz-Date", NULL), "Authorization", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
        struct trial dated = sign(with(trial, "Date", dates[i]), "content-type;date;host;x-amz-target");

        expect(dated, SIGV4_OK, "");
        assert_int_equal(run(&dated), SIGV4_OK);
        assert_int_equal(dated.sigv4.signed_at_s, NOW_S);
    }
    expect(sign(with(trial, "Date", "yesterday"), "content-type;date;host;x-amz-target"), SIGV4_INCOMPLETE,
           "Got 'yesterday'");
}

static void limits_are_kept(void **state)
{
    struct trial trial = json_trial(*state);
    char *long_text = arena_alloc(*state, SIGV4_TARGET_MAX + 2);
    struct bytes_pair *headers = arena_new_array(*state, struct bytes_pair, SIGV4_HEADERS_MAX + 1);
    struct sigv4_request request = { BYTES_LITERAL("GET"), BYTES_LITERAL("/"), headers, SIGV4_HEADERS_MAX + 1,
                                     BYTES_LITERAL("") };
    struct sigv4 sigv4;

    memset(long_text, '/', SIGV4_TARGET_MAX + 1);
    long_text[SIGV4_TARGET_MAX + 1] = 0;
    trial.target = long_text;
    expect(trial, SIGV4_INCOMPLETE, "at most 65536 bytes");
    trial.target = long_text + 1;
    expect(trial, SIGV4_OK, "");
    trial.target = "*";
    expect(trial, SIGV4_INCOMPLETE, "begins with '/'");
    trial = json_trial(*state);
    trial.method = "GET\n";
    expect(trial, SIGV4_INCOMPLETE, "'GET?' is no method");
    expect(with(json_trial(*state), "Authorization", long_text), SIGV4_INCOMPLETE, "at most 16384 bytes");

    for (int i = 0; i <= SIGV4_HEADERS_MAX; i++)
        headers[i] = (struct bytes_pair){ BYTES_LITERAL("a"), BYTES_LITERAL("b") };
    assert_int_equal(sigv4_parse(*state, &request, &sigv4), SIGV4_INCOMPLETE);
    assert_non_null(strstr(sigv4.message, "at most 256 headers"));
    request.header_count--;
    assert_int_equal(sigv4_parse(*state, &request, &sigv4), SIGV4_NONE);
}

static void paths_have_a_normal_form(void **state)
{
    static const char *const forms[][2] = {
        { "", "/" },
        { "/", "/" },
        { "//", "/" },
        { "/a/b", "/a/b" },
        { "/a//b///", "/a/b/" },
        { "/./a/./b/.", "/a/b/" },
        { "/a/../b", "/b" },
        { "/..", "/" },
        { "/../../a", "/a" },
        { "/a/b/..", "/a/" },
        { "/a/b/../", "/a/" },
        { "/a/...", "/a/..." },
        { "/a/%2E%2E/b", "/a/%2E%2E/b" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        CLEANUP(buffer_fini) struct buffer out = { 0 };

        path_normalize(&out, bytes_of_string(forms[i][0]));
        assert_true(bytes_equal(buffer_bytes(&out), bytes_of_string(forms[i][1])));
    }
}

static void texts_are_encoded_once(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct bytes decoded;

    percent_recode(&out, BYTES_LITERAL("a%2fb/+%zz%4 ~%"));
    assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("a%2Fb%2F%2B%25zz%254%20~%25")));
    assert_true(percent_decode(*state, BYTES_LITERAL("a%2fb+c"), true, &decoded));
    assert_true(bytes_equal(decoded, BYTES_LITERAL("a/b c")));
    assert_true(percent_decode(*state, BYTES_LITERAL("a%2fb+c"), false, &decoded));
    assert_true(bytes_equal(decoded, BYTES_LITERAL("a/b+c")));
    assert_false(percent_decode(*state, BYTES_LITERAL("%"), false, &decoded));
    assert_false(percent_decode(*state, BYTES_LITERAL("%4"), false, &decoded));
    assert_false(percent_decode(*state, BYTES_LITERAL("%4g"), false, &decoded));
    assert_true(percent_decode(*state, bytes_of(NULL, 0), true, &decoded) && decoded.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_signatures_are_verified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte_that_is_signed_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_counts_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_scope_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_signed_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signed_headers_have_one_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_twice_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_missing_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expiries_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_algorithms_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(payloads_are_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_date_header_will_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_have_a_normal_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_are_encoded_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
