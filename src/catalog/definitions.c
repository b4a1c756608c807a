/* The definitions on disk; see definitions.h. Saving compares two keyspaces kind by kind, by name:
 * a row is written when its definition is another one than before, and deleted when it is there no
 * more.
 *
 * So a change of one table of a thousand writes one row. What a change touched need not be said by
 * who made it, and cannot be said wrongly. */
#include "catalog/definitions.h"

#include "catalog/loading.h"
#include "catalog/rows.h"
#include "catalog/state.h"
#include "schema/build.h"
#include "schema/codec.h"
#include "schema/options.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* JOB_HEAD_BYTES come before a job's state. A command of many definitions is cut at COMMAND_BYTES,
 * well below what an owner takes at once. */
enum {
    META_ENCODING = 2,
    META_BYTES = 1 + 16 + 8 + 8 + 16,
    ACCOUNT_ENCODING = 1,
    ACCOUNT_BYTES = 1 + 16,
    JOB_ENCODING = 1,
    JOB_HEAD_BYTES = 1 + 8 + 8,
    COMMAND_BYTES = 1 << 20
};

#define PARTITION BYTES_LITERAL("definitions")
#define NO_NAME   BYTES_LITERAL("")

/* Built by hand and not parsed: it must be there before anything can be read, and its ids are on
 * the disk. It is in no schema, so that no client can read or drop it. */
static struct table_def *own_table(const char *name, uint64_t id, const char *key)
{
    struct table_def *def = table_def_new(BYTES_LITERAL("system"), bytes_of_string(name));
    const struct type *text = type_native(TYPE_TEXT);

    def->id = id;
    def->columns = arena_new_array(def->arena, struct column_def, 5);
    table_def_add_column(def, COLUMN_PARTITION_KEY, 0, bytes_of_string(key), text, false);
    table_def_add_column(def, COLUMN_CLUSTERING, 0, BYTES_LITERAL("kind"), type_native(TYPE_INT), false);
    table_def_add_column(def, COLUMN_CLUSTERING, 1, BYTES_LITERAL("scope"), text, false);
    table_def_add_column(def, COLUMN_CLUSTERING, 2, BYTES_LITERAL("name"), text, false);
    table_def_add_column(def, COLUMN_REGULAR, 0, BYTES_LITERAL("value"), type_native(TYPE_BLOB), false);
    options_default_table(def->arena, &def->params);
    def->params.bloom_filter_fp_chance = 0.01;
    def->params.gc_grace_s = 0; /* each job that is over leaves a deletion, and each start reads all of them */
    table_def_finish(def);
    return def;
}

/* One partition, whatever is defined, so that a change of several definitions is one command: whole, or not
 * there. */
struct table_def *definitions_own_table(void)
{
    return own_table("helenus_definitions", CATALOG_TABLE_ID, "key");
}

/* What stands in it only identity/ knows. One partition for each account, so that a change of several
 * identities is one command. */
struct table_def *definitions_identities_table(void)
{
    return own_table("helenus_identities", CATALOG_IDENTITIES_ID, "account");
}

/* ---- kinds ---- */

/* A keyspace whose definitions are saved. NULL: it isn't there, and nothing is in it. */
struct scope {
    const struct keyspace_def *keyspace;
    uint32_t *type_levels; /* owned; NULL: not yet asked for */
};

static uint32_t count_keyspace(const struct scope *scope)
{
    return 1;
}

static struct bytes keyspace_name(const struct scope *scope, uint32_t index)
{
    return scope->keyspace->name;
}

static const void *keyspace_identity(const struct scope *scope, uint32_t index)
{
    return scope->keyspace;
}

static void encode_keyspace(struct buffer *out, struct scope *scope, uint32_t index)
{
    schema_encode_keyspace(out, scope->keyspace);
}

static uint32_t count_types(const struct scope *scope)
{
    return scope->keyspace->type_count;
}

static struct bytes type_name(const struct scope *scope, uint32_t index)
{
    return scope->keyspace->types[index]->name;
}

/* A type's level says how deep it is built of others, so that a reader decodes those that it uses
 * first. Computed once for a keyspace, when its first type is encoded. */
