/* What all files share that execute a statement: warnings, the two ways in which an execution
 * fails, and the beginning of a reply with rows. It is here so that each statement fails and
 * warns alike: the first error stays, a wait is not an error, and a client is never sent more
 * warnings than it can use. */
#include "query/execute.h"

#include <assert.h>

void execution_warn(struct query_request *request, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    warnings_add(request->arena, &request->warnings, &request->warning_count, format, list);
    va_end(list);
}

/* For reads besides a SELECT's own: the row that an operation on a list looks at. The rows
 * lie in eval.arena. */
enum status execution_read(struct execution *execution, const struct read_command *command, struct read_result *result)
{
    assert(command->row_limit && execution->eval.arena);
    return table_read(execution->context->port, command, execution->context->may_wait, execution->eval.arena, result,
                      execution->err);
}

/* FUNCTION_FAILURE names the function and its argument types in the body of the error. They
 * are copied, since a plan that could not be made is freed before the error is encoded. */
void execution_describe_failure(struct query_request *request, const struct function *function)
{
    struct bytes *types = arena_new_array(request->arena, struct bytes, function->arg_count + 1);

    assert(function->name.size);
    request->detail.function_keyspace = BYTES_LITERAL("system");
    request->detail.function_name = arena_copy(request->arena, function->name);
    for (uint32_t i = 0; i < function->arg_count; i++)
        types[i] = type_name(request->arena, function->arg_types[i]);
    request->detail.argument_types = types;
    request->detail.argument_count = function->arg_count;
}

/* How every execution ends that did not succeed. A loop that met something which only the
 * disk can answer has not failed: the error is cleared, and the request is run again by a
 * worker. waits_for tells the caller which shard it would wait for, so that one slow shard
 * does not take all workers. */
enum query_result execution_failed(struct execution *execution, enum status status)
{
    assert(status && !execution->request->state); /* nothing is on its way */
    if (status == ERR_WOULD_WAIT && !execution->context->may_wait) {
        error_clear(&execution->request->error);
        uint32_t waited = table_port_waited(execution->context->port);

        /* What only computes is of one group, behind those of the shards, which never has all workers. */
        execution->request->waits_for =
            work_is_over(&execution->work) ? 1 + table_space_shard_count(execution->context->engine->space) : waited;
        return QUERY_WAITS;
    }
    /* Whoever returned a status should have set the error; the client must get one in any
     * case. */
    if (execution->request->error.status == OK)
        error_set(&execution->request->error, status, "The statement failed");
    if (execution->request->error.status == ERR_FUNCTION_FAILURE && execution->eval.functions.failed)
        execution_describe_failure(execution->request, execution->eval.functions.failed);
    return QUERY_DONE;
}

/* Whether the reply repeats the description of its columns. EXECUTE of v5 brings the id of
 * the description that the client has: if ours is another, the new one is sent and flagged as
 * changed. Rows that no table holds (DESCRIBE) were not described when the statement was
 * prepared, so v3 and v4 always get them. Else a client may ask to skip what it knows. */
static enum native_rows_metadata said_of_columns(const struct execution *execution,
                                                 const struct native_metadata *metadata, bool are_unprepared)
{
    const struct native_request *message = execution->request->message;
    bool is_execute = message->header.opcode == NATIVE_EXECUTE;

    if (is_execute && execution->version >= NATIVE_V5) {
        if (!bytes_equal(message->execute.metadata_id, bytes_of(metadata->id, sizeof(metadata->id))))
            return NATIVE_METADATA_CHANGED;
    } else if (is_execute && are_unprepared) {
        return NATIVE_METADATA_SENT;
    }
    return execution->parameters->skip_metadata ? NATIVE_METADATA_SKIPPED : NATIVE_METADATA_SENT;
}

/* Begins a reply with rows. columns NULL: those that the plan has described for this version. */
void execution_begin_rows(struct execution *execution, struct native_rows *rows, const struct native_column *columns,
                          uint32_t count, struct bytes paging_state)
{
    const struct native_metadata *metadata = &execution->plan->metadata[execution->version - NATIVE_V3];
    struct native_metadata built;

    assert(execution->version >= NATIVE_V3 && execution->version < NATIVE_V3 + METADATA_VERSIONS);
    if (columns) {
        native_metadata_build(&built, execution->request->arena, execution->version, columns, count);
        metadata = &built;
    }
    native_rows_begin(rows, execution->out, metadata, said_of_columns(execution, metadata, columns != NULL),
                      paging_state);
}
