/* schema/resolve.h: types as written become types, by Cassandra's rules; and what changing a user type does to others.
 *
 * Owns:    results live in the arena.
 * Errors:  ERR_INVALID, ERR_SYNTAX with Cassandra's words.
 * Thread:  pure.
 */
#ifndef SCHEMA_RESOLVE_H
#define SCHEMA_RESOLVE_H

#include "cql/ast.h"
#include "schema/schema.h"

/* How deep types may nest, user types included. */
enum { RESOLVE_DEPTH_MAX = 32 };
/* How many nodes a type may have with its user types spelt out: two fields of one type in each of 30 types would make 2^30. And all columns
 * of a table, all types of a keyspace. */
enum { RESOLVE_NODES_MAX = 5000, RESOLVE_NODES_SUM_MAX = 200000 };

enum status resolve_type(struct arena *arena, const struct keyspace_def *keyspace, const struct cql_type *written,
                         const struct type **result, struct error *err);
/* 'java.class.Name' anywhere in a type: is it one of Cassandra's? Said before anything else is looked at. */
enum status resolve_check_custom(const struct cql_type *written, struct error *err);
/* Is a user type of this name in there, or this type itself? */
bool type_uses_udt(const struct type *type, struct bytes name);
uint32_t type_node_count(const struct type *type);
/* The node count type_with_udt's result will have. */
uint64_t type_node_count_with_udt(const struct type *type, const struct type *udt);
/* A copy in which every user type of udt's name is `udt` (frozen where it was). */
const struct type *type_with_udt(struct arena *arena, const struct type *type, const struct type *udt);
/* A copy without user types: they become tuples, as in dropped columns. */
const struct type *type_expand_udts(struct arena *arena, const struct type *type);
/* "frozen<k1.ty>", as messages show a type with its keyspaces. */
const char *resolve_print_written(struct arena *arena, struct bytes keyspace, const struct cql_type *written);

#endif
