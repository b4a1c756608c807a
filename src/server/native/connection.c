/* A request's way: a frame is read where it lies in the input, decoded into an arena, and run at
 * once; what memory cannot answer is run again by a worker, what owners must decide comes back when
 * they have. Replies go straight into the socket's output, in the order in which they are ready: a
 * client tells them apart by their stream ids. A connection that is closed meanwhile lives on until
 * its last request has landed.
 *
 * Three counts must be right at each moment, and are asserted where they move: in_flight (requests
 * that went off and did not land), waits (of these, at workers), and the loop's request_count,
 * which a stop waits for. What a connection may hold is counted by its share of the loop's budget
 * (net/budget.h), from the frame to the reply. */
#include "server/native/connection.h"

#include "catalog/catalog.h"
#include "query/trace.h"
#include "server/native/memory.h"
#include "table/table.h"

#include <assert.h>
#include <strings.h>
#include <unistd.h>

/* One request, from its frame to its reply. Lives in its arena. */
struct request {
    struct query_request query;
    struct native_request message;
    struct connection *connection;
    struct arena *arena; /* owned */
    struct budget_charge charge;
    int64_t began_us;
    size_t body_bytes; /* decompressed: the header tells only what was sent */
    /* At a worker: */
    struct worker_job job;
    struct query_session job_session; /* a copy: the connection's may change meanwhile */
    struct bytes job_keyspace;        /* what the copy began with, in the arena */
    struct buffer job_out;
};

enum {
    STRANGERS_BODY_BYTES_MAX = 16 << 10,
    STATEMENT_BYTES_MAX = 64 << 10, /* of a statement that is parsed on a loop */
    VALUES_BYTES_MAX = 512 << 10,   /* of a prepared statement's values that are looked at on a loop */
    EXPECTED_PER_BYTE = 32, /* of memory, per byte of a request that waits for a worker: of a list of many small keys */
};

static_assert(sizeof(struct connection) < 760, "an idle connection costs less than 1 KB");

/* ---- replies ---- */

/* Segments of v5 are made when the output leaves or its buffer is full: all replies of a turn share
 * one. */
static void end_segment(struct connection *connection)
{
    struct framing *framing = connection->framing;

    if (framing && framing->out) {
        native_segments_end(framing->out, framing->out_start, framing->in.compression,
                            &connection->loop->segment_packed);
        framing->out = NULL;
    }
}

/* The socket calls it before it sends. */
static void leaving(struct stream_socket *socket)
{
    end_segment(CONTAINER_OF(socket, struct connection, socket));
}

/* Each reply is counted once, here. The clock is read after each request, as the next one begins
 * then. */
static void count_reply(struct connection *connection, uint8_t opcode, enum status status, int64_t began_us)
{
    struct native_loop *loop = connection->loop;

    loop->clock_us = clock_monotonic_us(loop->service->clock);
    assert((unsigned)status < METRICS_STATUSES);
    if (opcode < METRICS_OPCODES)
        metric_add(&loop->metrics.requests[opcode], 1);
    if (status)
        metric_add(&loop->metrics.errors[status], 1);
    metrics_latency(&loop->metrics, loop->clock_us > began_us ? (uint64_t)(loop->clock_us - began_us) : 0);
}

/* Where a reply begins. With v5 it goes on a segment that an earlier reply of this turn began,
 * unless that one's buffer is full. Nothing may be sent of it before finish or drop: `out` is valid
 * in this turn only. */
static size_t begin_reply(struct connection *connection, struct buffer **out)
{
    struct framing *framing = connection->framing;

    *out = stream_socket_output(&connection->socket);
    assert(!framing || !framing->out || framing->out_start <= framing->out->size);
    if (framing && framing->out != *out) {
        end_segment(connection);
        framing->out = *out;
        framing->out_start = native_segments_begin(*out, framing->in.compression);
    }
    return native_reply_begin(*out);
}

/* In the session's version. Before the first request there is none, and a client that sent nothing
 * we know gets our newest. v5 compresses segments, and not envelopes. */
static struct native_reply reply_to(const struct connection *connection, const struct native_header *header,
                                    enum native_opcode opcode)
{
    uint8_t version = connection->session.protocol_version;

    return (struct native_reply){
        .version = version ? version : NATIVE_VERSION_MAX,
        .stream_id = header->stream_id,
        .opcode = opcode,
        .compression = connection->framing ? NATIVE_COMPRESSION_NONE : connection->compression,
    };
}

/* ERROR for a request that never became one. Its header may be all that was understood. */
static void reply_error(struct connection *connection, const struct native_header *header, const struct error *error)
{
    struct native_reply reply = reply_to(connection, header, NATIVE_ERROR);
    struct buffer *out;
    size_t start = begin_reply(connection, &out);

    if (header->version == 1 || header->version == 2)
        reply.version = header->version; /* its client understands nothing else */
    native_encode_error(out, reply.version, error, NULL);
    native_reply_end(out, start, &reply);
    stream_socket_commit(&connection->socket);
    count_reply(connection, header->opcode, error->status, connection->loop->clock_us);
}

/* What ERROR calls the write where the statement's own code did not say: drivers decide by it
 * whether to retry. */
static const char *write_type(const struct native_request *message)
{
    if (message->header.opcode != NATIVE_BATCH)
        return "SIMPLE";
    switch (message->batch.kind) {
    case NATIVE_BATCH_LOGGED: return "BATCH";
    case NATIVE_BATCH_UNLOGGED: return "UNLOGGED_BATCH";
    case NATIVE_BATCH_COUNTER: return "COUNTER";
    }
    return "SIMPLE";
}

/* ---- traces ---- */

/* A trace is written after its request was answered; until then the loop must not end, so it counts
 * as a request. */
static void trace_written(void *argument, bool written)
{
    struct native_loop *loop = argument;

    assert(loop->traces > 0 && loop->request_count > 0);
    metric_add(written ? &loop->metrics.traces_written : &loop->metrics.traces_failed, 1);
    loop->traces--;
    loop->request_count--;
    native_loop_idle(loop);
}

