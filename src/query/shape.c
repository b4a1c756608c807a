/* Shapes of statements, for logs; see shape.h. */
#include "query/shape.h"

#include "cql/shape.h"
#include "query/context.h"

enum { SHAPED_BYTES_MAX = 16 << 10 };

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
