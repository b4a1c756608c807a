/* Reads slices of partitions straight from a shard's store, on the thread that asks.
 *
 * A partition is read under one snapshot: its own record (deletion, static row, "has range tombstones"), the range tombstones only
 * if the record says so, then the rows. A single row by its full key is one more lookup instead of a scan.
 */
#include "table/shard.h"

#include "row/fragment.h"
#include "row/merge.h"

enum { RANGE_TOMBSTONES_MAX = 10000, TOMBSTONES_MAX = 100000 };

struct read_context {
    struct shard *shard;
    const struct read_command *command;
    struct arena *arena;
    struct store_snapshot *snapshot;
    bool may_wait;
    struct collector *collector;
    struct error *err;
};

struct deletion cover_at(const struct partition_cover *cover, struct bytes clustering)
{
    struct deletion newest = cover->deletion;

    for (uint32_t i = 0; i < cover->range_count; i++) {
        const struct range_cover *range = &cover->ranges[i];
        struct read_command one = { .slices = &(struct slice){ range->start, range->end, range->bounds & BOUND_START_INCLUSIVE,
                                                               range->bounds & BOUND_END_INCLUSIVE },
                                    .slice_count = 1 };

        if (range->deletion.timestamp_us > newest.timestamp_us && slices_contain(&one, clustering))
            newest = range->deletion;
    }
    return newest;
}

/* The smallest key greater than every key that begins with this one; false if there is none. */
static bool prefix_successor(struct buffer *key)
{
    while (key->size && key->data[key->size - 1] == 0xFF)
        key->size--;
    if (!key->size)
        return false;
    key->data[key->size - 1]++;
    return true;
}

static enum status decode_record(struct read_context *r, struct bytes value, struct partition_cover *cover)
{
    enum status status = row_decode(r->arena, arena_copy(r->arena, value), &cover->record, r->err);

    if (status)
        return status;
    cover->deletion = cover->record.deletion;
    return OK;
}

/* The static row, as live cells; NULL if none. Of the record, which it changes. */
static const struct row *live_static(struct read_context *r, struct partition_cover *cover)
{
    if (!cover->record.cell_count)
        return NULL;

    struct row *row = arena_alloc(r->arena, sizeof(*row)); /* the cover is the next partition's soon */
    *row = cover->record;
    row->deletion = DELETION_NONE;
    return row_hide(r->arena, row, cover->deletion, r->command->now_s) ? row : NULL;
}

static enum status add_range(struct read_context *r, struct partition_cover *cover, struct bytes clustering, struct bytes value)
{
    struct range_cover *range;
    struct row row;
    enum status status;

    if (cover->range_count == RANGE_TOMBSTONES_MAX)
        return error_set(r->err, ERR_READ_FAILURE, "more than %d range tombstones in one partition", RANGE_TOMBSTONES_MAX);
    if ((cover->range_count & (cover->range_count - 1)) == 0) {
        uint32_t capacity = cover->range_count ? cover->range_count * 2 : 1;
        struct range_cover *ranges = arena_alloc(r->arena, sizeof(*ranges) * capacity);

        if (cover->range_count)
            memcpy(ranges, cover->ranges, sizeof(*ranges) * cover->range_count);
        cover->ranges = ranges;
    }
    range = &cover->ranges[cover->range_count];
    status = command_decode_range(arena_copy(r->arena, clustering), &range->start, &range->end, &range->bounds, r->err);
    if (status)
        return status;
    status = row_decode(r->arena, arena_copy(r->arena, value), &row, r->err);
    if (status)
        return status;
    range->deletion = row.deletion;
    cover->range_count++;
    r->collector->work.tombstones_read++;
    return OK;
}

static enum status read_ranges(struct read_context *r, struct bytes partition, struct partition_cover *cover)
{
    struct buffer lower CLEANUP(buffer_fini) = { 0 }, upper CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .snapshot = r->snapshot, .may_wait = r->may_wait };
    struct store_scan *scan;
    enum status status;

    buffer_append_bytes(&lower, partition);
    buffer_append_u8(&lower, KEY_RANGE);
    buffer_append_bytes(&upper, partition);
    buffer_append_u8(&upper, KEY_RANGE + 1);
    options.lower = buffer_bytes(&lower);
    options.upper = buffer_bytes(&upper);
    status = r->shard->ops->scan_open(r->shard->store, &options, &scan, r->err);
    if (status)
        return status;
    status = r->shard->ops->scan_first(scan, r->err);
    while (!status && scan->valid) {
        status = add_range(r, cover, bytes_of(scan->key.data + lower.size, scan->key.size - lower.size), scan->value);
        if (!status)
            status = r->shard->ops->scan_next(scan, r->err);
    }
    store_scan_close(scan);
    return status;
}

