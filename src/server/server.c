/* Builds a server from the bottom up: directory, keys, store, catalog, tables, query, loops,
 * control, HTTP; each step says why it cannot. What was built is taken down in the other order,
 * also when a later step fails.
 *
 * The steps stand in one table (server_open), so that there is one order, and what a step relies on
 * is asserted in it. Nothing of the data is touched before the ports and the lock are ours. */
#include "server/server.h"

#include "api/api.h"
#include "base/random.h"
#include "catalog/format.h"
#include "catalog/job.h"
#include "control/control.h"
#include "control/gate.h"
#include "control/root.h"
#include "keys/keys.h"
#include "net/tls.h"
#include "server/admin/at_rest.h"
#include "server/ballast.h"
#include "server/directory.h"
#include "server/http.h"
#include "server/show.h"
#include "server/sizes.h"
#include "server/state.h"
#include "server/step.h"
#include "store/cold.h"
#include "store/files/files.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"

#include <assert.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WORKER_QUEUE_MAX = 4096,
    WORKER_NICENESS = 10, /* long reads run there: loops and owners go first where processors are short */
};

/* ---- what is needed before anything is opened ---- */

/* Descriptors run out far from where they were spent, so this is asked before anything is opened. */
static enum status check_files(struct server *server, struct error *err)
{
    return sizes_check_files(server->options, err);
}

/* Both families have their port in another place. */
static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

/* One context of TLS for all ports: what is reloaded is reloaded for each of them.
 *
 * Before anything of the data is touched: a certificate that does not fit is a slip of whoever
 * starts it. */
static enum status open_tls(struct server *server, struct error *err)
{
    static const char *const kinds[] = {
        [TLS_CLIENTS_NONE] = "none", [TLS_CLIENTS_OPTIONAL] = "optional", [TLS_CLIENTS_REQUIRED] = "required"
    };
    const struct options *options = server->options;
    struct tls_files files = { .certificate = options->tls_certificate,
                               .key = options->tls_key,
                               .client_ca = options->tls_client_ca };

    assert(!server->tls);
    if (!options->tls_certificate)
        return OK;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i], options->tls_clients) == 0)
            files.clients = (enum tls_clients)i;
    return tls_new(&files, &server->tls, err);
}

/* Nobody else has the directory from here on. */
static enum status lock_directory(struct server *server, struct error *err)
{
    return directory_lock(server->options->data, &server->lock_fd, err);
}

/* ---- storage ---- */

/* The engine's own words: they name files, and never what is in them. */
static void log_of_store(void *context, enum store_log_level level, const char *message)
{
    log_write(level == STORE_LOG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "store", "%s", message);
}

/* What tests switch off to show that they would notice: only in a binary of their own
 * (build/helenus-switches), never in the one that is shipped. */
static bool test_switch(const char *name)
{
#ifdef HELENUS_TEST_SWITCHES
    const char *value = getenv(name);

    return value && strcmp(value, "1") == 0;
#else
    return false;
#endif
}

/* Keeps nothing on a disk, so it has no directory, lock, keys or control socket. */
static bool is_memory(const struct server *server)
{
    return strcmp(server->options->store, "memory") == 0;
}

/* A new key is made only in developer mode, and only where nothing was encrypted yet. */
static enum status open_keys(struct server *server, struct error *err)
{
    const struct options *options = server->options;

    assert(!server->keys);
    if (options->key_file)
        return keys_open_file(options->key_file, &server->keys, err);
    if (is_memory(server))
        return OK;
    if (options->dev)
        return keys_open_directory(options->data, !format_holds_data(options->data), &server->keys, err);
    /* Without developer mode a key is never made. */
    return error_set(err, ERR_CONFIG, "--key-file is needed without --dev");
}

/* NULL: the machine's. */
static struct file_system *test_files(void)
{
#ifdef HELENUS_TEST_SWITCHES
    /* The disk stands still while there is a file of this name and ".stalled". */
    const char *directory = getenv("HELENUS_TEST_STALL");
    char admin[PATH_MAX];

    if (directory) {
        snprintf(admin, sizeof(admin), "%s.stalled", directory);
        return stalling_new(file_system_posix(), directory, admin);
    }
#endif
    return NULL;
}

