/* Takes out of a space that nobody has open what cannot be read: table_space_repair, for `helenus
 * check --repair`.
 *
 * A row that cannot be read fails every read that meets it. Nothing is thrown away: what is taken
 * out is kept whole in its own shard under a key of its own (repair.h), in the same batch that puts
 * in its place what of it could be read. So a crash leaves it either as it was or kept. */
#include "table/repair.h"

#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"
#include "store/files/files.h"
#include "table/range.h"
#include "table/semantics.h"
#include "table/shard.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

enum { TAKEN_PREFIX_BYTES = 24, TAKEN_KEY_BYTES = TAKEN_PREFIX_BYTES + 8 + 8 + 4, FORMAT = 1, OWN_RECORDS = 0 };

static const uint8_t taken_prefix[TAKEN_PREFIX_BYTES] = { 0,   0,   0,   0,   0,   0,   0,   0,   'u',
                                                          'n', 'r', 'e', 'a', 'd', 'a', 'b', 'l', 'e' };

struct repairing {
    const struct table_space_options *options;
    const struct table_repair *repair;
    struct table_space *space; /* for shard_of_token and the meaning of values */
    struct store *store;       /* of the shard at hand */
    struct store_batch *batch;
    struct arena *arena; /* of one value */
    struct buffer scratch;
    uint32_t shard;
    struct table_repaired *sum;
    struct error *err;
};

/* For a reshard, which moves such an entry to the shard where its row would be. */
bool taken_position(struct bytes key, uint64_t *position)
{
    if (key.size != TAKEN_KEY_BYTES || memcmp(key.data, taken_prefix, TAKEN_PREFIX_BYTES))
        return false;
    *position = load_be64(key.data + TAKEN_PREFIX_BYTES);
    return true;
}

/* The copy; repair.h draws it. It is found by hand only: the time and a number make its key unique. */
static void keep(struct repairing *r, struct bytes key, struct bytes value)
{
    struct buffer at CLEANUP(buffer_fini) = { 0 }, kept CLEANUP(buffer_fini) = { 0 };
    uint64_t position = key.size >= KEY_PREFIX_BYTES ? load_be64(key.data + 8) : 0;

    if (shard_of_position(r->space->shard_count, position) != r->shard) /* it lies here, whatever its key says */
        position = shard_first_position(r->space->shard_count, r->shard);
    buffer_append(&at, taken_prefix, TAKEN_PREFIX_BYTES);
    buffer_append_be64(&at, position);
    buffer_append_be64(&at, (uint64_t)clock_realtime_us(r->options->clock));
    buffer_append_be32(&at, (uint32_t)r->sum->taken_count);
    assert(at.size == TAKEN_KEY_BYTES);
    buffer_append_u8(&kept, FORMAT);
    buffer_append_be32(&kept, (uint32_t)key.size);
    buffer_append_bytes(&kept, key);
    buffer_append_bytes(&kept, value);
    store_batch_put(r->batch, STORE_DATA, buffer_bytes(&at), buffer_bytes(&kept));
}

/* What stands in its place. A partition's record may have said that there are range tombstones: it
 * says so afterwards in any case, since a flag too many costs a lookup and one too few would show
 * what they deleted. */
static void put_rest(struct repairing *r, struct bytes key, enum key_kind kind, struct row *rest)
{
    struct buffer value CLEANUP(buffer_fini) = { 0 };

    rest->has_range_tombstones |= kind == KEY_PARTITION;
    if (kind == KEY_RANGE || row_is_empty(rest)) {
        store_batch_delete(r->batch, STORE_DATA, key);
        return;
    }
    fragment_encode(&value, rest);
    store_batch_put(r->batch, STORE_DATA, key, buffer_bytes(&value));
}

/* One value, in one synced batch. parts NULL: its key cannot be read either, so nothing can stand
 * in its place. It is synced before it is told, so whoever reads the report finds what it speaks
 * of. A second run finds nothing to do at this key: either it is gone, or what stands there can
 * be read. */
static enum status take_out(struct repairing *r, struct bytes key, struct bytes value, const struct key_parts *parts,
                            const struct error *why)
{
    struct table_taken taken = { .shard = r->shard, .bytes = key.size + value.size, .why = why->message };
    struct row rest = ROW_EMPTY;
    enum status status;

    assert(r->store && r->shard < r->space->shard_count);
    store_batch_clear(r->batch);
    keep(r, key, value);
    if (!parts) {
        store_batch_delete(r->batch, STORE_DATA, key);
    } else {
        taken.table_id = parts->table_id;
        taken.token = parts->token;
        taken.kind = parts->kind;
        taken.fragment_count = row_decode_rest(r->arena, value, &rest);
        put_rest(r, key, parts->kind, &rest);
        taken.rest = !row_is_empty(&rest) && parts->kind != KEY_RANGE;
    }
    assert(store_batch_count(r->batch) == 2); /* nothing goes that is not kept aside */
    status = r->options->store->write(r->store, r->batch, true, r->err);
    if (status)
        return status;
    r->sum->taken_count++;
    r->repair->taken(r->repair->context, &taken);
    return OK;
}

