/* query/batch_warning.h: what Cassandra warns a client of about its batch, with the thresholds it ships with.
 *
 *     logged, a table with gc_grace_seconds 0
 *     several partitions and more than 5 KiB, as Cassandra counts the bytes of its mutations
 *     unlogged, more than 10 partitions
 *
 * Nothing is refused for its size.
 */
#ifndef QUERY_BATCH_WARNING_H
#define QUERY_BATCH_WARNING_H

#include "query/submit.h"

void batch_warn(struct execution *execution, const struct write_set *set, enum batch_kind kind, bool conditional);

#endif
