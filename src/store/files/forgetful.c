/* A disk in memory that forgets, when the power is cut, whatever was not synced. For tests.
 *
 * It answers the question that a real disk answers only once in a while: is everything that was
 * acknowledged really synced, its bytes and its name? So names and contents are kept twice: as a
 * running process sees them, and as a disk is sure to have them. A cut throws the first away. A real
 * disk may have more than that: with `torn` some of what was not synced is there too, chosen by a
 * seed, so that a failing test can be repeated.
 *
 * It can also fail a call (the nth, or every sync), be full, and pretend that nothing is in memory.
 * Every call that can fail on a real disk is counted, so a test can fail the first, the second, the
 * third, until all passed.
 *
 * One lock around everything: what is tested are its users' threads, not its speed. Few files, so
 * plain arrays. */
#include "store/files/files.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* A file's contents, which names and open files share: a hard link is two names of one. */
struct inode {
    unsigned refs; /* names, synced names and open files */
    bool directory;
    bool locked;
    struct buffer data; /* what a reader sees */
    struct buffer synced;
    size_t same; /* data and synced agree up to here */
    int64_t modified_s;
};

/* A path, what it leads to now, and what it will lead to after a cut. */
struct name {
    char *path;           /* owned */
    struct inode *now;    /* NULL: does not exist */
    struct inode *synced; /* NULL: a crash forgets it */
};

/* The disk. `calls` only grows, so fail_at is one of the numbers it comes to; 0: no failure is
 * asked for. */
struct forgetful {
    struct file_system base; /* first */
    pthread_mutex_t lock;
    struct name *names; /* owned */
    size_t name_count;
    uint64_t random;
    uint64_t epoch; /* counts restarts: files of an older one are dead */
    uint64_t calls, syncs, fail_at, capacity, used;
    int64_t clock_s;
    bool down, sticky, failed, fail_sync, cold;
};

/* Knows the power cut before which it was opened: later calls through it fail, as a process is dead
 * after one. */
struct forgetful_file {
    struct file base; /* first */
    struct forgetful *fs;
    struct inode *inode;
    uint64_t epoch;
    bool is_lock;
};

static const struct file_ops forgetful_ops;

/* The next number of the seed: whatever is left to chance asks here, so that a seed repeats a run. */
static uint64_t draw(struct forgetful *fs)
{
    fs->random = fs->random * 6364136223846793005u + 1442695040888963407u;
    return fs->random >> 33;
}

/* Bytes count as used until the last name and the last open file let go, as on a real disk. */
static void inode_unref(struct forgetful *fs, struct inode *inode)
{
    if (!inode || --inode->refs)
        return;
    assert(fs->used >= inode->data.size);
    fs->used -= inode->data.size;
    buffer_fini(&inode->data);
    buffer_fini(&inode->synced);
    free(inode);
}

/* Makes a name, a synced name or a file lead to an inode. The new one is held first: it may be the
 * same. */
static void point(struct forgetful *fs, struct inode **where, struct inode *inode)
{
    if (inode)
        inode->refs++;
    assert(!inode || inode->refs > 0);
    inode_unref(fs, *where);
    *where = inode;
}

/* Enters a call that can fail: OK with the lock held, or the failure without. */
static enum status enter(struct forgetful *fs, const char *what, struct error *err)
{
    bool fail;

    /* Calls are counted also while the power is off: a test that counts calls sees the same numbers
     * each time. */
    pthread_mutex_lock(&fs->lock);
    fs->calls++;
    fail = fs->fail_at && fs->calls >= fs->fail_at && (fs->sticky || fs->calls == fs->fail_at);
    if (fail)
        fs->failed = true;
    if (!fail && !fs->down)
        return OK;
    pthread_mutex_unlock(&fs->lock);
    return error_set(err, ERR_IO, "%s: %s", what, fail ? "a failure was asked for" : "the power is off");
}

/* As enter, for a call on an open file. */
static enum status enter_file(struct forgetful_file *file, const char *what, struct error *err)
{
    enum status status = enter(file->fs, what, err);