/* Its request has been answered, or nobody is there to hear it. The trace writes itself and frees
 * itself. */
static void end_trace(struct request *request)
{
    struct native_loop *loop = request->connection->loop;
    struct trace *trace = request->query.trace;

    assert(trace);
    request->query.trace = NULL;
    trace_write(trace, loop->context, clock_monotonic_us(loop->service->clock), trace_written, loop);
}

/* A trace is memory and a write after the reply: only so many at once. One more is answered
 * without, and told so in a warning. */
static void begin_trace(struct request *request)
{
    struct connection *connection = request->connection;
    struct native_loop *loop = connection->loop;
    struct query_request *query = &request->query;

    if (loop->traces == NATIVE_TRACES_MAX) {
        metric_add(&loop->metrics.traces_refused, 1);
        return;
    }
    assert(loop->traces < NATIVE_TRACES_MAX);
    loop->traces++;
    loop->request_count++;
    query->trace = trace_new(loop->context, query->session, query->now_us, request->began_us);
}

/* The reply says where the trace will be, or that there will be none. The warning is added to those
 * that there are. */
static void reply_traced(struct request *request, struct native_reply *reply)
{
    struct query_request *query = &request->query;

    if (query->trace) {
        reply->tracing_id = trace_id(query->trace);
        return;
    }
    struct bytes *warnings = arena_new_array(request->arena, struct bytes, reply->warning_count + 1);

    for (uint32_t i = 0; i < reply->warning_count; i++)
        warnings[i] = reply->warnings[i];
    warnings[reply->warning_count++] = BYTES_LITERAL("The request was not traced: too many traces are being written");
    reply->warnings = warnings;
}

/* ---- slow requests ---- */

static const char *kind_of(uint8_t opcode)
{
    switch (opcode) {
    case NATIVE_QUERY: return "QUERY";
    case NATIVE_PREPARE: return "PREPARE";
    case NATIVE_EXECUTE: return "EXECUTE";
    case NATIVE_BATCH: return "BATCH";
    default: return "OTHER";
    }
}

/* Neither names nor values go into the log: the statement's shape is computed only for what is
 * written. */
static void note_slow(struct request *request)
{
    struct native_loop *loop = request->connection->loop;
    struct slow_note note = { .took_us = loop->clock_us - request->began_us };
    struct query_shape shape;

    if (!slow_log_wants(loop->service->slow_log, loop->clock_us))
        return;
    query_shape(loop->context, &request->query, &shape);
    note.table_id = request->query.table_id;
    note.kind = kind_of(request->message.header.opcode);
    note.status = status_name(request->query.error.status);
    note.statement_count = shape.statement_count;
    memcpy(note.statement, shape.statement, sizeof(note.statement));
    if (shape.text.size)
        memcpy(note.shape, shape.text.data, shape.text.size);
    slow_log_note(loop->service->slow_log, &note);
}

/* Ends the frame whose body stands behind `start`, or holds an error instead. The last step of
 * every request of a statement that somebody hears. */
static void finish_reply(struct request *request, struct buffer *out, size_t start)
{
    struct connection *connection = request->connection;
    struct query_request *query = &request->query;
    struct native_reply reply = reply_to(connection, &request->message.header, NATIVE_RESULT);

    assert(out->size >= start + NATIVE_HEADER_BYTES && !connection->socket.is_closed);
    /* A frame's length is limited by the protocol, and what LZ4 takes at once by its own. */
    if (!query->error.status && out->size - start > (size_t)NATIVE_REPLY_BYTES_MAX)
        error_set(&query->error, ERR_INVALID, "The result is larger than a frame can be: ask for pages");
    if (query->error.status) {
        struct native_error_detail detail = query->detail;

        if (!detail.write_type)
            detail.write_type = write_type(&request->message);
        out->size = start + NATIVE_HEADER_BYTES;
        reply.opcode = NATIVE_ERROR;
        native_encode_error(out, reply.version, &query->error, &detail);
    } else if (__builtin_expect(query->was_use, 0)) {
        /* system_views.clients shows the session's keyspace. */
        clients_uses(connection->loop->service->clients, &connection->client, connection->session.keyspace);
    }
    reply.warnings = query->warnings;
    reply.warning_count = query->warning_count;
    if (__builtin_expect(request->message.tracing, 0))
        reply_traced(request, &reply);
    native_reply_end(out, start, &reply);
    stream_socket_commit(&connection->socket);
    count_reply(connection, request->message.header.opcode, query->error.status, request->began_us);
    if (__builtin_expect(connection->loop->clock_us - request->began_us >= connection->loop->limits.slow_us, 0) &&
        connection->loop->limits.slow_us)
        note_slow(request);
    if (__builtin_expect(query->trace != NULL, 0))
        end_trace(request);
}

/* ---- the end of a connection ---- */

/* Deferred to the end of the turn in which the last request landed: nobody on the stack uses the
 * connection any more. */
static void release_run(struct loop_task *task)
{
    struct connection *connection = CONTAINER_OF(task, struct connection, release);
    struct native_loop *loop = connection->loop;

    assert(connection->socket.is_closed && connection->in_flight == 0 && connection->waits == 0);
    free((void *)connection->session.keyspace.data);
    auth_login_free(connection->session.login);
    free(connection->framing);
    free(connection);
    native_loop_idle(loop);
}

/* Counts what the reader of segments holds now, in the same sum as other unfinished input. */
static void hold_segments(struct connection *connection)
{
    struct framing *framing = connection->framing;
    size_t held = native_segments_held(&framing->in);

    assert(connection->loop->budget.input_bytes >= framing->held);
    connection->loop->budget.input_bytes += held - framing->held;
    if (held < framing->held)
        connection->loop->requests.freed += framing->held - held;
    framing->held = held;
}

/* The socket has ended, for whatever reason: the connection leaves its loop's list and the counts
 * at once. Its memory stays while requests of it are at owners or workers, which hold pointers to
 * it. */
