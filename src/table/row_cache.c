/* A thread's cache of stored values, and the versions by which it knows that they are good;
 * row_cache.h says how they work together, and why that is enough.
 *
 * Memory is one ring. Of its bytes an entry is good while fewer than the ring's size were written
 * since it began: positions count all bytes ever written, and where one stands in the ring is its
 * remainder. An entry does not go over the ring's end. A directory's place is a position, in units
 * of 8 bytes, and 16 bits of the key's hash; a stale place is as good as an empty one. So nothing is
 * ever removed: what is overwritten is simply found to be too old. */
#include "table/row_cache.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- versions ---- */

/* Pages that nobody touches take no memory: most of a large table is empty at first. */
static void *map_zeros(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        abort(); /* as xmalloc does */
    return at;
}

/* The hash has a secret: a client that knew which keys share a version could make others' rows be
 * read again and again. */
void versions_init(struct versions *versions)
{
    versions->numbers = map_zeros(VERSION_COUNT * sizeof(*versions->numbers));
    random_bytes(&versions->secret, sizeof(versions->secret));
}

void versions_fini(struct versions *versions)
{
    if (versions->numbers)
        munmap((void *)versions->numbers, VERSION_COUNT * sizeof(*versions->numbers));
    versions->numbers = NULL;
}

/* One writer: no exchange is needed. Two keys of a batch may share a number. */
static void make_odd(_Atomic uint64_t *number)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);

    if (now % 2 == 0)
        atomic_store_explicit(number, now + 1, memory_order_relaxed); /* seen before the batch: that is released */
}

/* Released: whoever sees the even number sees the batch. */
static void make_even(_Atomic uint64_t *number)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);

    if (now % 2)
        atomic_store_explicit(number, now + 1, memory_order_release);
}

static void change_all(struct versions *versions, void (*change)(_Atomic uint64_t *))
{
    for (size_t i = 0; i < VERSION_COUNT; i++)
        change(&versions->numbers[i]);
}

/* Log data has an empty key: the version it changes is one of many, and does no harm. */
static void change_batch(struct versions *versions, const struct store_batch *batch, void (*change)(_Atomic uint64_t *))
{
    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);

        if (op.kind == STORE_DELETE_RANGE) {
            change_all(versions, change);
            return;
        }
        change(&versions->numbers[version_hash(versions, op.key) % VERSION_COUNT]);
    }
}

void versions_begin(struct versions *versions, const struct store_batch *batch)
{
    change_batch(versions, batch, make_odd);
}

void versions_end(struct versions *versions, const struct store_batch *batch)
{
    change_batch(versions, batch, make_even);
}

void versions_begin_all(struct versions *versions)
{
    change_all(versions, make_odd);
}

void versions_end_all(struct versions *versions)
{
    change_all(versions, make_even);
}

/* ---- a cache ---- */

enum {
    WAYS = 8,
    TAG_BITS = 16,
    UNIT = 8,                /* entries begin at multiples of it */
    RING_PER_DIRECTORY = 16, /* the directory has a place for every 128 bytes of the ring */
    HUGE_BYTES_MIN = 32 << 20,
    PAGE_BYTES = 4096, /* or less than one */
};
static const uint64_t WRITTEN_MAX = UINT64_C(1) << 50; /* positions fit into places */

struct entry {
    uint64_t hash;
    uint64_t version;
    uint32_t key_size;
    uint32_t value_size; /* ABSENT: the key has none */
    uint8_t bytes[];     /* key, value */
};
#define ABSENT UINT32_MAX

struct ring {
    uint8_t *bytes;   /* owned; NULL: there is none */
    uint64_t size;    /* a power of two */
    uint64_t *places; /* owned: sets of WAYS: position / UNIT << TAG_BITS | tag; 0: never used */
    uint64_t set_count;
};

struct row_cache {
    uint64_t bytes_max;
    struct ring ring;
    uint64_t written; /* bytes ever, and so where the next entry begins */
    /* A thread that makes the next ring, has it taken, and unmaps the one before. */
    pthread_t maker;
    enum { MAKER_NONE, MAKER_MAKES, MAKER_ENDS /* its ring was taken */ } maker_state;
    struct ring next, before; /* the maker's until `is_made` and from `taken` on */
    _Atomic bool is_made, stops;
    sem_t taken;
};

