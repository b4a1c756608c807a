/* server/state.h: all that a server is made of, for the files that build it and show it. Nobody else includes this.
 *
 * Owns:    what server_open built, in the order of its members; server_close takes it down from the last to the first.
 * Thread:  main's, but for what http.h's callbacks look at: counts, which any thread may read.
 */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include "auth/password.h"
#include "base/clock.h"
#include "catalog/catalog.h"
#include "server/admin/admin.h"
#include "server/admin/sweeper.h"
#include "server/native/loop.h"
#include "server/server.h"

struct api;
struct control;
struct http;
struct keys;
struct tls;

struct server {
    struct clock_ahead clock;      /* all of the server is given it */
    const struct options *options; /* borrowed */
    struct tls *tls;               /* owned, as all below; NULL: plain text alone */
    int lock_fd;                   /* DIR/LOCK, -1: none */
    struct keys *keys;
    const struct store_ops *store;
    void *environment;
    struct catalog *catalog;
    struct catalog_listener listener;
    struct table_space *space;
    bool catalog_is_open;
    struct auth *auth; /* NULL: without roles; so are logins */
    struct logins *logins;
    char password[PASSWORD_GENERATED_BYTES + 1]; /* of the first role, until it is shown; "": none was made */
    struct query_engine *engine;
    struct native_service service;
    struct clients clients;
    struct slow_log slow_log;
    struct sweeper_view sweeper;
    struct admin_view tasks;
    struct admin *admin;
    struct control *control; /* NULL: not in developer mode; so is api */
    struct api *api;
    struct http *http;
    struct tls_counts http_tls_counts; /* its handshakes */
    struct sockaddr_storage address;   /* of CQL in plain text; where there is none its port is 0 */
    struct sockaddr_storage tls_address;
    struct sockaddr_storage advertised; /* what system.local says, but for the port */
};

#endif
