/* libmicrohttpd reads and writes what HTTP looks like; nobody else in the house knows it. It is
 * driven by a loop of ours (it has no thread), for three things it does not do: a deadline for a
 * whole request, not only for silence; a refusal that a client can read where there are too many
 * connections; and handlers that wait while other connections are served. A connection whose
 * request is at a handler is suspended, and the library does not touch it; so all of this is one
 * thread's, but for the handlers.
 *
 * What the library itself finds wrong (a length that is no number, a chunk that is none, a head far
 * beyond the limits) it answers with the right status, text of its own, and ends. It may learn late
 * that a client has gone which ended its side together with its last bytes: then its deadline ends it.
 *
 * With TLS the library gets one end of a socket pair (net/relay.h), and works as before: only
 * say_and_cut writes to a socket itself, and bytes_received asks the relay. */
#include "net/http_server.h"

#include "base/hash.h"
#include "base/log.h"
#include "net/listener.h"
#include "net/relay.h"
#include "net/workers.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXCESS_MAX = 64,               /* connections past the limit that are told so; others are just closed */
    DISCARDED_BYTES_MAX = 8 << 20, /* of a refused request's body */
    HEADER_COST = 64,              /* the library's own, for each header and parameter */
    RESPONSE_COST = 2 * HTTP_RESPONSE_HEADER_BYTES_MAX,
    LINE_COST = 4096, /* a request line's other parts, and what the library reads ahead */
    ARENA_BYTES = 4096,
    ADDRESS_BUCKETS = 1024,
    SHAKING_MAX = 256, /* connections whose TLS handshake is not done */
};

/*     WAITING --line--> HEAD --headers--> BODY --end--> RUNNING --done--> READY --queued--> SENDING --sent--> WAITING
 *                                         BODY --end, refused or not found----------------> SENDING
 *                                 HEAD --refused, and it waits to be told to go on--------> SENDING */
/* What may come next is asserted where a phase changes: answer, dispatch, ran, line_received,
 * received. */
enum connection_phase { WAITING, HEAD, BODY, RUNNING, READY, SENDING };

struct http_connection {
    struct http_server *server;
    struct MHD_Connection *peer; /* the library's */
    int fd;                      /* the library's */
    struct relay *relay;         /* held; NULL: plain text */
    struct sockaddr_storage address;
    struct http_connection *next, *previous; /* the server's list */
    struct http_connection *bucket_next;     /* of those with as good as the same address */
    uint32_t bucket;
    bool is_excess;  /* past a limit of connections */
    bool is_last;    /* no request after this one */
    bool is_cut;     /* by us: the library will find out */
    bool has_served; /* a request at least */
    enum connection_phase phase;
    uint64_t received_before; /* bytes that came before the last answer */
    struct loop_timer timer;
    /* The request, from its line to its answer's last byte: */
    struct arena *arena; /* owned */
    struct bytes target;
    unsigned refusal; /* a status; 0: none */
    struct http_request request;
    struct http_response response;
    const struct http_route *route;
    struct buffer body;
    uint64_t discarded_bytes;
    struct worker_job job;
};

struct http_server {
    struct http_options options;
    struct http_limits limits;
    struct MHD_Daemon *daemon; /* owned, as all below */
    struct loop *loop;
    struct workers *workers;
    pthread_t thread;
    struct listener listener, tls_listener;
    struct tls_gate gate;
    struct relays relays;
    struct loop_source source; /* the library's epoll */
    struct loop_task run_task; /* the library has something to do at once */
    struct loop_task drain_task;
    struct loop_timer drain_timer;
    struct hash_key hash_key;
    struct http_connection *buckets[ADDRESS_BUCKETS];
    struct http_connection *connections;
    struct http_connection *accepting; /* whom the library is being told of */
    uint32_t connection_count, excess_count;
    uint32_t running; /* requests at handlers */
    size_t bodies_bytes;
    bool is_draining;
};

/* ---- connections ---- */

/* A client is an address of IPv4, or a network of IPv6: who has one has 2^64. */
static struct bytes client_of(const struct sockaddr_storage *address, uint8_t bytes[16])
{
    uint8_t size = listener_address_bytes((const struct sockaddr *)address, bytes);

