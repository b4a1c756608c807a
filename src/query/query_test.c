/* The query layer over a catalog and a table space on store/memory: a loop's way (QUERY_PENDING, QUERY_WAITS) and a worker's; prepared
 * statements and their cache; pages; bounds. What statements answer is held to Cassandra's recorded words by tests/cql. */
#include "query/bed.h"

#include "cql/parse.h"
#include "query/context.h"
#include "query/execute.h"
#include "query/trace.h"

#include <poll.h>
#include <time.h>

static struct arena *arena;
static struct buffer out;
static char shown[1 << 16];

static void open_all(uint64_t prepared_bytes_max, uint32_t page_rows_max)
{
    bed_open(&store_memory_ops, 1,
             (struct query_options){ .prepared_bytes_max = prepared_bytes_max, .page_rows_max = page_rows_max });
    arena = arena_new(4096);
}

static int setup(void **state)
{
    open_all(0, 0);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    buffer_fini(&out);
    bed_close();
    return 0;
}

/* ---- asking ---- */

static struct native_request message;
static struct query_request request;
static struct trace *next_trace; /* of the next request */
static bool was_done;

static void note_done(struct query_request *done)
{
    was_done = true;
}

static enum query_result run(struct query_context *context)
{
    arena_reset(arena);
    buffer_reset(&out);
    was_done = false;
    request = (struct query_request){ .session = &session,
                                      .arena = arena,
                                      .message = &message,
                                      .now_us = clock_realtime_us(&clock_system),
                                      .done = note_done };
    request.trace = next_trace;
    next_trace = NULL;
    return query_run(context, &request, &out);
}

static void set_query(const char *text)
{
    message = (struct native_request){ .header = { .opcode = NATIVE_QUERY }, .version = 4 };
    message.query.statement = bytes_of_string(text);
    message.parameters.consistency = CONSISTENCY_ONE;
    message.parameters.serial_consistency = CONSISTENCY_SERIAL;
}

static struct bytes read_bytes(const uint8_t **at, size_t size)
{
    struct bytes result = { *at, size };

    *at += size;
    return result;
}

static struct bytes paging_state;
static bool had_metadata;

/* Rows as "a|b a|b": ints in decimal, texts as they are; needs the types, so statements under test select int, bigint and text. */
static const char *show_rows(void)
{
    const uint8_t *at = out.data + 4;
    uint32_t flags = load_be32(at), columns = load_be32(at + 4);
    struct buffer text = { 0 };

    at += 8;
    paging_state = bytes_of(NULL, 0);
    if (flags & 2) {
        uint32_t size = load_be32(at);

        at += 4;
        paging_state = read_bytes(&at, size);
    }
    had_metadata = !(flags & 4);
    if (had_metadata) {
        if (flags & 1)
            for (int i = 0; i < 2; i++)
                at += 2 + load_be16(at);
        for (uint32_t i = 0; i < columns; i++)
            at += 2 + load_be16(at) + 2;
    }
    uint32_t rows = load_be32(at);
    at += 4;
    for (uint32_t i = 0; i < rows; i++) {
        buffer_append_string(&text, i ? " " : "");
        for (uint32_t c = 0; c < columns; c++) {
            int32_t size = (int32_t)load_be32(at);

            at += 4;
            buffer_append_string(&text, c ? "|" : "");
            if (size < 0)
                buffer_append_string(&text, "null");
            else if (size == 4)
                buffer_printf(&text, "%d", (int32_t)load_be32(at));
            else if (size == 8)
                buffer_printf(&text, "%lld", (long long)load_be64(at));
            else
                buffer_append(&text, at, (size_t)size);
            if (size > 0)
                at += size;
        }
    }
    assert_ptr_equal(at, out.data + out.size);
    snprintf(shown, sizeof(shown), "%.*s", BYTES(buffer_bytes(&text)));
    buffer_fini(&text);
    return shown;
}

static const char *outcome(void)
{
    if (request.error.status) {
        snprintf(shown, sizeof(shown), "%s: %s", status_name(request.error.status), request.error.message);
        return shown;
    }
    return load_be32(out.data) == NATIVE_RESULT_ROWS ? show_rows() : "ok";
}

static const char *ask(const char *text)
{
    set_query(text);
    assert_int_equal(run(worker), QUERY_DONE);
    return outcome();
}

static void make_table(void)
{
    assert_string_equal(
        ask("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"), "ok");
    assert_string_equal(ask("USE k"), "ok");
    assert_string_equal(ask("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))"), "ok");
}

static uint8_t prepared_statement_id[16];

static const char *prepare(const char *text)
{
    message = (struct native_request){ .header = { .opcode = NATIVE_PREPARE }, .version = 4 };
    message.prepare.statement = bytes_of_string(text);
    assert_int_equal(run(worker), QUERY_DONE);
    if (request.error.status)
        return outcome();
    assert_int_equal(load_be32(out.data), NATIVE_RESULT_PREPARED);
    assert_int_equal(load_be16(out.data + 4), 16);
    memcpy(prepared_statement_id, out.data + 6, 16);
    return "ok";
}

static void set_execute(const struct bytes *values, uint32_t count)
{
    set_query("");
    message.header.opcode = NATIVE_EXECUTE;
    message.execute.id = bytes_of(prepared_statement_id, 16);
    message.parameters.values = (struct native_values){ count, values, NULL };
}

static const uint8_t ONE[4] = { 0, 0, 0, 1 };

/* ---- tests ---- */

