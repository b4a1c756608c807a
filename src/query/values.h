/* query/values.h: the values that a request brings, bound to a plan's markers.
 *
 * Owns:    values borrow from the frame, or lie in the request's arena.
 * Errors:  ERR_INVALID with Cassandra's words: each value is checked against what its marker expects, before anything is done.
 */
#ifndef QUERY_VALUES_H
#define QUERY_VALUES_H

#include "query/execute.h"

/* Sets the binds of `eval`. */
enum status values_bind(struct execution *execution, const struct plan *plan, const struct native_values *given,
                        struct eval *eval);

#endif
