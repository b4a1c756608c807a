/* Ports on several threads keep writing and reading while others open and close, the space is flushed and a table is removed: nothing
 * is lost, nobody waits for ever. Worth most under ThreadSanitizer (make tsan), therefore on the memory engine.
 */
#include "table/bed.h"

#include <poll.h>
#include <pthread.h>

enum { THREADS = 4, LIVES = 12, WRITES = 400, IN_FLIGHT = 32 };

static struct table_bed bed = { .engine = &store_memory_ops, .shards = 3 };

struct slot {
    struct table_request request;
    struct buffer command;
    struct error err;
    struct writer *writer;
    uint32_t number; /* what it writes */
    bool busy;
};

struct writer {
    pthread_t thread;
    uint32_t index;
    struct table_port *port;
    struct slot slots[IN_FLIGHT];
    uint32_t done, submitted, acknowledged[WRITES];
    bool overloaded;
};

static void on_done(struct table_request *request)
{
    struct slot *slot = CONTAINER_OF(request, struct slot, request);

    bed_must(request->status, request->error);
    slot->busy = false;
    slot->writer->done++;
    slot->writer->acknowledged[slot->number]++;
}

static void submit(struct writer *w, struct slot *slot, uint8_t key[8], uint8_t value[4])
{
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(value, 4));
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    buffer_reset(&slot->command);
    slot->request = (struct table_request){ .done = on_done, .error = &slot->err };
    slot->request.token = bed_encode(&slot->command, bytes_of(key, 8), &fragment, 1);
    slot->request.command = buffer_bytes(&slot->command);
    slot->busy = true;
    bed_must(table_submit(w->port, &slot->request, &slot->err), &slot->err);
}

static void set_key(const struct writer *w, uint32_t number, uint8_t key[8])
{
    store_be32(key, w->index);
    store_be32(key + 4, number);
}

static void check_read(struct writer *w, struct arena *arena, uint32_t number)
{
    struct read_result result;
    struct read_command command;
    uint8_t key[8];
    struct error err;

    arena_reset(arena);
    set_key(w, number, key);
    command = bed_read(bytes_of(key, 8));
    bed_must(table_read(w->port, &command, true, arena, &result, &err), &err);
    if (result.partition_count != 1 || result.partitions[0].row_count != 1 ||
        load_be32(result.partitions[0].rows[0].row->cells[0].value.data) + 1 < w->acknowledged[number])
        abort();
}

/* Each key is written by one thread with growing numbers; what was acknowledged is read at once. */
static void live(struct writer *w, struct arena *arena)
{
    uint32_t versions[WRITES] = { 0 };

    memset(w->acknowledged, 0, sizeof(w->acknowledged));
    w->done = w->submitted = 0;
    while (w->done < WRITES) {
        struct pollfd fd = { .fd = table_port_fd(w->port), .events = POLLIN };

        for (uint32_t i = 0; i < IN_FLIGHT && w->submitted < WRITES; i++) {
            uint8_t key[8], value[4];

            if (w->slots[i].busy)
                continue;
            w->slots[i].number = w->submitted++ % 16; /* 16 keys: hot ones */
            set_key(w, w->slots[i].number, key);
            store_be32(value, versions[w->slots[i].number]++);
            submit(w, &w->slots[i], key, value);
        }
        table_port_flush(w->port);
        if (poll(&fd, 1, 20000) != 1)
            abort(); /* a wake-up was lost */
        table_port_reap(w->port);
        for (uint32_t number = 0; number < 16; number++)
            if (w->acknowledged[number])
                check_read(w, arena, number);
    }
    if (table_port_pending(w->port))
        abort();
}

static void *run(void *context)
{
    struct writer *w = context;
    struct arena *arena = arena_new(4096);

    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        w->slots[i].writer = w;
    for (int lives = 0; lives < LIVES; lives++) {
        w->port = table_port_open(bed.space);
        live(w, arena);
        table_port_close(w->port); /* while owners run for the others */
    }
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        buffer_fini(&w->slots[i].command);
    arena_free(arena);
    return NULL;
}

static void ports_come_and_go_while_owners_run(void **state)
{
    static struct writer writers[THREADS];
    struct table_port *port;
    struct error err;

    bed_open(&bed);
    for (uint32_t i = 0; i < THREADS; i++) {
        writers[i].index = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, run, &writers[i]), 0);
    }
    port = table_port_open(bed.space);
    for (int i = 0; i < 100; i++) {
        bed_must(table_flush(bed.space, &err), &err); /* opens and closes a port of its own */
        bed_must(table_remove_all(port, (uint64_t[]){ 4711 }, 1, &err), &err);
        usleep(500);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    table_port_close(port);
    bed_close(&bed);
}

static uint32_t answered;

static void count_answer(struct table_request *request)
{
    bed_must(request->status, request->error);
    answered++;
}

/* More than a ring holds is refused, not lost, and what was taken is answered. */
static void a_full_ring_refuses(void **state)
{
    enum { MANY = 20000 };
    struct table_request *requests = calloc(MANY, sizeof(*requests));
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, BYTES_LITERAL("v"));
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };
    struct buffer command = { 0 };
    struct table_port *port;
    uint32_t taken = 0, refused = 0;
    struct error err;
    int64_t token;

    bed.shards = 1;
    bed_open(&bed);
    port = table_port_open(bed.space);
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    token = bed_encode(&command, BYTES_LITERAL("k"), &fragment, 1);
    answered = 0;
    /* The owner sleeps: nobody flushed. It writes into no command, so all of them are the same bytes. */
    for (uint32_t i = 0; i < MANY; i++) {
        requests[i] = (struct table_request){
            .command = buffer_bytes(&command), .token = token, .done = count_answer, .error = &err
        };
        if (table_submit(port, &requests[i], &err) == OK)
            taken++;
        else
            refused++;
    }
    assert_int_equal(taken, 4096);
    assert_int_equal(refused, MANY - 4096);
    table_port_flush(port);
    while (answered < taken) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        assert_int_equal(poll(&fd, 1, 20000), 1);
        table_port_reap(port);
        table_port_flush(port);
    }
    assert_int_equal(table_port_pending(port), 0);
    table_port_close(port);
    bed_close(&bed);
    free(requests);
    buffer_fini(&command);
    bed.shards = 3;
}

