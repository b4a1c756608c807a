/* Who asks for something, by the roles of one moment: what it has on a resource and on all that
 * this lies in. The rules are those of Cassandra's ClientState.java, release 5.0, and so are the
 * words. */
#include "query/asker.h"

#include "cql/print.h"
#include "schema/ddl.h"

#include <assert.h>

const char asker_no_keyspace[] =
    "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename";

/* ---- who asks ---- */

void asker_init(struct asker *asker, struct execution *execution, const struct roles *roles)
{
    struct arena *arena = execution->request->arena;

    *asker = (struct asker){
        .login = execution->request->session->login, .roles = roles, .arena = arena, .err = execution->err
    };
    assert(asker->login && roles);
    asker->role = roles_find(roles, asker->login->role);
    if (asker->role)
        asker->set = roles_collect(roles, asker->role, true, arena);
    asker->is_superuser = role_set_is_superuser(&asker->set);
}

/* A role that may not log in has no datacenter: so it is told, as by Cassandra, in the middle of a
 * session too. */
enum status asker_check_login(const struct asker *asker)
{
    const struct role *role = asker->role;
    bool is_near = role && role->can_login && (asker->is_superuser || !role->datacenter_count);

    for (uint32_t i = 0; role && role->can_login && i < role->datacenter_count && !is_near; i++)
        is_near = bytes_is(role->datacenters[i], AUTH_DATACENTER);
    if (!is_near)
        return error_set(asker->err, ERR_UNAUTHORIZED, "You do not have access to this datacenter (%s)",
                         AUTH_DATACENTER);
    if (!asker->is_superuser &&
        !roles_admit_address(asker->roles, role, bytes_of(asker->login->address, asker->login->address_bytes)))
        return error_set(asker->err, ERR_UNAUTHORIZED, "You do not have access from this IP");
    return OK;
}

static bool is_system(struct bytes keyspace)
{
    return ddl_is_local_system_keyspace(keyspace) || ddl_is_replicated_system_keyspace(keyspace) ||
           ddl_is_virtual_system_keyspace(keyspace);
}

/* It has the hashes of all passwords: no grant shows it to who is no superuser, as one of Cassandra
 * would. */
static bool is_for_superusers(const struct resource *resource)
{
    return resource->kind == RESOURCE_TABLE && bytes_is(resource->keyspace, "system_auth") &&
           bytes_is(resource->name, "roles");
}

/* One permission. What is granted on ALL KEYSPACES is not granted on the system's. */
static bool has_one(const struct asker *asker, uint32_t permission, struct resource resource)
{
    bool is_of_system = resource_permissions(resource.kind) & PERMISSION_SELECT && !bytes_is_null(resource.keyspace) &&
                        is_system(resource.keyspace);

    if (asker->is_superuser)
        return true;
    if (!asker->role || is_for_superusers(&resource))
        return false;
    do {
        if (is_of_system && resource.kind == RESOURCE_ALL_KEYSPACES)
            return false;
        if (roles_permissions(asker->roles, &asker->set, &resource) & permission)
            return true;
    } while (resource_up(&resource));
    return false;
}

/* Functions of the program are everybody's. */
static bool is_builtin(const struct resource *resource)
{
    return (resource->kind == RESOURCE_FUNCTIONS_IN || resource->kind == RESOURCE_FUNCTION) &&
           bytes_is(resource->keyspace, "system");
}

bool asker_has(const struct asker *asker, uint32_t permissions, const struct resource *resource)
{
    if (is_builtin(resource))
        return true;
    for (uint32_t i = 0; i < PERMISSION_COUNT; i++)
        if (permissions & UINT32_C(1) << i && !has_one(asker, UINT32_C(1) << i, *resource))
            return false;
    return true;
}

/* In the order of permissions; the first that is missing is told. */
enum status asker_need(const struct asker *asker, uint32_t permissions, const struct resource *resource)
{
    for (uint32_t i = 0; i < PERMISSION_COUNT; i++) {
        CLEANUP(buffer_fini) struct buffer shown = { 0 };

        if (!(permissions & UINT32_C(1) << i) || asker_has(asker, UINT32_C(1) << i, resource))
            continue;
        resource_print(&shown, resource);
        return error_set(asker->err, ERR_UNAUTHORIZED, "User %.*s has no %s permission on %.*s or any of its parents",
                         BYTES(asker->login->role), permission_name(i), BYTES(buffer_bytes(&shown)));
    }
    return OK;
}

/* ---- what is named ---- */

enum status asker_resource(struct execution *execution, const struct resource_spec *spec, struct resource *resource)
{
    struct buffer shown = { 0 };

    *resource = (struct resource){ spec->kind, spec->name.keyspace, spec->name.name };
    if (spec->kind == RESOURCE_MBEANS)
        resource->kind = RESOURCE_MBEAN;
    if (spec->kind == RESOURCE_TABLE && bytes_is_null(resource->keyspace)) {
        resource->keyspace = execution->keyspace;
        if (bytes_is_null(resource->keyspace))
            return error_set(execution->err, ERR_INVALID, "%s", asker_no_keyspace);
    }
    if (spec->kind != RESOURCE_FUNCTION)
        return OK;
    /* There are no functions of users: its name is only shown. */
    if (bytes_is_null(resource->keyspace))
        return error_set(execution->err, ERR_INVALID,
                         "In this context function name must be explictly qualified by a keyspace");
    buffer_printf(&shown, "%.*s(", BYTES(resource->name));
    for (uint32_t i = 0; i < spec->argument_count; i++) {
        buffer_append_string(&shown, i ? ", " : "");
        cql_print_type(&shown, spec->arguments[i]);
    }
    buffer_append_string(&shown, ")");
    resource->name = buffer_to_arena(execution->request->arena, &shown);
    return OK;
}
