/* A body that does harm; see disk.h. */
#include "disk.h"

#include "fiber.h"

#include "base/memory.h"
#include "store/memory/memory.h"
#include "store/over.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a store on memory would have on its disk. */
struct platter {
    char *path;                   /* owned */
    struct store_batch **batches; /* owned */
    uint32_t count, capacity, synced;
    struct platter *next;
};

struct disk {
    const struct store_ops *below;
    struct store_ops ops;
    bool keeps; /* below forgets all: platters are ours */
    bool is_off, lies;
    uint32_t cold;
    uint32_t fail_after, fail_writes, fail_resumes;
    struct platter *platters; /* owned */
};

static struct disk *disk; /* the process's */

struct sim_store {
    struct store *below;
    struct platter *platter;
    struct store_batch *in_doubt; /* owned: of a write that failed; NULL: none */
    bool in_doubt_durable;
    bool refuses, resumes;
};

static struct sim_store *of(struct store *store)
{
    return (struct sim_store *)store;
}

/* ---- platters ---- */

static struct platter *platter_of(const char *path)
{
    struct platter *platter;

    for (platter = disk->platters; platter; platter = platter->next)
        if (!strcmp(platter->path, path))
            return platter;
    platter = xcalloc(1, sizeof(*platter));
    platter->path = xstrdup(path);
    platter->next = disk->platters;
    disk->platters = platter;
    return platter;
}

static struct store_batch *copy(const struct store_batch *batch)
{
    struct store_batch *other = store_batch_new();

    for (size_t i = 0; i < store_batch_count(batch); i++) {
        struct store_op op = store_batch_at(batch, i);

        store_batch_add(other, &op);
    }
    return other;
}

static void keep(struct platter *platter, struct store_batch *batch, bool durable)
{
    if (platter->count == platter->capacity) {
        platter->capacity = platter->capacity ? 2 * platter->capacity : 32;
        platter->batches = xrealloc(platter->batches, platter->capacity * sizeof(struct store_batch *));
    }
    platter->batches[platter->count++] = batch;
    if (durable && !disk->lies)
        platter->synced = platter->count;
}

/* Of what was not synced some is there all the same, from the front. */
static void lose(struct platter *platter)
{
    uint32_t left = platter->synced + (uint32_t)sim_draw(platter->count - platter->synced + 1);

    while (platter->count > left)
        store_batch_free(platter->batches[--platter->count]);
    platter->synced = left;
}

/* ---- faults ---- */

static enum status power_is_off(struct error *err)
{
    return error_set(err, ERR_IO, "the power is off");
}

static bool is_refused(bool may_wait)
{
    return !may_wait && disk->cold && sim_draw(disk->cold) == 0;
}

static enum status refuse(struct error *err)
{
    return error_set(err, ERR_WOULD_WAIT, "cold");
}

static enum status may_read(bool may_wait, struct error *err)
{
    if (disk->is_off)
        return power_is_off(err);
    return is_refused(may_wait) ? refuse(err) : OK;
}

static bool write_fails(void)
{
    if (!disk->fail_writes)
        return false;
    if (disk->fail_after) {
        disk->fail_after--;
        return false;
    }
    disk->fail_writes--;
    return true;
}

/* ---- the body ---- */

static enum status sim_open(const struct store_options *options, struct store **result, struct error *err)
{
    struct sim_store *store = xcalloc(1, sizeof(*store));
    enum status status = disk->below->open(options, &store->below, err);

    if (status) {
        free(store);
        return status;
    }
    if (disk->keeps) {
        store->platter = platter_of(options->path);
        for (uint32_t i = 0; i < store->platter->count && !status; i++)
            status = disk->below->write(store->below, store->platter->batches[i], true, err);
        assert(!status);
    }
    *result = (struct store *)store;
    return OK;
}

static void sim_close(struct store *base)
{
    struct sim_store *store = of(base);

    if (store->in_doubt) { /* the machine goes on: what a failed write left is there or not */
        if (store->platter && sim_draw(2))
            keep(store->platter, store->in_doubt, store->in_doubt_durable);
        else
            store_batch_free(store->in_doubt);
    } else if (store->platter && !disk->is_off && !disk->lies) {
        store->platter->synced = store->platter->count;
    }
    disk->below->close(store->below);
    free(store);
}

static enum status fail(struct sim_store *store, const struct store_batch *batch, bool durable, struct error *err)
{
    if (disk->keeps) {
        store->in_doubt = copy(batch);
        store->in_doubt_durable = durable;
    }
    store->refuses = true;
    return disk->is_off ? power_is_off(err) : error_set(err, sim_draw(2) ? ERR_IO : ERR_NO_SPACE, "the disk failed");
}

static enum status sim_write(struct store *base, const struct store_batch *batch, bool durable, struct error *err)
{
    struct sim_store *store = of(base);
    enum status status;

    fiber_may_switch();
    if (store->refuses)
        return error_set(err, ERR_IO, "it failed before");
    if (write_fails())
        return disk->keeps ? fail(store, batch, durable, err) : error_set(err, ERR_IO, "the disk failed");
    if (disk->is_off)
        return disk->keeps ? fail(store, batch, durable, err) : disk->below->write(store->below, batch, durable, err);
    status = disk->below->write(store->below, batch, durable, err);
    if (!status && disk->keeps)
        keep(store->platter, copy(batch), durable);
    fiber_may_switch();
    return status;
}

static enum status sim_health(struct store *base)
{
    return of(base)->refuses ? ERR_IO : disk->below->health(of(base)->below);
}

static enum status sim_resume(struct store *base, struct error *err)
{
    struct sim_store *store = of(base);
    enum status status = OK;

