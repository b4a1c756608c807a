/* What is counted here and there, gathered when somebody asks. Nothing is counted twice, and
 * nothing is counted for this alone: the numbers are their owners'. They are read without locks
 * while others write them, so sums are of no single moment. */
#include "server/show.h"

#include "api/api.h"
#include "net/tls.h"
#include "query/query.h"
#include "server/state.h"
#include "store/store.h"
#include "table/table.h"

#include <assert.h>

/* What the server's own memory did not have: the system's, or the disk. These tell whether a server
 * that is slow waits for its disk. */
static void show_reads(struct server *server, struct buffer *out)
{
    struct store_counts counts = { 0 };
    uint64_t cold_writes = 0;

    assert(server->store && server->environment && server->space);
    server->store->environment_counts(server->environment, &counts);
    for (uint32_t i = 0; i < table_space_shard_count(server->space); i++)
        cold_writes += table_space_cold_writes(server->space, i);
    metrics_print_value(out, "helenus_unreadable_rows_total", "counter", "Reads that met a row that can't be read.",
                        table_space_unreadable(server->space));
    metrics_print_value(out, "helenus_cold_writes_total", "counter",
                        "Conditions, counters and range deletions that waited for the disk.", cold_writes);
    metrics_print_value(out, "helenus_file_reads_at_once_total", "counter",
                        "Reads of files by who may not wait: the system had them in memory.", counts.reads_at_once);
    metrics_print_value(out, "helenus_file_reads_refused_total", "counter",
                        "Reads of files by who may not wait that would have: the request goes to a worker.",
                        counts.reads_refused);
    metrics_print_value(out, "helenus_file_reads_waiting_total", "counter",
                        "Reads of files by who may wait: workers, owners, flush and compaction.", counts.reads_waiting);
    metrics_print_value(out, "helenus_file_read_bytes_total", "counter", "Bytes read of files.", counts.read_bytes);
    metrics_print_value(out, "helenus_block_cache_bytes", "gauge", "Blocks of files in the server's memory.",
                        counts.cache_bytes);
    metrics_print_value(out, "helenus_block_cache_max_bytes", "gauge", "What they may take.", counts.cache_bytes_max);
    metrics_print_value(out, "helenus_block_cache_pinned_bytes", "gauge",
                        "Of these, filters and indexes of all files, which never make room.",
                        counts.cache_pinned_bytes);
}

/* Of all loops, and of the HTTP port, whose server counts into the same kind of struct. Reasons that
 * never came up are left out, as with errors of requests. When the certificate ends is told as a
 * time, so that an alarm can be set on it. */
static void show_tls(struct server *server, struct buffer *out)
{
    static const char *const versions[] = { "1.2", "1.3" };
    struct tls_counts sum = { 0 };

    for (uint32_t i = 0; i < server->service.loop_count; i++)
        tls_counts_add(&sum, &server->service.loops[i]->tls_counts);
    tls_counts_add(&sum, &server->http_tls_counts);
    buffer_append_string(out, "# HELP helenus_tls_handshakes_total TLS handshakes done, by version.\n"
                              "# TYPE helenus_tls_handshakes_total counter\n");
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        buffer_printf(out, "helenus_tls_handshakes_total{version=\"%s\"} %llu\n", versions[i],
                      (unsigned long long)sum.done[i]);
    metrics_print_value(out, "helenus_tls_resumed_total", "counter", "Of these, sessions resumed by a ticket.",
                        sum.resumed);
    buffer_append_string(out, "# HELP helenus_tls_failures_total TLS handshakes that failed, by reason.\n"
                              "# TYPE helenus_tls_failures_total counter\n");
    for (unsigned i = TLS_FAILURE_NONE + 1; i < TLS_FAILURES; i++)
        if (sum.failures[i])
            buffer_printf(out, "helenus_tls_failures_total{reason=\"%s\"} %llu\n",
                          tls_failure_name((enum tls_failure)i), (unsigned long long)sum.failures[i]);
    metrics_print_value(out, "helenus_tls_steps_waited_total", "counter",
                        "Steps of handshakes put off to a later turn, so that requests went first.", sum.waited);
    metrics_print_value(out, "helenus_tls_certificate_until_seconds", "gauge",
                        "When the certificate in use ends, in seconds since 1970.", (uint64_t)tls_until_s(server->tls));
}

