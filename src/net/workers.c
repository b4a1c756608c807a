/* Threads for what may wait. A queue for each group, in which jobs stand in the order they came,
 * and one number for each job, which tells between groups who was first. A group that waits for
 * something that stands still (a disk, say) can occupy only a part of the threads, so that the
 * others' jobs go on.
 *
 * One lock for all: jobs wait for disks, and take thousands of times longer than the lock is held. */
#include "net/workers.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Its last member is one pthread_t for each worker. */
struct workers {
    struct workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct worker_group {
        struct worker_job *first; /* borrowed jobs, in order */
        struct worker_job **last;
        uint32_t queued, running;
    } * groups; /* owned */
    uint32_t group_running_max;
    uint64_t submitted;
    uint32_t queued;
    uint32_t running;
    bool is_ending;
    pthread_t threads[];
};

/* The group whose turn it is: of those that may run one more, with the job that came first. */
static struct worker_group *next_group(struct workers *workers)
{
    struct worker_group *next = NULL;

    for (uint32_t i = 0; i < workers->options.group_count; i++) {
        struct worker_group *group = &workers->groups[i];

        if (group->first && (i == 0 || group->running < workers->group_running_max) &&
            (!next || group->first->number < next->first->number))
            next = group;
    }
    return next;
}

/* NULL: the end, and nothing is queued any more. A queue that is not empty is run out also at the
 * end, since somebody waits for each job. */
static struct worker_job *take(struct workers *workers)
{
    struct worker_job *job = NULL;
    struct worker_group *group;

    pthread_mutex_lock(&workers->lock);
    while (!(group = next_group(workers)) && (!workers->is_ending || workers->queued))
        pthread_cond_wait(&workers->has_work, &workers->lock);
    if (group) {
        assert(workers->queued > 0);
        job = group->first;
        group->first = job->next;
        if (!group->first)
            group->last = &group->first;
        group->queued--;
        group->running++;
        workers->queued--;
        workers->running++;
    }
    pthread_mutex_unlock(&workers->lock);
    return job;
}

/* Another of the group may begin, if somebody sleeps because it had enough; at the end, whoever
 * waits for the rest looks again. */
static void ran(struct workers *workers, uint32_t group)
{
    pthread_mutex_lock(&workers->lock);
    assert(workers->groups[group].running > 0 && workers->running > 0);
    workers->groups[group].running--;
    workers->running--;
    if (workers->is_ending)
        pthread_cond_broadcast(&workers->has_work);
    else if (workers->groups[group].first)
        pthread_cond_signal(&workers->has_work);
    pthread_mutex_unlock(&workers->lock);
}

static void task_done(struct loop_task *task)
{
    struct worker_job *job = CONTAINER_OF(task, struct worker_job, task);

    job->done(job);
}

/* However many long jobs run, who must not wait finds a processor that none of them holds: to be
 * nicer alone still lets each of them end its slice, some milliseconds. */
static void spare_processor(void)
{
    cpu_set_t processors;

    if (pthread_getaffinity_np(pthread_self(), sizeof(processors), &processors) || CPU_COUNT(&processors) < 2)
        return; /* more than a set can name: then there are enough of them */
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &processors)) {
            CPU_CLR(i, &processors);
            break;
        }
    (void)pthread_setaffinity_np(pthread_self(), sizeof(processors), &processors);
}

/* After a job was run, and before its completion is posted, nothing of it may be touched that is
 * needed later: once posted it belongs to its loop again, which may free it. A job without `done`
 * belongs to nobody after it ran, so what is needed of it is read before. */
static void *worker_main(void *argument)
{
    struct workers *workers = argument;
    void *local;

    if (workers->options.niceness) /* of this thread alone; more of it is always allowed */
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), workers->options.niceness);
    if (workers->options.spares_processor)
        spare_processor();
    local = workers->options.start ? workers->options.start(workers->options.context) : NULL;
    for (struct worker_job *job; (job = take(workers));) {
        /* Once it is posted, the job is its owner's again. */
        struct loop *loop = job->loop;
        bool is_awaited = job->done != NULL;
        uint32_t group = job->group;

        job->run(job, local);
        ran(workers, group);
        if (is_awaited) {
            job->task = (struct loop_task){ .run = task_done };
            loop_post(loop, &job->task);
        }
    }
    if (workers->options.stop)
        workers->options.stop(local);
    return NULL;
}

/* One thread is left for each other group, as far as half of them go. */
static uint32_t group_running_max(uint32_t threads, uint32_t group_count)
{
    uint32_t others = group_count > 2 ? group_count - 2 : 0; /* without group 0 */

    return threads - (others < threads / 2 ? others : threads / 2);
}

/* Threads that could not be started end those that were: then nothing is left behind. */
enum status workers_new(const struct workers_options *options, struct workers **result, struct error *err)
{
    struct workers *workers = xcalloc(1, sizeof(*workers) + sizeof(pthread_t) * options->count);

    assert(options->count > 0 && options->queue_jobs_max > 0);
    workers->options = *options;
    if (!workers->options.group_count)
        workers->options.group_count = 1;
    workers->groups = xcalloc(workers->options.group_count, sizeof(*workers->groups));
    for (uint32_t i = 0; i < workers->options.group_count; i++)
        workers->groups[i].last = &workers->groups[i].first;
    workers->group_running_max = group_running_max(options->count, workers->options.group_count);
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->has_work, NULL);
    for (uint32_t i = 0; i < options->count; i++) {
        char name[16];
        int failed = pthread_create(&workers->threads[i], NULL, worker_main, workers);

        if (failed) {
            workers->options.count = i; /* those that there are end */
            workers_free(workers);
            return error_set_os(err, failed, "Cannot start worker %u of %u", i + 1, options->count);
        }
        snprintf(name, sizeof(name), "%.10s-%u", options->thread_name ? options->thread_name : "worker", i % 1000);
        pthread_setname_np(workers->threads[i], name);
    }
    *result = workers;
    return OK;
}

/* After the last submit. Waits for what is queued and running. */
void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->is_ending = true;
    pthread_cond_broadcast(&workers->has_work);
    pthread_mutex_unlock(&workers->lock);
    for (uint32_t i = 0; i < workers->options.count; i++)
        pthread_join(workers->threads[i], NULL);
    assert(!workers->queued && !workers->running);
    pthread_cond_destroy(&workers->has_work);
    pthread_mutex_destroy(&workers->lock);
    free(workers->groups);
    free(workers);
}

/* False: the group's queue is full. The caller then refuses its request, as waiting here would make a loop
 * wait. */
bool workers_submit(struct workers *workers, struct worker_job *job)
{
    struct worker_group *group = &workers->groups[job->group];
    bool has_room;

    assert((!job->done || job->loop) && job->group < workers->options.group_count);
    pthread_mutex_lock(&workers->lock);
    has_room = group->queued < workers->options.queue_jobs_max;
    if (has_room) {
        job->next = NULL;
        job->number = workers->submitted++;
        *group->last = job;
        group->last = &job->next;
        group->queued++;
        workers->queued++;
        pthread_cond_signal(&workers->has_work);
    }
    pthread_mutex_unlock(&workers->lock);
    return has_room;
}

uint32_t workers_pending(struct workers *workers)
{
    uint32_t pending;

    pthread_mutex_lock(&workers->lock);
    pending = workers->queued + workers->running;
    pthread_mutex_unlock(&workers->lock);
    return pending;
}
