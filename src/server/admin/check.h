/* server/admin/check.h: `helenus check DIR`: whether a data directory that no server has open is sound, and what to do if it is not.
 *
 *     helenus check ./data [--repair] [--key-file FILE]
 *
 * Every file is read, every checksum of every block looked at, the log read as a start would, every key, fragment and
 * definition decoded. Nothing is changed. What is found goes to stdout, a line each; a bar to stderr if that is a terminal.
 * With --repair values that can't be read are taken out, each with a line (table_space_repair), if nothing else is damaged, and all is
 * checked once more.
 *
 * Exit codes: 0 sound; 1 damaged; 2 could not be checked (one line on stderr says why).
 */
#ifndef SERVER_ADMIN_CHECK_H
#define SERVER_ADMIN_CHECK_H

enum { CHECK_SOUND = 0, CHECK_DAMAGED = 1, CHECK_CANNOT = 2 };

/* key_file NULL: the directory's own. */
int check_directory(const char *directory, const char *key_file);
/* argv after "check". */
int check_run(int argc, char *const *argv);

#endif
