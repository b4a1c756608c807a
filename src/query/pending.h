/* query/pending.h: commands that are with the owners of their shards, and what their answers make of a request.
 *
 *     pending_new -> pending_command, for each partition -> pending_send -> the owners -> pending_finish
 *
 * A group is what goes to one shard: commands of bounded size, sent one after another, so that others are served between them and more
 * can be written than a ring holds; each is there whole or not at all. Of a logged batch a group is one command; the first remembers
 * the others, which follow when it is written, so that it is whole over shards too: table/batch_log.h.
 *
 * Owns:    the request's arena; buffers of the context's pool until their commands are answered; references to what an answer tells of:
 *          the table, the prepared statements. The plan and the schema may change, and go, while it waits.
 * Errors:  one for all, the request's: the first that a command answered. ERR_OVERLOADED: no command was sent. If some were written and
 *          others not, it is ERR_WRITE_TIMEOUT. ERR_STALE never leaves: a command that was planned with definitions that its owner no
 *          longer knows did nothing, and the request is run again, whole, with those in force.
 * Thread:  the context's.
 */
#ifndef QUERY_PENDING_H
#define QUERY_PENDING_H

#include "query/condition.h"
#include "query/write_set.h"

struct pending;

/* One at a time for a request. is_several: it has more than one partition. write_type: of its errors. */
struct pending *pending_new(struct execution *execution, bool is_several, const char *write_type);
/* Its only command asks conditions. The answer of a refusal tells of columns, and of values that may stand in a statement: they must be
 * there when it is written. */
void pending_expect(struct pending *pending, const struct execution *execution, const struct cas_set *cas,
                    struct bytes key);
/* What the next partition's share is appended to: the command at hand of its shard, or a new one if that is full. is_whole: all of a
 * shard's shares are one command. */
struct buffer *pending_command(struct pending *pending, const struct write_part *part, bool is_whole);
/* When all is encoded: the first of several groups is made to remember the others. */
void pending_remember(struct pending *pending);
/* QUERY_PENDING: the request's `done` is called when all is answered, but in a context that may wait. QUERY_DONE: it is already; the
 * answer is pending_finish's to write. */
enum query_result pending_send(struct pending *pending);
/* All is answered: the reply's body, or the detail of the request's error. Lets go of what it held. out NULL: nobody hears the answer.
 * A request that has nothing pending is left alone. */
void pending_finish(struct query_request *request, struct buffer *out);

#endif
