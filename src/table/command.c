/* Shard commands as flat bytes: built from what callers want, and read back by owners. command.h
 * draws them.
 *
 * A command is the first thing that becomes of a change. It has no pointers: it lives in the
 * caller's arena until the owner has answered, the owner never writes into it, and so it can be run
 * again as it came. It could also go to another process. For that reason nothing in it is believed
 * when it is read: each size and count is held against what is left before anything is done with it.
 *
 * Rows are encoded here already, on the thread that builds the command: the owner only copies bytes
 * and stamps the copy. */
#include "table/command.h"

#include "base/debug.h"
#include "row/fragment.h"
#include "row/key.h"

#include <assert.h>

/* A null is told from an empty value: its size is -1. */
static void append_sized(struct buffer *out, struct bytes bytes)
{
    if (bytes_is_null(bytes)) {
        buffer_append_be32(out, UINT32_MAX);
        return;
    }
    assert(bytes.size < UINT32_MAX);
    buffer_append_be32(out, (uint32_t)bytes.size);
    buffer_append_bytes(out, bytes);
}

/* The size of the encoded row is not known before: it is written into the place that was left for
 * it. */
void command_append_fragment(struct buffer *out, const struct command_fragment *fragment, const struct row *row)
{
    size_t at;

    assert(fragment->kind >= KEY_PARTITION && fragment->kind <= KEY_ROW);
    buffer_append_u8(out, fragment->kind);
    buffer_append_u8(out, fragment->bounds);
    append_sized(out, fragment->clustering);
    append_sized(out, fragment->clustering_end);
    at = out->size;
    buffer_append_be32(out, 0);
    fragment_encode(out, row);
    store_be32(out->data + at, (uint32_t)(out->size - at - 4));
}

/* Bounds are a range's; places (asked cells, row/place.h) a row's. */
static void append_fragment(struct buffer *out, const struct table_fragment *fragment)
{
    struct command_fragment flat = { .kind = fragment->kind,
                                     .bounds = (fragment->start_inclusive ? BOUND_START_INCLUSIVE : 0) |
                                               (fragment->end_inclusive ? BOUND_END_INCLUSIVE : 0) |
                                               (fragment->has_places ? BOUND_PLACES : 0),
                                     .clustering = fragment->clustering,
                                     .clustering_end = fragment->clustering_end };

    command_append_fragment(out, &flat, &fragment->row);
}

/* What commands have in common that bring fragments: head, partition, fragments. The flag for places
 * stands in the head, so that an owner sees at once whether it must look at rows before it writes. */
static void append_update(struct buffer *out, enum command_kind kind, const struct apply_command *command)
{
    bool has_places = false;

    assert(command->fragments || !command->fragment_count);
    for (uint32_t i = 0; i < command->fragment_count; i++)
        has_places |= command->fragments[i].has_places;
    buffer_append_u8(out, (uint8_t)kind);
    buffer_append_u8(out, (command->durable ? COMMAND_DURABLE : 0) | (has_places ? COMMAND_PLACES : 0));
    buffer_append_be64(out, command->table_id);
    buffer_append_be64(out, command->schema_version);
    buffer_append_be64(out, (uint64_t)command->token);
    buffer_append_be64(out, (uint64_t)command->now_s);
    append_sized(out, command->partition_key);
    buffer_append_be32(out, command->fragment_count);
    for (uint32_t i = 0; i < command->fragment_count; i++)
        append_fragment(out, &command->fragments[i]);
}

void table_encode_apply(struct buffer *out, const struct apply_command *command)
{
    append_update(out, COMMAND_APPLY, command);
}

/* Where the numbers of a group's head stand: they are changed while the group grows. */
enum { GROUP_FLAGS_AT = 1, GROUP_TIMESTAMP_AT = 2, GROUP_COUNT_AT = 10 };

/* The buffer of a group is empty before its first part. */
static void begin_group(struct buffer *group)
{
    if (group->size)
        return;
    buffer_append_u8(group, COMMAND_GROUP);
    buffer_append_u8(group, 0);
    buffer_append_be64(group, 0);
    buffer_append_be32(group, 0);
}

