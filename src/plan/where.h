/* plan/where.h: a WHERE clause, checked and sorted into what finds partitions, what slices them, and what filters rows.
 *
 * Shapes:  `partition` has one part per partition key column (kind NONE: not restricted). `clustering` restricts a
 *          contiguous prefix of the clustering columns: EQ or IN parts, then perhaps one slice; parts may cover several columns
 *          (multi-column relations). What can't be looked up stands in `filters`.
 * Owns:    the plan's arena; evaluated keys and slices: the request's.
 * Errors:  ERR_INVALID with Cassandra's words.
 * Source:  org.apache.cassandra.cql3.restrictions, release 5.0.
 */
#ifndef PLAN_WHERE_H
#define PLAN_WHERE_H

#include "plan/term.h"
#include "row/slice.h"

enum { KEYS_MAX = 65535 }; /* partitions or rows that one statement's IN lists may multiply to */

enum part_kind { PART_NONE, PART_EQ, PART_IN, PART_SLICE };

struct bound {
    const struct expr **values; /* one per column of the part, from its first; NULL: no bound on this side */
    uint32_t count;
    bool inclusive;
};

struct key_part {
    enum part_kind kind;
    uint32_t first, width;      /* columns, counted within their kind */
    const struct expr **values; /* EQ, IN: value_count groups of `width` */
    uint32_t value_count;
    const struct expr *in_marker; /* IN ?: a list of values, or of tuples */
    struct bound start, end;      /* SLICE */
};

struct filter {
    const struct column_def *column;
    uint32_t slot;        /* of the column in the row view; set by the SELECT planner */
    enum cql_operator op; /* EQ, LT.., IN, CONTAINS, CONTAINS_KEY; with key: EQ of that entry */
    const struct expr *key;
    const struct expr *value; /* IN: NULL, or the marker (a list) */
    const struct expr **values;
    uint32_t value_count;
};

struct where {
    struct key_part *partition;
    bool partition_is_complete; /* every column is EQ or IN, and none is filtered: single partitions are read */
    bool has_token;
    const struct expr *token_eq, *token_start, *token_end;
    bool token_start_inclusive, token_end_inclusive;
    struct key_part *clustering;
    uint32_t clustering_count;   /* parts */
    bool clustering_is_complete; /* all clustering columns are EQ or IN */
    bool has_clustering;         /* any clustering column is restricted */
    bool partition_has_in, clustering_has_in;
    struct filter *filters;
    uint32_t filter_count;
    bool is_key_range;            /* scans a token range */
    bool partition_is_restricted; /* any of its columns, or their token */
};

enum where_use { WHERE_SELECT, WHERE_UPDATE, WHERE_DELETE };

struct where_options {
    enum where_use use;
    bool allow_filtering;
    bool only_static; /* selects or modifies static columns only */
};

enum status where_compile(struct planner *planner, const struct relation *relations, uint32_t count,
                          const struct where_options *options, struct where *where);
/* Last of all that is checked of a SELECT, as in Cassandra: rows of all partitions by their clustering are filtered. */
enum status where_check_filtering(struct planner *planner, const struct where_options *options,
                                  const struct where *where);

/* ---- evaluation ---- */

/* Do its INs name more partitions and rows than this? Before any is looked at. */
bool where_ins_are_long(const struct where *where, const struct table_def *table, struct eval *eval,
                        uint32_t count_max);
static inline bool where_is_long(const struct where *where, const struct table_def *table, struct eval *eval,
                                 uint32_t count_max)
{
    return (where->partition_has_in || where->clustering_has_in) && where_ins_are_long(where, table, eval, count_max);
}

struct partition_list {
    struct bytes *keys; /* serialized; in the order they are answered */
    uint32_t count;
};
enum status where_partitions(const struct where *where, const struct table_def *table, struct eval *eval,
                             struct partition_list *list, struct error *err);

struct clustering_value {
    struct bytes encoded;
    struct bytes written; /* NULL data where the encoding says it all */
};
/* Of a complete clustering: the rows it names, in clustering order. */
enum status where_rows(const struct where *where, const struct table_def *table, struct eval *eval,
                       struct clustering_value **rows, uint32_t *count, struct error *err);
/* In clustering order, disjoint. Without restriction: count 0. `nothing`: an impossible range. */
enum status where_slices(const struct where *where, const struct table_def *table, struct eval *eval,
                         struct slice **slices, uint32_t *count, bool *nothing, struct error *err);
enum status where_tokens(const struct where *where, struct eval *eval, int64_t *first, int64_t *last, bool *nothing,
                         struct error *err);

/* Does the key hold together? Not empty, at most 65535 bytes. */
enum status partition_key_check(const struct table_def *table, struct bytes serialized, struct error *err);

#endif
