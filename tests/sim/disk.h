/* disk.h: a store body over another one, where the simulation does harm: reads that would wait, writes that fail, power that goes.
 *
 * Over store/memory it keeps what was written as a disk would: the batches of each store, and up to which they are synced. When the power
 * comes back the store is made of them: all that were synced, and of the others a part from the front. Over store/rocksdb that is
 * the files' matter (store/files/forgetful.c).
 *
 * Each call is a place where another fiber may go on, but not while the body below works: that one never waits for us.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "store/store.h"

#include <stdbool.h>

struct disk; /* all the stores of a machine */

struct disk *disk_new(const struct store_ops *below);
void disk_free(struct disk *disk);
/* One disk at a time. */
const struct store_ops *disk_ops(struct disk *disk);

/* Of reads that may not wait, one in so many is refused; 0: none. */
void disk_set_cold(struct disk *disk, uint32_t one_in);
/* The next `writes` fail, from the one after `after` on; and resuming as often as `resumes`. What a failed write brought may be there
 * later, or not. */
void disk_fail_writes(struct disk *disk, uint32_t after, uint32_t writes, uint32_t resumes);
bool disk_is_failing(const struct disk *disk);
/* From now on all calls fail, until the power is back. What is acknowledged and was not synced is lost (on memory). */
void disk_cut(struct disk *disk);
void disk_restore(struct disk *disk);
bool disk_is_off(const struct disk *disk);
/* Sabotage of the simulation's own: what is said to be synced is not. */
void disk_lie_about_syncs(struct disk *disk, bool lies);

#endif
