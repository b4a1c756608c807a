/* Ports: how a thread reaches the owners of shards. A port has two rings to each shard, one there and one back.
 *
 * Where commands are dear, a flow (a connection) has only so many with an owner as keep it busy for a short while (shard.window); the
 * others wait here in its line, so that whoever sends little does not wait behind all that somebody else has sent. While they
 * are cheap, all that comes goes to the rings, which is best for syncing many at once.
 */
#include "table/port.h"

#include "table/shard.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first free place is taken. Owners look at the ports without a lock: a port is complete before
 * its place holds it. */
struct table_port *port_open(struct table_space *space)
{
    struct table_port *port = xcalloc(1, sizeof(*port));
    uint32_t index = 0, count_max = space->options.port_count_max;

    port->space = space;
    port->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    port->channels = xcalloc(space->shard_count, sizeof(*port->channels));
    port->touched = xcalloc(space->shard_count, sizeof(*port->touched));
    pthread_mutex_lock(&space->ports_lock);
    while (index < count_max && atomic_load(&space->ports[index]))
        index++;
    port->index = index;
    if (port->event_fd >= 0 && index < count_max) {
        atomic_store(&space->ports[index], port);
        if (index >= atomic_load(&space->ports_end))
            atomic_store(&space->ports_end, index + 1);
    }
    pthread_mutex_unlock(&space->ports_lock);
    if (port->event_fd >= 0 && index < count_max)
        return port;
    if (port->event_fd >= 0)
        close(port->event_fd);
    free(port->channels);
    free(port->touched);
    free(port);
    return NULL;
}

/* For the server's own threads, which the space was made to have room for: without a port they
 * could do nothing. */
struct table_port *table_port_open(struct table_space *space)
{
    struct table_port *port = port_open(space);

    if (!port)
        abort();
    return port;
}

/* Owners may be looking at the port just now. One that is asleep (even epoch) finds it gone when
 * it wakes; of another we wait until it has let go of the ports it looked at. The place in the
 * array is empty already, so an owner that looks from now on does not find the port: one change
 * of each epoch is enough. */
static void wait_for_owners(struct table_space *space)
{
    for (uint32_t i = 0; i < space->shard_count; i++) {
        uint64_t epoch = atomic_load(&space->shards[i].epoch);

        for (unsigned tries = 0; epoch % 2 && atomic_load(&space->shards[i].epoch) == epoch; tries++) {
            if (tries < 100)
                sched_yield();
            else
                usleep(100); /* it waits for the disk */
        }
    }
}

static void wait_for(struct table_port *port, const uint32_t *left);

/* No request of the port is under way, but an owner may still be looking through its rings: it is
 * waited for. Order: first the array forgets the port, then owners let go of it, then its memory
 * goes. The place can be taken by another port at once. */
void table_port_close(struct table_port *port)
{
    struct table_space *space = port->space;

    wait_for(port, &port->pending); /* batches that are being forgotten */
    assert(!port->pending && atomic_load(&space->ports[port->index]) == port);
    pthread_mutex_lock(&space->ports_lock);
    atomic_store(&space->ports[port->index], NULL);
    pthread_mutex_unlock(&space->ports_lock);
    wait_for_owners(space);
    for (uint32_t i = 0; i < space->shard_count; i++)
        free(atomic_load(&port->channels[i]));
    close(port->event_fd);
    row_cache_free(port->rows);
    free(port->channels);
    free(port->touched);
    free(port);
}

/* What was kept before is given up: only good when the thread has nothing borrowed of it. */
void table_port_keep_rows(struct table_port *port, uint64_t bytes_max)
{
    row_cache_free(port->rows);
    port->rows = bytes_max >= ROW_CACHE_BYTES_MIN ? row_cache_new(bytes_max) : NULL;
}

int table_port_fd(const struct table_port *port)
{
    return port->event_fd;
}

uint32_t table_port_waited(struct table_port *port)
{
    uint32_t waited = port->waited;

    port->waited = 0;
    return waited;
}

