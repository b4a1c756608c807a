/* Compare and set, on the owner: reads the rows that the conditions look at, through the turn's own batch, and decides. In the same
 * way it looks at the lists that operations change by place or by value.
 *
 * The result of a refusal, flat: part count (4) | per part: exists (1) | clustering: size (4), bytes (of a first row) |
 *                                fragment: size (4), bytes (live cells only).
 */
#include "table/cas.h"

#include "row/fragment.h"
#include "row/key.h"
#include "row/merge.h"
#include "row/place.h"
#include "table/kept.h"
#include "table/read.h"
#include "types/value.h"

#include <assert.h>
#include <stdlib.h>

/* Of the rows before a partition's first live one. Behind more it is not looked for: the owner has others to serve. */
enum { DEAD_ROWS_MAX = 1000, DEAD_BYTES_MAX = 4 << 20 };

static enum status get(struct cas_look *look, struct bytes key, bool *found, struct bytes *value)
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

/* An LWT's timestamp is above every timestamp it read that the server's clock could have made; one that a client put far into the
 * future is not followed there, as in Cassandra, where the ballot is the clock's. */
static int64_t follow(struct cas_look *look, int64_t newest_us, int64_t read_us)
{
    int64_t now_us = atomic_load(&look->shard->space->clock_us),
            wall_us = look->shard->space->options.now_us(look->shard->space->options.clock);

    if (wall_us > now_us)
        now_us = wall_us;
    return read_us > newest_us && read_us <= now_us ? read_us : newest_us;
}

static enum status read_partition(struct cas_look *look, struct buffer *key, int64_t *newest_us)
{
    const struct command_header *header = look->header;
    struct bytes value;
    bool found;
    enum status status;

    look->record = ROW_EMPTY;
    key_encode_partition(key, header->table_id, header->token, header->partition_key);
    buffer_append_u8(key, KEY_PARTITION);
    status = get(look, buffer_bytes(key), &found, &value);
    key->size--;
    if (status || !found)
        return status;
    status = row_decode(look->arena, value, &look->record, look->err);
    if (!status)
        *newest_us = follow(look, *newest_us, newest_of(&look->record, INT64_MIN));
    return status;
}

