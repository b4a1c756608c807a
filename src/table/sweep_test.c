/* The sweeper against a model that never purges: random writes, late ones too, deletions of rows, ranges and partitions, while time
 * passes, gc_grace_seconds changes between 0 and 2, and flushes, compactions, sweeps and restarts happen in between. What is read must be
 * what the model says, at all times; in the end, a little later, nothing may be in the store but what is alive.
 *
 * A late write is hidden for certain only as long as the deletion that hides it may not be purged; after that either answer is right
 * (in Cassandra too), and the model does not ask.
 */
#include "row/fragment.h"
#include "row/merge.h"
#include "table/bed.h"
#include "table/command.h"
#include "table/due.h"
#include "table/shard.h"

enum { PARTITIONS = 3, ROWS = 24, COLUMNS = 2, ROUNDS_DEFAULT = 12, OPS = 300 };

static struct table_bed bed;
static struct table_port *port;
static struct arena *arena;
static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    return bed_below(&random_state, n);
}

static struct bytes key_of(int p)
{
    static uint8_t keys[PARTITIONS][2];

    keys[p][0] = (uint8_t)p;
    return bytes_of(keys[p], 2);
}

static struct bytes clustering_of(int row)
{
    static uint8_t space[ROWS][2];

    space[row][0] = row / 6 == 3 ? 0xFF : (uint8_t)(row / 6);
    space[row][1] = row % 6 == 5 ? 0xFF : (uint8_t)(row % 6);
    return bytes_of(space[row], 2);
}

static int64_t now_s(void)
{
    return atomic_load(&bed.clock_us) / 1000000;
}

/* ---- the model ---- */

struct cell_model {
    int64_t us; /* 0: never written */
    uint32_t value;
};
struct row_model {
    struct deletion deletion; /* the newest of all that cover it */
    int64_t live_us;
    struct cell_model cells[COLUMNS];
};
static struct row_model rows[PARTITIONS][ROWS + 1]; /* the last one: the static row */

static void cover(struct row_model *row, struct deletion deletion)
{
    if (deletion_supersedes(deletion, row->deletion))
        row->deletion = deletion;
}

/* What was deleted before this may have been purged, also by a gc_grace_seconds that was longer later. */
static int64_t purged_before_s;

static void note_time(void)
{
    int64_t before_s = now_s() - bed.def.params.gc_grace_s;

    purged_before_s = before_s > purged_before_s ? before_s : purged_before_s;
}

/* A timestamp whose fate is certain. */
static int64_t draw_us(const struct row_model *row)
{
    int64_t us = 1 + below(1000);

    if (row->deletion.timestamp_us >= us && row->deletion.deleted_s < purged_before_s)
        us = row->deletion.timestamp_us + 1 + below(50);
    return us;
}

/* ---- writing ---- */

static void write_row(int p, int at)
{
    struct row_model *row = &rows[p][at];
    struct table_fragment fragment = { .kind = at == ROWS ? KEY_PARTITION : KEY_ROW, .row = ROW_EMPTY };
    uint8_t values[COLUMNS][4];
    struct cell cells[COLUMNS];
    int64_t us = draw_us(row);
    struct error err;

    if (at < ROWS)
        fragment.clustering = clustering_of(at);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        uint32_t value = below(1000);

        if (below(2))
            continue;
        store_be32(values[c], value);
        cells[fragment.row.cell_count++] = bed_cell(BED_VALUE + c, us, bytes_of(values[c], 4));
        if (us > row->cells[c].us || (us == row->cells[c].us && value > row->cells[c].value))
            row->cells[c] = (struct cell_model){ us, value };
    }
    fragment.row.cells = cells;
    if (!fragment.row.cell_count && at == ROWS)
        return; /* nothing to write */
    if (at < ROWS && (below(2) || !fragment.row.cell_count)) {
        fragment.row.liveness = (struct liveness){ us, TTL_NONE, TIME_NONE };
        row->live_us = us > row->live_us ? us : row->live_us;
    }
    bed_must(bed_apply(port, key_of(p), &fragment, &err), &err);
}

static bool inside(struct bytes c, const struct table_fragment *range)
{
    struct bytes start = range->clustering, end = range->clustering_end;

    if (start.size && (bytes_starts_with(c, start) ? !range->start_inclusive : bytes_compare(c, start) < 0))
        return false;
    return !end.size || (bytes_starts_with(c, end) ? range->end_inclusive : bytes_compare(c, end) < 0);
}

