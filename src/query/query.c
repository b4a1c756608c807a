/* The entry: a message of the native protocol becomes an execution of one plan (QUERY,
 * EXECUTE), a new entry of the cache (PREPARE), or the execution of several plans (BATCH).
 *
 * What all of them go through stands here, in this order: the keyspace of unqualified names
 * is chosen, the text becomes a plan or a prepared plan is found, values are bound to its
 * markers, the table of statements (statement.c) says what runs it. Nothing is kept between
 * two calls but a struct pending in request->state: a request that is answered QUERY_WAITS is
 * run again from its beginning by a worker, so nothing before that point may change what
 * others see. */
#include "query/query.h"

#include "cql/secret.h"
#include "plan/batch.h"
#include "query/authorize.h"
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

enum {
    SCRATCH_KEPT_MAX = 1 << 20,
    LOOP_WORK_MAX = 4 << 20, /* about 4 ms: what computes longer is run by a worker, whole, while others are served */
};

/* One statement has one time: what now() tells and what a TTL counts from. A client may bring
 * its own in v5 (now_s), which decides only about expiry, as in Cassandra; functions see the
 * real time. */
static void init_eval(struct execution *execution)
{
    struct query_request *request = execution->request;

    assert(execution->parameters && request->arena);
    execution->eval = (struct eval){
        .arena = request->arena,
        .functions = { request->arena, request->now_us, &execution->context->uuids, NULL, &execution->work },
        .now_s = execution->parameters->has_now ? execution->parameters->now_s : request->now_us / 1000000,
        .scratch = &execution->context->key_scratch,
    };
}

/* ---- running one plan ---- */

/* What a trace shows of EXECUTE: the text and each bound value. It is called when all values
 * were found valid, since a value is printed by its type and printing trusts the bytes. */
static void trace_execute(struct trace *trace, const struct execution *execution, const struct plan *plan)
{
    trace_query(trace, "Execute CQL3 prepared query", execution->statement_text, execution->parameters);
    if (cql_has_password(execution->statement_text))
        return; /* a hash may be bound */
    for (uint32_t i = 0; i < execution->eval.bind_count; i++)
        trace_bind(trace, i, &plan->binds[i], execution->eval.binds[i]);
}

/* Rows of system_auth are to be written: who has roles in memory is told when it has ended. */
static bool writes_auth(const struct plan *plan)
{
    if (plan->table)
        return bytes_is(plan->table->keyspace, "system_auth");
    for (uint32_t i = 0; i < plan->part_count; i++)
        if (writes_auth(plan->parts[i]))
            return true;
    return plan->statement->kind == STATEMENT_TRUNCATE;
}

/* Runs one plan with the values of its request. QUERY_WAITS is answered before anything is
 * done when the statement's kind says that it needs a thread that may wait: all definitions,
 * TRUNCATE. */
static enum query_result run_plan(struct execution *execution, const struct plan *plan,
                                  const struct native_values *values)
{
    const struct statement *statement = statement_of(plan->statement->kind);
    struct query_request *request = execution->request;

    assert(plan->statement && (uint32_t)plan->statement->kind < STATEMENT_KINDS);
    assert(!request->state);
    execution->plan = plan;
    request->table_id = plan->table ? plan->table->id : 0;
    if (__builtin_expect(request->session->login != NULL, 0) && statement->is_write)
        request->writes_auth = writes_auth(plan);
    init_eval(execution);
    for (uint32_t i = 0; i < plan->warning_count; i++)
        execution_warn(request, "%.*s", BYTES(plan->warnings[i]));
    /* The session of a traced EXECUTE names its values, which are known only after they are
     * bound. */
    bool is_traced_execute =
        __builtin_expect(request->trace != NULL, 0) && request->message->header.opcode == NATIVE_EXECUTE;
    /* Definitions have no markers: whatever values a client sends with them are ignored. */
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

static enum status authorize_query(struct execution *execution, const struct plan *plan)
{
    if (__builtin_expect(!execution->request->session->login, 1))
        return OK;
    return authorize_plans(execution, &plan, 1);
}

/* QUERY: the plan lives in the request's arena and is used once. A pending write keeps what
 * it needs of it (pending.c), so the plan may go before the owner has answered. */
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
    status = authorize_query(execution, &plan);
    enum query_result result =
        status ? execution_failed(execution, status) : run_plan(execution, &plan, &execution->parameters->values);

    plan_fini(&plan);
    execution->plan = NULL;
    return result;
}

