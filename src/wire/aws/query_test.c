/* awsQuery: forms in any order, with holes, escapes and nonsense, are read or refused; a long form takes no more than n log n; answers are
 * XML that parses whatever the texts are. */
#include "base/clock.h"
#include "wire/aws/codec.h"
#include "wire/aws/model_bed.h"
#include "wire/aws/percent.h"

static const char model[] =
    "service s\nid S\nsigning s\nversion 2020-01-01\nnamespace com.s\nxmlns https://s.example/?a&b\nprotocols query\n"
    "list Names of String\nlist Items of String as item\nlist Flat of String flat\nlist Alls of All\n"
    "list Lists of Names\nmap Counts of String to Integer\nmap Named of String as K to All as V flat\n"
    "timestamp Epoch epoch\nunion One a:String b:Integer\nstructure Empty\n"
    "error Gone 404 code NoSuchThing message:String what:String\n"
    "structure All text:String blob:Blob flag:Boolean int:Integer long:Long float:Float double:Double when:Timestamp\n"
    "    epoch:Epoch names:Names items:Items flat:Flat alls:Alls lists:Lists counts:Counts named:Named one:One all:All\n"
    "    renamed(Other):String\n"
    "operation Do All -> All ! Gone\noperation Nothing All -> \noperation Bare All -> Empty\n";

static const struct shape *all;

static int set_up(void **state)
{
    model_bed_open(model);
    all = model_shape_find(service, "All");
    return 0;
}

static struct tree *read_form(const char *form)
{
    struct tree *tree = NULL;
    struct api_fault fault = { 0 };

    if (!query_read(arena, all, bytes_of_string(form), &tree, &fault))
        fail_msg("%s: %s", form, fault.message);
    return tree;
}

static void assert_refused(const char *form, const char *words)
{
    struct tree *tree = NULL;
    struct api_fault fault = { 0 };

    if (query_read(arena, all, bytes_of_string(form), &tree, &fault))
        fail_msg("%s was read", form);
    if (!strstr(fault.message, words))
        fail_msg("%s: '%s', not '%s'", form, fault.message, words);
    assert_null(tree);
    assert_string_equal(fault.name, "SerializationException");
    assert_string_equal(fault.query_code, "MalformedInput");
    assert_int_equal(fault.http_status, 400);
}

static void assert_text(struct bytes text, const char *wanted)
{
    if (!bytes_equal(text, bytes_of_string(wanted)))
        fail_msg("'%.*s', not '%s'", BYTES(text), wanted);
}

/* What was read, as the XML that is made of it: short, and in the model's order. */
static void assert_read(const char *form, const char *wanted)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    static const char begin[] = "<DoResult>", end[] = "</DoResult>";
    const char *from, *to;

    query_write(&out, service, model_operation_find(service, BYTES_LITERAL("Do")), read_form(form), "r");
    buffer_append_u8(&out, 0);
    from = strstr((const char *)out.data, begin) + sizeof(begin) - 1;
    to = strstr(from, end);
    assert_text(bytes_of(from, (size_t)(to - from)), wanted);
}

static void test_scalars(void **state)
{
    const struct tree *tree =
        read_form("text=a%20b+c%2B&blob=YWI%3D&flag=true&int=-5&long=9223372036854775807&float=1.5&"
                  "double=-1e3&when=2026-01-02T03:04:05.5Z&epoch=1767323045&Other=x&Action=Do&Version=1");

    assert_text(tree_string(tree, "text"), "a b c+");
    assert_text(tree_string(tree, "blob"), "ab");
    assert_true(tree_boolean(tree, "flag", false));
    assert_int_equal(tree_integer(tree, "int", 0), -5);
    assert_int_equal(tree_integer(tree, "long", 0), INT64_MAX);
    assert_true(tree_number(tree, "float", 0) == 1.5 && tree_number(tree, "double", 0) == -1000);
    assert_int_equal(tree_time(tree, "when", 0), INT64_C(1767323045500000));
    assert_int_equal(tree_time(tree, "epoch", 0), INT64_C(1767323045000000));
    assert_text(tree_string(tree, "renamed"), "x");
    /* Of a name that comes twice the last counts; what is empty is there. */
    assert_read("text=a&int=1&text=b&int=2&flag=false&text=", "<text></text><flag>false</flag><int>2</int>");
    assert_read("", "");
    assert_read("&&unknown=1&un.known", "");
    assert_read("double=NaN&float=-Infinity", "<float>-Infinity</float><double>NaN</double>");
}