    assert(status || file->inode->refs > 0);
    if (status == OK && file->epoch != file->fs->epoch) {
        pthread_mutex_unlock(&file->fs->lock);
        return error_set(err, ERR_IO, "%s: opened before the power went", what);
    }
    return status;
}

/* Lets go of the lock on the way of the answer: return leave(fs, ...) is how each call ends. */
static enum status leave(struct forgetful *fs, enum status status)
{
    pthread_mutex_unlock(&fs->lock);
    return status;
}

/* By its tidy path. A name that is found may still lead to nothing, now or after a cut. */
static struct name *find(struct forgetful *fs, const char *path)
{
    for (size_t i = 0; i < fs->name_count; i++)
        if (!strcmp(fs->names[i].path, path))
            return &fs->names[i];
    return NULL;
}

/* One form for each path, in memory of the caller's: paths are written "a//b" or "a/" by some
 * callers. */
static char *tidy(const char *path)
{
    char *copy = xstrdup(path), *to = copy;

    for (const char *from = copy; *from; from++)
        if (*from != '/' || to == copy || to[-1] != '/')
            *to++ = *from;
    if (to > copy + 1 && to[-1] == '/')
        to--;
    assert(to <= copy + strlen(path));
    *to = 0;
    return copy;
}

/* The name, if a running process would see it. */
static struct name *find_now(struct forgetful *fs, const char *path)
{
    char *clean = tidy(path);
    struct name *name = find(fs, clean);

    free(clean);
    return name && name->now ? name : NULL;
}

/* The array may move: pointers to names are void after this. */
static struct name *find_or_add(struct forgetful *fs, const char *path)
{
    char *clean = tidy(path);
    struct name *name = find(fs, clean);

    if (name) {
        free(clean);
        return name;
    }
    fs->names = xrealloc(fs->names, (fs->name_count + 1) * sizeof(*fs->names));
    fs->names[fs->name_count] = (struct name){ .path = clean };
    return &fs->names[fs->name_count++];
}

/* Drops names that are neither there nor remembered. */
static void sweep(struct forgetful *fs)
{
    size_t kept = 0;

    for (size_t i = 0; i < fs->name_count; i++) {
        if (fs->names[i].now || fs->names[i].synced)
            fs->names[kept++] = fs->names[i];
        else
            free(fs->names[i].path);
    }
    assert(kept <= fs->name_count);
    fs->name_count = kept;
}

/* Directly in the directory, not below one of its own: a sync of a directory is about its own names
 * only. */
static bool is_in(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    if (size == 1)
        return path[0] == '/' && path[1] && !strchr(path + 1, '/');
    return !strncmp(path, directory, size) && path[size] == '/' && !strchr(path + size + 1, '/');
}

/* A call on a name fails if its directory is not there. Relative paths have none that is looked for. */
static bool parent_exists(struct forgetful *fs, const char *path)
{
    char *clean = tidy(path), *slash = strrchr(clean, '/');
    struct name *parent;
    bool exists = true;

    if (slash && slash != clean) {
        *slash = 0;
        parent = find(fs, clean);
        exists = parent && parent->now && parent->now->directory;
    }
    free(clean);
    return exists;
}

/* An open file holds its contents: they can be read when the last name is gone. */
static struct file *file_new(struct forgetful *fs, struct inode *inode)
{
    struct forgetful_file *file = xcalloc(1, sizeof(*file));

    file->base.ops = &forgetful_ops;
    file->fs = fs;
    file->epoch = fs->epoch;
    assert(inode && inode->refs > 0);
    point(fs, &file->inode, inode);
    return &file->base;
}

/* Errors have the same status as on a real disk, since callers act on it. */
static enum status no_such(struct error *err, const char *path)
{
    return error_set(err, ERR_NOT_FOUND, "%s: no such file", path);
}

/* Enters a call about a name that must be there. */
static enum status enter_name(struct forgetful *fs, const char *path, const char *what, struct name **name,
                              struct error *err)
{
    enum status status = enter(fs, what, err);

    if (status)
        return status;
    *name = find_now(fs, path);
    return *name ? OK : leave(fs, no_such(err, path));
}