static enum status read_cover(struct read_context *r, struct buffer *partition, struct partition_cover *cover)
{
    struct store_read_options options = { r->snapshot, r->may_wait };
    struct store_value value = { 0 };
    enum status status;

    *cover = (struct partition_cover){ .deletion = DELETION_NONE, .record = ROW_EMPTY };
    buffer_append_u8(partition, KEY_PARTITION);
    status = r->shard->ops->get(r->shard->store, STORE_DATA, buffer_bytes(partition), &options, &value, r->err);
    partition->size--;
    if (status == OK)
        status = decode_record(r, value.bytes, cover);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    store_value_release(&value);
    if (!status && cover->record.has_range_tombstones)
        status = read_ranges(r, buffer_bytes(partition), cover);
    return status;
}

/* Hands a stored row on if anything of it lives. */
static enum status take_row(struct read_context *r, const struct partition_cover *cover, struct bytes clustering, struct bytes value,
                            bool *enough)
{
    struct row *row = arena_alloc(r->arena, sizeof(*row));
    enum status status = row_decode(r->arena, arena_copy(r->arena, value), row, r->err); /* the engine's bytes move on */

    *enough = false;
    if (status)
        return status;
    if (row_hide(r->arena, row, cover_at(cover, clustering), r->command->now_s)) {
        *enough = collector_add(r->collector, arena_copy(r->arena, clustering), row);
        return OK;
    }
    if (++r->collector->work.tombstones_read > TOMBSTONES_MAX)
        return error_set(r->err, ERR_READ_FAILURE, "Scanned over %d tombstones", TOMBSTONES_MAX);
    return OK;
}

static void slice_bounds(const struct slice *slice, struct bytes partition, struct buffer *lower,
                         struct buffer *upper)
{
    buffer_reset(lower);
    buffer_append_bytes(lower, partition);
    buffer_append_u8(lower, KEY_ROW);
    buffer_append_bytes(lower, slice->start);
    if (slice->start.size && !slice->start_inclusive)
        prefix_successor(lower);
    buffer_reset(upper);
    buffer_append_bytes(upper, partition);
    buffer_append_u8(upper, slice->end.size ? KEY_ROW : KEY_ROW + 1);
    buffer_append_bytes(upper, slice->end);
    if (slice->end.size && slice->end_inclusive)
        prefix_successor(upper);
}

/* Strictly after (before, reversed) the clustering where the last page ended. */
static void cut_bounds(const struct read_command *command, struct bytes partition, struct buffer *lower, struct buffer *upper)
{
    struct buffer at CLEANUP(buffer_fini) = { 0 };

    if (bytes_is_null(command->after_clustering))
        return;
    buffer_append_bytes(&at, partition);
    buffer_append_u8(&at, KEY_ROW);
    buffer_append_bytes(&at, command->after_clustering);
    if (command->reversed) {
        if (bytes_compare(buffer_bytes(&at), buffer_bytes(upper)) < 0) {
            buffer_reset(upper);
            buffer_append_bytes(upper, buffer_bytes(&at));
        }
        return;
    }
    buffer_append_u8(&at, 0); /* full clusterings are prefix-free: nothing lies between */
    if (bytes_compare(buffer_bytes(&at), buffer_bytes(lower)) > 0) {
        buffer_reset(lower);
        buffer_append_bytes(lower, buffer_bytes(&at));
    }
}

static enum status read_slice(struct read_context *r, const struct partition_cover *cover, const struct slice *slice,
                              struct bytes partition, bool cut, struct buffer *lower, struct buffer *upper, bool *enough)
{
    const struct store_ops *ops = r->shard->ops;
    struct store_scan_options options = { .family = STORE_DATA, .snapshot = r->snapshot, .may_wait = r->may_wait };
    struct store_scan *scan;
    enum status status;

