/* The reference body of a store: a skip list per family, each key with its versions. It keeps
 * nothing over a restart.
 *
 * Written first and kept simple: it says what an ordered key space means. store_test.c runs the same
 * suite and the same random histories over this and over RocksDB, and whatever differs is a fault of
 * one of the two. The server can run on it for tests that need no disk.
 *
 * Where it differs on purpose: a merge folds at once, since there is no disk to save from reading; a
 * batch is its own log entry; every compaction sees all there is of a key.
 *
 * Readers take a lock for reading, so each looks at a state between two batches. A reader that looks
 * several times does it under a snapshot, a number: versions that no snapshot can see any more are
 * freed when the key is written again. */
#include "store/memory/memory.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A quarter of the nodes of each level stand on the next one too: enough for four to the sixteenth
 * keys. */
enum { HEIGHT_MAX = 16 };

/* One value that a key had: newest first. A deletion is a version, too, since older snapshots still
 * see what was before. */
struct version {
    struct version *older; /* owned */
    uint64_t sequence;     /* visible to snapshots taken at or after it */
    bool deleted;
    size_t size;
    uint8_t data[];
};

/* A key. Its height is drawn when it is inserted; level 0 has all nodes. */
struct node {
    struct version *newest; /* owned */
    uint8_t *key;           /* owned */
    size_t key_size;
    int height;
    struct node *next[]; /* height of them */
};

struct store_snapshot {
    uint64_t sequence;
    struct store_snapshot *next, *prev;
};

struct family {
    struct node *head; /* owned; has no key and full height */
    uint64_t count;
    uint64_t bytes;
};

/* What stores of a process share: here it is only their clock and their log. */
struct environment {
    const struct clock *clock;                                                   /* borrowed */
    void (*log)(void *context, enum store_log_level level, const char *message); /* NULL: silent */
    void *log_context;
};

/* The log: a batch each, all of them finished as soon as they are written. */
struct logged {
    uint64_t sequence;
    struct store_batch *batch; /* owned */
};
struct kept_log {
    struct logged *items; /* owned; those from `first` on are kept */
    size_t first, count, capacity;
    uint64_t bytes, bytes_max; /* bytes_max 0: nothing is kept */
    uint64_t lost;
    uint64_t gone; /* the last batch that is not kept; 0: none went */
    bool forgets_all;
};

/* The lock guards all but the list of snapshots, which has one of its own, taken inside: readers
 * enter theirs while they hold the lock for reading only. */
struct store {
    struct environment *environment;         /* borrowed */
    const struct store_semantics *semantics; /* borrowed */
    struct family families[STORE_FAMILY_COUNT];
    uint64_t sequence;
    struct kept_log kept;
    uint64_t random;
    pthread_rwlock_t lock;
    pthread_mutex_t snapshot_lock;
    struct store_snapshot snapshots; /* list head */
};

/* Between two moves a scan holds no lock and no node: it remembers a key and a sequence. */
struct memory_scan {
    struct store_scan base; /* first */
    struct store *store;
    struct store_scan_options options;
    struct store_snapshot *own; /* owned; NULL with a caller's snapshot */
    uint64_t sequence;
    struct buffer key;
    struct buffer value;
};

/* ---- the skip list ---- */

/* The head's key is empty: it gets a byte of memory all the same, so that no node's key is NULL. */
static struct node *node_new(struct bytes key, int height)
{
    struct node *node = xcalloc(1, sizeof(*node) + (size_t)height * sizeof(node->next[0]));

    assert(height >= 1 && height <= HEIGHT_MAX);
    node->height = height;
    node->key_size = key.size;
    node->key = xmalloc(key.size ? key.size : 1);
    if (key.size)
        memcpy(node->key, key.data, key.size);
    return node;
}

static struct bytes node_key(const struct node *node)
{
    return bytes_of(node->key, node->key_size);
}

/* This one and all older ones. */
static void versions_free(struct version *version)
{
    while (version) {
        struct version *older = version->older;
        free(version);
        version = older;
    }
}

/* Returns the last node whose key is smaller than `key`: the head, if there is none. before[i] is
 * the same for level i, as insertion and removal need it. */
static struct node *find(const struct family *family, struct bytes key, struct node **before)
{
    struct node *at = family->head;

