/* query/authorize.h: may the session's role do this? As Cassandra's authorize() of each statement, by the line that the statement has in
 * query/statement.c.
 *
 * A session without a login may do everything. An EXECUTE that was allowed is remembered by its connection until something of roles
 * changes anywhere: then it costs one compare. Only loops remember: a connection's memory belongs to its loop.
 *
 * Errors:  ERR_UNAUTHORIZED in Cassandra's words; ERR_INVALID where a name has no keyspace.
 * Thread:  the context's.
 */
#ifndef QUERY_AUTHORIZE_H
#define QUERY_AUTHORIZE_H

#include "query/asker.h"

/* With request->session->login. */
enum status authorize_plans(struct execution *execution, const struct plan *const *plans, uint32_t count);
enum status authorize_slowly(struct execution *execution, struct prepared *prepared);

static inline enum status authorize_prepared(struct execution *execution, struct prepared *prepared)
{
    const struct auth_login *login = execution->request->session->login;

    if (__builtin_expect(!login, 1) || (!execution->context->may_wait && auth_login_remembers(login, prepared->number)))
        return OK;
    return authorize_slowly(execution, prepared);
}

#endif
