/* Statements that are not about rows: USE, TRUNCATE, definitions, DESCRIBE. What is not executed yet is refused by its name. */
#include "query/execute.h"

#include "cql/print.h"
#include "query/paging.h"
#include "schema/describe.h"

#include <stdlib.h>

static enum query_result run_use(struct execution *execution)
{
    struct query_session *session = execution->request->session;
    struct bytes keyspace = execution->plan->statement->use->keyspace;

    if (!schema_keyspace(execution->schema, keyspace))
        return execution_failed(
            execution, error_set(execution->err, ERR_INVALID, "Keyspace '%.*s' does not exist", BYTES(keyspace)));
    char *copy = xstrndup(keyspace.data, keyspace.size);
    free((void *)session->keyspace.data);
    session->keyspace = bytes_of(copy, keyspace.size);
    native_encode_result_set_keyspace(execution->out, keyspace);
    return QUERY_DONE;
}

static enum query_result run_truncate(struct execution *execution)
{
    struct query_context *context = execution->context;
    const struct qualified_name *name = &execution->plan->statement->named->name;
    struct planner planner = {
        .arena = execution->request->arena,
        .schema = execution->schema,
        .session_keyspace = execution->keyspace,
        .err = execution->err,
    };
    struct table_def *table;
    enum status status = plan_find_table(&planner, name, &table);

    if (!status && table->virtual_table)
        status = error_set(execution->err, ERR_INVALID, "Truncation is not supported by table %.*s.%.*s",
                           BYTES(table->keyspace), BYTES(table->name));
    if (!status && ddl_is_local_system_keyspace(table->keyspace))
        status = error_set(execution->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.",
                           BYTES(table->keyspace));
    if (status)
        return execution_failed(execution, status);
    if (!context->may_wait)
        return QUERY_WAITS;
    struct bytes keyspace = arena_copy(execution->request->arena, table->keyspace),
                 table_name = arena_copy(execution->request->arena, table->name);
    status = catalog_truncate(context->engine->catalog, context->port, keyspace, table_name, execution->err);
    if (status)
        return execution_failed(execution, status);
    native_encode_result_void(execution->out);
    return QUERY_DONE;
}

static enum query_result run_definition(struct execution *execution)
{
    struct query_context *context = execution->context;
    struct ddl_change change = { 0 };
    enum status status;

    if (!context->may_wait)
        return QUERY_WAITS;
    status = catalog_change(context->engine->catalog, context->port, execution->plan->statement, execution->keyspace,
                            execution->request->arena, &change, execution->err);
    if (status)
        return execution_failed(execution, status);
    for (uint32_t i = 0; i < change.warning_count; i++)
        execution_warn(execution->request, "%.*s", BYTES(change.warnings[i]));
    if (!change.happened) {
        native_encode_result_void(execution->out);
        return QUERY_DONE;
    }
    if (change.action != DDL_CREATED) {
        execution->schema = catalog_view_schema(context->engine->catalog, &context->view);
        prepared_forget_unfit(context->engine->cache, execution->schema);
    }
    struct native_schema_change told = {
        .change = change.action == DDL_CREATED   ? NATIVE_CREATED
                  : change.action == DDL_UPDATED ? NATIVE_UPDATED
                                                 : NATIVE_DROPPED,
        .target = change.target == DDL_KEYSPACE ? NATIVE_TARGET_KEYSPACE
                  : change.target == DDL_TABLE  ? NATIVE_TARGET_TABLE
                                                : NATIVE_TARGET_TYPE,
        .keyspace = change.keyspace,
        .name = change.name,
    };
    native_encode_result_schema_change(execution->out, &told);
    return QUERY_DONE;
}

/* ---- DESCRIBE ---- */

static struct native_column described(const char *name, const struct type *type)
{
    return (struct native_column){ BYTES_LITERAL("system"), BYTES_LITERAL("describe"), bytes_of_string(name), type };
}

