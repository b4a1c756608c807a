/* The contract of store.h, the same tests on every body: memory, RocksDB on the machine's files, RocksDB on files in memory.
 * The last one plays one random history on memory and RocksDB side by side and compares all they answer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/bed.h"
#include "store/cold.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"

#include <pthread.h>

static int setup(void **state)
{
    struct bed *bed = *state;

    bed_open(bed);
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state, clean = { .ops = bed->ops, .on_disk = bed->on_disk, .forgetful = bed->forgetful };

    bed_close(bed);
    *bed = clean;
    return 0;
}

static struct store_scan *scan_of(struct bed *bed, const char *lower, const char *upper,
                                  const struct store_snapshot *snapshot)
{
    struct store_scan_options options = { .family = STORE_DATA, .snapshot = snapshot, .may_wait = true };
    struct store_scan *scan;

    if (lower)
        options.lower = bytes_of_string(lower);
    if (upper)
        options.upper = bytes_of_string(upper);
    assert_int_equal(bed->ops->scan_open(bed->store, &options, &scan, &bed->err), OK);
    return scan;
}

/* Keys in order, e.g. "a b c". */
static const char *keys_of(struct bed *bed, const char *lower, const char *upper, bool back)
{
    static char text[1024];
    struct store_scan *scan = scan_of(bed, lower, upper, NULL);
    size_t at = 0;

    text[0] = 0;
    assert_int_equal((back ? bed->ops->scan_last : bed->ops->scan_first)(scan, &bed->err), OK);
    while (scan->valid) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s", at ? " " : "", BYTES(scan->key));
        assert_int_equal((back ? bed->ops->scan_prev : bed->ops->scan_next)(scan, &bed->err), OK);
    }
    store_scan_close(scan);
    return text;
}

static void test_put_get_merge(void **state)
{
    struct bed *bed = *state;

    assert_string_equal(bed_get(bed, "a"), "");
    assert_int_equal(bed_put(bed, "a", 10, "ten"), OK);
    assert_string_equal(bed_get(bed, "a"), "ten");
    assert_int_equal(bed_merge(bed, "a", 5, "five"), OK); /* older: loses */
    assert_string_equal(bed_get(bed, "a"), "ten");
    assert_int_equal(bed_merge(bed, "a", 12, "twelve"), OK);
    assert_string_equal(bed_get(bed, "a"), "twelve");
    assert_int_equal(bed_merge(bed, "b", 1, "blind"), OK); /* onto nothing */
    assert_string_equal(bed_get(bed, "b"), "blind");
    assert_int_equal(bed_put(bed, "a", 1, "put replaces"), OK);
    assert_string_equal(bed_get(bed, "a"), "put replaces");
    assert_int_equal(bed->ops->flush(bed->store, &bed->err), OK);
    assert_string_equal(bed_get(bed, "a"), "put replaces");
    assert_string_equal(bed_get(bed, "b"), "blind");
}