static void test_wrong_scalars(void **state)
{
    assert_refused("flag=TRUE", "'TRUE' cannot be converted to Boolean (at flag)");
    assert_refused("flag=1", "Boolean");
    assert_refused("int=", "'' cannot be converted to Integer");
    assert_refused("int=1.0", "Integer");
    assert_refused("int=%201", "Integer");
    assert_refused("int=2147483648", "out of the range of an Integer");
    assert_refused("long=9223372036854775808", "Long");
    assert_refused("double=1d", "Double");
    assert_refused("double=0x1", "Double");
    assert_refused("double=nan", "Double");
    assert_refused("float=1e39", "out of the range of a Float");
    assert_refused("blob=%25", "Blob");
    assert_refused("when=1767323045", "Timestamp");
    assert_refused("epoch=2026-01-02T03:04:05Z", "Timestamp");
    assert_refused("text=%ff", "UTF-8");
    assert_refused("text=%", "no two hexadecimal digits");
    assert_refused("%zz=1", "no two hexadecimal digits");
    assert_refused("text.a=1", "Start of structure or map found where not expected (at text)");
    assert_refused("all=1", "STRING_VALUE cannot be converted to Structure (at all)");
    assert_refused("names=1", "List");
    assert_refused("one.a=1&one.b=2", "One has 2 members");
    assert_refused("alls.member.1.int=x", "(at alls.1.int)");
}

static void test_lists(void **state)
{
    assert_read("names.member.2=b&names.member.1=a", "<names><member>a</member><member>b</member></names>");
    /* By number, not by text; with holes. */
    assert_read("names.member.10=j&names.member.9=i&names.member.100=z",
                "<names><member>i</member><member>j</member><member>z</member></names>");
    assert_read("names=", "<names></names>");
    assert_read("names.member=", "<names></names>");
    assert_read("names.member.1=", "<names><member></member></names>");
    assert_read("items.item.1=a&items.member.2=b", "<items><item>a</item></items>");
    assert_read("flat.2=b&flat.1=a", "<flat>a</flat><flat>b</flat>");
    assert_read(
        "lists.member.1.member.1=a&lists.member.2.member.1=b&lists.member.1.member.2=c",
        "<lists><member><member>a</member><member>c</member></member><member><member>b</member></member></lists>");
    assert_read(
        "alls.member.1.int=1&alls.member.2.text=t&alls.member.1.names.member.1=n",
        "<alls><member><int>1</int><names><member>n</member></names></member><member><text>t</text></member></alls>");
    assert_refused("names.member.0=a", "a number from 1");
    assert_refused("names.member.01=a", "a number from 1");
    assert_refused("names.member.x=a", "a number from 1");
    assert_refused("names.member.1x=a", "a number from 1");
    assert_refused("names.member.-1=a", "a number from 1");
    assert_refused("names.member.1234567890=a", "a number from 1");
    assert_refused("names.member.1.x=a", "not expected");
}

static void test_maps(void **state)
{
    assert_read(
        "counts.entry.2.value=2&counts.entry.1.key=a&counts.entry.2.key=b&counts.entry.1.value=1",
        "<counts><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></counts>");
    assert_read("counts=", "<counts></counts>");
    assert_read("counts.entry.1.key=a&counts.entry.1.value=1&counts.entry.2.key=a&counts.entry.2.value=2",
                "<counts><entry><key>a</key><value>2</value></entry></counts>");
    assert_read("named.1.K=a&named.1.V.int=1&named.2.K=b",
                "<named><K>a</K><V><int>1</int></V></named><named><K>b</K><V></V></named>");
    assert_refused("counts.entry.1.value=1", "An entry without a 'key'");
    assert_refused("counts.entry.1.key=a", "An entry without a 'value' (at counts.a)");
    assert_refused("counts.entry.1.key=a&counts.entry.1.value=x", "(at counts.a)");
    assert_refused("counts.entry.x.key=a", "a number from 1");
}

