/* Writes through an owner thread and reads back, on each engine: slices both ways, deletions, TTL, statics, conditions, scans with
 * resumption, dropped tables, clocks over a restart. The definitions are made by hand; time is the test's.
 */
#include "table/shard.h"

#include "keys/keys.h"
#include "row/key.h"
#include "store/files/files.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"
#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

enum { TABLE = 7, COLUMN_V = 3, COLUMN_S = 2 };

static const struct store_ops *engine;
static struct file_system *files;
static struct keys *keys;
static char directory[] = "/tmp/helenus-table-XXXXXX";
static void *environment;
static struct table_space *space;
static struct table_port *port;
static struct arena *arena;
static _Atomic int64_t clock_us = 1000000000000000;
static bool dropped;
static struct table_def def;
static struct column_def columns[4];
static uint32_t index_by_id[] = { 0, 1, 2, 3 };

static int64_t now_us(const struct clock *clock)
{
    return atomic_load(&clock_us);
}

static struct clock test_clock; /* the machine's, but for real time */

static struct table_def *table_by_id(void *context, uint64_t id)
{
    return id == TABLE && !dropped ? table_def_ref(&def) : NULL;
}

static void must(enum status status, const struct error *err)
{
    if (status)
        fail_msg("%s: %s", status_name(status), err->message);
}

static void open_space(uint32_t shards)
{
    struct table_space_options options = { .directory = engine == &store_memory_ops ? NULL : directory,
                                           .files = files,
                                           .shard_count = shards,
                                           .store = engine,
                                           .store_environment = environment,
                                           .table_by_id = table_by_id,
                                           .clock = &test_clock };
    struct error err;

    must(table_space_open(&options, &space, &err), &err);
    port = table_port_open(space);
}

static void close_space(void)
{
    table_port_close(port);
    table_space_close(space);
}

static int setup(void **state)
{
    struct store_environment_options options = { .files = files, .clock = &test_clock };
    struct error err;

    dropped = false;
    columns[0] = (struct column_def){ 0, COLUMN_PARTITION_KEY, 0, 0, BYTES_LITERAL("k"), type_native(TYPE_INT) };
    columns[1] = (struct column_def){ 1, COLUMN_CLUSTERING, 0, 1, BYTES_LITERAL("c"), type_native(TYPE_INT) };
    columns[2] = (struct column_def){ COLUMN_S, COLUMN_STATIC, 0, 2, BYTES_LITERAL("s"), type_native(TYPE_TEXT) };
    columns[3] = (struct column_def){ COLUMN_V, COLUMN_REGULAR, 0, 3, BYTES_LITERAL("v"), type_native(TYPE_TEXT) };
    def = (struct table_def){ .refs = 1,
                              .id = TABLE,
                              .keyspace = BYTES_LITERAL("ks"),
                              .name = BYTES_LITERAL("t"),
                              .columns = columns,
                              .column_count = 4,
                              .partition_key_count = 1,
                              .clustering_count = 1,
                              .static_count = 1,
                              .regular_count = 1,
                              .column_id_next = 4,
                              .index_by_id = index_by_id };
    snprintf(directory, sizeof(directory), "/tmp/helenus-table-XXXXXX");
    assert_non_null(mkdtemp(directory));
    if (files) {
        must(files->ops->make_directory(files, "/tmp", &err), &err);
        must(files->ops->make_directory(files, directory, &err), &err);
        must(files->ops->sync_directory(files, "/", &err), &err);
        must(files->ops->sync_directory(files, "/tmp", &err), &err);
    }
    must(keys_open_directory(directory, true, &keys, &err), &err);
    options.keys = keys;
    must(engine->environment_open(&options, &environment, &err), &err);
    arena = arena_new(4096);
    open_space(2);
    return 0;
}

static int teardown(void **state)
{
    char command[300];

    close_space();
    engine->environment_close(environment);
    keys_close(keys);
    arena_free(arena);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static struct bytes int_key(int32_t v)
{
    uint8_t *at = arena_alloc(arena, 4);

    store_be32(at, (uint32_t)v);
    return bytes_of(at, 4);
}

static struct bytes clustering(int32_t c)
{
    struct buffer out = { 0 };
    struct bytes copy;

    value_encode_key(&out, type_native(TYPE_INT), int_key(c), false);
    copy = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return copy;
}

static struct cell text_cell(uint32_t column, const char *text, int64_t timestamp_us)
{
    return (struct cell){ .column_id = column,
                          .kind = CELL_LIVE,
                          .timestamp_us = timestamp_us,
                          .local_s = TIME_NONE,
                          .value = bytes_of_string(text) };
}

static struct apply_command update_of(int32_t pk, const struct table_fragment *fragments, uint32_t count)
{
    struct bytes key = int_key(pk);

    return (struct apply_command){ .table_id = TABLE,
                                   .partition_key = key,
                                   .token = token_of_partition_key(key),
                                   .fragments = fragments,
                                   .fragment_count = count,
                                   .now_s = now_us(NULL) / 1000000,
                                   .durable = true };
}

static enum status apply(int32_t pk, const struct table_fragment *fragment, struct error *err)
{
    struct apply_command command = update_of(pk, fragment, 1);
    struct buffer out = { 0 };
    enum status status;

    table_encode_apply(&out, &command);
    status = table_apply_wait(port, buffer_bytes(&out), command.token, err);
    buffer_fini(&out);
    return status;
}

static void insert(int32_t pk, int32_t c, const char *v, int64_t timestamp_us)
{
    struct cell cell = text_cell(COLUMN_V, v, timestamp_us);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(c), .row = ROW_EMPTY };
    struct error err;

    fragment.row.liveness = (struct liveness){ timestamp_us, TTL_NONE, TIME_NONE };
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(pk, &fragment, &err), &err);
}

static struct read_command command_for(int32_t pk)
{
    struct bytes key = int_key(pk);

    return (struct read_command){ .table_id = TABLE,
                                  .partition_key = key,
                                  .token = token_of_partition_key(key),
                                  .rows_wanted = true,
                                  .static_wanted = true,
                                  .row_limit = 1000,
                                  .now_s = now_us(NULL) / 1000000 };
}