    slice_bounds(slice, partition, lower, upper);
    if (cut)
        cut_bounds(r->command, partition, lower, upper);
    if (bytes_compare(buffer_bytes(lower), buffer_bytes(upper)) >= 0)
        return OK;
    options.lower = buffer_bytes(lower);
    options.upper = buffer_bytes(upper);
    status = ops->scan_open(r->shard->store, &options, &scan, r->err);
    if (status)
        return status;
    status = r->command->reversed ? ops->scan_last(scan, r->err) : ops->scan_first(scan, r->err);
    while (!status && scan->valid) {
        size_t skip = partition.size + 1;

        status = take_row(r, cover, bytes_of(scan->key.data + skip, scan->key.size - skip), scan->value, enough);
        if (status || *enough)
            break;
        status = r->command->reversed ? ops->scan_prev(scan, r->err) : ops->scan_next(scan, r->err);
    }
    store_scan_close(scan);
    return status;
}

static enum status read_point(struct read_context *r, const struct partition_cover *cover, const struct slice *slice,
                              struct buffer *partition, bool *enough)
{
    struct store_read_options options = { r->snapshot, r->may_wait };
    struct store_value value = { 0 };
    size_t size = partition->size;
    enum status status;

    buffer_append_u8(partition, KEY_ROW);
    buffer_append_bytes(partition, slice->start);
    status = r->shard->ops->get(r->shard->store, STORE_DATA, buffer_bytes(partition), &options, &value, r->err);
    partition->size = size;
    if (status == OK)
        status = take_row(r, cover, slice->start, value.bytes, enough);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    store_value_release(&value);
    return status;
}

static enum status read_slices(struct read_context *r, const struct partition_cover *cover, struct buffer *partition, bool cut)
{
    static const struct slice everything = { 0 };
    const struct read_command *command = r->command;
    const struct slice *slices = command->slice_count ? command->slices : &everything;
    uint32_t count = command->slice_count ? command->slice_count : 1;
    struct buffer lower CLEANUP(buffer_fini) = { 0 }, upper CLEANUP(buffer_fini) = { 0 };
    bool enough = false;

    for (uint32_t i = 0; i < count && !enough; i++) {
        const struct slice *slice = &slices[command->reversed ? count - 1 - i : i];
        enum status status;

        if (command->slices_are_rows && !cut)
            status = read_point(r, cover, slice, partition, &enough);
        else
            status = read_slice(r, cover, slice, buffer_bytes(partition), cut, &lower, &upper, &enough);
        if (status)
            return status;
    }
    return OK;
}

static enum status read_partition(struct read_context *r)
{
    const struct read_command *command = r->command;
    uint8_t space[512];
    struct buffer partition = { space, 0, sizeof(space) };
    struct partition_cover cover;
    bool cut = !bytes_is_null(command->after_clustering);
    enum status status;

    /* Keys of usual size stay on the stack; a larger one must not realloc it. */
    if (command->partition_key.size > 200 || command->slice_count > 1 || (command->slice_count && command->slices[0].start.size > 64))
        partition = (struct buffer){ 0 };
    key_encode_partition(&partition, command->table_id, command->token, command->partition_key);
    status = read_cover(r, &partition, &cover);
    if (!status) {
        collector_begin(r->collector, command->token, command->partition_key, command->after_static ? NULL : live_static(r, &cover));
        status = read_slices(r, &cover, &partition, cut);
        if (!status)
            collector_end(r->collector);
    }
    if (partition.data != space)
        buffer_fini(&partition);
    return status;
}

/* ---- scans over partitions ---- */

struct token_scan {
    struct read_context *r;
    struct store_scan *scan;
    struct buffer prefix;       /* of the partition at hand: table, token, partition key */
    struct buffer key;          /* its unescaped partition key */
    struct partition_cover cover;
    struct bytes partition_key;
    int64_t token;
    bool open;                  /* a partition is at hand */
    bool resumed;               /* it is the one where the last page ended */
    bool begun;                 /* the collector knows it */
};

static void begin_if_needed(struct token_scan *t)
{
    const struct row *static_row;

    if (t->begun)
        return;
    static_row = t->resumed && t->r->command->after_static ? NULL : live_static(t->r, &t->cover);
    collector_begin(t->r->collector, t->token, t->partition_key, static_row);
    t->begun = true;
}

static void end_partition(struct token_scan *t)
{
    if (!t->open)
        return;
    begin_if_needed(t);
    collector_end(t->r->collector);
    t->open = false;
}

static bool is_resumed(const struct read_command *command, int64_t token, struct bytes partition_key)
{
    return !bytes_is_null(command->after_partition) && token == command->token && bytes_equal(partition_key, command->after_partition);
}

