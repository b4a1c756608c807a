/* control/settings.h: a table's settings, besides its columns: what a request says of them becomes options of WITH.
 *
 * They are one table in settings.c: a member of CreateTable's or UpdateTable's input, and what it becomes. What is not built yet is refused
 * by the member's name, unless it asks for what is so anyway (PAY_PER_REQUEST, AWS_OWNED_KMS_KEY, DISABLED).
 *
 * Errors:  false, and ValidationException.
 */
#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include "control/clause.h"
#include "schema/schema.h"

/* All that the input says. */
bool settings_read(struct api_call *call, struct option_list *options);
/* How many of the settings it says, and their names, ", " between them. */
uint32_t settings_count(const struct api_call *call, struct buffer *names);
/* What of them is in force, into GetTable's answer. */
void settings_show(struct api_call *call, const struct table_def *table);

#endif