    return bytes_of(bytes, size == 16 ? 8 : size);
}

/* Keyed, so that nobody can choose addresses that share a bucket. */
static uint32_t bucket_of(const struct http_server *server, const struct sockaddr_storage *address)
{
    uint8_t bytes[16];

    return (uint32_t)(hash_keyed(&server->hash_key, client_of(address, bytes)) % ADDRESS_BUCKETS);
}

/* Walks one bucket. Those past a limit are not counted: they have no request of their own. */
static uint32_t count_of_client(const struct http_server *server, const struct http_connection *connection)
{
    uint8_t mine[16], other[16];
    struct bytes client = client_of(&connection->address, mine);
    uint32_t count = 0;

    for (const struct http_connection *at = server->buckets[connection->bucket]; at; at = at->bucket_next)
        count += !at->is_excess && bytes_equal(client_of(&at->address, other), client);
    return count;
}

static void set_deadline(struct http_connection *connection, int64_t after_us)
{
    struct loop *loop = connection->server->loop;

    loop_timer_set(loop, &connection->timer, loop_now_us(loop) + after_us);
}

/* As the kernel counts: it tells whether a client began to say something that the library has not
 * yet made a request of. */
static uint64_t bytes_received(const struct http_connection *connection)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof(info);

    if (connection->relay)
        return connection->relay->passed_bytes;
    return getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

static const char *reason_of(unsigned status)
{
    const char *reason = MHD_get_reason_phrase_for(status);

    return reason ? reason : "";
}

/* Ends a connection where the library takes no answer: in the middle of a request. status 0:
 * without a word. The descriptor stays the library's to close: it is shut down here, so that the
 * library finds its end. */
static void say_and_cut(struct http_connection *connection, unsigned status)
{
    char text[256];
    int size = snprintf(text, sizeof(text), "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status,
                        reason_of(status));

    assert(connection->phase != RUNNING && connection->phase != READY);
    assert(!status || connection->phase != SENDING);
    if (connection->is_cut)
        return;
    if (status && send(connection->fd, text, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) != size)
        log_debug("http", "a refusal did not leave status=%u", status);
    connection->is_cut = true;
    shutdown(connection->fd, SHUT_RDWR);
}

/* A client that said nothing since its last answer just stays away; one that began to say something
 * is told. Deadlines hold for a whole request or answer: a byte now and then does not move them. */
static void deadline_fire(struct loop_timer *timer)
{
    struct http_connection *connection = CONTAINER_OF(timer, struct http_connection, timer);

    switch (connection->phase) {
    case WAITING:
        say_and_cut(connection,
                    bytes_received(connection) > connection->received_before ? MHD_HTTP_REQUEST_TIMEOUT : 0);
        return;
    case HEAD:
    case BODY: say_and_cut(connection, MHD_HTTP_REQUEST_TIMEOUT); return;
    case SENDING: say_and_cut(connection, 0); return;
    case RUNNING:
    case READY: assert(!"a request at its handler has no deadline");
    }
}

static void list_add(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    connection->next = server->connections;
    assert(connection->bucket < ADDRESS_BUCKETS);
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    connection->bucket_next = server->buckets[connection->bucket];
    server->buckets[connection->bucket] = connection;
    server->connection_count += !connection->is_excess;
    server->excess_count += connection->is_excess;
}

/* From the list of all and from the bucket, whose list has one direction: buckets are short. */
static void list_remove(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct http_connection **at = &server->buckets[connection->bucket];

    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    while (*at != connection)
        at = &(*at)->bucket_next;
    *at = connection->bucket_next;
    assert(connection->is_excess ? server->excess_count : server->connection_count);
    server->connection_count -= !connection->is_excess;
    server->excess_count -= connection->is_excess;
}

static void forget_body(struct http_connection *connection)
{
    assert(connection->server->bodies_bytes >= connection->body.size);
    connection->server->bodies_bytes -= connection->body.size;
    buffer_fini(&connection->body);
}

