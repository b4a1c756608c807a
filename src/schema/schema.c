/* Definitions as readers see them: reference counts, lookups, and the tables by which a
 * schema finds its definitions. A schema is never changed: a change makes a new one
 * (schema_replace) that shares every keyspace it leaves alone. So readers need no lock,
 * and whoever still works with an older version keeps it alive by its reference. */
#include "schema/schema.h"

#include "base/memory.h"
#include "base/uuid.h"
#include "schema/build.h"

#include <assert.h>
#include <stdlib.h>

/* Tables of all keyspaces are found by name and by id: open addressing, at most half
 * full. Clients choose the names, but a table costs its maker a synced write, so nobody
 * can make enough of them to fill one bucket; that is why the hash needs no secret. */
struct schema {
    _Atomic uint32_t refs;
    uint64_t version;
    uint8_t uuid[16];
    struct keyspace_def **keyspaces; /* owned references, by name */
    uint32_t keyspace_count;
    uint32_t table_count;
    uint32_t mask;              /* slots - 1 */
    struct table_def **by_name; /* borrowed from the keyspaces */
    struct table_def **by_id;
};

/* ---- definitions ---- */

/* Relaxed: who takes a reference knows of the definition by another one, so it cannot go
 * meanwhile. */
struct table_def *table_def_ref(struct table_def *def)
{
    atomic_fetch_add_explicit(&def->refs, 1, memory_order_relaxed);
    return def;
}

