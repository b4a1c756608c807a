/* zlib, a step at a time: what is inflated decides how far to go, never what a head says. */
#include "api/encoding.h"

#include <assert.h>
#include <limits.h>
#include <strings.h>
#include <zlib.h>

enum { STEP_BYTES = 64 << 10, GZIP_ONLY = 16 };

/* As a body that cannot be read: it cannot. */
static bool refuse(struct api_fault *fault, const char *what)
{
    fault_set(fault, "SerializationException", 400, "%s", what);
    fault->query_code = "MalformedInput";
    return false;
}

/* Z_STREAM_END with nothing behind it, within the limit; anything else is no body. A second member
 * would be a second reading: some readers take it, some do not. What it takes of the heap follows what
 * was inflated so far. */
static int inflate_all(struct bytes body, size_t bytes_max, struct buffer *out)
{
    z_stream stream = { .next_in = (Bytef *)body.data, .avail_in = (uInt)body.size };
    int result = inflateInit2(&stream, GZIP_ONLY + MAX_WBITS);

    assert(body.size <= UINT_MAX);

    while (result == Z_OK && out->size <= bytes_max) {
        stream.next_out = buffer_reserve(out, STEP_BYTES);
        stream.avail_out = STEP_BYTES;
        result = inflate(&stream, Z_NO_FLUSH);
        out->size += STEP_BYTES - stream.avail_out;
    }
    if (result == Z_STREAM_END && stream.avail_in)
        result = Z_DATA_ERROR;
    inflateEnd(&stream);
    return result;
}

/* The limit is looked at first: who sends a bomb is told what was wrong with it. */
bool encoding_undo(struct arena *arena, struct bytes encoding, struct bytes body, size_t bytes_max,
                   struct bytes *result, struct api_fault *fault)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    int end;

    if (!encoding.size || bytes_is_ignoring_case(encoding, "identity")) {
        *result = body;
        return true;
    }
    if (!bytes_is_ignoring_case(encoding, "gzip"))
        return refuse(fault, "The Content-Encoding of a body is gzip or none");
    end = inflate_all(body, bytes_max, &out);
    if (out.size > bytes_max)
        return refuse(fault, "The body is too large when it is inflated");
    if (end != Z_STREAM_END)
        return refuse(fault, "The body is not what its Content-Encoding says");
    *result = arena_copy(arena, buffer_bytes(&out));
    return true;
}
