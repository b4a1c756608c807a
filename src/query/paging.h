/* query/paging.h: where a page ended, so that the next can begin there.
 *
 *     version (1) = 1 | flags (1) | rows left of LIMIT (4) | rows of this partition already given (4)
 *     | partition key: size (4), bytes | clustering: size (4), bytes | MAC (16)
 *
 * The MAC (of keys/, or HMAC-SHA-256 under a key of this process, cut to 16 bytes) covers all before it, the statement's id and the table's id,
 * so that a state made for another statement, or made up, is refused.
 *
 * Errors:  ERR_INVALID "Invalid value for the paging state".
 * Thread:  pure.
 */
#ifndef QUERY_PAGING_H
#define QUERY_PAGING_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "keys/keys.h"

enum { PAGING_NO_LIMIT = UINT32_MAX, PAGING_MAC_BYTES = 16, PAGING_STATE_BYTES_MAX = 1 << 18 };

struct paging_state {
    struct bytes partition_key;  /* the partition the page ended in */
    struct bytes clustering;     /* its last row that was given; NULL data: none of its rows */
    bool partition_done;         /* begin with the next partition */
    bool static_done;            /* its static row was given as a row of its own */
    uint32_t remaining;          /* of LIMIT; PAGING_NO_LIMIT */
    uint32_t given_in_partition; /* for PER PARTITION LIMIT */
};

struct paging_scope {
    const struct keys *keys; /* KEYS_PAGING is used; NULL: `key` */
    struct bytes key;        /* of this process */
    struct bytes statement_text;
    uint64_t table_id;
};

struct bytes paging_encode(struct arena *arena, const struct paging_scope *scope, const struct paging_state *state);
enum status paging_decode(struct bytes bytes, const struct paging_scope *scope, struct paging_state *state,
                          struct error *err);

#endif
