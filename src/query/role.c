/* Roles made, changed, listed. Each takes its turn among all changes of roles (auth_change_begin),
 * decides by what is there then, writes, and is answered when what it wrote is in force. Passwords
 * become hashes before, as that takes long. */
#include "query/role.h"

#include "auth/auth.h"
#include "auth/password.h"
#include "query/asker.h"
#include "query/role_change.h"

#include <assert.h>

/* ---- what is checked of what was written ---- */

static enum status check_datacenters(struct arena *arena, const struct string_list *list, struct error *err)
{
    struct buffer shown = { 0 };
    bool is_known = true;

    for (uint32_t i = 0; i < list->count; i++) {
        is_known &= bytes_is(list->items[i], AUTH_DATACENTER);
        buffer_printf(&shown, "%s%.*s", i ? ", " : "", BYTES(list->items[i]));
    }
    struct bytes names = buffer_to_arena(arena, &shown);

    return is_known ? OK
                    : error_set(err, ERR_INVALID,
                                "Invalid value(s) for DATACENTERS '[%.*s]',All values must be valid datacenters",
                                BYTES(names));
}

/* Groups are rows of system_auth.cidr_groups; what there is is told to who names another. */
static enum status check_cidr_groups(struct arena *arena, const struct roles *roles, const struct string_list *list,
                                     struct error *err)
{
    struct buffer shown = { 0 };
    bool is_known = true;

    for (uint32_t i = 0; i < list->count; i++) {
        bool is_found = false;

        for (uint32_t j = 0; j < roles_cidr_group_count(roles) && !is_found; j++)
            is_found = bytes_equal(roles_cidr_group_at(roles, j)->name, list->items[i]);
        is_known &= is_found;
        buffer_printf(&shown, "%s%.*s", i ? ", " : "", BYTES(list->items[i]));
    }
    buffer_append_string(&shown, "]. Available CIDR Groups are: [");
    for (uint32_t j = 0; j < roles_cidr_group_count(roles); j++)
        buffer_printf(&shown, "%s%.*s", j ? ", " : "", BYTES(roles_cidr_group_at(roles, j)->name));
    struct bytes names = buffer_to_arena(arena, &shown);

    return is_known ? OK : error_set(err, ERR_INVALID, "Invalid CIDR group(s): [%.*s]", BYTES(names));
}

/* What bcrypt would not see of a password would be no part of it. */
static enum status check_password(struct bytes password, struct error *err)
{
    if (password.size > PASSWORD_BYTES_MAX)
        return error_set(err, ERR_INVALID, "A password has at most %d bytes", PASSWORD_BYTES_MAX);
    if (password.size && memchr(password.data, 0, password.size))
        return error_set(err, ERR_INVALID, "A password has no NUL");
    return OK;
}

/* In the order of Cassandra's checks, before anything is looked up. */
static enum status check_options(const struct role_statement *statement, struct error *err)
{
    if (statement->options)
        return error_set(err, ERR_INVALID, "org.apache.cassandra.auth.CassandraRoleManager doesn't support OPTIONS");
    if (!bytes_is_null(statement->hashed_password) && !password_is_hash(statement->hashed_password))
        return error_set(err, ERR_INVALID, "Invalid hashed password value. Please use jBcrypt.");
    return bytes_is_null(statement->password) ? OK : check_password(statement->password, err);
}

/* hash: where it may be written. */
static enum status take_values(const struct role_statement *statement, char hash[PASSWORD_HASH_BYTES + 1],
                               struct auth_role_values *values, struct error *err)
{
    enum status status = OK;

    *values = (struct auth_role_values){ .has_superuser = statement->superuser != FLAG_UNSET,
                                         .superuser = statement->superuser == FLAG_TRUE,
                                         .has_login = statement->login != FLAG_UNSET,
                                         .login = statement->login == FLAG_TRUE,
                                         .hash = statement->hashed_password };
    if (!bytes_is_null(statement->password)) {
        status = password_hash(statement->password, hash, err);
        values->hash = bytes_of_string(hash);
    }
    return status;
}

/* ---- CREATE, ALTER, DROP ---- */

