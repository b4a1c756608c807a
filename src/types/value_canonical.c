/* One form for values that clients may write in several; see value.h. Source: what release 5.0 does
 * with a bound collection: it makes objects of the elements, and bytes of the objects. So what a
 * client reads back may have other bytes than what it sent: a set in order, a boolean 2 as 1,
 * numbers without idle bytes.
 *
 * Most values are canonical already, which is asked first and copies nothing. */
#include "types/value.h"

#include "types/number.h"
#include "types/vint.h"

#include <assert.h>

/* Does making an object of an element, and bytes of that, change what some clients may send? Fixed
 * sizes and texts come back as they went; tuples and UDTs stay bytes in Cassandra, so nothing
 * within them changes. */
static bool element_has_forms(const struct type *type)
{
    switch (type->kind) {
    case TYPE_BOOLEAN:
    case TYPE_VARINT:
    case TYPE_DECIMAL:
    case TYPE_DURATION:
    case TYPE_INET:
    case TYPE_SET:
    case TYPE_MAP: return true;
    case TYPE_LIST:
    case TYPE_VECTOR: return element_has_forms(type->params[0]);
    default: return false;
    }
}

/* Of a value as it is bound: only a collection is taken apart at all. A vector alone is not, but is
 * within a list. */
bool value_has_forms(const struct type *type)
{
    return type->kind == TYPE_SET || type->kind == TYPE_MAP ||
           (type->kind == TYPE_LIST && element_has_forms(type->params[0]));
}

static const struct type *element_type(const struct type *type, uint32_t index)
{
    return type->params[type->kind == TYPE_MAP ? index & 1 : 0];
}

/* ---- elements ---- */

/* ::ffff:1.2.3.4 becomes an Inet4Address in Java, and so 4 bytes. */
static bool is_mapped_ipv4(struct bytes value)
{
    static const uint8_t prefix[12] = { [10] = 0xFF, [11] = 0xFF };

    return value.size == 16 && memcmp(value.data, prefix, sizeof(prefix)) == 0;
}

/* A vint may be written longer than it needs to be. */
static void append_duration(struct buffer *out, struct bytes value)
{
    int64_t part;

    for (int i = 0; i < 3 && vint_read_signed(&value, &part); i++)
        vint_append_signed(out, part);
}

static void append_collection(struct buffer *out, const struct type *type, struct bytes value);

static void append_vector(struct buffer *out, const struct type *type, struct bytes value);

/* As its Java type's serializer would write it. The result is never longer. */
static void append_element(struct buffer *out, const struct type *type, struct bytes value)
{
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: append_collection(out, type, value); return;
    case TYPE_VECTOR: append_vector(out, type, value); return;
    case TYPE_BOOLEAN:
        if (value.size)
            buffer_append_u8(out, value.data[0] != 0);
        return;
    case TYPE_VARINT: buffer_append_bytes(out, varint_trim(value)); return;
    case TYPE_DECIMAL:
        if (value.size >= 4) {
            buffer_append(out, value.data, 4);
            buffer_append_bytes(out, varint_trim(bytes_of(value.data + 4, value.size - 4)));
        }
        return;
    case TYPE_DURATION: append_duration(out, value); return;
    case TYPE_INET: buffer_append_bytes(out, is_mapped_ipv4(value) ? bytes_of(value.data + 12, 4) : value); return;
    default: buffer_append_bytes(out, value);
    }
}

/* An element's length is known only when it was written, so it goes through a buffer. */
static void append_vector(struct buffer *out, const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct buffer element = { 0 };
    struct bytes given;

    value_iterator_init(&iterator, type, value);
    while (value_iterator_next(&iterator, &given)) {
        buffer_reset(&element);
        append_element(&element, type->params[0], given);
        if (type_fixed_bytes(type->params[0]) == 0)
            vint_append(out, element.size);
        buffer_append_bytes(out, buffer_bytes(&element));
    }
    buffer_fini(&element);
}

/* ---- order: of the entries of sets and maps, by their keys ---- */
/* ---- order ---- */

static bool is_ascending(const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes key, before = { 0 }, rest;

    value_iterator_init(&iterator, type, value);
    while (value_iterator_next(&iterator, &key)) {
        if (!bytes_is_null(before) && value_compare(type->params[0], before, key) >= 0)
            return false;
        before = key;
        if (type->kind == TYPE_MAP)
            value_iterator_next(&iterator, &rest);
    }
    return true;
}

/* What qsort_r hands to the comparison. */
struct order {
    const struct type *key;
    const uint8_t *data;
};

/* What stands behind its length of 4 bytes. */
static struct bytes sized_at(const uint8_t *at)
{
    return bytes_of(at + 4, load_be32(at));
}

