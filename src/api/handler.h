/* api/handler.h: an operation as its handler sees it: a checked tree comes in, a tree goes out or a fault. It knows no HTTP.
 *
 * Owns:    all of a call lies in its arena, but the caller's names, which are borrowed for the call.
 * Errors:  a handler returns false with the fault set: api_fail.
 * Thread:  handlers run on many threads at once.
 */
#ifndef API_HANDLER_H
#define API_HANDLER_H

#include "wire/aws/tree.h"

struct iam_principal; /* iam/decide.h */

struct api_caller {
    struct bytes account; /* 12 digits */
    struct bytes region;  /* for which the request was signed: small letters, digits and '-' */
    const struct iam_principal
        *principal; /* NULL: signatures are not checked, and whoever asks is the account's root */
};

struct api_call {
    struct arena *arena;
    struct api_caller caller;
    void *context; /* api_options.context */
    const struct model_service *service;
    const struct model_operation *operation;
    const struct tree *input; /* checked */
    struct tree *output;      /* empty, to be filled; NULL: the operation has none */
    struct api_fault *fault;
};

typedef bool api_handler_fn(struct api_call *call);

struct api_handler {
    const char *operation; /* one of the model */
    api_handler_fn *handle;
    bool changes; /* something: no web page may ask for it */
};

/* The error of that name, which the operation must have in the model, with its status there. Returns false, so that a handler can write:
 * return api_fail(call, ...). */
bool api_fail(struct api_call *call, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A member of it besides its message. */
void api_fail_detail(struct api_call *call, const char *name, struct bytes value);

#endif
