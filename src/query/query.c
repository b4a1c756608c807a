/* The entry: messages become executions; see query.h. */
#include "query/query.h"

#include "plan/batch.h"
#include "query/execute.h"
#include "query/paging.h"
#include "query/pending.h"
#include "query/prepare.h"
#include "query/statement.h"
#include "query/trace.h"
#include "query/values.h"
#include "query/write.h"

#include <assert.h>
#include <stdio.h>

enum { SCRATCH_KEPT_MAX = 1 << 20 };

static void init_eval(struct execution *execution)
{
    struct query_request *request = execution->request;

    execution->eval = (struct eval){
        .arena = request->arena,
        .functions = { request->arena, request->now_us, &execution->context->uuids, NULL },
        .now_s = execution->parameters->has_now ? execution->parameters->now_s : request->now_us / 1000000,
        .scratch = &execution->context->key_scratch,
    };
}

/* ---- running one plan ---- */

/* A prepared statement's session, which names its values: only once they are known to be sound. */
static void trace_execute(struct trace *trace, const struct execution *execution, const struct plan *plan)
{
    trace_query(trace, "Execute CQL3 prepared query", execution->statement_text, execution->parameters);
    for (uint32_t i = 0; i < execution->eval.bind_count; i++)
        trace_bind(trace, i, &plan->binds[i], execution->eval.binds[i]);
}

static enum query_result run_plan(struct execution *execution, const struct plan *plan,
                                  const struct native_values *values)
{
    const struct statement *statement = statement_of(plan->statement->kind);
    struct query_request *request = execution->request;

    assert(!request->state);
    execution->plan = plan;
    request->table_id = plan->table ? plan->table->id : 0;
    init_eval(execution);
    for (uint32_t i = 0; i < plan->warning_count; i++)
        execution_warn(request, "%.*s", BYTES(plan->warnings[i]));
    bool is_traced_execute =
        __builtin_expect(request->trace != NULL, 0) && request->message->header.opcode == NATIVE_EXECUTE;
    if (statement->takes_values) {
        enum status status = values_bind(execution, plan, values, &execution->eval);

        if (status)
            return execution_failed(execution, status);
    }
    if (is_traced_execute)
        trace_execute(request->trace, execution, plan);
    if (plan->bind_count)
        TRACE(request->trace, "Bound %u values", plan->bind_count);
    if (execution->parameters->consistency == CONSISTENCY_NODE_LOCAL && statement->takes_values)
        return execution_failed(
            execution,
            error_set(
                execution->err, ERR_INVALID,
                "NODE_LOCAL consistency level is highly dangerous and should be used only for debugging purposes"));
    if (!statement->runs_on_loop) {
        if (!statement->run)
            return execution_failed(execution,
                                    error_set(execution->err, ERR_INVALID, "%s is not supported yet", statement->name));
        if (!execution->context->may_wait)
            return QUERY_WAITS;
    }
    return statement->run(execution);
}

/* The keyspace of names that have none: the session's, or (v5) the request's own. */
static enum status choose_keyspace(struct execution *execution, struct bytes given, struct bytes *keyspace)
{
    *keyspace = bytes_is_null(given) ? execution->request->session->keyspace : given;
    if (!bytes_is_null(given) && !schema_keyspace(execution->schema, given))
        return error_set(execution->err, ERR_INVALID, "Keyspace '%.*s' does not exist", BYTES(given));
    return OK;
}

static enum query_result run_query(struct execution *execution)
{
    struct query_request *request = execution->request;
    struct bytes text = request->message->query.statement, keyspace;
    struct plan plan;
    if (__builtin_expect(request->trace != NULL, 0))
        trace_query(request->trace, "Execute CQL3 query", text, execution->parameters);
    enum status status = choose_keyspace(execution, execution->parameters->keyspace, &keyspace);

    execution->keyspace = keyspace;
    if (!status)
        status = prepare_plan(execution, request->arena, keyspace, text, &plan);
    if (status)
        return execution_failed(execution, status);
    plan_describe(&plan, request->arena, execution->version);
    execution->statement_text = text;
    enum query_result result = run_plan(execution, &plan, &execution->parameters->values);
    plan_fini(&plan);
    execution->plan = NULL;
    return result;
}

/* ---- prepared ---- */

