/* The owner thread of a shard: gathers commands, decides, stamps, writes one batch, syncs once, answers.
 *
 *     rings of the ports -> turn -> one store_batch -> ops->write (synced) -> rings back -> one eventfd per waiting port
 *
 * A write whose sync failed has an unknown outcome: its clients get a write timeout, and failure.c sees to the rest. Reads never pass
 * here.
 */
#include "table/owner.h"

#include "base/log.h"
#include "row/fragment.h"
#include "row/key.h"
#include "table/add.h"
#include "table/batch_log.h"
#include "table/cas.h"
#include "table/due.h"
#include "table/failure.h"
#include "table/hot.h"
#include "table/kept.h"
#include "table/range.h"
#include "table/shard.h"
#include "table/still.h"
#include "table/sweep.h"
#include "table/warm.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    GATHER_US = 50,   /* wait no longer than this for what is coming */
    GATHER_ROWS = 32, /* nor when this much is here */
    TURN_REQUESTS = 4096,
    TURN_BYTES = 8 << 20,
    CLOCK_AHEAD_US = 10000000, /* the persisted bound is this far ahead of the clock ... */
    CLOCK_SLACK_US = 5000000,  /* ... and renewed when less than this is left */
    DEFINITIONS = 16,
    SWEEP_LOOK_US = 60000000, /* how long an entry that is due by an ALTER may wait to be noticed */
    RANGE_MARKS = 16,         /* of a range's key, what is neither prefix nor bounds, and more */
    FLOW_NS = 1500000,        /* of dear commands, one flow has at most as many here as take this */
    TURN_FIXED_NS = 50000,    /* what a turn costs besides */
    DEAR_NS = 15000,
    COST_COMMANDS = 256, /* that a command's cost is the mean of */
    WINDOW_MIN = 8,
    SWEEP_SHARE = 4, /* of a busy owner the sweeper gets at most one part in so many and one */
};

/* What one turn of the owner works on. */
struct turn {
    struct shard *shard;
    struct store_batch *batch;
    struct arena *arena;
    struct counting *counting; /* owned: what was added to counters and is not in the batch yet */
    struct buffer key;
    struct buffer range;
    struct buffer stamped; /* a copy, with its timestamp, of what is added now */
    struct range_overlay overlay;
    struct {
        struct table_request *request;
        uint32_t port;
    } * requests; /* [TURN_REQUESTS] in the batch, unanswered */
    uint32_t request_count;
    bool *answered;     /* owned: [port_count_max] whose port is to be woken */
    uint32_t ports_end; /* the space's, at the turn's begin */
    uint32_t first_port;
    bool durable;
    bool may_wait;                  /* for the disk, for the command at hand: a warmer has read what it needs */
    struct warming *warmed;         /* commands that come from warmers, oldest first */
    bool has_reports;               /* one of the requests wants to be told how it went */
    bool sweeps, sweeps_from_start; /* a command asks for a step */
    int64_t cpu_ns;                 /* of this thread, when the last turn ended */
    uint64_t cost_ns;               /* of a command, lately */
    struct {
        uint64_t table_id;
        struct table_def *def;
    } definitions[DEFINITIONS]; /* looked up in this turn */
    uint32_t definition_count;
};

/* ---- work and sleep ---- */

static uint32_t waiting(struct shard *shard)
{
    uint32_t count = warm_is_done(shard), end = atomic_load(&shard->space->ports_end);

    for (uint32_t i = 0; i < end; i++) {
        struct table_port *port = atomic_load(&shard->space->ports[i]);
        struct channel *channel =
            port ? atomic_load_explicit(&port->channels[shard->index], memory_order_acquire) : NULL;

        if (channel)
            count += ring_count(&channel->to_owner);
    }
    return count;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ms)
{
    struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000 };

    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

/* Until the disk is tried again, or the sweeper has something to do; -1: for as long as it takes. */
static int64_t sleep_ms(struct shard *shard)
{
    int64_t left_us = shard->sweep.next_us - monotonic_us();

    if (atomic_load(&shard->refuses))
        return RESUME_MS;
    if (!atomic_load(&shard->space->sweeps) || shard->sweep.next_us == INT64_MAX)
        return -1;
    return left_us > 0 ? left_us / 1000 + 1 : 0;
}

/* No wake-up is lost: a port pushes, then exchanges `sleeps` for 0; we exchange it for 1, then look. Whichever exchange comes second
 * reads what the first wrote, directly or through exchanges in between, and so sees what was done before it. */
static void sleep_until_work(struct shard *shard)
{
    atomic_exchange(&shard->sleeps, 1);
    if (!waiting(shard) && !atomic_load(&shard->stops) && !atomic_load(&shard->resumed) &&
        !atomic_load(&shard->space->still.wanted)) {
        atomic_fetch_add(&shard->epoch, 1); /* asleep, no port is looked at: they may close */
        futex_wait(&shard->sleeps, 1, sleep_ms(shard));
        atomic_fetch_add(&shard->epoch, 1);
    }
    atomic_exchange(&shard->sleeps, 0);
}

