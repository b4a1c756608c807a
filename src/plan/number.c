/* CQL's numbers: reading and writing their bytes, arithmetic, casts, rounding. The results
 * are those of Java: integers wrap, casts cut bits, decimals follow BigDecimal with the
 * MathContexts that Cassandra uses. GMP holds what is wider than 64 bits. A client chooses a
 * decimal's scale, from -2^31 to 2^31, so whatever multiplies by a power of ten looks first
 * how large that would be. Source: org.apache.cassandra.db.marshal.NumberType and its
 * subclasses, release 5.0. */
#include "plan/number.h"

#include "plan/work.h"
#include "types/number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum {
    DECIMAL_DIGITS_MAX = 10000, /* java.math.MathContext that Cassandra adds and multiplies with */
    DECIMAL_SHIFT_MAX = 20000,  /* powers of ten we are ready to make: a client chooses scales */
    QUOTIENT_SCALE_MIN = 32,
    QUOTIENT_SCALE_MAX = 1000,
};

/* Counters count as numbers: they are computed with as bigints. */
bool number_kind_is_numeric(enum type_kind kind)
{
    switch (kind) {
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_VARINT:
    case TYPE_DECIMAL: return true;
    default: return false;
    }
}

/* The size by which Cassandra chooses the wider of two types; varint and decimal are wider
 * than all. The others are sizes in bytes. */
static int size_rank(enum type_kind kind)
{
    switch (kind) {
    case TYPE_TINYINT: return 1;
    case TYPE_SMALLINT: return 2;
    case TYPE_INT:
    case TYPE_FLOAT: return 4;
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_DOUBLE: return 8;
    default: return 100;
    }
}

/* One float or decimal makes the result one; else the wider integer type is it. A float
 * beside a bigint gives a double, because the size of bigint is 8. Examples: smallint + int
 * is an int, int + float a float, bigint + float a double, varint + double a decimal. */
enum type_kind number_result_kind(enum type_kind left, enum type_kind right)
{
    if (!number_kind_is_numeric(left) || !number_kind_is_numeric(right))
        return TYPE_CUSTOM;

    bool real = left == TYPE_FLOAT || left == TYPE_DOUBLE || left == TYPE_DECIMAL || right == TYPE_FLOAT ||
                right == TYPE_DOUBLE || right == TYPE_DECIMAL;
    int size = size_rank(left) > size_rank(right) ? size_rank(left) : size_rank(right);

    if (real)
        return size > 8 ? TYPE_DECIMAL : size > 4 ? TYPE_DOUBLE : TYPE_FLOAT;
    switch (size) {
    case 1: return TYPE_TINYINT;
    case 2: return TYPE_SMALLINT;
    case 4: return TYPE_INT;
    case 8: return TYPE_BIGINT;
    default: return TYPE_VARINT;
    }
}

/* The big part is always initialized, so that a number may change its kind. */
void number_init(struct number *number)
{
    *number = (struct number){ .kind = TYPE_INT };
    mpz_init(number->big);
}

void number_fini(struct number *number)
{
    mpz_clear(number->big);
}

/* Two's complement, big-endian, as Java's BigInteger.toByteArray: negative if the first bit
 * is set. Example: ff 7f is 65407 - 65536 = -129. */
static void big_read(mpz_t big, struct bytes value)
{
    mpz_import(big, value.size, 1, 1, 1, 0, value.data);
    if (value.size && (value.data[0] & 0x80)) {
        mpz_t limit;

        mpz_init(limit);
        mpz_setbit(limit, value.size * 8);
        mpz_sub(big, big, limit);
        mpz_clear(limit);
    }
}

/* The shortest two's complement form. GMP knows only magnitudes: a negative number is written
 * as 2^(8 * size) + number. Examples: 127 is 7f, 128 is 00 80, -128 is 80. */
static void big_write(struct buffer *out, const mpz_t big)
{
    size_t size;
    mpz_t copy;

    mpz_init(copy);
    if (mpz_sgn(big) >= 0) {
        mpz_set(copy, big);
        size = mpz_sizeinbase(copy, 2) / 8 + 1;
    } else {
        mpz_add_ui(copy, big, 1); /* -(2^k) needs no extra byte */
        size = mpz_sizeinbase(copy, 2) / 8 + 1;
        mpz_set_ui(copy, 0);
        mpz_setbit(copy, size * 8);
        mpz_add(copy, copy, big);
    }

    /* Leading zero bytes are not exported by GMP: the number is put at the end of its room. */
    uint8_t *at = buffer_extend(out, size);
    size_t count = 0;
    memset(at, 0, size);
    size_t bytes = mpz_sgn(copy) ? (mpz_sizeinbase(copy, 2) + 7) / 8 : 0;
    if (bytes)
        mpz_export(at + size - bytes, &count, 1, 1, 1, 0, copy);
    mpz_clear(copy);
}

