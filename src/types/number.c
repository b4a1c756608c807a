/* Numbers of any size: varint, decimal, and how Java prints and reads floating point.
 *
 * Nearly all numbers are small: up to 128 bits are handled in a register pair, and GMP is asked
 * only beyond that. Its memory is bounded by what a client may send (NUMBER_DIGITS_MAX digits,
 * VALUE_BYTES_MAX bytes). Bytes and texts are those of java.math.BigInteger and BigDecimal, Double
 * and Float; the shortest digits of a floating point number are Java's from version 19 on, where
 * earlier ones had a bug (JDK-4511638). */
#include "types/number.h"

#include <assert.h>
#include <ctype.h>
#include <gmp.h>
#include <math.h>
#include <stdio.h>

/* varint */

/* A byte that only repeats the sign of the next one says nothing. Java never writes it, but clients
 * may send it, and it compares equal. */
struct bytes varint_trim(struct bytes value)
{
    while (value.size > 1 &&
           ((value.data[0] == 0 && !(value.data[1] & 0x80)) || (value.data[0] == 0xFF && (value.data[1] & 0x80)))) {
        value.data++;
        value.size--;
    }
    return value;
}

/* By sign, then by length, then byte by byte: two's complement of one length and sign compares like
 * unsigned bytes. The empty value comes first. */
int varint_compare(struct bytes a, struct bytes b)
{
    if (a.size == 0 || b.size == 0)
        return (a.size != 0) - (b.size != 0);
    a = varint_trim(a);
    b = varint_trim(b);

    assert(a.size > 0 && b.size > 0);
    bool negative = a.data[0] & 0x80;
    if (negative != !!(b.data[0] & 0x80))
        return negative ? -1 : 1;
    if (a.size != b.size)
        return (a.size > b.size) == negative ? -1 : 1;
    return memcmp(a.data, b.data, a.size);
}

/* The value's number as GMP holds it; its bytes are read as unsigned, so for a negative one 2^bits
 * is too much and is taken off. n is then the magnitude; returns whether it is negative. */
static bool load_mpz(mpz_t n, struct bytes value)
{
    bool negative = value.size && (value.data[0] & 0x80);

    mpz_init(n);
    mpz_import(n, value.size, 1, 1, 1, 0, value.data);
    if (negative) {
        mpz_t power;

        mpz_init(power);
        mpz_setbit(power, value.size * 8);
        mpz_sub(n, power, n);
        mpz_clear(power);
    }
    return negative;
}

/* Appends n (with its sign) as the shortest two's complement, which is what BigInteger.toByteArray
 * gives. n is used up. */
static void append_mpz(struct buffer *out, mpz_t n)
{
    if (mpz_sgn(n) == 0) {
        buffer_append_u8(out, 0);
        return;
    }
    bool negative = mpz_sgn(n) < 0;
    if (negative)
        mpz_add_ui(n, n, 1); /* -n-1 = ~n: its bits, inverted below, are the two's complement */
    size_t size = mpz_sgn(n) == 0 ? 1 : mpz_sizeinbase(n, 2) / 8 + 1;
    uint8_t *at = buffer_extend(out, size);
    size_t used = mpz_sgn(n) == 0 ? 0 : (mpz_sizeinbase(n, 2) + 7) / 8;

    memset(at, 0, size);
    if (used)
        mpz_export(at + size - used, NULL, 1, 1, 1, 0, n);
    if (negative)
        for (size_t i = 0; i < size; i++)
            at[i] = ~at[i];
}

/* False: more than 128 bits. Sign bytes in front are trimmed before, so a small number is never
 * refused for idle ones. */
static bool load_small(struct bytes value, __int128 *result)
{
    if (value.size > 16)
        return false;
    __int128 v = value.size && (value.data[0] & 0x80) ? -1 : 0;
    for (size_t i = 0; i < value.size; i++)
        v = (__int128)((unsigned __int128)v << 8 | value.data[i]);
    *result = v;
    return true;
}

/* Writes the magnitude's digits right-aligned into the 40 bytes at `to`; returns where they start.
 * 2^128 has 39 digits. */
static char *write_small(char *to, __int128 v)
{
    unsigned __int128 magnitude = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    char *at = to + 40;

    do {
        *--at = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude);
    assert(at >= to);
    return at;
}

