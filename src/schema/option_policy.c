/* When a read or write asks another replica: speculative_retry,
 * additional_write_policy, read_repair. There is no other replica here; they are kept
 * as Cassandra normalizes them ("99.0PERCENTILE" becomes "99p") and shown. */
#include "schema/option.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum policy_kind { POLICY_NEVER, POLICY_ALWAYS, POLICY_PERCENTILE, POLICY_FIXED, POLICY_HYBRID };
static const char *const policy_names[] = { "NEVER", "ALWAYS", "PERCENTILE", "FIXED", "HYBRID" };

/* Cassandra names speculative_retry for additional_write_policy, too. */
static enum status bad_policy(struct bytes text, struct error *err)
{
    return error_set(err, ERR_CONFIG, "Invalid value %.*s for option 'speculative_retry'", BYTES(text));
}

/* One policy: NEVER, ALWAYS, a percentile, or milliseconds. Examples: none becomes NEVER,
 * 99.50PERCENTILE becomes 99.5p, 50MS becomes 50ms. */
static enum status read_simple_policy(struct arena *arena, struct bytes text, struct bytes *result,
                                      enum policy_kind *kind, struct error *err)
{
    struct bytes suffix;
    double number;

    if (bytes_is_ignoring_case(text, "NEVER") || bytes_is_ignoring_case(text, "NONE")) {
        *kind = POLICY_NEVER;
        *result = BYTES_LITERAL("NEVER");
        return OK;
    }
    if (bytes_is_ignoring_case(text, "ALWAYS")) {
        *kind = POLICY_ALWAYS;
        *result = BYTES_LITERAL("ALWAYS");
        return OK;
    }
    if (!option_split_number(text, &number, &suffix))
        return bad_policy(text, err);
    if (bytes_is_ignoring_case(suffix, "p") || bytes_is_ignoring_case(suffix, "percentile")) {
        char digits[64];
        size_t size;

        /* Cassandra leaves out both ends. */
        if (number <= 0.0 || number >= 100.0)
            return error_set(
                err, ERR_CONFIG,
                "Invalid value %.*s for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)",
                BYTES(text));
        size = (size_t)snprintf(digits, sizeof(digits), "%.4f", number);
        assert(size > 0 && size < sizeof(digits)); /* it is below 100 */
        /* Without zeros at its end, and without a point then. */
        while (digits[size - 1] == '0')
            size--;
        if (digits[size - 1] == '.')
            size--;
        *kind = POLICY_PERCENTILE;
        *result = bytes_of_string(arena_printf(arena, "%.*sp", (int)size, digits));
        return OK;
    }
    /* Whole milliseconds; more would overflow Java's int. */
    if (bytes_is_ignoring_case(suffix, "ms") && number < 1e9) {
        *kind = POLICY_FIXED;
        *result = bytes_of_string(arena_printf(arena, "%lldms", (long long)number));
        return OK;
    }
    return bad_policy(text, err);
}

/* A simple policy, or MIN(a, b) or MAX(a, b) of a percentile and a time. Example: min(99p,
 * 50ms) becomes MIN(99p,50ms). */
enum status option_set_policy(const struct option_setting *setting, void *at, struct error *err)
{
    struct arena *arena = setting->arena;
    struct bytes *result = at;
    struct bytes text, a, b;
    enum policy_kind x, y;
    const uint8_t *comma;
    enum status status = option_read_string(setting->option, &text, err);

    assert(result);
    if (status)
        return status;
    /* "MIN(,)" is the shortest that could be one. */
    if (text.size < 6 ||
        (strncasecmp((const char *)text.data, "MIN(", 4) && strncasecmp((const char *)text.data, "MAX(", 4)) ||
        text.data[text.size - 1] != ')' || !(comma = memchr(text.data, ',', text.size)))
        return read_simple_policy(arena, text, result, &x, err);
    /* Its two parts, on both sides of the first comma. */
    if (read_simple_policy(arena, option_trim(bytes_of(text.data + 4, (size_t)(comma - text.data) - 4)), &a, &x, err) ||
        read_simple_policy(arena, option_trim(bytes_of(comma + 1, text.size - (size_t)(comma - text.data) - 2)), &b, &y,
                           err) ||
        x < POLICY_PERCENTILE || y < POLICY_PERCENTILE)
        return bad_policy(text, err);
    assert(x < ARRAY_SIZE(policy_names) && y < ARRAY_SIZE(policy_names));
    if (x == y)
        return error_set(
            err, ERR_CONFIG,
            "Invalid value %.*s for option 'speculative_retry': MIN()/MAX() arguments should be of different types, "
            "but both are of type %s",
            BYTES(text), policy_names[x]);
    *result = bytes_of_string(
        arena_printf(arena, "%s(%.*s,%.*s)", toupper(text.data[1]) == 'I' ? "MIN" : "MAX", BYTES(a), BYTES(b)));
    return OK;
}

/* BLOCKING or NONE. */
enum status option_set_repair(const struct option_setting *setting, void *at, struct error *err)
{
    struct bytes *result = at;
    struct bytes text;
    enum status status = option_read_string(setting->option, &text, err);

    if (status)
        return status;
    if (bytes_is_ignoring_case(text, "BLOCKING"))
        *result = BYTES_LITERAL("BLOCKING");
    else if (bytes_is_ignoring_case(text, "NONE"))
        *result = BYTES_LITERAL("NONE");
    else /* Cassandra answers a server error here; a client's mistake is not ours. */
        return error_set(err, ERR_CONFIG,
                         "Invalid value %.*s for option 'read_repair': only 'BLOCKING' and 'NONE' are allowed",
                         BYTES(text));
    return OK;
}
