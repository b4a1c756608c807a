/* What holds for values of all types: are the bytes well-formed, which comes first, and the parts
 * of packed ones. Values are the native protocol's bytes, as clients send and rows store them, so
 * reading and writing convert nothing.
 *
 * Validation happens once, when a client binds a value; everything else here relies on it, and
 * asserts only what keeps it within its bytes. The words of errors are Cassandra's. */
#include "types/value.h"

#include "types/number.h"
#include "types/text.h"
#include "types/vint.h"

#include <assert.h>
#include <stdio.h>

#define HIGH_BIT_OF_EACH_BYTE 0x8080808080808080ULL

/* Validation. */

/* Cassandra takes the empty value for most types; the later ones (date, time, smallint, tinyint)
 * have none. */
static enum status validate_fixed(struct bytes value, size_t size, bool may_be_empty, const char *expected,
                                  struct error *err)
{
    if (value.size == size || (may_be_empty && value.size == 0))
        return OK;
    return error_set(err, ERR_INVALID, "Expected %s (%zu)", expected, value.size);
}

/* Three signed vints. A duration whose parts have different signs is none. */
static enum status validate_duration(struct bytes value, struct error *err)
{
    int64_t months, days, nanoseconds;

    if (value.size < 3)
        return error_set(err, ERR_INVALID, "Expected at least 3 bytes for a duration (%zu)", value.size);
    if (!vint_read_signed(&value, &months) || !vint_read_signed(&value, &days) ||
        !vint_read_signed(&value, &nanoseconds))
        return error_set(err, ERR_INVALID, "Not enough bytes to read a duration");
    if (months < INT32_MIN || months > INT32_MAX)
        return error_set(err, ERR_INVALID, "The duration months must be a 32 bits integer but was: %ld", (long)months);
    if (days < INT32_MIN || days > INT32_MAX)
        return error_set(err, ERR_INVALID, "The duration days must be a 32 bits integer but was: %ld", (long)days);
    if ((months < 0 || days < 0 || nanoseconds < 0) && (months > 0 || days > 0 || nanoseconds > 0))
        return error_set(err, ERR_INVALID,
                         "The duration months, days and nanoseconds must be all of the same sign (%ld, %ld, %ld)",
                         (long)months, (long)days, (long)nanoseconds);
    return OK; /* Cassandra does not mind more bytes */
}

/* The first 32 bytes are enough to recognize it. */
static enum status invalid_inet(struct bytes value, struct error *err)
{
    char hex[65];

    for (size_t i = 0; i < value.size && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", value.data[i]);
    return error_set(err, ERR_INVALID, "Expected 4 or 16 byte inetaddress; got %s", hex);
}

/* Only version 1 has a time. The message shows the first nibble of the value, where Java's
 * UUID.version() would be meant. */
static enum status validate_timeuuid(struct bytes value, struct error *err)
{
    if (value.size == 0)
        return OK;
    if (value.size != 16)
        return error_set(err, ERR_INVALID, "UUID should be 16 or 0 bytes (%zu)", value.size);
    if ((value.data[6] & 0xF0) != 0x10)
        return error_set(err, ERR_INVALID, "Invalid version for TimeUUID type: 0x%x",
                         value.data[0] >> 4); /* sic: the nibble Cassandra shows */
    return OK;
}

static enum status not_enough_bytes(const char *what, struct error *err)
{
    return error_set(err, ERR_INVALID, "Not enough bytes to read a %s", what);
}

/* list, set, map: count (4), then per element length (4) and bytes. A count is believed only as far
 * as elements follow it. Only a list for IN may hold nulls. */
static enum status validate_collection(const struct type *type, struct bytes value, bool may_hold_nulls,
                                       struct error *err)
{
    const char *what = type->kind == TYPE_LIST ? "list" : type->kind == TYPE_SET ? "set" : "map";

