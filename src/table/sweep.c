/* The sweeper's steps: what purges deletions of partitions and ranges, and what they cover. sweep.h
 * says why it is needed.
 *
 * A round goes through the due list (due.h) once. A step looks at entries until it has done
 * something for one, or its time is over, so that requests wait for little. What is left of a
 * tombstone is a tombstone again, with its own entry. So a step that is lost in a crash is done
 * again, and nothing has to be remembered. */
#include "table/sweep.h"

#include "base/log.h"
#include "row/fragment.h"
#include "row/merge.h"
#include "table/due.h"
#include "table/range.h"
#include "table/turn.h"

#include <assert.h>

enum {
    SWEEP_ROWS = 256,
    SWEEP_SEGMENTS = 256,
    SWEEP_US = 1000,
    SWEEP_BYTES = 1 << 20, /* of rows rewritten */
};

/* The owner has ended. */
void sweep_fini(struct sweep *sweep)
{
    buffer_fini(&sweep->at);
    buffer_fini(&sweep->laying);
    buffer_fini(&sweep->laid_to);
}

/* ---- a step ---- */

struct stepping {
    struct turn *turn;
    struct shard *shard;
    struct sweep *sweep;
    struct arena *arena;
    struct error *err;
    int64_t now_s, until_us;
    struct due_entry due; /* at hand */
    const struct table_def *def;
    bool blocked; /* it can't be swept any further */
};

/* One writer: no exchange is needed. What a step does is counted by sweep_end, once it is written. */
static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* The value of a key, copied: the batch of this step is empty before it, so the store says all there
 * is. */
static enum status get(struct stepping *s, struct bytes key, bool *found, struct bytes *value)
{
    struct store_read_options options = { .may_wait = true };
    struct store_value stored = { 0 };
    enum status status = s->shard->ops->get(s->shard->store, STORE_DATA, key, &options, &stored, s->err);

    *found = !status;
    if (!status)
        *value = arena_copy(s->arena, stored.bytes);
    store_value_release(&stored);
    return status == ERR_NOT_FOUND ? OK : status;
}

/* False: it cannot be read by this version, so it is not for us to change, nor may what covers it
 * go. */
static bool read_row(struct stepping *s, struct bytes value, struct deletion cover, struct row *row)
{
    struct error ignored;

    return value.size && !row_decode_under(s->arena, value, cover, row, &ignored);
}

/* Everything goes through the turn's door, and none of it is a client's. */
static void change(struct stepping *s, struct mutation *mutation)
{
    mutation->origin = ORIGIN_SWEEPER;
    mutation->def = s->def;
    (void)turn_apply(s->turn, mutation, s->err); /* what the sweeper asks for does not fail */
}

/* A row after sweeping: what is left of it, or nothing. before: all that the key held. */
static void put_row(struct stepping *s, struct bytes key, struct bytes before, const struct row *row)
{
    struct buffer value CLEANUP(buffer_fini) = { 0 };
    struct mutation mutation = { .kind = MUTATION_DELETE, .key = key, .before = before };

    assert(before.size);
    if (!row_is_empty(row)) {
        fragment_encode(&value, row);
        mutation.kind = MUTATION_PUT;
        mutation.at.fragment = buffer_bytes(&value);
    }
    change(s, &mutation);
}

/* The tombstone of this entry has become something else, with its own entry. */
static void forget_entry(struct stepping *s)
{
    struct mutation mutation = { .kind = MUTATION_DELETE, .key = s->due.key };

    change(s, &mutation);
}

/* The entry spoke of a tombstone that is not there any more: a newer one took its place. */
static void drop_entry(struct stepping *s)
{
    forget_entry(s);
    s->sweep->counts.entries_dropped++;
}

static void change_segments(struct stepping *s, const struct range_changes *changes)
{
    struct mutation mutation = { .kind = MUTATION_SEGMENTS, .key = s->due.partition, .segments = changes };

    assert(s->due.partition.size);
    change(s, &mutation);
}

/* The table was dropped: its rows are gone, and its entries with them. One deletion of a range of
 * keys for all of them, counted as one. */
