/* base/buffer.h: a growing run of bytes on the heap, for building messages, keys and values.
 *
 * Shapes:  numbers are appended big-endian. The data moves when it grows: keep offsets, not pointers. What lies behind the size may be
 *          used only as far as buffer_reserve gave it.
 * Owns:    the buffer owns its data from buffer_init to buffer_fini; a zeroed struct is a valid empty buffer.
 * Errors:  out of memory aborts; limits are the caller's (check buffer.size).
 * Thread:  one thread at a time.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/bytes.h"
#include "base/memory.h"
#include "base/poison.h"

#include <stdlib.h>

struct buffer {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
};

void buffer_grow(struct buffer *buffer, size_t more); /* slow path of buffer_reserve */
/* Gives back what is not used. */
void buffer_shrink(struct buffer *buffer);

static inline void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){ 0 };
}

static inline void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

/* Forgets the bytes, and keeps the memory for the next ones. */
static inline void buffer_reset(struct buffer *buffer)
{
    poison(buffer->data, POISON_IS_SEEN ? buffer->capacity : buffer->size);
    buffer->size = 0;
}

/* The buffer is given back to whoever lends it out again. */
static inline void buffer_retire(struct buffer *buffer)
{
    if (POISON_IS_SEEN)
        buffer_fini(buffer);
    else
        buffer_reset(buffer);
}

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

/* Makes room for `more` bytes and returns where they will stand; the size is unchanged. */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->size < more)
        buffer_grow(buffer, more);
    if (POISON_IS_SEEN && more)
        unpoison(buffer->data + buffer->size, more);
    return buffer->data + buffer->size;
}

/* Appends `more` bytes for the caller to fill. */
static inline uint8_t *buffer_extend(struct buffer *buffer, size_t more)
{
    uint8_t *at = buffer_reserve(buffer, more);

    buffer->size += more;
    return at;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size)
        memcpy(buffer_extend(buffer, size), data, size);
}

static inline void buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}

static inline void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

static inline void buffer_append_u8(struct buffer *buffer, uint8_t v)
{
    *buffer_extend(buffer, 1) = v;
}

static inline void buffer_append_be16(struct buffer *buffer, uint16_t v)
{
    store_be16(buffer_extend(buffer, 2), v);
}

static inline void buffer_append_be32(struct buffer *buffer, uint32_t v)
{
    store_be32(buffer_extend(buffer, 4), v);
}

static inline void buffer_append_be64(struct buffer *buffer, uint64_t v)
{
    store_be64(buffer_extend(buffer, 8), v);
}

void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline __attribute__((unused)) void buffer_fini_cleanup(struct buffer *buffer)
{
    buffer_fini(buffer);
}

#endif