/* The body itself, or as if what it holds were on the disk alone: HELENUS_TEST_COLD=3 refuses one
 * in three reads that may not wait. */
static const struct store_ops *tested(const struct store_ops *body)
{
#ifdef HELENUS_TEST_SWITCHES
    const char *one_in = getenv("HELENUS_TEST_COLD");

    if (one_in && atoi(one_in) > 0)
        return cold_over(body, (unsigned)atoi(one_in));
#endif
    return body;
}

/* One environment for all shards: they share the caches and the memory for writes. */
static enum status open_environment(struct server *server, struct error *err)
{
    struct store_environment_options environment = {
        /* The row cache's part is taken off: together they are what the operator allowed. */
        .cache_bytes = sizes_cache_bytes(server->options) - sizes_row_cache_bytes(server->options),
        .write_buffer_bytes = sizes_write_buffer_bytes(server->options),
        .files = test_files(),
        .keys = server->keys,
        .log = log_of_store,
        .clock = &server->clock.base,
        .test_plain = test_switch("HELENUS_TEST_PLAINTEXT"),
        .test_no_sync = test_switch("HELENUS_TEST_NO_SYNC"),
    };

    assert(!server->environment && (server->keys || is_memory(server)));
    server->store = tested(is_memory(server) ? &store_memory_ops : &store_rocksdb_ops);
    return server->store->environment_open(&environment, &server->environment, err);
}

/* The options' word for it; it was checked when they were read. */
static bool wants_password(const struct options *options)
{
    return strcmp(options->auth, "none") != 0;
}

/* Passwords are checked then, and what each role may: src/auth. With --dev it says who is who as well;
 * what developer mode has besides stays. */
static bool has_roles(const struct options *options)
{
    return strcmp(options->auth, "roles") == 0;
}

/* What system.local tells: what we were told to tell, else an address clients can use, also where
 * we listen on all of them. A driver connects to this address next. */
static void own_address(const struct server *server, struct catalog_options *catalog)
{
    static const uint8_t any[16], loopback[] = { 127, 0, 0, 1 };
    uint8_t size = listener_address_bytes((const struct sockaddr *)&server->advertised, catalog->address);

    catalog->cql_port = (uint16_t)(server_cql_port(server) ? server_cql_port(server) : server_cql_tls_port(server));
    catalog->address_is_ipv6 = size == 16;
    /* Of all addresses a client can use none: it is told of this machine's own. */
    if (memcmp(catalog->address, any, size) != 0)
        return;
    if (size == 16)
        catalog->address[15] = 1;
    else
        memcpy(catalog->address, loopback, sizeof(loopback));
}

/* The catalog before the tables: shards ask it for definitions while they open. Computed tables are
 * registered while nobody can have seen the schema. */
static enum status open_catalog(struct server *server, struct error *err)
{
    struct catalog_options options = {
        .directory = is_memory(server) ? NULL : server->options->data,
        .region = server->options->region,
        .wants_password = wants_password(server->options),
        .has_roles = has_roles(server->options),
        .clock = &server->clock.base,
#ifdef HELENUS_TEST_SWITCHES
        .reached = step_reached,
#endif
    };
    enum status status;

    assert(server->environment && !server->catalog);
    own_address(server, &options);
    status = catalog_new(&options, &server->catalog, err);
    if (!status)
        status = catalog_register(server->catalog, clients_create_table, &server->clients.table, err);
    if (!status)
        status = catalog_register(server->catalog, sweeper_create_table, &server->sweeper.table, err);
    if (!status)
        status = catalog_register(server->catalog, catalog_jobs_create_table, catalog_jobs_table(server->catalog), err);
    return status ? status : catalog_register(server->catalog, admin_create_table, &server->tasks.table, err);
}

/* Shards, then definitions, then what a crash left half done: batches that were logged need the
 * definitions of their tables. */
static enum status open_space(struct server *server, struct error *err)
{
    struct table_space_options options = {
        .directory = is_memory(server) ? NULL : server->options->data,
        .shard_count = (uint32_t)server->options->shards,
        .store = server->store,
        .store_environment = server->environment,
        .table_by_id = catalog_table_by_id,
        .context = server->catalog,
        .clock = &server->clock.base,
        .sum = query_sum,
        .port_count_max =
            sizes_loop_count(server->options) + (uint32_t)server->options->workers + CONTROL_PORTS + AUTH_PORTS,
#ifdef HELENUS_TEST_SWITCHES
        .reached = step_reached,
#endif
    };
    enum status status;

