/* table/turn.h: inside table/: what one turn of an owner works on, and the one door through which every
 * change goes into its batch.
 *
 *     command -> turn_next_fragment -> decide -> turn_apply -> batch -> turn_write
 *
 * Nobody else writes to the batch: rows, the segments of range tombstones, the due list, the folding of rows
 * that are written often, the flag of partitions with range tombstones, and what the owner keeps in mind
 * (known.h, kept.h) are the door's. All may read the batch, to see what commands before have written.
 *
 * Owns:    the batch, the arena and the buffers.
 * Errors:  after one, the caller takes back what its command has added: turn_take_back.
 * Thread:  the owner's.
 */
#ifndef TABLE_TURN_H
#define TABLE_TURN_H

#include "table/look.h"
#include "table/mutation.h"
#include "table/range.h"
#include "table/shard.h"

enum { TURN_DEFINITIONS = 16 };

struct counters;

struct turn {
    struct shard *shard;
    struct store_batch *batch; /* owned */
    struct arena *arena;       /* owned: of the fragment at hand */
    struct counters *counters; /* owned: what was added to counters and is not in the batch yet ... */
    bool counts;               /* ... there is something of it */
    bool durable;
    bool may_wait;         /* for the disk, for the command at hand: a prefetcher has read what it needs */
    struct buffer key;     /* of the mutation at hand */
    struct buffer stamped; /* a copy, with its timestamp, of what is added now */
    struct buffer value;   /* of what the door writes by itself */
    struct buffer due;     /* a key of the due list */
    struct range_overlay overlay;
    struct {
        uint64_t table_id;
        struct table_def *def;
    } definitions[TURN_DEFINITIONS]; /* looked up in this turn */
    uint32_t definition_count;
};

void turn_init(struct turn *turn, struct shard *shard);
void turn_fini(struct turn *turn);
/* An empty batch. */
void turn_begin(struct turn *turn);
/* Writes the batch, if there is something in it, and syncs it if it is durable. An error: the shard refuses
 * writes from now on. */
enum status turn_write(struct turn *turn, struct error *err);

/* The table's definition as it is now, the same for all of the turn. Borrowed; NULL: it was dropped. */
struct table_def *turn_definition(struct turn *turn, uint64_t table_id);
void turn_forget_definitions(struct turn *turn);

/* How a command looks at rows: through the batch. */
struct look turn_look(struct turn *turn, const struct command_header *header, const struct table_def *def,
                      struct error *err);

/* ---- a command's mutation, one fragment at a time ---- */

void turn_begin_command(struct turn *turn, struct mutation *mutation, const struct table_def *def,
                        const struct command_header *header, int64_t timestamp_us);
/* The next fragment, as it came; and its key. ERR_INVALID: the store would not take the key. */
enum status turn_read_fragment(struct turn *turn, struct mutation *mutation, struct command_reader *reader,
                               struct error *err);
/* The same, stamped: in a copy that lives until the next one, since the command may have to run again, and
 * must find itself as it came. */
enum status turn_next_fragment(struct turn *turn, struct mutation *mutation, struct command_reader *reader,
                               struct error *err);
/* The door. */
enum status turn_apply(struct turn *turn, struct mutation *mutation, struct error *err);
/* Behind the last fragment: tells the sweeper, and the readers of a partition, of the tombstones that it had. */
void turn_end_command(struct turn *turn, struct mutation *mutation);

/* Where a command begins, and back to there: nothing of it is in the batch then. */
static inline size_t turn_mark(const struct turn *turn)
{
    return store_batch_count(turn->batch);
}
void turn_take_back(struct turn *turn, size_t mark);

#endif
