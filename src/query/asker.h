/* query/asker.h: who asks for something, and what it may: for what authorizes statements, and for statements that know more of what they need.
 *
 * Owns:    what it collects lies in the request's arena; roles are borrowed for as long as it is used.
 * Errors:  ERR_UNAUTHORIZED in Cassandra's words.
 * Thread:  the context's.
 */
#ifndef QUERY_ASKER_H
#define QUERY_ASKER_H

#include "auth/auth.h"
#include "query/execute.h"

/* There is no keyspace for a name without one. */
extern const char asker_no_keyspace[];

/* Who asks, by the roles of one moment. */
struct asker {
    const struct auth_login *login; /* borrowed */
    const struct roles *roles;      /* borrowed */
    const struct role *role;        /* NULL: it was dropped */
    struct role_set set;
    bool is_superuser;
    struct arena *arena;
    struct error *err;
};
/* Roles are borrowed for as long as the asker is used. */
void asker_init(struct asker *asker, struct execution *execution, const struct roles *roles);
/* Does it have them all (enum permission) on this, or on what this lies in? */
bool asker_has(const struct asker *asker, uint32_t permissions, const struct resource *resource);
/* ERR_UNAUTHORIZED: the first of these (in the order of permissions) that it has not. */
enum status asker_need(const struct asker *asker, uint32_t permissions, const struct resource *resource);
/* May it still be here: its role, its datacenter, its address? */
enum status asker_check_login(const struct asker *asker);
/* What GRANT, REVOKE and LIST name. ERR_INVALID: a table without a keyspace, with none in use. */
enum status asker_resource(struct execution *execution, const struct resource_spec *spec, struct resource *resource);

#endif
