/* compaction: its classes, which options each of them knows, and how a wrong value is
 * refused. Nothing here acts on it: RocksDB compacts in its own way. But a statement
 * that Cassandra refuses must be refused, in its words, and those differ from option to
 * option; hence the many small checks. */
#include "schema/option.h"

#include "schema/build.h"
#include "types/number.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>

/* Cassandra 5.0's classes, in the order of the bits below. */
static const char *const compaction_classes[] = { "SizeTieredCompactionStrategy", "LeveledCompactionStrategy",
                                                  "TimeWindowCompactionStrategy", "UnifiedCompactionStrategy" };
enum { CLASS_SIZE_TIERED = 1, CLASS_LEVELED = 2, CLASS_TIME_WINDOW = 4, CLASS_UNIFIED = 8, CLASS_ALL = 15 };

/* The class as a bit, so that an option can say which classes know it; 0: there is no
 * such class. */
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

/* The class must be known now; the values are looked at by the check. Thresholds that
 * are not given are filled in, as DESCRIBE shows them. */
enum status option_set_compaction(const struct option_setting *setting, void *at, struct error *err)
{
    struct arena *arena = setting->arena;
    struct option_map *map = at;
    const struct option *class, *overlapping;
    struct bytes name;
    unsigned bit;
    enum status status = options_read_map(arena, setting->option->name, setting->option->value, map, err);

    if (status)
        return status;
    assert(map);
    class = option_map_find(map, BYTES_LITERAL("class"));
    if (!class)
        return error_set(err, ERR_CONFIG, "Missing sub-option 'class' for the 'compaction' option");
    name = option_qualified(arena, COMPACTION_PACKAGE, class->value);
    bit = compaction_class(name);
    if (!bit)
        return error_set(err, ERR_CONFIG, "Unable to find compaction strategy class '%.*s'", BYTES(name));
    option_map_set(arena, map, BYTES_LITERAL("class"), name);
    /* This one Cassandra looks at already while it reads. */
    overlapping = option_map_find(map, BYTES_LITERAL("provide_overlapping_tombstones"));
    if (overlapping && !bytes_is_ignoring_case(overlapping->value, "NONE") &&
        !bytes_is_ignoring_case(overlapping->value, "ROW") && !bytes_is_ignoring_case(overlapping->value, "CELL")) {
        char *upper = arena_string(arena, overlapping->value);

        for (char *c = upper; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        return error_set(
            err, ERR_CONFIG,
            "Invalid value %s for 'provide_overlapping_tombstones' compaction sub-option - must be one of the "
            "following [NONE, ROW, CELL].",
            upper);
    }
    /* UnifiedCompactionStrategy has no thresholds. */
    if (bit != CLASS_UNIFIED) {
        if (!option_map_find(map, BYTES_LITERAL("max_threshold")))
            option_map_set(arena, map, BYTES_LITERAL("max_threshold"), BYTES_LITERAL("32"));
        if (!option_map_find(map, BYTES_LITERAL("min_threshold")))
            option_map_set(arena, map, BYTES_LITERAL("min_threshold"), BYTES_LITERAL("4"));
    }
    return OK;
}

/* ---- how an option's value is looked at, and with which words it is refused ---- */

typedef enum status (*compaction_check)(const char *name, struct bytes value, struct error *err);

/* Whatever the case of its letters. */
static bool is_boolean(struct bytes text)
{
    return bytes_is_ignoring_case(text, "true") || bytes_is_ignoring_case(text, "false");
}

/* These four differ in their words only. */
static enum status check_quoted_boolean(const char *name, struct bytes value, struct error *err)
{
    return is_boolean(value)
               ? OK
               : error_set(err, ERR_CONFIG, "'%s' should be either 'true' or 'false', not '%.*s'", name, BYTES(value));
}

static enum status check_boolean(const char *name, struct bytes value, struct error *err)
{
    return is_boolean(value)
               ? OK
               : error_set(err, ERR_CONFIG, "%s should either be 'true' or 'false', not %.*s", name, BYTES(value));
}

static enum status check_is_boolean(const char *name, struct bytes value, struct error *err)
{
    return is_boolean(value) ? OK
                             : error_set(err, ERR_CONFIG, "%s is not 'true' or 'false' (%.*s)", name, BYTES(value));
}

static enum status check_both_boolean(const char *name, struct bytes value, struct error *err)
{
    return is_boolean(value)
               ? OK
               : error_set(err, ERR_CONFIG, "'%s' should either be 'true' or 'false', not %.*s", name, BYTES(value));
}

static enum status not_an_integer(const char *name, struct bytes value, struct error *err)
{
    return error_set(err, ERR_CONFIG, "%.*s is not a parsable int (base10) for %s", BYTES(value), name);
}

/* Cassandra parses a long and calls it an int. */
static enum status parse_integer(const char *name, struct bytes value, int64_t *number, struct error *err)
{
    return integer_parse(value, INT64_MIN, INT64_MAX, number) ? OK : not_an_integer(name, value, err);
}

/* A float, though Cassandra's words call it an int. */
static enum status check_ratio(const char *name, struct bytes value, struct error *err)
{
    double real;