static void delete_something(int p)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .row = ROW_EMPTY };
    struct error err;
    int row = (int)below(ROWS);

    fragment.row.deletion = (struct deletion){ 1 + below(1000), now_s() };
    switch (below(8)) {
    case 0:
        fragment.kind = KEY_PARTITION;
        for (row = 0; row <= ROWS; row++)
            cover(&rows[p][row], fragment.row.deletion);
        break;
    case 1:
    case 2:
        fragment.clustering = clustering_of(row);
        cover(&rows[p][row], fragment.row.deletion);
        break;
    default:
        fragment.kind = KEY_RANGE;
        fragment.clustering = bytes_of(clustering_of(row).data, below(3));
        fragment.clustering_end = bytes_of(clustering_of((int)below(ROWS)).data, below(3));
        fragment.start_inclusive = below(2);
        fragment.end_inclusive = below(2);
        for (row = 0; row < ROWS; row++)
            if (inside(clustering_of(row), &fragment))
                cover(&rows[p][row], fragment.row.deletion);
        break;
    }
    bed_must(bed_apply(port, key_of(p), &fragment, &err), &err);
}

/* ---- reading both ---- */

static void expect_row(struct buffer *out, const struct row_model *row, const char *name)
{
    bool any = row->live_us > row->deletion.timestamp_us && row->live_us;

    for (uint32_t c = 0; c < COLUMNS; c++)
        any |= row->cells[c].us && row->cells[c].us > row->deletion.timestamp_us;
    if (!any)
        return;
    buffer_append_string(out, name);
    for (uint32_t c = 0; c < COLUMNS; c++)
        if (row->cells[c].us && row->cells[c].us > row->deletion.timestamp_us)
            buffer_printf(out, " %u=%u", c, row->cells[c].value);
    buffer_append_string(out, "\n");
}

static void expect(struct buffer *out, int p, bool reversed)
{
    char name[16];

    expect_row(out, &rows[p][ROWS], "static");
    for (int i = 0; i < ROWS; i++) {
        int row = reversed ? ROWS - 1 - i : i;

        snprintf(name, sizeof(name), "%d", row);
        expect_row(out, &rows[p][row], name);
    }
}

static void show_cells(struct buffer *out, const struct row *row)
{
    for (uint32_t i = 0; i < row->cell_count; i++)
        buffer_printf(out, " %u=%u", row->cells[i].column_id - BED_VALUE, load_be32(row->cells[i].value.data));
    buffer_append_string(out, "\n");
}

static void show(struct buffer *out, int p, bool reversed, bool scan)
{
    struct read_command command = bed_read(key_of(p));
    struct read_result result;
    struct error err;

    command.reversed = reversed;
    command.now_s = now_s();
    command.def = &bed.def;
    if (scan) {
        command.partition_key = (struct bytes){ 0 };
        command.token_last = command.token;
    }
    arena_reset(arena);
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    for (uint32_t i = 0; i < result.partition_count; i++) {
        const struct read_partition *partition = &result.partitions[i];

        if (partition->static_row) {
            buffer_append_string(out, "static");
            show_cells(out, partition->static_row);
        }
        for (uint32_t r = 0; r < partition->row_count; r++) {
            int row = 0;

            while (!bytes_equal(clustering_of(row), partition->rows[r].clustering))
                row++;
            buffer_printf(out, "%d", row);
            show_cells(out, partition->rows[r].row);
        }
    }
}

static void compare(int round, int op)
{
    for (int p = 0; p < PARTITIONS; p++)
        for (int way = 0; way < 3; way++) {
            struct buffer expected = { 0 }, got = { 0 };

            expect(&expected, p, way == 1);
            show(&got, p, way == 1, way == 2);
            if (!bytes_equal(buffer_bytes(&expected), buffer_bytes(&got)))
                fail_msg("round %d op %d partition %d way %d at %lld s:\nexpected\n%.*sgot\n%.*s", round, op, p, way,
                         (long long)now_s(), BYTES(buffer_bytes(&expected)), BYTES(buffer_bytes(&got)));
            buffer_fini(&expected);
            buffer_fini(&got);
        }
}

/* ---- what is in the store ---- */

struct census {
    uint32_t records, ranges, rows, due, dead; /* dead: cells or rows that nobody will ever see */
    uint32_t unlisted;                         /* tombstones that the due list does not know */
};

static bool has_key(struct shard *shard, struct bytes key)
{
    struct store_read_options options = { .may_wait = true };
    struct store_value value = { 0 };
    struct error err;
    bool found = !shard->ops->get(shard->store, STORE_DATA, key, &options, &value, &err);

    store_value_release(&value);
    return found;
}

static bool is_listed(struct shard *shard, struct bytes key, int64_t deleted_s)
{
    struct buffer entry CLEANUP(buffer_fini) = { 0 };

    due_encode(&entry, key, deleted_s);
    return has_key(shard, buffer_bytes(&entry));
}

