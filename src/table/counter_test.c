/* Counters on the owner, on both engines: thousands of additions in flight are all counted, whatever turns they meet and whatever is
 * deleted between them, as a plain sum says; a hot counter is written once a turn; a command that fails takes no other's numbers.
 */
#include "row/counter.h"
#include "table/bed.h"
#include "table/shard.h"

#include <poll.h>

enum { ROWS = 6, COMMANDS = 3000, BURST = 1500 };

static struct table_bed bed = { .shards = 1 };
static struct store_ops counting_ops;
static const struct store_ops *counted;
static uint32_t put_count, turn_count, done, refused;

static enum status count_and_write(struct store *store, const struct store_batch *batch, bool durable,
                                   struct error *err)
{
    turn_count++;
    for (size_t i = 0; i < store_batch_count(batch); i++)
        put_count += load_be64(store_batch_at(batch, i).key.data) == BED_TABLE;
    return counted->write(store, batch, durable, err);
}

struct write {
    struct table_request request;
    struct buffer command;
    struct error err;
};

static void on_done(struct table_request *request)
{
    refused += request->status != OK;
    done++;
}

static struct cell number(uint8_t bytes[8], int64_t delta)
{
    store_be64(bytes, (uint64_t)delta);
    return (struct cell){ .column_id = BED_VALUE,
                          .kind = CELL_COUNTER,
                          .timestamp_us = TIMESTAMP_SERVER,
                          .local_s = TIME_NONE,
                          .value = bytes_of(bytes, 8) };
}

static void submit(struct table_port *port, struct write *write, const struct table_fragment *fragments, uint32_t count)
{
    struct bytes key = BYTES_LITERAL("k");
    struct apply_command command = { .table_id = BED_TABLE,
                                     .partition_key = key,
                                     .token = token_of_partition_key(key),
                                     .fragments = fragments,
                                     .fragment_count = count,
                                     .now_s = 1000000000,
                                     .durable = true };

    buffer_reset(&write->command);
    table_encode_add(&write->command, &command);
    write->request = (struct table_request){ .done = on_done, .error = &write->err, .token = command.token };
    write->request.command = buffer_bytes(&write->command);
    bed_must(table_submit(port, &write->request, &write->err), &write->err);
}

static void wait_for(struct table_port *port, uint32_t count)
{
    table_port_flush(port);
    while (done < count) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        poll(&fd, 1, 100);
        table_port_reap(port);
        table_port_flush(port);
    }
}

/* What readers see of the row "0", "1" ...; none: 0. */
static void read_all(struct table_port *port, int64_t totals[ROWS])
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct read_command command = bed_read(BYTES_LITERAL("k"));
    struct read_result result;
    struct error err;

    memset(totals, 0, sizeof(*totals) * ROWS);
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    for (uint32_t i = 0; result.partition_count && i < result.partitions[0].row_count; i++) {
        const struct read_row *row = &result.partitions[0].rows[i];

        assert_int_equal(row->row->cell_count, 1);
        totals[row->clustering.data[0] - '0'] = counter_total(row->row->cells[0].value);
    }
}

static void open_bed(const struct store_ops *engine)
{
    counted = engine;
    counting_ops = *engine;
    counting_ops.write = count_and_write;
    bed.engine = &counting_ops;
    bed_open(&bed);
    done = refused = 0;
}

static void all_is_counted(const struct store_ops *engine)
{
    static struct write writes[COMMANDS];
    static const char names[] = "012345";
    int64_t want[ROWS] = { 0 }, got[ROWS];
    struct table_port *port;
    unsigned seed = 77;

    open_bed(engine);
    port = table_port_open(bed.space);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        struct table_fragment fragments[3] = { 0 };
        struct cell cells[3];
        uint8_t deltas[3][8];
        uint32_t count = 1 + (uint32_t)rand_r(&seed) % 3;

        if (i % 500 == 250) { /* of a range; what was counted since the last one must be right first */
            wait_for(port, i);
            read_all(port, got);
            assert_memory_equal(got, want, sizeof(want));
            fragments[0] = (struct table_fragment){ .kind = KEY_RANGE,
                                                    .clustering = BYTES_LITERAL("2"),
                                                    .clustering_end = BYTES_LITERAL("3"),
                                                    .start_inclusive = true,
                                                    .end_inclusive = true };
            fragments[0].row = ROW_EMPTY;
            fragments[0].row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000000000 };
            submit(port, &writes[i], fragments, 1);
            wait_for(port, i + 1);
            want[2] = want[3] = 0;
            continue;
        }
        for (uint32_t f = 0; f < count; f++) {
            uint32_t row = (uint32_t)rand_r(&seed) % ROWS;
            int64_t delta = rand_r(&seed) % 2001 - 1000;

            fragments[f] = (struct table_fragment){ .kind = KEY_ROW, .clustering = bytes_of(&names[row], 1) };
            fragments[f].row = ROW_EMPTY;
            if (count == 1 && rand_r(&seed) % 20 == 0) { /* alone: what it covers has an older timestamp */
                fragments[f].row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000000000 };
                want[row] = 0;
                continue;
            }
            cells[f] = number(deltas[f], delta);
            fragments[f].row.cells = &cells[f];
            fragments[f].row.cell_count = 1;
            want[row] += delta;
        }
        submit(port, &writes[i], fragments, count);
        if (rand_r(&seed) % 100 == 0)
            wait_for(port, i + 1);
    }
    wait_for(port, COMMANDS);
    assert_int_equal(refused, 0);
    read_all(port, got);
    for (int row = 0; row < ROWS; row++)
        assert_int_equal(got[row], want[row]);
    for (uint32_t i = 0; i < COMMANDS; i++)
        buffer_fini(&writes[i].command);
    memset(writes, 0, sizeof(writes));
    table_port_close(port);
    bed_close(&bed);
}