/* The rows as "c=v c=v", "|" before each partition, "s:x " for a static row. */
static const char *read_text(const struct read_command *command)
{
    struct read_result result;
    struct buffer out = { 0 };
    struct error err;
    const char *text;

    must(table_read(port, command, true, arena, &result, &err), &err);
    for (uint32_t p = 0; p < result.partition_count; p++) {
        const struct read_partition *partition = &result.partitions[p];

        if (bytes_is_null(command->partition_key))
            buffer_printf(&out, "|%d ", (int)load_be32(partition->partition_key.data));
        if (partition->static_row)
            buffer_printf(&out, "s:%.*s ", BYTES(partition->static_row->cells[0].value));
        for (uint32_t i = 0; i < partition->row_count; i++) {
            struct bytes c = partition->rows[i].clustering;
            struct buffer value = { 0 };

            must(value_decode_key(&c, type_native(TYPE_INT), false, &value, &err), &err);
            buffer_printf(&out, "%d=%.*s ", (int)load_be32(value.data),
                          BYTES(partition->rows[i].row->cell_count ? partition->rows[i].row->cells[0].value
                                                                   : BYTES_LITERAL("-")));
            buffer_fini(&value);
        }
    }
    if (result.has_more)
        buffer_append_string(&out, "...");
    text = arena_string(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return text;
}

static void rows_come_back_in_slices_both_ways(void **state)
{
    struct read_command command = command_for(1);
    struct slice middle = { clustering(2), clustering(4), true, false };

    for (int c = 5; c >= -1; c--)
        insert(1, c, c % 2 ? "odd" : "even", TIMESTAMP_SERVER);
    assert_string_equal(read_text(&command), "-1=odd 0=even 1=odd 2=even 3=odd 4=even 5=odd ");
    command.reversed = true;
    command.row_limit = 2;
    assert_string_equal(read_text(&command), "5=odd 4=even ...");
    command.after_clustering = clustering(4);
    assert_string_equal(read_text(&command), "3=odd 2=even ...");
    command = command_for(1);
    command.slices = &middle;
    command.slice_count = 1;
    assert_string_equal(read_text(&command), "2=even 3=odd ");
    middle = (struct slice){ clustering(3), clustering(3), true, true };
    command.slices_are_rows = true;
    assert_string_equal(read_text(&command), "3=odd ");
}

static void later_timestamps_win_whatever_the_order(void **state)
{
    struct read_command command = command_for(2);

    insert(2, 1, "new", 200);
    insert(2, 1, "old", 100);
    assert_string_equal(read_text(&command), "1=new ");
    insert(2, 1, "tie a", 300);
    insert(2, 1, "tie b", 300);
    insert(2, 1, "tie a", 300);
    assert_string_equal(read_text(&command), "1=tie b ");
}

static void deletions_hide_what_is_older(void **state)
{
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    struct read_command command = command_for(3);
    struct error err;

    insert(3, 1, "old", 100);
    insert(3, 2, "new", 300);
    fragment.row.deletion = (struct deletion){ 200, now_us(NULL) / 1000000 };
    must(apply(3, &fragment, &err), &err);
    insert(3, 3, "late", 150);
    assert_string_equal(read_text(&command), "2=new ");
    fragment = (struct table_fragment){ .kind = KEY_RANGE,
                                        .clustering = clustering(5),
                                        .clustering_end = clustering(7),
                                        .start_inclusive = true,
                                        .row = ROW_EMPTY };
    fragment.row.deletion = (struct deletion){ 500, now_us(NULL) / 1000000 };
    for (int c = 4; c <= 8; c++)
        insert(3, c, "r", 400);
    must(apply(3, &fragment, &err), &err);
    insert(3, 6, "again", 600);
    assert_string_equal(read_text(&command), "2=new 4=r 6=again 7=r 8=r ");
}

/* Of a command whose last part is refused nothing stays, not even in what the owner keeps in mind of ranges. */
static void a_refused_command_deletes_no_range(void **state)
{
    static uint8_t endless[STORE_KEY_BYTES_MAX];
    struct table_fragment fragments[2] = {
        { .kind = KEY_RANGE, .row = ROW_EMPTY },
        { .kind = KEY_ROW, .clustering = bytes_of(endless, sizeof(endless)), .row = ROW_EMPTY }
    };
    struct apply_command refused = update_of(4, fragments, 2);
    struct read_command command = command_for(4);
    struct buffer out = { 0 };
    struct error err;

    fragments[0].row.deletion = (struct deletion){ 500, now_us(NULL) / 1000000 };
    fragments[1].row.liveness = (struct liveness){ 500, TTL_NONE, TIME_NONE };
    for (int c = 1; c <= 4; c++)
        insert(4, c, "r", 400);
    table_encode_apply(&out, &refused);
    assert_int_equal(table_apply_wait(port, buffer_bytes(&out), refused.token, &err), ERR_INVALID);
    buffer_fini(&out);
    fragments[0].clustering = clustering(2);
    fragments[0].clustering_end = clustering(3);
    fragments[0].start_inclusive = true;
    fragments[0].row.deletion.timestamp_us = 450; /* it cuts the other one, if that is thought to be there */
    must(apply(4, &fragments[0], &err), &err);
    assert_string_equal(read_text(&command), "1=r 3=r 4=r ");
}

static void expired_cells_and_rows_are_gone(void **state)
{
    struct cell cell = text_cell(COLUMN_V, "brief", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    int64_t now_s = now_us(NULL) / 1000000;
    struct read_command command = command_for(4);
    struct error err;

    cell.kind = CELL_EXPIRING;
    cell.ttl_s = 10;
    cell.local_s = now_s + 10;
    fragment.row.liveness = (struct liveness){ TIMESTAMP_SERVER, 20, now_s + 20 };
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(4, &fragment, &err), &err);
    assert_string_equal(read_text(&command), "1=brief ");
    command.now_s = now_s + 10;
    assert_string_equal(read_text(&command), "1=- ");
    command.now_s = now_s + 20;
    assert_string_equal(read_text(&command), "");
}

static void a_static_row_stands_for_its_partition(void **state)
{
    struct cell cell = text_cell(COLUMN_S, "fixed", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    struct read_command command = command_for(5);
    struct error err;

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(5, &fragment, &err), &err);
    assert_string_equal(read_text(&command), "s:fixed ");
    insert(5, 1, "x", TIMESTAMP_SERVER);
    assert_string_equal(read_text(&command), "s:fixed 1=x ");
}

static void scans_resume_where_they_stopped(void **state)
{
    struct read_command command = command_for(0);
    char all[4096] = "", paged[4096] = "";
    struct read_result result;
    struct error err;

    for (int pk = 0; pk < 20; pk++)
        for (int c = 0; c < 3; c++)
            insert(pk, c, "x", TIMESTAMP_SERVER);
    command.partition_key = (struct bytes){ 0 };
    command.token = INT64_MIN;
    command.token_last = INT64_MAX;
    must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.partition_count, 20);
    for (uint32_t p = 0; p < result.partition_count; p++)
        for (uint32_t i = 0; i < result.partitions[p].row_count; i++)
            snprintf(
                all + strlen(all), sizeof(all) - strlen(all), "%d/%d ",
                (int)load_be32(result.partitions[p].partition_key.data),
                (int)result.partitions[p].rows[i].clustering.data[result.partitions[p].rows[i].clustering.size - 1]);
    command.row_limit = 4;
    for (int page = 0; page < 100; page++) {
        const struct read_partition *last;

        must(table_read(port, &command, true, arena, &result, &err), &err);
        for (uint32_t p = 0; p < result.partition_count; p++)
            for (uint32_t i = 0; i < result.partitions[p].row_count; i++)
                snprintf(paged + strlen(paged), sizeof(paged) - strlen(paged), "%d/%d ",
                         (int)load_be32(result.partitions[p].partition_key.data),
                         (int)result.partitions[p]
                             .rows[i]
                             .clustering.data[result.partitions[p].rows[i].clustering.size - 1]);
        if (!result.has_more)
            break;
        last = &result.partitions[result.partition_count - 1];
        command.token = last->token;
        command.after_partition = last->partition_key;
        command.after_partition_inclusive = true;
        command.after_clustering = last->rows[last->row_count - 1].clustering;
        command.after_static = true;
    }
    assert_string_equal(paged, all);
    command = command_for(0);
    command.partition_key = (struct bytes){ 0 };
    command.token = INT64_MIN;
    command.token_last = INT64_MAX;
    command.rows_wanted = false;
    command.row_limit = 7;
    must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.partition_count, 7);
    assert_true(result.has_more);
}

