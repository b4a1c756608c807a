/* The first bytes choose a type, the rest is a value of it, a key of it and its JSON: nothing crashes, what is valid
 * comes back the same from its key and, as JSON, reads again; its canonical form is one. */
#include "types/json.h"
#include "types/value.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t take(struct bytes *in)
{
    if (in->size == 0)
        return 0;
    uint8_t byte = in->data[0];
    *in = bytes_of(in->data + 1, in->size - 1);
    return byte;
}

static const struct type *take_type(struct arena *arena, struct bytes *in, int depth)
{
    uint8_t byte = take(in);
    enum type_kind kind = byte % (TYPE_VECTOR + 1);
    const struct type *fields[3];
    static const struct bytes names[] = { { (const uint8_t *)"a", 1 },
                                          { (const uint8_t *)"B", 1 },
                                          { (const uint8_t *)"c d", 3 } };

    if (kind == TYPE_CUSTOM || (kind > TYPE_EMPTY && depth == 4))
        return type_native(TYPE_BLOB);
    if (kind <= TYPE_EMPTY)
        return type_native(kind);
    uint32_t count = 1 + byte % 3;
    fields[0] = take_type(arena, in, depth + 1);
    if (kind == TYPE_LIST)
        return type_list(arena, fields[0], true);
    if (kind == TYPE_SET)
        return type_set(arena, fields[0], true);
    if (kind == TYPE_VECTOR)
        return type_vector(arena, fields[0], count);
    fields[1] = take_type(arena, in, depth + 1);
    if (kind == TYPE_MAP)
        return type_map(arena, fields[0], fields[1], true);
    fields[2] = take_type(arena, in, depth + 1);
    if (kind == TYPE_TUPLE)
        return type_tuple(arena, fields, count);
    return type_udt(arena, BYTES_LITERAL("ks"), BYTES_LITERAL("t"), names, fields, count, true);
}

static void check_value(const struct type *type, struct bytes value, struct buffer *out, struct error *err)
{
    struct buffer key = { 0 }, back = { 0 };

    value_print(out, type, value);
    buffer_reset(out);
    value_print_json(out, type, value);
    struct bytes json;
    assert(json_check(buffer_bytes(out), &json, err) == OK);
    assert(value_compare(type, value, value) == 0);
    buffer_reset(&key);
    value_append_canonical(&key, type, value);
    assert(value_validate(type, buffer_bytes(&key), err) == OK && value_is_canonical(type, buffer_bytes(&key)));
    assert(key.size <= value.size && value_is_canonical(type, value) == bytes_equal(value, buffer_bytes(&key)));
    for (int descending = 0; descending < 2; descending++) {
        buffer_reset(&key);
        buffer_reset(&back);
        buffer_reserve(&back, 1);
        value_encode_key(&key, type, value, descending);
        struct bytes in = buffer_bytes(&key);
        enum status status = value_decode_key(&in, type, descending, &back, err);
        assert(status == OK && in.size == 0);
        assert(value_validate(type, buffer_bytes(&back), err) == OK);
        assert(value_compare(type, value, buffer_bytes(&back)) == 0);
    }
    buffer_fini(&key);
    buffer_fini(&back);
}

/* Any two valid values: comparing is antisymmetric and agrees with their keys. */
static void check_pair(const struct type *type, struct bytes a, struct bytes b)
{
    struct buffer key_a = { 0 }, key_b = { 0 };
    int order = value_compare(type, a, b);

    assert((order < 0) == (value_compare(type, b, a) > 0));
    value_encode_key(&key_a, type, a, false);
    value_encode_key(&key_b, type, b, false);
    int keys = bytes_compare(buffer_bytes(&key_a), buffer_bytes(&key_b));
    assert((order < 0) == (keys < 0) && (order > 0) == (keys > 0));
    buffer_fini(&key_a);
    buffer_fini(&key_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(1024);
    struct buffer out = { 0 };
    struct error err;
    struct bytes in = bytes_of(data, size);
    const struct type *type = take_type(arena, &in, 0), *parsed;
    size_t half = in.size ? take(&in) % (in.size + 1) : 0;
    struct bytes a = bytes_of(in.data, half), b = bytes_of(in.data + half, in.size - half), whole = in;

    bool valid_a = value_validate(type, a, &err) == OK, valid_b = value_validate(type, b, &err) == OK;
    if (valid_a)
        check_value(type, a, &out, &err);
    if (valid_b)
        check_value(type, b, &out, &err);
    if (valid_a && valid_b)
        check_pair(type, a, b);
    if (value_validate(type, whole, &err) == OK)
        check_value(type, whole, &out, &err);

    buffer_reset(&out);
    whole = in;
    if (value_decode_key(&whole, type, false, &out, &err) == OK && value_validate(type, buffer_bytes(&out), &err) == OK)
        check_value(type, arena_copy(arena, buffer_bytes(&out)), &out, &err);
    buffer_reset(&out);
    if (value_parse_json(type, in, &out, &err) == OK)
        assert(value_validate(type, buffer_bytes(&out), &err) == OK || type->kind == TYPE_DURATION ||
               type->param_count || !out.size);
    buffer_reset(&out);
    if (type->kind <= TYPE_EMPTY)
        (void)value_parse(type, LITERAL_STRING, in, &out, &err);
    (void)type_parse(arena, in, NULL, &parsed, &err);
    buffer_fini(&out);
    return 0;
}