uint32_t table_port_pending(const struct table_port *port)
{
    return port->pending;
}

/* A port has rings to the shards that it has used: most threads of a large machine use few. A
 * channel takes two rings of 4096 pointers, 64 KiB. The release pairs with the owner's acquire:
 * it sees a channel of zeros, or none. It lives as long as the port. */
static struct channel *channel_to(struct table_port *port, uint32_t shard)
{
    struct channel *channel = atomic_load_explicit(&port->channels[shard], memory_order_relaxed);

    if (!channel) {
        channel = aligned_alloc(64, (sizeof(*channel) + 63) & ~(size_t)63);
        if (!channel)
            abort();
        memset(channel, 0, sizeof(*channel));
        atomic_store_explicit(&port->channels[shard], channel, memory_order_release);
    }
    return channel;
}

/* ---- lines ---- */

/* Into the owner's ring. The owner is not woken here but once a turn of the loop: table_port_flush. */
static void push(struct table_port *port, uint32_t shard, struct channel *channel, struct table_request *request)
{
    bool pushed = ring_push(&channel->to_owner, request);

    assert(pushed); /* of at most RING_SLOTS */
    (void)pushed;
    channel->lines[request->flow % LINES].sent++;
    port->touched[shard] = true;
    port->any_touched = true;
}

/* The window is the owner's, and may shrink below what is sent already: then nothing is sent
 * until enough was answered. */
static bool may_send(const struct table_port *port, uint32_t shard, const struct line *line)
{
    return line->sent < atomic_load_explicit(&port->space->shards[shard].window, memory_order_relaxed);
}

/* Behind all that wait: the order of a flow's requests stays. */
static void line_up(struct line *line, struct table_request *request)
{
    assert(!line->first || !line->last->next);
    request->next = NULL;
    if (line->first)
        line->last->next = request;
    else
        line->first = request;
    line->last = request;
}

/* One of the line was answered: those behind it go on. They were taken when they were submitted,
 * so there is room for them in the ring. The owner is woken at the next flush. */
static void send_waiting(struct table_port *port, uint32_t shard, struct channel *channel, struct line *line)
{
    while (line->first && may_send(port, shard, line)) {
        struct table_request *request = line->first;

        line->first = request->next;
        push(port, shard, channel, request);
    }
}

/* Takes the request, or refuses it before anything of it was done. It is refused where so many are
 * pending that the ring back could overflow: whoever is taken will be answered. */
enum status port_submit_to(struct table_port *port, uint32_t shard, struct table_request *request, struct error *err)
{
    struct channel *channel = channel_to(port, shard);
    struct line *line = &channel->lines[request->flow % LINES];

    assert(request->done && channel->pending <= RING_SLOTS && channel->pending <= port->pending);
    if (channel->pending == RING_SLOTS)
        return error_set(err, ERR_OVERLOADED, "Too many writes in flight: try again");
    channel->pending++;
    port->pending++;
    if (__builtin_expect(line->first || !may_send(port, shard, line), 0))
        line_up(line, request);
    else
        push(port, shard, channel, request);
    return OK;
}

uint32_t table_shard_of(const struct table_port *port, int64_t token)
{
    return shard_of_token(port->space, token);
}

bool table_has_room(const struct table_port *port, int64_t token)
{
    struct channel *channel =
        atomic_load_explicit(&port->channels[shard_of_token(port->space, token)], memory_order_relaxed);

    return !channel || channel->pending < RING_SLOTS;
}

enum status table_submit(struct table_port *port, struct table_request *request, struct error *err)
{
    return port_submit_to(port, shard_of_token(port->space, request->token), request, err);
}

/* The exchange is the other half of the owner's sleep_until_work: no wake-up is lost. Once for
 * all that a turn of the loop submitted, and only where the owner sleeps: a busy one looks at its
 * rings anyway. */
