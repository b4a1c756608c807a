/* server/http.h: the port for whoever looks after the server: two routes, /health and /metrics, on net/http_server.h.
 *
 * Errors:  ERR_IO: the port is in use.
 * Thread:  the callbacks are called on a thread of the port's own, one after another.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "base/buffer.h"
#include "base/error.h"

#include <sys/socket.h>

struct http;

struct http_callbacks {
    /* Appends what /metrics shows. */
    void (*metrics)(void *context, struct buffer *out);
    /* Appends one line; false: not well. */
    bool (*health)(void *context, struct buffer *out);
    void *context;
};

enum status http_open(const struct sockaddr_storage *address, const struct http_callbacks *callbacks,
                      struct http **result, struct error *err);
/* NULL: nothing. False: an answer did not end in time, and nothing was freed. */
bool http_close(struct http *http);

#endif