/* Once for a connection, and not for what another one has prepared already. Before `prepared` goes into the cache. */
static void warn_of_use(struct execution *execution, const struct prepared *prepared)
{
    struct query_context *context = execution->context;
    struct query_session *session = execution->request->session;
    char id[2 * PREPARED_ID_BYTES + 1];

    if (bytes_is_null(session->keyspace) || session->warned_of_use || prepared->plan.is_qualified ||
        prepared_find(context->engine->cache, &context->lookaside, prepared->id))
        return;
    session->warned_of_use = true;
    for (size_t i = 0; i < PREPARED_ID_BYTES; i++)
        sprintf(id + 2 * i, "%02x", prepared->id[i]);
    execution_warn(
        execution->request,
        "`USE <keyspace>` with prepared statements is considered to be an anti-pattern due to ambiguity in non-qualified table names. Please consider removing instances of `Session#setKeyspace(<keyspace>)`, `Session#execute(\"USE <keyspace>\")` and `cluster.newSession(<keyspace>)` from your code, and always use fully qualified table names (e.g. <keyspace>.<table>). Keyspace used: %.*s, statement keyspace: %.*s, statement id: %s",
        BYTES(session->keyspace), BYTES(session->keyspace), id);
}

static enum query_result run_prepare(struct execution *execution)
{
    struct query_request *request = execution->request;
    const struct native_request *message = request->message;
    struct prepared *prepared;
    struct bytes keyspace;
    if (__builtin_expect(request->trace != NULL, 0))
        trace_query(request->trace, "Preparing CQL3 query", message->prepare.statement, NULL);
    enum status status = choose_keyspace(execution, message->prepare.keyspace, &keyspace);

    if (!status)
        status = prepare_text(execution, keyspace, message->prepare.statement, &prepared);
    if (status)
        return execution_failed(execution, status);
    const struct plan *plan = &prepared->plan;
    warn_of_use(execution, prepared);
    prepared_ref(prepared);
    status = prepared_insert(execution->context->engine->cache, prepared, execution->err);
    if (status) {
        prepared_unref(prepared);
        prepared_unref(prepared);
        return execution_failed(execution, status);
    }
    TRACE(request->trace, "Kept for EXECUTE: %llu bytes", (unsigned long long)prepared->bytes);
    uint8_t at = execution->version - NATIVE_V3;
    bool has_rows = plan->select != NULL;
    native_encode_result_prepared(execution->out, execution->version, bytes_of(prepared->id, PREPARED_ID_BYTES),
                                  &plan->bind_metadata[at], plan->pk_indexes, plan->pk_count,
                                  has_rows ? &plan->metadata[at] : &native_metadata_none);
    prepared_unref(prepared);
    return QUERY_DONE;
}

static enum query_result run_execute(struct execution *execution)
{
    struct prepared *prepared;
    enum status status = prepare_find(execution, execution->request->message->execute.id, &prepared);

    if (status)
        return execution_failed(execution, status);
    TRACE(execution->request->trace, "Found the prepared statement");
    execution->only_prepared = prepared;
    execution->prepared = &execution->only_prepared;
    execution->prepared_count = 1;
    execution->keyspace = prepared->keyspace;
    execution->statement_text = prepared->text;
    return run_plan(execution, &prepared->plan, &execution->parameters->values);
}

/* ---- BATCH messages ---- */

struct batch_holder {
    struct plan *plans; /* made for texts; in the request's arena */
    uint32_t made;
    struct prepared **held; /* references */
    uint32_t held_count;
};

static void batch_fini(struct batch_holder *holder)
{
    for (uint32_t i = 0; i < holder->made; i++)
        plan_fini(&holder->plans[i]);
    for (uint32_t i = 0; i < holder->held_count; i++)
        prepared_unref(holder->held[i]);
}

static enum status batch_plan(struct execution *execution, const struct native_batch_entry *entry,
                              struct batch_holder *holder, const struct plan **plan)
{
    struct query_request *request = execution->request;
    enum status status;

    if (!bytes_is_null(entry->statement)) {
        struct bytes keyspace;

        status = choose_keyspace(execution, execution->parameters->keyspace, &keyspace);
        if (!status)
            status = prepare_plan(execution, request->arena, keyspace, entry->statement, &holder->plans[holder->made]);
        if (status)
            return status;
        *plan = &holder->plans[holder->made++];
    } else {
        struct prepared *prepared;

        status = prepare_find(execution, entry->id, &prepared);
        if (status)
            return status;
        holder->held[holder->held_count++] = prepared_ref(prepared);
        *plan = &prepared->plan;
    }
    if (!(*plan)->modify)
        return error_set(execution->err, ERR_INVALID,
                         "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.");
    return OK;
}