/* The digits of the magnitude, at least one: in `small` (48 bytes) or on the heap if *heap is then
 * set. The empty value is 0. */
static char *magnitude_digits(struct bytes value, char *small, bool *negative, size_t *count, bool *heap)
{
    __int128 v;

    value = varint_trim(value);
    if (load_small(value, &v)) {
        char *at = write_small(small, v);

        *negative = v < 0;
        *count = (size_t)(small + 40 - at);
        *heap = false;
        return at;
    }
    mpz_t n;
    *negative = load_mpz(n, value);
    char *digits = xmalloc(mpz_sizeinbase(n, 10) + 2);
    mpz_get_str(digits, 10, n);
    mpz_clear(n);
    *count = strlen(digits);
    *heap = true;
    return digits;
}

/* BigInteger.toString. */
void varint_print(struct buffer *out, struct bytes value)
{
    char small[48];
    bool negative, heap;
    size_t count;
    char *digits = magnitude_digits(value, small, &negative, &count, &heap);

    if (negative)
        buffer_append_u8(out, '-');
    buffer_append(out, digits, count);
    if (heap)
        free(digits);
}

static bool all_digits(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0;
}

/* Takes a sign off the front; true if it was a minus. */
static bool take_sign(struct bytes *text)
{
    if (text->size == 0 || (text->data[0] != '-' && text->data[0] != '+'))
        return false;
    bool negative = text->data[0] == '-';
    text->data++;
    text->size--;
    return negative;
}

/* Digits (checked) into two's complement. 18 of them fit 64 bits. */
static void append_digits(struct buffer *out, const char *digits, size_t count, bool negative)
{
    assert(count > 0);
    if (count <= 18) {
        int64_t v = 0;
        uint8_t wide[8];

        for (size_t i = 0; i < count; i++)
            v = v * 10 + (digits[i] - '0');
        store_be64(wide, (uint64_t)(negative ? -v : v));
        buffer_append_bytes(out, varint_trim(bytes_of(wide, 8)));
        return;
    }
    char *string = xstrndup(digits, count);
    mpz_t n;
    mpz_init_set_str(n, string, 10);
    free(string);
    if (negative)
        mpz_neg(n, n);
    append_mpz(out, n);
    mpz_clear(n);
}

/* As new BigInteger(text): a sign and digits, nothing else. Limited, because converting a million
 * digits takes as long as thousands of requests. */
bool varint_parse(struct buffer *out, struct bytes text)
{
    bool negative = take_sign(&text);

    if (!all_digits(text) || text.size > NUMBER_DIGITS_MAX)
        return false;
    append_digits(out, (const char *)text.data, text.size, negative);
    return true;
}

/* In 128 bits, and stopped as soon as it is too large: a text may have any number of digits. */
bool integer_parse(struct bytes text, int64_t min, int64_t max, int64_t *result)
{
    bool negative = take_sign(&text);
    __int128 v = 0;

    if (!all_digits(text))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        v = v * 10 + (text.data[i] - '0');
        if (v > (__int128)INT64_MAX + 1)
            return false;
    }
    if (negative)
        v = -v;
    if (v < min || v > max)
        return false;
    *result = (int64_t)v;
    return true;
}

/* decimal */

/* BigDecimal's bytes: a scale of 4, then the unscaled number. What is too short to have them is 0. */
static int32_t decimal_scale(struct bytes value)
{
    return value.size >= 4 ? (int32_t)load_be32(value.data) : 0;
}

static struct bytes decimal_unscaled(struct bytes value)
{
    return value.size > 4 ? bytes_of(value.data + 4, value.size - 4) : BYTES_LITERAL("\0");
}

/* One form for numbers that are equal: 1.0 and 1.00 have the same digits. Zeros at the end go;
 * there are none in front, as BigInteger has none. So decimals can be compared, and become keys,
 * without scaling one to the other, which could take a billion digits. */
void decimal_digits_init(struct decimal_digits *digits, struct bytes decimal)
{
    bool heap;
    size_t count;
    char *at = magnitude_digits(decimal_unscaled(decimal), digits->small, &digits->negative, &count, &heap);

    assert(count > 0);
    digits->exponent = (int64_t)count - decimal_scale(decimal);
    /* A number's own zeros at its end: 100 is 1 * 10^2. */
    while (count && at[count - 1] == '0')
        count--;
    if (heap) {
        digits->digits = at;
    } else {
        memmove(digits->small, at, count);
        digits->digits = digits->small;
    }
    digits->count = count; /* the first digit is not zero unless all is */
}

