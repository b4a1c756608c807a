/* The byte-comparable form of one value. CEP-25's ideas (org.apache.cassandra.utils.bytecomparable), made strictly
 * prefix-free so that components follow each other without knowing their neighbours.
 *
 *   component    3E                   null
 *              | 3F                   the empty value
 *              | 40 payload           anything else
 *
 *   payload      int bigint smallint tinyint timestamp counter
 *                                     big-endian, sign bit flipped
 *                date time            as they are (unsigned)
 *                boolean              00 | 01
 *                float double         big-endian; negative: all bits inverted, else sign bit flipped; one NaN,
 *                                     the last
 *                timeuuid             time, most significant first (8) | the other 8 bytes, each with its top bit
 *                                     flipped
 *                uuid                 version (4 bits) moved to the front, for version 1 then as timeuuid's
 *                                     time (8) | 8 bytes
 *                ascii text blob inet duration custom
 *                                     bytes, 00 written as 00 FF, then 00 00
 *                varint               length and sign | two's complement without idle sign bytes
 *                                     n <= 64: 80+n or, negative, 7F-n;  more: FF n(4) or, negative, 00 ~n(4)
 *                decimal              80 (zero) | C0 exponent digits 00 | 40 ~(exponent digits 00)
 *                                     of 0.D1D2D3... * 10^exponent; exponent: 80+e for -100..100, FF e(8) above,
 *                                     00 e(8, sign flipped) below; digits: two per byte, 1 + 10*Da + Db
 *                list set             component... 38
 *                map                  (component of key, of value)... 38
 *                tuple udt            component per field, null fields at the end left out, 38
 *                vector               component per element
 *                empty                never: it has only the empty value
 *
 * 38 sorts before every component, so what ends first sorts first. Descending: every byte of the component is
 * inverted, so a component starts with one of 3E 3F 40 BF C0 C1: smaller and larger bytes are free for bounds.
 *
 * Why prefix-free: fixed sizes; or a length in front (varint); or an end mark that cannot stand inside: 00 00, since
 * inside 00 is followed by FF; 00 after digits, which are 1..100; 38 where only components start.
 *
 * This is what clustering columns look like in the store's keys: the format is laid down on disk. types_test.c holds
 * it to value_compare, on extreme and random values, in both directions. */
#include "base/debug.h"
#include "types/number.h"
#include "types/value.h"
#include "types/vint.h"

#include <assert.h>

enum {
    END_OF_ELEMENTS = 0x38,
    NUMBER_ZERO = 0x80,
    NUMBER_POSITIVE = 0xC0,
    NUMBER_NEGATIVE = 0x40,
    VARINT_SHORT_MAX = 64
};

#define SIGN32            0x80000000u
#define SIGN64            0x8000000000000000ULL
#define SIGN_OF_EACH_BYTE 0x8080808080808080ULL

static void encode(struct buffer *out, const struct type *type, struct bytes value);

/* Encoding, ascending; a descending component is inverted when it is complete. */

/* From one zero to the next, as most values have none. 00 FF sorts behind 00 00, so what ends sorts
 * before what goes on. */
static void encode_escaped(struct buffer *out, struct bytes value)
{
    while (value.size) {
        const uint8_t *zero = memchr(value.data, 0, value.size);
        size_t run = zero ? (size_t)(zero - value.data) : value.size;

        buffer_append(out, value.data, run);
        if (!zero)
            break;
        buffer_append(out, "\x00\xFF", 2);
        value = bytes_of(zero + 1, value.size - run - 1);
    }
    buffer_append(out, "\x00\x00", 2);
}

/* All NaNs become one: they compare equal, so they must be one key. */
static inline uint32_t float_to_key(uint32_t bits)
{
    if ((bits & ~SIGN32) > 0x7F800000)
        bits = 0x7FC00000;
    return bits & SIGN32 ? ~bits : bits | SIGN32;
}

static inline uint64_t double_to_key(uint64_t bits)
{
    if ((bits & ~SIGN64) > 0x7FF0000000000000ULL)
        bits = 0x7FF8000000000000ULL;
    return bits & SIGN64 ? ~bits : bits | SIGN64;
}

