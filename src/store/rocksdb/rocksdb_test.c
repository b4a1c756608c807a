/* What only the durable body promises: crashes, full and failing disks, damage, encryption, reads that may not wait, purge
 * limits. Crashes happen in this process, on files that forget (store/files/forgetful.c); each has a seed that it prints when
 * it fails. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/bed.h"
#include "store/rocksdb/header.h"
#include "store/rocksdb/rocksdb.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL bytes_of(NULL, 0)

static struct bed forgetful_bed(void)
{
    return (struct bed){ .ops = &store_rocksdb_ops, .forgetful = true };
}

/* A store whose environment is new as well: nothing is left in the block cache. */
static void restart(struct bed *bed)
{
    bed_close_store(bed);
    bed->ops->environment_close(bed->environment);
    open_environment(bed);
    assert_int_equal(bed_open_store(bed), OK);
}

/* ---- crashes ---- */

enum { KEYS = 64, BATCH_MAX = 12 };

/* What the client knows: the last acknowledged version of each key, and what the last, unanswered batch would bring. */
struct model {
    int64_t acknowledged[KEYS];
    int64_t pending[KEYS]; /* 0: not in the batch */
    int64_t version;
    uint64_t random;
};

static uint32_t draw(struct model *model, uint32_t below)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((model->random >> 33) % below);
}

static const char *model_key(char key[32], int i)
{
    snprintf(key, 32, "0123456789abcdef-%03d", i);
    return key;
}

static enum status write_random(struct bed *bed, struct model *model, struct store_batch *batch)
{
    char key[32], value[64], text[48];
    enum status status;

    store_batch_clear(batch);
    memset(model->pending, 0, sizeof(model->pending));
    model->version++;
    for (uint32_t n = 1 + draw(model, BATCH_MAX); n; n--) {
        int i = (int)draw(model, KEYS);

        model->pending[i] = model->version;
        snprintf(text, sizeof(text), "%lld with some more bytes", (long long)model->version);
        store_batch_merge(batch, STORE_DATA, bytes_of_string(model_key(key, i)),
                          bed_value(value, model->version, text));
        store_batch_put(batch, STORE_JOURNAL, bytes_of_string(model_key(key, i)),
                        bed_value(value, model->version, text));
    }
    status = bed->ops->write(bed->store, batch, true, &bed->err);
    if (status == OK)
        for (int i = 0; i < KEYS; i++)
            if (model->pending[i])
                model->acknowledged[i] = model->pending[i];
    return status;
}

/* Whether the store has all that was acknowledged, and the pending batch whole or not at all. Then the client knows. */
static bool agrees(struct bed *bed, struct model *model)
{
    int came = 0, missing = 0;
    char key[32];

    for (int i = 0; i < KEYS; i++) {
        const char *text = bed_get(bed, model_key(key, i));
        int64_t version = text ? atoll(text) : -1;
        struct store_read_options options = { .may_wait = true };
        struct store_value value = { 0 };
        enum status status =
            bed->ops->get(bed->store, STORE_JOURNAL, bytes_of_string(key), &options, &value, &bed->err);
        int64_t journal = status == OK ? (int64_t)load_be64(value.bytes.data) : 0;

        store_value_release(&value);
        if (version != journal)
            return false;
        if (model->pending[i] && version == model->pending[i])
            came++;
        else if (model->pending[i])
            missing++;
        if (version != model->acknowledged[i] && !(model->pending[i] && version == model->pending[i]))
            return false;
    }
    if (came && missing)
        return false;
    if (came)
        for (int i = 0; i < KEYS; i++)
            if (model->pending[i])
                model->acknowledged[i] = model->pending[i];
    memset(model->pending, 0, sizeof(model->pending));
    return true;
}

/* Writes, pulls the plug in the middle of some call, starts again, compares; many times over the same files. Returns how
 * often something was missing. */
static unsigned crash_rounds(uint64_t seed, unsigned rounds, bool no_sync)
{
    struct bed bed = forgetful_bed();
    struct model model = { .random = seed * 2 + 1 };
    struct store_batch *batch = store_batch_new();
    unsigned lost = 0;

    bed.write_buffer_bytes = 64 * 1024; /* so that flushes and compactions are hit as well */
    bed.seed = seed;
    bed.no_sync = no_sync;
    bed_open(&bed);
    for (unsigned round = 0; round < rounds && !lost; round++) {
        if (draw(&model, 2))
            forgetful_fail_nth(bed.files, 1 + draw(&model, 600), true);
        for (uint32_t writes = draw(&model, 300); writes; writes--) {
            if (write_random(&bed, &model, batch))
                break;
            if (draw(&model, 100) == 0)
                (void)bed.ops->flush(bed.store, &bed.err);
        }
        forgetful_cut(bed.files);
        bed_close_store(&bed);
        forgetful_restart(bed.files, draw(&model, 2));
        if (draw(&model, 4) == 0) { /* and again, while it recovers */
            forgetful_fail_nth(bed.files, 1 + draw(&model, 60), true);
            (void)bed_open_store(&bed);
            forgetful_cut(bed.files);
            bed_close_store(&bed);
            forgetful_restart(bed.files, draw(&model, 2));
        }
        if (bed_open_store(&bed)) {
            print_message("seed %llu round %u: %s\n", (unsigned long long)seed, round, bed.err.message);
            lost++;
        } else if (!agrees(&bed, &model)) {
            if (!no_sync)
                print_message("seed %llu round %u: not what was acknowledged\n", (unsigned long long)seed, round);
            lost++;
        }
    }
    store_batch_free(batch);
    bed_close(&bed);
    return lost;
}

static void test_crashes(void **state)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        assert_int_equal(crash_rounds(seed, 12, false), 0);
}

/* The test above would notice: without the sync rows are lost. */
static void test_crashes_without_sync(void **state)
{
    unsigned lost = 0;

    for (uint64_t seed = 1; seed <= 4; seed++)
        lost += crash_rounds(seed, 12, true);
    assert_int_equal(lost, 4);
}

/* The same with a real process and a real kill -9, on the machine's files. The child is this program again. */
static int killed_child(const char *directory, int pipe_fd)
{
    struct bed bed = { .ops = &store_rocksdb_ops };
    struct keys_provider provider = { fixed_master, NULL };
    int64_t version;

    if (keys_open_provider(&provider, &bed.keys, &bed.err))
        return 1;
    bed.semantics = (struct store_semantics){ &bed, merge, NULL, filter, min_timestamp_us };
    bed.write_buffer_bytes = 64 * 1024;
    snprintf(bed.directory, sizeof(bed.directory), "%s", directory);
    open_environment(&bed);
    if (bed_open_store(&bed))
        return 1;
    version = atoll(bed_get(&bed, "version"));
    for (;;) {
        char text[48];

        snprintf(text, sizeof(text), "%lld", (long long)++version);
        if (bed_put(&bed, "version", version, text) || write(pipe_fd, &version, sizeof(version)) != sizeof(version))
            return 1;
    }
}