static void drop_entries_of_table(struct stepping *s, uint64_t table_id)
{
    struct buffer first CLEANUP(buffer_fini) = { 0 }, end CLEANUP(buffer_fini) = { 0 };
    struct mutation mutation = { .kind = MUTATION_DELETE_KEYS };

    due_encode_table(&first, table_id);
    due_encode_table(&end, table_id + 1);
    mutation.key = buffer_bytes(&first);
    mutation.end = buffer_bytes(&end);
    change(s, &mutation);
    s->sweep->counts.entries_dropped++;
}

/* The sweeper looks at the store alone and remembers nothing: what is known may be of a batch. */
static struct range_owner ranges_of(struct stepping *s, struct range_overlay *none)
{
    return (struct range_owner){ s->shard->ops, s->shard->store, NULL, none, s->arena, s->err, true, NULL };
}

/* Of the partition at hand. */
static struct bytes key_of_kind(struct stepping *s, enum key_kind kind)
{
    uint8_t *key = arena_alloc(s->arena, s->due.partition.size + 1);

    memcpy(key, s->due.partition.data, s->due.partition.size);
    key[s->due.partition.size] = (uint8_t)kind;
    return bytes_of(key, s->due.partition.size + 1);
}

/* ---- a partition's deletion: laid over its segments, then taken from its record ---- */

/* Whether an earlier step began with this deletion. A newer deletion of the partition begins from
 * the start. */
static bool is_being_laid(const struct stepping *s, int64_t timestamp_us)
{
    return bytes_equal(buffer_bytes(&s->sweep->laying), s->due.key) && s->sweep->laid_us == timestamp_us;
}

/* A partition's deletion is made a segment over all of the partition, in steps; then its record
 * loses it. From there on it is swept as any segment. */
static enum status sweep_partition(struct stepping *s)
{
    struct sweep *sweep = s->sweep;
    struct range_overlay none = { 0 };
    struct range_owner owner = ranges_of(s, &none);
    struct range_segment all = { bytes_of("", 0), { 0 }, DELETION_NONE };
    struct range_changes changes = { 0 };
    struct bytes value, laid_to;
    struct row row;
    bool found;
    enum status status = get(s, s->due.tombstone, &found, &value);

    if (status)
        return status;
    if (found && !read_row(s, value, DELETION_NONE, &row)) {
        s->blocked = true;
        return OK;
    }
    if (!found || row.deletion.timestamp_us == TIMESTAMP_NONE || row.deletion.deleted_s != s->due.deleted_s) {
        drop_entry(s);
        return OK;
    }
    assert(s->due.kind == KEY_PARTITION && s->def);
    all.deletion = row.deletion;
    if (is_being_laid(s, row.deletion.timestamp_us))
        all.lower = buffer_bytes(&sweep->laid_to);
    status = range_add(&owner, s->due.partition, all, SWEEP_SEGMENTS, &laid_to, &changes);
    if (status)
        return status;
    change_segments(s, &changes);
    /* Not all of it was laid: the next step goes on from there. */
    if (!bytes_is_null(laid_to)) {
        laid_to = arena_copy(s->arena, laid_to);
        buffer_reset(&sweep->laying);
        buffer_append_bytes(&sweep->laying, s->due.key);
        buffer_reset(&sweep->laid_to);
        buffer_append_bytes(&sweep->laid_to, laid_to);
        sweep->laid_us = row.deletion.timestamp_us;
        return OK;
    }
    buffer_reset(&sweep->laying);
    row_sweep(&row, row.deletion);
    row.has_range_tombstones = true;
    put_row(s, s->due.tombstone, value, &row);
    forget_entry(s);
    return OK;
}

/* ---- a segment: its rows, from the lower place on ---- */

/* When the partition's last segment goes, its record forgets that there are any: its readers look
 * for none. */
static enum status forget_flag(struct stepping *s)
{
    struct bytes first = key_of_kind(s, KEY_RANGE), end = key_of_kind(s, KEY_RANGE + 1),
                 record = key_of_kind(s, KEY_PARTITION), value;
    struct store_scan_options options = { .family = STORE_DATA, .lower = first, .upper = end, .may_wait = true };
    struct store_scan *scan;
    struct row row;
    bool found, others;
    enum status status = s->shard->ops->scan_open(s->shard->store, &options, &scan, s->err);

