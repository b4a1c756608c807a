/* The server without its network; see world.h. */
#include "world.h"

#include "disk.h"
#include "fiber.h"

#include "base/memory.h"
#include "catalog/catalog.h"
#include "keys/keys.h"
#include "query/query.h"
#include "store/files/files.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"
#include "table/table.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/sim"

struct loop {
    struct query_context *context;
    bool held; /* by the fiber that is in it */
};

struct world {
    struct world_options options;
    struct disk *disk;         /* owned */
    struct file_system *files; /* owned */
    struct keys *keys;         /* owned */
    struct catalog *catalog;
    void *environment;
    struct table_space *space;
    struct query_engine *engine;
    struct loop loops[LOOPS], workers[WORKERS];
    struct query_session sessions[LOOPS];
};

static enum status master_key(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    memset(master, 7, KEYS_KEY_BYTES);
    return OK;
}

static void must(enum status status, const struct error *err)
{
    if (!status)
        return;
    fprintf(stderr, "%s: %s\n", status_name(status), err->message);
    abort();
}

struct world *world_new(const struct world_options *options)
{
    struct world *world = xcalloc(1, sizeof(*world));
    struct keys_provider provider = { master_key, NULL };
    struct error err;

    world->options = *options;
    world->disk = disk_new(options->on_rocksdb ? &store_rocksdb_ops : &store_memory_ops);
    if (!options->on_rocksdb)
        return world;
    world->files = forgetful_new(options->seed);
    must(world->files->ops->make_directory(world->files, DIRECTORY, &err), &err);
    must(world->files->ops->sync_directory(world->files, "/", &err), &err);
    must(keys_open_provider(&provider, &world->keys, &err), &err);
    return world;
}

void world_free(struct world *world)
{
    assert(!world->space);
    if (world->keys)
        keys_close(world->keys);
    if (world->files)
        forgetful_free(world->files);
    disk_free(world->disk);
    free(world);
}

static enum status open_space(struct world *world, struct error *err)
{
    struct store_environment_options environment = {
        .keys = world->keys, .files = world->files, .cache_bytes = 1 << 20, .clock = &sim_clock
    };
    struct table_space_options space = { .directory = world->files ? DIRECTORY : NULL,
                                         .files = world->files,
                                         .shard_count = world->options.shards,
                                         .store = disk_ops(world->disk),
                                         .table_by_id = catalog_table_by_id,
                                         .context = world->catalog,
                                         .clock = &sim_clock,
                                         .sum = query_sum };
    enum status status = space.store->environment_open(&environment, &world->environment, err);

    if (status)
        return status;
    space.store_environment = world->environment;
    status = table_space_open(&space, &world->space, err);
    if (!status)
        status = catalog_open(world->catalog, world->space, err);
    return status;
}

enum status world_open(struct world *world, struct error *err)
{
    struct catalog_options catalog = { .address = { 127, 0, 0, 1 }, .cql_port = 9042, .clock = &sim_clock };
    enum status status;

    must(catalog_new(&catalog, &world->catalog, err), err);
    status = open_space(world, err);
    if (!status)
        status = table_space_finish_batches(world->space, err);
    if (status) /* with the power on it has to */
        return status;
    table_space_start_sweeping(world->space);
    world->engine = query_engine_new(&(struct query_options){ .catalog = world->catalog,
                                                              .space = world->space,
                                                              .keys = world->keys,
                                                              .row_cache_bytes = world->options.row_cache_bytes,
                                                              .chunk_rows = world->options.chunk_rows });
    for (uint32_t i = 0; i < LOOPS; i++) {
        world->loops[i].context = query_context_new(world->engine, false);
        world->sessions[i] = (struct query_session){ .account = catalog_account_default(world->catalog),
                                                     .protocol_version = 4,
                                                     .flow = i };
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        world->workers[i].context = query_context_new(world->engine, true);
    return OK;
}

void world_close(struct world *world)
{
    for (uint32_t i = 0; i < LOOPS; i++) {
        query_context_free(world->loops[i].context);
        free((void *)world->sessions[i].keyspace.data);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        query_context_free(world->workers[i].context);
    query_engine_free(world->engine);
    catalog_close(world->catalog);
    table_space_close(world->space);
    catalog_free(world->catalog);
    disk_ops(world->disk)->environment_close(world->environment);
    world->space = NULL;
}

struct disk *world_disk(struct world *world)
{
    return world->disk;
}

struct file_system *world_files(struct world *world)
{
    return world->files;
}

enum status world_sweep(struct world *world, struct error *err)
{
    return table_sweep(world->space, err);
}

enum status world_flush(struct world *world, struct error *err)
{
    return table_flush(world->space, err);
}

enum status world_compact(struct world *world, struct error *err)
{
    return table_compact(world->space, err);
}

/* ---- asking ---- */

struct request {
    struct query_request request;
    struct native_request message;
    struct arena *arena;
    bool is_done;
};

static void on_done(struct query_request *request)
{
    ((struct request *)request->context)->is_done = true;
}

/* Until the owners have answered: whoever of the loop's fibers hears of it first takes the answers of all. */
static void await(struct loop *loop, struct request *request)
{
    struct table_port *port = query_context_port(loop->context);

    while (!request->is_done) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        fiber_take(&loop->held);
        table_port_flush(port);
        fiber_give(&loop->held);
        if (poll(&fd, 1, 1) > 0) {
            fiber_take(&loop->held);
            table_port_reap(port);
            table_port_flush(port);
            fiber_give(&loop->held);
        }
    }
}

static enum query_result run_in(struct loop *loop, struct request *request, struct buffer *out)
{
    enum query_result result;

