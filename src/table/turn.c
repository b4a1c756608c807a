/* A turn of an owner: the batch that its commands share, and the door into it.
 *
 * All changes meet here so that whoever must hear of each of them has one place to listen. And what
 * goes along with a change cannot be left out by who decides it: an entry of the due list with each
 * tombstone, the flag with each range, what the owner keeps in mind with each write that is not a
 * client's.
 *
 * A row's change passes in this order: turn_begin_command makes the partition's key,
 * turn_next_fragment the row's key and a stamped copy of the fragment, turn_apply puts it into the
 * batch, turn_write writes the batch of all commands with one sync. Until then readers see nothing
 * of it; commands of the same turn see it by looking through the batch (look.h). */
#include "table/turn.h"

#include "base/hash.h"
#include "row/fragment.h"
#include "row/key.h"
#include "table/counter.h"
#include "table/due.h"
#include "table/failure.h"
#include "table/fold_hot.h"
#include "table/kept.h"

#include <assert.h>

enum {
    CLOCK_AHEAD_US = 10000000, /* the persisted bound is this far ahead of the clock ... */
    CLOCK_SLACK_US = 5000000,  /* ... and renewed when less than this is left */
};

/* What a turn works with is made once and used again: a turn of a single small write must take no
 * memory. */
void turn_init(struct turn *turn, struct shard *shard)
{
    *turn = (struct turn){
        .shard = shard, .batch = store_batch_new(), .arena = arena_new(4096), .counters = counters_new()
    };
}

/* The owner has ended between two turns: nothing is half done. */
void turn_fini(struct turn *turn)
{
    assert(atomic_load(&turn->shard->stops) && !turn->counts && !turn->definition_count);
    store_batch_free(turn->batch);
    arena_free(turn->arena);
    counters_free(turn->counters);
    buffer_fini(&turn->key);
    buffer_fini(&turn->stamped);
    buffer_fini(&turn->value);
    buffer_fini(&turn->due);
    range_overlay_fini(&turn->overlay);
}

void turn_begin(struct turn *turn)
{
    assert(!turn->counts); /* all that was added to counters was written, or taken back */
    store_batch_clear(turn->batch);
    range_overlay_reset(&turn->overlay);
    turn->durable = false;
}

/* ---- definitions ---- */

/* Looked up once a turn: the catalog's lock is not taken for each command, and a turn decides by one
 * definition. When more tables than fit are written, the last one found makes room. */
struct table_def *turn_definition(struct turn *turn, uint64_t table_id)
{
    struct table_space *space = turn->shard->space;
    struct table_def *def;

    for (uint32_t i = 0; i < turn->definition_count; i++)
        if (turn->definitions[i].table_id == table_id)
            return turn->definitions[i].def;
    def = space->options.table_by_id(space->options.context, table_id);
    if (turn->definition_count == TURN_DEFINITIONS) {
        if (turn->definitions[--turn->definition_count].def)
            table_def_unref(turn->definitions[turn->definition_count].def);
    }
    assert(turn->definition_count < TURN_DEFINITIONS);
    turn->definitions[turn->definition_count].table_id = table_id;
    turn->definitions[turn->definition_count++].def = def;
    return def;
}

/* At the end of each turn: an ALTER holds from the next one on. */
void turn_forget_definitions(struct turn *turn)
{
    assert(turn->definition_count <= TURN_DEFINITIONS);
    for (uint32_t i = 0; i < turn->definition_count; i++)
        if (turn->definitions[i].def)
            table_def_unref(turn->definitions[i].def);
    turn->definition_count = 0;
}

