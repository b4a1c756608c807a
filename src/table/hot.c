/* Keys that were just written many times. Each write adds an operand, and a read merges them all: a counter of one row written
 * 100000 times would cost 100000 merges per read until a flush. So every HOT_WRITES-th write of a key in short order reads what
 * there is, through the turn's own batch, and puts the folded value.
 *
 * The table is small and forgets: a key is known by its hash and shares its place with others, which wear its count down. A wrong
 * guess costs one read; the value is the same whichever way it is written.
 */
#include "table/shard.h"

enum { HOT_KEYS = 1024, HOT_US = 10000000 };

struct hot_key {
    uint64_t hash;
    int64_t since_us;
    uint32_t count;
};

struct hot_keys {
    struct hot_key keys[HOT_KEYS];
    struct buffer found, folded;
};

struct hot_keys *hot_keys_new(void)
{
    return xcalloc(1, sizeof(struct hot_keys));
}

void hot_keys_free(struct hot_keys *hot)
{
    if (!hot)
        return;
    buffer_fini(&hot->found);
    buffer_fini(&hot->folded);
    free(hot);
}

static bool is_hot(struct hot_key *keys, struct bytes key, int64_t now_us)
{
    uint64_t hash = hash_seeded(0, key);
    struct hot_key *hot = &keys[hash % HOT_KEYS];

    if (hot->hash != hash) {
        if (hot->count && now_us - hot->since_us < HOT_US) {
            hot->count--;
            return false;
        }
        *hot = (struct hot_key){ hash, now_us, 1 };
        return false;
    }
    if (now_us - hot->since_us >= HOT_US)
        *hot = (struct hot_key){ hash, now_us, 0 };
    if (++hot->count < HOT_WRITES)
        return false;
    hot->count = 0;
    hot->since_us = now_us;
    return true;
}

void hot_add(struct shard *shard, struct store_batch *batch, struct bytes key, struct bytes fragment, int64_t now_us)
{
    const struct store_semantics *semantics = &shard->space->semantics;
    struct store_read_options options = { .may_wait = false }; /* a fold saves time: it is not worth the disk's */
    struct hot_keys *hot = shard->hot;
    struct error ignored;
    bool found;

    buffer_reset(&hot->found);
    if (!is_hot(hot->keys, key, now_us) ||
        store_get_through(shard->ops, shard->store, semantics, batch, STORE_DATA, key, &options, &hot->found, &found,
                          &ignored) ||
        !found) {
        store_batch_merge(batch, STORE_DATA, key, fragment); /* what can't be read now is folded by whoever can */
        return;
    }
    buffer_reset(&hot->folded);
    semantics->merge(semantics->context, key, buffer_bytes(&hot->found), &fragment, 1, &hot->folded);
    store_batch_put(batch, STORE_DATA, key, buffer_bytes(&hot->folded));
}
