/* Types: making, comparing, printing and parsing them. A type is a tree of immutable nodes; native
 * types are the same node everywhere, so most comparisons are one of pointers. What a type is
 * called in CQL, in Java and in the protocol stands in one table.
 *
 * Parsing here is of single types, in the form that system tables and drivers write (the
 * statements' own types are parsed by cql/). Its depth is limited, as a client chooses it. */
#include "types/type.h"

#include "types/value.h"
#include "types/value_text.h"

#include <assert.h>
#include <stdio.h>

/* One row per kind: its CQL name, its class in org.apache.cassandra.db.marshal, its option id in
 * the native protocol, and Cassandra's valueLengthIfFixed (which tinyint, smallint, date and time
 * do not claim, though all their values have one size: vectors of them have lengths for that
 * reason, and this table must say the same). */
static const struct kind_info {
    const char *cql;
    const char *java;
    uint16_t wire_id;
    uint8_t fixed_bytes;
} kinds[] = {
    [TYPE_CUSTOM] = { NULL, NULL, 0x00, 0 },
    [TYPE_ASCII] = { "ascii", "AsciiType", 0x01, 0 },
    [TYPE_BIGINT] = { "bigint", "LongType", 0x02, 8 },
    [TYPE_BLOB] = { "blob", "BytesType", 0x03, 0 },
    [TYPE_BOOLEAN] = { "boolean", "BooleanType", 0x04, 1 },
    [TYPE_COUNTER] = { "counter", "CounterColumnType", 0x05, 0 },
    [TYPE_DECIMAL] = { "decimal", "DecimalType", 0x06, 0 },
    [TYPE_DOUBLE] = { "double", "DoubleType", 0x07, 8 },
    [TYPE_FLOAT] = { "float", "FloatType", 0x08, 4 },
    [TYPE_INT] = { "int", "Int32Type", 0x09, 4 },
    [TYPE_TIMESTAMP] = { "timestamp", "TimestampType", 0x0B, 8 },
    [TYPE_UUID] = { "uuid", "UUIDType", 0x0C, 16 },
    [TYPE_TEXT] = { "text", "UTF8Type", 0x0D, 0 },
    [TYPE_VARINT] = { "varint", "IntegerType", 0x0E, 0 },
    [TYPE_TIMEUUID] = { "timeuuid", "TimeUUIDType", 0x0F, 16 },
    [TYPE_INET] = { "inet", "InetAddressType", 0x10, 0 },
    [TYPE_DATE] = { "date", "SimpleDateType", 0x11, 0 },
    [TYPE_TIME] = { "time", "TimeType", 0x12, 0 },
    [TYPE_SMALLINT] = { "smallint", "ShortType", 0x13, 0 },
    [TYPE_TINYINT] = { "tinyint", "ByteType", 0x14, 0 },
    [TYPE_DURATION] = { "duration", "DurationType", 0x15, 0 },
    [TYPE_EMPTY] = { "empty", "EmptyType", 0x00, 0 },
    [TYPE_LIST] = { "list", "ListType", 0x20, 0 },
    [TYPE_MAP] = { "map", "MapType", 0x21, 0 },
    [TYPE_SET] = { "set", "SetType", 0x22, 0 },
    [TYPE_UDT] = { NULL, "UserType", 0x30, 0 },
    [TYPE_TUPLE] = { "tuple", "TupleType", 0x31, 0 },
    [TYPE_VECTOR] = { "vector", "VectorType", 0x00, 0 },
};

#define MARSHAL "org.apache.cassandra.db.marshal."

/* One node of each native kind for all schemas and requests: never freed, never copied. */
static const struct type natives[TYPE_EMPTY + 1] = {
#define NATIVE(k) [k] = { .kind = k }
    NATIVE(TYPE_ASCII),   NATIVE(TYPE_BIGINT), NATIVE(TYPE_BLOB),     NATIVE(TYPE_BOOLEAN),  NATIVE(TYPE_COUNTER),
    NATIVE(TYPE_DECIMAL), NATIVE(TYPE_DOUBLE), NATIVE(TYPE_FLOAT),    NATIVE(TYPE_INT),      NATIVE(TYPE_TIMESTAMP),
    NATIVE(TYPE_UUID),    NATIVE(TYPE_TEXT),   NATIVE(TYPE_VARINT),   NATIVE(TYPE_TIMEUUID), NATIVE(TYPE_INET),
    NATIVE(TYPE_DATE),    NATIVE(TYPE_TIME),   NATIVE(TYPE_SMALLINT), NATIVE(TYPE_TINYINT),  NATIVE(TYPE_DURATION),
    NATIVE(TYPE_EMPTY),
#undef NATIVE
};

