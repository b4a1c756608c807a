/* What each statement needs, and whether the session's role has it. The table of statements says which permission on which kind of
 * resource; here the statement's names become that resource, and it and all that it lies in are asked for. Then there are the rules that
 * Cassandra has besides: system tables that everybody may read, definitions of system keyspaces that nobody may change, rows of system
 * keyspaces that ALL KEYSPACES does not reach, and what is asked of a role that changes roles.
 *
 * The words are Cassandra's (ClientState.java and the statements, release 5.0). */
#include "query/authorize.h"

#include "query/statement.h"
#include "schema/ddl.h"

#include <assert.h>

/* ---- keyspaces and tables ---- */

/* Drivers and cqlsh read them. */
static bool is_readable_by_all(const struct resource *resource)
{
    static const char *const of_system[] = { "local", "peers", "peers_v2", "size_estimates", "table_estimates" };

    if (resource->kind != RESOURCE_TABLE)
        return false;
    if (bytes_is(resource->keyspace, "system_schema") || bytes_is(resource->keyspace, "system_schema_mcs") ||
        bytes_is(resource->keyspace, "system_virtual_schema"))
        return true;
    if (bytes_is(resource->keyspace, "system_traces"))
        return bytes_is(resource->name, "sessions") || bytes_is(resource->name, "events");
    for (size_t i = 0; i < ARRAY_SIZE(of_system) && bytes_is(resource->keyspace, "system"); i++)
        if (bytes_is(resource->name, of_system[i]))
            return true;
    return false;
}

/* Nobody changes definitions of the system, but how its keyspaces are replicated. */
static enum status check_system(const struct asker *asker, uint32_t permissions, const struct resource *resource)
{
    CLEANUP(buffer_fini) struct buffer shown = { 0 };
    uint32_t changes = permissions & (PERMISSION_CREATE | PERMISSION_ALTER | PERMISSION_DROP);

    if (!changes || bytes_is_null(resource->keyspace))
        return OK;
    if (ddl_is_local_system_keyspace(resource->keyspace))
        return error_set(asker->err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.",
                         BYTES(resource->keyspace));
    if (!ddl_is_replicated_system_keyspace(resource->keyspace) ||
        (changes == PERMISSION_ALTER && resource->kind == RESOURCE_KEYSPACE))
        return OK;
    resource_print(&shown, resource);
    return error_set(asker->err, ERR_UNAUTHORIZED, "Cannot %s %.*s", permission_name((uint32_t)__builtin_ctz(changes)),
                     BYTES(buffer_bytes(&shown)));
}

static enum status need_data(const struct asker *asker, uint32_t permissions, const struct resource *resource)
{
    enum status status = asker_check_login(asker);

    if (!status)
        status = check_system(asker, permissions, resource);
    if (status || (permissions == PERMISSION_SELECT && is_readable_by_all(resource)))
        return status;
    return asker_need(asker, permissions, resource);
}

/* The names that a statement of definitions is about: in which keyspace, and which table if it is
 * one. */
static struct qualified_name name_of(const struct cql_statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_TRUNCATE:
    case STATEMENT_DROP_TABLE:
    case STATEMENT_DROP_TYPE: return statement->named->name;
    case STATEMENT_CREATE_KEYSPACE:
    case STATEMENT_ALTER_KEYSPACE: return (struct qualified_name){ .keyspace = statement->keyspace->name };
    case STATEMENT_DROP_KEYSPACE: return (struct qualified_name){ .keyspace = statement->drop_keyspace->name };
    case STATEMENT_CREATE_TABLE: return statement->create_table->table;
    case STATEMENT_ALTER_TABLE: return statement->alter_table->table;
    case STATEMENT_RESTORE_TABLE: return statement->restore_table->table;
    case STATEMENT_CREATE_TYPE: return statement->create_type->name;
    case STATEMENT_ALTER_TYPE: return statement->alter_type->name;
    case STATEMENT_CREATE_INDEX: return statement->create_index->table;
    case STATEMENT_CREATE_VIEW: return statement->create_view->table;
    case STATEMENT_ALTER_VIEW: return statement->alter_view->view;
    case STATEMENT_CREATE_FUNCTION: return statement->create_function->name;
    case STATEMENT_CREATE_AGGREGATE: return statement->create_aggregate->name;
    default: assert(!"a statement without a name"); __builtin_unreachable();
    }
}

/* As the table of statements has it, filled in with what the plan names. */
static enum status resource_of(struct execution *execution, const struct plan *plan, struct resource *resource)
{
    enum resource_kind kind = statement_of(plan->statement->kind)->need.resource;
    struct qualified_name name;

