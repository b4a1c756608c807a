/* RPC v2 CBOR: what real clients sent, every head, what is refused and with which words, what is written. */
#include "wire/aws/codec.h"
#include "wire/aws/model_bed.h"

#include <math.h>

static const char model[] =
    "service s\nid S\nsigning s\nnamespace com.s\nprotocols cbor\n"
    "list Names of String\nlist Lists of Lists\nmap Counts of String to Integer\n"
    "union One a:String b:Integer\n"
    "error Gone 404 message:String what:String\n"
    "list Tags of Tag\nstructure Tag key:String value:String\n"
    "list Data of Datum\nstructure Datum MetricName:String Timestamp:Timestamp Value:Double\n"
    "structure All t:String b:Blob f:Boolean i:Integer l:Long s:Float d:Double w:Timestamp n:Names\n"
    "    x:Lists c:Counts o:One a:All keyspaceName:String tags:Tags MetricData:Data Namespace:String";

static const struct shape *all;

static int setup(void **state)
{
    model_bed_open(model);
    all = model_shape_find(service, "All");
    return 0;
}

/* Hexadecimal digits, blanks between them, and 'text' as it is. */
static struct bytes bytes_from(const char *text)
{
    struct buffer out = { 0 };

    while (*text) {
        unsigned byte;

        if (*text == ' ') {
            text++;
        } else if (*text == '\'') {
            for (text++; *text != '\''; text++)
                buffer_append_u8(&out, (uint8_t)*text);
            text++;
        } else {
            assert_int_equal(sscanf(text, "%2x", &byte), 1);
            buffer_append_u8(&out, (uint8_t)byte);
            text += 2;
        }
    }
    struct bytes bytes = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return bytes;
}

static const struct tree *read_cbor(const char *body)
{
    struct tree *tree = NULL;
    struct api_fault fault = { 0 };

    if (!cbor_read(arena, all, bytes_from(body), &tree, &fault))
        fail_msg("%s: %s", body, fault.message);
    return tree;
}

static void assert_refused(const char *body, const char *message)
{
    struct tree *tree = NULL;
    struct api_fault fault = { 0 };

    if (cbor_read(arena, all, bytes_from(body), &tree, &fault))
        fail_msg("%s was read", body);
    assert_null(tree);
    assert_string_equal(fault.message, message);
    assert_string_equal(fault.name, "SerializationException");
}

static void assert_written(const char *body, const char *wanted)
{
    struct bytes bytes = bytes_from(wanted);
    struct buffer out = { 0 };

    cbor_write(&out, read_cbor(body));
    assert_int_equal(out.size, bytes.size);
    assert_memory_equal(out.data, bytes.data, bytes.size);
    buffer_fini(&out);
}

/* What boto3 and Go's SDK were seen to send. */
static void test_clients(void **state)
{
    const struct tree *tree = read_cbor("A2 6C'keyspaceName' 62'ks' 64'tags' 81 A2 63'key' 61'a' 65'value' 61'b'");

    assert_string_equal(tree_text(arena, tree, "keyspaceName"), "ks");
    assert_string_equal(tree_text(arena, tree_get(tree, "tags")->entries[0].value, "value"), "b");
    tree = read_cbor("BF 6A'MetricData' 9F BF 6A'MetricName' 61'm' 69'Timestamp' C1 FB41DA55CD69600000"
                     " 65'Value' FB3FF8000000000000 FF FF 69'Namespace' 61'N' FF");
    const struct tree *datum = tree_get(tree, "MetricData")->entries[0].value;
    assert_int_equal(tree_time(datum, "Timestamp", 0), 1767323045500000);
    assert_true(tree_number(datum, "Value", 0) == 1.5);
    assert_string_equal(tree_text(arena, tree, "Namespace"), "N");
}

