/* One shard's disk stands still: whose rows are there waits, nobody else. Its owner goes on, reads that may not wait say so, and what
 * waited is decided on what there is when it comes. By what is answered and what is not, never by time.
 */
#include "table/bed.h"

#include <poll.h>

enum { KEYS = 40 };

static struct table_bed bed = { .engine = &store_rocksdb_ops, .shards = 2 };
static struct table_port *port;
static struct file_system *disk; /* of shard 1, below bed.files */

struct asked {
    struct table_request request;
    struct buffer command;
    struct error err;
    bool is_done;
};

static void on_done(struct table_request *request)
{
    CONTAINER_OF(request, struct asked, request)->is_done = true;
}

static struct bytes key_of(uint8_t key[4], uint32_t number)
{
    store_be32(key, number);
    return bytes_of(key, 4);
}

/* Of two shards, by the token's sign. */
static uint32_t shard_of(uint32_t number)
{
    uint8_t key[4];

    return token_of_partition_key(key_of(key, number)) >= 0;
}

static uint32_t key_in(uint32_t shard)
{
    uint32_t number = 0;

    while (shard_of(number) != shard)
        number++;
    return number;
}

static struct table_fragment row_at(struct bytes clustering)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering, .row = ROW_EMPTY };

    fragment.row.liveness.timestamp_us = TIMESTAMP_SERVER;
    return fragment;
}

static struct apply_command apply_to(struct bytes key, const struct table_fragment *fragment)
{
    return (struct apply_command){ .table_id = BED_TABLE,
                                   .partition_key = key,
                                   .token = token_of_partition_key(key),
                                   .fragments = fragment,
                                   .fragment_count = 1,
                                   .now_s = 1000000000,
                                   .durable = true };
}

static void submit(struct asked *asked, int64_t token, struct arena *arena)
{
    asked->request = (struct table_request){
        .command = buffer_bytes(&asked->command), .token = token, .done = on_done, .error = &asked->err, .arena = arena
    };
    bed_must(table_submit(port, &asked->request, &asked->err), &asked->err);
    table_port_flush(port);
}

/* INSERT of a row (clustering) IF NOT EXISTS. */
static void submit_insert(struct asked *asked, uint32_t number, struct bytes clustering, struct arena *arena)
{
    struct table_fragment fragment = row_at(clustering);
    struct cas_part part = { .clustering = clustering, .kind = CAS_IF_NOT_EXISTS };
    struct cas_command command = { .parts = &part, .part_count = 1 };
    uint8_t key[4];

    command.update = apply_to(key_of(key, number), &fragment);
    table_encode_cas(&asked->command, &command);
    submit(asked, command.update.token, arena);
}

static void submit_addition(struct asked *asked, uint32_t number, int64_t more)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("b"), .row = ROW_EMPTY };
    struct apply_command command;
    struct cell cell;
    uint8_t key[4], delta[8];

    store_be64(delta, (uint64_t)more);
    cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(delta, 8));
    cell.kind = CELL_COUNTER;
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    command = apply_to(key_of(key, number), &fragment);
    table_encode_add(&asked->command, &command);
    submit(asked, command.token, NULL);
}

static void submit_range_deletion(struct asked *asked, uint32_t number)
{
    struct table_fragment fragment = { .kind = KEY_RANGE,
                                       .clustering = BYTES_LITERAL("a"),
                                       .clustering_end = BYTES_LITERAL("c"),
                                       .start_inclusive = true,
                                       .end_inclusive = true,
                                       .row = ROW_EMPTY };
    struct apply_command command;
    uint8_t key[4];

    fragment.row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000000000 };
    command = apply_to(key_of(key, number), &fragment);
    table_encode_apply(&asked->command, &command);
    submit(asked, command.token, NULL);
}

static void await(struct asked *asked)
{
    while (!asked->is_done) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        assert_int_equal(poll(&fd, 1, 30000), 1);
        table_port_reap(port);
        table_port_flush(port);
    }
}

static void put(uint32_t number, struct bytes clustering)
{
    struct table_fragment fragment = row_at(clustering);
    struct error err;
    uint8_t key[4];

    bed_must(bed_apply(port, key_of(key, number), &fragment, &err), &err);
}

