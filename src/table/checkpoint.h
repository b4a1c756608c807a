/* table/checkpoint.h: inside table/: how owners stand still while a copy of all shards is made (table_checkpoint).
 *
 * Thread:  checkpoint_stand: an owner's.
 */
#ifndef TABLE_CHECKPOINT_H
#define TABLE_CHECKPOINT_H

struct shard;
struct checkpoint;
void checkpoint_init(struct checkpoint *checkpoint);
void checkpoint_fini(struct checkpoint *checkpoint);
/* The owner's, between two turns: returns when it may go on. */
void checkpoint_stand(struct shard *shard);

#endif
