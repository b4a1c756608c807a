/* The arithmetic of counter shards (row/counter.h draws them): sum, add, merge.
 *
 * A counter must survive being written twice: the log may be replayed after a crash, and a command
 * may run again. Increments would then count twice, so what is stored is never an increment but the
 * whole count of an origin, under a clock that grows with each addition. Two versions then merge by
 * taking, for each origin, the one with the higher clock. This is how Cassandra's CounterContext
 * does it.
 *
 * No function here fails. A value whose size is not a whole number of shards is damage: it is kept
 * as it is, so that merging stays commutative, and whoever decodes the row finds it. */
#include "row/counter.h"

#include <assert.h>

/* Where the numbers of a shard stand, from its first byte on. */
enum { CLOCK_AT = COUNTER_ORIGIN_BYTES, COUNT_AT = CLOCK_AT + 8 };

static_assert(COUNT_AT + 8 == COUNTER_SHARD_BYTES, "the count is what a shard ends with");

/* All zeros: the only region there is today. */
const uint8_t COUNTER_ORIGIN[COUNTER_ORIGIN_BYTES];

int64_t counter_total(struct bytes shards)
{
    /* Counts wrap at 64 bits as Cassandra's do. Signed overflow is undefined in C, so the sum is
     * unsigned. */
    uint64_t total = 0; /* unsigned: wraps */

    for (size_t at = 0; at + COUNTER_SHARD_BYTES <= shards.size; at += COUNTER_SHARD_BYTES)
        total += load_be64(shards.data + at + COUNT_AT);
    assert(shards.data || !shards.size);
    return (int64_t)total;
}

/* A command's cell with another size than a delta's asks for nothing: it came over the wire format
 * of commands and is not trusted to be ours. */
int64_t counter_delta(struct bytes value)
{
    return value.size == COUNTER_DELTA_BYTES ? (int64_t)load_be64(value.data) : 0;
}

/* Which of two shards of one origin stays. The clocks are equal only if both are copies of one
 * write, or if a clock was set back; the higher count is then taken so that the order of merging
 * does not matter. */
static const uint8_t *newer(const uint8_t *a, const uint8_t *b)
{
    int64_t clock_a = (int64_t)load_be64(a + CLOCK_AT), clock_b = (int64_t)load_be64(b + CLOCK_AT);

    assert(memcmp(a, b, COUNTER_ORIGIN_BYTES) == 0);
    if (clock_a != clock_b)
        return clock_a > clock_b ? a : b;
    return (int64_t)load_be64(a + COUNT_AT) >= (int64_t)load_be64(b + COUNT_AT) ? a : b;
}

/* A merge of two sorted lists of shards. Also called by compaction, for values that nobody has
 * checked: that they are sorted is not relied on for memory safety, only for the right result. */
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
    assert(a == a_end && b == b_end && (size_t)(at - out) <= left.size + right.size);
    return bytes_of(out, (size_t)(at - out));
}

struct bytes counter_add(struct arena *arena, struct bytes shards, const uint8_t origin[COUNTER_ORIGIN_BYTES],
                         int64_t clock_us, int64_t delta)
{
    /* Reads the origin's shard, makes the one that follows it, and lets the merge put it in its
     * place: the new shard wins there because its clock is higher. */
    uint8_t shard[COUNTER_SHARD_BYTES];
    uint64_t count = 0;

    for (size_t at = 0; at + COUNTER_SHARD_BYTES <= shards.size; at += COUNTER_SHARD_BYTES) {
        if (memcmp(shards.data + at, origin, COUNTER_ORIGIN_BYTES) != 0)
            continue;
        /* The owner's clock may have been set back since the shard was written (another machine, a
         * restart). The new shard would then lose against the old one and the addition would be
         * forgotten. */
        if ((int64_t)load_be64(shards.data + at + CLOCK_AT) >= clock_us)
            clock_us = (int64_t)load_be64(shards.data + at + CLOCK_AT) + 1;
        count = load_be64(shards.data + at + COUNT_AT);
    }
    assert(shards.data || !shards.size);
    memcpy(shard, origin, COUNTER_ORIGIN_BYTES);
    store_be64(shard + CLOCK_AT, (uint64_t)clock_us);
    store_be64(shard + COUNT_AT, count + (uint64_t)delta);
    return counter_merge(arena, shards, bytes_of(shard, sizeof(shard)));
}