/* What hides a row: the partition's deletion or a range tombstone. */
static enum status cover_of(struct cas_look *look, struct buffer *key, struct bytes clustering, struct deletion *cover,
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

/* A row as it is stored, of a partition whose record was read, and the live one of it. *dead_us: the newest timestamp of what deletes
 * anything in it. */
static enum status read_stored(struct cas_look *look, struct buffer *key, bool is_static, struct bytes clustering,
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
    view->newest_us = newest_of(row, INT64_MIN);
    drop_lost_cells(look->def, row);
    *dead_us = newest_dead(look->def, row, cover);
    if (row_hide(row, cover, look->header->now_s))
        view->live = row;
    return OK;
}

static void follow_view(struct cas_look *look, const struct kept_row_view *view, int64_t *newest_us)
{
    *newest_us = follow(look, *newest_us, view->range_us);
    *newest_us = follow(look, *newest_us, view->newest_us);
}

static void encode_row_key(struct buffer *key, const struct command_header *header, bool is_static,
                           struct bytes clustering)
{
    key_encode_partition(key, header->table_id, header->token, header->partition_key);
    buffer_append_u8(key, is_static ? KEY_PARTITION : KEY_ROW);
    if (!is_static)
        buffer_append_bytes(key, clustering);
}

/* The live row that is looked at; NULL: it does not exist. From those that are kept, and kept then if it is large. The partition's record is
 * read only if it must be: *has_record. */
static enum status read_live(struct cas_look *look, struct buffer *key, bool *has_record, bool is_static,
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
        status = read_partition(look, key, newest_us);
    *has_record |= !status;
    if (!status)
        status = read_stored(look, key, is_static, clustering, &view, &dead_us);
    if (status)
        return status;
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

static int compare_keys(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* The keys below `prefix` that the batch writes, in order. */
static struct bytes *batch_keys(const struct cas_look *look, struct bytes prefix, size_t *count)
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
    qsort(keys, kept, sizeof(*keys), compare_keys);
    *count = kept;
    return keys;
}

/* The first live one of what the scan and the batch hold, side by side. */
static enum status find_live(struct cas_look *look, struct buffer *key, enum cas_kind kind, struct store_scan *scan,
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

/* key: the partition's; its record was read. */
static enum status first_row(struct cas_look *look, struct buffer *key, enum cas_kind kind, struct cas_seen *seen)
{
    const struct store_ops *ops = look->shard->ops;
    struct buffer upper CLEANUP(buffer_fini) = { 0 };
    struct store_scan_options options = { .family = STORE_DATA, .may_wait = look->header->may_wait };
    struct store_scan *scan;
    struct bytes *batch, lower;
    size_t batch_count;
    enum status status;

    *seen = (struct cas_seen){ 0 };
    buffer_append_bytes(&upper, buffer_bytes(key));
    buffer_append_u8(&upper, KEY_ROW + 1);
    buffer_append_u8(key, KEY_ROW);
    lower = arena_copy(look->arena, buffer_bytes(key));
    key->size--;
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

enum status cas_read_first_row(struct cas_look *look, enum cas_kind kind)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    int64_t newest_us = INT64_MIN;
    struct cas_seen seen;
    enum status status = read_partition(look, &key, &newest_us);

    return status ? status : first_row(look, &key, kind, &seen);
}

/* ---- conditions ---- */

/* The value of a path in wire form: list elements have none, set elements and map keys are decoded. */
static enum status path_value(const struct type *type, const struct cell *cell, struct arena *arena,
                              struct bytes *value, struct error *err)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };
    struct bytes path = cell->path;
    enum status status;

    if (!bytes_is_null(cell->path_value)) {
        *value = cell->path_value;
        return OK;
    }
    status = value_decode_key(&path, type->params[0], false, &out, err);
    if (!status)
        *value = arena_copy(arena, buffer_bytes(&out));
    return status;
}

/* The value of a column of a live row, packed if it is stored cell by cell; NULL data: null. */
static enum status column_value(struct cas_look *look, const struct row *row, const struct column_def *column,
                                struct bytes *value)
{
    uint32_t first = row ? row_find_column(row, column->id) : 0,
             count = row ? row_find_column(row, column->id + 1) - first : 0, packed = 0;
    struct buffer out CLEANUP(buffer_fini) = { 0 };
    struct bytes *elements;

    *value = (struct bytes){ 0 };
    if (!count)
        return OK;
    if (!column->multicell) {
        *value = row->cells[first].value;
        return OK;
    }
    elements = arena_new_array(look->arena, struct bytes, 2 * count + column->type->param_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = &row->cells[first + i];
        enum status status = OK;

        switch (column->type->kind) {
        case TYPE_LIST: elements[packed++] = cell->value; break;
        case TYPE_SET: status = path_value(column->type, cell, look->arena, &elements[packed++], look->err); break;
        case TYPE_MAP:
            status = path_value(column->type, cell, look->arena, &elements[packed++], look->err);
            elements[packed++] = cell->value;
            break;
        default: /* udt: the path is the field's number */
            packed = column->type->param_count;
            if (cell->path.size == 2 && load_be16(cell->path.data) < packed)
                elements[load_be16(cell->path.data)] = cell->value;
            break;
        }
        if (status)
            return status;
    }
    value_pack(&out, column->type, elements, packed);
    *value = arena_copy(look->arena, buffer_bytes(&out));
    return OK;
}

/* The same of a frozen value, which is one cell. */
static struct bytes packed_element(const struct type *type, struct bytes packed, struct bytes path)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    struct value_iterator iterator;
    struct bytes element, value;

    if (!packed.size)
        return (struct bytes){ 0 };
    value_iterator_init(&iterator, type, packed);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++) {
        bool found;

        value = element;
        if (type->kind == TYPE_MAP) {
            if (!value_iterator_next(&iterator, &value))
                break;
            buffer_reset(&key);
            value_encode_key(&key, type->params[0], element, false);
            found = bytes_equal(buffer_bytes(&key), path);
        } else {
            found = i == (type->kind == TYPE_UDT ? load_be16(path.data) : load_be32(path.data));
        }
        if (found)
            return value;
    }
    return (struct bytes){ 0 };
}

