/* Connections against a query layer of the test's own, over real sockets: who may ask what when, replies in any order,
 * requests that are pending or wait, limits, events, the end. query_ and table_port_ functions are defined here and so
 * take the place of the library's. */
#include "base/crc.h"
#include "catalog/catalog.h"
#include "query/trace.h"
#include "server/native/connection.h"
#include "table/table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <lz4.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a query layer: the statement says what happens ----
 *   "void"            RESULT void
 *   "big N"           a reply of N bytes
 *   "pending"         answered from the port, after everything that was not pending
 *   "pending again"   pending once more;  "pending wait": then a worker's
 *   "wait"            answered by a worker
 *   "wait pending"    by a worker, from its own port
 *   "use NAME"        sets the session's keyspace;  "wait use NAME": a worker does
 *   "fail"            ERR_INVALID "no such thing"
 *   "warn"            void, with a warning
 *   "keyspace"        set_keyspace with the session's;  "account": with its account's digits */

struct table_port {
    int fd;
    struct query_request *pending[64];
    unsigned count;
    struct held_trace {
        void (*done)(void *argument, bool written);
        void *argument;
    } traces[NATIVE_TRACES_MAX]; /* whose rows are being written */
    unsigned trace_count;
};

struct query_context {
    bool may_wait;
    struct table_port port;
};

static atomic_uint flushes, worker_runs, begun_pending, finished;
static atomic_bool hold_pending, hold_traces;

struct query_context *query_context_new(struct query_engine *engine, bool may_wait)
{
    struct query_context *context = xcalloc(1, sizeof(*context));

    context->may_wait = may_wait;
    context->port.fd = eventfd(0, EFD_NONBLOCK);
    return context;
}

void query_context_free(struct query_context *context)
{
    close(context->port.fd);
    free(context);
}

struct table_port *query_context_port(struct query_context *context)
{
    return &context->port;
}

int table_port_fd(const struct table_port *port)
{
    return port->fd;
}

void table_port_flush(struct table_port *port)
{
    if (port->count && !hold_pending) {
        atomic_fetch_add(&flushes, 1);
        assert_int_equal(eventfd_write(port->fd, 1), 0);
    }
}

static atomic_uint traces_begun, traces_ended;

static void trace_done(struct table_port *port)
{
    struct held_trace trace = port->traces[--port->trace_count];

    atomic_fetch_add(&traces_ended, 1);
    trace.done(trace.argument, true);
}

void table_port_reap(struct table_port *port)
{
    eventfd_t value;
    unsigned count = port->count;
    struct query_request *done[64];

    eventfd_read(port->fd, &value);
    memcpy(done, port->pending, sizeof(done));
    port->count = 0;
    for (unsigned i = 0; i < count; i++)
        done[i]->done(done[i]);
    while (port->trace_count && !hold_traces)
        trace_done(port);
}

static bool says(struct bytes text, const char *word, struct bytes *rest)
{
    size_t size = strlen(word);

    if (text.size < size || memcmp(text.data, word, size) != 0)
        return false;
    *rest = bytes_of(text.data + size, text.size - size);
    return true;
}

enum query_result query_run(struct query_context *context, struct query_request *request, struct buffer *out)
{
    struct bytes text = request->message->query.statement, rest;

    request->detail = (struct native_error_detail){ 0 };
    if (says(text, "wait", &rest)) {
        if (!context->may_wait) {
            buffer_append_string(out, "rubbish that must not be sent");
            return QUERY_WAITS;
        }
        atomic_fetch_add(&worker_runs, 1);
        if (rest.size)
            text = bytes_of(rest.data + 1, rest.size - 1);
    }
    if (says(text, "pending", &rest) && !context->may_wait) { /* one that may wait has it done when it returns */
        assert_true(context->port.count < 64);
        context->port.pending[context->port.count++] = request;
        atomic_fetch_add(&begun_pending, 1);
        return QUERY_PENDING;
    }
    if (says(text, "fail", &rest)) {
        error_set(&request->error, ERR_INVALID, "no such thing");
        buffer_append_string(out, "rubbish that must not be sent");
    } else if (says(text, "use ", &rest)) {
        free((void *)request->session->keyspace.data);
        request->session->keyspace = bytes_of(xstrndup(rest.data, rest.size), rest.size);
        request->was_use = true;
        native_encode_result_set_keyspace(out, rest);
    } else if (says(text, "account", &rest)) {
        native_encode_result_set_keyspace(out, catalog_account_name(request->session->account));
    } else if (says(text, "keyspace", &rest)) {
        native_encode_result_set_keyspace(out, request->session->keyspace);
    } else if (says(text, "big ", &rest)) {
        size_t size = (size_t)atol(arena_string(request->arena, rest));

        memset(buffer_extend(out, size), 'b', size);
    } else {
        if (says(text, "warn", &rest)) {
            request->warnings = arena_new_array(request->arena, struct bytes, 1);
            request->warnings[0] = BYTES_LITERAL("careful");
            request->warning_count = 1;
        }
        native_encode_result_void(out);
    }
    return QUERY_DONE;
}

/* ---- traces: an id, and a write that is over at once, or when the port is reaped and nobody holds it ---- */

struct trace {
    uint8_t id[16];
};

struct trace *trace_new(struct query_context *context, const struct query_session *session, int64_t started_us,
                        int64_t began_us)
{
    struct trace *trace = xcalloc(1, sizeof(*trace));

    memset(trace->id, 0x77, sizeof(trace->id));
    atomic_fetch_add(&traces_begun, 1);
    return trace;
}

const uint8_t *trace_id(const struct trace *trace)
{
    return trace->id;
}

void trace_event(struct trace *trace, const char *format, ...)
{
}

void trace_write(struct trace *trace, struct query_context *context, int64_t ended_us,
                 void (*done)(void *argument, bool written), void *argument)
{
    struct table_port *port = &context->port;

    free(trace);
    assert_true(port->trace_count < NATIVE_TRACES_MAX);
    port->traces[port->trace_count++] = (struct held_trace){ done, argument };
    if (!hold_traces)
        trace_done(port);
}

void query_shape(struct query_context *context, const struct query_request *request, struct query_shape *shape)
{
    *shape = (struct query_shape){ .statement_count = 1, .text = arena_copy(request->arena, BYTES_LITERAL("SHAPE")) };
}

enum query_result query_finish(struct query_context *context, struct query_request *request, struct buffer *out)
{
    struct bytes rest = { 0 };

    atomic_fetch_add(&finished, 1);
    if (!out) /* nobody hears it */
        return QUERY_DONE;
    assert_true(says(request->message->query.statement, "pending", &rest));
    if (says(rest, " again", &rest) && !request->state) {
        request->state = request;
        return query_run(context, request, out);
    }
    if (says(rest, " wait", &rest)) {
        buffer_append_string(out, "rubbish that must not be sent");
        return QUERY_WAITS;
    }
    native_encode_result_void(out);
    return QUERY_DONE;
}

/* ---- accounts: the default one, and one that all others are ---- */

struct catalog_account {
    char digits[ACCOUNT_DIGITS + 1];
};
static struct catalog_account accounts[2] = { { "000000000000" }, { "" } };

struct catalog_account *catalog_account_default(struct catalog *catalog)
{
    return &accounts[0];
}

