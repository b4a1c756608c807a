/* Segments as a real driver makes them are opened, and ours are the same bytes; every flipped bit is seen; envelopes go
 * through whatever way the bytes come, and wherever reading stops; what is too large or comes too early is refused. */
#include "base/crc.h"
#include "base/poison.h"
#include "base/random.h"
#include "wire/driver_frames.h"
#include "wire/native_segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { LARGE_BODY = 300000 };

static uint8_t scratch[NATIVE_SEGMENT_PAYLOAD_MAX];

struct step {
    enum native_segments_result result;
    struct native_header header;
    struct bytes body;
    size_t taken, wanted;
    struct error error;
};

static struct native_segments reader_of(enum native_compression compression)
{
    return (struct native_segments){ .compression = compression,
                                     .body_bytes_max = NATIVE_FRAME_BYTES_MAX,
                                     .takes_large = true };
}

static struct step next(struct native_segments *segments, struct bytes input)
{
    struct step step = { 0 };

    step.result = native_segments_next(segments, input, scratch, &step.header, &step.body, &step.taken, &step.wanted,
                                       &step.error);
    assert_true(step.taken <= input.size);
    return step;
}

static struct bytes after(struct bytes input, size_t taken)
{
    return bytes_of(input.data + taken, input.size - taken);
}

static void checksums_are_the_known_ones(void **state)
{
    /* The check values that catalogues of CRCs give; and a header of 3 bytes as Cassandra's own class computes it. */
    assert_int_equal(crc32_more(0, BYTES_LITERAL("123456789")), 0xCBF43926);
    assert_int_equal(crc32_more(crc32_more(0, BYTES_LITERAL("1234")), BYTES_LITERAL("56789")), 0xCBF43926);
    assert_int_equal(crc24_more(crc24_more(0x875060, BYTES_LITERAL("12")), BYTES_LITERAL("3")),
                     crc24_more(0x875060, BYTES_LITERAL("123")));
}

static void open_driver_segment(const uint8_t *data, size_t size, enum native_compression compression, int count,
                                struct bytes body)
{
    struct native_segments segments = reader_of(compression);
    struct bytes input = bytes_of(data, size);
    struct step step;

    for (int i = 0; i < count; i++) {
        step = next(&segments, input);
        assert_int_equal(step.result, NATIVE_SEGMENTS_ENVELOPE);
        assert_int_equal(step.header.opcode, NATIVE_QUERY);
        assert_int_equal(step.header.stream_id, 7);
        assert_true(bytes_equal(step.body, body));
        assert_int_equal(step.taken, i == count - 1 ? size : 0);
        input = after(input, step.taken);
    }
    step = next(&segments, input);
    assert_int_equal(step.result, NATIVE_SEGMENTS_INCOMPLETE);
    native_segments_fini(&segments);
}

static void segments_of_a_driver_are_opened(void **state)
{
    struct bytes body = bytes_of(driver_query_v5 + 9, sizeof(driver_query_v5) - 9);
    struct native_segments segments = reader_of(NATIVE_COMPRESSION_LZ4);
    struct step step;

    open_driver_segment(driver_segment_query, sizeof(driver_segment_query), NATIVE_COMPRESSION_NONE, 1, body);
    open_driver_segment(driver_segment_three, sizeof(driver_segment_three), NATIVE_COMPRESSION_NONE, 3, body);
    open_driver_segment(driver_segment_query_lz4, sizeof(driver_segment_query_lz4), NATIVE_COMPRESSION_LZ4, 1, body);
    step = next(&segments, bytes_of(driver_segment_long_lz4, sizeof(driver_segment_long_lz4)));
    assert_int_equal(step.result, NATIVE_SEGMENTS_ENVELOPE);
    assert_int_equal(step.body.size, 4 + 1028 + 2 + 4);
    assert_memory_equal(step.body.data + 4, "SELECT * FROM t WHERE k = 'xxx", 30);
    native_segments_fini(&segments);
}

static void append_envelope(struct buffer *out, int16_t stream_id, size_t body_size)
{
    uint8_t *at = buffer_extend(out, NATIVE_HEADER_BYTES + body_size);

    memcpy(at, (uint8_t[]){ 5, 0, (uint8_t)(stream_id >> 8), (uint8_t)stream_id, NATIVE_QUERY }, 5);
    store_be32(at + 5, (uint32_t)body_size);
    for (size_t i = 0; i < body_size; i++)
        at[NATIVE_HEADER_BYTES + i] = (uint8_t)(i % 251);
}