/* Ring and directory are as large as they will be; pages come when they are touched. */
static void ring_map(struct ring *ring, uint64_t size)
{
    assert((size & (size - 1)) == 0 && size >= ROW_CACHE_BYTES_MIN / 2);
    *ring = (struct ring){ .bytes = map_zeros(size),
                           .size = size,
                           .places = map_zeros(size / RING_PER_DIRECTORY),
                           .set_count = size / RING_PER_DIRECTORY / (WAYS * sizeof(uint64_t)) };
}

static void ring_unmap(struct ring *ring)
{
    if (!ring->bytes)
        return;
    munmap(ring->bytes, ring->size);
    munmap(ring->places, ring->size / RING_PER_DIRECTORY);
    ring->bytes = NULL;
}

/* What was in the one before is not moved: it comes again when it is read. */
static void begin_ring(struct row_cache *cache, uint64_t size)
{
    ring_map(&cache->ring, size);
    cache->written = sizeof(struct entry); /* position 0 is no entry's */
}

/* Large rings are looked at here and there, and fewer pages are fewer misses; but who touches a huge page
 * first waits milliseconds until it is there. (MADV_POPULATE_WRITE would hold the lock that the loop's malloc
 * waits for.) */
static void touch(const struct row_cache *cache, uint8_t *begin, uint64_t size)
{
    (void)madvise(begin, size, MADV_HUGEPAGE); /* refused, it is only slower */
    for (uint64_t at = 0; at < size && !atomic_load_explicit(&cache->stops, memory_order_relaxed); at += PAGE_BYTES)
        *(volatile uint8_t *)(begin + at) = 0;
}

/* A thread makes the large ring ready, so that the loop never waits for its pages, and unmaps the
 * old one when it was taken. */
static void *make_next(void *context)
{
    struct row_cache *cache = context;

    pthread_setname_np(pthread_self(), "row-cache");
    ring_map(&cache->next, cache->ring.size * 2);
    touch(cache, cache->next.bytes, cache->next.size);
    touch(cache, (uint8_t *)cache->next.places, cache->next.size / RING_PER_DIRECTORY);
    atomic_store_explicit(&cache->is_made, true, memory_order_release);
    while (sem_wait(&cache->taken) < 0)
        ;
    ring_unmap(&cache->before);
    return NULL;
}

struct row_cache *row_cache_new(uint64_t bytes_max)
{
    struct row_cache *cache = xcalloc(1, sizeof(*cache));

    assert(bytes_max >= ROW_CACHE_BYTES_MIN);
    cache->bytes_max = bytes_max;
    sem_init(&cache->taken, 0, 0);
    begin_ring(cache, ROW_CACHE_BYTES_MIN / 2);
    return cache;
}

/* A thread that is making a ring is told to stop, and waited for. */
void row_cache_free(struct row_cache *cache)
{
    if (!cache)
        return;
    atomic_store(&cache->stops, true);
    sem_post(&cache->taken);
    if (cache->maker_state != MAKER_NONE)
        pthread_join(cache->maker, NULL);
    ring_unmap(&cache->next);
    ring_unmap(&cache->ring);
    sem_destroy(&cache->taken);
    free(cache);
}

/* Of a ring that is not yet full what was touched; a huge one was touched by its maker. */
uint64_t row_cache_bytes(const struct row_cache *cache)
{
    const struct ring *ring = &cache->ring;
    uint64_t used = cache->written < ring->size && ring->size < HUGE_BYTES_MIN ? cache->written : ring->size;

    return used + ring->size / RING_PER_DIRECTORY;
}

/* Eight places: one line of the processor's cache. */
static inline uint64_t *set_of(const struct row_cache *cache, uint64_t hash)
{
    return cache->ring.places + (hash >> 32) % cache->ring.set_count * WAYS;
}

/* The upper half of the hash chooses the set, these bits of the lower one a place in it. */
static inline uint64_t tag_of(uint64_t hash)
{
    return hash >> 8 & ((1 << TAG_BITS) - 1);
}

/* Whether the ring still has the place's entry. */
static inline bool is_here(const struct row_cache *cache, uint64_t place)
{
    return place && (place >> TAG_BITS) * UNIT + cache->ring.size >= cache->written;
}

static inline struct entry *entry_at(const struct row_cache *cache, uint64_t position)
{
    return (struct entry *)(cache->ring.bytes + position % cache->ring.size);
}

static inline bool has_tag(uint64_t place, uint64_t tag)
{
    return (place & ((1 << TAG_BITS) - 1)) == tag;
}

void row_cache_prefetch(const struct row_cache *cache, uint64_t hash)
{
    __builtin_prefetch(set_of(cache, hash));
}

