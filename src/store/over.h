/* store/over.h: for bodies over another body, in tests: a scan that shows what the one below shows, once it was asked whether it may move.
 *
 * Owns:    the scan below, which is closed with it.
 * Errors:  what `before` says; then the scan stands nowhere and the one below has not moved. Else what the move below says.
 * Thread:  as the scan below.
 */
#ifndef STORE_OVER_H
#define STORE_OVER_H

#include "store/store.h"

/* Asked before each move; `may_wait` is the scan's. */
typedef enum status over_before_move(bool may_wait, struct error *err);

/* Into the operations of the body over the other: all of a scan but its opening. */
void over_set_scans(struct store_ops *ops);
/* What such a body's scan_open gives: a scan over a new one of the body below. */
struct store_scan *over_scan(const struct store_ops *ops, struct store_scan *below, bool may_wait,
                             over_before_move *before);

#endif