/* A group is durable if one of its parts is. */
static void count_part(struct buffer *group, bool durable)
{
    assert(group->size > GROUP_HEADER_BYTES && group->data[0] == COMMAND_GROUP);
    if (durable)
        group->data[GROUP_FLAGS_AT] |= COMMAND_DURABLE;
    store_be32(group->data + GROUP_COUNT_AT, load_be32(group->data + GROUP_COUNT_AT) + 1);
}

/* A part is a command of its own, with its size before it. */
static void group_add(struct buffer *group, enum command_kind kind, const struct apply_command *command)
{
    size_t at;

    begin_group(group);
    at = group->size;
    buffer_append_be32(group, 0);
    append_update(group, kind, command);
    store_be32(group->data + at, (uint32_t)(group->size - at - 4));
    count_part(group, command->durable);
}

void table_group_add(struct buffer *group, const struct apply_command *command)
{
    group_add(group, COMMAND_APPLY, command);
}

void table_group_add_numbers(struct buffer *group, const struct apply_command *command)
{
    group_add(group, COMMAND_ADD, command);
}

/* For finishing a batch that was left (batch_log.c): its parts are already bytes, stamped. */
void table_group_add_encoded(struct buffer *group, struct bytes apply, bool durable)
{
    begin_group(group);
    append_sized(group, apply);
    count_part(group, durable);
}

/* Puts the parts of other shards behind this shard's own. The owner then writes both in one batch:
 * its own part, and the others as an intent. That is the step by which a logged batch becomes one
 * that will be whole (batch_log.h). */
void table_group_remember(struct buffer *group, const struct bytes *others, uint32_t count)
{
    size_t at = group->size;

    assert(group->size > GROUP_HEADER_BYTES && !(group->data[GROUP_FLAGS_AT] & (GROUP_INTENT | GROUP_MARKED)));
    group->data[GROUP_FLAGS_AT] |= GROUP_INTENT | COMMAND_DURABLE;
    buffer_append_be32(group, 0);
    for (uint32_t i = 0; i < count; i++)
        buffer_append(group, others[i].data + GROUP_HEADER_BYTES, others[i].size - GROUP_HEADER_BYTES);
    assert(count > 0 && group->size > at + 4);
    store_be32(group->data + at, (uint32_t)(group->size - at - 4));
}

/* The batch's timestamp is its name: the part is marked as applied under it. */
void table_group_set_batch(struct buffer *group, int64_t timestamp_us)
{
    assert(group->size > GROUP_HEADER_BYTES && !(group->data[GROUP_FLAGS_AT] & GROUP_INTENT));
    group->data[GROUP_FLAGS_AT] |= GROUP_MARKED | COMMAND_DURABLE;
    store_be64(group->data + GROUP_TIMESTAMP_AT, (uint64_t)timestamp_us);
}

void table_group_loosen(struct buffer *group)
{
    assert(group->size > GROUP_HEADER_BYTES);
    group->data[GROUP_FLAGS_AT] |= GROUP_LOOSE;
}

/* The bytes are those of an apply, but the cells of counters hold what is to be added: only the
 * owner knows to what. */
void table_encode_add(struct buffer *out, const struct apply_command *command)
{
    append_update(out, COMMAND_ADD, command);
}

/* One row that is looked at, and its conditions. Columns are named by their ids: a name may mean
 * another column by then. */
static void append_part(struct buffer *out, const struct cas_part *part)
{
    buffer_append_u8(out, (uint8_t)part->kind);
    buffer_append_u8(out, part->is_static);
    append_sized(out, part->clustering);
    buffer_append_be32(out, part->condition_count);
    assert(part->conditions || !part->condition_count);
    for (uint32_t i = 0; i < part->condition_count; i++) {
        const struct condition *condition = &part->conditions[i];

        buffer_append_be32(out, condition->column_id);
        buffer_append_u8(out, (uint8_t)condition->op);
        append_sized(out, condition->path);
        buffer_append_be32(out, condition->value_count);
        for (uint32_t v = 0; v < condition->value_count; v++)
            append_sized(out, condition->values[v]);
    }
}

void table_encode_cas(struct buffer *out, const struct cas_command *command)
{
    append_update(out, COMMAND_CAS, &command->update);
    buffer_append_be32(out, command->part_count);
    for (uint32_t i = 0; i < command->part_count; i++)
        append_part(out, &command->parts[i]);
}

