/* Reads against a model: random writes, row, range, partition and static deletions with random timestamps into a few partitions, then
 * random slices (several, prefixes, both ways), limits and scans, paged to the end, must give what the model says.
 */
#include "table/bed.h"
#include "table/shard.h"

enum { PARTITIONS = 4, SIDE = 7, ROWS = SIDE * SIDE, OPS_MAX = 400, ROUNDS = 60, READS = 60 };

static struct table_bed bed;
static struct table_port *port;
static struct arena *arena;
static uint64_t random_state;

/* Components that make prefix successors work hard. */
static const uint8_t components[SIDE] = { 0x00, 0x01, 0x40, 0x7F, 0x80, 0xFE, 0xFF };

static uint32_t below(uint32_t n)
{
    return bed_below(&random_state, n);
}

static struct bytes key_of(int partition)
{
    static uint8_t keys[PARTITIONS][3];

    keys[partition][0] = (uint8_t)partition; /* 00 bytes in it, one key a prefix of nothing */
    return bytes_of(keys[partition], 1 + (size_t)partition % 3);
}

static struct bytes clustering_of(int row)
{
    static uint8_t space[ROWS][2];

    space[row][0] = components[row / SIDE];
    space[row][1] = components[row % SIDE];
    return bytes_of(space[row], 2);
}

/* A bound: nothing, the first component, or both. */
static struct bytes draw_bound(void)
{
    int row = (int)below(ROWS);

    return bytes_of(clustering_of(row).data, below(3));
}

/* ---- the model ---- */

struct model {
    int64_t partition_us; /* deletion */
    int64_t static_us;    /* 0: none */
    char static_value[8];
    struct {
        int64_t written_us, deleted_us;
        char value[8];
        bool live;
    } rows[ROWS];
};
static struct model models[PARTITIONS];

static bool starts_with(struct bytes c, struct bytes bound)
{
    return bound.size && bytes_starts_with(c, bound);
}

static bool inside(struct bytes c, const struct slice *slice)
{
    if (slice->start.size &&
        (starts_with(c, slice->start) ? !slice->start_inclusive : bytes_compare(c, slice->start) < 0))
        return false;
    if (slice->end.size && (starts_with(c, slice->end) ? !slice->end_inclusive : bytes_compare(c, slice->end) > 0))
        return false;
    return true;
}

static bool visible(const struct model *m, int row)
{
    int64_t deleted_us = m->rows[row].deleted_us > m->partition_us ? m->rows[row].deleted_us : m->partition_us;

    return m->rows[row].live && m->rows[row].written_us > deleted_us;
}

static bool has_static(const struct model *m)
{
    return m->static_us > m->partition_us;
}

/* ---- writing both ---- */

static void write_row(int p, int row, int64_t us)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering_of(row), .row = ROW_EMPTY };
    char value[8];
    struct cell cell;
    struct error err;

    snprintf(value, sizeof(value), "%d", (int)us);
    cell = bed_cell(BED_VALUE, us, bytes_of_string(value));
    fragment.row.liveness = (struct liveness){ us, TTL_NONE, TIME_NONE };
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    bed_must(bed_apply(port, key_of(p), &fragment, &err), &err);
    if (!models[p].rows[row].live || us > models[p].rows[row].written_us) {
        models[p].rows[row].written_us = us;
        memcpy(models[p].rows[row].value, value, sizeof(value));
    }
    models[p].rows[row].live = true;
}

static void write_static(int p, int64_t us)
{
    struct table_fragment fragment = { .kind = KEY_PARTITION, .row = ROW_EMPTY };
    char value[8];
    struct cell cell;
    struct error err;

    snprintf(value, sizeof(value), "%d", (int)us);
    cell = bed_cell(BED_STATIC, us, bytes_of_string(value));
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    bed_must(bed_apply(port, key_of(p), &fragment, &err), &err);
    if (us > models[p].static_us) {
        models[p].static_us = us;
        memcpy(models[p].static_value, value, sizeof(value));
    }
}

