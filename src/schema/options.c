/* The options of WITH as a table, and what goes through it: reading a statement's
 * options, checking the outcome as a whole, defaults. Reading and checking are two
 * steps because Cassandra's are: ALTER may set one option that only fits with another.
 * Subjects with words of their own are files of their own (option.h). */
#include "schema/option.h"

#include "base/uuid.h"
#include "schema/build.h"
#include "schema/keyspaces.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- values of kinds with a way of their own ---- */

/* Tags are Keyspaces'; AWS limits their number and lengths. */
static enum status set_tags(const struct option_setting *setting, void *at, struct error *err)
{
    enum status status = options_read_map(setting->arena, setting->option->name, setting->option->value, at, err);

    return status ? status : options_check_tags(at, err);
}

/* The properties as they will be, old ones included, must be of their types. What an
 * older version accepted is looked at only when it is changed. */
static enum status set_custom_properties(const struct option_setting *setting, void *at, struct error *err)
{
    struct keyspaces_properties properties;
    enum status status = option_read_nested(setting->arena, setting->option, at, err);

    return status ? status : keyspaces_properties_read(setting->arena, *(const struct bytes *)at, &properties, err);
}

/* Cassandra's CQL knows the option and ignores it. */
static enum status set_extensions(const struct option_setting *setting, void *at, struct error *err)
{
    struct option_map ignored;

    return options_read_map(setting->arena, setting->option->name, setting->option->value, &ignored, err);
}

/* WITH id = uuid: CREATE TABLE only. */
static enum status set_id(const struct option_setting *setting, void *at, struct error *err)
{
    struct bytes text;
    enum status status = option_read_string(setting->option, &text, err);

    if (status)
        return status;
    assert(setting->id || !setting->has_id);
    if (!setting->has_id)
        return error_set(err, ERR_CONFIG, "Cannot alter table id.");
    if (!uuid_parse(text, setting->id))
        return error_set(err, ERR_CONFIG, "Invalid table id");
    *setting->has_id = true;
    return OK;
}

/* ---- checks of the outcome ---- */

/* The default of bloom_filter_fp_chance depends on the compaction class; -1 says that
 * it was not given. */
static enum status check_compaction(struct arena *arena, struct table_params *params, struct error *err)
{
    if (params->bloom_filter_fp_chance == -1)
        params->bloom_filter_fp_chance = option_compaction_is_leveled(&params->compaction) ? 0.1 : 0.01;
    return option_check_compaction(&params->compaction, err);
}

static enum status check_compression(struct arena *arena, struct table_params *params, struct error *err)
{
    return option_check_compression(&params->compression, err);
}

/* Written so that NaN is refused. */
static enum status check_bloom_filter(struct arena *arena, struct table_params *params, struct error *err)
{
    char text[64];

    if (!(params->bloom_filter_fp_chance > 6.71e-5 && params->bloom_filter_fp_chance <= 1))
        return error_set(err, ERR_CONFIG,
                         "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got %s)",
                         option_shown_double(text, params->bloom_filter_fp_chance));
    return OK;
}

/* NaN is refused here, too. */
static enum status check_crc(struct arena *arena, struct table_params *params, struct error *err)
{
    char text[64];

    if (!(params->crc_check_chance >= 0 && params->crc_check_chance <= 1))
        return error_set(err, ERR_CONFIG,
                         "crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 (got %s)",
                         option_shown_double(text, params->crc_check_chance));
    return OK;
}

/* Cassandra's words for what is too small. */
static enum status check_least(const char *name, int32_t value, int32_t least, struct error *err)
{
    assert(name);
    if (value < least)
        return error_set(err, ERR_CONFIG, "%s must be greater than or equal to %d (got %d)", name, least, value);
    return OK;
}

/* Twenty years, as for USING TTL. */
static enum status check_time_to_live(struct arena *arena, struct table_params *params, struct error *err)
{
    if (params->default_time_to_live_s > 630720000)
        return error_set(err, ERR_CONFIG, "default_time_to_live must be less than or equal to 630720000 (got %d)",
                         params->default_time_to_live_s);
    return check_least("default_time_to_live", params->default_time_to_live_s, 0, err);
}

/* In seconds; 0 is allowed, and warned of by logged batches. */
static enum status check_gc_grace(struct arena *arena, struct table_params *params, struct error *err)
{
    return check_least("gc_grace_seconds", params->gc_grace_s, 0, err);
}

/* Cassandra's index summaries, which there are none of here: checked and shown. */
static enum status check_min_index(struct arena *arena, struct table_params *params, struct error *err)
{
    return check_least("min_index_interval", params->min_index_interval, 1, err);
}

/* Against the other, which may have been set by an earlier statement. */
static enum status check_max_index(struct arena *arena, struct table_params *params, struct error *err)
{
    if (params->max_index_interval < params->min_index_interval)
        return error_set(err, ERR_CONFIG,
                         "max_index_interval must be greater than or equal to min_index_interval (%d) (got %d)",
                         params->min_index_interval, params->max_index_interval);
    return OK;
}

/* 0: never flushed for its age. */
static enum status check_flush_period(struct arena *arena, struct table_params *params, struct error *err)
{
    return check_least("memtable_flush_period_in_ms", params->memtable_flush_period_ms, 0, err);
}

/* ---- the table ---- */

#define AT(member) offsetof(struct table_params, member)
#define NONE       0, false

/* Every option of a table, in the order in which DESCRIBE shows them. A new option is a
 * line here, a member of struct table_params, a tag in codec.c, and its default below.
 * The number is the turn of its check. */
