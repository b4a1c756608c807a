/* Values from JSON, as AbstractType.fromJSONObject: a number or boolean of the right kind, or any
 * native value in a string; collections as arrays and objects, or these in a string.
 *
 * Errors show what was given as Java's toString() would, since Cassandra makes objects of the JSON
 * before it looks at them: so this file can print them the same way. */
#include "types/json.h"
#include "types/number.h"
#include "types/value.h"
#include "types/value_text.h"

#include <assert.h>
#include <stdio.h>

static enum status parse_json(const struct type *type, struct bytes json, struct buffer *out, struct error *err);

/* What Java's JSON parser would make of the value, for error messages: the smallest integer that
 * holds it. */
static const char *java_class(struct bytes json)
{
    int64_t v;

    switch (json_kind_of(json)) {
    case JSON_NULL: return "null";
    case JSON_BOOLEAN: return "Boolean";
    case JSON_INTEGER:
        if (integer_parse(json, INT32_MIN, INT32_MAX, &v))
            return "Integer";
        return integer_parse(json, INT64_MIN, INT64_MAX, &v) ? "Long" : "BigInteger";
    case JSON_FLOAT: return "Double";
    case JSON_STRING: return "String";
    case JSON_ARRAY: return "ArrayList";
    case JSON_OBJECT: return "LinkedHashMap";
    }
    return "";
}

/* Its toString(). Lists are in brackets, maps with equal signs, floating point numbers as Java
 * prints them. */
static void java_string(struct buffer *out, struct bytes json)
{
    struct bytes at = json, name, part;
    double v;
    bool first = true;

    switch (json_kind_of(json)) {
    /* By way of a number: 1e2 is 100.0 in Java. */
    case JSON_FLOAT:
        if (double_parse(json, &v))
            double_print(out, v);
        return;
    case JSON_INTEGER:
        /* Java's integers have no negative zero. */
        if (bytes_equal(json, BYTES_LITERAL("-0")))
            json = BYTES_LITERAL("0");
        buffer_append_bytes(out, json);
        return;
    case JSON_STRING: json_unescape(out, json); return;
    case JSON_ARRAY:
        buffer_append_u8(out, '[');
        for (; json_next_element(&at, &part); first = false) {
            if (!first)
                buffer_append_string(out, ", ");
            java_string(out, part);
        }
        buffer_append_u8(out, ']');
        return;
    case JSON_OBJECT:
        buffer_append_u8(out, '{');
        for (; json_next_member(&at, &name, &part); first = false) {
            if (!first)
                buffer_append_string(out, ", ");
            json_unescape(out, name);
            buffer_append_u8(out, '=');
            java_string(out, part);
        }
        buffer_append_u8(out, '}');
        return;
    default: buffer_append_bytes(out, json);
    }
}

/* An error around the value as Java shows it: error_set cuts it where it is too long. */
static enum status refuse(const char *before, struct bytes json, const char *after, struct error *err)
{
    struct buffer shown = { 0 };

    java_string(&shown, json);
    enum status status = error_set(err, ERR_INVALID, "%s%.*s%s", before, BYTES(buffer_bytes(&shown)), after);
    buffer_fini(&shown);
    return status;
}

/* The words around are the same for all types. */
static enum status unexpected(const char *expected, struct bytes json, struct error *err)
{
    char before[160];

    snprintf(before, sizeof(before), "Expected %s, but got a %s: ", expected, java_class(json));
    return refuse(before, json, "", err);
}

/* The text of a string, parsed as the type's literal. One byte is reserved, so that an empty string
 * has data that is not NULL. */
static enum status parse_string(const struct type *type, struct bytes json, struct buffer *out, struct error *err)
{
    struct buffer text = { 0 };

    buffer_reserve(&text, 1);
    json_unescape(&text, json);
    enum status status = value_parse_text(type, buffer_bytes(&text), out, err);
    buffer_fini(&text);
    return status;
}

/* Any number, or a string, by its text. Cassandra goes by toString() here, so 1.0 is no varint and
 * 1e400 is a decimal. */