/* The clients whose writes were just answered are about to send the next ones: waiting for most of them saves syncs. */
static void gather(struct shard *shard, uint32_t completed)
{
    uint32_t there = waiting(shard), target = completed + there;
    int64_t end;

    if (target <= 1)
        return;
    end = monotonic_us() + GATHER_US;
    while (there < target - target / 8 && there < GATHER_ROWS && monotonic_us() < end) {
        sched_yield();
        there = waiting(shard);
    }
}

/* ---- answers ---- */

static void answer(struct turn *turn, uint32_t port_index, struct table_request *request)
{
    struct table_port *port = atomic_load_explicit(&turn->shard->space->ports[port_index], memory_order_acquire);
    struct channel *channel = atomic_load_explicit(&port->channels[turn->shard->index], memory_order_acquire);
    bool pushed = ring_push(&channel->to_port, request);

    assert(pushed);
    (void)pushed;
}

static void wake_ports(struct turn *turn, const bool *answered)
{
    for (uint32_t i = 0; i < turn->ports_end; i++) {
        struct table_port *port = answered[i] ? atomic_load(&turn->shard->space->ports[i]) : NULL;
        uint64_t one = 1;

        if (port)
            while (write(port->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
    }
}

/* ---- commands ---- */

/* Of the store and the batch, what the owner keeps in mind: something was taken back, or written in another way. */
static void forget_known(struct shard *shard)
{
    range_known_forget(shard->known);
    kept_rows_forget(shard->kept);
}

static struct table_def *definition(struct turn *turn, uint64_t table_id)
{
    struct table_space *space = turn->shard->space;
    struct table_def *def;

    for (uint32_t i = 0; i < turn->definition_count; i++)
        if (turn->definitions[i].table_id == table_id)
            return turn->definitions[i].def;
    def = space->options.table_by_id(space->options.context, table_id);
    if (turn->definition_count == DEFINITIONS) {
        if (turn->definitions[--turn->definition_count].def)
            table_def_unref(turn->definitions[turn->definition_count].def);
    }
    turn->definitions[turn->definition_count].table_id = table_id;
    turn->definitions[turn->definition_count++].def = def;
    return def;
}

static void forget_definitions(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->definition_count; i++)
        if (turn->definitions[i].def)
            table_def_unref(turn->definitions[i].def);
    turn->definition_count = 0;
}

/* A tombstone was written: the sweeper looks when it is due. */
static void notice_due(struct turn *turn, const struct table_def *def)
{
    int64_t at_us = monotonic_us() + (INT64_C(1) + def->params.gc_grace_s) * 1000000;

    if (at_us < turn->shard->sweep.next_us)
        turn->shard->sweep.next_us = at_us;
}

/* The range is cut into what the partition has already, so that no two tombstones overlap. turn->key is the partition's. *any: there
 * is something between its bounds. */
static enum status add_range(struct turn *turn, const struct command_fragment *fragment, bool *any, struct error *err)
{
    struct range_owner owner = { turn->shard->ops, turn->shard->store, turn->batch, &turn->overlay, turn->arena, err,
                                 turn->may_wait,   turn->shard->known };
    struct range_segment range;
    struct row row;
    enum status status;

    arena_reset(turn->arena);
    status = fragment_decode(turn->arena, fragment->fragment, &row, err);
    if (status)
        return status;
    range.deletion = row.deletion;
    if (!range_of_bounds(turn->arena, fragment->clustering, fragment->clustering_end, fragment->bounds, &range))
        return OK;
    *any = true;
    return range_add(&owner, turn->batch, buffer_bytes(&turn->key), range, 0, NULL);
}

/* Of a partition's fragment: whether it deletes the partition, and so is due one day. turn->key is the record's. */
static enum status add_due(struct turn *turn, struct bytes fragment, bool *is_due, struct error *err)
{
    struct row row;
    enum status status;

    if (!(fragment.data[1] & FRAGMENT_DELETION))
        return OK;
    arena_reset(turn->arena);
    status = fragment_decode(turn->arena, fragment, &row, err);
    if (status)
        return status;
    *is_due = true;
    due_add(turn->batch, buffer_bytes(&turn->key), row.deletion.deleted_s);
    return OK;
}

static size_t escaped_size(struct bytes bytes)
{
    size_t size = bytes.size + 2;

    for (size_t i = 0; i < bytes.size; i++)
        size += bytes.data[i] == 0;
    return size;
}

/* What the store would refuse, and the whole turn with it. A range's bounds may come together with any others of its partition. */
static enum status check_key(size_t prefix, const struct command_fragment *fragment, struct error *err)
{
    size_t size = prefix + 1 + DUE_KEY_BYTES;

    if (fragment->kind == KEY_ROW) {
        size += fragment->clustering.size;
    } else if (fragment->kind == KEY_RANGE) {
        size_t lower = escaped_size(fragment->clustering), upper = escaped_size(fragment->clustering_end);

        size += 2 * (lower > upper ? lower : upper) + RANGE_MARKS;
    }
    if (size > STORE_KEY_BYTES_MAX)
        return error_set(err, ERR_INVALID, "Key length of %zu is longer than maximum of %d", size, STORE_KEY_BYTES_MAX);
    return OK;
}

/* The next fragment of a command, and its key (a range's: its partition's) behind the first `prefix` bytes of turn->key. */
static enum status read_fragment(struct turn *turn, struct command_reader *reader, size_t prefix,
                                 struct command_fragment *fragment, struct error *err)
{
    command_read_fragment(reader, fragment);
    if (reader->failed)
        return error_set(err, ERR_CORRUPT, "a shard command is cut short");
    turn->key.size = prefix;
    if (fragment->kind != KEY_RANGE)
        buffer_append_u8(&turn->key, fragment->kind);
    if (fragment->kind == KEY_ROW)
        buffer_append_bytes(&turn->key, fragment->clustering);
    return check_key(prefix, fragment, err);
}

/* The same, stamped: in a copy that lives until the next one, since the command may have to run again, and must find itself as it came. */
static enum status next_fragment(struct turn *turn, struct command_reader *reader, size_t prefix, int64_t timestamp_us,
                                 struct command_fragment *fragment, struct error *err)
{
    enum status status = read_fragment(turn, reader, prefix, fragment, err);

    if (status || fragment_is_stamped(fragment->fragment))
        return status;
    buffer_reset(&turn->stamped);
    buffer_append_bytes(&turn->stamped, fragment->fragment);
    fragment_stamp(turn->stamped.data, turn->stamped.size, timestamp_us);
    fragment->fragment = buffer_bytes(&turn->stamped);
    return OK;
}

/* What the fragments of a command were, beside rows. */
struct tombstones {
    bool ranges, due;
};

/* Adds the fragment whose key is at hand. */
static enum status add_fragment(struct turn *turn, const struct command_fragment *fragment, int64_t timestamp_us,
                                struct tombstones *tombstones, struct error *err)
{
    enum status status = OK;

    if (fragment->kind == KEY_RANGE)
        return add_range(turn, fragment, &tombstones->ranges, err);
    if (fragment->kind == KEY_PARTITION)
        status = add_due(turn, fragment->fragment, &tombstones->due, err);
    if (!status)
        hot_add(turn->shard, turn->batch, buffer_bytes(&turn->key), fragment->fragment, timestamp_us);
    return status;
}

/* Tells the sweeper, and the readers of a partition with range tombstones. turn->key begins with the partition's key. */
static void tell_of_tombstones(struct turn *turn, const struct table_def *def, size_t prefix,
                               const struct tombstones *tombstones)
{
    struct row flag = ROW_EMPTY;

    if (tombstones->ranges || tombstones->due)
        notice_due(turn, def);
    if (!tombstones->ranges)
        return;
    flag.has_range_tombstones = true;
    turn->key.size = prefix;
    buffer_append_u8(&turn->key, KEY_PARTITION);
    kept_rows_forget_partition(turn->shard->kept, buffer_bytes(&turn->key));
    buffer_reset(&turn->range);
    fragment_encode(&turn->range, &flag);
    store_batch_merge(turn->batch, STORE_DATA, buffer_bytes(&turn->key), buffer_bytes(&turn->range));
}

static size_t begin_key(struct turn *turn, const struct command_header *header)
{
    buffer_reset(&turn->key);
    key_encode_partition(&turn->key, header->table_id, header->token, header->partition_key);
    return turn->key.size;
}

/* Adds a command's fragments to the batch, stamped. The reader stands at the first. */
static enum status add_fragments(struct turn *turn, const struct table_def *def, const struct command_header *header,
                                 struct command_reader *reader, int64_t timestamp_us, struct error *err)
{
    size_t prefix = begin_key(turn, header);
    struct tombstones tombstones = { 0 };

    for (uint32_t i = 0; i < header->fragment_count; i++) {
        struct command_fragment fragment;
        enum status status = next_fragment(turn, reader, prefix, timestamp_us, &fragment, err);

        if (!status)
            status = add_fragment(turn, &fragment, timestamp_us, &tombstones, err);
        if (status)
            return status;
    }
    tell_of_tombstones(turn, def, prefix, &tombstones);
    return OK;
}

static struct look look_of(struct turn *turn, const struct command_header *header, const struct table_def *def,
                           struct error *err)
{
    return (struct look){ .shard = turn->shard,
                          .batch = turn->batch,
                          .overlay = &turn->overlay,
                          .known = turn->shard->known,
                          .kept = turn->shard->kept,
                          .header = header,
                          .def = def,
                          .arena = turn->arena,
                          .err = err };
}

/* Adds a command's fragments; first those that ask for places in lists are given them. */
static enum status find_and_add_fragments(struct turn *turn, const struct table_def *def, struct command_header *header,
                                          struct command_reader *reader, int64_t timestamp_us, struct error *err)
{
    struct look look = look_of(turn, header, def, err);
    struct buffer fragments CLEANUP(buffer_fini) = { 0 };
    struct command_reader found;
    uint32_t count;
    enum status status;

    if (__builtin_expect(!header->has_places, 1))
        return add_fragments(turn, def, header, reader, timestamp_us, err);
    arena_reset(turn->arena);
    status = cas_find_places(&look, reader, &fragments, &count);
    if (status)
        return status;
    header->fragment_count = count;
    found = (struct command_reader){ fragments.data, fragments.data + fragments.size, false };
    return add_fragments(turn, def, header, &found, timestamp_us, err);
}

static enum status run_apply(struct turn *turn, struct table_request *request, struct command_header *header,
                             struct command_reader *reader)
{
    const struct table_def *def = definition(turn, header->table_id);

    if (!def)
        return error_set(request->error, ERR_STALE, "the table was dropped");
    request->timestamp_us = space_stamp_us(turn->shard->space, INT64_MIN);
    return find_and_add_fragments(turn, def, header, reader, request->timestamp_us, request->error);
}

/* Only numbers to add, or something else too? */
static bool is_addition(const struct row *row)
{
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].kind != CELL_COUNTER)
            return false;
    return row->cell_count && !row->complex_count && row->deletion.timestamp_us == TIMESTAMP_NONE &&
           row->liveness.timestamp_us == TIMESTAMP_NONE;
}

