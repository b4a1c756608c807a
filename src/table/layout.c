/* The file SHARDS and the directories of shards; layout.h draws both.
 *
 * What is written is what would be read: a file that we would not have written like that is damaged,
 * and a start stops there, since a wrong number of shards would show a part of the data as if it
 * were all. Nothing that is lost is made anew: shards without SHARDS, or SHARDS without shards, end
 * a start with a line that names what is missing. */
#include "table/layout.h"

#include "base/memory.h"
#include "table/table.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 32 };

/* ---- SHARDS ---- */

/* The form that stands in the file, one for each layout. */
static void print(const struct layout *layout, char text[TEXT_MAX])
{
    if (layout->unfinished)
        snprintf(text, TEXT_MAX, "%u %u unfinished\n", layout->shard_count, layout->generation);
    else if (layout->generation)
        snprintf(text, TEXT_MAX, "%u %u\n", layout->shard_count, layout->generation);
    else
        snprintf(text, TEXT_MAX, "%u\n", layout->shard_count);
}

/* Accepts only what print would have written. A cut or changed file must not be taken for another
 * number. */
static enum status parse(const char *path, const char *text, struct layout *layout, struct error *err)
{
    struct layout read = { .unfinished = strstr(text, "unfinished") != NULL };
    char again[TEXT_MAX];

    sscanf(text, "%u %u", &read.shard_count, &read.generation);
    print(&read, again);
    if (strcmp(text, again) || !read.shard_count || read.shard_count > TABLE_SHARDS_MAX)
        return error_set(err, ERR_CORRUPT, "%s: not a number of shards", path);
    *layout = read;
    return OK;
}

/* A name is a shard's if it is what layout_shard_name makes of its numbers. False: no directory of a
 * shard has this name. */
static bool parse_shard_name(const char *name, uint32_t *generation)
{
    char again[SHARD_NAME_MAX];
    unsigned shard = 0, of = 0;

    if (sscanf(name, "shard-%u.%u", &shard, &of) < 1)
        return false;
    layout_shard_name(of, shard, again);
    *generation = of;
    return strcmp(name, again) == 0;
}

/* Names of a directory, collected before anything is done with them: a directory changes while it is
 * emptied. */
struct listing {
    bool (*wanted)(const void *context, uint32_t generation); /* NULL: every name, also of what is no shard */
    const void *context;
    char **names; /* owned */
    uint32_t count;
};

static void add_name(void *context, const char *name)
{
    struct listing *listing = context;
    uint32_t generation = 0;

    if (listing->wanted && (!parse_shard_name(name, &generation) || !listing->wanted(listing->context, generation)))
        return;
    listing->names = xrealloc(listing->names, (listing->count + 1) * sizeof(*listing->names));
    listing->names[listing->count++] = xstrdup(name);
}

static void listing_fini(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->count; i++)
        free(listing->names[i]);
    free(listing->names);
}

static bool any_generation(const void *context, uint32_t generation)
{
    return true;
}

/* SHARDS is on the disk before the first shard is made: shards without it are data whose number is lost. */
static enum status check_new(struct file_system *files, const char *directory, struct error *err)
{
    struct listing found = { .wanted = any_generation };
    enum status status = files->ops->list(files, directory, add_name, &found, err);

    if (!status && found.count)
        status = error_set(err, ERR_CORRUPT, "%s/SHARDS is missing: put it back; it says how many shards there are",
                           directory);
    listing_fini(&found);
    return status;
}

/* *layout stays zero if the directory is new. */
enum status layout_read(struct file_system *files, const char *directory, struct layout *layout, struct error *err)
{
    char path[PATH_MAX], text[TEXT_MAX + 1];
    struct file *file;
    size_t size = 0;
    enum status status;

    snprintf(path, sizeof(path), "%s/SHARDS", directory);
    *layout = (struct layout){ 0 };
    status = files->ops->open(files, path, FILE_READ, &file, err);
    if (status == ERR_NOT_FOUND)
        return check_new(files, directory, err);
    if (status)
        return status;
    status = file->ops->read(file, 0, text, TEXT_MAX, true, &size, err);
    file->ops->close(file);
    if (status)
        return status;
    assert(size <= TEXT_MAX);
    text[size] = 0;
    return parse(path, text, layout, err);
}

/* The bytes are on the disk when this returns, under a name that nobody reads yet. */
static enum status write_synced(struct file_system *files, const char *path, const char *text, struct error *err)
{
    struct file *file;
    enum status status = files->ops->open(files, path, FILE_CREATE, &file, err);

    if (status)
        return status;
    status = file->ops->append(file, text, strlen(text), err);
    if (!status)
        status = file->ops->sync(file, err);
    file->ops->close(file);
    return status;
}

/* Whole or not at all: the bytes are written and synced under another name, then the name is changed
 * in one step, and the directory synced. A crash leaves either the old file or the new one. */
