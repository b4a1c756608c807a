/* Times are read as AWS's protocols write them and written back the same; each day of ten thousand years, leap years, offsets and
 * fractions; what is no time is refused. */
#include "types/calendar.h"
#include "wire/aws/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

static void expect_iso(const char *text, int64_t microseconds)
{
    int64_t found = -1;

    assert_true(time_read_iso8601(bytes_of_string(text), &found));
    assert_int_equal(found, microseconds);
}

static void expect_written(void (*write)(struct buffer *, int64_t), int64_t at, const char *text)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };

    write(&out, at);
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.data, text, out.size);
}

static void iso8601_is_read_and_written(void **state)
{
    const int64_t at = 1767323045 * SECOND;

    expect_iso("2026-01-02T03:04:05Z", at);
    expect_iso("2026-01-02t03:04:05z", at);
    expect_iso("2026-01-02T03:04:05.5Z", at + SECOND / 2);
    expect_iso("2026-01-02T03:04:05.500Z", at + SECOND / 2);
    expect_iso("2026-01-02T03:04:05.1234569Z", at + 123456);
    expect_iso("2026-01-02T03:04:05.000000000000000000000000000001Z", at);
    expect_iso("2026-01-02T04:04:05+01:00", at);
    expect_iso("2026-01-01T21:34:05-05:30", at);
    expect_iso("2026-01-02T03:04:05+0000", at);
    expect_iso("2024-02-29T00:00:00Z", 1709164800 * SECOND);
    expect_iso("2000-02-29T00:00:00Z", 951782400 * SECOND);
    expect_iso("2016-12-31T23:59:60Z", 1483228800 * SECOND);
    expect_iso("1969-12-31T23:59:59.999999Z", -1);
    expect_iso("0000-01-01T00:00:00Z", INT64_C(-62167219200) * SECOND);
    expect_iso("9999-12-31T23:59:59.999999Z", INT64_C(253402300800) * SECOND - 1);

    expect_written(time_write_iso8601, at, "2026-01-02T03:04:05Z");
    expect_written(time_write_iso8601, at + SECOND / 2, "2026-01-02T03:04:05.5Z");
    expect_written(time_write_iso8601, at + 1, "2026-01-02T03:04:05.000001Z");
    expect_written(time_write_iso8601, -1, "1969-12-31T23:59:59.999999Z");
    expect_written(time_write_iso8601, INT64_C(-62167219200) * SECOND, "0000-01-01T00:00:00Z");
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "2026",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-1-2T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05,5Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05 Z",
        " 2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+01:60",
        "2026-01-02T03:04:05+1",
        "12026-01-02T03:04:05Z",
        "-026-01-02T03:04:05Z",
        "+026-01-02T03:04:05Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-01-02T03:04:0\xc2\xb2Z",
        "1767323045",
    };
    static const char *const wrong_http[] = {
        "",
        "Fri, 02 Jan 2026 03:04:05",
        "Thu, 02 Jan 2026 03:04:05 GMT",
        "Fri, 2 Jan 2026 03:04:05 GMT",
        "Fri, 02 jan 2026 03:04:05 GMT",
        "Fri, 02 Jan 26 03:04:05 GMT",
        "Fri, 02 Jan 2026 03:04:05 UTC",
        "Fri, 02 Jan 2026 03:04:05 -0000",
        "Sun, 30 Feb 2026 03:04:05 GMT",
        "Fri, 02 Jan 2026 03:04:05 GMT ",
        "Fri, 02-Jan-26 03:04:05 GMT",
        "Fri, 02 Jan 2026 25:04:05 GMT",
    };
    static const char *const wrong_basic[] = { "",
                                               "20260102T030405",
                                               "20260102T030405z",
                                               "20260102 030405Z",
                                               "20260230T030405Z",
                                               "20260102T250405Z",
                                               "2026-01-02T03:04:05Z",
                                               "20260102T030405ZZ" };
    int64_t found = 7;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(time_read_iso8601(bytes_of_string(wrong[i]), &found));
    for (size_t i = 0; i < ARRAY_SIZE(wrong_http); i++)
        assert_false(time_read_http(bytes_of_string(wrong_http[i]), &found));
    for (size_t i = 0; i < ARRAY_SIZE(wrong_basic); i++)
        assert_false(time_read_basic(bytes_of_string(wrong_basic[i]), &found));
    assert_false(time_read_iso8601(bytes_of(NULL, 0), &found));
    assert_int_equal(found, 7);
}

