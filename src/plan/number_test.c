/* Numbers against what Cassandra 5.0.5 answered (tests/cql/functions.expected), what its classes compute (tests/vectors/numbers.txt,
 * recorded by NumberVectors.java) and Java's rules: widths, wrapping, rounding. */
#include "plan/number.h"

#include <setjmp.h>
#include <stdarg.h>

#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void read_text(struct number *number, enum type_kind kind, enum literal_kind literal, const char *text)
{
    struct buffer out = { 0 };
    struct error err;

    assert_int_equal(value_parse(type_native(kind), literal, bytes_of_string(text), &out, &err), OK);
    number_read(number, kind, buffer_bytes(&out));
    buffer_fini(&out);
}

static void assert_shows(const struct number *number, const char *expected)
{
    struct buffer value = { 0 }, text = { 0 };

    number_write(&value, number);
    value_print(&text, type_native(number->kind), buffer_bytes(&value));
    buffer_append_u8(&text, 0);
    assert_string_equal((char *)text.data, expected);
    buffer_fini(&value);
    buffer_fini(&text);
}

static void calculate(enum type_kind kind, const char *left, char op, const char *right, const char *expected)
{
    enum literal_kind literal =
        kind == TYPE_DECIMAL || kind == TYPE_DOUBLE || kind == TYPE_FLOAT ? LITERAL_FLOAT : LITERAL_INTEGER;
    struct number a, b;
    struct error err;

    number_init(&a);
    number_init(&b);
    read_text(&a, kind, literal, left);
    read_text(&b, kind, literal, right);
    assert_int_equal(number_operate(&a, op, &b, &err), OK);
    assert_shows(&a, expected);
    number_fini(&a);
    number_fini(&b);
}

static void integers_wrap_as_javas_do(void **state)
{
    calculate(TYPE_TINYINT, "127", '+', "1", "-128");
    calculate(TYPE_SMALLINT, "-32768", '-', "1", "32767");
    calculate(TYPE_INT, "2147483647", '*', "2", "-2");
    calculate(TYPE_BIGINT, "9223372036854775807", '+', "1", "-9223372036854775808");
    calculate(TYPE_BIGINT, "-9223372036854775808", '/', "-1", "-9223372036854775808");
    calculate(TYPE_INT, "-7", '/', "2", "-3");
    calculate(TYPE_INT, "-7", '%', "3", "-1");
}

static void big_numbers_do_not(void **state)
{
    calculate(TYPE_VARINT, "9223372036854775807", '+', "1", "9223372036854775808");
    calculate(TYPE_VARINT, "-128", '-', "1", "-129");
    calculate(TYPE_VARINT, "11", '/', "2", "5");
    calculate(TYPE_VARINT, "-256", '*', "1", "-256");
}

static void decimals_divide_to_32_digits(void **state)
{
    calculate(TYPE_DECIMAL, "3.50", '/', "3", "1.16666666666666666666666666666667");
    calculate(TYPE_DECIMAL, "1", '/', "4", "0.25");
    calculate(TYPE_DECIMAL, "7", '+', "3.50", "10.50");
    calculate(TYPE_DECIMAL, "10.5", '%', "3", "1.5");
}

static void divide(const char *left, const char *right, size_t digits, const char *expected)
{
    struct number a, b;

    number_init(&a);
    number_init(&b);
    read_text(&a, TYPE_DECIMAL, LITERAL_FLOAT, left);
    read_text(&b, TYPE_DECIMAL, LITERAL_FLOAT, right);
    number_divide_digits(&a, &b, digits);
    assert_shows(&a, expected);
    number_fini(&a);
    number_fini(&b);
}

/* BigDecimal.divide with a MathContext: half even, whatever the sign and however many digits the quotient has. */
static void quotients_are_rounded_to_digits(void **state)
{
    divide("7", "9", 1, "0.8");
    divide("9", "7", 1, "1");
    divide("-7", "9", 3, "-0.778");
    divide("-9", "7", 3, "-1.29");
    divide("1", "8", 2, "0.12");
    divide("3", "8", 2, "0.38");
    divide("-1", "8", 2, "-0.12");
    divide("1.000", "8", 6, "0.125");
    divide("100", "8", 6, "12.5");
}

/* d * 10^zeros, as a decimal of this scale. */
static void set_decimal(struct number *number, unsigned long digits, unsigned long zeros, int32_t scale)
{
    number->kind = TYPE_DECIMAL;
    mpz_ui_pow_ui(number->big, 10, zeros);
    mpz_mul_ui(number->big, number->big, digits);
    number->scale = scale;
}