    assert(server->catalog && !server->space);
    status = table_space_open(&options, &server->space, err);
    if (status)
        return status;
    status = catalog_open(server->catalog, server->space, err);
    /* Only what was opened may be closed: catalog_close wants a space. */
    server->catalog_is_open = !status;
    if (status)
        return status;
    server->sweeper.space = server->space;
    /* Every definition is known from here on. */
    status = table_space_finish_batches(server->space, err); /* every definition is known from here on */
    if (!status)
        table_space_start_sweeping(server->space);
    return status;
}

/* ---- schema events: drivers read the schema again when they get one ---- */
/* ---- schema events ---- */

/* On the thread that made the change; each loop gets its own copy. */
static void schema_changed(struct catalog_listener *listener, struct catalog_account *account,
                           const struct ddl_change *change)
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

    assert((size_t)change->action < ARRAY_SIZE(changes) && (size_t)change->target < ARRAY_SIZE(targets));
    if (!change->happened)
        return;
    native_encode_event_schema(&body, &event);
    native_service_broadcast(&server->service, account, NATIVE_EVENT_SCHEMA, buffer_bytes(&body));
}

/* ---- serving ---- */

/* A loop that was opened is counted at once, so that a later failure closes it. */
static enum status open_loops(struct server *server, struct error *err)
{
    uint32_t count = sizes_loop_count(server->options);

    assert(!server->service.loops);
    server->service.limits = sizes_limits(server->options, count);
    server->service.wants_password = wants_password(server->options);
    server->service.tls = server->tls;
    server->service.loops = xcalloc(count, sizeof(*server->service.loops));
    for (uint32_t i = 0; i < count; i++) {
        /* Port 0 became a number with the first loop, and the others take the same. */
        enum status status =
            native_loop_open(&server->service, options_serve_plain_cql(server->options) ? &server->address : NULL,
                             &server->service.loops[i], err);

        if (status)
            return status;
        server->service.loop_count++;
        if (server->tls)
            status = native_loop_secure(server->service.loops[i], &server->tls_address, err);
        if (status)
            return status;
    }
    return OK;
}

/* Where there is no role yet, one must come from somewhere: in developer mode it has Cassandra's
 * password; else, if somebody sits before us, one that they are shown once. With neither `helenus
 * password` makes it: what we print may be kept in a log. */
static enum status make_first_role(struct server *server, struct error *err)
{
    char *password = server->password;
    bool is_dev = server->options->dev, is_made;
    enum status status;

    if (!is_dev && !isatty(STDOUT_FILENO)) {
        log_info("auth", "where there is no role yet, `helenus password` makes the first");
        return OK;
    }
    password_generate(password);
    status = auth_begin(server->auth, is_dev ? BYTES_LITERAL("cassandra") : bytes_of_string(password), &is_made, err);
    if (status || !is_made || is_dev)
        memset(password, 0, sizeof(server->password));
    if (!status && is_made)
        log_info("auth", "the first role was made");
    return status;
}

/* Roles, before anybody can ask for something; the default account's are read here already, so that
 * a server that cannot read them does not start. Other accounts' are read at their first login. */
static enum status open_auth(struct server *server, struct error *err)
{
    struct auth_options options = { server->catalog, server->space, &server->clock.base };
    enum status status;

    if (!has_roles(server->options))
        return OK;
    status = auth_open(&options, &server->auth, err);
    if (!status)
        status = make_first_role(server, err);
    if (!status)
        status = logins_open(server->auth, server->catalog, &server->logins, err);
    server->service.logins = server->logins;
    return status;
}