static void encode_type(struct buffer *out, struct scope *scope, uint32_t index)
{
    assert(index < scope->keyspace->type_count);
    if (!scope->type_levels) {
        scope->type_levels = xmalloc(scope->keyspace->type_count * sizeof(*scope->type_levels));
        schema_type_levels(scope->keyspace, scope->type_levels);
    }
    schema_encode_type(out, scope->keyspace->types[index], scope->type_levels[index],
                       scope->keyspace->type_changed_us[index]);
}

static uint32_t count_tables(const struct scope *scope)
{
    return scope->keyspace->table_count;
}

static struct bytes table_name(const struct scope *scope, uint32_t index)
{
    return scope->keyspace->tables[index]->name;
}

/* Definitions are never changed in place, and a change keeps those that it does not touch: the same
 * pointer is the same definition. So nothing needs to be encoded to find out. */
static const void *table_identity(const struct scope *scope, uint32_t index)
{
    return scope->keyspace->tables[index];
}

static void encode_table(struct buffer *out, struct scope *scope, uint32_t index)
{
    schema_encode_table(out, scope->keyspace->tables[index]);
}

/* Numbers are on the disk: never change them. They are in ascending order here, which is the order
 * of rows, so what a kind needs stands before it. */
static const struct kind {
    int32_t number;
    uint8_t encoding; /* what we write; the newest we read */
    const char *what;
    bool is_within; /* of a keyspace: its name stands in the scope */
    uint32_t (*count)(const struct scope *scope);
    struct bytes (*name)(const struct scope *scope, uint32_t index); /* ascending */
    /* The same one is the same definition. NULL: a change makes all of them anew, so their bytes are compared. */
    const void *(*identity)(const struct scope *scope, uint32_t index);
    void (*encode)(struct buffer *out, struct scope *scope, uint32_t index);
    enum status (*take)(struct loading *l, struct bytes scope, struct bytes name, struct bytes value,
                        struct error *err);
} kinds[] = {
    { 10, SCHEMA_KEYSPACE_ENCODING, "keyspace", false, count_keyspace, keyspace_name, keyspace_identity,
      encode_keyspace, loading_add_keyspace },
    { 20, SCHEMA_TYPE_ENCODING, "type", true, count_types, type_name, NULL, encode_type, loading_add_type },
    { 30, SCHEMA_TABLE_ENCODING, "table", true, count_tables, table_name, table_identity, encode_table,
      loading_add_table },
};
/* The meta row comes first, then accounts, and jobs last, whatever kinds will be added. */
enum { META = 0, ACCOUNT = 5, JOB = 200 };

static const struct kind *find_kind(int64_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].number == number)
            return &kinds[i];
    return NULL;
}

/* ---- saving ---- */

/* A command, or several, on its way to the disk. */
struct saving {
    const struct catalog *catalog;
    struct table_port *port;
    struct rows rows;
    bool in_parts; /* more than one command may be made of it */
};

/* All rows of one command have the same time. */
static void begin(struct saving *s, const struct catalog *catalog, struct table_port *port)
{
    *s = (struct saving){ .catalog = catalog, .port = port };
    rows_begin(&s->rows, catalog->own_table, arena_new(4096), clock_realtime_us(catalog->options.clock) / 1000000,
               TTL_NONE);
    rows_put(&s->rows, "key", PARTITION);
}

/* Nothing to be written is no failure: a change may differ in nothing that is kept. */
static enum status end(struct saving *s, struct error *err)
{
    enum status status = s->rows.count ? rows_save(&s->rows, s->port, err) : OK;

    arena_free(s->rows.arena);
    return status;
}

static void add_row(struct saving *s, int32_t kind, struct bytes scope, struct bytes name)
{
    rows_add(&s->rows);
    rows_put_number(&s->rows, "kind", kind);
    rows_put(&s->rows, "scope", scope);
    rows_put(&s->rows, "name", name);
}

static void put_row(struct saving *s, int32_t kind, struct bytes scope, struct bytes name, const struct buffer *value)
{
    assert(value->size);
    add_row(s, kind, scope, name);
    rows_put(&s->rows, "value", buffer_bytes(value));
}

/* All done: its row goes. Otherwise it holds how far the job is, and what is left to do. The id is
 * written in hexadecimal digits of one length, so that jobs stand in their order. */
