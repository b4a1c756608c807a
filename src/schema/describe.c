/* Definitions as CQL text, and DESCRIBE, which lists them. The text is Cassandra's to
 * the letter, two blanks and all: cqlsh and tools of its users compare it, and running
 * it makes the same definition again. One walk over the table of options (option.h)
 * prints what stands behind WITH. */
#include "schema/describe.h"

#include "base/uuid.h"
#include "cql/ast.h"
#include "cql/print.h"
#include "schema/build.h"
#include "schema/codec.h"
#include "schema/ddl.h"
#include "schema/option.h"
#include "types/number.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

/* ---- one definition as text ---- */

/* keyspace.name, each quoted where it must be. */
static void print_qualified(struct buffer *out, struct bytes keyspace, struct bytes name)
{
    identifier_print(out, keyspace);
    buffer_append_u8(out, '.');
    identifier_print(out, name);
}

/* One entry of a map. */
static void print_pair(struct buffer *out, bool *first, struct bytes name, struct bytes value)
{
    if (!*first)
        buffer_append_string(out, ", ");
    *first = false;
    cql_print_string(out, name);
    buffer_append_string(out, ": ");
    cql_print_string(out, value);
}

/* Cassandra shows the classes of replication strategies by their short names, others in
 * full. */
static struct bytes without_package(struct bytes class)
{
    struct bytes package = BYTES_LITERAL("org.apache.cassandra.locator.");

    if (!bytes_starts_with(class, package))
        return class;
    return bytes_of(class.data + package.size, class.size - package.size);
}

/* CREATE KEYSPACE; the class comes first, in whatever order the map has it. The two
 * blanks before AND are Cassandra's. What is virtual cannot be created: it is shown in
 * a comment. */
void describe_keyspace(struct buffer *out, const struct keyspace_def *keyspace)
{
    const struct option *class = option_map_find(&keyspace->replication, BYTES_LITERAL("class"));
    bool first = true;

    if (keyspace->is_virtual) {
        buffer_append_string(out, "/*\nWarning: Keyspace ");
        identifier_print(out, keyspace->name);
        buffer_append_string(
            out,
            " is a virtual keyspace and cannot be recreated with CQL.\nStructure, for reference:\nVIRTUAL KEYSPACE ");
        identifier_print(out, keyspace->name);
        buffer_append_string(out, ";\n*/");
        return;
    }
    buffer_append_string(out, "CREATE KEYSPACE ");
    identifier_print(out, keyspace->name);
    buffer_append_string(out, " WITH replication = {");
    if (class)
        print_pair(out, &first, class->name, without_package(class->value));
    for (uint32_t i = 0; i < keyspace->replication.count; i++)
        if (&keyspace->replication.options[i] != class)
            print_pair(out, &first, keyspace->replication.options[i].name, keyspace->replication.options[i].value);
    buffer_printf(out, "}  AND durable_writes = %s;", keyspace->durable_writes ? "true" : "false");
}

/* CREATE TYPE, one field on each line. */
void describe_type(struct buffer *out, const struct type *type)
{
    assert(type->kind == TYPE_UDT && type->field_names);
    buffer_append_string(out, "CREATE TYPE ");
    print_qualified(out, type->keyspace, type->name);
    buffer_append_string(out, " (\n");
    for (uint32_t i = 0; i < type->param_count; i++) {
        buffer_append_string(out, "    ");
        identifier_print(out, type->field_names[i]);
        buffer_append_u8(out, ' ');
        type_print(out, type->params[i], false);
        buffer_append_string(out, i + 1 < type->param_count ? ",\n" : "\n");
    }
    buffer_append_string(out, ");");
}

/* By name. */
static int compare_dropped(const void *a, const void *b)
{
    return bytes_compare((*(const struct dropped_column *const *)a)->name,
                         (*(const struct dropped_column *const *)b)->name);
}

/* The dropped columns by name; the caller frees the list. */
static const struct dropped_column **sort_dropped(const struct table_def *table)
{
    const struct dropped_column **sorted = xcalloc(table->dropped_count + 1, sizeof(*sorted));

    for (uint32_t i = 0; i < table->dropped_count; i++)
        sorted[i] = &table->dropped[i];
    qsort(sorted, table->dropped_count, sizeof(*sorted), compare_dropped);
    return sorted;
}