static enum status parse_big(const struct type *type, struct bytes json, struct buffer *out, struct error *err)
{
    struct buffer text = { 0 };

    java_string(&text, json);
    bool ok =
        type->kind == TYPE_VARINT ? varint_parse(out, buffer_bytes(&text)) : decimal_parse(out, buffer_bytes(&text));
    enum status status = OK;
    if (!ok)
        status = error_set(err, ERR_INVALID, "Value '%.*s' is not a valid representation of a %s value",
                           BYTES(buffer_bytes(&text)), type->kind == TYPE_VARINT ? "varint" : "decimal");
    buffer_fini(&text);
    return status;
}

/* int and bigint take an integer of JSON that fits; smallint and tinyint take any number by its
 * text, as Cassandra's parse it again. */
static enum status parse_integer(const struct type *type, struct bytes json, const char *expected, struct buffer *out,
                                 struct error *err)
{
    enum json_kind kind = json_kind_of(json);
    bool is_wide = type->kind == TYPE_BIGINT || type->kind == TYPE_INT || type->kind == TYPE_COUNTER;
    int64_t v;

    if (kind == JSON_STRING)
        return parse_string(type, json, out, err);
    /* An integer of JSON is taken as it is, if the type is wide enough for it: 1.0 and 1e2 are
     * none. */
    if (kind == JSON_INTEGER && is_wide) {
        if (!integer_parse(json, type->kind == TYPE_INT ? INT32_MIN : INT64_MIN,
                           type->kind == TYPE_INT ? INT32_MAX : INT64_MAX, &v))
            return unexpected(expected, json, err);
        if (type->kind == TYPE_INT)
            buffer_append_be32(out, (uint32_t)v);
        else
            buffer_append_be64(out, (uint64_t)v);
        return OK;
    }
    /* Cassandra goes by the number's text here, so 1.0 fails as a literal does, with that error. */
    if ((kind == JSON_INTEGER || kind == JSON_FLOAT) && !is_wide) {
        struct buffer text = { 0 };

        java_string(&text, json);
        enum status status = value_parse_text(type, buffer_bytes(&text), out, err);
        buffer_fini(&text);
        return status;
    }
    return unexpected(expected, json, err);
}

/* A number of JSON is a double in Java, also for a float: it is rounded twice. */
static enum status parse_floating(const struct type *type, struct bytes json, struct buffer *out, struct error *err)
{
    enum json_kind kind = json_kind_of(json);
    double wide;
    float narrow;
    uint64_t bits64;
    uint32_t bits32;

    if (kind == JSON_STRING)
        return parse_string(type, json, out, err);
    if ((kind != JSON_INTEGER && kind != JSON_FLOAT) || !double_parse(json, &wide))
        return unexpected(type->kind == TYPE_FLOAT ? "a float value" : "a double value", json, err);
    /* The nearest double; beyond its range it is infinite, as in Java. */
    if (type->kind == TYPE_DOUBLE) {
        memcpy(&bits64, &wide, 8);
        buffer_append_be64(out, bits64);
        return OK;
    }
    narrow = (float)wide;
    memcpy(&bits32, &narrow, 4);
    buffer_append_be32(out, bits32);
    return OK;
}

/* Only a string that begins with 0x. The error for another kind is the one of a failed cast in
 * Java, module names and all. */
static enum status parse_blob(struct bytes json, struct buffer *out, struct error *err)
{
    struct buffer text = { 0 };
    struct error inner;
    enum status status = OK;

