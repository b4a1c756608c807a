/* schema/codec.h: keyspaces (with their types) and tables as bytes: what catalog/ saves.
 *
 *     keyspace: format (1) = 1 | name | durable (1) | replication | tags | types (4) type*
 *     type:     name | fields (4) | (name | node)*            a type stands behind those it uses
 *     table:    format (1) = 1 | id (8) | uuid (16) | version (8) | name | next column id (4) | columns (4) column* | dropped (4) dropped* | params
 *     column:   id (4) | kind (1) | position (4) | descending (1) | name | node
 *     dropped:  id (4) | kind (1) | dropped_us (8) | name | node
 *     node:     code (2), the native protocol's option id or 0x0100 + n of ours | flags (1): frozen
 *               | vector: dimension (4) node | list, set: node | map: node node | tuple: fields (4) node* | udt: name
 *               | custom: class name
 *     params:   count (1) | (tag (1) | size (4) | bytes)*     unknown tags are kept out, so a later field does not need a new format
 *     text:     size (4) | bytes;   map: count (4) | (text | text)*;   numbers big-endian
 *
 * Errors:  ERR_CORRUPT: cut short, or of a newer format.
 * Thread:  pure.
 */
#ifndef SCHEMA_CODEC_H
#define SCHEMA_CODEC_H

#include "base/buffer.h"
#include "schema/schema.h"

enum { SCHEMA_FORMAT = 1 };

/* Without its tables. */
void schema_encode_keyspace(struct buffer *out, const struct keyspace_def *keyspace);
void schema_encode_table(struct buffer *out, const struct table_def *table); /* equal bytes are equal definitions */
/* New references. The keyspace has no tables but room for table_room; a table's user types are looked up in its keyspace. */
enum status schema_decode_keyspace(struct bytes encoded, uint32_t table_room, struct keyspace_def **result,
                                   struct error *err);
enum status schema_decode_table(struct bytes encoded, const struct keyspace_def *keyspace, struct table_def **result,
                                struct error *err);

/* Types of a keyspace so that each stands behind those it uses, otherwise by name: as DESCRIBE shows them. `order` has type_count
 * places. */
void schema_types_in_order(const struct keyspace_def *keyspace, const struct type **order);

#endif
