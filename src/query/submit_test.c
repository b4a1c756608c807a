/* Statements that write to many partitions, on a loop: all of it is taken however many there are, a ring that has no room refuses before
 * anything is done, and no error says that nothing was done when something was. The shards' stores are in memory, one can be made to fail.
 */
#include "query/bed.h"

#include <poll.h>
#include <stdatomic.h>

enum { SHARDS = 2, KEYS = 9000, RING = 4096 };

static struct store_ops failing; /* the memory store */
static struct store *stores[SHARDS];
static uint32_t store_count;
static struct store *_Atomic failed; /* which one can't be written to */

/* One at a time, or many in flight. */
struct asked {
    struct query_request request;
    struct native_request message;
    struct arena *arena;
    struct buffer out;
    char *text;
    bool is_done;
};

static enum status open_store(const struct store_options *options, struct store **store, struct error *err)
{
    enum status status = store_memory_ops.open(options, store, err);

    if (!status && store_count < SHARDS)
        stores[store_count++] = *store;
    return status;
}

static enum status write_store(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    if (atomic_load(&failed) == store)
        return error_set(err, ERR_NO_SPACE, "full");
    return store_memory_ops.write(store, batch, durable, err);
}

static enum status resume_store(struct store *store, struct error *err)
{
    return atomic_load(&failed) == store ? error_set(err, ERR_NO_SPACE, "full") : store_memory_ops.resume(store, err);
}

static void on_done(struct query_request *request)
{
    ((struct asked *)request->context)->is_done = true;
}

static void begin(struct asked *asked, struct query_context *context)
{
    enum query_result result;

    asked->arena = arena_new(4096);
    asked->message = (struct native_request){ .header = { .opcode = NATIVE_QUERY }, .version = 4 };
    asked->message.query.statement = bytes_of_string(asked->text);
    asked->message.parameters.consistency = CONSISTENCY_ONE;
    asked->message.parameters.serial_consistency = CONSISTENCY_SERIAL;
    asked->request = (struct query_request){ .session = &session,
                                             .arena = asked->arena,
                                             .message = &asked->message,
                                             .now_us = clock_realtime_us(&clock_system),
                                             .done = on_done,
                                             .context = asked };
    asked->is_done = false;
    result = query_run(context, &asked->request, &asked->out);
    if (result == QUERY_WAITS) /* more than a loop takes apart at once */
        result = query_run(worker, &asked->request, &asked->out);
    assert_int_not_equal(result, QUERY_WAITS);
    if (result == QUERY_DONE)
        asked->is_done = true;
}

static void await(struct asked *asked)
{
    struct table_port *port = query_context_port(loop);
    bool was_pending = !asked->is_done;

    while (!asked->is_done) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        table_port_flush(port);
        assert_true(poll(&fd, 1, 20000) == 1);
        table_port_reap(port);
    }
    if (was_pending)
        query_finish(loop, &asked->request, &asked->out);
}

static void forget(struct asked *asked)
{
    arena_free(asked->arena);
    buffer_fini(&asked->out);
    free(asked->text);
}

/* On the loop, or a worker; the error's words, "" if there was none. */
static const char *run(struct query_context *context, char *text)
{
    static char words[1200];
    struct asked asked = { .text = text };

    begin(&asked, context);
    await(&asked);
    words[0] = 0;
    if (asked.request.error.status)
        snprintf(words, sizeof(words), "%s: %s", status_name(asked.request.error.status), asked.request.error.message);
    forget(&asked);
    return words;
}

static const char *ask(const char *text)
{
    return run(worker, strdup(text));
}

/* Of a statement with one row of one bigint; 0: no row or null. */
static int64_t number_of(const char *text)
{
    struct asked asked = { .text = strdup(text) };
    int64_t number = 0;

    begin(&asked, worker);
    assert_int_equal(asked.request.error.status, OK);
    if (load_be32(asked.out.data + asked.out.size - 12) == 8)
        number = (int64_t)load_be64(asked.out.data + asked.out.size - 8);
    forget(&asked);
    return number;
}

/* The statement for keys first, first + 1 ... */
static char *for_keys(const char *head, int first, int count)
{
    struct buffer text = { 0 };

    buffer_printf(&text, "%s WHERE k IN (", head);
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "%s%d", i ? ", " : "", first + i);
    buffer_append_string(&text, ")");
    buffer_append_u8(&text, 0);
    return (char *)text.data;
}

static int setup(void **state)
{
    failing = store_memory_ops;
    failing.open = open_store;
    failing.write = write_store;
    failing.resume = resume_store;
    store_count = 0;
    atomic_store(&failed, NULL);
    bed_open(&failing, SHARDS, (struct query_options){ 0 });
    assert_string_equal(
        ask("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"), "");
    assert_string_equal(ask("USE k"), "");
    assert_string_equal(ask("CREATE TABLE c (k int PRIMARY KEY, n counter, m counter)"), "");
    assert_string_equal(ask("CREATE TABLE t (k int PRIMARY KEY, v bigint)"), "");
    return 0;
}

static int teardown(void **state)
{
    bed_close();
    return 0;
}

/* ---- tests ---- */

