#include "schema/options.h"

#include "schema/build.h"
#include "schema/ddl.h"
#include "types/number.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- terms ---- */

static bool is_map(const struct term *term)
{
    return term->kind == TERM_MAP || (term->kind == TERM_SET && term->item_count == 0);
}

static bool is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool is_name(struct bytes text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static enum status too_large(struct bytes name, struct error *err)
{
    return error_set(err, ERR_INVALID, "Value of property '%.*s' is too large: the limit is %d bytes", BYTES(name),
                     SCHEMA_OPTIONS_BYTES_MAX);
}

static enum status read_string(const struct cql_option *option, struct bytes *text, struct error *err)
{
    if (option->value->kind != TERM_LITERAL)
        return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a string",
                         BYTES(option->name));
    *text = option->value->literal.text;
    if (text->size > SCHEMA_OPTIONS_BYTES_MAX)
        return too_large(option->name, err);
    return OK;
}

enum status options_read_map(struct arena *arena, struct bytes name, const struct term *term, struct option_map *map,
                             struct error *err)
{
    size_t size = 0;

    *map = (struct option_map){ 0 };
    if (!is_map(term))
        return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
    for (uint32_t i = 0; i < term->item_count; i += 2) {
        const struct term *key = term->items[i], *value = term->items[i + 1];

        if (key->kind != TERM_LITERAL || value->kind != TERM_LITERAL)
            return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
        size += key->literal.text.size + value->literal.text.size;
        if (size > SCHEMA_OPTIONS_BYTES_MAX)
            return too_large(name, err);
        option_map_set(arena, map, key->literal.text, value->literal.text);
    }
    return OK;
}

/* Names in the order written, for messages that list them; a set name stands for itself only. */
static void append_names(struct buffer *out, const struct option_map *map, const struct term *written)
{
    bool first = true;

    for (uint32_t i = 0; i < written->item_count; i += 2) {
        struct bytes name = written->items[i]->literal.text;

        if (!option_map_find(map, name))
            continue;
        if (!first)
            buffer_append_string(out, ", ");
        buffer_append_bytes(out, name);
        first = false;
    }
}

static enum status read_integer(const struct cql_option *option, int32_t *result, struct error *err)
{
    struct bytes text;
    int64_t value;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    if (!integer_parse(text, INT32_MIN, INT32_MAX, &value))
        return error_set(err, ERR_SYNTAX, "Invalid integer value %.*s for '%.*s'", BYTES(text), BYTES(option->name));
    *result = (int32_t)value;
    return OK;
}

static enum status read_double(const struct cql_option *option, double *result, struct error *err)
{
    struct bytes text;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    if (!double_parse(text, result))
        return error_set(err, ERR_SYNTAX, "Invalid double value %.*s for '%.*s'", BYTES(text), BYTES(option->name));
    return OK;
}

static enum status read_boolean(const struct cql_option *option, bool *result, struct error *err)
{
    struct bytes text;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    if (is_word(text, "1") || is_word(text, "true") || is_word(text, "yes")) {
        *result = true;
        return OK;
    }
    if (is_word(text, "0") || is_word(text, "false") || is_word(text, "no")) {
        *result = false;
        return OK;
    }
    return error_set(err, ERR_SYNTAX,
                     "Invalid boolean value %.*s for '%.*s'. Positive values can be '1', 'true' or 'yes'. "
                     "Negative values can be '0', 'false' or 'no'.",
                     BYTES(text), BYTES(option->name));
}

static const char *shown_double(char text[64], double v)
{
    struct buffer out = { 0 };

    double_print(&out, v);
    snprintf(text, 64, "%.*s", (int)out.size, (const char *)out.data);
    buffer_fini(&out);
    return text;
}

/* ---- speculative_retry and additional_write_policy ---- */

enum policy_kind { POLICY_NEVER, POLICY_ALWAYS, POLICY_PERCENTILE, POLICY_FIXED, POLICY_HYBRID };
static const char *const policy_names[] = { "NEVER", "ALWAYS", "PERCENTILE", "FIXED", "HYBRID" };

static enum status bad_policy(struct bytes text, struct error *err)
{
    /* Cassandra names speculative_retry for additional_write_policy too. */
    return error_set(err, ERR_CONFIG, "Invalid value %.*s for option 'speculative_retry'", BYTES(text));
}

/* digits and points, then a suffix */
static bool split_number(struct bytes text, double *number, struct bytes *suffix)
{
    size_t i = 0;

    while (i < text.size && (isdigit(text.data[i]) || text.data[i] == '.'))
        i++;
    *suffix = bytes_of(text.data + i, text.size - i);
    return i > 0 && double_parse(bytes_of(text.data, i), number);
}

static enum status read_simple_policy(struct arena *arena, struct bytes text, struct bytes *result,
                                      enum policy_kind *kind, struct error *err)
{
    struct bytes suffix;
    double number;

    if (is_word(text, "NEVER") || is_word(text, "NONE")) {
        *kind = POLICY_NEVER;
        *result = BYTES_LITERAL("NEVER");
        return OK;
    }
    if (is_word(text, "ALWAYS")) {
        *kind = POLICY_ALWAYS;
        *result = BYTES_LITERAL("ALWAYS");
        return OK;
    }
    if (!split_number(text, &number, &suffix))
        return bad_policy(text, err);
    if (is_word(suffix, "p") || is_word(suffix, "percentile")) {
        char digits[64];
        size_t size;

        if (number <= 0.0 || number >= 100.0)
            return error_set(
                err, ERR_CONFIG,
                "Invalid value %.*s for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)",
                BYTES(text));
        size = (size_t)snprintf(digits, sizeof(digits), "%.4f", number);
        while (digits[size - 1] == '0')
            size--;
        if (digits[size - 1] == '.')
            size--;
        *kind = POLICY_PERCENTILE;
        *result = bytes_of_string(arena_printf(arena, "%.*sp", (int)size, digits));
        return OK;
    }
    if (is_word(suffix, "ms") && number < 1e9) {
        *kind = POLICY_FIXED;
        *result = bytes_of_string(arena_printf(arena, "%lldms", (long long)number));
        return OK;
    }
    return bad_policy(text, err);
}

