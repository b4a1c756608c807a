/* control/needs.h: what a caller must be allowed for an operation: actions of policies on resources, as AWS's reference has them.
 *
 * Of IAM the action is the operation's name and the resource who it is about; of the others it is a table in needs.c. An operation that is not
 * in it needs the action of its own name on everything.
 *
 * Owns:    lies in the call's arena.
 */
#ifndef CONTROL_NEEDS_H
#define CONTROL_NEEDS_H

#include "api/handler.h"

struct need {
    struct bytes action, resource;
};

/* Of them all; *count 0: anybody may. */
const struct need *needs_of(const struct api_call *call, uint32_t *count);

#endif
