/* control/tags.h: tags of keyspaces and tables, by their ARNs.
 *
 * They are TAGS of CQL: adding is ADD TAGS, removing DROP TAGS, which takes away pairs, not keys.
 */
#ifndef CONTROL_TAGS_H
#define CONTROL_TAGS_H

#include "control/action.h"

api_handler_fn tags_add, tags_remove, tags_list;

/* Of a keyspace, or of its table; borrowed. NULL: it is not there. */
const struct option_map *tags_of(const struct schema *schema, const struct arn *arn);
/* ADD TAGS or DROP TAGS of the resource. */
enum status tags_change(const struct api_call *call, const struct arn *arn, enum tags_action action,
                        const struct term *tags, struct error *err);

#endif