    if (json_kind_of(json) != JSON_STRING) {
        char after[256];

        snprintf(after, sizeof(after),
                 "' is not a valid blob representation: class java.lang.%s cannot be cast to class java.lang.String "
                 "(java.lang.%s and java.lang.String are in module java.base of loader 'bootstrap')",
                 java_class(json), java_class(json));
        return refuse("Value '", json, after, err);
    }
    json_unescape(&text, json);
    /* The inner error is part of the message, as an exception's cause is. */
    if (!bytes_starts_with(buffer_bytes(&text), BYTES_LITERAL("0x")))
        status = error_set(
            err, ERR_INVALID,
            "Value '%.*s' is not a valid blob representation: String representation of blob is missing 0x prefix: %.*s",
            BYTES(buffer_bytes(&text)), BYTES(buffer_bytes(&text)));
    else if (value_parse_text(type_native(TYPE_BLOB), bytes_of(text.data + 2, text.size - 2), out, &inner))
        status = error_set(err, ERR_INVALID, "Value '%.*s' is not a valid blob representation: %s",
                           BYTES(buffer_bytes(&text)), inner.message);
    buffer_fini(&text);
    return status;
}

/* Elements as they are parsed: one run of bytes, and where each ends. The bytes move while they
 * grow, so offsets are kept, and made spans of at the end. */
struct parts {
    struct buffer bytes;
    struct buffer spans; /* of struct part */
};

struct part {
    size_t start, size;
    bool is_null;
};

static void parts_fini(struct parts *parts)
{
    buffer_fini(&parts->bytes);
    buffer_fini(&parts->spans);
}

static uint32_t parts_count(const struct parts *parts)
{
    return (uint32_t)(parts->spans.size / sizeof(struct part));
}

static void parts_add_null(struct parts *parts)
{
    struct part part = { .is_null = true };

    buffer_append(&parts->spans, &part, sizeof(part));
}

/* The part is added also after a failure: the caller ends then. */
static enum status parts_add(struct parts *parts, const struct type *type, struct bytes json, struct error *err)
{
    struct part part = { .start = parts->bytes.size };
    enum status status = parse_json(type, json, &parts->bytes, err);

    part.size = parts->bytes.size - part.start;
    buffer_append(&parts->spans, &part, sizeof(part));
    return status;
}

/* Sets and maps are sorted here: JSON has them in any order, and with doubles. */
static void parts_pack(struct parts *parts, const struct type *type, struct buffer *out)
{
    uint32_t count = parts_count(parts);
    struct bytes *elements = xcalloc(count ? count : 1, sizeof(*elements));

    assert(parts->spans.size % sizeof(struct part) == 0);
    buffer_reserve(&parts->bytes, 1);
    for (uint32_t i = 0; i < count; i++) {
        struct part part;

        memcpy(&part, parts->spans.data + i * sizeof(part), sizeof(part));
        if (!part.is_null)
            elements[i] = bytes_of(parts->bytes.data + part.start, part.size);
    }
    if (type->kind == TYPE_SET || type->kind == TYPE_MAP)
        value_pack_sorted(out, type, elements, count);
    else
        value_pack(out, type, elements, count);
    free(elements);
}

/* A list, a set or a vector. Null is no element of any of them. */
static enum status parse_array(const struct type *type, struct bytes json, struct parts *parts, struct error *err)
{
    struct bytes at = json, element;

    if (json_kind_of(json) != JSON_ARRAY)
        return unexpected(type->kind == TYPE_SET ? "a list (representing a set)" : "a list", json, err);
    while (json_next_element(&at, &element)) {
        if (json_kind_of(element) == JSON_NULL)
            return error_set(err, ERR_INVALID, "Invalid null element in %s", type->kind == TYPE_SET ? "set" : "list");
        enum status status = parts_add(parts, type->params[0], element, err);
        if (status)
            return status;
    }
    /* Told only when all elements were read, since the message shows the list. */
    if (type->kind == TYPE_VECTOR && parts_count(parts) != type->dimension) {
        char before[96];

        snprintf(before, sizeof(before), "List had incorrect size: expected %u but given %u; ", type->dimension,
                 parts_count(parts));
        return refuse(before, json, "", err);
    }
    return OK;
}

/* A map's keys are strings in JSON, so a key of another type is written in a string. */
static enum status parse_map(const struct type *type, struct bytes json, struct parts *parts, struct error *err)
{
    struct bytes at = json, name, value;