static void put_job(struct saving *s, const struct job *job, const struct job_work *work)
{
    struct bytes kind = bytes_of_string(job->kind_name);
    struct buffer value = { 0 };
    char id[17];

    assert(job->id && work->done <= work->total);
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)job->id);
    if (work->done == work->total) {
        /* The job is over: nobody needs to know of it. */
        add_row(s, JOB, kind, bytes_of_string(id));
        rows_delete(&s->rows);
        return;
    }
    buffer_append_u8(&value, JOB_ENCODING);
    buffer_append_be64(&value, work->done);
    buffer_append_be64(&value, work->total);
    buffer_append_bytes(&value, buffer_bytes(&work->state));
    put_row(s, JOB, kind, bytes_of_string(id), &value);
    buffer_fini(&value);
}

/* Host id, the next id and the schema's version go with each change: an id that was given must be
 * known as given after a crash. Jobs that the change leaves go with it too, for the same reason. */
static void put_meta(struct saving *s, uint64_t version, const uint8_t *uuid)
{
    const struct catalog *catalog = s->catalog;
    struct buffer value = { 0 };

    assert(s->rows.def == s->catalog->own_table);
    buffer_append_u8(&value, META_ENCODING);
    buffer_append(&value, catalog->host_id, 16);
    buffer_append_be64(&value, catalog->next_table_id);
    buffer_append_be64(&value, version);
    buffer_append(&value, uuid, 16);
    /* The layout is drawn in definitions.h, and this holds the two together. */
    assert(value.size == META_BYTES);
    put_row(s, META, NO_NAME, NO_NAME, &value);
    buffer_fini(&value);
    for (uint32_t i = 0; i < catalog->jobs.count; i++)
        if (catalog->jobs.list[i]->is_dirty)
            put_job(s, catalog->jobs.list[i], &catalog->jobs.list[i]->work);
}

/* With each of its changes: its schema has another uuid then. */
static void put_account(struct saving *s, const struct catalog_account *account, const uint8_t *uuid)
{
    struct buffer value = { 0 };

    buffer_append_u8(&value, ACCOUNT_ENCODING);
    buffer_append(&value, uuid, 16);
    assert(value.size == ACCOUNT_BYTES);
    put_row(s, ACCOUNT, NO_NAME, catalog_account_name(account), &value);
    buffer_fini(&value);
}

/* Is the definition another one? Encodes it, to be written. Types have no identity, since each
 * change makes them anew: their bytes are compared. */
static bool differs(const struct kind *kind, struct scope *from, uint32_t i, struct scope *to, uint32_t j,
                    struct buffer *value)
{
    struct buffer before = { 0 };
    bool is_other;

    if (kind->identity && kind->identity(from, i) == kind->identity(to, j))
        return false;
    kind->encode(value, to, j);
    if (kind->identity)
        return true;
    kind->encode(&before, from, i);
    is_other = !bytes_equal(buffer_bytes(&before), buffer_bytes(value));
    buffer_fini(&before);
    return is_other;
}

/* Both by name: the definitions of one kind that differ. A merge of two sorted lists; what is only
 * in the first was dropped, what is only in the second is new. */
static enum status put_kind(struct saving *s, const struct kind *kind, struct bytes scope, struct scope *from,
                            struct scope *to, struct error *err)
{
    uint32_t i = 0, j = 0;
    uint32_t from_count = from->keyspace ? kind->count(from) : 0, to_count = to->keyspace ? kind->count(to) : 0;
    struct buffer value = { 0 };
    enum status status = OK;

    while (!status && (i < from_count || j < to_count)) {
        /* Names ascend in both, which is asserted. */
        int order = i == from_count ? 1 : j == to_count ? -1 : bytes_compare(kind->name(from, i), kind->name(to, j));

        assert(!i || i == from_count || bytes_compare(kind->name(from, i - 1), kind->name(from, i)) < 0);
        assert(!j || j == to_count || bytes_compare(kind->name(to, j - 1), kind->name(to, j)) < 0);
        buffer_reset(&value);
        if (order < 0) {
            add_row(s, kind->number, scope, kind->name(from, i));
            rows_delete(&s->rows);
        } else if (order > 0) {
            kind->encode(&value, to, j);
            put_row(s, kind->number, scope, kind->name(to, j), &value);
        } else if (differs(kind, from, i, to, j, &value)) {
            put_row(s, kind->number, scope, kind->name(to, j), &value);
        }
        i += order <= 0;
        j += order >= 0;
        /* Only where the meta row, written last, says whether all of it is valid. */
        if (s->in_parts && arena_used(s->rows.arena) >= COMMAND_BYTES) {
            status = end(s, err);
            begin(s, s->catalog, s->port);
            s->in_parts = true;
        }
    }
    buffer_fini(&value);
    return status;
}

