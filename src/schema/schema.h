/* schema/schema.h: keyspaces, tables, columns and types as immutable definitions.
 *
 * A `struct schema` is one version of everything that is defined. A change makes a new one that shares all unchanged
 * definitions (copy on write, by reference counts); readers keep the version they began with.
 *
 * Shapes:  names are the final text (case as stored). Columns of a kind stand in Cassandra's order: partition key and
 *          clustering by position, static and regular by name bytes. table_def.columns is that whole order (SELECT *).
 * Ids:     table_def.id (64 bit, internal) is never reused and changes with TRUNCATE; table_def.uuid is what drivers see.
 *          column_def.id is unique in its table for ever: DROP + ADD gives a new one, but for a column that was dropped USING
 *          TIMESTAMP: it comes back with its id, and cells up to that timestamp stay hidden. Key columns have ids too.
 * Owns:    definitions are reference counted; a definition owns all that it points to (one arena each).
 * Errors:  schema_change functions give ERR_INVALID, ERR_CONFIG, ERR_ALREADY_EXISTS with Cassandra's words.
 * Thread:  immutable but for the atomic counts; any thread.
 */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include "types/type.h"

#include <stdatomic.h>

struct schema;

enum { COLUMN_ID_NONE = UINT32_MAX };

enum column_kind { COLUMN_PARTITION_KEY, COLUMN_CLUSTERING, COLUMN_STATIC, COLUMN_REGULAR };

struct column_def {
    uint32_t id;
    enum column_kind kind;
    uint32_t position; /* within its kind, for keys; otherwise its index among its kind */
    uint32_t index;    /* within table_def.columns */
    struct bytes name;
    const struct type *type;
    bool descending; /* clustering only */
    bool multicell;  /* type_is_multicell(type) */
    int64_t
        hidden_until_us; /* cells of this timestamp and older are not its own any more; INT64_MIN: none are hidden */
};

struct dropped_column {
    uint32_t id; /* what it comes back with; COLUMN_ID_NONE: with a new one, and so without its cells */
    struct bytes name;
    const struct type *type;
    enum column_kind kind;
    int64_t dropped_us;
};

/* A name and a value, for option maps (compaction, compression, caching, replication, extensions, tags...). */
struct option {
    struct bytes name;
    struct bytes value;
};

struct option_map {
    struct option *options; /* in the order Cassandra shows them */
    uint32_t count;
};

struct table_params {
    struct bytes comment;
    double bloom_filter_fp_chance;
    double crc_check_chance;
    int32_t default_time_to_live_s;
    int32_t gc_grace_s;
    int32_t memtable_flush_period_ms;
    int32_t min_index_interval;
    int32_t max_index_interval;
    struct bytes speculative_retry;
    struct bytes additional_write_policy;
    struct bytes read_repair;
    struct bytes memtable;
    bool cdc;
    bool allow_auto_snapshot;
    bool incremental_backups;
    struct option_map caching;
    struct option_map compaction;
    struct option_map compression;
    struct option_map extensions; /* values are blobs */
    /* Keyspaces' additions, as given (JSON text of the map), empty when not given; keyspaces.h reads the first. */
    struct bytes custom_properties;
    struct bytes autoscaling_settings;
    struct option_map tags;
};

/* What answers reads of a table that is computed, not stored; see table/virtual.h. */
struct virtual_table;

/* A way in which a computed table may be asked: a SELECT has all these columns with =. What it filters then needs no permission. */
enum { TABLE_WAY_COLUMNS = 2 };
struct table_way {
    const char *columns[TABLE_WAY_COLUMNS]; /* NULL behind the last */
};

struct table_def {
    _Atomic uint32_t refs;
    uint64_t id;
    uint8_t uuid[16];
    uint64_t version;   /* the schema version that last changed it */
    int64_t created_us; /* 0: not kept; table_def_created_us may know */
    struct bytes keyspace;
    struct bytes name;
    struct column_def *columns; /* SELECT * order */
    uint32_t *index_by_id;      /* column_id_next entries: where in columns; UINT32_MAX: dropped */
    uint32_t column_count;
    uint32_t partition_key_count; /* columns[0 .. partition_key_count) */
    uint32_t clustering_count;    /* the next ones */
    uint32_t static_count;        /* the next ones */
    uint32_t regular_count;       /* the rest */
    uint32_t column_id_next;      /* the next new column's id */
    struct dropped_column *dropped;
    uint32_t dropped_count;
    bool is_counter;
    bool durable_writes;                       /* of its keyspace */
    const struct virtual_table *virtual_table; /* NULL for a stored table; borrowed, process lifetime */
    const struct table_way
        *ways; /* NULL: it may be asked in any way; else these, the last without columns. Borrowed as well */
    struct table_params params;
    struct table_def
        *original;       /* owned reference: of a twin (schema/build.h), all it points to is this one's; else NULL */
    struct arena *arena; /* owned */
};

struct keyspace_def {
    _Atomic uint32_t refs;
    struct bytes name;
    bool durable_writes;
    bool is_virtual;
    struct option_map replication; /* class first, with its full Java name, as system_schema shows it */
    struct option_map tags;
    struct table_def **tables; /* by name; each holds a reference */
    uint32_t table_count;
    const struct type **types; /* TYPE_UDT, not frozen, by name */
    int64_t *type_changed_us;  /* of each: when it was made, or altered; 0: not known */
    uint32_t type_count;
    struct arena *arena; /* owned */
};

struct schema *schema_ref(struct schema *schema);
void schema_unref(struct schema *schema);
void keyspace_def_unref(struct keyspace_def *def);
struct keyspace_def *keyspace_def_ref(struct keyspace_def *def);
void table_def_unref(struct table_def *def);
struct table_def *table_def_ref(struct table_def *def);

uint64_t schema_version_number(const struct schema *schema);     /* grows with each change        */
const uint8_t *schema_version_uuid(const struct schema *schema); /* 16 bytes: system.local.schema_version */

/* NULL when absent. Borrowed from the schema. */
const struct keyspace_def *schema_keyspace(const struct schema *schema, struct bytes name);
struct table_def *schema_table(const struct schema *schema, struct bytes keyspace, struct bytes name);
struct table_def *schema_table_by_id(const struct schema *schema, uint64_t id);
/* *index: where it is, or would be. */
bool keyspace_def_find_table(const struct keyspace_def *def, struct bytes name, uint32_t *index);
bool keyspace_def_find_type(const struct keyspace_def *def, struct bytes name, uint32_t *index);
const struct type *schema_type(const struct schema *schema, struct bytes keyspace, struct bytes name);
uint32_t schema_keyspace_count(const struct schema *schema);
const struct keyspace_def *schema_keyspace_at(const struct schema *schema, uint32_t index); /* by name */

const struct column_def *table_def_column(const struct table_def *def, struct bytes name);
const struct column_def *table_def_column_by_id(const struct table_def *def, uint32_t id);
/* NULL: the table had no column of this name. */
const struct dropped_column *table_def_find_dropped(const struct table_def *def, struct bytes name);

/* Whether a statement that a client has prepared means the same with the one as with the other: the same table, columns and types, and the
 * options that Cassandra counts to them. */
bool table_def_is_alike(const struct table_def *a, const struct table_def *b);

/* Microseconds since 1970; 0: not known. Definitions of older servers have it in the uuid, to the millisecond, unless a client chose that. */
int64_t table_def_created_us(const struct table_def *def);

#endif
