/* table/look.h: inside table/: how a command looks at the rows of its partition: through what the turn has
 * written before it.
 *
 * Errors:  ERR_WOULD_WAIT, where the command's header says that it may not wait. ERR_CORRUPT.
 * Thread:  the owner's; a prefetcher's, which looks for it.
 */
#ifndef TABLE_LOOK_H
#define TABLE_LOOK_H

#include "row/row.h"
#include "table/command.h"
#include "table/range.h"
#include "table/shard.h"

/* Lives no longer than the command. */
struct look {
    struct shard *shard;
    const struct store_batch *batch;
    struct range_overlay *overlay;
    struct range_known *known; /* the owner's; NULL: a prefetcher looks */
    struct kept_rows *kept;    /* the same */
    const struct command_header *header;
    const struct table_def *def; /* cas_decide and cas_find_places want it */
    struct arena *arena;         /* what is seen lies there */
    struct row record;           /* of the partition; look.c's */
    struct error *err;
};

/* The row (KEY_ROW) or partition record (KEY_PARTITION) as it is stored, nothing hidden, and the newest
 * deletion that covers it from outside; through the batch. Absent: empty. */
enum status look_read_row(struct look *look, uint8_t kind, struct bytes clustering, struct row *row,
                          struct deletion *cover);

/* Reads the partition's record into the look. Appends the partition's key, up to before the kind. *newest_us
 * follows all that was read and that the server's clock could have made. */
enum status look_read_partition(struct look *look, struct buffer *key, int64_t *newest_us);

/* The live row that is looked at; NULL: it does not exist. From those that are kept, and kept then if it is
 * large. The partition's record is read only if it must be: *has_record. */
enum status look_read_live(struct look *look, struct buffer *key, bool *has_record, bool is_static,
                           struct bytes clustering, const struct row **live, int64_t *newest_us);

/* The partition's first live row, of one of the two kinds that ask for it. key: the partition's; its record
 * was read. */
enum status look_first_row(struct look *look, struct buffer *key, enum cas_kind kind, struct cas_seen *seen);

/* For who prefetches: what the owner will read for a partition's first live row, of one of the two kinds that
 * ask for it. */
enum status look_read_first_row(struct look *look, enum cas_kind kind);

#endif
