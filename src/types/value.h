/* types/value.h: the values of CQL types: validate, compare, print, parse, and encode for keys.
 *
 * Shapes:  a value is wire bytes (native protocol v3+). Element access never copies.
 * Owns:    nothing; results go to the caller's buffer or arena.
 * Errors:  ERR_INVALID with the words Cassandra uses.
 * Thread:  pure.
 * Source:  org.apache.cassandra.db.marshal and org.apache.cassandra.utils.bytecomparable (CEP-25), release 5.0.
 */
#ifndef TYPES_VALUE_H
#define TYPES_VALUE_H

#include "types/type.h"

/* Depth of nested types, elements of one collection and bytes of one value that a client may send. */
enum { VALUE_DEPTH_MAX = 32, VALUE_ELEMENTS_MAX = 1 << 24, VALUE_BYTES_MAX = 256 << 20 };

/* Is this a well-formed value of the type? The empty value is well-formed where Cassandra allows it. Null elements
 * in collections are refused; null fields of tuples and udts are fine. */
enum status value_validate(const struct type *type, struct bytes value, struct error *err);

/* The list that a marker of IN is bound to: it may hold nulls, which only keys refuse. */
enum status value_validate_list_of_in(const struct type *type, struct bytes value, struct error *err);
/* An element of it, of that type: an empty one of a type that has no empty value is null, as Cassandra takes it. */
struct bytes value_of_in(const struct type *type, struct bytes element);

/* The order Cassandra's comparator gives: <0, 0, >0. Both validated. (timeuuid: by time then signed bytes; decimal
 * and varint numerically; uuid: version, then time or bytes; booleans, floats with NaN greatest; sets and lists
 * lexicographically; empty first.) */
int value_compare(const struct type *type, struct bytes a, struct bytes b);

/* Sorts values in that order and drops all but one of equal ones: how many stay. For looking up many times. */
uint32_t value_sort(const struct type *type, struct bytes *values, uint32_t count);
/* Is it among sorted values? */
bool value_find(const struct type *type, const struct bytes *values, uint32_t count, struct bytes wanted);

/* The form a client's value gets before it is compared or stored: what a collection holds, collections in it too, as Cassandra would write
 * it (sets and maps in order, of equal keys the first with the last one's value; booleans 0 or 1, numbers without idle bytes); not what
 * stands in tuples and udts, and nothing else. value_has_forms: the type has values that this changes. Values are validated; a
 * canonical one is never longer. */
bool value_has_forms(const struct type *type);
bool value_is_canonical(const struct type *type, struct bytes value);
void value_append_canonical(struct buffer *out, const struct type *type, struct bytes value);

/* As a CQL literal (text quoted, collections bracketed), or as toJson prints it. */
void value_print(struct buffer *out, const struct type *type, struct bytes value);
void value_print_json(struct buffer *out, const struct type *type, struct bytes value);

/* A constant of the language. For native types only; query/ builds collections and tuples from their parts with the
 * value_pack functions. */
enum literal_kind {
    LITERAL_STRING,
    LITERAL_INTEGER,
    LITERAL_FLOAT,
    LITERAL_BOOLEAN,
    LITERAL_UUID,
    LITERAL_HEX,
    LITERAL_DURATION
};
/* Parses a literal's text (string: unquoted content; hex: with 0x) into wire bytes appended to `out`. May this literal
 * be assigned to the type at all? If not: ERR_INVALID "Invalid STRING constant (abc) for "v" of type int" is
 * the caller's to compose with column name; here: value_literal_is_assignable. */
bool value_literal_is_assignable(const struct type *type, enum literal_kind kind);
enum status value_parse(const struct type *type, enum literal_kind kind, struct bytes text, struct buffer *out,
                        struct error *err);
/* A value from its JSON (fromJson, INSERT JSON): text is one JSON value other than null, which is the caller's to see
 * (types/json.h walks an object's members). */
enum status value_parse_json(const struct type *type, struct bytes json, struct buffer *out, struct error *err);

/* Collections, tuples and udts as packed bytes. */
struct value_iterator {
    struct bytes rest;
    uint32_t left; /* elements left; for a map: keys and values counted apart */
    const struct type *type;
    uint32_t index;
};
/* Of a validated value. Elements come as spans into it; null fields as NULL data. */
void value_iterator_init(struct value_iterator *iterator, const struct type *type, struct bytes value);
bool value_iterator_next(struct value_iterator *iterator, struct bytes *element);
/* Appends a packed collection (list, set, map with keys and values alternating), tuple, udt or vector. */
void value_pack(struct buffer *out, const struct type *type, const struct bytes *elements, uint32_t count);
/* Sorts the elements of a set or the entries of a map in place: how many values are left. Of equal keys the first stays, with the value of
 * the last. */
uint32_t value_sort_entries(const struct type *type, struct bytes *elements, uint32_t count);
/* Packs a set or map that comes in any order and with duplicates; sorts `elements`. */
void value_pack_sorted(struct buffer *out, const struct type *type, struct bytes *elements, uint32_t count);

/* Byte-comparable form of a clustering component: memcmp order is value_compare's order, it is prefix-free within
 * the type (so components can stand one after another), and with `descending` every byte is inverted.
 * The empty value and (for clustering) null are encoded too; see value_key.c for the drawing. Versioned: the format is
 * laid down; a change is a new format version of the data directory. */
enum {
    VALUE_KEY_NULL = 0x3E,
    VALUE_KEY_EMPTY = 0x3F,
    VALUE_KEY_VALUE = 0x40
}; /* how a component begins, inverted if descending */
void value_encode_key(struct buffer *out, const struct type *type, struct bytes value, bool descending);
/* The inverse. Reads one component from *in, advances it, and appends the value's wire bytes to `out`.
 * For decimal and varint the result is a canonical form (see value_key_is_injective). ERR_CORRUPT. */
enum status value_decode_key(struct bytes *in, const struct type *type, bool descending, struct buffer *out,
                             struct error *err);
/* False where different wire forms compare equal (decimal, varint, tuples and udts written short, and what contains them): the row must keep the
 * written form. Three harmless ones are just made canonical: a true boolean is 01, NaN is 7FC00000 (7FF8000000000000),
 * and a tuple or udt gets all its fields (those missing at its end as null). */
bool value_key_is_injective(const struct type *type);

/* Partition keys. The serialized partition key is Cassandra's: one component raw; several: per component 2-byte
 * length, bytes, 0x00. Token: Murmur3Partitioner's (Long.MIN becomes Long.MAX). */
int64_t token_of_partition_key(struct bytes serialized);

#endif
