/* catalog/jobs.h: the list of jobs that are not done yet, as it is on the disk. For this folder only.
 *
 * Thread:  changed with catalog->changing and `lock` held, so either is enough to read it.
 */
#ifndef CATALOG_JOBS_H
#define CATALOG_JOBS_H

#include "catalog/job.h"

#include <pthread.h>

struct job {
    uint64_t id;
    char kind_name[JOB_KIND_BYTES_MAX + 1];
    const struct job_kind *kind; /* borrowed; NULL: not known to this program, so it waits for one that does */
    struct job_work work;        /* owned */
    uint64_t stamp;              /* another one after each change that was not a step's */
    bool is_dirty;               /* to be written with the next change */
    bool is_running;
    enum status failed; /* the last step; it waits to be tried again */
};

struct jobs {
    pthread_mutex_t lock;
    struct job **list; /* owned; by id */
    uint32_t count, capacity;
    uint64_t last_stamp;
    uint64_t last_id; /* the job whose step was the last */
};

void jobs_init(struct jobs *jobs);
void jobs_fini(struct jobs *jobs);
struct job *jobs_find(const struct jobs *jobs, uint64_t id);
/* A new one, dirty, or NULL if there is one of that id. State is copied. */
struct job *jobs_add(struct jobs *jobs, uint64_t id, struct bytes kind_name, struct bytes state, uint64_t done,
                     uint64_t total);
void jobs_remove(struct jobs *jobs, struct job *job);
/* More for a job that isn't running: dirty. Undone by jobs_cut. */
void jobs_append(struct jobs *jobs, struct job *job, struct bytes state, uint64_t total_more);
void jobs_cut(struct jobs *jobs, struct job *job, size_t state_bytes, uint64_t total);
void jobs_set_clean(struct jobs *jobs);
/* What was read replaces what was there, and `from` is empty afterwards; what runs goes on. */
void jobs_replace(struct jobs *jobs, struct jobs *from);

/* Kinds by name, of the catalog's own and those it was told of. */
void jobs_find_kinds(struct catalog *catalog);

/* The thread of jobs: argument and life as pthread_create has them; ends when catalog->space is NULL. */
void *jobs_run(void *catalog);

#endif