static struct bytes trim(struct bytes text)
{
    while (text.size && isspace(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && isspace(text.data[text.size - 1]))
        text.size--;
    return text;
}

static enum status read_policy(struct arena *arena, const struct cql_option *option, struct bytes *result,
                               struct error *err)
{
    struct bytes text, a, b;
    enum policy_kind x, y;
    const uint8_t *comma;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    if (text.size < 6 ||
        (strncasecmp((const char *)text.data, "MIN(", 4) && strncasecmp((const char *)text.data, "MAX(", 4)) ||
        text.data[text.size - 1] != ')' || !(comma = memchr(text.data, ',', text.size)))
        return read_simple_policy(arena, text, result, &x, err);
    if (read_simple_policy(arena, trim(bytes_of(text.data + 4, (size_t)(comma - text.data) - 4)), &a, &x, err) ||
        read_simple_policy(arena, trim(bytes_of(comma + 1, text.size - (size_t)(comma - text.data) - 2)), &b, &y,
                           err) ||
        x < POLICY_PERCENTILE || y < POLICY_PERCENTILE)
        return bad_policy(text, err);
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

/* ---- caching ---- */

static enum status read_caching(struct arena *arena, const struct cql_option *option, struct option_map *result,
                                struct error *err)
{
    struct option_map given, rest;
    struct bytes keys = BYTES_LITERAL("NONE"), rows = BYTES_LITERAL("NONE");
    enum status status = options_read_map(arena, option->name, option->value, &given, err);

    if (status)
        return status;
    rest = (struct option_map){ 0 };
    for (uint32_t i = 0; i < given.count; i++) {
        struct bytes name = given.options[i].name, value = given.options[i].value;
        int64_t number;

        if (is_name(name, "keys")) {
            if (is_word(value, "ALL"))
                keys = BYTES_LITERAL("ALL");
            else if (!is_word(value, "NONE"))
                return error_set(
                    err, ERR_CONFIG,
                    "Invalid value '%.*s' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed",
                    BYTES(value));
        } else if (is_name(name, "rows_per_partition")) {
            if (is_word(value, "ALL"))
                rows = BYTES_LITERAL("ALL");
            else if (is_word(value, "NONE"))
                rows = BYTES_LITERAL("NONE");
            else if (value.size && isdigit(value.data[0]) && integer_parse(value, 0, INT32_MAX, &number))
                rows = number == 0 ? BYTES_LITERAL("NONE")
                                   : bytes_of_string(arena_printf(arena, "%lld", (long long)number));
            else
                return error_set(
                    err, ERR_CONFIG,
                    "Invalid value '%.*s' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer "
                    "values are allowed",
                    BYTES(value));
        } else {
            option_map_set(arena, &rest, name, value);
        }
    }
    if (rest.count) {
        struct buffer names = { 0 };

        append_names(&names, &rest, option->value);
        status = error_set(err, ERR_CONFIG,
                           "Invalid caching sub-options [%.*s]: only 'keys' and 'rows_per_partition' are allowed",
                           BYTES(buffer_bytes(&names)));
        buffer_fini(&names);
        return status;
    }
    *result = (struct option_map){ 0 };
    option_map_set(arena, result, BYTES_LITERAL("keys"), keys);
    option_map_set(arena, result, BYTES_LITERAL("rows_per_partition"), rows);
    return OK;
}

/* ---- compaction ---- */

#define COMPACTION_PACKAGE "org.apache.cassandra.db.compaction."

static const char *const compaction_classes[] = { "SizeTieredCompactionStrategy", "LeveledCompactionStrategy",
                                                  "TimeWindowCompactionStrategy", "UnifiedCompactionStrategy" };
enum { CLASS_SIZE_TIERED = 1, CLASS_LEVELED = 2, CLASS_TIME_WINDOW = 4, CLASS_UNIFIED = 8, CLASS_ALL = 15 };

static struct bytes qualified(struct arena *arena, const char *package, struct bytes name)
{
    if (name.size && memchr(name.data, '.', name.size))
        return name;
    return bytes_of_string(arena_printf(arena, "%s%.*s", package, BYTES(name)));
}

static unsigned compaction_class(struct bytes name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(compaction_classes); i++) {
        struct bytes class = bytes_of_string(compaction_classes[i]);

        if (name.size == strlen(COMPACTION_PACKAGE) + class.size &&
            memcmp(name.data + strlen(COMPACTION_PACKAGE), class.data, class.size) == 0 &&
            memcmp(name.data, COMPACTION_PACKAGE, strlen(COMPACTION_PACKAGE)) == 0)
            return 1u << i;
    }
    return 0;
}

static enum status read_compaction(struct arena *arena, const struct cql_option *option, struct option_map *map,
                                   struct error *err)
{
    const struct option *class, *overlapping;
    struct bytes name;
    unsigned bit;
    enum status status = options_read_map(arena, option->name, option->value, map, err);