static void test_structures(void **state)
{
    assert_read("all.all.all.int=1&all.text=t&all.all.text=u",
                "<all><text>t</text><all><text>u</text><all><int>1</int></all></all></all>");
    assert_read("all=", "<all></all>");
    assert_read("all.unknown=1", "<all></all>");
    assert_read("one.b=7", "<one><b>7</b></one>");
    /* Names whose order among bytes is another than among segments. */
    assert_read("all-x=1&all.int=1&all.int-x=2&all=&all.text=t&all!=3", "<all><text>t</text><int>1</int></all>");
}

static void test_depth(void **state)
{
    CLEANUP(buffer_fini) struct buffer form = { 0 };

    for (int i = 0; i < TREE_DEPTH_MAX - 1; i++)
        buffer_append_string(&form, "all.");
    buffer_append_string(&form, "int=1");
    buffer_append_u8(&form, 0);
    read_form((const char *)form.data);
    form.size = 0;
    for (int i = 0; i < TREE_DEPTH_MAX; i++)
        buffer_append_string(&form, "all.");
    buffer_append_string(&form, "int=1");
    buffer_append_u8(&form, 0);
    assert_refused((const char *)form.data, "Nested more than 64 deep");
}

static bool read_buffer(const struct buffer *form, struct api_fault *fault)
{
    struct tree *tree;

    return query_read(arena, all, buffer_bytes(form), &tree, fault);
}

static void test_limits(void **state)
{
    CLEANUP(buffer_fini) struct buffer form = { 0 };
    struct api_fault fault = { 0 };

    for (int i = 0; i < QUERY_PAIRS_MAX; i++)
        buffer_append_string(&form, "x=&");
    assert_true(read_buffer(&form, &fault));
    buffer_append_string(&form, "x=");
    assert_false(read_buffer(&form, &fault));
    assert_non_null(strstr(fault.message, "more than 100000 pairs"));

    form.size = 0;
    memset(buffer_extend(&form, QUERY_FORM_MAX), 'x', QUERY_FORM_MAX);
    assert_true(read_buffer(&form, &fault));
    buffer_append_u8(&form, 'x');
    assert_false(read_buffer(&form, &fault));
    assert_non_null(strstr(fault.message, "more than 2097152 bytes"));
}

static int64_t form_ns(uint32_t count, const char *format)
{
    CLEANUP(buffer_fini) struct buffer form = { 0 };
    struct api_fault fault = { 0 };
    int64_t begin;

    /* Downwards and scattered, so that no order helps. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)((uint64_t)i * 7919 % count) + 1;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buffer_printf(&form, format, number);
#pragma GCC diagnostic pop
    }
    begin = clock_thread_cpu_ns();
    if (!read_buffer(&form, &fault))
        fail_msg("%s", fault.message);
    return clock_thread_cpu_ns() - begin;
}

/* Ten times the pairs may take twenty times as long, or a little more: it would be a hundred times if each looked at all others. */
static void test_time(void **state)
{
    static const char *const formats[] = { "names.member.%u=a&", "alls.member.%u.int=1&", "x%u=1&", "flat.%u=&",
                                           "all.all.all.all.all.x%u=1&" };

    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        int64_t few = form_ns(4000, formats[i]), many = form_ns(40000, formats[i]);

        if (many > 60 * few && many > 500000000)
            fail_msg("%s: %lld us, then %lld us", formats[i], (long long)few / 1000, (long long)many / 1000);
    }
}

static void test_fields(void **state)
{
    struct bytes form = BYTES_LITERAL("Action=A&Acti%6Fn=B+C&Version=%&x");

    assert_text(query_field(arena, form, "Action"), "B C");
    assert_null(query_field(arena, form, "Version").data);
    assert_null(query_field(arena, form, "action").data);
    assert_text(query_field(arena, form, "x"), "");
    /* In a target a '+' is a '+'. */
    form = query_form_of_target(arena, BYTES_LITERAL("Action=B+C&d=%20"));
    assert_text(form, "Action=B%2BC&d=%20");
    assert_text(query_field(arena, form, "Action"), "B+C");
}

