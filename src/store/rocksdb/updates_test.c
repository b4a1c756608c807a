/* The log read back (updates_since) where only the durable body has something to show: crashes, kill -9, torn and damaged logs, failed
 * writes, full disks, a writer and a reader side by side. What was acknowledged comes once and in order, or an error does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/bed.h"
#include "store/rocksdb/header.h"
#include "store/rocksdb/rocksdb.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEEP_ALL = 1 << 30, SEEDS = 8 };

static struct bed forgetful_bed(void)
{
    return (struct bed){ .ops = &store_rocksdb_ops, .forgetful = true, .log_bytes_max = KEEP_ALL };
}

static struct store_updates *updates_from(struct bed *bed, uint64_t from)
{
    struct store_updates *updates;

    assert_int_equal(bed->ops->updates_since(bed->store, from, &updates, &bed->err), OK);
    return updates;
}

/* Batches have ids 1, 2, 3 ...: as log data, and as what their operations say. A batch has 1 to 12 of them, some 100 kB. */
static enum status write_id(struct bed *bed, int64_t id)
{
    struct store_batch *batch = store_batch_new();
    char key[32], value[64], text[48], id_bytes[8];
    static char large[100000];
    enum status status;

    memset(large, 'x', sizeof(large));
    store_be64(id_bytes, (uint64_t)id);
    store_batch_log_data(batch, bytes_of(id_bytes, sizeof(id_bytes)));
    snprintf(text, sizeof(text), "%lld", (long long)id);
    for (int i = 0; i <= id % 12; i++) {
        snprintf(key, sizeof(key), "0123456789abcdef-%d", i);
        store_batch_put(batch, i % 2 ? STORE_JOURNAL : STORE_DATA, bytes_of_string(key), bed_value(value, id, text));
    }
    if (id % 50 == 0)
        store_batch_log_data(batch, bytes_of(large, sizeof(large)));
    status = bed->ops->write(bed->store, batch, true, &bed->err);
    store_batch_free(batch);
    return status;
}

/* The id of the next batch; 0: the live end; -1: an error; -2: not what write_id wrote. */
static int64_t next_id(struct bed *bed, struct store_updates *updates)
{
    uint64_t before = updates->next;
    int64_t id;

    if (bed->ops->updates_next(updates, &bed->err))
        return -1;
    if (!updates->valid)
        return 0;
    id = (int64_t)load_be64(store_batch_at(updates->batch, 0).value.data);
    if (store_batch_count(updates->batch) != (size_t)(id % 12 + 2 + (id % 50 == 0)) || updates->sequence < before)
        return -2;
    for (int i = 0; i <= id % 12; i++) {
        struct store_op op = store_batch_at(updates->batch, (size_t)i + 1);

        if (op.kind != STORE_PUT || op.family != (i % 2 ? STORE_JOURNAL : STORE_DATA) ||
            load_be64(op.value.data) != (uint64_t)id)
            return -2;
    }
    return id;
}

/* The id of the last batch that the store has. */
static int64_t stored_id(struct bed *bed)
{
    const char *text = bed_get(bed, "0123456789abcdef-0");

    assert_non_null(text);
    return atoll(text);
}

static void expect_ids(struct bed *bed, struct store_updates *updates, int64_t first, int64_t last)
{
    for (int64_t id = first; id <= last; id++)
        assert_int_equal(next_id(bed, updates), id);
}

/* ---- crashes ---- */

struct archiver {
    uint64_t random;
    int64_t archived; /* ids 1 to this were read, each once and in order */
    uint64_t position;
    bool forgets; /* what it has read may go */
};

static uint32_t draw(struct archiver *archiver, uint32_t below)
{
    archiver->random = archiver->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((archiver->random >> 33) % below);
}

