/* Engines and contexts are made and freed here. The engine holds what all threads share: the
 * catalog, the table space, the cache of prepared statements, thresholds. A context holds
 * what one thread uses without a lock: its port to the owners, its view of the schema,
 * scratch buffers that keep their size from one request to the next so that a point read or
 * write asks malloc for nothing. */
#include "query/engine.h"

#include "query/context.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>

enum {
    PAGE_WORK_MAX = 1000000000, /* of plan/work.h: about a second */
    CHUNK_ROWS_DEFAULT = 5000,
};

/* The defaults of cassandra.yaml 5.0: tombstone_warn_threshold, tombstone_failure_threshold,
 * batch_size_warn_threshold (5 KiB), batch_size_fail_threshold (50 KiB), and
 * unlogged_batch_across_partitions_warn_threshold. */
const struct query_thresholds query_thresholds_default = {
    .tombstone_warn = 1000,
    .tombstone_fail = 100000,
    .batch_warn_bytes = 5 << 10,
    .batch_fail_bytes = 50 << 10,
    .batch_warn_partitions = 10,
};

/* Each number is stored by itself: a request that runs meanwhile may see some old and some
 * new ones, which does no harm, as no two of them have to fit together. */
void query_engine_set_thresholds(struct query_engine *engine, const struct query_thresholds *thresholds)
{
    assert(engine && thresholds);
    atomic_store_explicit(&engine->tombstone_warn, thresholds->tombstone_warn, memory_order_relaxed);
    atomic_store_explicit(&engine->tombstone_fail, thresholds->tombstone_fail, memory_order_relaxed);
    atomic_store_explicit(&engine->batch_warn_bytes, thresholds->batch_warn_bytes, memory_order_relaxed);
    atomic_store_explicit(&engine->batch_fail_bytes, thresholds->batch_fail_bytes, memory_order_relaxed);
    atomic_store_explicit(&engine->batch_warn_partitions, thresholds->batch_warn_partitions, memory_order_relaxed);
}

/* Whoever made the change, by CQL or not. Prepared statements that it made unfit are forgotten at once:
 * else they would keep dropped definitions until somebody uses them. What is new cannot make an old
 * plan unfit. */
static void schema_changed(struct catalog_listener *listener, struct catalog_account *account,
                           const struct ddl_change *change)
{
    struct query_engine *engine = CONTAINER_OF(listener, struct query_engine, listener);
    struct schema *schema;

    assert(change->happened);
    if (change->action == DDL_CREATED)
        return;
    schema = catalog_ref_schema(engine->catalog, account);
    prepared_forget_unfit(engine->cache, account, schema);
    schema_unref(schema);
}

struct query_engine *query_engine_new(const struct query_options *options)
{
    struct query_engine *engine = xcalloc(1, sizeof(*engine));

    assert(options->catalog && options->space);
    engine->catalog = options->catalog;
    engine->space = options->space;
    engine->keys = options->keys;
    engine->page_rows_max = options->page_rows_max;
    engine->chunk_rows = options->chunk_rows ? options->chunk_rows : CHUNK_ROWS_DEFAULT;
    engine->page_bytes_max = options->page_bytes_max;
    engine->page_work_max = PAGE_WORK_MAX;
    engine->row_cache_bytes = options->row_cache_bytes;
    query_engine_set_thresholds(engine, options->thresholds ? options->thresholds : &query_thresholds_default);
    engine->cache = prepared_cache_new(options->prepared_bytes_max);
    /* Both keys are of this process. The first keeps clients from choosing keys that collide
     * in hash tables; the second signs paging states where there are no keys of keys/ to do
     * it. */
    hash_key_random(&engine->hash_key);
    if (RAND_bytes(engine->mac_key, MAC_KEY_BYTES) != 1)
        abort();
    engine->listener.changed = schema_changed;
    catalog_listen(engine->catalog, &engine->listener);
    return engine;
}

/* All contexts are freed before: their lookasides hold references to prepared statements. */
void query_engine_free(struct query_engine *engine)
{
    if (!engine)
        return;
    catalog_unlisten(engine->catalog, &engine->listener);
    prepared_cache_free(engine->cache);
    free(engine);
}

/* Only a loop's context keeps rows that it read: a worker is there for what memory does not
 * have. */
struct query_context *query_context_new(struct query_engine *engine, bool may_wait)
{
    struct query_context *context = xcalloc(1, sizeof(*context));

    assert(engine && engine->cache);
    context->engine = engine;
    context->may_wait = may_wait;
    context->port = table_port_open(engine->space);
    assert(context->port);
    if (!may_wait)
        table_port_keep_rows(context->port, engine->row_cache_bytes);
    prepared_lookaside_init(&context->lookaside);
    uuid_source_init(&context->uuids);
    return context;
}

/* The port closes last: what the view and the lookaside let go of does not need it, but a
 * request that is still pending would, and there must be none. */
void query_context_free(struct query_context *context)
{
    if (!context)
        return;
    prepared_lookaside_fini(&context->lookaside);
    buffer_pool_fini(&context->buffers);
    buffer_fini(&context->scratch);
    buffer_fini(&context->key_scratch);
    buffer_fini(&context->last_key);
    buffer_fini(&context->last_clustering);
    buffer_fini(&context->next_clustering);
    catalog_view_fini(&context->view);
    table_port_close(context->port);
    free(context);
}

struct table_port *query_context_port(struct query_context *context)
{
    return context->port;
}

void query_engine_stats(struct query_engine *engine, struct query_stats *stats)
{
    prepared_stats(engine->cache, &stats->prepared_count, &stats->prepared_bytes, &stats->prepared_evicted);
}