static void closed(struct stream_socket *socket, enum stream_end end)
{
    struct connection *connection = CONTAINER_OF(socket, struct connection, socket);
    struct native_loop *loop = connection->loop;

    loop_timer_clear(loop->net_loop, &connection->startup_timer);
    if (connection->framing) {
        native_segments_fini(&connection->framing->in);
        hold_segments(connection);
        connection->framing->out = NULL;
    }
    native_memory_forget(loop, connection);
    if (end == STREAM_END_STALLED)
        metric_add(&loop->metrics.connections_stalled, 1);
    if (end == STREAM_END_MEMORY)
        metric_add(&loop->metrics.connections_over_memory, 1);
    clients_remove(loop->service->clients, &connection->client);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        loop->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    assert(atomic_load_explicit(&loop->service->connection_count, memory_order_relaxed) > 0);
    atomic_fetch_sub_explicit(&loop->service->connection_count, 1, memory_order_relaxed);
    metric_add(&loop->metrics.connections_open, (uint64_t)-1);
    if (connection->in_flight == 0)
        loop_defer(loop->net_loop, &connection->release);
}

/* By us: limits, a drain that took too long, or memory. */
void connection_close(struct connection *connection)
{
    stream_socket_close(&connection->socket);
}

/* The server stops. What was asked is answered, nothing more is read; settle calls this again when
 * a request lands. */
void connection_drain(struct connection *connection)
{
    if (connection->socket.is_closed)
        return;
    if (connection->in_flight == 0)
        stream_socket_close_when_sent(&connection->socket);
    else
        stream_socket_pause(&connection->socket, STREAM_PAUSE_OWNER);
}

/* ---- requests that take longer than their turn ---- */

/* The request itself lies in the arena: nothing of it is used afterwards. The charge ends first, as
 * it counts the arena's memory. */
static void release(struct request *request)
{
    struct native_loop *loop = request->connection->loop;

    budget_charge_end(&request->charge, request->arena);
    native_memory_release(loop, request->arena);
}

/* Then the connection is not read: TCP tells the client to wait. */
static bool is_full(const struct connection *connection)
{
    const struct native_limits *limits = &connection->loop->limits;

    return connection->in_flight >= limits->requests_in_flight_max || connection->waits >= limits->waits_in_flight_max;
}

/* It holds memory while others are run: its arena, and what it sent to owners, where that is small.
 * From here on it is counted as in flight. */
static void went_off(struct request *request)
{
    struct connection *connection = request->connection;

    assert(connection->waits <= connection->in_flight + 1);
    budget_charge_add(&request->charge, 2 * NATIVE_ARENA_BYTES);
    connection->in_flight++;
    connection->loop->request_count++;
    metric_add(&connection->loop->metrics.in_flight, 1);
    if (is_full(connection))
        stream_socket_pause(&connection->socket, STREAM_PAUSE_OWNER);
}

/* The other side of went_off, on the loop's thread. */
static void landed(struct connection *connection)
{
    assert(connection->in_flight > 0 && connection->loop->request_count > 0);
    connection->in_flight--;
    connection->loop->request_count--;
    metric_add(&connection->loop->metrics.in_flight, (uint64_t)-1);
}

/* It has landed, and was answered if anybody is there to hear it. Gives back what it held, and
 * decides whether the connection goes on: it may be closed, draining, or have room again. */
static void settle(struct request *request)
{
    struct connection *connection = request->connection;
    struct native_loop *loop = connection->loop;

    assert(connection->waits <= connection->in_flight);
    if (__builtin_expect(request->query.trace != NULL, 0))
        end_trace(request); /* the connection was closed meanwhile */
    release(request);
    if (connection->socket.is_closed) {
        if (connection->in_flight == 0)
            loop_defer(loop->net_loop, &connection->release);
        return;
    }
    if (loop->is_draining) {
        connection_drain(connection);
        return;
    }
    if (!is_full(connection))
        stream_socket_resume(&connection->socket, STREAM_PAUSE_OWNER);
}

static bool send_to_worker(struct request *request);

/* A run that answers later, or never is one: false. Else the reply is behind `start`, or the error
 * is in the request. What was written of a reply that is not complete is dropped. */
static bool is_answered(struct request *request, enum query_result result, struct buffer **out, size_t *start)
{
    struct query_request *query = &request->query;

    assert(*out && (*out)->size >= *start);
    if (result == QUERY_DONE)
        return true;
    (*out)->size = *start;
    if (result == QUERY_PENDING) {
        went_off(request);
        return false;
    }
    TRACE(query->trace, "Not to be done on a loop: going to a worker, which may wait for the disk");
    if (send_to_worker(request))
        return false;
    *start = begin_reply(request->connection, out);
    /* Nothing of the first run counts: neither what it found out nor which table it was. */
    query->detail = (struct native_error_detail){ 0 };
    query->table_id = 0;
    error_set(&query->error, ERR_OVERLOADED, "Too many requests wait for the disk");
    return true;
}

/* Owners have decided, and the loop reaps their answers. The second half of a request may find that it must wait
 * after all, and goes to a worker. */
static void pending_done(struct query_request *query)
{
    struct request *request = CONTAINER_OF(query, struct request, query);
    struct connection *connection = request->connection;
    struct query_context *context = connection->loop->context;
    struct buffer *out;
    size_t start;

    landed(connection);
    if (connection->socket.is_closed) {
        query_finish(context, query, NULL);
    } else {
        start = begin_reply(connection, &out);
        if (!is_answered(request, query_finish(context, query, out), &out, &start))
            return;
        finish_reply(request, out, start);
    }
    settle(request);
}

/* On a worker's thread. It may wait, also for a shard's owner, or for a row that memory had not, so
 * it always ends with an answer. The connection may be closed meanwhile; it is only read here, and
 * its memory stays. */
static void job_run(struct worker_job *job, void *local)
{
    struct request *request = CONTAINER_OF(job, struct request, job);
    struct budget *budget = &request->connection->loop->requests;
    enum query_result result;

    TRACE(request->query.trace, "Begun again by a worker");
    if (budget_is_full_of_output(budget)) { /* a reply would only be more of it */
        budget_overloaded(&request->connection->share, &request->query.error);
        return;
    }
    result = query_run(local, &request->query, &request->job_out);
    budget_charge_add(&request->charge, request->job_out.capacity);
    assert(result == QUERY_DONE);
    (void)result;
}

