/* Rows of the computed system tables: facts of this node, and the schema in force as tables.
 * Drivers read them when they connect (system.local, system.peers) and after each change of the
 * schema (system_schema.*), and build their picture of the cluster from them: values and nulls are
 * what Cassandra 5.0.5 answers to the same statements.
 *
 * A row's values are put in the order of SELECT *: key columns first, then the others by name,
 * which is the order of system_tables.c. */
#include "catalog/system_row.h"
#include "catalog/system_tables.h"

#include <assert.h>

/* ---- system ---- */

static void no_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    /* A table that Cassandra or Keyspaces has and that has nothing to show here. */
    (void)self;
    (void)emit;
}

/* One token for the whole ring: drivers send every request here. The versions are those of the
 * Cassandra whose answers we give, as drivers choose by them what they may ask. */
static void local_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct catalog *catalog = self->context;
    struct row_writer w = { .emit = emit, .arena = arena_new(1024) };
    struct schema *schema = ref_viewers_schema(catalog, emit);
    struct bytes address = catalog_address(catalog);
    struct bytes token = BYTES_LITERAL("-9223372036854775808");

    put_string(&w, "local");
    put_string(&w, "COMPLETED");
    /* What drivers connect to. One address serves for all three. */
    put(&w, address); /* broadcast_address */
    put_int(&w, CATALOG_STORAGE_PORT);
    put_string(&w, catalog->cluster_name);
    put_string(&w, "3.4.7");
    put_string(&w, "datacenter1");
    put_int(&w, (int32_t)catalog->started_s); /* gossip_generation */
    put(&w, bytes_of(catalog->host_id, 16));
    put(&w, address); /* listen_address */
    put_int(&w, CATALOG_STORAGE_PORT);
    put_string(&w, "5");
    put_string(&w, "org.apache.cassandra.dht.Murmur3Partitioner");
    put_string(&w, "rack1");
    /* Drivers take features from it: what they may ask of this server is what that Cassandra has. */
    put_string(&w, "5.0.5");
    put(&w, address); /* rpc_address */
    put_int(&w, catalog->options.cql_port);
    put(&w, bytes_of(schema_version_uuid(schema), 16));
    put_collection(&w, &token, 1, false);
    /* TRUNCATE is not told here: tables get another internal id. */
    put_null(&w); /* truncated_at */
    end_row(&w);
    schema_unref(schema);
    arena_free(w.arena);
}

/* ---- system_schema, system_virtual_schema ---- */

static void keyspace_row(struct row_writer *w, const struct keyspace_def *keyspace)
{
    /* In the order of the columns' names, behind the key. */
    put(w, keyspace->name);
    put_boolean(w, keyspace->durable_writes);
    put_options(w, &keyspace->replication);
    end_row(w);
}

static void keyspaces(struct row_writer *w, const struct schema *schema)
{
    each_keyspace(w, schema, false, keyspace_row);
}

/* What is as by default, and no part of tables as they always were, is null: as in Cassandra.
 * Columns in the order of their names, with those that Keyspaces' table has besides or without. */
static void write_table(struct row_writer *w, const struct table_def *table, bool is_mcs)
{
    const struct table_params *params = &table->params;
    struct bytes flags[2] = { BYTES_LITERAL("compound"), BYTES_LITERAL("counter") };

    put(w, table->keyspace);
    put(w, table->name);
    put(w, params->additional_write_policy);
    /* Only what is not the default is shown. */
    params->allow_auto_snapshot ? put_null(w) : put_boolean(w, false);
    put_double(w, params->bloom_filter_fp_chance);
    put_options(w, &params->caching);
    params->cdc || is_mcs ? put_boolean(w, params->cdc) : put_null(w);
    if (is_mcs)
        put_null(w); /* cdc_specification: of a stream, and there are none */
    put(w, params->comment);
    put_options(w, &params->compaction);
    put_options(w, &params->compression);
    put_double(w, params->crc_check_chance);
    if (is_mcs) {
        put_creation_time(w, table);
        put_custom_properties(w, table);
    }
    /* Gone from Cassandra 4.0 on; the column is still there, and 0. */
    put_double(w, 0.0); /* dclocal_read_repair_chance */
    put_int(w, params->default_time_to_live_s);
    put_options(w, &params->extensions);
    /* "compound" stands for every table that is not COMPACT STORAGE, of which there are none here. */
    put_collection(w, flags, table->is_counter ? 2 : 1, false);
    put_int(w, params->gc_grace_s);
    put(w, bytes_of(table->uuid, 16));
    params->incremental_backups ? put_null(w) : put_boolean(w, false);
    if (is_mcs)
        put_null(w); /* latest_stream_arn */
    put_int(w, params->max_index_interval);
    /* As in Cassandra, "default" is what it is without being said. */
    if (bytes_equal(params->memtable, BYTES_LITERAL("default")))
        put_null(w);
    else
        put(w, params->memtable);
    put_int(w, params->memtable_flush_period_ms);
    put_int(w, params->min_index_interval);
    put(w, params->read_repair);
    put_double(w, 0.0); /* read_repair_chance */
    put(w, params->speculative_retry);
    if (is_mcs)
        put_string(w, "ACTIVE");
    end_row(w);
}

