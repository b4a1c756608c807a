/* Permissions granted, revoked, listed. */
#include "query/grant.h"

#include "query/role_change.h"
#include "schema/ddl.h"

#include <assert.h>
#include <stdlib.h>

/* Is what it names there? MBeans and functions of users never are. */
static bool exists(const struct execution *execution, const struct roles *roles, const struct resource *resource)
{
    switch (resource->kind) {
    case RESOURCE_ALL_KEYSPACES:
    case RESOURCE_ALL_ROLES:
    case RESOURCE_ALL_FUNCTIONS:
    case RESOURCE_ALL_MBEANS: return true;
    case RESOURCE_KEYSPACE:
    case RESOURCE_ALL_TABLES:
    case RESOURCE_FUNCTIONS_IN: return schema_keyspace(execution->schema, resource->keyspace) != NULL;
    case RESOURCE_TABLE: return schema_table(execution->schema, resource->keyspace, resource->name) != NULL;
    case RESOURCE_ROLE: return roles_find(roles, resource->name) != NULL;
    case RESOURCE_FUNCTION:
    case RESOURCE_MBEAN:
    case RESOURCE_MBEANS:
    case RESOURCE_NONE: return false;
    }
    return false;
}

/* before: what the message begins with, which differs between GRANT and LIST. */
static enum status check_exists(const struct execution *execution, const struct roles *roles,
                                const struct resource *resource, const char *before)
{
    CLEANUP(buffer_fini) struct buffer shown = { 0 };

    if ((resource->kind == RESOURCE_FUNCTIONS_IN || resource->kind == RESOURCE_FUNCTION) &&
        bytes_is(resource->keyspace, "system"))
        return error_set(execution->err, ERR_INVALID, "Altering permissions on builtin functions is not supported");
    if (exists(execution, roles, resource))
        return OK;
    resource_print(&shown, resource);
    return error_set(execution->err, ERR_INVALID, "%s%.*s doesn't exist", before, BYTES(buffer_bytes(&shown)));
}

/* ---- GRANT and REVOKE ---- */

/* Of stored system keyspaces only these may be granted. */
static bool is_strict(const struct resource *resource, uint32_t permissions)
{
    uint32_t allowed = PERMISSION_SELECT | PERMISSION_DESCRIBE | PERMISSION_ALTER;

    return (resource_permissions(resource->kind) & PERMISSION_SELECT) && !bytes_is_null(resource->keyspace) &&
           (ddl_is_local_system_keyspace(resource->keyspace) ||
            ddl_is_replicated_system_keyspace(resource->keyspace)) &&
           (permissions & ~allowed);
}

/* As in Cassandra, the client is told what made no difference. */
static void warn_of_rest(struct execution *execution, struct bytes role, const struct resource *resource, uint32_t rest,
                         bool is_granted)
{
    CLEANUP(buffer_fini) struct buffer names = { 0 };
    CLEANUP(buffer_fini) struct buffer shown = { 0 };

    if (!rest)
        return;
    for (uint32_t i = 0; i < PERMISSION_COUNT; i++)
        if (rest & UINT32_C(1) << i)
            buffer_printf(&names, "%s%s", names.size ? ", " : "", permission_name(i));
    resource_print(&shown, resource);
    execution_warn(execution->request, "Role '%.*s' was %s %.*s on %.*s", BYTES(role),
                   is_granted ? "already granted" : "not granted", BYTES(buffer_bytes(&names)),
                   BYTES(buffer_bytes(&shown)));
}

/* To the role itself. */
static uint32_t granted_on(const struct auth_change *change, struct bytes role, const struct resource *resource)
{
    CLEANUP(buffer_fini) struct buffer name = { 0 };

    resource_name(&name, resource);
    return roles_granted(change->roles, role, buffer_bytes(&name));
}

