/* The same data in another number of shards: every key and value of the data, the due list and the clock's bound, whatever the two
 * numbers are; and with the disk failing at the nth call, or the power going at each step, either all of the old or all of the new.
 *
 * What is there is read here by plain scans of all shards, sorted, and compared byte by byte with what was there before.
 */
#include "base/log.h"
#include "row/fragment.h"
#include "table/bed.h"
#include "table/layout.h"
#include "table/shard.h"

#include <sys/stat.h>

enum { TABLES = 5, PARTITIONS = 60, ROWS = 3 };

static struct table_bed bed = { .engine = &store_rocksdb_ops, .shards = 1 };

/* ---- ranges ---- */

static void ranges_cover_all_positions_once(void **state)
{
    for (uint32_t count = 1; count <= 1024; count += count < 70 ? 1 : 53) {
        uint64_t next = 0;

        for (uint32_t shard = 0; shard < count; shard++) {
            uint64_t first = shard_first_position(count, shard), last = shard_last_position(count, shard);

            assert_true(first == next && first <= last);
            assert_int_equal(shard_of_position(count, first), shard);
            assert_int_equal(shard_of_position(count, last), shard);
            next = last + 1;
        }
        assert_true(next == 0); /* behind the last position of all */
    }
}

static void directories_have_names_of_their_generation(void **state)
{
    char name[SHARD_NAME_MAX];

    layout_shard_name(0, 3, name);
    assert_string_equal(name, "shard-0003");
    layout_shard_name(12, 1023, name);
    assert_string_equal(name, "shard-1023.12");
}

/* ---- what is there ---- */

struct record {
    struct buffer key, value;
};
struct records {
    struct record *at;
    size_t count;
    int64_t clock_bound_us; /* the greatest of all shards */
};

static int by_key(const void *a, const void *b)
{
    return bytes_compare(buffer_bytes(&((const struct record *)a)->key),
                         buffer_bytes(&((const struct record *)b)->key));
}

static void add_record(struct records *records, uint32_t shard, struct bytes key, struct bytes value)
{
    bool is_own = load_be64(key.data) == 0;
    struct record *record;

    if (is_own && !memcmp(key.data + 8, "clock", 6)) {
        if ((int64_t)load_be64(value.data) > records->clock_bound_us)
            records->clock_bound_us = (int64_t)load_be64(value.data);
        return;
    }
    /* A due entry: 0 (8) | "due" 00 (4) | table (8) | second (8) | token ... */
    assert_int_equal(shard_of_position(bed.space->shard_count, load_be64(key.data + (is_own ? 28 : 8))), shard);
    records->at = xrealloc(records->at, (records->count + 1) * sizeof(*records->at));
    record = &records->at[records->count++];
    *record = (struct record){ 0 };
    buffer_append_bytes(&record->key, key);
    buffer_append_bytes(&record->value, value);
}

static struct records read_all(void)
{
    struct records records = { .clock_bound_us = INT64_MIN };
    struct error err;

    for (uint32_t i = 0; i < bed.space->shard_count; i++) {
        struct shard *shard = &bed.space->shards[i];
        struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
        struct store_scan *scan;

        bed_must(shard->ops->scan_open(shard->store, &options, &scan, &err), &err);
        bed_must(shard->ops->scan_first(scan, &err), &err);
        while (scan->valid) {
            add_record(&records, i, scan->key, scan->value);
            bed_must(shard->ops->scan_next(scan, &err), &err);
        }
        store_scan_close(scan);
    }
    qsort(records.at, records.count, sizeof(*records.at), by_key);
    return records;
}

static void free_records(struct records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        buffer_fini(&records->at[i].key);
        buffer_fini(&records->at[i].value);
    }
    free(records->at);
}

static void all_is_as_before(const struct records *before)
{
    struct records now = read_all();

    assert_int_equal(now.count, before->count);
    for (size_t i = 0; i < now.count; i++) {
        assert_true(bytes_equal(buffer_bytes(&now.at[i].key), buffer_bytes(&before->at[i].key)));
        assert_true(bytes_equal(buffer_bytes(&now.at[i].value), buffer_bytes(&before->at[i].value)));
    }
    assert_true(now.clock_bound_us == before->clock_bound_us);
    free_records(&now);
}

