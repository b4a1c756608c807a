/* query/buffer_pool.h: buffers that commands are encoded into, kept for the next ones.
 *
 * Owns:    the free ones; who takes one gives it back. Large ones, and what is more than a context shall keep, are freed instead.
 * Errors:  none.
 * Thread:  the context's.
 */
#ifndef QUERY_BUFFER_POOL_H
#define QUERY_BUFFER_POOL_H

#include "base/buffer.h"

struct pooled_buffer {
    struct pooled_buffer *next; /* in the pool: the next free one */
    struct buffer buffer;
};

struct buffer_pool {
    struct pooled_buffer *free; /* owned */
    size_t bytes;               /* of these */
};

void buffer_pool_fini(struct buffer_pool *pool);
/* An empty one. */
struct pooled_buffer *buffer_pool_take(struct buffer_pool *pool);
void buffer_pool_give(struct buffer_pool *pool, struct pooled_buffer *pooled);

#endif
