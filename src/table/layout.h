/* table/layout.h: inside table/: which shards a data directory has, and where: its file SHARDS, one line.
 *
 *     "5\n"      five shards, in shard-0000 ... shard-0004
 *     "5 2\n"    five shards, in shard-0000.2 ... shard-0004.2: what the second `helenus reshard` made
 *     "5 0 unfinished\n"   five shards that a first start is making: not all need be there. Without the
 *                          word all of them are
 *
 * The second number is the *generation*: each reshard lays down the next one beside the old one, and renaming
 * SHARDS is the one step by which it counts. Directories of any other generation are *strays*: unfinished if
 * newer, done with if older.
 *
 * A shard is a contiguous range of positions; a position is a token with its sign flipped, so that it orders
 * as it is stored.
 *
 * Errors:  those of files.h; ERR_CORRUPT: SHARDS is nonsense, or gone while there are shards.
 * Thread:  whoever has the directory to itself.
 */
#ifndef TABLE_LAYOUT_H
#define TABLE_LAYOUT_H

#include "base/error.h"
#include "store/files/files.h"

enum { SHARD_NAME_MAX = 32 };

/* ---- ranges ---- */

static inline uint32_t shard_of_position(uint32_t shard_count, uint64_t position)
{
    return (uint32_t)(((unsigned __int128)position * shard_count) >> 64);
}

static inline uint64_t shard_first_position(uint32_t shard_count, uint32_t shard)
{
    return (uint64_t)((((unsigned __int128)shard << 64) + shard_count - 1) / shard_count);
}

static inline uint64_t shard_last_position(uint32_t shard_count, uint32_t shard)
{
    return shard + 1 == shard_count ? UINT64_MAX : shard_first_position(shard_count, shard + 1) - 1;
}

/* ---- SHARDS ---- */

struct layout {
    uint32_t shard_count; /* 0: there is no file SHARDS, and no shard either: the directory is new */
    uint32_t generation;
    bool unfinished; /* a first start has not come to its end */
};

enum status layout_read(struct file_system *files, const char *directory, struct layout *layout, struct error *err);
/* Whole or not at all, whenever the power goes. An error leaves it open which of the two stands there. */
enum status layout_write(struct file_system *files, const char *directory, const struct layout *layout,
                         struct error *err);

/* ---- directories ---- */

void layout_shard_name(uint32_t generation, uint32_t shard, char name[SHARD_NAME_MAX]);
/* ERR_CORRUPT: a shard's directory is not there, or holds nothing. */
enum status layout_check_whole(struct file_system *files, const char *directory, const struct layout *layout,
                               struct error *err);
/* Counts the strays, and with `remove` removes them. ERR_CORRUPT: not one was removed, see layout_check_whole. */
enum status layout_strays(struct file_system *files, const char *directory, const struct layout *layout, bool remove,
                          uint32_t *count, struct error *err);
/* What the files of a shard take. */
enum status layout_shard_bytes(struct file_system *files, const char *directory, uint32_t generation, uint32_t shard,
                               uint64_t *bytes, struct error *err);

#endif
