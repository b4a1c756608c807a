#include "schema/ddl.h"

#include "cql/ast.h"
#include "schema/build.h"
#include "schema/codec.h"
#include "schema/options.h"
#include "schema/resolve.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = 48, TABLE_NAME_BYTES_MAX = 222, COLUMN_NAME_BYTES_MAX = 65535 };
enum { COLUMN_IDS_MAX = 4 * (SCHEMA_TABLE_COLUMNS_MAX + SCHEMA_TABLE_DROPPED_MAX) };

/* One statement at work. */
struct change {
    struct schema *schema;
    const struct ddl_context *context;
    struct arena *arena;
    struct schema **result;
    struct ddl_change *out;
    struct error *err;
};

/* ---- who may touch what ---- */

static bool is_one_of(struct bytes name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(name, bytes_of_string(names[i])))
            return true;
    return false;
}

bool ddl_is_local_system_keyspace(struct bytes name)
{
    static const char *const names[] = { "system", "system_schema" };

    return is_one_of(name, names, ARRAY_SIZE(names));
}

bool ddl_is_replicated_system_keyspace(struct bytes name)
{
    static const char *const names[] = { "system_auth", "system_distributed", "system_traces" };

    return is_one_of(name, names, ARRAY_SIZE(names));
}

bool ddl_is_virtual_system_keyspace(struct bytes name)
{
    static const char *const names[] = { "system_virtual_schema", "system_views" };

    return is_one_of(name, names, ARRAY_SIZE(names));
}

static bool is_fixed(struct bytes keyspace)
{
    return ddl_is_local_system_keyspace(keyspace) || ddl_is_virtual_system_keyspace(keyspace);
}

/* verb: CREATE, ALTER, DROP. table NULL data: the statement is about all of the keyspace's tables (CREATE TABLE, types). */
static enum status check_access(struct change *c, const char *verb, struct bytes keyspace, struct bytes table)
{
    if (c->context->is_internal)
        return OK;
    if (is_fixed(keyspace))
        return error_set(c->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(keyspace));
    if (!ddl_is_replicated_system_keyspace(keyspace))
        return OK;
    if (bytes_is_null(table))
        return error_set(c->err, ERR_UNAUTHORIZED, "Cannot %s <all tables in %.*s>", verb, BYTES(keyspace));
    return error_set(c->err, ERR_UNAUTHORIZED, "Cannot %s <table %.*s.%.*s>", verb, BYTES(keyspace), BYTES(table));
}

static enum status keyspace_of(struct change *c, struct qualified_name name, struct bytes *keyspace)
{
    *keyspace = bytes_is_null(name.keyspace) ? c->context->current_keyspace : name.keyspace;
    if (bytes_is_null(*keyspace))
        return error_set(c->err, ERR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename");
    return OK;
}

static enum status no_keyspace(struct change *c, struct bytes name)
{
    return error_set(c->err, ERR_INVALID, "Keyspace '%.*s' doesn't exist", BYTES(name));
}

/* ---- outcomes ---- */

static void new_uuid(struct change *c, uint8_t uuid[16])
{
    c->context->random(c->context->random_context, uuid, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

/* Version 1, as Cassandra's table ids are: drivers and people read the time in them. */
static void new_timeuuid(struct change *c, uint8_t uuid[16])
{
    uint64_t ticks = (uint64_t)c->context->now_us * 10 + 0x01b21dd213814000u;

    c->context->random(c->context->random_context, uuid, 16);
    store_be32(uuid, (uint32_t)ticks);
    store_be16(uuid + 4, (uint16_t)(ticks >> 32));
    store_be16(uuid + 6, (uint16_t)((ticks >> 48 & 0x0fff) | 0x1000));
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    uuid[10] |= 1; /* a node that is no network card */
}

static enum status unchanged(struct change *c)
{
    c->out->happened = false;
    *c->result = schema_ref(c->schema);
    return OK;
}

static enum status changed(struct change *c, enum ddl_action action, enum ddl_target target, struct bytes keyspace,
                           struct bytes name)
{
    c->out->happened = true;
    c->out->action = action;
    c->out->target = target;
    c->out->keyspace = arena_copy(c->arena, keyspace);
    c->out->name = arena_copy(c->arena, name);
    return OK;
}

/* Takes over the keyspace's reference. */
static void put_keyspace(struct change *c, struct keyspace_def *keyspace)
{
    uint8_t uuid[16];

    new_uuid(c, uuid);
    *c->result = schema_replace(c->schema, keyspace, bytes_of(NULL, 0), uuid);
}

static uint64_t next_version(const struct change *c)
{
    return schema_version_number(c->schema) + 1;
}

static void warn(struct change *c, const char *text)
{
    struct bytes *warnings = arena_new_array(c->arena, struct bytes, c->out->warning_count + 1);

    if (c->out->warning_count)
        memcpy(warnings, c->out->warnings, c->out->warning_count * sizeof(*warnings));
    warnings[c->out->warning_count++] = bytes_of_string(text);
    c->out->warnings = warnings;
}

/* ---- names ---- */

static bool is_word_name(struct bytes name, size_t max)
{
    if (!name.size || name.size > max)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!isalnum(name.data[i]) && name.data[i] != '_')
            return false;
    return true;
}

static enum status check_column_name(struct change *c, struct bytes name)
{
    if (name.size > COLUMN_NAME_BYTES_MAX)
        return error_set(c->err, ERR_INVALID, "Names of columns, types and fields can't be longer than %d bytes",
                         COLUMN_NAME_BYTES_MAX);
    return OK;
}

/* ---- keyspaces ---- */

static bool same_map(const struct option_map *a, const struct option_map *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!bytes_equal(a->options[i].name, b->options[i].name) ||
            !bytes_equal(a->options[i].value, b->options[i].value))
            return false;
    return true;
}

static bool names_local_strategy(const struct keyspace_options *options)
{
    const struct option *class =
        options->has_replication ? option_map_find(&options->replication, BYTES_LITERAL("class")) : NULL;

    return class && bytes_equal(class->value, BYTES_LITERAL("LocalStrategy"));
}

static enum status refuse_local_strategy(struct change *c)
{
    return error_set(c->err, ERR_INVALID,
                     "Unable to use given strategy class: LocalStrategy is reserved for internal use.");
}

/* One node can't hold more than one replica; what keeps the data safe here lies below. Cassandra says so, so do we. */
static void warn_of_factor(struct change *c, struct bytes keyspace, const struct option_map *replication)
{
    uint32_t factor = options_replication_factor(replication);
    const struct option *class = option_map_find(replication, BYTES_LITERAL("class"));

    if (factor <= 1 || ddl_is_replicated_system_keyspace(keyspace) || c->context->is_internal ||
        !bytes_equal(class->value, BYTES_LITERAL("org.apache.cassandra.locator.SimpleStrategy")))
        return;
    warn(c, arena_printf(c->arena, "Your replication factor %u for keyspace %.*s is higher than the number of nodes 1",
                         factor, BYTES(keyspace)));
}

static enum status local_replication(struct change *c, struct option_map *map)
{
    *map = (struct option_map){ 0 };
    option_map_set(c->arena, map, BYTES_LITERAL("class"), BYTES_LITERAL("org.apache.cassandra.locator.LocalStrategy"));
    return OK;
}

static enum status create_keyspace(struct change *c, const struct keyspace_statement *statement)
{
    struct keyspace_options options;
    struct option_map replication;
    struct keyspace_def *def;
    enum status status;