/* An exact quotient keeps no zeros at its end, however many there are; that of a MathContext as many as Java's preferred scale says; the
 * quotient of a remainder counts only so many as the scales are apart. */
static void zeros_are_taken_off_the_end(void **state)
{
    struct number a, b;
    struct error err;

    number_init(&a);
    number_init(&b);
    for (unsigned long zeros = 0; zeros < 19000; zeros = zeros * 3 / 2 + 1) {
        for (unsigned long digits = 1; digits < 1100; digits += 1 + digits % 10 + 8 * (digits % 10 == 8)) {
            if (digits % 10 == 0)
                continue;
            set_decimal(&a, digits, zeros, 0);
            set_decimal(&b, 1, 0, 0);
            assert_int_equal(number_operate(&a, '/', &b, &err), OK);
            assert_int_equal(mpz_cmp_ui(a.big, digits), 0);
            assert_int_equal(a.scale, -(int32_t)zeros);
            set_decimal(&a, digits, zeros, 0);
            set_decimal(&b, 1, 0, 3); /* its quotient ends in three zeros more */
            assert_int_equal(number_operate(&a, '%', &b, &err), OK);
            assert_int_equal(a.scale, 0);
        }
    }
    divide("4000", "2", 8, "2000");
    divide("4000.00", "2.0", 8, "2000.0");
    divide("0.00", "2", 8, "0.00");
    divide("0", "2.0", 8, "0E+1");
    number_fini(&a);
    number_fini(&b);
}

static void division_by_zero_is_an_error(void **state)
{
    struct number a, b;
    struct error err;

    number_init(&a);
    number_init(&b);
    read_text(&a, TYPE_INT, LITERAL_INTEGER, "1");
    read_text(&b, TYPE_INT, LITERAL_INTEGER, "0");
    assert_int_equal(number_operate(&a, '/', &b, &err), ERR_FUNCTION_FAILURE);
    assert_string_equal(err.message, "/ by zero");
    number_fini(&a);
    number_fini(&b);
}

static void kinds_meet_at_the_wider(void **state)
{
    assert_int_equal(number_result_kind(TYPE_TINYINT, TYPE_SMALLINT), TYPE_SMALLINT);
    assert_int_equal(number_result_kind(TYPE_INT, TYPE_FLOAT), TYPE_FLOAT);
    assert_int_equal(number_result_kind(TYPE_BIGINT, TYPE_FLOAT), TYPE_DOUBLE);
    assert_int_equal(number_result_kind(TYPE_VARINT, TYPE_DOUBLE), TYPE_DECIMAL);
    assert_int_equal(number_result_kind(TYPE_COUNTER, TYPE_INT), TYPE_BIGINT);
    assert_int_equal(number_result_kind(TYPE_INT, TYPE_TEXT), TYPE_CUSTOM);
}

static void casts_cut(void **state)
{
    struct number number;
    struct error err;

    number_init(&number);
    read_text(&number, TYPE_INT, LITERAL_INTEGER, "300");
    assert_int_equal(number_convert(&number, TYPE_TINYINT, &err), OK);
    assert_shows(&number, "44");
    read_text(&number, TYPE_DOUBLE, LITERAL_FLOAT, "1e300");
    assert_int_equal(number_convert(&number, TYPE_INT, &err), OK);
    assert_shows(&number, "2147483647");
    read_text(&number, TYPE_FLOAT, LITERAL_FLOAT, "1.5");
    assert_int_equal(number_convert(&number, TYPE_DECIMAL, &err), OK);
    assert_shows(&number, "1.5");
    read_text(&number, TYPE_DECIMAL, LITERAL_FLOAT, "3.50");
    assert_int_equal(number_convert(&number, TYPE_INT, &err), OK);
    assert_shows(&number, "3");
    read_text(&number, TYPE_DECIMAL, LITERAL_FLOAT, "1e-2000000000");
    assert_int_equal(number_convert(&number, TYPE_VARINT, &err), OK);
    assert_shows(&number, "0");
    read_text(&number, TYPE_DECIMAL, LITERAL_FLOAT, "1e2000000000");
    assert_int_equal(number_convert(&number, TYPE_VARINT, &err), OK);
    assert_shows(&number, "0"); /* its low 64 bits, which are not computed */
    number_fini(&number);
}