/* time_low
 *
 * time_mid
 *
 * version, time_hi  ->  version, time_hi
 *
 * time_mid
 *
 * time_low: the time's highest bits first. */
static inline uint64_t time_to_key(uint64_t most)
{
    return most << 48 | (most << 16 & 0xFFFF00000000ULL) | most >> 32;
}

static inline uint64_t time_from_key(uint64_t key)
{
    return key << 32 | (key >> 16 & 0xFFFF0000ULL) | key >> 48;
}

/* The version goes to the front, because UUIDs sort by it first. */
static inline uint64_t uuid_to_key(uint64_t most)
{
    uint64_t version = most >> 12 & 15;

    if (version == 1)
        return time_to_key(most);
    return version << 60 | (most >> 4 & 0x0FFFFFFFFFFFF000ULL) | (most & 0xFFF);
}

/* The inverse: the version goes back to where it stood. */
static inline uint64_t uuid_from_key(uint64_t key)
{
    uint64_t version = key >> 60;

    if (version == 1)
        return time_from_key(key);
    return (key & 0x0FFFFFFFFFFFF000ULL) << 4 | version << 12 | (key & 0xFFF);
}

/* Numbers of more bytes are larger, or smaller if they are negative: so length and sign come first,
 * and the bytes, of one length then, sort as they are. */
static void encode_varint(struct buffer *out, struct bytes value)
{
    value = varint_trim(value);

    assert(value.size > 0);
    bool negative = value.data[0] & 0x80;
    uint32_t size = (uint32_t)value.size;
    if (size <= VARINT_SHORT_MAX) {
        buffer_append_u8(out, (uint8_t)(negative ? 0x7F - size : 0x80 + size));
    } else {
        buffer_append_u8(out, negative ? 0x00 : 0xFF);
        buffer_append_be32(out, negative ? ~size : size);
    }
    buffer_append_bytes(out, value);
}

/* By sign, then by the exponent of the first digit, then digit by digit. A negative number's
 * magnitude sorts the other way around, so its bytes are inverted. */
static void encode_decimal(struct buffer *out, struct bytes value)
{
    struct decimal_digits digits;

    decimal_digits_init(&digits, value);
    buffer_append_u8(out, digits.count == 0 ? NUMBER_ZERO : digits.negative ? NUMBER_NEGATIVE : NUMBER_POSITIVE);
    size_t start = out->size;
    if (digits.count) {
        if (digits.exponent >= -100 && digits.exponent <= 100) {
            buffer_append_u8(out, (uint8_t)(0x80 + digits.exponent));
        } else {
            buffer_append_u8(out, digits.exponent < 0 ? 0x00 : 0xFF);
            buffer_append_be64(out, (uint64_t)digits.exponent ^ SIGN64);
        }
        /* Two digits make one byte, 1 to 100: 0 is left for the end. */
        uint8_t *at = buffer_extend(out, (digits.count + 1) / 2 + 1);
        for (size_t i = 0; i < digits.count; i += 2)
            *at++ =
                (uint8_t)(1 + 10 * (digits.digits[i] - '0') + (i + 1 < digits.count ? digits.digits[i + 1] - '0' : 0));
        *at = 0;
    }
    if (digits.negative)
        for (size_t i = start; i < out->size; i++)
            out->data[i] = ~out->data[i];
    decimal_digits_fini(&digits);
}

/* Components one after another: each knows where it ends. A vector's number of elements is its
 * type's, so it needs no end mark. */
static void encode_elements(struct buffer *out, const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes element;

    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++)
        encode(out, type->params[type->kind == TYPE_MAP ? i & 1 : 0], element);
    if (type->kind != TYPE_VECTOR)
        buffer_append_u8(out, END_OF_ELEMENTS);
}

