/* BATCH becomes a plan with one part for each of its statements. The parts share the markers
 * of the whole text: their numbers go on from statement to statement, so one array of binds
 * serves all. Source: org.apache.cassandra.cql3.statements.BatchStatement, release 5.0. */
#include "plan/batch.h"

#include "plan/modify.h"

#include <assert.h>

/* Which statements may stand together. It serves BEGIN BATCH and the protocol's BATCH
 * message, whose statements were planned one by one. Counters cannot be replayed, so no
 * logged batch has them. */
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

/* Plans the statements in their order. The first wrong one ends it, and its part is counted
 * before it is planned, so that plan_fini drops what it holds. */
enum status plan_batch(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    const struct batch_statement *batch = statement->batch;
    struct receiver timestamp = { BYTES_LITERAL("[timestamp]"), type_native(TYPE_BIGINT) };
    enum status status = OK;

    assert(statement->kind == STATEMENT_BATCH && !plan->part_count);
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
        assert(status || plan->parts[i]->modify);
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
    /* As Cassandra, tells drivers the key of the last statement, if all are about one table. */
    bool one_table = plan->part_count > 0;
    for (uint32_t i = 0; i < plan->part_count && !status; i++)
        one_table &= plan->parts[i]->table == plan->parts[0]->table;
    if (!status && one_table)
        plan_find_pk_indexes(planner, plan, plan->parts[plan->part_count - 1]);
    return status;
}