    if (status)
        return status;
    class = option_map_find(map, BYTES_LITERAL("class"));
    if (!class)
        return error_set(err, ERR_CONFIG, "Missing sub-option 'class' for the 'compaction' option");
    name = qualified(arena, COMPACTION_PACKAGE, class->value);
    bit = compaction_class(name);
    if (!bit)
        return error_set(err, ERR_CONFIG, "Unable to find compaction strategy class '%.*s'", BYTES(name));
    option_map_set(arena, map, BYTES_LITERAL("class"), name);
    overlapping = option_map_find(map, BYTES_LITERAL("provide_overlapping_tombstones"));
    if (overlapping && !is_word(overlapping->value, "NONE") && !is_word(overlapping->value, "ROW") &&
        !is_word(overlapping->value, "CELL")) {
        char *upper = arena_string(arena, overlapping->value);

        for (char *c = upper; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        return error_set(
            err, ERR_CONFIG,
            "Invalid value %s for 'provide_overlapping_tombstones' compaction sub-option - must be one of the "
            "following [NONE, ROW, CELL].",
            upper);
    }
    if (bit != CLASS_UNIFIED) {
        if (!option_map_find(map, BYTES_LITERAL("max_threshold")))
            option_map_set(arena, map, BYTES_LITERAL("max_threshold"), BYTES_LITERAL("32"));
        if (!option_map_find(map, BYTES_LITERAL("min_threshold")))
            option_map_set(arena, map, BYTES_LITERAL("min_threshold"), BYTES_LITERAL("4"));
    }
    return OK;
}

/* How a compaction option is looked at, and with which words refused. */
enum compaction_check {
    CHECK_ANY,            /* not looked at */
    CHECK_QUOTED_BOOLEAN, /* '...' should be either 'true' or 'false', not '...' */
    CHECK_BOOLEAN,        /* ... should either be 'true' or 'false', not ... */
    CHECK_IS_BOOLEAN,     /* ... is not 'true' or 'false' (...) */
    CHECK_BOTH_BOOLEAN,   /* '...' should either be 'true' or 'false', not ... */
    CHECK_RATIO,          /* a float, not negative */
    CHECK_INTERVAL,       /* an integer, not negative; "must be greater than 0" */
    CHECK_DOUBLE,
    CHECK_NOT_NEGATIVE, /* min_sstable_size */
    CHECK_LARGER_0,
    CHECK_AT_LEAST_1,
    CHECK_POSITIVE,  /* Invalid configuration, ... should be positive */
    CHECK_FREQUENCY, /* must not be negative */
    CHECK_RESOLUTION,
    CHECK_WINDOW,
    CHECK_SCALING,
    CHECK_SIZE_TARGET,
    CHECK_SIZE,
    CHECK_GROWTH,
    CHECK_OVERLAP,
};

static const struct {
    const char *name;
    unsigned classes;
    enum compaction_check check;
} compaction_options[] = {
    { "class", CLASS_ALL, CHECK_ANY },
    { "min_threshold", CLASS_ALL & ~CLASS_UNIFIED, CHECK_ANY },
    { "max_threshold", CLASS_ALL & ~CLASS_UNIFIED, CHECK_ANY },
    { "enabled", CLASS_ALL, CHECK_BOOLEAN },
    { "tombstone_threshold", CLASS_ALL, CHECK_RATIO },
    { "tombstone_compaction_interval", CLASS_ALL, CHECK_INTERVAL },
    { "unchecked_tombstone_compaction", CLASS_ALL, CHECK_QUOTED_BOOLEAN },
    { "log_all", CLASS_ALL, CHECK_BOTH_BOOLEAN },
    { "only_purge_repaired_tombstones", CLASS_ALL, CHECK_ANY },
    { "provide_overlapping_tombstones", CLASS_ALL, CHECK_ANY },
    { "bucket_low", CLASS_ALL & ~CLASS_UNIFIED, CHECK_DOUBLE },
    { "bucket_high", CLASS_ALL & ~CLASS_UNIFIED, CHECK_DOUBLE },
    { "min_sstable_size", CLASS_ALL & ~CLASS_UNIFIED, CHECK_NOT_NEGATIVE },
    { "sstable_size_in_mb", CLASS_LEVELED, CHECK_AT_LEAST_1 },
    { "fanout_size", CLASS_LEVELED, CHECK_AT_LEAST_1 },
    { "single_sstable_uplevel", CLASS_LEVELED, CHECK_ANY },
    { "timestamp_resolution", CLASS_TIME_WINDOW, CHECK_RESOLUTION },
    { "compaction_window_unit", CLASS_TIME_WINDOW, CHECK_WINDOW },
    { "compaction_window_size", CLASS_TIME_WINDOW, CHECK_LARGER_0 },
    { "expired_sstable_check_frequency_seconds", CLASS_TIME_WINDOW, CHECK_FREQUENCY },
    { "expired_sstable_check_frequency_seconds", CLASS_UNIFIED, CHECK_POSITIVE },
    { "unsafe_aggressive_sstable_expiration", CLASS_TIME_WINDOW, CHECK_IS_BOOLEAN },
    { "unsafe_aggressive_sstable_expiration", CLASS_UNIFIED, CHECK_BOOLEAN },
    { "scaling_parameters", CLASS_UNIFIED, CHECK_SCALING },
    { "target_sstable_size", CLASS_UNIFIED, CHECK_SIZE_TARGET },
    { "min_sstable_size", CLASS_UNIFIED, CHECK_SIZE },
    { "flush_size_override", CLASS_UNIFIED, CHECK_SIZE },
    { "base_shard_count", CLASS_UNIFIED, CHECK_POSITIVE },
    { "sstable_growth", CLASS_UNIFIED, CHECK_GROWTH },
    { "overlap_inclusion_method", CLASS_UNIFIED, CHECK_OVERLAP },
    { "max_sstables_to_compact", CLASS_UNIFIED, CHECK_ANY },
};

static bool is_boolean(struct bytes text)
{
    return is_word(text, "true") || is_word(text, "false");
}

static enum status check_scaling(struct bytes value, struct error *err)
{
    while (value.size) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        size_t size = comma ? (size_t)(comma - value.data) : value.size;
        struct bytes word = trim(bytes_of(value.data, size)), digits = word;
        int64_t number = 0;
        bool fan = word.size && (word.data[0] == 'L' || word.data[0] == 'T');

        if (fan)
            digits = bytes_of(word.data + 1, word.size - 1);
        if (!is_name(word, "N") && (!digits.size || (fan && !isdigit(digits.data[0])) ||
                                    !integer_parse(digits, INT32_MIN, INT32_MAX, &number)))
            return error_set(err, ERR_CONFIG, "Scaling parameter %.*s must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+",
                             BYTES(word));
        if (fan && number < 2)
            return error_set(err, ERR_CONFIG, "Fan factor cannot be lower than 2 in %.*s", BYTES(word));
        value = comma ? bytes_of(comma + 1, value.size - size - 1) : bytes_of("", 0);
    }
    return OK;
}

/* 1GiB, 100 MiB, 4096B: bytes, or negative when it is no size */
static double parse_size(struct bytes text)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {
        { "B", 1 },    { "KiB", 1024.0 }, { "MiB", 1048576.0 }, { "GiB", 1073741824.0 }, { "TiB", 1099511627776.0 },
        { "KB", 1e3 }, { "MB", 1e6 },     { "GB", 1e9 }
    };
    struct bytes suffix;
    double number;

    if (!split_number(trim(text), &number, &suffix))
        return -1;
    suffix = trim(suffix);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (is_word(suffix, units[i].unit))
            return number * units[i].bytes;
    return -1;
}

static enum status not_an_integer(const char *name, struct bytes value, struct error *err)
{
    return error_set(err, ERR_CONFIG, "%.*s is not a parsable int (base10) for %s", BYTES(value), name);
}

static enum status check_compaction_option(const char *name, struct bytes value, enum compaction_check check,
                                           struct error *err)
{
    static const char *const resolutions[] = { "DAYS",         "HOURS",        "MINUTES",    "SECONDS",
                                               "MILLISECONDS", "MICROSECONDS", "NANOSECONDS" };
    int64_t number;
    double real;

