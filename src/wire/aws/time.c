/* Times as AWS's protocols write them: ISO 8601, HTTP's, seconds since 1970. Microseconds
 * inside, between the years 0 and 9999. */
#include "types/calendar.h"
#include "wire/aws/codec.h"

#include <assert.h>
#include <math.h>

#define SECOND INT64_C(1000000) /* in microseconds */

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970. */
#define FIRST_S INT64_C(-62167219200)
#define LAST_S  INT64_C(253402300799)

/* A fraction has at most six digits that count. */
enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, FRACTION_DIGITS = 6 };

/* A time's text, read from the front. */
struct reading {
    struct bytes rest;
    bool failed;
};

static const char *const day_names[] = {
    "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"
}; /* 1970 began on a Thursday */
static const char *const month_names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static_assert(ARRAY_SIZE(day_names) == 7 && ARRAY_SIZE(month_names) == 12, "each day and month has a name");

/* Nothing happens if another one stands there: what may be there is asked for, what must be
 * there is wanted. */
static bool take_char(struct reading *reading, char c)
{
    if (!reading->rest.size || reading->rest.data[0] != (uint8_t)c)
        return false;
    reading->rest = bytes_of(reading->rest.data + 1, reading->rest.size - 1);
    return true;
}

/* A reading that failed stays failed, so a form is read to its end and asked once. */
static void want(struct reading *reading, const char *text)
{
    for (; *text; text++)
        if (!take_char(reading, *text))
            reading->failed = true;
}

/* Exactly so many digits. */
/* Exactly so many digits: neither a sign nor blanks, nor digits of other scripts. */
static int take_number(struct reading *reading, size_t digits)
{
    int number = 0;

    if (reading->rest.size < digits)
        reading->failed = true;
    for (size_t i = 0; !reading->failed && i < digits; i++) {
        uint8_t c = reading->rest.data[i];

        if (c < '0' || c > '9')
            reading->failed = true;
        number = number * 10 + (c - '0');
    }
    if (reading->failed)
        return 0;
    reading->rest = bytes_of(reading->rest.data + digits, reading->rest.size - digits);
    return number;
}

/* The index of the name that comes next. */
static int take_name(struct reading *reading, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_starts_with(reading->rest, bytes_of_string(names[i]))) {
            reading->rest = bytes_of(reading->rest.data + 3, reading->rest.size - 3);
            return (int)i;
        }
    reading->failed = true;
    return 0;
}

/* What stands behind the point, or nothing: what is less than a microsecond is dropped. */
static int64_t take_fraction(struct reading *reading)
{
    int64_t fraction = 0;
    size_t digits = 0;

    if (!take_char(reading, '.'))
        return 0;
    while (reading->rest.size && reading->rest.data[0] >= '0' && reading->rest.data[0] <= '9') {
        if (digits < FRACTION_DIGITS)
            fraction = fraction * 10 + (reading->rest.data[0] - '0');
        digits++;
        reading->rest = bytes_of(reading->rest.data + 1, reading->rest.size - 1);
    }
    if (!digits)
        reading->failed = true;
    for (; digits < FRACTION_DIGITS; digits++)
        fraction *= 10;
    return fraction;
}

/* "Z", "+01:00", "-0130"; RFC 3339 has letters in either case. */
static int64_t take_offset_s(struct reading *reading)
{
    int64_t sign = 1, hours, minutes;

    if (take_char(reading, 'Z') || take_char(reading, 'z'))
        return 0;
    if (take_char(reading, '-'))
        sign = -1;
    else
        want(reading, "+");
    hours = take_number(reading, 2);
    take_char(reading, ':');
    minutes = take_number(reading, 2);
    if (hours > 23 || minutes > 59)
        reading->failed = true;
    return sign * (hours * HOUR_S + minutes * MINUTE_S);
}

