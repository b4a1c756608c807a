/* Where a row stands in the store's key space, as bytes that memcmp orders: row/key.h draws the
 * whole key.
 *
 * The partition key is the only part of variable length that something follows. It is escaped so
 * that keys order as its bytes do and none is a prefix of another:
 *
 *     00 in the key -> 00 FF;   end -> 00 01
 *
 * 00 01 sorts below 00 FF and below any other byte, so a key that is a prefix of another sorts
 * first. Without an end mark the clustering of a short key would be compared with the rest of a
 * longer one, and partitions would lie interleaved.
 *
 * The layout is a format on disk: golden bytes in key_test.c hold it. Decoding checks everything,
 * for keys are also read from a damaged disk. */
#include "row/key.h"

#include <assert.h>
#include <string.h>

/* The table and the token: the prefix that bloom filters know. A token is a signed number; with its
 * sign bit flipped its unsigned bytes order as it does. */
void key_encode_token(struct buffer *out, uint64_t table_id, int64_t token)
{
    uint8_t *at = buffer_extend(out, KEY_PREFIX_BYTES);

    store_be64(at, table_id);
    store_be64(at + 8, (uint64_t)token ^ (UINT64_C(1) << 63));
    assert(out->size >= KEY_PREFIX_BYTES);
}

/* Nearly all keys have no zero byte, or few: the runs between zeros are copied whole. */
void key_escape(struct buffer *out, struct bytes bytes)
{
    const uint8_t *from = bytes.data, *end = bytes.size ? from + bytes.size : from;

    assert(bytes.data || !bytes.size);
    buffer_reserve(out, bytes.size + 2);
    while (from < end) {
        const uint8_t *zero = memchr(from, 0, (size_t)(end - from));
        size_t run = (size_t)((zero ? zero : end) - from);

        buffer_append(out, from, run);
        from += run;
        if (zero) {
            buffer_append(out, "\x00\xff", 2);
            from++;
        }
    }
    assert(from == end);
    buffer_append(out, "\x00\x01", 2);
}

/* What all keys of a partition begin with. Ranges of the store that cover a partition are made of
 * it. */
void key_encode_partition(struct buffer *out, uint64_t table_id, int64_t token, struct bytes partition_key)
{
    key_encode_token(out, table_id, token);
    key_escape(out, partition_key);
}

void key_encode(struct buffer *out, const struct key_parts *parts)
{
    assert(parts->kind >= KEY_PARTITION && parts->kind <= KEY_ROW);
    assert(parts->clustering.data || !parts->clustering.size);
    key_encode_partition(out, parts->table_id, parts->token, parts->partition_key);
    buffer_append_u8(out, (uint8_t)parts->kind);
    buffer_append_bytes(out, parts->clustering);
}

static enum status damaged(struct error *err)
{
    return error_set(err, ERR_CORRUPT, "a row's key is damaged");
}

/* The opposite of key_escape. `out` gets at least one byte of memory even for an empty key, since a
 * NULL pointer means null to who gets the bytes, and an empty partition key is a value. */
enum status key_unescape(struct bytes *bytes, struct buffer *out, struct error *err)
{
    const uint8_t *at = bytes->data, *end = bytes->size ? at + bytes->size : at;

    assert(bytes->data || !bytes->size);
    buffer_reset(out);
    buffer_reserve(out, 1); /* an empty key is not a null one */
    for (;;) {
        const uint8_t *zero = end > at ? memchr(at, 0, (size_t)(end - at)) : NULL;

        if (!zero || zero + 1 >= end)
            return damaged(err);
        buffer_append(out, at, (size_t)(zero - at));
        at = zero + 2;
        if (zero[1] == 0x01)
            break;
        if (zero[1] != 0xFF)
            return damaged(err);
        buffer_append_u8(out, 0);
    }
    assert(at <= end && out->data);
    *bytes = bytes_of(at, (size_t)(end - at));
    return OK;
}

/* For keys from the store, and for ranges of keys that came with a command: nothing is assumed of
 * the bytes. */
/* For keys that were read from the store: nothing is assumed of their bytes. */
enum status key_decode(struct bytes key, struct buffer *scratch, struct key_parts *parts, struct error *err)
{
    const uint8_t *at, *end;
    struct bytes rest;
    enum status status;

    /* The shortest key has an empty partition key: its two bytes of end mark, and the kind. */
    if (key.size < KEY_PREFIX_BYTES + 3)
        return damaged(err);
    parts->table_id = load_be64(key.data);
    parts->token = (int64_t)(load_be64(key.data + 8) ^ (UINT64_C(1) << 63));
    rest = bytes_of(key.data + KEY_PREFIX_BYTES, key.size - KEY_PREFIX_BYTES);
    status = key_unescape(&rest, scratch, err);
    if (status)
        return status;
    at = rest.data;
    end = at + rest.size;
    if (at == end || *at < KEY_PARTITION || *at > KEY_ROW)
        return damaged(err);
    parts->partition_key = buffer_bytes(scratch);
    parts->kind = (enum key_kind) * at;
    assert(parts->kind >= KEY_PARTITION && parts->kind <= KEY_ROW && parts->partition_key.data);
    parts->clustering = bytes_of(at + 1, (size_t)(end - at - 1));
    return OK;
}
