/* Any bytes as segments, with and without LZ4, whole and in two pieces: envelopes come out, or they are refused, or more is
 * waited for; nothing is read past its end, and what is held is no more than what came. The checksums are made right first,
 * so that what they protect is reached. */
#include "base/crc.h"
#include "base/poison.h"
#include "wire/native_segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t scratch[NATIVE_SEGMENT_PAYLOAD_MAX];

static void mend(uint8_t *data, size_t size, size_t header)
{
    static const uint8_t initial[] = { 0xFA, 0x2D, 0x55, 0xCA };

    for (size_t at = 0; size - at >= header + 3;) {
        size_t payload = (size_t)(data[at] | data[at + 1] << 8 | (data[at + 2] & 1) << 16);
        uint32_t crc = crc24_more(0x875060, bytes_of(data + at, header));

        memcpy(data + at + header, &crc, 3);
        at += header + 3;
        if (size - at < payload + 4)
            return;
        crc = crc32_more(crc32_more(0, bytes_of(initial, 4)), bytes_of(data + at, payload));
        memcpy(data + at + payload, &crc, 4);
        at += payload + 4;
    }
}

static void read_all(struct native_segments *segments, struct bytes input, struct arena *arena)
{
    for (;;) {
        struct native_header header;
        struct native_request request;
        struct bytes body;
        struct error error = { 0 };
        size_t taken, wanted;

        switch (native_segments_next(segments, input, scratch, &header, &body, &taken, &wanted, &error)) {
        case NATIVE_SEGMENTS_ENVELOPE:
            if (body.size != header.length)
                __builtin_trap();
            arena_reset(arena);
            native_segments_failed(segments, native_decode(&header, body, arena, &request, &error) != OK);
            break;
        case NATIVE_SEGMENTS_NONE: break;
        case NATIVE_SEGMENTS_REFUSED:
            if (!error.status)
                __builtin_trap();
            break;
        case NATIVE_SEGMENTS_INCOMPLETE:
            if (wanted <= input.size)
                __builtin_trap();
            return;
        case NATIVE_SEGMENTS_BROKEN: return;
        }
        if (taken > input.size)
            __builtin_trap();
        input = bytes_of(input.data + taken, input.size - taken);
        if (taken % 2) {
            native_segments_keep(segments, scratch);
            if (!POISON_IS_SEEN)
                memset(scratch, 0xEE, sizeof(scratch));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    struct native_segments segments = { .body_bytes_max = 1 << 18, .takes_large = true };
    uint8_t *copy;

    if (size < 1)
        return 0;
    segments.compression = data[0] & 1 ? NATIVE_COMPRESSION_LZ4 : NATIVE_COMPRESSION_NONE;
    copy = xmalloc(size);
    memcpy(copy, data + 1, size - 1);
    if (!(data[0] & 2))
        mend(copy, size - 1, segments.compression == NATIVE_COMPRESSION_LZ4 ? 5 : 3);
    read_all(&segments, bytes_of(copy, size - 1), arena);
    if (native_segments_held(&segments) > 4 * (size + NATIVE_SEGMENT_PAYLOAD_MAX))
        __builtin_trap();
    native_segments_fini(&segments);
    free(copy);
    return 0;
}
