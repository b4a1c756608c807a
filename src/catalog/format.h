/* catalog/format.h: which format a data directory has: its file FORMAT, one line "helenus data format 2".
 *
 * Looked at before anything else of the directory is. The number changes when keys, fragments or anything else laid down changes so
 * that an older server must not touch it.
 *
 * Errors:  ERR_CORRUPT: not our file, or lost; ERR_CONFIG: another format, newer or older; ERR_IO, ERR_NO_SPACE.
 */
#ifndef CATALOG_FORMAT_H
#define CATALOG_FORMAT_H

#include "base/error.h"

#include <stdbool.h>

enum { DATA_FORMAT = 2 }; /* 1: range tombstones might overlap, and no due list */

/* Checks the file, or makes it (synced) when there is none and no data either. */
enum status format_check(const char *directory, struct error *err);
/* Whether shards were ever made in it: whatever else is missing then was lost, and nobody may make it anew. */
bool format_holds_data(const char *directory);

#endif
