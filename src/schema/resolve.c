/* Types as they are written become types: user types are looked up and spelt out,
 * frozen goes down into what it holds, and what Cassandra refuses is refused in its
 * words. Custom types are read by the names of Cassandra's Java classes. Since a user
 * type is spelt out wherever it is used, a few lines of CQL could make types of
 * exponential size; parts and depth are counted while they are resolved. */
#include "schema/resolve.h"

#include "cql/print.h"
#include "types/number.h"
#include "types/value.h"

#include <assert.h>
#include <stdlib.h>

static_assert((int)RESOLVE_DEPTH_MAX <= (int)VALUE_DEPTH_MAX, "a value of each type can be walked");

/* A type as Cassandra prints the written form: user types with their keyspace, frozen
 * where it applies. */
static void print_written(struct buffer *out, struct bytes keyspace, const struct cql_type *written, bool frozen)
{
    static const char *const names[] = {
        [TYPE_LIST] = "list", [TYPE_SET] = "set", [TYPE_MAP] = "map", [TYPE_TUPLE] = "tuple", [TYPE_VECTOR] = "vector"
    };
    /* frozen on the outside holds for all inside, and Cassandra prints it there. */
    bool is_frozen = (frozen || written->frozen) && written->kind >= TYPE_LIST && written->kind <= TYPE_UDT;

    if (is_frozen)
        buffer_append_string(out, "frozen<");
    if (written->kind == TYPE_UDT) {
        identifier_print(out, bytes_is_null(written->name.keyspace) ? keyspace : written->name.keyspace);
        buffer_append_u8(out, '.');
        identifier_print(out, written->name.name);
    } else if (written->kind < TYPE_LIST) {
        cql_print_type(out, written);
    } else {
        buffer_append_string(out, names[written->kind]);
        buffer_append_u8(out, '<');
        for (uint32_t i = 0; i < written->param_count; i++) {
            if (i)
                buffer_append_string(out, ", ");
            print_written(out, keyspace, written->params[i], frozen || written->frozen);
        }
        if (written->kind == TYPE_VECTOR)
            buffer_printf(out, ", %u", written->dimension);
        buffer_append_u8(out, '>');
    }
    if (is_frozen)
        buffer_append_u8(out, '>');
}

