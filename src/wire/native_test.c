/* Requests as a real driver encodes them are decoded; every cut of them and every lie in a length is refused; replies
 * have the bytes of the protocol's specification. `native_test --emit` prints replies for tests/wire/check_replies.py,
 * which decodes them with the driver. */
#include "wire/driver_frames.h"
#include "wire/native.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct fixture {
    struct arena *arena;
    struct error error;
    struct native_request request;
};

static void decode_ok(struct fixture *f, const uint8_t *frame, size_t size, enum native_compression compression)
{
    struct native_header header;
    struct bytes body;
    size_t wanted;
    uint64_t skip;

    assert_int_equal(
        native_frame_peek(bytes_of(frame, size), NATIVE_FRAME_BYTES_MAX, &header, &wanted, &skip, &f->error),
        NATIVE_FRAME_READY);
    assert_int_equal(wanted, size);
    assert_int_equal(header.stream_id, 7);
    body = bytes_of(frame + NATIVE_HEADER_BYTES, header.length);
    if (header.flags & NATIVE_FLAG_COMPRESSED)
        assert_int_equal(native_decompress(compression, body, NATIVE_FRAME_BYTES_MAX, f->arena, &body, &f->error), OK);
    assert_int_equal(native_decode(&header, body, f->arena, &f->request, &f->error), OK);
}
#define DECODE(f, name) decode_ok(f, driver_##name, sizeof(driver_##name), NATIVE_COMPRESSION_NONE)

static void assert_bytes(struct bytes got, const char *expected)
{
    assert_non_null(got.data);
    assert_int_equal(got.size, strlen(expected));
    assert_memory_equal(got.data, expected, got.size);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->arena = arena_new(4096);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    free(f);
    return 0;
}

static void a_session_is_begun(void **state)
{
    struct fixture *f = *state;
    bool saw_compression = false, saw_version = false;

    DECODE(f, startup);
    assert_int_equal(f->request.header.opcode, NATIVE_STARTUP);
    for (uint32_t i = 0; i < f->request.startup.option_count; i++) {
        struct native_pair option = f->request.startup.options[i];

        if (bytes_equal(option.name, BYTES_LITERAL("COMPRESSION"))) {
            enum native_compression compression;

            saw_compression = native_compression_parse(option.value, &compression);
            assert_int_equal(compression, NATIVE_COMPRESSION_LZ4);
        }
        if (bytes_equal(option.name, BYTES_LITERAL("CQL_VERSION")))
            saw_version = bytes_equal(option.value, BYTES_LITERAL("3.4.7"));
    }
    assert_true(saw_compression && saw_version);
    DECODE(f, options);
    assert_int_equal(f->request.header.opcode, NATIVE_OPTIONS);
    DECODE(f, auth_response);
    assert_int_equal(f->request.auth_response.token.size, 17);
    assert_memory_equal(f->request.auth_response.token.data, "\0cassandra\0secret", 17);
    DECODE(f, register);
    assert_int_equal(f->request.registration.events, NATIVE_EVENT_TOPOLOGY | NATIVE_EVENT_STATUS | NATIVE_EVENT_SCHEMA);
}

static void queries_carry_parameters(void **state)
{
    struct fixture *f = *state;
    struct native_parameters *p = &f->request.parameters;

    DECODE(f, query_simple);
    assert_bytes(f->request.query.statement, "SELECT * FROM system.local");
    assert_int_equal(p->consistency, CONSISTENCY_LOCAL_ONE);
    assert_int_equal(p->serial_consistency, CONSISTENCY_SERIAL);
    assert_int_equal(p->values.count, 0);
    assert_null(p->paging_state.data);
    assert_int_equal(p->page_size, -1);
    assert_false(p->has_timestamp);

    DECODE(f, query_full);
    assert_int_equal(p->consistency, CONSISTENCY_QUORUM);
    assert_int_equal(p->serial_consistency, CONSISTENCY_LOCAL_SERIAL);
    assert_int_equal(p->page_size, 100);
    assert_bytes(p->paging_state, "state");
    assert_true(p->has_timestamp);
    assert_true(p->timestamp_us == 1234567890123456);

    DECODE(f, query_values);
    assert_int_equal(p->values.count, 3);
    assert_null(p->values.names);
    assert_int_equal(p->values.values[0].size, 4);
    assert_null(p->values.values[1].data);
    assert_false(native_is_unset(p->values.values[1]));
    assert_true(native_is_unset(p->values.values[2]));

    DECODE(f, query_payload);
    assert_true(f->request.tracing);
    assert_int_equal(f->request.payload_count, 1);
    assert_bytes(f->request.payload[0].name, "key");
    assert_bytes(f->request.payload[0].value, "value");
    assert_bytes(f->request.query.statement, "SELECT now() FROM system.local");
}