static void test_batch(void **state)
{
    struct bed *bed = *state;
    struct store_batch *batch = store_batch_new();
    struct store_read_options read = { .may_wait = true };
    struct store_value value = { 0 };
    char buffer[64];

    assert_int_equal(bed_put(bed, "range1", 1, "x"), OK);
    assert_int_equal(bed_put(bed, "range2", 1, "x"), OK);
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("k"), bed_value(buffer, 1, "data"));
    store_batch_put(batch, STORE_JOURNAL, BYTES_LITERAL("k"), BYTES_LITERAL("12345678journal"));
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("gone"), bed_value(buffer, 1, "x"));
    store_batch_delete(batch, STORE_DATA, BYTES_LITERAL("gone"));
    store_batch_delete_range(batch, STORE_DATA, BYTES_LITERAL("range"), BYTES_LITERAL("range2"));
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("empty"), bytes_of("", 0));
    assert_int_equal(store_batch_count(batch), 6);
    assert_true(store_batch_touches(batch, STORE_DATA, BYTES_LITERAL("range12")));
    assert_true(store_batch_touches(batch, STORE_DATA, BYTES_LITERAL("go")));
    assert_false(store_batch_touches(batch, STORE_DATA, BYTES_LITERAL("range2")));
    assert_int_equal(bed->ops->write(bed->store, batch, true, &bed->err), OK);
    assert_string_equal(bed_get(bed, "k"), "data");
    assert_string_equal(bed_get(bed, "gone"), "");
    assert_string_equal(bed_get(bed, "range1"), "");
    assert_string_equal(bed_get(bed, "range2"), "x");
    assert_int_equal(bed->ops->get(bed->store, STORE_JOURNAL, BYTES_LITERAL("k"), &read, &value, &bed->err), OK);
    assert_memory_equal(value.bytes.data, "12345678journal", 15);
    store_value_release(&value);
    assert_int_equal(bed->ops->get(bed->store, STORE_DATA, BYTES_LITERAL("empty"), &read, &value, &bed->err), OK);
    assert_int_equal(value.bytes.size, 0);
    store_value_release(&value);
    /* A key that is refused: nothing of its batch is there. */
    store_batch_clear(batch);
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("half"), bed_value(buffer, 1, "x"));
    store_batch_put(batch, STORE_DATA, bytes_of("", 0), bed_value(buffer, 1, "x"));
    assert_int_equal(bed->ops->write(bed->store, batch, true, &bed->err), ERR_INVALID);
    assert_string_equal(bed_get(bed, "half"), "");
    assert_int_equal(bed->ops->health(bed->store), OK);
    store_batch_free(batch);
}

static void test_scan(void **state)
{
    struct bed *bed = *state;
    struct store_scan *scan;

    for (const char *k = "fbdaec"; *k; k++) {
        char key[2] = { *k, 0 };
        assert_int_equal(bed_merge(bed, key, 1, key), OK);
    }
    assert_string_equal(keys_of(bed, NULL, NULL, false), "a b c d e f");
    assert_string_equal(keys_of(bed, NULL, NULL, true), "f e d c b a");
    assert_string_equal(keys_of(bed, "b", "e", false), "b c d");
    assert_string_equal(keys_of(bed, "b", "e", true), "d c b");
    assert_string_equal(keys_of(bed, "bb", "bc", false), "");
    scan = scan_of(bed, "b", "f", NULL);
    assert_false(scan->valid);
    assert_int_equal(bed->ops->scan_seek(scan, BYTES_LITERAL("cc"), &bed->err), OK);
    assert_true(scan->valid && bytes_equal(scan->key, BYTES_LITERAL("d")));
    assert_memory_equal(scan->value.data + 8, "d", 1);
    assert_int_equal(bed->ops->scan_prev(scan, &bed->err), OK);
    assert_true(bytes_equal(scan->key, BYTES_LITERAL("c")));
    assert_int_equal(bed->ops->scan_seek_back(scan, BYTES_LITERAL("cc"), &bed->err), OK);
    assert_true(bytes_equal(scan->key, BYTES_LITERAL("c")));
    assert_int_equal(bed->ops->scan_seek_back(scan, BYTES_LITERAL("zz"), &bed->err), OK);
    assert_true(bytes_equal(scan->key, BYTES_LITERAL("e")));
    assert_int_equal(bed->ops->scan_seek(scan, BYTES_LITERAL("a"), &bed->err), OK);
    assert_true(bytes_equal(scan->key, BYTES_LITERAL("b")));
    assert_int_equal(bed->ops->scan_seek_back(scan, BYTES_LITERAL("a"), &bed->err), OK);
    assert_false(scan->valid);
    assert_int_equal(bed->ops->scan_seek(scan, BYTES_LITERAL("f"), &bed->err), OK);
    assert_false(scan->valid);
    /* A scan sees what was there when it was opened. */
    assert_int_equal(bed_put(bed, "bnew", 1, "x"), OK);
    assert_int_equal(bed->ops->scan_seek(scan, BYTES_LITERAL("bnew"), &bed->err), OK);
    assert_true(bytes_equal(scan->key, BYTES_LITERAL("c")));
    store_scan_close(scan);
}

