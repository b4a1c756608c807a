/* query/grant.h: runs GRANT, REVOKE and LIST of permissions; gives whoever makes something all there is on it.
 *
 * Errors:  ERR_INVALID, ERR_UNAUTHORIZED in Cassandra's words, and those of auth/auth.h.
 * Thread:  a worker's.
 */
#ifndef QUERY_GRANT_H
#define QUERY_GRANT_H

#include "query/execute.h"

struct ddl_change;

enum query_result execute_grant_permissions(struct execution *execution);
enum query_result execute_list_permissions(struct execution *execution);
/* A keyspace or table was made by the session's role. */
enum status grant_to_creator(struct execution *execution, const struct ddl_change *change);

#endif
