/* The cache alone beside a model; then spaces: a port that keeps rows reads what one that keeps none reads, whatever is written between,
 * and what is written together is seen together while others write. */
#include "table/bed.h"
#include "table/row_cache.h"

#include <pthread.h>

enum { KEYS = 3000, STEPS = 200000, SMALL = 1 << 20 };

/* ---- the cache ---- */

struct known {
    uint64_t version;
    uint32_t size; /* of the value; UINT32_MAX: absent */
    uint8_t fill;
    bool put;
};

static uint64_t random_state = 20261123;

static struct bytes key_of(uint32_t number, char *text)
{
    return bytes_of(text, (size_t)sprintf(text, "key-%u", number));
}

static void what_is_found_was_put_last(void **state)
{
    struct row_cache *cache = row_cache_new(SMALL);
    struct known *known = calloc(KEYS, sizeof(*known));
    static uint8_t value[ROW_CACHE_VALUE_BYTES_MAX];
    uint32_t found = 0, asked = 0;

    for (int step = 0; step < STEPS; step++) {
        uint32_t number =
            bed_below(&random_state, 10) ? bed_below(&random_state, KEYS / 30) : bed_below(&random_state, KEYS);
        struct known *k = &known[number];
        struct bytes got;
        char text[32];
        struct bytes key = key_of(number, text);
        uint64_t hash = hash_seeded(7, key);

        if (bed_below(&random_state, 4) == 0) {
            k->put = true;
            k->version += 2 * bed_below(&random_state, 2);
            k->size = bed_below(&random_state, 5) ? bed_below(&random_state, bed_below(&random_state, 50) ? 300 : 9000)
                                                  : UINT32_MAX;
            k->fill = (uint8_t)step;
            if (k->size != UINT32_MAX)
                memset(value, k->fill, k->size);
            row_cache_put(cache, hash, k->version, key,
                          k->size == UINT32_MAX ? (struct bytes){ 0 } : bytes_of(value, k->size));
            continue;
        }
        asked += k->put;
        assert_false(row_cache_find(cache, hash, k->version + 2, key, &got));
        if (!row_cache_find(cache, hash, k->version, key, &got))
            continue;
        found++;
        assert_true(k->put);
        if (k->size == UINT32_MAX) {
            assert_true(bytes_is_null(got));
            continue;
        }
        assert_int_equal(got.size, k->size);
        for (uint32_t i = 0; i < got.size; i++)
            assert_int_equal(got.data[i], k->fill);
    }
    assert_true(found > asked / 3); /* it keeps what is asked for again and again */
    assert_true(row_cache_bytes(cache) <= SMALL);
    row_cache_free(cache);
    free(known);
}

static void large_values_are_not_kept(void **state)
{
    struct row_cache *cache = row_cache_new(SMALL);
    static uint8_t value[ROW_CACHE_VALUE_BYTES_MAX + 1];
    struct bytes got;

    row_cache_put(cache, 1, 0, BYTES_LITERAL("k"), bytes_of(value, sizeof(value)));
    assert_false(row_cache_find(cache, 1, 0, BYTES_LITERAL("k"), &got));
    row_cache_put(cache, 1, 0, BYTES_LITERAL("k"), bytes_of(value, sizeof(value) / 2));
    assert_true(row_cache_find(cache, 1, 0, BYTES_LITERAL("k"), &got));
    row_cache_free(cache);
}

static void put_number(struct row_cache *cache, uint32_t number)
{
    static uint8_t value[8000];
    char text[32];
    struct bytes key = key_of(number, text);

    store_be32(value, number);
    row_cache_put(cache, hash_seeded(7, key), 2, key, bytes_of(value, sizeof(value)));
}

static bool finds_number(struct row_cache *cache, uint32_t number)
{
    struct bytes got;
    char text[32];
    struct bytes key = key_of(number, text);

    if (!row_cache_find(cache, hash_seeded(7, key), 2, key, &got))
        return false;
    assert_int_equal(got.size, 8000);
    assert_int_equal(load_be32(got.data), number);
    return true;
}

static uint64_t bytes_of_ring(uint64_t size)
{
    return size + size / 16;
}

