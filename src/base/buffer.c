/* The slow paths of a growing buffer; what is done for each byte is inline in the header.
 *
 * Capacities double, so that appending costs the same for each byte however long the buffer gets.
 * What lies behind the size is out of use for the sanitizers until buffer_reserve gives it, so that
 * who writes more than it reserved is caught even where the capacity would have taken it. */
#include "base/buffer.h"

#include "base/debug.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* From 256 bytes on, so that short keys and replies grow once. The limits of what a client can make
 * grow are checked long before the quarter of the address space that is asserted here. */
void buffer_grow(struct buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity : 256;

    debug_assert(more < SIZE_MAX / 4 && buffer->size < SIZE_MAX / 4);
    while (capacity - buffer->size < more)
        capacity *= 2;
    buffer->data = xrealloc(buffer->data, capacity);
    debug_assert(buffer->size <= capacity && capacity - buffer->size >= more);
    buffer->capacity = capacity;
    poison(buffer->data + buffer->size, capacity - buffer->size);
}

/* For a buffer that stays for long after it was filled. xrealloc keeps one byte of an empty one,
 * which does no harm. */
void buffer_shrink(struct buffer *buffer)
{
    buffer->data = xrealloc(buffer->data, buffer->size);
    buffer->capacity = buffer->size;
}

/* Measured first, then printed in place: the terminating NUL needs room, and is not counted. */
void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list list;
    int size;

    va_start(list, format);
    size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    assert(size >= 0);
    buffer_reserve(buffer, (size_t)size + 1);
    va_start(list, format);
    vsnprintf((char *)buffer->data + buffer->size, (size_t)size + 1, format, list);
    va_end(list);
    buffer->size += (size_t)size;
}