static void what_is_written_is_read(void **state)
{
    make_table();
    assert_string_equal(ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')"), "ok");
    assert_string_equal(ask("UPDATE t SET v = 'b' WHERE k = 1 AND c = 2"), "ok");
    assert_string_equal(ask("SELECT c, v FROM t WHERE k = 1"), "1|a 2|b");
    assert_string_equal(ask("SELECT c, v FROM t WHERE k = 1 ORDER BY c DESC"), "2|b 1|a");
    assert_string_equal(ask("DELETE FROM t WHERE k = 1 AND c = 1"), "ok");
    assert_string_equal(ask("SELECT k, c, v FROM t"), "1|2|b");
    assert_string_equal(ask("SELECT v FROM nowhere"), "invalid: table nowhere does not exist");
}

static struct bytes list_of_numbers(uint32_t count)
{
    uint8_t *list = malloc(4 + 8 * (size_t)count);

    store_be32(list, count);
    for (uint32_t i = 0; i < count; i++) {
        store_be32(list + 4 + 8 * i, 4);
        store_be32(list + 8 + 8 * i, i);
    }
    return bytes_of(list, 4 + 8 * (size_t)count);
}

/* Of what takes long a loop does little or nothing before somebody else does it whole. */
static void a_loop_leaves_what_takes_long_to_others(void **state)
{
    enum { ROWS = 1500, INLINE_ROWS = 1000, KEYS = 60000 };
    static const char *const long_ones[] = { "SELECT v FROM t WHERE k IN ?", "SELECT v FROM t WHERE k = 1 AND c IN ?",
                                             "UPDATE t SET v = 'x' WHERE c = 1 AND k IN ?",
                                             "DELETE FROM t WHERE k = 1 AND c IN ?" };
    struct bytes list = list_of_numbers(KEYS);
    char text[128];

    make_table();
    for (int i = 0; i < ROWS; i++) {
        snprintf(text, sizeof(text), "INSERT INTO t (k, c, v) VALUES (1, %d, 'v')", i);
        assert_string_equal(ask(text), "ok");
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(long_ones); i++) {
        assert_string_equal(prepare(long_ones[i]), "ok");
        set_execute(&list, 1);
        assert_int_equal(run(loop), QUERY_WAITS);
        assert_in_range(arena_used(arena), 0, KEYS);
    }
    snprintf(text, sizeof(text), "SELECT count(*) FROM t WHERE k = 1 AND c < %d", INLINE_ROWS - 1);
    set_query(text);
    assert_int_equal(run(loop), QUERY_DONE);
    set_query("SELECT count(*) FROM t WHERE k = 1");
    assert_int_equal(run(loop), QUERY_WAITS);
    assert_string_equal(ask("SELECT count(*) FROM t WHERE k = 1"), "1500");
    set_query("SELECT v FROM t WHERE k = 1");
    message.parameters.page_size = INLINE_ROWS;
    assert_int_equal(run(loop), QUERY_DONE);
    message.parameters.page_size = ROWS;
    assert_int_equal(run(loop), QUERY_WAITS);
    free((void *)list.data);
}

enum { COMPUTED_ROWS = 30 };

/* Rows of 20000 characters, of 2000 integers and of a decimal with 9000 places. */
static void make_computed_rows(void)
{
    enum { CHARACTERS = 20000, NUMBERS = 2000 };
    struct buffer text CLEANUP(buffer_fini) = { 0 };

    make_table();
    assert_string_equal(ask("CREATE TABLE w (k int, c int, v text, s frozen<set<int>>, d decimal, PRIMARY KEY (k, c))"),
                        "ok");
    for (int i = 0; i < COMPUTED_ROWS; i++) {
        buffer_reset(&text);
        buffer_printf(&text, "INSERT INTO w (k, c, d, v, s) VALUES (1, %d, 1E-9000, '", i);
        memset(buffer_extend(&text, CHARACTERS), 'x', CHARACTERS);
        buffer_append_string(&text, "', {0");
        for (int n = 1; n < NUMBERS; n++)
            buffer_printf(&text, ",%d", n);
        buffer_append_string(&text, "})");
        buffer_append_u8(&text, 0);
        assert_string_equal(ask((const char *)text.data), "ok");
    }
}

/* Calls, JSON, elements, filters, sums: a loop hands over what takes longer than a few milliseconds, however few the rows are. */
static void a_loop_does_not_compute_for_long(void **state)
{
    static const char *const long_ones[] = {
        "SELECT count(mask_hash(v)) FROM w WHERE k = 1",
        "SELECT JSON s, s AS a, s AS b FROM w WHERE k = 1",
        "SELECT s[1..2], s[3..4], s[5] FROM w WHERE k = 1",
        "SELECT c FROM w WHERE k = 1 AND s CONTAINS 1 AND s CONTAINS 2 AND s CONTAINS 3 ALLOW FILTERING",
        "SELECT sum(d), max(d) FROM w WHERE k = 1",
        "SELECT max(exp(d)), min(log(d)) FROM w WHERE k = 1",
        "SELECT c FROM w WHERE k = 1 AND c = 1 AND d IN (1E9000 + 1.0) ALLOW FILTERING",
    };
    char text[4096] = "SELECT c FROM w WHERE k = 1 AND c = 1 AND d IN (0.1";

    make_computed_rows();
    for (uint32_t i = 0; i < ARRAY_SIZE(long_ones); i++) {
        bool is_short = i + 1 == ARRAY_SIZE(long_ones);

        set_query(long_ones[i]);
        assert_int_equal(run(loop), is_short ? QUERY_DONE : QUERY_WAITS);
        if (!is_short)
            assert_int_equal(request.waits_for, 2); /* behind the only shard's */
        set_query(long_ones[i]);
        assert_int_equal(run(worker), QUERY_DONE);
        assert_int_equal(request.error.status, OK);
    }
    /* Constants are computed while the plan is made. */
    for (int i = 0; i < 40; i++)
        strcat(text, ", 1E9000 + 1.0");
    strcat(text, ") ALLOW FILTERING");
    set_query(text);
    assert_int_equal(run(loop), QUERY_WAITS);
    assert_string_equal(ask(text), "");
    set_query("SELECT count(mask_hash(v)) FROM w WHERE k = 1 AND c < 3");
    assert_int_equal(run(loop), QUERY_DONE);
    assert_string_equal(outcome(), "3");
}

/* A page ends when it has taken long, as it does by its bytes: the next one goes on where it ended. */
static void a_page_ends_when_it_has_taken_long(void **state)
{
    static const char text[] = "SELECT c FROM w WHERE k = 1 AND s CONTAINS 1 LIMIT 10 ALLOW FILTERING";
    uint8_t state_copy[512];

    make_computed_rows();
    engine->page_work_max = 200000;
    set_query(text);
    message.parameters.page_size = 20;
    assert_int_equal(run(worker), QUERY_DONE);
    assert_string_equal(outcome(), "0 1 2 3");
    for (int page = 1; page < 3; page++) {
        assert_true(paging_state.size && paging_state.size <= sizeof(state_copy));
        memcpy(state_copy, paging_state.data, paging_state.size);
        set_query(text);
        message.parameters.page_size = 20;
        message.parameters.paging_state = bytes_of(state_copy, paging_state.size);
        assert_int_equal(run(worker), QUERY_DONE);
        assert_string_equal(outcome(), page == 1 ? "4 5 6 7" : "8 9");
    }
    assert_true(bytes_is_null(paging_state));
    assert_int_equal(strlen(ask(text)), strlen("0 1 2 3 4 5 6 7 8 9")); /* who asks for no pages gets all */
}

static void a_loop_waits_for_owners_and_disks_by_answering_so(void **state)
{
    struct table_port *port = query_context_port(loop);

    set_query("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    assert_int_equal(run(loop), QUERY_WAITS);
    make_table();
    set_query("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')");
    assert_int_equal(run(loop), QUERY_PENDING);
    table_port_flush(port);
    while (!was_done) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        poll(&fd, 1, 1000);
        table_port_reap(port);
    }
    query_finish(loop, &request, &out);
    assert_string_equal(outcome(), "ok");
    set_query("SELECT v FROM t WHERE k = 1 AND c = 1");
    assert_int_equal(run(loop), QUERY_DONE);
    assert_string_equal(outcome(), "a");
}

static void an_id_is_the_md5_of_keyspace_and_text(void **state)
{
    static const uint8_t expected[16] = { 0x9c, 0x5e, 0xe8, 0xf7, 0x15, 0x05, 0x31, 0x7a,
                                          0x65, 0x9e, 0xb1, 0xfd, 0xb0, 0x71, 0x18, 0x78 };
    const struct bytes values[] = { { ONE, 4 } };

    make_table();
    assert_string_equal(prepare("SELECT v FROM t WHERE k = ?"), "ok");
    assert_memory_equal(prepared_statement_id, expected, 16);
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')");
    set_execute(values, 1);
    assert_int_equal(run(loop), QUERY_DONE);
    assert_string_equal(outcome(), "a");
    set_execute(values, 0);
    assert_int_equal(run(loop), QUERY_DONE);
    assert_string_equal(outcome(), "invalid: there were 1 markers(?) in CQL but 0 bound variables");
}

static void an_unknown_id_is_told_back(void **state)
{
    make_table();
    memset(prepared_statement_id, 7, 16);
    set_execute(NULL, 0);
    assert_int_equal(run(loop), QUERY_DONE);
    assert_int_equal(request.error.status, ERR_UNPREPARED);
    assert_memory_equal(request.error.id, prepared_statement_id, 16);
}

static void a_statement_may_have_65535_markers(void **state)
{
    enum { MARKERS = UINT16_MAX };
    char *text = xmalloc(64 + 2 * (MARKERS + 1));
    struct bytes *values = xcalloc(MARKERS, sizeof(*values));
    size_t at;

    make_table();
    assert_string_equal(ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'found')"), "ok");
    at = (size_t)sprintf(text, "SELECT v FROM t WHERE k IN (?");
    for (int i = 1; i < MARKERS; i++)
        at += (size_t)sprintf(text + at, ",?");
    for (int i = 0; i < MARKERS; i++)
        values[i] = bytes_of(ONE, 4);
    sprintf(text + at, ")");
    assert_string_equal(prepare(text), "ok");
    set_execute(values, MARKERS);
    run(worker);
    assert_string_equal(outcome(), "found");
    sprintf(text + at, ",?)");
    assert_string_equal(prepare(text),
                        "invalid: Too many markers(?). 65536 markers exceed the allowed maximum of 65535");
    free(values);
    free(text);
}

static void a_full_cache_forgets_what_was_not_used(void **state)
{
    const struct bytes values[] = { { ONE, 4 } };
    uint8_t first[16], used[16];
    struct query_stats stats;
    char text[128];

    teardown(state);
    open_all(256 << 10, 0);
    make_table();
    prepare("SELECT v FROM t WHERE k = ? LIMIT 1001");
    memcpy(first, prepared_statement_id, 16);
    prepare("SELECT v FROM t WHERE k = ? LIMIT 1002");
    memcpy(used, prepared_statement_id, 16);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "SELECT v FROM t WHERE k = ? LIMIT %d", i + 1);
        assert_string_equal(prepare(text), "ok");
        memcpy(prepared_statement_id, used, 16);
        set_execute(values, 1);
        run(loop);
        assert_int_equal(request.error.status, OK);
    }
    query_engine_stats(engine, &stats);
    assert_true(stats.prepared_bytes <= 256 << 10);
    assert_true(stats.prepared_evicted > 0);
    memcpy(prepared_statement_id, first, 16);
    set_execute(values, 1);
    run(loop);
    assert_int_equal(request.error.status, ERR_UNPREPARED);
}

