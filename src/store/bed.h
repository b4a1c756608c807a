/* store/bed.h: what the tests of all bodies share: a store on a body, and semantics simple enough to predict.
 *
 * A value is timestamp (8, big-endian) | text: the larger (timestamp, text) wins. The text "dead" is a tombstone, which the
 * filter removes when it may. Only for tests, which include its bodies with it.
 */
#ifndef STORE_BED_H
#define STORE_BED_H

#include "base/clock.h"
#include "base/memory.h"
#include "keys/keys.h"
#include "store/files/files.h"
#include "store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bed {
    const struct store_ops *ops;
    bool on_disk; /* posix files in a temporary directory, else forgetful or none */
    bool forgetful;
    uint64_t seed; /* of what the forgetful file system leaves to chance */
    bool plain, no_sync;
    uint64_t write_buffer_bytes;
    uint64_t target_file_bytes;
    uint64_t log_bytes_max;
    unsigned warnings; /* told to the environment's log */
    /* filled by bed_open */
    struct keys *keys;
    struct file_system *files;
    void *environment;
    struct store *store;
    char directory[64];
    struct store_semantics semantics;
    struct error err;
    struct store_purge last_purge;
    unsigned filtered;
};

static void bed_open(struct bed *bed);  /* files, keys, environment and store */
static void bed_close(struct bed *bed); /* all of it, also the files */
/* Only the store: closes it, opens it again. */
static enum status bed_open_store(struct bed *bed);
static void bed_close_store(struct bed *bed);

static struct bytes bed_value(char buffer[64], int64_t timestamp_us, const char *text);
/* One put in a batch of its own. */
static enum status bed_put(struct bed *bed, const char *key, int64_t timestamp_us, const char *text);
static enum status bed_merge(struct bed *bed, const char *key, int64_t timestamp_us, const char *text);
/* The text of a key's value, "" if it is not there; kept until the next call. NULL: an error, in bed->err. */
static const char *bed_get(struct bed *bed, const char *key);

/* ---- bodies ---- */

static bool newer(struct bytes a, struct bytes b)
{
    int64_t at = (int64_t)load_be64(a.data), bt = (int64_t)load_be64(b.data);

    return at != bt ? at > bt : bytes_compare(a, b) > 0;
}

static void merge(void *context, struct bytes key, struct bytes existing, const struct bytes *operands,
                  size_t operand_count, struct buffer *result)
{
    struct bytes best = existing;

    for (size_t i = 0; i < operand_count; i++)
        if (!best.data || newer(operands[i], best))
            best = operands[i];
    buffer_append_bytes(result, best);
}

static enum store_verdict filter(void *context, const struct store_purge *purge, struct bytes key, struct bytes value,
                                 struct buffer *changed)
{
    struct bed *bed = context;

    __atomic_add_fetch(&bed->filtered, 1, __ATOMIC_RELAXED);
    bed->last_purge = *purge;
    if (value.size == 12 && !memcmp(value.data + 8, "dead", 4) && purge->whole &&
        (int64_t)load_be64(value.data) < purge->purge_before_us)
        return STORE_REMOVE;
    if (value.size == 14 && !memcmp(value.data + 8, "change", 6)) {
        buffer_append(changed, value.data, 8);
        buffer_append_string(changed, "changed");
        return STORE_CHANGE;
    }
    return STORE_KEEP;
}

static int64_t min_timestamp_us(void *context, enum store_family family, struct bytes key, struct bytes value)
{
    return value.size >= 8 ? (int64_t)load_be64(value.data) : INT64_MIN;
}

static enum status fixed_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    memset(master, 7, KEYS_KEY_BYTES);
    return OK;
}

static void count_warning(void *context, enum store_log_level level, const char *message)
{
    struct bed *bed = context;

    __atomic_add_fetch(&bed->warnings, strstr(message, " went") != NULL, __ATOMIC_RELAXED);
}

static void open_environment(struct bed *bed)
{
    struct store_environment_options options = {
        .keys = bed->plain ? NULL : bed->keys,
        .files = bed->files,
        .test_plain = bed->plain,
        .test_no_sync = bed->no_sync,
        .cache_bytes = 8 << 20,
        .clock = &clock_system,
        .log = count_warning,
        .log_context = bed,
    };

    if (bed->ops->environment_open(&options, &bed->environment, &bed->err)) {
        fprintf(stderr, "%s\n", bed->err.message);
        abort();
    }
}

