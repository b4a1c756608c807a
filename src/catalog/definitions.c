#include "catalog/definitions.h"

#include "catalog/rows.h"
#include "catalog/state.h"
#include "schema/build.h"
#include "schema/codec.h"
#include "schema/options.h"

#include <stdlib.h>

enum { META_BYTES = 1 + 16 + 8 + 8 + 16 + 4 };

#define PARTITION BYTES_LITERAL("catalog")

struct table_def *definitions_own_table(void)
{
    struct table_def *def = table_def_new(BYTES_LITERAL("system"), BYTES_LITERAL("helenus_catalog"));
    const struct type *text = type_native(TYPE_TEXT);

    def->id = CATALOG_TABLE_ID;
    def->columns = arena_new_array(def->arena, struct column_def, 4);
    table_def_add_column(def, COLUMN_PARTITION_KEY, 0, BYTES_LITERAL("key"), text, false);
    table_def_add_column(def, COLUMN_CLUSTERING, 0, BYTES_LITERAL("keyspace_name"), text, false);
    table_def_add_column(def, COLUMN_CLUSTERING, 1, BYTES_LITERAL("table_name"), text, false);
    table_def_add_column(def, COLUMN_REGULAR, 0, BYTES_LITERAL("value"), type_native(TYPE_BLOB), false);
    options_default_table(def->arena, &def->params);
    def->params.bloom_filter_fp_chance = 0.01;
    table_def_finish(def);
    return def;
}

/* ---- writing ---- */

static void begin(struct rows *rows, const struct catalog *catalog)
{
    rows_begin(rows, catalog->own_table, arena_new(4096), catalog->options.now_us(catalog->options.clock) / 1000000,
               TTL_NONE);
    rows_put(rows, "key", PARTITION);
}

static void add_row(struct rows *rows, struct bytes keyspace, struct bytes table)
{
    rows_add(rows);
    rows_put(rows, "keyspace_name", keyspace);
    rows_put(rows, "table_name", table);
}

/* Takes over the value's memory. */
static void put_value(struct rows *rows, struct bytes keyspace, struct bytes table, struct buffer *value)
{
    add_row(rows, keyspace, table);
    rows_put(rows, "value", buffer_bytes(value));
    buffer_fini(value);
}

static void delete_row(struct rows *rows, struct bytes keyspace, struct bytes table)
{
    add_row(rows, keyspace, table);
    rows_delete(rows);
}

static void put_meta(struct rows *rows, const struct catalog *catalog, const struct schema *schema)
{
    struct buffer value = { 0 };

    buffer_append_u8(&value, CATALOG_FORMAT);
    buffer_append(&value, catalog->host_id, 16);
    buffer_append_be64(&value, catalog->next_table_id);
    buffer_append_be64(&value, schema_version_number(schema));
    buffer_append(&value, schema_version_uuid(schema), 16);
    buffer_append_be32(&value, catalog->removal_count);
    for (uint32_t i = 0; i < catalog->removal_count; i++)
        buffer_append_be64(&value, catalog->removals[i]);
    put_value(rows, BYTES_LITERAL(""), BYTES_LITERAL(""), &value);
}

