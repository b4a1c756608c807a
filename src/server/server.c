#include "server/server.h"

#include "catalog/catalog.h"
#include "catalog/format.h"
#include "keys/keys.h"
#include "query/query.h"
#include "server/admin/at_rest.h"
#include "server/ballast.h"
#include "server/native/clients.h"
#include "server/admin/control.h"
#include "server/http.h"
#include "server/memory.h"
#include "server/native/loop.h"
#include "server/admin/operate.h"
#include "server/step.h"
#include "server/admin/sweeper.h"
#include "store/cold.h"
#include "store/files/files.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"
#include "table/table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOPS_MAX = 16, /* by default; more only if asked */
    WORKER_QUEUE_MAX = 4096,
    WORKER_NICENESS = 10, /* long reads run there: loops and owners go first where processors are short */
    FILES_BESIDE_CONNECTIONS = 2048,
    FILES_PER_LOOP = 4,
    FILES_LEAST = 64, /* without which nothing is begun */
    CACHE_BYTES_MIN = 16 << 20,
    WRITE_BUFFER_BYTES_MAX = 256 << 20, /* the store's own default */
    INPUT_BYTES_BESIDE = 1 << 20,
    INPUT_BYTES_MAX = 256 << 20, /* by default */
    REQUEST_PER_FRAME = 4,       /* a request takes more than the frame it came in */
    SHARES = 4,                  /* connections that fill what a loop's requests may hold */
};

struct server {
    struct clock_ahead clock;      /* all of the server is given it */
    const struct options *options; /* borrowed */
    int lock_fd;                   /* DIR/LOCK, -1: none */
    struct keys *keys;             /* owned, as all below */
    const struct store_ops *store;
    void *environment;
    struct catalog *catalog;
    struct catalog_listener listener;
    struct table_space *space;
    bool catalog_is_open;
    struct query_engine *engine;
    struct native_service service;
    struct clients clients;
    struct slow_log slow_log;
    struct sweeper_view sweeper;
    struct control_view tasks;
    struct control *control;
    struct http *http;
    struct sockaddr_storage address;
    struct sockaddr_storage advertised; /* what system.local says, but for the port */
};

/* ---- the data directory ---- */

/* The name of a directory is part of the one above, which is synced as well: else power loss could take all that was acknowledged. */
static enum status make_directory(const char *path, struct error *err)
{
    struct file_system *files = file_system_posix();
    const char *slash = strrchr(path, '/');
    enum status status;
    char *above;

    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? OK : error_set_os(err, errno, "cannot make the data directory %s", path);
    above = !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
    status = files->ops->sync_directory(files, above, err);
    free(above);
    return status;
}

static enum status make_directories(const char *path, struct error *err)
{
    char *copy = xstrdup(path);
    enum status status = OK;

    for (char *at = copy + 1; !status; at++) {
        bool is_end = *at == '\0';

        if (!is_end && *at != '/')
            continue;
        *at = '\0';
        status = make_directory(copy, err);
        if (is_end)
            break;
        *at = '/';
    }
    free(copy);
    return status;
}

static enum status lock_directory(struct server *server, struct error *err)
{
    const char *data = server->options->data;
    struct stat facts;
    char *path;

