/* Schemas as versions: lookups by name and id over many tables, changes that share what they leave alone, SELECT * order, references;
 * definitions to bytes and back, and every cut of the bytes refused; the order and the levels of types, also of thousands; who uses them;
 * Keyspaces' properties by their types; when tables were made and types altered. What statements do is in catalog/ddl_test.c.
 */
#include "schema/schema.h"

#include "base/clock.h"
#include "cql/parse.h"
#include "schema/build.h"
#include "schema/codec.h"
#include "schema/ddl.h"
#include "schema/keyspaces.h"
#include "schema/options.h"
#include "schema/uses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint8_t uuid[16];
static uint64_t next_id = 100;
static int64_t now_us = 1000000;
static uint8_t random_byte;

static uint64_t next_version;
static uint32_t keyspaces_elsewhere, tables_elsewhere;

static void fake_random(void *context, void *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = random_byte++;
}

static enum status try_apply(struct schema **schema, const char *text, struct ddl_change *change, struct arena *arena,
                             struct error *err)
{
    struct ddl_context context = { .current_keyspace = BYTES_LITERAL("k"),
                                   .now_us = now_us,
                                   .next_table_id = next_id++,
                                   .next_version = next_version,
                                   .keyspaces_elsewhere = keyspaces_elsewhere,
                                   .tables_elsewhere = tables_elsewhere,
                                   .random = fake_random };
    struct cql_statement *statement;
    struct schema *result;
    enum status status = cql_parse(arena, bytes_of_string(text), &statement, err);

    if (!status)
        status = ddl_apply(*schema, statement, &context, arena, &result, change, err);
    if (status)
        return status;
    schema_unref(*schema);
    *schema = result;
    return OK;
}

static void apply(struct schema **schema, const char *text)
{
    struct arena *arena = arena_new(4096);
    struct ddl_change change;
    struct error err;

    if (try_apply(schema, text, &change, arena, &err))
        fail_msg("%s: %s", text, err.message);
    arena_free(arena);
}

static struct schema *new_schema(void)
{
    struct schema *schema = schema_new(0, uuid);

    apply(&schema, "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    return schema;
}

static void finds_by_name_and_id(void **state)
{
    struct schema *schema = new_schema();
    char text[128];

    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "CREATE TABLE t%d (a int PRIMARY KEY, b text)", i);
        apply(&schema, text);
    }
    for (int i = 0; i < 500; i += 2) {
        snprintf(text, sizeof(text), "DROP TABLE t%d", i);
        apply(&schema, text);
    }
    assert_int_equal(schema_table_count(schema), 250);
    for (int i = 0; i < 500; i++) {
        struct table_def *def;

        snprintf(text, sizeof(text), "t%d", i);
        def = schema_table(schema, BYTES_LITERAL("k"), bytes_of_string(text));
        assert_int_equal(def != NULL, i % 2);
        if (def)
            assert_ptr_equal(schema_table_by_id(schema, def->id), def);
        assert_null(schema_table(schema, BYTES_LITERAL("kt"), bytes_of_string(text + 1)));
    }
    assert_null(schema_table_by_id(schema, 99999999));
    schema_unref(schema);
}

static void a_change_shares_the_rest(void **state)
{
    struct schema *schema = new_schema(), *before;
    struct table_def *one, *two;

    apply(&schema, "CREATE TABLE one (a int PRIMARY KEY)");
    apply(&schema, "CREATE TABLE two (a int PRIMARY KEY)");
    before = schema_ref(schema);
    one = schema_table(before, BYTES_LITERAL("k"), BYTES_LITERAL("one"));
    two = schema_table(before, BYTES_LITERAL("k"), BYTES_LITERAL("two"));
    apply(&schema, "ALTER TABLE two ADD b int");
    assert_int_equal(schema_version_number(schema), schema_version_number(before) + 1);
    assert_memory_not_equal(schema_version_uuid(schema), schema_version_uuid(before), 16);
    assert_ptr_equal(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("one")), one);
    assert_ptr_not_equal(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("two")), two);
    assert_int_equal(two->column_count, 1);
    assert_int_equal(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("two"))->version,
                     schema_version_number(schema));
    table_def_ref(two);
    schema_unref(before);
    assert_int_equal(two->column_count, 1); /* our reference keeps it */
    table_def_unref(two);
    schema_unref(schema);
}

