/* plan/batch.h: BATCH becomes a plan: one of its own for each of its statements. */
#ifndef PLAN_BATCH_H
#define PLAN_BATCH_H

#include "plan/plan.h"

enum status plan_batch(struct planner *planner, const struct cql_statement *statement, struct plan *plan);
/* Which statements may stand together in a batch of a kind. has_timestamp: the batch itself gives one. */
enum status plan_check_batch(enum batch_kind kind, const struct plan *const *parts, uint32_t count, bool has_timestamp,
                             struct error *err);

#endif
