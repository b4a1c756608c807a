/* Jobs: the list, the thread that does them, and the rows that show them; see job.h and jobs.h.
 *
 * A step runs on a copy of the job's work, without any lock, as it may take as long as the disk
 * does. When it ends, the job is looked up again: the list may have been read anew meanwhile, and
 * then what the step did is believed only if the job is still the one that it began with (its
 * stamp).
 *
 * Nothing that a job did is lost by a crash, and nothing is counted as done that was not saved. */
#include "catalog/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "catalog/definitions.h"
#include "catalog/removal.h"
#include "catalog/state.h"

#include <assert.h>
#include <stdlib.h>

enum { TRIED_AGAIN_S = 1 };

/* ---- the list ---- */

void jobs_init(struct jobs *jobs)
{
    *jobs = (struct jobs){ 0 };
    pthread_mutex_init(&jobs->lock, NULL);
}

static void free_job(struct job *job)
{
    buffer_fini(&job->work.state);
    free(job);
}

/* The list's own memory; jobs are owned by it. */
static void clear(struct jobs *jobs)
{
    for (uint32_t i = 0; i < jobs->count; i++)
        free_job(jobs->list[i]);
    free(jobs->list);
    jobs->list = NULL;
    jobs->count = jobs->capacity = 0;
}

void jobs_fini(struct jobs *jobs)
{
    clear(jobs);
    pthread_mutex_destroy(&jobs->lock);
}