static void test_snapshot(void **state)
{
    struct bed *bed = *state;
    struct store_snapshot *snapshot;
    struct store_read_options read = { .may_wait = true };
    struct store_value value = { 0 };
    struct store_scan *scan;

    assert_int_equal(bed_put(bed, "a", 1, "old"), OK);
    assert_int_equal(bed->ops->snapshot(bed->store, true, &snapshot, &bed->err), OK);
    assert_int_equal(bed_put(bed, "a", 2, "new"), OK);
    assert_int_equal(bed_put(bed, "b", 2, "new"), OK);
    assert_int_equal(bed->ops->flush(bed->store, &bed->err), OK);
    assert_int_equal(bed->ops->compact(bed->store, STORE_DATA, bytes_of(NULL, 0), bytes_of(NULL, 0), &bed->err), OK);
    read.snapshot = snapshot;
    assert_int_equal(bed->ops->get(bed->store, STORE_DATA, BYTES_LITERAL("a"), &read, &value, &bed->err), OK);
    assert_memory_equal(value.bytes.data + 8, "old", 3);
    store_value_release(&value);
    assert_int_equal(bed->ops->get(bed->store, STORE_DATA, BYTES_LITERAL("b"), &read, &value, &bed->err),
                     ERR_NOT_FOUND);
    store_value_release(&value);
    scan = scan_of(bed, NULL, NULL, snapshot);
    assert_int_equal(bed->ops->scan_first(scan, &bed->err), OK);
    assert_memory_equal(scan->value.data + 8, "old", 3);
    assert_int_equal(bed->ops->scan_next(scan, &bed->err), OK);
    assert_false(scan->valid);
    store_scan_close(scan);
    bed->ops->snapshot_release(bed->store, snapshot);
    assert_string_equal(bed_get(bed, "a"), "new");
}

static void test_filter(void **state)
{
    struct bed *bed = *state;

    assert_int_equal(bed_merge(bed, "a", 5, "dead"), OK);
    assert_int_equal(bed_merge(bed, "b", 5, "change"), OK);
    assert_int_equal(bed_merge(bed, "c", 7, "stays"), OK);
    assert_int_equal(bed->ops->compact(bed->store, STORE_DATA, bytes_of(NULL, 0), bytes_of(NULL, 0), &bed->err), OK);
    assert_string_equal(bed_get(bed, "a"), "");
    assert_string_equal(bed_get(bed, "b"), "changed");
    assert_string_equal(bed_get(bed, "c"), "stays");
    assert_true(bed->filtered >= 3);
    assert_true(bed->last_purge.whole);
    assert_true(bed->last_purge.now_us > 1600000000000000);
}

static void test_get_through(void **state)
{
    struct bed *bed = *state;
    struct store_batch *batch = store_batch_new();
    struct store_read_options read = { .may_wait = true };
    struct buffer result = { 0 };
    char buffer[64], key[16];
    bool found;

#define THROUGH(k)                                                                                      \
    (buffer_reset(&result), store_get_through(bed->ops, bed->store, &bed->semantics, batch, STORE_DATA, \
                                              bytes_of_string(k), &read, &result, &found, &bed->err))

    assert_int_equal(bed_put(bed, "a", 10, "stored"), OK);
    assert_int_equal(THROUGH("a"), OK);
    assert_true(found);
    store_batch_merge(batch, STORE_DATA, BYTES_LITERAL("a"), bed_value(buffer, 11, "eleven"));
    store_batch_merge(batch, STORE_DATA, BYTES_LITERAL("a"), bed_value(buffer, 9, "nine"));
    assert_int_equal(THROUGH("a"), OK);
    assert_memory_equal(result.data + 8, "eleven", 6);
    store_batch_delete(batch, STORE_DATA, BYTES_LITERAL("a"));
    assert_int_equal(THROUGH("a"), OK);
    assert_false(found);
    store_batch_merge(batch, STORE_DATA, BYTES_LITERAL("a"), bed_value(buffer, 1, "one"));
    assert_int_equal(THROUGH("a"), OK);
    assert_memory_equal(result.data + 8, "one", 3);
    store_batch_truncate(batch, 2);
    assert_int_equal(THROUGH("a"), OK);
    assert_memory_equal(result.data + 8, "eleven", 6);
    /* Many keys: the index grows. */
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        store_batch_put(batch, STORE_DATA, bytes_of_string(key), bed_value(buffer, i, key));
        if (i % 100 == 0)
            assert_int_equal(THROUGH(key), OK);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(THROUGH(key), OK);
        assert_true(found);
        assert_memory_equal(result.data + 8, key, strlen(key));
    }
    assert_int_equal(THROUGH("nowhere"), OK);
    assert_false(found);
    store_batch_delete_range(batch, STORE_DATA, BYTES_LITERAL("k5"), BYTES_LITERAL("k6"));
    assert_int_equal(THROUGH("k555"), OK);
    assert_false(found);
    assert_int_equal(THROUGH("k6"), OK);
    assert_true(found);
    buffer_fini(&result);
    store_batch_free(batch);
}

