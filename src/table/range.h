/* table/range.h: inside table/: the range tombstones of a partition, as disjoint segments of the clustering order.
 *
 * A bound is a prefix of encoded clusterings, and so a *place* between byte strings: "before all that begins
 * with it" is the prefix itself, "behind all that begins with it" the prefix's successor. A range is [lower,
 * upper) by memcmp. No two segments of a partition overlap: the owner cuts and joins them as it writes
 * (range_add), so that a reader finds the one that covers a place by one seek and streams only through those
 * of its slice. A segment is a key of its own:
 *
 *     ... KEY_RANGE (1) | lower place, escaped and terminated (row/key.h) |
 *         00: to the end, 01: upper place follows | upper place
 *
 * and its value a fragment with nothing but the deletion. Neighbours with the same deletion are one segment.
 * Each segment stands in the due list (due.h) under its key, from the same batch on; a segment that goes
 * takes its entry along.
 *
 * Errors:  decoding foreign bytes: ERR_CORRUPT. ERR_INVALID: the key would be too long.
 * Thread:  range_add, range_find: the owner's.
 */
#ifndef TABLE_RANGE_H
#define TABLE_RANGE_H

#include "store/store.h"
#include "table/known.h"

/* To the smallest key greater than every key that begins with this one; false if there is none. */
bool key_prefix_successor(struct buffer *key);
/* The places of a range given by bounds (enum in command.h). False: nothing lies in it. */
bool range_of_bounds(struct arena *arena, struct bytes start, struct bytes end, uint8_t bounds,
                     struct range_segment *range);

/* What stands behind KEY_RANGE. scratch holds the unescaped lower place, which *lower borrows. */
void range_encode(struct buffer *out, struct bytes lower, struct bytes upper);
enum status range_decode(struct bytes bytes, struct buffer *scratch, struct bytes *lower, struct bytes *upper,
                         struct error *err);

/* The longest key that a segment with this place may have, its entry in the due list counted: the other place
 * is one of no more bytes. partition: how long its key is, up to before the kind. While all places of a
 * partition keep this at or below STORE_KEY_BYTES_MAX, whatever is cut or joined of its segments can be stored. */
size_t range_key_bytes_most(size_t partition, struct bytes place);
/* The longest prefix of a place that keeps to it: a place before it, or the same. Borrowed. */
struct bytes range_cut_place(size_t partition, struct bytes place);

/* ---- the owner's: through a batch that is not yet written ---- */

/* Which of a batch's operations stand where, as far as they are of range tombstones. Fills itself as it is used. */
struct range_overlay {
    uint32_t *ops; /* owned; of the batch, sorted by key, the last one of each */
    uint32_t count, capacity;
    size_t seen; /* operations of the batch looked at so far */
};
/* After the batch lost operations. */
void range_overlay_reset(struct range_overlay *overlay);
void range_overlay_fini(struct range_overlay *overlay);

struct range_owner {
    const struct store_ops *ops;
    struct store *store;
    const struct store_batch *batch; /* NULL: none under way */
    struct range_overlay *overlay;
    struct arena *arena;
    struct error *err;
    bool may_wait;             /* for the disk; false: ERR_WOULD_WAIT */
    struct range_known *known; /* NULL: for who is not the owner, or does not write what it adds */
};
/* The deletion of the segment that covers a clustering; DELETION_NONE: none does. partition: its key up to
 * before the kind. */
enum status range_find(struct range_owner *owner, struct bytes partition, struct bytes clustering,
                       struct deletion *deletion);
/* What becomes of a partition's segments: which come, and which go. A segment's key, its deletion and its
 * place in the due list come and go together. In the owner's arena; zero-initialise. */
struct range_changes {
    struct range_change {
        struct bytes key; /* with all that stands before the segment */
        struct deletion deletion;
        bool comes;
    } * items;
    uint32_t count, capacity;
};
void range_change_add(struct arena *arena, struct range_changes *changes, struct bytes key, struct deletion deletion,
                      bool comes);

/* Adds a range to the partition's segments: `changes` gets those that change, and what is known of the
 * partition counts with them from now on. With segments_max (and nothing under way in a batch) it stops
 * behind so many that are there already and *done_to is where (NULL data: all done); 0: never. */
enum status range_add(struct range_owner *owner, struct bytes partition, struct range_segment range,
                      uint32_t segments_max, struct bytes *done_to, struct range_changes *changes);

/* One segment that comes. */
enum status range_put(struct range_owner *owner, struct bytes partition, const struct range_segment *segment,
                      struct range_changes *changes);

#endif
