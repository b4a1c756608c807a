/* server/admin/reshard.h: `helenus reshard DIR --shards N`: a data directory that no server has open, with another number of shards.
 *
 *     helenus reshard ./data --shards 4 [--key-file FILE]
 *
 * What a start would end is ended first (the log, drops that a crash interrupted). Then the new shards are built beside the old ones,
 * read again and compared, and put in their place by one rename: table/reshard.c. Killed at any moment, the directory is the old one or
 * the new one, and the next start removes what was left. It needs as much space again as the data takes.
 *
 * Exit codes: 0 it has N shards; 2 it could not be done (one line on stderr says why), and all is as it was.
 */
#ifndef SERVER_ADMIN_RESHARD_H
#define SERVER_ADMIN_RESHARD_H

enum { RESHARD_DONE = 0, RESHARD_CANNOT = 2 };

/* argv after "reshard". */
int reshard_run(int argc, char *const *argv);

#endif
