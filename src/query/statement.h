/* query/statement.h: the table of statements: all that is decided by a statement's kind alone. Whoever asks what kind a statement is
 * should find the answer here.
 *
 * Thread:  constant.
 * Source:  the authorize() of org.apache.cassandra.cql3.statements, release 5.0: what each needs.
 */
#ifndef QUERY_STATEMENT_H
#define QUERY_STATEMENT_H

#include "query/execute.h"

enum { STATEMENT_KINDS = STATEMENT_DESCRIBE + 1 };

enum need_kind {
    NEED_UNKNOWN,
    NEED_LOGIN,      /* to be somebody */
    NEED_PERMISSION, /* `permissions` on the resource of this kind that it names, or lies in */
    NEED_ON_WRITTEN, /* the same, on the resource that it names itself: GRANT ... ON */
    NEED_SUPERUSER,
    NEED_OF_PARTS, /* what each of its statements needs */
};

/* What it needs of an identity. */
struct need {
    enum need_kind kind;
    enum resource_kind resource;
    uint32_t permissions;     /* enum permission: all of these */
    uint32_t with_conditions; /* and these if it has an IF: its answer tells what is there */
};

struct statement {
    enum statement_kind kind;
    const char *name;
    plan_function plan;                                    /* NULL: there is nothing to plan */
    enum query_result (*run)(struct execution *execution); /* NULL: not supported, refused by its name */
    bool takes_values;                                     /* is about rows: binds values, has a consistency level */
    bool runs_on_loop;                                     /* else a worker runs it, which may wait */
    bool is_write;                                         /* of rows */
    struct need need;
};

extern const struct statement statements[STATEMENT_KINDS];

static inline const struct statement *statement_of(enum statement_kind kind)
{
    return &statements[kind];
}

#endif
