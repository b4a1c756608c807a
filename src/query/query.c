/* The entry: messages become executions; see query.h. */
#include "query/query.h"

#include "base/hash.h"
#include "cql/parse.h"
#include "cql/shape.h"
#include "plan/batch.h"
#include "query/execute.h"
#include "query/paging.h"
#include "query/pending.h"
#include "query/statement.h"
#include "query/trace.h"
#include "query/write.h"
#include "types/text.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARNINGS_MAX = 32, SCRATCH_KEPT_MAX = 1 << 20, STATEMENT_BYTES_MAX = 16 << 20, SHAPED_BYTES_MAX = 16 << 10 };

/* ---- engine and context ---- */

const struct query_thresholds query_thresholds_default = {
    .tombstone_warn = 1000,
    .tombstone_fail = 100000,
    .batch_warn_bytes = 5 << 10,
    .batch_fail_bytes = 50 << 10,
    .batch_warn_partitions = 10,
};

void query_engine_set_thresholds(struct query_engine *engine, const struct query_thresholds *thresholds)
{
    atomic_store_explicit(&engine->tombstone_warn, thresholds->tombstone_warn, memory_order_relaxed);
    atomic_store_explicit(&engine->tombstone_fail, thresholds->tombstone_fail, memory_order_relaxed);
    atomic_store_explicit(&engine->batch_warn_bytes, thresholds->batch_warn_bytes, memory_order_relaxed);
    atomic_store_explicit(&engine->batch_fail_bytes, thresholds->batch_fail_bytes, memory_order_relaxed);
    atomic_store_explicit(&engine->batch_warn_partitions, thresholds->batch_warn_partitions, memory_order_relaxed);
}

struct query_engine *query_engine_new(const struct query_options *options)
{
    struct query_engine *engine = xcalloc(1, sizeof(*engine));

    engine->catalog = options->catalog;
    engine->space = options->space;
    engine->keys = options->keys;
    engine->page_rows_max = options->page_rows_max;
    engine->page_bytes_max = options->page_bytes_max;
    engine->row_cache_bytes = options->row_cache_bytes;
    query_engine_set_thresholds(engine, options->thresholds ? options->thresholds : &query_thresholds_default);
    engine->cache = prepared_cache_new(options->prepared_bytes_max);
    hash_key_random(&engine->hash_key);
    if (RAND_bytes(engine->mac_key, MAC_KEY_BYTES) != 1)
        abort();
    return engine;
}

void query_engine_free(struct query_engine *engine)
{
    if (!engine)
        return;
    prepared_cache_free(engine->cache);
    free(engine);
}

struct query_context *query_context_new(struct query_engine *engine, bool may_wait)
{
    struct query_context *context = xcalloc(1, sizeof(*context));

    context->engine = engine;
    context->may_wait = may_wait;
    context->port = table_port_open(engine->space);
    if (!may_wait)
        table_port_keep_rows(context->port, engine->row_cache_bytes);
    prepared_lookaside_init(&context->lookaside);
    uuid_source_init(&context->uuids);
    return context;
}

void query_context_free(struct query_context *context)
{
    if (!context)
        return;
    prepared_lookaside_fini(&context->lookaside);
    buffer_pool_fini(&context->buffers);
    buffer_fini(&context->scratch);
    buffer_fini(&context->key_scratch);
    buffer_fini(&context->last_key);
    buffer_fini(&context->last_clustering);
    buffer_fini(&context->next_clustering);
    catalog_view_fini(&context->view);
    table_port_close(context->port);
    free(context);
}

struct table_port *query_context_port(struct query_context *context)
{
    return context->port;
}

void query_engine_stats(struct query_engine *engine, struct query_stats *stats)
{
    prepared_stats(engine->cache, &stats->prepared_count, &stats->prepared_bytes, &stats->prepared_evicted);
}

/* ---- what executing files share ---- */

void execution_warn(struct query_request *request, const char *format, ...)
{
    char text[1024];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (request->warning_count >= WARNINGS_MAX)
        return;
    struct bytes *warnings = arena_new_array(request->arena, struct bytes, request->warning_count + 1);
    if (request->warning_count)
        memcpy(warnings, request->warnings, sizeof(*warnings) * request->warning_count);
    warnings[request->warning_count++] = arena_copy(request->arena, bytes_of_string(text));
    request->warnings = warnings;
}

