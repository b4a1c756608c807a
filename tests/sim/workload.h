/* workload.h: what the sessions of a seed will ask and what will happen to them: made before anything runs, so that a part of it can be
 * left out and the rest stays as it is.
 *
 * Which features a seed has is drawn first, each with even odds: a seed with few of them goes deeper into these. */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "history.h"

/* Partition keys are 3, 4 and 5: of 2 shards, and of 3, each has one. */
enum { EVENTS_MAX = 400, VALUES_MAX = 300, SESSIONS_MAX = 4, PARTITIONS = 3, KEY_FROM = 3 };

enum event_kind {
    EVENT_ASK,       /* a session's */
    EVENT_ADVANCE,   /* time: `amount` seconds */
    EVENT_CLOCK,     /* real time jumps: `amount` seconds, backwards if negative */
    EVENT_COLD,      /* of reads that may not wait one in `amount` would; 0: none */
    EVENT_FAIL,      /* a write fails */
    EVENT_FULL,      /* the disk has no room for a while (rocksdb) */
    EVENT_SYNC_FAIL, /* syncs fail for a while (rocksdb) */
    EVENT_CUT,       /* power */
    EVENT_KILL,      /* the process, by the machine that goes on (rocksdb) */
    EVENT_RESTART,
    EVENT_SWEEP,
    EVENT_FLUSH,
    EVENT_COMPACT
};

enum ask_kind { ASK_WRITE, ASK_READ, ASK_DEFINE };
struct event {
    enum event_kind kind;
    uint32_t after; /* not a session's: when so many of all events before were done */
    int64_t amount;
    /* EVENT_ASK */
    uint32_t session;
    enum ask_kind ask;
    bool prepared, bound, uses_b, has_place, whole, is_scan, is_counter;
    int32_t page_size;
    uint32_t first_lane, lane_count; /* of its table: a scan's */
    uint32_t part_count;
    struct part parts[PARTS_MAX];
    char text[1400];
};

struct features {
    bool bound, ttl, client_times, conditions, batches, counters, deletes, collections, lists, definitions, alters,
        cold, fails, cuts, restarts, sweeps, clock, compactions, advances, pages, long_lists, drops;
};
struct workload {
    uint64_t seed;
    bool on_rocksdb;
    struct features features;
    uint32_t shards, sessions, switch_one_in, step_us_max, partitions, rows, tables /* 1 t, 2 u, 3 both */;
    uint64_t row_cache_bytes;
    uint32_t chunk_rows; /* 0: the default */
    int64_t grace_s;     /* of the table u */
    uint32_t count;
    struct event events[EVENTS_MAX];
};

/* Tables, lanes: t 0, u PARTITIONS, n 2 * PARTITIONS: and the partition. */
enum { LANE_T = 0, LANE_U = PARTITIONS, LANE_N = 2 * PARTITIONS, LANES = 3 * PARTITIONS };

void workload_make(struct workload *plan, uint64_t seed, bool on_rocksdb, uint32_t asks);
void workload_print_features(FILE *out, const struct workload *plan);
/* The statement with markers in the place of its numbers, and what is bound to them; bytes has 8 for each value. */
uint32_t event_bind(const struct event *event, char *text, uint8_t bytes[][8], uint32_t *sizes);
void event_print(FILE *out, const struct workload *plan, uint32_t index);
/* Of the table u, again. */
void workload_create_u(char *text, const struct workload *plan);
extern const char *const workload_definitions[]; /* NULL ends; the one with %lld takes grace_s */

#endif
