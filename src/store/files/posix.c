/* The machine's file system, as struct file_ops.
 *
 * What the store relies on, and what is done for it: an append is whole or an error, so partial
 * writes go on; a read that may not wait asks the kernel for what is in memory and nothing else
 * (RWF_NOWAIT); a file's bytes are synced with fdatasync, which also brings the size; a name is
 * synced with its directory. Files are made for this user only.
 *
 * An error names the call and the path, which are ours, and never a byte of what is stored. */
#include "store/files/files.h"

#include "base/memory.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

struct posix_file {
    struct file base; /* first */
    int fd;
    bool no_nowait; /* the file system does not know RWF_NOWAIT: such reads are answered "would wait" */
};

static const struct file_ops posix_ops;

/* Three failures have a status of their own, because callers act on them; the rest is the system's
 * error. */
static enum status path_error(struct error *err, const char *what, const char *path)
{
    int os_errno = errno;

    if (os_errno == ENOENT)
        return error_set(err, ERR_NOT_FOUND, "%s %s: no such file", what, path);
    if (os_errno == EEXIST)
        return error_set(err, ERR_ALREADY_EXISTS, "%s %s: it exists", what, path);
    return error_set_os(err, os_errno, "%s %s", what, path);
}

/* O_APPEND: nobody writes anywhere but at the end. A signal may interrupt the open of a file on some
 * file systems. */
static enum status posix_open(struct file_system *fs, const char *path, enum file_mode mode, struct file **result,
                              struct error *err)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_TRUNC | O_APPEND,
        [FILE_APPEND] = O_RDWR | O_APPEND,
    };
    struct posix_file *file;
    int fd;

    assert(mode >= FILE_READ && mode <= FILE_APPEND);
    do
        fd = open(path, flags[mode] | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return path_error(err, "open", path);
    assert(fd >= 0);
    file = xcalloc(1, sizeof(*file));
    file->base.ops = &posix_ops;
    file->fd = fd;
    *result = &file->base;
    return OK;
}

/* Not a sync: what was not synced may be lost, and an error of close would tell too late. */
static void posix_close(struct file *base)
{
    struct posix_file *file = (struct posix_file *)base;

    close(file->fd);
    free(file);
}

/* The kernel may take less than it was given (a full disk, a signal). After an error the caller does
 * not know how much was written, and must not append again: encrypted.cc refuses to. */
static enum status posix_append(struct file *base, const void *data, size_t size, struct error *err)
{
    struct posix_file *file = (struct posix_file *)base;
    const uint8_t *at = data;

    while (size) {
        ssize_t put = write(file->fd, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_set_os(err, errno, "write");
        assert(put >= 0 && (size_t)put <= size);
        at += put;
        size -= (size_t)put;
    }
    return OK;
}

/* A loop never waits for the disk: it asks with RWF_NOWAIT and is told EAGAIN if not all is in
 * memory. Then a worker asks again. A file system that does not know the flag is remembered for the
 * file, so it is not asked in vain each time. */
static enum status posix_read(struct file *base, uint64_t offset, void *data, size_t size, bool may_wait, size_t *got,
                              struct error *err)
{
    struct posix_file *file = (struct posix_file *)base;
    size_t have = 0;

    if (!may_wait && __atomic_load_n(&file->no_nowait, __ATOMIC_RELAXED))
        return ERR_WOULD_WAIT;
    while (have < size) {
        struct iovec part = { (uint8_t *)data + have, size - have };
        ssize_t n = may_wait ? pread(file->fd, part.iov_base, part.iov_len, (off_t)(offset + have))
                             : preadv2(file->fd, &part, 1, (off_t)(offset + have), RWF_NOWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && !may_wait && (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS)) {
            if (errno != EAGAIN)
                __atomic_store_n(&file->no_nowait, true, __ATOMIC_RELAXED);
            return ERR_WOULD_WAIT;
        }
        if (n < 0)
            return error_set_os(err, errno, "read");
        if (n == 0)
            break;
        assert((size_t)n <= size - have);
        have += (size_t)n;
    }
    assert(have <= size);
    *got = have;
    return OK;
}

/* fdatasync leaves out the times of the file, which nobody needs after a crash. */
static enum status posix_sync(struct file *base, struct error *err)
{
    if (fdatasync(((struct posix_file *)base)->fd))
        return error_set_os(err, errno, "sync");
    return OK;
}

/* On the disk it is with the next sync, which brings the size. */
static enum status posix_truncate(struct file *base, uint64_t size, struct error *err)
{
    if (ftruncate(((struct posix_file *)base)->fd, (off_t)size))
        return error_set_os(err, errno, "truncate");
    return OK;
}

static enum status posix_file_size(struct file *base, uint64_t *size, struct error *err)
{
    struct stat info;