/* For the next request of this connection, or for its end. */
static void forget_request(struct http_connection *connection)
{
    assert(connection->phase != RUNNING);
    forget_body(connection);
    buffer_fini(&connection->response.body);
    arena_free(connection->arena);
    connection->arena = NULL;
    connection->target = (struct bytes){ NULL, 0 };
    connection->refusal = 0;
    connection->route = NULL;
    connection->discarded_bytes = 0;
}

/* The loop has no reason to go on: close waits for its thread. */
static void end_if_drained(struct http_server *server)
{
    if (server->is_draining && !server->connections && !server->relays.oldest)
        loop_stop(server->loop);
}

/* The library has let go of the connection, for whatever reason. */
static void connection_free(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    loop_timer_clear(server->loop, &connection->timer);
    if (connection->arena)
        forget_request(connection);
    list_remove(connection);
    if (connection->relay)
        relay_release(connection->relay);
    free(connection);
    end_if_drained(server);
}

/* The library has a new connection, or one has gone. It tells of a new one from within
 * MHD_add_connection, so `accepting` says which of ours that is. */
static void connection_changed(void *context, struct MHD_Connection *peer, void **own,
                               enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        assert(server->accepting && !server->accepting->peer);
        server->accepting->peer = peer;
        *own = server->accepting;
        server->accepting = NULL;
    } else {
        connection_free(*own);
        *own = NULL;
    }
}

/* So many are past the limit already that this one gets no connection of the library's: nobody
 * reads what it sends, and it is told as far as it listens. */
static void turn_away(int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

    if (send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_debug("http", "a refusal did not leave");
    close(fd);
}

/* Connections past a limit are taken nevertheless, up to EXCESS_MAX, and their first request is
 * answered with 503: who is cut off without a word tries again at once. */
static void take(struct http_server *server, int fd, const struct sockaddr *address, struct relay *relay)
{
    socklen_t size = address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    struct http_connection *connection;

    assert(!server->accepting);
    connection = xcalloc(1, sizeof(*connection));
    connection->server = server;
    connection->fd = fd;
    connection->relay = relay;
    memcpy(&connection->address, address, size);
    connection->timer.fire = deadline_fire;
    connection->bucket = bucket_of(server, &connection->address);
    connection->is_excess = server->connection_count >= server->limits.connections ||
                            count_of_client(server, connection) >= server->limits.connections_per_address;
    /* Only of those past a limit: whoever has all of his does not shut out others. */
    if (connection->is_excess && server->excess_count == EXCESS_MAX) {
        free(connection);
        turn_away(fd);
        if (relay)
            relay_release(relay);
        return;
    }
    list_add(connection);
    set_deadline(connection, server->limits.receive_us);
    server->accepting = connection;
    MHD_add_connection(server->daemon, fd, address, size);
    if (server->accepting) { /* the library would not have it, and closed it */
        server->accepting = NULL;
        connection_free(connection);
    }
    loop_defer(server->loop, &server->run_task);
}

static void accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    take(CONTAINER_OF(listener, struct http_server, listener), fd, address, NULL);
}

static void tls_accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    relay_open(&CONTAINER_OF(listener, struct http_server, tls_listener)->relays, fd, address);
}

/* A handshake is done: from here on the connection is as any other. */
static void relay_ready(struct relay *relay, int fd, const struct sockaddr_storage *address)
{
    take(CONTAINER_OF(relay->relays, struct http_server, relays), fd, (const struct sockaddr *)address, relay);
}

static void relay_ended(struct relays *relays)
{
    end_if_drained(CONTAINER_OF(relays, struct http_server, relays));
}

/* ---- answers ---- */

/* Owns the body from here on. NULL: the answer has a header that cannot be sent. */
static struct MHD_Response *make_response(struct http_response *from)
{
    struct MHD_Response *response;

