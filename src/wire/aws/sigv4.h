/* wire/aws/sigv4.h: AWS's Signature Version 4: is this request signed by who has this secret?
 *
 * Two steps, since the secret is looked up in between: sigv4_parse takes apart what the request says of its signature;
 * sigv4_verify computes it anew from the request as it came and compares in constant time.
 *
 * Formats: "Signature Version 4 signing process" of AWS's reference; the header form (Authorization) and the query form (X-Amz-Signature).
 *          All services but s3 sign the normalized path encoded once more; s3 signs it as it was sent.
 * Shapes:  the target is the request line's, before any decoding: /a%20b?x=1. Headers as they came, in order.
 * Owns:    what sigv4_parse fills points into the request or lies in the arena.
 * Errors:  enum sigv4_result; docs/apis.md has the error that each becomes in each protocol.
 * Thread:  pure.
 */
#ifndef WIRE_AWS_SIGV4_H
#define WIRE_AWS_SIGV4_H

#include "base/arena.h"
#include "wire/aws/codec.h"

enum sigv4_result {
    SIGV4_OK,
    SIGV4_NONE,          /* nothing in the request says that it is signed */
    SIGV4_INCOMPLETE,    /* a part is missing or cannot be read; the message says which */
    SIGV4_UNSUPPORTED,   /* SigV4A, streamed payloads of other services than s3 */
    SIGV4_SCOPE,         /* signed for another date or service */
    SIGV4_EXPIRED,       /* the time that was signed is too long ago */
    SIGV4_NOT_YET,       /* or too far ahead */
    SIGV4_MISMATCH,      /* the signature, or the payload's hash */
};

struct sigv4_request {
    struct bytes method, target; /* target: raw path and query */
    const struct rest_pair *headers;
    uint32_t header_count;
    struct bytes body;
};

struct sigv4 {
    struct bytes access_key, date, region, service; /* of the scope; date: yyyymmdd */
    struct bytes scope;                             /* yyyymmdd/region/service/aws4_request */
    struct bytes signed_headers;                    /* as sent */
    struct bytes signature;                         /* 64 hexadecimal digits */
    struct bytes session_token;                     /* data NULL: none */
    struct bytes timestamp;                         /* yyyymmddThhmmssZ */
    int64_t signed_at_s;
    int64_t expires_s; /* of the query form; 0: the header form */
    bool is_query;
    char message[512]; /* with what is neither OK nor NONE: AWS's words for it */
};

enum { SIGV4_SKEW_S = 15 * 60, SIGV4_EXPIRES_MAX_S = 604800, SIGV4_KEY_BYTES = 32 };

enum sigv4_result sigv4_parse(struct arena *arena, const struct sigv4_request *request, struct sigv4 *result);

/* HMAC of HMAC of ...: worth keeping for (secret, date, region, service). */
void sigv4_key(struct bytes secret, struct bytes date, struct bytes region, struct bytes service, uint8_t key[SIGV4_KEY_BYTES]);

/* `service`: who the request was for, by its dispatch. Time is checked before the signature, the scope before both. */
enum sigv4_result sigv4_verify(struct arena *arena, const struct sigv4_request *request, struct sigv4 *sigv4,
                               const uint8_t key[SIGV4_KEY_BYTES], const char *service, int64_t now_s);

/* What a test compares: the canonical request and the string to sign. False: it cannot be made, the message says why. */
bool sigv4_canonical(struct arena *arena, const struct sigv4_request *request, struct sigv4 *sigv4, struct buffer *canonical,
                     struct buffer *to_sign);

#endif
