/* Values as text. What cannot be of the shape is refused, never guessed: "TRUE" and "1" are no
 * booleans, " 1" and "1.0" no integers. */
#include "wire/aws/scalar.h"
#include "types/number.h"
#include "types/text.h"
#include "wire/aws/base64.h"
#include "wire/aws/codec.h"

#include <assert.h>

/* More than any number needs, in any notation. */
enum { NUMBER_TEXT_MAX = 64 };

bool shape_is_scalar(const struct shape *shape)
{
    return shape->kind != SHAPE_STRUCTURE && shape->kind != SHAPE_LIST && shape->kind != SHAPE_MAP;
}

/* The type's own parser takes blanks, "1d" and hexadecimal too, as Java does: here only what JSON
 * would take, and a sign. A number has no reason to be long, and time to parse it grows with its
 * length. */
static bool read_double(struct bytes text, double *number)
{
    bool good = text.size && text.size <= NUMBER_TEXT_MAX;

    if (bytes_is(text, "NaN") || bytes_is(text, "Infinity") || bytes_is(text, "-Infinity"))
        return double_parse(text, number);
    for (size_t i = 0; good && i < text.size; i++)
        good = (text.data[i] >= '0' && text.data[i] <= '9') || memchr("+-.eE", text.data[i], 5);
    return good && double_parse(text, number);
}

/* One format, never another one that would fit as well: a client that sends the wrong one has the
 * wrong model. */
static bool read_time(struct bytes text, enum timestamp_format format, int64_t *microseconds)
{
    double seconds;

    switch (format) {
    case TIMESTAMP_EPOCH: return read_double(text, &seconds) && time_of_epoch(seconds, microseconds);
    case TIMESTAMP_ISO8601: return time_read_iso8601(text, microseconds);
    case TIMESTAMP_HTTP: return time_read_http(text, microseconds);
    case TIMESTAMP_OF_PROTOCOL: break;
    }
    assert(false); /* whoever asks says what is usual there */
    return false;
}

/* What the shape says goes before what is usual in the place. */
static enum timestamp_format format_of(const struct shape *shape, enum timestamp_format usual)
{
    assert(usual != TIMESTAMP_OF_PROTOCOL);
    return shape->timestamp == TIMESTAMP_OF_PROTOCOL ? usual : shape->timestamp;
}

/* In AWS's words; what is quoted is cut, for a client chose how long it is. */
static bool refuse(struct walk *walk, struct bytes text, const char *what)
{
    struct bytes cut = text_cut(text, 64);

    return walk_refuse(walk, "'%.*s' cannot be converted to %s", BYTES(cut), what);
}

/* Texts are checked before anything else, since they may be quoted, stored, and sent to clients that
 * take nothing but UTF-8. Blobs are checked too: base64 is ASCII. */
bool scalar_read(struct walk *walk, const struct shape *shape, struct bytes text, enum timestamp_format usual,
                 struct tree **result)
{
    struct tree *tree = tree_new(walk->arena, shape);
    int64_t integer;
    double number;

    *result = tree;
    if (!walk_count(walk))
        return false;
    if (!text_is_utf8(text)) /* before it is quoted */
        return walk_refuse(walk, "Text that is not UTF-8");
    switch (shape->kind) {
    case SHAPE_STRING: tree->bytes = text; return true;
    case SHAPE_BLOB: return base64_decode(walk->arena, text, &tree->bytes) || refuse(walk, text, "Blob");
    case SHAPE_BOOLEAN:
        tree->boolean = bytes_is(text, "true");
        return tree->boolean || bytes_is(text, "false") || refuse(walk, text, "Boolean");
    case SHAPE_INTEGER:
    case SHAPE_LONG:
        if (text.size > NUMBER_TEXT_MAX || !integer_parse(text, INT64_MIN, INT64_MAX, &integer))
            return refuse(walk, text, shape->kind == SHAPE_LONG ? "Long" : "Integer");
        return walk_set_integer(walk, tree, integer);
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
        if (!read_double(text, &number))
            return refuse(walk, text, shape->kind == SHAPE_DOUBLE ? "Double" : "Float");
        return walk_set_number(walk, tree, number);
    case SHAPE_TIMESTAMP:
        return read_time(text, format_of(shape, usual), &tree->microseconds) || refuse(walk, text, "Timestamp");
    case SHAPE_DOCUMENT: return walk_refuse(walk, "A document cannot stand here");
    case SHAPE_STRUCTURE:
    case SHAPE_LIST:
    case SHAPE_MAP: break;
    }
    return walk_refuse(walk, "A structure, list or map cannot stand here");
}

/* ISO 8601 is what is left. */
static void write_time(struct buffer *out, int64_t microseconds, enum timestamp_format format)
{
    if (format == TIMESTAMP_EPOCH)
        time_write_epoch(out, microseconds);
    else if (format == TIMESTAMP_HTTP)
        time_write_http(out, microseconds);
    else
        time_write_iso8601(out, microseconds);
}

/* Doubles as Java prints them: the shortest digits that read back, and names for what is no number.
 * What XML or a header needs beyond that is its writer's. */
void scalar_write(struct buffer *out, const struct tree *tree, enum timestamp_format usual)
{
    switch (tree->shape->kind) {
    case SHAPE_STRING:
    case SHAPE_DOCUMENT: buffer_append_bytes(out, tree->bytes); break;
    case SHAPE_BLOB: base64_encode(out, tree->bytes); break;
    case SHAPE_BOOLEAN: buffer_append_string(out, tree->boolean ? "true" : "false"); break;
    case SHAPE_INTEGER:
    case SHAPE_LONG: buffer_printf(out, "%lld", (long long)tree->integer); break;
    case SHAPE_FLOAT: float_print(out, (float)tree->number); break;
    case SHAPE_DOUBLE: double_print(out, tree->number); break;
    case SHAPE_TIMESTAMP: write_time(out, tree->microseconds, format_of(tree->shape, usual)); break;
    case SHAPE_STRUCTURE:
    case SHAPE_LIST:
    case SHAPE_MAP: assert(false); break; /* no single value */
    }
}