/* Both by name: a table is written when it is not the very same definition as before, deleted when it is not there any more. */
static void put_tables(struct rows *rows, struct bytes name, const struct keyspace_def *from,
                       const struct keyspace_def *to)
{
    uint32_t i = 0, j = 0, from_count = from ? from->table_count : 0, to_count = to ? to->table_count : 0;

    while (i < from_count || j < to_count) {
        int order = i == from_count ? 1
                    : j == to_count ? -1
                                    : bytes_compare(from->tables[i]->name, to->tables[j]->name);

        if (order < 0) {
            delete_row(rows, name, from->tables[i]->name);
        } else if (order > 0 || from->tables[i] != to->tables[j]) {
            struct buffer value = { 0 };

            schema_encode_table(&value, to->tables[j]);
            put_value(rows, name, to->tables[j]->name, &value);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

static void put_keyspace(struct rows *rows, struct bytes name, const struct keyspace_def *to)
{
    struct buffer value = { 0 };

    if (!to) {
        delete_row(rows, name, BYTES_LITERAL(""));
        return;
    }
    schema_encode_keyspace(&value, to);
    put_value(rows, name, BYTES_LITERAL(""), &value);
}

static enum status end(struct rows *rows, struct table_port *port, struct error *err)
{
    enum status status = rows_save(rows, port, err);

    arena_free(rows->arena);
    return status;
}

enum status definitions_save_meta(struct catalog *catalog, struct table_port *port, const struct schema *schema,
                                  struct error *err)
{
    struct rows rows;

    begin(&rows, catalog);
    put_meta(&rows, catalog, schema);
    return end(&rows, port, err);
}

enum status definitions_save_change(struct catalog *catalog, struct table_port *port, const struct schema *from,
                                    const struct schema *to, struct bytes keyspace, struct error *err)
{
    struct rows rows;

    begin(&rows, catalog);
    put_meta(&rows, catalog, to);
    put_keyspace(&rows, keyspace, schema_keyspace(to, keyspace));
    put_tables(&rows, keyspace, schema_keyspace(from, keyspace), schema_keyspace(to, keyspace));
    return end(&rows, port, err);
}

/* ---- reading ---- */

struct loading {
    struct catalog *catalog;
    struct keyspace_def **keyspaces; /* owned, references too */
    uint32_t keyspace_count, keyspace_capacity;
    struct table_def **tables; /* owned: of the last keyspace */
    uint32_t table_count, table_capacity;
    bool has_meta;
    uint64_t version;
    uint8_t uuid[16];
};

static void free_loading(struct loading *l)
{
    for (uint32_t i = 0; i < l->table_count; i++)
        table_def_unref(l->tables[i]);
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        keyspace_def_unref(l->keyspaces[i]);
    free(l->tables);
    free(l->keyspaces);
}

static enum status take_meta(struct loading *l, struct bytes value, struct error *err)
{
    struct catalog *catalog = l->catalog;
    uint32_t count;

    if (value.size < 1 || value.data[0] > CATALOG_FORMAT)
        return error_set(err, ERR_CORRUPT,
                         "The catalog is of format %u; this server reads format %d: the data is of a newer version",
                         value.size ? value.data[0] : 0, CATALOG_FORMAT);
    if (value.data[0] != CATALOG_FORMAT || value.size < META_BYTES)
        return error_set(err, ERR_CORRUPT, "The catalog's first row is damaged");
    count = load_be32(value.data + META_BYTES - 4);
    if (value.size != META_BYTES + (uint64_t)count * 8)
        return error_set(err, ERR_CORRUPT, "The catalog's first row is damaged");
    memcpy(catalog->host_id, value.data + 1, 16);
    catalog->next_table_id = load_be64(value.data + 17);
    l->version = load_be64(value.data + 25);
    memcpy(l->uuid, value.data + 33, 16);
    catalog->removals = xrealloc(catalog->removals, (count + 1) * sizeof(*catalog->removals));
    catalog->removal_count = count;
    for (uint32_t i = 0; i < count; i++)
        catalog->removals[i] = load_be64(value.data + META_BYTES + 8 * i);
    l->has_meta = true;
    return OK;
}

/* The last keyspace gets the tables that were read after it. */
static void end_keyspace(struct loading *l)
{
    struct keyspace_def *bare, *def;

    if (!l->keyspace_count)
        return;
    bare = l->keyspaces[l->keyspace_count - 1];
    def = keyspace_def_clone(bare, l->table_count, 0);
    for (uint32_t i = 0; i < l->table_count; i++)
        keyspace_def_put_table(def, l->tables[i]);
    l->table_count = 0;
    keyspace_def_unref(bare);
    l->keyspaces[l->keyspace_count - 1] = def;
}

static enum status take_keyspace(struct loading *l, struct bytes value, struct error *err)
{
    struct keyspace_def *def;
    enum status status;

    end_keyspace(l);
    status = schema_decode_keyspace(value, 0, &def, err);
    if (status)
        return status;
    if (l->keyspace_count == l->keyspace_capacity) {
        l->keyspace_capacity = l->keyspace_capacity ? l->keyspace_capacity * 2 : 16;
        l->keyspaces = xrealloc(l->keyspaces, l->keyspace_capacity * sizeof(struct keyspace_def *));
    }
    l->keyspaces[l->keyspace_count++] = def;
    return OK;
}

static enum status take_table(struct loading *l, struct bytes keyspace, struct bytes value, struct error *err)
{
    const struct keyspace_def *last = l->keyspace_count ? l->keyspaces[l->keyspace_count - 1] : NULL;
    enum status status;

    if (!last || !bytes_equal(last->name, keyspace))
        return error_set(err, ERR_CORRUPT, "The catalog has a table without its keyspace");
    if (l->table_count == l->table_capacity) {
        l->table_capacity = l->table_capacity ? l->table_capacity * 2 : 64;
        l->tables = xrealloc(l->tables, l->table_capacity * sizeof(struct table_def *));
    }
    status = schema_decode_table(value, last, &l->tables[l->table_count], err);
    if (!status)
        l->table_count++;
    return status;
}

static enum status take_row(void *context, const struct rows_view *row, struct error *err)
{
    struct loading *l = context;
    struct bytes keyspace = rows_get(row, "keyspace_name"), table = rows_get(row, "table_name");
    struct bytes value = rows_get(row, "value");

    if (!keyspace.size)
        return take_meta(l, value, err);
    return table.size ? take_table(l, keyspace, value, err) : take_keyspace(l, value, err);
}

/* ---- a check: the same decoding, of rows that somebody else has read ---- */

struct catalog_check {
    struct loading loading;
};

struct catalog_check *catalog_check_new(struct catalog *catalog)
{
    struct catalog_check *check = xcalloc(1, sizeof(*check));

    check->loading.catalog = catalog;
    return check;
}

enum status catalog_check_row(struct catalog_check *check, uint64_t table_id, struct bytes clustering,
                              const struct row *row, struct error *err)
{
    struct arena *arena;
    struct rows_view view;
    enum status status;

    if (table_id != CATALOG_TABLE_ID || !row->cell_count)
        return OK;
    arena = arena_new(1024);
    status = rows_view(&view, check->loading.catalog->own_table, clustering, row, arena, err);
    if (!status && !bytes_is_null(rows_get(&view, "value"))) /* else it was dropped */
        status = take_row(&check->loading, &view, err);
    arena_free(arena);
    return status;
}

const struct table_def *catalog_check_table(const struct catalog_check *check, uint64_t table_id)
{
    const struct loading *l = &check->loading;

    for (uint32_t i = 0; i < l->table_count; i++) /* the last keyspace's */
        if (l->tables[i]->id == table_id)
            return l->tables[i];
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        for (uint32_t j = 0; j < l->keyspaces[i]->table_count; j++)
            if (l->keyspaces[i]->tables[j]->id == table_id)
                return l->keyspaces[i]->tables[j];
    return NULL;
}

bool catalog_check_any(const struct catalog_check *check, bool (*is_wanted)(const struct table_def *table))
{
    const struct loading *l = &check->loading;

    for (uint32_t i = 0; i < l->table_count; i++)
        if (is_wanted(l->tables[i]))
            return true;
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        for (uint32_t j = 0; j < l->keyspaces[i]->table_count; j++)
            if (is_wanted(l->keyspaces[i]->tables[j]))
                return true;
    return false;
}

enum status catalog_check_end(struct catalog_check *check, struct error *err)
{
    struct loading *l = &check->loading;
    enum status status = OK;

    if (!l->has_meta && l->keyspace_count)
        status = error_set(err, ERR_CORRUPT, "the catalog's first row is missing");
    free_loading(l);
    free(check);
    return status;
}

/* A system keyspace that was changed: as the program has it, with what a client may change. */
static struct keyspace_def *overlay(const struct keyspace_def *ours, const struct keyspace_def *saved)
{
    struct keyspace_def *def = keyspace_def_clone(ours, 0, 0);

    option_map_copy(def->arena, &def->replication, &saved->replication);
    def->durable_writes = saved->durable_writes;
    for (uint32_t i = 0; i < ours->table_count; i++) {
        struct table_def *table = table_def_clone(ours->tables[i], 0, 0);

        for (uint32_t j = 0; j < saved->table_count; j++)
            if (bytes_equal(saved->tables[j]->name, table->name))
                table->id = saved->tables[j]->id;
        table->durable_writes = saved->durable_writes;
        table_def_finish(table);
        keyspace_def_put_table(def, table);
    }
    return def;
}

static bool is_system(struct bytes name)
{
    return ddl_is_local_system_keyspace(name) || ddl_is_replicated_system_keyspace(name) ||
           ddl_is_virtual_system_keyspace(name);
}

static struct keyspace_def *saved_keyspace(const struct loading *l, struct bytes name)
{
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        if (bytes_equal(l->keyspaces[i]->name, name))
            return l->keyspaces[i];
    return NULL;
}

static struct schema *assemble(struct loading *l)
{
    const struct schema *ours = l->catalog->current;
    struct keyspace_def **all =
        xmalloc((schema_keyspace_count(ours) + l->keyspace_count + 1) * sizeof(struct keyspace_def *));
    uint64_t version = schema_version_number(ours) + 1;
    uint32_t count = 0;
    struct schema *schema;

    for (uint32_t i = 0; i < schema_keyspace_count(ours); i++) {
        const struct keyspace_def *def = schema_keyspace_at(ours, i);
        const struct keyspace_def *saved = saved_keyspace(l, def->name);

        if (is_system(def->name))
            all[count++] = saved ? overlay(def, saved) : keyspace_def_ref((struct keyspace_def *)def);
    }
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        if (!is_system(l->keyspaces[i]->name))
            all[count++] = keyspace_def_ref(l->keyspaces[i]);
    schema = schema_of(l->version > version ? l->version : version, l->uuid, all, count);
    free(all);
    return schema;
}

enum status definitions_load(struct catalog *catalog, struct table_port *port, struct schema **result, bool *is_new,
                             struct error *err)
{
    struct loading l = { .catalog = catalog };
    enum status status = rows_read(port, catalog->own_table, PARTITION,
                                   catalog->options.now_us(catalog->options.clock) / 1000000, take_row, &l, err);

    if (!status)
        end_keyspace(&l);
    if (!status && !l.has_meta && l.keyspace_count)
        status = error_set(err, ERR_CORRUPT, "The catalog's first row is missing");
    if (!status) {
        if (!l.has_meta) {
            catalog->options.random(catalog->options.random_context, l.uuid, 16);
            l.uuid[6] = (uint8_t)((l.uuid[6] & 0x0f) | 0x40);
            l.uuid[8] = (uint8_t)((l.uuid[8] & 0x3f) | 0x80);
        }
        *is_new = !l.has_meta;
        *result = assemble(&l);
    }
    free_loading(&l);
    return status;
}
