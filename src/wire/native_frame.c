/* Frames: finds one at the front of what a client sent, and puts one around a reply (specification,
 * section 2).
 *
 * Finding looks at the header only and consumes nothing: it is asked again with more bytes, or with
 * the same, and answers the same. It is the first code that an unknown peer reaches, so it answers
 * what it can to whom it can: a driver that speaks another version learns which ones there are, and
 * tries again with one of those. */
#include "wire/native.h"
#include "wire/writer.h"

#include <assert.h>

const char *native_opcode_name(enum native_opcode opcode)
{
    switch (opcode) {
#define X(name, value) \
    case NATIVE_##name: return #name;
        NATIVE_OPCODES(X)
#undef X
    }
    return NULL;
}

const char *consistency_name(enum consistency consistency)
{
    switch (consistency) {
#define X(name, value) \
    case CONSISTENCY_##name: return #name;
        NATIVE_CONSISTENCIES(X)
#undef X
    }
    return NULL;
}

/* With a version that is not spoken here the whole header cannot be trusted; only this is asked of
 * it. */
enum status native_version_check(uint8_t version, struct error *err)
{
#define LISTED(text) ", " text
    static const char list[] = NATIVE_VERSION_LIST(LISTED);
#undef LISTED

    if (version >= NATIVE_VERSION_MIN && version <= NATIVE_VERSION_MAX)
        return OK;
    /* Drivers look for these words and come back with a version from the list. */
    return error_set(err, ERR_PROTOCOL, "Invalid or unsupported protocol version (%u); supported versions are (%s)",
                     version, list + 2);
}

/* The error is always there; no frame of this peer can be understood. */
static enum native_frame_result refuse_version(uint8_t version, struct error *err)
{
    native_version_check(version, err);
    return NATIVE_FRAME_BROKEN;
}

/* *wanted grows as more is known: first a header, then the frame. A frame past the limit is
 * answered and skipped, as its length is known; what is broken ends the connection, as nobody knows
 * where the next frame begins. */
enum native_frame_result native_frame_peek(struct bytes input, uint32_t body_bytes_max, struct native_header *header,
                                           size_t *wanted, uint64_t *skip, struct error *err)
{
    const uint8_t *at = input.data;

    assert(body_bytes_max <= INT32_MAX && (input.data || !input.size));
    *header = (struct native_header){ 0 };
    *skip = 0;
    *wanted = NATIVE_HEADER_BYTES;
    if (input.size == 0)
        return NATIVE_FRAME_INCOMPLETE;
    /* The version first: a frame of v1 or v2 has a header of 8 bytes, and a probe of another protocol may send few. */
    header->version = at[0] & 0x7F;
    if (at[0] & 0x80) {
        error_set(err, ERR_PROTOCOL, "Wrong protocol direction, expected a request, got a response");
        return NATIVE_FRAME_BROKEN;
    }
    /* v1 and v2 have a stream id of one byte, and are answered in a frame of their own kind. */
    if (header->version < NATIVE_VERSION_MIN) {
        if (input.size >= 3)
            header->stream_id = (int8_t)at[2];
        return refuse_version(header->version, err);
    }
    if (header->version > NATIVE_VERSION_MAX) {
        if (input.size < NATIVE_HEADER_BYTES && header->version <= NATIVE_VERSION_MAX + 4)
            return NATIVE_FRAME_INCOMPLETE; /* a driver's: its stream id is worth waiting for */
        if (input.size >= 4)
            header->stream_id = (int16_t)load_be16(at + 2);
        return refuse_version(header->version, err);
    }
    assert(header->version >= NATIVE_V3 && header->version <= NATIVE_V5);
    if (input.size < NATIVE_HEADER_BYTES)
        return NATIVE_FRAME_INCOMPLETE;
    header->flags = at[1];
    header->stream_id = (int16_t)load_be16(at + 2);
    header->opcode = at[4];
    header->length = load_be32(at + 5);
    if (header->length > INT32_MAX) {
        error_set(err, ERR_PROTOCOL, "Invalid frame body length: %d", (int32_t)header->length);
        return NATIVE_FRAME_BROKEN;
    }
    if (header->length > body_bytes_max) {
        error_set(err, ERR_INVALID, "Request is too big: length %u exceeds maximum allowed length %u.", header->length,
                  body_bytes_max);
        *skip = (uint64_t)NATIVE_HEADER_BYTES + header->length;
        return NATIVE_FRAME_BROKEN;
    }
    *wanted = NATIVE_HEADER_BYTES + (size_t)header->length;
    return input.size < *wanted ? NATIVE_FRAME_INCOMPLETE : NATIVE_FRAME_READY;
}

/* ---- replies ---- */