/* ---- prepared ---- */

/* Cassandra's warning about prepared statements whose table is named by USE. A connection
 * hears it once, and only for a statement that was not in the cache already. So it must be
 * called before `prepared` is put there. */
static void warn_of_use(struct execution *execution, const struct prepared *prepared)
{
    struct query_context *context = execution->context;
    struct query_session *session = execution->request->session;
    char id[2 * PREPARED_ID_BYTES + 1];

    if (bytes_is_null(session->keyspace) || session->warned_of_use || prepared->plan.is_qualified ||
        prepared_find(context->engine->cache, &context->lookaside, session->account, prepared->id))
        return;
    session->warned_of_use = true;
    /* 32 hexadecimal digits; sprintf ends each pair with a zero that the next pair
     * overwrites. */
    for (size_t i = 0; i < PREPARED_ID_BYTES; i++)
        sprintf(id + 2 * i, "%02x", prepared->id[i]);
    execution_warn(
        execution->request,
        "`USE <keyspace>` with prepared statements is considered to be an anti-pattern due to ambiguity in non-qualified table names. Please consider removing instances of `Session#setKeyspace(<keyspace>)`, `Session#execute(\"USE <keyspace>\")` and `cluster.newSession(<keyspace>)` from your code, and always use fully qualified table names (e.g. <keyspace>.<table>). Keyspace used: %.*s, statement keyspace: %.*s, statement id: %s",
        BYTES(session->keyspace), BYTES(session->keyspace), id);
}

/* PREPARE: the plan is made in an arena of its own, which the cache keeps. An entry of the
 * same id is replaced by the new one, so a client that prepares again always gets a plan of
 * today's schema. */
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
    /* The cache takes one reference. The second is held until the reply is written: another
     * thread may evict the entry as soon as it is in the cache. */
    prepared_ref(prepared);
    status = prepared_insert(execution->context->engine->cache, prepared, execution->err);
    if (status) {
        prepared_unref(prepared);
        prepared_unref(prepared);
        return execution_failed(execution, status);
    }
    TRACE(request->trace, "Kept for EXECUTE: %llu bytes", (unsigned long long)prepared->bytes);
    uint8_t at = execution->version - NATIVE_V3;
    /* Only SELECT tells its columns here. What a condition (IF) answers depends on what it
     * finds. */
    bool has_rows = plan->select != NULL;
    native_encode_result_prepared(execution->out, execution->version, bytes_of(prepared->id, PREPARED_ID_BYTES),
                                  &plan->bind_metadata[at], plan->pk_indexes, plan->pk_count,
                                  has_rows ? &plan->metadata[at] : &native_metadata_none);
    prepared_unref(prepared);
    return QUERY_DONE;
}

/* EXECUTE: the context's lookaside holds a reference to the plan until the next lookup at the
 * least, so none is taken here: two atomic operations on a line shared by all loops are saved
 * per request. */
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
    status = authorize_prepared(execution, prepared);
    if (status)
        return execution_failed(execution, status);
    return run_plan(execution, &prepared->plan, &execution->parameters->values);
}

/* ---- BATCH messages ---- */

/* What a BATCH message uses while its statements are collected, and lets go of afterwards. */
struct batch_holder {
    struct plan *plans; /* made for texts; in the request's arena */
    uint32_t made;
    struct prepared **held; /* references */
    uint32_t held_count;
};

