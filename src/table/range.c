/* Range tombstones of a partition as disjoint segments: their keys, and how the owner cuts, joins
 * and finds them.
 *
 * Cassandra keeps range tombstones as they came and lets readers sort them out. A reader here finds
 * what covers a row by one seek, because no two segments of a partition overlap. The price is paid
 * by the owner when it writes a range: it reads the segments around it, lays the new one over them
 * (of two that cover a place the newer stays), and writes what changed. It sees all there is, as the
 * only writer: the store through the turn's batch (the overlay), and what it knows already
 * (known.h).
 *
 * range_add goes: know or load -> lay_over -> find_changes. Places, keys and the form of a segment
 * are drawn in range.h. */
#include "table/range.h"

#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"
#include "table/command.h"
#include "table/due.h"

#include <assert.h>

enum {
    RANGE_LOAD_MAX = 4096, /* more is not kept in mind */
    RANGE_MARKS = 16,      /* of a segment's key, what is neither prefix nor places, and more */
    ESCAPE_END_BYTES = 2,  /* behind an escaped place */
};

/* ---- places and keys ---- */

/* The last byte that is not FF goes up by one, and what stands behind it goes: no shorter key lies
 * behind all that begin with the prefix. */
bool key_prefix_successor(struct buffer *key)
{
    while (key->size && key->data[key->size - 1] == 0xFF)
        key->size--;
    if (!key->size)
        return false;
    key->data[key->size - 1]++;
    return true;
}

/* The place behind everything that begins with the prefix. NULL data: there is no such place but the
 * end. */
static struct bytes behind(struct arena *arena, struct bytes prefix)
{
    uint8_t *copy = arena_alloc(arena, prefix.size + 1);
    struct buffer at = { copy, prefix.size, prefix.size };

    memcpy(copy, prefix.data, prefix.size);
    return key_prefix_successor(&at) ? buffer_bytes(&at) : (struct bytes){ 0 };
}

/* A bound that is left out is the partition's begin or end. */
bool range_of_bounds(struct arena *arena, struct bytes start, struct bytes end, uint8_t bounds,
                     struct range_segment *range)
{
    range->lower = bytes_of("", 0);
    range->upper = (struct bytes){ 0 };
    if (start.size) {
        range->lower = bounds & BOUND_START_INCLUSIVE ? arena_copy(arena, start) : behind(arena, start);
        if (bytes_is_null(range->lower))
            return false;
    }
    if (end.size)
        range->upper = bounds & BOUND_END_INCLUSIVE ? behind(arena, end) : arena_copy(arena, end);
    return bytes_is_null(range->upper) || bytes_compare(range->lower, range->upper) < 0;
}

/* Only the lower place is escaped, since something follows it. The upper one stands last. */
void range_encode(struct buffer *out, struct bytes lower, struct bytes upper)
{
    key_escape(out, lower);
    buffer_append_u8(out, bytes_is_null(upper) ? 0 : 1);
    buffer_append_bytes(out, upper);
}

/* Keys come from the store, and may be damaged. */
enum status range_decode(struct bytes bytes, struct buffer *scratch, struct bytes *lower, struct bytes *upper,
                         struct error *err)
{
    enum status status = key_unescape(&bytes, scratch, err);

    if (status)
        return status;
    if (!bytes.size || bytes.data[0] > 1 || (!bytes.data[0] && bytes.size > 1))
        return error_set(err, ERR_CORRUPT, "a range tombstone's key is damaged");
    *lower = buffer_bytes(scratch);
    *upper = bytes.data[0] ? bytes_of(bytes.data + 1, bytes.size - 1) : (struct bytes){ 0 };
    return OK;
}

/* Either place may come to stand in front, where each zero is two bytes. */
size_t range_key_bytes_most(size_t partition, struct bytes place)
{
    size_t escaped = place.size + ESCAPE_END_BYTES;

    for (size_t i = 0; i < place.size; i++)
        escaped += place.data[i] == 0;
    return partition + 1 + DUE_KEY_BYTES + RANGE_MARKS + 2 * escaped;
}

