/* catalog/job.h: durable jobs: work that is decided at once and done behind the answer, by one thread, and after a crash by the next start.
 *
 * A job is a kind, its state (bytes that only its kind reads) and how much of it is done. It stands in the same partition as the
 * definitions (catalog/definitions.h), so a change and the work that it leaves are written by one command. The thread does a step
 * of each job in turn; what a step changed is saved before the next one. So a step whose end was not saved is done once more: it
 * must not matter. What fails is tried again after a second, and at the next start; other jobs go on meanwhile.
 *
 * Shapes:  done and total count in the kind's unit; done = total: the job is over, and forgotten. Ids grow and are never given again.
 * Errors:  those of table_apply_wait; what a step says is kept, shown and logged.
 * Thread:  any; a step runs on the thread of jobs, which may wait for the disk. Adding and waiting: never on a loop.
 */
#ifndef CATALOG_JOB_H
#define CATALOG_JOB_H

#include "base/buffer.h"
#include "catalog/catalog.h"

enum { JOB_KIND_BYTES_MAX = 31 };

/* What a step works on: as it was saved, and as it is to be saved. */
struct job_work {
    struct buffer state;
    uint64_t done, total;
};

struct job_kind {
    const char *name; /* on the disk: never change it */
    const char *unit;
    enum status (*step)(void *context, struct table_port *port, struct job_work *work, struct error *err);
    void *context;
};

/* A job of a kind that the catalog was told of (catalog_options.job_kinds). It is durable when this returns OK. total > 0. */
enum status catalog_add_job(struct catalog *catalog, struct table_port *port, const struct job_kind *kind,
                            struct bytes state, uint64_t total, struct error *err);
/* Waits until there are none but those of kinds that this program doesn't know, or one failed. */
enum status catalog_end_jobs(struct catalog *catalog, struct error *err);

/* For catalog_register: system_views.helenus_jobs, a row for each job. */
extern const char catalog_jobs_create_table[];
const struct virtual_table *catalog_jobs_table(struct catalog *catalog);

#endif