static void delete_something(int p, int64_t us)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .row = ROW_EMPTY };
    struct slice slice = { draw_bound(), draw_bound(), below(2), below(2) };
    struct error err;
    int row = (int)below(ROWS);

    fragment.row.deletion = (struct deletion){ us, 999999999 };
    switch (below(12)) {
    case 0:
        fragment.kind = KEY_PARTITION;
        models[p].partition_us = us > models[p].partition_us ? us : models[p].partition_us;
        break;
    case 1:
    case 2:
        fragment.clustering = clustering_of(row);
        models[p].rows[row].deleted_us = us > models[p].rows[row].deleted_us ? us : models[p].rows[row].deleted_us;
        break;
    default:
        fragment.kind = KEY_RANGE;
        fragment.clustering = slice.start;
        fragment.clustering_end = slice.end;
        fragment.start_inclusive = slice.start_inclusive;
        fragment.end_inclusive = slice.end_inclusive;
        for (row = 0; row < ROWS; row++)
            if (inside(clustering_of(row), &slice) && us > models[p].rows[row].deleted_us)
                models[p].rows[row].deleted_us = us;
        break;
    }
    bed_must(bed_apply(port, key_of(p), &fragment, &err), &err);
}

static void write_at_random(void)
{
    uint32_t count = below(OPS_MAX);

    memset(models, 0, sizeof(models));
    for (uint32_t i = 0; i < count; i++) {
        int p = (int)below(PARTITIONS);
        int64_t us = 1 + below(500);

        if (below(5))
            write_row(p, (int)below(ROWS), us);
        else if (!below(4))
            write_static(p, us);
        else
            delete_something(p, us);
    }
}

/* ---- reading both ---- */

struct request {
    int partition; /* -1: scan */
    struct slice slices[4];
    uint32_t slice_count;
    bool reversed, rows_wanted, are_rows;
};

static void expect(struct buffer *out, const struct request *request, int p)
{
    const struct model *m = &models[p];
    bool any = false;
    size_t start = out->size;

    for (int i = 0; i < ROWS; i++) {
        int row = request->reversed ? ROWS - 1 - i : i;
        bool wanted = !request->slice_count;

        for (uint32_t s = 0; s < request->slice_count; s++)
            wanted |= inside(clustering_of(row), &request->slices[s]);
        if (!wanted || !visible(m, row))
            continue;
        any = true;
        if (request->rows_wanted)
            buffer_printf(out, "%d:%d=%s/%s ", p, row, m->rows[row].value, has_static(m) ? m->static_value : "-");
    }
    if (out->size == start && (any || has_static(m)))
        buffer_printf(out, "%d:s/%s ", p, has_static(m) ? m->static_value : "-");
}

static int partition_of(struct bytes key)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (bytes_equal(key, key_of(p)))
            return p;
    fail();
    return -1;
}

static int row_of(struct bytes clustering)
{
    for (int row = 0; row < ROWS; row++)
        if (bytes_equal(clustering, clustering_of(row)))
            return row;
    fail();
    return -1;
}

static void print(struct buffer *out, const struct read_partition *partition)
{
    int p = partition_of(partition->partition_key);
    struct bytes fixed = partition->static_row ? partition->static_row->cells[0].value : BYTES_LITERAL("-");

    for (uint32_t i = 0; i < partition->row_count; i++) {
        /* A row whose cell was older than its liveness can't be: both are written at once. */
        struct bytes value = partition->rows[i].row->cells[0].value;

        buffer_printf(out, "%d:%d=%.*s/%.*s ", p, row_of(partition->rows[i].clustering), BYTES(value), BYTES(fixed));
    }
    if (!partition->row_count)
        buffer_printf(out, "%d:s/%.*s ", p, BYTES(fixed));
}

