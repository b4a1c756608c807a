/* plan/planner.h: what all who plan a statement share: the definitions they look at, the markers they find, what they warn of.
 *
 * Owns:    borrows all; what it makes lies in the plan's arena.
 * Thread:  one at a time.
 */
#ifndef PLAN_PLANNER_H
#define PLAN_PLANNER_H

#include "cql/ast.h"
#include "plan/resolve.h"
#include "schema/schema.h"
#include "wire/native.h"

#include <stdarg.h>

struct planner {
    struct arena *arena; /* the plan's */
    const struct schema *schema;
    struct bytes session_keyspace; /* NULL data: none */
    const struct table_def *table; /* NULL: none yet */
    const struct cql_statement *statement;
    struct native_column *binds;        /* marker_count of them */
    struct function_context *functions; /* for what is constant */
    struct error *err;
    struct bytes *warnings;
    uint32_t warning_count;
    uint32_t calls; /* resolved for the term at hand: nesting multiplies them, so they are bounded */
    uint32_t call_depth;
    struct call_memo **memos; /* term.c: of the calls it has looked at, by their terms */
    uint32_t memo_count, memo_capacity;
};

enum { WARNINGS_MAX = 32 };

/* Adds a warning for the client to a list in the arena. What comes after WARNINGS_MAX is dropped: a batch may warn for each of thousands
 * of statements. */
void warnings_add(struct arena *arena, struct bytes **warnings, uint32_t *count, const char *format, va_list list)
    __attribute__((format(printf, 4, 0)));
void planner_warn(struct planner *planner, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ERR_INVALID, in Cassandra's words. */
enum status planner_undefined_column(struct planner *planner, struct bytes name);

#endif