/* Gregorian before 1582 too, and with a year 0, as ISO 8601 and all of AWS's clients have it. */
static int days_of_month(int year, int month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && leap);
}

/* Midnight of a day, in seconds since 1970; a day that its month does not have is no day. */
static int64_t day_s(struct reading *reading, int year, int month, int day)
{
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        reading->failed = true;
    return reading->failed ? 0 : calendar_days(year, month, day) * DAY_S;
}

/* Hours, minutes and seconds with that between them. A 60th second is taken for the next minute's
 * first: there were some, and clocks that say so are right. */
static int64_t take_clock_s(struct reading *reading, const char *between)
{
    int hours = take_number(reading, 2), minutes, seconds;

    want(reading, between);
    minutes = take_number(reading, 2);
    want(reading, between);
    seconds = take_number(reading, 2);
    if (hours > 23 || minutes > 59 || seconds > 60)
        reading->failed = true;
    return hours * HOUR_S + minutes * MINUTE_S + seconds;
}

/* All of the text was read, and an offset did not carry it out of the years that can be written. */
static bool is_whole(const struct reading *reading, int64_t seconds)
{
    return !reading->failed && !reading->rest.size && seconds >= FIRST_S && seconds <= LAST_S;
}

/* Smithy's date-time, and the offsets that clients send though it has none. A day without a
 * time, or a time without a zone, is refused: it would be another moment to each reader. */
bool time_read_iso8601(struct bytes text, int64_t *microseconds)
{
    struct reading reading = { .rest = text };
    int year = take_number(&reading, 4), month, day;
    int64_t seconds, fraction;

    want(&reading, "-");
    month = take_number(&reading, 2);
    want(&reading, "-");
    day = take_number(&reading, 2);
    seconds = day_s(&reading, year, month, day);
    if (!take_char(&reading, 'T') && !take_char(&reading, 't'))
        return false;
    seconds += take_clock_s(&reading, ":");
    fraction = take_fraction(&reading);
    seconds -= take_offset_s(&reading);
    if (!is_whole(&reading, seconds))
        return false;
    *microseconds = seconds * SECOND + fraction;
    return true;
}

/* IMF-fixdate, with a fraction as Smithy allows it. The older forms of HTTP's dates are refused:
 * no client of AWS writes them. The weekday must be right, for a wrong one says that something
 * else is wrong, too. */
bool time_read_http(struct bytes text, int64_t *microseconds)
{
    struct reading reading = { .rest = text };
    int year, month, day, weekday = take_name(&reading, day_names, ARRAY_SIZE(day_names));
    int64_t seconds, fraction, midnight;

    want(&reading, ", ");
    day = take_number(&reading, 2);
    want(&reading, " ");
    month = take_name(&reading, month_names, ARRAY_SIZE(month_names)) + 1;
    want(&reading, " ");
    year = take_number(&reading, 4);
    midnight = day_s(&reading, year, month, day);
    want(&reading, " ");
    seconds = midnight + take_clock_s(&reading, ":");
    fraction = take_fraction(&reading);
    want(&reading, " GMT");
    if (!is_whole(&reading, seconds) || ((midnight / DAY_S) % 7 + 7) % 7 != weekday)
        return false;
    *microseconds = seconds * SECOND + fraction;
    return true;
}

/* Nothing may be left out or added: what was read is signed as it was written. */
bool time_read_basic(struct bytes text, int64_t *seconds)
{
    struct reading reading = { .rest = text };
    int year = take_number(&reading, 4), month = take_number(&reading, 2), day = take_number(&reading, 2);
    int64_t result = day_s(&reading, year, month, day);

    want(&reading, "T");
    result += take_clock_s(&reading, "");
    want(&reading, "Z");
    if (!is_whole(&reading, result))
        return false;
    *seconds = result;
    return true;
}

/* ---- writing ---- */

/* A time in its parts. */
struct civil {
    int year, month, day, hours, minutes, seconds, weekday;
    int fraction; /* microseconds */
};

