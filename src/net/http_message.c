/* Targets, parameters, headers and routes. A target is kept as it came beside what it means: a signature is made of
 * the one, a handler looks at the other. What could be read in two ways is not read at all: who stands before us may
 * have read the other one. */
#include "net/http_message.h"

#include <assert.h>
#include <strings.h>

enum { BAD_REQUEST = 400, NOT_FOUND = 404, METHOD_NOT_ALLOWED = 405, URI_TOO_LONG = 414 };

/* ---- reading ---- */

/* RFC 9110, 5.6.2: what a method or a header's name may be made of. */
bool http_is_token(struct bytes text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr(others, c))))
            return false;
    }
    return text.size > 0;
}

/* False: a '%' without two digits, or a NUL. */
static bool decode(struct arena *arena, struct bytes from, bool plus_is_blank, struct bytes *result)
{
    uint8_t *to = arena_alloc(arena, from.size + 1);
    size_t size = 0;

    assert(from.data || !from.size);
    for (size_t i = 0; i < from.size; i++) {
        uint8_t c = from.data[i];

        if (c == '%') {
            int high = i + 2 < from.size ? hex_digit(from.data[i + 1]) : -1;
            int low = i + 2 < from.size ? hex_digit(from.data[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (c == '\0')
            return false;
        to[size++] = c;
    }
    assert(size <= from.size);
    *result = bytes_of(to, size);
    return true;
}

/* "name=value&name&=value"; nothing between two '&' is no parameter. */
/* 0, or the status to answer with. The count is limited before anything is decoded. */
static unsigned parse_parameters(struct http_request *request, uint32_t count_max)
{
    struct bytes rest = request->raw_query;
    struct bytes_pair *parameters = NULL;
    uint32_t capacity = 0, count = 0;

    assert(request->arena);
    while (rest.size) {
        const uint8_t *end = memchr(rest.data, '&', rest.size), *equals;
        struct bytes one = bytes_of(rest.data, end ? (size_t)(end - rest.data) : rest.size), value;

        rest = end ? bytes_of(end + 1, rest.size - one.size - 1) : bytes_of(rest.data, 0);
        if (!one.size)
            continue;
        if (count == count_max)
            return URI_TOO_LONG;
        equals = memchr(one.data, '=', one.size);
        value = equals ? bytes_of(equals + 1, one.size - (size_t)(equals + 1 - one.data)) : bytes_of("", 0);
        if (equals)
            one.size = (size_t)(equals - one.data);
        parameters = arena_room(request->arena, parameters, count, &capacity, 8, sizeof(*parameters));
        if (!decode(request->arena, one, true, &parameters[count].name) ||
            !decode(request->arena, value, true, &parameters[count].value))
            return BAD_REQUEST;
        count++;
    }
    request->parameters = parameters;
    request->parameter_count = count;
    return 0;
}

/* "http://host/path" is what a proxy is asked; a server must read it as "/path". */
static struct bytes without_authority(struct bytes target)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        size_t size = strlen(schemes[i]), at = size;

        if (target.size < size || strncasecmp((const char *)target.data, schemes[i], size) != 0)
            continue;
        while (at < target.size && target.data[at] != '/' && target.data[at] != '?')
            at++;
        return bytes_of(target.data + at, target.size - at);
    }
    return target;
}

/* RFC 9112, 3.2. Bytes that are no printable ASCII are refused, and so is '#', which no client
 * sends to a server: proxies differ in what they make of them. raw_path and raw_query stay as they
 * came. */
unsigned http_request_parse_target(struct http_request *request, struct bytes target, uint32_t parameter_count_max)
{
    struct bytes asked = without_authority(target);
    const uint8_t *mark;

    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#')
            return BAD_REQUEST;
    mark = asked.size ? memchr(asked.data, '?', asked.size) : NULL;
    request->raw_path = bytes_of(asked.data, mark ? (size_t)(mark - asked.data) : asked.size);
    request->raw_query =
        mark ? bytes_of(mark + 1, asked.size - request->raw_path.size - 1) : bytes_of(asked.data + asked.size, 0);
    /* "http://host" alone asks for the root. */
    if (!request->raw_path.size && asked.data != target.data)
        request->raw_path = BYTES_LITERAL("/");
    if (!decode(request->arena, request->raw_path, false, &request->path))
        return BAD_REQUEST;
    /* "*" stands for the server itself, in OPTIONS. */
    if (!request->path.size || (request->path.data[0] != '/' && !bytes_equal(target, BYTES_LITERAL("*"))))
        return BAD_REQUEST;
    return parse_parameters(request, parameter_count_max);
}

/* ---- looking up ---- */

struct bytes http_request_header(const struct http_request *request, const char *name)
{
    size_t size = strlen(name);

    for (uint32_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.size == size &&
            strncasecmp((const char *)request->headers[i].name.data, name, size) == 0)
            return request->headers[i].value;
    return (struct bytes){ NULL, 0 };
}

struct bytes http_request_parameter(const struct http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->parameter_count; i++)
        if (bytes_equal(request->parameters[i].name, bytes_of_string(name)))
            return request->parameters[i].value;
    return (struct bytes){ NULL, 0 };
}

