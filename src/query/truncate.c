/* TRUNCATE. The table is looked up when it is run, since no plan is made for one. catalog/
 * gives the table another id and has the old rows removed in the background; that may free
 * the definition which holds the names we found, so the names are copied first. */
#include "query/truncate.h"

#include "schema/ddl.h"

#include <assert.h>

/* The order of the checks is Cassandra's: is there such a table, is it virtual, is it of the
 * system. */
enum query_result execute_truncate(struct execution *execution)
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
    assert(context->may_wait);
    struct bytes keyspace = arena_copy(execution->request->arena, table->keyspace),
                 table_name = arena_copy(execution->request->arena, table->name);
    status = catalog_truncate(context->engine->catalog, execution->request->session->account, context->port, keyspace,
                              table_name, execution->err);
    if (status)
        return execution_failed(execution, status);
    native_encode_result_void(execution->out);
    return QUERY_DONE;
}
