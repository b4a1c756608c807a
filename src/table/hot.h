/* table/hot.h: inside table/: folds a key that was just written many times, so that its reads don't merge a long chain.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_HOT_H
#define TABLE_HOT_H

#include "base/bytes.h"
#include "table/shard.h"

enum { HOT_WRITES = 8 };
struct hot_keys;
struct hot_key;
struct hot_keys *hot_keys_new(void);
void hot_keys_free(struct hot_keys *hot);
/* A write of a key, by its hash. Its place, if this one is to be folded; NULL: it is not. */
struct hot_key *hot_find(struct hot_keys *hot, uint64_t hash, size_t bytes, int64_t now_us);
/* All that the key holds, through the batch, and with the fragment; both live until the next call. False: it is better left as it is. */
bool hot_fold(struct shard *shard, const struct store_batch *batch, struct hot_key *hot, struct bytes key,
              struct bytes fragment, struct bytes *before, struct bytes *folded);

#endif
