/* table/prefetch.h: inside table/: threads that read what commands of the shard need, so that its owner
 * doesn't wait for the disk. They are started when there is work for them.
 *
 * Thread:  the owner's, but for what says otherwise.
 */
#ifndef TABLE_PREFETCH_H
#define TABLE_PREFETCH_H

#include "table/table.h"

struct shard;
enum { PREFETCHERS_MAX = 4 };
struct prefetch { /* a command that a prefetcher has, or had */
    struct prefetch *next;
    struct table_request *request;
    uint32_t port;
};
struct prefetchers *prefetchers_new(struct shard *shard);
/* No command is under way; waits for the threads. */
void prefetchers_free(struct prefetchers *prefetchers);
/* The owner's: hands a command over that was answered ERR_WOULD_WAIT. It comes back in any case. */
void prefetch_begin(struct shard *shard, struct table_request *request, uint32_t port);
/* The owner's: what came back, oldest first; they are freed by free. NULL: nothing. */
struct prefetch *prefetch_take(struct shard *shard);
/* Something came back. */
bool prefetch_is_done(const struct shard *shard);
/* How many commands were handed over. Any thread. */
uint64_t prefetch_count(const struct shard *shard);

#endif
