/* bench/load.c: an open-loop load generator for the native protocol v4 and, with --protocol 5, v5, on one thread.
 *
 * With --rate R requests are due at fixed times, spread over the connections; a latency is counted from the moment the
 * request was due, so a server that stalls cannot hide it (no coordinated omission). With --rate 0 each connection keeps
 * --depth requests in flight (closed loop): that finds the saturation.
 *
 * Rows: bench.t (pk bigint, ck int, c0..c7 text), --per-partition rows in a partition, values of --value-bytes in total,
 * incompressible enough (base64-like random text that repeats nothing). The same key always has the same values, so a read checks them.
 *
 * Further workloads:
 *   lwt         half INSERT IF NOT EXISTS of a new key, half UPDATE .. IF of a row that --sequential loaded; a reply that does not say
 *               [applied] is wrong. The rows keep the values that reads expect.
 *   counter     additions to bench.n; every counter is read before and after, and must have grown by what was acknowledged.
 *   batch10, batch100   prepared inserts of that many rows of one partition in an UNLOGGED batch; with --logged of rows of any partitions
 *               in a LOGGED one. CPU is told per request and per row.
 * With --tls it speaks TLS (1.3 if the server does), and looks at no certificate.
 * --interval S prints a JSON line every so often, too: where compaction stalls a long run is seen.
 *
 * It speaks the protocol itself and shares no code with the server: it is also a witness.
 * Prints one JSON object, last.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum workload { INSERT, READ, MIXED, SLICE, LWT, COUNTER, BATCH };

enum {
    COLUMNS = 8,
    HEADER_BYTES = 9,
    SEGMENT_HEADER_BYTES = 6,
    SEGMENT_FULL_BYTES = 100 << 10, /* past this the next request begins another */
    CONNECTIONS_MAX = 4096,
    DEPTH_MAX = 2048,
    BATCH_ROWS_MAX = 100,
    COUNTERS_MAX = 100000,
    READ_BYTES = 1 << 20,
    SUB_BUCKETS = 64, /* latencies: 64 linear steps per power of two, 1.6 % wide */
    BUCKETS = SUB_BUCKETS * 40,
};

enum { RESULT_VOID = 1, RESULT_ROWS = 2 };

enum {
    OP_ERROR = 0x00,
    OP_STARTUP = 0x01,
    OP_READY = 0x02,
    OP_QUERY = 0x07,
    OP_RESULT = 0x08,
    OP_PREPARE = 0x09,
    OP_EXECUTE = 0x0A,
    OP_BATCH = 0x0D
};

struct options {
    const char *host;
    int port;
    int connections;
    int depth;
    int protocol; /* 4, or 5 without compression */
    enum workload workload;
    const char *workload_name;
    uint64_t rows;
    uint32_t per_partition;
    uint32_t value_bytes;
    double rate;
    double seconds;
    double warm_seconds;
    int pid;
    double interval_seconds;
    uint32_t batch_rows; /* 1 unless the workload is a batch */
    bool logged;
    bool setup;
    bool tls;
    bool sequential; /* load every key once, in order, then stop */
    bool scatter;    /* with a rate: each request goes over a connection drawn at random, not over the next one */
    bool metadata;   /* ask for the columns' metadata in each reply, as a driver does that does not cache it */
    double tick_us; /* with a rate: requests are due together, every so often, as with a client whose timer is coarse */
    uint64_t seed;
    const char *compressor;
};

struct in_flight {
    int64_t due_ns; /* 0: free */
    uint64_t key;
    uint32_t delta; /* of a counter */
    bool is_write;
};

struct connection {
    int fd;
    SSL *tls; /* NULL: plain */
    uint32_t in_flight;
    uint16_t free_count;
    uint16_t free_ids[DEPTH_MAX];
    struct in_flight requests[DEPTH_MAX];
    uint8_t *out;
    size_t out_size, out_sent, out_capacity;
    uint8_t *in;
    size_t in_size, in_capacity;
    bool want_write;
    bool is_touched;   /* is in touched[] */
    bool in_segments;  /* v5, once STARTUP was answered */
    bool is_open;      /* a segment was begun, */
    size_t segment_at; /* so far behind out_sent */
};

struct statement_id {
    uint8_t bytes[64];
    uint16_t size;
    uint8_t metadata_id[16]; /* v5 */
};

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t total;
    int64_t max_ns;
};

static struct options options = {
    .host = "127.0.0.1",
    .port = 9042,
    .connections = 8,
    .depth = 16,
    .protocol = 4,
    .workload = READ,
    .workload_name = "read",
    .rows = 1000000,
    .per_partition = 100,
    .value_bytes = 136,
    .batch_rows = 1,
    .seconds = 10,
    .warm_seconds = 2,
    .seed = 1,
    .compressor = "LZ4Compressor",
};
static struct statement_id insert_id, read_id, slice_id, absent_id, compare_id, add_id, counters_id;
static struct histogram reads, writes, interval_reads, interval_writes;
static struct connection *touched[CONNECTIONS_MAX]; /* may have room or something to send */
static int touched_count;
static uint64_t next_new_key;                          /* lwt: no run before took it */
static uint64_t counter_count, *acknowledged, *unsure; /* per counter: what was added, and what may have been */
static uint64_t errors, wrong, done_in_window, next_sequential, completed, completed_writes;
static char first_error[256];
static bool measuring;
static uint64_t random_state;

static void die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
}

static uint64_t next_random(void)
{
    random_state += 0x9E3779B97F4A7C15;
    return mix(random_state);
}

/* ---- histogram ---- */

