/* control/control.h: what AWS's APIs do here: handlers of their operations on the definitions that CQL has. Pure of HTTP, which is api/'s.
 *
 * An operation that changes something builds the statement that CQL would have, and hands it to the catalog: there is one way to change a
 * definition, and what one face did the other sees at once. docs/apis.md says what each operation does.
 *
 * Owns:    ports to the table space, the identities (identity/store.h), and the key of tokens and secrets where the server has none.
 * Errors:  told to clients, as the models of the services have them. control_open: those of keys/ and identity_open.
 * Thread:  open and close: one; the catalog is open in between. Handlers run on any, many at once.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "api/api.h"

struct catalog;
struct keys;
struct table_space;
struct control;

/* Of the space, open at once. */
enum { CONTROL_PORTS = 2 }; /* one is the identities' */

struct control_options { /* all borrowed until control_close */
    struct catalog *catalog;
    struct table_space *space;
    const char *region;      /* the server's: with control_gate the only one that requests may be signed for */
    const struct keys *keys; /* of tokens and secrets (KEYS_TOKENS, KEYS_SECRETS); NULL: a key of this process */
};

enum status control_open(const struct control_options *options, struct control **result, struct error *err);
void control_close(struct control *control); /* NULL: nothing to do */

/* For api_options, with the struct control as its context. */
extern const struct api_service control_services[];
extern const size_t control_service_count;

#endif