    if (status)
        return status;
    status = s->shard->ops->scan_first(scan, s->err);
    if (!status && scan->valid && bytes_equal(scan->key, s->due.tombstone))
        status = s->shard->ops->scan_next(scan, s->err);
    others = scan->valid;
    store_scan_close(scan);
    if (status || others)
        return status;
    status = get(s, record, &found, &value);
    if (status || !found || !read_row(s, value, DELETION_NONE, &row))
        return status; /* a flag too many costs a lookup */
    row.has_range_tombstones = false;
    put_row(s, record, value, &row);
    return OK;
}

/* Deletes what the segment covers of the row on which the scan stands. False: it cannot be swept. */
static bool sweep_row(struct stepping *s, const struct store_scan *scan, struct deletion deletion)
{
    bool is_list = scan->value.size && scan->value.data[0] == FRAGMENT_LIST;
    struct bytes before = arena_copy(s->arena, scan->value);
    struct row row;

    if (!read_row(s, before, deletion, &row)) {
        s->blocked = true;
        return false;
    }
    /* Of a list something may have been left out: it must not be met again when the deletion is gone. */
    if (!row_sweep(&row, deletion) && !is_list && !row_is_empty(&row))
        return true;
    if (row_is_empty(&row))
        s->sweep->counts.rows_deleted++;
    else
        s->sweep->counts.rows_shrunk++;
    put_row(s, scan->key, before, &row);
    return true;
}

/* Where the segment begins when all is swept up to one row, and the next is not: at the shortest place
 * between them. If that can't be stored, at one before them, so that the segment still covers what has
 * nothing older than itself any more; at worst where it began. */
static struct bytes place_between(struct stepping *s, const struct range_segment *segment, struct bytes swept,
                                  struct bytes next)
{
    size_t at = s->due.partition.size + 1, shared = at;
    struct bytes place;

    while (shared < swept.size && shared < next.size && swept.data[shared] == next.data[shared])
        shared++;
    assert(shared < next.size); /* keys ascend */
    place = range_cut_place(s->due.partition.size, bytes_of(next.data + at, shared + 1 - at));
    return bytes_compare(place, segment->lower) > 0 ? arena_copy(s->arena, place) : segment->lower;
}

static bool is_long(const struct stepping *s)
{
    return store_batch_bytes(s->turn->batch) > SWEEP_BYTES || space_monotonic_us(s->shard->space) >= s->until_us;
}

/* Deletes what the segment covers, from its lower place on. *end: it came to the segment's end; else
 * *swept_to is the first place that it has to cover still. Bounded in rows, and in bytes and time if
 * anything came of it: the next step begins where this one did if it leaves the segment as it is. */
static enum status sweep_rows(struct stepping *s, const struct range_segment *segment, bool *end,
                              struct bytes *swept_to)
{
    const struct store_ops *ops = s->shard->ops;
    struct buffer lower CLEANUP(buffer_fini) = { 0 }, upper CLEANUP(buffer_fini) = { 0 },
                        swept CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
    struct store_scan *scan;
    uint32_t rows = 0;
    enum status status;

    buffer_append_bytes(&lower, s->due.partition);
    buffer_append_u8(&lower, KEY_ROW);
    buffer_append_bytes(&lower, segment->lower);
    buffer_append_bytes(&upper, s->due.partition);
    buffer_append_u8(&upper, bytes_is_null(segment->upper) ? KEY_ROW + 1 : KEY_ROW);
    buffer_append_bytes(&upper, segment->upper);
    options.lower = buffer_bytes(&lower);
    options.upper = buffer_bytes(&upper);
    *swept_to = segment->lower;
    status = ops->scan_open(s->shard->store, &options, &scan, s->err);
    if (status)
        return status;
    status = ops->scan_first(scan, s->err);
    while (!status && scan->valid && rows < SWEEP_ROWS && sweep_row(s, scan, segment->deletion)) {
        buffer_reset(&swept);
        buffer_append_bytes(&swept, scan->key);
        rows++;
        status = ops->scan_next(scan, s->err);
        if (status || !scan->valid || !is_long(s))
            continue;
        *swept_to = place_between(s, segment, buffer_bytes(&swept), scan->key);
        if (store_batch_count(s->turn->batch) || !bytes_equal(*swept_to, segment->lower))
            break;
    }
    *end = !scan->valid;
    if (!status && !*end && rows)
        *swept_to = place_between(s, segment, buffer_bytes(&swept), scan->key);
    store_scan_close(scan);
    return status;
}

