/* plan/function.h: what a native function is, and calling one.
 *
 * Shapes:  a function has exact argument types (plan/resolve.h finds it once, when a plan is made); its body takes wire values. Operators
 *          (+ - * / % and negation) and casts are functions too.
 * Owns:    functions live in the plan's arena.
 * Errors:  ERR_FUNCTION_FAILURE and others from bodies.
 * Thread:  immutable once resolved.
 */
#ifndef PLAN_FUNCTION_H
#define PLAN_FUNCTION_H

#include "base/uuid.h"
#include "plan/work.h"
#include "schema/schema.h"

struct function_context {
    struct arena *arena;
    int64_t now_us;
    struct uuid_source *uuids;
    const struct function *failed; /* out: whose body gave ERR_FUNCTION_FAILURE */
    struct work *work;             /* borrowed: what is evaluated counts itself there */
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
    bool is_pure;     /* same arguments, same result: may be computed when planned */
    bool takes_null;  /* is called with null arguments too */
    bool keeps_empty; /* an empty value is none of those that read as null */
    bool is_made;     /* for the types of its arguments: it fits anything only weakly */
    bool is_doubted;  /* an argument fits it only perhaps */
    enum aggregate_kind aggregate;
    const struct type *return_type;
    const struct type *const *arg_types;
    uint32_t arg_count;
    function_body body;
    int64_t data; /* the body's own */
};

/* What was evaluated, of so many bytes, lies in the arena: may it go on? A statement may make many of it, none of which it returns. */
enum status function_check_room(const struct arena *arena, size_t bytes, struct error *err);
/* Calls it: null arguments give null unless it takes them. */
enum status function_call(const struct function *function, struct function_context *context, const struct bytes *args,
                          struct bytes *result, struct error *err);

#endif