/* Readers while the writer writes: a batch is seen whole. */
struct reader {
    struct bed *bed;
    bool stop;
    unsigned torn, reads;
};

static void *read_pairs(void *context)
{
    struct reader *reader = context;
    struct bed *bed = reader->bed;
    struct store_read_options read = { .may_wait = true };
    struct error err;

    while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
        struct store_value a = { 0 }, b = { 0 };
        struct store_snapshot *snapshot;

        if (bed->ops->snapshot(bed->store, true, &snapshot, &err))
            break;
        read.snapshot = snapshot;
        enum status sa = bed->ops->get(bed->store, STORE_DATA, BYTES_LITERAL("pair a"), &read, &a, &err);
        enum status sb = bed->ops->get(bed->store, STORE_DATA, BYTES_LITERAL("pair b"), &read, &b, &err);
        reader->torn += sa != sb || (sa == OK && !bytes_equal(a.bytes, b.bytes));
        __atomic_add_fetch(&reader->reads, 1, __ATOMIC_RELAXED);
        store_value_release(&a);
        store_value_release(&b);
        bed->ops->snapshot_release(bed->store, snapshot);
    }
    return NULL;
}

static void test_readers(void **state)
{
    struct bed *bed = *state;
    struct reader readers[2] = { { bed }, { bed } };
    struct store_batch *batch = store_batch_new();
    pthread_t threads[2];
    char buffer[64];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, read_pairs, &readers[i]);
    for (int i = 0; i < 2000 || !__atomic_load_n(&readers[0].reads, __ATOMIC_RELAXED) ||
                    !__atomic_load_n(&readers[1].reads, __ATOMIC_RELAXED);
         i++) {
        store_batch_clear(batch);
        store_batch_put(batch, STORE_DATA, BYTES_LITERAL("pair a"), bed_value(buffer, i, "v"));
        store_batch_put(batch, STORE_DATA, BYTES_LITERAL("pair b"), bed_value(buffer, i, "v"));
        assert_int_equal(bed->ops->write(bed->store, batch, false, &bed->err), OK);
        if (i % 500 == 0)
            assert_int_equal(bed->ops->flush(bed->store, &bed->err), OK);
    }
    for (int i = 0; i < 2; i++) {
        __atomic_store_n(&readers[i].stop, true, __ATOMIC_RELAXED);
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].torn, 0);
    }
    store_batch_free(batch);
}

/* ---- side by side ---- */

static uint64_t seed = 7;
static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* Keys with the shape of real ones: a prefix of 16 bytes (one of four), then some; a few are shorter. */
static struct bytes draw_key(char buffer[64])
{
    if (draw(20) == 0)
        return bytes_of(buffer, (size_t)snprintf(buffer, 64, "%u", draw(10)));
    return bytes_of(buffer, (size_t)snprintf(buffer, 64, "prefix-16-bytes%c%03u", 'a' + draw(4), draw(200)));
}

