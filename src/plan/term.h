/* plan/term.h: a term of the AST, checked against what receives it, becomes a typed expression: every literal has its type, every bind
 * marker its name, and what is constant is computed.
 *
 * Owns:    the plan's arena.
 * Errors:  ERR_INVALID, ERR_FUNCTION_FAILURE with Cassandra's words.
 */
#ifndef PLAN_TERM_H
#define PLAN_TERM_H

#include "plan/expr.h"
#include "plan/planner.h"

/* What receives a value: a column, an element of one, "[ttl]". */
struct receiver {
    struct bytes name;
    const struct type *type;
    const struct bytes
        *component_names; /* of a multi-column relation's tuple: its columns; NULL: name[0], name[1] ... */
    bool is_list_of_in;   /* what follows IN as a whole */
};

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
struct bytes term_text(struct planner *planner, const struct term *term);
/* What stands before a hinted term, with its parentheses. */
void term_print_hint(struct planner *planner, struct buffer *out, const struct term *term);
/* A receiver named e.g. value(m). */
struct receiver receiver_of(struct arena *arena, const char *prefix, struct bytes name, const struct type *type);
/* Of the marker that follows IN: a list of what is compared. */
struct receiver receiver_of_in(struct arena *arena, struct bytes name, const struct type *type);
const char *literal_kind_name(enum literal_kind kind);

#endif