static void count_key(struct shard *shard, struct bytes key, struct bytes value, struct census *census)
{
    struct buffer scratch = { 0 };
    struct key_parts parts;
    struct error err;
    struct row row;

    if (!load_be64(key.data)) {
        census->due += memcmp(key.data + 8, "due", 4) == 0;
        return;
    }
    bed_must(key_decode(key, &scratch, &parts, &err), &err);
    bed_must(row_decode(arena, arena_copy(arena, value), &row, &err), &err);
    census->records += parts.kind == KEY_PARTITION;
    census->ranges += parts.kind == KEY_RANGE;
    census->rows += parts.kind == KEY_ROW;
    if (parts.kind != KEY_ROW && row.deletion.timestamp_us != TIMESTAMP_NONE &&
        !is_listed(shard, key, row.deletion.deleted_s))
        census->unlisted++;
    if (row.deletion.timestamp_us != TIMESTAMP_NONE || row.complex_count || row.has_range_tombstones)
        census->dead++;
    for (uint32_t i = 0; i < row.cell_count; i++)
        census->dead += row.cells[i].kind == CELL_TOMBSTONE;
    buffer_fini(&scratch);
}

static struct census take_census(void)
{
    struct census census = { 0 };
    struct error err;

    arena_reset(arena);
    for (uint32_t i = 0; i < bed.space->shard_count; i++) {
        struct shard *shard = &bed.space->shards[i];
        struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
        struct store_scan *scan;

        bed_must(shard->ops->scan_open(shard->store, &options, &scan, &err), &err);
        bed_must(shard->ops->scan_first(scan, &err), &err);
        while (scan->valid) {
            count_key(shard, scan->key, scan->value, &census);
            bed_must(shard->ops->scan_next(scan, &err), &err);
        }
        store_scan_close(scan);
    }
    return census;
}

static void nothing_dead_is_left(void)
{
    struct census census;
    struct error err;
    uint32_t alive = 0, records = 0;

    atomic_fetch_add(&bed.clock_us, 5000000);
    for (int i = 0; i < 2; i++) {
        bed_must(table_sweep(bed.space, &err), &err);
        bed_must(table_flush(bed.space, &err), &err);
        bed_must(table_compact(bed.space, &err), &err);
    }
    for (int p = 0; p < PARTITIONS; p++)
        for (int row = 0; row <= ROWS; row++) {
            struct buffer out = { 0 };

            expect_row(&out, &rows[p][row], "");
            if (out.size)
                *(row == ROWS ? &records : &alive) += 1;
            buffer_fini(&out);
        }
    census = take_census();
    assert_int_equal(census.ranges, 0);
    assert_int_equal(census.due, 0);
    assert_int_equal(census.dead, 0);
    assert_int_equal(census.rows, alive);
    assert_int_equal(census.records, records);
}

/* ---- rounds ---- */

static void open_all(void)
{
    bed_open(&bed);
    arena = arena_new(1 << 14);
    port = table_port_open(bed.space);
}

static void close_all(void)
{
    table_port_close(port);
    arena_free(arena);
    bed_close(&bed);
}

static void restart(void)
{
    if (bed.engine == &store_memory_ops)
        return;
    table_port_close(port);
    bed_close_space(&bed);
    if (bed.files) {
        forgetful_cut(bed.files);
        forgetful_restart(bed.files, below(2));
    }
    bed_open_space(&bed);
    port = table_port_open(bed.space);
}

/* One step only, as the owner does it, so that writes and restarts come between the steps. */
static void sweep_a_step(void)
{
    struct buffer command = { 0 };
    struct error err;

    buffer_append_u8(&command, COMMAND_SWEEP);
    buffer_append_u8(&command, 0);
    buffer_append_be64(&command, below(2));
    bed_must(table_apply_wait(port, buffer_bytes(&command), (int64_t)(bed_random(&random_state) << 20), &err), &err);
    buffer_fini(&command);
}

static void disturb(void)
{
    struct error err;

    switch (below(12)) {
    case 0: bed_must(table_flush(bed.space, &err), &err); break;
    case 1: bed_must(table_compact(bed.space, &err), &err); break;
    case 2: bed_must(table_sweep(bed.space, &err), &err); break;
    case 3:
    case 4:
    case 5: sweep_a_step(); break;
    case 6: bed.def.params.gc_grace_s = (int32_t)below(3); break;
    case 7:
        if (!below(4))
            restart();
        break;
    default: atomic_fetch_add(&bed.clock_us, below(1500000)); break;
    }
    note_time();
}

