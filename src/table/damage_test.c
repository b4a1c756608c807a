/* Rows that can't be read: what fails and what does not, what heals them, and what a repair takes out and leaves. They are made by commands
 * whose fragments were changed on the way, as a fault in an encoder would.
 */
#include "row/fragment.h"
#include "table/bed.h"
#include "table/repair.h"
#include "table/shard.h"

enum { ROWS = 5, AT = 1000 /* microseconds: when all was written that brings its time */ };

static struct table_bed bed = { .engine = &store_rocksdb_ops, .shards = 2 };
static struct table_port *port;
static struct arena *arena;

static struct bytes partition(const char *name)
{
    return bytes_of_string(name);
}

static struct table_fragment row_at(const char *clustering, int64_t timestamp_us, const char *value)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = bytes_of_string(clustering), .row = ROW_EMPTY };

    fragment.row.cells = arena_new_struct(arena, struct cell);
    fragment.row.cells[0] = bed_cell(BED_VALUE, timestamp_us, bytes_of_string(value));
    fragment.row.cell_count = 1;
    return fragment;
}

static struct table_fragment deletion(enum key_kind kind, int64_t timestamp_us)
{
    struct table_fragment fragment = { .kind = kind, .row = ROW_EMPTY };

    fragment.row.deletion = (struct deletion){ timestamp_us, 1000000000 };
    fragment.clustering = fragment.clustering_end = kind == KEY_PARTITION ? bytes_of("", 0) : BYTES_LITERAL("c");
    fragment.start_inclusive = fragment.end_inclusive = kind == KEY_RANGE;
    return fragment;
}

static void apply(const char *name, struct table_fragment fragment)
{
    struct error err;

    bed_must(bed_apply(port, partition(name), &fragment, &err), &err);
}

/* The value's size says one byte more than there is. */
static void apply_damaged(const char *name, struct table_fragment fragment)
{
    struct buffer command = { 0 };
    struct bytes value = fragment.row.cells[0].value;
    int64_t token = bed_encode(&command, partition(name), &fragment, 1);
    uint8_t *at = memmem(command.data, command.size, value.data, value.size);
    struct error err;

    assert_int_equal(at[-1], value.size);
    at[-1]++;
    bed_must(table_apply_wait(port, buffer_bytes(&command), token, &err), &err);
    buffer_fini(&command);
}

/* a to e in each of two partitions, and c of the first can't be read. */
static void begin(void)
{
    arena = arena_new(4096);
    bed_open(&bed);
    port = table_port_open(bed.space);
    for (int i = 0; i < 2 * ROWS; i++) {
        char *clustering = arena_string(arena, bytes_of((const uint8_t[]){ (uint8_t)('a' + i % ROWS) }, 1));

        if (i != 2)
            apply(i < ROWS ? "one" : "two", row_at(clustering, AT, clustering));
    }
    apply_damaged("one", row_at("c", AT, "it was"));
}

static void end(void)
{
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
    bed.def.params.gc_grace_s = 864000;
}