static struct table_request cas_request;
static void cas_done(struct table_request *request)
{
    request->command = (struct bytes){ 0 };
}

/* Runs it and returns what the owner said of it. */
static enum status submit_cas(const struct cas_command *command, struct error *err)
{
    struct buffer out = { 0 };

    table_encode_cas(&out, command);
    cas_request = (struct table_request){
        .command = buffer_bytes(&out), .token = command->update.token, .done = cas_done, .error = err, .arena = arena
    };
    must(table_submit(port, &cas_request, err), err);
    table_port_flush(port);
    while (cas_request.command.data)
        table_port_reap(port);
    buffer_fini(&out);
    return cas_request.status;
}

static bool run_cas(int32_t pk, int32_t c, enum cas_kind kind, const char *expected, const char *v,
                    const struct row **seen)
{
    struct cell cell = text_cell(COLUMN_V, v, TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(c), .row = ROW_EMPTY };
    struct bytes value = expected ? bytes_of_string(expected) : (struct bytes){ 0 };
    struct condition condition = { .column_id = COLUMN_V, .op = CONDITION_EQ, .values = &value, .value_count = 1 };
    struct cas_part part = { .clustering = clustering(c),
                             .kind = kind,
                             .conditions = &condition,
                             .condition_count = kind == CAS_IF_CONDITIONS };
    struct cas_command command = { .parts = &part, .part_count = 1, .update = update_of(pk, &fragment, 1) };
    struct cas_seen what = { 0 };
    struct error err;

    fragment.row.liveness = (struct liveness){ TIMESTAMP_SERVER, TTL_NONE, TIME_NONE };
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(submit_cas(&command, &err), &err);
    if (!cas_request.applied)
        must(table_decode_cas_result(arena, cas_request.result, &what, 1, &err), &err);
    *seen = what.row;
    return cas_request.applied;
}

