/* server/sizes.h: how much of the machine a server takes: what its options say, else what its processors, memory and file descriptors
 * allow.
 *
 * Errors:  sizes_check_files: ERR_CONFIG.
 * Thread:  main's: the limit of file descriptors is raised.
 */
#ifndef SERVER_SIZES_H
#define SERVER_SIZES_H

#include "query/query.h"
#include "server/native/loop.h"
#include "server/options.h"

uint32_t sizes_loop_count(const struct options *options);
/* How many connections the file descriptors allow, at most as many as the option says. */
uint64_t sizes_connections(const struct options *options);
/* Are there descriptors for the threads, and some for the store? */
enum status sizes_check_files(const struct options *options, struct error *err);

/* Both caches together; and the part of these that rows have. */
uint64_t sizes_cache_bytes(const struct options *options);
uint64_t sizes_row_cache_bytes(const struct options *options);
uint64_t sizes_write_buffer_bytes(const struct options *options);

/* What one of `loops` loops begins with, and takes over when the options change. */
struct native_limits sizes_limits(const struct options *options, uint32_t loops);
struct query_thresholds sizes_thresholds(const struct options *options);

#endif
