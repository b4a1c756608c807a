/* What an owner does to a command before it trusts it: any bytes are read to their end or refused, never crash, never read outside;
 * a fragment that passes can be stamped. Ranges' keys and refused conditions' results likewise. */
#include "row/fragment.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = memcpy(malloc(size + 1), data, size); /* stamping writes */
    struct arena *arena = arena_new(4096);
    struct command_reader reader;
    struct command_header header;
    struct read_command read;
    struct buffer scratch = { 0 };
    struct bytes lower, upper;
    const struct row *rows[2];
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
    table_decode_cas_result(arena, bytes_of(copy, size), rows, 2, &err);
    if (command_read_header(&reader, bytes_of(copy, size), &header, &err) == OK) {
        for (uint32_t i = 0; i < header.fragment_count && !reader.failed; i++) {
            struct command_fragment fragment;

            command_read_fragment(&reader, &fragment);
            if (!reader.failed)
                fragment_stamp((uint8_t *)fragment.fragment.data, fragment.fragment.size, 1000);
        }
        if (header.kind == COMMAND_CAS)
            read_parts(&reader);
    }
    arena_free(arena);
    buffer_fini(&scratch);
    free(copy);
    return 0;
}
