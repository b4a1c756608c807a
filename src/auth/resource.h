/* auth/resource.h: what permissions are on, as Cassandra names it.
 *
 *     data, data/KS, data/KS/[*] (all tables in it), data/KS/TABLE; roles, roles/ROLE; functions, functions/KS, functions/KS/F[..];
 *     mbean, mbean/NAME
 *
 * Names are what system_auth.role_permissions has. Each resource but the four roots lies in another; a permission on that one counts.
 *
 * Owns:    nothing; names are borrowed.
 * Errors:  none.
 * Thread:  pure.
 */
#ifndef AUTH_RESOURCE_H
#define AUTH_RESOURCE_H

#include "base/buffer.h"
#include "cql/ast.h"

struct resource {
    enum resource_kind kind; /* RESOURCE_MBEANS is RESOURCE_MBEAN here */
    struct bytes keyspace;
    struct bytes name; /* of the table, role, function (with its arguments in []), MBean */
};

static inline struct resource resource_table(struct bytes keyspace, struct bytes table)
{
    return (struct resource){ RESOURCE_TABLE, keyspace, table };
}

static inline struct resource resource_in(enum resource_kind kind, struct bytes keyspace)
{
    return (struct resource){ kind, keyspace, { NULL, 0 } };
}

static inline struct resource resource_role(struct bytes role)
{
    return (struct resource){ RESOURCE_ROLE, { NULL, 0 }, role };
}

/* Appends its name, and as messages have it: <table ks.t>. */
void resource_name(struct buffer *out, const struct resource *resource);
void resource_print(struct buffer *out, const struct resource *resource);
/* False: it is no resource's name. */
bool resource_parse(struct bytes name, struct resource *resource);
/* To the one that it lies in. False: it is a root. */
bool resource_up(struct resource *resource);
/* Which permissions there are on such a one: enum permission. */
uint32_t resource_permissions(enum resource_kind kind);

enum { PERMISSION_COUNT = 10 };
/* By its number, that of its bit. */
const char *permission_name(uint32_t number);
/* 0: there is none of this name. */
uint32_t permission_parse(struct bytes name);

#endif
