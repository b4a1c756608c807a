/* types/type.h: what a CQL type is.
 *
 * Shapes:  a tree of immutable nodes. Native types are shared constants (type_native). Order (DESC) belongs to
 *          the column, never to the type. A value is its wire bytes (native protocol v3+ formats: collections
 *          with 32-bit counts and lengths); "null" is a span whose data is NULL; the empty value (size 0,
 *          data not NULL) is distinct from null.
 * Owns:    a node is owned by the arena it was built in (a schema snapshot's, or a request's).
 * Thread:  immutable, any thread.
 */
#ifndef TYPES_TYPE_H
#define TYPES_TYPE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

/* The order is that of the native protocol's option ids where one exists; type_wire_id gives the id. */
enum type_kind {
    TYPE_CUSTOM,
    TYPE_ASCII,
    TYPE_BIGINT,
    TYPE_BLOB,
    TYPE_BOOLEAN,
    TYPE_COUNTER,
    TYPE_DECIMAL,
    TYPE_DOUBLE,
    TYPE_FLOAT,
    TYPE_INT,
    TYPE_TIMESTAMP,
    TYPE_UUID,
    TYPE_TEXT, /* varchar is the same type */
    TYPE_VARINT,
    TYPE_TIMEUUID,
    TYPE_INET,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_SMALLINT,
    TYPE_TINYINT,
    TYPE_DURATION,
    TYPE_EMPTY, /* org.apache.cassandra.db.marshal.EmptyType: values of size 0 */
    TYPE_LIST,
    TYPE_MAP,
    TYPE_SET,
    TYPE_UDT,
    TYPE_TUPLE,
    TYPE_VECTOR,
};

struct type {
    enum type_kind kind;
    bool frozen;                /* list, set, map, udt: one value rather than cells. Tuples and vectors always are. */
    uint32_t dimension;         /* vector */
    uint32_t param_count;       /* list, set, vector: 1; map: 2; tuple, udt: fields */
    const struct type **params; /* element; key, value; field types */
    struct bytes keyspace;      /* udt */
    struct bytes name;          /* udt: name; custom: Java class name */
    struct bytes *field_names;  /* udt */
};

const struct type *type_native(enum type_kind kind);
const struct type *type_list(struct arena *arena, const struct type *element, bool frozen);
const struct type *type_set(struct arena *arena, const struct type *element, bool frozen);
const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value, bool frozen);
const struct type *type_tuple(struct arena *arena, const struct type *const *fields, uint32_t count);
const struct type *type_vector(struct arena *arena, const struct type *element, uint32_t dimension);
const struct type *type_udt(struct arena *arena, struct bytes keyspace, struct bytes name,
                            const struct bytes *field_names, const struct type *const *field_types, uint32_t count,
                            bool frozen);
/* A deep copy that is frozen at every depth (as Cassandra's freeze()). */
const struct type *type_freeze(struct arena *arena, const struct type *type);
/* A deep copy into another arena (native nodes stay shared). */
const struct type *type_copy(struct arena *arena, const struct type *type);
/* Does all of it live in this arena? For asserts: what is kept must not hold on to a request's memory. */
bool type_is_owned(const struct arena *arena, const struct type *type);

/* list, set, map or udt that is not frozen: stored cell by cell. */
bool type_is_multicell(const struct type *type);
bool type_is_collection(const struct type *type);
/* Structural equality; udt by keyspace and name and fields; frozen counts. */
bool type_equal(const struct type *a, const struct type *b);
/* May values of `from` be read as `to` (ALTER, assignment tests): e.g. ascii -> text, int -> blob, timestamp -> bigint.
 */
bool type_is_value_compatible(const struct type *to, const struct type *from);
/* A type that holds a duration, or a non-frozen collection, anywhere: what Cassandra refuses in keys. */
bool type_references_duration(const struct type *type);
/* Size of every non-empty value, or 0 if it varies (vector: as Cassandra's valueLengthIfFixed). */
uint32_t type_fixed_bytes(const struct type *type);

/* The native protocol's option id (2 bytes), e.g. 0x000D for text; vector and duration before v5 where the
 * protocol has none are custom (0x0000) with type_print_java's class name. */
uint16_t type_wire_id(const struct type *type);

/* CQL form, e.g. "frozen<map<text, int>>", "vector<float, 3>"; a udt prints its name, quoted when it must be,
 * with "keyspace." before it if with_keyspace. As system_schema.columns.type shows it. */
void type_print(struct buffer *out, const struct type *type, bool with_keyspace);
/* An identifier, in double quotes if it is not plain lower case or is reserved. */
void identifier_print(struct buffer *out, struct bytes name);
/* org.apache.cassandra.db.marshal form, e.g. "org.apache.cassandra.db.marshal.MapType(...)", with FrozenType and
 * UserType as Cassandra prints them. */
void type_print_java(struct buffer *out, const struct type *type);

/* Resolves a udt's name while a type is parsed or built; NULL when there is none. */
struct type_resolver {
    const struct type *(*udt)(void *context, struct bytes keyspace,
                              struct bytes name); /* keyspace NULL: the current one */
    void *context;
};
/* Parses CQL form ("map<text, frozen<list<int>>>"). ERR_INVALID or ERR_SYNTAX with Cassandra's words. */
enum status type_parse(struct arena *arena, struct bytes text, const struct type_resolver *resolver,
                       const struct type **result, struct error *err);

#endif
