/* query/submit.h: what a statement or a batch writes becomes commands, on their way to the owners (query/pending.h). What is written to
 * one partition is one command. Several partitions of a shard share commands of bounded size. A logged batch is one command a shard.
 *
 * Owns:    the request's arena; commands are encoded into pooled buffers of the context.
 * Errors:  pending.h's.
 * Thread:  the context's. One that may not wait gets QUERY_PENDING and a call of request->done later; what is done already is
 *          pending_finish's to answer.
 */
#ifndef QUERY_SUBMIT_H
#define QUERY_SUBMIT_H

#include "query/condition.h"
#include "query/write_set.h"

/* cas NULL: unconditional. Parts without fragments are left out, unless a condition looks at them. */
enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas);

#endif
