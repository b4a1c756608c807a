/* The answer does not depend on what is in memory: random commands go to two spaces, one over a store that has everything at hand, the
 * other over one that now and then says it would have to wait, so that its commands run again. Statuses, what conditions decided and what is
 * read afterwards are the same, and no command's bytes change.
 */
#include "row/counter.h"
#include "row/place.h"
#include "table/bed.h"
#include "table/command.h"
#include "table/shard.h"

#include <poll.h>

enum {
    ROUNDS = 40,
    COMMANDS = 60,
    KEYS = 3,
    ROWS = 6,
    FRAGMENTS_MAX = 4,
    BED_LIST = 4,
    COUNTED = KEYS /* the last key */
};

static struct store_ops reluctant; /* the memory store, but for what it refuses */
static _Atomic uint32_t asked, refused;
static struct table_bed beds[2] = { { .engine = &store_memory_ops, .shards = 2 },
                                    { .engine = &reluctant, .shards = 2 } };
static struct table_port *ports[2];
static struct arena *arena;
static uint64_t random_state = 1;
static struct column_def list_column;
static uint32_t index_by_id[BED_LIST + 1] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0 };

static bool refuses(bool may_wait)
{
    if (may_wait || atomic_fetch_add(&asked, 1) % 3)
        return false;
    atomic_fetch_add(&refused, 1);
    return true;
}

static enum status get(struct store *store, enum store_family family, struct bytes key,
                       const struct store_read_options *options, struct store_value *value, struct error *err)
{
    if (refuses(options->may_wait))
        return error_set(err, ERR_WOULD_WAIT, "not now");
    return store_memory_ops.get(store, family, key, options, value, err);
}

static enum status scan_open(struct store *store, const struct store_scan_options *options, struct store_scan **scan,
                             struct error *err)
{
    if (refuses(options->may_wait))
        return error_set(err, ERR_WOULD_WAIT, "not now");
    return store_memory_ops.scan_open(store, options, scan, err);
}

static uint32_t below(uint32_t n)
{
    return bed_below(&random_state, n);
}

static struct bytes letter(uint32_t i)
{
    uint8_t *at = arena_alloc(arena, 1);

    *at = (uint8_t)('a' + i);
    return bytes_of(at, 1);
}

static struct bytes number(size_t size, uint64_t n)
{
    uint8_t *at = arena_alloc(arena, 8);

    store_be64(at, n);
    return bytes_of(at + 8 - size, size);
}

/* ---- commands ---- */

static int64_t draw_time(void)
{
    return below(5) ? TIMESTAMP_SERVER : 5 + below(3);
}

static void set_cell(struct table_fragment *fragment, struct cell cell)
{
    fragment->row.cells = arena_new_struct(arena, struct cell);
    fragment->row.cells[0] = cell;
    fragment->row.cell_count = 1;
}

/* An element of the list is added, or the list is looked at. */
static void draw_list(struct table_fragment *fragment)
{
    struct cell cell = bed_cell(BED_LIST, TIMESTAMP_SERVER, number(4, below(4)));
    uint8_t *path = arena_zalloc(arena, 16), *packed = arena_zalloc(arena, 12);

    store_be64(path, random_state);
    store_be32(packed, 1);
    store_be32(packed + 4, 4);
    store_be32(packed + 8, below(4));
    cell.path = bytes_of(path, 16);
    fragment->has_places = below(2);
    if (fragment->has_places && below(2)) {
        cell.path = place_path(arena, 0, PLACE_SET, number(4, 0));
    } else if (fragment->has_places) {
        cell.path = place_path(arena, 0, PLACE_DISCARD, bytes_of("", 0));
        cell.kind = CELL_TOMBSTONE;
        cell.local_s = 1000000000;
        cell.value = (struct bytes){ 0 };
        cell.path_value = bytes_of(packed, 12);
    }
    set_cell(fragment, cell);
}

static struct table_fragment draw_deletion(void)
{
    struct table_fragment fragment = { .kind = KEY_RANGE, .row = ROW_EMPTY };
    uint32_t from = below(ROWS), to = from + below(ROWS - from);

    fragment.row.deletion = (struct deletion){ draw_time(), 1000000000 };
    switch (below(6)) {
    case 0: fragment.kind = KEY_PARTITION; break;
    case 1:
        fragment.kind = KEY_ROW;
        fragment.clustering = letter(from);
        break;
    default:
        fragment.clustering = letter(from);
        fragment.clustering_end = letter(to);
        fragment.start_inclusive = fragment.end_inclusive = true;
    }
    return fragment;
}