enum status catalog_account(struct catalog *catalog, struct bytes digits, struct catalog_account **result,
                            struct error *err)
{
    if (bytes_equal(digits, BYTES_LITERAL("999999999999")))
        return error_set(err, ERR_OVERLOADED, "too many accounts");
    snprintf(accounts[1].digits, sizeof(accounts[1].digits), "%.*s", BYTES(digits));
    *result = &accounts[1];
    return OK;
}

struct bytes catalog_account_name(const struct catalog_account *account)
{
    return bytes_of_string(account->digits);
}

/* ---- logins: one password is right, and a check waits while the test says so ---- */

static struct workers *login_workers;
static atomic_bool hold_logins;
static atomic_uint logins_submitted;
static const _Atomic uint64_t login_epoch = 1;

enum status login_parse(struct bytes token, struct bytes *user, struct bytes *password, struct error *err)
{
    *user = BYTES_LITERAL("me");
    *password = token;
    return token.size ? OK : error_set(err, ERR_CREDENTIALS, "empty");
}

static void login_run(struct worker_job *job, void *local)
{
    struct login_check *check = CONTAINER_OF(job, struct login_check, job);

    while (atomic_load(&hold_logins))
        sched_yield();
    if (bytes_equal(check->password, BYTES_LITERAL("right"))) {
        check->account = &accounts[1];
        check->login = xcalloc(1, sizeof(*check->login));
        check->login->epoch = &login_epoch;
    } else {
        error_set(&check->error, ERR_CREDENTIALS, "wrong");
    }
}

bool login_submit(struct logins *logins, struct login_check *check)
{
    if (bytes_equal(check->password, BYTES_LITERAL("busy")))
        return false;
    check->job.run = login_run;
    atomic_fetch_add(&logins_submitted, 1);
    return workers_submit(login_workers, &check->job);
}

/* ---- a server ---- */

struct fixture {
    struct native_service service;
    struct native_loop *loops[2];
    struct sockaddr_storage address;
    struct workers *workers;
    struct clients clients;
};

static struct fixture *start(bool password, const struct native_limits *limits)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct workers_options workers = {
        .count = 2, .queue_jobs_max = 100, .start = native_worker_start, .stop = native_worker_stop
    };
    struct error error;

    atomic_store(&hold_pending, false);
    f->service.limits = (struct native_limits){ 100, 1 << 20, 32, 4, 256 << 10, 16 << 20, 10000000, 5000000, 2000000 };
    if (limits)
        f->service.limits = *limits;
    if (!f->service.limits.request_bytes_max) {
        f->service.limits.request_bytes_max = 64 << 20;
        f->service.limits.share_bytes_max = 16 << 20;
    }
    f->service.wants_password = password;
    clients_init(&f->clients);
    f->service.clients = &f->clients;
    f->service.clock = &clock_system;
    assert_int_equal(workers_new(&workers, &f->service.workers, &error), OK);
    f->service.loops = f->loops;
    assert_int_equal(listener_parse("127.0.0.1", 0, &f->address, &error), OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(native_loop_open(&f->service, &f->address, &f->loops[i], &error), OK);
        f->service.loop_count++;
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(native_loop_start(f->loops[i], i, &error), OK);
    return f;
}

static void stop(struct fixture *f)
{
    for (unsigned i = 0; i < 2; i++)
        native_loop_drain(f->loops[i]);
    for (unsigned i = 0; i < 2; i++)
        assert_true(native_loop_join(f->loops[i]));
    workers_free(f->service.workers);
    for (unsigned i = 0; i < 2; i++)
        native_loop_close(f->loops[i]);
    assert_int_equal(atomic_load(&f->service.connection_count), 0);
    assert_null(f->clients.first);
    clients_fini(&f->clients);
    free(f);
}

/* ---- a client ---- */

static int dial(struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = { .tv_sec = 10 };

    assert_int_equal(connect(fd, (struct sockaddr *)&f->address, sizeof(struct sockaddr_in)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static void ask_raw(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

static void frame(struct buffer *out, uint8_t opcode, int16_t stream, struct bytes body)
{
    buffer_append_u8(out, 4);
    buffer_append_u8(out, 0);
    buffer_append_be16(out, (uint16_t)stream);
    buffer_append_u8(out, opcode);
    buffer_append_be32(out, (uint32_t)body.size);
    buffer_append_bytes(out, body);
}

static void query_frame(struct buffer *out, int16_t stream, const char *statement)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 };

    buffer_append_be32(&body, (uint32_t)strlen(statement));
    buffer_append_string(&body, statement);
    buffer_append(&body, "\0\1\0", 3);
    frame(out, NATIVE_QUERY, stream, buffer_bytes(&body));
}

static void traced_frame(struct buffer *out, int16_t stream, const char *statement)
{
    size_t start = out->size;

    query_frame(out, stream, statement);
    out->data[start + 1] = NATIVE_FLAG_TRACING;
}

static void ask(int fd, uint8_t opcode, int16_t stream, struct bytes body)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };

    frame(&out, opcode, stream, body);
    ask_raw(fd, out.data, out.size);
}

static void ask_query(int fd, int16_t stream, const char *statement)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };

    query_frame(&out, stream, statement);
    ask_raw(fd, out.data, out.size);
}

struct answer {
    uint8_t version, flags, opcode;
    int16_t stream;
    uint32_t size;
    uint8_t body[4096]; /* its beginning */
};

static bool read_all(int fd, void *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t more = recv(fd, (uint8_t *)to + got, size - got, 0);

        if (more <= 0)
            return false;
        got += (size_t)more;
    }
    return true;
}

static bool listen_once(int fd, struct answer *answer)
{
    uint8_t header[9], rest[4096];

    memset(answer, 0, sizeof(*answer));
    if (!read_all(fd, header, sizeof(header)))
        return false;
    answer->version = header[0];
    answer->flags = header[1];
    answer->stream = (int16_t)load_be16(header + 2);
    answer->opcode = header[4];
    answer->size = load_be32(header + 5);
    for (uint32_t got = 0; got < answer->size;) {
        uint32_t now = answer->size - got < sizeof(rest) ? answer->size - got : sizeof(rest);

        if (!read_all(fd, rest, now))
            return false;
        if (got == 0)
            memcpy(answer->body, rest, now);
        got += now;
    }
    return true;
}

static void assert_error(const struct answer *answer, uint32_t code, const char *message)
{
    assert_int_equal(answer->opcode, NATIVE_ERROR);
    assert_int_equal(load_be32(answer->body), code);
    if (message) {
        assert_int_equal(load_be16(answer->body + 4), strlen(message));
        assert_memory_equal(answer->body + 6, message, strlen(message));
    }
}

static const char startup_body[] = "\0\1\0\x0b"
                                   "CQL_VERSION\0\5"
                                   "3.0.0";
#define STARTUP_BODY bytes_of(startup_body, sizeof(startup_body) - 1)

static int open_session(struct fixture *f)
{
    struct answer answer;
    int fd = dial(f);

    ask(fd, NATIVE_STARTUP, 0, STARTUP_BODY);
    assert_true(listen_once(fd, &answer));
    assert_int_equal(answer.opcode, NATIVE_READY);
    assert_int_equal(answer.version, 0x84);
    return fd;
}

/* ---- tests ---- */