static int bucket_of(int64_t ns)
{
    uint64_t v = ns < 0 ? 0 : (uint64_t)ns;
    int shift;

    if (v < SUB_BUCKETS)
        return (int)v;
    shift = 63 - __builtin_clzll(v) - 6;
    if (shift > 38)
        return BUCKETS - 1;
    return (shift + 1) * SUB_BUCKETS + (int)((v >> shift) - SUB_BUCKETS);
}

static int64_t bucket_top(int bucket)
{
    int shift = bucket / SUB_BUCKETS - 1;

    if (shift < 0)
        return bucket;
    return (((int64_t)(bucket % SUB_BUCKETS) + SUB_BUCKETS + 1) << shift) - 1;
}

static void histogram_add(struct histogram *h, int64_t ns)
{
    h->counts[bucket_of(ns)]++;
    h->total++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

static double percentile_us(const struct histogram *h, double p)
{
    uint64_t target = (uint64_t)(p * (double)h->total), seen = 0;

    for (int i = 0; i < BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > target)
            return (double)bucket_top(i) / 1000;
    }
    return (double)h->max_ns / 1000;
}

/* ---- frames ---- */

static uint8_t *out_reserve(struct connection *c, size_t more)
{
    if (c->out_capacity - c->out_size < more) {
        if (c->out_sent) {
            memmove(c->out, c->out + c->out_sent, c->out_size - c->out_sent);
            c->out_size -= c->out_sent;
            c->out_sent = 0;
        }
        while (c->out_capacity - c->out_size < more)
            c->out_capacity = c->out_capacity ? c->out_capacity * 2 : 1 << 16;
        c->out = realloc(c->out, c->out_capacity);
        if (!c->out)
            die("out of memory");
    }
    return c->out + c->out_size;
}

static void put_u8(struct connection *c, uint8_t v)
{
    *out_reserve(c, 1) = v;
    c->out_size += 1;
}

static void put_u16(struct connection *c, uint16_t v)
{
    v = htobe16(v);
    memcpy(out_reserve(c, 2), &v, 2);
    c->out_size += 2;
}

static void put_u32(struct connection *c, uint32_t v)
{
    v = htobe32(v);
    memcpy(out_reserve(c, 4), &v, 4);
    c->out_size += 4;
}

static void put_bytes(struct connection *c, const void *data, size_t size)
{
    memcpy(out_reserve(c, size), data, size);
    c->out_size += size;
}

/* ---- segments: v5 ---- */

static uint32_t crc24(const uint8_t *data, size_t size)
{
    uint32_t crc = 0x875060;

    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 16;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc & 0x800000 ? 0x1974F0B : 0);
    }
    return crc;
}

static uint32_t payload_crc(const uint8_t *data, size_t size)
{
    return (uint32_t)crc32(crc32(0, (const uint8_t *)"\xFA\x2D\x55\xCA", 4), data, (unsigned)size);
}

static void segment_begin(struct connection *c)
{
    if (!c->in_segments || c->is_open)
        return;
    c->is_open = true;
    c->segment_at = c->out_size - c->out_sent;
    out_reserve(c, SEGMENT_HEADER_BYTES);
    c->out_size += SEGMENT_HEADER_BYTES;
}

/* All requests of a turn go into one segment, as a driver does that gathers them. */
static void segment_end(struct connection *c)
{
    uint32_t size, header, crc;
    uint8_t *at;

    if (!c->is_open)
        return;
    c->is_open = false;
    out_reserve(c, 4);
    at = c->out + c->out_sent + c->segment_at;
    size = (uint32_t)(c->out + c->out_size - at) - SEGMENT_HEADER_BYTES;
    header = size | 1 << 17;
    memcpy(at, &header, 3);
    crc = crc24(at, 3);
    memcpy(at + 3, &crc, 3);
    crc = payload_crc(at + SEGMENT_HEADER_BYTES, size);
    memcpy(c->out + c->out_size, &crc, 4);
    c->out_size += 4;
}

/* The payload of the segment at the front, or 0 if it is not whole. */
static uint32_t segment_size(const uint8_t *data, size_t available)
{
    uint32_t header = 0, crc = 0;

    if (available < SEGMENT_HEADER_BYTES)
        return 0;
    memcpy(&header, data, 3);
    memcpy(&crc, data + 3, 3);
    if (crc != crc24(data, 3) || !(header >> 17))
        die("a segment that is broken, or too large for this program");
    header &= 0x1FFFF;
    if (available < SEGMENT_HEADER_BYTES + header + 4)
        return 0;
    memcpy(&crc, data + SEGMENT_HEADER_BYTES + header, 4);
    if (crc != payload_crc(data + SEGMENT_HEADER_BYTES, header))
        die("a payload that is broken");
    return header;
}

static size_t frame_begin(struct connection *c, uint8_t opcode, uint16_t stream)
{
    size_t at;

    segment_begin(c);
    at = c->out_size - c->out_sent;
    put_u8(c, (uint8_t)options.protocol);
    put_u8(c, 0);
    put_u16(c, stream);
    put_u8(c, opcode);
    put_u32(c, 0);
    return at;
}

static void frame_end(struct connection *c, size_t at)
{
    size_t start = c->out_sent + at;
    uint32_t size = htobe32((uint32_t)(c->out_size - start - HEADER_BYTES));

    memcpy(c->out + start + 5, &size, 4);
    if (c->is_open && c->out_size - c->out_sent - c->segment_at > SEGMENT_FULL_BYTES)
        segment_end(c);
}

/* Flags of a request: v5 has more room for them. */
static void put_flags(struct connection *c, uint8_t flags)
{
    if (options.protocol >= 5)
        put_u32(c, flags);
    else
        put_u8(c, flags);
}

/* As read and write of the kernel, of whichever kind the connection is. What OpenSSL has decrypted already is read at once, as
 * no event tells of it. */