/* What was put lately is found before, while and after the next ring is made. */
static void a_large_ring_is_made_beside_the_full_one(void **state)
{
    struct row_cache *cache = row_cache_new(160 << 20);
    uint32_t number = 0, grown_at = 1;

    for (int after = 0; after < 40000;) { /* puts of 8 KB, after it has its full size */
        uint64_t before = row_cache_bytes(cache);

        put_number(cache, ++number);
        if (row_cache_bytes(cache) < before || row_cache_bytes(cache) >= before + (1 << 20))
            grown_at = number;
        assert_true(finds_number(cache, number));
        assert_true(number - grown_at < 30 || finds_number(cache, number - 30));
        after += row_cache_bytes(cache) == bytes_of_ring(128 << 20);
        if (!after && number > 20000)
            usleep(10);
        assert_true(number < 200000); /* or it never grows */
    }
    assert_int_equal(row_cache_bytes(cache), bytes_of_ring(128 << 20));
    assert_true(finds_number(cache, number - 15000)); /* of the last 128 MB */
    row_cache_free(cache);
}

static void a_cache_may_go_while_its_next_ring_is_made(void **state)
{
    for (uint32_t us = 0; us < 20000; us += 1000) {
        struct row_cache *cache = row_cache_new(160 << 20);

        for (uint32_t number = 0; number < 4500;
             number++) /* over 32 MB: two rings at once, or three one after another */
            put_number(cache, number);
        usleep(us);
        put_number(cache, 1);
        row_cache_free(cache);
    }
}

/* Keys whose hashes are one and the same are told apart. */
static void equal_hashes_are_not_equal_keys(void **state)
{
    struct row_cache *cache = row_cache_new(SMALL);
    struct bytes got;

    row_cache_put(cache, 1, 0, BYTES_LITERAL("one"), BYTES_LITERAL("1"));
    assert_false(row_cache_find(cache, 1, 0, BYTES_LITERAL("two"), &got));
    assert_false(row_cache_find(cache, 1, 0, BYTES_LITERAL("onetwo"), &got));
    row_cache_free(cache);
}

static void a_batch_changes_the_versions_of_its_keys(void **state)
{
    struct versions versions = { 0 };
    struct store_batch *batch = store_batch_new();
    const _Atomic uint64_t *one, *other;
    uint64_t was;

    versions_init(&versions);
    one = version_of(&versions, version_hash(&versions, BYTES_LITERAL("one")));
    other = version_of(&versions, version_hash(&versions, BYTES_LITERAL("other")));
    was = atomic_load(one);
    assert_true(was % 2 == 0);
    store_batch_merge(batch, STORE_DATA, BYTES_LITERAL("one"), BYTES_LITERAL("x"));
    store_batch_put(batch, STORE_DATA, BYTES_LITERAL("one"), BYTES_LITERAL("y")); /* twice the same */
    versions_begin(&versions, batch);
    assert_true(atomic_load(one) % 2 == 1);
    versions_end(&versions, batch);
    assert_true(atomic_load(one) % 2 == 0 && atomic_load(one) > was);
    assert_true(one == other || atomic_load(other) == 0);
    store_batch_clear(batch);
    store_batch_delete_range(batch, STORE_DATA, BYTES_LITERAL("a"), BYTES_LITERAL("b"));
    was = atomic_load(other);
    versions_begin(&versions, batch);
    assert_true(atomic_load(other) % 2 == 1);
    versions_end(&versions, batch);
    assert_true(atomic_load(other) % 2 == 0 && atomic_load(other) > was);
    store_batch_free(batch);
    versions_fini(&versions);
}

/* ---- beside a port that keeps none ---- */

enum { PARTITIONS = 3, ROWS = 6, WRITES = 4000 };

static struct table_bed bed = { .shards = 2 };

static struct bytes partition_at(uint32_t number)
{
    static const char *names[PARTITIONS] = { "one", "two", "three" };

    return bytes_of_string(names[number]);
}

static struct bytes row_at(uint32_t number)
{
    static const char *names[ROWS] = { "a", "b", "c", "d", "e", "f" };