static void all_is_counted_on_memory(void **state)
{
    all_is_counted(&store_memory_ops);
}

static void all_is_counted_on_rocksdb(void **state)
{
    all_is_counted(&store_rocksdb_ops);
}

static void a_hot_counter_is_written_once_a_turn(void **state)
{
    static struct write writes[BURST];
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("0"), .row = ROW_EMPTY };
    uint8_t delta[8];
    struct cell cell = number(delta, 1);
    int64_t got[ROWS];
    struct table_port *port;

    open_bed(&store_memory_ops);
    port = table_port_open(bed.space);
    put_count = turn_count = 0;
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    for (uint32_t i = 0; i < BURST; i++)
        submit(port, &writes[i], &fragment, 1);
    wait_for(port, BURST);
    read_all(port, got);
    assert_int_equal(got[0], BURST);
    assert_int_equal(put_count, turn_count);
    for (uint32_t i = 0; i < BURST; i++)
        buffer_fini(&writes[i].command);
    table_port_close(port);
    bed_close(&bed);
}

/* A key that is too long, met after a row that could be read: nothing of its command is counted, all of its neighbours'. */
static void a_refused_command_counts_nothing(void **state)
{
    static struct write writes[60];
    static char longest[STORE_KEY_BYTES_MAX];
    struct table_fragment fragments[2] = { { .kind = KEY_ROW, .clustering = BYTES_LITERAL("0"), .row = ROW_EMPTY },
                                           { .kind = KEY_ROW, .row = ROW_EMPTY } };
    uint8_t delta[8];
    struct cell cell = number(delta, 1);
    int64_t got[ROWS];
    struct table_port *port;

    open_bed(&store_memory_ops);
    port = table_port_open(bed.space);
    memset(longest, 'x', sizeof(longest));
    fragments[1].clustering = bytes_of(longest, sizeof(longest));
    for (int i = 0; i < 2; i++) {
        fragments[i].row.cells = &cell;
        fragments[i].row.cell_count = 1;
    }
    for (uint32_t i = 0; i < 60; i++)
        submit(port, &writes[i], fragments, i % 3 == 2 ? 2 : 1);
    wait_for(port, 60);
    read_all(port, got);
    assert_int_equal(refused, 20);
    assert_int_equal(got[0], 40);
    for (uint32_t i = 0; i < 60; i++)
        buffer_fini(&writes[i].command);
    table_port_close(port);
    bed_close(&bed);
}

/* Whoever may not wait for the row "5" is sent away. */
static enum status get_or_hesitate(struct store *store, enum store_family family, struct bytes key,
                                   const struct store_read_options *options, struct store_value *value,
                                   struct error *err)
{
    if (!options->may_wait && key.data[key.size - 1] == '5')
        return error_set(err, ERR_WOULD_WAIT, "not in memory");
    return counted->get(store, family, key, options, value, err);
}

/* A command of numbers and deletions has put what its neighbours gathered into the batch when it has to be run again: what is
 * taken back is its own. */
static void a_command_that_is_run_again_takes_no_others_numbers(void **state)
{
    static struct write writes[60];
    struct table_fragment plain = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("0"), .row = ROW_EMPTY },
                          mixed[2] = { { .kind = KEY_ROW, .clustering = BYTES_LITERAL("4"), .row = ROW_EMPTY },
                                       { .kind = KEY_ROW, .clustering = BYTES_LITERAL("5"), .row = ROW_EMPTY } };
    uint8_t delta[8];
    struct cell cell = number(delta, 1);
    int64_t got[ROWS];
    struct table_port *port;

    open_bed(&store_memory_ops);
    counting_ops.get = get_or_hesitate;
    port = table_port_open(bed.space);
    plain.row.cells = mixed[1].row.cells = &cell;
    plain.row.cell_count = mixed[1].row.cell_count = 1;
    mixed[0].row.deletion = (struct deletion){ 1, 1 };
    for (uint32_t i = 0; i < 60; i++)
        submit(port, &writes[i], i % 3 == 2 ? mixed : &plain, i % 3 == 2 ? 2 : 1);
    wait_for(port, 60);
    read_all(port, got);
    assert_int_equal(refused, 0);
    assert_int_equal(got[0], 40);
    assert_int_equal(got[5], 20);
    for (uint32_t i = 0; i < 60; i++)
        buffer_fini(&writes[i].command);
    table_port_close(port);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_counted_on_memory),
        cmocka_unit_test(all_is_counted_on_rocksdb),
        cmocka_unit_test(a_hot_counter_is_written_once_a_turn),
        cmocka_unit_test(a_refused_command_counts_nothing),
        cmocka_unit_test(a_command_that_is_run_again_takes_no_others_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