/* A prefix of no bytes is the partition's begin, whose segments fit with any key that a write took. */
struct bytes range_cut_place(size_t partition, struct bytes place)
{
    size_t least = range_key_bytes_most(partition, bytes_of("", 0)), size = 0, left;

    left = least < STORE_KEY_BYTES_MAX ? (STORE_KEY_BYTES_MAX - least) / 2 : 0;
    while (size < place.size && left >= 1 + (size_t)(place.data[size] == 0))
        left -= 1 + (size_t)(place.data[size++] == 0);
    assert(!size || range_key_bytes_most(partition, bytes_of(place.data, size)) <= STORE_KEY_BYTES_MAX);
    return bytes_of(place.data, size);
}

/* ---- what the batch already says ---- */

/* Its numbers are of the batch's operations: when those go, they mean others. */
void range_overlay_reset(struct range_overlay *overlay)
{
    overlay->count = 0;
    overlay->seen = 0;
}

void range_overlay_fini(struct range_overlay *overlay)
{
    free(overlay->ops);
    *overlay = (struct range_overlay){ 0 };
}

/* The key of an operation that the overlay knows. */
static struct bytes op_key(const struct range_owner *owner, uint32_t at)
{
    assert(at < owner->overlay->count);
    return store_batch_at(owner->batch, owner->overlay->ops[at]).key;
}

