/* plan/function_body.h: what native functions do; only resolve.c needs it. Each is a function_body (function.h).
 *
 * Shapes:  arguments are validated wire values of the function's argument types, never null unless it takes nulls.
 * Thread:  pure but for the uuid source.
 */
#ifndef PLAN_FUNCTION_BODY_H
#define PLAN_FUNCTION_BODY_H

#include "plan/function.h"

#define DECLARE_BODY(name)                                                                                        \
    enum status name(const struct function *function, struct function_context *context, const struct bytes *args, \
                     struct bytes *result, struct error *err)

DECLARE_BODY(body_now);
DECLARE_BODY(body_current_timestamp);
DECLARE_BODY(body_current_date);
DECLARE_BODY(body_current_time);
DECLARE_BODY(body_uuid);
DECLARE_BODY(body_bound_timeuuid); /* data: 0 min, 1 max */
DECLARE_BODY(body_to_date);
DECLARE_BODY(body_to_timestamp);
DECLARE_BODY(body_floor_timestamp);
DECLARE_BODY(body_floor_date);
DECLARE_BODY(body_floor_time);
DECLARE_BODY(body_abs);
DECLARE_BODY(body_exp);
DECLARE_BODY(body_log);
DECLARE_BODY(body_log10);
DECLARE_BODY(body_round);
DECLARE_BODY(body_same);
DECLARE_BODY(body_from_blob);
DECLARE_BODY(body_cast);
DECLARE_BODY(body_map_keys);
DECLARE_BODY(body_map_values);
DECLARE_BODY(body_collection_count);
DECLARE_BODY(body_collection_min);
DECLARE_BODY(body_collection_max);
DECLARE_BODY(body_collection_sum);
DECLARE_BODY(body_collection_avg);
DECLARE_BODY(body_to_json);
DECLARE_BODY(body_from_json);
DECLARE_BODY(body_similarity); /* data: 0 cosine, 1 euclidean, 2 dot product */
DECLARE_BODY(body_mask_null);
DECLARE_BODY(body_mask_default);
DECLARE_BODY(body_mask_replace);
DECLARE_BODY(body_mask_part); /* data: 1 inner, 0 outer */
DECLARE_BODY(body_mask_hash);
DECLARE_BODY(body_token);
DECLARE_BODY(body_arithmetic);   /* data: the operator */
DECLARE_BODY(body_add_duration); /* data: '+' or '-' */
DECLARE_BODY(body_concatenate);
DECLARE_BODY(body_negate);

bool cast_is_possible(enum type_kind from, enum type_kind to);

#endif