    if (data[0] == '\0')
        return error_set(err, ERR_CONFIG, "--data is empty");
    if (stat(data, &facts) == 0 && !S_ISDIR(facts.st_mode))
        return error_set(err, ERR_CONFIG, "%s is not a directory", data);
    if (make_directories(data, err))
        return err->status;
    if (access(data, R_OK | W_OK | X_OK) < 0)
        return error_set_os(err, errno, "cannot use the data directory %s", data);
    path = xmalloc(strlen(data) + sizeof("/LOCK"));
    strcat(strcpy(path, data), "/LOCK");
    server->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (server->lock_fd < 0)
        return error_set_os(err, errno, "cannot lock the data directory %s", data);
    if (flock(server->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, ERR_CONFIG, "the data directory %s is in use by another process", data);
    if (at_rest_has(data, RESTORE_MARK))
        return error_set(err, ERR_CONFIG, "a restore into %s did not end: remove it, and restore again", data);
    return OK;
}

/* ---- what threads and connections need ---- */

/* Three loops for four cores: the rest is for owners, which sync, and for compaction. On two cores one loop answers more reads and
 * writes than two, and with less CPU for each (docs/performance.md). */
static uint32_t loop_count(const struct options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (options->loops)
        return (uint32_t)options->loops;
    cores -= (cores + 3) / 4;
    if (cores < 1)
        cores = 1;
    return cores < LOOPS_MAX ? (uint32_t)cores : LOOPS_MAX;
}

/* The store's files, a client of each kind; and what loops (epoll, two eventfds, a listener) and workers (an eventfd) take. */
static uint64_t files_beside_connections(const struct options *options)
{
    return FILES_BESIDE_CONNECTIONS + FILES_PER_LOOP * loop_count(options) + options->workers;
}

/* As many descriptors as connections need, or as many connections as descriptors allow: the store must always find one.
 */
static uint64_t connections_of_files(const struct options *options)
{
    uint64_t beside = files_beside_connections(options);
    struct rlimit limit;
    rlim_t wanted = (rlim_t)(options->connections + beside);

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return options->connections;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return options->connections;
    return limit.rlim_cur > 2 * beside ? limit.rlim_cur - beside : limit.rlim_cur / 2;
}

/* Threads take descriptors before there is anybody to tell that none is left. */
static enum status check_files(struct server *server, struct error *err)
{
    uint64_t threads = files_beside_connections(server->options) - FILES_BESIDE_CONNECTIONS;
    struct rlimit limit;

    connections_of_files(server->options); /* raises the limit */
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= threads + FILES_LEAST)
        return OK;
    return error_set(err, ERR_CONFIG,
                     "--loops and --workers take %llu file descriptors, and the store %d more: the limit is %llu",
                     (unsigned long long)threads, FILES_LEAST, (unsigned long long)limit.rlim_cur);
}

/* ---- storage ---- */

static void log_of_store(void *context, enum store_log_level level, const char *message)
{
    log_write(level == STORE_LOG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "store", "%s", message);
}

/* What tests switch off to show that they would notice: only in a binary of their own (build/helenus-switches), never in
 * the one that is shipped. */
static bool test_switch(const char *name)
{
#ifdef HELENUS_TEST_SWITCHES
    const char *value = getenv(name);

    return value && strcmp(value, "1") == 0;
#else
    return false;
#endif
}

static bool is_memory(const struct server *server)
{
    return strcmp(server->options->store, "memory") == 0;
}

static enum status open_keys(struct server *server, struct error *err)
{
    const struct options *options = server->options;

    if (options->key_file)
        return keys_open_file(options->key_file, &server->keys, err);
    if (is_memory(server))
        return OK;
    if (options->dev)
        return keys_open_directory(options->data, !format_holds_data(options->data), &server->keys, err);
    return error_set(err, ERR_CONFIG, "--key-file is needed without --dev");
}