    if (from->is_broken)
        return NULL;
    response = from->body.size
                   ? MHD_create_response_from_buffer(from->body.size, from->body.data, MHD_RESPMEM_MUST_FREE)
                   : MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    if (!response)
        return NULL;
    if (from->body.size)
        /* The body is the library's now, which frees it. */
        from->body = (struct buffer){ 0 };
    for (uint32_t i = 0; i < from->header_count; i++) {
        if (MHD_add_response_header(response, (const char *)from->headers[i].name.data,
                                    (const char *)from->headers[i].value.data) != MHD_NO)
            continue;
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* The client is told 500. The handler's mistake is in the log, without the header: it may hold what
 * a client sent. */
static struct MHD_Response *make_broken_response(struct http_connection *connection)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);

    log_error("http", "an answer has headers that can't be sent status=%u", connection->response.status);
    connection->response.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    return response;
}

/* What is in connection->response leaves. MHD_NO: the library ends the connection. */
static enum MHD_Result answer(struct http_connection *connection)
{
    struct MHD_Response *response = make_response(&connection->response);
    enum MHD_Result result;

    assert(connection->phase != WAITING && connection->phase != RUNNING && connection->phase != SENDING);
    if (!response)
        response = make_broken_response(connection);
    if (!response)
        return MHD_NO;
    /* Who drains takes no further request of this connection. */
    connection->is_last |= connection->server->is_draining;
    if (connection->is_last)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    connection->phase = SENDING;
    connection->received_before = bytes_received(connection); /* later it may have come in answer to this */
    set_deadline(connection, connection->server->limits.send_us);
    result = MHD_queue_response(connection->peer, connection->response.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct http_connection *connection, unsigned status, const char *allow)
{
    struct http_response *response = &connection->response;
    const char *text = arena_printf(connection->arena, "%u %s\n", status, reason_of(status));

    assert(connection->arena && status >= 400);
    http_response_text(response, status, text);
    if (allow)
        http_response_header(response, "Allow", allow);
    /* RFC 9110, 10.2.3: clients then come back later, and not at once. */
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        http_response_header(response, "Retry-After", "1");
    return answer(connection);
}

/* The first reason counts. Nothing is read after it: what follows may be no request. */
static void refuse(struct http_connection *connection, unsigned status)
{
    assert(status >= 400 && status <= 599);
    assert(connection->phase == HEAD || connection->phase == BODY);
    if (!connection->refusal)
        connection->refusal = status;
    connection->is_last = true;
    forget_body(connection);
}

/* ---- the head of a request ---- */

/* The request line is here, as it came: the library will change it. The arena is what a request begins with. */
static void *line_received(void *context, const char *target, struct MHD_Connection *peer)
{
    struct http_server *server = context;
    struct http_connection *connection =
        MHD_get_connection_info(peer, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    size_t size = strlen(target);

    assert(connection->server == server && connection->phase == WAITING && !connection->arena);
    connection->phase = HEAD;
    connection->arena = arena_new(ARENA_BYTES);
    if (size > server->limits.uri_bytes)
        refuse(connection, MHD_HTTP_URI_TOO_LONG);
    else
        connection->target = arena_copy(connection->arena, bytes_of(target, size));
    if (connection->has_served) /* else its time began when it connected */
        set_deadline(connection, server->limits.receive_us);
    return connection;
}

/* The headers, and where they say that the body ends: only what has one meaning. */
struct head {
    struct http_connection *connection;
    struct bytes_pair *headers;
    uint32_t count, capacity;
    size_t bytes;
    uint32_t hosts;
    uint32_t lengths, encodings; /* headers that say how long the body is */
    bool is_chunked;
    uint64_t length;
    bool is_awaited; /* the client sends its body when it is told to */
    bool is_bad;     /* it does not say where the body ends, or holds what cannot stand there */
};

/* Digits only: a sign, a blank or a list of two lengths is read one way by some and another by
 * others (request smuggling, RFC 9112, 11.2). */
static bool parse_length(struct bytes value, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || *length > UINT64_MAX / 10 - 1)
            return false;
        *length = *length * 10 + (uint64_t)(value.data[i] - '0');
    }
    return value.size > 0;
}

