/* A row that an owner keeps in mind is what a reader sees: after random operations on its lists, deletions of all kinds, old timestamps,
 * expiring elements and refused commands, each beside others in one turn. And the store is not asked for it again: bytes are counted.
 */
#include "row/place.h"
#include "table/bed.h"
#include "table/kept.h"
#include "table/shard.h"

#include <poll.h>

enum { BED_LIST = 4, ELEMENTS = 300, ROUNDS = 12, TURNS = 150, TURN_COMMANDS = 5, DROPPED_US = 10 };

static struct table_bed bed = { .shards = 1 };
static struct store_ops counting;
static const struct store_ops *counted;
static _Atomic uint64_t read_bytes;
static struct table_port *port;
static struct arena *arena;
static uint64_t random_state = 3;
static uint32_t kept_count;

static enum status count_and_get(struct store *store, enum store_family family, struct bytes key,
                                 const struct store_read_options *options, struct store_value *value, struct error *err)
{
    enum status status = counted->get(store, family, key, options, value, err);

    if (!status)
        atomic_fetch_add(&read_bytes, value->bytes.size);
    return status;
}

static uint32_t below(uint32_t n)
{
    return bed_below(&random_state, n);
}

static struct bytes number(size_t size, uint64_t n)
{
    uint8_t *at = arena_alloc(arena, 8);

    store_be64(at, n);
    return bytes_of(at + 8 - size, size);
}

static struct bytes path_at(uint64_t n)
{
    uint8_t *path = arena_zalloc(arena, 16);

    store_be64(path, n);
    return bytes_of(path, 16);
}

static struct cell element(uint64_t at, int64_t timestamp_us)
{
    struct cell cell = bed_cell(BED_LIST, timestamp_us, number(4, below(50)));

    cell.path = path_at(at);
    return cell;
}

static void begin(struct arena *types, bool came_back)
{
    static struct dropped_column dropped = { .id = BED_LIST, .dropped_us = DROPPED_US };
    static struct column_def column;
    static uint32_t index_by_id[BED_LIST + 1] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0 };
    column = (struct column_def){ .id = BED_LIST,
                                  .type = type_list(types, type_native(TYPE_INT), false),
                                  .multicell = true,
                                  .hidden_until_us = came_back ? DROPPED_US : TIMESTAMP_NONE };
    bed_open(&bed);
    bed.def.columns = &column;
    bed.def.column_count = 1;
    bed.def.dropped = &dropped;
    bed.def.dropped_count = came_back;
    bed.def.index_by_id = index_by_id;
    bed.def.column_id_next = BED_LIST + 1;
    port = table_port_open(bed.space);
}

static void end(void)
{
    table_port_close(port);
    bed_close(&bed);
}

/* ---- commands ---- */

struct command {
    struct table_request request;
    struct buffer bytes;
    struct error err;
};

static void on_done(struct table_request *request)
{
}

static void submit(struct command *command, const struct table_fragment *fragments, uint32_t count)
{
    struct error err;

    command->request = (struct table_request){ .done = on_done, .error = &command->err, .arena = arena };
    command->request.token = bed_encode(&command->bytes, BYTES_LITERAL("p"), fragments, count);
    command->request.command = buffer_bytes(&command->bytes);
    bed_must(table_submit(port, &command->request, &err), &err);
}

static void submit_if_exists(struct command *command, bool is_static, const struct table_fragment *fragment)
{
    struct bytes partition = BYTES_LITERAL("p");
    struct cas_part part = { .kind = CAS_IF_EXISTS, .is_static = is_static, .clustering = fragment->clustering };
    struct apply_command apply = { .table_id = BED_TABLE,
                                   .partition_key = partition,
                                   .token = token_of_partition_key(partition),
                                   .fragments = fragment,
                                   .fragment_count = 1,
                                   .now_s = 1000000000,
                                   .durable = true };
    struct error err;

    table_encode_cas(&command->bytes, &(struct cas_command){ &part, 1, apply });
    command->request = (struct table_request){ .done = on_done, .error = &command->err, .arena = arena };
    command->request.token = apply.token;
    command->request.command = buffer_bytes(&command->bytes);
    bed_must(table_submit(port, &command->request, &err), &err);
}