/* A command that adds to counters and does nothing else: all its rows are read before anything is added, which cannot fail. */
static enum status add_numbers(struct turn *turn, const struct command_header *header, struct command_reader *reader,
                               int64_t timestamp_us, struct error *err)
{
    struct look look = look_of(turn, header, NULL, err);
    size_t prefix = begin_key(turn, header);
    struct command_reader again = *reader;
    struct command_fragment fragment;
    enum status status = OK;

    for (uint32_t i = 0; i < header->fragment_count && !status; i++) {
        status = read_fragment(turn, reader, prefix, &fragment, err);
        if (!status)
            status = counting_load(turn->counting, &look, buffer_bytes(&turn->key), &fragment);
    }
    for (uint32_t i = 0; i < header->fragment_count && !status; i++) {
        struct row row;

        status = next_fragment(turn, &again, prefix, timestamp_us, &fragment, err);
        arena_reset(turn->arena);
        if (!status)
            status = fragment_decode(turn->arena, fragment.fragment, &row, err);
        assert(!status); /* all of them were read before */
        counting_add(turn->counting, buffer_bytes(&turn->key), &row, space_stamp_us(turn->shard->space, INT64_MIN));
    }
    return status;
}

/* Numbers and deletions in one command, in their order; or more rows than are gathered. Nothing of other commands is gathered now. */
static enum status add_mixed(struct turn *turn, const struct table_def *def, const struct command_header *header,
                             struct command_reader *reader, int64_t timestamp_us, struct error *err)
{
    struct look look = look_of(turn, header, def, err);
    size_t prefix = begin_key(turn, header);