/* Division rounds down, not to zero: before 1970 as well a fraction counts forward. */
static struct civil civil_of(int64_t microseconds)
{
    int64_t fraction = (microseconds % SECOND + SECOND) % SECOND, seconds = (microseconds - fraction) / SECOND;

    assert(seconds >= FIRST_S && seconds <= LAST_S);

    int64_t of_day = (seconds % DAY_S + DAY_S) % DAY_S, days = (seconds - of_day) / DAY_S;
    int year = (int)calendar_year(days), month = 1;

    /* At most eleven looks: a table of days would need the leap year once more. */
    while (month < 12 && calendar_days(year, month + 1, 1) <= days)
        month++;
    return (struct civil){
        .year = year,
        .month = month,
        .day = (int)(days - calendar_days(year, month, 1)) + 1,
        .hours = (int)(of_day / HOUR_S),
        .minutes = (int)(of_day % HOUR_S / MINUTE_S),
        .seconds = (int)(of_day % MINUTE_S),
        .weekday = (int)((days % 7 + 7) % 7),
        .fraction = (int)fraction,
    };
}

/* ".5", or nothing: what has no fraction is written without one, as Smithy's tests want it, and what
 * has one with as few digits as say it. */
static void write_fraction(struct buffer *out, int fraction)
{
    if (!fraction)
        return;
    buffer_printf(out, ".%06d", fraction);
    while (out->data[out->size - 1] == '0')
        out->size--;
    assert(out->data[out->size - 1] != '.');
}

/* Always UTC and four digits of a year, which is what Smithy's clients parse. */
void time_write_iso8601(struct buffer *out, int64_t microseconds)
{
    struct civil at = civil_of(microseconds);

    buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", at.year, at.month, at.day, at.hours, at.minutes, at.seconds);
    write_fraction(out, at.fraction);
    buffer_append_u8(out, 'Z');
}

/* HTTP itself knows no fractions; Smithy's clients do, and what has none gets none. */
void time_write_http(struct buffer *out, int64_t microseconds)
{
    struct civil at = civil_of(microseconds);

    buffer_printf(out, "%s, %02d %s %04d %02d:%02d:%02d", day_names[at.weekday], at.day, month_names[at.month - 1],
                  at.year, at.hours, at.minutes, at.seconds);
    write_fraction(out, at.fraction);
    buffer_append_string(out, " GMT");
}

void time_write_basic(struct buffer *out, int64_t seconds)
{
    struct civil at = civil_of(seconds * SECOND);

    buffer_printf(out, "%04d%02d%02dT%02d%02d%02dZ", at.year, at.month, at.day, at.hours, at.minutes, at.seconds);
}

/* Exact, never through a double. Before 1970 the sign is of the whole: a quarter second before
 * is -0.25. */
void time_write_epoch(struct buffer *out, int64_t microseconds)
{
    uint64_t size = microseconds < 0 ? -(uint64_t)microseconds : (uint64_t)microseconds;

    buffer_printf(out, "%s%llu", microseconds < 0 ? "-" : "", (unsigned long long)(size / SECOND));
    write_fraction(out, (int)(size % SECOND));
}

/* A double is good to a microsecond until the year 2242, so it is rounded to the nearest. */
/* NaN is refused too, since no comparison is true for it. */
bool time_of_epoch(double seconds, int64_t *microseconds)
{
    if (!(seconds >= (double)FIRST_S && seconds < (double)(LAST_S + 1)))
        return false;

    double whole = floor(seconds);
    int64_t fraction = (int64_t)round((seconds - whole) * (double)SECOND), result = (int64_t)whole * SECOND + fraction;

    assert(fraction >= 0 && fraction <= SECOND);
    assert(result < (LAST_S + 1) * SECOND); /* a double's last step before is 30 microseconds */
    *microseconds = result;
    return true;
}
