/* Roles in force, by account.
 *
 * Who asks (each statement that is not remembered) takes a reference to an immutable struct roles, decides by
 * it, and remembers the decision with the epoch that it had read before. So a change need not find out whom
 * it concerns: it puts other roles in force, and counts the epoch up.
 *
 * A change reads all rows of its account again, which is about a microsecond a row, instead of working out
 * what it has made of those in memory: what is in force is always what a restart would read.
 *
 * One lock (changing) serializes all that reads or writes rows, and waits for the disk; another (lock) is
 * held for moments, by who looks at what is in force. A thread reads again what others than we have written, and what expires. */
#include "auth/state.h"

#include "auth/password.h"
#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

enum { RETRY_US = 1000000, LONG_US = 1000000000 };

/* ---- what is in force ---- */

const _Atomic uint64_t *auth_epoch(const struct auth *auth)
{
    return &auth->epoch;
}

/* First the roles, then the epoch: who has seen the new epoch finds the new roles, or newer ones. */
static void put_in_force(struct auth_account *account, struct roles *roles)
{
    struct auth *auth = account->auth;
    struct roles *old;

    pthread_mutex_lock(&auth->lock);
    old = account->roles;
    account->roles = roles;
    pthread_mutex_unlock(&auth->lock);
    atomic_fetch_add_explicit(&auth->epoch, 1, memory_order_release);
    roles_unref(old);
}

/* What is written while they are read is touched again, and read again. */
enum status auth_refresh(struct auth_account *account, struct error *err)
{
    uint64_t touched = atomic_load(&account->touched);
    int64_t now_s = clock_realtime_us(account->auth->options.clock) / 1000000;
    struct roles *roles;
    enum status status;

    if (account->roles && account->read == touched && now_s < account->expire_s)
        return OK;
    status = auth_load(account, &roles, &account->expire_s, err);
    if (status)
        return status;
    account->read = touched;
    put_in_force(account, roles);
    return OK;
}

/* The lock is held for a pointer and a count. */
struct roles *auth_ref_roles(struct auth_account *account)
{
    struct roles *roles;

    pthread_mutex_lock(&account->auth->lock);
    roles = roles_ref(account->roles);
    pthread_mutex_unlock(&account->auth->lock);
    return roles;
}

/* May be called from a loop: it wakes the thread and goes on. */
void auth_touch(struct auth_account *account)
{
    struct auth *auth = account->auth;

    atomic_fetch_add(&account->touched, 1);
    pthread_mutex_lock(&auth->lock);
    auth->is_touched = true;
    pthread_cond_signal(&auth->woken);
    pthread_mutex_unlock(&auth->lock);
}

/* Asked at logins and definitions, not at each request. */
static struct auth_account *find(struct auth *auth, const struct catalog_account *account)
{
    struct auth_account *found = NULL;

    pthread_mutex_lock(&auth->lock);
    for (uint32_t i = 0; i < auth->account_count && !found; i++)
        if (auth->accounts[i]->account == account)
            found = auth->accounts[i];
    pthread_mutex_unlock(&auth->lock);
    return found;
}

/* Only one whose roles were read is on the list. */
enum status auth_account(struct auth *auth, struct catalog_account *account, struct auth_account **result,
                         struct error *err)
{
    enum status status = OK;

    if ((*result = find(auth, account)))
        return OK;
    pthread_mutex_lock(&auth->changing);
    if (!(*result = find(auth, account))) {
        struct auth_account *made = xcalloc(1, sizeof(*made));

        made->auth = auth;
        made->account = account;
        status = auth_refresh(made, err);
        if (status) {
            free(made);
        } else {
            pthread_mutex_lock(&auth->lock);
            if (auth->account_count == auth->account_capacity) {
                auth->account_capacity = auth->account_capacity ? 2 * auth->account_capacity : 4;
                auth->accounts = xrealloc(auth->accounts, auth->account_capacity * sizeof(*auth->accounts));
            }
            auth->accounts[auth->account_count++] = *result = made;
            pthread_mutex_unlock(&auth->lock);
        }
    }
    pthread_mutex_unlock(&auth->changing);
    return status;
}