/* For messages about fields. */
const char *resolve_print_written(struct arena *arena, struct bytes keyspace, const struct cql_type *written)
{
    struct buffer out = { 0 };
    const char *text;

    print_written(&out, keyspace, written, false);
    text = arena_string(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return text;
}

/* The type is printed as it was written, user types without their keyspace. */
static enum status refuse(struct arena *arena, const char *what, const struct cql_type *written, struct error *err)
{
    struct buffer out = { 0 };
    enum status status;

    cql_print_type(&out, written);
    status = error_set(err, ERR_INVALID, "%s: %.*s", what, BYTES(buffer_bytes(&out)));
    buffer_fini(&out);
    return status;
}

/* How deep a type is nested, with its user types spelt out. */
static uint32_t depth_of(const struct type *type)
{
    uint32_t deepest = 0;

    /* Natives have no parts, and so a depth of one. */
    for (uint32_t i = 0; i < type->param_count; i++) {
        uint32_t depth = depth_of(type->params[i]);

        if (depth > deepest)
            deepest = depth;
    }
    return deepest + 1;
}

static enum status resolve(struct arena *arena, const struct keyspace_def *keyspace, const struct cql_type *written,
                           bool frozen, uint32_t *nodes, const struct type **result, struct error *err);

#define MARSHAL "org.apache.cassandra.db.marshal."

/* Classes of Cassandra that are CQL's own types, and (TYPE_CUSTOM) those whose values are kept as bytes. */
static const struct {
    const char *name;
    enum type_kind kind;
} classes[] = {
    { "AsciiType", TYPE_ASCII },
    { "LongType", TYPE_BIGINT },
    { "BytesType", TYPE_BLOB },
    { "BooleanType", TYPE_BOOLEAN },
    { "CounterColumnType", TYPE_COUNTER },
    { "DecimalType", TYPE_DECIMAL },
    { "DoubleType", TYPE_DOUBLE },
    { "FloatType", TYPE_FLOAT },
    { "Int32Type", TYPE_INT },
    { "TimestampType", TYPE_TIMESTAMP },
    { "DateType", TYPE_TIMESTAMP },
    { "UUIDType", TYPE_UUID },
    { "UTF8Type", TYPE_TEXT },
    { "IntegerType", TYPE_VARINT },
    { "TimeUUIDType", TYPE_TIMEUUID },
    { "InetAddressType", TYPE_INET },
    { "SimpleDateType", TYPE_DATE },
    { "TimeType", TYPE_TIME },
    { "ShortType", TYPE_SMALLINT },
    { "ByteType", TYPE_TINYINT },
    { "DurationType", TYPE_DURATION },
    { "EmptyType", TYPE_EMPTY },
    { "CompositeType", TYPE_CUSTOM },
    { "DynamicCompositeType", TYPE_CUSTOM },
    { "LexicalUUIDType", TYPE_CUSTOM },
    { "PartitionerDefinedOrder", TYPE_CUSTOM },
};

/* Types by the names of their classes, as Cassandra's TypeParser reads them:
 * "Int32Type", "org.apache.cassandra.db.marshal.ListType(UTF8Type)". */
struct class_text {
    struct arena *arena;
    struct bytes whole, rest;
    int depth;
    struct error *err;
};

/* The words of an unknown class, or of one with wrong parameters. A name without a
 * package is shown with Cassandra's. */
static enum status bad_class(struct class_text *text, const char *what, struct bytes class)
{
    return error_set(text->err, ERR_SYNTAX, "Error setting type %.*s: %s%s%.*s%s", BYTES(text->whole), what,
                     memchr(class.data, '.', class.size) ? "" : MARSHAL, BYTES(class), what[0] == 'I' ? "." : "'");
}

static enum status unknown_class(struct class_text *text, struct bytes class)
{
    return bad_class(text, "Unable to find abstract-type class '", class);
}

static enum status bad_parameters(struct class_text *text, struct bytes class)
{
    return bad_class(text, "Invalid definition for comparator ", class);
}

/* Between any two signs. */
static void skip_spaces(struct class_text *text)
{
    while (text->rest.size && text->rest.data[0] == ' ')
        text->rest = bytes_of(text->rest.data + 1, text->rest.size - 1);
}

/* Takes the sign if it is the next one. */
static bool take_sign(struct class_text *text, char sign)
{
    skip_spaces(text);
    if (text->rest.size == 0 || text->rest.data[0] != (uint8_t)sign)
        return false;
    text->rest = bytes_of(text->rest.data + 1, text->rest.size - 1);
    return true;
}

/* What stands before the next sign of this grammar, which may be nothing. */
static struct bytes take_word(struct class_text *text)
{
    size_t size = 0;

    skip_spaces(text);
    while (size < text->rest.size && !memchr("(), ", text->rest.data[size], 4))
        size++;
    assert(size <= text->rest.size);
    struct bytes word = bytes_of(text->rest.data, size);
    text->rest = bytes_of(text->rest.data + size, text->rest.size - size);
    return word;
}

static enum status read_class(struct class_text *text, const struct type **result);

/* (A, B, ...), at most `max` of them. */
static enum status read_parameters(struct class_text *text, struct bytes class, const struct type **params,
                                   uint32_t max, uint32_t *count)
{
    enum status status = OK;

    assert(max);
    *count = 0;
    if (!take_sign(text, '('))
        return bad_parameters(text, class);
    /* Bounded by the caller's array. */
    do {
        if (*count == max)
            return bad_parameters(text, class);
        status = read_class(text, &params[(*count)++]);
    } while (!status && take_sign(text, ','));
    if (status || !take_sign(text, ')'))
        return bad_parameters(text, class);
    return OK;
}

/* VectorType(element, dimension): its second parameter is a number. */
static enum status read_vector(struct class_text *text, struct bytes class, const struct type **result)
{
    const struct type *element;
    int64_t dimension;

    if (!take_sign(text, '(') || read_class(text, &element) || !take_sign(text, ',') ||
        !integer_parse(take_word(text), 1, INT32_MAX, &dimension) || !take_sign(text, ')'))
        return bad_parameters(text, class);
    *result = type_vector(text->arena, type_freeze(text->arena, element), (uint32_t)dimension);
    return OK;
}

/* Classes with parameters. What is inside of a collection or tuple is frozen, as
 * nothing else can be. */
static enum status read_made_class(struct class_text *text, struct bytes class, struct bytes name,
                                   const struct type **result)
{
    enum { FIELDS_MAX = 64 };
    const struct type *params[FIELDS_MAX];
    uint32_t count = 0;
    bool is_list = bytes_equal(name, BYTES_LITERAL("ListType")), is_set = bytes_equal(name, BYTES_LITERAL("SetType")),
         is_map = bytes_equal(name, BYTES_LITERAL("MapType")), is_tuple = bytes_equal(name, BYTES_LITERAL("TupleType")),
         is_frozen = bytes_equal(name, BYTES_LITERAL("FrozenType"));

    if (bytes_equal(name, BYTES_LITERAL("VectorType")))
        return read_vector(text, class, result);
    if (!is_list && !is_set && !is_map && !is_tuple && !is_frozen)
        return unknown_class(text, class);
    if (read_parameters(text, class, params, is_tuple ? FIELDS_MAX : is_map ? 2 : 1, &count) || (is_map && count != 2))
        return bad_parameters(text, class);
    for (uint32_t i = 0; i < count; i++) {
        /* A counter cannot be part of anything. */
        if (params[i]->kind == TYPE_COUNTER)
            return bad_parameters(text, class);
        params[i] = type_freeze(text->arena, params[i]); /* nothing else can stand in it */
    }
    *result = is_list    ? type_list(text->arena, params[0], false)
              : is_set   ? type_set(text->arena, params[0], false)
              : is_map   ? type_map(text->arena, params[0], params[1], false)
              : is_tuple ? type_tuple(text->arena, params, count)
                         : params[0];
    return OK;
}

/* One class with its parameters, if it has any. What stands behind it is left for
 * whoever called. */
static enum status read_class(struct class_text *text, const struct type **result)
{
    struct bytes class = take_word(text), package = BYTES_LITERAL(MARSHAL), name = class;
    enum status status;

    if (bytes_starts_with(name, package))
        name = bytes_of(name.data + package.size, name.size - package.size);
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        if (!bytes_equal(name, bytes_of_string(classes[i].name)))
            continue;
        if (classes[i].kind != TYPE_CUSTOM) {
            *result = type_native(classes[i].kind);
            return OK;
        }
        /* Some classes are only kept by name, with all that stands behind it, so they
         * cannot be parts of others. */
        if (text->depth) /* it stands alone, as it is written */
            return unknown_class(text, class);
        text->rest = bytes_of(text->rest.data + text->rest.size, 0);
        return type_parse(text->arena, bytes_of_string(arena_printf(text->arena, "'%.*s'", BYTES(text->whole))), NULL,
                          result, text->err);
    }
    /* Each level is a call of this function. */
    if (text->depth >= RESOLVE_DEPTH_MAX)
        return bad_parameters(text, class);
    text->depth++;
    status = read_made_class(text, class, name, result);
    text->depth--;
    return status;
}