static void more_partitions_than_a_ring_holds_are_written(void **state)
{
    assert_string_equal(run(loop, for_keys("UPDATE c SET n = n + 1", 0, KEYS)), "");
    assert_int_equal(number_of("SELECT count(n) FROM c"), KEYS);
    assert_string_equal(run(loop, for_keys("UPDATE c SET n = n + 2", 0, KEYS)), "");
    assert_string_equal(run(worker, for_keys("UPDATE c SET n = n + 4", 0, KEYS)), "");
    assert_int_equal(number_of("SELECT sum(n) FROM c"), 7 * KEYS);
    assert_string_equal(run(loop, for_keys("UPDATE t SET v = 3", 0, 2 * KEYS)), "");
    assert_int_equal(number_of("SELECT sum(v) FROM t"), 3 * 2 * KEYS);
    assert_string_equal(run(loop, for_keys("DELETE FROM t", 1, 2 * KEYS)), "");
    assert_int_equal(number_of("SELECT count(v) FROM t"), 1);
    assert_string_equal(run(loop, for_keys("DELETE FROM c", 1, KEYS)), "");
    assert_int_equal(number_of("SELECT count(n) FROM c"), 1);
}

static void a_counter_batch_adds_and_deletes_in_its_order(void **state)
{
    assert_string_equal(run(loop, for_keys("UPDATE c SET n = n + 1, m = m + 1", 0, 4)), "");
    assert_string_equal(run(loop, strdup("BEGIN COUNTER BATCH UPDATE c SET n = n + 5 WHERE k = 0; "
                                         "DELETE m FROM c WHERE k = 1; UPDATE c SET n = n + 7 WHERE k = 2; "
                                         "UPDATE c SET n = n + 9 WHERE k = 0; APPLY BATCH")),
                        "");
    assert_int_equal(number_of("SELECT n FROM c WHERE k = 0"), 15);
    assert_int_equal(number_of("SELECT n FROM c WHERE k = 1"), 1);
    assert_int_equal(number_of("SELECT m FROM c WHERE k = 1"), 0);
    assert_int_equal(number_of("SELECT n FROM c WHERE k = 2"), 8);
    assert_int_equal(number_of("SELECT sum(m) FROM c"), 3);
}

/* Nobody looks at the rings: those of one shard are filled first, then they take nothing, of no shard. */
static void a_full_ring_refuses_before_anything_is_done(void **state)
{
    static struct asked asked[RING];
    const char *refusal = "overloaded: Too many writes in flight: try again";

    for (int i = 0; i < RING; i++) {
        asked[i] = (struct asked){ .text = strdup("INSERT INTO t (k, v) VALUES (1, 1)") };
        begin(&asked[i], loop);
        assert_false(asked[i].is_done);
    }
    assert_string_equal(run(loop, for_keys("UPDATE c SET n = n + 1", 0, 100)), refusal);
    assert_string_equal(run(loop, for_keys("UPDATE t SET v = 1", 2, 100)), refusal);
    for (int i = 0; i < RING; i++) {
        await(&asked[i]);
        assert_int_equal(asked[i].request.error.status, OK);
        forget(&asked[i]);
    }
    assert_int_equal(number_of("SELECT count(n) FROM c"), 0);
    assert_int_equal(number_of("SELECT count(v) FROM t"), 1);
    assert_string_equal(run(loop, for_keys("UPDATE c SET n = n + 1", 0, KEYS)), "");
    assert_int_equal(number_of("SELECT sum(n) FROM c"), KEYS);
}

static void what_was_written_in_part_is_said_to_be(void **state)
{
    const char *partial = "write_timeout: Operation timed out - some of the partitions were written, others were not";
    int one = 0; /* a key of the shard that will fail */
    char text[64];

    atomic_store(&failed, stores[1]);
    for (; one < 100; one++) {
        snprintf(text, sizeof(text), "INSERT INTO t (k, v) VALUES (%d, 1)", one);
        if (*ask(text))
            break;
    }
    assert_true(one < 100);
    assert_true(table_space_refuses_writes(space, 1) && !table_space_refuses_writes(space, 0));
    assert_non_null(strstr(ask(text), "write_failure: Shard 1 takes no writes")); /* nothing of it was done */
    assert_string_equal(run(loop, for_keys("UPDATE c SET n = n + 1", 0, KEYS)), partial);
    assert_true(number_of("SELECT count(n) FROM c") > 0);
    assert_string_equal(run(loop, for_keys("UPDATE t SET v = 1", 0, 100)), partial);
    atomic_store(&failed, NULL);
}

/* One shard refuses, for certain; the other fails meanwhile, and what it had may be there or not. */
static void what_may_be_written_is_not_said_to_be_refused(void **state)
{
    const char *said;

    atomic_store(&failed, stores[1]);
    while (!table_space_refuses_writes(space, 1))
        ask("BEGIN UNLOGGED BATCH INSERT INTO t (k, v) VALUES (3, 1); INSERT INTO t (k, v) VALUES (5, 1); APPLY BATCH");
    atomic_store(&failed, stores[0]);
    said = run(loop, for_keys("UPDATE t SET v = 1", 0, 100));
    assert_true(table_space_refuses_writes(space, 0));
    assert_string_equal(said,
                        "write_timeout: Operation timed out - the write could not be synced, its outcome is unknown");
    atomic_store(&failed, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(more_partitions_than_a_ring_holds_are_written), TEST(a_counter_batch_adds_and_deletes_in_its_order),
        TEST(a_full_ring_refuses_before_anything_is_done),   TEST(what_was_written_in_part_is_said_to_be),
        TEST(what_may_be_written_is_not_said_to_be_refused),
    };

    return cmocka_run_group_tests_name("query/submit", tests, NULL, NULL);
}
