/* Tables: requests become CREATE, ALTER and DROP TABLE; definitions become answers.
 *
 * What a table may be is decided where CQL's statements are, so it is the same for both; here is looked at only what
 * a statement could not even say: a static column that is none, two settings in one call, more columns than fit. */
#include "control/tables.h"

#include "control/action.h"
#include "control/page.h"
#include "control/settings.h"
#include "schema/ddl.h"

#include <assert.h>

/* What a table is called elsewhere in AWS. */
static void tell_arn(struct api_call *call, struct tree *to, struct bytes keyspace, struct bytes table)
{
    tree_set_string(call->arena, to, "resourceArn", action_arn(call, keyspace, table));
}

/* The whole answer of what changes a table. */
static bool tell_subject(struct api_call *call, const struct subject *subject)
{
    tell_arn(call, call->output, subject->keyspace, subject->table);
    return true;
}

/* ---- CREATE TABLE ---- */

/* Before anything grows with them. */
static bool check_count(struct api_call *call, const struct tree *list)
{
    return list->count <= SCHEMA_TABLE_COLUMNS_MAX ||
           api_fail(call, "ServiceQuotaExceededException", "Too many columns: the limit is %d",
                    SCHEMA_TABLE_COLUMNS_MAX);
}

/* Types are read as CQL has them, and looked up where the table is made. */
static bool read_columns(struct api_call *call, const struct tree *list, struct column_spec **result)
{
    struct column_spec *columns;

    assert(list->count);
    if (!check_count(call, list))
        return false;
    columns = arena_new_array(call->arena, struct column_spec, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++)
        if (!clause_typed(call, list->entries[i].value, "column", &columns[i].name, &columns[i].type))
            return false;
    *result = columns;
    return true;
}

/* Names of columns, in the order of the list: partition key, clustering and static columns are all said so. */
static bool read_names(struct api_call *call, const struct tree *list, const struct bytes **result, uint32_t *count)
{
    uint32_t many = list ? list->count : 0;
    struct bytes *names;

    if (list && !check_count(call, list))
        return false;
    names = arena_new_array(call->arena, struct bytes, many + 1);
    for (uint32_t i = 0; i < many; i++)
        names[i] = tree_string(list->entries[i].value, "name");
    *result = names;
    *count = many;
    return true;
}

/* Each name must be a column's, once. That a key cannot be static, and where static columns make sense, CREATE TABLE
 * knows. */
static bool mark_static(struct api_call *call, const struct tree *list, struct column_spec *columns, uint32_t count)
{
    const struct bytes *names;
    uint32_t name_count;

    if (!read_names(call, list, &names, &name_count))
        return false;
    for (uint32_t i = 0; i < name_count; i++) {
        uint32_t at = 0;

        /* Lists are bounded (check_count), and names mostly differ in their sizes. */
        while (at < count && !bytes_equal(columns[at].name, names[i]))
            at++;
        if (at == count)
            return api_fail(call, "ValidationException", "The static column '%.*s' is not among allColumns",
                            BYTES(names[i]));
        if (columns[at].is_static)
            return api_fail(call, "ValidationException", "The static column '%.*s' is given twice", BYTES(names[i]));
        columns[at].is_static = true;
    }
    return true;
}

/* Every clustering column says its order. */
static const struct clustering_order *read_orders(struct api_call *call, const struct tree *list)
{
    uint32_t count = list ? list->count : 0;
    struct clustering_order *orders = arena_new_array(call->arena, struct clustering_order, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        const struct tree *key = list->entries[i].value;

        orders[i] =
            (struct clustering_order){ tree_string(key, "name"), bytes_is(tree_string(key, "orderBy"), "DESC") };
    }
    return orders;
}

