/* Additions to counters. A turn gathers them (counter.h): what commands add to a row is added in memory, and
 * one put of the sums goes through the door, before the turn is written or before another command looks. A
 * command that adds and does something else too, or more than can be gathered, writes its sums at once, in
 * the order of its fragments.
 */
#include "table/decide.h"

#include "row/fragment.h"
#include "row/key.h"
#include "table/counter.h"

#include <assert.h>

/* Each row that was added to becomes one put of all its counters. */
void decide_gathered(struct turn *turn)
{
    struct mutation mutation = { .kind = MUTATION_PUT, .origin = ORIGIN_CLIENT };

    if (!turn->counts)
        return;
    for (uint32_t at = 0; counters_next(turn->counters, &at, &mutation.key, &mutation.at.fragment);)
        (void)turn_apply(turn, &mutation, NULL); /* a put does not fail */
    decide_forget_gathered(turn);
}

/* After they were written, or if the group that they belong to is refused. */
void decide_forget_gathered(struct turn *turn)
{
    counters_forget(turn->counters);
    turn->counts = false;
    assert(counters_has_room(turn->counters, 1));
}

/* Whether a fragment has nothing but numbers to add. An UPDATE of counters has no row marker. */
static bool is_addition(const struct row *row)
{
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].kind != CELL_COUNTER)
            return false;
    return row->cell_count && !row->complex_count && row->deletion.timestamp_us == TIMESTAMP_NONE &&
           row->liveness.timestamp_us == TIMESTAMP_NONE;
}

/* Reads the row of a fragment into those that are gathered; from then on the turn has something to
 * write. */
static enum status load(struct turn *turn, struct look *look, const struct mutation *mutation)
{
    assert(mutation->at.kind != KEY_RANGE);
    turn->counts = true;
    return counters_load(turn->counters, look, mutation->key, &mutation->at);
}

/* Each addition gets a stamp of its own as its clock: two commands of one turn must not have the
 * same. */
static void add(struct turn *turn, const struct mutation *mutation, const struct row *row)
{
    counters_add(turn->counters, mutation->key, row, space_stamp_us(turn->shard->space, INT64_MIN));
}

/* A command that adds to counters and does nothing else. All its rows are read first, which may fail
 * or have to wait; then numbers are added, which cannot. So a command has either counted all or
 * nothing. */
static enum status add_numbers(struct turn *turn, struct mutation *mutation, const struct command_header *header,
                               struct command_reader *reader, struct error *err)
{
    struct look look = turn_look(turn, header, NULL, err);
    struct command_reader again = *reader;
    enum status status = OK;

    for (uint32_t i = 0; i < header->fragment_count && !status; i++) {
        status = turn_read_fragment(turn, mutation, reader, err);
        if (!status)
            status = load(turn, &look, mutation);
    }
    for (uint32_t i = 0; i < header->fragment_count && !status; i++) {
        struct row row;

        status = turn_next_fragment(turn, mutation, &again, err);
        arena_reset(turn->arena);
        if (!status)
            status = fragment_decode(turn->arena, mutation->at.fragment, &row, err);
        assert(!status); /* all of them were read before */
        add(turn, mutation, &row);
    }
    return status;
}

/* Numbers and deletions in one command, in their order; or more rows than are gathered. Each sum is
 * put into the batch at once, because a deletion behind it must come after it. Nothing of other
 * commands is gathered now. */
static enum status add_mixed(struct turn *turn, struct mutation *mutation, const struct command_header *header,
                             struct command_reader *reader, struct error *err)
{
    struct look look = turn_look(turn, header, mutation->def, err);

    assert(!turn->counts);
    for (uint32_t i = 0; i < header->fragment_count; i++) {
        struct row row;
        enum status status = turn_next_fragment(turn, mutation, reader, err);

        if (status)
            return status;
        arena_reset(turn->arena);
        status = fragment_decode(turn->arena, mutation->at.fragment, &row, err);
        if (status)
            return status;
        if (mutation->at.kind != KEY_RANGE && is_addition(&row)) {
            status = load(turn, &look, mutation);
            if (!status)
                add(turn, mutation, &row);
            decide_gathered(turn);
        } else {
            status = turn_apply(turn, mutation, err);
        }
        if (status)
            return status;
        turn_end_command(turn, mutation); /* at once: the next addition must see its tombstones */
    }
    return OK;
}

/* Looks through the command's fragments once to choose the way. mark NULL: it is a part of a group,
 * where nothing of others is gathered. */
static enum status add_or_mix(struct turn *turn, const struct table_def *def, const struct command_header *header,
                              struct command_reader *reader, int64_t timestamp_us, size_t *mark, struct error *err)
{
    struct command_reader ahead = *reader;
    struct mutation mutation;
    bool only_numbers = true;

    assert(def && header->kind == COMMAND_ADD);
    turn_begin_command(turn, &mutation, def, header, timestamp_us);
    for (uint32_t i = 0; i < header->fragment_count; i++) {
        struct row row;
        enum status status = turn_read_fragment(turn, &mutation, &ahead, err);

        arena_reset(turn->arena);
        if (!status)
            status = fragment_decode(turn->arena, mutation.at.fragment, &row, err);
        if (status)
            return status;
        only_numbers &= mutation.at.kind != KEY_RANGE && is_addition(&row);
    }
    if (!only_numbers || !counters_has_room(turn->counters, header->fragment_count)) {
        decide_gathered(turn);
        if (mark)
            *mark = turn_mark(turn); /* a failure must not take others' numbers along */
    }
    if (only_numbers && counters_has_room(turn->counters, header->fragment_count))
        return add_numbers(turn, &mutation, header, reader, err);
    return add_mixed(turn, &mutation, header, reader, err);
}

enum status decide_numbers(struct turn *turn, const struct table_def *def, const struct command_header *header,
                           struct command_reader *reader, int64_t timestamp_us, struct error *err)
{
    return add_or_mix(turn, def, header, reader, timestamp_us, NULL, err);
}

enum status decide_counter(struct turn *turn, struct table_request *request, const struct command_header *header,
                           struct command_reader *reader, size_t *mark)
{
    const struct table_def *def = turn_definition(turn, header->table_id);

    if (!def)
        return error_set(request->error, ERR_STALE, "the table was dropped");
    request->timestamp_us = space_stamp_us(turn->shard->space, INT64_MIN);
    return add_or_mix(turn, def, header, reader, request->timestamp_us, mark, request->error);
}
