/* table/known.h: inside table/: what an owner knows of partitions whose range tombstones it changed lately,
 * so that it need not look for them among all that they replaced: of each a *window* of places, with all
 * segments (range.h) that touch it, as they are behind the batch under way. The owner keeps it true: what it
 * does not write by range_add, or takes back, makes it forget. Bounded: known.c.
 *
 * Thread:  the owner's.
 */
#ifndef TABLE_KNOWN_H
#define TABLE_KNOWN_H

#include "row/row.h"

struct range_segment {
    struct bytes lower, upper; /* places; NULL upper: to the end */
    struct deletion deletion;
};

struct range_known;
struct range_known *range_known_new(void);
void range_known_free(struct range_known *known);
void range_known_forget(struct range_known *known);

struct range_window;
/* NULL: nothing is known of the partition. */
struct range_window *range_known_find(struct range_known *known, struct bytes partition);
/* In the place of the one that was used least lately. The caller fills it. */
struct range_window *range_known_begin(struct range_known *known, struct bytes partition, struct bytes lower,
                                       struct bytes upper);
void range_window_forget(struct range_window *window);
struct bytes range_window_partition(const struct range_window *window);
uint32_t range_window_count(const struct range_window *window);
struct bytes range_window_lower(const struct range_window *window);
struct bytes range_window_upper(const struct range_window *window);
void range_window_set_lower(struct range_window *window, struct bytes lower);
void range_window_set_upper(struct range_window *window, struct bytes upper);
/* Those that overlap or touch [lower, upper]: from *first to before *end. */
void range_window_find(const struct range_window *window, struct bytes lower, struct bytes upper, uint32_t *first,
                       uint32_t *end);
const struct range_segment *range_window_at(const struct range_window *window, uint32_t index);
/* The segments are copied. False: they became too many, and the window is forgotten. */
bool range_window_replace(struct range_window *window, uint32_t first, uint32_t end,
                          const struct range_segment *segments, uint32_t count);

#endif