/* The first whose key is not below `key`. */
static uint32_t overlay_seek(const struct range_owner *owner, struct bytes key)
{
    uint32_t low = 0, high = owner->overlay->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (bytes_compare(op_key(owner, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the batch says something of this key: then what the store has of it does not count. */
static bool overlay_has(const struct range_owner *owner, struct bytes key)
{
    uint32_t at = overlay_seek(owner, key);

    return at < owner->overlay->count && bytes_equal(op_key(owner, at), key);
}

/* Keys of the shard's own (table id 0) are no rows' keys. */
static bool is_range_key(struct bytes key, struct buffer *scratch)
{
    struct key_parts parts;
    struct error ignored;

    return key.size >= KEY_PREFIX_BYTES && load_be64(key.data) && !key_decode(key, scratch, &parts, &ignored) &&
           parts.kind == KEY_RANGE;
}

/* Puts an operation in its place. Of several on one key the last one counts. */
static void overlay_add(const struct range_owner *owner, uint32_t op)
{
    struct range_overlay *overlay = owner->overlay;
    struct bytes key = store_batch_at(owner->batch, op).key;
    uint32_t at = overlay_seek(owner, key);

    if (at < overlay->count && bytes_equal(op_key(owner, at), key)) {
        overlay->ops[at] = op;
        return;
    }
    if (overlay->count == overlay->capacity) {
        overlay->capacity = overlay->capacity ? 2 * overlay->capacity : 64;
        overlay->ops = xrealloc(overlay->ops, overlay->capacity * sizeof(*overlay->ops));
    }
    assert(overlay->count < overlay->capacity);
    memmove(&overlay->ops[at + 1], &overlay->ops[at], (overlay->count - at) * sizeof(*overlay->ops));
    overlay->ops[at] = op;
    overlay->count++;
}

/* Looks at what the batch got since the last time. The overlay costs nothing for turns that look for
 * no range. */
static void overlay_catch_up(const struct range_owner *owner)
{
    struct buffer scratch CLEANUP(buffer_fini) = { 0 };

    if (!owner->batch)
        return;
    assert(owner->overlay->seen <= store_batch_count(owner->batch)); /* who cuts the batch resets the overlay */
    for (; owner->overlay->seen < store_batch_count(owner->batch); owner->overlay->seen++) {
        struct store_op op = store_batch_at(owner->batch, owner->overlay->seen);

        if (op.family == STORE_DATA && (op.kind == STORE_PUT || op.kind == STORE_DELETE) &&
            is_range_key(op.key, &scratch))
            overlay_add(owner, (uint32_t)owner->overlay->seen);
    }
}

/* ---- segments that lie around a range ---- */

struct found {
    struct range_segment segment;
    struct bytes key;
};
struct found_list {
    struct found *items; /* in the arena */
    uint32_t count, capacity;
};

/* A segment from a key and its value. Both are copied: the scan moves on. */
static enum status take(struct range_owner *owner, struct found_list *list, size_t skip, struct bytes key,
                        struct bytes value)
{
    struct buffer scratch CLEANUP(buffer_fini) = { 0 };
    struct found found;
    struct row row;
    enum status status;

    found.key = arena_copy(owner->arena, key);
    status = range_decode(bytes_of(found.key.data + skip, found.key.size - skip), &scratch, &found.segment.lower,
                          &found.segment.upper, owner->err);
    if (!status)
        status = row_decode(owner->arena, value, &row, owner->err);
    if (status)
        return status;
    found.segment.lower = arena_copy(owner->arena, found.segment.lower);
    found.segment.deletion = row.deletion;
    list->items = arena_room(owner->arena, list->items, list->count, &list->capacity, 8, sizeof(*list->items));
    list->items[list->count++] = found;
    return OK;
}

/* The bytes behind which all segments lie that begin behind a place: an escaped place is followed by
 * 00 or 01. */
static void seek_key(struct buffer *out, struct bytes first, struct bytes place)
{
    buffer_append_bytes(out, first);
    key_escape(out, place);
    buffer_append_u8(out, 0xFF);
}

/* The last segment before a place, which may reach over it; or the first of all. Whatever was replaced before
 * the place is passed on the way, which may be much. */
static enum status seek_before(struct range_owner *owner, struct store_scan *scan, struct bytes from)
{
    const struct store_ops *ops = owner->ops;
    enum status status = ops->scan_seek_back(scan, from, owner->err);

    while (!status && scan->valid && overlay_has(owner, scan->key))
        status = ops->scan_prev(scan, owner->err);
    if (!status && !scan->valid)
        status = ops->scan_first(scan, owner->err);
    return status;
}

/* The segments in the store that may touch [from, to]. What the batch has changed is passed over:
 * take_from_batch has it. first: the partition's key with the kind; the scan lies over its segments. */
static enum status take_from_store(struct range_owner *owner, struct store_scan *scan, struct bytes first,
                                   struct bytes from, struct bytes to, bool only_behind, uint32_t max,
                                   struct found_list *list)
{
    const struct store_ops *ops = owner->ops;
    enum status status = only_behind ? ops->scan_seek(scan, from, owner->err) : seek_before(owner, scan, from);

    while (!status && scan->valid && (bytes_is_null(to) || bytes_compare(scan->key, to) < 0) && list->count < max) {
        if (!overlay_has(owner, scan->key))
            status = take(owner, list, first.size, scan->key, scan->value);
        if (!status)
            status = ops->scan_next(scan, owner->err);
    }
    return status;
}

/* The same of what the batch puts. */
static enum status take_from_batch(struct range_owner *owner, struct bytes first, struct bytes from, struct bytes to,
                                   bool only_behind, struct found_list *list)
{
    uint32_t at = overlay_seek(owner, from), begin = at;
    enum status status = OK;

    /* The last one before it that is there may reach over it. */
    for (uint32_t i = at; !only_behind && i && bytes_starts_with(op_key(owner, i - 1), first); i--)
        if (store_batch_at(owner->batch, owner->overlay->ops[i - 1]).kind == STORE_PUT) {
            begin = i - 1;
            break;
        }
    for (uint32_t i = begin; i < owner->overlay->count && !status; i++) {
        struct store_op op = store_batch_at(owner->batch, owner->overlay->ops[i]);

        if (!bytes_starts_with(op.key, first) || (!bytes_is_null(to) && bytes_compare(op.key, to) >= 0))
            break;
        if (op.kind == STORE_PUT)
            status = take(owner, list, first.size, op.key, op.value);
    }
    return status;
}

static int by_key(const void *a, const void *b)
{
    return bytes_compare(((const struct found *)a)->key, ((const struct found *)b)->key);
}

/* The segments that overlap or touch [lower, upper], in order; at most about max of them.
 * only_behind: those that begin at lower or before it are known, and not looked for: that look is
 * what costs much in a queue. */
static enum status load(struct range_owner *owner, struct bytes partition, struct bytes lower, struct bytes upper,
                        bool only_behind, uint32_t max, struct found_list *list)
{
    struct buffer first CLEANUP(buffer_fini) = { 0 }, end CLEANUP(buffer_fini) = { 0 },
                        from CLEANUP(buffer_fini) = { 0 }, to CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = owner->may_wait };
    struct bytes last = { 0 };
    struct store_scan *scan;
    enum status status;
    uint32_t stale = 0;

    overlay_catch_up(owner);
    buffer_append_bytes(&first, partition);
    buffer_append_u8(&first, KEY_RANGE);
    buffer_append_bytes(&end, partition);
    buffer_append_u8(&end, KEY_RANGE + 1);
    seek_key(&from, buffer_bytes(&first), lower);
    if (!bytes_is_null(upper)) {
        seek_key(&to, buffer_bytes(&first), upper);
        last = buffer_bytes(&to);
    }
    options.lower = buffer_bytes(&first);
    options.upper = buffer_bytes(&end);
    status = owner->ops->scan_open(owner->store, &options, &scan, owner->err);
    if (status)
        return status;
    status = take_from_store(owner, scan, buffer_bytes(&first), buffer_bytes(&from), last, only_behind, max, list);
    store_scan_close(scan);
    if (!status && owner->overlay->count)
        status = take_from_batch(owner, buffer_bytes(&first), buffer_bytes(&from), last, only_behind, list);
    if (status)
        return status;
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), by_key);
    /* The segment before the range was taken too, since it may reach into it. If it ends before, it
     * goes. */
    while (stale < list->count && !bytes_is_null(list->items[stale].segment.upper) &&
           bytes_compare(list->items[stale].segment.upper, lower) < 0)
        stale++;
    list->items += stale;
    list->count -= stale;
    return OK;
}

/* NULL is the end: no place is behind it. */
static bool place_is_before(struct bytes place, struct bytes other)
{
    return !bytes_is_null(place) && (bytes_is_null(other) || bytes_compare(place, other) < 0);
}

/* Whether the window knows all between two places. */
static bool covers(const struct range_window *window, struct bytes lower, struct bytes upper)
{
    return bytes_compare(range_window_lower(window), lower) <= 0 && !place_is_before(range_window_upper(window), upper);
}

enum widening { WIDEN_BEFORE, WIDEN_BEHIND, WIDEN_NEW /* of a window that has nothing yet */ };

/* Makes a window know more: what lies between two places, one of which is the window's end there, is
 * put before its segments or behind them. *fits false: it is too much to be kept. */
static enum status widen(struct range_owner *owner, struct range_window *window, struct bytes lower, struct bytes upper,
                         enum widening how, bool *fits)
{
    struct found_list list = { 0 };
    struct bytes partition = range_window_partition(window);
    struct range_segment *segments;
    uint32_t first, end, count = 0;
    bool before = how == WIDEN_BEFORE;
    enum status status = load(owner, partition, lower, upper, how == WIDEN_BEHIND, RANGE_LOAD_MAX, &list);

    if (status)
        return status;
    *fits = list.count < RANGE_LOAD_MAX;
    if (!*fits)
        return OK;
    segments = arena_new_array(owner->arena, struct range_segment, list.count + 1);
    range_window_find(window, before ? upper : lower, before ? upper : lower, &first, &end);
    for (uint32_t i = 0; i < list.count; i++) {
        bool has = false; /* what touches the window's end is in it */

        for (uint32_t k = first; k < end && !has; k++)
            has = bytes_equal(range_window_at(window, k)->lower, list.items[i].segment.lower);
        if (!has)
            segments[count++] = list.items[i].segment;
    }
    assert(count <= list.count);
    *fits = range_window_replace(window, before ? 0 : range_window_count(window),
                                 before ? 0 : range_window_count(window), segments, count);
    return OK;
}

/* The window in which all that touches [lower, upper] is known, made wider or made anew if need be.
 * NULL: it is too much. */
static enum status know(struct range_owner *owner, struct bytes partition, struct bytes lower, struct bytes upper,
                        struct range_window **result)
{
    struct range_window *window = range_known_find(owner->known, partition);
    bool fits = true;
    enum status status = OK;

    *result = NULL;
    if (window && covers(window, lower, upper)) {
        *result = window;
        return OK;
    }
    if (window && place_is_before(lower, range_window_lower(window))) {
        status = widen(owner, window, lower, range_window_lower(window), WIDEN_BEFORE, &fits);
        if (!status && fits)
            range_window_set_lower(window, lower);
    }
    if (window && !status && fits && place_is_before(range_window_upper(window), upper)) {
        status = widen(owner, window, range_window_upper(window), upper, WIDEN_BEHIND, &fits);
        if (!status && fits)
            range_window_set_upper(window, upper);
    }
    if (status)
        return status;
    assert(!window || !fits || covers(window, lower, upper));
    if (window && fits) {
        *result = window;
        return OK;
    }
    if (window)
        range_window_forget(window);
    window = range_known_begin(owner->known, partition, lower, upper);
    status = widen(owner, window, lower, upper, WIDEN_NEW, &fits);
    if (status || !fits)
        range_window_forget(window);
    *result = status || !fits ? NULL : window;
    return status;
}

/* The same as load, of what is known. Keys are made again from the places. */
static void take_known(struct range_owner *owner, const struct range_window *window, uint32_t first, uint32_t end,
                       struct found_list *list)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };

    assert(first <= end && end <= range_window_count(window));
    for (uint32_t i = first; i < end; i++) {
        const struct range_segment *segment = range_window_at(window, i);
        struct found found = { .segment.deletion = segment->deletion };

        found.segment.lower = arena_copy(owner->arena, segment->lower);
        if (!bytes_is_null(segment->upper))
            found.segment.upper = arena_copy(owner->arena, segment->upper);
        buffer_reset(&key);
        buffer_append_bytes(&key, range_window_partition(window));
        buffer_append_u8(&key, KEY_RANGE);
        range_encode(&key, segment->lower, segment->upper);
        found.key = arena_copy(owner->arena, buffer_bytes(&key));
        list->items = arena_room(owner->arena, list->items, list->count, &list->capacity, 8, sizeof(*list->items));
        list->items[list->count++] = found;
    }
}