/* With k = 1. */
static const char *execute(struct query_context *context)
{
    static const struct bytes values[] = { { ONE, 4 } };

    set_execute(values, 1);
    message.parameters.skip_metadata = true;
    assert_int_equal(run(context), QUERY_DONE);
    return request.error.status == ERR_UNPREPARED ? "unprepared" : outcome();
}

/* Both contexts know the statement before, so that each must see by itself that it is the old one. */
static void expect_after(const char *change, const char *expected)
{
    assert_string_equal(prepare("SELECT * FROM t WHERE k = ?"), "ok");
    execute(loop);
    assert_int_equal(request.error.status, OK);
    execute(worker);
    assert_int_equal(request.error.status, OK);
    assert_string_equal(ask(change), "ok");
    assert_string_equal(execute(loop), expected);
    assert_string_equal(execute(worker), expected);
    assert_string_equal(execute(loop), expected);
}

/* Statements that nobody uses any more don't keep definitions that were altered or dropped. */
static void what_fits_no_more_is_let_go(void **state)
{
    struct query_stats stats;
    struct table_def *old;
    struct schema *schema;

    make_table();
    schema = catalog_ref_schema(catalog, catalog_account_default(catalog));
    old = table_def_ref(schema_table(schema, BYTES_LITERAL("k"), BYTES_LITERAL("t")));
    schema_unref(schema);
    assert_string_equal(prepare("SELECT * FROM t WHERE k = ?"), "ok");
    assert_string_equal(execute(loop), "");
    assert_string_equal(prepare("SELECT v FROM t WHERE k = ?"), "ok");
    assert_string_equal(execute(worker), "");
    assert_string_equal(ask("ALTER TABLE t ADD w int"), "ok");
    query_engine_stats(engine, &stats);
    assert_int_equal(stats.prepared_count, 0);
    set_query("SELECT v FROM t WHERE k = 2");
    assert_int_equal(run(loop), QUERY_DONE);
    assert_int_equal(run(worker), QUERY_DONE);
    assert_int_equal(old->refs, 1);
    table_def_unref(old);
}

/* Whoever changed them: AWS's APIs do it without a statement of CQL. */
static void what_others_change_is_let_go(void **state)
{
    struct arena *own = arena_new(4096);
    struct cql_statement *statement;
    struct query_stats stats;
    struct ddl_change change;
    struct error err;

    make_table();
    assert_string_equal(prepare("SELECT * FROM t WHERE k = ?"), "ok");
    assert_int_equal(cql_parse(own, BYTES_LITERAL("CREATE TABLE k.u (a int PRIMARY KEY)"), &statement, &err), OK);
    assert_int_equal(catalog_change(catalog, session.account, query_context_port(worker), statement, bytes_of(NULL, 0),
                                    own, &change, &err),
                     OK);
    query_engine_stats(engine, &stats);
    assert_int_equal(stats.prepared_count, 1);
    assert_int_equal(cql_parse(own, BYTES_LITERAL("DROP TABLE k.t"), &statement, &err), OK);
    assert_int_equal(catalog_change(catalog, session.account, query_context_port(worker), statement, bytes_of(NULL, 0),
                                    own, &change, &err),
                     OK);
    query_engine_stats(engine, &stats);
    assert_int_equal(stats.prepared_count, 0);
    arena_free(own);
}

/* Who still goes by an older schema than the one that a statement was prepared with does not judge it. */
static void an_older_schema_unprepares_nothing(void **state)
{
    struct schema *older;

    make_table();
    older = catalog_ref_schema(catalog, catalog_account_default(catalog));
    assert_string_equal(ask("ALTER TABLE t ADD w int"), "ok");
    assert_string_equal(prepare("SELECT * FROM t WHERE k = ?"), "ok");
    prepared_forget_unfit(engine->cache, session.account, older);
    assert_string_equal(execute(loop), "");
    schema_unref(older);
}

