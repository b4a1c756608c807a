/* model.h: what a partition holds and shows, as Cassandra's documentation says it: plain, slow, and none of the server's code.
 *
 * A partition has rows 0 to ROWS - 1 and a static part; a row has two numbers, a map and a set, the first one a list as well, and in a
 * table of counters two counters. All of it is in one struct of fixed size, brought to one form (model_tidy): two histories that leave the same show the same
 * bytes. Times of writes are numbers that only compare: what the server stamps is above all that it stamped in this partition before
 * (MODEL_SERVER), what clients stamp is below that.
 *
 * A range deletion is the deletion of each row in it: there are no other rows that could come later.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    RESERVED_MAX = 8,
    ROWS = 4,
    ELEMENTS = 4,
    LIST_MAX = 320,
    MUTATIONS_MAX = 12,
    CONDITIONS_MAX = 3,
    SHOWN_MAX = ROWS + 1
};
#define MODEL_SERVER INT64_C(1000000000000)

enum model_cell_kind { CELL_ABSENT, CELL_VALUE, CELL_DEAD };
struct model_cell {
    int64_t at;        /* when it was written */
    int64_t expires_s; /* 0: never */
    int64_t value;
    int64_t kind;
};
struct model_item { /* of a list */
    int64_t at;
    int32_t place, value, expires_s, kind;
};
struct model_row {
    int64_t marked_at, marked_expires_s; /* by INSERT; 0: not */
    int64_t deleted_at;
    struct model_cell a, b;
    int64_t map_deleted_at, set_deleted_at, list_deleted_at;
    struct model_cell map[ELEMENTS], set[ELEMENTS];
    int64_t counted, x, y; /* counters; counted: which of them are there (1 | 2) */
};
struct model_state {
    int64_t reserved[RESERVED_MAX]; /* stamps of batches that have them and are not here yet; 0: none */
    int64_t static_deleted_at;
    struct model_cell s;
    struct model_row rows[ROWS];
    int64_t list_count;
    struct model_item list[LIST_MAX]; /* of row 0, by place */
};

enum mutation_kind {
    PUT_MARK,
    PUT_A,
    PUT_B,
    PUT_S,
    MAP_CLEAR,  /* what `m = {...}` begins with */
    MAP_DELETE, /* DELETE m */
    MAP_PUT,    /* key, value */
    MAP_REMOVE, /* key */
    SET_CLEAR,
    SET_DELETE,
    SET_PUT, /* key */
    SET_REMOVE,
    LIST_CLEAR,
    LIST_DELETE,
    LIST_PUT,    /* place, value */
    LIST_FILL,   /* place of the first, how many: model_fill says which */
    LIST_SET_AT, /* the key-th one, value */
    LIST_REMOVE_AT,
    LIST_DISCARD, /* all that are value */
    DELETE_A,
    DELETE_B,
    DELETE_S,
    DELETE_ROW,
    DELETE_RANGE, /* from key to value, both inclusive */
    DELETE_PARTITION,
    ADD_X,
    ADD_Y,
    DROP_B, /* the column, of all rows */
    TRUNCATE
};
struct mutation {
    enum mutation_kind kind;
    uint32_t row;
    int64_t key, value;
    int64_t ttl_s; /* 0: none */
    int64_t at;    /* USING TIMESTAMP; 0: the server's */
};

enum condition_kind { CONDITION_NOT_EXISTS, CONDITION_EXISTS, CONDITION_A_IS, CONDITION_S_IS };
struct model_condition {
    enum condition_kind kind;
    uint32_t row;
    int64_t value;
};
struct model_write {
    uint32_t count;
    struct mutation mutations[MUTATIONS_MAX];
    uint32_t condition_count; /* all must hold */
    struct model_condition conditions[CONDITIONS_MAX];
    int64_t now_s;
};
/* What is known of how a write went. */
enum outcome { OUTCOME_ANY, OUTCOME_APPLIED, OUTCOME_REFUSED /* its condition */, OUTCOME_NO_PLACE /* of a list */ };

/* True: the state could have let it go so, and is what it left. `seen`: of a refused condition, what it said of the column; NULL: not known. */
struct model_seen {
    bool known, is_null;
    int64_t value;
};
bool model_write(struct model_state *state, const struct model_write *write, enum outcome outcome,
                 const struct model_seen *seen);
/* A logged batch gets one stamp, from the shard that has it first; its other parts come later, under that one. So it is reserved first, and
 * then written with. */
void model_reserve(struct model_state *state, uint32_t which);
void model_write_reserved(struct model_state *state, uint32_t which, const struct model_write *write);

struct shown_row {
    int32_t c;   /* -1: no row, only the static part */
    int32_t has; /* 1 s, 2 a, 4 b, 8 x, 16 y */
    int64_t s, a, b, x, y;
    int32_t map_count, set_count;
    int64_t map_keys[ELEMENTS], map_values[ELEMENTS], set[ELEMENTS];
};
struct shown {
    uint32_t count;
    uint32_t list_count;
    struct shown_row rows[SHOWN_MAX];
    int64_t list[LIST_MAX]; /* of row 0, if it is shown */
};

enum column {
    WITH_S = 1,
    WITH_A = 2,
    WITH_B = 4,
    WITH_X = 8,
    WITH_Y = 16,
    WITH_MAP = 32,
    WITH_SET = 64,
    WITH_LIST = 128
};
struct model_read {
    int32_t from, to; /* rows, both inclusive */
    bool reversed;
    bool whole;       /* no row was asked for: the static part alone is shown too */
    bool distinct;    /* the partition and its static part only */
    uint32_t columns; /* enum column; others are not looked at */
    uint32_t limit;   /* 0: none */
    int64_t now_s;
};
void model_read(const struct model_state *state, const struct model_read *read, struct shown *shown);
/* Whether `got` is what the state shows; has_more: rows may follow. */
bool model_shows(const struct model_state *state, const struct model_read *read, const struct shown *got,
                 bool has_more);

static inline int64_t model_fill(int64_t i)
{
    return i * 7 % 90;
}

void model_print_shown(FILE *out, const struct shown *shown, uint32_t columns);

#endif