/* ---- the thread: what others have written, and what expires ---- */

/* Each account that was asked for is looked at: one that nobody has touched, and of which nothing
 * expires, costs two comparisons. When the next thing is to be done, in monotonic microseconds. */
static int64_t read_again(struct auth *auth)
{
    const struct clock *clock = auth->options.clock;
    int64_t next_us = clock_monotonic_us(clock) + LONG_US;

    for (uint32_t i = 0;; i++) {
        struct auth_account *account = NULL;
        struct error error;
        int64_t wait_us = INT64_MAX, at_us;

        pthread_mutex_lock(&auth->lock);
        if (i < auth->account_count)
            account = auth->accounts[i];
        pthread_mutex_unlock(&auth->lock);
        if (!account)
            return next_us;
        pthread_mutex_lock(&auth->changing);
        if (auth_refresh(account, &error)) {
            log_warn("auth", "roles can't be read, those of before stay in force status=%s", status_name(error.status));
            wait_us = RETRY_US;
        } else if (account->expire_s != INT64_MAX) {
            wait_us = account->expire_s * 1000000 - clock_realtime_us(clock);
            wait_us = wait_us < 0 ? 0 : wait_us;
        }
        pthread_mutex_unlock(&auth->changing);
        at_us = clock_monotonic_us(clock);
        if (wait_us < next_us - at_us)
            next_us = at_us + wait_us;
    }
}

/* The only thread that reads rows without being asked to. Sleeps until it is woken, or the next row
 * expires. */
static void *auth_main(void *argument)
{
    struct auth *auth = argument;
    const struct clock *clock = auth->options.clock;
    int64_t next_us = 0;

    pthread_mutex_lock(&auth->lock);
    while (!auth->is_ending) {
        if (!auth->is_touched && clock_monotonic_us(clock) < next_us) {
            clock_wait(clock, &auth->woken, &auth->lock, next_us);
            continue;
        }
        auth->is_touched = false;
        pthread_mutex_unlock(&auth->lock);
        next_us = read_again(auth);
        pthread_mutex_lock(&auth->lock);
    }
    pthread_mutex_unlock(&auth->lock);
    return NULL;
}

/* ---- changes ---- */

enum status auth_change_begin(struct auth_account *account, struct auth_change *change, struct error *err)
{
    enum status status;

    pthread_mutex_lock(&account->auth->changing);
    status = auth_refresh(account, err);
    if (status) {
        pthread_mutex_unlock(&account->auth->changing);
        return status;
    }
    *change = (struct auth_change){ .account = account, .roles = auth_ref_roles(account), .arena = arena_new(4096) };
    return OK;
}

/* Where they can't be read again what was written stands all the same: the thread tries again. */
enum status auth_change_end(struct auth_change *change, struct error *err)
{
    struct auth *auth = change->account->auth;
    enum status status = auth_refresh(change->account, err);

    roles_unref(change->roles);
    arena_free(change->arena);
    pthread_mutex_unlock(&auth->changing);
    return status;
}

/* Called for each CREATE, ALTER and DROP, of which only drops matter: what a new thing's maker gets
 * is the statement's to grant, who knows as whom. On the thread that made the change, before
 * anybody can make something of the same name: the catalog makes one change at a time. A failure
 * leaves grants on what is not there: they are told of, and an operator can take them away. */
static void definitions_changed(struct catalog_listener *listener, struct catalog_account *catalog_account,
                                const struct ddl_change *change)
{
    struct auth *auth = CONTAINER_OF(listener, struct auth, listener);
    struct auth_account *account;
    struct auth_change revoking;
    struct error error;

    if (!change->happened || change->action != DDL_DROPPED || change->target == DDL_TYPE)
        return;
    if (auth_account(auth, catalog_account, &account, &error) || auth_change_begin(account, &revoking, &error)) {
        log_error("auth", "grants on what was dropped can't be read and stay status=%s", status_name(error.status));
        return;
    }
    if (auth_revoke_all_on(&revoking, change->keyspace, change->target == DDL_TABLE ? change->name : bytes_of(NULL, 0),
                           &error))
        log_error("auth", "grants on what was dropped can't be removed status=%s", status_name(error.status));
    if (auth_change_end(&revoking, &error))
        log_warn("auth", "roles can't be read, those of before stay in force status=%s", status_name(error.status));
}

