/* The list of accounts, and what each has without having made anything; see account.h.
 *
 * An account is there once it was named, and costs little: it shares what the program computes, and
 * of the stored system tables it has twins, which are an id each. Only its first change is saved
 * (catalog.c); all before follows from its digits and the directory's host id. */
#include "catalog/account.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/uuid.h"
#include "catalog/state.h"
#include "schema/build.h"

#include <assert.h>
#include <stdlib.h>

#define LAST_BITS ((UINT64_C(1) << ACCOUNT_TABLE_ID_BITS) - 1)
#define NUMBERS   UINT64_C(1000000000000) /* so many there are of ACCOUNT_DIGITS digits */

static_assert(NUMBERS << ACCOUNT_TABLE_ID_BITS <= ACCOUNT_TABLE_IDS_FROM, "an account's number has place in an id");

/* ---- the list: by number ---- */

/* Where it stands, or would. */
static uint32_t place_of(const struct catalog *catalog, uint64_t number)
{
    uint32_t low = 0, high = catalog->account_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (catalog->accounts[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* By halves: it is asked once for each connection, and by owners for tables of the system. */
struct catalog_account *account_find(const struct catalog *catalog, uint64_t number)
{
    uint32_t at = place_of(catalog, number);

    return at < catalog->account_count && catalog->accounts[at]->number == number ? catalog->accounts[at] : NULL;
}

/* Its place among views is its own for ever, whoever comes between by number. */
static void insert(struct catalog *catalog, struct catalog_account *account)
{
    uint32_t at = place_of(catalog, account->number);

    if (catalog->account_count == catalog->account_capacity) {
        catalog->account_capacity = catalog->account_capacity ? catalog->account_capacity * 2 : 8;
        catalog->accounts = xrealloc(catalog->accounts, catalog->account_capacity * sizeof(struct catalog_account *));
    }
    memmove(catalog->accounts + at + 1, catalog->accounts + at,
            (catalog->account_count - at) * sizeof(struct catalog_account *));
    catalog->accounts[at] = account;
    account->index = catalog->account_count++;
    catalog->keyspace_count += schema_keyspace_count(account->current);
    catalog->table_count += schema_table_count(account->current);
}

/* Without a schema, and not on the list. */
static struct catalog_account *new_account(uint64_t number)
{
    struct catalog_account *account = xcalloc(1, sizeof(*account));

    account->number = number;
    account_print(number, account->digits);
    return account;
}

/* Its first one; nobody else has the account yet. */
static void set_schema(struct catalog_account *account, struct schema *schema)
{
    account->current = schema;
    atomic_init(&account->version, schema_version_number(schema));
}

/* Views have let go of its schema, or have references of their own. */
static void free_account(struct catalog_account *account)
{
    if (account)
        schema_unref(account->current);
    free(account);
}

/* It is number 0, so it stands first whoever comes. */
void account_begin(struct catalog *catalog, struct schema *schema)
{
    assert(!catalog->account_count);
    catalog->default_account = new_account(0);
    set_schema(catalog->default_account, schema);
    insert(catalog, catalog->default_account);
}

/* The schema is made outside of the lock, which owners wait for; who was faster keeps his. */
struct catalog_account *account_intern(struct catalog *catalog, uint64_t number, uint32_t max)
{
    struct catalog_account *account, *made;

    pthread_mutex_lock(&catalog->lock);
    account = account_find(catalog, number);
    pthread_mutex_unlock(&catalog->lock);
    if (account)
        return account;
    /* Its version is one that was already given: nothing of it has changed. */
    made = new_account(number);
    set_schema(made, account_bare_schema(catalog, made, catalog_version(catalog)));
    pthread_mutex_lock(&catalog->lock);
    account = account_find(catalog, number);
    if (!account && catalog->account_count < max) {
        insert(catalog, made);
        account = made;
    }
    pthread_mutex_unlock(&catalog->lock);
    if (account != made)
        free_account(made);
    return account;
}

void account_free_all(struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->account_count; i++)
        free_account(catalog->accounts[i]);
    free(catalog->accounts);
}

/* ---- for everybody ---- */

enum status catalog_account(struct catalog *catalog, struct bytes digits, struct catalog_account **result,
                            struct error *err)
{
    struct catalog_account *account;
    uint64_t number;

    if (!account_parse(digits, &number))
        return error_set(err, ERR_INVALID, "An account is %d digits", ACCOUNT_DIGITS);
    account = account_intern(catalog, number, CATALOG_ACCOUNTS_MAX);
    if (!account)
        return error_set(err, ERR_OVERLOADED, "This server has %d accounts, and can't have more", CATALOG_ACCOUNTS_MAX);
    *result = account;
    return OK;
}

/* Makes none, so that a slip of who asks costs nothing. */
struct catalog_account *catalog_find_account(struct catalog *catalog, struct bytes digits)
{
    struct catalog_account *account = NULL;
    uint64_t number;

    if (!account_parse(digits, &number))
        return NULL;
    pthread_mutex_lock(&catalog->lock);
    account = account_find(catalog, number);
    pthread_mutex_unlock(&catalog->lock);
    return account;
}

/* Who looks through another face than CQL may name any account at any time: none is made for that. */
struct schema *catalog_ref_schema_of(struct catalog *catalog, struct bytes digits)
{
    const struct catalog_account *account = catalog_find_account(catalog, digits);
    struct catalog_account *made;
    struct schema *schema;
    uint64_t number = 0;
    bool are_digits = account_parse(digits, &number);

    assert(are_digits);
    if (account)
        return catalog_ref_schema(catalog, account);
    /* Only its number is asked for: it goes on no list. */
    made = new_account(number);
    schema = account_bare_schema(catalog, made, catalog_version(catalog));
    free(made);
    return schema;
}

struct catalog_account *catalog_account_default(struct catalog *catalog)
{
    return catalog->default_account;
}

struct bytes catalog_account_name(const struct catalog_account *account)
{
    return bytes_of(account->digits, ACCOUNT_DIGITS);
}

/* ---- what an account has without having made it ---- */

/* Two accounts never meet in an id, as their numbers differ; nor do two tables of one account, whose
 * last bits differ (catalog.c looks at each that is defined). */
static uint64_t own_table_id(uint64_t number, uint64_t program_id)
{
    assert(number < NUMBERS && program_id < CATALOG_TABLE_IDS_FROM);
    return ACCOUNT_TABLE_IDS_FROM | number << ACCOUNT_TABLE_ID_BITS | (program_id & LAST_BITS);
}

/* A stored system keyspace, whose tables are the account's own: what one writes there, or has written
 * there for it (traces), stands apart from all others' as rows of any two tables do. */
static struct keyspace_def *own_keyspace(const struct keyspace_def *program, uint64_t number)
{
    struct keyspace_def *def = keyspace_def_clone(program, 0, 0);

    for (uint32_t i = 0; i < program->table_count; i++)
        keyspace_def_put_table(def, table_def_twin(program->tables[i], own_table_id(number, program->tables[i]->id)));
    return def;
}

/* What clients take for the schema's version must be the same at each start, though nothing was saved. */
static void bare_uuid(const struct catalog *catalog, const struct catalog_account *account, uint8_t uuid[16])
{
    struct bytes parts[] = { bytes_of(catalog->host_id, 16), catalog_account_name(account) };

    hash_md5(parts, ARRAY_SIZE(parts), uuid);
    uuid_set_random(uuid);
}

struct schema *account_bare_schema(const struct catalog *catalog, const struct catalog_account *account,
                                   uint64_t version)
{
    const struct schema *program = catalog->program;
    uint32_t count = schema_keyspace_count(program);
    struct keyspace_def **all = xmalloc((count + 1) * sizeof(struct keyspace_def *));
    struct schema *schema;
    uint8_t uuid[16];

    for (uint32_t i = 0; i < count; i++) {
        const struct keyspace_def *def = schema_keyspace_at(program, i);

        /* What is computed is the same for all: it looks at who asks. */
        all[i] = account->number && ddl_is_replicated_system_keyspace(def->name)
                     ? own_keyspace(def, account->number)
                     : keyspace_def_ref((struct keyspace_def *)def);
    }
    bare_uuid(catalog, account, uuid);
    schema = schema_of(version, uuid, all, count);
    free(all);
    return schema;
}

/* One of the few that are stored. */
static struct table_def *program_table(const struct catalog *catalog, uint64_t last_bits)
{
    for (uint32_t i = 0; i < schema_keyspace_count(catalog->program); i++) {
        const struct keyspace_def *keyspace = schema_keyspace_at(catalog->program, i);

        if (!ddl_is_replicated_system_keyspace(keyspace->name))
            continue;
        for (uint32_t j = 0; j < keyspace->table_count; j++)
            if ((keyspace->tables[j]->id & LAST_BITS) == last_bits)
                return keyspace->tables[j];
    }
    return NULL;
}

/* For who defines system tables: such a name must get another. */
const struct table_def *account_meeting_table(const struct catalog *catalog, uint64_t id)
{
    return program_table(catalog, id & LAST_BITS);
}

/* Who has named the account may have truncated the table, and then it is under another id. Of one that
 * nobody has named since the start the rows may be asked for all the same: of its traces, when they expire. */
struct table_def *account_system_table(const struct catalog *catalog, uint64_t id)
{
    uint64_t number = (id & ~ACCOUNT_TABLE_IDS_FROM) >> ACCOUNT_TABLE_ID_BITS;
    struct catalog_account *account = account_find(catalog, number);
    struct table_def *def;

    assert(id >= ACCOUNT_TABLE_IDS_FROM);
    /* Its schema knows best: what is not in it was truncated away. */
    if (account) {
        def = schema_table_by_id(account->current, id);
        return def ? table_def_ref(def) : NULL;
    }
    def = number < NUMBERS ? program_table(catalog, id & LAST_BITS) : NULL;
    return def ? table_def_twin(def, id) : NULL;
}
