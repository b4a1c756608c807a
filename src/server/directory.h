/* server/directory.h: the data directory of a server: there, ours alone, and whole.
 *
 * Errors:  ERR_CONFIG: no directory, in use by another process, or left by a restore that did not end; ERR_IO.
 * Thread:  main's.
 */
#ifndef SERVER_DIRECTORY_H
#define SERVER_DIRECTORY_H

#include "base/error.h"

/* Makes it if need be, and locks it: *lock_fd, -1 before, is its lock's, and the caller's to close, also after an error. */
enum status directory_lock(const char *data, int *lock_fd, struct error *err);

#endif