/* Reads up to the live end, or not as far. False: something came twice, out of order or not at all. */
static bool archive(struct bed *bed, struct archiver *archiver, bool to_the_end)
{
    struct store_updates *updates = updates_from(bed, archiver->position);
    int64_t id = 0;

    for (uint32_t left = to_the_end ? UINT32_MAX : draw(archiver, 200); left; left--) {
        id = next_id(bed, updates);
        if (id <= 0)
            break;
        if (id != archiver->archived + 1) {
            print_message("%lld after %lld\n", (long long)id, (long long)archiver->archived);
            break;
        }
        id = 0;
        archiver->archived++;
        archiver->position = updates->next;
    }
    if (id < 0 && bed->err.status == ERR_IO)
        id = 0; /* the power is off */
    else if (id < 0)
        print_message("%s\n", bed->err.message);
    store_updates_close(updates);
    if (archiver->forgets && draw(archiver, 2))
        (void)bed->ops->updates_forget(bed->store, archiver->position, &bed->err);
    return id == 0;
}

static void restart(struct bed *bed, struct archiver *archiver)
{
    forgetful_cut(bed->files);
    bed_close_store(bed);
    forgetful_restart(bed->files, draw(archiver, 2));
}

/* Writes and reads, pulls the plug in the middle of some call, starts again and compares; many times over the same files. */
static unsigned crash_rounds(uint64_t seed, unsigned rounds, bool no_sync)
{
    struct bed bed = forgetful_bed();
    struct archiver archiver = { .random = seed, .position = 1, .forgets = seed % 2 };
    int64_t acknowledged = 0;
    unsigned lost = 0;

    bed.write_buffer_bytes = 64 * 1024; /* so that logs are finished, and archived, in between */
    bed.seed = seed;
    bed.no_sync = no_sync;
    bed_open(&bed);
    for (unsigned round = 0; round < rounds && !lost; round++) {
        if (draw(&archiver, 2))
            forgetful_fail_nth(bed.files, 1 + draw(&archiver, 800), true);
        for (uint32_t writes = draw(&archiver, 400); writes && !lost; writes--) {
            if (write_id(&bed, acknowledged + 1))
                break;
            acknowledged++;
            if (draw(&archiver, 100) == 0)
                (void)bed.ops->flush(bed.store, &bed.err);
            if (draw(&archiver, 60) == 0)
                lost += !archive(&bed, &archiver, false);
        }
        lost += !archive(&bed, &archiver, false); /* also after a failure: up to what is visible */
        restart(&bed, &archiver);
        if (draw(&archiver, 4) == 0) { /* and again, while it recovers */
            forgetful_fail_nth(bed.files, 1 + draw(&archiver, 60), true);
            (void)bed_open_store(&bed);
            restart(&bed, &archiver);
        }
        if (bed_open_store(&bed)) {
            print_message("seed %llu round %u: %s\n", (unsigned long long)seed, round, bed.err.message);
            lost++;
            break;
        }
        lost += !archive(&bed, &archiver, true);
        /* The batch of unknown outcome is in the log if it is in the store. */
        lost += archiver.archived < acknowledged || archiver.archived > acknowledged + 1;
        lost += archiver.archived != stored_id(&bed);
        if (lost && !no_sync)
            print_message("seed %llu round %u: %lld acknowledged, %lld archived, %lld stored\n",
                          (unsigned long long)seed, round, (long long)acknowledged, (long long)archiver.archived,
                          (long long)stored_id(&bed));
        acknowledged = archiver.archived;
    }
    if (!lost && !archiver.forgets) { /* all of it in one go */
        archiver = (struct archiver){ .random = seed, .position = 1 };
        lost += !archive(&bed, &archiver, true) || archiver.archived != acknowledged;
    }
    bed_close(&bed);
    return lost;
}

static void test_crashes(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        assert_int_equal(crash_rounds(seed, 12, false), 0);
}

/* The test above would notice. */
static void test_crashes_without_sync(void **state)
{
    unsigned lost = 0;

    for (uint64_t seed = 1; seed <= 4; seed++)
        lost += crash_rounds(seed, 12, true) > 0;
    assert_int_equal(lost, 4);
}

/* Power goes at the nth call below the store while logs are finished and go to the archive, n = 1, 2, 3 ... until none
 * is left. A disk may keep any of the names that were not synced. */
