/* server/metrics.h: what each loop counts, and all of it as Prometheus reads it.
 *
 * Thread:  a struct metrics has one writer, its loop; any thread may print it. Counters are eight bytes, read and
 * written whole.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

enum { METRICS_OPCODES = 17, METRICS_STATUSES = ERR_CLOSED + 1, METRICS_BUCKETS = 18 };

struct metrics {
    uint64_t requests[METRICS_OPCODES];     /* by opcode */
    uint64_t errors[METRICS_STATUSES];      /* replies that were errors, by status */
    uint64_t latency[METRICS_BUCKETS];      /* not cumulative; bounds in metrics.c; the last: beyond all bounds */
    uint64_t latency_us;                    /* sum */
    uint64_t waited;                        /* requests that went to a worker */
    uint64_t wait_refused;                  /* requests that should have, but there were too many */
    uint64_t overloaded, paused_for_memory; /* requests refused, connections not read: their loop's budget was full */
    uint64_t traces_written, traces_refused, traces_failed;
    uint64_t connections_opened;
    uint64_t connections_refused;
    uint64_t connections_open;
    uint64_t connections_stalled, connections_over_memory; /* ended by us: enum stream_end */
    uint64_t in_flight;
    uint64_t bytes_in, bytes_out; /* filled when it is summed */
};

static inline void metric_add(uint64_t *metric, uint64_t more)
{
    __atomic_store_n(metric, *metric + more, __ATOMIC_RELAXED);
}

void metrics_latency(struct metrics *metrics, uint64_t us);
/* Adds `from` (of a running loop) to `sum` (the caller's own). */
void metrics_sum(struct metrics *sum, const struct metrics *from);
void metrics_print(struct buffer *out, const struct metrics *sum);
/* One more value: "# HELP", "# TYPE" and the line. kind: "counter", "gauge". */
void metrics_print_value(struct buffer *out, const char *name, const char *kind, const char *help, uint64_t value);

#endif
