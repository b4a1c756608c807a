/* table/owner.h: inside table/: the thread that alone writes to a shard.
 *
 * Thread:  whoever opens and closes the space.
 */
#ifndef TABLE_OWNER_H
#define TABLE_OWNER_H

#include "base/error.h"

struct shard;
enum status shard_start(struct shard *shard, struct error *err);
void shard_stop(struct shard *shard);

#endif
