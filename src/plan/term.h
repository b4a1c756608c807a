/* plan/term.h: typed expressions: a term or selector of the AST, checked against what receives it, ready to evaluate.
 *
 * Compiling types every literal, names every bind marker and computes what is constant; evaluating takes bound values
 * and, in a SELECT clause, a row.
 *
 * Shapes:  a value is wire bytes; NULL data is null; native_is_unset is unset.
 * Owns:    expressions live in the plan's arena; results in the request's.
 * Errors:  ERR_INVALID, ERR_FUNCTION_FAILURE with Cassandra's words.
 * Thread:  compiled expressions are immutable.
 */
#ifndef PLAN_TERM_H
#define PLAN_TERM_H

#include "cql/ast.h"
#include "plan/function.h"
#include "row/row.h"
#include "schema/schema.h"
#include "wire/native.h"

enum expr_kind {
    EXPR_NULL,
    EXPR_CONSTANT,
    EXPR_BIND,
    EXPR_CALL,      /* function over args */
    EXPR_PACK,      /* a collection, tuple, udt or vector of args; maps: keys and values alternating */
    EXPR_COMPONENT, /* component `index` of the tuple, udt that args[0] gives */
    /* In a SELECT clause: */
    EXPR_COLUMN,    /* slot */
    EXPR_ELEMENT,   /* args[0] [ args[1] ] */
    EXPR_SLICE,     /* args[0] [ args[1] .. args[2] ] */
    EXPR_WRITETIME, /* of slot */
    EXPR_MAXWRITETIME,
    EXPR_TTL,
    EXPR_AGGREGATE, /* index of the accumulator */
};

struct expr {
    enum expr_kind kind;
    const struct type *type;
    struct bytes constant;
    uint32_t index; /* bind, component, slot or accumulator */
    const struct function *function;
    const struct expr **args;
    uint32_t arg_count;
    /* writetime, ttl: of one element or field only */
    const struct expr *element;
    int32_t field;   /* -1: none */
    bool is_checked; /* a call whose result is used: it may be none of its type. What SELECT shows is not looked at */
};

/* What receives a value: a column, an element of one, "[ttl]". */
struct receiver {
    struct bytes name;
    const struct type *type;
    const struct bytes
        *component_names; /* of a multi-column relation's tuple: its columns; NULL: name[0], name[1] ... */
    bool is_list_of_in;   /* what follows IN as a whole */
};

struct planner {
    struct arena *arena; /* the plan's */
    const struct schema *schema;
    struct bytes session_keyspace; /* NULL data: none */
    const struct table_def *table; /* NULL: none yet */
    const struct cql_statement *statement;
    struct native_column *binds;        /* marker_count of them */
    struct function_context *functions; /* for what is constant */
    struct error *err;
    struct bytes *warnings;
    uint32_t warning_count;
    uint32_t calls; /* resolved for the term at hand: nesting multiplies them, so they are bounded */
    uint32_t call_depth;
    struct call_memo **memos; /* term.c: of the calls it has looked at, by their terms */
    uint32_t memo_count, memo_capacity;
};

void planner_warn(struct planner *planner, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The type a written type means. */
enum status term_resolve_type(struct planner *planner, const struct cql_type *written, struct bytes keyspace,
                              const struct type **result);
/* Types a term for its receiver. */
enum status term_compile(struct planner *planner, const struct term *term, const struct receiver *receiver,
                         const struct expr **result);
/* An EXPR_COMPONENT of an expression that gives a tuple. */
const struct expr *term_component(struct planner *planner, const struct expr *tuple, uint32_t index);
const struct expr *term_constant(struct planner *planner, const struct type *type, struct bytes value);
enum assignability term_test(struct planner *planner, const struct term *term, const struct type *type);
/* The type a term has by itself, or NULL. */
const struct type *term_natural_type(struct planner *planner, const struct term *term);
/* The same, or the type that a literal would have where nothing asks for another; NULL: none. is_selected: it stands in a SELECT clause. */
const struct type *term_guess_type(struct planner *planner, const struct term *term, bool is_selected);
/* ERR_INVALID, in Cassandra's words. */
enum status term_undefined_column(struct planner *planner, struct bytes name);
struct bytes term_text(struct planner *planner, const struct term *term);
/* What stands before a hinted term, with its parentheses. */
void term_print_hint(struct planner *planner, struct buffer *out, const struct term *term);
struct bytes type_name(struct arena *arena, const struct type *type);
/* A receiver named e.g. value(m). */
struct receiver receiver_of(struct arena *arena, const char *prefix, struct bytes name, const struct type *type);
/* Of the marker that follows IN: a list of what is compared. */
struct receiver receiver_of_in(struct arena *arena, struct bytes name, const struct type *type);
const char *literal_kind_name(enum literal_kind kind);
struct bytes buffer_to_arena(struct arena *arena, struct buffer *buffer);

/* ---- evaluation ---- */

/* The row that selectors see. */
struct row_view {
    const struct bytes *slots;       /* wire values by slot; NULL data: null */
    const struct cell *const *cells; /* by slot: the first cell of the column, NULL: none */
    const uint32_t *cell_counts;
    const struct column_def *const *columns; /* by slot */
    const struct bytes *aggregates;          /* results of the accumulators */
};

struct eval {
    struct arena *arena;
    const struct bytes *binds;
    uint32_t bind_count;
    struct function_context functions;
    const struct row_view *row; /* NULL outside of a SELECT clause */
    int64_t now_s;
    struct buffer *scratch; /* for keys while they are put together; the context's: it has its size already */
};

enum status expr_evaluate_slow(const struct expr *expr, struct eval *eval, struct bytes *result, struct error *err);

static inline enum status expr_evaluate(const struct expr *expr, struct eval *eval, struct bytes *result,
                                        struct error *err)
{
    switch (expr->kind) {
    case EXPR_BIND: *result = eval->binds[expr->index]; return OK;
    case EXPR_CONSTANT: *result = expr->constant; return OK;
    case EXPR_NULL: *result = bytes_of(NULL, 0); return OK;
    case EXPR_COLUMN:
        *result = eval->row->slots[expr->index]; /* NOLINT: a plan with columns is given rows */
        return OK;
    default: return expr_evaluate_slow(expr, eval, result, err);
    }
}

static inline bool expr_is_constant(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_NULL;
}

#endif
