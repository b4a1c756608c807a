/* catalog/state.h: what the files of this folder share
 *
 * Thread:  as said at the locks; what neither guards is written before catalog_new returns.
 */
#ifndef CATALOG_STATE_H
#define CATALOG_STATE_H

#include "catalog/account.h"
#include "catalog/jobs.h"
#include "catalog/owners.h"

/* Ids of our own tables, on the disk: never change them. */
enum { CATALOG_OLD_TABLE_ID = 1, CATALOG_TABLE_ID = 2, CATALOG_IDENTITIES_ID = 3, CATALOG_TABLE_IDS_FROM = 1 << 30 };

struct catalog {
    struct catalog_options options;
    char *cluster_name; /* owned */
    int64_t started_s;
    uint8_t host_id[16];
    struct table_def *own_table;  /* system.helenus_definitions: not in the schema, nobody else sees it */
    struct table_def *identities; /* system.helenus_identities: the same */
    struct table_def *old_table;  /* where format 2 has its definitions; NULL: the directory was not of format 2 */

    struct schema *program; /* owned reference: the system keyspaces as they are made at the start */

    pthread_mutex_t lock; /* guards what follows up to `changing`, and accounts' schemas: held for moments */
    struct catalog_account **accounts; /* owned, by number: the default one first */
    uint32_t account_count, account_capacity;
    struct catalog_account *default_account; /* set by catalog_new */
    struct table_owners owners;
    uint32_t keyspace_count, table_count; /* of all accounts, the system's too */
    _Atomic uint64_t version;             /* the greatest of all schemas */
    struct catalog_listener *listeners;

    pthread_mutex_t changing;   /* one change at a time; held while the disk is waited for. Guards what follows */
    struct table_space *space;  /* NULL: not open */
    pthread_t job_thread;       /* while the space is there */
    pthread_cond_t has_job;     /* there is something for it, or it shall end */
    pthread_cond_t job_stepped; /* a step has ended */
    struct error job_error;     /* of the last step that failed */
    struct jobs jobs;
    uint64_t next_table_id; /* ids of jobs are taken from it too */
    bool in_doubt;          /* a write of definitions failed without an outcome: read them again before the next */
    struct virtual_table *bodies; /* owned, one per computed system table */
    struct virtual_table jobs_table;
};

#endif
