/* The options of keyspaces: replication as written becomes what is stored (class with
 * its full name, factors); durable_writes; Keyspaces' tags and client_side_timestamps.
 * They are a table of their own, since a keyspace has other options than a table. */
#include "schema/option.h"

#include "schema/build.h"
#include "types/number.h"

#include <assert.h>
#include <limits.h>

/* AWS's limits, in characters; at four bytes each. */
enum status options_check_tags(const struct option_map *tags, struct error *err)
{
    if (tags->count > 50)
        return error_set(err, ERR_LIMIT, "A resource can have at most 50 tags (got %u)", tags->count);
    for (uint32_t i = 0; i < tags->count; i++)
        if (!tags->options[i].name.size || tags->options[i].name.size > 4 * 128 ||
            tags->options[i].value.size > 4 * 256)
            return error_set(err, ERR_INVALID, "Tag keys have 1 to 128 characters, tag values up to 256");
    return OK;
}

/* What it says is checked later, when the keyspace it is for is known. */
static enum status set_replication(struct arena *arena, const struct cql_option *option,
                                   struct keyspace_options *options, struct error *err)
{
    options->has_replication = true;
    return options_read_map(arena, option->name, option->value, &options->replication, err);
}

/* false: writes to the keyspace are answered before they are synced. */
static enum status set_durable_writes(struct arena *arena, const struct cql_option *option,
                                      struct keyspace_options *options, struct error *err)
{
    options->has_durable_writes = true;
    return option_read_boolean(option, &options->durable_writes, err);
}

/* Like a table's. */
static enum status set_tags(struct arena *arena, const struct cql_option *option, struct keyspace_options *options,
                            struct error *err)
{
    enum status status = options_read_map(arena, option->name, option->value, &options->tags, err);

    options->has_tags = true;
    return status ? status : options_check_tags(&options->tags, err);
}

/* Keyspaces': timestamps of clients are always on here. */
static enum status set_timestamps(struct arena *arena, const struct cql_option *option,
                                  struct keyspace_options *options, struct error *err)
{
    struct option_map ignored;

    return options_read_map(arena, option->name, option->value, &ignored, err);
}

static const struct {
    const char *name;
    enum status (*set)(struct arena *arena, const struct cql_option *option, struct keyspace_options *options,
                       struct error *err);
} keyspace_option_table[] = {
    { "replication", set_replication },
    { "durable_writes", set_durable_writes },
    { "tags", set_tags },
    { "client_side_timestamps", set_timestamps },
};

/* Notes which options were given: ALTER leaves the others as they are. */
enum status options_read_keyspace(struct arena *arena, const struct option_list *list, struct keyspace_options *options,
                                  struct error *err)
{
    assert(list->items || !list->count);
    *options = (struct keyspace_options){ .durable_writes = true };
    for (uint32_t i = 0; i < list->count; i++) {
        const struct cql_option *option = &list->items[i];
        enum status status;
        size_t at = 0;

        while (at < ARRAY_SIZE(keyspace_option_table) && !bytes_is(option->name, keyspace_option_table[at].name))
            at++;
        if (at == ARRAY_SIZE(keyspace_option_table))
            return error_set(err, ERR_SYNTAX, "Unknown property '%.*s'", BYTES(option->name));
        status = keyspace_option_table[at].set(arena, option, options, err);
        if (status)
            return status;
    }
    return OK;
}

#define LOCATOR_PACKAGE "org.apache.cassandra.locator."

/* A number of replicas. "3/1" would be transient replication, which Cassandra has
 * switched off. */
static enum status check_factor(struct bytes value, struct error *err)
{
    int64_t factor;

    if (memchr(value.data, '/', value.size))
        return error_set(err, ERR_CONFIG, "Transient replication is not enabled on this node");
    if (!integer_parse(value, INT32_MIN, INT32_MAX, &factor))
        return error_set(err, ERR_CONFIG, "For input string: \"%.*s\"", BYTES(value));
    if (factor < 0)
        return error_set(err, ERR_CONFIG, "Replication factor must be non-negative, found %lld", (long long)factor);
    return OK;
}

/* Also a data center that is not there. */
static enum status unknown_strategy_option(struct bytes name, const char *strategy, struct bytes keyspace,
                                           struct error *err)
{
    return error_set(err, ERR_CONFIG, "Unrecognized strategy option {%.*s} passed to %s for keyspace %.*s", BYTES(name),
                     strategy, BYTES(keyspace));
}

/* SimpleStrategy: one factor, 1 if none is given. */
static enum status check_simple(struct arena *arena, struct bytes keyspace, const struct option_map *written,
                                struct option_map *map, struct error *err)
{
    struct bytes factor = BYTES_LITERAL("1");

