/* query/prepare.h: texts become plans: for one request, or prepared, found by their id and planned again when definitions change.
 *
 * Owns:    a plan for one request lies in its arena; its caller calls plan_fini. A prepared one has references, and an arena of its own.
 * Errors:  ERR_SYNTAX, ERR_INVALID of planning; ERR_UNPREPARED with the id.
 */
#ifndef QUERY_PREPARE_H
#define QUERY_PREPARE_H

#include "query/execute.h"

/* keyspace: of names that have none; NULL data: there is none. */
enum status prepare_plan(struct execution *execution, struct arena *arena, struct bytes keyspace, struct bytes text,
                         struct plan *plan);
/* With one reference, the caller's; not in the cache yet. */
enum status prepare_text(struct execution *execution, struct bytes keyspace, struct bytes text,
                         struct prepared **result);
/* Of EXECUTE and BATCH: fits the definitions in force. Borrowed until the lookaside's next call. */
enum status prepare_find(struct execution *execution, struct bytes id, struct prepared **result);

#endif
