/* A disk that stands still, for tests: another body, whose reads below one directory wait for as
 * long as they are told to.
 *
 * A disk that fails is tested with the forgetful body. A disk that only becomes very slow is another
 * kind of trouble: one shard's reads must not hold up loops, other shards, or a stop of the server.
 * Reads that may not wait are told that they would; those that may stand still, and are counted, so
 * that a test knows when somebody is there.
 *
 * All calls but reads go straight to the body below. */
#include "store/files/files.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* How often a read that stands still looks whether it may go on. */
enum { LOOK_US = 2000 };

struct stalling {
    struct file_system base; /* first */
    struct file_system *below;
    char *directory; /* owned; its files */
    char *control;   /* owned; NULL: none */
    atomic_bool stalled;
    atomic_uint standing;
};

struct stalling_file {
    struct file base; /* first */
    struct file *below;
    struct stalling *of; /* NULL: not in the directory */
};

/* By a call of the same process, or by a file that a test of a whole server makes and removes. */
static bool is_stalled(const struct stalling *stalling)
{
    assert(stalling->below && stalling->directory);
    return atomic_load(&stalling->stalled) || (stalling->control && access(stalling->control, F_OK) == 0);
}

/* At any depth below the directory, but not the directory itself. */
static bool is_in(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 && path[size] == '/';
}

static const struct file_ops stalling_ops;

/* Whether a file stalls is settled when it is opened: files are few, reads are many. */
static enum status stalling_open(struct file_system *fs, const char *path, enum file_mode mode, struct file **result,
                                 struct error *err)
{
    struct stalling *stalling = (struct stalling *)fs;
    struct file *below;
    enum status status = stalling->below->ops->open(stalling->below, path, mode, &below, err);
    struct stalling_file *file;

    if (status)
        return status;
    assert(below && below->ops);
    file = xcalloc(1, sizeof(*file));
    file->base.ops = &stalling_ops;
    file->below = below;
    file->of = is_in(path, stalling->directory) ? stalling : NULL;
    *result = &file->base;
    return OK;
}

/* The file below is this one's alone. */
static void stalling_close(struct file *base)
{
    struct stalling_file *file = (struct stalling_file *)base;

    assert(file->base.ops == &stalling_ops);
    file->below->ops->close(file->below);
    free(file);
}

/* Writes do not stall: what is tested is who waits for a read. */
static enum status stalling_append(struct file *base, const void *data, size_t size, struct error *err)
{
    struct file *below = ((struct stalling_file *)base)->below;

    return below->ops->append(below, data, size, err);
}

/* The lock and the size of the file are not asked while it stands: who stands still holds nothing. */
static enum status stalling_read(struct file *base, uint64_t offset, void *data, size_t size, bool may_wait,
                                 size_t *got, struct error *err)
{
    struct stalling_file *file = (struct stalling_file *)base;

    if (file->of && is_stalled(file->of)) {
        if (!may_wait)
            return ERR_WOULD_WAIT;
        atomic_fetch_add(&file->of->standing, 1);
        while (is_stalled(file->of))
            usleep(LOOK_US);
        atomic_fetch_sub(&file->of->standing, 1);
    }
    return file->below->ops->read(file->below, offset, data, size, may_wait, got, err);
}

static enum status stalling_sync(struct file *base, struct error *err)
{
    struct file *below = ((struct stalling_file *)base)->below;

    return below->ops->sync(below, err);
}

static enum status stalling_truncate(struct file *base, uint64_t size, struct error *err)
{
    struct file *below = ((struct stalling_file *)base)->below;

    return below->ops->truncate(below, size, err);
}

static enum status stalling_file_size(struct file *base, uint64_t *size, struct error *err)
{
    struct file *below = ((struct stalling_file *)base)->below;

    return below->ops->file_size(below, size, err);
}

/* Hints are handed on also while the disk stands still: a stalled read does not look whether its
 * bytes are in memory. */
static void stalling_prefetch(struct file *base, uint64_t offset, uint64_t size)
{
    struct file *below = ((struct stalling_file *)base)->below;

    below->ops->prefetch(below, offset, size);
}

static void stalling_expect_random(struct file *base, bool random)
{
    struct file *below = ((struct stalling_file *)base)->below;

    below->ops->expect_random(below, random);
}

static bool stalling_reads_now(struct file *base)
{
    struct file *below = ((struct stalling_file *)base)->below;

    return below->ops->reads_now(below);
}