    switch (check) {
    case CHECK_ANY: return OK;
    case CHECK_QUOTED_BOOLEAN:
        return is_boolean(value) ? OK
                                 : error_set(err, ERR_CONFIG, "'%s' should be either 'true' or 'false', not '%.*s'",
                                             name, BYTES(value));
    case CHECK_BOOLEAN:
        return is_boolean(value)
                   ? OK
                   : error_set(err, ERR_CONFIG, "%s should either be 'true' or 'false', not %.*s", name, BYTES(value));
    case CHECK_IS_BOOLEAN:
        return is_boolean(value) ? OK
                                 : error_set(err, ERR_CONFIG, "%s is not 'true' or 'false' (%.*s)", name, BYTES(value));
    case CHECK_BOTH_BOOLEAN:
        return is_boolean(value) ? OK
                                 : error_set(err, ERR_CONFIG, "'%s' should either be 'true' or 'false', not %.*s", name,
                                             BYTES(value));
    case CHECK_RATIO:
        if (!double_parse(value, &real))
            return not_an_integer(name, value, err);
        return real >= 0 ? OK : error_set(err, ERR_CONFIG, "%s must be greater than 0, but was %f", name, real);
    case CHECK_DOUBLE:
        return double_parse(value, &real)
                   ? OK
                   : error_set(err, ERR_CONFIG, "%.*s is not a parsable float for %s", BYTES(value), name);
    case CHECK_RESOLUTION:
        for (size_t i = 0; i < ARRAY_SIZE(resolutions); i++)
            if (is_name(value, resolutions[i]))
                return OK;
        return error_set(err, ERR_CONFIG, "%.*s is not valid for %s", BYTES(value), name);
    case CHECK_WINDOW:
        if (is_name(value, "DAYS") || is_name(value, "HOURS") || is_name(value, "MINUTES"))
            return OK;
        return error_set(err, ERR_CONFIG, "%.*s is not valid for %s", BYTES(value), name);
    case CHECK_SCALING: return check_scaling(value, err);
    case CHECK_SIZE_TARGET:
        real = parse_size(value);
        if (real < 0)
            return error_set(err, ERR_CONFIG, "%s %.*s is not a valid size in bytes: %.*s does not end in unit B", name,
                             BYTES(value), BYTES(value));
        return real >= 1048576 ? OK
                               : error_set(err, ERR_CONFIG, "%s %.*s is not acceptable, size must be at least 1.000MiB",
                                           name, BYTES(value));
    case CHECK_SIZE:
        return parse_size(value) >= 0
                   ? OK
                   : error_set(err, ERR_CONFIG, "%.*s is not a valid size in bytes for %s", BYTES(value), name);
    case CHECK_GROWTH:
        if (!double_parse(value, &real))
            return error_set(err, ERR_CONFIG, "%.*s is not a parsable double for %s", BYTES(value), name);
        return real >= 0 && real <= 1
                   ? OK
                   : error_set(err, ERR_CONFIG, "%s %.*s must be between 0 and 1", name, BYTES(value));
    case CHECK_OVERLAP:
        if (is_word(value, "NONE") || is_word(value, "SINGLE") || is_word(value, "TRANSITIVE"))
            return OK;
        return error_set(err, ERR_CONFIG,
                         "Invalid overlap inclusion method %.*s. The valid options are [NONE, SINGLE, TRANSITIVE].",
                         BYTES(value));
    case CHECK_INTERVAL:
    case CHECK_NOT_NEGATIVE:
    case CHECK_LARGER_0:
    case CHECK_AT_LEAST_1:
    case CHECK_POSITIVE:
    case CHECK_FREQUENCY: break;
    }
    if (!integer_parse(value, INT64_MIN, INT64_MAX, &number))
        return not_an_integer(name, value, err);
    if (check == CHECK_INTERVAL && number < 0)
        return error_set(err, ERR_CONFIG, "%s must be greater than 0, but was %lld", name, (long long)number);
    if (check == CHECK_NOT_NEGATIVE && number < 0)
        return error_set(err, ERR_CONFIG, "%s must be non negative: %lld", name, (long long)number);
    if (check == CHECK_LARGER_0 && number < 1)
        return error_set(err, ERR_CONFIG, "%lld must be greater than 1 for %s", (long long)number, name);
    if (check == CHECK_AT_LEAST_1 && number < 1)
        return error_set(err, ERR_CONFIG, "%s must be larger than 0, but was %lld", name, (long long)number);
    if (check == CHECK_POSITIVE && number < 1)
        return error_set(err, ERR_CONFIG, "Invalid configuration, %s should be positive: %lld", name,
                         (long long)number);
    if (check == CHECK_FREQUENCY && number < 0)
        return error_set(err, ERR_CONFIG, "%s must not be negative, but was %lld", name, (long long)number);
    return OK;
}

static double double_option(const struct option_map *map, const char *name, double fallback)
{
    const struct option *option = option_map_find(map, bytes_of_string(name));
    double value;

    return option && double_parse(option->value, &value) ? value : fallback;
}

static enum status check_threshold(const struct option_map *map, const char *name, int64_t fallback, int64_t *result,
                                   struct error *err)
{
    const struct option *option = option_map_find(map, bytes_of_string(name));

    *result = fallback;
    if (option && !integer_parse(option->value, INT32_MIN, INT32_MAX, result))
        return error_set(err, ERR_CONFIG, "Invalid value %.*s for '%s' compaction sub-option - must be an integer",
                         BYTES(option->value), name);
    return OK;
}

static enum status check_compaction(const struct option_map *map, struct error *err)
{
    struct bytes class = option_map_find(map, BYTES_LITERAL("class"))->value;
    unsigned bit = compaction_class(class);
    struct buffer unknown = { 0 };
    int64_t min, max;
    double low, high;
    char a[64], b[64];
    enum status status = OK;

    for (size_t i = 0; i < ARRAY_SIZE(compaction_options) && !status; i++) {
        const struct option *option = option_map_find(map, bytes_of_string(compaction_options[i].name));

        if (option && (compaction_options[i].classes & bit))
            status =
                check_compaction_option(compaction_options[i].name, option->value, compaction_options[i].check, err);
    }
    if (status)
        return status;
    low = double_option(map, "bucket_low", 0.5);
    high = double_option(map, "bucket_high", 1.5);
    if (bit != CLASS_UNIFIED && high <= low)
        return error_set(err, ERR_CONFIG, "bucket_high value (%s) is less than or equal to the bucket_low value (%s)",
                         shown_double(a, high), shown_double(b, low));
    for (uint32_t i = 0; i < map->count; i++) {
        bool known = false;

        for (size_t j = 0; j < ARRAY_SIZE(compaction_options); j++)
            known |= is_name(map->options[i].name, compaction_options[j].name) && (compaction_options[j].classes & bit);
        if (known)
            continue;
        if (unknown.size)
            buffer_append_string(&unknown, ", ");
        buffer_append_bytes(&unknown, map->options[i].name);
    }
    if (unknown.size)
        status = error_set(err, ERR_CONFIG, "Properties specified [%.*s] are not understood by %.*s",
                           BYTES(buffer_bytes(&unknown)), (int)(class.size - strlen(COMPACTION_PACKAGE)),
                           (const char *)class.data + strlen(COMPACTION_PACKAGE));
    buffer_fini(&unknown);
    if (status || (status = check_threshold(map, "min_threshold", 4, &min, err)) ||
        (status = check_threshold(map, "max_threshold", 32, &max, err)))
        return status;
    if (min <= 0 || max <= 0)
        return error_set(
            err, ERR_CONFIG,
            "Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction option "
            "'enabled' to false instead.");
    if (min <= 1)
        return error_set(err, ERR_CONFIG, "Min compaction threshold cannot be less than 2 (got %lld)", (long long)min);
    if (min > max)
        return error_set(
            err, ERR_CONFIG,
            "Min compaction threshold (got %lld) cannot be greater than max compaction threshold (got %lld)",
            (long long)min, (long long)max);
    return OK;
}