/* Its time is a counter: what is written later is newer, and no run depends on the clock. */
static struct inode *inode_new(struct forgetful *fs, bool directory)
{
    struct inode *inode = xcalloc(1, sizeof(*inode));

    inode->directory = directory;
    inode->modified_s = ++fs->clock_s;
    return inode;
}

/* FILE_CREATE empties a file that is there but keeps what is synced of it: until the next sync a
 * cut brings the old bytes back, as a real disk may. A new name leads to nothing after a cut,
 * until its directory is synced. */
static enum status forgetful_open(struct file_system *base, const char *path, enum file_mode mode, struct file **file,
                                  struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter(fs, "open", err);

    if (status)
        return status;
    name = find_now(fs, path);
    if (name && name->now->directory)
        return leave(fs, error_set(err, ERR_IO, "%s is a directory", path));
    if (!name && (mode != FILE_CREATE || !parent_exists(fs, path)))
        return leave(fs, no_such(err, path));
    if (!name) {
        name = find_or_add(fs, path);
        point(fs, &name->now, inode_new(fs, false));
    } else if (mode == FILE_CREATE) {
        assert(fs->used >= name->now->data.size);
        fs->used -= name->now->data.size;
        name->now->data.size = 0;
        name->now->same = 0;
    }
    *file = file_new(fs, name->now);
    return leave(fs, OK);
}

/* A lock of before a cut no longer locks anything: the process that held it is dead. */
static void forgetful_close(struct file *base)
{
    struct forgetful_file *file = (struct forgetful_file *)base;
    struct forgetful *fs = file->fs;

    pthread_mutex_lock(&fs->lock);
    if (file->is_lock && file->epoch == fs->epoch)
        file->inode->locked = false;
    inode_unref(fs, file->inode);
    pthread_mutex_unlock(&fs->lock);
    free(file);
}

/* What a reader sees grows at once; what a cut leaves does not. */
static enum status forgetful_append(struct file *base, const void *data, size_t size, struct error *err)
{
    struct forgetful_file *file = (struct forgetful_file *)base;
    struct forgetful *fs = file->fs;
    size_t fits = size;
    enum status status = enter_file(file, "append", err);

    if (status)
        return status;
    /* As a real disk does, a full one takes what fits. Whoever appends must expect a part of it in
     * the file. */
    if (fs->capacity != UINT64_MAX && fs->used + size > fs->capacity)
        fits = fs->used < fs->capacity ? (size_t)(fs->capacity - fs->used) : 0;
    assert(fits <= size);
    buffer_append(&file->inode->data, data, fits);
    fs->used += fits;
    file->inode->modified_s = ++fs->clock_s;
    return leave(fs, fits == size ? OK : error_set(err, ERR_NO_SPACE, "append: the disk is full"));
}

/* What was written, synced or not. Cold, every read that may not wait is refused, also of what
 * was read just before. */
static enum status forgetful_read(struct file *base, uint64_t offset, void *data, size_t size, bool may_wait,
                                  size_t *got, struct error *err)
{
    struct forgetful_file *file = (struct forgetful_file *)base;
    enum status status = enter_file(file, "read", err);
    size_t have;

    if (status)
        return status;
    if (!may_wait && file->fs->cold)
        return leave(file->fs, ERR_WOULD_WAIT);
    have = file->inode->data.size > offset ? file->inode->data.size - (size_t)offset : 0;
    assert(!file->inode->directory);
    *got = size < have ? size : have;
    if (*got)
        memcpy(data, file->inode->data.data + offset, *got);
    return leave(file->fs, OK);
}

/* Only what is behind the part that both agree on is copied, or a test that syncs often would copy
 * its files each time. */
static enum status forgetful_sync(struct file *base, struct error *err)
{
    struct forgetful_file *file = (struct forgetful_file *)base;
    struct inode *inode = file->inode;
    enum status status = enter_file(file, "sync", err);

