/* Calling a native function; see function.h. What calls of calls make is bounded, one by one and together. */
#include "plan/function.h"

#include <assert.h>

/* The empty value of a type that has no content when empty reads as null for a function. */
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

enum status function_check_room(const struct arena *arena, size_t bytes, struct error *err)
{
    enum { SMALL_BYTES = 1 << 10, ALL_BYTES_MAX = 512 << 20 };

    if (bytes < SMALL_BYTES) /* a statement has not words enough to make much of these */
        return OK;
    if (arena_used(arena) > ALL_BYTES_MAX) /* also where nobody counts */
        return error_set(err, ERR_INVALID, "The results of functions are larger than %d bytes", ALL_BYTES_MAX);
    return arena_check(arena, err);
}

/* Calls of calls multiply, quotes in quotes of JSON, and a statement may have many of them. */
static enum status check_result(const struct function *function, const struct function_context *context,
                                struct bytes result, struct error *err)
{
    if (result.size > FUNCTION_RESULT_BYTES_MAX)
        return error_set(err, ERR_INVALID, "The result of system.%.*s is larger than %d bytes", BYTES(function->name),
                         FUNCTION_RESULT_BYTES_MAX);
    return function_check_room(context->arena, result.size, err);
}

enum status function_call(const struct function *function, struct function_context *context, const struct bytes *args,
                          struct bytes *result, struct error *err)
{
    assert(function->body);
    if (!function->takes_null) {
        for (uint32_t i = 0; i < function->arg_count; i++) {
            if (bytes_is_null(args[i]) ||
                (args[i].size == 0 && !function->keeps_empty && empty_is_null(function->arg_types[i]))) {
                *result = bytes_of(NULL, 0);
                return OK;
            }
        }
    }
    enum status status = function->body(function, context, args, result, err);
    if (status == ERR_FUNCTION_FAILURE)
        context->failed = function;
    return status ? status : check_result(function, context, *result, err);
}