    if (!c->context->is_internal && is_fixed(statement->name))
        return error_set(c->err, ERR_INVALID, "System keyspace '%.*s' is not user-modifiable", BYTES(statement->name));
    if ((status = options_read_keyspace(c->arena, &statement->options, &options, c->err)))
        return status;
    if (!options.has_replication)
        return error_set(c->err, ERR_INVALID, "Missing mandatory option 'replication'");
    if (names_local_strategy(&options) && !c->context->is_internal)
        return refuse_local_strategy(c);
    if (schema_keyspace(c->schema, statement->name)) {
        if (statement->if_not_exists)
            return unchanged(c);
        error_set(c->err, ERR_ALREADY_EXISTS, "Cannot add existing keyspace \"%.*s\"", BYTES(statement->name));
        snprintf(c->err->keyspace, sizeof(c->err->keyspace), "%.*s", BYTES(statement->name));
        c->err->name[0] = '\0';
        return ERR_ALREADY_EXISTS;
    }
    if (names_local_strategy(&options))
        status = local_replication(c, &replication);
    else
        status = options_check_replication(c->arena, statement->name, c->context->region, &options.replication, NULL,
                                           &replication, c->err);
    if (status)
        return status;
    if (!is_word_name(statement->name, NAME_BYTES_MAX))
        return error_set(
            c->err, ERR_INVALID,
            "Keyspace name must not be empty, more than 48 characters long, or contain non-alphanumeric-underscore "
            "characters (got '%.*s')",
            BYTES(statement->name));
    if (schema_keyspace_count(c->schema) >= SCHEMA_KEYSPACES_MAX)
        return error_set(c->err, ERR_INVALID, "Too many keyspaces: the limit is %d", SCHEMA_KEYSPACES_MAX);
    warn_of_factor(c, statement->name, &replication);
    def = keyspace_def_new(statement->name, &replication, options.durable_writes);
    option_map_copy(def->arena, &def->tags, &options.tags);
    put_keyspace(c, def);
    return changed(c, DDL_CREATED, DDL_KEYSPACE, statement->name, BYTES_LITERAL(""));
}

/* ADD TAGS sets, DROP TAGS removes pairs. */
static enum status change_tags(struct change *c, enum tags_action action, const struct term *term,
                               struct option_map *tags)
{
    struct option_map given, result = { 0 };
    enum status status = options_read_map(c->arena, BYTES_LITERAL("tags"), term, &given, c->err);

    if (status)
        return status;
    for (uint32_t i = 0; i < tags->count; i++) {
        const struct option *other = option_map_find(&given, tags->options[i].name);

        if (action == TAGS_ADD || !other || !bytes_equal(other->value, tags->options[i].value))
            option_map_set(c->arena, &result, tags->options[i].name, tags->options[i].value);
    }
    for (uint32_t i = 0; action == TAGS_ADD && i < given.count; i++)
        option_map_set(c->arena, &result, given.options[i].name, given.options[i].value);
    *tags = result;
    return options_check_tags(tags, c->err);
}

static enum status alter_keyspace(struct change *c, const struct keyspace_statement *statement)
{
    const struct keyspace_def *old;
    struct keyspace_options options;
    struct option_map replication, tags;
    struct keyspace_def *def;
    bool durable;
    enum status status;

    if (!c->context->is_internal && is_fixed(statement->name))
        return error_set(c->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(statement->name));
    if ((status = options_read_keyspace(c->arena, &statement->options, &options, c->err)))
        return status;
    if (names_local_strategy(&options))
        return refuse_local_strategy(c);
    old = schema_keyspace(c->schema, statement->name);
    if (!old)
        return statement->if_exists ? unchanged(c) : no_keyspace(c, statement->name);
    replication = old->replication;
    tags = options.has_tags ? options.tags : old->tags;
    durable = options.has_durable_writes ? options.durable_writes : old->durable_writes;
    if (options.has_replication &&
        (status = options_check_replication(c->arena, statement->name, c->context->region, &options.replication,
                                            &old->replication, &replication, c->err)))
        return status;
    if (statement->tags_action && (status = change_tags(c, statement->tags_action, statement->tags, &tags)))
        return status;
    if (same_map(&replication, &old->replication) && same_map(&tags, &old->tags) && durable == old->durable_writes)
        return unchanged(c);
    if (options.has_replication) {
        warn_of_factor(c, statement->name, &replication);
        if (options_replication_factor(&replication) > options_replication_factor(&old->replication))
            warn(c, "When increasing replication factor you need to run a full (-full) repair to distribute the data.");
    }
    def = keyspace_def_clone(old, 0, 0);
    option_map_copy(def->arena, &def->replication, &replication);
    option_map_copy(def->arena, &def->tags, &tags);
    if (durable != old->durable_writes) {
        def->durable_writes = durable;
        for (uint32_t i = 0; i < old->table_count; i++) {
            struct table_def *table = table_def_clone(old->tables[i], 0, 0);

            table->durable_writes = durable;
            table->version = next_version(c);
            table_def_finish(table);
            keyspace_def_put_table(def, table);
        }
    }
    put_keyspace(c, def);
    return changed(c, DDL_UPDATED, DDL_KEYSPACE, statement->name, BYTES_LITERAL(""));
}

static enum status drop_keyspace(struct change *c, const struct drop_keyspace_statement *statement)
{
    const struct keyspace_def *old = schema_keyspace(c->schema, statement->name);
    uint64_t *ids;
    uint8_t uuid[16];