    if (status)
        return status;
    file->fs->syncs++;
    if (file->fs->fail_sync && file->fs->capacity != UINT64_MAX)
        return leave(file->fs, error_set(err, ERR_NO_SPACE, "sync: the disk is full"));
    if (file->fs->fail_sync)
        return leave(file->fs, error_set(err, ERR_IO, "sync: a failure was asked for"));
    assert(inode->same <= inode->data.size && inode->same <= inode->synced.size);
    inode->synced.size = inode->same;
    buffer_append(&inode->synced, inode->data.data + inode->same, inode->data.size - inode->same);
    inode->same = inode->data.size;
    return leave(file->fs, OK);
}

/* The cut itself is not synced: after a power cut the longer file may be back. */
static enum status forgetful_truncate(struct file *base, uint64_t size, struct error *err)
{
    struct forgetful_file *file = (struct forgetful_file *)base;
    struct inode *inode = file->inode;
    enum status status = enter_file(file, "truncate", err);

    if (status)
        return status;
    if (size > inode->data.size) {
        size_t more = (size_t)size - inode->data.size;
        memset(buffer_extend(&inode->data, more), 0, more);
        file->fs->used += more;
    } else {
        file->fs->used -= inode->data.size - size;
        inode->data.size = (size_t)size;
        assert(inode->data.size == size);
        if (inode->same > size)
            inode->same = (size_t)size;
    }
    return leave(file->fs, OK);
}

static enum status forgetful_file_size(struct file *base, uint64_t *size, struct error *err)
{
    struct forgetful_file *file = (struct forgetful_file *)base;
    enum status status = enter_file(file, "size", err);

    if (status)
        return status;
    *size = file->inode->data.size;
    return leave(file->fs, OK);
}

/* Hints: memory needs none of the two. */
static void forgetful_expect_random(struct file *base, bool random)
{
}

/* Also when it is cold: it can tell what is in memory, and says that nothing is. */
static bool forgetful_reads_now(struct file *base)
{
    return true;
}

static void forgetful_prefetch(struct file *base, uint64_t offset, uint64_t size)
{
}

/* One step: no reader finds neither of the names, and `to` never leads to nothing. After a cut each
 * of them may still lead to what was synced. */
static enum status forgetful_rename(struct file_system *base, const char *from, const char *to, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    enum status status = enter(fs, "rename", err);
    struct inode *inode = NULL;

    if (status)
        return status;
    if (!find_now(fs, from) || !parent_exists(fs, to))
        return leave(fs, no_such(err, from));
    point(fs, &inode, find_now(fs, from)->now);
    point(fs, &find_or_add(fs, to)->now, inode);
    point(fs, &find_now(fs, from)->now, NULL);
    assert(inode && inode->refs > 1);
    inode_unref(fs, inode);
    sweep(fs);
    return leave(fs, OK);
}

/* Open files go on reading what the name led to, and a cut before the directory is synced brings the
 * name back. */
static enum status forgetful_remove(struct file_system *base, const char *path, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, path, "remove", &name, err);

    if (status)
        return status;
    point(fs, &name->now, NULL);
    sweep(fs);
    return leave(fs, OK);
}

/* A second name for the same contents, as checkpoints use it. */
static enum status forgetful_link(struct file_system *base, const char *from, const char *to, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, from, "link", &name, err);
    struct inode *inode;

    if (status)
        return status;
    if (find_now(fs, to))
        return leave(fs, error_set(err, ERR_ALREADY_EXISTS, "%s exists", to));
    assert(name->now);
    inode = name->now; /* names move when one is added */
    point(fs, &find_or_add(fs, to)->now, inode);
    return leave(fs, OK);
}

static enum status forgetful_size(struct file_system *base, const char *path, uint64_t *size, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, path, "size", &name, err);

    if (status)
        return status;
    *size = name->now->data.size;
    return leave(fs, OK);
}

static enum status forgetful_modified_s(struct file_system *base, const char *path, int64_t *seconds, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, path, "modified", &name, err);

    if (status)
        return status;
    *seconds = name->now->modified_s;
    return leave(fs, OK);
}

static enum status forgetful_is_directory(struct file_system *base, const char *path, bool *is, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, path, "look up", &name, err);

    if (status)
        return status;
    *is = name->now->directory;
    return leave(fs, OK);
}

/* A directory is a name like any other: until the one above it is synced, a cut takes it away with
 * all that is in it. */
