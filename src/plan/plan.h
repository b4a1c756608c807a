/* plan/plan.h: a statement as data, ready to be executed with values.
 *
 * Owns:    a plan lives in one arena (a request's for QUERY, its own when prepared) and holds references to the table
 *          definitions it names.
 * Thread:  immutable once made.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "plan/where.h"

/* ---- INSERT, UPDATE, DELETE ---- */

enum operation_kind {
    OPERATION_SET,         /* simple or frozen column = value; null: a tombstone */
    OPERATION_SET_COMPLEX, /* collection or udt, cell by cell: overwritten */
    OPERATION_ADD,         /* set, map: these too; list: at the end */
    OPERATION_PREPEND,
    OPERATION_REMOVE,         /* set: elements; map: keys; list: every element that equals one (read first) */
    OPERATION_SET_KEY,        /* map[key] = value */
    OPERATION_SET_INDEX,      /* list[index] = value (read first) */
    OPERATION_SET_FIELD,      /* udt.field = value */
    OPERATION_SUM,            /* number or text + value, under a condition (read first) */
    OPERATION_COUNT,          /* counter + value */
    OPERATION_COUNT_DOWN,     /* counter - value */
    OPERATION_DELETE,         /* the whole column */
    OPERATION_DELETE_ELEMENT, /* map key, set element */
    OPERATION_DELETE_INDEX,   /* list[index] (read first) */
    OPERATION_DELETE_FIELD,
};

struct operation {
    enum operation_kind kind;
    const struct column_def *column;
    const struct expr *value;
    const struct expr *key;
    uint32_t field;
    uint32_t number; /* as written: of one column's, later ones see what earlier ones did */
};

struct plan_condition {
    const struct column_def *column;
    const struct expr *element; /* NULL: none */
    int32_t field;              /* -1: none */
    enum cql_operator op;
    const struct expr *value; /* IN: NULL or the marker */
    const struct expr **values;
    uint32_t value_count;
};

enum modify_kind { MODIFY_INSERT, MODIFY_UPDATE, MODIFY_DELETE };

struct modify_plan {
    enum modify_kind kind;
    struct where where;
    struct operation *operations; /* by column id, then as written */
    uint32_t operation_count;
    const struct expr *timestamp; /* NULL: not written */
    const struct expr *ttl;
    const struct expr *json; /* INSERT JSON */
    bool json_default_unset;
    bool if_not_exists, if_exists;
    struct plan_condition *conditions;
    uint32_t condition_count;
    bool touches_rows; /* regular columns, or rows as such */
    bool touches_static;
    bool reads_first;
    bool deletes_partitions; /* DELETE without clustering restriction and columns */
    bool deletes_ranges;     /* DELETE by an incomplete clustering */
};

/* ---- SELECT ---- */

struct select_aggregate {
    enum aggregate_kind kind;
    const struct expr *argument; /* NULL: count(*) */
    const struct type *type;     /* of the result */
};

struct select_ordering {
    uint32_t slot;
    const struct type *type;
    bool descending;
};

struct select_plan {
    struct where where;
    /* Columns that are read from rows. */
    const struct column_def **slots;
    uint32_t slot_count;
    uint32_t partition_slots, clustering_slots; /* the first ones are the key columns, all of them, in order */
    uint32_t *slot_of_id_index;                 /* regular and static slots, sorted by column id */
    uint32_t cell_slot_count;
    const struct expr **results;
    uint32_t result_count;
    bool is_json;
    struct bytes *json_names;
    bool is_plain; /* every result is a column */
    struct select_aggregate *aggregates;
    uint32_t aggregate_count;
    bool is_aggregate;    /* one row for a group, or for all */
    uint32_t group_count; /* GROUP BY: this many key columns from the first; 0 with is_aggregate: one group */
    const struct expr *group_function; /* of the last group column, or NULL */
    const struct expr *limit, *per_partition_limit;
    bool distinct, allow_filtering;
    bool reversed;
    struct select_ordering *sort; /* IN on the partition key and ORDER BY: sorted in memory */
    uint32_t sort_count;
    bool static_wanted, rows_wanted;
    bool selects_static_only; /* of the non-key columns */
    bool wants_cells;         /* writetime or ttl */
};

/* ---- all ---- */

enum { METADATA_VERSIONS = 3 }; /* v3, v4, v5 */

struct plan {
    const struct cql_statement *statement;
    struct table_def *table; /* owned reference; NULL: none */
    struct native_column *binds;
    uint32_t bind_count;
    uint16_t *formed_binds; /* the markers whose values may have to be brought to canonical form */
    uint32_t formed_count;
    struct bytes keyspace; /* what unqualified names meant; NULL data: none */
    bool
        is_qualified; /* it has none: it means the same after another USE. Definitions are never said to, as in Cassandra */
    const struct modify_plan *modify; /* INSERT, UPDATE, DELETE; else NULL */
    const struct select_plan *select; /* SELECT; else NULL */
    /* BATCH */
    struct plan **parts;
    uint32_t part_count;
    const struct expr *batch_timestamp;
    struct native_column *columns; /* SELECT: of the result */
    uint32_t column_count;
    struct native_metadata metadata[METADATA_VERSIONS]; /* of the result, by version - 3; those asked for */
    struct native_metadata bind_metadata[METADATA_VERSIONS];
    uint16_t *pk_indexes;
    uint32_t pk_count;
    struct bytes *warnings;
    uint32_t warning_count;
};

/* What plans a statement of some kinds. */
typedef enum status (*plan_function)(struct planner *planner, const struct cql_statement *statement, struct plan *plan);
/* TRUNCATE: its table is looked up when it is run. */
enum status plan_truncate(struct planner *planner, const struct cql_statement *statement, struct plan *plan);

/* Plans a parsed statement. On failure the plan's references are dropped. how NULL: there is nothing to plan. */
enum status plan_make(struct planner *planner, plan_function how, const struct cql_statement *statement,
                      struct plan *plan);
/* Drops its references, not its memory. */
void plan_fini(struct plan *plan);
/* What became of the definitions that a plan was made for. Worse is greater. */
enum plan_fit {
    PLAN_FITS,
    PLAN_FITS_CHANGED, /* by nothing that its client must know: it is to be made again */
    PLAN_FITS_NO_MORE,
};
enum plan_fit plan_fit(const struct plan *plan, const struct schema *schema);
/* Encodes what drivers are told, for one protocol version. */
void plan_describe(struct plan *plan, struct arena *arena, uint8_t version);

enum status plan_find_table(struct planner *planner, const struct qualified_name *name, struct table_def **table);
/* The same, and the plan is about it. */
enum status plan_use_table(struct planner *planner, const struct qualified_name *name, struct plan *plan);
/* Which marker is which partition key column, if all of `from` are plain markers; of several for one (IN) the last, as in Cassandra. */
void plan_find_pk_indexes(struct planner *planner, struct plan *plan, const struct plan *from);

#endif
