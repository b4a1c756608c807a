/* What all planners share: warnings for the client, and the error that any clause may meet, a
 * column that is not there. One list of warnings has one bound, whoever adds to it: a
 * statement could otherwise make a reply as long as it likes. */
#include "plan/planner.h"

#include <assert.h>
#include <stdio.h>

/* A warning that is one too many is left out, and a long one is cut: neither is worth an
 * error. */
void warnings_add(struct arena *arena, struct bytes **warnings, uint32_t *count, const char *format, va_list list)
{
    char text[1024];

    assert(*count <= WARNINGS_MAX);
    if (*count == WARNINGS_MAX)
        return;
    vsnprintf(text, sizeof(text), format, list);
    if (!*count) /* an array of an earlier run of the same request may lie there */
        *warnings = arena_new_array(arena, struct bytes, WARNINGS_MAX);
    (*warnings)[(*count)++] = arena_copy(arena, bytes_of_string(text));
}

void planner_warn(struct planner *planner, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    warnings_add(planner->arena, &planner->warnings, &planner->warning_count, format, list);
    va_end(list);
}

/* The name is quoted where CQL would need it, as Cassandra prints it. */
enum status planner_undefined_column(struct planner *planner, struct bytes name)
{
    struct buffer out = { 0 };

    assert(planner->table);
    identifier_print(&out, name);
    enum status status =
        error_set(planner->err, ERR_INVALID, "Undefined column name %.*s in table %.*s.%.*s", BYTES(buffer_bytes(&out)),
                  BYTES(planner->table->keyspace), BYTES(planner->table->name));
    buffer_fini(&out);
    return status;
}
