/* base/cursor.h: bytes read from the front, every length checked.
 *
 * Shapes:  numbers are big-endian. A cursor that ran past its end stays failed, and gives zeros and nothing: a decoder checks once, where
 *          it matters.
 * Owns:    nothing: spans point into what is read.
 * Thread:  one.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/bytes.h"

struct cursor {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct cursor cursor_of(struct bytes bytes)
{
    return (struct cursor){ bytes.data, bytes.size, false };
}

/* What was read cannot be: nothing is read any more. */
static inline void cursor_fail(struct cursor *cursor)
{
    cursor->failed = true;
    cursor->left = 0;
}

static inline bool cursor_has(struct cursor *cursor, size_t size)
{
    if (cursor->left >= size)
        return true;
    cursor_fail(cursor);
    return false;
}

/* NULL data: there is not as much. */
static inline struct bytes cursor_take(struct cursor *cursor, size_t size)
{
    struct bytes bytes = { NULL, 0 };

    if (cursor_has(cursor, size)) {
        bytes = bytes_of(cursor->at, size);
        cursor->at += size;
        cursor->left -= size;
    }
    return bytes;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
    struct bytes raw = cursor_take(cursor, 1);

    return raw.data ? raw.data[0] : 0;
}

static inline uint16_t cursor_be16(struct cursor *cursor)
{
    struct bytes raw = cursor_take(cursor, 2);

    return raw.data ? load_be16(raw.data) : 0;
}

static inline uint32_t cursor_be32(struct cursor *cursor)
{
    struct bytes raw = cursor_take(cursor, 4);

    return raw.data ? load_be32(raw.data) : 0;
}

static inline uint64_t cursor_be64(struct cursor *cursor)
{
    struct bytes raw = cursor_take(cursor, 8);

    return raw.data ? load_be64(raw.data) : 0;
}

#endif