    if (!c->context->is_internal && is_fixed(statement->name))
        return error_set(c->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(statement->name));
    if (!c->context->is_internal && ddl_is_replicated_system_keyspace(statement->name))
        return error_set(c->err, ERR_UNAUTHORIZED, "Cannot DROP <keyspace %.*s>", BYTES(statement->name));
    if (!old)
        return statement->if_exists ? unchanged(c) : no_keyspace(c, statement->name);
    ids = arena_new_array(c->arena, uint64_t, old->table_count + 1);
    for (uint32_t i = 0; i < old->table_count; i++)
        ids[i] = old->tables[i]->id;
    c->out->removed_table_ids = ids;
    c->out->removed_table_count = old->table_count;
    new_uuid(c, uuid);
    *c->result = schema_replace(c->schema, NULL, statement->name, uuid);
    return changed(c, DDL_DROPPED, DDL_KEYSPACE, statement->name, BYTES_LITERAL(""));
}

/* ---- tables ---- */

static const struct column_spec *find_spec(const struct create_table_statement *statement, struct bytes name)
{
    for (uint32_t i = 0; i < statement->column_count; i++)
        if (bytes_equal(statement->columns[i].name, name))
            return &statement->columns[i];
    return NULL;
}

static int compare_bytes(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* The name that stands twice, or NULL data. */
static struct bytes find_twin(struct arena *arena, struct bytes *names, uint32_t count)
{
    struct bytes *sorted = arena_new_array(arena, struct bytes, count + 1);

    if (count)
        memcpy(sorted, names, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_bytes);
    for (uint32_t i = 1; i < count; i++)
        if (bytes_equal(sorted[i - 1], sorted[i]))
            return sorted[i];
    return bytes_of(NULL, 0);
}

/* What can be said before the keyspace is looked at. */
static enum status check_create_table_text(struct change *c, const struct create_table_statement *statement)
{
    struct bytes *names = arena_new_array(c->arena, struct bytes, statement->column_count + statement->order_count + 1);
    struct bytes twin;
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
    twin = find_twin(c->arena, names, statement->column_count);
    if (!bytes_is_null(twin))
        return error_set(c->err, ERR_INVALID, "Duplicate column '%.*s' declaration for table '%s'", BYTES(twin), table);
    for (uint32_t i = 0; i < statement->order_count; i++)
        names[i] = statement->orders[i].column;
    twin = find_twin(c->arena, names, statement->order_count);
    if (!bytes_is_null(twin))
        return error_set(c->err, ERR_INVALID, "Duplicate column '%.*s' in CLUSTERING ORDER BY clause for table '%s'",
                         BYTES(twin), table);
    if (statement->primary_key_count == 0)
        return error_set(c->err, ERR_INVALID, "No PRIMARY KEY specifed for table '%s' (exactly one required)", table);
    if (statement->primary_key_count > 1)
        return error_set(c->err, ERR_INVALID, "Multiple PRIMARY KEY specified for table '%s' (exactly one required)",
                         table);
    return OK;
}

static enum status check_nested_udt(struct change *c, const struct type *type)
{
    if (type->kind != TYPE_UDT || !type_is_multicell(type))
        return OK;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type_is_multicell(type->params[i]))
            return error_set(c->err, ERR_INVALID,
                             "Non-frozen UDTs with nested non-frozen collections are not supported");
    return OK;
}

static enum status refuse_masks(struct change *c)
{
    return error_set(c->err, ERR_INVALID,
                     "Cannot mask columns because dynamic data masking is not enabled. You can enable it with the "
                     "dynamic_data_masking_enabled property on cassandra.yaml");
}

static enum status check_node_sum(struct change *c, uint64_t sum)
{
    if (sum > RESOLVE_NODES_SUM_MAX)
        return error_set(c->err, ERR_INVALID,
                         "The types of a table's columns, or of a keyspace, are too large together");
    return OK;
}

static enum status check_key_column(struct change *c, const struct create_table_statement *statement,
                                    const struct type **types, struct bytes name)
{
    const struct column_spec *spec = find_spec(statement, name);
    struct buffer shown = { 0 };
    const struct type *type;

    if (!spec)
        return error_set(c->err, ERR_INVALID, "Unknown column '%.*s' referenced in PRIMARY KEY for table '%.*s'",
                         BYTES(name), BYTES(statement->table.name));
    type = types[spec - statement->columns];
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
    if (type->kind == TYPE_COUNTER)
        return error_set(c->err, ERR_INVALID, "counter type is not supported for PRIMARY KEY column '%.*s'",
                         BYTES(name));
    if (type_references_duration(type))
        return error_set(c->err, ERR_INVALID, "duration type is not supported for PRIMARY KEY column '%.*s'",
                         BYTES(name));
    if (spec->is_static)
        return error_set(c->err, ERR_INVALID, "Static column '%.*s' cannot be part of the PRIMARY KEY", BYTES(name));
    return OK;
}

static enum status check_primary_key(struct change *c, const struct create_table_statement *statement,
                                     const struct type **types)
{
    const struct primary_key_spec *key = &statement->primary_key;
    uint32_t count = key->partition_count + key->clustering_count;
    enum status status;

    if (count > SCHEMA_TABLE_COLUMNS_MAX)
        return error_set(c->err, ERR_INVALID, "Too many columns: the limit is %d", SCHEMA_TABLE_COLUMNS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes name = i < key->partition_count ? key->partition[i] : key->clustering[i - key->partition_count];

        if (!find_spec(statement, name))
            return check_key_column(c, statement, types, name);
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
    /* A prefix will do: the rest is ascending. */
    for (uint32_t i = 0; i < statement->order_count; i++) {
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

static enum column_kind kind_of(const struct create_table_statement *statement, const struct column_spec *spec,
                                uint32_t *position)
{
    for (*position = 0; *position < statement->primary_key.partition_count; ++*position)
        if (bytes_equal(statement->primary_key.partition[*position], spec->name))
            return COLUMN_PARTITION_KEY;
    for (*position = 0; *position < statement->primary_key.clustering_count; ++*position)
        if (bytes_equal(statement->primary_key.clustering[*position], spec->name))
            return COLUMN_CLUSTERING;
    return spec->is_static ? COLUMN_STATIC : COLUMN_REGULAR;
}

/* Columns that are no keys: static ones need clusterings, counters stand alone. */
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
    if (has_counter && params->default_time_to_live_s > 0)
        return error_set(c->err, ERR_INVALID, "Cannot set default_time_to_live on a table with counters");
    return OK;
}

static enum status resolve_columns(struct change *c, const struct keyspace_def *keyspace,
                                   const struct column_spec *specs, uint32_t count, const struct type **types)
{
    uint64_t nodes = 0;
    enum status status;

    for (uint32_t i = 0; i < count; i++) {
        if (specs[i].mask)
            return refuse_masks(c);
        if ((status = check_column_name(c, specs[i].name)) ||
            (status = resolve_type(c->arena, keyspace, specs[i].type, &types[i], c->err)))
            return status;
        nodes += type_node_count(types[i]);
        if ((status = check_node_sum(c, nodes)))
            return status;
    }
    for (uint32_t i = 0; i < count; i++)
        if ((status = check_nested_udt(c, types[i])))
            return status;
    return OK;
}

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

/* Puts a copy of the keyspace with this table, whose reference it takes over, into the new schema. */
static void put_table(struct change *c, const struct keyspace_def *keyspace, struct table_def *table)
{
    struct keyspace_def *def = keyspace_def_clone(keyspace, 1, 0);

    table->version = next_version(c);
    keyspace_def_put_table(def, table);
    put_keyspace(c, def);
}

static struct table_def *build_table(struct change *c, const struct keyspace_def *keyspace,
                                     const struct create_table_statement *statement, const struct type **types,
                                     const struct table_params *params)
{
    struct table_def *def = table_def_new(keyspace->name, statement->table.name);

    def->id = c->context->next_table_id;
    def->durable_writes = keyspace->durable_writes;
    def->columns = arena_new_array(def->arena, struct column_def, statement->column_count + 1);
    for (uint32_t i = 0; i < statement->column_count; i++) {
        uint32_t position;
        enum column_kind kind = kind_of(statement, &statement->columns[i], &position);
        bool descending =
            kind == COLUMN_CLUSTERING && position < statement->order_count && statement->orders[position].descending;

        table_def_add_column(def, kind, position, statement->columns[i].name, types[i], descending);
    }
    table_params_copy(def->arena, &def->params, params);
    table_def_finish(def);
    return def;
}

static enum status check_table_name(struct change *c, struct bytes keyspace, struct bytes name)
{
    if (is_word_name(name, TABLE_NAME_BYTES_MAX))
        return OK;
    return error_set(
        c->err, ERR_CONFIG,
        "%.*s.%.*s: Table name must not be empty, more than 48 characters long, or contain non-alphanumeric-underscore "
        "characters (got \"%.*s\")",
        BYTES(keyspace), BYTES(name), BYTES(name));
}

static enum status already_has_table(struct change *c, struct bytes keyspace, struct bytes name)
{
    error_set(c->err, ERR_ALREADY_EXISTS, "Cannot add already existing table \"%.*s\" to keyspace \"%.*s\"",
              BYTES(name), BYTES(keyspace));
    snprintf(c->err->keyspace, sizeof(c->err->keyspace), "%.*s", BYTES(keyspace));
    snprintf(c->err->name, sizeof(c->err->name), "%.*s", BYTES(name));
    return ERR_ALREADY_EXISTS;
}

static enum status check_create_table(struct change *c, const struct keyspace_def *keyspace,
                                      const struct create_table_statement *statement, const struct type **types,
                                      struct table_params *params, bool *has_uuid, uint8_t uuid[16])
{
    enum status status;

    if (statement->column_count > SCHEMA_TABLE_COLUMNS_MAX)
        return error_set(c->err, ERR_INVALID, "Too many columns: the limit is %d", SCHEMA_TABLE_COLUMNS_MAX);
    options_default_table(c->arena, params);
    if ((status = options_read_table(c->arena, &statement->options, params, has_uuid, uuid, c->err)) ||
        (status = resolve_columns(c, keyspace, statement->columns, statement->column_count, types)) ||
        (status = check_primary_key(c, statement, types)) || (status = check_clustering_order(c, statement)) ||
        (status = check_other_columns(c, statement, types, params)))
        return status;
    if (statement->compact_storage)
        return error_set(c->err, ERR_INVALID, "COMPACT STORAGE tables are not supported");
    if ((status = check_table_name(c, keyspace->name, statement->table.name)) ||
        (status = options_check_table(c->arena, params, c->err)))
        return status;
    if (*has_uuid && uuid_is_taken(c->schema, uuid))
        return error_set(c->err, ERR_INVALID, "Another table has this id already");
    if (schema_table_count(c->schema) >= SCHEMA_TABLES_MAX)
        return error_set(c->err, ERR_INVALID, "Too many tables: the limit is %d", SCHEMA_TABLES_MAX);
    return OK;
}

static enum status create_table(struct change *c, const struct create_table_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type **types = arena_new_array(c->arena, const struct type *, statement->column_count + 1);
    struct table_params params;
    struct table_def *def;
    struct bytes name;
    uint8_t uuid[16];
    bool has_uuid = false;
    enum status status;

    if ((status = check_create_table_text(c, statement)) || (status = keyspace_of(c, statement->table, &name)) ||
        (status = check_access(c, "CREATE", name, bytes_of(NULL, 0))))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    if (!keyspace)
        return no_keyspace(c, name);
    if (schema_table(c->schema, name, statement->table.name))
        return statement->if_not_exists ? unchanged(c) : already_has_table(c, name, statement->table.name);
    if ((status = check_create_table(c, keyspace, statement, types, &params, &has_uuid, uuid)))
        return status;
    def = build_table(c, keyspace, statement, types, &params);
    if (has_uuid)
        memcpy(def->uuid, uuid, 16);
    else
        new_timeuuid(c, def->uuid);
    put_table(c, keyspace, def);
    return changed(c, DDL_CREATED, DDL_TABLE, name, statement->table.name);
}

static enum status drop_table(struct change *c, const struct named_statement *statement)
{
    const struct keyspace_def *keyspace;
    struct keyspace_def *def;
    struct table_def *table;
    uint64_t *id;
    struct bytes name;
    enum status status;

    if ((status = keyspace_of(c, statement->name, &name)) ||
        (status = check_access(c, "DROP", name, statement->name.name)))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    table = schema_table(c->schema, name, statement->name.name);
    if (!table) {
        if (statement->if_exists)
            return unchanged(c);
        return error_set(c->err, ERR_INVALID, "Table '%.*s.%.*s' doesn't exist", BYTES(name),
                         BYTES(statement->name.name));
    }
    id = arena_new_struct(c->arena, uint64_t);
    *id = table->id;
    c->out->removed_table_ids = id;
    c->out->removed_table_count = 1;
    def = keyspace_def_clone(keyspace, 0, 0);
    keyspace_def_remove_table(def, statement->name.name);
    put_keyspace(c, def);
    return changed(c, DDL_DROPPED, DDL_TABLE, name, statement->name.name);
}

/* ---- ALTER TABLE ---- */

static const struct dropped_column *find_dropped(const struct table_def *table, struct bytes name)
{
    for (uint32_t i = 0; i < table->dropped_count; i++)
        if (bytes_equal(table->dropped[i].name, name))
            return &table->dropped[i];
    return NULL;
}

/* Could bytes of the one be read as the other? What Cassandra asks before a column may come back. */
static bool can_come_back(const struct type *type, const struct type *before)
{
    return type_is_multicell(type) == type_is_multicell(before) && type_fixed_bytes(type) == type_fixed_bytes(before) &&
           type_is_value_compatible(type, before);
}

static enum status check_comeback(struct change *c, const struct table_def *table, const struct column_spec *spec,
                                  const struct type *type)
{
    const struct dropped_column *before = find_dropped(table, spec->name);
    struct buffer now = { 0 }, then = { 0 };

    if (!before)
        return OK;
    if (!can_come_back(type, before->type)) {
        type_print(&now, type, false);
        type_print(&then, before->type, false);
        error_set(c->err, ERR_INVALID,
                  "Cannot re-add previously dropped column '%.*s' of type %.*s, incompatible with previous type %.*s",
                  BYTES(spec->name), BYTES(buffer_bytes(&now)), BYTES(buffer_bytes(&then)));
        buffer_fini(&now);
        buffer_fini(&then);
        return ERR_INVALID;
    }
    if ((before->kind == COLUMN_STATIC) != spec->is_static)
        return error_set(
            c->err, ERR_INVALID,
            "Cannot re-add previously dropped column '%.*s' of kind %s, incompatible with previous kind %s",
            BYTES(spec->name), spec->is_static ? "STATIC" : "REGULAR", spec->is_static ? "REGULAR" : "STATIC");
    if (table->is_counter)
        return error_set(c->err, ERR_INVALID, "Cannot re-add previously dropped counter column %.*s",
                         BYTES(spec->name));
    return OK;
}

static enum status check_new_column(struct change *c, const struct table_def *table, const struct column_spec *spec,
                                    const struct type *type)
{
    if (spec->is_static && !table->clustering_count)
        return error_set(
            c->err, ERR_INVALID,
            "Static columns are only useful (and thus allowed) if the table has at least one clustering column");
    return check_comeback(c, table, spec, type);
}

static uint64_t table_node_count(const struct table_def *table)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        count += type_node_count(table->columns[i].type);
    return count;
}

/* before: what was dropped under its name, or NULL. */
static void add_column(struct table_def *def, const struct dropped_column *before, const struct column_spec *spec,
                       const struct type *type)
{
    struct column_def *column =
        table_def_add_column(def, spec->is_static ? COLUMN_STATIC : COLUMN_REGULAR, 0, spec->name, type, false);

    if (before && before->id != COLUMN_ID_NONE) {
        column->id = before->id;
        def->column_id_next--;
    }
}

static enum status add_columns(struct change *c, const struct keyspace_def *keyspace, const struct table_def *table,
                               const struct alter_table_statement *statement, struct table_def **result)
{
    uint64_t nodes = table_node_count(table);
    struct table_def *def;
    enum status status = OK;

    if (statement->column_count > SCHEMA_TABLE_COLUMNS_MAX ||
        table->column_count + statement->column_count > SCHEMA_TABLE_COLUMNS_MAX ||
        table->column_id_next + statement->column_count > COLUMN_IDS_MAX)
        return error_set(c->err, ERR_INVALID, "Too many columns: the limit is %d", SCHEMA_TABLE_COLUMNS_MAX);
    def = table_def_clone(table, statement->column_count, 0);
    for (uint32_t i = 0; i < statement->column_count && !status; i++) {
        const struct column_spec *spec = &statement->columns[i];
        const struct type *type;
        bool exists = table_def_column(table, spec->name) != NULL;

        if (spec->mask) {
            status = refuse_masks(c);
            break;
        }
        if ((status = check_column_name(c, spec->name)) ||
            (status = resolve_type(c->arena, keyspace, spec->type, &type, c->err)))
            break;
        for (uint32_t j = 0; j < i && !exists; j++)
            exists = bytes_equal(statement->columns[j].name, spec->name);
        if (exists) {
            if (!statement->if_column_not_exists)
                status = error_set(c->err, ERR_INVALID, "Column with name '%.*s' already exists", BYTES(spec->name));
            continue;
        }
        nodes += type_node_count(type);
        if ((status = check_node_sum(c, nodes)) || (status = check_new_column(c, table, spec, type)) ||
            (status = check_nested_udt(c, type)))
            break;
        if (type->kind == TYPE_COUNTER && !table->is_counter)
            status = error_set(c->err, ERR_CONFIG,
                               "%.*s.%.*s: Cannot have a counter column (\"%.*s\") in a non counter table",
                               BYTES(table->keyspace), BYTES(table->name), BYTES(spec->name));
        else if (type->kind != TYPE_COUNTER && table->is_counter)
            status = error_set(c->err, ERR_CONFIG,
                               "%.*s.%.*s: Cannot have a non counter column (\"%.*s\") in a counter table",
                               BYTES(table->keyspace), BYTES(table->name), BYTES(spec->name));
        else
            add_column(def, find_dropped(table, spec->name), spec, type);
    }
    if (status) {
        table_def_unref(def);
        return status;
    }
    *result = def;
    return OK;
}

/* Remembers the column, in place of an earlier one of its name. Dropped as of now it is gone with all of its cells: the clock that stamps
 * writes may be ahead of ours, so only a timestamp that was given can tell which cells are newer. */
static void record_drop(struct table_def *def, const struct column_def *column, bool is_given, int64_t dropped_us)
{
    struct dropped_column *slot = NULL;

    for (uint32_t i = 0; i < def->dropped_count; i++)
        if (bytes_equal(def->dropped[i].name, column->name))
            slot = &def->dropped[i];
    if (!slot)
        slot = &def->dropped[def->dropped_count++];
    *slot = (struct dropped_column){ .id = is_given ? column->id : COLUMN_ID_NONE,
                                     .name = arena_copy(def->arena, column->name),
                                     .type = type_expand_udts(def->arena, column->type),
                                     .kind = column->kind,
                                     .dropped_us = dropped_us };
}

static enum status drop_columns(struct change *c, const struct table_def *table,
                                const struct alter_table_statement *statement, struct table_def **result)
{
    struct table_def *def;

    if (table->dropped_count + (uint64_t)statement->column_count > SCHEMA_TABLE_DROPPED_MAX)
        return error_set(c->err, ERR_INVALID, "Too many dropped columns: the limit is %d", SCHEMA_TABLE_DROPPED_MAX);
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct column_def *column = table_def_column(table, statement->columns[i].name);

        if (!column) {
            if (statement->if_column_exists)
                continue;
            return error_set(c->err, ERR_INVALID, "Column %.*s was not found in table '%.*s.%.*s'",
                             BYTES(statement->columns[i].name), BYTES(table->keyspace), BYTES(table->name));
        }
        if (column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING)
            return error_set(c->err, ERR_INVALID, "Cannot drop PRIMARY KEY column %.*s", BYTES(column->name));
        if (column->type->kind == TYPE_UDT && column->multicell)
            return error_set(c->err, ERR_INVALID, "Cannot drop non-frozen column %.*s of user type %.*s",
                             BYTES(column->name), BYTES(column->type->name));
    }
    def = table_def_clone(table, 0, statement->column_count);
    for (uint32_t i = 0; i < statement->column_count; i++) {
        for (uint32_t j = 0; j < def->column_count; j++) {
            if (!bytes_equal(def->columns[j].name, statement->columns[i].name))
                continue;
            record_drop(def, &def->columns[j], statement->has_timestamp,
                        statement->has_timestamp ? statement->timestamp : c->context->now_us);
            memmove(def->columns + j, def->columns + j + 1, (def->column_count - j - 1) * sizeof(*def->columns));
            def->column_count--;
            break;
        }
    }
    *result = def;
    return OK;
}

static struct column_def *find_column(struct table_def *def, struct bytes name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (bytes_equal(def->columns[i].name, name))
            return &def->columns[i];
    return NULL;
}

static enum status rename_columns(struct change *c, const struct table_def *table,
                                  const struct alter_table_statement *statement, struct table_def **result)
{
    struct table_def *def = table_def_clone(table, 0, 0);
    enum status status = OK;

    for (uint32_t i = 0; i < statement->rename_count && !status; i++) {
        struct bytes from = statement->renames[i].from, to = statement->renames[i].to;
        const struct column_def *old = table_def_column(table, from);
        struct column_def *column = find_column(def, from);

        if (!old || !column)
            status = error_set(c->err, ERR_INVALID, "Undefined column name %.*s in table %.*s.%.*s", BYTES(from),
                               BYTES(table->keyspace), BYTES(table->name));
        else if (old->kind != COLUMN_PARTITION_KEY && old->kind != COLUMN_CLUSTERING)
            status = error_set(c->err, ERR_INVALID, "Cannot rename non PRIMARY KEY column %.*s", BYTES(from));
        else if (table_def_column(table, to) || find_column(def, to))
            status = error_set(
                c->err, ERR_INVALID,
                "Cannot rename column %.*s to %.*s in table '%.*s.%.*s'; another column with that name already exists",
                BYTES(from), BYTES(to), BYTES(table->keyspace), BYTES(table->name));
        else if (!(status = check_column_name(c, to)))
            column->name = arena_copy(def->arena, to);
    }
    if (status) {
        table_def_unref(def);
        return status;
    }
    *result = def;
    return OK;
}

static enum status alter_options(struct change *c, const struct table_def *table,
                                 const struct alter_table_statement *statement, struct table_def **result)
{
    struct table_params params = table->params;
    struct table_def *def;
    enum status status;

    if ((status = options_read_table(c->arena, &statement->options, &params, NULL, NULL, c->err)))
        return status;
    if (table->is_counter && params.default_time_to_live_s > 0)
        return error_set(c->err, ERR_INVALID, "Cannot set default_time_to_live on a table with counters");
    if ((status = options_check_table(c->arena, &params, c->err)))
        return status;
    def = table_def_clone(table, 0, 0);
    table_params_copy(def->arena, &def->params, &params);
    *result = def;
    return OK;
}

static enum status alter_tags(struct change *c, const struct table_def *table,
                              const struct alter_table_statement *statement, struct table_def **result)
{
    struct option_map tags = table->params.tags;
    enum status status = change_tags(c, statement->tags_action, statement->tags, &tags);

    if (status)
        return status;
    *result = table_def_clone(table, 0, 0);
    option_map_copy((*result)->arena, &(*result)->params.tags, &tags);
    return OK;
}

static enum status altered(struct change *c, const struct keyspace_def *keyspace, const struct table_def *table,
                           const struct alter_table_statement *statement, struct table_def **result)
{
    switch (statement->kind) {
    case ALTER_TABLE_COLUMN_TYPE: return error_set(c->err, ERR_INVALID, "Altering column types is no longer supported");
    case ALTER_TABLE_MASK: return refuse_masks(c);
    case ALTER_TABLE_DROP_MASK:
        if (!table_def_column(table, statement->columns[0].name) && !statement->if_column_exists)
            return error_set(c->err, ERR_INVALID, "Column with name '%.*s' doesn't exist on table '%.*s'",
                             BYTES(statement->columns[0].name), BYTES(table->name));
        *result = table_def_clone(table, 0, 0);
        return OK;
    case ALTER_TABLE_ADD: return add_columns(c, keyspace, table, statement, result);
    case ALTER_TABLE_DROP: return drop_columns(c, table, statement, result);
    case ALTER_TABLE_RENAME: return rename_columns(c, table, statement, result);
    case ALTER_TABLE_DROP_COMPACT:
        return error_set(c->err, ERR_INVALID, "DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.");
    case ALTER_TABLE_OPTIONS: return alter_options(c, table, statement, result);
    case ALTER_TABLE_TAGS: return alter_tags(c, table, statement, result);
    case ALTER_TABLE_CDC_TAGS: return error_set(c->err, ERR_INVALID, "TAGS_FOR_CDC is not supported yet");
    }
    return error_set(c->err, ERR_INVALID, "Unknown alteration of a table");
}

static bool same_table(const struct table_def *a, const struct table_def *b)
{
    struct buffer x = { 0 }, y = { 0 };
    bool same;

    schema_encode_table(&x, a);
    schema_encode_table(&y, b);
    same = bytes_equal(buffer_bytes(&x), buffer_bytes(&y));
    buffer_fini(&x);
    buffer_fini(&y);
    return same;
}

static enum status alter_table(struct change *c, const struct alter_table_statement *statement)
{
    const struct keyspace_def *keyspace;
    struct table_def *table, *def;
    struct bytes name;
    enum status status;