static void table_row(struct row_writer *w, const struct table_def *table)
{
    write_table(w, table, false);
}

static void mcs_table_row(struct row_writer *w, const struct table_def *table)
{
    write_table(w, table, true);
}

static void tables(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, false, table_row);
}

static void mcs_tables(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, false, mcs_table_row);
}

static const char *kind_name(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_PARTITION_KEY: return "partition_key";
    case COLUMN_CLUSTERING: return "clustering";
    case COLUMN_STATIC: return "static";
    case COLUMN_REGULAR: break;
    }
    return "regular";
}

/* -1 is the position of what is not part of the key. */
static void column_rows(struct row_writer *w, const struct table_def *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_def *column = &table->columns[i];
        bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING;

        put(w, table->keyspace);
        put(w, table->name);
        /* The name as bytes: the same, for names are UTF-8. */
        put(w, column->name);
        /* What is not a clustering column has no order. */
        put_string(w, column->kind != COLUMN_CLUSTERING ? "none" : column->descending ? "desc" : "asc");
        put(w, column->name);
        put_string(w, kind_name(column->kind));
        put_int(w, is_key ? (int32_t)column->position : -1);
        put_type(w, column->type);
        end_row(w);
    }
}

static void columns(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, false, column_rows);
}

/* What ALTER TABLE ... DROP left: times are in milliseconds here, as CQL's timestamp is. */
static void dropped_rows(struct row_writer *w, const struct table_def *table)
{
    for (uint32_t i = 0; i < table->dropped_count; i++) {
        const struct dropped_column *dropped = &table->dropped[i];

        put(w, table->keyspace);
        put(w, table->name);
        put(w, dropped->name);
        put_bigint(w, dropped->dropped_us / 1000);
        put_string(w, kind_name(dropped->kind));
        put_type(w, dropped->type);
        end_row(w);
    }
}

static void dropped_columns(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, false, dropped_rows);
}

static void type_rows(struct row_writer *w, const struct keyspace_def *keyspace)
{
    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        put(w, keyspace->name);
        put(w, keyspace->types[i]->name);
        put_fields(w, keyspace->types[i]);
        end_row(w);
    }
}

static void types(struct row_writer *w, const struct schema *schema)
{
    each_keyspace(w, schema, false, type_rows);
}

static void virtual_keyspace_row(struct row_writer *w, const struct keyspace_def *keyspace)
{
    put(w, keyspace->name);
    end_row(w);
}

static void virtual_keyspaces(struct row_writer *w, const struct schema *schema)
{
    each_keyspace(w, schema, true, virtual_keyspace_row);
}

static void virtual_table_row(struct row_writer *w, const struct table_def *table)
{
    put(w, table->keyspace);
    put(w, table->name);
    put(w, table->params.comment);
    end_row(w);
}

static void virtual_tables(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, true, virtual_table_row);
}

static void virtual_columns(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, true, column_rows);
}

/* One function for each table, of the shape that a virtual table has. */
#define SCHEMA_ROWS(name)                                                                \
    static void name##_rows(const struct virtual_table *self, struct virtual_emit *emit) \
    {                                                                                    \
        with_schema(self, emit, name);                                                   \
    }
SCHEMA_ROWS(keyspaces)
SCHEMA_ROWS(tables)
SCHEMA_ROWS(mcs_tables)
SCHEMA_ROWS(columns)
SCHEMA_ROWS(dropped_columns)
SCHEMA_ROWS(types)
SCHEMA_ROWS(virtual_keyspaces)
SCHEMA_ROWS(virtual_tables)
SCHEMA_ROWS(virtual_columns)

/* ---- estimates: this node's only token has the whole ring, which ends where it begins ---- */

/* For connectors that split a table among their workers by size (Spark). The space is asked, which
 * may read from the disk: so these tables are marked as waiting. */
