/* Trees: made and read by name, keys that come twice, and what a request that breaks bounds is told, in AWS's words. */
#include "wire/aws/model_bed.h"
#include "wire/aws/tree.h"

static const char model[] =
    "service s\nid S\nsigning s\nprotocols json-1.0\n"
    "string Name 1..4 /[a-z]+/\n"
    "string Free\n"
    "enum Color RED GREEN\n"
    "integer Limit 1..10\n"
    "double Part 0..1\n"
    "blob Bytes ..2\n"
    "list Names 1..3 of Name\n"
    "list Colors of Color\n"
    "list Tags of Tag\n"
    "map Attributes ..2 of Name to Limit\n"
    "map Nested of Free to Tag\n"
    "structure Tag Key!:Name Value:Free\n"
    "structure All name!:Name color:Color Limit:Limit part:Part bytes:Bytes names:Names colors:Colors\n"
    "    tags:Tags attributes:Attributes nested:Nested text:Free tag:Tag when:Timestamp flag:Boolean big:Long";

static struct tree *tree;

static int setup(void **state)
{
    model_bed_open(model);
    tree = tree_new(arena, model_shape_find(service, "All"));
    tree_set_text(arena, tree, "name", "ab");
    return 0;
}

static void assert_fault(const char *message)
{
    struct api_fault fault = { 0 };

    assert_false(tree_check(tree, &fault));
    assert_string_equal(fault.message, message);
    assert_string_equal(fault.name, "ValidationException");
    assert_string_equal(fault.query_code, "ValidationError");
    assert_int_equal(fault.http_status, 400);
    assert_false(fault.is_receiver);
}

static void assert_kept(void)
{
    struct api_fault fault = { 0 };

    if (!tree_check(tree, &fault))
        fail_msg("%s", fault.message);
}

static void append_text(struct tree *list, const char *text)
{
    tree_append(arena, list)->bytes = bytes_of_string(text);
}

static void test_values(void **state)
{
    assert_true(bytes_equal(tree_string(tree, "name"), BYTES_LITERAL("ab")));
    assert_string_equal(tree_text(arena, tree, "name"), "ab");
    assert_null(tree_text(arena, tree, "text"));
    assert_null(tree_string(tree, "text").data);
    tree_set_text(arena, tree, "text", NULL);
    assert_null(tree_get(tree, "text"));
    tree_set_string(arena, tree, "text", bytes_of(NULL, 0));
    assert_non_null(tree_string(tree, "text").data);
    assert_int_equal(tree_integer(tree, "Limit", 7), 7);
    tree_set_integer(arena, tree, "Limit", 3);
    assert_int_equal(tree_integer(tree, "Limit", 7), 3);
    tree_set_integer(arena, tree, "big", INT64_MIN);
    assert_true(tree_integer(tree, "big", 0) == INT64_MIN);
    assert_true(tree_number(tree, "part", 0.5) == 0.5);
    tree_set_number(arena, tree, "part", 0.25);
    assert_true(tree_number(tree, "part", 0.5) == 0.25);
    assert_true(tree_boolean(tree, "flag", true));
    tree_set_boolean(arena, tree, "flag", false);
    assert_false(tree_boolean(tree, "flag", true));
    assert_int_equal(tree_time(tree, "when", -1), -1);
    tree_set_time(arena, tree, "when", 5);
    assert_int_equal(tree_time(tree, "when", -1), 5);
    struct tree *tag = tree_member(arena, tree, "tag");
    assert_ptr_equal(tag, tree_get(tree, "tag"));
    assert_ptr_equal(tag, tree_member(arena, tree, "tag"));
}

static void test_maps(void **state)
{
    struct tree *map = tree_member(arena, tree, "attributes");
    struct tree *values[5];

    tree_put(arena, map, BYTES_LITERAL("a"))->integer = 1;
    tree_put(arena, map, BYTES_LITERAL("b"))->integer = 2;
    tree_put(arena, map, BYTES_LITERAL("a"))->integer = 3;
    assert_int_equal(map->count, 2);
    assert_int_equal(map->entries[0].value->integer, 3);

    /* As readers do it: the first's place, the last's value. */
    map = tree_new(arena, map->shape);
    for (int i = 0; i < 5; i++) {
        values[i] = tree_new(arena, map->shape->element);
        tree_add(arena, map, bytes_of_string((const char *[]){ "b", "", "b", "a", "b" }[i]), values[i]);
    }
    tree_settle(arena, map);
    assert_int_equal(map->count, 3);
    assert_true(bytes_equal(map->entries[0].key, BYTES_LITERAL("b")));
    assert_ptr_equal(map->entries[0].value, values[4]);
    assert_ptr_equal(map->entries[1].value, values[1]);
    assert_ptr_equal(map->entries[2].value, values[3]);
}