/* ---- the first role, and the way back ---- */

static const struct auth_role_values superuser = { true, true, true, true, { NULL, 0 } };

/* Makes the role if it is not there; keeps its memberships and grants if it is. */
static enum status write_superuser(struct auth_change *change, struct bytes role, struct bytes password,
                                   struct error *err)
{
    struct auth_role_values values = superuser;
    char hash[PASSWORD_HASH_BYTES + 1];
    enum status status = password_hash(password, hash, err);

    values.hash = bytes_of_string(hash);
    return status ? status : auth_write_role(change, role, &values, !roles_find(change->roles, role), err);
}

/* Only where there is no role at all: who dropped `cassandra` does not find it again after a
 * restart. */
enum status auth_begin(struct auth *auth, struct bytes password, bool *is_made, struct error *err)
{
    struct auth_account *account;
    struct auth_change change;
    struct error ended;
    enum status status = auth_account(auth, catalog_account_default(auth->options.catalog), &account, err);

    *is_made = false;
    if (!status)
        status = auth_change_begin(account, &change, err);
    if (status)
        return status;
    if (!roles_count(change.roles)) {
        status = write_superuser(&change, BYTES_LITERAL("cassandra"), password, err);
        *is_made = !status;
    }
    if (auth_change_end(&change, &ended) && !status)
        status = (*err = ended).status;
    return status;
}

/* For an operator with access to the machine, who could read the tables anyway. */
enum status auth_rescue(struct auth *auth, struct bytes user, struct bytes password, struct error *err)
{
    struct bytes digits, role = auth_split_user(user, &digits);
    struct catalog_account *of = catalog_account_default(auth->options.catalog);
    struct auth_account *account;
    struct auth_change change;
    struct error ended;
    enum status status = OK;

    if (!role.size)
        return error_set(err, ERR_INVALID, "a role's name is not empty");
    if (!bytes_is_null(digits))
        status = catalog_account(auth->options.catalog, digits, &of, err);
    if (!status)
        status = auth_account(auth, of, &account, err);
    if (!status)
        status = auth_change_begin(account, &change, err);
    if (status)
        return status;
    status = write_superuser(&change, role, password, err);
    if (auth_change_end(&change, &ended) && !status)
        status = (*err = ended).status;
    return status;
}

/* ---- life ---- */

enum status auth_open(const struct auth_options *options, struct auth **result, struct error *err)
{
    struct auth *auth = xcalloc(1, sizeof(*auth));
    int failure;

    auth->options = *options;
    pthread_mutex_init(&auth->changing, NULL);
    pthread_mutex_init(&auth->lock, NULL);
    pthread_cond_init(&auth->woken, NULL);
    auth->port = table_port_open(options->space);
    auth->listener.changed = definitions_changed;
    atomic_init(&auth->epoch, 1);
    failure = pthread_create(&auth->thread, NULL, auth_main, auth);
    if (failure) {
        table_port_close(auth->port);
        free(auth);
        return error_set_os(err, failure, "no thread for roles");
    }
    catalog_listen(options->catalog, &auth->listener);
    *result = auth;
    return OK;
}

/* No request and no login runs any more. */
void auth_close(struct auth *auth)
{
    if (!auth)
        return;
    catalog_unlisten(auth->options.catalog, &auth->listener);
    pthread_mutex_lock(&auth->lock);
    auth->is_ending = true;
    pthread_cond_signal(&auth->woken);
    pthread_mutex_unlock(&auth->lock);
    pthread_join(auth->thread, NULL);
    for (uint32_t i = 0; i < auth->account_count; i++) {
        roles_unref(auth->accounts[i]->roles);
        free(auth->accounts[i]);
    }
    free(auth->accounts);
    table_port_close(auth->port);
    pthread_cond_destroy(&auth->woken);
    pthread_mutex_destroy(&auth->lock);
    pthread_mutex_destroy(&auth->changing);
    free(auth);
}
