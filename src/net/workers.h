/* net/workers.h: threads that may wait: for the disk, for a name, for another process.
 *
 * Jobs begin in the order they came, but that those of one group (what waits for one disk, say) never have all threads: a disk that
 * stands still holds its own.
 *
 * Shapes:  a job is embedded in the caller's struct. `run` is called on a worker; then `done` on the job's loop.
 * Owns:    what `start` returned for each worker is given back to `stop` on the same thread.
 * Errors:  workers_submit says false when the group's queue is full (it is bounded by jobs); nothing was done then.
 * Thread:  workers_submit: any thread. workers_free: after the last submit; it runs out the queue.
 */
#ifndef NET_WORKERS_H
#define NET_WORKERS_H

#include "net/loop.h"

struct workers;

struct worker_job {
    struct worker_job *next;                          /* the workers' */
    void (*run)(struct worker_job *job, void *local); /* on a worker; local: what start gave it */
    void (*done)(struct worker_job *job);             /* on the loop; NULL: nobody waits */
    struct loop *loop;                                /* NULL with done NULL */
    uint32_t group;                                   /* below group_count; 0: of none */
    uint64_t number;                                  /* the workers' */
    struct loop_task task;                            /* the workers' */
};

struct workers_options {
    uint32_t group_count; /* 0: 1 */
    uint32_t count;
    uint32_t queue_jobs_max;       /* of each group */
    const char *thread_name;       /* at most 12 characters */
    int niceness;                  /* how far they stand back from who must not wait; 0: not at all */
    bool spares_processor;         /* where the process may run on several, one of them has none of these threads */
    void *(*start)(void *context); /* on each worker, before its first job; NULL: none */
    void (*stop)(void *local);     /* on each worker, at its end; NULL: none */
    void *context;
};

/* ERR_IO: the system has no thread to give. */
enum status workers_new(const struct workers_options *options, struct workers **result, struct error *err);
void workers_free(struct workers *workers);
/* Of group 0 as many as there are threads run at once; of another one fewer for each other such group, at least half. */
bool workers_submit(struct workers *workers, struct worker_job *job);
/* Jobs waiting or running. */
uint32_t workers_pending(struct workers *workers);

#endif
