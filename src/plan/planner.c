/* See planner.h. */
#include "plan/planner.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { WARNINGS_MAX = 16 };

void planner_warn(struct planner *planner, const char *format, ...)
{
    char text[1024];
    va_list list;

    assert(planner->warning_count <= WARNINGS_MAX);
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (!planner->warnings)
        planner->warnings = arena_new_array(planner->arena, struct bytes, WARNINGS_MAX);
    if (planner->warning_count < WARNINGS_MAX)
        planner->warnings[planner->warning_count++] = arena_copy(planner->arena, bytes_of_string(text));
}

enum status planner_undefined_column(struct planner *planner, struct bytes name)
{
    struct buffer out = { 0 };

    identifier_print(&out, name);
    enum status status =
        error_set(planner->err, ERR_INVALID, "Undefined column name %.*s in table %.*s.%.*s", BYTES(buffer_bytes(&out)),
                  BYTES(planner->table->keyspace), BYTES(planner->table->name));
    buffer_fini(&out);
    return status;
}