static void each_state_has_its_requests(void **state)
{
    struct fixture *f = start(false, NULL);
    struct answer a;
    int fd = dial(f);

    ask(fd, NATIVE_OPTIONS, 5, bytes_of("", 0));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_SUPPORTED);
    assert_int_equal(a.stream, 5);
    ask_query(fd, 6, "void");
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, "Unexpected message QUERY, expecting STARTUP or OPTIONS");
    ask(fd, NATIVE_STARTUP, 7, bytes_of("\0\0", 2));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, "Missing value CQL_VERSION in STARTUP message");
    ask(fd, NATIVE_STARTUP, 7,
        bytes_of("\0\2\0\x0b"
                 "CQL_VERSION\0\5"
                 "3.0.0\0\x0b"
                 "COMPRESSION\0\4"
                 "zstd",
                 41));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, "Unknown compression algorithm: zstd");
    ask(fd, NATIVE_STARTUP, 7,
        bytes_of("\0\1\0\x0b"
                 "CQL_VERSION\0\5"
                 "2.0.0",
                 22));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A,
                 "CQL version 2.0.0 is not supported by the binary protocol (supported version are >= 3.0.0)");
    ask(fd, NATIVE_STARTUP, 8, /* what ScyllaDB's drivers say; Cassandra takes it */
        bytes_of("\0\1\0\x0b"
                 "CQL_VERSION\0\5"
                 "4.0.0",
                 22));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_READY);
    ask(fd, NATIVE_STARTUP, 9, STARTUP_BODY);
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, NULL);
    ask_query(fd, 10, "void");
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    assert_int_equal(a.size, 4);
    ask(fd, 0x55, 11, bytes_of("", 0));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, "Unknown opcode 85");
    /* v3 in the midst of v4 */
    ask_raw(fd, "\3\0\0\1\5\0\0\0\0", 9);
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, NULL);
    close(fd);
    stop(f);
}

static void later_versions_step_down(void **state)
{
    struct fixture *f = start(false, NULL);
    struct answer a;
    int fd = dial(f);

    ask_raw(fd, "\6\0\0\7\1\0\0\0\0", 9);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.version, 0x85);
    assert_int_equal(a.stream, 7);
    assert_error(&a, 0x000A, "Invalid or unsupported protocol version (6); supported versions are (3/v3, 4/v4, 5/v5)");
    assert_false(listen_once(fd, &a)); /* closed */
    close(fd);
    fd = dial(f); /* what may be asked before STARTUP is asked in any version */
    for (uint8_t version = 5; version >= 3; version -= 2) {
        ask_raw(fd, (uint8_t[]){ version, 0, 0, 7, NATIVE_OPTIONS, 0, 0, 0, 0 }, 9);
        assert_true(listen_once(fd, &a));
        assert_int_equal(a.version, 0x80 | version);
        assert_int_equal(a.opcode, NATIVE_SUPPORTED);
    }
    ask(fd, NATIVE_STARTUP, 8, STARTUP_BODY);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.version, 0x84);
    assert_int_equal(a.opcode, NATIVE_READY);
    close(fd);
    stop(f);
}

/* ---- v5 ---- */

struct v5 {
    int fd;
    enum native_compression compression;
    struct buffer got; /* payloads */
    uint32_t segments; /* that came */
    uint8_t scratch[NATIVE_SEGMENT_PAYLOAD_MAX + 1];
};

static struct v5 *open_v5(struct fixture *f, enum native_compression compression, uint8_t expected)
{
    static const char with_lz4[] = "\0\2\0\x0b"
                                   "CQL_VERSION\0\5"
                                   "3.0.0\0\x0b"
                                   "COMPRESSION\0\3"
                                   "lz4";
    struct v5 *v5 = xcalloc(1, sizeof(*v5));
    struct bytes body = compression ? bytes_of(with_lz4, sizeof(with_lz4) - 1) : STARTUP_BODY;
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct answer answer;

    v5->fd = dial(f);
    v5->compression = compression;
    frame(&out, NATIVE_STARTUP, 0, body);
    out.data[0] = 5;
    ask_raw(v5->fd, out.data, out.size);
    assert_true(listen_once(v5->fd, &answer)); /* not in a segment */
    assert_int_equal(answer.version, 0x85);
    assert_int_equal(answer.opcode, expected);
    return v5;
}

static void close_v5(struct v5 *v5)
{
    buffer_fini(&v5->got);
    close(v5->fd);
    free(v5);
}

static void envelope(struct buffer *out, uint8_t opcode, int16_t stream, struct bytes body)
{
    size_t at = out->size;

    frame(out, opcode, stream, body);
    out->data[at] = 5;
}

static void query_envelope(struct buffer *out, int16_t stream, const char *statement)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 };

    buffer_append_be32(&body, (uint32_t)strlen(statement));
    buffer_append_string(&body, statement);
    buffer_append(&body, "\0\1\0\0\0\0", 6);
    envelope(out, NATIVE_QUERY, stream, buffer_bytes(&body));
}

static void ask_segments(struct v5 *v5, struct bytes envelopes)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 }, packed = { 0 };
    size_t start = native_segments_begin(&out, v5->compression);

    buffer_append_bytes(&out, envelopes);
    native_segments_end(&out, start, v5->compression, &packed);
    ask_raw(v5->fd, out.data, out.size);
}

static bool read_segment(struct v5 *v5)
{
    static const uint8_t initial[] = { 0xFA, 0x2D, 0x55, 0xCA };
    size_t header_size = v5->compression ? 5 : 3, size, unpacked;
    uint8_t header[8], *payload = v5->scratch;
    uint64_t lengths = 0;
    uint32_t crc = 0;

    if (!read_all(v5->fd, header, header_size + 3))
        return false;
    memcpy(&lengths, header, header_size);
    memcpy(&crc, header + header_size, 3);
    assert_int_equal(crc, crc24_more(0x875060, bytes_of(header, header_size)));
    size = lengths & 0x1FFFF;
    unpacked = v5->compression ? lengths >> 17 & 0x1FFFF : 0;
    assert_true(read_all(v5->fd, payload, size) && read_all(v5->fd, &crc, 4));
    assert_int_equal(crc, crc32_more(crc32_more(0, bytes_of(initial, 4)), bytes_of(payload, size)));
    if (unpacked) {
        assert_int_equal(LZ4_decompress_safe((const char *)payload, (char *)buffer_extend(&v5->got, unpacked),
                                             (int)size, (int)unpacked),
                         unpacked);
    } else {
        buffer_append(&v5->got, payload, size);
    }
    v5->segments++;
    return true;
}

static bool listen_v5(struct v5 *v5, struct answer *answer)
{
    uint32_t size;

    memset(answer, 0, sizeof(*answer));
    while (v5->got.size < 9 || v5->got.size - 9 < (size = load_be32(v5->got.data + 5)))
        if (!read_segment(v5))
            return false;
    answer->version = v5->got.data[0];
    answer->flags = v5->got.data[1];
    answer->stream = (int16_t)load_be16(v5->got.data + 2);
    answer->opcode = v5->got.data[4];
    answer->size = size;
    memcpy(answer->body, v5->got.data + 9, size < sizeof(answer->body) ? size : sizeof(answer->body));
    memmove(v5->got.data, v5->got.data + 9 + size, v5->got.size - 9 - size);
    v5->got.size -= 9 + size;
    return true;
}