/* Nulls at the end are left out, as a tuple that was written short equals one with nulls there. */
static void encode_fields(struct buffer *out, const struct type *type, struct bytes value)
{
    struct value_iterator iterator;
    struct bytes field;
    uint32_t nulls = 0; /* met, and written only when a value follows them */

    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; value_iterator_next(&iterator, &field); i++) {
        if (bytes_is_null(field)) {
            nulls++;
            continue;
        }
        memset(buffer_extend(out, nulls), VALUE_KEY_NULL, nulls);
        nulls = 0;
        encode(out, type->params[i], field);
    }
    buffer_append_u8(out, END_OF_ELEMENTS);
}

/* The value was validated: the sizes that are read here are its type's. Sizes are asserted for
 * those that are read in one go. 17 bytes take the mark and any fixed payload. */
static void encode(struct buffer *out, const struct type *type, struct bytes value)
{
    uint8_t *at;

    if (value.size == 0) {
        buffer_append_u8(out, bytes_is_null(value) ? VALUE_KEY_NULL : VALUE_KEY_EMPTY);
        return;
    }
    debug_assert(!type_fixed_bytes(type) || type->kind == TYPE_VECTOR || value.size == type_fixed_bytes(type));
    at = buffer_reserve(out, 17);
    *at++ = VALUE_KEY_VALUE;
    out->size++;
    switch (type->kind) {
    case TYPE_INT:
        store_be32(at, load_be32(value.data) ^ SIGN32);
        out->size += 4;
        return;
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_TIMESTAMP:
        store_be64(at, load_be64(value.data) ^ SIGN64);
        out->size += 8;
        return;
    case TYPE_SMALLINT:
        store_be16(at, load_be16(value.data) ^ 0x8000);
        out->size += 2;
        return;
    case TYPE_TINYINT:
        *at = value.data[0] ^ 0x80;
        out->size++;
        return;
    case TYPE_BOOLEAN:
        *at = value.data[0] != 0;
        out->size++;
        return;
    case TYPE_DATE:
        memcpy(at, value.data, 4);
        out->size += 4;
        return;
    case TYPE_TIME:
        memcpy(at, value.data, 8);
        out->size += 8;
        return;
    case TYPE_FLOAT:
        store_be32(at, float_to_key(load_be32(value.data)));
        out->size += 4;
        return;
    case TYPE_DOUBLE:
        store_be64(at, double_to_key(load_be64(value.data)));
        out->size += 8;
        return;
    case TYPE_UUID:
        store_be64(at, uuid_to_key(load_be64(value.data)));
        memcpy(at + 8, value.data + 8, 8);
        out->size += 16;
        return;
    case TYPE_TIMEUUID:
        store_be64(at, time_to_key(load_be64(value.data)));
        store_be64(at + 8, load_be64(value.data + 8) ^ SIGN_OF_EACH_BYTE);
        out->size += 16;
        return;
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_BLOB:
    case TYPE_INET:
    case TYPE_DURATION:
    case TYPE_CUSTOM:
    case TYPE_EMPTY: encode_escaped(out, value); return;
    case TYPE_VARINT: encode_varint(out, value); return;
    case TYPE_DECIMAL: encode_decimal(out, value); return;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR: encode_elements(out, type, value); return;
    case TYPE_TUPLE:
    case TYPE_UDT: encode_fields(out, type, value); return;
    }
}

/* Appends one component. Inverting every byte turns the order around, and keeps it prefix-free. */
void value_encode_key(struct buffer *out, const struct type *type, struct bytes value, bool descending)
{
    size_t start = out->size;

    assert(type->kind != TYPE_EMPTY || value.size == 0);
    encode(out, type, value);
    if (descending)
        for (size_t i = start; i < out->size; i++)
            out->data[i] = ~out->data[i];
}

/* Decoding. `mask` is FF where the bytes are inverted, else 00. Bytes come from the disk: each is
 * looked at before it is believed, and nothing here is asserted of them. */
struct reader {
    struct bytes in;
    uint8_t mask;
    struct error *err;
};

static enum status decode(struct reader *reader, const struct type *type, struct buffer *out, bool *is_null);

/* One message: what is wrong with it matters to nobody but a programmer, and keys are never shown. */
static enum status corrupt(struct reader *reader)
{
    return error_set(reader->err, ERR_CORRUPT, "a key component that cannot be decoded");
}

