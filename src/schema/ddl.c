/* Statements about definitions are handed to their functions (change_*.c). Each makes
 * of a schema and a statement a new schema, or the same one with a reference more, or
 * an error; nothing is saved here. TRUNCATE is here too, because to the schema it is a
 * change of the table's id. */
#include "schema/ddl.h"

#include "schema/build.h"
#include "schema/change.h"

#include <assert.h>

/* *result is set only on success, and is the caller's reference. */
enum status ddl_apply(struct schema *schema, const struct cql_statement *statement, const struct ddl_context *context,
                      struct arena *arena, struct schema **result, struct ddl_change *change, struct error *err)
{
    struct change c = { schema, context, arena, result, change, err };

    assert(schema && context && arena && result);
    *change = (struct ddl_change){ 0 };
    switch (statement->kind) {
    case STATEMENT_CREATE_KEYSPACE: return change_create_keyspace(&c, statement->keyspace);
    case STATEMENT_ALTER_KEYSPACE: return change_alter_keyspace(&c, statement->keyspace);
    case STATEMENT_DROP_KEYSPACE: return change_drop_keyspace(&c, statement->drop_keyspace);
    case STATEMENT_CREATE_TABLE: return change_create_table(&c, statement->create_table);
    case STATEMENT_ALTER_TABLE: return change_alter_table(&c, statement->alter_table);
    case STATEMENT_DROP_TABLE: return change_drop_table(&c, statement->named);
    case STATEMENT_CREATE_TYPE: return change_create_type(&c, statement->create_type);
    case STATEMENT_ALTER_TYPE: return change_alter_type(&c, statement->alter_type);
    case STATEMENT_DROP_TYPE: return change_drop_type(&c, statement->named);
    default: return error_set(err, ERR_INVALID, "Not a statement that changes keyspaces, tables or types");
    }
}

/* A new table id makes the old rows unreachable at once; they are removed later by the
 * old id. Clients see the same table: uuid and schema version stay, so no prepared
 * statement is lost. */
enum status ddl_truncate(struct schema *schema, struct bytes keyspace, struct bytes name,
                         const struct ddl_context *context, struct arena *arena, struct schema **result,
                         struct ddl_change *change, struct error *err)
{
    struct change c = { schema, context, arena, result, change, err };
    const struct keyspace_def *def = schema_keyspace(schema, keyspace);
    struct table_def *table = schema_table(schema, keyspace, name), *copy;
    struct keyspace_def *changed_keyspace;
    uint64_t *id;

    *change = (struct ddl_change){ 0 };
    if (!def)
        return error_set(err, ERR_INVALID, "keyspace %.*s does not exist", BYTES(keyspace));
    if (!table)
        return error_set(err, ERR_INVALID, "table %.*s does not exist", BYTES(name));
    if (table->virtual_table && def->is_virtual)
        return error_set(err, ERR_INVALID, "Cannot truncate virtual tables");
    if (!context->is_internal && change_is_fixed(keyspace))
        return error_set(err, ERR_UNAUTHORIZED, "%.*s keyspace is not user-modifiable.", BYTES(keyspace));
    assert(context->next_table_id && context->next_table_id != table->id);
    id = arena_new_struct(arena, uint64_t);
    *id = table->id;
    change->removed_table_ids = id;
    change->removed_table_count = 1;
    copy = table_def_clone(table, 0, 0);
    copy->id = context->next_table_id;
    copy->version = change_next_version(&c);
    table_def_finish(copy);
    changed_keyspace = keyspace_def_clone(def, 0, 0);
    keyspace_def_put_table(changed_keyspace, copy);
    *result = schema_replace(schema, change_next_version(&c), changed_keyspace, bytes_of(NULL, 0),
                             schema_version_uuid(schema)); /* clients see no change */
    return change_done(&c, DDL_UPDATED, DDL_TABLE, keyspace, name);
}
