/* Reading all at the start, one change at a time.
 *
 * All are kept in memory: they are asked for with each request, from threads that must not wait, and an account's quotas bound them. What is in force is exchanged under a lock that is held for moments; who changes holds
 * another one while the disk works. */
#include "identity/store.h"

#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/rows.h"
#include "identity/managed.h"
#include "table/table.h"
#include "types/value.h"

#include <assert.h>
#include <stdlib.h>

enum { READ_ROWS = 1000, READ_BYTES = 4 << 20, ARENA_BYTES = 1 << 16 };

/* An account that has, or had, identities. */
struct account {
    char digits[ACCOUNT_DIGITS];
    struct identities *set; /* owned reference; under the store's lock */
    bool in_doubt;          /* a write's outcome is not known. Under `changing` */
};

struct identity_store {
    struct identity_store_options options;
    struct identities *managed, *nothing; /* owned */
    _Atomic uint64_t epoch;

    pthread_mutex_t lock;     /* guards the list and its sets */
    struct account *accounts; /* owned: by digits */
    uint32_t count, capacity;

    pthread_mutex_t changing; /* guards what follows: one change at a time */
    struct table_port *port;  /* owned */
};

/* What is being read of one account. */
struct gathered {
    struct identity **items;
    uint32_t count, capacity;
};

/* ---- the list of accounts ----
 *
 * By their digits. One that had something once stays on it: its set is a few bytes then. */