/* A type in quotes. */
static enum status resolve_custom(struct arena *arena, const struct cql_type *written, bool frozen,
                                  const struct type **result, struct error *err)
{
    struct class_text text = { .arena = arena, .whole = written->name.name, .rest = written->name.name, .err = err };
    enum status status = read_class(&text, result);

    assert(written->kind == TYPE_CUSTOM);
    if (!status && frozen)
        *result = type_freeze(arena, *result);
    return status;
}

/* Looks for custom types that are wrong anywhere in the type, before anything else is
 * said of it: Cassandra's parser meets them. The arena is its own, as the result is not
 * needed. */
enum status resolve_check_custom(const struct cql_type *written, struct error *err)
{
    enum status status = OK;

    if (written->kind == TYPE_CUSTOM) {
        /* A statement has few custom types, so an arena for each is cheap enough. */
        CLEANUP(arena_free) struct arena *arena = arena_new(1024);
        const struct type *type;

        return resolve_custom(arena, written, false, &type, err);
    }
    for (uint32_t i = 0; i < written->param_count && !status; i++)
        status = resolve_check_custom(written->params[i], err);
    return status;
}

/* What a collection cannot hold. */
static enum status check_element(struct arena *arena, const struct cql_type *collection, const struct cql_type *element,
                                 bool frozen, struct error *err)
{
    if (element->kind == TYPE_COUNTER)
        return refuse(arena, "Counters are not allowed inside collections", collection, err);
    /* Inside of something frozen, all is frozen. */
    if (frozen || element->frozen)
        return OK;
    if (element->kind == TYPE_LIST || element->kind == TYPE_SET || element->kind == TYPE_MAP)
        return refuse(arena, "Non-frozen collections are not allowed inside collections", collection, err);
    if (element->kind == TYPE_UDT)
        return refuse(arena, "Non-frozen UDTs are not allowed inside collections", collection, err);
    return OK;
}

/* A list, set or map. Elements are checked from the last to the first, as Cassandra
 * meets the value type of a map before its key. */
