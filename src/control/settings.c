/* Settings of tables. CUSTOM_PROPERTIES keep what was asked as CQL keeps it, so that both faces show the same; what
 * CQL asked for and nothing acts on (provisioned capacity, keys of customers) is kept there too, and is not in force:
 * settings_show tells what is. */
#include "control/settings.h"

#include "schema/keyspaces.h"

#include <assert.h>

/* On their way into a statement. */
struct settings {
    struct api_call *call;
    struct clause clause;
    struct pairs properties; /* CUSTOM_PROPERTIES */
};

/* ---- what is refused ---- */

/* Never silently kept: who asks for it would take it for done. */
static bool refuse(struct api_call *call, const char *member, const char *only)
{
    return api_fail(call, "ValidationException", "%s is not supported yet by this server%s%s", member,
                    only ? ": only " : "", only ? only : "");
}

/* ---- each setting ---- */

/* {'name': {'member': 'word'}}, which takes the place of what the table had of that name. */
static void add_property(struct settings *settings, const char *name, const char *member, const char *word)
{
    struct arena *arena = settings->call->arena;
    struct pairs property = { 0 };

    clause_pair(arena, &property, bytes_of_string(member), clause_text(arena, bytes_of_string(word)));
    clause_pair(arena, &settings->properties, bytes_of_string(name), clause_map(arena, &property));
}

/* The model has no bound for it; CQL's is that of all options. */
static bool read_comment(struct settings *settings, const struct tree *value)
{
    struct arena *arena = settings->call->arena;

    clause_option(arena, &settings->clause, "comment", clause_text(arena, tree_string(value, "message")));
    return true;
}

/* Of a new table; a table that is there is tagged by TagResource. */
static bool read_tags(struct settings *settings, const struct tree *value)
{
    const struct term *map;

    if (!clause_tags(settings->call, value, &map))
        return false;
    clause_option(settings->call->arena, &settings->clause, "tags", map);
    return true;
}

/* Every table is on demand. Units with it would be promises that nobody keeps. */
static bool read_capacity(struct settings *settings, const struct tree *value)
{
    struct api_call *call = settings->call;

    if (!bytes_is(tree_string(value, "throughputMode"), "PAY_PER_REQUEST"))
        return refuse(call, "capacitySpecification with throughputMode PROVISIONED", "PAY_PER_REQUEST");
    if (tree_get(value, "readCapacityUnits") || tree_get(value, "writeCapacityUnits"))
        return api_fail(call, "ValidationException",
                        "readCapacityUnits and writeCapacityUnits are for throughputMode PROVISIONED");
    add_property(settings, "capacity_mode", "throughput_mode", "PAY_PER_REQUEST");
    return true;
}

/* All is encrypted with the server's key, which stands for AWS's own. */
static bool read_encryption(struct settings *settings, const struct tree *value)
{
    struct api_call *call = settings->call;

    if (!bytes_is(tree_string(value, "type"), "AWS_OWNED_KMS_KEY"))
        return refuse(call, "encryptionSpecification with type CUSTOMER_MANAGED_KMS_KEY", "AWS_OWNED_KMS_KEY");
    if (tree_get(value, "kmsKeyIdentifier"))
        return api_fail(call, "ValidationException", "kmsKeyIdentifier is for type CUSTOMER_MANAGED_KMS_KEY");
    add_property(settings, "encryption_specification", "encryption_type", "AWS_OWNED_KMS_KEY");
    return true;
}

/* Nothing of the past is kept. */
static bool read_recovery(struct settings *settings, const struct tree *value)
{
    if (!bytes_is(tree_string(value, "status"), "DISABLED"))
        return refuse(settings->call, "pointInTimeRecovery with status ENABLED", "DISABLED");
    add_property(settings, "point_in_time_recovery", "status", "disabled");
    return true;
}

/* The model has no other status: it cannot be switched off again. */
static bool read_ttl(struct settings *settings, const struct tree *value)
{
    assert(bytes_is(tree_string(value, "status"), "ENABLED"));
    add_property(settings, "ttl", "status", "enabled");
    return true;
}

/* 0 is none; the model has the bounds. */
static bool read_default_ttl(struct settings *settings, const struct tree *value)
{
    struct arena *arena = settings->call->arena;

    clause_option(arena, &settings->clause, "default_time_to_live", clause_number(arena, value->integer));
    return true;
}

/* Clients' timestamps work in every table: what is asked is kept, to be shown. */
static bool read_timestamps(struct settings *settings, const struct tree *value)
{
    assert(bytes_is(tree_string(value, "status"), "ENABLED"));
    add_property(settings, "client_side_timestamps", "status", "enabled");
    return true;
}

