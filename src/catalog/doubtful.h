/* catalog/doubtful.h: a store in memory whose next write fails without an outcome: the caller is told of a failure, and what was written
 * stands there when the shard takes writes again, or does not. Only for tests, which include its bodies with it.
 */
#ifndef CATALOG_DOUBTFUL_H
#define CATALOG_DOUBTFUL_H

#include "store/memory/memory.h"

#include <stdatomic.h>

static struct store_ops doubtful_ops;
static _Atomic bool doubtful_fails_next; /* the next write */
static _Atomic bool doubtful_loses;      /* and then it is not there */
static struct store_batch *_Atomic doubtful_batch;

static inline enum status doubtful_write(struct store *store, const struct store_batch *batch, bool durable,
                                         struct error *err)
{
    if (!atomic_exchange(&doubtful_fails_next, false))
        return store_memory_ops.write(store, batch, durable, err);
    atomic_store(&doubtful_batch, store_batch_new());
    for (size_t i = 0; i < store_batch_count(batch) && !doubtful_loses; i++) {
        struct store_op op = store_batch_at(batch, i);

        store_batch_add(doubtful_batch, &op);
    }
    return error_set(err, ERR_IO, "not known");
}

static inline enum status doubtful_resume(struct store *store, struct error *err)
{
    enum status status = store_memory_ops.write(store, doubtful_batch, true, err);

    store_batch_free(atomic_exchange(&doubtful_batch, NULL));
    return status;
}

/* Borrowed until the next call. */
static inline const struct store_ops *doubtful_store(void)
{
    doubtful_ops = store_memory_ops;
    doubtful_ops.write = doubtful_write;
    doubtful_ops.resume = doubtful_resume;
    doubtful_loses = false;
    return &doubtful_ops;
}

#endif
