/* server/native/loop.h: one thread that serves CQL connections: net's loop, wire's messages, query's answers.
 *
 * A native_service is what all loops share; a native_loop is one of them. The life of both is server.c's:
 *
 *     native_loop_open, native_loop_secure (each) -> native_loop_start (each) -> ... -> native_loop_drain (each) -> native_loop_join (each)
 *         -> workers_free -> native_loop_close (each)
 *
 * Thread:  a loop's members belong to its thread, but for metrics (any thread reads) and native_service_broadcast (any
 * thread).
 */
#ifndef SERVER_NATIVE_LOOP_H
#define SERVER_NATIVE_LOOP_H

#include "net/listener.h"
#include "net/stream_socket.h"
#include "net/tls_gate.h"
#include "net/workers.h"
#include "query/query.h"
#include "server/native/clients.h"
#include "server/native/login.h"
#include "server/metrics.h"
#include "server/native/slow_log.h"
#include "wire/native.h"

#include <pthread.h>
#include <stdatomic.h>

struct connection;

struct native_limits {
    uint32_t connections_max; /* of all loops */
    uint32_t frame_bytes_max;
    uint32_t requests_in_flight_max; /* of one connection: it is not read while it has more */
    uint32_t waits_in_flight_max;    /* of these, at workers: their answers come however slowly the client reads */
    size_t output_bytes_max;         /* of one connection, as above */
    size_t input_bytes_max;          /* unfinished requests of one loop's connections */
    int64_t startup_us;              /* a connection that has not begun a session is closed */
    int64_t stall_us;                /* so is one that takes nothing of what waits for it */
    int64_t drain_us;                /* how long requests may take when the server stops */
    int64_t slow_us;                 /* what takes as long is told to the slow log; 0: nothing is */
    size_t request_bytes_max;        /* what one loop's requests and replies may hold: net/budget.h */
    size_t share_bytes_max;          /* of these, one connection's, and one request */
    int64_t handshake_us;            /* a connection that has not ended its TLS handshake is closed */
};

struct native_service {
    const struct clock *clock;   /* borrowed */
    struct catalog *catalog;     /* borrowed: accounts */
    struct query_engine *engine; /* borrowed */
    struct tls *tls;             /* borrowed; NULL: none is served */
    struct workers *workers;     /* borrowed; each has a query_context of its own, see native_worker_options */
    struct native_limits limits; /* what a loop begins with; each has its own copy */
    struct clients *clients;     /* borrowed */
    struct slow_log *slow_log;   /* borrowed; NULL only if limits.slow_us is 0 for ever */
    bool wants_password;
    struct logins *logins; /* borrowed: who checks it; NULL: any is right */
    atomic_uint connection_count;
    struct worker_job trim_job; /* gives free memory back to the system */
    atomic_bool is_trimming;
    _Atomic uint64_t given_back_count; /* how often there was some: metrics */
    struct native_loop **loops;        /* owned by server.c */
    uint32_t loop_count;
};

enum {
    NATIVE_ARENAS_MAX = 1024,
    NATIVE_ARENA_BYTES = 8 << 10,
    NATIVE_TRACES_MAX = 64, /* of one loop, begun and not yet written: about half a megabyte each at most */
};

struct native_loop {
    struct loop *net_loop; /* owned */
    struct native_service *service;
    struct native_limits limits;   /* now in force */
    struct query_context *context; /* owned */
    struct table_port *port;       /* the context's */
    struct loop_source port_source;
    struct loop_hook turn_hook;
    struct listener listener, tls_listener;
    struct tls_gate tls_gate;
    struct tls_counts tls_counts;
    struct stream_budget budget;
    struct budget requests;
    struct connection *hungry, **hungry_last; /* wait for memory, who came first first */
    struct loop_timer hunger_timer;           /* while there are any */
    struct loop_timer trim_timer;             /* after much was freed */
    size_t trim_freed;                        /* how much it was when the timer was set */
    struct metrics metrics;
    struct connection *connections;          /* all open ones */
    uint32_t flow_next;                      /* of the connection that is opened next */
    uint32_t request_count;                  /* not yet answered, of open and closed connections; and traces */
    uint32_t traces;                         /* begun and not yet written */
    int64_t clock_us;                        /* monotonic, after the latest request */
    uint8_t *segment_scratch;                /* owned: one payload of v5, unpacked */
    struct buffer segment_packed;            /* owned: one being packed */
    struct arena *arenas[NATIVE_ARENAS_MAX]; /* owned: idle ones */
    uint32_t arena_count;
    bool is_draining;
    struct loop_task drain_task;
    struct loop_timer drain_timer;
    pthread_t thread;
};

/* Listens on *address; with port 0 the kernel chooses and *address tells. NULL: nothing is served in plain text. */
enum status native_loop_open(struct native_service *service, struct sockaddr_storage *address,
                             struct native_loop **result, struct error *err);
/* Listens on another one for those who speak TLS: the service has it. Before it is started. */
enum status native_loop_secure(struct native_loop *loop, struct sockaddr_storage *address, struct error *err);
enum status native_loop_start(struct native_loop *loop, unsigned index, struct error *err);
/* Puts other limits in force for what comes: connections that are open keep those they were opened with (output, stall, startup,
 * and with v5 the size of a frame). Any thread, not after native_loop_drain. */
void native_loop_set_limits(struct native_loop *loop, const struct native_limits *limits);
/* Accepts no more, lets requests end, closes connections, stops: any thread. */
void native_loop_drain(struct native_loop *loop);
/* False: requests were still with their owners when the time was over; nothing below may be closed any more. */
bool native_loop_join(struct native_loop *loop);
void native_loop_close(struct native_loop *loop);

/* Each worker's own context: start and stop of struct workers_options, with the engine as context. */
void *native_worker_start(void *engine);
void native_worker_stop(void *local);

/* Sends an EVENT to the account's connections that registered for it. Any thread. */
void native_service_broadcast(struct native_service *service, const struct catalog_account *account, uint32_t event,
                              struct bytes body);

/* A request has left: the last of a draining loop stops it. */
void native_loop_idle(struct native_loop *loop);

#endif