static void estimate_rows(const struct virtual_table *self, struct virtual_emit *emit, bool has_types)
{
    static const char *const types[] = { "local_primary", "primary" };
    static const char token[] = "-9223372036854775808";
    struct catalog *catalog = self->context;
    struct row_writer w = { .emit = emit, .arena = arena_new(1024) };
    struct schema *schema = ref_viewers_schema(catalog, emit);

    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(schema, i);

        for (uint32_t j = 0; j < keyspace->table_count; j++) {
            struct bytes names[2] = { keyspace->name, keyspace->tables[j]->name };
            /* Whatever went wrong, this table has no row: an estimate is no answer that a statement
             * may fail for. */
            struct table_estimate estimate;
            struct error err;

            /* A table that cannot be estimated now has no row, as in Cassandra before its first
             * estimate. */
            if (keyspace->tables[j]->virtual_table || !virtual_wants(emit, names, 2) || !catalog->space ||
                table_space_estimate(catalog->space, keyspace->tables[j]->id, &estimate, &err))
                continue;
            /* The same numbers for both types: a single node has all ranges as its own. */
            for (uint32_t t = 0; t < (has_types ? 2 : 1); t++) {
                put(&w, names[0]);
                put(&w, names[1]);
                if (has_types)
                    put_string(&w, types[t]);
                put_string(&w, token);
                put_string(&w, token);
                put_bigint(&w, (int64_t)estimate.partition_bytes_mean);
                put_bigint(&w, (int64_t)estimate.partition_count);
                end_row(&w);
            }
            arena_reset(w.arena);
        }
    }
    schema_unref(schema);
    arena_free(w.arena);
}

static void size_estimates_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    estimate_rows(self, emit, false);
}

static void table_estimates_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    estimate_rows(self, emit, true);
}

/* ---- system_views ---- */

/* The few settings that drivers and tools look at. */
static void settings_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct catalog *catalog = self->context;
    /* Values point to constants, to options and into the arena, which all outlive the loop. */
    struct row_writer w = { .emit = emit, .arena = arena_new(1024) };
    const struct {
        const char *name;
        const char *value;
    } settings[] = {
        { "authenticator", catalog->options.wants_password ? "PasswordAuthenticator" : "AllowAllAuthenticator" },
        { "authorizer", catalog->options.has_roles ? "CassandraAuthorizer" : "AllowAllAuthorizer" },
        { "cluster_name", catalog->cluster_name },
        { "commitlog_sync", "group" },
        { "endpoint_snitch", "SimpleSnitch" },
        { "native_transport_port", arena_printf(w.arena, "%u", catalog->options.cql_port) },
        { "num_tokens", "1" },
        { "partitioner", "org.apache.cassandra.dht.Murmur3Partitioner" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        put_string(&w, settings[i].name);
        put_string(&w, settings[i].value);
        end_row(&w);
    }
    arena_free(w.arena);
}

/* The first line that fits: a keyspace's own line at its end stands for its other tables, which
 * have no rows here. */
const struct system_body *system_body_of(struct bytes keyspace, struct bytes table)
{
    static const struct table_way of_table[] = { { { "keyspace_name", "table_name" } }, { { NULL } } };
    static const struct table_way of_resource[] = { { { "resource_id" } },
                                                    { { "keyspace_name", "resource_name" } },
                                                    { { "keyspace_name", "resource_type" } },
                                                    { { NULL } } };
    static const struct {
        const char *keyspace;
        const char *table; /* NULL: every other one of the keyspace */
        struct system_body body;
    } known[] = {
        { "system", "local", { local_rows } },
        { "system", "size_estimates", { size_estimates_rows, true } },
        { "system", "table_estimates", { table_estimates_rows, true } },
        { "system", NULL, { no_rows } },
        { "system_schema", "keyspaces", { keyspaces_rows } },
        { "system_schema", "tables", { tables_rows } },
        { "system_schema", "columns", { columns_rows } },
        { "system_schema", "dropped_columns", { dropped_columns_rows } },
        { "system_schema", "types", { types_rows } },
        { "system_schema", NULL, { no_rows } },
        { "system_schema_mcs", "keyspaces", { keyspaces_rows } },
        { "system_schema_mcs", "tables", { mcs_tables_rows } },
        { "system_schema_mcs", "tables_history", { mcs_tables_history_rows } },
        { "system_schema_mcs", "columns", { columns_rows } },
        { "system_schema_mcs", "tags", { mcs_tags_rows, .ways = of_resource } },
        { "system_schema_mcs", "types", { mcs_types_rows } },
        { "system_schema_mcs", "autoscaling", { no_rows, .ways = of_table } },
        { "system_multiregion_info", "tables", { no_rows, .ways = of_table } },
        { "system_multiregion_info", "autoscaling", { no_rows, .ways = of_table } },
        { "system_multiregion_info", NULL, { no_rows } },
        { "system_virtual_schema", "keyspaces", { virtual_keyspaces_rows } },
        { "system_virtual_schema", "tables", { virtual_tables_rows } },
        { "system_virtual_schema", "columns", { virtual_columns_rows } },
        { "system_views", "settings", { settings_rows } },
        { "system_views", NULL, { no_rows } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (bytes_equal(keyspace, bytes_of_string(known[i].keyspace)) &&
            (!known[i].table || bytes_equal(table, bytes_of_string(known[i].table))))
            return &known[i].body;
    return NULL;
}
