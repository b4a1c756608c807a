/* Reads slices of partitions straight from a shard's store, on the thread that asks.
 *
 * What is read of a partition is one state of it: its own record (deletion, static row, "has range
 * tombstones"), then the rows, and beside them, only if the record says so, the range tombstones of the slice
 * at hand. A single row by its full key is one more lookup instead of a scan.
 *
 * A few rows, or one slice, are read without a snapshot, which costs a lock. Rows by their whole keys: if
 * after the last lookup the versions of all keys that were looked up are what they were before (row_cache.h),
 * all were seen in the same state; and with these versions a port keeps them. A slice: if the store's
 * sequence number is still the same. If not, which is seldom, or if there are range tombstones, it is read
 * again, under a snapshot.
 */
#include "table/read.h"

#include "base/log.h"
#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"
#include "table/collect.h"
#include "table/command.h"
#include "table/range_cursor.h"
#include "table/shard.h"
#include "table/virtual.h"

#include <assert.h>

enum {
    HIDDEN_INLINE_MAX = 10000, /* rows and ranges that nobody sees: behind so many, a read goes on where it may wait */
    HIDDEN_MAX = 10000000,
    VALUE_INLINE_MAX = 128 << 10, /* bytes of a stored row: a larger one may be a collection of a million elements */
    WATCHED_MAX = 33,             /* keys of a read without a snapshot: a partition's record and rows */
};

/* A key's version as it was before it was looked up. */
struct watched {
    const _Atomic uint64_t *version;
    uint64_t seen;
};

struct read_context {
    struct shard *shard;
    const struct read_command *command;
    struct arena *arena;
    struct store_snapshot *snapshot; /* NULL: none; then, of a partition, `sequence` is when reading began */
    uint64_t sequence;
    bool moved;   /* without a snapshot: the store was written to meanwhile, what was read is void */
    bool watches; /* without a snapshot: by the versions of keys */
    uint32_t watched_count;
    struct watched *watched; /* [WATCHED_MAX] */
    struct table_port *port;
    bool may_wait;
    struct collector *collector;
    struct error *err;
    int64_t gc_before_s; /* what died before may be purged and is not counted */
    uint32_t hidden;     /* rows passed that nobody sees */
    int64_t token;       /* of the partition at hand */
    struct bytes partition_key;
};

/* What a partition's record says, and the way through its range tombstones. */
struct partition_cover {
    struct deletion deletion;
    struct row record;
    struct range_cursor ranges;
    bool has_ranges; /* the cursor is open */
};

/* A buffer in the arena with room for all that will be appended: it must not grow, since growing
 * would reallocate what the arena owns. */
static struct buffer fixed_buffer(struct arena *arena, size_t capacity)
{
    return (struct buffer){ arena_alloc(arena, capacity), 0, capacity };
}

/* Whether the store was written to while it was read without a snapshot. Asked after the last
 * lookup, before anything of it is used: what was read of two states would be a row that never was. */
static bool has_moved(struct read_context *r)
{
    if (r->watches) {
        for (uint32_t i = 0; i < r->watched_count; i++)
            r->moved |= atomic_load_explicit(r->watched[i].version, memory_order_relaxed) != r->watched[i].seen;
    } else if (!r->snapshot) {
        r->moved = r->shard->ops->sequence(r->shard->store) != r->sequence;
    }
    return r->moved;
}

static inline void count_one(_Atomic uint64_t *counter) /* only its port's thread does */
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Whether a row was large when this port read it. That a row is large is seen only when the store
 * has merged it, which takes as long as the rest: so a port knows some that were, and leaves them to
 * a worker at once. Now and then one is looked at again. */
static bool is_known_large(struct table_port *port, uint64_t hash)
{
    struct large_key *known = &port->large[hash % LARGE_KEYS];

    return known->hash == hash && known->uses && known->uses--;
}

/* One place for each remainder of the hash: of two large rows that share one, the later is known.
 * The other one costs a loop its merging once more. */
static void know_large(struct table_port *port, uint64_t hash)
{
    port->large[hash % LARGE_KEYS] = (struct large_key){ hash, LARGE_KEY_USES };
}

/* Looks a key up and notes its version as it was before. If the version is the same at the end, the
 * value belongs to the same state as the others; then the port keeps it too. An odd version says
 * that the key is just being written. */
static enum status get_watched(struct read_context *r, struct bytes key, const struct store_read_options *options,
                               struct store_value *value)
{
    struct row_cache *rows = r->port->rows;
    uint64_t hash = version_hash(&r->shard->versions, key), seen;
    const _Atomic uint64_t *version = version_of(&r->shard->versions, hash);
    enum status status;