/* ---- data ---- */

/* Tokens at the edges of every range that a test uses, and any. */
static int64_t some_token(uint64_t *random)
{
    static const uint32_t counts[] = { 1, 2, 3, 5, 7, 8 };
    uint32_t count = counts[bed_below(random, ARRAY_SIZE(counts))], shard = bed_below(random, count);
    uint64_t position;

    switch (bed_below(random, 3)) {
    case 0: position = shard_first_position(count, shard); break;
    case 1: position = shard_last_position(count, shard); break;
    default: position = bed_random(random) << 16 ^ bed_random(random);
    }
    return (int64_t)(position ^ (UINT64_C(1) << 63));
}

/* Rows of several tables, as operands and as values, straight into the stores: tokens may be what no key has. */
static void put_rows(uint64_t *random, struct store_batch **batches)
{
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        struct key_parts parts = { .table_id = 1 + bed_below(random, TABLES) * 1000, .kind = KEY_ROW };
        uint8_t name[8], value[64] = { 0 };

        parts.token = some_token(random);
        store_be64(name, bed_random(random));
        parts.partition_key = bytes_of(name, bed_below(random, 8));
        for (uint32_t row = 0; row < ROWS; row++) {
            struct store_batch *batch = batches[shard_of_token(bed.space, parts.token)];
            struct cell cell = bed_cell(BED_VALUE, (int64_t)bed_below(random, 1000), bytes_of(value, sizeof(value)));
            struct row content = ROW_EMPTY;
            struct buffer key = { 0 }, fragment = { 0 };

            store_be64(value, bed_random(random));
            content.cells = &cell;
            content.cell_count = 1;
            parts.clustering = bytes_of("abc", 1 + bed_below(random, 3));
            key_encode(&key, &parts);
            fragment_encode(&fragment, &content);
            if (bed_below(random, 2))
                store_batch_merge(batch, STORE_DATA, buffer_bytes(&key), buffer_bytes(&fragment));
            else
                store_batch_put(batch, STORE_DATA, buffer_bytes(&key), buffer_bytes(&fragment));
            buffer_fini(&key);
            buffer_fini(&fragment);
        }
    }
}

/* A table is dropped by order of writing: what lay under it must not come back. */
static void drop_table(struct store_batch *batch, uint64_t table_id)
{
    uint8_t first[8], end[8];

    store_be64(first, table_id);
    store_be64(end, table_id + 1);
    store_batch_delete_range(batch, STORE_DATA, bytes_of(first, 8), bytes_of(end, 8));
}

static void write_stores(uint64_t *random, bool drops)
{
    uint32_t count = bed.space->shard_count;
    struct store_batch **batches = xcalloc(count, sizeof(*batches));
    struct error err;

    for (uint32_t i = 0; i < count; i++)
        batches[i] = store_batch_new();
    put_rows(random, batches);
    for (uint32_t i = 0; i < count; i++) {
        struct shard *shard = &bed.space->shards[i];

        if (drops)
            drop_table(batches[i], 1001);
        bed_must(shard->ops->write(shard->store, batches[i], true, &err), &err);
        store_batch_free(batches[i]);
    }
    free(batches);
}

/* By the owners: deletions of partitions and ranges, which are due one day, and the clock. */
static void delete_some(uint64_t *random)
{
    struct table_port *port = table_port_open(bed.space);
    struct error err;

    for (uint32_t i = 0; i < PARTITIONS; i++) {
        struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
        uint8_t key[8];

        store_be64(key, bed_random(random));
        fragment.row.deletion = (struct deletion){ 1 + bed_below(random, 1000), 1000000 + bed_below(random, 1000) };
        if (bed_below(random, 2)) {
            fragment.kind = KEY_RANGE;
            fragment.clustering = BYTES_LITERAL("b");
            fragment.start_inclusive = true;
        }
        bed_must(bed_apply(port, bytes_of(key, 8), &fragment, &err), &err);
    }
    table_port_close(port);
}

