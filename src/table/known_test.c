/* What an owner knows of range tombstones is what the store has: random ranges, old and new ones, in more partitions than are kept in
 * mind, with commands that are taken back and ranges that change behind its back, against a plain array of places. And it need not ask
 * the store again: scans are counted.
 */
#include "table/bed.h"
#include "row/fragment.h"
#include "row/merge.h"
#include "table/range.h"
#include "table/shard.h"

enum { PLACES = 200, PARTITIONS = 20, TURNS = 400, RANGES = 3000 };

static struct table_bed bed = { .shards = 1 };
static struct store_ops counting;
static const struct store_ops *counted;
static uint32_t scan_count, look_back_count;

static enum status count_and_scan(struct store *store, const struct store_scan_options *options,
                                  struct store_scan **scan, struct error *err)
{
    scan_count++;
    return counted->scan_open(store, options, scan, err);
}

static uint32_t flag_count;

/* Of partitions' records nothing else is written here. */
static enum status count_and_write(struct store *store, const struct store_batch *batch, bool durable,
                                   struct error *err)
{
    for (size_t i = 0; i < store_batch_count(batch); i++)
        flag_count += store_batch_at(batch, i).kind == STORE_MERGE;
    return counted->write(store, batch, durable, err);
}

static enum status count_and_seek_back(struct store_scan *scan, struct bytes key, struct error *err)
{
    look_back_count++;
    return counted->scan_seek_back(scan, key, err);
}

/* The owner has nothing to do: the test writes in its place. */
struct stand {
    struct range_owner owner;
    struct store_batch *batch;
    struct range_overlay overlay;
    struct range_known *known;
    struct buffer key; /* of a partition */
    struct error err;
    uint32_t dice;
};

static uint32_t roll(struct stand *stand, uint32_t sides)
{
    stand->dice = stand->dice * 1664525 + 1013904223;
    return (stand->dice >> 8) % sides;
}

static void stand_init(struct stand *stand)
{
    struct shard *shard;

    bed_open(&bed);
    shard = &bed.space->shards[0];
    *stand = (struct stand){ .batch = store_batch_new(), .known = range_known_new(), .dice = 5 };
    stand->owner = (struct range_owner){ .ops = &counting,
                                         .store = shard->store,
                                         .batch = stand->batch,
                                         .overlay = &stand->overlay,
                                         .arena = arena_new(1 << 12),
                                         .err = &stand->err,
                                         .may_wait = true,
                                         .known = stand->known };
}

static void stand_fini(struct stand *stand)
{
    range_known_free(stand->known);
    range_overlay_fini(&stand->overlay);
    store_batch_free(stand->batch);
    buffer_fini(&stand->key);
    arena_free(stand->owner.arena);
    bed_close(&bed);
}

static struct bytes partition_of(struct stand *stand, uint32_t partition)
{
    uint8_t key = (uint8_t)partition;

    buffer_reset(&stand->key);
    key_encode_partition(&stand->key, BED_TABLE, 1, bytes_of(&key, 1));
    return buffer_bytes(&stand->key);
}

static void write_turn(struct stand *stand)
{
    bed_must(counting.write(stand->owner.store, stand->batch, false, &stand->err), &stand->err);
    store_batch_clear(stand->batch);
    range_overlay_reset(&stand->overlay);
}

/* As the turn's door does, but for the due list. */
static void write_changes(struct stand *stand, const struct range_changes *changes)
{
    struct buffer value CLEANUP(buffer_fini) = { 0 };

    for (uint32_t i = 0; i < changes->count; i++) {
        struct row row = ROW_EMPTY;

        row.deletion = changes->items[i].deletion;
        buffer_reset(&value);
        fragment_encode(&value, &row);
        if (changes->items[i].comes)
            store_batch_put(stand->batch, STORE_DATA, changes->items[i].key, buffer_bytes(&value));
        else
            store_batch_delete(stand->batch, STORE_DATA, changes->items[i].key);
    }
}

/* upper PLACES: to the end. */
static void add(struct stand *stand, uint32_t partition, uint32_t lower, uint32_t upper, int64_t timestamp_us)
{
    uint8_t places[2] = { (uint8_t)lower, (uint8_t)upper };
    struct range_segment range = { bytes_of(&places[0], lower ? 1 : 0),
                                   upper == PLACES ? (struct bytes){ 0 } : bytes_of(&places[1], 1),
                                   { timestamp_us, timestamp_us / 1000 } };

    struct range_changes changes = { 0 };

    arena_reset(stand->owner.arena);
    bed_must(range_add(&stand->owner, partition_of(stand, partition), range, 0, NULL, &changes), &stand->err);
    write_changes(stand, &changes);
}

static int64_t find(struct stand *stand, uint32_t partition, uint32_t place)
{
    uint8_t clustering = (uint8_t)place;
    struct deletion deletion;

    arena_reset(stand->owner.arena);
    bed_must(range_find(&stand->owner, partition_of(stand, partition), bytes_of(&clustering, 1), &deletion),
             &stand->err);
    return deletion.timestamp_us;
}