/* Copies size bytes, straightened, onto `out`. False: there are not as many. */
static bool take(struct reader *reader, struct buffer *out, size_t size)
{
    if (reader->in.size < size)
        return false;
    uint8_t *at = buffer_extend(out, size);
    for (size_t i = 0; i < size; i++)
        at[i] = reader->in.data[i] ^ reader->mask;
    reader->in = bytes_of(reader->in.data + size, reader->in.size - size);
    return true;
}

static bool take_u8(struct reader *reader, uint8_t *result)
{
    if (reader->in.size == 0)
        return false;
    *result = reader->in.data[0] ^ reader->mask;
    reader->in = bytes_of(reader->in.data + 1, reader->in.size - 1);
    return true;
}

static bool take_be64(struct reader *reader, uint64_t *result)
{
    if (reader->in.size < 8)
        return false;
    *result = load_be64(reader->in.data) ^ (reader->mask ? UINT64_MAX : 0);
    reader->in = bytes_of(reader->in.data + 8, reader->in.size - 8);
    return true;
}

static bool take_be32(struct reader *reader, uint32_t *result)
{
    if (reader->in.size < 4)
        return false;
    *result = load_be32(reader->in.data) ^ (reader->mask ? UINT32_MAX : 0);
    reader->in = bytes_of(reader->in.data + 4, reader->in.size - 4);
    return true;
}

/* A zero is followed by FF where it belongs to the value, and by another zero at the end. In an
 * inverted component both are turned around, which `mask` is searched for. */
static enum status decode_escaped(struct reader *reader, struct buffer *out)
{
    for (;;) {
        const uint8_t *zero = reader->in.size ? memchr(reader->in.data, reader->mask, reader->in.size) : NULL;
        uint8_t next;

        if (!zero)
            return corrupt(reader);
        take(reader, out, (size_t)(zero - reader->in.data) + 1);
        if (!take_u8(reader, &next))
            return corrupt(reader);
        if (next == 0x00) {
            out->size--;
            return OK;
        }
        if (next != 0xFF)
            return corrupt(reader);
    }
}

/* Beyond 64 bytes the length has a field of its own; a length of 0 is no number. */
static enum status decode_varint(struct reader *reader, struct buffer *out)
{
    uint8_t head;
    uint32_t size;

    if (!take_u8(reader, &head))
        return corrupt(reader);
    if (head == 0x00 || head == 0xFF) {
        if (!take_be32(reader, &size))
            return corrupt(reader);
        if (head == 0x00)
            size = ~size;
    } else {
        size = head >= 0x80 ? head - 0x80u : 0x7Fu - head;
        if (size > VARINT_SHORT_MAX)
            return corrupt(reader);
    }
    if (size == 0 || !take(reader, out, size))
        return corrupt(reader);
    return OK;
}

/* A long exponent that would have fitted the short form is none of ours: two forms of one key would
 * be two keys. */
static bool take_exponent(struct reader *reader, int64_t *exponent)
{
    uint8_t head;
    uint64_t wide;

    if (!take_u8(reader, &head))
        return false;
    if (head != 0x00 && head != 0xFF) {
        *exponent = (int)head - 0x80;
        return *exponent >= -100 && *exponent <= 100;
    }
    if (!take_be64(reader, &wide))
        return false;
    *exponent = (int64_t)(wide ^ SIGN64);
    return head == 0x00 ? *exponent < -100 : *exponent > 100;
}

/* Digits come back as text, and from that the value's canonical bytes. Zeros are limited, so that a
 * damaged key cannot ask for a billion of them. */
static enum status decode_decimal(struct reader *reader, struct buffer *out)
{
    enum { ZEROS_MAX = 1 << 20 };
    struct decimal_digits digits = { 0 };
    struct buffer text = { 0 };
    uint8_t sign, pair = 0;
    uint8_t mask = reader->mask;
    bool ok = true;