/* Reads a value of this kind; a counter is read as a bigint. Values were validated when they
 * came in. */
void number_read(struct number *number, enum type_kind kind, struct bytes value)
{
    assert(value.size && (kind != TYPE_INT || value.size == 4) && (kind != TYPE_FLOAT || value.size == 4));
    assert((kind != TYPE_BIGINT && kind != TYPE_DOUBLE && kind != TYPE_COUNTER) || value.size == 8);
    assert(kind != TYPE_DECIMAL || value.size >= 4);
    number->kind = kind;
    number->scale = 0;
    switch (kind) {
    case TYPE_TINYINT: number->integer = (int8_t)value.data[0]; break;
    case TYPE_SMALLINT: number->integer = (int16_t)load_be16(value.data); break;
    case TYPE_INT: number->integer = (int32_t)load_be32(value.data); break;
    case TYPE_FLOAT: {
        uint32_t bits = load_be32(value.data);
        float real;

        memcpy(&real, &bits, 4);
        number->real = real;
        break;
    }
    case TYPE_DOUBLE: {
        uint64_t bits = load_be64(value.data);

        memcpy(&number->real, &bits, 8);
        break;
    }
    case TYPE_DECIMAL:
        number->scale = (int32_t)load_be32(value.data);
        big_read(number->big, bytes_of(value.data + 4, value.size - 4));
        break;
    case TYPE_VARINT: big_read(number->big, value); break;
    default:
        number->kind = TYPE_BIGINT;
        number->integer = (int64_t)load_be64(value.data);
        break;
    }
}

/* Appends the wire form. */
void number_write(struct buffer *out, const struct number *number)
{
    assert(number_kind_is_numeric(number->kind));
    switch (number->kind) {
    case TYPE_TINYINT: buffer_append_u8(out, (uint8_t)number->integer); break;
    case TYPE_SMALLINT: buffer_append_be16(out, (uint16_t)number->integer); break;
    case TYPE_INT: buffer_append_be32(out, (uint32_t)number->integer); break;
    case TYPE_FLOAT: {
        float real = (float)number->real;
        uint32_t bits;

        memcpy(&bits, &real, 4);
        buffer_append_be32(out, bits);
        break;
    }
    case TYPE_DOUBLE: {
        uint64_t bits;

        memcpy(&bits, &number->real, 8);
        buffer_append_be64(out, bits);
        break;
    }
    case TYPE_DECIMAL:
        buffer_append_be32(out, (uint32_t)number->scale);
        big_write(out, number->big);
        break;
    case TYPE_VARINT: big_write(out, number->big); break;
    default: buffer_append_be64(out, (uint64_t)number->integer); break;
    }
}

uint64_t number_work(const struct number *number)
{
    bool is_big = number->kind == TYPE_VARINT || number->kind == TYPE_DECIMAL;

    return is_big ? work_of_number(mpz_size(number->big) * sizeof(mp_limb_t), number->scale) : sizeof(uint64_t);
}

/* GMP's long is 64 bits here, but negating INT64_MIN must not overflow. */
static void set_int64(mpz_t big, int64_t v)
{
    if (v >= 0) {
        mpz_set_ui(big, (unsigned long)v);
    } else {
        mpz_set_ui(big, (unsigned long)0 - (unsigned long)v);
        mpz_neg(big, big);
    }
}

/* The low 64 bits in two's complement: what Java's longValue() gives of a BigInteger. */
static int64_t low_int64(const mpz_t big)
{
    mpz_t low;
    uint64_t v;

    mpz_init(low);
    mpz_fdiv_r_2exp(low, big, 64);
    v = mpz_get_ui(low);
    mpz_clear(low);
    return (int64_t)v;
}

/* What Java makes of BigDecimal(text); the text is what it prints of a double or a float, so
 * it is always a decimal. */
