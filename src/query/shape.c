/* The shape of a request for logs: its text without names and values, and a digest of the
 * text with names but without values, so that an operator can tell two slow statements apart.
 * Logs must not hold data, so no log line is ever made from the statement itself. */
#include "query/shape.h"

#include "cql/shape.h"
#include "query/context.h"

#include <assert.h>

enum { SHAPED_BYTES_MAX = 16 << 10 };

/* The text of the request's first statement. NULL data: an id that is not known, or not any
 * more. */
static struct bytes first_text(struct query_context *context, const struct catalog_account *account,
                               const struct native_request *message)
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
    prepared = prepared_find(context->engine->cache, &context->lookaside, account, id.data);
    return prepared ? prepared->text : text;
}

void query_shape(struct query_context *context, const struct query_request *request, struct query_shape *shape)
{
    struct bytes text = first_text(context, request->session->account, request->message);
    CLEANUP(buffer_fini) struct buffer masked = { 0 };
    CLEANUP(buffer_fini) struct buffer shown = { 0 };

    assert(request->message && request->arena);
    *shape = (struct query_shape){ .statement_count = 1 };
    if (request->message->header.opcode == NATIVE_BATCH)
        shape->statement_count = request->message->batch.entry_count;
    /* A long statement is as a rule a long list of values, so the rest does not change its
     * shape. */
    if (text.size > SHAPED_BYTES_MAX)
        text.size = SHAPED_BYTES_MAX;
    cql_shape(request->arena, text, &shown, &masked);
    prepared_id(bytes_of(NULL, 0), bytes_of(NULL, 0), buffer_bytes(&masked), shape->statement);
    shape->text = arena_copy(request->arena, buffer_bytes(&shown));
}