/* At most one segment covers a place. */
enum status range_find(struct range_owner *owner, struct bytes partition, struct bytes clustering,
                       struct deletion *deletion)
{
    struct range_window *window = owner->known ? range_known_find(owner->known, partition) : NULL;
    struct found_list list = { 0 };
    enum status status = OK;

    *deletion = DELETION_NONE;
    if (window && covers(window, clustering, clustering)) {
        uint32_t first, end;

        range_window_find(window, clustering, clustering, &first, &end);
        take_known(owner, window, first, end, &list);
    } else {
        status = load(owner, partition, clustering, clustering, false, UINT32_MAX, &list);
    }
    if (status)
        return status;
    for (uint32_t i = 0; i < list.count; i++) {
        const struct range_segment *segment = &list.items[i].segment;

        if (bytes_compare(segment->lower, clustering) <= 0 &&
            (bytes_is_null(segment->upper) || bytes_compare(clustering, segment->upper) < 0))
            *deletion = segment->deletion;
    }
    return OK;
}

/* ---- cutting and joining ---- */

/* The segments as they shall be, while they are laid. */
struct cut {
    struct arena *arena;
    struct range_segment *items;
    uint32_t count, capacity;
};

/* Neighbours with the same deletion are one segment. Both fields count: when it was made decides
 * when it may go. */
