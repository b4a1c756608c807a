/* The command line of table/reshard.c: lock, keys, store, and what is shown meanwhile. The work is
 * crash-safe there; here the directory is brought to rest first. */
#include "server/admin/reshard.h"

#include "base/clock.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "catalog/format.h"
#include "catalog/job.h"
#include "server/admin/at_rest.h"
#include "server/admin/progress.h"
#include "server/step.h"
#include "store/rocksdb/rocksdb.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One run of the command. */
struct resharder {
    const char *directory;
    const char *key_file; /* NULL: DIR/master.key */
    uint32_t shard_count;
    struct progress progress; /* of the phase shown last; .what NULL: none yet */
    struct keys *keys;        /* owned */
    struct table_space_options space;
};

/* One line on stderr; the exit code says that it was not done. */
static int cannot(const struct error *error)
{
    fprintf(stderr, "helenus: cannot reshard: %s\n", error->message);
    return RESHARD_CANNOT;
}

/* ---- what is told ---- */

static void show_progress(void *context, const char *phase, uint64_t done, uint64_t total)
{
    struct resharder *resharder = context;

    /* A phase that begins has a bar of its own. */
    if (!resharder->progress.what || strcmp(phase, resharder->progress.what) != 0) {
        progress_clear(&resharder->progress);
        progress_begin(&resharder->progress, phase);
    }
    progress_show(&resharder->progress, done, total, "values");
}

/* What fails is told at the end, once; the engine's warnings are about what is done here on
 * purpose. */
static void log_of_store(void *context, enum store_log_level level, const char *message)
{
    if (level == STORE_LOG_ERROR)
        log_error("store", "%s", message);
}

/* ---- the work ---- */

/* As a start does: the log is replayed, and what a crash interrupted is ended. Then all of it goes
 * into sorted files, which is what resharding reads. Jobs are ended too: rows of dropped tables
 * need not be copied. */
static enum status settle(struct resharder *resharder, struct error *err)
{
    struct catalog_options options = { .directory = resharder->directory, .clock = &clock_system };
    struct catalog *catalog;
    struct table_space *space;
    enum status status = catalog_new(&options, &catalog, err);

    assert(resharder->directory && resharder->space.store);
    if (status)
        return status;
    /* The catalog is asked for definitions while the space opens, so it is made first. */
    resharder->space.table_by_id = catalog_table_by_id;
    resharder->space.context = catalog;
    status = table_space_open(&resharder->space, &space, err);
    if (!status) {
        status = catalog_open(catalog, space, err);
        if (!status) {
            status = table_space_finish_batches(space, err);
            if (!status)
                status = catalog_end_jobs(catalog, err);
            if (!status)
                status = table_flush(space, err);
            /* Closed in the reverse order, whatever failed. */
            catalog_close(catalog);
        }
        table_space_close(space);
    }
    catalog_free(catalog);
    return status;
}

/* What was there before is told beside what there is now, as an operator wants to see that no value
 * was lost. */
static enum status reshard(struct resharder *resharder, struct error *err)
{
    struct table_reshard asked = { resharder->shard_count, show_progress, step_reached, resharder };
    struct table_resharded sum;
    enum status status = settle(resharder, err);

    if (!status)
        status = table_space_reshard(&resharder->space, &asked, &sum, err);
    progress_clear(&resharder->progress);
    if (status)
        return status;
    printf("%s has %u shards, before %u: values=%" PRIu64 " bytes=%" PRIu64 " before=%" PRIu64 "\n",
           resharder->directory, resharder->shard_count, sum.shard_count_before, sum.value_count, sum.bytes_after,
           sum.bytes_before);
    /* Only the disk space is still taken. */
    if (sum.old_left)
        printf("the old shards could not be removed: the next start tries again\n");
    return OK;
}