    for (int i = HEIGHT_MAX - 1; i >= 0; i--) {
        while (at->next[i] && bytes_compare(node_key(at->next[i]), key) < 0)
            at = at->next[i];
        if (before)
            before[i] = at;
    }
    assert(at == family->head || bytes_compare(node_key(at), key) < 0);
    return at;
}

/* Under the lock for writing. A level has a quarter of the nodes of the one below it, by chance. */
static struct node *find_or_insert(struct store *store, struct family *family, struct bytes key)
{
    struct node *before[HEIGHT_MAX];
    struct node *node = find(family, key, before)->next[0];
    int height = 1;

    if (node && bytes_equal(node_key(node), key))
        return node;
    store->random = store->random * 6364136223846793005u + 1442695040888963407u;
    for (uint64_t bits = store->random >> 32; height < HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
        height++;
    assert(height <= HEIGHT_MAX);
    node = node_new(key, height);
    for (int i = 0; i < height; i++) {
        node->next[i] = before[i]->next[i];
        before[i]->next[i] = node;
    }
    family->count++;
    family->bytes += key.size;
    return node;
}

/* What a reader of that sequence sees. NULL: nothing, or a deletion. */
static const struct version *version_at(const struct node *node, uint64_t sequence)
{
    const struct version *version = node->newest;

    while (version && version->sequence > sequence)
        version = version->older;
    return version && !version->deleted ? version : NULL;
}

/* The oldest sequence that some reader may still ask for. */
static uint64_t oldest_needed(struct store *store)
{
    uint64_t oldest;

    pthread_mutex_lock(&store->snapshot_lock);
    oldest = store->sequence;
    assert(store->snapshots.next && store->snapshots.prev);
    for (struct store_snapshot *s = store->snapshots.next; s != &store->snapshots; s = s->next)
        if (s->sequence < oldest)
            oldest = s->sequence;
    pthread_mutex_unlock(&store->snapshot_lock);
    return oldest;
}

/* Puts a version on top of a key's others, and frees those that nobody can see any more: of the same
 * batch (no reader ever looks into the middle of one), and below the first that the oldest reader
 * sees. */
static void set(struct family *family, struct node *node, uint64_t sequence, uint64_t oldest, bool deleted,
                struct bytes value)
{
    struct version *version = xmalloc(sizeof(*version) + value.size);

    *version = (struct version){ .older = node->newest, .sequence = sequence, .deleted = deleted, .size = value.size };
    if (value.size)
        memcpy(version->data, value.data, value.size);
    assert(!node->newest || node->newest->sequence <= sequence);
    node->newest = version;
    family->bytes += value.size;
    /* Within one batch only the last counts; older ones until the first that the oldest reader sees. */
    while (version->older && version->older->sequence == sequence) {
        struct version *gone = version->older;
        version->older = gone->older;
        assert(family->bytes >= gone->size);
        family->bytes -= gone->size;
        free(gone);
    }
    while (version && version->sequence > oldest)
        version = version->older;
    if (version) {
        for (struct version *v = version->older; v; v = v->older)
            family->bytes -= v->size;
        assert(version->sequence <= oldest);
        versions_free(version->older);
        version->older = NULL;
    }
}

/* ---- environment, open, close ---- */

/* The clock is for store_purge alone: without it a test could not say how late it is. */
static enum status memory_environment_open(const struct store_environment_options *options, void **environment,
                                           struct error *err)
{
    struct environment *env;

    if (!options->clock)
        return error_set(err, ERR_CONFIG, "The store needs a clock");
    env = xcalloc(1, sizeof(*env));
    env->clock = options->clock;
    env->log = options->log;
    env->log_context = options->log_context;
    *environment = env;
    return OK;
}

/* Nothing is ever read from a disk. */
static void memory_environment_counts(void *environment, struct store_counts *counts)
{
    *counts = (struct store_counts){ 0 };
}

static void memory_environment_close(void *environment)
{
    free(environment);
}

/* Heights are drawn from the same numbers in each store, so a history that fails fails again. */
static enum status memory_open(const struct store_options *options, struct store **result, struct error *err)
{
    struct store *store = xcalloc(1, sizeof(*store));

