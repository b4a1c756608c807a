/* bench/floor.c: what a server of this shape costs without CQL.
 *
 * The same loops, sockets, store, engine build, encryption and durability as helenus: a frame is cut off, its key is copied
 * into a store key, and the store is called: two lookups per point read (a partition's record, absent; the row), one scan
 * per slice, one synced write per group of inserts on an owner thread. There is no statement, no type, no schema, no merging and no
 * timestamp: a value is the row's columns as they came and goes back as it lies. It answers just what bench/load.c asks.
 *
 *     floor DIRECTORY PORT
 */
#include "base/memory.h"
#include "keys/keys.h"
#include "net/listener.h"
#include "net/stream_socket.h"
#include "store/rocksdb/rocksdb.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 64, COLUMNS = 8, RING = 1 << 17, GATHER_US = 50, GATHER_ROWS = 32 };

struct connection {
    struct stream_socket socket;
    struct loop_task bury;
    uint32_t pending; /* writes with the owner */
    bool closed;
};

struct write {
    struct connection *connection;
    uint16_t stream_id;
    uint16_t key_size;
    bool is_answered; /* the only one, or the last of its batch: they stay in order */
    uint32_t value_size;
    uint8_t bytes[]; /* key, value */
};

/* One producer and one consumer, as between a loop and an owner. */
struct ring {
    struct write *slots[RING];
    _Alignas(64) _Atomic uint32_t head;
    _Alignas(64) _Atomic uint32_t tail;
};

static const struct store_ops *const ops = &store_rocksdb_ops;
static struct store *store;
static struct loop *loop;
static struct ring to_owner, to_loop;
static _Atomic int owner_sleeps;
static int owner_fd, loop_fd;
static bool submitted;
static struct stream_budget budget = { .input_bytes_max = 256 << 20 };

static bool ring_push(struct ring *ring, struct write *write)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING)
        return false;
    ring->slots[tail % RING] = write;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

static uint32_t ring_count(struct ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_acquire) -
           atomic_load_explicit(&ring->head, memory_order_relaxed);
}

static struct write *ring_pop(struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    struct write *write;

    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
        return NULL;
    write = ring->slots[head % RING];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return write;
}

static void check(enum status status, const struct error *err, const char *what)
{
    if (status == OK)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, err->message);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Gathers as the owner of a shard does: until most of what was in flight is back, 50 us or 32 rows. */
static void gather(uint32_t completed)
{
    uint32_t target = completed + ring_count(&to_owner);
    int64_t end;

    if (target <= 1)
        return;
    end = now_us() + GATHER_US;
    while (ring_count(&to_owner) < target * 7 / 8 && ring_count(&to_owner) < GATHER_ROWS && now_us() < end)
        sched_yield();
}

static void *own(void *unused)
{
    struct store_batch *batch = store_batch_new();
    static struct write *turn[RING];
    uint32_t count = 0;
    struct error err;

    for (;;) {
        struct write *taken;

        gather(count);
        count = 0;
        store_batch_clear(batch);
        while (count < RING && (taken = ring_pop(&to_owner))) {
            store_batch_put(batch, STORE_DATA, bytes_of(taken->bytes, taken->key_size),
                            bytes_of(taken->bytes + taken->key_size, taken->value_size));
            turn[count++] = taken;
        }
        if (!count) {
            uint64_t ignored;

            atomic_store(&owner_sleeps, 1);
            if (!ring_count(&to_owner) && read(owner_fd, &ignored, sizeof(ignored)) < 0)
                return NULL;
            atomic_store(&owner_sleeps, 0);
            continue;
        }
        check(ops->write(store, batch, true, &err), &err, "write");
        for (uint32_t i = 0; i < count; i++)
            while (!ring_push(&to_loop, turn[i]))
                sched_yield();
        if (write(loop_fd, &(uint64_t){ 1 }, 8) != 8)
            return NULL;
    }
}

static void reply(struct connection *c, uint16_t stream_id, uint8_t opcode, struct bytes a, struct bytes b)
{
    struct buffer *out = stream_socket_output(&c->socket);
    uint8_t *at = buffer_extend(out, 9);

    at[0] = 0x84;
    at[1] = 0;
    store_be16(at + 2, stream_id);
    at[4] = opcode;
    store_be32(at + 5, (uint32_t)(a.size + b.size));
    buffer_append_bytes(out, a);
    buffer_append_bytes(out, b);
    stream_socket_commit(&c->socket);
}

static void take_completions(struct loop_source *source, uint32_t events)
{
    struct write *write;
    uint64_t ignored;

    if (read(source->fd, &ignored, sizeof(ignored)) < 0)
        return;
    while ((write = ring_pop(&to_loop))) {
        struct connection *c = write->connection;

        c->pending--;
        if (!c->closed && write->is_answered)
            reply(c, write->stream_id, 0x08, BYTES_LITERAL("\0\0\0\1"), (struct bytes){ 0 });
        else if (c->closed && !c->pending)
            free(c);
        free(write);
    }
}