static void fill(uint64_t seed)
{
    struct error err;

    write_stores(&seed, false);
    delete_some(&seed);
    bed_must(table_flush(bed.space, &err), &err);
    write_stores(&seed, true);
    write_stores(&seed, false); /* some in the log only */
}

/* ---- to another number ---- */

struct steps {
    const char *cut_at;   /* the power goes there; NULL: nowhere */
    uint64_t switch_call; /* so many calls after "compared" one fails; 0: none */
    uint32_t built;
};

static void reached(void *context, const char *step)
{
    struct steps *steps = context;

    steps->built += !strcmp(step, "built");
    if (steps->cut_at && !strcmp(step, steps->cut_at))
        forgetful_cut(bed.files);
    if (steps->switch_call && !strcmp(step, "compared"))
        forgetful_fail_nth(bed.files, steps->switch_call, false);
}

static enum status reshard(uint32_t count, struct steps *steps, struct table_resharded *sum, struct error *err)
{
    struct store_environment_options environment = {
        .files = bed.files, .keys = bed.keys, .cache_bytes = 8 << 20, .clock = &bed.clock
    };
    struct table_space_options options = { .directory = bed.directory, .files = bed.files, .store = bed.engine };
    struct table_reshard asked = { .shard_count = count, .reached = reached, .context = steps };
    enum status status = bed.engine->environment_open(&environment, &options.store_environment, err);

    if (status)
        return status;
    status = table_space_reshard(&options, &asked, sum, err);
    bed.engine->environment_close(options.store_environment);
    return status;
}

static uint32_t count_strays(void)
{
    struct layout layout;
    uint32_t count = 0;
    struct error err;

    bed_must(layout_read(bed.files ? bed.files : file_system_posix(), bed.directory, &layout, &err), &err);
    bed_must(layout_strays(bed.files ? bed.files : file_system_posix(), bed.directory, &layout, false, &count, &err),
             &err);
    return count;
}

static void everything_moves(void **state)
{
    static const uint32_t from[] = { 1, 2, 3, 8 }, to[] = { 1, 2, 5, 8, 7, 64 };

    for (uint32_t i = 0; i < ARRAY_SIZE(from); i++) {
        struct records before;

        bed.shards = from[i];
        bed_open(&bed);
        fill(4711 + i);
        before = read_all();
        assert_true(before.count > 300 && before.clock_bound_us > 0);
        for (uint32_t j = 0; j < ARRAY_SIZE(to); j++) {
            struct table_resharded sum;
            struct steps steps = { 0 };
            struct error err;

            bed_close_space(&bed);
            bed_must(reshard(to[j], &steps, &sum, &err), &err);
            assert_int_equal(sum.shard_count_before, bed.shards);
            assert_int_equal(sum.value_count, before.count);
            assert_int_equal(steps.built, to[j]);
            assert_int_equal(count_strays(), 0);
            bed.shards = to[j];
            bed_open_space(&bed);
            all_is_as_before(&before);
        }
        free_records(&before);
        bed_close(&bed);
    }
}

/* What was copied is written, compacted and read as any. */
static void life_goes_on(void **state)
{
    struct steps steps = { 0 };
    struct table_resharded sum;
    struct records before, after;
    struct error err;
    uint64_t random = 99;

    bed.shards = 2;
    bed_open(&bed);
    fill(5);
    bed_close_space(&bed);
    bed_must(reshard(3, &steps, &sum, &err), &err);
    bed.shards = 3;
    bed_open_space(&bed);
    delete_some(&random);
    write_stores(&random, false);
    before = read_all();
    bed_must(table_flush(bed.space, &err), &err);
    bed_must(table_compact(bed.space, &err), &err);
    bed_close_space(&bed);
    bed_open_space(&bed);
    after = read_all();
    assert_int_equal(after.count,
                     before.count); /* tables unknown to the bed are not purged, and its own is within its grace */
    assert_true(after.clock_bound_us >= before.clock_bound_us);
    free_records(&before);
    free_records(&after);
    bed_close(&bed);
}

/* ---- failures ---- */

