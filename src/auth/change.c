/* What changes of roles write: the rows that Cassandra's would, in such an order that a crash between two of them gives nobody anything
 * more: what a role may goes before the role, and a row of an index before what it tells of where it is made, after where it is removed.
 * Each write is of one partition, and durable before the next.
 *
 * In this order things go:
 *
 *     GRANT of a permission      the index, the permission
 *     REVOKE of a permission     the permission, the index
 *     GRANT of a role            the index (role_members), the grantee's member_of
 *     REVOKE of a role           member_of, the index
 *     CREATE ROLE                where it may come from, the role, what its maker may on it
 *     DROP ROLE                  what it may and others may on it, its members, its identities, the role
 *
 * A statement that ended with an error may have done a part of this; said again it does the rest. */
#include "auth/state.h"

#include "types/value.h"

#include <assert.h>

/* Its bytes in the change's arena; the buffer is given back. */
static struct bytes take_buffer(struct auth_change *change, struct buffer *buffer)
{
    struct bytes copy = arena_copy(change->arena, buffer_bytes(buffer));

    buffer_fini(buffer);
    return copy;
}

/* One partition's rows on their way. */
struct writing {
    struct schema *schema;
    struct rows rows;
};

/* By the definition of this moment: the keyspace may have been altered. */
static void begin(struct auth_change *change, struct writing *writing, const char *table, const char *column,
                  struct bytes key)
{
    const struct auth *auth = change->account->auth;
    const struct table_def *def;

    writing->schema = catalog_ref_schema(auth->options.catalog, change->account->account);
    def = schema_table(writing->schema, BYTES_LITERAL("system_auth"), bytes_of_string(table));
    assert(def); /* the program's own */
    rows_begin(&writing->rows, def, change->arena, clock_realtime_us(auth->options.clock) / 1000000, TTL_NONE);
    rows_put(&writing->rows, column, key);
}

/* Also if it fails: what became of it may not be known. */
static enum status end(struct auth_change *change, struct writing *writing, struct error *err)
{
    struct auth *auth = change->account->auth;
    enum status status = rows_save(&writing->rows, auth->port, err);

    schema_unref(writing->schema);
    atomic_fetch_add(&change->account->touched, 1);
    /* ALTER KEYSPACE system_auth came between, and nothing was done. */
    return status == ERR_STALE ? error_set(err, ERR_OVERLOADED, "system_auth was altered meanwhile: try again")
                               : status;
}

/* The whole row of a table without clustering. */
static enum status delete_row(struct auth_change *change, const char *table, const char *column, struct bytes key,
                              struct error *err)
{
    struct writing writing;

    begin(change, &writing, table, column, key);
    rows_add(&writing.rows);
    rows_delete(&writing.rows);
    return end(change, &writing, err);
}

/* One row of a table with one clustering column. */
static enum status delete_in(struct auth_change *change, const char *table, const char *partition, struct bytes key,
                             const char *clustering, struct bytes value, struct error *err)
{
    struct writing writing;

    begin(change, &writing, table, partition, key);
    rows_add(&writing.rows);
    rows_delete(&writing.rows);
    rows_put(&writing.rows, clustering, value);
    return end(change, &writing, err);
}

/* The same with a row that has nothing but its key. */
static enum status insert_in(struct auth_change *change, const char *table, const char *partition, struct bytes key,
                             const char *clustering, struct bytes value, struct error *err)
{
    struct writing writing;

    begin(change, &writing, table, partition, key);
    rows_add(&writing.rows);
    rows_put(&writing.rows, clustering, value);
    return end(change, &writing, err);
}

/* ---- roles ---- */

enum status auth_write_role(struct auth_change *change, struct bytes role, const struct auth_role_values *values,
                            bool is_new, struct error *err)
{
    struct writing writing;

    if (is_new && roles_count(change->roles) >= AUTH_ROLES_MAX)
        return error_set(err, ERR_LIMIT, "There are %d roles, and there may be no more", AUTH_ROLES_MAX);
    begin(change, &writing, "roles", "role", role);
    if (is_new)
        rows_add(&writing.rows);
    else
        rows_update(&writing.rows);
    if (is_new || values->has_superuser)
        rows_put_number(&writing.rows, "is_superuser", values->superuser);
    if (is_new || values->has_login)
        rows_put_number(&writing.rows, "can_login", values->login);
    if (!bytes_is_null(values->hash))
        rows_put(&writing.rows, "salted_hash", values->hash);
    return end(change, &writing, err);
}

/* role_members is the index, member_of of the grantee what counts. */
enum status auth_write_member(struct auth_change *change, struct bytes role, struct bytes grantee, bool is_granted,
                              struct error *err)
{
    struct writing writing;
    enum status status = OK;

