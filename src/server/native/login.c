/* Logins.
 *
 * bcrypt is made to take long, so whoever may try passwords has us compute: what they can make us do is
 * bounded here: threads, waiting checks, and of both what one address may have. Addresses are
 * told apart by a keyed hash, so that nobody can choose to stand in another's place.
 *
 * A wrong password, an unknown role, one without LOGIN and an account that is not there take the same way
 * through this file, and as long. */
#include "server/native/login.h"

#include "auth/password.h"
#include "base/hash.h"
#include "catalog/catalog.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>

struct logins {
    struct auth *auth;       /* borrowed */
    struct catalog *catalog; /* borrowed */
    struct workers *workers; /* owned */
    struct hash_key hash_key;
    _Atomic uint32_t waiting[LOGIN_GROUPS]; /* of each group of addresses */
};

enum { LOGIN_NICENESS = 15 /* who is logged in goes first */ };

/* Threads of their own: a flood of passwords takes none of those that requests need. */
enum status logins_open(struct auth *auth, struct catalog *catalog, struct logins **result, struct error *err)
{
    struct logins *logins = xcalloc(1, sizeof(*logins));
    struct workers_options options = {
        .group_count = 1 + LOGIN_GROUPS,
        .count = LOGIN_THREADS,
        .queue_jobs_max = LOGINS_WAITING_MAX,
        .thread_name = "login",
        .niceness = LOGIN_NICENESS,
        .spares_processor = true,
    };
    enum status status = workers_new(&options, &logins->workers, err);

    if (status) {
        free(logins);
        return status;
    }
    logins->auth = auth;
    logins->catalog = catalog;
    hash_key_random(&logins->hash_key);
    *result = logins;
    return OK;
}

/* What is queued is run out first; there is nothing any more by then. */
void logins_close(struct logins *logins)
{
    if (!logins)
        return;
    workers_free(logins->workers);
    free(logins);
}

/* What drivers of every kind send: NUL name NUL password. From the end, as Cassandra does: what
 * stands before the name is not looked at. */
enum status login_parse(struct bytes token, struct bytes *user, struct bytes *password, struct error *err)
{
    size_t end = token.size;

    *user = *password = bytes_of(NULL, 0);
    for (size_t i = token.size; i-- > 0;) {
        if (token.data[i])
            continue;
        if (bytes_is_null(*password))
            *password = bytes_of(token.data + i + 1, end - i - 1);
        else if (bytes_is_null(*user))
            *user = bytes_of(token.data + i + 1, end - i - 1);
        else
            return error_set(err, ERR_CREDENTIALS,
                             "Credential format error: username or password is empty or contains NUL(\\0) character");
        end = i;
    }
    if (!password->size)
        return error_set(err, ERR_CREDENTIALS, "Password must not be null");
    if (!user->size)
        return error_set(err, ERR_CREDENTIALS, "Authentication ID must not be null");
    return OK;
}

/* NULL: nobody has roles there. An account that is only named is not made: whoever may not log in
 * would make thousands. */
static enum status account_of(struct login_check *check, struct bytes digits, struct auth_account **account)
{
    const struct logins *logins = check->logins;

    *account = NULL;
    check->account = bytes_is_null(digits) ? catalog_account_default(logins->catalog)
                                           : catalog_find_account(logins->catalog, digits);
    return check->account ? auth_account(logins->auth, check->account, account, &check->error) : OK;
}

/* The same steps for whoever comes; only the end tells apart. */
static void check_run(struct worker_job *job, void *local)
{
    struct login_check *check = CONTAINER_OF(job, struct login_check, job);
    struct bytes digits, name = auth_split_user(check->user, &digits), hash = { NULL, 0 };
    struct auth_account *account;
    struct roles *roles = NULL;
    const struct role *role = NULL;

    if (account_of(check, digits, &account) == OK) {
        if (account) {
            roles = auth_ref_roles(account);
            role = roles_find(roles, name);
        }
        if (role)
            hash = role->hash;
        if (!password_check(check->password, hash))
            error_set(&check->error, ERR_CREDENTIALS, "Provided username %.*s and/or password are incorrect",
                      BYTES(check->user));
        else if (!role->can_login)
            error_set(&check->error, ERR_CREDENTIALS, "%.*s is not permitted to log in", BYTES(check->user));
        else
            check->login = auth_login_new(account, name, bytes_of(check->address, check->address_bytes));
        roles_unref(roles);
    }
    OPENSSL_cleanse((void *)check->password.data, check->password.size);
    atomic_fetch_sub(&check->logins->waiting[check->job.group - 1], 1);
}

/* What is refused here was not looked at: its client is told to come again, which a wrong password is not.
 * Counted first, so that two loops do not both take the last place. */
bool login_submit(struct logins *logins, struct login_check *check)
{
    /* Of IPv6 a client has a /64 at least. */
    size_t of_client = check->address_bytes == 16 ? 8 : check->address_bytes;
    uint64_t hash = hash_keyed(&logins->hash_key, bytes_of(check->address, of_client));
    uint32_t group = (uint32_t)(hash % LOGIN_GROUPS);

    assert(check->job.done && check->job.loop);
    check->logins = logins;
    check->login = NULL;
    error_clear(&check->error);
    check->job.run = check_run;
    check->job.group = 1 + group;
    if (atomic_fetch_add(&logins->waiting[group], 1) < LOGINS_WAITING_OF_ADDRESS_MAX &&
        workers_submit(logins->workers, &check->job))
        return true;
    atomic_fetch_sub(&logins->waiting[group], 1);
    return false;
}
