/* exp, log and log10 of varints and decimals; see number.h. Source: org.apache.cassandra.db.marshal.DecimalType and IntegerType, release 5.0,
 * and what it computes with, ch.obermuhlner.math.big.BigDecimalMath 2.3: as many digits as the argument has, at least 32, half even. Its
 * log10 divides two logarithms of two digits more, so that of a power of ten can come out as 3.000...
 *
 * MPFR computes in bits, with so many more that what is rounded to digits is not what was rounded to bits: a logarithm of what is near to
 * one loses as many digits as the argument has, and an exponent up to 2^31 loses 31 bits.
 */
#include "plan/number.h"

#include "plan/work.h"

#include <assert.h>
#include <mpfr.h>

enum {
    DIGITS_MIN = 32,
    DIGITS_MAX = 1000, /* Cassandra computes with up to 10000, but it does not do so on a loop */
    LOG10_GUARD = 2,   /* digits more of the two logarithms */
    GUARD_BITS = 128,
    VARINT_PLACES_MAX = 1000000, /* of exp's result; Cassandra runs out of memory somewhere above */
    FUNCTION_WORK = 1 << 15,
    FUNCTION_BYTE_WORK = 2000,
};

/* log2(10) is 3.32: 2 * 10 / 3 bits for a digit are twice as many, for what a logarithm near
 * one loses. */
static mpfr_prec_t bits_for(size_t digits)
{
    assert(digits >= DIGITS_MIN && digits <= DIGITS_MAX);
    return (mpfr_prec_t)(2 * digits * 10 / 3) + GUARD_BITS;
}

/* The unscaled number times or divided by a power of ten. */
static void from_number(mpfr_t out, const struct number *number)
{
    int64_t scale = number->scale;
    mpfr_t power;

    mpfr_init2(power, mpfr_get_prec(out));
    mpfr_set_z(out, number->big, MPFR_RNDN);
    mpfr_ui_pow_ui(power, 10, (unsigned long)(scale < 0 ? -scale : scale), MPFR_RNDN);
    if (scale < 0)
        mpfr_mul(out, out, power, MPFR_RNDN);
    else
        mpfr_div(out, out, power, MPFR_RNDN);
    mpfr_clear(power);
}

/* Rounds to so many digits. False: the exponent does not fit into a decimal's scale, or it is
 * no number. */
static bool to_number(struct number *number, mpfr_t value, size_t digits)
{
    mpfr_exp_t point;
    char *text;

    assert(digits);
    if (!mpfr_number_p(value))
        return false;
    if (mpfr_zero_p(value)) {
        mpz_set_ui(number->big, 0);
        number->scale = 0;
        return true;
    }
    text = mpfr_get_str(NULL, &point, 10, digits, value, MPFR_RNDN);
    mpz_set_str(number->big, text, 10);
    mpfr_free_str(text);
    point -= (mpfr_exp_t)digits;
    number->scale = (int32_t)-point;
    return point <= INT32_MAX && point >= -INT32_MAX;
}

/* exp takes exponents that fit into an int only, as Java's intValueExact of what stands
 * before the point. */
static bool is_int(mpfr_t value)
{
    return mpfr_fits_sint_p(value, MPFR_RNDZ);
}

/* The logarithm is rounded in bits first, then to digits. */
static bool log_to_number(struct number *number, mpfr_t value, size_t digits)
{
    mpfr_log(value, value, MPFR_RNDN);
    return to_number(number, value, digits);
}

/* log(x) / log(10), each rounded to two digits more, because BigDecimalMath does so: the
 * exact answer would differ in the last digit. */
static bool log10_to_number(struct number *number, mpfr_t value, size_t digits)
{
    struct number ten;
    bool fits;

    number_init(&ten);
    fits = log_to_number(number, value, digits + LOG10_GUARD);
    mpfr_set_ui(value, 10, MPFR_RNDN);
    fits = log_to_number(&ten, value, digits + LOG10_GUARD) && fits;
    if (fits)
        number_divide_digits(number, &ten, digits + LOG10_GUARD);
    number_round_digits(number, digits);
    number_fini(&ten);
    return fits;
}

/* The functions have no value for some arguments; the words are Java's. */
static enum status compute(struct number *number, mpfr_t value, enum number_function function, size_t digits,
                           struct error *err)
{
    bool fits;

    if (function == NUMBER_EXP) {
        if (!is_int(value))
            return error_set(err, ERR_SERVER, "java.lang.ArithmeticException: Overflow");
        mpfr_exp(value, value, MPFR_RNDN);
        fits = to_number(number, value, digits);
    } else if (mpfr_sgn(value) <= 0) {
        return error_set(err, ERR_SERVER, "java.lang.ArithmeticException: %s of number zero or less",
                         function == NUMBER_LOG ? "Natural log" : "Log10");
    } else if (function == NUMBER_LOG) {
        fits = log_to_number(number, value, digits);
    } else {
        fits = log10_to_number(number, value, digits);
    }
    return fits ? OK : error_set(err, ERR_SERVER, "The result is out of range");
}

/* That of many digits is computed in all of them; exp of a varint is a whole number, of 0.18 bytes for each one that its argument counts. */
uint64_t number_apply_work(const struct number *number, enum number_function function)
{
    uint64_t work = FUNCTION_WORK + FUNCTION_BYTE_WORK * mpz_size(number->big) * sizeof(mp_limb_t);
    double most = 2.4 * VARINT_PLACES_MAX, power;

    assert(number->kind == TYPE_VARINT || number->kind == TYPE_DECIMAL);
    if (function != NUMBER_EXP || number->kind != TYPE_VARINT || mpz_sgn(number->big) <= 0)
        return work;
    power = mpz_get_d(number->big);
    return work + work_of_number((size_t)(0.2 * (power < most ? power : most)), 0);
}

/* exp, log or log10 of a varint or decimal, in place. A varint's result is cut to a whole
 * number. The cache of constants that MPFR keeps for each thread is freed, since threads of
 * ours live long. */
enum status number_apply(struct number *number, enum number_function function, struct error *err)
{
    size_t digits = number_digits(number);
    enum status status;
    mpfr_t value;

    assert(number->kind == TYPE_VARINT || number->kind == TYPE_DECIMAL);
    if (digits > DIGITS_MAX)
        return error_set(err, ERR_INVALID, "The argument has %zu digits, more than %d", digits, DIGITS_MAX);
    if (number->kind == TYPE_VARINT)
        number->scale = 0;
    mpfr_set_emin(mpfr_get_emin_min()); /* the thread's */
    mpfr_set_emax(mpfr_get_emax_max());
    mpfr_init2(value, bits_for(digits < DIGITS_MIN ? DIGITS_MIN : digits));
    from_number(value, number);
    if (function == NUMBER_EXP && mpz_sgn(number->big) == 0) { /* exact, and BigDecimal's ONE */
        mpz_set_ui(number->big, 1);
        number->scale = 0;
        status = OK;
    } else {
        status = compute(number, value, function, digits < DIGITS_MIN ? DIGITS_MIN : digits, err);
    }
    mpfr_clear(value);
    mpfr_free_cache2(MPFR_FREE_LOCAL_CACHE);
    return !status && number->kind == TYPE_VARINT ? number_truncate(number, VARINT_PLACES_MAX, err) : status;
}
