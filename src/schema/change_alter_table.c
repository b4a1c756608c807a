/* ALTER TABLE. A column that is added gets a new id, one that is dropped takes its id
 * along: stored cells go by ids, so dropping costs nothing and old cells never show up
 * in a new column. Renaming changes a name only. Source:
 * org.apache.cassandra.cql3.statements.schema.AlterTableStatement, release 5.0. */
#include "schema/build.h"
#include "schema/change.h"
#include "schema/codec.h"
#include "schema/options.h"
#include "schema/resolve.h"

#include <assert.h>

enum { COLUMN_IDS_MAX = 4 * (SCHEMA_TABLE_COLUMNS_MAX + SCHEMA_TABLE_DROPPED_MAX) };

/* Could bytes of the one type be read as the other? Cassandra asks that before a column
 * may come back. */
static bool can_come_back(const struct type *type, const struct type *before)
{
    return type_is_multicell(type) == type_is_multicell(before) && type_fixed_bytes(type) == type_fixed_bytes(before) &&
           type_is_value_compatible(type, before);
}

/* A dropped column may be added again if its old cells could be read as it. Ours hides
 * them in most cases, but a schema that Cassandra refuses must be refused. */
static enum status check_comeback(struct change *c, const struct table_def *table, const struct column_spec *spec,
                                  const struct type *type)
{
    const struct dropped_column *before = table_def_find_dropped(table, spec->name);
    struct buffer now = { 0 }, then = { 0 };

    if (!before)
        return OK;
    /* The type of the drop has its user types spelt out as tuples. */
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
    /* Cells of the other kind lie elsewhere in the partition. */
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

/* How large the types of all columns are together. */
static uint64_t table_node_count(const struct table_def *table)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < table->column_count; i++)
        count += type_node_count(table->columns[i].type);
    return count;
}

/* Adds one column; `before` is what was dropped under its name, or NULL. A column that
 * was dropped with a timestamp comes back with its id, and so with the cells that are
 * newer. */
static void add_column(struct table_def *def, const struct dropped_column *before, const struct column_spec *spec,
                       const struct type *type)
{
    struct column_def *column =
        table_def_add_column(def, spec->is_static ? COLUMN_STATIC : COLUMN_REGULAR, 0, spec->name, type, false);

    if (before && before->id != COLUMN_ID_NONE) {
        assert(before->id < def->column_id_next - 1);
        column->id = before->id;
        def->column_id_next--;
    }
}