static void columns_stand_in_order_and_ids_stay(void **state)
{
    static const char *const names[] = { "k2", "k1", "c1", "c2", "S", "s1", "B", "a", "b" };
    struct schema *schema = new_schema();
    const struct table_def *def;
    uint32_t id;

    apply(
        &schema,
        "CREATE TABLE t (b int, a int, \"B\" set<int>, s1 int static, \"S\" int static, c2 int, c1 int, k1 int, k2 int, "
        "PRIMARY KEY ((k2, k1), c1, c2)) WITH CLUSTERING ORDER BY (c1 ASC, c2 DESC)");
    def = schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t"));
    assert_int_equal(def->column_count, 9);
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(bytes_equal(def->columns[i].name, bytes_of_string(names[i])));
        assert_int_equal(def->columns[i].index, i);
        assert_ptr_equal(table_def_column(def, bytes_of_string(names[i])), &def->columns[i]);
        assert_ptr_equal(table_def_column_by_id(def, def->columns[i].id), &def->columns[i]);
    }
    assert_true(def->columns[3].descending && !def->columns[2].descending);
    assert_true(def->columns[6].multicell);
    id = table_def_column(def, BYTES_LITERAL("a"))->id;
    apply(&schema, "ALTER TABLE t DROP a");
    apply(&schema, "ALTER TABLE t ADD a int");
    def = schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t"));
    assert_true(table_def_column(def, BYTES_LITERAL("a"))->id > id);
    assert_null(table_def_column_by_id(def, id));
    assert_null(table_def_column_by_id(def, 12345));
    schema_unref(schema);
}