/* A directory that has as many shards already is left alone. */
static enum status reshard_space(struct resharder *resharder, struct error *err)
{
    struct store_environment_options environment = { .keys = resharder->keys,
                                                     .log = log_of_store,
                                                     .clock = &clock_system };
    uint32_t shard_count;
    enum status status = table_space_read_shard_count(&resharder->space, &shard_count, err);

    if (status)
        return status;
    if (!shard_count)
        /* A directory that was never served has nothing to reshard. */
        return error_set(err, ERR_CONFIG, "%s holds no data yet: serve it with --shards", resharder->directory);
    if (shard_count == resharder->shard_count) {
        printf("%s has %u shards already\n", resharder->directory, shard_count);
        return OK;
    }
    status = resharder->space.store->environment_open(&environment, &resharder->space.store_environment, err);
    if (status)
        return status;
    status = reshard(resharder, err);
    resharder->space.store->environment_close(resharder->space.store_environment);
    return status;
}

/* The format, the owner and the key are looked at before anything is opened: files that are made
 * here must be the server's own. */
static enum status reshard_directory(struct resharder *resharder, struct error *err)
{
    enum status status;

    if (!at_rest_has(resharder->directory, "FORMAT"))
        return error_set(err, ERR_CONFIG, "%s is not a data directory of helenus", resharder->directory);
    status = format_check(resharder->directory, err);
    if (!status)
        status = at_rest_owner(resharder->directory, "FORMAT", err);
    if (!status)
        status = at_rest_keys(resharder->directory, resharder->key_file, &resharder->keys, err);
    if (status)
        return status;
    status = reshard_space(resharder, err);
    keys_close(resharder->keys);
    return status;
}

/* Options in any order; anything else is answered with the usage. */
static enum status parse(struct resharder *resharder, int argc, char *const *argv, struct error *err)
{
    const char *shards = NULL;
    char *end = NULL;
    unsigned long count = 0;

    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--key-file=", 11) == 0)
            resharder->key_file = argv[i] + 11;
        else if (strcmp(argv[i], "--key-file") == 0 && i + 1 < argc)
            resharder->key_file = argv[++i];
        else if (strncmp(argv[i], "--shards=", 9) == 0)
            shards = argv[i] + 9;
        else if (strcmp(argv[i], "--shards") == 0 && i + 1 < argc)
            shards = argv[++i];
        else if (argv[i][0] != '-' && argv[i][0] && !resharder->directory)
            resharder->directory = argv[i];
        else
            return error_set(err, ERR_CONFIG, "usage: helenus reshard DIR --shards N [--key-file FILE]");
    }
    if (!resharder->directory || !shards)
        return error_set(err, ERR_CONFIG, "usage: helenus reshard DIR --shards N [--key-file FILE]");
    /* strtoul would take a sign and blanks. */
    if (*shards >= '0' && *shards <= '9')
        count = strtoul(shards, &end, 10);
    if (!end || *end || !count || count > TABLE_SHARDS_MAX)
        return error_set(err, ERR_CONFIG, "--shards: %s is not a number from 1 to %d", shards, TABLE_SHARDS_MAX);
    resharder->shard_count = (uint32_t)count;
    return OK;
}

int reshard_run(int argc, char *const *argv)
{
    struct resharder resharder = { 0 };
    struct error error = { 0 };
    enum status status;
    int lock_fd = -1;

    log_set_level(LOG_LEVEL_WARN);
    if (parse(&resharder, argc, argv, &error))
        return cannot(&error);
    resharder.space = (struct table_space_options){ .directory = resharder.directory,
                                                    .store = &store_rocksdb_ops,
                                                    .clock = &clock_system };
    assert(resharder.shard_count > 0);
    status = at_rest_lock(resharder.directory, &lock_fd, &error);
    if (!status)
        status = reshard_directory(&resharder, &error);
    progress_clear(&resharder.progress);
    if (lock_fd >= 0)
        close(lock_fd);
    /* Some errors have no words of their own. */
    if (status && !error.message[0])
        error_set(&error, status, "%s", status_name(status));
    return status ? cannot(&error) : RESHARD_DONE;
}