/* On the loop again. What the worker's copy of the session learned comes back: a USE, and that a
 * warning was given. */
static void job_done(struct worker_job *job)
{
    struct request *request = CONTAINER_OF(job, struct request, job);
    struct connection *connection = request->connection;

    assert(connection->in_flight >= connection->waits);
    assert(connection->waits > 0);
    connection->waits--;
    connection->session.warned_of_use |= request->job_session.warned_of_use;
    if (!bytes_equal(request->job_session.keyspace, request->job_keyspace)) { /* it was USE */
        free((void *)connection->session.keyspace.data);
        connection->session.keyspace = request->job_session.keyspace;
    } else {
        free((void *)request->job_session.keyspace.data);
    }
    if (!connection->socket.is_closed) {
        struct buffer *out;
        size_t start = begin_reply(connection, &out);

        /* An error replaces whatever a worker wrote. */
        if (!request->query.error.status)
            buffer_append_bytes(out, buffer_bytes(&request->job_out));
        finish_reply(request, out, start);
    }
    buffer_fini(&request->job_out);
    landed(connection);
    settle(request);
}

/* The worker has a copy, as the session's own may change while it runs. */
static struct bytes copy_keyspace(struct bytes keyspace)
{
    return keyspace.data ? bytes_of(xstrndup(keyspace.data, keyspace.size), keyspace.size) : keyspace;
}

/* What it may take, set aside while it waits, so that those who come meanwhile do not take it. No
 * request takes more than a connection's share. */
static size_t expected_bytes(const struct request *request)
{
    size_t expected = request->body_bytes * EXPECTED_PER_BYTE, most = request->connection->loop->limits.share_bytes_max;

    return expected < most ? expected : most;
}

/* False: the workers have too much to do, and the request is as it was. The whole request is run
 * again from the start: its first run on the loop left nothing behind but what is reset here. */
static bool send_to_worker(struct request *request)
{
    struct connection *connection = request->connection;
    struct native_loop *loop = connection->loop;
    struct query_request *query = &request->query;

    request->job_session = connection->session;
    request->job_session.keyspace = copy_keyspace(connection->session.keyspace);
    request->job_keyspace = connection->session.keyspace.data ? arena_copy(request->arena, connection->session.keyspace)
                                                              : connection->session.keyspace;
    request->job_out = (struct buffer){ 0 };
    request->job =
        (struct worker_job){ .run = job_run, .done = job_done, .loop = loop->net_loop, .group = query->waits_for };
    query->session = &request->job_session;
    query->done = NULL;
    query->state = NULL;
    query->warnings = NULL;
    query->warning_count = 0;
    error_clear(&query->error);
    budget_charge_set_aside(&request->charge, expected_bytes(request));
    /* Counted first: the worker may be done before submit returns. */
    connection->waits++;
    went_off(request);
    if (workers_submit(loop->service->workers, &request->job)) {
        metric_add(&loop->metrics.waited, 1);
        return true;
    }
    metric_add(&loop->metrics.wait_refused, 1);
    free((void *)request->job_session.keyspace.data);
    connection->waits--;
    landed(connection);
    if (!is_full(connection))
        stream_socket_resume(&connection->socket, STREAM_PAUSE_OWNER);
    return false;
}

/* A loop has others to serve while 16 MiB of CQL are parsed, or a bound collection of a million
 * elements is sorted or read as JSON. A prepared statement may bring more: most large values are
 * text and blobs, which are only copied. */
static bool is_long_work(const struct request *request)
{
    bool is_prepared = request->message.header.opcode == NATIVE_EXECUTE;

    return request->body_bytes > (is_prepared ? VALUES_BYTES_MAX : STATEMENT_BYTES_MAX);
}

/* Runs a statement, and takes the arena over: it goes with the reply, or with whoever finishes the
 * request later. */
static void run_query(struct request *request)
{
    struct connection *connection = request->connection;
    struct native_loop *loop = connection->loop;
    struct query_request *query = &request->query;
    struct buffer *out;
    size_t start = begin_reply(connection, &out);
    enum query_result result;

    assert(connection->state == CONNECTION_READY && request->arena);
    query->session = &connection->session;
    query->arena = request->arena;
    query->message = &request->message;
    query->now_us = loop_realtime_us(loop->net_loop);
    /* The request's memory is not zeroed: each member is set here, or where it is first used. */
    error_clear(&query->error);
    query->warnings = NULL;
    query->warning_count = 0;
    query->done = pending_done;
    query->context = NULL;
    query->state = NULL;
    query->waits_for = 0;
    query->was_use = false;
    query->trace = NULL;
    if (__builtin_expect(request->message.tracing, 0))
        begin_trace(request);
    /* Too long for a loop: straight to a worker, without a first run. */
    result = is_long_work(request) ? QUERY_WAITS : query_run(loop->context, query, out);
    if (!is_answered(request, result, &out, &start))
        return;
    finish_reply(request, out, start);
    release(request);
}

/* ---- the session ---- */

/* Names of options are compared in any case, as in Cassandra. */
static bool is_option(struct bytes given, struct bytes name)
{
    return given.size == name.size && strncasecmp((const char *)given.data, (const char *)name.data, name.size) == 0;
}

static struct bytes option_of(const struct native_request *message, struct bytes name)
{
    for (uint32_t i = 0; i < message->startup.option_count; i++)
        if (is_option(message->startup.options[i].name, name))
            return message->startup.options[i].value;
    return (struct bytes){ NULL, 0 };
}

/* "3.4.7"; newer ones as well, as Cassandra does: ScyllaDB's drivers ask for 4.0.0. Older than 3
 * had another language. */
static bool is_cql_3_or_later(struct bytes version)
{
    uint32_t major = 0;
    size_t at = 0;

    for (; at < version.size && at < 4 && version.data[at] >= '0' && version.data[at] <= '9'; at++)
        major = major * 10 + (uint32_t)(version.data[at] - '0');
    return major >= 3 && at < version.size && version.data[at] == '.';
}