/* Places differ for different entries, so equal keys stay in the order in which they came: qsort
 * alone would not be stable. */
static int compare_places(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int result = value_compare(order->key, sized_at(order->data + x), sized_at(order->data + y));

    return result ? result : (x > y) - (x < y);
}

/* Of entries with equal keys the first gives the key and the last the value, as in a TreeMap that
 * they are put into. The count in front grows as entries are written, as nobody knows before how
 * many stay. */
static void append_sorted(struct buffer *out, const struct type *type, const uint8_t *data, const uint32_t *places,
                          uint32_t count)
{
    assert(out->size >= 4);
    for (uint32_t i = 0, last; i < count; i = last + 1) {
        struct bytes key = sized_at(data + places[i]);

        for (last = i; last + 1 < count; last++)
            if (value_compare(type->params[0], key, sized_at(data + places[last + 1])))
                break;
        buffer_append(out, data + places[i], 4 + key.size);
        if (type->kind == TYPE_MAP) {
            const uint8_t *value = data + places[last] + 4 + sized_at(data + places[last]).size;

            buffer_append(out, value, 4 + sized_at(value).size);
        }
        store_be32(out->data, load_be32(out->data) + 1);
    }
}

/* Brings the set or map that stands in `out` from `start` on into order. Entries are sorted by
 * their places, so that each is copied once. Places are 4 bytes for each of at least 4: what a
 * client sends doesn't grow by much. */
static void sort_entries(struct buffer *out, size_t start, const struct type *type)
{
    struct bytes value = bytes_of(out->data + start, out->size - start);
    uint32_t count = load_be32(value.data), at = 4;
    struct buffer sorted = { 0 };
    uint32_t *places;

    assert(value.size >= 4);
    if (is_ascending(type, value))
        return;
    places = xmalloc(count * sizeof(*places));
    for (uint32_t i = 0; i < count; i++) {
        places[i] = at;
        at += 4 + load_be32(value.data + at);
        if (type->kind == TYPE_MAP)
            at += 4 + load_be32(value.data + at);
    }
    assert(at == value.size);
    qsort_r(places, count, sizeof(*places), compare_places, &(struct order){ type->params[0], value.data });
    buffer_append_be32(&sorted, 0);
    append_sorted(&sorted, type, value.data, places, count);
    out->size = start;
    buffer_append_bytes(out, buffer_bytes(&sorted));
    buffer_fini(&sorted);
    free(places);
}

/* Elements first, then their order: keys that became equal by it are one. */
static void append_collection(struct buffer *out, const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes element;
    size_t start = out->size;

    if (value.size < 4) /* an empty value */
        return;
    buffer_append(out, value.data, 4);
    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++) {
        size_t at = out->size;

        /* The length is stored when it is known; until then it is that of null. */
        buffer_append_be32(out, UINT32_MAX);
        if (bytes_is_null(element)) /* of a list for IN */
            continue;
        append_element(out, element_type(type, i), element);
        store_be32(out->data + at, (uint32_t)(out->size - at - 4));
    }
    if (type->kind != TYPE_LIST)
        sort_entries(out, start, type);
}

void value_append_canonical(struct buffer *out, const struct type *type, struct bytes value)
{
    if (value_has_forms(type))
        append_collection(out, type, value);
    else
        buffer_append_bytes(out, value);
}

/* ---- asking first: without writing anything ---- */
/* ---- asking first ---- */

/* Stops at the first that is not. */
static bool element_is_canonical(const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes element;

    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return value_is_canonical(type, value);
    case TYPE_VECTOR:
        value_iterator_init(&iterator, type, value);
        while (value_iterator_next(&iterator, &element))
            if (!element_is_canonical(type->params[0], element))
                return false;
        return true;
    case TYPE_BOOLEAN: return value.size == 0 || value.data[0] <= 1;
    case TYPE_VARINT: return varint_trim(value).size == value.size;
    case TYPE_DECIMAL:
        return value.size < 4 || varint_trim(bytes_of(value.data + 4, value.size - 4)).size == value.size - 4;
    case TYPE_DURATION: {
        struct buffer again = { 0 };

        append_duration(&again, value);
        bool is_same = bytes_equal(buffer_bytes(&again), value);
        buffer_fini(&again);
        return is_same;
    }
    case TYPE_INET: return !is_mapped_ipv4(value);
    default: return true;
    }
}

/* The same as whether value_append_canonical would change it. */
bool value_is_canonical(const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes element;

    if (!value_has_forms(type))
        return true;
    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++)
        if (!element_is_canonical(element_type(type, i), element))
            return false;
    return type->kind == TYPE_LIST || is_ascending(type, value);
}