/* Commands that are not ours to trust are refused one by one; the turn's others go on. */
static void damaged_commands_are_refused_alone(void **state)
{
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, BYTES_LITERAL("v"));
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };
    struct buffer command = { 0 };
    struct table_port *port;
    struct error err;
    uint8_t *huge = calloc(1, 300 << 10);
    int64_t token;

    bed_open(&bed);
    port = table_port_open(bed.space);
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    token = bed_encode(&command, BYTES_LITERAL("k"), &fragment, 1);
    for (size_t size = 0; size < command.size; size++)
        assert_int_equal(table_apply_wait(port, bytes_of(command.data, size), token, &err), ERR_CORRUPT);
    fragment.clustering = bytes_of(huge, 300 << 10);
    assert_int_equal(bed_apply(port, BYTES_LITERAL("k"), &fragment, &err), ERR_INVALID);
    fragment.clustering = BYTES_LITERAL("c");
    bed_must(bed_apply(port, BYTES_LITERAL("k"), &fragment, &err), &err);
    table_port_close(port);
    bed_close(&bed);
    buffer_fini(&command);
    free(huge);
}

/* ---- what a turn has not written yet ---- */

struct step {
    struct table_request request;
    struct buffer command;
    struct error err;
};

static void count_step(struct table_request *request)
{
    bed_must(request->status, request->error);
    answered++;
}

static void submit_step(struct table_port *port, struct step *step, int64_t token)
{
    step->request = (struct table_request){
        .command = buffer_bytes(&step->command), .token = token, .done = count_step, .error = &step->err
    };
    bed_must(table_submit(port, &step->request, &step->err), &step->err);
}

static void submit_write(struct table_port *port, struct step *step, const struct table_fragment *fragment)
{
    int64_t token = bed_encode(&step->command, BYTES_LITERAL("k"), fragment, 1);

    submit_step(port, step, token);
}

static void submit_cas(struct table_port *port, struct step *step, enum cas_kind kind,
                       const struct table_fragment *insert)
{
    struct cas_part part = { .clustering = insert->clustering, .kind = kind };
    struct cas_command command = { .parts = &part,
                                   .part_count = 1,
                                   .update = { .table_id = BED_TABLE,
                                               .partition_key = BYTES_LITERAL("k"),
                                               .fragments = insert,
                                               .fragment_count = 1,
                                               .now_s = 1000000000,
                                               .durable = true } };

    command.update.token = token_of_partition_key(command.update.partition_key);
    table_encode_cas(&step->command, &command);
    submit_step(port, step, command.update.token);
}

/* All in one ring before the owner wakes: conditions see what the same turn brought before them, range tombstones too. */
static void conditions_see_their_own_turn(void **state)
{
    struct table_fragment insert = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("cc"), .row = ROW_EMPTY };
    struct table_fragment range = { .kind = KEY_RANGE,
                                    .clustering = BYTES_LITERAL("c"),
                                    .clustering_end = BYTES_LITERAL("c"),
                                    .start_inclusive = true,
                                    .end_inclusive = true,
                                    .row = ROW_EMPTY };
    struct table_fragment partition = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    static const bool expected[] = { true, false, true, false, false, true, true };
    struct step steps[16] = { 0 };
    struct table_port *port;
    uint32_t at = 0;

    insert.row.liveness = (struct liveness){ TIMESTAMP_SERVER, TTL_NONE, TIME_NONE };
    range.row.deletion = partition.row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000000000 };
    bed.shards = 1;
    bed_open(&bed);
    port = table_port_open(bed.space);
    answered = 0;
    submit_cas(port, &steps[0], CAS_IF_NOT_EXISTS, &insert); /* applied */
    submit_cas(port, &steps[1], CAS_IF_NOT_EXISTS, &insert); /* it is there */
    submit_write(port, &steps[2], &range);
    submit_cas(port, &steps[3], CAS_IF_EXISTS, &insert); /* the range took it */
    submit_write(port, &steps[4], &insert);
    submit_write(port, &steps[5], &partition);
    submit_cas(port, &steps[6], CAS_IF_EXISTS, &insert);     /* the partition's deletion took it */
    submit_cas(port, &steps[7], CAS_IF_NOT_EXISTS, &insert); /* applied */
    submit_cas(port, &steps[8], CAS_IF_EXISTS, &insert);     /* applied */
    while (answered < 9) {
        table_port_flush(port);
        table_port_reap(port);
    }
    for (uint32_t i = 0; i < 9; i++) {
        if (i != 4 && i != 5)
            assert_int_equal(steps[i].request.applied, expected[at++]);
        buffer_fini(&steps[i].command);
        if (i)
            assert_true(!steps[i].request.applied || steps[i].request.timestamp_us > steps[0].request.timestamp_us);
    }
    table_port_close(port);
    bed_close(&bed);
    bed.shards = 3;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_come_and_go_while_owners_run),
        cmocka_unit_test(a_full_ring_refuses),
        cmocka_unit_test(damaged_commands_are_refused_alone),
        cmocka_unit_test(conditions_see_their_own_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
