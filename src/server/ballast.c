/* Space held back for a start on a full disk: see ballast.h. The file's blocks are asked for piece
 * by piece: what cannot be had (a full disk, no leave) is simply not held, for a server without it
 * is no worse off than before. */
#include "server/ballast.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* For a server and for each of its shards; what is taken of a nearly full disk is no more than was
 * held before. */
enum { BYTES = 4 << 20, SHARD_BYTES = 128 << 10, PIECE_BYTES = 64 << 10, SMALL_PART = 4 };

static char *path_of(const char *directory)
{
    static const char name[] = "/BALLAST";
    char *path = xmalloc(strlen(directory) + sizeof(name));

    return strcat(strcpy(path, directory), name);
}

/* Blocks and not the size are counted: what a disk gives may have holes. */
uint64_t ballast_release(const char *directory)
{
    char *path = path_of(directory);
    struct stat facts;
    uint64_t held = stat(path, &facts) == 0 ? (uint64_t)facts.st_blocks * 512 : 0;

    if (unlink(path) < 0)
        held = 0;
    free(path);
    return held;
}

/* What this user may take, without the system's reserve. */
static uint64_t free_bytes(const char *directory)
{
    struct statvfs facts;

    return statvfs(directory, &facts) == 0 ? (uint64_t)facts.f_bavail * facts.f_frsize : 0;
}

/* In pieces: what there is of a disk that has less than that. Where space can't be asked for (a
 * file system without fallocate) it is written to. */
static uint64_t fill(int fd, uint64_t size)
{
    static const char zeros[PIECE_BYTES];
    uint64_t at = 0;

    while (at < size) {
        if (fallocate(fd, 0, (off_t)at, PIECE_BYTES) < 0 &&
            (errno != EOPNOTSUPP || pwrite(fd, zeros, PIECE_BYTES, (off_t)at) != PIECE_BYTES))
            break;
        at += PIECE_BYTES;
    }
    return at;
}

/* A warning is all that comes of a failure. */
void ballast_take(const char *directory, uint64_t held, uint32_t shards)
{
    uint64_t wanted = BYTES + (uint64_t)shards * SHARD_BYTES, got = 0;
    char *path;
    int fd;

    if (free_bytes(directory) / SMALL_PART < wanted)
        wanted = held < wanted ? held : wanted;
    if (!wanted)
        return;
    path = path_of(directory);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        got = fill(fd, wanted);
        close(fd);
    }
    free(path);
    if (got < wanted)
        log_warn("server", "the disk has no room to hold back for the next start bytes=%llu of=%llu",
                 (unsigned long long)got, (unsigned long long)wanted);
}
