/* query/batch_warning.h: what Cassandra warns a client of about its batch, or refuses it for (struct query_thresholds).
 *
 *     logged, a table with gc_grace_seconds 0
 *     several partitions and more than so many bytes, as Cassandra counts those of its mutations; many more: ERR_INVALID
 *     unlogged, more than so many partitions
 */
#ifndef QUERY_BATCH_WARNING_H
#define QUERY_BATCH_WARNING_H

#include "query/execute.h"
#include "query/write_set.h"

enum status batch_check(struct execution *execution, const struct write_set *set, enum batch_kind kind,
                        bool conditional);

#endif