/* ---- compression ---- */

#define COMPRESSION_PACKAGE "org.apache.cassandra.io.compress."

static enum status check_compressor(const char *class, struct bytes name, struct bytes value, bool *known,
                                    struct error *err)
{
    int64_t number;

    *known = true;
    if (!strcmp(class, "LZ4Compressor") && is_name(name, "lz4_compressor_type")) {
        if (!is_name(value, "fast") && !is_name(value, "high"))
            return error_set(
                err, ERR_CONFIG,
                "Invalid compressor type '%.*s' specified for LZ4 parameter 'lz4_compressor_type'. Valid options are "
                "[high, fast].",
                BYTES(value));
    } else if (!strcmp(class, "LZ4Compressor") && is_name(name, "lz4_high_compressor_level")) {
        if (!integer_parse(value, INT32_MIN, INT32_MAX, &number))
            return error_set(
                err, ERR_CONFIG,
                "Invalid value [%.*s] for parameter 'lz4_high_compressor_level'. Value must be an integer.",
                BYTES(value));
        if (number < 1 || number > 17)
            return error_set(
                err, ERR_CONFIG,
                "Invalid value [%.*s] for parameter 'lz4_high_compressor_level'. Value must be between 1 and 17.",
                BYTES(value));
    } else if (!strcmp(class, "ZstdCompressor") && is_name(name, "compression_level")) {
        if (!integer_parse(value, INT32_MIN, INT32_MAX, &number))
            return error_set(
                err, ERR_CONFIG,
                "ZstdCompressor.create() threw an error: java.lang.NumberFormatException For input string: \"%.*s\"",
                BYTES(value));
        if (number < -131072 || number > 22)
            return error_set(
                err, ERR_CONFIG,
                "ZstdCompressor.create() threw an error: java.lang.IllegalArgumentException compression_level=%.*s is "
                "invalid",
                BYTES(value));
    } else {
        *known = false;
    }
    return OK;
}

static enum status read_compression(struct arena *arena, const struct cql_option *option, struct option_map *result,
                                    struct error *err)
{
    static const char *const classes[] = { "LZ4Compressor", "SnappyCompressor", "DeflateCompressor", "ZstdCompressor",
                                           "NoopCompressor" };
    struct option_map given;
    const struct option *found;
    const char *class = NULL;
    struct bytes name;
    int64_t chunk = 16;
    double ratio = 0;
    bool has_ratio = false;
    enum status status = options_read_map(arena, option->name, option->value, &given, err);

    if (status)
        return status;
    *result = (struct option_map){ 0 };
    found = option_map_find(&given, BYTES_LITERAL("enabled"));
    if (given.count == 0 || (found && !is_word(found->value, "true"))) {
        if (given.count > 1)
            return error_set(err, ERR_CONFIG,
                             "If the 'enabled' option is set to false no other options must be specified");
        option_map_set(arena, result, BYTES_LITERAL("enabled"), BYTES_LITERAL("false"));
        return OK;
    }
    found = option_map_find(&given, BYTES_LITERAL("class"));
    if (!found)
        return error_set(err, ERR_CONFIG, "Missing sub-option 'class' for the 'compression' option.");
    if (!found->value.size)
        return error_set(err, ERR_CONFIG,
                         "The 'class' option must not be empty. To disable compression use 'enabled' : false");
    name = qualified(arena, COMPRESSION_PACKAGE, found->value);
    found = option_map_find(&given, BYTES_LITERAL("chunk_length_in_kb"));
    if (found && !integer_parse(found->value, INT32_MIN, INT32_MAX, &chunk))
        return error_set(err, ERR_CONFIG, "Invalid value for chunk_length_in_kb");
    if (chunk > INT32_MAX / 1024)
        return error_set(err, ERR_CONFIG, "Value of chunk_length_in_kb is too large (%lld)", (long long)chunk);
    found = option_map_find(&given, BYTES_LITERAL("min_compress_ratio"));
    if (found && !double_parse(found->value, &ratio))
        return error_set(err, ERR_CONFIG, "Invalid value %.*s for min_compress_ratio", BYTES(found->value));
    has_ratio = found != NULL;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (bytes_equal(name, bytes_of_string(arena_printf(arena, COMPRESSION_PACKAGE "%s", classes[i]))))
            class = classes[i];
    if (!class)
        return error_set(err, ERR_CONFIG, "Could not create Compression for type %.*s", BYTES(name));
    option_map_set(arena, result, BYTES_LITERAL("class"), name);
    for (uint32_t i = 0; i < given.count; i++) {
        struct bytes key = given.options[i].name;
        bool known;

        if (is_name(key, "enabled") || is_name(key, "class") || is_name(key, "chunk_length_in_kb") ||
            is_name(key, "min_compress_ratio"))
            continue;
        status = check_compressor(class, key, given.options[i].value, &known, err);
        if (status)
            return status;
        if (!known)
            return error_set(err, ERR_CONFIG, "Unknown compression options %.*s", BYTES(key));
        option_map_set(arena, result, key, given.options[i].value);
    }
    option_map_set(arena, result, BYTES_LITERAL("chunk_length_in_kb"),
                   bytes_of_string(arena_printf(arena, "%lld", (long long)chunk)));
    if (has_ratio && ratio != 0) {
        char text[64];

        option_map_set(arena, result, BYTES_LITERAL("min_compress_ratio"), bytes_of_string(shown_double(text, ratio)));
    }
    return OK;
}

static enum status check_compression(const struct option_map *map, struct error *err)
{
    const struct option *chunk = option_map_find(map, BYTES_LITERAL("chunk_length_in_kb"));
    double ratio = double_option(map, "min_compress_ratio", 0);
    int64_t kb;

    if (!chunk || !integer_parse(chunk->value, INT32_MIN, INT32_MAX, &kb))
        return OK;
    if (kb <= 0)
        return error_set(err, ERR_CONFIG, "Invalid negative or null chunk_length_in_kb");
    if (kb & (kb - 1))
        return error_set(err, ERR_CONFIG, "chunk_length_in_kb must be a power of 2");
    if (ratio < 0)
        return error_set(err, ERR_CONFIG, "Invalid negative min_compress_ratio");
    if (ratio > 0 && ratio < 1)
        return error_set(err, ERR_CONFIG, "min_compress_ratio can either be 0 or greater than or equal to 1");
    return OK;
}