static void test_shapes(void **state)
{
    assert_written("", "A0");
    assert_written("A0", "A0");
    assert_written("BF FF", "A0");
    assert_written("A1 61't' 61'a'", "A1 61't' 61'a'");
    assert_written("A1 78 01't' 7F 61'a' 60 62'bc' FF", "A1 61't' 63'abc'");
    assert_written("A1 61'b' 5F 41 00 41 FF FF", "A1 61'b' 42 00FF");
    assert_written("A1 7F 61't' FF 7F FF", "A1 61't' 60");
    /* Null and undefined are absent, the last counts, what is not known is passed over. */
    assert_written("A2 61't' F6 61'i' F7", "A0");
    assert_written("A2 61't' 61'a' 61't' 61'b'", "A1 61't' 61'b'");
    assert_written("A2 61't' 61'a' 61't' F6", "A0");
    assert_written("A3 61'T' 61'a' 61'y' BF 01 9F 80 A1 F5 5F FF FF C2 D81E F920FF 00 FF 61't' 61'a'",
                   "A1 61't' 61'a'");
    assert_written("A1 61'y' F820", "A0");
    assert_written("A1 61'n' 83 61'a' F6 60", "A1 61'n' 83 61'a' F6 60");
    assert_written("A1 61'c' BF 61'b' 01 61'a' 02 61'b' 03 FF", "A1 61'c' A2 61'b' 03 61'a' 02");
    assert_written("A1 61'o' A2 61'a' F6 61'b' 01", "A1 61'o' A1 61'b' 01");
    assert_written("A1 61'f' F4", "A1 61'f' F4");
    assert_written("A1 61'f' F5", "A1 61'f' F5");
}

static void test_numbers(void **state)
{
    static const char *const same[] = {
        "00",
        "17",
        "1818",
        "18FF",
        "190100",
        "19FFFF",
        "1A00010000",
        "1AFFFFFFFF",
        "1B0000000100000000",
        "1B7FFFFFFFFFFFFFFF",
        "20",
        "37",
        "3818",
        "38FF",
        "390100",
        "39FFFF",
        "3A00010000",
        "3AFFFFFFFF",
        "3B0000000100000000",
        "3B7FFFFFFFFFFFFFFF",
    };

    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        char text[64];

        snprintf(text, sizeof(text), "A1 61'l' %s", same[i]);
        assert_written(text, text);
    }
    assert_written("A1 61'l' 1B0000000000000001", "A1 61'l' 01");
    assert_written("A1 61'i' FB408F400000000000", "A1 61'i' 1903E8");
    assert_written("A1 61'i' F9C400", "A1 61'i' 23");
    assert_written("A1 61'd' 01", "A1 61'd' FB3FF0000000000000");
    assert_written("A1 61'd' 20", "A1 61'd' FBBFF0000000000000");
    assert_written("A1 61'd' F93E00", "A1 61'd' FB3FF8000000000000");
    assert_written("A1 61'd' F90001", "A1 61'd' FB3E70000000000000");
    assert_written("A1 61'd' F97BFF", "A1 61'd' FB40EFFC0000000000");
    assert_written("A1 61'd' F9FC00", "A1 61'd' FBFFF0000000000000");
    assert_written("A1 61'd' FA3FC00000", "A1 61'd' FB3FF8000000000000");
    assert_true(isnan(tree_number(read_cbor("A1 61'd' F97E00"), "d", 0)));
    assert_written("A1 61's' FB3FF8000000000000", "A1 61's' FA3FC00000");
    assert_written("A1 61'w' C1 1A6957364C", "A1 61'w' C1 1A6957364C");
    assert_written("A1 61'w' C1 20", "A1 61'w' C1 20");
    assert_written("A1 61'w' C1 FB41DA55CD69600000", "A1 61'w' C1 FB41DA55CD69600000");
    assert_written("A1 61'w' C1 FA3F800000", "A1 61'w' C1 01");
    assert_refused("A1 61'i' F93E00", "DECIMAL_VALUE cannot be converted to Integer (at i)");
    assert_refused("A1 61'i' F97E00", "DECIMAL_VALUE cannot be converted to Integer (at i)");
    assert_refused("A1 61'l' FB43E0000000000000", "DECIMAL_VALUE cannot be converted to Long (at l)");
    assert_refused("A1 61'i' 1A80000000", "2147483648 is out of the range of an Integer (at i)");
    assert_refused("A1 61'l' 1B8000000000000000", "A number is out of the range of a Long (at l)");
    assert_refused("A1 61'l' 3B8000000000000000", "A number is out of the range of a Long (at l)");
    assert_refused("A1 61's' FB7E37E43C8800759C", "1e+300 is out of the range of a Float (at s)");
}