    if (!take_u8(reader, &sign) || (sign != NUMBER_ZERO && sign != NUMBER_POSITIVE && sign != NUMBER_NEGATIVE))
        return corrupt(reader);
    if (sign != NUMBER_ZERO) {
        digits.negative = sign == NUMBER_NEGATIVE;
        if (digits.negative)
            reader->mask = ~reader->mask;
        ok = take_exponent(reader, &digits.exponent);
        while (ok && (ok = take_u8(reader, &pair)) && pair != 0) {
            ok = pair <= 100;
            buffer_append_u8(&text, (uint8_t)('0' + (pair - 1) / 10));
            buffer_append_u8(&text, (uint8_t)('0' + (pair - 1) % 10));
        }
        reader->mask = mask;
        while (text.size && text.data[text.size - 1] == '0')
            text.size--;
        /* What can be written with a scale of 32 bits. */
        int64_t exponent_max = (int64_t)text.size - INT32_MIN + ZEROS_MAX;
        int64_t exponent_min = (int64_t)text.size - INT32_MAX;
        ok = ok && text.size && digits.exponent >= exponent_min && digits.exponent <= exponent_max;
    }
    if (ok) {
        digits.digits = (char *)text.data;
        digits.count = text.size;
        decimal_append_digits(out, &digits);
    }
    buffer_fini(&text);
    return ok ? OK : corrupt(reader);
}

/* Decodes one element behind its length; a null one has length -1. The length is stored when it is
 * known. */
static enum status decode_sized(struct reader *reader, const struct type *type, struct buffer *out)
{
    size_t start = out->size;
    bool is_null;

    buffer_append_be32(out, 0);
    enum status status = decode(reader, type, out, &is_null);
    if (status)
        return status;
    store_be32(out->data + start, is_null ? UINT32_MAX : (uint32_t)(out->size - start - 4));
    return OK;
}

/* Only where a component could begin. */
static bool at_end_of_elements(struct reader *reader)
{
    if (reader->in.size == 0 || (reader->in.data[0] ^ reader->mask) != END_OF_ELEMENTS)
        return false;
    reader->in = bytes_of(reader->in.data + 1, reader->in.size - 1);
    return true;
}

/* The count is stored at the end. A map with a key and no value is damaged. */
static enum status decode_collection(struct reader *reader, const struct type *type, struct buffer *out)
{
    size_t start = out->size;
    uint32_t count = 0;

    buffer_append_be32(out, 0);
    for (; !at_end_of_elements(reader); count++) {
        enum status status = decode_sized(reader, type->params[type->kind == TYPE_MAP ? count & 1 : 0], out);
        if (status)
            return status;
    }
    if (type->kind == TYPE_MAP && (count & 1))
        return corrupt(reader);
    store_be32(out->data + start, type->kind == TYPE_MAP ? count / 2 : count);
    return OK;
}

/* All fields are written, those that were left out as null. */
static enum status decode_fields(struct reader *reader, const struct type *type, struct buffer *out)
{
    bool ended = false;

    for (uint32_t i = 0; i < type->param_count; i++) {
        ended = ended || at_end_of_elements(reader);
        if (ended) {
            buffer_append_be32(out, UINT32_MAX);
            continue;
        }
        enum status status = decode_sized(reader, type->params[i], out);
        if (status)
            return status;
    }
    return ended || at_end_of_elements(reader) ? OK : corrupt(reader);
}

/* Elements of a fixed size have no length, so their size is checked against the type's. */
static enum status decode_vector(struct reader *reader, const struct type *type, struct buffer *out)
{
    const struct type *element = type->params[0];
    bool has_sizes = type_fixed_bytes(element) == 0;
    struct buffer one = { 0 };
    enum status status = OK;
    bool is_null;

    for (uint32_t i = 0; i < type->dimension && !status; i++) {
        buffer_reset(&one);
        status = decode(reader, element, &one, &is_null);
        if (status)
            break;
        if (is_null || (!has_sizes && one.size != type_fixed_bytes(element))) {
            status = corrupt(reader);
            break;
        }
        if (has_sizes)
            vint_append(out, one.size);
        buffer_append_bytes(out, buffer_bytes(&one));
    }
    buffer_fini(&one);
    return status;
}

/* One case for each type, the inverse of encode. */
static enum status decode(struct reader *reader, const struct type *type, struct buffer *out, bool *is_null)
{
    uint8_t mark;
    uint64_t wide, wide2;
    uint32_t narrow;

