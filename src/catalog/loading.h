/* catalog/loading.h: definitions being read: gathered row by row, in the order of their kinds, and put together to a schema. For this folder only.
 *
 * Accounts come first, keyspaces before what is in them; what is of one keyspace and kind comes together.
 *
 * Owns:    what was gathered, until loading_fini; the schema has references of its own.
 * Errors:  ERR_CORRUPT: a definition doesn't decode, stands under another name, or without its keyspace.
 */
#ifndef CATALOG_LOADING_H
#define CATALOG_LOADING_H

#include "catalog/jobs.h"

struct loading_type {
    struct bytes value; /* in `arena` */
    uint32_t level;
};

struct loading_account {
    uint64_t number; /* catalog/account.h */
    uint8_t uuid[16];
    uint32_t first, count; /* which keyspaces are its own */
};

struct loading {
    struct loading_account *accounts; /* owned; by number: the default one first, which is always there */
    uint32_t account_count, account_capacity;
    struct keyspace_def **keyspaces; /* owned, references too; by account and name */
    uint32_t keyspace_count, keyspace_capacity;
    /* Of the keyspace `open` of `open_account`, until the next one's come: */
    uint32_t open, open_account;
    struct table_def **tables; /* owned, references too */
    uint32_t table_count, table_capacity;
    struct loading_type *types; /* owned */
    uint32_t type_count, type_capacity;
    struct arena *arena; /* owned */
    /* The first row. */
    bool has_meta;
    uint8_t host_id[16];
    uint64_t next_table_id;
    uint64_t version;
    struct jobs jobs;
};

void loading_init(struct loading *l);
void loading_fini(struct loading *l);

enum status loading_add_account(struct loading *l, struct bytes digits, const uint8_t uuid[16], struct error *err);
/* account: its digits, "" for the default one. */
enum status loading_add_keyspace(struct loading *l, struct bytes account, struct bytes name, struct bytes value,
                                 struct error *err);
/* scope: a keyspace of the default account, or account/keyspace. */
enum status loading_add_type(struct loading *l, struct bytes scope, struct bytes name, struct bytes value,
                             struct error *err);
enum status loading_add_table(struct loading *l, struct bytes scope, struct bytes name, struct bytes value,
                              struct error *err);
/* All was added. ERR_CORRUPT: definitions, but no first row; one id for two tables. ERR_CONFIG: a client's keyspace has the name of one of
 * the program's. */
enum status loading_end(struct loading *l, struct error *err);

/* Afterwards. Borrowed; NULL: there is none. *account: whose it is. */
const struct table_def *loading_find_table(const struct loading *l, uint64_t table_id,
                                           const struct loading_account **account);
/* The system keyspaces of `bare`, which has nothing else, and those of the account that were read. */
struct schema *loading_schema(const struct loading *l, const struct loading_account *account, const struct schema *bare,
                              uint64_t version);

#endif
