/* base/bytes.h: a borrowed span of bytes, and two of them as a pair; loads and stores of numbers; a hexadecimal digit; a rotation, for hashes.
 *
 * Shapes:  a span is (data, size); data may be NULL only when size is 0, except that a NULL data
 *          with size 0 may mean "null" where the using header says so (see bytes_is_null).
 * Owns:    nothing.
 * Errors:  none.
 * Thread:  pure; call from anywhere.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct bytes {
    const uint8_t *data; /* borrowed */
    size_t size;
};

/* A header, a parameter of a query. */
struct bytes_pair {
    struct bytes name, value;
};

/* For "%.*s" in a format string. */
#define BYTES(b) (int)(b).size, (const char *)(b).data
/* A literal as a span, without its NUL. */
#define BYTES_LITERAL(s) ((struct bytes){ (const uint8_t *)("" s), sizeof(s) - 1 })

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){ (const uint8_t *)data, size };
}

static inline struct bytes bytes_of_string(const char *string)
{
    return bytes_of(string, strlen(string));
}

static inline bool bytes_is_null(struct bytes b)
{
    return b.data == NULL;
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Unsigned lexicographic order; a prefix sorts first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;

    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool bytes_starts_with(struct bytes b, struct bytes prefix)
{
    return b.size >= prefix.size && (prefix.size == 0 || memcmp(b.data, prefix.data, prefix.size) == 0);
}

/* To the letter. */
static inline bool bytes_is(struct bytes b, const char *text)
{
    return bytes_equal(b, bytes_of_string(text));
}

/* In any case. */
static inline bool bytes_is_ignoring_case(struct bytes b, const char *text)
{
    return b.size == strlen(text) && (b.size == 0 || strncasecmp((const char *)b.data, text, b.size) == 0);
}

/* -1: none. Setting bit 0x20 makes a capital letter small, and a digit was taken before. */
static inline int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline uint16_t load_be16(const void *from)
{
    uint16_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap16(v);
}

static inline uint32_t load_be32(const void *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const void *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    return __builtin_bswap64(v);
}

/* As it lies: helenus runs on little-endian machines only. */
static inline uint64_t load_le64(const void *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    return v;
}

static inline uint64_t rotate_left(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static inline void store_be16(void *to, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(to, &v, sizeof(v));
}

static inline void store_be32(void *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, sizeof(v));
}

static inline void store_be64(void *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, sizeof(v));
}

#endif
