/* catalog/bed.h: what the tests of catalog/ share: a catalog over a space, in a directory of its own or in memory; statements and rows. Only
 * for tests, which include its bodies with it.
 */
#ifndef CATALOG_BED_H
#define CATALOG_BED_H

#include "base/clock.h"
#include "catalog/definitions.h"
#include "catalog/job.h"
#include "catalog/rows.h"

#include "cql/parse.h"
#include "keys/keys.h"
#include "row/key.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"
#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/helenus-catalog-XXXXXX";
static const struct store_ops *engine;
static struct keys *keys;
static void *environment;
static struct catalog *catalog;
static struct table_space *space;
static struct table_port *port;
static const struct job_kind *const *bed_job_kinds;
static uint32_t bed_job_kind_count;
static void (*bed_reached)(void *context, const char *step);

static inline void must(enum status status, const struct error *err)
{
    if (status)
        fail_msg("%s: %s", status_name(status), err->message);
}

static inline void close_below(void)
{
    table_space_close(space);
    catalog_free(catalog);
    engine->environment_close(environment);
    if (keys)
        keys_close(keys);
    keys = NULL;
}

/* All but the catalog's second phase. */
static inline void open_below(const struct store_ops *ops)
{
    bool on_disk = ops != &store_memory_ops;
    struct catalog_options options = { .directory = on_disk ? directory : NULL,
                                       .address = { 127, 0, 0, 1 },
                                       .cql_port = 9042,
                                       .clock = &clock_system,
                                       .job_kinds = bed_job_kinds,
                                       .job_kind_count = bed_job_kind_count,
                                       .reached = bed_reached };
    struct table_space_options space_options = { .directory = on_disk ? directory : NULL,
                                                 .shard_count = on_disk ? 0 : 1,
                                                 .store = ops,
                                                 .table_by_id = catalog_table_by_id,
                                                 .clock = &clock_system };
    struct store_environment_options environment_options = { .clock = &clock_system };
    struct error err;

    engine = ops;
    must(catalog_new(&options, &catalog, &err), &err);
    if (on_disk)
        must(keys_open_directory(directory, true, &keys, &err), &err);
    environment_options.keys = keys;
    must(ops->environment_open(&environment_options, &environment, &err), &err);
    space_options.context = catalog;
    space_options.store_environment = environment;
    must(table_space_open(&space_options, &space, &err), &err);
}

/* What catalog_open says. Not OK: all is closed again. */
static inline enum status try_open(const struct store_ops *ops, struct error *err)
{
    open_below(ops);
    if (catalog_open(catalog, space, err)) {
        close_below();
        return err->status;
    }
    port = table_port_open(space);
    return OK;
}

static inline void open_all(const struct store_ops *ops)
{
    struct error err;

    must(try_open(ops, &err), &err);
}

static inline void close_all(void)
{
    table_port_close(port);
    catalog_close(catalog);
    close_below();
}

/* Whose `run` and `table` are: NULL: the default one. */
static const char *bed_digits;

static inline struct catalog_account *bed_account(void)
{
    struct catalog_account *account = catalog_account_default(catalog);
    struct error err;

    if (bed_digits)
        must(catalog_account(catalog, bytes_of_string(bed_digits), &account, &err), &err);
    return account;
}

static inline enum status try_run(const char *text, struct ddl_change *change, struct arena *arena, struct error *err)
{
    struct cql_statement *statement;
    enum status status = cql_parse(arena, bytes_of_string(text), &statement, err);

    return status ? status
                  : catalog_change(catalog, bed_account(), port, statement, BYTES_LITERAL("k"), arena, change, err);
}

static inline void run(const char *text)
{
    struct arena *arena = arena_new(4096);
    struct ddl_change change;
    struct error err;

    must(try_run(text, &change, arena, &err), &err);
    arena_free(arena);
}

static inline struct table_def *table(const char *name)
{
    struct schema *schema = catalog_ref_schema(catalog, bed_account());
    struct table_def *def = schema_table(schema, BYTES_LITERAL("k"), bytes_of_string(name));

    if (def)
        table_def_ref(def);
    schema_unref(schema);
    return def;
}

static inline int setup(void **state)
{
    snprintf(directory, sizeof(directory), "/tmp/helenus-catalog-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static inline int teardown(void **state)
{
    char command[300];

    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

#define CREATE_K \
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1} AND tags = {'a': 'b'}"

static inline struct bytes key_of(uint8_t bytes[4], int32_t v)
{
    store_be32(bytes, (uint32_t)v);
    return bytes_of(bytes, 4);
}

static inline void insert(uint64_t table_id, int32_t key)
{
    uint8_t bytes[4];
    struct table_fragment fragment = { .kind = KEY_ROW, .row = ROW_EMPTY };
    struct apply_command command = { .table_id = table_id,
                                     .partition_key = key_of(bytes, key),
                                     .fragments = &fragment,
                                     .fragment_count = 1,
                                     .now_s = clock_realtime_us(&clock_system) / 1000000,
                                     .durable = true };
    struct buffer encoded = { 0 };
    struct error err;

    command.token = token_of_partition_key(command.partition_key);
    fragment.row.liveness = (struct liveness){ TIMESTAMP_SERVER, TTL_NONE, TIME_NONE };
    table_encode_apply(&encoded, &command);
    must(table_apply_wait(port, buffer_bytes(&encoded), command.token, &err), &err);
    buffer_fini(&encoded);
}

static inline uint32_t count_rows(uint64_t table_id)
{
    struct read_command command = { .table_id = table_id,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .rows_wanted = true,
                                    .row_limit = 1000,
                                    .now_s = clock_realtime_us(&clock_system) / 1000000 };
    struct arena *arena = arena_new(4096);
    struct read_result result;
    struct error err;
    uint32_t count;

    must(table_read(port, &command, true, arena, &result, &err), &err);
    count = result.partition_count;
    arena_free(arena);
    return count;
}

/* How many rows a computed table has for the account that tests work in. */
static inline uint32_t bed_computed_rows(const char *keyspace, const char *name)
{
    struct schema *schema = catalog_ref_schema(catalog, bed_account());
    struct table_def *def = schema_table(schema, bytes_of_string(keyspace), bytes_of_string(name));
    struct read_command command = { .table_id = def->id,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .rows_wanted = true,
                                    .row_limit = 100000,
                                    .virtual_def = def,
                                    .viewer = bed_account() };
    struct arena *arena = arena_new(4096);
    struct read_result result;
    struct error err;
    uint32_t count = 0;

    must(table_read(port, &command, true, arena, &result, &err), &err);
    for (uint32_t i = 0; i < result.partition_count; i++)
        count += result.partitions[i].row_count;
    arena_free(arena);
    schema_unref(schema);
    return count;
}

/* A row of the definitions, as it is on the disk; value "": it is taken away. */
static inline void bed_put_definition(int32_t kind, const char *scope, const char *name, struct bytes value)
{
    struct table_def *def = definitions_own_table();
    struct arena *arena = arena_new(1024);
    struct rows rows;
    struct error err;

    rows_begin(&rows, def, arena, clock_realtime_us(&clock_system) / 1000000, TTL_NONE);
    rows_put(&rows, "key", BYTES_LITERAL("definitions"));
    rows_add(&rows);
    rows_put_number(&rows, "kind", kind);
    rows_put(&rows, "scope", bytes_of_string(scope));
    rows_put(&rows, "name", bytes_of_string(name));
    value.size ? rows_put(&rows, "value", value) : rows_delete(&rows);
    must(rows_save(&rows, port, &err), &err);
    arena_free(arena);
    table_def_unref(def);
}

#endif
