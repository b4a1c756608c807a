/* CREATE TYPE, ALTER TYPE and DROP TYPE. A user type is spelt out in every type and
 * table that uses it, so that reading a value needs no lookup. The price is paid here:
 * changing a type makes anew all that use it (spread_type), after looking how large
 * that would become (check_spread). Source:
 * org.apache.cassandra.cql3.statements.schema, release 5.0. */
#include "schema/build.h"
#include "schema/change.h"
#include "schema/resolve.h"

#include <assert.h>

/* NULL too if there is no keyspace. */
static const struct type *find_type(const struct keyspace_def *keyspace, struct bytes name)
{
    uint32_t index;

    return keyspace && keyspace_def_find_type(keyspace, name, &index) ? keyspace->types[index] : NULL;
}

/* What a field may not be, before its type is looked up. */
static enum status check_field_as_written(struct change *c, const struct cql_type *type)
{
    if (type->kind == TYPE_COUNTER)
        return error_set(c->err, ERR_INVALID, "A user type cannot contain counters");
    if (type->kind == TYPE_UDT && !type->frozen)
        return error_set(c->err, ERR_INVALID, "A user type cannot contain non-frozen UDTs");
    return OK;
}

/* All types of a keyspace with one of `nodes` more. */
static enum status check_type_sum(struct change *c, const struct keyspace_def *keyspace, uint64_t nodes)
{
    for (uint32_t i = 0; i < keyspace->type_count; i++)
        nodes += type_node_count(keyspace->types[i]);
    return change_check_node_sum(c, nodes);
}

