/* A space at rest, written anew with another number of shards: table_space_reshard.
 *
 * A new shard is filled in the order of its keys, straight into sorted files. Its rows come table by table,
 * and within a table from the old shards in their order, since theirs are ranges of tokens too; the shard's
 * own records are merged. Then all is read again, from what is on the disk and without regard to ranges, and
 * old and new must have the same keys and values. Only then SHARDS is renamed.
 *
 * Values are copied as a reader would see them, merged and not purged: no compaction with a filter runs here,
 * and deletions by order of writing (DROP, TRUNCATE) have done their work and are left behind.
 */
#include "row/key.h"
#include "table/batch_log.h"
#include "table/due.h"
#include "table/layout.h"
#include "table/repair.h"
#include "table/semantics.h"
#include "table/shard.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

enum { TELL_EVERY = 1024, SPACE_MARGIN_BYTES = 16 << 20 };

static const uint8_t rows_begin[8] = { 0, 0, 0, 0, 0, 0, 0, 1 }; /* before: the shard's own records */

struct source {
    struct store *store;     /* an old shard; NULL: not open now */
    struct store_scan *scan; /* NULL: none */
};

struct resharding {
    const struct table_space_options *options;
    const struct table_reshard *reshard;
    struct file_system *files;
    struct store_semantics semantics; /* nothing is purged */
    struct layout from, to;
    struct source *sources; /* [from.shard_count] */
    struct hash_key hash;
    const char *phase;
    uint64_t done, total;
    struct table_resharded *sum;
    struct error *err;
};

/* One new shard. */
struct building {
    struct resharding *r;
    uint64_t first, last;        /* positions */
    uint32_t source, source_end; /* old shards that have some of them */
    struct store_load *load;
};

/* What a set of records is, in whatever order it comes: how many, and a sum of hashes. The clock's
 * bounds stand apart, since there is one for each shard and the new ones all get the greatest. */
struct tally {
    uint64_t count, sum;
    int64_t clock_bound_us;
};

/* Not for each record: whoever shows it would take longer than the copy. `done` may pass `total`,
 * which is an estimate of the old stores: it is not shown then. */
static void tell(struct resharding *r, bool now)
{
    if (r->reshard->progress && (now || r->done % TELL_EVERY == 0))
        r->reshard->progress(r->reshard->context, r->phase, r->done < r->total ? r->done : r->total, r->total);
}

static void begin_phase(struct resharding *r, const char *phase, uint64_t total)
{
    r->phase = phase;
    r->done = 0;
    r->total = total;
    tell(r, true);
}

/* For tests, which end the process there. */
static void reached(struct resharding *r, const char *step)
{
    if (r->reshard->reached)
        r->reshard->reached(r->reshard->context, step);
}

/* Old shards are opened for reading only: nothing of them changes until SHARDS is renamed. */
static enum status open_store(struct resharding *r, const struct layout *layout, uint32_t shard, bool read_only,
                              struct store **store)
{
    char name[SHARD_NAME_MAX], path[PATH_MAX];
    struct store_options options = {
        .path = path, .environment = r->options->store_environment, .semantics = &r->semantics, .read_only = read_only
    };

    assert(shard < layout->shard_count);
    layout_shard_name(layout->generation, shard, name);
    snprintf(path, sizeof(path), "%s/%s", r->options->directory, name);
    return r->options->store->open(&options, store, r->err);
}

/* ---- records ---- */

/* The clock's bound is merged, not moved. */
static bool is_clock(struct bytes key)
{
    uint8_t clock[CLOCK_KEY_BYTES];

    return bytes_equal(key, shard_clock_key(clock));
}

/* The greatest of all bounds stays: no new shard may stamp below what an old one gave. */
static enum status read_clock(struct resharding *r, struct bytes value, int64_t *bound_us)
{
    int64_t read_us;

    if (value.size != CLOCK_BOUND_BYTES)
        return error_set(r->err, ERR_CORRUPT, "the bound of the clock is damaged");
    read_us = (int64_t)load_be64(value.data);
    if (read_us > *bound_us)
        *bound_us = read_us;
    return OK;
}

/* Those of table id 0 sort before all rows. */
static bool is_own_record(struct bytes key)
{
    return bytes_compare(key, bytes_of(rows_begin, sizeof(rows_begin))) < 0;
}

/* To which position a record belongs, and so to which new shard. A record that is not known here may
 * belong anywhere: it is not guessed, and the reshard ends. */
