/* Dates, times, timestamps and durations, to text and from it, as Cassandra 5.0 reads and writes
 * them. Cassandra has this from Java's formatters, each with habits of its own: a date takes years
 * of any size, a timestamp counts years in their era, a time takes leading zeros. What is accepted
 * and refused here is recorded from Java's classes (tests/vectors), and where a rule looks odd it
 * is theirs.
 *
 * The calendar is the proleptic Gregorian one. No clock is read, and a time zone's name is looked
 * up elsewhere (zone.c). */
#include "types/calendar.h"

#include "types/number.h"
#include "types/zone.h"

#include <assert.h>
#include <ctype.h>

#define MS_PER_DAY    86400000LL
#define NS_PER_SECOND 1000000000LL

/* Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": eras of 400 years that start on
 * March 1, so that leap days come last and every era has 146097 days. Division rounds towards zero
 * in C, so what lies before the era is moved up first. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    assert(month >= 1 && month <= 12 && day >= 1 && day <= 31);
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* The inverse, for any day that 64 bits of milliseconds can hold. */
static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_index = (int)((5 * day_of_year + 2) / 153);
    /* The months since March have 153 days in each five: 31, 30, 31, 30, 31. */

    *day = (int)(day_of_year - (153 * month_index + 2) / 5) + 1;
    *month = month_index < 10 ? month_index + 3 : month_index - 9;
    /* January and February belong to the year that began in the March before. */
    *year = year_of_era + era * 400 + (*month <= 2);
    assert(*month >= 1 && *month <= 12 && *day >= 1 && *day <= 31);
}

int64_t calendar_days(int64_t year, int month, int day)
{
    return days_from_civil(year, month, day);
}

int64_t calendar_year(int64_t days)
{
    int64_t year;
    int month, day;

    civil_from_days(days, &year, &month, &day);
    return year;
}

/* The Gregorian rule: every fourth year, but for centuries, but for every fourth of these. */
static int days_in_month(int64_t year, int month)
{
    static const int8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    assert(month >= 1 && month <= 12);
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return lengths[month - 1];
}

/* As Java's ISO_LOCAL_DATE: a sign where the year has more than four digits or lies before 0. */
static void print_date(struct buffer *out, int64_t year, int month, int day)
{
    buffer_printf(out, "%s%04lld-%02d-%02d",
                  year < 0      ? "-"
                  : year > 9999 ? "+"
                                : "",
                  (long long)(year < 0 ? -year : year), month, day);
}

void date_print(struct buffer *out, int64_t days)
{
    int64_t year;
    int month, day;

    civil_from_days(days, &year, &month, &day);
    print_date(out, year, month, day);
}

/* Java's 'y' counts years within their era, so there is no year 0 and none below: 0 is 1 BC, and
 * prints as 1. */
