/* Opens and closes the shards of a space, and tells of them; what goes to all of them. */
#include "base/log.h"
#include "store/files/files.h"
#include "table/batch_log.h"
#include "table/command.h"
#include "table/fold_hot.h"
#include "table/kept.h"
#include "table/known.h"
#include "table/owner.h"
#include "table/port.h"
#include "table/semantics.h"
#include "table/shard.h"
#include "table/checkpoint.h"
#include "table/sweep.h"
#include "table/prefetch.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHARDS_DEFAULT_MAX = 8 };

/* ---- the number of shards ---- */

/* Half the cores: an owner works only when something is written, and the loops that read, one for
 * each core, need the rest. More than eight is for who asks for it, since each shard syncs by
 * itself: the more there are, the fewer writes share a sync. */
static uint32_t default_shard_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long count = cores / 2;

    return (uint32_t)(count < 1 ? 1 : count > SHARDS_DEFAULT_MAX ? SHARDS_DEFAULT_MAX : count);
}

/* Strays do no harm where they are: a start does not fail because they can't be removed. */
static enum status remove_strays(struct file_system *files, const char *directory, const struct layout *layout,
                                 struct error *err)
{
    uint32_t count = 0;
    enum status status = layout_strays(files, directory, layout, true, &count, err);

    if (status == ERR_CORRUPT)
        return status;
    if (status)
        log_warn("table", "shards that a reshard left can't be removed status=%s", status_name(status));
    else if (count)
        log_info("table", "removed what a reshard left directories=%u", count);
    return OK;
}

/* A test, or the simulation, brings files of its own. */
static struct file_system *files_of(const struct table_space_options *options)
{
    return options->files ? options->files : file_system_posix();
}

/* A directory that was finished: all its shards must be there before one of them is opened, since
 * a store that finds no directory would make an empty one, and a part of the data would be gone
 * without a word. */
static enum status check_shards(const struct table_space_options *options, const struct layout *layout,
                                struct error *err)
{
    enum status status = OK;

    if (options->store->checkpoint) /* it keeps something */
        status = layout_check_whole(files_of(options), options->directory, layout, err);
    return status ? status : remove_strays(files_of(options), options->directory, layout, err);
}

/* How many shards there are: as the directory was made. The number is written before the first
 * shard is made, marked unfinished until all of them are there, so that a crash in between does
 * not leave a directory that looks whole. A start that finds the mark goes on with the number
 * that stands there. Where the number was not asked for it is chosen once, at the first start: a
 * machine with other cores later does not change it. */
static enum status choose_layout(const struct table_space_options *options, struct layout *layout, struct error *err)
{
    struct file_system *files = files_of(options);
    enum status status;

    *layout = (struct layout){ 0 };
    if (options->shard_count > TABLE_SHARDS_MAX)
        return error_set(err, ERR_CONFIG, "at most %d shards", TABLE_SHARDS_MAX);
    if (options->directory) {
        status = layout_read(files, options->directory, layout, err);
        if (status)
            return status;
    }
    if (layout->shard_count && options->shard_count && layout->shard_count != options->shard_count)
        return error_set(err, ERR_CONFIG,
                         "the data has %u shard%s, not %u: to change that, run helenus reshard %s --shards %u",
                         layout->shard_count, layout->shard_count == 1 ? "" : "s", options->shard_count,
                         options->directory, options->shard_count);
    if (layout->shard_count && !layout->unfinished)
        return check_shards(options, layout, err);
    if (!layout->shard_count)
        layout->shard_count = options->shard_count ? options->shard_count : default_shard_count();
    layout->unfinished = true;
    return options->directory ? layout_write(files, options->directory, layout, err) : OK;
}

/* ---- shards ---- */

/* No timestamp of this run may be below one that an earlier run gave: see persist_clock in
 * turn.c. A shard that was never written to has no bound. All shards raise the one clock of the
 * space, so each stamps above what any of them gave. */
static enum status read_clock_bound(struct shard *shard, struct error *err)
{
    struct store_read_options options = { .may_wait = true };
    struct store_value value = { 0 };
    uint8_t key[CLOCK_KEY_BYTES];
    enum status status;

    status = shard->ops->get(shard->store, STORE_DATA, shard_clock_key(key), &options, &value, err);
    shard->clock_bound_us = INT64_MIN;
    if (status == OK && value.bytes.size == CLOCK_BOUND_BYTES) {
        int64_t bound_us = (int64_t)load_be64(value.bytes.data);

        if (bound_us > atomic_load(&shard->space->clock_us))
            atomic_store(&shard->space->clock_us, bound_us);
    }
    store_value_release(&value);
    return status == ERR_NOT_FOUND ? OK : status;
}

/* What an owner works with is made here; its thread starts when all shards are open. A store
 * without a directory, as the one in memory, gets a path all the same: it only names it. On an
 * error what was made stays in the shard: table_space_close takes it apart. */
