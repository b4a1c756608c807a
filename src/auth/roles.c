/* Roles at one moment.
 *
 * All lists are sorted when they are complete, and looked up by halving. Who inherits from whom is walked when it
 * is asked: that is seldom, as what a statement needs is remembered until something changes (query/authorize.c). What is
 * kept is what the tables say, and not what follows from it: a role that is granted to thousands is in one
 * place, and a ring of roles does no harm. */
#include "auth/roles.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct roles {
    _Atomic uint32_t refs;
    bool is_sealed;
    struct arena *arena; /* owned */
    struct role **roles; /* by name */
    uint32_t count, capacity;
    struct grant *grants; /* by role and resource */
    uint32_t grant_count, grant_capacity;
    struct role_identity *identities; /* by identity */
    uint32_t identity_count, identity_capacity;
    struct cidr_group *groups; /* by name */
    uint32_t group_count, group_capacity;
};

/* ---- made ---- */

struct roles *roles_new(void)
{
    struct roles *roles = xcalloc(1, sizeof(*roles));

    roles->arena = arena_new(4096);
    atomic_init(&roles->refs, 1);
    return roles;
}

/* Readers take one while they decide, so that another version may be put in force meanwhile. */
struct roles *roles_ref(struct roles *roles)
{
    atomic_fetch_add_explicit(&roles->refs, 1, memory_order_relaxed);
    return roles;
}

/* The last one frees it: whoever that is, on whichever thread. */
void roles_unref(struct roles *roles)
{
    if (!roles || atomic_fetch_sub_explicit(&roles->refs, 1, memory_order_acq_rel) > 1)
        return;
    arena_free(roles->arena);
    free(roles);
}

/* What is said of a role besides is added to what is returned. */
struct role *roles_add(struct roles *roles, struct bytes name, struct bytes hash, bool is_superuser, bool can_login)
{
    struct role *role = arena_new_struct(roles->arena, struct role);

    assert(!roles->is_sealed);
    *role = (struct role){ .name = arena_copy(roles->arena, name),
                           .hash = bytes_is_null(hash) ? hash : arena_copy(roles->arena, hash),
                           .is_superuser = is_superuser,
                           .can_login = can_login };
    roles->roles = arena_room(roles->arena, roles->roles, roles->count, &roles->capacity, 16, sizeof(*roles->roles));
    roles->roles[roles->count++] = role;
    return role;
}

/* A name: whether there is such a role is looked up when somebody asks. */
void roles_add_parent(struct roles *roles, struct role *role, struct bytes parent)
{
    role->parents =
        arena_room(roles->arena, role->parents, role->parent_count, &role->parent_capacity, 4, sizeof(*role->parents));
    role->parents[role->parent_count++] = arena_copy(roles->arena, parent);
}

/* One row of role_permissions. */
void roles_add_grant(struct roles *roles, struct bytes role, struct bytes resource, uint32_t permissions)
{
    roles->grants =
        arena_room(roles->arena, roles->grants, roles->grant_count, &roles->grant_capacity, 16, sizeof(*roles->grants));
    roles->grants[roles->grant_count++] =
        (struct grant){ arena_copy(roles->arena, role), arena_copy(roles->arena, resource), permissions };
}

/* One row of identity_to_role. */
void roles_add_identity(struct roles *roles, struct bytes identity, struct bytes role)
{
    roles->identities = arena_room(roles->arena, roles->identities, roles->identity_count, &roles->identity_capacity,
                                   16, sizeof(*roles->identities));
    roles->identities[roles->identity_count++] =
        (struct role_identity){ arena_copy(roles->arena, identity), arena_copy(roles->arena, role) };
}

/* Its addresses are kept as they are stored, and read when one is compared. */
void roles_add_cidr_group(struct roles *roles, struct bytes name, struct bytes cidrs)
{
    roles->groups =
        arena_room(roles->arena, roles->groups, roles->group_count, &roles->group_capacity, 16, sizeof(*roles->groups));
    roles->groups[roles->group_count++] =
        (struct cidr_group){ arena_copy(roles->arena, name), arena_copy(roles->arena, cidrs) };
}

/* Names are compared as bytes, which is the order of their characters. */
static int compare_roles(const void *a, const void *b)
{
    return bytes_compare((*(struct role *const *)a)->name, (*(struct role *const *)b)->name);
}

/* All grants of a role stand together. */
static int compare_grants(const void *a, const void *b)
{
    const struct grant *one = a, *other = b;
    int order = bytes_compare(one->role, other->role);

    return order ? order : bytes_compare(one->resource, other->resource);
}

