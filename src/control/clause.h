/* control/clause.h: parts of a statement, made of what a request says: literals, maps, the options of WITH, tags, columns and their types.
 *
 * Names stand as they are given, in their case, as quoted ones do in CQL.
 *
 * Owns:    all lies in the call's arena, or is the request's.
 * Errors:  false, and ValidationException: what CQL could not say.
 */
#ifndef CONTROL_CLAUSE_H
#define CONTROL_CLAUSE_H

#include "api/handler.h"
#include "cql/ast.h"

/* A map under construction: keys and values alternating. */
struct pairs {
    const struct term **items;
    uint32_t count, capacity;
};

struct clause {
    struct cql_option *items;
    uint32_t count, capacity;
};

const struct term *clause_text(struct arena *arena, struct bytes text);
const struct term *clause_number(struct arena *arena, int64_t number);
void clause_pair(struct arena *arena, struct pairs *pairs, struct bytes key, const struct term *value);
const struct term *clause_map(struct arena *arena, const struct pairs *pairs);
void clause_option(struct arena *arena, struct clause *clause, const char *name, const struct term *value);
struct option_list clause_options(const struct clause *clause);

/* A list of Tag {key, value} as a map: no key twice, none of AWS's own ("aws:..."). */
bool clause_tags(struct api_call *call, const struct tree *tags, const struct term **result);
/* What a tag's key may not be; NULL: it may. */
const char *clause_tag_fault(struct bytes key);

/* A column's or a field's name and type. `what` and the name say in a message where it stands. */
bool clause_typed(struct api_call *call, const struct tree *item, const char *what, struct bytes *name,
                  const struct cql_type **type);

#endif
