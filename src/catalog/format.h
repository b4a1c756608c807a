/* catalog/format.h: which format a data directory has: its file FORMAT, one line "helenus data format 3".
 *
 * Looked at before anything else of the directory is. The number changes when keys, fragments or anything else laid down changes so
 * that an older server must not touch it. One that is older by a number or two is brought forward at a start (catalog/forward.h).
 *
 * Errors:  ERR_CORRUPT: not our file, or lost; ERR_CONFIG: another format, newer or older; ERR_IO, ERR_NO_SPACE.
 */
#ifndef CATALOG_FORMAT_H
#define CATALOG_FORMAT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* 1: range tombstones might overlap, and no due list. 2: definitions in system.helenus_catalog, types within their keyspace. */
enum { DATA_FORMAT = 3, DATA_FORMAT_OLDEST = 2 };

/* Checks the file, or makes it (synced) when there is none and no data either. OK: a format that can be read or brought forward. */
enum status format_check(const char *directory, struct error *err);
/* The same, and which one it is. */
enum status format_find(const char *directory, uint32_t *format, struct error *err);
/* From now on the directory is of DATA_FORMAT: durable when it returns OK. Atomic. */
enum status format_write(const char *directory, struct error *err);
/* Whether shards were ever made in it: whatever else is missing then was lost, and nobody may make it anew. */
bool format_holds_data(const char *directory);

#endif
