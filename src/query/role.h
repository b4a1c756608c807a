/* query/role.h: runs statements of roles: CREATE, ALTER and DROP ROLE and USER, GRANT and REVOKE of roles, LIST ROLES and USERS, identities.
 *
 * Whether the session's role may was asked before (authorize.h), as far as it does not depend on what is there.
 *
 * Errors:  ERR_INVALID, ERR_UNAUTHORIZED in Cassandra's words, and those of auth/auth.h.
 * Thread:  a worker's: they wait for the disk, and compute hashes.
 */
#ifndef QUERY_ROLE_H
#define QUERY_ROLE_H

#include "query/execute.h"

enum query_result execute_create_role(struct execution *execution);
enum query_result execute_alter_role(struct execution *execution);
enum query_result execute_drop_role(struct execution *execution);
enum query_result execute_grant_role(struct execution *execution);
enum query_result execute_list_roles(struct execution *execution);
enum query_result execute_identity(struct execution *execution);

#endif