/* IF v = 'wrong' AND v < null: what cannot be compared is refused only where it is looked at. */
static void conditions_end_at_the_first_that_does_not_hold(void **state)
{
    struct cell cell = text_cell(COLUMN_V, "x", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct bytes wrong = BYTES_LITERAL("wrong"), null = { 0 };
    struct condition conditions[] = {
        { .column_id = COLUMN_V, .op = CONDITION_EQ, .values = &wrong, .value_count = 1 },
        { .column_id = COLUMN_V, .op = CONDITION_LT, .values = &null, .value_count = 1 },
    };
    struct cas_part part = {
        .clustering = clustering(1), .kind = CAS_IF_CONDITIONS, .conditions = conditions, .condition_count = 2
    };
    struct cas_command command = { .parts = &part, .part_count = 1, .update = update_of(16, &fragment, 1) };
    struct error err;

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    assert_int_equal(submit_cas(&command, &err), OK);
    assert_false(cas_request.applied);
    conditions[0].op = CONDITION_NE;
    assert_int_equal(submit_cas(&command, &err), ERR_INVALID);
    assert_string_equal(err.message, "Invalid comparison with null for operator \"<\"");
    conditions[1].op = CONDITION_UNSET;
    assert_int_equal(submit_cas(&command, &err), ERR_INVALID);
    assert_string_equal(err.message, "Invalid 'unset' value in condition");
}

static void conditions_decide_on_the_owner(void **state)
{
    const struct row *seen = NULL;
    struct read_command command = command_for(6);

    assert_true(run_cas(6, 1, CAS_IF_NOT_EXISTS, NULL, "first", &seen));
    assert_false(run_cas(6, 1, CAS_IF_NOT_EXISTS, NULL, "second", &seen));
    assert_true(bytes_equal(seen->cells[0].value, BYTES_LITERAL("first")));
    assert_false(run_cas(6, 1, CAS_IF_CONDITIONS, "wrong", "third", &seen));
    assert_true(run_cas(6, 1, CAS_IF_CONDITIONS, "first", "third", &seen));
    assert_false(run_cas(6, 2, CAS_IF_EXISTS, NULL, "x", &seen));
    assert_null(seen);
    assert_true(run_cas(6, 2, CAS_IF_CONDITIONS, NULL, "null was right", &seen));
    assert_string_equal(read_text(&command), "1=third 2=null was right ");
}

static void a_dropped_table_is_refused_and_its_rows_go(void **state)
{
    struct cell cell = text_cell(COLUMN_V, "x", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct read_command command = command_for(7);
    uint64_t id = TABLE;
    struct error err;

    insert(7, 1, "x", TIMESTAMP_SERVER);
    must(table_remove_all(port, &id, 1, &err), &err);
    assert_string_equal(read_text(&command), "");
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    dropped = true;
    assert_int_equal(apply(7, &fragment, &err), ERR_STALE);
}

static void time_never_runs_backwards_over_a_restart(void **state)
{
    struct read_command command = command_for(8);

    insert(8, 1, "before", TIMESTAMP_SERVER);
    if (engine == &store_memory_ops)
        return; /* it forgets everything, its clock too */
    close_space();
    atomic_fetch_sub(&clock_us, 3600 * INT64_C(1000000));
    open_space(0);
    insert(8, 1, "after", TIMESTAMP_SERVER);
    atomic_fetch_add(&clock_us, 3600 * INT64_C(1000000));
    assert_string_equal(read_text(&command), "1=after ");
    assert_int_equal(table_space_shard_count(space), 2);
}

static void compaction_forgets_only_what_may_go(void **state)
{
    struct cell cell = {
        .column_id = COLUMN_V, .kind = CELL_TOMBSTONE, .timestamp_us = 200, .local_s = now_us(NULL) / 1000000 - 100
    };
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct read_command command = command_for(9);
    struct error err;

    def.params.gc_grace_s = 50;
    insert(9, 1, "old", 100);
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(9, &fragment, &err), &err);
    must(table_flush(space, &err), &err);
    must(table_compact(space, &err), &err);
    assert_string_equal(read_text(&command), "1=- ");
    insert(9, 1, "late", 150); /* the tombstone is past gc_grace and gone: this one shows */
    assert_string_equal(read_text(&command), "1=late ");
    def.params.gc_grace_s = 864000;
}

/* Bounds are prefixes of clusterings; each of the four kinds of ends, scanned and in a scan over partitions. */
static void slices_begin_and_end_where_they_say(void **state)
{
    static const char *const expected[] = { "2=x 3=x ", "2=x 3=x 4=x ", "3=x ", "3=x 4=x " };
    static const char *const all[] = { "|10 2=x 3=x ", "|10 2=x 3=x 4=x ", "|10 3=x ", "|10 3=x 4=x " };

    for (int c = 0; c < 7; c++)
        insert(10, c, "x", TIMESTAMP_SERVER);
    for (int kind = 0; kind < 4; kind++) {
        struct slice slice = { clustering(2), clustering(4), kind < 2, kind & 1 };
        struct read_command command = command_for(10);

        command.slices = &slice;
        command.slice_count = 1;
        assert_string_equal(read_text(&command), expected[kind]);
        command.partition_key = (struct bytes){ 0 };
        command.token = INT64_MIN;
        command.token_last = INT64_MAX;
        assert_string_equal(read_text(&command), all[kind]);
    }
}

/* By one partition's commands and by scans, from the first row or behind it, until it is let go. */
static void a_view_shows_one_state(void **state)
{
    struct table_view view = { 0 };
    struct read_command by_key = command_for(12), scan = command_for(12), newest = command_for(12);

    insert(12, 1, "old", TIMESTAMP_SERVER);
    scan.partition_key = (struct bytes){ 0 };
    scan.token_last = scan.token;
    by_key.view = scan.view = &view;
    by_key.row_limit = 1;
    assert_string_equal(read_text(&by_key), "1=old ...");
    insert(12, 1, "new", TIMESTAMP_SERVER);
    insert(12, 2, "new", TIMESTAMP_SERVER);
    by_key.row_limit = 10;
    assert_string_equal(read_text(&by_key), "1=old ");
    by_key.after_clustering = clustering(1);
    assert_string_equal(read_text(&by_key), "");
    assert_string_equal(read_text(&scan), "|12 1=old ");
    scan.after_partition = int_key(12);
    scan.after_partition_inclusive = true;
    scan.after_clustering = clustering(1);
    assert_string_equal(read_text(&scan), "");
    assert_string_equal(read_text(&newest), "1=new 2=new ");
    by_key.slices = (struct slice[]){ { clustering(2), clustering(2), true, true } };
    by_key.slice_count = 1;
    by_key.slices_are_rows = true;
    assert_string_equal(read_text(&by_key), "");
    table_view_release(&view);
    assert_string_equal(read_text(&by_key), "2=new ");
    assert_string_equal(read_text(&scan), "|12 2=new ");
    table_view_release(&view);
    table_view_release(&view);
}

static void a_resumed_page_has_a_static_row_only_with_rows(void **state)
{
    struct cell cell = text_cell(COLUMN_S, "fixed", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    struct read_command command = command_for(11);
    struct error err;

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(11, &fragment, &err), &err);
    insert(11, 1, "x", TIMESTAMP_SERVER);
    insert(11, 2, "y", TIMESTAMP_SERVER);
    command.after_clustering = clustering(1);
    command.after_static = true;
    assert_string_equal(read_text(&command), "s:fixed 2=y "); /* which belongs to each of its rows */
    command.after_clustering = clustering(2);
    assert_string_equal(read_text(&command), "");
    command.after_partition = command.partition_key;
    command.after_partition_inclusive = true;
    command.partition_key = (struct bytes){ 0 };
    command.token_last = INT64_MAX;
    assert_string_equal(read_text(&command), "");
    command.after_clustering = clustering(1);
    assert_string_equal(read_text(&command), "|11 s:fixed 2=y ");
}

/* One fragment may hold both: a batch that deletes and writes at one time. */
static void a_partition_deletion_hides_its_static_row(void **state)
{
    struct cell cell = text_cell(COLUMN_S, "fixed", 200);
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    struct read_command command = command_for(12);
    struct error err;

    fragment.row.deletion = (struct deletion){ 200, now_us(NULL) / 1000000 };
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(12, &fragment, &err), &err);
    assert_string_equal(read_text(&command), "");
    fragment.row.deletion = DELETION_NONE;
    must(apply(12, &fragment, &err), &err);
    assert_string_equal(read_text(&command), "");
    cell.timestamp_us = 300;
    must(apply(12, &fragment, &err), &err);
    assert_string_equal(read_text(&command), "s:fixed ");
}

static void request_done(struct table_request *request)
{
    request->command = (struct bytes){ 0 };
}

