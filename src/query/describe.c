/* DESCRIBE. schema/describe.c says what the rows are; here a page of them is written. All
 * rows are made again for each page: they are text of definitions in memory, and a page is
 * asked for rarely. */
#include "query/describe.h"

#include "query/paging.h"
#include "schema/describe.h"

#include <assert.h>

/* All columns of DESCRIBE belong to a table system.describe, which does not exist; Cassandra
 * says the same. */
static struct native_column described(const char *name, const struct type *type)
{
    return (struct native_column){ BYTES_LITERAL("system"), BYTES_LITERAL("describe"), bytes_of_string(name), type };
}

/* DESCRIBE CLUSTER answers one row of other columns. range_ownership is added only with a
 * keyspace in use, as in Cassandra. */
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
    assert(count == (result->has_range_ownership ? 4u : 3u));
    execution_begin_rows(execution, &rows, columns, count, bytes_of(NULL, 0));
    for (uint32_t i = 0; i < 3; i++)
        native_rows_value(&rows, result->cluster[i]);
    if (result->has_range_ownership)
        native_rows_value(&rows, result->range_ownership);
    native_rows_end_row(&rows);
    native_rows_end(&rows);
    return QUERY_DONE;
}

/* The paging state is the index of the next row and the version of the schema (paging.h).
 * With another version the index means another row, so the client is told to begin again. The
 * state has no MAC: it gives access to nothing that its owner could not ask for. */
enum query_result execute_describe(struct execution *execution)
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
    assert(first <= count && count <= result.row_count);
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
