/* table/hot.h: inside table/: folds a key that was just written many times, so that its reads don't merge a long chain.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_HOT_H
#define TABLE_HOT_H

#include "base/bytes.h"
#include "table/shard.h"

enum { HOT_WRITES = 8 };
struct hot_keys *hot_keys_new(void);
void hot_keys_free(struct hot_keys *hot);
/* Adds the fragment to the batch: a merge, or, when enough was written since, a put of all there is. */
void hot_add(struct shard *shard, struct store_batch *batch, struct bytes key, struct bytes fragment, int64_t now_us);

#endif