static enum status forgetful_make_directory(struct file_system *base, const char *path, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    enum status status = enter(fs, "make directory", err);

    if (status)
        return status;
    if (find_now(fs, path))
        return leave(fs, error_set(err, ERR_ALREADY_EXISTS, "%s exists", path));
    if (!parent_exists(fs, path))
        return leave(fs, no_such(err, path));
    point(fs, &find_or_add(fs, path)->now, inode_new(fs, true));
    return leave(fs, OK);
}

/* What names the directory has now is what they are after a cut. Their files' bytes are another
 * matter. */
static enum status forgetful_sync_directory(struct file_system *base, const char *path, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    enum status status = enter(fs, "sync directory", err);
    char *clean;

    if (status)
        return status;
    fs->syncs++;
    if (fs->fail_sync)
        return leave(fs, error_set(err, ERR_IO, "sync directory: a failure was asked for"));
    if (!find_now(fs, path))
        return leave(fs, no_such(err, path));
    clean = tidy(path);
    for (size_t i = 0; i < fs->name_count; i++)
        if (is_in(fs->names[i].path, clean))
            point(fs, &fs->names[i].synced, fs->names[i].now);
    free(clean);
    sweep(fs);
    return leave(fs, OK);
}

/* The lock is held while names are handed out: whoever is called must not come back here. */
static enum status forgetful_list(struct file_system *base, const char *path,
                                  void (*each)(void *context, const char *name), void *context, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, path, "list", &name, err);
    char *clean;

    if (status)
        return status;
    if (!name->now->directory)
        return leave(fs, no_such(err, path));
    clean = tidy(path);
    for (size_t i = 0; i < fs->name_count; i++)
        if (fs->names[i].now && is_in(fs->names[i].path, clean))
            each(context, strrchr(fs->names[i].path, '/') + 1);
    free(clean);
    return leave(fs, OK);
}

/* Only an empty one, as on a real disk: what is in it is looked for first. */
static enum status forgetful_remove_directory(struct file_system *base, const char *path, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;
    enum status status = enter_name(fs, path, "remove directory", &name, err);
    char *clean;

    if (status)
        return status;
    if (!name->now->directory)
        return leave(fs, no_such(err, path));
    clean = tidy(path);
    for (size_t i = 0; i < fs->name_count && status == OK; i++)
        if (fs->names[i].now && is_in(fs->names[i].path, clean))
            status = error_set(err, ERR_IO, "%s is not empty", path);
    free(clean);
    if (status)
        return leave(fs, status);
    point(fs, &name->now, NULL);
    sweep(fs);
    return leave(fs, OK);
}

/* The lock lies in the file itself: a second one is refused, from this process too. */
static enum status forgetful_lock(struct file_system *base, const char *path, struct file **lock, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    enum status status = enter(fs, "lock", err);
    struct name *name;

    if (status)
        return status;
    name = find_or_add(fs, path);
    if (!name->now)
        point(fs, &name->now, inode_new(fs, false));
    if (name->now->locked)
        return leave(fs, error_set(err, ERR_IO, "lock %s: somebody has it", path));
    assert(!name->now->locked);
    name->now->locked = true;
    *lock = file_new(fs, name->now);
    ((struct forgetful_file *)*lock)->is_lock = true;
    return leave(fs, OK);
}

/* A disk may be full beyond its end, if a test has made it smaller. */
static enum status forgetful_free_bytes(struct file_system *base, const char *path, uint64_t *bytes, struct error *err)
{
    struct forgetful *fs = (struct forgetful *)base;
    enum status status = enter(fs, "free space", err);

    if (status)
        return status;
    *bytes = fs->capacity > fs->used ? fs->capacity - fs->used : 0;
    return leave(fs, OK);
}