static void test_kept(void **state)
{
    assert_kept();
    tree_set_text(arena, tree, "color", "GREEN");
    tree_set_integer(arena, tree, "Limit", 10);
    tree_set_number(arena, tree, "part", 1);
    tree_set_text(arena, tree, "name", "abcd");
    append_text(tree_member(arena, tree, "names"), "a");
    assert_kept();
}

static void test_scalars(void **state)
{
    tree_set_text(arena, tree, "name", "A");
    assert_fault("1 validation error detected: Value 'A' at 'name' failed to satisfy constraint: "
                 "Member must satisfy regular expression pattern: [a-z]+");
    tree_set_text(arena, tree, "name", "");
    assert_fault(
        "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-z]+; Value '' at 'name' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1");
    tree_set_text(arena, tree, "name", "abcde");
    assert_fault("1 validation error detected: Value 'abcde' at 'name' failed to satisfy constraint: "
                 "Member must have length less than or equal to 4");
    tree_set_text(arena, tree, "name", "ab");
    tree_set_text(arena, tree, "color", "BLUE");
    tree_set_integer(arena, tree, "Limit", 11);
    assert_fault(
        "2 validation errors detected: Value 'BLUE' at 'color' failed to satisfy constraint: "
        "Member must satisfy enum value set: [RED, GREEN]; Value '11' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10");
    tree_set_text(arena, tree, "color", "RED");
    tree_set_integer(arena, tree, "Limit", 0);
    assert_fault("1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
                 "Member must have value greater than or equal to 1");
    tree_set_integer(arena, tree, "Limit", 1);
    tree_set_number(arena, tree, "part", 1.5);
    assert_fault("1 validation error detected: Value '1.5' at 'part' failed to satisfy constraint: "
                 "Member must have value less than or equal to 1.0");
    tree_set_number(arena, tree, "part", 0);
    tree_set_string(arena, tree, "bytes", BYTES_LITERAL("abc"));
    assert_fault("1 validation error detected: Value '3 bytes' at 'bytes' failed to satisfy constraint: "
                 "Member must have length less than or equal to 2");
}

/* A length is in characters. */
static void test_characters(void **state)
{
    struct model_service *other;
    struct error err = { 0 };

    assert_int_equal(
        model_parse(arena, BYTES_LITERAL("service s\nid S\nsigning s\nprotocols cbor\nstring T 2..2\nstructure A t:T"),
                    &other, &err),
        OK);
    tree = tree_new(arena, model_shape_find(other, "A"));
    tree_set_text(arena, tree, "t", "\xC3\xA9\xF0\x9F\x98\x80");
    assert_kept();
    tree_set_text(arena, tree, "t", "\xF0\x9F\x98\x80");
    assert_fault("1 validation error detected: Value '\xF0\x9F\x98\x80' at 't' failed to satisfy constraint: "
                 "Member must have length greater than or equal to 2");
}

