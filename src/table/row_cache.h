/* table/row_cache.h: inside table/: values that one thread read lately, found again without asking the store.
 *
 * A loop looks up most rows by their full key. The store finds one in several places (memtables, files,
 * blocks) and merges what it finds; here it is one probe. What is kept are the store's values as they were
 * merged, keys that are absent too; readers decode and hide as always, so time to live, deletions and dropped
 * columns need nothing here.
 *
 * Nothing is ever told to a cache. A shard has *versions*: numbers, by the hash of a key. Its owner makes
 * those of a batch odd before it writes and even again, and higher, when the batch is visible or has failed.
 * A value was put with the even version that stood before it was looked up and after; it is good as long as
 * that is still the version.
 *
 *     owner:   versions odd (versions_begin) -> ops->write -> versions even, higher (versions_end)
 *     reader:  version even? -> found with this version: good
 *                            -> else ops->get -> version still the same? -> put
 *
 * Why this is enough: who sees a batch in the store sees its odd versions too, since they were written before
 * the batch was shown (the store shows it with a release and looks with an acquire); and an even version is
 * written after, so who sees that sees the batch.
 *
 * Memory is one ring, the oldest is overwritten; a directory of 8-way sets says where in it a key is. It
 * begins small and starts anew with twice the size when it has been filled, up to bytes_max. Large ones are
 * made by a thread, while the full one goes on, so that no request waits for their memory: until they are
 * there, and the one before is gone, there are both.
 *
 * Owns:    what is found is borrowed until the next put.
 * Thread:  a cache belongs to one; versions are written by the shard's owner and read by all.
 */
#ifndef TABLE_ROW_CACHE_H
#define TABLE_ROW_CACHE_H

#include "base/hash.h"
#include "store/store.h"

#include <stdatomic.h>

/* ---- versions of a shard ---- */

enum { VERSION_COUNT = 1 << 19 };

struct versions {
    _Atomic uint64_t *numbers; /* owned, VERSION_COUNT; pages that no key was written to take no memory */
    uint64_t secret;           /* of the hash: keys are a client's choice */
};

void versions_init(struct versions *versions);
void versions_fini(struct versions *versions);
/* Around the write of a batch, whatever comes of it. A range is as if all keys were written. */
void versions_begin(struct versions *versions, const struct store_batch *batch);
void versions_end(struct versions *versions, const struct store_batch *batch);
/* Around what may change any value. */
void versions_begin_all(struct versions *versions);
void versions_end_all(struct versions *versions);

static inline uint64_t version_hash(const struct versions *versions, struct bytes key)
{
    return hash_seeded(versions->secret, key);
}

static inline const _Atomic uint64_t *version_of(const struct versions *versions, uint64_t hash)
{
    return &versions->numbers[hash % VERSION_COUNT];
}

/* ---- the cache of a thread ---- */

enum { ROW_CACHE_BYTES_MIN = 1 << 20, ROW_CACHE_VALUE_BYTES_MAX = 16 << 10 /* larger ones are not kept */ };

struct row_cache;
/* bytes_max: at least ROW_CACHE_BYTES_MIN; its directory is in it. */
struct row_cache *row_cache_new(uint64_t bytes_max);
void row_cache_free(struct row_cache *cache);
/* The key is about to be looked for. */
void row_cache_prefetch(const struct row_cache *cache, uint64_t hash);
/* Whether the key is here with this version; *value data NULL: it is known to be absent. */
bool row_cache_find(struct row_cache *cache, uint64_t hash, uint64_t version, struct bytes key, struct bytes *value);
void row_cache_put(struct row_cache *cache, uint64_t hash, uint64_t version, struct bytes key, struct bytes value);
/* Memory it takes now, as far as it was touched; without what a thread is making. */
uint64_t row_cache_bytes(const struct row_cache *cache);

#endif