static enum status begin_partition(struct token_scan *t, const struct key_parts *parts)
{
    struct bytes key = t->scan->key;

    buffer_reset(&t->prefix);
    buffer_append(&t->prefix, key.data, key.size - parts->clustering.size - 1);
    t->partition_key = arena_copy(t->r->arena, parts->partition_key);
    t->token = parts->token;
    t->cover = (struct partition_cover){ .deletion = DELETION_NONE, .record = ROW_EMPTY };
    t->resumed = is_resumed(t->r->command, t->token, t->partition_key);
    t->open = true;
    t->begun = false;
    return OK;
}

/* To the first key after this partition. */
static enum status skip_partition(struct token_scan *t)
{
    struct buffer next CLEANUP(buffer_fini) = { 0 };

    buffer_append_bytes(&next, buffer_bytes(&t->prefix));
    buffer_append_u8(&next, KEY_ROW + 1);
    return t->r->shard->ops->scan_seek(t->scan, buffer_bytes(&next), t->r->err);
}

static enum status take_key(struct token_scan *t, bool *skip)
{
    struct read_context *r = t->r;
    const struct read_command *command = r->command;
    struct bytes key = t->scan->key;
    struct key_parts parts;
    enum status status;
    bool enough = false;

    *skip = false;
    if (!t->open || key.size <= t->prefix.size || !bytes_starts_with(key, buffer_bytes(&t->prefix))) {
        end_partition(t);
        if (r->collector->stopped)
            return OK;
        status = key_decode(key, &t->key, &parts, r->err);
        if (status)
            return status;
        status = begin_partition(t, &parts);
        if (status)
            return status;
    }
    parts.kind = (enum key_kind)key.data[t->prefix.size];
    parts.clustering = bytes_of(key.data + t->prefix.size + 1, key.size - t->prefix.size - 1);
    if (parts.kind == KEY_PARTITION)
        return decode_record(r, t->scan->value, &t->cover);
    if (parts.kind == KEY_RANGE)
        return add_range(r, &t->cover, parts.clustering, t->scan->value);
    begin_if_needed(t);
    if (t->resumed && !bytes_is_null(command->after_clustering) && bytes_compare(parts.clustering, command->after_clustering) <= 0)
        return OK;
    if (!slices_contain(command, parts.clustering))
        return OK;
    status = take_row(r, &t->cover, parts.clustering, t->scan->value, &enough);
    *skip = enough;
    return status;
}

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
    prefix_successor(upper);
}

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
        bool skip;

        status = take_key(&t, &skip);
        if (status || r->collector->stopped)
            break;
        status = skip ? skip_partition(&t) : ops->scan_next(t.scan, r->err);
    }
    if (!status && (t.begun || !r->collector->stopped))
        end_partition(&t);
    store_scan_close(t.scan);
    buffer_fini(&t.prefix);
    buffer_fini(&t.key);
    return status;
}

static enum status read_shard(struct read_context *r, enum status (*body)(struct read_context *r))
{
    enum status status = r->shard->ops->snapshot(r->shard->store, r->may_wait, &r->snapshot, r->err);

    if (status)
        return status;
    status = body(r);
    r->shard->ops->snapshot_release(r->shard->store, r->snapshot);
    return status;
}

enum status table_read(struct table_port *port, const struct read_command *command, bool may_wait, struct arena *arena,
                       struct read_result *result, struct error *err)
{
    struct table_space *space = port->space;
    struct collector collector;
    struct read_context r = { .command = command, .arena = arena, .may_wait = may_wait, .collector = &collector, .err = err };
    enum status status = OK;

    collector_init(&collector, command, arena);
    if (!command->row_limit) {
        collector_finish(&collector, result);
        return OK;
    }
    if (command->virtual_def)
        return virtual_read(command->virtual_def, command, arena, result, err);
    if (!bytes_is_null(command->partition_key)) {
        r.shard = &space->shards[shard_of_token(space, command->token)];
        status = read_shard(&r, read_partition);
    } else {
        uint32_t last = shard_of_token(space, command->token_last);

        for (uint32_t i = shard_of_token(space, command->token); i <= last && !status && !collector.stopped; i++) {
            r.shard = &space->shards[i];
            status = read_shard(&r, scan_shard);
        }
    }
    if (status)
        return status;
    collector_finish(&collector, result);
    return OK;
}
