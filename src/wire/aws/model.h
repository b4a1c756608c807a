/* wire/aws/model.h: what an AWS service's operations look like: the one table from which all codecs, the checks and the tests work.
 *
 * A model is text, compiled into the binary (src/control/NAME.model) and parsed once at start. One declaration a line; a line that begins
 * with blanks goes on with the one before; '#' begins a comment, where a word could begin.
 *
 *     service keyspaces              its name in AWS's models
 *     id KeyspacesService            of the JSON target and of the CBOR path
 *     signing cassandra              the service's name in a credential scope
 *     version 2022-02-10             of the query protocol's Version=; else only told
 *     namespace com.amazonaws.keyspaces    of an error's __type
 *     xmlns https://...              of the query protocol's answers
 *     protocols json-1.0 cbor        json-1.0, json-1.1, cbor, query, rest-json; the first is the usual one
 *     query-compatible               sends x-amzn-query-error, since clients were made for the query protocol first
 *
 *     string KeyspaceName 1..48 /[a-zA-Z0-9][a-zA-Z0-9_]{0,47}/     the pattern reaches to the last '/' of its line
 *     string Message                 1.. and ..9 are halves of a range
 *     enum ThroughputMode PAY_PER_REQUEST PROVISIONED      a range may stand before the values
 *     integer DefaultTimeToLive 0..630720000       integer (32 bits), long (64), float, double, boolean, blob, timestamp, document
 *     timestamp When iso8601         epoch (seconds), iso8601 or http; what a protocol does by itself if it is not said
 *     list TagList 1..60 of Tag      `of Tag as Item`: the name of an element in XML; `flat` behind it: without a wrapper
 *     map Tags of TagKey to TagValue      `of TagKey as Name to TagValue as Value flat`
 *     structure Tag key!:TagKey value!:TagValue   '!': it must be there; `name(wire name):Shape`: another name on the wire
 *     union Cell a:String b:Number   a structure that has one member
 *     error ResourceNotFoundException 404 message:String resourceArn:ARN    a structure; `404 code NoSuchEntity`: its name in the query protocol
 *     operation CreateKeyspace CreateKeyspaceRequest -> CreateKeyspaceResponse ! ConflictException ValidationException
 *     operation DeleteUser DeleteUserRequest -> ! NoSuchEntityException      nothing before `->`: no members; behind it: no output
 *
 * REST-JSON: an operation's `at GET /2015-03-31/functions/{FunctionName} 200`, before `->`; where a member stands when not in the body:
 * `Qualifier@query(Qualifier):String`, `@header(X-Amz-Name)`, `@headers(X-Amz-Meta-)`, `@uri`, `@status`, `@payload`.
 *
 * A member may name a shape that is declared later. Strings, integer, long, float, double, boolean, blob, timestamp and document are
 * shapes without bounds that need no declaration: String Integer Long Float Double Boolean Blob Timestamp Document.
 *
 * Shapes:  a bound of a string is in characters (Unicode code points), of a blob in bytes, of a list or map in elements, of a number its value.
 * Owns:    everything of a model lies in the arena that model_parse is given. The text is borrowed.
 * Errors:  model_parse: ERR_INVALID with the line: a fault of ours, which the tests see.
 * Thread:  parse: one; then it is never changed.
 */
#ifndef WIRE_AWS_MODEL_H
#define WIRE_AWS_MODEL_H

#include "base/arena.h"
#include "base/error.h"
#include "wire/aws/pattern.h"

enum shape_kind {
    SHAPE_STRUCTURE, /* unions and errors too */
    SHAPE_LIST,
    SHAPE_MAP,
    SHAPE_STRING, /* enums too */
    SHAPE_BLOB,
    SHAPE_BOOLEAN,
    SHAPE_INTEGER, /* 32 bits */
    SHAPE_LONG,
    SHAPE_FLOAT,
    SHAPE_DOUBLE,
    SHAPE_TIMESTAMP,
    SHAPE_DOCUMENT, /* any JSON */
};

enum timestamp_format { TIMESTAMP_OF_PROTOCOL, TIMESTAMP_EPOCH, TIMESTAMP_ISO8601, TIMESTAMP_HTTP };

enum member_place { PLACE_BODY, PLACE_URI, PLACE_QUERY, PLACE_HEADER, PLACE_HEADERS, PLACE_STATUS, PLACE_PAYLOAD };

struct model_member {
    const char *name;
    const char *wire_name; /* in the body, the query or the header; the name if nothing else was said */
    const struct shape *shape;
    enum member_place place;
    bool required;
};

struct shape {
    const char *name;
    enum shape_kind kind;
    bool is_union, is_error, is_flat;
    enum timestamp_format timestamp;
    const struct model_member *members; /* of a structure, in the order of the model */
    uint32_t member_count;
    const struct shape *element; /* of a list; a map's values */
    const struct shape *key;     /* of a map: strings */
    const char *element_name;    /* "member", a map's "value" */
    const char *key_name;        /* "key" */
    bool has_min, has_max;
    int64_t min, max;
    const char *pattern;              /* as in AWS's models; NULL: none. It is to match the whole value */
    struct pattern *compiled_pattern; /* owned: model_release */
    const char *const *values;        /* of an enum; NULL: any */
    uint32_t value_count;
    uint16_t http_status;   /* of an error */
    const char *error_code; /* in the query protocol; the name if nothing else was said */
};

enum model_protocol {
    PROTOCOL_JSON_1_0,
    PROTOCOL_JSON_1_1,
    PROTOCOL_CBOR,
    PROTOCOL_QUERY,
    PROTOCOL_REST_JSON,
    PROTOCOL_COUNT
};

struct model_operation {
    const char *name;
    const struct shape *input;  /* never NULL: a structure without members */
    const struct shape *output; /* NULL: none */
    const struct shape *const *errors;
    uint32_t error_count;
    const char *method, *path; /* of REST-JSON; path: "/tags/{ARN}", {Name+} takes what follows as well */
    uint16_t http_status;
    uint32_t index; /* in the service */
};

struct model_service {
    const char *name, *id, *signing, *version, *namespace_name, *xmlns;
    uint32_t protocols;           /* bits, 1 << enum model_protocol */
    enum model_protocol protocol; /* the usual one */
    bool is_query_compatible;
    const struct model_operation *operations; /* sorted by name */
    uint32_t operation_count;
    const struct shape *const *shapes; /* sorted by name */
    uint32_t shape_count;
};

enum status model_parse(struct arena *arena, struct bytes text, struct model_service **result, struct error *err);
/* What is compiled for a model's patterns is not in its arena. */
void model_release(struct model_service *service);

/* NULL: there is none of that name. */
const struct model_operation *model_operation_find(const struct model_service *service, struct bytes name);
const struct shape *model_shape_find(const struct model_service *service, const char *name);
const struct model_member *shape_member_find(const struct shape *shape, struct bytes name);
/* By its name in the body. */
const struct model_member *shape_member_on_wire(const struct shape *shape, struct bytes wire_name);

#endif
