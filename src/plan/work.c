/* How much it takes to compute with a value; see work.h. The figures are measured, and rounded up: a text of 145000 digits is written in
 * 12 ms, which is 200 ns for each of its 60000 bytes, one of 40 digits in less than 10 ns for each; a power of ten of 20000 digits takes
 * 20 us, and a quotient several of them. */
#include "plan/work.h"

#include <assert.h>

enum {
    NUMBER_BYTES_MORE = 64, /* for so many bytes of a number each takes a unit more ... */
    NUMBER_BYTE_MAX = 200,  /* ... up to so many */
    PLACES_MAX = 20000,     /* powers of ten that decimals are shifted by (number.c) */
    PLACES_MORE = 1000,
    ENTRY_BYTE = 4, /* of a collection, whose elements are looked at one by one */
};

/* The scale may be as large as 2^31: what would be shifted further is refused, or comes out at once. */
uint64_t work_of_number(size_t bytes, int64_t scale)
{
    uint64_t each = 1 + bytes / NUMBER_BYTES_MORE, places = (uint64_t)(scale < 0 ? -scale : scale);

    if (places > PLACES_MAX)
        places = PLACES_MAX;
    if (each > NUMBER_BYTE_MAX)
        each = NUMBER_BYTE_MAX;
    assert(each && places <= PLACES_MAX);
    return bytes * each + places * (1 + places / PLACES_MORE);
}

static bool has_numbers_of_any_length(const struct type *type)
{
    if (type->kind == TYPE_VARINT || type->kind == TYPE_DECIMAL)
        return true;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (has_numbers_of_any_length(type->params[i]))
            return true;
    return false;
}

uint64_t work_of_value(const struct type *type, struct bytes value)
{
    if (bytes_is_null(value))
        return 0;
    switch (type->kind) {
    case TYPE_VARINT: return work_of_number(value.size, 0);
    case TYPE_DECIMAL: return work_of_number(value.size, value.size >= 4 ? (int32_t)load_be32(value.data) : 0);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_UDT:
    case TYPE_VECTOR: /* as if all of it were one number */
        return has_numbers_of_any_length(type) ? ENTRY_BYTE * value.size + work_of_number(value.size, 0)
                                               : ENTRY_BYTE * value.size;
    default: return value.size;
    }
}
