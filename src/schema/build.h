/* schema/build.h: making definitions and schemas. For ddl.c, and for catalog/ when it reads what it saved.
 *
 * A definition under construction is changed by its one owner; once it is in a schema it never changes again.
 *
 * Shapes:  table_def_finish brings columns into SELECT * order, counts them and fills what is derived.
 * Owns:    all that a definition points to lies in its own arena.
 * Thread:  one, until it is in a schema.
 */
#ifndef SCHEMA_BUILD_H
#define SCHEMA_BUILD_H

#include "schema/schema.h"

/* A new definition with one reference, its names copied, options as schema/options.h gives them by default left to the caller. */
struct table_def *table_def_new(struct bytes keyspace, struct bytes name);
/* A deep copy under construction, with room for `columns_more` and `dropped_more`. The same id, uuid and version. */
struct table_def *table_def_clone(const struct table_def *def, uint32_t columns_more, uint32_t dropped_more);
/* A table that differs in its internal id only. It is as small as the struct: columns, names and options are the other's. */
struct table_def *table_def_twin(struct table_def *def, uint64_t id);
/* Sorts columns by kind, then keys by position and others by name; counts; positions; index_by_id. Columns have their ids, kinds, and
 * keys their positions. */
void table_def_finish(struct table_def *def);

/* columns_max: room in `columns`. Adds a column with the next id; name and type are copied. */
struct column_def *table_def_add_column(struct table_def *def, enum column_kind kind, uint32_t position,
                                        struct bytes name, const struct type *type, bool descending);

/* Into another definition's arena. */
void table_params_copy(struct arena *arena, struct table_params *to, const struct table_params *from);

/* A keyspace without tables and types. */
struct keyspace_def *keyspace_def_new(struct bytes name, const struct option_map *replication, bool durable_writes);
/* The same, sharing tables, with room for more of them; types and options copied. */
struct keyspace_def *keyspace_def_clone(const struct keyspace_def *def, uint32_t tables_more, uint32_t types_more);
/* Takes over the reference; replaces one of the same name. The room was asked for. */
void keyspace_def_put_table(struct keyspace_def *def, struct table_def *table);
void keyspace_def_remove_table(struct keyspace_def *def, struct bytes name);
/* Copies the type. changed_us: when it was made or altered; 0: not known. */
void keyspace_def_put_type(struct keyspace_def *def, const struct type *type, int64_t changed_us);
void keyspace_def_remove_type(struct keyspace_def *def, struct bytes name);
/* Of keyspaces in the order of names. *index: where it is, or would be. */
bool keyspace_defs_find(struct keyspace_def *const *keyspaces, uint32_t count, struct bytes name, uint32_t *index);
/* Do its options and types live in its own arena? For asserts: a definition outlives the request that asked for it. (Tables are looked at
 * by table_def_finish.) */
bool keyspace_def_is_owned(const struct keyspace_def *def);

void option_map_copy(struct arena *arena, struct option_map *to, const struct option_map *from);
/* Sets or adds, keeping names sorted; `to` is rebuilt in the arena. */
void option_map_set(struct arena *arena, struct option_map *map, struct bytes name, struct bytes value);
const struct option *option_map_find(const struct option_map *map, struct bytes name);

struct schema *schema_new(uint64_t version, const uint8_t uuid[16]);
/* The schema after it, of this version. `put` (reference taken over) replaces or adds a keyspace; `drop` (NULL data: none) removes one. */
struct schema *schema_replace(const struct schema *schema, uint64_t version, struct keyspace_def *put,
                              struct bytes drop, const uint8_t uuid[16]);
/* All of these keyspaces (references taken over), any order. */
struct schema *schema_of(uint64_t version, const uint8_t uuid[16], struct keyspace_def **keyspaces, uint32_t count);
uint32_t schema_table_count(const struct schema *schema);

#endif
