/* table/range_cursor.h: inside table/: a reader's way through the range tombstones of a partition.
 *
 * Thread:  the reader's, under its snapshot.
 */
#ifndef TABLE_RANGE_CURSOR_H
#define TABLE_RANGE_CURSOR_H

#include "table/range.h"

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
/* Onward to where the slice ends (NULL data: the partition's end; reversed: an empty place is its beginning);
 * stops when the count passes `markers_max`. */
enum status range_cursor_drain(struct range_cursor *cursor, struct bytes place, uint32_t markers_max,
                               struct error *err);

#endif