static void test_kill(void **state)
{
    struct bed bed = { .ops = &store_rocksdb_ops, .on_disk = true };
    struct model model = { .random = 5 };

    bed_open(&bed);
    for (int round = 0; round < 6; round++) {
        int64_t acknowledged = atoll(bed_get(&bed, "version")), next, found;
        char fd[12];
        int ends[2], exit_status;
        pid_t child;

        bed_close_store(&bed);
        assert_int_equal(pipe(ends), 0);
        snprintf(fd, sizeof(fd), "%d", ends[1]);
        child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "rocksdb_test", "--child", bed.directory, fd, NULL);
            _exit(1);
        }
        close(ends[1]);
        for (int n = 20 + (int)draw(&model, 800); n && read(ends[0], &next, sizeof(next)) == sizeof(next); n--)
            acknowledged = next;
        kill(child, SIGKILL);
        waitpid(child, &exit_status, 0);
        assert_true(WIFSIGNALED(exit_status)); /* it did not end by itself */
        while (read(ends[0], &next, sizeof(next)) == sizeof(next))
            acknowledged = next;
        close(ends[0]);
        assert_int_equal(bed_open_store(&bed), OK);
        found = atoll(bed_get(&bed, "version"));
        assert_true(found == acknowledged || found == acknowledged + 1);
        assert_true(found > 20);
    }
    bed_close(&bed);
}

/* The nth call below the store fails once, n = 1, 2, 3 ... until none does: nobody crashes or hangs, nothing acknowledged is
 * lost, and the store is usable again by resume or by being opened again. */
static bool fail_nth(uint64_t n)
{
    struct bed bed = forgetful_bed();
    struct model model = { .random = n };
    struct store_batch *batch = store_batch_new();
    bool failed;

    bed.write_buffer_bytes = 64 * 1024;
    bed_open(&bed);
    for (int i = 0; i < 20; i++)
        assert_int_equal(write_random(&bed, &model, batch), OK);
    bed_close_store(&bed);
    forgetful_fail_nth(bed.files, n, false);
    if (bed_open_store(&bed))
        assert_int_equal(bed_open_store(&bed), OK);
    for (int i = 0; i < 10; i++) {
        enum status status = write_random(&bed, &model, batch);

        if (i == 5 && status == OK)
            status = bed.ops->flush(bed.store, &bed.err);
        if (i == 7 && status == OK)
            status = bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err);
        if (status) {
            status = bed.ops->resume(bed.store, &bed.err);
            if (status)
                status = bed.ops->resume(bed.store, &bed.err);
            assert_int_equal(status, OK);
            assert_int_equal(bed.ops->health(bed.store), OK);
            assert_true(agrees(&bed, &model));
        }
    }
    memset(model.pending, 0, sizeof(model.pending));
    bed_close_store(&bed);
    failed = forgetful_failed(bed.files);
    forgetful_fail_nth(bed.files, 0, false);
    assert_int_equal(bed_open_store(&bed), OK);
    if (!agrees(&bed, &model))
        fail_msg("call %llu failed, and something acknowledged is gone", (unsigned long long)n);
    store_batch_free(batch);
    bed_close(&bed);
    return failed;
}

static void test_fail_nth(void **state)
{
    uint64_t n = 1;
    unsigned passed = 0;

    /* Background calls come in any order: it has passed when three rounds in a row did. */
    for (; passed < 3; n++)
        passed = fail_nth(n) ? 0 : passed + 1;
    assert_true(n > 100); /* it did fail calls */
}

/* ---- full and failing disks ---- */

static void test_no_space(void **state)
{
    struct bed bed = forgetful_bed();
    struct model model = { .random = 1 };
    struct store_batch *batch = store_batch_new();
    enum status status = OK;

    bed_open(&bed);
    for (int i = 0; i < 50; i++)
        assert_int_equal(write_random(&bed, &model, batch), OK);
    for (int round = 0; round < 3; round++) {
        forgetful_capacity(bed.files, forgetful_used(bed.files) + 20000);
        for (int i = 0; i < 1000 && status == OK; i++)
            status = write_random(&bed, &model, batch);
        assert_int_equal(status, ERR_NO_SPACE);
        assert_int_equal(bed.ops->health(bed.store), ERR_NO_SPACE);
        assert_int_equal(bed.ops->resume(bed.store, &bed.err), ERR_NO_SPACE); /* still full */
        assert_string_not_equal(bed_get(&bed, "0123456789abcdef-001"), "");
        struct model before = model;
        memset(before.pending, 0, sizeof(before.pending));
        assert_int_equal(write_random(&bed, &before, batch), ERR_NO_SPACE);
        forgetful_capacity(bed.files, UINT64_MAX);
        status = bed.ops->resume(bed.store, &bed.err);
        if (status)
            print_message("%s\n", bed.err.message);
        assert_int_equal(status, OK);
        assert_true(agrees(&bed, &model));
        status = write_random(&bed, &model, batch);
        assert_int_equal(status, OK);
    }
    forgetful_cut(bed.files);
    bed_close_store(&bed);
    forgetful_restart(bed.files, false);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_true(agrees(&bed, &model));
    store_batch_free(batch);
    bed_close(&bed);
}

/* Nothing is in memory when the log breaks off, so there is nothing to flush from which a new log would come. */
static void test_no_space_at_first(void **state)
{
    for (int is_flushed = 0; is_flushed < 2; is_flushed++) {
        struct bed bed = forgetful_bed();

        bed_open(&bed);
        if (is_flushed) {
            assert_int_equal(bed_put(&bed, "before", 1, "x"), OK);
            assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
        }
        forgetful_capacity(bed.files, forgetful_used(bed.files));
        assert_int_equal(bed_put(&bed, "lost", 1, "x"), ERR_NO_SPACE);
        forgetful_capacity(bed.files, UINT64_MAX);
        assert_int_equal(bed.ops->resume(bed.store, &bed.err), OK);
        assert_int_equal(bed_put(&bed, "after", 1, "x"), OK);
        bed_close_store(&bed); /* in order: it syncs the log */
        assert_int_equal(bed_open_store(&bed), OK);
        assert_string_equal(bed_get(&bed, "after"), "x");
        assert_string_equal(bed_get(&bed, "before"), is_flushed ? "x" : "");
        bed_close(&bed);
    }
}