static int compare_identities(const void *a, const void *b)
{
    return bytes_compare(((const struct role_identity *)a)->identity, ((const struct role_identity *)b)->identity);
}

static int compare_groups(const void *a, const void *b)
{
    return bytes_compare(((const struct cidr_group *)a)->name, ((const struct cidr_group *)b)->name);
}

static int compare_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* qsort must not be given NULL, not even for nothing. */
static void sort(void *items, uint32_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count)
        qsort(items, count, size, compare);
}

/* So that datacenters and addresses find the role that they are of. */
void roles_sort(struct roles *roles)
{
    sort(roles->roles, roles->count, sizeof(*roles->roles), compare_roles);
}

/* From here on nothing changes, and any thread may ask. */
void roles_seal(struct roles *roles)
{
    assert(!roles->is_sealed);
    roles_sort(roles);
    for (uint32_t i = 0; i < roles->count; i++)
        sort(roles->roles[i]->parents, roles->roles[i]->parent_count, sizeof(struct bytes), compare_names);
    sort(roles->grants, roles->grant_count, sizeof(*roles->grants), compare_grants);
    sort(roles->identities, roles->identity_count, sizeof(*roles->identities), compare_identities);
    sort(roles->groups, roles->group_count, sizeof(*roles->groups), compare_groups);
    roles->is_sealed = true;
}

/* A set<text> as the protocol has it: a count, then sizes and texts. The count is compared with
 * what there is before anything is allocated for it. */
static bool read_texts(struct arena *arena, struct bytes set, struct bytes **items, uint32_t *count)
{
    size_t at = 4;

    if (set.size < 4 || load_be32(set.data) > set.size / 4)
        return false;
    *count = load_be32(set.data);
    *items = arena_new_array(arena, struct bytes, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t size;

        if (set.size - at < 4)
            return false;
        size = load_be32(set.data + at);
        at += 4;
        if (size > set.size - at)
            return false;
        (*items)[i] = arena_copy(arena, bytes_of(set.data + at, size));
        at += size;
    }
    return true;
}

/* By halving. NULL: there is no such role. */
static struct role *find(const struct roles *roles, struct bytes name)
{
    struct role key = { .name = name }, *pointer = &key;
    struct role **found =
        roles->count ? bsearch(&pointer, roles->roles, roles->count, sizeof(*roles->roles), compare_roles) : NULL;

    return found ? *found : NULL;
}

/* An empty set is one of all datacenters, as in Cassandra. */
bool roles_set_datacenters(struct roles *roles, struct bytes name, struct bytes set)
{
    struct role *role = find(roles, name);

    assert(!roles->is_sealed);
    return role && read_texts(roles->arena, set, &role->datacenters, &role->datacenter_count);
}

/* The same for groups of addresses. */
bool roles_set_cidr_groups(struct roles *roles, struct bytes name, struct bytes set)
{
    struct role *role = find(roles, name);

    assert(!roles->is_sealed);
    return role && read_texts(roles->arena, set, &role->cidr_groups, &role->cidr_group_count);
}

/* ---- asked ---- */

/* Indexes are those of the sorted lists: who lists them all has them in order. */

uint32_t roles_count(const struct roles *roles)
{
    return roles->count;
}

const struct role *roles_at(const struct roles *roles, uint32_t index)
{
    assert(index < roles->count);
    return roles->roles[index];
}

/* NULL: nobody of this name, who so may nothing. */
const struct role *roles_find(const struct roles *roles, struct bytes name)
{
    assert(roles->is_sealed);
    return find(roles, name);
}

uint32_t roles_grant_count(const struct roles *roles)
{
    return roles->grant_count;
}

const struct grant *roles_grant_at(const struct roles *roles, uint32_t index)
{
    assert(index < roles->grant_count);
    return &roles->grants[index];
}

uint32_t roles_identity_count(const struct roles *roles)
{
    return roles->identity_count;
}

const struct role_identity *roles_identity_at(const struct roles *roles, uint32_t index)
{
    assert(index < roles->identity_count);
    return &roles->identities[index];
}

/* Is this identity of some role? */
bool roles_has_identity(const struct roles *roles, struct bytes identity)
{
    struct role_identity key = { .identity = identity };

    return roles->identity_count &&
           bsearch(&key, roles->identities, roles->identity_count, sizeof(key), compare_identities);
}

uint32_t roles_cidr_group_count(const struct roles *roles)
{
    return roles->group_count;
}

const struct cidr_group *roles_cidr_group_at(const struct roles *roles, uint32_t index)
{
    assert(index < roles->group_count);
    return &roles->groups[index];
}

