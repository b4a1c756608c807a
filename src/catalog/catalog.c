/* One change at a time, in whichever account: decide (schema/ddl), save, put in force, tell; and the
 * life of all that around it.
 *
 * A change holds `changing` while the disk is waited for, so the next one is decided on what this
 * one made. Readers take a reference under `lock`, which nobody holds for longer than that takes: a
 * request never waits for the disk because somebody creates a table.
 *
 * What is in force is always on the disk: a change whose write failed is not put in force, and one
 * whose outcome is unknown makes the next change read everything again before it is decided. */
#include "catalog/catalog.h"

#include "base/log.h"
#include "base/random.h"
#include "base/uuid.h"
#include "catalog/definitions.h"
#include "catalog/format.h"
#include "catalog/forward.h"
#include "catalog/loading.h"
#include "catalog/removal.h"
#include "catalog/state.h"
#include "catalog/system_tables.h"
#include "cql/parse.h"
#include "schema/build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The default, where no test brings its own. */
static void kernel_random(void *context, void *out, size_t size)
{
    (void)context;
    random_bytes(out, size);
}

/* All that a decision depends on besides the schema, so that ddl_apply is pure. With `changing` held. */
static struct ddl_context ddl_context(struct catalog *catalog, const struct catalog_account *account,
                                      struct bytes current_keyspace)
{
    struct ddl_context context = {
        .current_keyspace = current_keyspace,
        .region = catalog->options.region ? bytes_of(catalog->options.region, strlen(catalog->options.region))
                                          : bytes_of(NULL, 0),
        .now_us = clock_realtime_us(catalog->options.clock),
        .next_table_id = catalog->next_table_id,
        .next_version = catalog_version(catalog) + 1,
        .random = catalog->options.random,
        .random_context = catalog->options.random_context,
    };

    /* What others have made: each has the program's keyspaces too, which are nobody's making. */
    pthread_mutex_lock(&catalog->lock);
    context.keyspaces_elsewhere = catalog->keyspace_count - schema_keyspace_count(account->current) -
                                  (catalog->account_count - 1) * schema_keyspace_count(catalog->program);
    context.tables_elsewhere = catalog->table_count - schema_table_count(account->current) -
                               (catalog->account_count - 1) * schema_table_count(catalog->program);
    pthread_mutex_unlock(&catalog->lock);
    return context;
}

/* ---- the schemas in force ---- */

/* Only the counting is under the lock: schemas never change once they are in force. */
struct schema *catalog_ref_schema(struct catalog *catalog, const struct catalog_account *account)
{
    struct schema *schema;

    pthread_mutex_lock(&catalog->lock);
    schema = schema_ref(account->current);
    pthread_mutex_unlock(&catalog->lock);
    return schema;
}

/* Acquire: who sees the number sees the schemas that go with it. */
uint64_t catalog_version(const struct catalog *catalog)
{
    return atomic_load_explicit(&catalog->version, memory_order_acquire);
}

/* What has changed is let go of, also of accounts that nobody asks for now: an old schema would keep
 * what was dropped. The number is read first, so what changes meanwhile is looked at once more. */
static void look_again(struct catalog *catalog, struct catalog_view *view)
{
    uint64_t version = catalog_version(catalog);

    for (uint32_t i = 0; i < view->count; i++) {
        struct catalog_seen *seen = &view->seen[i];

        if (!seen->schema ||
            schema_version_number(seen->schema) == atomic_load_explicit(&seen->account->version, memory_order_relaxed))
            continue;
        schema_unref(seen->schema);
        seen->schema = NULL;
    }
    view->version = version;
}

/* The first time since it changed. */
static const struct schema *see(struct catalog *catalog, struct catalog_view *view,
                                const struct catalog_account *account)
{
    struct catalog_seen *seen;

    look_again(catalog, view);
    if (account->index >= view->count) {
        uint32_t count = view->count;

        /* By doubling, as accounts come one after another. */
        view->count = account->index < 8 ? 8 : account->index * 2;
        view->seen = xrealloc(view->seen, view->count * sizeof(*view->seen));
        memset(view->seen + count, 0, (view->count - count) * sizeof(*view->seen));
    }
    /* May be newer than the number that was read: then the next call looks once more. */
    seen = &view->seen[account->index];
    if (!seen->schema)
        *seen = (struct catalog_seen){ account, catalog_ref_schema(catalog, account) };
    return seen->schema;
}

