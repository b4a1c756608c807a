/* query/query.h: a statement and its values become an answer.
 *
 * One query_engine per process; one query_context per loop (and per worker); one query_session per connection.
 *
 * The path of a request:
 *     query_run -> QUERY_DONE       the reply's body stands in `out` (a RESULT message), or request.error says why not
 *               -> QUERY_PENDING    a write is with its owner: request.done is called later on the same loop, then
 *                                   query_finish writes the body, or says one of these three again: the definitions changed
 *                                   meanwhile. Contexts that may wait have it done when they return
 *               -> QUERY_WAITS      memory cannot answer: run it again, whole, with a worker's context (may_wait)
 *
 * Owns:    the request's arena holds everything; the caller resets it after the reply left.
 * Errors:  in request.error; wire/ encodes them.
 * Thread:  a context and its requests belong to one thread at a time.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "query/engine.h"
#include "query/request.h"
#include "query/shape.h"
#include "query/sum.h"

/* Appends the body of the reply to `out` (RESULT; its opcode is always RESULT when error.status is OK). DDL waits for the disk:
 * on a loop it answers QUERY_WAITS. */
enum query_result query_run(struct query_context *context, struct query_request *request, struct buffer *out);
/* After each QUERY_PENDING, when `done` was called: appends the body, or leaves request.error set, and gives back what the request held.
 * `out` NULL: nobody hears the answer, and nothing is begun again. */
enum query_result query_finish(struct query_context *context, struct query_request *request, struct buffer *out);

#endif