/* ---- maps within maps, as Keyspaces has them: kept as JSON with string leaves ---- */

static void append_json_string(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\')
            buffer_append_u8(out, '\\');
        if (c < 0x20)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_append_u8(out, c);
    }
    buffer_append_u8(out, '"');
}

static enum status append_json(struct buffer *out, const struct term *term, struct bytes name, struct error *err)
{
    if (term->kind == TERM_LITERAL) {
        append_json_string(out, term->literal.text);
        return OK;
    }
    if (!is_map(term))
        return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
    buffer_append_u8(out, '{');
    for (uint32_t i = 0; i < term->item_count; i += 2) {
        enum status status;

        if (term->items[i]->kind != TERM_LITERAL)
            return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
        if (i)
            buffer_append_string(out, ", ");
        append_json_string(out, term->items[i]->literal.text);
        buffer_append_string(out, ": ");
        status = append_json(out, term->items[i + 1], name, err);
        if (status)
            return status;
    }
    buffer_append_u8(out, '}');
    return out->size > SCHEMA_OPTIONS_BYTES_MAX ? too_large(name, err) : OK;
}

/* One entry of an object that append_json wrote: advances *rest past it. */
static bool next_json(struct bytes *rest, struct bytes *key, struct bytes *entry)
{
    size_t i = 0, depth = 0, key_end = 0;
    bool quoted = false;

    for (; i < rest->size; i++) {
        uint8_t c = rest->data[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"') {
            quoted = !quoted;
            if (!quoted && !key_end)
                key_end = i + 1;
        } else if (!quoted && c == '{')
            depth++;
        else if (!quoted && c == '}')
            depth--;
        else if (!quoted && c == ',' && depth == 0)
            break;
    }
    if (!key_end)
        return false;
    *entry = bytes_of(rest->data, i);
    *key = bytes_of(rest->data, key_end);
    i += i < rest->size ? 2 : 0; /* ", " */
    *rest = bytes_of(rest->data + i, rest->size - i);
    return true;
}

static bool object_has(struct bytes object, struct bytes key)
{
    struct bytes found, entry;

    object = bytes_of(object.data + 1, object.size - 2);
    while (next_json(&object, &found, &entry))
        if (bytes_equal(found, key))
            return true;
    return false;
}

/* The entries of `old` that `new` does not have, then those of `new`: ALTER names only what changes. */
static enum status read_nested(struct arena *arena, const struct cql_option *option, struct bytes *result,
                               struct error *err)
{
    struct buffer given = { 0 }, merged = { 0 };
    struct bytes rest = *result, key, entry;
    enum status status;

    if (!is_map(option->value))
        return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.",
                         BYTES(option->name));
    status = append_json(&given, option->value, option->name, err);
    if (!status) {
        buffer_append_u8(&merged, '{');
        if (rest.size >= 2) {
            rest = bytes_of(rest.data + 1, rest.size - 2);
            while (next_json(&rest, &key, &entry)) {
                if (object_has(buffer_bytes(&given), key))
                    continue;
                buffer_append_bytes(&merged, entry);
                buffer_append_string(&merged, ", ");
            }
        }
        buffer_append(&merged, given.data + 1, given.size - 1);
        if (given.size == 2 && merged.size > 2) { /* "{..., }" */
            merged.size -= 3;
            buffer_append_u8(&merged, '}');
        }
        if (merged.size > SCHEMA_OPTIONS_BYTES_MAX)
            status = too_large(option->name, err);
        else
            *result = arena_copy(arena, buffer_bytes(&merged));
    }
    buffer_fini(&given);
    buffer_fini(&merged);
    return status;
}

enum status options_check_tags(const struct option_map *tags, struct error *err)
{
    if (tags->count > 50)
        return error_set(err, ERR_INVALID, "A resource can have at most 50 tags (got %u)", tags->count);
    for (uint32_t i = 0; i < tags->count; i++)
        if (!tags->options[i].name.size || tags->options[i].name.size > 4 * 128 ||
            tags->options[i].value.size > 4 * 256)
            return error_set(err, ERR_INVALID, "Tag keys have 1 to 128 characters, tag values up to 256");
    return OK;
}

/* ---- tables ---- */

void options_default_table(struct arena *arena, struct table_params *params)
{
    *params = (struct table_params){
        .comment = arena_copy(arena, BYTES_LITERAL("")),
        .bloom_filter_fp_chance = -1,
        .crc_check_chance = 1.0,
        .gc_grace_s = 864000,
        .min_index_interval = 128,
        .max_index_interval = 2048,
        .speculative_retry = arena_copy(arena, BYTES_LITERAL("99p")),
        .additional_write_policy = arena_copy(arena, BYTES_LITERAL("99p")),
        .read_repair = arena_copy(arena, BYTES_LITERAL("BLOCKING")),
        .memtable = arena_copy(arena, BYTES_LITERAL("default")),
        .allow_auto_snapshot = true,
        .incremental_backups = true,
    };
    option_map_set(arena, &params->caching, BYTES_LITERAL("keys"), BYTES_LITERAL("ALL"));
    option_map_set(arena, &params->caching, BYTES_LITERAL("rows_per_partition"), BYTES_LITERAL("NONE"));
    option_map_set(arena, &params->compaction, BYTES_LITERAL("class"),
                   BYTES_LITERAL(COMPACTION_PACKAGE "SizeTieredCompactionStrategy"));
    option_map_set(arena, &params->compaction, BYTES_LITERAL("max_threshold"), BYTES_LITERAL("32"));
    option_map_set(arena, &params->compaction, BYTES_LITERAL("min_threshold"), BYTES_LITERAL("4"));
    option_map_set(arena, &params->compression, BYTES_LITERAL("chunk_length_in_kb"), BYTES_LITERAL("16"));
    option_map_set(arena, &params->compression, BYTES_LITERAL("class"),
                   BYTES_LITERAL(COMPRESSION_PACKAGE "LZ4Compressor"));
}

static bool parse_uuid(struct bytes text, uint8_t uuid[16])
{
    size_t at = 0;

    if (text.size != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        uint8_t c = text.data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return false;
            continue;
        }
        if (!isxdigit(c))
            return false;
        c = (uint8_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        if (at % 2 == 0)
            uuid[at / 2] = (uint8_t)(c << 4);
        else
            uuid[at / 2] |= c;
        at++;
    }
    return true;
}