static ssize_t tls_failed(struct connection *c)
{
    int reason = SSL_get_error(c->tls, 0);

    errno = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return reason == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t read_from(struct connection *c, void *to, size_t size)
{
    size_t all = 0, bytes;

    if (!c->tls)
        return read(c->fd, to, size);
    do {
        if (SSL_read_ex(c->tls, (uint8_t *)to + all, size - all, &bytes) != 1)
            return all ? (ssize_t)all : tls_failed(c);
        all += bytes;
    } while (all < size && SSL_has_pending(c->tls));
    return (ssize_t)all;
}

static ssize_t write_to(struct connection *c, const void *from, size_t size)
{
    size_t bytes;

    if (!c->tls)
        return write(c->fd, from, size);
    return SSL_write_ex(c->tls, from, size, &bytes) == 1 ? (ssize_t)bytes : tls_failed(c);
}

static void write_all(struct connection *c)
{
    segment_end(c);
    while (c->out_sent < c->out_size) {
        ssize_t n = write_to(c, c->out + c->out_sent, c->out_size - c->out_sent);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("write: %s", strerror(errno));
        c->out_sent += (size_t)n;
    }
    c->out_size = c->out_sent = 0;
}

static void read_exactly(struct connection *c, uint8_t *to, size_t size)
{
    while (size) {
        ssize_t n = read_from(c, to, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("the server closed the connection");
        to += n;
        size -= (size_t)n;
    }
}

/* One blocking request, before the load begins. Returns the body; dies on ERROR unless it may fail. */
static uint8_t *call(struct connection *c, uint8_t *opcode, uint32_t *size)
{
    static uint8_t body[1 << 20];
    uint8_t header[HEADER_BYTES], around[SEGMENT_HEADER_BYTES];

    write_all(c);
    if (c->in_segments)
        read_exactly(c, around, SEGMENT_HEADER_BYTES);
    read_exactly(c, header, sizeof(header));
    *opcode = header[4];
    memcpy(size, header + 5, 4);
    *size = be32toh(*size);
    if (*size > sizeof(body))
        die("reply of %u bytes during setup", *size);
    read_exactly(c, body, *size);
    if (c->in_segments)
        read_exactly(c, around, 4);
    return body;
}

static uint8_t *call_or_die(struct connection *c, uint8_t expected, const char *what)
{
    uint8_t opcode;
    uint32_t size;
    uint8_t *body = call(c, &opcode, &size);

    if (opcode == OP_ERROR && size > 6) {
        uint16_t length = (uint16_t)(body[4] << 8 | body[5]);
        die("%s: %.*s", what, length, body + 6);
    }
    if (opcode != expected)
        die("%s: opcode %d", what, opcode);
    return body;
}

static void query(struct connection *c, const char *text)
{
    size_t at = frame_begin(c, OP_QUERY, 0);

    put_u32(c, (uint32_t)strlen(text));
    put_bytes(c, text, strlen(text));
    put_u16(c, 1); /* ONE */
    put_flags(c, 0);
    frame_end(c, at);
    call_or_die(c, OP_RESULT, text);
}

static void prepare(struct connection *c, const char *text, struct statement_id *id)
{
    size_t at = frame_begin(c, OP_PREPARE, 0);
    uint8_t *body;

    put_u32(c, (uint32_t)strlen(text));
    put_bytes(c, text, strlen(text));
    if (options.protocol >= 5)
        put_u32(c, 0);
    frame_end(c, at);
    body = call_or_die(c, OP_RESULT, text);
    id->size = (uint16_t)(body[4] << 8 | body[5]);
    if (id->size > sizeof(id->bytes))
        die("a statement id of %d bytes", id->size);
    memcpy(id->bytes, body + 6, id->size);
    memcpy(id->metadata_id, body + 6 + id->size + 2, sizeof(id->metadata_id));
}

static void allow_connections(void)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)options.connections + 64;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("getrlimit: %s", strerror(errno));
    if (limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = needed;
    if (limit.rlim_max < needed)
        limit.rlim_max = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("%d connections need %lu descriptors: %s", options.connections, (unsigned long)needed, strerror(errno));
}

static void begin_tls(struct connection *c)
{
    static SSL_CTX *context;

    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        if (!context)
            die("out of memory");
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_read_ahead(context, 1);
    }
    c->tls = SSL_new(context);
    if (!c->tls || SSL_set_fd(c->tls, c->fd) != 1 || SSL_connect(c->tls) != 1)
        die("no TLS with %s:%d", options.host, options.port);
}

/* One after another, each with its answer to STARTUP: no backlog overflows. */
static void connect_one(struct connection *c)
{
    static const char startup[] = "\0\1\0\13CQL_VERSION\0\0053.0.0";
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)options.port) };
    size_t at;

    if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1)
        die("not an IPv4 address: %s", options.host);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect to %s:%d: %s", options.host, options.port, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (options.tls)
        begin_tls(c);
    c->in_capacity = READ_BYTES;
    c->in = malloc(c->in_capacity);
    for (int i = 0; i < options.depth; i++)
        c->free_ids[c->free_count++] = (uint16_t)i;
    at = frame_begin(c, OP_STARTUP, 0);
    put_bytes(c, startup, sizeof(startup) - 1);
    frame_end(c, at);
    call_or_die(c, OP_READY, "STARTUP");
    c->in_segments = options.protocol >= 5;
}