void timestamp_print(struct buffer *out, int64_t ms, char separator)
{
    int64_t days = ms / MS_PER_DAY, rest = ms % MS_PER_DAY, year;
    int month, day;

    /* Division rounds towards zero: before 1970 the day is the one below. */
    if (rest < 0) {
        rest += MS_PER_DAY;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    print_date(out, year <= 0 ? 1 - year : year, month, day);
    buffer_printf(out, "%c%02d:%02d:%02d.%03dZ", separator, (int)(rest / 3600000), (int)(rest / 60000 % 60),
                  (int)(rest / 1000 % 60), (int)(rest % 1000));
}

/* Zeros in front of what is shorter than `width`; a negative number counts as one digit, as in
 * Cassandra, which pads numbers by comparing them and not by counting. */
static void print_padded(struct buffer *out, int64_t v, int width)
{
    int64_t limit = width == 3 ? 100 : 10;

    for (; limit > 1 && v < limit; limit /= 10)
        buffer_append_u8(out, '0');
    buffer_printf(out, "%lld", (long long)v);
}

/* A time that was not validated as one of a day (any 8 bytes are stored) prints as Cassandra prints
 * it. */
void time_print(struct buffer *out, int64_t nanoseconds)
{
    print_padded(out, nanoseconds / (3600 * NS_PER_SECOND) % 24, 2);
    buffer_append_u8(out, ':');
    print_padded(out, nanoseconds / (60 * NS_PER_SECOND) % 60, 2);
    buffer_append_u8(out, ':');
    print_padded(out, nanoseconds / NS_PER_SECOND % 60, 2);
    buffer_append_u8(out, '.');
    print_padded(out, nanoseconds / 1000000 % 1000, 3);
    print_padded(out, nanoseconds / 1000 % 1000, 3);
    print_padded(out, nanoseconds % 1000, 3);
}

/* Units that are 0 are left out, as in Cassandra. */
static int64_t print_unit(struct buffer *out, int64_t amount, int64_t per_unit, const char *unit)
{
    if (amount >= per_unit)
        buffer_printf(out, "%lld%s", (long long)(amount / per_unit), unit);
    return amount > 0 ? amount % per_unit : 0; /* negative only if there is no absolute value: Long.MIN_VALUE */
}

/* Through an unsigned number, since the smallest number has no positive; it stays as it is, like
 * Java's. */
static int64_t absolute(int64_t v)
{
    return v < 0 ? (int64_t) - (uint64_t)v : v;
}

/* A duration has months, days and nanoseconds, and none of them becomes another: a month has no
 * fixed number of days. */
void duration_print(struct buffer *out, int64_t months, int64_t days, int64_t nanoseconds)
{
    if (months < 0 || days < 0 || nanoseconds < 0)
        buffer_append_u8(out, '-');
    /* Java's Math.abs(int) keeps the one value that has no positive: nothing is printed for it. */
    int64_t rest = print_unit(out, months == INT32_MIN ? INT32_MIN : absolute(months), 12, "y");
    print_unit(out, rest, 1, "mo");
    print_unit(out, days == INT32_MIN ? INT32_MIN : absolute(days), 1, "d");
    rest = print_unit(out, absolute(nanoseconds), 3600 * NS_PER_SECOND, "h");
    rest = print_unit(out, rest, 60 * NS_PER_SECOND, "m");
    rest = print_unit(out, rest, NS_PER_SECOND, "s");
    rest = print_unit(out, rest, 1000000, "ms");
    rest = print_unit(out, rest, 1000, "us");
    print_unit(out, rest, 1, "ns");
}

/* Parsing. Each take_ function advances on success only, so that a caller can try one form after
 * another. */

static bool take_char(struct bytes *text, char c)
{
    if (text->size == 0 || text->data[0] != (uint8_t)c)
        return false;
    *text = bytes_of(text->data + 1, text->size - 1);
    return true;
}

/* Between min and max digits, as many as there are. No caller asks for more than 18, which cannot
 * overflow. */
static bool take_number(struct bytes *text, size_t min, size_t max, int64_t *result)
{
    size_t count = 0;
    int64_t v = 0;

    assert(max <= 18);
    while (count < text->size && count < max && text->data[count] >= '0' && text->data[count] <= '9')
        v = v * 10 + (text->data[count++] - '0');
    if (count < min)
        return false;
    *text = bytes_of(text->data + count, text->size - count);
    *result = v;
    return true;
}

/* Year of 4 digits, or with a sign of up to 9 ('+' only where more than 4 are needed), as Java's
 * ISO_LOCAL_DATE parses. */
static bool take_date(struct bytes *text, int64_t *year, int *month, int *day)
{
    struct bytes rest = *text;
    bool minus = take_char(&rest, '-'), plus = !minus && take_char(&rest, '+');
    int64_t y, m, d;

    if (!take_number(&rest, plus ? 5 : 4, minus || plus ? 9 : 4, &y) || !take_char(&rest, '-') ||
        !take_number(&rest, 2, 2, &m) || !take_char(&rest, '-') || !take_number(&rest, 2, 2, &d))
        return false;
    if (m < 1 || m > 12 || d < 1 || d > 31)
        return false;
    *text = rest;
    *year = minus ? -y : y;
    *month = (int)m;
    *day = (int)d;
    return true;
}

/* Before a clock: a year of the era with as many digits as it has; zeros in front mean nothing.
 * That is how the formats of timestamps read, which are lenient where that of dates is not. */
static bool take_plain_date(struct bytes *text, int64_t *year, int *month, int *day)
{
    int64_t m, d;

    if (!take_number(text, 1, 9, year) || *year < 1 || !take_char(text, '-') || !take_number(text, 1, 18, &m) ||
        !take_char(text, '-') || !take_number(text, 1, 18, &d))
        return false;
    *month = (int)m;
    *day = (int)d;
    return m >= 1 && m <= 12 && d >= 1 && d <= 31;
}

/* A date alone is strict: February 30 is none, which a timestamp would take (below). */
bool date_parse(struct bytes text, int64_t *days)
{
    int64_t year;
    int month, day;

    if (!take_date(&text, &year, &month, &day) || text.size || day > days_in_month(year, month))
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

/* "." and min to 9 digits, as nanoseconds. A fraction of a timestamp may have no digit behind its
 * point, that of a time must. */
static bool take_fraction(struct bytes *text, size_t min, int64_t *nanoseconds)
{
    struct bytes rest = *text;
    int64_t v;

    if (!take_char(&rest, '.'))
        return false;
    size_t before = rest.size;
    if (!take_number(&rest, min, 9, &v))
        return false;
    /* What is not written is zero: .5 is 500 million nanoseconds. */
    for (size_t digits = before - rest.size; digits < 9; digits++)
        v *= 10;
    *text = rest;
    *nanoseconds = v;
    return true;
}

/* As Java's parseInt, which lets a plus and any zeros stand in front. */
static bool take_plain_number(struct bytes *text, int64_t *result)
{
    take_char(text, '+');
    return take_number(text, 1, 10, result);
}

/* Java's parseLong for each part, with blanks around the whole. */
bool time_parse(struct bytes text, int64_t *nanoseconds)
{
    int64_t hours, minutes, seconds, fraction = 0;

    while (take_char(&text, ' '))
        ;
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    if (!take_plain_number(&text, &hours) || !take_char(&text, ':') || !take_plain_number(&text, &minutes) ||
        !take_char(&text, ':') || !take_plain_number(&text, &seconds))
        return false;
    take_fraction(&text, 1, &fraction);
    if (text.size || hours > 23 || minutes > 59 || seconds > 59)
        return false;
    *nanoseconds = (hours * 3600 + minutes * 60 + seconds) * NS_PER_SECOND + fraction;
    return true;
}

/* Hours, minutes, and perhaps seconds and a fraction, of any number of digits. 24:00 is the end of
 * the day and nothing behind it. The fraction is cut to milliseconds, which is what a timestamp
 * has. */
static bool take_clock(struct bytes *text, int64_t *ms)
{
    struct bytes rest = *text;
    int64_t hours, minutes, seconds = 0, fraction = 0;

    if (!take_number(&rest, 1, 18, &hours) || !take_char(&rest, ':') || !take_number(&rest, 1, 18, &minutes))
        return false;
    if (take_char(&rest, ':')) {
        if (!take_number(&rest, 1, 18, &seconds))
            return false;
        take_fraction(&rest, 0, &fraction);
    }
    if (minutes > 59 || seconds > 59 || hours > 24 || (hours == 24 && (minutes || seconds || fraction)))
        return false;
    *text = rest;
    *ms = (hours * 3600 + minutes * 60 + seconds) * 1000 + fraction / 1000000;
    return true;
}

/* [+-]hh, hhmm, hh:mm, and behind a space also hh:mm:ss. is_long: this form with colons alone. */
static bool take_offset(struct bytes *text, bool may_have_seconds, bool is_long, int64_t *offset_s)
{
    enum { OFFSET_MAX_S = 18 * 3600 };
    bool minus = take_char(text, '-'), colon = false;
    int64_t hours, minutes = 0, seconds = 0;

    if ((!minus && !take_char(text, '+')) || !take_number(text, 2, 2, &hours))
        return false;
    if (text->size) {
        colon = take_char(text, ':');
        if (!take_number(text, 2, 2, &minutes))
            return false;
    }
    if (text->size && (!colon || !may_have_seconds || !take_char(text, ':') || !take_number(text, 2, 2, &seconds)))
        return false;
    *offset_s = hours * 3600 + minutes * 60 + seconds;
    if (text->size || minutes > 59 || seconds > 59 || *offset_s > OFFSET_MAX_S || (is_long && !colon))
        return false;
    if (minus)
        *offset_s = -*offset_s;
    return true;
}

/* Nothing is UTC; Z; an offset; behind a space also a zone's name, or UTC, GMT, UT and an offset.
 * Cassandra would read a text without a zone in the server's own; this server has none but UTC. */
static enum status read_zone(struct bytes text, int64_t local_s, int64_t *offset_s, struct error *err)
{
    static const char *const utc[] = { "UTC", "GMT", "UT" };
    bool has_space = take_char(&text, ' ');
    struct bytes rest = text;

    *offset_s = 0;
    if ((text.size == 0 && !has_space) || bytes_equal(text, BYTES_LITERAL("Z")) ||
        take_offset(&rest, has_space, false, offset_s))
        return OK;
    for (size_t i = 0; has_space && i < ARRAY_SIZE(utc); i++) {
        struct bytes name = bytes_of_string(utc[i]);

        if (!bytes_starts_with(text, name))
            continue;
        rest = bytes_of(text.data + name.size, text.size - name.size);
        if (rest.size == 0 || take_offset(&rest, true, true, offset_s))
            return OK;
        /* "GMT+x" is no name of a zone either. */
        if (text.data[name.size] == '+' || text.data[name.size] == '-')
            return ERR_INVALID;
    }
    return has_space ? zone_offset(text, local_s, offset_s, err) : ERR_INVALID;
}

/* With a clock first, which takes years without their zeros; then as a date alone, which is
 * midnight. */
enum status timestamp_parse(struct bytes text, int64_t *ms, struct error *err)
{
    int64_t year, clock = 0, offset;
    int month, day;

    struct bytes rest = text;
    bool has_clock = take_plain_date(&rest, &year, &month, &day) && (take_char(&rest, 'T') || take_char(&rest, ' ')) &&
                     take_clock(&rest, &clock);
    if (!has_clock && (rest = text, !take_date(&rest, &year, &month, &day)))
        return ERR_INVALID;
    text = rest;
    /* February 30 is the last of February. */
    if (day > days_in_month(year, month))
        day = days_in_month(year, month);
    /* 128 bits: the year may have nine digits, and the sum is compared with what a timestamp can
     * hold only at the end. */
    __int128 wide = (__int128)days_from_civil(year, month, day) * MS_PER_DAY + clock;
    int64_t local_s = (int64_t)(wide / 1000 - (wide % 1000 < 0)); /* years have nine digits at most */
    enum status status = read_zone(text, local_s, &offset, err);
    if (status)
        return status;
    wide -= (__int128)offset * 1000;
    if (wide < INT64_MIN || wide > INT64_MAX)
        return ERR_INVALID;
    *ms = (int64_t)wide;
    return OK;
}

/* In the order in which they may be written: a unit after a smaller one is refused by it. */
enum unit { UNIT_NONE, YEARS, MONTHS, WEEKS, DAYS, HOURS, MINUTES, SECONDS, MILLISECONDS, MICROSECONDS, NANOSECONDS };

static const struct unit_info {
    const char *name;
    int64_t size; /* months, days or nanoseconds */
} units[] = {
    [YEARS] = { "years", 12 },
    [MONTHS] = { "months", 1 },
    [WEEKS] = { "weeks", 7 },
    [DAYS] = { "days", 1 },
    [HOURS] = { "hours", 3600 * NS_PER_SECOND },
    [MINUTES] = { "minutes", 60 * NS_PER_SECOND },
    [SECONDS] = { "seconds", NS_PER_SECOND },
    [MILLISECONDS] = { "milliseconds", 1000000 },
    [MICROSECONDS] = { "microseconds", 1000 },
    [NANOSECONDS] = { "nanoseconds", 1 },
};

/* What was read so far, and of which unit the last part was. */
struct duration_builder {
    int64_t months, days, nanoseconds;
    enum unit last;
    struct bytes text;
    struct error *err;
};

/* One message for all that has no form of a duration, as in Cassandra. */
static enum status not_a_duration(const struct duration_builder *builder)
{
    return error_set(builder->err, ERR_INVALID, "Unable to convert '%.*s' to a duration", BYTES(builder->text));
}

/* Months and days are limited to 32 bits, nanoseconds to 64; the text of the error names the
 * former's limit in both cases, as Cassandra's does. */
static enum status add_unit(struct duration_builder *builder, enum unit unit, struct bytes digits)
{
    int64_t amount;

    assert(unit > UNIT_NONE && unit <= NANOSECONDS);
    if (!integer_parse(digits, 0, INT64_MAX, &amount))
        return error_set(builder->err, ERR_INVALID, "For input string: \"%.*s\"", BYTES(digits));
    if (unit == builder->last)
        return error_set(builder->err, ERR_INVALID, "Invalid duration. The %s are specified multiple times",
                         units[unit].name);
    if (unit < builder->last)
        return error_set(builder->err, ERR_INVALID, "Invalid duration. The %s should be after %s",
                         units[builder->last].name, units[unit].name);
    builder->last = unit;

    int64_t *total = unit <= MONTHS ? &builder->months : unit <= DAYS ? &builder->days : &builder->nanoseconds;
    int64_t max = unit <= DAYS ? INT32_MAX : INT64_MAX;
    if (amount > (max - *total) / units[unit].size)
        return error_set(builder->err, ERR_INVALID,
                         "Invalid duration. The total number of %s must be less or equal to %d",
                         unit <= MONTHS ? "months"
                         : unit <= DAYS ? "days"
                                        : "nanoseconds",
                         INT32_MAX);
    *total += amount * units[unit].size;
    return OK;
}

/* Perhaps none: the caller decides what that means. */
static struct bytes take_digits(struct bytes *text)
{
    size_t count = 0;

    while (count < text->size && text->data[count] >= '0' && text->data[count] <= '9')
        count++;
    struct bytes digits = bytes_of(text->data, count);
    *text = bytes_of(text->data + count, text->size - count);
    return digits;
}

/* The unit's letters, any case. */
static enum unit take_unit(struct bytes *text)
{
    static const struct {
        const char *letters;
        enum unit unit;
    } symbols[] = {
        /* the longer before its own beginning */
        { "mo", MONTHS },      { "ms", MILLISECONDS }, { "us", MICROSECONDS }, { "\xC2\xB5s", MICROSECONDS },
        { "ns", NANOSECONDS }, { "y", YEARS },         { "w", WEEKS },         { "d", DAYS },
        { "h", HOURS },        { "m", MINUTES },       { "s", SECONDS },
    };

    for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
        size_t size = strlen(symbols[i].letters), same = 0;

        if (text->size < size)
            continue;
        while (same < size && tolower(text->data[same]) == (uint8_t)symbols[i].letters[same])
            same++;
        if (same == size) {
            *text = bytes_of(text->data + size, text->size - size);
            return symbols[i].unit;
        }
    }
    return UNIT_NONE;
}

/* 1y2mo3w4d5h6m7s8ms9us10ns */
static enum status parse_units(struct duration_builder *builder)
{
    struct bytes rest = builder->text, scan = builder->text;

    /* Nothing is added before all of it is known to be of this form: it decides the error. */
    do {
        if (take_digits(&scan).size == 0 || take_unit(&scan) == UNIT_NONE)
            return not_a_duration(builder);
    } while (scan.size);
    while (rest.size) {
        struct bytes digits = take_digits(&rest);
        enum status status = add_unit(builder, take_unit(&rest), digits);

        if (status)
            return status;
    }
    return OK;
}

/* P1Y2M3DT4H5M6S */
static enum status parse_iso(struct duration_builder *builder)
{
    static const char letters[] = "YMDTHMS";
    static const enum unit of_letter[] = { YEARS, MONTHS, DAYS, UNIT_NONE, HOURS, MINUTES, SECONDS };
    struct bytes rest = bytes_of(builder->text.data + 1, builder->text.size - 1);
    size_t at = 0;

    /* T divides dates from times: before it M means months, behind it minutes. */
    while (rest.size) {
        if (rest.data[0] == 'T' && at <= 3) {
            at = 4;
            take_char(&rest, 'T');
            continue;
        }
        struct bytes digits = take_digits(&rest);
        size_t end = at <= 3 ? 3 : 7;
        if (digits.size == 0 || rest.size == 0)
            return not_a_duration(builder);
        while (at < end && letters[at] != (char)rest.data[0])
            at++;
        if (at == end)
            return not_a_duration(builder);
        take_char(&rest, letters[at]);
        enum status status = add_unit(builder, of_letter[at++], digits);
        if (status)
            return status;
    }
    return OK;
}

/* P0001-02-03T04:05:06: each part has its number of digits. */
static enum status parse_alternative(struct duration_builder *builder)
{
    static const struct {
        uint8_t digits;
        char before;
        enum unit unit;
    } parts[] = { { 4, 'P', YEARS }, { 2, '-', MONTHS },  { 2, '-', DAYS },
                  { 2, 'T', HOURS }, { 2, ':', MINUTES }, { 2, ':', SECONDS } };
    struct bytes rest = builder->text;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!take_char(&rest, parts[i].before))
            return not_a_duration(builder);
        struct bytes digits = take_digits(&rest);
        if (digits.size != parts[i].digits)
            return not_a_duration(builder);
        enum status status = add_unit(builder, parts[i].unit, digits);
        if (status)
            return status;
    }
    return rest.size ? not_a_duration(builder) : OK;
}