/* One element (map: by byte-comparable key; list: by 4-byte position; udt: by field number). */
static struct bytes element_value(const struct row *row, const struct column_def *column, struct bytes path)
{
    struct cell asked = { .column_id = column->id, .path = path };
    uint32_t first = row ? row_find_column(row, column->id) : 0, end = row ? row_find_column(row, column->id + 1) : 0;

    if (first == end)
        return (struct bytes){ 0 };
    if (!column->multicell)
        return packed_element(column->type, row->cells[first].value, path);
    if (column->type->kind == TYPE_LIST)
        return load_be32(path.data) < end - first ? row->cells[first + load_be32(path.data)].value
                                                  : (struct bytes){ 0 };
    first = row_find_cell(row, &asked);
    return first < end && bytes_equal(row->cells[first].path, path) ? row->cells[first].value : (struct bytes){ 0 };
}

static bool is_path_of(const struct column_def *column, struct bytes path)
{
    switch (column->type->kind) {
    case TYPE_LIST: return path.size == 4;
    case TYPE_UDT: return path.size == 2 && load_be16(path.data) < column->type->param_count;
    case TYPE_MAP:
    case TYPE_SET: return true;
    default: return false;
    }
}

static const struct type *element_type(const struct column_def *column, struct bytes path)
{
    switch (column->type->kind) {
    case TYPE_MAP: return column->type->params[1];
    case TYPE_UDT: return column->type->params[load_be16(path.data)];
    default: return column->type->params[0];
    }
}

static bool contains(const struct type *type, struct bytes value, struct bytes wanted, bool keys)
{
    struct value_iterator iterator;
    struct bytes element;
    uint32_t i = 0;

    if (bytes_is_null(value) || bytes_is_null(wanted))
        return false;
    value_iterator_init(&iterator, type, value);
    for (; value_iterator_next(&iterator, &element); i++) {
        bool is_key = type->kind == TYPE_MAP && i % 2 == 0;
        const struct type *of = type->kind == TYPE_MAP && !is_key ? type->params[1] : type->params[0];

        if ((type->kind != TYPE_MAP || is_key == keys) && value_compare(of, element, wanted) == 0)
            return true;
    }
    return false;
}

static bool is_equal(const struct type *type, struct bytes a, struct bytes b)
{
    if (bytes_is_null(a) || bytes_is_null(b))
        return bytes_is_null(a) && bytes_is_null(b);
    return value_compare(type, a, b) == 0;
}

/* An empty collection stored cell by cell is null. */
static struct bytes empty_is_null(const struct column_def *column, struct bytes value)
{
    if (column->multicell && type_is_collection(column->type) && value.size == 4 && load_be32(value.data) == 0)
        return (struct bytes){ 0 };
    return value;
}

