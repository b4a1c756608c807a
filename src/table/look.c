/* How a command looks at the rows of its partition, on the owner: in the store, through the turn's
 * own batch, so that it sees what the commands before it in the turn have written. A prefetcher
 * looks in the same way, at the store alone.
 *
 * Conditions, counters and operations on lists look here. What they see is the live row, as a reader
 * would, with two things a reader does not need: the newest timestamp of all that was read, above
 * which the write must be stamped; and large rows, which are kept (kept.h) so that the next command
 * need not take them apart again. */
#include "table/look.h"

#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"
#include "table/kept.h"
#include "table/read.h"

#include <assert.h>
#include <stdlib.h>

/* Of the rows before a partition's first live one. Behind more it is not looked for: the owner has others to serve. */
enum { DEAD_ROWS_MAX = 1000, DEAD_BYTES_MAX = 4 << 20 };

/* The value of a key through the batch, in the look's arena. ERR_WOULD_WAIT if it is on the disk and
 * the command may not wait: then a prefetcher reads it and the command runs again. */
static enum status get(struct look *look, struct bytes key, bool *found, struct bytes *value)
{
    struct store_read_options options = { .may_wait = look->header->may_wait };
    struct buffer got = { 0 };
    enum status status = store_get_through(look->shard->ops, look->shard->store, &look->shard->space->semantics,
                                           look->batch, STORE_DATA, key, &options, &got, found, look->err);

    if (!status && *found)
        *value = arena_copy(look->arena, buffer_bytes(&got));
    buffer_fini(&got);
    return status;
}

/* Deletions count as well: a write that is older than one would be gone at once. */
static int64_t newest_of(const struct row *row, int64_t newest_us)
{
    if (row->liveness.timestamp_us > newest_us)
        newest_us = row->liveness.timestamp_us;
    if (row->deletion.timestamp_us > newest_us)
        newest_us = row->deletion.timestamp_us;
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].timestamp_us > newest_us)
            newest_us = row->cells[i].timestamp_us;
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (row->complexes[i].deletion.timestamp_us > newest_us)
            newest_us = row->complexes[i].deletion.timestamp_us;
    return newest_us;
}

/* The write that follows a condition gets a timestamp above every one that was read and that the
 * server's clock could have made. One that a client put far into the future is not followed there,
 * as in Cassandra, where the ballot is the clock's: else one such write would push all later ones
 * into the future. */
static int64_t follow(struct look *look, int64_t newest_us, int64_t read_us)
{
    int64_t now_us = atomic_load(&look->shard->space->clock_us), wall_us = space_realtime_us(look->shard->space);

    if (wall_us > now_us)
        now_us = wall_us;
    return read_us > newest_us && read_us <= now_us ? read_us : newest_us;
}

/* The record has the partition's deletion, its static row and the flag for range tombstones. `key`
 * is left at the partition's prefix, where callers put the rest. */
enum status look_read_partition(struct look *look, struct buffer *key, int64_t *newest_us)
{
    const struct command_header *header = look->header;
    struct bytes value;
    bool found;
    enum status status;

    assert(!key->size && look->batch && look->overlay);
    look->record = ROW_EMPTY;
    key_encode_partition(key, header->table_id, header->token, header->partition_key);
    buffer_append_u8(key, KEY_PARTITION);
    status = get(look, buffer_bytes(key), &found, &value);
    assert(key->size > KEY_PREFIX_BYTES + 1);
    key->size--;
    if (status || !found)
        return status;
    status = row_decode(look->arena, value, &look->record, look->err);
    if (!status)
        *newest_us = follow(look, *newest_us, newest_of(&look->record, INT64_MIN));
    return status;
}

/* The newest deletion that hides a row from outside: the partition's, or a range tombstone that
 * covers it. Without the flag no range is looked for. */
static enum status cover_of(struct look *look, struct buffer *key, struct bytes clustering, struct deletion *cover,
                            int64_t *range_us)
{
    struct range_owner owner = { look->shard->ops, look->shard->store,     look->batch, look->overlay, look->arena,
                                 look->err,        look->header->may_wait, look->known };
    struct deletion range;
    enum status status;

    *cover = look->record.deletion;
    *range_us = TIMESTAMP_NONE;
    if (!look->record.has_range_tombstones)
        return OK;
    status = range_find(&owner, buffer_bytes(key), clustering, &range);
    if (status)
        return status;
    *range_us = range.timestamp_us;
    if (deletion_supersedes(range, *cover))
        *cover = range;
    return OK;
}

/* The newest timestamp of anything that deletes something in the row. A kept row must be forgotten
 * if something as old is written: whether it would live can then not be told from the living cells
 * alone. */