/* One atomic load while nothing has changed: this is asked once for each request. */
const struct schema *catalog_view_schema(struct catalog *catalog, struct catalog_view *view,
                                         const struct catalog_account *account)
{
    if (view->version == catalog_version(catalog) && account->index < view->count && view->seen[account->index].schema)
        return view->seen[account->index].schema;
    return see(catalog, view, account);
}

/* NULL and no version: the next call begins anew. */
void catalog_view_fini(struct catalog_view *view)
{
    for (uint32_t i = 0; i < view->count; i++)
        schema_unref(view->seen[i].schema);
    free(view->seen);
    *view = (struct catalog_view){ 0 };
}

/* Most tables are the default account's; another's is found by whose it is. With the lock held. */
static struct table_def *find_table(struct catalog *catalog, uint64_t table_id)
{
    struct table_def *def = schema_table_by_id(catalog->default_account->current, table_id);
    struct catalog_account *owner;

    /* Of the one account that most servers have, this is all. */
    if (def)
        return table_def_ref(def);
    if (table_id >= ACCOUNT_TABLE_IDS_FROM)
        return account_system_table(catalog, table_id);
    owner = owners_find(&catalog->owners, table_id);
    def = owner ? schema_table_by_id(owner->current, table_id) : NULL;
    return def ? table_def_ref(def) : NULL;
}

/* Shards ask for a definition by id while the space opens, when the schemas' tables are not yet
 * read: our own tables are then all that there is, and they are enough to read the rest. */
struct table_def *catalog_table_by_id(void *context, uint64_t table_id)
{
    struct catalog *catalog = context;
    struct table_def *def;

    if (table_id == CATALOG_TABLE_ID)
        return table_def_ref(catalog->own_table);
    if (table_id == CATALOG_IDENTITIES_ID)
        return table_def_ref(catalog->identities);
    if (table_id == CATALOG_OLD_TABLE_ID)
        return catalog->old_table ? table_def_ref(catalog->old_table) : NULL;
    /* A table that was dropped is not found, and then its shards no longer need it. */
    pthread_mutex_lock(&catalog->lock);
    def = find_table(catalog, table_id);
    pthread_mutex_unlock(&catalog->lock);
    return def;
}

const struct table_def *catalog_identities_table(const struct catalog *catalog)
{
    return catalog->identities;
}

/* The account's other schema, for the one it had. With the lock held; who has let it go tells the
 * version to all. */
static struct schema *exchange(struct catalog *catalog, struct catalog_account *account, struct schema *schema)
{
    struct schema *old = account->current;

    /* A number that did not grow would leave views with the old schema for ever. */
    assert(schema_version_number(schema) > schema_version_number(old)); /* views go by it */
    account->current = schema;
    atomic_store_explicit(&account->version, schema_version_number(schema), memory_order_relaxed);
    catalog->keyspace_count += schema_keyspace_count(schema) - schema_keyspace_count(old);
    catalog->table_count += schema_table_count(schema) - schema_table_count(old);
    if (account != catalog->default_account)
        owners_follow(&catalog->owners, account, old, schema, CATALOG_TABLE_IDS_FROM, ACCOUNT_TABLE_IDS_FROM);
    return old;
}

/* Takes over the reference. The old schema lives until the last view lets go of it. */
static void put_in_force(struct catalog *catalog, struct catalog_account *account, struct schema *schema)
{
    struct schema *old;

    assert(schema_version_number(schema) > catalog_version(catalog));
    pthread_mutex_lock(&catalog->lock);
    old = exchange(catalog, account, schema);
    atomic_store_explicit(&catalog->version, schema_version_number(schema), memory_order_release);
    pthread_mutex_unlock(&catalog->lock);
    schema_unref(old);
}

