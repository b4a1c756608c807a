/* Names of resources, and what lies in what:
 *
 *     <all keyspaces>  <  <keyspace k>  <  <all tables in k>  <  <table k.t>
 *     <all roles>      <  <role r>
 *     <all functions>  <  <all functions in k>  <  <function k.f(..)>
 *     <all mbeans>     <  <mbean m>
 *
 * A permission on what stands to the left counts for what stands to the right of it. A keyspace's and a table's name has no '/', so they are told apart by it; a role's may have
 * one, and is the rest. */
#include "auth/resource.h"

#include <assert.h>

/* On what is defined, and on rows. */
enum {
    SCHEMA = PERMISSION_ALTER | PERMISSION_DROP | PERMISSION_AUTHORIZE,
    ROWS = PERMISSION_SELECT | PERMISSION_MODIFY | PERMISSION_UNMASK | PERMISSION_SELECT_MASKED,
};

static const struct {
    const char *root;
    enum resource_kind up;
    uint32_t permissions;
} kinds[] = {
    [RESOURCE_ALL_KEYSPACES] = { "data", RESOURCE_NONE, PERMISSION_CREATE | SCHEMA | ROWS },
    [RESOURCE_KEYSPACE] = { "data", RESOURCE_ALL_KEYSPACES, PERMISSION_CREATE | SCHEMA | ROWS },
    [RESOURCE_ALL_TABLES] = { "data", RESOURCE_KEYSPACE, PERMISSION_CREATE | SCHEMA | ROWS },
    [RESOURCE_TABLE] = { "data", RESOURCE_ALL_TABLES, SCHEMA | ROWS },
    [RESOURCE_ALL_ROLES] = { "roles", RESOURCE_NONE, PERMISSION_CREATE | SCHEMA | PERMISSION_DESCRIBE },
    [RESOURCE_ROLE] = { "roles", RESOURCE_ALL_ROLES, SCHEMA | PERMISSION_DESCRIBE },
    [RESOURCE_ALL_FUNCTIONS] = { "functions", RESOURCE_NONE, PERMISSION_CREATE | SCHEMA | PERMISSION_EXECUTE },
    [RESOURCE_FUNCTIONS_IN] = { "functions", RESOURCE_ALL_FUNCTIONS, PERMISSION_CREATE | SCHEMA | PERMISSION_EXECUTE },
    [RESOURCE_FUNCTION] = { "functions", RESOURCE_FUNCTIONS_IN, SCHEMA | PERMISSION_EXECUTE },
    [RESOURCE_ALL_MBEANS] = { "mbean", RESOURCE_NONE,
                              PERMISSION_AUTHORIZE | PERMISSION_DESCRIBE | PERMISSION_EXECUTE | PERMISSION_MODIFY |
                                  PERMISSION_SELECT },
    [RESOURCE_MBEAN] = { "mbean", RESOURCE_ALL_MBEANS,
                         PERMISSION_AUTHORIZE | PERMISSION_DESCRIBE | PERMISSION_EXECUTE | PERMISSION_MODIFY |
                             PERMISSION_SELECT },
    [RESOURCE_MBEANS] = { "mbean", RESOURCE_ALL_MBEANS,
                          PERMISSION_AUTHORIZE | PERMISSION_DESCRIBE | PERMISSION_EXECUTE | PERMISSION_MODIFY |
                              PERMISSION_SELECT },
};

/* As system_auth has it. Of all tables in a keyspace the last part is a star. */
void resource_name(struct buffer *out, const struct resource *resource)
{
    assert(resource->kind > RESOURCE_NONE && resource->kind < ARRAY_SIZE(kinds));
    buffer_append_string(out, kinds[resource->kind].root);
    if (!bytes_is_null(resource->keyspace))
        buffer_printf(out, "/%.*s", BYTES(resource->keyspace));
    if (resource->kind == RESOURCE_ALL_TABLES)
        buffer_append_string(out, "/*");
    if (!bytes_is_null(resource->name))
        buffer_printf(out, "/%.*s", BYTES(resource->name));
}

