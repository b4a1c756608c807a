/* Each file is copied and synced, and the directories after their files: whoever gives the whole
 * its name, or takes its mark away, does so when all of it would outlive a power cut.
 *
 * Sorted files never change once they are written, so they are linked where that is possible: a
 * snapshot on the same file system costs no space until they are compacted away. */
#include "server/admin/tree.h"

#include "base/memory.h"
#include "store/files/files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Large enough that the disk reads in one go. */
enum { CHUNK_BYTES = 1 << 20 };

/* ---- names ---- */

struct names {
    char **at; /* owned */
    uint32_t count, capacity;
};

static void add_name(void *context, const char *name)
{
    /* Grows by doubling; directories have some hundred files. */
    struct names *names = context;

    if (names->count == names->capacity) {
        names->capacity = names->capacity ? 2 * names->capacity : 16;
        names->at = xrealloc(names->at, names->capacity * sizeof(*names->at));
    }
    names->at[names->count++] = xstrdup(name);
}

static void names_fini(struct names *names)
{
    for (uint32_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
}

/* All names first, and then one by one: a directory that is read while files come may give one
 * twice. */
static enum status list(const char *path, struct names *names, struct error *err)
{
    struct file_system *files = file_system_posix();

    *names = (struct names){ 0 };
    return files->ops->list(files, path, add_name, names, err);
}

static enum status join(char path[PATH_MAX], const char *directory, const char *name, struct error *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return error_set(err, ERR_CONFIG, "the directory's name is too long");
    return OK;
}

/* What a data directory is made of, by name. Logs of the process, locks, ballast and stages are not
 * part of it. */
static bool is_wanted(const struct tree_copy *copy, const char *name, enum tree_part part)
{
    /* Shards are directories, and what is in them is the engine's. */
    if (part == TREE_SHARDS)
        return strncmp(name, "shard-", 6) == 0;
    return strcmp(name, "FORMAT") == 0 || strcmp(name, "SHARDS") == 0 ||
           (strcmp(name, "master.key") == 0 && !copy->without_key);
}

/* RocksDB's; logs and manifests grow, so those are copied. */
static bool is_sorted_file(const char *name)
{
    size_t size = strlen(name);

    /* By its name's end, which the engine gives. */
    return size > 4 && strcmp(name + size - 4, ".sst") == 0;
}

/* ---- one file ---- */

/* Bytes of linked files count as well: progress is of the whole. */
static void advance(struct tree_copy *copy, uint64_t bytes)
{
    copy->done_bytes += bytes;
    if (copy->progress)
        copy->progress(copy->context, copy->done_bytes, copy->total_bytes);
}

/* Until the file's end, as it is at this moment: what a server appends later belongs to no copy. */
static enum status copy_bytes(struct tree_copy *copy, struct file *source, struct file *target, struct error *err)
{
    char *chunk = xmalloc(CHUNK_BYTES);
    uint64_t offset = 0;
    size_t got = CHUNK_BYTES;
    enum status status = OK;

    while (!status && got == CHUNK_BYTES) {
        got = 0;
        /* A read that gives less than it was asked for has reached the end. */
        status = source->ops->read(source, offset, chunk, CHUNK_BYTES, true, &got, err);
        if (!status && got)
            status = target->ops->append(target, chunk, got, err);
        offset += got;
        if (!status)
            advance(copy, got);
    }
    free(chunk);
    return status ? status : target->ops->sync(target, err);
    /* Directories are synced by who fills them; a file's own bytes are synced here. */
}

static enum status copy_file(struct tree_copy *copy, const char *from, const char *to, struct error *err)
{
    struct file_system *files = file_system_posix();
    struct file *source, *target;
    enum status status = files->ops->open(files, from, FILE_READ, &source, err);

    if (status)
        return status;
    status = files->ops->open(files, to, FILE_CREATE, &target, err);
    if (!status) {
        status = copy_bytes(copy, source, target, err);
        target->ops->close(target);
    }
    source->ops->close(source);
    return status;
}

/* Another file system, or one without hard links: then its bytes are copied. */
static enum status take_file(struct tree_copy *copy, const char *from, const char *to, const char *name,
                             struct error *err)
{
    struct file_system *files = file_system_posix();
    uint64_t size;

    copy->file_count++;
    /* A link to another file system fails, and then its bytes are copied. */
    if (!copy->may_link || !is_sorted_file(name) || files->ops->link(files, from, to, err))
        return copy_file(copy, from, to, err);
    if (files->ops->size(files, to, &size, err) == OK)
        advance(copy, size);
    return OK;
}

/* ---- directories ---- */

/* What is done with each file; `to` NULL: nothing is copied, and only measured. */
static enum status see_file(struct tree_copy *copy, const char *from, const char *to, const char *name,
                            struct error *err)
{
    struct file_system *files = file_system_posix();
    char source[PATH_MAX], target[PATH_MAX];
    uint64_t size = 0;
    enum status status = join(source, from, name, err);

    if (status)
        return status;
    if (to)
        return join(target, to, name, err) ? err->status : take_file(copy, source, target, name, err);
    status = files->ops->size(files, source, &size, err);
    copy->total_bytes += size;
    return status;
}

/* LOCK is the engine's own, and of no use in a copy. */
static enum status see_shard(struct tree_copy *copy, const char *from, const char *to, struct error *err)
{
    struct file_system *files = file_system_posix();
    struct names names;
    enum status status = list(from, &names, err);

    /* The directory is made only when the source could be listed. */
    if (!status && to)
        status = files->ops->make_directory(files, to, err);
    for (uint32_t i = 0; i < names.count && !status; i++)
        if (strcmp(names.at[i], "LOCK") != 0)
            status = see_file(copy, from, to, names.at[i], err);
    /* After its files: their names are in it then. */
    if (!status && to)
        status = files->ops->sync_directory(files, to, err);
    names_fini(&names);
    return status;
}

/* Measuring and copying are one walk, so that they cannot disagree. */
static enum status see(struct tree_copy *copy, const char *from, const char *to, enum tree_part part, struct error *err)
{
    struct file_system *files = file_system_posix();
    char source[PATH_MAX], target[PATH_MAX];
    struct names names;
    enum status status = list(from, &names, err);

    for (uint32_t i = 0; i < names.count && !status; i++) {
        if (!is_wanted(copy, names.at[i], part))
            continue;
        if (part == TREE_FILES) {
            status = see_file(copy, from, to, names.at[i], err);
            continue;
        }
        status = join(source, from, names.at[i], err);
        if (!status && to)
            status = join(target, to, names.at[i], err);
        if (!status)
            status = see_shard(copy, source, to ? target : NULL, err);
    }
    names_fini(&names);
    return status || !to ? status : files->ops->sync_directory(files, to, err);
}

enum status tree_measure(struct tree_copy *copy, const char *from, enum tree_part part, struct error *err)
{
    return see(copy, from, NULL, part, err);
}

enum status tree_copy(struct tree_copy *copy, const char *from, const char *to, enum tree_part part, struct error *err)
{
    return see(copy, from, to, part, err);
}

/* ---- besides ---- */

/* Under another name, synced, then renamed: the file is there whole or not at all. */
enum status tree_write(const char *directory, const char *name, const char *text, struct error *err)
{
    struct file_system *files = file_system_posix();
    char path[PATH_MAX], fresh[PATH_MAX + 4];
    struct file *file;
    enum status status = join(path, directory, name, err);

    if (status)
        return status;
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    status = files->ops->open(files, fresh, FILE_CREATE, &file, err);
    if (status)
        return status;
    status = file->ops->append(file, text, strlen(text), err);
    if (!status)
        status = file->ops->sync(file, err);
    file->ops->close(file);
    if (!status)
        status = files->ops->rename(files, fresh, path, err);
    return status ? status : files->ops->sync_directory(files, directory, err);
}

/* Depth first; what is not there is removed already. */
enum status tree_remove(const char *path, struct error *err)
{
    struct file_system *files = file_system_posix();
    struct names names;
    bool is_directory = false;
    enum status status = files->ops->is_directory(files, path, &is_directory, err);

    if (status)
        /* Not there: there is nothing to remove. */
        return status == ERR_NOT_FOUND ? OK : status;
    if (!is_directory)
        return files->ops->remove(files, path, err);
    status = list(path, &names, err);
    for (uint32_t i = 0; i < names.count && !status; i++) {
        char inner[PATH_MAX];

        status = join(inner, path, names.at[i], err);
        if (!status)
            status = tree_remove(inner, err);
    }
    names_fini(&names);
    return status ? status : files->ops->remove_directory(files, path, err);
}

enum status tree_is_empty(const char *path, bool *is_empty, struct error *err)
{
    struct names names;
    enum status status = list(path, &names, err);

    *is_empty = names.count == 0;
    names_fini(&names);
    return status;
}

/* A name is durable when the directory above was synced. */
enum status tree_sync_above(const char *path, struct error *err)
{
    struct file_system *files = file_system_posix();
    const char *slash = strrchr(path, '/');
    /* A name without a slash stands in the working directory. */
    char *above = !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
    enum status status = files->ops->sync_directory(files, above, err);

    free(above);
    return status;
}