static int rounds_wanted(void)
{
    const char *rounds = getenv("HELENUS_CRASH_ROUNDS");

    return rounds && atoi(rounds) > 0 ? atoi(rounds) / 4 + 1 : ROUNDS_DEFAULT;
}

static void run_rounds(uint64_t seed, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        random_state = seed + (uint64_t)round;
        atomic_store(&bed.clock_us, 0);
        open_all();
        bed.def.params.gc_grace_s = (int32_t)below(3);
        purged_before_s = INT64_MIN;
        note_time();
        for (int p = 0; p < PARTITIONS; p++)
            for (int row = 0; row <= ROWS; row++)
                rows[p][row] = (struct row_model){ .deletion = DELETION_NONE };
        for (int op = 0; op < OPS; op++) {
            int p = (int)below(PARTITIONS);

            if (below(3))
                write_row(p, (int)below(ROWS + 1));
            else
                delete_something(p);
            if (!below(6))
                disturb();
            if (!below(8)) {
                compare(round, op);
                assert_int_equal(take_census().unlisted, 0);
            }
        }
        compare(round, OPS);
        nothing_dead_is_left();
        compare(round, OPS + 1);
        close_all();
    }
}

static void what_is_read_never_changes_and_nothing_dead_stays(void **state)
{
    run_rounds(7, rounds_wanted());
}

static void the_same_over_power_cuts(void **state)
{
    if (bed.engine == &store_memory_ops)
        return; /* it has no files */
    for (int round = 0; round < rounds_wanted() / 3; round++) {
        bed.files = forgetful_new(500 + (uint64_t)round);
        run_rounds(5000 + (uint64_t)round, 1);
        forgetful_free(bed.files);
        bed.files = NULL;
    }
}

/* ---- one thing at a time ---- */

static void begin(int32_t gc_grace_s)
{
    atomic_store(&bed.clock_us, 0);
    open_all();
    bed.def.params.gc_grace_s = gc_grace_s;
}

static void put(int row, int64_t us)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering_of(row), .row = ROW_EMPTY };
    struct error err;

    fragment.row.liveness = (struct liveness){ us, TTL_NONE, TIME_NONE };
    bed_must(bed_apply(port, key_of(0), &fragment, &err), &err);
}

static void delete_all(enum key_kind kind, int64_t us)
{
    struct table_fragment fragment = { .kind = (uint8_t)kind, .row = ROW_EMPTY };
    struct error err;

    fragment.row.deletion = (struct deletion){ us, now_s() };
    bed_must(bed_apply(port, key_of(0), &fragment, &err), &err);
}

static void later(int seconds)
{
    atomic_fetch_add(&bed.clock_us, seconds * INT64_C(1000000));
}

static void nothing_goes_before_gc_grace(void **state)
{
    struct error err;

    for (int kind = KEY_PARTITION; kind <= KEY_RANGE; kind++) {
        begin(10);
        put(1, 100);
        delete_all((enum key_kind)kind, 200);
        for (int s = 0; s < 11; s++) { /* the 11th second is the first that lies more than 10 behind */
            bed_must(table_sweep(bed.space, &err), &err);
            assert_int_equal(take_census().rows, 1);
            assert_int_equal(take_census().due, 1);
            later(1);
        }
        bed_must(table_sweep(bed.space, &err), &err);
        assert_int_equal(take_census().rows, 0);
        assert_int_equal(take_census().due, 0);
        close_all();
    }
}

static void a_shorter_gc_grace_holds_for_what_is_there(void **state)
{
    struct error err;

    begin(1000);
    put(1, 100);
    delete_all(KEY_RANGE, 200);
    later(5);
    bed_must(table_sweep(bed.space, &err), &err);
    assert_int_equal(take_census().rows, 1);
    bed.def.params.gc_grace_s = 2;
    bed_must(table_sweep(bed.space, &err), &err);
    assert_int_equal(take_census().rows, 0);
    close_all();
}

static void newer_writes_stay_and_late_ones_do_not_come_back(void **state)
{
    struct census census;
    struct error err;

    begin(0);
    put(1, 100);
    put(2, 300);
    delete_all(KEY_PARTITION, 200);
    put(3, 150); /* hidden when it came */
    later(2);
    bed_must(table_sweep(bed.space, &err), &err);
    census = take_census();
    assert_int_equal(census.rows, 1);
    assert_int_equal(census.records + census.ranges + census.due, 0);
    put(4, 150); /* nobody knows of the deletion any more */
    assert_int_equal(take_census().rows, 2);
    close_all();
}