static void test_kinds(void **state)
{
    assert_refused("A1 61't' 01", "NUMBER_VALUE cannot be converted to String (at t)");
    assert_refused("A1 61't' 41 61", "BINARY_VALUE cannot be converted to String (at t)");
    assert_refused("A1 61'b' 61'a'", "STRING_VALUE cannot be converted to Blob (at b)");
    assert_refused("A1 61'i' 61 31", "STRING_VALUE cannot be converted to Integer (at i)");
    assert_refused("A1 61'f' 01", "NUMBER_VALUE cannot be converted to Boolean (at f)");
    assert_refused("A1 61'f' E0", "SIMPLE_VALUE cannot be converted to Boolean (at f)");
    assert_refused("A1 61't' F5", "TRUE_VALUE cannot be converted to String (at t)");
    assert_refused("A1 61't' 80", "Start of list found where not expected (at t)");
    assert_refused("A1 61'n' 82 60 A0", "Start of structure or map found where not expected (at n.2)");
    assert_refused("A1 61'n' A0", "Start of structure or map found where not expected (at n)");
    assert_refused("A1 61'a' A1 61'c' A1 62'xy' F4", "FALSE_VALUE cannot be converted to Integer (at a.c.xy)");
    /* A time has its tag, and no other value has one. */
    assert_refused("A1 61'w' 01", "NUMBER_VALUE cannot be converted to Timestamp (at w)");
    assert_refused("A1 61'w' C0 61'a'", "TAG_VALUE cannot be converted to Timestamp (at w)");
    assert_refused("A1 61'w' C1 61'a'", "Not a time (at w)");
    assert_refused("A1 61'w' C1 C1 01", "Not a time (at w)");
    assert_refused("A1 61'w' C1 F97E00", "Not a time (at w)");
    assert_refused("A1 61'i' C1 01", "TAG_VALUE cannot be converted to Integer (at i)");
    assert_refused("A1 61'o' A0", "One has 0 members, not one (at o)");
    assert_refused("A1 61't' 61FF", "A string is not UTF-8 (at t)");
    assert_refused("A1 61't' 7F 61C3 61A9 FF", "A string is not UTF-8 (at t)");
    assert_refused("A1 61't' 7F 41'a' FF", "A chunk of a string is of another kind (at t)");
    assert_refused("A1 61't' 7F 7F FF FF", "A chunk of a string is of another kind (at t)");
    assert_refused("A1 01 01", "A name in a map is no text");
    assert_refused("F6", "The body is not a map");
    assert_refused("80", "Start of list found where not expected");
    assert_refused("A0 00", "1 bytes follow the message");
}