    assert(options->environment && options->semantics);
    store->environment = options->environment;
    store->semantics = options->semantics;
    store->random = 42;
    store->kept.bytes_max = options->log_bytes_max;
    for (int i = 0; i < STORE_FAMILY_COUNT; i++)
        store->families[i].head = node_new(bytes_of(NULL, 0), HEIGHT_MAX);
    pthread_rwlock_init(&store->lock, NULL);
    pthread_mutex_init(&store->snapshot_lock, NULL);
    store->snapshots.next = store->snapshots.prev = &store->snapshots;
    *result = store;
    return OK;
}

/* Whoever has a scan or a snapshot open would look into freed memory. */
static void memory_close(struct store *store)
{
    assert(store->snapshots.next == &store->snapshots);
    for (int i = 0; i < STORE_FAMILY_COUNT; i++) {
        struct node *node = store->families[i].head;

        while (node) {
            struct node *next = node->next[0];
            versions_free(node->newest);
            free(node->key);
            free(node);
            node = next;
        }
    }
    for (size_t i = store->kept.first; i < store->kept.count; i++)
        store_batch_free(store->kept.items[i].batch);
    free(store->kept.items);
    pthread_rwlock_destroy(&store->lock);
    pthread_mutex_destroy(&store->snapshot_lock);
    free(store);
}

/* ---- the log ---- */

/* The oldest batch goes. The array is moved together when half of it is empty: each batch is moved a
 * few times at most. */
static void drop_oldest(struct kept_log *kept)
{
    struct logged *oldest = &kept->items[kept->first++];

    assert(kept->first <= kept->count);
    assert(oldest->sequence > kept->gone);
    kept->gone = oldest->sequence;
    assert(kept->bytes >= store_batch_bytes(oldest->batch));
    kept->bytes -= store_batch_bytes(oldest->batch);
    store_batch_free(oldest->batch);
    if (kept->first * 2 < kept->count)
        return;
    kept->count -= kept->first;
    memmove(kept->items, kept->items + kept->first, kept->count * sizeof(*kept->items));
    kept->first = 0;
}

/* A batch belongs to its writer, who clears it for the next turn. */
static struct store_batch *copy_batch(const struct store_batch *batch)
{
    struct store_batch *copy = store_batch_new();

    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);
        store_batch_add(copy, &op);
    }
    assert(store_batch_count(copy) == store_batch_count(batch));
    return copy;
}

/* Keeps what was written for readers of updates, within the bound. The bound is kept by losing the
 * oldest, aloud: a reader that comes too late gets an error, never a gap. */
static void log_batch(struct store *store, const struct store_batch *batch)
{
    struct kept_log *kept = &store->kept;
    const struct environment *env = store->environment;

    if (!kept->bytes_max || kept->forgets_all) {
        assert(kept->first == kept->count);
        kept->gone = store->sequence;
        return;
    }
    if (kept->count == kept->capacity) {
        kept->capacity = kept->capacity ? kept->capacity * 2 : 64;
        kept->items = xrealloc(kept->items, kept->capacity * sizeof(*kept->items));
    }
    kept->items[kept->count++] = (struct logged){ store->sequence, copy_batch(batch) };
    kept->bytes += store_batch_bytes(batch);
    if (kept->bytes <= kept->bytes_max)
        return;
    for (; kept->bytes > kept->bytes_max; kept->lost++)
        drop_oldest(kept);
    if (env->log)
        env->log(env->log_context, STORE_LOG_WARN, "The log has passed its bound: the oldest of it went");
}

/* A reader is only a position: the batches are looked for at each move, so that forgetting needs not
 * know of readers. */
struct memory_updates {
    struct store_updates base; /* first */
    struct store *store;
    uint64_t position;
    struct store_batch *batch; /* owned: the one that is shown */
};

/* From 0: from the oldest batch that is kept when the reader first moves. */
static enum status memory_updates_since(struct store *store, uint64_t from, struct store_updates **result,
                                        struct error *err)
{
    struct memory_updates *updates = xcalloc(1, sizeof(*updates));

    updates->base.ops = &store_memory_ops;
    updates->store = store;
    updates->position = from;
    *result = &updates->base;
    return OK;
}