struct look turn_look(struct turn *turn, const struct command_header *header, const struct table_def *def,
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

/* ---- a command's mutation ---- */

/* The mutation is the same struct for all fragments of the command: only `key` and `at` change. */
void turn_begin_command(struct turn *turn, struct mutation *mutation, const struct table_def *def,
                        const struct command_header *header, int64_t timestamp_us)
{
    buffer_reset(&turn->key);
    key_encode_partition(&turn->key, header->table_id, header->token, header->partition_key);
    assert(turn->key.size >= KEY_PREFIX_BYTES);
    mutation->kind = MUTATION_ADD;
    mutation->origin = ORIGIN_CLIENT;
    mutation->def = def;
    mutation->token = header->token;
    mutation->timestamp_us = timestamp_us;
    mutation->prefix = turn->key.size;
    mutation->before = (struct bytes){ 0 };
    mutation->has_ranges = mutation->has_deletion = mutation->wants_flag = false;
}

/* Refuses a key that the store would not take: a turn's batch is refused as a whole, so one client's
 * key would fail the writes of all others. A range may be cut later, and its bounds come together
 * with those of others of its partition: the longest key that could result counts. */
static enum status check_key(size_t prefix, const struct command_fragment *fragment, struct error *err)
{
    size_t size = prefix + 1 + DUE_KEY_BYTES;

    if (fragment->kind == KEY_ROW) {
        size += fragment->clustering.size;
    } else if (fragment->kind == KEY_RANGE) {
        size_t lower = range_key_bytes_most(prefix, fragment->clustering),
               upper = range_key_bytes_most(prefix, fragment->clustering_end);

        size = lower > upper ? lower : upper;
    }
    if (size > STORE_KEY_BYTES_MAX)
        return error_set(err, ERR_INVALID, "Key length of %zu is longer than maximum of %d", size, STORE_KEY_BYTES_MAX);
    return OK;
}

/* Reads a fragment from the command and puts its key behind the partition's. */
static inline enum status read_fragment(struct turn *turn, struct mutation *mutation, struct command_reader *reader,
                                        struct error *err)
{
    struct command_fragment *at = &mutation->at;

    assert(mutation->prefix && mutation->prefix <= turn->key.size);
    command_read_fragment(reader, at);
    if (reader->failed)
        return error_set(err, ERR_CORRUPT, "a shard command is cut short");
    turn->key.size = mutation->prefix;
    if (at->kind != KEY_RANGE)
        buffer_append_u8(&turn->key, at->kind);
    if (at->kind == KEY_ROW)
        buffer_append_bytes(&turn->key, at->clustering);
    mutation->key = buffer_bytes(&turn->key);
    return check_key(mutation->prefix, at, err);
}

enum status turn_read_fragment(struct turn *turn, struct mutation *mutation, struct command_reader *reader,
                               struct error *err)
{
    return read_fragment(turn, mutation, reader, err);
}

/* As turn_read_fragment, and stamped, where the command leaves its time to the owner. */
enum status turn_next_fragment(struct turn *turn, struct mutation *mutation, struct command_reader *reader,
                               struct error *err)
{
    enum status status = read_fragment(turn, mutation, reader, err);
    struct command_fragment *at = &mutation->at;

    if (status || fragment_is_stamped(at->fragment))
        return status;
    /* The command stays as it came, for it may have to run again: the copy is stamped. */
    buffer_reset(&turn->stamped);
    buffer_append_bytes(&turn->stamped, at->fragment);
    fragment_stamp(turn->stamped.data, turn->stamped.size, mutation->timestamp_us);
    at->fragment = buffer_bytes(&turn->stamped);
    return OK;
}

/* ---- the door ---- */

/* Forgets what the owner keeps in mind about the store and the batch: something was taken back, or
 * written in another way than it hears of. */
static void forget_known(struct shard *shard)
{
    range_known_forget(shard->known);
    kept_rows_forget(shard->kept);
}

/* An entry of the due list, in the same batch as its tombstone: neither can be there without the
 * other. */
static void add_due(struct turn *turn, struct bytes tombstone_key, int64_t deleted_s)
{
    buffer_reset(&turn->due);
    due_encode(&turn->due, tombstone_key, deleted_s);
    assert(turn->due.size == tombstone_key.size + DUE_KEY_BYTES);
    store_batch_put(turn->batch, STORE_DATA, buffer_bytes(&turn->due), due_value());
}

/* A tombstone that goes takes its entry along. */
static void forget_due(struct turn *turn, struct bytes tombstone_key, int64_t deleted_s)
{
    buffer_reset(&turn->due);
    due_encode(&turn->due, tombstone_key, deleted_s);
    store_batch_delete(turn->batch, STORE_DATA, buffer_bytes(&turn->due));
}

/* Writes the segments of range tombstones that come, and deletes those that go, each with its place
 * in the due list. */
static void change_segments(struct turn *turn, const struct range_changes *changes)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct range_change *change = &changes->items[i];
        struct row row = ROW_EMPTY;

        assert(!change->comes || change->key.size + DUE_KEY_BYTES <= STORE_KEY_BYTES_MAX);
        if (!change->comes) {
            store_batch_delete(turn->batch, STORE_DATA, change->key);
            forget_due(turn, change->key, change->deletion.deleted_s);
            continue;
        }
        row.deletion = change->deletion;
        buffer_reset(&turn->value);
        fragment_encode(&turn->value, &row);
        store_batch_put(turn->batch, STORE_DATA, change->key, buffer_bytes(&turn->value));
        add_due(turn, change->key, change->deletion.deleted_s);
    }
}

