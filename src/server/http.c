/* Two routes, which show what server.c counts, then AWS's APIs; and a word for who asks for something
 * else. Without APIs one thread is enough: what is shown is read without waiting for anybody. */
#include "server/http.h"

#include "api/api.h"
#include "net/http_server.h"

#include <assert.h>

enum {
    THREADS = 1,
    API_THREADS = 4,
    NICENESS = 10 /* as workers': loops and owners go first */,
    WELL = 200,
    NOT_FOUND = 404,
    METHOD_NOT_ALLOWED = 405,
    NOT_WELL = 503
};

struct http {
    struct http_callbacks callbacks;
    struct http_server *server; /* owned */
};

/* 503 tells a load balancer to send writes elsewhere; the body says why. Monitors compare the body:
 * what they need not know stands in a header. */
static void answer_health(const struct http_request *request, struct http_response *response)
{
    const struct http *http = request->context;
    bool is_well = http->callbacks.health(http->callbacks.context, &response->body);

    response->status = is_well ? WELL : NOT_WELL;
    if (http->callbacks.api)
        http_response_header(response, "Helenus-Signatures",
                             http->callbacks.checks_signatures ? "checked" : "not checked");
    http_response_header(response, "Helenus-TLS", http->callbacks.has_tls ? "on" : "off");
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

/* What is no request for an API is answered as if there were none. */
static void answer_api(const struct http_request *request, struct http_response *response)
{
    const struct http *http = request->context;

    if (api_handle(http->callbacks.api, request, response))
        return;
    if (bytes_equal(request->method, BYTES_LITERAL("GET")) || bytes_equal(request->method, BYTES_LITERAL("HEAD"))) {
        answer_others(request, response);
        return;
    }
    http_response_text(response, METHOD_NOT_ALLOWED, "405 Method Not Allowed\n");
    http_response_header(response, "Allow", "GET, HEAD");
}

/* The first that fits is taken, so the last one is for all the rest. */
static const struct http_route routes[] = {
    { "GET", "/health", false, answer_health },
    { "GET", "/metrics", false, answer_metrics },
    { "GET", "/", true, answer_others },
};

/* Calls that wait for a disk leave a thread to who watches the server. */
enum { GROUP_WATCH = 1, GROUP_API, GROUP_COUNT };
static const struct http_route api_routes[] = {
    { "GET", "/health", false, answer_health, GROUP_WATCH },
    { "GET", "/metrics", false, answer_metrics, GROUP_WATCH },
    { NULL, "/", true, answer_api, GROUP_API },
};

static struct http_limits api_limits(void)
{
    struct http_limits limits = http_limits_small();

    /* An address has half of them: whoever takes all it may leaves others theirs. */
    limits.connections = 1024;
    limits.connections_per_address = 512;
    limits.queued = 256;
    limits.uri_bytes = limits.header_bytes = 16 << 10;
    limits.parameters = 256;
    limits.body_bytes = API_BODY_MAX;
    limits.bodies_bytes = 16 << 20;
    limits.receive_us = 30000000;
    return limits;
}

/* Both ports have the same routes and limits: who speaks TLS may ask no more and no less.
 *
 * The two routes show no names of users' and no data, and ask for no credentials. */
enum status http_open(const struct http_places *places, const struct http_callbacks *callbacks, struct http **result,
                      struct error *err)
{
    struct http *http = xcalloc(1, sizeof(*http));
    struct http_options options = {
        .tls = places->secure ? places->tls : NULL,
        .handshake_us = places->handshake_us,
        .tls_counts = places->tls_counts,
        .limits = callbacks->api ? api_limits() : http_limits_small(),
        .routes = callbacks->api ? api_routes : routes,
        .route_count = callbacks->api ? ARRAY_SIZE(api_routes) : ARRAY_SIZE(routes),
        .group_count = callbacks->api ? GROUP_COUNT : 0,
        .threads = callbacks->api ? API_THREADS : THREADS,
        .niceness = NICENESS,
        .thread_name = "http",
        .context = http,
    };
    enum status status;

    assert(callbacks->metrics && callbacks->health);
    assert(places->plain || places->secure);
    if (places->plain)
        options.address = *places->plain;
    if (places->secure)
        options.tls_address = *places->secure;
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