    if (!double_parse(value, &real))
        return not_an_integer(name, value, err);
    /* Cassandra's words say 0 where it means not negative. */
    return real >= 0 ? OK : error_set(err, ERR_CONFIG, "%s must be greater than 0, but was %f", name, real);
}

/* A float, and said to be one. */
static enum status check_double(const char *name, struct bytes value, struct error *err)
{
    double real;

    return double_parse(value, &real)
               ? OK
               : error_set(err, ERR_CONFIG, "%.*s is not a parsable float for %s", BYTES(value), name);
}

/* In seconds. */
static enum status check_interval(const char *name, struct bytes value, struct error *err)
{
    int64_t number;
    enum status status = parse_integer(name, value, &number, err);

    if (!status && number < 0)
        return error_set(err, ERR_CONFIG, "%s must be greater than 0, but was %lld", name, (long long)number);
    return status;
}

/* In bytes. */
static enum status check_not_negative(const char *name, struct bytes value, struct error *err)
{
    int64_t number;
    enum status status = parse_integer(name, value, &number, err);

    if (!status && number < 0)
        return error_set(err, ERR_CONFIG, "%s must be non negative: %lld", name, (long long)number);
    return status;
}

/* Cassandra's words say 1 where it means 0. */
static enum status check_larger_0(const char *name, struct bytes value, struct error *err)
{
    int64_t number;
    enum status status = parse_integer(name, value, &number, err);

    if (!status && number < 1)
        return error_set(err, ERR_CONFIG, "%lld must be greater than 1 for %s", (long long)number, name);
    return status;
}

/* A size in megabytes, or how many times larger the next level is. */
static enum status check_at_least_1(const char *name, struct bytes value, struct error *err)
{
    int64_t number;
    enum status status = parse_integer(name, value, &number, err);

    if (!status && number < 1)
        return error_set(err, ERR_CONFIG, "%s must be larger than 0, but was %lld", name, (long long)number);
    return status;
}

/* A number of shards, or of seconds. */
static enum status check_positive(const char *name, struct bytes value, struct error *err)
{
    int64_t number;
    enum status status = parse_integer(name, value, &number, err);

    if (!status && number < 1)
        return error_set(err, ERR_CONFIG, "Invalid configuration, %s should be positive: %lld", name,
                         (long long)number);
    return status;
}

/* In seconds; 0 looks each time. */
static enum status check_frequency(const char *name, struct bytes value, struct error *err)
{
    int64_t number;
    enum status status = parse_integer(name, value, &number, err);

    if (!status && number < 0)
        return error_set(err, ERR_CONFIG, "%s must not be negative, but was %lld", name, (long long)number);
    return status;
}

/* The names of Java's TimeUnit. */
static enum status check_resolution(const char *name, struct bytes value, struct error *err)
{
    static const char *const resolutions[] = { "DAYS",         "HOURS",        "MINUTES",    "SECONDS",
                                               "MILLISECONDS", "MICROSECONDS", "NANOSECONDS" };

    for (size_t i = 0; i < ARRAY_SIZE(resolutions); i++)
        if (bytes_is(value, resolutions[i]))
            return OK;
    return error_set(err, ERR_CONFIG, "%.*s is not valid for %s", BYTES(value), name);
}

/* Windows of TimeWindowCompactionStrategy are days, hours or minutes. */
static enum status check_window(const char *name, struct bytes value, struct error *err)
{
    if (bytes_is(value, "DAYS") || bytes_is(value, "HOURS") || bytes_is(value, "MINUTES"))
        return OK;
    return error_set(err, ERR_CONFIG, "%.*s is not valid for %s", BYTES(value), name);
}

/* UnifiedCompactionStrategy: a list of N, Ln, Tn or numbers. */
static enum status check_scaling(const char *name, struct bytes value, struct error *err)
{
    while (value.size) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        size_t size = comma ? (size_t)(comma - value.data) : value.size;
        struct bytes word = option_trim(bytes_of(value.data, size)), digits = word;
        int64_t number = 0;
        bool fan = word.size && (word.data[0] == 'L' || word.data[0] == 'T');

