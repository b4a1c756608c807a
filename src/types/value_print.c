/* Values as CQL literals and as JSON, as Cassandra 5.0 writes them: AbstractType.toCQLString and
 * toJSONString.
 *
 * Values were validated; what is of a fixed size and empty prints as null, as Java has no object
 * for it. */
#include "base/uuid.h"
#include "types/calendar.h"
#include "types/number.h"
#include "types/value.h"
#include "types/value_text.h"
#include "types/vint.h"

#include <arpa/inet.h>
#include <assert.h>
#include <math.h>

/* A blob is 0x and its digits; an empty one is 0x alone. */
static void print_hex(struct buffer *out, struct bytes value)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = buffer_extend(out, 2 + value.size * 2);

    *at++ = '0';
    *at++ = 'x';
    for (size_t i = 0; i < value.size; i++) {
        *at++ = digits[value.data[i] >> 4];
        *at++ = digits[value.data[i] & 15];
    }
}

/* A quote within is written twice. */
static void print_quoted(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'')
            buffer_append_u8(out, '\'');
        buffer_append_u8(out, text.data[i]);
    }
    buffer_append_u8(out, '\'');
}

/* IPv6 in eight groups, nothing left out, as Java prints it. An IPv4 address in IPv6's clothes is
 * one of IPv4, as in Java. */
static void print_inet(struct buffer *out, struct bytes value)
{
    const uint8_t *at = value.data;

    /* As Java's InetAddress makes it one of four bytes. */
    if (value.size == 16 && memcmp(at, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12) == 0)
        value = bytes_of(at += 12, 4);
    if (value.size == 4) {
        buffer_printf(out, "%u.%u.%u.%u", at[0], at[1], at[2], at[3]);
        return;
    }
    for (size_t i = 0; i < 16; i += 2)
        buffer_printf(out, i ? ":%x" : "%x", load_be16(at + i));
}

/* A value that is too short prints what could be read, which validation has kept from happening. */
static void print_duration(struct buffer *out, struct bytes value)
{
    int64_t months = 0, days = 0, nanoseconds = 0;

    vint_read_signed(&value, &months);
    vint_read_signed(&value, &days);
    vint_read_signed(&value, &nanoseconds);
    duration_print(out, months, days, nanoseconds);
}

static float float_of(struct bytes value)
{
    uint32_t bits = load_be32(value.data);
    float v;

    memcpy(&v, &bits, 4);
    return v;
}

static double double_of(struct bytes value)
{
    uint64_t bits = load_be64(value.data);
    double v;

    memcpy(&v, &bits, 8);
    return v;
}

/* The characters of a native value that is not empty; no quotes. `separator` stands between date
 * and time: T in CQL, a blank in JSON. */
static void print_bare(struct buffer *out, const struct type *type, struct bytes value, char separator)
{
    assert(!type_fixed_bytes(type) || value.size == type_fixed_bytes(type));
    switch (type->kind) {
    case TYPE_INT: buffer_printf(out, "%d", (int32_t)load_be32(value.data)); return;
    case TYPE_BIGINT:
    case TYPE_COUNTER: buffer_printf(out, "%lld", (long long)load_be64(value.data)); return;
    case TYPE_SMALLINT: buffer_printf(out, "%d", (int16_t)load_be16(value.data)); return;
    case TYPE_TINYINT: buffer_printf(out, "%d", (int8_t)value.data[0]); return;
    case TYPE_BOOLEAN: buffer_append_string(out, value.data[0] ? "true" : "false"); return;
    case TYPE_FLOAT: float_print(out, float_of(value)); return;
    case TYPE_DOUBLE: double_print(out, double_of(value)); return;
    case TYPE_VARINT: varint_print(out, value); return;
    case TYPE_DECIMAL: decimal_print(out, value); return;
    case TYPE_UUID:
    case TYPE_TIMEUUID: uuid_print(out, value.data); return;
    case TYPE_INET: print_inet(out, value); return;
    /* Dates are unsigned on the wire, with 1970 in the middle. */
    case TYPE_DATE: date_print(out, (int64_t)load_be32(value.data) - (1LL << 31)); return;
    case TYPE_TIME: time_print(out, (int64_t)load_be64(value.data)); return;
    case TYPE_TIMESTAMP: timestamp_print(out, (int64_t)load_be64(value.data), separator); return;
    case TYPE_DURATION: print_duration(out, value); return;
    default: print_hex(out, value);
    }
}