    if (json_kind_of(json) != JSON_OBJECT)
        return unexpected("a map", json, err);
    while (json_next_member(&at, &name, &value)) {
        if (json_kind_of(value) == JSON_NULL)
            return error_set(err, ERR_INVALID, "Invalid null value in map");
        enum status status = parts_add(parts, type->params[0], name, err);
        if (!status)
            status = parts_add(parts, type->params[1], value, err);
        if (status)
            return status;
    }
    return OK;
}

/* As many items as the tuple has fields; null is one of them. */
static enum status parse_tuple(const struct type *type, struct bytes json, struct parts *parts, struct error *err)
{
    struct bytes at = json, element;
    char before[96];

    if (json_kind_of(json) != JSON_ARRAY)
        return unexpected("a list representation of a tuple", json, err);
    while (json_next_element(&at, &element)) {
        uint32_t i = parts_count(parts);
        enum status status = OK;

        /* Told before the item is looked at. */
        if (i == type->param_count) {
            snprintf(before, sizeof(before), "Tuple contains extra items (expected %u): ", type->param_count);
            return refuse(before, json, "", err);
        }
        if (json_kind_of(element) == JSON_NULL)
            parts_add_null(parts);
        else
            status = parts_add(parts, type->params[i], element, err);
        if (status)
            return status;
    }
    if (parts_count(parts) < type->param_count) {
        snprintf(before, sizeof(before), "Tuple is missing items (expected %u): ", type->param_count);
        return refuse(before, json, "", err);
    }
    return OK;
}

/* A member's name: as it is when in quotes of its own, else in lower case: JSON has it as CQL would
 * write it. */
static void member_name(struct buffer *out, struct bytes name)
{
    buffer_reset(out);
    buffer_reserve(out, 1);
    json_unescape(out, name);
    /* CQL would write such a name in quotes: it keeps its case. */
    if (out->size >= 2 && out->data[0] == '"' && out->data[out->size - 1] == '"') {
        memmove(out->data, out->data + 1, out->size - 2);
        out->size -= 2;
        return;
    }
    for (size_t i = 0; i < out->size; i++)
        if (out->data[i] >= 'A' && out->data[i] <= 'Z')
            out->data[i] += 32;
}

/* Fields come in any order; of a field that comes twice the last one counts; what is missing is
 * null. An unknown one is refused. */
static enum status parse_udt(const struct type *type, struct bytes json, struct parts *parts, struct error *err)
{
    struct bytes at = json, name, value;
    struct buffer plain = { 0 };
    struct bytes *found; /* per field, its JSON */
    enum status status = OK;

    if (json_kind_of(json) != JSON_OBJECT)
        /* An unknown name is kept out of the array by the place behind its end. */
        return unexpected("a map", json, err);
    /* For each field the JSON of its value; the order of fields is the type's, not the text's. */
    found = xcalloc(type->param_count + 1, sizeof(*found));
    while (!status && json_next_member(&at, &name, &value)) {
        uint32_t i = 0;

        member_name(&plain, name);
        while (i < type->param_count && !bytes_equal(type->field_names[i], buffer_bytes(&plain)))
            i++;
        /* found has one place more than there are fields, for the unknown. */
        if (i == type->param_count)
            status = error_set(err, ERR_INVALID, "Unknown field '%.*s' in value of user defined type %.*s",
                               BYTES(buffer_bytes(&plain)), BYTES(type->name));
        found[i] = value;
    }
    for (uint32_t i = 0; i < type->param_count && !status; i++) {
        if (bytes_is_null(found[i]) || json_kind_of(found[i]) == JSON_NULL)
            parts_add_null(parts);
        else
            status = parts_add(parts, type->params[i], found[i], err);
    }
    free(found);
    buffer_fini(&plain);
    return status;
}

/* Parts are put together only if all of them were good. */
static enum status parse_parts(const struct type *type, struct bytes json, struct buffer *out, struct error *err)
{
    struct buffer text = { 0 };
    struct parts parts = { 0 };
    enum status status = OK;

