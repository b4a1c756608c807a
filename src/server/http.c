#include "server/http.h"

#include "net/listener.h"

#include <errno.h>
#include <microhttpd.h>

enum { CONNECTIONS_MAX = 64, TIMEOUT_S = 10, REQUEST_MEMORY_BYTES = 16 << 10 };

struct http {
    struct http_options options;
    struct MHD_Daemon *daemon; /* owned */
};

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned code, const char *type,
                                 struct buffer *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body->size, body->data ? (void *)body->data : (void *)"", MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;

    if (response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        result = MHD_queue_response(connection, code, response);
        MHD_destroy_response(response);
    }
    return result;
}

static const char text_type[] = "text/plain; charset=utf-8";

static enum MHD_Result answer_get(struct http *http, struct MHD_Connection *connection, const char *url)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 };

    if (strcmp(url, "/health") == 0) {
        bool is_well = http->options.health(http->options.context, &body);

        return send_text(connection, is_well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text_type, &body);
    }
    if (strcmp(url, "/metrics") == 0) {
        http->options.metrics(http->options.context, &body);
        return send_text(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
    }
    buffer_append_string(&body, "here are /health and /metrics\n");
    return send_text(connection, MHD_HTTP_NOT_FOUND, text_type, &body);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **state)
{
    static int seen;
    struct http *http = context;
    CLEANUP(buffer_fini) struct buffer body = { 0 };

    if (!*state) { /* the headers are here; a body may follow */
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_bytes) { /* nobody wants it, but the protocol wants it read */
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
        return answer_get(http, connection, url);
    buffer_append_string(&body, "only GET is answered here\n");
    return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text_type, &body);
}

enum status http_open(const struct http_options *options, struct http **result, struct error *err)
{
    struct http *http;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    enum status status = listener_probe(&options->address, err);

    if (status)
        return status;
    http = xcalloc(1, sizeof(*http));
    http->options = *options;
    if (options->address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, http, MHD_OPTION_SOCK_ADDR,
                                    (const struct sockaddr *)&options->address, MHD_OPTION_CONNECTION_LIMIT,
                                    (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
                                    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY_BYTES, MHD_OPTION_END);
    if (!http->daemon) {
        free(http);
        return error_set_os(err, errno, "Cannot serve HTTP");
    }
    *result = http;
    return OK;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}