static enum status position_of(struct resharding *r, struct bytes key, uint64_t *position)
{
    if (is_own_record(key)) {
        if (batch_log_has_key(key)) /* markers are of a shard as it is now */
            return error_set(
                r->err, ERR_CONFIG,
                "a batch is not finished: start the server on this directory once, stop it, then try again");
        if (!due_position(key, position) && !taken_position(key, position))
            return error_set(
                r->err, ERR_CORRUPT,
                "a shard has a record of its own that can't be moved: of an unfinished batch, or of a newer version");
        return OK;
    }
    if (key.size <= KEY_PREFIX_BYTES)
        return error_set(r->err, ERR_CORRUPT, "a row's key is damaged");
    *position = load_be64(key.data + 8);
    return OK;
}

/* ---- what is there ---- */

/* A shard that cannot be opened, or holds what this version does not know, is found before anything
 * is built. */
static enum status look_at_source(struct resharding *r, uint32_t shard)
{
    const struct store_ops *ops = r->options->store;
    struct store_scan_options journal = { .family = STORE_JOURNAL, .may_wait = true };
    struct store_properties properties;
    struct store_scan *scan;
    struct store *store;
    uint64_t bytes = 0;
    enum status status = layout_shard_bytes(r->files, r->options->directory, r->from.generation, shard, &bytes, r->err);

    if (!status)
        status = open_store(r, &r->from, shard, true, &store);
    if (status)
        return status;
    r->sum->bytes_before += bytes;
    ops->properties(store, &properties);
    r->total += properties.key_count_estimate;
    status = ops->scan_open(store, &journal, &scan, r->err);
    if (!status) {
        status = ops->scan_first(scan, r->err);
        if (!status && scan->valid)
            status = error_set(r->err, ERR_CORRUPT, "a shard has a journal, which this version does not know");
        store_scan_close(scan);
    }
    ops->close(store);
    return status;
}

/* Old and new shards are there at the same time. */
static enum status check_space(struct resharding *r)
{
    uint64_t needed = r->sum->bytes_before + r->sum->bytes_before / 8 + SPACE_MARGIN_BYTES, free_bytes = 0;
    enum status status = r->files->ops->free_bytes(r->files, r->options->directory, &free_bytes, r->err);

    if (status || free_bytes >= needed)
        return status;
    return error_set(r->err, ERR_NO_SPACE,
                     "the new shards are built beside the old ones and may need %" PRIu64 " MB, but %" PRIu64
                     " MB are free",
                     (needed >> 20) + 1, free_bytes >> 20);
}

/* Everything that could be in the way is looked at first. */
static enum status look(struct resharding *r)
{
    uint64_t total;
    enum status status = OK;

    for (uint32_t i = 0; i < r->from.shard_count && !status; i++)
        status = look_at_source(r, i);
    if (!status)
        status = check_space(r);
    if (status)
        return status;
    assert(!r->done);
    total = r->total;
    begin_phase(r, "copying", total);
    return OK;
}

/* ---- copying ---- */

/* A source may be open or not. */
static void close_source(struct resharding *r, struct source *source)
{
    store_scan_close(source->scan);
    source->scan = NULL;
    if (source->store)
        r->options->store->close(source->store);
    source->store = NULL;
}

/* Opens the old shards from which this new one gets something, and closes those that it is past:
 * as many are open at a time as the two numbers of shards make necessary. From 8 shards to 3, the
 * first new one takes of the old ones 0, 1 and 2, the next of 2 to 5: 2 stays open, 0 and 1 are
 * closed. */
static enum status open_sources(struct building *b)
{
    struct resharding *r = b->r;
    enum status status = OK;

    for (uint32_t i = 0; i < b->source; i++)
        close_source(r, &r->sources[i]);
    for (uint32_t i = b->source; i < b->source_end && !status; i++)
        if (!r->sources[i].store)
            status = open_store(r, &r->from, i, true, &r->sources[i].store);
    return status;
}

/* All sources stand at the first key of the range. */
static enum status scan_sources(struct building *b, struct bytes lower, struct bytes upper)
{
    struct resharding *r = b->r;
    struct store_scan_options options = {
        .family = STORE_DATA, .lower = lower, .upper = upper, .may_wait = true, .bulk = true
    };
    enum status status = OK;