/* The library leaves blanks behind a value, which are not part of it (RFC 9110, 5.5). */
static struct bytes without_trailing_blanks(struct bytes value)
{
    while (value.size && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
        value.size--;
    return value;
}

static bool is_field_value(struct bytes value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    return true;
}

/* Counts what must not be there twice. A value that some proxy may read as a second header, or as
 * the end of the head, makes the request bad. */
static void note_header(struct head *head, struct bytes name, struct bytes value)
{
    if (bytes_is_ignoring_case(name, "content-length")) {
        head->lengths++;
        head->is_bad |= !parse_length(value, &head->length);
    } else if (bytes_is_ignoring_case(name, "transfer-encoding")) {
        head->encodings++;
        head->is_chunked = bytes_is_ignoring_case(value, "chunked");
    } else if (bytes_is_ignoring_case(name, "expect")) {
        head->is_awaited = true;
    } else if (bytes_is_ignoring_case(name, "host")) {
        head->hosts++;
    }
    head->is_bad |= !http_is_token(name) || !is_field_value(value);
}

/* Called for each header in turn. After a limit is passed nothing is kept, but what says where the
 * body ends is still looked at. */
static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
    struct head *head = context;
    struct arena *arena = head->connection->arena;
    const struct http_limits *limits = &head->connection->server->limits;
    struct bytes name_bytes = bytes_of(name, name_size);
    struct bytes value_bytes = bytes_of(value ? value : "", value ? value_size : 0);

    head->bytes += name_bytes.size + value_bytes.size;
    if (head->count == limits->header_count || head->bytes > limits->header_bytes) {
        refuse(head->connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
        note_header(head, name_bytes, value_bytes); /* where the body ends must be known all the same */
        return MHD_YES;
    }
    head->headers = arena_room(arena, head->headers, head->count, &head->capacity, 16, sizeof(*head->headers));
    head->headers[head->count++] =
        (struct bytes_pair){ arena_copy(arena, name_bytes), arena_copy(arena, without_trailing_blanks(value_bytes)) };
    note_header(head, name_bytes, value_bytes);
    return MHD_YES;
}

/* RFC 9112, 3.2 and 6.3: one Host in HTTP/1.1, and one statement of where the body ends. A length
 * and an encoding together are how requests are smuggled past a proxy, so they are refused, though
 * the RFC lets a server choose. */
static void check_head(struct http_connection *connection, const char *version, struct head *head)
{
    bool is_old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0; /* it has no chunks: who stands before us sees no body */

    head->is_bad |= head->hosts > 1 || (!head->hosts && !is_old);
    head->is_bad |= head->lengths + head->encodings > 1 || (head->encodings && (!head->is_chunked || is_old));
    if (head->is_bad)
        refuse(connection, MHD_HTTP_BAD_REQUEST);
    if (head->lengths && head->length > connection->server->limits.body_bytes)
        refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE);
}

/* The order matters where two reasons hold: the first is the one that the client is told. That a
 * limit of connections was reached is told last, of a request that could have been served. */
static void parse_head(struct http_connection *connection, const char *method, const char *version, struct head *head)
{
    struct http_server *server = connection->server;
    struct http_request *request = &connection->request;
    unsigned status;

    *request = (struct http_request){
        .method = arena_copy(connection->arena, bytes_of_string(method)),
        .peer = (const struct sockaddr *)&connection->address,
        .arena = connection->arena,
        .context = server->options.context,
    };
    connection->response = (struct http_response){ .status = MHD_HTTP_OK, .arena = connection->arena };
    MHD_get_connection_values_n(connection->peer, MHD_HEADER_KIND, take_header, head);
    request->headers = head->headers;
    request->header_count = head->count;
    check_head(connection, version, head);
    if (!http_is_token(request->method))
        refuse(connection, MHD_HTTP_BAD_REQUEST);
    if (connection->refusal)
        return;
    status = http_request_parse_target(request, connection->target, server->limits.parameters);
    if (status)
        refuse(connection, status);
    else if (connection->is_excess)
        refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE);
}

/* A refused client that waits to be told to go on (Expect: 100-continue) is told at once, and so is
 * one whose body nobody would read to its end, or who does not say where that is; a body that is on
 * its way is let come, as a client that is still sending would not read the answer. */
static enum MHD_Result take_head(struct http_connection *connection, const char *method, const char *version)
{
    struct head head = { .connection = connection };

