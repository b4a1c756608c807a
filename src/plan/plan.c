/* Plans of all kinds: names found, statements handed to their planners, results described. */
#include "plan/plan.h"

#include <assert.h>

enum status plan_find_table(struct planner *planner, const struct qualified_name *name, struct table_def **table)
{
    struct bytes keyspace = bytes_is_null(name->keyspace) ? planner->session_keyspace : name->keyspace;

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

enum status plan_truncate(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    plan->is_qualified = !bytes_is_null(statement->named->name.keyspace);
    return OK;
}

/* Which marker is which partition key column, if all are plain markers; of several for one (IN) the last, as in Cassandra. */
void plan_find_pk_indexes(struct planner *planner, struct plan *plan, const struct plan *from)
{
    const struct where *where = from->select ? &from->select->where : &from->modify->where;
    uint32_t count = from->table->partition_key_count;

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

enum status plan_check_batch(enum batch_kind kind, const struct plan *const *parts, uint32_t count, bool has_timestamp,
                             struct error *err)
{
    uint32_t counters = 0;

    for (uint32_t i = 0; i < count; i++)
        counters += parts[i]->table->is_counter;
    if (has_timestamp && kind == BATCH_COUNTER)
        return error_set(err, ERR_INVALID, "Cannot provide custom timestamp for counter BATCH");
    if (has_timestamp && counters)
        return error_set(err, ERR_INVALID, "Cannot provide custom timestamp for a BATCH containing counters");
    if (kind == BATCH_COUNTER && counters < count)
        return error_set(err, ERR_INVALID, "Cannot include non-counter statement in a counter batch");
    if (counters && counters < count)
        return error_set(err, ERR_INVALID, "Counter and non-counter mutations cannot exist in the same batch");
    if (kind == BATCH_LOGGED && counters)
        return error_set(err, ERR_INVALID, "Cannot include a counter statement in a logged batch");
    return OK;
}

enum status plan_batch(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    const struct batch_statement *batch = statement->batch;
    struct receiver timestamp = { BYTES_LITERAL("[timestamp]"), type_native(TYPE_BIGINT) };
    enum status status = OK;

    plan->is_qualified = true;
    plan->parts = arena_new_array(planner->arena, struct plan *, batch->statement_count + 1);
    if (batch->using_clause.ttl)
        return error_set(planner->err, ERR_INVALID, "Global TTL on the BATCH statement is not supported.");
    planner->table = NULL;
    if (batch->using_clause.timestamp)
        status = term_compile(planner, batch->using_clause.timestamp, &timestamp, &plan->batch_timestamp);
    for (uint32_t i = 0; i < batch->statement_count && !status; i++) {
        plan->parts[i] = arena_new_struct(planner->arena, struct plan);
        plan->parts[i]->statement = batch->statements[i];
        plan->part_count = i + 1;
        status = plan_modify(planner, batch->statements[i], plan->parts[i]);
        plan->is_qualified &= plan->parts[i]->is_qualified;
        if (!status && plan->batch_timestamp && plan->parts[i]->modify->timestamp)
            status =
                error_set(planner->err, ERR_INVALID, "Timestamp must be set either on BATCH or individual statements");
        plan->parts[i]->binds = plan->binds;
        plan->parts[i]->bind_count = plan->bind_count;
    }
    if (!status)
        status = plan_check_batch(batch->kind, (const struct plan *const *)plan->parts, plan->part_count,
                                  plan->batch_timestamp != NULL, planner->err);
    /* Drivers route by the last statement's key, if all are about one table. */
    bool one_table = plan->part_count > 0;
    for (uint32_t i = 0; i < plan->part_count && !status; i++)
        one_table &= plan->parts[i]->table == plan->parts[0]->table;
    if (!status && one_table)
        plan_find_pk_indexes(planner, plan, plan->parts[plan->part_count - 1]);
    return status;
}

/* Known once for all: binding a scalar asks nothing. */
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

enum status plan_make(struct planner *planner, plan_function how, const struct cql_statement *statement,
                      struct plan *plan)
{
    enum status status = OK;

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
    planner->statement = statement;
    planner->binds = plan->binds;
    if (how)
        status = how(planner, statement, plan);
    assert(!plan->select || !plan->modify);
    if (!status && (plan->select || plan->modify))
        plan_find_pk_indexes(planner, plan, plan);
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

enum plan_fit plan_fit(const struct plan *plan, const struct schema *schema)
{
    const struct table_def *now;
    enum plan_fit worst = PLAN_FITS;

    for (uint32_t i = 0; i < plan->part_count; i++) {
        enum plan_fit fit = plan_fit(plan->parts[i], schema);

        worst = fit > worst ? fit : worst;
    }
    if (!plan->table)
        return worst;
    now = schema_table(schema, plan->table->keyspace, plan->table->name);
    if (now == plan->table)
        return worst;
    if (!now || !table_def_is_alike(now, plan->table))
        return PLAN_FITS_NO_MORE;
    return worst == PLAN_FITS ? PLAN_FITS_CHANGED : worst;
}

void plan_describe(struct plan *plan, struct arena *arena, uint8_t version)
{
    native_metadata_build(&plan->metadata[version - NATIVE_V3], arena, version, plan->columns, plan->column_count);
    native_metadata_build(&plan->bind_metadata[version - NATIVE_V3], arena, version, plan->binds, plan->bind_count);
}