    for (uint32_t i = 0; i < header->fragment_count; i++) {
        struct tombstones tombstones = { 0 };
        struct command_fragment fragment;
        struct row row;
        enum status status = next_fragment(turn, reader, prefix, timestamp_us, &fragment, err);

        if (status)
            return status;
        arena_reset(turn->arena);
        status = fragment_decode(turn->arena, fragment.fragment, &row, err);
        if (status)
            return status;
        if (fragment.kind != KEY_RANGE && is_addition(&row)) {
            status = counting_load(turn->counting, &look, buffer_bytes(&turn->key), &fragment);
            if (status)
                return status;
            counting_add(turn->counting, buffer_bytes(&turn->key), &row, space_stamp_us(turn->shard->space, INT64_MIN));
            counting_emit(turn->counting, turn->batch);
            continue;
        }
        status = add_fragment(turn, &fragment, timestamp_us, &tombstones, err);
        if (status)
            return status;
        tell_of_tombstones(turn, def, prefix, &tombstones); /* at once: the next addition must see it */
    }
    return OK;
}

/* before: where the batch is cut if it fails, behind what others added. NULL: a part of a group, where nothing of others is gathered. */
static enum status add_or_mix(struct turn *turn, const struct table_def *def, const struct command_header *header,
                              struct command_reader *reader, int64_t timestamp_us, size_t *before, struct error *err)
{
    struct command_reader ahead = *reader;
    struct command_fragment fragment;
    bool only_numbers = true;
    size_t prefix = begin_key(turn, header);