static void assert_written(const struct buffer *out, const char *wanted)
{
    assert_text(buffer_bytes(out), wanted);
}

static void test_answers(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 }, none = { 0 }, bare = { 0 };
    struct tree *tree = tree_new(arena, all);

    tree_set_text(arena, tree, "text", "<a & \"b\">");
    tree_set_time(arena, tree, "when", INT64_C(1767323045500000));
    tree_set_string(arena, tree, "blob", BYTES_LITERAL("ab"));
    query_write(&out, service, model_operation_find(service, BYTES_LITERAL("Do")), tree, "r-1");
    assert_written(
        &out, "<DoResponse xmlns=\"https://s.example/?a&amp;b\"><DoResult><text>&lt;a &amp; &quot;b&quot;&gt;</text>"
              "<blob>YWI=</blob><when>2026-01-02T03:04:05.5Z</when></DoResult>"
              "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DoResponse>");
    query_write(&none, service, model_operation_find(service, BYTES_LITERAL("Nothing")), NULL, "r");
    assert_written(&none, "<NothingResponse xmlns=\"https://s.example/?a&amp;b\">"
                          "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></NothingResponse>");
    query_write(&bare, service, model_operation_find(service, BYTES_LITERAL("Bare")), NULL, "r");
    assert_written(&bare, "<BareResponse xmlns=\"https://s.example/?a&amp;b\"><BareResult></BareResult>"
                          "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></BareResponse>");
}

/* What XML cannot carry is not there in another form that a parser would refuse. */
static void test_escapes(void **state)
{
    static const struct {
        struct bytes text;
        const char *written;
    } cases[] = {
        { BYTES_LITERAL("a\tb\nc\rd"), "a\tb\nc&#xD;d" },
        { BYTES_LITERAL("\0\001\013\037"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { BYTES_LITERAL("\177\xc2\x85\xf0\x9f\x98\x80"), "\177\xc2\x85\xf0\x9f\x98\x80" },
        { BYTES_LITERAL("a\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { BYTES_LITERAL("a\xff\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd" },
        { BYTES_LITERAL("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { BYTES_LITERAL("]]>"), "]]&gt;" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(buffer_fini) struct buffer out = { 0 };
        struct tree *tree = tree_new(arena, all);

        tree_set_string(arena, tree, "text", cases[i].text);
        query_write(&out, service, model_operation_find(service, BYTES_LITERAL("Do")), tree, "r");
        buffer_append_u8(&out, 0);
        if (!strstr((const char *)out.data, arena_printf(arena, "<text>%s</text>", cases[i].written)))
            fail_msg("case %zu: %s", i, (const char *)out.data);
    }
}

static void test_faults(void **state)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 }, common = { 0 };
    struct api_fault fault;

    fault_set(&fault, "Gone", 404, "It is <gone>");
    fault.shape = model_shape_find(service, "Gone");
    fault.details = tree_new(arena, fault.shape);
    tree_set_text(arena, fault.details, "message", "another");
    tree_set_text(arena, fault.details, "what", "x");
    query_write_fault(&out, service, &fault, "r");
    assert_written(
        &out, "<ErrorResponse xmlns=\"https://s.example/?a&amp;b\"><Error><Type>Sender</Type><Code>NoSuchThing</Code>"
              "<Message>It is &lt;gone&gt;</Message><what>x</what></Error><RequestId>r</RequestId></ErrorResponse>");
    fault_set(&fault, "InternalFailure", 500, "Ours");
    query_write_fault(&common, NULL, &fault, "r");
    assert_written(
        &common,
        "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>Ours</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars), cmocka_unit_test(test_wrong_scalars), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_maps),    cmocka_unit_test(test_structures),    cmocka_unit_test(test_depth),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_time),          cmocka_unit_test(test_fields),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_escapes),       cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, set_up, model_bed_close);
}
