/* query/paging.h: where a page ended, so that the next can begin there.
 *
 *     version (1) = 2 | flags (1) | rows left of LIMIT (4) | rows left of PER PARTITION LIMIT (4)
 *     | partition key: size (4), bytes | clustering: size (4), bytes | MAC (16)
 *
 * A state is a position in a table, not in a statement: as in Cassandra any SELECT of the table can go on from it, with what is left of
 * the limits that it carries. The MAC (of keys/, or HMAC-SHA-256 under a key of this process, cut to 16 bytes) covers all before it and
 * the table's uuid, which TRUNCATE keeps: a state of another table, or made up, is refused.
 *
 * Errors:  ERR_PROTOCOL "Invalid value for the paging state".
 * Thread:  pure.
 */
#ifndef QUERY_PAGING_H
#define QUERY_PAGING_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "keys/keys.h"

enum { PAGING_NO_LIMIT = UINT32_MAX, PAGING_MAC_BYTES = 16, PAGING_STATE_BYTES_MAX = 1 << 18 };
enum { PAGING_DESCRIBE_BYTES = 12 }; /* row (4), version of the schema (8) */

struct paging_state {
    struct bytes partition_key; /* the partition to go on in; NULL data: the one that the statement names */
    struct bytes clustering;    /* its last row that was given; NULL data: there is none */
    uint32_t remaining;         /* of LIMIT; PAGING_NO_LIMIT */
    uint32_t left_in_partition; /* of PER PARTITION LIMIT; PAGING_NO_LIMIT */
    bool full_of_bytes;         /* the page ended by its bytes, not by its rows */
};

struct paging_scope {
    const struct keys *keys; /* KEYS_PAGING is used; NULL: `key` */
    struct bytes key;        /* of this process */
    struct bytes table;      /* its uuid */
};

struct bytes paging_encode(struct arena *arena, const struct paging_scope *scope, const struct paging_state *state);
enum status paging_decode(struct bytes bytes, const struct paging_scope *scope, struct paging_state *state,
                          struct error *err);

/* Is it made as ours are, of SELECT or of DESCRIBE? As in Cassandra, no request may bring another, whatever it asks for; whether it is
 * of this table is for the SELECT that goes on from it. Null: none was brought. */
bool paging_has_form(struct bytes bytes);

/* Of a position that a statement cannot begin at. */
enum status paging_refuse(struct error *err);

#endif
