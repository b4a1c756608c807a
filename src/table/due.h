/* table/due.h: inside table/: the *due list*, by which the sweeper finds tombstones. An entry is written in
 * the batch of its tombstone:
 *
 *     0 (8) | "due" 00 (4) | table id (8) | second it was made (8, sign flipped) |
 *         the tombstone's key from its token on
 *     value: 01 (1), the version of this entry
 *
 * In order of table, then of age: an ALTER of gc_grace_seconds needs no rewriting, and a table whose oldest
 * entry is not due yet costs one seek. A range's segment and its entry come and go together; a partition's
 * deletion leaves entries behind when a newer one replaces it, which are dropped when they are met.
 *
 * Thread:  pure.
 */
#ifndef TABLE_DUE_H
#define TABLE_DUE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "row/key.h"

enum { DUE_KEY_BYTES = 20 }; /* by which an entry's key is longer than its tombstone's */

/* The key of a tombstone's entry; all entries have the same value. */
void due_encode(struct buffer *out, struct bytes tombstone_key, int64_t deleted_s);
struct bytes due_value(void);
/* Where the list lies: from the first key to before the second. */
void due_encode_bounds(struct buffer *first, struct buffer *end);
/* Where the entries of a table begin. */
void due_encode_table(struct buffer *out, uint64_t table_id);

struct due_entry {
    struct bytes key; /* the entry's own */
    uint64_t table_id;
    int64_t deleted_s;
    struct bytes tombstone; /* its key ... */
    struct bytes partition; /* ... and that of its partition, up to before the kind */
    enum key_kind kind;
};
/* Copies into the arena. False: it is not ours to read. */
bool due_decode(struct arena *arena, struct bytes key, struct bytes value, struct due_entry *entry);

/* Whether a record of the shard's own is an entry of the due list, and at which position (table/layout.h) its
 * tombstone is. */
bool due_position(struct bytes key, uint64_t *position);

#endif
