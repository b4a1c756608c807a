/* plan/modify.h: INSERT, UPDATE and DELETE become plans: where they write, and one operation per column. */
#ifndef PLAN_MODIFY_H
#define PLAN_MODIFY_H

#include "plan/plan.h"

/* One of the three; the only ones that stand in a batch. */
enum status plan_modify(struct planner *planner, const struct cql_statement *statement, struct plan *plan);

#endif