/* A lock is an open file, so unlocking is closing. */
static const struct file_ops forgetful_ops = {
    .open = forgetful_open,
    .close = forgetful_close,
    .append = forgetful_append,
    .read = forgetful_read,
    .sync = forgetful_sync,
    .truncate = forgetful_truncate,
    .file_size = forgetful_file_size,
    .prefetch = forgetful_prefetch,
    .expect_random = forgetful_expect_random,
    .reads_now = forgetful_reads_now,
    .rename = forgetful_rename,
    .remove = forgetful_remove,
    .link = forgetful_link,
    .size = forgetful_size,
    .modified_s = forgetful_modified_s,
    .is_directory = forgetful_is_directory,
    .make_directory = forgetful_make_directory,
    .remove_directory = forgetful_remove_directory,
    .sync_directory = forgetful_sync_directory,
    .list = forgetful_list,
    .lock = forgetful_lock,
    .unlock = forgetful_close,
    .free_bytes = forgetful_free_bytes,
};

/* ---- the test's side ---- */

/* Its root is there, and is there after any cut. */
struct file_system *forgetful_new(uint64_t seed)
{
    struct forgetful *fs = xcalloc(1, sizeof(*fs));

    fs->base.ops = &forgetful_ops;
    fs->random = seed * 2 + 1;
    fs->capacity = UINT64_MAX;
    fs->clock_s = 1700000000;
    pthread_mutex_init(&fs->lock, NULL);
    assert(fs->name_count == 0);
    point(fs, &find_or_add(fs, "/")->now, inode_new(fs, true));
    point(fs, &find(fs, "/")->synced, find(fs, "/")->now);
    return &fs->base;
}

/* All files are closed by then: what still has a reference here are names. */
void forgetful_free(struct file_system *base)
{
    struct forgetful *fs = (struct forgetful *)base;

    for (size_t i = 0; i < fs->name_count; i++) {
        inode_unref(fs, fs->names[i].now);
        inode_unref(fs, fs->names[i].synced);
        free(fs->names[i].path);
    }
    free(fs->names);
    pthread_mutex_destroy(&fs->lock);
    free(fs);
}

/* Everything is forgotten at the restart, not here: threads that are in a call get their error
 * first. */
void forgetful_cut(struct file_system *base)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    fs->down = true;
    pthread_mutex_unlock(&fs->lock);
}

/* What is left of a file's bytes after a cut: what was synced, and with `torn` perhaps a part of
 * what was appended since. Where the file was cut or written anew since its sync, the synced bytes
 * come back whole. */
static void forget_content(struct forgetful *fs, struct inode *inode, bool torn)
{
    size_t extra = 0;

    inode->locked = false;
    if (inode->same < inode->synced.size || inode->data.size > inode->same) {
        if (torn && inode->same == inode->synced.size)
            extra = draw(fs) % (inode->data.size - inode->same + 1);
        assert(fs->used >= inode->data.size && extra <= inode->data.size - inode->same);
        fs->used -= inode->data.size;
        inode->data.size = inode->same;
        if (inode->same < inode->synced.size)
            buffer_append(&inode->data, inode->synced.data + inode->same, inode->synced.size - inode->same);
        else
            inode->data.size += extra; /* the bytes are still there */
        fs->used += inode->data.size;
        inode->synced.size = 0;
        buffer_append_bytes(&inode->synced, buffer_bytes(&inode->data));
        assert(inode->synced.size == inode->data.size);
        inode->same = inode->data.size;
    }
}

/* Files of before stay dead (epoch), demands for failures are forgotten, and the seed goes on.
 * Names first, since what lay below a lost directory is lost with it; then the bytes of the files
 * that are left. */
void forgetful_restart(struct file_system *base, bool torn)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    for (size_t i = 0; i < fs->name_count; i++) {
        struct name *name = &fs->names[i];

        /* A name given, given to another file, or taken away: each for itself, in no order. */
        if (torn && name->now != name->synced && (draw(fs) & 1))
            point(fs, &name->synced, name->now);
        point(fs, &name->now, name->synced);
    }
    /* Below a directory that is gone nothing is left. */
    for (size_t i = 0; i < fs->name_count; i++)
        if (fs->names[i].now && !parent_exists(fs, fs->names[i].path)) {
            point(fs, &fs->names[i].now, NULL);
            point(fs, &fs->names[i].synced, NULL);
        }
    for (size_t i = 0; i < fs->name_count; i++)
        if (fs->names[i].now && !fs->names[i].now->directory) /* NOLINT: counted references */
            forget_content(fs, fs->names[i].now, torn);
    sweep(fs);
    fs->down = false;
    fs->fail_at = 0;
    fs->failed = false;
    fs->epoch++;
    pthread_mutex_unlock(&fs->lock);
}

