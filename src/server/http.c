/* Two routes, which show what server.c counts; and a word for who asks for something else. One
 * thread is enough: what is shown is read without waiting for anybody. */
#include "server/http.h"

#include "net/http_server.h"

#include <assert.h>

enum { THREADS = 1, WELL = 200, NOT_FOUND = 404, NOT_WELL = 503 };

struct http {
    struct http_callbacks callbacks;
    struct http_server *server; /* owned */
};

/* 503 tells a load balancer to send writes elsewhere; the body says why. */
static void answer_health(const struct http_request *request, struct http_response *response)
{
    const struct http *http = request->context;
    bool is_well = http->callbacks.health(http->callbacks.context, &response->body);

    response->status = is_well ? WELL : NOT_WELL;
    http_response_header(response, "Content-Type", "text/plain; charset=utf-8");
}

/* The version is Prometheus' text format's. */
static void answer_metrics(const struct http_request *request, struct http_response *response)
{
    const struct http *http = request->context;

    http->callbacks.metrics(http->callbacks.context, &response->body);
    http_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
}

static void answer_others(const struct http_request *request, struct http_response *response)
{
    http_response_text(response, NOT_FOUND, "here are /health and /metrics\n");
}

/* The first that fits is taken, so the last one is for all the rest. */
static const struct http_route routes[] = {
    { "GET", "/health", false, answer_health },
    { "GET", "/metrics", false, answer_metrics },
    { "GET", "/", true, answer_others },
};

/* Whatever listens here shows no names and no data, and asks for no credentials. */
enum status http_open(const struct sockaddr_storage *address, const struct http_callbacks *callbacks,
                      struct http **result, struct error *err)
{
    struct http *http = xcalloc(1, sizeof(*http));
    struct http_options options = {
        .address = *address,
        .limits = http_limits_small(),
        .routes = routes,
        .route_count = ARRAY_SIZE(routes),
        .threads = THREADS,
        .thread_name = "http",
        .context = http,
    };
    enum status status;

    assert(callbacks->metrics && callbacks->health);
    http->callbacks = *callbacks;
    status = http_server_open(&options, &http->server, err);
    if (status) {
        free(http);
        return status;
    }
    *result = http;
    return OK;
}

/* False: a handler did not return, and what it looks at must stay. */
bool http_close(struct http *http)
{
    if (!http)
        return true;
    if (!http_server_close(http->server))
        return false;
    free(http);
    return true;
}