/* As Cassandra's messages and LIST show it, between angle brackets. */
void resource_print(struct buffer *out, const struct resource *resource)
{
    struct bytes keyspace = resource->keyspace, name = resource->name;

    switch (resource->kind) {
    case RESOURCE_NONE: return;
    case RESOURCE_ALL_KEYSPACES: buffer_append_string(out, "<all keyspaces>"); return;
    case RESOURCE_KEYSPACE: buffer_printf(out, "<keyspace %.*s>", BYTES(keyspace)); return;
    case RESOURCE_ALL_TABLES: buffer_printf(out, "<all tables in %.*s>", BYTES(keyspace)); return;
    case RESOURCE_TABLE: buffer_printf(out, "<table %.*s.%.*s>", BYTES(keyspace), BYTES(name)); return;
    case RESOURCE_ALL_ROLES: buffer_append_string(out, "<all roles>"); return;
    case RESOURCE_ROLE: buffer_printf(out, "<role %.*s>", BYTES(name)); return;
    case RESOURCE_ALL_FUNCTIONS: buffer_append_string(out, "<all functions>"); return;
    case RESOURCE_FUNCTIONS_IN: buffer_printf(out, "<all functions in %.*s>", BYTES(keyspace)); return;
    case RESOURCE_FUNCTION: buffer_printf(out, "<function %.*s.%.*s>", BYTES(keyspace), BYTES(name)); return;
    case RESOURCE_ALL_MBEANS: buffer_append_string(out, "<all mbeans>"); return;
    case RESOURCE_MBEAN:
    case RESOURCE_MBEANS: buffer_printf(out, "<mbean %.*s>", BYTES(name)); return;
    }
}

/* What stands before the next '/', and takes it and the '/' off. */
static struct bytes take_part(struct bytes *rest)
{
    const uint8_t *slash = rest->size ? memchr(rest->data, '/', rest->size) : NULL;
    struct bytes part = *rest;

    if (!slash) {
        *rest = bytes_of(NULL, 0);
        return part;
    }
    part.size = (size_t)(slash - rest->data);
    *rest = bytes_of(slash + 1, rest->size - part.size - 1);
    return part;
}

/* The other way of resource_name. A root alone, a keyspace alone, and what has both names are told
 * apart by what is left after each part. What is neither is nobody's. */
bool resource_parse(struct bytes name, struct resource *resource)
{
    struct bytes rest = name, root = take_part(&rest);

    *resource = (struct resource){ 0 };
    if (bytes_is(root, "roles")) {
        *resource = bytes_is_null(rest) ? resource_in(RESOURCE_ALL_ROLES, rest) : resource_role(rest);
    } else if (bytes_is(root, "mbean")) {
        *resource = (struct resource){ bytes_is_null(rest) ? RESOURCE_ALL_MBEANS : RESOURCE_MBEAN, { NULL, 0 }, rest };
    } else if (bytes_is(root, "data") || bytes_is(root, "functions")) {
        bool is_data = bytes_is(root, "data"), is_root = bytes_is_null(rest);

        resource->kind = is_data ? RESOURCE_ALL_KEYSPACES : RESOURCE_ALL_FUNCTIONS;
        if (is_root)
            return true;
        resource->keyspace = take_part(&rest);
        resource->kind = is_data ? RESOURCE_KEYSPACE : RESOURCE_FUNCTIONS_IN;
        if (bytes_is_null(rest))
            return true;
        if (is_data && bytes_is(rest, "*")) {
            resource->kind = RESOURCE_ALL_TABLES;
            return true;
        }
        resource->kind = is_data ? RESOURCE_TABLE : RESOURCE_FUNCTION;
        resource->name = rest;
    }
    return resource->kind != RESOURCE_NONE;
}

/* What is above has fewer names: the last one goes first. */
bool resource_up(struct resource *resource)
{
    enum resource_kind up = kinds[resource->kind].up;

    if (up == RESOURCE_NONE)
        return false;
    resource->kind = up;
    resource->name = bytes_of(NULL, 0);
    if (up == RESOURCE_ALL_KEYSPACES || up == RESOURCE_ALL_FUNCTIONS)
        resource->keyspace = bytes_of(NULL, 0);
    return true;
}

/* GRANT ALL means these, and a GRANT of others on such a resource is refused by the parser. */
uint32_t resource_permissions(enum resource_kind kind)
{
    return kinds[kind].permissions;
}

static const char *const permission_names[PERMISSION_COUNT] = {
    "CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED",
};

static_assert(PERMISSION_ALL == (1 << PERMISSION_COUNT) - 1, "each bit has its name");

/* As Cassandra's enum Permission is spelt, in its order. */
const char *permission_name(uint32_t number)
{
    assert(number < PERMISSION_COUNT);
    return permission_names[number];
}

/* Exactly as it is spelt: rows of system_auth have nothing else. */
uint32_t permission_parse(struct bytes name)
{
    for (uint32_t i = 0; i < PERMISSION_COUNT; i++)
        if (bytes_is(name, permission_names[i]))
            return UINT32_C(1) << i;
    return 0;
}
