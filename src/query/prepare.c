/* Planning for requests; see prepare.h. A prepared statement goes by the definitions it was planned with: when others are in force it is
 * compared with them, once for each version of the schema, and planned again if its client need not know. */
#include "query/prepare.h"

#include "cql/parse.h"
#include "cql/secret.h"
#include "query/statement.h"
#include "query/trace.h"
#include "types/text.h"

#include <assert.h>
#include <stdio.h>

enum { STATEMENT_BYTES_MAX = 16 << 20 };

/* Text to plan: parse, then plan with the definitions in force. Everything lies in `arena`,
 * which is the request's for QUERY and the prepared statement's own otherwise. A function of
 * constants may fail while the plan is made; that failure is described as if it had happened
 * when executing. */
enum status prepare_plan(struct execution *execution, struct arena *arena, struct bytes keyspace, struct bytes text,
                         struct plan *plan)
{
    struct cql_statement *statement;
    struct function_context functions = { arena, execution->request->now_us, &execution->context->uuids, NULL,
                                          &execution->work };
    struct planner planner = {
        .arena = arena,
        .schema = execution->schema,
        .session_keyspace = keyspace,
        .functions = &functions,
        .err = execution->err,
    };
    enum status status;

    struct trace *trace = execution->request->trace;

    assert(arena && execution->schema);
    if (text.size > STATEMENT_BYTES_MAX)
        return error_set(execution->err, ERR_INVALID, "The statement is too long");
    if (__builtin_expect(trace != NULL, 0))
        trace_event(trace, "Parsing %.*s",
                    BYTES(text_cut(cql_hide_password(execution->request->arena, text), STATEMENT_SHOWN_BYTES)));
    status = cql_parse(arena, text, &statement, execution->err);
    assert(status || statement_of(statement->kind)->kind == statement->kind);
    TRACE(trace, "Preparing statement");
    if (!status)
        status = plan_make(&planner, statement_of(statement->kind)->plan, statement, plan);
    TRACE(trace, "The plan is %s", status ? status_name(status) : "made");
    if (status == ERR_FUNCTION_FAILURE && functions.failed)
        execution_describe_failure(execution->request, functions.failed);
    return status;
}

/* A prepared statement that is not in the cache yet. It holds one reference, its caller's.
 * Its columns are described for all protocol versions at once, because connections of any
 * version share it. */
enum status prepare_text(struct execution *execution, struct bytes keyspace, struct bytes text,
                         struct prepared **result)
{
    struct arena *arena = arena_new(4096);
    struct prepared *prepared = arena_new_struct(arena, struct prepared);
    enum status status;

    prepared->arena = arena;
    prepared->number =
        1 + atomic_fetch_add_explicit(&execution->context->engine->prepared_last, 1, memory_order_relaxed);
    prepared->keyspace = bytes_is_null(keyspace) ? keyspace : arena_copy(arena, keyspace);
    prepared->text = arena_copy(arena, text);
    prepared->account = execution->request->session->account;
    /* The same text means other tables in another keyspace, so the keyspace is part of the
     * id; so is an account that is not the default one, whose ids are Cassandra's. */
    prepared_id(prepared->account == catalog_account_default(execution->context->engine->catalog)
                    ? bytes_of(NULL, 0)
                    : catalog_account_name(prepared->account),
                keyspace, text, prepared->id);
    /* The AST points into the text that it was parsed from, so the copy must live as long as
     * the plan. */
    assert(arena_owns(arena, prepared->text.data) || !prepared->text.size);
    status = prepare_plan(execution, arena, prepared->keyspace, prepared->text, &prepared->plan);
    if (status) {
        arena_free(arena);
        return status;
    }
    for (int version = NATIVE_V3; version <= NATIVE_V5; version++)
        plan_describe(&prepared->plan, arena, (uint8_t)version);
    atomic_init(&prepared->refs, 1);
    atomic_init(&prepared->used, true);
    atomic_init(&prepared->checked_version, schema_version_number(execution->schema));
    /* What the cache counts. It is the arena's real size: a short text may make a large plan. */
    prepared->bytes = arena_used(arena) + sizeof(*prepared);
    assert(prepared->plan.statement && prepared->bytes > sizeof(*prepared));
    *result = prepared;
    return OK;
}

/* The words are Cassandra's. Drivers do not read them: they take the id from the error's body
 * and prepare the statement again. */
static void set_unprepared(struct execution *execution, struct bytes id)
{
    struct error *err = execution->err;
    char hex[2 * 64 + 1] = "";

    /* A client may have sent an id of any length: at most 64 bytes of it are shown. */
    for (size_t i = 0; i < id.size && i < 64; i++)
        snprintf(hex + 2 * i, 3, "%02x", id.data[i]);
    error_set(
        err, ERR_UNPREPARED,
        "Prepared query with ID %s not found (either the query was not prepared on this host (maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)",
        hex);
    memset(err->id, 0, sizeof(err->id));
    memcpy(err->id, id.data, id.size < sizeof(err->id) ? id.size : sizeof(err->id));
}

/* The definitions have changed in a way that the client need not know of (another comment,
 * another option), so the statement is planned again under the id that the client holds,
 * without UNPREPARED. */
static enum status plan_again(struct execution *execution, const struct prepared *old, struct prepared **result)
{
    struct query_engine *engine = execution->context->engine;
    struct prepared *again;
    uint8_t id[PREPARED_ID_BYTES];
    enum status status = prepare_text(execution, old->keyspace, old->text, &again);

    if (status)
        return status;
    memcpy(id, old->id, sizeof(id)); /* the lookaside lets the old one go */
    status = prepared_insert(engine->cache, again, execution->err);
    if (status) {
        prepared_unref(again);
        return status;
    }
    /* It is found again rather than used: finding gives the lookaside a reference that keeps
     * it alive. */
    *result = prepared_find(engine->cache, &execution->context->lookaside, execution->request->session->account, id);
    if (*result)
        return OK;
    set_unprepared(execution, bytes_of(id, sizeof(id))); /* its tables have changed once more */
    return ERR_UNPREPARED;
}

/* The plan for an id, fit for the schema in force, or UNPREPARED. Comparing a plan with the
 * schema costs a lookup of each name it uses, so it is done once per plan and version of the
 * schema. What a client decodes by would change (a column of the result, a type): then it
 * must prepare again. */
enum status prepare_find(struct execution *execution, struct bytes id, struct prepared **result)
{
    struct query_engine *engine = execution->context->engine;
    uint64_t version = schema_version_number(execution->schema);
    struct prepared *found = NULL;

    assert(execution->schema && !execution->request->state);
    if (id.size == PREPARED_ID_BYTES)
        found =
            prepared_find(engine->cache, &execution->context->lookaside, execution->request->session->account, id.data);
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
