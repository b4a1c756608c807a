/* schema/uses.h: who uses a keyspace's user types, and how deep they go: what Keyspaces tells of a type.
 *
 * Shapes:  "direct" is a use that is written where it stands, also within a collection or tuple (list<frozen<a>>), not one by way of another
 *          user type. Names are sorted and there once.
 * Owns:    results live in the arena; names are borrowed from the keyspace.
 * Errors:  none.
 * Thread:  pure.
 */
#ifndef SCHEMA_USES_H
#define SCHEMA_USES_H

#include "schema/schema.h"

struct use_list {
    struct bytes *names;
    uint32_t count, capacity;
};

struct type_uses {
    struct use_list tables;  /* with a column of the type */
    struct use_list parents; /* types with a field of it */
    uint32_t depth;          /* user types within each other, below this one: 0 if its fields have none */
};

/* For each of keyspace->types, in their order. Work is linear in all columns and fields. */
const struct type_uses *schema_type_uses(struct arena *arena, const struct keyspace_def *keyspace);

#endif
