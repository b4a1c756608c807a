/* CREATE, ALTER and DROP. catalog/ decides what the change is and has it on the disk before
 * it returns; here its warnings and its result are told to the client. Prepared statements
 * that the change made unfit are forgotten at once: else they would keep dropped definitions
 * until somebody uses them. */
#include "query/definition.h"

#include <assert.h>

/* A statement that changed nothing (IF NOT EXISTS) is answered VOID. A change is answered
 * SCHEMA_CHANGE with what and how, from which drivers know what to read again. */
enum query_result execute_definition(struct execution *execution)
{
    struct query_context *context = execution->context;
    struct ddl_change change = { 0 };
    enum status status;

    assert(context->may_wait);
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
    assert(change.keyspace.data);
    /* What is new cannot make an old plan unfit. */
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
