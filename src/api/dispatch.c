/* The order of dispatch.h, one function for each of its lines. A mark of an API decides alone: a
 * request with X-Amz-Target is never looked at as a form, so that there is one reading of it, whatever
 * else it brings. */
#include "api/dispatch.h"

#include "wire/aws/percent.h"

#include <assert.h>
#include <strings.h>

/* The media type alone, without its parameters: "application/x-amz-json-1.1; charset=utf-8". */
static bool is_media_type(const struct http_request *request, const char *type)
{
    struct bytes value = http_request_header(request, "Content-Type");
    size_t size = strlen(type);

    if (value.size < size || strncasecmp((const char *)value.data, type, size))
        return false;
    while (size < value.size && (value.data[size] == ' ' || value.data[size] == '\t'))
        size++;
    return size == value.size || value.data[size] == ';';
}

/* Has the service's model this protocol? */
static bool speaks(const struct model_service *service, enum model_protocol protocol)
{
    return (service->protocols >> protocol) & 1;
}

/* By the id in its target or path, which no two services share. A service is known only in the
 * protocols that its model has. */
static void find_by_id(const struct dispatch_services *services, struct dispatch *result, uint32_t protocols)
{
    for (size_t i = 0; i < services->count; i++)
        if ((services->services[i]->protocols & protocols) && bytes_is(result->service_name, services->services[i]->id))
            result->service = services->services[i];
}

/* A service that speaks the protocol and has no such operation is still known: its faults have its
 * namespace, and what is missing is counted by its name. */
static void find_operation(struct dispatch *result)
{
    if (result->service)
        result->operation = model_operation_find(result->service, result->operation_name);
}

/* ---- CBOR ---- */

/* Takes "/last" off the path; without a '/' all of it. */
static struct bytes take_last(struct bytes *path)
{
    struct bytes last = *path;
    const uint8_t *at = path->size ? memrchr(path->data, '/', path->size) : NULL;

    if (at) {
        size_t before = (size_t)(at - path->data);

        last = bytes_of(at + 1, path->size - before - 1);
        path->size = before;
    } else {
        path->size = 0;
    }
    return last;
}

/* The last four segments of the normal form, from the end: a proxy or an endpoint may have put
 * others before them. */
static bool take_path(const struct http_request *request, struct dispatch *result)
{
    CLEANUP(buffer_fini) struct buffer normal = { 0 };
    struct bytes path;

    path_normalize(&normal, request->raw_path);
    path = arena_copy(request->arena, buffer_bytes(&normal));
    result->operation_name = take_last(&path);
    if (!bytes_is(take_last(&path), "operation"))
        return false;
    result->service_name = take_last(&path);
    return bytes_is(take_last(&path), "service") && result->service_name.size && result->operation_name.size;
}

/* Older clients leave the header out, so the path is enough; the header alone says at least in what to
 * answer. Only POST does something: a link or a picture's address must not. */
static bool dispatch_cbor(const struct dispatch_services *services, const struct http_request *request,
                          struct dispatch *result)
{
    bool has_path = take_path(request, result);

    assert(!result->service);

    if (!has_path && !bytes_is(http_request_header(request, "smithy-protocol"), "rpc-v2-cbor"))
        return false;
    result->protocol = PROTOCOL_CBOR;
    if (!has_path) {
        result->service_name = BYTES_LITERAL("cbor");
        result->operation_name = request->method;
    } else if (bytes_is(request->method, "POST")) {
        find_by_id(services, result, 1 << PROTOCOL_CBOR);
        find_operation(result);
    }
    return true;
}

/* ---- JSON ---- */

/* Ids may have dots, operations have none. Which JSON is answered is what the client says it speaks;
 * if it says neither, what its service usually has. */
static bool dispatch_json(const struct dispatch_services *services, const struct http_request *request,
                          struct dispatch *result)
{
    struct bytes target = http_request_header(request, "X-Amz-Target");
    const uint8_t *dot = target.size ? memrchr(target.data, '.', target.size) : NULL;
    size_t before = dot ? (size_t)(dot - target.data) : 0;