static void statements_of_changed_tables_are_unprepared(void **state)
{
    make_table();
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')");
    expect_after("ALTER TABLE t WITH comment = 'x'", "1|1|a");
    assert_false(had_metadata);
    expect_after("ALTER KEYSPACE k WITH durable_writes = false", "1|1|a");
    expect_after("ALTER TABLE t ADD w int", "unprepared");
    expect_after("ALTER TABLE t WITH gc_grace_seconds = 1", "unprepared");
    expect_after("CREATE TABLE u (k int PRIMARY KEY)", "1|1|a|null");
    expect_after("TRUNCATE t", "");
    ask("INSERT INTO t (k, c, v) VALUES (1, 2, 'b')");
    assert_string_equal(execute(loop), "1|2|b|null");
    expect_after("DROP TABLE t", "unprepared");
    assert_string_equal(ask("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))"), "ok");
    assert_string_equal(execute(loop), "unprepared");
    assert_string_equal(prepare("SELECT * FROM t WHERE k = ?"), "ok");
    assert_string_equal(execute(loop), "");
}

static void pages_meet_without_gap_or_overlap(void **state)
{
    char text[128], all[4096] = "";
    struct bytes keep = { NULL, 0 };
    uint8_t copy[512];
    int pages = 0;

    make_table();
    for (int i = 0; i < 13; i++) {
        snprintf(text, sizeof(text), "INSERT INTO t (k, c, v) VALUES (%d, %d, 'v')", i / 5, i);
        ask(text);
    }
    do {
        set_query("SELECT c FROM t");
        message.parameters.page_size = 2;
        message.parameters.paging_state = keep;
        run(loop);
        strcat(all, outcome());
        strcat(all, "/");
        if (!bytes_is_null(paging_state)) {
            memcpy(copy, paging_state.data, paging_state.size);
            keep = bytes_of(copy, paging_state.size);
        } else {
            keep = bytes_of(NULL, 0);
        }
        pages++;
    } while (!bytes_is_null(keep) && pages < 20);
    assert_string_equal(all, "5 6/7 8/9 0/1 2/3 4/10 11/12/"); /* tokens: 1, 0, 2 */
    assert_int_equal(pages, 7);
}

static uint8_t kept_state[512];

/* The first page of a query, and where it ended. */
static struct bytes state_of(const char *text)
{
    set_query(text);
    message.parameters.page_size = 2;
    run(loop);
    outcome();
    assert_true(paging_state.size && paging_state.size <= sizeof(kept_state));
    memcpy(kept_state, paging_state.data, paging_state.size);
    return bytes_of(kept_state, paging_state.size);
}

static const char *go_on(const char *text, struct bytes from)
{
    set_query(text);
    message.parameters.page_size = 2;
    message.parameters.paging_state = from;
    run(loop);
    return outcome();
}

static void make_rows(void)
{
    char text[128];

    make_table();
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "INSERT INTO t (k, c, v) VALUES (1, %d, 'v')", i);
        ask(text);
    }
}

static void a_tampered_state_is_refused(void **state)
{
    make_rows();
    struct bytes from = state_of("SELECT c FROM t");

    kept_state[from.size / 2] ^= 1;
    assert_string_equal(go_on("SELECT c FROM t", from), "protocol: Invalid value for the paging state");
    kept_state[from.size / 2] ^= 1;
    assert_string_equal(go_on("SELECT c FROM t", from), "2 3");
}

static void a_state_is_of_its_table_not_of_its_statement(void **state)
{
    make_rows();
    ask("CREATE TABLE other (k int, c int, v text, PRIMARY KEY (k, c))");
    struct bytes from = state_of("SELECT c FROM t");

    assert_string_equal(go_on("SELECT c FROM other", from), "protocol: Invalid value for the paging state");
    assert_string_equal(go_on("SELECT c FROM t WHERE k = 1 AND c > 2", from), "3");
    assert_string_equal(go_on("SELECT c FROM t PER PARTITION LIMIT 1", from), "2");
    ask("TRUNCATE t");
    assert_string_equal(go_on("SELECT c FROM t", from), "");
    ask("INSERT INTO t (k, c, v) VALUES (1, 3, 'v')");
    assert_string_equal(go_on("SELECT c FROM t", from), "3");
    ask("DROP TABLE t");
    ask("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))");
    assert_string_equal(go_on("SELECT c FROM t", from), "protocol: Invalid value for the paging state");
}

static void a_position_in_one_partition_is_none_among_all(void **state)
{
    make_rows();
    struct bytes from = state_of("SELECT c FROM t WHERE k = 1");

    assert_string_equal(go_on("SELECT c FROM t", from), "protocol: Invalid value for the paging state");
    assert_string_equal(go_on("SELECT c FROM t WHERE k IN (1, 2)", from), "");
    assert_string_equal(go_on("SELECT c FROM t WHERE k = 1", from), "2 3");
}

static void a_sort_keeps_what_its_limit_asks_for(void **state)
{
    enum { ROWS = 100001 };
    char text[128];

    make_table();
    for (int i = 0; i < ROWS; i++) {
        snprintf(text, sizeof(text), "INSERT INTO t (k, c, v) VALUES (%d, %d, 'v')", i % 2, i * 7 % ROWS);
        ask(text);
    }
    assert_string_equal(ask("SELECT c FROM t WHERE k IN (0, 1) ORDER BY c LIMIT 5"), "0 1 2 3 4");
    assert_string_equal(ask("SELECT c FROM t WHERE k IN (0, 1) ORDER BY c DESC LIMIT 4"), "100000 99999 99998 99997");
    assert_string_equal(ask("SELECT c FROM t WHERE k IN (1, 0) GROUP BY k, c ORDER BY c LIMIT 3"), "0 1 2");
    assert_string_equal(ask("SELECT c FROM t WHERE k IN (0, 1) ORDER BY c"),
                        "invalid: ORDER BY with IN restriction on the partition key: more than 100000 rows to sort");
}

static void what_is_not_paged_is_bounded(void **state)
{
    teardown(state);
    open_all(0, 3);
    make_table();
    for (int i = 0; i < 5; i++) {
        char text[128];

        snprintf(text, sizeof(text), "INSERT INTO t (k, c, v) VALUES (1, %d, 'v')", i);
        ask(text);
    }
    assert_int_equal(strncmp(ask("SELECT c FROM t"), "invalid: The result is larger than 3 rows", 41), 0);
    assert_string_equal(ask("SELECT c FROM t LIMIT 3"), "0 1 2");
    assert_string_equal(ask("SELECT count(*) FROM t"), "5");
}