/* Which columns are keys is said by name; the rest of the checks are CREATE TABLE's. */
static bool read_schema(struct api_call *call, struct create_table_statement *create)
{
    const struct tree *definition = tree_get(call->input, "schemaDefinition");
    const struct tree *all = tree_get(definition, "allColumns"), *clustering = tree_get(definition, "clusteringKeys");
    struct primary_key_spec *key = &create->primary_key;
    struct column_spec *columns;

    if (!read_columns(call, all, &columns) ||
        !read_names(call, tree_get(definition, "partitionKeys"), &key->partition, &key->partition_count) ||
        !read_names(call, clustering, &key->clustering, &key->clustering_count) ||
        !mark_static(call, tree_get(definition, "staticColumns"), columns, all->count))
        return false;
    assert(create->column_count == 0 && all->count);
    create->columns = columns;
    create->column_count = all->count;
    create->primary_key_count = 1;
    /* CQL leaves ASC out; it says the same. */
    create->orders = read_orders(call, clustering);
    create->order_count = key->clustering_count;
    return true;
}

/* The keyspace is what may be missing; a table that is there is a conflict. */
bool tables_create(struct api_call *call)
{
    struct subject subject = action_subject(call), of = { .keyspace = subject.keyspace };
    struct create_table_statement create = { .table = { subject.keyspace, subject.table } };
    struct cql_statement statement = { .kind = STATEMENT_CREATE_TABLE, .create_table = &create };

    if (!action_may_change(call, subject.keyspace) || !read_schema(call, &create) ||
        !settings_read(call, &create.options))
        return false;
    return action_run(call, &statement, &of) && tell_subject(call, &subject);
}

/* ---- ALTER TABLE ---- */

/* Of all that it can change a call changes one thing, as in Keyspaces. All that were given are told, since which
 * of them was meant nobody can know. */
static bool check_one(struct api_call *call, const struct tree *columns)
{
    CLEANUP(buffer_fini) struct buffer names = { 0 };
    uint32_t count;

    if (columns)
        buffer_append_string(&names, "addColumns");
    count = settings_count(call, &names) + (columns != NULL);
    if (count == 1)
        return true;
    if (!count)
        return api_fail(call, "ValidationException", "UpdateTable changes one setting of a table: none is given");
    return api_fail(call, "ValidationException", "UpdateTable changes one setting of a table at a time: given are %.*s",
                    (int)names.size, (const char *)names.data);
}

/* As one ALTER TABLE: it has happened whole or not at all. */
bool tables_update(struct api_call *call)
{
    struct subject subject = action_subject(call);
    const struct tree *columns = tree_get(call->input, "addColumns");
    struct alter_table_statement alter = { .table = { subject.keyspace, subject.table } };
    struct cql_statement statement = { .kind = STATEMENT_ALTER_TABLE, .alter_table = &alter };
    struct column_spec *specs = NULL;

    /* What is not built is told before how many were given: Keyspaces takes some of it together. */
    if (!action_may_change(call, subject.keyspace) || !settings_read(call, &alter.options) || !check_one(call, columns))
        return false;
    if (columns && !read_columns(call, columns, &specs))
        return false;
    /* Columns or one setting: check_one has seen to it. */
    alter.kind = columns ? ALTER_TABLE_ADD : ALTER_TABLE_OPTIONS;
    alter.columns = specs;
    alter.column_count = columns ? columns->count : 0;
    return action_run(call, &statement, &subject) && tell_subject(call, &subject);
}

/* ---- DROP TABLE ---- */

/* With its rows, which go behind the answer. */
bool tables_delete(struct api_call *call)
{
    struct subject subject = action_subject(call);
    struct named_statement drop = { .name = { subject.keyspace, subject.table } };
    struct cql_statement statement = { .kind = STATEMENT_DROP_TABLE, .named = &drop };

    assert(!call->output);
    return action_may_change(call, subject.keyspace) && action_run(call, &statement, &subject);
}

/* There are no backups to restore from: nothing else about the request matters. */
bool tables_restore(struct api_call *call)
{
    return api_fail(call, "ValidationException", "RestoreTable is not supported yet by this server");
}