static void segments_follow_the_answer_to_startup(void **state)
{
    struct fixture *f = start(false, NULL);

    for (int compression = NATIVE_COMPRESSION_NONE; compression <= NATIVE_COMPRESSION_LZ4; compression++) {
        struct v5 *v5 = open_v5(f, (enum native_compression)compression, NATIVE_READY);
        CLEANUP(buffer_fini) struct buffer out = { 0 };
        struct answer a;
        uint64_t seen = 0;

        /* One segment asks, one answers; the pending one comes by itself, after them. */
        query_envelope(&out, 99, "pending");
        for (int16_t i = 0; i < 20; i++)
            query_envelope(&out, i, "big 300");
        ask_segments(v5, buffer_bytes(&out));
        for (int16_t i = 0; i < 20; i++) {
            assert_true(listen_v5(v5, &a));
            assert_int_equal(a.stream, i);
            assert_int_equal(a.size, 300);
            assert_int_equal(a.flags, 0);
        }
        assert_int_equal(v5->segments, 1);
        assert_true(listen_v5(v5, &a));
        assert_int_equal(a.stream, 99);

        /* Larger than a segment, both ways. */
        buffer_reset(&out);
        query_envelope(&out, 1, "big 1000000");
        query_envelope(&out, 2, "void");
        ask_segments(v5, buffer_bytes(&out));
        for (int i = 0; i < 2; i++) {
            assert_true(listen_v5(v5, &a));
            seen |= UINT64_C(1) << a.stream;
            assert_int_equal(a.size, a.stream == 1 ? 1000000 : 4);
        }
        assert_int_equal(seen, 6);
        char *text = xmalloc(400001);
        memset(text, 'x', 400000);
        text[400000] = 0;
        memcpy(text, "wait", 4);
        memset(text + 4, ' ', 1);
        buffer_reset(&out);
        query_envelope(&out, 3, text);
        ask_segments(v5, buffer_bytes(&out));
        assert_true(listen_v5(v5, &a));
        assert_int_equal(a.stream, 3);
        assert_int_equal(a.opcode, NATIVE_RESULT);
        free(text);
        close_v5(v5);
    }
    stop(f);
}

/* A segment that holds more than may be in flight is served in several goes, whether or not its payload had to be kept. */
static void a_segment_waits_for_its_limits(void **state)
{
    struct fixture *f = start(false, NULL);

    for (int compression = NATIVE_COMPRESSION_NONE; compression <= NATIVE_COMPRESSION_LZ4; compression++) {
        struct v5 *v5 = open_v5(f, (enum native_compression)compression, NATIVE_READY), *other;
        CLEANUP(buffer_fini) struct buffer out = { 0 };
        struct answer a;
        uint32_t seen = 0;

        atomic_store(&hold_pending, true);
        for (int16_t i = 0; i < 60; i++)
            query_envelope(&out, i, "pending");
        ask_segments(v5, buffer_bytes(&out));
        /* Meanwhile others' segments use what it was unpacked into. */
        for (int i = 0; i < 4; i++) {
            other = open_v5(f, NATIVE_COMPRESSION_LZ4, NATIVE_READY);
            buffer_reset(&out);
            for (int16_t k = 0; k < 100; k++)
                query_envelope(&out, k, "void");
            ask_segments(other, buffer_bytes(&out));
            for (int16_t k = 0; k < 100; k++)
                assert_true(listen_v5(other, &a));
            close_v5(other);
        }
        atomic_store(&hold_pending, false);
        for (int i = 0; i < 60; i++) {
            if (i % 8 == 0)
                native_service_broadcast(&f->service, &accounts[0], 0, bytes_of("", 0)); /* a turn */
            assert_true(listen_v5(v5, &a));
            assert_int_equal(a.opcode, NATIVE_RESULT);
            seen++;
        }
        assert_int_equal(seen, 60);
        close_v5(v5);
    }
    stop(f);
}

static void a_broken_segment_ends_its_connection(void **state)
{
    struct fixture *f = start(false, NULL);
    struct v5 *v5 = open_v5(f, NATIVE_COMPRESSION_NONE, NATIVE_READY);
    CLEANUP(buffer_fini) struct buffer out = { 0 }, packed = { 0 };
    size_t start_at = native_segments_begin(&out, NATIVE_COMPRESSION_NONE);
    struct answer a;

    query_envelope(&out, 1, "void");
    native_segments_end(&out, start_at, NATIVE_COMPRESSION_NONE, &packed);
    out.data[20] ^= 1;
    ask_raw(v5->fd, out.data, out.size);
    out.data[20] ^= 1;
    ask_raw(v5->fd, out.data, out.size); /* not looked at any more */
    assert_true(listen_v5(v5, &a));
    assert_int_equal(a.stream, 0);
    assert_error(&a, 0x000A, NULL);
    assert_false(listen_v5(v5, &a));
    close_v5(v5);
    stop(f);
}

static void before_a_password_segments_hold_whole_envelopes(void **state)
{
    struct fixture *f = start(true, NULL);
    struct v5 *v5 = open_v5(f, NATIVE_COMPRESSION_LZ4, NATIVE_AUTHENTICATE);
    CLEANUP(buffer_fini) struct buffer out = { 0 }, large = { 0 };
    struct answer a;

    envelope(&large, NATIVE_AUTH_RESPONSE, 1, bytes_of(v5->scratch, sizeof(v5->scratch)));
    envelope(&out, NATIVE_AUTH_RESPONSE, 1, bytes_of("\0\0\0\x05\0me\0x", 9));
    ask_segments(v5, buffer_bytes(&out));
    assert_true(listen_v5(v5, &a));
    assert_int_equal(a.opcode, NATIVE_AUTH_SUCCESS);
    ask_segments(v5, buffer_bytes(&large)); /* now it may: it is answered, and the connection goes on */
    assert_true(listen_v5(v5, &a));
    assert_int_equal(a.opcode, NATIVE_ERROR);
    ask_segments(v5, buffer_bytes(&out));
    assert_true(listen_v5(v5, &a));
    close_v5(v5);
    v5 = open_v5(f, NATIVE_COMPRESSION_LZ4, NATIVE_AUTHENTICATE);
    ask_segments(v5, buffer_bytes(&large));
    assert_true(listen_v5(v5, &a));
    assert_error(&a, 0x000A, NULL);
    assert_false(listen_v5(v5, &a));
    close_v5(v5);
    stop(f);
}

static void a_password_is_asked_for(void **state)
{
    struct fixture *f = start(true, NULL);
    struct answer a;
    int fd = dial(f);

    ask(fd, NATIVE_STARTUP, 0, STARTUP_BODY);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTHENTICATE);
    assert_memory_equal(a.body + 2, "org.apache.cassandra.auth.PasswordAuthenticator", 47);
    ask_query(fd, 1, "void");
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, NULL);
    ask(fd, NATIVE_AUTH_RESPONSE, 1, bytes_of("\0\0\0\4nope", 8));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x0100, NULL);
    ask(fd, NATIVE_AUTH_RESPONSE, 1, bytes_of("\0\0\0\x05\0me\0x", 9));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTH_SUCCESS);
    ask_query(fd, 1, "void");
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    close(fd);
    stop(f);
}

