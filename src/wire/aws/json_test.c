/* awsJson: what is read, what is refused and with which words, what is written. */
#include "wire/aws/base64.h"
#include "wire/aws/codec.h"
#include "wire/aws/model_bed.h"

#include <math.h>

static const char model[] =
    "service s\nid S\nsigning s\nnamespace com.s\nprotocols json-1.0\n"
    "timestamp Iso iso8601\ntimestamp Http http\n"
    "list Names of String\nlist Lists of Lists\nmap Counts of String to Integer\n"
    "union One a:String b:Integer\n"
    "error Gone 404 Message:String what:String\n"
    "structure All text:String blob:Blob flag:Boolean int:Integer long:Long float:Float double:Double\n"
    "    when:Timestamp iso:Iso http:Http names:Names lists:Lists counts:Counts one:One any:Document all:All\n"
    "    renamed(re-named):String";

static const struct shape *all;

static int setup(void **state)
{
    model_bed_open(model);
    all = model_shape_find(service, "All");
    return 0;
}

static const struct tree *read_json(const char *body)
{
    struct tree *tree = NULL;
    struct api_fault fault = { 0 };

    if (!json_read(arena, all, bytes_of_string(body), &tree, &fault))
        fail_msg("%s: %s", body, fault.message);
    return tree;
}

static void assert_refused(const char *body, const char *message)
{
    struct tree *tree = NULL;
    struct api_fault fault = { 0 };

    if (json_read(arena, all, bytes_of_string(body), &tree, &fault))
        fail_msg("%s was read", body);
    assert_null(tree);
    assert_string_equal(fault.message, message);
    assert_string_equal(fault.name, "SerializationException");
    assert_string_equal(fault.query_code, "MalformedInput");
    assert_int_equal(fault.http_status, 400);
}

/* Read and written again. */
static void assert_written(const char *body, const char *wanted)
{
    struct buffer out = { 0 };

    json_write(&out, read_json(body));
    buffer_append_u8(&out, 0);
    assert_string_equal((const char *)out.data, wanted);
    buffer_fini(&out);
}

static void test_values(void **state)
{
    const struct tree *tree =
        read_json(" {\"text\" : \"a\\u00e9\\ud83d\\ude00\\n\\/\", \"blob\":\"AAH/\", \"flag\":true,\n"
                  "\"int\":-5,\"long\":9223372036854775807,\"float\":1.5,\"double\":2,\"when\":1767323045.5,"
                  "\"iso\":\"2026-01-02T03:04:05Z\",\"http\":\"Fri, 02 Jan 2026 03:04:05 GMT\"} ");

    assert_string_equal(tree_text(arena, tree, "text"), "a\xC3\xA9\xF0\x9F\x98\x80\n/");
    assert_true(bytes_equal(tree_string(tree, "blob"), BYTES_LITERAL("\0\1\xFF")));
    assert_true(tree_boolean(tree, "flag", false));
    assert_int_equal(tree_integer(tree, "int", 0), -5);
    assert_true(tree_integer(tree, "long", 0) == INT64_MAX);
    assert_true(tree_number(tree, "float", 0) == 1.5);
    assert_true(tree_number(tree, "double", 0) == 2);
    assert_int_equal(tree_time(tree, "when", 0), 1767323045500000);
    assert_int_equal(tree_time(tree, "iso", 0), 1767323045000000);
    assert_int_equal(tree_time(tree, "http", 0), 1767323045000000);
}

static void test_shapes(void **state)
{
    /* Nothing at all is a structure without members; what is not known is passed over; null is absent; the last
     * counts. */
    assert_written("", "{}");
    assert_written("{}", "{}");
    assert_written("{\"what\":{\"a\":[1,{\"text\":[]}]},\"text\":\"a\"}", "{\"text\":\"a\"}");
    assert_written("{\"text\":null,\"int\":1,\"all\":{\"text\":null}}", "{\"int\":1,\"all\":{}}");
    assert_written("{\"text\":\"a\",\"text\":\"b\"}", "{\"text\":\"b\"}");
    assert_written("{\"text\":\"a\",\"text\":null}", "{}");
    assert_written("{\"t\\u0065xt\":\"a\",\"TEXT\":\"b\"}", "{\"text\":\"a\"}");
    assert_written("{\"re-named\":\"a\",\"renamed\":\"b\"}", "{\"re-named\":\"a\"}");
    assert_written("{\"names\":[\"a\",null,\"\"],\"lists\":[[],[[]]]}",
                   "{\"names\":[\"a\",null,\"\"],\"lists\":[[],[[]]]}");
    assert_written("{\"counts\":{\"b\":1,\"a\":2,\"\":3,\"b\":4,\"c\":null}}",
                   "{\"counts\":{\"b\":4,\"a\":2,\"\":3,\"c\":null}}");
    assert_written("{\"one\":{\"a\":null,\"b\":1,\"__type\":\"One\"}}", "{\"one\":{\"b\":1}}");
    assert_written("{\"any\": [1, {\"a\":null}] ,\"int\":1}", "{\"int\":1,\"any\":[1, {\"a\":null}]}");
    assert_written("{\"any\":null}", "{\"any\":null}");
    assert_written("{\"text\":\"\\\"\\\\\\u0000\\u001f\\b\\f\\n\\r\\t\x7f/\"}",
                   "{\"text\":\"\\\"\\\\\\u0000\\u001f\\b\\f\\n\\r\\t\x7f/\"}");
}