/* ---- system tables ---- */

/* Ids of system tables come from their names, so that they are the same in each run and each
 * version. User tables begin above. */
static uint64_t system_table_id(struct bytes keyspace, struct bytes table)
{
    uint32_t hash = 2166136261u;

    assert(keyspace.size && table.size);
    /* FNV-1a, 32 bits, of "keyspace.table". */
    for (size_t i = 0; i < keyspace.size; i++)
        hash = (hash ^ keyspace.data[i]) * 16777619u;
    hash = (hash ^ '.') * 16777619u;
    for (size_t i = 0; i < table.size; i++)
        hash = (hash ^ table.data[i]) * 16777619u;
    hash &= CATALOG_TABLE_IDS_FROM - 1;
    return hash <= CATALOG_IDENTITIES_ID ? hash + CATALOG_IDENTITIES_ID + 1 : hash;
}

/* Names that meet in one id would meet in each other's rows: whoever adds a table must give it
 * another one. A start fails then, so nobody can overlook it. */
static enum status check_system_table_id(const struct catalog *catalog, uint64_t id, struct bytes keyspace,
                                         struct bytes table, struct error *err)
{
    const struct table_def *other = schema_table_by_id(catalog->program, id);

    if (!other && ddl_is_replicated_system_keyspace(keyspace))
        other = account_meeting_table(catalog, id);
    if (!other)
        return OK;
    return error_set(err, ERR_CONFIG, "the system tables %.*s and %.*s have the same id", BYTES(other->name),
                     BYTES(table));
}

/* Definitions made at start: parsed, applied, and given their bodies before anyone sees them. */
static enum status define(struct catalog *catalog, struct arena *arena, const char *text, struct error *err)
{
    struct ddl_context context = ddl_context(catalog, catalog->default_account, bytes_of(NULL, 0));
    struct cql_statement *statement;
    struct ddl_change change;
    struct schema *schema;
    enum status status = cql_parse(arena, bytes_of_string(text), &statement, err);

    if (status)
        return status;
    /* Names that no client may choose are allowed to us. */
    context.is_internal = true;
    if (statement->kind == STATEMENT_CREATE_TABLE) {
        const struct qualified_name *name = &statement->create_table->table;

        context.next_table_id = system_table_id(name->keyspace, name->name);
        status = check_system_table_id(catalog, context.next_table_id, name->keyspace, name->name, err);
        if (status)
            return status;
    }
    status = ddl_apply(catalog->program, statement, &context, arena, &schema, &change, err);
    if (status)
        return status;
    /* What the program brings is kept apart: accounts that come later begin with it. */
    schema_unref(catalog->program);
    catalog->program = schema_ref(schema);
    put_in_force(catalog, catalog->default_account, schema);
    return OK;
}

/* After all system tables are defined: the bodies lie in one array, which must not move while
 * definitions point into it. */
static void give_bodies(struct catalog *catalog)
{
    uint32_t count = 0, used = 0;

    for (uint32_t i = 0; i < schema_keyspace_count(catalog->program); i++)
        count += schema_keyspace_at(catalog->program, i)->table_count;
    catalog->bodies = xcalloc(count + 1, sizeof(*catalog->bodies));
    /* Names of Cassandra's that are computed: their kind of keyspace decides how they are
     * described. */
    for (uint32_t i = 0; i < schema_keyspace_count(catalog->program); i++) {
        /* Nobody else has seen this schema: its definitions are still ours to complete. */
        struct keyspace_def *keyspace = (struct keyspace_def *)schema_keyspace_at(catalog->program, i);

        keyspace->is_virtual = ddl_is_virtual_system_keyspace(keyspace->name);
        for (uint32_t j = 0; j < keyspace->table_count; j++) {
            const struct system_body *body = system_body_of(keyspace->name, keyspace->tables[j]->name);

            if (!body)
                continue;
            catalog->bodies[used] = (struct virtual_table){ body->rows, catalog, body->waits };
            keyspace->tables[j]->virtual_table = &catalog->bodies[used++];
            keyspace->tables[j]->ways = body->ways;
        }
    }
}