    if (rows)
        row_cache_prefetch(rows, hash);
    seen = atomic_load_explicit(version, memory_order_acquire);
    assert(r->watched_count < WATCHED_MAX);
    r->watched[r->watched_count++] = (struct watched){ version, seen };
    if (seen % 2)
        r->moved = true; /* it is being written just now */
    else if (rows && row_cache_find(rows, hash, seen, key, &value->bytes)) {
        count_one(&r->port->rows_found);
        return bytes_is_null(value->bytes) ? ERR_NOT_FOUND : OK;
    }
    if (!r->may_wait && __builtin_expect(is_known_large(r->port, hash), 0))
        return error_set(r->err, ERR_WOULD_WAIT, "a large row");
    status = r->shard->ops->get(r->shard->store, STORE_DATA, key, options, value, r->err);
    if (!status && !r->may_wait && __builtin_expect(value->bytes.size > VALUE_INLINE_MAX, 0))
        know_large(r->port, hash);
    if (!rows || (status && status != ERR_NOT_FOUND))
        return status;
    count_one(&r->port->rows_missed);
    if (!r->moved && atomic_load_explicit(version, memory_order_relaxed) == seen)
        row_cache_put(rows, hash, seen, key, status ? (struct bytes){ 0 } : value->bytes);
    return status;
}

/* The stored value of a key; borrowed until the next lookup, or until it is released. From the
 * port's cache it is borrowed until that is put another one. */
static enum status get(struct read_context *r, struct bytes key, struct store_value *value)
{
    struct store_read_options options = { r->snapshot, r->may_wait };

    if (r->watches)
        return get_watched(r, key, &options, value);
    return r->shard->ops->get(r->shard->store, STORE_DATA, key, &options, value, r->err);
}

/* A loop has others to serve while a large row is taken apart and put together for the reply. */
static enum status leave_large(struct read_context *r, struct bytes value)
{
    if (r->may_wait || value.size <= VALUE_INLINE_MAX)
        return OK;
    return error_set(r->err, ERR_WOULD_WAIT, "a large row");
}

/* A row that cannot be read fails the read, or the page: if it were left out, nobody would see its
 * loss. The error says which one it is and what to do; the log says where, at each power of two of
 * their number. */
static enum status tell_unreadable(struct read_context *r, enum status status)
{
    enum { KEY_BYTES_SHOWN = 64 };
    const struct table_def *def = r->command->def;
    struct bytes key = r->partition_key;
    struct buffer text CLEANUP(buffer_fini) = { 0 };
    uint64_t count = atomic_fetch_add(&r->shard->space->unreadable, 1) + 1;

    if (!(count & (count - 1)))
        log_warn("table", "a row can't be read table=%llu token=%lld shard=%u reads=%llu",
                 (unsigned long long)r->command->table_id, (long long)r->token, r->shard->index,
                 (unsigned long long)count);
    buffer_printf(&text, "A row of ");
    if (def)
        buffer_printf(&text, "%.*s.%.*s", BYTES(def->keyspace), BYTES(def->name));
    buffer_printf(&text, " cannot be read: %s. It is of token %lld, partition key 0x", r->err->message,
                  (long long)r->token);
    for (size_t i = 0; i < key.size && i < KEY_BYTES_SHOWN; i++)
        buffer_printf(&text, "%02x", key.data[i]);
    buffer_printf(&text, "%s; a DELETE of it heals it, or helenus check --repair",
                  key.size > KEY_BYTES_SHOWN ? ".." : "");
    return (error_set)(r->err, status, "%.*s", BYTES(buffer_bytes(&text)));
}

/* The partition's record: its deletion, static row and flag for ranges. */
static enum status decode_record(struct read_context *r, struct bytes value, struct partition_cover *cover)
{
    enum status status = leave_large(r, value);

    if (status)
        return status;
    status = row_decode(r->arena, arena_copy(r->arena, value), &cover->record, r->err);
    if (status)
        return tell_unreadable(r, status);
    cover->deletion = cover->record.deletion;
    return OK;
}

/* Dropping a column changes no stored row: its cells are left out here. A column that was added again hides
 * what is as old as the one before it. */
void drop_lost_cells(const struct table_def *def, struct row *row)
{
    uint32_t count = 0;

    if (!def || !def->dropped_count)
        return;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct column_def *column = table_def_column_by_id(def, row->cells[i].column_id);

        /* An id that is not yet given is of a column that the plan is too old to know. */
        if (column ? row->cells[i].timestamp_us <= column->hidden_until_us
                   : row->cells[i].column_id < def->column_id_next)
            continue;
        row->cells[count++] = row->cells[i];
    }
    assert(count <= row->cell_count);
    row->cell_count = count;
}

/* The static row, as live cells; NULL if none. Of the record, which it changes. A partition may
 * live by it alone, without any row. */
static const struct row *live_static(struct read_context *r, struct partition_cover *cover)
{
    struct row *row;

    if (!cover->record.cell_count)
        return NULL;
    row = arena_alloc(r->arena, sizeof(*row)); /* the result outlives the cover */
    *row = cover->record;
    row->deletion = DELETION_NONE;
    drop_lost_cells(r->command->def, row);
    return row_hide(row, cover->deletion, r->command->now_s) ? row : NULL;
}

