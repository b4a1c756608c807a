/* The cache of prepared statements: a hash table by id, shared by all threads under one lock,
 * with a bound in bytes and second-chance eviction. A lookup in a context's lookaside (an
 * array of slots, each with a reference) needs no lock, so EXECUTE of a statement that its
 * thread used lately never touches the shared table; `evicted` is how the lookaside learns
 * that an entry is no longer valid.
 *
 * Why second chance and not LRU: a hit then writes one flag, and only if it is not set,
 * instead of moving a list element under the lock. */
#include "query/prepared.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1 << 14, BYTES_DEFAULT = 64 << 20, LARGE_BYTES = 64 << 10 };

struct prepared_cache {
    pthread_mutex_t lock;
    struct prepared *buckets[BUCKETS];
    struct prepared ring;  /* sentinel: newer and older are its ends */
    struct prepared *hand; /* next to be looked at for eviction */
    uint64_t bytes_max, bytes, count, evicted;
};

/* MD5 of keyspace and text, as in Cassandra. OpenSSL can fail here only for want of memory. The
 * slash keeps an account's digits from being the beginning of a keyspace's name. */
void prepared_id(struct bytes account, struct bytes keyspace, struct bytes text, uint8_t id[PREPARED_ID_BYTES])
{
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    unsigned size = 0;

    if (!md5 || !EVP_DigestInit_ex(md5, EVP_md5(), NULL) || !EVP_DigestUpdate(md5, account.data, account.size) ||
        !EVP_DigestUpdate(md5, "/", account.size ? 1 : 0) || !EVP_DigestUpdate(md5, keyspace.data, keyspace.size) ||
        !EVP_DigestUpdate(md5, text.data, text.size) || !EVP_DigestFinal_ex(md5, id, &size))
        abort();
    EVP_MD_CTX_free(md5);
}

struct prepared *prepared_ref(struct prepared *prepared)
{
    atomic_fetch_add_explicit(&prepared->refs, 1, memory_order_relaxed);
    return prepared;
}

/* acq_rel: the thread that frees it must see what all others did before they let go. */
void prepared_unref(struct prepared *prepared)
{
    if (!prepared || atomic_fetch_sub_explicit(&prepared->refs, 1, memory_order_acq_rel) != 1)
        return;
    plan_fini(&prepared->plan);
    struct arena *arena = prepared->arena;
    arena_free(arena); /* the struct itself lies in it */
}

struct prepared_cache *prepared_cache_new(uint64_t bytes_max)
{
    struct prepared_cache *cache = xcalloc(1, sizeof(*cache));

    pthread_mutex_init(&cache->lock, NULL);
    cache->bytes_max = bytes_max ? bytes_max : BYTES_DEFAULT;
    cache->ring.newer = cache->ring.older = &cache->ring;
    cache->hand = &cache->ring;
    return cache;
}

/* The id is a digest, so its first bytes are as good as any hash. */
static struct prepared **bucket_of(struct prepared_cache *cache, const uint8_t *id)
{
    return &cache->buckets[load_be32(id) % BUCKETS];
}

/* Under the lock. Takes an entry out of its bucket and the ring. `evicted` is stored with
 * release before the cache's reference goes, so that a lookaside which still holds it sees
 * that it is not to be used; it may live on for those that hold a reference. */
static void remove_entry(struct prepared_cache *cache, struct prepared *entry)
{
    struct prepared **at = bucket_of(cache, entry->id);

    assert(cache->count && cache->bytes >= entry->bytes &&
           !atomic_load_explicit(&entry->evicted, memory_order_relaxed));
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    /* The eviction hand must never point at an entry that is gone. */
    if (cache->hand == entry)
        cache->hand = entry->newer;
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
    cache->bytes -= entry->bytes;
    cache->count--;
    atomic_store_explicit(&entry->evicted, true, memory_order_release);
    assert(atomic_load_explicit(&entry->refs, memory_order_relaxed) > 0);
    prepared_unref(entry);
}