static bool cut_at_call(uint64_t n)
{
    struct bed bed = forgetful_bed();
    struct archiver archiver = { .random = n, .position = 1 };
    int64_t acknowledged = 0;
    bool failed;

    bed.seed = n;
    bed_open(&bed);
    forgetful_fail_nth(bed.files, n, true);
    for (int logs = 0; logs < 12; logs++)
        if (write_id(&bed, acknowledged + 1) || bed.ops->flush(bed.store, &bed.err))
            break;
        else
            acknowledged++;
    bed_close_store(&bed); /* what moves logs has ended */
    failed = forgetful_failed(bed.files);
    forgetful_restart(bed.files, true);
    assert_int_equal(bed_open_store(&bed), OK);
    if (acknowledged) {
        assert_true(archive(&bed, &archiver, true));
        assert_int_equal(archiver.archived, stored_id(&bed));
        assert_true(archiver.archived >= acknowledged);
    }
    bed_close(&bed);
    return failed;
}

static void test_cut_while_logs_move(void **state)
{
    unsigned passed = 0;
    uint64_t n = 1;

    /* Background calls come in any order: it has passed when three in a row did. */
    for (; passed < 3; n++)
        passed = cut_at_call(n) ? 0 : passed + 1;
    assert_true(n > 100); /* it did cut */
}

/* A real process and a real kill -9, on the machine's files. The child is this program again. */
static int killed_child(const char *directory, int pipe_fd)
{
    struct bed bed = { .ops = &store_rocksdb_ops, .log_bytes_max = KEEP_ALL, .write_buffer_bytes = 64 * 1024 };
    struct keys_provider provider = { fixed_master, NULL };

    if (keys_open_provider(&provider, &bed.keys, &bed.err))
        return 1;
    bed.semantics = (struct store_semantics){ &bed, merge, NULL, filter, min_timestamp_us };
    snprintf(bed.directory, sizeof(bed.directory), "%s", directory);
    open_environment(&bed);
    if (bed_open_store(&bed))
        return 1;
    for (int64_t id = stored_id(&bed);;) {
        if (write_id(&bed, ++id) || write(pipe_fd, &id, sizeof(id)) != sizeof(id))
            return 1;
    }
}

static void run_and_kill(struct bed *bed, int acknowledged)
{
    int ends[2], exit_status;
    int64_t id = 0;
    char fd[12];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    snprintf(fd, sizeof(fd), "%d", ends[1]);
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "updates_test", "--child", bed->directory, fd, NULL);
        _exit(1);
    }
    close(ends[1]);
    for (int n = acknowledged; n && read(ends[0], &id, sizeof(id)) == sizeof(id); n--)
        ;
    kill(child, SIGKILL);
    waitpid(child, &exit_status, 0);
    assert_true(WIFSIGNALED(exit_status)); /* it did not end by itself */
    close(ends[0]);
}

static void test_kill(void **state)
{
    struct bed bed = { .ops = &store_rocksdb_ops, .on_disk = true, .log_bytes_max = KEEP_ALL };
    int64_t total = 0;

    bed_open(&bed);
    for (int round = 0; round < 4; round++) {
        struct store_updates *updates;

        bed_close_store(&bed);
        run_and_kill(&bed, 100 + 150 * round);
        assert_int_equal(bed_open_store(&bed), OK);
        assert_true(stored_id(&bed) >= total + 100);
        total = stored_id(&bed);
        updates = updates_from(&bed, 1);
        expect_ids(&bed, updates, 1, total);
        assert_int_equal(next_id(&bed, updates), 0);
        store_updates_close(updates);
    }
    bed_close(&bed);
}

/* ---- what was never synced ---- */

struct named {
    const char *part;
    char above[128], path[128]; /* the first path above `above` that has the part */
    uint64_t size;
};

static void find_named(void *context, const char *path, struct bytes content)
{
    struct named *named = context;

    if (!strstr(path, named->part) || strcmp(path, named->above) <= 0 ||
        (named->path[0] && strcmp(path, named->path) > 0))
        return;
    snprintf(named->path, sizeof(named->path), "%s", path);
    named->size = content.size;
}

