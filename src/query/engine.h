/* query/engine.h: what runs statements: one query_engine per process, one query_context per loop and per worker.
 *
 * Owns:    an engine its cache of prepared statements, a context its port and its scratch memory. The catalog outlives the engine, which
 *          listens to it.
 * Thread:  the engine is shared; a context belongs to one thread.
 */
#ifndef QUERY_ENGINE_H
#define QUERY_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct catalog;
struct keys;
struct table_space;
struct table_port;
struct query_engine;
struct query_context;

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
    uint32_t chunk_rows;                       /* read at once; a longer page is put together of them. 0: the default */
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

struct query_stats {
    uint64_t prepared_count, prepared_bytes, prepared_evicted;
};
void query_engine_stats(struct query_engine *engine, struct query_stats *stats);

#endif
