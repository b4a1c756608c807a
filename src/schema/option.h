/* schema/option.h: the options of WITH as a table, and the subjects that read and check them. For the files of this folder.
 *
 * Each option stands once in a table (options.c): its name, what kind of value table_params has of it and where, how a statement's
 * literal is set, how the outcome is checked, and whether DESCRIBE shows it. Reading, checking, copying and printing go through the
 * tables; a new option is a line, and a function where its kind has none.
 *
 * Owns:    what is set lives in the setting's arena.
 * Errors:  as options.h says, with Cassandra's words.
 * Thread:  pure.
 */
#ifndef SCHEMA_OPTION_H
#define SCHEMA_OPTION_H

#include "schema/options.h"

/* What lies in table_params: struct bytes, int32_t, double, bool, struct option_map; NESTED: maps within maps, as JSON text. */
enum option_kind {
    OPTION_TEXT,
    OPTION_INTEGER,
    OPTION_DOUBLE,
    OPTION_BOOLEAN,
    OPTION_MAP,
    OPTION_NESTED,
    OPTION_NO_VALUE
};

/* A statement's option on its way into params. */
struct option_setting {
    struct arena *arena;
    const struct cql_option *option; /* as written */
    bool *has_id;                    /* NULL: a table's id can't be given */
    uint8_t *id;
};

struct table_option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* in struct table_params */
    /* at: where its value is, which is what it was before. NULL: a literal of its kind, as it is. */
    enum status (*set)(const struct option_setting *setting, void *at, struct error *err);
    /* Whether the outcome can be. NULL: it can. */
    enum status (*check)(struct arena *arena, struct table_params *params, struct error *err);
    unsigned turn; /* of the check: Cassandra names the first fault in this order, from 1; 0: no check */
    bool is_shown; /* by DESCRIBE, in the order of the table */
};
extern const struct table_option table_options[];
extern const size_t table_option_count;

static inline void *table_option_at(const struct table_option *option, struct table_params *params)
{
    return (uint8_t *)params + option->offset;
}
static inline const void *table_option_get(const struct table_option *option, const struct table_params *params)
{
    return (const uint8_t *)params + option->offset;
}

/* ---- literals (option_value.c) ---- */

bool term_is_map(const struct term *term);
enum status option_too_large(struct bytes name, struct error *err);
enum status option_read_string(const struct cql_option *option, struct bytes *text, struct error *err);
enum status option_read_integer(const struct cql_option *option, int32_t *result, struct error *err);
enum status option_read_double(const struct cql_option *option, double *result, struct error *err);
enum status option_read_boolean(const struct cql_option *option, bool *result, struct error *err);
const char *option_shown_double(char text[64], double v);
/* Digits and points, then a suffix. */
bool option_split_number(struct bytes text, double *number, struct bytes *suffix);
struct bytes option_trim(struct bytes text);
/* A class's name with its package before it, if it has none. */
struct bytes option_qualified(struct arena *arena, const char *package, struct bytes name);
double option_double(const struct option_map *map, const char *name, double fallback);

/* ---- subjects ---- */

#define COMPACTION_PACKAGE  "org.apache.cassandra.db.compaction."
#define COMPRESSION_PACKAGE "org.apache.cassandra.io.compress."

/* Each `set` is one of the table's. */

/* option_compaction.c */
enum status option_set_compaction(const struct option_setting *setting, void *at, struct error *err);
enum status option_check_compaction(const struct option_map *map, struct error *err);
bool option_compaction_is_leveled(const struct option_map *map);
/* option_compression.c */
enum status option_set_compression(const struct option_setting *setting, void *at, struct error *err);
enum status option_check_compression(const struct option_map *map, struct error *err);
/* option_caching.c */
enum status option_set_caching(const struct option_setting *setting, void *at, struct error *err);
enum status option_set_memtable(const struct option_setting *setting, void *at, struct error *err);
/* option_policy.c */
enum status option_set_policy(const struct option_setting *setting, void *at, struct error *err);
enum status option_set_repair(const struct option_setting *setting, void *at, struct error *err);
/* option_nested.c: *result is the JSON text that was, and becomes what it was with what is given in it. */
enum status option_read_nested(struct arena *arena, const struct cql_option *option, struct bytes *result,
                               struct error *err);

#endif
