/* A log's frames: every flipped bit of synced frames is damage, wherever it is; every end that a crash can leave is an end, and what was
 * synced before it is given whole. The files are made here, byte by byte, and encrypted with a stream that depends on the place.
 */
#include "store/rocksdb/frame.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FRAMES = 14 };

struct log {
    struct buffer raw; /* encrypted */
    uint64_t begins[FRAMES + 1];
    uint64_t payload_bytes;
    uint32_t count;
};

static uint8_t stream_at(uint64_t place)
{
    uint64_t x = (place + 1) * 0x9e3779b97f4a7c15;

    x ^= x >> 29;
    return (uint8_t)((x * 0xbf58476d1ce4e5b9) >> 56);
}

static enum status read_log(void *context, uint64_t place, uint8_t *raw, uint8_t *plain, size_t size, size_t *got,
                            struct error *err)
{
    const struct buffer *file = context;

    *got = place >= file->size ? 0 : file->size - place < size ? file->size - place : size;
    memcpy(raw, file->data + place, *got);
    for (size_t i = 0; i < *got; i++)
        plain[i] = raw[i] ^ stream_at(place + i);
    return OK;
}

static void add(struct log *log, size_t size, uint64_t synced)
{
    uint8_t bytes[FRAME_HEAD_BYTES + 2048];
    uint64_t place = log->raw.size;

    for (size_t i = 0; i < size; i++)
        bytes[FRAME_HEAD_BYTES + i] = (uint8_t)(i * 31 + log->count);
    frame_write_head(bytes, place, bytes_of(bytes + FRAME_HEAD_BYTES, size), place - synced);
    for (size_t i = 0; i < FRAME_HEAD_BYTES + size; i++)
        bytes[i] ^= stream_at(place + i);
    buffer_append(&log->raw, bytes, FRAME_HEAD_BYTES + size);
    log->payload_bytes += size;
    log->begins[++log->count] = log->raw.size;
}

/* Each synced before the next, but for the last `unsynced` ones, which have one sync to come. */
static void make(struct log *log, uint32_t unsynced)
{
    static const size_t sizes[FRAMES] = { 1, 40, 200, 7, 33, 500, 64, 16, 300, 2, 900, 120, 700, 90 };

    *log = (struct log){ 0 };
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint32_t first = FRAMES - unsynced;

        add(log, sizes[i], log->begins[i < first ? i : first]);
    }
}

/* How many frames come; the status is that of the end. */
static enum status read_all(struct buffer *file, uint32_t *frames)
{
    struct frame_source source = { read_log, file };
    struct frame_reader reader;
    struct bytes payload;
    struct error err;
    enum status status;

    frame_reader_init(&reader, &source, file->size);
    for (*frames = 0;; ++*frames) {
        status = frame_reader_next(&reader, &payload, &err);
        if (status || !payload.data)
            break;
        for (size_t i = 0; i < payload.size; i++)
            assert_int_equal(payload.data[i], (uint8_t)(i * 31 + *frames));
    }
    frame_reader_fini(&reader);
    return status;
}

static void frames_come_back(void **state)
{
    struct log log;
    struct frame_reader reader;
    struct frame_source source = { read_log, &log.raw };
    struct error err;
    uint32_t frames;
    uint64_t bytes;

    make(&log, 0);
    assert_int_equal(read_all(&log.raw, &frames), OK);
    assert_int_equal(frames, FRAMES);
    frame_reader_init(&reader, &source, log.raw.size);
    assert_int_equal(frame_reader_payload_bytes(&reader, &bytes, &err), OK);
    assert_int_equal(bytes, log.payload_bytes);
    frame_reader_fini(&reader);
    buffer_fini(&log.raw);
}