static void wait_for_all(void)
{
    table_port_flush(port);
    while (table_port_pending(port)) {
        struct pollfd fd = { .fd = table_port_fd(port), .events = POLLIN };

        assert_int_equal(poll(&fd, 1, 30000), 1);
        table_port_reap(port);
        table_port_flush(port);
    }
}

static void set_cells(struct table_fragment *fragment, const struct cell *cells, uint32_t count)
{
    fragment->row.cells = arena_alloc(arena, sizeof(*cells) * count);
    memcpy(fragment->row.cells, cells, sizeof(*cells) * count);
    fragment->row.cell_count = count;
}

static struct table_fragment row_fragment(bool is_static)
{
    return (struct table_fragment){ .kind = is_static ? KEY_PARTITION : KEY_ROW,
                                    .clustering = is_static ? (struct bytes){ 0 } : BYTES_LITERAL("c"),
                                    .row = ROW_EMPTY };
}

static void fill(bool is_static)
{
    struct table_fragment fragment = row_fragment(is_static);
    struct cell cells[ELEMENTS];
    struct command command = { 0 };

    for (uint32_t i = 0; i < ELEMENTS; i++)
        cells[i] = element((uint64_t)i << 32, TIMESTAMP_SERVER);
    set_cells(&fragment, cells, ELEMENTS);
    submit(&command, &fragment, 1);
    wait_for_all();
    buffer_fini(&command.bytes);
}

static int64_t draw_time(void)
{
    return below(8) ? TIMESTAMP_SERVER : atomic_load(&bed.clock_us) - 5 + below(10);
}

static void draw_place(struct table_fragment *fragment)
{
    struct cell cells[2];
    uint32_t count = 1 + below(2);
    int64_t time_us = draw_time();

    fragment->has_places = true;
    for (uint32_t i = 0; i < count; i++) {
        bool deletes = below(4) == 0;

        cells[i] = element(0, time_us);
        cells[i].path = place_path(arena, i, deletes ? PLACE_DELETE : PLACE_SET, number(4, below(ELEMENTS + 5)));
        if (deletes) {
            cells[i].kind = CELL_TOMBSTONE;
            cells[i].local_s = 1000000000;
            cells[i].value = (struct bytes){ 0 };
        } else if (below(150) == 0) {
            cells[i].kind = CELL_EXPIRING;
            cells[i].ttl_s = 1000;
            cells[i].local_s = 1000001000;
        }
    }
    set_cells(fragment, cells, count);
}

static struct table_fragment draw_fragment(bool is_static)
{
    struct table_fragment fragment = row_fragment(is_static);
    struct cell cell;