static enum status create_role(struct auth_change *change, const struct role_statement *statement,
                               const struct auth_role_values *values, struct bytes creator, struct error *err)
{
    struct resource resource = resource_role(statement->name);
    enum status status;

    assert(statement->name.size && creator.size);
    if (roles_find(change->roles, statement->name))
        return statement->if_not_exists ? OK
                                        : error_set(err, ERR_INVALID, "%.*s already exists", BYTES(statement->name));
    for (uint32_t i = 0; i < roles_identity_count(change->roles); i++)
        if (bytes_equal(roles_identity_at(change->roles, i)->role, statement->name))
            return error_set(err, ERR_INVALID, "Cannot create a role '%.*s' when identities already exists for it",
                             BYTES(statement->name));
    /* Where it may come from stands before it can come. */
    status = auth_write_datacenters(change, statement->name, &statement->datacenters, err);
    if (!status)
        status = auth_write_cidr_groups(change, statement->name, &statement->cidrs, err);
    if (!status)
        status = auth_write_role(change, statement->name, values, true, err);
    return status ? status
                  : auth_write_grant(change, creator, &resource, resource_permissions(RESOURCE_ROLE), true, err);
}

/* Hashing comes before the turn: it takes longer than all the rest. */
enum query_result execute_create_role(struct execution *execution)
{
    const struct role_statement *statement = execution->plan->statement->role;
    struct auth_role_values values;
    char hash[PASSWORD_HASH_BYTES + 1];
    struct role_change change;
    enum status status = check_options(statement, execution->err);

    if (!status && !statement->name.size)
        status = error_set(execution->err, ERR_INVALID, "Role name can't be an empty string");
    if (!status)
        status = check_datacenters(execution->request->arena, &statement->datacenters, execution->err);
    if (!status)
        status = take_values(statement, hash, &values, execution->err);
    if (!status && statement->is_user)
        values.login = true;
    if (status)
        return execution_failed(execution, status);
    status = role_change_begin(execution, &change);
    if (status)
        return execution_failed(execution, status);
    status = check_cidr_groups(execution->request->arena, change.change.roles, &statement->cidrs, execution->err);
    if (!status)
        status = asker_check_login(&change.asker);
    if (!status)
        status = create_role(&change.change, statement, &values, change.asker.login->role, execution->err);
    return role_change_end(execution, &change, status);
}

/* ALTER ROLE r alone. */
static bool asks_nothing(const struct role_statement *statement)
{
    return bytes_is_null(statement->password) && bytes_is_null(statement->hashed_password) &&
           statement->superuser == FLAG_UNSET && statement->login == FLAG_UNSET && !statement->options &&
           !statement->all_datacenters && !statement->datacenters.count && !statement->all_cidrs &&
           !statement->cidrs.count;
}

/* Only what was said is written. */
static enum status alter_role(struct auth_change *change, const struct role_statement *statement,
                              const struct auth_role_values *values, struct error *err)
{
    enum status status = OK;

    if (!roles_find(change->roles, statement->name))
        return statement->if_exists ? OK
                                    : error_set(err, ERR_INVALID, "Role %.*s doesn't exist", BYTES(statement->name));
    if (values->has_superuser || values->has_login || !bytes_is_null(values->hash))
        status = auth_write_role(change, statement->name, values, false, err);
    if (!status && (statement->all_datacenters || statement->datacenters.count))
        status = auth_write_datacenters(change, statement->name, &statement->datacenters, err);
    if (!status && (statement->all_cidrs || statement->cidrs.count))
        status = auth_write_cidr_groups(change, statement->name, &statement->cidrs, err);
    return status;
}

/* As CREATE. */
enum query_result execute_alter_role(struct execution *execution)
{
    const struct role_statement *statement = execution->plan->statement->role;
    struct auth_role_values values;
    char hash[PASSWORD_HASH_BYTES + 1];
    struct role_change change;
    enum status status = check_options(statement, execution->err);

    if (!status && asks_nothing(statement))
        status = error_set(execution->err, ERR_INVALID, "ALTER [ROLE|USER] can't be empty");
    if (!status)
        status = check_datacenters(execution->request->arena, &statement->datacenters, execution->err);
    if (!status)
        status = take_values(statement, hash, &values, execution->err);
    if (!status)
        status = role_change_begin(execution, &change);
    if (status)
        return execution_failed(execution, status);
    status = check_cidr_groups(execution->request->arena, change.change.roles, &statement->cidrs, execution->err);
    if (!status)
        status = asker_check_login(&change.asker);
    if (!status)
        status = alter_role(&change.change, statement, &values, execution->err);
    return role_change_end(execution, &change, status);
}

/* Nobody drops the role that it is itself. */
enum query_result execute_drop_role(struct execution *execution)
{
    const struct drop_role_statement *statement = execution->plan->statement->drop_role;
    struct error *err = execution->err;
    struct role_change change;
    enum status status = role_change_begin(execution, &change);

