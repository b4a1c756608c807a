/* awsJson 1.0 and 1.1. A body is checked once, whole (types/json.h), and then walked token by token, so each byte
 * is looked at twice, however deep it lies. Strings without escapes stay where they are.
 *
 * What is of another kind than the shape is refused as AWS's services do it; so are numbers that the shape cannot
 * hold. A timestamp is a number, or text where its shape says so, and never the other. */
#include "base/debug.h"
#include "types/json.h"
#include "types/number.h"
#include "types/text.h"
#include "wire/aws/base64.h"
#include "wire/aws/codec.h"
#include "wire/aws/walk.h"

#include <math.h>

/* More than any 64 bit number has digits: an exponent beyond it decides by itself. */
enum { EXPONENT_MAX = 1 << 24 };

struct json_reader {
    struct walk walk;
    struct bytes rest;     /* checked text */
    struct buffer scratch; /* what is unescaped */
};

/* ---- tokens ---- */

/* There always is one as long as a container is open. */
static struct bytes next_token(struct json_reader *r)
{
    struct bytes token = json_next_token(&r->rest);

    debug_assert(token.size); /* checked text ends with its outermost bracket */
    return token;
}

/* What AWS's services call it when it is none of what they expect. */
static const char *found_name(struct bytes token)
{
    switch (json_kind_of(token)) {
    case JSON_NULL: return "VALUE_NULL";
    case JSON_BOOLEAN: return token.data[0] == 't' ? "TRUE_VALUE" : "FALSE_VALUE";
    case JSON_INTEGER: return "NUMBER_VALUE";
    case JSON_FLOAT: return "DECIMAL_VALUE";
    case JSON_STRING: return "STRING_VALUE";
    case JSON_ARRAY: return "[";
    case JSON_OBJECT: return "{";
    }
    return "";
}

/* The rest of a value that begins with this token. All that is in it counts, names too. */
static bool skip_value(struct json_reader *r, struct bytes token)
{
    uint32_t open = 0;

    for (;;) {
        if (token.data[0] == '[' || token.data[0] == '{')
            open++;
        else if (token.data[0] == ']' || token.data[0] == '}')
            open--;
        if (!open)
            return true;
        if (!walk_count(&r->walk))
            return false;
        token = next_token(r);
    }
}

/* ---- strings ---- */

/* The 16 bits of \uXXXX. */
static uint32_t unit_of(const uint8_t *at)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++)
        unit = unit << 4 | (uint32_t)(at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
    return unit;
}

/* Half a surrogate pair is no character: it could not be given back as it came. */
static bool has_lone_surrogate(struct bytes string)
{
    for (size_t i = 0; i + 5 < string.size; i++) {
        if (string.data[i] != '\\')
            continue;
        /* What is escaped is looked at by the next turn only if it is a unit. */
        if (string.data[++i] != 'u')
            continue;
        uint32_t unit = unit_of(&string.data[i + 1]);
        i += 4;
        if (unit < 0xD800 || unit > 0xDFFF)
            continue;
        if (unit > 0xDBFF || i + 6 >= string.size || string.data[i + 1] != '\\' || string.data[i + 2] != 'u')
            return true;
        uint32_t low = unit_of(&string.data[i + 3]);
        if (low < 0xDC00 || low > 0xDFFF)
            return true;
        i += 6;
    }
    return false;
}

/* A string's characters: in the body, or in the arena if some were escaped. */
static bool read_text(struct json_reader *r, struct bytes token, struct bytes *text)
{
    debug_assert(token.size >= 2 && token.data[0] == '"');
    /* Most strings have no escapes, and stay in the body. */
    *text = bytes_of(token.data + 1, token.size - 2);
    if (!text->size || !memchr(text->data, '\\', text->size))
        return true;
    if (has_lone_surrogate(token))
        return walk_refuse(&r->walk, "Half a surrogate pair in a string");
    buffer_reset(&r->scratch);
    json_unescape(&r->scratch, token);
    *text = arena_copy(r->walk.arena, buffer_bytes(&r->scratch));
    return true;
}

/* ---- numbers ---- */