static void every_day_comes_back(void **state)
{
    for (int64_t day = calendar_days(0, 1, 1); day <= calendar_days(9999, 12, 31); day++) {
        CLEANUP(buffer_fini) struct buffer iso = { 0 }, http = { 0 }, basic = { 0 };
        const int64_t at = day * DAY + (day & 1 ? DAY - 1 : 12345 * SECOND);
        int64_t found;

        time_write_iso8601(&iso, at);
        assert_true(time_read_iso8601(buffer_bytes(&iso), &found));
        assert_int_equal(found, at);
        time_write_http(&http, at);
        assert_true(time_read_http(buffer_bytes(&http), &found));
        assert_int_equal(found, at);
        time_write_basic(&basic, day * 86400 + 5);
        assert_true(time_read_basic(buffer_bytes(&basic), &found));
        assert_int_equal(found, day * 86400 + 5);
    }
}

static void http_dates_are_read_and_written(void **state)
{
    const int64_t at = 1767323045 * SECOND;
    int64_t found;

    assert_true(time_read_http(BYTES_LITERAL("Fri, 02 Jan 2026 03:04:05 GMT"), &found));
    assert_int_equal(found, at);
    assert_true(time_read_http(BYTES_LITERAL("Fri, 02 Jan 2026 03:04:05.25 GMT"), &found));
    assert_int_equal(found, at + SECOND / 4);
    expect_written(time_write_http, at, "Fri, 02 Jan 2026 03:04:05 GMT");
    expect_written(time_write_http, at + SECOND / 4, "Fri, 02 Jan 2026 03:04:05.25 GMT");
    expect_written(time_write_http, 0, "Thu, 01 Jan 1970 00:00:00 GMT");
    expect_written(time_write_http, -DAY, "Wed, 31 Dec 1969 00:00:00 GMT");
}

static void seconds_are_read_and_written(void **state)
{
    int64_t found;

    expect_written(time_write_epoch, 1767323045 * SECOND, "1767323045");
    expect_written(time_write_epoch, 1767323045 * SECOND + SECOND / 2, "1767323045.5");
    expect_written(time_write_epoch, 1, "0.000001");
    expect_written(time_write_epoch, -1, "-0.000001");
    expect_written(time_write_epoch, -SECOND, "-1");
    expect_written(time_write_epoch, 0, "0");

    assert_true(time_of_epoch(1767323045.5, &found));
    assert_int_equal(found, 1767323045 * SECOND + SECOND / 2);
    assert_true(time_of_epoch(1767323045.123456, &found));
    assert_int_equal(found, 1767323045 * SECOND + 123456);
    assert_true(time_of_epoch(-0.25, &found));
    assert_int_equal(found, -SECOND / 4);
    assert_true(time_of_epoch(-62167219200.0, &found));
    assert_true(time_of_epoch(253402300799.5, &found));
    assert_false(time_of_epoch(253402300800.0, &found));
    assert_false(time_of_epoch(-62167219201.0, &found));
    assert_true(time_of_epoch(nextafter(253402300800.0, 0), &found));
    assert_true(found < INT64_C(253402300800) * SECOND);
    assert_false(time_of_epoch(1e300, &found) || time_of_epoch(-1e300, &found));
    assert_false(time_of_epoch((double)NAN, &found) || time_of_epoch((double)INFINITY, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso8601_is_read_and_written),  cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(every_day_comes_back),         cmocka_unit_test(http_dates_are_read_and_written),
        cmocka_unit_test(seconds_are_read_and_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