/* acq_rel: whoever frees it must see what all others did with it. */
void table_def_unref(struct table_def *def)
{
    struct table_def *original;

    if (!def || atomic_fetch_sub_explicit(&def->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* The struct lies in the arena: what is needed of it is taken out first. */
    original = def->original;
    arena_free(def->arena);
    table_def_unref(original); /* which has none itself */
}

struct keyspace_def *keyspace_def_ref(struct keyspace_def *def)
{
    atomic_fetch_add_explicit(&def->refs, 1, memory_order_relaxed);
    return def;
}

/* A keyspace holds a reference to each of its tables: schemas share them. */
void keyspace_def_unref(struct keyspace_def *def)
{
    if (!def || atomic_fetch_sub_explicit(&def->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < def->table_count; i++)
        table_def_unref(def->tables[i]);
    arena_free(def->arena);
}

/* ---- by name ---- */

static struct bytes column_name_at(const void *columns, uint32_t index)
{
    return ((const struct column_def *)columns)[index].name;
}

static struct bytes table_name_at(const void *tables, uint32_t index)
{
    return ((struct table_def *const *)tables)[index]->name;
}

static struct bytes type_name_at(const void *types, uint32_t index)
{
    return ((const struct type *const *)types)[index]->name;
}

static struct bytes keyspace_name_at(const void *keyspaces, uint32_t index)
{
    return ((struct keyspace_def *const *)keyspaces)[index]->name;
}

/* By halves. *index: where the name stands, or would stand, among those of a list that is in their order. */
static bool find_name(const void *list, uint32_t count, struct bytes (*name_at)(const void *list, uint32_t index),
                      struct bytes name, uint32_t *index)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (bytes_compare(name_at(list, middle), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return low < count && bytes_equal(name_at(list, low), name);
}

bool keyspace_def_find_table(const struct keyspace_def *def, struct bytes name, uint32_t *index)
{
    return find_name(def->tables, def->table_count, table_name_at, name, index);
}

bool keyspace_def_find_type(const struct keyspace_def *def, struct bytes name, uint32_t *index)
{
    return find_name(def->types, def->type_count, type_name_at, name, index);
}

bool keyspace_defs_find(struct keyspace_def *const *keyspaces, uint32_t count, struct bytes name, uint32_t *index)
{
    return find_name(keyspaces, count, keyspace_name_at, name, index);
}

/* Key columns stand by position and are few; static and regular ones by name. */
const struct column_def *table_def_column(const struct table_def *def, struct bytes name)
{
    uint32_t keys = def->partition_key_count + def->clustering_count;
    const struct column_def *others = def->columns + keys;
    uint32_t index;

    assert(keys <= def->column_count);
    for (uint32_t i = 0; i < keys; i++)
        if (bytes_equal(def->columns[i].name, name))
            return &def->columns[i];
    if (find_name(others, def->static_count, column_name_at, name, &index))
        return &others[index];
    others += def->static_count;
    return find_name(others, def->regular_count, column_name_at, name, &index) ? &others[index] : NULL;
}

/* NULL: a dropped column, whose cells may still be there. It is called for each column
 * of each row that is read, so it is one lookup in an array. */
const struct column_def *table_def_column_by_id(const struct table_def *def, uint32_t id)
{
    if (id >= def->column_id_next || def->index_by_id[id] == UINT32_MAX)
        return NULL;
    return &def->columns[def->index_by_id[id]];
}

/* Of several drops of one name the last is kept. */
const struct dropped_column *table_def_find_dropped(const struct table_def *def, struct bytes name)
{
    for (uint32_t i = 0; i < def->dropped_count; i++)
        if (bytes_equal(def->dropped[i].name, name))
            return &def->dropped[i];
    return NULL;
}

/* Whether the same statement would read and write the same cells by either. */
static bool columns_are_alike(const struct column_def *a, const struct column_def *b)
{
    return a->id == b->id && a->kind == b->kind && a->position == b->position && a->descending == b->descending &&
           a->multicell == b->multicell && a->hidden_until_us == b->hidden_until_us && bytes_equal(a->name, b->name) &&
           type_equal(a->type, b->type);
}

/* A change of comment or compaction is none that a prepared statement could notice.
 * gc_grace_seconds and default_time_to_live are: Cassandra counts these two, and a write takes
 * its TTL from the definition in its plan. */
bool table_def_is_alike(const struct table_def *a, const struct table_def *b)
{
    if (memcmp(a->uuid, b->uuid, sizeof(a->uuid)) != 0 || a->column_count != b->column_count ||
        a->dropped_count != b->dropped_count || a->column_id_next != b->column_id_next ||
        a->params.gc_grace_s != b->params.gc_grace_s ||
        a->params.default_time_to_live_s != b->params.default_time_to_live_s)
        return false;
    assert(a->columns && b->columns);
    for (uint32_t i = 0; i < a->column_count; i++)
        if (!columns_are_alike(&a->columns[i], &b->columns[i]))
            return false;
    return true;
}

/* Version 1 of a uuid is of time. One that a client chose (WITH id) may say any time, but then it was kept. */
int64_t table_def_created_us(const struct table_def *def)
{
    bool has_time = def->uuid[6] >> 4 == 1; /* its version */

    if (def->created_us)
        return def->created_us;
    return has_time ? uuid_time_ms(def->uuid) * 1000 : 0;
}

/* ---- lookups ---- */

/* Spreads the bits of a number over all of it. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

/* FNV-1a, which goes on from `hash`. */
static uint64_t hash_bytes(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    return hash;
}

/* The 1 between keeps "ab"."c" from "a"."bc". */
static uint64_t hash_name(struct bytes keyspace, struct bytes name)
{
    return mix(hash_bytes(hash_bytes(0xcbf29ce484222325u, keyspace) + 1, name));
}

/* Ends, because the table of slots is at most half full. */
struct table_def *schema_table(const struct schema *schema, struct bytes keyspace, struct bytes name)
{
    assert(schema->mask && !((schema->mask + 1) & schema->mask));
    for (uint64_t i = hash_name(keyspace, name);; i++) {
        struct table_def *def = schema->by_name[i & schema->mask];

        if (!def || (bytes_equal(def->name, name) && bytes_equal(def->keyspace, keyspace)))
            return def;
    }
}

/* As schema_table, by the number that keys and commands have. */
struct table_def *schema_table_by_id(const struct schema *schema, uint64_t id)
{
    for (uint64_t i = mix(id);; i++) {
        struct table_def *def = schema->by_id[i & schema->mask];

        if (!def || def->id == id)
            return def;
    }
}

const struct keyspace_def *schema_keyspace(const struct schema *schema, struct bytes name)
{
    uint32_t index;

    return keyspace_defs_find(schema->keyspaces, schema->keyspace_count, name, &index) ? schema->keyspaces[index]
                                                                                       : NULL;
}

uint32_t schema_keyspace_count(const struct schema *schema)
{
    return schema->keyspace_count;
}

/* In the order of their names. */
const struct keyspace_def *schema_keyspace_at(const struct schema *schema, uint32_t index)
{
    assert(index < schema->keyspace_count);
    return schema->keyspaces[index];
}

/* They are user types: native ones have no definitions. */
const struct type *schema_type(const struct schema *schema, struct bytes keyspace, struct bytes name)
{
    const struct keyspace_def *def = schema_keyspace(schema, keyspace);
    uint32_t index;

    return def && keyspace_def_find_type(def, name, &index) ? def->types[index] : NULL;
}

/* Grows with each change, over restarts too: it is saved with the definitions.
 * What drivers see and compare is the uuid. */
uint64_t schema_version_number(const struct schema *schema)
{
    return schema->version;
}

const uint8_t *schema_version_uuid(const struct schema *schema)
{
    return schema->uuid;
}

uint32_t schema_table_count(const struct schema *schema)
{
    return schema->table_count;
}

/* ---- schemas ---- */

struct schema *schema_ref(struct schema *schema)
{
    atomic_fetch_add_explicit(&schema->refs, 1, memory_order_relaxed);
    return schema;
}

/* Its last reference lets go of the keyspaces; those that another version shares live
 * on. */
void schema_unref(struct schema *schema)
{
    if (!schema || atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < schema->keyspace_count; i++)
        keyspace_def_unref(schema->keyspaces[i]);
    free(schema->keyspaces);
    free(schema->by_name);
    free(schema->by_id);
    free(schema);
}

/* Into both tables; an id stands for one table only. */
static void index_table(struct schema *schema, struct table_def *def)
{
    uint64_t i;

    assert(schema->table_count <= schema->mask);
    for (i = hash_name(def->keyspace, def->name); schema->by_name[i & schema->mask]; i++)
        ;
    schema->by_name[i & schema->mask] = def;
    for (i = mix(def->id); schema->by_id[i & schema->mask]; i++)
        assert(schema->by_id[i & schema->mask]->id != def->id);
    schema->by_id[i & schema->mask] = def;
}

/* Makes the lookup tables of a new schema. That is linear in all tables, which is
 * little beside the synced write that each change costs. */
static void index_tables(struct schema *schema)
{
    uint32_t slots = 16;

    schema->table_count = 0;
    for (uint32_t i = 0; i < schema->keyspace_count; i++)
        schema->table_count += schema->keyspaces[i]->table_count;
    while (slots < schema->table_count * 2)
        slots *= 2;
    schema->mask = slots - 1;
    schema->by_name = xcalloc(slots, sizeof(*schema->by_name));
    schema->by_id = xcalloc(slots, sizeof(*schema->by_id));
    for (uint32_t i = 0; i < schema->keyspace_count; i++)
        for (uint32_t j = 0; j < schema->keyspaces[i]->table_count; j++)
            index_table(schema, schema->keyspaces[i]->tables[j]);
}

/* By name, as schema_keyspace_at promises. */
static int compare_keyspaces(const void *a, const void *b)
{
    return bytes_compare((*(struct keyspace_def *const *)a)->name, (*(struct keyspace_def *const *)b)->name);
}

/* Takes over the references of the keyspaces. */
struct schema *schema_of(uint64_t version, const uint8_t uuid[16], struct keyspace_def **keyspaces, uint32_t count)
{
    struct schema *schema = xcalloc(1, sizeof(*schema));

    assert(keyspaces || !count);
    atomic_init(&schema->refs, 1);
    schema->version = version;
    memcpy(schema->uuid, uuid, 16);
    schema->keyspace_count = count;
    schema->keyspaces = xmalloc((count + 1) * sizeof(*schema->keyspaces));
    if (count) {
        memcpy(schema->keyspaces, keyspaces, count * sizeof(*schema->keyspaces));
        qsort(schema->keyspaces, count, sizeof(*schema->keyspaces), compare_keyspaces);
    }
    index_tables(schema);
    return schema;
}

struct schema *schema_new(uint64_t version, const uint8_t uuid[16])
{
    return schema_of(version, uuid, NULL, 0);
}

/* The next version: all keyspaces but the one that is put or dropped. `put`'s reference
 * is taken over. */
struct schema *schema_replace(const struct schema *schema, uint64_t version, struct keyspace_def *put,
                              struct bytes drop, const uint8_t uuid[16])
{
    struct keyspace_def **keyspaces = xmalloc((schema->keyspace_count + 1) * sizeof(struct keyspace_def *));
    uint32_t count = 0;
    struct schema *result;

    assert(!put || keyspace_def_is_owned(put));
    assert(!put || bytes_is_null(drop));
    assert(version > schema->version);
    for (uint32_t i = 0; i < schema->keyspace_count; i++) {
        struct keyspace_def *def = schema->keyspaces[i];

        if (put && bytes_equal(put->name, def->name))
            continue;
        if (!bytes_is_null(drop) && bytes_equal(drop, def->name))
            continue;
        keyspaces[count++] = keyspace_def_ref(def);
    }
    if (put)
        keyspaces[count++] = put;
    result = schema_of(version, uuid, keyspaces, count);
    free(keyspaces);
    return result;
}