    parse_head(connection, method, version, &head);
    connection->phase = BODY;
    if (connection->refusal && (head.is_awaited || head.is_bad || head.length > DISCARDED_BYTES_MAX))
        return answer_text(connection, connection->refusal, NULL);
    return MHD_YES;
}

/* ---- its body, and its end ---- */

/* Pieces are added up; a limit that is passed throws away what there was. What a refused client
 * goes on sending is counted, and has an end too. */
static enum MHD_Result take_body(struct http_connection *connection, const char *data, size_t size)
{
    struct http_server *server = connection->server;

    assert(connection->phase == BODY);
    if (!connection->refusal && connection->body.size + size > server->limits.body_bytes)
        refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE);
    if (!connection->refusal && server->bodies_bytes + size > server->limits.bodies_bytes)
        refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE);
    if (!connection->refusal) {
        buffer_append(&connection->body, data, size);
        server->bodies_bytes += size;
        assert(server->bodies_bytes <= server->limits.bodies_bytes);
        return MHD_YES;
    }
    connection->discarded_bytes += size;
    if (connection->discarded_bytes > DISCARDED_BYTES_MAX)
        say_and_cut(connection, connection->refusal);
    return MHD_YES;
}

/* On one of the pool's threads. The connection is suspended, so the library and the loop leave it
 * alone until `ran`. */
static void run(struct worker_job *job, void *thread)
{
    struct http_connection *connection = CONTAINER_OF(job, struct http_connection, job);

    connection->request.thread = thread;
    connection->route->handle(&connection->request, &connection->response);
    assert(connection->response.status >= 200 && connection->response.status <= 599);
}

/* The library asks again what the answer is: see received. */
static void ran(struct worker_job *job)
{
    struct http_connection *connection = CONTAINER_OF(job, struct http_connection, job);
    struct http_server *server = connection->server;

    assert(connection->phase == RUNNING && server->running > 0);
    server->running--;
    connection->phase = READY;
    MHD_resume_connection(connection->peer);
    loop_defer(server->loop, &server->run_task);
}

/* A whole request: it is refused, or runs on a worker. From here to `ran` it has no deadline, as a
 * handler cannot be stopped. */
static enum MHD_Result dispatch(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    const char *allow;
    unsigned status;

    if (connection->refusal)
        return answer_text(connection, connection->refusal, NULL);
    assert(connection->phase == BODY && !connection->job.task.is_queued);
    connection->route =
        http_route_find(server->options.routes, server->options.route_count, &connection->request, &status, &allow);
    if (!connection->route)
        return answer_text(connection, status, allow);
    connection->request.body = buffer_bytes(&connection->body);
    connection->job =
        (struct worker_job){ .run = run, .done = ran, .loop = server->loop, .group = connection->route->group };
    if (!workers_submit(server->workers, &connection->job))
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NULL);
    connection->phase = RUNNING;
    server->running++;
    loop_timer_clear(server->loop, &connection->timer);
    MHD_suspend_connection(connection->peer);
    return MHD_YES;
}

/* The library calls it when the headers are here, for each piece of the body, at its end, and once
 * more when the handler is done. The phase says which of these it is. *upload_bytes = 0 says that
 * all of a piece was taken. */
static enum MHD_Result received(void *context, struct MHD_Connection *peer, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    struct http_connection *connection = *state;

    assert(connection && connection->server == context && connection->peer == peer);
    switch (connection->phase) {
    case HEAD: return take_head(connection, method, version);
    case BODY:
        if (*upload_bytes == 0)
            return dispatch(connection);
        take_body(connection, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    case READY: return answer(connection);
    case SENDING: *upload_bytes = 0; return MHD_YES; /* it was refused, and goes on sending */
    case WAITING:
    case RUNNING: break;
    }
    assert(!"no request is asked about before it came, or while it runs");
    return MHD_NO;
}

/* The answer has left, or never will. The connection waits for the next request, unless the server
 * drains. */
static void request_ended(void *context, struct MHD_Connection *peer, void **state,
                          enum MHD_RequestTerminationCode code)
{
    struct http_connection *connection = *state;

    if (!connection)
        return;
    assert(connection->peer == peer);
    forget_request(connection);
    *state = NULL;
    connection->phase = WAITING;
    connection->has_served = true;
    set_deadline(connection, connection->server->limits.idle_us);
    if (connection->server->is_draining)
        say_and_cut(connection, 0);
}

/* ---- the loop ---- */

/* The library does what it can without waiting. If it says that it could do more at once, it comes
 * again in the next turn, after the others. */
static void run_daemon(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0)
        loop_again(server->loop, &server->run_task);
}