static bool is_same(struct deletion a, struct deletion b)
{
    return a.timestamp_us == b.timestamp_us && a.deleted_s == b.deleted_s;
}

/* Adds a piece behind those before. A piece of no width is left out, and one that continues the last
 * with the same deletion makes that longer: this is how segments are joined. */
static void emit(struct cut *cut, struct bytes lower, struct bytes upper, struct deletion deletion)
{
    struct range_segment *last = cut->count ? &cut->items[cut->count - 1] : NULL;

    if (!place_is_before(lower, upper))
        return;
    if (last && is_same(last->deletion, deletion) && !bytes_is_null(last->upper) && bytes_equal(last->upper, lower)) {
        last->upper = upper;
        return;
    }
    cut->items = arena_room(cut->arena, cut->items, cut->count, &cut->capacity, 8, sizeof(*cut->items));
    cut->items[cut->count++] = (struct range_segment){ lower, upper, deletion };
}

/* Of two places. */
static struct bytes smaller(struct bytes a, struct bytes b)
{
    return place_is_before(a, b) ? a : b;
}

static struct bytes larger(struct bytes a, struct bytes b)
{
    return place_is_before(a, b) ? b : a;
}

/* In order, and no two of them overlap. */
static bool are_disjoint(const struct range_segment *segment, const struct range_segment *next)
{
    return place_is_before(segment->lower, segment->upper) && !place_is_before(next->lower, segment->upper);
}