/* Lists and vectors in brackets, sets and maps in braces. */
static void print_collection(struct buffer *out, const struct type *type, struct bytes value)
{
    bool is_map = type->kind == TYPE_MAP;
    bool braces = is_map || type->kind == TYPE_SET;
    struct value_iterator iterator;
    struct bytes element;

    buffer_append_u8(out, braces ? '{' : '[');
    value_iterator_init(&iterator, type, value);
    /* Elements are separated by commas; a map's keys and values by colons. */
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++) {
        if (i)
            buffer_append_string(out, is_map && (i & 1) ? ": " : ", ");
        value_print(out, type->params[is_map ? i & 1 : 0], element);
    }
    buffer_append_u8(out, braces ? '}' : ']');
}

/* Fields that are missing at the end are not shown; a UDT's have their names. */
static void print_fields(struct buffer *out, const struct type *type, struct bytes value)
{
    bool is_udt = type->kind == TYPE_UDT;
    struct value_iterator iterator;
    struct bytes field;

    buffer_append_u8(out, is_udt ? '{' : '(');
    value_iterator_init(&iterator, type, value);
    /* Stops where the bytes end, and so before fields that are not there. */
    for (uint32_t i = 0; iterator.rest.size && value_iterator_next(&iterator, &field); i++) {
        if (i)
            buffer_append_string(out, ", ");
        if (is_udt) {
            identifier_print(out, type->field_names[i]);
            buffer_append_string(out, ": ");
        }
        value_print(out, type->params[i], field);
    }
    buffer_append_u8(out, is_udt ? '}' : ')');
}

/* Text and blobs print something even when they are empty; so do tuples and UDTs, which are then
 * without fields. Everything else that is empty prints as null. */
void value_print(struct buffer *out, const struct type *type, struct bytes value)
{
    if (bytes_is_null(value)) {
        buffer_append_string(out, "null");
        return;
    }
    switch (type->kind) {
    case TYPE_ASCII:
    case TYPE_TEXT: print_quoted(out, value); return;
    case TYPE_BLOB:
    case TYPE_CUSTOM: print_hex(out, value); return;
    case TYPE_TUPLE:
    case TYPE_UDT: print_fields(out, type, value); return;
    default: break;
    }
    if (value.size == 0) {
        buffer_append_string(out, "null");
        return;
    }
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR: print_collection(out, type, value); return;
    /* Dates and addresses are written as strings in CQL. */
    case TYPE_INET:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
        buffer_append_u8(out, '\'');
        print_bare(out, type, value, 'T');
        buffer_append_u8(out, '\'');
        return;
    default: print_bare(out, type, value, 'T');
    }
}

/* JSON: strings as RFC 8259 wants them, with the escapes that Java's encoder
 * (JsonUtils.quoteAsJsonString) writes. */
/* JSON */

/* Only what must be escaped is: beyond ASCII, characters stand as they are. */
static void print_json_content(struct buffer *out, struct bytes text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        /* The six escapes that have a letter; other control characters are four hexadecimal digits. */
        char letter = c == '\b' ? 'b' : c == '\t' ? 't' : c == '\n' ? 'n' : c == '\f' ? 'f' : c == '\r' ? 'r' : 0;

        if (c == '"' || c == '\\' || letter) {
            buffer_append_u8(out, '\\');
            buffer_append_u8(out, letter ? (uint8_t)letter : c);
        } else if (c < 0x20) {
            buffer_append_string(out, "\\u00");
            buffer_append_u8(out, (uint8_t)digits[c >> 4]);
            buffer_append_u8(out, (uint8_t)digits[c & 15]);
        } else {
            buffer_append_u8(out, c);
        }
    }
}