enum exactness { NUMBER_EXACT, NUMBER_FRACTION, NUMBER_RANGE };

/* A number's parts: digits with at most one point among them, and how many of them are whole. */
struct number {
    struct bytes digits;
    bool is_negative;
    int64_t whole;
};

/* Of checked text: -12.34e5 */
static struct number take_apart(struct bytes token)
{
    struct number number = { .is_negative = token.data[0] == '-' };
    size_t i = number.is_negative, start = i;
    int64_t exponent = 0;
    bool is_small = false;

    /* Checked text: the digits are in order, and one point at most is among them. */
    while (i < token.size && (token.data[i] == '.' || (token.data[i] >= '0' && token.data[i] <= '9')))
        i++;
    number.digits = bytes_of(token.data + start, i - start);
    const uint8_t *point = memchr(number.digits.data, '.', number.digits.size);
    number.whole = point ? point - number.digits.data : (int64_t)number.digits.size;
    /* Behind the e. An exponent of a thousand digits stays at a size that can be added. */
    for (i++; i < token.size; i++) {
        if (token.data[i] == '-' || token.data[i] == '+')
            is_small = token.data[i] == '-';
        else if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (token.data[i] - '0');
    }
    number.whole += is_small ? -exponent : exponent;
    return number;
}

/* 1e3 and 1.20e1 are integers; 1.5 is none, and 1e-400 neither. */
static enum exactness read_integer(struct bytes token, int64_t *value)
{
    struct number number = take_apart(token);
    uint64_t size = 0, limit = (uint64_t)INT64_MAX + number.is_negative;
    int64_t at = 0;

    for (size_t i = 0; i < number.digits.size; i++) {
        uint8_t digit = number.digits.data[i];

        if (digit == '.')
            continue;
        /* Digits behind the point say nothing only if they are zeros. */
        if (at++ >= number.whole) {
            if (digit != '0')
                return NUMBER_FRACTION;
            continue;
        }
        if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, digit - '0', &size))
            return NUMBER_RANGE;
    }
    /* Zeros that an exponent stands for: twenty of them at most, or it is out of range. */
    for (; size && at < number.whole; at++)
        if (__builtin_mul_overflow(size, 10, &size))
            return NUMBER_RANGE;
    if (size > limit)
        return NUMBER_RANGE;
    *value = number.is_negative ? (int64_t)-size : (int64_t)size;
    return NUMBER_EXACT;
}

/* Of either kind: 1 and 1.0 are the same number to an awsJson service. */
static bool is_number(struct bytes token)
{
    return json_kind_of(token) == JSON_INTEGER || json_kind_of(token) == JSON_FLOAT;
}

/* What a shape of 32 bits can hold is the walk's to say; here it must be a whole number of 64. */
static bool read_integer_value(struct json_reader *r, struct bytes token, struct tree *tree)
{
    int64_t value = 0;

    if (!is_number(token))
        return walk_refuse_kind(&r->walk, found_name(token), tree->shape);
    switch (read_integer(token, &value)) {
    case NUMBER_EXACT: return walk_set_integer(&r->walk, tree, value);
    case NUMBER_FRACTION: return walk_refuse_kind(&r->walk, "DECIMAL_VALUE", tree->shape);
    case NUMBER_RANGE: break;
    }
    return walk_refuse(&r->walk, "A number is out of the range of a Long");
}

/* Infinities and NaN have no signs in JSON: they are these three strings. */
static bool read_floating(struct json_reader *r, struct bytes token, struct tree *tree)
{
    bool is_special = bytes_equal(token, BYTES_LITERAL("\"NaN\"")) ||
                      bytes_equal(token, BYTES_LITERAL("\"Infinity\"")) ||
                      bytes_equal(token, BYTES_LITERAL("\"-Infinity\""));
    double wide = 0;
    float narrow = 0;

    if (is_special)
        token = bytes_of(token.data + 1, token.size - 2);
    else if (!is_number(token))
        return walk_refuse_kind(&r->walk, found_name(token), tree->shape);
    /* A float is read as one: by way of a double it would be rounded twice. */
    bool ok = tree->shape->kind == SHAPE_FLOAT ? float_parse(token, &narrow) : double_parse(token, &wide);
    if (tree->shape->kind == SHAPE_FLOAT)
        wide = (double)narrow;
    if (!ok || (!is_special && !isfinite(wide)))
        return walk_refuse(&r->walk, "A number is out of the range of a %s",
                           tree->shape->kind == SHAPE_FLOAT ? "Float" : "Double");
    return walk_set_number(&r->walk, tree, wide);
}