/* Kinds from ascii to empty have no parameters. */
static bool is_native(enum type_kind kind)
{
    return kind > TYPE_CUSTOM && kind <= TYPE_EMPTY;
}

const struct type *type_native(enum type_kind kind)
{
    assert(is_native(kind));
    return &natives[kind];
}

/* Nodes and their parameters lie in the arena, and live as long as the schema or request that it
 * belongs to. */
static struct type *node_new(struct arena *arena, enum type_kind kind, uint32_t param_count)
{
    struct type *type = arena_new_struct(arena, struct type);

    assert(kind <= TYPE_VECTOR && !is_native(kind));
    type->kind = kind;
    type->param_count = param_count;
    if (param_count)
        type->params = arena_new_array(arena, const struct type *, param_count);
    return type;
}

const struct type *type_list(struct arena *arena, const struct type *element, bool frozen)
{
    struct type *type = node_new(arena, TYPE_LIST, 1);

    assert(element);
    type->frozen = frozen;
    type->params[0] = element;
    return type;
}

const struct type *type_set(struct arena *arena, const struct type *element, bool frozen)
{
    struct type *type = node_new(arena, TYPE_SET, 1);

    type->frozen = frozen;
    type->params[0] = element;
    return type;
}

const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value, bool frozen)
{
    struct type *type = node_new(arena, TYPE_MAP, 2);

    assert(key && value);
    type->frozen = frozen;
    type->params[0] = key;
    type->params[1] = value;
    return type;
}

/* Always frozen: Cassandra has no others. */
const struct type *type_tuple(struct arena *arena, const struct type *const *fields, uint32_t count)
{
    struct type *type = node_new(arena, TYPE_TUPLE, count);

    type->frozen = true;
    for (uint32_t i = 0; i < count; i++)
        type->params[i] = fields[i];
    return type;
}

const struct type *type_vector(struct arena *arena, const struct type *element, uint32_t dimension)
{
    struct type *type = node_new(arena, TYPE_VECTOR, 1);

    assert(element);
    type->frozen = true;
    type->dimension = dimension;
    type->params[0] = element;
    return type;
}

/* Names are copied: they come from a statement, or from another schema's arena. */
const struct type *type_udt(struct arena *arena, struct bytes keyspace, struct bytes name,
                            const struct bytes *field_names, const struct type *const *field_types, uint32_t count,
                            bool frozen)
{
    struct type *type = node_new(arena, TYPE_UDT, count);

    type->frozen = frozen;
    type->keyspace = arena_copy(arena, keyspace);
    type->name = arena_copy(arena, name);
    type->field_names = arena_new_array(arena, struct bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        type->field_names[i] = arena_copy(arena, field_names[i]);
        type->params[i] = field_types[i];
    }
    return type;
}

/* A class that CQL has no name for: its values are bytes. */
static const struct type *type_custom(struct arena *arena, struct bytes class_name)
{
    struct type *type = node_new(arena, TYPE_CUSTOM, 0);

    type->name = arena_copy(arena, class_name);
    return type;
}

/* Copies one node whose parameters are then set by the caller: copying and freezing go down the
 * tree in different ways. */
static struct type *node_copy(struct arena *arena, const struct type *from)
{
    struct type *type = node_new(arena, from->kind, from->param_count);

    type->frozen = from->frozen;
    type->dimension = from->dimension;
    if (!bytes_is_null(from->keyspace))
        type->keyspace = arena_copy(arena, from->keyspace);
    if (!bytes_is_null(from->name))
        type->name = arena_copy(arena, from->name);
    /* Names of fields have an array of their own; other types have none. */
    if (from->field_names) {
        type->field_names = arena_new_array(arena, struct bytes, from->param_count);
        for (uint32_t i = 0; i < from->param_count; i++)
            type->field_names[i] = arena_copy(arena, from->field_names[i]);
    }
    return type;
}

