/* row/semantics.h: what stored values mean, as the engine's callbacks: merge folds, the filter purges.
 *
 * Merge never fails: fragments it can't read are kept beside the folded rest, in a list (row/fragment.h). The
 * filter forgets only where the engine says that the value is all there is, by the table's gc_grace; of an
 * unknown table, nothing.
 *
 * Thread:  callbacks run on any thread, several at once.
 */
#ifndef ROW_SEMANTICS_H
#define ROW_SEMANTICS_H

#include "base/buffer.h"

/* In plain terms, since store/ lies below row/ on the map: table/semantics.c hands them to the engine. */
void row_semantics_merge(struct bytes existing, const struct bytes *operands, size_t operand_count,
                         struct buffer *result);

/* False: the filter keeps this value whatever the time is. Cheap: asked of every value that compaction meets. */
bool row_semantics_can_shrink(struct bytes value);
enum row_verdict { ROW_KEEP, ROW_REMOVE, ROW_CHANGE };
enum { PURGE_AFTER_S = 60 }; /* what expired later than that stays: a request that is under way may have begun before */
/* gc_grace_s: the table's. */
enum row_verdict row_semantics_filter(struct bytes key, struct bytes value, int64_t now_us, int64_t purge_before_us,
                                      int32_t gc_grace_s, struct buffer *changed);
int64_t row_semantics_min_timestamp_us(struct bytes value);

#endif