static enum status read_key(uint32_t number, bool may_wait, uint32_t *rows)
{
    struct arena *arena = arena_new(4096);
    struct read_result result = { 0 };
    uint8_t key[4];
    struct read_command command = bed_read(key_of(key, number));
    struct error err;
    enum status status = table_read(port, &command, may_wait, arena, &result, &err);

    if (status == OK)
        *rows = result.partition_count ? result.partitions[0].row_count : 0;
    arena_free(arena);
    return status;
}

static void await_standing(uint32_t count)
{
    for (int i = 0; stalling_standing(bed.files) < count; i++) {
        assert_true(i < 30000);
        usleep(1000);
    }
}

/* Every key has a row "b" in a sorted file, and nothing of it is in the store's memory. */
static void open_cold(void)
{
    struct error err;
    char shard[96];

    disk = forgetful_new(1);
    bed.files = disk;
    bed_open(&bed);
    bed_close_space(&bed);
    snprintf(shard, sizeof(shard), "%s/shard-0001", bed.directory);
    bed.files = stalling_new(disk, shard, NULL);
    bed_open_space(&bed);
    port = table_port_open(bed.space);
    for (uint32_t i = 0; i < KEYS; i++)
        put(i, BYTES_LITERAL("b"));
    bed_must(table_flush(bed.space, &err), &err);
    stalling_set(bed.files, true);
}

static void close_cold(void)
{
    table_port_close(port);
    bed_close(&bed);
    stalling_free(bed.files);
    forgetful_free(disk);
    bed.files = NULL;
}

static void reads_that_may_not_wait_say_so(void **state)
{
    uint32_t rows = 0;

    open_cold();
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_int_equal(read_key(i, false, &rows), shard_of(i) ? ERR_WOULD_WAIT : OK);
        assert_true(shard_of(i) || rows == 1);
    }
    stalling_set(bed.files, false);
    for (uint32_t i = 0; i < KEYS; i++) {
        rows = 0;
        assert_int_equal(read_key(i, true, &rows), OK);
        assert_int_equal(rows, 1);
        assert_int_equal(read_key(i, false, &rows), OK); /* it stayed in memory, and nothing of the refusal did */
        assert_int_equal(rows, 1);
    }
    close_cold();
}

static void an_owner_goes_on_while_a_condition_waits(void **state)
{
    uint32_t cold = key_in(1), warm = key_in(0), hot = cold, rows = 0;
    uint8_t key[4];
    struct arena *arena = arena_new(4096);
    struct asked condition = { 0 }, counter = { 0 }, range = { 0 }, other = { 0 };

    open_cold();
    submit_insert(&condition, cold, BYTES_LITERAL("b"), arena);
    submit_addition(&counter, cold, 5);
    submit_range_deletion(&range, cold);
    await_standing(3);
    /* The same shard, the same partition even, the same row until it is a hot one; and another shard's conditions. */
    for (int i = 0; i < 1000; i++)
        put(cold, BYTES_LITERAL("d"));
    while (++hot < KEYS && table_shard_of(port, token_of_partition_key(key_of(key, hot))) != 1)
        ;
    assert_true(hot < KEYS);
    for (int i = 0; i < 100; i++) /* what there is of it is on the disk: it is not folded now */
        put(hot, BYTES_LITERAL("b"));
    submit_insert(&other, warm, BYTES_LITERAL("b"), arena);
    await(&other);
    bed_must(other.request.status, &other.err);
    assert_false(other.request.applied);
    assert_false(condition.is_done || counter.is_done || range.is_done);
    assert_int_equal(table_space_cold_writes(bed.space, 1), 3);
    assert_int_equal(table_space_cold_writes(bed.space, 0), 0);
    stalling_set(bed.files, false);
    await(&condition);
    await(&counter);
    await(&range);
    bed_must(condition.request.status, &condition.err);
    bed_must(counter.request.status, &counter.err);
    bed_must(range.request.status, &range.err);
    assert_int_equal(read_key(cold, true, &rows), OK);
    assert_true(rows >= 1); /* d; b, if the deletion came before another */
    buffer_fini(&condition.command);
    buffer_fini(&counter.command);
    buffer_fini(&range.command);
    buffer_fini(&other.command);
    arena_free(arena);
    close_cold();
}

static void delete_row(uint32_t number, struct bytes clustering)
{
    struct table_fragment fragment = row_at(clustering);
    struct error err;
    uint8_t key[4];

    fragment.row.liveness = LIVENESS_NONE;
    fragment.row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000000000 };
    bed_must(bed_apply(port, key_of(key, number), &fragment, &err), &err);
}

