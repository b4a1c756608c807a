/* server/http.h: the HTTP ports, in plain text and with TLS, on net/http_server.h: two routes for whoever looks after the server, /health and /metrics; and AWS's
 * APIs, if there are any.
 *
 * Limits:  without APIs http_limits_small. With them 256 connections, 1 MiB for a body (API_BODY_MAX) and 16 MiB for all that are under
 *          way, 16 KiB for a target and for headers (a presigned URL has a session's token), 30 s for a request to come.
 * Errors:  ERR_IO: the port is in use.
 * Thread:  the callbacks are called on threads of the port's own: one without APIs, four with them, which may all call at once.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "base/buffer.h"
#include "base/error.h"

#include <sys/socket.h>

struct api;
struct http;
struct tls;
struct tls_counts;

struct http_callbacks {
    /* Appends what /metrics shows. */
    void (*metrics)(void *context, struct buffer *out);
    /* Appends one line; false: not well. */
    bool (*health)(void *context, struct buffer *out);
    void *context;
    struct api *api; /* borrowed until http_close; NULL: none is served */
    bool has_tls;    /* the server speaks TLS: on whatever port */
    bool checks_signatures;
};

/* Where it listens: one of the two at least. */
struct http_places {
    const struct sockaddr_storage *plain; /* NULL: nowhere; so is the next */
    const struct sockaddr_storage *secure;
    struct tls *tls; /* borrowed until http_close; with `secure` */
    int64_t handshake_us;
    struct tls_counts *tls_counts; /* borrowed, too: handshakes are counted here */
};

enum status http_open(const struct http_places *places, const struct http_callbacks *callbacks, struct http **result,
                      struct error *err);
/* NULL: nothing. False: an answer did not end in time, and nothing was freed. */
bool http_close(struct http *http);

#endif
