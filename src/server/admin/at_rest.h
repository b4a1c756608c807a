/* server/admin/at_rest.h: a data directory that no server has open: what check and reshard do before they look at it.
 *
 * Errors:  ERR_CONFIG: in use, not a directory, no key; ERR_IO.
 */
#ifndef SERVER_ADMIN_AT_REST_H
#define SERVER_ADMIN_AT_REST_H

#include "keys/keys.h"

/* No server may have it, and none may take it until *lock_fd is closed. -1: there is no lock, so nobody ever had it. */
enum status at_rest_lock(const char *directory, int *lock_fd, struct error *err);
bool at_rest_has(const char *directory, const char *name);
/* What is written here must be readable for the server: only who owns the directory's file may. */
enum status at_rest_owner(const char *directory, const char *name, struct error *err);
/* key_file NULL: the directory's master.key, which is not made here. */
enum status at_rest_keys(const char *directory, const char *key_file, struct keys **keys, struct error *err);

#endif