/* ---- answers ---- */

static bool can_stand_in_header(const char *value)
{
    for (; *value; value++)
        if ((uint8_t)*value < ' ' || (uint8_t)*value == 0x7f)
            return false;
    return true;
}

/* A line break would end the header, and whatever follows would be another, or another answer: who
 * builds headers of what a client sent must not make such a thing by mistake. So the whole answer
 * becomes a 500. */
void http_response_header(struct http_response *response, const char *name, const char *value)
{
    struct bytes name_bytes = bytes_of_string(name), value_bytes = bytes_of_string(value);
    size_t bytes = name_bytes.size + value_bytes.size;

    assert(http_is_token(name_bytes));
    if (!can_stand_in_header(value) || response->header_count == HTTP_RESPONSE_HEADERS_MAX ||
        response->header_bytes + bytes > HTTP_RESPONSE_HEADER_BYTES_MAX) {
        response->is_broken = true;
        return;
    }
    response->headers[response->header_count++] =
        (struct bytes_pair){ bytes_of_string(arena_string(response->arena, name_bytes)),
                             bytes_of_string(arena_string(response->arena, value_bytes)) };
    response->header_bytes += bytes;
}

void http_response_text(struct http_response *response, unsigned status, const char *text)
{
    assert(status >= 200 && status <= 599);
    response->status = status;
    buffer_reset(&response->body);
    buffer_append_string(&response->body, text);
    http_response_header(response, "Content-Type", "text/plain; charset=utf-8");
}

/* ---- routes ---- */

static bool path_fits(const struct http_route *route, struct bytes path)
{
    struct bytes wanted = bytes_of_string(route->path);

    return route->is_prefix ? bytes_starts_with(path, wanted) : bytes_equal(path, wanted);
}

/* HEAD is answered as GET is; the library leaves the body out. */
static bool method_fits(const struct http_route *route, struct bytes method)
{
    if (!route->method || bytes_equal(method, bytes_of_string(route->method)))
        return true;
    return strcmp(route->method, "GET") == 0 && bytes_equal(method, BYTES_LITERAL("HEAD"));
}

/* "GET, HEAD, POST", each once. */
static const char *add_allowed(struct arena *arena, const char *allow, const char *method)
{
    if (allow && strstr(allow, method)) /* these are our own words */
        return allow;
    allow = allow ? arena_printf(arena, "%s, %s", allow, method) : method;
    return strcmp(method, "GET") == 0 ? add_allowed(arena, allow, "HEAD") : allow;
}

/* The first route that fits both path and method. 405 must tell the methods that there are (RFC
 * 9110, 15.5.6). */
const struct http_route *http_route_find(const struct http_route *routes, size_t count,
                                         const struct http_request *request, unsigned *status, const char **allow)
{
    *allow = NULL;
    for (size_t i = 0; i < count; i++) {
        assert(routes[i].path && routes[i].handle);
        if (!path_fits(&routes[i], request->path))
            continue;
        if (method_fits(&routes[i], request->method))
            return &routes[i];
        *allow = add_allowed(request->arena, *allow, routes[i].method);
    }
    *status = *allow ? METHOD_NOT_ALLOWED : NOT_FOUND;
    return NULL;
}
