/* Calling a native function, and what bounds its results. Calls may be nested, and the result
 * of one may be many times as long as its argument, so each result and all together are
 * bounded: without it a text of some kilobytes could ask for gigabytes. */
#include "plan/function.h"

#include <assert.h>

/* The empty value of a type that has no content when it is empty (every number, date, uuid)
 * reads as null for a function, as in Cassandra. */
static bool empty_is_null(const struct type *type)
{
    switch (type->kind) {
    case TYPE_TEXT:
    case TYPE_ASCII:
    case TYPE_BLOB:
    case TYPE_CUSTOM: return false;
    default: return true;
    }
}

/* Counts all that the arena holds, not only this result: the sum of many is what would hurt. */
enum status function_check_room(const struct arena *arena, size_t bytes, struct error *err)
{
    enum { SMALL_BYTES = 1 << 10, ALL_BYTES_MAX = 512 << 20 };

    assert(arena);
    if (bytes < SMALL_BYTES) /* a statement has not words enough to make much of these */
        return OK;
    if (arena_used(arena) > ALL_BYTES_MAX) /* also where nobody counts */
        return error_set(err, ERR_INVALID, "The results of functions are larger than %d bytes", ALL_BYTES_MAX);
    return arena_check(arena, err);
}

/* Bounds one result: nested calls multiply (quotes in quotes of JSON), and a statement may
 * have many. */
static enum status check_result(const struct function *function, const struct function_context *context,
                                struct bytes result, struct error *err)
{
    if (result.size > FUNCTION_RESULT_BYTES_MAX)
        return error_set(err, ERR_INVALID, "The result of system.%.*s is larger than %d bytes", BYTES(function->name),
                         FUNCTION_RESULT_BYTES_MAX);
    return function_check_room(context->arena, result.size, err);
}

/* Before it is called: what takes more than its arguments and its result say adds that itself. */
static uint64_t arguments_work(const struct function *function, const struct bytes *args)
{
    uint64_t work = WORK_CALL;

    for (uint32_t i = 0; i < function->arg_count; i++)
        work += work_of_value(function->arg_types[i], args[i]);
    return work;
}

/* Calls a function on the arguments. A null among them gives null without a call, unless it
 * takes nulls. `failed` tells whose body failed, which the error's body names. */
enum status function_call(const struct function *function, struct function_context *context, const struct bytes *args,
                          struct bytes *result, struct error *err)
{
    assert(function->body);
    assert(context->arena && function->arg_count <= FUNCTION_ARGUMENTS_MAX && !function->aggregate);
    if (!function->takes_null) {
        for (uint32_t i = 0; i < function->arg_count; i++) {
            if (bytes_is_null(args[i]) ||
                (args[i].size == 0 && !function->keeps_empty && empty_is_null(function->arg_types[i]))) {
                *result = bytes_of(NULL, 0);
                return OK;
            }
        }
    }
    enum status status = work_add(context->work, arguments_work(function, args));

    if (status)
        return status;
    status = function->body(function, context, args, result, err);
    if (status == ERR_FUNCTION_FAILURE)
        context->failed = function;
    if (!status)
        status = work_add(context->work, work_of_value(function->return_type, *result));
    return status ? status : check_result(function, context, *result, err);
}
