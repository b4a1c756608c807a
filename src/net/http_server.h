/* net/http_server.h: HTTP/1.1 on a port, and on another one with TLS: whole requests to handlers, whole answers back. It knows no protocol of ours.
 *
 * One thread of its own reads and writes all connections; what is whole goes to one of a pool of threads, which may wait. Requests of one
 * connection are answered one after another, also when they come without waiting (pipelined). "Expect: 100-continue" is answered when
 * the headers are acceptable; chunked bodies are put together.
 *
 * TLS is net/tls.h's, as everywhere in the house, and not the library's own: the same versions, ciphers, certificates and clients, and
 * one place to reload them (net/relay.h gives the library the plain side). Connections of both ports share the limits.
 *
 * Limits:  what is reached                    what the client sees
 *          uri_bytes, parameters              414
 *          header_count, header_bytes         431
 *          body_bytes                         413
 *          bodies_bytes, queued               503
 *          connections, ..._per_address       503, and the connection ends; far beyond that it is just closed
 *          receive_us                         408, and the connection ends
 *          idle_us, send_us                   the connection ends
 *          handshake_us, 256 handshakes       the connection ends (of the oldest)
 *          what cannot be read, or in two ways    400, and the connection ends
 * A refused request's body is read and thrown away, as far as that is worth while: a client that is still sending would not see the
 * answer.
 *
 * Owns:    each connection its requests and answers. Routes are borrowed until http_server_close.
 * Errors:  http_server_open: ERR_IO, the port is in use or the system gives no thread.
 * Thread:  open and close: one. Handlers run on the pool's threads, many at once; each has what thread_start made for it.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/error.h"
#include "net/http_message.h"

struct http_server;
struct tls;
struct tls_counts;

struct http_limits {
    uint32_t connections;
    uint32_t connections_per_address; /* of IPv6, per /64: that is what one client has */
    uint32_t uri_bytes;
    uint32_t parameters;
    uint32_t header_count;
    uint32_t header_bytes; /* names and values of one request */
    size_t body_bytes;
    size_t bodies_bytes; /* of all requests that are not answered yet */
    uint32_t queued;     /* whole requests of a group that wait for a thread */
    int64_t receive_us;  /* from a request's beginning to its end, however steadily it comes */
    int64_t idle_us;     /* between two requests */
    int64_t send_us;     /* an answer, however steadily it is taken */
    int64_t drain_us;    /* what is under way when the server closes */
};

struct http_options {
    struct sockaddr_storage address;     /* port 0: the kernel chooses; family 0: nothing in plain text */
    struct sockaddr_storage tls_address; /* as above */
    struct tls *tls;                     /* borrowed; NULL: tls_address is not looked at */
    int64_t handshake_us;
    struct tls_counts *tls_counts; /* borrowed */
    struct http_limits limits;
    const struct http_route *routes;
    size_t route_count;
    uint32_t group_count; /* of routes; 0: 1 */
    uint32_t threads;
    int niceness;            /* how far these and the loop's stand back from who must not wait; 0: not at all */
    const char *thread_name; /* at most 12 characters */
    void *(*thread_start)(void *context); /* on each of them, before its first request; NULL: none */
    void (*thread_stop)(void *thread);    /* on each of them, at its end; NULL: none */
    void *context;                        /* of thread_start, and of each request */
};

/* What an internal port needs: small requests of few clients. */
struct http_limits http_limits_small(void);

enum status http_server_open(const struct http_options *options, struct http_server **result, struct error *err);
uint16_t http_server_port(const struct http_server *server);
uint16_t http_server_tls_port(const struct http_server *server);
/* Accepts no more, lets requests end and their answers leave, then ends the rest. False: a handler did not return in time, and nothing
 * was freed: the process should exit as it is. NULL: nothing to do. */
bool http_server_close(struct http_server *server);

#endif