static void batch_fini(struct batch_holder *holder)
{
    assert(holder->plans && holder->held);
    for (uint32_t i = 0; i < holder->made; i++)
        plan_fini(&holder->plans[i]);
    for (uint32_t i = 0; i < holder->held_count; i++)
        prepared_unref(holder->held[i]);
}

/* The plan of one entry. Unlike EXECUTE it takes a reference: looking up the next entry may
 * push this one out of the lookaside. */
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

/* BATCH: every statement is planned and bound before the first is executed, so that a batch
 * with one wrong statement writes nothing. Each statement has an eval of its own, because
 * each has its values. */
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
    }
    if (!status && __builtin_expect(request->session->login != NULL, 0)) {
        status = authorize_plans(execution, plans, count);
        for (uint32_t i = 0; i < count && !status; i++)
            request->writes_auth |= writes_auth(plans[i]);
    }
    for (uint32_t i = 0; i < count && !status; i++) {
        init_eval(execution);
        evals[i] = execution->eval;
        status = values_bind(execution, plans[i], &message->batch.entries[i].values, &evals[i]);
    }
    if (!status)
        status = plan_check_batch(kind, plans, count, false, execution->err);
    /* Metrics and the slow log count a batch for the table of its first statement. */
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

/* The caller decoded the message; other opcodes never come this far unless the caller is
 * wrong. */
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

/* Whatever became of it: an error may be one of which nobody knows what was written. */
static void note_auth_written(struct query_request *request)
{
    if (__builtin_expect(request->writes_auth, 0))
        auth_touch(request->session->login->account);
}

/* Resets what an earlier run of the same request may have left, and checks the form of a
 * paging state for every kind of statement: Cassandra does so while it decodes the message. */
enum query_result query_run(struct query_context *context, struct query_request *request, struct buffer *out)
{
    struct execution execution = {
        .context = context,
        .request = request,
        .schema = catalog_view_schema(context->engine->catalog, &context->view, request->session->account),
        .parameters = &request->message->parameters,
        .out = out,
        .err = &request->error,
        .work = { .max = context->may_wait ? WORK_UNBOUNDED : LOOP_WORK_MAX },
        .version = request->session->protocol_version,
    };
    enum query_result result;

    assert(request->session->account && request->message && request->arena && out);
    assert(execution.version >= NATIVE_V3 && execution.version <= NATIVE_V5);
    /* The lookaside lets go of evicted plans only here, between two requests, when none is in
     * use. */
    prepared_lookaside_tidy(&context->lookaside, context->view.version);
    request->error.status = OK;
    request->writes_auth = false;
    request->table_id = 0;
    request->warning_count = 0;
    request->state = NULL;
    request->detail = (struct native_error_detail){ .consistency = request->message->parameters.consistency };
    /* One large row must not cost each context its size for ever. */
    if (context->scratch.capacity > SCRATCH_KEPT_MAX)
        buffer_fini(&context->scratch);
    if (!paging_has_form(request->message->parameters.paging_state)) {
        paging_refuse(&request->error);
        return QUERY_DONE;
    }
    result = run_message(&execution);
    /* A worker waits for its write inside of run: then the answer is there, and only has to
     * be written. */
    if (result == QUERY_DONE && request->state)
        return query_finish(context, request, out);
    if (result == QUERY_DONE)
        note_auth_written(request);
    return result;
}

/* The owner refused a command of an older schema with ERR_STALE and did nothing, so the
 * request is simply run again with the definitions in force. A client that is gone (out NULL)
 * needs no second run. */
enum query_result query_finish(struct query_context *context, struct query_request *request, struct buffer *out)
{
    bool is_stale = request->error.status == ERR_STALE;

    pending_finish(request, is_stale ? NULL : out);
    note_auth_written(request);
    if (!is_stale || !out)
        return QUERY_DONE;
    TRACE(request->trace, "Begun again: the definitions have changed");
    return query_run(context, request, out);
}