    if (plan->table) {
        *resource = resource_table(plan->table->keyspace, plan->table->name);
        return OK;
    }
    assert(kind == RESOURCE_ALL_KEYSPACES || kind == RESOURCE_KEYSPACE || kind == RESOURCE_ALL_TABLES ||
           kind == RESOURCE_TABLE || kind == RESOURCE_FUNCTIONS_IN);
    if (kind == RESOURCE_ALL_KEYSPACES) {
        *resource = resource_in(kind, bytes_of(NULL, 0));
        return OK;
    }
    name = name_of(plan->statement);
    if (bytes_is_null(name.keyspace))
        name.keyspace = execution->keyspace;
    if (bytes_is_null(name.keyspace))
        return error_set(execution->err, ERR_INVALID, "%s", asker_no_keyspace);
    *resource = kind == RESOURCE_TABLE ? resource_table(name.keyspace, name.name) : resource_in(kind, name.keyspace);
    return OK;
}

static bool has_condition(const struct plan *plan)
{
    const struct modify_plan *modify = plan->modify;

    return modify && (modify->if_exists || modify->if_not_exists || modify->condition_count);
}

/* Each permission by itself: the second is asked only if there is a condition. */
static enum status authorize_data(const struct asker *asker, struct execution *execution, const struct plan *plan)
{
    const struct need *needs = &statement_of(plan->statement->kind)->need;
    struct resource resource;
    enum status status = resource_of(execution, plan, &resource);

    if (status)
        return status;
    /* A new keyspace is asked for by its parent, and its name looked at later. */
    status = need_data(asker, needs->permissions, &resource);
    return status || !has_condition(plan) ? status : need_data(asker, needs->with_conditions, &resource);
}

/* ---- roles ---- */

/* Cassandra says no more than this of what is missing on roles. */
static enum status need_role(const struct asker *asker, uint32_t permissions, const struct resource *resource)
{
    if (asker_has(asker, permissions, resource))
        return OK;
    return error_set(asker->err, ERR_UNAUTHORIZED,
                     "User %.*s does not have sufficient privileges to perform the requested operation",
                     BYTES(asker->login->role));
}

/* In words that name nothing. */
static enum status refuse(const struct asker *asker, const char *why)
{
    return error_set(asker->err, ERR_UNAUTHORIZED, "%s", why);
}

/* Who may make roles may not make one that may more than itself. */
static enum status authorize_create_role(const struct asker *asker, const struct role_statement *statement)
{
    struct resource all = resource_in(RESOURCE_ALL_ROLES, bytes_of(NULL, 0));
    enum status status = need_role(asker, PERMISSION_CREATE, &all);

    if (!status && statement->superuser == FLAG_TRUE && !asker->is_superuser)
        return refuse(asker, "Only superusers can create a role with superuser status");
    return status;
}

/* One's own password anybody may change, and nothing else of oneself. */
static enum status authorize_alter_role(const struct asker *asker, const struct role_statement *statement)
{
    struct resource resource = resource_role(statement->name);
    bool asks_superuser = statement->superuser != FLAG_UNSET;

    if (asks_superuser && role_set_has(&asker->set, statement->name))
        return refuse(asker, "You aren't allowed to alter your own superuser status or that of a role granted to you");
    if (asks_superuser && !asker->is_superuser)
        return refuse(asker, "Only superusers are allowed to alter superuser status");
    if ((statement->all_datacenters || statement->datacenters.count) && !asker->is_superuser)
        return refuse(asker, "Only superusers are allowed to alter access to datacenters.");
    if ((statement->all_cidrs || statement->cidrs.count) && !asker->is_superuser)
        return refuse(asker, "Only superusers are allowed to alter access from CIDR groups.");
    if (asker->is_superuser)
        return OK;
    if (!asker->role || !bytes_equal(asker->login->role, statement->name))
        return need_role(asker, PERMISSION_ALTER, &resource);
    if (statement->login != FLAG_UNSET)
        return refuse(asker, "You aren't allowed to alter LOGIN");
    if (statement->options)
        return refuse(asker, "You aren't allowed to alter OPTIONS");
    return OK;
}

/* Nor take one away that may more. */
static enum status authorize_drop_role(const struct asker *asker, const struct drop_role_statement *statement)
{
    struct resource resource = resource_role(statement->name);
    const struct role *role = roles_find(asker->roles, statement->name);
    enum status status = need_role(asker, PERMISSION_DROP, &resource);

    if (!status && role && !asker->is_superuser) {
        struct role_set set = roles_collect(asker->roles, role, true, asker->arena);

        if (role_set_is_superuser(&set))
            return refuse(asker, "Only superusers can drop a role with superuser status");
    }
    return status;
}