/* A deletion of a range. It is cut into what the partition has already, so that no two tombstones
 * overlap (range.h). */
static enum status add_range(struct turn *turn, struct mutation *mutation, struct error *err)
{
    struct range_owner owner = { turn->shard->ops, turn->shard->store, turn->batch, &turn->overlay, turn->arena, err,
                                 turn->may_wait,   turn->shard->known };
    const struct command_fragment *at = &mutation->at;
    struct range_changes changes = { 0 };
    struct range_segment range;
    struct row row;
    enum status status;

    assert(mutation->key.size == mutation->prefix && mutation->def);
    arena_reset(turn->arena);
    status = fragment_decode(turn->arena, at->fragment, &row, err);
    if (status)
        return status;
    range.deletion = row.deletion;
    if (!range_of_bounds(turn->arena, at->clustering, at->clustering_end, at->bounds, &range))
        return OK;
    mutation->has_ranges = true;
    /* A partition whose ranges are known has its flag: it was written with the first that made them known. */
    mutation->wants_flag |= !range_known_find(turn->shard->known, mutation->key);
    status = range_add(&owner, mutation->key, range, 0, NULL, &changes);
    if (!status)
        change_segments(turn, &changes);
    return status;
}

/* If a partition's fragment deletes the partition, an entry of the due list goes with it. The flag
 * in the fragment's head answers for nearly all of them without decoding. */
static enum status look_for_deletion(struct turn *turn, struct mutation *mutation, struct error *err)
{
    struct row row;
    enum status status;

    assert(mutation->at.fragment.size >= FRAGMENT_BYTES_MIN); /* turn_read_fragment saw to it */
    if (!(mutation->at.fragment.data[1] & FRAGMENT_DELETION))
        return OK;
    arena_reset(turn->arena);
    status = fragment_decode(turn->arena, mutation->at.fragment, &row, err);
    if (status)
        return status;
    mutation->has_deletion = true;
    add_due(turn, mutation->key, row.deletion.deleted_s);
    return OK;
}

/* Writes a hot row as one value instead of one more operand (fold_hot.c says why). It goes through
 * the same door, as no client's change. False: it can't be folded now. */
static bool fold(struct turn *turn, const struct mutation *mutation, struct fold_hot_key *hot)
{
    struct mutation folded = { .kind = MUTATION_PUT,
                               .origin = ORIGIN_FOLDING,
                               .def = mutation->def,
                               .token = mutation->token,
                               .timestamp_us = mutation->timestamp_us,
                               .prefix = mutation->prefix,
                               .key = mutation->key };

    assert(mutation->kind == MUTATION_ADD && mutation->origin == ORIGIN_CLIENT);
    if (!fold_hot_value(turn->shard, turn->batch, hot, mutation->key, mutation->at.fragment, &folded.before,
                        &folded.at.fragment))
        return false;
    (void)turn_apply(turn, &folded, NULL); /* a put does not fail */
    return true;
}

/* The way of nearly every change: a fragment of a row becomes an operand that the store merges when
 * the row is read or compacted. Nothing is read here, unless the key is hot or deletes. */
static enum status add_fragment(struct turn *turn, struct mutation *mutation, struct error *err)
{
    struct shard *shard = turn->shard;
    struct bytes fragment = mutation->at.fragment;
    struct fold_hot_key *hot;
    uint64_t hash;

    if (mutation->at.kind == KEY_RANGE)
        return add_range(turn, mutation, err);
    if (mutation->at.kind == KEY_PARTITION) {
        enum status status = look_for_deletion(turn, mutation, err);

        if (status)
            return status;
    }
    hash = hash_seeded(0, mutation->key);
    hot = fold_hot_find(shard->fold_hot, hash, fragment.size, mutation->timestamp_us);
    if (!kept_rows_are_none(shard->kept))
        kept_rows_wrote(shard->kept, hash, mutation->key, fragment);
    if (__builtin_expect(!hot, 1) || !fold(turn, mutation, hot))
        store_batch_merge(turn->batch, STORE_DATA, mutation->key, fragment);
    return OK;
}

