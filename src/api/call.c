/* Steps, each of which may set the fault; then one answer is written, whatever came of them. */
#include "api/call.h"

#include "api/encoding.h"
#include "base/account_digits.h"
#include "base/uuid.h"
#include "wire/aws/sigv4.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <strings.h>

enum { REGION_MAX = 32, QUOTE_MAX = 96, WELL = 200 };

/* A request on its way. It lies in the request's arena, as it is large: what was signed, what was
 * found, and the fault with its text. */
struct call {
    struct call_context *context;
    const struct http_request *request;
    struct http_response *response;
    struct arena *arena; /* the request's */
    const char *id;      /* of the answer: x-amzn-RequestId */
    struct sigv4 sigv4;  /* who signed it, where `signature` is OK */
    enum sigv4_result signature;
    struct sigv4_request signed_request; /* as it came */
    struct bytes body;                   /* inflated */
    struct dispatch to;
    struct api_fault fault;
    struct tree *output; /* NULL: the operation has none */
};

/* ---- what a fault is called ---- */

/* The query protocol has names of its own, without "Exception": each fault has both, and its writer
 * takes the one that its protocol has. */
static bool fail(struct call *call, const char *name, const char *query_code, unsigned http_status, const char *message)
{
    fault_set(&call->fault, name, http_status, "%s", message);
    call->fault.query_code = query_code;
    return false;
}

/* A client's bytes in a message: a short beginning, and what can be printed of it. */
static const char *quote(struct call *call, struct bytes text)
{
    size_t size = text.size < QUOTE_MAX ? text.size : QUOTE_MAX;
    char *to = arena_string(call->arena, bytes_of(text.data, size));

    for (size_t i = 0; i < size; i++)
        if (to[i] < ' ' || to[i] == 127)
            to[i] = '?';
    return to;
}

/* 4xx always: clients repeat what is answered 5xx, some 25 times. */
static bool fail_unknown(struct call *call)
{
    const struct dispatch *to = &call->to;
    const char *operation = quote(call, to->operation_name), *message;

    unknown_count(&call->context->unknown, to->service ? bytes_of_string(to->service->name) : to->service_name,
                  to->operation_name);
    if (to->form.data)
        message = arena_printf(call->arena, "Could not find operation %s for version %s", operation,
                               to->version.data ? quote(call, to->version) : "NO_VERSION_SPECIFIED");
    else
        message = arena_printf(call->arena, "Operation %s of %s is not served here", operation,
                               quote(call, to->service_name));
    return fail(call, "UnknownOperationException", "InvalidAction", 400, message);
}

/* ---- who asks ---- */

/* Its names and some of its statuses are others than those of all the rest. */
static bool is_query(const struct call *call)
{
    return call->to.protocol == PROTOCOL_QUERY;
}

/* 403 and 400 are AWS's own: docs/apis.md has the table. */
static bool fail_signature(struct call *call, const char *message)
{
    return fail(call, "InvalidSignatureException", "SignatureDoesNotMatch", is_query(call) ? 403 : 400, message);
}

/* An access key of 12 digits names its account, any other belongs to the default one: nothing is
 * checked that would need its secret. */
static struct bytes account_of(struct bytes access_key)
{
    return account_is_digits(access_key) ? access_key : BYTES_LITERAL("000000000000");
}

/* It becomes a part of names of resources, where anything else would be taken for another part. */
static bool is_region(struct bytes region)
{
    bool good = region.size >= 1 && region.size <= REGION_MAX;

    for (size_t i = 0; good && i < region.size; i++)
        good = (region.data[i] >= 'a' && region.data[i] <= 'z') || (region.data[i] >= '0' && region.data[i] <= '9') ||
               region.data[i] == '-';
    return good;
}

/* AWS's words, blank and all: of a region that is none, and of one that is not served here. */
static bool fail_region(struct call *call)
{
    return fail_signature(call, "Credential should be scoped to a valid region. ");
}