/* Cassandra's own option says the same. */
static bool read_cdc(struct settings *settings, const struct tree *value)
{
    struct arena *arena = settings->call->arena;

    if (!bytes_is(tree_string(value, "status"), "DISABLED") || tree_get(value, "viewType") || tree_get(value, "tags") ||
        tree_get(value, "propagateTags"))
        return refuse(settings->call, "cdcSpecification", "status DISABLED");
    clause_option(arena, &settings->clause, "cdc", clause_text(arena, BYTES_LITERAL("false")));
    return true;
}

/* read NULL: it has no value that is so anyway. */
static const struct setting {
    const char *member;
    bool (*read)(struct settings *settings, const struct tree *value);
} all_settings[] = {
    { "comment", read_comment },
    { "tags", read_tags },
    { "capacitySpecification", read_capacity },
    { "encryptionSpecification", read_encryption },
    { "pointInTimeRecovery", read_recovery },
    { "ttl", read_ttl },
    { "defaultTimeToLive", read_default_ttl },
    { "clientSideTimestamps", read_timestamps },
    { "cdcSpecification", read_cdc },
    { "autoScalingSpecification", NULL },
    { "replicaSpecifications", NULL },
    { "warmThroughputSpecification", NULL },
};

/* NULL: the request does not say it, or the operation does not have it: an update has neither comment nor tags. */
static const struct tree *value_of(const struct api_call *call, const struct setting *setting)
{
    const struct tree *input = call->input;

    return shape_member_find(input->shape, bytes_of_string(setting->member)) ? tree_get(input, setting->member) : NULL;
}

/* In the order of the table above; the properties of all settings are one option. */
bool settings_read(struct api_call *call, struct option_list *options)
{
    struct settings settings = { .call = call };

    for (size_t i = 0; i < ARRAY_SIZE(all_settings); i++) {
        const struct setting *setting = &all_settings[i];
        const struct tree *value = value_of(call, setting);

        if (value && !setting->read)
            return refuse(call, setting->member, NULL);
        if (value && !setting->read(&settings, value))
            return false;
    }
    /* Given once for all: CQL takes each option once. */
    if (settings.properties.count)
        clause_option(call->arena, &settings.clause, "custom_properties",
                      clause_map(call->arena, &settings.properties));
    *options = clause_options(&settings.clause);
    return true;
}

/* An update may have one. */
uint32_t settings_count(const struct api_call *call, struct buffer *names)
{
    uint32_t count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(all_settings); i++)
        if (value_of(call, &all_settings[i])) {
            buffer_printf(names, "%s%s", names->size ? ", " : "", all_settings[i].member);
            count++;
        }
    return count;
}

/* ---- what is in force ---- */

/* {"member": {"name": "word"}} */
static void show_word(struct api_call *call, const char *member, const char *name, const char *word)
{
    tree_set_text(call->arena, tree_member(call->arena, call->output, member), name, word);
}

/* The properties say what was asked; of a text that an older version took and this one cannot read nothing is known. */
static struct keyspaces_properties properties_of(struct api_call *call, const struct table_def *table)
{
    struct keyspaces_properties properties = { 0 };
    struct error err;

    if (keyspaces_properties_read(call->arena, table->params.custom_properties, &properties, &err))
        properties = (struct keyspaces_properties){ 0 };
    return properties;
}

/* On demand, with the server's key and without backups, whatever was asked for: nothing else is built. TTLs and
 * clients' timestamps work in every table; it is told whether the table was made to have them. */
void settings_show(struct api_call *call, const struct table_def *table)
{
    struct arena *arena = call->arena;
    struct tree *capacity = tree_member(arena, call->output, "capacitySpecification");
    struct keyspaces_properties properties = properties_of(call, table);
    int64_t created_us = table_def_created_us(table);

    tree_set_text(arena, capacity, "throughputMode", "PAY_PER_REQUEST");
    /* Not of the server's own tables, nor of one from before times were kept whose id a client chose. */
    if (created_us)
        tree_set_time(arena, capacity, "lastUpdateToPayPerRequestTimestamp", created_us);
    show_word(call, "encryptionSpecification", "type", "AWS_OWNED_KMS_KEY");
    show_word(call, "pointInTimeRecovery", "status", "DISABLED");
    if (properties.ttl == PROPERTY_ENABLED || table->params.default_time_to_live_s > 0)
        show_word(call, "ttl", "status", "ENABLED");
    tree_set_integer(arena, call->output, "defaultTimeToLive", table->params.default_time_to_live_s);
    tree_set_string(arena, tree_member(arena, call->output, "comment"), "message", table->params.comment);
    if (properties.client_side_timestamps == PROPERTY_ENABLED)
        show_word(call, "clientSideTimestamps", "status", "ENABLED");
    tree_member(arena, call->output, "replicaSpecifications"); /* none */
}
