/* query/submit.h: what a statement or a batch writes, on its way to the owners. What is written to one partition is one command. Several
 * partitions of a shard share commands of bounded size, sent one after another, so that others are served between them and more can be
 * written than a ring holds; each is there whole or not at all. A logged batch is one command a shard, and whole over shards too:
 * table/batch_log.h.
 *
 * Owns:    the request's arena; commands are encoded into pooled buffers of the context.
 * Errors:  the request's error is the first that a command answered. ERR_OVERLOADED: no command was sent. If some were written and others
 *          not, it is ERR_WRITE_TIMEOUT. ERR_STALE never leaves: a command that was planned with definitions that its owner no longer
 *          knows did nothing, and the request is run again, whole, with those in force.
 * Thread:  the context's. One that may not wait gets QUERY_PENDING and a call of request->done later.
 */
#ifndef QUERY_SUBMIT_H
#define QUERY_SUBMIT_H

#include "query/condition.h"
#include "query/write_set.h"

/* cas NULL: unconditional. Parts without fragments are left out, unless a condition looks at them. */
enum query_result write_set_submit(struct execution *execution, const struct write_set *set, const struct cas_set *cas);

#endif