/* frozen<> freezes all that is within, so this goes to the leaves. Native types have no copies. */
const struct type *type_freeze(struct arena *arena, const struct type *type)
{
    if (is_native(type->kind))
        return &natives[type->kind];

    struct type *copy = node_copy(arena, type);
    copy->frozen |= type_is_multicell(type);
    for (uint32_t i = 0; i < type->param_count; i++)
        copy->params[i] = type_freeze(arena, type->params[i]);
    return copy;
}

/* For an arena that outlives the type's own. */
const struct type *type_copy(struct arena *arena, const struct type *type)
{
    if (is_native(type->kind))
        return &natives[type->kind];

    struct type *copy = node_copy(arena, type);
    for (uint32_t i = 0; i < type->param_count; i++)
        copy->params[i] = type_copy(arena, type->params[i]);
    return copy;
}

/* Of a definition: does all of it lie in this arena? A pointer to another schema's type would
 * dangle when that one goes. */
bool type_is_owned(const struct arena *arena, const struct type *type)
{
    if (is_native(type->kind))
        return type == &natives[type->kind];
    if (!arena_owns(arena, type) || (type->param_count && !arena_owns(arena, type->params)) ||
        (!bytes_is_null(type->keyspace) && !arena_owns(arena, type->keyspace.data)) ||
        (!bytes_is_null(type->name) && !arena_owns(arena, type->name.data)))
        return false;
    for (uint32_t i = 0; i < type->param_count; i++)
        if ((type->field_names && !arena_owns(arena, type->field_names[i].data)) ||
            !type_is_owned(arena, type->params[i]))
            return false;
    return true;
}

bool type_is_collection(const struct type *type)
{
    return type->kind == TYPE_LIST || type->kind == TYPE_SET || type->kind == TYPE_MAP;
}

/* Stored cell by cell, so that one element can be written without reading the others. */
bool type_is_multicell(const struct type *type)
{
    return !type->frozen && (type_is_collection(type) || type->kind == TYPE_UDT);
}

/* Frozen or not is part of it: the two are stored differently. */
bool type_equal(const struct type *a, const struct type *b)
{
    if (a == b)
        return true;
    /* Different kinds are told before any name is looked at. */
    if (a->kind != b->kind || a->frozen != b->frozen || a->dimension != b->dimension ||
        a->param_count != b->param_count)
        return false;
    if (!bytes_equal(a->keyspace, b->keyspace) || !bytes_equal(a->name, b->name))
        return false;
    for (uint32_t i = 0; i < a->param_count; i++) {
        if (a->field_names && !bytes_equal(a->field_names[i], b->field_names[i]))
            return false;
        if (!type_equal(a->params[i], b->params[i]))
            return false;
    }
    return true;
}

/* Sorted alike as well as read alike: what keys of a set or map in a frozen value need. Otherwise
 * what was written in one order would be searched in another. */
static bool is_order_compatible(const struct type *to, const struct type *from)
{
    if (type_equal(to, from))
        return true;
    if (to->kind == TYPE_BLOB)
        return from->kind == TYPE_ASCII || from->kind == TYPE_TEXT;
    return to->kind == TYPE_TEXT && from->kind == TYPE_ASCII;
}

static bool params_are_compatible(const struct type *to, const struct type *from)
{
    /* A tuple or udt may have grown at its end. */
    if (from->param_count > to->param_count)
        return false;
    for (uint32_t i = 0; i < from->param_count; i++)
        if (!type_is_value_compatible(to->params[i], from->params[i]))
            return false;
    return true;
}

/* May what was written as `from` be read as `to`? AbstractType.isValueCompatibleWith: for ALTER,
 * and for functions that take another's result. */