const struct table_option table_options[] = {
    { "additional_write_policy", OPTION_TEXT, AT(additional_write_policy), option_set_policy, NULL, 0, true },
    { "allow_auto_snapshot", OPTION_BOOLEAN, AT(allow_auto_snapshot), NULL, NULL, 0, true },
    { "bloom_filter_fp_chance", OPTION_DOUBLE, AT(bloom_filter_fp_chance), NULL, check_bloom_filter, 3, true },
    { "caching", OPTION_MAP, AT(caching), option_set_caching, NULL, 0, true },
    { "cdc", OPTION_BOOLEAN, AT(cdc), NULL, NULL, 0, true },
    { "comment", OPTION_TEXT, AT(comment), NULL, NULL, 0, true },
    { "compaction", OPTION_MAP, AT(compaction), option_set_compaction, check_compaction, 1, true },
    { "compression", OPTION_MAP, AT(compression), option_set_compression, check_compression, 2, true },
    { "memtable", OPTION_TEXT, AT(memtable), option_set_memtable, NULL, 0, true },
    { "crc_check_chance", OPTION_DOUBLE, AT(crc_check_chance), NULL, check_crc, 4, true },
    { "default_time_to_live", OPTION_INTEGER, AT(default_time_to_live_s), NULL, check_time_to_live, 5, true },
    { "extensions", OPTION_MAP, AT(extensions), set_extensions, NULL, 0, true },
    { "gc_grace_seconds", OPTION_INTEGER, AT(gc_grace_s), NULL, check_gc_grace, 6, true },
    { "incremental_backups", OPTION_BOOLEAN, AT(incremental_backups), NULL, NULL, 0, true },
    { "max_index_interval", OPTION_INTEGER, AT(max_index_interval), NULL, check_max_index, 8, true },
    { "memtable_flush_period_in_ms", OPTION_INTEGER, AT(memtable_flush_period_ms), NULL, check_flush_period, 9, true },
    { "min_index_interval", OPTION_INTEGER, AT(min_index_interval), NULL, check_min_index, 7, true },
    { "read_repair", OPTION_TEXT, AT(read_repair), option_set_repair, NULL, 0, true },
    { "speculative_retry", OPTION_TEXT, AT(speculative_retry), option_set_policy, NULL, 0, true },
    { "id", OPTION_NO_VALUE, 0, set_id, NULL, 0, false },
    /* Keyspaces' */
    { "custom_properties", OPTION_NESTED, AT(custom_properties), set_custom_properties, NULL, 0, false },
    { "autoscaling_settings", OPTION_NESTED, AT(autoscaling_settings), NULL, NULL, 0, false },
    { "tags", OPTION_MAP, AT(tags), set_tags, NULL, 0, false },
};
const size_t table_option_count = ARRAY_SIZE(table_options);

/* Cassandra's defaults for a new table. */
void options_default_table(struct arena *arena, struct table_params *params)
{
    *params = (struct table_params){
        .comment = arena_copy(arena, BYTES_LITERAL("")),
        /* Not known yet: check_compaction fills it in. */
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

/* Sets one option: by its own function, or as a literal of its kind. `at` is where its
 * value lies. */
static enum status set_value(const struct table_option *option, const struct option_setting *setting, void *at,
                             struct error *err)
{
    const struct cql_option *given = setting->option;

    assert(option->kind == OPTION_NO_VALUE || option->offset < sizeof(struct table_params));
    if (option->set)
        return option->set(setting, at, err);
    switch (option->kind) {
    case OPTION_TEXT: return option_read_string(given, at, err);
    case OPTION_INTEGER: return option_read_integer(given, at, err);
    case OPTION_DOUBLE: return option_read_double(given, at, err);
    case OPTION_BOOLEAN: return option_read_boolean(given, at, err);
    case OPTION_MAP: return options_read_map(setting->arena, given->name, given->value, at, err);
    case OPTION_NESTED: return option_read_nested(setting->arena, given, at, err);
    case OPTION_NO_VALUE: break;
    }
    abort(); /* the table: what has no value has a way to be set */
}

/* Options are few. */
static const struct table_option *find_option(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_options); i++)
        if (bytes_is(name, table_options[i].name))
            return &table_options[i];
    return NULL;
}

/* In the order in which they were written: the first wrong one is told. */
enum status options_read_table(struct arena *arena, const struct option_list *list, struct table_params *params,
                               bool *has_id, uint8_t id[16], struct error *err)
{
    struct option_setting setting = { .arena = arena, .has_id = has_id, .id = id };

    assert(!has_id || id);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct table_option *option = find_option(list->items[i].name);
        enum status status;

        if (!option)
            return error_set(err, ERR_SYNTAX, "Unknown property '%.*s'", BYTES(list->items[i].name));
        setting.option = &list->items[i];
        status = set_value(option, &setting, table_option_at(option, params), err);
        if (status)
            return status;
    }
    return OK;
}

/* Each check has a turn of its own, because Cassandra names the first fault in an order
 * that is not that of the table. */
enum status options_check_table(struct arena *arena, struct table_params *params, struct error *err)
{
    enum status status = OK;
    size_t checked = 0, checks = 0;

    for (size_t i = 0; i < ARRAY_SIZE(table_options); i++)
        checks += table_options[i].check != NULL;
    assert(params->compaction.count && params->caching.count);
    for (unsigned turn = 1; turn <= checks && !status; turn++)
        for (size_t i = 0; i < ARRAY_SIZE(table_options); i++)
            if (table_options[i].turn == turn) {
                checked++;
                status = table_options[i].check(arena, params, err);
            }
    assert(status || checked == checks); /* each has a turn of its own */
    return status;
}