    return bytes_of_string(names[number]);
}

static void write_at_random(struct table_port *port, int64_t at_us)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .row = ROW_EMPTY };
    uint8_t value[8];
    struct cell cell = bed_cell(BED_VALUE, at_us, bytes_of(value, sizeof(value)));
    uint32_t partition = bed_below(&random_state, PARTITIONS), kind = bed_below(&random_state, 100);
    struct error err;

    store_be64(value, (uint64_t)at_us);
    fragment.clustering = row_at(bed_below(&random_state, ROWS));
    if (kind < 2) {
        fragment.kind = KEY_PARTITION;
        fragment.clustering = (struct bytes){ 0 };
        fragment.row.deletion = (struct deletion){ at_us, 1000000000 };
    } else if (kind < 4 && partition == 0) { /* which is then read under snapshots */
        fragment.kind = KEY_RANGE;
        fragment.clustering = row_at(1);
        fragment.clustering_end = row_at(3);
        fragment.start_inclusive = fragment.end_inclusive = true;
        fragment.row.deletion = (struct deletion){ at_us, 1000000000 };
    } else if (kind < 20) {
        fragment.row.deletion = (struct deletion){ at_us, 1000000000 };
    } else {
        if (kind < 30) { /* the static row is in the partition's record */
            fragment.kind = KEY_PARTITION;
            fragment.clustering = (struct bytes){ 0 };
            cell.column_id = BED_STATIC;
        }
        fragment.row.cells = &cell;
        fragment.row.cell_count = 1;
    }
    bed_must(bed_apply(port, partition_at(partition), &fragment, &err), &err);
}

static void print_cells(struct buffer *out, const struct row *row)
{
    for (uint32_t i = 0; row && i < row->cell_count; i++)
        buffer_append_bytes(out, row->cells[i].value);
    buffer_append_u8(out, '|');
}

/* What a read by whole keys shows, as bytes. */
static void show(struct table_port *port, const struct read_command *command, struct buffer *out)
{
    struct arena *arena = arena_new(4096);
    struct read_result result;
    struct error err;

    buffer_reset(out);
    bed_must(table_read(port, command, true, arena, &result, &err), &err);
    for (uint32_t i = 0; i < result.partition_count; i++) {
        print_cells(out, result.partitions[i].static_row);
        for (uint32_t j = 0; j < result.partitions[i].row_count; j++) {
            buffer_append_bytes(out, result.partitions[i].rows[j].clustering);
            print_cells(out, result.partitions[i].rows[j].row);
        }
    }
    arena_free(arena);
}

static struct read_command read_rows(struct bytes partition, struct slice *slices, uint32_t first, uint32_t count)
{
    struct read_command command = bed_read(partition);

    for (uint32_t i = 0; i < count; i++)
        slices[i] = (struct slice){ row_at(first + i), row_at(first + i), true, true };
    command.slices = slices;
    command.slice_count = count;
    command.slices_are_rows = true;
    return command;
}

static void the_same_is_read_with_and_without(void **state)
{
    struct buffer with = { 0 }, without = { 0 };
    struct table_port *keeps, *plain;
    struct row_cache_use use;
    struct error err;

    bed_open(&bed);
    keeps = table_port_open(bed.space);
    plain = table_port_open(bed.space);
    table_port_keep_rows(keeps, SMALL);
    for (int i = 0; i < WRITES; i++) {
        write_at_random(plain, 1000 + i);
        if (bed_below(&random_state, 400) == 0)
            bed_must(table_flush(bed.space, &err), &err);
        if (bed_below(&random_state, 800) == 0)
            bed_must(table_compact(bed.space, &err), &err);
        for (int reads = 0; reads < 4; reads++) {
            struct slice slices[ROWS];
            uint32_t first = bed_below(&random_state, ROWS), count = 1 + bed_below(&random_state, ROWS - first);
            struct read_command command =
                read_rows(partition_at(bed_below(&random_state, PARTITIONS)), slices, first, count);

            show(keeps, &command, &with);
            command.slices_are_rows = false; /* the same, another way */
            show(plain, &command, &without);
            assert_int_equal(with.size, without.size);
            assert_memory_equal(with.data ? with.data : (uint8_t *)"", without.data ? without.data : (uint8_t *)"",
                                with.size);
        }
    }
    table_space_row_cache(bed.space, &use);
    assert_true(use.found > use.missed);  /* they were kept */
    assert_true(use.missed > WRITES / 2); /* and forgotten when they were written to */
    buffer_fini(&with);
    buffer_fini(&without);
    table_port_close(keeps);
    table_port_close(plain);
    bed_close(&bed);
}

