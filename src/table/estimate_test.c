/* Few partitions are counted; of many, wherever their tokens lie and on however many shards, the estimate is right to some percent; large
 * ones are at least as large as what was seen of them. */
#include "table/bed.h"

static struct table_bed bed;
static struct table_port *port;

enum { VALUE_BYTES = 100 };

static void write_rows(uint32_t first, uint32_t partitions, uint32_t rows_each)
{
    struct arena *arena = arena_new(1 << 16);
    struct table_fragment *fragments = arena_new_array(arena, struct table_fragment, rows_each);
    uint8_t value[VALUE_BYTES] = { 0 };
    struct cell cell = bed_cell(BED_VALUE, TIMESTAMP_SERVER, bytes_of(value, sizeof(value)));
    struct error err;

    for (uint32_t r = 0; r < rows_each; r++) {
        uint8_t *clustering = arena_alloc(arena, 4);

        store_be32(clustering, r);
        fragments[r] =
            (struct table_fragment){ .kind = KEY_ROW, .clustering = bytes_of(clustering, 4), .row = ROW_EMPTY };
        fragments[r].row.cells = &cell;
        fragments[r].row.cell_count = 1;
    }
    for (uint32_t p = first; p < first + partitions; p++) {
        struct buffer out CLEANUP(buffer_fini) = { 0 };
        uint8_t key[4];
        int64_t token;

        store_be32(key, p);
        token = bed_encode(&out, bytes_of(key, 4), fragments, rows_each);
        bed_must(table_apply_wait(port, buffer_bytes(&out), token, &err), &err);
    }
    arena_free(arena);
}

static struct table_estimate estimate(void)
{
    struct table_estimate result;
    struct error err;

    bed_must(table_space_estimate(bed.space, BED_TABLE, &result, &err), &err);
    return result;
}

static void open_bed(const struct store_ops *engine, uint32_t shards)
{
    bed = (struct table_bed){ .engine = engine, .shards = shards, .no_sync = true };
    bed_open(&bed);
    port = table_port_open(bed.space);
}

static void close_bed(void)
{
    table_port_close(port);
    bed_close(&bed);
}

static void check(const struct store_ops *engine, uint32_t shards)
{
    struct table_estimate few, many;

    open_bed(engine, shards);
    few = estimate();
    assert_int_equal(few.partition_count, 0);
    assert_int_equal(few.partition_bytes_mean, 0);
    write_rows(0, 10, 3);
    few = estimate();
    assert_int_equal(few.partition_count, 10);
    assert_in_range(few.partition_bytes_mean, 3 * VALUE_BYTES, 3 * (VALUE_BYTES + 80));
    write_rows(10, 19990, 1);
    many = estimate();
    assert_in_range(many.partition_count, 18500, 21500);
    assert_in_range(many.partition_bytes_mean, VALUE_BYTES, VALUE_BYTES + 80);
    close_bed();
}

static void estimates_are_close(void **state)
{
    (void)state;
    check(&store_memory_ops, 1);
    check(&store_rocksdb_ops, 3);
}

static void large_partitions_are_counted(void **state)
{
    struct table_estimate large;

    (void)state;
    open_bed(&store_rocksdb_ops, 1);
    write_rows(0, 7, 6000);
    large = estimate();
    assert_int_equal(large.partition_count, 7);
    assert_in_range(large.partition_bytes_mean, 4000 * VALUE_BYTES, 6000 * (VALUE_BYTES + 80));
    write_rows(7, 193, 6000);
    large = estimate();
    assert_in_range(large.partition_count, 120, 280);
    close_bed();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_are_close),
        cmocka_unit_test(large_partitions_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