static void decimal_of_text(struct number *number, const struct buffer *text)
{
    struct buffer value = { 0 };
    bool is_read = decimal_parse(&value, buffer_bytes(text));

    assert(is_read);
    number_read(number, TYPE_DECIMAL, buffer_bytes(&value));
    buffer_fini(&value);
}

/* BigDecimal's precision(): the number of digits, 1 for zero. mpz_sizeinbase may be one too
 * many. */
static size_t precision(const mpz_t big) /* BigDecimal's */
{
    if (mpz_sgn(big) == 0)
        return 1;

    size_t digits = mpz_sizeinbase(big, 10); /* may be one too many */
    mpz_t limit;

    mpz_init(limit);
    mpz_ui_pow_ui(limit, 10, digits - 1);
    if (mpz_cmpabs(big, limit) < 0)
        digits--;
    mpz_clear(limit);
    return digits;
}

/* Multiplies by a power of ten; the caller has bounded `places`. */
static void shift_up(mpz_t big, unsigned long places)
{
    mpz_t power;

    mpz_init(power);
    mpz_ui_pow_ui(power, 10, places);
    mpz_mul(big, big, power);
    mpz_clear(power);
}

enum rounding { ROUND_DOWN, ROUND_HALF_UP, ROUND_HALF_EVEN };

/* Divides and rounds as Java's RoundingMode says. The rest is doubled and compared with the
 * divisor, which tells less than a half, a half, or more. Example: 7 / 2 has the quotient 3
 * and the rest 1, which doubled is the divisor: a half. */
static void divide_rounded(mpz_t quotient, const mpz_t dividend, const mpz_t divisor, enum rounding rounding)
{
    mpz_t rest;

    assert(mpz_sgn(divisor));
    mpz_init(rest);
    int sign = mpz_sgn(dividend) * mpz_sgn(divisor);
    mpz_tdiv_qr(quotient, rest, dividend, divisor);
    mpz_mul_2exp(rest, rest, 1);
    int half = mpz_cmpabs(rest, divisor);
    bool up = rounding == ROUND_HALF_UP     ? half >= 0
              : rounding == ROUND_HALF_EVEN ? half > 0 || (half == 0 && mpz_odd_p(quotient))
                                            : false;
    if (up) {
        if (sign < 0)
            mpz_sub_ui(quotient, quotient, 1);
        else
            mpz_add_ui(quotient, quotient, 1);
    }
    mpz_clear(rest);
}

/* Divides by a power of ten; the caller has bounded `places`. */
static void shift_down(mpz_t big, unsigned long places, enum rounding rounding)
{
    mpz_t power;

    mpz_init(power);
    mpz_ui_pow_ui(power, 10, places);
    divide_rounded(big, big, power, rounding);
    mpz_clear(power);
}

/* Through text, since strtod rounds correctly for any number of digits, as Java's
 * doubleValue() does. */
double number_to_double(const struct number *number)
{
    switch (number->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return number->real;
    case TYPE_VARINT: {
        char *text = mpz_get_str(NULL, 10, number->big);
        double real = strtod(text, NULL);

        free(text);
        return real;
    }
    case TYPE_DECIMAL: {
        char *digits = mpz_get_str(NULL, 10, number->big);
        size_t size = strlen(digits) + 16;
        char *text = xmalloc(size);

        snprintf(text, size, "%se%lld", digits, -(long long)number->scale);
        double real = strtod(text, NULL);
        free(text);
        free(digits);
        return real;
    }
    default: return (double)number->integer;
    }
}

/* Java's cast: NaN is 0, and what is out of range is the nearest end of it. In C it would be
 * undefined. */
static int64_t java_long_of_double(double real)
{
    if (isnan(real))
        return 0;
    if (real >= 9223372036854775807.0)
        return INT64_MAX;
    if (real <= -9223372036854775808.0)
        return INT64_MIN;
    return (int64_t)real;
}

/* Java's (int) of a double, which its casts to byte and short go through. */
static int64_t java_int_of_double(double real)
{
    int64_t wide = java_long_of_double(real);

    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : wide;
}

/* Rounds a decimal to a whole number, with scale 0. A negative scale means zeros to be
 * written out: more than places_max are refused. A decimal's value is big / 10^scale: 1.5 has
 * 15 and scale 1, 1E3 has 1 and scale -3. */