/* Queued together, so that one turn of the owner takes all of them. */
static void decide_together(struct table_request *requests, struct buffer *commands, struct error *errors,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        requests[i].command = buffer_bytes(&commands[i]);
        requests[i].done = request_done;
        requests[i].error = &errors[i];
        requests[i].arena = arena;
        must(table_submit(port, &requests[i], &errors[i]), &errors[i]);
    }
    table_port_flush(port);
    for (uint32_t i = 0; i < count; i++) {
        while (requests[i].command.data) {
            table_port_reap(port);
            table_port_flush(port);
        }
        buffer_fini(&commands[i]);
    }
}

static void submit_together(struct table_request *requests, struct buffer *commands, struct error *errors,
                            uint32_t count)
{
    decide_together(requests, commands, errors, count);
    for (uint32_t i = 0; i < count; i++)
        must(requests[i].status, &errors[i]);
}

static void stamps_increase_while_the_clock_stands(void **state)
{
    enum { COUNT = 8 };
    struct table_request requests[COUNT] = { 0 };
    struct buffer commands[COUNT] = { 0 };
    struct error errors[COUNT];
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct apply_command command = update_of(13, &fragment, 1);

    fragment.row.liveness = (struct liveness){ TIMESTAMP_SERVER, TTL_NONE, TIME_NONE };
    for (int i = 0; i < COUNT; i++) {
        table_encode_apply(&commands[i], &command);
        requests[i].token = command.token;
    }
    submit_together(requests, commands, errors, COUNT);
    for (int i = 1; i < COUNT; i++)
        assert_true(requests[i].timestamp_us > requests[i - 1].timestamp_us);
}

static uint32_t done_order;

static void note_order(struct table_request *request)
{
    request->timestamp_us = ++done_order; /* in the place of what the owner told */
    request->command = (struct bytes){ 0 };
}

/* Where few of a flow may be with the owner, one request does not wait behind all those of another flow. */
static void flows_take_turns(void **state)
{
    enum { COUNT = 40 };
    struct table_request requests[COUNT] = { 0 };
    struct buffer commands[COUNT] = { 0 };
    struct error errors[COUNT];
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct apply_command command = update_of(13, &fragment, 1);

    fragment.row.liveness = (struct liveness){ TIMESTAMP_SERVER, TTL_NONE, TIME_NONE };
    done_order = 0;
    for (uint32_t i = 0; i < space->shard_count; i++)
        atomic_store(&space->shards[i].window, 1); /* as if commands had been dear; owners sleep */
    for (int i = 0; i < COUNT; i++) {
        bool is_other = i >= COUNT - 2;

        table_encode_apply(&commands[i], &command);
        requests[i] = (struct table_request){ .command = buffer_bytes(&commands[i]),
                                              .token = command.token,
                                              .flow = is_other ? 70 : 3,
                                              .done = note_order,
                                              .error = &errors[i] };
        must(table_submit(port, &requests[i], &errors[i]), &errors[i]);
    }
    assert_int_equal(table_port_pending(port), COUNT);
    table_port_flush(port);
    while (table_port_pending(port)) {
        table_port_reap(port);
        table_port_flush(port);
    }
    for (int i = 0; i < COUNT; i++) {
        must(requests[i].status, &errors[i]);
        buffer_fini(&commands[i]);
    }
    assert_int_equal(requests[COUNT - 2].timestamp_us, 2);
    assert_in_range(requests[COUNT - 1].timestamp_us, 3, COUNT); /* it waited for the one before it */
    for (int i = 1; i < COUNT - 2; i++)                          /* and within a flow who came first is first */
        assert_true(requests[i].timestamp_us > requests[i - 1].timestamp_us);
}

static void encode_cas_insert(struct buffer *out, int32_t pk, const char *v)
{
    struct cell cell = text_cell(COLUMN_V, v, TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct cas_part part = { .clustering = clustering(1), .kind = CAS_IF_NOT_EXISTS };
    struct cas_command command = { .parts = &part, .part_count = 1, .update = update_of(pk, &fragment, 1) };

    fragment.row.liveness = (struct liveness){ TIMESTAMP_SERVER, TTL_NONE, TIME_NONE };
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    table_encode_cas(out, &command);
}

static void conditions_see_what_the_same_turn_wrote(void **state)
{
    enum { COUNT = 16 };
    struct table_request requests[COUNT] = { 0 };
    struct buffer commands[COUNT] = { 0 };
    struct error errors[COUNT];
    struct read_command command = command_for(14);
    uint32_t applied = 0;

    for (int i = 0; i < COUNT; i++) {
        encode_cas_insert(&commands[i], 14, i ? "later" : "first");
        requests[i].token = token_of_partition_key(int_key(14));
    }
    submit_together(requests, commands, errors, COUNT);
    for (int i = 0; i < COUNT; i++)
        applied += requests[i].applied;
    assert_int_equal(applied, 1);
    assert_true(requests[0].applied);
    assert_string_equal(read_text(&command), "1=first ");
}

static struct table_fragment written_row(int32_t c, const char *v) /* NULL: deleted */
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(c), .row = ROW_EMPTY };
    struct cell *cell = arena_new_struct(arena, struct cell);

    if (!v) {
        fragment.row.deletion = (struct deletion){ TIMESTAMP_SERVER, now_us(NULL) / 1000000 };
        return fragment;
    }
    *cell = text_cell(COLUMN_V, v, TIMESTAMP_SERVER);
    fragment.row.cells = cell;
    fragment.row.cell_count = 1;
    return fragment;
}