static enum status read_id(const struct cql_option *option, bool *has_id, uint8_t id[16], struct error *err)
{
    struct bytes text;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    if (!has_id)
        return error_set(err, ERR_CONFIG, "Cannot alter table id.");
    if (!parse_uuid(text, id))
        return error_set(err, ERR_CONFIG, "Invalid table id");
    *has_id = true;
    return OK;
}

static enum status read_memtable(const struct cql_option *option, struct bytes *result, struct error *err)
{
    struct bytes text;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    /* The names that a stock cassandra.yaml defines; we keep what was said, and have one kind. */
    static const struct bytes known[] = { { (const uint8_t *)"default", 7 },
                                          { (const uint8_t *)"skiplist", 8 },
                                          { (const uint8_t *)"trie", 4 } };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (bytes_equal(text, known[i])) {
            *result = known[i];
            return OK;
        }
    return error_set(err, ERR_CONFIG, "Memtable configuration \"%.*s\" not found.", BYTES(text));
}

static enum status read_read_repair(const struct cql_option *option, struct bytes *result, struct error *err)
{
    struct bytes text;
    enum status status = read_string(option, &text, err);

    if (status)
        return status;
    if (is_word(text, "BLOCKING"))
        *result = BYTES_LITERAL("BLOCKING");
    else if (is_word(text, "NONE"))
        *result = BYTES_LITERAL("NONE");
    else /* Cassandra answers a server error here; a client's mistake is not ours. */
        return error_set(err, ERR_CONFIG,
                         "Invalid value %.*s for option 'read_repair': only 'BLOCKING' and 'NONE' are allowed",
                         BYTES(text));
    return OK;
}

static enum status read_table_option(struct arena *arena, const struct cql_option *option, struct table_params *params,
                                     bool *has_id, uint8_t id[16], struct error *err)
{
    struct bytes name = option->name;
    struct option_map ignored;
    enum status status;

    if (is_name(name, "comment"))
        return read_string(option, &params->comment, err);
    if (is_name(name, "additional_write_policy"))
        return read_policy(arena, option, &params->additional_write_policy, err);
    if (is_name(name, "allow_auto_snapshot"))
        return read_boolean(option, &params->allow_auto_snapshot, err);
    if (is_name(name, "bloom_filter_fp_chance"))
        return read_double(option, &params->bloom_filter_fp_chance, err);
    if (is_name(name, "caching"))
        return read_caching(arena, option, &params->caching, err);
    if (is_name(name, "cdc"))
        return read_boolean(option, &params->cdc, err);
    if (is_name(name, "compaction"))
        return read_compaction(arena, option, &params->compaction, err);
    if (is_name(name, "compression"))
        return read_compression(arena, option, &params->compression, err);
    if (is_name(name, "crc_check_chance"))
        return read_double(option, &params->crc_check_chance, err);
    if (is_name(name, "default_time_to_live"))
        return read_integer(option, &params->default_time_to_live_s, err);
    if (is_name(name, "extensions")) /* known, and ignored by Cassandra's CQL */
        return options_read_map(arena, name, option->value, &ignored, err);
    if (is_name(name, "gc_grace_seconds"))
        return read_integer(option, &params->gc_grace_s, err);
    if (is_name(name, "id"))
        return read_id(option, has_id, id, err);
    if (is_name(name, "incremental_backups"))
        return read_boolean(option, &params->incremental_backups, err);
    if (is_name(name, "max_index_interval"))
        return read_integer(option, &params->max_index_interval, err);
    if (is_name(name, "memtable"))
        return read_memtable(option, &params->memtable, err);
    if (is_name(name, "memtable_flush_period_in_ms"))
        return read_integer(option, &params->memtable_flush_period_ms, err);
    if (is_name(name, "min_index_interval"))
        return read_integer(option, &params->min_index_interval, err);
    if (is_name(name, "read_repair"))
        return read_read_repair(option, &params->read_repair, err);
    if (is_name(name, "speculative_retry"))
        return read_policy(arena, option, &params->speculative_retry, err);
    if (is_name(name, "custom_properties"))
        return read_nested(arena, option, &params->custom_properties, err);
    if (is_name(name, "autoscaling_settings"))
        return read_nested(arena, option, &params->autoscaling_settings, err);
    if (is_name(name, "tags")) {
        status = options_read_map(arena, name, option->value, &params->tags, err);
        return status ? status : options_check_tags(&params->tags, err);
    }
    return error_set(err, ERR_SYNTAX, "Unknown property '%.*s'", BYTES(name));
}

enum status options_read_table(struct arena *arena, const struct option_list *list, struct table_params *params,
                               bool *has_id, uint8_t id[16], struct error *err)
{
    for (uint32_t i = 0; i < list->count; i++) {
        enum status status = read_table_option(arena, &list->items[i], params, has_id, id, err);

        if (status)
            return status;
    }
    return OK;
}

static enum status check_least(const char *name, int32_t value, int32_t least, struct error *err)
{
    if (value < least)
        return error_set(err, ERR_CONFIG, "%s must be greater than or equal to %d (got %d)", name, least, value);
    return OK;
}

enum status options_check_table(struct arena *arena, struct table_params *params, struct error *err)
{
    char text[64];
    enum status status;

    if (params->bloom_filter_fp_chance == -1)
        params->bloom_filter_fp_chance =
            compaction_class(option_map_find(&params->compaction, BYTES_LITERAL("class"))->value) == CLASS_LEVELED
                ? 0.1
                : 0.01;
    if ((status = check_compaction(&params->compaction, err)) ||
        (status = check_compression(&params->compression, err)))
        return status;
    if (!(params->bloom_filter_fp_chance > 6.71e-5 && params->bloom_filter_fp_chance <= 1))
        return error_set(err, ERR_CONFIG,
                         "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got %s)",
                         shown_double(text, params->bloom_filter_fp_chance));
    if (!(params->crc_check_chance >= 0 && params->crc_check_chance <= 1))
        return error_set(err, ERR_CONFIG,
                         "crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 (got %s)",
                         shown_double(text, params->crc_check_chance));
    if ((status = check_least("default_time_to_live", params->default_time_to_live_s, 0, err)))
        return status;
    if (params->default_time_to_live_s > 630720000)
        return error_set(err, ERR_CONFIG, "default_time_to_live must be less than or equal to 630720000 (got %d)",
                         params->default_time_to_live_s);
    if ((status = check_least("gc_grace_seconds", params->gc_grace_s, 0, err)) ||
        (status = check_least("min_index_interval", params->min_index_interval, 1, err)))
        return status;
    if (params->max_index_interval < params->min_index_interval)
        return error_set(err, ERR_CONFIG,
                         "max_index_interval must be greater than or equal to min_index_interval (%d) (got %d)",
                         params->min_index_interval, params->max_index_interval);
    return check_least("memtable_flush_period_in_ms", params->memtable_flush_period_ms, 0, err);
}