static void compare_scans(struct bed *a, struct bed *b, struct store_snapshot *sa, struct store_snapshot *sb)
{
    char low[64], high[64], key[64];
    struct store_scan_options oa = { .family = STORE_DATA, .snapshot = sa, .may_wait = true }, ob = oa;
    struct store_scan *x, *y;
    bool back = draw(2);

    if (draw(3))
        oa.lower = draw_key(low);
    if (draw(3))
        oa.upper = draw_key(high);
    if (oa.upper.size && bytes_compare(oa.lower, oa.upper) >= 0) {
        struct bytes swap = oa.lower;
        oa.lower = oa.upper;
        oa.upper = swap;
        if (!oa.upper.size)
            oa.lower = oa.upper;
    }
    ob = oa;
    ob.snapshot = sb;
    assert_int_equal(a->ops->scan_open(a->store, &oa, &x, &a->err), OK);
    assert_int_equal(b->ops->scan_open(b->store, &ob, &y, &b->err), OK);
    if (draw(2)) {
        struct bytes at = draw_key(key);
        assert_int_equal((back ? a->ops->scan_seek_back : a->ops->scan_seek)(x, at, &a->err), OK);
        assert_int_equal((back ? b->ops->scan_seek_back : b->ops->scan_seek)(y, at, &b->err), OK);
    } else {
        assert_int_equal((back ? a->ops->scan_last : a->ops->scan_first)(x, &a->err), OK);
        assert_int_equal((back ? b->ops->scan_last : b->ops->scan_first)(y, &b->err), OK);
    }
    for (int moves = 0; moves < 300; moves++) {
        assert_int_equal(x->valid, y->valid);
        if (!x->valid)
            break;
        assert_true(bytes_equal(x->key, y->key));
        assert_true(bytes_equal(x->value, y->value));
        if (draw(20) == 0)
            back = !back;
        assert_int_equal((back ? a->ops->scan_prev : a->ops->scan_next)(x, &a->err), OK);
        assert_int_equal((back ? b->ops->scan_prev : b->ops->scan_next)(y, &b->err), OK);
    }
    store_scan_close(x);
    store_scan_close(y);
}

static void random_batch(struct store_batch *batch)
{
    char key[64], other[64], value[64], text[16];

    store_batch_clear(batch);
    for (uint32_t i = draw(8) + 1; i; i--) {
        struct bytes k = draw_key(key), v;

        snprintf(text, sizeof(text), "%u", draw(1000));
        v = bed_value(value, draw(50), draw(10) ? text : "dead");
        switch (draw(12)) {
        case 0:
        case 1: store_batch_put(batch, STORE_DATA, k, v); break;
        case 2: store_batch_delete(batch, STORE_DATA, k); break;
        case 3:
            if (draw(20) == 0 && bytes_compare(k, draw_key(other)) < 0)
                store_batch_delete_range(batch, STORE_DATA, k, bytes_of_string(other));
            break;
        default: store_batch_merge(batch, STORE_DATA, k, v);
        }
    }
}

static void test_side_by_side(void **state)
{
    struct bed memory = { .ops = &store_memory_ops };
    struct bed rocks = { .ops = &store_rocksdb_ops, .forgetful = true };
    struct store_snapshot *ms = NULL, *rs = NULL;
    struct store_batch *batch = store_batch_new();
    struct bytes all = { NULL, 0 };

    bed_open(&memory);
    bed_open(&rocks);
    memory.semantics.filter = rocks.semantics.filter = NULL; /* bodies purge at different times */
    for (int i = 0; i < 6000; i++) {
        random_batch(batch);
        assert_int_equal(memory.ops->write(memory.store, batch, true, &memory.err), OK);
        assert_int_equal(rocks.ops->write(rocks.store, batch, true, &rocks.err), OK);
        if (draw(10) == 0)
            compare_scans(&memory, &rocks, NULL, NULL);
        if (draw(10) == 0 && ms)
            compare_scans(&memory, &rocks, ms, rs);
        if (draw(200) == 0)
            assert_int_equal(rocks.ops->flush(rocks.store, &rocks.err), OK);
        if (draw(600) == 0) {
            assert_int_equal(memory.ops->compact(memory.store, STORE_DATA, all, all, &memory.err), OK);
            assert_int_equal(rocks.ops->compact(rocks.store, STORE_DATA, all, all, &rocks.err), OK);
        }
        if (draw(100) == 0) {
            if (ms) {
                memory.ops->snapshot_release(memory.store, ms);
                rocks.ops->snapshot_release(rocks.store, rs);
            }
            assert_int_equal(memory.ops->snapshot(memory.store, true, &ms, &memory.err), OK);
            assert_int_equal(rocks.ops->snapshot(rocks.store, true, &rs, &rocks.err), OK);
        }
        if (draw(1500) == 0) {
            if (ms) {
                memory.ops->snapshot_release(memory.store, ms);
                rocks.ops->snapshot_release(rocks.store, rs);
                ms = rs = NULL;
            }
            bed_close_store(&rocks);
            assert_int_equal(bed_open_store(&rocks), OK);
        }
    }
    if (ms) {
        memory.ops->snapshot_release(memory.store, ms);
        rocks.ops->snapshot_release(rocks.store, rs);
    }
    store_batch_free(batch);
    bed_close(&memory);
    bed_close(&rocks);
}

