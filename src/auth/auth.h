/* auth/auth.h: who may do what: the roles in force of each account, and what changes them.
 *
 * The rows are those of the account's system_auth, as Cassandra has them. Of each account that somebody has logged in to, all of them are
 * in memory as one immutable struct roles. They are read again when a row was written: by a change here before it returns, by any other
 * write (a superuser's INSERT) behind it, at once (auth_touch). Each time the epoch grows, so that who remembers a decision looks at one
 * number to know whether it still holds.
 *
 *     auth_open -> auth_begin -> (auth_account -> auth_ref_roles; auth_change_begin -> ... -> auth_change_end) -> auth_close
 *
 * Dropped keyspaces and tables lose what was granted on them before anybody can make others of the same name: auth listens to the catalog.
 *
 * Errors:  those of reading and writing rows; ERR_LIMIT: more roles or grants than an account may have.
 * Thread:  any, but on a loop only auth_epoch, auth_ref_roles, auth_touch.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/roles.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdatomic.h>

struct auth;
struct auth_account;
struct catalog;
struct catalog_account;
struct table_space;

/* AUTH_PORTS: of the space, that auth takes. AUTH_DATACENTER: the one there is. */
enum { AUTH_PORTS = 1, AUTH_ROLES_MAX = 10000, AUTH_GRANTS_MAX = 100000, AUTH_IDENTITIES_MAX = 10000 };
#define AUTH_DATACENTER "datacenter1"

struct auth_options {
    struct catalog *catalog;   /* borrowed; open */
    struct table_space *space; /* borrowed */
    const struct clock *clock; /* borrowed */
};

enum status auth_open(const struct auth_options *options, struct auth **result, struct error *err);
/* Before catalog_close. */
void auth_close(struct auth *auth);
/* If the default account has no role yet, makes the superuser `cassandra` with this password (and says so). */
enum status auth_begin(struct auth *auth, struct bytes password, bool *is_made, struct error *err);
/* A role gets this password, may log in and is a superuser; it is made if it is not there. The way back. */
enum status auth_rescue(struct auth *auth, struct bytes user, struct bytes password, struct error *err);

/* ---- what is in force ---- */

/* Found, or its roles read: waits for the disk. Borrowed until auth_close. */
enum status auth_account(struct auth *auth, struct catalog_account *account, struct auth_account **result,
                         struct error *err);
/* A new reference. */
struct roles *auth_ref_roles(struct auth_account *account);
/* Of all accounts together; read before auth_ref_roles, it is not newer than what that gives. */
const _Atomic uint64_t *auth_epoch(const struct auth *auth);
/* Rows of the account's system_auth were written by others. */
void auth_touch(struct auth_account *account);

/* USER, or USER-at-ACCOUNT as AWS writes the names of service-specific credentials. digits NULL: the default account. */
struct bytes auth_split_user(struct bytes user, struct bytes *digits);

/* ---- a client that has said who it is ---- */

enum { AUTH_LOGIN_SLOTS = 32 };

/* Decisions are remembered by the number of the plan they are about. */
struct auth_login {
    const _Atomic uint64_t *epoch; /* borrowed */
    struct auth_account *account;  /* borrowed */
    struct bytes role;             /* owned */
    uint8_t address[16];
    uint8_t address_bytes;
    struct auth_remembered {
        uint64_t plan, epoch;
    } slots[AUTH_LOGIN_SLOTS];
};
struct auth_login *auth_login_new(struct auth_account *account, struct bytes role, struct bytes address);
void auth_login_free(struct auth_login *login);
/* Was this plan (its number is never 0) allowed, and has nothing changed since? */
static inline bool auth_login_remembers(const struct auth_login *login, uint64_t plan)
{
    const struct auth_remembered *slot = &login->slots[plan % AUTH_LOGIN_SLOTS];

    return slot->plan == plan && slot->epoch == atomic_load_explicit(login->epoch, memory_order_acquire);
}
static inline void auth_login_remember(struct auth_login *login, uint64_t plan, uint64_t epoch)
{
    login->slots[plan % AUTH_LOGIN_SLOTS] = (struct auth_remembered){ plan, epoch };
}

/* ---- changes: one at a time ---- */

struct auth_change {
    struct auth_account *account;
    struct roles *roles; /* the newest; decide by these */
    struct arena *arena; /* of the change */
};
/* Waits for its turn. On OK auth_change_end must follow, whatever comes between. */
enum status auth_change_begin(struct auth_account *account, struct auth_change *change, struct error *err);
/* What was written is in force when it returns. */
enum status auth_change_end(struct auth_change *change, struct error *err);

/* What CREATE and ALTER ROLE write of a role. */
struct auth_role_values {
    bool has_superuser, superuser;
    bool has_login, login;
    struct bytes hash; /* NULL data: as it is */
};
enum status auth_write_role(struct auth_change *change, struct bytes role, const struct auth_role_values *values,
                            bool is_new, struct error *err);
/* And all that names it: permissions of it and on it, who was granted it, what it was granted, its identities. */
enum status auth_delete_role(struct auth_change *change, struct bytes role, struct error *err);
enum status auth_write_member(struct auth_change *change, struct bytes role, struct bytes grantee, bool is_granted,
                              struct error *err);
/* permissions: which are not there yet, or are there. */
enum status auth_write_grant(struct auth_change *change, struct bytes role, const struct resource *resource,
                             uint32_t permissions, bool is_granted, struct error *err);
enum status auth_write_datacenters(struct auth_change *change, struct bytes role, const struct string_list *list,
                                   struct error *err);
enum status auth_write_cidr_groups(struct auth_change *change, struct bytes role, const struct string_list *list,
                                   struct error *err);
/* role NULL data: no more. */
enum status auth_write_identity(struct auth_change *change, struct bytes identity, struct bytes role,
                                struct error *err);

#endif