    assert(map->count == 1);
    for (uint32_t i = 0; i < written->count; i++) {
        const struct option *option = &written->options[i];
        enum status status;

        if (bytes_is(option->name, "class"))
            continue;
        if (!bytes_is(option->name, "replication_factor"))
            return unknown_strategy_option(option->name, "SimpleStrategy", keyspace, err);
        if ((status = check_factor(option->value, err)))
            return status;
        factor = option->value;
    }
    option_map_set(arena, map, BYTES_LITERAL("replication_factor"), factor);
    return OK;
}

/* NetworkTopologyStrategy. This server is its cluster's one data center, which goes by
 * Cassandra's name for it and, as Keyspaces has it, by its region's.
 * `replication_factor` stands for all data centers that are not named: datacenter1, and
 * those that the keyspace has had; it never changes one that is there. */
static enum status check_topology(struct arena *arena, struct bytes keyspace, struct bytes region,
                                  const struct option_map *written, const struct option_map *previous,
                                  struct option_map *map, struct error *err)
{
    const struct option *factor = option_map_find(written, BYTES_LITERAL("replication_factor"));
    const struct option *class = previous ? option_map_find(previous, BYTES_LITERAL("class")) : NULL;
    bool was_topology = class && bytes_is(class->value, LOCATOR_PACKAGE "NetworkTopologyStrategy");
    enum status status;

    for (uint32_t i = 0; i < written->count; i++) {
        const struct option *option = &written->options[i];

        if (bytes_is(option->name, "class"))
            continue;
        /* Cassandra refuses data centers that the cluster does not have. */
        if (option != factor && !bytes_is(option->name, "datacenter1") &&
            (bytes_is_null(region) || !bytes_equal(option->name, region)))
            return unknown_strategy_option(option->name, "NetworkTopologyStrategy", keyspace, err);
        if ((status = check_factor(option->value, err)))
            return status;
        if (option != factor)
            option_map_set(arena, map, option->name, option->value);
    }
    /* ALTER with a factor alone: the data centers that were there keep theirs. */
    for (uint32_t i = 0; factor && was_topology && i < previous->count; i++)
        if (!option_map_find(map, previous->options[i].name))
            option_map_set(arena, map, previous->options[i].name, previous->options[i].value);
    assert(map->count > 0); /* the class, by who calls */
    /* Nothing was named: the one data center gets the factor. */
    if (map->count <= 1)
        option_map_set(arena, map, BYTES_LITERAL("datacenter1"), factor ? factor->value : BYTES_LITERAL("1"));
    return OK;
}

/* What is stored for a replication as written. */
enum status options_check_replication(struct arena *arena, struct bytes keyspace, struct bytes region,
                                      const struct option_map *written, const struct option_map *previous,
                                      struct option_map *map, struct error *err)
{
    const struct option *class = option_map_find(written, BYTES_LITERAL("class"));
    struct bytes name;

    if (!class)
        return error_set(err, ERR_CONFIG, "Missing replication strategy class");
    name = option_qualified(arena, LOCATOR_PACKAGE, class->value);
    assert(name.size);
    *map = (struct option_map){ 0 };
    if (bytes_is(name, LOCATOR_PACKAGE "SingleRegionStrategy")) { /* as Keyspaces shows it */
        /* Keyspaces' own strategy has three replicas, always. */
        option_map_set(arena, map, BYTES_LITERAL("class"), BYTES_LITERAL(LOCATOR_PACKAGE "SimpleStrategy"));
        option_map_set(arena, map, BYTES_LITERAL("replication_factor"), BYTES_LITERAL("3"));
        return OK;
    }
    option_map_set(arena, map, BYTES_LITERAL("class"), name);
    if (bytes_is(name, LOCATOR_PACKAGE "SimpleStrategy"))
        return check_simple(arena, keyspace, written, map, err);
    if (bytes_is(name, LOCATOR_PACKAGE "NetworkTopologyStrategy"))
        return check_topology(arena, keyspace, region, written, previous, map, err);
    if (bytes_is(name, LOCATOR_PACKAGE "LocalStrategy"))
        return error_set(err, ERR_INVALID,
                         "Unable to use given strategy class: LocalStrategy is reserved for internal use.");
    return error_set(err, ERR_CONFIG, "Unable to find replication strategy class '%.*s'", BYTES(name));
}

/* Reads a stored option; 0 for the class. */
uint32_t options_factor(const struct option *option)
{
    int64_t factor;

    return !bytes_is(option->name, "class") && integer_parse(option->value, 0, INT32_MAX, &factor) ? (uint32_t)factor
                                                                                                   : 0;
}

/* The greatest factor of any data center. */
uint32_t options_replication_factor(const struct option_map *replication)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < replication->count; i++) {
        uint32_t factor = options_factor(&replication->options[i]);

        if (factor > most)
            most = factor;
    }
    return most;
}
