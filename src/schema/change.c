/* What CREATE, ALTER and DROP share: who may touch what, how a change ends, checks that
 * several statements make. */
#include "schema/change.h"

#include "base/uuid.h"
#include "schema/build.h"
#include "schema/options.h"
#include "schema/resolve.h"
#include "types/calendar.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

enum { COLUMN_NAME_BYTES_MAX = 65535 };

/* ---- who may touch what ---- */

/* Looks through a few names. */
static bool is_one_of(struct bytes name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(name, bytes_of_string(names[i])))
            return true;
    return false;
}

bool ddl_is_local_system_keyspace(struct bytes name)
{
    static const char *const names[] = { "system", "system_schema", "system_schema_mcs", "system_multiregion_info" };

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

/* Keyspaces that no client may change: their tables are part of the program. */
bool change_is_fixed(struct bytes keyspace)
{
    return ddl_is_local_system_keyspace(keyspace) || ddl_is_virtual_system_keyspace(keyspace);
}

/* The replicated system keyspaces (system_auth, ...) may be altered as keyspaces, as in
 * Cassandra, but not their tables. is_internal: the server itself makes them at its
 * start. */
enum status change_check_access(struct change *c, const char *verb, struct bytes keyspace, struct bytes table)
{
    if (c->context->is_internal)
        return OK;
    if (change_is_fixed(keyspace))
        return error_set(c->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(keyspace));
    if (!ddl_is_replicated_system_keyspace(keyspace))
        return OK;
    if (bytes_is_null(table))
        return error_set(c->err, ERR_UNAUTHORIZED, "Cannot %s <all tables in %.*s>", verb, BYTES(keyspace));
    return error_set(c->err, ERR_UNAUTHORIZED, "Cannot %s <table %.*s.%.*s>", verb, BYTES(keyspace), BYTES(table));
}

/* Names without a keyspace are of the session's. */
enum status change_keyspace_of(struct change *c, struct qualified_name name, struct bytes *keyspace)
{
    *keyspace = bytes_is_null(name.keyspace) ? c->context->current_keyspace : name.keyspace;
    if (bytes_is_null(*keyspace))
        return error_set(c->err, ERR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename");
    return OK;
}

/* Cassandra says it in these words for all statements but SELECT and its like. */
enum status change_no_keyspace(struct change *c, struct bytes name)
{
    return error_set(c->err, ERR_INVALID, "Keyspace '%.*s' doesn't exist", BYTES(name));
}

/* ---- outcomes ---- */

/* A new version of the schema has a random uuid, which drivers compare between nodes. */
static void new_uuid(struct change *c, uint8_t uuid[16])
{
    c->context->random(c->context->random_context, uuid, 16);
    uuid_set_random(uuid);
}

/* Version 1, as Cassandra's table ids are: drivers and people read the time in them. */
void change_new_timeuuid(struct change *c, uint8_t uuid[16])
{
    c->context->random(c->context->random_context, uuid, 16);
    uuid_set_time(uuid, (uint64_t)c->context->now_us * 10 + UUID_EPOCH_TICKS);
}

/* IF NOT EXISTS, IF EXISTS, or nothing that is different: the same schema. */
enum status change_none(struct change *c)
{
    assert(c->schema);
    c->out->happened = false;
    *c->result = schema_ref(c->schema);
    return OK;
}

/* Notes what happened, for SCHEMA_CHANGE. Names are copied: the definition may be gone
 * when it is told. */
enum status change_done(struct change *c, enum ddl_action action, enum ddl_target target, struct bytes keyspace,
                        struct bytes name)
{
    assert(*c->result && *c->result != c->schema);
    c->out->happened = true;
    c->out->action = action;
    c->out->target = target;
    c->out->keyspace = arena_copy(c->arena, keyspace);
    c->out->name = arena_copy(c->arena, name);
    return OK;
}

/* The new schema is the result. */
void change_put_keyspace(struct change *c, struct keyspace_def *keyspace)
{
    uint8_t uuid[16];

    assert(keyspace);
    new_uuid(c, uuid);
    *c->result = schema_replace(c->schema, change_next_version(c), keyspace, bytes_of(NULL, 0), uuid);
}

/* Its tables go with it; who calls has noted their ids. */
void change_remove_keyspace(struct change *c, struct bytes name)
{
    uint8_t uuid[16];

    new_uuid(c, uuid);
    *c->result = schema_replace(c->schema, change_next_version(c), NULL, name, uuid);
}

/* The number that the changed schema will have. A changed table carries it, by which
 * owners tell commands of older plans. */
uint64_t change_next_version(const struct change *c)
{
    /* Where there are several schemas, they are counted together: who keeps them says the number. */
    return c->context->next_version ? c->context->next_version : schema_version_number(c->schema) + 1;
}

/* Warnings are few, so the list is made anew for each. */
void change_warn(struct change *c, const char *text)
{
    struct bytes *warnings = arena_new_array(c->arena, struct bytes, c->out->warning_count + 1);

    if (c->out->warning_count)
        memcpy(warnings, c->out->warnings, c->out->warning_count * sizeof(*warnings));
    warnings[c->out->warning_count++] = bytes_of_string(text);
    c->out->warnings = warnings;
}

/* A table is changed by a new keyspace that has it. */
void change_put_table(struct change *c, const struct keyspace_def *keyspace, struct table_def *table)
{
    struct keyspace_def *def = keyspace_def_clone(keyspace, 1, 0);

    assert(bytes_equal(table->keyspace, keyspace->name));
    table->version = change_next_version(c);
    keyspace_def_put_table(def, table);
    change_put_keyspace(c, def);
}

/* ---- names ---- */

/* Names of keyspaces and tables name directories in Cassandra: letters, digits and
 * underscores only. Names of columns and types may be anything. */
bool change_is_word_name(struct bytes name, size_t max)
{
    if (!name.size || name.size > max)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!isalnum(name.data[i]) && name.data[i] != '_')
            return false;
    return true;
}

enum status change_check_column_name(struct change *c, struct bytes name)
{
    if (name.size > COLUMN_NAME_BYTES_MAX)
        return error_set(c->err, ERR_INVALID, "Names of columns, types and fields can't be longer than %d bytes",
                         COLUMN_NAME_BYTES_MAX);
    return OK;
}

/* For qsort. */
static int compare_bytes(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Sorted, since a statement may have very many names. */
struct bytes change_find_twin(struct arena *arena, struct bytes *names, uint32_t count)
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

/* A UDT of many cells has one path for each field, which cannot have paths of its own. */
enum status change_check_nested_udt(struct change *c, const struct type *type, struct bytes column)
{
    if (type->kind != TYPE_UDT || !type_is_multicell(type))
        return OK;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type_is_multicell(type->params[i]))
            return error_set(c->err, ERR_INVALID,
                             "Non-frozen UDTs with nested non-frozen collections are not supported%s%.*s",
                             bytes_is_null(column) ? "" : " for column ", BYTES(column));
    return OK;
}

/* Cassandra's default: masking is off. */
enum status change_refuse_masks(struct change *c)
{
    return error_set(c->err, ERR_INVALID,
                     "Cannot mask columns because dynamic data masking is not enabled. You can enable it with the "
                     "dynamic_data_masking_enabled property on cassandra.yaml");
}

/* A type is spelt out wherever it is used: many columns of large types would be a large
 * table in memory and on disk. */
enum status change_check_node_sum(struct change *c, uint64_t sum)
{
    if (sum > RESOLVE_NODES_SUM_MAX)
        return error_set(c->err, ERR_INVALID,
                         "The types of a table's columns, or of a keyspace, are too large together");
    return OK;
}

/* ADD TAGS sets, DROP TAGS removes pairs. */
enum status change_tags(struct change *c, enum tags_action action, const struct term *term, struct option_map *tags)
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