/* What was acknowledged while the disk stood still came before it. */
static void a_condition_is_decided_when_it_comes_back(void **state)
{
    uint32_t cold = key_in(1), rows = 0;
    struct arena *arena = arena_new(4096);
    struct asked condition = { 0 };

    open_cold();
    submit_insert(&condition, cold, BYTES_LITERAL("b"), arena); /* it is there: only the disk knows */
    await_standing(1);
    delete_row(cold, BYTES_LITERAL("b"));
    assert_false(condition.is_done);
    stalling_set(bed.files, false);
    await(&condition);
    bed_must(condition.request.status, &condition.err);
    assert_true(condition.request.applied);
    assert_int_equal(read_key(cold, true, &rows), OK);
    assert_int_equal(rows, 1); /* its timestamp is above the deletion's */
    buffer_fini(&condition.command);
    arena_free(arena);
    close_cold();
}

/* More than there are prefetchers, of many partitions; each is answered once, and a counter counts each addition. */
static void many_wait_together(void **state)
{
    enum { MANY = 3000 };
    static struct asked asked[MANY];
    uint32_t key = key_in(1), rows;

    memset(asked, 0, sizeof(asked));
    open_cold();
    for (uint32_t i = 0; i < MANY; i++)
        submit_addition(&asked[i], shard_of(i % KEYS) ? i % KEYS : key, 1);
    for (int i = 0; table_space_cold_writes(bed.space, 1) <= 4; i++) {
        assert_true(i < 30000);
        usleep(1000);
    }
    stalling_set(bed.files, false);
    for (uint32_t i = 0; i < MANY; i++) {
        await(&asked[i]);
        bed_must(asked[i].request.status, &asked[i].err);
        buffer_fini(&asked[i].command);
    }
    assert_int_equal(table_port_pending(port), 0);
    assert_int_equal(read_key(key, true, &rows), OK);
    close_cold();
}

static enum status put_status(uint32_t number, struct error *err)
{
    struct table_fragment fragment = row_at(BYTES_LITERAL("e"));
    uint8_t key[4];

    return bed_apply(port, key_of(key, number), &fragment, err);
}

/* Who waits for the disk holds the shard's store, which failed and so can't be opened again. Both owners answer, and when the disk
 * moves all of it ends well. */
static void a_failed_store_that_is_read_holds_nobody(void **state)
{
    uint32_t cold = key_in(1), warm = key_in(0), rows;
    struct arena *arena = arena_new(4096);
    struct asked condition = { 0 };
    enum status status = ERR_WRITE_FAILURE;
    struct error err;

    open_cold();
    submit_insert(&condition, cold, BYTES_LITERAL("b"), arena);
    await_standing(1);
    forgetful_fail_sync(disk, true);
    assert_int_equal(put_status(cold, &err), ERR_WRITE_TIMEOUT);
    forgetful_fail_sync(disk, false);
    for (int i = 0; i < 20; i++) { /* over two tries at least: the first comes after a second */
        assert_int_equal(put_status(cold, &err), ERR_WRITE_FAILURE);
        bed_must(put_status(warm, &err), &err);
        usleep(100000);
    }
    assert_true(table_space_refuses_writes(bed.space, 1));
    assert_false(condition.is_done || table_space_refuses_writes(bed.space, 0));
    stalling_set(bed.files, false);
    await(&condition);
    assert_int_equal(condition.request.status,
                     ERR_WRITE_FAILURE); /* its shard refused it when it came back from the disk */
    for (int i = 0; i < 300 && status == ERR_WRITE_FAILURE; i++) {
        usleep(100000);
        status = put_status(cold, &err);
    }
    bed_must(status, &err);
    assert_int_equal(read_key(cold, true, &rows), OK);
    assert_int_equal(rows, 2); /* b, and e */
    buffer_fini(&condition.command);
    arena_free(arena);
    close_cold();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_that_may_not_wait_say_so),
        cmocka_unit_test(an_owner_goes_on_while_a_condition_waits),
        cmocka_unit_test(a_condition_is_decided_when_it_comes_back),
        cmocka_unit_test(many_wait_together),
        cmocka_unit_test(a_failed_store_that_is_read_holds_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
