/* query/shape.h: what kind of statement a request was, for logs. */
#ifndef QUERY_SHAPE_H
#define QUERY_SHAPE_H

#include "query/request.h"

struct query_context;

/* What kind of statement a request is, without a name or value: for logs. */
struct query_shape {
    uint8_t statement
        [16]; /* the MD5 of the text without its literals: of a prepared text that has none, and no keyspace of a
                                 session, its id */
    uint32_t statement_count; /* of a batch; the shape is its first one's */
    struct bytes text;        /* cql/shape.h; in the request's arena */
};
/* After query_run (done or not): costs a pass over the text. The context is one that the caller may use. */
void query_shape(struct query_context *context, const struct query_request *request, struct query_shape *shape);

#endif
