/* The data directory is made with all that is above it, and each name is synced; then it is locked:
 * two servers would ruin it. The lock is the kernel's (flock), so it goes with the process however
 * that ends. */
#include "server/directory.h"

#include "base/memory.h"
#include "server/admin/at_rest.h"
#include "server/admin/operate.h"
#include "store/files/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name of a directory is part of the one above, which is synced as well: else power loss could
 * take all that was acknowledged. */
static enum status make_directory(const char *path, struct error *err)
{
    struct file_system *files = file_system_posix();
    const char *slash = strrchr(path, '/');
    enum status status;
    char *above;

    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? OK : error_set_os(err, errno, "cannot make the data directory %s", path);
    above = !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
    status = files->ops->sync_directory(files, above, err);
    free(above);
    return status;
}

/* From the top down, each only if it is missing. */
static enum status make_directories(const char *path, struct error *err)
{
    char *copy = xstrdup(path);
    enum status status = OK;

    assert(*path);
    for (char *at = copy + 1; !status; at++) {
        bool is_end = *at == '\0';

        if (!is_end && *at != '/')
            continue;
        *at = '\0';
        status = make_directory(copy, err);
        if (is_end)
            break;
        *at = '/';
    }
    free(copy);
    return status;
}

/* Only then is anything in it looked at. A restore that was interrupted left a mark: what is there
 * may be half a database. */
enum status directory_lock(const char *data, int *lock_fd, struct error *err)
{
    struct stat facts;
    char *path;

    assert(*lock_fd < 0);
    if (data[0] == '\0')
        return error_set(err, ERR_CONFIG, "--data is empty");
    if (stat(data, &facts) == 0 && !S_ISDIR(facts.st_mode))
        return error_set(err, ERR_CONFIG, "%s is not a directory", data);
    if (make_directories(data, err))
        return err->status;
    if (access(data, R_OK | W_OK | X_OK) < 0)
        return error_set_os(err, errno, "cannot use the data directory %s", data);
    path = xmalloc(strlen(data) + sizeof("/LOCK"));
    strcat(strcpy(path, data), "/LOCK");
    /* The file itself stays: removing it would let two processes lock two different files of one
     * name. */
    *lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (*lock_fd < 0)
        return error_set_os(err, errno, "cannot lock the data directory %s", data);
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, ERR_CONFIG, "the data directory %s is in use by another process", data);
    if (at_rest_has(data, RESTORE_MARK))
        return error_set(err, ERR_CONFIG, "a restore into %s did not end: remove it, and restore again", data);
    return OK;
}