static void setup_schema(struct connection *c)
{
    char table[512];

    query(
        c,
        "CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    snprintf(
        table, sizeof(table),
        "CREATE TABLE IF NOT EXISTS bench.t (pk bigint, ck int, c0 text, c1 text, c2 text, c3 text, c4 text, c5 text,"
        " c6 text, c7 text, PRIMARY KEY (pk, ck)) WITH compression = {'class': '%s'}",
        options.compressor);
    query(c, "DROP TABLE IF EXISTS bench.t");
    query(c, table);
    query(c, "DROP TABLE IF EXISTS bench.n");
    query(c, "CREATE TABLE bench.n (pk bigint, ck int, n counter, PRIMARY KEY (pk, ck))");
}

/* Those a workload needs: a table of an earlier --setup may lack bench.n. */
static void prepare_statements(struct connection *c)
{
    prepare(c, "INSERT INTO bench.t (pk, ck, c0, c1, c2, c3, c4, c5, c6, c7) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &insert_id);
    prepare(c, "SELECT c0, c1, c2, c3, c4, c5, c6, c7 FROM bench.t WHERE pk = ? AND ck = ?", &read_id);
    prepare(c, "SELECT c0, c1, c2, c3, c4, c5, c6, c7 FROM bench.t WHERE pk = ?", &slice_id);
    if (options.workload == LWT) {
        prepare(c,
                "INSERT INTO bench.t (pk, ck, c0, c1, c2, c3, c4, c5, c6, c7) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " IF NOT EXISTS",
                &absent_id);
        prepare(c, "UPDATE bench.t SET c0 = ? WHERE pk = ? AND ck = ? IF c7 = ?", &compare_id);
    }
    if (options.workload == COUNTER) {
        prepare(c, "UPDATE bench.n SET n = n + ? WHERE pk = ? AND ck = ?", &add_id);
        prepare(c, "SELECT ck, n FROM bench.n WHERE pk = ?", &counters_id);
    }
}

/* ---- requests ---- */

/* The values of a key: printable, different in every row, reproducible. */
static void fill_value(uint64_t key, int column, uint8_t *to, uint32_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t state = mix(key * COLUMNS + (uint64_t)column);

    for (uint32_t i = 0; i < size; i++) {
        if (i % 10 == 0 && i)
            state = mix(state);
        to[i] = (uint8_t)digits[state >> (6 * (i % 10)) & 63];
    }
}

static uint32_t column_bytes(void)
{
    return options.value_bytes / COLUMNS;
}

static void put_key(struct connection *c, uint64_t key, bool with_clustering)
{
    uint64_t pk = htobe64(key / options.per_partition);

    put_u32(c, 8);
    put_bytes(c, &pk, 8);
    if (with_clustering) {
        put_u32(c, 4);
        put_u32(c, (uint32_t)(key % options.per_partition));
    }
}

static void put_execute(struct connection *c, const struct statement_id *id, uint16_t value_count)
{
    put_u16(c, id->size);
    put_bytes(c, id->bytes, id->size);
    if (options.protocol >= 5) {
        put_u16(c, sizeof(id->metadata_id));
        put_bytes(c, id->metadata_id, sizeof(id->metadata_id));
    }
    put_u16(c, 1);                                      /* consistency ONE */
    put_flags(c, 0x01 | (options.metadata ? 0 : 0x02)); /* values, skip metadata */
    put_u16(c, value_count);
}

static void touch(struct connection *c)
{
    if (c->is_touched)
        return;
    c->is_touched = true;
    touched[touched_count++] = c;
}

static void put_value(struct connection *c, uint64_t key, int column)
{
    put_u32(c, column_bytes());
    fill_value(key, column, out_reserve(c, column_bytes()), column_bytes());
    c->out_size += column_bytes();
}

static void put_row(struct connection *c, uint64_t key)
{
    put_key(c, key, true);
    for (int i = 0; i < COLUMNS; i++)
        put_value(c, key, i);
}

static void put_lwt(struct connection *c, struct in_flight *request)
{
    if (next_random() >> 40 & 1) {
        request->key = next_new_key++;
        put_execute(c, &absent_id, 2 + COLUMNS);
        put_row(c, request->key);
    } else {
        put_execute(c, &compare_id, 4);
        put_value(c, request->key, 0);
        put_key(c, request->key, true);
        put_value(c, request->key, COLUMNS - 1);
    }
}

static void put_addition(struct connection *c, struct in_flight *request)
{
    uint64_t delta;

    request->key %= counter_count;
    request->delta = 1 + (uint32_t)(next_random() >> 40 & 7);
    delta = htobe64(request->delta);
    put_execute(c, &add_id, 3);
    put_u32(c, 8);
    put_bytes(c, &delta, 8);
    put_key(c, request->key, true);
}

/* Unlogged: rows that follow another in the key's partition, from its first on after its last. */
static void put_batch(struct connection *c, uint64_t key)
{
    uint64_t first = key - key % options.per_partition, rows = options.rows - first;

    if (rows > options.per_partition)
        rows = options.per_partition;
    put_u8(c, options.logged ? 0 : 1);
    put_u16(c, (uint16_t)options.batch_rows);
    for (uint32_t i = 0; i < options.batch_rows; i++) {
        put_u8(c, 1); /* prepared */
        put_u16(c, insert_id.size);
        put_bytes(c, insert_id.bytes, insert_id.size);
        put_u16(c, 2 + COLUMNS);
        put_row(c, options.logged ? next_random() % options.rows : first + (key - first + i) % rows);
    }
    put_u16(c, 1); /* ONE */
    put_flags(c, 0);
}

static void send_request(struct connection *c, int64_t due_ns)
{
    uint16_t id = c->free_ids[--c->free_count];
    struct in_flight *request = &c->requests[id];
    uint64_t key = options.sequential ? next_sequential++ : next_random() % options.rows;
    size_t at = frame_begin(c, options.workload == BATCH ? OP_BATCH : OP_EXECUTE, id);

    request->due_ns = due_ns;
    request->key = key;
    request->is_write = true;
    switch (options.workload) {
    case MIXED: request->is_write = next_random() >> 40 & 1; break;
    case READ:
    case SLICE: request->is_write = false; break;
    case INSERT:
    case LWT:
    case COUNTER:
    case BATCH: break;
    }
    if (options.workload == LWT) {
        put_lwt(c, request);
    } else if (options.workload == COUNTER) {
        put_addition(c, request);
    } else if (options.workload == BATCH) {
        put_batch(c, key);
    } else if (request->is_write) {
        put_execute(c, &insert_id, 2 + COLUMNS);
        put_row(c, key);
    } else if (options.workload == SLICE) {
        put_execute(c, &slice_id, 1);
        put_key(c, key, false);
    } else {
        put_execute(c, &read_id, 2);
        put_key(c, key, true);
    }
    frame_end(c, at);
    c->in_flight++;
    touch(c);
}

static uint32_t take_u32(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, 4);
    return be32toh(v);
}

