/* table/range.h: inside table/: the range tombstones of a partition, as disjoint segments of the clustering order.
 *
 * A bound is a prefix of encoded clusterings, and so a *place* between byte strings: "before all that begins with it" is the prefix
 * itself, "behind all that begins with it" the prefix's successor. A range is [lower, upper) by memcmp. No two segments of a partition
 * overlap: the owner cuts and joins them as it writes (range_add), so that a reader finds the one that covers a place by one seek and
 * streams only through those of its slice. A segment is a key of its own:
 *
 *     ... KEY_RANGE (1) | lower place, escaped and terminated (row/key.h) | 00: to the end, 01: upper place follows | upper place
 *
 * and its value a fragment with nothing but the deletion. Neighbours with the same deletion are one segment. Each segment stands in
 * the due list (sweep.h) under its key, from the same batch on; a segment that goes takes its entry along.
 *
 * Errors:  decoding foreign bytes: ERR_CORRUPT. ERR_INVALID: the key would be too long.
 * Thread:  range_add, range_find: the owner's. A cursor: the reader's, under its snapshot.
 */
#ifndef TABLE_RANGE_H
#define TABLE_RANGE_H

#include "row/row.h"
#include "store/store.h"

struct range_segment {
    struct bytes lower, upper; /* places; NULL upper: to the end */
    struct deletion deletion;
};

/* To the smallest key greater than every key that begins with this one; false if there is none. */
bool key_prefix_successor(struct buffer *key);
/* The places of a range given by bounds (enum in command.h). False: nothing lies in it. */
bool range_of_bounds(struct arena *arena, struct bytes start, struct bytes end, uint8_t bounds,
                     struct range_segment *range);

/* What stands behind KEY_RANGE. scratch holds the unescaped lower place, which *lower borrows. */
void range_encode(struct buffer *out, struct bytes lower, struct bytes upper);
enum status range_decode(struct bytes bytes, struct buffer *scratch, struct bytes *lower, struct bytes *upper,
                         struct error *err);

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

/* What an owner knows of partitions whose ranges it changed lately, so that it need not look for them among all that they replaced: of
 * each a *window* of places, with all segments that touch it, as they are behind the batch under way. The owner keeps it true: what it
 * does not write by range_add, or takes back, makes it forget. Bounded: known.c. */
struct range_known;
struct range_known *range_known_new(void);
void range_known_free(struct range_known *known);
void range_known_forget(struct range_known *known);

struct range_window;
/* NULL: nothing is known of the partition. */
struct range_window *range_known_find(struct range_known *known, struct bytes partition);
/* In the place of the one that was used least lately. The caller fills it. */
struct range_window *range_known_begin(struct range_known *known, struct bytes partition, struct bytes lower,
                                       struct bytes upper);
void range_window_forget(struct range_window *window);
struct bytes range_window_partition(const struct range_window *window);
uint32_t range_window_count(const struct range_window *window);
struct bytes range_window_lower(const struct range_window *window);
struct bytes range_window_upper(const struct range_window *window);
void range_window_set_lower(struct range_window *window, struct bytes lower);
void range_window_set_upper(struct range_window *window, struct bytes upper);
/* Those that overlap or touch [lower, upper]: from *first to before *end. */
void range_window_find(const struct range_window *window, struct bytes lower, struct bytes upper, uint32_t *first,
                       uint32_t *end);
const struct range_segment *range_window_at(const struct range_window *window, uint32_t index);
/* The segments are copied. False: they became too many, and the window is forgotten. */
bool range_window_replace(struct range_window *window, uint32_t first, uint32_t end,
                          const struct range_segment *segments, uint32_t count);

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
/* The deletion of the segment that covers a clustering; DELETION_NONE: none does. partition: its key up to before the kind. */
enum status range_find(struct range_owner *owner, struct bytes partition, struct bytes clustering,
                       struct deletion *deletion);
/* Adds a range to the partition's segments: the batch gets the segments that change, with their places in the due list. With
 * segments_max (and nothing under way in a batch) it stops behind so many that are there already and *done_to is where (NULL data:
 * all done); 0: never. */
enum status range_add(struct range_owner *owner, struct store_batch *out, struct bytes partition,
                      struct range_segment range, uint32_t segments_max, struct bytes *done_to);

/* One segment and its place in the due list. key: with all that stands before the segment. */
enum status range_put(struct range_owner *owner, struct store_batch *out, struct bytes partition,
                      const struct range_segment *segment);
void range_forget(struct store_batch *out, struct bytes key, struct deletion deletion);

/* ---- a reader's ---- */

/* Goes through a partition's segments in one direction, beside its rows. Zero-initialise; close. */
struct range_cursor {
    const struct store_ops *ops;
    struct store *store;
    struct store_snapshot *snapshot;
    struct arena *arena;
    bool may_wait, reversed;
    int64_t gc_before_s; /* what was deleted before is not counted */
    uint32_t markers;    /* ends of segments passed: what Cassandra counts as tombstones. The caller's to reset */
    uint32_t passed;     /* segments passed, counted or not */
    struct store_scan *scan;
    struct buffer first, end, key, lower;
    struct bytes upper;
    struct deletion deletion;
    size_t skip;
    bool valid; /* a segment is at hand */
};
enum status range_cursor_open(struct range_cursor *cursor, struct bytes partition, struct error *err);
void range_cursor_close(struct range_cursor *cursor);
/* To where a slice begins: a place (reversed: where it ends; NULL data: at the end). */
enum status range_cursor_seek(struct range_cursor *cursor, struct bytes place, struct error *err);
/* To where a single row stands; nothing is passed. */
enum status range_cursor_seek_point(struct range_cursor *cursor, struct bytes clustering, struct error *err);
/* Onward to a clustering, and what deletes it. */
enum status range_cursor_find(struct range_cursor *cursor, struct bytes clustering, struct deletion *deletion,
                              struct error *err);
/* Onward to where the slice ends (NULL data: the partition's end; reversed: an empty place is its beginning); stops when the count passes `markers_max`. */
enum status range_cursor_drain(struct range_cursor *cursor, struct bytes place, uint32_t markers_max,
                               struct error *err);

#endif
