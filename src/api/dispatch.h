/* api/dispatch.h: which service, operation and protocol a request is for. One port serves all: Host says nothing.
 *
 *     1 smithy-protocol: rpc-v2-cbor, or a path that ends in /service/ID/operation/NAME       CBOR
 *     2 X-Amz-Target: ID.NAME, cut at its last '.'                                            JSON, 1.0 or 1.1 as Content-Type says
 *     3 a form, or a query string, with Action=NAME                                           query
 *     4 anything else that is signed                                                          as the scope's service speaks
 *
 * In 3 the service is the one that the request was signed for; if it was not, the one whose Version= it is. Never by Action alone: several
 * services have a TagResource. What is neither of the four is no request for an API.
 *
 * Shapes:  a path is looked at in its normal form, as it is signed.
 * Owns:    names point into the request or its arena, and are as the client wrote them.
 * Errors:  none: what is not known is a result.
 * Thread:  pure.
 */
#ifndef API_DISPATCH_H
#define API_DISPATCH_H

#include "net/http_message.h"
#include "wire/aws/codec.h"

struct dispatch_services {
    const struct model_service *const *services;
    size_t count;
};

struct dispatch {
    enum model_protocol protocol;            /* in which it is answered */
    const struct model_service *service;     /* NULL: none of ours */
    const struct model_operation *operation; /* NULL: the service has none of that name in that protocol */
    struct bytes service_name, operation_name;
    struct bytes form;    /* of 3; else empty */
    struct bytes version; /* of 3; data NULL: not said */
};

/* body: after its Content-Encoding. scope: the service that the request is signed for; data NULL: not signed, or not readable. */
bool dispatch_request(const struct dispatch_services *services, const struct http_request *request, struct bytes body,
                      struct bytes scope, struct dispatch *result);

#endif