static int64_t newest_dead(const struct table_def *def, const struct row *row, struct deletion cover)
{
    int64_t dead_us = row->deletion.timestamp_us > cover.timestamp_us ? row->deletion.timestamp_us : cover.timestamp_us;

    for (uint32_t i = 0; def && def->dropped_count && i < def->column_count; i++) /* they were dropped, and came back */
        if (def->columns[i].hidden_until_us > dead_us)
            dead_us = def->columns[i].hidden_until_us;
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].kind != CELL_LIVE && row->cells[i].timestamp_us > dead_us)
            dead_us = row->cells[i].timestamp_us;
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (row->complexes[i].deletion.timestamp_us > dead_us)
            dead_us = row->complexes[i].deletion.timestamp_us;
    return dead_us;
}

/* A row as it is stored, of a partition whose record was read, and the live one of it. *dead_us as
 * newest_dead says. The static row is the record itself, copied, since it is hidden in place. */
static enum status read_stored(struct look *look, struct buffer *key, bool is_static, struct bytes clustering,
                               struct kept_row_view *view, int64_t *dead_us)
{
    struct row *row = arena_new_struct(look->arena, struct row);
    struct deletion cover;
    enum status status = OK;
    struct bytes value;
    bool found = true;

    *view = (struct kept_row_view){ NULL, TIMESTAMP_NONE, TIMESTAMP_NONE };
    if (is_static) {
        *row = look->record;
        row->deletion = DELETION_NONE;
        row->cells = arena_alloc(look->arena, sizeof(*row->cells) * (row->cell_count + 1));
        if (row->cell_count)
            memcpy(row->cells, look->record.cells, sizeof(*row->cells) * row->cell_count);
        cover = look->record.deletion;
    } else {
        size_t size = key->size;

        buffer_append_u8(key, KEY_ROW);
        buffer_append_bytes(key, clustering);
        status = get(look, buffer_bytes(key), &found, &value);
        key->size = size;
        if (status || !found)
            return status;
        status = cover_of(look, key, clustering, &cover, &view->range_us);
        if (!status)
            status = row_decode_under(look->arena, value, cover, row, look->err);
        if (status)
            return status;
    }
    assert(found);
    view->newest_us = newest_of(row, INT64_MIN);
    drop_lost_cells(look->def, row);
    *dead_us = newest_dead(look->def, row, cover);
    if (row_hide(row, cover, look->header->now_s))
        view->live = row;
    return OK;
}

/* A range that covers the row was read too. */
static void follow_view(struct look *look, const struct kept_row_view *view, int64_t *newest_us)
{
    *newest_us = follow(look, *newest_us, view->range_us);
    *newest_us = follow(look, *newest_us, view->newest_us);
}

/* The key under which a row is kept in mind: the same as in the store. */
static void encode_row_key(struct buffer *key, const struct command_header *header, bool is_static,
                           struct bytes clustering)
{
    assert(!key->size);
    key_encode_partition(key, header->table_id, header->token, header->partition_key);
    buffer_append_u8(key, is_static ? KEY_PARTITION : KEY_ROW);
    if (!is_static)
        buffer_append_bytes(key, clustering);
}

/* First among the rows that are kept. The partition's record is read only if a row must be read from
 * the store, and then once for all rows of a command. */
enum status look_read_live(struct look *look, struct buffer *key, bool *has_record, bool is_static,
                           struct bytes clustering, const struct row **live, int64_t *newest_us)
{
    const struct command_header *header = look->header;
    struct buffer row_key CLEANUP(buffer_fini) = { 0 }, record CLEANUP(buffer_fini) = { 0 };
    const struct kept_row_view *kept = NULL;
    struct kept_row_view view;
    enum status status = OK;
    int64_t dead_us;

    if (look->kept && !kept_rows_are_none(look->kept)) {
        encode_row_key(&row_key, header, is_static, clustering);
        kept = kept_rows_find(look->kept, buffer_bytes(&row_key), look->def->version);
    }
    if (kept) {
        follow_view(look, kept, newest_us);
        *live = kept->live;
        return OK;
    }
    if (!*has_record)
        status = look_read_partition(look, key, newest_us);
    *has_record |= !status;
    if (!status)
        status = read_stored(look, key, is_static, clustering, &view, &dead_us);
    if (status)
        return status;
    assert(*has_record);
    follow_view(look, &view, newest_us);
    *live = view.live;
    if (!view.live || !look->kept || view.live->cell_count < KEPT_CELLS_MIN)
        return OK;
    buffer_reset(&row_key);
    encode_row_key(&row_key, header, is_static, clustering);
    key_encode_partition(&record, header->table_id, header->token, header->partition_key);
    buffer_append_u8(&record, KEY_PARTITION);
    kept_rows_keep(look->kept, buffer_bytes(&row_key), buffer_bytes(&record), look->def->version, &view, dead_us);
    return OK;
}

/* ---- the first row ---- */

/* For qsort: the order of the store. */
static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* The keys below `prefix` that the batch writes, in order, possibly several times. Most batches
 * touch another partition: that is asked first. */
static struct bytes *batch_keys(const struct look *look, struct bytes prefix, size_t *count)
{
    size_t all = store_batch_count(look->batch), kept = 0;
    struct bytes *keys;