static void test_missing(void **state)
{
    tree = tree_new(arena, tree->shape);
    assert_fault(
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null");
    tree_set_text(arena, tree, "name", "a");
    tree_append(arena, tree_member(arena, tree, "tags"));
    tree_member(arena, tree, "tag");
    assert_fault("2 validation errors detected: "
                 "Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null; "
                 "Value null at 'tag.key' failed to satisfy constraint: Member must not be null");
}

static void test_containers(void **state)
{
    struct tree *list = tree_member(arena, tree, "names"), *map;

    assert_fault("1 validation error detected: Value '[]' at 'names' failed to satisfy constraint: "
                 "Member must have length greater than or equal to 1");
    append_text(list, "a");
    append_text(list, "A");
    append_text(list, "abcde");
    assert_fault(
        "1 validation error detected: Value '[a, A, abcde]' at 'names' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 4, "
        "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-z]+]");
    tree->members[shape_member_find(tree->shape, BYTES_LITERAL("names")) - tree->shape->members] = NULL;

    append_text(tree_member(arena, tree, "colors"), "BLUE");
    tree_add(arena, tree_member(arena, tree, "colors"), bytes_of(NULL, 0), NULL);
    assert_fault(
        "1 validation error detected: Value '[BLUE, null]' at 'colors' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must satisfy enum value set: [RED, GREEN], Member must not be null]");
    tree->members[shape_member_find(tree->shape, BYTES_LITERAL("colors")) - tree->shape->members] = NULL;

    map = tree_member(arena, tree, "attributes");
    tree_put(arena, map, BYTES_LITERAL("A"))->integer = 0;
    tree_put(arena, map, BYTES_LITERAL("b"))->integer = 1;
    assert_fault(
        "2 validation errors detected: Value '{A=0, b=1}' at 'attributes' failed to satisfy constraint: "
        "Map keys must satisfy constraint: [Member must have length less than or equal to 4, "
        "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [a-z]+]; "
        "Value '{A=0, b=1}' at 'attributes' failed to satisfy constraint: Map value must satisfy constraint: "
        "[Member must have value less than or equal to 10, Member must have value greater than or equal to 1]");
    tree->members[shape_member_find(tree->shape, BYTES_LITERAL("attributes")) - tree->shape->members] = NULL;

    map = tree_member(arena, tree, "nested");
    tree_set_text(arena, tree_put(arena, map, BYTES_LITERAL("x")), "Key", "K");
    assert_fault("1 validation error detected: Value 'K' at 'nested.x.member.key' failed to satisfy constraint: "
                 "Member must satisfy regular expression pattern: [a-z]+");
    tree_add(arena, map, BYTES_LITERAL("y"), NULL);
    tree_set_text(arena, tree_put(arena, map, BYTES_LITERAL("x")), "Key", "k");
    assert_fault(
        "1 validation error detected: Value '{x=Tag(Key=k), y=null}' at 'nested' failed to satisfy constraint: "
        "Map value must satisfy constraint: [Member must not be null]");
}

/* A message has a size, and ends between two characters; all that is wrong is counted. */
static void test_many(void **state)
{
    struct tree *tags = tree_member(arena, tree, "tags");
    struct api_fault fault = { 0 };
    char text[4000];

    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    for (int i = 0; i < 1000; i++)
        tree_set_string(arena, tree_append(arena, tags), "Key", bytes_of(text, sizeof(text)));
    assert_false(tree_check(tree, &fault));
    assert_non_null(strstr(fault.message, "2000 validation errors detected: Value '\xC3\xA9"));
    assert_non_null(strstr(fault.message, "\xC3\xA9...' at 'tags.1.member.key' failed to satisfy"));
    assert_true(strlen(fault.message) > sizeof(fault.message) - 8);
    assert_string_equal(fault.message + strlen(fault.message) - 3, "...");
}

/* What is just as long as what is shown is shown whole, and nothing behind it is looked at. */
static void test_shown(void **state)
{
    struct api_fault fault = { 0 };
    char text[257];

    memset(text, 'a', 256);
    text[256] = 'b';
    tree_set_string(arena, tree_append(arena, tree_member(arena, tree, "tags")), "Key", bytes_of(text, 256));
    assert_false(tree_check(tree, &fault));
    assert_non_null(strstr(fault.message, "aaa' at 'tags.1.member.key'"));
    assert_null(strstr(fault.message, "..."));
}

static void test_fault(void **state)
{
    struct api_fault fault = { .query_code = "old", .details = tree };

    assert_false(fault_set(&fault, "InternalServerException", 500, "%s %d\xC3", "no", 7));
    assert_string_equal(fault.message, "no 7");
    assert_true(fault.is_receiver);
    assert_null(fault.details);
    assert_null(fault.query_code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_maps, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_kept, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_scalars, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_characters, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_missing, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_containers, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_many, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_shown, setup, model_bed_close),
        cmocka_unit_test_setup_teardown(test_fault, setup, model_bed_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