/* Counted from now, so that a test need not know how many calls there were before. */
void forgetful_fail_nth(struct file_system *base, uint64_t n, bool sticky)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    fs->fail_at = n ? fs->calls + n : 0;
    fs->sticky = sticky;
    fs->failed = false;
    pthread_mutex_unlock(&fs->lock);
}

/* A test goes on to the next number until a run comes to its end without a failure. */
bool forgetful_failed(struct file_system *base)
{
    struct forgetful *fs = (struct forgetful *)base;
    bool failed;

    pthread_mutex_lock(&fs->lock);
    failed = fs->failed;
    pthread_mutex_unlock(&fs->lock);
    return failed;
}

/* Nothing is lost by it: a sync that works later brings everything to the disk. A real disk may
 * have dropped by then what it could not write (Linux takes the pages for clean), so nobody
 * should count on that. */
void forgetful_fail_sync(struct file_system *base, bool fail)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    fs->fail_sync = fail;
    pthread_mutex_unlock(&fs->lock);
}

void forgetful_capacity(struct file_system *base, uint64_t bytes)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    fs->capacity = bytes;
    pthread_mutex_unlock(&fs->lock);
}

/* Reads that may wait go on as before: the disk is slow then, not broken. */
void forgetful_cold(struct file_system *base, bool cold)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    fs->cold = cold;
    pthread_mutex_unlock(&fs->lock);
}

/* A number of the state, read under the lock. */
static uint64_t peek(struct file_system *base, size_t offset)
{
    struct forgetful *fs = (struct forgetful *)base;
    uint64_t value;

    assert(offset + sizeof(value) <= sizeof(*fs));
    pthread_mutex_lock(&fs->lock);
    memcpy(&value, (char *)fs + offset, sizeof(value));
    pthread_mutex_unlock(&fs->lock);
    return value;
}

uint64_t forgetful_used(struct file_system *fs)
{
    return peek(fs, offsetof(struct forgetful, used));
}

uint64_t forgetful_syncs(struct file_system *fs)
{
    return peek(fs, offsetof(struct forgetful, syncs));
}

/* Under the lock: whoever is called must not come back here. */
void forgetful_each(struct file_system *base, void (*each)(void *context, const char *path, struct bytes content),
                    void *context)
{
    struct forgetful *fs = (struct forgetful *)base;

    pthread_mutex_lock(&fs->lock);
    for (size_t i = 0; i < fs->name_count; i++)
        if (fs->names[i].now && !fs->names[i].now->directory)
            each(context, fs->names[i].path, buffer_bytes(&fs->names[i].now->data));
    pthread_mutex_unlock(&fs->lock);
}

/* A flipped bit is on the disk as well: no cut heals it. */
void forgetful_damage(struct file_system *base, const char *path, uint64_t offset, uint8_t bits)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct name *name;

    pthread_mutex_lock(&fs->lock);
    name = find_now(fs, path);
    assert(name && offset < name->now->data.size);
    name->now->data.data[offset] ^= bits;
    assert(name->now->same <= name->now->synced.size);
    if (offset < name->now->same)
        name->now->synced.data[offset] ^= bits;
    pthread_mutex_unlock(&fs->lock);
}

/* What is torn off is gone from the disk as well, as if the machine had stopped while it was
 * written. */
void forgetful_tear(struct file_system *base, const char *path, uint64_t size)
{
    struct forgetful *fs = (struct forgetful *)base;
    struct inode *inode;

    pthread_mutex_lock(&fs->lock);
    inode = find_now(fs, path)->now;
    assert(fs->used >= size);
    assert(size <= inode->data.size);
    fs->used -= size;
    inode->data.size -= (size_t)size;
    inode->synced.size = 0;
    buffer_append_bytes(&inode->synced, buffer_bytes(&inode->data));
    inode->same = inode->data.size;
    pthread_mutex_unlock(&fs->lock);
}
