/* control/state.h: what the handlers of this folder share: a call's control. Nobody else includes this. */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include "api/handler.h"
#include "catalog/catalog.h"
#include "identity/store.h"
#include "keys/keys.h"

#include <pthread.h>

struct control {
    struct catalog *catalog;
    const struct keys *keys;
    const char *region;
    struct identity_store *identities; /* owned */
    struct signing *signing;           /* owned */
    const struct clock *clock;
    struct keys *own_keys; /* owned; NULL: they are the server's */
    /* Changes are made one at a time anyway: the catalog sees to it. */
    pthread_mutex_t changing;
    struct table_port *port; /* owned; under the lock */
};

static inline struct control *control_of(const struct api_call *call)
{
    return (struct control *)call->context;
}

#endif