static enum query_result describe_cluster(struct execution *execution, const struct describe_result *result)
{
    const struct type *text = type_native(TYPE_TEXT);
    struct arena *arena = execution->request->arena;
    struct native_column columns[4] = { described("cluster", text), described("partitioner", text),
                                        described("snitch", text) };
    uint32_t count = 3;
    struct native_rows rows;

    if (result->has_range_ownership) {
        const struct type *list = type_list(arena, text, false);

        columns[count++] = described("range_ownership", type_map(arena, text, list, false));
    }
    execution_begin_rows(execution, &rows, columns, count, bytes_of(NULL, 0));
    for (uint32_t i = 0; i < 3; i++)
        native_rows_value(&rows, result->cluster[i]);
    if (result->has_range_ownership)
        native_rows_value(&rows, result->range_ownership);
    native_rows_end_row(&rows);
    native_rows_end(&rows);
    return QUERY_DONE;
}

/* A page of DESCRIBE's rows; the state is the index of the next one, and the schema's version. */
static enum query_result run_describe(struct execution *execution)
{
    struct query_context *context = execution->context;
    const struct native_parameters *parameters = execution->parameters;
    const struct type *text = type_native(TYPE_TEXT);
    struct describe_context where = {
        .current_keyspace = execution->request->session->keyspace,
        .cluster_name = catalog_cluster_name(context->engine->catalog),
        .node = BYTES_LITERAL("127.0.0.1:7000"),
    };
    struct describe_result result = { 0 };
    struct native_rows rows;
    enum status status = describe_statement(execution->schema, execution->plan->statement, &where,
                                            execution->request->arena, &result, execution->err);

    if (status)
        return execution_failed(execution, status);
    if (result.is_cluster)
        return describe_cluster(execution, &result);
    const struct native_column columns[4] = { described("keyspace_name", text), described("type", text),
                                              described("name", text), described("create_statement", text) };
    uint32_t first = 0, count = result.row_count, column_count = result.has_create_statement ? 4 : 3;
    struct bytes state = { NULL, 0 };

    if (!bytes_is_null(parameters->paging_state)) {
        if (parameters->paging_state.size != PAGING_DESCRIBE_BYTES)
            return execution_failed(execution, error_set(execution->err, ERR_INVALID, "Invalid paging state."));
        first = load_be32(parameters->paging_state.data);
        if (load_be64(parameters->paging_state.data + 4) != schema_version_number(execution->schema) || first > count)
            return execution_failed(
                execution,
                error_set(
                    execution->err, ERR_INVALID,
                    "The schema has changed since the previous page of the DESCRIBE statement result. Please retry the DESCRIBE statement."));
    }
    if (parameters->page_size > 0 && count - first > (uint32_t)parameters->page_size) {
        uint8_t *at = arena_alloc(execution->request->arena, PAGING_DESCRIBE_BYTES);

        count = first + (uint32_t)parameters->page_size;
        store_be32(at, count);
        store_be64(at + 4, schema_version_number(execution->schema));
        state = bytes_of(at, PAGING_DESCRIBE_BYTES);
    }
    execution_begin_rows(execution, &rows, columns, column_count, state);
    for (uint32_t i = first; i < count; i++) {
        native_rows_value(&rows, result.rows[i].keyspace_name);
        native_rows_value(&rows, result.rows[i].type);
        native_rows_value(&rows, result.rows[i].name);
        if (column_count == 4)
            native_rows_value(&rows, result.rows[i].create_statement);
        native_rows_end_row(&rows);
    }
    native_rows_end(&rows);
    return QUERY_DONE;
}

enum query_result execute_other(struct execution *execution)
{
    const struct cql_statement *statement = execution->plan->statement;

    switch (statement->kind) {
    case STATEMENT_USE: return run_use(execution);
    case STATEMENT_TRUNCATE: return run_truncate(execution);
    case STATEMENT_DESCRIBE: return run_describe(execution);
    default:
        if (ddl_is_statement(statement))
            return run_definition(execution);
        return execution_failed(execution, error_set(execution->err, ERR_INVALID, "%s is not supported yet",
                                                     cql_statement_name(statement->kind)));
    }
}
