/* table/counter.h: inside table/: the rows of counters that a turn has added to: read once, added to in
 * memory, written once.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_COUNTER_H
#define TABLE_COUNTER_H

#include "table/look.h"

struct counters;
struct counters *counters_new(void);
void counters_free(struct counters *counters);
/* Reads the row of `key`, if it is not here yet; the look's arena becomes the counters'. There is room. */
enum status counters_load(struct counters *counters, struct look *look, struct bytes key,
                          const struct command_fragment *fragment);
/* Adds a stamped fragment's numbers to a row that was loaded; they are copied. clock_us: above all that were
 * given before. */
void counters_add(struct counters *counters, struct bytes key, const struct row *asked, int64_t clock_us);
/* For so many rows more. */
bool counters_has_room(const struct counters *counters, uint32_t row_count);
/* The next row that was added to, from *at (0: the first) on, and all it holds now, which lives until the
 * next call. False: there is none. */
bool counters_next(struct counters *counters, uint32_t *at, struct bytes *key, struct bytes *value);
void counters_forget(struct counters *counters);

#endif
