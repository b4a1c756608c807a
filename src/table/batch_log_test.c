/* Logged batches over three shards, step by step: the plug is pulled behind each, also with torn files; after the restart there is all of
 * it or nothing, and nothing of the log. What was applied is not applied again; what can't be applied now is applied later. */
#include "table/bed.h"
#include "table/batch_log.h"
#include "table/command.h"
#include "table/shard.h"

#include <poll.h>
#include <unistd.h>

enum { SHARDS = 3, STEPS = 6, DROPPED = 99 };

static struct table_bed bed = { .engine = &store_rocksdb_ops, .shards = SHARDS };
static struct table_port *port;

/* A partition of each shard. */
static uint8_t keys[SHARDS][4];

static struct bytes key_in(uint32_t shard)
{
    return bytes_of(keys[shard], 4);
}

static int64_t token_of(uint32_t shard)
{
    return token_of_partition_key(key_in(shard));
}

static void choose_keys(void)
{
    uint32_t found = 0, number = 0;

    while (found != (1 << SHARDS) - 1) {
        uint8_t key[4];
        uint32_t shard;

        store_be32(key, number++);
        shard = table_shard_of(port, token_of_partition_key(bytes_of(key, 4)));
        if (!(found & 1u << shard))
            memcpy(keys[shard], key, 4);
        found |= 1u << shard;
    }
}

static void add(struct buffer *group, uint64_t table_id, uint32_t shard, const char *value)
{
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of_string(value));
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };
    struct apply_command command = { .table_id = table_id,
                                     .partition_key = key_in(shard),
                                     .token = token_of(shard),
                                     .fragments = &fragment,
                                     .fragment_count = 1,
                                     .now_s = 1000000000,
                                     .durable = true };

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    table_group_add(group, &command);
}

static void on_done(struct table_request *request)
{
}

static enum status send(const struct buffer *group, uint32_t shard, int64_t *timestamp_us, struct error *err)
{
    struct table_request request = {
        .command = buffer_bytes(group), .token = token_of(shard), .done = on_done, .error = err
    };
    struct buffer copy CLEANUP(buffer_fini) = { 0 };

    buffer_append_bytes(&copy, buffer_bytes(group));
    bed_must(table_submit(port, &request, err), err);
    table_port_flush(port);
    while (table_port_pending(port)) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        poll(&fd, 1, 1000);
        table_port_reap(port);
        table_port_flush(port);
    }
    assert_memory_equal(copy.data, group->data, copy.size); /* commands are only read */
    *timestamp_us = request.timestamp_us;
    return request.status;
}

static void forget_kind(enum command_kind kind, uint32_t shard, int64_t timestamp_us)
{
    uint8_t command[10] = { (uint8_t)kind, COMMAND_DURABLE };
    struct error err;

    store_be64(command + 2, (uint64_t)timestamp_us);
    bed_must(table_apply_wait(port, bytes_of(command, sizeof(command)), token_of(shard), &err), &err);
}

/* The value of the batch's row in a shard; "" if there is none. */
static void read_value(uint32_t shard, char value[16])
{
    struct arena *arena = arena_new(4096);
    struct read_command command = bed_read(key_in(shard));
    struct read_result result;
    struct error err;

    *value = 0;
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    if (result.partition_count && result.partitions[0].row_count) {
        struct bytes bytes = result.partitions[0].rows[0].row->cells[0].value;

        snprintf(value, 16, "%.*s", (int)bytes.size, (const char *)bytes.data);
    }
    arena_free(arena);
}

static void demand(uint32_t shard, const char *expected)
{
    char value[16];

    read_value(shard, value);
    assert_string_equal(value, expected);
}

/* Records of the log, over all shards. */
static uint32_t records(const char *name)
{
    uint8_t lower[16] = { 0 }, upper[16] = { 0 };
    struct store_scan_options options = {
        .family = STORE_DATA, .lower = bytes_of(lower, 16), .upper = bytes_of(upper, 16), .may_wait = true
    };
    uint32_t count = 0;
    struct error err;

    memcpy(lower + 8, name, strlen(name));
    memcpy(upper, lower, 16);
    upper[15] = 0xff;
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &bed.space->shards[i];
        struct store_scan *scan;

        bed_must(shard->ops->scan_open(shard->store, &options, &scan, &err), &err);
        for (bed_must(shard->ops->scan_first(scan, &err), &err); scan->valid;
             bed_must(shard->ops->scan_next(scan, &err), &err))
            count++;
        store_scan_close(scan);
    }
    return count;
}

