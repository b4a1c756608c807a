/* A reader's way through the range tombstones of a partition, beside its rows: one seek where a
 * slice begins, then onward with the rows, in the same direction. So a reader passes each segment
 * once, and a partition with a million of them costs a read of ten rows no more than the segments
 * between these.
 *
 * Segments passed are counted as Cassandra counts its markers: two ends each, unless they may be
 * purged. */
#include "table/range_cursor.h"

#include "row/fragment.h"
#include "row/key.h"

#include <assert.h>

/* Over the segments of this partition only. It reads nothing yet. */
enum status range_cursor_open(struct range_cursor *cursor, struct bytes partition, struct error *err)
{
    struct store_scan_options options = { .family = STORE_DATA,
                                          .snapshot = cursor->snapshot,
                                          .may_wait = cursor->may_wait };

    assert(!cursor->scan && !cursor->first.size && partition.size);
    buffer_append_bytes(&cursor->first, partition);
    buffer_append_u8(&cursor->first, KEY_RANGE);
    buffer_append_bytes(&cursor->end, partition);
    buffer_append_u8(&cursor->end, KEY_RANGE + 1);
    cursor->skip = cursor->first.size;
    options.lower = buffer_bytes(&cursor->first);
    options.upper = buffer_bytes(&cursor->end);
    return cursor->ops->scan_open(cursor->store, &options, &cursor->scan, err);
}

void range_cursor_close(struct range_cursor *cursor)
{
    store_scan_close(cursor->scan);
    buffer_fini(&cursor->first);
    buffer_fini(&cursor->end);
    buffer_fini(&cursor->key);
    buffer_fini(&cursor->lower);
    *cursor = (struct range_cursor){ 0 };
}

/* Takes the segment on which the scan stands. */
/* Takes the segment on which the scan stands. A value that cannot be read fails the read: a
 * tombstone that is passed over would show what it deleted. */
static enum status arrive(struct range_cursor *cursor, enum status status, struct error *err)
{
    struct store_scan *scan = cursor->scan;
    struct bytes lower;
    struct row row;

    cursor->valid = !status && scan->valid;
    if (!cursor->valid)
        return status;
    status = range_decode(bytes_of(scan->key.data + cursor->skip, scan->key.size - cursor->skip), &cursor->lower,
                          &lower, &cursor->upper, err);
    if (status)
        return status;
    status = row_decode(cursor->arena, scan->value, &row, err); /* only its deletion is kept */
    cursor->deletion = row.deletion;
    return status;
}

/* To the next segment, and counts the one that is left. */
static enum status move(struct range_cursor *cursor, struct error *err)
{
    const struct store_ops *ops = cursor->ops;

    assert(cursor->valid);
    cursor->passed++;
    if (cursor->deletion.deleted_s >= cursor->gc_before_s)
        cursor->markers += 2;
    return arrive(cursor, cursor->reversed ? ops->scan_prev(cursor->scan, err) : ops->scan_next(cursor->scan, err),
                  err);
}

/* To the last segment that begins before a place, or at it: the only one that can cover it from the
 * left. */
static enum status seek_before(struct range_cursor *cursor, struct bytes place, bool or_at, struct error *err)
{
    assert(cursor->scan && cursor->first.size == cursor->skip);
    buffer_reset(&cursor->key);
    buffer_append_bytes(&cursor->key, buffer_bytes(&cursor->first));
    key_escape(&cursor->key, place);
    if (or_at)
        buffer_append_u8(&cursor->key, 0xFF);
    return arrive(cursor, cursor->ops->scan_seek_back(cursor->scan, buffer_bytes(&cursor->key), err), err);
}

/* The upper place is exclusive: a segment that ends at a place does not cover it. */
static bool ends_before(const struct range_cursor *cursor, struct bytes place)
{
    return !bytes_is_null(cursor->upper) && bytes_compare(cursor->upper, place) <= 0;
}

/* Forwards, the segment that begins before the place may still cover it; backwards, none that begins
 * at the place counts. */
enum status range_cursor_seek(struct range_cursor *cursor, struct bytes place, struct error *err)
{
    const struct store_ops *ops = cursor->ops;
    enum status status;

    if (cursor->reversed)
        return bytes_is_null(place) ? arrive(cursor, ops->scan_last(cursor->scan, err), err)
                                    : seek_before(cursor, place, false, err);
    status = seek_before(cursor, place, true, err);
    if (!status && !cursor->valid)
        return arrive(cursor, ops->scan_first(cursor->scan, err), err);
    if (!status && !bytes_is_null(cursor->upper) && bytes_compare(cursor->upper, place) <= 0)
        return arrive(cursor, ops->scan_next(cursor->scan, err), err);
    return status;
}

/* For single rows that are looked up: from one to the next may be far. */
enum status range_cursor_seek_point(struct range_cursor *cursor, struct bytes clustering, struct error *err)
{
    enum status status = seek_before(cursor, clustering, true, err);

    if (!status && cursor->valid && ends_before(cursor, clustering))
        cursor->valid = false;
    return status;
}

/* The lower place is inclusive. */
static bool begins_behind(const struct range_cursor *cursor, struct bytes place)
{
    return bytes_compare(buffer_bytes(&cursor->lower), place) > 0;
}

/* Rows come in order, so the cursor only goes onward. */
enum status range_cursor_find(struct range_cursor *cursor, struct bytes clustering, struct deletion *deletion,
                              struct error *err)
{
    enum status status = OK;

    *deletion = DELETION_NONE;
    while (!status && cursor->valid &&
           (cursor->reversed ? begins_behind(cursor, clustering) : ends_before(cursor, clustering)))
        status = move(cursor, err);
    if (!status && cursor->valid && !begins_behind(cursor, clustering) && !ends_before(cursor, clustering))
        *deletion = cursor->deletion;
    return status;
}

/* Segments behind the last row of a slice count too. A limit keeps a read from passing a million of
 * them. */
enum status range_cursor_drain(struct range_cursor *cursor, struct bytes place, uint32_t markers_max, struct error *err)
{
    enum status status = OK;

    while (!status && cursor->valid && cursor->markers <= markers_max) {
        if (cursor->reversed ? ends_before(cursor, place)
                             : !bytes_is_null(place) && bytes_compare(buffer_bytes(&cursor->lower), place) >= 0)
            break;
        status = move(cursor, err);
    }
    return status;
}