static enum status open_shard(struct table_space *space, uint32_t index, struct error *err)
{
    struct shard *shard = &space->shards[index];
    char path[PATH_MAX], name[SHARD_NAME_MAX];
    struct store_options options = { .path = path, .environment = space->environment, .semantics = &space->semantics };
    enum status status;

    *shard = (struct shard){ .space = space,
                             .index = index,
                             .ops = space->options.store,
                             .fold_hot = fold_hot_new(),
                             .kept = kept_rows_new(),
                             .known = range_known_new(),
                             .window = RING_SLOTS };
    shard->prefetchers = prefetchers_new(shard);
    assert(index < space->shard_count);
    layout_shard_name(space->generation, index, name);
    snprintf(path, sizeof(path), "%s/%s", space->options.directory ? space->options.directory : "memory", name);
    versions_init(&shard->versions);
    status = shard->ops->open(&options, &shard->store, err);
    if (status)
        return status;
    return read_clock_bound(shard, err);
}

/* How many ports a space has room for. The array never grows, since owners read it without a
 * lock; what the space needs for itself comes on top of what was asked for. */
enum { PORTS_DEFAULT = 64, PORTS_BESIDE = 16 /* the catalog's, the batch log's */ };

/* A failure at any step closes what was opened so far. The order is what makes a crash at any
 * step harmless: SHARDS with its mark, the shards' directories, SHARDS without the mark, and only
 * then threads, the first of which could write. */
enum status table_space_open(const struct table_space_options *options, struct table_space **result, struct error *err)
{
    struct table_space *space = xcalloc(1, sizeof(*space));
    struct layout layout;
    enum status status;

    assert(options->clock);
    space->options = *options;
    if (!space->options.port_count_max)
        space->options.port_count_max = PORTS_DEFAULT;
    space->options.port_count_max += PORTS_BESIDE;
    space->ports = xcalloc(space->options.port_count_max, sizeof(*space->ports));
    space->environment = options->store_environment;
    space->semantics = space_semantics(space);
    pthread_mutex_init(&space->ports_lock, NULL);
    checkpoint_init(&space->checkpoint);
    atomic_store(&space->clock_us, INT64_MIN + 16);
    status = choose_layout(options, &layout, err);
    space->shard_count = status ? 0 : layout.shard_count;
    space->generation = layout.generation;
    if (!status)
        space->shards = xcalloc(space->shard_count, sizeof(*space->shards));
    for (uint32_t i = 0; i < space->shard_count && !status; i++)
        status = open_shard(space, i, err);
    if (!status && layout.unfinished && options->directory) { /* from now on all of them are there */
        layout.unfinished = false;
        status = layout_write(files_of(options), options->directory, &layout, err);
    }
    /* The clocks of all shards are known before one of them stamps. */
    for (uint32_t i = 0; i < space->shard_count && !status; i++)
        status = shard_start(&space->shards[i], err);
    if (status) {
        table_space_close(space);
        return status;
    }
    assert(space->shard_count && space->shard_count <= TABLE_SHARDS_MAX);
    *result = space;
    return OK;
}

/* Owners end first, so nothing is written any more when the stores close. The batch log's thread
 * ends before them, for it waits for their answers. Ports are not closed here: whoever opened one
 * has closed it by now. Also for a space that was opened only in part. */
void table_space_close(struct table_space *space)
{
    if (!space)
        return;
    batch_log_stop(space);
    for (uint32_t i = 0; space->shards && i < space->shard_count; i++)
        shard_stop(&space->shards[i]);
    for (uint32_t i = 0; space->shards && i < space->shard_count; i++) {
        assert(!space->shards[i].owner_runs && !space->shards[i].resumer_runs);
        if (space->shards[i].store)
            space->shards[i].ops->close(space->shards[i].store);
        fold_hot_free(space->shards[i].fold_hot);
        kept_rows_free(space->shards[i].kept);
        range_known_free(space->shards[i].known);
        versions_fini(&space->shards[i].versions);
        prefetchers_free(space->shards[i].prefetchers);
        sweep_fini(&space->shards[i].sweep);
    }
    pthread_mutex_destroy(&space->ports_lock);
    checkpoint_fini(&space->checkpoint);
    free(space->shards);
    free(space->ports);
    free(space);
}

const struct clock *table_space_clock(const struct table_space *space)
{
    return space->options.clock;
}

uint32_t table_space_shard_count(const struct table_space *space)
{
    return space->shard_count;
}

bool table_space_refuses_writes(struct table_space *space, uint32_t shard)
{
    assert(shard < space->shard_count);
    return atomic_load(&space->shards[shard].refuses);
}

uint64_t table_space_unreadable(struct table_space *space)
{
    return atomic_load(&space->unreadable);
}