        if (fan)
            digits = bytes_of(word.data + 1, word.size - 1);
        /* A sign is allowed only without a letter. */
        if (!bytes_is(word, "N") && (!digits.size || (fan && !isdigit(digits.data[0])) ||
                                     !integer_parse(digits, INT32_MIN, INT32_MAX, &number)))
            return error_set(err, ERR_CONFIG, "Scaling parameter %.*s must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+",
                             BYTES(word));
        /* A fan of one would merge nothing. */
        if (fan && number < 2)
            return error_set(err, ERR_CONFIG, "Fan factor cannot be lower than 2 in %.*s", BYTES(word));
        value = comma ? bytes_of(comma + 1, value.size - size - 1) : bytes_of("", 0);
    }
    return OK;
}

/* 1GiB, 100 MiB, 4096B: how many bytes; negative when it is no size. */
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

    if (!option_split_number(option_trim(text), &number, &suffix))
        return -1;
    /* Between number and unit a space may stand. */
    suffix = option_trim(suffix);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (bytes_is_ignoring_case(suffix, units[i].unit))
            return number * units[i].bytes;
    return -1;
}

/* A mebibyte at least. */
static enum status check_size_target(const char *name, struct bytes value, struct error *err)
{
    double real = parse_size(value);

    if (real < 0)
        return error_set(err, ERR_CONFIG, "%s %.*s is not a valid size in bytes: %.*s does not end in unit B", name,
                         BYTES(value), BYTES(value));
    return real >= 1048576 ? OK
                           : error_set(err, ERR_CONFIG, "%s %.*s is not acceptable, size must be at least 1.000MiB",
                                       name, BYTES(value));
}

/* A size with its unit. */
static enum status check_size(const char *name, struct bytes value, struct error *err)
{
    return parse_size(value) >= 0
               ? OK
               : error_set(err, ERR_CONFIG, "%.*s is not a valid size in bytes for %s", BYTES(value), name);
}

/* From 0, where the number of shards grows, to 1, where their size does. */
static enum status check_growth(const char *name, struct bytes value, struct error *err)
{
    double real;

    if (!double_parse(value, &real))
        return error_set(err, ERR_CONFIG, "%.*s is not a parsable double for %s", BYTES(value), name);
    return real >= 0 && real <= 1 ? OK
                                  : error_set(err, ERR_CONFIG, "%s %.*s must be between 0 and 1", name, BYTES(value));
}

/* How far overlapping files are taken into one compaction. */
static enum status check_overlap(const char *name, struct bytes value, struct error *err)
{
    if (bytes_is_ignoring_case(value, "NONE") || bytes_is_ignoring_case(value, "SINGLE") ||
        bytes_is_ignoring_case(value, "TRANSITIVE"))
        return OK;
    return error_set(err, ERR_CONFIG,
                     "Invalid overlap inclusion method %.*s. The valid options are [NONE, SINGLE, TRANSITIVE].",
                     BYTES(value));
}

/* ---- the options ---- */

static const struct {
    const char *name;
    unsigned classes;
    compaction_check check; /* NULL: not looked at */
} compaction_options[] = {
    /* In the order in which Cassandra's classes look at them; one name may stand twice,
     * with other words. */
    { "class", CLASS_ALL, NULL },
    { "min_threshold", CLASS_ALL & ~CLASS_UNIFIED, NULL },
    { "max_threshold", CLASS_ALL & ~CLASS_UNIFIED, NULL },
    { "enabled", CLASS_ALL, check_boolean },
    { "tombstone_threshold", CLASS_ALL, check_ratio },
    { "tombstone_compaction_interval", CLASS_ALL, check_interval },
    { "unchecked_tombstone_compaction", CLASS_ALL, check_quoted_boolean },
    { "log_all", CLASS_ALL, check_both_boolean },
    { "only_purge_repaired_tombstones", CLASS_ALL, NULL },
    { "provide_overlapping_tombstones", CLASS_ALL, NULL },
    { "bucket_low", CLASS_ALL & ~CLASS_UNIFIED, check_double },
    { "bucket_high", CLASS_ALL & ~CLASS_UNIFIED, check_double },
    { "min_sstable_size", CLASS_ALL & ~CLASS_UNIFIED, check_not_negative },
    { "sstable_size_in_mb", CLASS_LEVELED, check_at_least_1 },
    { "fanout_size", CLASS_LEVELED, check_at_least_1 },
    { "single_sstable_uplevel", CLASS_LEVELED, NULL },
    { "timestamp_resolution", CLASS_TIME_WINDOW, check_resolution },
    { "compaction_window_unit", CLASS_TIME_WINDOW, check_window },
    { "compaction_window_size", CLASS_TIME_WINDOW, check_larger_0 },
    { "expired_sstable_check_frequency_seconds", CLASS_TIME_WINDOW, check_frequency },
    { "expired_sstable_check_frequency_seconds", CLASS_UNIFIED, check_positive },
    { "unsafe_aggressive_sstable_expiration", CLASS_TIME_WINDOW, check_is_boolean },
    { "unsafe_aggressive_sstable_expiration", CLASS_UNIFIED, check_boolean },
    { "scaling_parameters", CLASS_UNIFIED, check_scaling },
    { "target_sstable_size", CLASS_UNIFIED, check_size_target },
    { "min_sstable_size", CLASS_UNIFIED, check_size },
    { "flush_size_override", CLASS_UNIFIED, check_size },
    { "base_shard_count", CLASS_UNIFIED, check_positive },
    { "sstable_growth", CLASS_UNIFIED, check_growth },
    { "overlap_inclusion_method", CLASS_UNIFIED, check_overlap },
    { "max_sstables_to_compact", CLASS_UNIFIED, NULL },
};

