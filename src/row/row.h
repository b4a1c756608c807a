/* row/row.h: what a partition holds: rows of cells, their timestamps and tombstones.
 *
 * A *fragment* is one version of (a part of) a row; its bytes are drawn in row/fragment.h. struct row is a fragment
 * decoded, or a row about to be encoded.
 *
 * Shapes:  timestamps are microseconds since 1970 as the client or the owner gave them; times are seconds since 1970.
 *          Cells are sorted by (column id, path bytes); complex deletions by column id.
 * Owns:    nothing; everything points into the arena or the bytes it was decoded from.
 * Thread:  pure.
 */
#ifndef ROW_ROW_H
#define ROW_ROW_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

#define TIMESTAMP_NONE INT64_MIN
/* "The owner gives the commit's time": the default write timestamp, and the one just before it (the deletion
 * that an overwritten collection carries). Encoded as flags, so that stamping is patching one fixed place.
 * Some number must mean it in a struct row: one that no clock gives and nobody tests with, since a client may
 * use every other, the extremes too. */
#define TIMESTAMP_SERVER        (INT64_MIN + INT64_C(0x0048656C656E7573))
#define TIMESTAMP_SERVER_BEFORE (TIMESTAMP_SERVER - 1)

static inline bool timestamp_is_server(int64_t timestamp_us)
{
    return timestamp_us == TIMESTAMP_SERVER || timestamp_us == TIMESTAMP_SERVER_BEFORE;
}

enum { TTL_NONE = 0, TTL_SECONDS_MAX = 630720000 };
#define TIME_NONE INT64_MAX /* no expiry, not deleted */

/* The row marker an INSERT leaves. */
struct liveness {
    int64_t timestamp_us; /* TIMESTAMP_NONE: absent */
    int32_t ttl_s;        /* TTL_NONE: does not expire */
    int64_t expires_s;    /* TIME_NONE without TTL */
};

struct deletion {
    int64_t timestamp_us; /* covers everything with timestamp <= this; TIMESTAMP_NONE: absent */
    int64_t deleted_s;    /* when it was made: gc_grace counts from here */
};

#define LIVENESS_NONE ((struct liveness){ TIMESTAMP_NONE, TTL_NONE, TIME_NONE })
#define DELETION_NONE ((struct deletion){ TIMESTAMP_NONE, TIME_NONE })

enum cell_kind { CELL_LIVE, CELL_EXPIRING, CELL_TOMBSTONE, CELL_COUNTER };

struct cell {
    uint32_t column_id;
    enum cell_kind kind;
    int64_t timestamp_us;
    int32_t ttl_s;   /* expiring */
    int64_t local_s; /* expiring: when it expires; tombstone: when it was made; else TIME_NONE */
    /* Simple columns: NULL data. Collections: list: 16-byte timeuuid; set: the element, map: the key, both
     * byte-comparable (value_encode_key); udt: 2-byte field index. */
    struct bytes path;
    /* Set, map: the element or key as written, where the path's encoding is not injective; else NULL data. */
    struct bytes path_value;
    struct bytes value; /* tombstone: NULL data. Set: empty. Counter: shards, see row/counter.h */
};

struct complex_deletion {
    uint32_t column_id;
    struct deletion deletion;
};

struct row {
    struct liveness liveness;
    struct deletion deletion;  /* of the row; in a partition's record: of the partition */
    bool has_range_tombstones; /* partition records only */
    uint32_t cell_count;
    uint32_t complex_count;
    struct cell *cells;
    struct complex_deletion *complexes;
    /* The clustering values as written (per component: 4-byte size, bytes) where the key's encoding is not
     * injective; else NULL data. */
    struct bytes written_clustering;
};

#define ROW_EMPTY ((struct row){ .liveness = LIVENESS_NONE, .deletion = DELETION_NONE })

#endif
