/* Looks at a space at rest from end to end: table_space_check, for `helenus check`. Nothing is
 * changed, and no owner runs.
 *
 * The store checks its files and hands each value here. A value is sound if a reader could use it:
 * its key decodes, its shard is the one where it would be looked for, and its fragments decode. What
 * is found is told and the check goes on, since whoever has damage wants to know all of it.
 *
 * Nothing of a user's is printed: values are told by their table's id. */
#include "row/fragment.h"
#include "row/key.h"
#include "store/files/files.h"
#include "table/due.h"
#include "table/range.h"
#include "table/semantics.h"
#include "table/shard.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

enum { OWN_RECORDS = 0, FINDINGS_MAX = 100 /* of values, for one shard: after that they are only counted */ };

struct checking {
    const struct table_check *check;
    struct table_space *space; /* for shard_of_token */
    struct arena *arena;       /* of one value */
    struct buffer scratch;
    char shards_path[PATH_MAX];
    uint32_t shard;
    uint64_t bad_values;
    struct table_checked *sum;
};

/* The store tells how far it is in its own bytes; the shard's number says how far the whole is. */
static void progress(void *context, uint64_t done, uint64_t total)
{
    struct checking *c = context;

    c->check->progress(c->check->context, c->shard, c->space->shard_count, done, total);
}

/* The file, with its shard's directory in front. */
static void tell(struct checking *c, const char *file, const char *what)
{
    char name[SHARD_NAME_MAX], where[64 + 256];

    layout_shard_name(c->space->generation, c->shard, name);
    snprintf(where, sizeof(where), "%s%s%s", name, *file ? "/" : "", file);
    c->check->damaged(c->check->context, where, what);
}

/* From the store, of its own files: of values it knows nothing, those are told by value_seen. */
static void damaged(void *context, const char *file, const char *what)
{
    struct checking *c = context;

    c->sum->other_damage_count++;
    tell(c, file, what);
}

/* The shard's own records are passed over: what they say is found anew, or is bounded by what they
 * speak of. */
static enum status check_value(struct checking *c, struct bytes key, struct bytes value, struct error *err)
{
    struct key_parts parts;
    struct row row;
    enum status status;

    if (key.size >= 8 && load_be64(key.data) == OWN_RECORDS)
        return OK; /* the clock's bound, the due list, the batch log: rebuilt or bounded by what they speak of */
    assert(c->shard < c->space->shard_count);
    status = key_decode(key, &c->scratch, &parts, err);
    if (status)
        return status;
    if (shard_of_token(c->space, parts.token) != c->shard)
        return error_set(err, ERR_CORRUPT, "a row of another shard");
    status = row_decode(c->arena, value, &row, err);
    if (!status && parts.kind != KEY_RANGE && c->check->row)
        status = c->check->row(c->check->context, &parts, &row, err);
    return status;
}

/* What does not decode is told by the table's id, never by its key. */
static void value_seen(void *context, enum store_family family, struct bytes key, struct bytes value)
{
    struct checking *c = context;
    struct error error;
    char what[ERROR_MESSAGE_MAX + 64];

    c->sum->value_count++;
    if (family != STORE_DATA)
        return;
    arena_reset(c->arena);
    if (check_value(c, key, value, &error) == OK)
        return;
    c->sum->bad_value_count++;
    if (c->bad_values++ >= FINDINGS_MAX)
        return;
    snprintf(what, sizeof(what), "a value of table %llu does not decode: %s",
             key.size >= 8 ? (unsigned long long)load_be64(key.data) : 0ULL, error.message);
    tell(c, "", what);
}

/* A shard that is not there is damage, and told; that a check could not be done at all is an error. */
static enum status check_shard(struct checking *c, struct error *err)
{
    const struct table_space_options *options = &c->space->options;
    struct store_check check = { progress, damaged, value_seen, c };
    char path[PATH_MAX], name[SHARD_NAME_MAX];
    struct store_options store = { .path = path,
                                   .environment = options->store_environment,
                                   .semantics = &c->space->semantics };
    struct file_system *files = options->files ? options->files : file_system_posix();
    bool is_directory = false;
    enum status status;

    layout_shard_name(c->space->generation, c->shard, name);
    snprintf(path, sizeof(path), "%s/%s", options->directory, name);
    if (files->ops->is_directory(files, path, &is_directory, err) || !is_directory) {
        damaged(c, "", "its directory is missing");
        return OK;
    }
    assert(c->shard < c->space->shard_count);
    c->bad_values = 0;
    status = options->store->check(&store, &check, err);
    if (status == ERR_NOT_FOUND) {
        damaged(c, "", "its directory is empty");
        return OK;
    }
    if (c->bad_values > FINDINGS_MAX)
        tell(c, "", "and more values that do not decode");
    return status;
}

/* Without a number of shards nothing else can be looked at: that is the one finding then. */
static enum status check_layout(struct checking *c, struct error *err)
{
    const struct table_space_options *options = &c->space->options;
    struct file_system *files = options->files ? options->files : file_system_posix();
    struct layout layout;
    uint64_t ignored;
    enum status status = layout_read(files, options->directory, &layout, err);

    if (status == ERR_CORRUPT || (!status && !layout.shard_count)) {
        bool is_there = files->ops->size(files, c->shards_path, &ignored, err) == OK;

        c->sum->other_damage_count++;
        c->check->damaged(c->check->context, "SHARDS", is_there ? "it holds no number of shards" : "it is missing");
        return OK;
    }
    if (status)
        return status;
    if (layout.unfinished)
        return error_set(err, ERR_CONFIG, "a first start of %s did not come to its end: start helenus",
                         options->directory);
    c->space->shard_count = c->sum->shard_count = layout.shard_count;
    c->space->generation = layout.generation;
    return layout_strays(files, options->directory, &layout, false, &c->sum->stray_count, err);
}

/* The space here has no shards open: it only knows how many there are, and what values mean. */
enum status table_space_check(const struct table_space_options *options, const struct table_check *check,
                              struct table_checked *sum, struct error *err)
{
    struct table_space *space = xcalloc(1, sizeof(*space));
    struct checking c = { .check = check, .space = space, .arena = arena_new(64 << 10), .sum = sum };
    enum status status;

    assert(options->directory && options->store->check);
    *sum = (struct table_checked){ 0 };
    space->options = *options;
    space->semantics = space_semantics(space);
    snprintf(c.shards_path, sizeof(c.shards_path), "%s/SHARDS", options->directory);
    status = check_layout(&c, err);
    for (c.shard = 0; !status && c.shard < space->shard_count; c.shard++)
        status = check_shard(&c, err);
    buffer_fini(&c.scratch);
    arena_free(c.arena);
    free(space);
    return status;
}