/* Only when the record says that there are any: most partitions have none, and pay nothing. */
static enum status open_ranges(struct read_context *r, struct bytes partition, struct partition_cover *cover)
{
    assert(!cover->has_ranges);
    cover->ranges = (struct range_cursor){ .ops = r->shard->ops,
                                           .store = r->shard->store,
                                           .snapshot = r->snapshot,
                                           .arena = r->arena,
                                           .may_wait = r->may_wait,
                                           .reversed = r->command->reversed,
                                           .gc_before_s = r->gc_before_s };
    cover->has_ranges = true;
    return range_cursor_open(&cover->ranges, partition, r->err);
}

static void close_ranges(struct partition_cover *cover)
{
    if (cover->has_ranges)
        range_cursor_close(&cover->ranges);
    cover->has_ranges = false;
}

/* No limit is a limit that is never passed. */
static uint32_t tombstone_limit(const struct read_context *r)
{
    return r->command->tombstone_limit ? r->command->tombstone_limit : UINT32_MAX - 1;
}

/* Counts what a read passes and nobody sees. Too many tombstones fail it, as in Cassandra, so that
 * the data model is noticed. A loop does not look at many dead rows: the read goes on at a worker. */
static enum status count_dead(struct read_context *r, uint32_t tombstones, uint32_t hidden)
{
    r->collector->work.tombstones_read += tombstones;
    r->hidden += hidden;
    if (r->collector->work.tombstones_read > tombstone_limit(r)) {
        r->collector->work.tombstones_read = tombstone_limit(r) + 1; /* who counts one by one stops here */
        return error_set(r->err, ERR_READ_FAILURE, "Scanned over %u tombstones", tombstone_limit(r));
    }
    if (r->hidden > HIDDEN_INLINE_MAX && !r->may_wait)
        return error_set(r->err, ERR_WOULD_WAIT, "a long way through deleted rows");
    if (r->hidden > HIDDEN_MAX)
        return error_set(r->err, ERR_READ_FAILURE, "Scanned over %d deleted rows", HIDDEN_MAX);
    return OK;
}

/* What the cursor has passed since it was asked last. */
static enum status count_markers(struct read_context *r, struct partition_cover *cover)
{
    uint32_t markers = cover->ranges.markers, passed = cover->ranges.passed;

    if (!passed)
        return OK;
    assert(cover->has_ranges && markers <= 2 * passed);
    cover->ranges.markers = cover->ranges.passed = 0;
    return count_dead(r, markers, passed);
}

/* The place that a bound of a slice's keys stands for; NULL data: behind all rows. */
static struct bytes place_of(const struct buffer *bound, size_t skip)
{
    assert(skip > KEY_PREFIX_BYTES);
    return bound->size >= skip && bound->data[skip - 1] == KEY_ROW ? bytes_of(bound->data + skip, bound->size - skip)
                                                                   : (struct bytes){ 0 };
}

/* The cursor goes in the direction of the read. Where the partition has no range tombstones there
 * is none, here and below. */
static enum status begin_ranges(struct read_context *r, struct partition_cover *cover, struct bytes lower,
                                struct bytes upper)
{
    return cover->has_ranges ? range_cursor_seek(&cover->ranges, r->command->reversed ? upper : lower, r->err) : OK;
}

/* Those behind the slice's last row: they count too. */
static enum status end_ranges(struct read_context *r, struct partition_cover *cover, struct bytes lower,
                              struct bytes upper)
{
    enum status status;

    if (!cover->has_ranges)
        return OK;
    status = range_cursor_drain(&cover->ranges, r->command->reversed ? lower : upper, tombstone_limit(r), r->err);
    return status ? status : count_markers(r, cover);
}

/* What hides rows of the partition. With watched keys the ranges, which are keys that nobody looks
 * up, would not be seen to change: such a read begins again under a snapshot. */
static enum status read_cover(struct read_context *r, struct buffer *partition, struct partition_cover *cover)
{
    struct store_value value = { 0 };
    enum status status;

    cover->deletion = DELETION_NONE;
    cover->record = ROW_EMPTY;
    cover->has_ranges = false;
    buffer_append_u8(partition, KEY_PARTITION);
    status = get(r, buffer_bytes(partition), &value);
    partition->size--;
    if (status == OK)
        status = decode_record(r, value.bytes, cover);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    store_value_release(&value);
    if (status || !cover->record.has_range_tombstones)
        return status;
    if (r->watches) { /* the keys of ranges are not looked up one by one */
        r->moved = true;
        return OK;
    }
    return open_ranges(r, buffer_bytes(partition), cover);
}

/* Most rows have nothing that could be dead, and are not counted. */
static bool may_have_dead(const struct row *row)
{
    bool dead = row->deletion.timestamp_us != TIMESTAMP_NONE || row->liveness.ttl_s || row->complex_count;

    for (uint32_t i = 0; i < row->cell_count; i++)
        dead |= row->cells[i].kind == CELL_TOMBSTONE || row->cells[i].kind == CELL_EXPIRING;
    return dead;
}

