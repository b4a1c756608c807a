/* identity/store.h: the identities of all accounts: on the disk, in force, and how they change.
 *
 *     identity_begin(&change, store, account, err)      nobody else changes anything meanwhile
 *     ... look at change.set ...
 *     identity_put(&change, &parts), identity_drop(&change, identity)
 *     identity_commit(&change, err)                     durable, and in force for whoever looks from now on; or nothing happened
 *     identity_end(&change)                             in any case
 *
 * All rows of an account are one partition, and a change is one command to it: whole or not at all, also after kill -9. All accounts are read
 * when the store is opened, so that asking never waits for a disk. If nobody knows what became of a write, the account is read again before
 * its next change.
 *
 * Policies that AWS manages are in no account, and in a set of their own: identity_managed.
 *
 * Owns:    a port to the table space, and the sets.
 * Errors:  identity_open: ERR_CORRUPT. identity_begin: ERR_INVALID, no account's digits; those of rows_read. identity_commit: those of
 *          table_apply_wait; ERR_LIMIT.
 * Limits:  IDENTITY_ACCOUNTS_MAX accounts that have any; IDENTITY_EDITS_MAX places in one change.
 * Thread:  any. identity_begin to identity_end wait, for others and for the disk: never on a loop. identity_set takes a lock for a moment.
 */
#ifndef IDENTITY_STORE_H
#define IDENTITY_STORE_H

#include "identity/identities.h"

struct catalog;
struct clock;
struct identity_store;
struct table_space;

/* Of the space. */
enum { IDENTITY_PORTS = 1, IDENTITY_ACCOUNTS_MAX = 4096, IDENTITY_EDITS_MAX = 8 };

struct identity_store_options { /* all borrowed until identity_close */
    struct catalog *catalog;    /* open */
    struct table_space *space;
    const struct clock *clock;
};

enum status identity_open(const struct identity_store_options *options, struct identity_store **result,
                          struct error *err);
void identity_close(struct identity_store *store); /* NULL: nothing to do */

/* A new reference: what is in force in the account, also one that has nothing. */
struct identities *identity_set(struct identity_store *store, struct bytes account);
/* Grows with each change of any account: one load. */
uint64_t identity_epoch(const struct identity_store *store);

/* Policies of AWS: POLICY by their names, with their default versions. Borrowed. */
const struct identities *identity_managed(const struct identity_store *store);

struct identity_change {
    struct identity_store *store;
    struct bytes account;   /* borrowed */
    struct identities *set; /* owned reference: before the change */
    int64_t now_us;
    struct identity_edit edits[IDENTITY_EDITS_MAX];
    struct identity *made[IDENTITY_EDITS_MAX]; /* owned */
    uint32_t count, made_count;
};

enum status identity_begin(struct identity_change *change, struct identity_store *store, struct bytes account,
                           struct error *err);
/* What will stand there; borrowed until identity_end. */
const struct identity *identity_put(struct identity_change *change, const struct identity_parts *parts);
void identity_drop(struct identity_change *change, const struct identity *identity);
/* Once. With no edits: nothing to do. */
enum status identity_commit(struct identity_change *change, struct error *err);
void identity_end(struct identity_change *change);

#endif
