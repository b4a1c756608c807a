/* query/json.h: INSERT JSON taken apart. */
#ifndef QUERY_JSON_H
#define QUERY_JSON_H

#include "schema/schema.h"

/* Binds of INSERT JSON: one per column of the table. */
enum status json_bind(const struct table_def *table, struct bytes json, bool default_unset, struct arena *arena,
                      struct bytes *values, struct error *err);

#endif