static void new_disk(uint64_t seed, uint32_t shards, struct records *before)
{
    bed.files = forgetful_new(seed);
    bed.shards = shards;
    bed_open(&bed);
    fill(seed);
    *before = read_all();
    bed_close_space(&bed);
}

static void forget_disk(struct records *before)
{
    free_records(before);
    bed_close(&bed);
    forgetful_free(bed.files);
    bed.files = NULL;
}

/* Power comes back, a server starts. */
static uint32_t restart(bool torn, const struct records *before)
{
    uint32_t count;

    forgetful_cut(bed.files);
    forgetful_restart(bed.files, torn);
    bed.shards = 0;
    bed_open_space(&bed);
    count = bed.space->shard_count;
    all_is_as_before(before);
    assert_int_equal(count_strays(), 0);
    return count;
}

static void a_power_cut_at_each_step_leaves_old_or_new(void **state)
{
    static const struct {
        const char *step;
        uint32_t count;
    } steps[] = { { "begun", 3 },    { "loaded", 3 },   { "built", 3 },
                  { "compared", 3 }, { "switched", 5 }, { "removed", 5 } };

    for (uint32_t i = 0; i < ARRAY_SIZE(steps); i++)
        for (int torn = 0; torn < 2; torn++) {
            struct steps cut = { .cut_at = steps[i].step };
            struct table_resharded sum;
            struct records before;
            struct error err;

            new_disk(100 + i, 3, &before);
            assert_int_equal(reshard(5, &cut, &sum, &err) == OK, steps[i].count == 5);
            assert_int_equal(restart(torn, &before), steps[i].count);
            forget_disk(&before);
        }
}

/* A server starts without a power cut in between, and then comes one: what it removed was not needed. */
static void start_at_once(bool torn, const struct records *before)
{
    uint32_t count;

    bed.shards = 0;
    bed_open_space(&bed);
    count = bed.space->shard_count;
    all_is_as_before(before);
    bed_close_space(&bed);
    assert_int_equal(restart(torn, before), count);
    bed_close_space(&bed);
}

/* The nth call of the disk fails, alone or with all behind it; n grows until there is no nth. What was a failure to the operator has
 * changed nothing that can be seen; what was not is done. */
static void a_failing_disk_leaves_old_or_new(void **state)
{
    uint32_t from = 2, to = 3, failures = 0, done = 0;
    struct records before;

    new_disk(7, from, &before);
    for (uint64_t n = 1;; n += 1 + n / 12) {
        bool sticky = n & 1, failed, torn = n & 2;
        struct steps steps = { 0 };
        struct table_resharded sum;
        enum status status;
        struct error err;
        uint32_t count;

        forgetful_fail_nth(bed.files, n, sticky);
        status = reshard(to, &steps, &sum, &err);
        failed = forgetful_failed(bed.files);
        forgetful_fail_nth(bed.files, 0, false);
        if (n % 3 == 0)
            start_at_once(torn, &before);
        count = restart(torn, &before);
        assert_true(status ? count == from || count == to : count == to);
        failures += status != OK;
        done += status == OK;
        if (count == to) { /* and back */
            to = from;
            from = count;
        }
        if (!failed)
            break;
        bed_close_space(&bed);
    }
    assert_true(failures > 20 && done > 0);
    forget_disk(&before);
}

/* As a server does, on a disk that may fail. */
static void try_to_start(void)
{
    struct store_environment_options environment = {
        .files = bed.files, .keys = bed.keys, .cache_bytes = 8 << 20, .clock = &bed.clock
    };
    struct table_space_options options = { .directory = bed.directory,
                                           .files = bed.files,
                                           .store = bed.engine,
                                           .table_by_id = bed_table_by_id,
                                           .context = &bed,
                                           .clock = &bed.clock };
    struct table_space *space;
    struct error err;

    bed_must(bed.engine->environment_open(&environment, &options.store_environment, &err), &err);
    if (table_space_open(&options, &space, &err) == OK)
        table_space_close(space);
    bed.engine->environment_close(options.store_environment);
}

/* SHARDS has its new name, but the sync of that name failed: nobody knows what the disk has. Then a server starts, removes what it takes
 * for strays, and is cut short at its nth call. */