static void test_failed_sync(void **state)
{
    struct bed bed = forgetful_bed();
    struct model model = { .random = 1 };
    struct store_batch *batch = store_batch_new();

    bed_open(&bed);
    for (int i = 0; i < 50; i++)
        assert_int_equal(write_random(&bed, &model, batch), OK);
    assert_int_equal(bed_put(&bed, "seen", 1, "before"), OK);
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(bed_put(&bed, "seen", 2, "unsynced"), ERR_IO);
    assert_int_equal(bed.ops->health(bed.store), ERR_IO);
    assert_string_equal(bed_get(&bed, "seen"), "before"); /* nobody sees what a crash could take back */
    assert_int_equal(bed_put(&bed, "other", 1, "x"), ERR_IO);
    assert_int_not_equal(bed.ops->resume(bed.store, &bed.err), OK);
    assert_int_equal(bed.ops->health(bed.store), ERR_IO);
    assert_string_equal(bed_get(&bed, "seen"), "before"); /* reads go on */
    assert_true(agrees(&bed, &model));
    forgetful_fail_sync(bed.files, false);
    assert_int_equal(bed.ops->resume(bed.store, &bed.err), OK);
    assert_int_equal(bed.ops->health(bed.store), OK);
    assert_true(agrees(&bed, &model));
    assert_string_equal(bed_get(&bed, "other"), "");
    assert_int_equal(bed_put(&bed, "seen", 3, "after"), OK);
    forgetful_cut(bed.files);
    bed_close_store(&bed);
    forgetful_restart(bed.files, false);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_true(agrees(&bed, &model));
    assert_string_equal(bed_get(&bed, "seen"), "after");
    store_batch_free(batch);
    bed_close(&bed);
}

/* What is shown once is not lost with the power: neither after a resume, nor when the process was killed before its sync, and started anew. */
static void test_shown_is_synced(void **state)
{
    for (int is_killed = 0; is_killed < 2; is_killed++) {
        struct bed bed = forgetful_bed();
        char shown[64];

        bed_open(&bed);
        assert_int_equal(bed_put(&bed, "row", 1, "before"), OK);
        forgetful_fail_sync(bed.files, true);
        assert_int_equal(bed_put(&bed, "row", 2, "unsynced"), ERR_IO);
        if (is_killed)
            bed_close_store(&bed); /* its log can't be synced, which leaves it as a kill does */
        forgetful_fail_sync(bed.files, false);
        assert_int_equal(is_killed ? bed_open_store(&bed) : bed.ops->resume(bed.store, &bed.err), OK);
        snprintf(shown, sizeof(shown), "%s", bed_get(&bed, "row"));
        forgetful_cut(bed.files);
        bed_close_store(&bed);
        forgetful_restart(bed.files, false);
        assert_int_equal(bed_open_store(&bed), OK);
        assert_string_equal(bed_get(&bed, "row"), shown);
        bed_close(&bed);
    }
}

/* A reader that holds a scan while the store is resumed, and one that comes meanwhile. */
struct holder {
    struct bed *bed;
    struct store_scan *scan;
    bool may_wait_answered;
};

static void *hold(void *context)
{
    struct holder *holder = context;
    struct store_read_options now = { .may_wait = false };
    struct store_value value = { 0 };
    struct error err;
    enum status status = OK;

    for (int i = 0; i < 5000 && status == OK; i++) {
        status = holder->bed->ops->get(holder->bed->store, STORE_DATA, BYTES_LITERAL("a"), &now, &value, &err);
        store_value_release(&value);
        usleep(100);
    }
    holder->may_wait_answered = status == ERR_WOULD_WAIT;
    store_scan_close(holder->scan);
    return NULL;
}

static void test_resume_waits_for_readers(void **state)
{
    struct bed bed = forgetful_bed();
    struct holder holder = { &bed };
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
    enum status status;
    pthread_t thread;

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 1, "x"), OK);
    assert_int_equal(bed.ops->scan_open(bed.store, &options, &holder.scan, &bed.err), OK);
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(bed_put(&bed, "a", 2, "y"), ERR_IO);
    forgetful_fail_sync(bed.files, false);
    pthread_create(&thread, NULL, hold, &holder);
    do /* it may have waited too shortly for a machine with other things to do */
        status = bed.ops->resume(bed.store, &bed.err);
    while (status == ERR_OVERLOADED);
    assert_int_equal(status, OK);
    pthread_join(thread, NULL);
    assert_true(holder.may_wait_answered);
    assert_string_not_equal(bed_get(&bed, "a"), "");
    bed_close(&bed);
}

/* Who does not let go keeps the store from being resumed, but nobody from reading. */
static void test_resume_gives_up(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
    struct store_scan *scan;

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 1, "x"), OK);
    assert_int_equal(bed.ops->scan_open(bed.store, &options, &scan, &bed.err), OK);
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(bed_put(&bed, "a", 2, "y"), ERR_IO);
    forgetful_fail_sync(bed.files, false);
    for (int tries = 0; tries < 3; tries++) {
        assert_int_equal(bed.ops->resume(bed.store, &bed.err), ERR_OVERLOADED);
        assert_string_equal(bed_get(&bed, "a"), "x");
        assert_int_equal(bed.ops->scan_first(scan, &bed.err), OK);
        assert_true(scan->valid);
    }
    store_scan_close(scan);
    assert_int_equal(bed.ops->resume(bed.store, &bed.err), OK);
    assert_int_equal(bed_put(&bed, "a", 3, "z"), OK);
    bed_close(&bed);
}

/* ---- damage ---- */

struct named {
    const char *suffix;
    char path[128]; /* the largest file with the suffix */
    uint64_t size;
};

static void find_named(void *context, const char *path, struct bytes content)
{
    struct named *named = context;
    size_t size = strlen(path), suffix = strlen(named->suffix);

    if (size > suffix && !strcmp(path + size - suffix, named->suffix) && content.size >= named->size) {
        snprintf(named->path, sizeof(named->path), "%s", path);
        named->size = content.size;
    }
}

static struct named largest(struct bed *bed, const char *suffix)
{
    struct named named = { suffix };

    forgetful_each(bed->files, find_named, &named);
    assert_true(named.size > 0);
    return named;
}

static void fill_and_cut(struct bed *bed)
{
    bed_open(bed);
    for (int i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key%d", i);
        assert_int_equal(bed_put(bed, key, 1, "value"), OK);
    }
    forgetful_cut(bed->files);
    bed_close_store(bed);
    forgetful_restart(bed->files, false);
}