static void conditions_decide_and_show_what_they_saw(void **state)
{
    make_table();
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'a') IF NOT EXISTS");
    assert_int_equal(out.data[out.size - 1], 1);
    ask("SELECT v FROM t WHERE k = 1");
    assert_string_equal(shown, "a");
    ask("UPDATE t SET v = 'b' WHERE k = 1 AND c = 1 IF v = 'z'");
    assert_memory_equal(out.data + out.size - 5, "\0\0\0\1a", 5);
    assert_string_equal(ask("SELECT v FROM t WHERE k = 1"), "a");
}

/* Resolving nested calls tries every candidate for every argument: it must not multiply. */
static void nested_calls_end_soon(void **state)
{
    struct buffer text = { 0 };

    make_table();
    for (int unknown = 0; unknown < 2; unknown++) {
        buffer_reset(&text);
        buffer_append_string(&text, "INSERT INTO t (k, c) VALUES (1, ");
        for (int i = 0; i < 150; i++)
            buffer_append_string(&text, i % 2 ? "abs(" : "floor([");
        buffer_append_string(&text, unknown ? "nonsense(1)" : "1");
        for (int i = 150; i-- > 0;)
            buffer_append_string(&text, i % 2 ? ")" : "])");
        buffer_append_string(&text, ")");
        buffer_append_u8(&text, 0);
        time_t began = time(NULL);
        ask((const char *)text.data);
        assert_int_equal(request.error.status, ERR_INVALID);
        assert_true(time(NULL) - began < 20);
    }
    buffer_fini(&text);
}

static void unset_values_change_nothing(void **state)
{
    struct bytes values[2] = { NATIVE_UNSET, bytes_of(ONE, 4) };

    make_table();
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')");
    assert_string_equal(prepare("UPDATE t SET v = ? WHERE k = 1 AND c = ?"), "ok");
    set_execute(values, 2);
    assert_int_equal(run(worker), QUERY_DONE);
    assert_string_equal(outcome(), "ok");
    assert_string_equal(ask("SELECT c, v FROM t WHERE k = 1"), "1|a");
    values[0] = bytes_of(NULL, 0); /* null is another thing */
    assert_string_equal(prepare("UPDATE t SET v = ? WHERE k = 1 AND c = ?"), "ok");
    set_execute(values, 2);
    assert_int_equal(run(worker), QUERY_DONE);
    assert_string_equal(outcome(), "ok");
    assert_string_equal(ask("SELECT c, v FROM t WHERE k = 1"), "1|null");
    values[1] = NATIVE_UNSET;
    assert_string_equal(prepare("SELECT v FROM t WHERE k = 1 AND c = ?"), "ok");
    set_execute(values + 1, 1);
    assert_int_equal(run(worker), QUERY_DONE);
    assert_string_equal(outcome(), "invalid: Invalid unset value for column c");
}

static void times_and_limits_are_those_asked_for(void **state)
{
    make_table();
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'new') USING TIMESTAMP 2000");
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'zzz') USING TIMESTAMP 1000");
    assert_string_equal(ask("SELECT v, writetime(v) FROM t WHERE k = 1"), "new|2000");
    ask("DELETE FROM t USING TIMESTAMP 1999 WHERE k = 1 AND c = 1");
    assert_string_equal(ask("SELECT v FROM t WHERE k = 1"), "new");
    ask("DELETE FROM t USING TIMESTAMP 2000 WHERE k = 1 AND c = 1");
    assert_string_equal(ask("SELECT v FROM t WHERE k = 1"), "");
    ask("INSERT INTO t (k, c, v) VALUES (2, 1, 'a') USING TTL 1000");
    assert_string_equal(ask("SELECT ttl(v) FROM t WHERE k = 2"), "1000");
    ask("INSERT INTO t (k, c, v) VALUES (2, 2, 'b')");
    ask("INSERT INTO t (k, c, v) VALUES (3, 1, 'c')");
    ask("INSERT INTO t (k, c, v) VALUES (3, 2, 'd')");
    assert_string_equal(ask("SELECT v FROM t WHERE k IN (2, 3) LIMIT 3"), "a b c");
    assert_string_equal(ask("SELECT v FROM t WHERE k IN (2, 3) PER PARTITION LIMIT 1"), "a c");
    assert_string_equal(ask("SELECT v FROM t WHERE k = 2 AND c > 1"), "b");
    assert_string_equal(ask("SELECT v FROM t WHERE k = 2 AND c < 2"), "a");
}

/* ---- traces ---- */

static uint8_t traced_id[16];
static int trace_is_written; /* -1: not yet */

static void begin_trace(void)
{
    next_trace = trace_new(worker, &session, clock_realtime_us(&clock_system), clock_monotonic_us(&clock_system));
    memcpy(traced_id, trace_id(next_trace), 16);
}

static void note_written(void *argument, bool written)
{
    assert_ptr_equal(argument, &trace_is_written);
    trace_is_written = written;
}

static void end_trace(struct trace *trace)
{
    struct table_port *port = query_context_port(worker);

    trace_is_written = -1;
    trace_write(trace, worker, clock_monotonic_us(&clock_system) + 1, note_written, &trace_is_written);
    while (trace_is_written < 0) {
        struct pollfd answer = { .fd = table_port_fd(port), .events = POLLIN };

        table_port_flush(port);
        poll(&answer, 1, 1000);
        table_port_reap(port);
    }
    assert_int_equal(trace_is_written, true);
}

/* What a SELECT with %s for the trace's id answers. */
static const char *of_trace(const char *format)
{
    char id[64], text[512], *at = id;

    for (int i = 0; i < 16; i++)
        at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", traced_id[i]);
    snprintf(text, sizeof(text), format, id);
    return ask(text);
}

