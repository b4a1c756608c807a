/* What operators ask of a space that serves: flush, compact, and a copy of all shards of one moment. Only the
 * last makes owners stand still: each comes to a stop between two turns, and goes on when all copies are
 * made. */
#include "table/checkpoint.h"

#include "table/layout.h"
#include "table/shard.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

enum { STAND_S = 20 }; /* an owner that waits for its disk longer is not waited for */

/* ---- flush and compact ---- */

enum status table_flush_shard(struct table_space *space, uint32_t shard, struct error *err)
{
    assert(shard < space->shard_count && space->shards[shard].store);
    return space->options.store->flush(space->shards[shard].store, err);
}

enum status table_flush(struct table_space *space, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < space->shard_count && !status; i++)
        status = table_flush_shard(space, i, err);
    return status;
}

/* table_id 0: all of them. Keys begin with their table's id. */
enum status table_compact_shard(struct table_space *space, uint32_t shard, uint64_t table_id, struct error *err)
{
    uint8_t first[8], end[8];
    struct bytes from = { 0 }, to = { 0 };

    assert(shard < space->shard_count && space->shards[shard].store);
    assert(table_id < UINT64_MAX);
    store_be64(first, table_id);
    store_be64(end, table_id + 1);
    if (table_id) {
        from = bytes_of(first, sizeof(first));
        to = bytes_of(end, sizeof(end));
    }
    return space->options.store->compact(space->shards[shard].store, STORE_DATA, from, to, err);
}

enum status table_compact(struct table_space *space, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < space->shard_count && !status; i++)
        status = table_compact_shard(space, i, 0, err);
    return status;
}

/* For a server that stops: a compaction may take hours. */
void table_stop_compactions(struct table_space *space)
{
    for (uint32_t i = 0; i < space->shard_count; i++)
        space->options.store->stop_compactions(space->shards[i].store, true);
}

/* ---- standing still ---- */

void checkpoint_init(struct checkpoint *checkpoint)
{
    pthread_mutex_init(&checkpoint->lock, NULL);
    pthread_cond_init(&checkpoint->changed, NULL);
}

void checkpoint_fini(struct checkpoint *checkpoint)
{
    pthread_mutex_destroy(&checkpoint->lock);
    pthread_cond_destroy(&checkpoint->changed);
}

/* An owner comes to a stop between two turns: what it answered is written, and nothing is half done.
 * As when it sleeps it looks at no port meanwhile: they may close. */
void checkpoint_stand(struct shard *shard)
{
    struct checkpoint *checkpoint = &shard->space->checkpoint;

    atomic_fetch_add(&shard->epoch, 1);
    pthread_mutex_lock(&checkpoint->lock);
    assert(checkpoint->standing < shard->space->shard_count);
    checkpoint->standing++;
    pthread_cond_broadcast(&checkpoint->changed);
    while (atomic_load(&checkpoint->wanted))
        pthread_cond_wait(&checkpoint->changed, &checkpoint->lock);
    assert(checkpoint->standing);
    checkpoint->standing--;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->lock);
    atomic_fetch_add(&shard->epoch, 1);
}

/* Also when not all of them stood: those that do are let go. An owner that comes late finds
 * nothing wanted and goes on at once. */
static void go_on(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->lock);
    assert(atomic_load(&checkpoint->wanted)); /* by us */
    atomic_store(&checkpoint->wanted, false);
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->lock);
}

/* OK: all owners stand, until go_on. So the copies are of one moment over all shards, and a batch
 * over several is in all of them as far as it was in any. An owner that waits for its disk is not
 * waited for long: nobody is served meanwhile. */
static enum status stop_owners(struct table_space *space, struct error *err)
{
    struct checkpoint *checkpoint = &space->checkpoint;
    int64_t end_us;
    bool all = false, is_taken;

    pthread_mutex_lock(&checkpoint->lock);
    is_taken = atomic_load(&checkpoint->wanted);
    atomic_store(&checkpoint->wanted, true);
    pthread_mutex_unlock(&checkpoint->lock);
    if (is_taken)
        return error_set(err, ERR_OVERLOADED, "Another copy is being made");
    for (uint32_t i = 0; i < space->shard_count; i++)
        shard_wake(&space->shards[i]);
    end_us = space_monotonic_us(space) + STAND_S * INT64_C(1000000);
    pthread_mutex_lock(&checkpoint->lock);
    while (checkpoint->standing < space->shard_count &&
           clock_wait(space->options.clock, &checkpoint->changed, &checkpoint->lock, end_us))
        ;
    assert(checkpoint->standing <= space->shard_count);
    all = checkpoint->standing == space->shard_count;
    pthread_mutex_unlock(&checkpoint->lock);
    if (all)
        return OK;
    go_on(checkpoint);
    return error_set(err, ERR_OVERLOADED, "A shard waits for its disk: try again");
}

/* The stores link their files: owners stand for as long as the logs are copied, not the data. */
static enum status copy_shards(struct table_space *space, const char *directory, struct error *err)
{
    enum status status = OK;

    for (uint32_t i = 0; i < space->shard_count && !status; i++) {
        char name[SHARD_NAME_MAX], path[PATH_MAX];

        layout_shard_name(space->generation, i, name);
        if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
            return error_set(err, ERR_CONFIG, "the directory's name is too long");
        status = space->options.store->checkpoint(space->shards[i].store, path, err);
    }
    return status;
}

/* *stood_us tells an operator for how long nobody could write. */
enum status table_checkpoint(struct table_space *space, const char *directory, int64_t *stood_us, struct error *err)
{
    int64_t began_us;
    enum status status;

    if (!space->options.store->checkpoint)
        return error_set(err, ERR_CONFIG, "What is in memory only can't be copied");
    status = stop_owners(space, err);
    if (status)
        return status;
    assert(atomic_load(&space->checkpoint.wanted));
    began_us = space_monotonic_us(space);
    status = copy_shards(space, directory, err);
    go_on(&space->checkpoint);
    *stood_us = space_monotonic_us(space) - began_us;
    return status;
}
