/* Constants of the language, and strings in JSON, into wire bytes. The rules are
 * AbstractType.fromString's, and the words of errors too, since both reach clients; which constant
 * may be of which type is Constants.Literal's. */
#include "base/uuid.h"
#include "types/calendar.h"
#include "types/number.h"
#include "types/text.h"
#include "types/value.h"
#include "types/value_text.h"
#include "types/vint.h"

#include <assert.h>
#include <math.h>
#include <arpa/inet.h>

/* Asked before anything is parsed: an integer is no text, whatever it says. Assignable is more than
 * parsable, for Cassandra tells by the kind first. */
bool value_literal_is_assignable(const struct type *type, enum literal_kind kind)
{
    if (type->kind == TYPE_TUPLE)
        return true; /* whatever it is, it is read as text */
    switch (kind) {
    case LITERAL_STRING:
        switch (type->kind) {
        case TYPE_ASCII:
        case TYPE_TEXT:
        case TYPE_INET:
        case TYPE_DATE:
        case TYPE_TIME:
        case TYPE_TIMESTAMP:
        case TYPE_CUSTOM: return true;
        default: return false;
        }
    case LITERAL_INTEGER:
        switch (type->kind) {
        case TYPE_BIGINT:
        case TYPE_COUNTER:
        case TYPE_DATE:
        case TYPE_DECIMAL:
        case TYPE_DOUBLE:
        case TYPE_DURATION: /* and then refused for what it says */
        case TYPE_FLOAT:
        case TYPE_INT:
        case TYPE_SMALLINT:
        case TYPE_TIME:
        case TYPE_TIMESTAMP:
        case TYPE_TINYINT:
        case TYPE_VARINT: return true;
        default: return false;
        }
    case LITERAL_FLOAT: return type->kind == TYPE_DECIMAL || type->kind == TYPE_DOUBLE || type->kind == TYPE_FLOAT;
    case LITERAL_BOOLEAN: return type->kind == TYPE_BOOLEAN;
    case LITERAL_UUID: return type->kind == TYPE_UUID || type->kind == TYPE_TIMEUUID;
    case LITERAL_HEX:
        return type->kind == TYPE_BLOB || type->kind == TYPE_TINYINT; /* the latter is refused when parsed */
    case LITERAL_DURATION: return type->kind == TYPE_DURATION;
    }
    return false;
}

/* Looked at whole before anything is appended. */
static enum status parse_hex(struct bytes text, struct buffer *out, struct error *err)
{
    bool ok = text.size % 2 == 0;

    for (size_t i = 0; i < text.size && ok; i++)
        ok = hex_digit(text.data[i]) >= 0;
    if (!ok)
        return error_set(err, ERR_INVALID, "cannot parse '%.*s' as hex bytes", BYTES(text));
    uint8_t *at = buffer_extend(out, text.size / 2);
    for (size_t i = 0; i < text.size; i += 2)
        *at++ = (uint8_t)(hex_digit(text.data[i]) << 4 | hex_digit(text.data[i + 1]));
    return OK;
}

/* Each of the two types has words of its own. */
static enum status parse_uuid_type(const struct type *type, struct bytes text, struct buffer *out, struct error *err)
{
    uint8_t uuid[16];
    bool ok = uuid_parse(text, uuid);

    if (!ok && type->kind == TYPE_UUID)
        return error_set(err, ERR_INVALID, "Unable to make UUID from '%.*s'", BYTES(text));
    if (!ok)
        return error_set(err, ERR_INVALID, "Unknown timeuuid representation: %.*s", BYTES(text));
    if (type->kind == TYPE_TIMEUUID && (uuid[6] & 0xF0) != 0x10)
        return error_set(err, ERR_INVALID, "TimeUUID supports only version 1 UUIDs");
    buffer_append(out, uuid, 16);
    return OK;
}

/* One to four decimal numbers, the last of which fills what is left: 1.2.3 is 1.2.0.3. As Java's
 * InetAddress reads them, zeros in front mean nothing. */
static bool parse_ipv4(struct bytes text, uint8_t address[4])
{
    enum { BYTES_MAX = 15 };
    uint64_t parts[4] = { 0 };
    uint32_t count = 0;
    size_t digits = 0;

    if (text.size == 0 || text.size > BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c >= '0' && c <= '9') {
            parts[count] = parts[count] * 10 + (c - '0');
            digits++;
        } else if (c == '.' && digits && count < 3 && parts[count] <= 0xFF) {
            count++;
            digits = 0;
        } else {
            return false;
        }
    }
    assert(count < 4);
    if (!digits || parts[count] >> (8 * (4 - count)))
        return false;
    store_be32(address, (uint32_t)parts[count]);
    for (uint32_t i = 0; i < count; i++)
        address[i] = (uint8_t)parts[i];
    return true;
}