    if (fstat(((struct posix_file *)base)->fd, &info))
        return error_set_os(err, errno, "size");
    *size = (uint64_t)info.st_size;
    return OK;
}

/* A hint: what the kernel answers does not matter. */
static void posix_prefetch(struct file *base, uint64_t offset, uint64_t size)
{
    posix_fadvise(((struct posix_file *)base)->fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}

/* Random: the kernel reads what was asked for and nothing around it. It holds for this opening of
 * the file alone. */
static void posix_expect_random(struct file *base, bool random)
{
    posix_fadvise(((struct posix_file *)base)->fd, 0, 0, random ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL);
}

/* Tries it on the first byte. Any other failure than "not supported" means that the flag is known. */
static bool posix_reads_now(struct file *base)
{
    struct posix_file *file = (struct posix_file *)base;
    uint8_t byte;
    struct iovec part = { &byte, 1 };

    return preadv2(file->fd, &part, 1, 0, RWF_NOWAIT) >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS);
}

/* One step for all who look; on the disk it is when the directories of both names were synced. */
static enum status posix_rename(struct file_system *fs, const char *from, const char *to, struct error *err)
{
    return rename(from, to) ? path_error(err, "rename", from) : OK;
}

/* Who has the file open can go on reading; its room is given back when the last one has closed
 * it. */
static enum status posix_remove(struct file_system *fs, const char *path, struct error *err)
{
    return unlink(path) ? path_error(err, "remove", path) : OK;
}

/* Checkpoints share sorted files by it, which never change: no byte is copied. */
static enum status posix_link(struct file_system *fs, const char *from, const char *to, struct error *err)
{
    return link(from, to) ? path_error(err, "link", to) : OK;
}

static enum status posix_size(struct file_system *fs, const char *path, uint64_t *size, struct error *err)
{
    struct stat info;

    if (stat(path, &info))
        return path_error(err, "size", path);
    *size = (uint64_t)info.st_size;
    return OK;
}

static enum status posix_modified_s(struct file_system *fs, const char *path, int64_t *seconds, struct error *err)
{
    struct stat info;

    if (stat(path, &info))
        return path_error(err, "modified", path);
    *seconds = info.st_mtime;
    return OK;
}

/* Links are followed: a shard may lie on a disk of its own. */
static enum status posix_is_directory(struct file_system *fs, const char *path, bool *is, struct error *err)
{
    struct stat info;

    if (stat(path, &info))
        return path_error(err, "look up", path);
    *is = S_ISDIR(info.st_mode);
    return OK;
}

/* For this user only, as files are; the directory above must be there. */
static enum status posix_make_directory(struct file_system *fs, const char *path, struct error *err)
{
    return mkdir(path, 0700) ? path_error(err, "make directory", path) : OK;
}

/* Only an empty one: the system refuses any other. */
static enum status posix_remove_directory(struct file_system *fs, const char *path, struct error *err)
{
    return rmdir(path) ? path_error(err, "remove directory", path) : OK;
}

/* Without this a new file, a rename or a removal may be undone by a crash, though the file's own
 * bytes were synced. */
static enum status posix_sync_directory(struct file_system *fs, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = OK;

    if (fd < 0)
        return path_error(err, "open directory", path);
    if (fsync(fd))
        status = error_set_os(err, errno, "sync directory %s", path);
    close(fd);
    return status;
}

/* readdir tells an error only through errno, so it is cleared before each call. */
static enum status posix_list(struct file_system *fs, const char *path, void (*name)(void *context, const char *name),
                              void *context, struct error *err)
{
    DIR *dir = opendir(path);
    enum status status = OK;
    struct dirent *entry;

    if (!dir)
        return path_error(err, "list", path);
    for (errno = 0; (entry = readdir(dir)); errno = 0)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            name(context, entry->d_name);
    if (errno)
        status = error_set_os(err, errno, "list %s", path);
    closedir(dir);
    return status;
}

/* Locks of open file descriptions: they hold between processes and between two opens of one process
 * alike. The kernel lets go of them when the process dies, so a killed server leaves no stale lock. */
static enum status posix_lock(struct file_system *fs, const char *path, struct file **lock, struct error *err)
{
    struct posix_file *file;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return path_error(err, "lock", path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int os_errno = errno;
        close(fd);
        if (os_errno == EWOULDBLOCK)
            return error_set(err, ERR_IO, "lock %s: another process has it", path);
        return error_set_os(err, os_errno, "lock %s", path);
    }
    assert(fd >= 0);
    file = xcalloc(1, sizeof(*file));
    file->base.ops = &posix_ops;
    file->fd = fd;
    *lock = &file->base;
    return OK;
}

/* What an ordinary user may still take: some of what is free is kept for root. */
static enum status posix_free_bytes(struct file_system *fs, const char *path, uint64_t *bytes, struct error *err)
{
    struct statvfs info;

    if (statvfs(path, &info))
        return path_error(err, "free space of", path);
    assert(info.f_bavail <= info.f_blocks);
    *bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return OK;
}

/* A lock is an open file: closing it is unlocking it. */
static const struct file_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .append = posix_append,
    .read = posix_read,
    .sync = posix_sync,
    .truncate = posix_truncate,
    .file_size = posix_file_size,
    .prefetch = posix_prefetch,
    .expect_random = posix_expect_random,
    .reads_now = posix_reads_now,
    .rename = posix_rename,
    .remove = posix_remove,
    .link = posix_link,
    .size = posix_size,
    .modified_s = posix_modified_s,
    .is_directory = posix_is_directory,
    .make_directory = posix_make_directory,
    .remove_directory = posix_remove_directory,
    .sync_directory = posix_sync_directory,
    .list = posix_list,
    .lock = posix_lock,
    .unlock = posix_close,
    .free_bytes = posix_free_bytes,
};

struct file_system *file_system_posix(void)
{
    static struct file_system posix = { &posix_ops };

    return &posix;
}