/* Where a job of this id stands, or would. */
static uint32_t place_of(const struct jobs *jobs, uint64_t id)
{
    uint32_t low = 0, high = jobs->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (jobs->list[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct job *jobs_find(const struct jobs *jobs, uint64_t id)
{
    uint32_t at = place_of(jobs, id);

    return at < jobs->count && jobs->list[at]->id == id ? jobs->list[at] : NULL;
}

/* The list is sorted by id, and short: only jobs that are not over are in it. Both locks are held,
 * so that who shows the list needs just one. */
struct job *jobs_add(struct jobs *jobs, uint64_t id, struct bytes kind_name, struct bytes state, uint64_t done,
                     uint64_t total)
{
    uint32_t at = place_of(jobs, id);
    struct job *job;

    assert(kind_name.size && kind_name.size <= JOB_KIND_BYTES_MAX && done < total);
    if (at < jobs->count && jobs->list[at]->id == id)
        return NULL;
    /* A copy of all that is given: the caller's bytes may go. */
    job = xcalloc(1, sizeof(*job));
    job->id = id;
    memcpy(job->kind_name, kind_name.data, kind_name.size);
    buffer_append_bytes(&job->work.state, state);
    job->work.done = done;
    job->work.total = total;
    job->is_dirty = true;
    pthread_mutex_lock(&jobs->lock);
    job->stamp = ++jobs->last_stamp;
    if (jobs->count == jobs->capacity) {
        jobs->capacity = jobs->capacity ? jobs->capacity * 2 : 8;
        jobs->list = xrealloc(jobs->list, jobs->capacity * sizeof(struct job *));
    }
    memmove(jobs->list + at + 1, jobs->list + at, (jobs->count - at) * sizeof(struct job *));
    jobs->list[at] = job;
    jobs->count++;
    pthread_mutex_unlock(&jobs->lock);
    return job;
}

/* With `changing` held: finding it needs no lock, as nobody else changes the list. */
void jobs_remove(struct jobs *jobs, struct job *job)
{
    uint32_t at = place_of(jobs, job->id);

    assert(at < jobs->count && jobs->list[at] == job);
    pthread_mutex_lock(&jobs->lock);
    jobs->count--;
    memmove(jobs->list + at, jobs->list + at + 1, (jobs->count - at) * sizeof(struct job *));
    pthread_mutex_unlock(&jobs->lock);
    free_job(job);
}

/* A new stamp: a step that runs meanwhile would otherwise overwrite what is added. None does, which
 * is asserted. */
void jobs_append(struct jobs *jobs, struct job *job, struct bytes state, uint64_t total_more)
{
    assert(!job->is_running && total_more);
    pthread_mutex_lock(&jobs->lock);
    buffer_append_bytes(&job->work.state, state);
    job->work.total += total_more;
    /* Whoever works with the old state must notice. */
    job->stamp = ++jobs->last_stamp;
    job->is_dirty = true;
    pthread_mutex_unlock(&jobs->lock);
}

/* Undoes jobs_append, when the change that made it was not saved. */
void jobs_cut(struct jobs *jobs, struct job *job, size_t state_bytes, uint64_t total)
{
    assert(!job->is_running && state_bytes <= job->work.state.size && total <= job->work.total);
    pthread_mutex_lock(&jobs->lock);
    job->work.state.size = state_bytes;
    job->work.total = total;
    job->is_dirty = false;
    pthread_mutex_unlock(&jobs->lock);
}

void jobs_set_clean(struct jobs *jobs)
{
    for (uint32_t i = 0; i < jobs->count; i++)
        jobs->list[i]->is_dirty = false;
}

/* Which job is running is not on the disk, so it is carried over: the thread will come back for it.
 * All stamps are new, so what that step did is forgotten, and it is done again. */
void jobs_replace(struct jobs *jobs, struct jobs *from)
{
    pthread_mutex_lock(&jobs->lock);
    for (uint32_t i = 0; i < from->count; i++) {
        struct job *job = from->list[i];
        /* Jobs that are not on the disk any more are gone with the old list. */
        const struct job *before = jobs_find(jobs, job->id);

        job->is_running = before && before->is_running;
        job->is_dirty = false;
        job->stamp = ++jobs->last_stamp;
    }
    clear(jobs);
    jobs->list = from->list;
    jobs->count = from->count;
    jobs->capacity = from->capacity;
    pthread_mutex_unlock(&jobs->lock);
    from->list = NULL;
    from->count = from->capacity = 0;
}

/* The catalog's own first, then those it was told of. A kind that is not known is one of a later
 * version: its job waits, and stays on the disk. */
static const struct job_kind *find_kind(const struct catalog *catalog, const char *name)
{
    if (strcmp(name, removal_kind.name) == 0)
        /* Few kinds: a search is enough. */
        return &removal_kind;
    for (uint32_t i = 0; i < catalog->options.job_kind_count; i++)
        if (strcmp(name, catalog->options.job_kinds[i]->name) == 0)
            return catalog->options.job_kinds[i];
    return NULL;
}

void jobs_find_kinds(struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->jobs.count; i++) {
        struct job *job = catalog->jobs.list[i];

        job->kind = find_kind(catalog, job->kind_name);
        if (!job->kind)
            log_warn("catalog", "a job of kind %s waits for a program that knows it", job->kind_name);
    }
}

/* ---- the thread ---- */

/* In turn: the next one behind that of the last step, so that a long job keeps no other waiting.
 * NULL: none can run now. */
static struct job *next_job(const struct jobs *jobs)
{
    uint32_t first = place_of(jobs, jobs->last_id + 1);

    for (uint32_t i = 0; i < jobs->count; i++) {
        struct job *job = jobs->list[(first + i) % jobs->count];

        if (job->kind && !job->failed)
            return job;
    }
    return NULL;
}

static bool any_failed(const struct jobs *jobs)
{
    /* Only to know whether to wait with a limit. */
    for (uint32_t i = 0; i < jobs->count; i++)
        if (jobs->list[i]->failed)
            return true;
    return false;
}

/* Of what is shown without `changing`: so it is changed under the list's lock as well. */
static void set_running(struct jobs *jobs, struct job *job, bool is_running)
{
    pthread_mutex_lock(&jobs->lock);
    assert(job->is_running != is_running); /* one step of it at a time */
    job->is_running = is_running;
    pthread_mutex_unlock(&jobs->lock);
}

static void set_failed(struct jobs *jobs, struct job *job, enum status failed)
{
    pthread_mutex_lock(&jobs->lock);
    job->failed = failed;
    pthread_mutex_unlock(&jobs->lock);
}

/* What a step did becomes durable, and then ours. In doubt, nothing is written: what is on the disk
 * may be more than we know of, and a job that is over comes back when that is read, to be done once
 * more. */
static enum status settle(struct catalog *catalog, struct table_port *port, struct job *job, struct job_work *work,
                          struct error *err)
{
    /* Not saved in doubt, but taken over in memory: the next reading of the disk puts it right. */
    enum status status = catalog->in_doubt ? OK : definitions_save_job(catalog, port, job, work, err);

    assert(work->done <= work->total);
    if (status)
        return status;
    if (work->done == work->total) {
        jobs_remove(&catalog->jobs, job);
        return OK;
    }
    pthread_mutex_lock(&catalog->jobs.lock);
    buffer_fini(&job->work.state);
    job->work = *work;
    *work = (struct job_work){ 0 };
    pthread_mutex_unlock(&catalog->jobs.lock);
    return OK;
}

/* With `changing` held, but not while it works: definitions can be changed while rows are removed,
 * which may take minutes. */
static void run_step(struct catalog *catalog, struct table_port *port, struct job *job)
{
    const struct job_kind *kind = job->kind;
    struct job_work work = { .done = job->work.done, .total = job->work.total };
    uint64_t id = job->id, stamp = job->stamp;
    struct error err;
    enum status status;

    assert(kind && work.done < work.total);
    buffer_append_bytes(&work.state, buffer_bytes(&job->work.state));
    set_running(&catalog->jobs, job, true);
    catalog->jobs.last_id = id;
    /* From here until the lock is taken again, the job may go, or become another. */
    pthread_mutex_unlock(&catalog->changing);
    status = kind->step(kind->context, port, &work, &err);
    pthread_mutex_lock(&catalog->changing);
    job = jobs_find(&catalog->jobs, id);
    if (job)
        set_running(&catalog->jobs, job, false);
    if (job && !status && job->stamp == stamp)
        status = settle(catalog, port, job, &work, &err);
    if (status) {
        /* By status only: the message may hold names. */
        log_warn("catalog", "a step of a job of kind %s failed, and is tried again: %s", kind->name,
                 status_name(status));
        /* catalog_end_jobs gives it to whoever waits. */
        catalog->job_error = err;
        job = jobs_find(&catalog->jobs, id);
    }
    if (job && status)
        set_failed(&catalog->jobs, job, status);
    buffer_fini(&work.state);
}

/* What failed waits for a second, unless there is something new: a full disk stays full for a
 * while, and must not be asked without pause. */
static void wait_for_work(struct catalog *catalog)
{
    struct jobs *jobs = &catalog->jobs;
    int64_t again_us;

    if (!any_failed(jobs)) {
        pthread_cond_wait(&catalog->has_job, &catalog->changing);
        return;
    }
    again_us = clock_monotonic_us(catalog->options.clock) + TRIED_AGAIN_S * INT64_C(1000000);
    (void)clock_wait(catalog->options.clock, &catalog->has_job, &catalog->changing, again_us);
    for (uint32_t i = 0; i < jobs->count; i++)
        set_failed(jobs, jobs->list[i], OK);
}

/* What was decided is done: a step at a time, until the space is gone. */
void *jobs_run(void *context)
{
    struct catalog *catalog = context;
    struct table_port *port;

    /* As operators see it in a list of threads. */
    pthread_setname_np(pthread_self(), "remover");
    pthread_mutex_lock(&catalog->changing);
    /* The port is this thread's own. */
    port = catalog->space ? table_port_open(catalog->space) : NULL;
    while (catalog->space) {
        struct job *job = next_job(&catalog->jobs);

        if (!job) {
            wait_for_work(catalog);
            continue;
        }
        run_step(catalog, port, job);
        /* Whoever waits for the end looks again. */
        pthread_cond_broadcast(&catalog->job_stepped);
    }
    pthread_mutex_unlock(&catalog->changing);
    if (port)
        table_port_close(port);
    return NULL;
}

/* ---- for everybody ---- */

/* For tests and tools: over is when only jobs of unknown kinds are left, which this program cannot
 * end. */
enum status catalog_end_jobs(struct catalog *catalog, struct error *err)
{
    enum status status;

    pthread_mutex_lock(&catalog->changing);
    error_clear(&catalog->job_error);
    for (;;) {
        bool is_over = true;

        for (uint32_t i = 0; i < catalog->jobs.count; i++)
            is_over &= !catalog->jobs.list[i]->kind;
        if (is_over || catalog->job_error.status)
            break;
        pthread_cond_wait(&catalog->job_stepped, &catalog->changing);
    }
    status = catalog->job_error.status;
    if (status)
        *err = catalog->job_error;
    pthread_mutex_unlock(&catalog->changing);
    return status;
}

const char catalog_jobs_create_table[] =
    "CREATE TABLE system_views.helenus_jobs (id bigint PRIMARY KEY, done bigint, failure text, kind text, "
    "running boolean, total bigint, unit text) WITH comment = 'work that goes on behind the answers, and after a "
    "restart'";

/* In the order of SELECT *. */
/* Numbers are kept in arrays of the same order, so a row is put together by column. */
enum column { ID, DONE, FAILURE, KIND, RUNNING, TOTAL, UNIT, COLUMN_COUNT };

/* Numbers as bigint; what is null is left out. */
static void emit_job(struct virtual_emit *emit, const struct job *job)
{
    const uint64_t numbers[COLUMN_COUNT] = { [ID] = job->id, [DONE] = job->work.done, [TOTAL] = job->work.total };
    struct bytes values[COLUMN_COUNT] = { 0 };
    uint8_t bytes[COLUMN_COUNT][8];

    for (int i = 0; i < COLUMN_COUNT; i++)
        if (i == ID || i == DONE || i == TOTAL) {
            store_be64(bytes[i], numbers[i]);
            values[i] = bytes_of(bytes[i], 8);
        }
    values[KIND] = bytes_of_string(job->kind_name);
    values[RUNNING] = job->is_running ? bytes_of("\1", 1) : bytes_of("\0", 1);
    if (job->kind)
        values[UNIT] = bytes_of_string(job->kind->unit);
    if (job->failed)
        values[FAILURE] = bytes_of_string(status_name(job->failed));
    emit->row(emit, values);
}

/* Waits for no disk: the list's own lock is enough. */
static void job_rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct catalog *catalog = self->context;

    pthread_mutex_lock(&catalog->jobs.lock);
    for (uint32_t i = 0; i < catalog->jobs.count; i++)
        emit_job(emit, catalog->jobs.list[i]);
    pthread_mutex_unlock(&catalog->jobs.lock);
}

const struct virtual_table *catalog_jobs_table(struct catalog *catalog)
{
    catalog->jobs_table = (struct virtual_table){ .rows = job_rows, .context = catalog };
    return &catalog->jobs_table;
}
