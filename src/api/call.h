/* api/call.h: one request, from its bytes to its answer: decoded, dispatched, its caller known, read, checked, handled, written.
 *
 * Shapes:  every answer has x-amzn-RequestId, the content type of its protocol, and a status that no client takes for a reason to ask again
 *          (5xx) unless the fault is ours.
 * Owns:    all lies in the request's arena.
 * Errors:  a client's are answered.
 * Thread:  any, many at once.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/dispatch.h"
#include "api/gate.h"
#include "api/unknown.h"

struct call_context {
    struct dispatch_services services;
    const struct api_handler *const *const *handlers; /* of each service by its operations' index; NULL: not served */
    void *of_handlers;                                /* what they are given, and the gate */
    const struct api_gate *gate;                      /* NULL: signatures are not checked */
    size_t body_bytes_max;                            /* inflated */
    void (*random)(void *to, size_t size);
    struct unknown unknown;
};

/* False: no request for an API, and the response is as it was. */
bool call_run(struct call_context *context, const struct http_request *request, struct http_response *response);

#endif
