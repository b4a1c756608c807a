/* query/filter.h: which rows a SELECT shows, of those that it reads: what could not be looked up.
 *
 * Owns:    the arena of `eval`.
 * Errors:  ERR_INVALID with Cassandra's words.
 */
#ifndef QUERY_FILTER_H
#define QUERY_FILTER_H

#include "plan/where.h"

struct value_list {
    struct bytes *values; /* sorted, each once */
    uint32_t count;
};

/* Operands, evaluated, by filter. */
struct filters {
    const struct where *where;
    struct work *work; /* borrowed; of the execution */
    struct bytes *values, *keys;
    struct value_list *lists;
};

enum status filters_evaluate(struct filters *filters, struct eval *eval, struct error *err);
static inline enum status filters_prepare(struct filters *filters, const struct where *where, struct eval *eval,
                                          struct error *err)
{
    filters->where = where;
    filters->work = eval->functions.work;
    return where->filter_count ? filters_evaluate(filters, eval, err) : OK;
}
/* False also where looking would take more work than there may be here: work_is_over() says so. */
bool filters_look(const struct filters *filters, const struct bytes *slots);
static inline bool filters_pass(const struct filters *filters, const struct bytes *slots)
{
    return !filters->where->filter_count || filters_look(filters, slots);
}
/* Does it ask anything of rows? Then a static row alone is none of those asked for. */
bool filters_ask_rows(const struct where *where);

#endif