static uint64_t memory_bytes(void)
{
    return memory_given("", (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

/* An eighth of the memory: filled as blocks are read, so an idle server doesn't have it. */
static uint64_t cache_bytes(const struct options *options)
{
    uint64_t eighth = memory_bytes() / 8;

    if (options->cache_bytes)
        return options->cache_bytes;
    return eighth > CACHE_BYTES_MIN ? eighth : CACHE_BYTES_MIN;
}

static uint64_t row_cache_bytes(const struct options *options)
{
    return cache_bytes(options) / 100 * options->row_cache_percent;
}

/* A quarter of a small memory, which is all the same the store's default of a large one; 0: that. */
static uint64_t write_buffer_bytes(const struct options *options)
{
    uint64_t quarter = memory_bytes() / 4;

    if (options->write_buffer_bytes)
        return options->write_buffer_bytes;
    return quarter < WRITE_BUFFER_BYTES_MAX ? quarter : 0;
}

/* NULL: the machine's. */
static struct file_system *test_files(void)
{
#ifdef HELENUS_TEST_SWITCHES
    const char *directory =
        getenv("HELENUS_TEST_STALL"); /* it stands still while there is a file of its name and ".stalled" */
    char control[PATH_MAX];

    if (directory) {
        snprintf(control, sizeof(control), "%s.stalled", directory);
        return stalling_new(file_system_posix(), directory, control);
    }
#endif
    return NULL;
}

/* The body itself, or as if what it holds were on the disk alone: HELENUS_TEST_COLD=3 refuses one in three reads that may not wait. */
static const struct store_ops *tested(const struct store_ops *body)
{
#ifdef HELENUS_TEST_SWITCHES
    const char *one_in = getenv("HELENUS_TEST_COLD");

    if (one_in && atoi(one_in) > 0)
        return cold_over(body, (unsigned)atoi(one_in));
#endif
    return body;
}

static enum status open_environment(struct server *server, struct error *err)
{
    struct store_environment_options environment = {
        .cache_bytes = cache_bytes(server->options) - row_cache_bytes(server->options),
        .write_buffer_bytes = write_buffer_bytes(server->options),
        .files = test_files(),
        .keys = server->keys,
        .log = log_of_store,
        .now_us = clock_now_us,
        .now_context = &server->clock,
        .test_plain = test_switch("HELENUS_TEST_PLAINTEXT"),
        .test_no_sync = test_switch("HELENUS_TEST_NO_SYNC"),
    };

    server->store = tested(is_memory(server) ? &store_memory_ops : &store_rocksdb_ops);
    return server->store->environment_open(&environment, &server->environment, err);
}

static bool wants_password(const struct options *options)
{
    return strcmp(options->auth, "password") == 0;
}

/* What system.local tells: what we were told to tell, else an address clients can use, also where we listen on all of them. */
static void own_address(const struct server *server, struct catalog_options *catalog)
{
    static const uint8_t any[16], loopback[] = { 127, 0, 0, 1 };
    uint8_t size = listener_address_bytes((const struct sockaddr *)&server->advertised, catalog->address);

    catalog->cql_port = (uint16_t)server_cql_port(server);
    catalog->address_is_ipv6 = size == 16;
    if (memcmp(catalog->address, any, size) != 0)
        return;
    if (size == 16)
        catalog->address[15] = 1;
    else
        memcpy(catalog->address, loopback, sizeof(loopback));
}

static enum status open_catalog(struct server *server, struct error *err)
{
    struct catalog_options options = {
        .directory = is_memory(server) ? NULL : server->options->data,
        .region = server->options->region,
        .wants_password = wants_password(server->options),
        .now_us = clock_now_us,
        .clock = &server->clock,
    };
    enum status status;

    own_address(server, &options);
    status = catalog_new(&options, &server->catalog, err);
    if (!status)
        status = catalog_register(server->catalog, clients_create_table, &server->clients.table, err);
    if (!status)
        status = catalog_register(server->catalog, sweeper_create_table, &server->sweeper.table, err);
    return status ? status : catalog_register(server->catalog, control_create_table, &server->tasks.table, err);
}

static enum status open_space(struct server *server, struct error *err)
{
    struct table_space_options options = {
        .directory = is_memory(server) ? NULL : server->options->data,
        .shard_count = (uint32_t)server->options->shards,
        .store = server->store,
        .store_environment = server->environment,
        .table_by_id = catalog_table_by_id,
        .context = server->catalog,
        .now_us = clock_now_us,
        .clock = &server->clock,
        .sum = query_sum,
        .port_count_max = loop_count(server->options) + (uint32_t)server->options->workers,
#ifdef HELENUS_TEST_SWITCHES
        .reached = step_reached,
#endif
    };
    enum status status = table_space_open(&options, &server->space, err);

    if (status)
        return status;
    status = catalog_open(server->catalog, server->space, err);
    server->catalog_is_open = !status;
    if (status)
        return status;
    server->sweeper.space = server->space;
    status = table_space_finish_batches(server->space, err); /* every definition is known from here on */
    if (!status)
        table_space_start_sweeping(server->space);
    return status;
}

/* ---- schema events ---- */

static void schema_changed(struct catalog_listener *listener, const struct ddl_change *change)
{
    static const enum native_change changes[] = {
        [DDL_CREATED] = NATIVE_CREATED, [DDL_UPDATED] = NATIVE_UPDATED, [DDL_DROPPED] = NATIVE_DROPPED
    };
    static const enum native_target targets[] = {
        [DDL_KEYSPACE] = NATIVE_TARGET_KEYSPACE, [DDL_TABLE] = NATIVE_TARGET_TABLE, [DDL_TYPE] = NATIVE_TARGET_TYPE
    };
    struct server *server = CONTAINER_OF(listener, struct server, listener);
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct native_schema_change event = { .change = changes[change->action],
                                          .target = targets[change->target],
                                          .keyspace = change->keyspace,
                                          .name = change->name };

    if (!change->happened)
        return;
    native_encode_event_schema(&body, &event);
    native_service_broadcast(&server->service, NATIVE_EVENT_SCHEMA, buffer_bytes(&body));
}

/* ---- serving ---- */

/* A loop's part of what unfinished requests may hold. One request that is allowed must always fit, in a buffer that doubles as it
 * comes. */
static size_t input_bytes_of_loop(const struct options *options, uint32_t loops)
{
    uint64_t sixteenth = memory_bytes() / 16, all = options->input_bytes, part, least;

    if (!all)
        all = sixteenth < INPUT_BYTES_MAX ? sixteenth : INPUT_BYTES_MAX;
    part = all / loops;
    least = 3 * options->frame_bytes + INPUT_BYTES_BESIDE;
    return part > least ? part : least;
}

static size_t request_bytes_of_loop(const struct options *options, uint32_t loops)
{
    uint64_t part = (options->request_bytes ? options->request_bytes : memory_bytes() / 8) / loops;
    uint64_t least = REQUEST_PER_FRAME * options->frame_bytes + INPUT_BYTES_BESIDE;

    return part > least ? part : least;
}

static size_t request_bytes_of_connection(const struct options *options, uint32_t loops)
{
    uint64_t part = request_bytes_of_loop(options, loops) / SHARES;
    uint64_t least = REQUEST_PER_FRAME * options->frame_bytes + INPUT_BYTES_BESIDE;

    return part > least ? part : least;
}

static struct native_limits limits_of(const struct options *options, uint32_t loops)
{
    return (struct native_limits){
        .connections_max = (uint32_t)connections_of_files(options),
        .frame_bytes_max = (uint32_t)options->frame_bytes,
        .requests_in_flight_max = (uint32_t)options->requests_in_flight,
        .waits_in_flight_max = (uint32_t)options->requests_waiting,
        .output_bytes_max = options->output_bytes,
        .input_bytes_max = input_bytes_of_loop(options, loops),
        .request_bytes_max = request_bytes_of_loop(options, loops),
        .share_bytes_max = request_bytes_of_connection(options, loops),
        .startup_us = (int64_t)options->startup_timeout_s * 1000000,
        .stall_us = (int64_t)options->stall_timeout_s * 1000000,
        .drain_us = (int64_t)options->drain_timeout_s * 1000000,
        .slow_us = (int64_t)options->slow_query_ms * 1000,
    };
}

static struct query_thresholds thresholds_of(const struct options *options)
{
    return (struct query_thresholds){
        .tombstone_warn = options->tombstone_warn,
        .tombstone_fail = options->tombstone_fail,
        .batch_warn_bytes = options->batch_warn_bytes,
        .batch_fail_bytes = options->batch_fail_bytes,
        .batch_warn_partitions = options->batch_warn_partitions,
    };
}

static enum status open_loops(struct server *server, struct error *err)
{
    uint32_t count = loop_count(server->options);

    server->service.limits = limits_of(server->options, count);
    server->service.wants_password = wants_password(server->options);
    server->service.loops = xcalloc(count, sizeof(*server->service.loops));
    for (uint32_t i = 0; i < count; i++) {
        enum status status = native_loop_open(&server->service, &server->address, &server->service.loops[i], err);

        if (status)
            return status;
        server->service.loop_count++;
    }
    return OK;
}

static enum status open_query(struct server *server, struct error *err)
{
    enum status status;
    struct query_thresholds thresholds = thresholds_of(server->options);
    struct query_options query = {
        .catalog = server->catalog,
        .space = server->space,
        .keys = server->keys,
        .prepared_bytes_max = server->options->prepared_bytes,
        .page_rows_max = (uint32_t)server->options->page_rows,
        .page_bytes_max = server->options->page_bytes,
        .row_cache_bytes = row_cache_bytes(server->options) / loop_count(server->options),
        .thresholds = &thresholds,
    };
    struct workers_options workers = {
        .count = (uint32_t)server->options->workers,
        .group_count = 1 + table_space_shard_count(server->space),
        .queue_jobs_max = WORKER_QUEUE_MAX,
        .thread_name = "worker",
        .niceness = WORKER_NICENESS,
        .spares_processor = true,
        .start = native_worker_start,
        .stop = native_worker_stop,
    };

    server->engine = query_engine_new(&query);
    server->service.engine = server->engine;
    workers.context = server->engine;
    status = workers_new(&workers, &server->service.workers, err);
    return status ? status : open_loops(server, err);
}

/* ---- HTTP ---- */

/* What the server's own memory did not have: the system's, or the disk. */
static void show_reads(struct server *server, struct buffer *out)
{
    struct store_counts counts = { 0 };
    uint64_t cold_writes = 0;

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

static void show_metrics(void *context, struct buffer *out)
{
    struct server *server = context;
    struct metrics sum = { 0 };
    struct query_stats stats = { 0 };
    struct row_cache_use rows;

    for (uint32_t i = 0; i < server->service.loop_count; i++) {
        struct native_loop *loop = server->service.loops[i];

        metrics_sum(&sum, &loop->metrics);
        sum.bytes_in += __atomic_load_n(&loop->budget.bytes_in, __ATOMIC_RELAXED);
        sum.bytes_out += __atomic_load_n(&loop->budget.bytes_out, __ATOMIC_RELAXED);
    }
    metrics_print(out, &sum);
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
    sweeper_print_metrics(&server->sweeper, out);
}

/* A server that takes no writes is alive and not well: reads go on, but whoever balances load should know. */
static bool show_health(void *context, struct buffer *out)
{
    struct server *server = context;
    uint32_t refusing = 0;

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

static enum status open_control(struct server *server, struct error *err)
{
    struct control_options options = {
        .directory = server->options->data,
        .space = server->space,
        .catalog = server->catalog,
        .view = &server->tasks,
        .clock = &server->clock,
        .may_advance = server->options->dev,
    };

    return control_open(&options, &server->control, err);
}

static enum status open_http(struct server *server, struct error *err)
{
    struct http_callbacks callbacks = { .metrics = show_metrics, .health = show_health, .context = server };
    struct sockaddr_storage address;
    enum status status;

    if (server->options->http_port == 0)
        return OK;
    status = listener_parse(server->options->listen, (uint16_t)server->options->http_port, &address, err);
    return status ? status : http_open(&address, &callbacks, &server->http, err);
}

/* ---- life ---- */

/* Says which port, which the kernel does not. */
static enum status check_ports(struct server *server, struct error *err)
{
    const struct options *options = server->options;
    enum status status = listener_parse(options->listen, (uint16_t)options->cql_port, &server->address, err);

    if (status)
        return error_set(err, ERR_CONFIG, "--listen: %s is not an IPv4 or IPv6 address", options->listen);
    if (listener_parse(options->rpc_address ? options->rpc_address : options->listen, 0, &server->advertised, err))
        return error_set(err, ERR_CONFIG, "--rpc-address: %s is not an IPv4 or IPv6 address", options->rpc_address);
    if (options->dev && !options->dev_remote && !listener_is_loopback(&server->address))
        return error_set(err, ERR_CONFIG,
                         "--dev accepts any credentials and listens to this machine only: with --listen %s say "
                         "--dev-remote too if others may read and write everything",
                         options->listen);
    if (listener_probe(&server->address, err))
        return error_set(err, err->status, "cannot listen for CQL on %s:%llu: %s", options->listen,
                         (unsigned long long)options->cql_port, strerror(err->os_errno));
    return OK;
}

/* HTTP comes last, so that /health speaks for all the rest; but its port is looked at before the data is touched. */
static enum status check_http_port(struct server *server, struct error *err)
{
    struct sockaddr_storage address;
    const struct options *options = server->options;

    if (options->http_port == 0)
        return OK;
    if (listener_parse(options->listen, (uint16_t)options->http_port, &address, err) || listener_probe(&address, err))
        return error_set(err, err->status, "cannot listen for HTTP on %s:%llu: %s", options->listen,
                         (unsigned long long)options->http_port, strerror(err->os_errno));
    return OK;
}

static void close_all(struct server *server);

static enum status start_loops(struct server *server, struct error *err)
{
    struct native_service *service = &server->service;
    enum status status = OK;
    uint32_t started = 0;

    catalog_listen(server->catalog, &server->listener);
    while (!status && started < service->loop_count) {
        status = native_loop_start(service->loops[started], started, err);
        started += !status;
    }
    if (!status)
        return OK;
    for (uint32_t i = 0; i < started; i++)
        native_loop_drain(service->loops[i]);
    for (uint32_t i = 0; i < started; i++)
        native_loop_join(service->loops[i]);
    catalog_unlisten(server->catalog, &server->listener);
    return status;
}

enum status server_open(const struct options *options, struct server **result, struct error *err)
{
    struct server *server = xcalloc(1, sizeof(*server));
    static enum status (*const steps[])(struct server *, struct error *) = {
        check_files,  check_ports, check_http_port, lock_directory, open_keys, open_environment,
        open_catalog, open_space,  open_query,      open_control,   open_http,
    };
    uint64_t ballast = 0;
    enum status status = OK;

    clock_ahead_init(&server->clock);
    server->service.clock = &server->clock.base;
    server->options = options;
    server->lock_fd = -1;
    server->listener.changed = schema_changed;
    clients_init(&server->clients);
    sweeper_view_init(&server->sweeper);
    control_view_init(&server->tasks);
    server->service.clients = &server->clients;
    server->service.slow_log = &server->slow_log;
    slow_log_open(&server->slow_log, (uint32_t)options->slow_query_lines);
    for (size_t i = 0; !status && i < ARRAY_SIZE(steps); i++) {
        if ((steps[i] == lock_directory || steps[i] == open_control) && is_memory(server))
            continue;
        status = steps[i](server, err);
        if (!status && steps[i] == lock_directory)
            ballast = ballast_release(options->data);
    }
    if (server->space && !is_memory(server))
        ballast_take(options->data, ballast, table_space_shard_count(server->space));
    else if (ballast)
        ballast_take(options->data, ballast, 0);
    if (!status)
        status = start_loops(server, err);
    if (status) {
        if (http_close(server->http))
            close_all(server);
        return status;
    }
    log_info("server", "serving loops=%u shards=%u workers=%llu connections_max=%u", server->service.loop_count,
             table_space_shard_count(server->space), (unsigned long long)options->workers,
             server->service.limits.connections_max);
    *result = server;
    return OK;
}

void server_reload(struct server *server)
{
    struct native_limits limits = limits_of(server->options, server->service.loop_count);
    struct query_thresholds thresholds = thresholds_of(server->options);
    enum log_level level;

    if (log_level_parse(server->options->log_level, &level))
        log_set_level(level);
    if (limits.connections_max < server->options->connections)
        log_warn("server", "descriptors allow fewer connections connections_max=%u", limits.connections_max);
    atomic_store(&server->slow_log.lines_per_s, (uint32_t)server->options->slow_query_lines);
    query_engine_set_thresholds(server->engine, &thresholds);
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        native_loop_set_limits(server->service.loops[i], &limits);
}

/* Without HTTP, which looks at all of it. */
static void close_all(struct server *server)
{
    control_close(server->control);
    workers_free(server->service.workers);
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        native_loop_close(server->service.loops[i]);
    free(server->service.loops);
    if (server->engine)
        query_engine_free(server->engine);
    if (server->catalog_is_open)
        catalog_close(server->catalog);
    if (server->space)
        table_space_close(server->space);
    if (server->catalog)
        catalog_free(server->catalog);
    if (server->environment)
        server->store->environment_close(server->environment);
    if (server->keys)
        keys_close(server->keys);
    if (server->lock_fd >= 0)
        close(server->lock_fd);
    clients_fini(&server->clients);
    control_view_fini(&server->tasks);
    slow_log_close(&server->slow_log);
    free(server);
}

bool server_close(struct server *server)
{
    bool all_ended = true;

    log_info("server", "stopping connections=%u", atomic_load(&server->service.connection_count));
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        native_loop_drain(server->service.loops[i]);
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        all_ended &= native_loop_join(server->service.loops[i]);
    if (!all_ended) {
        log_error("server", "requests did not end in time");
        return false;
    }
    catalog_unlisten(server->catalog, &server->listener);
    if (!http_close(server->http))
        return false;
    close_all(server);
    log_info("server", "stopped");
    return true;
}

const char *server_host(const struct server *server)
{
    return server->options->listen;
}

bool server_is_exposed(const struct server *server)
{
    return server->options->dev && !listener_is_loopback(&server->address);
}

unsigned server_cql_port(const struct server *server)
{
    return listener_port((const struct sockaddr *)&server->address);
}

unsigned server_http_port(const struct server *server)
{
    return (unsigned)server->options->http_port;
}