/* ---- keyspaces ---- */

enum status options_read_keyspace(struct arena *arena, const struct option_list *list, struct keyspace_options *options,
                                  struct error *err)
{
    *options = (struct keyspace_options){ .durable_writes = true };
    for (uint32_t i = 0; i < list->count; i++) {
        const struct cql_option *option = &list->items[i];
        struct option_map ignored;
        enum status status;

        if (is_name(option->name, "replication")) {
            status = options_read_map(arena, option->name, option->value, &options->replication, err);
            options->has_replication = true;
        } else if (is_name(option->name, "durable_writes")) {
            status = read_boolean(option, &options->durable_writes, err);
            options->has_durable_writes = true;
        } else if (is_name(option->name, "tags")) {
            status = options_read_map(arena, option->name, option->value, &options->tags, err);
            if (!status)
                status = options_check_tags(&options->tags, err);
            options->has_tags = true;
        } else if (is_name(option->name, "client_side_timestamps")) { /* Keyspaces: always on here */
            status = options_read_map(arena, option->name, option->value, &ignored, err);
        } else {
            return error_set(err, ERR_SYNTAX, "Unknown property '%.*s'", BYTES(option->name));
        }
        if (status)
            return status;
    }
    return OK;
}

#define LOCATOR_PACKAGE "org.apache.cassandra.locator."

static enum status check_factor(struct bytes value, struct error *err)
{
    int64_t factor;

    if (memchr(value.data, '/', value.size))
        return error_set(err, ERR_CONFIG, "Transient replication is not enabled on this node");
    if (!integer_parse(value, INT32_MIN, INT32_MAX, &factor))
        return error_set(err, ERR_CONFIG, "For input string: \"%.*s\"", BYTES(value));
    if (factor < 0)
        return error_set(err, ERR_CONFIG, "Replication factor must be non-negative, found %lld", (long long)factor);
    return OK;
}

static enum status unknown_strategy_option(struct bytes name, const char *strategy, struct bytes keyspace,
                                           struct error *err)
{
    return error_set(err, ERR_CONFIG, "Unrecognized strategy option {%.*s} passed to %s for keyspace %.*s", BYTES(name),
                     strategy, BYTES(keyspace));
}

static enum status check_simple(struct arena *arena, struct bytes keyspace, const struct option_map *written,
                                struct option_map *map, struct error *err)
{
    struct bytes factor = BYTES_LITERAL("1");

    for (uint32_t i = 0; i < written->count; i++) {
        const struct option *option = &written->options[i];
        enum status status;

        if (is_name(option->name, "class"))
            continue;
        if (!is_name(option->name, "replication_factor"))
            return unknown_strategy_option(option->name, "SimpleStrategy", keyspace, err);
        if ((status = check_factor(option->value, err)))
            return status;
        factor = option->value;
    }
    option_map_set(arena, map, BYTES_LITERAL("replication_factor"), factor);
    return OK;
}

/* This server is its cluster's one data center, by Cassandra's name for it and, as Keyspaces calls them, by its region's.
 * `replication_factor` stands for the ones not named: datacenter1, and those the keyspace has had; it never changes one that is there. */
static enum status check_topology(struct arena *arena, struct bytes keyspace, struct bytes region,
                                  const struct option_map *written, const struct option_map *previous,
                                  struct option_map *map, struct error *err)
{
    const struct option *factor = option_map_find(written, BYTES_LITERAL("replication_factor"));
    const struct option *class = previous ? option_map_find(previous, BYTES_LITERAL("class")) : NULL;
    bool was_topology = class && is_name(class->value, LOCATOR_PACKAGE "NetworkTopologyStrategy");
    enum status status;

    for (uint32_t i = 0; i < written->count; i++) {
        const struct option *option = &written->options[i];

        if (is_name(option->name, "class"))
            continue;
        if (option != factor && !is_name(option->name, "datacenter1") &&
            (bytes_is_null(region) || !bytes_equal(option->name, region)))
            return unknown_strategy_option(option->name, "NetworkTopologyStrategy", keyspace, err);
        if ((status = check_factor(option->value, err)))
            return status;
        if (option != factor)
            option_map_set(arena, map, option->name, option->value);
    }
    for (uint32_t i = 0; factor && was_topology && i < previous->count; i++)
        if (!option_map_find(map, previous->options[i].name))
            option_map_set(arena, map, previous->options[i].name, previous->options[i].value);
    if (map->count <= 1)
        option_map_set(arena, map, BYTES_LITERAL("datacenter1"), factor ? factor->value : BYTES_LITERAL("1"));
    return OK;
}

enum status options_check_replication(struct arena *arena, struct bytes keyspace, struct bytes region,
                                      const struct option_map *written, const struct option_map *previous,
                                      struct option_map *map, struct error *err)
{
    const struct option *class = option_map_find(written, BYTES_LITERAL("class"));
    struct bytes name;

    if (!class)
        return error_set(err, ERR_CONFIG, "Missing replication strategy class");
    name = qualified(arena, LOCATOR_PACKAGE, class->value);
    *map = (struct option_map){ 0 };
    if (is_name(name, LOCATOR_PACKAGE "SingleRegionStrategy")) { /* as Keyspaces shows it */
        option_map_set(arena, map, BYTES_LITERAL("class"), BYTES_LITERAL(LOCATOR_PACKAGE "SimpleStrategy"));
        option_map_set(arena, map, BYTES_LITERAL("replication_factor"), BYTES_LITERAL("3"));
        return OK;
    }
    option_map_set(arena, map, BYTES_LITERAL("class"), name);
    if (is_name(name, LOCATOR_PACKAGE "SimpleStrategy"))
        return check_simple(arena, keyspace, written, map, err);
    if (is_name(name, LOCATOR_PACKAGE "NetworkTopologyStrategy"))
        return check_topology(arena, keyspace, region, written, previous, map, err);
    if (is_name(name, LOCATOR_PACKAGE "LocalStrategy"))
        return error_set(err, ERR_INVALID,
                         "Unable to use given strategy class: LocalStrategy is reserved for internal use.");
    return error_set(err, ERR_CONFIG, "Unable to find replication strategy class '%.*s'", BYTES(name));
}

uint32_t options_factor(const struct option *option)
{
    int64_t factor;

    return !is_name(option->name, "class") && integer_parse(option->value, 0, INT32_MAX, &factor) ? (uint32_t)factor
                                                                                                  : 0;
}

uint32_t options_replication_factor(const struct option_map *replication)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < replication->count; i++) {
        uint32_t factor = options_factor(&replication->options[i]);

        if (factor > most)
            most = factor;
    }
    return most;
}