/* A tag is 16 bits, so the whole key is compared as well. An entry of another version is as good as
 * none. */
bool row_cache_find(struct row_cache *cache, uint64_t hash, uint64_t version, struct bytes key, struct bytes *value)
{
    const uint64_t *set = set_of(cache, hash);
    uint64_t tag = tag_of(hash);

    for (int i = 0; i < WAYS; i++) {
        const struct entry *entry = entry_at(cache, (set[i] >> TAG_BITS) * UNIT);

        if (!has_tag(set[i], tag) || !is_here(cache, set[i]) || entry->hash != hash || entry->key_size != key.size ||
            memcmp(entry->bytes, key.data, key.size) != 0)
            continue;
        if (entry->version != version)
            return false;
        *value =
            entry->value_size == ABSENT ? (struct bytes){ 0 } : bytes_of(entry->bytes + key.size, entry->value_size);
        return true;
    }
    return false;
}

/* Where the key's place goes: its own (or one that looks like it), a stale one, or else the oldest
 * of the set. */
static uint64_t *place_for(const struct row_cache *cache, uint64_t hash)
{
    uint64_t *set = set_of(cache, hash), *oldest = set, tag = tag_of(hash);

    for (int i = 0; i < WAYS; i++) {
        if (has_tag(set[i], tag) || !is_here(cache, set[i]))
            return &set[i];
        if (set[i] < *oldest)
            oldest = &set[i];
    }
    return oldest;
}

/* Takes the ring that the thread has made, if it is there; until then the full one goes on, round
 * and round. */
static void take_next(struct row_cache *cache)
{
    if (cache->maker_state != MAKER_MAKES) {
        if (cache->maker_state == MAKER_ENDS) /* long ago: a ring was filled since */
            pthread_join(cache->maker, NULL);
        /* If it can't be started now, the next put tries again. */
        cache->maker_state = pthread_create(&cache->maker, NULL, make_next, cache) ? MAKER_NONE : MAKER_MAKES;
        return;
    }
    if (!atomic_load_explicit(&cache->is_made, memory_order_acquire))
        return;
    assert(cache->next.size == 2 * cache->ring.size);
    cache->before = cache->ring;
    cache->ring = cache->next;
    cache->next.bytes = NULL;
    cache->written = sizeof(struct entry);
    atomic_store(&cache->is_made, false);
    assert(cache->ring.bytes && cache->maker_state == MAKER_MAKES);
    cache->maker_state = MAKER_ENDS;
    sem_post(&cache->taken);
}

/* Growing begins anew: what was in the ring comes again. Small rings are made at once, large ones by
 * a thread. */
static void grow_if_full(struct row_cache *cache)
{
    uint64_t twice = cache->ring.size * 2;
    bool grows = cache->written >= cache->ring.size && twice + twice / RING_PER_DIRECTORY <= cache->bytes_max;

    if (grows && twice >= HUGE_BYTES_MIN) {
        take_next(cache);
    } else if (grows || cache->written >= WRITTEN_MAX) {
        ring_unmap(&cache->ring);
        begin_ring(cache, grows ? twice : cache->ring.size);
    }
}

/* Old bytes are overwritten without a look: their places are stale from now on. */
void row_cache_put(struct row_cache *cache, uint64_t hash, uint64_t version, struct bytes key, struct bytes value)
{
    bool absent = bytes_is_null(value);
    uint64_t size = (sizeof(struct entry) + key.size + (absent ? 0 : value.size) + UNIT - 1) / UNIT * UNIT, left;
    struct entry *entry;

    if (key.size + value.size > ROW_CACHE_VALUE_BYTES_MAX)
        return;
    grow_if_full(cache);
    left = cache->ring.size - cache->written % cache->ring.size;
    assert(cache->written % UNIT == 0 && size <= cache->ring.size && version % 2 == 0);
    if (size > left)
        cache->written += left;
    entry = entry_at(cache, cache->written);
    *place_for(cache, hash) = cache->written / UNIT << TAG_BITS | tag_of(hash);
    cache->written += size;
    entry->hash = hash;
    entry->version = version;
    entry->key_size = (uint32_t)key.size;
    entry->value_size = absent ? ABSENT : (uint32_t)value.size;
    assert((uint8_t *)entry + size <= cache->ring.bytes + cache->ring.size); /* it does not go over the ring's end */
    memcpy(entry->bytes, key.data, key.size);
    if (!absent && value.size)
        memcpy(entry->bytes + key.size, value.data, value.size);
}