static void a_type_spreads(void **state)
{
    struct schema *schema = new_schema();
    const struct type *type;

    apply(&schema, "CREATE TYPE inner (x int)");
    apply(&schema, "CREATE TYPE outer (i frozen<inner>, l list<frozen<inner>>)");
    apply(&schema, "CREATE TABLE t (a int PRIMARY KEY, o frozen<outer>, m map<int, frozen<outer>>)");
    apply(&schema, "ALTER TYPE inner ADD y text");
    type = table_def_column(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t")), BYTES_LITERAL("m"))->type;
    assert_int_equal(type->params[1]->params[0]->param_count, 2);
    assert_int_equal(type->params[1]->params[1]->params[0]->param_count, 2);
    assert_true(type->params[1]->params[1]->frozen);
    assert_int_equal(schema_type(schema, BYTES_LITERAL("k"), BYTES_LITERAL("outer"))->params[0]->param_count, 2);
    schema_unref(schema);
}

/* A definition with a type that was frozen already when it came, after the request's memory has gone to others. */
static void definitions_keep_no_memory_of_a_request(void **state)
{
    struct schema *schema = new_schema();
    const struct keyspace_def *keyspace;
    const struct table_def *table;
    const struct type *type;
    struct buffer text = { 0 };

    apply(&schema, "CREATE TYPE inner1 (a int)");
    apply(&schema, "CREATE TYPE mid (n text)");
    apply(&schema, "CREATE TYPE top (m frozen<mid>, t tuple<frozen<mid>, int>)");
    apply(&schema, "CREATE TABLE t (k int PRIMARY KEY, m frozen<mid>, l list<frozen<top>>, d tuple<frozen<mid>>)");
    apply(&schema, "ALTER TYPE mid ADD i frozen<inner1>");
    apply(&schema, "ALTER TYPE mid ADD l frozen<list<frozen<set<int>>>>");
    apply(&schema, "ALTER TYPE mid ADD v vector<frozen<inner1>, 2>");
    apply(&schema, "ALTER TYPE inner1 RENAME a TO b");
    apply(&schema, "ALTER TABLE t DROP d");
    apply(&schema, "ALTER TABLE t ADD e tuple<frozen<mid>, frozen<list<int>>>");
    apply(&schema, "ALTER TABLE t WITH comment = 'c' AND caching = {'keys': 'NONE'}");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    assert_true(keyspace_def_is_owned(keyspace));
    table = schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t"));
    for (uint32_t i = 0; i < table->column_count; i++)
        assert_true(type_is_owned(table->arena, table->columns[i].type));
    assert_true(type_is_owned(table->arena, table->dropped[0].type));
    type = table_def_column(table, BYTES_LITERAL("m"))->type;
    for (uint32_t i = 0; i < type->param_count; i++) {
        buffer_append_string(&text, i ? "; " : "");
        type_print(&text, type->params[i], false);
    }
    assert_true(
        bytes_equal(buffer_bytes(&text),
                    BYTES_LITERAL("text; frozen<inner1>; frozen<list<frozen<set<int>>>>; vector<frozen<inner1>, 2>")));
    assert_true(bytes_equal(type->params[1]->field_names[0], BYTES_LITERAL("b")));
    buffer_fini(&text);
    schema_unref(schema);
}

/* Types that double with each step: without a limit the thirtieth has a billion parts. */
static void bombs_are_refused(void **state)
{
    struct schema *schema = new_schema();
    struct arena *arena = arena_new(4096);
    struct ddl_change change;
    struct error err;
    char text[256];
    enum status status = OK;

    apply(&schema, "CREATE TYPE t0 (a int)");
    for (int i = 1; i < 30 && !status; i++) {
        snprintf(text, sizeof(text), "CREATE TYPE t%d (a frozen<t%d>, b frozen<t%d>)", i, i - 1, i - 1);
        status = try_apply(&schema, text, &change, arena, &err);
    }
    assert_int_equal(status, ERR_INVALID);
    arena_free(arena);
    schema_unref(schema);
}

/* Through bytes: whole they are the same again, and cut short they are refused. */
static struct keyspace_def *copy_keyspace(const struct keyspace_def *keyspace)
{
    struct keyspace_def *bare, *copy;
    struct buffer bytes = { 0 }, again = { 0 };
    uint32_t levels[2];
    struct error err;

    schema_encode_keyspace(&bytes, keyspace);
    for (size_t i = 0; i < bytes.size; i++)
        assert_int_equal(schema_decode_keyspace(bytes_of(bytes.data, i), &copy, &err), ERR_CORRUPT);
    assert_int_equal(schema_decode_keyspace(buffer_bytes(&bytes), &bare, &err), OK);
    schema_encode_keyspace(&again, bare);
    assert_true(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&again)));
    copy = keyspace_def_clone(bare, 0, keyspace->type_count);
    keyspace_def_unref(bare);

    assert_int_equal(keyspace->type_count, 2);
    schema_type_levels(keyspace, levels);
    assert_int_equal(levels[0], 2); /* aa uses zz */
    assert_int_equal(levels[1], 1);
    for (int i = 1; i >= 0; i--) {
        buffer_reset(&bytes);
        schema_encode_type(&bytes, keyspace->types[i], levels[i], keyspace->type_changed_us[i]);
        assert_int_equal(schema_type_level(buffer_bytes(&bytes)), levels[i]);
        for (size_t j = 0; j < bytes.size; j++)
            assert_int_equal(schema_decode_type(bytes_of(bytes.data, j), copy, &err), ERR_CORRUPT);
        assert_int_equal(schema_decode_type(buffer_bytes(&bytes), copy, &err), OK);
    }
    buffer_fini(&bytes);
    buffer_fini(&again);
    return copy;
}