static void a_switch_of_unknown_outcome_loses_nothing(void **state)
{
    enum { SYNC_OF_THE_NAME = 5 }; /* open, append, sync, rename, sync the directory */

    for (uint64_t n = 1; n < 30; n++) {
        struct steps steps = { .switch_call = SYNC_OF_THE_NAME };
        struct table_resharded sum;
        struct records before;
        struct layout layout;
        struct error err;

        new_disk(300 + n, 2, &before);
        assert_int_equal(reshard(3, &steps, &sum, &err), ERR_IO);
        bed_must(layout_read(bed.files, bed.directory, &layout, &err), &err);
        assert_int_equal(layout.shard_count, 3);
        forgetful_fail_nth(bed.files, n, true);
        try_to_start();
        forgetful_fail_nth(bed.files, 0, false);
        restart(true, &before);
        forget_disk(&before);
    }
}

static void without_space_nothing_begins(void **state)
{
    struct steps steps = { 0 };
    struct table_resharded sum;
    struct records before;
    struct error err;

    new_disk(8, 2, &before);
    forgetful_capacity(bed.files, forgetful_used(bed.files) + (1 << 20));
    assert_int_equal(reshard(4, &steps, &sum, &err), ERR_NO_SPACE);
    assert_non_null(strstr(err.message, "MB are free"));
    assert_int_equal(steps.built, 0);
    forgetful_capacity(bed.files, UINT64_MAX);
    assert_int_equal(restart(false, &before), 2);
    forget_disk(&before);
}

/* ---- what is not guessed ---- */

static void a_record_of_unknown_kind_is_not_moved(void **state)
{
    struct steps steps = { 0 };
    struct table_resharded sum;
    struct store_batch *batch = store_batch_new();
    uint8_t key[16] = { 0 };
    struct error err;

    bed.shards = 2;
    bed_open(&bed);
    memcpy(key + 8, "secret", 6);
    store_batch_put(batch, STORE_DATA, bytes_of(key, 16), BYTES_LITERAL("?"));
    bed_must(bed.space->shards[0].ops->write(bed.space->shards[0].store, batch, true, &err), &err);
    store_batch_free(batch);
    bed_close_space(&bed);
    assert_int_equal(reshard(3, &steps, &sum, &err), ERR_CORRUPT);
    assert_int_equal(count_strays(), 0);
    bed_open_space(&bed);
    assert_int_equal(bed.space->shard_count, 2);
    bed_close(&bed);
}

static void shards_without_their_number_are_not_begun_anew(void **state)
{
    struct table_space_options options = {
        .store = bed.engine, .table_by_id = bed_table_by_id, .context = &bed, .clock = &bed.clock
    };
    struct table_space *space;
    char path[128];
    struct error err;

    bed.shards = 2;
    bed_open(&bed);
    snprintf(path, sizeof(path), "%s/SHARDS", bed.directory);
    assert_int_equal(unlink(path), 0);
    bed_close_space(&bed);
    options.directory = bed.directory;
    assert_int_equal(table_space_open(&options, &space, &err), ERR_CORRUPT);
    assert_int_equal(access(path, F_OK), -1);
    bed_must(layout_write(file_system_posix(), bed.directory, &(struct layout){ 2, 0 }, &err), &err);
    bed_open_space(&bed);
    bed_close(&bed);
}

/* One damaged digit of SHARDS, and all shards would be strays. */
static void a_wrong_generation_removes_nothing(void **state)
{
    struct table_space_options options = {
        .store = bed.engine, .table_by_id = bed_table_by_id, .context = &bed, .clock = &bed.clock
    };
    struct file_system *files = file_system_posix();
    const struct layout right = { 2, 0 }, wrong = { 2, 7 };
    struct table_space *space;
    struct error err;
    uint32_t count;

    bed.shards = 2;
    bed_open(&bed);
    bed_close_space(&bed);
    options.directory = bed.directory;
    bed_must(layout_write(files, bed.directory, &wrong, &err), &err);
    assert_int_equal(table_space_open(&options, &space, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "shard-0000.7"));
    bed_must(layout_strays(files, bed.directory, &wrong, false, &count, &err), &err);
    assert_int_equal(count, 2);
    bed_must(layout_write(files, bed.directory, &right, &err), &err);
    bed_open_space(&bed);
    bed_close(&bed);
}

