/* The data directory's file FORMAT; see format.h. Written aside and renamed: a crash leaves the one
 * before or the one after.
 *
 * It is the first file that is looked at and the last that a change of the format writes, so that
 * no server ever works on data which it misunderstands. */
#include "catalog/format.h"

#include "store/files/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_WORDS "helenus data format "

/* The words before the number say that this is a directory of ours. One byte behind it is demanded,
 * so that a number which was cut off is not taken for a smaller one. */
static enum status check_text(char *text, uint32_t *format, struct error *err)
{
    unsigned number;
    char newline;

    if (strncmp(text, FORMAT_WORDS, strlen(FORMAT_WORDS)) ||
        sscanf(text + strlen(FORMAT_WORDS), "%u%c", &number, &newline) != 2 || newline != '\n')
        return error_set(err, ERR_CORRUPT, "The data directory's file FORMAT is damaged, or not of helenus");
    if (number > DATA_FORMAT)
        return error_set(err, ERR_CONFIG,
                         "The data directory is of format %u, newer than format %d of this server: start the version "
                         "that wrote it, or a later one",
                         number, DATA_FORMAT);
    if (number < DATA_FORMAT_OLDEST)
        return error_set(err, ERR_CONFIG,
                         "The data directory is of format %u; this server reads format %d, and brings formats from %d "
                         "on forward: read the data with the version that wrote it, and write it anew",
                         number, DATA_FORMAT, DATA_FORMAT_OLDEST);
    *format = number;
    return OK;
}

/* A longer file is not ours: what does not fit cannot be a format. */
static enum status read_file(int fd, uint32_t *format, struct error *err)
{
    char text[128];
    ssize_t size = read(fd, text, sizeof(text) - 1);

    if (size < 0)
        return error_set_os(err, errno, "Reading FORMAT");
    assert((size_t)size < sizeof(text));
    text[size] = '\0';
    return check_text(text, format, err);
}

/* Whole or not at all: written aside, synced, renamed, the name synced. Without the last step a
 * crash may bring the old name back. */
static enum status make_file(const char *directory, const char *path, struct error *err)
{
    char aside[PATH_MAX + 8], text[64];
    int size = snprintf(text, sizeof(text), FORMAT_WORDS "%d\n", DATA_FORMAT);
    int fd;

    snprintf(aside, sizeof(aside), "%s.new", path);
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_os(err, errno, "Making FORMAT");
    if (write(fd, text, (size_t)size) != size || fsync(fd)) {
        int os_errno = errno;

        close(fd);
        return error_set_os(err, os_errno, "Writing FORMAT");
    }
    close(fd);
    if (rename(aside, path))
        return error_set_os(err, errno, "Naming FORMAT");
    return file_system_posix()->ops->sync_directory(file_system_posix(), directory, err);
}

/* The names that a space makes for its shards: if any is there, data was written. */
static void see_name(void *holds_data, const char *name)
{
    *(bool *)holds_data |= strcmp(name, "SHARDS") == 0 || strncmp(name, "shard-", 6) == 0;
}

/* A directory that cannot be looked at is not new either: taking it for new would make a new format
 * file beside data. */
bool format_holds_data(const char *directory)
{
    struct file_system *files = file_system_posix();
    bool holds_data = false;
    struct error err;
    enum status status = files->ops->list(files, directory, see_name, &holds_data, &err);

    return holds_data || (status && status != ERR_NOT_FOUND); /* what can't be looked at is not new */
}

static enum status path_of(char path[PATH_MAX], const char *directory, struct error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/FORMAT", directory) >= PATH_MAX)
        return error_set(err, ERR_INVALID, "The data directory's path is too long");
    return OK;
}

/* A missing FORMAT is made only where there is no data. Beside data it was lost, and guessing the
 * format could destroy what is there. */
enum status format_find(const char *directory, uint32_t *format, struct error *err)
{
    char path[PATH_MAX];
    enum status status = path_of(path, directory, err);
    int fd;

    if (status)
        return status;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *format = DATA_FORMAT;
        return format_holds_data(directory)
                   ? error_set(err, ERR_CORRUPT, "The data directory has lost its file FORMAT: put it back")
                   : make_file(directory, path, err);
    }
    if (fd < 0)
        return error_set_os(err, errno, "Opening FORMAT");
    status = read_file(fd, format, err);
    close(fd);
    return status;
}

enum status format_check(const char *directory, struct error *err)
{
    uint32_t format;

    return format_find(directory, &format, err);
}

enum status format_write(const char *directory, struct error *err)
{
    char path[PATH_MAX];
    enum status status = path_of(path, directory, err);

    return status ? status : make_file(directory, path, err);
}