/* The kinds in the order of their numbers, which is the order in which they are read. account: "" for
 * the default one. */
static enum status put_keyspace(struct saving *s, struct bytes account, struct bytes name,
                                const struct keyspace_def *from, const struct keyspace_def *to, struct error *err)
{
    struct scope before = { .keyspace = from }, after = { .keyspace = to };
    struct buffer within = { 0 };
    enum status status = OK;

    /* The default account's are as they were before there were others. */
    if (account.size)
        buffer_printf(&within, "%.*s/", BYTES(account));
    buffer_append_bytes(&within, name);
    for (size_t i = 0; i < ARRAY_SIZE(kinds) && !status; i++)
        status = put_kind(s, &kinds[i], kinds[i].is_within ? buffer_bytes(&within) : account, &before, &after, err);
    buffer_fini(&within);
    free(before.type_levels);
    free(after.type_levels);
    return status;
}

enum status definitions_save_meta(const struct catalog *catalog, struct table_port *port, uint64_t version,
                                  const uint8_t *uuid, struct error *err)
{
    struct saving s;

    begin(&s, catalog, port);
    put_meta(&s, version, uuid);
    return end(&s, err);
}

enum status definitions_save_job(const struct catalog *catalog, struct table_port *port, const struct job *job,
                                 const struct job_work *work, struct error *err)
{
    struct saving s;

    begin(&s, catalog, port);
    put_job(&s, job, work);
    return end(&s, err);
}

/* A change is within one keyspace: all that it writes fits one command, which happens whole or not
 * at all. */
enum status definitions_save_change(const struct catalog *catalog, struct table_port *port,
                                    const struct catalog_account *account, const struct schema *to,
                                    struct bytes keyspace, struct error *err)
{
    const struct keyspace_def *before = schema_keyspace(account->current, keyspace);
    const struct keyspace_def *after = schema_keyspace(to, keyspace);
    bool is_default = account == catalog->default_account;
    struct saving s;

    /* Created, changed or dropped: one of the two is there. */
    assert(before || after);
    begin(&s, catalog, port);
    put_meta(&s, schema_version_number(to), schema_version_uuid(is_default ? to : catalog->default_account->current));
    if (!is_default)
        put_account(&s, account, schema_version_uuid(to));
    /* One command: nothing is written, so nothing fails. */
    put_keyspace(&s, is_default ? NO_NAME : catalog_account_name(account), keyspace, before, after, err);
    return end(&s, err);
}

/* For a directory that is brought forward: many keyspaces, more than one command, and no meta row,
 * which the caller writes when all of this is there. */
enum status definitions_save_all(const struct catalog *catalog, struct table_port *port, const struct loading *loading,
                                 struct error *err)
{
    struct error second;
    struct saving s;
    enum status status = OK;

    assert(loading->account_count == 1);
    begin(&s, catalog, port);
    s.in_parts = true;
    for (uint32_t i = 0; i < loading->keyspace_count && !status; i++)
        status = put_keyspace(&s, NO_NAME, loading->keyspaces[i]->name, NULL, loading->keyspaces[i], err);
    return status ? (end(&s, &second), status) : end(&s, err);
}

/* ---- loading ---- */

/* Encodings are refused where they are newer, with words that say so: an operator who went back to
 * an older version must learn that, and not that data is damaged. */
static enum status take_meta(struct loading *l, struct bytes value, struct error *err)
{
    if (value.size && value.data[0] > META_ENCODING)
        return error_set(err, ERR_CORRUPT,
                         "The catalog's first row is of encoding %u; this server reads up to %d: the data is of a "
                         "newer version",
                         value.data[0], META_ENCODING);
    if (value.size != META_BYTES || value.data[0] != META_ENCODING)
        return error_set(err, ERR_CORRUPT, "The catalog's first row is damaged");
    memcpy(l->host_id, value.data + 1, 16);
    l->next_table_id = load_be64(value.data + 17);
    l->version = load_be64(value.data + 25);
    memcpy(l->accounts[0].uuid, value.data + 33, 16);
    l->has_meta = true;
    return OK;
}