/* ---- other scalars ---- */

/* Never both: a service that took text where its model says number would hide a client's mistake until
 * the day it moves. */
static bool read_timestamp(struct json_reader *r, struct bytes token, struct tree *tree)
{
    enum timestamp_format format = tree->shape->timestamp;
    bool is_text = format == TIMESTAMP_ISO8601 || format == TIMESTAMP_HTTP, ok;
    struct bytes text;
    double seconds = 0;

    if (is_text ? json_kind_of(token) != JSON_STRING : !is_number(token))
        return walk_refuse_kind(&r->walk, found_name(token), tree->shape);
    if (is_text) {
        if (!read_text(r, token, &text))
            return false;
        ok = format == TIMESTAMP_ISO8601 ? time_read_iso8601(text, &tree->microseconds)
                                         : time_read_http(text, &tree->microseconds);
    } else {
        ok = double_parse(token, &seconds) && time_of_epoch(seconds, &tree->microseconds);
    }
    return ok ? true : walk_refuse(&r->walk, "Not a time");
}

/* A blob is a string first; what is decoded takes three quarters of it again. */
static bool read_string(struct json_reader *r, struct bytes token, struct tree *tree)
{
    if (json_kind_of(token) != JSON_STRING)
        return walk_refuse_kind(&r->walk, found_name(token), tree->shape);
    if (!read_text(r, token, &tree->bytes))
        return false;
    if (tree->shape->kind == SHAPE_BLOB && !base64_decode(r->walk.arena, tree->bytes, &tree->bytes))
        return walk_refuse(&r->walk, "Not base64");
    return true;
}

/* Whatever it is, as it stands there. */
static bool read_document(struct json_reader *r, struct bytes token, struct tree *tree)
{
    if (!skip_value(r, token))
        return false;
    tree->bytes = bytes_of(token.data, (size_t)(r->rest.data - token.data));
    return true;
}

/* One place for each kind, so that a new one is not forgotten. */
static bool read_scalar(struct json_reader *r, struct bytes token, struct tree *tree)
{
    switch (tree->shape->kind) {
    case SHAPE_STRING:
    case SHAPE_BLOB: return read_string(r, token, tree);
    case SHAPE_BOOLEAN:
        if (json_kind_of(token) != JSON_BOOLEAN)
            return walk_refuse_kind(&r->walk, found_name(token), tree->shape);
        tree->boolean = token.data[0] == 't';
        return true;
    case SHAPE_INTEGER:
    case SHAPE_LONG: return read_integer_value(r, token, tree);
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: return read_floating(r, token, tree);
    case SHAPE_TIMESTAMP: return read_timestamp(r, token, tree);
    case SHAPE_DOCUMENT: return read_document(r, token, tree);
    case SHAPE_STRUCTURE:
    case SHAPE_LIST:
    case SHAPE_MAP: break;
    }
    assert(false); /* no scalar */
    return false;
}

/* ---- containers ---- */

/* They hold values again, so this is declared before them. *result NULL: null. */
static bool read_value(struct json_reader *r, struct bytes token, const struct shape *shape, struct tree **result);

/* Of a name that comes twice the last counts, null too. */
static bool read_structure(struct json_reader *r, struct tree *tree)
{
    for (;;) {
        struct bytes token = next_token(r), name;

        if (token.data[0] == '}')
            return true;
        if (!read_text(r, token, &name))
            return false;
        walk_member(&r->walk, name);
        const struct model_member *member = shape_member_on_wire(tree->shape, name);
        token = next_token(r);
        /* Names that the shape does not have are of newer clients, or of nobody. */
        if (member) {
            if (!read_value(r, token, member->shape, &tree->members[member - tree->shape->members]))
                return false;
        } else if (!walk_count(&r->walk) || !skip_value(r, token)) {
            return false;
        }
    }
}