/* In small letters, as Cassandra shows it. */
static enum status unknown_compression(struct bytes name, struct error *err)
{
    char lower[64];
    size_t size = name.size < sizeof(lower) ? name.size : sizeof(lower);

    for (size_t i = 0; i < size; i++)
        lower[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20 : name.data[i]);
    return error_set(err, ERR_PROTOCOL, "Unknown compression algorithm: %.*s", (int)size, lower);
}

/* From here on statements are taken, and envelopes that span segments; the deadline for beginning a
 * session is over. */
static void become_ready(struct connection *connection)
{
    assert(connection->state != CONNECTION_READY);
    connection->state = CONNECTION_READY;
    loop_timer_clear(connection->loop->net_loop, &connection->startup_timer);
    if (connection->framing)
        connection->framing->in.takes_large = true;
}

/* From the answer to STARTUP on, which itself is the last frame of the old kind. The limit of an
 * envelope is the one of this moment: who reloads another does not change it in the middle of one. */
static void begin_segments(struct connection *connection)
{
    struct framing *framing = xcalloc(1, sizeof(*framing));

    assert(!connection->framing);
    framing->in.compression = connection->compression;
    framing->in.body_bytes_max = connection->loop->limits.frame_bytes_max;
    framing->in.takes_large = connection->state == CONNECTION_READY;
    connection->framing = framing;
}

/* STARTUP: the client says which language, compression and behaviour it wants. What cannot be had is
 * answered with an error and ends no connection: a client may ask again for less. */
static enum status start_session(struct connection *connection, const struct native_request *message,
                                 enum native_opcode *opcode, struct buffer *out, struct error *err)
{
    struct native_service *service = connection->loop->service;
    struct bytes cql = option_of(message, BYTES_LITERAL("CQL_VERSION"));
    struct bytes compression = option_of(message, BYTES_LITERAL("COMPRESSION"));

    if (!cql.data)
        return error_set(err, ERR_PROTOCOL, "Missing value CQL_VERSION in STARTUP message");
    if (!is_cql_3_or_later(cql))
        return error_set(err, ERR_PROTOCOL,
                         "CQL version %.*s is not supported by the binary protocol (supported version are >= 3.0.0)",
                         BYTES(cql));
    if (compression.size && !native_compression_parse(compression, &connection->compression))
        return unknown_compression(compression, err);
    /* A client that asks for this is told with an error where others are not read for a while. */
    connection->throws_on_overload =
        bytes_equal(option_of(message, BYTES_LITERAL("THROW_ON_OVERLOAD")), BYTES_LITERAL("1"));
    if (message->version >= NATIVE_V5 && connection->compression == NATIVE_COMPRESSION_SNAPPY) {
        connection->compression = NATIVE_COMPRESSION_NONE;
        return error_set(err, ERR_PROTOCOL, "Snappy compression is not supported in protocol V5");
    }
    clients_started(service->clients, &connection->client, message->version,
                    service->wants_password ? CLIENT_AUTHENTICATING : CLIENT_READY, message->startup.options,
                    message->startup.option_count);
    if (service->wants_password) {
        connection->state = CONNECTION_ASKED;
        *opcode = NATIVE_AUTHENTICATE;
        native_encode_authenticate(out, "org.apache.cassandra.auth.PasswordAuthenticator");
    } else {
        become_ready(connection);
        *opcode = NATIVE_READY;
        native_encode_ready(out);
    }
    return OK;
}

/* A name and a password that nobody checks: any pair is accepted. There must be one, so that
 * drivers are seen to send it. */
static enum status check_password(struct bytes token, struct bytes *user, struct error *err)
{
    const uint8_t *name, *password, *end = token.data + token.size;

    name = token.size ? memchr(token.data, 0, token.size) : NULL;
    password = name ? memchr(name + 1, 0, (size_t)(end - name - 1)) : NULL;
    if (!password)
        return error_set(err, ERR_CREDENTIALS, "Expected a user name and a password");
    if (password == name + 1)
        return error_set(err, ERR_CREDENTIALS, "Authentication ID must not be null");
    *user = bytes_of(name + 1, (size_t)(password - name - 1));
    return OK;
}

/* From here on the connection is the account's, for as long as it is open. */
static enum status end_authentication(struct connection *connection, struct bytes token, struct error *err)
{
    struct native_service *service = connection->loop->service;
    struct bytes user, digits;
    enum status status = check_password(token, &user, err);

    if (status)
        return status;
    /* One account too many is no reason to end the connection: its user may be another's. */
    auth_split_user(user, &digits);
    if (digits.data)
        status = catalog_account(service->catalog, digits, &connection->session.account, err);
    if (status)
        return status;
    clients_authenticated(service->clients, &connection->client, connection->session.account, user);
    become_ready(connection);
    return OK;
}

/* Only here does a password make somebody of a connection. From here on each of its statements is
 * asked as that role, and in that role's account; the login stays until the connection has gone
 * with its last request. */
static void become_role(struct connection *connection, struct login_check *check)
{
    struct native_service *service = connection->loop->service;

    assert(check->login && !connection->session.login);
    connection->session.login = check->login;
    connection->session.account = check->account;
    clients_authenticated(service->clients, &connection->client, check->account, check->user);
    become_ready(connection);
}

/* An error ends nothing: the client may try again, as with Cassandra. Answers AUTH_RESPONSE: success, or the check's error. */
static void reply_login(struct request *request, struct login_check *check)
{
    struct connection *connection = request->connection;
    const struct native_header *header = &request->message.header;
    struct native_reply reply = reply_to(connection, header, NATIVE_AUTH_SUCCESS);
    struct buffer *out;
    size_t start;

    if (check->error.status) {
        reply_error(connection, header, &check->error);
        return;
    }
    become_role(connection, check);
    start = begin_reply(connection, &out);
    native_encode_auth_success(out, (struct bytes){ NULL, 0 });
    native_reply_end(out, start, &reply);
    stream_socket_commit(&connection->socket);
    count_reply(connection, header->opcode, OK, request->began_us);
}