static void is_refused(const char *says)
{
    struct table_space_options options = { .directory = bed.directory,
                                           .store = bed.engine,
                                           .table_by_id = bed_table_by_id,
                                           .context = &bed,
                                           .clock = &bed.clock };
    struct table_space *space;
    struct error err;

    assert_int_equal(table_space_open(&options, &space, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, says));
}

/* Its disk is not mounted, or its files were removed: it does not begin anew, and nothing of the others is touched. */
static void a_shard_that_is_gone_is_not_begun_anew(void **state)
{
    char path[128], aside[128];
    struct records before;

    bed.shards = 3;
    bed_open(&bed);
    fill(3);
    before = read_all();
    bed_close_space(&bed);
    snprintf(path, sizeof(path), "%s/shard-0001", bed.directory);
    snprintf(aside, sizeof(aside), "%s/aside", bed.directory);
    assert_int_equal(rename(path, aside), 0);
    is_refused("shard-0001 is missing or empty");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(mkdir(path, 0700), 0);
    is_refused("shard-0001 is missing or empty");
    assert_int_equal(rmdir(path), 0); /* and is empty still */
    assert_int_equal(rename(aside, path), 0);
    bed_open_space(&bed);
    all_is_as_before(&before);
    free_records(&before);
    bed_close(&bed);
}

/* A first start that ended anywhere goes on, whatever shards it has made. */
static void an_unfinished_first_start_goes_on(void **state)
{
    struct file_system *files = file_system_posix();
    struct table_check check = { .damaged = NULL };
    struct table_checked sum;
    struct table_space_options options = {
        .store = bed.engine, .table_by_id = bed_table_by_id, .context = &bed, .clock = &bed.clock
    };
    struct table_reshard wish = { .shard_count = 5 };
    struct table_resharded done;
    struct layout layout;
    char command[256];
    struct error err;

    bed.shards = 3;
    bed_open(&bed);
    bed_must(layout_read(files, bed.directory, &layout, &err), &err);
    assert_int_equal(layout.shard_count, 3);
    assert_false(layout.unfinished);
    bed_close_space(&bed);
    options.directory = bed.directory;
    snprintf(command, sizeof(command), "rm -r '%s/shard-0002' '%s/shard-0001' && mkdir '%s/shard-0001'", bed.directory,
             bed.directory, bed.directory);
    assert_int_equal(system(command), 0);
    bed_must(layout_write(files, bed.directory, &(struct layout){ 3, 0, true }, &err), &err);
    assert_int_equal(table_space_check(&options, &check, &sum, &err), ERR_CONFIG);
    assert_int_equal(table_space_reshard(&options, &wish, &done, &err), ERR_CONFIG);
    bed_open_space(&bed);
    bed_must(layout_read(files, bed.directory, &layout, &err), &err);
    assert_int_equal(layout.shard_count, 3);
    assert_false(layout.unfinished);
    fill(3);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_cover_all_positions_once),
        cmocka_unit_test(directories_have_names_of_their_generation),
        cmocka_unit_test(everything_moves),
        cmocka_unit_test(life_goes_on),
        cmocka_unit_test(a_power_cut_at_each_step_leaves_old_or_new),
        cmocka_unit_test(a_failing_disk_leaves_old_or_new),
        cmocka_unit_test(a_switch_of_unknown_outcome_loses_nothing),
        cmocka_unit_test(without_space_nothing_begins),
        cmocka_unit_test(a_record_of_unknown_kind_is_not_moved),
        cmocka_unit_test(shards_without_their_number_are_not_begun_anew),
        cmocka_unit_test(a_wrong_generation_removes_nothing),
        cmocka_unit_test(a_shard_that_is_gone_is_not_begun_anew),
        cmocka_unit_test(an_unfinished_first_start_goes_on),
    };

    log_set_level(LOG_LEVEL_NONE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
