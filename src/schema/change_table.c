/* CREATE TABLE and DROP TABLE. What is wrong with the text alone is said first, then
 * what depends on the keyspace, as in Cassandra: a statement may be wrong in several
 * ways, and clients see one error. Source:
 * org.apache.cassandra.cql3.statements.schema.CreateTableStatement, release 5.0. */
#include "schema/build.h"
#include "schema/change.h"
#include "schema/options.h"
#include "schema/resolve.h"

#include <assert.h>
#include <stdio.h>

enum { TABLE_NAME_BYTES_MAX = 222 };

/* A column as the statement writes it. */
static const struct column_spec *find_spec(const struct create_table_statement *statement, struct bytes name)
{
    for (uint32_t i = 0; i < statement->column_count; i++)
        if (bytes_equal(statement->columns[i].name, name))
            return &statement->columns[i];
    return NULL;
}

/* What can be said before the keyspace is looked at: custom types, names that stand
 * twice, one primary key. */
static enum status check_create_table_text(struct change *c, const struct create_table_statement *statement)
{
    struct bytes *names = arena_new_array(c->arena, struct bytes, statement->column_count + statement->order_count + 1);
    struct bytes twin;
    /* Messages name the table as the statement does, with or without its keyspace. */
    const char *table =
        bytes_is_null(statement->table.keyspace)
            ? arena_printf(c->arena, "%.*s", BYTES(statement->table.name))
            : arena_printf(c->arena, "%.*s.%.*s", BYTES(statement->table.keyspace), BYTES(statement->table.name));

    for (uint32_t i = 0; i < statement->column_count; i++) {
        enum status status = resolve_check_custom(statement->columns[i].type, c->err);

        if (status)
            return status;
        names[i] = statement->columns[i].name;
    }
    twin = change_find_twin(c->arena, names, statement->column_count);
    if (!bytes_is_null(twin))
        return error_set(c->err, ERR_INVALID, "Duplicate column '%.*s' declaration for table '%s'", BYTES(twin), table);
    for (uint32_t i = 0; i < statement->order_count; i++)
        names[i] = statement->orders[i].column;
    twin = change_find_twin(c->arena, names, statement->order_count);
    if (!bytes_is_null(twin))
        return error_set(c->err, ERR_INVALID, "Duplicate column '%.*s' in CLUSTERING ORDER BY clause for table '%s'",
                         BYTES(twin), table);
    /* The grammar takes a key behind a column, or apart, any number of times. */
    if (statement->primary_key_count == 0)
        return error_set(c->err, ERR_INVALID, "No PRIMARY KEY specifed for table '%s' (exactly one required)", table);
    if (statement->primary_key_count > 1)
        return error_set(c->err, ERR_INVALID, "Multiple PRIMARY KEY specified for table '%s' (exactly one required)",
                         table);
    return OK;
}

/* What a key column may not be: a value of many cells, a counter, a duration (which has
 * no order), static. */
static enum status check_key_column(struct change *c, const struct create_table_statement *statement,
                                    const struct type **types, struct bytes name)
{
    const struct column_spec *spec = find_spec(statement, name);
    struct buffer shown = { 0 };
    const struct type *type;

    if (!spec)
        return error_set(c->err, ERR_INVALID, "Unknown column '%.*s' referenced in PRIMARY KEY for table '%.*s'",
                         BYTES(name), BYTES(statement->table.name));
    assert(spec >= statement->columns && spec < statement->columns + statement->column_count);
    type = types[spec - statement->columns];
    /* A key is compared and hashed as one value, so its parts cannot be cells of their
     * own. */
    if (type_is_multicell(type) && type->kind != TYPE_UDT) {
        type_print(&shown, type, false);
        error_set(c->err, ERR_INVALID, "Invalid non-frozen collection type %.*s for PRIMARY KEY column '%.*s'",
                  BYTES(buffer_bytes(&shown)), BYTES(name));
        buffer_fini(&shown);
        return ERR_INVALID;
    }
    if (type_is_multicell(type))
        return error_set(c->err, ERR_INVALID,
                         "Invalid non-frozen user-defined type \"%.*s.%.*s\" for PRIMARY KEY column '%.*s'",
                         BYTES(type->keyspace), BYTES(type->name), BYTES(name));
    /* A counter has no value before its owner has added. */
    if (type->kind == TYPE_COUNTER)
        return error_set(c->err, ERR_INVALID, "counter type is not supported for PRIMARY KEY column '%.*s'",
                         BYTES(name));
    if (type_references_duration(type))
        return error_set(c->err, ERR_INVALID, "duration type is not supported for PRIMARY KEY column '%.*s'",
                         BYTES(name));
    /* A static column is of the whole partition, so it names no row. */
    if (spec->is_static)
        return error_set(c->err, ERR_INVALID, "Static column '%.*s' cannot be part of the PRIMARY KEY", BYTES(name));
    return OK;
}

