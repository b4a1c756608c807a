/* api/api.h: AWS's APIs over HTTP: which operation is this request, who asks, and its answer in the protocol in which it came.
 *
 *     the request -> dispatch.h: service, operation, protocol -> call.c: caller, tree -> a handler -> the answer
 *
 * Without a gate signatures are read, for who calls and from which region, and not checked: whoever opens this so serves only a developer's
 * machine. With one (gate.h) each is checked, and its owner is asked for what he may.
 *
 * Shapes:  a service is a model and, of the operations that are served, a handler each. What has none is answered as AWS answers an
 *          operation that it does not know, and counted by its name.
 * Owns:    models and counts, from api_open to api_close. Handlers and texts of models are borrowed.
 * Errors:  api_open: ERR_INVALID, a model that cannot be parsed: a fault of ours. What clients do wrong is told to them, 4xx.
 * Limits:  API_BODY_MAX, of a body and of what is inflated of one; names that are counted: unknown.h.
 * Thread:  open and close: one. In between any, many at once.
 */
#ifndef API_API_H
#define API_API_H

#include "api/gate.h"
#include "base/error.h"
#include "net/http_message.h"

enum { API_BODY_MAX = 1 << 20 };

struct api;

struct api_service {
    const char *model;
    const struct api_handler *handlers;
    size_t handler_count;
};

struct api_options {
    const struct api_service *services; /* borrowed until api_close */
    size_t service_count;
    void (*random)(void *to, size_t size); /* for ids of requests; any thread calls it */
    void *context;                         /* for handlers, and the gate */
    const struct api_gate
        *gate; /* borrowed. NULL: signatures are read and not checked, and everybody may do everything */
};

enum status api_open(const struct api_options *options, struct api **result, struct error *err);
/* False: this is no request for an API of AWS, and the response is as it was. */
bool api_handle(struct api *api, const struct http_request *request, struct http_response *response);
/* Appends what /metrics shows. */
void api_print_metrics(struct api *api, struct buffer *out);
/* What was asked for and is not served: unknown_each (unknown.h). */
void api_each_unknown(struct api *api, void (*each)(void *context, const char *name, uint64_t count), void *context);
void api_close(struct api *api); /* NULL: nothing to do */

#endif