static void test_torn_tail(void **state)
{
    for (uint64_t torn = 1; torn < 60; torn += 7) {
        struct bed bed = forgetful_bed();

        fill_and_cut(&bed);
        forgetful_tear(bed.files, largest(&bed, ".log").path, torn);
        assert_int_equal(bed_open_store(&bed), OK);
        assert_string_equal(bed_get(&bed, "key97"), "value");
        assert_string_equal(bed_get(&bed, "key99"), "");
        bed_close(&bed);
    }
}

/* Bits of records, of their lengths (the high ones too), of frames' heads, of the first and the last that was synced. */
static void damage_and_open(const char *suffix, uint64_t step)
{
    struct bed bed = forgetful_bed();
    struct named file;

    fill_and_cut(&bed);
    file = largest(&bed, suffix);
    for (uint64_t at = FILE_HEADER_BYTES;
         at<file.size; at += file.size - at> 100 && at > FILE_HEADER_BYTES + 100 ? step : 1) {
        uint8_t bits = (uint8_t)(1 << at % 8);

        forgetful_damage(bed.files, file.path, at, bits);
        if (bed_open_store(&bed) != ERR_CORRUPT)
            fail_msg("%s, byte %llu", file.path, (unsigned long long)at);
        assert_non_null(strstr(bed.err.message, "is damaged at byte"));
        forgetful_damage(bed.files, file.path, at, bits);
    }
    assert_int_equal(bed_open_store(&bed), OK);
    assert_string_equal(bed_get(&bed, "key99"), "value");
    bed_close(&bed);
}

static void test_damaged_log(void **state)
{
    damage_and_open(".log", 37);
}

struct sector {
    const char *path;
    uint64_t at;
    uint8_t bytes[512];
};

static void copy_sector(void *context, const char *path, struct bytes content)
{
    struct sector *sector = context;

    if (!strcmp(path, sector->path))
        memcpy(sector->bytes, content.data + sector->at, sizeof(sector->bytes));
}

/* A sector that was never written, with others behind it: damage if it was synced, else an end. */
static void test_missing_sector(void **state)
{
    for (int no_sync = 0; no_sync < 2; no_sync++) {
        struct bed bed = forgetful_bed();
        struct named file;
        struct sector sector;

        bed.no_sync = no_sync;
        bed_open(&bed);
        for (int i = 0; i < 100; i++) {
            char key[16];

            snprintf(key, sizeof(key), "key%d", i);
            assert_int_equal(bed_put(&bed, key, 1, "value"), OK);
        }
        bed_close_store(&bed);
        file = largest(&bed, ".log");
        sector = (struct sector){ .path = file.path, .at = FILE_HEADER_BYTES + 4 * sizeof(sector.bytes) };
        assert_true(file.size > sector.at + 2 * sizeof(sector.bytes));
        forgetful_each(bed.files, copy_sector, &sector);
        for (size_t i = 0; i < sizeof(sector.bytes); i++)
            if (sector.bytes[i])
                forgetful_damage(bed.files, file.path, sector.at + i, sector.bytes[i]);
        assert_int_equal(bed_open_store(&bed), no_sync ? OK : ERR_CORRUPT);
        if (no_sync) {
            assert_string_equal(bed_get(&bed, "key9"), "value");
            assert_string_equal(bed_get(&bed, "key99"), "");
        }
        bed_close(&bed);
    }
}

static void test_damaged_manifest(void **state)
{
    damage_and_open("MANIFEST-000005", 3);
}

static void test_damaged_header(void **state)
{
    static const uint64_t places[] = { 0, 9, 20, 40, 75, 500, 4064, 4095 };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        struct bed bed = forgetful_bed();
        enum status status;

        fill_and_cut(&bed);
        forgetful_damage(bed.files, largest(&bed, ".log").path, places[i], 1);
        status = bed_open_store(&bed);
        assert_true(status == ERR_CORRUPT || status == ERR_CONFIG); /* format and key id are "not ours" */
        bed_close(&bed);
    }
}

static void test_damaged_file(void **state)
{
    struct bed bed = forgetful_bed();

    fill_and_cut(&bed);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_string_equal(bed_get(&bed, "key42"), "value");
    bed_close_store(&bed);
    forgetful_damage(bed.files, largest(&bed, ".sst").path, FILE_HEADER_BYTES + 300, 1);
    bed.ops->environment_close(bed.environment);
    open_environment(&bed);
    assert_int_equal(bed_open_store(&bed), OK);
    bool noticed = false;
    for (int i = 0; i < 100 && !noticed; i++) {
        char key[16];

        snprintf(key, sizeof(key), "key%d", i);
        noticed = !bed_get(&bed, key);
    }
    assert_true(noticed);
    assert_int_equal(bed.err.status, ERR_CORRUPT);
    assert_null(strstr(bed.err.message, "key"));
    bed_close(&bed);
}

/* Without CURRENT a directory would be a new store, and all that is in it rubbish. */
static void test_lost_current(void **state)
{
    struct bed bed = forgetful_bed();
    const struct file_ops *ops;
    uint64_t used;

    bed_open(&bed);
    ops = bed.files->ops;
    assert_int_equal(bed_put(&bed, "a", 1, "x"), OK);
    bed_close_store(&bed);
    assert_int_equal(ops->rename(bed.files, "/bed/CURRENT", "/bed/kept", &bed.err), OK);
    used = forgetful_used(bed.files);
    assert_int_equal(bed_open_store(&bed), ERR_CORRUPT);
    assert_non_null(strstr(bed.err.message, "CURRENT"));
    assert_int_equal(forgetful_used(bed.files), used);
    assert_int_equal(ops->rename(bed.files, "/bed/kept", "/bed/CURRENT", &bed.err), OK);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_string_equal(bed_get(&bed, "a"), "x");
    bed_close(&bed);
}

/* A log that was created, and then the power went: empty, or a part of its header, or zeros. */
static void test_unborn_log(void **state)
{
    static const uint64_t sizes[] = { 0, 1, 100, 4095 };

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct bed bed = forgetful_bed();
        struct file *file;
        uint8_t part[FILE_HEADER_BYTES];
        struct file_cipher cipher;

        fill_and_cut(&bed);
        assert_int_equal(file_header_make(bed.keys, true, part, &cipher, &bed.err), OK);
        assert_int_equal(bed.files->ops->open(bed.files, "/bed/000999.log", FILE_CREATE, &file, &bed.err), OK);
        assert_int_equal(file->ops->append(file, part, sizes[i], &bed.err), OK);
        file->ops->close(file);
        assert_int_equal(bed_open_store(&bed), OK);
        assert_string_equal(bed_get(&bed, "key99"), "value");
        bed_close(&bed);
    }
}

