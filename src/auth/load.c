/* Rows of system_auth become struct roles.
 *
 * The tables are Cassandra's, and whoever may write to them (a superuser) may write anything. So nothing of a
 * row is taken for granted: a row that no role could have made (a null, an unknown permission, a name that is no
 * resource's) gives nobody anything. What cannot be read at all (ERR_CORRUPT) ends the reading, and what
 * was in force stays so. */
#include "auth/state.h"

#include <assert.h>

struct loading {
    struct roles *roles;
    struct role *role; /* the one at hand */
    uint32_t permissions;
    int64_t expire_s;
};

/* A superuser may have written a row with a TTL: when it ends, they are read again. */
static void note_expiry(struct loading *loading, const struct rows_view *view)
{
    int64_t expire_s = rows_expire_s(view);

    if (expire_s < loading->expire_s)
        loading->expire_s = expire_s;
}

/* An element of member_of. */
static void take_parent(void *context, struct bytes parent)
{
    struct loading *loading = context;

    roles_add_parent(loading->roles, loading->role, parent);
}

/* A flag that is null is false. */
static bool is_true(const struct rows_view *view, const char *column)
{
    return rows_get_number(view, column) != 0;
}

/* The partition key of this table is the name as it is. */
static enum status take_role(void *context, struct bytes key, const struct rows_view *view, struct error *err)
{
    struct loading *loading = context;

    note_expiry(loading, view);
    loading->role = roles_add(loading->roles, key, rows_get(view, "salted_hash"), is_true(view, "is_superuser"),
                              is_true(view, "can_login"));
    return rows_elements(view, "member_of", take_parent, loading, err);
}

/* An element of permissions; a word that is none is no permission. */
static void take_permission(void *context, struct bytes name)
{
    struct loading *loading = context;

    loading->permissions |= permission_parse(name);
}

/* A row without any permission is as none. */
static enum status take_grant(void *context, struct bytes key, const struct rows_view *view, struct error *err)
{
    struct loading *loading = context;
    enum status status;

    note_expiry(loading, view);
    loading->permissions = 0;
    status = rows_elements(view, "permissions", take_permission, loading, err);
    if (!status && loading->permissions)
        roles_add_grant(loading->roles, key, rows_get(view, "resource"), loading->permissions);
    return status;
}

/* Without a role it is an identity all the same: it must not be added twice. */
static enum status take_identity(void *context, struct bytes key, const struct rows_view *view, struct error *err)
{
    struct loading *loading = context;
    struct bytes role = rows_get(view, "role");

    note_expiry(loading, view);
    roles_add_identity(loading->roles, key, bytes_is_null(role) ? bytes_of("", 0) : role);
    return OK;
}

/* Cassandra's key here is the name of the role's resource: roles/NAME. */
static enum status take_datacenters(void *context, struct bytes key, const struct rows_view *view, struct error *err)
{
    struct loading *loading = context;
    struct resource resource;
    struct bytes set = rows_get(view, "dcs");

    note_expiry(loading, view);
    if (!bytes_is_null(set) && resource_parse(key, &resource) && resource.kind == RESOURCE_ROLE)
        (void)roles_set_datacenters(loading->roles, resource.name, set);
    return OK;
}

/* The key is the role's name here. */
static enum status take_cidr_groups(void *context, struct bytes key, const struct rows_view *view, struct error *err)
{
    struct loading *loading = context;
    struct bytes set = rows_get(view, "cidr_groups");

    note_expiry(loading, view);
    if (!bytes_is_null(set))
        (void)roles_set_cidr_groups(loading->roles, key, set);
    return OK;
}

/* Who changes these is a superuser, with INSERT: there is no statement for it. */
static enum status take_group(void *context, struct bytes key, const struct rows_view *view, struct error *err)
{
    struct loading *loading = context;
    struct bytes cidrs = rows_get(view, "cidrs");

    note_expiry(loading, view);
    roles_add_cidr_group(loading->roles, key, bytes_is_null(cidrs) ? bytes_of("", 0) : cidrs);
    return OK;
}

/* Roles first: what else is said of a role needs it. role_members and the index of grants say nothing
 * that these do not: they are written, and never read. */
static const struct {
    const char *table;
    enum status (*row)(void *context, struct bytes key, const struct rows_view *view, struct error *err);
} tables[] = {
    { "roles", take_role },
    { "role_permissions", take_grant },
    { "identity_to_role", take_identity },
    { "network_permissions", take_datacenters },
    { "cidr_permissions", take_cidr_groups },
    { "cidr_groups", take_group },
};

/* All tables, one after another; they are small. What is written meanwhile is seen, or touched
 * again. */
static enum status load(struct auth_account *account, struct roles **result, int64_t *expire_s, struct error *err)
{
    struct auth *auth = account->auth;
    struct schema *schema = catalog_ref_schema(auth->options.catalog, account->account);
    struct loading loading = { .roles = roles_new(), .expire_s = INT64_MAX };
    int64_t now_s = clock_realtime_us(auth->options.clock) / 1000000;
    enum status status = OK;

    for (size_t i = 0; i < ARRAY_SIZE(tables) && !status; i++) {
        const struct table_def *def =
            schema_table(schema, BYTES_LITERAL("system_auth"), bytes_of_string(tables[i].table));

        assert(def); /* the program's own */
        status = rows_scan(auth->port, def, now_s, tables[i].row, &loading, err);
        if (i == 0)
            roles_sort(loading.roles);
    }
    schema_unref(schema);
    if (status) {
        roles_unref(loading.roles);
        return status;
    }
    roles_seal(loading.roles);
    *expire_s = loading.expire_s;
    *result = loading.roles;
    return OK;
}

/* Definitions that were altered between their look-up and a read are looked up again. */
enum status auth_load(struct auth_account *account, struct roles **result, int64_t *expire_s, struct error *err)
{
    enum status status = load(account, result, expire_s, err);

    if (status == ERR_STALE)
        status = load(account, result, expire_s, err);
    return status == ERR_STALE ? error_set(err, ERR_OVERLOADED, "system_auth was altered meanwhile: try again")
                               : status;
}