/* ---- updates ---- */

static void reopen_keeping(struct bed *bed, uint64_t log_bytes_max)
{
    bed_close_store(bed);
    bed->log_bytes_max = log_bytes_max;
    assert_int_equal(bed_open_store(bed), OK);
}

static struct store_updates *updates_from(struct bed *bed, uint64_t from)
{
    struct store_updates *updates;

    assert_int_equal(bed->ops->updates_since(bed->store, from, &updates, &bed->err), OK);
    assert_false(updates->valid);
    return updates;
}

/* The key of the next batch's first operation; "": the live end; NULL: an error. */
static const char *next_key(struct bed *bed, struct store_updates *updates)
{
    static char key[64];

    if (bed->ops->updates_next(updates, &bed->err))
        return NULL;
    key[0] = 0;
    if (updates->valid)
        snprintf(key, sizeof(key), "%.*s", BYTES(store_batch_at(updates->batch, 0).key));
    return key;
}

static void test_updates(void **state)
{
    struct bed *bed = *state;
    struct store_batch *batch = store_batch_new();
    struct store_updates *updates;
    char large[200000], buffer[64];
    static const enum store_op_kind kinds[] = { STORE_LOG_DATA, STORE_PUT,          STORE_MERGE,   STORE_LOG_DATA,
                                                STORE_DELETE,   STORE_DELETE_RANGE, STORE_LOG_DATA };

    reopen_keeping(bed, 1 << 24);
    updates = updates_from(bed, bed->ops->sequence(bed->store) + 1);
    assert_string_equal(next_key(bed, updates), "");
    memset(large, 'l', sizeof(large));
    store_batch_log_data(batch, BYTES_LITERAL("first"));
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("a"), bed_value(buffer, 1, "x"));
    store_batch_merge(batch, STORE_JOURNAL, BYTES_LITERAL("b"), bytes_of(large, sizeof(large)));
    store_batch_log_data(batch, bytes_of(large, sizeof(large)));
    store_batch_delete(batch, STORE_JOURNAL, BYTES_LITERAL("c"));
    store_batch_delete_range(batch, STORE_DATA, BYTES_LITERAL("d"), BYTES_LITERAL("e"));
    store_batch_log_data(batch, bytes_of("", 0));
    assert_false(store_batch_touches(batch, STORE_DATA, BYTES_LITERAL("first")));
    assert_int_equal(bed->ops->write(bed->store, batch, true, &bed->err), OK);
    assert_string_equal(bed_get(bed, "first"), "");
    assert_string_equal(bed_get(bed, "a"), "x");

    assert_int_equal(bed->ops->updates_next(updates, &bed->err), OK);
    assert_true(updates->valid);
    assert_int_equal(store_batch_count(updates->batch), ARRAY_SIZE(kinds));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct store_op is = store_batch_at(updates->batch, i), was = store_batch_at(batch, i);

        assert_int_equal(is.kind, kinds[i]);
        if (is.kind != STORE_LOG_DATA)
            assert_int_equal(is.family, was.family);
        assert_true(bytes_equal(is.key, was.key) && bytes_equal(is.value, was.value));
    }
    assert_true(updates->next > updates->sequence);
    assert_int_equal(updates->next, bed->ops->sequence(bed->store) + 1);
    assert_string_equal(next_key(bed, updates), "");

    /* Log data alone has no place of its own; an empty batch leaves nothing. */
    store_batch_clear(batch);
    store_batch_log_data(batch, BYTES_LITERAL("alone"));
    assert_int_equal(bed->ops->write(bed->store, batch, true, &bed->err), ERR_INVALID);
    store_batch_clear(batch);
    assert_int_equal(bed->ops->write(bed->store, batch, true, &bed->err), OK);
    assert_int_equal(bed_put(bed, "f", 1, "x"), OK);
    assert_int_equal(bed->ops->write(bed->store, batch, true, &bed->err), OK);
    assert_int_equal(bed_put(bed, "g", 1, "x"), OK);
    assert_string_equal(next_key(bed, updates), "f");
    assert_string_equal(next_key(bed, updates), "g");
    assert_string_equal(next_key(bed, updates), "");
    assert_string_equal(next_key(bed, updates), "");
    store_updates_close(updates);
    store_updates_close(NULL);
    store_batch_free(batch);
}