    if (status)
        return execution_failed(execution, status);
    bool is_there = roles_find(change.change.roles, statement->name) != NULL;

    status = asker_check_login(&change.asker);
    if (!status && !is_there && !statement->if_exists)
        status = error_set(err, ERR_INVALID, "%.*s doesn't exist", BYTES(statement->name));
    if (!status && bytes_equal(change.asker.login->role, statement->name))
        status = error_set(err, ERR_INVALID, "Cannot DROP primary role for current login");
    if (!status && is_there)
        status = auth_delete_role(&change.change, statement->name, err);
    return role_change_end(execution, &change, status);
}

/* ---- roles of roles ---- */

static enum status grant_role(const struct role_change *change, struct auth_change *writes,
                              const struct grant_role_statement *statement, bool is_granted, struct error *err)
{
    const struct roles *roles = change->change.roles;
    const struct role *role = roles_find(roles, statement->role), *grantee = roles_find(roles, statement->grantee);
    struct bytes missing = role ? statement->grantee : statement->role;
    struct role_set of_grantee, of_role;

    if (!role || !grantee)
        return error_set(err, ERR_INVALID, "%.*s doesn't exist", BYTES(missing));
    of_grantee = roles_collect(roles, grantee, is_granted, writes->arena);
    if (!is_granted && !role_set_has(&of_grantee, role->name))
        return error_set(err, ERR_INVALID, "%.*s is not a member of %.*s", BYTES(grantee->name), BYTES(role->name));
    of_role = roles_collect(roles, role, true, writes->arena);
    if (is_granted && role_set_has(&of_grantee, role->name))
        return error_set(err, ERR_INVALID, "%.*s is a member of %.*s", BYTES(grantee->name), BYTES(role->name));
    if (is_granted && role_set_has(&of_role, grantee->name))
        return error_set(err, ERR_INVALID, "%.*s is a member of %.*s", BYTES(role->name), BYTES(grantee->name));
    return auth_write_member(writes, role->name, grantee->name, is_granted, err);
}

/* GRANT and REVOKE. */
enum query_result execute_grant_role(struct execution *execution)
{
    const struct cql_statement *statement = execution->plan->statement;
    struct role_change change;
    enum status status = role_change_begin(execution, &change);

    if (status)
        return execution_failed(execution, status);
    status = asker_check_login(&change.asker);
    if (!status)
        status = grant_role(&change, &change.change, statement->grant_role, statement->kind == STATEMENT_GRANT_ROLE,
                            execution->err);
    return role_change_end(execution, &change, status);
}

/* ---- identities ---- */

enum query_result execute_identity(struct execution *execution)
{
    const struct cql_statement *parsed = execution->plan->statement;
    const struct identity_statement *statement = parsed->identity;
    struct error *err = execution->err;
    struct role_change change;
    bool adds = parsed->kind == STATEMENT_ADD_IDENTITY;
    enum status status = role_change_begin(execution, &change);

    if (status)
        return execution_failed(execution, status);
    assert(adds == !bytes_is_null(statement->role));
    bool is_there = roles_has_identity(change.change.roles, statement->identity);

    status = asker_check_login(&change.asker);
    if (!status && adds && !roles_find(change.change.roles, statement->role))
        status =
            error_set(err, ERR_INVALID, "Can not add identity for non-existent role '%.*s'", BYTES(statement->role));
    else if (!status && adds && is_there && !statement->if_not_exists)
        status = error_set(err, ERR_INVALID, "%.*s already exists", BYTES(statement->identity));
    else if (!status && !adds && !is_there && !statement->if_exists)
        status = error_set(err, ERR_INVALID, "identity '%.*s' doesn't exist", BYTES(statement->identity));
    if (!status && adds != is_there)
        status =
            auth_write_identity(&change.change, statement->identity, adds ? statement->role : bytes_of(NULL, 0), err);
    return role_change_end(execution, &change, status);
}

/* ---- LIST ---- */

static struct native_column listed(const char *table, const char *name, const struct type *type)
{
    return (struct native_column){ BYTES_LITERAL("system_auth"), bytes_of_string(table), bytes_of_string(name), type };
}

/* As LIST shows them: n/a for who may not log in, ALL for who is not restricted. */
static struct bytes datacenters_of(struct arena *arena, const struct role *role, bool is_superuser)
{
    struct buffer shown = { 0 };