/* Where it stands, or would; with the lock held. */
static uint32_t place_of(const struct identity_store *store, struct bytes digits)
{
    uint32_t low = 0, high = store->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (memcmp(store->accounts[middle].digits, digits.data, ACCOUNT_DIGITS) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* With the lock held. NULL: it never had any. */
static struct account *find(struct identity_store *store, struct bytes digits)
{
    uint32_t at = place_of(store, digits);

    return at < store->count && memcmp(store->accounts[at].digits, digits.data, ACCOUNT_DIGITS) == 0
               ? &store->accounts[at]
               : NULL;
}

/* With the lock held, and room seen to. Pointers to others move. */
static struct account *add(struct identity_store *store, struct bytes digits)
{
    uint32_t at = place_of(store, digits);

    assert(store->count < IDENTITY_ACCOUNTS_MAX);
    if (store->count == store->capacity) {
        store->capacity = store->capacity ? store->capacity * 2 : 8;
        store->accounts = xrealloc(store->accounts, store->capacity * sizeof(struct account));
    }
    memmove(store->accounts + at + 1, store->accounts + at, (store->count++ - at) * sizeof(struct account));
    store->accounts[at] = (struct account){ .set = identities_ref(store->nothing) };
    memcpy(store->accounts[at].digits, digits.data, ACCOUNT_DIGITS);
    return &store->accounts[at];
}

/* The set, for the one that was in force; the reference is taken over. */
static void put_in_force(struct identity_store *store, struct bytes digits, struct identities *set)
{
    struct identities *old;
    struct account *account;

    pthread_mutex_lock(&store->lock);
    account = find(store, digits);
    if (!account)
        account = add(store, digits);
    old = account->set;
    account->set = set;
    account->in_doubt = false;
    atomic_fetch_add(&store->epoch, 1);
    pthread_mutex_unlock(&store->lock);
    identities_unref(old);
}

/* ---- reading ----
 *
 * A row that does not decode stops a start: who would serve without it might let in, or shut out, the wrong ones. */

/* Of a reading that failed. */
static void free_gathered(struct gathered *gathered)
{
    for (uint32_t i = 0; i < gathered->count; i++)
        identity_unref(gathered->items[i]);
    free(gathered->items);
    *gathered = (struct gathered){ 0 };
}

/* The references go to the set. */
static struct identities *end_gathered(struct gathered *gathered)
{
    struct identities *set = identities_new(gathered->items, gathered->count);

    free(gathered->items);
    *gathered = (struct gathered){ 0 };
    return set;
}

/* rows_read's callback: one identity. */
static enum status gather(void *context, const struct rows_view *view, struct error *err)
{
    struct gathered *gathered = context;
    struct identity_place at = { (enum identity_kind)rows_get_number(view, "kind"), rows_get(view, "scope"),
                                 rows_get(view, "name") };
    struct identity *identity;
    enum status status = identity_decode(at, rows_get(view, "value"), &identity, err);

    if (status)
        return status;
    if (gathered->count == gathered->capacity) {
        gathered->capacity = gathered->capacity ? gathered->capacity * 2 : 16;
        gathered->items = xrealloc(gathered->items, gathered->capacity * sizeof(struct identity *));
    }
    gathered->items[gathered->count++] = identity;
    return OK;
}

/* The store's clock, which a test may bring. */
static int64_t now_s(const struct identity_store *store)
{
    return clock_realtime_us(store->options.clock) / 1000000;
}

/* As it is on the disk. With `changing` held. */
static enum status read_account(struct identity_store *store, struct bytes digits, struct error *err)
{
    struct gathered gathered = { 0 };
    enum status status = rows_read(store->port, catalog_identities_table(store->options.catalog), digits, now_s(store),
                                   gather, &gathered, err);

    if (status)
        free_gathered(&gathered);
    else
        put_in_force(store, digits, end_gathered(&gathered));
    return status;
}

/* Who has a partition in the table: only keys are read. ERR_CORRUPT: a key that is none of ours, or too many of them. */
static enum status take_accounts(struct identity_store *store, const struct read_result *found, struct buffer *digits,
                                 struct error *err)
{
    for (uint32_t i = 0; i < found->partition_count; i++) {
        struct bytes key = found->partitions[i].partition_key;

        if (!account_is_digits(key) || digits->size == (size_t)IDENTITY_ACCOUNTS_MAX * ACCOUNT_DIGITS)
            return error_set(err, ERR_CORRUPT, "Identities are of '%.*s', which is no account, or there are too many",
                             BYTES(key));
        buffer_append_bytes(digits, key);
    }
    return OK;
}

/* One row of each partition is enough to know that it is there. */
static enum status list_accounts(struct identity_store *store, struct buffer *digits, struct error *err)
{
    const struct table_def *def = catalog_identities_table(store->options.catalog);
    struct read_command command = { .table_id = def->id,
                                    .schema_version = def->version,
                                    .token = INT64_MIN,
                                    .token_last = INT64_MAX,
                                    .rows_wanted = true,
                                    .row_limit = READ_ROWS,
                                    .row_limit_per_partition = 1,
                                    .byte_limit = READ_BYTES,
                                    .now_s = now_s(store) };
    CLEANUP(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
    struct buffer after = { 0 };
    struct read_result found;
    enum status status;

    do {
        arena_reset(arena);
        status = table_read(store->port, &command, true, arena, &found, err);
        if (!status)
            status = take_accounts(store, &found, digits, err);
        /* On with the partition behind the last one: it may share its token. */
        if (!status && found.has_more && found.partition_count) {
            const struct read_partition *last = &found.partitions[found.partition_count - 1];

            buffer_reset(&after);
            buffer_append_bytes(&after, last->partition_key);
            command.token = last->token;
            command.after_partition = buffer_bytes(&after);
        }
    } while (!status && found.has_more && found.partition_count);
    buffer_fini(&after);
    return status;
}

/* First who there is, then each as it is read again after a doubtful write: there is one way to read an account. */
static enum status read_all(struct identity_store *store, struct error *err)
{
    struct buffer digits = { 0 };
    enum status status = list_accounts(store, &digits, err);

    for (size_t i = 0; i < digits.size && !status; i += ACCOUNT_DIGITS)
        status = read_account(store, bytes_of(digits.data + i, ACCOUNT_DIGITS), err);
    buffer_fini(&digits);
    return status;
}

/* ---- life ---- */

/* All accounts, before anybody asks: a server that could not read them must not let anybody in. */
enum status identity_open(const struct identity_store_options *options, struct identity_store **result,
                          struct error *err)
{
    struct identity_store *store = xcalloc(1, sizeof(*store));
    enum status status;

    assert(options->catalog && options->space && options->clock);
    store->options = *options;
    store->managed = managed_policies();
    store->nothing = identities_new(NULL, 0);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->changing, NULL);
    store->port = table_port_open(options->space);
    status = read_all(store, err);
    if (status)
        identity_close(store);
    else
        *result = store;
    return status;
}

/* Nobody asks any more; sets that are still held stay until they are let go. */
void identity_close(struct identity_store *store)
{
    if (!store)
        return;
    table_port_close(store->port);
    for (uint32_t i = 0; i < store->count; i++)
        identities_unref(store->accounts[i].set);
    free(store->accounts);
    identities_unref(store->managed);
    identities_unref(store->nothing);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->changing);
    free(store);
}

/* ---- asking ---- */

/* Most accounts have nothing, and share the set that has nothing. */
struct identities *identity_set(struct identity_store *store, struct bytes account)
{
    const struct account *found;
    struct identities *set;

    assert(account_is_digits(account));
    pthread_mutex_lock(&store->lock);
    found = find(store, account);
    set = identities_ref(found ? found->set : store->nothing);
    pthread_mutex_unlock(&store->lock);
    return set;
}

/* Who keeps what he found compares one number. */
uint64_t identity_epoch(const struct identity_store *store)
{
    return atomic_load(&store->epoch);
}

/* Never changed while the server runs. */
const struct identities *identity_managed(const struct identity_store *store)
{
    return store->managed;
}

/* ---- changing ----
 *
 * The lock is the store's, not an account's: changes are few, and one of them takes as long as a sync. */

/* Whether the account has to be read again. With `changing` held. */
static bool is_in_doubt(struct identity_store *store, struct bytes digits)
{
    const struct account *account;
    bool in_doubt;

    pthread_mutex_lock(&store->lock);
    account = find(store, digits);
    in_doubt = account && account->in_doubt;
    pthread_mutex_unlock(&store->lock);
    return in_doubt;
}

/* What a write of unknown outcome left is not known before its shard takes writes again: resumed, it may have it after all. With `changing`
 * held. */
static enum status end_doubt(struct identity_store *store, struct bytes digits, struct error *err)
{
    uint32_t shard = table_shard_of(store->port, token_of_partition_key(digits));

    if (table_space_refuses_writes(store->options.space, shard))
        return error_set(err, ERR_WRITE_FAILURE,
                         "Identities can't be changed now: the disk is full or failed; reads go on");
    return read_account(store, digits, err);
}

/* It locks, also if it fails: identity_end comes in any case. */
enum status identity_begin(struct identity_change *change, struct identity_store *store, struct bytes account,
                           struct error *err)
{
    enum status status = OK;

    *change = (struct identity_change){ .store = store, .account = account };
    pthread_mutex_lock(&store->changing);
    if (!account_is_digits(account))
        return error_set(err, ERR_INVALID, "An account is %d digits", ACCOUNT_DIGITS);
    if (is_in_doubt(store, account))
        status = end_doubt(store, account, err);
    if (status)
        return status;
    change->set = identity_set(store, account);
    change->now_us = clock_realtime_us(store->options.clock);
    return OK;
}

/* Encoded and read back here, so that what is committed can be read at the next start. */
const struct identity *identity_put(struct identity_change *change, const struct identity_parts *parts)
{
    struct identity *made = identity_make(parts);

    assert(change->set && change->count < IDENTITY_EDITS_MAX);
    change->made[change->made_count++] = made;
    change->edits[change->count++] = (struct identity_edit){ made->is.at, made };
    return made;
}

/* What it names must be there: it was looked at under the same lock. */
void identity_drop(struct identity_change *change, const struct identity *identity)
{
    assert(change->set && change->count < IDENTITY_EDITS_MAX);
    change->edits[change->count++] = (struct identity_edit){ .at = identity->is.at };
}

/* Rows of one partition: one command. */
static enum status save(const struct identity_change *change, struct error *err)
{
    struct identity_store *store = change->store;
    CLEANUP(arena_free) struct arena *arena = arena_new(ARENA_BYTES);
    CLEANUP(buffer_fini) struct buffer value = { 0 };
    struct rows rows;

    rows_begin(&rows, catalog_identities_table(store->options.catalog), arena, now_s(store), TTL_NONE);
    rows_put(&rows, "account", change->account);
    for (uint32_t i = 0; i < change->count; i++) {
        const struct identity_edit *edit = &change->edits[i];

        rows_add(&rows);
        rows_put_number(&rows, "kind", edit->at.kind);
        rows_put(&rows, "scope", edit->at.scope.size ? edit->at.scope : BYTES_LITERAL(""));
        rows_put(&rows, "name", edit->at.key);
        /* A row that goes has nothing but its place. */
        buffer_reset(&value);
        if (edit->put)
            identity_encode(&value, &edit->put->is);
        edit->put ? rows_put(&rows, "value", buffer_bytes(&value)) : rows_delete(&rows);
    }
    return rows_save(&rows, store->port, err);
}

/* Was nothing done, for certain? */
static bool is_refused(enum status status)
{
    return status == ERR_OVERLOADED || status == ERR_WRITE_FAILURE || status == ERR_LIMIT;
}

/* An account needs its place on the list before anything is written for it. */
static enum status see_to_place(struct identity_change *change, struct error *err)
{
    struct identity_store *store = change->store;
    enum status status = OK;

    pthread_mutex_lock(&store->lock);
    if (!find(store, change->account)) {
        if (store->count == IDENTITY_ACCOUNTS_MAX)
            status = error_set(err, ERR_LIMIT, "This server has identities of %d accounts, and can't have more",
                               IDENTITY_ACCOUNTS_MAX);
        else
            add(store, change->account);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* In force only when it is durable. Of a write that may or may not be there nobody is told that it is. */
enum status identity_commit(struct identity_change *change, struct error *err)
{
    struct identity_store *store = change->store;
    enum status status;

    assert(change->set);
    if (!change->count)
        return OK;
    /* All refusal before the first effect. */
    status = see_to_place(change, err);
    if (!status)
        status = save(change, err);
    if (!status) {
        put_in_force(store, change->account, identities_edit(change->set, change->edits, change->count));
    } else if (!is_refused(status)) {
        pthread_mutex_lock(&store->lock);
        find(store, change->account)->in_doubt = true;
        pthread_mutex_unlock(&store->lock);
    }
    change->count = 0;
    return status;
}

/* What was put is in the new set by now, or in none. */
void identity_end(struct identity_change *change)
{
    for (uint32_t i = 0; i < change->made_count; i++)
        identity_unref(change->made[i]);
    if (change->set)
        identities_unref(change->set);
    pthread_mutex_unlock(&change->store->changing);
}
