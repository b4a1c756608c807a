/* plan/where.h: a WHERE clause, checked and sorted into what reaches rows (plan/access.h) and what filters them.
 *
 * Shapes:  `access` restricts whole partition keys or their token, and a contiguous prefix of the clustering columns: EQ or IN parts, then
 *          perhaps one slice; parts may cover several columns (multi-column relations). What can't be looked up stands in `filters`.
 * Owns:    the plan's arena.
 * Errors:  ERR_INVALID with Cassandra's words.
 * Source:  org.apache.cassandra.cql3.restrictions, release 5.0.
 */
#ifndef PLAN_WHERE_H
#define PLAN_WHERE_H

#include "plan/access.h"

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
    struct access access;
    struct filter *filters;
    uint32_t filter_count;
    bool has_clustering;          /* any clustering column is restricted */
    bool partition_is_restricted; /* any of its columns, or their token */
    bool partition_has_in, clustering_has_in;
};

/* <, <=, > and >=, of WHERE as of IF. */
bool operator_is_slice(enum cql_operator op);
/* As messages name it. */
const char *operator_text(enum cql_operator op);

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

#endif
