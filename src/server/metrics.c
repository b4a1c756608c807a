/* Counters of loops are words, so that a sum is a loop over them; names, kinds and help are what
 * Prometheus shows. Each loop writes its own, with relaxed stores and without locks; who shows them
 * adds up. */
#include "server/metrics.h"

#include "wire/native.h"

#include <assert.h>

/* Upper bounds of the histogram's buckets; what is slower is in the last one, which has none. */
static const uint64_t bounds_us[METRICS_BUCKETS - 1] = { 50,     100,     200,     500,     1000,    2000,
                                                         5000,   10000,   20000,   50000,   100000,  200000,
                                                         500000, 1000000, 2000000, 5000000, 10000000 };

static_assert(sizeof(struct metrics) % sizeof(uint64_t) == 0, "metrics_sum adds words");
static_assert((int)METRICS_OPCODES > (int)NATIVE_AUTH_SUCCESS, "each opcode has a count");
/* From the fastest on, so that fast requests cost the fewest comparisons. */
void metrics_latency(struct metrics *metrics, uint64_t us)
{
    unsigned i = 0;

    while (i < METRICS_BUCKETS - 1 && us > bounds_us[i])
        i++;
    metric_add(&metrics->latency[i], 1);
    metric_add(&metrics->latency_us, us);
}

/* Gauges too: a loop's share of open connections is added like any count. */
void metrics_sum(struct metrics *sum, const struct metrics *from)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *word = (const uint64_t *)from;

    for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
        to[i] += __atomic_load_n(&word[i], __ATOMIC_RELAXED);
}

static void head(struct buffer *out, const char *name, const char *kind, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void metrics_print_value(struct buffer *out, const char *name, const char *kind, const char *help, uint64_t value)
{
    head(out, name, kind, help);
    buffer_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* Prometheus' buckets are cumulative: each counts all that was as fast or faster. */
static void print_latency(struct buffer *out, const struct metrics *sum)
{
    static const char name[] = "helenus_request_seconds";
    uint64_t count = 0;

    head(out, name, "histogram", "Time from a request's arrival to its reply.");
    for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
        count += sum->latency[i];
        if (i < METRICS_BUCKETS - 1)
            buffer_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds_us[i] / 1e6,
                          (unsigned long long)count);
        else
            buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)count);
    }
    buffer_printf(out, "%s_sum %.6f\n%s_count %llu\n", name, (double)sum->latency_us / 1e6, name,
                  (unsigned long long)count);
}

/* Kinds and reasons that never came up are left out. */
void metrics_print(struct buffer *out, const struct metrics *sum)
{
    head(out, "helenus_requests_total", "counter",
         "Requests, by kind. NONE: refused before that was known, as a driver's first try with a later protocol is.");
    for (unsigned i = 0; i < METRICS_OPCODES; i++)
        if (sum->requests[i] && native_opcode_name((enum native_opcode)i))
            buffer_printf(out, "helenus_requests_total{kind=\"%s\"} %llu\n",
                          i == NATIVE_ERROR ? "NONE" : native_opcode_name((enum native_opcode)i),
                          (unsigned long long)sum->requests[i]);
    head(out, "helenus_errors_total", "counter", "Replies that were errors, by reason.");
    for (unsigned i = 0; i < METRICS_STATUSES; i++)
        if (sum->errors[i])
            buffer_printf(out, "helenus_errors_total{reason=\"%s\"} %llu\n", status_name((enum status)i),
                          (unsigned long long)sum->errors[i]);
    print_latency(out, sum);
    metrics_print_value(out, "helenus_requests_waited_total", "counter", "Requests that memory could not answer.",
                        sum->waited);
    metrics_print_value(out, "helenus_requests_wait_refused_total", "counter",
                        "Requests that memory could not answer, refused: too many wait already.", sum->wait_refused);
    metrics_print_value(out, "helenus_requests_overloaded_total", "counter",
                        "Requests refused because request-bytes were held, by clients that ask to be told.",
                        sum->overloaded);
    metrics_print_value(out, "helenus_connections_paused_for_memory_total", "counter",
                        "Times a connection was not read further because request-bytes were held.",
                        sum->paused_for_memory);
    metrics_print_value(out, "helenus_traces_total", "counter", "Traces written to system_traces.",
                        sum->traces_written);
    metrics_print_value(out, "helenus_traces_refused_total", "counter",
                        "Requests answered without the trace they asked for: too many at once.", sum->traces_refused);
    metrics_print_value(out, "helenus_traces_failed_total", "counter",
                        "Traces whose rows could not be written; their requests were answered.", sum->traces_failed);
    metrics_print_value(out, "helenus_requests_in_flight", "gauge", "Requests not yet answered.", sum->in_flight);
    metrics_print_value(out, "helenus_connections", "gauge", "Connections now open.", sum->connections_open);
    metrics_print_value(out, "helenus_connections_total", "counter", "Connections ever accepted.",
                        sum->connections_opened);
    metrics_print_value(out, "helenus_connections_refused_total", "counter", "Connections past the limit.",
                        sum->connections_refused);
    metrics_print_value(out, "helenus_connections_stalled_total", "counter",
                        "Connections ended because the client took nothing for stall-timeout-s.",
                        sum->connections_stalled);
    metrics_print_value(out, "helenus_connections_over_memory_total", "counter",
                        "Connections ended because unfinished requests held more than input-bytes.",
                        sum->connections_over_memory);
    metrics_print_value(out, "helenus_received_bytes_total", "counter", "Bytes from clients.", sum->bytes_in);
    metrics_print_value(out, "helenus_sent_bytes_total", "counter", "Bytes to clients.", sum->bytes_out);
}