/* A segment: its rows go, and in the same batch it shrinks by what was swept. So what it hid can
 * never be seen again. */
static enum status sweep_range(struct stepping *s)
{
    size_t skip = s->due.partition.size + 1;
    struct range_overlay none = { 0 };
    struct range_owner owner = ranges_of(s, &none);
    struct range_changes changes = { 0 };
    struct range_segment segment;
    struct buffer scratch CLEANUP(buffer_fini) = { 0 };
    struct bytes value, swept_to;
    struct row row;
    bool found, end;
    enum status status = get(s, s->due.tombstone, &found, &value);

    if (!status && found)
        status = range_decode(bytes_of(s->due.tombstone.data + skip, s->due.tombstone.size - skip), &scratch,
                              &segment.lower, &segment.upper, s->err);
    if (status)
        return status;
    if (found && !read_row(s, value, DELETION_NONE, &row)) {
        s->blocked = true;
        return OK;
    }
    if (!found || row.deletion.deleted_s != s->due.deleted_s) {
        drop_entry(s);
        return OK;
    }
    segment.deletion = row.deletion;
    status = sweep_rows(s, &segment, &end, &swept_to);
    if (status)
        return status;
    if (!end && bytes_equal(swept_to, segment.lower)) {
        if (s->blocked || store_batch_count(s->turn->batch))
            return OK; /* it stays, for the rows that are left */
        return error_set(s->err, ERR_INVALID, "more than %d rows that stay, between which no key of a range fits",
                         SWEEP_ROWS);
    }
    range_change_add(s->arena, &changes, s->due.tombstone, segment.deletion, false);
    segment.lower = swept_to;
    if (!end)
        status = range_put(&owner, s->due.partition, &segment, &changes);
    if (status)
        return status;
    change_segments(s, &changes);
    if (!end)
        return OK;
    s->sweep->counts.tombstones++;
    return forget_flag(s);
}

/* ---- the round ---- */

/* Where the next step begins to look. Behind: a zero makes the key the next possible one. */
static void go_on_at(struct stepping *s, struct bytes key, bool behind)
{
    assert(key.size);
    buffer_reset(&s->sweep->at);
    buffer_append_bytes(&s->sweep->at, key);
    if (behind)
        buffer_append_u8(&s->sweep->at, 0);
}

/* The oldest entry of the table is not due, so none of its others is. */
static void go_on_behind_table(struct stepping *s, uint64_t table_id)
{
    buffer_reset(&s->sweep->at);
    due_encode_table(&s->sweep->at, table_id + 1);
}

/* The entry's tombstone can't be swept. What the step put together for it goes; it is told once, at each
 * power of two of their number. */
static void pass_over(struct stepping *s)
{
    struct sweep *sweep = s->sweep;

    store_batch_clear(s->turn->batch);
    sweep->counts = (struct sweep_counts){ 0 };
    s->blocked = true;
    if (++sweep->failed <= sweep->told)
        return;
    sweep->told = sweep->failed;
    if (!(sweep->failed & (sweep->failed - 1)))
        log_warn("table", "a deletion can't be swept table=%llu token=%lld shard=%u deletions=%u error=\"%s\"",
                 (unsigned long long)s->due.table_id,
                 (long long)(load_be64(s->due.tombstone.data + 8) ^ (UINT64_C(1) << 63)), s->shard->index,
                 sweep->failed, s->err->message);
}

/* Looks at one entry. *worked: something is in the batch, the step is over. */
static enum status look(struct stepping *s, const struct store_scan *scan, bool *worked)
{
    const struct table_def *def;
    uint64_t table_id;
    enum status status;
    int64_t due_s;

