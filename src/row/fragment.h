/* row/fragment.h: the stored form of (a part of) a row, and of a list of them. Format version 1:
 *
 *     fragment = version (1 = 0x01) | flags (1) | base timestamp (8) |
 *                [TTL]      base ttl (v) | base expiry, seconds (s) |
 *                [LIVENESS] bits (1): 01 own timestamp (s: delta) follows, 02 base ttl,
 *                           04 own ttl (v) and expiry (s) follow |
 *                [DELETION] timestamp (s: delta) | made at, seconds (s) |
 *                [WRITTEN]  size (v), bytes: the clustering as written |
 *                [COMPLEX]  count (v), each: column id (v) | timestamp (s: delta) | made at, seconds (s) |
 *                cell count (v), each:
 *                    column id (v) |
 *                    bits (1): kind (2 low bits), 04 own timestamp, 08 own ttl, 10 path, 20 path value |
 *                    [own timestamp] (s: delta) | [tombstone] made at, seconds (s) |
 *                    [own ttl] ttl (v), expiry (s) |
 *                    [path] size (v), bytes | [path value] size (v), bytes |
 *                    [not a tombstone] size (v), bytes
 *     value    = fragment | 0xFF then, each: size (4), fragment
 *
 * v: unsigned LEB128; s: the same of a zigzag number. Timestamps other than the base are deltas to it, modulo
 * 2^64. A fragment with flag SERVER has no base timestamp yet: the owner patches bytes 2..9 (fragment_stamp),
 * deltas 0 and -1 then mean what they say. A value is a list (0xFF) only as long as one of its fragments has
 * a version this code can't read: it is kept as it is.
 *
 * Errors:  decoding checks every length: ERR_CORRUPT.
 * Owns:    decoded rows borrow from the bytes; arrays are in the arena.
 * Thread:  pure.
 */
#ifndef ROW_FRAGMENT_H
#define ROW_FRAGMENT_H

#include "row/row.h"

enum { FRAGMENT_VERSION = 0x01, FRAGMENT_LIST = 0xFF, FRAGMENT_BYTES_MIN = 11 };
enum {
    FRAGMENT_SERVER = 0x01,
    FRAGMENT_LIVENESS = 0x02,
    FRAGMENT_DELETION = 0x04,
    FRAGMENT_TTL = 0x08,
    FRAGMENT_RANGES = 0x10, /* row.has_range_tombstones */
    FRAGMENT_WRITTEN = 0x20,
    FRAGMENT_COMPLEX = 0x40,
    FRAGMENT_SHADOWABLE = 0x80, /* reserved: the deletion goes away when a newer liveness comes (views) */
};

/* Appends one fragment: what decoding would refuse is a programmer error, and a debug build (HELENUS_DEBUG)
 * decodes it. Cells and complexes sorted, each once; timestamps either all TIMESTAMP_SERVER(_BEFORE) or none
 * of them, and none is TIMESTAMP_NONE but of what is absent. */
void fragment_encode(struct buffer *out, const struct row *row);
/* Gives a fragment its timestamp, if it waits for one. Of a fragment we encoded. */
void fragment_stamp(uint8_t *fragment, size_t size, int64_t timestamp_us);
bool fragment_is_stamped(struct bytes fragment);
/* Whether this code knows its version, so that it may be stamped and stored; it may still be damaged. */
bool fragment_is_readable(struct bytes fragment);
/* Decodes one fragment. What earlier versions wrote and could not read, but leaves no doubt, is understood:
 * tombstones and deletions said twice, and deletions of collections that are TIMESTAMP_NONE. */
enum status fragment_decode(struct arena *arena, struct bytes fragment, struct row *row, struct error *err);

/* What flush and compaction ask of every value, without decoding it into memory. */
struct fragment_summary {
    int64_t min_timestamp_us; /* INT64_MAX: it has none */
    bool can_shrink;          /* something in it expires or is a deletion */
};
/* False: it can't be told. */
bool fragment_summarize(struct bytes fragment, struct fragment_summary *summary);

/* Whether a fragment that can't be read counts as deleted: its head can be read, and its base timestamp is
 * not above the deletion's. Only for those: what can be read says of each cell what is deleted. */
bool fragment_is_covered(struct bytes fragment, struct deletion deletion);

/* Decodes a stored value: its fragments merged, without what can't be read and is deleted, by the row itself
 * or by `cover` from outside. ERR_CORRUPT: it holds what can't be read and is not deleted; also what was
 * never stamped. */
enum status row_decode_under(struct arena *arena, struct bytes value, struct deletion cover, struct row *row,
                             struct error *err);
/* What of a value can be read, nothing if there is nothing: how many fragments can't be, and are not in it. */
uint32_t row_decode_rest(struct arena *arena, struct bytes value, struct row *row);
/* Under nothing. */
enum status row_decode(struct arena *arena, struct bytes value, struct row *row, struct error *err);

#endif