/* Many steps, each of which writes; what is written meanwhile before and behind where they are is not lost. */
static void a_large_partition_is_swept_in_steps(void **state)
{
    enum { LARGE = 5000 };
    struct table_fragment fragment = { .kind = KEY_ROW, .row = ROW_EMPTY };
    struct sweep_progress progress;
    uint64_t steps = 0;
    struct error err;

    begin(0);
    for (uint32_t i = 0; i < LARGE; i++) {
        uint8_t clustering[4];

        store_be32(clustering, i);
        fragment.clustering = bytes_of(clustering, 4);
        fragment.row.liveness = (struct liveness){ i % 10 ? 100 : 300, TTL_NONE, TIME_NONE };
        bed_must(bed_apply(port, key_of(0), &fragment, &err), &err);
    }
    delete_all(KEY_PARTITION, 200);
    later(2);
    bed_must(table_sweep(bed.space, &err), &err);
    assert_int_equal(take_census().rows, LARGE / 10);
    assert_int_equal(take_census().ranges, 0);
    for (uint32_t i = 0; i < bed.space->shard_count; i++) {
        table_space_sweep_progress(bed.space, i, &progress);
        steps += progress.steps;
    }
    assert_true(steps > LARGE / 256);
    close_all();
}

static bool dropped;
static struct table_def *def_unless_dropped(void *context, uint64_t id)
{
    return dropped || id != BED_TABLE ? NULL : table_def_ref(&bed.def);
}

static void entries_of_a_dropped_table_go(void **state)
{
    struct error err;

    begin(1000);
    put(1, 100);
    delete_all(KEY_RANGE, 200);
    delete_all(KEY_PARTITION, 200);
    bed.space->options.table_by_id = def_unless_dropped;
    dropped = true;
    bed_must(table_sweep(bed.space, &err), &err);
    dropped = false;
    assert_int_equal(take_census().due, 0);
    close_all();
    begin(1000);
    delete_all(KEY_RANGE, 200);
    bed_must(table_remove_all(port, (uint64_t[]){ BED_TABLE }, 1, &err), &err);
    assert_int_equal(take_census().due + take_census().ranges, 0);
    close_all();
}

/* Without being asked, and only once it is allowed to. */
static void owners_sweep_by_themselves(void **state)
{
    begin(0);
    put(1, 100);
    delete_all(KEY_RANGE, 200);
    later(2);
    usleep(50000);
    assert_int_equal(take_census().ranges, 1);
    table_space_start_sweeping(bed.space);
    for (int i = 0; i < 500 && take_census().due; i++)
        usleep(10000);
    assert_int_equal(take_census().due + take_census().rows + take_census().records, 0);
    put(2, 100); /* and again, when a tombstone comes later */
    delete_all(KEY_PARTITION, 200);
    later(2);
    for (int i = 0; i < 500 && take_census().due; i++)
        usleep(10000);
    assert_int_equal(take_census().due + take_census().rows + take_census().records, 0);
    close_all();
}

/* A range deleted again and again, as a queue does it, is one tombstone. */
static void what_is_deleted_again_stays_one_segment(void **state)
{
    struct table_fragment fragment = { .kind = KEY_RANGE, .end_inclusive = true, .row = ROW_EMPTY };
    struct error err;

    begin(1000);
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t end[4];

        store_be32(end, i);
        fragment.clustering_end = bytes_of(end, 4);
        fragment.row.deletion = (struct deletion){ 100 + i, now_s() };
        bed_must(bed_apply(port, key_of(0), &fragment, &err), &err);
    }
    assert_int_equal(take_census().ranges, 1);
    assert_int_equal(take_census().due, 1);
    close_all();
}

/* Of one command, which the store does not have yet when the last, over all others, is cut into them. They are more than an owner keeps
 * in mind of a partition, so it must look for them in what the turn will write. */
static void ranges_of_one_turn_are_cut_into_each_other(void **state)
{
    enum { MANY = 5000 };
    static uint8_t bounds[MANY + 1][4];
    struct table_fragment *ranges = calloc(MANY + 1, sizeof(*ranges));
    struct buffer out = { 0 };
    struct error err;
    int64_t token;

    begin(1000);
    for (uint32_t i = 0; i <= MANY; i++) {
        bool is_last = i == MANY;

        store_be32(bounds[i], is_last ? 3 * MANY : 3 * i + 1);
        ranges[i] = (struct table_fragment){ .kind = KEY_RANGE,
                                             .clustering = bytes_of(bounds[is_last ? 0 : i], 4),
                                             .clustering_end = bytes_of(bounds[i], 4),
                                             .start_inclusive = true,
                                             .end_inclusive = true,
                                             .row = ROW_EMPTY };
        ranges[i].row.deletion = (struct deletion){ 100 + is_last, now_s() };
    }
    token = bed_encode(&out, key_of(0), ranges, MANY + 1);
    bed_must(table_apply_wait(port, buffer_bytes(&out), token, &err), &err);
    assert_int_equal(take_census().ranges, 1);
    assert_int_equal(take_census().due, 1);
    close_all();
    buffer_fini(&out);
    free(ranges);
}