/* One of the two thresholds, or its default. */
static enum status check_threshold(const struct option_map *map, const char *name, int64_t fallback, int64_t *result,
                                   struct error *err)
{
    const struct option *option = option_map_find(map, bytes_of_string(name));

    assert(fallback > 0);
    *result = fallback;
    if (option && !integer_parse(option->value, INT32_MIN, INT32_MAX, result))
        return error_set(err, ERR_CONFIG, "Invalid value %.*s for '%s' compaction sub-option - must be an integer",
                         BYTES(option->value), name);
    return OK;
}

/* The values, in the order of the table, which is the order in which Cassandra looks at
 * them. */
static enum status check_each(const struct option_map *map, unsigned bit, struct error *err)
{
    enum status status = OK;

    assert(bit);
    for (size_t i = 0; i < ARRAY_SIZE(compaction_options) && !status; i++) {
        const struct option *option = option_map_find(map, bytes_of_string(compaction_options[i].name));

        /* An option that the class does not have is told by check_known. */
        if (option && compaction_options[i].check && (compaction_options[i].classes & bit))
            status = compaction_options[i].check(compaction_options[i].name, option->value, err);
    }
    return status;
}

/* Does the class know the option? */
static bool is_known(struct bytes name, unsigned bit)
{
    for (size_t i = 0; i < ARRAY_SIZE(compaction_options); i++)
        if (bytes_is(name, compaction_options[i].name) && (compaction_options[i].classes & bit))
            return true;
    return false;
}

/* All options that the class does not know, in one message. */
static enum status check_known(const struct option_map *map, struct bytes class, unsigned bit, struct error *err)
{
    struct buffer unknown CLEANUP(buffer_fini) = { 0 };

    /* In the order of the map, which is that of names. */
    for (uint32_t i = 0; i < map->count; i++) {
        if (is_known(map->options[i].name, bit))
            continue;
        if (unknown.size)
            buffer_append_string(&unknown, ", ");
        buffer_append_bytes(&unknown, map->options[i].name);
    }
    if (!unknown.size)
        return OK;
    assert(class.size > strlen(COMPACTION_PACKAGE)); /* it is one of ours */
    return error_set(err, ERR_CONFIG, "Properties specified [%.*s] are not understood by %.*s",
                     BYTES(buffer_bytes(&unknown)), (int)(class.size - strlen(COMPACTION_PACKAGE)),
                     (const char *)class.data + strlen(COMPACTION_PACKAGE));
}

/* 0 once meant that compaction is off; Cassandra says what to do instead. */
static enum status check_thresholds(const struct option_map *map, struct error *err)
{
    int64_t min, max;
    enum status status;

    if ((status = check_threshold(map, "min_threshold", 4, &min, err)) ||
        (status = check_threshold(map, "max_threshold", 32, &max, err)))
        return status;
    /* From the least: each of these has its own words. */
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

/* The outcome as a whole: values, the bucket of SizeTiered, unknown options,
 * thresholds. */
enum status option_check_compaction(const struct option_map *map, struct error *err)
{
    const struct option *option = option_map_find(map, BYTES_LITERAL("class"));
    unsigned bit;
    double low, high;
    char a[64], b[64];
    enum status status;

    assert(option); /* read_compaction demands it, and every table begins with one */
    bit = compaction_class(option->value);
    status = check_each(map, bit, err);
    if (status)
        return status;
    /* Each may be given without the other: the defaults count then. */
    low = option_double(map, "bucket_low", 0.5);
    high = option_double(map, "bucket_high", 1.5);
    if (bit != CLASS_UNIFIED && high <= low)
        return error_set(err, ERR_CONFIG, "bucket_high value (%s) is less than or equal to the bucket_low value (%s)",
                         option_shown_double(a, high), option_shown_double(b, low));
    status = check_known(map, option->value, bit, err);
    return status ? status : check_thresholds(map, err);
}

/* Leveled tables have another default of bloom_filter_fp_chance. */
bool option_compaction_is_leveled(const struct option_map *map)
{
    const struct option *class = option_map_find(map, BYTES_LITERAL("class"));

    assert(class);
    return compaction_class(class->value) == CLASS_LEVELED;
}