/* ---- encryption ---- */

static const char key_token[] = "0123456789abcdef-Rumpelstilzchen-key";
static const char value_token[] = "Rumpelstilzchen-value-Rumpelstilzchen";

struct search {
    unsigned files, found;
};

static void search_tokens(void *context, const char *path, struct bytes content)
{
    struct search *search = context;

    search->files++;
    search->found += content.data && (memmem(content.data, content.size, "Rumpelstilzchen", 15) != NULL ||
                                      memmem(content.data, content.size, "leveldb.Bytewise", 16) != NULL ||
                                      memmem(content.data, content.size, "helenus.merge", 13) != NULL);
}

static struct search look_for_tokens(bool plain, bool *in_log, bool *in_table)
{
    struct bed bed = { .ops = &store_rocksdb_ops, .forgetful = true, .plain = plain };
    struct search log = { 0 }, table = { 0 };

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, key_token, 1, value_token), OK);
    assert_int_equal(bed_merge(&bed, "0123456789abcdef-Rumpelstilzchen-merged", 1, value_token), OK);
    forgetful_each(bed.files, search_tokens, &log);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    bed_close_store(&bed);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, bytes_of_string(key_token), ALL, &bed.err), OK);
    forgetful_each(bed.files, search_tokens, &table);
    assert_string_equal(bed_get(&bed, key_token), value_token);
    assert_true(log.files >= 4);
    *in_log = log.found > 0;
    *in_table = table.found > 0;
    bed_close(&bed);
    return table;
}

static void test_nothing_readable(void **state)
{
    bool in_log, in_table;

    look_for_tokens(true, &in_log, &in_table);
    assert_true(in_log && in_table); /* the search finds what is there */
    look_for_tokens(false, &in_log, &in_table);
    assert_false(in_log || in_table);
}

/* On a real disk: no file but those that come through file_ops (RocksDB's LOG would not). */
static void test_no_foreign_files(void **state)
{
    struct bed bed = { .ops = &store_rocksdb_ops, .on_disk = true };
    struct dirent *entry;
    unsigned files = 0;
    DIR *dir;

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, key_token, 1, value_token), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK);
    dir = opendir(bed.directory);
    while ((entry = readdir(dir))) {
        char path[384], start[9] = { 0 };
        FILE *file;

        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "LOCK"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", bed.directory, entry->d_name);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fread(start, 1, 8, file), 8);
        assert_string_equal(start, "helenusF");
        fclose(file);
        files++;
    }
    closedir(dir);
    assert_true(files >= 5);
    bed_close(&bed);
}

static enum status other_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    memset(master, 8, KEYS_KEY_BYTES);
    return OK;
}

static void test_wrong_key(void **state)
{
    struct bed bed = forgetful_bed();
    struct keys *right, *wrong;
    struct keys_provider provider = { other_master, NULL };

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 1, "x"), OK);
    bed_close_store(&bed);
    bed.ops->environment_close(bed.environment);
    assert_int_equal(keys_open_provider(&provider, &wrong, &bed.err), OK);
    right = bed.keys;
    bed.keys = wrong;
    open_environment(&bed);
    assert_int_equal(bed_open_store(&bed), ERR_CONFIG);
    assert_non_null(strstr(bed.err.message, "master key"));
    bed.ops->environment_close(bed.environment);
    bed.keys = right;
    open_environment(&bed);
    assert_int_equal(bed_open_store(&bed), OK); /* and nothing was harmed */
    assert_string_equal(bed_get(&bed, "a"), "x");
    bed_close(&bed);
    keys_close(wrong);
}

/* A file system that looks at every file that is made: its header, and that no offset is written twice. */
struct spy {
    struct file_system base; /* first */
    struct file_system *below;
    struct keys *keys;
    pthread_mutex_t lock;
    struct file_cipher *seen; /* owned */
    size_t count;
    unsigned rewritten, headless;
};

struct spy_file {
    struct file base; /* first */
    struct spy *spy;
    struct file *below;
    bool made, has_header, cut;
};

static struct file_ops spy_ops;

static enum status spy_open(struct file_system *fs, const char *path, enum file_mode mode, struct file **result,
                            struct error *err)
{
    struct spy *spy = (struct spy *)fs;
    struct file *below;
    enum status status = spy->below->ops->open(spy->below, path, mode, &below, err);
    struct spy_file *file;

    if (status)
        return status;
    file = xcalloc(1, sizeof(*file));
    file->base.ops = &spy_ops;
    file->spy = spy;
    file->below = below;
    file->made = mode == FILE_CREATE;
    *result = &file->base;
    return OK;
}

static void spy_close(struct file *base)
{
    struct spy_file *file = (struct spy_file *)base;

    file->below->ops->close(file->below);
    free(file);
}

static enum status spy_append(struct file *base, const void *data, size_t size, struct error *err)
{
    struct spy_file *file = (struct spy_file *)base;
    struct spy *spy = file->spy;
    struct file_cipher cipher;

    pthread_mutex_lock(&spy->lock);
    if (file->made && !file->has_header) {
        file->has_header = true;
        if (size == FILE_HEADER_BYTES && file_header_read(spy->keys, data, &cipher, err) == OK) {
            spy->seen = xrealloc(spy->seen, (spy->count + 1) * sizeof(cipher));
            spy->seen[spy->count++] = cipher;
        } else
            spy->headless++;
    } else if (!file->made || file->cut)
        spy->rewritten++;
    pthread_mutex_unlock(&spy->lock);
    return file->below->ops->append(file->below, data, size, err);
}

static enum status spy_read(struct file *base, uint64_t offset, void *data, size_t size, bool may_wait, size_t *got,
                            struct error *err)
{
    struct spy_file *file = (struct spy_file *)base;

    return file->below->ops->read(file->below, offset, data, size, may_wait, got, err);
}

static enum status spy_sync(struct file *base, struct error *err)
{
    struct spy_file *file = (struct spy_file *)base;

    return file->below->ops->sync(file->below, err);
}

static enum status spy_truncate(struct file *base, uint64_t size, struct error *err)
{
    struct spy_file *file = (struct spy_file *)base;

    file->cut = true;
    return file->below->ops->truncate(file->below, size, err);
}

static enum status spy_file_size(struct file *base, uint64_t *size, struct error *err)
{
    struct spy_file *file = (struct spy_file *)base;

    return file->below->ops->file_size(file->below, size, err);
}

static void spy_prefetch(struct file *base, uint64_t offset, uint64_t size)
{
}