/* Reads run on the thread that asks and need no bytes. Builds for tests send each of them through
 * these all the same (read.c), so that a read never says more than bytes can. */
void table_encode_read(struct buffer *out, const struct read_command *command)
{
    assert(command->slices || !command->slice_count);
    buffer_append_u8(out, COMMAND_READ);
    buffer_append_u8(out, (command->after_partition_inclusive ? READ_AFTER_PARTITION_INCLUSIVE : 0) |
                              (command->after_static ? READ_AFTER_STATIC : 0) |
                              (command->slices_are_rows ? READ_SLICES_ARE_ROWS : 0) |
                              (command->reversed ? READ_REVERSED : 0) | (command->rows_wanted ? READ_ROWS : 0) |
                              (command->static_wanted ? READ_STATIC : 0));
    buffer_append_be64(out, command->table_id);
    buffer_append_be64(out, command->schema_version);
    buffer_append_be64(out, (uint64_t)command->token);
    buffer_append_be64(out, (uint64_t)command->token_last);
    buffer_append_be64(out, (uint64_t)command->now_s);
    append_sized(out, command->partition_key);
    append_sized(out, command->after_partition);
    append_sized(out, command->after_clustering);
    buffer_append_be32(out, command->row_limit);
    buffer_append_be32(out, command->row_limit_per_partition);
    buffer_append_be32(out, command->byte_limit);
    buffer_append_be32(out, command->tombstone_limit);
    buffer_append_be32(out, command->slice_count);
    for (uint32_t i = 0; i < command->slice_count; i++) {
        const struct slice *slice = &command->slices[i];

        buffer_append_u8(out, (slice->start_inclusive ? BOUND_START_INCLUSIVE : 0) |
                                  (slice->end_inclusive ? BOUND_END_INCLUSIVE : 0));
        append_sized(out, slice->start);
        append_sized(out, slice->end);
    }
}

/* All reading comes down to this one check. After a failure nothing is read any more. So a caller
 * may read a whole struct and ask `failed` once, at its end: what it got meanwhile is zeros and
 * nulls, and none of it points outside the command. */
static const uint8_t *take(struct command_reader *reader, size_t size)
{
    const uint8_t *at = reader->at;

    debug_assert(reader->at <= reader->end || reader->failed);
    if (reader->failed || (size_t)(reader->end - at) < size) {
        reader->failed = true;
        return NULL;
    }
    reader->at += size;
    return at;
}

uint8_t command_read_u8(struct command_reader *reader)
{
    const uint8_t *at = take(reader, 1);

    return at ? *at : 0;
}

uint32_t command_read_u32(struct command_reader *reader)
{
    const uint8_t *at = take(reader, 4);

    return at ? load_be32(at) : 0;
}

uint64_t command_read_u64(struct command_reader *reader)
{
    const uint8_t *at = take(reader, 8);

    return at ? load_be64(at) : 0;
}

/* Null for a size of -1, and also after a failure: callers look at `failed` before they use it. */
struct bytes command_read_bytes(struct command_reader *reader)
{
    uint32_t size = command_read_u32(reader);
    const uint8_t *at;

    if (size == UINT32_MAX)
        return (struct bytes){ 0 };
    at = take(reader, size);
    return at ? bytes_of(at, size) : (struct bytes){ 0 };
}

/* A group, a removal and the batch log's commands have another number where the others have their
 * table's id. */
enum status command_read_header(struct command_reader *reader, struct bytes command, struct command_header *header,
                                struct error *err)
{
    *reader = (struct command_reader){ command.data, command.data + command.size, false };
    *header = (struct command_header){ 0 };
    header->kind = (enum command_kind)command_read_u8(reader);
    header->flags = command_read_u8(reader);
    header->durable = header->flags & COMMAND_DURABLE;
    header->has_places = header->flags & COMMAND_PLACES;
    header->table_id = command_read_u64(reader);
    switch (header->kind) {
    case COMMAND_APPLY:
    case COMMAND_ADD:
    case COMMAND_CAS:
        header->schema_version = command_read_u64(reader);
        header->token = (int64_t)command_read_u64(reader);
        header->now_s = (int64_t)command_read_u64(reader);
        header->partition_key = command_read_bytes(reader);
        header->fragment_count = command_read_u32(reader);
        break;
    case COMMAND_GROUP:
    case COMMAND_REMOVE: header->part_count = command_read_u32(reader); break;
    case COMMAND_FORGET_INTENT:
    case COMMAND_FORGET_MARKER:
    case COMMAND_SWEEP: break;
    default: return error_set(err, ERR_CORRUPT, "a shard command of kind %d", header->kind);
    }
    assert(reader->at <= reader->end);
    if (reader->failed)
        return error_set(err, ERR_CORRUPT, "a shard command is cut short");
    return OK;
}