/* On the loop again, which took the connection for one with a request under way. Who has left
 * meanwhile is nobody. */
static void login_done(struct worker_job *job)
{
    struct login_check *check = CONTAINER_OF(job, struct login_check, job);
    struct request *request = check->context;
    struct connection *connection = request->connection;

    landed(connection);
    if (connection->socket.is_closed)
        auth_login_free(check->login);
    else
        reply_login(request, check);
    settle(request);
}

/* Without roles it is answered in place (end_authentication). With roles: a password is checked by a thread of its own; until it has answered nothing more is
 * read of this connection. Takes the arena over. */
static void begin_login(struct request *request)
{
    struct connection *connection = request->connection;
    struct native_loop *loop = connection->loop;
    struct login_check *check = arena_new_struct(request->arena, struct login_check);
    struct bytes token = request->message.auth_response.token;
    enum status status = login_parse(token, &check->user, &check->password, &check->error);

    request->query.trace = NULL;
    check->context = request;
    check->job.done = login_done;
    check->job.loop = loop->net_loop;
    check->address_bytes = connection->session.client_is_ipv6 ? 16 : 4;
    memcpy(check->address, connection->session.client_address, check->address_bytes);
    if (!status) {
        went_off(request);
        stream_socket_pause(&connection->socket, STREAM_PAUSE_OWNER);
        if (login_submit(loop->service->logins, check))
            return;
        landed(connection);
        status = error_set(&check->error, ERR_OVERLOADED, "Too many passwords wait to be checked");
        reply_login(request, check);
        settle(request);
        return;
    }
    reply_login(request, check);
    release(request);
}

/* What OPTIONS is answered: what STARTUP may ask for. */
static void encode_supported(struct buffer *out)
{
    static const char *const cql_versions[] = { "3.4.7", NULL };
    static const char *const compressions[] = { "snappy", "lz4", NULL };
#define LISTED(text) text,
    static const char *const protocol_versions[] = { NATIVE_VERSION_LIST(LISTED) NULL };
#undef LISTED
    static const struct native_supported supported[] = {
        { "COMPRESSION", compressions },
        { "CQL_VERSION", cql_versions },
        { "PROTOCOL_VERSIONS", protocol_versions },
        { NULL, NULL },
    };

    native_encode_supported(out, supported);
}

/* The requests that are about the connection, answered in place. They came through check_allowed,
 * so each is of its state. */
static enum status answer_session(struct connection *connection, const struct native_request *message,
                                  enum native_opcode *opcode, struct buffer *out, struct error *err)
{
    enum status status;

    switch (message->header.opcode) {
    case NATIVE_OPTIONS:
        *opcode = NATIVE_SUPPORTED;
        encode_supported(out);
        return OK;
    case NATIVE_STARTUP: return start_session(connection, message, opcode, out, err);
    case NATIVE_AUTH_RESPONSE:
        status = end_authentication(connection, message->auth_response.token, err);
        if (status)
            return status;
        *opcode = NATIVE_AUTH_SUCCESS;
        native_encode_auth_success(out, (struct bytes){ NULL, 0 });
        return OK;
    case NATIVE_REGISTER:
        connection->events |= message->registration.events;
        *opcode = NATIVE_READY;
        native_encode_ready(out);
        return OK;
    }
    return error_set(err, ERR_SERVER, "Request %u has no answer", message->header.opcode);
}

static bool is_session_request(uint8_t opcode)
{
    return opcode == NATIVE_OPTIONS || opcode == NATIVE_STARTUP || opcode == NATIVE_AUTH_RESPONSE ||
           opcode == NATIVE_REGISTER;
}

/* Which requests each state takes; the states are drawn in connection.h. Unknown opcodes were
 * refused when they were decoded. */
static enum status check_allowed(const struct connection *connection, uint8_t opcode, struct error *err)
{
    const char *name = native_opcode_name((enum native_opcode)opcode);

    assert(name);
    if (opcode == NATIVE_OPTIONS)
        return OK;
    switch (connection->state) {
    case CONNECTION_NEW:
        if (opcode == NATIVE_STARTUP)
            return OK;
        return error_set(err, ERR_PROTOCOL, "Unexpected message %s, expecting STARTUP or OPTIONS", name);
    case CONNECTION_ASKED:
        if (opcode == NATIVE_AUTH_RESPONSE)
            return OK;
        return error_set(err, ERR_PROTOCOL, "Unexpected message %s, expecting SASL_RESPONSE", name);
    case CONNECTION_READY:
        if (opcode == NATIVE_STARTUP)
            return error_set(err, ERR_PROTOCOL, "Unexpected message STARTUP, the connection is already initialized");
        if (opcode == NATIVE_AUTH_RESPONSE)
            return error_set(err, ERR_PROTOCOL,
                             "Unexpected message AUTH_RESPONSE, the connection is already initialized");
        return OK;
    }
    return OK;
}

/* Answered at once and in order, also while statements are under way. */
static void run_session(struct connection *connection, const struct native_request *message)
{
    struct native_reply reply;
    struct buffer *out;
    size_t start = begin_reply(connection, &out);
    struct error error;
    enum native_opcode opcode = NATIVE_ERROR;
    /* STARTUP itself is answered as it came: what it agrees on begins after it. */
    enum native_compression compression = connection->compression;
    enum status status = answer_session(connection, message, &opcode, out, &error);

    reply = reply_to(connection, &message->header, status ? NATIVE_ERROR : opcode);
    reply.compression = connection->framing ? NATIVE_COMPRESSION_NONE : compression;
    if (status) {
        out->size = start + NATIVE_HEADER_BYTES;
        native_encode_error(out, reply.version, &error, NULL);
    }
    native_reply_end(out, start, &reply);
    stream_socket_commit(&connection->socket);
    count_reply(connection, message->header.opcode, status, connection->loop->clock_us);
    /* The answer to STARTUP is a frame; all that follows is in segments, in both directions. */
    if (!status && message->header.opcode == NATIVE_STARTUP && message->version >= NATIVE_V5)
        begin_segments(connection);
}

/* ---- frames ---- */