/* Reads page by page, as query/ does, until there is no more. */
static void read_all(struct buffer *out, struct read_command command)
{
    bool scan = bytes_is_null(command.partition_key);

    for (int pages = 0;; pages++) {
        struct read_result result;
        const struct read_partition *last;
        struct error err;

        assert_in_range(pages, 0, 1000);
        bed_must(table_read(port, &command, true, arena, &result, &err), &err);
        for (uint32_t p = 0; p < result.partition_count; p++)
            print(out, &result.partitions[p]);
        if (!result.has_more)
            return;
        last = &result.partitions[result.partition_count - 1];
        if (scan) {
            command.token = last->token;
            command.after_partition = last->partition_key;
            command.after_partition_inclusive = last->row_count > 0;
        } else if (!last->row_count) {
            return;
        }
        command.after_static = true;
        command.after_clustering = last->row_count ? last->rows[last->row_count - 1].clustering : (struct bytes){ 0 };
    }
}

static int by_start(const void *a, const void *b)
{
    return bytes_compare(((const struct slice *)a)->start, ((const struct slice *)b)->start);
}

static struct request draw_request(void)
{
    struct request request = { .partition = below(3) ? (int)below(PARTITIONS) : -1, .rows_wanted = below(8) > 0 };
    uint32_t count = below(5);

    request.reversed = request.partition >= 0 && below(2);
    if (request.partition >= 0 && !below(3)) {
        request.are_rows = true;
        for (uint32_t i = 0; i < count; i++) {
            struct bytes c = clustering_of((int)below(ROWS));

            request.slices[request.slice_count++] = (struct slice){ c, c, true, true };
        }
    } else if (!below(3)) {
        request.slices[request.slice_count++] = (struct slice){ draw_bound(), draw_bound(), below(2), below(2) };
    } else {
        /* Several, disjoint: each one first component. */
        for (uint32_t i = 0; i < count; i++) {
            struct bytes c = bytes_of(clustering_of((int)below(ROWS)).data, 1);

            request.slices[request.slice_count++] = (struct slice){ c, c, true, true };
        }
    }
    qsort(request.slices, request.slice_count, sizeof(*request.slices), by_start);
    for (uint32_t i = 1; i < request.slice_count;) {
        if (bytes_equal(request.slices[i - 1].start, request.slices[i].start))
            memmove(&request.slices[i], &request.slices[i + 1], sizeof(*request.slices) * (--request.slice_count - i));
        else
            i++;
    }
    if (!request.slice_count)
        request.are_rows = false;
    return request;
}

static void read_at_random(void)
{
    struct request request = draw_request();
    struct read_command command = {
        .table_id = BED_TABLE, .token = INT64_MIN, .token_last = INT64_MAX, .now_s = 1000000000
    };
    struct buffer want = { 0 }, got = { 0 };
    int order[PARTITIONS];

    command.slices = request.slice_count ? request.slices : NULL;
    command.slice_count = request.slice_count;
    command.slices_are_rows = request.are_rows;
    command.reversed = request.reversed;
    command.rows_wanted = request.rows_wanted;
    command.static_wanted = true;
    command.row_limit = below(2) ? 1 + below(8) : 100000;
    command.byte_limit = below(2) ? 0 : 1 + below(50);
    if (request.partition >= 0) {
        command.partition_key = key_of(request.partition);
        command.token = token_of_partition_key(command.partition_key);
        expect(&want, &request, request.partition);
    } else {
        for (int i = 0; i < PARTITIONS; i++) {
            int at = i;

            for (; at && token_of_partition_key(key_of(order[at - 1])) > token_of_partition_key(key_of(i)); at--)
                order[at] = order[at - 1];
            order[at] = i;
        }
        for (int i = 0; i < PARTITIONS; i++)
            expect(&want, &request, order[i]);
    }
    read_all(&got, command);
    buffer_append_u8(&want, 0);
    buffer_append_u8(&got, 0);
    assert_string_equal((char *)got.data, (char *)want.data);
    buffer_fini(&want);
    buffer_fini(&got);
}