static void start(void)
{
    struct error err;

    bed_must(table_space_finish_batches(bed.space, &err), &err);
    port = table_port_open(bed.space);
}

static void open_bed(uint64_t seed)
{
    bed.files = bed.engine == &store_memory_ops ? NULL : forgetful_new(seed);
    bed_open(&bed);
    start();
    choose_keys();
}

static void close_bed(void)
{
    table_port_close(port);
    bed_close(&bed);
    if (bed.files)
        forgetful_free(bed.files);
}

/* Groups that write `value` to all shards; the first remembers the others. */
static void build(struct buffer groups[SHARDS], const char *value)
{
    struct bytes others[SHARDS - 1];

    for (uint32_t i = 0; i < SHARDS; i++) {
        buffer_reset(&groups[i]);
        add(&groups[i], BED_TABLE, i, value);
        if (i)
            others[i - 1] = buffer_bytes(&groups[i]);
    }
    table_group_remember(&groups[0], others, SHARDS - 1);
}

static void free_groups(struct buffer groups[SHARDS])
{
    for (uint32_t i = 0; i < SHARDS; i++)
        buffer_fini(&groups[i]);
}

static void run_steps(uint32_t steps, const char *value)
{
    struct buffer groups[SHARDS] = { 0 };
    int64_t timestamp_us = 0, given_us;
    struct error err;

    build(groups, value);
    if (steps > 0)
        bed_must(send(&groups[0], 0, &timestamp_us, &err), &err);
    for (uint32_t i = 1; i < SHARDS && i < steps; i++) {
        table_group_set_batch(&groups[i], timestamp_us);
        bed_must(send(&groups[i], i, &given_us, &err), &err);
        assert_true(given_us == timestamp_us);
    }
    if (steps > SHARDS)
        forget_kind(COMMAND_FORGET_INTENT, 0, timestamp_us);
    if (steps > SHARDS + 1)
        forget_kind(COMMAND_FORGET_MARKER, 1, timestamp_us);
    free_groups(groups);
}

static void pull_the_plug(bool torn)
{
    table_port_close(port);
    forgetful_cut(bed.files);
    bed_close_space(&bed);
    forgetful_restart(bed.files, torn);
    bed_open_space(&bed);
    start();
}

static void a_batch_is_whole_wherever_it_is_cut(void **state)
{
    for (uint32_t step = 0; step < STEPS; step++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            open_bed(seed);
            run_steps(SHARDS, "old"); /* is itself still remembered */
            run_steps(step, "new");
            pull_the_plug(seed % 2);
            for (uint32_t i = 0; i < SHARDS; i++)
                demand(i, step ? "new" : "old");
            assert_int_equal(records("batch"), 0);
            assert_int_equal(records("applied"), 0);
            close_bed();
        }
}

/* What was written after a part, and purged, does not come back with it. */
static void what_is_applied_is_not_applied_again(void **state)
{
    struct table_fragment deletion = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };
    struct error err;

    open_bed(7);
    bed.def.params.gc_grace_s = 0;
    run_steps(2, "new");
    demand(1, "new");
    demand(2, "");
    deletion.row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000000 };
    bed_must(bed_apply(port, key_in(1), &deletion, &err), &err);
    bed_must(table_flush(bed.space, &err), &err);
    bed_must(table_compact(bed.space, &err), &err);
    demand(1, "");
    pull_the_plug(false);
    demand(0, "new");
    demand(1, "");
    demand(2, "new");
    assert_int_equal(records("batch") + records("applied"), 0);
    close_bed();
    bed.def.params.gc_grace_s = 864000;
}

/* A part is refused again by its marker while the server runs, too. */
static void a_part_that_comes_twice_is_applied_once(void **state)
{
    struct buffer groups[SHARDS] = { 0 };
    int64_t timestamp_us, given_us;
    struct error err;
    uint64_t version;
    const _Atomic uint64_t *number;
    struct buffer key = { 0 };

    open_bed(8);
    build(groups, "new");
    bed_must(send(&groups[0], 0, &timestamp_us, &err), &err);
    table_group_set_batch(&groups[1], timestamp_us);
    bed_must(send(&groups[1], 1, &given_us, &err), &err);
    key_encode_partition(&key, BED_TABLE, token_of(1), key_in(1));
    buffer_append_u8(&key, KEY_ROW);
    buffer_append_bytes(&key, BYTES_LITERAL("c"));
    number =
        version_of(&bed.space->shards[1].versions, version_hash(&bed.space->shards[1].versions, buffer_bytes(&key)));
    version = atomic_load(number);
    bed_must(send(&groups[1], 1, &given_us, &err), &err);
    assert_true(atomic_load(number) == version); /* nothing was written to the row */
    assert_int_equal(records("applied"), 1);
    buffer_fini(&key);
    free_groups(groups);
    close_bed();
}