static void types_stand_behind_those_they_use(void **state)
{
    static const char *const wanted[] = { "b", "m", "z", "a", "c" };
    struct schema *schema = new_schema();
    const struct type *order[ARRAY_SIZE(wanted)];
    uint32_t levels[ARRAY_SIZE(wanted)];
    const struct keyspace_def *keyspace;

    apply(&schema, "CREATE TYPE b (x int)");
    apply(&schema, "CREATE TYPE z (x map<int, frozen<b>>)");
    apply(&schema, "CREATE TYPE m (x int)");
    apply(&schema, "CREATE TYPE a (x frozen<z>, y tuple<frozen<m>, frozen<z>>)");
    apply(&schema, "CREATE TYPE c (x int)");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    schema_types_in_order(keyspace, order);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        assert_true(bytes_equal(order[i]->name, bytes_of_string(wanted[i])));
    schema_type_levels(keyspace, levels);
    assert_int_equal(levels[0], 3); /* a: z, b */
    assert_int_equal(levels[4], 2); /* z: b */
    assert_int_equal(levels[1] + levels[2] + levels[3], 3);
    schema_unref(schema);
}

/* Every change of a keyspace asks for the levels of its types. */
static void levels_of_thousands_of_types_are_soon_found(void **state)
{
    enum { TYPES = 4000, FIELDS = 20 };
    struct keyspace_def *bare = keyspace_def_new(BYTES_LITERAL("k"), &(struct option_map){ 0 }, true);
    struct keyspace_def *keyspace = keyspace_def_clone(bare, 0, TYPES);
    const struct type *fields[FIELDS];
    struct bytes names[FIELDS];
    char texts[FIELDS][16], name[16];
    uint32_t *levels = xcalloc(TYPES, sizeof(*levels));
    int64_t began_ns;

    for (int i = 0; i < FIELDS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "f%d", i);
        names[i] = bytes_of_string(texts[i]);
        fields[i] = type_native(TYPE_INT);
    }
    for (int i = 0; i < TYPES; i++) {
        snprintf(name, sizeof(name), "t%04d", i);
        keyspace_def_put_type(
            keyspace, type_udt(keyspace->arena, keyspace->name, bytes_of_string(name), names, fields, FIELDS, false),
            0);
        fields[0] = i % 8 == 7 ? type_native(TYPE_INT) : type_freeze(keyspace->arena, keyspace->types[i]);
    }
    began_ns = clock_thread_cpu_ns();
    schema_type_levels(keyspace, levels);
    assert_true(clock_thread_cpu_ns() - began_ns < 500000000); /* each with each: ten times as long */
    for (int i = 0; i < TYPES; i++)
        assert_int_equal(levels[i], i % 8 + 1);
    free(levels);
    keyspace_def_unref(keyspace);
    keyspace_def_unref(bare);
}

static void definitions_survive_as_bytes(void **state)
{
    struct schema *schema = new_schema();
    const struct keyspace_def *keyspace;
    struct keyspace_def *copy;
    struct table_def *table;
    struct buffer bytes = { 0 }, again = { 0 };
    struct error err;

    apply(&schema, "CREATE TYPE zz (x int, \"Q r\" list<text>)");
    apply(&schema, "CREATE TYPE aa (z frozen<zz>)");
    apply(
        &schema,
        "CREATE TABLE t (a int, b timeuuid, c frozen<aa>, d tuple<int, vector<float, 3>>, e map<text, frozen<zz>>, f frozen<zz>, g duration, "
        "h int static, PRIMARY KEY (a, b)) WITH CLUSTERING ORDER BY (b DESC) AND comment = 'x' AND tags = {'k': 'v'} AND "
        "custom_properties = {'a': {'b': 'c'}} AND gc_grace_seconds = 7 AND bloom_filter_fp_chance = 0.25 AND cdc = true");
    apply(&schema, "ALTER TABLE t DROP g");
    apply(&schema, "ALTER TABLE t WITH custom_properties = {'d': 'e'}");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    assert_true(bytes_equal(keyspace->tables[0]->params.custom_properties,
                            BYTES_LITERAL("{\"a\": {\"b\": \"c\"}, \"d\": \"e\"}")));

    copy = copy_keyspace(keyspace);
    assert_true(type_equal(copy->types[0], keyspace->types[0]));
    assert_true(type_equal(copy->types[1], keyspace->types[1]));

    buffer_reset(&bytes);
    buffer_reset(&again);
    schema_encode_table(&bytes, keyspace->tables[0]);
    for (size_t i = 0; i < bytes.size; i++)
        assert_int_equal(schema_decode_table(bytes_of(bytes.data, i), copy, &table, &err), ERR_CORRUPT);
    assert_int_equal(schema_decode_table(buffer_bytes(&bytes), copy, &table, &err), OK);
    schema_encode_table(&again, table);
    assert_true(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&again)));
    for (uint32_t i = 0; i < table->column_count; i++)
        assert_true(type_equal(table->columns[i].type, keyspace->tables[0]->columns[i].type));
    assert_int_equal(table->params.gc_grace_s, 7);
    assert_true(table->params.cdc && table->dropped_count == 1);

    bytes.data[0] = SCHEMA_TABLE_ENCODING + 1;
    table_def_unref(table);
    assert_int_equal(schema_decode_table(buffer_bytes(&bytes), copy, &table, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "newer version"));
    keyspace_def_unref(copy);
    buffer_fini(&bytes);
    buffer_fini(&again);
    schema_unref(schema);
}

