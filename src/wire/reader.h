/* wire/reader.h: the notations of the native protocol, read from a span with every length checked.
 *
 * Shapes:  a reader that ran past its end stays failed and gives zeros, so that a decoder checks once, where it matters.
 * Owns:    nothing: spans point into the body.
 * Thread:  one.
 */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include "base/cursor.h"

/* [string], [short bytes]: never null. */
static inline struct bytes read_string(struct cursor *reader)
{
    return cursor_take(reader, cursor_be16(reader));
}

/* [long string]. A negative length fails. */
static inline struct bytes read_long_string(struct cursor *reader)
{
    uint32_t size = cursor_be32(reader);

    return cursor_take(reader, size > INT32_MAX ? SIZE_MAX : size);
}

/* [bytes]: a negative length is null. */
static inline struct bytes read_bytes(struct cursor *reader)
{
    uint32_t size = cursor_be32(reader);

    return size > INT32_MAX ? (struct bytes){ NULL, 0 } : cursor_take(reader, size);
}

#endif