/* The nth log, from 0, of those whose path has the part. */
static struct named find_log(struct bed *bed, const char *part, unsigned nth)
{
    struct named named = { .part = part };

    for (unsigned i = 0; i <= nth; i++) {
        memcpy(named.above, named.path, sizeof(named.above));
        named.path[0] = 0;
        forgetful_each(bed->files, find_named, &named);
        assert_true(named.path[0]);
    }
    return named;
}

/* A torn end is an end, and the log goes on behind it in another file. */
static void test_torn_tail(void **state)
{
    for (uint64_t torn = 1; torn < 100; torn += 13) {
        struct bed bed = forgetful_bed();
        struct store_updates *updates;

        bed_open(&bed);
        for (int64_t id = 1; id <= 40; id++)
            assert_int_equal(write_id(&bed, id), OK);
        forgetful_cut(bed.files);
        bed_close_store(&bed);
        forgetful_restart(bed.files, false);
        forgetful_tear(bed.files, find_log(&bed, ".log", 0).path, torn);
        assert_int_equal(bed_open_store(&bed), OK);
        for (int64_t id = 40; id <= 60; id++)
            assert_int_equal(write_id(&bed, id), OK);
        updates = updates_from(&bed, 1);
        expect_ids(&bed, updates, 1, 60);
        assert_int_equal(next_id(&bed, updates), 0);
        store_updates_close(updates);
        bed_close(&bed);
    }
}

/* Of what nobody had asked to sync a crash may take the end, and later batches have its numbers. */
static void test_lost_undurable(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_batch *batch = store_batch_new();
    struct store_updates *updates;
    uint64_t last;

    bed_open(&bed);
    for (int64_t id = 1; id <= 3; id++)
        assert_int_equal(write_id(&bed, id), OK);
    last = bed.ops->sequence(bed.store);
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("lost"), BYTES_LITERAL("12345678lost"));
    for (int i = 0; i < 5; i++)
        assert_int_equal(bed.ops->write(bed.store, batch, false, &bed.err), OK);
    updates = updates_from(&bed, last + 1);
    assert_int_equal(bed.ops->updates_next(updates, &bed.err), OK);
    assert_true(updates->valid); /* it can be read */
    store_updates_close(updates);
    forgetful_cut(bed.files);
    bed_close_store(&bed);
    forgetful_restart(bed.files, false);
    assert_int_equal(bed_open_store(&bed), OK);
    assert_string_equal(bed_get(&bed, "lost"), "");
    updates = updates_from(&bed, 1);
    expect_ids(&bed, updates, 1, 3);
    assert_int_equal(next_id(&bed, updates), 0);
    for (int64_t id = 4; id <= 6; id++)
        assert_int_equal(write_id(&bed, id), OK);
    expect_ids(&bed, updates, 4, 6);
    store_updates_close(updates);
    updates = updates_from(&bed, last + 1);
    expect_ids(&bed, updates, 4, 6);
    store_updates_close(updates);
    updates = updates_from(&bed, 2); /* the first batch has two operations */
    assert_int_equal(next_id(&bed, updates), -1);
    assert_int_equal(bed.err.status, ERR_INVALID);
    store_updates_close(updates);
    store_batch_free(batch);
    bed_close(&bed);
}