    for (uint32_t i = 0; i < header->fragment_count; i++) {
        struct row row;
        enum status status = read_fragment(turn, &ahead, prefix, &fragment, err);

        arena_reset(turn->arena);
        if (!status)
            status = fragment_decode(turn->arena, fragment.fragment, &row, err);
        if (status)
            return status;
        only_numbers &= fragment.kind != KEY_RANGE && is_addition(&row);
    }
    if (!only_numbers || !counting_has_room(turn->counting, header->fragment_count)) {
        counting_emit(turn->counting, turn->batch);
        if (before)
            *before = store_batch_count(turn->batch); /* a failure must not take others' numbers along */
    }
    if (only_numbers && counting_has_room(turn->counting, header->fragment_count))
        return add_numbers(turn, header, reader, timestamp_us, err);
    return add_mixed(turn, def, header, reader, timestamp_us, err);
}

static enum status run_add(struct turn *turn, struct table_request *request, const struct command_header *header,
                           struct command_reader *reader, size_t *before)
{
    const struct table_def *def = definition(turn, header->table_id);

    if (!def)
        return error_set(request->error, ERR_STALE, "the table was dropped");
    request->timestamp_us = space_stamp_us(turn->shard->space, INT64_MIN);
    return add_or_mix(turn, def, header, reader, request->timestamp_us, before, request->error);
}

/* The parts of other shards are remembered with this one's timestamp; what could not be written then is refused now. */
static enum status remember_parts(struct turn *turn, struct bytes others, int64_t timestamp_us, struct error *err)
{
    struct buffer stamped CLEANUP(buffer_fini) = { 0 };
    struct command_reader reader;

    buffer_append_bytes(&stamped, others);
    reader = (struct command_reader){ stamped.data, stamped.data + stamped.size, false };
    while (reader.at < reader.end) {
        struct command_reader part;
        struct command_header header;
        enum status status = command_read_header(&part, command_read_bytes(&reader), &header, err);
        size_t prefix;

        if (!status && (reader.failed || header.kind != COMMAND_APPLY))
            status = error_set(err, ERR_CORRUPT, "a shard command is cut short");
        prefix = status ? 0 : begin_key(turn, &header);
        for (uint32_t i = 0; i < header.fragment_count && !status; i++) {
            struct command_fragment fragment;

            status = read_fragment(turn, &part, prefix, &fragment, err);
            if (!status) /* in `stamped` */
                fragment_stamp((uint8_t *)fragment.fragment.data, fragment.fragment.size, timestamp_us);
        }
        if (!status && !definition(turn, header.table_id))
            status = error_set(err, ERR_STALE, "the table was dropped");
        if (status)
            return status;
    }
    batch_log_add_intent(turn->batch, timestamp_us, buffer_bytes(&stamped));
    return OK;
}

static enum status run_part(struct turn *turn, const struct command_header *group, struct bytes command,
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
    def = definition(turn, header.table_id);
    if (!def) /* if it is too late to refuse it, dropped meanwhile: nothing is left to write to */
        return group->flags & (GROUP_MARKED | GROUP_LOOSE) ? OK : error_set(err, ERR_STALE, "the table was dropped");
    if (header.kind == COMMAND_ADD)
        return add_or_mix(turn, def, &header, &part, timestamp_us, NULL, err);
    return find_and_add_fragments(turn, def, &header, &part, timestamp_us, err);
}

/* Its parts are in the batch together or, by the caller's truncation, not at all. */
static enum status run_group(struct turn *turn, struct table_request *request, const struct command_header *group,
                             struct command_reader *reader)
{
    int64_t timestamp_us =
        group->flags & GROUP_MARKED ? (int64_t)group->table_id : space_stamp_us(turn->shard->space, INT64_MIN);
    enum status status;
    bool has_marker;