static void a_trace_becomes_rows_that_expire(void **state)
{
    ask("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    ask("CREATE TABLE ks.t (k int PRIMARY KEY, v text)");
    begin_trace();
    assert_string_equal(ask("INSERT INTO ks.t (k, v) VALUES (1, 'one')"), "ok");
    end_trace(request.trace);
    assert_string_equal(
        of_trace(
            "SELECT command, request, parameters['query'], parameters['consistency_level'] FROM system_traces.sessions WHERE session_id = %s"),
        "QUERY|Execute CQL3 query|INSERT INTO ks.t (k, v) VALUES (1, 'one')|ONE");
    assert_in_range(atoi(of_trace("SELECT ttl(duration) FROM system_traces.sessions WHERE session_id = %s")), 86000,
                    86400);
    assert_in_range(atoi(of_trace("SELECT ttl(activity) FROM system_traces.events WHERE session_id = %s LIMIT 1")),
                    86000, 86400);
    assert_in_range(atoi(of_trace("SELECT duration FROM system_traces.sessions WHERE session_id = %s")), 1, 30000000);
    of_trace("SELECT activity, thread FROM system_traces.events WHERE session_id = %s");
    assert_non_null(strstr(shown, "Parsing INSERT INTO ks.t (k, v) VALUES (1, 'one')"));
    assert_non_null(strstr(shown, "Shard 0 took the command|owner-0"));
    assert_non_null(strstr(shown, "Writing a group of 1 commands"));
    assert_true(strstr(shown, "took the command") < strstr(shown, "Written and synced"));
    assert_true(strstr(shown, "Written and synced") < strstr(shown, "Answered by its owner: done"));
    begin_trace();
    assert_string_equal(ask("SELECT v FROM ks.t WHERE k = 1"), "one");
    end_trace(request.trace);
    of_trace("SELECT activity FROM system_traces.events WHERE session_id = %s");
    assert_non_null(strstr(shown, "Read 1 live rows and 0 tombstone cells"));
}

/* What an owner did is told when its answer is reaped, maybe after another's. */
static void events_stand_in_the_order_of_their_time(void **state)
{
    struct trace *trace;
    int64_t began_us;

    begin_trace();
    trace = next_trace;
    next_trace = NULL;
    began_us = clock_monotonic_us(&clock_system);
    while (clock_monotonic_us(&clock_system) < began_us + 100)
        continue;
    trace_event(trace, "told first");
    trace_commit(trace, &(struct commit_report){ .taken_us = began_us + 10,
                                                 .began_us = began_us + 20,
                                                 .written_us = began_us + 30,
                                                 .command_count = 1,
                                                 .durable = true });
    end_trace(trace);
    assert_string_equal(
        of_trace("SELECT activity FROM system_traces.events WHERE session_id = %s"),
        "Shard 0 took the command Writing a group of 1 commands, 0 bytes Written and synced after 10 us told first");
}

static void a_trace_has_an_end(void **state)
{
    struct buffer text = { 0 };
    struct native_parameters parameters = { .consistency = CONSISTENCY_ONE, .serial_consistency = CONSISTENCY_SERIAL };
    struct native_column marker = { .name = BYTES_LITERAL("v"), .type = type_native(TYPE_TEXT) };
    struct trace *trace;

    memset(buffer_extend(&text, 200000), 'x', 200000);
    begin_trace();
    trace = next_trace;
    next_trace = NULL;
    trace_query(trace, "Execute CQL3 query", buffer_bytes(&text), &parameters);
    for (uint32_t i = 0; i < 3000; i++)
        trace_bind(trace, i, &marker, buffer_bytes(&text));
    for (uint32_t i = 0; i < 3000; i++)
        trace_event(trace, "event %u", i);
    end_trace(trace);
    of_trace("SELECT count(*) FROM system_traces.events WHERE session_id = %s");
    assert_in_range(atoi(shown), 0, 10); /* the values had filled it */
    of_trace("SELECT parameters['bound_var_0_v'] FROM system_traces.sessions WHERE session_id = %s");
    assert_int_equal(strlen(shown), TRACE_VALUE_UNITS_MAX + strlen("...'"));
    assert_string_equal(
        of_trace("SELECT parameters['bound_var_2999_v'] FROM system_traces.sessions WHERE session_id = %s"), "null");
    of_trace("SELECT parameters['query'] FROM system_traces.sessions WHERE session_id = %s");
    assert_in_range(out.size, TRACE_QUERY_BYTES_MAX, TRACE_QUERY_BYTES_MAX + 200);
    begin_trace();
    trace = next_trace;
    next_trace = NULL;
    for (uint32_t i = 0; i < 3000; i++)
        trace_event(trace, "event %u", i);
    end_trace(trace);
    assert_string_equal(of_trace("SELECT count(*) FROM system_traces.events WHERE session_id = %s"), "256");
    buffer_fini(&text);
}

/* ---- warnings ---- */

static const char *warnings(void)
{
    shown[0] = '\0';
    for (uint32_t i = 0; i < request.warning_count; i++)
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%s%.*s", i ? " / " : "",
                 BYTES(request.warnings[i]));
    return shown;
}

/* A batch of `count` rows of `size` bytes each, of as many partitions or of one. */
static const char *warned_of(const char *kind, const char *table, int count, int size, bool one_partition)
{
    struct buffer text = { 0 };

    buffer_printf(&text, "BEGIN %s BATCH ", kind);
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "INSERT INTO ks.%s (k, v) VALUES (%d, '%0*d');", table, one_partition ? 1 : i, size, 0);
    buffer_append_string(&text, " APPLY BATCH");
    buffer_append_u8(&text, 0);
    assert_string_equal(ask((const char *)text.data), "ok");
    buffer_fini(&text);
    return warnings();
}

