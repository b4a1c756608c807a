/* plan/function.h: the native functions: which one a call means, and what it gives.
 *
 * Shapes:  a function is resolved once, when a plan is made, to a struct function with exact argument types; its body
 *          then takes wire values. Operators (+ - * / % and negation) and casts are functions too.
 * Owns:    resolved functions live in the plan's arena.
 * Errors:  ERR_INVALID with Cassandra's words at resolution; ERR_FUNCTION_FAILURE from bodies.
 * Thread:  immutable once resolved.
 * Source:  org.apache.cassandra.cql3.functions, release 5.0.
 */
#ifndef PLAN_FUNCTION_H
#define PLAN_FUNCTION_H

#include "plan/number.h"
#include "schema/schema.h"

/* Makes version 1 uuids that no other call of this process made. One per context. */
struct uuid_source {
    uint64_t node;       /* clock sequence and node: the low half */
    uint64_t last_ticks; /* 100 ns since 1582 */
};
void uuid_source_init(struct uuid_source *source);
void uuid_make_time(struct uuid_source *source, int64_t now_us, uint8_t out[16]);
/* Milliseconds since 1970 of a version 1 uuid. */
int64_t uuid_time_ms(struct bytes uuid);

struct function_context {
    struct arena *arena;
    int64_t now_us;
    struct uuid_source *uuids;
    const struct function *failed; /* out: whose body gave ERR_FUNCTION_FAILURE */
};

struct function;
/* args: NULL data is null. The result may borrow from args or lie in the arena. */
typedef enum status (*function_body)(const struct function *function, struct function_context *context,
                                     const struct bytes *args, struct bytes *result, struct error *err);

enum aggregate_kind {
    AGGREGATE_NONE,
    AGGREGATE_COUNT_ROWS,
    AGGREGATE_COUNT,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_SUM,
    AGGREGATE_AVG
};

enum { FUNCTION_ARGUMENTS_MAX = 64, FUNCTION_RESULT_BYTES_MAX = 64 << 20 };

struct function {
    struct bytes name; /* as results show it, without "system." */
    bool is_operator;  /* its result's name is written infix */
    bool is_cast;
    bool is_pure;    /* same arguments, same result: may be computed when planned */
    bool takes_null; /* is called with null arguments too */
    bool is_made;    /* for the types of its arguments: it fits anything only weakly */
    bool is_doubted; /* an argument fits it only perhaps */
    enum aggregate_kind aggregate;
    const struct type *return_type;
    const struct type *const *arg_types;
    uint32_t arg_count;
    function_body body;
    int64_t data; /* the body's own */
};

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

/* What was evaluated, of so many bytes, lies in the arena: may it go on? A statement may make many of it, none of which it returns. */
enum status function_check_room(const struct arena *arena, size_t bytes, struct error *err);
/* Calls it: null arguments give null unless it takes them. */
enum status function_call(const struct function *function, struct function_context *context, const struct bytes *args,
                          struct bytes *result, struct error *err);

#endif