enum status execution_read(struct execution *execution, const struct read_command *command, struct read_result *result)
{
    return table_read(execution->context->port, command, execution->context->may_wait, execution->eval.arena, result,
                      execution->err);
}

/* The function may be a plan's, which goes before the error is told: all of it is copied. */
static void describe_failure(struct query_request *request, const struct function *function)
{
    struct bytes *types = arena_new_array(request->arena, struct bytes, function->arg_count + 1);

    request->detail.function_keyspace = BYTES_LITERAL("system");
    request->detail.function_name = arena_copy(request->arena, function->name);
    for (uint32_t i = 0; i < function->arg_count; i++)
        types[i] = type_name(request->arena, function->arg_types[i]);
    request->detail.argument_types = types;
    request->detail.argument_count = function->arg_count;
}

enum query_result execution_failed(struct execution *execution, enum status status)
{
    if (status == ERR_WOULD_WAIT && !execution->context->may_wait) {
        error_clear(&execution->request->error);
        execution->request->waits_for = table_port_waited(execution->context->port);
        return QUERY_WAITS;
    }
    if (execution->request->error.status == OK)
        error_set(&execution->request->error, status, "The statement failed");
    if (execution->request->error.status == ERR_FUNCTION_FAILURE && execution->eval.functions.failed)
        describe_failure(execution->request, execution->eval.functions.failed);
    return QUERY_DONE;
}

/* EXECUTE of v5 brings the id of the columns it knows. Columns that no table holds were not among what PREPARED told. */
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

void execution_begin_rows(struct execution *execution, struct native_rows *rows, const struct native_column *columns,
                          uint32_t count, struct bytes paging_state)
{
    const struct native_metadata *metadata = &execution->plan->metadata[execution->version - NATIVE_V3];
    struct native_metadata built;

    if (columns) {
        native_metadata_build(&built, execution->request->arena, execution->version, columns, count);
        metadata = &built;
    }
    native_rows_begin(rows, execution->out, metadata, said_of_columns(execution, metadata, columns != NULL),
                      paging_state);
}

/* ---- values ---- */

static enum status find_named(const struct native_values *given, struct bytes name, struct bytes *value)
{
    for (uint32_t i = 0; i < given->count; i++)
        if (bytes_equal(given->names[i], name)) {
            *value = given->values[i];
            return OK;
        }
    *value = NATIVE_UNSET;
    return OK;
}

/* The values with each collection in the one form that is compared and stored; the same array if all were. */
static const struct bytes *bring_to_form(struct arena *arena, const struct plan *plan, const struct bytes *values)
{
    struct bytes *changed = NULL;

    for (uint32_t i = 0; i < plan->formed_count; i++) {
        uint32_t at = plan->formed_binds[i];
        const struct type *type = plan->binds[at].type;
        struct buffer out = { 0 };

        if (bytes_is_null(values[at]) || native_is_unset(values[at]) || value_is_canonical(type, values[at]))
            continue;
        if (!changed) {
            changed = arena_new_array(arena, struct bytes, plan->bind_count);
            memcpy(changed, values, plan->bind_count * sizeof(*changed));
        }
        value_append_canonical(&out, type, values[at]);
        changed[at] = buffer_to_arena(arena, &out);
    }
    return changed ? changed : values;
}

/* Each value is checked against what its marker expects, before anything is done. */
static enum status bind_values(struct execution *execution, const struct plan *plan, const struct native_values *given,
                               struct eval *eval)
{
    struct error *err = execution->err;
    const struct bytes *values = given->values;