bool type_is_value_compatible(const struct type *to, const struct type *from)
{
    if (type_equal(to, from))
        return true;
    /* The pairs are those of release 5.0's classes. Everything can be read as a blob. */
    switch (to->kind) {
    case TYPE_BLOB: return true;
    case TYPE_TEXT: return from->kind == TYPE_ASCII;
    case TYPE_VARINT: return from->kind == TYPE_INT || from->kind == TYPE_BIGINT || from->kind == TYPE_TIMESTAMP;
    case TYPE_BIGINT: return from->kind == TYPE_TIMESTAMP;
    case TYPE_TIMESTAMP: return from->kind == TYPE_BIGINT;
    case TYPE_UUID: return from->kind == TYPE_TIMEUUID;
    case TYPE_DATE: return from->kind == TYPE_INT;
    case TYPE_TIME: return from->kind == TYPE_BIGINT;
    case TYPE_LIST:
    case TYPE_SET:
        if (from->kind != to->kind || from->frozen != to->frozen)
            return false;
        /* A set's elements and a map's keys are looked up in their order, so that must be the same
         * too. */
        if (to->kind == TYPE_SET && !is_order_compatible(to->params[0], from->params[0]))
            return false;
        return type_is_value_compatible(to->params[0], from->params[0]);
    case TYPE_MAP:
        return from->kind == TYPE_MAP && from->frozen == to->frozen &&
               is_order_compatible(to->params[0], from->params[0]) &&
               type_is_value_compatible(to->params[1], from->params[1]);
    case TYPE_TUPLE: return (from->kind == TYPE_TUPLE || from->kind == TYPE_UDT) && params_are_compatible(to, from);
    case TYPE_UDT:
        return from->kind == TYPE_UDT && from->frozen == to->frozen && bytes_equal(from->keyspace, to->keyspace) &&
               bytes_equal(from->name, to->name) && params_are_compatible(to, from);
    case TYPE_VECTOR:
        return from->kind == TYPE_VECTOR && from->dimension == to->dimension &&
               /* Vectors have lengths in them or not, by the element's size. */
               type_fixed_bytes(from->params[0]) == type_fixed_bytes(to->params[0]) &&
               type_is_value_compatible(to->params[0], from->params[0]);
    default: return false;
    }
}

/* Durations have no order, so what has one in it is no key. What is stored cell by cell is none
 * either, whatever is in it. */
bool type_references_duration(const struct type *type)
{
    if (type->kind == TYPE_DURATION || (type_is_collection(type) && !type->frozen))
        return true;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type_references_duration(type->params[i]))
            return true;
    return false;
}

/* Size of each value of it, 0: they vary. Vectors of fixed elements are fixed, and then written
 * without lengths. */
uint32_t type_fixed_bytes(const struct type *type)
{
    if (type->kind == TYPE_VECTOR) {
        /* A vector of so many elements that its size is beyond 32 bits counts as one of varying
         * size; no value can be as long. */
        uint64_t bytes = (uint64_t)type_fixed_bytes(type->params[0]) * type->dimension;

        return bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
    }
    assert((size_t)type->kind < ARRAY_SIZE(kinds));
    return kinds[type->kind].fixed_bytes;
}

uint16_t type_wire_id(const struct type *type)
{
    return kinds[type->kind].wire_id;
}

/* Words that are no names: an identifier that is one must be quoted. Source: reserved_keywords.txt,
 * release 5.0; and true and false. */
static const char *const reserved_words[] = {
    "add",    "allow",        "alter",    "and",    "apply",        "asc",      "authorize", "batch",       "begin",
    "by",     "columnfamily", "create",   "delete", "desc",         "describe", "drop",      "entries",     "execute",
    "false",  "from",         "full",     "grant",  "if",           "in",       "index",     "infinity",    "insert",
    "into",   "is",           "keyspace", "limit",  "materialized", "modify",   "nan",       "norecursive", "not",
    "null",   "of",           "on",       "or",     "order",        "primary",  "rename",    "revoke",      "schema",
    "select", "set",          "table",    "to",     "token",        "true",     "truncate",  "unlogged",    "update",
    "use",    "using",        "view",     "where",  "with",
};

/* What can be written without quotes and is read back the same. */
static bool is_plain_identifier(struct bytes name)
{
    if (name.size == 0 || name.data[0] < 'a' || name.data[0] > 'z')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved_words); i++)
        if (bytes_equal(name, bytes_of_string(reserved_words[i])))
            return false;
    return true;
}