/* Where a role of these stands among them. */
static uint32_t index_of(const struct roles *roles, const struct role *role)
{
    const struct role *const *found = bsearch(&role, roles->roles, roles->count, sizeof(*roles->roles), compare_roles);

    assert(found);
    return (uint32_t)(found - (const struct role *const *)roles->roles);
}

/* In breadth: those that were met stand in a list, and of each its parents are added that are not
 * in it yet. Each role is met once, however many ways lead to it. */
struct role_set roles_collect(const struct roles *roles, const struct role *role, bool is_recursive,
                              struct arena *arena)
{
    bool *is_met = arena_new_array(arena, bool, roles->count + 1);
    const struct role **met = arena_new_array(arena, const struct role *, 1);
    uint32_t count = 1, capacity = 1;

    assert(roles->is_sealed);
    met[0] = role;
    is_met[index_of(roles, role)] = true;
    for (uint32_t i = 0; i < count && (is_recursive || i == 0); i++)
        for (uint32_t j = 0; j < met[i]->parent_count; j++) {
            const struct role *parent = find(roles, met[i]->parents[j]);
            uint32_t at = parent ? index_of(roles, parent) : 0;

            if (parent && !is_met[at]) {
                is_met[at] = true;
                met = arena_room(arena, met, count, &capacity, 8, sizeof(*met));
                met[count++] = parent;
            }
        }
    sort(met, count, sizeof(*met), compare_roles);
    return (struct role_set){ met, count };
}

/* It is inherited: one superuser among those that a role has is enough. */
bool role_set_is_superuser(const struct role_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->items[i]->is_superuser)
            return true;
    return false;
}

/* Is a role of this name among them? */
bool role_set_has(const struct role_set *set, struct bytes name)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (bytes_equal(set->items[i]->name, name))
            return true;
    return false;
}

/* What was granted to this role on this resource, and not by way of another. */
uint32_t roles_granted(const struct roles *roles, struct bytes role, struct bytes resource)
{
    struct grant key = { .role = role, .resource = resource };
    const struct grant *found =
        roles->grant_count ? bsearch(&key, roles->grants, roles->grant_count, sizeof(key), compare_grants) : NULL;

    return found ? found->permissions : 0;
}

/* All that was granted to any of them on this very resource; what it lies in is the caller's to
 * ask. */
uint32_t roles_permissions(const struct roles *roles, const struct role_set *set, const struct resource *resource)
{
    struct buffer name = { 0 };
    uint32_t permissions = 0;

    if (role_set_is_superuser(set))
        return resource_permissions(resource->kind);
    resource_name(&name, resource);
    for (uint32_t i = 0; i < set->count; i++)
        permissions |= roles_granted(roles, set->items[i]->name, buffer_bytes(&name));
    buffer_fini(&name);
    return permissions;
}

/* ---- addresses ---- */

/* A few groups with a few networks each, looked at once for each connection and change: nothing is
 * sorted. */

static bool has_prefix(const uint8_t *address, const uint8_t *network, uint32_t bits)
{
    uint32_t whole = bits / 8, rest = bits % 8;

    return memcmp(address, network, whole) == 0 && (!rest || (address[whole] ^ network[whole]) >> (8 - rest) == 0);
}

/* Each element is a tuple: size, address, size, two bytes of a prefix's length. What is not so
 * admits nobody. */
static bool group_has(const struct cidr_group *group, struct bytes address)
{
    struct bytes set = group->cidrs;
    size_t at = 4;

    for (uint32_t i = 0, count = set.size < 4 ? 0 : load_be32(set.data); i < count && set.size - at >= 4; i++) {
        uint32_t size = load_be32(set.data + at), address_size;
        const uint8_t *element = set.data + at + 4;

        if (size > set.size - at - 4)
            return false;
        at += 4 + size;
        if (size < 4)
            return false;
        address_size = load_be32(element);
        if ((address_size != 4 && address_size != 16) || size != 4 + address_size + 4 + 2 ||
            load_be32(element + 4 + address_size) != 2)
            return false;
        uint32_t bits = load_be16(element + 8 + address_size);

        if (address_size == address.size && bits <= 8 * address_size && has_prefix(address.data, element + 4, bits))
            return true;
    }
    return false;
}

/* A group that is named and not there has no addresses. */
bool roles_admit_address(const struct roles *roles, const struct role *role, struct bytes address)
{
    if (!role->cidr_group_count)
        return true;
    for (uint32_t i = 0; i < role->cidr_group_count; i++) {
        struct cidr_group key = { .name = role->cidr_groups[i] };
        const struct cidr_group *group =
            roles->group_count ? bsearch(&key, roles->groups, roles->group_count, sizeof(key), compare_groups) : NULL;

        if (group && group_has(group, address))
            return true;
    }
    return false;
}