static void wake_owner(struct loop_hook *hook)
{
    if (submitted && atomic_load(&owner_sleeps) && write(owner_fd, &(uint64_t){ 1 }, 8) != 8)
        abort();
    submitted = false;
}

/* table (8) | token (8: a hash of pk, so that rows lie at random) | pk (8) | kind (1) | ck (4) */
static size_t make_key(uint8_t *key, uint64_t pk, uint8_t kind, const uint8_t *ck)
{
    uint64_t token = pk * 0x9E3779B97F4A7C15;

    token ^= token >> 29;
    store_be64(key, 1);
    store_be64(key + 8, token * 0xBF58476D1CE4E5B9);
    store_be64(key + 16, pk);
    key[24] = kind;
    if (!ck)
        return 25;
    memcpy(key + 25, ck, 4);
    return 29;
}

static const uint8_t rows_header[] = { 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, COLUMNS };

static void read_row(struct connection *c, uint16_t stream_id, const uint8_t *values)
{
    struct store_read_options options = { .may_wait = true };
    struct store_value partition = { 0 }, row = { 0 };
    uint64_t pk = load_be64(values + 4);
    uint8_t key[KEY_BYTES_MAX], head[16];
    struct error err;
    enum status status;

    memcpy(head, rows_header, sizeof(rows_header));
    status = ops->get(store, STORE_DATA, bytes_of(key, make_key(key, pk, 1, NULL)), &options, &partition, &err);
    if (status != ERR_NOT_FOUND)
        check(status, &err, "get");
    store_value_release(&partition);
    status = ops->get(store, STORE_DATA, bytes_of(key, make_key(key, pk, 3, values + 16)), &options, &row, &err);
    if (status != ERR_NOT_FOUND)
        check(status, &err, "get");
    store_be32(head + 12, status == OK);
    reply(c, stream_id, 0x08, bytes_of(head, 16), status == OK ? row.bytes : (struct bytes){ 0 });
    store_value_release(&row);
}

static void read_slice(struct connection *c, uint16_t stream_id, const uint8_t *values)
{
    uint8_t lower[KEY_BYTES_MAX], upper[KEY_BYTES_MAX];
    uint64_t pk = load_be64(values + 4);
    struct store_scan_options options = { .family = STORE_DATA,
                                          .lower = bytes_of(lower, make_key(lower, pk, 1, NULL)),
                                          .upper = bytes_of(upper, make_key(upper, pk, 4, NULL)),
                                          .may_wait = true };
    struct buffer *out = stream_socket_output(&c->socket);
    size_t at = out->size;
    uint32_t count = 0;
    struct store_scan *scan;
    struct error err;

    buffer_extend(out, 9);
    buffer_append(out, rows_header, sizeof(rows_header));
    buffer_append_be32(out, 0);
    check(ops->scan_open(store, &options, &scan, &err), &err, "scan");
    check(ops->scan_first(scan, &err), &err, "scan");
    while (scan->valid) {
        buffer_append_bytes(out, scan->value);
        count++;
        check(ops->scan_next(scan, &err), &err, "scan");
    }
    store_scan_close(scan);
    memcpy(out->data + at, "\x84\0", 2);
    store_be16(out->data + at + 2, stream_id);
    out->data[at + 4] = 0x08;
    store_be32(out->data + at + 5, (uint32_t)(out->size - at - 9));
    store_be32(out->data + at + 21, count);
    stream_socket_commit(&c->socket);
}

static void insert_row(struct connection *c, uint16_t stream_id, const uint8_t *values, size_t size, bool is_answered)
{
    struct write *write = xmalloc(sizeof(*write) + KEY_BYTES_MAX + size);

    write->connection = c;
    write->stream_id = stream_id;
    write->is_answered = is_answered;
    write->key_size = (uint16_t)make_key(write->bytes, load_be64(values + 4), 3, values + 16);
    write->value_size = (uint32_t)(size - 20);
    memcpy(write->bytes + write->key_size, values + 20, size - 20);
    c->pending++;
    submitted = true;
    while (!ring_push(&to_owner, write))
        sched_yield();
}

/* A batch's rows: type (1), count (2), then each kind (1), id (2+1), count (2), values. */
static void insert_rows(struct connection *c, uint16_t stream_id, const uint8_t *body)
{
    uint16_t count = load_be16(body + 1);
    const uint8_t *at = body + 3;

    for (uint16_t i = 0; i < count; i++) {
        uint16_t value_count = load_be16(at + 4);
        const uint8_t *values = at + 6;

        at = values;
        for (uint16_t v = 0; v < value_count; v++)
            at += 4 + load_be32(at);
        insert_row(c, stream_id, values, (size_t)(at - values), i + 1 == count);
    }
}