static enum status resolve_collection(struct arena *arena, const struct keyspace_def *keyspace,
                                      const struct cql_type *written, bool frozen, uint32_t *nodes,
                                      const struct type **result, struct error *err)
{
    const struct type *params[2] = { NULL };
    enum status status;

    assert(written->param_count == (written->kind == TYPE_MAP ? 2u : 1u));
    for (uint32_t i = written->param_count; i-- > 0;)
        if ((status = check_element(arena, written, written->params[i], frozen, err)))
            return status;
    /* Sets and maps are sorted by their elements or keys, and durations have no order. */
    if (written->kind == TYPE_SET && written->params[0]->kind == TYPE_DURATION)
        return refuse(arena, "Durations are not allowed inside sets", written, err);
    if (written->kind == TYPE_MAP && written->params[0]->kind == TYPE_DURATION)
        return refuse(arena, "Durations are not allowed as map keys", written, err);
    for (uint32_t i = 0; i < written->param_count; i++)
        if ((status = resolve(arena, keyspace, written->params[i], frozen || written->params[i]->kind == TYPE_CUSTOM,
                              nodes, &params[i], err)))
            return status;
    if (written->kind == TYPE_LIST)
        *result = type_list(arena, params[0], frozen);
    else if (written->kind == TYPE_SET)
        *result = type_set(arena, params[0], frozen);
    else
        *result = type_map(arena, params[0], params[1], frozen);
    return OK;
}

/* Tuples are always frozen. */
static enum status resolve_tuple(struct arena *arena, const struct keyspace_def *keyspace,
                                 const struct cql_type *written, uint32_t *nodes, const struct type **result,
                                 struct error *err)
{
    const struct type **fields = arena_new_array(arena, const struct type *, written->param_count + 1);
    enum status status;

    for (uint32_t i = 0; i < written->param_count; i++) {
        if (written->params[i]->kind == TYPE_COUNTER)
            return error_set(err, ERR_INVALID, "Counters are not allowed inside tuples");
        if ((status = resolve(arena, keyspace, written->params[i], true, nodes, &fields[i], err)))
            return status;
    }
    *result = type_tuple(arena, fields, written->param_count);
    return OK;
}

/* User types are of the statement's own keyspace. The type is spelt out: its parts
 * count. */
static enum status resolve_udt(struct arena *arena, const struct keyspace_def *keyspace, const struct cql_type *written,
                               bool frozen, uint32_t *nodes, const struct type **result, struct error *err)
{
    struct bytes in = written->name.keyspace;
    const struct type *type;
    uint32_t index;

    if (!bytes_is_null(in) && !bytes_equal(in, keyspace->name))
        return error_set(
            err, ERR_INVALID,
            "Statement on keyspace %.*s cannot refer to a user type in keyspace %.*s; user types can only be used in the "
            "keyspace they are defined in",
            BYTES(keyspace->name), BYTES(in));
    assert(written->kind == TYPE_UDT);
    if (!keyspace_def_find_type(keyspace, written->name.name, &index))
        return error_set(err, ERR_INVALID, "Unknown type %.*s.%.*s", BYTES(keyspace->name), BYTES(written->name.name));
    type = keyspace->types[index];
    /* Counted before it is copied. */
    *nodes += type_node_count(type);
    if (*nodes > RESOLVE_NODES_MAX)
        return error_set(err, ERR_INVALID, "A type with its user types can't have more than %d parts",
                         RESOLVE_NODES_MAX);
    *result = frozen ? type_freeze(arena, type) : type;
    return OK;
}

/* One type, with all that it holds. frozen: it stands inside of something frozen. nodes
 * counts the parts so far. */
static enum status resolve(struct arena *arena, const struct keyspace_def *keyspace, const struct cql_type *written,
                           bool frozen, uint32_t *nodes, const struct type **result, struct error *err)
{
    enum status status;

    if (++*nodes > RESOLVE_NODES_MAX)
        return error_set(err, ERR_INVALID, "A type with its user types can't have more than %d parts",
                         RESOLVE_NODES_MAX);
    frozen |= written->frozen;
    switch (written->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return resolve_collection(arena, keyspace, written, frozen, nodes, result, err);
    case TYPE_TUPLE: return resolve_tuple(arena, keyspace, written, nodes, result, err);
    /* A vector is one value, so what it holds is frozen anyway. */
    case TYPE_VECTOR:
        if (written->dimension == 0)
            return error_set(err, ERR_INVALID, "vectors may only have positive dimensions; given 0");
        status = resolve(arena, keyspace, written->params[0], false, nodes, result, err);
        if (!status)
            *result = type_vector(arena, *result, written->dimension);
        return status;
    case TYPE_UDT: return resolve_udt(arena, keyspace, written, frozen, nodes, result, err);
    case TYPE_CUSTOM: return resolve_custom(arena, written, frozen, result, err);
    default:
        /* The grammar refuses frozen<int>; types that come as text (cql_parse_type) do
         * not pass there. */
        if (written->frozen) {
            struct cql_type plain = *written;
            struct buffer out = { 0 };

            plain.frozen = false;
            cql_print_type(&out, &plain);
            status = error_set(err, ERR_SYNTAX,
                               "frozen<> is only allowed on collections, tuples, and user-defined types (got %.*s)",
                               BYTES(buffer_bytes(&out)));
            buffer_fini(&out);
            return status;
        }
        *result = type_native(written->kind);
        return OK;
    }
}

