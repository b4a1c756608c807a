/* query/write.h: runs INSERT, UPDATE, DELETE and BATCH. */
#ifndef QUERY_WRITE_H
#define QUERY_WRITE_H

#include "query/execute.h"

/* INSERT, UPDATE, DELETE. QUERY_PENDING, or QUERY_DONE: query/pending.h has the answer if the request has no error. */
enum query_result execute_modify(struct execution *execution);
/* A BATCH that was written as one statement. */
enum query_result execute_batch_statement(struct execution *execution);
/* The statements of a batch, each with its values. timestamp_us NULL: the batch gives none. */
enum query_result execute_batch(struct execution *execution, const struct plan *const *plans, const struct eval *evals,
                                uint32_t count, enum batch_kind kind, const int64_t *timestamp_us);

#endif