/* A line of CREATE TABLE. */
static void print_column(struct buffer *out, struct bytes name, const struct type *type, bool is_static)
{
    identifier_print(out, name);
    buffer_append_u8(out, ' ');
    type_print(out, type, false);
    if (is_static)
        buffer_append_string(out, " static");
}

/* A key of one column is written behind that column. */
static bool is_lone_key(const struct table_def *table)
{
    return table->partition_key_count == 1 && table->clustering_count == 0;
}

/* Key columns first; then the static, then the regular columns, in each those of one
 * cell before those of many: that is the order in which Cassandra keeps them.
 * with_dropped (WITH INTERNALS): dropped columns are created, to be dropped again
 * below, so that the text makes the same history. */
static void print_columns(struct buffer *out, const struct table_def *table, bool with_dropped)
{
    uint32_t keys = table->partition_key_count + table->clustering_count;
    const char *separator = "    ";

    for (uint32_t i = 0; i < keys; i++) {
        buffer_append_string(out, separator);
        print_column(out, table->columns[i].name, table->columns[i].type, false);
        if (is_lone_key(table))
            buffer_append_string(out, " PRIMARY KEY");
        separator = ",\n    ";
    }
    /* Static columns of one cell, of many cells, regular columns of one cell, of many
     * cells. */
    for (int group = 0; group < 4; group++) {
        uint32_t from = group < 2 ? keys : keys + table->static_count;
        uint32_t to = group < 2 ? keys + table->static_count : table->column_count;

        for (uint32_t i = from; i < to; i++) {
            const struct column_def *column = &table->columns[i];

            /* A column that came back is created as it was dropped, and added below. */
            if (column->multicell != (group % 2 == 1) || (with_dropped && table_def_find_dropped(table, column->name)))
                continue;
            buffer_append_string(out, separator);
            print_column(out, column->name, column->type, column->kind == COLUMN_STATIC);
        }
    }
    /* By name, behind all others. */
    if (with_dropped) {
        const struct dropped_column **dropped = sort_dropped(table);

        for (uint32_t i = 0; i < table->dropped_count; i++) {
            buffer_append_string(out, separator);
            print_column(out, dropped[i]->name, dropped[i]->type, dropped[i]->kind == COLUMN_STATIC);
        }
        free(dropped);
    }
}

/* Behind all columns. PRIMARY KEY (a, c), or ((a, b), c) where several columns make the
 * partition key; a lone key has said so behind its column. */
static void print_primary_key(struct buffer *out, const struct table_def *table)
{
    assert(table->partition_key_count);
    if (is_lone_key(table)) {
        buffer_append_u8(out, '\n');
        return;
    }
    buffer_append_string(out, ",\n    PRIMARY KEY (");
    if (table->partition_key_count > 1)
        buffer_append_u8(out, '(');
    for (uint32_t i = 0; i < table->partition_key_count; i++) {
        buffer_append_string(out, i ? ", " : "");
        identifier_print(out, table->columns[i].name);
    }
    if (table->partition_key_count > 1)
        buffer_append_u8(out, ')');
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        buffer_append_string(out, ", ");
        identifier_print(out, table->columns[table->partition_key_count + i].name);
    }
    buffer_append_string(out, ")\n");
}

/* Written for each table with clustering columns, also when all are ascending. */
static void print_clustering_order(struct buffer *out, const struct table_def *table)
{
    buffer_append_string(out, "CLUSTERING ORDER BY (");
    for (uint32_t i = 0; i < table->clustering_count; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + i];

        buffer_append_string(out, i ? ", " : "");
        identifier_print(out, column->name);
        buffer_append_string(out, column->descending ? " DESC" : " ASC");
    }
    buffer_append_string(out, ")\n    AND ");
}

/* In the order that the map has. */
static void print_map(struct buffer *out, const struct option_map *map)
{
    bool first = true;

    buffer_append_u8(out, '{');
    for (uint32_t i = 0; i < map->count; i++)
        print_pair(out, &first, map->options[i].name, map->options[i].value);
    buffer_append_u8(out, '}');
}

/* An option that is a string. */
static void print_text(struct buffer *out, const char *name, struct bytes value)
{
    buffer_printf(out, "%s = ", name);
    cql_print_string(out, value);
}

