/* query/condition.h: IF: what a conditional statement, or the conditional ones of a batch, ask of their partition, and the answer
 * when they were refused.
 *
 * Owns:    the request's arena.
 * Errors:  ERR_INVALID with Cassandra's words.
 */
#ifndef QUERY_CONDITION_H
#define QUERY_CONDITION_H

#include "query/execute.h"

/* What they look at. */
struct cas_set {
    struct cas_part *parts;
    uint32_t count;
    const struct column_def **columns; /* that conditions name */
    uint32_t column_count;
    bool whole_rows; /* IF EXISTS, IF NOT EXISTS: a refusal shows every column */
    bool is_batch;
    bool wants_static; /* a statement writes static columns: then all of them are seen */
    bool wants_rows;   /* a statement names rows: then all regular columns are seen, and what an UPDATE made is a row */
};

/* What the owner said. */
struct cas_outcome {
    struct table_def *table; /* owned by whoever waits for it */
    struct cas_set set;      /* columns are the table's */
    struct bytes key;        /* of the partition */
    bool applied;
    struct cas_seen *seen; /* not applied: per part of the set; applied: NULL */
};

bool plan_is_conditional(const struct modify_plan *modify);

void cas_init(struct execution *execution, const struct table_def *table, uint32_t statements, struct cas_set *cas);
/* Adds the conditions of one statement; at most as many as cas_init was told. */
enum status cas_add(struct execution *execution, const struct plan *plan, struct cas_set *cas);
/* When all are there: one row may not be asked to be there, not to be there, and to hold values, as in Cassandra. */
enum status cas_check_mixed(struct arena *arena, const struct cas_set *cas, struct error *err);
/* When all are there: parts that always hold bring what else a refusal shows, static columns where one is written and, if static
 * ones were all that was looked at, the first row. */
void cas_add_shown(struct cas_set *cas);

/* [applied], and the rows that refused it. */
void cas_encode_result(struct query_request *request, const struct cas_outcome *outcome, struct buffer *out);

#endif