/* Asserts the promise of the head comment: what was disjoint stays so. If the store held segments
 * that overlap, by damage, the result is not judged. */
static void check_cut(const struct cut *cut, const struct found_list *old)
{
    bool was = true;

    for (uint32_t i = 1; i < old->count; i++)
        was &= are_disjoint(&old->items[i - 1].segment, &old->items[i].segment);
    assert(cut->count <= 2 * old->count + 1);
    for (uint32_t i = 1; i < cut->count; i++)
        assert(!was || are_disjoint(&cut->items[i - 1], &cut->items[i]));
}

/* Lays the range over the old segments, from left to right. Of two that cover a place the newer
 * stays. `at` is how far the range is laid: between two old segments it covers the gap. */
static void lay_over(struct cut *cut, const struct found_list *old, struct range_segment range)
{
    struct bytes at = range.lower; /* up to here the range is laid */

    for (uint32_t i = 0; i < old->count; i++) {
        struct range_segment s = old->items[i].segment;
        struct bytes begin = larger(s.lower, range.lower), end = smaller(s.upper, range.upper);

        if (place_is_before(at, s.lower))
            emit(cut, at, smaller(s.lower, range.upper), range.deletion);
        at = larger(at, s.lower);
        if (!place_is_before(begin, end)) { /* it only touches */
            emit(cut, s.lower, s.upper, s.deletion);
            continue;
        }
        emit(cut, s.lower, begin, s.deletion);
        emit(cut, begin, end, deletion_supersedes(range.deletion, s.deletion) ? range.deletion : s.deletion);
        if (!bytes_is_null(end))
            emit(cut, end, s.upper, s.deletion);
        at = end;
        if (bytes_is_null(at))
            return;
    }
    if (place_is_before(at, range.upper))
        emit(cut, at, range.upper, range.deletion);
}

/* Changes are collected, not written: the turn's door writes them, each with its entry in the due
 * list. */
void range_change_add(struct arena *arena, struct range_changes *changes, struct bytes key, struct deletion deletion,
                      bool comes)
{
    assert(key.size);
    changes->items = arena_room(arena, changes->items, changes->count, &changes->capacity, 8, sizeof(*changes->items));
    changes->items[changes->count++] = (struct range_change){ key, deletion, comes };
}