/* Deferred to the end of a turn, so that the library is called once for whatever happened in it. */
static void run_task(struct loop_task *task)
{
    run_daemon(CONTAINER_OF(task, struct http_server, run_task));
}

static void daemon_ready(struct loop_source *source, uint32_t events)
{
    run_daemon(CONTAINER_OF(source, struct http_server, source));
}

static void *loop_main(void *argument)
{
    struct http_server *server = argument;

    if (server->options.niceness) /* of this thread alone; more of it is always allowed */
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), server->options.niceness);
    loop_run(server->loop);
    return NULL;
}

/* Who is between two requests has nothing to lose: a client must expect a connection to end then. */
static void cut_those_who_wait(struct http_server *server)
{
    for (struct http_connection *connection = server->connections; connection; connection = connection->next)
        if (connection->phase == WAITING && bytes_received(connection) <= connection->received_before)
            say_and_cut(connection, 0);
}

/* Runs on the loop: closing begins here, and ends when the last connection has gone or the time is
 * up. */
static void drain_run(struct loop_task *task)
{
    struct http_server *server = CONTAINER_OF(task, struct http_server, drain_task);

    assert(!server->is_draining);
    server->is_draining = true;
    listener_close(&server->listener);
    listener_close(&server->tls_listener);
    relays_close(&server->relays, false);
    loop_timer_set(server->loop, &server->drain_timer, loop_now_us(server->loop) + server->limits.drain_us);
    cut_those_who_wait(server);
    end_if_drained(server);
}

/* Some connection did not end in time: it is cut by free_server. */
static void drain_fire(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct http_server, drain_timer)->loop);
}

/* ---- life ---- */

struct http_limits http_limits_small(void)
{
    return (struct http_limits){
        .connections = 64,
        .connections_per_address = 64,
        .uri_bytes = 2048,
        .parameters = 32,
        .header_count = 64,
        .header_bytes = 8 << 10,
        .body_bytes = 64 << 10,
        .bodies_bytes = 1 << 20,
        .queued = 64,
        .receive_us = 10000000,
        .idle_us = 10000000,
        .send_us = 30000000,
        .drain_us = 5000000,
    };
}

/* The library's memory of a connection: what it keeps of a request's head, and of an answer's. */
static size_t connection_memory(const struct http_limits *limits)
{
    return (size_t)limits->uri_bytes + limits->header_bytes + LINE_COST + RESPONSE_COST +
           (size_t)HEADER_COST * (limits->header_count + limits->parameters);
}

/* Without a thread and a socket of the library's own: it hands us its epoll descriptor, which the
 * loop watches. Its timeouts are off, as ours hold for whole requests. */
static enum status start_daemon(struct http_server *server, struct error *err)
{
    const struct http_limits *limits = &server->limits;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    const union MHD_DaemonInfo *info;

    server->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, received, server, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)(limits->connections + EXCESS_MAX), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         connection_memory(limits), MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 0,
                         MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server, MHD_OPTION_URI_LOG_CALLBACK,
                         line_received, server, MHD_OPTION_NOTIFY_COMPLETED, request_ended, server, MHD_OPTION_END);
    if (!server->daemon)
        return error_set_os(err, errno, "Cannot serve HTTP");
    info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->source = (struct loop_source){ info->epoll_fd, EPOLLIN, daemon_ready };
    return loop_add(server->loop, &server->source, err);
}