/* A reader goes on over flushes and compactions, and one that comes later reads the same. */
static void test_updates_go_on(void **state)
{
    struct bed *bed = *state;
    struct store_updates *updates, *later;
    char key[16];
    uint64_t middle = 0;

    reopen_keeping(bed, 1 << 24);
    updates = updates_from(bed, 1);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "%03d", i);
        assert_int_equal(bed_put(bed, key, 1, "x"), OK);
        if (i % 40 == 10)
            assert_int_equal(bed->ops->flush(bed->store, &bed->err), OK);
        if (i % 100 == 50)
            assert_int_equal(bed->ops->compact(bed->store, STORE_DATA, bytes_of(NULL, 0), bytes_of(NULL, 0), &bed->err),
                             OK);
        if (i % 3)
            continue;
        for (int back = i ? 2 : 0; back >= 0; back--) {
            snprintf(key, sizeof(key), "%03d", i - back);
            assert_string_equal(next_key(bed, updates), key);
        }
        assert_string_equal(next_key(bed, updates), "");
        if (i == 150)
            middle = updates->next;
    }
    store_updates_close(updates);
    later = updates_from(bed, middle);
    for (int i = 151; i < 300; i++) {
        snprintf(key, sizeof(key), "%03d", i);
        assert_string_equal(next_key(bed, later), key);
    }
    assert_string_equal(next_key(bed, later), "");
    store_updates_close(later);
}

static void write_and_flush(struct bed *bed, int from, int to)
{
    char key[16];

    for (int i = from; i < to; i++) {
        snprintf(key, sizeof(key), "%03d", i);
        assert_int_equal(bed_put(bed, key, 1, "x"), OK);
        if (i % 10 == 9)
            assert_int_equal(bed->ops->flush(bed->store, &bed->err), OK);
    }
}

static void assert_gone(struct bed *bed, uint64_t from)
{
    struct store_updates *updates = updates_from(bed, from);

    assert_null(next_key(bed, updates));
    assert_int_equal(bed->err.status, ERR_NOT_FOUND);
    store_updates_close(updates);
}

