/* Bodies of v3 and v4 frames: LZ4 blocks after a 4-byte big-endian length, and raw Snappy, as the
 * protocol's specification has them (v4, section 5).
 *
 * The length that a client declares decides how much memory is taken before anything of the body
 * was understood. So it is believed only up to the frame limit, and only as far as the format can
 * grow what was sent: a frame of a few bytes cannot claim megabytes. */
#include "wire/native.h"

#include <assert.h>
#include <lz4.h>
#include <snappy-c.h>
#include <strings.h>

/* Neither format can grow its input by more than this, so a declared length beyond it is a lie. An
 * LZ4 match adds at most 255 bytes for each byte of its length; Snappy copies at most 64 bytes for
 * each element. */
enum { LZ4_RATIO_MAX = 255, SNAPPY_RATIO_MAX = 64 };

static_assert((int)NATIVE_REPLY_BYTES_MAX <= (int)LZ4_MAX_INPUT_SIZE, "each reply can be compressed");

/* STARTUP's option COMPRESSION. Drivers send small letters, Cassandra takes any. */
bool native_compression_parse(struct bytes name, enum native_compression *compression)
{
    if (name.size == 3 && strncasecmp((const char *)name.data, "lz4", 3) == 0)
        *compression = NATIVE_COMPRESSION_LZ4;
    else if (name.size == 6 && strncasecmp((const char *)name.data, "snappy", 6) == 0)
        *compression = NATIVE_COMPRESSION_SNAPPY;
    else
        return false;
    return true;
}

/* A length that no frame may have is a broken frame, not a request that happens to be too big. */
static enum status check_size(uint64_t size, size_t packed, uint64_t ratio, uint32_t size_max, struct error *err)
{
    if (size > size_max || size > (uint64_t)packed * ratio + 64)
        return error_set(err, ERR_PROTOCOL, "Invalid compressed frame: declared length %llu", (unsigned long long)size);
    return OK;
}

static enum status decompress_lz4(struct bytes body, uint32_t size_max, struct arena *arena, struct bytes *result,
                                  struct error *err)
{
    uint32_t size;
    uint8_t *to;
    enum status status;

    if (body.size < 4)
        return error_set(err, ERR_PROTOCOL, "Invalid LZ4 frame: no length");
    size = load_be32(body.data);
    assert(size_max <= NATIVE_FRAME_BYTES_LIMIT);
    status = check_size(size, body.size - 4, LZ4_RATIO_MAX, size_max, err);
    if (status)
        return status;
    /* A span of no bytes needs data that is not NULL, which would mean that there is no body. */
    to = arena_alloc(arena, size ? size : 1);
    /* An empty body may come as a length of 0 and nothing, or with the one token that LZ4 makes of nothing. */
    if (size == 0 && body.size <= 5) {
        *result = bytes_of(to, 0);
        return OK;
    }
    if (LZ4_decompress_safe((const char *)body.data + 4, (char *)to, (int)(body.size - 4), (int)size) != (int)size)
        return error_set(err, ERR_PROTOCOL, "Invalid LZ4 frame");
    *result = bytes_of(to, size);
    return OK;
}

static enum status decompress_snappy(struct bytes body, uint32_t size_max, struct arena *arena, struct bytes *result,
                                     struct error *err)
{
    size_t size, got;
    uint8_t *to;
    enum status status;

    if (snappy_uncompressed_length((const char *)body.data, body.size, &size) != SNAPPY_OK)
        return error_set(err, ERR_PROTOCOL, "Invalid Snappy frame: no length");
    status = check_size(size, body.size, SNAPPY_RATIO_MAX, size_max, err);
    if (status)
        return status;
    to = arena_alloc(arena, size ? size : 1);
    got = size;
    if (snappy_uncompress((const char *)body.data, body.size, (char *)to, &got) != SNAPPY_OK || got != size)
        return error_set(err, ERR_PROTOCOL, "Invalid Snappy frame");
    *result = bytes_of(to, size);
    return OK;
}

/* Only frames with the flag come here. One that comes although STARTUP agreed on nothing ends the
 * connection, as in Cassandra: its body cannot be read. */
enum status native_decompress(enum native_compression compression, struct bytes body, uint32_t body_bytes_max,
                              struct arena *arena, struct bytes *result, struct error *err)
{
    switch (compression) {
    case NATIVE_COMPRESSION_LZ4: return decompress_lz4(body, body_bytes_max, arena, result, err);
    case NATIVE_COMPRESSION_SNAPPY: return decompress_snappy(body, body_bytes_max, arena, result, err);
    case NATIVE_COMPRESSION_NONE: break;
    }
    return error_set(err, ERR_PROTOCOL, "Compressed frame received, but compression was not agreed on");
}

/* Into a buffer of its own: the caller keeps the plain body if this is not smaller. */
void native_compress(enum native_compression compression, struct bytes body, struct buffer *out)
{
    assert(body.size <= NATIVE_REPLY_BYTES_MAX);
    if (compression == NATIVE_COMPRESSION_LZ4) {
        int bound = LZ4_compressBound((int)body.size);
        uint8_t *to = buffer_reserve(out, 4 + (size_t)bound);
        int size = LZ4_compress_default((const char *)body.data, (char *)to + 4, (int)body.size, bound);

        assert(size > 0);
        store_be32(to, (uint32_t)body.size);
        out->size += 4 + (size_t)size;
    } else {
        size_t size = snappy_max_compressed_length(body.size);
        uint8_t *to = buffer_reserve(out, size);
        snappy_status status = snappy_compress((const char *)body.data, body.size, (char *)to, &size);

        assert(compression == NATIVE_COMPRESSION_SNAPPY);
        assert(status == SNAPPY_OK);
        (void)status;
        out->size += size;
    }
}
