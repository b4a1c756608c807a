/* Rows of tables that are no longer; see removal.h. A step removes many tables at once: each shard
 * goes over its keys once for all of them, so a hundred drops cost little more than one. */
#include "catalog/removal.h"

#include "catalog/jobs.h"
#include "catalog/state.h"

#include <assert.h>
#include <stdlib.h>

/* As many ids make a state of 32 KiB. */
enum { REMOVALS_AT_ONCE = 4096, ID_BYTES = 8 };

/* A step that was done and not saved is done again: removing what is not there changes nothing, and
 * the ids are never given again. */
static enum status step(void *context, struct table_port *port, struct job_work *work, struct error *err)
{
    uint64_t left = work->total - work->done;
    uint32_t count = left < REMOVALS_AT_ONCE ? (uint32_t)left : REMOVALS_AT_ONCE;
    uint64_t *ids;
    enum status status;

    assert(work->done < work->total);
    if (work->state.size != work->total * ID_BYTES)
        return error_set(err, ERR_CORRUPT, "the list of tables to be removed is damaged");
    ids = xmalloc((count + 1) * sizeof(*ids));
    for (uint32_t i = 0; i < count; i++)
        ids[i] = load_be64(work->state.data + (work->done + i) * ID_BYTES);
    status = table_remove_all(port, ids, count, err);
    free(ids);
    if (!status)
        work->done += count;
    return status;
}

const struct job_kind removal_kind = { .name = "removal", .unit = "tables", .step = step };

/* One that has not begun, and has room: what is dropped in quick succession is removed together.
 * One that runs works on a copy of its state, and would not see what is added. */
static struct job *waiting_job(struct catalog *catalog, uint32_t count)
{
    struct jobs *jobs = &catalog->jobs;
    struct job *last = NULL;

    for (uint32_t i = 0; i < jobs->count; i++)
        if (jobs->list[i]->kind == &removal_kind && !jobs->list[i]->is_running && !jobs->list[i]->work.done)
            last = jobs->list[i];
    return last && last->work.total + count <= REMOVALS_AT_ONCE ? last : NULL;
}

/* With `changing` held, before the change is saved; the job is written by the same command. */
struct removal_undo removal_add(struct catalog *catalog, uint64_t new_id, const uint64_t *table_ids, uint32_t count)
{
    struct removal_undo undo = { 0 };
    struct buffer state = { 0 };
    struct job *job;

    if (!count)
        return undo;
    for (uint32_t i = 0; i < count; i++)
        buffer_append_be64(&state, table_ids[i]);
    job = waiting_job(catalog, count);
    if (job) {
        undo = (struct removal_undo){ job->id, job->work.state.size, job->work.total };
        jobs_append(&catalog->jobs, job, buffer_bytes(&state), count);
    } else {
        job = jobs_add(&catalog->jobs, new_id, bytes_of_string(removal_kind.name), buffer_bytes(&state), 0, count);
        assert(job); /* ids are given once */
        job->kind = &removal_kind;
        undo.job_id = job->id;
    }
    buffer_fini(&state);
    return undo;
}

/* The change was refused or is in doubt: the job must be as it was, or it would remove the rows of
 * tables that are still there. */
void removal_undo(struct catalog *catalog, const struct removal_undo *undo)
{
    struct job *job;

    if (!undo->job_id)
        return;
    job = jobs_find(&catalog->jobs, undo->job_id);
    assert(job && !job->is_running); /* the change held `changing` all the time */
    if (undo->total)
        jobs_cut(&catalog->jobs, job, undo->state_bytes, undo->total);
    else
        jobs_remove(&catalog->jobs, job);
}

/* For metrics. The list's own lock is enough, and is held only for a moment. */
uint64_t catalog_removal_count(struct catalog *catalog)
{
    struct jobs *jobs = &catalog->jobs;
    uint64_t count = 0;

    pthread_mutex_lock(&jobs->lock);
    for (uint32_t i = 0; i < jobs->count; i++)
        if (jobs->list[i]->kind == &removal_kind)
            count += jobs->list[i]->work.total - jobs->list[i]->work.done;
    pthread_mutex_unlock(&jobs->lock);
    return count;
}