/* Only what a client adds may fail: a range must be read before it is cut. */
enum status turn_apply(struct turn *turn, struct mutation *mutation, struct error *err)
{
    assert(mutation->key.size);
    if (__builtin_expect(mutation->kind == MUTATION_ADD, 1))
        return add_fragment(turn, mutation, err);
    assert(mutation->kind != MUTATION_SEGMENTS || mutation->segments);
    if (mutation->origin == ORIGIN_SWEEPER || mutation->kind == MUTATION_DELETE_KEYS)
        forget_known(turn->shard);
    switch (mutation->kind) {
    case MUTATION_ADD: abort();
    case MUTATION_PUT: store_batch_put(turn->batch, STORE_DATA, mutation->key, mutation->at.fragment); break;
    case MUTATION_DELETE: store_batch_delete(turn->batch, STORE_DATA, mutation->key); break;
    case MUTATION_SEGMENTS: change_segments(turn, mutation->segments); break;
    case MUTATION_DELETE_KEYS: store_batch_delete_range(turn->batch, STORE_DATA, mutation->key, mutation->end); break;
    }
    return OK;
}

/* A tombstone was written: the sweeper looks when it is due. The second more is for rounding. */
static void notice_due(struct turn *turn, const struct table_def *def)
{
    int64_t at_us = space_monotonic_us(turn->shard->space) + (INT64_C(1) + def->params.gc_grace_s) * 1000000;

    if (at_us < turn->shard->sweep.next_us)
        turn->shard->sweep.next_us = at_us;
}

/* The partition's record gets the flag that readers look at before they look for ranges. It was not
 * written with each range, because all of a command are one partition's. */
static void end_ranges(struct turn *turn, const struct mutation *mutation)
{
    struct row flag = ROW_EMPTY;

    turn->key.size = mutation->prefix;
    buffer_append_u8(&turn->key, KEY_PARTITION);
    kept_rows_forget_partition(turn->shard->kept, buffer_bytes(&turn->key));
    if (!mutation->wants_flag)
        return; /* one more operand for each range would be merged by whoever reads the partition */
    flag.has_range_tombstones = true;
    buffer_reset(&turn->value);
    fragment_encode(&turn->value, &flag);
    store_batch_merge(turn->batch, STORE_DATA, buffer_bytes(&turn->key), buffer_bytes(&turn->value));
}

/* Nearly all commands have nothing left to do here. */
void turn_end_command(struct turn *turn, struct mutation *mutation)
{
    if (__builtin_expect(!mutation->has_ranges && !mutation->has_deletion, 1))
        return;
    assert(mutation->def && mutation->prefix <= turn->key.size);
    notice_due(turn, mutation->def);
    if (mutation->has_ranges)
        end_ranges(turn, mutation);
    mutation->has_ranges = mutation->has_deletion = mutation->wants_flag = false;
}

/* A command failed: what it added goes. What the owner had noted about it would be wrong now, and is
 * forgotten. */
void turn_take_back(struct turn *turn, size_t mark)
{
    assert(mark <= store_batch_count(turn->batch));
    if (store_batch_count(turn->batch) != mark)
        forget_known(turn->shard);
    store_batch_truncate(turn->batch, mark);
    range_overlay_reset(&turn->overlay);
}

/* ---- writing ---- */

/* Timestamps must not go back after a restart, even if the machine's clock did. So a bound that lies
 * ahead of the clock is written with the batch, seldom, and a start begins above it (space.c). */
static void persist_clock(struct turn *turn)
{
    struct shard *shard = turn->shard;
    int64_t now_us = atomic_load_explicit(&shard->space->clock_us, memory_order_relaxed);
    uint8_t key[CLOCK_KEY_BYTES], bound[CLOCK_BOUND_BYTES];
    struct mutation mutation = { .kind = MUTATION_PUT, .origin = ORIGIN_SHARD };

    if (shard->clock_bound_us != INT64_MIN && now_us < shard->clock_bound_us - CLOCK_SLACK_US)
        return;
    shard->clock_bound_us = now_us + CLOCK_AHEAD_US;
    store_be64(bound, (uint64_t)shard->clock_bound_us);
    mutation.key = shard_clock_key(key);
    mutation.at.fragment = bytes_of(bound, sizeof(bound));
    (void)turn_apply(turn, &mutation, NULL); /* a put does not fail */
}

enum status turn_write(struct turn *turn, struct error *err)
{
    struct shard *shard = turn->shard;
    enum status status;

    assert(!turn->counts);
    if (!store_batch_count(turn->batch))
        return OK;
    assert(!atomic_load_explicit(&shard->refuses, memory_order_relaxed)); /* or what failed would be followed by more */
    persist_clock(turn);
    /* One sync for the commands of all clients in the turn. The keys' versions are odd meanwhile,
     * so that no port takes a value for good that is just changing (row_cache.h). Whatever comes
     * of the write they become even again: else no port could keep these keys any more. */
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