static void memory_updates_close(struct store_updates *base)
{
    struct memory_updates *updates = (struct memory_updates *)base;

    store_batch_free(updates->batch);
    free(updates);
}

/* The first that is kept with sequence >= position; NULL: the live end. */
static const struct logged *find_logged(const struct kept_log *kept, uint64_t position)
{
    size_t low = kept->first, high = kept->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (kept->items[middle].sequence < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < kept->count ? &kept->items[low] : NULL;
}

/* Gives a copy: the batch may be forgotten while the reader looks at it. */
static enum status memory_updates_next(struct store_updates *base, struct error *err)
{
    struct memory_updates *updates = (struct memory_updates *)base;
    struct store *store = updates->store;
    const struct logged *logged = NULL;
    enum status status = OK;

    store_batch_free(updates->batch);
    updates->batch = NULL;
    base->valid = false;
    pthread_rwlock_rdlock(&store->lock);
    if (!updates->position)
        updates->position = store->kept.gone + 1;
    if (updates->position <= store->kept.gone)
        status =
            error_set(err, ERR_NOT_FOUND, "The log does not go back to %llu", (unsigned long long)updates->position);
    else
        logged = find_logged(&store->kept, updates->position);
    if (logged) {
        updates->batch = copy_batch(logged->batch);
        base->sequence = logged->sequence;
    }
    pthread_rwlock_unlock(&store->lock);
    if (!logged)
        return status;
    assert(base->sequence >= updates->position);
    base->valid = true;
    base->batch = updates->batch;
    base->next = updates->position = base->sequence + 1;
    return OK;
}

/* UINT64_MAX also turns keeping off, until another number is told. */
static enum status memory_updates_forget(struct store *store, uint64_t before, struct error *err)
{
    struct kept_log *kept = &store->kept;

    pthread_rwlock_wrlock(&store->lock);
    kept->forgets_all = before == UINT64_MAX;
    while (kept->first < kept->count && kept->items[kept->first].sequence < before)
        drop_oldest(kept);
    pthread_rwlock_unlock(&store->lock);
    return OK;
}

/* ---- writing ---- */

/* One operation of a batch. Merging needs what lies below at once: here a key always has its
 * whole value. A deleted range is a deletion of each key that is there now; what comes to the
 * range later, in the same batch too, stands. */
static void apply(struct store *store, const struct store_op *op, uint64_t oldest)
{
    struct family *family = &store->families[op->family];
    const struct store_semantics *semantics = store->semantics;
    struct node *node;

    if (op->kind == STORE_DELETE_RANGE) {
        for (node = find(family, op->key, NULL)->next[0]; node && bytes_compare(node_key(node), op->value) < 0;
             node = node->next[0])
            set(family, node, store->sequence, oldest, true, bytes_of(NULL, 0));
        return;
    }
    assert(op->key.size > 0 && op->kind != STORE_LOG_DATA);
    node = find_or_insert(store, family, op->key);
    if (op->kind == STORE_MERGE) {
        const struct version *under = node->newest && !node->newest->deleted ? node->newest : NULL;
        struct buffer merged = { 0 };

        semantics->merge(semantics->context, op->key, under ? bytes_of(under->data, under->size) : bytes_of(NULL, 0),
                         &op->value, 1, &merged);
        set(family, node, store->sequence, oldest, false, buffer_bytes(&merged));
        buffer_fini(&merged);
    } else {
        set(family, node, store->sequence, oldest, op->kind == STORE_DELETE, op->value);
    }
}

/* All is checked before the first operation is applied, so a batch that is refused has done nothing.
 * Readers see it whole: they wait for the lock. `durable` means nothing here. */
static enum status memory_write(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    size_t log_data = 0;
    uint64_t oldest;

    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);
        if (op.kind == STORE_LOG_DATA)
            log_data++;
        else if (!op.key.size || op.key.size > STORE_KEY_BYTES_MAX)
            return error_set(err, ERR_INVALID, "A key of %zu bytes", op.key.size);
    }
    if (log_data && log_data == store_batch_count(batch))
        return error_set(err, ERR_INVALID, "A batch of log data alone");
    pthread_rwlock_wrlock(&store->lock);
    store->sequence++;
    assert(store->sequence > 0);
    oldest = oldest_needed(store);
    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);
        if (op.kind != STORE_LOG_DATA)
            apply(store, &op, oldest);
    }
    if (store_batch_count(batch))
        log_batch(store, batch);
    pthread_rwlock_unlock(&store->lock);
    return OK;
}

