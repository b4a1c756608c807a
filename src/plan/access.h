/* plan/access.h: how a statement reaches its rows: the ways there are, and where one leads with the values of a request.
 *
 * Shapes:  `partition` has one part per partition key column, each EQ or IN, where partitions are named. `clustering` restricts a prefix of
 *          the clustering columns, in both ways.
 * Owns:    the plan's arena; evaluated keys and slices: the request's.
 * Errors:  ERR_INVALID with Cassandra's words.
 * Thread:  immutable once made.
 */
#ifndef PLAN_ACCESS_H
#define PLAN_ACCESS_H

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

/* What the token of a partition key lies between; NULL: open. */
struct token_range {
    bool is_restricted;
    const struct expr *eq, *start, *end;
    bool start_inclusive, end_inclusive;
};

enum access_kind {
    ACCESS_PARTITIONS, /* the partitions that `partition` names are read one by one, those whose token is inside */
    ACCESS_RANGE,      /* all partitions are scanned whose token is inside */
};

struct access {
    enum access_kind kind;
    struct key_part *partition;
    struct token_range tokens;
    struct key_part *clustering;
    uint32_t clustering_count;   /* parts */
    bool clustering_is_complete; /* all clustering columns are EQ or IN */
    bool has_in;                 /* an IN finds partitions or rows: there may be many */
};

/* Do its INs name more partitions and rows than this? Before any is looked at. */
bool access_ins_are_long(const struct access *access, const struct table_def *table, struct eval *eval,
                         uint32_t count_max);
static inline bool access_is_long(const struct access *access, const struct table_def *table, struct eval *eval,
                                  uint32_t count_max)
{
    return access->has_in && access_ins_are_long(access, table, eval, count_max);
}

/* ACCESS_PARTITIONS. */
struct partition_list {
    struct bytes *keys; /* serialized; in the order they are answered */
    uint32_t count;
};
enum status access_partitions(const struct access *access, const struct table_def *table, struct eval *eval,
                              struct partition_list *list, struct error *err);

struct clustering_value {
    struct bytes encoded;
    struct bytes written; /* NULL data where the encoding says it all */
};
/* Of a complete clustering: the rows it names, in clustering order. */
enum status access_rows(const struct access *access, const struct table_def *table, struct eval *eval,
                        struct clustering_value **rows, uint32_t *count, struct error *err);
/* In clustering order, disjoint. Without restriction: count 0. `nothing`: an impossible range. */
enum status access_slices(const struct access *access, const struct table_def *table, struct eval *eval,
                          struct slice **slices, uint32_t *count, bool *nothing, struct error *err);
/* The tokens it restricts partitions to; all of them, if it does not. `nothing`: there are none. */
enum status access_tokens(const struct access *access, struct eval *eval, int64_t *first, int64_t *last, bool *nothing,
                          struct error *err);

/* Does the key hold together? Not empty, at most 65535 bytes. */
enum status partition_key_check(const struct table_def *table, struct bytes serialized, struct error *err);

#endif