/* Behind the columns' metadata, which are all text; size: it is cut. */
static uint32_t skip_metadata(const uint8_t *body, uint32_t at, uint32_t size, bool global, uint32_t columns)
{
    uint32_t names = (global ? 2 : 0) + columns * (global ? 1 : 3);

    for (uint32_t i = 0; i < names && at + 2 <= size; i++) {
        bool is_column = global ? i >= 2 : i % 3 == 2;

        at += 2 + (uint32_t)(body[at] << 8 | body[at + 1]) + (is_column ? 2 : 0); /* a type of two bytes */
    }
    return at < size ? at : size;
}

/* A read's reply: as many rows as there must be, and the first row's last column is what was written. */
static bool rows_are_right(const struct in_flight *request, const uint8_t *body, uint32_t size)
{
    uint8_t expected[4096];
    uint32_t flags, columns, rows, at = 4, column = column_bytes();

    if (size < 12 || take_u32(body) != 2)
        return false;
    flags = take_u32(body + 4);
    columns = take_u32(body + 8);
    at = 12;
    if (flags & 2) /* paging state: skip it */
        at += 4 + take_u32(body + at);
    if (!(flags & 4) != options.metadata)
        return false; /* metadata was not skipped, or was */
    if (options.metadata)
        at = skip_metadata(body, at, size, flags & 1, columns);
    if (at + 4 > size)
        return false;
    rows = take_u32(body + at);
    at += 4;
    if (columns != COLUMNS || rows != (options.workload == SLICE ? options.per_partition : 1))
        return false;
    for (int i = 0; i < COLUMNS - 1; i++)
        at += 4 + take_u32(body + at);
    if (at + 4 + column > size || take_u32(body + at) != column || column > sizeof(expected))
        return false;
    fill_value(options.workload == SLICE ? request->key / options.per_partition * options.per_partition : request->key,
               COLUMNS - 1, expected, column);
    return memcmp(body + at + 4, expected, column) == 0;
}

/* Where the count of rows stands in a reply of rows, behind its metadata; 0: it is none. */
static uint32_t rows_at(const uint8_t *body, uint32_t size, uint32_t *columns)
{
    uint32_t flags, at = 12;

    if (size < 12 || take_u32(body) != RESULT_ROWS)
        return 0;
    flags = take_u32(body + 4);
    *columns = take_u32(body + 8);
    if (flags & 2 && at + 4 <= size) /* paging state */
        at += 4 + take_u32(body + at);
    if (flags & 8 && at + 2 <= size) /* v5: the id of metadata that changed */
        at += 2 + (uint32_t)(body[at] << 8 | body[at + 1]);
    if (!(flags & 4))
        at = skip_metadata(body, at, size, flags & 1, *columns);
    return at + 4 <= size ? at : 0;
}

/* One row of one column, [applied], which is true. A reply that was not applied has the row's columns, too. */
static bool was_applied(const uint8_t *body, uint32_t size)
{
    uint32_t columns = 0, at = rows_at(body, size, &columns);

    return at && columns == 1 && size == at + 9 && take_u32(body + at) == 1 && take_u32(body + at + 4) == 1 &&
           body[at + 8] == 1;
}

static bool write_is_right(const uint8_t *body, uint32_t size)
{
    if (options.workload == LWT)
        return was_applied(body, size);
    return size == 4 && take_u32(body) == RESULT_VOID;
}

/* Behind the warnings a reply begins with: a batch of 100 partitions has one. */
static uint32_t warnings_size(const uint8_t *body, uint32_t size)
{
    uint32_t at = 2, count = size < 2 ? 0 : (uint32_t)(body[0] << 8 | body[1]);

    while (count-- && at + 2 <= size)
        at += 2 + (uint32_t)(body[at] << 8 | body[at + 1]);
    return at < size ? at : size;
}

static void take_reply(struct connection *c, const uint8_t *header, const uint8_t *body, uint32_t size, int64_t now)
{
    uint16_t id = (uint16_t)(header[2] << 8 | header[3]);
    struct in_flight *request = &c->requests[id];

    if (id >= options.depth || !request->due_ns)
        die("a reply to stream %d, which was not asked", id);
    if (header[1] & 0x08) {
        uint32_t skipped = warnings_size(body, size);

        body += skipped;
        size -= skipped;
    }
    if (header[4] != OP_RESULT) {
        if (!errors && header[4] == OP_ERROR && size > 6)
            snprintf(first_error, sizeof(first_error), "%08x %.*s", take_u32(body), (int)(body[4] << 8 | body[5]),
                     body + 6);
        errors++;
        if (options.workload == COUNTER)
            unsure[request->key] += request->delta;
    } else {
        if (request->is_write ? !write_is_right(body, size) : !rows_are_right(request, body, size))
            wrong++;
        if (options.workload == COUNTER)
            acknowledged[request->key] += request->delta;
    }
    completed++;
    completed_writes += request->is_write;
    if (measuring) {
        histogram_add(request->is_write ? &writes : &reads, now - request->due_ns);
        if (options.interval_seconds > 0)
            histogram_add(request->is_write ? &interval_writes : &interval_reads, now - request->due_ns);
        done_in_window++;
    }
    request->due_ns = 0;
    c->free_ids[c->free_count++] = id;
    c->in_flight--;
    touch(c);
}