    *count = 0;
    if (!store_batch_touches(look->batch, STORE_DATA, prefix))
        return NULL;
    keys = arena_new_array(look->arena, struct bytes, all);
    for (size_t i = 0; i < all; i++) {
        struct store_op op = store_batch_at(look->batch, i);

        if (op.family == STORE_DATA && op.kind != STORE_DELETE_RANGE && bytes_starts_with(op.key, prefix))
            keys[kept++] = op.key;
    }
    assert(kept <= all);
    qsort(keys, kept, sizeof(*keys), compare_keys);
    *count = kept;
    return keys;
}

/* The first live row of what the scan and the batch hold, side by side. Each key is looked at
 * through the batch, so one that the batch deletes is found dead. After so many dead ones the search
 * ends: the owner has others to serve, and what it would find only tells a refused client more. */
static enum status find_live(struct look *look, struct buffer *key, enum cas_kind kind, struct store_scan *scan,
                             const struct bytes *batch, size_t batch_count, struct cas_seen *seen)
{
    size_t prefix = key->size + 1, dead_bytes = 0;
    struct kept_row_view view;
    int64_t dead_us;
    enum status status = look->shard->ops->scan_first(scan, look->err);

    for (uint32_t dead = 0; !status && dead < DEAD_ROWS_MAX && dead_bytes < DEAD_BYTES_MAX; dead++) {
        int order = !scan->valid ? 1 : !batch_count ? -1 : bytes_compare(scan->key, *batch);
        struct bytes at;

        if (!scan->valid && !batch_count)
            break;
        assert(order <= 0 ? scan->valid : batch_count > 0);
        at = arena_copy(look->arena, order <= 0 ? scan->key : *batch);
        seen->clustering = bytes_of(at.data + prefix, at.size - prefix);
        dead_bytes += order <= 0 ? scan->value.size : 0;
        while (batch_count && bytes_equal(*batch, at)) {
            batch++;
            batch_count--;
        }
        if (order <= 0)
            status = look->shard->ops->scan_next(scan, look->err);
        if (!status)
            status = read_stored(look, key, false, seen->clustering, &view, &dead_us);
        if (status)
            return status;
        seen->row = view.live;
        if (seen->row && (kind == CAS_FIRST_ROW || seen->row->liveness.timestamp_us != TIMESTAMP_NONE))
            return status;
    }
    *seen = (struct cas_seen){ 0 };
    return status;
}

/* The scan lies over the rows of the partition alone. */
enum status look_first_row(struct look *look, struct buffer *key, enum cas_kind kind, struct cas_seen *seen)
{
    const struct store_ops *ops = look->shard->ops;
    struct buffer upper CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = look->header->may_wait };
    struct store_scan *scan;
    struct bytes *batch, lower;
    size_t batch_count;
    enum status status;

    *seen = (struct cas_seen){ 0 };
    assert(cas_is_first_row(kind) && key->size > KEY_PREFIX_BYTES);
    buffer_append_bytes(&upper, buffer_bytes(key));
    buffer_append_u8(&upper, KEY_ROW + 1);
    buffer_append_u8(key, KEY_ROW);
    lower = arena_copy(look->arena, buffer_bytes(key));
    key->size--;
    assert(key->size + 1 == lower.size);
    batch = batch_keys(look, lower, &batch_count);
    options.lower = lower;
    options.upper = buffer_bytes(&upper);
    status = ops->scan_open(look->shard->store, &options, &scan, look->err);
    if (status)
        return status;
    status = find_live(look, key, kind, scan, batch, batch_count, seen);
    store_scan_close(scan);
    return status;
}

enum status look_read_first_row(struct look *look, enum cas_kind kind)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    int64_t newest_us = INT64_MIN;
    struct cas_seen seen;
    enum status status = look_read_partition(look, &key, &newest_us);

    return status ? status : look_first_row(look, &key, kind, &seen);
}

/* For counters: what is stored, not what lives, since a deletion decides where counting begins
 * again. */
enum status look_read_row(struct look *look, uint8_t kind, struct bytes clustering, struct row *row,
                          struct deletion *cover)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    int64_t newest_us = INT64_MIN, range_us;
    enum status status = look_read_partition(look, &key, &newest_us);
    struct bytes value;
    bool found;

    assert(kind == KEY_PARTITION || kind == KEY_ROW);
    *row = ROW_EMPTY;
    if (status)
        return status;
    if (kind == KEY_PARTITION) {
        *row = look->record;
        *cover = look->record.deletion;
        return OK;
    }
    assert(key.size > KEY_PREFIX_BYTES);
    status = cover_of(look, &key, clustering, cover, &range_us);
    if (status)
        return status;
    buffer_append_u8(&key, KEY_ROW);
    buffer_append_bytes(&key, clustering);
    status = get(look, buffer_bytes(&key), &found, &value);
    if (!status && found)
        status = row_decode_under(look->arena, value, *cover, row, look->err);
    return status;
}