    if ((status = keyspace_of(c, statement->table, &name)) ||
        (status = check_access(c, "ALTER", name, statement->table.name)))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    table = keyspace ? schema_table(c->schema, name, statement->table.name) : NULL;
    if (!table) {
        if (statement->if_exists)
            return unchanged(c);
        return error_set(c->err, ERR_INVALID, "Table '%.*s.%.*s' doesn't exist", BYTES(name),
                         BYTES(statement->table.name));
    }
    if ((status = altered(c, keyspace, table, statement, &def)))
        return status;
    table_def_finish(def);
    if (same_table(def, table)) {
        table_def_unref(def);
        return unchanged(c);
    }
    put_table(c, keyspace, def);
    return changed(c, DDL_UPDATED, DDL_TABLE, name, statement->table.name);
}

/* ---- types ---- */

static const struct type *find_type(const struct keyspace_def *keyspace, struct bytes name)
{
    for (uint32_t i = 0; keyspace && i < keyspace->type_count; i++)
        if (bytes_equal(keyspace->types[i]->name, name))
            return keyspace->types[i];
    return NULL;
}

static enum status check_field_as_written(struct change *c, const struct cql_type *type)
{
    if (type->kind == TYPE_COUNTER)
        return error_set(c->err, ERR_INVALID, "A user type cannot contain counters");
    if (type->kind == TYPE_UDT && !type->frozen)
        return error_set(c->err, ERR_INVALID, "A user type cannot contain non-frozen UDTs");
    return OK;
}

static enum status check_type_sum(struct change *c, const struct keyspace_def *keyspace, uint64_t nodes)
{
    for (uint32_t i = 0; i < keyspace->type_count; i++)
        nodes += type_node_count(keyspace->types[i]);
    return check_node_sum(c, nodes);
}

static enum status create_type(struct change *c, const struct create_type_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type **types;
    const struct type *type;
    struct keyspace_def *def;
    struct bytes *names;
    struct bytes name, twin;
    enum status status;

    if ((status = keyspace_of(c, statement->name, &name)) ||
        (status = check_access(c, "CREATE", name, bytes_of(NULL, 0))))
        return status;
    if (statement->field_count > SCHEMA_TYPE_FIELDS_MAX)
        return error_set(c->err, ERR_INVALID, "Too many fields: the limit is %d", SCHEMA_TYPE_FIELDS_MAX);
    types = arena_new_array(c->arena, const struct type *, statement->field_count + 1);
    names = arena_new_array(c->arena, struct bytes, statement->field_count + 1);
    for (uint32_t i = 0; i < statement->field_count; i++)
        names[i] = statement->fields[i].name;
    twin = find_twin(c->arena, names, statement->field_count);
    if (!bytes_is_null(twin))
        return error_set(c->err, ERR_INVALID, "Duplicate field name '%.*s' in type '%.*s'", BYTES(twin),
                         BYTES(statement->name.name));
    for (uint32_t i = 0; i < statement->field_count; i++)
        if ((status = check_field_as_written(c, statement->fields[i].type)) ||
            (status = check_column_name(c, names[i])))
            return status;
    keyspace = schema_keyspace(c->schema, name);
    if (!keyspace)
        return no_keyspace(c, name);
    if (find_type(keyspace, statement->name.name)) {
        if (statement->if_not_exists)
            return unchanged(c);
        return error_set(c->err, ERR_INVALID, "A user type with name '%.*s' already exists",
                         BYTES(statement->name.name));
    }
    for (uint32_t i = 0; i < statement->field_count; i++)
        if ((status = resolve_type(c->arena, keyspace, statement->fields[i].type, &types[i], c->err)))
            return status;
    type = type_udt(c->arena, name, statement->name.name, names, types, statement->field_count, false);
    if (keyspace->type_count >= SCHEMA_TYPES_MAX)
        return error_set(c->err, ERR_INVALID, "Too many types: the limit is %d", SCHEMA_TYPES_MAX);
    if ((status = check_column_name(c, statement->name.name)) ||
        (status = check_type_sum(c, keyspace, type_node_count(type))))
        return status;
    def = keyspace_def_clone(keyspace, 0, 1);
    keyspace_def_put_type(def, type);
    put_keyspace(c, def);
    return changed(c, DDL_CREATED, DDL_TYPE, name, statement->name.name);
}

static bool table_uses_type(const struct table_def *table, struct bytes name, bool partition_key_only)
{
    uint32_t count = partition_key_only ? table->partition_key_count : table->column_count;

    for (uint32_t i = 0; i < count; i++)
        if (type_uses_udt(table->columns[i].type, name))
            return true;
    return false;
}

/* "k1.u4, k1.u5": the tables that use a type; with_keyspace false: "u4, u5". Empty: none. */
static void append_users(struct buffer *out, const struct keyspace_def *keyspace, struct bytes type,
                         bool partition_key_only, bool with_keyspace)
{
    for (uint32_t i = 0; i < keyspace->table_count; i++) {
        if (!table_uses_type(keyspace->tables[i], type, partition_key_only))
            continue;
        if (out->size)
            buffer_append_string(out, ", ");
        if (with_keyspace)
            buffer_printf(out, "%.*s.", BYTES(keyspace->name));
        buffer_append_bytes(out, keyspace->tables[i]->name);
    }
}

static enum status add_field(struct change *c, const struct keyspace_def *keyspace, const struct type *old,
                             const struct alter_type_statement *statement, const struct type **result)
{
    const struct field_spec *field = &statement->field;
    const char *shown = resolve_print_written(c->arena, keyspace->name, field->type);
    const struct type *type;
    const struct type **types;
    struct bytes *names;
    struct buffer users = { 0 };
    enum status status;

    for (uint32_t i = 0; i < old->param_count; i++) {
        if (!bytes_equal(old->field_names[i], field->name))
            continue;
        if (statement->if_field_not_exists) {
            *result = old;
            return OK;
        }
        return error_set(c->err, ERR_INVALID,
                         "Cannot add field %.*s to type %.*s.%.*s: a field with name %.*s already exists",
                         BYTES(field->name), BYTES(keyspace->name), BYTES(old->name), BYTES(field->name));
    }
    if ((status = resolve_type(c->arena, keyspace, field->type, &type, c->err)) ||
        (status = check_column_name(c, field->name)))
        return status;
    if (type_uses_udt(type, old->name))
        return error_set(
            c->err, ERR_INVALID,
            "Cannot add new field %.*s of type %s to user type %.*s.%.*s as it would create a circular reference",
            BYTES(field->name), shown, BYTES(keyspace->name), BYTES(old->name));
    append_users(&users, keyspace, old->name, true, true);
    if (users.size) {
        error_set(
            c->err, ERR_INVALID,
            "Cannot add new field %.*s of type %s to user type %.*s.%.*s as the type is being used in partition key by the following "
            "tables: %.*s",
            BYTES(field->name), shown, BYTES(keyspace->name), BYTES(old->name), BYTES(buffer_bytes(&users)));
        buffer_fini(&users);
        return ERR_INVALID;
    }
    if (old->param_count >= SCHEMA_TYPE_FIELDS_MAX)
        return error_set(c->err, ERR_INVALID, "Too many fields: the limit is %d", SCHEMA_TYPE_FIELDS_MAX);
    types = arena_new_array(c->arena, const struct type *, old->param_count + 1);
    names = arena_new_array(c->arena, struct bytes, old->param_count + 1);
    for (uint32_t i = 0; i < old->param_count; i++) {
        types[i] = old->params[i];
        names[i] = old->field_names[i];
    }
    types[old->param_count] = type;
    names[old->param_count] = field->name;
    *result = type_udt(c->arena, keyspace->name, old->name, names, types, old->param_count + 1, false);
    return OK;
}

static enum status rename_fields(struct change *c, const struct keyspace_def *keyspace, const struct type *old,
                                 const struct alter_type_statement *statement, const struct type **result)
{
    struct bytes *names = arena_new_array(c->arena, struct bytes, old->param_count + 1);
    struct bytes twin;
    enum status status;

    if (old->param_count)
        memcpy(names, old->field_names, old->param_count * sizeof(*names));
    for (uint32_t i = 0; i < statement->rename_count; i++) {
        bool found = false;

        for (uint32_t j = 0; j < old->param_count; j++) {
            if (!bytes_equal(old->field_names[j], statement->renames[i].from))
                continue;
            found = true;
            names[j] = statement->renames[i].to;
        }
        if (!found && !statement->if_field_exists)
            return error_set(c->err, ERR_INVALID, "Unkown field %.*s in user type %.*s.%.*s",
                             BYTES(statement->renames[i].from), BYTES(keyspace->name), BYTES(old->name));
        if ((status = check_column_name(c, statement->renames[i].to)))
            return status;
    }
    twin = find_twin(c->arena, names, old->param_count);
    if (!bytes_is_null(twin)) /* Cassandra names the keyspace here */
        return error_set(c->err, ERR_INVALID, "Duplicate field name %.*s in type %.*s", BYTES(twin),
                         BYTES(keyspace->name));
    *result = type_udt(c->arena, keyspace->name, old->name, names, old->params, old->param_count, false);
    return OK;
}

/* Spelling out a larger type everywhere must stay within bounds before it is tried. */
static enum status check_spread(struct change *c, const struct keyspace_def *keyspace, const struct type *type)
{
    uint64_t sum = 0;
    enum status status = OK;

    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        uint64_t nodes = type_node_count_with_udt(keyspace->types[i], type);

