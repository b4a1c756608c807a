/* table/still.h: inside table/: how owners stand still while a copy of all shards is made (table_checkpoint).
 *
 * Thread:  still_stand: an owner's.
 */
#ifndef TABLE_STILL_H
#define TABLE_STILL_H

struct shard;
struct still;
void still_init(struct still *still);
void still_fini(struct still *still);
/* The owner's, between two turns: returns when it may go on. */
void still_stand(struct shard *shard);

#endif