static void a_dropped_table_is_left_out(void **state)
{
    struct buffer groups[SHARDS] = { 0 };
    struct bytes others[2];
    int64_t timestamp_us;
    struct error err;

    open_bed(9);
    atomic_store(&bed.other_table, DROPPED);
    add(&groups[0], BED_TABLE, 0, "new");
    add(&groups[1], DROPPED, 1, "new");
    add(&groups[2], DROPPED, 2, "new");
    add(&groups[2], BED_TABLE, 2, "new");
    others[0] = buffer_bytes(&groups[1]);
    others[1] = buffer_bytes(&groups[2]);
    table_group_remember(&groups[0], others, 2);
    bed_must(send(&groups[0], 0, &timestamp_us, &err), &err);
    atomic_store(&bed.other_table, 0);
    pull_the_plug(false);
    demand(0, "new");
    demand(1, "");
    demand(2, "new");
    assert_int_equal(records("batch") + records("applied"), 0);
    /* Before it is remembered, it is refused, wherever the table's part is. */
    buffer_reset(&groups[0]);
    add(&groups[0], BED_TABLE, 0, "newer");
    table_group_remember(&groups[0], others, 2);
    assert_int_equal(send(&groups[0], 0, &timestamp_us, &err), ERR_STALE);
    buffer_reset(&groups[0]);
    add(&groups[0], BED_TABLE, 0, "newer");
    add(&groups[0], DROPPED, 0, "newer");
    assert_int_equal(send(&groups[0], 0, &timestamp_us, &err), ERR_STALE);
    demand(0, "new");
    /* One that may not be refused is written without it. */
    table_group_loosen(&groups[0]);
    bed_must(send(&groups[0], 0, &timestamp_us, &err), &err);
    demand(0, "newer");
    free_groups(groups);
    close_bed();
}

static void what_fails_is_finished_later(void **state)
{
    struct buffer groups[SHARDS] = { 0 };
    int64_t timestamp_us, given_us;
    struct error err;

    bed.batch_retry_ms = 50;
    open_bed(10);
    build(groups, "new");
    bed_must(send(&groups[0], 0, &timestamp_us, &err), &err);
    table_group_set_batch(&groups[1], timestamp_us);
    forgetful_fail_sync(bed.files, true);
    assert_int_equal(send(&groups[1], 1, &given_us, &err), ERR_WRITE_TIMEOUT);
    table_batch_is_unfinished(port);
    demand(2, "");
    usleep(200000); /* it is tried meanwhile, and can't */
    forgetful_fail_sync(bed.files, false);
    for (int i = 0; i < 600 && (records("batch") || records("applied")); i++) {
        atomic_fetch_add(&bed.clock_us, 1000000); /* it is old enough one day */
        usleep(50000);
    }
    for (uint32_t i = 0; i < SHARDS; i++)
        demand(i, "new");
    assert_int_equal(records("batch") + records("applied"), 0);
    free_groups(groups);
    close_bed();
    bed.batch_retry_ms = 0;
}

/* As a port does it, on both engines. */
static void a_finished_batch_leaves_nothing(void **state)
{
    struct buffer groups[SHARDS] = { 0 };
    int64_t tokens[SHARDS], timestamp_us, given_us;
    struct error err;

    open_bed(11);
    build(groups, "new");
    bed_must(send(&groups[0], 0, &timestamp_us, &err), &err);
    for (uint32_t i = 0; i < SHARDS; i++) {
        tokens[i] = token_of(i);
        if (!i)
            continue;
        table_group_set_batch(&groups[i], timestamp_us);
        bed_must(send(&groups[i], i, &given_us, &err), &err);
    }
    assert_int_equal(records("batch"), 1);
    assert_int_equal(records("applied"), SHARDS - 1);
    table_batch_forget(port, timestamp_us, tokens, SHARDS);
    table_port_close(port); /* waits for it */
    port = table_port_open(bed.space);
    assert_int_equal(records("batch") + records("applied"), 0);
    for (uint32_t i = 0; i < SHARDS; i++)
        demand(i, "new");
    free_groups(groups);
    close_bed();
}