static struct table_fragment draw_fragment(bool counts)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = letter(below(ROWS)), .row = ROW_EMPTY };
    struct cell cell = bed_cell(BED_VALUE, draw_time(), number(8, below(100)));

    if (below(3) == 0)
        return draw_deletion();
    if (counts) {
        cell.kind = CELL_COUNTER;
        cell.timestamp_us = TIMESTAMP_SERVER;
        set_cell(&fragment, cell);
    } else if (below(4) == 0) {
        draw_list(&fragment);
    } else {
        fragment.row.liveness.timestamp_us = cell.timestamp_us;
        set_cell(&fragment, cell);
    }
    return fragment;
}

/* Of one command all timestamps are of one sort in a fragment, and a list is looked at once. */
static struct apply_command draw_apply(uint32_t key)
{
    uint32_t count = 1 + below(FRAGMENTS_MAX);
    struct table_fragment *fragments = arena_new_array(arena, struct table_fragment, count);
    struct bytes bytes = number(4, key);

    for (uint32_t i = 0; i < count; i++)
        fragments[i] = draw_fragment(key == COUNTED);
    return (struct apply_command){ .table_id = BED_TABLE,
                                   .partition_key = bytes,
                                   .token = token_of_partition_key(bytes),
                                   .fragments = fragments,
                                   .fragment_count = count,
                                   .now_s = 1000000000,
                                   .durable = true };
}

static int64_t draw_command(struct buffer *out)
{
    struct apply_command apply;
    uint32_t kind = below(4);

    if (kind == 0) {
        apply = draw_apply(COUNTED);
        if (below(2)) {
            table_encode_add(out, &apply);
            return apply.token;
        }
        table_group_add_numbers(out, &apply);
        apply = draw_apply(COUNTED);
        table_group_add_numbers(out, &apply);
        return apply.token;
    }
    apply = draw_apply(below(KEYS));
    if (kind == 1) {
        struct cas_part part = { .clustering = letter(below(ROWS)),
                                 .kind = below(2) ? CAS_IF_EXISTS : CAS_IF_NOT_EXISTS };

        table_encode_cas(out, &(struct cas_command){ &part, 1, apply });
    } else if (kind == 2) {
        struct apply_command other = draw_apply(load_be32(apply.partition_key.data));

        table_group_add(out, &apply);
        table_group_add(out, &other);
    } else {
        table_encode_apply(out, &apply);
    }
    return apply.token;
}

static void on_done(struct table_request *request)
{
}

struct outcome {
    enum status status;
    bool applied;
    char words[200];
};

static struct outcome run(struct table_port *port, struct bytes command, int64_t token)
{
    struct error err = { 0 };
    struct table_request request = {
        .command = command, .token = token, .done = on_done, .error = &err, .arena = arena
    };
    struct outcome outcome = { 0 };

    bed_must(table_submit(port, &request, &err), &err);
    table_port_flush(port);
    while (table_port_pending(port)) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        assert_int_equal(poll(&fd, 1, 30000), 1);
        table_port_reap(port);
        table_port_flush(port);
    }
    outcome.status = request.status;
    outcome.applied = request.applied;
    if (request.status)
        snprintf(outcome.words, sizeof(outcome.words), "%.199s", err.message);
    return outcome;
}

/* ---- what is there afterwards, without times ---- */

static void print_row(struct buffer *out, const struct row *row)
{
    buffer_append_string(out, row->liveness.timestamp_us == TIMESTAMP_NONE ? " " : " marked ");
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];

        buffer_append_be32(out, cell->column_id);
        buffer_append_bytes(out, cell->path);
        if (cell->kind == CELL_COUNTER)
            buffer_append_be64(out, (uint64_t)counter_total(cell->value));
        else
            buffer_append_bytes(out, cell->value);
    }
}

static void print_key(struct buffer *out, struct table_port *port, uint32_t key)
{
    struct read_command command = bed_read(number(4, key));
    struct read_result result;
    struct error err;

    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    for (uint32_t p = 0; p < result.partition_count; p++) {
        const struct read_partition *partition = &result.partitions[p];

        for (uint32_t i = 0; i < partition->row_count; i++) {
            buffer_append_bytes(out, partition->rows[i].clustering);
            print_row(out, partition->rows[i].row);
        }
    }
}