        sum += nodes;
        if (nodes > RESOLVE_NODES_MAX)
            return error_set(c->err, ERR_INVALID, "A type with its user types can't have more than %d parts",
                             RESOLVE_NODES_MAX);
    }
    status = check_node_sum(c, sum);
    for (uint32_t i = 0; i < keyspace->table_count && !status; i++) {
        sum = 0;
        for (uint32_t j = 0; j < keyspace->tables[i]->column_count; j++)
            sum += type_node_count_with_udt(keyspace->tables[i]->columns[j].type, type);
        status = check_node_sum(c, sum);
    }
    return status;
}

/* A user type in others and in tables is spelt out there: all of them are made anew. */
static void spread_type(struct change *c, struct keyspace_def *def, const struct type *type)
{
    const struct type **types = arena_new_array(c->arena, const struct type *, def->type_count + 1);
    uint32_t count = def->type_count;

    for (uint32_t i = 0; i < count; i++)
        types[i] = bytes_equal(def->types[i]->name, type->name) ? type : type_with_udt(c->arena, def->types[i], type);
    for (uint32_t i = 0; i < count; i++)
        keyspace_def_put_type(def, types[i]);
    for (uint32_t i = 0; i < def->table_count; i++) {
        struct table_def *table;

        if (!table_uses_type(def->tables[i], type->name, false))
            continue;
        table = table_def_clone(def->tables[i], 0, 0);
        for (uint32_t j = 0; j < table->column_count; j++)
            table->columns[j].type = type_with_udt(table->arena, table->columns[j].type, type);
        table->version = next_version(c);
        table_def_finish(table);
        keyspace_def_put_table(def, table);
    }
}