    if (!given->names && given->count != plan->bind_count)
        return execution->request->message->header.opcode == NATIVE_EXECUTE
                   ? error_set(err, ERR_INVALID, "there were %u markers(?) in CQL but %u bound variables",
                               plan->bind_count, given->count)
                   : error_set(err, ERR_INVALID, "Invalid amount of bind variables");
    if (given->names) {
        struct bytes *sorted = arena_new_array(execution->request->arena, struct bytes, plan->bind_count + 1);

        for (uint32_t i = 0; i < plan->bind_count; i++)
            find_named(given, plan->binds[i].name, &sorted[i]);
        values = sorted;
    }
    for (uint32_t i = 0; i < plan->bind_count; i++) {
        if (bytes_is_null(values[i]) || native_is_unset(values[i]))
            continue;
        const struct type *type = plan->binds[i].type;
        if (type_is_collection(type) && values[i].size >= 4 && (int32_t)load_be32(values[i].data) < 0)
            return error_set(err, ERR_INVALID, "The data cannot be deserialized as a %s",
                             type->kind == TYPE_LIST  ? "list"
                             : type->kind == TYPE_SET ? "set"
                                                      : "map");
        enum status status = plan->binds[i].is_list_of_in ? value_validate_list_of_in(type, values[i], err)
                                                          : value_validate(type, values[i], err);
        if (status)
            return status;
    }
    eval->binds = plan->formed_count ? bring_to_form(execution->request->arena, plan, values) : values;
    eval->bind_count = plan->bind_count;
    return OK;
}

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

    execution->plan = plan;
    request->table_id = plan->table ? plan->table->id : 0;
    init_eval(execution);
    for (uint32_t i = 0; i < plan->warning_count; i++)
        execution_warn(request, "%.*s", BYTES(plan->warnings[i]));
    bool is_traced_execute =
        __builtin_expect(request->trace != NULL, 0) && request->message->header.opcode == NATIVE_EXECUTE;
    if (statement->takes_values) {
        enum status status = bind_values(execution, plan, values, &execution->eval);

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

static enum status make_plan(struct execution *execution, struct arena *arena, struct bytes keyspace, struct bytes text,
                             struct plan *plan)
{
    struct cql_statement *statement;
    struct function_context functions = { arena, execution->request->now_us, &execution->context->uuids, NULL };
    struct planner planner = {
        .arena = arena,
        .schema = execution->schema,
        .session_keyspace = keyspace,
        .functions = &functions,
        .err = execution->err,
    };
    enum status status;

    struct trace *trace = execution->request->trace;

    if (text.size > STATEMENT_BYTES_MAX)
        return error_set(execution->err, ERR_INVALID, "The statement is too long");
    TRACE(trace, "Parsing %.*s", BYTES(text_cut(text, STATEMENT_SHOWN_BYTES)));
    status = cql_parse(arena, text, &statement, execution->err);
    TRACE(trace, "Preparing statement");
    if (!status)
        status = plan_make(&planner, statement_of(statement->kind)->plan, statement, plan);
    TRACE(trace, "The plan is %s", status ? status_name(status) : "made");
    if (status == ERR_FUNCTION_FAILURE && functions.failed)
        describe_failure(execution->request, functions.failed);
    return status;
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
        status = make_plan(execution, request->arena, keyspace, text, &plan);
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

/* A plan of its own arena, with one reference. */
static enum status prepare(struct execution *execution, struct bytes keyspace, struct bytes text,
                           struct prepared **result)
{
    struct arena *arena = arena_new(4096);
    struct prepared *prepared = arena_new_struct(arena, struct prepared);
    enum status status;

    prepared->arena = arena;
    prepared->keyspace = bytes_is_null(keyspace) ? keyspace : arena_copy(arena, keyspace);
    prepared->text = arena_copy(arena, text);
    prepared_id(keyspace, text, prepared->id);
    status = make_plan(execution, arena, prepared->keyspace, prepared->text, &prepared->plan);
    if (status) {
        arena_free(arena);
        return status;
    }
    for (int version = NATIVE_V3; version <= NATIVE_V5; version++)
        plan_describe(&prepared->plan, arena, (uint8_t)version);
    atomic_init(&prepared->refs, 1);
    atomic_init(&prepared->used, true);
    atomic_init(&prepared->checked_version, schema_version_number(execution->schema));
    prepared->bytes = arena_used(arena) + sizeof(*prepared);
    *result = prepared;
    return OK;
}

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
        status = prepare(execution, keyspace, message->prepare.statement, &prepared);
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

static void set_unprepared(struct execution *execution, struct bytes id)
{
    struct error *err = execution->err;
    char hex[2 * 64 + 1] = "";

    for (size_t i = 0; i < id.size && i < 64; i++)
        snprintf(hex + 2 * i, 3, "%02x", id.data[i]);
    error_set(
        err, ERR_UNPREPARED,
        "Prepared query with ID %s not found (either the query was not prepared on this host (maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)",
        hex);
    memset(err->id, 0, sizeof(err->id));
    memcpy(err->id, id.data, id.size < sizeof(err->id) ? id.size : sizeof(err->id));
}

/* The statement with the definitions in force, under the id that its client knows. */
static enum status plan_again(struct execution *execution, const struct prepared *old, struct prepared **result)
{
    struct query_engine *engine = execution->context->engine;
    struct prepared *again;
    uint8_t id[PREPARED_ID_BYTES];
    enum status status = prepare(execution, old->keyspace, old->text, &again);

    if (status)
        return status;
    memcpy(id, old->id, sizeof(id)); /* the lookaside lets the old one go */
    status = prepared_insert(engine->cache, again, execution->err);
    if (status) {
        prepared_unref(again);
        return status;
    }
    *result = prepared_find(engine->cache, &execution->context->lookaside, id);
    if (*result)
        return OK;
    set_unprepared(execution, bytes_of(id, sizeof(id))); /* its tables have changed once more */
    return ERR_UNPREPARED;
}

static enum status find_prepared(struct execution *execution, struct bytes id, struct prepared **result)
{
    struct query_engine *engine = execution->context->engine;
    uint64_t version = schema_version_number(execution->schema);
    struct prepared *found = NULL;

    if (id.size == PREPARED_ID_BYTES)
        found = prepared_find(engine->cache, &execution->context->lookaside, id.data);
    if (!found) {
        set_unprepared(execution, id);
        return ERR_UNPREPARED;
    }
    *result = found;
    if (prepared_is_checked(found, execution->schema))
        return OK;
    switch (plan_fit(&found->plan, execution->schema)) {
    case PLAN_FITS: atomic_store_explicit(&found->checked_version, version, memory_order_relaxed); return OK;
    case PLAN_FITS_CHANGED: return plan_again(execution, found, result);
    case PLAN_FITS_NO_MORE: break;
    }
    prepared_forget(engine->cache, found);
    set_unprepared(execution, id);
    return ERR_UNPREPARED;
}

static enum query_result run_execute(struct execution *execution)
{
    struct prepared *prepared;
    enum status status = find_prepared(execution, execution->request->message->execute.id, &prepared);

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
            status = make_plan(execution, request->arena, keyspace, entry->statement, &holder->plans[holder->made]);
        if (status)
            return status;
        *plan = &holder->plans[holder->made++];
    } else {
        struct prepared *prepared;

        status = find_prepared(execution, entry->id, &prepared);
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
            status = bind_values(execution, plans[i], &entry->values, &evals[i]);
        }
    }
    if (!status)
        status = plan_check_batch(kind, plans, count, false, execution->err);
    if (!status && count && plans[0]->table)
        request->table_id = plans[0]->table->id;
    init_eval(execution);
    execution->prepared = holder.held;
    execution->prepared_count = holder.held_count;
    result = status ? execution_failed(execution, status) : execute_batch(execution, plans, evals, count, kind, NULL);
    batch_fini(&holder);
    return result;
}