/* A connection speaks one version from STARTUP on. */
static enum status check_version(struct connection *connection, const struct native_header *header, struct error *err)
{
    uint8_t version = connection->session.protocol_version;

    /* Before STARTUP each request is for itself: OPTIONS may be asked in another version than the session's. */
    if (connection->state != CONNECTION_NEW && version != header->version)
        return error_set(
            err, ERR_PROTOCOL,
            "Invalid message version. Got %u/v%u but previous messages on this connection had version %u/v%u",
            header->version, header->version, version, version);
    connection->session.protocol_version = header->version;
    return OK;
}

/* Who has not said who it is sends what is about that: a few names, a token. So nobody else's memory goes to strangers, however many
 * of them wait for their passwords to be checked. */
static uint32_t body_bytes_max(const struct connection *connection)
{
    uint32_t most = connection->loop->limits.frame_bytes_max;

    return connection->state == CONNECTION_READY || most < STRANGERS_BODY_BYTES_MAX ? most : STRANGERS_BODY_BYTES_MAX;
}

/* The body is copied out of the input, which is read over by the next message: the request's spans
 * need it as long as the request lives. */
static enum status open_body(struct connection *connection, const struct native_header *header, struct bytes body,
                             struct arena *arena, struct bytes *result, struct error *err)
{
    /* An empty body has nothing to compress; drivers send OPTIONS with and without the flag. Where
     * no compression was agreed the flag says nothing, as to Cassandra; and v5 compresses segments. */
    if ((header->flags & NATIVE_FLAG_COMPRESSED) && body.size && connection->compression != NATIVE_COMPRESSION_NONE &&
        !connection->framing)
        return native_decompress(connection->compression, body, body_bytes_max(connection), arena, result, err);
    *result = arena_copy(arena, body);
    return OK;
}

/* For those who want to be told (THROW_ON_OVERLOAD): an error instead of waiting. Requests about
 * the connection itself are always taken. */
static enum status check_load(const struct connection *connection, const struct native_header *header,
                              struct error *err)
{
    assert(connection->throws_on_overload);
    if (is_session_request(header->opcode) || budget_admits(&connection->share))
        return OK;
    metric_add(&connection->loop->metrics.overloaded, 1);
    return budget_overloaded(&connection->share, err);
}

/* The others are not read until there is memory. False: this one waits, in a queue, and its frame
 * stays in the input. */
static bool may_take(struct connection *connection)
{
    if (__builtin_expect(budget_admits(&connection->share), 1) || connection->throws_on_overload)
        return true;
    native_memory_starve(connection->loop, connection);
    return false;
}

/* From a frame to a request. False: the body was not understood, which counts against the
 * connection where segments are used. Whatever happens is answered: a request without an answer
 * would block its stream id at the client for ever. */
static bool take_frame(struct connection *connection, const struct native_header *header, struct bytes body)
{
    struct native_loop *loop = connection->loop;
    struct arena *arena = native_memory_arena(loop);
    struct request *request = arena_alloc(arena, sizeof(*request)); /* each member is set before it is used */
    struct error *err = &request->query.error;
    enum status status;
    bool is_understood;

    assert(!connection->socket.is_closed);
    request->connection = connection;
    request->arena = arena;
    request->began_us = loop->clock_us;
    budget_charge_begin(&request->charge, &connection->share, arena);
    metric_add(&connection->client.request_count, 1);
    status = check_version(connection, header, err);
    if (!status && connection->throws_on_overload)
        status = check_load(connection, header, err);
    if (!status)
        status = open_body(connection, header, body, arena, &body, err);
    request->body_bytes = body.size;
    if (!status)
        status = native_decode(header, body, arena, &request->message, err);
    is_understood = !status || status == ERR_OVERLOADED;
    if (!status)
        status = check_allowed(connection, header->opcode, err);
    if (status) {
        reply_error(connection, header, err);
    } else if (header->opcode == NATIVE_AUTH_RESPONSE && loop->service->logins) {
        begin_login(request);
        return true;
    } else if (is_session_request(header->opcode)) {
        run_session(connection, &request->message);
    } else {
        run_query(request);
        return true;
    }
    release(request);
    return is_understood;
}

/* The next envelope of a v5 connection. False: more must come first. *is_broken: nothing that
 * follows can be understood. */
static bool take_envelope(struct connection *connection, struct bytes rest, size_t *taken, bool *is_broken)
{
    struct native_loop *loop = connection->loop;
    struct native_segments *segments = &connection->framing->in;
    struct native_header header;
    struct bytes body;
    struct error error;
    size_t wanted;

    switch (native_segments_next(segments, rest, loop->segment_scratch, &header, &body, taken, &wanted, &error)) {
    case NATIVE_SEGMENTS_ENVELOPE:
        *is_broken = !native_segments_failed(segments, !take_frame(connection, &header, body));
        loop_spend(loop->net_loop, 1);
        return true;
    case NATIVE_SEGMENTS_NONE: return true;
    case NATIVE_SEGMENTS_INCOMPLETE: stream_socket_want(&connection->socket, wanted); return false;
    case NATIVE_SEGMENTS_REFUSED: reply_error(connection, &header, &error); return true;
    case NATIVE_SEGMENTS_BROKEN: reply_error(connection, &header, &error); *is_broken = true;
    }
    return true;
}

/* As input, of v5. What is read of a segment stays in the shared scratch until the loop is left,
 * and must be kept then. */
static size_t input_segments(struct connection *connection, struct bytes data)
{
    struct stream_socket *socket = &connection->socket;
    struct native_loop *loop = connection->loop;
    struct framing *framing = connection->framing;
    bool is_broken = false;
    size_t all = 0;

    while (!socket->is_closed && !socket->pauses) {
        size_t taken = 0;

        if (!loop_may_go_on(loop->net_loop)) {
            stream_socket_again(socket);
            break;
        }
        if (!may_take(connection))
            break;
        if (!take_envelope(connection, bytes_of(data.data + all, data.size - all), &taken, &is_broken))
            break;
        all += taken;
        if (is_broken) {
            assert(all <= data.size);
            stream_socket_close_when_sent(socket);
            all = data.size;
        }
    }
    if (socket->is_closed)
        return all;
    native_segments_keep(&framing->in, loop->segment_scratch);
    hold_segments(connection);
    return all;
}

