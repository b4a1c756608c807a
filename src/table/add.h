/* table/add.h: inside table/: the rows of counters that a turn has added to: read once, added to in memory, written once.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_ADD_H
#define TABLE_ADD_H

#include "table/look.h"

struct counting;
struct counting *counting_new(void);
void counting_free(struct counting *counting);
/* Reads the row of `key`, if it is not here yet; the look's arena becomes the counting's. There is room. */
enum status counting_load(struct counting *counting, struct look *look, struct bytes key,
                          const struct command_fragment *fragment);
/* Adds a stamped fragment's numbers to a row that was loaded; they are copied. clock_us: above all that were given before. */
void counting_add(struct counting *counting, struct bytes key, const struct row *asked, int64_t clock_us);
/* For so many rows more. */
bool counting_has_room(const struct counting *counting, uint32_t row_count);
/* The next row that was added to, from *at (0: the first) on, and all it holds now, which lives until the next call. False: there is none. */
bool counting_next(struct counting *counting, uint32_t *at, struct bytes *key, struct bytes *value);
void counting_forget(struct counting *counting);

#endif
