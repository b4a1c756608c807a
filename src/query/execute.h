/* query/execute.h: what the executing files share: the engine, a context, and one execution of one plan.
 *
 * Owns:    a context's scratch memory is reused by its next request; an execution lives on the stack of query_run.
 * Thread:  the engine is shared; everything else belongs to the context's thread.
 */
#ifndef QUERY_EXECUTE_H
#define QUERY_EXECUTE_H

#include "base/hash.h"
#include "catalog/catalog.h"
#include "query/buffer_pool.h"
#include "plan/plan.h"
#include "query/prepared.h"
#include "query/query.h"

#include <stdatomic.h>

enum { MAC_KEY_BYTES = 32, STATEMENT_SHOWN_BYTES = 800 /* of a text in warnings and events */ };

struct query_engine {
    struct catalog *catalog;
    struct table_space *space;
    uint32_t page_rows_max;
    uint64_t page_bytes_max;
    uint64_t row_cache_bytes;
    /* of struct query_thresholds */
    _Atomic uint64_t tombstone_warn, tombstone_fail, batch_warn_bytes, batch_fail_bytes, batch_warn_partitions;
    struct prepared_cache *cache;   /* owned */
    const struct keys *keys;        /* borrowed; NULL: mac_key */
    uint8_t mac_key[MAC_KEY_BYTES]; /* of paging states; made at start */
    struct hash_key hash_key;       /* of tables whose keys clients choose */
};

struct query_context {
    struct query_engine *engine;
    bool may_wait;
    struct table_port *port; /* owned */
    struct catalog_view view;
    struct prepared_lookaside lookaside;
    struct uuid_source uuids;
    uint64_t last_prepend_ticks;
    struct buffer_pool buffers;              /* of commands */
    struct buffer scratch;                   /* of one row's values */
    struct buffer key_scratch;               /* of one key while it is encoded */
    struct buffer last_key, last_clustering; /* where a read stands */
    struct buffer next_clustering;           /* where its next chunk begins */
};

struct execution {
    struct query_context *context;
    struct query_request *request;
    const struct plan *plan;
    struct prepared **prepared; /* whose plans are executed; borrowed while query_run lasts */
    uint32_t prepared_count;
    struct prepared *only_prepared; /* of EXECUTE */
    const struct schema *schema;
    const struct native_parameters *parameters;
    struct buffer *out;
    struct error *err;
    struct eval eval;
    uint8_t version;             /* of the protocol */
    struct bytes keyspace;       /* of names that have none; NULL data: there is none */
    struct bytes statement_text; /* for warnings */
};

/* Which threshold a number passes: as it stands now, 0: never. */
static inline bool is_past_threshold(const _Atomic uint64_t *threshold, uint64_t number)
{
    uint64_t limit = atomic_load_explicit(threshold, memory_order_relaxed);

    return limit && number > limit;
}

void execution_warn(struct query_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reads, or says that somebody who may wait must do it. */
enum status execution_read(struct execution *execution, const struct read_command *command, struct read_result *result);
/* QUERY_DONE with request.error, or QUERY_WAITS. */
enum query_result execution_failed(struct execution *execution, enum status status);

/* Rows of named columns that no table holds: DESCRIBE, [applied]. */
void execution_begin_rows(struct execution *execution, struct native_rows *rows, const struct native_column *columns,
                          uint32_t count, struct bytes paging_state);

/* Values of one multicell column, assembled to wire bytes appended to `out`. False: no live cell. */
bool assemble_collection(struct buffer *out, const struct type *type, const struct cell *cells, uint32_t count);

/* Binds of INSERT JSON: one per column of the table. */
enum status json_bind(const struct table_def *table, struct bytes json, bool default_unset, struct arena *arena,
                      struct bytes *values, struct error *err);

#endif