static enum status alter_type(struct change *c, const struct alter_type_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type *old, *type = NULL;
    struct keyspace_def *def;
    struct bytes name;
    enum status status;

    if ((status = keyspace_of(c, statement->name, &name)) ||
        (status = check_access(c, "ALTER", name, bytes_of(NULL, 0))))
        return status;
    if (statement->kind == ALTER_TYPE_ADD && (status = check_field_as_written(c, statement->field.type)))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    old = find_type(keyspace, statement->name.name);
    if (!old) {
        if (statement->if_exists)
            return unchanged(c);
        return error_set(c->err, ERR_INVALID, "Type %.*s.%.*s doesn't exist", BYTES(name), BYTES(statement->name.name));
    }
    if (statement->kind == ALTER_TYPE_FIELD_TYPE)
        return error_set(c->err, ERR_INVALID, "Altering field types is no longer supported");
    status = statement->kind == ALTER_TYPE_ADD ? add_field(c, keyspace, old, statement, &type)
                                               : rename_fields(c, keyspace, old, statement, &type);
    if (status)
        return status;
    if (type_equal(type, old))
        return unchanged(c);
    if ((status = check_spread(c, keyspace, type)))
        return status;
    def = keyspace_def_clone(keyspace, 0, 0);
    spread_type(c, def, type);
    put_keyspace(c, def);
    return changed(c, DDL_UPDATED, DDL_TYPE, name, statement->name.name);
}