static enum status drop_places(struct number *number, enum rounding rounding, unsigned long places_max,
                               struct error *err)
{
    int64_t places = number->scale;

    if (mpz_sgn(number->big) && places < -(int64_t)places_max)
        return error_set(err, ERR_INVALID, "The decimal's scale %d is out of range", number->scale);
    /* All its digits stand far behind the point. */
    if (places > 0 && (size_t)places > mpz_sizeinbase(number->big, 10))
        mpz_set_ui(number->big, 0);
    else if (places > 0)
        shift_down(number->big, (unsigned long)places, rounding);
    else if (mpz_sgn(number->big))
        shift_up(number->big, (unsigned long)-places);
    number->scale = 0;
    return OK;
}

/* Toward zero: -1.9 becomes -1. */
enum status number_truncate(struct number *number, unsigned long places_max, struct error *err)
{
    assert(places_max);
    return drop_places(number, ROUND_DOWN, places_max, err);
}

/* BigDecimal.longValue: the low bits of what stands before the point. */
static int64_t java_long_of_decimal(const struct number *number)
{
    enum { ALL_ZERO = 64 }; /* so many zeros at the end are as many zero bits */
    struct error none;
    struct number whole;
    int64_t result = 0;

    if (number->scale <= -ALL_ZERO)
        return 0;
    number_init(&whole);
    mpz_set(whole.big, number->big);
    whole.scale = number->scale;
    if (number_truncate(&whole, ALL_ZERO, &none) == OK)
        result = low_int64(whole.big);
    number_fini(&whole);
    return result;
}

/* A varint keeps all it is made of only from a whole number: floats and decimals become a long first, as in Cassandra. */
static void to_big(struct number *number)
{
    switch (number->kind) {
    case TYPE_VARINT: return;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: set_int64(number->big, java_long_of_double(number->real)); return;
    case TYPE_DECIMAL: set_int64(number->big, java_long_of_decimal(number)); return;
    default: set_int64(number->big, number->integer);
    }
}

/* Narrows as Java's casts do: the low bits are kept. */
static void to_integer(struct number *number, enum type_kind kind)
{
    /* Other integers are in `integer` already. */
    if (number->kind == TYPE_FLOAT || number->kind == TYPE_DOUBLE) {
        /* Java's (byte) of a double goes through int. */
        number->integer = kind == TYPE_BIGINT || kind == TYPE_COUNTER ? java_long_of_double(number->real)
                                                                      : java_int_of_double(number->real);
    } else if (number->kind == TYPE_VARINT) {
        number->integer = low_int64(number->big);
    } else if (number->kind == TYPE_DECIMAL) {
        number->integer = java_long_of_decimal(number);
    }
    switch (kind) {
    case TYPE_TINYINT: number->integer = (int8_t)number->integer; break;
    case TYPE_SMALLINT: number->integer = (int16_t)number->integer; break;
    case TYPE_INT: number->integer = (int32_t)number->integer; break;
    default: break;
    }
}

/* Of a float the decimal with the digits that Java prints of it: 0.1 becomes 0.1, not its
 * binary value. */
static enum status to_decimal(struct number *number, struct error *err)
{
    struct buffer text = { 0 };

    switch (number->kind) {
    case TYPE_DECIMAL: return OK;
    case TYPE_VARINT: number->scale = 0; return OK;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        if (!isfinite(number->real))
            return error_set(
                err, ERR_SERVER,
                "java.lang.NumberFormatException: Character %c is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.",
                isnan(number->real) ? 'N' : 'I');
        if (number->kind == TYPE_FLOAT)
            float_print(&text, (float)number->real);
        else
            double_print(&text, number->real);
        decimal_of_text(number, &text);
        buffer_fini(&text);
        return OK;
    default:
        set_int64(number->big, number->integer);
        number->scale = 0;
        return OK;
    }
}

/* Casts, in place: the number's content is converted before its kind is set. */
enum status number_convert(struct number *number, enum type_kind kind, struct error *err)
{
    enum status status = OK;

    assert(number_kind_is_numeric(number->kind) && number_kind_is_numeric(kind));
    switch (kind) {
    case TYPE_FLOAT: number->real = (float)number_to_double(number); break;
    case TYPE_DOUBLE: number->real = number_to_double(number); break;
    case TYPE_VARINT: to_big(number); break;
    case TYPE_DECIMAL: status = to_decimal(number, err); break;
    default: to_integer(number, kind); break;
    }
    number->kind = kind;
    return status;
}