static void check(struct stand *stand, int64_t model[PLACES], uint32_t partition)
{
    for (uint32_t place = roll(stand, 8); place < PLACES; place += 1 + roll(stand, 8)) {
        assert_int_equal(find(stand, partition, place), model[place]);
        stand->owner.known = NULL; /* as the store and the batch have it */
        assert_int_equal(find(stand, partition, place), model[place]);
        stand->owner.known = stand->known;
    }
}

static void what_is_known_is_what_is_there(void **state)
{
    static int64_t model[PARTITIONS][PLACES], before[PARTITIONS][PLACES];
    struct stand stand;
    int64_t clock_us = 1000000;

    for (uint32_t p = 0; p < PARTITIONS; p++)
        for (uint32_t i = 0; i < PLACES; i++)
            model[p][i] = TIMESTAMP_NONE;
    stand_init(&stand);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        for (uint32_t n = roll(&stand, 5); n; n--) {
            size_t count = store_batch_count(stand.batch);
            uint32_t fate = roll(&stand, 20), p = roll(&stand, roll(&stand, 2) ? 3 : PARTITIONS);

            memcpy(before, model, sizeof(model));
            stand.owner.known = fate == 0 ? NULL : stand.known; /* the sweeper, say */
            for (uint32_t ranges = 1 + roll(&stand, 3); ranges; ranges--) {
                uint32_t lower = roll(&stand, PLACES), upper = lower + 1 + roll(&stand, PLACES - lower);
                int64_t at_us = roll(&stand, 4) ? ++clock_us : 1000000 + roll(&stand, (uint32_t)(clock_us - 999999));

                add(&stand, p, lower, upper, at_us);
                for (uint32_t i = lower; i < upper; i++)
                    model[p][i] = at_us > model[p][i] ? at_us : model[p][i];
            }
            stand.owner.known = stand.known;
            if (fate == 1) { /* the command fails at its end */
                store_batch_truncate(stand.batch, count);
                range_overlay_reset(&stand.overlay);
                memcpy(model, before, sizeof(model));
            }
            if (fate <= 1)
                range_known_forget(stand.known);
            if (roll(&stand, 8) == 0)
                check(&stand, model[p], p);
        }
        write_turn(&stand);
    }
    for (uint32_t p = 0; p < PARTITIONS; p++)
        check(&stand, model[p], p);
    stand_fini(&stand);
}

static void the_store_is_not_asked_for_what_is_known(void **state)
{
    struct stand stand;

    stand_init(&stand);
    scan_count = 0;
    for (int64_t i = 0; i < RANGES; i++) {
        uint32_t lower = roll(&stand, PLACES - 20);

        add(&stand, 1, lower, lower + 1 + roll(&stand, 20), 1000000 + i);
        write_turn(&stand);
    }
    assert_in_range(scan_count, 1, 40); /* as the window grows to all places */
    stand_fini(&stand);
}

/* A queue's consumer: DELETE .. WHERE c < n, n grows. What lies before the window's end is known; to look back from there would pass
 * all that was replaced since the last flush. */
static void a_range_that_grows_looks_back_once(void **state)
{
    struct stand stand;

    stand_init(&stand);
    look_back_count = 0;
    for (uint32_t upper = 1; upper < PLACES; upper++) {
        add(&stand, 1, 0, upper, 1000000 + upper);
        if (upper % 3 == 0)
            write_turn(&stand);
    }
    write_turn(&stand);
    assert_int_equal(look_back_count, 1);
    assert_int_equal(find(&stand, 1, PLACES - 2), 1000000 + PLACES - 1);
    assert_int_equal(find(&stand, 1, PLACES - 1), TIMESTAMP_NONE);
    stand_fini(&stand);
}

/* Each flag more would be an operand that every read of the partition merges. One that was forgotten is written again. */
static void a_partition_is_flagged_once(void **state)
{
    enum { DELETES = 50 };
    struct table_port *port;
    struct error err;

    bed_open(&bed);
    port = table_port_open(bed.space);
    flag_count = 0;
    for (uint32_t i = 0; i < 2 * DELETES; i++) {
        uint8_t place = (uint8_t)(i + 1);
        struct table_fragment fragment = { .kind = KEY_RANGE, .row = ROW_EMPTY };

        fragment.clustering_end = bytes_of(&place, 1);
        fragment.row.deletion = (struct deletion){ TIMESTAMP_SERVER, 1000 };
        bed_must(bed_apply(port, BYTES_LITERAL("p"), &fragment, &err), &err);
        if (i == DELETES) /* the owner sleeps */
            range_known_forget(bed.space->shards[0].known);
    }
    assert_int_equal(flag_count, 2);
    table_port_close(port);
    bed_close(&bed);
}

static int run(const char *name, const struct store_ops *engine)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_known_is_what_is_there),
                                        cmocka_unit_test(the_store_is_not_asked_for_what_is_known),
                                        cmocka_unit_test(a_range_that_grows_looks_back_once),
                                        cmocka_unit_test(a_partition_is_flagged_once) };

    counted = engine;
    counting = *engine;
    counting.scan_open = count_and_scan;
    counting.scan_seek_back = count_and_seek_back;
    counting.write = count_and_write;
    bed.engine = &counting;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    return run("memory", &store_memory_ops) + run("rocksdb", &store_rocksdb_ops);
}
