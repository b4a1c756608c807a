/* server/admin/operate.h: what an operator asks on the command line of a directory that is served, or of a copy of one.
 *
 *     helenus flush DIR                                 through the control socket (admin.h) of the server that has DIR open
 *     helenus compact DIR [[ACCOUNT/]KEYSPACE[.TABLE]]  so, too
 *     helenus sweep DIR                                 so, too
 *     helenus clock DIR [--advance DURATION]            so, too: its real time, moved ahead in developer mode
 *     helenus api missing DIR|URL                       so, too, or through the HTTP port (missing.h)
 *     helenus tls reload DIR                            so, too
 *     helenus snapshot DIR TARGET [--without-key]       through it, or of a directory that no server has open
 *     helenus restore SNAPSHOT DIR [--key-file FILE]    into a directory that is empty or not there
 *
 * A snapshot is made as TARGET.part and renamed when all of it is synced; its last file is SNAPSHOT, with how much there is. So what has
 * no SNAPSHOT is none. The master key of developer mode (DIR/master.key) is copied, and said to be, but for --without-key.
 *
 * A restore begins with the file RESTORING in DIR and ends with its removal, after DIR was found sound (check.h): serve refuses a
 * directory that has it.
 *
 * Progress goes to stderr (progress.h), what was done to stdout.
 *
 * Exit codes: 0 done; 1 it was begun and failed; 2 it could not be begun: no server, a target that is there (one line on stderr).
 */
#ifndef SERVER_ADMIN_OPERATE_H
#define SERVER_ADMIN_OPERATE_H

#include <stdbool.h>

enum { OPERATE_DONE = 0, OPERATE_FAILED = 1, OPERATE_CANNOT = 2 };
#define RESTORE_MARK "RESTORING"

/* *code: what main returns. False: `command` is none of these. argv after it. */
bool operate_run(const char *command, int argc, char *const *argv, int *code);

#endif