/* What is wrong with a signature, before its key is looked up and behind it. */
static bool check_result(struct call *call, enum sigv4_result result)
{
    const struct sigv4 *sigv4 = &call->sigv4;

    switch (result) {
    case SIGV4_OK: return true;
    case SIGV4_NONE:
        return fail(call, "MissingAuthenticationTokenException", "MissingAuthenticationToken", 403,
                    "Request is missing Authentication Token");
    case SIGV4_INCOMPLETE:
    case SIGV4_UNSUPPORTED:
        return fail(call, "IncompleteSignatureException", "IncompleteSignature", 400, sigv4->message);
    case SIGV4_SCOPE:
    case SIGV4_EXPIRED:
    case SIGV4_NOT_YET:
    case SIGV4_MISMATCH: return fail_signature(call, sigv4->message);
    }
    assert(!"a result that sigv4.h does not have");
    return false;
}

/* AWS's words, by which clients' chains of credentials go on to the next, or ask for a new session. */
static bool check_answer(struct call *call, enum gate_answer answer)
{
    switch (answer) {
    case GATE_OPEN: return true;
    case GATE_REGION: return fail_region(call);
    case GATE_NO_KEY:
    case GATE_TOKEN_WRONG:
        return fail(call, "UnrecognizedClientException", "InvalidClientTokenId", is_query(call) ? 403 : 400,
                    "The security token included in the request is invalid.");
    case GATE_TOKEN_EXPIRED:
        return fail(call, "ExpiredTokenException", "ExpiredToken", 403,
                    "The security token included in the request is expired");
    case GATE_BROKEN: break;
    }
    return fail(call, "InternalFailure", "InternalFailure", 500, "The access key could not be looked up");
}

/* The key first: nothing is hashed for who has none. */
static bool check_signature(struct call *call, struct api_caller *caller)
{
    const struct call_context *context = call->context;
    uint8_t key[SIGV4_KEY_BYTES];
    enum sigv4_result result;

    assert(context->gate && call->signature == SIGV4_OK);
    /* What the gate says of the caller replaces what the key's name seemed to say. */
    if (!check_answer(call, context->gate->find(context->of_handlers, call->arena, &call->sigv4, caller, key)))
        return false;
    result = sigv4_verify(call->arena, &call->signed_request, &call->sigv4, key, call->to.service->signing,
                          context->gate->now_s(context->of_handlers));
    OPENSSL_cleanse(key, sizeof(key));
    return check_result(call, result);
}

/* A request that was signed for one service is never another's. */
static bool identify(struct call *call, struct api_caller *caller)
{
    const struct sigv4 *sigv4 = &call->sigv4;
    const char *signing = call->to.service->signing;

    if (!check_result(call, call->signature))
        return false;
    if (!bytes_is(sigv4->service, signing))
        return fail_signature(
            call, arena_printf(call->arena, "Credential should be scoped to correct service: '%s'. ", signing));
    if (!is_region(sigv4->region))
        return fail_region(call);
    *caller = (struct api_caller){ .account = account_of(sigv4->access_key), .region = sigv4->region };
    return !call->context->gate || check_signature(call, caller);
}

/* What is refused is refused whether it is there or not: nothing of it has been looked at. The status is that of the operation's own
 * error, if it has one. */
static bool permit(struct call *call, struct api_call *of_handler)
{
    const struct call_context *context = call->context;
    const struct model_operation *operation = call->to.operation;
    const char *why = context->gate ? context->gate->refuse(context->of_handlers, of_handler, call->request) : NULL;

    if (!why)
        return true;
    /* Typed clients read those of the model. */
    for (uint32_t i = 0; i < operation->error_count; i++)
        if (strcmp(operation->errors[i]->name, "AccessDeniedException") == 0)
            return api_fail(of_handler, "AccessDeniedException", "%s", why);
    return fail(call, "AccessDeniedException", "AccessDenied", is_query(call) ? 403 : 400, why);
}

/* As it came, without which it would say nothing of what was signed: the target before it was decoded,
 * the body before it was inflated. */
static void read_signature(struct call *call)
{
    const struct http_request *request = call->request;
    struct bytes query = request->raw_query;
    call->signed_request = (struct sigv4_request){
        .method = request->method,
        .target = bytes_of_string(
            arena_printf(call->arena, "%.*s%s%.*s", BYTES(request->raw_path), query.size ? "?" : "", BYTES(query))),
        .headers = request->headers,
        .header_count = request->header_count,
        .body = request->body,
    };

    call->signature = sigv4_parse(call->arena, &call->signed_request, &call->sigv4);
}