    for (uint32_t i = b->source; i < b->source_end && !status; i++) {
        struct source *source = &r->sources[i];

        assert(source->store);
        store_scan_close(source->scan);
        source->scan = NULL;
        status = r->options->store->scan_open(source->store, &options, &source->scan, r->err);
        if (!status)
            status = r->options->store->scan_first(source->scan, r->err);
    }
    return status;
}

/* Into the load of the new shard: keys must come in order. */
static enum status copy(struct building *b, struct bytes key, struct bytes value)
{
    struct resharding *r = b->r;
    enum status status;

    assert(b->load && key.size);
    status = r->options->store->load_put(b->load, key, value, r->err);
    r->done++;
    tell(r, false);
    return status;
}

/* The greatest bound of the old shards, under the key that stands before the due list, and so in its
 * order. */
static enum status copy_clock(struct building *b)
{
    struct resharding *r = b->r;
    struct store_read_options options = { .may_wait = true };
    uint8_t key[CLOCK_KEY_BYTES], value[CLOCK_BOUND_BYTES];
    int64_t bound_us = INT64_MIN;

    for (uint32_t i = b->source; i < b->source_end; i++) {
        struct store_value stored = { 0 };
        enum status status =
            r->options->store->get(r->sources[i].store, STORE_DATA, shard_clock_key(key), &options, &stored, r->err);

        if (!status)
            status = read_clock(r, stored.bytes, &bound_us);
        store_value_release(&stored);
        if (status && status != ERR_NOT_FOUND)
            return status;
    }
    if (bound_us == INT64_MIN)
        return OK;
    store_be64(value, (uint64_t)bound_us);
    return r->options->store->load_put(b->load, shard_clock_key(key), bytes_of(value, sizeof(value)), r->err);
}

/* For the shard's own records, which are merged: the due lists of several shards interleave. */
static struct source *smallest_source(struct building *b)
{
    struct source *smallest = NULL;

    for (uint32_t i = b->source; i < b->source_end; i++) {
        struct source *source = &b->r->sources[i];

        assert(source->store && source->scan);
        if (source->scan->valid && (!smallest || bytes_compare(source->scan->key, smallest->scan->key) < 0))
            smallest = source;
    }
    return smallest;
}

/* Those whose position is in the new shard's range. */
static enum status copy_own_records(struct building *b)
{
    struct resharding *r = b->r;
    struct source *source;
    bool has_clock = false;
    enum status status = scan_sources(b, (struct bytes){ 0 }, bytes_of(rows_begin, sizeof(rows_begin)));

    while (!status && (source = smallest_source(b))) {
        uint64_t position = 0;

        if (!is_clock(source->scan->key)) {
            status = position_of(r, source->scan->key, &position);
            if (!status && position >= b->first && position <= b->last)
                status = copy(b, source->scan->key, source->scan->value);
        } else if (!has_clock) {
            status = copy_clock(b);
            has_clock = true;
        }
        if (!status)
            status = r->options->store->scan_next(source->scan, r->err);
    }
    return status;
}

/* Moves a scan on to the new shard's next row at or behind where it stands. Within a table the
 * rows of a range of positions lie together, so it seeks at most twice for each table. Before the
 * range: on to its first position in this table. Behind it: to the same position in the next
 * table that could be there. A source that is wholly in the range never seeks. */
static enum status settle(struct building *b, struct store_scan *scan)
{
    struct resharding *r = b->r;
    enum status status = OK;

    while (!status && scan->valid) {
        uint64_t table_id, position;
        uint8_t to[KEY_PREFIX_BYTES];

        status = position_of(r, scan->key, &position);
        if (status || (position >= b->first && position <= b->last))
            return status;
        assert(position < b->first || position > b->last);
        table_id = load_be64(scan->key.data);
        if (position > b->last && ++table_id == 0) {
            scan->valid = false;
            return OK;
        }
        store_be64(to, table_id);
        store_be64(to + 8, b->first);
        status = r->options->store->scan_seek(scan, bytes_of(to, sizeof(to)), r->err);
    }
    return status;
}

/* All rows of the table that the scan stands on. */
static enum status copy_table(struct building *b, struct store_scan *scan, uint64_t table_id)
{
    enum status status = OK;

    assert(table_id); /* 0: the shard's own, which copy_own_records moved */
    while (!status && scan->valid && load_be64(scan->key.data) == table_id) {
        status = copy(b, scan->key, scan->value);
        if (!status)
            status = b->r->options->store->scan_next(scan, b->r->err);
        if (!status)
            status = settle(b, scan);
    }
    return status;
}