/* Made once, whatever happens to it later. Of an older server's table the uuid tells it; a client's may tell nothing. */
static void tables_know_when_they_were_made(void **state)
{
    struct schema *schema = new_schema();
    const struct keyspace_def *keyspace;
    struct buffer bytes = { 0 };
    struct table_def *table;
    struct error err;

    now_us = INT64_C(1700000000123456);
    apply(&schema, "CREATE TABLE t (a int PRIMARY KEY)");
    apply(&schema, "CREATE TABLE u (a int PRIMARY KEY) WITH id = '5a1c395e-b41f-11e5-9f22-ba0be0483c18'");
    now_us++;
    apply(&schema, "ALTER TABLE t ADD b int");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    assert_int_equal(table_def_created_us(keyspace->tables[1]), INT64_C(1700000000123456));
    schema_encode_table(&bytes, keyspace->tables[0]);
    assert_int_equal(schema_decode_table(buffer_bytes(&bytes), keyspace, &table, &err), OK);
    assert_int_equal(table_def_created_us(table), INT64_C(1700000000123456));
    /* As an older server's: it was not kept. */
    table->created_us = 0;
    assert_int_equal(table_def_created_us(table), INT64_C(1700000000123000));
    table->uuid[6] = 0x40;
    assert_int_equal(table_def_created_us(table), 0);
    table_def_unref(table);
    buffer_fini(&bytes);
    schema_unref(schema);
    now_us = 1000000;
}

/* As a server of before encoded types: of encoding 1, which ends with the fields. */
static void assert_older_type(const struct keyspace_def *keyspace, uint32_t index, uint32_t level)
{
    enum { PARAMS_BYTES = 1 + 1 + 4 + 8 };
    struct keyspace_def *copy = keyspace_def_clone(keyspace, 0, 0);
    struct buffer bytes = { 0 };
    struct error err;

    schema_encode_type(&bytes, keyspace->types[index], level, 7);
    bytes.data[0] = 1;
    assert_int_equal(schema_decode_type(buffer_bytes(&bytes), copy, &err), ERR_CORRUPT);
    bytes.size -= PARAMS_BYTES;
    assert_int_equal(schema_decode_type(buffer_bytes(&bytes), copy, &err), OK);
    assert_true(type_equal(copy->types[index], keyspace->types[index]));
    assert_int_equal(copy->type_changed_us[index], 0);
    buffer_fini(&bytes);
    keyspace_def_unref(copy);
}

