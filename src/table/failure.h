/* table/failure.h: inside table/: what happens when a write of a shard failed, and how it takes writes again.
 *
 * Thread:  the owner's; failure_stop: who closes the space, when the owner is gone.
 */
#ifndef TABLE_FAILURE_H
#define TABLE_FAILURE_H

#include "base/error.h"

enum { RESUME_MS = 1000 }; /* between two tries */

struct shard;
/* A write failed: the shard refuses them. */
void failure_begin(struct shard *shard, enum status status);
/* While it refuses: sees to it that somebody tries to resume, and whether it could be. */
void failure_mind(struct shard *shard);
/* The shard stops. */
void failure_stop(struct shard *shard);

#endif
