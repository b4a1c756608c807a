/* Who looks at a directory takes its lock first, as a server would: none can start meanwhile.
 * Nothing is created here, not even the lock: a directory without one has never been served. */
#include "server/admin/at_rest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status path_in(const char *directory, const char *name, char path[PATH_MAX], struct error *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return error_set(err, ERR_CONFIG, "the directory's name is too long");
    return OK;
}

/* Read-only, so that a directory can be looked at by who may not write to it. */
enum status at_rest_lock(const char *directory, int *lock_fd, struct error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    enum status status = path_in(directory, "LOCK", path, err);

    if (status)
        return status;
    if (stat(directory, &facts) < 0)
        return error_set_os(err, errno, "%s", directory);
    if (!S_ISDIR(facts.st_mode))
        return error_set(err, ERR_CONFIG, "%s is not a directory", directory);
    *lock_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*lock_fd < 0 && errno == ENOENT)
        return OK;
    if (*lock_fd < 0)
        return error_set_os(err, errno, "%s", path);
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, ERR_CONFIG, "%s is in use: stop the server first", directory);
    return OK;
}

bool at_rest_has(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct error error;

    return path_in(directory, name, path, &error) == OK && access(path, F_OK) == 0;
}

/* A tool that root ran would leave files that the server's user cannot open. */
enum status at_rest_owner(const char *directory, const char *name, struct error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    enum status status = path_in(directory, name, path, err);

    if (status)
        return status;
    if (stat(path, &facts) < 0)
        return error_set_os(err, errno, "%s", path);
    if (facts.st_uid != geteuid())
        return error_set(err, ERR_CONFIG, "%s belongs to user %u: run this as that user, or its server can't open it",
                         directory, (unsigned)facts.st_uid);
    return OK;
}

/* Without --key-file the directory's own key; it is never made here, as a new one could read
 * nothing. */
enum status at_rest_keys(const char *directory, const char *key_file, struct keys **keys, struct error *err)
{
    return key_file ? keys_open_file(key_file, keys, err) : keys_open_directory(directory, false, keys, err);
}