/* By the kind of value that the table of options says it has. */
static void print_option(struct buffer *out, const struct table_option *option, const void *at)
{
    switch (option->kind) {
    case OPTION_TEXT: cql_print_string(out, *(const struct bytes *)at); break;
    case OPTION_INTEGER: buffer_printf(out, "%d", *(const int32_t *)at); break;
    case OPTION_DOUBLE: double_print(out, *(const double *)at); break;
    case OPTION_BOOLEAN: buffer_append_string(out, *(const bool *)at ? "true" : "false"); break;
    case OPTION_MAP: print_map(out, at); break;
    case OPTION_NESTED:
    case OPTION_NO_VALUE: abort(); /* none of them is shown */
    }
}

/* The options that are shown, in the order of their table. */
static void print_params(struct buffer *out, const struct table_params *params)
{
    bool first = true;

    for (size_t i = 0; i < table_option_count; i++) {
        if (!table_options[i].is_shown)
            continue;
        buffer_printf(out, "%s%s = ", first ? "" : "\n    AND ", table_options[i].name);
        print_option(out, &table_options[i], table_option_get(&table_options[i], params));
        first = false;
    }
    buffer_append_u8(out, ';');
}

/* ALTER TABLE ... DROP for each dropped column, and ADD for those that came back. The
 * timestamps are the dropped columns' own, so that cells from before stay hidden when the
 * text is run over the same rows. */
static void print_drops(struct buffer *out, const struct table_def *table)
{
    const struct dropped_column **dropped = sort_dropped(table);

    for (uint32_t i = 0; i < table->dropped_count; i++) {
        const struct column_def *column = table_def_column(table, dropped[i]->name);

        buffer_append_string(out, "\nALTER TABLE ");
        print_qualified(out, table->keyspace, table->name);
        buffer_append_string(out, " DROP ");
        identifier_print(out, dropped[i]->name);
        buffer_printf(out, " USING TIMESTAMP %lld;", (long long)dropped[i]->dropped_us);
        /* It did not come back. */
        if (!column)
            continue;
        buffer_append_string(out, "\nALTER TABLE ");
        print_qualified(out, table->keyspace, table->name);
        buffer_append_string(out, " ADD ");
        print_column(out, column->name, column->type, column->kind == COLUMN_STATIC);
        buffer_append_u8(out, ';');
    }
    free(dropped);
}

/* Tables that are computed from what the server knows. */
static bool is_virtual(const struct table_def *table)
{
    return ddl_is_virtual_system_keyspace(table->keyspace);
}

/* CREATE TABLE with all that belongs to it. The id is shown WITH INTERNALS only. */
void describe_table(struct buffer *out, const struct table_def *table, bool with_internals)
{
    assert(table->column_count);
    if (is_virtual(table)) {
        buffer_append_string(out, "/*\nWarning: Table ");
        print_qualified(out, table->keyspace, table->name);
        buffer_append_string(
            out, " is a virtual table and cannot be recreated with CQL.\nStructure, for reference:\nVIRTUAL TABLE ");
    } else {
        buffer_append_string(out, "CREATE TABLE ");
    }
    print_qualified(out, table->keyspace, table->name);
    buffer_append_string(out, " (\n");
    print_columns(out, table, with_internals);
    print_primary_key(out, table);
    buffer_append_string(out, ") WITH ");
    if (with_internals && !is_virtual(table)) {
        buffer_append_string(out, "ID = ");
        uuid_print(out, table->uuid);
        buffer_append_string(out, "\n    AND ");
    }
    /* It stands first behind WITH, or behind the id. */
    if (table->clustering_count)
        print_clustering_order(out, table);
    if (is_virtual(table)) {
        print_text(out, "comment", table->params.comment);
        buffer_append_string(out, ";\n*/");
        return;
    }
    print_params(out, &table->params);
    if (with_internals)
        print_drops(out, table);
}

/* ---- DESCRIBE ---- */

/* A DESCRIBE at work. */
struct describing {
    const struct schema *schema;
    const struct describe_statement *statement;
    const struct describe_context *context;
    struct arena *arena;
    struct describe_result *result;
    uint32_t capacity;
    struct error *err;
};

/* A name as DESCRIBE's rows have it: quoted where CQL needs it. */
static struct bytes identifier(struct arena *arena, struct bytes name)
{
    struct buffer out = { 0 };
    struct bytes copy;

    identifier_print(&out, name);
    copy = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return copy;
}