    request->timestamp_us = timestamp_us;
    if (group->flags & GROUP_MARKED) {
        status =
            batch_log_has_marker(turn->shard, turn->batch, timestamp_us, turn->may_wait, &has_marker, request->error);
        if (status || has_marker)
            return status;
        batch_log_add_marker(turn->batch, timestamp_us);
    }
    for (uint32_t i = 0; i < group->part_count; i++) {
        status = run_part(turn, group, command_read_bytes(reader), timestamp_us, request->error);
        if (status) {
            counting_forget(turn->counting); /* all that is gathered is of its parts */
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

static enum status run_cas(struct turn *turn, struct table_request *request, struct command_header *header,
                           struct command_reader *reader)
{
    struct command_reader fragments = *reader;
    const struct table_def *def = definition(turn, header->table_id);
    struct buffer result = { 0 };
    struct look look = look_of(turn, header, def, request->error);
    int64_t newest_us = INT64_MIN;
    enum status status;

    if (!def)
        return error_set(request->error, ERR_STALE, "the table was dropped");
    arena_reset(turn->arena);
    status = cas_decide(&look, reader, &request->applied, &newest_us, &result);
    if (!status && request->applied) {
        request->timestamp_us = space_stamp_us(turn->shard->space, newest_us);
        status = find_and_add_fragments(turn, def, header, &fragments, request->timestamp_us, request->error);
    }
    if (status || request->applied) {
        buffer_fini(&result);
        return status;
    }
    request->result = buffer_bytes(&result); /* the port frees it */
    return OK;
}

/* Keys begin with their table's id. */
static enum status run_remove(struct turn *turn, const struct command_header *header, struct command_reader *reader,
                              struct error *err)
{
    for (uint32_t i = 0; i < header->part_count; i++) {
        uint64_t first = command_read_u64(reader), end = command_read_u64(reader);
        uint8_t from[8], to[8];

        if (reader->failed)
            return error_set(err, ERR_CORRUPT, "a shard command is cut short");
        store_be64(from, first);
        store_be64(to, end);
        store_batch_delete_range(turn->batch, STORE_DATA, bytes_of(from, 8), bytes_of(to, 8));
        due_forget_tables(turn->batch, first, end);
    }
    forget_known(turn->shard);
    turn->durable = true;
    forget_definitions(turn);
    return OK;
}

/* OK: it is in the batch (or needs none) and will be answered with the turn. ERR_WOULD_WAIT: nothing of it was done. */
static enum status run_command(struct turn *turn, struct table_request *request, bool may_wait)
{
    struct command_reader reader;
    struct command_header header;
    size_t before;
    enum status status;

    request->applied = true;
    request->result = (struct bytes){ 0 };
    status = command_read_header(&reader, request->command, &header, request->error);
    if (status)
        return status;
    if (atomic_load_explicit(&turn->shard->refuses, memory_order_relaxed))
        return error_set(request->error, ERR_WRITE_FAILURE,
                         "Shard %u takes no writes: the disk is full or failed; reads go on", turn->shard->index);
    header.may_wait = turn->may_wait = may_wait;
    turn->durable |= header.durable;
    if (header.kind != COMMAND_ADD) /* it may look at rows of counters, or remove them */
        counting_emit(turn->counting, turn->batch);
    before = store_batch_count(turn->batch);
    status = OK;
    switch (header.kind) {
    case COMMAND_APPLY: status = run_apply(turn, request, &header, &reader); break;
    case COMMAND_GROUP: status = run_group(turn, request, &header, &reader); break;
    case COMMAND_FORGET_INTENT: batch_log_forget_intent(turn->batch, (int64_t)header.table_id); break;
    case COMMAND_FORGET_MARKER: batch_log_forget_marker(turn->batch, (int64_t)header.table_id); break;
    case COMMAND_CAS: status = run_cas(turn, request, &header, &reader); break;
    case COMMAND_ADD: status = run_add(turn, request, &header, &reader, &before); break;
    case COMMAND_REMOVE: status = run_remove(turn, &header, &reader, request->error); break;
    case COMMAND_READ: abort(); /* the header's reader refused it: reads do not come to owners */
    case COMMAND_SWEEP:         /* when the turn is written: it looks at the store */
        turn->sweeps = true;
        turn->sweeps_from_start |= header.table_id != 0;
        break;
    }
    if (status) {
        if (store_batch_count(turn->batch) != before)
            forget_known(turn->shard);
        store_batch_truncate(turn->batch, before);
        range_overlay_reset(&turn->overlay);
    }
    return status;
}

static void persist_clock(struct turn *turn)
{
    struct shard *shard = turn->shard;
    int64_t now_us = atomic_load_explicit(&shard->space->clock_us, memory_order_relaxed);
    uint8_t key[CLOCK_KEY_BYTES], bound[CLOCK_BOUND_BYTES];

    if (shard->clock_bound_us != INT64_MIN && now_us < shard->clock_bound_us - CLOCK_SLACK_US)
        return;
    shard->clock_bound_us = now_us + CLOCK_AHEAD_US;
    store_be64(bound, (uint64_t)shard->clock_bound_us);
    store_batch_put(turn->batch, STORE_DATA, shard_clock_key(key), bytes_of(bound, sizeof(bound)));
}

static enum status write_batch(struct turn *turn, struct error *err)
{
    struct shard *shard = turn->shard;
    enum status status;

    if (!store_batch_count(turn->batch))
        return OK;
    persist_clock(turn);
    versions_begin(&shard->versions, turn->batch);
    status = shard->ops->write(shard->store, turn->batch, turn->durable, err);
    versions_end(&shard->versions, turn->batch);
    if (!status)
        return OK;
    failure_begin(shard, status);
    forget_known(shard);
    shard->clock_bound_us = INT64_MIN; /* it may not have reached the disk */
    return error_set(err, ERR_WRITE_TIMEOUT,
                     "Operation timed out - the write could not be synced, its outcome is unknown");
}

static void take(struct turn *turn, struct table_request *request, uint32_t port, bool may_wait, bool *answered)
{
    enum status status;

    if (__builtin_expect(request->report != NULL, 0)) {
        request->report->taken_us = monotonic_us();
        turn->has_reports = true;
    }
    status = run_command(turn, request, may_wait);
    if (__builtin_expect(status == ERR_WOULD_WAIT, 0) && !may_wait) {
        warm_begin(turn->shard, request, port);
        return;
    }
    request->status = status;
    answered[port] = true;
    turn->requests[turn->request_count].request = request;
    turn->requests[turn->request_count++].port = port;
}

static bool has_room(const struct turn *turn)
{
    return turn->request_count < TURN_REQUESTS && store_batch_bytes(turn->batch) < TURN_BYTES;
}

/* What it reads is in memory now, or was a moment ago: it is not sent off again. */
static uint32_t take_warmed(struct turn *turn, bool *answered)
{
    uint32_t taken = 0;

    if (!turn->warmed)
        turn->warmed = warm_take(turn->shard);
    while (__builtin_expect(turn->warmed != NULL, 0) && has_room(turn)) {
        struct warming *warmed = turn->warmed;

        turn->warmed = warmed->next;
        take(turn, warmed->request, warmed->port, true, answered);
        free(warmed);
        taken++;
    }
    return taken;
}

/* Takes what the rings hold, up to the turn's limits. Returns how many requests were taken. */
static uint32_t take_requests(struct turn *turn, bool *answered)
{
    struct shard *shard = turn->shard;
    uint32_t taken = take_warmed(turn, answered);

    for (uint32_t n = 0; n < turn->ports_end; n++) {
        uint32_t i = (turn->first_port + n) %
                     turn->ports_end; /* another port begins each turn: none starves behind a full one */
        struct table_port *port = atomic_load(&shard->space->ports[i]);
        struct channel *channel =
            port ? atomic_load_explicit(&port->channels[shard->index], memory_order_acquire) : NULL;
        struct table_request *request;

        while (channel && has_room(turn) && (request = ring_pop(&channel->to_owner))) {
            taken++;
            take(turn, request, i, false, answered);
        }
    }
    turn->first_port++;
    return taken;
}

/* Before the answers: an answered request is its port's again. */
static void fill_reports(struct turn *turn, int64_t began_us)
{
    int64_t written_us = monotonic_us();

    for (uint32_t i = 0; i < turn->request_count; i++) {
        struct commit_report *report = turn->requests[i].request->report;

        if (!report)
            continue;
        report->began_us = began_us;
        report->written_us = written_us;
        report->batch_bytes = store_batch_bytes(turn->batch);
        report->command_count = turn->request_count;
        report->shard = turn->shard->index;
        report->durable = turn->durable;
    }
}

static struct table_def *definition_for_sweep(void *context, uint64_t table_id)
{
    return definition(context, table_id);
}

/* One step of the sweeper, in a batch of its own: what was taken is written and not yet answered, or there was nothing. */
static enum status sweep(struct turn *turn, bool from_start, bool *more, struct error *err)
{
    struct sweep_step step = { .shard = turn->shard,
                               .batch = turn->batch,
                               .arena = turn->arena,
                               .definition = definition_for_sweep,
                               .context = turn,
                               .from_start = from_start };
    enum status status;

    store_batch_clear(turn->batch);
    range_overlay_reset(&turn->overlay);
    turn->durable = false;
    arena_reset(turn->arena);
    status = sweep_run(&step, err);
    if (store_batch_count(turn->batch))
        forget_known(turn->shard);
    if (!status)
        status = write_batch(turn, err);
    *more = step.more;
    return status;
}

/* Sweeps a step if it is time. True: there is more to do at once, if nothing else is. */
static bool sweep_if_due(struct turn *turn, bool busy)
{
    struct sweep *state = &turn->shard->sweep;
    struct table_space *space = turn->shard->space;
    int64_t began_us = monotonic_us(), now_s, end_us;
    enum status status;
    struct error err;
    bool more;

    if (began_us < state->next_us || !atomic_load_explicit(&space->sweeps, memory_order_relaxed) ||
        atomic_load_explicit(&turn->shard->refuses, memory_order_relaxed))
        return false;
    status = sweep(turn, false, &more, &err);
    forget_definitions(turn);
    end_us = monotonic_us();
    if (status) {
        log_warn("table", "sweeping stopped shard=%u status=%s", turn->shard->index, status_name(status));
        state->next_us = end_us + SWEEP_LOOK_US;
        return false;
    }
    if (more) {
        state->next_us = busy ? end_us + SWEEP_SHARE * (end_us - began_us) : end_us;
        return !busy;
    }
    now_s = space->options.now_us(space->options.clock) / 1000000;
    state->next_us = INT64_MAX;
    if (state->earliest_s != INT64_MAX || state->blocked)
        state->next_us = end_us + SWEEP_LOOK_US;
    if (state->earliest_s - now_s < SWEEP_LOOK_US / 1000000)
        state->next_us = end_us + (state->earliest_s > now_s ? state->earliest_s - now_s : 1) * INT64_C(1000000);
    return false;
}

static void answer_sweeps(struct turn *turn, enum status status, bool more, const struct error *err)
{
    for (uint32_t i = 0; i < turn->request_count; i++) {
        struct table_request *request = turn->requests[i].request;

        if (request->status || request->command.data[0] != COMMAND_SWEEP)
            continue;
        request->applied = more;
        request->status = status;
        if (status)
            *request->error = *err;
    }
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What commands cost lately says how many of a flow may be with the owner at once. */
static void weigh(struct turn *turn, uint32_t taken)
{
    int64_t cpu_ns = thread_cpu_ns(), spent_ns = cpu_ns - turn->cpu_ns - TURN_FIXED_NS;
    uint64_t window = RING_SLOTS;

    turn->cpu_ns = cpu_ns;
    turn->cost_ns = (turn->cost_ns * COST_COMMANDS + (uint64_t)(spent_ns > 0 ? spent_ns : 0)) / (COST_COMMANDS + taken);
    if (turn->cost_ns > DEAR_NS)
        window = FLOW_NS / turn->cost_ns > WINDOW_MIN ? FLOW_NS / turn->cost_ns : WINDOW_MIN;
    atomic_store_explicit(&turn->shard->window, (uint32_t)window, memory_order_relaxed);
}

static uint32_t run_turn(struct turn *turn)
{
    bool *answered = turn->answered;
    uint32_t taken;
    int64_t began_us;
    struct error err;
    enum status status;

    store_batch_clear(turn->batch);
    range_overlay_reset(&turn->overlay);
    turn->request_count = 0;
    turn->durable = turn->has_reports = turn->sweeps = turn->sweeps_from_start = false;
    turn->ports_end = atomic_load(&turn->shard->space->ports_end);
    memset(answered, 0, turn->ports_end * sizeof(*answered));
    taken = take_requests(turn, answered);
    counting_emit(turn->counting, turn->batch);
    if (!taken)
        return 0;
    began_us = turn->has_reports ? monotonic_us() : 0;
    status = write_batch(turn, &err);
    if (turn->has_reports)
        fill_reports(turn, began_us);
    if (!status && turn->sweeps) {
        bool more = false;
        struct error sweep_err;
        enum status sweep_status = sweep(turn, turn->sweeps_from_start, &more, &sweep_err);

        answer_sweeps(turn, sweep_status, more, &sweep_err);
    }
    for (uint32_t i = 0; i < turn->request_count; i++) {
        struct table_request *request = turn->requests[i].request;

        if (status && !request->status) {
            free((void *)request->result.data);
            request->result = (struct bytes){ 0 };
            *request->error = err;
            request->status = status;
        }
        answer(turn, turn->requests[i].port, request);
    }
    weigh(turn, taken); /* before ports are woken, which send what waits */
    wake_ports(turn, answered);
    forget_definitions(turn);
    arena_reset(turn->arena); /* a large list was in it */
    return taken;
}

static void *own(void *context)
{
    struct shard *shard = context;
    struct turn turn = {
        .shard = shard, .batch = store_batch_new(), .arena = arena_new(4096), .counting = counting_new()
    };
    uint32_t taken = 0;
    char name[16];

    snprintf(name, sizeof(name), "owner-%u", shard->index);
    pthread_setname_np(pthread_self(), name);
    turn.requests = xmalloc(sizeof(*turn.requests) * TURN_REQUESTS);
    turn.answered = xcalloc(shard->space->options.port_count_max, sizeof(*turn.answered));
    atomic_fetch_add(&shard->epoch, 1);
    for (;;) {
        atomic_fetch_add(&shard->epoch, 2); /* no port is at hand here */
        if (__builtin_expect(atomic_load_explicit(&shard->space->still.wanted, memory_order_relaxed), 0))
            still_stand(shard);
        gather(shard, taken);
        taken = run_turn(&turn);
        if (__builtin_expect(atomic_load_explicit(&shard->refuses, memory_order_relaxed), 0))
            failure_mind(shard);
        if (sweep_if_due(&turn, taken > 0) || taken)
            continue;
        if (atomic_load(&shard->stops))
            break;
        sleep_until_work(shard);
    }
    atomic_fetch_add(&shard->epoch, 1);
    assert(!turn.warmed);
    free(turn.requests);
    free(turn.answered);
    store_batch_free(turn.batch);
    arena_free(turn.arena);
    counting_free(turn.counting);
    buffer_fini(&turn.key);
    buffer_fini(&turn.range);
    buffer_fini(&turn.stamped);
    range_overlay_fini(&turn.overlay);
    return NULL;
}

enum status shard_start(struct shard *shard, struct error *err)
{
    int failed = pthread_create(&shard->owner, NULL, own, shard);

    if (failed)
        return error_set_os(err, failed, "cannot start a shard's thread");
    shard->owner_runs = true;
    return OK;
}

void shard_stop(struct shard *shard)
{
    if (!shard->owner_runs)
        return;
    atomic_store(&shard->stops, true);
    shard_wake(shard);
    pthread_join(shard->owner, NULL);
    shard->owner_runs = false;
    failure_stop(shard);
}