/* The replies at the front: how many bytes they were. */
static size_t take_replies(struct connection *c, const uint8_t *data, size_t size, int64_t now)
{
    size_t at = 0;

    while (size - at >= HEADER_BYTES) {
        uint32_t body = take_u32(data + at + 5);

        if (size - at < HEADER_BYTES + (size_t)body)
            break;
        take_reply(c, data + at, data + at + HEADER_BYTES, body, now);
        at += HEADER_BYTES + body;
    }
    return at;
}

static void receive(struct connection *c)
{
    size_t at = 0;
    uint32_t payload;
    ssize_t n = read_from(c, c->in + c->in_size, c->in_capacity - c->in_size);
    int64_t now = now_ns();

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("the server closed a connection%s%s", errors ? ": " : "", first_error);
    c->in_size += (size_t)n;
    if (!c->in_segments)
        at = take_replies(c, c->in, c->in_size, now);
    else
        while ((payload = segment_size(c->in + at, c->in_size - at)) > 0) {
            if (take_replies(c, c->in + at + SEGMENT_HEADER_BYTES, payload, now) != payload)
                die("a segment that does not hold whole replies");
            at += SEGMENT_HEADER_BYTES + payload + 4;
        }
    memmove(c->in, c->in + at, c->in_size - at);
    c->in_size -= at;
    if (c->in_size == c->in_capacity) {
        c->in_capacity *= 2;
        c->in = realloc(c->in, c->in_capacity);
        if (!c->in)
            die("out of memory");
    }
}

static void flush(int epoll, struct connection *c)
{
    segment_end(c);
    while (c->out_sent < c->out_size) {
        ssize_t n = write_to(c, c->out + c->out_sent, c->out_size - c->out_sent);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            die("write: %s", strerror(errno));
        c->out_sent += (size_t)n;
    }
    if (c->out_sent == c->out_size)
        c->out_size = c->out_sent = 0;
    if (c->want_write != (c->out_size > 0)) {
        struct epoll_event event = { .data.ptr = c };

        c->want_write = c->out_size > 0;
        event.events = EPOLLIN | (c->want_write ? EPOLLOUT : 0);
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    }
}

/* User and system time of all threads of the server, in seconds. */
static double server_cpu(void)
{
    char path[64], text[1024], *at;
    unsigned long user = 0, sys = 0;
    FILE *file;
    size_t n;

    if (!options.pid)
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", options.pid);
    file = fopen(path, "r");
    if (!file)
        die("%s: %s", path, strerror(errno));
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    at = strrchr(text, ')');
    if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        die("cannot read %s", path);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec +
           usage.ru_stime.tv_usec / 1e6;
}

static void wait_for_events(int epoll, int64_t timeout_ns)
{
    struct epoll_event events[256];
    struct timespec timeout = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
    int n = epoll_pwait2(epoll, events, 256, timeout_ns < 0 ? NULL : &timeout, NULL);

    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;

        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            receive(c);
        if (events[i].events & EPOLLOUT)
            touch(c);
    }
}

static struct connection *with_room(struct connection *connections, uint32_t *next)
{
    for (int i = 0; i < options.connections; i++) {
        struct connection *c = &connections[(*next)++ % (uint32_t)options.connections];

        if (c->free_count)
            return c;
    }
    return NULL;
}

/* With a thousand connections only those that had an answer are looked at. */
static void flush_touched(int epoll)
{
    for (int i = 0; i < touched_count; i++) {
        if (touched[i]->out_size)
            flush(epoll, touched[i]);
        touched[i]->is_touched = false;
    }
    touched_count = 0;
}

/* A line of what happened since the last one. */
static void interval_tick(int64_t now)
{
    static int64_t begin, last;
    static double last_cpu;
    double cpu, seconds;
    uint64_t count;
    int64_t max;

    if (!begin) {
        begin = last = now;
        last_cpu = server_cpu();
    }
    seconds = (double)(now - last) / 1e9;
    if (seconds < options.interval_seconds)
        return;
    cpu = server_cpu();
    count = interval_reads.total + interval_writes.total;
    max = interval_reads.max_ns > interval_writes.max_ns ? interval_reads.max_ns : interval_writes.max_ns;
    printf(
        "{\"at_s\": %.1f, \"per_second\": %.0f, \"server_cpu_us\": %.2f, \"read_p99_us\": %.1f, \"write_p99_us\": %.1f, "
        "\"max_us\": %.1f, \"errors\": %lu, \"wrong\": %lu}\n",
        (double)(now - begin) / 1e9, (double)count / seconds, count ? (cpu - last_cpu) * 1e6 / (double)count : 0,
        percentile_us(&interval_reads, 0.99), percentile_us(&interval_writes, 0.99), (double)max / 1000, errors, wrong);
    fflush(stdout);
    memset(&interval_reads, 0, sizeof(interval_reads));
    memset(&interval_writes, 0, sizeof(interval_writes));
    last = now;
    last_cpu = cpu;
}