/* Anew at each start, as a later version of the server may have other columns. What a client may
 * change of them comes from the disk (loading.c). */
static enum status define_system_tables(struct catalog *catalog, struct error *err)
{
    struct arena *arena = arena_new(1 << 14);
    enum status status = OK;

    for (size_t i = 0; system_definitions[i] && !status; i++) {
        status = define(catalog, arena, system_definitions[i], err);
        arena_reset(arena);
    }
    arena_free(arena);
    if (!status)
        give_bodies(catalog);
    return status;
}

/* For tables that others compute. Definitions are read only after this, so nobody has seen the
 * schema that is changed here. */
enum status catalog_register(struct catalog *catalog, const char *create_table, const struct virtual_table *body,
                             struct error *err)
{
    struct arena *arena = arena_new(4096);
    struct cql_statement *statement;
    enum status status = cql_parse(arena, bytes_of_string(create_table), &statement, err);

    /* Not after opening: shards have asked for definitions then. */
    assert(!catalog->space);
    if (!status) {
        struct qualified_name name = statement->create_table->table;

        if (!schema_table(catalog->program, name.keyspace, name.name))
            status = define(catalog, arena, create_table, err);
        if (!status)
            schema_table(catalog->program, name.keyspace, name.name)->virtual_table = body;
    }
    arena_free(arena);
    return status;
}

/* ---- opening ---- */

static void make_uuid(struct catalog *catalog, uint8_t uuid[16])
{
    catalog->options.random(catalog->options.random_context, uuid, 16);
    uuid_set_random(uuid);
}

/* The format is looked at before anything else of the directory: a server that is too old must not
 * write a byte. */
enum status catalog_new(const struct catalog_options *options, struct catalog **result, struct error *err)
{
    static const uint8_t no_uuid[16];
    struct catalog *catalog;
    uint32_t format = DATA_FORMAT;
    enum status status = options->directory ? format_find(options->directory, &format, err) : OK;

    if (status)
        return status;
    catalog = xcalloc(1, sizeof(*catalog));
    catalog->options = *options;
    if (!catalog->options.random)
        /* From the kernel, unless a test wants ids that it knows. */
        catalog->options.random = kernel_random;
    catalog->cluster_name = xstrdup(options->cluster_name ? options->cluster_name : "Test Cluster");
    catalog->started_s = clock_realtime_us(options->clock) / 1000000;
    /* For a new directory. One that was served before has its own, which load puts in place. */
    make_uuid(catalog, catalog->host_id);
    catalog->next_table_id = CATALOG_TABLE_IDS_FROM;
    pthread_mutex_init(&catalog->lock, NULL);
    pthread_mutex_init(&catalog->changing, NULL);
    pthread_cond_init(&catalog->has_job, NULL);
    pthread_cond_init(&catalog->job_stepped, NULL);
    jobs_init(&catalog->jobs);
    catalog->own_table = definitions_own_table();
    catalog->identities = definitions_identities_table();
    catalog->old_table = format < DATA_FORMAT ? forward_old_table() : NULL;
    catalog->program = schema_new(0, no_uuid);
    account_begin(catalog, schema_ref(catalog->program));
    status = define_system_tables(catalog, err);
    if (status) {
        catalog_free(catalog);
        return status;
    }
    *result = catalog;
    return OK;
}

/* After the space was closed: its owners ask for definitions up to then. */
void catalog_free(struct catalog *catalog)
{
    assert(!catalog->space);
    account_free_all(catalog);
    owners_fini(&catalog->owners);
    schema_unref(catalog->program);
    table_def_unref(catalog->own_table);
    table_def_unref(catalog->identities);
    table_def_unref(catalog->old_table);
    pthread_mutex_destroy(&catalog->lock);
    pthread_mutex_destroy(&catalog->changing);
    pthread_cond_destroy(&catalog->has_job);
    pthread_cond_destroy(&catalog->job_stepped);
    jobs_fini(&catalog->jobs);
    free(catalog->bodies);
    free(catalog->cluster_name);
    free(catalog);
}