/* A key that the other shard would refuse is refused before the batch is remembered. */
static void what_could_not_be_written_is_not_remembered(void **state)
{
    static uint8_t zeros[300000];
    struct buffer groups[2] = { 0 };
    struct table_fragment fragment = { .clustering = bytes_of(zeros, sizeof(zeros)), .row = ROW_EMPTY };
    struct bytes other;
    int64_t timestamp_us;
    struct error err;

    open_bed(13);
    for (int kind = KEY_RANGE; kind <= KEY_ROW; kind++) {
        struct apply_command command = { .table_id = BED_TABLE,
                                         .partition_key = key_in(1),
                                         .token = token_of(1),
                                         .fragments = &fragment,
                                         .fragment_count = 1 };

        buffer_reset(&groups[0]);
        buffer_reset(&groups[1]);
        fragment.kind = (uint8_t)kind;
        fragment.clustering.size =
            kind == KEY_RANGE ? 66000 : sizeof(zeros); /* a range's bounds are escaped, and two */
        fragment.clustering_end = kind == KEY_RANGE ? BYTES_LITERAL("z") : (struct bytes){ 0 };
        add(&groups[0], BED_TABLE, 0, "new");
        table_group_add(&groups[1], &command);
        other = buffer_bytes(&groups[1]);
        table_group_remember(&groups[0], &other, 1);
        assert_int_equal(send(&groups[0], 0, &timestamp_us, &err), ERR_INVALID);
        assert_int_equal(records("batch"), 0);
        demand(0, "");
    }
    buffer_fini(&groups[0]);
    buffer_fini(&groups[1]);
    close_bed();
}

/* A damaged intent stays, and is told; the others are finished. */
static void one_that_cannot_be_finished_keeps_no_other(void **state)
{
    struct store_batch *batch = store_batch_new();
    struct buffer value CLEANUP(buffer_fini) = { 0 };
    uint8_t key[BATCH_LOG_KEY_BYTES];
    struct error err;

    open_bed(14);
    batch_log_encode_intent(&value, BYTES_LITERAL("damaged"));
    store_batch_put(batch, STORE_DATA, batch_log_intent_key(1, key), buffer_bytes(&value)); /* older than all */
    bed_must(bed.space->shards[0].ops->write(bed.space->shards[0].store, batch, true, &err), &err);
    run_steps(1, "new");
    pull_the_plug(false);
    for (uint32_t i = 0; i < SHARDS; i++)
        demand(i, "new");
    assert_int_equal(records("batch"), 1);
    store_batch_free(batch);
    close_bed();
}

static void no_progress(void *context, const char *phase, uint64_t done, uint64_t total)
{
}

/* Shards are changed only when nothing is under way. */
static void an_unfinished_batch_is_not_resharded(void **state)
{
    struct table_space_options options;
    struct table_reshard reshard = { .shard_count = 2, .progress = no_progress };
    struct table_resharded sum;
    struct error err;

    open_bed(12);
    run_steps(2, "new");
    options = bed.space->options;
    options.shard_count = 0;
    table_port_close(port);
    table_space_close(bed.space);
    assert_int_equal(table_space_reshard(&options, &reshard, &sum, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "a batch is not finished"));
    bed.engine->environment_close(bed.environment);
    bed_open_space(&bed);
    start();
    for (uint32_t i = 0; i < SHARDS; i++)
        demand(i, "new");
    table_port_close(port);
    table_space_close(bed.space);
    options.store_environment = bed.environment;
    bed_must(table_space_reshard(&options, &reshard, &sum, &err), &err);
    bed.engine->environment_close(bed.environment);
    bed.shards = 2;
    bed_open_space(&bed);
    start();
    for (uint32_t i = 0; i < SHARDS; i++)
        demand(i, "new");
    close_bed();
    bed.shards = SHARDS;
}

static int on_memory(void **state)
{
    bed.engine = &store_memory_ops;
    return 0;
}

static int on_rocksdb(void **state)
{
    bed.engine = &store_rocksdb_ops;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_finished_batch_leaves_nothing, on_memory),
        cmocka_unit_test_setup(a_finished_batch_leaves_nothing, on_rocksdb),
        cmocka_unit_test(a_batch_is_whole_wherever_it_is_cut),
        cmocka_unit_test(what_is_applied_is_not_applied_again),
        cmocka_unit_test(a_part_that_comes_twice_is_applied_once),
        cmocka_unit_test(a_dropped_table_is_left_out),
        cmocka_unit_test(what_fails_is_finished_later),
        cmocka_unit_test(what_could_not_be_written_is_not_remembered),
        cmocka_unit_test(one_that_cannot_be_finished_keeps_no_other),
        cmocka_unit_test(an_unfinished_batch_is_not_resharded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
