/* table/fold_hot.h: inside table/: folds a key that was just written many times, so that its reads don't
 * merge a long chain.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_FOLD_HOT_H
#define TABLE_FOLD_HOT_H

#include "base/bytes.h"
#include "table/shard.h"

enum { FOLD_HOT_WRITES = 8 };
struct fold_hot;
struct fold_hot_key;
struct fold_hot *fold_hot_new(void);
void fold_hot_free(struct fold_hot *hot);
/* A write of a key, by its hash. Its place, if this one is to be folded; NULL: it is not. */
struct fold_hot_key *fold_hot_find(struct fold_hot *hot, uint64_t hash, size_t bytes, int64_t now_us);
/* All that the key holds, through the batch, and with the fragment; both live until the next call. False: it
 * is better left as it is. */
bool fold_hot_value(struct shard *shard, const struct store_batch *batch, struct fold_hot_key *hot, struct bytes key,
                    struct bytes fragment, struct bytes *before, struct bytes *folded);

#endif
