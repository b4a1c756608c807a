/* Definitions being read; see loading.h. A keyspace never changes once it is in a schema, so what
 * is in it is gathered first, and then put into a clone that has just the room. Types are decoded
 * by level: each finds those it uses.
 *
 * Nothing of the disk is trusted: names, order and references are checked, and what is wrong is
 * told as damage before any of it is in force. */
#include "catalog/loading.h"

#include "catalog/account.h"
#include "schema/build.h"
#include "schema/codec.h"

#include <assert.h>
#include <stdlib.h>

void loading_init(struct loading *l)
{
    *l = (struct loading){ .arena = arena_new(4096), .account_count = 1, .account_capacity = 1 };
    l->accounts = xcalloc(1, sizeof(*l->accounts));
    jobs_init(&l->jobs);
}

/* Also after a failure in the middle. */
void loading_fini(struct loading *l)
{
    for (uint32_t i = 0; i < l->table_count; i++)
        table_def_unref(l->tables[i]);
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        keyspace_def_unref(l->keyspaces[i]);
    free(l->tables);
    free(l->types);
    free(l->keyspaces);
    free(l->accounts);
    jobs_fini(&l->jobs);
    arena_free(l->arena);
}

/* An array of the heap with room for one more. Not the arena's, which is emptied keyspace by
 * keyspace. */
static void *room(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    assert(count <= *capacity);
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    return xrealloc(items, *capacity * size);
}

static int compare_levels(const void *left, const void *right)
{
    const struct loading_type *a = left, *b = right;

    return (a->level > b->level) - (a->level < b->level);
}

/* The open keyspace gets what was gathered of it. Called when something of another keyspace or kind
 * comes: tables need the types, which must be in the keyspace by then. */
static enum status flush(struct loading *l, struct error *err)
{
    struct keyspace_def *bare, *def;
    enum status status = OK;

    if (!l->table_count && !l->type_count)
        return OK;
    /* Rows of a keyspace's contents come only after its own. */
    assert(l->open < l->keyspace_count);
    bare = l->keyspaces[l->open];
    def = keyspace_def_clone(bare, l->table_count, l->type_count);
    if (l->type_count)
        qsort(l->types, l->type_count, sizeof(*l->types), compare_levels);
    for (uint32_t i = 0; i < l->type_count && !status; i++)
        /* By level, so that what a type uses is decoded before it. */
        status = schema_decode_type(l->types[i].value, def, err);
    for (uint32_t i = 0; i < l->table_count; i++)
        keyspace_def_put_table(def, l->tables[i]);
    l->table_count = l->type_count = 0;
    arena_reset(l->arena);
    keyspace_def_unref(bare);
    l->keyspaces[l->open] = def;
    return status;
}