/* Its keyspaces come later, and name it. */
static enum status take_account(struct loading *l, struct bytes name, struct bytes value, struct error *err)
{
    if (value.size && value.data[0] > ACCOUNT_ENCODING)
        return error_set(err, ERR_CORRUPT,
                         "An account is of encoding %u; this server reads up to %d: the data is of a newer version",
                         value.data[0], ACCOUNT_ENCODING);
    if (value.size != ACCOUNT_BYTES || value.data[0] != ACCOUNT_ENCODING)
        return error_set(err, ERR_CORRUPT, "The catalog has an account that is damaged");
    return loading_add_account(l, name, value.data + 1, err);
}

/* A job that makes no sense would be done wrongly, or for ever: it is refused as damage. */
static enum status take_job(struct loading *l, struct bytes kind, struct bytes name, struct bytes value,
                            struct error *err)
{
    uint64_t id = 0, done, total;

    /* An older encoding would be read by code for it; there is none yet. */
    if (value.size && value.data[0] > JOB_ENCODING)
        return error_set(err, ERR_CORRUPT,
                         "A job is of encoding %u; this server reads up to %d: the data is of a newer version",
                         value.data[0], JOB_ENCODING);
    for (size_t i = 0; i < name.size && isxdigit(name.data[i]); i++)
        id = id << 4 | (uint64_t)(isdigit(name.data[i]) ? name.data[i] - '0' : (name.data[i] | 0x20) - 'a' + 10);
    done = value.size < JOB_HEAD_BYTES ? 0 : load_be64(value.data + 1);
    total = value.size < JOB_HEAD_BYTES ? 0 : load_be64(value.data + 9);
    if (done >= total || name.size != 16 || !kind.size || kind.size > JOB_KIND_BYTES_MAX ||
        !jobs_add(&l->jobs, id, kind, bytes_of(value.data + JOB_HEAD_BYTES, value.size - JOB_HEAD_BYTES), done, total))
        return error_set(err, ERR_CORRUPT, "The catalog has a job that is damaged");
    return OK;
}

/* One row, whoever read it. The kind decides who decodes it. */
enum status definitions_take(struct loading *l, const struct rows_view *row, struct error *err)
{
    int64_t number = rows_get_number(row, "kind");
    struct bytes value = rows_get(row, "value");
    const struct kind *kind = find_kind(number);

    if (number == META)
        /* First what is no definition. */
        return take_meta(l, value, err);
    if (number == ACCOUNT)
        return take_account(l, rows_get(row, "name"), value, err);
    if (number == JOB)
        return take_job(l, rows_get(row, "scope"), rows_get(row, "name"), value, err);
    if (!kind)
        return error_set(err, ERR_CORRUPT,
                         "The catalog has definitions of kind %d, unknown to this server: the data is of a newer "
                         "version",
                         (int)number);
    if (value.size && value.data[0] > kind->encoding)
        return error_set(err, ERR_CORRUPT,
                         "The definition of a %s is of encoding %u; this server reads up to %u: the data is of a "
                         "newer version",
                         kind->what, value.data[0], kind->encoding);
    return kind->take(l, rows_get(row, "scope"), rows_get(row, "name"), value, err);
}

static enum status take_row(void *context, const struct rows_view *row, struct error *err)
{
    return definitions_take(context, row, err);
}

bool definitions_are_settled(const struct catalog *catalog, const struct table_port *port)
{
    uint32_t shard = table_shard_of(port, token_of_partition_key(PARTITION));

    assert(catalog->space);
    return !table_space_refuses_writes(catalog->space, shard);
}

/* Rows come sorted by kind, scope and name, as loading needs them. */
enum status definitions_load(const struct catalog *catalog, struct table_port *port, struct loading *l,
                             struct error *err)
{
    enum status status = rows_read(port, catalog->own_table, PARTITION,
                                   clock_realtime_us(catalog->options.clock) / 1000000, take_row, l, err);

    return status ? status : loading_end(l, err);
}
