/* table/kept.h: inside table/: large rows that were looked into lately, as they live behind the batch under
 * way. What the owner takes back, or writes in another way than as a fragment, it makes them forget. Bounded.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_KEPT_H
#define TABLE_KEPT_H

#include "row/row.h"

struct kept_row_view {
    const struct row *live; /* NULL: it does not exist */
    int64_t newest_us;      /* of all timestamps in it, of dead cells too */
    int64_t range_us;       /* of the range tombstone that covers it; TIMESTAMP_NONE: there is none */
};
enum { KEPT_CELLS_MIN = 256 }; /* of fewer a row is not kept */
struct kept_rows *kept_rows_new(void);
void kept_rows_free(struct kept_rows *kept);
bool kept_rows_are_none(const struct kept_rows *kept);
/* Borrowed until the next write or keep. NULL: it is not kept. */
const struct kept_row_view *kept_rows_find(struct kept_rows *kept, struct bytes key, uint64_t schema_version);
/* Copies the row, if it is worth it and nothing of it expires. record: the key of its partition's record;
 * floor_us: the newest timestamp of what deletes anything in it. */
void kept_rows_keep(struct kept_rows *kept, struct bytes key, struct bytes record, uint64_t schema_version,
                    const struct kept_row_view *view, int64_t floor_us);
/* A stamped fragment was added to the batch. hash: hash_seeded(0, key). */
void kept_rows_wrote(struct kept_rows *kept, uint64_t hash, struct bytes key, struct bytes fragment);
void kept_rows_forget(struct kept_rows *kept);
void kept_rows_forget_row(struct kept_rows *kept, struct bytes key);
void kept_rows_forget_partition(struct kept_rows *kept, struct bytes record);

#endif
