/* What an owner does to a command before it trusts it: any bytes are read to their end or refused, never crash, never read outside;
 * a fragment that passes can be stamped. Ranges' keys and refused conditions' results likewise. What an `add` asks to count is counted
 * as the owner does it, on shards that are any bytes too.
 */
#include "row/counter.h"
#include "row/fragment.h"
#include "row/merge.h"
#include "table/command.h"
#include "table/range.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_parts(struct command_reader *reader)
{
    uint32_t parts = command_read_u32(reader);

    for (uint32_t i = 0; i < parts && !reader->failed; i++) {
        uint32_t conditions;

        command_read_u8(reader);
        command_read_u8(reader);
        command_read_bytes(reader);
        conditions = command_read_u32(reader);
        for (uint32_t c = 0; c < conditions && !reader->failed; c++) {
            uint32_t values;

            command_read_u32(reader);
            command_read_u8(reader);
            command_read_bytes(reader);
            values = command_read_u32(reader);
            for (uint32_t v = 0; v < values && !reader->failed; v++)
                command_read_bytes(reader);
        }
    }
}

/* Counting moves the sum by what was asked for; what is written can be read, and merging it again counts nothing twice. */
static void count_cell(struct arena *arena, struct cell cell, struct bytes shards)
{
    int64_t delta = counter_delta(cell.value), before;
    struct row row = ROW_EMPTY, back;
    struct buffer out CLEANUP(buffer_fini) = { 0 };
    struct error err;

    shards = shards.size < COUNTER_SHARD_BYTES ? bytes_of("", 0) : bytes_of(shards.data, COUNTER_SHARD_BYTES);
    before = counter_total(shards);
    if (shards.size && load_be64(shards.data + COUNTER_ORIGIN_BYTES) == INT64_MAX)
        return; /* above this clock there is none */
    cell =
        (struct cell){ .column_id = cell.column_id, .kind = CELL_COUNTER, .timestamp_us = 1000, .local_s = TIME_NONE };
    cell.value = counter_add(arena, shards, COUNTER_ORIGIN, 1000, delta);
    if ((uint64_t)counter_total(cell.value) != (uint64_t)before + (uint64_t)delta)
        abort();
    if (!bytes_equal(counter_merge(arena, cell.value, shards), cell.value))
        abort();
    row.cells = &cell;
    row.cell_count = 1;
    fragment_encode(&out, &row);
    if (fragment_decode(arena, buffer_bytes(&out), &back, &err) || back.cell_count != 1 ||
        !bytes_equal(back.cells[0].value, cell.value))
        abort();
}

static void count_fragment(struct arena *arena, struct bytes fragment, struct bytes shards)
{
    struct row row;
    struct error err;

    if (fragment_decode(arena, fragment, &row, &err))
        return;
    for (uint32_t i = 0; i < row.cell_count; i++)
        if (row.cells[i].kind == CELL_COUNTER)
            count_cell(arena, row.cells[i], shards);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = memcpy(malloc(size + 1), data, size); /* stamping writes */
    struct arena *arena = arena_new(4096);
    struct command_reader reader;
    struct command_header header;
    struct read_command read;
    struct buffer scratch = { 0 };
    struct bytes lower, upper;
    struct cas_seen seen[2];
    struct error err;

    copy = realloc(copy, size ? size : 1);
    range_decode(bytes_of(copy, size), &scratch, &lower, &upper, &err);
    if (table_decode_read(arena, bytes_of(copy, size), &read, &err) == OK) { /* what is taken has one form */
        struct buffer again = { 0 };

        table_encode_read(&again, &read);
        if (!bytes_equal(buffer_bytes(&again), bytes_of(copy, size)))
            abort();
        buffer_fini(&again);
    }
    table_decode_cas_result(arena, bytes_of(copy, size), seen, 2, &err);
    if (command_read_header(&reader, bytes_of(copy, size), &header, &err) == OK) {
        for (uint32_t i = 0; i < header.fragment_count && !reader.failed; i++) {
            struct command_fragment fragment;

            command_read_fragment(&reader, &fragment);
            if (reader.failed)
                break;
            fragment_stamp((uint8_t *)fragment.fragment.data, fragment.fragment.size, 1000);
            if (header.kind == COMMAND_ADD)
                count_fragment(arena, fragment.fragment, header.partition_key);
        }
        if (header.kind == COMMAND_CAS)
            read_parts(&reader);
    }
    arena_free(arena);
    buffer_fini(&scratch);
    free(copy);
    return 0;
}
