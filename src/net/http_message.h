/* net/http_message.h: what an HTTP request and its answer are made of, and which route a request takes. Pure.
 *
 *     POST /tables/a%20b?limit=10&all HTTP/1.1
 *
 *     method POST, raw_path "/tables/a%20b", path "/tables/a b", raw_query "limit=10&all", parameters limit=10 and all=""
 *
 * Shapes:  headers are in the order in which they came, names and values as they came (without the blanks around a value). A path
 *          begins with '/', but for the "*" of OPTIONS; what is decoded holds no NUL. In a parameter '+' is a blank.
 * Owns:    a request's bytes lie in its arena. An answer's body is its buffer's; names and values of its headers are copied to the
 *          arena.
 * Errors:  a line that cannot be read, or is too long, is an HTTP status; 0: none.
 * Thread:  one at a time for a request and its answer.
 */
#ifndef NET_HTTP_MESSAGE_H
#define NET_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"

#include <sys/socket.h>

struct http_request {
    struct bytes method;
    struct bytes path, raw_path, raw_query;
    const struct bytes_pair *parameters;
    uint32_t parameter_count;
    const struct bytes_pair *headers;
    uint32_t header_count;
    struct bytes body;
    const struct sockaddr *peer;
    struct arena *arena; /* for whatever its handler needs until the answer has left */
    void *thread;        /* the thread's own, made by http_options.thread_start */
    void *context;       /* http_options.context */
};

enum { HTTP_RESPONSE_HEADERS_MAX = 32, HTTP_RESPONSE_HEADER_BYTES_MAX = 4096 };

struct http_response {
    unsigned status; /* 200 if the handler says nothing */
    struct bytes_pair headers[HTTP_RESPONSE_HEADERS_MAX];
    uint32_t header_count;
    size_t header_bytes;
    bool is_broken; /* a header that cannot be sent: the client is told 500 instead */
    struct buffer body;
    struct arena *arena; /* the request's */
};

/* On one of the server's threads, and may wait. */
typedef void http_handler(const struct http_request *request, struct http_response *response);

struct http_route {
    const char *method; /* NULL: any. GET answers HEAD as well: the body is left out */
    const char *path;   /* decoded */
    bool is_prefix;     /* what begins with the path as well */
    http_handler *handle;
    uint32_t group; /* requests of one never have all threads, and a queue of their own (net/workers.h); 0: of none */
};

/* The first header of that name, in whatever case; NULL data: there is none. */
struct bytes http_request_header(const struct http_request *request, const char *name);
/* The first parameter of that name; NULL data: there is none. */
struct bytes http_request_parameter(const struct http_request *request, const char *name);

/* A header of the answer. What cannot stand in one (a line break, too much of it) makes the answer a 500. */
void http_response_header(struct http_response *response, const char *name, const char *value);
/* The status and a line of plain text as the body; what was in the body is forgotten. */
void http_response_text(struct http_response *response, unsigned status, const char *text);

/* The target of the request line: fills path, raw_path, raw_query and parameters. 400: it cannot be read; 414: too many parameters. */
unsigned http_request_parse_target(struct http_request *request, struct bytes target, uint32_t parameter_count_max);
bool http_is_token(struct bytes text);

/* The first route that fits, or NULL: *status is then 404, or 405 with the methods that there are in *allow (in the arena). */
const struct http_route *http_route_find(const struct http_route *routes, size_t count,
                                         const struct http_request *request, unsigned *status, const char **allow);

#endif