/* A segment has places in its key, which must decode too. A reader lays it beside the rows by
 * them, and would fail at each of its reads of the partition. */
static enum status check_range(struct repairing *r, const struct key_parts *parts, struct error *why)
{
    struct buffer lower CLEANUP(buffer_fini) = { 0 };
    struct bytes low, high;

    return range_decode(parts->clustering, &lower, &low, &high, why);
}

/* The bytes are copied: the scan moves on, and the store is written to meanwhile. */
static enum status see_value(struct repairing *r, struct bytes key, struct bytes value)
{
    struct key_parts parts;
    struct error why;
    struct row row;
    enum status status;

    r->sum->value_count++;
    arena_reset(r->arena);
    key = arena_copy(r->arena, key);
    value = arena_copy(r->arena, value);
    assert(key.size && r->batch);
    status = key_decode(key, &r->scratch, &parts, &why);
    if (status)
        return take_out(r, key, value, NULL, &why);
    if (shard_of_token(r->space, parts.token) != r->shard)
        return OK; /* sound, but not here: nobody reads it, and it is not ours to judge */
    status = row_decode(r->arena, value, &row, &why);
    if (!status && parts.kind == KEY_RANGE)
        status = check_range(r, &parts, &why);
    return status ? take_out(r, key, value, &parts, &why) : OK;
}

/* All rows; the shard's own records are not judged. The scan sees the store as it was when it was
 * opened: what is put in a value's place is not met again. */
static enum status repair_open(struct repairing *r)
{
    const struct store_ops *ops = r->options->store;
    uint8_t first[8];
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = true, .bulk = true };
    struct store_scan *scan;
    enum status status;

    store_be64(first, OWN_RECORDS + 1);
    options.lower = bytes_of(first, sizeof(first));
    status = ops->scan_open(r->store, &options, &scan, r->err);
    if (status)
        return status;
    status = ops->scan_first(scan, r->err);
    while (!status && scan->valid) {
        status = see_value(r, scan->key, scan->value);
        if (!status)
            status = ops->scan_next(scan, r->err);
    }
    store_scan_close(scan);
    return status;
}

/* The store is open for writing, as an owner would have it, and nobody else has it. */
static enum status repair_shard(struct repairing *r)
{
    char path[PATH_MAX], name[SHARD_NAME_MAX];
    struct store_options store = { .path = path,
                                   .environment = r->options->store_environment,
                                   .semantics = &r->space->semantics };
    enum status status;

    layout_shard_name(r->space->generation, r->shard, name);
    snprintf(path, sizeof(path), "%s/%s", r->options->directory, name);
    status = r->options->store->open(&store, &r->store, r->err);
    if (status)
        return status;
    status = repair_open(r);
    r->options->store->close(r->store);
    return status;
}

/* A directory that is not whole is refused: what is missing could be what makes a value unreadable. */
enum status table_space_repair(const struct table_space_options *options, const struct table_repair *repair,
                               struct table_repaired *sum, struct error *err)
{
    struct file_system *files = options->files ? options->files : file_system_posix();
    struct table_space *space = xcalloc(1, sizeof(*space));
    struct repairing r = { .options = options,
                           .repair = repair,
                           .space = space,
                           .batch = store_batch_new(),
                           .arena = arena_new(64 << 10),
                           .sum = sum,
                           .err = err };
    struct layout layout;
    enum status status = layout_read(files, options->directory, &layout, err);

    *sum = (struct table_repaired){ 0 };
    if (!status && (!layout.shard_count || layout.unfinished))
        status = error_set(err, ERR_CONFIG, "a first start of %s did not come to its end: start helenus",
                           options->directory);
    if (!status)
        status = layout_check_whole(files, options->directory, &layout, err);
    space->options = *options;
    space->semantics = space_semantics(space);
    space->shard_count = status ? 0 : layout.shard_count;
    space->generation = status ? 0 : layout.generation;
    for (r.shard = 0; !status && r.shard < space->shard_count; r.shard++)
        status = repair_shard(&r);
    store_batch_free(r.batch);
    buffer_fini(&r.scratch);
    arena_free(r.arena);
    free(space);
    return status;
}
