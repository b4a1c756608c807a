/* catalog/removal.h: the kind of job that removes the rows of dropped and truncated tables. For this folder only.
 *
 *     state: table id (8)*       done, total: tables
 *
 * Ids are never given again, so nobody finds those rows meanwhile, and removing them once more does no harm. What is dropped while others
 * wait to be removed goes with them: many tables cost hardly more than one.
 *
 * Thread:  removal_add, removal_undo: with catalog->changing held.
 */
#ifndef CATALOG_REMOVAL_H
#define CATALOG_REMOVAL_H

#include "catalog/job.h"

extern const struct job_kind removal_kind;

struct removal_undo {
    uint64_t job_id; /* 0: there is nothing to undo */
    size_t state_bytes;
    uint64_t total; /* 0: the job was new */
};
/* Rows of these tables are to be removed: part of a job, which is dirty. new_id: if it takes another job. */
struct removal_undo removal_add(struct catalog *catalog, uint64_t new_id, const uint64_t *table_ids, uint32_t count);
/* The change was not saved. */
void removal_undo(struct catalog *catalog, const struct removal_undo *undo);

#endif
