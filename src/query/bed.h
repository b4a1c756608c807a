/* query/bed.h: what the tests of query/ share: an engine over a catalog and a space in memory, with a worker's context and a loop's. Only for
 * tests, which include its bodies with it.
 */
#ifndef QUERY_BED_H
#define QUERY_BED_H

#include "query/query.h"

#include "base/clock.h"
#include "catalog/catalog.h"
#include "store/memory/memory.h"
#include "table/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct store_ops *bed_store;
static struct catalog *catalog;
static struct table_space *space;
static void *environment;
static struct query_engine *engine;
static struct query_context *worker, *loop;
static struct query_session session;

static inline void must(enum status status, const struct error *err)
{
    if (status)
        fail_msg("%s: %s", status_name(status), err->message);
}

/* store: store/memory's operations, or some of a test's own over them. options: but for the catalog and the space. */
static inline void bed_open(const struct store_ops *store, uint32_t shards, struct query_options options)
{
    struct catalog_options catalog_options = { .address = { 127, 0, 0, 1 }, .cql_port = 9042, .clock = &clock_system };
    struct table_space_options space_options = { .shard_count = shards,
                                                 .store = store,
                                                 .table_by_id = catalog_table_by_id,
                                                 .clock = &clock_system,
                                                 .sum = query_sum };
    struct store_environment_options environment_options = { .clock = &clock_system };
    struct error err;

    bed_store = store;
    must(catalog_new(&catalog_options, &catalog, &err), &err);
    must(store->environment_open(&environment_options, &environment, &err), &err);
    space_options.context = catalog;
    space_options.store_environment = environment;
    must(table_space_open(&space_options, &space, &err), &err);
    must(catalog_open(catalog, space, &err), &err);
    options.catalog = catalog;
    options.space = space;
    engine = query_engine_new(&options);
    worker = query_context_new(engine, true);
    loop = query_context_new(engine, false);
    session = (struct query_session){ .account = catalog_account_default(catalog), .protocol_version = 4 };
}

static inline void bed_close(void)
{
    free((void *)session.keyspace.data);
    query_context_free(worker);
    query_context_free(loop);
    query_engine_free(engine);
    catalog_close(catalog);
    table_space_close(space);
    catalog_free(catalog);
    bed_store->environment_close(environment);
}

#endif