/* A hundred thousand of them: a slice is read by its own, all of them are too many, as in Cassandra. */
static void slices_of_many_ranges_are_read(void **state)
{
    enum { MANY = 100000, TURN = 1000 };
    static uint8_t bounds[TURN][4];
    struct table_fragment *fragments = calloc(TURN, sizeof(*fragments));
    struct read_command command = bed_read(key_of(0));
    struct read_result result;
    struct buffer out = { 0 };
    struct slice slice = { .start_inclusive = true, .end_inclusive = true };
    uint8_t first[4], last[4];
    struct error err;

    begin(1000);
    for (uint32_t i = 0; i < MANY; i++) {
        store_be32(bounds[i % TURN], 3 * i);
        fragments[i % TURN] = (struct table_fragment){ .kind = KEY_RANGE,
                                                       .clustering = bytes_of(bounds[i % TURN], 4),
                                                       .clustering_end = bytes_of(bounds[i % TURN], 4),
                                                       .start_inclusive = true,
                                                       .end_inclusive = true,
                                                       .row = ROW_EMPTY };
        fragments[i % TURN].row.deletion = (struct deletion){ 100, now_s() };
        if (i % TURN == TURN - 1) {
            buffer_reset(&out);
            bed_encode(&out, key_of(0), fragments, TURN);
            bed_must(table_apply_wait(port, buffer_bytes(&out), command.token, &err), &err);
        }
    }
    for (uint32_t i = 0; i < 30; i++) {
        store_be32(first, 150000 + i);
        fragments[0] = (struct table_fragment){ .kind = KEY_ROW, .clustering = bytes_of(first, 4), .row = ROW_EMPTY };
        fragments[0].row.liveness = (struct liveness){ 50, TTL_NONE, TIME_NONE };
        bed_must(bed_apply(port, key_of(0), &fragments[0], &err), &err);
    }
    command.def = &bed.def;
    command.now_s = now_s();
    command.slices = &slice;
    command.slice_count = 1;
    store_be32(first, 150000);
    store_be32(last, 150100);
    slice.start = bytes_of(first, 4);
    slice.end = bytes_of(last, 4);
    for (int way = 0; way < 2; way++) {
        command.reversed = way;
        bed_must(table_read(port, &command, true, arena, &result, &err), &err);
        assert_int_equal(result.partitions[0].row_count, 20);
        assert_int_equal(result.work.tombstones_read, 2 * 34);
        arena_reset(arena);
    }
    command.reversed = false;
    command.slice_count = 0;
    command.tombstone_limit = MANY;
    assert_int_equal(table_read(port, &command, true, arena, &result, &err), ERR_READ_FAILURE);
    assert_int_equal(result.work.tombstones_read, MANY + 1);
    command.row_limit = 1; /* that row stands behind 50 000 of them */
    slice.end = (struct bytes){ 0 };
    command.slice_count = 1;
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    command.now_s += 1002; /* what may be purged does not count */
    command.row_limit = 1000;
    command.slice_count = 0;
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.work.tombstones_read, 0);
    close_all();
    buffer_fini(&out);
    free(fragments);
}

/* ---- what can't be swept ---- */

static struct sweep_progress progress_of_all(void)
{
    struct sweep_progress sum = { 0 }, progress;

    for (uint32_t i = 0; i < bed.space->shard_count; i++) {
        table_space_sweep_progress(bed.space, i, &progress);
        sum.rows_deleted += progress.rows_deleted;
        sum.tombstones += progress.tombstones;
        sum.blocked += progress.blocked;
        sum.failed += progress.failed;
    }
    return sum;
}

/* Of zeros, each of which is two bytes in a range's key. */
enum { LONG_BYTES = 66000 };

/* In one command; each tenth row, from the first on, at another time. */
static void put_long(uint32_t count, int64_t us, int64_t tenth_us)
{
    struct table_fragment *fragments = calloc(count, sizeof(*fragments));
    uint8_t *clusterings = calloc(count, LONG_BYTES);
    struct buffer out = { 0 };
    struct error err;
    int64_t token;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t *clustering = clusterings + (size_t)i * LONG_BYTES;

        store_be32(clustering + LONG_BYTES - 4, i);
        fragments[i] = (struct table_fragment){ .kind = KEY_ROW,
                                                .clustering = bytes_of(clustering, LONG_BYTES),
                                                .row = ROW_EMPTY };
        fragments[i].row.liveness = (struct liveness){ i % 10 ? us : tenth_us, TTL_NONE, TIME_NONE };
    }
    token = bed_encode(&out, key_of(0), fragments, count);
    bed_must(table_apply_wait(port, buffer_bytes(&out), token, &err), &err);
    buffer_fini(&out);
    free(clusterings);
    free(fragments);
}

