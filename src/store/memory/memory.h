/* store/memory/memory.h: the reference body of store.h: all in memory, durable to nothing.
 *
 * A skip list of keys; each key has a chain of versions, newest first, as far back as a snapshot needs them.
 * Operands are merged when they are written. The log is a list of batches, each finished at once. compact
 * runs the filter with everything known (nothing lies outside).
 *
 * Thread:  as store.h says; one lock, readers share it.
 */
#ifndef STORE_MEMORY_MEMORY_H
#define STORE_MEMORY_MEMORY_H

#include "store/store.h"

extern const struct store_ops store_memory_ops;

#endif