/* The engine, then workers, then loops: each uses what comes before it. */
static enum status open_query(struct server *server, struct error *err)
{
    enum status status;
    struct query_thresholds thresholds = sizes_thresholds(server->options);
    struct query_options query = {
        .catalog = server->catalog,
        .space = server->space,
        .keys = server->keys,
        .prepared_bytes_max = server->options->prepared_bytes,
        .page_rows_max = (uint32_t)server->options->page_rows,
        .page_bytes_max = server->options->page_bytes,
        .row_cache_bytes = sizes_row_cache_bytes(server->options) / sizes_loop_count(server->options),
        .thresholds = &thresholds,
    };
    struct workers_options workers = {
        .count = (uint32_t)server->options->workers,
        /* A group for each shard: a disk that stands still does not keep workers from the other
         * shards' requests. And one for what computes long. */
        .group_count = 2 + table_space_shard_count(server->space),
        .queue_jobs_max = WORKER_QUEUE_MAX,
        .thread_name = "worker",
        .niceness = WORKER_NICENESS,
        .spares_processor = true,
        .start = native_worker_start,
        .stop = native_worker_stop,
    };

    assert(server->catalog_is_open && !server->engine);
    server->engine = query_engine_new(&query);
    server->service.engine = server->engine;
    server->service.catalog = server->catalog;
    workers.context = server->engine;
    status = workers_new(&workers, &server->service.workers, err);
    return status ? status : open_loops(server, err);
}

/* ---- HTTP ---- */

/* Operators' commands, through a socket in the data directory. Behind the APIs, whose counts it
 * tells; without HTTP there are none. */
static enum status open_admin(struct server *server, struct error *err)
{
    struct admin_options options = {
        .directory = server->options->data,
        .space = server->space,
        .catalog = server->catalog,
        .view = &server->tasks,
        .clock = &server->clock,
        .may_advance = server->options->dev,
        .api = server->api,
        .tls = server->tls,
        .auth = server->auth,
    };

    assert(server->space && !is_memory(server));
    return admin_open(&options, &server->admin, err);
}

/* Whoever reaches the port may do anything, as with CQL in developer mode, unless signatures are checked. CQL has an
 * option of its own: what one of the two lets in says nothing of the other. */
static bool checks_signatures(const struct options *options)
{
    return strcmp(options->api_auth, "iam") == 0;
}

/* Who has nothing to sign with yet finds a key where only the operator of this machine can look: in the data directory.
 * It is made once; where it is kept then is his. */
static enum status make_root(struct server *server, struct error *err)
{
    char path[4096];
    bool is_made;
    enum status status;

    assert(server->control && checks_signatures(server->options));
    /* What nobody can read again after a start would shut everybody out. */
    if (is_memory(server))
        return error_set(err, ERR_CONFIG, "--api-auth iam needs --data: its first key is left there");
    if (snprintf(path, sizeof(path), "%s/" ROOT_FILE, server->options->data) >= (int)sizeof(path))
        return error_set(err, ERR_CONFIG, "The data directory's name is too long");
    /* Each start looks: an account whose last key was deleted is let in again so. */
    status = control_make_root(server->control, path, &is_made, err);
    if (!status && is_made)
        log_info("server", "the root of account 000000000000 has its first key, in %s: take it away to a safe place",
                 path);
    return status;
}

static enum status open_api(struct server *server, struct error *err)
{
    struct control_options control = {
        .catalog = server->catalog, .space = server->space, .region = server->options->region, .keys = server->keys
    };
    struct api_options api = { .services = control_services,
                               .service_count = control_service_count,
                               .random = random_bytes };
    enum status status;

    if (!server->options->dev || !(server_http_port(server) || server_http_tls_port(server)))
        return OK;
    status = control_open(&control, &server->control, err);
    if (!status && checks_signatures(server->options)) {
        api.gate = &control_gate;
        status = make_root(server, err);
    }
    if (status)
        return status;
    api.context = server->control;
    return api_open(&api, &server->api, err);
}

/* Last, so that /health answers only when everything else does. */
static enum status open_http(struct server *server, struct error *err)
{
    struct http_callbacks callbacks = {
        .metrics = show_metrics,
        .health = show_health,
        .context = server,
        .api = server->api,
        .has_tls = server->tls != NULL,
        .checks_signatures = checks_signatures(server->options),
    };
    struct sockaddr_storage plain = server->address, secure = server->address;
    struct http_places places = { .tls = server->tls,
                                  .handshake_us = server->service.limits.handshake_us,
                                  .tls_counts = &server->http_tls_counts };

