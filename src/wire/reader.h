/* wire/reader.h: the notations of the native protocol, read from a span with every length checked.
 *
 * Shapes:  a reader that ran past its end stays failed and gives zeros, so that a decoder checks once, where it matters.
 * Owns:    nothing: spans point into the body.
 * Thread:  one.
 */
#ifndef WIRE_READER_H
#define WIRE_READER_H

#include "base/bytes.h"

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct reader reader_of(struct bytes bytes)
{
    return (struct reader){ bytes.data, bytes.size, false };
}

static inline bool reader_has(struct reader *reader, size_t size)
{
    if (reader->left >= size)
        return true;
    reader->failed = true;
    reader->left = 0;
    return false;
}

static inline struct bytes read_raw(struct reader *reader, size_t size)
{
    struct bytes bytes = { NULL, 0 };

    if (reader_has(reader, size)) {
        bytes = bytes_of(reader->at, size);
        reader->at += size;
        reader->left -= size;
    }
    return bytes;
}

static inline uint8_t read_u8(struct reader *reader)
{
    struct bytes raw = read_raw(reader, 1);

    return raw.data ? raw.data[0] : 0;
}

static inline uint16_t read_u16(struct reader *reader)
{
    struct bytes raw = read_raw(reader, 2);

    return raw.data ? load_be16(raw.data) : 0;
}

static inline uint32_t read_u32(struct reader *reader)
{
    struct bytes raw = read_raw(reader, 4);

    return raw.data ? load_be32(raw.data) : 0;
}

static inline uint64_t read_u64(struct reader *reader)
{
    struct bytes raw = read_raw(reader, 8);

    return raw.data ? load_be64(raw.data) : 0;
}

/* [string], [short bytes]: never null. */
static inline struct bytes read_string(struct reader *reader)
{
    return read_raw(reader, read_u16(reader));
}

/* [long string]. A negative length fails. */
static inline struct bytes read_long_string(struct reader *reader)
{
    uint32_t size = read_u32(reader);

    return read_raw(reader, size > INT32_MAX ? SIZE_MAX : size);
}

/* [bytes]: a negative length is null. */
static inline struct bytes read_bytes(struct reader *reader)
{
    uint32_t size = read_u32(reader);

    return size > INT32_MAX ? (struct bytes){ NULL, 0 } : read_raw(reader, size);
}

#endif
