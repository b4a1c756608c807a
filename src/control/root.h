/* control/root.h: the first access key of the default account's root, for who has nothing to sign with yet. */
#ifndef CONTROL_ROOT_H
#define CONTROL_ROOT_H

#include "base/error.h"

#include <stdbool.h>

struct control;

/* If the root of account 000000000000 has no key, makes one, and leaves it in that file as AWS's tools read it
 * (AWS_SHARED_CREDENTIALS_FILE): mode 0600, synced before the key is one, replaced if it is there. */
enum status control_make_root(struct control *control, const char *path, bool *is_made, struct error *err);

#endif
