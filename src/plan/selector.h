/* plan/selector.h: what stands in a SELECT clause, and in GROUP BY: selectors become typed expressions over the columns of a row, and
 * aggregates are told apart from them.
 *
 * Shapes:  a column that is used has a slot in the row view; slots are given out as they are asked for.
 * Owns:    the plan's arena.
 * Errors:  ERR_INVALID with Cassandra's words.
 */
#ifndef PLAN_SELECTOR_H
#define PLAN_SELECTOR_H

#include "plan/plan.h"

/* A SELECT clause at hand. */
struct selection {
    struct planner *planner;
    struct select_plan *select;
    bool inside_aggregate;
};

/* The column's slot; a new one if it has none. */
uint32_t selection_slot(struct selection *selection, const struct column_def *column);
enum status selection_column(struct selection *selection, struct bytes name, const struct column_def **column);
/* An expression that is a column. */
const struct expr *selection_column_expr(struct selection *selection, const struct column_def *column);

/* wanted: the type that is asked for; NULL: its own. */
enum status selector_compile(struct selection *selection, const struct term *term, const struct type *wanted,
                             const struct expr **result);
/* Of a term that may mean several types. */
enum status selector_cannot_infer(struct selection *selection, const struct term *term);
/* As results name it. */
struct bytes selector_name(struct planner *planner, const struct term *term);

#endif
