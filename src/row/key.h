/* row/key.h: where a row stands in the key space.
 *
 *     table id (8) | token (8, sign flipped) | partition key (escaped, terminated) | kind (1) | clustering
 *
 * All numbers big-endian, so memcmp is the order everywhere: by table, token, partition key bytes, kind,
 * clustering. The partition key is its serialized form (types/value.h: token_of_partition_key) with 00
 * escaped as 00 FF and ended by 00 01 (see key.c). Clustering components are value_encode_key's bytes one
 * after another. The first 16 bytes are the prefix that bloom filters know. Laid down: a change is a new
 * format version of the data directory.
 *
 * Errors:  decoding foreign bytes: ERR_CORRUPT.
 * Thread:  pure.
 */
#ifndef ROW_KEY_H
#define ROW_KEY_H

#include "base/buffer.h"
#include "base/error.h"

enum { KEY_PREFIX_BYTES = 16 };

enum key_kind {
    KEY_PARTITION = 1, /* the partition's own record: deletion, static row, flag "has range tombstones" */
    KEY_RANGE = 2,     /* a range tombstone, under where it begins (table/range.h) */
    KEY_ROW = 3,
};

struct key_parts {
    uint64_t table_id;
    int64_t token;
    struct bytes partition_key; /* unescaped; decoded into the caller's buffer */
    enum key_kind kind;
    struct bytes clustering; /* borrowed from the key */
};

/* The escape above. Unescaping replaces what out held and leaves in *bytes what follows the end mark. */
void key_escape(struct buffer *out, struct bytes bytes);
enum status key_unescape(struct bytes *bytes, struct buffer *out, struct error *err);

/* All append. key_encode_partition gives the prefix that every key of a partition begins with (up to before kind). */
void key_encode_token(struct buffer *out, uint64_t table_id, int64_t token);
void key_encode_partition(struct buffer *out, uint64_t table_id, int64_t token, struct bytes partition_key);
void key_encode(struct buffer *out, const struct key_parts *parts);
/* scratch holds the unescaped partition key, which parts borrows. */
enum status key_decode(struct bytes key, struct buffer *scratch, struct key_parts *parts, struct error *err);

#endif