static enum query_result run_batch(struct execution *execution)
{
    struct query_request *request = execution->request;
    const struct native_request *message = request->message;
    uint32_t count = message->batch.entry_count;
    const struct plan **plans = arena_new_array(request->arena, const struct plan *, count + 1);
    struct eval *evals = arena_new_array(request->arena, struct eval, count + 1);
    struct batch_holder holder = {
        .plans = arena_new_array(request->arena, struct plan, count + 1),
        .held = arena_new_array(request->arena, struct prepared *, count + 1),
    };
    enum status status = OK;
    enum query_result result;
    enum batch_kind kind = message->batch.kind == NATIVE_BATCH_UNLOGGED  ? BATCH_UNLOGGED
                           : message->batch.kind == NATIVE_BATCH_COUNTER ? BATCH_COUNTER
                                                                         : BATCH_LOGGED;

    if (__builtin_expect(request->trace != NULL, 0))
        trace_query(request->trace, "Execute batch of CQL3 queries", bytes_of(NULL, 0), execution->parameters);
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct native_batch_entry *entry = &message->batch.entries[i];

        status = batch_plan(execution, entry, &holder, &plans[i]);
        if (!status && entry->values.count != plans[i]->bind_count)
            status = error_set(execution->err, ERR_INVALID, "There were %u markers(?) in CQL but %u bound variables",
                               plans[i]->bind_count, entry->values.count);
        if (!status) {
            init_eval(execution);
            evals[i] = execution->eval;
            status = values_bind(execution, plans[i], &entry->values, &evals[i]);
        }
    }
    if (!status)
        status = plan_check_batch(kind, plans, count, false, execution->err);
    if (!status && count && plans[0]->table)
        request->table_id = plans[0]->table->id;
    init_eval(execution);
    execution->prepared = holder.held;
    execution->prepared_count = holder.held_count;
    assert(holder.made + holder.held_count <= count);
    result = status ? execution_failed(execution, status) : execute_batch(execution, plans, evals, count, kind, NULL);
    batch_fini(&holder);
    return result;
}

/* ---- the entry ---- */

static enum query_result run_message(struct execution *execution)
{
    switch (execution->request->message->header.opcode) {
    case NATIVE_QUERY: return run_query(execution);
    case NATIVE_PREPARE: return run_prepare(execution);
    case NATIVE_EXECUTE: return run_execute(execution);
    case NATIVE_BATCH: return run_batch(execution);
    default: error_set(execution->err, ERR_PROTOCOL, "Not a statement"); return QUERY_DONE;
    }
}

enum query_result query_run(struct query_context *context, struct query_request *request, struct buffer *out)
{
    struct execution execution = {
        .context = context,
        .request = request,
        .schema = catalog_view_schema(context->engine->catalog, &context->view),
        .parameters = &request->message->parameters,
        .out = out,
        .err = &request->error,
        .version = request->session->protocol_version,
    };
    enum query_result result;

    prepared_lookaside_tidy(&context->lookaside, schema_version_number(execution.schema));
    request->error.status = OK;
    request->table_id = 0;
    request->warning_count = 0;
    request->state = NULL;
    request->detail = (struct native_error_detail){ .consistency = request->message->parameters.consistency };
    if (context->scratch.capacity > SCRATCH_KEPT_MAX)
        buffer_fini(&context->scratch);
    if (!paging_has_form(request->message->parameters.paging_state)) {
        paging_refuse(&request->error);
        return QUERY_DONE;
    }
    result = run_message(&execution);
    return result == QUERY_DONE && request->state ? query_finish(context, request, out) : result;
}

enum query_result query_finish(struct query_context *context, struct query_request *request, struct buffer *out)
{
    bool is_stale = request->error.status == ERR_STALE;

    pending_finish(request, is_stale ? NULL : out);
    if (!is_stale || !out)
        return QUERY_DONE;
    TRACE(request->trace, "Begun again: the definitions have changed");
    return query_run(context, request, out);
}