/* With warnings, tracing or payload the body begins later: they are rare, so the body is moved. */
static void insert_front(struct buffer *out, size_t at, struct bytes front)
{
    size_t body = out->size - at;

    buffer_extend(out, front.size);
    memmove(out->data + at + front.size, out->data + at, body);
    memcpy(out->data + at, front.data, front.size);
}

/* What stands between header and body, in the order of the specification: tracing id, warnings,
 * custom payload. v3 has no place for the latter two, so they are left out. */
static uint8_t add_front(struct buffer *out, size_t body_at, const struct native_reply *reply)
{
    CLEANUP(buffer_fini) struct buffer front = { 0 };
    uint8_t flags = 0;

    if (reply->tracing_id) {
        flags |= NATIVE_FLAG_TRACING;
        buffer_append(&front, reply->tracing_id, 16);
    }
    if (reply->warning_count && reply->version >= NATIVE_V4) {
        /* More warnings than a [short] counts cannot be told; Cassandra's own limit is far below. */
        uint32_t count = reply->warning_count > UINT16_MAX ? UINT16_MAX : reply->warning_count;

        flags |= NATIVE_FLAG_WARNING;
        buffer_append_be16(&front, (uint16_t)count);
        for (uint32_t i = 0; i < count; i++)
            write_string(&front, reply->warnings[i]);
    }
    if (reply->payload_count && reply->version >= NATIVE_V4) {
        uint32_t count = reply->payload_count > UINT16_MAX ? UINT16_MAX : reply->payload_count;

        flags |= NATIVE_FLAG_CUSTOM_PAYLOAD;
        buffer_append_be16(&front, (uint16_t)count);
        for (uint32_t i = 0; i < count; i++) {
            write_string(&front, reply->payload[i].name);
            native_append_value(&front, reply->payload[i].value);
        }
    }
    if (front.size)
        insert_front(out, body_at, buffer_bytes(&front));
    return flags;
}

enum { COMPRESS_BYTES_MIN = 256 }; /* below, a frame does not shrink enough to pay for it */

/* False: the body stays as it is, and so does the flag. What compression does not make smaller
 * costs the client time for nothing. */
static bool compress_body(struct buffer *out, size_t body_at, enum native_compression compression)
{
    CLEANUP(buffer_fini) struct buffer packed = { 0 };
    struct bytes body = bytes_of(out->data + body_at, out->size - body_at);

    if (compression == NATIVE_COMPRESSION_NONE || body.size < COMPRESS_BYTES_MIN)
        return false;
    native_compress(compression, body, &packed);
    if (packed.size >= body.size)
        return false;
    assert(body_at + packed.size < out->size);
    memcpy(out->data + body_at, packed.data, packed.size);
    out->size = body_at + packed.size;
    return true;
}

/* The header is filled at the end, when the body's length is known. */
size_t native_reply_begin(struct buffer *out)
{
    size_t start = out->size;

    buffer_extend(out, NATIVE_HEADER_BYTES);
    return start;
}

/* v1 and v2 are refused in a frame of theirs, whose header has one byte less: for the stream id. */
static void end_old_frame(struct buffer *out, size_t start, const struct native_reply *reply)
{
    uint8_t *header = out->data + start;
    size_t body = out->size - start - NATIVE_HEADER_BYTES;

    memmove(header + NATIVE_HEADER_BYTES - 1, header + NATIVE_HEADER_BYTES, body);
    out->size--;
    header[0] = 0x80 | reply->version;
    header[1] = 0;
    header[2] = (uint8_t)reply->stream_id;
    header[3] = (uint8_t)reply->opcode;
    store_be32(header + 4, (uint32_t)body);
}

/* Flags and length are known only now. Few replies have anything in front of their body, and events
 * are never compressed together with it. */
void native_reply_end(struct buffer *out, size_t start, const struct native_reply *reply)
{
    size_t body_at = start + NATIVE_HEADER_BYTES;
    uint8_t flags = 0;
    uint8_t *header;

    assert(out->size >= body_at);
    if (__builtin_expect(reply->tracing_id || reply->warning_count || reply->payload_count, 0))
        flags |= add_front(out, body_at, reply);
    if (reply->compression != NATIVE_COMPRESSION_NONE && compress_body(out, body_at, reply->compression))
        flags |= NATIVE_FLAG_COMPRESSED;
    header = out->data + start;
    if (__builtin_expect(reply->version < NATIVE_V3, 0)) {
        end_old_frame(out, start, reply);
        return;
    }
    header[0] = 0x80 | reply->version;
    header[1] = flags;
    store_be16(header + 2, (uint16_t)reply->stream_id);
    header[4] = (uint8_t)reply->opcode;
    store_be32(header + 5, (uint32_t)(out->size - body_at));
}