/* A map is read like a list whose elements have names: what comes twice is settled at the end, once
 * for all. */
static bool read_elements(struct json_reader *r, struct tree *tree)
{
    bool is_map = tree->shape->kind == SHAPE_MAP;

    for (;;) {
        struct bytes token = next_token(r), key = { NULL, 0 };
        struct tree *value = NULL;

        if (token.data[0] == (is_map ? '}' : ']'))
            break;
        if (is_map) {
            if (!read_text(r, token, &key))
                return false;
            walk_member(&r->walk, key);
            token = next_token(r);
        } else {
            walk_element(&r->walk, tree->count);
        }
        if (!read_value(r, token, tree->shape->element, &value))
            return false;
        tree_add(r->walk.arena, tree, key, value);
    }
    if (is_map)
        tree_settle(r->walk.arena, tree);
    return true;
}

/* Null first: it is absent for every shape but a document, for which it is a value like any other. */
static bool read_value(struct json_reader *r, struct bytes token, const struct shape *shape, struct tree **result)
{
    bool is_container = shape->kind == SHAPE_STRUCTURE || shape->kind == SHAPE_LIST || shape->kind == SHAPE_MAP;
    enum json_kind wanted = shape->kind == SHAPE_LIST ? JSON_ARRAY : JSON_OBJECT;

    *result = NULL;
    if (!walk_count(&r->walk))
        return false;
    /* A document's null is a document. */
    if (json_kind_of(token) == JSON_NULL && shape->kind != SHAPE_DOCUMENT)
        return true;
    if (is_container && json_kind_of(token) != wanted)
        return walk_refuse_kind(&r->walk, found_name(token), shape);
    struct tree *tree = tree_new(r->walk.arena, shape);
    *result = tree;
    if (!is_container)
        return read_scalar(r, token, tree);
    if (!walk_enter(&r->walk))
        return false;
    if (!(shape->kind == SHAPE_STRUCTURE ? read_structure(r, tree) : read_elements(r, tree)))
        return false;
    walk_leave(&r->walk);
    return walk_check_union(&r->walk, tree);
}

/* An empty body is what some clients send for an operation without input. All others are one object, or
 * what a payload of REST may be, checked before any of it is believed. */
bool json_read(struct arena *arena, const struct shape *shape, struct bytes body, struct tree **result,
               struct api_fault *fault)
{
    struct json_reader r = { .walk = { .arena = arena, .fault = fault } };
    struct error err;
    struct tree *tree = NULL;

    if (body.size == 0) {
        *result = tree_new(arena, shape);
        return true;
    }
    /* Also UTF-8 is checked here, for all of it. */
    if (json_check(body, &r.rest, &err))
        return walk_refuse(&r.walk, "%s", err.message);
    struct bytes token = next_token(&r);
    bool good = shape->kind != SHAPE_STRUCTURE || json_kind_of(token) == JSON_OBJECT;
    bool ok = good ? read_value(&r, token, shape, &tree) : walk_refuse(&r.walk, "The body is not an object");
    buffer_fini(&r.scratch);
    if (ok)
        *result = tree;
    return ok;
}

/* ---- writing ---- */

/* What must be escaped is; UTF-8 stays. */
static void write_string(struct buffer *out, struct bytes text)
{
    static const char letters[] = "\b\t\n\f\r\"\\";
    size_t done = 0;

    debug_assert(text_is_utf8(text));
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        /* All that needed no escape until here, at once. */
        buffer_append(out, text.data + done, i - done);
        done = i + 1;
        const char *letter = c ? strchr(letters, c) : NULL;
        if (letter)
            buffer_printf(out, "\\%c", "btnfr\"\\"[letter - letters]);
        else
            buffer_printf(out, "\\u%04x", c);
    }
    buffer_append(out, text.data + done, text.size - done);
    buffer_append_u8(out, '"');
}