/* P3W */
static enum status parse_weeks(struct duration_builder *builder)
{
    struct bytes rest = bytes_of(builder->text.data + 1, builder->text.size - 1);
    struct bytes digits = take_digits(&rest);

    if (digits.size == 0 || !take_char(&rest, 'W') || rest.size)
        return not_a_duration(builder);
    return add_unit(builder, WEEKS, digits);
}

/* The form is told by its first letter and its last: with units, in weeks, with dashes, or ISO
 * 8601's with letters. A sign stands in front of the whole. */
enum status duration_parse(struct bytes text, int64_t *months, int64_t *days, int64_t *nanoseconds, struct error *err)
{
    struct duration_builder builder = { .err = err };
    enum status status;
    bool minus = take_char(&text, '-');

    builder.text = text;
    if (text.size == 0 || text.data[0] != 'P')
        status = parse_units(&builder);
    else if (text.data[text.size - 1] == 'W')
        status = parse_weeks(&builder);
    else if (memchr(text.data, '-', text.size))
        status = parse_alternative(&builder);
    else
        status = parse_iso(&builder);
    if (status)
        return status;
    *months = minus ? -builder.months : builder.months;
    *days = minus ? -builder.days : builder.days;
    *nanoseconds = minus ? -builder.nanoseconds : builder.nanoseconds;
    return OK;
}