void decimal_digits_fini(struct decimal_digits *digits)
{
    if (digits->digits != digits->small)
        free(digits->digits);
}

/* The smallest scale that writes all digits. A key that was decoded comes back so: equal to what
 * was written, not always in its form. */
void decimal_append_digits(struct buffer *out, const struct decimal_digits *digits)
{
    int64_t scale = digits->count ? (int64_t)digits->count - digits->exponent : 0;

    /* Trailing zeros were taken off the digits; where that drives the scale past its range, they
     * come back, no more than the number had. */
    if (scale < INT32_MIN) {
        size_t zeros = (size_t)(INT32_MIN - scale);
        char *padded = xmalloc(digits->count + zeros);

        memcpy(padded, digits->digits, digits->count);
        memset(padded + digits->count, '0', zeros);
        buffer_append_be32(out, (uint32_t)INT32_MIN);
        append_digits(out, padded, digits->count + zeros, digits->negative);
        free(padded);
        return;
    }
    assert(scale <= INT32_MAX);
    buffer_append_be32(out, (uint32_t)(int32_t)scale);
    append_digits(out, digits->count ? digits->digits : "0", digits->count ? digits->count : 1, digits->negative);
}

/* By sign, by the exponent of the first digit, and then digit by digit: no power of ten is ever
 * computed. 1E+2147483647 and 1 compare at once. Decimals of one scale, which those of a column mostly are, are compared without any
 * digits: of a number of 60 KB it takes 12 ms to make them. */
int decimal_compare(struct bytes a, struct bytes b)
{
    struct decimal_digits of_a, of_b;
    int order;

    if (decimal_scale(a) == decimal_scale(b))
        return varint_compare(decimal_unscaled(a), decimal_unscaled(b));
    decimal_digits_init(&of_a, a);
    decimal_digits_init(&of_b, b);
    int sign_a = of_a.count == 0 ? 0 : of_a.negative ? -1 : 1;
    int sign_b = of_b.count == 0 ? 0 : of_b.negative ? -1 : 1;
    if (sign_a != sign_b)
        order = sign_a - sign_b;
    else if (sign_a == 0)
        order = 0;
    else if (of_a.exponent != of_b.exponent)
        order = of_a.exponent < of_b.exponent ? -sign_a : sign_a;
    else
        /* Digits compare like text: both begin at the same power of ten. */
        order = sign_a * bytes_compare(bytes_of(of_a.digits, of_a.count), bytes_of(of_b.digits, of_b.count));
    decimal_digits_fini(&of_a);
    decimal_digits_fini(&of_b);
    return order;
}

static void append_zeros(struct buffer *out, int64_t count)
{
    if (count > 0)
        memset(buffer_extend(out, (size_t)count), '0', (size_t)count);
}

/* BigDecimal.toString: without an exponent while the scale is not negative and the first digit
 * stands no further than six places behind the point. */
void decimal_print(struct buffer *out, struct bytes value)
{
    char small[48];
    bool negative, heap;
    size_t count;
    char *digits = magnitude_digits(decimal_unscaled(value), small, &negative, &count, &heap);
    int64_t scale = decimal_scale(value);
    int64_t adjusted = (int64_t)count - 1 - scale; /* the exponent of the first digit */

    if (negative)
        buffer_append_u8(out, '-');
    assert(count > 0);
    if (scale == 0) {
        buffer_append(out, digits, count);
    } else if (scale > 0 && adjusted >= -6) {
        if ((int64_t)count > scale) {
            buffer_append(out, digits, count - (size_t)scale);
            buffer_append_u8(out, '.');
            buffer_append(out, digits + count - scale, (size_t)scale);
        } else {
            buffer_append_string(out, "0.");
            append_zeros(out, scale - (int64_t)count);
            buffer_append(out, digits, count);
        }
    } else {
        buffer_append_u8(out, digits[0]);
        if (count > 1) {
            buffer_append_u8(out, '.');
            buffer_append(out, digits + 1, count - 1);
        }
        if (adjusted)
            buffer_printf(out, "E%+lld", (long long)adjusted);
    }
    if (heap)
        free(digits);
}

/* As new BigDecimal(text). A point and an exponent, each once at most; zeros in front and behind
 * are kept, as they are part of the value's scale. */