static enum status drop_type(struct change *c, const struct named_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type *old;
    struct keyspace_def *def;
    struct buffer users = { 0 };
    struct bytes name;
    enum status status;

    if ((status = keyspace_of(c, statement->name, &name)) ||
        (status = check_access(c, "DROP", name, bytes_of(NULL, 0))))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    old = find_type(keyspace, statement->name.name);
    if (!old) {
        if (statement->if_exists)
            return unchanged(c);
        return error_set(c->err, ERR_INVALID, "Type '%.*s.%.*s' doesn't exist", BYTES(name),
                         BYTES(statement->name.name));
    }
    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        if (keyspace->types[i] == old || !type_uses_udt(keyspace->types[i], old->name))
            continue;
        if (users.size)
            buffer_append_string(&users, ", ");
        buffer_append_bytes(&users, keyspace->types[i]->name);
    }
    if (users.size) {
        status =
            error_set(c->err, ERR_INVALID, "Cannot drop user type '%.*s.%.*s' as it is still used by user types %.*s",
                      BYTES(name), BYTES(old->name), BYTES(buffer_bytes(&users)));
        buffer_fini(&users);
        return status;
    }
    append_users(&users, keyspace, old->name, false, false);
    if (users.size) {
        status = error_set(c->err, ERR_INVALID, "Cannot drop user type '%.*s.%.*s' as it is still used by tables %.*s",
                           BYTES(name), BYTES(old->name), BYTES(buffer_bytes(&users)));
        buffer_fini(&users);
        return status;
    }
    def = keyspace_def_clone(keyspace, 0, 0);
    keyspace_def_remove_type(def, old->name);
    put_keyspace(c, def);
    return changed(c, DDL_DROPPED, DDL_TYPE, name, statement->name.name);
}