/* Before the password so much is taken and no more; then as much as ever. */
static void strangers_say_little(void **state)
{
    enum { MOST = 16 << 10 };
    static uint8_t body[2 * MOST];
    struct fixture *f = start(true, NULL);
    struct answer a;
    int fd = dial(f);

    ask(fd, NATIVE_STARTUP, 0, STARTUP_BODY);
    assert_true(listen_once(fd, &a));
    ask(fd, NATIVE_AUTH_RESPONSE, 1, bytes_of(body, MOST + 1));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x2200, NULL);
    store_be32(body, MOST - 4);
    ask(fd, NATIVE_AUTH_RESPONSE, 2, bytes_of(body, MOST));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x0100, NULL);
    ask(fd, NATIVE_AUTH_RESPONSE, 3, bytes_of("\0\0\0\x05\0me\0x", 9));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTH_SUCCESS);
    ask(fd, NATIVE_AUTH_RESPONSE, 4, bytes_of(body, MOST + 1)); /* read, and refused for what it is */
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, NULL);
    close(fd);
    stop(f);
}

static void with_roles(struct fixture *f)
{
    struct workers_options workers = { .count = 1, .queue_jobs_max = 10 };
    struct error error;

    assert_int_equal(workers_new(&workers, &login_workers, &error), OK);
    f->service.logins = (struct logins *)f; /* there are some; what they are nobody here asks */
    atomic_store(&hold_logins, false);
    atomic_store(&logins_submitted, 0);
}

static int ask_password(struct fixture *f)
{
    struct answer a;
    int fd = dial(f);

    ask(fd, NATIVE_STARTUP, 0, STARTUP_BODY);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTHENTICATE);
    return fd;
}

/* What comes behind a password waits until it was checked, and others do not. */
static void a_password_is_checked_elsewhere(void **state)
{
    struct fixture *f = start(true, NULL);
    struct answer a;
    int fd, other;

    with_roles(f);
    fd = ask_password(f);
    ask(fd, NATIVE_AUTH_RESPONSE, 1, bytes_of("\0\0\0\5wrong", 9));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x0100, "wrong");
    ask(fd, NATIVE_AUTH_RESPONSE, 2, bytes_of("\0\0\0\4busy", 8));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x1001, NULL);
    ask(fd, NATIVE_AUTH_RESPONSE, 2, bytes_of("\0\0\0\0", 4));
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x0100, "empty");
    ask_query(fd, 3, "void"); /* a wrong password lets nobody in */
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x000A, NULL);
    atomic_store(&hold_logins, true);
    ask(fd, NATIVE_AUTH_RESPONSE, 4, bytes_of("\0\0\0\5right", 9));
    ask_query(fd, 5, "void");
    while (atomic_load(&logins_submitted) < 2)
        sched_yield();
    for (int i = 0; i < 4; i++) { /* on both loops */
        other = ask_password(f);
        close(other);
    }
    atomic_store(&hold_logins, false);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTH_SUCCESS);
    assert_int_equal(a.stream, 4);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    assert_int_equal(a.stream, 5);
    close(fd);
    stop(f);
    workers_free(login_workers);
}

/* Its login is nobody's, and given back: under the address sanitizer nothing is left. */
static void who_leaves_before_the_password_was_checked_is_nobody(void **state)
{
    struct fixture *f = start(true, NULL);
    int fd;

    with_roles(f);
    fd = ask_password(f);
    atomic_store(&hold_logins, true);
    ask(fd, NATIVE_AUTH_RESPONSE, 1, bytes_of("\0\0\0\5right", 9));
    while (!atomic_load(&logins_submitted))
        sched_yield();
    close(fd);
    atomic_store(&hold_logins, false);
    stop(f);
    workers_free(login_workers);
}

static void replies_come_as_they_are_ready(void **state)
{
    struct fixture *f = start(false, NULL);
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct answer a;
    int fd = open_session(f);
    bool seen[6] = { 0 };

    query_frame(&out, 1, "pending");
    query_frame(&out, 2, "wait");
    query_frame(&out, 3, "void");
    query_frame(&out, 4, "fail");
    query_frame(&out, 5, "warn");
    ask_raw(fd, out.data, out.size);
    for (int i = 0; i < 5; i++) {
        assert_true(listen_once(fd, &a));
        assert_in_range(a.stream, 1, 5);
        assert_false(seen[a.stream]);
        seen[a.stream] = true;
        if (i < 3)
            assert_int_equal(a.stream, 3 + i); /* what needed nobody is first */
        if (a.stream == 4)
            assert_error(&a, 0x2200, "no such thing");
        else
            assert_int_equal(a.opcode, NATIVE_RESULT);
        if (a.stream == 5) {
            assert_int_equal(a.flags, NATIVE_FLAG_WARNING);
            assert_memory_equal(a.body, "\0\1\0\7careful\0\0\0\1", 15);
        } else if (a.stream != 4) {
            assert_int_equal(a.size, 4);
        }
    }
    close(fd);
    stop(f);
}

/* A trace's id comes with the reply, also with an error's and a worker's; past the limit a warning comes instead. */
static void traces_are_told_and_limited(void **state)
{
    struct fixture *f = start(false, NULL);
    int fd = open_session(f);
    struct buffer out = { 0 };
    struct answer a;
    unsigned begun = atomic_load(&traces_begun), told = 0;
    static const char *const texts[] = { "void", "fail", "wait", "pending", "warn" };

    for (int16_t i = 0; i < 5; i++)
        traced_frame(&out, i, texts[i]);
    ask_raw(fd, out.data, out.size);
    for (int i = 0; i < 5; i++) {
        assert_true(listen_once(fd, &a));
        assert_int_equal(a.flags, NATIVE_FLAG_TRACING | (a.stream == 4 ? NATIVE_FLAG_WARNING : 0));
        assert_memory_equal(a.body, "wwwwwwwwwwwwwwww", 16);
        assert_int_equal(a.opcode, a.stream == 1 ? NATIVE_ERROR : NATIVE_RESULT);
        if (a.stream == 4)
            assert_memory_equal(a.body + 16, "\0\1\0\7careful\0\0\0\1", 15);
    }
    assert_int_equal(atomic_load(&traces_begun), begun + 5);
    atomic_store(&hold_traces, true);
    buffer_reset(&out);
    for (int16_t i = 0; i < NATIVE_TRACES_MAX + 3; i++)
        traced_frame(&out, i, i == NATIVE_TRACES_MAX + 2 ? "warn" : "void");
    ask_raw(fd, out.data, out.size);
    for (int i = 0; i < NATIVE_TRACES_MAX + 3; i++) {
        assert_true(listen_once(fd, &a));
        assert_int_equal(a.flags, i < NATIVE_TRACES_MAX ? NATIVE_FLAG_TRACING : NATIVE_FLAG_WARNING);
        told += a.flags == NATIVE_FLAG_WARNING;
    }
    assert_int_equal(told, 3);
    assert_memory_equal(a.body, "\0\2\0\7careful\0\75The request was not traced", 39); /* 61 bytes of it */
    atomic_store(&hold_traces, false);
    buffer_reset(&out);
    query_frame(&out, 1, "pending"); /* its answer reaps the port */
    ask_raw(fd, out.data, out.size);
    assert_true(listen_once(fd, &a));
    buffer_reset(&out);
    traced_frame(&out, 2, "void");
    ask_raw(fd, out.data, out.size);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.flags, NATIVE_FLAG_TRACING);
    buffer_fini(&out);
    close(fd);
    stop(f);
    assert_int_equal(atomic_load(&traces_begun), begun + 5 + NATIVE_TRACES_MAX + 1);
    assert_int_equal(atomic_load(&traces_ended), atomic_load(&traces_begun));
}