/* Writes rows and, in the same turn, asks whether the partition has a static row, which it has not. */
static struct cas_seen first_row_behind(int32_t pk, const struct table_fragment *rows, uint32_t count)
{
    struct cell cell = text_cell(COLUMN_S, "new", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    struct cas_part parts[2] = { { .is_static = true, .kind = CAS_IF_EXISTS }, { .kind = CAS_FIRST_ROW } };
    struct apply_command update = update_of(pk, rows, count);
    struct cas_command cas = { .parts = parts, .part_count = 2, .update = update_of(pk, &fragment, 1) };
    struct table_request requests[2] = { { .token = update.token }, { .token = update.token } };
    struct buffer commands[2] = { 0 };
    struct cas_seen seen[2];
    struct error errors[2];

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    table_encode_apply(&commands[0], &update);
    table_encode_cas(&commands[1], &cas);
    submit_together(requests, commands, errors, 2);
    assert_false(requests[1].applied);
    must(table_decode_cas_result(arena, requests[1].result, seen, 2, errors), errors);
    assert_null(seen[0].row);
    return seen[1];
}

static void a_refusal_brings_the_first_row(void **state)
{
    struct table_fragment rows[] = { written_row(1, "one"), written_row(2, NULL) };
    struct table_fragment deleted[1001];
    struct cas_seen seen;

    insert(15, 2, "two", TIMESTAMP_SERVER);
    insert(15, 3, "three", TIMESTAMP_SERVER);
    seen = first_row_behind(15, rows, 2); /* 1 only the turn has, 2 is gone in the turn */
    assert_non_null(seen.row);
    assert_true(bytes_equal(seen.clustering, clustering(1)));
    assert_true(bytes_equal(seen.row->cells[0].value, BYTES_LITERAL("one")));
    rows[0] = written_row(1, NULL);
    seen = first_row_behind(15, rows, 2);
    assert_non_null(seen.row);
    assert_true(bytes_equal(seen.clustering, clustering(3)));
    rows[1] = written_row(3, NULL);
    seen = first_row_behind(15, rows, 2);
    assert_null(seen.row);
    for (int32_t i = 0; i < 1001; i++)
        deleted[i] = written_row(i, NULL);
    insert(15, 5000, "far", TIMESTAMP_SERVER);
    seen = first_row_behind(15, deleted + 4, 996);
    assert_non_null(seen.row); /* behind 996 of the turn and three of the store */
    seen = first_row_behind(15, deleted, 1001);
    assert_null(seen.row); /* it is not looked for as far */
}

/* A deletion by the server's clock, then the clock set back: an insert that saw the deletion must not vanish behind it. */
static void a_conditional_write_is_newer_than_what_it_read(void **state)
{
    struct read_command command = command_for(15);
    const struct row *seen;
    int64_t now = atomic_load(&clock_us);

    insert(15, 1, "old", now + 5); /* a client's clock, a little ahead */
    atomic_store(&clock_us, now + 5);
    assert_true(run_cas(15, 1, CAS_IF_CONDITIONS, "old", "a", &seen)); /* "a" < "old": a tie would lose */
    assert_string_equal(read_text(&command), "1=a ");
}

static void a_dropped_table_takes_no_conditional_writes(void **state)
{
    struct table_request request = { .token = token_of_partition_key(int_key(16)),
                                     .done = request_done,
                                     .arena = arena };
    struct buffer out = { 0 };
    struct error err;

    encode_cas_insert(&out, 16, "x");
    request.command = buffer_bytes(&out);
    request.error = &err;
    dropped = true;
    must(table_submit(port, &request, &err), &err);
    table_port_flush(port);
    while (request.command.data)
        table_port_reap(port);
    assert_int_equal(request.status, ERR_STALE);
    dropped = false;
    buffer_fini(&out);
}

static void delete_cell(int32_t pk, int64_t timestamp_us, int64_t local_s)
{
    struct cell cell = {
        .column_id = COLUMN_V, .kind = CELL_TOMBSTONE, .timestamp_us = timestamp_us, .local_s = local_s
    };
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(1), .row = ROW_EMPTY };
    struct error err;

    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    must(apply(pk, &fragment, &err), &err);
}

static void flush_and_compact(void)
{
    struct error err;

    must(table_flush(space, &err), &err);
    must(table_compact(space, &err), &err);
}

static void compaction_keeps_what_gc_grace_protects(void **state)
{
    struct read_command command = command_for(17);

    def.params.gc_grace_s = 1000;
    insert(17, 1, "old", 100);
    delete_cell(17, 200, now_us(NULL) / 1000000 - 100);
    flush_and_compact();
    insert(17, 1, "late", 150); /* replayed by a client: still deleted */
    assert_string_equal(read_text(&command), "1=- ");
    def.params.gc_grace_s = 864000;
}

/* Definitions may be read later than the first compaction runs. */
static void an_unknown_table_is_not_purged(void **state)
{
    struct read_command command = command_for(18);

    def.params.gc_grace_s = 0;
    insert(18, 1, "old", 100);
    delete_cell(18, 200, now_us(NULL) / 1000000 - 100);
    dropped = true;
    flush_and_compact();
    dropped = false;
    assert_string_equal(read_text(&command), "1=- ");
    insert(18, 1, "late", 150);
    assert_string_equal(read_text(&command), "1=- ");
    def.params.gc_grace_s = 864000;
}

/* Compaction can't see which rows it covers. */
static void compaction_never_forgets_a_partition_deletion(void **state)
{
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    struct read_command command = command_for(19);
    struct error err;

    def.params.gc_grace_s = 0;
    insert(19, 1, "old", 100);
    flush_and_compact();
    fragment.row.deletion = (struct deletion){ 200, now_us(NULL) / 1000000 - 100 };
    must(apply(19, &fragment, &err), &err);
    flush_and_compact();
    flush_and_compact();
    assert_string_equal(read_text(&command), "");
    def.params.gc_grace_s = 864000;
}

/* ---- a disk that forgets what was not synced, and one that fails ---- */

static int forgetful_setup(void **state)
{
    files = forgetful_new(1);
    return setup(state);
}

static int forgetful_teardown(void **state)
{
    int failed = teardown(state);

    forgetful_free(files);
    files = NULL;
    return failed;
}

static void what_was_acknowledged_survives_a_power_cut(void **state)
{
    struct read_command command = command_for(20);

    if (engine == &store_memory_ops)
        return; /* it has no files */
    insert(20, 1, "kept", TIMESTAMP_SERVER);
    forgetful_cut(files);
    close_space();
    forgetful_restart(files, false);
    open_space(0);
    assert_string_equal(read_text(&command), "1=kept ");
}

static void after_a_failed_sync_a_shard_refuses_writes_and_comes_back(void **state)
{
    struct cell cell = text_cell(COLUMN_V, "x", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(2), .row = ROW_EMPTY };
    struct read_command command = command_for(21);
    enum status status = ERR_WRITE_FAILURE;
    struct error err;

    if (engine == &store_memory_ops)
        return;
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    insert(21, 1, "kept", TIMESTAMP_SERVER);
    forgetful_fail_sync(files, true);
    assert_int_equal(apply(21, &fragment, &err), ERR_WRITE_TIMEOUT); /* its outcome is unknown */
    assert_int_equal(apply(21, &fragment, &err), ERR_WRITE_FAILURE); /* not done */
    assert_string_equal(read_text(&command), "1=kept ");
    forgetful_fail_sync(files, false);
    for (int tries = 0; tries < 100 && status == ERR_WRITE_FAILURE; tries++) {
        usleep(100000);
        status = apply(21, &fragment, &err);
    }
    must(status, &err);
    assert_string_equal(read_text(&command), "1=kept 2=x ");
}