/* A change of one is none of those that use it, or that stand beside it. */
static void types_know_when_they_were_altered(void **state)
{
    struct schema *schema = new_schema();
    const struct keyspace_def *keyspace;
    struct keyspace_def *copy;

    now_us = 10;
    apply(&schema, "CREATE TYPE zz (x int)");
    apply(&schema, "CREATE TYPE aa (x frozen<zz>)");
    now_us = 20;
    apply(&schema, "CREATE TYPE b (x int)");
    now_us = 30;
    apply(&schema, "ALTER TYPE zz ADD y int");
    apply(&schema, "ALTER TYPE b ADD IF NOT EXISTS x int");
    apply(&schema, "CREATE TYPE c (x int)");
    apply(&schema, "DROP TYPE c");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    assert_int_equal(keyspace->type_count, 3);
    assert_int_equal(keyspace->type_changed_us[0], 10);
    assert_int_equal(keyspace->type_changed_us[1], 20);
    assert_int_equal(keyspace->type_changed_us[2], 30);
    assert_older_type(keyspace, 1, 1);
    apply(&schema, "DROP TYPE b");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    copy = copy_keyspace(keyspace);
    assert_int_equal(copy->type_changed_us[0], 10);
    assert_int_equal(copy->type_changed_us[1], 30);
    keyspace_def_unref(copy);
    schema_unref(schema);
    now_us = 1000000;
}

/* Flipped bytes must be refused or give something whole: never a crash. */
static void damaged_bytes_do_no_harm(void **state)
{
    struct schema *schema = new_schema();
    const struct keyspace_def *keyspace;
    struct buffer bytes = { 0 };
    struct table_def *table;
    struct error err;

    apply(&schema, "CREATE TYPE zz (x int)");
    apply(&schema, "CREATE TABLE t (a int, b text, c list<frozen<zz>>, PRIMARY KEY (a, b))");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    schema_encode_table(&bytes, keyspace->tables[0]);
    for (size_t i = 0; i < bytes.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] ^= (uint8_t)(1 << bit);
            if (!schema_decode_table(buffer_bytes(&bytes), keyspace, &table, &err))
                table_def_unref(table);
            bytes.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    buffer_fini(&bytes);
    schema_unref(schema);
}

static enum status read_properties(const char *map, struct keyspaces_properties *properties, struct error *err)
{
    struct schema *schema = new_schema();
    struct arena *arena = arena_new(4096);
    struct ddl_change change;
    char text[1024];
    enum status status;

    snprintf(text, sizeof(text), "CREATE TABLE t (a int PRIMARY KEY) WITH custom_properties = %s", map);
    status = try_apply(&schema, text, &change, arena, err);
    if (!status)
        status = keyspaces_properties_read(
            arena, schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t"))->params.custom_properties, properties,
            err);
    if (!status && properties->encryption.key.size)
        properties->encryption.key = BYTES_LITERAL("a key"); /* the arena's goes */
    arena_free(arena);
    schema_unref(schema);
    return status;
}

static void custom_properties_have_types(void **state)
{
    struct keyspaces_properties p;
    struct error err;

    assert_int_equal(read_properties("{}", &p, &err), OK);
    assert_int_equal(p.capacity.mode, THROUGHPUT_PAY_PER_REQUEST);
    assert_int_equal(p.encryption.type, ENCRYPTION_AWS_OWNED_KEY);
    assert_int_equal(p.point_in_time_recovery, PROPERTY_DISABLED);
    assert_int_equal(p.cdc.view, VIEW_NEW_AND_OLD_IMAGES);
    assert_int_equal(p.warm.read_units, 12000);
    assert_int_equal(
        read_properties(
            "{'capacity_mode': {'throughput_mode': 'provisioned', 'read_capacity_units': 10, 'write_capacity_units': '7'}, "
            "'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': 'arn:x\"y'}, "
            "'point_in_time_recovery': {'status': 'ENABLED'}, 'ttl': {'status': 'enabled'}, 'of the future': 'x', "
            "'cdc_specification': {'view_type': 'KEYS_ONLY', 'propagate_tags': 'TABLE', 'tags': {'a': 'b'}}, "
            "'warm_throughput': {'write_units_per_second': 5000}}",
            &p, &err),
        OK);
    assert_int_equal(p.capacity.mode, THROUGHPUT_PROVISIONED);
    assert_int_equal(p.capacity.read_units, 10);
    assert_int_equal(p.capacity.write_units, 7);
    assert_int_equal(p.encryption.type, ENCRYPTION_CUSTOMER_MANAGED_KEY);
    assert_true(p.encryption.key.size > 0);
    assert_int_equal(p.point_in_time_recovery, PROPERTY_ENABLED);
    assert_int_equal(p.ttl, PROPERTY_ENABLED);
    assert_int_equal(p.client_side_timestamps, PROPERTY_DISABLED);
    assert_int_equal(p.cdc.view, VIEW_KEYS_ONLY);
    assert_int_equal(p.cdc.propagate_tags, PROPAGATE_TABLE);
    assert_int_equal(p.warm.read_units, 12000);
    assert_int_equal(p.warm.write_units, 5000);
}