/* All that it had made was dropped, and nobody has named it since the start: it is as any account that has nothing, and
 * takes no place from others. Its row stays, and says nothing more. */
static bool is_over(struct catalog *catalog, const struct loading_account *account)
{
    bool is_named;

    if (account->count)
        return false;
    pthread_mutex_lock(&catalog->lock);
    is_named = account_find(catalog, account->number) != NULL;
    pthread_mutex_unlock(&catalog->lock);
    return !is_named;
}

/* What was read replaces what we knew. A directory that was never served has no first row: then
 * what was made at the start stays. All accounts are exchanged before anybody is told: they have one
 * version. */
static void take_over(struct catalog *catalog, struct loading *l, uint64_t version)
{
    struct schema **schemas = xcalloc(l->account_count, sizeof(struct schema *));
    struct catalog_account **accounts = xcalloc(l->account_count, sizeof(struct catalog_account *));
    uint32_t count = 0;

    if (l->has_meta) {
        memcpy(catalog->host_id, l->host_id, 16);
        catalog->next_table_id = l->next_table_id;
        jobs_replace(&catalog->jobs, &l->jobs);
        jobs_find_kinds(catalog);
    }
    /* Made outside of the lock, as that takes as long as there are definitions. */
    for (uint32_t i = 0; i < l->account_count; i++) {
        struct schema *bare;

        if (is_over(catalog, &l->accounts[i]))
            continue;
        accounts[count] = account_intern(catalog, l->accounts[i].number, UINT32_MAX);
        bare = account_bare_schema(catalog, accounts[count], version);
        schemas[count++] = loading_schema(l, &l->accounts[i], bare, version);
        schema_unref(bare);
    }
    /* Nobody sees one account as it is now and another as it was. */
    pthread_mutex_lock(&catalog->lock);
    for (uint32_t i = 0; i < count; i++)
        schemas[i] = exchange(catalog, accounts[i], schemas[i]);
    atomic_store_explicit(&catalog->version, version, memory_order_release);
    pthread_mutex_unlock(&catalog->lock);
    for (uint32_t i = 0; i < count; i++)
        schema_unref(schemas[i]);
    free(accounts);
    free(schemas);
    catalog->in_doubt = false;
}

/* Reads the definitions and puts them in force. With `changing` held. At a start, and again after a
 * write whose outcome is unknown. */
static enum status load(struct catalog *catalog, struct table_port *port, struct error *err)
{
    struct loading l;
    enum status status;

    loading_init(&l);
    status = definitions_load(catalog, port, &l, err);
    if (!status) {
        /* Higher than any that was seen in this run: views go by it. */
        uint64_t version = catalog_version(catalog) + 1;

        if (l.version > version)
            version = l.version;
        /* A new directory: its first row is written before anything is served, so that the host id
         * and the schema version that clients see outlive a crash. */
        if (!l.has_meta) {
            /* A new directory has no version; a random one makes drivers read the schema. */
            make_uuid(catalog, l.accounts[0].uuid);
            status = definitions_save_meta(catalog, port, version, l.accounts[0].uuid, err);
        }
        if (!status)
            take_over(catalog, &l, version);
    }
    loading_fini(&l);
    return status;
}

/* Last of all the thread of jobs begins, and goes on with what an earlier run left. */
enum status catalog_open(struct catalog *catalog, struct table_space *space, struct error *err)
{
    struct table_port *port = table_port_open(space);
    enum status status;

    pthread_mutex_lock(&catalog->changing);
    status = catalog->old_table ? forward_run(catalog, port, err) : OK;
    if (!status)
        status = load(catalog, port, err);
    if (!status) {
        int failed;

        /* From here on changes are possible. */
        catalog->space = space;
        failed = pthread_create(&catalog->job_thread, NULL, jobs_run, catalog);
        if (failed) {
            catalog->space = NULL;
            status = error_set_os(err, failed, "Cannot start the thread that removes rows of dropped tables");
        }
    }
    pthread_mutex_unlock(&catalog->changing);
    table_port_close(port);
    return status;
}