/* A frame that was too large is thrown away as it comes: its length is known, so what follows can
 * be read. */
static size_t skip(struct connection *connection, size_t available)
{
    size_t now = connection->skip_bytes < available ? (size_t)connection->skip_bytes : available;

    connection->skip_bytes -= now;
    return now;
}

/* All that has come: frame after frame, until there is no whole one, the turn is over, or the
 * connection must wait. What is left is handed over again, together with what comes next. */
static size_t input(struct stream_socket *socket, struct bytes data)
{
    struct connection *connection = CONTAINER_OF(socket, struct connection, socket);
    struct native_loop *loop = connection->loop;
    size_t taken = skip(connection, data.size);

    assert(!socket->is_closed);
    loop->clock_us = loop_now_us(loop->net_loop);
    while (!socket->is_closed && !socket->pauses && !connection->framing) {
        struct bytes rest = { data.data + taken, data.size - taken };
        struct native_header header;
        struct error error;
        size_t wanted;
        uint64_t skip_bytes;

        if (!loop_may_go_on(loop->net_loop)) {
            stream_socket_again(socket);
            break;
        }
        switch (native_frame_peek(rest, body_bytes_max(connection), &header, &wanted, &skip_bytes, &error)) {
        case NATIVE_FRAME_INCOMPLETE: stream_socket_want(socket, wanted); return taken;
        case NATIVE_FRAME_BROKEN:
            reply_error(connection, &header, &error);
            if (!skip_bytes) {
                stream_socket_close_when_sent(socket);
                return data.size;
            }
            connection->skip_bytes = skip_bytes;
            taken += skip(connection, rest.size);
            break;
        case NATIVE_FRAME_READY:
            if (!is_session_request(header.opcode) && !may_take(connection))
                return taken;
            take_frame(connection, &header, bytes_of(rest.data + NATIVE_HEADER_BYTES, header.length));
            taken += wanted;
            loop_spend(loop->net_loop, 1);
            break;
        }
    }
    /* STARTUP of v5 was answered in the middle of what came: the rest is in segments already. */
    if (connection->framing && taken < data.size)
        taken += input_segments(connection, bytes_of(data.data + taken, data.size - taken));
    return taken;
}

/* Nothing was asked before: the connection is as new as one in plain text. */
static void secured(struct stream_socket *socket)
{
    struct connection *connection = CONTAINER_OF(socket, struct connection, socket);
    const struct tls_session *tls = stream_socket_tls(socket);

    assert(connection->state == CONNECTION_NEW);
    clients_secured(connection->loop->service->clients, &connection->client, tls_session_protocol(tls),
                    tls_session_cipher(tls));
}

static const struct stream_ops connection_ops = { input, closed, leaving, secured };

/* ---- events: what a client registered for ---- */

/* Encoded once for all connections. Only to those who may receive it, and only as long as they take
 * it. */
void connection_send_event(struct connection *connection, struct bytes body)
{
    struct stream_socket *socket = &connection->socket;
    struct native_header header = { .stream_id = -1 };
    struct native_reply reply = reply_to(connection, &header, NATIVE_EVENT);
    struct buffer *out;
    size_t start;

    if (socket->is_closed || connection->state != CONNECTION_READY)
        return;
    /* Replies stop when too much waits; events, which nobody asked for, would not: who takes
     * nothing can't make us keep them. */
    if (socket->output_bytes == 0)
        connection->event_bytes = 0;
    connection->event_bytes += NATIVE_HEADER_BYTES + body.size;
    if (connection->event_bytes > socket->output_bytes_max) {
        stream_socket_close(socket);
        return;
    }
    start = begin_reply(connection, &out);
    buffer_append_bytes(out, body);
    native_reply_end(out, start, &reply);
    stream_socket_commit(socket);
}

/* ---- the beginning ---- */

/* Whoever connects and says nothing is let go: it would hold a descriptor and a place among the
 * connections. */
static void startup_fire(struct loop_timer *timer)
{
    connection_close(CONTAINER_OF(timer, struct connection, startup_timer));
}

/* The count is taken before it is compared, so that loops which accept at the same moment do not
 * both take the last place. */
void connection_open(struct native_loop *loop, int fd, const struct sockaddr *address, struct tls_gate *gate)
{
    const struct native_limits *limits = &loop->limits;
    struct stream_options options = { limits->output_bytes_max, limits->stall_us, &loop->budget, gate };
    struct connection *connection;
    struct error error;

    metric_add(&loop->metrics.connections_opened, 1);
    if (atomic_fetch_add_explicit(&loop->service->connection_count, 1, memory_order_relaxed) >= limits->connections_max)
        goto refuse;
    connection = xcalloc(1, sizeof(*connection));
    if (stream_socket_open(&connection->socket, loop->net_loop, fd, &connection_ops, &options, &error)) {
        free(connection);
        goto refuse;
    }
    assert(!connection->in_flight && !connection->waits);
    connection->loop = loop;
    connection->share.budget = &loop->requests;
    connection->startup_timer.fire = startup_fire;
    connection->release.run = release_run;
    connection->session.flow = loop->flow_next++;
    connection->session.client_is_ipv6 = listener_address_bytes(address, connection->session.client_address) == 16;
    connection->session.account = catalog_account_default(loop->service->catalog);
    clients_add(loop->service->clients, &connection->client, connection->session.account, address);
    connection->next = loop->connections;
    if (connection->next)
        connection->next->previous = connection;
    loop->connections = connection;
    metric_add(&loop->metrics.connections_open, 1);
    loop_timer_set(loop->net_loop, &connection->startup_timer, loop_now_us(loop->net_loop) + limits->startup_us);
    return;

refuse:
    atomic_fetch_sub_explicit(&loop->service->connection_count, 1, memory_order_relaxed);
    metric_add(&loop->metrics.connections_refused, 1);
    close(fd);
}