/* Runs the load for some seconds (or, sequential, until every key was sent). */
static void run(int epoll, struct connection *connections, double seconds)
{
    int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9);
    int64_t next = start, tick_ns = (int64_t)(options.tick_us * 1000);
    double interval_ns = options.rate > 0 ? 1e9 / options.rate : 0;
    uint64_t sent = 0;
    uint32_t turn = 0;

    for (int i = 0; i < options.connections; i++)
        touch(&connections[i]);
    for (;;) {
        int64_t now = now_ns(), timeout = 1000000;

        if (options.sequential ? next_sequential >= options.rows : now >= end)
            break;
        if (options.rate > 0 && now >= next) {
            int64_t due = start + (int64_t)((double)sent * interval_ns);

            while (due <= now) {
                struct connection *c;

                if (options.scatter)
                    turn = (uint32_t)next_random();
                c = with_room(connections, &turn);

                if (!c)
                    break; /* everything is in flight: the wait counts, since due_ns stays */
                send_request(c, tick_ns ? now - (now - start) % tick_ns : due);
                due = start + (int64_t)((double)++sent * interval_ns);
            }
            next = tick_ns ? now + tick_ns - (now - start) % tick_ns : due;
        }
        if (options.rate > 0) {
            timeout = next > now ? next - now : 1000000;
        } else {
            for (int i = 0; i < touched_count; i++)
                while (touched[i]->free_count && (!options.sequential || next_sequential < options.rows))
                    send_request(touched[i], now);
        }
        flush_touched(epoll);
        if (measuring && options.interval_seconds > 0)
            interval_tick(now);
        wait_for_events(epoll, timeout);
    }
}

static void drain(int epoll, struct connection *connections)
{
    int64_t end = now_ns() + 30000000000LL;

    for (;;) {
        uint32_t left = 0;

        for (int i = 0; i < options.connections; i++) {
            if (connections[i].out_size)
                flush(epoll, &connections[i]);
            left += connections[i].in_flight;
        }
        if (!left)
            return;
        if (now_ns() > end)
            die("%u requests were not answered within 30 s", left);
        wait_for_events(epoll, 1000000);
    }
}

/* Adds each counter's value, times sign, to values. On a connection of its own, which blocks. */
static void read_counters(struct connection *c, uint64_t *values, uint64_t sign)
{
    uint64_t partitions = (counter_count + options.per_partition - 1) / options.per_partition;

    for (uint64_t p = 0; p < partitions; p++) {
        size_t at = frame_begin(c, OP_EXECUTE, 0);
        uint32_t size, columns = 0, rows;
        uint8_t opcode, *body;

        put_execute(c, &counters_id, 1);
        put_key(c, p * options.per_partition, false);
        frame_end(c, at);
        body = call(c, &opcode, &size);
        at = opcode == OP_RESULT ? rows_at(body, size, &columns) : 0;
        if (!at || columns != 2)
            die("reading the counters: opcode %d", opcode);
        rows = take_u32(body + at);
        if (size - at != 4 + rows * 20UL)
            die("a partition of counters that is not %u rows", rows);
        for (uint32_t i = 0; i < rows; i++) {
            const uint8_t *row = body + at + 4 + (size_t)i * 20;
            uint64_t key = p * options.per_partition + take_u32(row + 4), n;

            memcpy(&n, row + 12, 8);
            if (take_u32(row + 4) >= options.per_partition || key >= counter_count)
                die("a counter that nobody added to: %lu", key);
            values[key] += sign * be64toh(n);
        }
    }
}

/* How many counters did not grow by what was acknowledged, nor by that and some of what was answered with an error. */
static uint64_t count_wrong_counters(struct connection *c, uint64_t *grown)
{
    uint64_t bad = 0;

    read_counters(c, grown, 1);
    for (uint64_t i = 0; i < counter_count; i++)
        bad += grown[i] < acknowledged[i] || grown[i] > acknowledged[i] + unsure[i];
    return bad;
}

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (!p)
        die("out of memory");
    return p;
}

static void print_latency(const char *name, const struct histogram *h)
{
    if (h->total)
        printf(", \"%s\": {\"count\": %lu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}",
               name, h->total, percentile_us(h, 0.5), percentile_us(h, 0.99), percentile_us(h, 0.999),
               (double)h->max_ns / 1000);
}

static void usage(void)
{
    fprintf(
        stderr,
        "load [--host A] [--port P] [--connections N] [--depth N] [--protocol 4|5] [--workload insert|read|mixed|slice|lwt|counter|batch10|batch100]\n     [--logged] [--interval S] [--rows N]\n"
        "     [--per-partition N] [--value-bytes N] [--rate R] [--seconds S] [--warm S] [--pid SERVER] [--setup]\n"
        "     [--compressor CLASS] [--sequential] [--seed N] [--metadata] [--tick-us T] [--scatter] [--tls]\n");
    exit(2);
}

static const char *argument(char **argv, int *i)
{
    if (!argv[*i + 1])
        usage();
    return argv[++*i];
}