/* The job thread sees that the space is gone, ends after its step, and leaves the rest to the next
 * start. */
void catalog_close(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->changing);
    assert(catalog->space);
    catalog->space = NULL;
    pthread_cond_signal(&catalog->has_job);
    pthread_mutex_unlock(&catalog->changing);
    pthread_join(catalog->job_thread, NULL);
}

/* ---- changes ---- */

/* Listeners stay in the list while they are told: who takes one out waits for `changing`, which is
 * held here. `lock` is not, as a listener may ask for the schema. */
static void tell(struct catalog *catalog, struct catalog_account *account, const struct ddl_change *change)
{
    struct catalog_listener *listener;

    pthread_mutex_lock(&catalog->lock);
    listener = catalog->listeners;
    pthread_mutex_unlock(&catalog->lock);
    for (; listener; listener = listener->next)
        listener->changed(listener, account, change);
}

/* Refused for certain, nothing happened. Anything else may have, or not: nothing more is decided on
 * what we believe, and an id that may be on the disk is not given again, as the rows of two tables
 * would stand under it. */
static void give_up(struct catalog *catalog, enum status status, uint64_t next_table_id)
{
    /* The id was the last that was given, so it can be taken back. */
    assert(status && next_table_id + 1 == catalog->next_table_id);
    if (status == ERR_WRITE_FAILURE || status == ERR_OVERLOADED || status == ERR_INVALID)
        catalog->next_table_id = next_table_id;
    else
        catalog->in_doubt = true;
}

/* Saves `schema` (reference taken over), puts it in force, has rows removed. With `changing` held.
 * The job that removes rows is saved by the same command as the change: a crash between the two
 * would leave rows that nobody removes. */
static enum status carry_out(struct catalog *catalog, struct catalog_account *account, struct table_port *port,
                             struct schema *schema, const struct ddl_change *change, bool is_told, struct error *err)
{
    /* Given before the change is written, so that the meta row already has the next one. */
    uint64_t next_table_id = catalog->next_table_id++; /* it may have become a table's, and a job's */
    struct removal_undo undo =
        removal_add(catalog, next_table_id, change->removed_table_ids, change->removed_table_count);
    enum status status;

    assert(change->happened && catalog->space && !catalog->in_doubt);
    /* All that a crash could split goes in this one command. */
    status = definitions_save_change(catalog, port, account, schema, change->keyspace, err);
    if (status) {
        removal_undo(catalog, &undo);
        give_up(catalog, status, next_table_id);
        schema_unref(schema);
        return status;
    }
    /* What was written with the change is on the disk now. */
    jobs_set_clean(&catalog->jobs);
    put_in_force(catalog, account, schema);
    if (is_told)
        tell(catalog, account, change);
    pthread_cond_signal(&catalog->has_job);
    return OK;
}

/* What a write of unknown outcome left is not known before its shard takes writes again: resumed, it may have it after all. */
static enum status end_doubt(struct catalog *catalog, struct table_port *port, struct error *err)
{
    assert(catalog->in_doubt);
    if (!definitions_are_settled(catalog, port))
        return error_set(err, ERR_WRITE_FAILURE,
                         "Definitions can't be changed now: the disk is full or failed; reads go on");
    return load(catalog, port, err);
}

/* In doubt, what the disk has is read first, and takes the place of what we believed. */
static enum status ready_for_change(struct catalog *catalog, struct table_port *port, struct error *err)
{
    if (!catalog->space)
        return error_set(err, ERR_BOOTSTRAPPING,
                         "Definitions can't be changed now: the server is starting or stopping");
    return catalog->in_doubt ? end_doubt(catalog, port, err) : OK;
}

enum status catalog_change(struct catalog *catalog, struct catalog_account *account, struct table_port *port,
                           const struct cql_statement *statement, struct bytes current_keyspace, struct arena *arena,
                           struct ddl_change *change, struct error *err)
{
    struct ddl_context context;
    struct schema *schema;
    enum status status;