bool decimal_parse(struct buffer *out, struct bytes text)
{
    bool negative = take_sign(&text);
    int64_t exponent = 0;
    size_t end = 0, points = 0, point_at = 0;

    while (end < text.size && text.data[end] != 'e' && text.data[end] != 'E') {
        if (text.data[end] == '.') {
            points++;
            point_at = end;
        } else if (text.data[end] < '0' || text.data[end] > '9') {
            return false;
        }
        end++;
    }
    if (points > 1 || end == points || end > NUMBER_DIGITS_MAX)
        return false;
    if (end < text.size &&
        !integer_parse(bytes_of(text.data + end + 1, text.size - end - 1), INT32_MIN, INT32_MAX, &exponent))
        return false;
    /* The scale is 32 bits in Java too: beyond that the text is no decimal. */
    int64_t scale = (points ? (int64_t)(end - point_at - 1) : 0) - exponent;
    if (scale < INT32_MIN || scale > INT32_MAX)
        return false;

    char *digits = xmalloc(end);
    size_t count = 0;
    for (size_t i = 0; i < end; i++)
        if (text.data[i] != '.')
            digits[count++] = (char)text.data[i];
    buffer_append_be32(out, (uint32_t)(int32_t)scale);
    /* Only digits are left, so this cannot fail. */
    append_digits(out, digits, count, negative);
    free(digits);
    return true;
}

/* float and double */

/* Java's form of digits d.ddd * 10^exponent: plain between 10^-3 and 10^7, else with an exponent;
 * always with a digit on both sides of the point. */
static void print_floating(struct buffer *out, bool negative, const char *digits, int count, int exponent)
{
    assert(count > 0);
    if (negative)
        buffer_append_u8(out, '-');
    if (exponent >= 0 && exponent < 7) {
        for (int i = 0; i <= exponent; i++)
            buffer_append_u8(out, i < count ? digits[i] : '0');
        buffer_append_u8(out, '.');
        if (count > exponent + 1)
            buffer_append(out, digits + exponent + 1, (size_t)(count - exponent - 1));
        else
            buffer_append_u8(out, '0');
    } else if (exponent < 0 && exponent >= -3) {
        buffer_append_string(out, "0.");
        append_zeros(out, -exponent - 1);
        buffer_append(out, digits, (size_t)count);
    } else {
        buffer_append_u8(out, digits[0]); /* NOLINT: there is always one */
        buffer_append_u8(out, '.');
        if (count > 1)
            buffer_append(out, digits + 1, (size_t)count - 1);
        else
            buffer_append_u8(out, '0');
        buffer_printf(out, "E%d", exponent);
    }
}

/* Digits and exponent of v > 0 at so many significant digits; trailing zeros off. printf rounds
 * correctly in glibc, so no code of ours must. */
