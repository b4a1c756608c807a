/* catalog/owners.h: whose a table is, by its counted id: of accounts but the default one. For this folder only.
 *
 * Owners of shards ask for definitions by id alone, and there may be thousands of accounts.
 *
 * Owns:    its slots; accounts are borrowed.
 * Thread:  under catalog->lock.
 */
#ifndef CATALOG_OWNERS_H
#define CATALOG_OWNERS_H

#include "schema/schema.h"

struct catalog_account;

struct table_owner {
    uint64_t table_id; /* 0: free */
    struct catalog_account *account;
};
struct table_owners {
    struct table_owner *slots; /* owned */
    uint32_t capacity;         /* a power of two, or 0 */
    uint32_t count;
};

void owners_fini(struct table_owners *owners);
/* NULL: no account's but maybe the default one's. */
struct catalog_account *owners_find(const struct table_owners *owners, uint64_t table_id);
/* The account has another schema than before. Only ids from `from_id` up to `to_id` (not it) are kept. */
void owners_follow(struct table_owners *owners, struct catalog_account *account, const struct schema *before,
                   const struct schema *after, uint64_t from_id, uint64_t to_id);

#endif