/* What is there already is not written again, and told in a warning. */
static enum status write_grant(struct execution *execution, struct role_change *change,
                               const struct permissions_statement *statement, bool is_granted)
{
    struct bytes role = statement->grantee;
    struct resource resource;
    enum status status = asker_check_login(&change->asker);
    uint32_t asked, there;

    if (!status && !roles_find(change->change.roles, role))
        status = error_set(execution->err, ERR_INVALID, "Role %.*s doesn't exist", BYTES(role));
    if (!status)
        status = asker_resource(execution, &statement->resource, &resource);
    if (!status)
        status = check_exists(execution, change->change.roles, &resource, "Resource ");
    if (status)
        return status;
    assert(resource.kind != RESOURCE_NONE);
    asked = statement->permissions & resource_permissions(resource.kind);
    if (is_granted && is_strict(&resource, asked))
        return error_set(
            execution->err, ERR_UNAUTHORIZED,
            "Granting permissions on system keyspaces is strictly limited, this operation is not permitted");
    there = granted_on(&change->change, role, &resource) & asked;
    status = auth_write_grant(&change->change, role, &resource, is_granted ? asked & ~there : there, is_granted,
                              execution->err);
    if (!status)
        warn_of_rest(execution, role, &resource, is_granted ? there : asked & ~there, is_granted);
    return status;
}

/* GRANT and REVOKE. */
enum query_result execute_grant_permissions(struct execution *execution)
{
    const struct cql_statement *statement = execution->plan->statement;
    struct role_change change;
    enum status status = role_change_begin(execution, &change);

    if (status)
        return execution_failed(execution, status);
    status = write_grant(execution, &change, statement->permissions, statement->kind == STATEMENT_GRANT_PERMISSIONS);
    return role_change_end(execution, &change, status);
}

/* What is missing of all there is on it. */
static enum status grant_all(struct auth_change *change, struct bytes role, const struct resource *resource,
                             struct error *err)
{
    uint32_t there = granted_on(change, role, resource);

    return auth_write_grant(change, role, resource, resource_permissions(resource->kind) & ~there, true, err);
}

/* As Cassandra, so that who makes something may use it, and grant it. */
enum status grant_to_creator(struct execution *execution, const struct ddl_change *change)
{
    struct auth_login *login = execution->request->session->login;
    struct resource of_table = resource_table(change->keyspace, change->name),
                    of_keyspace = resource_in(RESOURCE_KEYSPACE, change->keyspace),
                    of_functions = resource_in(RESOURCE_FUNCTIONS_IN, change->keyspace);
    struct auth_change writes;
    struct error ended;
    enum status status;

    if (!login || change->action != DDL_CREATED || change->target == DDL_TYPE)
        return OK;
    status = auth_change_begin(login->account, &writes, execution->err);
    if (status)
        return status;
    if (change->target == DDL_TABLE)
        status = grant_all(&writes, login->role, &of_table, execution->err);
    else
        status = grant_all(&writes, login->role, &of_keyspace, execution->err);
    if (!status && change->target == DDL_KEYSPACE)
        status = grant_all(&writes, login->role, &of_functions, execution->err);
    if (auth_change_end(&writes, &ended) && !status)
        status = (*execution->err = ended).status;
    return status;
}

/* ---- LIST ---- */

struct listing {
    struct execution *execution;
    const struct asker *asker;
    const struct permissions_statement *statement;
    const struct role *of; /* NULL: everybody */
    struct role_set set;   /* whose are listed, if it is of somebody */
    struct grant *found;   /* in the arena */
    uint32_t count, capacity;
};

/* Who may not see all sees what it has itself, and of whom it may see. */
static enum status check_listing(const struct listing *listing)
{
    const struct asker *asker = listing->asker;
    struct resource all = resource_in(RESOURCE_ALL_ROLES, bytes_of(NULL, 0));
    const struct role *of = listing->of;

    if (asker_has(asker, PERMISSION_DESCRIBE, &all) || (of && role_set_has(&asker->set, of->name)))
        return OK;
    if (of) {
        struct resource resource = resource_role(of->name);

        if (asker_has(asker, PERMISSION_DESCRIBE, &resource))
            return OK;
    }
    return error_set(asker->err, ERR_UNAUTHORIZED, "You are not authorized to view %.*s's permissions",
                     BYTES(of ? of->name : BYTES_LITERAL("everyone")));
}