/* Brings both decimals to the larger of their scales, for adding and comparing. Scales that
 * are too far apart are refused: 1E-1000000 + 1E1000000 would have two million digits.
 * Example: 1.5 and 0.25 become 150 and 25, both of scale 2. */
static enum status align(struct number *left, struct number *right, struct error *err)
{
    int64_t apart = (int64_t)left->scale - right->scale;

    if (apart > DECIMAL_SHIFT_MAX || apart < -DECIMAL_SHIFT_MAX)
        return error_set(err, ERR_INVALID, "The scales of the decimals are too far apart");
    if (apart < 0) {
        shift_up(left->big, (unsigned long)-apart);
        left->scale = right->scale;
    } else {
        shift_up(right->big, (unsigned long)apart);
        right->scale = left->scale;
    }
    return OK;
}

/* Rounds to so many digits. Rounding up may carry into one digit more, so it looks again. */
static void round_to(struct number *number, size_t digits, enum rounding rounding)
{
    size_t have = precision(number->big);

    assert(digits);
    if (have > digits) {
        shift_down(number->big, have - digits, rounding);
        number->scale -= (int32_t)(have - digits);
        round_to(number, digits, rounding); /* 99.9 became 100 */
    }
}

/* The MathContext that Cassandra computes with rounds half up. */
static void round_to_digits(struct number *number, size_t digits)
{
    round_to(number, digits, ROUND_HALF_UP);
}

void number_round_digits(struct number *number, size_t digits)
{
    round_to(number, digits, ROUND_HALF_EVEN);
}

size_t number_digits(const struct number *number)
{
    return precision(number->big);
}

/* Takes zeros off the end of what is not zero, `most` of them if there are more, and says how many: by halves (GMP divides by 10, 100, 10^4
 * ... while that goes), since one by one is quadratic. */
static int64_t take_zeros(mpz_t big, int64_t most)
{
    int64_t zeros;
    mpz_t ten;

    assert(mpz_sgn(big) && most >= 0);
    if (!mpz_divisible_ui_p(big, 10)) /* as nearly all */
        return 0;
    mpz_init_set_ui(ten, 10);
    zeros = (int64_t)mpz_remove(big, big, ten);
    mpz_clear(ten);
    if (zeros > most)
        shift_up(big, (unsigned long)(zeros - most));
    return zeros < most ? zeros : most;
}

/* BigDecimal.stripTrailingZeros(). Example: 100 of scale 0 becomes 1 of scale -2. Zero has no
 * digits to strip: its scale is 0. */
static void strip_zeros(struct number *number)
{
    if (mpz_sgn(number->big) == 0)
        number->scale = 0;
    else
        number->scale -= (int32_t)take_zeros(number->big, INT64_MAX);
}

/* DecimalType.divide: the scale of the quotient is chosen so that it has at least 32 digits,
 * and zeros at its end are stripped. */
static enum status decimal_divide(struct number *left, const struct number *right, struct error *err)
{
    if (mpz_sgn(right->big) == 0)
        return error_set(err, ERR_FUNCTION_FAILURE, "BigInteger divide by zero");

    /* How many digits the quotient has before the point, about. */
    int64_t first = ((int64_t)precision(left->big) - left->scale) - ((int64_t)precision(right->big) - right->scale);
    int64_t scale = QUOTIENT_SCALE_MIN - first;

    scale = scale > left->scale ? scale : left->scale;
    scale = scale > right->scale ? scale : right->scale;
    scale = scale > QUOTIENT_SCALE_MIN ? scale : QUOTIENT_SCALE_MIN;
    scale = scale < QUOTIENT_SCALE_MAX ? scale : QUOTIENT_SCALE_MAX;

    assert(scale >= QUOTIENT_SCALE_MIN && scale <= QUOTIENT_SCALE_MAX);
    int64_t shift = scale - ((int64_t)left->scale - right->scale);
    if (shift > DECIMAL_SHIFT_MAX || shift < -DECIMAL_SHIFT_MAX)
        return error_set(err, ERR_INVALID, "The scales of the decimals are too far apart");
    mpz_t divisor;
    mpz_init_set(divisor, right->big);
    if (shift >= 0)
        shift_up(left->big, (unsigned long)shift);
    else
        shift_up(divisor, (unsigned long)-shift);
    divide_rounded(left->big, left->big, divisor, ROUND_HALF_UP);
    mpz_clear(divisor);
    left->scale = (int32_t)scale;
    strip_zeros(left);
    return OK;
}

