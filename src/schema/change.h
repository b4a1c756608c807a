/* schema/change.h: one CREATE, ALTER or DROP at work: what the statements of ddl.c share. For schema/change_*.c and ddl.c only.
 *
 * Owns:    names and warnings of the outcome live in the change's arena; the new schema is the caller's reference.
 * Errors:  in c->err, with Cassandra's words.
 * Thread:  pure.
 */
#ifndef SCHEMA_CHANGE_H
#define SCHEMA_CHANGE_H

#include "cql/ast.h"
#include "schema/ddl.h"

struct change {
    struct schema *schema; /* borrowed: as it is before */
    const struct ddl_context *context;
    struct arena *arena;
    struct schema **result;
    struct ddl_change *out;
    struct error *err;
};

/* The statements. */
enum status change_create_keyspace(struct change *c, const struct keyspace_statement *statement);
enum status change_alter_keyspace(struct change *c, const struct keyspace_statement *statement);
enum status change_drop_keyspace(struct change *c, const struct drop_keyspace_statement *statement);
enum status change_create_table(struct change *c, const struct create_table_statement *statement);
enum status change_alter_table(struct change *c, const struct alter_table_statement *statement);
enum status change_drop_table(struct change *c, const struct named_statement *statement);
enum status change_create_type(struct change *c, const struct create_type_statement *statement);
enum status change_alter_type(struct change *c, const struct alter_type_statement *statement);
enum status change_drop_type(struct change *c, const struct named_statement *statement);

/* Who may touch what. verb: CREATE, ALTER, DROP. table NULL data: the statement is about all of the keyspace's tables. */
enum status change_check_access(struct change *c, const char *verb, struct bytes keyspace, struct bytes table);
bool change_is_fixed(struct bytes keyspace);
/* The keyspace that is named, or the session's. */
enum status change_keyspace_of(struct change *c, struct qualified_name name, struct bytes *keyspace);
enum status change_no_keyspace(struct change *c, struct bytes name);

/* Outcomes: the same schema; or a new one, which change_put_* has made before. */
enum status change_none(struct change *c);
enum status change_done(struct change *c, enum ddl_action action, enum ddl_target target, struct bytes keyspace,
                        struct bytes name);
/* Takes over the keyspace's reference. */
void change_put_keyspace(struct change *c, struct keyspace_def *keyspace);
void change_remove_keyspace(struct change *c, struct bytes name);
/* A copy of the keyspace with this table, whose reference it takes over. */
void change_put_table(struct change *c, const struct keyspace_def *keyspace, struct table_def *table);
uint64_t change_next_version(const struct change *c);
void change_new_timeuuid(struct change *c, uint8_t uuid[16]);
/* text: lives as long as the arena. */
void change_warn(struct change *c, const char *text);
enum status change_tags(struct change *c, enum tags_action action, const struct term *term, struct option_map *tags);

/* Checks that several statements make. */
bool change_is_word_name(struct bytes name, size_t max);
enum status change_check_column_name(struct change *c, struct bytes name);
/* The name that stands twice, or NULL data. */
struct bytes change_find_twin(struct arena *arena, struct bytes *names, uint32_t count);
/* Of a column that is added: named in the message. Null: of a new table, whose column is not. */
enum status change_check_nested_udt(struct change *c, const struct type *type, struct bytes column);
enum status change_check_node_sum(struct change *c, uint64_t sum);
enum status change_refuse_masks(struct change *c);

#endif