/* Statement ids are one letter: i(nsert), r(ead), s(lice). */
static void prepare(struct connection *c, uint16_t stream_id, struct bytes body)
{
    bool is_insert = body.data[4] == 'I', is_slice = body.data[body.size - 6] == 'p';
    uint8_t id = is_insert ? 'i' : is_slice ? 's' : 'r';
    uint8_t head[] = { 0, 0, 0, 4, 0, 1, id };
    static const uint8_t rest[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, /* no bind columns */ 0, 0, 0, 4, 0, 0, 0, 0 };

    reply(c, stream_id, 0x08, bytes_of(head, sizeof(head)), bytes_of(rest, sizeof(rest)));
}

static void serve(struct connection *c, const uint8_t *frame, size_t size)
{
    uint16_t stream_id = load_be16(frame + 2);
    const uint8_t *body = frame + 9;

    switch (frame[4]) {
    case 0x01: /* STARTUP */ reply(c, stream_id, 0x02, (struct bytes){ 0 }, (struct bytes){ 0 }); break;
    case 0x07: /* QUERY: the schema */ reply(c, stream_id, 0x08, BYTES_LITERAL("\0\0\0\1"), (struct bytes){ 0 }); break;
    case 0x09: /* PREPARE */ prepare(c, stream_id, bytes_of(body, size - 9)); break;
    case 0x0A: /* EXECUTE: id (2+1), consistency (2), flags (1), count (2), values */
        if (body[2] == 'r')
            read_row(c, stream_id, body + 8);
        else if (body[2] == 's')
            read_slice(c, stream_id, body + 8);
        else
            insert_row(c, stream_id, body + 8, size - 9 - 8, true);
        break;
    case 0x0D: /* BATCH */ insert_rows(c, stream_id, body); break;
    default: fprintf(stderr, "floor: opcode %d\n", frame[4]); exit(1);
    }
}

static size_t take_input(struct stream_socket *socket, struct bytes data)
{
    struct connection *c = CONTAINER_OF(socket, struct connection, socket);
    size_t at = 0;

    while (data.size - at >= 9) {
        size_t size = 9 + (size_t)load_be32(data.data + at + 5);

        if (data.size - at < size)
            break;
        serve(c, data.data + at, size);
        at += size;
    }
    return at;
}

static void bury(struct loop_task *task)
{
    struct connection *c = CONTAINER_OF(task, struct connection, bury);

    if (!c->pending)
        free(c);
}

static void closed(struct stream_socket *socket, enum stream_end end)
{
    struct connection *c = CONTAINER_OF(socket, struct connection, socket);

    c->closed = true;
    c->bury.run = bury;
    loop_defer(loop, &c->bury);
}

static void accepted(struct listener *listener, int fd, const struct sockaddr *address)
{
    static const struct stream_ops stream_ops = { take_input, closed };
    struct stream_options options = { .output_bytes_max = 8 << 20, .stall_us = 60000000, .budget = &budget };
    struct connection *c = xcalloc(1, sizeof(*c));
    struct error err;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    check(stream_socket_open(&c->socket, listener->loop, fd, &stream_ops, &options, &err), &err, "accept");
}

int main(int argc, char **argv)
{
    struct loop_source completions = { .events = EPOLLIN, .ready = take_completions };
    struct loop_hook hook = { .run = wake_owner };
    struct sockaddr_storage address;
    struct listener listener;
    struct keys *keys;
    struct error err;
    char path[4096];
    void *environment;
    pthread_t owner;

    if (argc != 3) {
        fprintf(stderr, "floor DIRECTORY PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    mkdir(argv[1], 0700);
    check(keys_open_directory(argv[1], true, &keys, &err), &err, "key");
    check(ops->environment_open(&(struct store_environment_options){ .cache_bytes = 512 << 20, .keys = keys },
                                &environment, &err),
          &err, "environment");
    snprintf(path, sizeof(path), "%s/shard", argv[1]);
    check(ops->open(&(struct store_options){ .path = path,
                                             .environment = environment,
                                             .semantics = &(struct store_semantics){ 0 } },
                    &store, &err),
          &err, "open");
    owner_fd = eventfd(0, EFD_CLOEXEC);
    loop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(loop_open(&(struct loop_options){ 0 }, &loop, &err), &err, "loop");
    completions.fd = loop_fd;
    check(loop_add(loop, &completions, &err), &err, "eventfd");
    loop_add_hook(loop, &hook);
    pthread_create(&owner, NULL, own, NULL);
    check(listener_parse("127.0.0.1", (uint16_t)atoi(argv[2]), &address, &err), &err, "address");
    check(listener_open(&listener, loop, &address, accepted, &err), &err, "listen");
    printf("Starting listening for CQL clients on 127.0.0.1:%s\n", argv[2]);
    fflush(stdout);
    loop_run(loop);
    return 0;
}