    fiber_take(&loop->held);
    result = query_run(loop->context, &request->request, out);
    table_port_flush(query_context_port(loop->context));
    fiber_give(&loop->held);
    return result;
}

static enum query_result run_in_worker(struct world *world, struct request *request, struct buffer *out)
{
    uint32_t first = (uint32_t)sim_draw(WORKERS);
    enum query_result result = run_in(&world->workers[first], request, out);

    assert(result == QUERY_DONE);
    return result;
}

static void run(struct world *world, struct loop *loop, struct request *request, struct buffer *out)
{
    enum query_result result = run_in(loop, request, out);

    for (;;) {
        if (result == QUERY_WAITS)
            result = run_in_worker(world, request, out);
        if (result == QUERY_DONE)
            return;
        await(loop, request);
        request->is_done = false;
        fiber_take(&loop->held);
        result = query_finish(loop->context, &request->request, out);
        table_port_flush(query_context_port(loop->context));
        fiber_give(&loop->held);
    }
}

static void begin(struct world *world, struct request *request, const struct ask *ask, uint8_t opcode)
{
    struct native_parameters *parameters = &request->message.parameters;

    *request = (struct request){ .arena = request->arena };
    request->message = (struct native_request){ .header = { .opcode = opcode }, .version = 4 };
    parameters->consistency = CONSISTENCY_ONE;
    parameters->serial_consistency = CONSISTENCY_SERIAL;
    parameters->page_size = ask->page_size ? ask->page_size : -1;
    parameters->paging_state = ask->paging_state;
    request->request = (struct query_request){ .session = &world->sessions[ask->loop],
                                               .arena = request->arena,
                                               .message = &request->message,
                                               .now_us = ask->now_us,
                                               .done = on_done,
                                               .context = request };
}

void world_ask(struct world *world, struct ask *ask)
{
    struct request request = { .arena = arena_new(4096) };
    struct loop *loop = &world->loops[ask->loop];
    struct bytes id = { 0 };

    ask->now_us = sim_realtime_us();
    buffer_reset(&ask->reply);
    if (ask->prepared) {
        begin(world, &request, ask, NATIVE_PREPARE);
        request.message.prepare.statement = bytes_of_string(ask->text);
        run(world, loop, &request, &ask->reply);
        if (!request.request.error.status) {
            /* kind (4), the id's size (2), the id */
            id = arena_copy(request.arena, bytes_of(ask->reply.data + 6, 16));
            buffer_reset(&ask->reply);
            begin(world, &request, ask, NATIVE_EXECUTE);
            request.message.execute.id = id;
            request.message.parameters.values = (struct native_values){ ask->value_count, ask->values, NULL };
            run(world, loop, &request, &ask->reply);
        }
    } else {
        begin(world, &request, ask, NATIVE_QUERY);
        request.message.query.statement = bytes_of_string(ask->text);
        run(world, loop, &request, &ask->reply);
    }
    ask->status = request.request.error.status;
    ask->message[0] = 0;
    if (ask->status)
        snprintf(ask->message, sizeof(ask->message), "%.199s", request.request.error.message);
    arena_free(request.arena);
}