static void reads_are_the_models(void **state)
{
    struct error err;

    arena = arena_new(1 << 16);
    random_state = 20240607;
    for (int round = 0; round < (bed.engine == &store_memory_ops ? ROUNDS : ROUNDS / 4); round++) {
        bed_open(&bed);
        port = table_port_open(bed.space);
        write_at_random();
        if (below(2))
            bed_must(table_flush(bed.space, &err), &err);
        for (int i = 0; i < READS; i++) {
            arena_reset(arena);
            read_at_random();
        }
        bed_must(table_compact(bed.space, &err), &err);
        for (int i = 0; i < READS; i++) {
            arena_reset(arena);
            read_at_random();
        }
        table_port_close(port);
        bed_close(&bed);
    }
    arena_free(arena);
}

/* Per-partition limits, of scans and of one partition. */
static void limits_per_partition_hold(void **state)
{
    struct read_command command = { .table_id = BED_TABLE,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .now_s = 1000000000,
                                    .rows_wanted = true,
                                    .row_limit = 1000,
                                    .row_limit_per_partition = 2 };
    struct read_result result;
    struct error err;

    arena = arena_new(1 << 16);
    bed_open(&bed);
    port = table_port_open(bed.space);
    memset(models, 0, sizeof(models));
    for (int p = 0; p < PARTITIONS; p++)
        for (int row = 0; row <= p; row++)
            write_row(p, row, 10);
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.partition_count, PARTITIONS);
    assert_false(result.has_more);
    for (uint32_t i = 0; i < result.partition_count; i++)
        assert_int_equal(result.partitions[i].row_count, partition_of(result.partitions[i].partition_key) ? 2 : 1);
    command.row_limit = 0;
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    assert_int_equal(result.partition_count, 0);
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
}

/* Tens of thousands of overlapping range tombstones are read in bearable time, and are right. */
static void many_ranges_are_cut_into_segments(void **state)
{
    struct error err;
    struct read_command command = bed_read(BYTES_LITERAL("k"));
    struct read_result result;
    struct table_fragment *fragments = calloc(1000, sizeof(*fragments));
    static uint8_t bounds[20000][2][2];
    struct buffer out = { 0 };
    uint32_t alive = 0;

    arena = arena_new(1 << 16);
    random_state = 99;
    bed_open(&bed);
    port = table_port_open(bed.space);
    memset(models, 0, sizeof(models));
    for (int i = 0; i < 20000; i++) {
        struct slice slice = { bytes_of(bounds[i][0], 2), bytes_of(bounds[i][1], 2), true, true };
        struct table_fragment *fragment = &fragments[i % 1000];

        for (int b = 0; b < 4; b++)
            bounds[i][b / 2][b % 2] = (uint8_t)below(256);
        *fragment = (struct table_fragment){ .kind = KEY_RANGE,
                                             .clustering = slice.start,
                                             .clustering_end = slice.end,
                                             .start_inclusive = true,
                                             .end_inclusive = true,
                                             .row = ROW_EMPTY };
        fragment->row.deletion = (struct deletion){ 1 + below(1000), 999999999 };
        for (int row = 0; row < ROWS; row++)
            if (inside(clustering_of(row), &slice) &&
                fragment->row.deletion.timestamp_us > models[0].rows[row].deleted_us)
                models[0].rows[row].deleted_us = fragment->row.deletion.timestamp_us;
        if (i % 1000 == 999) {
            buffer_reset(&out);
            bed_encode(&out, BYTES_LITERAL("k"), fragments, 1000);
            bed_must(table_apply_wait(port, buffer_bytes(&out), command.token, &err), &err);
        }
    }
    for (int row = 0; row < ROWS; row++) {
        struct table_fragment fragment = { .kind = KEY_ROW, .clustering = clustering_of(row), .row = ROW_EMPTY };
        int64_t us = models[0].rows[row].deleted_us +
                     (row % 2 || !models[0].rows[row].deleted_us); /* every other one is just young enough */

        fragment.row.liveness = (struct liveness){ us, TTL_NONE, TIME_NONE };
        bed_must(bed_apply(port, BYTES_LITERAL("k"), &fragment, &err), &err);
        models[0].rows[row].live = us > models[0].rows[row].deleted_us;
    }
    bed_must(table_read(port, &command, true, arena, &result, &err), &err);
    for (int row = 0; row < ROWS; row++)
        if (models[0].rows[row].live)
            assert_int_equal(row_of(result.partitions[0].rows[alive++].clustering), row);
    assert_int_equal(result.partitions[0].row_count, alive);
    assert_in_range(alive, ROWS / 2, ROWS - ROWS / 4);
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
    buffer_fini(&out);
    free(fragments);
}