/* Hands a stored row on if anything of it lives: decodes it, leaves out what was dropped, counts
 * what is dead, hides it. The order is not free: cells of dropped columns go before the row is
 * hidden, for they must keep no row alive, and the dead are counted before they are hidden, while
 * they are still there. */
static enum status take_row(struct read_context *r, struct partition_cover *cover, struct bytes clustering,
                            struct bytes value, bool *enough)
{
    struct row *row = arena_alloc(r->arena, sizeof(*row));
    struct deletion deletion = cover->deletion;
    enum status status = leave_large(r, value);
    uint32_t dead = 0;

    *enough = false;
    if (status)
        return status;
    if (cover->has_ranges) {
        struct deletion range;

        status = range_cursor_find(&cover->ranges, clustering, &range, r->err);
        if (!status)
            status = count_markers(r, cover);
        if (status)
            return status;
        if (deletion_supersedes(range, deletion))
            deletion = range;
    }
    /* Of a copy: the engine's bytes move on. */
    status = row_decode_under(r->arena, arena_copy(r->arena, value), deletion, row, r->err);
    if (status)
        return tell_unreadable(r, status);
    drop_lost_cells(r->command->def, row);
    if (may_have_dead(row))
        dead = row_count_dead(row, deletion, r->command->now_s, r->gc_before_s);
    if (row_hide(row, deletion, r->command->now_s)) {
        *enough = collector_add(r->collector, arena_copy(r->arena, clustering), row);
        return dead ? count_dead(r, dead, 0) : OK;
    }
    return count_dead(r, dead, 1);
}

/* Bounds of a slice as keys. A bound is a prefix: behind all that begin with it is its successor.
 * Examples, with clusterings (a, b): a > 1 begins at the successor of the prefix (1), behind all
 * its rows; a <= 1 ends there; a < 1 ends at (1), before them. A slice without an end ends before
 * what would be the next kind of key. */
static void slice_bounds(const struct slice *slice, struct bytes partition, struct buffer *lower, struct buffer *upper)
{
    buffer_reset(lower);
    buffer_append_bytes(lower, partition);
    buffer_append_u8(lower, KEY_ROW);
    buffer_append_bytes(lower, slice->start);
    if (slice->start.size && !slice->start_inclusive)
        key_prefix_successor(lower);
    buffer_reset(upper);
    buffer_append_bytes(upper, partition);
    buffer_append_u8(upper, slice->end.size ? KEY_ROW : KEY_ROW + 1);
    buffer_append_bytes(upper, slice->end);
    if (slice->end.size && slice->end_inclusive)
        key_prefix_successor(upper);
}

/* Strictly after (before, reversed) the clustering where the last page ended. */
static void cut_bounds(const struct read_command *command, size_t prefix, struct buffer *lower, struct buffer *upper)
{
    struct bytes after = command->after_clustering;
    struct buffer *bound = command->reversed ? upper : lower;
    struct bytes now = bytes_of(bound->data + prefix, bound->size - prefix);

    if (command->reversed) {
        /* An upper bound shorter than the prefix, or of the next kind, is behind all rows. */
        if (upper->size >= prefix && upper->data[prefix - 1] == KEY_ROW && bytes_compare(now, after) <= 0)
            return;
        memcpy(upper->data, lower->data, prefix - 1);
        upper->data[prefix - 1] = KEY_ROW;
        upper->size = prefix;
        buffer_append_bytes(upper, after);
        return;
    }
    if (lower->size < prefix || lower->data[prefix - 1] != KEY_ROW || bytes_compare(now, after) > 0)
        return;
    lower->size = prefix;
    buffer_append_bytes(lower, after);
    buffer_append_u8(lower, 0); /* full clusterings are prefix-free: nothing lies between */
}

/* One scan over the slice's rows, and the cursor of ranges beside it. The scan is opened before
 * it is asked whether the store has moved: from then on it shows one state, so the record, which
 * was looked up before, and the rows are of the same one if nothing was written in between. */
static enum status read_slice(struct read_context *r, struct partition_cover *cover, const struct slice *slice,
                              struct bytes partition, bool cut, bool *enough)
{
    const struct store_ops *ops = r->shard->ops;
    struct store_scan_options options = { .family = STORE_DATA, .snapshot = r->snapshot, .may_wait = r->may_wait };
    size_t skip = partition.size + 1, more = cut ? r->command->after_clustering.size : 0;
    struct buffer lower = fixed_buffer(r->arena, skip + 1 + (slice->start.size > more ? slice->start.size : more));
    struct buffer upper = fixed_buffer(r->arena, skip + 1 + (slice->end.size > more ? slice->end.size : more));
    struct store_scan *scan;
    enum status status;

