/* query/context.h: inside an engine and a context, for the files of this folder.
 *
 * Owns:    a context's scratch memory is reused by its next request.
 * Thread:  the engine is shared; everything else belongs to the context's thread.
 */
#ifndef QUERY_CONTEXT_H
#define QUERY_CONTEXT_H

#include "base/hash.h"
#include "catalog/catalog.h"
#include "plan/plan.h"
#include "query/buffer_pool.h"
#include "query/prepared.h"

#include <stdatomic.h>

enum { MAC_KEY_BYTES = 32 };

struct query_engine {
    struct catalog *catalog;
    struct catalog_listener listener; /* forgets what a change made unfit */
    struct table_space *space;
    uint32_t page_rows_max, chunk_rows;
    uint64_t page_bytes_max, page_work_max;
    uint64_t row_cache_bytes;
    /* of struct query_thresholds */
    _Atomic uint64_t tombstone_warn, tombstone_fail, batch_warn_bytes, batch_fail_bytes, batch_warn_partitions;
    struct prepared_cache *cache;   /* owned */
    _Atomic uint64_t prepared_last; /* struct prepared's number */
    const struct keys *keys;        /* borrowed; NULL: mac_key */
    uint8_t mac_key[MAC_KEY_BYTES]; /* of paging states; made at start */
    struct hash_key hash_key;       /* of tables whose keys clients choose */
};

struct query_context {
    struct query_engine *engine;
    bool may_wait;
    struct table_port *port; /* owned */
    struct catalog_view view;
    struct prepared_lookaside lookaside;
    struct uuid_source uuids;
    uint64_t last_prepend_ticks;
    struct buffer_pool buffers;              /* of commands */
    struct buffer scratch;                   /* of one row's values */
    struct buffer key_scratch;               /* of one key while it is encoded */
    struct buffer last_key, last_clustering; /* where a read stands */
    struct buffer next_clustering;           /* where its next chunk begins */
};

/* Which threshold a number passes: as it stands now, 0: never. */
static inline bool is_past_threshold(const _Atomic uint64_t *threshold, uint64_t number)
{
    uint64_t limit = atomic_load_explicit(threshold, memory_order_relaxed);

    return limit && number > limit;
}

#endif
