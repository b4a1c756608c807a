/* plan/resolve.h: which native function a call means: by name, by the types of its arguments, and by what receives it.
 *
 * Shapes:  an argument may have a type, or depend on what asks for it (a literal, a bind marker); a call may find several functions that
 *          fit, and then the best, or none.
 * Owns:    resolved functions live in the plan's arena.
 * Errors:  ERR_INVALID with Cassandra's words.
 * Thread:  pure.
 * Source:  org.apache.cassandra.cql3.functions, release 5.0.
 */
#ifndef PLAN_RESOLVE_H
#define PLAN_RESOLVE_H

#include "plan/function.h"

/* PERHAPS: a call that fails by itself, for reasons of its own: its error is told when nothing better is found. */
enum assignability { ASSIGNABLE_NOT, ASSIGNABLE_PERHAPS, ASSIGNABLE_WEAKLY, ASSIGNABLE_EXACTLY };

/* An argument as the caller knows it before it is typed. */
struct function_argument {
    const struct type *type; /* its own type; NULL: depends on the receiver (literal, bind marker) */
    const struct type
        *guess;        /* the type it would have where nothing asks for another: `type`, or what a literal looks like */
    struct bytes text; /* as messages show it */
    bool is_marker;
    bool is_list; /* a list literal whose elements may be a vector's: so many of them */
    uint32_t item_count;
    enum assignability (*test)(const void *context, const struct type *receiver);
    const void *context;
};

struct function_scope {
    struct arena *arena;
    const struct type *receiver; /* NULL: not known */
    struct bytes receiver_name;
    const struct table_def *table; /* for token(); NULL: none */
};

/* *result NULL and OK: there is no such function. */
enum status function_resolve(const struct function_scope *scope, struct bytes name,
                             const struct function_argument *args, uint32_t count, const struct function **result,
                             struct error *err);
/* op: + - * / %. */
enum status function_resolve_operator(const struct function_scope *scope, char op,
                                      const struct function_argument args[2], const struct function **result,
                                      struct error *err);
enum status function_resolve_negation(const struct function_scope *scope, const struct function_argument *arg,
                                      const struct function **result, struct error *err);
enum status function_resolve_cast(const struct function_scope *scope, const struct type *from, const struct type *to,
                                  struct bytes text, const struct function **result, struct error *err);

/* cast_as_int and "castAsInt" are shown as a cast, to "int"; NULL: none of these. */
const char *function_cast_target(struct bytes name);

#endif