/* What was told to go is gone, and that is said; what was not, is there. */
static void test_updates_forget(void **state)
{
    struct bed *bed = *state;
    struct store_properties properties;
    struct store_updates *updates;
    uint64_t at;

    reopen_keeping(bed, 1 << 24);
    write_and_flush(bed, 0, 100);
    bed->ops->properties(bed->store, &properties);
    assert_true(properties.kept_log_bytes > 0);
    updates = updates_from(bed, 1);
    for (int i = 0; i < 55; i++)
        assert_string_not_equal(next_key(bed, updates), "");
    at = updates->next;
    assert_int_equal(bed->ops->updates_forget(bed->store, at, &bed->err), OK);
    assert_gone(bed, 1);
    assert_string_equal(next_key(bed, updates), "055");
    assert_int_equal(bed->ops->updates_forget(bed->store, 1, &bed->err), OK);
    store_updates_close(updates);
    updates = updates_from(bed, at);
    for (int i = 55; i < 100; i++)
        assert_int_equal(atoi(next_key(bed, updates)), i);
    assert_string_equal(next_key(bed, updates), "");
    /* All of it, and what comes. */
    assert_int_equal(bed->ops->updates_forget(bed->store, UINT64_MAX, &bed->err), OK);
    assert_gone(bed, at);
    write_and_flush(bed, 100, 130);
    assert_gone(bed, updates->next);
    store_updates_close(updates);
    updates = updates_from(bed, 0); /* whatever there is: nothing, or what is not yet taken away */
    for (int i = 0; i <= 10 && *next_key(bed, updates); i++)
        assert_true(i < 10);
    assert_int_equal(bed_put(bed, "z", 1, "x"), OK);
    bed->ops->properties(bed->store, &properties);
    assert_int_equal(properties.logs_lost, 0);
    assert_int_equal(bed->warnings, 0);
    store_updates_close(updates);
}

/* A bound that is passed costs the oldest, and that is said. */
static void test_updates_bound(void **state)
{
    struct bed *bed = *state;
    struct store_properties properties;
    struct store_updates *updates;
    int first, count = 0;

    reopen_keeping(bed, !strcmp(bed->ops->name, "memory") ? 1000 : 60000); /* each file has a head of 4096 bytes */
    write_and_flush(bed, 0, 400);
    bed->ops->properties(bed->store, &properties);
    assert_true(properties.kept_log_bytes <= bed->log_bytes_max + 20000);
    assert_true(properties.logs_lost > 0);
    assert_true(bed->warnings > 0);
    assert_gone(bed, 1);
    updates = updates_from(bed, 0);
    first = atoi(next_key(bed, updates));
    assert_true(first > 0 && first < 400);
    for (count = 1; *next_key(bed, updates); count++)
        ;
    assert_int_equal(first + count, 400);
    store_updates_close(updates);
}

/* By default finished logs are not kept. */
static void test_updates_not_kept(void **state)
{
    struct bed *bed = *state;
    struct store_properties properties;

    reopen_keeping(bed, 0);
    write_and_flush(bed, 0, 30);
    assert_int_equal(bed_put(bed, "z", 1, "x"), OK);
    bed->ops->properties(bed->store, &properties);
    assert_int_equal(properties.kept_log_bytes, 0);
    for (int i = 0; i < 100 && bed->ops == &store_rocksdb_ops; i++) /* files go in the background */
        usleep(1000);
    assert_gone(bed, 1);
}

int main(void)
{
    static struct bed beds[] = {
        { .ops = &store_memory_ops },
        { .ops = NULL }, /* the same as if nothing were in memory */
        { .ops = &store_rocksdb_ops, .on_disk = true },
        { .ops = &store_rocksdb_ops, .forgetful = true },
    };
    int failed = 0;

    beds[1].ops = cold_over(&store_memory_ops, 2);
    for (size_t i = 0; i < ARRAY_SIZE(beds); i++) {
        struct bed *bed = &beds[i];
#define EACH(test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, bed)
        const struct CMUnitTest tests[] = {
            EACH(test_put_get_merge), EACH(test_batch),          EACH(test_scan),          EACH(test_snapshot),
            EACH(test_filter),        EACH(test_get_through),    EACH(test_readers),       EACH(test_updates),
            EACH(test_updates_go_on), EACH(test_updates_forget), EACH(test_updates_bound), EACH(test_updates_not_kept),
        };
        printf("%s%s\n", i == 1 ? "cold " : bed->ops->name,
               i == 1           ? bed->ops->name
               : bed->on_disk   ? " on disk"
               : bed->forgetful ? " on forgetful files"
                                : "");
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    const struct CMUnitTest both[] = { cmocka_unit_test(test_side_by_side) };
    failed += cmocka_run_group_tests(both, NULL, NULL);
    return failed;
}