    switch (below(24)) {
    case 0:
        fragment = (struct table_fragment){ .kind = below(2) ? KEY_RANGE : KEY_PARTITION, .row = ROW_EMPTY };
        fragment.row.deletion = (struct deletion){ below(8) ? 5 : draw_time(), 1000000000 };
        break;
    case 1: /* of the whole row, or the list */
        if (below(2) || is_static) {
            fragment.row.complexes = arena_new_struct(arena, struct complex_deletion);
            fragment.row.complexes[0] =
                (struct complex_deletion){ BED_LIST, { below(8) ? 5 : draw_time(), 1000000000 } };
            fragment.row.complex_count = 1;
        } else {
            fragment.row.deletion = (struct deletion){ below(8) ? 5 : draw_time(), 1000000000 };
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5: /* an element anywhere, perhaps one that was there */
        cell = element((uint64_t)below(2 * ELEMENTS) << 31, draw_time());
        set_cells(&fragment, &cell, 1);
        break;
    case 6:
        fragment.row.liveness.timestamp_us = is_static ? TIMESTAMP_NONE : draw_time();
        cell = element(1, fragment.row.liveness.timestamp_us);
        if (!is_static)
            set_cells(&fragment, &cell, 1);
        else
            draw_place(&fragment);
        break;
    default: draw_place(&fragment);
    }
    return fragment;
}

/* ---- what is kept, and what is there ---- */

static const struct row *read_row(bool is_static)
{
    struct read_command command = bed_read(BYTES_LITERAL("p"));
    struct read_result result;
    struct error err;

    command.def = &bed.def;
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    if (!result.partition_count)
        return NULL;
    if (is_static)
        return result.partitions[0].static_row;
    return result.partitions[0].row_count ? result.partitions[0].rows[0].row : NULL;
}

static const struct kept_row_view *find_kept(bool is_static)
{
    struct bytes partition = BYTES_LITERAL("p");
    struct buffer key CLEANUP(buffer_fini) = { 0 };

    key_encode_partition(&key, BED_TABLE, token_of_partition_key(partition), partition);
    buffer_append_u8(&key, is_static ? KEY_PARTITION : KEY_ROW);
    if (!is_static)
        buffer_append_bytes(&key, BYTES_LITERAL("c"));
    return kept_rows_find(bed.space->shards[0].kept, buffer_bytes(&key), bed.def.version); /* the owner sleeps */
}

static void check(bool is_static)
{
    const struct row *kept, *row = read_row(is_static);
    const struct kept_row_view *view = find_kept(is_static);

    if (!view)
        return;
    kept_count++;
    kept = view->live;
    assert_int_equal(kept != NULL, row != NULL);
    if (!kept)
        return;
    assert_int_equal(kept->cell_count, row->cell_count);
    assert_int_equal(kept->liveness.timestamp_us, row->liveness.timestamp_us);
    for (uint32_t i = 0; i < kept->cell_count; i++) {
        assert_true(bytes_equal(kept->cells[i].path, row->cells[i].path));
        assert_true(bytes_equal(kept->cells[i].value, row->cells[i].value));
        assert_int_equal(kept->cells[i].timestamp_us, row->cells[i].timestamp_us);
        assert_int_equal(kept->cells[i].kind, row->cells[i].kind);
    }
}

static void go_on(bool is_static)
{
    struct command commands[TURN_COMMANDS] = { 0 };

    for (uint32_t turn = 0; turn < TURNS; turn++) {
        arena_reset(arena);
        if (turn % 10 == 0)
            fill(is_static);
        for (uint32_t i = 0; i < TURN_COMMANDS; i++) {
            struct table_fragment fragments[2] = { draw_fragment(is_static), draw_fragment(is_static) };

            /* Refused: an index beyond the end, after something was added or not. */
            if (below(5) == 0 && fragments[0].kind == (is_static ? KEY_PARTITION : KEY_ROW))
                submit_if_exists(&commands[i], is_static, &fragments[0]);
            else
                submit(&commands[i], fragments, 1 + below(2));
        }
        wait_for_all();
        for (uint32_t i = 0; i < TURN_COMMANDS; i++)
            buffer_reset(&commands[i].bytes);
        check(is_static);
    }
    for (uint32_t i = 0; i < TURN_COMMANDS; i++)
        buffer_fini(&commands[i].bytes);
}

static void what_is_kept_is_what_is_read(void **state)
{
    kept_count = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct arena *types = arena_new(4096);

        arena = arena_new(1 << 16);
        begin(types, false);
        go_on(round % 2);
        end();
        arena_free(arena);
        arena_free(types);
    }
    assert_in_range(kept_count, ROUNDS * TURNS / 3, ROUNDS * TURNS);
}