/* ---- what is asked ---- */

/* NULL: not served. There are a few services, so nothing is gained by a table of their places. */
static const struct api_handler *handler_of(const struct call *call)
{
    const struct dispatch_services *services = &call->context->services;

    for (size_t i = 0; call->to.operation && i < services->count; i++)
        if (services->services[i] == call->to.service)
            return call->context->handlers[i][call->to.operation->index];
    return NULL;
}

/* Smithy wants it: and what only claims to be CBOR by its path could come from any web page. */
static bool check_content_type(struct call *call)
{
    struct bytes value = http_request_header(call->request, "Content-Type");

    if (call->to.protocol != PROTOCOL_CBOR || (!value.data && !call->body.size) ||
        bytes_is_ignoring_case(value, "application/cbor"))
        return true;
    return fail(call, "UnsupportedMediaTypeException", NULL, 415, "The Content-Type is to be application/cbor");
}

/* A page is shown what its own origin answers. There are no pages here: it is one whose name came to mean this
 * machine after it was read. */
static bool is_of_a_page_here(struct bytes origin, struct bytes site, struct bytes host)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        size_t scheme = strlen(schemes[i]);

        /* Both leave out the port where it is the scheme's own. */
        if (host.size && origin.size == scheme + host.size &&
            strncasecmp((const char *)origin.data, schemes[i], scheme) == 0 &&
            strncasecmp((const char *)origin.data + scheme, (const char *)host.data, host.size) == 0)
            return true;
    }
    return bytes_is_ignoring_case(site, "same-origin");
}

/* Browsers say so of each request by which a page could change something here, whatever page it is, or be
 * shown the answer; no client of AWS does. A form needs no leave to be sent to another site. */
static bool check_origin(struct call *call, const struct api_handler *handler)
{
    const struct http_request *request = call->request;
    struct bytes origin = http_request_header(request, "Origin");
    struct bytes site = http_request_header(request, "Sec-Fetch-Site"); /* "none": typed by a user */

    if (is_of_a_page_here(origin, site, http_request_header(request, "Host")))
        return fail(call, "AccessDeniedException", "AccessDenied", 403,
                    "The request is of a web page of this address: there are none");
    if (!handler->changes || (!origin.data && (!site.data || bytes_is_ignoring_case(site, "none"))))
        return true;
    return fail(call, "AccessDeniedException", "AccessDenied", 403,
                "The request has an Origin: web pages may not ask for what changes something");
}

/* As the protocol has it that dispatch found; REST's operations are not found there. */
static bool read_input(struct call *call, struct tree **input)
{
    const struct shape *shape = call->to.operation->input;

    switch (call->to.protocol) {
    case PROTOCOL_JSON_1_0:
    case PROTOCOL_JSON_1_1: return json_read(call->arena, shape, call->body, input, &call->fault);
    case PROTOCOL_CBOR: return cbor_read(call->arena, shape, call->body, input, &call->fault);
    case PROTOCOL_QUERY: return query_read(call->arena, shape, call->to.form, input, &call->fault);
    case PROTOCOL_REST_JSON:
    case PROTOCOL_COUNT: break;
    }
    assert(!"an operation of a protocol that dispatch does not know");
    return false;
}

/* Whether an operation is served comes first: AWS says so to anybody. Then who asks, and only then is
 * work done for it that grows with the body. */
static bool perform(struct call *call)
{
    const struct api_handler *handler = handler_of(call);
    struct api_call of_handler = { .arena = call->arena,
                                   .context = call->context->of_handlers,
                                   .service = call->to.service,
                                   .operation = call->to.operation,
                                   .fault = &call->fault };
    struct tree *input = NULL;

    if (!handler)
        return fail_unknown(call);
    if (!check_content_type(call) || !check_origin(call, handler) || !identify(call, &of_handler.caller) ||
        !read_input(call, &input) || !tree_check(input, &call->fault))
        return false;
    if (call->to.operation->output)
        call->output = tree_new(call->arena, call->to.operation->output);
    of_handler.input = input;
    of_handler.output = call->output;
    return permit(call, &of_handler) && handler->handle(&of_handler);
}

/* ---- the answer ---- */