    pthread_mutex_lock(&catalog->changing);
    status = ready_for_change(catalog, port, err);
    if (!status) {
        /* Decided on the schema that is in force now, which no other change can replace before this
         * one is through. */
        context = ddl_context(catalog, account, current_keyspace);
        status = ddl_apply(account->current, statement, &context, arena, &schema, change, err);
    }
    /* IF NOT EXISTS and the like: decided, and nothing to do. */
    if (!status && !change->happened)
        schema_unref(schema);
    else if (!status)
        status = carry_out(catalog, account, port, schema, change, true, err);
    pthread_mutex_unlock(&catalog->changing);
    return status;
}

/* A table is emptied by giving it another internal id, under which there is nothing: readers see
 * all rows or none, and the old ones are removed behind the answer. */
enum status catalog_truncate(struct catalog *catalog, struct catalog_account *account, struct table_port *port,
                             struct bytes keyspace, struct bytes table, struct error *err)
{
    struct arena *arena = arena_new(1024);
    struct ddl_context context;
    struct ddl_change change;
    struct schema *schema;
    enum status status;

    pthread_mutex_lock(&catalog->changing);
    status = ready_for_change(catalog, port, err);
    if (!status) {
        context = ddl_context(catalog, account, bytes_of(NULL, 0));
        status = ddl_truncate(account->current, keyspace, table, &context, arena, &schema, &change, err);
    }
    if (!status)
        status = carry_out(catalog, account, port, schema, &change, false, err);
    pthread_mutex_unlock(&catalog->changing);
    arena_free(arena);
    return status;
}

/* The job stands on the disk before the caller hears of it. */
enum status catalog_add_job(struct catalog *catalog, struct table_port *port, const struct job_kind *kind,
                            struct bytes state, uint64_t total, struct error *err)
{
    enum status status;

    pthread_mutex_lock(&catalog->changing);
    status = ready_for_change(catalog, port, err);
    if (!status) {
        const struct schema *schema = catalog->default_account->current;
        /* Ids of jobs and of tables come from one counter: both are never given twice. */
        uint64_t id = catalog->next_table_id++;
        struct job *job = jobs_add(&catalog->jobs, id, bytes_of_string(kind->name), state, 0, total);

        assert(job); /* ids are given once */
        job->kind = kind;
        status = definitions_save_meta(catalog, port, catalog_version(catalog), schema_version_uuid(schema), err);
        if (status) {
            jobs_remove(&catalog->jobs, job);
            give_up(catalog, status, id);
        } else {
            jobs_set_clean(&catalog->jobs);
            pthread_cond_signal(&catalog->has_job);
        }
    }
    pthread_mutex_unlock(&catalog->changing);
    return status;
}

/* Both locks, so that nobody is being told and nobody reads the list. */
void catalog_listen(struct catalog *catalog, struct catalog_listener *listener)
{
    pthread_mutex_lock(&catalog->changing);
    pthread_mutex_lock(&catalog->lock);
    listener->next = catalog->listeners;
    catalog->listeners = listener;
    pthread_mutex_unlock(&catalog->lock);
    pthread_mutex_unlock(&catalog->changing);
}

void catalog_unlisten(struct catalog *catalog, struct catalog_listener *listener)
{
    /* While this is held nobody is being told. */
    pthread_mutex_lock(&catalog->changing);
    pthread_mutex_lock(&catalog->lock);
    for (struct catalog_listener **at = &catalog->listeners; *at; at = &(*at)->next) {
        if (*at != listener)
            continue;
        *at = listener->next;
        break;
    }
    pthread_mutex_unlock(&catalog->lock);
    pthread_mutex_unlock(&catalog->changing);
}

/* ---- facts ---- */

const uint8_t *catalog_host_id(const struct catalog *catalog)
{
    return catalog->host_id;
}

/* As CQL's inet has it: 4 or 16 bytes. */
struct bytes catalog_address(const struct catalog *catalog)
{
    return bytes_of(catalog->options.address, catalog->options.address_is_ipv6 ? 16 : 4);
}

struct bytes catalog_cluster_name(const struct catalog *catalog)
{
    return bytes_of_string(catalog->cluster_name);
}