enum status layout_write(struct file_system *files, const char *directory, const struct layout *layout,
                         struct error *err)
{
    char path[PATH_MAX], fresh[PATH_MAX], text[TEXT_MAX];
    enum status status;

    snprintf(path, sizeof(path), "%s/SHARDS", directory);
    snprintf(fresh, sizeof(fresh), "%s/SHARDS.new", directory);
    assert(layout->shard_count && layout->shard_count <= TABLE_SHARDS_MAX);
    print(layout, text);
    status = write_synced(files, fresh, text, err);
    if (!status)
        status = files->ops->rename(files, fresh, path, err);
    if (!status)
        status = files->ops->sync_directory(files, directory, err);
    return status;
}

/* ---- directories ---- */

void layout_shard_name(uint32_t generation, uint32_t shard, char name[SHARD_NAME_MAX])
{
    if (generation)
        snprintf(name, SHARD_NAME_MAX, "shard-%04u.%u", shard, generation);
    else
        snprintf(name, SHARD_NAME_MAX, "shard-%04u", shard);
}

static bool is_stray(const void *context, uint32_t generation)
{
    return generation != ((const struct layout *)context)->generation;
}

/* Its files first. A shard that is removed in part is a stray all the same, and goes at the next
 * try. */
static enum status remove_shard(struct file_system *files, const char *path, struct error *err)
{
    struct listing found = { 0 };
    enum status status = files->ops->list(files, path, add_name, &found, err);

    for (uint32_t i = 0; i < found.count && !status; i++) {
        char file[PATH_MAX + NAME_MAX + 2];

        snprintf(file, sizeof(file), "%s/%s", path, found.names[i]);
        status = files->ops->remove(files, file, err);
    }
    listing_fini(&found);
    return status ? status : files->ops->remove_directory(files, path, err);
}

/* A directory that is empty counts as not there: so is the place of a disk that is not mounted.
 * What it holds is not looked at: that is for the store. */
static enum status is_there(struct file_system *files, const char *path, bool *is, struct error *err)
{
    struct listing found = { 0 };
    bool is_directory = false;
    enum status status = files->ops->is_directory(files, path, &is_directory, err);

    *is = false;
    if (status == ERR_NOT_FOUND || (!status && !is_directory))
        return OK;
    if (!status)
        status = files->ops->list(files, path, add_name, &found, err);
    *is = found.count > 0;
    listing_fini(&found);
    return status;
}

/* Asked before a store is opened, which would make anew what is missing, and empty. */
enum status layout_check_whole(struct file_system *files, const char *directory, const struct layout *layout,
                               struct error *err)
{
    assert(layout->shard_count); /* or everything would be whole */
    for (uint32_t i = 0; i < layout->shard_count; i++) {
        char name[SHARD_NAME_MAX], path[PATH_MAX];
        enum status status;
        bool is;

        layout_shard_name(layout->generation, i, name);
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        status = is_there(files, path, &is, err);
        if (status)
            return status;
        if (!is)
            return error_set(err, ERR_CORRUPT,
                             "%s is missing or empty: put it back (is its disk mounted?), or SHARDS is damaged", path);
    }
    return OK;
}

/* What a reshard left: shards of another generation. */
enum status layout_strays(struct file_system *files, const char *directory, const struct layout *layout, bool remove,
                          uint32_t *count, struct error *err)
{
    struct listing found = { .wanted = is_stray, .context = layout };
    enum status status = files->ops->list(files, directory, add_name, &found, err);

    /* Strays are rubbish only beside the shards that SHARDS speaks of. */
    if (!status && remove && found.count)
        status = layout_check_whole(files, directory, layout, err);
    /* That SHARDS speaks of others must be on the disk first: its writer may have died before it knew. */
    if (!status && remove && found.count)
        status = files->ops->sync_directory(files, directory, err);
    for (uint32_t i = 0; i < found.count && !status && remove; i++) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s", directory, found.names[i]);
        status = remove_shard(files, path, err);
    }
    if (!status && remove && found.count)
        status = files->ops->sync_directory(files, directory, err);
    *count = found.count;
    listing_fini(&found);
    return status;
}

/* Nobody has the shard open: a file that goes meanwhile is an error. */
enum status layout_shard_bytes(struct file_system *files, const char *directory, uint32_t generation, uint32_t shard,
                               uint64_t *bytes, struct error *err)
{
    struct listing found = { 0 };
    char name[SHARD_NAME_MAX], path[PATH_MAX];
    enum status status;

    layout_shard_name(generation, shard, name);
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    *bytes = 0;
    status = files->ops->list(files, path, add_name, &found, err);
    for (uint32_t i = 0; i < found.count && !status; i++) {
        char file[PATH_MAX + NAME_MAX + 2];
        uint64_t size = 0;

        snprintf(file, sizeof(file), "%s/%s", path, found.names[i]);
        status = files->ops->size(files, file, &size, err);
        *bytes += size;
    }
    listing_fini(&found);
    return status;
}
