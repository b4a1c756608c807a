/* table/semantics.h: inside table/: row/'s meaning of values as the engine's callbacks.
 *
 * Thread:  the callbacks are called by any thread of the engine.
 */
#ifndef TABLE_SEMANTICS_H
#define TABLE_SEMANTICS_H

#include "store/store.h"

struct table_space;
/* Their context is the space. NULL: of a directory that no space has open, where nothing is purged. */
struct store_semantics space_semantics(struct table_space *space);

#endif
