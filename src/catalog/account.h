/* catalog/account.h: accounts inside: their list, the schema of one that has made nothing, and ids of its system tables. For this folder only.
 *
 * Ids of tables, which are on the disk:
 *
 *     below CATALOG_TABLE_IDS_FROM     the program's tables, by their names; the default account's if they are stored
 *     from there on                    counted: tables of any account, and what TRUNCATE gives
 *     from 2^62 on                     stored system tables of the other accounts: 2^62 | the account as a number << 22 | the last 22 bits of
 *                                      the program's id. So they are known without a row that says so: who only looks writes nothing
 *
 * Owns:    accounts are the catalog's, and stay for its life.
 * Thread:  as said; what is on the list changes under catalog->lock.
 */
#ifndef CATALOG_ACCOUNT_H
#define CATALOG_ACCOUNT_H

#include "catalog/catalog.h"

#define ACCOUNT_TABLE_IDS_FROM (UINT64_C(1) << 62)
enum { ACCOUNT_TABLE_ID_BITS = 22 };

struct catalog_account {
    uint64_t number; /* its digits: less than 2^40. The default's is 0 */
    char digits[ACCOUNT_DIGITS + 1];
    uint32_t index;           /* where views have its schema; the default's is 0 */
    struct schema *current;   /* owned reference; under catalog->lock */
    _Atomic uint64_t version; /* current's */
};

/* With catalog->lock held. NULL: nobody has named it. */
struct catalog_account *account_find(const struct catalog *catalog, uint64_t number);
/* Found or made, with the schema of one that has nothing. NULL: there are `max` already. Takes catalog->lock. */
struct catalog_account *account_intern(struct catalog *catalog, uint64_t number, uint32_t max);
/* The default one, when there is none; the schema's reference is taken over. */
void account_begin(struct catalog *catalog, struct schema *schema);
void account_free_all(struct catalog *catalog);

/* The program's keyspaces, the stored ones under ids of the account's own; its uuid is the same at each start. A new reference. */
struct schema *account_bare_schema(const struct catalog *catalog, const struct catalog_account *account,
                                   uint64_t version);
/* By an id from ACCOUNT_TABLE_IDS_FROM on, of an account that nobody may have named: a new reference, or NULL. With catalog->lock held. */
struct table_def *account_system_table(const struct catalog *catalog, uint64_t id);
/* The program's table of the same last bits, so that in an account the two would be one; NULL: there is none. */
const struct table_def *account_meeting_table(const struct catalog *catalog, uint64_t id);

#endif
