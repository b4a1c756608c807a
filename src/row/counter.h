/* row/counter.h: the value of a counter's cell: shards, one for each origin that has ever counted.
 *
 *     value = shards, sorted by origin, each once:
 *             origin (16) | clock (8) | count (8)
 *             numbers big-endian; count is signed and wraps, as in Cassandra
 *
 * A shard is absolute: all that its origin has added. Who counts reads the row, adds, and writes the sum
 * under a higher clock, so a shard that is merged twice counts once. Only the owner of the row's shard counts
 * for an origin. An origin is a region; this one is COUNTER_ORIGIN, until there are more.
 *
 * What a command carries to the owner is no such value but the number to add: a cell of kind CELL_COUNTER
 * with 8 bytes. It is never stored (table/counter.c).
 *
 * Errors:  none: a value that is no row of shards counts its whole ones and merges to the larger of two.
 * Thread:  pure.
 * Source:  org.apache.cassandra.db.context.CounterContext, release 5.0.
 */
#ifndef ROW_COUNTER_H
#define ROW_COUNTER_H

#include "row/row.h"

enum { COUNTER_ORIGIN_BYTES = 16, COUNTER_SHARD_BYTES = 32, COUNTER_DELTA_BYTES = 8 };

extern const uint8_t COUNTER_ORIGIN[COUNTER_ORIGIN_BYTES];

/* What a client sees: the sum over all origins. */
int64_t counter_total(struct bytes shards);
/* The number that a command's cell asks to add. */
int64_t counter_delta(struct bytes value);
/* Union of two versions: of an origin's shards the higher clock stays, of equal clocks the higher count. */
struct bytes counter_merge(struct arena *arena, struct bytes a, struct bytes b);
/* The shards after `origin` has added delta to what it has. The shard's clock becomes clock_us, or one more than
 * it was if that is higher. */
struct bytes counter_add(struct arena *arena, struct bytes shards, const uint8_t origin[COUNTER_ORIGIN_BYTES],
                         int64_t clock_us, int64_t delta);

#endif