/* The longest bound that a client may give to a partition of this key. */
static struct table_fragment range_of_long_end(int64_t us)
{
    enum { END_BYTES = 131030 };
    static uint8_t end[END_BYTES];
    struct table_fragment range = { .kind = KEY_RANGE, .clustering_end = bytes_of(end, END_BYTES), .row = ROW_EMPTY };

    memset(end, 0xfe, END_BYTES);
    range.row.deletion = (struct deletion){ us, now_s() };
    return range;
}

static void delete_in_other(int64_t us)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering_of(1), .row = ROW_EMPTY };
    struct error err;

    fragment.row.liveness = (struct liveness){ us - 1, TTL_NONE, TIME_NONE };
    bed_must(bed_apply(port, key_of(1), &fragment, &err), &err);
    fragment = (struct table_fragment){ .kind = KEY_RANGE, .row = ROW_EMPTY };
    fragment.row.deletion = (struct deletion){ us, now_s() };
    bed_must(bed_apply(port, key_of(1), &fragment, &err), &err);
}

/* A step that ends between two rows begins the segment at none of them: as its lower place their clustering
 * would be longer than a key may be. Nor does a client's range fail that is cut into what a step left. */
static void segments_of_long_clusterings_can_be_stored(void **state)
{
    enum { LONG_ROWS = 40 };

    for (int way = 0; way < 2; way++) {
        struct table_fragment range;
        struct error err;

        begin(0);
        range = range_of_long_end(200);
        if (way)
            range = (struct table_fragment){ .kind = KEY_PARTITION, .row = range.row };
        put_long(LONG_ROWS, 100, 300);
        bed_must(bed_apply(port, key_of(0), &range, &err), &err);
        later(1);
        delete_in_other(200);
        later(2);
        for (int64_t step = 0; step < 4; step++) {
            range = range_of_long_end(210 + step);
            sweep_a_step();
            bed_must(bed_apply(port, key_of(0), &range, &err), &err);
        }
        later(2);
        bed_must(table_sweep(bed.space, &err), &err);
        assert_int_equal(take_census().rows, LONG_ROWS / 10);
        assert_int_equal(take_census().ranges + take_census().due, 0);
        assert_int_equal(progress_of_all().rows_deleted, LONG_ROWS - LONG_ROWS / 10 + 1);
        assert_int_equal(progress_of_all().blocked, 0);
        close_all();
    }
}

/* More rows that stay than a step may pass, and no place between them that fits a key: the deletion waits, and what comes
 * behind it in the due list does not. */
static void a_range_that_cannot_be_cut_blocks_no_other(void **state)
{
    enum { STAY = 300 };
    struct table_fragment range;
    struct error err;

    begin(0);
    put_long(STAY, 300, 300);
    range = range_of_long_end(200);
    bed_must(bed_apply(port, key_of(0), &range, &err), &err);
    later(1);
    delete_in_other(200);
    later(2);
    for (int round = 0; round < 2; round++) {
        bed_must(table_sweep(bed.space, &err), &err);
        assert_int_equal(take_census().rows, STAY);
        assert_int_equal(take_census().ranges, 1);
        assert_int_equal(take_census().due, 1);
        assert_int_equal(progress_of_all().failed, 1);
        assert_int_equal(progress_of_all().blocked, 1);
        assert_int_equal(progress_of_all().rows_deleted, 1); /* the other's */
    }
    range = range_of_long_end(400);
    bed_must(bed_apply(port, key_of(0), &range, &err), &err);
    later(2);
    bed_must(table_sweep(bed.space, &err), &err);
    assert_int_equal(take_census().rows + take_census().ranges + take_census().due, 0);
    assert_int_equal(progress_of_all().failed + progress_of_all().blocked, 0);
    close_all();
}