    slice_bounds(slice, partition, &lower, &upper);
    if (cut)
        cut_bounds(r->command, skip, &lower, &upper);
    assert(lower.size <= lower.capacity && upper.size <= upper.capacity);
    if (bytes_compare(buffer_bytes(&lower), buffer_bytes(&upper)) >= 0)
        return OK;
    options.lower = buffer_bytes(&lower);
    options.upper = buffer_bytes(&upper);
    status = ops->scan_open(r->shard->store, &options, &scan, r->err);
    if (status)
        return status;
    if (has_moved(r)) {
        store_scan_close(scan);
        return OK;
    }
    status = begin_ranges(r, cover, place_of(&lower, skip), place_of(&upper, skip));
    if (!status)
        status = r->command->reversed ? ops->scan_last(scan, r->err) : ops->scan_first(scan, r->err);
    while (!status && scan->valid) {
        status = take_row(r, cover, bytes_of(scan->key.data + skip, scan->key.size - skip), scan->value, enough);
        if (status || *enough)
            break;
        status = r->command->reversed ? ops->scan_prev(scan, r->err) : ops->scan_next(scan, r->err);
    }
    store_scan_close(scan);
    if (!status && !*enough)
        status = end_ranges(r, cover, place_of(&lower, skip), place_of(&upper, skip));
    return status;
}

/* One row by its whole key: a lookup, which bloom filters and the port's cache make cheap.
 * `partition` is lengthened for the lookup and cut back: it has room for the longest key. */
static enum status read_point(struct read_context *r, struct partition_cover *cover, const struct slice *slice,
                              struct buffer *partition, bool *enough)
{
    struct store_value value = { 0 };
    size_t size = partition->size;
    enum status status;

    buffer_append_u8(partition, KEY_ROW);
    buffer_append_bytes(partition, slice->start);
    status = get(r, buffer_bytes(partition), &value);
    partition->size = size;
    if ((status == OK || status == ERR_NOT_FOUND) && has_moved(r)) {
        status = OK;
    } else if (status == OK) {
        if (cover->has_ranges) /* from one place before or behind to the next: a seek, not a way */
            status = range_cursor_seek_point(&cover->ranges, slice->start, r->err);
        if (!status)
            status = take_row(r, cover, slice->start, value.bytes, enough);
    } else if (status == ERR_NOT_FOUND)
        status = OK;
    store_value_release(&value);
    return status;
}

/* Whether a row looked up by its whole clustering was delivered by an earlier page. */
static bool is_past(const struct read_command *command, struct bytes clustering)
{
    int order = bytes_compare(clustering, command->after_clustering);

    return command->reversed ? order >= 0 : order <= 0;
}

/* In the order that was asked for, until somebody has enough. Slices are sorted and do not
 * overlap, so reversed means the last one first and each of them backwards. None named: one slice
 * of everything. */
static enum status read_slices(struct read_context *r, struct partition_cover *cover, struct buffer *partition,
                               bool cut)
{
    static const struct slice everything = { 0 };
    const struct read_command *command = r->command;
    const struct slice *slices = command->slice_count ? command->slices : &everything;
    uint32_t count = command->slice_count ? command->slice_count : 1;
    bool enough = false;

    for (uint32_t i = 0; i < count && !enough && !r->moved; i++) {
        const struct slice *slice = &slices[command->reversed ? count - 1 - i : i];
        enum status status;

        if (!command->slices_are_rows)
            status = read_slice(r, cover, slice, buffer_bytes(partition), cut, &enough);
        else if (!cut || !is_past(command, slice->start))
            status = read_point(r, cover, slice, partition, &enough);
        else
            continue;
        if (status)
            return status;
    }
    return OK;
}

/* What follows the partition's key in the keys that are looked up. */
static size_t longest_clustering(const struct read_command *command)
{
    size_t longest = 0;

    for (uint32_t i = 0; command->slices_are_rows && i < command->slice_count; i++)
        longest = command->slices[i].start.size > longest ? command->slices[i].start.size : longest;
    return longest;
}

/* The row's places in memory are on their way while the partition's record is looked up. */
static void prefetch_row(struct read_context *r, struct buffer *partition)
{
    size_t size = partition->size;
    uint64_t hash;

    buffer_append_u8(partition, KEY_ROW);
    buffer_append_bytes(partition, r->command->slices[0].start);
    hash = version_hash(&r->shard->versions, buffer_bytes(partition));
    partition->size = size;
    __builtin_prefetch((const void *)version_of(&r->shard->versions, hash));
    row_cache_prefetch(r->port->rows, hash);
}

/* All keys fit into one buffer in the arena, which is made once for all lookups. */
static enum status read_partition(struct read_context *r)
{
    const struct read_command *command = r->command;
    struct buffer partition =
        fixed_buffer(r->arena, KEY_PREFIX_BYTES + 2 * command->partition_key.size + 3 + longest_clustering(command));
    struct partition_cover cover;
    bool cut = !bytes_is_null(command->after_clustering);
    enum status status;