static int round_digits(double v, int precision, char *digits, int *exponent)
{
    char text[40];
    int count = 0;

    assert(v > 0 && precision >= 1 && precision <= 17);
    snprintf(text, sizeof(text), "%.*e", precision - 1, v);
    for (char *at = text; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    *exponent = atoi(strchr(text, 'e') + 1);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

/* Does a number of so many digits give back this very value? */
static bool reads_back(double v, int precision, bool is_float)
{
    char text[40];

    snprintf(text, sizeof(text), "%.*e", precision - 1, v);
    return is_float ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

static void print_shortest(struct buffer *out, double v, bool is_float)
{
    if (isnan(v)) {
        buffer_append_string(out, "NaN");
        return;
    }
    if (isinf(v)) {
        buffer_append_string(out, v < 0 ? "-Infinity" : "Infinity");
        return;
    }
    if (v == 0) {
        buffer_append_string(out, signbit(v) ? "-0.0" : "0.0");
        return;
    }
    /* Every decimal of 15 (6) digits survives a double (float): if the value reads back from as
     * many, those without their trailing zeros are the shortest. Subnormals have fewer bits, so
     * there the search starts low. */
    double magnitude = fabs(v);
    bool subnormal = magnitude < (is_float ? 0x1p-126 : 0x1p-1022);
    int precision = subnormal ? 2 : is_float ? 6 : 15, exponent;
    char digits[40];

    while (precision < (is_float ? 9 : 17) && !reads_back(magnitude, precision, is_float))
        precision++;
    int count = round_digits(magnitude, precision, digits, &exponent);
    print_floating(out, v < 0, digits, count, exponent);
}

void float_print(struct buffer *out, float v)
{
    print_shortest(out, v, true);
}

void double_print(struct buffer *out, double v)
{
    print_shortest(out, v, false);
}

/* 0x digits with a point, p exponent: complete only with the exponent. Java takes it, C's strtod
 * reads it, so it is only looked at whether the text is one. */
static bool is_hex_floating(struct bytes text)
{
    size_t i = 2, digits = 0;

    if (text.size < 3 || text.data[0] != '0' || (text.data[1] | 0x20) != 'x')
        return false;
    for (bool point = false; i < text.size && (isxdigit(text.data[i]) || (text.data[i] == '.' && !point)); i++) {
        point = point || text.data[i] == '.';
        digits += text.data[i] != '.';
    }
    if (digits == 0 || i == text.size || (text.data[i] | 0x20) != 'p')
        return false;
    i++;
    if (i < text.size && (text.data[i] == '+' || text.data[i] == '-'))
        i++;
    return all_digits(bytes_of(text.data + i, text.size - i));
}

/* Java's grammar: sign, digits with a point, exponent, an optional f or d at the end; or NaN,
 * Infinity. What passes is copied without that letter, for strtod, which would take more than Java
 * does ("inf", "nan(1)"), and so is never asked for its opinion. */
static bool scan_floating(struct bytes text, char *copy, size_t copy_size, double *special)
{
    while (text.size && text.data[0] <= ' ') {
        text.data++;
        text.size--;
    }
    while (text.size && text.data[text.size - 1] <= ' ')
        text.size--;

    struct bytes rest = text;
    bool negative = take_sign(&rest);
    *special = 0;
    if (bytes_equal(rest, BYTES_LITERAL("NaN")) || bytes_equal(rest, BYTES_LITERAL("Infinity"))) {
        /* Java takes a sign in front of these too, and no other case of letters. */
        *special = rest.data[0] == 'N' ? (double)NAN : negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (is_hex_floating(rest)) {
        copy[0] = negative ? '-' : '+';
        memcpy(copy + 1, rest.data, rest.size);
        copy[rest.size + 1] = 0;
        return true;
    }
    size_t i = 0, digits = 0;
    while (i < rest.size && rest.data[i] >= '0' && rest.data[i] <= '9')
        i++, digits++;
    if (i < rest.size && rest.data[i] == '.')
        for (i++; i < rest.size && rest.data[i] >= '0' && rest.data[i] <= '9'; i++)
            digits++;
    if (digits == 0)
        return false;
    if (i < rest.size && (rest.data[i] == 'e' || rest.data[i] == 'E')) {
        i++;
        if (i < rest.size && (rest.data[i] == '+' || rest.data[i] == '-'))
            i++;
        size_t start = i;
        while (i < rest.size && rest.data[i] >= '0' && rest.data[i] <= '9')
            i++;
        if (i == start)
            return false;
    }
    size_t end = i;
    if (i < rest.size && strchr("fFdD", rest.data[i]) && rest.data[i])
        i++;
    /* Room for a sign and a NUL. */
    if (i != rest.size || end + 2 > copy_size)
        return false;
    copy[0] = negative ? '-' : '+';
    memcpy(copy + 1, rest.data, end);
    copy[end + 1] = 0;
    return true;
}

/* strtod rounds correctly, as Java does. */
bool double_parse(struct bytes text, double *result)
{
    char small[512], *copy = text.size + 3 <= sizeof(small) ? small : xmalloc(text.size + 3);
    double special;
    bool ok = text.size <= NUMBER_DIGITS_MAX && scan_floating(text, copy, text.size + 3, &special);

    if (ok)
        *result = special != 0 ? special : strtod(copy, NULL);
    if (copy != small)
        free(copy);
    return ok;
}

/* Not by way of a double: rounding twice can give another float. */
bool float_parse(struct bytes text, float *result)
{
    char small[512], *copy = text.size + 3 <= sizeof(small) ? small : xmalloc(text.size + 3);
    double special;
    bool ok = text.size <= NUMBER_DIGITS_MAX && scan_floating(text, copy, text.size + 3, &special);

    if (ok)
        *result = special != 0 ? (float)special : strtof(copy, NULL);
    if (copy != small)
        free(copy);
    return ok;
}
