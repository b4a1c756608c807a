/* v5's segments, in and out: checksummed pieces of up to 128 KiB that carry envelopes (the v5
 * specification, section 2; Cassandra's FrameDecoder and CQLMessageHandler).
 *
 * In: a segment is looked at when it is there whole, in the connection's input; unpacked ones lie
 * in a scratch that all connections of a loop share, and are copied only when a connection must
 * stop in the middle of one. So a connection that waits holds no memory of 128 KiB. An envelope
 * over several segments is put together in a buffer that grows with what has come.
 *
 * Out: envelopes are written as they come, one after another, behind room for a segment's header.
 * Nearly always they fit into one segment, which then costs its checksums and no copy.
 *
 * A wrong checksum or length ends the connection, since nobody knows what follows. An envelope that
 * is whole but refused is answered and skipped; the second in a row ends the connection, as in
 * Cassandra. */
#include "wire/native_segment.h"

#include "base/crc.h"
#include "base/poison.h"

#include <assert.h>
#include <lz4.h>

enum {
    HEADER_BYTES = 6,
    HEADER_LZ4_BYTES = 8,
    CRC24_BYTES = 3,
    TRAILER_BYTES = 4,
    LENGTH_BITS = 17,
    LENGTH_MASK = (1 << LENGTH_BITS) - 1,
    CRC24_INITIAL = 0x875060,
    FAILURES_MAX = 1,         /* Cassandra's consecutive_message_errors_threshold */
    COMPRESS_BYTES_MIN = 256, /* below, a payload does not shrink enough to pay for it */
};

static_assert((int)LENGTH_MASK == (int)NATIVE_SEGMENT_PAYLOAD_MAX, "a length says no more than a payload may have");

/* Cassandra's Crc.initialBytes: a CRC that begins with 0 would not notice zeros in front. */
static const uint8_t crc32_initial[] = { 0xFA, 0x2D, 0x55, 0xCA };

struct segment {
    uint32_t size;          /* of the payload as it stands */
    uint32_t unpacked_size; /* 0: it is not packed */
    bool is_self_contained;
};

/* With LZ4 the header says both lengths, of the payload as it is and unpacked. */
static size_t header_bytes(enum native_compression compression)
{
    return compression == NATIVE_COMPRESSION_LZ4 ? HEADER_LZ4_BYTES : HEADER_BYTES;
}

/* The protocol's only numbers that have their low byte first. */
static uint64_t load_le(const uint8_t *from, size_t size)
{
    uint64_t v = 0;

    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)from[i] << (8 * i);
    return v;
}