/* The numbers are those Cassandra gave (tests/drivers/python/tracing.json holds us to more of its words). */
static void clients_are_warned_as_by_cassandra(void **state)
{
    ask("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    ask("CREATE TABLE ks.t (k int PRIMARY KEY, v text)");
    ask("CREATE TABLE ks.g (k int PRIMARY KEY, v text) WITH gc_grace_seconds = 0");
    ask("CREATE TABLE ks.c (k int, c int, PRIMARY KEY (k, c))");
    assert_string_equal(warned_of("", "t", 2, 3000, false),
                        "Batch for [ks.t] is of size 6140, exceeding specified threshold of 5120 by 1020.");
    assert_string_equal(warned_of("", "t", 2, 2490, false), "");
    assert_string_equal(warned_of("", "t", 2, 3000, true), "");
    assert_string_equal(warned_of("UNLOGGED", "t", 10, 1, false), "");
    assert_non_null(strstr(warned_of("UNLOGGED", "t", 11, 1, false), "Unlogged batch covering 11 partitions"));
    assert_string_equal(warned_of("", "t", 11, 1, false), "");
    assert_non_null(strstr(warned_of("", "g", 1, 1, false),
                           "Executing a LOGGED BATCH on table [ks.g], configured with a gc_grace_seconds of 0."));
    assert_string_equal(warned_of("UNLOGGED", "g", 1, 1, false), "");
    for (int i = 0; i < 1000; i++) {
        char text[64];

        snprintf(text, sizeof(text), "DELETE FROM ks.c WHERE k = 1 AND c = %d", i);
        ask(text);
    }
    ask("SELECT c FROM ks.c WHERE k = 1");
    assert_string_equal(warnings(), "");
    ask("DELETE FROM ks.c WHERE k = 1 AND c = 1000");
    ask("SELECT c FROM ks.c WHERE k = 1");
    assert_string_equal(
        warnings(),
        "Read 0 live rows and 1001 tombstone cells for query SELECT c FROM ks.c WHERE k = 1; token -4069959284402364209 (see tombstone_warn_threshold)");
}

/* before, `count` times each of what opens and what closes around the middle, after. */
static const char *ask_many(const char *before, const char *opens, uint32_t count, const char *middle,
                            const char *closes, const char *after)
{
    struct buffer text CLEANUP(buffer_fini) = { 0 };

    buffer_append_string(&text, before);
    for (uint32_t i = 0; i < count; i++)
        buffer_append_string(&text, opens);
    buffer_append_string(&text, middle);
    for (uint32_t i = 0; i < count; i++)
        buffer_append_string(&text, closes);
    buffer_append_string(&text, after);
    buffer_append_u8(&text, 0);
    return ask((const char *)text.data);
}

/* Calls of calls, each of which makes some kilobytes, as many as the statement has words for. */
static void many_small_results_are_bounded_together(void **state)
{
    enum { DEPTH = 13, CALLS = 18000 };
    static const char too_large_results[] = "invalid: The results of functions are larger than 536870912 bytes";
    struct buffer calls = { 0 };

    make_table();
    for (uint32_t i = 0; i < CALLS; i++) {
        for (uint32_t k = 0; k < DEPTH; k++)
            buffer_append_string(&calls, "to_json(");
        buffer_append_string(&calls, "'abcd'");
        for (uint32_t k = 0; k < DEPTH; k++)
            buffer_append_string(&calls, ")");
        buffer_append_string(&calls, i + 1 < CALLS ? "," : "");
    }
    buffer_append_u8(&calls, 0);
    assert_string_equal(
        ask_many("SELECT c FROM t WHERE v IN (", "", 0, (const char *)calls.data, "", ") ALLOW FILTERING"),
        too_large_results);
    buffer_fini(&calls);
}

static void what_a_row_says_again_and_again_is_bounded(void **state)
{
    enum { VALUE_BYTES = 100000, TIMES = 2000, DEPTH = 66, CALLS = 100 };
    static const char too_large[] = "invalid: The result is larger than 1000000 rows or 67108864 bytes: page it";
    static const char too_large_value[] = "invalid: A value is larger than 67108864 bytes";
    static const char too_large_result[] = "invalid: The result of system.to_json is larger than 67108864 bytes";
    static const char too_large_results[] = "invalid: The results of functions are larger than 536870912 bytes";
    static char text[64 << 10];
    struct buffer call = { 0 };

    make_table();
    assert_string_equal(ask_many("INSERT INTO t (k, c, v) VALUES (1, 1, '", "x", VALUE_BYTES, "", "", "')"), "ok");
    assert_string_equal(ask_many("SELECT ", "v, ", TIMES, "c", "", " FROM t WHERE k = 1"), too_large);
    assert_string_equal(ask_many("SELECT ", "to_json(v), ", TIMES, "c", "", " FROM t WHERE k = 1"), too_large);
    assert_string_equal(ask_many("SELECT [", "v, ", TIMES, "v", "", "] FROM t WHERE k = 1"), too_large_value);
    assert_string_equal(ask_many("SELECT ", "to_json(", DEPTH, "c", ")", " FROM t WHERE k = 1"), too_large_result);
    assert_string_equal(ask_many("UPDATE t SET v = ", "to_json(", DEPTH, "1", ")", " WHERE k = 1 AND c = 2"),
                        too_large_result);
    for (uint32_t i = 0; i < CALLS; i++) {
        for (uint32_t k = 0; k < DEPTH / 3; k++)
            buffer_append_string(&call, "to_json(");
        buffer_append_string(&call, "1");
        for (uint32_t k = 0; k < DEPTH / 3; k++)
            buffer_append_string(&call, ")");
        buffer_append_string(&call, i + 1 < CALLS ? ", " : "");
    }
    buffer_append_u8(&call, 0);
    snprintf(text, sizeof(text), "SELECT c FROM t WHERE v IN (%s) ALLOW FILTERING", (const char *)call.data);
    assert_string_equal(prepare(text), too_large_results);
    buffer_reset(&call);
    for (uint32_t i = 0; i < CALLS; i++) {
        buffer_append_string(&call, "collection_count([");
        for (uint32_t k = 0; k < 400; k++)
            buffer_append_string(&call, "v,");
        buffer_append_string(&call, "v]), ");
    }
    buffer_append_u8(&call, 0);
    assert_string_equal(ask_many("SELECT ", "", 0, (const char *)call.data, "", "c FROM t WHERE k = 1"),
                        too_large_results);
    assert_string_equal(ask("SELECT c FROM t WHERE k = 1"), "1");
    buffer_fini(&call);
}

/* Cassandra writes a row that nobody finds, or nothing; what a read finds by them is in tests/cql/tuples_bound.expected. */
static void short_tuples_write_nothing(void **state)
{
    static const uint8_t list[] = { 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 1 };
    static const struct {
        const char *text;
        struct bytes value;
    } writes[] = {
        { "UPDATE w SET v = 'x' WHERE k = 1 AND (c, d) IN ?", { list, sizeof(list) } },
        { "UPDATE w SET v = 'x' WHERE k = 1 AND (c, d) = ?", { list + 8, 8 } },
        { "DELETE v FROM w WHERE k = 1 AND (c, d) = ?", { list + 8, 8 } },
        { "DELETE FROM w WHERE k = 1 AND (c, d) IN ?", { list, sizeof(list) } },
        { "UPDATE w SET v = 'x' WHERE k = 1 AND (c, d) = ? IF v = 'a'", { list + 8, 8 } },
    };
    static const char refused[] = "invalid: Invalid null value in condition for columns: [c, d]";

    make_table();
    assert_string_equal(ask("CREATE TABLE w (k int, c int, d int, v text, PRIMARY KEY (k, c, d))"), "ok");
    assert_string_equal(ask("INSERT INTO w (k, c, d, v) VALUES (1, 1, 1, 'a')"), "ok");
    for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
        assert_string_equal(prepare(writes[i].text), "ok");
        set_execute(&writes[i].value, 1);
        assert_int_equal(run(worker), QUERY_DONE);
        assert_string_equal(outcome(), refused);
    }
    assert_string_equal(ask("SELECT c, d, v FROM w"), "1|1|a");
    assert_string_equal(ask("CREATE TABLE x (k int, c int, d int, e text, PRIMARY KEY (k, c, d, e))"), "ok");
    assert_string_equal(prepare("SELECT c FROM x WHERE k = 1 AND (c, d) = ? AND e > 'a'"), "ok");
    set_execute(&writes[1].value, 1);
    assert_int_equal(run(worker), QUERY_DONE);
    assert_string_equal(outcome(), refused);
}

/* ---- accounts ---- */

#define ALICE "111122223333"
#define BOB   "444455556666"

/* A new session of the account; NULL: the default one. */
static void as(const char *digits)
{
    struct error err;

    free((void *)session.keyspace.data);
    session.keyspace = bytes_of(NULL, 0);
    session.account = catalog_account_default(catalog);
    if (digits)
        must(catalog_account(catalog, bytes_of_string(digits), &session.account, &err), &err);
}