/* Each column of the key exists, once. Comparing each pair is quick enough within the
 * limit of columns. */
static enum status check_primary_key(struct change *c, const struct create_table_statement *statement,
                                     const struct type **types)
{
    const struct primary_key_spec *key = &statement->primary_key;
    uint32_t count = key->partition_count + key->clustering_count;
    enum status status;

    if (count > SCHEMA_TABLE_COLUMNS_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many columns: the limit is %d", SCHEMA_TABLE_COLUMNS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes name = i < key->partition_count ? key->partition[i] : key->clustering[i - key->partition_count];

        /* An unknown column is told before one that stands twice. */
        if (!find_spec(statement, name))
            return check_key_column(c, statement, types, name);
        /* Also between partition key and clustering. */
        for (uint32_t j = 0; j < i; j++)
            if (bytes_equal(name,
                            j < key->partition_count ? key->partition[j] : key->clustering[j - key->partition_count]))
                return error_set(c->err, ERR_INVALID, "Duplicate column '%.*s' in PRIMARY KEY clause for table '%.*s'",
                                 BYTES(name), BYTES(statement->table.name));
        if ((status = check_key_column(c, statement, types, name)))
            return status;
    }
    return OK;
}

/* CLUSTERING ORDER BY names clustering columns, from the first one on, in their order. */
static enum status check_clustering_order(struct change *c, const struct create_table_statement *statement)
{
    const struct primary_key_spec *key = &statement->primary_key;
    struct buffer strange = { 0 };

    if (!statement->order_count)
        return OK;
    for (uint32_t i = 0; i < statement->order_count; i++) {
        bool found = false;

        for (uint32_t j = 0; j < key->clustering_count; j++)
            found |= bytes_equal(statement->orders[i].column, key->clustering[j]);
        if (found)
            continue;
        /* All that are no clustering columns are named in one message. */
        if (strange.size)
            buffer_append_string(&strange, ", ");
        buffer_append_bytes(&strange, statement->orders[i].column);
    }
    if (strange.size) {
        error_set(
            c->err, ERR_INVALID,
            "Only clustering key columns can be defined in CLUSTERING ORDER directive: [%.*s] are not clustering columns",
            BYTES(buffer_bytes(&strange)));
        buffer_fini(&strange);
        return ERR_INVALID;
    }
    buffer_fini(&strange);
    /* A prefix of them is enough: the rest is ascending. */
    for (uint32_t i = 0; i < statement->order_count; i++) {
        /* Which of two errors it is depends on whether the column is named at all. */
        bool given = false;

        for (uint32_t j = 0; j < statement->order_count; j++)
            given |= bytes_equal(statement->orders[j].column, key->clustering[i]);
        if (!given)
            return error_set(c->err, ERR_INVALID, "Missing CLUSTERING ORDER for column %.*s",
                             BYTES(key->clustering[i]));
        if (!bytes_equal(statement->orders[i].column, key->clustering[i]))
            return error_set(
                c->err, ERR_INVALID,
                "The order of columns in the CLUSTERING ORDER directive must match that of the clustering columns (%.*s must "
                "appear before %.*s)",
                BYTES(key->clustering[i]), BYTES(statement->orders[i].column));
    }
    return OK;
}

/* What a column is, and its position in its part of the key. */
static enum column_kind kind_of(const struct create_table_statement *statement, const struct column_spec *spec,
                                uint32_t *position)
{
    for (*position = 0; *position < statement->primary_key.partition_count; ++*position)
        if (bytes_equal(statement->primary_key.partition[*position], spec->name))
            return COLUMN_PARTITION_KEY;
    /* A name is in one part only: check_primary_key has seen to it. */
    for (*position = 0; *position < statement->primary_key.clustering_count; ++*position)
        if (bytes_equal(statement->primary_key.clustering[*position], spec->name))
            return COLUMN_CLUSTERING;
    return spec->is_static ? COLUMN_STATIC : COLUMN_REGULAR;
}

/* Columns that are not in the key. Static ones need clustering columns, or they would
 * be regular ones. A table of counters has nothing else, since its writes are
 * additions. */