static void spy_expect_random(struct file *base, bool random)
{
}

static bool spy_reads_now(struct file *base)
{
    return true;
}

#define BELOW (((struct spy *)fs)->below)
static enum status spy_rename(struct file_system *fs, const char *from, const char *to, struct error *err)
{
    return BELOW->ops->rename(BELOW, from, to, err);
}
static enum status spy_remove(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->remove(BELOW, path, err);
}
static enum status spy_link(struct file_system *fs, const char *from, const char *to, struct error *err)
{
    return BELOW->ops->link(BELOW, from, to, err);
}
static enum status spy_size(struct file_system *fs, const char *path, uint64_t *size, struct error *err)
{
    return BELOW->ops->size(BELOW, path, size, err);
}
static enum status spy_modified_s(struct file_system *fs, const char *path, int64_t *seconds, struct error *err)
{
    return BELOW->ops->modified_s(BELOW, path, seconds, err);
}
static enum status spy_is_directory(struct file_system *fs, const char *path, bool *is, struct error *err)
{
    return BELOW->ops->is_directory(BELOW, path, is, err);
}
static enum status spy_make_directory(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->make_directory(BELOW, path, err);
}
static enum status spy_remove_directory(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->remove_directory(BELOW, path, err);
}
static enum status spy_sync_directory(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->sync_directory(BELOW, path, err);
}
static enum status spy_list(struct file_system *fs, const char *path, void (*name)(void *context, const char *name),
                            void *context, struct error *err)
{
    return BELOW->ops->list(BELOW, path, name, context, err);
}
static enum status spy_lock(struct file_system *fs, const char *path, struct file **lock, struct error *err)
{
    return BELOW->ops->lock(BELOW, path, lock, err); /* a file of the one below, with its own ops */
}
static void spy_unlock(struct file *lock)
{
    lock->ops->unlock(lock);
}
static enum status spy_free_bytes(struct file_system *fs, const char *path, uint64_t *bytes, struct error *err)
{
    return BELOW->ops->free_bytes(BELOW, path, bytes, err);
}

static struct file_ops spy_ops = {
    spy_open,           spy_close,    spy_append,        spy_read,         spy_sync,           spy_truncate,
    spy_file_size,      spy_prefetch, spy_expect_random, spy_reads_now,    spy_rename,         spy_remove,
    spy_link,           spy_size,     spy_modified_s,    spy_is_directory, spy_make_directory, spy_remove_directory,
    spy_sync_directory, spy_list,     spy_lock,          spy_unlock,       spy_free_bytes,
};

static int compare_ciphers(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct file_cipher));
}

static void test_no_key_twice(void **state)
{
    struct bed bed = forgetful_bed();
    struct spy spy = { .base = { &spy_ops } };
    struct file_system *below;
    struct keys *keys;

    bed_open(&bed);
    below = bed.files;
    keys = bed.keys;
    spy.below = below;
    spy.keys = keys;
    pthread_mutex_init(&spy.lock, NULL);
    bed_close_store(&bed);
    bed.ops->environment_close(bed.environment);
    bed.files = &spy.base;
    open_environment(&bed);
    for (int round = 0; spy.count < 3000; round++) {
        assert_int_equal(bed_open_store(&bed), OK);
        for (int i = 0; i < 10; i++) {
            char key[16];

            snprintf(key, sizeof(key), "k%d", i);
            assert_int_equal(bed_put(&bed, key, round, "same text every time"), OK);
            if (i % 3 == 0)
                assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
        }
        if (round % 3 == 0)
            forgetful_cut(below);
        bed_close_store(&bed);
        if (round % 3 == 0)
            forgetful_restart(below, round & 1);
    }
    assert_int_equal(spy.headless, 0);
    assert_int_equal(spy.rewritten, 0);
    qsort(spy.seen, spy.count, sizeof(*spy.seen), compare_ciphers);
    for (size_t i = 1; i < spy.count; i++) {
        assert_memory_not_equal(spy.seen[i].key, spy.seen[i - 1].key, KEYS_KEY_BYTES);
        assert_memory_not_equal(spy.seen[i].iv, spy.seen[i - 1].iv, FILE_IV_BYTES);
    }
    bed.ops->environment_close(bed.environment);
    bed.files = below;
    open_environment(&bed);
    bed_close(&bed);
    free(spy.seen);
    pthread_mutex_destroy(&spy.lock);
}

/* ---- reads that may not wait ---- */

static enum status get_status(struct bed *bed, const char *key, bool may_wait)
{
    struct store_read_options options = { .may_wait = may_wait };
    struct store_value value = { 0 };
    enum status status = bed->ops->get(bed->store, STORE_DATA, bytes_of_string(key), &options, &value, &bed->err);

    store_value_release(&value);
    return status;
}

static enum status scan_status(struct bed *bed, bool may_wait)
{
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = may_wait };
    struct store_scan *scan;
    enum status status = bed->ops->scan_open(bed->store, &options, &scan, &bed->err);

    if (status)
        return status;
    status = bed->ops->scan_first(scan, &bed->err);
    while (status == OK && scan->valid)
        status = bed->ops->scan_next(scan, &bed->err);
    store_scan_close(scan);
    return status;
}

static void test_would_wait(void **state)
{
    struct bed bed = forgetful_bed();
    char key[32];

    bed_open(&bed);
    for (int i = 0; i < 500; i++)
        assert_int_equal(bed_put(&bed, model_key(key, i), 1, "some bytes to fill a block or two with"), OK);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_int_equal(get_status(&bed, model_key(key, 7), false), OK);
    restart(&bed);
    forgetful_cold(bed.files, true);
    assert_int_equal(get_status(&bed, model_key(key, 7), false), ERR_WOULD_WAIT);
    assert_int_equal(scan_status(&bed, false), ERR_WOULD_WAIT);
    assert_int_equal(bed.ops->health(bed.store), OK);
    assert_int_equal(get_status(&bed, "0123456789abcdef-absent", false), ERR_NOT_FOUND); /* the filter knows */
    assert_int_equal(get_status(&bed, model_key(key, 7), true), OK);
    assert_int_equal(get_status(&bed, model_key(key, 7), false), OK); /* now it is in memory */
    assert_int_equal(scan_status(&bed, true), OK);
    assert_int_equal(scan_status(&bed, false), OK);
    /* Writers and background work wait whatever readers said. */
    assert_int_equal(bed_put(&bed, model_key(key, 7), 2, "more"), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK);
    restart(&bed);
    assert_int_equal(get_status(&bed, model_key(key, 7), false), ERR_WOULD_WAIT);
    forgetful_cold(bed.files, false);
    assert_int_equal(get_status(&bed, model_key(key, 7), false), OK);
    bed_close(&bed);
}