/* As Prometheus reads it: names, kinds and help of metrics are part of what operators rely on. */
void show_metrics(void *context, struct buffer *out)
{
    struct server *server = context;
    struct metrics sum = { 0 };
    struct query_stats stats = { 0 };
    struct row_cache_use rows;

    assert(server->engine && server->catalog_is_open);
    for (uint32_t i = 0; i < server->service.loop_count; i++) {
        struct native_loop *loop = server->service.loops[i];

        metrics_sum(&sum, &loop->metrics);
        sum.bytes_in += __atomic_load_n(&loop->budget.bytes_in, __ATOMIC_RELAXED);
        sum.bytes_out += __atomic_load_n(&loop->budget.bytes_out, __ATOMIC_RELAXED);
    }
    metrics_print(out, &sum);
    metrics_print_value(out, "helenus_memory_given_back_total", "counter",
                        "Times that free memory went back to the system, after much of it was freed.",
                        atomic_load_explicit(&server->service.given_back_count, memory_order_relaxed));
    query_engine_stats(server->engine, &stats);
    metrics_print_value(out, "helenus_prepared_statements", "gauge", "Statements in the prepared cache.",
                        stats.prepared_count);
    metrics_print_value(out, "helenus_prepared_bytes", "gauge", "Bytes of the prepared cache.", stats.prepared_bytes);
    metrics_print_value(out, "helenus_prepared_evicted_total", "counter", "Statements that made room for others.",
                        stats.prepared_evicted);
    metrics_print_value(out, "helenus_worker_jobs", "gauge", "Requests at workers.",
                        workers_pending(server->service.workers));
    metrics_print_value(out, "helenus_workers", "gauge", "Threads that may wait for the disk for a request.",
                        server->options->workers);
    show_reads(server, out);
    metrics_print_value(out, "helenus_shards", "gauge", "Shards of this process.",
                        table_space_shard_count(server->space));
    table_space_row_cache(server->space, &rows);
    metrics_print_value(out, "helenus_row_cache_hits_total", "counter",
                        "Keys looked up that a loop had kept from an earlier read.", rows.found);
    metrics_print_value(out, "helenus_row_cache_misses_total", "counter",
                        "Keys looked up that the store was asked for.", rows.missed);
    metrics_print_value(out, "helenus_schema_changes_total", "counter",
                        "Versions of the schema since the data was made.", catalog_version(server->catalog));
    metrics_print_value(out, "helenus_tables_to_remove", "gauge",
                        "Dropped and truncated tables whose rows are still to be removed.",
                        catalog_removal_count(server->catalog));
    metrics_print_value(out, "helenus_slow_requests_total", "counter", "Requests that took slow-query-ms or longer.",
                        atomic_load(&server->slow_log.slow_count));
    if (server->tls)
        show_tls(server, out);
    sweeper_print_metrics(&server->sweeper, out);
    if (server->api)
        api_print_metrics(server->api, out);
}

/* A server that takes no writes is alive and not well: reads go on, but whoever balances load
 * should know. The text names shards, never tables. */
bool show_health(void *context, struct buffer *out)
{
    struct server *server = context;
    uint32_t refusing = 0;

    assert(server->space);
    for (uint32_t i = 0; i < table_space_shard_count(server->space); i++) {
        if (!table_space_refuses_writes(server->space, i))
            continue;
        buffer_printf(out, "shard %u refuses writes: the disk is full or failed; reads go on\n", i);
        refusing++;
    }
    if (!refusing)
        buffer_append_string(out, "ok\n");
    return !refusing;
}
