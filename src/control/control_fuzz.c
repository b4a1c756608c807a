/* Any operation with any JSON: "Service.Operation", a newline, a body. It is answered with a status below 500, and whatever it made is a
 * definition that is read back as it was saved, and that CQL can say: its description is a statement. What was changed is dropped and made
 * anew.
 */
#include "control/control.h"

#include "catalog/catalog.h"
#include "schema/arn.h"
#include "cql/parse.h"
#include "schema/build.h"
#include "schema/codec.h"
#include "schema/describe.h"
#include "store/memory/memory.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Opened at the first call, and kept where leaks are looked for. */
static struct catalog *catalog;
static struct table_space *space;
static struct table_port *port;
static struct api *api;

static void must(enum status status, const struct error *err)
{
    if (!status)
        return;
    fprintf(stderr, "%s\n", err->message);
    __builtin_trap();
}

static void same_id(void *to, size_t size)
{
    memset(to, 7, size);
}

static void open_all(void)
{
    struct catalog_options options = { .address = { 127, 0, 0, 1 }, .clock = &clock_system };
    struct store_environment_options environment_options = { .clock = &clock_system };
    struct table_space_options space_options = {
        .shard_count = 1, .store = &store_memory_ops, .table_by_id = catalog_table_by_id, .clock = &clock_system
    };
    struct api_options of_api = { .services = control_services,
                                  .service_count = control_service_count,
                                  .random = same_id };
    struct control_options of_control = { .region = "us-east-1" };
    static struct control *control;
    struct error err;

    must(catalog_new(&options, &catalog, &err), &err);
    must(store_memory_ops.environment_open(&environment_options, &space_options.store_environment, &err), &err);
    space_options.context = catalog;
    must(table_space_open(&space_options, &space, &err), &err);
    must(catalog_open(catalog, space, &err), &err);
    port = table_port_open(space);
    of_control.catalog = catalog;
    of_control.space = space;
    must(control_open(&of_control, &control, &err), &err);
    of_api.context = control;
    must(api_open(&of_api, &api, &err), &err);
}

/* The one that asks. */
static struct catalog_account *account(void)
{
    struct catalog_account *result;
    struct error err;

    must(catalog_account(catalog, BYTES_LITERAL("111122223333"), &result, &err), &err);
    return result;
}

static void change(struct arena *arena, struct bytes text)
{
    struct cql_statement *statement;
    struct ddl_change made;
    struct error err;

    must(cql_parse(arena, text, &statement, &err), &err);
    must(catalog_change(catalog, account(), port, statement, bytes_of(NULL, 0), arena, &made, &err), &err);
}

/* Two things to begin with, so that most operations find what they are about. */
static void make(struct arena *arena)
{
    change(arena,
           BYTES_LITERAL("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'} AND tags = {'a': 'b'}"));
    change(arena, BYTES_LITERAL("CREATE TYPE k.ty (a int)"));
    change(arena, BYTES_LITERAL("CREATE TABLE k.t (a int PRIMARY KEY, b frozen<ty>) WITH tags = {'a': 'c'}"));
}

/* ---- what was made ---- */

static void check_text(struct arena *arena, struct buffer *text)
{
    struct cql_statement *statement;
    struct error err;

    must(cql_parse(arena, buffer_bytes(text), &statement, &err), &err);
    buffer_reset(text);
}

static void check_table(const struct keyspace_def *keyspace, const struct table_def *table)
{
    CLEANUP(buffer_fini) struct buffer bytes = { 0 }, again = { 0 };
    struct table_def *copy;
    struct error err;

    schema_encode_table(&bytes, table);
    must(schema_decode_table(buffer_bytes(&bytes), keyspace, &copy, &err), &err);
    schema_encode_table(&again, copy);
    if (!bytes_equal(buffer_bytes(&bytes), buffer_bytes(&again)))
        __builtin_trap();
    table_def_unref(copy);
}

static void check_keyspace(struct arena *arena, const struct keyspace_def *keyspace)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    describe_keyspace(&text, keyspace);
    check_text(arena, &text);
    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        describe_type(&text, keyspace->types[i]);
        check_text(arena, &text);
    }
    for (uint32_t i = 0; i < keyspace->table_count; i++) {
        check_table(keyspace, keyspace->tables[i]);
        describe_table(&text, keyspace->tables[i], false);
        check_text(arena, &text);
    }
    buffer_printf(&text, "DROP KEYSPACE \"%.*s\"", BYTES(keyspace->name));
    change(arena, buffer_bytes(&text));
}

static void check_and_drop_all(struct arena *arena)
{
    struct schema *schema = catalog_ref_schema(catalog, account());

    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(schema, i);

        if (!ddl_is_local_system_keyspace(keyspace->name) && !ddl_is_replicated_system_keyspace(keyspace->name) &&
            !ddl_is_virtual_system_keyspace(keyspace->name))
            check_keyspace(arena, keyspace);
    }
    schema_unref(schema);
}

/* ---- one request ---- */

static void ask(struct arena *arena, struct bytes target, struct bytes body)
{
    bool is_tagging = bytes_starts_with(target, BYTES_LITERAL("ResourceGroups"));
    struct bytes_pair headers[] = {
        { BYTES_LITERAL("Host"), BYTES_LITERAL("h") },
        { BYTES_LITERAL("X-Amz-Date"), BYTES_LITERAL("20260102T030405Z") },
        { BYTES_LITERAL("X-Amz-Target"), target },
        { BYTES_LITERAL("Authorization"),
          bytes_of_string(arena_printf(
              arena,
              "AWS4-HMAC-SHA256 Credential=111122223333/20260102/r/%s/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, "
              "Signature=720f50ae06f705439bba63ba66f7afe32b2ff9b0232fde9cf70914c963b72ca4",
              is_tagging ? "tagging" : "cassandra")) },
    };
    struct http_request request = { .method = BYTES_LITERAL("POST"),
                                    .headers = headers,
                                    .header_count = ARRAY_SIZE(headers),
                                    .body = body,
                                    .arena = arena };
    struct http_response response = { .arena = arena };

    if (http_request_parse_target(&request, BYTES_LITERAL("/"), 32) || !api_handle(api, &request, &response))
        __builtin_trap();
    if (response.status < 200 || response.status >= 500) {
        fprintf(stderr, "%u %.*s\n", response.status, (int)response.body.size, (const char *)response.body.data);
        __builtin_trap();
    }
    buffer_fini(&response.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t before = end ? (size_t)(end - data) : size;
    struct bytes body = bytes_of(data + before + (end != NULL), size - before - (end != NULL));
    static uint64_t version; /* of the definitions, when they were made anew */
    struct arn arn;

    if (!api) {
        open_all();
        make(arena);
        version = catalog_version(catalog);
    }
    (void)arn_parse(bytes_of(data, size), &arn);
    ask(arena, bytes_of(data, before), body);
    if (catalog_version(catalog) != version) {
        check_and_drop_all(arena);
        make(arena);
        version = catalog_version(catalog);
    }
    return 0;
}
