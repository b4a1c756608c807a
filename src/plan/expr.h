/* plan/expr.h: typed expressions: compiled once (plan/term.h, plan/selector.h), evaluated often, with bound values and, in a SELECT clause,
 * a row.
 *
 * Shapes:  a value is wire bytes; NULL data is null; native_is_unset is unset.
 * Owns:    expressions live in the plan's arena; results in the request's, or they borrow.
 * Errors:  ERR_INVALID, ERR_FUNCTION_FAILURE with Cassandra's words.
 * Thread:  compiled expressions are immutable.
 */
#ifndef PLAN_EXPR_H
#define PLAN_EXPR_H

#include "plan/function.h"
#include "row/row.h"
#include "types/value.h"
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

/* What a buffer holds, in an arena; the buffer is freed. */
struct bytes buffer_to_arena(struct arena *arena, struct buffer *buffer);
/* As messages show it. */
struct bytes type_name(struct arena *arena, const struct type *type);

#endif