/* ---- what is read is one state ---- */

static struct store_ops meddling;
static const struct store_ops *below_ops;
static unsigned gets_until_write; /* the write comes behind this many lookups; 0: none */

static struct table_fragment value_of(enum key_kind kind, struct row row)
{
    return (struct table_fragment){ .kind = kind,
                                    .clustering = kind == KEY_ROW ? clustering_of(1) : bytes_of("", 0),
                                    .row = row };
}

/* In one batch: the partition is deleted, and the row gets another value. */
static void overwrite(void)
{
    struct cell cell = bed_cell(BED_VALUE, 30, BYTES_LITERAL("new"));
    struct table_fragment fragments[2] = { value_of(KEY_PARTITION, ROW_EMPTY), value_of(KEY_ROW, ROW_EMPTY) };
    struct buffer out = { 0 };
    struct error err;
    int64_t token;

    fragments[0].row.deletion = (struct deletion){ 20, 999999999 };
    fragments[1].row.cells = &cell;
    fragments[1].row.cell_count = 1;
    token = bed_encode(&out, BYTES_LITERAL("k"), fragments, 2);
    bed_must(table_apply_wait(port, buffer_bytes(&out), token, &err), &err);
    buffer_fini(&out);
}

static enum status get_and_meddle(struct store *store, enum store_family family, struct bytes key,
                                  const struct store_read_options *options, struct store_value *value,
                                  struct error *err)
{
    enum status status = below_ops->get(store, family, key, options, value, err);

    if (gets_until_write && !--gets_until_write)
        overwrite();
    return status;
}

/* Between the partition's record and its row everything is overwritten: the deletion and the new row are seen, or neither. */
static void a_read_sees_one_state(void **state)
{
    struct slice row = { clustering_of(1), clustering_of(1), true, true };
    struct read_result result;
    struct error err;

    below_ops = bed.engine;
    meddling = *below_ops;
    meddling.get = get_and_meddle;
    bed.engine = &meddling;
    for (int is_row = 0; is_row < 2; is_row++) {
        struct read_command command = bed_read(BYTES_LITERAL("k"));
        struct table_fragment old = value_of(KEY_ROW, ROW_EMPTY);

        arena = arena_new(1 << 12);
        bed_open(&bed);
        port = table_port_open(bed.space);
        old.row.liveness = (struct liveness){ 10, TTL_NONE, TIME_NONE };
        bed_must(bed_apply(port, BYTES_LITERAL("k"), &old, &err), &err);
        command.slices = &row;
        command.slice_count = 1;
        command.slices_are_rows = is_row;
        gets_until_write = 1;
        bed_must(table_read(port, &command, true, arena, &result, &err), &err);
        assert_int_equal(gets_until_write, 0);
        assert_int_equal(result.partition_count, 1);
        assert_int_equal(result.partitions[0].row_count, 1);
        /* The old row had no value and a liveness, the new one has a value and none. */
        const struct row *seen = result.partitions[0].rows[0].row;
        assert_int_equal(seen->cell_count == 1, seen->liveness.timestamp_us == TIMESTAMP_NONE);
        table_port_close(port);
        bed_close(&bed);
        arena_free(arena);
    }
    bed.engine = below_ops;
}

