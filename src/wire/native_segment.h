/* wire/native_segment.h: the segments in which v5 carries envelopes once STARTUP has been answered.
 *
 *     | payload length, unpacked length*, is self-contained (17 + 17* + 1 bits, little-endian, in 3 or 5* bytes) | CRC24 (3) |
 *     | payload ... | CRC32 (4) |                                                           (*: only when LZ4 was agreed on)
 *
 * A self-contained segment holds whole envelopes, one or many. An envelope that does not fit stands alone in several
 * segments that are not. With LZ4 the payload is a block, or stands as it is when the unpacked length is 0. Whatever is
 * wrong with a checksum ends the connection: nothing after it can be trusted.
 *
 * In:      native_segments_next gives one envelope at a time; see there.
 * Out:     native_segments_begin leaves room, envelopes are appended, native_segments_end makes segments of them.
 * Owns:    a reader owns what it keeps of an unfinished envelope or segment: native_segments_fini.
 * Limits:  an envelope is refused past body_bytes_max; memory grows as bytes come, never as a length claims.
 * Errors:  ERR_PROTOCOL and ERR_INVALID, in Cassandra's words.
 * Thread:  one per reader.
 */
#ifndef WIRE_NATIVE_SEGMENT_H
#define WIRE_NATIVE_SEGMENT_H

#include "wire/native.h"

enum { NATIVE_SEGMENT_PAYLOAD_MAX = (128 << 10) - 1 };

/* One direction of one connection. Zeroed but for the first three, it is ready. */
struct native_segments {
    enum native_compression compression; /* NONE or LZ4 */
    uint32_t body_bytes_max;
    bool takes_large; /* envelopes over several segments: not from those who have not said who they are */
    /* The segment at the front of the input: checked, and not yet taken whole. */
    bool is_open;
    bool is_packed;
    uint8_t failures;   /* envelopes of it that were refused one after another */
    uint32_t at;        /* payload bytes taken */
    uint32_t size;      /* payload bytes, unpacked */
    struct buffer kept; /* owned: its payload, when the input does not hold it unpacked */
    /* The envelope that spans segments. */
    struct buffer large; /* owned: what has come of it */
    struct native_header large_header;
    uint64_t large_left; /* bytes to come; 0: there is none */
    bool large_is_refused;
};

enum native_segments_result {
    NATIVE_SEGMENTS_ENVELOPE,   /* *header, *body */
    NATIVE_SEGMENTS_NONE,       /* go on behind *taken */
    NATIVE_SEGMENTS_INCOMPLETE, /* *wanted: bytes the input must have before it is worth asking again */
    NATIVE_SEGMENTS_REFUSED,    /* *err to header->stream_id; the envelope was skipped */
    NATIVE_SEGMENTS_BROKEN,     /* *err to header->stream_id (0: unknown), and nothing more will be understood */
};

/* The next envelope at the front of the input. *taken: bytes of the input that are done with (often 0: the segment holds
 * more). A body lies in the input, in `scratch` or in the reader, until the next call. `scratch`: NATIVE_SEGMENT_PAYLOAD_MAX
 * bytes that any number of readers may share, as long as who stops before INCOMPLETE calls native_segments_keep. */
enum native_segments_result native_segments_next(struct native_segments *segments, struct bytes input, uint8_t *scratch,
                                                 struct native_header *header, struct bytes *body, size_t *taken,
                                                 size_t *wanted, struct error *err);
/* What was given out is no longer used, and the scratch will be another's: keeps only what is still needed. */
void native_segments_keep(struct native_segments *segments, uint8_t *scratch);
/* Counts an envelope whose body was not understood, or was. False: it is one too many, the connection must end. */
bool native_segments_failed(struct native_segments *segments, bool has_failed);
/* Memory held for a peer that has not finished. */
size_t native_segments_held(const struct native_segments *segments);
void native_segments_fini(struct native_segments *segments);

/* Room for a segment's header at the end of `out`; returns where the segment starts. */
size_t native_segments_begin(struct buffer *out, enum native_compression compression);
/* What was appended since, whole envelopes, becomes as few segments as hold it; nothing leaves no trace. `packed` is used
 * and left empty. */
void native_segments_end(struct buffer *out, size_t start, enum native_compression compression, struct buffer *packed);

#endif