/* ---- reading ---- */

static void value_release(struct store_value *value)
{
    free((void *)value->bytes.data);
}

/* The value is copied: it may be replaced as soon as the lock is let go. */
static enum status memory_get(struct store *store, enum store_family family, struct bytes key,
                              const struct store_read_options *options, struct store_value *value, struct error *err)
{
    const struct version *version = NULL;
    const struct node *node;

    pthread_rwlock_rdlock(&store->lock);
    assert((int)family < STORE_FAMILY_COUNT);
    node = find(&store->families[family], key, NULL)->next[0];
    if (node && bytes_equal(node_key(node), key))
        version = version_at(node, options->snapshot ? options->snapshot->sequence : store->sequence);
    if (version) {
        uint8_t *copy = xmalloc(version->size ? version->size : 1);
        memcpy(copy, version->data, version->size);
        value->bytes = bytes_of(copy, version->size);
        value->release = value_release;
    }
    pthread_rwlock_unlock(&store->lock);
    return version ? OK : ERR_NOT_FOUND;
}

/* The sequence is read and entered under both locks: else a writer could free, in between, what it
 * should keep. */
static enum status memory_snapshot(struct store *store, bool may_wait, struct store_snapshot **result,
                                   struct error *err)
{
    struct store_snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

    pthread_rwlock_rdlock(&store->lock);
    pthread_mutex_lock(&store->snapshot_lock);
    snapshot->sequence = store->sequence;
    snapshot->next = &store->snapshots;
    snapshot->prev = store->snapshots.prev;
    snapshot->prev->next = snapshot->next->prev = snapshot;
    pthread_mutex_unlock(&store->snapshot_lock);
    pthread_rwlock_unlock(&store->lock);
    *result = snapshot;
    return OK;
}

/* What it kept alive goes when its keys are written again. */
static void memory_snapshot_release(struct store *store, struct store_snapshot *snapshot)
{
    pthread_mutex_lock(&store->snapshot_lock);
    assert(snapshot->prev->next == snapshot && snapshot->next->prev == snapshot);
    snapshot->prev->next = snapshot->next;
    snapshot->next->prev = snapshot->prev;
    pthread_mutex_unlock(&store->snapshot_lock);
    free(snapshot);
}

/* Under the lock, so never of a batch that is only half applied. */
static uint64_t memory_sequence(struct store *store)
{
    uint64_t sequence;

    pthread_rwlock_rdlock(&store->lock);
    sequence = store->sequence;
    pthread_rwlock_unlock(&store->lock);
    return sequence;
}

/* A scan sees the state of its opening, so without a snapshot of the caller's it takes one. */
static enum status memory_scan_open(struct store *store, const struct store_scan_options *options,
                                    struct store_scan **result, struct error *err)
{
    struct memory_scan *scan = xcalloc(1, sizeof(*scan));

    assert((int)options->family < STORE_FAMILY_COUNT);
    scan->base.ops = &store_memory_ops;
    scan->store = store;
    scan->options = *options;
    if (options->snapshot)
        scan->sequence = options->snapshot->sequence;
    else {
        memory_snapshot(store, false, &scan->own, err);
        scan->sequence = scan->own->sequence;
    }
    *result = &scan->base;
    return OK;
}

/* What it kept alive may go from now on, when its keys are written again. */
static void memory_scan_close(struct store_scan *base)
{
    struct memory_scan *scan = (struct memory_scan *)base;

    if (scan->own)
        memory_snapshot_release(scan->store, scan->own);
    buffer_fini(&scan->key);
    buffer_fini(&scan->value);
    free(scan);
}

/* An empty upper bound is the end of all keys; an empty lower one sorts before all keys by itself. */
static bool within(const struct memory_scan *scan, struct bytes key)
{
    return bytes_compare(key, scan->options.lower) >= 0 &&
           (!scan->options.upper.size || bytes_compare(key, scan->options.upper) < 0);
}

/* Stands on the node if it is inside the bounds. Key and value are copied into the scan: between two
 * moves no lock is held. */