static void parse_options(char **argv)
{
    static const struct {
        const char *name;
        enum workload workload;
        uint32_t batch_rows;
    } names[] = { { "insert", INSERT, 1 },  { "read", READ, 1 },
                  { "mixed", MIXED, 1 },    { "slice", SLICE, 1 },
                  { "lwt", LWT, 1 },        { "counter", COUNTER, 1 },
                  { "batch10", BATCH, 10 }, { "batch100", BATCH, BATCH_ROWS_MAX } };

    for (int i = 1; argv[i]; i++) {
        const char *o = argv[i];

        if (!strcmp(o, "--host"))
            options.host = argument(argv, &i);
        else if (!strcmp(o, "--port"))
            options.port = atoi(argument(argv, &i));
        else if (!strcmp(o, "--connections"))
            options.connections = atoi(argument(argv, &i));
        else if (!strcmp(o, "--depth"))
            options.depth = atoi(argument(argv, &i));
        else if (!strcmp(o, "--protocol"))
            options.protocol = atoi(argument(argv, &i));
        else if (!strcmp(o, "--rows"))
            options.rows = strtoull(argument(argv, &i), NULL, 10);
        else if (!strcmp(o, "--per-partition"))
            options.per_partition = (uint32_t)atoi(argument(argv, &i));
        else if (!strcmp(o, "--value-bytes"))
            options.value_bytes = (uint32_t)atoi(argument(argv, &i));
        else if (!strcmp(o, "--rate"))
            options.rate = atof(argument(argv, &i));
        else if (!strcmp(o, "--seconds"))
            options.seconds = atof(argument(argv, &i));
        else if (!strcmp(o, "--warm"))
            options.warm_seconds = atof(argument(argv, &i));
        else if (!strcmp(o, "--pid"))
            options.pid = atoi(argument(argv, &i));
        else if (!strcmp(o, "--seed"))
            options.seed = strtoull(argument(argv, &i), NULL, 10);
        else if (!strcmp(o, "--setup"))
            options.setup = true;
        else if (!strcmp(o, "--tls"))
            options.tls = true;
        else if (!strcmp(o, "--compressor"))
            options.compressor = argument(argv, &i);
        else if (!strcmp(o, "--logged"))
            options.logged = true;
        else if (!strcmp(o, "--interval"))
            options.interval_seconds = atof(argument(argv, &i));
        else if (!strcmp(o, "--scatter"))
            options.scatter = true;
        else if (!strcmp(o, "--metadata"))
            options.metadata = true;
        else if (!strcmp(o, "--tick-us"))
            options.tick_us = atof(argument(argv, &i));
        else if (!strcmp(o, "--sequential"))
            options.sequential = true;
        else if (!strcmp(o, "--workload")) {
            size_t w = 0;

            options.workload_name = argument(argv, &i);
            while (w < sizeof(names) / sizeof(*names) && strcmp(names[w].name, options.workload_name))
                w++;
            if (w == sizeof(names) / sizeof(*names))
                usage();
            options.workload = names[w].workload;
            options.batch_rows = names[w].batch_rows;
        } else
            usage();
    }
    if (options.connections < 1 || options.connections > CONNECTIONS_MAX || options.depth < 1 ||
        options.depth > DEPTH_MAX || (options.protocol != 4 && options.protocol != 5) || !options.per_partition ||
        !options.rows || options.value_bytes < COLUMNS)
        usage();
    if (options.workload == BATCH && !options.logged &&
        (options.per_partition < options.batch_rows || options.rows % options.per_partition))
        die("a batch of %u rows needs partitions of as many, and all of them whole", options.batch_rows);
    if (options.sequential && options.workload != INSERT)
        die("--sequential loads with --workload insert");
}

int main(int argc, char **argv)
{
    struct connection *connections, *checker = NULL;
    uint64_t *grown = NULL, count;
    double cpu, own, elapsed;
    int64_t begin;
    int epoll;

    (void)argc;
    parse_options(argv);
    random_state = mix(options.seed);
    next_new_key = (uint64_t)time(NULL) << 30;
    allow_connections();
    connections = zeroed((size_t)options.connections, sizeof(*connections));
    for (int i = 0; i < options.connections; i++)
        connect_one(&connections[i]);
    if (options.setup)
        setup_schema(&connections[0]);
    prepare_statements(&connections[0]);
    if (options.workload == COUNTER) {
        counter_count = options.rows < COUNTERS_MAX ? options.rows : COUNTERS_MAX;
        acknowledged = zeroed(counter_count, sizeof(*acknowledged));
        unsure = zeroed(counter_count, sizeof(*unsure));
        grown = zeroed(counter_count, sizeof(*grown));
        checker = zeroed(1, sizeof(*checker));
        connect_one(checker);
        read_counters(checker, grown, (uint64_t)-1);
    }

    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < options.connections; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };

        fcntl(connections[i].fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
    }
    if (options.warm_seconds > 0 && !options.sequential)
        run(epoll, connections, options.warm_seconds);

    measuring = true;
    cpu = server_cpu();
    own = own_cpu();
    begin = now_ns();
    run(epoll, connections, options.seconds);
    elapsed = (double)(now_ns() - begin) / 1e9;
    cpu = server_cpu() - cpu;
    own = own_cpu() - own;
    count = done_in_window;
    measuring = false;
    drain(epoll, connections);
    if (checker)
        wrong += count_wrong_counters(checker, grown);

    printf(
        "{\"workload\": \"%s\", \"connections\": %d, \"depth\": %d, \"rate\": %.0f, \"value_bytes\": %u, \"seconds\": %.2f, "
        "\"requests\": %lu, \"per_second\": %.0f, \"server_cpu_us\": %.2f, \"client_cpu_us\": %.2f, \"errors\": %lu, \"wrong\": %lu",
        options.workload_name, options.connections, options.depth, options.rate, options.value_bytes, elapsed, count,
        (double)count / elapsed, count ? cpu * 1e6 / (double)count : 0, count ? own * 1e6 / (double)count : 0, errors,
        wrong);
    if (options.batch_rows > 1)
        printf(", \"rows\": %u, \"logged\": %s, \"server_cpu_us_per_row\": %.3f", options.batch_rows,
               options.logged ? "true" : "false", count ? cpu * 1e6 / (double)count / options.batch_rows : 0);
    print_latency("read", &reads);
    print_latency("write", &writes);
    if (first_error[0]) {
        printf(", \"first_error\": \"");
        for (char *at = first_error; *at; at++)
            putchar(*at == '"' || *at == '\\' || *at < ' ' ? '_' : *at);
        printf("\"");
    }
    printf("}\n");
    return errors || wrong ? 1 : 0;
}
