/* compression: its classes, which options each of them knows, and how a wrong value is
 * refused. Nothing here acts on it: what is stored is compressed as the server's
 * options say. */
#include "schema/option.h"

#include "schema/build.h"
#include "types/number.h"

#include <assert.h>
#include <limits.h>

/* An option of one class only. *known false: the class does not have it. */
static enum status check_compressor(const char *class, struct bytes name, struct bytes value, bool *known,
                                    struct error *err)
{
    int64_t number;

    assert(class);
    *known = true;
    /* Each class checks its own options when Cassandra makes it, so each has words of
     * its own. */
    if (!strcmp(class, "LZ4Compressor") && bytes_is(name, "lz4_compressor_type")) {
        if (!bytes_is(value, "fast") && !bytes_is(value, "high"))
            return error_set(
                err, ERR_CONFIG,
                "Invalid compressor type '%.*s' specified for LZ4 parameter 'lz4_compressor_type'. Valid options are "
                "[high, fast].",
                BYTES(value));
    } else if (!strcmp(class, "LZ4Compressor") && bytes_is(name, "lz4_high_compressor_level")) {
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
    } else if (!strcmp(class, "ZstdCompressor") && bytes_is(name, "compression_level")) {
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

/* What stands beside the class and is the same for all of them. */
struct common {
    int64_t chunk_kb;
    double ratio;
    bool has_ratio;
};

/* The options that every class has. The default chunk is 16 KiB. */
static enum status read_common(const struct option_map *given, struct common *common, struct error *err)
{
    const struct option *chunk = option_map_find(given, BYTES_LITERAL("chunk_length_in_kb"));
    const struct option *ratio = option_map_find(given, BYTES_LITERAL("min_compress_ratio"));

    assert(given);
    *common = (struct common){ .chunk_kb = 16, .has_ratio = ratio != NULL };
    if (chunk && !integer_parse(chunk->value, INT32_MIN, INT32_MAX, &common->chunk_kb))
        return error_set(err, ERR_CONFIG, "Invalid value for chunk_length_in_kb");
    /* Cassandra multiplies it in an int. */
    if (common->chunk_kb > INT32_MAX / 1024)
        return error_set(err, ERR_CONFIG, "Value of chunk_length_in_kb is too large (%lld)",
                         (long long)common->chunk_kb);
    if (ratio && !double_parse(ratio->value, &common->ratio))
        return error_set(err, ERR_CONFIG, "Invalid value %.*s for min_compress_ratio", BYTES(ratio->value));
    return OK;
}

/* The class without its package; NULL: there is none of that name. */
static const char *compressor(struct bytes name)
{
    static const char *const classes[] = { "LZ4Compressor", "SnappyCompressor", "DeflateCompressor", "ZstdCompressor",
                                           "NoopCompressor" };
    /* Others' classes would be Java code to be loaded. */
    size_t package = strlen(COMPRESSION_PACKAGE);

    if (!bytes_starts_with(name, BYTES_LITERAL(COMPRESSION_PACKAGE)))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (bytes_is(bytes_of(name.data + package, name.size - package), classes[i]))
            return classes[i];
    return NULL;
}

/* The options of the class itself are taken over into the result. */
static enum status take_own(struct arena *arena, const char *class, const struct option_map *given,
                            struct option_map *result, struct error *err)
{
    static const char *const common[] = { "enabled", "class", "chunk_length_in_kb", "min_compress_ratio" };

    assert(class);
    for (uint32_t i = 0; i < given->count; i++) {
        struct bytes key = given->options[i].name;
        bool known = false;
        enum status status;

        /* Those that every class has were read before. */
        for (size_t j = 0; j < ARRAY_SIZE(common); j++)
            known |= bytes_is(key, common[j]);
        if (known)
            continue;
        status = check_compressor(class, key, given->options[i].value, &known, err);
        if (status)
            return status;
        if (!known)
            return error_set(err, ERR_CONFIG, "Unknown compression options %.*s", BYTES(key));
        option_map_set(arena, result, key, given->options[i].value);
    }
    return OK;
}

/* {} and enabled: false switch it off. Else the class is demanded, and the result is
 * what DESCRIBE shows. */
enum status option_set_compression(const struct option_setting *setting, void *at, struct error *err)
{
    struct arena *arena = setting->arena;
    struct option_map *result = at;
    struct option_map given;
    const struct option *found;
    const char *class;
    struct common common;
    struct bytes name;
    char text[64];
    enum status status = options_read_map(arena, setting->option->name, setting->option->value, &given, err);

    if (status)
        return status;
    *result = (struct option_map){ 0 };
    found = option_map_find(&given, BYTES_LITERAL("enabled"));
    /* `compression = {}` is the old way to say that it is off. */
    if (given.count == 0 || (found && !bytes_is_ignoring_case(found->value, "true"))) {
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
    name = option_qualified(arena, COMPRESSION_PACKAGE, found->value);
    /* Before the class is looked up, as in Cassandra. */
    status = read_common(&given, &common, err);
    if (status)
        return status;
    class = compressor(name);
    if (!class)
        return error_set(err, ERR_CONFIG, "Could not create Compression for type %.*s", BYTES(name));
    option_map_set(arena, result, BYTES_LITERAL("class"), name);
    status = take_own(arena, class, &given, result, err);
    if (status)
        return status;
    assert(common.chunk_kb <= INT32_MAX / 1024);
    /* It is shown in any case, the ratio only if it was given. */
    option_map_set(arena, result, BYTES_LITERAL("chunk_length_in_kb"),
                   bytes_of_string(arena_printf(arena, "%lld", (long long)common.chunk_kb)));
    if (common.has_ratio && common.ratio != 0)
        option_map_set(arena, result, BYTES_LITERAL("min_compress_ratio"),
                       bytes_of_string(option_shown_double(text, common.ratio)));
    return OK;
}

/* The chunk is a power of two, since Cassandra finds chunks by shifting. Called when all
 * options of the statement were set (option.h, `turn`), so what it looks at has been read
 * before. */
enum status option_check_compression(const struct option_map *map, struct error *err)
{
    const struct option *chunk = option_map_find(map, BYTES_LITERAL("chunk_length_in_kb"));
    double ratio = option_double(map, "min_compress_ratio", 0);
    int64_t kb;

    if (!chunk || !integer_parse(chunk->value, INT32_MIN, INT32_MAX, &kb))
        return OK;
    if (kb <= 0)
        return error_set(err, ERR_CONFIG, "Invalid negative or null chunk_length_in_kb");
    if (kb & (kb - 1))
        return error_set(err, ERR_CONFIG, "chunk_length_in_kb must be a power of 2");
    if (ratio < 0)
        return error_set(err, ERR_CONFIG, "Invalid negative min_compress_ratio");
    /* Below 1 a chunk would be kept compressed only if it grew. */
    if (ratio > 0 && ratio < 1)
        return error_set(err, ERR_CONFIG, "min_compress_ratio can either be 0 or greater than or equal to 1");
    return OK;
}