uint64_t table_space_cold_writes(struct table_space *space, uint32_t shard)
{
    assert(shard < space->shard_count);
    return prefetch_count(&space->shards[shard]);
}

void table_space_properties(struct table_space *space, uint32_t shard, struct store_properties *properties,
                            bool *refuses_writes)
{
    space->shards[shard].ops->properties(space->shards[shard].store, properties);
    *refuses_writes = table_space_refuses_writes(space, shard);
}

/* Sums over the ports that are open: what a closed one counted is gone with it. The lock keeps a
 * port from being freed while it is looked at. */
void table_space_row_cache(struct table_space *space, struct row_cache_use *use)
{
    *use = (struct row_cache_use){ 0 };
    pthread_mutex_lock(&space->ports_lock);
    for (uint32_t i = 0; i < atomic_load(&space->ports_end); i++) {
        struct table_port *port = atomic_load(&space->ports[i]);

        if (!port)
            continue;
        use->found += atomic_load_explicit(&port->rows_found, memory_order_relaxed);
        use->missed += atomic_load_explicit(&port->rows_missed, memory_order_relaxed);
    }
    pthread_mutex_unlock(&space->ports_lock);
}

/* The head of a command that concerns no single partition: where others have their table's id and
 * more, it has one number (command_read_header). */
static void begin_command(struct buffer *command, enum command_kind kind, uint64_t number)
{
    buffer_append_u8(command, (uint8_t)kind);
    buffer_append_u8(command, COMMAND_DURABLE);
    buffer_append_be64(command, number);
}

/* Not by subtraction: ids are 64 bits, the result is not. */
static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Ids of tables that were made one after another are one range: a keyspace of thousands is a
 * handful. Every owner gets the command, for a table has rows in all shards; ids that are in no
 * shard cost nothing. It may be done again: a removal that a crash cut short is, by the job that
 * asked for it. */
enum status table_remove_all(struct table_port *port, uint64_t *table_ids, uint32_t count, struct error *err)
{
    struct buffer command CLEANUP(buffer_fini) = { 0 };
    uint32_t range_count = 0;
    size_t count_at;
    bool ignored = false;

    qsort(table_ids, count, sizeof(*table_ids), compare_ids);
    begin_command(&command, COMMAND_REMOVE, 0);
    count_at = command.size;
    buffer_append_be32(&command, 0);
    for (uint32_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && table_ids[next] <= table_ids[next - 1] + 1; next++)
            continue;
        buffer_append_be64(&command, table_ids[i]);
        buffer_append_be64(&command, table_ids[next - 1] + 1);
        range_count++;
    }
    assert(range_count <= count);
    store_be32(command.data + count_at, range_count);
    return port_everywhere(port, buffer_bytes(&command), &ignored, err);
}

/* A whole round, step by step, on all shards at once, until none of them has more to do: for an
 * operator who does not want to wait until owners find the time. 1 begins the round anew wherever
 * an owner was, 0 goes on with it. */
enum status table_sweep(struct table_space *space, struct error *err)
{
    struct table_port *port = port_open(space);
    bool more = true;
    enum status status = OK;

    if (!port)
        return error_set(err, ERR_OVERLOADED, "Too many ports are open: try again");
    for (uint64_t begin = 1; more && !status; begin = 0) {
        struct buffer command CLEANUP(buffer_fini) = { 0 };

        begin_command(&command, COMMAND_SWEEP, begin);
        status = port_everywhere(port, buffer_bytes(&command), &more, err);
    }
    table_port_close(port);
    return status;
}

/* Called when every table's definition is known. Before that the sweeper would take the entries
 * of a table whose definition was not loaded yet for those of a dropped one. */
void table_space_start_sweeping(struct table_space *space)
{
    atomic_store(&space->sweeps, true);
    for (uint32_t i = 0; i < space->shard_count; i++)
        shard_wake(&space->shards[i]);
}

/* Each number by itself: together they need not be of one moment. */
void table_space_sweep_progress(struct table_space *space, uint32_t shard, struct sweep_progress *progress)
{
    struct swept *swept = &space->shards[shard].swept;

    assert(shard < space->shard_count);
    *progress = (struct sweep_progress){
        .steps = atomic_load_explicit(&swept->steps, memory_order_relaxed),
        .rows_deleted = atomic_load_explicit(&swept->rows_deleted, memory_order_relaxed),
        .rows_shrunk = atomic_load_explicit(&swept->rows_shrunk, memory_order_relaxed),
        .tombstones = atomic_load_explicit(&swept->tombstones, memory_order_relaxed),
        .entries_dropped = atomic_load_explicit(&swept->entries_dropped, memory_order_relaxed),
        .blocked = atomic_load_explicit(&swept->blocked, memory_order_relaxed),
        .failed = atomic_load_explicit(&swept->failed, memory_order_relaxed),
        .next_due_s = atomic_load_explicit(&swept->next_due_s, memory_order_relaxed),
    };
}