/* Addresses only: names are never looked up, as Java would do: a statement must not wait for a name
 * server, nor mean something else tomorrow. */
static enum status parse_inet(struct bytes text, struct buffer *out, struct error *err)
{
    bool in_brackets = text.size > 2 && text.data[0] == '[' && text.data[text.size - 1] == ']';
    struct bytes inner = in_brackets ? bytes_of(text.data + 1, text.size - 2) : text;
    uint8_t address[16];
    char string[64];

    /* Java looks for IPv4 first; brackets are for IPv6 only. */
    if (!in_brackets && parse_ipv4(text, address)) {
        buffer_append(out, address, 4);
        return OK;
    }
    /* inet_pton wants a string that ends with NUL, so one within would hide what follows. */
    if (inner.size < sizeof(string) && !memchr(inner.data, 0, inner.size)) {
        memcpy(string, inner.data, inner.size);
        string[inner.size] = 0;
        if (inet_pton(AF_INET6, string, address) == 1) {
            /* An IPv4 address in IPv6 clothes is an IPv4 address, as in Java. */
            bool mapped = memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12) == 0;

            buffer_append(out, address + (mapped ? 12 : 0), mapped ? 4 : 16);
            return OK;
        }
    }
    return error_set(err, ERR_INVALID, "Unable to make inet address from '%.*s'", BYTES(text));
}

