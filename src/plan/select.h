/* plan/select.h: SELECT becomes a plan. */
#ifndef PLAN_SELECT_H
#define PLAN_SELECT_H

#include "plan/plan.h"

enum status plan_select(struct planner *planner, const struct cql_statement *statement, struct plan *plan);

#endif