static void keyspaces_follow_the_session(void **state)
{
    struct fixture *f = start(false, NULL);
    struct answer a;
    int fd = open_session(f);

    ask_query(fd, 1, "use one");
    assert_true(listen_once(fd, &a));
    ask_query(fd, 1, "wait keyspace");
    assert_true(listen_once(fd, &a));
    assert_memory_equal(a.body, "\0\0\0\3\0\3one", 9);
    ask_query(fd, 1, "wait use two");
    assert_true(listen_once(fd, &a));
    ask_query(fd, 1, "keyspace");
    assert_true(listen_once(fd, &a));
    assert_memory_equal(a.body, "\0\0\0\3\0\3two", 9);
    ask_query(fd, 1, "wait pending");
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    close(fd);
    stop(f);
}

/* What was pending may be so again, or turn out to be a worker's; all of them are finished once, each time. */
static void a_pending_request_is_begun_again(void **state)
{
    enum { REQUESTS = 90 };
    static const char *const texts[] = { "pending again", "pending wait", "pending" };
    struct fixture *f = start(false, NULL);
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct metrics sum = { 0 };
    bool seen[REQUESTS] = { 0 };
    int fd = open_session(f);
    struct answer a;

    atomic_store(&begun_pending, 0);
    atomic_store(&worker_runs, 0);
    for (int16_t i = 0; i < REQUESTS; i++)
        query_frame(&out, i, texts[i % 3]);
    ask_raw(fd, out.data, out.size);
    for (int i = 0; i < REQUESTS; i++) {
        assert_true(listen_once(fd, &a));
        assert_int_equal(a.opcode, NATIVE_RESULT);
        assert_int_equal(a.size, 4);
        assert_in_range(a.stream, 0, REQUESTS - 1);
        assert_false(seen[a.stream]);
        seen[a.stream] = true;
    }
    assert_int_equal(atomic_load(&begun_pending), REQUESTS + REQUESTS / 3);
    for (unsigned i = 0; i < 2; i++)
        metrics_sum(&sum, &f->loops[i]->metrics);
    assert_int_equal(sum.in_flight, 0);
    assert_int_equal(sum.waited, REQUESTS / 3);
    close(fd);
    stop(f);
}

/* Far more requests than may be in flight, pipelined, while nothing is answered: nothing is lost and memory is bounded.
 */
static void requests_in_flight_are_bounded(void **state)
{
    enum { REQUESTS = 500 };
    struct fixture *f = start(false, NULL);
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct answer a;
    struct metrics sum = { 0 };
    bool seen[REQUESTS] = { 0 };
    int fd = open_session(f);

    atomic_store(&hold_pending, true);
    for (int16_t i = 0; i < REQUESTS; i++)
        query_frame(&out, i, i % 7 == 3 ? "wait" : "pending");
    ask_raw(fd, out.data, out.size);
    usleep(50000);
    for (unsigned i = 0; i < 2; i++)
        metrics_sum(&sum, &f->loops[i]->metrics);
    assert_in_range(sum.in_flight, 1, 32);
    atomic_store(&hold_pending, false);
    close(dial(f)); /* a turn, so that the held ones are flushed */
    for (unsigned i = 0; i < 2; i++)
        native_service_broadcast(&f->service, &accounts[0], 0, bytes_of("", 0));
    for (int i = 0; i < REQUESTS; i++) {
        assert_true(listen_once(fd, &a));
        assert_int_equal(a.opcode, NATIVE_RESULT);
        assert_in_range(a.stream, 0, REQUESTS - 1);
        assert_false(seen[a.stream]);
        seen[a.stream] = true;
    }
    close(fd);
    stop(f);
}

static void long_statements_are_not_parsed_on_the_loop(void **state)
{
    struct fixture *f = start(false, NULL);
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct metrics sum = { 0 };
    struct answer a;
    int fd = open_session(f);

    buffer_append_be32(&body, 100000);
    memset(buffer_extend(&body, 100000), 'x', 100000);
    buffer_append(&body, "\0\1\0", 3);
    ask(fd, NATIVE_QUERY, 1, buffer_bytes(&body));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    for (unsigned i = 0; i < 2; i++)
        metrics_sum(&sum, &f->loops[i]->metrics);
    assert_int_equal(sum.waited, 1);
    close(fd);
    stop(f);
}

static void a_client_that_leaves_is_forgotten(void **state)
{
    struct fixture *f = start(false, NULL);
    struct answer a;

    atomic_store(&begun_pending, 0);
    atomic_store(&finished, 0);
    atomic_store(&hold_pending, true);
    for (int i = 0; i < 20; i++) {
        int fd = open_session(f);

        ask_query(fd, 1, "pending");
        ask_query(fd, 2, "wait");
        ask_query(fd, 3, "void");
        if (i % 2)
            assert_true(listen_once(fd, &a));
        close(fd);
    }
    atomic_store(&hold_pending, false);
    stop(f); /* asserts that every request ended and every connection is gone */
    assert_int_equal(atomic_load(&finished), atomic_load(&begun_pending));
}

static void large_replies_wait_for_slow_readers(void **state)
{
    enum { REQUESTS = 200, SIZE = 300000 };
    struct fixture *f = start(false, NULL);
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct answer a;
    struct metrics sum = { 0 };
    int fd = open_session(f);

    for (int16_t i = 0; i < REQUESTS; i++)
        query_frame(&out, i, "big 300000");
    ask_raw(fd, out.data, out.size);
    usleep(100000);
    for (unsigned i = 0; i < 2; i++)
        metrics_sum(&sum, &f->loops[i]->metrics);
    assert_true(sum.requests[NATIVE_QUERY] < 100); /* the rest is not even read: 60 MB stay unmade */
    for (int i = 0; i < REQUESTS; i++) {
        assert_true(listen_once(fd, &a));
        assert_int_equal(a.size, SIZE);
        assert_int_equal(a.stream, i);
    }
    close(fd);
    stop(f);
}

static void too_large_frames_are_answered_and_skipped(void **state)
{
    struct fixture *f = start(false, NULL);
    struct answer a;
    uint8_t *large = xcalloc(1, (1 << 20) + 10);
    int fd = open_session(f);

    ask_raw(fd, "\4\0\0\1\7\0\x10\0\1", 9);
    ask_raw(fd, large, (1 << 20) + 1);
    assert_true(listen_once(fd, &a));
    assert_error(&a, 0x2200, NULL);
    ask_query(fd, 2, "void"); /* the connection lives */
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.stream, 2);
    assert_int_equal(a.opcode, NATIVE_RESULT);
    ask_raw(fd, "\4\0\0\3\7\xff\0\0\0", 9);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.stream, 3);
    assert_error(&a, 0x000A, NULL);
    assert_false(listen_once(fd, &a));
    close(fd);
    free(large);
    stop(f);
}

static int open_registered(struct fixture *f)
{
    struct answer a;
    int fd = open_session(f);

    ask(fd, NATIVE_REGISTER, 1, bytes_of("\0\1\0\x0dSCHEMA_CHANGE", 17));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_READY);
    return fd;
}

