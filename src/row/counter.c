/* Counter shards; see counter.h. */
#include "row/counter.h"

enum { CLOCK_AT = COUNTER_ORIGIN_BYTES, COUNT_AT = CLOCK_AT + 8 };

const uint8_t COUNTER_ORIGIN[COUNTER_ORIGIN_BYTES];

int64_t counter_total(struct bytes shards)
{
    uint64_t total = 0; /* unsigned: wraps */

    for (size_t at = 0; at + COUNTER_SHARD_BYTES <= shards.size; at += COUNTER_SHARD_BYTES)
        total += load_be64(shards.data + at + COUNT_AT);
    return (int64_t)total;
}

int64_t counter_delta(struct bytes value)
{
    return value.size == COUNTER_DELTA_BYTES ? (int64_t)load_be64(value.data) : 0;
}

/* Which of two shards of one origin stays. */
static const uint8_t *newer(const uint8_t *a, const uint8_t *b)
{
    int64_t clock_a = (int64_t)load_be64(a + CLOCK_AT), clock_b = (int64_t)load_be64(b + CLOCK_AT);

    if (clock_a != clock_b)
        return clock_a > clock_b ? a : b;
    return (int64_t)load_be64(a + COUNT_AT) >= (int64_t)load_be64(b + COUNT_AT) ? a : b;
}

struct bytes counter_merge(struct arena *arena, struct bytes left, struct bytes right)
{
    const uint8_t *a = left.data, *a_end = a + left.size, *b = right.data, *b_end = b + right.size;
    uint8_t *out, *at;

    if (left.size % COUNTER_SHARD_BYTES || right.size % COUNTER_SHARD_BYTES)
        return bytes_compare(left, right) >= 0 ? left : right; /* not ours to read: deterministic */
    out = at = arena_alloc(arena, left.size + right.size + 1);
    while (a < a_end || b < b_end) {
        int order = a == a_end ? 1 : b == b_end ? -1 : memcmp(a, b, COUNTER_ORIGIN_BYTES);

        memcpy(at, order < 0 ? a : order > 0 ? b : newer(a, b), COUNTER_SHARD_BYTES);
        at += COUNTER_SHARD_BYTES;
        a += order <= 0 ? COUNTER_SHARD_BYTES : 0;
        b += order >= 0 ? COUNTER_SHARD_BYTES : 0;
    }
    return bytes_of(out, (size_t)(at - out));
}

struct bytes counter_add(struct arena *arena, struct bytes shards, const uint8_t origin[COUNTER_ORIGIN_BYTES],
                         int64_t clock_us, int64_t delta)
{
    uint8_t shard[COUNTER_SHARD_BYTES];
    uint64_t count = 0;

    for (size_t at = 0; at + COUNTER_SHARD_BYTES <= shards.size; at += COUNTER_SHARD_BYTES) {
        if (memcmp(shards.data + at, origin, COUNTER_ORIGIN_BYTES) != 0)
            continue;
        if ((int64_t)load_be64(shards.data + at + CLOCK_AT) >= clock_us)
            clock_us = (int64_t)load_be64(shards.data + at + CLOCK_AT) + 1;
        count = load_be64(shards.data + at + COUNT_AT);
    }
    memcpy(shard, origin, COUNTER_ORIGIN_BYTES);
    store_be64(shard + CLOCK_AT, (uint64_t)clock_us);
    store_be64(shard + COUNT_AT, count + (uint64_t)delta);
    return counter_merge(arena, shards, bytes_of(shard, sizeof(shard)));
}
