/* query/request.h: what a client asks, on its way through this folder and back.
 *
 * Owns:    the request's arena holds everything; the caller resets it after the reply left.
 * Errors:  in request.error; wire/ encodes them.
 * Thread:  one at a time: a loop, or a worker that runs it again.
 */
#ifndef QUERY_REQUEST_H
#define QUERY_REQUEST_H

#include "base/arena.h"
#include "base/error.h"
#include "wire/native.h"

struct trace;
struct catalog_account; /* catalog/catalog.h */
struct auth_login;      /* auth/auth.h */

struct query_session {
    struct catalog_account *account; /* borrowed from the catalog: whose names its statements name */
    struct auth_login *login;        /* borrowed: as which role; NULL: nothing is asked of anybody */
    struct bytes keyspace;           /* USE; owned by the connection (malloc); data NULL: none. query_run replaces it */
    uint8_t protocol_version;        /* 3, 4, 5 */
    uint32_t flow; /* a number of the connection: its requests wait behind each other, not others behind them */
    uint8_t client_address[16]; /* for traces */
    bool client_is_ipv6;
    bool warned_of_use; /* that a prepared statement depends on USE: said once */
};

enum query_result { QUERY_DONE, QUERY_PENDING, QUERY_WAITS };

struct query_request {
    struct query_session *session;        /* borrowed */
    struct arena *arena;                  /* borrowed: the request's */
    const struct native_request *message; /* decoded QUERY, PREPARE, EXECUTE or BATCH; borrowed, spans into the frame */
    int64_t now_us;
    struct error error;                /* out */
    struct native_error_detail detail; /* out: what ERROR carries besides: of a failed function, of a write its type */
    uint64_t table_id;                 /* out: of the table, of a batch's first one; 0: there is none */
    uint32_t
        waits_for; /* out, QUERY_WAITS: 1 + the shard whose disk it may wait for; 1 + their count: it computes long; 0: unknown */
    bool writes_auth;       /* out: rows of system_auth; who reads them is told when it has ended */
    bool was_use;           /* out: the session has another keyspace than before, or the same one once more */
    struct bytes *warnings; /* out, in the arena */
    uint32_t warning_count;
    void (*done)(struct query_request *request); /* QUERY_PENDING: called once, on the context's loop */
    void *context;                               /* the caller's */
    struct trace *trace;                         /* the caller's, query/trace.h; NULL: not traced */
    void *state;                                 /* query/'s own, in the arena */
};

#endif
