/* A hot key is folded into puts, often enough, and exactly: whatever random versions are written, in whatever turns they meet, the
 * stored value is byte for byte what merging all of them gives, as it is for a key that is never hot. What an owner reads and writes for
 * a write follows what is written, whatever the row holds already: counted in bytes.
 */
#include "row/fragment.h"
#include "row/row_bed.h"
#include "table/bed.h"
#include "table/fold_hot.h"
#include "table/shard.h"

enum { WRITES = 600, ROUNDS = 12, COLD = 97 };

static struct table_bed bed = { .shards = 1 };
static struct store_ops counting;
static const struct store_ops *counted;
static _Atomic uint32_t put_count, merge_count;
static _Atomic uint64_t read_bytes, put_bytes, merge_bytes;
static _Atomic uint32_t cold_gets, refused_gets; /* what may not wait would, so many times more; how often it was so */

static enum status count_and_write(struct store *store, const struct store_batch *batch, bool durable,
                                   struct error *err)
{
    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);

        if (load_be64(op.key.data) == BED_TABLE) {
            atomic_fetch_add(op.kind == STORE_PUT ? &put_count : &merge_count, 1);
            atomic_fetch_add(op.kind == STORE_PUT ? &put_bytes : &merge_bytes, op.value.size);
        }
    }
    return counted->write(store, batch, durable, err);
}

static enum status count_and_get(struct store *store, enum store_family family, struct bytes key,
                                 const struct store_read_options *options, struct store_value *value, struct error *err)
{
    enum status status;

    if (!options->may_wait && load_be64(key.data) == BED_TABLE && atomic_load(&cold_gets)) {
        atomic_fetch_sub(&cold_gets, 1);
        atomic_fetch_add(&refused_gets, 1);
        return error_set(err, ERR_WOULD_WAIT, "it is cold");
    }
    status = counted->get(store, family, key, options, value, err);
    if (!status)
        atomic_fetch_add(&read_bytes, value->bytes.size);
    return status;
}

struct write {
    struct table_request request;
    struct buffer command;
    struct error err;
};
static uint32_t done;

static void on_done(struct table_request *request)
{
    bed_must(request->status, request->error);
    done++;
}

static void submit(struct table_port *port, struct write *write, struct bytes key, const struct row *row)
{
    struct table_fragment fragment = { .kind = KEY_ROW, .clustering = BYTES_LITERAL("c"), .row = *row };

    write->request = (struct table_request){ .done = on_done, .error = &write->err };
    write->request.token = bed_encode(&write->command, key, &fragment, 1);
    write->request.command = buffer_bytes(&write->command);
    bed_must(table_submit(port, &write->request, &write->err), &write->err);
}

static void check(struct arena *arena, struct bytes partition_key, const struct row *want)
{
    struct key_parts parts = { BED_TABLE, token_of_partition_key(partition_key), partition_key, KEY_ROW,
                               BYTES_LITERAL("c") };
    struct store_read_options options = { .may_wait = true };
    struct store_value value = { 0 };
    struct shard *shard = &bed.space->shards[0];
    struct buffer key = { 0 }, encoded = { 0 };
    struct error err;
    struct row row;

    key_encode(&key, &parts);
    bed_must(shard->ops->get(shard->store, STORE_DATA, buffer_bytes(&key), &options, &value, &err), &err);
    bed_must(row_decode(arena, value.bytes, &row, &err), &err);
    row_drop_covered(&row); /* a single version is stored as it came */
    buffer_reset(&key);
    fragment_encode(&key, &row);
    fragment_encode(&encoded, want);
    assert_true(bytes_equal(buffer_bytes(&key), buffer_bytes(&encoded)));
    store_value_release(&value);
    buffer_fini(&key);
    buffer_fini(&encoded);
}

/* Returns how often the hot key was folded: seldom if a large row comes up. */
static uint32_t hammer(struct dice *dice, struct arena *arena)
{
    struct write *writes = calloc(WRITES, sizeof(*writes));
    struct row hot = ROW_EMPTY, cold[COLD];
    struct table_port *port;
    uint8_t cold_key = 0;
    struct error err;

    for (int i = 0; i < COLD; i++)
        cold[i] = ROW_EMPTY;
    bed_open(&bed);
    port = table_port_open(bed.space);
    atomic_store(&put_count, 0);
    atomic_store(&merge_count, 0);
    done = 0;
    for (uint32_t i = 0; i < WRITES; i++) {
        struct row row = roll_row(dice, arena);
        bool is_cold = i % 3 == 0;

        cold_key = (uint8_t)(i % COLD);
        submit(port, &writes[i], is_cold ? bytes_of(&cold_key, 1) : BYTES_LITERAL("hot"), &row);
        row_merge(arena, is_cold ? &cold[cold_key] : &hot, &row);
        /* Turns of different sizes: all at once, or a few, or one. */
        while (roll(dice, 40) == 0 && done <= i) {
            table_port_flush(port);
            table_port_reap(port);
        }
        if (i == WRITES / 2)
            bed_must(table_flush(bed.space, &err), &err);
    }
    do {
        table_port_flush(port); /* what waits behind what was answered, too */
        table_port_reap(port);
    } while (done < WRITES);
    check(arena, BYTES_LITERAL("hot"), &hot);
    for (int i = 0; i < COLD; i++) {
        cold_key = (uint8_t)i;
        check(arena, bytes_of(&cold_key, 1), &cold[i]);
    }
    assert_int_equal(atomic_load(&put_count) + atomic_load(&merge_count), WRITES);
    assert_in_range(atomic_load(&put_count), 0, WRITES * 2 / 3 / FOLD_HOT_WRITES + 8);
    table_port_close(port);
    bed_close(&bed);
    for (uint32_t i = 0; i < WRITES; i++)
        buffer_fini(&writes[i].command);
    free(writes);
    return atomic_load(&put_count);
}