    if (is_granted)
        status = insert_in(change, "role_members", "role", role, "member", grantee, err);
    if (status)
        return status;
    begin(change, &writing, "roles", "role", grantee);
    rows_update(&writing.rows);
    if (is_granted)
        rows_put_element(&writing.rows, "member_of", role);
    else
        rows_remove_element(&writing.rows, "member_of", role);
    status = end(change, &writing, err);
    if (!status && !is_granted)
        status = delete_in(change, "role_members", "role", role, "member", grantee, err);
    return status;
}

/* ---- permissions ---- */

static enum status write_permissions(struct auth_change *change, struct bytes role, struct bytes resource,
                                     uint32_t permissions, bool is_granted, struct error *err)
{
    struct writing writing;

    begin(change, &writing, "role_permissions", "role", role);
    rows_update(&writing.rows);
    rows_put(&writing.rows, "resource", resource);
    for (uint32_t i = 0; i < PERMISSION_COUNT; i++) {
        if (!(permissions & UINT32_C(1) << i))
            continue;
        if (is_granted)
            rows_put_element(&writing.rows, "permissions", bytes_of_string(permission_name(i)));
        else
            rows_remove_element(&writing.rows, "permissions", bytes_of_string(permission_name(i)));
    }
    return end(change, &writing, err);
}

/* As in Cassandra a REVOKE takes the role out of the index, also if it keeps other permissions
 * there. So nothing here goes by the index: what is left is found in the permissions themselves. */
enum status auth_write_grant(struct auth_change *change, struct bytes role, const struct resource *resource,
                             uint32_t permissions, bool is_granted, struct error *err)
{
    struct buffer buffer = { 0 };
    struct bytes name;
    enum status status = OK;

    resource_name(&buffer, resource);
    name = take_buffer(change, &buffer);
    if (!permissions)
        return OK;
    if (is_granted && roles_grant_count(change->roles) >= AUTH_GRANTS_MAX && !roles_granted(change->roles, role, name))
        return error_set(err, ERR_LIMIT, "There are %d grants, and there may be no more", AUTH_GRANTS_MAX);
    if (is_granted)
        status = insert_in(change, "resource_role_permissons_index", "resource", name, "role", role, err);
    if (!status)
        status = write_permissions(change, role, name, permissions, is_granted, err);
    if (!status && !is_granted)
        status = delete_in(change, "resource_role_permissons_index", "resource", name, "role", role, err);
    return status;
}

/* The whole row, whatever permissions it has. */
static enum status revoke_all(struct auth_change *change, const struct grant *grant, struct error *err)
{
    enum status status = delete_in(change, "role_permissions", "role", grant->role, "resource", grant->resource, err);

    return status ? status
                  : delete_in(change, "resource_role_permissons_index", "resource", grant->resource, "role",
                              grant->role, err);
}

/* A keyspace takes along what was granted on its tables and functions, too. Of all grants there
 * are, as Cassandra's index leaves out roles that had others revoked. */
enum status auth_revoke_all_on(struct auth_change *change, struct bytes keyspace, struct bytes table, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < roles_grant_count(change->roles) && !status; i++) {
        const struct grant *grant = roles_grant_at(change->roles, i);
        struct resource resource;

        if (!resource_parse(grant->resource, &resource) || bytes_is_null(resource.keyspace) ||
            !bytes_equal(resource.keyspace, keyspace))
            continue;
        if (bytes_is_null(table) || (resource.kind == RESOURCE_TABLE && bytes_equal(resource.name, table)))
            status = revoke_all(change, grant, err);
    }
    return status;
}

/* ---- the end of a role ---- */

static enum status delete_grants(struct auth_change *change, struct bytes role, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < roles_grant_count(change->roles) && !status; i++) {
        const struct grant *grant = roles_grant_at(change->roles, i);
        struct resource resource;

        if (bytes_equal(grant->role, role) || (resource_parse(grant->resource, &resource) &&
                                               resource.kind == RESOURCE_ROLE && bytes_equal(resource.name, role)))
            status = revoke_all(change, grant, err);
    }
    return status;
}

struct members {
    struct arena *arena;
    struct bytes *items;
    uint32_t count, capacity;
};

/* One row of role_members. */
static enum status take_member(void *context, const struct rows_view *view, struct error *err)
{
    struct members *members = context;

    members->items =
        arena_room(members->arena, members->items, members->count, &members->capacity, 8, sizeof(*members->items));
    members->items[members->count++] = arena_copy(members->arena, rows_get(view, "member"));
    return OK;
}

/* Who the table says is a member of it: more than are, as it keeps those that were dropped. */
static enum status read_members(struct auth_change *change, struct bytes role, struct members *members,
                                struct error *err)
{
    const struct auth *auth = change->account->auth;
    struct schema *schema = catalog_ref_schema(auth->options.catalog, change->account->account);
    const struct table_def *def = schema_table(schema, BYTES_LITERAL("system_auth"), BYTES_LITERAL("role_members"));
    enum status status;