/* Adds a row; text is its caller's, and NULL in lists. */
static void add_row(struct describing *d, struct bytes keyspace, const char *type, struct bytes name,
                    const struct buffer *text)
{
    struct describe_result *result = d->result;

    /* All rows lie in the request's arena until the page is cut. */
    result->rows = arena_room(d->arena, result->rows, result->row_count, &d->capacity, 32, sizeof(*result->rows));
    result->rows[result->row_count++] =
        (struct describe_row){ identifier(d->arena, keyspace), bytes_of_string(type), identifier(d->arena, name),
                               text ? arena_copy(d->arena, buffer_bytes(text)) : bytes_of(NULL, 0) };
}

/* The text is made even for a list, which is rare and small. */
static void add_keyspace(struct describing *d, const struct keyspace_def *keyspace, bool with_text)
{
    struct buffer text = { 0 };

    describe_keyspace(&text, keyspace);
    add_row(d, keyspace->name, "keyspace", keyspace->name, with_text ? &text : NULL);
    buffer_fini(&text);
}

/* As add_keyspace; WITH INTERNALS shows in the text. */
static void add_table(struct describing *d, const struct table_def *table, bool with_text)
{
    struct buffer text = { 0 };

    describe_table(&text, table, d->statement->with_internals);
    add_row(d, table->keyspace, "table", table->name, with_text ? &text : NULL);
    buffer_fini(&text);
}

static void add_type(struct describing *d, const struct type *type, bool with_text)
{
    struct buffer text = { 0 };

    describe_type(&text, type);
    add_row(d, type->keyspace, "type", type->name, with_text ? &text : NULL);
    buffer_fini(&text);
}

/* Lists are sorted by name without regard to case, and equal names by their bytes. */
static int compare_names(struct bytes a, struct bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = strncasecmp((const char *)a.data, (const char *)b.data, size);

    if (!order)
        order = (a.size > b.size) - (a.size < b.size);
    return order ? order : bytes_compare(a, b);
}

static int compare_tables(const void *a, const void *b)
{
    return compare_names((*(struct table_def *const *)a)->name, (*(struct table_def *const *)b)->name);
}

static int compare_types(const void *a, const void *b)
{
    return compare_names((*(const struct type *const *)a)->name, (*(const struct type *const *)b)->name);
}

static int compare_keyspaces(const void *a, const void *b)
{
    return compare_names((*(const struct keyspace_def *const *)a)->name,
                         (*(const struct keyspace_def *const *)b)->name);
}

/* All keyspaces by name, as DESCRIBE sorts them. */
static const struct keyspace_def **sorted_keyspaces(struct describing *d)
{
    uint32_t count = schema_keyspace_count(d->schema);
    const struct keyspace_def **sorted = arena_new_array(d->arena, const struct keyspace_def *, count + 1);

    for (uint32_t i = 0; i < count; i++)
        sorted[i] = schema_keyspace_at(d->schema, i);
    qsort(sorted, count, sizeof(*sorted), compare_keyspaces);
    return sorted;
}

/* All tables of a keyspace, by name. */
static void add_tables(struct describing *d, const struct keyspace_def *keyspace, bool with_text)
{
    struct table_def **sorted = arena_new_array(d->arena, struct table_def *, keyspace->table_count + 1);

    if (keyspace->table_count)
        memcpy(sorted, keyspace->tables, keyspace->table_count * sizeof(*sorted));
    qsort(sorted, keyspace->table_count, sizeof(*sorted), compare_tables);
    for (uint32_t i = 0; i < keyspace->table_count; i++)
        add_table(d, sorted[i], with_text);
}

/* All types of a keyspace. With their text they stand in the order in which they can be
 * created. */
static void add_types(struct describing *d, const struct keyspace_def *keyspace, bool with_text)
{
    const struct type **sorted = arena_new_array(d->arena, const struct type *, keyspace->type_count + 1);

    schema_types_in_order(keyspace, sorted);
    /* A list of names is sorted as such. */
    if (!with_text)
        qsort(sorted, keyspace->type_count, sizeof(*sorted), compare_types);
    for (uint32_t i = 0; i < keyspace->type_count; i++)
        add_type(d, sorted[i], with_text);
}

/* A keyspace and all that is in it: running the rows in order makes it again. */
static void add_all(struct describing *d, const struct keyspace_def *keyspace)
{
    add_keyspace(d, keyspace, true);
    add_types(d, keyspace, true);
    add_tables(d, keyspace, true);
}