    /* A collection may stand in a string, as the whole value or as a map's key. */
    if (json_kind_of(json) == JSON_STRING) {
        json_unescape(&text, json);
        status = json_check(buffer_bytes(&text), &json, err);
    }
    if (!status) {
        switch (type->kind) {
        case TYPE_MAP: status = parse_map(type, json, &parts, err); break;
        case TYPE_TUPLE: status = parse_tuple(type, json, &parts, err); break;
        case TYPE_UDT: status = parse_udt(type, json, &parts, err); break;
        default: status = parse_array(type, json, &parts, err);
        }
    }
    if (!status)
        parts_pack(&parts, type, out);
    parts_fini(&parts);
    buffer_fini(&text);
    return status;
}

/* Types whose JSON is always a string. */
static enum status parse_string_only(const struct type *type, struct bytes json, const char *expected,
                                     struct buffer *out, struct error *err)
{
    if (json_kind_of(json) != JSON_STRING)
        return unexpected(expected, json, err);
    return parse_string(type, json, out, err);
}

/* One case for each type; the words are what that type expects, in Cassandra's form. */
static enum status parse_json(const struct type *type, struct bytes json, struct buffer *out, struct error *err)
{
    enum json_kind kind = json_kind_of(json);

    switch (type->kind) {
    case TYPE_INT: return parse_integer(type, json, "an int value", out, err);
    case TYPE_BIGINT:
    case TYPE_COUNTER: return parse_integer(type, json, "a bigint value", out, err);
    case TYPE_SMALLINT: return parse_integer(type, json, "a short value", out, err);
    case TYPE_TINYINT: return parse_integer(type, json, "a byte value", out, err);
    case TYPE_VARINT:
    case TYPE_DECIMAL: return parse_big(type, json, out, err);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return parse_floating(type, json, out, err);
    case TYPE_BOOLEAN:
        if (kind == JSON_BOOLEAN) {
            buffer_append_u8(out, json.data[0] == 't');
            return OK;
        }
        return parse_string_only(type, json, "a boolean value", out, err);
    case TYPE_BLOB:
    case TYPE_CUSTOM: return parse_blob(json, out, err);
    /* An integer that fits 64 bits is milliseconds; all else is a text with a date. */
    case TYPE_TIMESTAMP:
        if (kind == JSON_INTEGER && strcmp(java_class(json), "BigInteger") != 0)
            return value_parse_text(type, json, out, err);
        return parse_string_only(type, json, "a long or a datestring representation of a timestamp value", out, err);
    case TYPE_ASCII: return parse_string_only(type, json, "an ascii string", out, err);
    case TYPE_TEXT: return parse_string_only(type, json, "a UTF-8 string", out, err);
    case TYPE_DATE: return parse_string_only(type, json, "a string representation of a date value", out, err);
    case TYPE_TIME: return parse_string_only(type, json, "a string representation of a time value", out, err);
    case TYPE_UUID: return parse_string_only(type, json, "a string representation of a uuid", out, err);
    case TYPE_TIMEUUID: return parse_string_only(type, json, "a string representation of a timeuuid", out, err);
    case TYPE_INET: return parse_string_only(type, json, "a string representation of an inet value", out, err);
    case TYPE_DURATION: return parse_string_only(type, json, "a string representation of a duration", out, err);
    case TYPE_EMPTY: return parse_string_only(type, json, "an empty string", out, err);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_UDT:
    case TYPE_VECTOR: return parse_parts(type, json, out, err);
    }
    return error_set(err, ERR_SERVER, "unknown type kind %d", type->kind);
}

/* null is not parsed here: what it means (a deletion, an error) is the caller's to know. Nothing
 * stays in `out` after a failure. */
enum status value_parse_json(const struct type *type, struct bytes json, struct buffer *out, struct error *err)
{
    size_t start = out->size;
    enum status status = json_check(json, &json, err);

    if (!status && json_kind_of(json) == JSON_NULL)
        status = error_set(err, ERR_INVALID, "Invalid null value");
    if (!status)
        status = parse_json(type, json, out, err);
    if (status)
        out->size = start;
    return status;
}
