/* wire/aws/sigv4.h: AWS's Signature Version 4: is this request signed by who has this secret?
 *
 * Two steps, since the secret is looked up in between: sigv4_parse takes apart what the request says of its signature, and refuses
 * what needs no secret to be refused; sigv4_verify computes it anew from the request as it came and compares in constant time.
 *
 * Formats: "Signature Version 4 signing process" of AWS's reference; the header form (Authorization) and the query form (X-Amz-Signature).
 *          All services but s3 sign the path's normal form encoded once more; s3 signs it as it was sent. So who dispatches must look at
 *          the normal form too (path_normalize), and take a '+' in the target for a '+' (wire/aws/percent.h).
 *          The payload is signed by its hash; s3 may say UNSIGNED-PAYLOAD (is_payload_unsigned), and does in the query form.
 * Shapes:  the target is the request line's, before any decoding: /a%20b?x=1. Headers as they came, in order.
 * Signed:  host and every x-amz-* header that is in the request must be signed, but the two that change nothing: x-amz-user-agent and
 *          x-amz-cf-id. Content-Type need not be (curl does not): what a body is to be, X-Amz-Target, the path and the body itself say.
 * Owns:    what sigv4_parse fills points into the request or lies in the arena.
 * Errors:  enum sigv4_result; docs/apis.md has the error that each becomes in each protocol.
 * Limits:  SIGV4_TARGET_MAX, SIGV4_HEADERS_MAX, SIGV4_NAME_MAX; before the secret is known work is n log n in what these bound.
 * Thread:  pure.
 */
#ifndef WIRE_AWS_SIGV4_H
#define WIRE_AWS_SIGV4_H

#include "base/arena.h"
#include "wire/aws/codec.h"

enum sigv4_result {
    SIGV4_OK,
    SIGV4_NONE,        /* nothing in the request says that it is signed */
    SIGV4_INCOMPLETE,  /* a part is missing, comes twice, is not signed or cannot be read; the message says which */
    SIGV4_UNSUPPORTED, /* another algorithm (SigV4A), a payload that is streamed, or unsigned where it must not be */
    SIGV4_SCOPE,       /* signed for another date or service */
    SIGV4_EXPIRED,     /* the time that was signed is too long ago */
    SIGV4_NOT_YET,     /* or too far ahead */
    SIGV4_MISMATCH,    /* the signature, or the payload's hash */
};

struct sigv4_request {
    struct bytes method, target; /* target: raw path and query */
    const struct bytes_pair *headers;
    uint32_t header_count;
    struct bytes body;
};

struct sigv4_header {
    struct bytes name; /* lower case */
    struct bytes value;
    uint32_t position; /* in the request */
    bool is_signed;
};

struct sigv4 {
    struct bytes access_key, date, region, service; /* of the scope; date: yyyymmdd */
    struct bytes scope;                             /* yyyymmdd/region/service/aws4_request */
    struct bytes signed_headers;                    /* as sent */
    struct bytes signature;                         /* 64 hexadecimal digits */
    struct bytes session_token;                     /* data NULL: none */
    struct bytes timestamp;                         /* yyyymmddThhmmssZ */
    struct bytes payload_hash;                      /* as signed; data NULL: the body's */
    const struct sigv4_header *headers;             /* of the request, by name, in their order */
    uint32_t header_count;
    int64_t signed_at_s;
    int64_t expires_s; /* of the query form; 0: the header form */
    bool is_query;
    bool is_payload_unsigned; /* only s3's; who wants TLS for that looks here */
    char message[512];        /* with what is neither OK nor NONE: AWS's words for it */
};

enum {
    SIGV4_SKEW_S = 15 * 60,
    SIGV4_EXPIRES_MAX_S = 604800,
    SIGV4_KEY_BYTES = 32,
    SIGV4_TARGET_MAX = 65536,
    SIGV4_HEADERS_MAX = 256,
    SIGV4_NAME_MAX = 128, /* of an access key, a region, a service */
    SIGV4_SECRET_MAX = 256,
};

enum sigv4_result sigv4_parse(struct arena *arena, const struct sigv4_request *request, struct sigv4 *result);

/* HMAC of HMAC of ...: worth keeping for (secret, date, region, service). The secret: at most SIGV4_SECRET_MAX bytes. */
void sigv4_key(struct bytes secret, struct bytes date, struct bytes region, struct bytes service,
               uint8_t key[SIGV4_KEY_BYTES]);

/* Of what sigv4_parse found OK. `service`: who the request was for, by its dispatch. Time is checked before the signature, the
 * scope before both. */
enum sigv4_result sigv4_verify(struct arena *arena, const struct sigv4_request *request, struct sigv4 *sigv4,
                               const uint8_t key[SIGV4_KEY_BYTES], const char *service, int64_t now_s);

/* What is signed: the canonical request and the string to sign, appended. */
void sigv4_canonical(struct arena *arena, const struct sigv4_request *request, const struct sigv4 *sigv4,
                     struct buffer *canonical, struct buffer *to_sign);

#endif
