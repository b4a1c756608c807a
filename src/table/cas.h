/* table/cas.h: inside table/: conditions, and places in lists, on the owner.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_CAS_H
#define TABLE_CAS_H

#include "table/look.h"

/* Decides; on success adds nothing yet. *applied says whether the conditions hold; *newest_us is the newest timestamp read. When they
 * don't hold, *result gets what was seen. The reader stands after the fragments. */
enum status cas_decide(struct look *look, struct command_reader *reader, bool *applied, int64_t *newest_us,
                       struct buffer *result);

/* The command's fragments, unstamped, into `fragments`, with the paths that operations on lists find in the rows as they were before the
 * command; those that became empty are left out and not counted. The reader stands at the first. */
enum status cas_find_places(struct look *look, struct command_reader *reader, struct buffer *fragments,
                            uint32_t *count);

#endif
