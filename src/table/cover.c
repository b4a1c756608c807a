/* What hides the rows of a partition: its deletion and its range tombstones, as disjoint segments of the clustering order.
 *
 * Bounds are prefixes of encoded clusterings, so that each is a place between byte strings: "before everything that begins
 * with it" is the prefix itself, "behind everything that begins with it" is the prefix's successor. A range is then [lower, upper)
 * by memcmp. Overlapping ranges are cut into segments with the newest deletion each, which are found by binary search.
 */
#include "table/shard.h"

#include <assert.h>

enum { RANGE_TOMBSTONES_MAX = 100000 }; /* Cassandra's tombstone_failure_threshold */

bool key_prefix_successor(struct buffer *key)
{
    while (key->size && key->data[key->size - 1] == 0xFF)
        key->size--;
    if (!key->size)
        return false;
    key->data[key->size - 1]++;
    return true;
}

/* Behind everything that begins with the prefix; NULL data: there is no such place but the end. */
static struct bytes behind(struct arena *arena, struct bytes prefix)
{
    uint8_t *copy = arena_alloc(arena, prefix.size + 1);
    struct buffer at = { copy, prefix.size, prefix.size };

    memcpy(copy, prefix.data, prefix.size);
    return key_prefix_successor(&at) ? buffer_bytes(&at) : (struct bytes){ 0 };
}

static void push(struct arena *arena, struct partition_cover *cover, struct range_cover range)
{
    cover->ranges =
        arena_room(arena, cover->ranges, cover->range_count, &cover->range_capacity, 4, sizeof(*cover->ranges));
    cover->ranges[cover->range_count++] = range;
}

enum status cover_add(struct partition_cover *cover, struct arena *arena, struct bytes clustering,
                      struct deletion deletion, struct error *err)
{
    struct range_cover range = { bytes_of("", 0), { 0 }, deletion };
    struct bytes start, end;
    uint8_t bounds;
    enum status status = command_decode_range(clustering, &start, &end, &bounds, err);

    if (status)
        return status;
    if (cover->range_count == RANGE_TOMBSTONES_MAX)
        return error_set(err, ERR_READ_FAILURE, "more than %d range tombstones in one partition", RANGE_TOMBSTONES_MAX);
    if (start.size) {
        range.lower = bounds & BOUND_START_INCLUSIVE ? arena_copy(arena, start) : behind(arena, start);
        if (bytes_is_null(range.lower))
            return OK;
    }
    if (end.size)
        range.upper = bounds & BOUND_END_INCLUSIVE ? behind(arena, end) : arena_copy(arena, end);
    if (bytes_is_null(range.upper) || bytes_compare(range.lower, range.upper) < 0)
        push(arena, cover, range);
    return OK;
}

static int by_lower(const void *a, const void *b)
{
    return bytes_compare(((const struct range_cover *)a)->lower, ((const struct range_cover *)b)->lower);
}

/* A heap of ranges, the newest deletion on top. */
struct heap {
    const struct range_cover **ranges;
    uint32_t count;
};

static bool is_newer(const struct range_cover *a, const struct range_cover *b)
{
    return deletion_supersedes(a->deletion, b->deletion);
}

static void heap_push(struct heap *heap, const struct range_cover *range)
{
    uint32_t at = heap->count++;

    for (; at && is_newer(range, heap->ranges[(at - 1) / 2]); at = (at - 1) / 2)
        heap->ranges[at] = heap->ranges[(at - 1) / 2];
    heap->ranges[at] = range;
}

static void heap_pop(struct heap *heap)
{
    const struct range_cover *last = heap->ranges[--heap->count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child + 1 < heap->count && is_newer(heap->ranges[child + 1], heap->ranges[child]))
            child++;
        if (child >= heap->count || !is_newer(heap->ranges[child], last))
            break;
        heap->ranges[at] = heap->ranges[child];
        at = child;
    }
    heap->ranges[at] = last;
}

static void emit(struct arena *arena, struct partition_cover *cover, struct range_cover segment)
{
    struct range_cover *last = cover->range_count ? &cover->ranges[cover->range_count - 1] : NULL;

    if (last && last->deletion.timestamp_us == segment.deletion.timestamp_us &&
        last->deletion.deleted_s == segment.deletion.deleted_s && !bytes_is_null(last->upper) &&
        bytes_equal(last->upper, segment.lower))
        last->upper = segment.upper;
    else
        push(arena, cover, segment);
}

void cover_seal(struct partition_cover *cover, struct arena *arena)
{
    struct partition_cover out = { .deletion = cover->deletion, .record = cover->record };
    const struct range_cover *ranges = cover->ranges;
    struct heap heap;
    struct bytes at;
    uint32_t i = 0;

    if (cover->range_count < 2)
        return;
    qsort(cover->ranges, cover->range_count, sizeof(*cover->ranges), by_lower);
    heap = (struct heap){ arena_alloc(arena, sizeof(*heap.ranges) * cover->range_count), 0 };
    for (at = ranges[0].lower;;) {
        struct bytes next;

        while (i < cover->range_count && bytes_compare(ranges[i].lower, at) <= 0)
            heap_push(&heap, &ranges[i++]);
        while (heap.count && !bytes_is_null(heap.ranges[0]->upper) && bytes_compare(heap.ranges[0]->upper, at) <= 0)
            heap_pop(&heap);
        if (!heap.count) {
            if (i == cover->range_count)
                break;
            at = ranges[i].lower;
            continue;
        }
        next = heap.ranges[0]->upper;
        if (i < cover->range_count && (bytes_is_null(next) || bytes_compare(ranges[i].lower, next) < 0))
            next = ranges[i].lower;
        emit(arena, &out, (struct range_cover){ at, next, heap.ranges[0]->deletion });
        if (bytes_is_null(next))
            break;
        at = next;
    }
    *cover = out;
}

struct deletion cover_at(const struct partition_cover *cover, struct bytes clustering)
{
    uint32_t low = 0, high = cover->range_count;

    while (low < high) { /* the last segment that begins at or before it is low - 1 */
        uint32_t middle = low + (high - low) / 2;

        if (bytes_compare(cover->ranges[middle].lower, clustering) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low) {
        const struct range_cover *range = &cover->ranges[low - 1];

        if ((bytes_is_null(range->upper) || bytes_compare(clustering, range->upper) < 0) &&
            deletion_supersedes(range->deletion, cover->deletion))
            return range->deletion;
    }
    return cover->deletion;
}