/* Who grants must have what is granted. */
static enum status authorize_permissions(const struct asker *asker, struct execution *execution,
                                         const struct permissions_statement *statement)
{
    struct resource resource;
    enum status status = asker_resource(execution, &statement->resource, &resource);

    if (!status)
        status = asker_need(asker, PERMISSION_AUTHORIZE, &resource);
    return status ? status : asker_need(asker, statement->permissions & resource_permissions(resource.kind), &resource);
}

/* LIST and some others are asked no more here: it depends on what they show. */
static enum status authorize_role(const struct asker *asker, struct execution *execution,
                                  const struct cql_statement *statement)
{
    struct resource resource;

    switch (statement->kind) {
    case STATEMENT_CREATE_ROLE: return authorize_create_role(asker, statement->role);
    case STATEMENT_ALTER_ROLE: return authorize_alter_role(asker, statement->role);
    case STATEMENT_DROP_ROLE: return authorize_drop_role(asker, statement->drop_role);
    case STATEMENT_GRANT_ROLE:
    case STATEMENT_REVOKE_ROLE:
        resource = resource_role(statement->grant_role->role);
        return need_role(asker, PERMISSION_AUTHORIZE, &resource);
    case STATEMENT_GRANT_PERMISSIONS:
    case STATEMENT_REVOKE_PERMISSIONS: return authorize_permissions(asker, execution, statement->permissions);
    /* As in Cassandra it is one's own role that is asked about, and so all roles. */
    case STATEMENT_ADD_IDENTITY:
        resource = resource_role(asker->login->role);
        return need_role(asker, PERMISSION_CREATE, &resource);
    case STATEMENT_DROP_IDENTITY:
        resource = resource_role(asker->login->role);
        return need_role(asker, PERMISSION_DROP, &resource);
    default: return asker_check_login(asker); /* LIST: what is shown depends on who asks, and is decided there */
    }
}

/* ---- all ---- */

static bool is_about_roles(enum statement_kind kind)
{
    return kind >= STATEMENT_CREATE_ROLE && kind <= STATEMENT_DROP_IDENTITY;
}

/* What drops things that there are none of here asks only for who drops one: its name is not found. */
static bool is_of_nothing(enum statement_kind kind)
{
    return kind == STATEMENT_DROP_INDEX || kind == STATEMENT_DROP_VIEW || kind == STATEMENT_DROP_FUNCTION ||
           kind == STATEMENT_DROP_AGGREGATE;
}

/* By the statement's line in the table. */
static enum status authorize_one(const struct asker *asker, struct execution *execution, const struct plan *plan)
{
    enum statement_kind kind = plan->statement->kind;
    enum status status = OK;

    switch (statement_of(kind)->need.kind) {
    case NEED_LOGIN: return asker_check_login(asker);
    case NEED_OF_PARTS:
        for (uint32_t i = 0; i < plan->part_count && !status; i++)
            status = authorize_one(asker, execution, plan->parts[i]);
        return status;
    case NEED_SUPERUSER:
        if (asker->is_superuser)
            return OK;
        return refuse(asker, kind == STATEMENT_CREATE_TRIGGER
                                 ? "Only superusers are allowed to perform CREATE TRIGGER queries"
                                 : "Only superusers are allowed to perfrom DROP TRIGGER queries");
    case NEED_PERMISSION:
    case NEED_ON_WRITTEN:
        if (is_about_roles(kind))
            return authorize_role(asker, execution, plan->statement);
        return is_of_nothing(kind) ? asker_check_login(asker) : authorize_data(asker, execution, plan);
    case NEED_UNKNOWN: break;
    }
    return error_set(asker->err, ERR_UNAUTHORIZED, "It is not known what this needs");
}

/* Of a batch all by the same roles. */
enum status authorize_plans(struct execution *execution, const struct plan *const *plans, uint32_t count)
{
    struct auth_login *login = execution->request->session->login;
    struct roles *roles = auth_ref_roles(login->account);
    struct asker asker;
    enum status status = OK;

    asker_init(&asker, execution, roles);
    for (uint32_t i = 0; i < count && !status; i++) {
        assert(plans[i]->statement);
        status = authorize_one(&asker, execution, plans[i]);
    }
    roles_unref(roles);
    return status;
}

/* The epoch is read before the roles: a change between the two is not missed, at most looked at
 * twice. */
enum status authorize_slowly(struct execution *execution, struct prepared *prepared)
{
    struct auth_login *login = execution->request->session->login;
    uint64_t epoch = atomic_load_explicit(login->epoch, memory_order_acquire);
    const struct plan *plan = &prepared->plan;
    enum status status = authorize_plans(execution, &plan, 1);

    if (!status && !execution->context->may_wait)
        auth_login_remember(login, prepared->number, epoch);
    return status;
}
