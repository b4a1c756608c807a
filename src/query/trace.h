/* query/trace.h: what one request did, told afterwards by rows of system_traces.
 *
 *     trace_new -> query_request.trace -> events on the way -> the reply leaves -> trace_write -> done
 *
 * A trace has memory of its own, because it outlives its request: at most TRACE_BYTES_MAX, then it takes no more events. Its rows
 * expire after a day, as Cassandra's. How many traces there are at once is limited by who begins them.
 *
 * Shapes:  times are monotonic microseconds, but started_us. Values are kept in rows only, never logged.
 * Owns:    itself; trace_write takes it over.
 * Errors:  a trace that cannot be written is told to `done`; the request it tells of was answered before.
 * Thread:  one thread at a time, which goes with its request from loop to worker and back.
 */
#ifndef QUERY_TRACE_H
#define QUERY_TRACE_H

#include "query/engine.h"
#include "query/request.h"

struct trace;
struct plan;
struct commit_report; /* table/table.h */

enum {
    TRACE_TTL_S = 86400,
    TRACE_EVENTS_MAX = 256,
    TRACE_BYTES_MAX = 256 << 10,
    TRACE_QUERY_BYTES_MAX = 64 << 10, /* of the statement's text; what is longer is cut */
    TRACE_VALUE_UNITS_MAX = 1000,     /* UTF-16 units of a bound value, as Cassandra cuts it */
};

struct trace *trace_new(struct query_context *context, const struct query_session *session, int64_t started_us,
                        int64_t began_us);
void trace_free(struct trace *trace); /* one that is not written */
const uint8_t *trace_id(const struct trace *trace);

void trace_event(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For the request that is not traced, one branch that is always taken alike. */
#define TRACE(trace, ...)                         \
    do {                                          \
        if (__builtin_expect((trace) != NULL, 0)) \
            trace_event(trace, __VA_ARGS__);      \
    } while (0)
/* What the owner of a shard did with a write. */
void trace_commit(struct trace *trace, const struct commit_report *report);

/* What was asked: the session's row. Said again by a worker that runs the request again. */
void trace_query(struct trace *trace, const char *request, struct bytes text /* NULL data: none */,
                 const struct native_parameters *parameters /* NULL: none */);
/* A value bound to a marker, checked against its type. */
void trace_bind(struct trace *trace, uint32_t index, const struct native_column *marker, struct bytes value);

/* Writes the rows, events first: who finds the session finds all of them. `done` is called once on the context's thread, from
 * its port or from here, and says whether the rows stand. */
void trace_write(struct trace *trace, struct query_context *context, int64_t ended_us,
                 void (*done)(void *argument, bool written), void *argument);

#endif
