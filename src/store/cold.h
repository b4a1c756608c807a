/* store/cold.h: another body, for tests: the one below as if its bytes lay on the disk alone.
 *
 * Of reads that may not wait (get, snapshot, each move of a scan) one in `one_in` is answered ERR_WOULD_WAIT;
 * 1: each of them. Those that may wait, and all else, are the body's below. So a statement takes its way to a
 * worker and back at each place where it could.
 *
 * Owns:    nothing but its scans; the body below is the process's (one at a time).
 * Thread:  as the body below.
 */
#ifndef STORE_COLD_H
#define STORE_COLD_H

#include "store/store.h"

const struct store_ops *cold_over(const struct store_ops *below, unsigned one_in);

#endif
