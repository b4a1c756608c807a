/* query/role_change.h: one statement's turn among all that change roles.
 *
 * Errors:  those of auth_change_begin; ERR_INVALID: the session has no login, so the server has no roles.
 * Thread:  a worker's.
 */
#ifndef QUERY_ROLE_CHANGE_H
#define QUERY_ROLE_CHANGE_H

#include "query/asker.h"

struct role_change {
    struct auth_change change;
    struct asker asker; /* who asks, by the newest roles */
};
/* The statement needs roles. */
enum status role_change_refuse(struct execution *execution);
/* On OK role_change_end must follow. */
enum status role_change_begin(struct execution *execution, struct role_change *change);
/* With what has become of it: answers VOID, or why not. */
enum query_result role_change_end(struct execution *execution, struct role_change *change, enum status status);

#endif