/* IF v = 'wrong' AND v < null is refused where v is 'wrong', as the command before it in its turn makes it, whose write fails. */
static void a_refusal_does_not_rest_on_a_write_that_failed(void **state)
{
    struct bytes wrong = BYTES_LITERAL("wrong"), null = { 0 };
    struct condition conditions[] = {
        { .column_id = COLUMN_V, .op = CONDITION_EQ, .values = &wrong, .value_count = 1 },
        { .column_id = COLUMN_V, .op = CONDITION_LT, .values = &null, .value_count = 1 },
    };
    struct cas_part part = {
        .clustering = clustering(1), .kind = CAS_IF_CONDITIONS, .conditions = conditions, .condition_count = 2
    };
    struct table_fragment row = written_row(1, "wrong");
    struct apply_command write = update_of(22, &row, 1);
    struct cas_command cas = { .parts = &part, .part_count = 1, .update = write };

    if (engine == &store_memory_ops)
        return;
    for (int fails = 0; fails < 2; fails++) {
        struct table_request requests[2] = { { .token = write.token }, { .token = write.token } };
        struct buffer commands[2] = { 0 };
        struct error errors[2];

        table_encode_apply(&commands[0], &write);
        table_encode_cas(&commands[1], &cas);
        forgetful_fail_sync(files, fails);
        decide_together(requests, commands, errors, 2);
        assert_int_equal(requests[0].status, fails ? ERR_WRITE_TIMEOUT : OK);
        assert_int_equal(requests[1].status, fails ? ERR_WRITE_FAILURE : ERR_INVALID);
    }
    forgetful_fail_sync(files, false);
}

/* The failed write is in the log, and there when the store was opened again: who had looked in between must not go on without it. */
static void rows_that_ports_keep_go_when_a_shard_resumes(void **state)
{
    struct cell cell = text_cell(COLUMN_V, "x", TIMESTAMP_SERVER);
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering(2), .row = ROW_EMPTY };
    struct slice slice = { clustering(2), clustering(2), true, true };
    struct read_command command = command_for(21);
    struct table_port *keeps = port;
    struct error err;
    uint32_t shard = table_shard_of(port, command.token);

    if (engine == &store_memory_ops)
        return;
    command.slices = &slice;
    command.slice_count = 1;
    command.slices_are_rows = true;
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    table_port_keep_rows(keeps, 1 << 20);
    forgetful_fail_sync(files, true);
    assert_int_equal(apply(21, &fragment, &err), ERR_WRITE_TIMEOUT);
    for (int i = 0; i < 3; i++)
        assert_string_equal(read_text(&command), "");
    forgetful_fail_sync(files, false);
    for (int tries = 0; tries < 300 && table_space_refuses_writes(space, shard); tries++)
        usleep(100000);
    assert_false(table_space_refuses_writes(space, shard));
    port = table_port_open(space);
    assert_string_equal(read_text(&command), "2=x ");
    table_port_close(port);
    port = keeps;
    assert_string_equal(read_text(&command), "2=x ");
}

/* Each field with a value of its own; then every shorter command is refused, and one with a byte more. */
static void a_read_command_is_flat_bytes(void **state)
{
    struct slice slices[] = { { BYTES_LITERAL("s1"), BYTES_LITERAL("e1"), true, false },
                              { BYTES_LITERAL("s2"), bytes_of(NULL, 0), false, true } };
    struct read_command full = { .table_id = 1,
                                 .schema_version = 2,
                                 .partition_key = BYTES_LITERAL("key"),
                                 .token = -3,
                                 .token_last = 4,
                                 .after_partition = BYTES_LITERAL("after"),
                                 .after_clustering = BYTES_LITERAL(""),
                                 .slices = slices,
                                 .slice_count = 2,
                                 .row_limit = 5,
                                 .row_limit_per_partition = 6,
                                 .byte_limit = 7,
                                 .now_s = -8 };
    struct arena *own = arena_new(4096);
    struct read_command got;
    struct error err;

    for (int flag = 0; flag < 6; flag++) {
        struct read_command in = full;
        struct buffer flat = { 0 };

        in.after_partition_inclusive = flag == 0;
        in.after_static = flag == 1;
        in.slices_are_rows = flag == 2;
        in.reversed = flag == 3;
        in.rows_wanted = flag == 4;
        in.static_wanted = flag == 5;
        table_encode_read(&flat, &in);
        assert_int_equal(table_decode_read(own, buffer_bytes(&flat), &got, &err), OK);
        assert_int_equal(got.table_id, 1);
        assert_int_equal(got.schema_version, 2);
        assert_true(bytes_equal(got.partition_key, in.partition_key));
        assert_true(got.token == -3 && got.token_last == 4 && got.now_s == -8);
        assert_true(bytes_equal(got.after_partition, in.after_partition));
        assert_true(!bytes_is_null(got.after_clustering) && got.after_clustering.size == 0);
        assert_true(got.row_limit == 5 && got.row_limit_per_partition == 6 && got.byte_limit == 7);
        assert_int_equal(got.after_partition_inclusive, flag == 0);
        assert_int_equal(got.after_static, flag == 1);
        assert_int_equal(got.slices_are_rows, flag == 2);
        assert_int_equal(got.reversed, flag == 3);
        assert_int_equal(got.rows_wanted, flag == 4);
        assert_int_equal(got.static_wanted, flag == 5);
        assert_int_equal(got.slice_count, 2);
        assert_true(bytes_equal(got.slices[0].start, slices[0].start) && bytes_equal(got.slices[0].end, slices[0].end));
        assert_true(got.slices[0].start_inclusive && !got.slices[0].end_inclusive);
        assert_true(bytes_equal(got.slices[1].start, slices[1].start) && bytes_is_null(got.slices[1].end));
        assert_true(!got.slices[1].start_inclusive && got.slices[1].end_inclusive);
        for (size_t size = 0; size < flat.size; size++)
            assert_int_equal(table_decode_read(own, bytes_of(flat.data, size), &got, &err), ERR_CORRUPT);
        buffer_append_u8(&flat, 0);
        assert_int_equal(table_decode_read(own, buffer_bytes(&flat), &got, &err), ERR_CORRUPT);
        buffer_reset(&flat);
        in.slice_count = 0; /* rows to look up, but none is named */
        table_encode_read(&flat, &in);
        assert_int_equal(table_decode_read(own, buffer_bytes(&flat), &got, &err), flag == 2 ? ERR_CORRUPT : OK);
        buffer_fini(&flat);
    }
    arena_free(own);
}