static void an_account_has_names_of_its_own(void **state)
{
    static const char *const all[] = { ALICE, BOB, NULL };
    static const char *const others[] = { "USE k",
                                          "DESCRIBE KEYSPACE k",
                                          "SELECT v FROM k.t",
                                          "TRUNCATE k.t",
                                          "DROP KEYSPACE k",
                                          "CREATE TABLE k.u (k int PRIMARY KEY)",
                                          "INSERT INTO k.t (k, c, v) VALUES (1, 1, 'x')" };
    char text[200];

    as(ALICE);
    make_table();
    ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'alices')");
    as(BOB);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (!strstr(ask(others[i]), "t exist") && !strstr(shown, "not found"))
            fail_msg("%s", shown);
    assert_string_equal(prepare("SELECT v FROM k.t"), "invalid: keyspace k does not exist");
    make_table();
    as(NULL);
    make_table();
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        assert_string_equal(ask("USE k"), "ok");
        assert_string_equal(ask("SELECT v FROM t"), i ? "" : "alices");
        snprintf(text, sizeof(text), "INSERT INTO t (k, c, v) VALUES (1, 1, '%s')", all[i] ? all[i] : "default");
        assert_string_equal(ask(text), "ok");
    }
    as(BOB);
    assert_string_equal(ask("DROP KEYSPACE k"), "ok");
    as(ALICE);
    assert_string_equal(ask("SELECT v FROM k.t"), ALICE);
    as(NULL);
    assert_string_equal(ask("SELECT v FROM k.t"), "default");
    assert_string_equal(ask("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'k'"), "t");
    as(BOB);
    assert_string_equal(ask("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'k'"), "");
}

/* Each account's own statement of one text, by an id of its own; the default one's is Cassandra's. */
static void prepared_ids_are_an_accounts_own(void **state)
{
    static const char *const all[] = { NULL, ALICE, BOB };
    static const char text[] = "SELECT v FROM t WHERE k = ?";
    uint8_t ids[3][16], cassandras[16];
    char insert[100];

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        as(all[i]);
        make_table();
        snprintf(insert, sizeof(insert), "INSERT INTO t (k, c, v) VALUES (1, 1, 'the row of %zu')", i);
        assert_string_equal(ask(insert), "ok");
        assert_string_equal(prepare(text), "ok");
        memcpy(ids[i], prepared_statement_id, 16);
    }
    prepared_id(bytes_of(NULL, 0), BYTES_LITERAL("k"), bytes_of_string(text), cassandras);
    assert_memory_equal(ids[0], cassandras, 16);
    for (size_t round = 0; round < 2; round++) /* from the cache, then from what the context keeps */
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
            for (size_t j = 0; j < ARRAY_SIZE(all); j++) {
                as(all[i]);
                memcpy(prepared_statement_id, ids[j], 16);
                assert_int_equal(i == j, memcmp(ids[i], ids[j], 16) == 0);
                snprintf(insert, sizeof(insert), "the row of %zu", i);
                assert_string_equal(execute(loop), i == j ? insert : "unprepared");
                assert_string_equal(execute(worker), i == j ? insert : "unprepared");
            }
}

/* Whoever changes definitions, and in whichever account: what is unfit there is forgotten, and nothing elsewhere. */
static void what_a_change_made_unfit_is_forgotten_in_its_account(void **state)
{
    static const char *const changes[] = { "CREATE TABLE u (k int PRIMARY KEY)", "ALTER TABLE t ADD w int" };
    struct cql_statement *statement;
    struct ddl_change change;
    struct query_stats stats;
    uint8_t alices[16];
    struct error err;

    as(ALICE);
    make_table();
    assert_string_equal(prepare("SELECT v FROM k.t WHERE k = ?"), "ok");
    memcpy(alices, prepared_statement_id, 16);
    as(BOB);
    make_table();
    assert_string_equal(prepare("SELECT v FROM k.t WHERE k = ?"), "ok");
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) { /* not by a statement of a client */
        arena_reset(arena);
        must(cql_parse(arena, bytes_of_string(changes[i]), &statement, &err), &err);
        must(catalog_change(catalog, session.account, query_context_port(worker), statement, BYTES_LITERAL("k"), arena,
                            &change, &err),
             &err);
        query_engine_stats(engine, &stats);
        assert_int_equal(stats.prepared_count, 2 - i);
    }
    assert_string_equal(execute(loop), "unprepared");
    as(ALICE);
    memcpy(prepared_statement_id, alices, 16);
    assert_string_equal(execute(loop), "");
}

static void a_trace_is_written_to_its_account(void **state)
{
    uint8_t alices[16];

    as(ALICE);
    make_table();
    begin_trace();
    memcpy(alices, traced_id, 16);
    assert_string_equal(ask("INSERT INTO t (k, c, v) VALUES (1, 1, 'a')"), "ok");
    struct trace *trace = request.trace;
    as(BOB); /* what the connection's loop does meanwhile does not matter */
    end_trace(trace);
    assert_string_equal(of_trace("SELECT command FROM system_traces.sessions WHERE session_id = %s"), "");
    assert_string_equal(ask("SELECT command FROM system_traces.sessions"), "");
    assert_string_equal(ask("SELECT activity FROM system_traces.events"), "");
    as(NULL);
    assert_string_equal(ask("SELECT command FROM system_traces.sessions"), "");
    as(ALICE);
    assert_string_equal(of_trace("SELECT command FROM system_traces.sessions WHERE session_id = %s"), "QUERY");
    assert_string_equal(ask("SELECT command FROM system_traces.sessions"), "QUERY");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_loop_leaves_what_takes_long_to_others),
        TEST(a_loop_does_not_compute_for_long),
        TEST(a_page_ends_when_it_has_taken_long),
        TEST(a_loop_waits_for_owners_and_disks_by_answering_so),
        TEST(an_id_is_the_md5_of_keyspace_and_text),
        TEST(an_unknown_id_is_told_back),
        TEST(a_statement_may_have_65535_markers),
        TEST(a_full_cache_forgets_what_was_not_used),
        TEST(statements_of_changed_tables_are_unprepared),
        TEST(what_fits_no_more_is_let_go),
        TEST(what_others_change_is_let_go),
        TEST(an_older_schema_unprepares_nothing),
        TEST(pages_meet_without_gap_or_overlap),
        TEST(a_tampered_state_is_refused),
        TEST(a_state_is_of_its_table_not_of_its_statement),
        TEST(a_position_in_one_partition_is_none_among_all),
        TEST(a_sort_keeps_what_its_limit_asks_for),
        TEST(what_is_not_paged_is_bounded),
        TEST(what_a_row_says_again_and_again_is_bounded),
        TEST(many_small_results_are_bounded_together),
        TEST(conditions_decide_and_show_what_they_saw),
        TEST(nested_calls_end_soon),
        TEST(unset_values_change_nothing),
        TEST(short_tuples_write_nothing),
        TEST(times_and_limits_are_those_asked_for),
        TEST(an_account_has_names_of_its_own),
        TEST(prepared_ids_are_an_accounts_own),
        TEST(what_a_change_made_unfit_is_forgotten_in_its_account),
        TEST(a_trace_is_written_to_its_account),
        TEST(a_trace_becomes_rows_that_expire),
        TEST(events_stand_in_the_order_of_their_time),
        TEST(a_trace_has_an_end),
        TEST(clients_are_warned_as_by_cassandra),
    };

    return cmocka_run_group_tests_name("query/query", tests, NULL, NULL);
}
