/* schema/codec.h: keyspaces, types and tables as bytes: what catalog/ saves, one value for each.
 *
 *     keyspace: encoding (1) = 2 | name | durable (1) | replication | tags
 *     type:     encoding (1) = 2 | level (4) | name | fields (4) | (name | node)* | params
 *               level: 1 + that of the highest type it uses: types of lower levels are decoded first
 *     table:    encoding (1) = 1 | id (8) | uuid (16) | version (8) | name | next column id (4) | columns (4) column* | dropped (4) dropped* | params
 *     column:   id (4) | kind (1) | position (4) | descending (1) | name | node
 *     dropped:  id (4) | kind (1) | dropped_us (8) | name | node
 *     node:     code (2), the native protocol's option id or 0x0100 + n of ours | flags (1): frozen
 *               | vector: dimension (4) node | list, set: node | map: node node | tuple: fields (4) node* | udt: name
 *               | custom: class name
 *     params:   count (1) | (tag (1) | size (4) | bytes)*     of a table, of a type: each has tags of its own. Unknown ones are kept out, so a
 *               later field does not need a new format
 *     text:     size (4) | bytes;   map: count (4) | (text | text)*;   numbers big-endian
 *
 *     type of encoding 1, read only: without params
 *     keyspace of encoding 1, read only: name | durable (1) | replication | tags | types (4) | (name | fields (4) | (name | node)*)*,
 *               a type behind those it uses
 *
 * Errors:  ERR_CORRUPT: cut short, or of a newer encoding.
 * Thread:  pure.
 */
#ifndef SCHEMA_CODEC_H
#define SCHEMA_CODEC_H

#include "base/buffer.h"
#include "schema/schema.h"

enum { SCHEMA_KEYSPACE_ENCODING = 2, SCHEMA_TYPE_ENCODING = 2, SCHEMA_TABLE_ENCODING = 1 };

/* Equal bytes are equal definitions. */
void schema_encode_keyspace(struct buffer *out, const struct keyspace_def *keyspace); /* without its types and tables */
void schema_encode_type(struct buffer *out, const struct type *type, uint32_t level, int64_t changed_us);
void schema_encode_table(struct buffer *out, const struct table_def *table);
/* New references. The keyspace has no tables, and types only if it is of encoding 1; a table's user types are looked up in its keyspace. */
enum status schema_decode_keyspace(struct bytes encoded, struct keyspace_def **result, struct error *err);
enum status schema_decode_table(struct bytes encoded, const struct keyspace_def *keyspace, struct table_def **result,
                                struct error *err);
/* Into a keyspace under construction, which has room for it, and the types of lower levels. */
enum status schema_decode_type(struct bytes encoded, struct keyspace_def *keyspace, struct error *err);
uint32_t schema_type_level(struct bytes encoded); /* 0: it is no type */

/* Types of a keyspace so that each stands behind those it uses, otherwise by name: as DESCRIBE shows them. `order` has type_count
 * places. */
void schema_types_in_order(const struct keyspace_def *keyspace, const struct type **order);
/* The levels of its types, in the order of keyspace->types: type_count places. */
void schema_type_levels(const struct keyspace_def *keyspace, uint32_t *levels);

#endif
