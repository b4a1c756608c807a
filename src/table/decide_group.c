/* Commands for several partitions of a shard in one: all of it is applied, in one write and with one
 * timestamp, or nothing.
 *
 * This is how a BATCH and a write of several rows are atomic on a shard. Over several shards a
 * logged batch sends one group to each; what makes them whole together are records that are written
 * beside the parts: the intent with the parts of the other shards, and the marker of a part that was
 * applied (batch_log.h says in which order, and why). */
#include "table/decide.h"

#include "row/fragment.h"
#include "table/batch_log.h"

#include <assert.h>

/* A record of the shard's own, through the door like everything. */
static enum status put_record(struct turn *turn, struct bytes key, struct bytes value, struct error *err)
{
    struct mutation mutation = { .kind = MUTATION_PUT, .origin = ORIGIN_SHARD, .key = key, .at.fragment = value };

    return turn_apply(turn, &mutation, err);
}

/* Writes the intent: the parts of other shards, stamped with this one's timestamp. Everything that
 * could refuse them later is asked now (the size of keys, whether tables are there), because once
 * the intent is written they must be applied. */
static enum status remember_parts(struct turn *turn, struct bytes others, int64_t timestamp_us, struct error *err)
{
    struct buffer intent CLEANUP(buffer_fini) = { 0 };
    uint8_t key[BATCH_LOG_KEY_BYTES];
    struct command_reader reader;

    batch_log_encode_intent(&intent, others);
    assert(intent.size > others.size);
    reader = (struct command_reader){ intent.data + intent.size - others.size, intent.data + intent.size, false };
    while (reader.at < reader.end) {
        struct command_reader part;
        struct command_header header;
        struct mutation mutation;
        enum status status = command_read_header(&part, command_read_bytes(&reader), &header, err);

        if (!status && (reader.failed || header.kind != COMMAND_APPLY))
            status = error_set(err, ERR_CORRUPT, "a shard command is cut short");
        if (status)
            return status;
        turn_begin_command(turn, &mutation, NULL, &header, timestamp_us);
        for (uint32_t i = 0; i < header.fragment_count && !status; i++) {
            status = turn_read_fragment(turn, &mutation, &part, err);
            if (!status) /* in `intent` */
                fragment_stamp((uint8_t *)mutation.at.fragment.data, mutation.at.fragment.size, timestamp_us);
        }
        if (!status && !turn_definition(turn, header.table_id))
            status = error_set(err, ERR_STALE, "the table was dropped");
        if (status)
            return status;
    }
    return put_record(turn, batch_log_intent_key(timestamp_us, key), buffer_bytes(&intent), err);
}

/* One partition's command out of the group. It must be of this shard: what a port routes wrongly
 * would never be found again. */
static enum status apply_part(struct turn *turn, const struct command_header *group, struct bytes command,
                              int64_t timestamp_us, struct error *err)
{
    struct command_reader part;
    struct command_header header;
    const struct table_def *def;
    enum status status = command_read_header(&part, command, &header, err);

    if (status)
        return status;
    header.may_wait = group->may_wait;
    if ((header.kind != COMMAND_APPLY && (header.kind != COMMAND_ADD || group->flags & GROUP_MARKED)) ||
        shard_of_token(turn->shard->space, header.token) != turn->shard->index)
        return error_set(err, ERR_CORRUPT, "a group holds what is not this shard's to apply");
    def = turn_definition(turn, header.table_id);
    if (!def) /* if it is too late to refuse it, dropped meanwhile: nothing is left to write to */
        return group->flags & (GROUP_MARKED | GROUP_LOOSE) ? OK : error_set(err, ERR_STALE, "the table was dropped");
    if (header.kind == COMMAND_ADD)
        return decide_numbers(turn, def, &header, &part, timestamp_us, err);
    return decide_fragments(turn, def, &header, &part, timestamp_us, err);
}

/* Notes that this part of a remembered batch was applied. *applied: it was before, so nothing is
 * left to do: a batch may be finished twice, by its port and after a crash. */
static enum status mark(struct turn *turn, int64_t timestamp_us, bool *applied, struct error *err)
{
    uint8_t key[BATCH_LOG_KEY_BYTES];
    enum status status = batch_log_has_marker(turn->shard, turn->batch, timestamp_us, turn->may_wait, applied, err);

    if (status || *applied)
        return status;
    assert(!*applied);
    return put_record(turn, batch_log_marker_key(timestamp_us, key), batch_log_marker_value(), err);
}

/* Its parts are in the batch together or, by the caller's truncation, not at all. */
enum status decide_group(struct turn *turn, struct table_request *request, const struct command_header *group,
                         struct command_reader *reader)
{
    int64_t timestamp_us =
        group->flags & GROUP_MARKED ? (int64_t)group->table_id : space_stamp_us(turn->shard->space, INT64_MIN);
    enum status status = OK;
    bool applied = false;

    /* A part of a remembered batch keeps the batch's timestamp: it is what it would have been at
     * once. */
    request->timestamp_us = timestamp_us;
    assert(group->kind == COMMAND_GROUP && !turn->counts);
    if (group->flags & GROUP_MARKED)
        status = mark(turn, timestamp_us, &applied, request->error);
    if (status || applied)
        return status;
    for (uint32_t i = 0; i < group->part_count; i++) {
        status = apply_part(turn, group, command_read_bytes(reader), timestamp_us, request->error);
        if (status) {
            decide_forget_gathered(turn); /* all that is gathered is of its parts */
            return status;
        }
    }
    if (group->flags & GROUP_INTENT) {
        status = remember_parts(turn, command_read_bytes(reader), timestamp_us, request->error);
        if (status)
            return status;
    }
    return reader->failed ? error_set(request->error, ERR_CORRUPT, "a shard command is cut short") : OK;
}

/* The last two steps of a batch's life. */
void decide_forget(struct turn *turn, const struct command_header *header)
{
    int64_t timestamp_us = (int64_t)header->table_id;
    uint8_t key[BATCH_LOG_KEY_BYTES];
    struct mutation mutation = { .kind = MUTATION_DELETE, .origin = ORIGIN_SHARD };

    assert(header->kind == COMMAND_FORGET_INTENT || header->kind == COMMAND_FORGET_MARKER);
    mutation.key = header->kind == COMMAND_FORGET_INTENT ? batch_log_intent_key(timestamp_us, key)
                                                         : batch_log_marker_key(timestamp_us, key);
    assert(mutation.key.size == BATCH_LOG_KEY_BYTES);
    (void)turn_apply(turn, &mutation, NULL); /* a deletion does not fail */
}
