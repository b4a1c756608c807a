/* schema/ddl.h: what a data definition statement makes of a schema: pure decisions.
 *
 * Takes a schema and a parsed CREATE, ALTER or DROP of a KEYSPACE, TABLE or TYPE, and gives the schema after it and a
 * description of the change, or the error that Cassandra 5.0 gives, in its words. Saves nothing: catalog/ does.
 *
 * Owns:    the caller gets one reference to the new schema. The names in ddl_change live in `arena`.
 * Errors:  ERR_INVALID, ERR_CONFIG, ERR_ALREADY_EXISTS, ERR_SYNTAX (an unknown property), ERR_LIMIT, ERR_UNAUTHORIZED. Other statements:
 *          ERR_INVALID.
 * Thread:  pure.
 */
#ifndef SCHEMA_DDL_H
#define SCHEMA_DDL_H

#include "schema/schema.h"

struct cql_statement; /* cql/ast.h */

/* What one schema may hold, of keyspaces and tables all of a server together: a client can't make it grow past these. */
enum {
    SCHEMA_KEYSPACES_MAX = 100000,
    SCHEMA_TABLES_MAX = 1000000,
    SCHEMA_TABLE_COLUMNS_MAX = 5000,
    SCHEMA_TABLE_DROPPED_MAX = 20000,
    SCHEMA_TYPES_MAX = 10000, /* in one keyspace */
    SCHEMA_TYPE_FIELDS_MAX = 1000,
    SCHEMA_OPTIONS_BYTES_MAX = 65536, /* one value of a WITH clause, and one option map in all */
};

/* The words of SCHEMA_CHANGE. */
enum ddl_action { DDL_CREATED, DDL_UPDATED, DDL_DROPPED };
enum ddl_target { DDL_KEYSPACE, DDL_TABLE, DDL_TYPE };

struct ddl_change {
    bool happened; /* false: IF [NOT] EXISTS found nothing to do; the schema is the same one */
    enum ddl_action action;
    enum ddl_target target;
    struct bytes keyspace;
    struct bytes name; /* "" for a keyspace */
    /* For who saves it: the one keyspace that changed. Dropped: it is gone. */
    const uint64_t *removed_table_ids; /* tables whose rows are to be removed */
    uint32_t removed_table_count;
    struct bytes *warnings;
    uint32_t warning_count;
};

struct ddl_context {
    struct bytes current_keyspace; /* USE; NULL data: none */
    struct bytes region;           /* a data center's name besides datacenter1; NULL data: none */
    int64_t now_us;
    uint64_t next_table_id;                                /* the id of the table that may be made */
    uint64_t next_version;                                 /* of the schema after it; 0: one more than before */
    uint32_t keyspaces_elsewhere, tables_elsewhere;        /* of other schemas, which count to the limits too */
    void (*random)(void *context, void *out, size_t size); /* for uuids */
    void *random_context;
    bool is_internal; /* system keyspaces may be changed: only for making them */
};

enum status ddl_apply(struct schema *schema, const struct cql_statement *statement, const struct ddl_context *context,
                      struct arena *arena, struct schema **result, struct ddl_change *change, struct error *err);

/* The schema after TRUNCATE: the table with a new internal id. ERR_INVALID when it can't be truncated. */
enum status ddl_truncate(struct schema *schema, struct bytes keyspace, struct bytes name,
                         const struct ddl_context *context, struct arena *arena, struct schema **result,
                         struct ddl_change *change, struct error *err);

/* "system", "system_schema", ...: not user-modifiable. Case-sensitive names as stored. */
bool ddl_is_local_system_keyspace(struct bytes name);      /* system, system_schema, and Keyspaces' two */
bool ddl_is_replicated_system_keyspace(struct bytes name); /* system_auth, system_distributed, system_traces */
bool ddl_is_virtual_system_keyspace(struct bytes name);    /* system_virtual_schema, system_views */

#endif