/* The type that a column or field has. The result lies in the arena or in the keyspace. */
enum status resolve_type(struct arena *arena, const struct keyspace_def *keyspace, const struct cql_type *written,
                         const struct type **result, struct error *err)
{
    uint32_t nodes = 0;
    enum status status = resolve(arena, keyspace, written, false, &nodes, result, err);

    if (!status && depth_of(*result) > RESOLVE_DEPTH_MAX)
        return error_set(err, ERR_INVALID, "Types can't be nested more than %d deep", RESOLVE_DEPTH_MAX);
    return status;
}

/* The parts of a type, user types spelt out. */
uint32_t type_node_count(const struct type *type)
{
    uint32_t count = 1;

    for (uint32_t i = 0; i < type->param_count; i++)
        count += type_node_count(type->params[i]);
    return count;
}

/* How many parts a type would have if its user type became `udt`. */
uint64_t type_node_count_with_udt(const struct type *type, const struct type *udt)
{
    uint64_t count = 1;

    assert(udt->kind == TYPE_UDT);
    if (type->kind == TYPE_UDT && bytes_equal(type->name, udt->name))
        return type_node_count(udt);
    for (uint32_t i = 0; i < type->param_count; i++)
        count += type_node_count_with_udt(type->params[i], udt);
    return count;
}

/* Anywhere inside; types of one keyspace are told apart by name. */
bool type_uses_udt(const struct type *type, struct bytes name)
{
    if (type->kind == TYPE_UDT && bytes_equal(type->name, name))
        return true;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (type_uses_udt(type->params[i], name))
            return true;
    return false;
}

/* The same node over other parameters. */
static const struct type *rebuild(struct arena *arena, const struct type *type, const struct type *const *params)
{
    switch (type->kind) {
    case TYPE_LIST: return type_list(arena, params[0], type->frozen);
    case TYPE_SET: return type_set(arena, params[0], type->frozen);
    case TYPE_MAP: return type_map(arena, params[0], params[1], type->frozen);
    case TYPE_TUPLE: return type_tuple(arena, params, type->param_count);
    case TYPE_VECTOR: return type_vector(arena, params[0], type->dimension);
    case TYPE_UDT:
        return type_udt(arena, type->keyspace, type->name, type->field_names, params, type->param_count, type->frozen);
    default: return type_copy(arena, type);
    }
}

/* The type with its user type replaced; what does not use it is copied as it is. */
const struct type *type_with_udt(struct arena *arena, const struct type *type, const struct type *udt)
{
    const struct type **params;

    assert(udt->kind == TYPE_UDT);
    if (type->kind == TYPE_UDT && bytes_equal(type->name, udt->name))
        return type->frozen ? type_freeze(arena, udt) : type_copy(arena, udt);
    /* Most types hold no user type. */
    if (!type_uses_udt(type, udt->name))
        return type_copy(arena, type);
    params = arena_new_array(arena, const struct type *, type->param_count);
    for (uint32_t i = 0; i < type->param_count; i++)
        params[i] = type_with_udt(arena, type->params[i], udt);
    return rebuild(arena, type, params);
}

/* User types become tuples, whose values have the same bytes: the type of a dropped
 * column must not keep a user type from being dropped. */
const struct type *type_expand_udts(struct arena *arena, const struct type *type)
{
    const struct type **params;

    if (type->param_count == 0 && type->kind != TYPE_UDT)
        return type_copy(arena, type);
    params = arena_new_array(arena, const struct type *, type->param_count + 1);
    for (uint32_t i = 0; i < type->param_count; i++)
        params[i] = type_expand_udts(arena, type->params[i]);
    /* The fields' names are lost; values do not need them. */
    if (type->kind == TYPE_UDT)
        return type_tuple(arena, params, type->param_count);
    return rebuild(arena, type, params);
}