/* Quoted where it must be, with quotes within doubled. */
void identifier_print(struct buffer *out, struct bytes name)
{
    if (is_plain_identifier(name)) {
        buffer_append_bytes(out, name);
        return;
    }
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '"')
            buffer_append_u8(out, '"');
        buffer_append_u8(out, name.data[i]);
    }
    buffer_append_u8(out, '"');
}

/* A UDT has its name instead of its fields. */
static void print_params(struct buffer *out, const struct type *type, bool with_keyspace)
{
    buffer_append_string(out, kinds[type->kind].cql);
    buffer_append_u8(out, '<');
    for (uint32_t i = 0; i < type->param_count; i++) {
        if (i)
            buffer_append_string(out, ", ");
        type_print(out, type->params[i], with_keyspace);
    }
    /* A vector's dimension stands where other types have a parameter. */
    if (type->kind == TYPE_VECTOR)
        buffer_printf(out, ", %u", type->dimension);
    buffer_append_u8(out, '>');
}

/* As DESCRIBE and error messages show it. with_keyspace: a UDT's name as another keyspace must
 * write it. */
void type_print(struct buffer *out, const struct type *type, bool with_keyspace)
{
    /* Cassandra shows a tuple as frozen, a vector not, though both always are. */
    bool frozen = type->frozen && type->kind != TYPE_VECTOR;

    if (frozen)
        buffer_append_string(out, "frozen<");
    switch (type->kind) {
    case TYPE_CUSTOM:
        buffer_append_u8(out, '\'');
        buffer_append_bytes(out, type->name);
        buffer_append_u8(out, '\'');
        break;
    case TYPE_UDT:
        if (with_keyspace) {
            identifier_print(out, type->keyspace);
            buffer_append_u8(out, '.');
        }
        identifier_print(out, type->name);
        break;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_VECTOR: print_params(out, type, with_keyspace); break;
    default: buffer_append_string(out, kinds[type->kind].cql);
    }
    if (frozen)
        buffer_append_u8(out, '>');
}

/* Names in Java's form are in hexadecimal, as they may hold anything. */
static void print_hex(struct buffer *out, struct bytes bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        buffer_append_u8(out, digits[bytes.data[i] >> 4]);
        buffer_append_u8(out, digits[bytes.data[i] & 15]);
    }
}

/* What stands inside a frozen type is frozen without saying so. This is AbstractType.toString:
 * drivers parse it in metadata and custom types, and ids of metadata are computed from it. */
static void print_java(struct buffer *out, const struct type *type, bool inside_frozen)
{
    /* The outermost frozen type says so; within it all is frozen anyway, and Cassandra leaves it
     * out. */
    bool says_frozen = type->frozen && !inside_frozen && (type_is_collection(type) || type->kind == TYPE_UDT);
    bool inside = inside_frozen || (type->frozen && type->kind != TYPE_VECTOR);

    /* A custom class is its own name, with whatever parameters stand in it. */
    if (type->kind == TYPE_CUSTOM) {
        buffer_append_bytes(out, type->name);
        return;
    }
    if (says_frozen)
        buffer_append_string(out, MARSHAL "FrozenType(");
    buffer_append_string(out, MARSHAL);
    buffer_append_string(out, kinds[type->kind].java);
    if (!is_native(type->kind)) {
        buffer_append_u8(out, '(');
        if (type->kind == TYPE_UDT) {
            buffer_append_bytes(out, type->keyspace);
            buffer_append_u8(out, ',');
            print_hex(out, type->name);
        }
        for (uint32_t i = 0; i < type->param_count; i++) {
            if (i || type->kind == TYPE_UDT)
                buffer_append_u8(out, ',');
            if (type->kind == TYPE_UDT) {
                print_hex(out, type->field_names[i]);
                buffer_append_u8(out, ':');
            }
            print_java(out, type->params[i], inside);
        }
        /* Cassandra prints the blank before the comma. */
        if (type->kind == TYPE_VECTOR)
            buffer_printf(out, " , %u", type->dimension);
        buffer_append_u8(out, ')');
    }
    if (says_frozen)
        buffer_append_u8(out, ')');
}

void type_print_java(struct buffer *out, const struct type *type)
{
    print_java(out, type, false);
}