/* The smallest table that any source still has rows of. */
static bool next_table(struct building *b, uint64_t *table_id)
{
    bool any = false;

    for (uint32_t i = b->source; i < b->source_end; i++) {
        struct store_scan *scan = b->r->sources[i].scan;

        if (scan->valid && (!any || load_be64(scan->key.data) < *table_id)) {
            *table_id = load_be64(scan->key.data);
            any = true;
        }
    }
    return any;
}

/* Table by table, and in each the sources in their order: they are ranges of tokens, so the keys
 * come in order without a merge. A key begins with its table's id and its position, and all
 * positions of a source are below those of the next. */
static enum status copy_rows(struct building *b)
{
    uint64_t table_id = 0;
    enum status status = scan_sources(b, bytes_of(rows_begin, sizeof(rows_begin)), (struct bytes){ 0 });

    for (uint32_t i = b->source; i < b->source_end && !status; i++)
        status = settle(b, b->r->sources[i].scan);
    while (!status && next_table(b, &table_id))
        for (uint32_t i = b->source; i < b->source_end && !status; i++)
            status = copy_table(b, b->r->sources[i].scan, table_id);
    return status;
}

/* Own records sort before all rows. The new shard holds nothing of a load until load_end, which
 * makes its files the store's. */
static enum status fill(struct building *b, struct store *store)
{
    const struct store_ops *ops = b->r->options->store;
    enum status status = ops->load_open(store, STORE_DATA, &b->load, b->r->err);

    if (status)
        return status;
    status = copy_own_records(b);
    if (!status)
        status = copy_rows(b);
    if (status) {
        ops->load_abandon(b->load);
        return status;
    }
    reached(b->r, "loaded");
    return ops->load_end(b->load, b->r->err);
}

/* The new shard's positions, and the old ones that have some of them. */
static enum status build_shard(struct resharding *r, uint32_t shard)
{
    struct building b = { .r = r,
                          .first = shard_first_position(r->to.shard_count, shard),
                          .last = shard_last_position(r->to.shard_count, shard) };
    struct store *store;
    uint64_t bytes = 0;
    enum status status;

    b.source = shard_of_position(r->from.shard_count, b.first);
    b.source_end = shard_of_position(r->from.shard_count, b.last) + 1;
    assert(b.first <= b.last && b.source < b.source_end && b.source_end <= r->from.shard_count);
    status = open_sources(&b);
    if (!status)
        status = open_store(r, &r->to, shard, false, &store);
    if (status)
        return status;
    status = fill(&b, store);
    r->options->store->close(store);
    if (!status)
        status = layout_shard_bytes(r->files, r->options->directory, r->to.generation, shard, &bytes, r->err);
    r->sum->bytes_after += bytes;
    if (!status)
        reached(r, "built");
    return status;
}

/* ---- comparing ---- */

/* A sum does not depend on the order. The hash's key is random, so no data can be made that fools
 * it. */
static enum status count_record(struct resharding *r, const struct layout *layout, uint32_t shard, struct bytes key,
                                struct bytes value, struct tally *tally)
{
    struct hash_key of_key = r->hash;
    uint64_t position = 0;
    enum status status;

    if (is_clock(key))
        return read_clock(r, value, &tally->clock_bound_us);
    status = position_of(r, key, &position);
    if (status)
        return status;
    if (shard_of_position(layout->shard_count, position) != shard)
        return error_set(r->err, ERR_CORRUPT, "shard %u has a record of another shard", shard);
    of_key.k0 ^= hash_keyed(&r->hash, key);
    tally->sum += hash_keyed(&of_key, value);
    tally->count++;
    r->done++;
    tell(r, false);
    return OK;
}

/* Read again from the disk, all of it, without regard to ranges. */
static enum status count_shard(struct resharding *r, const struct layout *layout, uint32_t shard, struct tally *tally)
{
    const struct store_ops *ops = r->options->store;
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = true, .bulk = true };
    struct store_scan *scan;
    struct store *store;
    enum status status = open_store(r, layout, shard, true, &store);

    if (status)
        return status;
    status = ops->scan_open(store, &options, &scan, r->err);
    if (!status) {
        status = ops->scan_first(scan, r->err);
        while (!status && scan->valid) {
            status = count_record(r, layout, shard, scan->key, scan->value, tally);
            if (!status)
                status = ops->scan_next(scan, r->err);
        }
        store_scan_close(scan);
    }
    ops->close(store);
    return status;
}

