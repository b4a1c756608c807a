/* schema/options.h: the options of WITH: defaults, what a statement asks, and whether Cassandra would take it.
 *
 * Two steps, as Cassandra's: options_read_* takes the statement's options (ERR_SYNTAX: unknown names, not a number; ERR_CONFIG:
 * maps that say nothing known), options_check_table looks at the outcome as a whole (ranges, compaction, compression).
 *
 * Owns:    results live in the arena.
 * Errors:  ERR_SYNTAX, ERR_CONFIG, ERR_INVALID with Cassandra's words; ERR_LIMIT: more than 50 tags.
 * Thread:  pure.
 */
#ifndef SCHEMA_OPTIONS_H
#define SCHEMA_OPTIONS_H

#include "cql/ast.h"
#include "schema/schema.h"

/* A new table's, except that compaction decides bloom_filter_fp_chance: negative until options_check_table. */
void options_default_table(struct arena *arena, struct table_params *params);
/* Changes params as the list says. has_id and id (WITH id = uuid) may be NULL: then `id` is refused, "Cannot alter table id.". */
enum status options_read_table(struct arena *arena, const struct option_list *list, struct table_params *params,
                               bool *has_id, uint8_t id[16], struct error *err);
enum status options_check_table(struct arena *arena, struct table_params *params, struct error *err);

struct keyspace_options {
    bool has_replication;
    struct option_map replication;
    bool has_durable_writes;
    bool durable_writes;
    bool has_tags;
    struct option_map tags;
};
enum status options_read_keyspace(struct arena *arena, const struct option_list *list, struct keyspace_options *options,
                                  struct error *err);
/* Turns replication as written into what is stored: class with its full name first in *map. `previous`: of the keyspace being altered,
 * or NULL. region: besides datacenter1, a data center that NetworkTopologyStrategy may name; NULL data: none. */
enum status options_check_replication(struct arena *arena, struct bytes keyspace, struct bytes region,
                                      const struct option_map *written, const struct option_map *previous,
                                      struct option_map *map, struct error *err);
/* What one option of it says; 0: it is none, or the class. */
uint32_t options_factor(const struct option *option);
/* The replication factor that a warning compares; 0 if there is none. */
uint32_t options_replication_factor(const struct option_map *replication);

/* A map of literals as a sorted option map. Keyspaces: tags. */
enum status options_read_map(struct arena *arena, struct bytes name, const struct term *term, struct option_map *map,
                             struct error *err);
enum status options_check_tags(const struct option_map *tags, struct error *err);

#endif
