/* table/warm.h: inside table/: threads that read what commands of the shard need, so that its owner doesn't wait for the disk. They are
 * started when there is work for them.
 *
 * Thread:  the owner's, but for what says otherwise.
 */
#ifndef TABLE_WARM_H
#define TABLE_WARM_H

#include "table/table.h"

struct shard;
enum { WARMERS_MAX = 4 };
struct warming { /* a command that a warmer has, or had */
    struct warming *next;
    struct table_request *request;
    uint32_t port;
};
struct warmers *warmers_new(struct shard *shard);
/* No command is under way; waits for the threads. */
void warmers_free(struct warmers *warmers);
/* The owner's: hands a command over that was answered ERR_WOULD_WAIT. It comes back in any case. */
void warm_begin(struct shard *shard, struct table_request *request, uint32_t port);
/* The owner's: what came back, oldest first; they are freed by free. NULL: nothing. */
struct warming *warm_take(struct shard *shard);
/* Something came back. */
bool warm_is_done(const struct shard *shard);
/* How many commands were handed over. Any thread. */
uint64_t warm_count(const struct shard *shard);

#endif