    r->token = command->token;
    r->partition_key = command->partition_key;
    key_encode_partition(&partition, command->table_id, command->token, command->partition_key);
    if (r->watches && r->port->rows)
        prefetch_row(r, &partition);
    status = read_cover(r, &partition, &cover);
    if (status || r->moved) {
        close_ranges(&cover);
        return status;
    }
    assert(r->watches || r->snapshot || r->sequence);
    r->collector->work.last_token = command->token;
    collector_begin(r->collector, command->token, command->partition_key, live_static(r, &cover),
                    !command->after_static);
    status = read_slices(r, &cover, &partition, cut);
    close_ranges(&cover);
    if (!status)
        collector_end(r->collector);
    return status;
}

/* ---- scans over partitions ---- */

struct token_scan {
    struct read_context *r;
    struct store_scan *scan;
    struct buffer prefix; /* of the partition at hand: table, token, partition key */
    struct buffer key;    /* its unescaped partition key */
    struct partition_cover cover;
    struct bytes partition_key;
    int64_t token;
    bool open;    /* a partition is at hand */
    bool resumed; /* it is the one where the last page ended */
    bool begun;   /* the collector knows it */
};

/* The static row is known only when the record was passed, which comes before the rows: so the
 * collector hears of the partition late. */
static void begin_if_needed(struct token_scan *t)
{
    if (t->begun)
        return;
    collector_begin(t->r->collector, t->token, t->partition_key, live_static(t->r, &t->cover),
                    !(t->resumed && t->r->command->after_static));
    t->begun = true;
}

/* whole: its rows were gone through to the end, so that the ranges behind the last one count. */
static enum status end_partition(struct token_scan *t, bool whole)
{
    enum status status = OK;

    if (!t->open)
        return OK;
    begin_if_needed(t);
    if (whole)
        status = end_ranges(t->r, &t->cover, bytes_of("", 0), (struct bytes){ 0 });
    close_ranges(&t->cover);
    collector_end(t->r->collector);
    t->open = false;
    return status;
}

static bool is_resumed(const struct read_command *command, int64_t token, struct bytes partition_key)
{
    return !bytes_is_null(command->after_partition) && token == command->token &&
           bytes_equal(partition_key, command->after_partition);
}

/* The partition key is copied: the scan's bytes move on, the result stays. What hides its rows is
 * not known yet: its record, if it has one, and its range tombstones come next in the scan, since
 * the kinds of keys are in this order. */
static enum status begin_partition(struct token_scan *t, const struct key_parts *parts)
{
    struct bytes key = t->scan->key;

    assert(!t->open && !t->cover.has_ranges);
    buffer_reset(&t->prefix);
    buffer_append(&t->prefix, key.data, key.size - parts->clustering.size - 1);
    t->partition_key = arena_copy(t->r->arena, parts->partition_key);
    t->token = parts->token;
    t->r->collector->work.last_token = t->r->token = t->token;
    t->r->partition_key = t->partition_key;
    t->cover.deletion = DELETION_NONE;
    t->cover.record = ROW_EMPTY;
    t->cover.has_ranges = false;
    t->resumed = is_resumed(t->r->command, t->token, t->partition_key);
    t->open = true;
    t->begun = false;
    return OK;
}

/* What a scan over partitions does after a key. The last three are seeks. */
enum move { MOVE_NEXT, MOVE_NEXT_PARTITION, MOVE_PAST_RANGES, MOVE_PAST_RESUMED };

/* A seek passes over what would be many keys: the rest of a partition, its ranges, rows of earlier
 * pages. */
static enum status move_on(struct token_scan *t, enum move move)
{
    struct buffer next CLEANUP(buffer_fini) = { 0 };

    if (move == MOVE_NEXT)
        return t->r->shard->ops->scan_next(t->scan, t->r->err);
    assert(t->open);
    buffer_append_bytes(&next, buffer_bytes(&t->prefix));
    if (move == MOVE_NEXT_PARTITION) {
        buffer_append_u8(&next, KEY_ROW + 1);
    } else if (move == MOVE_PAST_RANGES) {
        buffer_append_u8(&next, KEY_ROW);
    } else {
        buffer_append_u8(&next, KEY_ROW);
        buffer_append_bytes(&next, t->r->command->after_clustering);
        buffer_append_u8(&next, 0);
    }
    return t->r->shard->ops->scan_seek(t->scan, buffer_bytes(&next), t->r->err);
}

/* The scan stands on the partition's first range tombstone. The rows may begin in the midst of them. */
static enum status meet_ranges(struct token_scan *t)
{
    struct bytes after = t->resumed ? t->r->command->after_clustering : (struct bytes){ 0 };
    enum status status;

    assert(t->open);
    status = open_ranges(t->r, buffer_bytes(&t->prefix), &t->cover);
    return status ? status
                  : range_cursor_seek(&t->cover.ranges, bytes_is_null(after) ? bytes_of("", 0) : after, t->r->err);
}

