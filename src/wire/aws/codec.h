/* wire/aws/codec.h: AWS's protocols: messages to trees and back. A codec knows shapes and bytes, no service and no socket.
 *
 * Formats: awsJson 1.0 and 1.1, awsQuery with XML answers, restJson1 and smithy RPC v2 CBOR as Smithy's documents and botocore's
 *          protocol tests have them. docs/apis.md says which client sends what.
 * Shapes:  reading follows Smithy: members that the shape does not have are skipped, null is absent, of a name that comes twice the
 *          last counts. Numbers are taken by their value where nothing is lost, never strings for numbers or the other way round.
 * Owns:    what is read lies in the arena or is a part of the message, which must live as long.
 * Errors:  false and the fault: SerializationException, 400 (MalformedInput in the query protocol's names), with what and where.
 * Thread:  pure.
 */
#ifndef WIRE_AWS_CODEC_H
#define WIRE_AWS_CODEC_H

#include "wire/aws/tree.h"

/* ---- JSON 1.0 and 1.1: a body. An empty body is an empty structure. ---- */

/* Also of shapes that are none, for REST: *result NULL is null. */
bool json_read(struct arena *arena, const struct shape *shape, struct bytes body, struct tree **result,
               struct api_fault *fault);
void json_write(struct buffer *out, const struct tree *tree); /* NULL: {} */
/* {"__type":"namespace#Name","message":"..."} and the details. service NULL: the fault is a common one. */
void json_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault);

/* ---- RPC v2 CBOR ---- */

bool cbor_read(struct arena *arena, const struct shape *shape, struct bytes body, struct tree **result,
               struct api_fault *fault);
void cbor_write(struct buffer *out, const struct tree *tree);
void cbor_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault);

/* ---- query: a form as it came, percent-encoded; the answer is XML ---- */

enum { QUERY_FORM_MAX = 2 << 20, QUERY_PAIRS_MAX = TREE_VALUES_MAX };

/* The form's last pair of that name, decoded, in the arena; data NULL: there is none, or it cannot be decoded. */
struct bytes query_field(struct arena *arena, struct bytes form, const char *name);
/* A request may be a GET with its form in the target. There a '+' is a '+', as it was signed: it is encoded, so that it stays one. */
struct bytes query_form_of_target(struct arena *arena, struct bytes raw_query);
/* Pairs may come in any order, and elements of lists and maps with holes in their numbers. */
bool query_read(struct arena *arena, const struct shape *shape, struct bytes form, struct tree **result,
                struct api_fault *fault);
/* What XML cannot carry becomes U+FFFD. tree NULL: an output without members. */
void query_write(struct buffer *out, const struct model_service *service, const struct model_operation *operation,
                 const struct tree *tree, const char *request_id);
void query_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault,
                       const char *request_id); /* service NULL: the fault is a common one */

/* ---- REST-JSON ---- */

enum { REST_SEGMENTS_MAX = 32, REST_PARAMETERS_MAX = 10000 };

/* A request as it came, or an answer as it is to be sent. */
struct rest_message {
    struct bytes method, raw_path;       /* of a request: percent-encoded */
    const struct bytes_pair *parameters; /* of its query, decoded, in order */
    uint32_t parameter_count;
    const struct bytes_pair *headers;
    uint32_t header_count;
    struct bytes body;
};

/* A target's raw query as parameters; false: it has too many, or a '%' that encodes nothing. */
bool rest_parameters(struct arena *arena, struct bytes raw_query, const struct bytes_pair **parameters, uint32_t *count,
                     struct api_fault *fault);
/* The operation whose method and path fit best (Smithy: the one with more literal segments before its labels); NULL: none. Paths are
 * looked at in their normal form, as they were signed; a '/' at the end makes no difference. */
const struct model_operation *rest_operation_find(struct arena *arena, const struct model_service *service,
                                                  struct bytes method, struct bytes raw_path);
/* Of the operation that was found for the message. */
bool rest_read(struct arena *arena, const struct model_operation *operation, const struct rest_message *message,
               struct tree **result, struct api_fault *fault);

struct rest_answer {
    unsigned status;
    struct bytes_pair *headers; /* in the arena */
    uint32_t header_count, header_capacity;
    const char *content_type; /* NULL: no body */
};

/* Controls in a header's value, which would end it, become blanks. tree NULL: an output without members. */
void rest_write(struct arena *arena, struct buffer *body, struct rest_answer *answer,
                const struct model_operation *operation, const struct tree *tree);
/* With x-amzn-errortype, which clients look at first. service NULL: the fault is a common one. */
void rest_write_fault(struct arena *arena, struct buffer *body, struct rest_answer *answer,
                      const struct model_service *service, const struct api_fault *fault);

/* ---- times ---- */

/* "2026-01-02T03:04:05.5Z" with any offset, or "Fri, 02 Jan 2026 03:04:05 GMT"; false: it is none. Microseconds since 1970. */
bool time_read_iso8601(struct bytes text, int64_t *microseconds);
bool time_read_http(struct bytes text, int64_t *microseconds);
/* Without a fraction if there is none; else with as many digits as it needs. */
void time_write_iso8601(struct buffer *out, int64_t microseconds);
void time_write_http(struct buffer *out, int64_t microseconds);
void time_write_epoch(struct buffer *out, int64_t microseconds);
/* ISO 8601's basic form as signatures have it, 20260102T030405Z: 16 characters. Seconds since 1970. */
bool time_read_basic(struct bytes text, int64_t *seconds);
void time_write_basic(struct buffer *out, int64_t seconds);
/* Seconds with a fraction; false: not a time between the years 0 and 9999. */
bool time_of_epoch(double seconds, int64_t *microseconds);

#endif
