/* CREATE KEYSPACE, ALTER KEYSPACE and DROP KEYSPACE. There is one node, so replication
 * decides nothing here: it is checked as Cassandra does, kept, and shown.
 * durable_writes does decide, and tables carry a copy of it. Source:
 * org.apache.cassandra.cql3.statements.schema, release 5.0. */
#include "schema/build.h"
#include "schema/change.h"
#include "schema/options.h"

#include <assert.h>
#include <stdio.h>

enum { NAME_BYTES_MAX = 48 };

/* Maps are sorted by name, so equal ones are equal entry by entry. */
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

/* LocalStrategy is what Cassandra's own local keyspaces have; no client may ask for it. */
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

/* One node cannot hold more than one replica of its own. Cassandra warns of a larger
 * factor, so we do, though what keeps the data safe lies below us. */
static void warn_of_factor(struct change *c, struct bytes keyspace, const struct option_map *replication)
{
    if (ddl_is_replicated_system_keyspace(keyspace) || c->context->is_internal)
        return;
    for (uint32_t i = 0; i < replication->count; i++) {
        const struct option *option = &replication->options[i];
        /* SimpleStrategy has one factor, NetworkTopologyStrategy one for each data
         * center. */
        bool is_of_all = bytes_equal(option->name, BYTES_LITERAL("replication_factor"));
        uint32_t factor = options_factor(option);

        if (factor <= 1)
            continue;
        change_warn(
            c, arena_printf(c->arena,
                            "Your replication factor %u for keyspace %.*s is higher than the number of nodes 1%s%.*s",
                            factor, BYTES(keyspace), is_of_all ? "" : " for datacenter ",
                            is_of_all ? 0 : (int)option->name.size, option->name.data));
    }
}

/* The replication of system and system_schema. */
static enum status local_replication(struct change *c, struct option_map *map)
{
    *map = (struct option_map){ 0 };
    option_map_set(c->arena, map, BYTES_LITERAL("class"), BYTES_LITERAL("org.apache.cassandra.locator.LocalStrategy"));
    return OK;
}

/* The order of the checks is Cassandra's; the name is looked at late there. */
enum status change_create_keyspace(struct change *c, const struct keyspace_statement *statement)
{
    struct keyspace_options options;
    struct option_map replication;
    struct keyspace_def *def;
    enum status status;

    if (!c->context->is_internal && change_is_fixed(statement->name))
        return error_set(c->err, ERR_INVALID, "System keyspace '%.*s' is not user-modifiable", BYTES(statement->name));
    if ((status = options_read_keyspace(c->arena, &statement->options, &options, c->err)))
        return status;
    if (!options.has_replication)
        return error_set(c->err, ERR_INVALID, "Missing mandatory option 'replication'");
    if (names_local_strategy(&options) && !c->context->is_internal)
        return refuse_local_strategy(c);
    if (schema_keyspace(c->schema, statement->name)) {
        if (statement->if_not_exists)
            return change_none(c);
        error_set(c->err, ERR_ALREADY_EXISTS, "Cannot add existing keyspace \"%.*s\"", BYTES(statement->name));
        /* The error's body names the keyspace; drivers read it there. */
        snprintf(c->err->keyspace, sizeof(c->err->keyspace), "%.*s", BYTES(statement->name));
        c->err->name[0] = '\0';
        return ERR_ALREADY_EXISTS;
    }
    /* The server makes its own keyspaces by the same statement (is_internal). */
    if (names_local_strategy(&options))
        status = local_replication(c, &replication);
    else
        status = options_check_replication(c->arena, statement->name, c->context->region, &options.replication, NULL,
                                           &replication, c->err);
    if (status)
        return status;
    if (!change_is_word_name(statement->name, NAME_BYTES_MAX))
        return error_set(
            c->err, ERR_INVALID,
            "Keyspace name must not be empty, more than 48 characters long, or contain non-alphanumeric-underscore "
            "characters (got '%.*s')",
            BYTES(statement->name));
    /* A limit of ours: all definitions are kept in memory. */
    if (schema_keyspace_count(c->schema) + c->context->keyspaces_elsewhere >= SCHEMA_KEYSPACES_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many keyspaces: the limit is %d", SCHEMA_KEYSPACES_MAX);
    warn_of_factor(c, statement->name, &replication);
    assert(option_map_find(&replication, BYTES_LITERAL("class")));
    def = keyspace_def_new(statement->name, &replication, options.durable_writes);
    option_map_copy(def->arena, &def->tags, &options.tags);
    change_put_keyspace(c, def);
    return change_done(c, DDL_CREATED, DDL_KEYSPACE, statement->name, BYTES_LITERAL(""));
}

/* What is not said stays as it is. */
enum status change_alter_keyspace(struct change *c, const struct keyspace_statement *statement)
{
    const struct keyspace_def *old;
    struct keyspace_options options;
    struct option_map replication, tags;
    struct keyspace_def *def;
    bool durable;
    enum status status;