static void test_malformed(void **state)
{
    assert_refused("A1", "The message ends within a value");
    assert_refused("BF", "The message ends within a value");
    assert_refused("A1 61't' 62'a'", "The message ends within a value (at t)");
    assert_refused("A1 61't' 7F 61'a'", "The message ends within a value (at t)");
    assert_refused("A1 61'i' 19 01", "The message ends within a value (at i)");
    assert_refused("A1 61'i' 1C", "Not CBOR: 0x1c begins no value (at i)");
    assert_refused("A1 61'i' 1F", "Not CBOR: 0x1f begins no value (at i)");
    assert_refused("A1 61'i' DF", "Not CBOR: 0xdf begins no value (at i)");
    assert_refused("A1 61'i' FF", "Not CBOR: 0xff begins no value (at i)");
    assert_refused("A1 61'y' F81F", "Not CBOR: 0xf8 begins no value (at y)");
    assert_refused("BF 61'i' FF", "Not CBOR: 0xff begins no value (at i)");
    assert_refused("A1 61'y' BF 01 FF", "A name in a map has no value (at y)");
    assert_refused("A1 61'y' 82 01 FF", "Not CBOR: 0xff begins no value (at y)");
    assert_refused("A1 61'y' C1", "The message ends within a value (at y)");
    /* Claims of 2^64 items, and half of it for a map, whose twice would be nothing. */
    assert_refused("A1 61'n' 9BFFFFFFFFFFFFFFFF 60", "The message ends within a value (at n)");
    assert_refused("A1 61'y' BB8000000000000000 00", "The message ends within a value (at y)");
    assert_refused("A1 61't' 7BFFFFFFFFFFFFFFFF'a'", "The message ends within a value (at t)");
}

/* {name: [[[...]]]} */
static struct bytes nested(const char *name, int count)
{
    struct buffer out = { 0 };

    buffer_append_u8(&out, 0xA1);
    buffer_append_u8(&out, 0x61);
    buffer_append_string(&out, name);
    for (int i = 1; i < count; i++)
        buffer_append_u8(&out, 0x81);
    buffer_append_u8(&out, 0x80);
    struct bytes bytes = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return bytes;
}

static void test_limits(void **state)
{
    struct api_fault fault = { 0 };
    struct tree *tree = NULL;

    for (int i = 0; i < 2; i++) {
        const char *name = i ? "y" : "x";

        assert_true(cbor_read(arena, all, nested(name, TREE_DEPTH_MAX - 1), &tree, &fault));
        assert_false(cbor_read(arena, all, nested(name, TREE_DEPTH_MAX), &tree, &fault));
        assert_memory_equal(fault.message, "Nested more than 64 deep (at ", 29);
    }

    struct buffer out = { 0 };
    buffer_append_string(&out, "\xBF\x61n\x9F");
    for (int i = 2; i < TREE_VALUES_MAX; i++)
        buffer_append_u8(&out, 0x60);
    buffer_append_string(&out, "\xFF\xFF");
    assert_true(cbor_read(arena, all, buffer_bytes(&out), &tree, &fault));
    assert_int_equal(tree_get(tree, "n")->count, TREE_VALUES_MAX - 2);
    out.size -= 2;
    buffer_append_string(&out, "\x60\xFF\xFF");
    assert_false(cbor_read(arena, all, buffer_bytes(&out), &tree, &fault));
    assert_string_equal(fault.message, "More than 100000 values (at n.99999)");
    out.data[2] = 'y';
    assert_false(cbor_read(arena, all, buffer_bytes(&out), &tree, &fault));
    assert_string_equal(fault.message, "More than 100000 values (at y)");
    buffer_fini(&out);
}

static void test_faults(void **state)
{
    struct bytes wanted = bytes_from("A3 66'__type' 6A'com.s#Gone' 67'message' 62'no' 64'what' 61'a'");
    struct api_fault fault;
    struct buffer out = { 0 };

    fault_set(&fault, "Gone", 404, "no");
    fault.shape = model_shape_find(service, "Gone");
    fault.details = tree_new(arena, fault.shape);
    tree_set_text(arena, fault.details, "what", "a");
    cbor_write_fault(&out, service, &fault);
    assert_true(bytes_equal(buffer_bytes(&out), wanted));
    buffer_reset(&out);
    fault_set(&fault, "A", 400, "b");
    cbor_write_fault(&out, NULL, &fault);
    assert_true(bytes_equal(buffer_bytes(&out),
                            bytes_from("A2 66'__type' 78 1A'com.amazon.coral.service#A' 67'message' 61'b'")));
    buffer_reset(&out);
    cbor_write(&out, NULL);
    assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("\xA0")));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clients, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_shapes, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_numbers, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_kinds, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_malformed, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_limits, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_faults, setup, model_bed_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