static void events_reach_who_registered(void **state)
{
    struct fixture *f = start(false, NULL);
    struct native_schema_change change = {
        NATIVE_CREATED, NATIVE_TARGET_TABLE, BYTES_LITERAL("ks"), BYTES_LITERAL("t"), NULL, 0
    };
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct answer a;
    int told[8], untold = open_session(f);

    native_encode_event_schema(&body, &change);
    for (int i = 0; i < 8; i++)
        told[i] = open_registered(f);
    native_service_broadcast(&f->service, &accounts[0], NATIVE_EVENT_STATUS, bytes_of("x", 1)); /* nobody wants it */
    native_service_broadcast(&f->service, &accounts[0], NATIVE_EVENT_SCHEMA, buffer_bytes(&body));
    for (int i = 0; i < 8; i++) {
        assert_true(listen_once(told[i], &a));
        assert_int_equal(a.opcode, NATIVE_EVENT);
        assert_int_equal(a.stream, -1);
        assert_int_equal(a.size, body.size);
        assert_memory_equal(a.body, body.data, body.size);
        close(told[i]);
    }
    ask_query(untold, 1, "void");
    assert_true(listen_once(untold, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    close(untold);
    stop(f);
}

/* A session of this user, who has said STARTUP before and is answered in *a. */
static void log_in(int fd, const char *user, struct answer *a)
{
    CLEANUP(buffer_fini) struct buffer token = { 0 };

    buffer_append_be32(&token, (uint32_t)strlen(user) + 3);
    buffer_append_u8(&token, 0);
    buffer_append_string(&token, user);
    buffer_append(&token, "\0x", 2);
    ask(fd, NATIVE_AUTH_RESPONSE, 1, buffer_bytes(&token));
    assert_true(listen_once(fd, a));
}

static int begin_session(struct fixture *f)
{
    struct answer a;
    int fd = dial(f);

    ask(fd, NATIVE_STARTUP, 0,
        bytes_of("\0\1\0\x0b"
                 "CQL_VERSION\0\5"
                 "3.0.0",
                 22));
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTHENTICATE);
    return fd;
}

/* What a session of this user is: the digits of its account. */
static const char *account_of(struct fixture *f, const char *user)
{
    static char digits[64];
    struct answer a;
    int fd = begin_session(f);

    log_in(fd, user, &a);
    assert_int_equal(a.opcode, NATIVE_AUTH_SUCCESS);
    for (int i = 0; i < 2; i++) { /* on the loop, and as a worker sees it */
        ask_query(fd, 1, i ? "wait account" : "account");
        assert_true(listen_once(fd, &a));
        assert_int_equal(load_be32(a.body), NATIVE_RESULT_SET_KEYSPACE);
        snprintf(digits, sizeof(digits), "%.*s", load_be16(a.body + 4), a.body + 6);
        assert_int_equal(strlen(digits), ACCOUNT_DIGITS);
    }
    close(fd);
    return digits;
}

static void a_users_name_tells_its_account(void **state)
{
    struct fixture *f = start(true, NULL);
    struct answer a;
    int fd = begin_session(f);

    assert_string_equal(account_of(f, "alice-at-111122223333"), "111122223333");
    assert_string_equal(account_of(f, "alice+1-at-444455556666"), "444455556666");
    assert_string_equal(account_of(f, "a-at-b-at-111122223333"), "111122223333");
    assert_string_equal(account_of(f, "alice"), "000000000000");
    assert_string_equal(account_of(f, "alice-at-11112222333"), "000000000000");
    assert_string_equal(account_of(f, "alice-at-11112222333x"), "000000000000");
    assert_string_equal(account_of(f, "alice-at-1111222233334"), "000000000000");
    assert_string_equal(account_of(f, "alice-AT-111122223333"), "000000000000");
    assert_string_equal(account_of(f, "-at-111122223333"), "000000000000");
    assert_string_equal(account_of(f, "111122223333"), "000000000000");
    /* No room for one more: told, and another may be tried. */
    log_in(fd, "alice-at-999999999999", &a);
    assert_error(&a, 0x1001, "too many accounts");
    log_in(fd, "alice", &a);
    assert_int_equal(a.opcode, NATIVE_AUTH_SUCCESS);
    close(fd);
    stop(f);
}

static void events_reach_their_account_only(void **state)
{
    struct fixture *f = start(true, NULL);
    struct answer a;
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = begin_session(f);
        log_in(fds[i], i ? "alice-at-111122223333" : "alice", &a);
        ask(fds[i], NATIVE_REGISTER, 1, bytes_of("\0\1\0\x0dSCHEMA_CHANGE", 17));
        assert_true(listen_once(fds[i], &a));
        assert_int_equal(a.opcode, NATIVE_READY);
    }
    native_service_broadcast(&f->service, &accounts[1], NATIVE_EVENT_SCHEMA, BYTES_LITERAL("second"));
    native_service_broadcast(&f->service, &accounts[0], NATIVE_EVENT_SCHEMA, BYTES_LITERAL("first"));
    for (int i = 0; i < 2; i++) {
        assert_true(listen_once(fds[i], &a));
        assert_int_equal(a.opcode, NATIVE_EVENT);
        assert_memory_equal(a.body, i ? "second" : "first", 5);
        ask_query(fds[i], 1, "void"); /* nothing came between */
        assert_true(listen_once(fds[i], &a));
        assert_int_equal(a.opcode, NATIVE_RESULT);
        close(fds[i]);
    }
    stop(f);
}