/* Days, milliseconds or nanoseconds may be given as a number. A plus is not taken here. */
static bool is_integer(struct bytes text)
{
    size_t i = text.size && text.data[0] == '-';

    if (i == text.size)
        return false;
    for (; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* As a number it is days with the epoch in the middle of 32 unsigned bits, as on the wire. */
static enum status parse_date(struct bytes text, struct buffer *out, struct error *err)
{
    int64_t v;

    if (is_integer(text)) {
        /* The bounds are those of the unsigned number. */
        if (!integer_parse(text, 0, UINT32_MAX, &v))
            return error_set(err, ERR_INVALID, "Unable to make unsigned int (for date) from: '%.*s'", BYTES(text));
    } else {
        if (!date_parse(text, &v))
            return error_set(err, ERR_INVALID, "Unable to coerce '%.*s' to a formatted date (long)", BYTES(text));
        if (v < INT32_MIN)
            return error_set(err, ERR_INVALID, "Input date %.*s is less than min supported date -5877641-06-23T00:00Z",
                             BYTES(text));
        if (v > INT32_MAX)
            return error_set(err, ERR_INVALID,
                             "Input date %.*s is greater than max supported date +5881580-07-11T00:00Z", BYTES(text));
        /* From days since 1970 to days in the middle of 32 bits. */
        v += 1LL << 31;
    }
    buffer_append_be32(out, (uint32_t)v);
    return OK;
}

/* Of one day: a time beyond is refused as text, though any 8 bytes may be bound. */
static enum status parse_time(struct bytes text, struct buffer *out, struct error *err)
{
    int64_t v;

    if (is_integer(text)) {
        if (!integer_parse(text, 0, 86399999999999, &v))
            return error_set(err, ERR_INVALID, "Unable to make long (for time) from: '%.*s'", BYTES(text));
    } else if (!time_parse(text, &v)) {
        return error_set(err, ERR_INVALID, "(TimeType) Unable to coerce '%.*s' to a formatted time (long)",
                         BYTES(text));
    }
    buffer_append_be64(out, (uint64_t)v);
    return OK;
}

/* The reason is told only where it lies in this server: time zones without rules. */
static enum status parse_timestamp(struct bytes text, struct buffer *out, struct error *err)
{
    struct error why;
    int64_t v;

    if (is_integer(text)) {
        if (!integer_parse(text, INT64_MIN, INT64_MAX, &v))
            return error_set(err, ERR_INVALID, "Unable to make long (for date) from: '%.*s'", BYTES(text));
    } else {
        enum status status = timestamp_parse(text, &v, &why);

        if (status == ERR_CONFIG)
            return error_set(err, ERR_INVALID, "Unable to parse a date/time from '%.*s': %s", BYTES(text), why.message);
        if (status)
            return error_set(err, ERR_INVALID, "Unable to parse a date/time from '%.*s'", BYTES(text));
    }
    buffer_append_be64(out, (uint64_t)v);
    return OK;
}

/* Three vints, as on the wire. */
static enum status parse_duration(struct bytes text, struct buffer *out, struct error *err)
{
    int64_t months, days, nanoseconds;
    enum status status = duration_parse(text, &months, &days, &nanoseconds, err);

    if (status)
        return status;
    vint_append_signed(out, months);
    vint_append_signed(out, days);
    vint_append_signed(out, nanoseconds);
    return OK;
}

/* As many bytes as the type has. */
static enum status parse_integer(struct bytes text, int bytes, const char *name, struct buffer *out, struct error *err)
{
    assert(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
    /* Two's complement: the smallest is one more than the largest. */
    int64_t max = bytes == 8 ? INT64_MAX : (1LL << (bytes * 8 - 1)) - 1, v;
    uint8_t wide[8];

    if (!integer_parse(text, -max - 1, max, &v))
        return error_set(err, ERR_INVALID, "Unable to make %s from '%.*s'", name, BYTES(text));
    store_be64(wide, (uint64_t)v);
    buffer_append(out, wide + 8 - bytes, (size_t)bytes);
    return OK;
}

/* Where the field that begins at `from` ends: at a colon that no backslash stands before, or with
 * the text. TupleType.split does no more than that: a backslash before the backslash does not
 * count. */
static size_t end_of_field(struct bytes text, size_t from)
{
    size_t at = from;

    assert(from <= text.size);
    while (at < text.size && (text.data[at] != ':' || (at && text.data[at - 1] == '\\')))
        at++;
    return at;
}

/* Without the backslashes before colons, and then without those before @, which are two
 * replacements in Cassandra. */
static void append_unescaped(struct buffer *out, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        bool escapes = text.data[i] == '\\' && i + 1 < text.size;

        if (!escapes || (text.data[i + 1] != ':' && text.data[i + 1] != '@'))
            buffer_append_u8(out, text.data[i]);
    }
}

static enum status too_many_fields(const struct type *type, size_t count, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer name = { 0 };

    type_print(&name, type, false);
    return error_set(err, ERR_INVALID, "Invalid tuple literal: too many elements. Type %.*s expects %u but got %zu",
                     BYTES(buffer_bytes(&name)), type->param_count, count);
}

/* field:field:..., @ for null, `\:` and `\@` for what these mean; a field that is a tuple is
 * escaped once more. This is how Cassandra takes a tuple that is said as text. */
static enum status parse_fields(const struct type *type, struct bytes text, struct buffer *out, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer plain = { 0 };
    size_t count = text.size ? 1 : 0, end = 0;
    enum status status = OK;

    /* Counted first, so that a tuple of too many fields is told with their number, as in Cassandra. */
    for (size_t at = end_of_field(text, 0); at < text.size; at = end_of_field(text, at + 1))
        count++;
    if (count > type->param_count)
        return too_many_fields(type, count, err);
    for (size_t i = 0, from = 0; i < count && !status; i++, from = end + 1) {
        size_t size_at = out->size;

        end = end_of_field(text, from);
        /* The type has at least as many fields as the text. */
        assert(end <= text.size && from <= end);
        struct bytes field = bytes_of(text.data + from, end - from);
        buffer_append_be32(out, UINT32_MAX);
        if (bytes_equal(field, BYTES_LITERAL("@")))
            continue;
        buffer_reset(&plain);
        append_unescaped(&plain, field);
        status = value_parse_text(type->params[i], bytes_of(plain.size ? plain.data : text.data, plain.size), out, err);
        if (!status)
            store_be32(out->data + size_at, (uint32_t)(out->size - size_at - 4));
    }
    return status;
}

/* The value's text, whatever it came from. First the types whose text may be empty and is looked at
 * as it is; for all others an empty text is the empty value. */
enum status value_parse_text(const struct type *type, struct bytes text, struct buffer *out, struct error *err)
{
    float narrow;
    double wide;
    uint32_t bits32;
    uint64_t bits64;

    switch (type->kind) {
    case TYPE_ASCII:
        if (!text_is_ascii(text))
            return error_set(err, ERR_INVALID,
                             "Invalid ASCII character in string literal: "
                             "java.nio.charset.UnmappableCharacterException: Input length = 1");
        buffer_append_bytes(out, text);
        return OK;
    case TYPE_TEXT:
        if (!text_is_utf8(text))
            return error_set(err, ERR_INVALID, "String didn't validate.");
        buffer_append_bytes(out, text);
        return OK;
    case TYPE_LIST: /* in a tuple that is said as text */
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR:
    case TYPE_BLOB:
    case TYPE_CUSTOM: return parse_hex(text, out, err);
    case TYPE_TUPLE:
    case TYPE_UDT: return parse_fields(type, text, out, err);
    case TYPE_DATE: return parse_date(text, out, err);
    case TYPE_TIME: return parse_time(text, out, err);
    case TYPE_BOOLEAN:
        /* Any case is taken, and an empty text is false, as in Cassandra. */
        if (text.size && !bytes_is_ignoring_case(text, "true") && !bytes_is_ignoring_case(text, "false"))
            return error_set(err, ERR_INVALID, "Unable to make boolean from '%.*s'", BYTES(text));
        buffer_append_u8(out, bytes_is_ignoring_case(text, "true"));
        return OK;
    default: break;
    }
    /* Not for the types above, which take it as it is or refuse it. */
    if (text.size == 0)
        return OK; /* the empty value */

    switch (type->kind) {
    case TYPE_BIGINT:
    case TYPE_COUNTER: return parse_integer(text, 8, "long", out, err);
    case TYPE_INT: return parse_integer(text, 4, "int", out, err);
    case TYPE_SMALLINT: return parse_integer(text, 2, "short", out, err);
    case TYPE_TINYINT: return parse_integer(text, 1, "byte", out, err);
    case TYPE_VARINT:
        if (varint_parse(out, text))
            return OK;
        return error_set(err, ERR_INVALID, "unable to make int from '%.*s'", BYTES(text));
    case TYPE_DECIMAL:
        if (decimal_parse(out, text))
            return OK;
        return error_set(err, ERR_INVALID, "unable to make BigDecimal from '%.*s'", BYTES(text));
    case TYPE_FLOAT:
        if (!float_parse(text, &narrow))
            return error_set(err, ERR_INVALID, "Unable to make float from '%.*s'", BYTES(text));
        memcpy(&bits32, &narrow, 4);
        buffer_append_be32(out, bits32);
        return OK;
    case TYPE_DOUBLE:
        if (!double_parse(text, &wide))
            return error_set(err, ERR_INVALID, "Unable to make double from '%.*s'", BYTES(text));
        memcpy(&bits64, &wide, 8);
        buffer_append_be64(out, bits64);
        return OK;
    case TYPE_TIMESTAMP: return parse_timestamp(text, out, err);
    case TYPE_UUID:
    case TYPE_TIMEUUID: return parse_uuid_type(type, text, out, err);
    case TYPE_INET: return parse_inet(text, out, err);
    case TYPE_DURATION: return parse_duration(text, out, err);
    default: return error_set(err, ERR_INVALID, "'%.*s' is not a literal", BYTES(text));
    }
}

/* For a double, of a number's literal: what is meant to be infinite says so. Only for constants:
 * what is in a string may be too large, and becomes infinite. */
static bool is_too_large(struct bytes text)
{
    double number;

    return double_parse(text, &number) && isinf(number);
}

/* A constant of a statement. Nothing stays in `out` after a failure. */
enum status value_parse(const struct type *type, enum literal_kind kind, struct bytes text, struct buffer *out,
                        /* What was in `out` before is the caller's. */
                        struct error *err)
{
    size_t start = out->size;

    /* A blob's constant has 0x in front, which fromString does not want. */
    if (kind == LITERAL_HEX && type->kind != TYPE_TINYINT && text.size >= 2 && text.data[0] == '0' &&
        (text.data[1] == 'x' || text.data[1] == 'X'))
        text = bytes_of(text.data + 2, text.size - 2);
    /* NAN and INFINITY are words of the language, so in any case. */
    if (kind == LITERAL_FLOAT && text.size) {
        bool minus = text.data[0] == '-';
        struct bytes word = bytes_of(text.data + minus, text.size - minus);

        if (bytes_is_ignoring_case(word, "nan"))
            text = BYTES_LITERAL("NaN");
        else if (bytes_is_ignoring_case(word, "infinity"))
            text = minus ? BYTES_LITERAL("-Infinity") : BYTES_LITERAL("Infinity");
        else if (type->kind != TYPE_DECIMAL && type->kind != TYPE_TUPLE && is_too_large(text))
            return error_set(err, ERR_INVALID, "%.*s is larger than any double", BYTES(text));
    }
    /* A tuple from a hexadecimal constant is its bytes, which are validated like those of a marker. */
    bool is_bytes = type->kind == TYPE_TUPLE && kind == LITERAL_HEX;
    enum status status = is_bytes ? parse_hex(text, out, err) : value_parse_text(type, text, out, err);
    if (!status && type->kind == TYPE_TUPLE) /* bytes in it came as they are */
        status = value_validate(type, bytes_of(out->data + start, out->size - start), err);
    if (status)
        out->size = start;
    return status;
}
