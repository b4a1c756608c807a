/* Writes that ask for no condition: INSERT, UPDATE, DELETE. And the removal of dropped tables.
 *
 * A command's fragments go through the turn's door one by one, stamped with one timestamp. Nearly
 * all of them are written without any look at what is there. The exception are operations on lists
 * by index or value: their rows are read first, and the command is rewritten with the paths that
 * were found (row/place.h). */
#include "table/decide.h"

#include "row/fragment.h"
#include "row/merge.h"
#include "row/place.h"
#include "table/due.h"

#include <assert.h>

/* The usual way. On an error the caller takes back what is in the batch so far. */
static enum status apply_fragments(struct turn *turn, const struct table_def *def, const struct command_header *header,
                                   struct command_reader *reader, int64_t timestamp_us, struct error *err)
{
    struct mutation mutation;

    assert(def);
    turn_begin_command(turn, &mutation, def, header, timestamp_us);
    for (uint32_t i = 0; i < header->fragment_count; i++) {
        enum status status = turn_next_fragment(turn, &mutation, reader, err);

        if (!status)
            status = turn_apply(turn, &mutation, err);
        if (status)
            return status;
    }
    turn_end_command(turn, &mutation);
    return OK;
}

/* Encodes the command's fragments anew into `fragments`, with the paths that operations on lists
 * find in the rows. Rows are looked at as they were before this command, as in Cassandra: no
 * fragment of it is in the batch yet. Fragments that became empty (nothing was found to delete) are
 * left out and not counted. The reader stands at the first. */
static enum status find_places(struct look *look, struct command_reader *reader, struct buffer *fragments,
                               uint32_t *count)
{
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    int64_t newest_us = INT64_MIN;
    bool has_record = false;
    enum status status = OK;

    *count = 0;
    assert(look->def && look->arena);
    for (uint32_t i = 0; i < look->header->fragment_count && !status; i++) {
        struct command_fragment fragment;
        const struct row *live;
        struct row row;

        command_read_fragment(reader, &fragment);
        if (reader->failed)
            return error_set(look->err, ERR_CORRUPT, "a shard command is cut short");
        status = fragment_decode(look->arena, fragment.fragment, &row, look->err);
        if (!status && fragment.bounds & BOUND_PLACES && fragment.kind != KEY_RANGE) {
            status = look_read_live(look, &key, &has_record, fragment.kind == KEY_PARTITION, fragment.clustering, &live,
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

/* Most commands ask for no place, and their fragments are applied as they came. */
enum status decide_fragments(struct turn *turn, const struct table_def *def, struct command_header *header,
                             struct command_reader *reader, int64_t timestamp_us, struct error *err)
{
    struct buffer fragments CLEANUP(buffer_fini) = { 0 };
    struct command_reader found;
    struct look look;
    uint32_t count;
    enum status status;

    if (__builtin_expect(!header->has_places, 1))
        return apply_fragments(turn, def, header, reader, timestamp_us, err);
    /* The rewritten fragments are still unstamped: they go the same way as any. */
    look = turn_look(turn, header, def, err);
    arena_reset(turn->arena);
    status = find_places(&look, reader, &fragments, &count);
    if (status)
        return status;
    assert(count <= header->fragment_count);
    header->fragment_count = count;
    found = (struct command_reader){ fragments.data, fragments.data + fragments.size, false };
    return apply_fragments(turn, def, header, &found, timestamp_us, err);
}

/* The timestamp is given here, by the shard's only writer: so it is above all that were given
 * before. */
enum status decide_apply(struct turn *turn, struct table_request *request, struct command_header *header,
                         struct command_reader *reader)
{
    const struct table_def *def = turn_definition(turn, header->table_id);

    if (!def)
        return error_set(request->error, ERR_STALE, "the table was dropped");
    request->timestamp_us = space_stamp_us(turn->shard->space, INT64_MIN);
    return decide_fragments(turn, def, header, reader, request->timestamp_us, request->error);
}

/* All rows of tables with an id from `first` to before `end`, and their entries in the due list.
 * Keys of rows begin with their table's id, so each is one deletion of a range, however many rows
 * there are. */
static enum status remove_tables(struct turn *turn, uint64_t first, uint64_t end, struct error *err)
{
    struct buffer from CLEANUP(buffer_fini) = { 0 }, to CLEANUP(buffer_fini) = { 0 };
    struct mutation mutation = { .kind = MUTATION_DELETE_KEYS, .origin = ORIGIN_SHARD };
    enum status status;

    buffer_append_be64(&from, first);
    buffer_append_be64(&to, end);
    mutation.key = buffer_bytes(&from);
    mutation.end = buffer_bytes(&to);
    status = turn_apply(turn, &mutation, err);
    if (status)
        return status;
    buffer_reset(&from);
    buffer_reset(&to);
    due_encode_table(&from, first);
    due_encode_table(&to, end);
    mutation.key = buffer_bytes(&from);
    mutation.end = buffer_bytes(&to);
    return turn_apply(turn, &mutation, err);
}

/* Synced in any case: the catalog forgets the tables after it. The definitions that the turn has
 * looked up may be those of the tables that go. */
enum status decide_remove(struct turn *turn, const struct command_header *header, struct command_reader *reader,
                          struct error *err)
{
    enum status status = OK;

    assert(header->kind == COMMAND_REMOVE);
    for (uint32_t i = 0; i < header->part_count && !status; i++) {
        uint64_t first = command_read_u64(reader), end = command_read_u64(reader);

        if (reader->failed)
            return error_set(err, ERR_CORRUPT, "a shard command is cut short");
        status = remove_tables(turn, first, end, err);
    }
    turn->durable = true;
    turn_forget_definitions(turn);
    return status;
}