/* Of the first partition, as no client could. */
static void plant_segment(struct bytes behind_kind)
{
    struct bytes partition_key = key_of(0);
    struct buffer key CLEANUP(buffer_fini) = { 0 }, due CLEANUP(buffer_fini) = { 0 },
                      value CLEANUP(buffer_fini) = { 0 };
    struct store_batch *batch = store_batch_new();
    int64_t token = token_of_partition_key(partition_key);
    struct shard *shard = &bed.space->shards[shard_of_token(bed.space, token)];
    struct row row = ROW_EMPTY;
    struct error err;

    row.deletion = (struct deletion){ 200, now_s() };
    fragment_encode(&value, &row);
    key_encode_partition(&key, BED_TABLE, token, partition_key);
    buffer_append_u8(&key, KEY_RANGE);
    buffer_append_bytes(&key, behind_kind);
    due_encode(&due, buffer_bytes(&key), row.deletion.deleted_s);
    store_batch_put(batch, STORE_DATA, buffer_bytes(&key), buffer_bytes(&value));
    store_batch_put(batch, STORE_DATA, buffer_bytes(&due), due_value());
    bed_must(shard->ops->write(shard->store, batch, true, &err), &err);
    store_batch_free(batch);
}

static void a_damaged_range_blocks_no_other(void **state)
{
    struct error err;

    begin(0);
    plant_segment(BYTES_LITERAL("no end"));
    later(1);
    delete_in_other(200);
    later(2);
    for (int round = 0; round < 2; round++) {
        bed_must(table_sweep(bed.space, &err), &err);
        assert_int_equal(take_census().rows, 0);
        assert_int_equal(take_census().ranges, 1);
        assert_int_equal(take_census().due, 1);
        assert_int_equal(progress_of_all().failed, 1);
        assert_int_equal(progress_of_all().blocked, 1);
        assert_int_equal(progress_of_all().tombstones, 1);
    }
    close_all();
}

static atomic_bool fails;
static enum status write_or_fail(struct store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    if (!atomic_exchange(&fails, false))
        return bed.engine->write(store, batch, durable, err);
    return error_set(err, ERR_IO, "it was to fail");
}

/* A partition's deletion is laid over its segments in several steps, and what was not written is not laid. */
static void a_step_that_was_not_written_is_done_again(void **state)
{
    enum { SEGMENTS = 600 }; /* more than a step lays */
    struct store_ops failing;
    struct shard *shard;
    struct error err;

    begin(0);
    shard = &bed.space->shards[shard_of_token(bed.space, token_of_partition_key(key_of(0)))];
    put(0, 100);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct table_fragment range = { .kind = KEY_RANGE, .row = ROW_EMPTY };
        uint8_t at[5] = { 0, 0, 1 };

        store_be16(at + 3, (uint16_t)(2 * i)); /* neighbours would be one segment */
        range.clustering = range.clustering_end = bytes_of(at, sizeof(at));
        range.start_inclusive = range.end_inclusive = true;
        range.row.deletion = (struct deletion){ 50, now_s() + 1000 };
        bed_must(bed_apply(port, key_of(0), &range, &err), &err);
    }
    delete_all(KEY_PARTITION, 200);
    later(2);
    failing = *bed.engine;
    failing.write = write_or_fail;
    shard->ops = &failing;
    for (int i = 0; i < 4; i++) {
        atomic_store(&fails, i == 0);
        while (table_sweep(bed.space, &err)) /* it refuses for a while */
            usleep(20000);
    }
    shard->ops = bed.engine;
    assert_int_equal(take_census().rows + take_census().ranges + take_census().due, 0);
    assert_int_equal(progress_of_all().rows_deleted, 1);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_never_changes_and_nothing_dead_stays),
        cmocka_unit_test(the_same_over_power_cuts),
        cmocka_unit_test(nothing_goes_before_gc_grace),
        cmocka_unit_test(a_shorter_gc_grace_holds_for_what_is_there),
        cmocka_unit_test(newer_writes_stay_and_late_ones_do_not_come_back),
        cmocka_unit_test(a_large_partition_is_swept_in_steps),
        cmocka_unit_test(entries_of_a_dropped_table_go),
        cmocka_unit_test(owners_sweep_by_themselves),
        cmocka_unit_test(what_is_deleted_again_stays_one_segment),
        cmocka_unit_test(ranges_of_one_turn_are_cut_into_each_other),
        cmocka_unit_test(slices_of_many_ranges_are_read),
        cmocka_unit_test(segments_of_long_clusterings_can_be_stored),
        cmocka_unit_test(a_range_that_cannot_be_cut_blocks_no_other),
        cmocka_unit_test(a_damaged_range_blocks_no_other),
        cmocka_unit_test(a_step_that_was_not_written_is_done_again),
    };
    int failed;

    bed.shards = 2;
    bed.engine = &store_memory_ops;
    failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    bed.engine = &store_rocksdb_ops;
    return failed + cmocka_run_group_tests_name("rocksdb", tests, NULL, NULL);
}