    assert(server->engine && server->service.loop_count);
    if (server_http_port(server))
        places.plain = &plain;
    if (server_http_tls_port(server))
        places.secure = &secure;
    if (!places.plain && !places.secure)
        return OK;
    set_port(&plain, (uint16_t)server_http_port(server));
    set_port(&secure, (uint16_t)server_http_tls_port(server));
    return http_open(&places, &callbacks, &server->http, err);
}

/* ---- life ---- */

/* Says which port, which the kernel does not. */
static enum status probe(const struct server *server, const struct sockaddr_storage *address, const char *what,
                         struct error *err)
{
    if (!listener_probe(address, err))
        return OK;
    return error_set(err, err->status, "cannot listen for %s on %s:%u: %s", what, server->options->listen,
                     listener_port((const struct sockaddr *)address), strerror(err->os_errno));
}

/* Also the last look at what developer mode may be
 * reached by. */
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
    /* An option that does nothing would be taken for one that protects. */
    if (!options->dev && checks_signatures(options))
        return error_set(err, ERR_CONFIG, "--api-auth iam needs --dev: without it AWS's APIs are not served yet");
    if (!options->dev && options_serve_plain_cql(options) && !listener_is_loopback(&server->address))
        return error_set(
            err, ERR_CONFIG,
            "--auth roles serves plain text to this machine only: passwords would pass --listen %s in clear",
            options->listen);
    server->tls_address = server->address;
    set_port(&server->tls_address, (uint16_t)options->cql_tls_port);
    if (options_serve_plain_cql(options) && probe(server, &server->address, "CQL", err))
        return err->status;
    return server->tls ? probe(server, &server->tls_address, "CQL with TLS", err) : OK;
}

/* HTTP comes last, so that /health speaks for all the rest; but its port is looked at before the
 * data is touched: a server that cannot start should not have replayed a log for it. */
static enum status check_http_port(struct server *server, struct error *err)
{
    struct sockaddr_storage address = server->address;

    set_port(&address, (uint16_t)server_http_port(server));
    if (server_http_port(server) && probe(server, &address, "HTTP", err))
        return err->status;
    set_port(&address, (uint16_t)server_http_tls_port(server));
    return server_http_tls_port(server) ? probe(server, &address, "HTTP with TLS", err) : OK;
}

static void close_all(struct server *server);

/* Threads start when all is built. If one cannot, those that run are drained first: they serve
 * already. */
static enum status start_loops(struct server *server, struct error *err)
{
    struct native_service *service = &server->service;
    enum status status = OK;
    uint32_t started = 0;

    assert(service->loop_count > 0);
    /* Before the first client can change the schema. */
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
        /* Those that started end before what they use is closed. */
        native_loop_join(service->loops[i]);
    catalog_unlisten(server->catalog, &server->listener);
    return status;
}

/* The steps in order; `ballast` is let go of once the directory is ours and before the store writes
 * its first byte, and taken again whatever happened. */