/* BigDecimal.divide with a MathContext of so many digits, half even. An exact quotient has
 * zeros at its end stripped, down to the scale that Java prefers. */
void number_divide_digits(struct number *left, const struct number *right, size_t digits)
{
    int32_t preferred = left->scale - right->scale;
    size_t have = precision(left->big), divisor = precision(right->big);
    unsigned long shift = digits + divisor + 1 > have ? digits + divisor + 1 - have : 0;
    mpz_t rest;

    assert(digits && mpz_sgn(right->big) > 0);
    mpz_init(rest);
    shift_up(left->big, shift);
    left->scale = preferred + (int32_t)shift;
    mpz_tdiv_qr(left->big, rest, left->big, right->big);
    /* The quotient has one digit more than is asked for, or two: they say which way to round, but
     * for a rest. A 1 behind them tells a half from more than a half. */
    if (mpz_sgn(rest)) {
        mpz_mul_ui(left->big, left->big, 10);
        if (mpz_sgn(rest) > 0)
            mpz_add_ui(left->big, left->big, 1);
        else
            mpz_sub_ui(left->big, left->big, 1);
        left->scale++;
    }
    number_round_digits(left, digits);
    if (mpz_sgn(left->big) == 0 && left->scale > preferred)
        left->scale = preferred;
    else if (mpz_sgn(rest) == 0 && left->scale > preferred)
        left->scale -= (int32_t)take_zeros(left->big, left->scale - preferred);
    mpz_clear(rest);
}

/* BigDecimal.remainder. The value is plain; what takes care is its scale, which is that of
 * left - quotient * right. The quotient, a whole number, is given the scale left.scale -
 * right.scale if it ends in so many zeros. */
static enum status decimal_remainder(struct number *left, struct number *right, struct error *err)
{
    int64_t scale = left->scale, product = left->scale, preferred = (int64_t)left->scale - right->scale;
    enum status status;
    mpz_t quotient;

    if (mpz_sgn(right->big) == 0)
        return error_set(err, ERR_FUNCTION_FAILURE, "Division by zero");
    int32_t divisor_scale = right->scale;
    status = align(left, right, err);
    if (status)
        return status;
    mpz_init(quotient);
    /* Aligned, both are whole numbers of the same unit. */
    mpz_tdiv_qr(quotient, left->big, left->big, right->big);
    if (preferred < 0 && mpz_sgn(quotient))
        product = divisor_scale - take_zeros(quotient, -preferred);
    mpz_clear(quotient);
    scale = product > scale ? product : scale;
    assert(left->scale >= scale);
    /* All that goes are zeros. */
    shift_down(left->big, (unsigned long)(left->scale - scale), ROUND_DOWN);
    left->scale = (int32_t)scale;
    round_to_digits(left, DECIMAL_DIGITS_MAX);
    return OK;
}

/* left = left op given. The right side is copied, since aligning changes both. */
static enum status decimal_operate(struct number *left, char op, const struct number *given, struct error *err)
{
    enum status status = OK;
    struct number right;

    if (op == '/')
        return decimal_divide(left, given, err);
    number_init(&right);
    mpz_set(right.big, given->big);
    right.scale = given->scale;
    right.kind = TYPE_DECIMAL;
    /* The scales add up; the digits are rounded as Cassandra's MathContext says. */
    if (op == '*') {
        int64_t scale = (int64_t)left->scale + right.scale;

        mpz_mul(left->big, left->big, right.big);
        if (scale > INT32_MAX || scale < INT32_MIN)
            status = error_set(err, ERR_INVALID, "The decimal's scale is out of range");
        left->scale = (int32_t)scale;
        round_to_digits(left, DECIMAL_DIGITS_MAX);
    } else if (op == '%') {
        status = decimal_remainder(left, &right, err);
    } else {
        status = align(left, &right, err);
        if (!status) {
            if (op == '+')
                mpz_add(left->big, left->big, right.big);
            else
                mpz_sub(left->big, left->big, right.big);
            round_to_digits(left, DECIMAL_DIGITS_MAX);
        }
    }
    number_fini(&right);
    return status;
}

