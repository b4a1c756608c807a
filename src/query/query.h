/* query/query.h: a statement and its values become an answer.
 *
 * One query_engine per process; one query_context per loop (and per worker); one query_session per connection.
 *
 * The path of a request:
 *     query_run -> QUERY_DONE       the reply's body stands in `out` (a RESULT message), or request.error says why not
 *               -> QUERY_PENDING    a write is with its owner: request.done is called later on the same loop, then
 *                                   query_finish writes the body, or says one of these three again: the definitions changed
 *                                   meanwhile. Contexts that may wait have it done when they return
 *               -> QUERY_WAITS      memory cannot answer: run it again, whole, with a worker's context (may_wait)
 *
 * Owns:    the request's arena holds everything; the caller resets it after the reply left.
 * Errors:  in request.error; wire/ encodes them.
 * Thread:  a context and its requests belong to one thread at a time.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "wire/native.h"

struct catalog;
struct keys;
struct table_space;
struct table_port;
struct query_engine;
struct query_context;
struct trace;

struct query_session {
    struct bytes keyspace;    /* USE; owned by the connection (malloc); data NULL: none. query_run replaces it */
    uint8_t protocol_version; /* 3, 4, 5 */
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
    uint32_t waits_for;                /* out, QUERY_WAITS: 1 + the shard whose disk it may wait for; 0: unknown */
    bool was_use;           /* out: the session has another keyspace than before, or the same one once more */
    struct bytes *warnings; /* out, in the arena */
    uint32_t warning_count;
    void (*done)(struct query_request *request); /* QUERY_PENDING: called once, on the context's loop */
    void *context;                               /* the caller's */
    struct trace *trace;                         /* the caller's, query/trace.h; NULL: not traced */
    void *state;                                 /* query/'s own, in the arena */
};

/* What clients are warned of or refused at; 0: never. The names are those of the server's options. */
struct query_thresholds {
    uint64_t tombstone_warn, tombstone_fail;     /* passed by one read */
    uint64_t batch_warn_bytes, batch_fail_bytes; /* of several partitions */
    uint64_t batch_warn_partitions;              /* unlogged */
};
extern const struct query_thresholds query_thresholds_default; /* Cassandra's */

struct query_options {
    struct catalog *catalog;
    struct table_space *space;
    const struct keys *keys;     /* borrowed: MAC over paging states (KEYS_PAGING); NULL: a key of this process only */
    uint64_t prepared_bytes_max; /* of the shared cache; 0: default 64 MiB */
    uint32_t page_rows_max;      /* unpaged results end with an error past these */
    uint64_t page_bytes_max;
    uint64_t row_cache_bytes;                  /* of each context that may not wait: rows it read lately; 0: none */
    const struct query_thresholds *thresholds; /* copied; NULL: the default */
};

struct query_engine *query_engine_new(const struct query_options *options);
void query_engine_free(struct query_engine *engine);
/* For requests that begin later. Any thread. */
void query_engine_set_thresholds(struct query_engine *engine, const struct query_thresholds *thresholds);

/* may_wait: a worker's context. Its port is the context's own; a loop polls table_port_fd(query_context_port()). */
struct query_context *query_context_new(struct query_engine *engine, bool may_wait);
void query_context_free(struct query_context *context);
struct table_port *query_context_port(struct query_context *context);

/* Appends the body of the reply to `out` (RESULT; its opcode is always RESULT when error.status is OK). DDL waits for the disk:
 * on a loop it answers QUERY_WAITS. */
enum query_result query_run(struct query_context *context, struct query_request *request, struct buffer *out);
/* After each QUERY_PENDING, when `done` was called: appends the body, or leaves request.error set, and gives back what the request held.
 * `out` NULL: nobody hears the answer, and nothing is begun again. */
enum query_result query_finish(struct query_context *context, struct query_request *request, struct buffer *out);

/* What kind of statement a request is, without a name or value: for logs. */
struct query_shape {
    uint8_t statement
        [16]; /* the MD5 of the text without its literals: of a prepared text that has none, and no keyspace of a
                                 session, its id */
    uint32_t statement_count; /* of a batch; the shape is its first one's */
    struct bytes text;        /* cql/shape.h; in the request's arena */
};
/* After query_run (done or not): costs a pass over the text. The context is one that the caller may use. */
void query_shape(struct query_context *context, const struct query_request *request, struct query_shape *shape);

/* What owners add with: table_space_options.sum. */
enum status query_sum(struct arena *arena, const struct type *type, struct bytes left, struct bytes right,
                      struct bytes *sum, struct error *err);

struct query_stats {
    uint64_t prepared_count, prepared_bytes, prepared_evicted;
};
void query_engine_stats(struct query_engine *engine, struct query_stats *stats);

#endif