    if (!due_decode(s->arena, scan->key, scan->value, &s->due)) {
        s->sweep->blocked++;
        go_on_at(s, scan->key, true);
        return OK;
    }
    table_id = s->due.table_id;
    s->def = def = turn_definition(s->turn, table_id);
    if (!def) {
        drop_entries_of_table(s, table_id);
        go_on_behind_table(s, table_id);
        *worked = true;
        return OK;
    }
    due_s = s->due.deleted_s + def->params.gc_grace_s + 1;
    if (s->now_s < due_s) {
        if (due_s < s->sweep->earliest_s)
            s->sweep->earliest_s = due_s;
        go_on_behind_table(s, table_id);
        return OK;
    }
    s->blocked = false;
    status = s->due.kind == KEY_PARTITION ? sweep_partition(s) : sweep_range(s);
    if (status == ERR_INVALID || status == ERR_CORRUPT) {
        pass_over(s);
        status = OK;
    }
    *worked = store_batch_count(s->turn->batch) > 0;
    /* What it left, or put in its place, begins at the entry, and is looked at again. */
    s->sweep->blocked += s->blocked && !*worked;
    go_on_at(s, s->due.key, s->blocked && !*worked);
    return status;
}

/* From the round's begin, or from where the last step ended. */
enum status sweep_run(struct turn *turn, bool from_start, bool *more, struct error *err)
{
    struct shard *shard = turn->shard;
    struct stepping s = { .turn = turn, .shard = shard, .sweep = &shard->sweep, .arena = turn->arena, .err = err };
    struct buffer first CLEANUP(buffer_fini) = { 0 }, end CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
    struct store_scan *scan;
    bool worked = false;
    enum status status;

    assert(!store_batch_count(turn->batch) && !turn->counts); /* a batch of its own */
    s.now_s = space_realtime_us(shard->space) / 1000000;
    s.until_us = space_monotonic_us(shard->space) + SWEEP_US;
    count(&shard->swept.steps, 1);
    due_encode_bounds(&first, &end);
    if (from_start || !shard->sweep.at.size) {
        go_on_at(&s, buffer_bytes(&first), false);
        shard->sweep.earliest_s = INT64_MAX;
        shard->sweep.blocked = shard->sweep.failed = 0;
    }
    options.lower = buffer_bytes(&first);
    options.upper = buffer_bytes(&end);
    status = shard->ops->scan_open(shard->store, &options, &scan, err);
    if (status)
        return status;
    *more = true;
    while (!status && *more && !worked && space_monotonic_us(shard->space) < s.until_us) {
        arena_reset(s.arena);
        status = shard->ops->scan_seek(scan, buffer_bytes(&shard->sweep.at), err);
        if (!status && scan->valid)
            status = look(&s, scan, &worked);
        else if (!status)
            *more = false;
    }
    assert(status || worked == (store_batch_count(turn->batch) > 0));
    store_scan_close(scan);
    if (status || *more)
        return status;
    buffer_reset(&shard->sweep.at);
    atomic_store_explicit(&shard->swept.blocked, shard->sweep.blocked, memory_order_relaxed);
    atomic_store_explicit(&shard->swept.failed, shard->sweep.failed, memory_order_relaxed);
    atomic_store_explicit(&shard->swept.next_due_s, shard->sweep.earliest_s == INT64_MAX ? 0 : shard->sweep.earliest_s,
                          memory_order_relaxed);
    return OK;
}

void sweep_end(struct shard *shard, bool written)
{
    struct sweep *sweep = &shard->sweep;
    const struct sweep_counts counts = sweep->counts;

    sweep->counts = (struct sweep_counts){ 0 };
    if (!written) {
        buffer_reset(&sweep->at);
        buffer_reset(&sweep->laying);
        return;
    }
    count(&shard->swept.rows_deleted, counts.rows_deleted);
    count(&shard->swept.rows_shrunk, counts.rows_shrunk);
    count(&shard->swept.tombstones, counts.tombstones);
    count(&shard->swept.entries_dropped, counts.entries_dropped);
}
