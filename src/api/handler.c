/* Faults by their names in the model: a handler cannot tell an error that its operation does not
 * declare, which typed clients could not read. */
#include "api/handler.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* A few for each operation. */
static const struct shape *find_error(const struct model_operation *operation, const char *name)
{
    for (uint32_t i = 0; i < operation->error_count; i++)
        if (strcmp(operation->errors[i]->name, name) == 0)
            return operation->errors[i];
    return NULL;
}

/* fault_set cuts what is too long where a character ends. */
bool api_fail(struct api_call *call, const char *name, const char *format, ...)
{
    const struct shape *shape = find_error(call->operation, name);
    char message[sizeof(call->fault->message)];
    va_list list;

    assert(shape && shape->http_status >= 400);
    va_start(list, format);
    vsnprintf(message, sizeof(message), format, list);
    va_end(list);
    fault_set(call->fault, shape->name, shape->http_status, "%s", message);
    call->fault->shape = shape;
    return false;
}

/* Behind api_fail, which begins the fault anew. */
void api_fail_detail(struct api_call *call, const char *name, struct bytes value)
{
    struct api_fault *fault = call->fault;

    assert(fault->shape);
    if (!fault->details)
        fault->details = tree_new(call->arena, fault->shape);
    tree_set_string(call->arena, fault->details, name, value);
}