/* ---- the statement ---- */

bool ddl_is_statement(const struct cql_statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_CREATE_KEYSPACE:
    case STATEMENT_ALTER_KEYSPACE:
    case STATEMENT_DROP_KEYSPACE:
    case STATEMENT_CREATE_TABLE:
    case STATEMENT_ALTER_TABLE:
    case STATEMENT_DROP_TABLE:
    case STATEMENT_CREATE_TYPE:
    case STATEMENT_ALTER_TYPE:
    case STATEMENT_DROP_TYPE: return true;
    default: return false;
    }
}

enum status ddl_apply(struct schema *schema, const struct cql_statement *statement, const struct ddl_context *context,
                      struct arena *arena, struct schema **result, struct ddl_change *change, struct error *err)
{
    struct change c = { schema, context, arena, result, change, err };

    *change = (struct ddl_change){ 0 };
    switch (statement->kind) {
    case STATEMENT_CREATE_KEYSPACE: return create_keyspace(&c, statement->keyspace);
    case STATEMENT_ALTER_KEYSPACE: return alter_keyspace(&c, statement->keyspace);
    case STATEMENT_DROP_KEYSPACE: return drop_keyspace(&c, statement->drop_keyspace);
    case STATEMENT_CREATE_TABLE: return create_table(&c, statement->create_table);
    case STATEMENT_ALTER_TABLE: return alter_table(&c, statement->alter_table);
    case STATEMENT_DROP_TABLE: return drop_table(&c, statement->named);
    case STATEMENT_CREATE_TYPE: return create_type(&c, statement->create_type);
    case STATEMENT_ALTER_TYPE: return alter_type(&c, statement->alter_type);
    case STATEMENT_DROP_TYPE: return drop_type(&c, statement->named);
    default: return error_set(err, ERR_INVALID, "Not a statement that changes keyspaces, tables or types");
    }
}

enum status ddl_truncate(struct schema *schema, struct bytes keyspace, struct bytes name,
                         const struct ddl_context *context, struct arena *arena, struct schema **result,
                         struct ddl_change *change, struct error *err)
{
    struct change c = { schema, context, arena, result, change, err };
    const struct keyspace_def *def = schema_keyspace(schema, keyspace);
    struct table_def *table = schema_table(schema, keyspace, name), *copy;
    struct keyspace_def *changed_keyspace;
    uint64_t *id;

    *change = (struct ddl_change){ 0 };
    if (!def)
        return error_set(err, ERR_INVALID, "keyspace %.*s does not exist", BYTES(keyspace));
    if (!table)
        return error_set(err, ERR_INVALID, "table %.*s does not exist", BYTES(name));
    if (table->virtual_table && def->is_virtual)
        return error_set(err, ERR_INVALID, "Cannot truncate virtual tables");
    if (!context->is_internal && is_fixed(keyspace))
        return error_set(err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(keyspace));
    id = arena_new_struct(arena, uint64_t);
    *id = table->id;
    change->removed_table_ids = id;
    change->removed_table_count = 1;
    copy = table_def_clone(table, 0, 0);
    copy->id = context->next_table_id;
    copy->version = next_version(&c);
    table_def_finish(copy);
    changed_keyspace = keyspace_def_clone(def, 0, 0);
    keyspace_def_put_table(changed_keyspace, copy);
    *result = schema_replace(schema, changed_keyspace, bytes_of(NULL, 0),
                             schema_version_uuid(schema)); /* clients see no change */
    return changed(&c, DDL_UPDATED, DDL_TABLE, keyspace, name);
}