/* Parsing of the CQL form. Words are lower-cased, quoted names are kept; every node is made in the
 * arena. */
struct parser {
    struct arena *arena;
    const struct type_resolver *resolver;
    struct bytes text;
    size_t at;
    int depth;
    struct error *err;
};

/* The language's white space, without comments. */
static void skip_space(struct parser *p)
{
    while (p->at < p->text.size) {
        uint8_t c = p->text.data[p->at];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            break;
        p->at++;
    }
}

static bool accept(struct parser *p, char c)
{
    skip_space(p);
    if (p->at >= p->text.size || p->text.data[p->at] != (uint8_t)c)
        return false;
    p->at++;
    return true;
}

/* The offset is counted in bytes: it is meant for who wrote the text. */
static enum status expect(struct parser *p, char c)
{
    if (accept(p, c))
        return OK;
    return error_set(p->err, ERR_SYNTAX, "Expected '%c' at offset %zu in type \"%.*s\"", c, p->at, BYTES(p->text));
}

static bool is_word_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* An identifier: lower-cased unless quoted. */
static enum status parse_identifier(struct parser *p, struct bytes *name, bool *quoted)
{
    skip_space(p);
    *quoted = false;
    if (p->at < p->text.size && (p->text.data[p->at] == '"' || p->text.data[p->at] == '\'')) {
        uint8_t quote = p->text.data[p->at++];
        uint8_t *copy = arena_alloc(p->arena, p->text.size - p->at + 1);
        size_t size = 0;

        for (;; p->at++) {
            if (p->at >= p->text.size)
                return error_set(p->err, ERR_SYNTAX, "Unterminated name in type \"%.*s\"", BYTES(p->text));
            /* A quote within is written twice. */
            if (p->text.data[p->at] == quote) {
                if (p->at + 1 >= p->text.size || p->text.data[p->at + 1] != quote)
                    break;
                p->at++;
            }
            copy[size++] = p->text.data[p->at];
        }
        p->at++;
        if (size == 0)
            return error_set(p->err, ERR_SYNTAX, "Empty name in type \"%.*s\"", BYTES(p->text));
        *quoted = true;
        *name = bytes_of(copy, size);
        return OK;
    }

    size_t start = p->at;
    while (p->at < p->text.size && is_word_char(p->text.data[p->at]))
        p->at++;
    if (p->at == start)
        return error_set(p->err, ERR_SYNTAX, "Expected a type at offset %zu in \"%.*s\"", start, BYTES(p->text));
    uint8_t *copy = arena_alloc(p->arena, p->at - start);
    /* ASCII only, as the language's lexer has it: no letter outside of it is part of a plain name. */
    for (size_t i = start; i < p->at; i++) {
        uint8_t c = p->text.data[i];

        copy[i - start] = c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    *name = bytes_of(copy, p->at - start);
    return OK;
}

static enum status parse_type(struct parser *p, const struct type **result);

/* The printed form of a type, for an error message; lives in the arena. Freed on no path, since
 * error_set copies it. */
static const char *shown(struct parser *p, const struct type *type)
{
    struct buffer out = { 0 };
    type_print(&out, type, false);
    const char *string = arena_string(p->arena, buffer_bytes(&out));
    buffer_fini(&out);
    return string;
}

/* Cassandra allows a counter as a column only. */
static enum status check_element(struct parser *p, const struct type *element, const char *of)
{
    assert(element);
    if (element->kind == TYPE_COUNTER)
        return error_set(p->err, ERR_INVALID, "Counters are not allowed inside %s: %.*s", of, BYTES(p->text));
    return OK;
}

/* Durations cannot be sorted, so they are no elements of sets and no keys of maps. */
static enum status check_collection(struct parser *p, const struct type *type)
{
    for (uint32_t i = 0; i < type->param_count; i++) {
        enum status status = check_element(p, type->params[i], "collections");
        if (status)
            /* Told of the first that is wrong. */
            return status;
    }
    if (type->kind == TYPE_SET && type->params[0]->kind == TYPE_DURATION)
        return error_set(p->err, ERR_INVALID, "Durations are not allowed inside sets: %s", shown(p, type));
    if (type->kind == TYPE_MAP && type->params[0]->kind == TYPE_DURATION)
        return error_set(p->err, ERR_INVALID, "Durations are not allowed as map keys: %s", shown(p, type));
    return OK;
}

/* What stands in a collection that is not frozen must itself be frozen. Told at the top of a type
 * only, because frozen<> freezes all it holds. */
static enum status check_nesting(struct parser *p, const struct type *type)
{
    if (!type_is_multicell(type))
        return OK;
    for (uint32_t i = 0; i < type->param_count; i++) {
        const struct type *inner = type->params[i];

        if (type_is_multicell(inner) && type->kind == TYPE_UDT)
            return error_set(p->err, ERR_INVALID,
                             "Non-frozen UDTs with nested non-frozen collections are not supported");
        if (type_is_multicell(inner))
            return error_set(p->err, ERR_INVALID, "Non-frozen %s are not allowed inside collections: %s",
                             inner->kind == TYPE_UDT ? "UDTs" : "collections", shown(p, type));
    }
    return OK;
}

/* 1 to 2^31 - 1; digits beyond that are not even read. */
static enum status parse_dimension(struct parser *p, uint32_t *dimension)
{
    uint64_t n = 0;
    bool any = false;

