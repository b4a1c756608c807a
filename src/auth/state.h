/* auth/state.h: inside: what the files of this folder share.
 *
 * Thread:  as said at the locks. They are taken in this order: the catalog's of changes, `changing`, `lock`.
 */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include "auth/auth.h"
#include "catalog/catalog.h"
#include "catalog/rows.h"

#include <pthread.h>

struct auth_account {
    struct auth *auth;
    struct catalog_account *account; /* borrowed */
    struct roles *roles;             /* owned reference; under auth->lock */
    int64_t expire_s;         /* when the first of their rows expires; INT64_MAX: none does. Under auth->changing */
    _Atomic uint64_t touched; /* how often rows were written */
    uint64_t read;            /* `touched` when they were read last; under auth->changing */
};

struct auth {
    struct auth_options options;
    struct catalog_listener listener;
    _Atomic uint64_t epoch;
    pthread_mutex_t
        changing;            /* one change, or reading, at a time; held while the disk is waited for. Guards the port */
    struct table_port *port; /* owned */
    pthread_mutex_t lock;    /* held for moments: guards what follows */
    struct auth_account **accounts; /* owned, in the order they were asked for */
    uint32_t account_count, account_capacity;
    pthread_cond_t woken;
    bool is_ending, is_touched;
    pthread_t thread;
};

/* All rows of the account's system_auth, newly read. With changing held. */
enum status auth_load(struct auth_account *account, struct roles **result, int64_t *expire_s, struct error *err);
/* Reads them if they were touched since, and puts them in force. With changing held. */
enum status auth_refresh(struct auth_account *account, struct error *err);
/* All that was granted on a keyspace and what is in it, or on one of its tables. With changing held. */
enum status auth_revoke_all_on(struct auth_change *change, struct bytes keyspace, struct bytes table,
                               struct error *err);

#endif