    if (value.size < 4)
        return not_enough_bytes(what, err);
    /* In 64 bits, so that twice the count of a map cannot overflow. */
    uint64_t count = load_be32(value.data);
    if (count > VALUE_ELEMENTS_MAX)
        return not_enough_bytes(what, err);
    if (type->kind == TYPE_MAP)
        count *= 2;
    value = bytes_of(value.data + 4, value.size - 4);
    for (uint64_t i = 0; i < count; i++) {
        if (value.size < 4)
            return not_enough_bytes(what, err);
        int32_t size = (int32_t)load_be32(value.data);
        if (size < 0 && !may_hold_nulls)
            return error_set(err, ERR_INVALID, "Null value read when not allowed");
        if (size < 0) {
            value = bytes_of(value.data + 4, value.size - 4);
            continue;
        }
        if ((size_t)size > value.size - 4)
            return not_enough_bytes(what, err);
        /* A map's keys and values alternate, and each has its own type. */
        enum status status =
            value_validate(type->params[type->kind == TYPE_MAP ? i & 1 : 0], bytes_of(value.data + 4, size), err);
        if (status)
            return status;
        value = bytes_of(value.data + 4 + size, value.size - 4 - size);
    }
    if (value.size)
        return error_set(err, ERR_INVALID, "Unexpected extraneous bytes after %s value", what);
    return OK;
}

/* Cassandra counts fields from 0 and adds "th" to all of them. */
static enum status not_enough_for_field(const struct type *type, uint32_t i, bool size_only, struct error *err)
{
    const char *what = size_only ? "size of " : "";

    if (type->kind == TYPE_UDT)
        return error_set(err, ERR_INVALID, "Not enough bytes to read %s%uth field %.*s", what, i,
                         BYTES(type->field_names[i]));
    return error_set(err, ERR_INVALID, "Not enough bytes to read %s%uth component", what, i);
}

/* tuple, udt: per field length (4, negative: null) and bytes; fields may be missing at the end: the
 * type has grown since, and they are null. */
static enum status validate_tuple(const struct type *type, struct bytes value, struct error *err)
{
    for (uint32_t i = 0; i < type->param_count; i++) {
        /* Nothing more: the value was written when the type had fewer fields. */
        if (value.size == 0)
            return OK;
        if (value.size < 4)
            return not_enough_for_field(type, i, true, err);
        int32_t size = (int32_t)load_be32(value.data);
        value = bytes_of(value.data + 4, value.size - 4);
        if (size < 0)
            continue;
        if ((size_t)size > value.size)
            return not_enough_for_field(type, i, false, err);
        enum status status = value_validate(type->params[i], bytes_of(value.data, size), err);
        if (status)
            return status;
        value = bytes_of(value.data + size, value.size - size);
    }
    if (value.size)
        return error_set(err, ERR_INVALID, "Invalid remaining data after end of %s value",
                         type->kind == TYPE_UDT ? "UDT" : "tuple");
    return OK;
}

/* The type's name is in the message, so it is printed for it. */
static enum status vector_error(const struct type *type, size_t extra, struct error *err)
{
    struct buffer name = { 0 };

    type_print(&name, type, false);
    buffer_append_u8(&name, 0);
    enum status status =
        extra ? error_set(err, ERR_INVALID, "Unexpected %zu extraneous bytes after %s value", extra, (char *)name.data)
              : error_set(err, ERR_INVALID, "Not enough bytes to read a %s", (char *)name.data);
    buffer_fini(&name);
    return status;
}

/* vector: the elements; each behind its length as an unsigned vint if the element's size varies.
 * Vectors have no nulls and no count of their own: the type says how many there are. */
static enum status validate_vector(const struct type *type, struct bytes value, struct error *err)
{
    const struct type *element = type->params[0];
    uint32_t fixed = type_fixed_bytes(element);

