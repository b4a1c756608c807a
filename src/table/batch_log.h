/* table/batch_log.h: inside table/: what makes a logged batch over several shards all or nothing.
 *
 *     intent: key 0 (8) | "batch" 00 00 00 (8) | the batch's timestamp (8)
 *             value 01 (1) | per command for another shard: size (4), an apply (command.h), stamped
 *     marker: key 0 (8) | "applied" 00 (8) | the batch's timestamp (8)
 *             value 01 (1)
 *
 * A port sends the first shard's part with the parts of the others as one command; its owner stamps all of
 * them with one timestamp, which is the batch's name, since no two stamps of a process are the same, and
 * writes its part and the intent in one synced batch. From then on the batch will be whole. The port sends
 * the other parts, each owner writes its own with a marker, and the client is answered. Then the intent is
 * forgotten, synced, and then the markers, which nobody asks for any more:
 *
 *     intent + part -> part + marker, part + marker ... -> answer -> no intent -> no markers
 *
 * Its steps, which table_space_options' `reached` hears of:
 *
 *     sent | remembered | part ... | whole | forgotten | unmarked ...
 *
 * and of the finishing of what was left:
 *
 *     finished part ... | finished | finished and forgotten | finished and unmarked ...
 *
 * What a crash, a full disk or a full ring leaves in between is finished later: at the start before a client
 * is answered, else by a thread that tries every FINISH_SECONDS while something is known to be unfinished. A
 * part is applied again only where there is no marker; its timestamps stand, so it is what it was. A part of
 * a table that was dropped meanwhile is left out. Parts are found by their tokens: an intent says no shard's
 * number.
 *
 * Not promised, as in Cassandra: that nobody sees one part before another; and a part that is finished so
 * late that a newer tombstone over it was already purged (gc_grace_seconds less than the time that took)
 * shows what it wrote.
 *
 * Thread:  the owner's; batch_log_has_marker: any.
 */
#ifndef TABLE_BATCH_LOG_H
#define TABLE_BATCH_LOG_H

#include "base/buffer.h"
#include "base/error.h"

enum { FINISH_SECONDS = 10, BATCH_LOG_KEY_BYTES = 24 };

struct shard;
struct store_batch;
struct table_space;

struct bytes batch_log_intent_key(int64_t timestamp_us, uint8_t key[BATCH_LOG_KEY_BYTES]);
struct bytes batch_log_marker_key(int64_t timestamp_us, uint8_t key[BATCH_LOG_KEY_BYTES]);
/* `parts` as in the value above: the value's last bytes. */
void batch_log_encode_intent(struct buffer *value, struct bytes parts);
struct bytes batch_log_marker_value(void);
/* Also in what the turn is about to write. */
enum status batch_log_has_marker(struct shard *shard, const struct store_batch *batch, int64_t timestamp_us,
                                 bool may_wait, bool *has, struct error *err);

/* Whether it is an intent's or a marker's key. Any thread. */
bool batch_log_has_key(struct bytes key);

/* Ends the thread. The space is being closed, its owners still run. */
void batch_log_stop(struct table_space *space);

#endif