/* Date is added by the server. */
static void set_head(struct call *call, unsigned status)
{
    static const char *const types[PROTOCOL_COUNT] = {
        [PROTOCOL_JSON_1_0] = "application/x-amz-json-1.0",
        [PROTOCOL_JSON_1_1] = "application/x-amz-json-1.1",
        [PROTOCOL_CBOR] = "application/cbor",
        [PROTOCOL_QUERY] = "text/xml",
        [PROTOCOL_REST_JSON] = "application/json",
    };

    assert(call->id && types[call->to.protocol]);
    call->response->status = status;
    http_response_header(call->response, "Content-Type", types[call->to.protocol]);
    http_response_header(call->response, "x-amzn-RequestId", call->id);
    if (call->to.protocol == PROTOCOL_CBOR)
        http_response_header(call->response, "smithy-protocol", "rpc-v2-cbor");
}

/* The handler's tree; what is missing in it is left out. */
static void write_answer(struct call *call)
{
    struct buffer *out = &call->response->body;

    assert(call->to.operation && !call->fault.name);
    set_head(call, WELL);
    if (is_query(call))
        query_write(out, call->to.service, call->to.operation, call->output, call->id);
    else if (call->to.protocol == PROTOCOL_CBOR)
        cbor_write(out, call->output);
    else
        json_write(out, call->output);
}

/* A client that was made for the query protocol knows errors by its names. */
static void tell_query_code(struct call *call)
{
    const struct model_service *service = call->to.service;
    struct bytes mode = http_request_header(call->request, "x-amzn-query-mode");

    if (!service || !service->is_query_compatible || is_query(call) || !bytes_is_ignoring_case(mode, "true"))
        return;
    http_response_header(call->response, "x-amzn-query-error",
                         arena_printf(call->arena, "%s;%s", fault_query_code(&call->fault),
                                      call->fault.is_receiver ? "Receiver" : "Sender"));
}

/* Its headers are those of the error's name, and the content type, which is set already. */
static void write_rest_fault(struct call *call)
{
    struct rest_answer answer = { 0 };

    rest_write_fault(call->arena, &call->response->body, &answer, call->to.service, &call->fault);
    for (uint32_t i = 0; i < answer.header_count; i++)
        http_response_header(call->response, arena_string(call->arena, answer.headers[i].name),
                             arena_string(call->arena, answer.headers[i].value));
}

/* Clients look for a fault only where their protocol has it: an answer of another form makes them ask
 * again. */
static void write_fault(struct call *call)
{
    struct buffer *out = &call->response->body;

    assert(call->fault.name && !out->size);
    set_head(call, call->fault.http_status);
    tell_query_code(call);
    if (is_query(call))
        query_write_fault(out, call->to.service, &call->fault, call->id);
    else if (call->to.protocol == PROTOCOL_CBOR)
        cbor_write_fault(out, call->to.service, &call->fault);
    else if (call->to.protocol == PROTOCOL_REST_JSON)
        write_rest_fault(call);
    else
        json_write_fault(out, call->to.service, &call->fault);
}

/* Clients show it with each error. */
static const char *make_id(struct call *call)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    uint8_t uuid[UUID_BYTES];

    call->context->random(uuid, sizeof(uuid));
    uuid_set_random(uuid);
    uuid_print(&text, uuid);
    return arena_string(call->arena, buffer_bytes(&text));
}

/* A body that cannot be decoded is none: what the request is then for is said by its head alone, and
 * it is told of its body first. */
bool call_run(struct call_context *context, const struct http_request *request, struct http_response *response)
{
    struct call *call = arena_new_struct(request->arena, struct call);
    bool is_decoded;

    *call = (struct call){ .context = context, .request = request, .response = response, .arena = request->arena };
    read_signature(call);
    is_decoded = encoding_undo(call->arena, http_request_header(request, "Content-Encoding"), request->body,
                               context->body_bytes_max, &call->body, &call->fault);
    if (!dispatch_request(&context->services, request, call->body,
                          call->signature == SIGV4_OK ? call->sigv4.service : bytes_of(NULL, 0), &call->to))
        return false;
    call->id = make_id(call);
    if (is_decoded && perform(call))
        write_answer(call);
    else
        write_fault(call);
    return true;
}
