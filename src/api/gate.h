/* api/gate.h: who lets requests in: looks up a key, says whether its owner may do what is asked. Without one everybody may do everything.
 *
 * A request is let in by steps, each of which costs more than the one before: its signature is taken apart, its key looked up, the signature
 * computed, the input read, and then its owner asked for.
 *
 * Owns:    what a gate gives lies in the request's arena, or outlives it.
 * Thread:  any, many at once. A gate waits for nothing.
 */
#ifndef API_GATE_H
#define API_GATE_H

#include "api/handler.h"
#include "net/http_message.h"
#include "wire/aws/sigv4.h"

enum gate_answer {
    GATE_OPEN,
    GATE_REGION,      /* it is signed for another region than this server's */
    GATE_NO_KEY,      /* nobody has that key, or it is not active */
    GATE_TOKEN_WRONG, /* a session's token that is none, or not this key's */
    GATE_TOKEN_EXPIRED,
    GATE_BROKEN /* a fault of ours */
};

struct api_gate {
    /* Who signed, into the caller, and the key for the scope: sigv4_key. */
    enum gate_answer (*find)(void *context, struct arena *arena, const struct sigv4 *signed_by,
                             struct api_caller *caller, uint8_t key[SIGV4_KEY_BYTES]);
    /* NULL: it may. Else why not, in AWS's words, in the arena. */
    const char *(*refuse)(void *context, const struct api_call *call, const struct http_request *request);
    int64_t (*now_s)(void *context);
};

#endif