/* ---- exp, log, log10, round ---- */

static struct bytes of_hex(const char *hex, uint8_t *out)
{
    size_t size = strlen(hex) / 2;

    for (size_t i = 0; i < size; i++) {
        char digits[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes_of(out, size);
}

static enum status run_named(struct number *number, const char *name, struct error *err)
{
    if (strcmp(name, "round") == 0)
        return number_round(number, err);
    return number_apply(number,
                        strcmp(name, "exp") == 0   ? NUMBER_EXP
                        : strcmp(name, "log") == 0 ? NUMBER_LOG
                                                   : NUMBER_LOG10,
                        err);
}

static void check_vector(const char *name, const char *type, const char *from, const char *result)
{
    enum type_kind kind = strcmp(type, "decimal") == 0  ? TYPE_DECIMAL
                          : strcmp(type, "varint") == 0 ? TYPE_VARINT
                          : strcmp(type, "double") == 0 ? TYPE_DOUBLE
                                                        : TYPE_FLOAT;
    uint8_t *memory = malloc(strlen(from) + strlen(result) + 2);
    struct buffer out = { 0 };
    struct number number;
    struct error err;
    enum status status;

    number_init(&number);
    number_read(&number, kind, of_hex(from, memory));
    status = run_named(&number, name, &err);
    if (result[0] == '!') {
        assert_int_equal(status, ERR_SERVER);
        assert_string_equal(err.message + strlen("java.lang.ArithmeticException: "), result + 1);
    } else {
        struct bytes expected;

        if (status)
            fail_msg("%s of %s %s: %s", name, type, from, err.message);
        number_write(&out, &number);
        expected = of_hex(result, memory);
        if (!bytes_equal(buffer_bytes(&out), expected))
            fail_msg("%s of %s %s is not %s", name, type, from, result);
    }
    number_fini(&number);
    buffer_fini(&out);
    free(memory);
}

static void big_functions_are_cassandras(void **state)
{
    FILE *file = fopen("tests/vectors/numbers.txt", "r");
    char *line = NULL;
    size_t capacity = 0, count = 0;

    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        char *save, *name = strtok_r(line, "\t", &save), *type = strtok_r(NULL, "\t", &save),
                    *from = strtok_r(NULL, "\t", &save), *result = strtok_r(NULL, "\n", &save);

        assert_non_null(result);
        check_vector(name, type, from, result);
        count++;
    }
    assert_true(count > 700);
    free(line);
    fclose(file);
}

static void big_functions_are_bounded(void **state)
{
    static char digits[1100];
    struct number number;
    struct error err;

    number_init(&number);
    memset(digits, '7', sizeof(digits) - 1);
    read_text(&number, TYPE_VARINT, LITERAL_INTEGER, digits);
    assert_int_equal(number_apply(&number, NUMBER_LOG, &err), ERR_INVALID);
    read_text(&number, TYPE_VARINT, LITERAL_INTEGER, "2147483647");
    assert_int_equal(number_apply(&number, NUMBER_EXP, &err), ERR_INVALID);
    read_text(&number, TYPE_DECIMAL, LITERAL_FLOAT, "1e2000000000");
    assert_int_equal(number_round(&number, &err), ERR_INVALID);
    assert_int_equal(number_apply(&number, NUMBER_LOG, &err), OK);
    read_text(&number, TYPE_DECIMAL, LITERAL_FLOAT, "1e-2000000000");
    assert_int_equal(number_round(&number, &err), OK);
    assert_shows(&number, "0");
    read_text(&number, TYPE_DECIMAL, LITERAL_FLOAT, "1e-2000000000");
    assert_int_equal(number_apply(&number, NUMBER_EXP, &err), OK);
    assert_shows(&number, "1.0000000000000000000000000000000");
    number_fini(&number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_wrap_as_javas_do),       cmocka_unit_test(big_numbers_do_not),
        cmocka_unit_test(decimals_divide_to_32_digits),    cmocka_unit_test(division_by_zero_is_an_error),
        cmocka_unit_test(kinds_meet_at_the_wider),         cmocka_unit_test(casts_cut),
        cmocka_unit_test(big_functions_are_cassandras),    cmocka_unit_test(big_functions_are_bounded),
        cmocka_unit_test(quotients_are_rounded_to_digits), cmocka_unit_test(zeros_are_taken_off_the_end),
    };

    return cmocka_run_group_tests_name("plan/number", tests, NULL, NULL);
}
