/* auth/roles.h: all roles of an account as they were at one moment: who is in which, what each may.
 *
 *     roles_new -> roles_add_... -> roles_seal -> asked by any number of threads -> roles_unref
 *
 * As in Cassandra: superuser and permissions are inherited from roles of roles, LOGIN, datacenters and CIDRs are a role's own. A role
 * that is named as granted and is not there gives nothing. Rings of roles, which only a hand in the tables can make, are walked once.
 *
 * Owns:    all it was given is copied.
 * Errors:  none.
 * Thread:  one until it is sealed; then immutable.
 */
#ifndef AUTH_ROLES_H
#define AUTH_ROLES_H

#include "auth/resource.h"
#include "base/arena.h"

struct role {
    struct bytes name;
    struct bytes hash; /* of its password; NULL data: it has none */
    bool is_superuser, can_login;
    struct bytes *parents; /* names of roles it was granted */
    uint32_t parent_count, parent_capacity;
    struct bytes *datacenters; /* none: all */
    uint32_t datacenter_count;
    struct bytes *cidr_groups; /* none: all */
    uint32_t cidr_group_count;
};

/* Permissions of a role on a resource. */
struct grant {
    struct bytes role, resource;
    uint32_t permissions;
};

/* Of a certificate. */
struct role_identity {
    struct bytes identity, role;
};

struct cidr_group {
    struct bytes name;
    struct bytes cidrs; /* frozen<set<frozen<tuple<inet, smallint>>>> */
};

struct roles;
struct roles *roles_new(void);
/* A role's name comes once; what comes of roles that are not there is kept, and asked for by nobody. */
struct role *roles_add(struct roles *roles, struct bytes name, struct bytes hash, bool is_superuser, bool can_login);
void roles_add_parent(struct roles *roles, struct role *role, struct bytes parent);
void roles_add_grant(struct roles *roles, struct bytes role, struct bytes resource, uint32_t permissions);
void roles_add_identity(struct roles *roles, struct bytes identity, struct bytes role);
void roles_add_cidr_group(struct roles *roles, struct bytes name, struct bytes cidrs);
/* Sorts them. Before what is added next, roles must be there. */
void roles_sort(struct roles *roles);
/* A frozen set<text> as a value. False: there is no such role, or these are no texts. */
bool roles_set_datacenters(struct roles *roles, struct bytes role, struct bytes set);
bool roles_set_cidr_groups(struct roles *roles, struct bytes role, struct bytes set);
void roles_seal(struct roles *roles);
struct roles *roles_ref(struct roles *roles);
void roles_unref(struct roles *roles);

uint32_t roles_count(const struct roles *roles);
const struct role *roles_at(const struct roles *roles, uint32_t index); /* by name */
const struct role *roles_find(const struct roles *roles, struct bytes name);
uint32_t roles_grant_count(const struct roles *roles);
const struct grant *roles_grant_at(const struct roles *roles, uint32_t index); /* by role, then resource */
uint32_t roles_identity_count(const struct roles *roles);
const struct role_identity *roles_identity_at(const struct roles *roles, uint32_t index); /* by identity */
bool roles_has_identity(const struct roles *roles, struct bytes identity);
uint32_t roles_cidr_group_count(const struct roles *roles);
const struct cidr_group *roles_cidr_group_at(const struct roles *roles, uint32_t index); /* by name */

/* A role and those it has: all of them, or only what it was granted itself. Each once, by name. */
struct role_set {
    const struct role **items;
    uint32_t count;
};
struct role_set roles_collect(const struct roles *roles, const struct role *role, bool is_recursive,
                              struct arena *arena);
bool role_set_is_superuser(const struct role_set *set);
bool role_set_has(const struct role_set *set, struct bytes name);
/* What all of them together may on this very resource; a superuser what there is. */
uint32_t roles_permissions(const struct roles *roles, const struct role_set *set, const struct resource *resource);
/* What one role itself was granted on a resource of this name. */
uint32_t roles_granted(const struct roles *roles, struct bytes role, struct bytes resource);
/* Is the address (4 or 16 bytes) in one of the role's groups, or has it none? */
bool roles_admit_address(const struct roles *roles, const struct role *role, struct bytes address);

#endif
