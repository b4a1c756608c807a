/* Percent-encoding and targets: each byte is looked at once, and nothing is decoded twice. */
#include "wire/aws/percent.h"

#include <assert.h>

/* RFC 3986 wants capitals. */
static const char hex_digits[] = "0123456789ABCDEF";

/* The byte that a '%' at `i` stands for; -1: it encodes nothing. */
static int encoded_at(struct bytes text, size_t i)
{
    assert(i < text.size && text.data[i] == '%');
    if (text.size - i < 3)
        return -1;

    int high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* What RFC 3986 never encodes, and signers do not: the same in every locale, so not isalnum. */
static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/* Most texts have nothing to decode: they are given back as they lie in the request, and take no
 * memory. A NUL or what is no UTF-8 may come out: whether a text may have that is for its reader
 * to say. */
bool percent_decode(struct arena *arena, struct bytes text, bool plus_is_blank, struct bytes *result)
{
    bool as_it_is = !text.size || !memchr(text.data, '%', text.size);
    size_t size = 0;

    if (as_it_is && !(plus_is_blank && text.size && memchr(text.data, '+', text.size))) {
        *result = bytes_of(text.data ? text.data : (const uint8_t *)"", text.size);
        return true;
    }

    uint8_t *to = arena_alloc(arena, text.size);

    for (size_t i = 0; i < text.size; i++) {
        int c = text.data[i];

        if (c == '%') {
            c = encoded_at(text, i);
            if (c < 0)
                return false;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        to[size++] = (uint8_t)c;
    }
    assert(size <= text.size);
    *result = bytes_of(to, size);
    return true;
}

/* Upper case, as signers write it. */
static void encode_byte(struct buffer *out, uint8_t c)
{
    if (is_unreserved(c)) {
        buffer_append_u8(out, c);
        return;
    }

    uint8_t *to = buffer_extend(out, 3);

    to[0] = '%';
    to[1] = (uint8_t)hex_digits[c >> 4];
    to[2] = (uint8_t)hex_digits[c & 15];
}

void percent_encode(struct buffer *out, struct bytes raw, bool keeps_slash)
{
    for (size_t i = 0; i < raw.size; i++)
        if (raw.data[i] == '/' && keeps_slash)
            buffer_append_u8(out, '/');
        else
            encode_byte(out, raw.data[i]);
}

/* Byte by byte, without decoding first: a decoded "%25" must not begin another "%41". For each
 * text that means the same there is one result, and none has the result of another, which is
 * what a signature needs. */
void percent_recode(struct buffer *out, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        int c = text.data[i] == '%' ? encoded_at(text, i) : -1;

        encode_byte(out, c < 0 ? text.data[i] : (uint8_t)c);
        if (c >= 0)
            i += 2;
    }
}

/* The first '?' ends the path: others are the query's own. */
void target_split(struct bytes target, struct bytes *path, struct bytes *query)
{
    const uint8_t *mark = target.size ? memchr(target.data, '?', target.size) : NULL;
    size_t size = mark ? (size_t)(mark - target.data) : target.size;

    assert(size <= target.size);
    *path = bytes_of(target.data, size);
    *query = mark ? bytes_of(mark + 1, target.size - size - 1) : bytes_of("", 0);
}

/* Pieces are cut before anything is decoded, so an encoded '&' or '=' is a name's or a value's
 * own. A piece without '=' has an empty value; whether it had one makes no difference to
 * anybody. */
bool query_piece_next(struct query_pieces *pieces, struct bytes *name, struct bytes *value)
{
    if (pieces->done)
        return false;

    struct bytes rest = pieces->rest;
    const uint8_t *end = rest.size ? memchr(rest.data, '&', rest.size) : NULL;
    size_t size = end ? (size_t)(end - rest.data) : rest.size;
    const uint8_t *equals = size ? memchr(rest.data, '=', size) : NULL;

    assert(size <= rest.size);
    *name = bytes_of(rest.data, equals ? (size_t)(equals - rest.data) : size);
    *value = equals ? bytes_of(equals + 1, size - name->size - 1) : bytes_of("", 0);
    pieces->done = !end;
    if (end)
        pieces->rest = bytes_of(end + 1, rest.size - size - 1);
    return true;
}

/* Takes the last segment away, from the offset on: it ends in '/', as what was before it does. */
static void drop_segment(struct buffer *out, size_t from)
{
    assert(out->size > from && out->data[out->size - 1] == '/');
    if (out->size - from == 1)
        return;
    do
        out->size--;
    while (out->data[out->size - 1] != '/');
}

/* What is there always ends in '/' while segments follow, so that "/a/b/.." is "/a/", as the RFC
 * has it. Encoded dots are no dots: "%2E%2E" is a segment as any other, and signed as it stands.
 * Linear: a segment is put once, and taken away once at most. */
void path_normalize(struct buffer *out, struct bytes path)
{
    size_t from = out->size, i = 0;

    buffer_append_u8(out, '/');
    while (i < path.size) {
        const uint8_t *at = path.data + i, *slash = memchr(at, '/', path.size - i);
        struct bytes segment = bytes_of(at, slash ? (size_t)(slash - at) : path.size - i);

        i += segment.size + (slash ? 1 : 0);
        if (bytes_equal(segment, BYTES_LITERAL("..")))
            drop_segment(out, from);
        else if (segment.size && !bytes_equal(segment, BYTES_LITERAL("."))) {
            buffer_append_bytes(out, segment);
            if (slash)
                buffer_append_u8(out, '/');
        }
    }
    assert(out->data[from] == '/');
}

struct bytes blanks_trim(struct bytes text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}
