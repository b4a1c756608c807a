/* world.h: a server without its network: disk, space, catalog, query engine, loops and workers; and how a session asks it.
 *
 * A loop's context is used by one fiber at a time, and many requests are on their way in it, as in the server. What it can't answer goes to
 * a worker. All of it runs in fibers (fiber.h): world_open and what follows are called by one.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOOPS = 2, WORKERS = 2 };

struct world_options {
    bool on_rocksdb;
    uint32_t shards;
    uint64_t seed;
    uint64_t row_cache_bytes;
    uint32_t chunk_rows; /* of query_options */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);
/* Starts the server. Not OK: it would not start. */
enum status world_open(struct world *world, struct error *err);
void world_close(struct world *world);

struct disk *world_disk(struct world *world);
struct file_system *world_files(struct world *world); /* NULL: on memory */
/* What an operator asks for; they wait. */
enum status world_sweep(struct world *world, struct error *err);
enum status world_flush(struct world *world, struct error *err);
enum status world_compact(struct world *world, struct error *err);

struct ask {
    uint32_t loop; /* whose connection it is */
    const char *text;
    bool prepared; /* PREPARE and EXECUTE, with what is bound to its markers */
    uint32_t value_count;
    const struct bytes *values;
    int32_t page_size; /* 0: not paged */
    struct bytes paging_state;
    int64_t now_us;      /* out: when the request came */
    enum status status;  /* out */
    char message[200];   /* out: of an error */
    struct buffer reply; /* out: the body of RESULT; the caller's to free */
};
void world_ask(struct world *world, struct ask *ask);

#endif