/* ADD. Columns are checked one by one, each against the table and those before it. */
static enum status add_columns(struct change *c, const struct keyspace_def *keyspace, const struct table_def *table,
                               const struct alter_table_statement *statement, struct table_def **result)
{
    uint64_t nodes = table_node_count(table);
    struct table_def *def;
    enum status status = OK;

    /* Ids are never given again, so they are bounded by themselves: adding and dropping
     * a column in a loop must not grow the array by ids for ever. */
    if (statement->column_count > SCHEMA_TABLE_COLUMNS_MAX ||
        table->column_count + statement->column_count > SCHEMA_TABLE_COLUMNS_MAX ||
        table->column_id_next + statement->column_count > COLUMN_IDS_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many columns: the limit is %d", SCHEMA_TABLE_COLUMNS_MAX);
    def = table_def_clone(table, statement->column_count, 0);
    for (uint32_t i = 0; i < statement->column_count && !status; i++) {
        const struct column_spec *spec = &statement->columns[i];
        const struct type *type;
        bool exists = table_def_column(table, spec->name) != NULL;

        if (spec->mask) {
            status = change_refuse_masks(c);
            break;
        }
        if ((status = change_check_column_name(c, spec->name)) ||
            (status = resolve_type(c->arena, keyspace, spec->type, &type, c->err)))
            break;
        /* A name that the statement itself adds twice. */
        for (uint32_t j = 0; j < i && !exists; j++)
            exists = bytes_equal(statement->columns[j].name, spec->name);
        if (exists) {
            if (!statement->if_column_not_exists)
                status = error_set(c->err, ERR_INVALID, "Column with name '%.*s' already exists", BYTES(spec->name));
            continue;
        }
        nodes += type_node_count(type);
        if ((status = change_check_node_sum(c, nodes)) || (status = check_new_column(c, table, spec, type)) ||
            (status = change_check_nested_udt(c, type, spec->name)))
            break;
        /* A table of counters has only counters, any other has none. */
        if (type->kind == TYPE_COUNTER && !table->is_counter)
            status = error_set(c->err, ERR_CONFIG,
                               "%.*s.%.*s: Cannot have a counter column (\"%.*s\") in a non counter table",
                               BYTES(table->keyspace), BYTES(table->name), BYTES(spec->name));
        else if (type->kind != TYPE_COUNTER && table->is_counter)
            status = error_set(c->err, ERR_CONFIG,
                               "%.*s.%.*s: Cannot have a non counter column (\"%.*s\") in a counter table",
                               BYTES(table->keyspace), BYTES(table->name), BYTES(spec->name));
        else
            add_column(def, table_def_find_dropped(table, spec->name), spec, type);
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

/* DROP. All columns are checked before the first is dropped. */
static enum status drop_columns(struct change *c, const struct table_def *table,
                                const struct alter_table_statement *statement, struct table_def **result)
{
    struct table_def *def;

    if (table->dropped_count + (uint64_t)statement->column_count > SCHEMA_TABLE_DROPPED_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many dropped columns: the limit is %d", SCHEMA_TABLE_DROPPED_MAX);
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
        /* Cassandra could not tell the cells of a dropped UDT's fields apart. */
        if (column->type->kind == TYPE_UDT && column->multicell)
            return error_set(c->err, ERR_INVALID, "Cannot drop non-frozen column %.*s of user type %.*s",
                             BYTES(column->name), BYTES(column->type->name));
    }
    /* Room to remember each of them. */
    def = table_def_clone(table, 0, statement->column_count);
    for (uint32_t i = 0; i < statement->column_count; i++) {
        /* Shifted, so that the order of the others stays; table_def_finish makes the
         * index anew. */
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

/* In a definition under construction, whose columns may not be sorted. */
static struct column_def *find_column(struct table_def *def, struct bytes name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (bytes_equal(def->columns[i].name, name))
            return &def->columns[i];
    return NULL;
}

/* Of several new names for one column the last holds, since Cassandra keeps them in a
 * map. */
static bool is_renamed_later(const struct alter_table_statement *statement, uint32_t at)
{
    for (uint32_t i = at + 1; i < statement->rename_count; i++)
        if (bytes_equal(statement->renames[i].from, statement->renames[at].from))
            return true;
    return false;
}

/* RENAME of key columns. Others cannot be renamed in Cassandra, because its cells go by
 * names. */
static enum status rename_columns(struct change *c, const struct table_def *table,
                                  const struct alter_table_statement *statement, struct table_def **result)
{
    struct table_def *def = table_def_clone(table, 0, 0);
    enum status status = OK;

    for (uint32_t i = 0; i < statement->rename_count && !status; i++) {
        struct bytes from = statement->renames[i].from, to = statement->renames[i].to;
        /* Names are looked up in the table as it was, and in the one that is being
         * made: a statement may exchange two names only by way of a third. */
        const struct column_def *old = table_def_column(table, from);
        struct column_def *column = find_column(def, from);

        if (old && is_renamed_later(statement, i))
            continue;
        if (!old || !column)
            status = error_set(c->err, ERR_INVALID, "Undefined column name %.*s in table %.*s.%.*s", BYTES(from),
                               BYTES(table->keyspace), BYTES(table->name));
        else if (old->kind != COLUMN_PARTITION_KEY && old->kind != COLUMN_CLUSTERING)
            status = error_set(c->err, ERR_INVALID, "Cannot rename non PRIMARY KEY column %.*s", BYTES(from));
        /* Neither a name that was there nor one that was given a moment ago. */
        else if (table_def_column(table, to) || find_column(def, to))
            status = error_set(
                c->err, ERR_INVALID,
                "Cannot rename column %.*s to %.*s in table '%.*s.%.*s'; another column with that name already exists",
                BYTES(from), BYTES(to), BYTES(table->keyspace), BYTES(table->name));
        else if (!(status = change_check_column_name(c, to)))
            column->name = arena_copy(def->arena, to);
    }
    if (status) {
        table_def_unref(def);
        return status;
    }
    *result = def;
    return OK;
}

/* WITH: the options that are given replace those of their name, then all are checked as
 * a whole. */
static enum status alter_options(struct change *c, const struct table_def *table,
                                 const struct alter_table_statement *statement, struct table_def **result)
{
    struct table_params params = table->params;
    struct table_def *def;
    enum status status;

    if ((status = options_read_table(c->arena, &statement->options, &params, NULL, NULL, c->err)))
        return status;
    /* Also if the TTL comes from an earlier statement. */
    if (table->is_counter && params.default_time_to_live_s > 0)
        return error_set(c->err, ERR_INVALID, "Cannot set default_time_to_live on a table with counters");
    if ((status = options_check_table(c->arena, &params, c->err)))
        return status;
    assert(params.compaction.count);
    def = table_def_clone(table, 0, 0);
    table_params_copy(def->arena, &def->params, &params);
    *result = def;
    return OK;
}

/* ADD TAGS and DROP TAGS. */
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

/* The table after one change, not finished yet; an error leaves nothing behind. */
static enum status altered(struct change *c, const struct keyspace_def *keyspace, const struct table_def *table,
                           const struct alter_table_statement *statement, struct table_def **result)
{
    switch (statement->kind) {
    case ALTER_TABLE_COLUMN_TYPE: return error_set(c->err, ERR_INVALID, "Altering column types is no longer supported");
    case ALTER_TABLE_MASK: return change_refuse_masks(c);
    /* There are no masks, so dropping one changes nothing; the column must exist. */
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

/* Equal bytes are equal definitions (codec.h). */
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

/* A change that changes nothing is none: no new version of the schema, no event for
 * drivers. */
enum status change_alter_table(struct change *c, const struct alter_table_statement *statement)
{
    const struct keyspace_def *keyspace;
    struct table_def *table, *def = NULL;
    struct bytes name;
    enum status status;

    if ((status = change_keyspace_of(c, statement->table, &name)) ||
        (status = change_check_access(c, "ALTER", name, statement->table.name)))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    table = keyspace ? schema_table(c->schema, name, statement->table.name) : NULL;
    if (!table) {
        if (statement->if_exists)
            return change_none(c);
        return error_set(c->err, ERR_INVALID, "Table '%.*s.%.*s' doesn't exist", BYTES(name),
                         BYTES(statement->table.name));
    }
    if ((status = altered(c, keyspace, table, statement, &def)))
        return status;
    assert(def && def->id == table->id);
    table_def_finish(def);
    /* Versions do not differ: the new one is set only when the table is put. */
    if (same_table(def, table)) {
        table_def_unref(def);
        return change_none(c);
    }
    change_put_table(c, keyspace, def);
    return change_done(c, DDL_UPDATED, DDL_TABLE, name, statement->table.name);
}
