/* Models: what the notation means, that each mistake is refused with its line, and that all models of api/ can be
 * read. */
#include "wire/aws/model.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD "service s\nid S_1\nsigning sign\nversion 2020-01-01\nprotocols json-1.0 cbor\n"

static struct arena *arena;

static int setup(void **state)
{
    arena = arena_new(4096);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static struct model_service *parse(const char *text)
{
    struct model_service *service = NULL;
    struct error err = { 0 };

    if (model_parse(arena, bytes_of_string(text), &service, &err))
        fail_msg("%s", err.message);
    return service;
}

static void assert_refused(const char *text, const char *message)
{
    struct model_service *service = NULL;
    struct error err = { 0 };

    assert_int_equal(model_parse(arena, bytes_of_string(text), &service, &err), ERR_INVALID);
    assert_string_equal(err.message, message);
    assert_null(service);
}

static const struct model_member *member_of(const struct shape *shape, const char *name)
{
    const struct model_member *member = shape_member_find(shape, bytes_of_string(name));

    assert_non_null(member);
    return member;
}

static void test_service(void **state)
{
    struct model_service *service = parse("# a comment\n"
                                          "service keyspaces # its name\n"
                                          "id KeyspacesService\n\n"
                                          "signing cassandra\r\n"
                                          "version 2022-02-10\n"
                                          "namespace com.amazonaws.keyspaces\n"
                                          "xmlns https://a.example/#b\n"
                                          "protocols json-1.1\n"
                                          "    # the others\n"
                                          "    query\n"
                                          "query-compatible\n"
                                          "operation B ->\n"
                                          "operation A ->");

    assert_string_equal(service->name, "keyspaces");
    assert_string_equal(service->id, "KeyspacesService");
    assert_string_equal(service->signing, "cassandra");
    assert_string_equal(service->version, "2022-02-10");
    assert_string_equal(service->namespace_name, "com.amazonaws.keyspaces");
    assert_string_equal(service->xmlns, "https://a.example/#b");
    assert_int_equal(service->protocols, 1 << PROTOCOL_JSON_1_1 | 1 << PROTOCOL_QUERY);
    assert_int_equal(service->protocol, PROTOCOL_JSON_1_1);
    assert_true(service->is_query_compatible);
    assert_int_equal(service->operation_count, 2);
    assert_string_equal(service->operations[0].name, "A");
    assert_int_equal(service->operations[1].index, 1);
    assert_ptr_equal(model_operation_find(service, BYTES_LITERAL("B")), &service->operations[1]);
    assert_null(model_operation_find(service, BYTES_LITERAL("")));
    assert_null(model_operation_find(service, BYTES_LITERAL("B\0")));
    model_release(service);
}

static void test_shapes(void **state)
{
    struct model_service *service = parse(HEAD "structure All later!:Later wire(on-wire):String a:Long b:Big\n"
                                               "string Later 1..48 /a#b \\/c/\n"
                                               "string Half ..9\n"
                                               "enum Color 1..20 RED GREEN\n"
                                               "integer Small -5..5\n"
                                               "long Big 1..\n"
                                               "double Part\n"
                                               "blob Bytes 0..3\n"
                                               "timestamp When iso8601\n"
                                               "document Any\n"
                                               "list Colors 1..2 of Color as Item flat\n"
                                               "map Names of Later as Name to Long as Value\n"
                                               "map Plain of String to String\n"
                                               "union One a:String b:One");
    const struct shape *shape = model_shape_find(service, "All");

    assert_int_equal(shape->member_count, 4);
    assert_true(member_of(shape, "later")->required);
    assert_false(member_of(shape, "a")->required);
    shape = member_of(shape, "later")->shape;
    assert_int_equal(shape->kind, SHAPE_STRING);
    assert_int_equal(shape->min, 1);
    assert_int_equal(shape->max, 48);
    assert_string_equal(shape->pattern, "a#b \\/c");
    shape = model_shape_find(service, "Half");
    assert_true(!shape->has_min && shape->has_max && shape->max == 9);
    shape = model_shape_find(service, "Color");
    assert_true(shape->value_count == 2 && shape->max == 20);
    assert_string_equal(shape->values[1], "GREEN");
    shape = model_shape_find(service, "Small");
    assert_true(shape->kind == SHAPE_INTEGER && shape->min == -5 && shape->max == 5);
    shape = model_shape_find(service, "Big");
    assert_true(shape->kind == SHAPE_LONG && shape->has_min && !shape->has_max);
    assert_int_equal(model_shape_find(service, "When")->timestamp, TIMESTAMP_ISO8601);
    shape = model_shape_find(service, "Colors");
    assert_ptr_equal(shape->element, model_shape_find(service, "Color"));
    assert_string_equal(shape->element_name, "Item");
    assert_true(shape->is_flat);
    shape = model_shape_find(service, "Names");
    assert_string_equal(shape->key_name, "Name");
    assert_string_equal(shape->element_name, "Value");
    assert_ptr_equal(shape->key, model_shape_find(service, "Later"));
    shape = model_shape_find(service, "Plain");
    assert_string_equal(shape->key_name, "key");
    assert_string_equal(shape->element_name, "value");
    assert_true(model_shape_find(service, "One")->is_union);
    assert_null(model_shape_find(service, "Two"));
    model_release(service);
}

static void test_members(void **state)
{
    struct model_service *service =
        parse("service s\nid S\nsigning s\nprotocols rest-json\n"
              "structure In Name!@uri(FunctionName):String Q@query(q):String H@header(X-H):String\n"
              "    Meta@headers(X-Meta-):Map Body@payload:Blob Code@status:Integer Other(other):String\n"
              "map Map of String to String\n"
              "error Gone 410 code Away message:String\n"
              "error Broken 500\n"
              "operation Put In at PUT /a/{FunctionName}/{Rest+} 202 -> In ! Gone Broken\n"
              "operation Del at DELETE / 204 ->");
    const struct shape *shape = model_shape_find(service, "In");
    const struct model_operation *operation = model_operation_find(service, BYTES_LITERAL("Put"));

    assert_true(member_of(shape, "Name")->required);
    assert_int_equal(member_of(shape, "Name")->place, PLACE_URI);
    assert_string_equal(member_of(shape, "Name")->wire_name, "FunctionName");
    assert_int_equal(member_of(shape, "Meta")->place, PLACE_HEADERS);
    assert_int_equal(member_of(shape, "Body")->place, PLACE_PAYLOAD);
    assert_int_equal(member_of(shape, "Code")->place, PLACE_STATUS);
    assert_int_equal(member_of(shape, "Other")->place, PLACE_BODY);
    assert_ptr_equal(shape_member_on_wire(shape, BYTES_LITERAL("other")), member_of(shape, "Other"));
    assert_null(shape_member_on_wire(shape, BYTES_LITERAL("Other")));
    assert_null(shape_member_on_wire(shape, BYTES_LITERAL("q"))); /* not of the body */
    assert_null(shape_member_find(shape, BYTES_LITERAL("Other\0")));
    assert_null(shape_member_find(shape, BYTES_LITERAL("Othe")));
    assert_string_equal(operation->method, "PUT");
    assert_string_equal(operation->path, "/a/{FunctionName}/{Rest+}");
    assert_int_equal(operation->http_status, 202);
    assert_ptr_equal(operation->output, shape);
    assert_int_equal(operation->error_count, 2);
    assert_string_equal(operation->errors[0]->error_code, "Away");
    assert_string_equal(operation->errors[1]->error_code, "Broken");
    assert_int_equal(operation->errors[0]->http_status, 410);
    operation = model_operation_find(service, BYTES_LITERAL("Del"));
    assert_int_equal(operation->input->member_count, 0);
    assert_null(operation->output);
    model_release(service);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "line 1: service, id, signing and protocols are needed" },
        { "service s\nid S\nsigning s\n", "line 3: service, id, signing and protocols are needed" },
        { "service s\nid S\nsigning s\nprotocols query\n", "line 4: the query protocol needs a version" },
        { " service s\n", "line 1: a line that goes on with nothing" },
        { HEAD "service t\n", "line 6: once, and with a value: service" },
        { HEAD "xmlns\n", "line 6: once, and with a value: xmlns" },
        { HEAD "protocols query\n", "line 6: protocols once, and at least one" },
        { "protocols json-1.0 soap\n", "line 1: unknown protocol: soap" },
        { "protocols cbor cbor\n", "line 1: the protocol is there twice: cbor" },
        { HEAD "query-compatible yes\n", "line 6: unexpected word: yes" },
        { HEAD "strin A\n", "line 6: unknown declaration: strin" },
        { HEAD "string\n", "line 6: a name is missing: string" },
        { HEAD "operation\n", "line 6: a name is missing: operation" },
        { HEAD "string A\nblob B\ninteger A\n", "line 8: the shape is there twice: A" },
        { HEAD "string String 1..2\n", "line 6: the shape is there twice: String" },
        { HEAD "string A 2..1\n", "line 6: not a range: 2..1" },
        { HEAD "string A -1..\n", "line 6: not a range: -1.." },
        { HEAD "string A ..\n", "line 6: not a range: .." },
        { HEAD "string A 1..x\n", "line 6: not a range: 1..x" },
        { HEAD "string A 1..2 more\n", "line 6: unexpected word: more" },
        { HEAD "boolean A 0..1\n", "line 6: unexpected word: 0..1" },
        { HEAD "string A /abc\nstring B\n", "line 6: a pattern has no end: /abc" },
        { HEAD "string A /a(/\n", "line 6: pattern a(: missing closing parenthesis at offset 2" },
        { HEAD "string A /\\uD800/\n",
          "line 6: pattern \\uD800: disallowed Unicode code point (>= 0xd800 && <= 0xdfff) at offset 7" },
        { HEAD "string A /[a-z&&[^b]]/\n", "line 6: pattern [a-z&&[^b]]: brackets within brackets" },
        { HEAD "enum A\n", "line 6: an enum without values" },
        { HEAD "enum A B\n C B\n", "line 7: the value is there twice: B" },
        { HEAD "timestamp A unix\n", "line 6: unknown format: unix" },
        { HEAD "list A String\n", "line 6: 'of' is missing" },
        { HEAD "list A of\n", "line 6: a shape is missing" },
        { HEAD "list A of B\n", "line 6: unknown shape: B" },
        { HEAD "list A of String as\n", "line 6: a name is missing behind 'as'" },
        { HEAD "map A of String\n", "line 6: 'to' is missing" },
        { HEAD "map A of Long to Long\n", "line 6: a map's key is no string: Long" },
        { HEAD "structure A\n  b\n", "line 7: not a member: b" },
        { HEAD "structure A :String\n", "line 6: not a member: :String" },
        { HEAD "structure A !:String\n", "line 6: not a member: !:String" },
        { HEAD "structure A b:\n", "line 6: a shape is missing" },
        { HEAD "structure A b:C\n", "line 6: unknown shape: C" },
        { HEAD "structure A b@cookie(c):String\n", "line 6: unknown place: @cookie(c)" },
        { HEAD "structure A b(c:String\n", "line 6: a name in brackets is missing: (c" },
        { HEAD "structure A b!c:String\n", "line 6: not a member: c" },
        { HEAD "structure A b:String b:Long\n", "line 6: the member is there twice: b:Long" },
        { HEAD "structure A b:String c(b):Long\n", "line 6: the member is there twice: c(b):Long" },
        { HEAD "structure A b@payload:Blob c@payload:Blob\n", "line 6: the member is there twice: c@payload:Blob" },
        { HEAD "error A\n", "line 6: not an HTTP status" },
        { HEAD "error A 4000\n", "line 6: not an HTTP status: 4000" },
        { HEAD "error A 400 code\n", "line 6: a code is missing" },
        { HEAD "structure A b:Document\n", "line 6: a document, and cbor has none: A" },
        { HEAD "operation A String ->\n", "line 6: not a structure: String" },
        { HEAD "operation A B ->\n", "line 6: unknown shape: B" },
        { HEAD "error E 400\noperation A -> E\n", "line 7: not a structure: E" },
        { HEAD "operation A\n", "line 6: a shape is missing" },
        { HEAD "operation A -> ! String\n", "line 6: not an error: String" },
        { HEAD "operation A -> !\n", "line 6: errors are missing behind '!'" },
        { HEAD "structure S\noperation A -> S S\n", "line 7: unexpected word: S" },
        { HEAD "operation A at GET / 200 ->\n", "line 6: 'at' belongs to rest-json, and to it alone" },
        { HEAD "operation A at GET 200 ->\n", "line 6: not a method, a path and a status: GET" },
        { HEAD "operation A ->\noperation B ->\noperation A ->\n", "line 8: the operation is there twice: A" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_refused(cases[i].text, cases[i].message);
}

static bool matches(const char *text, struct bytes subject)
{
    struct pattern *pattern = NULL;
    struct error err = { 0 };

    if (pattern_new(text, &pattern, &err))
        fail_msg("%s", err.message);
    bool does = pattern_matches(pattern, subject);
    pattern_free(pattern);
    return does;
}

static void test_patterns(void **state)
{
    /* The whole text, and not a line of it. */
    assert_true(matches("[a-z]+", BYTES_LITERAL("abc")));
    assert_false(matches("[a-z]+", BYTES_LITERAL("abc1")));
    assert_false(matches("[a-z]+", BYTES_LITERAL("1abc")));
    assert_false(matches("[a-z]+", BYTES_LITERAL("abc\n")));
    assert_false(matches("^[a-z]+$", BYTES_LITERAL("abc\n")));
    assert_false(matches(".+", BYTES_LITERAL("a\nb")));
    assert_true(matches("a|ab", BYTES_LITERAL("ab")));
    assert_true(matches("a*", bytes_of(NULL, 0)));
    /* Characters, not bytes; Java's signs. */
    assert_true(matches(".", BYTES_LITERAL("\xC3\xA9")));
    assert_false(matches("\\w", BYTES_LITERAL("\xC3\xA9")));
    assert_true(matches("\\p{L}", BYTES_LITERAL("\xC3\xA9")));
    assert_true(
        matches("[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF]*", BYTES_LITERAL("a \xF0\x9F\x98\x80")));
    assert_false(matches("[\\u0020-\\uD7FF\\uE000-\\uFFFD]*", BYTES_LITERAL("a \xF0\x9F\x98\x80")));
    assert_true(matches("\\\\u0041", BYTES_LITERAL("\\u0041")));
    assert_true(matches("\\p{Print}+", BYTES_LITERAL("a ~")));
    assert_false(matches("\\p{Print}+", BYTES_LITERAL("a\x7F")));
    assert_true(matches("[\\p{XDigit}-]+", BYTES_LITERAL("0f-F")));
    assert_false(matches("[\\p{XDigit}-]+", BYTES_LITERAL("g")));
    assert_true(matches("[\\w-_.]*", BYTES_LITERAL("a-b_c.d")));
    assert_false(matches("[\\w-_.]*", BYTES_LITERAL("a\\b")));
    assert_true(matches("(.)\\1", BYTES_LITERAL("aa")));
    assert_false(matches("(.)\\1", BYTES_LITERAL("ab")));
    /* What is not UTF-8 never matches. */
    assert_false(matches("[\\s\\S]*", BYTES_LITERAL("a\xC3")));
    assert_false(matches("[\\s\\S]*", BYTES_LITERAL("\xED\xA0\x80")));
}

/* A text that would take years takes a moment, and does not match. */
static void test_pattern_limits(void **state)
{
    char text[4096];

    memset(text, 'a', sizeof(text));
    assert_true(matches("(a+)+", bytes_of(text, sizeof(text))));
    text[sizeof(text) - 1] = '!';
    assert_false(matches("(a+)+", bytes_of(text, sizeof(text))));
    assert_false(matches("(a|a)*", bytes_of(text, sizeof(text))));
}

/* What the server is built with. */
static void test_models(void **state)
{
    glob_t found;

    assert_int_equal(glob("src/control/*.model", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        static char text[1 << 20];
        struct model_service *service = NULL;
        struct error err = { 0 };
        FILE *file = fopen(found.gl_pathv[i], "re");

        assert_non_null(file);
        size_t size = fread(text, 1, sizeof(text), file);
        fclose(file);
        assert_true(size > 0 && size < sizeof(text));
        if (model_parse(arena, bytes_of(text, size), &service, &err))
            fail_msg("%s: %s", found.gl_pathv[i], err.message);
        assert_true(service->operation_count > 0);
        model_release(service);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patterns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pattern_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_models, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