static void stand(struct memory_scan *scan, const struct node *node, const struct version *version)
{
    scan->base.valid = node && within(scan, node_key(node));
    if (!scan->base.valid)
        return;
    assert(version && !version->deleted && version->sequence <= scan->sequence);
    buffer_retire(&scan->key);
    buffer_retire(&scan->value);
    buffer_append_bytes(&scan->key, node_key(node));
    buffer_append(&scan->value, version->data, version->size);
    scan->base.key = buffer_bytes(&scan->key);
    scan->base.value = scan->value.data ? buffer_bytes(&scan->value) : bytes_of("", 0);
}

/* Moves to the first visible node with key >= at, or > at. Each move searches from the top, since
 * the node it stood on may be gone. */
static void stand_forward(struct memory_scan *scan, struct bytes at, bool after)
{
    const struct family *family = &scan->store->families[scan->options.family];
    const struct version *version = NULL;
    const struct node *node;

    if (bytes_compare(at, scan->options.lower) < 0) {
        at = scan->options.lower;
        after = false;
    }
    pthread_rwlock_rdlock(&scan->store->lock);
    node = find(family, at, NULL)->next[0];
    if (after && node && bytes_equal(node_key(node), at))
        node = node->next[0];
    while (node && !(version = version_at(node, scan->sequence)))
        node = node->next[0];
    stand(scan, node, version);
    pthread_rwlock_unlock(&scan->store->lock);
}

/* The last visible node with key < at (or <= at). unbounded: from the end. */
static void stand_backward(struct memory_scan *scan, struct bytes at, bool inclusive, bool unbounded)
{
    const struct family *family = &scan->store->families[scan->options.family];
    const struct version *version = NULL;
    struct node *node;

    if (scan->options.upper.size && (unbounded || bytes_compare(at, scan->options.upper) >= 0)) {
        at = scan->options.upper;
        inclusive = unbounded = false;
    }
    pthread_rwlock_rdlock(&scan->store->lock);
    if (unbounded) {
        node = family->head;
        for (int i = HEIGHT_MAX - 1; i >= 0; i--)
            while (node->next[i])
                node = node->next[i];
    } else {
        node = find(family, at, NULL);
        if (inclusive && node->next[0] && bytes_equal(node_key(node->next[0]), at))
            node = node->next[0];
    }
    /* The list has no back pointers: the predecessor is searched for. Slow, and simple. */
    while (node != family->head && !(version = version_at(node, scan->sequence)))
        node = find(family, node_key(node), NULL);
    stand(scan, node == family->head ? NULL : node, version);
    pthread_rwlock_unlock(&scan->store->lock);
}

/* No move can fail here: nothing waits, and nothing is damaged. */
static enum status memory_scan_first(struct store_scan *base, struct error *err)
{
    struct memory_scan *scan = (struct memory_scan *)base;
    stand_forward(scan, scan->options.lower, false);
    return OK;
}

static enum status memory_scan_last(struct store_scan *base, struct error *err)
{
    stand_backward((struct memory_scan *)base, bytes_of(NULL, 0), false, true);
    return OK;
}

static enum status memory_scan_seek(struct store_scan *base, struct bytes key, struct error *err)
{
    stand_forward((struct memory_scan *)base, key, false);
    return OK;
}

static enum status memory_scan_seek_back(struct store_scan *base, struct bytes key, struct error *err)
{
    stand_backward((struct memory_scan *)base, key, true, false);
    return OK;
}

static enum status memory_scan_next(struct store_scan *base, struct error *err)
{
    assert(base->valid);
    stand_forward((struct memory_scan *)base, base->key, true);
    return OK;
}

static enum status memory_scan_prev(struct store_scan *base, struct error *err)
{
    assert(base->valid);
    stand_backward((struct memory_scan *)base, base->key, false, false);
    return OK;
}

/* ---- upkeep ---- */

/* There are no files for it to reach. */
static enum status memory_flush(struct store *store, struct error *err)
{
    return OK;
}

/* None takes long. */
static void memory_stop_compactions(struct store *store, bool stop)
{
}

/* Asks the filter about every key of the range, as a compaction to the last level that sees all of
 * it. What the filter says becomes a version like any other, so open snapshots keep what they see. A
 * key goes when no reader can see anything of it. */