static bool holds(const struct type *type, enum condition_op op, struct bytes value, const struct bytes *wanted,
                  uint32_t count)
{
    int order;

    switch (op) {
    case CONDITION_EQ: return is_equal(type, value, wanted[0]);
    case CONDITION_NE: return !is_equal(type, value, wanted[0]);
    case CONDITION_IN:
        for (uint32_t i = 0; i < count; i++)
            if (is_equal(type, value, wanted[i]))
                return true;
        return false;
    case CONDITION_CONTAINS: return contains(type, value, wanted[0], false);
    case CONDITION_CONTAINS_KEY: return contains(type, value, wanted[0], true);
    case CONDITION_LT:
    case CONDITION_LE:
    case CONDITION_GT:
    case CONDITION_GE: break;
    }
    if (bytes_is_null(value) || bytes_is_null(wanted[0]))
        return false;
    order = value_compare(type, value, wanted[0]);
    switch (op) {
    case CONDITION_LT: return order < 0;
    case CONDITION_LE: return order <= 0;
    case CONDITION_GT: return order > 0;
    default: return order >= 0;
    }
}

static enum status check_condition(struct cas_look *look, struct command_reader *reader, const struct row *row,
                                   bool *result)
{
    uint32_t id = command_read_u32(reader);
    enum condition_op op = (enum condition_op)command_read_u8(reader);
    struct bytes path = command_read_bytes(reader), value;
    uint32_t count = command_read_u32(reader);
    const struct column_def *column = table_def_column_by_id(look->def, id);
    const struct type *type;
    struct bytes *wanted;
    enum status status;

    if (reader->failed || count > (size_t)(reader->end - reader->at) || (!count && op != CONDITION_IN))
        return error_set(look->err, ERR_CORRUPT, "a condition is cut short");
    wanted = arena_new_array(look->arena, struct bytes, count + 1);
    for (uint32_t i = 0; i < count; i++)
        wanted[i] = command_read_bytes(reader);
    if (reader->failed)
        return error_set(look->err, ERR_CORRUPT, "a condition is cut short");
    if (!column)
        return error_set(look->err, ERR_STALE, "a column in a condition was dropped");
    if (!bytes_is_null(path) && !is_path_of(column, path))
        return error_set(look->err, ERR_CORRUPT, "a condition on an element that its column cannot have");
    if (!bytes_is_null(path)) {
        value = element_value(row, column, path);
        type = element_type(column, path);
    } else {
        status = column_value(look, row, column, &value);
        if (status)
            return status;
        type = column->type;
        value = empty_is_null(column, value);
        for (uint32_t i = 0; i < count; i++)
            wanted[i] =
                op == CONDITION_CONTAINS || op == CONDITION_CONTAINS_KEY ? wanted[i] : empty_is_null(column, wanted[i]);
    }
    *result = holds(type, op, value, wanted, count);
    return OK;
}

enum status cas_read_row(struct cas_look *look, uint8_t kind, struct bytes clustering, struct row *row,
                         struct deletion *cover)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    int64_t newest_us = INT64_MIN, range_us;
    enum status status = read_partition(look, &key, &newest_us);
    struct bytes value;
    bool found;

    *row = ROW_EMPTY;
    if (status)
        return status;
    if (kind == KEY_PARTITION) {
        *row = look->record;
        *cover = look->record.deletion;
        return OK;
    }
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

static enum status check_part(struct cas_look *look, struct buffer *key, struct command_reader *reader, bool *applied,
                              int64_t *newest_us, struct cas_seen *seen)
{
    bool has_record = true;
    enum cas_kind kind = (enum cas_kind)command_read_u8(reader);
    bool is_static = command_read_u8(reader);
    struct bytes clustering = command_read_bytes(reader);
    uint32_t count = command_read_u32(reader);
    enum status status = OK;

    *seen = (struct cas_seen){ 0 };
    if (reader->failed)
        return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
    if (!cas_is_first_row(kind))
        status = read_live(look, key, &has_record, is_static, clustering, &seen->row, newest_us);
    else if (!*applied)
        status = first_row(look, key, kind, seen);
    if (status)
        return status;
    if (kind == CAS_IF_NOT_EXISTS && seen->row)
        *applied = false;
    if (kind == CAS_IF_EXISTS && !seen->row)
        *applied = false;
    for (uint32_t i = 0; i < count; i++) {
        bool good = false;

        status = check_condition(look, reader, seen->row, &good);
        if (status)
            return status;
        *applied &= good;
    }
    return OK;
}