    assert(def);
    *members = (struct members){ .arena = change->arena };
    status =
        rows_read(auth->port, def, role, clock_realtime_us(auth->options.clock) / 1000000, take_member, members, err);
    schema_unref(schema);
    return status;
}

/* A role that is made with its name must have no members. */
static enum status delete_members(struct auth_change *change, struct bytes name, struct error *err)
{
    struct members members;
    enum status status = OK;

    for (uint32_t i = 0; i < roles_count(change->roles) && !status; i++) {
        const struct role *other = roles_at(change->roles, i);

        for (uint32_t j = 0; j < other->parent_count && !status; j++)
            if (bytes_equal(other->parents[j], name))
                status = auth_write_member(change, name, other->name, false, err);
    }
    if (!status)
        status = read_members(change, name, &members, err);
    for (uint32_t i = 0; !status && i < members.count; i++)
        status = delete_in(change, "role_members", "role", name, "member", members.items[i], err);
    return status;
}

/* A certificate of a role that is gone must not be one of the next role of that name. */
static enum status delete_identities(struct auth_change *change, struct bytes role, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < roles_identity_count(change->roles) && !status; i++) {
        const struct role_identity *identity = roles_identity_at(change->roles, i);

        if (bytes_equal(identity->role, role))
            status = delete_row(change, "identity_to_role", "identity", identity->identity, err);
    }
    return status;
}

/* network_permissions goes by the name of the resource, roles/NAME, as Cassandra writes it. */
static struct bytes role_key(struct auth_change *change, struct bytes role)
{
    struct resource resource = resource_role(role);
    struct buffer buffer = { 0 };

    resource_name(&buffer, &resource);
    return take_buffer(change, &buffer);
}

/* The role's own row goes last: a role that could not be dropped whole is there, with less, and is
 * dropped again. */
enum status auth_delete_role(struct auth_change *change, struct bytes role, struct error *err)
{
    enum status status = delete_grants(change, role, err);

    if (!status)
        status = delete_members(change, role, err);
    if (!status)
        status = delete_identities(change, role, err);
    if (!status)
        status = delete_row(change, "roles", "role", role, err);
    if (!status)
        status = delete_row(change, "network_permissions", "role", role_key(change, role), err);
    return status ? status : delete_row(change, "cidr_permissions", "role", role, err);
}

/* ---- where a role may come from ---- */

/* In order, each once, as a frozen set has them. */
static struct bytes set_of(struct auth_change *change, const struct string_list *list)
{
    struct buffer buffer = { 0 };
    uint32_t count = 0;
    struct bytes last = { NULL, 0 };

    buffer_append_be32(&buffer, 0);
    for (;;) {
        const struct bytes *next = NULL;

        for (uint32_t i = 0; i < list->count; i++)
            if ((bytes_is_null(last) || bytes_compare(list->items[i], last) > 0) &&
                (!next || bytes_compare(list->items[i], *next) < 0))
                next = &list->items[i];
        if (!next)
            break;
        buffer_append_be32(&buffer, (uint32_t)next->size);
        buffer_append_bytes(&buffer, *next);
        last = *next;
        count++;
    }
    store_be32(buffer.data, count);
    return take_buffer(change, &buffer);
}

/* A frozen set is one value, and replaced whole. */
static enum status write_set(struct auth_change *change, const char *table, struct bytes key, const char *column,
                             const struct string_list *list, struct error *err)
{
    struct writing writing;

    begin(change, &writing, table, "role", key);
    rows_update(&writing.rows);
    rows_put(&writing.rows, column, set_of(change, list));
    return end(change, &writing, err);
}

/* An empty list: all. */
enum status auth_write_datacenters(struct auth_change *change, struct bytes role, const struct string_list *list,
                                   struct error *err)
{
    return write_set(change, "network_permissions", role_key(change, role), "dcs", list, err);
}

/* The same; here the key is the role's own name. */
enum status auth_write_cidr_groups(struct auth_change *change, struct bytes role, const struct string_list *list,
                                   struct error *err)
{
    return write_set(change, "cidr_permissions", role, "cidr_groups", list, err);
}

/* One identity has one role; a role may have many. */
enum status auth_write_identity(struct auth_change *change, struct bytes identity, struct bytes role, struct error *err)
{
    struct writing writing;

    if (bytes_is_null(role))
        return delete_row(change, "identity_to_role", "identity", identity, err);
    if (roles_identity_count(change->roles) >= AUTH_IDENTITIES_MAX)
        return error_set(err, ERR_LIMIT, "There are %d identities, and there may be no more", AUTH_IDENTITIES_MAX);
    begin(change, &writing, "identity_to_role", "identity", identity);
    rows_add(&writing.rows);
    rows_put(&writing.rows, "role", role);
    return end(change, &writing, err);
}