/* If the sums differ nothing was changed: SHARDS still names the old shards. */
static enum status compare(struct resharding *r)
{
    struct tally before = { .clock_bound_us = INT64_MIN }, after = before;
    enum status status = OK;

    assert(r->to.generation == r->from.generation + 1 && !r->to.unfinished);
    begin_phase(r, "comparing", 2 * r->done);
    for (uint32_t i = 0; i < r->from.shard_count && !status; i++)
        status = count_shard(r, &r->from, i, &before);
    for (uint32_t i = 0; i < r->to.shard_count && !status; i++)
        status = count_shard(r, &r->to, i, &after);
    if (status)
        return status;
    if (before.count != after.count || before.sum != after.sum || before.clock_bound_us != after.clock_bound_us)
        return error_set(r->err, ERR_CORRUPT,
                         "the new shards do not hold what the old ones do (%" PRIu64 " values, %" PRIu64
                         " before): nothing was changed",
                         after.count, before.count);
    r->sum->value_count = after.count;
    r->total = r->done;
    tell(r, true);
    return OK;
}

/* ---- all of it ---- */

/* The old shards stay open for reading while new ones need them. */
static enum status build(struct resharding *r)
{
    enum status status = look(r);

    if (!status)
        reached(r, "begun");
    for (uint32_t i = 0; i < r->to.shard_count && !status; i++)
        status = build_shard(r, i);
    for (uint32_t i = 0; i < r->from.shard_count; i++)
        close_source(r, &r->sources[i]);
    if (!status)
        status = compare(r);
    if (!status)
        reached(r, "compared");
    return status;
}

/* The one step that counts is layout_write. What failed before it is removed; what fails after it
 * leaves strays, which the next start removes. */
static enum status reshard(struct resharding *r)
{
    const char *directory = r->options->directory;
    struct error ignored;
    uint32_t count = 0;
    enum status status = layout_strays(r->files, directory, &r->from, true, &count, r->err);

    if (status)
        return status;
    status = build(r);
    if (status) {
        layout_strays(r->files, directory, &r->from, true, &count, &ignored); /* else the next start does */
        return status;
    }
    assert(r->done == 2 * r->sum->value_count); /* both were counted */
    status = layout_write(r->files, directory, &r->to, r->err);
    if (status) /* which of the two stands there is not known: both stay, and the next start reads it */
        return status;
    reached(r, "switched");
    r->sum->old_left = layout_strays(r->files, directory, &r->to, true, &count, &ignored) != OK;
    reached(r, "removed");
    return OK;
}

/* What could be refused is refused before anything is opened. */
enum status table_space_reshard(const struct table_space_options *options, const struct table_reshard *asked,
                                struct table_resharded *sum, struct error *err)
{
    struct resharding r = { .options = options,
                            .reshard = asked,
                            .files = options->files ? options->files : file_system_posix(),
                            .semantics = space_semantics(NULL),
                            .sum = sum,
                            .err = err };
    enum status status;

    *sum = (struct table_resharded){ 0 };
    if (!asked->shard_count || asked->shard_count > TABLE_SHARDS_MAX)
        return error_set(err, ERR_CONFIG, "from 1 to %d shards", TABLE_SHARDS_MAX);
    if (!options->store->load_open)
        return error_set(err, ERR_CONFIG, "the store %s keeps nothing", options->store->name);
    status = layout_read(r.files, options->directory, &r.from, err);
    if (status)
        return status;
    if (!r.from.shard_count)
        return error_set(err, ERR_CONFIG, "%s has no shards yet", options->directory);
    if (r.from.unfinished)
        return error_set(err, ERR_CONFIG, "a first start of %s did not come to its end: start helenus",
                         options->directory);
    r.to = (struct layout){ asked->shard_count, r.from.generation + 1 };
    r.semantics.filter = NULL;
    sum->shard_count_before = r.from.shard_count;
    hash_key_random(&r.hash);
    r.sources = xcalloc(r.from.shard_count, sizeof(*r.sources));
    status = reshard(&r);
    for (uint32_t i = 0; i < r.from.shard_count; i++)
        assert(!r.sources[i].store && !r.sources[i].scan);
    free(r.sources);
    return status;
}

enum status table_space_read_shard_count(const struct table_space_options *options, uint32_t *count, struct error *err)
{
    struct layout layout = { 0 };
    enum status status =
        layout_read(options->files ? options->files : file_system_posix(), options->directory, &layout, err);

    *count = layout.shard_count;
    return status;
}