/* Calls on names are handed on as they are. */
#define BELOW (((struct stalling *)fs)->below)
static enum status stalling_rename(struct file_system *fs, const char *from, const char *to, struct error *err)
{
    return BELOW->ops->rename(BELOW, from, to, err);
}

static enum status stalling_remove(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->remove(BELOW, path, err);
}

static enum status stalling_link(struct file_system *fs, const char *from, const char *to, struct error *err)
{
    return BELOW->ops->link(BELOW, from, to, err);
}

static enum status stalling_size(struct file_system *fs, const char *path, uint64_t *size, struct error *err)
{
    return BELOW->ops->size(BELOW, path, size, err);
}

static enum status stalling_modified_s(struct file_system *fs, const char *path, int64_t *seconds, struct error *err)
{
    return BELOW->ops->modified_s(BELOW, path, seconds, err);
}

static enum status stalling_is_directory(struct file_system *fs, const char *path, bool *is, struct error *err)
{
    return BELOW->ops->is_directory(BELOW, path, is, err);
}

static enum status stalling_make_directory(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->make_directory(BELOW, path, err);
}

static enum status stalling_remove_directory(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->remove_directory(BELOW, path, err);
}

static enum status stalling_sync_directory(struct file_system *fs, const char *path, struct error *err)
{
    return BELOW->ops->sync_directory(BELOW, path, err);
}

static enum status stalling_list(struct file_system *fs, const char *path,
                                 void (*name)(void *context, const char *name), void *context, struct error *err)
{
    return BELOW->ops->list(BELOW, path, name, context, err);
}

/* The lock is a file of the body below, with its own operations. */
static enum status stalling_lock(struct file_system *fs, const char *path, struct file **lock, struct error *err)
{
    return BELOW->ops->lock(BELOW, path, lock, err);
}

/* It is the body's own, so its own operations are asked. */
static void stalling_unlock(struct file *lock)
{
    assert(lock->ops != &stalling_ops);
    lock->ops->unlock(lock);
}

static enum status stalling_free_bytes(struct file_system *fs, const char *path, uint64_t *bytes, struct error *err)
{
    return BELOW->ops->free_bytes(BELOW, path, bytes, err);
}

static const struct file_ops stalling_ops = {
    .open = stalling_open,
    .close = stalling_close,
    .append = stalling_append,
    .read = stalling_read,
    .sync = stalling_sync,
    .truncate = stalling_truncate,
    .file_size = stalling_file_size,
    .prefetch = stalling_prefetch,
    .expect_random = stalling_expect_random,
    .reads_now = stalling_reads_now,
    .rename = stalling_rename,
    .remove = stalling_remove,
    .link = stalling_link,
    .size = stalling_size,
    .modified_s = stalling_modified_s,
    .is_directory = stalling_is_directory,
    .make_directory = stalling_make_directory,
    .remove_directory = stalling_remove_directory,
    .sync_directory = stalling_sync_directory,
    .list = stalling_list,
    .lock = stalling_lock,
    .unlock = stalling_unlock,
    .free_bytes = stalling_free_bytes,
};

/* Not stalled at first, unless the file `control` is there already. */
struct file_system *stalling_new(struct file_system *below, const char *directory, const char *control)
{
    struct stalling *stalling = xcalloc(1, sizeof(*stalling));

    assert(below && directory);
    stalling->base.ops = &stalling_ops;
    stalling->below = below;
    stalling->directory = xstrndup(directory, strlen(directory));
    /* Both paths are copied: the caller's may be on its stack. */
    stalling->control = control ? xstrndup(control, strlen(control)) : NULL;
    return &stalling->base;
}

/* Reads that still stand there would look into freed memory: all files are closed before. */
void stalling_free(struct file_system *fs)
{
    struct stalling *stalling = (struct stalling *)fs;

    if (!stalling)
        return;
    assert(atomic_load(&stalling->standing) == 0);
    free(stalling->directory);
    free(stalling->control);
    free(stalling);
}

/* Takes effect within LOOK_US for those that stand. */
void stalling_set(struct file_system *fs, bool stalled)
{
    atomic_store(&((struct stalling *)fs)->stalled, stalled);
}

/* A test waits for this before it looks how the others fare. */
uint32_t stalling_standing(struct file_system *fs)
{
    return atomic_load(&((struct stalling *)fs)->standing);
}