/* name NULL data: of all resources. */
static void list_on(struct listing *listing, struct bytes name)
{
    const struct roles *roles = listing->asker->roles;

    for (uint32_t i = 0; i < roles_grant_count(roles); i++) {
        const struct grant *grant = roles_grant_at(roles, i);

        if (!(grant->permissions & listing->statement->permissions) ||
            (!bytes_is_null(name) && !bytes_equal(grant->resource, name)) ||
            (listing->of && !role_set_has(&listing->set, grant->role)))
            continue;
        listing->found = arena_room(listing->asker->arena, listing->found, listing->count, &listing->capacity, 16,
                                    sizeof(*listing->found));
        listing->found[listing->count++] = *grant;
    }
}

static int compare_found(const void *a, const void *b)
{
    const struct grant *one = a, *other = b;
    int order = bytes_compare(one->role, other->role);

    return order ? order : bytes_compare(one->resource, other->resource);
}

/* A row for each permission, in the order of roles, resources, permissions. */
static void give_found(struct listing *listing)
{
    const struct type *text = type_native(TYPE_TEXT);
    static const char *const names[] = { "role", "username", "resource", "permission" };
    struct native_column columns[ARRAY_SIZE(names)];
    struct native_rows rows;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        columns[i] = (struct native_column){ BYTES_LITERAL("system_auth"), BYTES_LITERAL("permissions"),
                                             bytes_of_string(names[i]), text };
    execution_begin_rows(listing->execution, &rows, columns, ARRAY_SIZE(columns), bytes_of(NULL, 0));
    for (uint32_t i = 0; i < listing->count; i++) {
        const struct grant *grant = &listing->found[i];
        CLEANUP(buffer_fini) struct buffer shown = { 0 };
        struct resource resource;

        if (resource_parse(grant->resource, &resource))
            resource_print(&shown, &resource);
        else /* written by hand */
            buffer_append_bytes(&shown, grant->resource);
        for (uint32_t j = 0; j < PERMISSION_COUNT; j++) {
            if (!(grant->permissions & listing->statement->permissions & UINT32_C(1) << j))
                continue;
            native_rows_value(&rows, grant->role);
            native_rows_value(&rows, grant->role);
            native_rows_value(&rows, buffer_bytes(&shown));
            native_rows_value(&rows, bytes_of_string(permission_name(j)));
            native_rows_end_row(&rows);
        }
    }
    native_rows_end(&rows);
}

/* On a resource, and unless NORECURSIVE is said on all that it lies in. */
static enum status list(struct listing *listing)
{
    const struct permissions_statement *statement = listing->statement;
    const struct asker *asker = listing->asker;
    bool has_resource = statement->resource.kind != RESOURCE_NONE, has_grantee = !bytes_is_null(statement->grantee);
    struct resource resource;
    enum status status = OK;

    if (has_resource)
        status = asker_resource(listing->execution, &statement->resource, &resource);
    if (!status && has_resource)
        status = check_exists(listing->execution, asker->roles, &resource, "");
    if (!status && has_grantee && !(listing->of = roles_find(asker->roles, statement->grantee)))
        status = error_set(asker->err, ERR_INVALID, "<role %.*s> doesn't exist", BYTES(statement->grantee));
    if (!status)
        status = check_listing(listing);
    if (status)
        return status;
    if (listing->of)
        listing->set = roles_collect(asker->roles, listing->of, true, asker->arena);
    if (!has_resource) {
        list_on(listing, bytes_of(NULL, 0));
        return OK;
    }
    do {
        CLEANUP(buffer_fini) struct buffer name = { 0 };

        resource_name(&name, &resource);
        list_on(listing, buffer_bytes(&name));
    } while (!statement->no_recursive && resource_up(&resource));
    return OK;
}

/* Nothing found is answered VOID, as by Cassandra. */
enum query_result execute_list_permissions(struct execution *execution)
{
    struct auth_login *login = execution->request->session->login;
    struct asker asker;
    struct listing listing = { .execution = execution,
                               .asker = &asker,
                               .statement = execution->plan->statement->permissions };
    enum status status;

    if (!login)
        return execution_failed(execution, role_change_refuse(execution));
    struct roles *roles = auth_ref_roles(login->account);

    asker_init(&asker, execution, roles);
    status = list(&listing);
    if (!status && listing.count) {
        qsort(listing.found, listing.count, sizeof(*listing.found), compare_found);
        give_found(&listing);
    } else if (!status) {
        native_encode_result_void(execution->out);
    }
    roles_unref(roles);
    return status ? execution_failed(execution, status) : QUERY_DONE;
}
