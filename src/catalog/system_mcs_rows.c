/* Rows of system_schema_mcs, which Amazon Keyspaces has besides system_schema: keyspaces and columns are the same, tables
 * and types say more, tags are by ARN. Programs made for Keyspaces wait here until what they made is ACTIVE; here it
 * always is, as a statement answers only when its change is in force.
 *
 * What is shown is what holds, as the API's GetTable tells it, and no time is shown that nobody noted. */
#include "catalog/system_row.h"
#include "catalog/system_tables.h"

#include "schema/arn.h"
#include "schema/keyspaces.h"
#include "schema/uses.h"

#include <assert.h>
#include <stdlib.h>

/* No table has more. */
enum { PROPERTIES_MAX = 8 };

/* A map of maps of text, as it grows: properties by name, each with its members by name. */
struct property_map {
    struct row_writer *w;
    struct bytes elements[2 * PROPERTIES_MAX];
    uint32_t count; /* of elements */
};

/* One more, behind those of lesser names: whoever calls keeps the order, of members too. */
static void add_property(struct property_map *map, const char *name, const struct bytes *members, uint32_t count)
{
    assert(map->count + 2 <= ARRAY_SIZE(map->elements) && count % 2 == 0);
    map->elements[map->count++] = bytes_of_string(name);
    map->elements[map->count++] = make_collection(map->w, members, count, true);
}

/* A property of one member, as most are. */
static void add_word(struct property_map *map, const char *name, const char *member, const char *word)
{
    struct bytes members[] = { bytes_of_string(member), bytes_of_string(word) };

    add_property(map, name, members, ARRAY_SIZE(members));
}

/* Not of system tables, nor of one from before times were kept whose id a client chose: then nobody knows. */
static bool find_creation_time(const struct table_def *table, int64_t *time_ms)
{
    *time_ms = table_def_created_us(table) / 1000;
    return *time_ms != 0;
}

/* In milliseconds, as CQL's timestamp is. */
void put_creation_time(struct row_writer *w, const struct table_def *table)
{
    int64_t time_ms;

    if (find_creation_time(table, &time_ms))
        put_bigint(w, time_ms);
    else
        put_null(w);
}

/* Every table is on demand since it was made, whatever was asked for. Numbers are texts there. */
static void add_capacity(struct property_map *map, const struct table_def *table)
{
    struct bytes members[] = { BYTES_LITERAL("last_update_to_pay_per_request_timestamp"),
                               { NULL, 0 },
                               BYTES_LITERAL("throughput_mode"),
                               BYTES_LITERAL("PAY_PER_REQUEST") };
    int64_t time_ms;
    bool has_time = find_creation_time(table, &time_ms);

    if (has_time)
        members[1] = bytes_of_string(arena_printf(map->w->arena, "%lld", (long long)time_ms));
    /* Without its time the first member is left out. */
    add_property(map, "capacity_mode", has_time ? members : members + 2, has_time ? 4 : 2);
}

/* In the order of their names, as a map has them. Units, keys of customers, recovery and warm throughput can be asked
 * for, and nothing acts on them: they do not hold. TTLs and clients' timestamps work in every table; it is told whether
 * the table was made to have them. */
void put_custom_properties(struct row_writer *w, const struct table_def *table)
{
    struct property_map map = { .w = w };
    struct keyspaces_properties properties;
    struct error err;

    /* They were checked when they were given. */
    if (keyspaces_properties_read(w->arena, table->params.custom_properties, &properties, &err))
        properties = (struct keyspaces_properties){ 0 };
    add_capacity(&map, table);
    if (properties.client_side_timestamps == PROPERTY_ENABLED)
        add_word(&map, "client_side_timestamps", "status", "enabled");
    add_word(&map, "encryption_specification", "encryption_type", "AWS_OWNED_KMS_KEY");
    add_word(&map, "point_in_time_recovery", "status", "disabled");
    /* A default time to live switches it on. */
    if (properties.ttl == PROPERTY_ENABLED || table->params.default_time_to_live_s)
        add_word(&map, "ttl", "status", "enabled");
    put_collection(w, map.elements, map.count, true);
}

/* ---- tables_history ---- */

