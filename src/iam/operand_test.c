/* Numbers, times and networks: what is one, and how two of them compare. */
#include "iam/bed.h"

static struct bytes of(const char *text)
{
    return bytes_of_string(text);
}

static void test_numbers(void **state)
{
    /* Each is less than the next; those of a row are equal. */
    static const char *const rising[][3] = {
        { "-100000000000000000000000000000", "-100000000000000000000000000000.0" },
        { "-10", "-010" },
        { "-9.99" },
        { "-0.5", "-0.50" },
        { "0", "-0.0", "+00" },
        { "0.0000000000000000001" },
        { "0.10", "0.1" },
        { "0.11" },
        { "9", "9.0", "009" },
        { "10" },
        { "9007199254740993" },
        { "9007199254740993.5" },
        { "9007199254740994" },
        { "18446744073709551616" },
    };
    static const char *const wrong[] = { "",   "-",  "+",   ".",   "1.",  ".5",    "1e5",
                                         "1 ", " 1", "0x1", "1,5", "--1", "1.2.3", "NaN" };

    for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
        for (size_t k = 0; k < ARRAY_SIZE(rising); k++)
            for (size_t n = 0; n < 9; n++)
                if (rising[i][n / 3] && rising[k][n % 3] &&
                    number_compare(of(rising[i][n / 3]), of(rising[k][n % 3])) != (i > k) - (i < k))
                    fail_msg("%s and %s", rising[i][n / 3], rising[k][n % 3]);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (number_is(of(wrong[i])))
            fail_msg("%s is a number", wrong[i]);
}

static void test_moments(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t microseconds;
    } right[] = {
        { "2026-01-02T03:04:05Z", 1767323045, 0 },
        { "2026-01-02T03:04:05", 1767323045, 0 },
        { "2026-01-02t03:04:05z", 1767323045, 0 },
        { "2026-01-02T03:04:05.25Z", 1767323045, 250000 },
        { "2026-01-02T03:04:05.0000009Z", 1767323045, 0 },
        { "2026-01-02T05:04:05+02:00", 1767323045, 0 },
        { "2026-01-01T21:34:05-0530", 1767323045, 0 },
        { "2026-01-02T03:04Z", 1767323040, 0 },
        { "2026-01-02", 1767312000, 0 },
        { "2026-01", 1767225600, 0 },
        { "2026", 1767225600, 0 },
        { "1767323045", 1767323045, 0 },
        { "0", 0, 0 },
        { "1969-12-31T23:59:59Z", -1, 0 },
        { "2024-02-29", 1709164800, 0 },
        { "9223372036854775807", INT64_MAX, 0 },
    };
    static const char *const wrong[] = { "",
                                         "2026-13-01",
                                         "2026-02-29",
                                         "2026-1-2",
                                         "2026-01-02T",
                                         "2026-01-02T24:00Z",
                                         "2026-01-02T03Z",
                                         "2026-01-02T03:04:05.Z",
                                         "2026-01-02 03:04:05",
                                         "-1",
                                         "9223372036854775808",
                                         "2026-01-02T03:04:05+2",
                                         "now",
                                         "2026-01-02Z",
                                         "2026-00-01",
                                         "2026-01-00",
                                         "2026-01-02T03:60Z",
                                         "02026-01-01" };
    struct moment moment, later;

    for (size_t i = 0; i < ARRAY_SIZE(right); i++)
        if (!moment_read(of(right[i].text), &moment) || moment.seconds != right[i].seconds ||
            moment.microseconds != right[i].microseconds)
            fail_msg("%s", right[i].text);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (moment_read(of(wrong[i]), &moment))
            fail_msg("%s is a time", wrong[i]);
    assert_true(moment_read(of("2026-01-02T03:04:05.1Z"), &moment) &&
                moment_read(of("2026-01-02T03:04:05.2Z"), &later));
    assert_int_equal(moment_compare(&moment, &later), -1);
    assert_int_equal(moment_compare(&later, &moment), 1);
    assert_int_equal(moment_compare(&later, &later), 0);
}

static bool has(const char *network, const char *part)
{
    struct network whole, piece;

    if (!network_read(of(network), &whole) || !network_read(of(part), &piece))
        fail_msg("%s or %s is no network", network, part);
    return network_has(&whole, &piece);
}

static void test_networks(void **state)
{
    static const char *const yes[][2] = {
        { "203.0.113.0/24", "203.0.113.0" },
        { "203.0.113.0/24", "203.0.113.255" },
        { "203.0.113.77/24", "203.0.113.1" },
        { "203.0.113.7", "203.0.113.7" },
        { "203.0.113.7/32", "203.0.113.7" },
        { "0.0.0.0/0", "255.255.255.255" },
        { "203.0.113.128/25", "203.0.113.128" },
        { "203.0.113.0/31", "203.0.113.1" },
        { "2001:db8::/32", "2001:DB8:ffff::1" },
        { "2001:DB8:1234:5678::/64", "2001:db8:1234:5678:ffff::" },
        { "::/0", "::1" },
        { "2001:db8::/33", "2001:db8:7fff::" },
        { "203.0.113.0/24", "::ffff:203.0.113.7" },
        { "::ffff:203.0.113.0/120", "203.0.113.7" },
        { "10.0.0.0/8", "10.1.0.0/16" },
    };
    static const char *const no[][2] = {
        { "203.0.113.0/24", "203.0.114.0" },
        { "203.0.113.0/24", "203.0.112.255" },
        { "203.0.113.7", "203.0.113.8" },
        { "203.0.113.128/25", "203.0.113.127" },
        { "203.0.113.0/31", "203.0.113.2" },
        { "0.0.0.0/0", "::1" },
        { "::/0", "10.0.0.1" },
        { "2001:db8::/33", "2001:db8:8000::" },
        { "10.1.0.0/16", "10.0.0.0/8" },
        { "::/0", "::ffff:10.0.0.1" },
    };
    static const char *const wrong[] = { "",
                                         "1.2.3",
                                         "1.2.3.4/33",
                                         "1.2.3.4/",
                                         "1.2.3.4/-1",
                                         "1.2.3.4/+1",
                                         "1.2.3.4/08",
                                         "1.2.3.4/a",
                                         "::1/129",
                                         "1.2.3.4 ",
                                         "1.2.3.256",
                                         "g::",
                                         "1.2.3.4/24/2",
                                         "01.2.3.4",
                                         "localhost",
                                         "::1%lo",
                                         "1.2.3.4/99999999999999999999" };
    struct network network;

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (!has(yes[i][0], yes[i][1]))
            fail_msg("%s has not %s", yes[i][0], yes[i][1]);
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (has(no[i][0], no[i][1]))
            fail_msg("%s has %s", no[i][0], no[i][1]);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (network_read(of(wrong[i]), &network))
            fail_msg("%s is a network", wrong[i]);
    assert_false(network_read(BYTES_LITERAL("1.2.3.4\0x"), &network));
}

static void test_truths(void **state)
{
    bool is_true;

    assert_true(truth_read(of("true"), &is_true) && is_true);
    assert_true(truth_read(of("FALSE"), &is_true) && !is_true);
    assert_false(truth_read(of("1"), &is_true) || truth_read(of(""), &is_true) || truth_read(of("truex"), &is_true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_truths),
    };

    return cmocka_run_group_tests_name("iam/operand", tests, NULL, NULL);
}