static void hot_keys_are_folded_exactly(void **state)
{
    struct arena *arena = arena_new(1 << 16);
    struct dice dice = { 3 };
    uint32_t folded = 0;

    for (int round = 0; round < ROUNDS; round++) {
        arena_reset(arena);
        folded += hammer(&dice, arena);
    }
    assert_in_range(folded, ROUNDS * 16, UINT32_MAX);
    arena_free(arena);
}

static struct row elements(struct arena *arena, uint32_t first, uint32_t count)
{
    struct row row = ROW_EMPTY;

    row.cells = arena_new_array(arena, struct cell, count);
    row.cell_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *path = arena_alloc(arena, 4);

        store_be32(path, first + i);
        row.cells[i] = (struct cell){ .column_id = 1,
                                      .timestamp_us = TIMESTAMP_SERVER,
                                      .local_s = TIME_NONE,
                                      .path = bytes_of(path, 4),
                                      .value = BYTES_LITERAL("four") };
    }
    return row;
}

enum { ELEMENT_WRITES = 4096, PIPELINED = 64, ELEMENT_BYTES = 24 /* of a fragment */ };

static void write_elements(struct table_port *port, struct arena *arena, uint32_t size, uint32_t first, uint32_t each)
{
    struct write writes[PIPELINED] = { 0 };

    done = 0;
    for (uint32_t i = 0; i < PIPELINED; i++) {
        struct row row = elements(arena, (first + i * each) % size, each);

        submit(port, &writes[i], BYTES_LITERAL("hot"), &row);
    }
    do {
        table_port_flush(port);
        table_port_reap(port);
    } while (done < PIPELINED);
    for (uint32_t i = 0; i < PIPELINED; i++)
        buffer_fini(&writes[i].command);
}

/* What is read and put for each byte written one element at a time into a row that has so many. */
static uint64_t cost_of_elements(uint32_t size)
{
    struct arena *arena = arena_new(1 << 16);
    struct table_port *port;
    uint64_t cost;

    bed_open(&bed);
    port = table_port_open(bed.space);
    write_elements(port, arena, size, 0, size / PIPELINED);
    atomic_store(&read_bytes, 0);
    atomic_store(&put_bytes, 0);
    atomic_store(&merge_bytes, 0);
    for (uint32_t i = 0; i < ELEMENT_WRITES; i += PIPELINED)
        write_elements(port, arena, size, i, 1);
    cost = (atomic_load(&read_bytes) + atomic_load(&put_bytes)) / (ELEMENT_WRITES * ELEMENT_BYTES);
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
    return cost;
}

static void work_follows_the_write_not_the_row(void **state)
{
    static const uint32_t sizes[] = { 64, 1024, 2048, 64000 };

    for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++)
        assert_in_range(cost_of_elements(sizes[i]), 0, 16);
}

/* Writes of one element to a row that can't be read without waiting, so many times; returns how often it was folded then. */
static uint32_t folds_after(uint32_t refusals, uint32_t writes)
{
    struct arena *arena = arena_new(1 << 16);
    struct table_port *port;
    uint32_t folds;

    bed_open(&bed);
    port = table_port_open(bed.space);
    atomic_store(&put_count, 0);
    atomic_store(&refused_gets, 0);
    atomic_store(&cold_gets, refusals);
    for (uint32_t i = 0; i < writes; i += PIPELINED)
        write_elements(port, arena, 4, i, 1);
    atomic_store(&cold_gets, 0);
    folds = atomic_load(&put_count);
    table_port_close(port);
    bed_close(&bed);
    arena_free(arena);
    return folds;
}

/* Who reads it fetches it: what was cold for a moment is folded again soon, and what stays so is seldom looked at. */
static void a_cold_key_is_folded_when_it_is_at_hand(void **state)
{
    enum { COLD_WRITES = 2048 };

    assert_in_range(folds_after(1, COLD_WRITES), COLD_WRITES / FOLD_HOT_WRITES / 4, COLD_WRITES);
    assert_in_range(folds_after(4, COLD_WRITES), COLD_WRITES / FOLD_HOT_WRITES / 4, COLD_WRITES);
    assert_int_equal(folds_after(UINT32_MAX, COLD_WRITES * 8), 0);
    assert_in_range(atomic_load(&refused_gets), 4, 32);
}

int main(void)
{
    const struct CMUnitTest folding[] = { cmocka_unit_test(hot_keys_are_folded_exactly) };
    /* The reference store merges as it writes. */
    const struct CMUnitTest costs[] = { cmocka_unit_test(work_follows_the_write_not_the_row),
                                        cmocka_unit_test(a_cold_key_is_folded_when_it_is_at_hand) };
    int failed;

    counted = &store_memory_ops;
    counting = store_memory_ops;
    counting.write = count_and_write;
    bed.engine = &counting;
    failed = cmocka_run_group_tests_name("memory", folding, NULL, NULL);
    counted = &store_rocksdb_ops;
    counting = store_rocksdb_ops;
    counting.write = count_and_write;
    counting.get = count_and_get;
    failed += cmocka_run_group_tests_name("rocksdb", folding, NULL, NULL);
    return failed + cmocka_run_group_tests_name("rocksdb", costs, NULL, NULL);
}