    if (!c->context->is_internal && change_is_fixed(statement->name))
        return error_set(c->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(statement->name));
    if ((status = options_read_keyspace(c->arena, &statement->options, &options, c->err)))
        return status;
    if (names_local_strategy(&options))
        return refuse_local_strategy(c);
    old = schema_keyspace(c->schema, statement->name);
    if (!old)
        return statement->if_exists ? change_none(c) : change_no_keyspace(c, statement->name);
    replication = old->replication;
    tags = options.has_tags ? options.tags : old->tags;
    durable = options.has_durable_writes ? options.durable_writes : old->durable_writes;
    /* ALTER may name some data centers only, so the old replication counts. */
    if (options.has_replication &&
        (status = options_check_replication(c->arena, statement->name, c->context->region, &options.replication,
                                            &old->replication, &replication, c->err)))
        return status;
    if (statement->tags_action && (status = change_tags(c, statement->tags_action, statement->tags, &tags)))
        return status;
    warn_of_factor(c, statement->name, &replication);
    /* Nothing changed: no event for drivers. */
    if (same_map(&replication, &old->replication) && same_map(&tags, &old->tags) && durable == old->durable_writes)
        return change_none(c);
    /* Here nothing has to be repaired, but Cassandra's clients expect the words. */
    if (options_replication_factor(&replication) > options_replication_factor(&old->replication))
        change_warn(c,
                    "When increasing replication factor you need to run a full (-full) repair to distribute the data.");
    def = keyspace_def_clone(old, 0, 0);
    option_map_copy(def->arena, &def->replication, &replication);
    option_map_copy(def->arena, &def->tags, &tags);
    /* Each table carries whether its writes are synced, so that a write need not look
     * its keyspace up. */
    if (durable != old->durable_writes) {
        def->durable_writes = durable;
        for (uint32_t i = 0; i < old->table_count; i++) {
            struct table_def *table = table_def_clone(old->tables[i], 0, 0);

            table->durable_writes = durable;
            table->version = change_next_version(c);
            table_def_finish(table);
            keyspace_def_put_table(def, table);
        }
    }
    change_put_keyspace(c, def);
    return change_done(c, DDL_UPDATED, DDL_KEYSPACE, statement->name, BYTES_LITERAL(""));
}

/* The ids of its tables tell catalog/ what rows to remove. */
enum status change_drop_keyspace(struct change *c, const struct drop_keyspace_statement *statement)
{
    const struct keyspace_def *old = schema_keyspace(c->schema, statement->name);
    uint64_t *ids;

    if (!c->context->is_internal && change_is_fixed(statement->name))
        return error_set(c->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(statement->name));
    if (!c->context->is_internal && ddl_is_replicated_system_keyspace(statement->name))
        return error_set(c->err, ERR_UNAUTHORIZED, "Cannot DROP <keyspace %.*s>", BYTES(statement->name));
    if (!old)
        return statement->if_exists ? change_none(c) : change_no_keyspace(c, statement->name);
    assert(old->tables || !old->table_count);
    ids = arena_new_array(c->arena, uint64_t, old->table_count + 1);
    for (uint32_t i = 0; i < old->table_count; i++)
        ids[i] = old->tables[i]->id;
    c->out->removed_table_ids = ids;
    c->out->removed_table_count = old->table_count;
    /* Its types go with it, too. */
    change_remove_keyspace(c, statement->name);
    return change_done(c, DDL_DROPPED, DDL_KEYSPACE, statement->name, BYTES_LITERAL(""));
}