static void prepared_statements_are_executed(void **state)
{
    struct fixture *f = *state;
    struct native_parameters *p = &f->request.parameters;
    uint8_t skipping[sizeof(driver_execute)];

    DECODE(f, prepare);
    assert_bytes(f->request.prepare.statement, "SELECT * FROM t WHERE k = ?");
    /* The driver never asks to skip the metadata of v4: set the flag it would set. */
    memcpy(skipping, driver_execute, sizeof(skipping));
    skipping[NATIVE_HEADER_BYTES + 2 + 16 + 2] |= 0x02;
    DECODE(f, execute);
    assert_false(p->skip_metadata);
    decode_ok(f, skipping, sizeof(skipping), NATIVE_COMPRESSION_NONE);
    assert_bytes(f->request.execute.id, "0123456789abcdef");
    assert_int_equal(p->consistency, CONSISTENCY_LOCAL_QUORUM);
    assert_true(p->skip_metadata);
    assert_int_equal(p->page_size, 5000);
    assert_true(p->has_timestamp && p->timestamp_us == 5);
    assert_int_equal(p->values.count, 4);
    assert_non_null(p->values.values[2].data); /* empty is not null */
    assert_int_equal(p->values.values[2].size, 0);
    assert_false(native_is_unset(p->values.values[2]));
    assert_true(native_is_unset(p->values.values[3]));
    DECODE(f, execute_v3);
    assert_int_equal(f->request.version, 3);
    assert_int_equal(p->values.count, 2);
    assert_int_equal(p->page_size, 10);
}

static void batches_are_lists(void **state)
{
    struct fixture *f = *state;
    const struct native_batch_entry *entries;

    DECODE(f, batch);
    entries = f->request.batch.entries;
    assert_int_equal(f->request.batch.kind, NATIVE_BATCH_UNLOGGED);
    assert_int_equal(f->request.batch.entry_count, 2);
    assert_bytes(entries[0].statement, "INSERT INTO t (a) VALUES (1)");
    assert_null(entries[0].id.data);
    assert_bytes(entries[1].id, "0123456789abcdef");
    assert_null(entries[1].statement.data);
    assert_int_equal(entries[1].values.count, 2);
    assert_null(entries[1].values.values[1].data);
    assert_int_equal(f->request.parameters.consistency, CONSISTENCY_TWO);
    assert_int_equal(f->request.parameters.serial_consistency, CONSISTENCY_SERIAL);
    assert_true(f->request.parameters.has_timestamp && f->request.parameters.timestamp_us == 42);
    DECODE(f, batch_empty);
    assert_int_equal(f->request.batch.kind, NATIVE_BATCH_COUNTER);
    assert_int_equal(f->request.batch.entry_count, 0);
}

static void compressed_frames_open(void **state)
{
    struct fixture *f = *state;

    decode_ok(f, driver_query_lz4, sizeof(driver_query_lz4), NATIVE_COMPRESSION_LZ4);
    assert_int_equal(f->request.query.statement.size, 1027 + 1);
    decode_ok(f, driver_query_snappy, sizeof(driver_query_snappy), NATIVE_COMPRESSION_SNAPPY);
    assert_memory_equal(f->request.query.statement.data, "SELECT * FROM t WHERE k = 'xxx", 30);
}

/* v5 says more with QUERY and EXECUTE; its segments are native_segment_test.c's. */
static void later_messages_are_known(void **state)
{
    struct fixture *f = *state;
    struct native_header header = { .version = 5 };

    header.opcode = driver_query_v5[4];
    assert_int_equal(native_decode(&header, bytes_of(driver_query_v5 + 9, sizeof(driver_query_v5) - 9), f->arena,
                                   &f->request, &f->error),
                     OK);
    assert_bytes(f->request.parameters.keyspace, "ks");
    header.opcode = driver_execute_v5[4];
    assert_int_equal(native_decode(&header, bytes_of(driver_execute_v5 + 9, sizeof(driver_execute_v5) - 9), f->arena,
                                   &f->request, &f->error),
                     OK);
    assert_bytes(f->request.execute.metadata_id, "fedcba9876543210");
    assert_int_equal(f->request.parameters.values.count, 1);
}

/* Each frame's body, cut anywhere: refused, or (where the rest was optional) understood, never read past its end. */
static void truncated_bodies_are_refused(void **state)
{
    static const struct {
        const uint8_t *data;
        size_t size;
    } frames[] = {
        { driver_startup, sizeof(driver_startup) },
        { driver_register, sizeof(driver_register) },
        { driver_query_full, sizeof(driver_query_full) },
        { driver_query_values, sizeof(driver_query_values) },
        { driver_query_payload, sizeof(driver_query_payload) },
        { driver_prepare, sizeof(driver_prepare) },
        { driver_execute, sizeof(driver_execute) },
        { driver_batch, sizeof(driver_batch) },
        { driver_auth_response, sizeof(driver_auth_response) },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        struct native_header header = { .version = 4, .flags = frames[i].data[1], .opcode = frames[i].data[4] };

        for (size_t size = 0; size < frames[i].size - NATIVE_HEADER_BYTES; size++) {
            uint8_t *exact = xmalloc(size ? size : 1); /* so that a sanitizer sees a read past it */

            memcpy(exact, frames[i].data + NATIVE_HEADER_BYTES, size);
            assert_int_equal(native_decode(&header, bytes_of(exact, size), f->arena, &f->request, &f->error),
                             ERR_PROTOCOL);
            free(exact);
            arena_reset(f->arena);
        }
    }
}