/* One key of a scan over partitions: of the one at hand, or the first of the next. Of a partition
 * the record comes first, then its range tombstones, then its rows. Where the collector wants no
 * more of the partition a seek passes over the rest. */
static enum status take_key(struct token_scan *t, enum move *move)
{
    struct read_context *r = t->r;
    const struct read_command *command = r->command;
    struct bytes key = t->scan->key;
    struct key_parts parts;
    enum status status;
    bool enough = false;

    *move = MOVE_NEXT;
    if (!t->open || key.size <= t->prefix.size || !bytes_starts_with(key, buffer_bytes(&t->prefix))) {
        status = end_partition(t, true);
        if (status || r->collector->stopped)
            return status;
        status = key_decode(key, &t->key, &parts, r->err);
        if (status)
            return status;
        status = begin_partition(t, &parts);
        if (status)
            return status;
    }
    assert(t->open && key.size > t->prefix.size);
    parts.kind = (enum key_kind)key.data[t->prefix.size];
    parts.clustering = bytes_of(key.data + t->prefix.size + 1, key.size - t->prefix.size - 1);
    if (parts.kind == KEY_PARTITION)
        return decode_record(r, t->scan->value, &t->cover);
    if (parts.kind == KEY_RANGE) {
        *move = MOVE_PAST_RANGES;
        return meet_ranges(t);
    }
    begin_if_needed(t);
    if (t->resumed && !bytes_is_null(command->after_clustering) &&
        bytes_compare(parts.clustering, command->after_clustering) <= 0) {
        *move = MOVE_PAST_RESUMED;
        return OK;
    }
    if (!slices_contain(command, parts.clustering))
        return OK;
    status = take_row(r, &t->cover, parts.clustering, t->scan->value, &enough);
    *move = enough ? MOVE_NEXT_PARTITION : MOVE_NEXT;
    if (enough && !status)
        close_ranges(&t->cover); /* those behind don't count */
    return status;
}

/* From the partition where the last page ended, or behind it. */
static void token_bounds(const struct read_command *command, struct buffer *lower, struct buffer *upper)
{
    if (bytes_is_null(command->after_partition)) {
        key_encode_token(lower, command->table_id, command->token);
    } else {
        key_encode_partition(lower, command->table_id, command->token, command->after_partition);
        if (!command->after_partition_inclusive)
            buffer_append_u8(lower, KEY_ROW + 1);
    }
    key_encode_token(upper, command->table_id, command->token_last);
    key_prefix_successor(upper);
}

/* All partitions of a range of tokens in one shard, in one scan. */
static enum status scan_shard(struct read_context *r)
{
    const struct store_ops *ops = r->shard->ops;
    struct buffer lower CLEANUP(buffer_fini) = { 0 }, upper CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .snapshot = r->snapshot, .may_wait = r->may_wait };
    struct token_scan t = { .r = r };
    enum status status;

    token_bounds(r->command, &lower, &upper);
    options.lower = buffer_bytes(&lower);
    options.upper = buffer_bytes(&upper);
    status = ops->scan_open(r->shard->store, &options, &t.scan, r->err);
    if (status)
        return status;
    status = ops->scan_first(t.scan, r->err);
    while (!status && t.scan->valid && !r->collector->stopped) {
        enum move move;

        status = take_key(&t, &move);
        if (status || r->collector->stopped)
            break;
        status = move_on(&t, move);
    }
    if (!status && (t.begun || !r->collector->stopped))
        status = end_partition(&t, !r->collector->stopped);
    if (t.open)
        close_ranges(&t.cover);
    assert(!t.cover.has_ranges);
    store_scan_close(t.scan);
    buffer_fini(&t.prefix);
    buffer_fini(&t.key);
    return status;
}

/* What was read is void, and so is what went wrong meanwhile. The arena keeps the bytes of the
 * first try until the request ends; all is read at most three times. */
static void begin_again(struct read_context *r)
{
    assert(r->moved && !r->snapshot);
    r->watches = r->moved = false;
    error_clear(r->err);
    collector_init(r->collector, r->command, r->arena);
}

/* Also of a view that holds nothing: who reads by one lets it go whatever came of its reads. */
void table_view_release(struct table_view *view)
{
    assert(!view->shard == !view->snapshot);
    if (view->snapshot)
        view->shard->ops->snapshot_release(view->shard->store, view->snapshot);
    *view = (struct table_view){ 0 };
}

/* The state that an earlier read left, if it was of this shard. One is kept, not one for each shard: who goes on inside a partition is in
 * the shard where the last read ended, and a snapshot that nobody needs would keep old versions of all
 * rows from being merged. */
static enum status look_through_view(struct read_context *r)
{
    struct table_view *view = r->command->view;
    enum status status;