static enum status check_other_columns(struct change *c, const struct create_table_statement *statement,
                                       const struct type **types, const struct table_params *params)
{
    bool has_counter = false, has_other = false;

    for (uint32_t i = 0; i < statement->column_count; i++) {
        uint32_t position;
        enum column_kind kind = kind_of(statement, &statement->columns[i], &position);

        if (kind == COLUMN_STATIC && !statement->primary_key.clustering_count)
            return error_set(
                c->err, ERR_INVALID,
                "Static columns are only useful (and thus allowed) if the table has at least one clustering column");
        if (kind != COLUMN_STATIC && kind != COLUMN_REGULAR)
            continue;
        has_counter |= types[i]->kind == TYPE_COUNTER;
        has_other |= types[i]->kind != TYPE_COUNTER;
    }
    if (has_counter && has_other)
        return error_set(c->err, ERR_INVALID, "Cannot mix counter and non counter columns in the same table");
    /* Counters do not expire: an expired one could not be told from one that was never
     * added to. */
    if (has_counter && params->default_time_to_live_s > 0)
        return error_set(c->err, ERR_INVALID, "Cannot set default_time_to_live on a table with counters");
    return OK;
}

/* The columns' types, each by itself and all together bounded. */
static enum status resolve_columns(struct change *c, const struct keyspace_def *keyspace,
                                   const struct column_spec *specs, uint32_t count, const struct type **types)
{
    uint64_t nodes = 0;
    enum status status;

    for (uint32_t i = 0; i < count; i++) {
        if (specs[i].mask)
            return change_refuse_masks(c);
        if ((status = change_check_column_name(c, specs[i].name)) ||
            (status = resolve_type(c->arena, keyspace, specs[i].type, &types[i], c->err)))
            return status;
        /* Bounded while they are added up: the next type may be as large again. */
        nodes += type_node_count(types[i]);
        if ((status = change_check_node_sum(c, nodes)))
            return status;
    }
    for (uint32_t i = 0; i < count; i++)
        if ((status = change_check_nested_udt(c, types[i], bytes_of(NULL, 0))))
            return status;
    return OK;
}

/* WITH id = ... must be new. */
static bool uuid_is_taken(const struct schema *schema, const uint8_t uuid[16])
{
    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(schema, i);

        for (uint32_t j = 0; j < keyspace->table_count; j++)
            if (!memcmp(keyspace->tables[j]->uuid, uuid, 16))
                return true;
    }
    return false;
}

/* The definition, after all checks. */
static struct table_def *build_table(struct change *c, const struct keyspace_def *keyspace,
                                     const struct create_table_statement *statement, const struct type **types,
                                     const struct table_params *params)
{
    struct table_def *def = table_def_new(keyspace->name, statement->table.name);

    assert(c->context->next_table_id);
    def->id = c->context->next_table_id;
    def->durable_writes = keyspace->durable_writes;
    /* The server's own tables are made anew at each start. */
    def->created_us = c->context->is_internal ? 0 : c->context->now_us;
    def->columns = arena_new_array(def->arena, struct column_def, statement->column_count + 1);
    for (uint32_t i = 0; i < statement->column_count; i++) {
        uint32_t position;
        enum column_kind kind = kind_of(statement, &statement->columns[i], &position);
        /* Orders stand in the order of the clustering columns; those that are not given
         * are ascending. */
        bool descending =
            kind == COLUMN_CLUSTERING && position < statement->order_count && statement->orders[position].descending;

        table_def_add_column(def, kind, position, statement->columns[i].name, types[i], descending);
    }
    table_params_copy(def->arena, &def->params, params);
    table_def_finish(def);
    return def;
}

/* Cassandra's words say 48 characters, its limit is 222. */
static enum status check_table_name(struct change *c, struct bytes keyspace, struct bytes name)
{
    if (change_is_word_name(name, TABLE_NAME_BYTES_MAX))
        return OK;
    return error_set(
        c->err, ERR_CONFIG,
        "%.*s.%.*s: Table name must not be empty, more than 48 characters long, or contain non-alphanumeric-underscore "
        "characters (got \"%.*s\")",
        BYTES(keyspace), BYTES(name), BYTES(name));
}

/* The error's body names keyspace and table, which drivers read there. */
static enum status already_has_table(struct change *c, struct bytes keyspace, struct bytes name)
{
    error_set(c->err, ERR_ALREADY_EXISTS, "Cannot add already existing table \"%.*s\" to keyspace \"%.*s\"",
              BYTES(name), BYTES(keyspace));
    snprintf(c->err->keyspace, sizeof(c->err->keyspace), "%.*s", BYTES(keyspace));
    snprintf(c->err->name, sizeof(c->err->name), "%.*s", BYTES(name));
    return ERR_ALREADY_EXISTS;
}