static void store_le(uint8_t *to, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t checksum(struct bytes payload)
{
    return crc32_more(crc32_more(0, bytes_of(crc32_initial, sizeof(crc32_initial))), payload);
}

/* ---- in ---- */

/* The words are Cassandra's, numbers with their sign as Java prints them. */
static enum status check_crc(const char *part, uint32_t read, uint32_t computed, struct error *err)
{
    if (read == computed)
        return OK;
    return error_set(err, ERR_PROTOCOL,
                     "Invalid, unrecoverable CRC mismatch detected in frame %s. Read %d, Computed %d", part,
                     (int32_t)read, (int32_t)computed);
}

/* The lengths are believed only after their own checksum was right: otherwise a flipped bit would
 * make the connection wait for bytes that never come. */
static enum status read_header(struct bytes input, enum native_compression compression, struct segment *segment,
                               struct error *err)
{
    size_t crc_at = header_bytes(compression) - CRC24_BYTES;
    uint64_t lengths = load_le(input.data, crc_at);
    bool is_lz4 = compression == NATIVE_COMPRESSION_LZ4;

    assert(input.size >= crc_at + CRC24_BYTES);
    segment->size = (uint32_t)lengths & LENGTH_MASK;
    segment->unpacked_size = is_lz4 ? (uint32_t)(lengths >> LENGTH_BITS) & LENGTH_MASK : 0;
    segment->is_self_contained = lengths >> (is_lz4 ? 2 * LENGTH_BITS : LENGTH_BITS) & 1;
    return check_crc("header", (uint32_t)load_le(input.data + crc_at, CRC24_BYTES),
                     crc24_more(CRC24_INITIAL, bytes_of(input.data, crc_at)), err);
}

static enum native_segments_result broken(enum status status)
{
    assert(status);
    return NATIVE_SEGMENTS_BROKEN;
}

/* LZ4's own check: what it unpacks has exactly the length that the header says. The scratch holds
 * any length that 17 bits can say. */
static enum status unpack(const struct segment *segment, struct bytes payload, uint8_t *to, struct error *err)
{
    int size;

    assert(segment->unpacked_size <= NATIVE_SEGMENT_PAYLOAD_MAX);
    unpoison(to, segment->unpacked_size);
    size = LZ4_decompress_safe((const char *)payload.data, (char *)to, (int)payload.size, (int)segment->unpacked_size);

    return size == (int)segment->unpacked_size ? OK : error_set(err, ERR_PROTOCOL, "Invalid LZ4 segment");
}

static void read_envelope(const uint8_t *at, struct native_header *header)
{
    header->version = at[0] & 0x7F;
    header->flags = at[1];
    header->stream_id = (int16_t)load_be16(at + 2);
    header->opcode = at[4];
    header->length = load_be32(at + 5);
}

/* Who cannot say how long an envelope is cannot be followed to the next. */
static enum status check_length(const struct native_header *header, struct error *err)
{
    if (header->length > INT32_MAX)
        return error_set(err, ERR_PROTOCOL, "Invalid value for envelope header body length field: %d",
                         (int32_t)header->length);
    return OK;
}

static enum status check_size(const struct native_segments *segments, const struct native_header *header,
                              struct error *err)
{
    if (header->length > segments->body_bytes_max)
        return error_set(err, ERR_INVALID, "CQL Message of size %u bytes exceeds allowed maximum of %u bytes",
                         header->length, segments->body_bytes_max);
    return OK;
}

/* What a version or limit forbids. Unlike check_length, the envelope's end is known, so it can be
 * skipped and the connection goes on. */
static enum status check_envelope(const struct native_segments *segments, const uint8_t *at,
                                  const struct native_header *header, struct error *err)
{
    enum status status = native_version_check(header->version, err);

    if (status)
        return status;
    if (at[0] & 0x80)
        return error_set(err, ERR_PROTOCOL, "Wrong protocol direction, expected a request, got a response");
    if (header->version != NATIVE_V5)
        return error_set(
            err, ERR_PROTOCOL,
            "Invalid message version. Got %u/v%u but previous messages on this connection had version 5/v5",
            header->version, header->version);
    return check_size(segments, header, err);
}

/* Cassandra's consecutive_message_errors_threshold: one mistake is answered, two in a row are taken
 * for a peer that cannot be followed. */
bool native_segments_failed(struct native_segments *segments, bool has_failed)
{
    if (!has_failed)
        segments->failures = 0;
    else if (segments->failures < UINT8_MAX)
        segments->failures++;
    return segments->failures <= FAILURES_MAX;
}

/* The next envelope of the open segment. */
static enum native_segments_result next_contained(struct native_segments *segments, const uint8_t *payload,
                                                  struct native_header *header, struct bytes *body, struct error *err)
{
    const uint8_t *at = payload + segments->at;
    uint32_t left = segments->size - segments->at;
    enum status status;

    assert(segments->is_open && segments->at <= segments->size);
    if (left < NATIVE_HEADER_BYTES)
        return broken(error_set(err, ERR_PROTOCOL, "Undersized buffer supplied. Expected %d, actual %u",
                                NATIVE_HEADER_BYTES, left));
    read_envelope(at, header);
    status = check_length(header, err);
    if (status)
        return broken(status);
    status = check_envelope(segments, at, header, err);
    if (status) {
        uint64_t skip = (uint64_t)NATIVE_HEADER_BYTES + header->length;

        /* A refused envelope may claim to go on behind its segment: then the rest of the segment is
         * skipped. */
        segments->at += skip < left ? (uint32_t)skip : left;
        return native_segments_failed(segments, true) ? NATIVE_SEGMENTS_REFUSED : NATIVE_SEGMENTS_BROKEN;
    }
    if (header->length > left - NATIVE_HEADER_BYTES)
        return broken(error_set(err, ERR_PROTOCOL, "An envelope of %u bytes ends behind its self-contained segment",
                                header->length));
    *body = bytes_of(at + NATIVE_HEADER_BYTES, header->length);
    segments->at += NATIVE_HEADER_BYTES + header->length;
    return NATIVE_SEGMENTS_ENVELOPE;
}

/* The first part of an envelope over several segments holds its header; who has not finished
 * STARTUP and authentication may not send one, as it would take memory for a stranger. */
static enum status begin_large(struct native_segments *segments, struct bytes payload, struct native_header *header,
                               struct error *err)
{
    enum status status;

    if (payload.size < NATIVE_HEADER_BYTES)
        return error_set(err, ERR_PROTOCOL, "Undersized buffer supplied. Expected %d, actual %zu", NATIVE_HEADER_BYTES,
                         payload.size);
    read_envelope(payload.data, header);
    status = check_length(header, err);
    if (status)
        return status;
    if (!segments->takes_large)
        return error_set(err, ERR_PROTOCOL,
                         "The connection is not yet in a valid state to process multi frame CQL Messages, usually this "
                         "means that authentication is still pending. type = %u, size = %u",
                         header->opcode, header->length);
    status = check_envelope(segments, payload.data, header, err);
    /* Too big is no reason to stop: it is skipped, in as many segments as it has, and then
     * answered. */
    if (status && status != ERR_INVALID)
        return status;
    segments->large_is_refused = status == ERR_INVALID;
    segments->large_header = *header;
    segments->large_left = (uint64_t)NATIVE_HEADER_BYTES + header->length;
    return OK;
}

/* One more part of an envelope that spans segments. One that is too big is answered when its last byte has gone by. */
static enum native_segments_result add_large(struct native_segments *segments, struct bytes payload,
                                             struct native_header *header, struct bytes *body, struct error *err)
{
    if (!segments->large_left && begin_large(segments, payload, header, err))
        return NATIVE_SEGMENTS_BROKEN;
    *header = segments->large_header;
    if (payload.size > segments->large_left)
        return broken(error_set(err, ERR_PROTOCOL, "An envelope of %u bytes ends before its segments", header->length));
    assert(segments->large_is_refused || header->length <= segments->body_bytes_max);
    segments->large_left -= payload.size;
    if (!segments->large_is_refused)
        buffer_append_bytes(&segments->large, payload);
    if (segments->large_left)
        return NATIVE_SEGMENTS_NONE;
    if (segments->large_is_refused) {
        check_size(segments, header, err);
        return NATIVE_SEGMENTS_REFUSED;
    }
    *body = bytes_of(segments->large.data + NATIVE_HEADER_BYTES, header->length);
    return NATIVE_SEGMENTS_ENVELOPE;
}

/* The whole segment at the front of the input, checked; its payload unpacked if it was packed. */
static enum native_segments_result open_segment(struct native_segments *segments, struct bytes input, uint8_t *scratch,
                                                struct segment *segment, struct bytes *payload, size_t *wanted,
                                                struct error *err)
{
    size_t payload_at = header_bytes(segments->compression);
    struct bytes raw;

    *wanted = payload_at;
    if (input.size < payload_at)
        return NATIVE_SEGMENTS_INCOMPLETE;
    if (read_header(input, segments->compression, segment, err))
        return NATIVE_SEGMENTS_BROKEN;
    *wanted = payload_at + segment->size + TRAILER_BYTES;
    if (input.size < *wanted)
        return NATIVE_SEGMENTS_INCOMPLETE;
    raw = bytes_of(input.data + payload_at, segment->size);
    if (check_crc("body", (uint32_t)load_le(raw.data + raw.size, TRAILER_BYTES), checksum(raw), err))
        return NATIVE_SEGMENTS_BROKEN;
    *payload = raw;
    if (segment->unpacked_size) {
        if (unpack(segment, raw, scratch, err))
            return NATIVE_SEGMENTS_BROKEN;
        *payload = bytes_of(scratch, segment->unpacked_size);
    }
    return NATIVE_SEGMENTS_ENVELOPE;
}

/* Of the open segment, whose header is still at the front of the input. */
static size_t segment_bytes(const struct native_segments *segments, struct bytes input)
{
    size_t payload_at = header_bytes(segments->compression);

    return payload_at + (load_le(input.data, 3) & LENGTH_MASK) + TRAILER_BYTES;
}

/* What was given out is no longer needed. */
static void forget(struct native_segments *segments)
{
    /* What was given out lies there only if nothing of it is still to come. */
    if (!segments->is_open)
        buffer_fini(&segments->kept);
    if (!segments->large_left)
        buffer_fini(&segments->large);
}

/* One envelope at a call. A segment stays open, and at the front of the input, until its last
 * envelope was taken: the caller may stop after any of them. */
enum native_segments_result native_segments_next(struct native_segments *segments, struct bytes input, uint8_t *scratch,
                                                 struct native_header *header, struct bytes *body, size_t *taken,
                                                 size_t *wanted, struct error *err)
{
    enum native_segments_result result;
    struct segment segment;
    struct bytes payload;

    *header = (struct native_header){ 0 };
    *taken = 0;
    forget(segments);
    if (!segments->is_open) {
        result = open_segment(segments, input, scratch, &segment, &payload, wanted, err);
        if (result != NATIVE_SEGMENTS_ENVELOPE)
            return result;
        if (!segment.is_self_contained) {
            *taken = *wanted;
            return add_large(segments, payload, header, body, err);
        }
        segments->is_open = true;
        segments->is_packed = segment.unpacked_size > 0;
        segments->failures = 0;
        segments->at = 0;
        segments->size = (uint32_t)payload.size;
    } else {
        /* Where the open segment's payload lies: in the input, or unpacked in the reader or still
         * in the scratch. */
        payload.data = !segments->is_packed  ? input.data + header_bytes(segments->compression)
                       : segments->kept.size ? segments->kept.data
                                             : scratch;
    }
    /* A segment may be empty. It carries nothing and is no mistake. */
    result = segments->size ? next_contained(segments, payload.data, header, body, err) : NATIVE_SEGMENTS_NONE;
    assert(segments->at <= segments->size);
    if (segments->at == segments->size) {
        *taken = segment_bytes(segments, input);
        segments->is_open = false;
    }
    return result;
}

/* The caller stops here and lends the scratch to another connection: what is not yet taken is
 * copied. With the sanitizers the scratch is out of use then, so that who forgets this call is
 * caught. */
void native_segments_keep(struct native_segments *segments, uint8_t *scratch)
{
    forget(segments);
    if (segments->is_open && segments->is_packed && !segments->kept.size)
        buffer_append(&segments->kept, scratch, segments->size);
    poison(scratch, POISON_IS_SEEN ? NATIVE_SEGMENT_PAYLOAD_MAX : segments->is_packed ? segments->size : 0);
}

size_t native_segments_held(const struct native_segments *segments)
{
    return segments->kept.capacity + segments->large.capacity;
}

void native_segments_fini(struct native_segments *segments)
{
    buffer_fini(&segments->kept);
    buffer_fini(&segments->large);
}

/* ---- out ---- */

size_t native_segments_begin(struct buffer *out, enum native_compression compression)
{
    size_t start = out->size;

    buffer_extend(out, header_bytes(compression));
    return start;
}

/* The payload that ends `out` becomes smaller, if LZ4 can make it so: then its length before is
 * returned, which goes into the header; otherwise 0, which says that it stands as it is. */
static uint32_t pack(struct buffer *out, size_t payload_at, enum native_compression compression, struct buffer *packed)
{
    uint32_t size = (uint32_t)(out->size - payload_at);
    int bound = LZ4_compressBound((int)size), packed_size;

    if (compression != NATIVE_COMPRESSION_LZ4 || size < COMPRESS_BYTES_MIN)
        return 0;
    buffer_reset(packed);
    packed_size = LZ4_compress_default((const char *)out->data + payload_at,
                                       (char *)buffer_reserve(packed, (size_t)bound), (int)size, bound);
    if (packed_size <= 0 || (uint32_t)packed_size >= size)
        return 0;
    memcpy(out->data + payload_at, packed->data, (size_t)packed_size);
    out->size = payload_at + (size_t)packed_size;
    return size;
}

/* Header, checksums: for the payload that ends `out`, behind the room for its header. */
static void close_segment(struct buffer *out, size_t start, enum native_compression compression, bool is_self_contained,
                          struct buffer *packed)
{
    size_t payload_at = start + header_bytes(compression), crc_at = payload_at - CRC24_BYTES;
    uint32_t unpacked_size = pack(out, payload_at, compression, packed);
    uint64_t lengths = out->size - payload_at;
    bool is_lz4 = compression == NATIVE_COMPRESSION_LZ4;
    uint8_t *at;

    assert(lengths <= NATIVE_SEGMENT_PAYLOAD_MAX);
    store_le(buffer_extend(out, TRAILER_BYTES), checksum(bytes_of(out->data + payload_at, (size_t)lengths)),
             TRAILER_BYTES);
    if (is_lz4)
        lengths |= (uint64_t)unpacked_size << LENGTH_BITS;
    lengths |= (uint64_t)is_self_contained << (is_lz4 ? 2 * LENGTH_BITS : LENGTH_BITS);
    at = out->data + start;
    store_le(at, lengths, crc_at - start);
    store_le(out->data + crc_at, crc24_more(CRC24_INITIAL, bytes_of(at, crc_at - start)), CRC24_BYTES);
}

static void append_segment(struct buffer *out, struct bytes payload, enum native_compression compression,
                           bool is_self_contained, struct buffer *packed)
{
    size_t start = native_segments_begin(out, compression);

    buffer_append_bytes(out, payload);
    close_segment(out, start, compression, is_self_contained, packed);
}

/* Bytes of the whole envelopes at the front that one segment takes; 0: not even the first. */
static size_t fitting(struct bytes envelopes)
{
    size_t size = 0;

    while (size < envelopes.size) {
        size_t next = NATIVE_HEADER_BYTES + (size_t)load_be32(envelopes.data + size + 5);

        assert(envelopes.size - size >= NATIVE_HEADER_BYTES);
        if (size + next > NATIVE_SEGMENT_PAYLOAD_MAX)
            break;
        size += next;
    }
    return size;
}

static struct bytes cut_front(struct bytes *from, size_t size)
{
    struct bytes front = bytes_of(from->data, size);

    assert(size <= from->size);
    from->data += size;
    from->size -= size;
    return front;
}

/* More than one segment: written anew behind what stood before. Whole envelopes share segments as
 * long as they fit; one that is larger than a segment stands alone in several, as the specification
 * demands. */
static void split(struct buffer *out, struct bytes envelopes, enum native_compression compression,
                  struct buffer *packed)
{
    while (envelopes.size) {
        size_t size = fitting(envelopes);
        struct bytes large;

        if (size) {
            append_segment(out, cut_front(&envelopes, size), compression, true, packed);
            continue;
        }
        large = cut_front(&envelopes, NATIVE_HEADER_BYTES + (size_t)load_be32(envelopes.data + 5));
        while (large.size) {
            size = large.size < NATIVE_SEGMENT_PAYLOAD_MAX ? large.size : NATIVE_SEGMENT_PAYLOAD_MAX;
            append_segment(out, cut_front(&large, size), compression, false, packed);
        }
    }
}

/* What stood in `out` before `start` stays. The common case, one segment, moves nothing; where
 * several are needed the envelopes are copied once. */
void native_segments_end(struct buffer *out, size_t start, enum native_compression compression, struct buffer *packed)
{
    size_t payload_at = start + header_bytes(compression);

    assert(out->size >= payload_at);
    if (out->size == payload_at) {
        out->size = start;
    } else if (out->size - payload_at <= NATIVE_SEGMENT_PAYLOAD_MAX) {
        close_segment(out, start, compression, true, packed);
    } else {
        struct buffer whole = *out;

        *out = (struct buffer){ 0 };
        buffer_append(out, whole.data, start);
        split(out, bytes_of(whole.data + payload_at, whole.size - payload_at), compression, packed);
        buffer_fini(&whole);
    }
    buffer_reset(packed);
}
