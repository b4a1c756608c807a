/* Plans of all kinds: the table of a statement is found, the statement is handed to the
 * planner of its kind (query/statement.c knows which), and what drivers are told of its
 * markers and columns is made. A plan holds a reference to its table's definition: it may be
 * executed for as long as that is the one in force, which plan_fit compares. Nothing here
 * knows a value: those come with each request. */
#include "plan/plan.h"

#include <assert.h>

/* Finds a table by its name. The session's keyspace counts for names without one. The words
 * differ in their case (keyspace, Keyspace) from those of other statements, as in Cassandra. */
enum status plan_find_table(struct planner *planner, const struct qualified_name *name, struct table_def **table)
{
    struct bytes keyspace = bytes_is_null(name->keyspace) ? planner->session_keyspace : name->keyspace;

    assert(planner->schema && planner->err);
    if (bytes_is_null(keyspace))
        return error_set(planner->err, ERR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename");
    if (!schema_keyspace(planner->schema, keyspace))
        return error_set(planner->err, ERR_INVALID, "keyspace %.*s does not exist", BYTES(keyspace));
    *table = schema_table(planner->schema, keyspace, name->name);
    if (!*table)
        return error_set(planner->err, ERR_INVALID, "table %.*s does not exist", BYTES(name->name));
    return OK;
}

/* A plan is about one table, or is a batch whose parts have one each. is_qualified remembers
 * whether another USE would make it mean another table. */
enum status plan_use_table(struct planner *planner, const struct qualified_name *name, struct plan *plan)
{
    struct table_def *table;
    enum status status = plan_find_table(planner, name, &table);

    if (status)
        return status;
    assert(!plan->table);
    plan->table = table_def_ref(table);
    plan->is_qualified = !bytes_is_null(name->keyspace);
    planner->table = table;
    return OK;
}

/* TRUNCATE has no plan of its own: only the warning about USE asks whether its name is
 * qualified. */
enum status plan_truncate(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    assert(statement->kind == STATEMENT_TRUNCATE && !plan->table);
    plan->is_qualified = !bytes_is_null(statement->named->name.keyspace);
    return OK;
}

/* Tells drivers which markers are the partition key, so that they can send a request to a
 * replica that has it (token-aware routing). It is told only if every column of the key is a
 * marker. */
void plan_find_pk_indexes(struct planner *planner, struct plan *plan, const struct plan *from)
{
    const struct where *where = from->select ? &from->select->where : &from->modify->where;
    uint32_t count = from->table->partition_key_count;

    assert(from->select || from->modify);
    assert(from->table && where->access.partition);
    plan->pk_count = 0;
    if (where->access.kind != ACCESS_PARTITIONS)
        return;
    plan->pk_indexes = arena_new_array(planner->arena, uint16_t, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct key_part *part = &where->access.partition[i];
        const struct expr *marker = NULL;

        for (uint32_t k = 0; part->values && k < part->value_count; k++)
            if (part->values[k]->kind == EXPR_BIND)
                marker = part->values[k];
        if (!marker || marker->index >= plan->bind_count)
            return;
        plan->pk_indexes[i] = (uint16_t)marker->index;
    }
    plan->pk_count = count;
}

/* Notes which markers may receive a collection that is not in canonical form (values.c in
 * query/), once for all executions: a request that binds only scalars has nothing to look at. */
static void find_formed_binds(struct planner *planner, struct plan *plan)
{
    for (uint32_t i = 0; i < plan->bind_count; i++) {
        if (!value_has_forms(plan->binds[i].type))
            continue;
        if (!plan->formed_binds)
            plan->formed_binds = arena_new_array(planner->arena, uint16_t, plan->bind_count);
        plan->formed_binds[plan->formed_count++] = (uint16_t)i;
    }
}

/* Plans a statement. On failure nothing is held: the references that were taken are dropped. */
enum status plan_make(struct planner *planner, plan_function how, const struct cql_statement *statement,
                      struct plan *plan)
{
    enum status status = OK;

    /* The protocol counts markers in 16 bits. */
    if (statement->marker_count > UINT16_MAX)
        return error_set(planner->err, ERR_INVALID,
                         "Too many markers(?). %u markers exceed the allowed maximum of 65535",
                         statement->marker_count);
    *plan = (struct plan){
        .statement = statement,
        .binds = arena_new_array(planner->arena, struct native_column, statement->marker_count + 1),
        .bind_count = statement->marker_count,
        .keyspace = planner->session_keyspace,
    };
    assert(planner->arena && planner->functions && planner->err && !planner->table);
    planner->statement = statement;
    planner->binds = plan->binds;
    if (how)
        status = how(planner, statement, plan);
    assert(!plan->select || !plan->modify);
    if (!status && (plan->select || plan->modify))
        plan_find_pk_indexes(planner, plan, plan);
    /* A marker that no planner looked at has no type: it stands where none is allowed. */
    for (uint32_t i = 0; i < plan->bind_count && !status; i++)
        if (!plan->binds[i].type)
            status = error_set(planner->err, ERR_INVALID, "Bind variables are not supported here");
    if (!status)
        find_formed_binds(planner, plan);
    plan->warnings = planner->warnings;
    plan->warning_count = planner->warning_count;
    if (status)
        plan_fini(plan);
    return status;
}

/* Memory is the arena's: only the references are dropped. It may be called twice. */
void plan_fini(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->part_count; i++)
        if (plan->parts[i])
            plan_fini(plan->parts[i]);
    plan->part_count = 0;
    if (plan->table)
        table_def_unref(plan->table);
    plan->table = NULL;
}

/* Compares the definitions that a plan was made for with those in force. A change that
 * clients cannot see (table_def_is_alike) asks for a new plan, any other ends it. Of a batch
 * the worst part decides. */
enum plan_fit plan_fit(const struct plan *plan, const struct schema *schema)
{
    const struct table_def *now;
    enum plan_fit worst = PLAN_FITS;

    assert(!plan->part_count || !plan->table); /* a batch's tables are its parts' */
    for (uint32_t i = 0; i < plan->part_count; i++) {
        enum plan_fit fit = plan_fit(plan->parts[i], schema);

        worst = fit > worst ? fit : worst;
    }
    if (!plan->table)
        return worst;
    assert(schema);
    now = schema_table(schema, plan->table->keyspace, plan->table->name);
    if (now == plan->table)
        return worst;
    if (!now || !table_def_is_alike(now, plan->table))
        return PLAN_FITS_NO_MORE;
    return worst == PLAN_FITS ? PLAN_FITS_CHANGED : worst;
}

/* Encodes the description of markers and of result columns, as the protocol version has it. */
void plan_describe(struct plan *plan, struct arena *arena, uint8_t version)
{
    assert(version >= NATIVE_V3 && version < NATIVE_V3 + METADATA_VERSIONS);
    native_metadata_build(&plan->metadata[version - NATIVE_V3], arena, version, plan->columns, plan->column_count);
    native_metadata_build(&plan->bind_metadata[version - NATIVE_V3], arena, version, plan->binds, plan->bind_count);
}