static void counts_are_checked_before_memory_is_taken(void **state)
{
    /* A batch of 65535 statements, a startup of 65535 options, a query of 65535 values: in a dozen bytes. */
    static const uint8_t batch[] = { 0, 0xff, 0xff, 0, 0, 0, 0, 1, 'x', 0, 0 };
    static const uint8_t startup[] = { 0xff, 0xff, 0, 1, 'a', 0, 1, 'b' };
    static const uint8_t query[] = { 0, 0, 0, 1, 'x', 0, 1, 0x01, 0xff, 0xff, 0, 0, 0, 0 };
    static const struct {
        uint8_t opcode;
        struct bytes body;
    } lies[] = {
        { NATIVE_BATCH, { batch, sizeof(batch) } },
        { NATIVE_STARTUP, { startup, sizeof(startup) } },
        { NATIVE_QUERY, { query, sizeof(query) } },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        struct native_header header = { .version = 4, .opcode = lies[i].opcode };

        arena_reset(f->arena);
        assert_int_equal(native_decode(&header, lies[i].body, f->arena, &f->request, &f->error), ERR_PROTOCOL);
        assert_true(arena_used(f->arena) < 256);
    }
}

static void wrong_values_are_named(void **state)
{
    static const struct {
        uint8_t opcode;
        struct bytes body;
        enum status status;
        const char *message;
    } cases[] = {
        { NATIVE_QUERY,
          { (const uint8_t *)"\0\0\0\1x\0\x0C\0", 8 },
          ERR_PROTOCOL,
          "Unknown code 12 for a consistency level" },
        { NATIVE_QUERY,
          { (const uint8_t *)"\0\0\0\1x\0\1\1\0\1\xff\xff\xff\xfd", 14 },
          ERR_PROTOCOL,
          "Invalid ByteBuf length -3" },
        { NATIVE_QUERY,
          { (const uint8_t *)"\xff\xff\xff\xffx\0\1\0", 8 },
          ERR_PROTOCOL,
          "Message body is shorter than its contents say" },
        { NATIVE_BATCH, { (const uint8_t *)"\3\0\0\0\1\0", 6 }, ERR_PROTOCOL, "Invalid BATCH message type 3" },
        { NATIVE_BATCH,
          { (const uint8_t *)"\0\0\1\2\0\0\0\1x\0\0\0\1\0", 14 },
          ERR_PROTOCOL,
          "Invalid query kind in BATCH messages. Must be 0 or 1 but got 2" },
        { NATIVE_REGISTER, { (const uint8_t *)"\0\1\0\1x", 5 }, ERR_PROTOCOL, "Invalid value 'x' for Type" },
        { NATIVE_RESULT,
          { (const uint8_t *)"", 0 },
          ERR_PROTOCOL,
          "Wrong protocol direction, expected a request, got opcode 8 (RESULT)" },
        { 0x42, { (const uint8_t *)"", 0 }, ERR_PROTOCOL, "Unknown opcode 66" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct native_header header = { .version = 4, .opcode = cases[i].opcode };

        assert_int_equal(native_decode(&header, cases[i].body, f->arena, &f->request, &f->error), cases[i].status);
        assert_string_equal(f->error.message, cases[i].message);
    }
}

static enum native_frame_result peek(struct fixture *f, const char *bytes, size_t size, struct native_header *header,
                                     size_t *wanted, uint64_t *skip)
{
    return native_frame_peek(bytes_of(bytes, size), 1024, header, wanted, skip, &f->error);
}

static void frames_are_bounded_and_versions_refused(void **state)
{
    struct fixture *f = *state;
    struct native_header header;
    size_t wanted;
    uint64_t skip;

    assert_int_equal(peek(f, "", 0, &header, &wanted, &skip), NATIVE_FRAME_INCOMPLETE);
    for (size_t size = 1; size < 9; size++) {
        assert_int_equal(peek(f, "\4\0\0\1\5\0\0\0\2..", size, &header, &wanted, &skip), NATIVE_FRAME_INCOMPLETE);
        assert_int_equal(wanted, 9);
    }
    assert_int_equal(peek(f, "\4\0\0\1\5\0\0\0\2..", 10, &header, &wanted, &skip), NATIVE_FRAME_INCOMPLETE);
    assert_int_equal(wanted, 11);
    assert_int_equal(peek(f, "\4\0\0\1\5\0\0\0\2..more", 15, &header, &wanted, &skip), NATIVE_FRAME_READY);
    assert_int_equal(wanted, 11);
    assert_int_equal(header.opcode, NATIVE_OPTIONS);

    /* Too large: answered, skipped, and the connection lives. */
    assert_int_equal(peek(f, "\4\0\x12\x34\7\0\0\4\1", 9, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
    assert_int_equal(f->error.status, ERR_INVALID);
    assert_int_equal(header.stream_id, 0x1234);
    assert_true(skip == 9 + 1025);
    assert_int_equal(peek(f, "\4\0\0\1\7\xff\xff\xff\xff", 9, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
    assert_true(skip == 0);

    /* v5 is spoken, with the flag of its beta time or without; v6 steps down, and knows which of its requests it was. */
    assert_int_equal(peek(f, "\5\0\0\3\5\0\0\0\0", 9, &header, &wanted, &skip), NATIVE_FRAME_READY);
    assert_int_equal(peek(f, "\5\x10\0\3\5\0\0\0\0", 9, &header, &wanted, &skip), NATIVE_FRAME_READY);
    assert_int_equal(peek(f, "\6\0\0\3\5", 5, &header, &wanted, &skip), NATIVE_FRAME_INCOMPLETE);
    assert_int_equal(peek(f, "\6\0\0\3\5\0\0\0\0", 9, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
    assert_int_equal(header.stream_id, 3);
    assert_string_equal(f->error.message,
                        "Invalid or unsupported protocol version (6); supported versions are (3/v3, 4/v4, 5/v5)");
    assert_int_equal(peek(f, "\6\x10\0\3\5\0\0\0\0", 9, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
    assert_int_equal(f->error.status, ERR_PROTOCOL);
    assert_int_equal(peek(f, "\2\0\5\1\0\0\0\0", 8, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
    assert_int_equal(header.stream_id, 5);
    assert_int_equal(peek(f, "GET / HTTP/1.1\r\n", 16, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
    assert_int_equal(peek(f, "\x84\0\0\1\5\0\0\0\0", 9, &header, &wanted, &skip), NATIVE_FRAME_BROKEN);
}

static void bombs_are_refused_before_memory_is_taken(void **state)
{
    /* 1 GiB declared; 200 MiB declared by 6 bytes; and the same of Snappy (a varint). */
    static const struct {
        enum native_compression compression;
        struct bytes body;
        enum status status;
    } bombs[] = {
        { NATIVE_COMPRESSION_LZ4, { (const uint8_t *)"\x40\0\0\0\x1f\x61", 6 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_LZ4, { (const uint8_t *)"\xff\xff\xff\xff\x1f\x61", 6 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_LZ4, { (const uint8_t *)"\0\x10\0\0\x1f\x61", 6 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_LZ4, { (const uint8_t *)"\0\0", 2 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_LZ4, { (const uint8_t *)"\0\0\0\x10\x1f\x61", 6 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_SNAPPY, { (const uint8_t *)"\xff\xff\xff\xff\x0f\0", 6 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_SNAPPY, { (const uint8_t *)"\x80\x80\x40\0", 4 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_SNAPPY, { (const uint8_t *)"\xff", 1 }, ERR_PROTOCOL },
        { NATIVE_COMPRESSION_NONE, { (const uint8_t *)"abc", 3 }, ERR_PROTOCOL },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bombs); i++) {
        struct bytes result;

        arena_reset(f->arena);
        assert_int_equal(native_decompress(bombs[i].compression, bombs[i].body, NATIVE_FRAME_BYTES_MAX, f->arena,
                                           &result, &f->error),
                         bombs[i].status);
        assert_true(arena_used(f->arena) < 1024);
    }
}

static void what_is_compressed_opens_again(void **state)
{
    struct fixture *f = *state;
    enum native_compression kinds[] = { NATIVE_COMPRESSION_LZ4, NATIVE_COMPRESSION_SNAPPY };
    uint8_t *data = xmalloc(300000);

    for (size_t i = 0; i < 300000; i++)
        data[i] = (uint8_t)(i % 1000 < 900 ? 0 : i * 2654435761u >> 13);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        for (size_t size = 0; size <= 300000; size = size * 3 + 1) {
            struct buffer packed = { 0 };
            struct bytes result;

            native_compress(kinds[k], bytes_of(data, size), &packed);
            assert_int_equal(native_decompress(kinds[k], buffer_bytes(&packed), NATIVE_FRAME_BYTES_MAX, f->arena,
                                               &result, &f->error),
                             OK);
            assert_true(bytes_equal(result, bytes_of(data, size)));
            buffer_fini(&packed);
            arena_reset(f->arena);
        }
    }
    free(data);
}

/* ---- replies ---- */

static void every_status_has_a_code(void **state)
{
    assert_int_equal(native_error_code(ERR_READ_FAILURE, 4), 0x1300);
    assert_int_equal(native_error_code(ERR_READ_FAILURE, 3), 0x1200);
    assert_int_equal(native_error_code(ERR_WRITE_FAILURE, 4), 0x1500);
    assert_int_equal(native_error_code(ERR_NO_SPACE, 4), 0x1500);
    assert_int_equal(native_error_code(ERR_CORRUPT, 4), 0x1300);
    assert_int_equal(native_error_code(ERR_UNPREPARED, 4), 0x2500);
    assert_int_equal(native_error_code(ERR_SYNTAX, 4), 0x2000);
    assert_int_equal(native_error_code(ERR_FUNCTION_FAILURE, 3), 0x2200);
    assert_int_equal(native_error_code(ERR_CDC_WRITE_FAILURE, 3), 0x2200);
    assert_int_equal(native_error_code(ERR_CDC_WRITE_FAILURE, 4), 0x1600);
    assert_int_equal(native_error_code(ERR_CDC_WRITE_FAILURE, 5), 0x1600);
}

static void assert_encoded(uint8_t version, const struct error *error, const struct native_error_detail *detail,
                           const char *expected, size_t size)
{
    struct buffer out = { 0 };

    native_encode_error(&out, version, error, detail);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, expected, size);
    buffer_fini(&out);
}
#define ASSERT_ENCODED(version, error, detail, expected) \
    assert_encoded(version, error, detail, expected, sizeof(expected) - 1)

/* What a version has no code or no room for is told in what it has, as Cassandra's ErrorMessage does. */
static void errors_are_told_in_the_words_of_each_version(void **state)
{
    struct native_error_detail cas = { .consistency = CONSISTENCY_SERIAL, .write_type = "CAS" };
    struct native_error_detail read = { .consistency = CONSISTENCY_ONE, .failures = 1, .data_present = true };
    struct error error = { 0 };

    error_set(&error, ERR_WRITE_TIMEOUT, "lost");
    ASSERT_ENCODED(4, &error, &cas, "\0\0\x11\0\0\4lost\0\x08\0\0\0\0\0\0\0\1\0\3CAS");
    ASSERT_ENCODED(5, &error, &cas, "\0\0\x17\0\0\4lost\0\x08\0\0\0\0\0\0\0\1");
    error_set(&error, ERR_READ_FAILURE, "bad");
    ASSERT_ENCODED(3, &error, &read, "\0\0\x12\0\0\3bad\0\1\0\0\0\0\0\0\0\1\1");
    ASSERT_ENCODED(4, &error, &read, "\0\0\x13\0\0\3bad\0\1\0\0\0\0\0\0\0\1\0\0\0\1\1");
    ASSERT_ENCODED(5, &error, &read, "\0\0\x13\0\0\3bad\0\1\0\0\0\0\0\0\0\1\0\0\0\1\4\x7f\0\0\1\0\0\1");
    error_set(&error, ERR_CDC_WRITE_FAILURE, "full");
    ASSERT_ENCODED(3, &error, NULL,
                   "\0\0\x22\0\0\x1d"
                   "ERROR CDC_WRITE_FAILURE: full");
    ASSERT_ENCODED(4, &error, NULL, "\0\0\x16\0\0\4full");
}

static void a_cut_message_is_still_utf8(void **state)
{
    struct error error = { 0 };
    struct buffer out = { 0 };

    error_set(&error, ERR_INVALID, "a\xc3\xa9\xff\xe2\x82");
    native_encode_error(&out, 4, &error, NULL);
    assert_int_equal(out.size, 4 + 2 + 6);
    assert_memory_equal(out.data, "\0\0\x22\0\0\6a\xc3\xa9???", 12);
    buffer_fini(&out);
}

static void build_columns(struct fixture *f, struct native_metadata *metadata, uint8_t version, bool with_all_types)
{
    static const enum type_kind kinds[] = { TYPE_ASCII,   TYPE_BIGINT, TYPE_BLOB,     TYPE_BOOLEAN,  TYPE_COUNTER,
                                            TYPE_DECIMAL, TYPE_DOUBLE, TYPE_FLOAT,    TYPE_INT,      TYPE_TIMESTAMP,
                                            TYPE_UUID,    TYPE_TEXT,   TYPE_VARINT,   TYPE_TIMEUUID, TYPE_INET,
                                            TYPE_DATE,    TYPE_TIME,   TYPE_SMALLINT, TYPE_TINYINT,  TYPE_DURATION };
    struct native_column columns[40];
    uint32_t count = 0;
    struct bytes ks = BYTES_LITERAL("ks"), table = BYTES_LITERAL("tab");
    const struct type *text = type_native(TYPE_TEXT), *integer = type_native(TYPE_INT);
    const struct type *pair[] = { integer, text };
    struct bytes names[] = { BYTES_LITERAL("f1"), BYTES_LITERAL("f2") };

    if (!with_all_types) {
        columns[count++] = (struct native_column){ ks, table, BYTES_LITERAL("k"), integer };
        columns[count++] = (struct native_column){ ks, table, BYTES_LITERAL("v"), text };
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
            columns[count++] = (struct native_column){ ks, table, bytes_of_string(arena_printf(f->arena, "c%zu", i)),
                                                       type_native(kinds[i]) };
        columns[count++] = (struct native_column){ ks, table, BYTES_LITERAL("l"), type_list(f->arena, integer, false) };
        columns[count++] = (struct native_column){ ks, table, BYTES_LITERAL("s"), type_set(f->arena, text, true) };
        columns[count++] =
            (struct native_column){ ks, table, BYTES_LITERAL("m"),
                                    type_map(f->arena, integer, type_list(f->arena, text, true), false) };
        columns[count++] = (struct native_column){ ks, table, BYTES_LITERAL("t"), type_tuple(f->arena, pair, 2) };
        columns[count++] = (struct native_column){ ks, table, BYTES_LITERAL("u"),
                                                   type_udt(f->arena, ks, BYTES_LITERAL("udt"), names, pair, 2, true) };
        columns[count++] = (struct native_column){ ks, BYTES_LITERAL("other"), BYTES_LITERAL("vec"),
                                                   type_vector(f->arena, type_native(TYPE_FLOAT), 3) };
    }
    native_metadata_build(metadata, f->arena, version, columns, count);
}

static void append_row_set(struct buffer *out, const struct native_metadata *metadata, bool skip,
                           struct bytes paging_state)
{
    struct native_rows rows;

    native_rows_begin(&rows, out, metadata, skip ? NATIVE_METADATA_SKIPPED : NATIVE_METADATA_SENT, paging_state);
    native_rows_value(&rows, BYTES_LITERAL("\0\0\0\1"));
    native_rows_value(&rows, BYTES_LITERAL("one"));
    native_rows_end_row(&rows);
    store_be32(native_rows_reserve(&rows, 4), 2);
    native_rows_value(&rows, (struct bytes){ NULL, 0 });
    native_rows_end_row(&rows);
    native_rows_end(&rows);
}

static void rows_have_the_bytes_of_the_specification(void **state)
{
    static const uint8_t expected[] = {
        0x84, 0x00, 0x01, 0x02, 0x08, 0,   0,   0,   80,      /* v4 reply, stream 0x0102, RESULT */
        0,    0,    0,    2,                                  /* rows */
        0,    0,    0,    3,    0,    0,   0,   2,            /* global table, more pages; 2 columns */
        0,    0,    0,    2,    'p',  's',                    /* paging state */
        0,    2,    'k',  's',  0,    3,   't', 'a', 'b',     /* table */
        0,    1,    'k',  0,    9,    0,   1,   'v', 0,   13, /* k int, v varchar */
        0,    0,    0,    2,                                  /* rows */
        0,    0,    0,    4,    0,    0,   0,   1,   0,   0,    0,    3,    'o',  'n',
        'e',  0,    0,    0,    4,    0,   0,   0,   2,   0xff, 0xff, 0xff, 0xff,
    };
    struct fixture *f = *state;
    struct native_metadata metadata;
    struct native_reply reply = { .version = 4, .stream_id = 0x0102, .opcode = NATIVE_RESULT };
    struct buffer out = { 0 };
    size_t start;

    build_columns(f, &metadata, 4, false);
    buffer_append_string(&out, "before"); /* a reply follows others in the same buffer */
    start = native_reply_begin(&out);
    append_row_set(&out, &metadata, false, BYTES_LITERAL("ps"));
    native_reply_end(&out, start, &reply);
    assert_int_equal(start, 6);
    assert_int_equal(out.size - start, 9 + 4 + 8 + 6 + 9 + 10 + 4 + 15 + 12);
    /* the length in the header */
    assert_int_equal(load_be32(out.data + start + 5), out.size - start - 9);
    assert_memory_equal(out.data + start + 9, expected + 9, sizeof(expected) - 9);
    assert_memory_equal(out.data + start, expected, 5);
    buffer_fini(&out);
}

/* A thousand fields in a vector have a name longer than a [string]: the client is told of bytes, and the server lives. */
static void a_type_whose_name_is_too_long_is_bytes(void **state)
{
    enum { FIELDS = 1000 };
    static const char bytes_type[] = "org.apache.cassandra.db.marshal.BytesType";
    struct fixture *f = *state;
    struct bytes *names = arena_new_array(f->arena, struct bytes, FIELDS);
    const struct type **kinds = arena_new_array(f->arena, const struct type *, FIELDS);
    struct native_column column = { BYTES_LITERAL("ks"), BYTES_LITERAL("t"), BYTES_LITERAL("v"), NULL };
    struct native_metadata metadata;

    for (int i = 0; i < FIELDS; i++) {
        names[i] = BYTES_LITERAL("a_name_of_some_forty_characters_in_the_end");
        kinds[i] = type_native(TYPE_INT);
    }
    column.type = type_vector(
        f->arena, type_udt(f->arena, BYTES_LITERAL("ks"), BYTES_LITERAL("u"), names, kinds, FIELDS, true), 3);
    for (uint8_t version = NATIVE_V3; version <= NATIVE_V5; version++) {
        size_t size = sizeof(bytes_type) - 1;

        native_metadata_build(&metadata, f->arena, version, &column, 1);
        assert_true(metadata.specs.size > size + 2);
        assert_int_equal(load_be16(metadata.specs.data + metadata.specs.size - size - 2), size);
        assert_memory_equal(metadata.specs.data + metadata.specs.size - size, bytes_type, size);
    }
}

/* ---- --emit ---- */

struct emitter {
    struct fixture *f;
    struct buffer out;
    size_t start;
    struct native_reply reply;
};

static void emit_begin(struct emitter *e, const char *name, enum native_opcode opcode)
{
    printf("%s ", name);
    buffer_reset(&e->out);
    e->start = native_reply_begin(&e->out);
    e->reply = (struct native_reply){ .version = 4, .stream_id = 3, .opcode = opcode };
}

static void emit_end(struct emitter *e)
{
    native_reply_end(&e->out, e->start, &e->reply);
    for (size_t i = 0; i < e->out.size; i++)
        printf("%02x", e->out.data[i]);
    printf("\n");
}

static void emit_errors(struct emitter *e)
{
    static const enum status statuses[] = {
        ERR_SERVER,   ERR_PROTOCOL,      ERR_CREDENTIALS,  ERR_UNAVAILABLE,  ERR_OVERLOADED,       ERR_BOOTSTRAPPING,
        ERR_TRUNCATE, ERR_WRITE_TIMEOUT, ERR_READ_TIMEOUT, ERR_READ_FAILURE, ERR_FUNCTION_FAILURE, ERR_WRITE_FAILURE,
        ERR_SYNTAX,   ERR_UNAUTHORIZED,  ERR_INVALID,      ERR_CONFIG,       ERR_ALREADY_EXISTS,   ERR_UNPREPARED
    };
    static const struct bytes arguments[] = { { (const uint8_t *)"int", 3 }, { (const uint8_t *)"text", 4 } };

    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct native_error_detail detail = { .consistency = CONSISTENCY_QUORUM,
                                              .received = 1,
                                              .block_for = 2,
                                              .failures = 3,
                                              .data_present = true,
                                              .write_type = "BATCH",
                                              .argument_types = arguments,
                                              .argument_count = 2 };
        struct error error = { 0 };
        char name[64];

        detail.function_keyspace = BYTES_LITERAL("fks");
        detail.function_name = BYTES_LITERAL("fn");
        error_set(&error, statuses[i], "message of %s", status_name(statuses[i]));
        strcpy(error.keyspace, "ks1");
        strcpy(error.name, "t1");
        memcpy(error.id, "0123456789abcdef", 16);
        snprintf(name, sizeof(name), "error_%s", status_name(statuses[i]));
        emit_begin(e, name, NATIVE_ERROR);
        native_encode_error(&e->out, 4, &error, &detail);
        emit_end(e);
    }
}

static void emit_results(struct emitter *e)
{
    static const struct bytes warnings[] = { { (const uint8_t *)"careful", 7 }, { (const uint8_t *)"very", 4 } };
    static const struct native_pair payload[] = { { { (const uint8_t *)"units", 5 }, { (const uint8_t *)"\1\2", 2 } } };
    static const uint16_t pk_indexes[] = { 1, 0 };
    struct native_metadata metadata, all_types;
    struct bytes no_state = { NULL, 0 };
    struct native_rows rows;

    build_columns(e->f, &metadata, 4, false);
    build_columns(e->f, &all_types, 4, true);
    emit_begin(e, "void", NATIVE_RESULT);
    native_encode_result_void(&e->out);
    emit_end(e);
    emit_begin(e, "set_keyspace", NATIVE_RESULT);
    native_encode_result_set_keyspace(&e->out, BYTES_LITERAL("ks1"));
    emit_end(e);
    emit_begin(e, "rows", NATIVE_RESULT);
    append_row_set(&e->out, &metadata, false, no_state);
    emit_end(e);
    emit_begin(e, "rows_paged", NATIVE_RESULT);
    append_row_set(&e->out, &metadata, false, BYTES_LITERAL("page2"));
    emit_end(e);
    emit_begin(e, "rows_no_metadata", NATIVE_RESULT);
    append_row_set(&e->out, &metadata, true, no_state);
    emit_end(e);
    emit_begin(e, "rows_all_types", NATIVE_RESULT);
    native_rows_begin(&rows, &e->out, &all_types, NATIVE_METADATA_SENT, no_state);
    native_rows_end(&rows);
    emit_end(e);
    emit_begin(e, "rows_decorated", NATIVE_RESULT);
    append_row_set(&e->out, &metadata, false, no_state);
    e->reply.warnings = warnings;
    e->reply.warning_count = 2;
    e->reply.tracing_id = (const uint8_t *)"\x01\x02\x03\x04\x05\x06\x11\x08\x89\x0a\x0b\x0c\x0d\x0e\x0f\x10";
    e->reply.payload = payload;
    e->reply.payload_count = 1;
    emit_end(e);
    for (int kind = NATIVE_COMPRESSION_LZ4; kind <= NATIVE_COMPRESSION_SNAPPY; kind++) {
        emit_begin(e, kind == NATIVE_COMPRESSION_LZ4 ? "rows_lz4" : "rows_snappy", NATIVE_RESULT);
        native_rows_begin(&rows, &e->out, &metadata, NATIVE_METADATA_SENT, no_state);
        for (int i = 0; i < 100; i++) {
            native_rows_value(&rows, BYTES_LITERAL("\0\0\0\1"));
            native_rows_value(&rows, BYTES_LITERAL("the same again"));
            native_rows_end_row(&rows);
        }
        native_rows_end(&rows);
        e->reply.compression = (enum native_compression)kind;
        emit_end(e);
    }
    emit_begin(e, "prepared", NATIVE_RESULT);
    native_encode_result_prepared(&e->out, 4, BYTES_LITERAL("0123456789abcdef"), &metadata, pk_indexes, 2, &metadata);
    emit_end(e);
    emit_begin(e, "prepared_insert", NATIVE_RESULT);
    native_encode_result_prepared(&e->out, 4, BYTES_LITERAL("0123456789abcdef"), &metadata, pk_indexes, 1,
                                  &native_metadata_none);
    emit_end(e);
}

static void emit_schema_and_events(struct emitter *e)
{
    static const struct bytes arguments[] = { { (const uint8_t *)"int", 3 }, { (const uint8_t *)"text", 4 } };
    static const char *const names[] = { "keyspace", "table", "type", "function", "aggregate" };

    for (int target = NATIVE_TARGET_KEYSPACE; target <= NATIVE_TARGET_AGGREGATE; target++) {
        struct native_schema_change change = { (enum native_change)(target % 3),
                                               (enum native_target)target,
                                               BYTES_LITERAL("ks1"),
                                               BYTES_LITERAL("thing"),
                                               arguments,
                                               2 };
        char name[64];

        snprintf(name, sizeof(name), "schema_%s", names[target]);
        emit_begin(e, name, NATIVE_RESULT);
        native_encode_result_schema_change(&e->out, &change);
        emit_end(e);
        snprintf(name, sizeof(name), "event_schema_%s", names[target]);
        emit_begin(e, name, NATIVE_EVENT);
        e->reply.stream_id = -1;
        native_encode_event_schema(&e->out, &change);
        emit_end(e);
    }
}

static void emit_session(struct emitter *e)
{
    static const char *const versions[] = { "3.4.7", NULL }, *const compressions[] = { "snappy", "lz4", NULL };
    static const struct native_supported supported[] = { { "CQL_VERSION", versions },
                                                         { "COMPRESSION", compressions },
                                                         { 0 } };

    emit_begin(e, "ready", NATIVE_READY);
    native_encode_ready(&e->out);
    emit_end(e);
    emit_begin(e, "authenticate", NATIVE_AUTHENTICATE);
    native_encode_authenticate(&e->out, "org.apache.cassandra.auth.PasswordAuthenticator");
    emit_end(e);
    emit_begin(e, "auth_success", NATIVE_AUTH_SUCCESS);
    native_encode_auth_success(&e->out, (struct bytes){ NULL, 0 });
    emit_end(e);
    emit_begin(e, "supported", NATIVE_SUPPORTED);
    native_encode_supported(&e->out, supported);
    emit_end(e);
}

static int emit(void)
{
    struct fixture f = { .arena = arena_new(4096) };
    struct emitter e = { .f = &f };

    emit_session(&e);
    emit_errors(&e);
    emit_results(&e);
    emit_schema_and_events(&e);
    buffer_fini(&e.out);
    arena_free(f.arena);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_is_begun, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queries_carry_parameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prepared_statements_are_executed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batches_are_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compressed_frames_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(later_messages_are_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_bodies_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_are_checked_before_memory_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_values_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_are_bounded_and_versions_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bombs_are_refused_before_memory_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_compressed_opens_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_status_has_a_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_are_told_in_the_words_of_each_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_message_is_still_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_have_the_bytes_of_the_specification, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_type_whose_name_is_too_long_is_bytes, set_up, tear_down),
    };

    if (argc > 1 && strcmp(argv[1], "--emit") == 0)
        return emit();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