/* The shortest digits that read back as the same number, for a float those of a float. */
static void write_floating(struct buffer *out, const struct tree *tree)
{
    bool is_quoted = !isfinite(tree->number);

    if (is_quoted)
        buffer_append_u8(out, '"');
    if (tree->shape->kind == SHAPE_FLOAT)
        float_print(out, (float)tree->number);
    else
        double_print(out, tree->number);
    if (is_quoted)
        buffer_append_u8(out, '"');
}

/* A shape's own format is followed in answers as it is in requests. */
static void write_timestamp(struct buffer *out, const struct tree *tree)
{
    if (tree->shape->timestamp == TIMESTAMP_OF_PROTOCOL || tree->shape->timestamp == TIMESTAMP_EPOCH) {
        time_write_epoch(out, tree->microseconds);
        return;
    }
    buffer_append_u8(out, '"');
    if (tree->shape->timestamp == TIMESTAMP_ISO8601)
        time_write_iso8601(out, tree->microseconds);
    else
        time_write_http(out, tree->microseconds);
    buffer_append_u8(out, '"');
}

/* Values in values again. */
static void write_value(struct buffer *out, const struct tree *tree);

/* Of a structure, without its braces; `separator` stands before the first one, if there is one. */
static void write_members(struct buffer *out, const struct tree *tree, const char *separator)
{
    for (uint32_t i = 0; i < tree->shape->member_count; i++) {
        if (!tree->members[i] || tree->shape->members[i].place != PLACE_BODY)
            continue;
        buffer_append_string(out, separator);
        write_string(out, bytes_of_string(tree->shape->members[i].wire_name));
        buffer_append_u8(out, ':');
        write_value(out, tree->members[i]);
        separator = ",";
    }
}

/* Null is written where a list or map has it: leaving it out would move what follows. */
static void write_elements(struct buffer *out, const struct tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        if (i)
            buffer_append_u8(out, ',');
        if (tree->shape->kind == SHAPE_MAP) {
            write_string(out, tree->entries[i].key);
            buffer_append_u8(out, ':');
        }
        write_value(out, tree->entries[i].value);
    }
}

/* As deep as the tree: what clients sent was limited when it was read, what we make has no depth to
 * speak of. */
static void write_value(struct buffer *out, const struct tree *tree)
{
    if (!tree) {
        buffer_append_string(out, "null");
        return;
    }
    switch (tree->shape->kind) {
    case SHAPE_STRUCTURE:
        buffer_append_u8(out, '{');
        write_members(out, tree, "");
        buffer_append_u8(out, '}');
        break;
    case SHAPE_LIST:
    case SHAPE_MAP:
        buffer_append_u8(out, tree->shape->kind == SHAPE_LIST ? '[' : '{');
        write_elements(out, tree);
        buffer_append_u8(out, tree->shape->kind == SHAPE_LIST ? ']' : '}');
        break;
    case SHAPE_STRING: write_string(out, tree->bytes); break;
    case SHAPE_BLOB:
        buffer_append_u8(out, '"');
        base64_encode(out, tree->bytes);
        buffer_append_u8(out, '"');
        break;
    case SHAPE_BOOLEAN: buffer_append_string(out, tree->boolean ? "true" : "false"); break;
    case SHAPE_INTEGER:
    case SHAPE_LONG: buffer_printf(out, "%lld", (long long)tree->integer); break;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: write_floating(out, tree); break;
    case SHAPE_TIMESTAMP: write_timestamp(out, tree); break;
    case SHAPE_DOCUMENT: buffer_append_bytes(out, tree->bytes); break;
    }
}

/* Clients of awsJson read an object for every operation, so nothing is an empty one. */
void json_write(struct buffer *out, const struct tree *tree)
{
    if (tree)
        write_value(out, tree);
    else
        buffer_append_string(out, "{}");
}

/* One object: what it is, the message under the name that the error's shape has for it, then what else
 * the shape has. */
void json_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault)
{
    /* Names of ours: none needs an escape. */
    buffer_append_string(out, "{\"__type\":\"");
    fault_print_type(out, service, fault);
    buffer_printf(out, "\",\"%s\":", fault_message_name(fault));
    write_string(out, bytes_of_string(fault->message));
    if (fault->details)
        write_members(out, fault->details, ",");
    buffer_append_u8(out, '}');
}