    if (value.size == 0)
        return error_set(err, ERR_INVALID, "Invalid empty vector value");
    for (uint32_t i = 0; i < type->dimension; i++) {
        uint64_t size = fixed;

        if (!fixed && !vint_read(&value, &size))
            return vector_error(type, 0, err);
        if (!fixed && size > value.size)
            return error_set(err, ERR_INVALID, "Attempted to read %llu, but the size is %zu", (unsigned long long)size,
                             value.size);
        if (size > value.size)
            return vector_error(type, 0, err);
        enum status status = value_validate(element, bytes_of(value.data, size), err);
        if (status)
            return status;
        value = bytes_of(value.data + size, value.size - size);
    }
    if (value.size)
        return vector_error(type, value.size, err);
    return OK;
}

/* Any bytes come in. What passes can be compared, walked, printed and made a key without another
 * look at its sizes. */
enum status value_validate(const struct type *type, struct bytes value, struct error *err)
{
    switch (type->kind) {
    case TYPE_INT: return validate_fixed(value, 4, true, "4 or 0 byte int", err);
    case TYPE_BIGINT:
    case TYPE_COUNTER: return validate_fixed(value, 8, true, "8 or 0 byte long", err);
    case TYPE_TEXT:
        if (text_is_utf8(value))
            return OK;
        return error_set(err, ERR_INVALID, "String didn't validate.");
    case TYPE_BLOB:
    case TYPE_CUSTOM:
    case TYPE_VARINT: return OK;
    case TYPE_ASCII:
        if (text_is_ascii(value))
            return OK;
        /* The first byte that is none is shown as Java shows a byte, with its sign. */
        for (size_t i = 0;; i++)
            if (value.data[i] & 0x80)
                return error_set(err, ERR_INVALID, "Invalid byte for ascii: %d", (int8_t)value.data[i]);
    case TYPE_BOOLEAN: return validate_fixed(value, 1, true, "1 or 0 byte value", err);
    case TYPE_DECIMAL:
        if (value.size == 0 || value.size >= 4)
            return OK;
        return error_set(err, ERR_INVALID, "Expected 0 or at least 4 bytes (%zu)", value.size);
    case TYPE_DOUBLE: return validate_fixed(value, 8, true, "8 or 0 byte value for a double", err);
    case TYPE_FLOAT: return validate_fixed(value, 4, true, "4 or 0 byte value for a float", err);
    case TYPE_TIMESTAMP: return validate_fixed(value, 8, true, "8 or 0 byte long for date", err);
    case TYPE_UUID:
        if (value.size == 16 || value.size == 0)
            return OK;
        return error_set(err, ERR_INVALID, "UUID should be 16 or 0 bytes (%zu)", value.size);
    case TYPE_TIMEUUID: return validate_timeuuid(value, err);
    case TYPE_INET:
        if (value.size == 0 || value.size == 4 || value.size == 16)
            return OK;
        return invalid_inet(value, err);
    case TYPE_DATE: return validate_fixed(value, 4, false, "4 byte long for date", err);
    case TYPE_TIME: return validate_fixed(value, 8, false, "8 byte long for time", err);
    case TYPE_SMALLINT: return validate_fixed(value, 2, false, "2 bytes for a smallint", err);
    case TYPE_TINYINT: return validate_fixed(value, 1, false, "1 byte for a tinyint", err);
    case TYPE_DURATION: return validate_duration(value, err);
    case TYPE_EMPTY:
        if (value.size == 0)
            return OK;
        return error_set(err, ERR_INVALID, "EmptyType only accept empty values");
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return validate_collection(type, value, false, err);
    case TYPE_UDT:
    case TYPE_TUPLE: return validate_tuple(type, value, err);
    case TYPE_VECTOR: return validate_vector(type, value, err);
    }
    return error_set(err, ERR_SERVER, "unknown type kind %d", type->kind);
}

/* Comparison. What AbstractType.compare gives, for values that were validated: by their sizes, not
 * further. */
/* Comparison. */

static inline int order_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static inline int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Bits of a float or double whose signed order is that of Float.compare: -0.0 before 0.0, every NaN
 * last and equal. Positive numbers sort as their bits do; of negative ones all bits but the sign
 * are turned around. */
static inline int32_t float_order(struct bytes value)
{
    int32_t bits = (int32_t)load_be32(value.data);

    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return INT32_MAX;
    return bits < 0 ? bits ^ 0x7FFFFFFF : bits;
}

static inline int64_t double_order(struct bytes value)
{
    int64_t bits = (int64_t)load_be64(value.data);

    if ((bits & INT64_MAX) > 0x7FF0000000000000)
        return INT64_MAX;
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

/* The time of a version 1 uuid, most significant first, with the version on top: bytes alone would
 * sort by the time's low bits. */
static inline uint64_t uuid_time_order(uint64_t most)
{
    return most << 48 | (most << 16 & 0xFFFF00000000ULL) | most >> 32;
}

/* By time, then by the other eight bytes. */
static int compare_timeuuid(struct bytes a, struct bytes b)
{
    int order = order_u64(uuid_time_order(load_be64(a.data)), uuid_time_order(load_be64(b.data)));

    if (order)
        return order;
    /* Bytes compare as signed here, a habit of old that stayed. */
    return order_u64(load_be64(a.data + 8) ^ HIGH_BIT_OF_EACH_BYTE, load_be64(b.data + 8) ^ HIGH_BIT_OF_EACH_BYTE);
}

/* UUIDType: by version, those of version 1 then by time, others by their bytes. */
static int compare_uuid(struct bytes a, struct bytes b)
{
    uint64_t most_a = load_be64(a.data), most_b = load_be64(b.data);
    int version_a = most_a >> 12 & 15, version_b = most_b >> 12 & 15;

    if (version_a != version_b)
        return version_a - version_b;
    if (version_a == 1) {
        most_a = uuid_time_order(most_a);
        most_b = uuid_time_order(most_b);
    }
    int order = order_u64(most_a, most_b);
    return order ? order : order_u64(load_be64(a.data + 8), load_be64(b.data + 8));
}

/* Elements one by one; the shorter first. For a map keys and values alternate, and a key decides
 * before its value. */
static int compare_elements(const struct type *type, struct bytes a, struct bytes b)
{
    struct value_iterator of_a, of_b;
    struct bytes in_a, in_b;

    value_iterator_init(&of_a, type, a);
    value_iterator_init(&of_b, type, b);
    for (uint32_t i = 0;; i++) {
        bool has_a = value_iterator_next(&of_a, &in_a), has_b = value_iterator_next(&of_b, &in_b);

        if (!has_a || !has_b)
            return has_a - has_b;
        int order = value_compare(type->params[type->kind == TYPE_MAP ? i & 1 : 0], in_a, in_b);
        if (order)
            return order;
    }
}

/* Field by field; null first; a missing field is a null one, so a tuple written short equals one
 * with nulls. */
static int compare_fields(const struct type *type, struct bytes a, struct bytes b)
{
    struct value_iterator of_a, of_b;
    struct bytes in_a, in_b;

    value_iterator_init(&of_a, type, a);
    value_iterator_init(&of_b, type, b);
    for (uint32_t i = 0; i < type->param_count; i++) {
        value_iterator_next(&of_a, &in_a);
        value_iterator_next(&of_b, &in_b);
        if (bytes_is_null(in_a) || bytes_is_null(in_b)) {
            if (bytes_is_null(in_a) && bytes_is_null(in_b))
                continue;
            return bytes_is_null(in_a) ? -1 : 1;
        }
        int order = value_compare(type->params[i], in_a, in_b);
        if (order)
            return order;
    }
    return 0;
}

/* <0, 0, >0. First the types whose bytes are their order, which may be empty or of any size; then
 * the empty value, which comes before all others; then the rest. */
int value_compare(const struct type *type, struct bytes a, struct bytes b)
{
    switch (type->kind) {
    case TYPE_ASCII:
    /* For these Cassandra compares bytes as unsigned. A date is an unsigned number, a time of one
     * day is never negative, and a duration has no order, only a place. */
    case TYPE_TEXT:
    case TYPE_BLOB:
    case TYPE_CUSTOM:
    case TYPE_INET:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DURATION:
    case TYPE_EMPTY: return bytes_compare(a, b);
    default: break;
    }
    if (a.size == 0 || b.size == 0)
        return (a.size != 0) - (b.size != 0);

    assert(!type_fixed_bytes(type) || (a.size == type_fixed_bytes(type) && b.size == type_fixed_bytes(type)));
    switch (type->kind) {
    case TYPE_INT: return order_i64((int32_t)load_be32(a.data), (int32_t)load_be32(b.data));
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_TIMESTAMP: return order_i64((int64_t)load_be64(a.data), (int64_t)load_be64(b.data));
    /* Short enough that their difference cannot overflow an int. */
    case TYPE_SMALLINT: return (int16_t)load_be16(a.data) - (int16_t)load_be16(b.data);
    case TYPE_TINYINT: return (int8_t)a.data[0] - (int8_t)b.data[0];
    /* Any byte but 0 is true. */
    case TYPE_BOOLEAN: return (a.data[0] != 0) - (b.data[0] != 0);
    case TYPE_FLOAT: return order_i64(float_order(a), float_order(b));
    case TYPE_DOUBLE: return order_i64(double_order(a), double_order(b));
    case TYPE_UUID: return compare_uuid(a, b);
    case TYPE_TIMEUUID: return compare_timeuuid(a, b);
    case TYPE_VARINT: return varint_compare(a, b);
    case TYPE_DECIMAL: return decimal_compare(a, b);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR: return compare_elements(type, a, b);
    case TYPE_TUPLE:
    case TYPE_UDT: return compare_fields(type, a, b);
    default: return bytes_compare(a, b); /* handled above */
    }
}

/* Packed values: collections, tuples, UDTs and vectors, walked without copying. */
/* Packed values. */

/* For a map `left` counts keys and values apart. */
void value_iterator_init(struct value_iterator *iterator, const struct type *type, struct bytes value)
{
    *iterator = (struct value_iterator){ .rest = value, .type = type };
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        if (value.size < 4)
            return;
        iterator->left = load_be32(value.data);
        if (type->kind == TYPE_MAP)
            iterator->left *= 2;
        iterator->rest = bytes_of(value.data + 4, value.size - 4);
        return;
    case TYPE_TUPLE:
    case TYPE_UDT: iterator->left = type->param_count; return;
    case TYPE_VECTOR: iterator->left = value.size ? type->dimension : 0; return;
    default: assert(!"a type without elements");
    }
}

/* NULL data: a null, of a tuple, a UDT, or a list for IN. Sizes were validated; here it is only
 * asserted that they stay within the value. */
bool value_iterator_next(struct value_iterator *iterator, struct bytes *element)
{
    struct bytes *rest = &iterator->rest;
    int64_t size;

    *element = (struct bytes){ 0 };
    if (iterator->left == 0)
        return false;
    iterator->left--;
    iterator->index++;
    if (iterator->type->kind == TYPE_VECTOR) {
        /* Elements of a fixed size have no length in front of them. */
        uint64_t length = type_fixed_bytes(iterator->type->params[0]);

        if (length == 0 && !vint_read(rest, &length))
            return false;
        size = (int64_t)length;
    } else {
        if (rest->size < 4)
            return iterator->type->kind == TYPE_TUPLE || iterator->type->kind == TYPE_UDT; /* missing fields are null */
        size = (int32_t)load_be32(rest->data);
        *rest = bytes_of(rest->data + 4, rest->size - 4);
        if (size < 0)
            return true;
    }
    assert(size >= 0 && (uint64_t)size <= rest->size); /* the value was validated */
    *element = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

/* For the marker of IN alone: what a client binds to a collection has no nulls. */
enum status value_validate_list_of_in(const struct type *type, struct bytes value, struct error *err)
{
    return validate_collection(type, value, true, err);
}

/* Cassandra makes an object of each element of IN, and these types' empty value makes no object but
 * null. */
struct bytes value_of_in(const struct type *type, struct bytes element)
{
    switch (type->kind) {
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_BOOLEAN:
    case TYPE_DECIMAL:
    case TYPE_DOUBLE:
    case TYPE_FLOAT:
    case TYPE_TIMESTAMP:
    case TYPE_UUID:
    case TYPE_TIMEUUID:
    case TYPE_INET:
    case TYPE_VARINT: return element.size ? element : bytes_of(NULL, 0);
    default: return element;
    }
}

/* Elements as they are; whoever packs a set or map has sorted them, or calls value_pack_sorted. */
void value_pack(struct buffer *out, const struct type *type, const struct bytes *elements, uint32_t count)
{
    bool is_vector = type->kind == TYPE_VECTOR;
    bool has_sizes = !is_vector || type_fixed_bytes(type->params[0]) == 0;

    assert(type->kind != TYPE_MAP || count % 2 == 0);
    if (type_is_collection(type))
        buffer_append_be32(out, type->kind == TYPE_MAP ? count / 2 : count);
    /* A vector's elements have a vint in front, all others four bytes, in which -1 is null. */
    for (uint32_t i = 0; i < count; i++) {
        if (has_sizes && is_vector)
            vint_append(out, elements[i].size);
        else if (has_sizes)
            buffer_append_be32(out, bytes_is_null(elements[i]) ? UINT32_MAX : (uint32_t)elements[i].size);
        buffer_append_bytes(out, elements[i]);
    }
}

/* Of a set or map that comes in any order. A set's entry has its key twice. */
struct entry {
    struct bytes key, value;
    uint32_t index; /* where it was given */
};

/* Stable: of equal keys the order in which they were given decides. */
static int compare_entries(const void *a, const void *b, void *type)
{
    const struct entry *x = a, *y = b;
    int order = value_compare(type, x->key, y->key);

    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* What a TreeMap would make of entries put into it one by one: the first of equal keys stays, with
 * the last one's value. Few entries are sorted on the stack. */
uint32_t value_sort_entries(const struct type *type, struct bytes *elements, uint32_t count)
{
    enum { FEW = 16 };
    uint32_t step = type->kind == TYPE_MAP ? 2 : 1, entry_count = count / step, kept = 0;
    struct entry few[FEW], *entries = entry_count > FEW ? xmalloc(entry_count * sizeof(*entries)) : few;

    assert(count % step == 0);
    for (uint32_t i = 0; i < entry_count; i++)
        entries[i] = (struct entry){ elements[i * step], elements[i * step + step - 1], i };
    if (entry_count > 1)
        qsort_r(entries, entry_count, sizeof(*entries), compare_entries, (void *)type->params[0]);
    for (uint32_t i = 0; i < entry_count; i++) {
        /* The first of equal keys is there already: then only the value is taken over. */
        if (kept == 0 || value_compare(type->params[0], elements[kept - step], entries[i].key)) {
            elements[kept] = entries[i].key;
            kept += step;
        }
        if (step == 2)
            elements[kept - 1] = entries[i].value;
    }
    assert(kept <= count);
    if (entries != few)
        free(entries);
    return kept;
}

void value_pack_sorted(struct buffer *out, const struct type *type, struct bytes *elements, uint32_t count)
{
    value_pack(out, type, elements, value_sort_entries(type, elements, count));
}

/* ---- sets of values, for filters that look many of them up ---- */
/* ---- sets of values ---- */

static int compare_values(const void *a, const void *b, void *type)
{
    return value_compare(type, *(const struct bytes *)a, *(const struct bytes *)b);
}

/* Sorted, each once: of equal ones any stays. */
uint32_t value_sort(const struct type *type, struct bytes *values, uint32_t count)
{
    uint32_t kept = 0;

    qsort_r(values, count, sizeof(*values), compare_values, (void *)type);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || value_compare(type, values[kept - 1], values[i]))
            values[kept++] = values[i];
    return kept;
}

/* Binary search; the values were sorted by value_sort. */
bool value_find(const struct type *type, const struct bytes *values, uint32_t count, struct bytes wanted)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = value_compare(type, values[middle], wanted);

        assert(values[middle].data || !values[middle].size);
        if (!order)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
