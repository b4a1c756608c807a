/* server/admin/forms.h: rows that an older version wrote under another form of a value than the one that is looked for now.
 *
 * Until values were brought to one form when they are bound, a frozen set or map that a client sent in another order, or with duplicates,
 * was stored as it came. Such a row is sound and comes with every scan, but a key in this form is found by no SELECT that names it, and a
 * value equals none. `helenus check` counts them by table and says that they must be written again (into an empty table: a key in
 * this form is found by no DELETE either).
 *
 * Thread:  pure.
 */
#ifndef SERVER_ADMIN_FORMS_H
#define SERVER_ADMIN_FORMS_H

#include "row/key.h"
#include "row/row.h"
#include "schema/schema.h"

/* May rows of the table hold such values at all? */
bool forms_concern(const struct table_def *table);
/* Does this one? `row` as table_check hands it over. */
bool forms_differ(const struct table_def *table, const struct key_parts *key, const struct row *row,
                  struct buffer *scratch);

#endif