/* All that depends on the keyspace, in Cassandra's order: options, types, key, order,
 * other columns, name, options again as a whole. */
static enum status check_create_table(struct change *c, const struct keyspace_def *keyspace,
                                      const struct create_table_statement *statement, const struct type **types,
                                      struct table_params *params, bool *has_uuid, uint8_t uuid[16])
{
    enum status status;

    if (statement->column_count > SCHEMA_TABLE_COLUMNS_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many columns: the limit is %d", SCHEMA_TABLE_COLUMNS_MAX);
    /* What the statement does not say. */
    options_default_table(c->arena, params);
    if ((status = options_read_table(c->arena, &statement->options, params, has_uuid, uuid, c->err)) ||
        (status = resolve_columns(c, keyspace, statement->columns, statement->column_count, types)) ||
        (status = check_primary_key(c, statement, types)) || (status = check_clustering_order(c, statement)) ||
        (status = check_other_columns(c, statement, types, params)))
        return status;
    /* Cassandra 5.0 refuses it as well, unless it is configured otherwise. */
    if (statement->compact_storage)
        return error_set(c->err, ERR_INVALID, "COMPACT STORAGE tables are not supported");
    if ((status = check_table_name(c, keyspace->name, statement->table.name)) ||
        (status = options_check_table(c->arena, params, c->err)))
        return status;
    if (*has_uuid && uuid_is_taken(c->schema, uuid))
        return error_set(c->err, ERR_INVALID, "Another table has this id already");
    if (schema_table_count(c->schema) + c->context->tables_elsewhere >= SCHEMA_TABLES_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many tables: the limit is %d", SCHEMA_TABLES_MAX);
    return OK;
}

/* IF NOT EXISTS is looked at before most checks: a table that is there hides what is
 * wrong with the statement. */
enum status change_create_table(struct change *c, const struct create_table_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type **types = arena_new_array(c->arena, const struct type *, statement->column_count + 1);
    struct table_params params;
    struct table_def *def;
    struct bytes name;
    uint8_t uuid[16];
    bool has_uuid = false;
    enum status status;

    if ((status = check_create_table_text(c, statement)) || (status = change_keyspace_of(c, statement->table, &name)) ||
        (status = change_check_access(c, "CREATE", name, bytes_of(NULL, 0))))
        return status;
    /* From here on it depends on what there is. */
    keyspace = schema_keyspace(c->schema, name);
    if (!keyspace)
        return change_no_keyspace(c, name);
    if (schema_table(c->schema, name, statement->table.name))
        return statement->if_not_exists ? change_none(c) : already_has_table(c, name, statement->table.name);
    if ((status = check_create_table(c, keyspace, statement, types, &params, &has_uuid, uuid)))
        return status;
    assert(statement->primary_key_count == 1);
    def = build_table(c, keyspace, statement, types, &params);
    /* Restoring from text keeps ids, so that what drivers cached stays right. */
    if (has_uuid)
        memcpy(def->uuid, uuid, 16);
    else
        change_new_timeuuid(c, def->uuid);
    change_put_table(c, keyspace, def);
    return change_done(c, DDL_CREATED, DDL_TABLE, name, statement->table.name);
}

/* The old id tells catalog/ what rows to remove. */
enum status change_drop_table(struct change *c, const struct named_statement *statement)
{
    const struct keyspace_def *keyspace;
    struct keyspace_def *def;
    struct table_def *table;
    uint64_t *id;
    struct bytes name;
    enum status status;

    if ((status = change_keyspace_of(c, statement->name, &name)) ||
        (status = change_check_access(c, "DROP", name, statement->name.name)))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    table = schema_table(c->schema, name, statement->name.name);
    if (!table) {
        if (statement->if_exists)
            return change_none(c);
        return error_set(c->err, ERR_INVALID, "Table '%.*s.%.*s' doesn't exist", BYTES(name),
                         BYTES(statement->name.name));
    }
    assert(keyspace);
    id = arena_new_struct(c->arena, uint64_t);
    *id = table->id;
    c->out->removed_table_ids = id;
    c->out->removed_table_count = 1;
    /* Those who still read by the old schema keep the table's definition alive. */
    def = keyspace_def_clone(keyspace, 0, 0);
    keyspace_def_remove_table(def, statement->name.name);
    change_put_keyspace(c, def);
    return change_done(c, DDL_DROPPED, DDL_TABLE, name, statement->name.name);
}