enum status server_open(const struct options *options, struct server **result, struct error *err)
{
    struct server *server = xcalloc(1, sizeof(*server));
    static enum status (*const steps[])(struct server *, struct error *) = {
        check_files,  open_tls,   check_ports, check_http_port, lock_directory, open_keys,  open_environment,
        open_catalog, open_space, open_auth,   open_query,      open_api,       open_admin, open_http,
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
    admin_view_init(&server->tasks);
    server->service.clients = &server->clients;
    server->service.slow_log = &server->slow_log;
    slow_log_open(&server->slow_log, (uint32_t)options->slow_query_lines);
    for (size_t i = 0; !status && i < ARRAY_SIZE(steps); i++) {
        /* Nothing is on a disk. */
        if ((steps[i] == lock_directory || steps[i] == open_admin) && is_memory(server))
            continue;
        status = steps[i](server, err);
        if (!status && steps[i] == lock_directory)
            ballast = ballast_release(options->data);
    }
    /* Also where a later step failed: the next start needs the room as well. */
    if (server->space && !is_memory(server))
        ballast_take(options->data, ballast, table_space_shard_count(server->space));
    else if (ballast)
        /* The space was never opened: what was held is held again. */
        ballast_take(options->data, ballast, 0);
    if (!status)
        status = start_loops(server, err);
    /* HTTP first, as it looks at all the rest. */
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

/* Whoever renews certificates sends SIGHUP, or asks through the control socket: both read the same
 * files again. Files that do not fit leave the old ones in use: a slip must not end a service. */
static void reload_tls(struct server *server)
{
    struct error error = { 0 };

    if (tls_reload(server->tls, &error))
        log_error("tls", "the certificate in use stays: %s", error.message);
    else
        log_info("tls", "certificate read again until_s=%lld", (long long)tls_until_s(server->tls));
}

/* On main's thread, after SIGHUP. Options that need a restart have not changed (options_take). */
void server_reload(struct server *server)
{
    struct native_limits limits = sizes_limits(server->options, server->service.loop_count);
    struct query_thresholds thresholds = sizes_thresholds(server->options);
    enum log_level level;

    if (log_level_parse(server->options->log_level, &level))
        log_set_level(level);
    if (server->tls)
        reload_tls(server);
    if (limits.connections_max < server->options->connections)
        log_warn("server", "descriptors allow fewer connections connections_max=%u", limits.connections_max);
    /* Atomic: the slow log's callers read it at any time. */
    atomic_store(&server->slow_log.lines_per_s, (uint32_t)server->options->slow_query_lines);
    query_engine_set_thresholds(server->engine, &thresholds);
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        native_loop_set_limits(server->service.loops[i], &limits);
}

/* Without HTTP, which looks at all of it. Members that a failed start has not made are NULL, and
 * skipped. */
static void close_all(struct server *server)
{
    /* Each needs what is below it. */
    assert(!server->space || server->catalog);
    assert(!server->engine || server->space);
    /* Who asks through the control socket may be told what the APIs count. */
    admin_close(server->admin);
    api_close(server->api);
    control_close(server->control);
    logins_close(server->logins);
    workers_free(server->service.workers);
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        native_loop_close(server->service.loops[i]);
    free(server->service.loops);
    if (server->engine)
        query_engine_free(server->engine);
    auth_close(server->auth);
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
    tls_free(server->tls);
    clients_fini(&server->clients);
    admin_view_fini(&server->tasks);
    slow_log_close(&server->slow_log);
    free(server);
}

/* Loops end before what they use; connections get what they are owed first. False: something did
 * not end in time, and whatever it uses must stay. */
bool server_close(struct server *server)
{
    bool all_ended = true;

    assert(server->engine && server->catalog_is_open);
    log_info("server", "stopping connections=%u", atomic_load(&server->service.connection_count));
    for (uint32_t i = 0; i < server->service.loop_count; i++)
        native_loop_drain(server->service.loops[i]);
    assert(server->service.loops);
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

/* As it was given, also if it stands for all addresses. */
const char *server_host(const struct server *server)
{
    return server->options->listen;
}

/* Developer mode takes any credentials: then the address is all that protects the data. */
bool server_is_exposed(const struct server *server)
{
    return server->options->dev && !listener_is_loopback(&server->address);
}

/* ---- what main asks ---- */

/* By main, who knows where to: this file writes to no terminal. Once: it is wiped whether it was
 * shown or not. */
void server_show_password(struct server *server, void (*show)(const char *password))
{
    if (server->password[0])
        show(server->password);
    OPENSSL_cleanse(server->password, sizeof(server->password));
}

/* 0 where plain text is not served: callers then look at the port of TLS. */
unsigned server_cql_port(const struct server *server)
{
    return options_serve_plain_cql(server->options) ? listener_port((const struct sockaddr *)&server->address) : 0;
}

/* So, of HTTP. */
unsigned server_http_port(const struct server *server)
{
    return options_serve_plain_http(server->options) ? (unsigned)server->options->http_port : 0;
}

/* The kernel's choice where 0 was asked for. */
unsigned server_cql_tls_port(const struct server *server)
{
    return server->tls ? listener_port((const struct sockaddr *)&server->tls_address) : 0;
}

/* Here 0 is none, as with plain HTTP. */
unsigned server_http_tls_port(const struct server *server)
{
    return server->tls ? (unsigned)server->options->http_tls_port : 0;
}
