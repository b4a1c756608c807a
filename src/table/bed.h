/* table/bed.h: what the tests of table/ share: a space on an engine and a file system, one table, requests that are pipelined.
 * Clusterings are raw bytes here: table/ only compares them. Only for tests, which include its bodies with it.
 */
#ifndef TABLE_BED_H
#define TABLE_BED_H

#include "base/clock.h"
#include "base/memory.h"
#include "keys/keys.h"
#include "row/key.h"
#include "store/files/files.h"
#include "store/memory/memory.h"
#include "store/rocksdb/rocksdb.h"
#include "table/table.h"
#include "types/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { BED_TABLE = 7, BED_STATIC = 2, BED_VALUE = 3 };

struct table_bed {
    const struct store_ops *engine;
    struct file_system *files; /* NULL: the machine's, in `directory` */
    bool no_sync;
    uint32_t shards;
    uint32_t batch_retry_ms;
    _Atomic uint64_t other_table; /* its definition is the same; 0: none */
    /* filled by bed_open */
    char directory[64];
    struct keys *keys;
    void *environment;
    struct table_space *space;
    struct table_def def;
    _Atomic int64_t clock_us; /* real time, which stands where it is put */
    struct clock clock;
};

static inline void bed_must(enum status status, const struct error *err)
{
    if (status) {
        fprintf(stderr, "%s: %s\n", status_name(status), err->message);
        abort(); /* also on threads, where cmocka cannot jump */
    }
}

static enum status bed_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    memset(master, 7, KEYS_KEY_BYTES);
    return OK;
}

static struct table_def *bed_table_by_id(void *context, uint64_t id)
{
    struct table_bed *bed = context;

    return id == BED_TABLE || (id && id == atomic_load(&bed->other_table)) ? table_def_ref(&bed->def) : NULL;
}

static int64_t bed_realtime_us(const struct clock *clock)
{
    return atomic_load(&CONTAINER_OF(clock, struct table_bed, clock)->clock_us);
}

/* Environment and space; what is on the disk stays. */
static inline void bed_open_space(struct table_bed *bed)
{
    struct store_environment_options options = { .files = bed->files,
                                                 .keys = bed->keys,
                                                 .test_no_sync = bed->no_sync,
                                                 .cache_bytes = 8 << 20,
                                                 .clock = &bed->clock };
    struct table_space_options space = { .directory = !strcmp(bed->engine->name, "memory") ? NULL : bed->directory,
                                         .files = bed->files,
                                         .shard_count = bed->shards,
                                         .batch_retry_ms = bed->batch_retry_ms,
                                         .store = bed->engine,
                                         .table_by_id = bed_table_by_id,
                                         .context = bed,
                                         .clock = &bed->clock };
    struct error err;

    bed_must(bed->engine->environment_open(&options, &bed->environment, &err), &err);
    space.store_environment = bed->environment;
    bed_must(table_space_open(&space, &bed->space, &err), &err);
}

static inline void bed_close_space(struct table_bed *bed)
{
    table_space_close(bed->space);
    bed->engine->environment_close(bed->environment);
}

static inline void bed_open(struct table_bed *bed)
{
    struct keys_provider provider = { bed_master, NULL };
    struct error err;

    bed->def = (struct table_def){ .refs = 1, .id = BED_TABLE, .params = { .gc_grace_s = 864000 } };
    bed->clock = clock_system;
    bed->clock.realtime_us = bed_realtime_us;
    if (!bed->clock_us)
        bed->clock_us = 1000000000000000;
    snprintf(bed->directory, sizeof(bed->directory), "/tmp/helenus-table-XXXXXX");
    assert_non_null(mkdtemp(bed->directory));
    if (bed->files) { /* the same place on the other disk */
        (void)bed->files->ops->make_directory(bed->files, "/tmp", &err);
        (void)bed->files->ops->sync_directory(bed->files, "/", &err);
        bed_must(bed->files->ops->make_directory(bed->files, bed->directory, &err), &err);
        bed_must(bed->files->ops->sync_directory(bed->files, "/tmp", &err), &err);
    }
    bed_must(keys_open_provider(&provider, &bed->keys, &err), &err);
    bed_open_space(bed);
}

static inline void bed_close(struct table_bed *bed)
{
    char command[128];

    bed_close_space(bed);
    keys_close(bed->keys);
    snprintf(command, sizeof(command), "rm -rf '%s'", bed->directory);
    assert_int_equal(system(command), 0);
}

/* Appends a command with fragments to one partition. */
static inline int64_t bed_encode(struct buffer *out, struct bytes partition_key, const struct table_fragment *fragments,
                                 uint32_t count)
{
    struct apply_command command = { .table_id = BED_TABLE,
                                     .partition_key = partition_key,
                                     .token = token_of_partition_key(partition_key),
                                     .fragments = fragments,
                                     .fragment_count = count,
                                     .now_s = 1000000000,
                                     .durable = true };

    table_encode_apply(out, &command);
    return command.token;
}

static inline enum status bed_apply(struct table_port *port, struct bytes partition_key,
                                    const struct table_fragment *fragment, struct error *err)
{
    struct buffer out = { 0 };
    int64_t token = bed_encode(&out, partition_key, fragment, 1);
    enum status status = table_apply_wait(port, buffer_bytes(&out), token, err);

    buffer_fini(&out);
    return status;
}

static inline struct cell bed_cell(uint32_t column, int64_t timestamp_us, struct bytes value)
{
    return (struct cell){
        .column_id = column, .kind = CELL_LIVE, .timestamp_us = timestamp_us, .local_s = TIME_NONE, .value = value
    };
}

static inline struct read_command bed_read(struct bytes partition_key)
{
    return (struct read_command){ .table_id = BED_TABLE,
                                  .partition_key = partition_key,
                                  .token = token_of_partition_key(partition_key),
                                  .rows_wanted = true,
                                  .static_wanted = true,
                                  .row_limit = 100000,
                                  .now_s = 1000000000 };
}

/* xorshift; the seed is not 0 */
static inline uint64_t bed_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

static inline uint32_t bed_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(bed_random(state) % n);
}

#endif