/* A key of so many operands is not merged where others wait; once they are one value, or for who may wait, it is. */
static void test_many_operands_wait(void **state)
{
    enum { OPERANDS = 9000 };
    struct bed bed = forgetful_bed();

    bed_open(&bed);
    for (int i = 0; i < OPERANDS; i++)
        assert_int_equal(bed_merge(&bed, "0123456789abcdef-hot", i, "x"), OK);
    assert_int_equal(bed_merge(&bed, "0123456789abcdef-few", 1, "x"), OK);
    assert_int_equal(get_status(&bed, "0123456789abcdef-hot", false), ERR_WOULD_WAIT);
    assert_int_equal(get_status(&bed, "0123456789abcdef-few", false), OK);
    assert_int_equal(get_status(&bed, "0123456789abcdef-hot", true), OK);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_int_equal(get_status(&bed, "0123456789abcdef-hot", false), OK);
    bed_close(&bed);
}

static void test_would_pass_by_many(void **state)
{
    enum { DELETED = 350000 };
    struct bed bed = forgetful_bed();
    struct store_batch *batch = store_batch_new();
    char key[32];

    bed_open(&bed);
    for (int i = 0; i < DELETED; i++)
        store_batch_delete(batch, STORE_DATA, bytes_of_string(model_key(key, i)));
    assert_int_equal(bed.ops->write(bed.store, batch, true, &bed.err), OK);
    assert_int_equal(bed_put(&bed, "0123456789abcdef-behind", 1, "alive"), OK);
    assert_int_equal(scan_status(&bed, false), ERR_WOULD_WAIT);
    assert_int_equal(scan_status(&bed, true), OK);
    assert_int_equal(bed.ops->health(bed.store), OK);
    store_batch_free(batch);
    bed_close(&bed);
}

/* ---- what a compaction may purge ---- */

static void test_purge_limits(void **state)
{
    struct bed bed = forgetful_bed();
    struct bytes a = BYTES_LITERAL("a"), b = BYTES_LITERAL("b");

    bed_open(&bed);
    /* The memtable holds something older than the tombstone: it stays. */
    assert_int_equal(bed_put(&bed, "a", 100, "dead"), OK);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_int_equal(bed_put(&bed, "z", 50, "x"), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, a, b, &bed.err), OK);
    assert_true(bed.last_purge.whole);
    assert_int_equal(bed.last_purge.purge_before_us, 50);
    assert_string_equal(bed_get(&bed, "a"), "dead");
    /* The same in a file that does not overlap: it goes. */
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, a, b, &bed.err), OK);
    assert_true(bed.last_purge.purge_before_us > 100);
    assert_string_equal(bed_get(&bed, "a"), "");
    /* After a crash both come back into the memtable, from the log; the compaction flushes it, so nothing lies outside. */
    assert_int_equal(bed_put(&bed, "a", 100, "dead"), OK);
    assert_int_equal(bed_put(&bed, "z", 40, "x"), OK);
    forgetful_cut(bed.files);
    bed_close_store(&bed);
    forgetful_restart(bed.files, false);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, a, b, &bed.err), OK);
    assert_string_equal(bed_get(&bed, "a"), "");
    bed_close(&bed);
}

/* What a start reads from the log lies in a memtable, where a compaction that does not touch it can't see it: a tombstone in
 * the file stays until what it covers has come to a file, too. */
static void test_purge_after_start(void **state)
{
    struct bed bed = forgetful_bed();
    struct bytes a = BYTES_LITERAL("a"), b = BYTES_LITERAL("b");

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 200, "x"), OK);
    assert_int_equal(bed_put(&bed, "k", 100, "dead"), OK);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_int_equal(bed_merge(&bed, "k", 50, "older"), OK);
    assert_string_equal(bed_get(&bed, "k"), "dead");
    bed_close_store(&bed);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, a, b, &bed.err), OK);
    assert_true(bed.last_purge.whole);
    assert_int_equal(bed.last_purge.purge_before_us, 50);
    assert_string_equal(bed_get(&bed, "k"), "dead");
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK);
    assert_string_equal(bed_get(&bed, "k"), "");
    bed_close(&bed);
}

/* A file that overlaps the compaction's, but not the range that was asked for, stays outside; what it holds is older than the
 * tombstone. A memtable keeps the tombstone until it lies at the last level. */
static void test_purge_overlapping_file(void **state)
{
    struct bed bed = forgetful_bed();
    struct bytes a = BYTES_LITERAL("a"), b = BYTES_LITERAL("b");

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 100, "dead"), OK);
    assert_int_equal(bed_put(&bed, "m", 100, "x"), OK);
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    assert_int_equal(bed_put(&bed, "k", 50, "older"), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, a, b, &bed.err), OK);
    assert_string_equal(bed_get(&bed, "a"), "dead");
    assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    bed.last_purge = (struct store_purge){ 0 };
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, a, b, &bed.err), OK);
    assert_true(bed.last_purge.whole);
    assert_int_equal(bed.last_purge.purge_before_us, 50);
    assert_string_equal(bed_get(&bed, "a"), "dead");
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK); /* now it is inside */
    assert_string_equal(bed_get(&bed, "a"), "");
    bed_close(&bed);
}

/* Files of level 0 are compacted by RocksDB itself to a level above the last, which has a value of the same key: the filter sees
 * none of them, though nothing outside is older than the tombstone. At the last level it goes. */
static void test_purge_above_last_level(void **state)
{
    struct bed bed = forgetful_bed();
    struct model model = { .random = 3 };
    struct store_properties properties;
    unsigned filtered;
    char key[32], text[49];

    bed.target_file_bytes = 4096; /* a level above the last holds four of them: the last outgrows that */
    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 200, "below"), OK);
    for (int i = 0; i < 3000; i++) {
        for (int j = 0; j < 48; j++)
            text[j] = (char)('!' + draw(&model, 90));
        text[48] = 0;
        assert_int_equal(bed_put(&bed, model_key(key, i), 200, text), OK);
    }
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK);
    filtered = bed.filtered;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(bed_put(&bed, "a", 100, "dead"), OK);
        assert_int_equal(bed_put(&bed, model_key(key, i), 200, "more"), OK);
        assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    }
    for (int i = 0; i < 1000; i++) {
        bed.ops->properties(bed.store, &properties);
        if (!properties.level0_file_count)
            break;
        usleep(10000);
    }
    assert_int_equal(properties.level0_file_count, 0);
    assert_int_equal(bed.filtered, filtered);
    assert_string_equal(bed_get(&bed, "a"), "dead");
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK);
    assert_true(bed.filtered > filtered && bed.last_purge.whole);
    assert_string_equal(bed_get(&bed, "a"), "");
    bed_close(&bed);
}

