/* A stack of free buffers for commands, one pool per context. Each buffer keeps the size that
 * it grew to, so that a command as large as the last one asks for no memory. It is a stack so
 * that the buffer which was used last, and is still in the CPU's cache, is used next. */
#include "query/buffer_pool.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

/* Buffers that are kept are no larger than the first, and all of a context's than the second. */
enum { BUFFER_KEPT_BYTES = 512 << 10, BUFFERS_KEPT_BYTES = 4 << 20 };

/* All buffers that were taken have been given back: no request is pending any more. */
void buffer_pool_fini(struct buffer_pool *pool)
{
    while (pool->free) {
        struct pooled_buffer *next = pool->free->next;

        assert(pool->bytes >= pool->free->buffer.capacity);
        pool->bytes -= pool->free->buffer.capacity;
        buffer_fini(&pool->free->buffer);
        free(pool->free);
        pool->free = next;
    }
    assert(!pool->bytes);
}

/* An empty buffer, to be given back with buffer_pool_give. */
struct pooled_buffer *buffer_pool_take(struct buffer_pool *pool)
{
    struct pooled_buffer *pooled = pool->free;

    if (!pooled)
        return xcalloc(1, sizeof(*pooled));
    assert(!pooled->buffer.size);
    assert(pool->bytes >= pooled->buffer.capacity);
    pool->free = pooled->next;
    pool->bytes -= pooled->buffer.capacity;
    return pooled;
}

/* A buffer that is too large, or one too many, is freed: a burst of large writes must not
 * keep its memory for ever. */
void buffer_pool_give(struct buffer_pool *pool, struct pooled_buffer *pooled)
{
    if (pooled->buffer.capacity > BUFFER_KEPT_BYTES || pool->bytes + pooled->buffer.capacity > BUFFERS_KEPT_BYTES) {
        buffer_fini(&pooled->buffer);
        free(pooled);
        return;
    }
    assert(pool->bytes <= BUFFERS_KEPT_BYTES);
    buffer_retire(&pooled->buffer);
    pool->bytes += pooled->buffer.capacity;
    pooled->next = pool->free;
    pool->free = pooled;
}
