/* server/admin/tree.h: the files of a data directory, copied to another place as they lie: encrypted ones stay so, with their wrapped keys.
 *
 * Copied are FORMAT, SHARDS and master.key, and the directories of shards with all they hold but LOCK; nothing else is. Sorted files
 * never change: they may be hard links where both are on one file system. All that was written is synced, names too.
 *
 * Errors:  ERR_IO, ERR_NO_SPACE, ERR_NOT_FOUND.
 * Thread:  any.
 */
#ifndef SERVER_ADMIN_TREE_H
#define SERVER_ADMIN_TREE_H

#include "base/error.h"

#include <stdbool.h>

struct tree_copy {
    bool may_link;
    bool without_key; /* no master.key */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *context;
    uint64_t done_bytes, total_bytes;
    uint32_t file_count;
};

enum tree_part { TREE_SHARDS, TREE_FILES };

/* Adds to total_bytes. */
enum status tree_measure(struct tree_copy *copy, const char *from, enum tree_part part, struct error *err);
/* `to` is there. Adds to done_bytes and file_count. */
enum status tree_copy(struct tree_copy *copy, const char *from, const char *to, enum tree_part part, struct error *err);
/* Whole or not at all. */
enum status tree_write(const char *directory, const char *name, const char *text, struct error *err);
/* The directory and all it holds; it need not be there. */
enum status tree_remove(const char *path, struct error *err);
enum status tree_is_empty(const char *path, bool *is_empty, struct error *err);
/* Of the directory that `path` is a name in. */
enum status tree_sync_above(const char *path, struct error *err);

#endif
