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

/* The form's pair of that name, decoded, in the arena; data NULL: there is none. */
struct bytes query_field(struct arena *arena, struct bytes form, const char *name);
bool query_read(struct arena *arena, const struct shape *shape, struct bytes form, struct tree **result,
                struct api_fault *fault);
void query_write(struct buffer *out, const struct model_service *service, const struct model_operation *operation,
                 const struct tree *tree, const char *request_id);
void query_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault,
                       const char *request_id);

/* ---- REST-JSON ---- */

struct rest_pair {
    struct bytes name, value;
};

/* A request as it came, or an answer as it is to be sent. */
struct rest_message {
    struct bytes method, raw_path;      /* of a request: percent-encoded */
    const struct rest_pair *parameters; /* of its query, decoded, in order */
    uint32_t parameter_count;
    const struct rest_pair *headers;
    uint32_t header_count;
    struct bytes body;
};

/* The operation whose method and path fit best (Smithy: the one with more and longer literal segments); NULL: none. */
const struct model_operation *rest_operation_find(const struct model_service *service, struct bytes method,
                                                  struct bytes raw_path);
bool rest_read(struct arena *arena, const struct model_operation *operation, const struct rest_message *message,
               struct tree **result, struct api_fault *fault);

struct rest_answer {
    unsigned status;
    struct rest_pair *headers; /* in the arena */
    uint32_t header_count, header_capacity;
    const char *content_type; /* NULL: no body */
};

void rest_write(struct arena *arena, struct buffer *body, struct rest_answer *answer,
                const struct model_operation *operation, const struct tree *tree);

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
