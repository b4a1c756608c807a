/* From format 2 of the data directory to format 3; see forward.h. Goes when no directory of format
 * 2 is left in the world.
 *
 * The order of its steps is what makes it safe: the old table is the truth until FORMAT says 3, and
 * everything before that can be done again. */
#include "catalog/forward.h"

#include "base/log.h"
#include "catalog/definitions.h"
#include "catalog/format.h"
#include "catalog/loading.h"
#include "catalog/removal.h"
#include "catalog/rows.h"
#include "catalog/state.h"
#include "schema/build.h"
#include "schema/options.h"

#include <assert.h>
#include <stdlib.h>

/* OLD_META_BYTES: up to the number of tables to be removed, which follow it. */
enum { OLD_FORMAT = 1, OLD_META_BYTES = 1 + 16 + 8 + 8 + 16 + 4 };

#define PARTITION BYTES_LITERAL("catalog")

/* As format 2's servers defined it: column ids depend on the order here, and are on the disk. */
struct table_def *forward_old_table(void)
{
    struct table_def *def = table_def_new(BYTES_LITERAL("system"), BYTES_LITERAL("helenus_catalog"));
    const struct type *text = type_native(TYPE_TEXT);

    def->id = CATALOG_OLD_TABLE_ID;
    def->columns = arena_new_array(def->arena, struct column_def, 4);
    table_def_add_column(def, COLUMN_PARTITION_KEY, 0, BYTES_LITERAL("key"), text, false);
    table_def_add_column(def, COLUMN_CLUSTERING, 0, BYTES_LITERAL("keyspace_name"), text, false);
    table_def_add_column(def, COLUMN_CLUSTERING, 1, BYTES_LITERAL("table_name"), text, false);
    table_def_add_column(def, COLUMN_REGULAR, 0, BYTES_LITERAL("value"), type_native(TYPE_BLOB), false);
    options_default_table(def->arena, &def->params);
    table_def_finish(def);
    return def;
}

/* Format 2 kept its list of tables to be removed in the meta row. It becomes a job, to which the
 * old table itself is added: it goes as a dropped table does. */
static enum status take_meta(struct loading *l, struct bytes value, struct error *err)
{
    struct buffer removals = { 0 };
    uint32_t count;

    /* Format 2's own number for the meta row. */
    if (value.size < OLD_META_BYTES || value.data[0] != OLD_FORMAT)
        return error_set(err, ERR_CORRUPT, "The catalog's first row is damaged");
    count = load_be32(value.data + OLD_META_BYTES - 4);
    if (value.size != OLD_META_BYTES + (uint64_t)count * 8)
        return error_set(err, ERR_CORRUPT, "The catalog's first row is damaged");
    memcpy(l->host_id, value.data + 1, 16);
    l->next_table_id = load_be64(value.data + 17);
    l->version = load_be64(value.data + 25);
    memcpy(l->accounts[0].uuid, value.data + 33, 16);
    /* What was still to be removed, and now this table too. */
    buffer_append(&removals, value.data + OLD_META_BYTES, value.size - OLD_META_BYTES);
    buffer_append_be64(&removals, CATALOG_OLD_TABLE_ID);
    jobs_add(&l->jobs, l->next_table_id++, bytes_of_string(removal_kind.name), buffer_bytes(&removals), 0,
             (uint64_t)count + 1);
    buffer_fini(&removals);
    l->has_meta = true;
    return OK;
}

/* Rows tell by their empty columns what they are: no keyspace is the meta row, no table a keyspace. */
enum status forward_take(struct loading *l, const struct rows_view *row, struct error *err)
{
    struct bytes keyspace = rows_get(row, "keyspace_name"), table = rows_get(row, "table_name");
    struct bytes value = rows_get(row, "value");

    if (!keyspace.size)
        return take_meta(l, value, err);
    return table.size ? loading_add_table(l, keyspace, table, value, err)
                      : loading_add_keyspace(l, bytes_of("", 0), keyspace, value, err);
}

static enum status take_row(void *context, const struct rows_view *row, struct error *err)
{
    return forward_take(context, row, err);
}

/* For tests, which end the process at each step and look whether the directory is whole. */
static void reached(const struct catalog *catalog, const char *step)
{
    if (catalog->options.reached)
        catalog->options.reached(catalog->options.reached_context, step);
}

/* The counters and jobs: all that meta says of itself, and what is saved with it. Each job is
 * marked as not saved, as the new table has none of them yet. */
static void take_over(struct catalog *catalog, struct loading *l)
{
    memcpy(catalog->host_id, l->host_id, 16);
    assert(l->has_meta && !catalog->jobs.count && l->jobs.count == 1);
    catalog->next_table_id = l->next_table_id;
    jobs_replace(&catalog->jobs, &l->jobs);
    for (uint32_t i = 0; i < catalog->jobs.count; i++)
        catalog->jobs.list[i]->is_dirty = true;
}

/* What an interrupted run wrote to the new table is removed first: its rows could contradict those
 * of today, if an older server changed definitions in between. */
static enum status write_all(struct catalog *catalog, struct table_port *port, struct loading *l, struct error *err)
{
    uint64_t new_table = CATALOG_TABLE_ID;
    enum status status = table_remove_all(port, &new_table, 1, err); /* what a run before this one left */

    /* From here on the new table has nothing. */
    reached(catalog, "forward-emptied");
    if (!status)
        status = definitions_save_all(catalog, port, l, err);
    reached(catalog, "forward-written");
    if (status)
        return status;
    take_over(catalog, l);
    status = definitions_save_meta(catalog, port, l->version, l->accounts[0].uuid, err);
    reached(catalog, "forward-complete");
    return status;
}

/* Anything that fails leaves the directory at format 2, and the next start begins again. */
enum status forward_run(struct catalog *catalog, struct table_port *port, struct error *err)
{
    struct loading l;
    enum status status;

    assert(catalog->old_table && !catalog->space);
    loading_init(&l);
    status = rows_read(port, catalog->old_table, PARTITION, clock_realtime_us(catalog->options.clock) / 1000000,
                       take_row, &l, err);
    if (!status)
        status = loading_end(&l, err);
    /* Without a first row the very first start was interrupted: there is nothing to bring forward. */
    if (!status && l.has_meta)
        status = write_all(catalog, port, &l, err);
    /* The last step, which makes it true. */
    if (!status)
        status = format_write(catalog->options.directory, err);
    reached(catalog, "forward-named");
    if (!status)
        log_info("catalog", "the data directory was brought forward to format %d: keyspaces=%u", DATA_FORMAT,
                 l.keyspace_count);
    loading_fini(&l);
    return status;
}