/* All contexts are gone: nothing but the cache holds a reference. */
void prepared_cache_free(struct prepared_cache *cache)
{
    while (cache->ring.newer != &cache->ring)
        remove_entry(cache, cache->ring.newer);
    assert(!cache->count && !cache->bytes && cache->hand == &cache->ring);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* One slot more than hashes lead to: it is for large statements, see prepared_find. */
void prepared_lookaside_init(struct prepared_lookaside *lookaside)
{
    lookaside->slots = xcalloc(LOOKASIDE_SLOTS + 1, sizeof(*lookaside->slots));
}

void prepared_lookaside_fini(struct prepared_lookaside *lookaside)
{
    for (size_t i = 0; i <= LOOKASIDE_SLOTS; i++)
        prepared_unref(lookaside->slots[i]);
    free(lookaside->slots);
}

/* Lets go of entries that were evicted. Looking at all slots for each request would cost too
 * much, so it is done when definitions have changed: a DROP evicts plans, and these
 * would otherwise keep the dropped definitions in memory. Between requests only: a running
 * one may use a slot's plan. */
void prepared_lookaside_tidy(struct prepared_lookaside *lookaside, uint64_t version)
{
    if (__builtin_expect(lookaside->tidied_version == version, 1))
        return;
    assert(lookaside->slots);
    lookaside->tidied_version = version;
    for (size_t i = 0; i <= LOOKASIDE_SLOTS; i++) {
        struct prepared *prepared = lookaside->slots[i];

        if (!prepared || !atomic_load_explicit(&prepared->evicted, memory_order_acquire))
            continue;
        lookaside->slots[i] = NULL;
        prepared_unref(prepared);
    }
}

/* A digest can be made to meet another's, and then an account must still find only what is its own. */
static bool is_it(const struct prepared *entry, const struct catalog_account *account, const uint8_t *id)
{
    return memcmp(entry->id, id, PREPARED_ID_BYTES) == 0 && entry->account == account;
}

/* Under the lock. NULL: it is not there. */
static struct prepared *lookup(struct prepared_cache *cache, const struct catalog_account *account, const uint8_t *id)
{
    struct prepared *entry = *bucket_of(cache, id);

    while (entry && !is_it(entry, account, id))
        entry = entry->chain;
    return entry;
}

/* The result stays valid until the lookaside's slot is used for another id, which only the
 * same thread does: a request that looks up a second statement takes a reference to the
 * first. `used` is written only if it is not set: a store by each loop would move its cache
 * line between cores all the time. */
struct prepared *prepared_find(struct prepared_cache *cache, struct prepared_lookaside *lookaside,
                               const struct catalog_account *account, const uint8_t *id)
{
    struct prepared **slot = &lookaside->slots[load_be32(id + 4) % LOOKASIDE_SLOTS];

    if (*slot && is_it(*slot, account, id) && !atomic_load_explicit(&(*slot)->evicted, memory_order_acquire)) {
        if (!atomic_load_explicit(&(*slot)->used, memory_order_relaxed))
            atomic_store_explicit(&(*slot)->used, true, memory_order_relaxed);
        return *slot;
    }
    pthread_mutex_lock(&cache->lock);
    struct prepared *found = lookup(cache, account, id);
    if (found) {
        prepared_ref(found);
        atomic_store_explicit(&found->used, true, memory_order_relaxed);
    }
    pthread_mutex_unlock(&cache->lock);
    /* A large statement takes the one slot for large ones: a thousand slots could hold a
     * gigabyte of plans that the cache has evicted already. */
    if (found && found->bytes > LARGE_BYTES)
        slot = &lookaside->slots[LOOKASIDE_SLOTS];
    if (found || (*slot && atomic_load_explicit(&(*slot)->evicted, memory_order_acquire))) {
        prepared_unref(*slot);
        *slot = found;
    }
    return found;
}

/* Under the lock. Evicts the oldest entry that was not used since the hand last passed it.
 * Two rounds are enough: the first clears all flags. `keep` is the entry that was just added. */
static void evict_one(struct prepared_cache *cache, const struct prepared *keep)
{
    struct prepared *at = cache->hand;

    assert(cache->count > 1);
    for (uint64_t i = 0; i < 2 * cache->count + 4; i++) {
        struct prepared *next = at->newer;

        if (at != &cache->ring && at != keep) {
            if (!atomic_exchange_explicit(&at->used, false, memory_order_relaxed)) {
                cache->hand = next;
                remove_entry(cache, at);
                cache->evicted++;
                return;
            }
        }
        at = next;
    }
    /* Other threads set the flag again faster than the hand came round: then the oldest has
     * to go. */
    for (at = cache->ring.newer; at != &cache->ring; at = at->newer)
        if (at != keep) {
            remove_entry(cache, at);
            cache->evicted++;
            return;
        }
}

/* Takes over one reference. A statement larger than half of the cache (but 1 MiB is always
 * allowed) is refused rather than evicting everything else; the words are Cassandra's. */
enum status prepared_insert(struct prepared_cache *cache, struct prepared *prepared, struct error *err)
{
    uint64_t bytes_max = cache->bytes_max / 2 < 1 << 20 ? 1 << 20 : cache->bytes_max / 2;

    if (prepared->bytes > bytes_max)
        return error_set(err, ERR_INVALID,
                         "Prepared statement of size %llu bytes is larger than allowed maximum of %llu MB: %.*s...",
                         (unsigned long long)prepared->bytes, (unsigned long long)(bytes_max >> 20),
                         (int)(prepared->text.size < 200 ? prepared->text.size : 200),
                         (const char *)prepared->text.data);
    pthread_mutex_lock(&cache->lock);
    struct prepared *old = lookup(cache, prepared->account, prepared->id);
    if (old)
        remove_entry(cache, old);
    struct prepared **bucket = bucket_of(cache, prepared->id);
    assert(!prepared->chain && prepared->bytes && atomic_load_explicit(&prepared->refs, memory_order_relaxed));
    prepared->chain = *bucket;
    *bucket = prepared;
    prepared->older = cache->ring.older;
    prepared->newer = &cache->ring;
    cache->ring.older->newer = prepared;
    cache->ring.older = prepared;
    cache->bytes += prepared->bytes;
    cache->count++;
    while (cache->bytes > cache->bytes_max && cache->count > 1)
        evict_one(cache, prepared);
    assert(cache->count && lookup(cache, prepared->account, prepared->id) == prepared);
    pthread_mutex_unlock(&cache->lock);
    return OK;
}

/* Only if this very entry is still there: another thread may have replaced it by one that
 * fits. */
void prepared_forget(struct prepared_cache *cache, struct prepared *prepared)
{
    pthread_mutex_lock(&cache->lock);
    if (lookup(cache, prepared->account, prepared->id) == prepared)
        remove_entry(cache, prepared);
    pthread_mutex_unlock(&cache->lock);
}

/* After a DROP or ALTER: walks all entries under the lock, which is long for a large cache,
 * but definitions change rarely and their statements wait for the disk anyway. */
void prepared_forget_unfit(struct prepared_cache *cache, const struct catalog_account *account,
                           const struct schema *schema)
{
    pthread_mutex_lock(&cache->lock);
    for (struct prepared *at = cache->ring.newer, *next; at != &cache->ring; at = next) {
        next = at->newer;
        if (at->account == account && !prepared_is_checked(at, schema) &&
            plan_fit(&at->plan, schema) == PLAN_FITS_NO_MORE)
            remove_entry(cache, at);
    }
    pthread_mutex_unlock(&cache->lock);
}

void prepared_stats(struct prepared_cache *cache, uint64_t *count, uint64_t *bytes, uint64_t *evicted)
{
    pthread_mutex_lock(&cache->lock);
    *count = cache->count;
    *bytes = cache->bytes;
    *evicted = cache->evicted;
    pthread_mutex_unlock(&cache->lock);
}
