/* plan/number.h: CQL's numbers as numbers: arithmetic, casts, sums and averages by Cassandra's rules.
 *
 * Shapes:  a value is wire bytes; a struct number is one of them read. Integers wrap as Java's do; decimals are kept to 10000
 *          digits when they are computed with.
 * Owns:    a number owns its big part: number_init .. number_fini.
 * Errors:  ERR_INVALID where a result would not fit our limits; ERR_FUNCTION_FAILURE for a division by zero.
 * Thread:  pure.
 */
#ifndef PLAN_NUMBER_H
#define PLAN_NUMBER_H

#include "types/value.h"

#include <gmp.h>

struct number {
    enum type_kind kind; /* tinyint .. decimal, float, double, varint, counter (as bigint) */
    int64_t integer;     /* tinyint, smallint, int, bigint, counter */
    double real;         /* float, double */
    mpz_t big;           /* varint; decimal: unscaled */
    int32_t scale;       /* decimal */
};

bool number_kind_is_numeric(enum type_kind kind);
/* The type of `left op right`, or TYPE_CUSTOM when they are not both numbers. */
enum type_kind number_result_kind(enum type_kind left, enum type_kind right);

void number_init(struct number *number);
void number_fini(struct number *number);
/* Of a validated value that is neither null nor empty. */
void number_read(struct number *number, enum type_kind kind, struct bytes value);
void number_write(struct buffer *out, const struct number *number);
/* In place. A narrowing conversion cuts as Java's casts do; float and double become a decimal by the digits that Java prints of them:
 * ERR_SERVER with its words for NaN and infinities. */
enum status number_convert(struct number *number, enum type_kind kind, struct error *err);
/* left = left op right, both of one kind. op: + - * / %. */
enum status number_operate(struct number *left, char op, const struct number *right, struct error *err);
void number_negate(struct number *number);
/* Of a varint or a decimal, in place. ERR_SERVER with Java's words where the argument has no result, ERR_INVALID where argument or result
 * are too long. */
enum number_function { NUMBER_EXP, NUMBER_LOG, NUMBER_LOG10 };
enum status number_apply(struct number *number, enum number_function function, struct error *err);
/* What that takes, and what computing with a number takes (plan/work.h). */
uint64_t number_apply_work(const struct number *number, enum number_function function);
uint64_t number_work(const struct number *number);
/* Of a varint or a decimal: BigDecimal's precision(), round() and divide() with a MathContext of so many digits, half even. A divisor is
 * greater than zero. */
size_t number_digits(const struct number *number);
void number_round_digits(struct number *number, size_t digits);
void number_divide_digits(struct number *left, const struct number *right, size_t digits);
/* To whole numbers: half up, of float and double as Java's Math.round; a decimal's scale is 0 then. */
enum status number_round(struct number *number, struct error *err);
/* A decimal to whole numbers, towards zero. ERR_INVALID: it would get more zeros than places_max. */
enum status number_truncate(struct number *number, unsigned long places_max, struct error *err);
/* A varint toward zero, a decimal half even at its scale. */
void number_divide_in_place(struct number *number, uint64_t count);
double number_to_double(const struct number *number);

#endif