static void ours_are_the_bytes_of_a_driver(void **state)
{
    struct buffer out = { 0 }, packed = { 0 };
    const uint8_t *mark = driver_segment_large_marks;
    size_t start = native_segments_begin(&out, NATIVE_COMPRESSION_NONE), at;

    for (int i = 0; i < 3; i++)
        buffer_append(&out, driver_query_v5, sizeof(driver_query_v5));
    native_segments_end(&out, start, NATIVE_COMPRESSION_NONE, &packed);
    assert_int_equal(out.size, sizeof(driver_segment_three));
    assert_memory_equal(out.data, driver_segment_three, out.size);

    buffer_reset(&out);
    start = native_segments_begin(&out, NATIVE_COMPRESSION_NONE);
    append_envelope(&out, 7, LARGE_BODY);
    native_segments_end(&out, start, NATIVE_COMPRESSION_NONE, &packed);
    assert_int_equal(out.size, NATIVE_HEADER_BYTES + LARGE_BODY + 3 * 10);
    for (at = 0; at < out.size; mark += 10) {
        size_t size = (size_t)(mark[0] | mark[1] << 8 | (mark[2] & 1) << 16);

        assert_memory_equal(out.data + at, mark, 6);
        assert_memory_equal(out.data + at + 6 + size, mark + 6, 4);
        at += size + 10;
    }
    assert_int_equal(mark - driver_segment_large_marks, sizeof(driver_segment_large_marks));
    buffer_fini(&out);
    buffer_fini(&packed);
}