/* Workers first: the loop may hand them a request at once. */
static enum status start_threads(struct http_server *server, struct error *err)
{
    struct workers_options workers = {
        .count = server->options.threads,
        .group_count = server->options.group_count,
        .queue_jobs_max = server->limits.queued,
        .thread_name = server->options.thread_name,
        .niceness = server->options.niceness,
        .start = server->options.thread_start,
        .stop = server->options.thread_stop,
        .context = server->options.context,
    };
    enum status status = workers_new(&workers, &server->workers, err);
    int failed;

    if (status)
        return status;
    failed = pthread_create(&server->thread, NULL, loop_main, server);
    if (failed)
        return error_set_os(err, failed, "Cannot start the thread of HTTP");
    pthread_setname_np(server->thread, "http");
    return OK;
}

/* Also of a server that was built only in part: in the reverse order of building, workers first, so
 * that no handler runs while connections go. */
static void free_server(struct http_server *server)
{
    workers_free(server->workers);
    listener_close(&server->listener);
    listener_close(&server->tls_listener);
    relays_close(&server->relays, true);
    if (server->source.fd >= 0 && server->daemon)
        loop_remove(server->loop, &server->source);
    if (server->daemon)
        MHD_stop_daemon(server->daemon); /* ends what connections there are */
    assert(!server->connections && !server->bodies_bytes);
    if (server->loop) {
        loop_timer_clear(server->loop, &server->drain_timer);
        loop_forget(server->loop, &server->run_task);
        loop_close(server->loop);
    }
    free(server);
}

/* Both ports: an address is given where something is to be served. */
static enum status open_listeners(struct http_server *server, struct error *err)
{
    struct http_options *options = &server->options;
    enum status status = OK;

    if (options->address.ss_family)
        status = listener_open(&server->listener, server->loop, &options->address, accepted, err);
    if (status || !options->tls)
        return status;
    tls_gate_init(&server->gate, options->tls, server->loop, options->handshake_us, options->tls_counts);
    server->relays =
        (struct relays){ .loop = server->loop,
                         .gate = &server->gate,
                         .budget.input_bytes_max = (size_t)RELAY_BYTES * 2 * (server->limits.connections + EXCESS_MAX),
                         .stall_us = server->limits.send_us,
                         .ready = relay_ready,
                         .ended = relay_ended,
                         .shaking_max = SHAKING_MAX };
    return listener_open(&server->tls_listener, server->loop, &options->tls_address, tls_accepted, err);
}

static enum status probe(const struct http_options *options, struct error *err)
{
    enum status status = options->address.ss_family ? listener_probe(&options->address, err) : OK;

    return !status && options->tls ? listener_probe(&options->tls_address, err) : status;
}

/* The addresses are probed first, since listeners share ports: another server on it would not be
 * noticed. */
enum status http_server_open(const struct http_options *options, struct http_server **result, struct error *err)
{
    struct http_server *server;
    enum status status = probe(options, err);

    assert(options->threads > 0 && options->limits.queued > 0 && options->limits.connections > 0);
    if (status)
        return status;
    server = xcalloc(1, sizeof(*server));
    server->options = *options;
    server->limits = options->limits;
    server->source.fd = -1;
    server->run_task.run = run_task;
    server->drain_task.run = drain_run;
    server->drain_timer.fire = drain_fire;
    hash_key_random(&server->hash_key);
    status = loop_open(NULL, &server->loop, err);
    if (!status)
        status = start_daemon(server, err);
    if (!status)
        status = open_listeners(server, err);
    if (!status)
        status = start_threads(server, err);
    if (status) {
        free_server(server);
        return status;
    }
    *result = server;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return listener_port((const struct sockaddr *)&server->options.address);
}

uint16_t http_server_tls_port(const struct http_server *server)
{
    return server->options.tls ? listener_port((const struct sockaddr *)&server->options.tls_address) : 0;
}

/* Handlers cannot be stopped: if one does not return, what it uses must stay. */
bool http_server_close(struct http_server *server)
{
    if (!server)
        return true;
    loop_post(server->loop, &server->drain_task);
    pthread_join(server->thread, NULL);
    if (server->running) {
        log_error("http", "handlers did not return in time requests=%u", server->running);
        return false;
    }
    free_server(server);
    return true;
}