/* Numbers that no batch has are a gap and no damage: the next batch says so. RocksDB takes one for a load over keys that are there. */
static void test_gap(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_updates *updates, *later;
    struct store_load *load;
    uint64_t last;

    bed_open(&bed);
    updates = updates_from(&bed, 1);
    for (int64_t id = 1; id <= 3; id++)
        assert_int_equal(write_id(&bed, id), OK);
    last = bed.ops->sequence(bed.store);
    assert_int_equal(bed.ops->load_open(bed.store, STORE_JOURNAL, &load, &bed.err), OK);
    assert_int_equal(bed.ops->load_put(load, BYTES_LITERAL("0"), BYTES_LITERAL("12345678x"), &bed.err), OK);
    assert_int_equal(bed.ops->load_put(load, BYTES_LITERAL("1"), BYTES_LITERAL("12345678x"), &bed.err), OK);
    assert_int_equal(bed.ops->load_end(load, &bed.err), OK);
    assert_true(bed.ops->sequence(bed.store) > last);
    expect_ids(&bed, updates, 1, 3);
    assert_int_equal(next_id(&bed, updates), 0);
    later = updates_from(&bed, last + 1); /* inside the gap */
    assert_int_equal(next_id(&bed, later), 0);
    for (int64_t id = 4; id <= 6; id++)
        assert_int_equal(write_id(&bed, id), OK);
    expect_ids(&bed, updates, 4, 6);
    expect_ids(&bed, later, 4, 6);
    store_updates_close(updates);
    store_updates_close(later);
    bed_close_store(&bed);
    assert_int_equal(bed_open_store(&bed), OK);
    updates = updates_from(&bed, 1);
    expect_ids(&bed, updates, 1, 6);
    store_updates_close(updates);
    bed_close(&bed);
}

/* ---- damage ---- */

static void fill_logs(struct bed *bed)
{
    bed_open(bed);
    for (int64_t id = 1; id <= 40; id++) {
        assert_int_equal(write_id(bed, id), OK);
        if (id % 10 == 0)
            assert_int_equal(bed->ops->flush(bed->store, &bed->err), OK);
    }
    bed_close_store(bed);
}

/* Reads in order up to the damage, which lies in the second of four logs, and is told. */
static void expect_corrupt(struct bed *bed)
{
    struct store_updates *updates;
    int64_t id, read = 0;

    assert_int_equal(bed_open_store(bed), OK); /* all of it is in sorted files */
    updates = updates_from(bed, 1);
    while ((id = next_id(bed, updates)) > 0)
        assert_int_equal(id, ++read);
    assert_int_equal(id, -1);
    assert_int_equal(bed->err.status, ERR_CORRUPT);
    assert_true(read < 20);
    store_updates_close(updates);
    bed_close_store(bed);
}

static void test_damaged_log(void **state)
{
    struct bed bed = forgetful_bed();
    struct named log;

    fill_logs(&bed);
    log = find_log(&bed, "archive/", 1);
    for (uint64_t at = FILE_HEADER_BYTES; at < log.size; at += 101) {
        forgetful_damage(bed.files, log.path, at, 4);
        expect_corrupt(&bed);
        forgetful_damage(bed.files, log.path, at, 4);
    }
    bed_close(&bed);
}

static void test_missing_log(void **state)
{
    struct bed bed = forgetful_bed();

    fill_logs(&bed);
    assert_int_equal(bed.files->ops->remove(bed.files, find_log(&bed, "archive/", 1).path, &bed.err), OK);
    expect_corrupt(&bed);
    bed_close(&bed);
}

static void no_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
}

static void told_damaged(void *context, const char *file, const char *what)
{
    snprintf(context, 64, "%s", file);
}

static void any_value(void *context, enum store_family family, struct bytes key, struct bytes value)
{
}

/* A check looks at logs that are kept, too. */
static void test_check(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_options options;
    char damaged[64] = "";
    struct store_check check = { no_progress, told_damaged, any_value, damaged };
    struct named log;

    fill_logs(&bed);
    options =
        (struct store_options){ .path = bed.directory, .environment = bed.environment, .semantics = &bed.semantics };
    assert_int_equal(bed.ops->check(&options, &check, &bed.err), OK);
    assert_string_equal(damaged, "");
    log = find_log(&bed, "archive/", 0);
    forgetful_damage(bed.files, log.path, 20, 1);
    assert_int_equal(bed.ops->check(&options, &check, &bed.err), OK);
    assert_string_equal(damaged, strstr(log.path, "archive/"));
    bed_close(&bed);
}

static void search(void *context, const char *path, struct bytes content)
{
    unsigned *counts = context;

    counts[0] += strstr(path, "archive/") != NULL;
    counts[1] += content.data && memmem(content.data, content.size, "Rumpelstilzchen", 15) != NULL;
}