/* What DESCRIBE SCHEMA leaves out. */
static bool is_system(struct bytes name)
{
    return ddl_is_local_system_keyspace(name) || ddl_is_replicated_system_keyspace(name) ||
           ddl_is_virtual_system_keyspace(name);
}

static enum status not_in_keyspaces(struct describing *d, struct bytes name)
{
    return error_set(d->err, ERR_INVALID, "'%.*s' not found in keyspaces", BYTES(name));
}

/* The keyspace that is written, or the session's. */
static enum status find_keyspace(struct describing *d, const struct keyspace_def **keyspace)
{
    struct bytes name = d->statement->name.keyspace;

    if (bytes_is_null(name))
        name = d->context->current_keyspace;
    if (bytes_is_null(name))
        return error_set(d->err, ERR_INVALID, "No keyspace specified and no current keyspace");
    *keyspace = schema_keyspace(d->schema, name);
    return *keyspace ? OK : not_in_keyspaces(d, name);
}

/* One row about the cluster, which is this node. With a keyspace in use, also which
 * node has which tokens: all are ours, so the map has one entry, put together here as
 * its wire bytes. */
static enum status describe_cluster(struct describing *d)
{
    struct describe_result *result = d->result;
    struct bytes current = d->context->current_keyspace;
    struct bytes node = bytes_of_string(arena_printf(d->arena, "/%.*s", BYTES(d->context->node)));
    struct buffer map = { 0 };

    result->is_cluster = true;
    result->cluster[0] = d->context->cluster_name;
    result->cluster[1] = BYTES_LITERAL("Murmur3Partitioner");
    result->cluster[2] = BYTES_LITERAL("DynamicEndpointSnitch");
    /* Local and virtual keyspaces are not distributed over tokens. */
    if (bytes_is_null(current) || ddl_is_local_system_keyspace(current) || ddl_is_virtual_system_keyspace(current) ||
        !schema_keyspace(d->schema, current))
        return OK;
    result->has_range_ownership = true;
    /* One entry: the least token, and a list with one address. */
    buffer_append_be32(&map, 1);
    buffer_append_be32(&map, 20);
    buffer_append_string(&map, "-9223372036854775808");
    buffer_append_be32(&map, (uint32_t)(4 + 4 + node.size));
    buffer_append_be32(&map, 1);
    buffer_append_be32(&map, (uint32_t)node.size);
    buffer_append_bytes(&map, node);
    result->range_ownership = arena_copy(d->arena, buffer_bytes(&map));
    buffer_fini(&map);
    return OK;
}

/* DESCRIBE SCHEMA; FULL SCHEMA shows the system's keyspaces, too. */
static enum status describe_schema(struct describing *d, bool full)
{
    const struct keyspace_def **keyspaces = sorted_keyspaces(d);

    for (uint32_t i = 0; i < schema_keyspace_count(d->schema); i++)
        /* In the order of their names. */
        if (full || !is_system(keyspaces[i]->name))
            add_all(d, keyspaces[i]);
    return OK;
}

/* KEYSPACES, TABLES, TYPES, FUNCTIONS, AGGREGATES: of the keyspace in use, or of all.
 * There are no functions. */
static enum status describe_list(struct describing *d)
{
    const struct keyspace_def **keyspaces = sorted_keyspaces(d);
    struct bytes current = d->context->current_keyspace;

    d->result->has_create_statement = false;
    for (uint32_t i = 0; i < schema_keyspace_count(d->schema); i++) {
        if (d->statement->kind == DESCRIBE_KEYSPACES)
            add_keyspace(d, keyspaces[i], false);
        /* Without a keyspace in use all are listed. */
        else if (!bytes_is_null(current) && !bytes_equal(current, keyspaces[i]->name))
            continue;
        else if (d->statement->kind == DESCRIBE_TABLES)
            add_tables(d, keyspaces[i], false);
        else if (d->statement->kind == DESCRIBE_TYPES)
            add_types(d, keyspaces[i], false);
    }
    return OK;
}

/* ONLY KEYSPACE leaves its tables out. */
static enum status describe_one_keyspace(struct describing *d)
{
    const struct keyspace_def *keyspace;
    enum status status = find_keyspace(d, &keyspace);

    if (status)
        return status;
    if (d->statement->kind == DESCRIBE_ONLY_KEYSPACE)
        add_keyspace(d, keyspace, true);
    else
        add_all(d, keyspace);
    return OK;
}