    fiber_may_switch();
    if (disk->is_off)
        return power_is_off(err);
    if (disk->fail_resumes) {
        disk->fail_resumes--;
        return error_set(err, ERR_NO_SPACE, "still full");
    }
    if (!disk->keeps) {
        store->resumes = true;
        status = disk->below->resume(store->below, err);
        store->resumes = false;
        return status;
    }
    if (store->in_doubt && sim_draw(2)) {
        status = disk->below->write(store->below, store->in_doubt, true, err);
        assert(!status);
        keep(store->platter, store->in_doubt, store->in_doubt_durable);
    } else if (store->in_doubt) {
        store_batch_free(store->in_doubt);
    }
    store->in_doubt = NULL;
    store->refuses = false;
    return OK;
}

/* A body that is being opened again would make us wait in the machine: nobody asks it then. */
static enum status enter(struct sim_store *store, bool may_wait, struct error *err)
{
    fiber_may_switch();
    while (store->resumes) {
        if (!may_wait)
            return refuse(err);
        fiber_sleep(100);
    }
    return may_read(may_wait, err);
}

static enum status before_move(bool may_wait, struct error *err)
{
    fiber_may_switch();
    return may_read(may_wait, err);
}

static enum status sim_get(struct store *base, enum store_family family, struct bytes key,
                           const struct store_read_options *options, struct store_value *value, struct error *err)
{
    enum status status = enter(of(base), options->may_wait, err);

    return status ? status : disk->below->get(of(base)->below, family, key, options, value, err);
}

static enum status sim_snapshot(struct store *base, bool may_wait, struct store_snapshot **snapshot, struct error *err)
{
    enum status status = enter(of(base), may_wait, err);

    return status ? status : disk->below->snapshot(of(base)->below, may_wait, snapshot, err);
}

static void sim_snapshot_release(struct store *base, struct store_snapshot *snapshot)
{
    disk->below->snapshot_release(of(base)->below, snapshot);
}

static uint64_t sim_sequence(struct store *base)
{
    return disk->below->sequence(of(base)->below);
}

static enum status sim_scan_open(struct store *base, const struct store_scan_options *options,
                                 struct store_scan **result, struct error *err)
{
    struct store_scan *scan;
    enum status status = enter(of(base), options->may_wait, err);

    if (!status)
        status = disk->below->scan_open(of(base)->below, options, &scan, err);
    if (!status)
        *result = over_scan(&disk->ops, scan, options->may_wait, before_move);
    return status;
}

static enum status sim_flush(struct store *base, struct error *err)
{
    return disk->is_off ? power_is_off(err) : disk->below->flush(of(base)->below, err);
}

static enum status sim_compact(struct store *base, enum store_family family, struct bytes first, struct bytes end,
                               struct error *err)
{
    return disk->is_off ? power_is_off(err) : disk->below->compact(of(base)->below, family, first, end, err);
}

static void sim_stop_compactions(struct store *base, bool stop)
{
    disk->below->stop_compactions(of(base)->below, stop);
}

static enum status sim_remove_files(struct store *base, enum store_family family, struct bytes first, struct bytes end,
                                    struct error *err)
{
    fiber_may_switch();
    return disk->is_off ? power_is_off(err) : disk->below->remove_files(of(base)->below, family, first, end, err);
}

static void sim_properties(struct store *base, struct store_properties *properties)
{
    disk->below->properties(of(base)->below, properties);
}

/* ---- for the simulation ---- */

struct disk *disk_new(const struct store_ops *below)
{
    assert(!disk);
    disk = xcalloc(1, sizeof(*disk));
    disk->below = below;
    disk->keeps = below == &store_memory_ops;
    disk->ops = *below; /* environments are the body's; logs and copies nobody asks for */
    disk->ops.open = sim_open;
    disk->ops.close = sim_close;
    disk->ops.write = sim_write;
    disk->ops.get = sim_get;
    disk->ops.scan_open = sim_scan_open;
    over_set_scans(&disk->ops);
    disk->ops.snapshot = sim_snapshot;
    disk->ops.snapshot_release = sim_snapshot_release;
    disk->ops.sequence = sim_sequence;
    disk->ops.flush = sim_flush;
    disk->ops.compact = sim_compact;
    disk->ops.stop_compactions = sim_stop_compactions;
    disk->ops.remove_files = sim_remove_files;
    disk->ops.properties = sim_properties;
    disk->ops.health = sim_health;
    disk->ops.resume = sim_resume;
    return disk;
}

void disk_free(struct disk *old)
{
    while (disk->platters) {
        struct platter *platter = disk->platters;

        disk->platters = platter->next;
        for (uint32_t i = 0; i < platter->count; i++)
            store_batch_free(platter->batches[i]);
        free(platter->batches);
        free(platter->path);
        free(platter);
    }
    free(disk);
    disk = NULL;
}

const struct store_ops *disk_ops(struct disk *self)
{
    return &self->ops;
}

void disk_set_cold(struct disk *self, uint32_t one_in)
{
    self->cold = one_in;
}

void disk_fail_writes(struct disk *self, uint32_t after, uint32_t writes, uint32_t resumes)
{
    self->fail_after = after;
    self->fail_writes = writes;
    self->fail_resumes = resumes;
}

bool disk_is_failing(const struct disk *self)
{
    return self->fail_writes || self->fail_resumes;
}

void disk_cut(struct disk *self)
{
    self->is_off = true;
}

void disk_restore(struct disk *self)
{
    for (struct platter *platter = self->platters; platter; platter = platter->next)
        lose(platter);
    self->is_off = false;
}

bool disk_is_off(const struct disk *self)
{
    return self->is_off;
}

void disk_lie_about_syncs(struct disk *self, bool lies)
{
    self->lies = lies;
}
