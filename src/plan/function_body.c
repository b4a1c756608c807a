/* Bodies of the native functions. A body is called with values of exactly the types of its
 * signature (resolve.c), validated, and none of them null unless the function takes nulls; an
 * empty number counts as null too (function.c). So bodies check what values mean, not their
 * form. Results lie in the context's arena or are borrowed from arguments. Errors have
 * Cassandra's words, and kinds: a body that fails is ERR_FUNCTION_FAILURE where Cassandra
 * says so. Source: org.apache.cassandra.cql3.functions, release 5.0. */
#include "plan/function_body.h"

#include "plan/number_sum.h"
#include "types/calendar.h"
#include "types/json.h"
#include "types/vint.h"

#include <assert.h>
#include <math.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define BODY(name)                                                                                                \
    enum status name(const struct function *function, struct function_context *context, const struct bytes *args, \
                     struct bytes *result, struct error *err)

enum { MS_PER_DAY = 86400000 };
#define NS_PER_DAY INT64_C(86400000000000)

/* An eight-byte number in the arena. */
static struct bytes result_u64(struct function_context *context, uint64_t v)
{
    uint8_t *at = arena_alloc(context->arena, 8);

    store_be64(at, v);
    return bytes_of(at, 8);
}

/* A four-byte number in the arena. */
static struct bytes result_u32(struct function_context *context, uint32_t v)
{
    uint8_t *at = arena_alloc(context->arena, 4);

    store_be32(at, v);
    return bytes_of(at, 4);
}

/* Moves a buffer's content to the arena. */
static struct bytes result_buffer(struct function_context *context, struct buffer *buffer)
{
    struct bytes result = arena_copy(context->arena, buffer_bytes(buffer));

    buffer_fini(buffer);
    return result;
}

/* Toward negative infinity: times before 1970 are negative. b is positive. */
static int64_t floor_divide(int64_t a, int64_t b)
{
    int64_t quotient = a / b;

    assert(b > 0);
    return a % b < 0 ? quotient - 1 : quotient;
}

/* A value as text, without the quotes that a CQL literal has. */
static struct bytes print_plain(struct function_context *context, const struct type *type, struct bytes value)
{
    struct buffer out = { 0 };

    value_print(&out, type, value);
    struct bytes text = arena_copy(context->arena, buffer_bytes(&out));
    buffer_fini(&out);
    if (text.size >= 2 && text.data[0] == '\'')
        text = bytes_of(text.data + 1, text.size - 2);
    return text;
}

/* ---- time ---- */

/* Each call gives another uuid: the source of the context never gives one twice. */
BODY(body_now)
{
    uint8_t *at = arena_alloc(context->arena, 16);

    uuid_make_time(context->uuids, context->now_us, at);
    *result = bytes_of(at, 16);
    return OK;
}

/* The time of the request: all calls in a statement give the same. */
BODY(body_current_timestamp)
{
    *result = result_u64(context, (uint64_t)(context->now_us / 1000));
    return OK;
}

/* A timestamp's day, as Java's Duration has it: whole seconds, toward zero. So the last day
 * before 1970 is day 0 as well, except for its first second. Clients see this quirk of
 * Cassandra. */
static uint32_t days_of_ms(int64_t ms)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);

    return (uint32_t)(seconds / (MS_PER_DAY / 1000)) + 0x80000000u;
}

/* Of the request's time, UTC. */
BODY(body_current_date)
{
    *result = result_u32(context, days_of_ms(context->now_us / 1000));
    return OK;
}

/* Nanoseconds since midnight, UTC; the clock is taken in milliseconds, as in Cassandra. */
BODY(body_current_time)
{
    int64_t us_per_day = INT64_C(86400000000);

    *result = result_u64(context, (uint64_t)((context->now_us % us_per_day) / 1000 * 1000000));
    return OK;
}

/* A random uuid, of version 4. */
BODY(body_uuid)
{
    uint8_t *at = arena_alloc(context->arena, 16);

    if (RAND_bytes(at, 16) != 1)
        return error_set(err, ERR_SERVER, "No randomness");
    uuid_set_random(at);
    *result = bytes_of(at, 16);
    return OK;
}

/* The least or greatest timeuuid of a millisecond: the first of its 10000 ticks or the last,
 * and the least or greatest other half. Bytes are compared as signed there, which is why 0x80
 * is least and 0x7f greatest. */
BODY(body_bound_timeuuid)
{
    uint8_t *at = arena_alloc(context->arena, 16);
    uint64_t ticks = load_be64(args[0].data) * 10000 + (uint64_t)UUID_EPOCH_TICKS;

    assert(args[0].size == 8);
    if (function->data)
        uuid_write_time(at, ticks + 9999, UINT64_C(0x7f7f7f7f7f7f7f7f));
    else
        uuid_write_time(at, ticks, UINT64_C(0x8080808080808080));
    *result = bytes_of(at, 16);
    return OK;
}

