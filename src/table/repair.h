/* table/repair.h: inside table/: what `helenus check --repair` takes out of a space at rest, and where that is kept.
 *
 * A value that can't be read, and is not deleted, is kept whole in its own shard, encrypted as all of it is, under
 *
 *     0 (8) | "unreadable" 00 .. (16) | position (8), by which a reshard moves it | microseconds (8) | number (4)
 *     value: 01 (1), the version of this entry | key: size (4), bytes | the value as it was
 *
 * In its place stands what of it can be read, if anything: in the batch that keeps it. Nothing reads what is
 * kept but who mends by hand.
 */
#ifndef TABLE_REPAIR_H
#define TABLE_REPAIR_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether a record of the shard's own is something that was taken out, and at which position (table/layout.h)
 * it was. */
bool taken_position(struct bytes key, uint64_t *position);

#endif