/* Tables that are there, as they were made. Of those that are gone nothing is kept. */
static void history_rows(struct row_writer *w, const struct table_def *table)
{
    int64_t time_ms;

    if (!find_creation_time(table, &time_ms))
        return;
    put(w, table->keyspace);
    put(w, table->name);
    put_bigint(w, time_ms); /* event_time */
    put_bigint(w, time_ms);
    put_custom_properties(w, table);
    put_string(w, "CREATE");
    end_row(w);
}

/* Tables are few beside what their creation cost, so all are looked at. */
static void history(struct row_writer *w, const struct schema *schema)
{
    each_table(w, schema, false, history_rows);
}

void mcs_tables_history_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    with_schema(self, emit, history);
}

/* ---- tags ---- */

/* Of the account that asks. */
static struct arn_owner owner_of(const struct catalog *catalog, const struct virtual_emit *emit)
{
    return (struct arn_owner){ .account = catalog_account_name(emit->viewer),
                               .region =
                                   bytes_of_string(catalog->options.region ? catalog->options.region : "us-east-1") };
}

/* By the bytes of their names, as a map of texts is sorted. */
static int compare_options(const void *a, const void *b)
{
    return bytes_compare(((const struct option *)a)->name, ((const struct option *)b)->name);
}

/* Kept in the order in which they were given; a map has its own. Null: there are none. */
static void put_tags(struct row_writer *w, const struct option_map *tags)
{
    struct option_map sorted = { arena_new_array(w->arena, struct option, tags->count + 1), tags->count };

    if (!tags->count) {
        put_null(w);
        return;
    }
    memcpy(sorted.options, tags->options, tags->count * sizeof(*tags->options));
    qsort(sorted.options, sorted.count, sizeof(*sorted.options), compare_options);
    put_options(w, &sorted);
}

/* Spares the row where another ARN is asked for. */
static void tag_row(struct row_writer *w, struct bytes resource, struct bytes keyspace, struct bytes name,
                    const char *type, const struct option_map *tags)
{
    if (!virtual_wants(w->emit, &resource, 1))
        return;
    put(w, resource);
    put(w, keyspace);
    put(w, name);
    put_string(w, type);
    put_tags(w, tags);
    end_row(w);
}

/* Each resource has a row, so that a program that asks for the tags of one finds one. */
void mcs_tags_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct row_writer w = { .emit = emit, .arena = arena_new(4096) };
    struct schema *schema = ref_viewers_schema(self->context, emit);
    struct arn_owner owner = owner_of(self->context, emit);

    for (uint32_t i = 0; i < schema_keyspace_count(schema); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(schema, i);

        if (keyspace->is_virtual)
            continue;
        tag_row(&w, arn_print(w.arena, &owner, keyspace->name, bytes_of(NULL, 0)), keyspace->name, keyspace->name,
                "keyspace", &keyspace->tags);
        for (uint32_t j = 0; j < keyspace->table_count; j++) {
            const struct table_def *table = keyspace->tables[j];

            tag_row(&w, arn_print(w.arena, &owner, keyspace->name, table->name), keyspace->name, table->name, "table",
                    &table->params.tags);
        }
    }
    schema_unref(schema);
    arena_free(w.arena);
}

/* ---- types ---- */

/* A type is in force as soon as it is made, and goes as soon as it is dropped. */
static void type_rows(struct row_writer *w, const struct keyspace_def *keyspace)
{
    const struct type_uses *uses = schema_type_uses(w->arena, keyspace);

    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        const struct type *type = keyspace->types[i];

        put(w, keyspace->name);
        put(w, type->name);
        put_collection(w, uses[i].parents.names, uses[i].parents.count, false);
        put_collection(w, uses[i].tables.names, uses[i].tables.count, false);
        put_fields(w, type);
        /* Not of one that an older version made, and nobody altered since. */
        if (keyspace->type_changed_us[i])
            put_bigint(w, keyspace->type_changed_us[i] / 1000); /* last_modified_timestamp */
        else
            put_null(w);
        put_int(w, (int32_t)uses[i].depth);
        put_string(w, "ACTIVE");
        end_row(w);
    }
}

static void types(struct row_writer *w, const struct schema *schema)
{
    each_keyspace(w, schema, false, type_rows);
}

void mcs_types_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    with_schema(self, emit, types);
}