static enum status memory_compact(struct store *store, enum store_family which, struct bytes first, struct bytes end,
                                  struct error *err)
{
    const struct store_semantics *semantics = store->semantics;
    struct family *family = &store->families[which];
    struct store_purge purge = { which, true, INT64_MAX, clock_realtime_us(store->environment->clock) };
    struct buffer changed = { 0 };
    struct node *before[HEIGHT_MAX];
    struct node *node;
    uint64_t oldest;

    pthread_rwlock_wrlock(&store->lock);
    store->sequence++;
    oldest = oldest_needed(store);
    assert(which == STORE_DATA || which == STORE_JOURNAL);
    find(family, first, before);
    while ((node = before[0]->next[0]) && (!end.size || bytes_compare(node_key(node), end) < 0)) {
        const struct version *newest = version_at(node, UINT64_MAX);
        enum store_verdict verdict = STORE_KEEP;

        buffer_reset(&changed);
        if (newest && semantics->filter)
            verdict = semantics->filter(semantics->context, &purge, node_key(node),
                                        bytes_of(newest->data, newest->size), &changed);
        if (verdict != STORE_KEEP)
            set(family, node, store->sequence, oldest, verdict == STORE_REMOVE, buffer_bytes(&changed));
        if (node->newest->deleted && (!node->newest->older || oldest >= node->newest->sequence)) {
            /* Nobody can see it: the key goes. */
            assert(node->height > 0);
            for (int i = 0; i < node->height; i++)
                before[i]->next[i] = node->next[i];
            assert(family->count > 0);
            family->count--;
            family->bytes -= node->key_size;
            for (struct version *v = node->newest; v; v = v->older)
                family->bytes -= v->size;
            versions_free(node->newest);
            free(node->key);
            free(node);
            continue;
        }
        for (int i = 0; i < node->height; i++)
            before[i] = node;
    }
    pthread_rwlock_unlock(&store->lock);
    buffer_fini(&changed);
    return OK;
}

static enum status memory_remove_files(struct store *store, enum store_family family, struct bytes first,
                                       struct bytes end, struct error *err)
{
    return OK; /* the delete_range did it */
}

/* All of it counts as memtable: there is nothing else. */
static void memory_properties(struct store *store, struct store_properties *properties)
{
    *properties = (struct store_properties){ 0 };
    pthread_rwlock_rdlock(&store->lock);
    for (int i = 0; i < STORE_FAMILY_COUNT; i++) {
        properties->memtable_bytes += store->families[i].bytes;
        properties->key_count_estimate += store->families[i].count;
    }
    properties->kept_log_bytes = store->kept.bytes;
    properties->logs_lost = store->kept.lost;
    pthread_rwlock_unlock(&store->lock);
}

static enum status memory_health(struct store *store)
{
    return OK;
}

/* A write never fails. */
static enum status memory_resume(struct store *store, struct error *err)
{
    return OK;
}

/* Without checkpoint, check and load, which are for stores that keep something: callers ask
 * whether they are there. */
const struct store_ops store_memory_ops = {
    .name = "memory",
    .environment_open = memory_environment_open,
    .environment_close = memory_environment_close,
    .environment_counts = memory_environment_counts,
    .open = memory_open,
    .close = memory_close,
    .write = memory_write,
    .get = memory_get,
    .scan_open = memory_scan_open,
    .scan_first = memory_scan_first,
    .scan_last = memory_scan_last,
    .scan_seek = memory_scan_seek,
    .scan_seek_back = memory_scan_seek_back,
    .scan_next = memory_scan_next,
    .scan_prev = memory_scan_prev,
    .scan_close = memory_scan_close,
    .snapshot = memory_snapshot,
    .snapshot_release = memory_snapshot_release,
    .sequence = memory_sequence,
    .updates_since = memory_updates_since,
    .updates_next = memory_updates_next,
    .updates_close = memory_updates_close,
    .updates_forget = memory_updates_forget,
    .flush = memory_flush,
    .compact = memory_compact,
    .stop_compactions = memory_stop_compactions,
    .remove_files = memory_remove_files,
    .properties = memory_properties,
    .health = memory_health,
    .resume = memory_resume,
};