static void custom_properties_of_other_types_are_refused(void **state)
{
    static const char *const bad[] = {
        "{'capacity_mode': 'PROVISIONED'}",
        "{'capacity_mode': {'throughput_mode': 'SOME'}}",
        "{'capacity_mode': {'throughput_mode': 'PROVISIONED'}}",
        "{'capacity_mode': {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 1}}",
        "{'capacity_mode': {'read_capacity_units': 0}}",
        "{'capacity_mode': {'read_capacity_units': 'x'}}",
        "{'encryption_specification': {'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY'}}",
        "{'encryption_specification': {'kms_key_identifier': ''}}",
        "{'ttl': {'status': 'maybe'}}",
        "{'ttl': {'status': {'a': 'b'}}}",
        "{'cdc_specification': {'view_type': ''}}",
    };
    struct keyspaces_properties p;
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (read_properties(bad[i], &p, &err) != ERR_INVALID)
            fail_msg("%s", bad[i]);
}

/* An entry that ALTER gives replaces the one that was, and leaves the others. */
static void custom_properties_are_merged(void **state)
{
    struct schema *schema = new_schema();
    struct table_def *table;

    apply(
        &schema,
        "CREATE TABLE t (a int PRIMARY KEY) WITH custom_properties = {'ttl': {'status': 'enabled'}, 'a\"{,': {'b': 'c, }'}}");
    apply(&schema, "ALTER TABLE t WITH custom_properties = {}");
    apply(&schema, "ALTER TABLE t WITH custom_properties = {'new': 'x', 'ttl': {'status': 'disabled'}}");
    table = schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t"));
    assert_true(bytes_equal(
        table->params.custom_properties,
        BYTES_LITERAL("{\"a\\\"{,\": {\"b\": \"c, }\"}, \"new\": \"x\", \"ttl\": {\"status\": \"disabled\"}}")));
    schema_unref(schema);
}

static void check_list(const struct use_list *list, const char *names)
{
    struct buffer out = { 0 };

    for (uint32_t i = 0; i < list->count; i++)
        buffer_printf(&out, "%s%.*s", i ? " " : "", BYTES(list->names[i]));
    buffer_append_u8(&out, 0);
    assert_string_equal((const char *)out.data, names);
    buffer_fini(&out);
}

/* Direct uses, also within collections and tuples, each user once; how deep a type goes, whoever uses it. */
static void types_know_who_uses_them(void **state)
{
    static const struct {
        const char *name, *tables, *parents;
        uint32_t depth;
    } wanted[] = {
        { "alone", "", "", 0 },
        { "inner", "a c", "middle outer", 0 },
        { "middle", "b", "outer", 1 },
        { "outer", "a", "", 2 },
    };
    struct schema *schema = new_schema();
    struct arena *arena = arena_new(4096);
    const struct keyspace_def *keyspace;
    const struct type_uses *uses;

    apply(&schema, "CREATE TYPE inner (x int)");
    apply(&schema, "CREATE TYPE middle (i frozen<map<int, frozen<inner>>>, j frozen<inner>)");
    apply(&schema, "CREATE TYPE outer (m frozen<tuple<int, frozen<middle>>>, i frozen<inner>)");
    apply(&schema, "CREATE TYPE alone (x frozen<list<int>>)");
    apply(&schema, "CREATE TABLE c (k frozen<inner> PRIMARY KEY, gone frozen<alone>)");
    apply(&schema, "ALTER TABLE c DROP gone");
    apply(&schema, "CREATE TABLE a (k int PRIMARY KEY, o outer, l list<frozen<inner>>, i inner)");
    apply(&schema, "CREATE TABLE b (k int PRIMARY KEY, t tuple<int, frozen<set<frozen<middle>>>>)");
    keyspace = schema_keyspace(schema, BYTES_LITERAL("k"));
    uses = schema_type_uses(arena, keyspace);
    assert_int_equal(keyspace->type_count, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        assert_true(bytes_equal(keyspace->types[i]->name, bytes_of_string(wanted[i].name)));
        check_list(&uses[i].tables, wanted[i].tables);
        check_list(&uses[i].parents, wanted[i].parents);
        assert_int_equal(uses[i].depth, wanted[i].depth);
    }
    arena_free(arena);
    schema_unref(schema);
}