/* Which account has these digits, "" for the default one. UINT32_MAX: there is no row of it. */
static uint32_t find_account(const struct loading *l, struct bytes digits)
{
    uint32_t low = 0, high = l->account_count;
    uint64_t number;

    if (!digits.size)
        return 0;
    /* Only the default one has no row, and its digits stand nowhere. */
    if (!account_parse(digits, &number) || !number)
        return UINT32_MAX;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (l->accounts[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->account_count && l->accounts[low].number == number ? low : UINT32_MAX;
}

/* What comes now is of this keyspace. They come in order, so it is mostly the open one, or one behind it. */
static enum status open_keyspace(struct loading *l, struct bytes scope, struct error *err)
{
    const uint8_t *slash = scope.size ? memchr(scope.data, '/', scope.size) : NULL;
    struct bytes digits = slash ? bytes_of(scope.data, (size_t)(slash - scope.data)) : bytes_of("", 0);
    struct bytes name = slash ? bytes_of(slash + 1, scope.size - digits.size - 1) : scope;
    uint32_t which = slash && !digits.size ? UINT32_MAX : find_account(l, digits), at;
    enum status status;

    if (l->keyspace_count && which == l->open_account && bytes_equal(l->keyspaces[l->open]->name, name))
        return OK;
    status = flush(l, err);
    if (status)
        return status;
    if (which == UINT32_MAX ||
        !keyspace_defs_find(l->keyspaces + l->accounts[which].first, l->accounts[which].count, name, &at))
        return error_set(err, ERR_CORRUPT, "The catalog has a definition without its keyspace");
    l->open = l->accounts[which].first + at;
    l->open_account = which;
    return OK;
}

static enum status misplaced(struct error *err)
{
    return error_set(err, ERR_CORRUPT, "The catalog has a definition under another's name");
}

/* Digits ascend, as rows do. */
enum status loading_add_account(struct loading *l, struct bytes digits, const uint8_t uuid[16], struct error *err)
{
    struct loading_account *account;
    uint64_t number;

    /* The default one, 0, is there already. What is damaged must be told: served without its account,
     * what an account has would be nobody's. */
    if (!account_parse(digits, &number) || number <= l->accounts[l->account_count - 1].number || l->keyspace_count)
        return error_set(err, ERR_CORRUPT, "The catalog has an account that is none, or stands where it can't");
    l->accounts = room(l->accounts, l->account_count, &l->account_capacity, sizeof(*l->accounts));
    account = &l->accounts[l->account_count++];
    *account = (struct loading_account){ .number = number };
    memcpy(account->uuid, uuid, 16);
    return OK;
}

/* Accounts ascend, and names in each, as rows do: so they can be searched, and none comes twice. */
static bool may_follow(const struct loading *l, uint32_t which, struct bytes name)
{
    if (!l->keyspace_count || which > l->open_account)
        return true;
    return which == l->open_account && bytes_compare(l->keyspaces[l->keyspace_count - 1]->name, name) < 0;
}

enum status loading_add_keyspace(struct loading *l, struct bytes account, struct bytes name, struct bytes value,
                                 struct error *err)
{
    uint32_t which = find_account(l, account);
    struct keyspace_def *def;
    enum status status = flush(l, err);

    if (!status && which == UINT32_MAX)
        status = error_set(err, ERR_CORRUPT, "The catalog has a keyspace without its account");
    if (!status)
        status = schema_decode_keyspace(value, &def, err);
    if (status)
        return status;
    /* Told as damage: a row that stands under another name was not written by us. */
    if (!bytes_equal(def->name, name) || !may_follow(l, which, name)) {
        keyspace_def_unref(def);
        return misplaced(err);
    }
    /* From here on until another account's come. */
    if (!l->accounts[which].count++)
        l->accounts[which].first = l->keyspace_count;
    l->open_account = which;
    l->keyspaces = room(l->keyspaces, l->keyspace_count, &l->keyspace_capacity, sizeof(struct keyspace_def *));
    l->open = l->keyspace_count;
    l->keyspaces[l->keyspace_count++] = def;
    return OK;
}

enum status loading_add_type(struct loading *l, struct bytes scope, struct bytes name, struct bytes value,
                             struct error *err)
{
    enum status status = open_keyspace(l, scope, err);

    if (status)
        return status;
    assert(!l->table_count); /* kinds come one after another */
    l->types = room(l->types, l->type_count, &l->type_capacity, sizeof(*l->types));
    l->types[l->type_count++] =
        (struct loading_type){ .value = arena_copy(l->arena, value), .level = schema_type_level(value) };
    return OK;
}

/* Its types are put in the keyspace first, as its columns may use them. */
enum status loading_add_table(struct loading *l, struct bytes scope, struct bytes name, struct bytes value,
                              struct error *err)
{
    enum status status = open_keyspace(l, scope, err);
    struct table_def *def;

    if (!status && l->type_count)
        status = flush(l, err);
    if (!status)
        status = schema_decode_table(value, l->keyspaces[l->open], &def, err);
    if (status)
        return status;
    if (!bytes_equal(def->name, name)) {
        table_def_unref(def);
        return misplaced(err);
    }
    l->tables = room(l->tables, l->table_count, &l->table_capacity, sizeof(struct table_def *));
    l->tables[l->table_count++] = def;
    return OK;
}

/* For qsort. */
static int compare_ids(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Two tables of one id would show each other's rows, and of two accounts that must never be. */
static bool has_double_ids(const struct loading *l)
{
    uint64_t *ids;
    uint32_t count = 0;
    bool found = false;

    for (uint32_t i = 0; i < l->keyspace_count; i++)
        count += l->keyspaces[i]->table_count;
    ids = xmalloc((count + 1) * sizeof(*ids));
    count = 0;
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        for (uint32_t j = 0; j < l->keyspaces[i]->table_count; j++)
            ids[count++] = l->keyspaces[i]->tables[j]->id;
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (uint32_t i = 1; i < count && !found; i++)
        found = ids[i - 1] == ids[i];
    free(ids);
    return found;
}

/* A keyspace that a client made before the program had one of this name: served, it would be hidden, and its rows
 * with it. */
static const struct keyspace_def *find_hidden(const struct loading *l)
{
    for (uint32_t i = 0; i < l->keyspace_count; i++) {
        struct bytes name = l->keyspaces[i]->name;

        if (ddl_is_local_system_keyspace(name) || ddl_is_virtual_system_keyspace(name))
            return l->keyspaces[i];
    }
    return NULL;
}

/* Definitions without a first row are what a crash cannot leave: something took it away. No rows at
 * all is a new directory. */
enum status loading_end(struct loading *l, struct error *err)
{
    const struct keyspace_def *hidden;
    enum status status = flush(l, err);

    if (!status && !l->has_meta && (l->keyspace_count || l->account_count > 1))
        status = error_set(err, ERR_CORRUPT, "The catalog's first row is missing");
    if (!status && has_double_ids(l))
        status = error_set(err, ERR_CORRUPT, "The catalog has two tables of one id");
    hidden = find_hidden(l);
    if (!status && hidden)
        status = error_set(err, ERR_CONFIG,
                           "The data has a keyspace %.*s, a name that this server needs for its own: with the server "
                           "that made it, copy its tables to another keyspace and drop it",
                           BYTES(hidden->name));
    return status;
}

/* Its keyspaces stand together. */
static const struct loading_account *account_of(const struct loading *l, uint32_t keyspace)
{
    for (uint32_t i = 0; i < l->account_count; i++)
        if (keyspace >= l->accounts[i].first && keyspace - l->accounts[i].first < l->accounts[i].count)
            return &l->accounts[i];
    return NULL;
}

const struct table_def *loading_find_table(const struct loading *l, uint64_t table_id,
                                           const struct loading_account **account)
{
    assert(!l->table_count && !l->type_count);
    for (uint32_t i = 0; i < l->keyspace_count; i++)
        for (uint32_t j = 0; j < l->keyspaces[i]->table_count; j++)
            if (l->keyspaces[i]->tables[j]->id == table_id) {
                *account = account_of(l, i);
                return l->keyspaces[i]->tables[j];
            }
    return NULL;
}

/* ---- the schema ---- */

/* A system keyspace that was changed: as the program has it, with what a client may change
 * (replication, durable_writes, and the internal ids that TRUNCATE gives). */
static struct keyspace_def *overlay(const struct keyspace_def *ours, const struct keyspace_def *saved)
{
    struct keyspace_def *def = keyspace_def_clone(ours, 0, 0);

    option_map_copy(def->arena, &def->replication, &saved->replication);
    def->durable_writes = saved->durable_writes;
    for (uint32_t i = 0; i < ours->table_count; i++) {
        struct table_def *table = table_def_clone(ours->tables[i], 0, 0);
        uint32_t at;

        if (keyspace_def_find_table(saved, table->name, &at))
            table->id = saved->tables[at]->id;
        table->durable_writes = saved->durable_writes;
        table_def_finish(table);
        keyspace_def_put_table(def, table);
    }
    return def;
}

static bool is_system(struct bytes name)
{
    return ddl_is_local_system_keyspace(name) || ddl_is_replicated_system_keyspace(name) ||
           ddl_is_virtual_system_keyspace(name);
}

/* System keyspaces are the program's, also where the disk has them. */
struct schema *loading_schema(const struct loading *l, const struct loading_account *account, const struct schema *bare,
                              uint64_t version)
{
    struct keyspace_def *const *saved = l->keyspaces + account->first;
    struct keyspace_def **all =
        xmalloc((schema_keyspace_count(bare) + account->count + 1) * sizeof(struct keyspace_def *));
    uint32_t count = 0;
    struct schema *schema;

    for (uint32_t i = 0; i < schema_keyspace_count(bare); i++) {
        const struct keyspace_def *def = schema_keyspace_at(bare, i);
        uint32_t at;

        all[count++] = keyspace_defs_find(saved, account->count, def->name, &at)
                           ? overlay(def, saved[at])
                           : keyspace_def_ref((struct keyspace_def *)def);
    }
    for (uint32_t i = 0; i < account->count; i++)
        if (!is_system(saved[i]->name))
            all[count++] = keyspace_def_ref(saved[i]);
    assert(count <= schema_keyspace_count(bare) + account->count);
    schema = schema_of(version, account->uuid, all, count);
    free(all);
    return schema;
}