static void every_flipped_bit_of_what_was_synced_is_damage(void **state)
{
    struct log log;
    uint32_t frames;

    make(&log, 0);
    for (size_t at = 0; at < log.raw.size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            log.raw.data[at] ^= (uint8_t)(1 << bit);
            if (read_all(&log.raw, &frames) != ERR_CORRUPT)
                fail_msg("byte %zu, bit %u: %u frames", at, bit, frames);
            log.raw.data[at] ^= (uint8_t)(1 << bit);
        }
    buffer_fini(&log.raw);
}

/* Whatever is wrong before a frame that knows of its sync: zeros, other bytes, many of them. */
static void what_a_later_frame_vouches_for_is_never_an_end(void **state)
{
    unsigned seed = 11;
    uint32_t frames;

    for (int round = 0; round < 2000; round++) {
        struct log log;
        size_t from, size;

        make(&log, 0);
        from = (size_t)rand_r(&seed) % log.begins[FRAMES - 1];
        size = 1 + (size_t)rand_r(&seed) % (log.begins[FRAMES - 1] - from);
        for (size_t i = from; i < from + size; i++)
            log.raw.data[i] = round % 2 ? 0 : (uint8_t)rand_r(&seed);
        assert_int_equal(read_all(&log.raw, &frames), ERR_CORRUPT);
        buffer_fini(&log.raw);
    }
}

/* Written whole, but where another should be. */
static void a_frame_in_another_s_place_is_damage(void **state)
{
    struct log log = { 0 };
    uint32_t frames;

    for (int i = 0; i < 3; i++)
        add(&log, 64, log.begins[i]);
    for (uint64_t i = log.begins[0]; i < log.begins[1]; i++)
        log.raw.data[log.begins[1] + i] = log.raw.data[i] ^ stream_at(i) ^ stream_at(log.begins[1] + i);
    assert_int_equal(read_all(&log.raw, &frames), ERR_CORRUPT);
    assert_int_equal(frames, 1);
    buffer_fini(&log.raw);
}

static void a_log_cut_anywhere_is_an_end(void **state)
{
    struct log log;
    size_t whole;

    make(&log, 0);
    whole = log.raw.size;
    for (size_t size = whole; size-- > 0;) {
        uint32_t frames, wanted = 0;

        log.raw.size = size;
        while (log.begins[wanted + 1] <= size)
            wanted++;
        assert_int_equal(read_all(&log.raw, &frames), OK);
        assert_int_equal(frames, wanted);
    }
    buffer_fini(&log.raw);
}

/* Of the last, unsynced frames any sectors came to the disk and others did not. */
static void missing_sectors_of_what_was_not_synced_are_an_end(void **state)
{
    enum { UNSYNCED = 4 };
    unsigned seed = 5;

    for (int round = 0; round < 3000; round++) {
        struct log log;
        size_t first;
        uint32_t frames;
        bool missing = false;

        make(&log, UNSYNCED);
        first = log.begins[FRAMES - UNSYNCED];
        for (size_t sector = first / FRAME_SECTOR_BYTES; sector * FRAME_SECTOR_BYTES < log.raw.size; sector++) {
            size_t from = sector * FRAME_SECTOR_BYTES, end = from + FRAME_SECTOR_BYTES;

            from = from > first ? from : first;
            end = end < log.raw.size ? end : log.raw.size;
            if (rand_r(&seed) % 3)
                continue;
            memset(log.raw.data + from, 0, end - from);
            missing = true;
        }
        assert_int_equal(read_all(&log.raw, &frames), OK);
        assert_true(frames >= FRAMES - UNSYNCED && (missing ? frames < FRAMES : frames == FRAMES));
        buffer_fini(&log.raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(every_flipped_bit_of_what_was_synced_is_damage),
        cmocka_unit_test(what_a_later_frame_vouches_for_is_never_an_end),
        cmocka_unit_test(a_frame_in_another_s_place_is_damage),
        cmocka_unit_test(a_log_cut_anywhere_is_an_end),
        cmocka_unit_test(missing_sectors_of_what_was_not_synced_are_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