static void compare_all(void)
{
    for (uint32_t key = 0; key <= COUNTED; key++) {
        struct buffer got[2] = { 0 };

        print_key(&got[0], ports[0], key);
        print_key(&got[1], ports[1], key);
        assert_int_equal(got[0].size, got[1].size);
        if (got[0].size)
            assert_memory_equal(got[0].data, got[1].data, got[0].size);
        buffer_fini(&got[0]);
        buffer_fini(&got[1]);
    }
}

static void begin(void)
{
    reluctant = store_memory_ops;
    reluctant.get = get;
    reluctant.scan_open = scan_open;
    list_column = (struct column_def){ .id = BED_LIST,
                                       .kind = COLUMN_REGULAR,
                                       .multicell = true,
                                       .type = type_list(arena, type_native(TYPE_INT), false) };
    for (int i = 0; i < 2; i++) {
        bed_open(&beds[i]);
        beds[i].def.columns = &list_column;
        beds[i].def.column_count = 1;
        beds[i].def.index_by_id = index_by_id;
        beds[i].def.column_id_next = BED_LIST + 1;
        ports[i] = table_port_open(beds[i].space);
    }
}

static void end(void)
{
    for (int i = 0; i < 2; i++) {
        table_port_close(ports[i]);
        bed_close(&beds[i]);
    }
}

static void commands_that_run_again_do_the_same(void **state)
{
    uint32_t applied = 0, failed = 0;
    struct buffer command = { 0 };
    struct arena *types = arena_new(4096);

    for (uint32_t round = 0; round < ROUNDS; round++) {
        arena = types;
        begin();
        arena = arena_new(4096);
        for (uint32_t i = 0; i < COMMANDS; i++) {
            struct outcome outcomes[2];
            struct bytes copy;
            int64_t token;

            buffer_reset(&command);
            token = draw_command(&command);
            copy = arena_copy(arena, buffer_bytes(&command));
            for (int b = 0; b < 2; b++)
                outcomes[b] = run(ports[b], buffer_bytes(&command), token);
            assert_true(bytes_equal(copy, buffer_bytes(&command)));
            assert_int_equal(outcomes[0].status, outcomes[1].status);
            assert_string_equal(outcomes[0].words, outcomes[1].words);
            assert_int_equal(outcomes[0].applied, outcomes[1].applied);
            applied += outcomes[0].applied && !outcomes[0].status;
            failed += outcomes[0].status != OK;
            compare_all();
        }
        arena_free(arena);
        end();
    }
    arena_free(types);
    buffer_fini(&command);
    assert_true(applied > ROUNDS * COMMANDS / 3 && failed);
    assert_true(atomic_load(&refused) > ROUNDS * COMMANDS / 2);
}

/* All rows are being written until the first of them is looked up, which is refused. */
static bool is_being_written;

static enum status get_while_written(struct store *store, enum store_family family, struct bytes key,
                                     const struct store_read_options *options, struct store_value *value,
                                     struct error *err)
{
    if (!is_being_written)
        return store_memory_ops.get(store, family, key, options, value, err);
    is_being_written = false;
    versions_end_all(&beds[1].space->shards[0].versions);
    return error_set(err, ERR_WOULD_WAIT, "not now");
}

static void a_read_that_begins_again_forgets_its_error(void **state)
{
    struct slice row = { BYTES_LITERAL("a"), BYTES_LITERAL("a"), true, true };
    struct read_command command;
    struct read_result result;
    struct error err = { 0 };

    beds[0].shards = beds[1].shards = 1;
    arena = arena_new(4096);
    begin();
    reluctant.get = get_while_written;
    command = bed_read(number(4, 1));
    command.slices = &row;
    command.slice_count = 1;
    command.slices_are_rows = true;
    is_being_written = true;
    versions_begin_all(&beds[1].space->shards[0].versions);
    assert_int_equal(table_read(ports[1], &command, false, arena, &result, &err), OK);
    assert_false(is_being_written);
    assert_int_equal(err.status, OK);
    end();
    arena_free(arena);
    beds[0].shards = beds[1].shards = 2;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_that_run_again_do_the_same),
        cmocka_unit_test(a_read_that_begins_again_forgets_its_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