/* Tombstones, late writes, flushes and compactions at random: what a tombstone covers never comes back. Late writes are at
 * most as late as the last flush, as a gc_grace would see to. */
static void test_purge_never_revives(void **state)
{
    struct bed bed = forgetful_bed();
    struct model model = { .random = 99 };
    bool dead[20] = { 0 };
    char key[8];

    bed.write_buffer_bytes = 64 * 1024;
    bed_open(&bed);
    for (int i = 1; i < 4000; i++) {
        int k = (int)draw(&model, 20);
        /* A write and a tombstone for one key, in either order, in different memtables. */
        int64_t at = i;

        snprintf(key, sizeof(key), "k%02d", k);
        if (draw(&model, 3) == 0) {
            assert_int_equal(bed_merge(&bed, key, at - 1, "covered"), OK);
            if (draw(&model, 2))
                assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
            assert_int_equal(bed_merge(&bed, key, at, "dead"), OK);
            dead[k] = true;
        } else {
            assert_int_equal(bed_merge(&bed, key, at, "live"), OK);
            dead[k] = false;
        }
        if (draw(&model, 400) == 0)
            assert_int_equal(
                bed.ops->compact(bed.store, STORE_DATA, bytes_of_string("k05"), bytes_of_string("k15"), &bed.err), OK);
        if (draw(&model, 10) == 0) {
            const char *text = bed_get(&bed, key);

            if (dead[k])
                assert_true(!strcmp(text, "") || !strcmp(text, "dead"));
            else
                assert_string_equal(text, "live");
        }
    }
    assert_true(bed.filtered > 0);
    bed_close(&bed);
}

/* ---- the rest ---- */

static void test_shared_environment(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_options options;
    struct store *other, *again;

    bed_open(&bed);
    options = (struct store_options){ .path = "/bed2", .environment = bed.environment, .semantics = &bed.semantics };
    assert_int_equal(bed.ops->open(&options, &other, &bed.err), OK);
    assert_int_equal(bed.ops->open(&options, &again, &bed.err), ERR_IO); /* it has one holder */
    assert_int_equal(bed_put(&bed, "a", 1, "x"), OK);
    bed.ops->close(other);
    assert_int_equal(bed.ops->open(&options, &other, &bed.err), OK);
    bed.ops->close(other);
    assert_string_equal(bed_get(&bed, "a"), "x");
    bed_close(&bed);
}

/* What was written as not durable is there after an orderly end, even if the power goes then. */
static void test_not_durable(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_batch *batch = store_batch_new();
    uint64_t syncs;
    char value[64];

    bed_open(&bed);
    assert_int_equal(bed_put(&bed, "a", 1, "durable"), OK); /* the log's name is synced with the first */
    syncs = forgetful_syncs(bed.files);
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("b"), bed_value(value, 1, "not"));
    assert_int_equal(bed.ops->write(bed.store, batch, false, &bed.err), OK);
    assert_int_equal(forgetful_syncs(bed.files), syncs);
    assert_string_equal(bed_get(&bed, "b"), "not");
    bed_close_store(&bed);
    forgetful_cut(bed.files);
    forgetful_restart(bed.files, false);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_string_equal(bed_get(&bed, "b"), "not");
    store_batch_free(batch);
    bed_close(&bed);
}

static void test_remove_files(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_properties before, after;
    struct store_batch *batch = store_batch_new();
    char key[32];

    bed_open(&bed);
    for (int i = 0; i < 2000; i++) {
        char value[64], text[40];

        for (int j = 0; j < 39; j++)
            text[j] = (char)('a' + (i * 7919 + j * j * 31) % 26);
        text[39] = 0;
        store_batch_put(batch, STORE_DATA, bytes_of_string(model_key(key, i)), bed_value(value, i, text));
    }
    assert_int_equal(bed.ops->write(bed.store, batch, true, &bed.err), OK);
    assert_int_equal(bed.ops->compact(bed.store, STORE_DATA, ALL, ALL, &bed.err), OK);
    bed.ops->properties(bed.store, &before);
    assert_true(before.file_count >= 1 && before.disk_bytes > 20000);
    store_batch_clear(batch);
    store_batch_delete_range(batch, STORE_DATA, BYTES_LITERAL("0"), BYTES_LITERAL("1"));
    assert_int_equal(bed.ops->write(bed.store, batch, true, &bed.err), OK);
    assert_int_equal(bed.ops->remove_files(bed.store, STORE_DATA, BYTES_LITERAL("0"), BYTES_LITERAL("1"), &bed.err),
                     OK);
    assert_string_equal(bed_get(&bed, model_key(key, 7)), "");
    for (int i = 0; i < 100; i++) { /* files go in the background */
        bed.ops->properties(bed.store, &after);
        if (after.disk_bytes < before.disk_bytes)
            break;
        usleep(10000);
    }
    assert_true(after.disk_bytes < before.disk_bytes);
    store_batch_free(batch);
    bed_close(&bed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_crashes_without_sync),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_fail_nth),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_no_space_at_first),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_shown_is_synced),
        cmocka_unit_test(test_resume_waits_for_readers),
        cmocka_unit_test(test_resume_gives_up),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_damaged_log),
        cmocka_unit_test(test_missing_sector),
        cmocka_unit_test(test_damaged_manifest),
        cmocka_unit_test(test_damaged_header),
        cmocka_unit_test(test_damaged_file),
        cmocka_unit_test(test_lost_current),
        cmocka_unit_test(test_unborn_log),
        cmocka_unit_test(test_nothing_readable),
        cmocka_unit_test(test_no_foreign_files),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_no_key_twice),
        cmocka_unit_test(test_would_wait),
        cmocka_unit_test(test_many_operands_wait),
        cmocka_unit_test(test_would_pass_by_many),
        cmocka_unit_test(test_purge_limits),
        cmocka_unit_test(test_purge_after_start),
        cmocka_unit_test(test_purge_overlapping_file),
        cmocka_unit_test(test_purge_above_last_level),
        cmocka_unit_test(test_purge_never_revives),
        cmocka_unit_test(test_shared_environment),
        cmocka_unit_test(test_not_durable),
        cmocka_unit_test(test_remove_files),
    };

    if (argc == 4 && !strcmp(argv[1], "--child"))
        return killed_child(argv[2], atoi(argv[3]));
    if (argc > 1) /* the name of one test, or a pattern */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
