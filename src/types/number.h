/* types/number.h: numbers of any size (varint, decimal), and how Java prints floating point.
 *
 * Shapes:  varint: two's complement, big-endian, at least one byte (more than needed is allowed). decimal: scale
 *          (4 bytes, signed), then the unscaled varint; its value is unscaled * 10^-scale. None: read as zero.
 * Owns:    struct decimal_digits owns its digits when they do not fit in it; decimal_digits_fini.
 * Errors:  parsing returns false for what Java's BigInteger, BigDecimal, parseFloat and parseDouble would refuse.
 * Thread:  pure.
 */
#ifndef TYPES_NUMBER_H
#define TYPES_NUMBER_H

#include "base/buffer.h"

/* Digits of a number a client may write as text. */
enum { NUMBER_DIGITS_MAX = 1 << 20 };

int varint_compare(struct bytes a, struct bytes b);
int decimal_compare(struct bytes a, struct bytes b);
/* Without sign bytes that say nothing; the empty value as it is. */
struct bytes varint_trim(struct bytes value);

/* The decimal digits of a number: 0.DDDD * 10^exponent, neither leading nor trailing zeros; zero has none. */
struct decimal_digits {
    bool negative;
    int64_t exponent;
    size_t count;
    char *digits; /* '0'..'9'; points to `small` or is owned */
    char small[48];
};

void decimal_digits_init(struct decimal_digits *digits, struct bytes decimal);
void decimal_digits_fini(struct decimal_digits *digits);
/* Appends the decimal value with these digits and the smallest scale that writes them whole. */
void decimal_append_digits(struct buffer *out, const struct decimal_digits *digits);

void varint_print(struct buffer *out, struct bytes value);
/* As BigDecimal.toString. */
void decimal_print(struct buffer *out, struct bytes value);
/* Append the value's bytes. */
bool varint_parse(struct buffer *out, struct bytes text);
bool decimal_parse(struct buffer *out, struct bytes text);

/* As Java's toString: the shortest digits that read back, "1.0E10", "NaN", "-Infinity". */
void float_print(struct buffer *out, float v);
void double_print(struct buffer *out, double v);
bool float_parse(struct bytes text, float *result);
bool double_parse(struct bytes text, double *result);
/* [+-]digits within min..max, as Long.parseLong. */
bool integer_parse(struct bytes text, int64_t min, int64_t max, int64_t *result);

#endif