static void test_numbers(void **state)
{
    assert_written("{\"int\":1e3}", "{\"int\":1000}");
    assert_written("{\"int\":1.20e1}", "{\"int\":12}");
    assert_written("{\"int\":1200e-2}", "{\"int\":12}");
    assert_written("{\"int\":-0.0}", "{\"int\":0}");
    assert_written("{\"int\":0e99999999999999999999}", "{\"int\":0}");
    assert_written("{\"int\":-2147483648}", "{\"int\":-2147483648}");
    assert_written("{\"long\":-9223372036854775808}", "{\"long\":-9223372036854775808}");
    assert_written("{\"long\":9007199254740993.0}", "{\"long\":9007199254740993}");
    assert_written("{\"double\":0.1,\"float\":0.1}", "{\"float\":0.1,\"double\":0.1}");
    assert_written("{\"double\":1e300}", "{\"double\":1.0E300}");
    assert_written("{\"double\":\"NaN\",\"float\":\"-Infinity\"}", "{\"float\":\"-Infinity\",\"double\":\"NaN\"}");
    assert_written("{\"when\":1.767323045e9}", "{\"when\":1767323045}");
    assert_written("{\"when\":-0.5}", "{\"when\":-0.5}");
    assert_refused("{\"int\":1.5}", "DECIMAL_VALUE cannot be converted to Integer (at int)");
    assert_refused("{\"int\":1e-400}", "DECIMAL_VALUE cannot be converted to Integer (at int)");
    assert_refused("{\"int\":1e-99999999999999999999}", "DECIMAL_VALUE cannot be converted to Integer (at int)");
    assert_refused("{\"int\":2147483648}", "2147483648 is out of the range of an Integer (at int)");
    assert_refused("{\"int\":-2147483649}", "-2147483649 is out of the range of an Integer (at int)");
    assert_refused("{\"long\":9223372036854775808}", "A number is out of the range of a Long (at long)");
    assert_refused("{\"long\":-9223372036854775809}", "A number is out of the range of a Long (at long)");
    assert_refused("{\"long\":99999999999999999999999}", "A number is out of the range of a Long (at long)");
    assert_refused("{\"long\":1e99999999999999999999}", "A number is out of the range of a Long (at long)");
    assert_refused("{\"double\":1e309}", "A number is out of the range of a Double (at double)");
    assert_refused("{\"float\":1e39}", "A number is out of the range of a Float (at float)");
    assert_refused("{\"when\":1e12}", "Not a time (at when)");
}

static void test_kinds(void **state)
{
    assert_refused("{\"text\":1}", "NUMBER_VALUE cannot be converted to String (at text)");
    assert_refused("{\"text\":true}", "TRUE_VALUE cannot be converted to String (at text)");
    assert_refused("{\"text\":[]}", "Start of list found where not expected (at text)");
    assert_refused("{\"names\":[\"a\",{}]}", "Start of structure or map found where not expected (at names.2)");
    assert_refused("{\"int\":\"1\"}", "STRING_VALUE cannot be converted to Integer (at int)");
    assert_refused("{\"flag\":\"true\"}", "STRING_VALUE cannot be converted to Boolean (at flag)");
    assert_refused("{\"flag\":0}", "NUMBER_VALUE cannot be converted to Boolean (at flag)");
    assert_refused("{\"double\":\"1\"}", "STRING_VALUE cannot be converted to Double (at double)");
    assert_refused("{\"float\":\"nan\"}", "STRING_VALUE cannot be converted to Float (at float)");
    assert_refused("{\"when\":\"2026-01-02T03:04:05Z\"}", "STRING_VALUE cannot be converted to Timestamp (at when)");
    assert_refused("{\"iso\":1767323045}", "NUMBER_VALUE cannot be converted to Timestamp (at iso)");
    assert_refused("{\"iso\":\"2026-01-02\"}", "Not a time (at iso)");
    assert_refused("{\"http\":\"2026-01-02T03:04:05Z\"}", "Not a time (at http)");
    assert_refused("{\"names\":\"a\"}", "STRING_VALUE cannot be converted to List (at names)");
    assert_refused("{\"counts\":false}", "FALSE_VALUE cannot be converted to Map (at counts)");
    assert_refused("{\"all\":{\"all\":{\"counts\":{\"x\":\"y\"}}}}",
                   "STRING_VALUE cannot be converted to Integer (at all.all.counts.x)");
    assert_refused("{\"blob\":\"A\"}", "Not base64 (at blob)");
    assert_refused("{\"one\":{}}", "One has 0 members, not one (at one)");
    assert_refused("{\"one\":{\"a\":\"\",\"b\":1}}", "One has 2 members, not one (at one)");
    assert_refused("{\"text\":\"\\ud800\"}", "Half a surrogate pair in a string (at text)");
    assert_refused("{\"text\":\"\\ud800\\u0041\"}", "Half a surrogate pair in a string (at text)");
    assert_refused("{\"text\":\"\\udc00\\ud800\"}", "Half a surrogate pair in a string (at text)");
    assert_refused("{\"\\ud800\":1}", "Half a surrogate pair in a string");
    assert_refused("{\"text\":\"\xFF\"}", "Error decoding JSON string: invalid UTF-8");
    assert_refused("{\"text\":\"a\"", "Error decoding JSON string: unexpected input at offset 11");
    assert_refused("[]", "The body is not an object");
    assert_refused("null", "The body is not an object");
    assert_written("{\"text\":\"\\\\ud800\"}", "{\"text\":\"\\\\ud800\"}");
}