static void a_large_row_is_left_to_who_may_wait(void **state)
{
    static uint8_t bytes[200 << 10];

    arena = arena_new(1 << 16);
    bed.engine = &store_memory_ops;
    bed.shards = 1;
    bed_open(&bed);
    port = table_port_open(bed.space);
    for (int is_static = 0; is_static < 2; is_static++)
        for (int is_large = 0; is_large < 2; is_large++) {
            struct bytes key = is_static ? BYTES_LITERAL("s") : BYTES_LITERAL("r");
            struct read_command command = bed_read(key);
            struct cell cell = bed_cell(is_static ? BED_STATIC : BED_VALUE, 10 + is_large,
                                        bytes_of(bytes, is_large ? sizeof(bytes) : sizeof(bytes) / 2));
            struct table_fragment fragment = { .kind = is_static ? KEY_PARTITION : KEY_ROW, .row = ROW_EMPTY };
            struct read_result result;
            struct error err;

            if (!is_static)
                fragment.clustering = BYTES_LITERAL("c");
            fragment.row.cells = &cell;
            fragment.row.cell_count = 1;
            bed_must(bed_apply(port, key, &fragment, &err), &err);
            assert_int_equal(table_read(port, &command, false, arena, &result, &err), is_large ? ERR_WOULD_WAIT : OK);
            bed_must(table_read(port, &command, true, arena, &result, &err), &err);
            assert_int_equal(result.partition_count, 1);
            arena_reset(arena);
        }
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
}

static struct store_ops counting;
static uint64_t got_bytes;

static enum status count_and_get(struct store *store, enum store_family family, struct bytes key,
                                 const struct store_read_options *options, struct store_value *value, struct error *err)
{
    enum status status = store_memory_ops.get(store, family, key, options, value, err);

    if (!status)
        got_bytes += value->bytes.size;
    return status;
}

/* A loop that was told once that a row is large does not have it read again to hear the same; but it hears when it became small. */
static void a_large_row_is_not_read_to_be_left(void **state)
{
    static uint8_t bytes[200 << 10];
    struct slice only = { BYTES_LITERAL("c"), BYTES_LITERAL("c"), true, true };
    struct cell cell = bed_cell(BED_VALUE, 10, bytes_of(bytes, sizeof(bytes)));
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = ROW_EMPTY };
    struct read_command command = bed_read(BYTES_LITERAL("r"));
    enum status status = ERR_WOULD_WAIT;
    struct read_result result;
    struct error err;

    arena = arena_new(1 << 16);
    counting = store_memory_ops;
    counting.get = count_and_get;
    bed.engine = &counting;
    bed.shards = 1;
    bed_open(&bed);
    port = table_port_open(bed.space);
    command.slices = &only;
    command.slice_count = 1;
    command.slices_are_rows = true;
    fragment.row.cells = &cell;
    fragment.row.cell_count = 1;
    bed_must(bed_apply(port, BYTES_LITERAL("r"), &fragment, &err), &err);
    got_bytes = 0;
    for (uint32_t i = 0; i < LARGE_KEY_USES; i++)
        assert_int_equal(table_read(port, &command, false, arena, &result, &err), ERR_WOULD_WAIT);
    assert_in_range(got_bytes, sizeof(bytes), 2 * sizeof(bytes));
    cell = bed_cell(BED_VALUE, 11, bytes_of(bytes, 1));
    bed_must(bed_apply(port, BYTES_LITERAL("r"), &fragment, &err), &err);
    for (uint32_t i = 0; i <= LARGE_KEY_USES && status; i++)
        status = table_read(port, &command, false, arena, &result, &err);
    assert_int_equal(status, OK);
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_are_the_models),      cmocka_unit_test(a_large_row_is_left_to_who_may_wait),
        cmocka_unit_test(limits_per_partition_hold), cmocka_unit_test(many_ranges_are_cut_into_segments),
        cmocka_unit_test(a_read_sees_one_state),     cmocka_unit_test(a_large_row_is_not_read_to_be_left),
    };
    int failed;

    bed.shards = 2;
    bed.engine = &store_memory_ops;
    failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    bed.engine = &store_rocksdb_ops;
    return failed + cmocka_run_group_tests_name("rocksdb", tests, NULL, NULL);
}