    if (!target.data)
        return false;
    result->service_name = bytes_of(target.data, before);
    result->operation_name = dot ? bytes_of(dot + 1, target.size - before - 1) : target;
    if (bytes_is(request->method, "POST"))
        find_by_id(services, result, 1 << PROTOCOL_JSON_1_0 | 1 << PROTOCOL_JSON_1_1);
    find_operation(result);
    if (is_media_type(request, "application/x-amz-json-1.1"))
        result->protocol = PROTOCOL_JSON_1_1;
    else if (!is_media_type(request, "application/x-amz-json-1.0") && result->service &&
             speaks(result->service, PROTOCOL_JSON_1_1))
        result->protocol = PROTOCOL_JSON_1_1;
    else
        result->protocol = PROTOCOL_JSON_1_0;
    return true;
}

/* ---- query ---- */

/* By the name that signatures have for it, which is not always the service's own: "cassandra" for
 * keyspaces, "monitoring" for cloudwatch. */
static const struct model_service *find_by_scope(const struct dispatch_services *services, struct bytes scope,
                                                 uint32_t protocols)
{
    for (size_t i = 0; scope.data && i < services->count; i++)
        if ((services->services[i]->protocols & protocols) && bytes_is(scope, services->services[i]->signing))
            return services->services[i];
    return NULL;
}

/* Of two services with one version it would be a guess. */
static const struct model_service *find_by_version(const struct dispatch_services *services, struct bytes version)
{
    const struct model_service *found = NULL;

    for (size_t i = 0; version.data && i < services->count; i++) {
        if (!speaks(services->services[i], PROTOCOL_QUERY) || !bytes_is(version, services->services[i]->version))
            continue;
        if (found)
            return NULL;
        found = services->services[i];
    }
    return found;
}

/* HEAD asks what GET would be answered. */
static bool is_method_of_query(struct bytes method)
{
    return bytes_is(method, "POST") || bytes_is(method, "GET") || bytes_is(method, "HEAD");
}

/* A form without an Action is none of ours: any web page may send one. */
static bool take_form(const struct http_request *request, struct bytes form, struct dispatch *result)
{
    result->operation_name = query_field(request->arena, form, "Action");
    result->form = form;
    return result->operation_name.data != NULL;
}

/* The body's form comes first, and one of the two is read, never a mixture of them. Whoever is asked
 * by another version than its own has no such operation, and so has who is asked by none. */
static bool dispatch_query(const struct dispatch_services *services, const struct http_request *request,
                           struct bytes body, struct bytes scope, struct dispatch *result)
{
    bool found = is_media_type(request, "application/x-www-form-urlencoded") && take_form(request, body, result);

    if (!found && !take_form(request, query_form_of_target(request->arena, request->raw_query), result))
        return false;
    result->protocol = PROTOCOL_QUERY;
    result->version = query_field(request->arena, result->form, "Version");
    result->service =
        scope.data ? find_by_scope(services, scope, 1 << PROTOCOL_QUERY) : find_by_version(services, result->version);
    result->service_name = scope.data ? scope : result->version.data ? result->version : BYTES_LITERAL("query");
    if (result->version.data && is_method_of_query(request->method) && result->service &&
        bytes_is(result->version, result->service->version))
        find_operation(result);
    return true;
}

/* ---- the rest ---- */

/* REST: methods and paths, of which none is served yet. What is answered is for what the client can
 * read; s3's reads XML. Unsigned it may be anybody's: a browser's, a monitor's. */
static bool dispatch_others(const struct dispatch_services *services, const struct http_request *request,
                            struct bytes scope, struct dispatch *result)
{
    if (!scope.data)
        return false;
    result->service = find_by_scope(services, scope, UINT32_MAX);
    result->protocol = result->service         ? result->service->protocol
                       : bytes_is(scope, "s3") ? PROTOCOL_QUERY
                                               : PROTOCOL_REST_JSON;
    result->service_name = scope;
    result->operation_name = request->method;
    return true;
}

/* What one of them wrote into the result before it said no does not count. */
bool dispatch_request(const struct dispatch_services *services, const struct http_request *request, struct bytes body,
                      struct bytes scope, struct dispatch *result)
{
    assert(services->count && request->arena);
    *result = (struct dispatch){ 0 };
    if (dispatch_cbor(services, request, result))
        return true;
    *result = (struct dispatch){ 0 };
    if (dispatch_json(services, request, result))
        return true;
    if (dispatch_query(services, request, body, scope, result))
        return true;
    *result = (struct dispatch){ 0 };
    return dispatch_others(services, request, scope, result);
}