    skip_space(p);
    for (; p->at < p->text.size && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '9' && n <= INT32_MAX;
         p->at++) {
        n = n * 10 + (p->text.data[p->at] - '0');
        any = true;
    }
    if (!any || n > INT32_MAX)
        return error_set(p->err, ERR_SYNTAX, "Expected a dimension at offset %zu in type \"%.*s\"", p->at,
                         BYTES(p->text));
    if (n == 0)
        return error_set(p->err, ERR_INVALID, "vectors may only have positive dimensions; given 0");
    *dimension = (uint32_t)n;
    return OK;
}

/* Each field becomes frozen, as the tuple is. */
static enum status parse_tuple(struct parser *p, const struct type **result)
{
    enum { FIELDS_MAX = 4096 };
    const struct type **fields = NULL;
    uint32_t count = 0, capacity = 0;
    enum status status;

    do {
        /* Limited before memory is taken for more of them. */
        if (count == FIELDS_MAX)
            return error_set(p->err, ERR_INVALID, "A tuple may have at most %d fields", FIELDS_MAX);
        fields = arena_room(p->arena, fields, count, &capacity, 8, sizeof(*fields));
        status = parse_type(p, &fields[count]);
        if (status)
            return status;
        status = check_element(p, fields[count], "tuples");
        if (status)
            return status;
        fields[count] = type_freeze(p->arena, fields[count]);
        count++;
    } while (accept(p, ','));
    *result = type_tuple(p->arena, fields, count);
    return OK;
}

/* What stands between < and > depends on the kind: types, or for a vector a type and its dimension. */
static enum status parse_parameters(struct parser *p, enum type_kind kind, const struct type **result)
{
    const struct type *a, *b = NULL;
    uint32_t dimension = 0;
    enum status status = expect(p, '<');

    if (status)
        return status;
    if (kind == TYPE_TUPLE) {
        status = parse_tuple(p, result);
        return status ? status : expect(p, '>');
    }
    status = parse_type(p, &a);
    if (status)
        return status;
    /* A map's second type, or a vector's dimension, stands behind a comma. */
    if (kind == TYPE_MAP || kind == TYPE_VECTOR) {
        status = expect(p, ',');
        if (status)
            return status;
        status = kind == TYPE_MAP ? parse_type(p, &b) : parse_dimension(p, &dimension);
        if (status)
            return status;
    }
    status = expect(p, '>');
    if (status)
        return status;
    if (kind == TYPE_VECTOR) {
        *result = type_vector(p->arena, type_freeze(p->arena, a), dimension);
        return check_element(p, a, "vectors");
    }
    *result = kind == TYPE_LIST  ? type_list(p->arena, a, false)
              : kind == TYPE_SET ? type_set(p->arena, a, false)
                                 : type_map(p->arena, a, b, false);
    return check_collection(p, *result);
}

/* Native types are refused in frozen<>, as they are never anything else. */
static enum status parse_frozen(struct parser *p, const struct type **result)
{
    const struct type *inner;
    enum status status = expect(p, '<');