/* Field names are checked before the keyspace is looked for, as in Cassandra. */
enum status change_create_type(struct change *c, const struct create_type_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type **types;
    const struct type *type;
    struct keyspace_def *def;
    struct bytes *names;
    struct bytes name, twin;
    enum status status;

    if ((status = change_keyspace_of(c, statement->name, &name)) ||
        (status = change_check_access(c, "CREATE", name, bytes_of(NULL, 0))))
        return status;
    /* Before anything is allocated for them. */
    if (statement->field_count > SCHEMA_TYPE_FIELDS_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many fields: the limit is %d", SCHEMA_TYPE_FIELDS_MAX);
    types = arena_new_array(c->arena, const struct type *, statement->field_count + 1);
    names = arena_new_array(c->arena, struct bytes, statement->field_count + 1);
    for (uint32_t i = 0; i < statement->field_count; i++)
        names[i] = statement->fields[i].name;
    twin = change_find_twin(c->arena, names, statement->field_count);
    if (!bytes_is_null(twin))
        return error_set(c->err, ERR_INVALID, "Duplicate field name '%.*s' in type '%.*s'", BYTES(twin),
                         BYTES(statement->name.name));
    for (uint32_t i = 0; i < statement->field_count; i++)
        if ((status = check_field_as_written(c, statement->fields[i].type)) ||
            (status = change_check_column_name(c, names[i])))
            return status;
    keyspace = schema_keyspace(c->schema, name);
    if (!keyspace)
        return change_no_keyspace(c, name);
    /* IF NOT EXISTS hides whatever is wrong with the fields' types, as in Cassandra. */
    if (find_type(keyspace, statement->name.name)) {
        if (statement->if_not_exists)
            return change_none(c);
        return error_set(c->err, ERR_INVALID, "A user type with name '%.*s' already exists",
                         BYTES(statement->name.name));
    }
    for (uint32_t i = 0; i < statement->field_count; i++)
        if ((status = resolve_type(c->arena, keyspace, statement->fields[i].type, &types[i], c->err)))
            return status;
    /* Under construction in the request's arena; the keyspace copies it. */
    type = type_udt(c->arena, name, statement->name.name, names, types, statement->field_count, false);
    if (keyspace->type_count >= SCHEMA_TYPES_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many types: the limit is %d", SCHEMA_TYPES_MAX);
    if ((status = change_check_column_name(c, statement->name.name)) ||
        (status = check_type_sum(c, keyspace, type_node_count(type))))
        return status;
    assert(type->kind == TYPE_UDT);
    def = keyspace_def_clone(keyspace, 0, 1);
    keyspace_def_put_type(def, type, c->context->now_us);
    change_put_keyspace(c, def);
    return change_done(c, DDL_CREATED, DDL_TYPE, name, statement->name.name);
}

/* In its partition key only, or in any column. */
static bool table_uses_type(const struct table_def *table, struct bytes name, bool partition_key_only)
{
    uint32_t count = partition_key_only ? table->partition_key_count : table->column_count;

    /* Partition key columns come first. */
    for (uint32_t i = 0; i < count; i++)
        if (type_uses_udt(table->columns[i].type, name))
            return true;
    return false;
}

/* The tables that use a type: "k1.u4, k1.u5", without their keyspace "u4, u5". Nothing
 * is appended if there are none. */
static void append_users(struct buffer *out, const struct keyspace_def *keyspace, struct bytes type,
                         bool partition_key_only, bool with_keyspace)
{
    for (uint32_t i = 0; i < keyspace->table_count; i++) {
        if (!table_uses_type(keyspace->tables[i], type, partition_key_only))
            continue;
        if (out->size)
            buffer_append_string(out, ", ");
        if (with_keyspace)
            buffer_printf(out, "%.*s.", BYTES(keyspace->name));
        buffer_append_bytes(out, keyspace->tables[i]->name);
    }
}

/* ADD field. A partition key's bytes would change with the type, so a type that is used
 * in one cannot grow. */
static enum status add_field(struct change *c, const struct keyspace_def *keyspace, const struct type *old,
                             const struct alter_type_statement *statement, const struct type **result)
{
    const struct field_spec *field = &statement->field;
    const char *shown = resolve_print_written(c->arena, keyspace->name, field->type);
    const struct type *type;
    const struct type **types;
    struct bytes *names;
    struct buffer users = { 0 };
    enum status status;

    for (uint32_t i = 0; i < old->param_count; i++) {
        if (!bytes_equal(old->field_names[i], field->name))
            continue;
        /* The same type: the caller sees that nothing has changed. */
        if (statement->if_field_not_exists) {
            *result = old;
            return OK;
        }
        return error_set(c->err, ERR_INVALID,
                         "Cannot add field %.*s to type %.*s.%.*s: a field with name %.*s already exists",
                         BYTES(field->name), BYTES(keyspace->name), BYTES(old->name), BYTES(field->name));
    }
    if ((status = resolve_type(c->arena, keyspace, field->type, &type, c->err)) ||
        (status = change_check_column_name(c, field->name)))
        return status;
    /* A type that holds itself would have no end. */
    if (type_uses_udt(type, old->name))
        return error_set(
            c->err, ERR_INVALID,
            "Cannot add new field %.*s of type %s to user type %.*s.%.*s as it would create a circular reference",
            BYTES(field->name), shown, BYTES(keyspace->name), BYTES(old->name));
    /* The message lists all tables, not only the first. */
    append_users(&users, keyspace, old->name, true, true);
    if (users.size) {
        error_set(
            c->err, ERR_INVALID,
            "Cannot add new field %.*s of type %s to user type %.*s.%.*s as the type is being used in partition key by the following "
            "tables: %.*s",
            BYTES(field->name), shown, BYTES(keyspace->name), BYTES(old->name), BYTES(buffer_bytes(&users)));
        buffer_fini(&users);
        return ERR_INVALID;
    }
    if (old->param_count >= SCHEMA_TYPE_FIELDS_MAX)
        return error_set(c->err, ERR_LIMIT, "Too many fields: the limit is %d", SCHEMA_TYPE_FIELDS_MAX);
    types = arena_new_array(c->arena, const struct type *, old->param_count + 1);
    names = arena_new_array(c->arena, struct bytes, old->param_count + 1);
    for (uint32_t i = 0; i < old->param_count; i++) {
        types[i] = old->params[i];
        names[i] = old->field_names[i];
    }
    assert(old->kind == TYPE_UDT);
    types[old->param_count] = type;
    names[old->param_count] = field->name;
    *result = type_udt(c->arena, keyspace->name, old->name, names, types, old->param_count + 1, false);
    return OK;
}

/* RENAME: values do not change, since fields are stored by number. */
static enum status rename_fields(struct change *c, const struct keyspace_def *keyspace, const struct type *old,
                                 const struct alter_type_statement *statement, const struct type **result)
{
    struct bytes *names = arena_new_array(c->arena, struct bytes, old->param_count + 1);
    struct bytes twin;
    enum status status;

    if (old->param_count)
        memcpy(names, old->field_names, old->param_count * sizeof(*names));
    for (uint32_t i = 0; i < statement->rename_count; i++) {
        bool found = false;

        /* By the old names, so that two fields can exchange theirs. */
        for (uint32_t j = 0; j < old->param_count; j++) {
            if (!bytes_equal(old->field_names[j], statement->renames[i].from))
                continue;
            found = true;
            names[j] = statement->renames[i].to;
        }
        if (!found && !statement->if_field_exists)
            return error_set(c->err, ERR_INVALID, "Unkown field %.*s in user type %.*s.%.*s",
                             BYTES(statement->renames[i].from), BYTES(keyspace->name), BYTES(old->name));
        if ((status = change_check_column_name(c, statement->renames[i].to)))
            return status;
    }
    /* Looked at after all renames. */
    twin = change_find_twin(c->arena, names, old->param_count);
    if (!bytes_is_null(twin)) /* Cassandra names the keyspace here */
        return error_set(c->err, ERR_INVALID, "Duplicate field name %.*s in type %.*s", BYTES(twin),
                         BYTES(keyspace->name));
    *result = type_udt(c->arena, keyspace->name, old->name, names, old->params, old->param_count, false);
    return OK;
}

/* How large all that use the type would become, before it is tried. Types nest, so they
 * multiply: ten fields of ten fields, five times over, are 100 000 parts. */
static enum status check_spread(struct change *c, const struct keyspace_def *keyspace, const struct type *type)
{
    uint64_t sum = 0;
    enum status status = OK;

    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        uint64_t nodes = type_node_count_with_udt(keyspace->types[i], type);

        sum += nodes;
        /* Counted in 64 bits: the sum may be far larger than what could be made. */
        if (nodes > RESOLVE_NODES_MAX)
            return error_set(c->err, ERR_INVALID, "A type with its user types can't have more than %d parts",
                             RESOLVE_NODES_MAX);
    }
    status = change_check_node_sum(c, sum);
    for (uint32_t i = 0; i < keyspace->table_count && !status; i++) {
        sum = 0;
        for (uint32_t j = 0; j < keyspace->tables[i]->column_count; j++)
            sum += type_node_count_with_udt(keyspace->tables[i]->columns[j].type, type);
        status = change_check_node_sum(c, sum);
    }
    return status;
}

/* Makes anew all types and tables that use the type. Those of types come first: a
 * table's column may use a type that uses this one. */
static void spread_type(struct change *c, struct keyspace_def *def, const struct type *type)
{
    const struct type **types = arena_new_array(c->arena, const struct type *, def->type_count + 1);
    uint32_t count = def->type_count;

    assert(count);
    for (uint32_t i = 0; i < count; i++)
        /* All are made before any is put, since putting one replaces what the others
         * are made of. */
        types[i] = bytes_equal(def->types[i]->name, type->name) ? type : type_with_udt(c->arena, def->types[i], type);
    /* Those that only use it were not altered. */
    for (uint32_t i = 0; i < count; i++)
        keyspace_def_put_type(def, types[i], types[i] == type ? c->context->now_us : def->type_changed_us[i]);
    for (uint32_t i = 0; i < def->table_count; i++) {
        struct table_def *table;

        if (!table_uses_type(def->tables[i], type->name, false))
            continue;
        table = table_def_clone(def->tables[i], 0, 0);
        for (uint32_t j = 0; j < table->column_count; j++)
            table->columns[j].type = type_with_udt(table->arena, table->columns[j].type, type);
        /* Plans of the table no longer fit: clients decode its values by the type. */
        table->version = change_next_version(c);
        table_def_finish(table);
        keyspace_def_put_table(def, table);
    }
}

/* Only adding and renaming fields is left in Cassandra. */
enum status change_alter_type(struct change *c, const struct alter_type_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type *old, *type = NULL;
    struct keyspace_def *def;
    struct bytes name;
    enum status status;

    if ((status = change_keyspace_of(c, statement->name, &name)) ||
        (status = change_check_access(c, "ALTER", name, bytes_of(NULL, 0))))
        return status;
    if (statement->kind == ALTER_TYPE_ADD && (status = check_field_as_written(c, statement->field.type)))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    old = find_type(keyspace, statement->name.name);
    if (!old) {
        if (statement->if_exists)
            return change_none(c);
        return error_set(c->err, ERR_INVALID, "Type %.*s.%.*s doesn't exist", BYTES(name), BYTES(statement->name.name));
    }
    if (statement->kind == ALTER_TYPE_FIELD_TYPE)
        return error_set(c->err, ERR_INVALID, "Altering field types is no longer supported");
    /* Only these two are left. */
    status = statement->kind == ALTER_TYPE_ADD ? add_field(c, keyspace, old, statement, &type)
                                               : rename_fields(c, keyspace, old, statement, &type);
    if (status)
        return status;
    if (type_equal(type, old))
        return change_none(c);
    /* Before anything is copied. */
    if ((status = check_spread(c, keyspace, type)))
        return status;
    assert(type && bytes_equal(type->name, old->name));
    def = keyspace_def_clone(keyspace, 0, 0);
    spread_type(c, def, type);
    change_put_keyspace(c, def);
    return change_done(c, DDL_UPDATED, DDL_TYPE, name, statement->name.name);
}

/* Refused while anything uses it, in which case Cassandra names the users. */
enum status change_drop_type(struct change *c, const struct named_statement *statement)
{
    const struct keyspace_def *keyspace;
    const struct type *old;
    struct keyspace_def *def;
    struct buffer users = { 0 };
    struct bytes name;
    enum status status;

    if ((status = change_keyspace_of(c, statement->name, &name)) ||
        (status = change_check_access(c, "DROP", name, bytes_of(NULL, 0))))
        return status;
    keyspace = schema_keyspace(c->schema, name);
    old = find_type(keyspace, statement->name.name);
    if (!old) {
        if (statement->if_exists)
            return change_none(c);
        return error_set(c->err, ERR_INVALID, "Type '%.*s.%.*s' doesn't exist", BYTES(name),
                         BYTES(statement->name.name));
    }
    /* Types are looked at before tables, as in Cassandra. */
    for (uint32_t i = 0; i < keyspace->type_count; i++) {
        if (keyspace->types[i] == old || !type_uses_udt(keyspace->types[i], old->name))
            continue;
        if (users.size)
            buffer_append_string(&users, ", ");
        buffer_append_bytes(&users, keyspace->types[i]->name);
    }
    if (users.size) {
        status =
            error_set(c->err, ERR_INVALID, "Cannot drop user type '%.*s.%.*s' as it is still used by user types %.*s",
                      BYTES(name), BYTES(old->name), BYTES(buffer_bytes(&users)));
        buffer_fini(&users);
        return status;
    }
    append_users(&users, keyspace, old->name, false, false);
    if (users.size) {
        status = error_set(c->err, ERR_INVALID, "Cannot drop user type '%.*s.%.*s' as it is still used by tables %.*s",
                           BYTES(name), BYTES(old->name), BYTES(buffer_bytes(&users)));
        buffer_fini(&users);
        return status;
    }
    def = keyspace_def_clone(keyspace, 0, 0);
    keyspace_def_remove_type(def, old->name);
    change_put_keyspace(c, def);
    return change_done(c, DDL_DROPPED, DDL_TYPE, name, statement->name.name);
}