static void every_flipped_bit_is_seen(void **state)
{
    static const struct {
        const uint8_t *data;
        size_t size;
        enum native_compression compression;
    } cases[] = {
        { driver_segment_query, sizeof(driver_segment_query), NATIVE_COMPRESSION_NONE },
        { driver_segment_query_lz4, sizeof(driver_segment_query_lz4), NATIVE_COMPRESSION_LZ4 },
        { driver_segment_long_lz4, sizeof(driver_segment_long_lz4), NATIVE_COMPRESSION_LZ4 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t bit = 0; bit < cases[i].size * 8; bit++) {
            struct native_segments segments = reader_of(cases[i].compression);
            uint8_t *copy = (uint8_t *)xstrndup(cases[i].data, cases[i].size);
            struct step step;

            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            step = next(&segments, bytes_of(copy, cases[i].size));
            assert_int_equal(step.result, NATIVE_SEGMENTS_BROKEN);
            assert_int_equal(step.error.status, ERR_PROTOCOL);
            assert_non_null(strstr(step.error.message, "CRC mismatch"));
            native_segments_fini(&segments);
            free(copy);
        }
}

/* Envelopes of many sizes, in turns as a connection makes them; read in pieces as a network makes them, by two readers
 * that take turns with the scratch. */
static void go_through(struct random *random, enum native_compression compression)
{
    struct native_segments segments = reader_of(compression);
    struct buffer out = { 0 }, packed = { 0 };
    uint32_t sizes[64], count = 1 + (uint32_t)random_below(random, 64), got = 0, segment_count = 0;
    size_t at = 0, come = 0;

    for (uint32_t i = 0; i < count;) {
        uint32_t turn = 1 + (uint32_t)random_below(random, 20);
        size_t start = native_segments_begin(&out, compression);

        for (; turn-- && i < count; i++) {
            sizes[i] = (uint32_t)random_below(random, random_below(random, 8) ? 2000 : LARGE_BODY);
            append_envelope(&out, (int16_t)i, sizes[i]);
        }
        native_segments_end(&out, start, compression, &packed);
        if (random_below(random, 2)) /* a turn that came to nothing */
            native_segments_end(&out, native_segments_begin(&out, compression), compression, &packed);
    }
    while (got < count) {
        struct step step;

        come += 1 + random_below(random, out.size / 4 + 1);
        come = come < out.size ? come : out.size;
        while ((step = next(&segments, bytes_of(out.data + at, come - at))).result != NATIVE_SEGMENTS_INCOMPLETE) {
            at += step.taken;
            segment_count += step.taken > 0;
            assert_true(step.result == NATIVE_SEGMENTS_ENVELOPE || step.result == NATIVE_SEGMENTS_NONE);
            if (step.result == NATIVE_SEGMENTS_NONE)
                continue;
            assert_int_equal(step.header.stream_id, got);
            assert_int_equal(step.body.size, sizes[got]);
            for (uint32_t i = 0; i < sizes[got]; i++)
                if (step.body.data[i] != (uint8_t)(i % 251))
                    fail();
            got++;
            if (random_below(random, 4) == 0) { /* somebody else's turn */
                native_segments_keep(&segments, scratch);
                if (!POISON_IS_SEEN)
                    memset(scratch, 0xEE, sizeof(scratch));
            }
        }
        assert_true(got == count || step.wanted > come - at);
    }
    assert_int_equal(at, out.size);
    native_segments_keep(&segments, scratch);
    assert_int_equal(native_segments_held(&segments), 0);
    assert_true(segment_count >= 1);
    native_segments_fini(&segments);
    buffer_fini(&out);
    buffer_fini(&packed);
}

static void envelopes_go_through(void **state)
{
    struct random random;

    random_seed(&random, 42);
    for (int i = 0; i < 60; i++)
        go_through(&random, i % 2 ? NATIVE_COMPRESSION_LZ4 : NATIVE_COMPRESSION_NONE);
}

/* As few segments as hold them: neither one each nor more than fit. */
static void a_turn_is_gathered(void **state)
{
    struct buffer out = { 0 }, packed = { 0 };
    size_t start = native_segments_begin(&out, NATIVE_COMPRESSION_NONE), at = 0;
    uint32_t count = 0;

    for (int16_t i = 0; i < 100; i++)
        append_envelope(&out, i, 4000); /* 32 fit in one */
    append_envelope(&out, 100, 200000);
    append_envelope(&out, 101, 10);
    native_segments_end(&out, start, NATIVE_COMPRESSION_NONE, &packed);
    for (; at < out.size; count++) {
        uint32_t header = out.data[at] | out.data[at + 1] << 8 | (uint32_t)out.data[at + 2] << 16;

        assert_int_equal(header >> 17, count < 4 || count == 6);
        at += 10 + (header & NATIVE_SEGMENT_PAYLOAD_MAX);
    }
    assert_int_equal(count, 4 + 2 + 1);
    buffer_fini(&out);
    buffer_fini(&packed);
}

static struct bytes in_segments(struct buffer *out, size_t body_size, enum native_compression compression)
{
    struct buffer packed = { 0 };
    size_t start;

    buffer_reset(out);
    start = native_segments_begin(out, compression);
    append_envelope(out, 7, body_size);
    native_segments_end(out, start, compression, &packed);
    buffer_fini(&packed);
    return buffer_bytes(out);
}

static void what_is_too_large_is_skipped(void **state)
{
    struct native_segments segments = reader_of(NATIVE_COMPRESSION_NONE);
    struct buffer out = { 0 };
    struct bytes input = in_segments(&out, LARGE_BODY, NATIVE_COMPRESSION_NONE);
    struct step step;

    segments.body_bytes_max = 1000;
    for (int part = 0; part < 2; part++) {
        step = next(&segments, input);
        assert_int_equal(step.result, NATIVE_SEGMENTS_NONE);
        assert_int_equal(native_segments_held(&segments), 0);
        input = after(input, step.taken);
    }
    step = next(&segments, input);
    assert_int_equal(step.result, NATIVE_SEGMENTS_REFUSED);
    assert_int_equal(step.header.stream_id, 7);
    assert_int_equal(step.error.status, ERR_INVALID);
    assert_string_equal(step.error.message, "CQL Message of size 300000 bytes exceeds allowed maximum of 1000 bytes");
    assert_int_equal(step.taken, input.size);
    step = next(&segments, in_segments(&out, 2000, NATIVE_COMPRESSION_NONE));
    assert_int_equal(step.result, NATIVE_SEGMENTS_REFUSED);
    step = next(&segments, in_segments(&out, 1000, NATIVE_COMPRESSION_NONE));
    assert_int_equal(step.result, NATIVE_SEGMENTS_ENVELOPE);

    /* And who has not said who they are is not waited for. */
    segments.body_bytes_max = NATIVE_FRAME_BYTES_MAX;
    segments.takes_large = false;
    step = next(&segments, in_segments(&out, LARGE_BODY, NATIVE_COMPRESSION_NONE));
    assert_int_equal(step.result, NATIVE_SEGMENTS_BROKEN);
    assert_int_equal(native_segments_held(&segments), 0);
    native_segments_fini(&segments);
    buffer_fini(&out);
}

/* A payload that a checksum fits, and that says what cannot be. */
static void lies_are_refused(void **state)
{
    static const struct {
        struct bytes payload;
        enum native_segments_result result;
    } lies[] = {
        { { (const uint8_t *)"\5\0\0\7\7\0\0\0", 8 }, NATIVE_SEGMENTS_BROKEN },
        { { (const uint8_t *)"\5\0\0\7\7\0\0\0\1", 9 }, NATIVE_SEGMENTS_BROKEN },
        { { (const uint8_t *)"\5\0\0\7\7\xff\xff\xff\xff", 9 }, NATIVE_SEGMENTS_BROKEN },
        { { (const uint8_t *)"\4\0\0\7\7\0\0\0\0", 9 }, NATIVE_SEGMENTS_REFUSED },
        { { (const uint8_t *)"\6\0\0\7\7\0\0\0\0", 9 }, NATIVE_SEGMENTS_REFUSED },
        { { (const uint8_t *)"\x85\0\0\7\7\0\0\0\0", 9 }, NATIVE_SEGMENTS_REFUSED },
        { { (const uint8_t *)"\5\0\0\7\7\0\0\0\0", 9 }, NATIVE_SEGMENTS_ENVELOPE },
    };

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        struct native_segments segments = reader_of(NATIVE_COMPRESSION_NONE);
        struct buffer out = { 0 }, packed = { 0 };
        size_t start = native_segments_begin(&out, NATIVE_COMPRESSION_NONE);
        struct step step;

        buffer_append_bytes(&out, lies[i].payload);
        native_segments_end(&out, start, NATIVE_COMPRESSION_NONE, &packed);
        step = next(&segments, buffer_bytes(&out));
        assert_int_equal(step.result, lies[i].result);
        native_segments_fini(&segments);
        buffer_fini(&out);
        buffer_fini(&packed);
    }
}