/* A segment that comes. Its key has two places of the client's: together they may be too long. */
enum status range_put(struct range_owner *owner, struct bytes partition, const struct range_segment *segment,
                      struct range_changes *changes)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };

    assert(place_is_before(segment->lower, segment->upper));
    buffer_append_bytes(&key, partition);
    buffer_append_u8(&key, KEY_RANGE);
    range_encode(&key, segment->lower, segment->upper);
    if (key.size + DUE_KEY_BYTES > STORE_KEY_BYTES_MAX)
        return error_set(owner->err, ERR_INVALID, "Key length of %zu is longer than maximum of %d",
                         key.size + DUE_KEY_BYTES, STORE_KEY_BYTES_MAX);
    range_change_add(owner->arena, changes, arena_copy(owner->arena, buffer_bytes(&key)), segment->deletion, true);
    return OK;
}

/* The same segment with the same deletion: nothing is written for it. */
static bool is_kept(const struct range_segment *a, const struct range_segment *b)
{
    return bytes_equal(a->lower, b->lower) && is_same(a->deletion, b->deletion) &&
           bytes_is_null(a->upper) == bytes_is_null(b->upper) &&
           (bytes_is_null(a->upper) || bytes_equal(a->upper, b->upper));
}

/* What is not the same before and after: those go, these come. Both lists are in order. */
static enum status find_changes(struct range_owner *owner, struct bytes partition, const struct found_list *old,
                                const struct cut *cut, struct range_changes *changes)
{
    uint32_t a = 0, b = 0;
    enum status status = OK;

    while ((a < old->count || b < cut->count) && !status) {
        int order = a == old->count   ? 1
                    : b == cut->count ? -1
                                      : bytes_compare(old->items[a].segment.lower, cut->items[b].lower);

        if (order == 0 && is_kept(&old->items[a].segment, &cut->items[b])) {
            a++;
            b++;
        } else if (order <= 0) {
            range_change_add(owner->arena, changes, old->items[a].key, old->items[a].segment.deletion, false);
            a++;
        } else {
            status = range_put(owner, partition, &cut->items[b++], changes);
        }
    }
    return status;
}

/* Adds a range from what is known: no look at the store. If its key would be too long nothing of it
 * is written, and what the window says of it would be wrong. */
static enum status add_known(struct range_owner *owner, struct range_window *window, struct range_segment range,
                             struct range_changes *changes)
{
    struct cut cut = { .arena = owner->arena };
    struct found_list old = { 0 };
    uint32_t first, end;
    enum status status;

    range_window_find(window, range.lower, range.upper, &first, &end);
    take_known(owner, window, first, end, &old);
    lay_over(&cut, &old, range);
    check_cut(&cut, &old);
    status = find_changes(owner, range_window_partition(window), &old, &cut, changes);
    if (status)
        range_window_forget(window); /* nothing of it will be written */
    else
        range_window_replace(window, first, end, cut.items, cut.count);
    return status;
}

/* segments_max bounds the work of the sweeper, which lays a partition's deletion over all of its
 * segments in steps. */
enum status range_add(struct range_owner *owner, struct bytes partition, struct range_segment range,
                      uint32_t segments_max, struct bytes *done_to, struct range_changes *changes)
{
    struct cut cut = { .arena = owner->arena };
    struct found_list old = { 0 };
    struct range_window *window = NULL;
    enum status status = owner->known ? know(owner, partition, range.lower, range.upper, &window) : OK;

    if (!status && window)
        return add_known(owner, window, range, changes);
    if (!status)
        status =
            load(owner, partition, range.lower, range.upper, false, segments_max ? segments_max : UINT32_MAX, &old);
    if (status)
        return status;
    if (done_to)
        *done_to = (struct bytes){ 0 };
    if (segments_max && old.count >= segments_max) {
        struct bytes end = old.items[old.count - 1].segment.upper;

        if (place_is_before(end, range.upper)) {
            range.upper = end;
            *done_to = end;
        }
    }
    lay_over(&cut, &old, range);
    check_cut(&cut, &old);
    return find_changes(owner, partition, &old, &cut, changes);
}