/* What the store gives for so many writes of an element into a large row, by its place or if the row exists. */
static uint64_t bytes_read_for_elements(bool by_place)
{
    enum { WRITES = 500 };
    struct arena *types = arena_new(4096);
    struct command command = { 0 };

    arena = arena_new(1 << 16);
    begin(types, false);
    fill(false);
    atomic_store(&read_bytes, 0);
    for (uint32_t i = 0; i < WRITES; i++) {
        struct table_fragment fragment = row_fragment(false);
        struct cell cell = element((uint64_t)(i % ELEMENTS) << 32, TIMESTAMP_SERVER);

        if (by_place)
            cell.path = place_path(arena, 0, PLACE_SET, number(4, i % ELEMENTS));
        fragment.has_places = by_place;
        set_cells(&fragment, &cell, 1);
        buffer_reset(&command.bytes);
        if (by_place)
            submit(&command, &fragment, 1);
        else
            submit_if_exists(&command, false, &fragment);
        wait_for_all();
        bed_must(command.request.status, &command.err);
        assert_true(command.request.applied);
    }
    buffer_fini(&command.bytes);
    end();
    arena_free(arena);
    arena_free(types);
    return atomic_load(&read_bytes) / (WRITES * 60);
}

/* Folding reads too, but only after as many bytes were written. */
static void a_row_is_not_read_for_every_place_or_condition(void **state)
{
    assert_in_range(bytes_read_for_elements(true), 0, 8);
    assert_in_range(bytes_read_for_elements(false), 0, 8);
}

/* However much is written over it. */
static void a_row_stays_kept(void **state)
{
    enum { WRITES = 8 * ELEMENTS };
    struct arena *types = arena_new(4096);
    struct command command = { 0 };

    arena = arena_new(1 << 16);
    begin(types, false);
    fill(false);
    for (uint32_t i = 0; i < WRITES; i++) {
        struct table_fragment fragment = row_fragment(false);
        struct cell cell = element(0, TIMESTAMP_SERVER);

        cell.path = place_path(arena, 0, PLACE_SET, number(4, i % ELEMENTS));
        fragment.has_places = true;
        set_cells(&fragment, &cell, 1);
        buffer_reset(&command.bytes);
        submit(&command, &fragment, 1);
        wait_for_all();
        assert_non_null(find_kept(false));
    }
    check(false);
    buffer_fini(&command.bytes);
    end();
    arena_free(arena);
    arena_free(types);
}

/* The list was dropped USING TIMESTAMP and came back: cells that are no newer are not seen. */
static void what_came_before_a_drop_is_not_kept(void **state)
{
    struct arena *types = arena_new(4096);
    struct command commands[2] = { 0 };
    struct table_fragment place = row_fragment(false), old = row_fragment(false);
    struct cell cell;

    arena = arena_new(1 << 16);
    begin(types, true);
    fill(false);
    cell = element(0, TIMESTAMP_SERVER);
    cell.path = place_path(arena, 0, PLACE_SET, number(4, 0));
    place.has_places = true;
    set_cells(&place, &cell, 1);
    cell = element((uint64_t)ELEMENTS << 32, DROPPED_US);
    set_cells(&old, &cell, 1);
    submit(&commands[0], &place, 1);
    submit(&commands[1], &old, 1);
    wait_for_all();
    check(false);
    buffer_fini(&commands[0].bytes);
    buffer_fini(&commands[1].bytes);
    end();
    arena_free(arena);
    arena_free(types);
}

static int run(const char *name, const struct store_ops *engine)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_kept_is_what_is_read),
                                        cmocka_unit_test(a_row_is_not_read_for_every_place_or_condition),
                                        cmocka_unit_test(a_row_stays_kept),
                                        cmocka_unit_test(what_came_before_a_drop_is_not_kept) };

    counted = engine;
    counting = *engine;
    counting.get = count_and_get;
    bed.engine = &counting;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    return run("memory", &store_memory_ops) + run("rocksdb", &store_rocksdb_ops);
}