/* LZ4 blocks that say less or more than they hold: a length of 17 bits is the most that memory is used for. */
static void bombs_do_not_go_off(void **state)
{
    for (uint32_t claimed = 1; claimed <= NATIVE_SEGMENT_PAYLOAD_MAX; claimed = claimed * 2 + 1) {
        struct native_segments segments = reader_of(NATIVE_COMPRESSION_LZ4);
        static const uint8_t block[] = { 0x1f, 0x00, 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };
        static const uint8_t initial[] = { 0xFA, 0x2D, 0x55, 0xCA };
        uint64_t lengths = sizeof(block) | (uint64_t)claimed << 17 | UINT64_C(1) << 34;
        uint8_t segment[8 + sizeof(block) + 4];
        uint32_t crc;
        struct step step;

        memcpy(segment, &lengths, 5);
        crc = crc24_more(0x875060, bytes_of(segment, 5));
        memcpy(segment + 5, &crc, 3);
        memcpy(segment + 8, block, sizeof(block));
        crc = crc32_more(crc32_more(0, bytes_of(initial, 4)), bytes_of(block, sizeof(block)));
        memcpy(segment + 8 + sizeof(block), &crc, 4);
        step = next(&segments, bytes_of(segment, sizeof(segment)));
        assert_int_equal(step.result, NATIVE_SEGMENTS_BROKEN);
        assert_int_equal(native_segments_held(&segments), 0);
        native_segments_fini(&segments);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_the_known_ones),
        cmocka_unit_test(segments_of_a_driver_are_opened),
        cmocka_unit_test(ours_are_the_bytes_of_a_driver),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(envelopes_go_through),
        cmocka_unit_test(a_turn_is_gathered),
        cmocka_unit_test(what_is_too_large_is_skipped),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(bombs_do_not_go_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