    if (view->shard != r->shard) {
        table_view_release(view);
        status = r->shard->ops->snapshot(r->shard->store, r->may_wait, &view->snapshot, r->err);
        if (status)
            return status;
        view->shard = r->shard;
    }
    r->snapshot = view->snapshot;
    return OK;
}

/* Three ways to one state, cheapest first: versions of the keys, the store's number, a snapshot. The
 * first two may find that the store was written to meanwhile; then all is read again by the next
 * way. A snapshot is never void. */
static enum status read_in_one_state(struct read_context *r)
{
    const struct store_ops *ops = r->shard->ops;
    enum status status;

    assert(r->shard && !r->snapshot && !r->watches && !r->moved);
    if (r->command->view) {
        status = look_through_view(r);
        return status ? status : read_partition(r);
    }
    if (r->command->slices_are_rows && r->command->slice_count < WATCHED_MAX) {
        r->watches = true;
        status = read_partition(r);
        if (!r->moved)
            return status;
        begin_again(r);
    }
    r->sequence = r->command->slice_count <= 1 ? ops->sequence(r->shard->store) : 0;
    if (r->sequence) {
        status = read_partition(r);
        if (!r->moved)
            return status;
        begin_again(r);
    }
    status = ops->snapshot(r->shard->store, r->may_wait, &r->snapshot, r->err);
    if (status)
        return status;
    status = read_partition(r);
    ops->snapshot_release(r->shard->store, r->snapshot);
    return status;
}

/* The rows and the ranges beside them are scans of their own. */
static enum status scan_in_one_state(struct read_context *r)
{
    const struct store_ops *ops = r->shard->ops;
    enum status status;

    if (r->command->view) {
        status = look_through_view(r);
        return status ? status : scan_shard(r);
    }
    status = ops->snapshot(r->shard->store, r->may_wait, &r->snapshot, r->err);
    if (status)
        return status;
    status = scan_shard(r);
    ops->snapshot_release(r->shard->store, r->snapshot);
    return status;
}

/* A partition lies in one shard. A range of tokens goes through the shards in their order, which is
 * the order of tokens, each in a state of its own. */
static enum status read_now(struct table_port *port, const struct read_command *command, bool may_wait,
                            struct arena *arena, struct read_result *result, struct error *err)
{
    struct table_space *space = port->space;
    struct collector collector;
    struct watched watched[WATCHED_MAX];
    struct read_context r = { .command = command,
                              .port = port,
                              .arena = arena,
                              .may_wait = may_wait,
                              .collector = &collector,
                              .watched = watched,
                              .err = err };
    enum status status = OK;

    assert(!command->slices_are_rows || command->slice_count || !command->row_limit);
    collector_init(&collector, command, arena);
    r.gc_before_s = command->def ? command->now_s - command->def->params.gc_grace_s : INT64_MIN;
    if (!command->row_limit) {
        collector_finish(&collector, result);
        return OK;
    }
    if (command->virtual_def && command->virtual_def->virtual_table->waits && !may_wait)
        return ERR_WOULD_WAIT;
    if (command->virtual_def)
        return virtual_read(command->virtual_def, command, arena, result, err);
    if (!bytes_is_null(command->partition_key)) {
        r.shard = &space->shards[shard_of_token(space, command->token)];
        status = read_in_one_state(&r);
    } else {
        uint32_t last = shard_of_token(space, command->token_last);

        for (uint32_t i = shard_of_token(space, command->token); i <= last && !status && !collector.stopped; i++) {
            r.shard = &space->shards[i];
            status = scan_in_one_state(&r);
        }
    }
    if (status) {
        if (status == ERR_WOULD_WAIT)
            port->waited = 1 + r.shard->index;
        *result = (struct read_result){ .work = collector.work };
        return status;
    }
    collector_finish(&collector, result);
    return OK;
}

#ifdef HELENUS_DEBUG
/* What the flat bytes do not say is lost here, as it would be on the way to another process. */
static enum status through_bytes(const struct read_command **command, struct arena *arena, struct error *err)
{
    struct read_command *decoded = arena_new_struct(arena, struct read_command);
    struct buffer flat = { 0 };
    enum status status;

    table_encode_read(&flat, *command);
    status = table_decode_read(arena, arena_copy(arena, buffer_bytes(&flat)), decoded, err);
    buffer_fini(&flat);
    decoded->def = (*command)->def;
    decoded->virtual_def = (*command)->virtual_def;
    decoded->viewer = (*command)->viewer;
    decoded->view = (*command)->view;
    *command = decoded;
    return status;
}
#else
static inline enum status through_bytes(const struct read_command **command, struct arena *arena, struct error *err)
{
    return OK;
}
#endif

enum status table_read(struct table_port *port, const struct read_command *command, bool may_wait, struct arena *arena,
                       struct read_result *result, struct error *err)
{
    enum status status = through_bytes(&command, arena, err);

    return status ? status : read_now(port, command, may_wait, arena, result, err);
}