/* Log data is as secret as a row. */
static void test_nothing_readable(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_batch *batch = store_batch_new();
    unsigned counts[2] = { 0 };

    bed_open(&bed);
    store_batch_log_data(batch, BYTES_LITERAL("Rumpelstilzchen"));
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("a"), BYTES_LITERAL("12345678Rumpelstilzchen"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bed.ops->write(bed.store, batch, true, &bed.err), OK);
        assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    }
    forgetful_each(bed.files, search, counts);
    assert_true(counts[0] > 0);
    assert_int_equal(counts[1], 0);
    store_batch_free(batch);
    bed_close(&bed);
}

/* ---- failures ---- */

/* A failed write is not shown before the store is resumed, and then as the store has it. A reader does not hinder that. */
static void test_failed_write(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_updates *middle, *end;
    int64_t id;

    bed_open(&bed);
    for (id = 1; id <= 30; id++)
        assert_int_equal(write_id(&bed, id), OK);
    middle = updates_from(&bed, 1);
    end = updates_from(&bed, 1);
    expect_ids(&bed, middle, 1, 10);
    expect_ids(&bed, end, 1, 30);
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(write_id(&bed, 31), ERR_IO);
    assert_int_equal(next_id(&bed, end), 0);
    expect_ids(&bed, middle, 11, 20);
    forgetful_fail_sync(bed.files, false);
    assert_int_equal(bed.ops->resume(bed.store, &bed.err), OK);
    id = stored_id(&bed);
    assert_true(id == 30 || id == 31);
    assert_int_equal(write_id(&bed, id + 1), OK);
    expect_ids(&bed, middle, 21, id + 1);
    expect_ids(&bed, end, 31, id + 1);
    assert_int_equal(next_id(&bed, end), 0);
    store_updates_close(middle);
    store_updates_close(end);
    bed_close(&bed);
}

/* A batch that a full disk refused after it was written whole, and the next one: the log has what the store has. */
static void test_full_disk_once(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_updates *updates;

    bed_open(&bed);
    for (int64_t id = 1; id <= 30; id++)
        assert_int_equal(write_id(&bed, id), OK);
    forgetful_capacity(bed.files, forgetful_used(bed.files) + (1 << 28));
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(write_id(&bed, 43), ERR_NO_SPACE);
    forgetful_fail_sync(bed.files, false);
    assert_int_equal(bed.ops->resume(bed.store, &bed.err), OK);
    updates = updates_from(&bed, 1);
    expect_ids(&bed, updates, 1, 30);
    if (stored_id(&bed) == 43)
        assert_int_equal(next_id(&bed, updates), 43);
    assert_int_equal(write_id(&bed, 67), OK); /* as many operations */
    assert_int_equal(next_id(&bed, updates), 67);
    assert_int_equal(next_id(&bed, updates), 0);
    store_updates_close(updates);
    bed_close(&bed);
}

/* A full disk costs the logs that are kept, the oldest first, before it costs writes; and that is said. */
static void test_no_space(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_properties properties;
    struct store_updates *updates;
    enum status status = OK;
    int64_t id = 1, first;

    bed.write_buffer_bytes = 1 << 20;
    bed_open(&bed);
    for (; id <= 4000; id++) {
        assert_int_equal(write_id(&bed, id), OK);
        if (id % 500 == 0)
            assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    }
    forgetful_capacity(bed.files, forgetful_used(bed.files) + 20000);
    while (status == OK)
        status = write_id(&bed, id++);
    assert_int_equal(status, ERR_NO_SPACE);
    assert_int_equal(bed.ops->resume(bed.store, &bed.err), OK);
    bed.ops->properties(bed.store, &properties);
    assert_true(properties.logs_lost > 0 && bed.warnings >= properties.logs_lost);
    id = stored_id(&bed);
    assert_int_equal(write_id(&bed, ++id), OK);
    updates = updates_from(&bed, 0);
    first = next_id(&bed, updates);
    assert_true(first > 1);
    expect_ids(&bed, updates, first + 1, id);
    assert_int_equal(next_id(&bed, updates), 0);
    store_updates_close(updates);
    bed_close(&bed);
}