/* ---- the number of shards is laid down once ---- */

static enum status open_counted(struct file_system *disk, uint32_t shards, uint32_t *count, struct error *err)
{
    struct table_space_options options = { .directory = "/data",
                                           .files = disk,
                                           .shard_count = shards,
                                           .store = &store_memory_ops,
                                           .table_by_id = table_by_id,
                                           .clock = &test_clock };
    struct store_environment_options environment_options = { .clock = &test_clock };
    struct table_space *opened;
    enum status status;

    must(store_memory_ops.environment_open(&environment_options, &options.store_environment, err), err);
    status = table_space_open(&options, &opened, err);
    if (!status) {
        *count = table_space_shard_count(opened);
        table_space_close(opened);
    }
    store_memory_ops.environment_close(options.store_environment);
    return status;
}

/* The nth call fails and then the power goes; what was not synced is gone, or there in part. Returns whether there was an nth. */
static bool shard_count_after_failure(uint64_t n, bool sticky, bool torn)
{
    struct file_system *disk = forgetful_new(n * 4 + sticky * 2 + torn);
    uint32_t count = 0;
    struct error err;
    enum status first;
    bool failed;

    must(disk->ops->make_directory(disk, "/data", &err), &err);
    must(disk->ops->sync_directory(disk, "/", &err), &err);
    forgetful_fail_nth(disk, n, sticky);
    first = open_counted(disk, 3, &count, &err);
    failed = forgetful_failed(disk);
    assert_int_equal(first != OK, failed);
    forgetful_cut(disk);
    forgetful_restart(disk, torn);
    if (first == OK) {
        assert_int_equal(open_counted(disk, 4, &count, &err), ERR_CONFIG);
        must(open_counted(disk, 0, &count, &err), &err);
    } else {
        must(open_counted(disk, 3, &count, &err), &err); /* as if it had never begun, or done */
    }
    assert_int_equal(count, 3);
    forgetful_free(disk);
    return failed;
}

static void the_number_of_shards_survives_a_power_cut(void **state)
{
    for (int variant = 0; variant < 4; variant++) {
        uint64_t n = 1;

        while (shard_count_after_failure(n, variant & 1, variant & 2))
            n++;
        assert_true(n > 5);                        /* open, append, sync, rename, sync the directory */
        for (uint64_t seed = 0; seed < 20; seed++) /* a torn disk keeps some names and bytes: by the seed */
            shard_count_after_failure(n + seed, variant & 1, variant & 2);
    }
}

static void a_damaged_number_of_shards_is_refused(void **state)
{
    static const char *const texts[] = { "",
                                         "0\n",
                                         "3",
                                         "3 \n",
                                         "-1\n",
                                         "1025\n",
                                         "three\n",
                                         "33333333333333333\n",
                                         "3 0\n",
                                         "3 1",
                                         "3  1\n",
                                         "3 -1\n",
                                         "3 1 1\n",
                                         "03\n",
                                         "3 unfinished\n",
                                         "3 0 unfinished",
                                         "3 0 finished\n",
                                         "unfinished\n" };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct file_system *disk = forgetful_new(1);
        struct file *file;
        uint32_t count;
        struct error err;

        must(disk->ops->make_directory(disk, "/data", &err), &err);
        must(disk->ops->open(disk, "/data/SHARDS", FILE_CREATE, &file, &err), &err);
        must(file->ops->append(file, texts[i], strlen(texts[i]), &err), &err);
        file->ops->close(file);
        assert_int_equal(open_counted(disk, 0, &count, &err), ERR_CORRUPT);
        forgetful_free(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_command_is_flat_bytes),
        cmocka_unit_test(the_number_of_shards_survives_a_power_cut),
        cmocka_unit_test(a_damaged_number_of_shards_is_refused),
        cmocka_unit_test_setup_teardown(rows_come_back_in_slices_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(later_timestamps_win_whatever_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(deletions_hide_what_is_older, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_command_deletes_no_range, setup, teardown),
        cmocka_unit_test_setup_teardown(expired_cells_and_rows_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_static_row_stands_for_its_partition, setup, teardown),
        cmocka_unit_test_setup_teardown(scans_resume_where_they_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_decide_on_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_end_at_the_first_that_does_not_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_table_is_refused_and_its_rows_go, setup, teardown),
        cmocka_unit_test_setup_teardown(time_never_runs_backwards_over_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(compaction_forgets_only_what_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(slices_begin_and_end_where_they_say, setup, teardown),
        cmocka_unit_test_setup_teardown(a_view_shows_one_state, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resumed_page_has_a_static_row_only_with_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_partition_deletion_hides_its_static_row, setup, teardown),
        cmocka_unit_test_setup_teardown(stamps_increase_while_the_clock_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(flows_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_see_what_the_same_turn_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_brings_the_first_row, setup, teardown),
        cmocka_unit_test_setup_teardown(a_conditional_write_is_newer_than_what_it_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_table_takes_no_conditional_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(compaction_keeps_what_gc_grace_protects, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_table_is_not_purged, setup, teardown),
        cmocka_unit_test_setup_teardown(compaction_never_forgets_a_partition_deletion, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_a_power_cut, forgetful_setup,
                                        forgetful_teardown),
        cmocka_unit_test_setup_teardown(rows_that_ports_keep_go_when_a_shard_resumes, forgetful_setup,
                                        forgetful_teardown),
        cmocka_unit_test_setup_teardown(after_a_failed_sync_a_shard_refuses_writes_and_comes_back, forgetful_setup,
                                        forgetful_teardown),
        cmocka_unit_test_setup_teardown(a_refusal_does_not_rest_on_a_write_that_failed, forgetful_setup,
                                        forgetful_teardown),
    };
    int failed;

    engine = &store_memory_ops;
    test_clock = clock_system;
    test_clock.realtime_us = now_us;
    failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    engine = &store_rocksdb_ops;
    return failed + cmocka_run_group_tests_name("rocksdb", tests, NULL, NULL);
}
