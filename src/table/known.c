/* What an owner knows of the range tombstones of partitions that it changed lately; see range.h.
 *
 * A queue deletes up to a growing bound: each delete joins the segment before it, and leaves a key
 * that is deleted in the store. To find the segment again a scan would pass all those dead keys. So
 * the owner remembers the segments of the partitions that it changed lately: a window of places
 * between which it knows all of them.
 *
 * A window's segments lie sorted in one array, each with its bytes in a block of its own, since the
 * middle of the array is replaced again and again. Everything is bounded: windows, their segments,
 * their bytes. What grows too large is forgotten, which costs a scan and is never wrong. */
#include "table/known.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <assert.h>

enum { WINDOWS = 16, WINDOW_SEGMENTS_MAX = 4096, WINDOW_BYTES_MAX = 512 << 10 };

struct known_segment {
    struct range_segment segment; /* its places lie in `block` */
    uint8_t *block;               /* owned; NULL: both are empty */
};

struct range_window {
    struct buffer partition;        /* owned; size 0: this place is free */
    struct buffer lower, upper;     /* owned: between these places, both with what touches them, all is known */
    bool to_end;                    /* instead of upper */
    struct known_segment *segments; /* owned; in order */
    uint32_t count, capacity;
    size_t bytes;
    uint64_t used; /* when, by the number of uses */
};

struct range_known {
    struct range_window windows[WINDOWS];
    uint64_t uses;
};

struct range_known *range_known_new(void)
{
    return xcalloc(1, sizeof(struct range_known));
}

/* The bytes of the window go down with it. */
static void free_segments(struct range_window *window, uint32_t first, uint32_t end)
{
    assert(first <= end && end <= window->count);
    for (uint32_t i = first; i < end; i++) {
        assert(window->bytes >= window->segments[i].segment.lower.size + window->segments[i].segment.upper.size);
        window->bytes -= window->segments[i].segment.lower.size + window->segments[i].segment.upper.size;
        free(window->segments[i].block);
    }
}

/* The place is free afterwards. */
void range_window_forget(struct range_window *window)
{
    free_segments(window, 0, window->count);
    free(window->segments);
    assert(!window->bytes);
    buffer_fini(&window->partition);
    buffer_fini(&window->lower);
    buffer_fini(&window->upper);
    *window = (struct range_window){ 0 };
}

void range_known_forget(struct range_known *known)
{
    for (uint32_t i = 0; i < WINDOWS; i++)
        if (known->windows[i].partition.size)
            range_window_forget(&known->windows[i]);
}

void range_known_free(struct range_known *known)
{
    if (!known)
        return;
    range_known_forget(known);
    free(known);
}

/* Sixteen windows: they are compared one by one. */
struct range_window *range_known_find(struct range_known *known, struct bytes partition)
{
    for (uint32_t i = 0; i < WINDOWS; i++)
        if (bytes_equal(buffer_bytes(&known->windows[i].partition), partition)) {
            known->windows[i].used = ++known->uses;
            return &known->windows[i];
        }
    return NULL;
}

/* The window that was used least lately makes room; a free one was never used. */
struct range_window *range_known_begin(struct range_known *known, struct bytes partition, struct bytes lower,
                                       struct bytes upper)
{
    struct range_window *window = &known->windows[0];

    for (uint32_t i = 1; i < WINDOWS; i++)
        if (known->windows[i].used < window->used)
            window = &known->windows[i];
    assert(partition.size && !range_known_find(known, partition)); /* one window for each */
    range_window_forget(window);
    buffer_append_bytes(&window->partition, partition);
    range_window_set_lower(window, lower);
    range_window_set_upper(window, upper);
    window->used = ++known->uses;
    return window;
}

struct bytes range_window_partition(const struct range_window *window)
{
    return buffer_bytes(&window->partition);
}

uint32_t range_window_count(const struct range_window *window)
{
    return window->count;
}

/* An empty place has a pointer that is not NULL: NULL would be "to the end". */
struct bytes range_window_lower(const struct range_window *window)
{
    return bytes_of(window->lower.data ? window->lower.data : (const uint8_t *)"", window->lower.size);
}

/* NULL: to the end of the partition. */
struct bytes range_window_upper(const struct range_window *window)
{
    return window->to_end ? (struct bytes){ 0 }
                          : bytes_of(window->upper.data ? window->upper.data : (const uint8_t *)"", window->upper.size);
}

void range_window_set_lower(struct range_window *window, struct bytes lower)
{
    buffer_reset(&window->lower);
    buffer_append_bytes(&window->lower, lower);
}

void range_window_set_upper(struct range_window *window, struct bytes upper)
{
    buffer_reset(&window->upper);
    buffer_append_bytes(&window->upper, upper);
    window->to_end = bytes_is_null(upper);
}

/* Touching counts as not before: neighbours with the same deletion are joined. */
static bool ends_before(const struct range_segment *segment, struct bytes place)
{
    return !bytes_is_null(segment->upper) && bytes_compare(segment->upper, place) < 0;
}

/* The first by halves, the last one by one: few segments lie over one range. */
void range_window_find(const struct range_window *window, struct bytes lower, struct bytes upper, uint32_t *first,
                       uint32_t *end)
{
    uint32_t low = 0, high = window->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ends_before(&window->segments[middle].segment, lower))
            low = middle + 1;
        else
            high = middle;
    }
    assert(low == high || low <= window->count);
    *first = low;
    for (high = low; high < window->count; high++)
        if (!bytes_is_null(upper) && bytes_compare(window->segments[high].segment.lower, upper) > 0)
            break;
    *end = high;
    assert(*first <= *end && *end <= window->count);
}

const struct range_segment *range_window_at(const struct range_window *window, uint32_t index)
{
    assert(index < window->count);
    return &window->segments[index].segment;
}

/* Both places in one block. The places that come in may lie in the turn's arena, which does not
 * outlive the turn. */
static struct known_segment copy_segment(const struct range_segment *segment)
{
    size_t lower = segment->lower.size, upper = segment->upper.size;
    struct known_segment copy = { { bytes_of("", 0), (struct bytes){ 0 }, segment->deletion },
                                  xmalloc(lower + upper + 1) };

    if (lower)
        memcpy(copy.block, segment->lower.data, lower);
    if (upper)
        memcpy(copy.block + lower, segment->upper.data, upper);
    copy.segment.lower = bytes_of(copy.block, lower);
    if (!bytes_is_null(segment->upper))
        copy.segment.upper = bytes_of(copy.block + lower, upper);
    return copy;
}

/* Puts new segments in the place of those from `first` to `end`. The caller has put
 * them in order. */
bool range_window_replace(struct range_window *window, uint32_t first, uint32_t end,
                          const struct range_segment *segments, uint32_t count)
{
    uint32_t rest = window->count - end, total = first + count + rest;

    assert(window->partition.size && first <= end && end <= window->count);
    if (total > window->capacity) {
        window->capacity = total + total / 2 + 8;
        window->segments = xrealloc(window->segments, window->capacity * sizeof(*window->segments));
    }
    free_segments(window, first, end);
    if (rest)
        memmove(&window->segments[first + count], &window->segments[end], rest * sizeof(*window->segments));
    for (uint32_t i = 0; i < count; i++) {
        window->segments[first + i] = copy_segment(&segments[i]);
        window->bytes += segments[i].lower.size + segments[i].upper.size;
    }
    assert(total <= window->capacity);
    window->count = total;
    if (total <= WINDOW_SEGMENTS_MAX && window->bytes <= WINDOW_BYTES_MAX)
        return true;
    range_window_forget(window);
    return false;
}