/* ---- while others write ---- */

enum { ROUNDS = 3000, READERS = 2 };

static _Atomic uint64_t acknowledged;
static _Atomic bool ends;

/* Both rows get the same number in one command. */
static void *write_pairs(void *context)
{
    struct table_port *port = table_port_open(bed.space);

    for (uint64_t number = 1; number <= ROUNDS; number++) {
        uint8_t value[8];
        struct cell cell = bed_cell(BED_VALUE, (int64_t)number, bytes_of(value, sizeof(value)));
        struct table_fragment fragments[2];
        struct buffer out = { 0 };
        struct error err;
        int64_t token;

        store_be64(value, number);
        for (uint32_t i = 0; i < 2; i++) {
            fragments[i] = (struct table_fragment){ .kind = KEY_ROW, .clustering = row_at(i), .row = ROW_EMPTY };
            fragments[i].row.cells = &cell;
            fragments[i].row.cell_count = 1;
        }
        token = bed_encode(&out, BYTES_LITERAL("pair"), fragments, 2);
        bed_must(table_apply_wait(port, buffer_bytes(&out), token, &err), &err);
        atomic_store(&acknowledged, number);
        buffer_fini(&out);
    }
    atomic_store(&ends, true);
    table_port_close(port);
    return NULL;
}

static void *read_pairs(void *context)
{
    struct table_port *port = table_port_open(bed.space);
    struct arena *arena = arena_new(4096);
    uint64_t last = 0;

    table_port_keep_rows(port, SMALL);
    while (!atomic_load(&ends)) {
        uint64_t before = atomic_load(&acknowledged), numbers[2] = { 0 };
        struct slice slices[2];
        struct read_command command = read_rows(BYTES_LITERAL("pair"), slices, 0, 2);
        struct read_result result;
        struct error err;

        arena_reset(arena);
        bed_must(table_read(port, &command, true, arena, &result, &err), &err);
        for (uint32_t i = 0; result.partition_count && i < result.partitions[0].row_count; i++)
            numbers[i] = load_be64(result.partitions[0].rows[i].row->cells[0].value.data);
        if (numbers[0] != numbers[1] || numbers[0] < before || numbers[0] < last)
            abort(); /* torn, lost, or backwards */
        last = numbers[0];
    }
    arena_free(arena);
    table_port_close(port);
    return NULL;
}

static void what_is_written_together_is_seen_together(void **state)
{
    pthread_t writer, readers[READERS];

    atomic_store(&acknowledged, 0);
    atomic_store(&ends, false);
    bed_open(&bed);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_pairs, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_pairs, NULL), 0);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    bed_close(&bed);
}

static int on_memory(void **state)
{
    bed.engine = &store_memory_ops;
    return 0;
}

static int on_rocksdb(void **state)
{
    bed.engine = &store_rocksdb_ops;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_was_put_last),
        cmocka_unit_test(large_values_are_not_kept),
        cmocka_unit_test(a_large_ring_is_made_beside_the_full_one),
        cmocka_unit_test(a_cache_may_go_while_its_next_ring_is_made),
        cmocka_unit_test(equal_hashes_are_not_equal_keys),
        cmocka_unit_test(a_batch_changes_the_versions_of_its_keys),
        cmocka_unit_test_setup(the_same_is_read_with_and_without, on_memory),
        cmocka_unit_test_setup(what_is_written_together_is_seen_together, on_memory),
        cmocka_unit_test_setup(the_same_is_read_with_and_without, on_rocksdb),
        cmocka_unit_test_setup(what_is_written_together_is_seen_together, on_rocksdb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