/* A timeuuid, date or timestamp as milliseconds since 1970. */
static int64_t ms_of(const struct type *type, struct bytes value)
{
    assert(value.size == (type->kind == TYPE_TIMEUUID ? 16 : type->kind == TYPE_DATE ? 4 : 8));
    switch (type->kind) {
    case TYPE_TIMEUUID: return uuid_time_ms(value.data);
    case TYPE_DATE: return (int64_t)(int32_t)(load_be32(value.data) - 0x80000000u) * MS_PER_DAY;
    default: return (int64_t)load_be64(value.data);
    }
}

/* The day of a timestamp or a timeuuid. */
BODY(body_to_date)
{
    *result = result_u32(context, days_of_ms(ms_of(function->arg_types[0], args[0])));
    return OK;
}

/* Also to_unix_timestamp, whose bigint has the same bytes. */
BODY(body_to_timestamp)
{
    *result = result_u64(context, (uint64_t)ms_of(function->arg_types[0], args[0]));
    return OK;
}

/* A duration has no length in seconds: months and days differ. So it keeps its three parts. */
struct duration {
    int64_t months, days, nanoseconds;
};

/* A signed integer of variable length: the leading ones of the first byte say how many bytes
 * follow, and the number is zigzag encoded. */
static int64_t read_vint(struct bytes *in)
{
    uint8_t first = in->data[0];
    int extra = first == 0xff ? 8 : __builtin_clz((uint32_t)(uint8_t)~first) - 24;
    uint64_t v = extra >= 7 ? 0 : first & (0xffu >> (extra + 1));

    assert(in->size > (size_t)extra);
    for (int i = 1; i <= extra; i++)
        v = v << 8 | in->data[i];
    in->data += extra + 1;
    in->size -= (size_t)extra + 1;
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* A duration's three parts, each a vint. */
static struct duration duration_read(struct bytes value)
{
    struct duration duration;

    duration.months = read_vint(&value);
    duration.days = read_vint(&value);
    duration.nanoseconds = read_vint(&value);
    return duration;
}

/* Civil calendar: days since 1970 and back (proleptic Gregorian). Years begin in March here,
 * so that the leap day is the last day of a year; 400 years are 146097 days, and 719468 days
 * lie before 1970. */
static int64_t days_of_civil(int64_t year, int month, int day)
{
    assert(month >= 1 && month <= 12);
    year -= month <= 2;
    int64_t era = floor_divide(year, 400);
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The reverse of days_of_civil. */
static void civil_of_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = floor_divide(days, 146097);
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    assert(*month >= 1 && *month <= 12 && *day >= 1 && *day <= 31);
    *year = y + era * 400 + (*month <= 2);
}

/* The distance between the first of this month and of the next. */
static int days_in_month(int64_t year, int month)
{
    return (int)(days_of_civil(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) -
                 days_of_civil(year, month, 1));
}

/* A day that the month does not have becomes the month's last: January 31 and one month is
 * February 28. */
static int64_t add_months(int64_t ms, int64_t months)
{
    int64_t days = floor_divide(ms, MS_PER_DAY), rest = ms - days * MS_PER_DAY, year;
    int month, day;

    civil_of_days(days, &year, &month, &day);
    int64_t total = year * 12 + (month - 1) + months;
    year = floor_divide(total, 12);
    month = (int)(total - year * 12) + 1;
    if (day > days_in_month(year, month))
        day = days_in_month(year, month);
    return days_of_civil(year, month, day) * MS_PER_DAY + rest;
}

/* Months first, then days, then time, as Cassandra. */
static int64_t add_duration(int64_t ms, struct duration duration, int64_t times)
{
    ms = add_months(ms, duration.months * times);
    return ms + duration.days * times * MS_PER_DAY + duration.nanoseconds / 1000000 * times;
}

/* Past these, products of a duration with milliseconds overflow 64 bits; the years 1 to 9999
 * are far inside. */
static bool duration_is_sane(struct duration duration)
{
    return llabs(duration.months) < 1200000 && llabs(duration.days) < 36500000;
}

/* As far from 1970 as times are computed with: with a duration that is sane nothing overflows. */
#define MS_FAR (INT64_C(1) << 52)

/* The largest multiple of a duration with months that does not take `start` past `ms`. It lies between what the longest and the shortest
 * months give, and is looked for by halves: times far away are as cheap as near ones. */
static int64_t count_intervals(int64_t ms, struct duration duration, int64_t start)
{
    int64_t rest = duration.days * MS_PER_DAY + duration.nanoseconds / 1000000;
    int64_t low = (ms - start) / (duration.months * 31 * (int64_t)MS_PER_DAY + rest);
    int64_t high = (ms - start) / (duration.months * 28 * (int64_t)MS_PER_DAY + rest) + 1;

    assert(duration.months > 0 && low >= 0 && low < high);
    while (high - low > 1) { /* `low` does not pass ms, `high` does */
        int64_t middle = low + (high - low) / 2;

        if (add_duration(start, duration, middle) <= ms)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The start of the interval that holds `ms`, when intervals of `duration` follow one another
 * from `start`. Without months they have one length. */
static enum status floor_ms(int64_t ms, struct duration duration, int64_t start, int64_t *result, struct error *err)
{
    /* Intervals begin at `start`: before it there is none. */
    if (start > ms)
        return error_set(err, ERR_INVALID, "The floor function starting time is greater than the provided time");
    if (duration.months < 0 || duration.days < 0 || duration.nanoseconds < 0)
        return error_set(err, ERR_INVALID, "Negative durations are not supported by the floor function");
    if (!duration_is_sane(duration) || ms > MS_FAR || start < -MS_FAR)
        return error_set(err, ERR_INVALID, "The floor function's arguments are out of range");
    /* Days have 24 hours here: there are no time zones. */
    if (duration.months == 0) {
        int64_t step = duration.days * MS_PER_DAY + duration.nanoseconds / 1000000;

        *result = step ? ms - (ms - start) % step : ms;
        return OK;
    }
    *result = add_duration(start, duration, count_intervals(ms, duration, start));
    return OK;
}

/* floor(time, duration [, start]): a timestamp has milliseconds, so a duration may not be
 * finer. */
BODY(body_floor_timestamp)
{
    struct duration duration = duration_read(args[1]);
    int64_t start = function->arg_count == 3 ? (int64_t)load_be64(args[2].data) : 0, floored;

    assert(function->arg_count == 2 || function->arg_count == 3);
    if (duration.nanoseconds % 1000000) {
        struct bytes shown = print_plain(context, function->arg_types[1], args[1]);

        return error_set(err, ERR_INVALID,
                         "The floor cannot be computed for the %.*s duration as precision is below 1 millisecond",
                         BYTES(shown));
    }
    enum status status = floor_ms(ms_of(function->arg_types[0], args[0]), duration, start, &floored, err);
    if (!status)
        *result = result_u64(context, (uint64_t)floored);
    return status;
}

/* A date has whole days only. */
BODY(body_floor_date)
{
    struct duration duration = duration_read(args[1]);
    int64_t start = function->arg_count == 3 ? ms_of(function->arg_types[2], args[2]) : 0, floored;

    assert(function->arg_count == 2 || function->arg_count == 3);
    if (duration.nanoseconds) {
        struct bytes shown = print_plain(context, function->arg_types[1], args[1]);

        return error_set(
            err, ERR_INVALID,
            "The floor on date values cannot be computed for the %.*s duration as precision is below 1 day",
            BYTES(shown));
    }
    enum status status = floor_ms(ms_of(function->arg_types[0], args[0]), duration, start, &floored, err);
    if (!status)
        *result = result_u32(context, days_of_ms(floored));
    return status;
}

/* A time is within one day, in nanoseconds. */
BODY(body_floor_time)
{
    struct duration duration = duration_read(args[1]);
    int64_t time = (int64_t)load_be64(args[0].data);

    assert(args[0].size == 8);
    if (duration.months || duration.days || duration.nanoseconds > NS_PER_DAY)
        return error_set(err, ERR_INVALID,
                         "For time values, the floor can only be computed for durations smaller that a day");
    if (duration.nanoseconds < 0)
        return error_set(err, ERR_INVALID, "Negative durations are not supported by the floor function");
    *result = result_u64(context, (uint64_t)(duration.nanoseconds ? time - time % duration.nanoseconds : time));
    return OK;
}

/* timestamp or date +/- duration. Times past what milliseconds can be computed with are
 * refused. */
BODY(body_add_duration)
{
    struct duration duration = duration_read(args[1]);
    const struct type *type = function->arg_types[0];
    int64_t ms = ms_of(type, args[0]);

    assert(function->data == '+' || function->data == '-');
    bool is_date = type->kind == TYPE_DATE;

    /* No absolute value: that of the least timestamp does not fit. */
    if (!duration_is_sane(duration) || ms > MS_FAR || ms < -MS_FAR)
        return error_set(err, ERR_FUNCTION_FAILURE, "the operation '%s %c duration' failed: out of range",
                         is_date ? "date" : "timestamp", (char)function->data);
    /* A date has no time of day to be moved by hours. */
    if (is_date ? duration.nanoseconds != 0 : duration.nanoseconds % 1000000 != 0) {
        struct bytes shown = print_plain(context, function->arg_types[1], args[1]);

        return error_set(err, ERR_FUNCTION_FAILURE,
                         "the operation '%s %c duration' failed: The duration must have a %s precision. Was: %.*s",
                         is_date ? "date" : "timestamp", (char)function->data, is_date ? "day" : "millisecond",
                         BYTES(shown));
    }
    ms = add_duration(ms, duration, function->data == '+' ? 1 : -1);
    *result = type->kind == TYPE_DATE ? result_u32(context, days_of_ms(ms)) : result_u64(context, (uint64_t)ms);
    return OK;
}

/* ---- numbers ---- */

/* Writes a number into the arena. */
static struct bytes result_number(struct function_context *context, const struct number *number)
{
    struct buffer out = { 0 };

    number_write(&out, number);
    return result_buffer(context, &out);
}

/* A counter is computed with as a bigint. */
static enum type_kind plain_kind(enum type_kind kind)
{
    return kind == TYPE_COUNTER ? TYPE_BIGINT : kind;
}

/* The least integer has no positive counterpart and stays itself, as in Java. */
BODY(body_abs)
{
    struct number number;

    number_init(&number);
    number_read(&number, function->arg_types[0]->kind, args[0]);
    switch (number.kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: number.real = fabs(number.real); break;
    /* These two have their sign in the big number. */
    case TYPE_VARINT:
    case TYPE_DECIMAL: mpz_abs(number.big, number.big); break;
    default:
        if (number.integer < 0)
            number_negate(&number);
        break;
    }
    *result = result_number(context, &number);
    number_fini(&number);
    return OK;
}

/* Where a function has no result Java answers the quiet NaN that the processor makes, whose
 * sign bit is set; C libraries differ in it, and clients see the bits. */
static double nan_as_java(double from, double to)
{
    return isnan(to) && !isnan(from) ? -(double)NAN : to;
}

/* exp, log and log10: of varint and decimal with many digits (number_real.c), of all else as
 * a double. */
static enum status real_function(const struct function *function, struct function_context *context,
                                 const struct bytes *args, enum number_function which, struct bytes *result,
                                 struct error *err)
{
    enum type_kind kind = function->arg_types[0]->kind;
    struct number number;
    enum status status;

    assert(number_kind_is_numeric(kind) && function->return_type->kind == kind);
    number_init(&number);
    number_read(&number, kind, args[0]);
    if (kind == TYPE_DECIMAL || kind == TYPE_VARINT) {
        status = work_add(context->work, number_apply_work(&number, which));
        if (!status)
            status = number_apply(&number, which, err);
    } else {
        double from = number_to_double(&number);

        /* As doubles, rounded to the type at the end: Java has no functions for floats. */
        number.real = nan_as_java(from, which == NUMBER_EXP   ? exp(from)
                                        : which == NUMBER_LOG ? log(from)
                                                              : log10(from));
        number.kind = TYPE_DOUBLE;
        status = number_convert(&number, kind, err);
    }
    if (!status)
        *result = result_number(context, &number);
    number_fini(&number);
    return status;
}

/* e to the power of the argument. */
BODY(body_exp)
{
    return real_function(function, context, args, NUMBER_EXP, result, err);
}

/* The natural logarithm. */
BODY(body_log)
{
    return real_function(function, context, args, NUMBER_LOG, result, err);
}

BODY(body_log10)
{
    return real_function(function, context, args, NUMBER_LOG10, result, err);
}

/* Half up, see number_round. */
BODY(body_round)
{
    struct number number;
    enum status status;

    number_init(&number);
    number_read(&number, function->arg_types[0]->kind, args[0]);
    status = number_round(&number, err);
    if (!status)
        *result = result_number(context, &number);
    number_fini(&number);
    return status;
}

/* Brings one operand to the type of the result. Beside a decimal all but varint go through
 * double, as in Cassandra: 2 becomes 2.0. A decimal cannot be made of NaN or infinity. */
static enum status widen(struct number *number, enum type_kind kind, struct error *err)
{
    if (kind == TYPE_DECIMAL && number->kind != TYPE_DECIMAL && number->kind != TYPE_VARINT) {
        enum status status = number_convert(number, TYPE_DOUBLE, err);

        if (status)
            return status;
        if (!isfinite(number->real))
            return error_set(err, ERR_FUNCTION_FAILURE, "%s cannot be converted into a decimal",
                             isnan(number->real) ? "A NaN" : "An infinite number");
    }
    return number_convert(number, kind, err);
}

/* left op right. Both are brought to the type of the result first. A division by zero fails
 * with the operation's types in its words. */
BODY(body_arithmetic)
{
    enum type_kind kind = function->return_type->kind;
    struct number left, right;
    enum status status;

    assert(function->arg_count == 2 && number_kind_is_numeric(kind));
    number_init(&left);
    number_init(&right);
    number_read(&left, function->arg_types[0]->kind, args[0]);
    number_read(&right, function->arg_types[1]->kind, args[1]);
    status = widen(&left, kind, err);
    if (!status)
        status = widen(&right, kind, err);
    if (!status)
        status = number_operate(&left, (char)function->data, &right, err);
    /* Only a division by zero fails so; the words get the types. */
    if (status == ERR_FUNCTION_FAILURE) {
        struct buffer text = { 0 };
        /* The message is written over below. */
        char *why = arena_string(context->arena, bytes_of_string(err->message));

        type_print(&text, function->arg_types[0], false);
        buffer_printf(&text, " %c ", (char)function->data);
        type_print(&text, function->arg_types[1], false);
        status =
            error_set(err, ERR_FUNCTION_FAILURE, "the operation '%.*s' failed: %s", BYTES(buffer_bytes(&text)), why);
        buffer_fini(&text);
    }
    if (!status)
        *result = result_number(context, &left);
    number_fini(&left);
    number_fini(&right);
    return status;
}

/* A counter's negation is a bigint. */
BODY(body_negate)
{
    struct number number;

    number_init(&number);
    number_read(&number, plain_kind(function->arg_types[0]->kind), args[0]);
    number_negate(&number);
    *result = result_number(context, &number);
    number_fini(&number);
    return OK;
}

/* text + text. Texts may be as large as values, so the sum is bounded. */
BODY(body_concatenate)
{
    size_t size = args[0].size + args[1].size;

    assert(function->arg_count == 2);
    if (size > FUNCTION_RESULT_BYTES_MAX)
        return error_set(err, ERR_INVALID, "The text is too long");
    uint8_t *at = arena_alloc(context->arena, size ? size : 1);
    memcpy(at, args[0].data, args[0].size);
    memcpy(at + args[0].size, args[1].data, args[1].size);
    *result = bytes_of(at, size);
    return OK;
}

/* ---- conversions ---- */

/* text_as_blob and the like: the bytes are the same. */
BODY(body_same)
{
    assert(function->arg_count == 1);
    *result = args[0];
    return OK;
}

/* blob_as_int: the bytes must be a value of the type. At most 256 of them are shown. */
BODY(body_from_blob)
{
    struct error why = { 0 };

    assert(function->arg_count == 1);
    if (value_validate(function->return_type, args[0], &why)) {
        struct buffer text = { 0 };

        for (size_t i = 0; i < args[0].size && i < 256; i++)
            buffer_printf(&text, "%02x", args[0].data[i]);
        enum status status =
            error_set(err, ERR_INVALID,
                      "In call to function system.%.*s, value 0x%.*s is not a valid binary representation for type ",
                      BYTES(function->name), BYTES(buffer_bytes(&text)));
        /* The type's name is appended, since the value's text may be long. */
        buffer_reset(&text);
        type_print(&text, function->return_type, false);
        strncat(err->message, arena_string(context->arena, buffer_bytes(&text)),
                sizeof(err->message) - strlen(err->message) - 1);
        buffer_fini(&text);
        return status;
    }
    *result = args[0];
    return OK;
}

/* Which casts Cassandra has: CastFcts. A counter is cast from, never to. */
bool cast_is_possible(enum type_kind from, enum type_kind to)
{
    bool to_text = to == TYPE_TEXT || to == TYPE_ASCII;

    if (number_kind_is_numeric(from) && number_kind_is_numeric(to))
        return to != TYPE_COUNTER;
    switch (from) {
    case TYPE_TIMEUUID: return to == TYPE_TIMESTAMP || to == TYPE_DATE || to_text;
    case TYPE_TIMESTAMP: return to == TYPE_DATE || to_text;
    case TYPE_DATE: return to == TYPE_TIMESTAMP || to_text;
    case TYPE_BOOLEAN:
    case TYPE_TIME:
    case TYPE_UUID:
    case TYPE_INET:
    case TYPE_ASCII: return to_text;
    case TYPE_TEXT: return to == TYPE_TEXT;
    default: return number_kind_is_numeric(from) && to_text;
    }
}

/* CAST (x AS t) between different types. */
BODY(body_cast)
{
    const struct type *from = function->arg_types[0];
    enum type_kind to = function->return_type->kind;

    assert(cast_is_possible(from->kind, to));
    if (to == TYPE_TEXT || to == TYPE_ASCII) {
        *result = from->kind == TYPE_TEXT || from->kind == TYPE_ASCII ? args[0] : print_plain(context, from, args[0]);
        return OK;
    }
    if (to == TYPE_DATE)
        return body_to_date(function, context, args, result, err);
    if (to == TYPE_TIMESTAMP)
        return body_to_timestamp(function, context, args, result, err);

    struct number number;
    number_init(&number);
    number_read(&number, from->kind, args[0]);
    enum status status = number_convert(&number, to, err);
    if (!status)
        *result = result_number(context, &number);
    number_fini(&number);
    return status;
}

/* Null is the text null, not a null. */
BODY(body_to_json)
{
    struct buffer out = { 0 };

    if (bytes_is_null(args[0]))
        buffer_append_string(&out, "null");
    else
        value_print_json(&out, function->arg_types[0], args[0]);
    *result = result_buffer(context, &out);
    return OK;
}

/* The text is checked to be JSON first: Cassandra's words for what is no JSON, and for JSON
 * that is no value of the type, differ. */
BODY(body_from_json)
{
    struct buffer out = { 0 };
    struct bytes text;
    struct error why;
    enum status status = json_check(args[0], &text, &why);

    if (status)
        return error_set(err, ERR_FUNCTION_FAILURE,
                         "execution of 'system.%.*s[text]' failed: Could not decode JSON string '%.*s': %s",
                         BYTES(function->name), (int)(args[0].size < 256 ? args[0].size : 256),
                         (const char *)args[0].data, why.message);
    if (bytes_equal(text, BYTES_LITERAL("null"))) {
        *result = bytes_of(NULL, 0);
        return OK;
    }
    status = value_parse_json(function->return_type, text, &out, &why);
    if (status) {
        buffer_fini(&out);
        return error_set(err, ERR_FUNCTION_FAILURE, "org.apache.cassandra.serializers.MarshalException: %s",
                         why.message);
    }
    *result = result_buffer(context, &out);
    return OK;
}

/* token() of a whole partition key, which is put together as it is stored. */
BODY(body_token)
{
    struct buffer key = { 0 };
    int64_t token;

    assert(function->arg_count);
    if (function->arg_count == 1) {
        token = token_of_partition_key(args[0]);
    } else {
        for (uint32_t i = 0; i < function->arg_count; i++) {
            buffer_append_be16(&key, (uint16_t)args[i].size);
            buffer_append_bytes(&key, args[i]);
            buffer_append_u8(&key, 0);
        }
        token = token_of_partition_key(buffer_bytes(&key));
        buffer_fini(&key);
    }
    *result = result_u64(context, (uint64_t)token);
    return OK;
}

/* ---- collections and vectors ---- */

/* An empty value is an empty collection. */
static uint32_t collection_size(struct bytes value)
{
    return value.size < 4 ? 0 : load_be32(value.data);
}

/* The keys (half 0) or the values (half 1) of a map. */
static struct bytes map_half(const struct function *function, struct function_context *context, struct bytes map,
                             uint32_t half)
{
    uint32_t count = collection_size(map), kept = 0;
    struct bytes *elements = arena_new_array(context->arena, struct bytes, count ? count : 1), element;
    struct value_iterator iterator;
    struct buffer out = { 0 };

    assert(half < 2 && function->arg_types[0]->kind == TYPE_MAP);
    value_iterator_init(&iterator, function->arg_types[0], map);
    for (uint32_t i = 0; value_iterator_next(&iterator, &element); i++)
        /* Keys and values alternate. */
        if (i % 2 == half && kept < count)
            elements[kept++] = element;
    value_pack(&out, function->return_type, elements, kept);
    return result_buffer(context, &out);
}

/* A set of the keys: they are sorted and distinct already. */
BODY(body_map_keys)
{
    *result = map_half(function, context, args[0], 0);
    return OK;
}

/* A list of the values, in the order of their keys. */
BODY(body_map_values)
{
    *result = map_half(function, context, args[0], 1);
    return OK;
}

/* The count stands in the first bytes. */
BODY(body_collection_count)
{
    *result = result_u32(context, collection_size(args[0]));
    return OK;
}

/* The least or the greatest element; null of an empty collection. */
static struct bytes extreme(const struct function *function, struct bytes collection, int sign)
{
    struct bytes best = { NULL, 0 }, element;
    struct value_iterator iterator;

    assert(sign == 1 || sign == -1);
    value_iterator_init(&iterator, function->arg_types[0], collection);
    while (value_iterator_next(&iterator, &element))
        if (bytes_is_null(best) || value_compare(function->return_type, element, best) * sign > 0)
            best = element;
    return best;
}

/* By the order of the element's type. */
BODY(body_collection_min)
{
    *result = extreme(function, args[0], -1);
    return OK;
}

BODY(body_collection_max)
{
    *result = extreme(function, args[0], 1);
    return OK;
}

/* The sum or average of a collection's elements; empty ones are left out, as of rows. */
static enum status collection_total(const struct function *function, struct function_context *context,
                                    struct bytes collection, bool average, struct bytes *result, struct error *err)
{
    struct value_iterator iterator;
    struct buffer out = { 0 };
    struct number_sum sum;
    struct bytes element;
    enum status status = OK;

    assert(number_kind_is_numeric(function->return_type->kind));
    number_sum_init(&sum, function->return_type->kind, average);
    value_iterator_init(&iterator, function->arg_types[0], collection);
    while (!status && value_iterator_next(&iterator, &element)) {
        if (!element.size)
            continue;
        status = work_add(context->work, number_sum_work(&sum, element));
        if (!status)
            status = number_sum_add(&sum, element, err);
    }
    if (!status)
        status = number_sum_result(&sum, &out, err);
    if (!status)
        *result = arena_copy(context->arena, buffer_bytes(&out));
    buffer_fini(&out);
    number_sum_fini(&sum);
    return status;
}

/* The sum has the element's type, and wraps as a column's sum does. */
BODY(body_collection_sum)
{
    return collection_total(function, context, args[0], false, result, err);
}

BODY(body_collection_avg)
{
    return collection_total(function, context, args[0], true, result, err);
}

/* A vector of floats is their bytes, one after another. */
static float float_at(const uint8_t *at)
{
    uint32_t bits = load_be32(at);
    float v;

    memcpy(&v, &bits, 4);
    return v;
}

/* How alike two vectors are, from 0 to 1. It is computed in double and rounded once. */
BODY(body_similarity)
{
    double dot = 0, left = 0, right = 0, apart = 0, similarity;
    float single;
    uint32_t bits;

    assert(args[0].size == args[1].size && args[0].size % 4 == 0);
    for (size_t i = 0; i + 4 <= args[0].size && i + 4 <= args[1].size; i += 4) {
        double a = float_at(args[0].data + i), b = float_at(args[1].data + i);

        dot += a * b;
        left += a * a;
        right += b * b;
        apart += (a - b) * (a - b);
    }
    /* The cosine needs directions, which a vector of zeros does not have. */
    if (function->data == 0) {
        if (left == 0 || right == 0)
            return error_set(err, ERR_INVALID, "Function system.%.*s doesn't support all-zero vectors.",
                             BYTES(function->name));
        /* Brought from -1..1 to 0..1. */
        similarity = (1 + dot / sqrt(left * right)) / 2;
    } else {
        similarity = function->data == 1 ? 1 / (1 + apart) : (1 + dot) / 2;
    }
    single = (float)similarity;
    memcpy(&bits, &single, 4);
    *result = result_u32(context, bits);
    return OK;
}

/* ---- masking ---- */

/* Nothing of the value is shown, not even whether there was one. */
BODY(body_mask_null)
{
    *result = bytes_of(NULL, 0);
    return OK;
}

/* The value that mask_default shows for a type: stars for texts, zero for numbers, 1970 for
 * times, nothing for blobs and collections. */
static void append_default(struct buffer *out, const struct type *type)
{
    static const uint8_t zeros[16];

    switch (type->kind) {
    case TYPE_ASCII:
    case TYPE_TEXT: buffer_append_string(out, "****"); break;
    case TYPE_DECIMAL: buffer_append(out, zeros, 5); break;
    case TYPE_VARINT: buffer_append(out, zeros, 1); break;
    case TYPE_INET: buffer_append(out, zeros, 4); break;
    /* To Cassandra these are of varying size. */
    case TYPE_TINYINT: buffer_append(out, zeros, 1); break;
    case TYPE_SMALLINT: buffer_append(out, zeros, 2); break;
    case TYPE_TIME: buffer_append(out, zeros, 8); break;
    case TYPE_DATE: buffer_append_be32(out, 0x80000000u); break;
    case TYPE_DURATION: buffer_append(out, zeros, 3); break;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: buffer_append(out, zeros, 4); break;
    case TYPE_TIMEUUID: {
        uint8_t *at = buffer_extend(out, 16);

        uuid_write_time(at, (uint64_t)UUID_EPOCH_TICKS, UINT64_C(0x8080808080808080));
        break;
    }
    case TYPE_TUPLE:
    /* Each field has its own default. */
    case TYPE_UDT:
        for (uint32_t i = 0; i < type->param_count; i++) {
            size_t at = out->size;

            buffer_append_be32(out, 0);
            append_default(out, type->params[i]);
            store_be32(out->data + at, (uint32_t)(out->size - at - 4));
        }
        break;
    case TYPE_VECTOR: {
        struct buffer element = { 0 };

        append_default(&element, type->params[0]);
        /* What is larger than a result may be is refused by who called. */
        for (uint32_t i = 0; i < type->dimension && out->size <= FUNCTION_RESULT_BYTES_MAX; i++) {
            if (!type_fixed_bytes(type->params[0]))
                vint_append(out, element.size);
            buffer_append_bytes(out, buffer_bytes(&element));
        }
        buffer_fini(&element);
        break;
    }
    case TYPE_UUID: buffer_append(out, zeros, 16); break;
    case TYPE_BLOB:
    case TYPE_CUSTOM:
    case TYPE_EMPTY: break;
    default: buffer_append(out, zeros, type_fixed_bytes(type) <= 16 ? type_fixed_bytes(type) : 0); break;
    }
}

/* One value for each type, whatever the column holds. */
BODY(body_mask_default)
{
    struct buffer out = { 0 };

    append_default(&out, function->return_type);
    *result = result_buffer(context, &out);
    return OK;
}

/* The second argument takes the place of the first. */
BODY(body_mask_replace)
{
    assert(function->arg_count == 2);
    *result = args[1];
    return OK;
}

/* In Unicode code points: bytes that do not continue one. */
static size_t character_count(struct bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

/* mask_inner and mask_outer: characters within, or outside of, the given distances from both
 * ends are replaced. A null distance is 0. */
BODY(body_mask_part)
{
    struct bytes text = args[0], padding = BYTES_LITERAL("*");
    int32_t begin = bytes_is_null(args[1]) || args[1].size < 4 ? 0 : (int32_t)load_be32(args[1].data);
    int32_t end = bytes_is_null(args[2]) || args[2].size < 4 ? 0 : (int32_t)load_be32(args[2].data);
    struct buffer out = { 0 };

    assert(function->arg_count == 3 || function->arg_count == 4);
    if (bytes_is_null(text)) {
        *result = text;
        return OK;
    }
    /* The padding must be one character, which may have several bytes. */
    if (function->arg_count == 4 && !bytes_is_null(args[3])) {
        padding = args[3];
        if (character_count(padding) != 1)
            return error_set(
                err, ERR_INVALID,
                "The padding argument for function system.%.*s should be single-character, but '%.*s' has %zu characters.",
                BYTES(function->name), BYTES(padding), character_count(padding));
    }

    /* Counted in characters: a masked text keeps its length. */
    int64_t size = (int64_t)character_count(text), at = -1;
    for (size_t i = 0; i < text.size;) {
        size_t next = i + 1;

        /* The bytes that continue a UTF-8 character. */
        while (next < text.size && (text.data[next] & 0xc0) == 0x80)
            next++;
        at++;
        /* Between the first `begin` and the last `end` characters; negative distances reach
         * past the ends. */
        bool inside = at >= begin && at < size - end;
        bool masked = function->data ? inside : !inside;
        if (masked)
            buffer_append_bytes(&out, padding);
        else
            buffer_append(&out, text.data + i, next - i);
        i = next;
    }
    *result = result_buffer(context, &out);
    return OK;
}

/* The digest of the value's bytes, by the algorithm that the second argument names. */
BODY(body_mask_hash)
{
    enum { HASH_WORK = 4000, HASH_BYTE_WORK = 8 }; /* finding the algorithm, and SHA-256 or slower */
    char name[64] = "SHA-256";
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    assert(function->arg_count == 1 || function->arg_count == 2);
    if (bytes_is_null(args[0])) {
        *result = args[0];
        return OK;
    }
    if (function->arg_count == 2 && !bytes_is_null(args[1]))
        snprintf(name, sizeof(name), "%.*s", (int)(args[1].size < 60 ? args[1].size : 60), (const char *)args[1].data);
    /* OpenSSL knows the names that Java knows: MD5, SHA-1, SHA-256, ... */
    const EVP_MD *hash = EVP_get_digestbyname(name);
    if (!hash)
        return error_set(err, ERR_INVALID, "Hash algorithm not found: %s", name);
    if (work_add(context->work, HASH_WORK + HASH_BYTE_WORK * args[0].size))
        return ERR_WOULD_WAIT;
    if (!EVP_Digest(args[0].data, args[0].size, digest, &size, hash, NULL))
        return error_set(err, ERR_SERVER, "Hashing failed");
    *result = arena_copy(context->arena, bytes_of(digest, size));
    return OK;
}