/* A large reply that is still leaving is no reason to end a connection when an event comes; events that nobody takes are. */
static void events_wait_behind_a_large_reply(void **state)
{
    static uint8_t body[10000];
    struct fixture *f = start(false, NULL);
    struct answer a;
    int patient = open_registered(f), deaf = open_registered(f);

    ask_query(patient, 2, "big 30000000");
    ask_query(deaf, 2, "big 30000000");
    usleep(100000);
    native_service_broadcast(&f->service, &accounts[0], NATIVE_EVENT_SCHEMA, bytes_of(body, sizeof(body)));
    assert_true(listen_once(patient, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    assert_true(listen_once(patient, &a));
    assert_int_equal(a.opcode, NATIVE_EVENT);
    assert_int_equal(a.size, sizeof(body));
    for (size_t i = 0; i * sizeof(body) < f->service.limits.output_bytes_max; i++) {
        native_service_broadcast(&f->service, &accounts[0], NATIVE_EVENT_SCHEMA, bytes_of(body, sizeof(body)));
        assert_true(listen_once(patient, &a));
        assert_int_equal(a.opcode, NATIVE_EVENT);
    }
    assert_false(listen_once(deaf, &a)); /* ended within its reply */
    close(deaf);
    close(patient);
    stop(f);
}

struct listing {
    struct virtual_emit emit;
    int count;
    char text[256];
};

static void list_row(struct virtual_emit *emit, const struct bytes *values)
{
    struct listing *listing = CONTAINER_OF(emit, struct listing, emit);

    listing->count++;
    assert_memory_equal(values[0].data, "\x7f\0\0\1", 4);
    assert_int_equal(values[1].size, 4);
    if (values[4].data) /* of the one that named its driver */
        snprintf(listing->text, sizeof(listing->text), "%.*s %.*s %.*s %u %u %.*s", BYTES(values[3]), BYTES(values[4]),
                 BYTES(values[7]), load_be32(values[8].data), (unsigned)load_be64(values[9].data), BYTES(values[13]));
}

static void clients_are_listed(void **state)
{
    struct fixture *f = start(true, NULL);
    struct listing listing = { .emit = { .row = list_row, .viewer = &accounts[0] } };
    struct answer a;
    int silent = dial(f), fd = dial(f), other;

    ask(fd, NATIVE_STARTUP, 0,
        bytes_of("\0\2\0\x0b"
                 "CQL_VERSION\0\5"
                 "3.0.0\0\x0b"
                 "DRIVER_NAME\0\4test",
                 41));
    assert_true(listen_once(fd, &a));
    ask(fd, NATIVE_AUTH_RESPONSE, 1, bytes_of("\0\0\0\x07\0zo\xc3\xab\0x", 11));
    assert_true(listen_once(fd, &a));
    ask_query(fd, 1, "use one");
    assert_true(listen_once(fd, &a));
    for (int tries = 0; tries < 250 && listing.count < 2; tries++) { /* the silent one may be accepted later */
        usleep(tries ? 20000 : 0);
        listing.count = 0;
        f->clients.table.rows(&f->clients.table, &listing.emit);
    }
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.text, "ready test one 4 3 zo\xc3\xab");
    /* Another account's is listed for that one only. */
    other = begin_session(f);
    log_in(other, "alice-at-111122223333", &a);
    listing.count = 0;
    f->clients.table.rows(&f->clients.table, &listing.emit);
    assert_int_equal(listing.count, 2);
    listing.count = 0;
    listing.emit.viewer = &accounts[1];
    f->clients.table.rows(&f->clients.table, &listing.emit);
    assert_int_equal(listing.count, 1);
    close(other);
    close(silent);
    close(fd);
    stop(f);
}

static void silence_and_crowds_are_ended(void **state)
{
    struct native_limits limits = { 4, 1 << 20, 32, 4, 1 << 20, 16 << 20, 100000, 5000000, 2000000 };
    struct fixture *f = start(false, &limits);
    struct answer a;
    int kept = open_session(f), silent[3], late;

    for (int i = 0; i < 3; i++)
        silent[i] = dial(f);
    usleep(20000);
    late = dial(f); /* the fifth */
    assert_false(listen_once(late, &a));
    for (int i = 0; i < 3; i++) {
        assert_false(listen_once(silent[i], &a)); /* closed after 0.1 s of saying nothing */
        close(silent[i]);
    }
    close(late);
    ask_query(kept, 1, "void");
    assert_true(listen_once(kept, &a));
    close(kept);
    stop(f);
}

/* Its unfinished requests would not fit: it is ended, and whoever watches is told why. */
static void who_holds_too_much_is_ended(void **state)
{
    struct native_limits limits = { 4, 1 << 20, 32, 4, 1 << 20, 256 << 10, 5000000, 5000000, 2000000 };
    struct fixture *f = start(false, &limits);
    static const uint8_t part[512 << 10];
    struct metrics sum = { 0 };
    struct answer a;
    int fd = open_session(f);

    ask_raw(fd, "\4\0\0\1\7\0\x0f\0\0", 9);
    send(fd, part, sizeof(part), MSG_NOSIGNAL); /* the peer may be gone before all is sent */
    assert_false(listen_once(fd, &a));
    for (int tries = 0; tries < 500 && !sum.connections_over_memory; tries++) { /* counted after it was closed */
        usleep(tries ? 10000 : 0);
        sum = (struct metrics){ 0 };
        for (unsigned i = 0; i < 2; i++)
            metrics_sum(&sum, &f->loops[i]->metrics);
    }
    assert_int_equal(sum.connections_over_memory, 1);
    assert_int_equal(sum.connections_stalled, 0);
    close(fd);
    stop(f);
}

/* STARTUP alone begins no session where a password is asked for. */
static void who_never_says_the_password_is_ended(void **state)
{
    struct native_limits limits = { 4, 1 << 20, 32, 4, 1 << 20, 16 << 20, 100000, 5000000, 2000000 };
    struct fixture *f = start(true, &limits);
    struct answer a;
    int fd = dial(f);
    char byte;

    ask(fd, NATIVE_STARTUP, 0, STARTUP_BODY);
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_AUTHENTICATE);
    assert_int_equal(recv(fd, &byte, 1, 0), 0); /* closed after 0.1 s; -1: nothing came for as long as a test waits */
    close(fd);
    stop(f);
}

static void draining_lets_requests_end(void **state)
{
    struct fixture *f = start(false, NULL);
    struct answer a;
    int fd = open_session(f), idle = open_session(f);

    atomic_store(&hold_pending, true);
    ask_query(fd, 1, "pending");
    usleep(20000);
    for (unsigned i = 0; i < 2; i++)
        native_loop_drain(f->loops[i]);
    assert_false(listen_once(idle, &a));
    atomic_store(&hold_pending, false);
    native_service_broadcast(&f->service, &accounts[0], 0, bytes_of("", 0)); /* a turn */
    assert_true(listen_once(fd, &a));
    assert_int_equal(a.opcode, NATIVE_RESULT);
    assert_false(listen_once(fd, &a));
    for (unsigned i = 0; i < 2; i++)
        assert_true(native_loop_join(f->loops[i]));
    workers_free(f->service.workers);
    for (unsigned i = 0; i < 2; i++)
        native_loop_close(f->loops[i]);
    clients_fini(&f->clients);
    close(fd);
    close(idle);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_requests),
        cmocka_unit_test(later_versions_step_down),
        cmocka_unit_test(segments_follow_the_answer_to_startup),
        cmocka_unit_test(a_segment_waits_for_its_limits),
        cmocka_unit_test(a_broken_segment_ends_its_connection),
        cmocka_unit_test(before_a_password_segments_hold_whole_envelopes),
        cmocka_unit_test(a_password_is_asked_for),
        cmocka_unit_test(strangers_say_little),
        cmocka_unit_test(a_password_is_checked_elsewhere),
        cmocka_unit_test(who_leaves_before_the_password_was_checked_is_nobody),
        cmocka_unit_test(replies_come_as_they_are_ready),
        cmocka_unit_test(traces_are_told_and_limited),
        cmocka_unit_test(keyspaces_follow_the_session),
        cmocka_unit_test(a_pending_request_is_begun_again),
        cmocka_unit_test(requests_in_flight_are_bounded),
        cmocka_unit_test(long_statements_are_not_parsed_on_the_loop),
        cmocka_unit_test(a_client_that_leaves_is_forgotten),
        cmocka_unit_test(large_replies_wait_for_slow_readers),
        cmocka_unit_test(too_large_frames_are_answered_and_skipped),
        cmocka_unit_test(events_reach_who_registered),
        cmocka_unit_test(events_wait_behind_a_large_reply),
        cmocka_unit_test(a_users_name_tells_its_account),
        cmocka_unit_test(events_reach_their_account_only),
        cmocka_unit_test(clients_are_listed),
        cmocka_unit_test(silence_and_crowds_are_ended),
        cmocka_unit_test(who_holds_too_much_is_ended),
        cmocka_unit_test(who_never_says_the_password_is_ended),
        cmocka_unit_test(draining_lets_requests_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
