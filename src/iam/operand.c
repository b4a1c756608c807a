/* Readers of short texts, each strict: what is only almost a number or an address would be
 * compared as something its writer did not mean. None of them keeps anything, so that a
 * request's value can be read wherever it lies. */
#include "iam/operand.h"

#include "base/memory.h"
#include "types/calendar.h"
#include "types/number.h"

#include <arpa/inet.h>
#include <assert.h>

enum {
    DAY_S = 86400,
    HOUR_S = 3600,
    MINUTE_S = 60,
    FRACTION_DIGITS = 6,
    V4_BITS = 32,
    V6_BITS = 128,
    MAPPED_BITS = 96
};

/* What is left of a text. */
static struct bytes behind(struct bytes text, size_t size)
{
    assert(size <= text.size);
    return bytes_of(text.data + size, text.size - size);
}

/* ASCII digits: those of other scripts are letters here. */
static size_t count_digits(struct bytes text)
{
    size_t count = 0;

    while (count < text.size && text.data[count] >= '0' && text.data[count] <= '9')
        count++;
    return count;
}

/* ---- numbers ---- */

/* A number without what does not count: zeros before and behind. Zero has no digits and no sign. */
struct number_parts {
    bool is_negative;
    struct bytes whole, fraction;
};

/* Sign, digits, and digits behind a point if there is one. What is left over makes it none. */
static bool number_split(struct bytes text, struct number_parts *parts)
{
    bool is_negative = text.size && text.data[0] == '-';

    if (is_negative || (text.size && text.data[0] == '+'))
        text = behind(text, 1);
    struct bytes whole = bytes_of(text.data, count_digits(text)), fraction = { NULL, 0 };
    if (!whole.size)
        return false;
    text = behind(text, whole.size);
    if (text.size && text.data[0] == '.') {
        text = behind(text, 1);
        fraction = bytes_of(text.data, count_digits(text));
        if (!fraction.size)
            return false;
        text = behind(text, fraction.size);
    }
    if (text.size)
        return false;
    /* What remains is one form for each number, so comparing is comparing texts. */
    while (whole.size && whole.data[0] == '0')
        whole = behind(whole, 1);
    while (fraction.size && fraction.data[fraction.size - 1] == '0')
        fraction.size--;
    *parts = (struct number_parts){ is_negative && (whole.size || fraction.size), whole, fraction };
    return true;
}

/* What number_compare may be given. */
bool number_is(struct bytes text)
{
    struct number_parts parts;

    return number_split(text, &parts);
}

/* More digits before the point are more; behind it a longer one is more where the shorter is its
 * beginning. */
int number_compare(struct bytes a, struct bytes b)
{
    struct number_parts x, y;
    int order;
    bool are_numbers = number_split(a, &x) && number_split(b, &y);

    assert(are_numbers);
    if (x.is_negative != y.is_negative)
        return x.is_negative ? -1 : 1;
    if (x.whole.size != y.whole.size)
        order = x.whole.size < y.whole.size ? -1 : 1;
    else if (!(order = bytes_compare(x.whole, y.whole)))
        order = bytes_compare(x.fraction, y.fraction);
    return x.is_negative ? -order : order;
}

/* ---- times ---- */

/* Exactly so many digits. */
static bool take_digits(struct bytes *text, size_t digits, int *number)
{
    *number = 0;
    if (text->size < digits || count_digits(bytes_of(text->data, digits)) < digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        *number = *number * 10 + (text->data[i] - '0');
    *text = behind(*text, digits);
    return true;
}

/* Nothing is taken if another one stands there. */
static bool take_char(struct bytes *text, char c)
{
    if (!text->size || text->data[0] != (uint8_t)c)
        return false;
    *text = behind(*text, 1);
    return true;
}

/* "2026", "2026-01" and "2026-01-31"; what is not said is the first. */
static bool take_day(struct bytes *text, int64_t *days)
{
    static const uint8_t month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month = 1, day = 1;

    if (!take_digits(text, 4, &year))
        return false;
    if (take_char(text, '-') &&
        (!take_digits(text, 2, &month) || (take_char(text, '-') && !take_digits(text, 2, &day))))
        return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] + (month == 2 && is_leap))
        return false;
    *days = calendar_days(year, month, day);
    return true;
}

/* What is less than a microsecond is dropped. */
static bool take_fraction(struct bytes *text, int32_t *microseconds)
{
    size_t digits = count_digits(*text);

    *microseconds = 0;
    for (size_t i = 0; i < FRACTION_DIGITS; i++)
        *microseconds = *microseconds * 10 + (i < digits ? text->data[i] - '0' : 0);
    *text = behind(*text, digits);
    return digits > 0;
}

