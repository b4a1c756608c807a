#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void buffer_grow(struct buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity : 256;

    assert(more < SIZE_MAX / 4 && buffer->size < SIZE_MAX / 4);
    while (capacity - buffer->size < more)
        capacity *= 2;
    buffer->data = xrealloc(buffer->data, capacity);
    buffer->capacity = capacity;
    poison(buffer->data + buffer->size, capacity - buffer->size);
}

void buffer_shrink(struct buffer *buffer)
{
    buffer->data = xrealloc(buffer->data, buffer->size);
    buffer->capacity = buffer->size;
}

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