void json_print_string(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '"');
    print_json_content(out, text);
    buffer_append_u8(out, '"');
}

/* CQL would write it in quotes, so it has them in JSON too, within the string: INSERT JSON reads it
 * so. */
void json_field_name(struct buffer *out, struct bytes name)
{
    bool lower = true;

    for (size_t i = 0; i < name.size && lower; i++)
        lower = name.data[i] < 'A' || name.data[i] > 'Z';
    if (!lower)
        buffer_append_u8(out, '"');
    buffer_append_bytes(out, name);
    if (!lower)
        buffer_append_u8(out, '"');
}

/* A key is a string: what is none becomes one, with its own quotes escaped. */
static void print_json_key(struct buffer *out, const struct type *type, struct bytes value)
{
    struct buffer key = { 0 };

    value_print_json(&key, type, value);
    if (key.size && key.data[0] == '"')
        buffer_append_bytes(out, buffer_bytes(&key));
    else
        json_print_string(out, buffer_bytes(&key));
    buffer_fini(&key);
}

/* Sets are arrays in JSON. */
static void print_json_collection(struct buffer *out, const struct type *type, struct bytes value)
{
    bool is_map = type->kind == TYPE_MAP;
    struct value_iterator iterator;
    struct bytes element;

    buffer_append_u8(out, is_map ? '{' : '[');
    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++) {
        if (i)
            buffer_append_string(out, is_map && (i & 1) ? ": " : ", ");
        if (is_map && !(i & 1))
            print_json_key(out, type->params[0], element);
        else
            value_print_json(out, type->params[is_map], element);
    }
    buffer_append_u8(out, is_map ? '}' : ']');
}

/* Missing fields are shown as null here, unlike in CQL. */
static void print_json_fields(struct buffer *out, const struct type *type, struct bytes value)
{
    bool is_udt = type->kind == TYPE_UDT;
    struct value_iterator iterator;
    struct bytes field;

    buffer_append_u8(out, is_udt ? '{' : '[');
    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; value_iterator_next(&iterator, &field); i++) {
        if (i)
            buffer_append_string(out, ", ");
        if (is_udt) {
            struct buffer name = { 0 };

            json_field_name(&name, type->field_names[i]);
            json_print_string(out, buffer_bytes(&name));
            buffer_append_string(out, ": ");
            buffer_fini(&name);
        }
        value_print_json(out, type->params[i], field);
    }
    buffer_append_u8(out, is_udt ? '}' : ']');
}

/* NaN and the infinities have no form in JSON: null, as in Cassandra. */
void value_print_json(struct buffer *out, const struct type *type, struct bytes value)
{
    if (bytes_is_null(value)) {
        buffer_append_string(out, "null");
        return;
    }
    switch (type->kind) {
    case TYPE_ASCII:
    case TYPE_TEXT: json_print_string(out, value); return;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR: print_json_collection(out, type, value); return;
    case TYPE_TUPLE:
    case TYPE_UDT: print_json_fields(out, type, value); return;
    /* A double that is no number would be no JSON. */
    case TYPE_FLOAT:
        if (value.size && !isfinite(float_of(value))) {
            buffer_append_string(out, "null");
            return;
        }
        break;
    case TYPE_DOUBLE:
        if (value.size && !isfinite(double_of(value))) {
            buffer_append_string(out, "null");
            return;
        }
        break;
    default: break;
    }

    bool is_bare = false; /* numbers and booleans stand without quotes */
    switch (type->kind) {
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_SMALLINT:
    case TYPE_TINYINT:
    case TYPE_BOOLEAN:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_VARINT:
    case TYPE_DECIMAL: is_bare = value.size != 0; break;
    default: break;
    }
    /* What is none of these is a string, also when it is empty. */
    if (!is_bare)
        buffer_append_u8(out, '"');
    if (value.size || type->kind == TYPE_BLOB || type->kind == TYPE_CUSTOM)
        print_bare(out, type, value, ' ');
    if (!is_bare)
        buffer_append_u8(out, '"');
}