/* Memory is taken only for slices that can be there. */
static const struct slice *read_slices(struct command_reader *reader, struct arena *arena, uint32_t count)
{
    enum { SLICE_BYTES_MIN = 1 + 4 + 4 };
    struct slice *slices;

    if (reader->failed || (size_t)(reader->end - reader->at) / SLICE_BYTES_MIN < count) {
        reader->failed = true; /* the count is not believed before memory is taken */
        return NULL;
    }
    slices = arena_new_array(arena, struct slice, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bounds = command_read_u8(reader);

        slices[i].start_inclusive = bounds & BOUND_START_INCLUSIVE;
        slices[i].end_inclusive = bounds & BOUND_END_INCLUSIVE;
        slices[i].start = command_read_bytes(reader);
        slices[i].end = command_read_bytes(reader);
        if (bounds & ~(BOUND_START_INCLUSIVE | BOUND_END_INCLUSIVE))
            reader->failed = true;
    }
    return slices;
}

/* *command is filled only if all of it fits: no caller sees half of a command. */
enum status table_decode_read(struct arena *arena, struct bytes bytes, struct read_command *command, struct error *err)
{
    struct command_reader reader = { bytes.data, bytes.data + bytes.size, false };
    struct read_command read = { 0 };
    uint8_t kind = command_read_u8(&reader), flags = command_read_u8(&reader);

    read.after_partition_inclusive = flags & READ_AFTER_PARTITION_INCLUSIVE;
    read.after_static = flags & READ_AFTER_STATIC;
    read.slices_are_rows = flags & READ_SLICES_ARE_ROWS;
    read.reversed = flags & READ_REVERSED;
    read.rows_wanted = flags & READ_ROWS;
    read.static_wanted = flags & READ_STATIC;
    read.table_id = command_read_u64(&reader);
    read.schema_version = command_read_u64(&reader);
    read.token = (int64_t)command_read_u64(&reader);
    read.token_last = (int64_t)command_read_u64(&reader);
    read.now_s = (int64_t)command_read_u64(&reader);
    read.partition_key = command_read_bytes(&reader);
    read.after_partition = command_read_bytes(&reader);
    read.after_clustering = command_read_bytes(&reader);
    read.row_limit = command_read_u32(&reader);
    read.row_limit_per_partition = command_read_u32(&reader);
    read.byte_limit = command_read_u32(&reader);
    read.tombstone_limit = command_read_u32(&reader);
    read.slice_count = command_read_u32(&reader);
    read.slices = read_slices(&reader, arena, read.slice_count);
    if (reader.failed || kind != COMMAND_READ || flags & ~READ_FLAGS_ALL || reader.at != reader.end ||
        (read.slices_are_rows && !read.slice_count))
        return error_set(err, ERR_CORRUPT, "not a read command");
    if (!read.slice_count)
        read.slices = NULL;
    *command = read;
    return OK;
}

/* A fragment is only looked at so far that it can be stamped and stored. Whether the rest of it can
 * be read is found when somebody decodes it: decoding each here would cost more than writing it. */
void command_read_fragment(struct command_reader *reader, struct command_fragment *fragment)
{
    fragment->kind = command_read_u8(reader);
    fragment->bounds = command_read_u8(reader);
    fragment->clustering = command_read_bytes(reader);
    fragment->clustering_end = command_read_bytes(reader);
    fragment->fragment = command_read_bytes(reader);
    if (fragment->kind < KEY_PARTITION || fragment->kind > KEY_ROW || !fragment_is_readable(fragment->fragment))
        reader->failed = true;
}