/* What other schemas hold counts to the limits, and their changes to the version. */
static void schemas_share_limits_and_a_counter(void **state)
{
    struct schema *schema = new_schema();
    struct arena *arena = arena_new(4096);
    struct ddl_change change;
    struct error err;

    next_version = 1000;
    apply(&schema, "CREATE TABLE t (a int PRIMARY KEY)");
    assert_int_equal(schema_version_number(schema), 1000);
    assert_int_equal(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t"))->version, 1000);
    next_version = 0;
    tables_elsewhere = SCHEMA_TABLES_MAX - 2;
    apply(&schema, "CREATE TABLE u (a int PRIMARY KEY)");
    assert_int_equal(try_apply(&schema, "CREATE TABLE v (a int PRIMARY KEY)", &change, arena, &err), ERR_LIMIT);
    assert_string_equal(err.message, "Too many tables: the limit is 1000000");
    keyspaces_elsewhere = SCHEMA_KEYSPACES_MAX - 1;
    assert_int_equal(try_apply(&schema,
                               "CREATE KEYSPACE l WITH replication = {'class': 'SimpleStrategy', "
                               "'replication_factor': 1}",
                               &change, arena, &err),
                     ERR_LIMIT);
    assert_string_equal(err.message, "Too many keyspaces: the limit is 100000");
    tables_elsewhere = keyspaces_elsewhere = 0;
    schema_unref(schema);
    arena_free(arena);
}

/* It lives by what it was made of, and a copy of it lives by itself. */
static void a_twin_differs_in_its_id(void **state)
{
    struct schema *schema = new_schema();
    struct table_def *def, *twin, *second, *clone;

    apply(&schema, "CREATE TABLE t (a int, b text, PRIMARY KEY (a, b)) WITH comment = 'here'");
    def = table_def_ref(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t")));
    schema_unref(schema);
    twin = table_def_twin(def, 7);
    second = table_def_twin(twin, 8);
    table_def_unref(twin);
    table_def_unref(def);
    assert_int_equal(second->id, 8);
    assert_true(bytes_equal(second->columns[1].name, BYTES_LITERAL("b")));
    clone = table_def_clone(second, 0, 0);
    table_def_finish(clone);
    table_def_unref(second);
    assert_int_equal(clone->id, 8);
    assert_true(bytes_equal(clone->params.comment, BYTES_LITERAL("here")));
    table_def_unref(clone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_name_and_id),
        cmocka_unit_test(a_change_shares_the_rest),
        cmocka_unit_test(columns_stand_in_order_and_ids_stay),
        cmocka_unit_test(schemas_share_limits_and_a_counter),
        cmocka_unit_test(a_twin_differs_in_its_id),
        cmocka_unit_test(a_type_spreads),
        cmocka_unit_test(definitions_keep_no_memory_of_a_request),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(types_stand_behind_those_they_use),
        cmocka_unit_test(levels_of_thousands_of_types_are_soon_found),
        cmocka_unit_test(types_know_who_uses_them),
        cmocka_unit_test(definitions_survive_as_bytes),
        cmocka_unit_test(tables_know_when_they_were_made),
        cmocka_unit_test(types_know_when_they_were_altered),
        cmocka_unit_test(damaged_bytes_do_no_harm),
        cmocka_unit_test(custom_properties_have_types),
        cmocka_unit_test(custom_properties_of_other_types_are_refused),
        cmocka_unit_test(custom_properties_are_merged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
