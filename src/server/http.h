/* server/http.h: /health and /metrics, in a thread of their own.
 *
 * Errors:  ERR_IO: the port is in use.
 * Thread:  the callbacks are called on the HTTP thread.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "base/buffer.h"
#include "base/error.h"

#include <sys/socket.h>

struct http;

struct http_options {
    struct sockaddr_storage address;
    /* Appends what /metrics shows. */
    void (*metrics)(void *context, struct buffer *out);
    /* Appends one line; false: not well. */
    bool (*health)(void *context, struct buffer *out);
    void *context;
};

enum status http_open(const struct http_options *options, struct http **result, struct error *err);
void http_close(struct http *http);

#endif