/* Varints do not wrap; division is toward zero, and the remainder has the sign of the left
 * side. */
static enum status big_operate(struct number *left, char op, const struct number *right, struct error *err)
{
    if ((op == '/' || op == '%') && mpz_sgn(right->big) == 0)
        return error_set(err, ERR_FUNCTION_FAILURE, "BigInteger divide by zero");
    switch (op) {
    case '+': mpz_add(left->big, left->big, right->big); break;
    case '-': mpz_sub(left->big, left->big, right->big); break;
    case '*': mpz_mul(left->big, left->big, right->big); break;
    case '/': mpz_tdiv_q(left->big, left->big, right->big); break;
    default: mpz_tdiv_r(left->big, left->big, right->big); break;
    }
    return OK;
}

/* Computed in 64 bits, unsigned so that it wraps, and then narrowed to the type. Dividing the
 * least number by -1 overflows in C, and gives itself in Java. */
static enum status integer_operate(struct number *left, char op, const struct number *right, struct error *err)
{
    uint64_t a = (uint64_t)left->integer, b = (uint64_t)right->integer;

    if ((op == '/' || op == '%') && b == 0)
        return error_set(err, ERR_FUNCTION_FAILURE, "/ by zero");
    switch (op) {
    case '+': left->integer = (int64_t)(a + b); break;
    case '-': left->integer = (int64_t)(a - b); break;
    case '*': left->integer = (int64_t)(a * b); break;
    case '/': left->integer = right->integer == -1 ? (int64_t)(0 - a) : left->integer / right->integer; break;
    default: left->integer = right->integer == -1 ? 0 : left->integer % right->integer; break;
    }
    to_integer(left, left->kind);
    return OK;
}

/* Both sides are of one kind: the caller has widened them (function_body.c, widen). */
enum status number_operate(struct number *left, char op, const struct number *right, struct error *err)
{
    assert(op && strchr("+-*/%", op));
    assert(left->kind == right->kind);
    switch (left->kind) {
    case TYPE_DECIMAL: return decimal_operate(left, op, right, err);
    case TYPE_VARINT: return big_operate(left, op, right, err);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        switch (op) {
        case '+': left->real += right->real; break;
        case '-': left->real -= right->real; break;
        case '*': left->real *= right->real; break;
        case '/': left->real /= right->real; break;
        default: left->real = fmod(left->real, right->real); break;
        }
        if (left->kind == TYPE_FLOAT)
            left->real = (float)left->real;
        return OK;
    default: return integer_operate(left, op, right, err);
    }
}

/* Negates whatever the kind uses; the least integer stays itself, as in Java. */
void number_negate(struct number *number)
{
    number->real = -number->real;
    number->integer = (int64_t)(0 - (uint64_t)number->integer);
    switch (number->kind) {
    case TYPE_TINYINT: number->integer = (int8_t)number->integer; break;
    case TYPE_SMALLINT: number->integer = (int16_t)number->integer; break;
    case TYPE_INT: number->integer = (int32_t)number->integer; break;
    default: mpz_neg(number->big, number->big); break;
    }
}

/* Java's Math.round: half goes up, toward positive infinity, and the result has the range of
 * int for a float, of long for a double. NaN becomes 0. */
static double round_real(double real, enum type_kind kind)
{
    double whole = floor(real);

    if (isnan(real))
        return 0;
    whole += real - whole >= 0.5;
    return kind == TYPE_FLOAT ? (double)(float)java_int_of_double(whole) : (double)java_long_of_double(whole);
}

/* Integers are whole already. Half goes up in both others, but differently: -0.5 becomes 0 as
 * a double, -1 as a decimal. */
enum status number_round(struct number *number, struct error *err)
{
    switch (number->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: number->real = round_real(number->real, number->kind); return OK;
    case TYPE_DECIMAL: return drop_places(number, ROUND_HALF_UP, DECIMAL_SHIFT_MAX, err);
    default: return OK;
    }
}

/* For averages: a varint is cut toward zero, a decimal is rounded half even. */
void number_divide_in_place(struct number *number, uint64_t count)
{
    mpz_t divisor;

    assert(count);
    mpz_init_set_ui(divisor, count);
    divide_rounded(number->big, number->big, divisor, number->kind == TYPE_DECIMAL ? ROUND_HALF_EVEN : ROUND_DOWN);
    mpz_clear(divisor);
}