/* ---- for logs ---- */

/* Of a request's first statement; NULL data: an id that is not known (any more). */
static struct bytes first_text(struct query_context *context, const struct native_request *message)
{
    struct bytes text = { NULL, 0 }, id = { NULL, 0 };
    struct prepared *prepared;

    switch (message->header.opcode) {
    case NATIVE_QUERY: text = message->query.statement; break;
    case NATIVE_PREPARE: text = message->prepare.statement; break;
    case NATIVE_EXECUTE: id = message->execute.id; break;
    case NATIVE_BATCH:
        if (message->batch.entry_count) {
            text = message->batch.entries[0].statement;
            id = message->batch.entries[0].id;
        }
        break;
    default: break; /* no statement */
    }
    if (text.data || id.size != PREPARED_ID_BYTES)
        return text;
    prepared = prepared_find(context->engine->cache, &context->lookaside, id.data);
    return prepared ? prepared->text : text;
}

void query_shape(struct query_context *context, const struct query_request *request, struct query_shape *shape)
{
    struct bytes text = first_text(context, request->message);
    CLEANUP(buffer_fini) struct buffer masked = { 0 };
    CLEANUP(buffer_fini) struct buffer shown = { 0 };

    *shape = (struct query_shape){ .statement_count = 1 };
    if (request->message->header.opcode == NATIVE_BATCH)
        shape->statement_count = request->message->batch.entry_count;
    if (text.size > SHAPED_BYTES_MAX)
        text.size = SHAPED_BYTES_MAX; /* the rest of a long one makes no other kind of it */
    cql_shape(request->arena, text, &shown, &masked);
    prepared_id((struct bytes){ NULL, 0 }, buffer_bytes(&masked), shape->statement);
    shape->text = arena_copy(request->arena, buffer_bytes(&shown));
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