/* ---- what there is ---- */

/* One more element of a list that is a member. */
static struct tree *append(struct api_call *call, struct tree *structure, const char *list)
{
    return tree_append(call->arena, tree_member(call->arena, structure, list));
}

/* In the order of SELECT *: key, static, then the rest, each by name or by its place in the key. Lists that may be
 * empty are there all the same. */
static void show_schema(struct api_call *call, const struct table_def *table)
{
    struct tree *definition = tree_member(call->arena, call->output, "schemaDefinition");
    CLEANUP(buffer_fini) struct buffer type = { 0 };

    /* Also if nothing is put into them. */
    tree_member(call->arena, definition, "clusteringKeys");
    tree_member(call->arena, definition, "staticColumns");
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_def *column = &table->columns[i];
        struct tree *shown = append(call, definition, "allColumns");

        buffer_reset(&type);
        type_print(&type, column->type, false);
        tree_set_string(call->arena, shown, "name", column->name);
        tree_set_string(call->arena, shown, "type", buffer_bytes(&type));
        if (column->kind == COLUMN_REGULAR)
            continue;
        shown = append(call, definition,
                       column->kind == COLUMN_PARTITION_KEY ? "partitionKeys"
                       : column->kind == COLUMN_CLUSTERING  ? "clusteringKeys"
                                                            : "staticColumns");
        tree_set_string(call->arena, shown, "name", column->name);
        if (column->kind == COLUMN_CLUSTERING)
            tree_set_text(call->arena, shown, "orderBy", column->descending ? "DESC" : "ASC");
    }
}

/* As answers about one table and lists of tables begin. */
static void show_names(struct api_call *call, struct tree *to, struct bytes keyspace, struct bytes table)
{
    tree_set_string(call->arena, to, "keyspaceName", keyspace);
    tree_set_string(call->arena, to, "tableName", table);
    tell_arn(call, to, keyspace, table);
}

/* What is there is ready: a change is over when it is answered, so that no client has to wait for a status. Reads
 * memory alone. */
bool tables_get(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);
    const struct table_def *table;

    if (!action_find(call, schema, &subject))
        return false;
    table = schema_table(schema, subject.keyspace, subject.table);
    show_names(call, call->output, subject.keyspace, subject.table);
    if (table_def_created_us(table))
        tree_set_time(call->arena, call->output, "creationTimestamp", table_def_created_us(table));
    tree_set_text(call->arena, call->output, "status", "ACTIVE");
    show_schema(call, table);
    settings_show(call, table);
    return true;
}

/* All tables are on demand. An empty answer would say that there could be settings. */
bool tables_get_auto_scaling(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);

    if (!action_find(call, schema, &subject))
        return false;
    return api_fail(
        call, "ValidationException",
        "The table '%.*s' has throughputMode PAY_PER_REQUEST: only tables of throughputMode PROVISIONED have "
        "settings of auto scaling",
        BYTES(subject.table));
}

/* Where the page begins is looked up: a keyspace may have very many tables. */
bool tables_list(struct api_call *call)
{
    CLEANUP(schema_unref) struct schema *schema = action_schema(call);
    struct subject subject = action_subject(call);
    struct page_question question = page_question(call, subject.keyspace);
    struct tree *list = tree_member(call->arena, call->output, "tables");
    const struct keyspace_def *keyspace;
    struct page page;
    uint32_t at = 0;

    if (!action_find(call, schema, &subject) || !page_begin(&page, call, &question))
        return false;
    keyspace = schema_keyspace(schema, subject.keyspace);
    if (page.after.data && keyspace_def_find_table(keyspace, page.after, &at))
        at++;
    for (; at < keyspace->table_count; at++) {
        struct bytes name = keyspace->tables[at]->name;

        if (!page_take(&page, name, name.size))
            break;
        show_names(call, tree_append(call->arena, list), subject.keyspace, name);
    }
    page_end(&page, call, &question);
    return true;
}