__attribute__((unused)) static void bed_open(struct bed *bed)
{
    struct keys_provider provider = { fixed_master, NULL };

    if (keys_open_provider(&provider, &bed->keys, &bed->err))
        abort();
    bed->semantics = (struct store_semantics){ bed, merge, NULL, filter, min_timestamp_us };
    snprintf(bed->directory, sizeof(bed->directory), "/bed");
    if (bed->on_disk) {
        snprintf(bed->directory, sizeof(bed->directory), "/tmp/helenus-store-XXXXXX");
        if (!mkdtemp(bed->directory))
            abort();
        bed->files = file_system_posix();
    } else if (bed->forgetful) {
        bed->files = forgetful_new(bed->seed);
    }
    open_environment(bed);
    if (bed_open_store(bed)) {
        fprintf(stderr, "%s\n", bed->err.message);
        abort();
    }
}

__attribute__((unused)) static enum status bed_open_store(struct bed *bed)
{
    struct store_options options = {
        .path = bed->directory,
        .environment = bed->environment,
        .semantics = &bed->semantics,
        .write_buffer_bytes = bed->write_buffer_bytes,
        .target_file_bytes = bed->target_file_bytes,
        .log_bytes_max = bed->log_bytes_max,
    };

    assert(!bed->store);
    return bed->ops->open(&options, &bed->store, &bed->err);
}

__attribute__((unused)) static void bed_close_store(struct bed *bed)
{
    if (bed->store)
        bed->ops->close(bed->store);
    bed->store = NULL;
}

__attribute__((unused)) static void bed_close(struct bed *bed)
{
    bed_close_store(bed);
    bed->ops->environment_close(bed->environment);
    keys_close(bed->keys);
    if (bed->on_disk) {
        char command[128];

        snprintf(command, sizeof(command), "rm -r '%s'", bed->directory);
        if (system(command))
            abort();
    } else if (bed->forgetful) {
        forgetful_free(bed->files);
    }
}

__attribute__((unused)) static struct bytes bed_value(char buffer[64], int64_t timestamp_us, const char *text)
{
    store_be64(buffer, (uint64_t)timestamp_us);
    return bytes_of(buffer, 8 + (size_t)snprintf(buffer + 8, 56, "%s", text));
}

static enum status write_one(struct bed *bed, bool blind, const char *key, int64_t timestamp_us, const char *text)
{
    struct store_batch *batch = store_batch_new();
    char buffer[64];
    enum status status;

    if (blind)
        store_batch_merge(batch, STORE_DATA, bytes_of_string(key), bed_value(buffer, timestamp_us, text));
    else
        store_batch_put(batch, STORE_DATA, bytes_of_string(key), bed_value(buffer, timestamp_us, text));
    status = bed->ops->write(bed->store, batch, true, &bed->err);
    store_batch_free(batch);
    return status;
}

__attribute__((unused)) static enum status bed_put(struct bed *bed, const char *key, int64_t timestamp_us,
                                                   const char *text)
{
    return write_one(bed, false, key, timestamp_us, text);
}

__attribute__((unused)) static enum status bed_merge(struct bed *bed, const char *key, int64_t timestamp_us,
                                                     const char *text)
{
    return write_one(bed, true, key, timestamp_us, text);
}

__attribute__((unused)) static const char *bed_get(struct bed *bed, const char *key)
{
    static _Thread_local char text[128];
    struct store_read_options options = { .may_wait = true };
    struct store_value value = { 0 };
    enum status status = bed->ops->get(bed->store, STORE_DATA, bytes_of_string(key), &options, &value, &bed->err);

    if (status == OK)
        snprintf(text, sizeof(text), "%.*s", (int)value.bytes.size - 8, (const char *)value.bytes.data + 8);
    else
        text[0] = 0;
    store_value_release(&value);
    return status == OK || status == ERR_NOT_FOUND ? text : NULL;
}

#endif