/* The clusterings and values, "a=a b=b"; or the error's name. */
static const char *show(const struct read_command *command, struct error *err)
{
    struct buffer out = { 0 };
    struct read_result result;
    enum status status = table_read(port, command, true, arena, &result, err);

    if (status)
        return status_name(status);
    for (uint32_t p = 0; p < result.partition_count; p++)
        for (uint32_t i = 0; i < result.partitions[p].row_count; i++)
            buffer_printf(&out, "%s%.*s=%.*s", out.size ? " " : "", BYTES(result.partitions[p].rows[i].clustering),
                          BYTES(result.partitions[p].rows[i].row->cells[0].value));
    const char *text = arena_string(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return text;
}

static const char *all_of(const char *name)
{
    struct read_command command = bed_read(partition(name));
    struct error err;

    return show(&command, &err);
}

static const char *one_of(const char *name, const char *clustering, struct error *err)
{
    struct slice slice = { bytes_of_string(clustering), bytes_of_string(clustering), true, true };
    struct read_command command = bed_read(partition(name));

    command.slices = &slice;
    command.slice_count = 1;
    command.slices_are_rows = true;
    return show(&command, err);
}

static const char *scan(struct error *err)
{
    struct read_command command = bed_read(bytes_of(NULL, 0));

    command.partition_key = (struct bytes){ 0 };
    command.table_id = BED_TABLE;
    command.token = INT64_MIN;
    command.token_last = INT64_MAX;
    return show(&command, err);
}

/* ---- reading ---- */

static void only_what_holds_it_fails(void **state)
{
    struct read_command page;
    struct slice before = { BYTES_LITERAL("a"), BYTES_LITERAL("b"), true, true };
    struct error err;
    char token[64];

    begin();
    assert_string_equal(one_of("one", "c", &err), "corrupt");
    snprintf(token, sizeof(token), "token %lld, partition key 0x6f6e65;",
             (long long)token_of_partition_key(partition("one")));
    assert_non_null(strstr(err.message, token));
    assert_non_null(strstr(err.message, "helenus check --repair"));
    assert_string_equal(one_of("one", "b", &err), "b=b");
    assert_string_equal(all_of("one"), "corrupt");
    assert_string_equal(all_of("two"), "a=a b=b c=c d=d e=e");
    assert_string_equal(scan(&err), "corrupt");
    assert_non_null(strstr(err.message, token)); /* where one goes on behind it */
    page = bed_read(partition("one"));
    page.row_limit = 2;
    assert_string_equal(show(&page, &err), "a=a b=b"); /* pages before it */
    page = bed_read(partition("one"));
    page.after_clustering = BYTES_LITERAL("c");
    assert_string_equal(show(&page, &err), "d=d e=e"); /* and behind */
    page = bed_read(partition("one"));
    page.slices = &before;
    page.slice_count = 1;
    assert_string_equal(show(&page, &err), "a=a b=b");
    end();
}

/* ---- healing ---- */

static void a_deletion_that_is_not_older_heals(void **state)
{
    enum key_kind kinds[] = { KEY_ROW, KEY_RANGE, KEY_PARTITION };
    struct error err;

    for (int i = 0; i < 3; i++)
        for (int flushed = 0; flushed < 2; flushed++) {
            begin();
            if (flushed)
                bed_must(table_flush(bed.space, &err), &err);
            apply("one", row_at("c", AT + 5, "new")); /* an INSERT alone heals nothing: the old one may hold more */
            assert_string_equal(one_of("one", "c", &err), "corrupt");
            apply("one", deletion(kinds[i], AT - 1)); /* older than it */
            assert_string_equal(one_of("one", "c", &err), "corrupt");
            apply("one", deletion(kinds[i], AT));
            assert_string_equal(one_of("one", "c", &err), "c=new");
            assert_string_equal(all_of("one"), kinds[i] == KEY_PARTITION ? "c=new" : "a=a b=b c=new d=d e=e");
            bed_must(table_flush(bed.space, &err), &err);
            bed_must(table_compact(bed.space, &err), &err);
            assert_string_equal(one_of("one", "c", &err), "c=new");
            end();
        }
}

/* Calls for all values of the space. */
static void each_value(void (*see)(struct shard *shard, struct bytes key, struct bytes value, uint32_t *count),
                       uint32_t *count)
{
    for (uint32_t i = 0; i < bed.space->shard_count; i++) {
        struct shard *shard = &bed.space->shards[i];
        struct store_scan_options options = { .family = STORE_DATA, .may_wait = true };
        struct store_scan *values;
        struct error err;

        bed_must(shard->ops->scan_open(shard->store, &options, &values, &err), &err);
        bed_must(shard->ops->scan_first(values, &err), &err);
        for (; values->valid; bed_must(shard->ops->scan_next(values, &err), &err))
            see(shard, values->key, values->value, count);
        store_scan_close(values);
    }
}

static void count_list(struct shard *shard, struct bytes key, struct bytes value, uint32_t *count)
{
    *count += load_be64(key.data) && value.data[0] == FRAGMENT_LIST;
}

/* When the deletion is purged, what it covered is gone with it. */
static void what_was_covered_does_not_come_back(void **state)
{
    enum key_kind kinds[] = { KEY_ROW, KEY_RANGE, KEY_PARTITION };
    struct sweep_progress progress;
    uint32_t lists = 0;
    struct error err;

    for (int i = 0; i < 3; i++)
        for (int with_rest = 0; with_rest < 2; with_rest++) {
            begin();
            bed.def.params.gc_grace_s = 0;
            if (with_rest)
                apply("one", row_at("c", AT + 5, "new"));
            apply("one", deletion(kinds[i], AT));
            atomic_fetch_add(&bed.clock_us, 5000000);
            bed_must(table_sweep(bed.space, &err), &err);
            bed_must(table_flush(bed.space, &err), &err);
            bed_must(table_compact(bed.space, &err), &err);
            for (uint32_t s = 0; s < 2; s++) {
                table_space_sweep_progress(bed.space, s, &progress);
                assert_int_equal(progress.blocked, 0);
            }
            assert_string_equal(one_of("one", "c", &err), with_rest ? "c=new" : "");
            assert_string_not_equal(scan(&err), "corrupt");
            each_value(count_list, &lists);
            assert_int_equal(lists, 0); /* nor is it kept beside */
            end();
        }
}

/* ---- repair ---- */

struct told {
    uint32_t count;
    struct table_taken last;
};

static void tell(void *context, const struct table_taken *taken)
{
    struct told *told = context;

    told->count++;
    told->last = *taken;
}

static void count_damage(void *context, const char *where, const char *what)
{
    ++*(uint32_t *)context;
}

static void show_nothing(void *context, uint32_t shard, uint32_t shard_count, uint64_t done, uint64_t total)
{
}

static struct table_space_options options_of(void)
{
    return (struct table_space_options){
        .directory = bed.directory, .store = bed.engine, .store_environment = bed.environment, .clock = &bed.clock
    };
}

/* Of a space that is closed. */
static void open_environment(void)
{
    struct store_environment_options options = { .keys = bed.keys, .cache_bytes = 8 << 20, .clock = &bed.clock };
    struct error err;

    bed_must(bed.engine->environment_open(&options, &bed.environment, &err), &err);
}

static uint32_t damage(void)
{
    uint32_t count = 0;
    struct table_check check = { .progress = show_nothing, .damaged = count_damage, .context = &count };
    struct table_space_options options = options_of();
    struct table_checked sum;
    struct error err;

    bed_must(table_space_check(&options, &check, &sum, &err), &err);
    assert_int_equal(sum.bad_value_count, count);
    assert_int_equal(sum.other_damage_count, 0);
    return count;
}

static struct told repair(void)
{
    struct told told = { 0 };
    struct table_repair wish = { tell, &told };
    struct table_space_options options = options_of();
    struct table_repaired sum;
    struct error err;

    bed_must(table_space_repair(&options, &wish, &sum, &err), &err);
    assert_int_equal(sum.taken_count, told.count);
    assert_true(sum.value_count >= 2 * ROWS - 1);
    return told;
}

/* What was taken out, each where its token is. */
static void count_taken(struct shard *shard, struct bytes key, struct bytes value, uint32_t *count)
{
    uint64_t position;

    if (!taken_position(key, &position))
        return;
    assert_int_equal(shard_of_position(bed.space->shard_count, position), shard->index);
    assert_non_null(memmem(value.data, value.size, "it was", 6));
    ++*count;
}

static uint32_t taken_in_space(void)
{
    uint32_t count = 0;

    each_value(count_taken, &count);
    return count;
}

static void close_space(void)
{
    table_port_close(port);
    bed_close_space(&bed);
    open_environment();
}

static void open_space(void)
{
    bed.engine->environment_close(bed.environment);
    bed_open_space(&bed);
    port = table_port_open(bed.space);
}

static void a_repair_takes_out_what_cannot_be_read(void **state)
{
    struct table_reshard wish = { .shard_count = 5 };
    struct table_resharded done;
    struct error err;
    struct told told;

    for (int with_rest = 0; with_rest < 2; with_rest++) {
        begin();
        if (with_rest)
            apply("one", row_at("c", AT + 5, "new"));
        close_space();
        assert_int_equal(damage(), 1);
        told = repair();
        assert_int_equal(told.count, 1);
        assert_int_equal(told.last.table_id, BED_TABLE);
        assert_int_equal(told.last.token, token_of_partition_key(partition("one")));
        assert_int_equal(told.last.kind, KEY_ROW);
        assert_int_equal(told.last.fragment_count, 1);
        assert_int_equal(told.last.rest, with_rest);
        assert_int_equal(damage(), 0);
        assert_int_equal(repair().count, 0);
        open_space();
        assert_string_equal(all_of("one"), with_rest ? "a=a b=b c=new d=d e=e" : "a=a b=b d=d e=e");
        assert_string_equal(all_of("two"), "a=a b=b c=c d=d e=e");
        assert_int_equal(taken_in_space(), 1);
        apply("one", row_at("c", AT, "again"));
        assert_string_equal(one_of("one", "c", &err), with_rest ? "c=new" : "c=again");
        close_space();
        bed_must(table_space_reshard(&(struct table_space_options){ .directory = bed.directory,
                                                                    .store = bed.engine,
                                                                    .store_environment = bed.environment },
                                     &wish, &done, &err),
                 &err);
        bed.shards = 5;
        open_space();
        assert_int_equal(taken_in_space(), 1); /* and where it was */
        assert_string_equal(all_of("two"), "a=a b=b c=c d=d e=e");
        end();
        bed.shards = 2;
    }
}

/* Behind the owner's back, who sleeps: all of a partition's record. */
static void damage_record(const char *name)
{
    struct store_batch *batch = store_batch_new();
    int64_t token = token_of_partition_key(partition(name));
    struct shard *shard = &bed.space->shards[shard_of_token(bed.space, token)];
    struct buffer key = { 0 };
    struct error err;

    key_encode_partition(&key, BED_TABLE, token, partition(name));
    buffer_append_u8(&key, KEY_PARTITION);
    store_batch_put(batch, STORE_DATA, buffer_bytes(&key), BYTES_LITERAL("it was"));
    bed_must(shard->ops->write(shard->store, batch, true, &err), &err);
    store_batch_free(batch);
    buffer_fini(&key);
}

/* The partition's record said that there are range tombstones: what they hide stays hidden. */
static void a_repaired_record_forgets_no_range(void **state)
{
    begin();
    apply("two", deletion(KEY_RANGE, AT));
    assert_string_equal(all_of("two"), "a=a b=b d=d e=e");
    damage_record("two");
    assert_string_equal(all_of("two"), "corrupt");
    close_space();
    assert_int_equal(repair().count, 2);
    open_space();
    assert_string_equal(all_of("two"), "a=a b=b d=d e=e");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_holds_it_fails),
        cmocka_unit_test(a_deletion_that_is_not_older_heals),
        cmocka_unit_test(what_was_covered_does_not_come_back),
        cmocka_unit_test(a_repair_takes_out_what_cannot_be_read),
        cmocka_unit_test(a_repaired_record_forgets_no_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