static void encode_seen(struct buffer *result, const struct cas_seen *seen)
{
    size_t at;

    buffer_append_u8(result, seen->row != NULL);
    buffer_append_be32(result, (uint32_t)seen->clustering.size);
    buffer_append_bytes(result, seen->clustering);
    at = result->size;
    buffer_append_be32(result, 0);
    if (seen->row)
        fragment_encode(result, seen->row);
    store_be32(result->data + at, (uint32_t)(result->size - at - 4));
}

enum status cas_decide(struct cas_look *look, struct command_reader *reader, bool *applied, int64_t *newest_us,
                       struct buffer *result)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    struct cas_seen *seen;
    enum status status;
    uint32_t count;

    for (uint32_t i = 0; i < look->header->fragment_count; i++) {
        struct command_fragment skipped;

        command_read_fragment(reader, &skipped);
        if (reader->failed)
            break;
    }
    count = command_read_u32(reader);
    if (reader->failed)
        return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
    if (count > (size_t)(reader->end - reader->at))
        return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
    if (count > 1)
        look->kept = NULL; /* to keep one row may be to forget another, which is borrowed */
    seen = arena_new_array(look->arena, struct cas_seen, count + 1);
    status = read_partition(look, &key, newest_us);
    *applied = true;
    for (uint32_t i = 0; i < count && !status; i++)
        status = check_part(look, &key, reader, applied, newest_us, &seen[i]);
    if (status || *applied)
        return status;
    buffer_append_be32(result, count);
    for (uint32_t i = 0; i < count; i++)
        encode_seen(result, &seen[i]);
    return OK;
}

/* ---- lists ---- */

enum status cas_find_places(struct cas_look *look, struct command_reader *reader, struct buffer *fragments,
                            uint32_t *count)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    int64_t newest_us = INT64_MIN;
    bool has_record = false;
    enum status status = OK;

    *count = 0;
    for (uint32_t i = 0; i < look->header->fragment_count && !status; i++) {
        struct command_fragment fragment;
        const struct row *live;
        struct row row;

        command_read_fragment(reader, &fragment);
        if (reader->failed)
            return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
        status = fragment_decode(look->arena, fragment.fragment, &row, look->err);
        if (!status && fragment.bounds & BOUND_PLACES && fragment.kind != KEY_RANGE) {
            status = read_live(look, &key, &has_record, fragment.kind == KEY_PARTITION, fragment.clustering, &live,
                               &newest_us);
            if (!status)
                status = place_find(look->arena, look->def, &row, live, look->shard->space->options.sum, look->err);
        }
        if (status || row_is_empty(&row))
            continue;
        command_append_fragment(fragments, &fragment, &row);
        (*count)++;
    }
    return status;
}

enum status table_decode_cas_result(struct arena *arena, struct bytes result, struct cas_seen *seen,
                                    uint32_t part_count, struct error *err)
{
    struct command_reader reader = { result.data, result.data + result.size, false };
    uint32_t count = command_read_u32(&reader);

    if (count != part_count)
        return error_set(err, ERR_CORRUPT, "the result of a condition has %u parts instead of %u", count, part_count);
    for (uint32_t i = 0; i < count; i++) {
        bool exists = command_read_u8(&reader);
        struct bytes clustering = command_read_bytes(&reader), fragment = command_read_bytes(&reader);
        struct row *row = NULL;
        enum status status;

        if (reader.failed)
            return error_set(err, ERR_CORRUPT, "the result of a condition is cut short");
        if (exists) {
            row = arena_new_struct(arena, struct row);
            status = row_decode(arena, fragment, row, err);
            if (status)
                return status;
        }
        seen[i] = (struct cas_seen){ row, clustering };
    }
    return OK;
}
