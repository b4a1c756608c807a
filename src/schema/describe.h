/* schema/describe.h: definitions as the CQL text that makes them, and server-side DESCRIBE.
 *
 * Source:  the output of Cassandra 5.0 (recorded in tests).
 * Thread:  pure.
 */
#ifndef SCHEMA_DESCRIBE_H
#define SCHEMA_DESCRIBE_H

#include "schema/schema.h"

struct cql_statement; /* cql/ast.h */

/* Appended without a final newline: "CREATE KEYSPACE ks WITH replication = {...}  AND durable_writes = true;" */
void describe_keyspace(struct buffer *out, const struct keyspace_def *keyspace);
/* with_internals: WITH INTERNALS (id, dropped columns). */
void describe_table(struct buffer *out, const struct table_def *table, bool with_internals);
void describe_type(struct buffer *out, const struct type *type);

/* One row of DESCRIBE's answer. The lists (KEYSPACES, TABLES, TYPES, ...) have the first three columns only. */
struct describe_row {
    struct bytes keyspace_name;
    struct bytes type; /* "keyspace", "table", "type", ... */
    struct bytes name;
    struct bytes create_statement; /* NULL data in lists */
};

struct describe_result {
    bool has_create_statement; /* four columns; otherwise three */
    bool is_cluster; /* DESCRIBE CLUSTER: columns cluster, partitioner, snitch and, in a keyspace, range_ownership:
                                    * the cells stand in `cluster`, in that order */
    struct bytes cluster[3];
    bool has_range_ownership;
    struct bytes range_ownership; /* wire bytes of map<text, frozen<list<text>>> */
    struct describe_row *rows;
    uint32_t row_count;
};

struct describe_context {
    struct bytes current_keyspace; /* USE; NULL data: none */
    struct bytes cluster_name;
    struct bytes node; /* "127.0.0.1:7000": the one owner of all tokens */
};

/* What a DESCRIBE statement answers; everything lives in the arena. ERR_INVALID: "'ks' not found in keyspaces". */
enum status describe_statement(const struct schema *schema, const struct cql_statement *statement,
                               const struct describe_context *context, struct arena *arena,
                               struct describe_result *result, struct error *err);

#endif