/* "T12:00", "T12:00:00", "T12:00:00.5", and a zone behind it. */
static bool take_time(struct bytes *text, struct moment *moment)
{
    int hour, minute, second = 0, zone_hour = 0, zone_minute = 0, sign;

    if (!take_digits(text, 2, &hour) || !take_char(text, ':') || !take_digits(text, 2, &minute))
        return false;
    if (take_char(text, ':')) {
        if (!take_digits(text, 2, &second))
            return false;
        if (take_char(text, '.') && !take_fraction(text, &moment->microseconds))
            return false;
    }
    /* East of Greenwich it is later than in UTC, so the offset is taken away. */
    sign = take_char(text, '+') ? -1 : take_char(text, '-') ? 1 : 0;
    if (sign) {
        if (!take_digits(text, 2, &zone_hour))
            return false;
        take_char(text, ':');
        if (!take_digits(text, 2, &zone_minute))
            return false;
    } else if (!take_char(text, 'Z')) {
        take_char(text, 'z');
    }
    if (hour > 23 || minute > 59 || second > 59 || zone_hour > 23 || zone_minute > 59)
        return false;
    moment->seconds +=
        hour * HOUR_S + minute * MINUTE_S + second + sign * (zone_hour * HOUR_S + zone_minute * MINUTE_S);
    return true;
}

/* A year alone and seconds since 1970 look alike: four digits are a year, as no policy is about
 * an hour of 1970. */
bool moment_read(struct bytes text, struct moment *moment)
{
    struct moment result = { 0 };
    int64_t days;

    /* Seconds: as many digits as there are, as long as they fit. */
    if (count_digits(text) == text.size && text.size != 4) {
        if (!integer_parse(text, 0, INT64_MAX, &result.seconds))
            return false;
        *moment = result;
        return true;
    }
    if (!take_day(&text, &days))
        return false;
    result.seconds = days * DAY_S;
    if ((take_char(&text, 'T') || take_char(&text, 't')) && !take_time(&text, &result))
        return false;
    if (text.size)
        return false;
    *moment = result;
    return true;
}

/* Fractions count, as far as they were kept. */
int moment_compare(const struct moment *a, const struct moment *b)
{
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? -1 : 1;
    return (a->microseconds > b->microseconds) - (a->microseconds < b->microseconds);
}

/* ---- addresses ---- */

static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* A prefix that ends within the first 96 bits is about IPv6 addresses. */
static void unmap(struct network *network)
{
    /* Sockets that take both kinds of addresses show the old ones so. */
    if (!network->is_v6 || network->bits < MAPPED_BITS || memcmp(network->address, mapped, sizeof(mapped)) != 0)
        return;
    memmove(network->address, network->address + sizeof(mapped), 4);
    memset(network->address + 4, 0, sizeof(network->address) - 4);
    network->bits = (uint8_t)(network->bits - MAPPED_BITS);
    network->is_v6 = false;
}

/* inet_pton takes no blanks, zones or short forms, and neither do we. It wants a C string. */
bool network_read(struct bytes text, struct network *network)
{
    struct network result = { 0 };
    char address[INET6_ADDRSTRLEN];
    const uint8_t *slash = text.size ? memchr(text.data, '/', text.size) : NULL;
    size_t size = slash ? (size_t)(slash - text.data) : text.size;
    int64_t bits;

    /* The longest form of an address is known, and what is longer is none. */
    if (size >= sizeof(address) || !size || memchr(text.data, 0, size))
        return false;
    memcpy(address, text.data, size);
    address[size] = 0;
    result.is_v6 = strchr(address, ':');
    if (inet_pton(result.is_v6 ? AF_INET6 : AF_INET, address, result.address) != 1)
        return false;
    bits = result.is_v6 ? V6_BITS : V4_BITS;
    if (slash) {
        struct bytes prefix = behind(text, size + 1);

        /* No sign, no zeros in front. */
        if (count_digits(prefix) < prefix.size || (prefix.size > 1 && prefix.data[0] == '0') ||
            !integer_parse(prefix, 0, bits, &bits))
            return false;
    }
    result.bits = (uint8_t)bits;
    unmap(&result);
    *network = result;
    return true;
}

/* Whole bytes of the prefix first, then the bits that are left of it. */
bool network_has(const struct network *network, const struct network *part)
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8, mask = 0xff00u >> rest & 0xff;

    assert(network->bits <= (network->is_v6 ? V6_BITS : V4_BITS));
    if (network->is_v6 != part->is_v6 || part->bits < network->bits ||
        memcmp(network->address, part->address, whole) != 0)
        return false;
    return !rest || !((network->address[whole] ^ part->address[whole]) & mask);
}

/* As Java reads booleans, but what is neither is an error. */
bool truth_read(struct bytes text, bool *is_true)
{
    *is_true = bytes_is_ignoring_case(text, "true");
    return *is_true || bytes_is_ignoring_case(text, "false");
}