/* `count` times `open`, then as many times `close`, within {"name": ... }. */
static char *nested(const char *name, const char *open, const char *close, int count)
{
    struct buffer out = { 0 };

    buffer_printf(&out, "{\"%s\":", name);
    for (int i = 0; i < count; i++)
        buffer_append_string(&out, open);
    for (int i = 0; i < count; i++)
        buffer_append_string(&out, close);
    buffer_append_string(&out, "}");
    char *text = arena_string(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return text;
}

static void test_limits(void **state)
{
    read_json(nested("lists", "[", "]", TREE_DEPTH_MAX - 1));
    struct api_fault fault = { 0 };
    struct tree *tree = NULL;

    assert_false(json_read(arena, all, bytes_of_string(nested("lists", "[", "]", TREE_DEPTH_MAX)), &tree, &fault));
    assert_memory_equal(fault.message, "Nested more than 64 deep (at lists.1.1.", 39);
    /* What is passed over is nested as deep as JSON may be. */
    read_json(nested("what", "[", "]", 400));
    assert_refused(nested("what", "[", "]", 600), "Error decoding JSON string: nested more than 500 deep");

    struct buffer out = { 0 };
    buffer_append_string(&out, "{\"names\":[\"\"");
    for (int i = 3; i < TREE_VALUES_MAX; i++)
        buffer_append_string(&out, ",\"\"");
    buffer_append_string(&out, "]}");
    assert_true(json_read(arena, all, buffer_bytes(&out), &tree, &fault));
    assert_int_equal(tree_get(tree, "names")->count, TREE_VALUES_MAX - 2);
    out.size -= 2;
    buffer_append_string(&out, ",1]}");
    assert_false(json_read(arena, all, buffer_bytes(&out), &tree, &fault));
    assert_string_equal(fault.message, "More than 100000 values (at names.99999)");
    memcpy(out.data, "{\"xames\":[\"\"", 12);
    assert_false(json_read(arena, all, buffer_bytes(&out), &tree, &fault));
    assert_string_equal(fault.message, "More than 100000 values (at xames)");
    buffer_fini(&out);
}

static void test_faults(void **state)
{
    struct api_fault fault;
    struct buffer out = { 0 };

    fault_set(&fault, "UnrecognizedClientException", 400, "The \"token\"");
    json_write_fault(&out, service, &fault);
    buffer_append_u8(&out, 0);
    assert_string_equal(
        (const char *)out.data,
        "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\",\"message\":\"The \\\"token\\\"\"}");
    fault_set(&fault, "Gone", 404, "no");
    fault.shape = model_shape_find(service, "Gone");
    fault.details = tree_new(arena, fault.shape);
    tree_set_text(arena, fault.details, "what", "a");
    buffer_reset(&out);
    json_write_fault(&out, service, &fault);
    buffer_append_u8(&out, 0);
    assert_string_equal((const char *)out.data, "{\"__type\":\"com.s#Gone\",\"Message\":\"no\",\"what\":\"a\"}");
    buffer_reset(&out);
    json_write(&out, NULL);
    assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("{}")));
    buffer_fini(&out);
}

static void test_base64(void **state)
{
    static const char *const pairs[][2] = { { "", "" },
                                            { "f", "Zg==" },
                                            { "fo", "Zm8=" },
                                            { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" },
                                            { "fooba", "Zm9vYmE=" },
                                            { "foobar", "Zm9vYmFy" } };
    static const char *const wrong[] = { "Z",    "Zg",       "Zg=",  "Zg===",  "=",    "====",
                                         "Z===", "Zg==Zg==", "Zg =", "Zm9v\n", "Zm-v", "Zm\xC3v" };

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct buffer out = { 0 };
        struct bytes raw;

        base64_encode(&out, bytes_of_string(pairs[i][0]));
        assert_true(bytes_equal(buffer_bytes(&out), bytes_of_string(pairs[i][1])));
        assert_true(base64_decode(arena, buffer_bytes(&out), &raw));
        assert_true(bytes_equal(raw, bytes_of_string(pairs[i][0])));
        buffer_fini(&out);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct bytes raw;

        assert_false(base64_decode(arena, bytes_of_string(wrong[i]), &raw));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_shapes, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_numbers, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_kinds, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_limits, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_faults, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_base64, setup, model_bed_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