/* A table, type, index, ... of a keyspace: what we have, or Cassandra's words for what
 * is not there. */
static enum status describe_member(struct describing *d)
{
    const struct keyspace_def *keyspace;
    struct bytes name = d->statement->name.name;
    const struct table_def *table;
    const struct type *type;
    enum status status = find_keyspace(d, &keyspace);

    if (status)
        return status;
    switch (d->statement->kind) {
    case DESCRIBE_TABLE:
        table = schema_table(d->schema, keyspace->name, name);
        if (table) {
            add_table(d, table, true);
            return OK;
        }
        return error_set(d->err, ERR_INVALID, "Table '%.*s' not found in keyspace '%.*s'", BYTES(name),
                         BYTES(keyspace->name));
    case DESCRIBE_TYPE:
        type = schema_type(d->schema, keyspace->name, name);
        if (type) {
            add_type(d, type, true);
            return OK;
        }
        return error_set(d->err, ERR_INVALID, "User defined type '%.*s' not found in '%.*s'", BYTES(name),
                         BYTES(keyspace->name));
    /* What helenus does not have is never there. */
    case DESCRIBE_INDEX:
        return error_set(d->err, ERR_INVALID, "Table for existing index '%.*s' not found in '%.*s'", BYTES(name),
                         BYTES(keyspace->name));
    case DESCRIBE_VIEW:
        return error_set(d->err, ERR_INVALID, "Materialized view '%.*s' not found in '%.*s'", BYTES(name),
                         BYTES(keyspace->name));
    case DESCRIBE_FUNCTION:
        return error_set(d->err, ERR_INVALID, "User defined function '%.*s' not found in '%.*s'", BYTES(name),
                         BYTES(keyspace->name));
    default:
        return error_set(d->err, ERR_INVALID, "User defined aggregate '%.*s' not found in '%.*s'", BYTES(name),
                         BYTES(keyspace->name));
    }
}

/* A bare name: a keyspace, or else a table of the keyspace in use. */
static enum status describe_any(struct describing *d)
{
    struct bytes name = d->statement->name.name, in = d->statement->name.keyspace;
    const struct keyspace_def *keyspace;
    const struct table_def *table;

    /* A keyspace goes before a table of the same name. */
    if (bytes_is_null(in) && (keyspace = schema_keyspace(d->schema, name))) {
        add_all(d, keyspace);
        return OK;
    }
    if (bytes_is_null(in))
        in = d->context->current_keyspace;
    if (bytes_is_null(in))
        return not_in_keyspaces(d, name);
    if (!schema_keyspace(d->schema, in))
        return not_in_keyspaces(d, in);
    table = schema_table(d->schema, in, name);
    if (!table)
        return error_set(d->err, ERR_INVALID, "'%.*s' not found in keyspace '%.*s'", BYTES(name), BYTES(in));
    add_table(d, table, true);
    return OK;
}

/* All rows of a DESCRIBE; pages are cut by query/. */
enum status describe_statement(const struct schema *schema, const struct cql_statement *statement,
                               const struct describe_context *context, struct arena *arena,
                               struct describe_result *result, struct error *err)
{
    struct describing d = { schema, statement->describe, context, arena, result, 0, err };

    assert(statement->kind == STATEMENT_DESCRIBE);
    *result = (struct describe_result){ .has_create_statement = true };
    switch (statement->describe->kind) {
    case DESCRIBE_CLUSTER: return describe_cluster(&d);
    case DESCRIBE_SCHEMA: return describe_schema(&d, false);
    case DESCRIBE_FULL_SCHEMA: return describe_schema(&d, true);
    case DESCRIBE_KEYSPACES:
    case DESCRIBE_TABLES:
    case DESCRIBE_TYPES:
    case DESCRIBE_FUNCTIONS:
    case DESCRIBE_AGGREGATES: return describe_list(&d);
    case DESCRIBE_KEYSPACE:
    case DESCRIBE_ONLY_KEYSPACE: return describe_one_keyspace(&d);
    case DESCRIBE_TABLE:
    case DESCRIBE_INDEX:
    case DESCRIBE_VIEW:
    case DESCRIBE_TYPE:
    case DESCRIBE_FUNCTION:
    case DESCRIBE_AGGREGATE: return describe_member(&d);
    case DESCRIBE_ANY: return describe_any(&d);
    }
    return error_set(err, ERR_INVALID, "Unknown DESCRIBE");
}
