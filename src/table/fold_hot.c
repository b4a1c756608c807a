/* Keys that were just written many times. Each write adds an operand, and a read merges them all: a counter
 * of one row written 100000 times would cost 100000 merges per read until a flush. So a key that is written
 * often in short order is read, through the turn's own batch, and the folded value is put.
 *
 * What folding costs follows what was written, not the row: between two there are FOLD_HOT_WRITES writes, and
 * one part in FOLD_SHARE of the row's bytes. A row of more than FOLD_HOT_ROW_BYTES is left alone, since
 * nobody else of the shard is served while it is folded: its operands are merged when the memtable that holds
 * them is flushed, and by who reads it before. It is looked at again, since it may have become small, when
 * LARGE_PATIENCE times its bytes were written.
 *
 * A row that can't be read without waiting (it is on the disk, or a chain that is too long to be merged here)
 * is left alone too, at first for as many writes as between two folds, then for twice as many each time: who
 * reads it fetches it, and then it is folded again.
 *
 * The table is small and forgets: a key is known by its hash and shares its place with others, which wear its
 * count down. A wrong guess costs one read; the value is the same whichever way it is written.
 */
#include "table/fold_hot.h"

#include "base/memory.h"

#include <assert.h>

enum {
    FOLD_HOT_KEYS = 1024,
    FOLD_HOT_US = 10000000,
    FOLD_HOT_ROW_BYTES = 64 << 10,
    FOLD_SHARE = 4,
    LARGE_PATIENCE = 64,
    REFUSALS_MAX = 9, /* that make the wait longer: from 8 writes to 4096 */
    KEPT_BYTES = 1 << 20
};

struct fold_hot_key {
    uint64_t hash;
    int64_t since_us;
    uint32_t count;     /* of writes since it was folded or refused; at most how many it has to wait for */
    uint32_t refusals;  /* one after another: it could not be read without waiting */
    uint64_t row_bytes; /* as it was read last; 0: never */
    uint64_t bytes;     /* written since */
};

struct fold_hot {
    struct fold_hot_key keys[FOLD_HOT_KEYS];
    struct buffer found, folded;
};

struct fold_hot *fold_hot_new(void)
{
    return xcalloc(1, sizeof(struct fold_hot));
}

void fold_hot_free(struct fold_hot *hot)
{
    if (!hot)
        return;
    buffer_fini(&hot->found);
    buffer_fini(&hot->folded);
    free(hot);
}

/* How many writes there are between two folds: more after each refusal. */
static uint32_t writes_before(const struct fold_hot_key *hot)
{
    assert(hot->refusals <= REFUSALS_MAX);
    return (uint32_t)FOLD_HOT_WRITES << hot->refusals;
}

/* Enough writes, and enough bytes written beside the row's own: see the head comment. */
static bool is_due(const struct fold_hot_key *hot)
{
    return hot->count >= writes_before(hot) &&
           (hot->row_bytes > FOLD_HOT_ROW_BYTES ? hot->bytes / LARGE_PATIENCE : hot->bytes * FOLD_SHARE) >=
               hot->row_bytes;
}

/* Counts a write, and says whether it is the one to fold. Another key on the same place is worn down
 * first; a count that is old begins anew. */
struct fold_hot_key *fold_hot_find(struct fold_hot *keys, uint64_t hash, size_t bytes, int64_t now_us)
{
    struct fold_hot_key *hot = &keys->keys[hash % FOLD_HOT_KEYS];

    if (hot->hash != hash) {
        if (hot->count && now_us - hot->since_us < FOLD_HOT_US) {
            hot->count--;
            return NULL;
        }
        *hot = (struct fold_hot_key){ .hash = hash, .since_us = now_us, .count = 1 };
        return NULL;
    }
    if (hot->count < FOLD_HOT_WRITES && now_us - hot->since_us >= FOLD_HOT_US) {
        hot->since_us = now_us;
        hot->count = 0;
    }
    assert(hot->count <= writes_before(hot));
    hot->count += hot->count < writes_before(hot);
    hot->bytes += bytes;
    if (!is_due(hot))
        return NULL;
    hot->count = hot->bytes = 0;
    hot->since_us = now_us;
    return hot;
}

/* A large row was read into it once: its memory is given back. */
static void keep_small(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES)
        buffer_fini(buffer);
}

/* Reads what the key holds and folds the fragment into it. The turn puts the result; nothing else of
 * the row changes, since merging is what a reader would have done. */
bool fold_hot_value(struct shard *shard, const struct store_batch *batch, struct fold_hot_key *hot, struct bytes key,
                    struct bytes fragment, struct bytes *before, struct bytes *folded)
{
    const struct store_semantics *semantics = &shard->space->semantics;
    struct store_read_options options = { .may_wait = false }; /* a fold saves time: it is not worth the disk's */
    struct fold_hot *keys = shard->fold_hot;
    struct error ignored;
    bool found = false;
    enum status status;

    assert(!hot->count && !hot->bytes); /* it is due: fold_hot_find has begun to count anew */
    buffer_reset(&keys->found);
    status = store_get_through(shard->ops, shard->store, semantics, batch, STORE_DATA, key, &options, &keys->found,
                               &found, &ignored);
    if (status) {
        hot->refusals += hot->refusals < REFUSALS_MAX;
    } else {
        hot->refusals = 0;
        hot->row_bytes = keys->found.size;
    }
    if (status || !found || keys->found.size > FOLD_HOT_ROW_BYTES) {
        keep_small(&keys->found);
        return false; /* what can't be read now is folded by whoever can */
    }
    buffer_reset(&keys->folded);
    semantics->merge(semantics->context, key, buffer_bytes(&keys->found), &fragment, 1, &keys->folded);
    *before = buffer_bytes(&keys->found);
    *folded = buffer_bytes(&keys->folded);
    return true;
}