    if (!status)
        status = parse_type(p, &inner);
    if (!status)
        status = expect(p, '>');
    if (status)
        return status;
    if (is_native(inner->kind) || inner->kind == TYPE_CUSTOM)
        return error_set(p->err, ERR_INVALID,
                         "frozen<> is only allowed on collections, tuples, and user-defined types (got %s)",
                         shown(p, inner));
    *result = type_freeze(p->arena, inner);
    return OK;
}

/* The resolver knows the schema; this folder knows none. */
static enum status parse_udt(struct parser *p, struct bytes keyspace, struct bytes name, const struct type **result)
{
    const struct type *type = NULL;

    /* Without a resolver no UDT is known. */
    if (p->resolver && p->resolver->udt)
        type = p->resolver->udt(p->resolver->context, keyspace, name);
    if (!type && bytes_is_null(keyspace))
        return error_set(p->err, ERR_INVALID, "Unknown type %.*s", BYTES(name));
    if (!type)
        return error_set(p->err, ERR_INVALID, "Unknown type %.*s.%.*s", BYTES(keyspace), BYTES(name));

    /* The resolver may hand out its frozen form; frozen<> is what the text says. */
    struct type *copy = node_copy(p->arena, type);
    copy->frozen = false;
    for (uint32_t i = 0; i < type->param_count; i++)
        copy->params[i] = type_copy(p->arena, type->params[i]); /* the result may outlive the resolver's schema */
    *result = copy;
    return OK;
}

/* A quoted name is never a type of the language. 'in.single.quotes' is a Java class. */
static enum status parse_named(struct parser *p, const struct type **result)
{
    struct bytes name, second;
    bool quoted, second_quoted;
    /* Before the name is read, which takes the quotes off. */
    bool is_class = (skip_space(p), p->at < p->text.size && p->text.data[p->at] == '\'');
    enum status status = parse_identifier(p, &name, &quoted);

    if (status)
        return status;
    /* Whatever class it is: its values are not interpreted. */
    if (is_class) {
        *result = type_custom(p->arena, name);
        return OK;
    }
    /* keyspace.type: only UDTs are named so. */
    if (accept(p, '.')) {
        status = parse_identifier(p, &second, &second_quoted);
        return status ? status : parse_udt(p, name, second, result);
    }
    if (quoted)
        return parse_udt(p, (struct bytes){ 0 }, name, result);
    if (bytes_equal(name, BYTES_LITERAL("frozen")))
        return parse_frozen(p, result);
    /* The one type that has two names. */
    if (bytes_equal(name, BYTES_LITERAL("varchar"))) {
        *result = type_native(TYPE_TEXT);
        return OK;
    }
    /* The table at the top is searched: this is no hot path, as statements have a parser of their
     * own. */
    for (enum type_kind kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
        if (!kinds[kind].cql || !bytes_equal(name, bytes_of_string(kinds[kind].cql)))
            continue;
        if (!is_native(kind))
            return parse_parameters(p, kind, result);
        *result = type_native(kind);
        return OK;
    }
    return parse_udt(p, (struct bytes){ 0 }, name, result);
}

/* Each level is one of the stack. */
static enum status parse_type(struct parser *p, const struct type **result)
{
    if (++p->depth > VALUE_DEPTH_MAX)
        return error_set(p->err, ERR_INVALID, "Types may be nested at most %d deep", VALUE_DEPTH_MAX);
    enum status status = parse_named(p, result);
    p->depth--;
    return status;
}

/* One type and nothing behind it. Nesting is looked at when all is there, as a frozen<> further out
 * makes legal what is within. */
enum status type_parse(struct arena *arena, struct bytes text, const struct type_resolver *resolver,
                       const struct type **result, struct error *err)
{
    struct parser p = { .arena = arena, .resolver = resolver, .text = text, .err = err };
    const struct type *type;
    enum status status = parse_type(&p, &type);

    if (status)
        return status;
    skip_space(&p);
    if (p.at != text.size)
        return error_set(err, ERR_SYNTAX, "Unexpected '%c' at offset %zu in type \"%.*s\"", text.data[p.at], p.at,
                         BYTES(text));
    status = check_nesting(&p, type);
    if (status)
        return status;
    *result = type;
    return OK;
}