    if (!take_u8(reader, &mark))
        return corrupt(reader);
    *is_null = mark == VALUE_KEY_NULL;
    if (mark == VALUE_KEY_NULL || mark == VALUE_KEY_EMPTY)
        return OK;
    if (mark != VALUE_KEY_VALUE)
        return corrupt(reader);

    switch (type->kind) {
    case TYPE_INT:
        if (!take_be32(reader, &narrow))
            return corrupt(reader);
        buffer_append_be32(out, narrow ^ SIGN32);
        return OK;
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_TIMESTAMP:
        if (!take_be64(reader, &wide))
            return corrupt(reader);
        buffer_append_be64(out, wide ^ SIGN64);
        return OK;
    case TYPE_SMALLINT:
    case TYPE_TINYINT:
        if (!take(reader, out, type->kind == TYPE_SMALLINT ? 2 : 1))
            return corrupt(reader);
        out->data[out->size - (type->kind == TYPE_SMALLINT ? 2 : 1)] ^= 0x80;
        return OK;
    case TYPE_BOOLEAN:
        if (!take(reader, out, 1) || out->data[out->size - 1] > 1)
            return corrupt(reader);
        return OK;
    case TYPE_DATE: return take(reader, out, 4) ? OK : corrupt(reader);
    case TYPE_TIME: return take(reader, out, 8) ? OK : corrupt(reader);
    case TYPE_FLOAT:
        if (!take_be32(reader, &narrow))
            return corrupt(reader);
        buffer_append_be32(out, narrow & SIGN32 ? narrow ^ SIGN32 : ~narrow);
        return OK;
    case TYPE_DOUBLE:
        if (!take_be64(reader, &wide))
            return corrupt(reader);
        buffer_append_be64(out, wide & SIGN64 ? wide ^ SIGN64 : ~wide);
        return OK;
    case TYPE_UUID:
        if (!take_be64(reader, &wide) || !take_be64(reader, &wide2))
            return corrupt(reader);
        buffer_append_be64(out, uuid_from_key(wide));
        buffer_append_be64(out, wide2);
        return OK;
    case TYPE_TIMEUUID:
        if (!take_be64(reader, &wide) || !take_be64(reader, &wide2))
            return corrupt(reader);
        buffer_append_be64(out, time_from_key(wide));
        buffer_append_be64(out, wide2 ^ SIGN_OF_EACH_BYTE);
        return OK;
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_BLOB:
    case TYPE_INET:
    case TYPE_DURATION:
    case TYPE_CUSTOM:
    case TYPE_EMPTY: return decode_escaped(reader, out);
    case TYPE_VARINT: return decode_varint(reader, out);
    case TYPE_DECIMAL: return decode_decimal(reader, out);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return decode_collection(reader, type, out);
    case TYPE_VECTOR: return decode_vector(reader, type, out);
    case TYPE_TUPLE:
    case TYPE_UDT: return decode_fields(reader, type, out);
    }
    return corrupt(reader);
}

/* *in advances over the component; nothing stays in `out` after a failure. */
enum status value_decode_key(struct bytes *in, const struct type *type, bool descending, struct buffer *out,
                             struct error *err)
{
    struct reader reader = { .in = *in, .mask = descending ? 0xFF : 0x00, .err = err };
    size_t start = out->size;
    bool is_null;
    enum status status = decode(&reader, type, out, &is_null);

    if (status) {
        out->size = start;
        return status;
    }
    *in = reader.in;
    return OK;
}

/* Can the value's own bytes be had back from its key? If not, the row stores them beside it. */
bool value_key_is_injective(const struct type *type)
{
    if (type->kind == TYPE_VARINT || type->kind == TYPE_DECIMAL)
        return false;
    /* Fields left out at the end compare as null ones. */
    if (type->kind == TYPE_TUPLE || type->kind == TYPE_UDT)
        return false;
    for (uint32_t i = 0; i < type->param_count; i++)
        if (!value_key_is_injective(type->params[i]))
            return false;
    return true;
}
