/* table/cas.h: inside table/: how a command looks at the rows of its partition: through what the turn has written before it.
 *
 * Thread:  the owner's; a warmer's, which looks for it.
 */
#ifndef TABLE_CAS_H
#define TABLE_CAS_H

#include "row/row.h"
#include "table/command.h"
#include "table/range.h"
#include "table/shard.h"

/* Lives no longer than the command. */
struct cas_look {
    struct shard *shard;
    const struct store_batch *batch;
    struct range_overlay *overlay;
    struct range_known *known; /* the owner's; NULL: a warmer looks */
    struct kept_rows *kept;    /* the same */
    const struct command_header *header;
    const struct table_def *def; /* cas_decide and cas_find_places want it */
    struct arena *arena;         /* what is seen lies there */
    struct row record;           /* of the partition; cas.c's */
    struct error *err;
};

/* Decides; on success adds nothing yet. *applied says whether the conditions hold; *newest_us is the newest timestamp read. When they
 * don't hold, *result gets what was seen. The reader stands after the fragments. */
enum status cas_decide(struct cas_look *look, struct command_reader *reader, bool *applied, int64_t *newest_us,
                       struct buffer *result);

/* The row (KEY_ROW) or partition record (KEY_PARTITION) as it is stored, nothing hidden, and the newest deletion that covers it from
 * outside; through the batch. Absent: empty. */
enum status cas_read_row(struct cas_look *look, uint8_t kind, struct bytes clustering, struct row *row,
                         struct deletion *cover);

/* For who warms: what the owner will read for a partition's first live row, of one of the two kinds that ask for it. */
enum status cas_read_first_row(struct cas_look *look, enum cas_kind kind);

/* The command's fragments, unstamped, into `fragments`, with the paths that operations on lists find in the rows as they were before the
 * command; those that became empty are left out and not counted. The reader stands at the first. */
enum status cas_find_places(struct cas_look *look, struct command_reader *reader, struct buffer *fragments,
                            uint32_t *count);

#endif