    if (!role->can_login)
        return BYTES_LITERAL("n/a");
    if (is_superuser || !role->datacenter_count)
        return BYTES_LITERAL("ALL");
    for (uint32_t i = 0; i < role->datacenter_count; i++)
        buffer_printf(&shown, "%s%.*s", i ? ", " : "", BYTES(role->datacenters[i]));
    return buffer_to_arena(arena, &shown);
}

static struct bytes truth(bool value)
{
    return bytes_of(value ? "\1" : "\0", 1);
}

/* LIST ROLES, or LIST USERS: those that may log in, in older words, who are superusers also by roles of theirs. A scratch arena: with
 * thousands of roles, walking each must not add up. */
static void give(struct execution *execution, const struct roles *roles, const struct role_set *set, bool users)
{
    const struct type *text = type_native(TYPE_TEXT), *boolean = type_native(TYPE_BOOLEAN);
    struct arena *arena = execution->request->arena;
    const struct native_column of_roles[] = {
        listed("roles", "role", text),        listed("roles", "super", boolean),
        listed("roles", "login", boolean),    listed("roles", "options", type_map(arena, text, text, false)),
        listed("roles", "datacenters", text),
    };
    const struct native_column of_users[] = {
        listed("users", "name", text),
        listed("users", "super", boolean),
        listed("users", "datacenters", text),
    };
    struct arena *scratch = arena_new(4096);
    struct native_rows rows;

    execution_begin_rows(execution, &rows, users ? of_users : of_roles,
                         users ? ARRAY_SIZE(of_users) : ARRAY_SIZE(of_roles), bytes_of(NULL, 0));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct role *role = set->items[i];
        struct role_set of_role;
        bool is_superuser;

        if (users && !role->can_login)
            continue;
        arena_reset(scratch);
        of_role = roles_collect(roles, role, true, scratch);
        is_superuser = role_set_is_superuser(&of_role);
        native_rows_value(&rows, role->name);
        native_rows_value(&rows, truth(users ? is_superuser : role->is_superuser));
        if (!users) {
            native_rows_value(&rows, truth(role->can_login));
            native_rows_value(&rows, bytes_of("\0\0\0\0", 4));
        }
        native_rows_value(&rows, datacenters_of(scratch, role, is_superuser));
        native_rows_end_row(&rows);
    }
    native_rows_end(&rows);
    arena_free(scratch);
}

/* Who may see all sees all; others themselves and what they were granted. */
static enum status choose_roles(const struct asker *asker, const struct list_roles_statement *statement,
                                struct role_set *set)
{
    struct resource all = resource_in(RESOURCE_ALL_ROLES, bytes_of(NULL, 0));
    bool sees_all = asker_has(asker, PERMISSION_DESCRIBE, &all), is_recursive = !statement->no_recursive;
    const struct roles *roles = asker->roles;
    const struct role *of;

    if (statement->users)
        is_recursive = false;
    if (bytes_is_null(statement->grantee) && sees_all) {
        set->items = arena_new_array(asker->arena, const struct role *, roles_count(roles) + 1);
        for (set->count = 0; set->count < roles_count(roles); set->count++)
            set->items[set->count] = roles_at(roles, set->count);
        return OK;
    }
    of = bytes_is_null(statement->grantee) ? asker->role : roles_find(roles, statement->grantee);
    if (!of)
        return error_set(asker->err, ERR_INVALID, "<role %.*s> doesn't exist",
                         BYTES(bytes_is_null(statement->grantee) ? asker->login->role : statement->grantee));
    if (!sees_all && !role_set_has(&asker->set, of->name))
        return error_set(asker->err, ERR_UNAUTHORIZED, "You are not authorized to view roles granted to %.*s ",
                         BYTES(of->name));
    *set = roles_collect(roles, of, is_recursive, asker->arena);
    return OK;
}

/* By the roles in force: nothing is written, so no turn is taken. */
enum query_result execute_list_roles(struct execution *execution)
{
    const struct list_roles_statement *statement = execution->plan->statement->list_roles;
    struct auth_login *login = execution->request->session->login;
    struct role_set set = { 0 };
    struct asker asker;
    enum status status;

    if (!login)
        return execution_failed(execution, role_change_refuse(execution));
    struct roles *roles = auth_ref_roles(login->account);

    asker_init(&asker, execution, roles);
    status = choose_roles(&asker, statement, &set);
    if (!status)
        give(execution, roles, &set, statement->users);
    roles_unref(roles);
    return status ? execution_failed(execution, status) : QUERY_DONE;
}
