/* server/ballast.h: space held back for a start on a full disk.
 *
 * A store writes when it is opened (a log, a manifest: some kilobytes per shard). The file BALLAST in the data directory holds that
 * space, with nothing in it; a start lets go of it before it opens the store and takes it again afterwards, so that what serves on a full
 * disk is refused writes as ever, and the next start can open it too.
 *
 * Errors:  none: without space to hold, or leave to, there is none held back.
 * Thread:  one.
 */
#ifndef SERVER_BALLAST_H
#define SERVER_BALLAST_H

#include <stdint.h>

/* Lets go of it; returns how many bytes were held. */
uint64_t ballast_release(const char *directory);
/* Holds what was held before, and as much as `shards` may need where it is a small part of what is free. */
void ballast_take(const char *directory, uint64_t held, uint32_t shards);

#endif