/* ---- side by side ---- */

struct tail {
    struct bed *bed;
    int64_t last;
    int64_t read; /* the last id that came in order */
    bool failed;
};

static void *read_tail(void *context)
{
    struct tail *tail = context;
    struct bed bed = *tail->bed; /* an error of its own */
    struct store_updates *updates = updates_from(&bed, 1);

    while (tail->read < tail->last && !tail->failed) {
        int64_t id = next_id(&bed, updates);

        if (id == 0) {
            usleep(50);
            continue;
        }
        tail->failed = id != tail->read + 1;
        tail->read++;
        if (id % 200 == 0)
            tail->failed |= bed.ops->updates_forget(bed.store, updates->next, &bed.err) != OK;
    }
    store_updates_close(updates);
    return NULL;
}

/* A reader behind the writer, while logs are finished, archived and taken away. */
static void test_tail(void **state)
{
    struct bed bed = forgetful_bed();
    struct tail tail = { .bed = &bed, .last = 6000 };
    pthread_t thread;

    bed.write_buffer_bytes = 128 * 1024;
    bed_open(&bed);
    pthread_create(&thread, NULL, read_tail, &tail);
    for (int64_t id = 1; id <= tail.last; id++) {
        assert_int_equal(write_id(&bed, id), OK);
        if (id % 100 == 0)
            assert_int_equal(bed.ops->flush(bed.store, &bed.err), OK);
    }
    pthread_join(thread, NULL);
    assert_false(tail.failed);
    assert_int_equal(tail.read, tail.last);
    bed_close(&bed);
}

/* What a load brings is not in the log, which goes on behind it. */
static void test_load(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_updates *updates;
    struct store_load *load;
    char key[32];

    bed_open(&bed);
    updates = updates_from(&bed, 1);
    for (int64_t id = 1; id <= 4; id++) {
        assert_int_equal(write_id(&bed, id), OK);
        if (id % 2)
            assert_int_equal(next_id(&bed, updates), id);
        assert_int_equal(bed.ops->load_open(bed.store, STORE_JOURNAL, &load, &bed.err), OK);
        for (int i = 0; i < 100; i++) {
            snprintf(key, sizeof(key), "load%d-%02d", (int)id, i);
            assert_int_equal(bed.ops->load_put(load, bytes_of_string(key), BYTES_LITERAL("12345678x"), &bed.err), OK);
        }
        assert_int_equal(bed.ops->load_end(load, &bed.err), OK);
        assert_int_equal(next_id(&bed, updates), id % 2 ? 0 : id);
    }
    assert_int_equal(next_id(&bed, updates), 0);
    store_updates_close(updates);
    bed_close(&bed);
}

/* A store that kept logs and shall no more gives their room back. */
static void test_kept_no_more(void **state)
{
    struct bed bed = forgetful_bed();
    struct store_properties properties;
    struct store_updates *updates;

    fill_logs(&bed);
    assert_int_equal(bed_open_store(&bed), OK);
    bed.ops->properties(bed.store, &properties);
    assert_true(properties.kept_log_bytes > 0);
    bed_close_store(&bed);
    bed.log_bytes_max = 0;
    assert_int_equal(bed_open_store(&bed), OK);
    bed.ops->properties(bed.store, &properties);
    assert_int_equal(properties.kept_log_bytes, 0);
    assert_int_equal(write_id(&bed, 41), OK);
    updates = updates_from(&bed, 1);
    assert_int_equal(next_id(&bed, updates), -1);
    assert_int_equal(bed.err.status, ERR_NOT_FOUND);
    store_updates_close(updates);
    bed_close(&bed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_crashes_without_sync),
        cmocka_unit_test(test_cut_while_logs_move),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_lost_undurable),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_damaged_log),
        cmocka_unit_test(test_missing_log),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_nothing_readable),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_full_disk_once),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_kept_no_more),
    };

    if (argc == 4 && !strcmp(argv[1], "--child"))
        return killed_child(argv[2], atoi(argv[3]));
    if (argc > 1) /* the name of one test, or a pattern */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
