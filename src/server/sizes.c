/* What an option does not say follows from the machine: three loops for four processors, an eighth
 * of the memory for the cache, and so on. Most is a loop's part of what all of them may take, but
 * never so little that one request which is allowed would not fit.
 *
 * Memory is what the process may have, and not what the machine has: see memory.h. */
#include "server/sizes.h"

#include "server/memory.h"

#include <assert.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LOOPS_MAX = 16, /* by default; more only if asked */
    FILES_BESIDE_CONNECTIONS = 2048,
    FILES_BESIDE_WITH_TLS = 2560, /* an HTTP connection with TLS takes two more, and there are handshakes */
    FILES_PER_LOOP = 5,
    FILES_LEAST = 64, /* without which nothing is begun */
    CACHE_BYTES_MIN = 16 << 20,
    WRITE_BUFFER_BYTES_MAX = 256 << 20, /* the store's own default */
    INPUT_BYTES_BESIDE = 1 << 20,
    INPUT_BYTES_MAX = 256 << 20, /* by default */
    REQUEST_PER_FRAME = 4,       /* a request takes more than the frame it came in */
    SHARES = 4,                  /* connections that fill what a loop's requests may hold */
};

/* ---- threads and file descriptors ---- */

/* Three loops for four cores: the rest is for owners, which sync, and for compaction. On two cores
 * one loop answers more reads and writes than two, and with less CPU for each
 * (docs/performance.md). */
uint32_t sizes_loop_count(const struct options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (options->loops)
        return (uint32_t)options->loops;
    cores -= (cores + 3) / 4;
    if (cores < 1)
        cores = 1;
    return cores < LOOPS_MAX ? (uint32_t)cores : LOOPS_MAX;
}

/* With TLS a connection of HTTP has three: its own, and both ends of the pair behind it.
 *
 * The store's files, a client of each kind; and what loops (epoll, two eventfds, two listeners) and
 * workers (an eventfd) take. */
static uint64_t files_beside_connections(const struct options *options)
{
    return FILES_BESIDE_CONNECTIONS + (options->tls_certificate ? FILES_BESIDE_WITH_TLS : 0) +
           FILES_PER_LOOP * sizes_loop_count(options) + options->workers;
}

/* As many descriptors as connections need, or as many connections as descriptors allow: the store
 * must always find one. The soft limit is raised as far as it may be, as it is 1024 on most systems
 * for the sake of select(), which nothing here uses. */
uint64_t sizes_connections(const struct options *options)
{
    uint64_t beside = files_beside_connections(options);
    struct rlimit limit;
    rlim_t wanted = (rlim_t)(options->connections + beside);

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return options->connections;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return options->connections;
    return limit.rlim_cur > 2 * beside ? limit.rlim_cur - beside : limit.rlim_cur / 2;
}

/* Threads take descriptors before there is anybody to tell that none is left: so this is looked at
 * first of all. */
enum status sizes_check_files(const struct options *options, struct error *err)
{
    uint64_t threads = FILES_PER_LOOP * sizes_loop_count(options) + options->workers;
    struct rlimit limit;

    sizes_connections(options); /* raises the limit */
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= threads + FILES_LEAST)
        return OK;
    return error_set(err, ERR_CONFIG,
                     "--loops and --workers take %llu file descriptors, and the store %d more: the limit is %llu",
                     (unsigned long long)threads, FILES_LEAST, (unsigned long long)limit.rlim_cur);
}

/* ---- memory ---- */

static uint64_t memory_bytes(void)
{
    return memory_given("", (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

/* An eighth of the memory: filled as blocks are read, so an idle server doesn't have it. */
uint64_t sizes_cache_bytes(const struct options *options)
{
    uint64_t eighth = memory_bytes() / 8;

    if (options->cache_bytes)
        return options->cache_bytes;
    return eighth > CACHE_BYTES_MIN ? eighth : CACHE_BYTES_MIN;
}

/* The row cache is a part of the cache's memory, not beside it. */
uint64_t sizes_row_cache_bytes(const struct options *options)
{
    assert(options->row_cache_percent <= 100);
    return sizes_cache_bytes(options) / 100 * options->row_cache_percent;
}

/* A quarter of a small memory, which is all the same the store's default of a large one; 0: that. */
uint64_t sizes_write_buffer_bytes(const struct options *options)
{
    uint64_t quarter = memory_bytes() / 4;

    if (options->write_buffer_bytes)
        return options->write_buffer_bytes;
    return quarter < WRITE_BUFFER_BYTES_MAX ? quarter : 0;
}

/* ---- limits ---- */

/* A loop's part of what unfinished requests may hold. One request that is allowed must always fit,
 * in a buffer that doubles as it comes: the old half, the new whole, and what others have. */
static size_t input_bytes_of_loop(const struct options *options, uint32_t loops)
{
    uint64_t sixteenth = memory_bytes() / 16, all = options->input_bytes, part, least;

    assert(loops > 0);
    if (!all)
        all = sixteenth < INPUT_BYTES_MAX ? sixteenth : INPUT_BYTES_MAX;
    part = all / loops;
    least = 3 * options->frame_bytes + INPUT_BYTES_BESIDE;
    return part > least ? part : least;
}

/* A request is more than its frame: values, plan and rows are in it as well. */
static size_t request_bytes_of_loop(const struct options *options, uint32_t loops)
{
    uint64_t part = (options->request_bytes ? options->request_bytes : memory_bytes() / 8) / loops;
    uint64_t least = REQUEST_PER_FRAME * options->frame_bytes + INPUT_BYTES_BESIDE;

    assert(loops > 0);
    assert(options->frame_bytes > 0);
    return part > least ? part : least;
}

/* A quarter of the loop's, so that one connection cannot keep all others out. */
static size_t request_bytes_of_connection(const struct options *options, uint32_t loops)
{
    uint64_t part = request_bytes_of_loop(options, loops) / SHARES;
    uint64_t least = REQUEST_PER_FRAME * options->frame_bytes + INPUT_BYTES_BESIDE;

    return part > least ? part : least;
}

/* Seconds and milliseconds become microseconds here, once. */
struct native_limits sizes_limits(const struct options *options, uint32_t loops)
{
    assert(loops > 0 && options->frame_bytes <= NATIVE_FRAME_BYTES_LIMIT);
    return (struct native_limits){
        .connections_max = (uint32_t)sizes_connections(options),
        .frame_bytes_max = (uint32_t)options->frame_bytes,
        .requests_in_flight_max = (uint32_t)options->requests_in_flight,
        .waits_in_flight_max = (uint32_t)options->requests_waiting,
        .output_bytes_max = options->output_bytes,
        .input_bytes_max = input_bytes_of_loop(options, loops),
        .request_bytes_max = request_bytes_of_loop(options, loops),
        .share_bytes_max = request_bytes_of_connection(options, loops),
        .startup_us = (int64_t)options->startup_timeout_s * 1000000,
        .stall_us = (int64_t)options->stall_timeout_s * 1000000,
        .drain_us = (int64_t)options->drain_timeout_s * 1000000,
        .slow_us = (int64_t)options->slow_query_ms * 1000,
        .handshake_us = (int64_t)options->tls_handshake_timeout_s * 1000000,
    };
}

struct query_thresholds sizes_thresholds(const struct options *options)
{
    return (struct query_thresholds){
        .tombstone_warn = options->tombstone_warn,
        .tombstone_fail = options->tombstone_fail,
        .batch_warn_bytes = options->batch_warn_bytes,
        .batch_fail_bytes = options->batch_fail_bytes,
        .batch_warn_partitions = options->batch_warn_partitions,
    };
}