void table_port_flush(struct table_port *port)
{
    if (!port->any_touched)
        return;
    port->any_touched = false;
    for (uint32_t i = 0; i < port->space->shard_count; i++) {
        struct shard *shard = &port->space->shards[i];

        if (!port->touched[i])
            continue;
        assert(atomic_load_explicit(&port->channels[i], memory_order_relaxed));
        port->touched[i] = false;
        if (atomic_exchange(&shard->sleeps, 0))
            syscall(SYS_futex, &shard->sleeps, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

/* A refused condition's answer moves to the request's arena before `done` sees it. */
static void finish(struct table_request *request)
{
    struct bytes result = request->result;

    if (!bytes_is_null(result) && request->arena)
        request->result = arena_copy(request->arena, result);
    request->done(request); /* it may be gone after this */
    free((void *)result.data);
}

/* Hands answers to whoever asked. Each makes room for what waits in its line. It is called when
 * the event fd is readable. That is read before the rings: an answer that comes in between is
 * taken now and makes the fd readable once more, which costs a look at empty rings, while the
 * other order could lose it. `done` may submit again; it runs here, never in an owner. */
void table_port_reap(struct table_port *port)
{
    uint64_t ignored;

    if (read(port->event_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN && errno != EINTR)
        abort();
    for (uint32_t i = 0; i < port->space->shard_count; i++) {
        struct channel *channel = atomic_load_explicit(&port->channels[i], memory_order_relaxed);
        struct table_request *request;

        while (channel && (request = ring_pop(&channel->to_port))) {
            struct line *line = &channel->lines[request->flow % LINES];

            assert(channel->pending && port->pending && line->sent);
            channel->pending--;
            port->pending--;
            line->sent--;
            if (__builtin_expect(line->first != NULL, 0))
                send_waiting(port, i, channel, line);
            finish(request);
        }
    }
}

/* ---- waiting for an answer ---- */

/* Of a thread that has nothing else to do until the answer comes, as the catalog's: it reaps its
 * port itself. */
struct wait {
    struct table_request request;
    uint32_t *left;
};

static void wait_done(struct table_request *request)
{
    assert(*CONTAINER_OF(request, struct wait, request)->left);
    --*CONTAINER_OF(request, struct wait, request)->left;
}

static void wait_for(struct table_port *port, const uint32_t *left)
{
    table_port_flush(port);
    while (*left) {
        struct pollfd fd = { .fd = port->event_fd, .events = POLLIN };

        /* Spurious returns, also of a signal, do no harm: only *left ends the wait. */
        poll(&fd, 1, -1);
        table_port_reap(port);
        table_port_flush(port); /* what completions submitted */
    }
}

enum status table_apply_wait(struct table_port *port, struct bytes command, int64_t token, struct error *err)
{
    uint32_t left = 1;
    struct wait wait = { .request = { .command = command, .token = token, .done = wait_done, .error = err },
                         .left = &left };
    enum status status = table_submit(port, &wait.request, err);

    if (status)
        return status;
    wait_for(port, &left);
    return wait.request.status;
}

/* The same command to every shard; *any_applied: whether one of them says that it was applied.
 * The first error is told, but all shards that were asked are waited for: the commands' bytes are
 * borrowed until then. Some may have done it and others not, so the command must be one that can
 * be sent again. */
enum status port_everywhere(struct table_port *port, struct bytes command, bool *any_applied, struct error *err)
{
    uint32_t count = port->space->shard_count, left = 0;
    struct wait *waits = xcalloc(count, sizeof(*waits));
    struct error *errors = xcalloc(count, sizeof(*errors));
    enum status status = OK;

    *any_applied = false;
    for (uint32_t i = 0; i < count && !status; i++) {
        waits[i] =
            (struct wait){ .request = { .command = command, .done = wait_done, .error = &errors[i] }, .left = &left };
        left++;
        status = port_submit_to(port, i, &waits[i].request, err);
        if (status)
            left--;
    }
    wait_for(port, &left);
    for (uint32_t i = 0; i < count && !status; i++) {
        status = waits[i].request.status;
        *any_applied |= waits[i].request.applied;
        if (status)
            *err = errors[i];
    }
    assert(!left);
    free(waits);
    free(errors);
    return status;
}
