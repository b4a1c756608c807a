/* api/handler.h: an operation as its handler sees it: a checked tree comes in, a tree goes out or a fault. It knows no HTTP.
 *
 * Owns:    all of a call lies in its arena, but the caller's names, which are borrowed for the call.
 * Errors:  a handler returns false with the fault set (fault_set, then the shape if the model has one).
 * Thread:  handlers run on many threads at once.
 */
#ifndef API_HANDLER_H
#define API_HANDLER_H

#include "wire/aws/tree.h"

struct api_caller {
    struct bytes account; /* 12 digits */
    struct bytes region;  /* for which the request was signed */
};

struct api_call {
    struct arena *arena;
    struct api_caller caller;
    const struct tree *input; /* checked */
    struct tree *output;      /* empty, to be filled; NULL: the operation has none */
    struct api_fault *fault;
};

typedef bool api_handler_fn(struct api_call *call);

struct api_handler {
    const char *operation; /* one of the model */
    api_handler_fn *handle;
};

#endif
